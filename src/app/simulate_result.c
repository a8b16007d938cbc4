#include "simulate_world.h"

#include "oxide/base/file.h"

#include <stdlib.h>
#include <string.h>

static const char *const kind_words[] = {"register", "heartbeat", "report", "blob", "watch"};

const char *ox_simulate_kind_word(enum ox_simulate_kind kind)
{
    return kind_words[kind];
}

/* --- the result --- */

static void take_requests(const struct ox_sim_kind *kind, struct ox_simulate_requests *out)
{
    *out = (struct ox_simulate_requests){
        .started = kind->started,
        .answered = kind->answered,
        .refused = kind->refused,
        .failed = kind->failed,
        .cut = kind->started - kind->answered - kind->refused - kind->failed,
        .p50_us = ox_sim_latency_at(&kind->latency, 0.5),
        .p99_us = ox_sim_latency_at(&kind->latency, 0.99),
        .max_us = kind->latency.max_us,
    };
}

static void count_running(const struct ox_sim *sim, struct ox_simulate_running *out)
{
    for (uint32_t i = 0; i < sim->agents_count; i++) {
        const struct ox_sim_agent *agent = &sim->agents[i];

        for (size_t j = 0; j < agent->models_count; j++) {
            out[agent->models[j].release].agents++;
        }
        out[sim->releases_count].agents += agent->models_count == 0;
    }
}

static enum ox_code take_running(const struct ox_sim *sim, struct ox_simulate_result *out,
                                 struct ox_err *err)
{
    out->running = calloc((size_t)sim->releases_count + 1, sizeof(*out->running));
    if (out->running == NULL) {
        return ox_err_nomem(err, "a result");
    }
    count_running(sim, out->running);
    for (uint32_t i = 0; i <= sim->releases_count; i++) {
        struct ox_simulate_running row = out->running[i];

        if (i < sim->releases_count) {
            row.model_id = sim->releases[i].model_id;
            row.version = sim->releases[i].version;
        }
        if (row.agents > 0) {
            out->running[out->running_count++] = row;
        }
    }
    return OX_OK;
}

static enum ox_code take_campaigns(const struct ox_sim *sim, struct ox_simulate_result *out,
                                   struct ox_err *err)
{
    out->campaigns = calloc((size_t)sim->campaigns_count + 1, sizeof(*out->campaigns));
    if (out->campaigns == NULL) {
        return ox_err_nomem(err, "a result");
    }
    for (uint32_t i = 0; i < sim->campaigns_count; i++) {
        struct ox_simulate_campaign *row = &out->campaigns[out->campaigns_count++];

        *row = sim->campaigns[i].seen;
        row->id = sim->campaigns[i].id;
        row->model_id = sim->releases[sim->campaigns[i].release].model_id;
        row->version = sim->releases[sim->campaigns[i].release].version;
    }
    return OX_OK;
}

enum ox_code ox_sim_result(const struct ox_sim *sim, struct ox_simulate_result *out,
                           struct ox_err *err)
{
    const struct ox_sim_stats *stats = &sim->net.stats;
    enum ox_code code;

    *out = (struct ox_simulate_result){
        .elapsed_ms = (uint64_t)(sim->net.now_us - sim->begun_us) / 1000,
        .agents = sim->agents_count,
        .updating = sim->updating,
        .silent = sim->silent,
        .connections = sim->net.open,
        .sent_bytes = stats->sent_bytes,
        .received_bytes = stats->received_bytes,
        .blob_bytes = stats->blob_bytes,
        .conflicts = sim->conflicts,
        .errors_count = stats->errors_count,
    };
    for (size_t i = 0; i < OX_SIMULATE_KINDS; i++) {
        take_requests(&stats->kinds[i], &out->requests[i]);
    }
    out->errors = calloc(stats->errors_count + 1, sizeof(*out->errors));
    code = out->errors == NULL ? ox_err_nomem(err, "a result") : OX_OK;
    if (code == OX_OK) {
        memcpy(out->errors, stats->errors, stats->errors_count * sizeof(*out->errors));
        code = take_running(sim, out, err);
    }
    if (code == OX_OK) {
        code = take_campaigns(sim, out, err);
    }
    if (code != OX_OK) {
        ox_sim_result_clear(out);
    }
    return code;
}

void ox_sim_result_clear(struct ox_simulate_result *result)
{
    free(result->errors);
    free(result->running);
    free(result->campaigns);
    *result = (struct ox_simulate_result){0};
}

/* --- the file of agents --- */

static enum ox_code models_json(const struct ox_sim_agent *agent, json_t **out, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    *out = json_array();
    for (size_t i = 0; code == OX_OK && i < agent->models_count; i++) {
        const struct ox_sim_release *release = &agent->sim->releases[agent->models[i].release];

        code = ox_json_append(
            *out, json_pack("{s:s, s:s}", "id", release->model_id, "version", release->version),
            err);
    }
    return code;
}

static const char *campaign_id(const struct ox_sim *sim, uint32_t campaign)
{
    return campaign == OX_SIM_NONE ? "" : sim->campaigns[campaign].id;
}

static enum ox_code ended_json(const struct ox_sim_agent *agent, json_t **out, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    *out = json_array();
    for (size_t i = 0; code == OX_OK && i < agent->ended_count; i++) {
        const struct ox_sim_ended *ended = &agent->ended[i];
        const struct ox_sim_release *release = &agent->sim->releases[ended->release];

        code = ox_json_append(*out,
                              json_pack("{s:s, s:s, s:s, s:s}", "campaign",
                                        campaign_id(agent->sim, ended->campaign), "model",
                                        release->model_id, "version", release->version, "state",
                                        ox_rollout_state_word(ended->state)),
                              err);
    }
    return code;
}

static enum ox_code assigned_json(const struct ox_sim_agent *agent, json_t **out,
                                  struct ox_err *err)
{
    enum ox_code code = OX_OK;

    *out = json_array();
    for (size_t i = 0; code == OX_OK && i < agent->assigned_count; i++) {
        code = ox_json_append(*out, json_string(campaign_id(agent->sim, agent->assigned[i])), err);
    }
    return code;
}

static enum ox_code agent_line(const struct ox_sim_agent *agent, char **out, struct ox_err *err)
{
    char id[OX_SIM_ID_MAX];
    json_t *models = NULL;
    json_t *assigned = NULL;
    json_t *ended = NULL;
    json_t *json = NULL;
    enum ox_code code;

    if ((code = models_json(agent, &models, err)) == OX_OK &&
        (code = assigned_json(agent, &assigned, err)) == OX_OK &&
        (code = ended_json(agent, &ended, err)) == OX_OK) {
        json = json_pack("{s:s, s:b, s:O, s:O, s:O}", "id",
                         ox_sim_device_id(agent->sim, agent->number, id), "silent", agent->silent,
                         "models", models, "assigned", assigned, "ended", ended);
        code = json == NULL ? ox_err_nomem(err, "a line") : ox_json_text(json, out, err);
    }
    json_decref(models);
    json_decref(assigned);
    json_decref(ended);
    json_decref(json);
    return code;
}

enum ox_code ox_sim_write_agents(const struct ox_sim *sim, int fd, const char *path,
                                 struct ox_err *err)
{
    struct ox_buf text = OX_BUF_INIT;
    enum ox_code code = OX_OK;

    for (uint32_t i = 0; code == OX_OK && i < sim->agents_count; i++) {
        char *line = NULL;

        code = agent_line(&sim->agents[i], &line, err);
        if (code == OX_OK) {
            code = ox_buf_printf(&text, err, "%s\n", line);
        }
        if (code == OX_OK && (text.len_bytes > 65536 || i + 1 == sim->agents_count)) {
            code = ox_write_full(fd, text.data, text.len_bytes, path, err);
            text.len_bytes = 0;
        }
        free(line);
    }
    ox_buf_clear(&text);
    return code;
}

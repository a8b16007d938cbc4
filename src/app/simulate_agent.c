#include "simulate_world.h"

#include "oxide/base/pool.h"
#include "oxide/patch/oxdl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As the agent (agent/policy.h, beat.h, agent.c) has them. */
#define POISON_LIMIT 3
#define BACKOFF_MAX_MS ((int64_t)300000)
#define WHOLE_EVERY 60
#define PROGRESS_GAP_US ((int64_t)1000000)
#define POLL_MAX_S 86400

/* A connection that is not used for so long is closed by the agent: servers close it as soon. */
#define KEEP_US ((int64_t)5 * 1000 * 1000)

static int64_t now_us(const struct ox_sim_agent *agent)
{
    return agent->sim->net.now_us;
}

/* Full jitter below a bound that doubles from `ms`, never less than a tenth of it. */
static int64_t backoff_us(struct ox_sim_agent *agent, unsigned failures)
{
    int64_t ms = agent->poll_ms;
    int64_t most = ms > BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;

    for (unsigned i = 0; i < failures && ms < most; i++) {
        ms = ms > most / 2 ? most : ms * 2;
    }
    return (ms / 10 + (int64_t)ox_rng_below(&agent->sim->rng, (uint64_t)(ms - ms / 10) + 1)) * 1000;
}

static int64_t poll_us(struct ox_sim_agent *agent)
{
    int64_t spread = agent->poll_ms / 5;

    return (agent->poll_ms - spread +
            (int64_t)ox_rng_below(&agent->sim->rng, (uint64_t)(2 * spread) + 1)) *
           1000;
}

/* --- what it runs --- */

struct ox_sim_running *ox_sim_agent_model(struct ox_sim_agent *agent, const char *model_id)
{
    for (size_t i = 0; i < agent->models_count; i++) {
        const struct ox_sim_release *release = &agent->sim->releases[agent->models[i].release];

        if (strcmp(release->model_id, model_id) == 0) {
            return &agent->models[i];
        }
    }
    return NULL;
}

/* --- reports --- */

static bool is_progress(enum ox_rollout_state state)
{
    return state < OX_ROLLOUT_COMPLETE;
}

static void drop_report(struct ox_sim_agent *agent, size_t index)
{
    memmove(&agent->reports[index], &agent->reports[index + 1],
            (agent->reports_count - index - 1) * sizeof(agent->reports[0]));
    agent->reports_count--;
}

/* Progress that was not told yet gives way to what came after it. */
static void make_room(struct ox_sim_agent *agent, const struct ox_sim_report *report)
{
    for (size_t i = agent->reports_count; i > 0; i--) {
        const struct ox_sim_report *queued = &agent->reports[i - 1];

        if (is_progress(queued->state) && queued->campaign == report->campaign &&
            queued->release == report->release) {
            drop_report(agent, i - 1);
        }
    }
    if (agent->reports_count == OX_SIM_REPORTS_MAX) {
        drop_report(agent, 0);
    }
}

void ox_sim_agent_report(struct ox_sim_agent *agent, const struct ox_sim_report *report)
{
    int64_t soon_us = is_progress(report->state) ? agent->beaten_us + PROGRESS_GAP_US : 0;

    if (agent->reports == NULL) {
        agent->reports = calloc(OX_SIM_REPORTS_MAX, sizeof(*agent->reports));
        if (agent->reports == NULL) {
            ox_sim_stats_error(&agent->sim->net.stats, "out of memory for a report");
            return;
        }
    }
    make_room(agent, report);
    agent->reports[agent->reports_count] = *report;
    agent->reports[agent->reports_count++].seq = agent->next_seq++;
    if (agent->beat != NULL && agent->beat->busy) {
        agent->news = true;
    } else if (agent->beat_failures == 0 && soon_us < agent->beat_us) {
        agent->beat_us = soon_us;
    }
}

static void note_ended(struct ox_sim_agent *agent, const struct ox_sim_report *report)
{
    struct ox_sim *sim = agent->sim;
    struct ox_simulate_campaign *seen;

    if (agent->ended_count == OX_SIM_ENDED_MAX) {
        memmove(agent->ended, agent->ended + 1, sizeof(agent->ended) - sizeof(agent->ended[0]));
        agent->ended_count--;
    }
    agent->ended[agent->ended_count++] =
        (struct ox_sim_ended){report->campaign, report->release, report->state};
    if (report->campaign == OX_SIM_NONE) {
        return;
    }
    seen = &sim->campaigns[report->campaign].seen;
    seen->complete += report->state == OX_ROLLOUT_COMPLETE;
    seen->skipped += report->state == OX_ROLLOUT_SKIPPED;
    seen->failed += report->state == OX_ROLLOUT_FAILED;
    if (report->state == OX_ROLLOUT_FAILED && seen->failed == 1) {
        seen->first_failed_ms = (uint64_t)(now_us(agent) - sim->begun_us) / 1000;
        seen->began_at_first_failure = seen->began;
    }
}

/* Everything up to this one is durable at the server. */
static void take_ack(struct ox_sim_agent *agent, uint64_t ack)
{
    if (ack >= agent->next_seq) { /* it knew this id before: go on from there */
        agent->next_seq = ack + 1;
        for (size_t i = 0; i < agent->reports_count; i++) {
            agent->reports[i].seq = agent->next_seq++;
        }
        agent->news = agent->reports_count > 0;
        return;
    }
    while (agent->reports_count > 0 && agent->reports[0].seq <= ack) {
        if (!is_progress(agent->reports[0].state)) {
            note_ended(agent, &agent->reports[0]);
        }
        drop_report(agent, 0);
    }
    if (agent->reports_count == 0 && agent->update != NULL) {
        ox_sim_update_told(agent);
    }
}

/* --- assignments --- */

static bool is_wanted(const struct ox_sim_agent *agent, const struct ox_heartbeat_answer *answer)
{
    const struct ox_assignment *under_way = &agent->update->assignment;

    for (size_t i = 0; i < answer->assignments_count; i++) {
        const struct ox_assignment *assignment = &answer->assignments[i];

        if (strcmp(assignment->model_id, under_way->model_id) == 0 &&
            strcmp(assignment->version, under_way->version) == 0 &&
            ox_digest_equal(&assignment->digest, &under_way->digest)) {
            return true;
        }
    }
    return false;
}

static bool was_told(const struct ox_sim_agent *agent, uint32_t campaign)
{
    for (uint32_t i = 0; i < agent->assigned_count; i++) {
        if (agent->assigned[i] == campaign) {
            return true;
        }
    }
    return false;
}

/* Note what it is assigned, and that no model is in it twice. */
static void check_assignments(struct ox_sim_agent *agent, const struct ox_heartbeat_answer *answer)
{
    struct ox_sim *sim = agent->sim;

    for (size_t i = 0; i < answer->assignments_count; i++) {
        const struct ox_assignment *assignment = &answer->assignments[i];
        uint32_t campaign = ox_sim_campaign(
            sim, assignment->campaign_id,
            ox_sim_release(sim, assignment->model_id, assignment->version, &assignment->digest));
        uint32_t *grown;

        for (size_t j = 0; j < i; j++) {
            sim->conflicts += strcmp(assignment->model_id, answer->assignments[j].model_id) == 0;
        }
        if (!was_told(agent, campaign) &&
            (grown = realloc(agent->assigned,
                             (agent->assigned_count + 1) * sizeof(*agent->assigned))) != NULL) {
            agent->assigned = grown;
            agent->assigned[agent->assigned_count++] = campaign;
        }
    }
}

static void tell_poison(struct ox_sim_agent *agent, const struct ox_assignment *assignment)
{
    uint32_t campaign = ox_sim_campaign(agent->sim, assignment->campaign_id, agent->poison);
    const struct ox_sim_report report = {.campaign = campaign,
                                         .release = agent->poison,
                                         .state = OX_ROLLOUT_SKIPPED,
                                         .error_code = "poison",
                                         .error_message = "it failed three times on this device",
                                         .strategy = "none"};

    if (agent->poison_told != campaign) {
        agent->poison_told = campaign;
        ox_sim_agent_report(agent, &report);
    }
}

/* Returns whether it begins, or waits to begin. */
static bool consider(struct ox_sim_agent *agent, struct ox_assignment *assignment)
{
    const struct ox_sim_running *model = ox_sim_agent_model(agent, assignment->model_id);
    uint32_t release =
        ox_sim_release(agent->sim, assignment->model_id, assignment->version, &assignment->digest);

    if (release == OX_SIM_NONE || (model != NULL && model->release == release)) {
        return false;
    }
    if (agent->poison == release && agent->poisoned >= POISON_LIMIT) {
        tell_poison(agent, assignment);
        return false;
    }
    if (now_us(agent) >= agent->retry_us) {
        ox_sim_update_begin(agent, assignment);
    }
    return true;
}

static void take_answer(struct ox_sim_agent *agent, struct ox_heartbeat_answer *answer)
{
    if (answer->poll_interval_s >= 1 && answer->poll_interval_s <= POLL_MAX_S) {
        agent->poll_ms = (int64_t)answer->poll_interval_s * 1000;
    }
    check_assignments(agent, answer);
    if (answer->reports_ack_present) {
        take_ack(agent, answer->reports_ack);
    }
    if (agent->update != NULL) {
        if (!is_wanted(agent, answer)) {
            ox_sim_update_withdraw(agent);
        }
        return;
    }
    for (size_t i = 0; i < answer->assignments_count; i++) {
        if (consider(agent, &answer->assignments[i])) {
            break;
        }
    }
}

/* --- heartbeats --- */

static void lend_models(struct ox_sim_agent *agent, struct ox_device_model *models)
{
    for (size_t i = 0; i < agent->models_count; i++) {
        const struct ox_sim_release *release = &agent->sim->releases[agent->models[i].release];

        models[i] = (struct ox_device_model){release->model_id, release->version, release->digest};
    }
}

static void lend_reports(struct ox_sim_agent *agent, struct ox_device_report *reports)
{
    const struct ox_sim *sim = agent->sim;

    for (size_t i = 0; i < agent->reports_count; i++) {
        const struct ox_sim_report *report = &agent->reports[i];
        const struct ox_sim_release *release = &sim->releases[report->release];
        const struct ox_sim_campaign *campaign =
            report->campaign == OX_SIM_NONE ? NULL : &sim->campaigns[report->campaign];

        reports[i] = (struct ox_device_report){
            .seq = report->seq,
            .campaign_id = campaign == NULL || campaign->id[0] == '\0' ? NULL : campaign->id,
            .model_id = release->model_id,
            .version = release->version,
            .state = report->state,
            .error_code = (char *)report->error_code, /* lent, never written to */
            .error_message = (char *)report->error_message,
            .strategy = (char *)report->strategy,
            .bytes_received = report->received_bytes,
            .bytes_full = report->full_bytes,
            .duration_ms = report->duration_ms,
        };
    }
}

static json_t *platform(void)
{
    return json_pack("{s:s, s:s, s:i, s:I}", "arch", "simulated", "os", "Linux", "cpu_count", 4,
                     "total_memory_bytes", (json_int_t)4 << 30);
}

/* All strings in the heartbeat are lent, so nothing is cleared. */
static enum ox_code build(struct ox_sim_agent *agent, char **out, struct ox_err *err)
{
    struct ox_device_model models[OX_SIM_MODELS_MAX];
    struct ox_device_report reports[OX_SIM_REPORTS_MAX];
    bool whole = agent->since_whole == 0;
    bool runs = agent->models_count > 0;
    struct ox_heartbeat heartbeat = {
        .status_presence = OX_PRESENT,
        .status = agent->update != NULL ? OX_DEVICE_UPDATING : OX_DEVICE_ONLINE,
        .agent = agent->sim->user_agent,
        .protocol = OX_PROTOCOL_VERSION,
        .reports = reports,
        .reports_count = agent->reports_count,
    };
    enum ox_code code;

    lend_models(agent, models);
    lend_reports(agent, reports);
    heartbeat.current_model =
        (struct ox_opt_str){runs ? OX_PRESENT : OX_NULL, runs ? models[0].model_id : NULL};
    heartbeat.current_version =
        (struct ox_opt_str){runs ? OX_PRESENT : OX_NULL, runs ? models[0].version : NULL};
    if (whole) {
        agent->models_changed = false;
        heartbeat.reads_presence = OX_PRESENT;
        heartbeat.reads =
            (struct ox_reads){.oxdl1 = true, .oxdl2 = true, .oxdl2_ops = OX_OXDL_OPS_KNOWN};
        heartbeat.platform = platform();
        heartbeat.models_presence = OX_PRESENT;
        heartbeat.models = models;
        heartbeat.models_count = agent->models_count;
    }
    code = ox_heartbeat_build(&heartbeat, out, err);
    json_decref(heartbeat.platform);
    return code;
}

/* When the next one is due, and whether the connection is kept until then. */
static void plan_next(struct ox_sim_agent *agent, int64_t wait_us)
{
    if (agent->silent) {
        return;
    }
    agent->beat_us = now_us(agent) + wait_us;
    if (agent->news && agent->beat_failures == 0) {
        agent->beat_us = agent->beaten_us + PROGRESS_GAP_US;
    }
    agent->news = false;
    if (agent->beat_us - now_us(agent) > KEEP_US) {
        ox_sim_conn_free(agent->beat);
        agent->beat = NULL;
    }
}

static void beat_failed(struct ox_sim_agent *agent, bool unknown)
{
    agent->since_whole = 0;
    agent->beat_failures = unknown ? 1 : agent->beat_failures + 1;
    plan_next(agent, unknown ? poll_us(agent) : backoff_us(agent, agent->beat_failures));
}

static void beat_ended(void *ctx, struct ox_sim_conn *conn, enum ox_code code, const char *problem)
{
    struct ox_sim_agent *agent = ctx;
    struct ox_heartbeat_answer answer = {0};
    struct ox_err err = OX_ERR_INIT;

    (void)problem; /* counted already */
    if (code == OX_OK && conn->http.status == 200) {
        code = ox_heartbeat_answer_parse(conn->body.data == NULL ? (const uint8_t *)""
                                                                 : conn->body.data,
                                         conn->body.len_bytes, &answer, &err);
        if (code != OX_OK) {
            ox_sim_stats_error(&agent->sim->net.stats, err.msg);
        }
    }
    if (code != OX_OK || conn->http.status != 200) {
        beat_failed(agent, code == OX_OK && conn->http.status == 404);
    } else {
        agent->beat_failures = 0;
        agent->since_whole =
            answer.resend || agent->models_changed ? 0 : (agent->since_whole + 1) % WHOLE_EVERY;
        take_answer(agent, &answer);
        plan_next(agent, poll_us(agent));
    }
    ox_heartbeat_answer_clear(&answer);
    ox_sim_schedule(agent);
}

static void send_beat(struct ox_sim_agent *agent)
{
    struct ox_sim *sim = agent->sim;
    const struct ox_sim_user user = {agent, NULL, beat_ended, NULL};
    enum ox_simulate_kind kind =
        agent->reports_count > 0 ? OX_SIMULATE_REPORT : OX_SIMULATE_HEARTBEAT;
    struct ox_err err = OX_ERR_INIT;
    char id[OX_SIM_ID_MAX];
    char *body = NULL;
    char *line = NULL;
    enum ox_code code;

    agent->beat_us = OX_SIM_NEVER;
    agent->beaten_us = now_us(agent);
    if (agent->beat == NULL) {
        agent->beat = ox_sim_conn_new(&sim->net, sim->server, agent->number);
    }
    code = agent->beat == NULL ? ox_err_nomem(&err, "a connection") : build(agent, &body, &err);
    if (code == OX_OK) {
        code = ox_strf(&line, &err, "POST %s/api/v1/devices/%s/heartbeat", sim->base_path,
                       ox_sim_device_id(sim, agent->number, id));
    }
    if (code == OX_OK) {
        ox_sim_conn_call(agent->beat, kind, &user, line, "", body);
    } else {
        ox_sim_stats_error(&sim->net.stats, err.msg);
        beat_failed(agent, false);
    }
    free(line);
    free(body);
}

/* --- its life --- */

void ox_sim_agent_die(struct ox_sim_agent *agent, int64_t down_us)
{
    ox_sim_conn_free(agent->beat);
    ox_sim_conn_free(agent->fetch);
    agent->beat = agent->fetch = NULL;
    agent->since_whole = 0;
    agent->news = false;
    agent->step_us = OX_SIM_NEVER;
    agent->beat_us = OX_SIM_NEVER;
    if (!agent->silent) {
        agent->sim->silent++;
    }
    agent->silent = true;
    if (down_us != OX_SIM_NEVER) {
        agent->beat_us = now_us(agent) + down_us;
    }
}

static void come_back(struct ox_sim_agent *agent)
{
    agent->silent = false;
    agent->sim->silent--;
    if (agent->update != NULL) { /* from its journal: what was fetched is kept */
        agent->update->phase = OX_SIM_FETCH;
        agent->step_us = now_us(agent);
    }
}

void ox_sim_agent_wake(struct ox_sim_agent *agent)
{
    int64_t now = now_us(agent);

    if (ox_sim_conn_due(agent->beat) <= now) {
        ox_sim_conn_wake(agent->beat);
    }
    if (ox_sim_conn_due(agent->fetch) <= now) {
        ox_sim_conn_wake(agent->fetch);
    }
    if (agent->beat_us <= now) {
        if (agent->silent) {
            come_back(agent);
        }
        send_beat(agent);
    }
    if (agent->step_us <= now && agent->update != NULL) {
        ox_sim_update_step(agent);
    }
    ox_sim_schedule(agent);
}

void ox_sim_agent_clear(struct ox_sim_agent *agent)
{
    ox_sim_update_free(agent); /* with its connection */
    ox_sim_conn_free(agent->beat);
    free(agent->reports);
    free(agent->assigned);
}

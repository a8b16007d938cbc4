#include "simulate_world.h"

#include "oxide/crypto/xxh64.h"
#include "oxide/wire/id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOW_EVERY_US ((int64_t)1000 * 1000)

/* --- what agents share --- */

const char *ox_sim_device_id(const struct ox_sim *sim, uint32_t number, char out[OX_SIM_ID_MAX])
{
    (void)snprintf(out, OX_SIM_ID_MAX, "%s%06u", sim->options->prefix, number);
    return out;
}

double ox_sim_chance(const struct ox_sim *sim, const char *word, uint32_t number,
                     const struct ox_digest *digest)
{
    struct ox_xxh64 sum;

    ox_xxh64_init(&sum, sim->options->seed);
    ox_xxh64_update(&sum, word, strlen(word));
    ox_xxh64_update(&sum, &number, sizeof(number));
    ox_xxh64_update(&sum, digest->bytes, sizeof(digest->bytes));
    return (double)(ox_xxh64_final(&sum) >> 11) * 0x1p-53;
}

int64_t ox_sim_about(struct ox_sim *sim, uint64_t ms)
{
    return sim->net.now_us + (int64_t)(ms * 500 + ox_rng_below(&sim->rng, ms * 1000 + 1));
}

uint32_t ox_sim_release(struct ox_sim *sim, const char *model_id, const char *version,
                        const struct ox_digest *digest)
{
    struct ox_sim_release release = {NULL, NULL, *digest};
    struct ox_sim_release *grown;

    for (uint32_t i = 0; i < sim->releases_count; i++) {
        const struct ox_sim_release *known = &sim->releases[i];

        if (ox_digest_equal(&known->digest, digest) && strcmp(known->version, version) == 0 &&
            strcmp(known->model_id, model_id) == 0) {
            return i;
        }
    }
    grown = realloc(sim->releases, ((size_t)sim->releases_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return OX_SIM_NONE;
    }
    sim->releases = grown;
    if (ox_strdup(&release.model_id, model_id, NULL) != OX_OK ||
        ox_strdup(&release.version, version, NULL) != OX_OK) {
        free(release.model_id);
        return OX_SIM_NONE;
    }
    grown[sim->releases_count] = release;
    return sim->releases_count++;
}

uint32_t ox_sim_campaign(struct ox_sim *sim, const char *id, uint32_t release)
{
    const char *name = id == NULL ? "" : id;
    struct ox_sim_campaign *grown;
    char *copy = NULL;

    for (uint32_t i = 0; i < sim->campaigns_count; i++) {
        if (sim->campaigns[i].release == release && strcmp(sim->campaigns[i].id, name) == 0) {
            return i;
        }
    }
    grown = realloc(sim->campaigns, ((size_t)sim->campaigns_count + 1) * sizeof(*grown));
    if (grown == NULL || release == OX_SIM_NONE) {
        sim->campaigns = grown == NULL ? sim->campaigns : grown;
        return OX_SIM_NONE;
    }
    sim->campaigns = grown;
    if (ox_strdup(&copy, name, NULL) != OX_OK) {
        return OX_SIM_NONE;
    }
    grown[sim->campaigns_count] = (struct ox_sim_campaign){.id = copy, .release = release};
    return sim->campaigns_count++;
}

/* --- the beginning and the end --- */

static enum ox_code check_share(const char *flag, double share, struct ox_err *err)
{
    return share >= 0 && share <= 1 ? OX_OK
                                    : ox_err_set(err, OX_EINVAL, "%s is a share from 0 to 1", flag);
}

static enum ox_code check(const struct ox_simulate_options *options, struct ox_err *err)
{
    char id[OX_SIM_ID_MAX];
    enum ox_code code;

    if (options->agents == 0 || options->agents > OX_SIMULATE_AGENTS_MAX) {
        return ox_err_set(err, OX_EINVAL, "--agents takes 1 to %d", OX_SIMULATE_AGENTS_MAX);
    }
    if ((options->model == NULL) != (options->model_version == NULL)) {
        return ox_err_set(err, OX_EINVAL, "--model and --model-version go together");
    }
    if ((code = check_share("--fail", options->fail, err)) != OX_OK ||
        (code = check_share("--silent", options->silent, err)) != OX_OK ||
        (code = check_share("--restart", options->restart, err)) != OX_OK) {
        return code;
    }
    (void)snprintf(id, sizeof(id), "%.280s000000", options->prefix);
    if ((code = ox_id_check("device id", id, err)) != OX_OK) {
        ox_err_context(err, "--prefix");
    } else if (options->fleet != NULL &&
               (code = ox_id_check("fleet", options->fleet, err)) != OX_OK) {
        ox_err_context(err, "--fleet");
    } else if (options->model != NULL &&
               ((code = ox_id_check("model", options->model, err)) != OX_OK ||
                (code = ox_id_check("version", options->model_version, err)) != OX_OK)) {
        ox_err_context(err, "--model");
    }
    return code;
}

static enum ox_code make_agents(struct ox_sim *sim, struct ox_err *err)
{
    sim->agents = calloc((size_t)sim->options->agents, sizeof(*sim->agents));
    sim->heap = calloc((size_t)sim->options->agents, sizeof(struct ox_sim_agent *));
    if (sim->agents == NULL || sim->heap == NULL) {
        return ox_err_nomem(err, "simulated agents");
    }
    sim->agents_count = sim->heap_count = (uint32_t)sim->options->agents;
    for (uint32_t i = 0; i < sim->agents_count; i++) {
        struct ox_sim_agent *agent = &sim->agents[i];

        agent->sim = sim;
        agent->number = i;
        agent->due_us = agent->beat_us = agent->step_us = OX_SIM_NEVER;
        agent->poll_ms = (int64_t)sim->options->poll_ms;
        agent->next_seq = 1;
        agent->poison = agent->poison_told = OX_SIM_NONE;
        agent->heap_at = i;
        sim->heap[i] = agent;
    }
    return OX_OK;
}

/* *out holds no secrets of its own: everything but strings that it made is lent. */
static enum ox_code open_sim(struct ox_sim *sim, const struct ox_simulate_options *options,
                             struct ox_err *err)
{
    const char *path = NULL;
    size_t len;
    enum ox_code code;

    *sim = (struct ox_sim){.options = options};
    ox_rng_init(&sim->rng, options->seed);
    if ((code = ox_sim_net_init(&sim->net, err)) != OX_OK ||
        (code = ox_sim_authority(&sim->net, options->server, &sim->server, &path, err)) != OX_OK) {
        return code;
    }
    len = strlen(path);
    while (len > 0 && path[len - 1] == '/') {
        len--;
    }
    if ((code = ox_strf(&sim->base_path, err, "%.*s", (int)len, path)) != OX_OK ||
        (code = ox_strf(&sim->user_agent, err, "oxide/%s", options->version)) != OX_OK) {
        return code;
    }
    return make_agents(sim, err);
}

static void close_sim(struct ox_sim *sim)
{
    for (uint32_t i = 0; i < sim->agents_count; i++) {
        ox_sim_agent_clear(&sim->agents[i]);
    }
    for (uint32_t i = 0; i < sim->releases_count; i++) {
        free(sim->releases[i].model_id);
        free(sim->releases[i].version);
    }
    for (uint32_t i = 0; i < sim->campaigns_count; i++) {
        free(sim->campaigns[i].id);
    }
    free(sim->agents);
    free(sim->heap);
    free(sim->releases);
    free(sim->campaigns);
    free(sim->base_path);
    free(sim->user_agent);
    ox_sim_net_clear(&sim->net);
}

/* --- the loop --- */

static uint64_t answered(const struct ox_sim *sim)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < OX_SIMULATE_KINDS; i++) {
        sum += sim->net.stats.kinds[i].answered;
    }
    return sum;
}

static enum ox_code show(const struct ox_sim *sim, const struct ox_simulate_observer *observer,
                         uint64_t rate, bool last, struct ox_err *err)
{
    struct ox_simulate_result result;
    enum ox_code code = ox_sim_result(sim, &result, err);

    if (code == OX_OK) {
        result.rate = rate;
        if (observer->show != NULL) {
            observer->show(observer->ctx, &result, last);
        }
        ox_sim_result_clear(&result);
    }
    return code;
}

/* Everyone's first heartbeat, spread evenly: a fleet that was there all along. */
static void begin_beating(struct ox_sim *sim)
{
    uint64_t ramp_ms = sim->options->ramp_ms == 0 ? sim->options->poll_ms : sim->options->ramp_ms;

    sim->net.now_us = ox_sim_now_us();
    sim->begun_us = sim->net.now_us;
    for (uint32_t i = 0; i < sim->agents_count; i++) {
        struct ox_sim_agent *agent = &sim->agents[i];

        agent->beat_us = sim->begun_us + (int64_t)ox_rng_below(&sim->rng, ramp_ms * 1000 + 1);
        ox_sim_schedule(agent);
    }
}

static enum ox_code run(struct ox_sim *sim, struct ox_stop *stop,
                        const struct ox_simulate_observer *observer, struct ox_err *err)
{
    struct ox_sim_watch watch = {.sim = sim};
    int64_t end_us;
    int64_t shown_us;
    uint64_t shown = 0;
    enum ox_code code = OX_OK;

    begin_beating(sim);
    shown_us = sim->begun_us;
    end_us = sim->options->duration_ms == 0
                 ? OX_SIM_NEVER
                 : sim->begun_us + (int64_t)sim->options->duration_ms * 1000;
    while (code == OX_OK && sim->net.now_us < end_us && !ox_stop_requested(stop)) {
        while (sim->heap[0]->due_us <= sim->net.now_us) {
            ox_sim_agent_wake(sim->heap[0]);
        }
        ox_sim_watch_wake(&watch);
        code = ox_sim_net_round(&sim->net, sim->heap[0]->due_us, err);
        if (code == OX_OK && sim->net.now_us - shown_us >= SHOW_EVERY_US) {
            uint64_t now = answered(sim);

            code =
                show(sim, observer,
                     (now - shown) * 1000000 / (uint64_t)(sim->net.now_us - shown_us), false, err);
            shown = now;
            shown_us = sim->net.now_us;
        }
    }
    ox_sim_conn_free(watch.conn);
    return code;
}

enum ox_code ox_simulate_run(const struct ox_simulate_options *options, struct ox_stop *stop,
                             const struct ox_simulate_observer *observer, struct ox_err *err)
{
    struct ox_simulate_options own = *options;
    int agents_fd = -1;
    struct ox_sim sim;
    enum ox_code code;

    own.prefix = own.prefix == NULL ? OX_SIMULATE_PREFIX_DEFAULT : own.prefix;
    own.poll_ms = own.poll_ms == 0 ? OX_SIMULATE_POLL_MS_DEFAULT : own.poll_ms;
    code = check(&own, err);
    if (code != OX_OK) {
        return code;
    }
    if (own.agents_file != NULL) { /* first, so that no long run ends in vain */
        agents_fd = open(own.agents_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (agents_fd < 0) {
            return ox_err_sys(err, errno, "opening %s", own.agents_file);
        }
    }
    if ((code = open_sim(&sim, &own, err)) == OX_OK &&
        (code = ox_sim_setup(&sim, stop, observer, err)) == OX_OK &&
        (code = run(&sim, stop, observer, err)) == OX_OK &&
        (code = show(&sim, observer, 0, true, err)) == OX_OK && agents_fd >= 0) {
        code = ox_sim_write_agents(&sim, agents_fd, own.agents_file, err);
    }
    close_sim(&sim);
    if (agents_fd >= 0 && close(agents_fd) != 0 && code == OX_OK) {
        code = ox_err_sys(err, errno, "writing %s", own.agents_file);
    }
    return code;
}

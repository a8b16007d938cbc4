#include "simulate_world.h"

#include "oxide/wire/header.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOWN_MIN_MS 1000 /* of a device that is restarted */
#define DOWN_MAX_MS 5000

static struct ox_sim_report describe(const struct ox_sim_agent *agent, enum ox_rollout_state state)
{
    const struct ox_sim_update *update = agent->update;
    bool ended = state >= OX_ROLLOUT_COMPLETE;

    return (struct ox_sim_report){
        .campaign = update->campaign,
        .release = update->release,
        .state = state,
        .strategy = ended ? update->strategy : NULL,
        .received_bytes = update->received_bytes,
        .full_bytes = ox_manifest_size(&update->assignment.files),
        .duration_ms = (uint64_t)(agent->sim->net.now_us - update->begun_us) / 1000,
    };
}

static void tell(struct ox_sim_agent *agent, enum ox_rollout_state state)
{
    struct ox_sim_report report = describe(agent, state);

    ox_sim_agent_report(agent, &report);
}

static struct ox_simulate_campaign *seen_of(const struct ox_sim_agent *agent)
{
    return &agent->sim->campaigns[agent->update->campaign].seen;
}

/* --- the beginning --- */

static enum ox_code plan_blobs(struct ox_sim_update *update, bool kept, struct ox_err *err)
{
    const struct ox_assignment *assignment = &update->assignment;
    bool patch = assignment->patch.present && !update->patch_failed;

    free(update->blobs);
    update->blob = update->blobs_count = 0;
    update->got_bytes = 0;
    update->blobs = calloc(assignment->files.count + 1, sizeof(*update->blobs));
    if (update->blobs == NULL) {
        return ox_err_nomem(err, "a list of blobs");
    }
    update->strategy = kept ? "none" : patch ? "delta" : "full";
    if (!kept && patch) {
        update->blobs[update->blobs_count++] =
            (struct ox_sim_blob){assignment->patch.sha256, assignment->patch.size_bytes};
    }
    for (size_t i = 0; !kept && !patch && i < assignment->files.count; i++) {
        const struct ox_manifest_file *file = &assignment->files.files[i];

        if (file->size_bytes > 0) {
            update->blobs[update->blobs_count++] =
                (struct ox_sim_blob){file->sha256, file->size_bytes};
        }
    }
    return OX_OK;
}

static void draw_fate(struct ox_sim_agent *agent)
{
    const struct ox_simulate_options *options = agent->sim->options;
    struct ox_sim_update *update = agent->update;
    const struct ox_digest *digest = &update->assignment.digest;
    const struct ox_sim *sim = agent->sim;
    uint32_t number = agent->number;

    update->goes_silent = ox_sim_chance(sim, "silent", number, digest) < options->silent;
    update->restarts = ox_sim_chance(sim, "restart", number, digest) < options->restart;
    update->fails = (options->bad_version == NULL ||
                     strcmp(options->bad_version, update->assignment.version) == 0) &&
                    ox_sim_chance(sim, "fail", number, digest) < options->fail;
    update->when = (enum ox_sim_phase)(ox_sim_chance(sim, "when", number, digest) * 3);
}

static void note_begun(struct ox_sim_agent *agent)
{
    const struct ox_sim *sim = agent->sim;
    const struct ox_sim_campaign *campaign = &sim->campaigns[agent->update->campaign];
    struct ox_simulate_campaign *seen = seen_of(agent);
    uint64_t ms = (uint64_t)(sim->net.now_us - sim->begun_us) / 1000;
    unsigned last = OX_SIMULATE_STAGES_MAX - 1;
    unsigned index = campaign->stage == 0 ? 0 : campaign->stage - 1; /* of the stage */

    seen->first_ms = seen->began == 0 ? ms : seen->first_ms;
    seen->last_ms = ms;
    seen->began++;
    seen->began_by_stage[index < last ? index : last]++;
}

void ox_sim_update_begin(struct ox_sim_agent *agent, struct ox_assignment *take_assignment)
{
    struct ox_sim *sim = agent->sim;
    const struct ox_sim_running *model = ox_sim_agent_model(agent, take_assignment->model_id);
    struct ox_sim_update *update = calloc(1, sizeof(*update));
    struct ox_err err = OX_ERR_INIT;

    if (update == NULL) {
        ox_sim_stats_error(&sim->net.stats, "out of memory for an update");
        return;
    }
    update->assignment = *take_assignment;
    *take_assignment = (struct ox_assignment){0};
    update->release = ox_sim_release(sim, update->assignment.model_id, update->assignment.version,
                                     &update->assignment.digest);
    update->campaign = ox_sim_campaign(sim, update->assignment.campaign_id, update->release);
    update->begun_us = sim->net.now_us;
    agent->update = update;
    sim->updating++;
    if (update->campaign == OX_SIM_NONE ||
        plan_blobs(update, model != NULL && model->previous == update->release, &err) != OX_OK) {
        ox_sim_stats_error(&sim->net.stats, "out of memory for an update");
        ox_sim_update_free(agent);
        return;
    }
    draw_fate(agent);
    note_begun(agent);
    tell(agent, OX_ROLLOUT_DOWNLOADING);
    agent->step_us = sim->net.now_us;
}

void ox_sim_update_free(struct ox_sim_agent *agent)
{
    struct ox_sim_update *update = agent->update;

    if (update != NULL) {
        ox_sim_conn_free(agent->fetch);
        agent->fetch = NULL;
        if (update->hashing) {
            ox_sha256_clear(&update->hash);
        }
        ox_assignment_clear(&update->assignment);
        free(update->blobs);
        free(update);
        agent->update = NULL;
        agent->sim->updating--;
        agent->step_us = OX_SIM_NEVER;
    }
}

/* --- the end --- */

static void put_model(struct ox_sim_agent *agent, uint32_t release)
{
    struct ox_sim_running *model =
        ox_sim_agent_model(agent, agent->sim->releases[release].model_id);

    if (model == NULL && agent->models_count < OX_SIM_MODELS_MAX) {
        model = &agent->models[agent->models_count++];
        model->release = OX_SIM_NONE;
    }
    if (model != NULL) {
        *model = (struct ox_sim_running){release, model->release};
    }
}

static void complete(struct ox_sim_agent *agent)
{
    struct ox_sim_report report = describe(agent, OX_ROLLOUT_COMPLETE);

    if (agent->update->patch_failed) {
        report.error_code = "patch";
        report.error_message = "the patch is not there";
    }
    put_model(agent, agent->update->release);
    agent->update_failures = 0;
    agent->since_whole = 0;
    agent->models_changed = true; /* a heartbeat under way does not say it */
    ox_sim_update_free(agent);
    ox_sim_agent_report(agent, &report);
}

static void fail(struct ox_sim_agent *agent, const char *error_code, const char *message)
{
    struct ox_sim_report report = describe(agent, OX_ROLLOUT_FAILED);

    report.error_code = error_code;
    report.error_message = message;
    agent->poisoned = agent->poison == agent->update->release ? agent->poisoned + 1 : 1;
    agent->poison = agent->update->release;
    agent->update_failures++;
    agent->retry_us = ox_sim_about(agent->sim, (uint64_t)agent->poll_ms);
    ox_sim_update_free(agent);
    ox_sim_agent_report(agent, &report);
}

void ox_sim_update_withdraw(struct ox_sim_agent *agent)
{
    if (agent->update->phase != OX_SIM_CHECK) { /* from there it goes through */
        seen_of(agent)->withdrawn++;
        ox_sim_update_free(agent);
    }
}

/* --- fetching --- */

static void drop_got(struct ox_sim_update *update)
{
    update->got_bytes = 0;
    if (update->hashing) {
        ox_sha256_clear(&update->hash);
        update->hashing = false;
    }
}

static void fetched_body(void *ctx, const char *bytes, size_t len)
{
    struct ox_sim_agent *agent = ctx;
    struct ox_sim_update *update = agent->update;

    if (update->resumes && agent->fetch->http.status == 200) { /* all of it, from the beginning */
        drop_got(update);
        update->hashing =
            agent->sim->options->verify && ox_sha256_init(&update->hash, NULL) == OX_OK;
    }
    update->resumes = false;
    update->got_bytes += len;
    update->received_bytes += len;
    seen_of(agent)->bytes += len;
    agent->sim->net.stats.blob_bytes += len;
    if (update->hashing) {
        ox_sha256_update(&update->hash, bytes, len);
    }
}

/* The whole blob is there. */
static void take_blob(struct ox_sim_agent *agent)
{
    struct ox_sim_update *update = agent->update;
    const struct ox_sim_blob *blob = &update->blobs[update->blob];
    struct ox_digest digest;
    bool right = update->got_bytes == blob->size_bytes;

    if (update->hashing) {
        ox_sha256_final(&update->hash, &digest);
        update->hashing = false;
        right = right && ox_digest_equal(&digest, &blob->sha256);
    }
    if (!right) {
        ox_sim_stats_error(&agent->sim->net.stats, "a blob has other bytes than its digest");
        fail(agent, "verify", "the bytes are not those of the digest");
        return;
    }
    update->blob++;
    update->got_bytes = 0;
    update->failures = 0;
    update->url = 0;
    agent->step_us = agent->sim->net.now_us;
}

/* By another address, another way, or later. */
static void fetch_again(struct ox_sim_agent *agent, bool absent)
{
    struct ox_sim_update *update = agent->update;
    uint64_t wait_ms = (uint64_t)1000 << (update->failures < 6 ? update->failures : 6);

    agent->step_us = agent->sim->net.now_us;
    if (update->url < update->assignment.blob_urls_count) {
        update->url++;
        ox_sim_conn_free(agent->fetch);
        agent->fetch = NULL;
    } else if (absent && update->assignment.patch.present && !update->patch_failed) {
        drop_got(update);
        update->patch_failed = true;
        update->url = 0;
        if (plan_blobs(update, false, NULL) != OX_OK) {
            fail(agent, "download", "out of memory");
        }
    } else if (absent) {
        fail(agent, "download", "a blob is not there");
    } else {
        update->failures++;
        agent->step_us = ox_sim_about(agent->sim, wait_ms);
    }
}

static void fetch_ended(void *ctx, struct ox_sim_conn *conn, enum ox_code code, const char *problem)
{
    struct ox_sim_agent *agent = ctx;
    struct ox_sim_update *update = agent->update;
    unsigned status = conn->http.status;

    (void)problem; /* counted already */
    if (code != OX_OK) {
        fetch_again(agent, false);
    } else if (status == 200 || status == 206) {
        take_blob(agent);
    } else {
        if (status == 416) { /* what we have is not what is there */
            drop_got(update);
        }
        fetch_again(agent, status == 404);
    }
    ox_sim_schedule(agent);
}

/* Where to fetch from now; *path is fresh. */
static enum ox_code fetch_address(const struct ox_sim_agent *agent,
                                  const struct ox_sim_authority **out, char **path,
                                  struct ox_err *err)
{
    struct ox_sim *sim = agent->sim;
    const struct ox_sim_update *update = agent->update;
    char hex[OX_DIGEST_HEX_MAX];
    const char *before = NULL;
    enum ox_code code = OX_OK;

    (void)ox_digest_hex(&update->blobs[update->blob].sha256, hex);
    if (update->url == update->assignment.blob_urls_count) {
        *out = sim->server;
        return ox_strf(path, err, "%s/api/v1/blobs/%s", sim->base_path, hex);
    }
    code =
        ox_sim_authority(&sim->net, update->assignment.blob_urls[update->url], out, &before, err);
    return code == OX_OK ? ox_strf(path, err, "%s/%s", before, hex) : code;
}

static void fetch_is_held_up(void *ctx)
{
    ox_sim_schedule(ctx);
}

static void fetch(struct ox_sim_agent *agent)
{
    const struct ox_sim_user user = {agent, fetched_body, fetch_ended, fetch_is_held_up};
    struct ox_sim *sim = agent->sim;
    struct ox_sim_update *update = agent->update;
    const struct ox_sim_authority *to = NULL;
    struct ox_err err = OX_ERR_INIT;
    char id[OX_SIM_ID_MAX];
    char headers[OX_SIM_ID_MAX + 96];
    char range[64] = "";
    char *path = NULL;
    char *line = NULL;

    agent->step_us = OX_SIM_NEVER;
    if (fetch_address(agent, &to, &path, &err) != OX_OK ||
        ox_strf(&line, &err, "GET %s", path) != OX_OK ||
        (sim->options->verify && !update->hashing &&
         ox_sha256_init(&update->hash, &err) != OX_OK)) {
        ox_sim_stats_error(&sim->net.stats, err.msg);
        fetch_again(agent, false);
        goto out;
    }
    update->hashing = sim->options->verify;
    if (agent->fetch != NULL && agent->fetch->to != to) {
        ox_sim_conn_free(agent->fetch);
        agent->fetch = NULL;
    }
    if (agent->fetch == NULL &&
        (agent->fetch = ox_sim_conn_new(&sim->net, to, agent->number)) == NULL) {
        fetch_again(agent, false);
        goto out;
    }
    agent->fetch->rate_bps = sim->options->rate_bps;
    update->resumes = update->got_bytes > 0;
    if (update->resumes) {
        (void)snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-\r\n", update->got_bytes);
    } else if (strcmp(update->strategy, "full") == 0) {
        seen_of(agent)->full++;
    }
    (void)snprintf(headers, sizeof(headers), OX_HEADER_DEVICE ": %s\r\n%s",
                   ox_sim_device_id(sim, agent->number, id), range);
    ox_sim_conn_call(agent->fetch, OX_SIMULATE_BLOB, &user, line, headers, NULL);
out:
    free(path);
    free(line);
}

/* --- step by step --- */

static bool is_doomed(const struct ox_sim_update *update)
{
    return (update->goes_silent || update->restarts) && update->phase >= update->when;
}

static void enter(struct ox_sim_agent *agent, enum ox_sim_phase phase, uint64_t ms)
{
    agent->update->phase = phase;
    agent->step_us = ox_sim_about(agent->sim, ms);
    tell(agent, phase == OX_SIM_APPLY ? OX_ROLLOUT_APPLYING : OX_ROLLOUT_VERIFYING);
}

void ox_sim_update_told(struct ox_sim_agent *agent)
{
    struct ox_sim_update *update = agent->update;
    uint64_t down_ms = DOWN_MIN_MS + ox_rng_below(&agent->sim->rng, DOWN_MAX_MS - DOWN_MIN_MS);
    const struct ox_simulate_options *options = agent->sim->options;

    if (!is_doomed(update)) {
        return;
    }
    if (update->goes_silent) {
        seen_of(agent)->silent++;
        ox_sim_agent_die(agent, options->silent_ms == 0 ? OX_SIM_NEVER
                                                        : (int64_t)options->silent_ms * 1000);
    } else {
        ox_sim_agent_die(agent, (int64_t)down_ms * 1000);
    }
    update->goes_silent = update->restarts = false; /* once */
}

void ox_sim_update_step(struct ox_sim_agent *agent)
{
    const struct ox_simulate_options *options = agent->sim->options;
    struct ox_sim_update *update = agent->update;

    switch (update->phase) {
    case OX_SIM_FETCH:
        if (update->blob < update->blobs_count) {
            fetch(agent);
        } else if (is_doomed(update)) {
            agent->step_us = OX_SIM_NEVER;
        } else {
            ox_sim_conn_free(agent->fetch);
            agent->fetch = NULL;
            enter(agent, OX_SIM_APPLY, options->apply_ms);
        }
        break;
    case OX_SIM_APPLY:
        if (is_doomed(update)) {
            agent->step_us = OX_SIM_NEVER;
        } else {
            enter(agent, OX_SIM_CHECK, options->check_ms);
        }
        break;
    case OX_SIM_CHECK:
        if (is_doomed(update)) {
            agent->step_us = OX_SIM_NEVER;
        } else if (update->fails) {
            fail(agent, "health", "the simulated health check says no");
        } else {
            complete(agent);
        }
        break;
    }
}

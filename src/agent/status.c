#include "status.h"

#include "core.h"
#include "oxide/base/clock.h"
#include "oxide/base/notify.h"
#include "policy.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RATE_EVERY_MS 2000 /* what "of late" means */
#define TELL_EVERY_MS 1000 /* progress alone is not told more often */

static int64_t now_mono_ms(void)
{
    return ox_clock_system()->mono_ms(NULL);
}

void ox_status_open(struct ox_status *status)
{
    (void)pthread_mutex_init(&status->lock, NULL);
    status->begun_mono_ms = now_mono_ms();
}

void ox_status_close(struct ox_status *status)
{
    (void)pthread_mutex_destroy(&status->lock);
}

/* --- as it goes --- */

static unsigned percent(const struct ox_status *status)
{
    return status->total_bytes == 0
               ? 0
               : (unsigned)((double)status->done_bytes / (double)status->total_bytes * 100.0);
}

/* The line that `systemctl status` shows. With the lock. */
static void tell(struct ox_status *status)
{
    status->told_mono_ms = now_mono_ms();
    if (!status->updating) {
        ox_notify("STATUS=%s%.200s",
                  status->problem[0] == '\0' ? "Waiting for work" : "Alone: ", status->problem);
    } else if (status->total_bytes == 0) {
        ox_notify("STATUS=%s@%s: %s", status->model_id, status->version, status->stage);
    } else {
        ox_notify("STATUS=%s@%s: %s, %u %%, %.1f kB/s", status->model_id, status->version,
                  status->stage, percent(status), (double)status->rate_bps / 1000.0);
    }
}

void ox_status_stage(struct ox_status *status, const struct ox_assignment *assignment,
                     const char *stage, int64_t patience_ms)
{
    (void)pthread_mutex_lock(&status->lock);
    (void)snprintf(status->model_id, sizeof(status->model_id), "%s", assignment->model_id);
    (void)snprintf(status->version, sizeof(status->version), "%s", assignment->version);
    status->updating = true;
    status->stage = stage;
    status->stage_mono_ms = now_mono_ms();
    status->done_bytes = status->total_bytes = status->rate_bps = status->measured_bytes = 0;
    status->measured_mono_ms = status->stage_mono_ms;
    status->patient_until_mono_ms = status->stage_mono_ms + patience_ms;
    status->moves++;
    tell(status);
    (void)pthread_mutex_unlock(&status->lock);
}

void ox_status_wait(struct ox_status *status, int64_t patience_ms)
{
    (void)pthread_mutex_lock(&status->lock);
    status->patient_until_mono_ms = now_mono_ms() + patience_ms;
    (void)pthread_mutex_unlock(&status->lock);
}

void ox_status_progress(struct ox_status *status, uint64_t done_bytes, uint64_t total_bytes)
{
    int64_t now = now_mono_ms();
    int64_t took_ms;

    (void)pthread_mutex_lock(&status->lock);
    if (total_bytes != status->total_bytes || done_bytes < status->done_bytes) { /* a new file */
        status->measured_bytes = done_bytes;
        status->measured_mono_ms = now;
    }
    took_ms = now - status->measured_mono_ms;
    status->moves += done_bytes != status->done_bytes;
    status->done_bytes = done_bytes;
    status->total_bytes = total_bytes;
    if (took_ms >= RATE_EVERY_MS) {
        status->rate_bps = (done_bytes - status->measured_bytes) * 1000 / (uint64_t)took_ms;
        status->measured_bytes = done_bytes;
        status->measured_mono_ms = now;
    }
    if (now - status->told_mono_ms >= TELL_EVERY_MS) {
        tell(status);
    }
    (void)pthread_mutex_unlock(&status->lock);
}

void ox_status_idle(struct ox_status *status)
{
    (void)pthread_mutex_lock(&status->lock);
    status->updating = false;
    status->moves++;
    tell(status);
    (void)pthread_mutex_unlock(&status->lock);
}

void ox_status_beat(struct ox_status *status, const char *problem, int64_t wait_ms)
{
    bool changed;

    (void)pthread_mutex_lock(&status->lock);
    changed = strcmp(status->problem, problem == NULL ? "" : problem) != 0;
    (void)snprintf(status->problem, sizeof(status->problem), "%s", problem == NULL ? "" : problem);
    status->next_mono_ms = now_mono_ms() + wait_ms;
    if (problem == NULL) {
        changed = changed || status->answered_wall_ms == 0;
        status->answered_wall_ms = ox_clock_system()->wall_ms(NULL);
    }
    if (changed && !status->updating) {
        tell(status);
    }
    (void)pthread_mutex_unlock(&status->lock);
}

void ox_status_feed(struct ox_status *status)
{
    (void)pthread_mutex_lock(&status->lock);
    if (!status->updating || status->moves != status->fed_moves ||
        now_mono_ms() < status->patient_until_mono_ms) {
        status->fed_moves = status->moves;
        ox_notify("WATCHDOG=1");
    }
    (void)pthread_mutex_unlock(&status->lock);
}

/* --- for who asks --- */

static json_t *json_of_time(int64_t wall_ms)
{
    char text[OX_TIME_TEXT_MAX];

    return wall_ms == 0 ? json_null() : json_string(ox_time_text(wall_ms, text));
}

static json_t *json_of_update(const struct ox_status *status)
{
    int64_t took_ms = now_mono_ms() - status->stage_mono_ms;

    if (!status->updating) {
        return json_null();
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I}", "model_id", status->model_id,
                     "version", status->version, "stage", status->stage, "percent",
                     status->total_bytes == 0 ? json_null() : json_integer(percent(status)),
                     "done_bytes", (json_int_t)status->done_bytes, "total_bytes",
                     (json_int_t)status->total_bytes, "rate_bps", (json_int_t)status->rate_bps,
                     "stage_ms", (json_int_t)took_ms);
}

/* The part that moves, by itself: its lock is never held with the agent's. */
static json_t *json_of_moment(struct ox_status *status)
{
    int64_t now = now_mono_ms();
    int64_t left_ms;
    json_t *json;

    (void)pthread_mutex_lock(&status->lock);
    left_ms = status->next_mono_ms > now ? status->next_mono_ms - now : 0;
    json =
        json_pack("{s:b, s:I, s:I, s:s?, s:o, s:f, s:o}", "running", 1, "pid", (json_int_t)getpid(),
                  "uptime_s", (json_int_t)((now - status->begun_mono_ms) / 1000), "problem",
                  status->problem[0] == '\0' ? NULL : status->problem, "last_answer_at",
                  json_of_time(status->answered_wall_ms), "next_poll_s", (double)left_ms / 1000,
                  "update", json_of_update(status));
    (void)pthread_mutex_unlock(&status->lock);
    return json;
}

static json_t *json_of_installed(const struct ox_installed *installed)
{
    char hex[OX_DIGEST_HEX_MAX];

    return json_pack("{s:s, s:s, s:I, s:I}", "version", installed->version, "digest",
                     ox_digest_hex(&installed->digest, hex), "size_bytes",
                     (json_int_t)ox_manifest_size(&installed->files), "files",
                     (json_int_t)installed->files.count);
}

static enum ox_code add_models(const struct ox_agent_state *state, json_t *out, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < state->models_count; i++) {
        const struct ox_model_state *model = &state->models[i];
        json_t *kept = json_array();
        json_t *json = json_of_installed(&model->current);

        for (size_t k = 0; code == OX_OK && k < model->kept_count; k++) {
            code = ox_json_append(kept, json_of_installed(&model->kept[k]), err);
        }
        if (code == OX_OK && (code = ox_json_set(json, "kept", json_incref(kept), err)) == OX_OK) {
            code = ox_json_set_str(json, "model_id", model->model_id, err);
        }
        if (code == OX_OK) {
            code = ox_json_append(out, json_incref(json), err);
        }
        json_decref(json);
        json_decref(kept);
    }
    return code;
}

static enum ox_code add_quarantine(const struct ox_agent_state *state, json_t *out,
                                   struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < state->poison_count; i++) {
        const struct ox_poison *poison = &state->poison[i];
        char hex[OX_DIGEST_HEX_MAX];

        code = ox_json_append(out,
                              json_pack("{s:s, s:s, s:s, s:I, s:b}", "model_id", poison->model_id,
                                        "version", poison->version, "digest",
                                        ox_digest_hex(&poison->digest, hex), "failures",
                                        (json_int_t)poison->failures, "quarantined",
                                        poison->failures >= OX_POISON_LIMIT),
                              err);
    }
    return code;
}

/* What was asked by hand last; null if nothing was. With the agent's lock. */
static json_t *json_of_hand(const struct ox_hand *hand)
{
    static const char *const words[] = {[OX_HAND_NONE] = "none",
                                        [OX_HAND_WAITING] = "waiting",
                                        [OX_HAND_RUNNING] = "running",
                                        [OX_HAND_DONE] = "done"};
    bool failed = hand->phase == OX_HAND_DONE && hand->code != OX_OK;

    if (hand->phase == OX_HAND_NONE) {
        return json_null();
    }
    return json_pack(
        "{s:I, s:s, s:o}", "number", (json_int_t)hand->number, "state", words[hand->phase], "error",
        failed ? json_pack("{s:s, s:s}", "code", ox_code_word(hand->code), "message", hand->error)
               : json_null());
}

/* With the agent's lock. */
static enum ox_code add_state(const struct ox_agent_state *state, json_t *json, struct ox_err *err)
{
    json_t *models = json_array();
    json_t *quarantine = json_array();
    json_t *result =
        !state->has_result ? json_null()
        : state->result_error == NULL
            ? json_pack("{s:s, s:n}", "result", "complete", "error")
            : json_pack("{s:s, s:s}", "result", "failed", "error", state->result_error);
    enum ox_code code = ox_json_set(json, "last_result", result, err);

    if (code == OX_OK && (code = add_models(state, models, err)) == OX_OK) {
        code = ox_json_set(json, "models", json_incref(models), err);
    }
    if (code == OX_OK && (code = add_quarantine(state, quarantine, err)) == OX_OK) {
        code = ox_json_set(json, "failures", json_incref(quarantine), err);
    }
    json_decref(models);
    json_decref(quarantine);
    return code == OX_OK ? ox_json_set_u64(json, "reports_queued", state->reports_count, err)
                         : code;
}

enum ox_code ox_status_json(struct ox_agent *agent, json_t **out, struct ox_err *err)
{
    const struct ox_agent_options *options = agent->options;
    json_t *json = json_of_moment(&agent->status);
    enum ox_code code;

    if (json == NULL) {
        return ox_err_nomem(err, "the agent's status");
    }
    (void)pthread_mutex_lock(&agent->lock);
    if ((code = ox_json_set_str(json, "device_id", agent->identity.device_id, err)) == OX_OK &&
        (code = ox_json_set_str(json, "agent", options->agent, err)) == OX_OK &&
        (code = ox_json_set_str(json, "control_plane", options->control_plane, err)) == OX_OK &&
        (code = ox_json_set_str(json, "model_dir", agent->folders.root, err)) == OX_OK) {
        code = add_state(&agent->state, json, err);
    }
    if (code == OX_OK) {
        code = ox_json_set(json, "by_hand", json_of_hand(&agent->hand), err);
    }
    (void)pthread_mutex_unlock(&agent->lock);
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

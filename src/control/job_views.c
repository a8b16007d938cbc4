/* Delta jobs as people see and steer them. */
#include "inner.h"

#include "oxide/control/job.h"

#include <string.h>

/* Which version a digest is of; of none, if nobody published such bytes. */
static enum ox_code version_of(struct ox_tx *tx, const struct ox_digest *digest,
                               struct ox_artifact_row *out, struct ox_err *err)
{
    enum ox_code code = ox_registry_artifact_known(tx, digest, out, err);

    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        *out = (struct ox_artifact_row){.variant = ""};
        code = OX_OK;
    }
    return code;
}

enum ox_code ox_job_json(struct ox_control *control, struct ox_tx *tx, const struct ox_job_row *job,
                         json_t **out, struct ox_err *err)
{
    bool ready = strcmp(job->state, "ready") == 0;
    bool made = ready || strcmp(job->state, "evicted") == 0;
    int percent = ox_running_percent(&control->running, job->id);
    struct ox_artifact_row base;
    struct ox_artifact_row target;
    enum ox_code code = version_of(tx, &job->base, &base, err);

    if (code == OX_OK) {
        code = version_of(tx, &job->target, &target, err);
    }
    if (code != OX_OK) {
        return code;
    }
    *out = json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o}",
        "id", (json_int_t)job->id, "model_id", ox_json_of_str(target.model_id), "base_version",
        ox_json_of_str(base.version), "target_version", ox_json_of_str(target.version), "variant",
        ox_json_of_str(target.variant[0] == '\0' ? NULL : target.variant), "base",
        ox_json_of_digest(&job->base), "target", ox_json_of_digest(&job->target), "format",
        job->format, "state", job->state, "progress",
        percent < 0 ? json_null() : json_integer(percent), "waiting", (json_int_t)job->waiting,
        "reason", ox_json_of_str(job->reason), "patch",
        ready ? ox_json_of_digest(&job->patch) : json_null(), "patch_bytes",
        made ? json_integer((json_int_t)job->patch_bytes) : json_null(), "strategy",
        made ? ox_json_of_str(job->strategy) : json_null(), "queued_at",
        ox_json_of_time(job->queued_ms), "ended_at", ox_json_of_time(job->ended_ms), "used_at",
        ox_json_of_time(job->used_ms));
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

static enum ox_code get(struct ox_tx *tx, int64_t id, struct ox_job_row *out, struct ox_err *err)
{
    enum ox_code code = ox_registry_job_by_id(tx, id, out, err);

    return code == OX_ENOTFOUND ? ox_err_set(err, code, "there is no delta job %lld", (long long)id)
                                : code;
}

enum ox_code ox_control_job(struct ox_control *control, int64_t id, json_t **out,
                            struct ox_err *err)
{
    struct ox_job_row job;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = get(&tx, id, &job, err)) == OX_OK) {
        code = ox_job_json(control, &tx, &job, out, err);
    }
    ox_registry_end(&tx);
    return code;
}

/* From which states an operator may do what, and what comes of it. */
static const struct {
    const char *verb;
    const char *to;
    const char *event;
    const char *from[5];
} actions[] = {
    [OX_JOB_RETRY] = {"retried",
                      "queued",
                      "delta.retried",
                      {"failed", "useless", "canceled", "evicted"}},
    [OX_JOB_CANCEL] = {"canceled", "canceled", "delta.canceled", {"queued", "running", "failed"}},
};

static bool may(enum ox_job_action action, const char *state)
{
    for (size_t i = 0; actions[action].from[i] != NULL; i++) {
        if (strcmp(actions[action].from[i], state) == 0) {
            return true;
        }
    }
    return false;
}

enum ox_code ox_job_event(struct ox_control *control, struct ox_tx *tx, const char *kind,
                          const struct ox_job_row *job, struct ox_err *err)
{
    struct ox_artifact_row target;
    enum ox_code code = version_of(tx, &job->target, &target, err);

    return code == OX_OK
               ? ox_event(control, tx, kind,
                          json_pack("{s:s*, s:s*, s:o, s:o, s:s}", "model_id", target.model_id,
                                    "version", target.version, "base",
                                    ox_json_of_digest(&job->base), "target",
                                    ox_json_of_digest(&job->target), "format", job->format),
                          err)
               : code;
}

enum ox_code ox_control_job_act(struct ox_control *control, int64_t id, enum ox_job_action action,
                                json_t **out, struct ox_err *err)
{
    struct ox_job_row job;
    struct ox_tx tx = OX_TX_INIT;
    json_t *json = NULL;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) != OX_OK ||
        (code = get(&tx, id, &job, err)) != OX_OK) {
        goto out;
    }
    if (!may(action, job.state)) {
        code = ox_err_set(err, OX_ECONFLICT, "delta job %lld is %s: it cannot be %s", (long long)id,
                          job.state, actions[action].verb);
        goto out;
    }
    if ((code =
             ox_registry_job_set_state(&tx, id, actions[action].to,
                                       action == OX_JOB_CANCEL ? "canceled by an operator" : NULL,
                                       ox_control_now(control), err)) == OX_OK &&
        (code = ox_job_event(control, &tx, actions[action].event, &job, err)) == OX_OK &&
        (code = get(&tx, id, &job, err)) == OX_OK &&
        (code = ox_job_json(control, &tx, &job, &json, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    if (code == OX_OK) {
        if (action == OX_JOB_CANCEL) { /* before the lock goes: the worker writes no end then */
            ox_running_cancel(&control->running, id);
        }
        *out = json;
        json = NULL;
    }
out:
    ox_registry_end(&tx);
    json_decref(json);
    if (code == OX_OK) {
        ox_jobs_wake(control);
    }
    return code;
}

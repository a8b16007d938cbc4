#include "inner.h"
#include "running.h"
#include "stored_side.h"

#include "oxide/delta/delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- queueing --- */

void ox_jobs_wake(struct ox_control *control)
{
    (void)pthread_mutex_lock(&control->wake_lock);
    control->wakes++;
    (void)pthread_cond_broadcast(&control->wake);
    (void)pthread_mutex_unlock(&control->wake_lock);
}

static enum ox_code is_small_single(struct ox_tx *tx, const struct ox_digest *digest, bool *out,
                                    struct ox_err *err)
{
    struct ox_artifact_row artifact;
    struct ox_manifest files = OX_MANIFEST_INIT;
    enum ox_code code = ox_registry_artifact_by_digest(tx, digest, &artifact, err);

    if (code == OX_OK) {
        code = ox_registry_artifact_files(tx, artifact.id, &files, err);
    }
    if (code == OX_OK) {
        *out = files.count == 1 && artifact.size_bytes <= OX_OXDL1_SIZE_MAX;
    }
    ox_manifest_clear(&files);
    return code;
}

enum ox_code ox_job_possible(struct ox_tx *tx, const struct ox_digest *base,
                             const struct ox_digest *target, const char *format, bool *possible,
                             struct ox_err *err)
{
    bool base_fits = false;
    bool target_fits = false;
    enum ox_code code;

    if (strcmp(format, "oxdl/1") != 0) {
        *possible = true;
        return OX_OK;
    }
    code = is_small_single(tx, base, &base_fits, err);
    if (code == OX_OK) {
        code = is_small_single(tx, target, &target_fits, err);
    }
    if (code == OX_OK) {
        *possible = base_fits && target_fits;
    }
    return code;
}

/* Nobody is refused: who is dropped asks again at its next heartbeat, and is queued when there is
 * room. */
enum ox_code ox_job_queue(struct ox_control *control, struct ox_tx *tx,
                          const struct ox_wanted *wanted, uint64_t waiting, struct ox_err *err)
{
    enum ox_code code = ox_registry_job_queue(tx, &wanted->base, &wanted->target, wanted->format,
                                              waiting, ox_control_now(control), err);

    return code == OX_OK ? ox_registry_jobs_trim(tx, control->jobs_max, err) : code;
}

static enum ox_code queue_if_possible(struct ox_control *control, struct ox_tx *tx,
                                      const struct ox_wanted *wanted, uint64_t waiting,
                                      struct ox_err *err)
{
    bool possible = false;
    enum ox_code code =
        ox_job_possible(tx, &wanted->base, &wanted->target, wanted->format, &possible, err);

    if (code == OX_OK && possible) {
        code = ox_job_queue(control, tx, wanted, waiting, err);
    }
    return code;
}

/* The format for a pair, or NULL where no patch can be made for it. */
static enum ox_code format_of(struct ox_tx *tx, const struct ox_base_row *base, const char **out,
                              struct ox_err *err)
{
    uint64_t ops = 0;
    const char *format = ox_assign_format(base->protocol, base->reads, &ops);
    bool possible = false;
    enum ox_code code = OX_OK;

    if (format != NULL) {
        code = ox_job_possible(tx, &base->base, &base->target, format, &possible, err);
    }
    *out = possible ? format : NULL;
    return code;
}

static enum ox_code queue_bases(struct ox_control *control, struct ox_tx *tx,
                                const struct ox_base_row *bases, size_t count, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const char *format = NULL;

        code = format_of(tx, &bases[i], &format, err);
        if (code == OX_OK && format != NULL) {
            const struct ox_wanted wanted = {bases[i].base, bases[i].target, format};

            code = ox_job_queue(control, tx, &wanted, bases[i].devices, err);
        }
    }
    return code;
}

enum ox_code ox_jobs_for_campaign(struct ox_control *control, struct ox_tx *tx,
                                  const struct ox_campaign_row *campaign, struct ox_err *err)
{
    struct ox_base_row *bases = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_bases_of_campaign(tx, campaign->id, &bases, &count, err);

    return code == OX_OK ? queue_bases(control, tx, bases, count, err) : code;
}

enum ox_code ox_jobs_for_version(struct ox_control *control, struct ox_tx *tx,
                                 const struct ox_artifact_row *target, struct ox_err *err)
{
    struct ox_base_row *bases = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_bases_of_model(tx, target, &bases, &count, err);

    return code == OX_OK ? queue_bases(control, tx, bases, count, err) : code;
}

enum ox_code ox_jobs_outstanding(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                 struct ox_jobs_left *out, struct ox_err *err)
{
    struct ox_base_row *bases = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_bases_of_campaign(tx, campaign->id, &bases, &count, err);

    *out = (struct ox_jobs_left){.to_make = 0};
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const char *format = NULL;
        struct ox_job_row job;

        code = format_of(tx, &bases[i], &format, err);
        if (code != OX_OK || format == NULL) {
            continue;
        }
        code = ox_registry_job_get(tx, &bases[i].base, &bases[i].target, format, &job, err);
        if (code == OX_OK) {
            bool failed = strcmp(job.state, "failed") == 0;

            out->to_make += strcmp(job.state, "queued") == 0 || strcmp(job.state, "running") == 0;
            out->failed += failed;
            out->failed_devices += failed ? bases[i].devices : 0;
            if (failed) {
                (void)snprintf(out->why, sizeof(out->why), "%s",
                               job.reason == NULL ? "it says not why" : job.reason);
            }
        } else if (code == OX_ENOTFOUND) { /* the device will ask for it */
            ox_err_clear(err);
            code = OX_OK;
        }
    }
    return code;
}

enum ox_code ox_jobs_queue_wanted(struct ox_control *control, const struct ox_wanted *wanted,
                                  size_t count, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if (count == 0) {
        return OX_OK;
    }
    code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = queue_if_possible(control, &tx, &wanted[i], 1, err);
    }
    if (code == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK) {
        ox_jobs_wake(control);
    }
    return code;
}

/* --- making --- */

/* A patch that has grown as large as what it rebuilds is given up at once. */
struct bounded {
    struct ox_store_writer *writer;
    uint64_t max_bytes;
    bool over;
};

static enum ox_code bounded_write(void *ctx, const void *bytes, size_t len_bytes,
                                  struct ox_err *err)
{
    struct bounded *bounded = ctx;

    if (ox_store_written(bounded->writer) + len_bytes >= bounded->max_bytes) {
        bounded->over = true;
        return ox_err_set(err, OX_ETOOBIG, "the patch is not smaller than the full file");
    }
    return ox_store_write(bounded->writer, bytes, len_bytes, err);
}

static enum ox_code create_patch(struct ox_control *control, const struct ox_stored_side *base,
                                 const struct ox_stored_side *target, struct bounded *bounded,
                                 struct ox_running *running, struct ox_job_row *job,
                                 struct ox_err *err)
{
    struct ox_delta_options options = {.effort = control->delta_effort,
                                       .threads = control->delta_threads,
                                       .stop = &running->stop,
                                       .progress = &running->making};
    struct ox_output output = {bounded, bounded_write};
    struct ox_delta_stats stats = {{0}, {0}, 0, 0, OX_ENGINE_BINARY};
    enum ox_code code;

    if (strcmp(job->format, "oxdl/1") == 0) {
        code = ox_delta_create_v1(&base->side, &target->side, &output, err);
    } else {
        code = ox_delta_create(&base->side, &target->side, &options, &output, &stats, err);
    }
    if (code == OX_OK) {
        ox_progress_update(&running->making, 1, 1);
        job->strategy = stats.engine == OX_ENGINE_TENSOR ? "tensor" : "binary";
    }
    return code;
}

/* Rebuild the target from the real base and the stored patch, and compare every byte. */
static enum ox_code prove_patch(struct ox_control *control, const struct ox_stored_side *base,
                                const struct ox_stored_side *target, struct ox_running *running,
                                struct ox_job_row *job, struct ox_err *err)
{
    struct ox_oxdl_header header = {0};
    struct ox_blob blob = OX_BLOB_INIT;
    struct ox_concat flat = {NULL, 0, NULL};
    struct ox_source check;
    struct ox_source patch;
    enum ox_code code = ox_store_read(control->store, &job->patch, &blob, err);

    if (code != OX_OK) {
        return code;
    }
    patch = ox_blob_source(&blob);
    code = ox_concat_init(&flat, target->sources, target->manifest.count, err);
    if (code == OX_OK) {
        struct ox_apply_spec spec = {&base->side, NULL, NULL, &running->stop, &running->proving};

        check = ox_concat_source(&flat);
        spec.check = &check;
        code = ox_apply_source(&spec, &patch, err);
    }
    if (code == OX_OK && (code = ox_oxdl_read_header(&patch, &header, err)) == OX_OK) {
        job->ops = header.ops;
        ox_oxdl_header_clear(&header);
    }
    ox_concat_clear(&flat);
    ox_blob_close(&blob);
    return code;
}

/* Make, store and prove; job says how it ended unless the code is OX_ECANCELED. */
static enum ox_code make_patch(struct ox_control *control, struct ox_running *running,
                               struct ox_job_row *job, struct ox_err *err)
{
    struct ox_stored_side base = {.blobs = NULL};
    struct ox_stored_side target = {.blobs = NULL};
    struct bounded bounded = {NULL, 0, false};
    enum ox_code code;

    if ((code = ox_stored_side_open(control, &job->base, &base, err)) != OX_OK ||
        (code = ox_stored_side_open(control, &job->target, &target, err)) != OX_OK ||
        (code = ox_store_begin(control->store, &bounded.writer, err)) != OX_OK) {
        goto out;
    }
    bounded.max_bytes = target.size_bytes;
    code = create_patch(control, &base, &target, &bounded, running, job, err);
    if (code == OX_OK) {
        struct ox_store_writer *writer = bounded.writer;

        bounded.writer = NULL;
        code = ox_store_commit(writer, NULL, &job->patch, &job->patch_bytes, err);
    }
    if (code == OX_OK &&
        (code = prove_patch(control, &base, &target, running, job, err)) != OX_OK &&
        ox_store_remove(control->store, &job->patch, NULL) != OX_OK) {
        ox_log(control->log, OX_LOG_WARN, "a patch that failed its proof is left in the store");
    }
    if (code == OX_OK) { /* the proof may have taken longer than what is new is kept */
        code = ox_store_touch(control->store, &job->patch, err);
    }
out:
    ox_store_abort(bounded.writer);
    ox_stored_side_close(&target);
    ox_stored_side_close(&base);
    job->state = code == OX_OK ? "ready" : bounded.over ? "useless" : "failed";
    if (code != OX_OK) {
        job->patch_bytes = 0;
        job->reason = err->msg;
    }
    return bounded.over ? OX_OK : code;
}

/* What became of a job; the first version with these bytes names it for people. */
static enum ox_code job_event(struct ox_control *control, struct ox_tx *tx,
                              const struct ox_job_row *job, struct ox_err *err)
{
    static const char *const kinds[][2] = {
        {"ready", "delta.made"}, {"useless", "delta.useless"}, {"failed", "delta.failed"}};
    struct ox_artifact_row artifact = {.model_id = NULL};
    const char *kind = NULL;
    enum ox_code code;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        kind = strcmp(job->state, kinds[i][0]) == 0 ? kinds[i][1] : kind;
    }
    if (kind == NULL) { /* it goes on after the next start */
        return OX_OK;
    }
    code = ox_registry_artifact_by_digest(tx, &job->target, &artifact, err);
    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        code = OX_OK;
    }
    return code == OX_OK
               ? ox_event(
                     control, tx, kind,
                     json_pack("{s:s*, s:s*, s:o, s:o, s:s, s:o*, s:o*, s:s*, s:o*}", "model_id",
                               artifact.model_id, "version", artifact.version, "base",
                               ox_json_of_digest(&job->base), "target",
                               ox_json_of_digest(&job->target), "format", job->format, "patch",
                               job->patch_bytes > 0 ? ox_json_of_digest(&job->patch) : NULL,
                               "patch_bytes",
                               job->patch_bytes > 0 ? json_integer((json_int_t)job->patch_bytes)
                                                    : NULL,
                               "strategy", job->strategy, "reason", ox_json_of_opt(job->reason)),
                     err)
               : code;
}

/* Campaigns that were waiting for it go on. */
static enum ox_code wake_campaigns(struct ox_control *control, struct ox_tx *tx, struct ox_err *err)
{
    struct ox_campaign_row *rows = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_campaigns(tx, true, &rows, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        if (rows[i].prepared_ms == 0) {
            code = ox_campaign_advance(control, tx, rows[i].id, false, err);
        }
    }
    return code;
}

static enum ox_code end_job(struct ox_control *control, const struct ox_job_row *job,
                            struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK &&
        (code = ox_registry_job_update(&tx, job, ox_control_now(control), err)) == OX_OK &&
        (code = job_event(control, &tx, job, err)) == OX_OK &&
        (code = wake_campaigns(control, &tx, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    return code;
}

static void log_job(struct ox_control *control, const struct ox_job_row *job)
{
    char base[OX_DIGEST_HEX_MAX];
    char target[OX_DIGEST_HEX_MAX];

    ox_log(control->log, strcmp(job->state, "failed") == 0 ? OX_LOG_WARN : OX_LOG_INFO,
           "delta %s %.12s to %.12s: %s%s%s, %llu bytes", job->format,
           ox_digest_hex(&job->base, base), ox_digest_hex(&job->target, target), job->state,
           job->reason == NULL ? "" : ": ", job->reason == NULL ? "" : job->reason,
           (unsigned long long)job->patch_bytes);
}

/* Run a job that is marked as running, and write how it ended, unless it was canceled. */
static enum ox_code run_job(struct ox_control *control, struct ox_job_row *job, struct ox_err *err)
{
    struct ox_err problem = OX_ERR_INIT;
    struct ox_running running;
    uint64_t begun_ns = ox_clock_now_ns();
    enum ox_code code = ox_running_begin(&control->running, &running, job->id, err);

    if (code != OX_OK) {
        job->state = "queued"; /* and tried again */
        return end_job(control, job, NULL) == OX_OK ? code : OX_EINTERNAL;
    }
    code = make_patch(control, &running, job, &problem);
    if (code == OX_ECANCELED) {
        job->state = "queued";
        job->reason = NULL;
    }
    if (ox_running_end(&control->running, &running)) {
        job->state = "canceled";
        job->reason = NULL;
        ox_count_job(control, job->state, ox_clock_now_ns() - begun_ns);
        log_job(control, job);
        return OX_OK;
    }
    log_job(control, job);
    code = end_job(control, job, err);
    job->reason = NULL; /* it may be what `problem` says */
    ox_count_job(control, job->state, ox_clock_now_ns() - begun_ns);
    ox_chains_changed(control);
    return code;
}

enum ox_code ox_control_make_delta(struct ox_control *control, bool *made, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    struct ox_job_row job = {0};
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    *made = false;
    if (code == OX_OK && (code = ox_registry_job_take(&tx, &job, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    job.format = job.format != NULL && strcmp(job.format, "oxdl/1") == 0 ? "oxdl/1" : "oxdl/2";
    job.reason = NULL;
    job.strategy = NULL;
    ox_registry_end(&tx); /* rows end here; what is still needed of the job is static or a copy */
    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        return OX_OK;
    }
    if (code != OX_OK) {
        return code;
    }
    *made = true;
    return run_job(control, &job, err);
}

void *ox_jobs_work(void *arg)
{
    struct ox_control *control = arg;
    unsigned seen = 0;

    while (!ox_stop_requested(&control->stop)) {
        struct ox_err err = OX_ERR_INIT;
        bool made = false;

        if (ox_control_make_delta(control, &made, &err) != OX_OK) {
            ox_log(control->log, OX_LOG_ERROR, "delta job: %s", err.msg);
            (void)ox_stop_wait(&control->stop, 1000); /* the database may come back */
            made = true;                              /* so look again, without being woken */
        }
        (void)pthread_mutex_lock(&control->wake_lock);
        while (!made && seen == control->wakes && !ox_stop_requested(&control->stop)) {
            (void)pthread_cond_wait(&control->wake, &control->wake_lock);
        }
        seen = control->wakes;
        (void)pthread_mutex_unlock(&control->wake_lock);
    }
    return NULL;
}

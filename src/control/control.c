#include "inner.h"

#include "diffs.h"
#include "identity.h"
#include "recall.h"
#include "webhooks.h"

#include "oxide/base/pool.h"
#include "oxide/base/random.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* States of wire and of rollout are the same rows, so a cast maps one to the other. */
_Static_assert((int)OX_STEP_SKIPPED == (int)OX_ROLLOUT_SKIPPED, "device states differ");
_Static_assert((int)OX_STEP_VERIFYING == (int)OX_ROLLOUT_VERIFYING, "device states differ");
_Static_assert((int)OX_STEP_CAMPAIGN_ABORTED == (int)OX_CAMPAIGN_ABORTED, "campaign states differ");
_Static_assert((int)OX_STEP_CAMPAIGN_PAUSED == (int)OX_CAMPAIGN_PAUSED, "campaign states differ");

#define TICK_MS 1000
#define SWEEP_MS 5000  /* devices that fell silent are looked for so often */
#define FLUSH_TICKS 30 /* heartbeats that change nothing are written so often */

int64_t ox_control_now(const struct ox_control *control)
{
    return control->clock->wall_ms(control->clock->ctx);
}

static enum ox_code requeue(struct ox_control *control, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = ox_registry_jobs_requeue(&tx, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_control_new(struct ox_control **out, const struct ox_control_options *options,
                            struct ox_err *err)
{
    struct ox_control *control = calloc(1, sizeof(*control));
    unsigned cpus = ox_cpu_count();
    unsigned threads = options->delta_workers;
    uint64_t seed = 0;
    enum ox_code code;

    if (control == NULL) {
        return ox_err_nomem(err, "the control plane");
    }
    if (threads == 0) {
        threads = cpus > 1 ? cpus - 1 : 1;
    }
    control->store = options->store;
    control->registry = options->registry;
    control->clock = options->clock == NULL ? ox_clock_system() : options->clock;
    control->log = options->log;
    control->opened_ms = ox_control_now(control);
    control->delta_effort = options->delta_effort;
    control->delta_wait_s = options->delta_wait_s;
    control->reimage_after_ms = options->reimage_after_ms;
    control->history_kept_ms = options->history_kept_ms;
    control->door.open = options->accept_unknown;
    (void)pthread_mutex_init(&control->door.lock, NULL);
    control->told_interval_s = options->poll_interval_s;
    control->poll_interval_s =
        options->poll_interval_s != 0 ? options->poll_interval_s : OX_POLL_INTERVAL_S_DEFAULT;
    control->blob_urls = options->blob_urls;
    control->blob_urls_count = options->blob_urls_count < OX_HEARTBEAT_URLS_MAX
                                   ? options->blob_urls_count
                                   : OX_HEARTBEAT_URLS_MAX;
    /* Two jobs at a time, so that a small delta passes a large one; the rest makes each faster. */
    control->workers = threads > 1 ? OX_CONTROL_WORKERS : 1;
    control->delta_threads = threads / control->workers;
    control->jobs_max = options->jobs_max != 0 ? options->jobs_max : OX_JOBS_MAX_DEFAULT;
    control->gc_grace_s = options->gc_grace_s != 0 ? options->gc_grace_s : OX_GC_GRACE_S_DEFAULT;
    control->forget_after_s =
        options->forget_after_s != 0 ? options->forget_after_s : OX_FORGET_AFTER_S_DEFAULT;
    control->delta_cache_bytes =
        options->delta_cache_bytes != 0 ? options->delta_cache_bytes : OX_DELTA_CACHE_DEFAULT;
    ox_running_jobs_init(&control->running);
    ox_gc_init(control);
    ox_chains_init(&control->chains);
    ox_figures_init(control);
    ox_events_init(control, options);
    (void)pthread_mutex_init(&control->wake_lock, NULL);
    (void)pthread_cond_init(&control->wake, NULL);
    control->stop.fd = -1;
    atomic_init(&control->backing_up, false);
    atomic_init(&control->holding, false);
    (void)pthread_mutex_init(&control->starts_lock, NULL);
    control->starts = calloc(1, sizeof(*control->starts));
    if (control->starts == NULL) {
        ox_control_free(control);
        return ox_err_nomem(err, "the control plane");
    }
    if ((code = ox_random_bytes(&seed, sizeof(seed), err)) != OX_OK ||
        (code = ox_live_new(&control->live, seed, err)) != OX_OK ||
        (code = ox_served_new(&control->served, err)) != OX_OK ||
        (code = ox_stop_init(&control->stop, err)) != OX_OK ||
        (code = ox_hold_load(control, err)) != OX_OK || (code = requeue(control, err)) != OX_OK ||
        (code = ox_figures_open(control, err)) != OX_OK ||
        (code = ox_hooks_new(&control->hooks, control, err)) != OX_OK ||
        (code = ox_diffs_new(&control->diffs, control, err)) != OX_OK) {
        ox_control_free(control);
        return code;
    }
    ox_registry_watch(control->registry, &(struct ox_registry_watch){control, ox_recall_changed});
    *out = control;
    return OX_OK;
}

void ox_control_free(struct ox_control *control)
{
    if (control == NULL) {
        return;
    }
    free(control->starts);
    ox_diffs_free(control->diffs);
    ox_hooks_free(control->hooks);
    if (control->stop.fd >= 0) {
        ox_stop_clear(&control->stop);
    }
    ox_figures_clear(control);
    ox_chains_clear(&control->chains);
    ox_gc_clear(control);
    ox_running_jobs_clear(&control->running);
    (void)pthread_cond_destroy(&control->wake);
    (void)pthread_mutex_destroy(&control->wake_lock);
    (void)pthread_mutex_destroy(&control->starts_lock);
    ox_events_clear(control);
    (void)pthread_mutex_destroy(&control->door.lock);
    if (control->registry != NULL) {
        ox_registry_watch(control->registry, &(struct ox_registry_watch){NULL, NULL});
    }
    ox_served_free(control->served);
    ox_live_free(control->live);
    free(control);
}

enum ox_code ox_conclude(struct ox_control *control, struct ox_tx *tx, enum ox_code code,
                         json_t *take_answer, json_t **out, struct ox_err *err)
{
    if (code == OX_OK) {
        code = ox_registry_commit(tx, err);
    }
    ox_registry_end(tx);
    if (code != OX_OK) {
        json_decref(take_answer);
        return code;
    }
    ox_jobs_wake(control);
    *out = take_answer;
    return OX_OK;
}

/* --- the clockwork --- */

/* Read first: a tick in which nothing moves takes no writer's lock. */
static enum ox_code movable(struct ox_control *control, bool sweep, char ***out, size_t *count,
                            struct ox_err *err)
{
    struct ox_campaign_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    size_t row_count = 0;
    char **ids = NULL;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    *count = 0;
    if (code == OX_OK) {
        code = ox_registry_campaigns(&tx, true, &rows, &row_count, err);
    }
    if (code == OX_OK && (ids = calloc(row_count + 1, sizeof(char *))) == NULL) {
        code = ox_err_nomem(err, "a list of campaigns");
    }
    for (size_t i = 0; code == OX_OK && i < row_count; i++) {
        bool moves = false;

        code = ox_campaign_would_move(control, &tx, &rows[i], &moves, err);
        if (code == OX_OK && !moves && sweep) {
            code = ox_campaign_sweep(control, &tx, &rows[i], true, &moves, err);
        }
        if (code == OX_OK && !moves && sweep) {
            code = ox_campaign_follow(control, &tx, &rows[i], true, &moves, err);
        }
        if (code == OX_OK && moves && (code = ox_strdup(&ids[*count], rows[i].id, err)) == OX_OK) {
            (*count)++;
        }
    }
    ox_registry_end(&tx);
    *out = ids;
    return code;
}

static enum ox_code advance_one(struct ox_control *control, const char *id, bool sweep,
                                struct ox_err *err)
{
    struct ox_campaign_row campaign;
    struct ox_tx tx = OX_TX_INIT;
    bool changed = false;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && sweep &&
        (code = ox_registry_campaign_get(&tx, id, &campaign, err)) == OX_OK) {
        code = ox_campaign_sweep(control, &tx, &campaign, false, &changed, err);
        if (code == OX_OK) {
            code = ox_campaign_follow(control, &tx, &campaign, false, &changed, err);
        }
    }
    if (code == OX_OK && (code = ox_campaign_advance(control, &tx, id, false, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_control_tick(struct ox_control *control, bool flush, struct ox_err *err)
{
    char **ids = NULL;
    size_t count = 0;
    bool sweep = ox_control_now(control) >= control->sweep_ms;
    enum ox_code code = ox_holding(control) ? OX_OK : movable(control, sweep, &ids, &count, err);

    if (sweep) {
        control->sweep_ms = ox_control_now(control) + SWEEP_MS;
    }

    for (size_t i = 0; i < count; i++) {
        if (code == OX_OK) {
            code = advance_one(control, ids[i], sweep, err);
        }
        free(ids[i]);
    }
    free(ids);
    if (code == OX_OK && flush && (code = ox_live_flush(control, err)) == OX_OK &&
        !ox_holding(control)) {
        code = ox_converge_fleets(control, err);
    }
    if (code == OX_OK && flush) {
        code = ox_events_trim(control, err);
    }
    if (code == OX_OK && flush) {
        code = ox_identity_prune(control, err);
    }
    if (code == OX_OK && flush) {
        code = ox_history_prune(control, err);
    }
    ox_diffs_tick(control->diffs);
    ox_hold_remind(control);
    /* What a restored registry does not know is no garbage, nor is what a backup is to hold. */
    return code == OX_OK && !ox_holding(control) && !atomic_load(&control->backing_up)
               ? ox_gc_step(control, err)
               : code;
}

static void *clockwork(void *arg)
{
    struct ox_control *control = arg;

    for (unsigned tick = 1; !ox_stop_wait(&control->stop, TICK_MS); tick++) {
        struct ox_err err = OX_ERR_INIT;

        if (ox_control_tick(control, tick % FLUSH_TICKS == 0, &err) != OX_OK) {
            ox_log(control->log, OX_LOG_ERROR, "clockwork: %s", err.msg);
        }
    }
    return NULL;
}

/* --- threads --- */

enum ox_code ox_control_start(struct ox_control *control, struct ox_err *err)
{
    sigset_t all;
    sigset_t old;
    int problem = 0;
    enum ox_code code;

    /* Signals belong to the main thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    while (problem == 0 && control->started <= control->workers) {
        bool last = control->started == control->workers;

        problem = pthread_create(&control->threads[control->started], NULL,
                                 last ? clockwork : ox_jobs_work, control);
        control->started += problem == 0;
    }
    code = problem != 0 ? ox_err_sys(err, problem, "starting a thread")
                        : ox_hooks_start(control->hooks, err);
    code = code == OX_OK ? ox_diffs_start(control->diffs, err) : code;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    ox_hold_remind(control);
    if (code != OX_OK) {
        ox_control_stop(control);
    }
    return code;
}

void ox_control_stop(struct ox_control *control)
{
    struct ox_err err = OX_ERR_INIT;

    ox_stop_request(&control->stop);
    ox_running_jobs_stop(&control->running);
    ox_jobs_wake(control);
    ox_diffs_stop(control->diffs);
    ox_hooks_stop(control->hooks);
    while (control->started > 0) {
        (void)pthread_join(control->threads[--control->started], NULL);
    }
    if (ox_live_flush(control, &err) != OX_OK) {
        ox_log(control->log, OX_LOG_ERROR, "writing heartbeats at the end: %s", err.msg);
    }
    if (ox_patch_cache_flush(control, &err) != OX_OK) {
        ox_log(control->log, OX_LOG_ERROR, "writing what patches were used: %s", err.msg);
    }
}

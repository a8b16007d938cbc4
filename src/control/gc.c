#include "gc.h"

#include "inner.h"

#include "oxide/control/retention.h"
#include "oxide/registry/need.h"
#include "oxide/registry/retention.h"

#include <stdlib.h>
#include <string.h>

#define PASS_MS ((int64_t)3600 * 1000) /* from the end of a pass to the next */
#define FIRST_PASS_MS ((int64_t)60 * 1000)
#define CACHE_MS ((int64_t)30 * 1000) /* how often the cache's size is looked at */
#define PER_STEP 16                   /* versions that one step of the clockwork removes */

/* Nobody could be heard of while we were down: devices have this long to come back. */
#define RETURN_MS ((int64_t)24 * 3600 * 1000)

void ox_gc_init(struct ox_control *control)
{
    struct ox_gc *gc = &control->gc;

    (void)pthread_mutex_init(&gc->lock, NULL);
    (void)pthread_mutex_init(&gc->used_lock, NULL);
    gc->next_ms = control->opened_ms + FIRST_PASS_MS;
}

void ox_gc_clear(struct ox_control *control)
{
    struct ox_gc *gc = &control->gc;

    free(gc->model);
    ox_map_clear(&gc->used);
    (void)pthread_mutex_destroy(&gc->used_lock);
    (void)pthread_mutex_destroy(&gc->lock);
}

int64_t ox_gc_seen_since_ms(const struct ox_control *control)
{
    int64_t forget_ms = (int64_t)control->forget_after_s * 1000;
    int64_t patience_ms = forget_ms < RETURN_MS ? forget_ms : RETURN_MS;
    int64_t now_ms = ox_control_now(control);

    return now_ms - control->opened_ms < patience_ms ? 0 : now_ms - forget_ms;
}

/* --- blobs --- */

/* Which of these blobs does nothing refer to? The others become of size UINT64_MAX. */
static enum ox_code find_needed(struct ox_control *control, const struct ox_digest *blobs,
                                bool *needed, size_t count, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_registry_blob_needed(&tx, &blobs[i], &needed[i], err);
    }
    ox_registry_end(&tx);
    return code;
}

/* Who refers to a blob has touched or written it first, and says so within the grace time: so what
 * is referred to between our question and the removal is too young to go. */
enum ox_code ox_gc_blobs(struct ox_control *control, const struct ox_digest *blobs,
                         const uint64_t *sizes, size_t count, struct ox_gc_report *report,
                         struct ox_err *err)
{
    int64_t since_ms = ox_control_now(control) - (int64_t)control->gc_grace_s * 1000;
    bool *needed = calloc(count + 1, sizeof(*needed));
    enum ox_code code = needed == NULL ? ox_err_nomem(err, "a list of blobs") : OX_OK;

    if (code == OX_OK && count > 0) {
        code = find_needed(control, blobs, needed, count, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        bool removed = false;

        if (needed[i]) {
            continue;
        }
        code = ox_store_remove_unused(control->store, &blobs[i], since_ms, report->dry_run,
                                      &removed, err);
        report->blobs += removed;
        report->blob_bytes += removed ? sizes[i] : 0;
        report->young += code == OX_OK && !removed && ox_store_has(control->store, &blobs[i]);
    }
    free(needed);
    return code;
}

struct listing {
    struct ox_digest *blobs;
    uint64_t *sizes;
    size_t count;
    size_t room;
};

static enum ox_code list_blob(void *ctx, const struct ox_digest *digest, uint64_t size_bytes,
                              struct ox_err *err)
{
    struct listing *listing = ctx;

    if (listing->count == listing->room) {
        size_t room = listing->room == 0 ? 64 : listing->room * 2;
        struct ox_digest *blobs = realloc(listing->blobs, room * sizeof(*blobs));
        uint64_t *sizes;

        if (blobs == NULL) {
            return ox_err_nomem(err, "a list of blobs");
        }
        listing->blobs = blobs;
        sizes = realloc(listing->sizes, room * sizeof(*sizes));
        if (sizes == NULL) {
            return ox_err_nomem(err, "a list of blobs");
        }
        listing->sizes = sizes;
        listing->room = room;
    }
    listing->blobs[listing->count] = *digest;
    listing->sizes[listing->count++] = size_bytes;
    return OX_OK;
}

static enum ox_code sweep_prefix(struct ox_control *control, unsigned prefix,
                                 struct ox_gc_report *report, struct ox_err *err)
{
    struct listing listing = {NULL, NULL, 0, 0};
    const struct ox_store_visitor visitor = {&listing, list_blob};
    enum ox_code code = ox_store_each_of(control->store, (uint8_t)prefix, &visitor, err);

    if (code == OX_OK) {
        code = ox_gc_blobs(control, listing.blobs, listing.sizes, listing.count, report, err);
    }
    free(listing.blobs);
    free(listing.sizes);
    return code;
}

static enum ox_code sweep_uploads(struct ox_control *control, struct ox_err *err)
{
    return ox_store_sweep_uploads(control->store, ox_control_now(control) - OX_STORE_UPLOAD_KEEP_MS,
                                  err);
}

/* --- rules --- */

/* The next model that a rule is for, in fresh memory; NULL behind the last. */
static enum ox_code next_model(struct ox_control *control, const char *after, char **out,
                               struct ox_err *err)
{
    const char *model = NULL;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK && (code = ox_registry_retention_next(&tx, after == NULL ? "" : after, &model,
                                                            err)) == OX_OK) {
        code = ox_strdup(out, model, err);
    }
    ox_registry_end(&tx);
    return code;
}

/* --- in small steps --- */

static enum ox_code step_rules(struct ox_control *control, struct ox_gc_report *report,
                               struct ox_err *err)
{
    struct ox_gc *gc = &control->gc;
    char *model = NULL;
    bool more = false;
    enum ox_code code = next_model(control, gc->model, &model, err);

    if (code == OX_OK && model != NULL) {
        code = ox_gc_model(control, model, PER_STEP, report, &more, err);
    }
    if (code != OX_OK || more) { /* the same one again */
        free(model);
        return code;
    }
    free(gc->model);
    gc->model = model;
    if (model == NULL) {
        gc->phase = OX_GC_BLOBS;
        gc->prefix = 0;
    }
    return OX_OK;
}

static enum ox_code step_blobs(struct ox_control *control, struct ox_gc_report *report,
                               struct ox_err *err)
{
    struct ox_gc *gc = &control->gc;
    enum ox_code code = sweep_prefix(control, gc->prefix, report, err);

    if (code == OX_OK && ++gc->prefix == 256) {
        gc->phase = OX_GC_IDLE;
        gc->next_ms = ox_control_now(control) + PASS_MS;
        code = sweep_uploads(control, err);
    }
    return code;
}

static enum ox_code step(struct ox_control *control, struct ox_gc_report *report,
                         struct ox_err *err)
{
    struct ox_gc *gc = &control->gc;
    int64_t now_ms = ox_control_now(control);

    switch (gc->phase) {
    case OX_GC_RULES:
        return step_rules(control, report, err);
    case OX_GC_BLOBS:
        return step_blobs(control, report, err);
    case OX_GC_IDLE:
        break;
    }
    if (now_ms >= gc->next_ms) {
        gc->phase = OX_GC_RULES;
    }
    if (now_ms < gc->cache_ms) {
        return OX_OK;
    }
    gc->cache_ms = now_ms + CACHE_MS;
    return ox_patch_cache_trim(control, report, err);
}

static void log_report(const struct ox_control *control, const struct ox_gc_report *report)
{
    if (report->blobs + report->patches > 0) {
        ox_log(control->log, OX_LOG_INFO,
               "collected garbage: %llu patches evicted, %llu blobs of %llu bytes removed",
               (unsigned long long)report->patches, (unsigned long long)report->blobs,
               (unsigned long long)report->blob_bytes);
    }
}

enum ox_code ox_gc_step(struct ox_control *control, struct ox_err *err)
{
    struct ox_gc_report report = {.dry_run = false};
    enum ox_code code;

    if (pthread_mutex_trylock(&control->gc.lock) != 0) {
        return OX_OK; /* an operator collects */
    }
    code = step(control, &report, err);
    (void)pthread_mutex_unlock(&control->gc.lock);
    log_report(control, &report);
    return code;
}

/* --- all at once --- */

static enum ox_code check_stop(const struct ox_control *control, struct ox_err *err)
{
    return ox_stop_requested(&control->stop) ? ox_err_set(err, OX_ECANCELED, "stopped") : OX_OK;
}

static enum ox_code collect(struct ox_control *control, struct ox_gc_report *report,
                            struct ox_err *err)
{
    char *model = NULL;
    enum ox_code code = OX_OK;

    for (bool first = true; code == OX_OK && (first || model != NULL); first = false) {
        char *next = NULL;
        bool more = false;

        code = check_stop(control, err);
        if (code == OX_OK && (code = next_model(control, model, &next, err)) == OX_OK &&
            next != NULL) {
            code = ox_gc_model(control, next, SIZE_MAX, report, &more, err);
        }
        free(model);
        model = next;
    }
    free(model);
    if (code == OX_OK) {
        code = ox_patch_cache_trim(control, report, err);
    }
    for (unsigned prefix = 0; code == OX_OK && prefix < 256; prefix++) {
        code = check_stop(control, err);
        code = code == OX_OK ? sweep_prefix(control, prefix, report, err) : code;
    }
    return code == OX_OK && !report->dry_run ? sweep_uploads(control, err) : code;
}

/* Not while there may be blobs that are needed by who does not say so. */
static enum ox_code check_time(const struct ox_control *control, bool dry_run, struct ox_err *err)
{
    if (!dry_run && ox_holding(control)) {
        return ox_err_set(
            err, OX_ECONFLICT,
            "the registry was restored from a backup, and may not know all blobs that "
            "are needed: 'oxide restore --confirm' first");
    }
    return !dry_run && atomic_load(&control->backing_up)
               ? ox_err_set(err, OX_EBUSY, "a backup is under way: collect garbage after it")
               : OX_OK;
}

/* Who asked for it, and what came of it; each version that went has an event of its own. */
static enum ox_code collected_event(struct ox_control *control, const struct ox_gc_report *report,
                                    struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = ox_event(control, &tx, "garbage.collected",
                                          json_pack("{s:I, s:I, s:I, s:I, s:I}", "versions",
                                                    (json_int_t)json_array_size(report->versions),
                                                    "patches", (json_int_t)report->patches,
                                                    "patch_bytes", (json_int_t)report->patch_bytes,
                                                    "blobs", (json_int_t)report->blobs,
                                                    "blob_bytes", (json_int_t)report->blob_bytes),
                                          err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_control_gc(struct ox_control *control, bool dry_run, json_t **out,
                           struct ox_err *err)
{
    struct ox_gc_report report = {
        .dry_run = dry_run, .versions = json_array(), .kept = json_array()};
    enum ox_code code = check_time(control, dry_run, err);

    if (code == OX_OK && pthread_mutex_trylock(&control->gc.lock) != 0) {
        code = ox_err_set(err, OX_EBUSY, "garbage is being collected: try again in a moment");
    } else if (code == OX_OK) {
        code = collect(control, &report, err);
        (void)pthread_mutex_unlock(&control->gc.lock);
        log_report(control, &report);
        if (code == OX_OK && !dry_run) {
            code = collected_event(control, &report, err);
        }
    }
    if (code != OX_OK) {
        json_decref(report.versions);
        json_decref(report.kept);
        return code;
    }
    *out = json_pack("{s:b, s:o, s:o, s:{s:I, s:I}, s:{s:I, s:I, s:I}}", "dry_run", dry_run,
                     "versions", report.versions, "kept", report.kept, "patches", "count",
                     (json_int_t)report.patches, "bytes", (json_int_t)report.patch_bytes, "blobs",
                     "count", (json_int_t)report.blobs, "bytes", (json_int_t)report.blob_bytes,
                     "young", (json_int_t)report.young);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

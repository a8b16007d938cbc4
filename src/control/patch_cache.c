/* The cache of patches: what was offered when, and what is dropped for room. */
#include "gc.h"

#include "inner.h"

#include "oxide/registry/patch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH 64 /* patches dropped in one transaction */

void ox_patch_cache_used(struct ox_control *control, int64_t job_id)
{
    struct ox_gc *gc = &control->gc;
    char key[32];
    void *value = NULL;

    (void)snprintf(key, sizeof(key), "%" PRId64, job_id);
    (void)pthread_mutex_lock(&gc->used_lock);
    if (ox_map_put(&gc->used, key, sizeof(int64_t), &value, NULL) == OX_OK) {
        *(int64_t *)value = ox_control_now(control);
    }
    (void)pthread_mutex_unlock(&gc->used_lock);
}

struct use {
    int64_t job_id;
    int64_t used_ms;
};

/* Take what is in memory; on failure it is lost, which costs an old time at the worst. */
static enum ox_code take_uses(struct ox_gc *gc, struct use **out, size_t *count, struct ox_err *err)
{
    struct use *uses;

    *count = 0;
    (void)pthread_mutex_lock(&gc->used_lock);
    uses = calloc(gc->used.count + 1, sizeof(*uses));
    for (size_t i = 0; uses != NULL && i < gc->used.bucket_count; i++) {
        for (const struct ox_map_entry *entry = gc->used.buckets[i]; entry != NULL;
             entry = entry->next) {
            uses[(*count)++] =
                (struct use){strtoll(entry->key, NULL, 10), *(const int64_t *)entry->value};
        }
    }
    if (uses != NULL) {
        ox_map_clear(&gc->used);
    }
    (void)pthread_mutex_unlock(&gc->used_lock);
    *out = uses;
    return uses == NULL ? ox_err_nomem(err, "uses of patches") : OX_OK;
}

enum ox_code ox_patch_cache_flush(struct ox_control *control, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    struct use *uses = NULL;
    size_t count = 0;
    enum ox_code code = take_uses(&control->gc, &uses, &count, err);

    if (code == OX_OK && count > 0) {
        code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);
        for (size_t i = 0; code == OX_OK && i < count; i++) {
            code = ox_registry_patch_used(&tx, uses[i].job_id, uses[i].used_ms, err);
        }
        if (code == OX_OK) {
            code = ox_registry_commit(&tx, err);
        }
        ox_registry_end(&tx);
    }
    free(uses);
    return code;
}

/* Drop some in one transaction. *over is what is still too much; *done says that no other may go.
 */
static enum ox_code drop_batch(struct ox_control *control, struct ox_gc_report *report,
                               uint64_t *over, bool *done, struct ox_err *err)
{
    int64_t now_ms = ox_control_now(control);
    int64_t since_ms = now_ms - (int64_t)control->gc_grace_s * 1000;
    struct ox_digest blobs[BATCH];
    uint64_t sizes[BATCH];
    struct ox_patch_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    size_t count = 0;
    size_t used = 0;
    enum ox_code code =
        ox_registry_begin(control->registry, report->dry_run ? OX_TX_READ : OX_TX_WRITE, &tx, err);

    if (code == OX_OK) { /* a dry run sees all of them at once, as none goes */
        code = ox_registry_patches_idle(&tx, report->dry_run ? 1000000 : BATCH, &rows, &count, err);
    }
    for (size_t i = 0; code == OX_OK && *over > 0 && i < count && rows[i].used_ms < since_ms; i++) {
        report->patches++;
        report->patch_bytes += rows[i].patch_bytes;
        *over -= rows[i].patch_bytes < *over ? rows[i].patch_bytes : *over;
        if (!report->dry_run) {
            code = ox_registry_patch_evict(&tx, rows[i].job_id, now_ms, err);
            blobs[used] = rows[i].patch;
            sizes[used++] = rows[i].patch_bytes;
        }
    }
    *done = used < BATCH;
    if (code == OX_OK && used > 0) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (used > 0) {
        ox_chains_changed(control);
    }
    return code == OX_OK ? ox_gc_blobs(control, blobs, sizes, used, report, err) : code;
}

enum ox_code ox_patch_cache_trim(struct ox_control *control, struct ox_gc_report *report,
                                 struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    uint64_t bytes = 0;
    uint64_t over = 0;
    bool done = false;
    enum ox_code code = ox_patch_cache_flush(control, err);

    if (code == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK) {
        code = ox_registry_patch_bytes(&tx, &bytes, err);
    }
    ox_registry_end(&tx);
    over = bytes > control->delta_cache_bytes ? bytes - control->delta_cache_bytes : 0;
    while (code == OX_OK && over > 0 && !done && !ox_stop_requested(&control->stop)) {
        code = drop_batch(control, report, &over, &done, err);
    }
    return code;
}

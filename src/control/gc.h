/**
 * Garbage collection: versions that rules let go, patches over the cache's budget, blobs that
 * nothing refers to. The database forgets first, then files go: what a crash leaves between the two
 * is found by the next pass, which looks at every blob.
 */
#ifndef OX_CONTROL_GC_H
#define OX_CONTROL_GC_H

#include "map.h"

#include "oxide/base/digest.h"
#include "oxide/base/json.h"

#include <pthread.h>

struct ox_control;
struct ox_tx;

enum ox_gc_phase { OX_GC_IDLE, OX_GC_RULES, OX_GC_BLOBS };

struct ox_gc {
    pthread_mutex_t lock; /* held by who collects */
    enum ox_gc_phase phase;
    int64_t next_ms;  /* wall clock: when the clockwork begins another pass, */
    int64_t cache_ms; /* and when it looks at the cache's size again */
    char *model;      /* that was judged last, in OX_GC_RULES; NULL: none yet */
    unsigned prefix;  /* of the blobs that come next, in OX_GC_BLOBS */
    pthread_mutex_t used_lock;
    struct ox_map used; /* job id -> int64_t: patches offered, not written yet */
};

/** What went, or would go. */
struct ox_gc_report {
    bool dry_run;
    json_t *versions; /* [{model_id, version, size_bytes}]; NULL: nobody reads it, as kept */
    json_t *kept; /* [{model_id, version, why}] of those that a rule lets go but something needs */
    uint64_t patches;
    uint64_t patch_bytes;
    uint64_t blobs;
    uint64_t blob_bytes;
    uint64_t young; /* blobs that nothing refers to yet */
};

void ox_gc_init(struct ox_control *control);
void ox_gc_clear(struct ox_control *control);
/** A small step, once per second: the clockwork's share. */
OX_MUST_USE enum ox_code ox_gc_step(struct ox_control *control, struct ox_err *err);

/** Devices that were not heard of since then need nothing. */
int64_t ox_gc_seen_since_ms(const struct ox_control *control);
/** Remove blobs, as far as nothing refers to them and they are old enough. */
OX_MUST_USE enum ox_code ox_gc_blobs(struct ox_control *control, const struct ox_digest *blobs,
                                     const uint64_t *sizes, size_t count,
                                     struct ox_gc_report *report, struct ox_err *err);

/* --- removal.c --- */

/** Remove up to `limit` versions of a model that its rule lets go and nothing needs. *more: there
 *  are others. */
OX_MUST_USE enum ox_code ox_gc_model(struct ox_control *control, const char *model_id, size_t limit,
                                     struct ox_gc_report *report, bool *more, struct ox_err *err);

/* --- patch_cache.c --- */

/** A patch is offered to somebody: it is not dropped for a while. */
void ox_patch_cache_used(struct ox_control *control, int64_t job_id);
/** Write down what was used. */
OX_MUST_USE enum ox_code ox_patch_cache_flush(struct ox_control *control, struct ox_err *err);
/** Drop patches over the budget, the least recently used first. */
OX_MUST_USE enum ox_code ox_patch_cache_trim(struct ox_control *control,
                                             struct ox_gc_report *report, struct ox_err *err);

#endif

/**
 * Where target and base go together again: after a place where they differ, the next run of the
 * target that equals some run of the base. Looked for on the same diagonal first (bytes were
 * overwritten), then near by (inserted, deleted), then in all of the base (moved).
 */
#ifndef OXIDE_DELTA_SYNC_H
#define OXIDE_DELTA_SYNC_H

#include "cursor.h"
#include "index.h"

/** No search goes farther at once. */
#define SYNC_SPAN ((uint64_t)256 * 1024)

/** Shorter equal runs are left to the encoder, which finds them by itself. */
#define SYNC_RUN_MIN 24

struct sync_scan {
    struct anchor_index *index;
    struct anchor_scan scan; /* of the target */
    uint64_t start;          /* where the scan began */
    uint64_t at;             /* the next byte to feed */
    uint64_t from;           /* of the base: what is indexed */
    uint64_t to;
};

/** Where a run ended on both sides. */
struct sync_end {
    uint64_t at;
    uint64_t base;
};

struct sync {
    const struct ox_source *base;
    struct cursor *from; /* in the base, lent */
    struct cursor *to;   /* in the target, lent */
    uint64_t index_bytes;
    struct ox_stop *stop;
    struct sync_scan near;
    struct sync_scan far;
    struct cursor aside;   /* in the base, on the main diagonal */
    struct sync_end main;  /* of the last run on it */
    uint64_t run_at;       /* where the run on the diagonal in force began */
    uint64_t lost_bytes;   /* target bytes without an origin so far */
    unsigned near_useless; /* near indexes in a row that found nothing */
    unsigned near_skip;    /* so many are not built */
};

/** index_bytes: that an index of the whole base may take. */
enum ox_code sync_init(struct sync *sync, const struct ox_source *base, struct cursor *from,
                       struct cursor *to, uint64_t index_bytes, struct ox_stop *stop,
                       struct ox_err *err);
void sync_clear(struct sync *sync);

/**
 * From target place `at` on, where target and base differ on the diagonal (base_at), find the next
 * equal run, at most SYNC_SPAN ahead and before `limit`. Without one, *out is where the search
 * ended, still on the diagonal. Errors: OX_ENOMEM, OX_ECANCELED, the sources' own.
 */
enum ox_code sync_find(struct sync *sync, uint64_t at, uint64_t limit, uint64_t base_at,
                       uint64_t *out, uint64_t *out_base, struct ox_err *err);

#endif

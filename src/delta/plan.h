/**
 * The plan of a patch: the target, cut into segments, each with the stretch of the base that it
 * most likely comes from. Made in one pass over the target, in its order; memory is bounded.
 */
#ifndef OXIDE_DELTA_PLAN_H
#define OXIDE_DELTA_PLAN_H

#include "oxide/base/stop.h"
#include "pairs.h"
#include "sync.h"

/** No segment is longer, except equal ones. */
#define SEGMENT_MAX SYNC_SPAN

struct segment {
    uint64_t target; /* offset in the target's flat space; segments follow each other gaplessly */
    uint64_t len;
    bool equal;    /* byte for byte the same as base[base, base + len) */
    bool twin;     /* ... of the target, not of the base: it ends before the tensor begins */
    bool has_base; /* base[base, base + len) lies in the base and is its likely origin */
    uint64_t base;
    const struct tensor_pair *pair; /* the tensor that it is part of; NULL: bytes */
};

/** Who chooses how a tensor is predicted: asked once it is known to differ. Sets pair->prediction.
 */
struct tensor_chooser {
    void *ctx;
    enum ox_code (*choose)(void *ctx, struct tensor_pair *pair, struct ox_err *err);
};

struct segment_sink {
    void *ctx;
    enum ox_code (*take)(void *ctx, const struct segment *segment, struct ox_err *err);
};

/** Segment the whole target. `pairs` may be empty: then all is bytes. index_bytes: that an index of
 *  the whole base may take. */
enum ox_code plan_run(const struct ox_source *base, const struct ox_source *target,
                      const struct tensor_pairs *pairs, const struct tensor_chooser *chooser,
                      uint64_t index_bytes, struct ox_stop *stop, const struct segment_sink *sink,
                      struct ox_err *err);

#endif

#include "plan.h"

#include "cursor.h"
#include "sync.h"

/* Tensors are compared in units of about this size: what is equal is copied, the rest coded. */
#define TENSOR_UNIT ((uint64_t)64 * 1024)

struct planner {
    const struct ox_source *base;
    const struct ox_source *target;
    const struct tensor_chooser *chooser;
    struct ox_stop *stop;
    const struct segment_sink *sink;
    const struct tensor_pair *pair; /* the tensor whose bytes are being looked for; or NULL */
    struct cursor from;             /* in the base */
    struct cursor to;               /* in the target */
    struct sync sync;
    uint64_t next_base; /* where the base would go on if nothing was inserted or deleted */
};

static enum ox_code emit(struct planner *self, struct segment segment, struct ox_err *err)
{
    if (segment.len == 0) {
        return OX_OK;
    }
    if (ox_stop_requested(self->stop)) {
        return ox_err_set(err, OX_ECANCELED, "stopped while comparing files");
    }
    if (!segment.twin) {
        segment.has_base = segment.base <= self->base->size_bytes &&
                           segment.len <= self->base->size_bytes - segment.base;
        self->next_base = segment.base + segment.len;
    }
    return self->sink->take(self->sink->ctx, &segment, err);
}

/* --- bytes without meaning --- */

/* Segment target[at, end) by content. */
static enum ox_code scan_bytes(struct planner *self, uint64_t at, uint64_t end, struct ox_err *err)
{
    uint64_t base_at = self->next_base;
    enum ox_code code = OX_OK;

    while (code == OX_OK && at < end) {
        struct segment segment = {.target = at, .base = base_at, .pair = self->pair};
        uint64_t same = 0;
        uint64_t sync_base = 0;
        uint64_t sync = 0;

        if (base_at < self->base->size_bytes) {
            code = cursor_match_forward(&self->to, at, &self->from, base_at, end - at, &same, err);
            if (code != OX_OK) {
                break;
            }
        }
        if (same >= SYNC_RUN_MIN || same == end - at) {
            segment.len = same;
            segment.equal = true;
            code = emit(self, segment, err);
            at += same;
            base_at += same;
            continue;
        }
        code = sync_find(&self->sync, at, end, base_at, &sync, &sync_base, err);
        if (code != OX_OK) {
            break;
        }
        segment.len = sync - at;
        code = emit(self, segment, err);
        at = sync;
        base_at = sync_base;
    }
    return code;
}

/* --- tensors --- */

/* Segment the part of a tensor that goes side by side with its like in the base. */
static enum ox_code scan_common(struct planner *self, struct tensor_pair *pair, uint64_t common,
                                struct ox_err *err)
{
    uint64_t block = ox_dtype_info(pair->dtype)->block_bytes;
    uint64_t unit = block == 0 ? TENSOR_UNIT : TENSOR_UNIT / block * block;
    enum ox_code code = OX_OK;

    for (uint64_t at = 0; code == OX_OK && at < common;) {
        uint64_t left = common - at;
        struct segment segment = {
            .target = pair->target_offset + at, .base = pair->base_offset + at, .pair = pair};
        uint64_t same = 0;

        code = cursor_match_forward(&self->to, segment.target, &self->from, segment.base, left,
                                    &same, err);
        if (code != OX_OK) {
            break;
        }
        segment.equal = same == left || same >= unit;
        if (segment.equal) {
            segment.len = same == left ? left : same / unit * unit;
        } else {
            segment.len = left < unit ? left : unit;
            code = self->chooser->choose(self->chooser->ctx, pair, err);
        }
        if (code == OX_OK) {
            code = emit(self, segment, err);
        }
        at += segment.len;
    }
    return code;
}

/* Segment so much of a tensor whose numbers are predicted in some other way than side by side. */
static enum ox_code scan_predicted(struct planner *self, const struct tensor_pair *pair,
                                   uint64_t reach, struct ox_err *err)
{
    uint64_t unit = prediction_unit(&pair->prediction);
    enum ox_code code = OX_OK;

    unit = SEGMENT_MAX / unit * unit;
    for (uint64_t at = 0; code == OX_OK && at < reach;) {
        uint64_t left = reach - at;
        struct segment segment = {.target = pair->target_offset + at,
                                  .len = left < unit ? left : unit,
                                  .base =
                                      pair->base_offset + part_base_offset(&pair->prediction, at),
                                  .pair = pair};

        code = emit(self, segment, err);
        at += segment.len;
    }
    return code;
}

/* A tensor that stands in the target before is one equal segment. */
static enum ox_code scan_twin(struct planner *self, const struct tensor_pair *pair,
                              struct ox_err *err)
{
    struct segment segment = {.target = pair->target_offset,
                              .len = pair->target_bytes,
                              .equal = true,
                              .twin = true,
                              .base = pair->twin_offset,
                              .pair = pair};

    return emit(self, segment, err);
}

/* Segment one tensor. What of it has no like in the base is looked for among all bytes. */
static enum ox_code scan_tensor(struct planner *self, struct tensor_pair *pair, struct ox_err *err)
{
    uint64_t common = tensor_pair_common(pair);
    enum ox_code code = OX_OK;

    if (pair->has_base && (common == 0 || pair->columns != pair->base_columns)) {
        code = self->chooser->choose(self->chooser->ctx, pair, err);
    }
    if (code == OX_OK && prediction_jumps(&pair->prediction)) {
        common = tensor_pair_reach(pair, &pair->prediction);
        code = scan_predicted(self, pair, common, err);
    } else if (code == OX_OK && common > 0) {
        code = scan_common(self, pair, common, err);
    }
    if (code == OX_OK && common < pair->target_bytes) {
        self->pair = pair;
        code = scan_bytes(self, pair->target_offset + common,
                          pair->target_offset + pair->target_bytes, err);
        self->pair = NULL;
    }
    return code;
}

enum ox_code plan_run(const struct ox_source *base, const struct ox_source *target,
                      const struct tensor_pairs *pairs, const struct tensor_chooser *chooser,
                      uint64_t index_bytes, struct ox_stop *stop, const struct segment_sink *sink,
                      struct ox_err *err)
{
    struct planner self = {
        .base = base, .target = target, .chooser = chooser, .stop = stop, .sink = sink};
    uint64_t at = 0;
    enum ox_code code;

    if ((code = cursor_init(&self.from, base, err)) != OX_OK ||
        (code = cursor_init(&self.to, target, err)) != OX_OK) {
        goto out;
    }
    if ((code = sync_init(&self.sync, base, &self.from, &self.to, index_bytes, stop, err)) !=
        OX_OK) {
        goto out;
    }
    for (size_t i = 0; code == OX_OK && i < pairs->count; i++) {
        struct tensor_pair *pair = &pairs->pairs[i];

        code = scan_bytes(&self, at, pair->target_offset, err);
        if (code == OX_OK) {
            code = pair->has_twin ? scan_twin(&self, pair, err) : scan_tensor(&self, pair, err);
        }
        if (pair->has_base) {
            self.next_base = pair->base_offset + pair->base_bytes;
        }
        at = pair->target_offset + pair->target_bytes;
    }
    if (code == OX_OK) {
        code = scan_bytes(&self, at, target->size_bytes, err);
    }
out:
    sync_clear(&self.sync);
    cursor_clear(&self.from);
    cursor_clear(&self.to);
    return code;
}

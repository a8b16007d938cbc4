#include "plan.h"

#include "cursor.h"
#include "index.h"

#include <string.h>

/* Tensors are compared in units of about this size: what is equal is copied, the rest coded. */
#define TENSOR_UNIT ((uint64_t)64 * 1024)

/* Shorter equal runs are left to the coder, which finds them by itself. */
#define EQUAL_MIN 24
#define ANCHOR_MATCH_MIN 48

/* A large base is indexed only once so many bytes found no origin: a few changed bytes in a header
 * are cheaper to ship than to look for. A small base is indexed at once. */
#define INDEX_AT_ONCE_BYTES ((uint64_t)16 << 20)
#define INDEX_AFTER_BYTES ((uint64_t)64 * 1024)

#define SYNC_CHUNK ((size_t)4096) /* of the search for the next equal run */
#define SYNC_STEP 16

struct planner {
    const struct ox_source *base;
    const struct ox_source *target;
    const struct tensor_chooser *chooser;
    struct ox_stop *stop;
    const struct segment_sink *sink;
    const struct tensor_pair *pair; /* the tensor whose bytes are being looked for; or NULL */
    struct cursor from; /* in the base */
    struct cursor to;   /* in the target */
    struct anchor_index *index;
    uint64_t lost_bytes; /* target bytes without an origin so far */
    uint64_t next_base;  /* where the base would go on if nothing was inserted or deleted */
};

static enum ox_code emit(struct planner *self, struct segment segment, struct ox_err *err)
{
    if (segment.len == 0) {
        return OX_OK;
    }
    if (ox_stop_requested(self->stop)) {
        return ox_err_set(err, OX_ECANCELED, "stopped while comparing files");
    }
    segment.has_base = segment.base <= self->base->size_bytes &&
                       segment.len <= self->base->size_bytes - segment.base;
    self->next_base = segment.base + segment.len;
    return self->sink->take(self->sink->ctx, &segment, err);
}

/* --- bytes without meaning --- */

static enum ox_code want_index(struct planner *self, struct ox_err *err)
{
    if (self->index != NULL || self->base->size_bytes < INDEX_WINDOW ||
        (self->base->size_bytes > INDEX_AT_ONCE_BYTES && self->lost_bytes < INDEX_AFTER_BYTES)) {
        return OX_OK;
    }
    return anchor_index_new(&self->index, self->base, self->stop, err);
}

/* Do the bytes at `at` equal those on the same diagonal of the base? Then where that run begins. */
static enum ox_code try_diagonal(struct planner *self, uint64_t from, uint64_t at, uint64_t base_at,
                                 bool *found, uint64_t *sync, struct ox_err *err)
{
    uint64_t same = 0;
    uint64_t back = 0;
    enum ox_code code =
        cursor_match_forward(&self->to, at, &self->from, base_at, EQUAL_MIN, &same, err);

    if (code == OX_OK && same == EQUAL_MIN) {
        code = cursor_match_backward(&self->to, at, &self->from, base_at, at - from, &back, err);
        *found = code == OX_OK;
        *sync = at - back;
    }
    return code;
}

/* Does the anchor that ends at `end` stand in the base? Then where that run begins on both sides.
 */
static enum ox_code try_anchor(struct planner *self, uint64_t from, uint64_t end, uint64_t base_end,
                               uint64_t limit, bool *found, uint64_t *sync, uint64_t *sync_base,
                               struct ox_err *err)
{
    uint64_t back = 0;
    uint64_t forward = 0;
    enum ox_code code;

    if ((code = cursor_match_backward(&self->to, end, &self->from, base_end, end - from, &back,
                                      err)) != OX_OK ||
        (code = cursor_match_forward(&self->to, end, &self->from, base_end,
                                     limit - end < 4096 ? limit - end : 4096, &forward, err)) !=
            OX_OK) {
        return code;
    }
    if (back + forward >= ANCHOR_MATCH_MIN) {
        *found = true;
        *sync = end - back;
        *sync_base = base_end - back;
    }
    return OX_OK;
}

/*
 * From `from` on, where target and base differ on the diagonal, find the next run that is equal to
 * some of the base, at most SEGMENT_MAX ahead and before `limit`. Without one, *sync is where the
 * search ended, still on the diagonal.
 */
static enum ox_code find_sync(struct planner *self, uint64_t from, uint64_t limit,
                              uint64_t base_from, uint64_t *sync, uint64_t *sync_base,
                              struct ox_err *err)
{
    uint64_t end = limit - from < SEGMENT_MAX ? limit : from + SEGMENT_MAX;
    struct roll roll = {0};

    for (uint64_t at = from; at < end;) {
        uint8_t chunk[SYNC_CHUNK];
        const uint8_t *bytes = NULL;
        size_t len = 0;
        bool found = false;
        enum ox_code code = cursor_at(&self->to, at, SYNC_CHUNK, &bytes, &len, err);

        if (code != OX_OK) {
            return code;
        }
        if (len > SYNC_CHUNK) {
            len = SYNC_CHUNK;
        }
        if (len > end - at) {
            len = (size_t)(end - at);
        }
        memcpy(chunk, bytes, len); /* the cursor moves below */
        for (size_t i = 0; i < len; i++) {
            uint64_t place = at + i;
            uint64_t base_place = base_from + (place - from);
            uint64_t hash = roll_byte(&roll, chunk[i]);
            uint64_t base_end = 0;

            if (i % SYNC_STEP == 0 && place > from && base_place < self->base->size_bytes) {
                code = try_diagonal(self, from, place, base_place, &found, sync, err);
                if (found) {
                    *sync_base = base_from + (*sync - from);
                }
            }
            if (code == OX_OK && !found && self->index != NULL &&
                place + 1 - from >= INDEX_WINDOW &&
                anchor_index_find(self->index, hash, &base_end)) {
                code = try_anchor(self, from, place + 1, base_end, limit, &found, sync, sync_base,
                                  err);
            }
            if (code != OX_OK || found) {
                return code;
            }
        }
        at += len;
    }
    *sync = end;
    *sync_base = base_from + (end - from);
    return OX_OK;
}

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
        if (same >= EQUAL_MIN || same == end - at) {
            segment.len = same;
            segment.equal = true;
            code = emit(self, segment, err);
            at += same;
            base_at += same;
            continue;
        }
        if ((code = want_index(self, err)) != OX_OK ||
            (code = find_sync(self, at, end, base_at, &sync, &sync_base, err)) != OX_OK) {
            break;
        }
        segment.len = sync - at;
        self->lost_bytes += segment.len;
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
        struct segment segment = {.target = pair->target_offset + at,
                                  .base = pair->base_offset + at,
                                  .pair = pair};
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

/* Segment a tensor whose numbers are predicted in some other way than side by side. */
static enum ox_code scan_predicted(struct planner *self, const struct tensor_pair *pair,
                                   struct ox_err *err)
{
    uint64_t unit = prediction_unit(&pair->prediction);
    enum ox_code code = OX_OK;

    unit = SEGMENT_MAX / unit * unit;
    for (uint64_t at = 0; code == OX_OK && at < pair->target_bytes;) {
        uint64_t left = pair->target_bytes - at;
        struct segment segment = {.target = pair->target_offset + at,
                                  .len = left < unit ? left : unit,
                                  .base = pair->base_offset +
                                          part_base_offset(&pair->prediction, at),
                                  .pair = pair};

        code = emit(self, segment, err);
        at += segment.len;
    }
    return code;
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
        code = scan_predicted(self, pair, err);
        common = pair->target_bytes;
    } else if (code == OX_OK && common > 0) {
        code = scan_common(self, pair, common, err);
    }
    if (code == OX_OK && common < pair->target_bytes) {
        self->pair = pair;
        code = scan_bytes(self, pair->target_offset + common,
                          pair->target_offset + pair->target_bytes, err);
        self->pair = NULL;
    }
    if (pair->has_base) {
        self->next_base = pair->base_offset + pair->base_bytes;
    }
    return code;
}

enum ox_code plan_run(const struct ox_source *base, const struct ox_source *target,
                      const struct tensor_pairs *pairs, const struct tensor_chooser *chooser,
                      struct ox_stop *stop, const struct segment_sink *sink, struct ox_err *err)
{
    struct planner self = {
        .base = base, .target = target, .chooser = chooser, .stop = stop, .sink = sink};
    uint64_t at = 0;
    enum ox_code code;

    if ((code = cursor_init(&self.from, base, err)) != OX_OK ||
        (code = cursor_init(&self.to, target, err)) != OX_OK) {
        goto out;
    }
    for (size_t i = 0; code == OX_OK && i < pairs->count; i++) {
        struct tensor_pair *pair = &pairs->pairs[i];

        code = scan_bytes(&self, at, pair->target_offset, err);
        if (code == OX_OK) {
            code = scan_tensor(&self, pair, err);
        }
        at = pair->target_offset + pair->target_bytes;
    }
    if (code == OX_OK) {
        code = scan_bytes(&self, at, target->size_bytes, err);
    }
out:
    anchor_index_free(self.index);
    cursor_clear(&self.from);
    cursor_clear(&self.to);
    return code;
}

#include "explain_weigh.h"

#include "decode.h"

#include <string.h>

#define SLICE_BYTES ((size_t)64 * 1024)

/* Runs of 8 bytes that a frame can match: 2^24 bits hold those of 4 MiB with one in five of the
 * others taken for seen, wherever they stand. */
#define SEEN_LOG2 24
#define SEEN_RUN 8

void weigher_clear(struct weigher *self)
{
    ox_buf_clear(&self->gathered);
    ox_buf_clear(&self->bytes);
    ox_buf_clear(&self->predicted);
    ox_buf_clear(&self->values);
    ox_buf_clear(&self->contexts);
    ox_buf_clear(&self->seen);
}

/* The next len bytes of the ranges. */
static enum ox_code gather(const struct weigher *self, struct gathering *from, uint8_t *out,
                           size_t len, struct ox_err *err)
{
    while (len > 0) {
        const struct ox_oxdl_range *range;
        uint64_t left;
        size_t take;
        enum ox_code code;

        if (from->range == from->frame->range_count) {
            return ox_err_set(err, OX_ECORRUPT,
                              "the parts of a frame are predicted from more than its ranges hold");
        }
        range = &from->frame->ranges[from->range];
        left = range->len_bytes - from->at;
        take = left < len ? (size_t)left : len;
        code = ox_source_read(range->from_target ? self->target : self->base,
                              range->offset + from->at, out, take, err);
        if (code != OX_OK) {
            return code;
        }
        out += take;
        len -= take;
        from->at += take;
        if (from->at == range->len_bytes) {
            from->range++;
            from->at = 0;
        }
    }
    return OX_OK;
}

static uint64_t count_differing(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint64_t differing = 0;

    for (size_t i = 0; i < n; i++) {
        differing += a[i] != b[i];
    }
    return differing;
}

/* --- numbers --- */

static enum ox_code weigh_slot(struct weigher *self, const struct part *part, enum slot slot,
                               uint64_t *changed, struct ox_err *err)
{
    size_t count = part_count(part, slot);
    size_t len = count * number_kinds[slot_kind(slot)].width;
    bool contexts = slot_has_contexts(slot);
    enum ox_code code;

    if (slot == SLOT_SENT) {
        for (size_t i = 0; i < len; i++) {
            *changed += part->sent[i] != 0;
        }
        return OX_OK;
    }
    if (count == 0 || slot_is_fresh(slot)) {
        *changed += len;
        return OX_OK;
    }
    if ((code = buf_resize(&self->predicted, len, err)) != OX_OK ||
        (code = buf_resize(&self->values, len, err)) != OX_OK ||
        (contexts && (code = buf_resize(&self->contexts, count, err)) != OX_OK)) {
        return code;
    }
    part_predict(part, slot, self->gathered.data, self->bytes.data, self->predicted.data,
                 contexts ? self->contexts.data : NULL);
    part_extract(part, slot, self->bytes.data, self->values.data);
    *changed += count_differing(self->predicted.data, self->values.data, len);
    return OX_OK;
}

enum ox_code weigh_part(struct weigher *self, struct gathering *from, const struct part *part,
                        uint64_t target, uint64_t *changed, struct ox_err *err)
{
    uint64_t base_bytes = part_base_bytes(part);
    enum ox_code code;

    *changed = 0;
    if (base_bytes > OX_OXDL_GATHER_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "a part of a frame is predicted from %llu bytes",
                          (unsigned long long)base_bytes);
    }
    if ((code = buf_resize(&self->gathered, (size_t)base_bytes, err)) != OX_OK ||
        (code = buf_resize(&self->bytes, part->target_bytes, err)) != OX_OK ||
        (code = gather(self, from, self->gathered.data, (size_t)base_bytes, err)) != OX_OK) {
        return code;
    }
    code = ox_source_read(self->target, target, self->bytes.data, part->target_bytes, err);
    for (unsigned slot = 0; code == OX_OK && slot < SLOT_COUNT; slot++) {
        code = weigh_slot(self, part, (enum slot)slot, changed, err);
    }
    return code;
}

/* --- differences side by side --- */

static enum ox_code weigh_side_by_side(struct weigher *self, struct gathering *from,
                                       uint64_t target, struct piece_share *piece,
                                       struct ox_err *err)
{
    enum ox_code code = OX_OK;

    piece->weight = 0;
    for (uint32_t at = 0; code == OX_OK && at < piece->target_bytes;) {
        uint32_t left = piece->target_bytes - at;
        size_t take = left < SLICE_BYTES ? left : SLICE_BYTES;

        if ((code = buf_resize(&self->gathered, take, err)) != OX_OK ||
            (code = buf_resize(&self->bytes, take, err)) != OX_OK ||
            (code = gather(self, from, self->gathered.data, take, err)) != OX_OK) {
            return code;
        }
        code = ox_source_read(self->target, target + at, self->bytes.data, take, err);
        if (code == OX_OK) {
            piece->weight += count_differing(self->gathered.data, self->bytes.data, take);
        }
        at += (uint32_t)take;
    }
    return code;
}

/* --- bytes that stand nowhere near --- */

/* The last bytes that went by. */
struct window {
    uint64_t bytes;
    uint64_t count;
};

/* Let a byte in. Was the run that it ends seen before? It is from now on. */
static bool see(struct weigher *self, struct window *window, uint8_t byte)
{
    uint64_t sum;
    uint8_t bit;
    uint8_t *place;
    bool seen;

    window->bytes = window->bytes >> 8 | (uint64_t)byte << 56;
    if (++window->count < SEEN_RUN) {
        return false;
    }
    sum = (window->bytes * 0x9e3779b97f4a7c15u) >> (64 - SEEN_LOG2);
    bit = (uint8_t)(1u << (sum & 7));
    place = &self->seen.data[sum >> 3];
    seen = (*place & bit) != 0;
    *place |= bit;
    return seen;
}

static enum ox_code see_ranges(struct weigher *self, const struct ox_oxdl_frame *frame,
                               struct ox_err *err)
{
    struct gathering from = {frame, 0, 0};
    struct window window = {0, 0};
    enum ox_code code = buf_resize(&self->seen, (size_t)1 << (SEEN_LOG2 - 3), err);

    if (code == OX_OK) {
        memset(self->seen.data, 0, self->seen.len_bytes);
        code = buf_resize(&self->gathered, SLICE_BYTES, err);
    }
    for (uint32_t at = 0; code == OX_OK && at < frame->ranges_bytes;) {
        uint32_t left = frame->ranges_bytes - at;
        size_t take = left < SLICE_BYTES ? left : SLICE_BYTES;

        code = gather(self, &from, self->gathered.data, take, err);
        for (size_t i = 0; code == OX_OK && i < take; i++) {
            (void)see(self, &window, self->gathered.data[i]);
        }
        at += (uint32_t)take;
    }
    return code;
}

/* `unseen`: bytes in front that no seen run holds so far; carried from piece to piece, since a run
 * may reach over their border. */
static enum ox_code weigh_new(struct weigher *self, struct window *window, uint64_t target,
                              struct piece_share *piece, uint64_t *unseen, struct ox_err *err)
{
    uint64_t known = 0;
    enum ox_code code = buf_resize(&self->bytes, SLICE_BYTES, err);

    for (uint32_t at = 0; code == OX_OK && at < piece->target_bytes;) {
        uint32_t left = piece->target_bytes - at;
        size_t take = left < SLICE_BYTES ? left : SLICE_BYTES;

        code = ox_source_read(self->target, target + at, self->bytes.data, take, err);
        for (size_t i = 0; code == OX_OK && i < take; i++) {
            ++*unseen;
            if (see(self, window, self->bytes.data[i])) {
                known += *unseen < SEEN_RUN ? *unseen : SEEN_RUN;
                *unseen = 0;
            }
        }
        at += (uint32_t)take;
    }
    piece->weight = known < piece->target_bytes ? piece->target_bytes - known : 0;
    return code;
}

enum ox_code weigh_frame(struct weigher *self, const struct ox_oxdl_frame *frame,
                         struct piece_share *pieces, size_t count, struct ox_err *err)
{
    struct gathering from = {frame, 0, 0};
    struct window window = {0, 0};
    uint64_t target = frame->target_offset;
    uint64_t unseen = 0;
    bool beside = frame->op == OX_OXDL_XOR || frame->op == OX_OXDL_SUB;
    bool as_long = frame->op == OX_OXDL_COPY || frame->op == OX_OXDL_RAW;
    enum ox_code code = OX_OK;

    if (as_long || count == 1) { /* all bytes cost the same, or there is nothing to share out */
        return OX_OK;
    }
    if (!beside) {
        code = see_ranges(self, frame, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = beside ? weigh_side_by_side(self, &from, target, &pieces[i], err)
                      : weigh_new(self, &window, target, &pieces[i], &unseen, err);
        target += pieces[i].target_bytes;
    }
    return code;
}

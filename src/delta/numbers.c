#include "numbers.h"

#include "decode.h"
#include "numbers_parts.h"
#include "scales_nibbles.h"

#include <stdlib.h>
#include <string.h>

/*
 * The body: varint number of parts; the parts, see numbers_parts.c; then, for each slot that has
 * numbers, in ascending order, its stream.
 */

void numbers_clear(struct numbers *self)
{
    stream_coder_free(self->coder);
    ox_buf_clear(&self->predicted);
    ox_buf_clear(&self->contexts);
    ox_buf_clear(&self->values);
    ox_buf_clear(&self->stream_parts);
    ox_buf_clear(&self->sent);
    ox_buf_clear(&self->fitting);
    ox_buf_clear(&self->parts);
    *self = (struct numbers){.coder = NULL};
}

size_t numbers_held(const struct numbers *self)
{
    return self->predicted.cap_bytes + self->contexts.cap_bytes + self->values.cap_bytes +
           self->stream_parts.cap_bytes + self->sent.cap_bytes + self->fitting.cap_bytes +
           self->parts.cap_bytes + (self->coder == NULL ? 0 : stream_coder_held(self->coder));
}

enum ox_code numbers_read_parts(struct numbers *self, struct ox_reader *body, size_t n,
                                size_t *count, struct ox_err *err)
{
    uint64_t claimed = 0;
    uint64_t total = 0;
    enum ox_code code = ox_reader_varint(body, &claimed, err);

    if (code != OX_OK) {
        return code;
    }
    if (claimed == 0 || claimed > NUMBERS_PARTS_MAX || n > NUMBERS_TARGET_MAX) {
        return ox_err_set(err, OX_ECORRUPT,
                          "a frame of numbers has %llu parts and %zu bytes, 1 to %d and at most %u "
                          "can be",
                          (unsigned long long)claimed, n, NUMBERS_PARTS_MAX, NUMBERS_TARGET_MAX);
    }
    code = buf_resize(&self->parts, (size_t)claimed * sizeof(struct part), err);
    for (size_t i = 0; code == OX_OK && i < claimed; i++) {
        struct part *part = (struct part *)(void *)self->parts.data + i;

        code = part_read(body, part, err);
        total += part->target_bytes;
    }
    if (code == OX_OK && total != n) {
        return ox_err_set(err, OX_ECORRUPT, "the parts of a frame have %llu bytes, not %zu",
                          (unsigned long long)total, n);
    }
    *count = (size_t)claimed;
    return code;
}

/* --- streams --- */

/* All numbers of one slot, of all parts. */
struct gathered {
    struct stream stream;
    const uint8_t *values; /* where they are */
    uint8_t *room;         /* where they go; NULL: nowhere, the target is only read */
    bool in_place;         /* values stand in the target itself, or are none of its numbers */
};

/* Part by part through a slot. */
struct walk {
    const struct part *parts;
    size_t part_count;
    const uint8_t *base;
    const uint8_t *target;
    uint8_t *out; /* the same, to be filled; NULL: it is only read */
};

static size_t count_slot(const struct walk *walk, enum slot slot)
{
    size_t count = 0;

    for (size_t i = 0; i < walk->part_count; i++) {
        count += part_count(&walk->parts[i], slot);
    }
    return count;
}

/* Where the slot's numbers stand together, if they do: then nothing needs to be copied. */
struct place {
    bool values;    /* those of neighbouring parts, as they are */
    bool predicted; /* and the base's bytes predict them, as they are */
    size_t target;
    size_t base;
};

static struct place find_place(const struct walk *walk, enum slot slot)
{
    struct place place = {true, true, 0, 0};
    size_t target_at = 0;
    size_t base_at = 0;
    bool begun = false;
    bool ended = false;

    for (size_t i = 0; i < walk->part_count; i++) {
        const struct part *part = &walk->parts[i];
        bool here = part_count(part, slot) > 0;

        if (here) {
            place.values = place.values && !ended && part_is_plain(part, slot);
            place.predicted = place.predicted && part->how.predictor == PREDICT_SAME;
        }
        if (here && !begun) {
            place.target = target_at;
            place.base = base_at;
        }
        ended = ended || (begun && !here);
        begun = begun || here;
        target_at += part->target_bytes;
        base_at += (size_t)part_base_bytes(part);
    }
    place.predicted = place.predicted && place.values;
    return place;
}

static enum ox_code list_parts(struct numbers *self, const struct walk *walk, enum slot slot,
                               struct stream *stream, struct ox_err *err)
{
    struct stream_part *list;
    enum ox_code code =
        buf_resize(&self->stream_parts, walk->part_count * sizeof(struct stream_part), err);

    if (code != OX_OK) {
        return code;
    }
    list = (struct stream_part *)(void *)self->stream_parts.data;
    stream->parts = list;
    for (size_t i = 0; i < walk->part_count; i++) {
        const struct part *part = &walk->parts[i];
        size_t count = part_count(part, slot);
        struct stream_part listed = {.count = (uint32_t)count};

        if (slot == SLOT_SENT && part->how.predictor == PREDICT_FACTORS) {
            listed.columns = (uint32_t)count / part->how.rank;
        } else if (slot == SLOT_SENT) { /* two rows of scales */
            listed.columns = (uint32_t)count / 2;
        } else if (part->how.predictor <= PREDICT_PRUNED ||
                   part->how.predictor == PREDICT_FACTORS) { /* columns are those of the stream */
            listed.columns = part->how.columns;
            listed.column = part->column;
        }
        if (count > 0) {
            list[stream->part_count++] = listed;
        }
    }
    return OX_OK;
}

/* What is sent is predicted by nothing, and stays in self->sent: there the parts find it. */
static enum ox_code gather_sent(struct numbers *self, struct gathered *out, struct ox_err *err)
{
    size_t len = out->stream.count * number_kinds[out->stream.kind].width;
    enum ox_code code;

    if ((code = buf_resize(&self->predicted, len, err)) != OX_OK ||
        (code = buf_resize(&self->sent, len, err)) != OX_OK) {
        return code;
    }
    memset(self->predicted.data, 0, len);
    out->in_place = true;
    out->values = self->sent.data;
    out->room = self->sent.data;
    out->stream.predicted = self->predicted.data;
    return OX_OK;
}

/* The base bytes of the next part. There may be none at all, and no memory for them. */
static const uint8_t *behind(const uint8_t *base, const struct part *part)
{
    uint64_t bytes = part_base_bytes(part);

    return bytes == 0 ? base : base + bytes;
}

static size_t sent_bytes(const struct part *part)
{
    return part_count(part, SLOT_SENT) * number_kinds[slot_kind(SLOT_SENT)].width;
}

/* The next of self->sent: what the part sends. */
static void lend_sent(const struct numbers *self, struct part *part, size_t *at)
{
    size_t bytes = sent_bytes(part);

    part->sent = bytes == 0 ? NULL : self->sent.data + *at;
    *at += bytes;
}

static void predict_slot(struct numbers *self, const struct walk *walk, enum slot slot)
{
    size_t width = number_kinds[slot_kind(slot)].width;
    bool contexts = slot_has_contexts(slot);
    const uint8_t *base = walk->base;
    const uint8_t *target = walk->target;
    size_t sent = 0;
    size_t at = 0;

    for (size_t i = 0; i < walk->part_count; i++) {
        struct part part = walk->parts[i];
        size_t n = part_count(&part, slot);

        lend_sent(self, &part, &sent);
        if (n > 0) {
            part_predict(&part, slot, base, target, self->predicted.data + at * width,
                         contexts ? self->contexts.data + at : NULL);
        }
        at += n;
        target += part.target_bytes;
        base = behind(base, &part);
    }
}

/* Predict all numbers of a slot. Without numbers stream.count is 0. */
static enum ox_code gather_slot(struct numbers *self, const struct walk *walk, enum slot slot,
                                struct gathered *out, struct ox_err *err)
{
    enum number_kind kind = slot_kind(slot);
    size_t width = number_kinds[kind].width;
    size_t count = count_slot(walk, slot);
    bool contexts = slot_has_contexts(slot);
    struct place place;
    enum ox_code code;

    *out =
        (struct gathered){.stream = {.kind = kind, .fresh = slot_is_fresh(slot), .count = count}};
    if (count == 0) {
        return OX_OK;
    }
    if (count > (contexts ? STREAM_GIVEN_MAX : STREAM_COUNT_MAX)) {
        return ox_err_set(err, OX_ECORRUPT, "a frame has a stream of %zu numbers, %zu can be",
                          count, contexts ? STREAM_GIVEN_MAX : STREAM_COUNT_MAX);
    }
    if ((code = list_parts(self, walk, slot, &out->stream, err)) != OX_OK) {
        return code;
    }
    if (slot == SLOT_SENT) {
        return gather_sent(self, out, err);
    }
    place = find_place(walk, slot);
    out->in_place = place.values;
    if (place.values) {
        out->values = walk->target + place.target;
        out->room = walk->out == NULL ? NULL : walk->out + place.target;
    }
    if (place.predicted) {
        out->stream.predicted = walk->base + place.base;
        return OX_OK;
    }
    if ((code = buf_resize(&self->predicted, count * width, err)) != OX_OK ||
        (!place.values && (code = buf_resize(&self->values, count * width, err)) != OX_OK) ||
        (contexts && (code = buf_resize(&self->contexts, count, err)) != OX_OK)) {
        return code;
    }
    if (!place.values) {
        out->values = self->values.data;
        out->room = self->values.data;
    }
    out->stream.predicted = self->predicted.data;
    out->stream.contexts = contexts ? self->contexts.data : NULL;
    predict_slot(self, walk, slot);
    return OX_OK;
}

/* Take the slot's numbers out of the target, or put them into it. */
static void move_values(const struct walk *walk, enum slot slot, const struct gathered *gathered)
{
    size_t width = number_kinds[gathered->stream.kind].width;
    uint8_t *values = gathered->room;
    size_t at = 0;

    for (size_t i = 0; i < walk->part_count && !gathered->in_place; i++) {
        const struct part *part = &walk->parts[i];
        size_t n = part_count(part, slot);

        if (n > 0 && walk->out != NULL) {
            part_place(part, slot, values, walk->out + at);
        } else if (n > 0) {
            part_extract(part, slot, walk->target + at, values);
        }
        values += n * width;
        at += part->target_bytes;
    }
}

static enum ox_code want_coder(struct numbers *self, struct ox_err *err)
{
    return self->coder != NULL ? OX_OK : stream_coder_new(&self->coder, err);
}

/* Find what all parts send, for self->sent. */
static enum ox_code fit_sent(struct numbers *self, const struct walk *walk, uint8_t *sent,
                             struct ox_err *err)
{
    const uint8_t *base = walk->base;
    const uint8_t *target = walk->target;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < walk->part_count; i++) {
        const struct part *part = &walk->parts[i];

        if (part->how.predictor == PREDICT_FACTORS) {
            struct factors_shape shape = part_factors(part);

            code = factors_fit(&shape, base, target, &self->fitting, sent, err);
        } else if (prediction_sends(&part->how)) {
            struct scales_shape shape = part_scales(part);

            (shape.nibbles ? scales_fit_nibbles : scales_fit)(&shape, base, target, sent);
        }
        sent += sent_bytes(part);
        base = behind(base, part);
        target += part->target_bytes;
    }
    return code;
}

/* Encode, or (body NULL) count the cost of, all streams. */
static enum ox_code code_streams(struct numbers *self, const struct walk *walk, bool mixes,
                                 struct ox_buf *body, uint64_t *cost_bytes, struct ox_err *err)
{
    enum ox_code code = want_coder(self, err);

    for (unsigned slot = 0; code == OX_OK && slot < SLOT_COUNT; slot++) {
        struct gathered gathered;
        uint64_t cost = 0;

        code = gather_slot(self, walk, (enum slot)slot, &gathered, err);
        if (code != OX_OK || gathered.stream.count == 0) {
            continue;
        }
        if (slot == SLOT_SENT && (code = fit_sent(self, walk, gathered.room, err)) != OX_OK) {
            return code;
        }
        move_values(walk, (enum slot)slot, &gathered);
        if (body != NULL) {
            code = stream_encode(self->coder, &gathered.stream, gathered.values, mixes, body, err);
        } else {
            code = stream_cost(self->coder, &gathered.stream, gathered.values, &cost, err);
            *cost_bytes += cost;
        }
    }
    return code;
}

enum ox_code numbers_encode(struct numbers *self, const struct part *parts, size_t part_count,
                            const uint8_t *target, const uint8_t *base, bool mixes,
                            struct ox_buf *body, struct ox_err *err)
{
    struct walk walk = {parts, part_count, base, target, NULL};
    enum ox_code code = ox_buf_put_varint(body, part_count, err);

    for (size_t i = 0; code == OX_OK && i < part_count; i++) {
        code = part_put(&parts[i], body, err);
    }
    return code == OX_OK ? code_streams(self, &walk, mixes, body, NULL, err) : code;
}

enum ox_code numbers_cost(struct numbers *self, const struct part *parts, size_t part_count,
                          const uint8_t *target, const uint8_t *base, uint64_t *cost_bytes,
                          struct ox_err *err)
{
    struct walk walk = {parts, part_count, base, target, NULL};

    *cost_bytes = 0;
    return code_streams(self, &walk, false, NULL, cost_bytes, err);
}

static enum ox_code decode_slot(struct numbers *self, const struct walk *walk, enum slot slot,
                                struct ox_reader *body, struct ox_err *err)
{
    struct gathered gathered;
    enum ox_code code = gather_slot(self, walk, slot, &gathered, err);

    if (code != OX_OK || gathered.stream.count == 0) {
        return code;
    }
    code = stream_decode(self->coder, &gathered.stream, gathered.room, body, err);
    if (code == OX_OK) {
        move_values(walk, slot, &gathered);
    }
    return code;
}

enum ox_code numbers_read_sent(struct numbers *self, struct ox_reader *body, size_t part_count,
                               struct ox_err *err)
{
    struct part *parts = (struct part *)(void *)self->parts.data;
    struct walk walk = {.parts = parts, .part_count = part_count};
    size_t at = 0;
    enum ox_code code;

    if ((code = want_coder(self, err)) != OX_OK ||
        (code = decode_slot(self, &walk, SLOT_SENT, body, err)) != OX_OK) {
        return code;
    }
    for (size_t i = 0; i < part_count; i++) {
        lend_sent(self, &parts[i], &at);
    }
    return OX_OK;
}

enum ox_code numbers_decode(struct numbers *self, struct ox_reader *body, const uint8_t *base,
                            size_t base_bytes, uint8_t *target, size_t n, struct ox_err *err)
{
    struct walk walk = {.base = base, .target = target, .out = target};
    uint64_t wanted = 0;
    enum ox_code code;

    if ((code = want_coder(self, err)) != OX_OK ||
        (code = numbers_read_parts(self, body, n, &walk.part_count, err)) != OX_OK) {
        return code;
    }
    walk.parts = (const struct part *)(const void *)self->parts.data;
    for (size_t i = 0; i < walk.part_count; i++) {
        wanted += part_base_bytes(&walk.parts[i]);
    }
    if (wanted != base_bytes) {
        return ox_err_set(err, OX_ECORRUPT,
                          "the parts of a frame are predicted from %llu bytes, its ranges have %zu",
                          (unsigned long long)wanted, base_bytes);
    }
    for (unsigned slot = 0; code == OX_OK && slot < SLOT_COUNT; slot++) {
        code = decode_slot(self, &walk, (enum slot)slot, body, err);
    }
    return code == OX_OK ? ox_reader_end(body, err) : code;
}

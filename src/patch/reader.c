/* The streaming reader of OXDL 2: gathers one header or frame at a time, checks it, hands it over.
 */
#include "header.h"

#include <stdlib.h>
#include <string.h>

/* The longest front of a frame: op, two lengths, count, ranges of two numbers each, sum. */
#define FRAME_FRONT_MAX (1 + 5 + 5 + 2 + OX_OXDL_RANGES_MAX * 20 + OXDL_SUM_BYTES)

enum reader_state { WANT_HEADER, WANT_FRAME, ENDED, BROKEN };

struct ox_oxdl_reader {
    struct ox_oxdl_handler handler;
    enum reader_state state;
    struct ox_buf pending; /* bytes of the unit that is not whole yet */
    size_t need_bytes;     /* look again when so many are pending */
    uint64_t offset;       /* in the patch, of pending's first byte */
    uint64_t target_offset;
    uint64_t frames;
    uint64_t header_bytes;
    struct ox_oxdl_header header;
    struct ox_oxdl_range ranges[OX_OXDL_RANGES_MAX];
};

enum ox_code ox_oxdl_reader_new(struct ox_oxdl_reader **out, const struct ox_oxdl_handler *handler,
                                struct ox_err *err)
{
    struct ox_oxdl_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL) {
        return ox_err_nomem(err, "a patch reader");
    }
    reader->handler = *handler;
    reader->need_bytes = OXDL_FRONT_MIN;
    *out = reader;
    return OX_OK;
}

void ox_oxdl_reader_free(struct ox_oxdl_reader *reader)
{
    if (reader != NULL) {
        ox_buf_clear(&reader->pending);
        ox_oxdl_header_clear(&reader->header);
        free(reader);
    }
}

void ox_oxdl_reader_mark(const struct ox_oxdl_reader *reader, struct ox_oxdl_mark *out)
{
    *out = (struct ox_oxdl_mark){reader->offset, reader->target_offset, reader->frames};
}

uint64_t ox_oxdl_reader_header_bytes(const struct ox_oxdl_reader *reader)
{
    return reader->header_bytes;
}

enum ox_code ox_oxdl_reader_resume(struct ox_oxdl_reader *reader, const struct ox_oxdl_mark *mark,
                                   struct ox_err *err)
{
    if (reader->state != WANT_FRAME || reader->frames > 0 || reader->pending.len_bytes > 0 ||
        mark->patch_bytes < reader->offset ||
        mark->target_bytes > reader->header.target.size_bytes ||
        mark->frames > mark->target_bytes) {
        return ox_err_set(err, OX_ECORRUPT,
                          "a patch cannot go on at offset %llu, frame %llu, byte %llu of %llu",
                          (unsigned long long)mark->patch_bytes, (unsigned long long)mark->frames,
                          (unsigned long long)mark->target_bytes,
                          (unsigned long long)reader->header.target.size_bytes);
    }
    reader->offset = mark->patch_bytes;
    reader->target_offset = mark->target_bytes;
    reader->frames = mark->frames;
    return OX_OK;
}

static enum ox_code read_range(const struct ox_oxdl_reader *self, struct ox_reader *in,
                               uint64_t *expected, struct ox_oxdl_range *out, struct ox_err *err)
{
    uint64_t head = 0;
    uint64_t place = 0;
    enum ox_code code;

    if ((code = ox_reader_varint(in, &head, err)) != OX_OK ||
        (code = ox_reader_varint(in, &place, err)) != OX_OK) {
        return code;
    }
    out->len_bytes = head >> 1;
    out->from_target = (head & 1) != 0;
    if (out->len_bytes == 0 || out->len_bytes > OX_OXDL_GATHER_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "a frame names a range of %llu bytes, 1 to %u can be",
                          (unsigned long long)out->len_bytes, OX_OXDL_GATHER_MAX);
    }
    if (out->from_target) {
        if (place > self->target_offset || out->len_bytes > place) {
            return ox_err_set(err, OX_ECORRUPT,
                              "a frame reads target bytes that are not there yet");
        }
        out->offset = self->target_offset - place;
        return OX_OK;
    }
    out->offset = *expected + ((place >> 1) ^ (~(place & 1) + 1));
    if (out->offset > self->header.base.size_bytes ||
        out->len_bytes > self->header.base.size_bytes - out->offset) {
        return ox_err_set(err, OX_ECORRUPT, "a frame reads outside the base");
    }
    *expected = out->offset + out->len_bytes;
    return OX_OK;
}

static enum ox_code check_sizes(const struct ox_oxdl_reader *self, uint64_t target_bytes,
                                uint64_t body_bytes, uint64_t ranges, struct ox_err *err)
{
    if (target_bytes == 0 || target_bytes > OX_OXDL_FRAME_TARGET_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "a frame rebuilds %llu bytes, 1 to %u can be",
                          (unsigned long long)target_bytes, OX_OXDL_FRAME_TARGET_MAX);
    }
    if (target_bytes > self->header.target.size_bytes - self->target_offset) {
        return ox_err_set(err, OX_ECORRUPT, "the frames rebuild more than the target has");
    }
    if (body_bytes > OX_OXDL_FRAME_BODY_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "a frame's body has %llu bytes, at most %u can be",
                          (unsigned long long)body_bytes, OX_OXDL_FRAME_BODY_MAX);
    }
    if (ranges > OX_OXDL_RANGES_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "a frame names %llu ranges, at most %d can be",
                          (unsigned long long)ranges, OX_OXDL_RANGES_MAX);
    }
    return OX_OK;
}

bool ox_oxdl_frame_fits(enum ox_oxdl_op op, uint64_t target_bytes, uint64_t ranges_bytes,
                        uint64_t body_bytes)
{
    bool numbers = op == OX_OXDL_XOR || op == OX_OXDL_SUB || op == OX_OXDL_NUMBERS;

    return target_bytes <= (numbers ? OX_OXDL_NUMBERS_MAX : OX_OXDL_FRAME_TARGET_MAX) &&
           ranges_bytes <= (numbers ? OX_OXDL_NUMBERS_MAX : OX_OXDL_GATHER_MAX) &&
           body_bytes <= OX_OXDL_FRAME_BODY_MAX &&
           (op == OX_OXDL_COPY ||
            target_bytes + ranges_bytes + body_bytes <= OX_OXDL_FRAME_ALL_MAX);
}

/* The front of the frame in `in`. OX_OK with its fields, ranges included. Where it is not whole,
 * self->need_bytes is what it has at least: looking again byte after byte would be quadratic. */
static enum ox_code parse_front(struct ox_oxdl_reader *self, struct ox_reader *in,
                                struct ox_oxdl_frame *frame, struct ox_err *err)
{
    uint8_t op = 0;
    uint64_t target_bytes = 0;
    uint64_t body_bytes = 0;
    uint64_t ranges = 0;
    uint64_t gathered = 0;
    uint64_t expected = self->target_offset;
    enum ox_code code;

    if ((code = ox_reader_u8(in, &op, err)) != OX_OK) {
        return code;
    }
    if (op >= OX_OXDL_OP_COUNT || (self->header.ops >> op & 1) == 0) {
        return ox_err_set(err, op >= OX_OXDL_OP_COUNT ? OX_EUNSUPPORTED : OX_ECORRUPT,
                          "a frame has operation %u, which the header does not announce", op);
    }
    if ((code = ox_reader_varint(in, &target_bytes, err)) != OX_OK ||
        (code = ox_reader_varint(in, &body_bytes, err)) != OX_OK ||
        (code = ox_reader_varint(in, &ranges, err)) != OX_OK ||
        (code = check_sizes(self, target_bytes, body_bytes, ranges, err)) != OX_OK) {
        return code;
    }
    for (uint64_t i = 0; i < ranges; i++) {
        self->need_bytes = in->pos + 2 * (size_t)(ranges - i) + OXDL_SUM_BYTES;
        code = read_range(self, in, &expected, &self->ranges[i], err);
        if (code != OX_OK) {
            return code;
        }
        gathered += self->ranges[i].len_bytes;
    }
    if (!ox_oxdl_frame_fits((enum ox_oxdl_op)op, target_bytes, gathered, body_bytes)) {
        return ox_err_set(
            err, OX_ECORRUPT,
            "a frame of operation %s rebuilds %llu bytes from %llu of ranges and %llu "
            "of body, which are more than it can",
            ox_oxdl_op_word((enum ox_oxdl_op)op), (unsigned long long)target_bytes,
            (unsigned long long)gathered, (unsigned long long)body_bytes);
    }
    frame->op = (enum ox_oxdl_op)op;
    frame->target_offset = self->target_offset;
    frame->target_bytes = (uint32_t)target_bytes;
    frame->body_bytes = (uint32_t)body_bytes;
    frame->range_count = (size_t)ranges;
    frame->ranges = self->ranges;
    frame->ranges_bytes = (uint32_t)gathered;
    return ox_reader_u64le(in, &frame->sum, err);
}

static enum ox_code take_end(struct ox_oxdl_reader *self, struct ox_reader *in, size_t *used_bytes,
                             struct ox_err *err)
{
    uint64_t frames = 0;
    uint8_t op = 0;
    enum ox_code code;

    if ((code = ox_reader_u8(in, &op, err)) != OX_OK ||
        (code = ox_reader_varint(in, &frames, err)) != OX_OK) {
        return code;
    }
    if (frames != self->frames || self->target_offset != self->header.target.size_bytes) {
        return ox_err_set(err, OX_ECORRUPT,
                          "the patch ends after %llu frames and %llu bytes of target, it should "
                          "have %llu frames and %llu bytes",
                          (unsigned long long)self->frames, (unsigned long long)self->target_offset,
                          (unsigned long long)frames,
                          (unsigned long long)self->header.target.size_bytes);
    }
    self->state = ENDED;
    *used_bytes = in->pos;
    return OX_OK;
}

/* The frame or end frame at the start of `in`. */
static enum ox_code parse_unit(struct ox_oxdl_reader *self, struct ox_reader *in,
                               struct ox_oxdl_frame *frame, size_t *used_bytes, struct ox_err *err)
{
    in->pos = 0;
    return in->data[0] == OX_OXDL_END ? take_end(self, in, used_bytes, err)
                                      : parse_front(self, in, frame, err);
}

/*
 * Try to take one unit (header or frame) from the front of bytes. *used_bytes is 0 if it is not
 * whole yet; self->need_bytes then says how many bytes to wait for.
 */
static enum ox_code take_unit(struct ox_oxdl_reader *self, const uint8_t *bytes, size_t len_bytes,
                              size_t *used_bytes, struct ox_err *err)
{
    struct ox_oxdl_frame frame = {0};
    struct ox_reader in;
    enum ox_code code;

    *used_bytes = 0;
    if (self->state == WANT_HEADER) {
        code = oxdl_header_length(bytes, len_bytes, &self->need_bytes, err);
        if (code != OX_OK || len_bytes < self->need_bytes) {
            return code;
        }
        code = oxdl_header_parse(bytes, self->need_bytes, &self->header, err);
        if (code == OX_OK) {
            code = self->handler.on_header(self->handler.ctx, &self->header, err);
        }
        if (code == OX_OK) {
            *used_bytes = self->need_bytes;
            self->header_bytes = self->need_bytes;
            self->state = WANT_FRAME;
        }
        return code;
    }
    ox_reader_init(&in, bytes, len_bytes, "patch frame");
    code = parse_unit(self, &in, &frame, used_bytes, NULL);
    if (code == OX_ECORRUPT && in.pos + 16 > len_bytes && len_bytes < FRAME_FRONT_MAX) {
        if (self->need_bytes <= len_bytes) { /* perhaps the front is just not whole */
            self->need_bytes = len_bytes + 1;
        }
        return OX_OK;
    }
    if (code != OX_OK) {
        return parse_unit(self, &in, &frame, used_bytes, err);
    }
    if (self->state == ENDED) {
        return OX_OK;
    }
    if (ox_reader_left(&in) < frame.body_bytes) {
        self->need_bytes = in.pos + frame.body_bytes;
        return OX_OK;
    }
    if ((code = ox_reader_bytes(&in, frame.body_bytes, &frame.body, err)) != OX_OK ||
        (code = self->handler.on_frame(self->handler.ctx, &frame, err)) != OX_OK) {
        return code;
    }
    self->frames++;
    self->target_offset += frame.target_bytes;
    *used_bytes = in.pos;
    return OX_OK;
}

/* Take whole units from bytes; *used_bytes says how far that came. */
static enum ox_code take_units(struct ox_oxdl_reader *self, const uint8_t *bytes, size_t len_bytes,
                               size_t *used_bytes, struct ox_err *err)
{
    size_t at = 0;
    enum ox_code code = OX_OK;

    while (code == OX_OK && at < len_bytes && self->state != ENDED) {
        size_t used = 0;

        code = take_unit(self, bytes + at, len_bytes - at, &used, err);
        if (used == 0) {
            break;
        }
        at += used;
        self->offset += used;
        self->need_bytes = 1;
    }
    *used_bytes = at;
    return code;
}

static enum ox_code feed(struct ox_oxdl_reader *self, const uint8_t *bytes, size_t len_bytes,
                         struct ox_err *err)
{
    size_t used = 0;
    enum ox_code code = OX_OK;

    /* Complete what is pending first; then take units straight from the caller's bytes. */
    while (code == OX_OK && self->pending.len_bytes > 0 && len_bytes > 0) {
        size_t want = self->need_bytes > self->pending.len_bytes
                          ? self->need_bytes - self->pending.len_bytes
                          : 1;
        size_t take = want < len_bytes ? want : len_bytes;

        code = ox_buf_append(&self->pending, bytes, take, err);
        if (code != OX_OK) {
            return code;
        }
        bytes += take;
        len_bytes -= take;
        if (self->pending.len_bytes < self->need_bytes) {
            continue;
        }
        code = take_units(self, self->pending.data, self->pending.len_bytes, &used, err);
        if (code == OX_OK && used > 0) {
            memmove(self->pending.data, self->pending.data + used, self->pending.len_bytes - used);
            self->pending.len_bytes -= used;
        }
    }
    if (code == OX_OK && len_bytes > 0 && self->state != ENDED) {
        code = take_units(self, bytes, len_bytes, &used, err);
        bytes += used;
        len_bytes -= used;
        if (code == OX_OK && self->state != ENDED) {
            return ox_buf_append(&self->pending, bytes, len_bytes, err);
        }
    }
    if (code == OX_OK && self->state == ENDED && len_bytes + self->pending.len_bytes > 0) {
        code = ox_err_set(err, OX_ECORRUPT, "bytes follow the end frame");
    }
    return code;
}

enum ox_code ox_oxdl_reader_feed(struct ox_oxdl_reader *reader, const void *bytes, size_t len_bytes,
                                 struct ox_err *err)
{
    enum ox_code code;

    if (reader->state == BROKEN) {
        return ox_err_set(err, OX_ECORRUPT, "the patch was refused before");
    }
    if (len_bytes == 0) {
        return OX_OK;
    }
    code = feed(reader, bytes, len_bytes, err);
    if (code != OX_OK) {
        reader->state = BROKEN;
        if (code == OX_ECORRUPT) {
            (void)ox_err_context(err, "patch damaged near offset %llu",
                                 (unsigned long long)reader->offset);
        }
    }
    return code;
}

enum ox_code ox_oxdl_reader_finish(struct ox_oxdl_reader *reader, struct ox_err *err)
{
    if (reader->state == ENDED) {
        return OX_OK;
    }
    return ox_err_set(err, OX_ECORRUPT, "the patch was cut short: it ends at offset %llu",
                      (unsigned long long)(reader->offset + reader->pending.len_bytes));
}

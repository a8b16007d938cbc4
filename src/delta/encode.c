#include "decode.h"
#include "encoder.h"
#include "engines.h"
#include "oxide/crypto/xxh64.h"

#include <stdlib.h>

#define NUMBERS_MIN 256 /* fewer bytes of numbers are not worth a frame */

enum ox_code encoder_new(struct encoder **out, const struct ox_source *base,
                         const struct ox_source *target, uint64_t ops, struct ox_err *err)
{
    struct encoder *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        return ox_err_nomem(err, "an encoder");
    }
    self->base = base;
    self->target = target;
    self->ops = ops;
    self->zstd = ZSTD_createCCtx();
    if (self->zstd == NULL) {
        free(self);
        return ox_err_nomem(err, "an encoder");
    }
    *out = self;
    return OX_OK;
}

void encoder_free(struct encoder *encoder)
{
    if (encoder != NULL) {
        (void)ZSTD_freeCCtx(encoder->zstd);
        ox_buf_clear(&encoder->bytes);
        ox_buf_clear(&encoder->prefix);
        ox_buf_clear(&encoder->diff);
        ox_buf_clear(&encoder->planes);
        ox_buf_clear(&encoder->packed);
        for (size_t i = 0; i < 2; i++) {
            ox_buf_clear(&encoder->body[i]);
            ox_buf_clear(&encoder->frames[i]);
        }
        free(encoder);
    }
}

enum ox_code read_bytes(const struct ox_source *source, uint64_t offset, size_t len,
                        struct ox_buf *out, struct ox_err *err)
{
    enum ox_code code = buf_resize(out, len, err);

    return code == OX_OK ? ox_source_read(source, offset, out->data, len, err) : code;
}

enum ox_code put_frame(struct ox_buf *out, enum ox_oxdl_op op, uint64_t target,
                       const uint8_t *bytes, uint32_t n, const struct ox_oxdl_range *ranges,
                       size_t range_count, const struct ox_buf *body, struct ox_delta_stats *stats,
                       struct ox_err *err)
{
    struct ox_oxdl_frame frame = {.op = op,
                                  .target_offset = target,
                                  .target_bytes = n,
                                  .sum = ox_xxh64(bytes, n, target),
                                  .range_count = range_count,
                                  .ranges = ranges};
    size_t before = out->len_bytes;
    enum ox_code code;

    if (body != NULL) {
        frame.body = body->data;
        frame.body_bytes = (uint32_t)body->len_bytes;
    }
    code = ox_oxdl_put_frame(out, &frame, err);
    stats->frames++;
    stats->target_bytes[op] += n;
    stats->patch_bytes[op] += out->len_bytes - before;
    return code;
}

static bool is_numbers(const struct encoder *self, const struct piece *piece)
{
    return (may(self, OX_OXDL_XOR) || may(self, OX_OXDL_SUB)) && piece->has_base &&
           piece->len >= NUMBERS_MIN;
}

/* The stretch piece by piece: numbers by their difference, what lies between by zstd. */
static enum ox_code put_by_pieces(struct encoder *self, const struct stretch *stretch,
                                  struct ox_buf *out, struct ox_delta_stats *stats,
                                  struct ox_err *err)
{
    uint32_t at = 0;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < stretch->piece_count;) {
        const struct piece *piece = &stretch->pieces[i];
        const uint8_t *bytes = self->bytes.data + at;
        size_t end = i;
        uint32_t n = 0;

        while (end < stretch->piece_count && !is_numbers(self, &stretch->pieces[end])) {
            n += stretch->pieces[end++].len;
        }
        if (end > i) {
            code = put_zstd_frame(self, piece, end - i, stretch->target + at, bytes, n, SIZE_MAX,
                                  out, stats, err);
            i = end;
        } else {
            n = piece->len;
            code = put_planes_frame(self, piece, stretch->target + at, bytes, out, stats, err);
            i++;
        }
        at += n;
    }
    return code;
}

static enum ox_code put_copy(struct encoder *self, const struct stretch *stretch,
                             struct ox_buf *out, struct ox_delta_stats *stats, struct ox_err *err)
{
    for (size_t i = 0; i < stretch->piece_count; i++) {
        self->ranges[i] =
            (struct ox_oxdl_range){false, stretch->pieces[i].base, stretch->pieces[i].len};
    }
    return put_frame(out, OX_OXDL_COPY, stretch->target, self->bytes.data, stretch->len,
                     self->ranges, stretch->piece_count, NULL, stats, err);
}

enum ox_code encoder_run(struct encoder *encoder, const struct stretch *stretch, struct ox_buf *out,
                         struct ox_delta_stats *stats, struct ox_err *err)
{
    struct encoder *self = encoder;
    struct ox_delta_stats counts[2] = {{.frames = 0}, {.frames = 0}};
    size_t beat = SIZE_MAX;
    bool numbers = false;
    size_t best = 1;
    enum ox_code code = read_bytes(self->target, stretch->target, stretch->len, &self->bytes, err);

    if (code != OX_OK) {
        return code;
    }
    if (stretch->copy) {
        return put_copy(self, stretch, out, stats, err);
    }
    for (size_t i = 0; i < stretch->piece_count; i++) {
        numbers = numbers || is_numbers(self, &stretch->pieces[i]);
    }
    self->frames[0].len_bytes = 0;
    self->frames[1].len_bytes = 0;
    if (numbers) {
        code = put_by_pieces(self, stretch, &self->frames[0], &counts[0], err);
        beat = self->frames[0].len_bytes;
    }
    if (code == OX_OK) {
        code =
            put_zstd_frame(self, stretch->pieces, stretch->piece_count, stretch->target,
                           self->bytes.data, stretch->len, beat, &self->frames[1], &counts[1], err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (numbers && self->frames[0].len_bytes <= self->frames[1].len_bytes) {
        best = 0;
    }
    stats_add(stats, &counts[best]);
    return ox_buf_append(out, self->frames[best].data, self->frames[best].len_bytes, err);
}

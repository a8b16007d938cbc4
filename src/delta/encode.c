#include "choose.h"
#include "decode.h"
#include "encoder.h"
#include "engines.h"
#include "oxide/base/reader.h"
#include "oxide/crypto/xxh64.h"

#include <stdlib.h>
#include <string.h>

#define NUMBERS_MIN 256 /* fewer bytes of numbers are not worth a frame of planes */
/* Bytes among numbers: fewer are not looked at; what a frame costs by itself, and one that parts
 * numbers, whose coders begin anew behind it. */
#define EDITS_MIN 64
#define EDITS_INSIDE_MIN 1024
#define FRAME_BYTES 24
#define EDITS_INSIDE_GAIN 384
#define LITERAL_MIN 1024 /* so many new bytes are worth a frame of zstd */

enum ox_code encoder_new(struct encoder **out, const struct ox_source *base,
                         const struct ox_source *target, uint64_t ops,
                         const struct effort_row *effort, uint64_t useless_bytes,
                         struct ox_err *err)
{
    struct encoder *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        return ox_err_nomem(err, "an encoder");
    }
    self->base = base;
    self->target = target;
    self->ops = ops;
    self->effort = effort;
    self->useless_bytes = useless_bytes;
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
        numbers_clear(&encoder->numbers);
        edit_encoder_free(encoder->edit);
        ox_buf_clear(&encoder->bytes);
        ox_buf_clear(&encoder->prefix);
        ox_buf_clear(&encoder->diff);
        ox_buf_clear(&encoder->planes);
        ox_buf_clear(&encoder->packed);
        ox_buf_clear(&encoder->trial);
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
    for (size_t i = 0; i < range_count; i++) {
        frame.ranges_bytes += (uint32_t)ranges[i].len_bytes;
    }
    if (!ox_oxdl_frame_fits(op, n, frame.ranges_bytes, frame.body_bytes)) {
        return ox_err_set(
            err, OX_EINTERNAL,
            "a frame of operation %s has %u bytes of target, %u of ranges, %u of body",
            ox_oxdl_op_word(op), n, frame.ranges_bytes, frame.body_bytes);
    }
    code = ox_oxdl_put_frame(out, &frame, err);
    stats->frames++;
    stats->target_bytes[op] += n;
    stats->patch_bytes[op] += out->len_bytes - before;
    return code;
}

static uint64_t hash16(const uint8_t *bytes)
{
    return (ox_load_u64le(bytes) * 0x9e3779b97f4a7c15u ^ ox_load_u64le(bytes + 8)) *
           0xc2b2ae3d27d4eb4fu;
}

/* --- one stretch, several ways --- */

/* Which frames a piece goes into, where the stretch is cut by what its pieces are. */
enum way { WAY_ZSTD, WAY_NUMBERS, WAY_PLANES };

static enum way way_of(const struct encoder *self, const struct piece *piece, unsigned *width)
{
    const struct ox_dtype_info *info =
        ox_dtype_info(piece->pair == NULL ? OX_DTYPE_OTHER : piece->pair->dtype);
    bool planes = (may(self, OX_OXDL_XOR) || may(self, OX_OXDL_SUB)) && piece->has_base &&
                  piece->len >= NUMBERS_MIN;
    enum number_kind kind;

    *width = 1;
    if (info->block_elements == 1 && info->block_bytes > 0) {
        *width = info->block_bytes;
    }
    if (!may(self, OX_OXDL_NUMBERS) ||
        (piece->pair != NULL && !number_kind_of(piece->pair->dtype, &kind))) {
        return planes && piece->kind == PIECE_TENSOR ? WAY_PLANES : WAY_ZSTD;
    }
    if (piece->kind == PIECE_BYTES && !piece->has_base && piece->len >= LITERAL_MIN) {
        return WAY_ZSTD; /* new bytes, maybe with repeats among them */
    }
    return WAY_NUMBERS;
}

/* Bytes among numbers: would frames of edits be cheaper by more than `least`? A frame of numbers
 * for them alone is what they are held against. */
static enum ox_code edits_pay(struct encoder *self, const struct piece *pieces, size_t count,
                              uint64_t target, const uint8_t *bytes, uint32_t n, size_t least,
                              bool *out, struct ox_err *err)
{
    struct ox_delta_stats stats = {.frames = 0};
    bool fits = false;
    size_t numbers;
    enum ox_code code = OX_OK;

    *out = false;
    if (count == 1 && pieces->has_base) { /* often it is as it was */
        code = read_bytes(self->base, pieces->base, n, &self->diff, err);
        if (code != OX_OK || memcmp(bytes, self->diff.data, n) == 0) {
            return code;
        }
    }
    self->trial.len_bytes = 0;
    code = put_numbers_frames(self, pieces, count, target, bytes, &self->trial, &stats, &fits, err);
    numbers = self->trial.len_bytes;
    if (code != OX_OK || !fits || numbers <= least) {
        return code;
    }
    self->trial.len_bytes = 0;
    code =
        put_bytes_frames(self, pieces, count, target, bytes, n, numbers, &self->trial, &stats, err);
    *out = self->trial.len_bytes + least < numbers;
    return code;
}

/* Where in pieces[0, count) there are bytes that edits are for: pieces [*first, *last), `count` if
 * nowhere. A new frame is cheap at either end of the numbers, and dear where it cuts them in two.
 */
static enum ox_code find_edits(struct encoder *self, const struct piece *pieces, size_t count,
                               uint64_t target, const uint8_t *bytes, size_t *first, size_t *last,
                               struct ox_err *err)
{
    bool pays = false;
    enum ox_code code = OX_OK;

    for (*first = 0; code == OX_OK && *first < count; *first = *last) {
        uint32_t n = pieces[*first].len;
        bool edge;

        *last = *first + 1;
        if (pieces[*first].kind == PIECE_BYTES) {
            while (*last < count && pieces[*last].kind == PIECE_BYTES) {
                n += pieces[(*last)++].len;
            }
            edge = *first == 0 || *last == count;
            if (n >= (edge ? EDITS_MIN : EDITS_INSIDE_MIN)) {
                code = edits_pay(self, pieces + *first, *last - *first, target, bytes, n,
                                 edge ? FRAME_BYTES : EDITS_INSIDE_GAIN, &pays, err);
            }
            if (pays) {
                break;
            }
        }
        target += n;
        bytes += n;
    }
    return code;
}

/* Numbers, and the bytes between them: one after the other, in frames of numbers or, if these may
 * be, of edits. */
static enum ox_code put_numbers_or_edits(struct encoder *self, const struct piece *pieces,
                                         size_t count, bool edit, uint64_t target,
                                         const uint8_t *bytes, struct ox_buf *out,
                                         struct ox_delta_stats *stats, bool *fits,
                                         struct ox_err *err)
{
    enum ox_code code = OX_OK;

    *fits = true;
    while (code == OX_OK && *fits && count > 0) {
        size_t first = count;
        size_t last = count;
        uint32_t before = 0;
        uint32_t edits = 0;

        if (edit) {
            code = find_edits(self, pieces, count, target, bytes, &first, &last, err);
        }
        for (size_t i = 0; i < last; i++) {
            *(i < first ? &before : &edits) += pieces[i].len;
        }
        if (code == OX_OK && first > 0) {
            code = put_numbers_frames(self, pieces, first, target, bytes, out, stats, fits, err);
        }
        if (code == OX_OK && *fits && first < last) {
            code = put_bytes_frames(self, pieces + first, last - first, target + before,
                                    bytes + before, edits, SIZE_MAX, out, stats, err);
        }
        pieces += last;
        count -= last;
        target += before + edits;
        bytes += before + edits;
    }
    return code;
}

/* The stretch cut by what its pieces are, with edits among numbers or without. *fits is false if
 * some do not fit their way. */
static enum ox_code put_by_pieces(struct encoder *self, const struct stretch *stretch, bool edit,
                                  struct ox_buf *out, struct ox_delta_stats *stats, bool *fits,
                                  struct ox_err *err)
{
    uint64_t target = stretch->target;
    const uint8_t *bytes = self->bytes.data;
    enum ox_code code = OX_OK;

    *fits = true;
    for (size_t i = 0; code == OX_OK && *fits && i < stretch->piece_count;) {
        const struct piece *piece = &stretch->pieces[i];
        unsigned width = 1;
        unsigned other = 1;
        enum way way = way_of(self, piece, &width);
        uint32_t n = piece->len;
        size_t end = i + 1;

        while (way != WAY_PLANES && end < stretch->piece_count &&
               way_of(self, &stretch->pieces[end], &other) == way) {
            n += stretch->pieces[end++].len;
        }
        if (way == WAY_NUMBERS) {
            code = put_numbers_or_edits(self, piece, end - i, edit, target, bytes, out, stats, fits,
                                        err);
        } else if (way == WAY_PLANES) {
            code = put_planes_frame(self, piece, width, target, bytes, out, stats, fits, err);
        } else {
            code =
                put_bytes_frames(self, piece, end - i, target, bytes, n, SIZE_MAX, out, stats, err);
        }
        target += n;
        bytes += n;
        i = end;
    }
    return code;
}

/*
 * Do 16 bytes in a row, here and there in the stretch, stand in the base near by at another place
 * than the one that predicts them, or earlier in the stretch? Only then can zstd win over numbers.
 */
static bool repeats(const struct encoder *self, const struct stretch *stretch)
{
    enum { BITS = 13, STEP = 64, WINDOWS = 16, WINDOW = 1024, RUN = 16 };
    uint32_t places[1 << BITS] = {0};
    const uint8_t *bytes = self->bytes.data;
    size_t n = self->bytes.len_bytes;
    const struct piece *piece = stretch->pieces;
    size_t piece_end = piece->len;
    unsigned hits = 0;

    if (n < 4 * WINDOW) {
        return true;
    }
    for (size_t i = 0; i + RUN <= n; i += STEP) {
        places[hash16(bytes + i) >> (64 - BITS)] = (uint32_t)i + 1;
    }
    for (size_t w = 0; w < WINDOWS; w++) {
        size_t start = w * ((n - WINDOW) / WINDOWS);

        while (start >= piece_end) {
            piece_end += (++piece)->len;
        }
        if (piece->kind ==
            PIECE_BYTES) { /* a header repeats itself: that says nothing of numbers */
            continue;
        }
        for (size_t i = start; i + RUN <= start + WINDOW; i++) {
            uint32_t place = places[hash16(bytes + i) >> (64 - BITS)];

            if (place != 0 && place - 1 != i && memcmp(bytes + place - 1, bytes + i, RUN) == 0) {
                hits++;
            }
        }
    }
    return hits >= 4;
}

/* Do eight bytes in a row hardly ever equal the base's, and most bytes not either? Such bytes are
 * numbers which were all updated, if those cost less than the bytes do, and edits, which are slow
 * there, cannot win. (Where half of the bytes stay, in a pattern, edits may learn that.) */
static enum ox_code changed_densely(struct encoder *self, const struct stretch *stretch, bool *out,
                                    struct ox_err *err)
{
    enum { RUN = 8, STEP = 64 };
    const uint8_t *bytes = self->bytes.data;
    uint32_t seen = 0;
    uint32_t runs = 0;
    uint32_t same = 0;

    for (size_t i = 0; i < stretch->piece_count; i++) {
        const struct piece *piece = &stretch->pieces[i];
        enum ox_code code = OX_OK;

        if (piece->has_base) {
            code = read_bytes(self->base, piece->base, piece->len, &self->diff, err);
        }
        if (code != OX_OK) {
            return code;
        }
        for (size_t at = 0; piece->has_base && at + RUN <= piece->len; at += STEP) {
            uint32_t equal = 0;

            for (size_t k = at; k < at + RUN; k++) {
                equal += bytes[k] == self->diff.data[k];
            }
            seen++;
            same += equal;
            runs += equal == RUN;
        }
        bytes += piece->len;
    }
    *out = seen > stretch->len / STEP / 2 && runs < seen / 8 && same < seen * RUN / 2;
    return OX_OK;
}

static enum ox_code put_copy(struct encoder *self, const struct stretch *stretch,
                             struct ox_buf *out, struct ox_delta_stats *stats, struct ox_err *err)
{
    for (size_t i = 0; i < stretch->piece_count; i++) {
        self->ranges[i] = (struct ox_oxdl_range){stretch->pieces[i].twin, stretch->pieces[i].base,
                                                 stretch->pieces[i].len};
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
    bool meaning = false; /* are there tensors? */
    bool pieces = false;  /* is there another way than zstd? */
    bool densely = false;
    size_t best;
    enum ox_code code = read_bytes(self->target, stretch->target, stretch->len, &self->bytes, err);

    if (code != OX_OK) {
        return code;
    }
    if (stretch->copy) {
        return put_copy(self, stretch, out, stats, err);
    }
    for (size_t i = 0; i < stretch->piece_count; i++) {
        unsigned width;

        meaning = meaning || stretch->pieces[i].kind != PIECE_BYTES;
        pieces = pieces || way_of(self, &stretch->pieces[i], &width) != WAY_ZSTD;
    }
    self->frames[0].len_bytes = 0;
    self->frames[1].len_bytes = 0;
    if (!meaning && pieces && !self->effort->tries_all) {
        code = changed_densely(self, stretch, &densely, err);
    }
    if (code == OX_OK && !meaning && !densely && may(self, OX_OXDL_EDIT)) {
        code = put_bytes_frames(self, stretch->pieces, stretch->piece_count, stretch->target,
                                self->bytes.data, stretch->len, beat, &self->frames[1], &counts[1],
                                err);
        /* Else there may be numbers, which no layout tells of: but not in noise. */
        pieces = pieces && self->frames[1].len_bytes > stretch->len / 8 &&
                 noise_leaves_room(self->noise_put, self->frames[1].len_bytes);
    }
    if (code == OX_OK && pieces) {
        code = put_by_pieces(self, stretch, !densely && may(self, OX_OXDL_EDIT), &self->frames[0],
                             &counts[0], &pieces, err);
        beat = pieces ? self->frames[0].len_bytes : SIZE_MAX;
        densely = densely && pieces && beat < stretch->len - stretch->len / 16;
    }
    if (code == OX_OK && self->frames[1].len_bytes == 0 && !densely &&
        (!pieces || !meaning || self->effort->tries_all || beat >= stretch->len ||
         repeats(self, stretch))) {
        code = put_bytes_frames(self, stretch->pieces, stretch->piece_count, stretch->target,
                                self->bytes.data, stretch->len, beat, &self->frames[1], &counts[1],
                                err);
    }
    if (code != OX_OK) {
        return code;
    }
    best = self->frames[1].len_bytes > 0 && self->frames[1].len_bytes < beat ? 1 : 0;
    stats_add(stats, &counts[best]);
    return ox_buf_append(out, self->frames[best].data, self->frames[best].len_bytes, err);
}

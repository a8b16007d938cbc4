#include "encode.h"

#include "decode.h"
#include "engines.h"
#include "oxide/crypto/xxh64.h"
#include "planes.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* Levels of zstd, measured on real fine-tunes: planes hardly gain past 9; a stretch is tried fast
 * first, and well only where that may win. */
#define LEVEL_PLANES 9
#define LEVEL_TRY 3
#define LEVEL_GOOD 19
#define LEVEL_WHOLE 15

#define PREFIX_MAX ((uint64_t)2 << 20) /* bytes of base gathered for one stretch */
#define PREFIX_RANGES_MAX 64
#define SMALL_BASE ((uint64_t)1 << 20)   /* a base so small serves as prefix whole */
#define SLACK_BYTES ((uint64_t)1024)     /* of base around each range: edits shift content */
#define NUMBERS_MIN 256                  /* fewer bytes of numbers are not worth a frame */
#define GUESS_SAMPLE ((size_t)32 * 1024) /* of a stretch whose numbers' width is not known */

struct encoder {
    const struct ox_source *base;
    const struct ox_source *target;
    uint64_t ops;
    ZSTD_CCtx *zstd;
    struct ox_buf bytes;  /* the stretch's target bytes */
    struct ox_buf prefix; /* gathered base bytes */
    struct ox_buf diff;
    struct ox_buf planes;
    struct ox_buf packed;    /* one zstd output */
    struct ox_buf body[2];   /* candidates for a frame's body */
    struct ox_buf frames[2]; /* candidates for the stretch */
    struct ox_oxdl_range ranges[STRETCH_PIECES_MAX + 1];
    size_t range_count;
};

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

static bool may(const struct encoder *self, enum ox_oxdl_op op)
{
    return (self->ops >> op & 1) != 0;
}

static enum ox_code read_bytes(const struct ox_source *source, uint64_t offset, size_t len,
                               struct ox_buf *out, struct ox_err *err)
{
    enum ox_code code = buf_resize(out, len, err);

    return code == OX_OK ? ox_source_read(source, offset, out->data, len, err) : code;
}

/*
 * Compress into self->packed, into less than `limit` bytes. *fits is false where that cannot be
 * done: then packed holds nothing of use.
 */
static enum ox_code zstd_pack(struct encoder *self, const uint8_t *bytes, size_t n,
                              const struct ox_buf *prefix, int level, size_t limit, bool *fits,
                              struct ox_err *err)
{
    uint64_t span = n + (prefix == NULL ? 0 : prefix->len_bytes);
    int window_log = 10;
    size_t got;
    enum ox_code code;

    *fits = false;
    if (limit <= 1 || (code = buf_resize(&self->packed, limit - 1, err)) != OX_OK) {
        return limit <= 1 ? OX_OK : code;
    }
    while ((uint64_t)1 << window_log < span) {
        window_log++;
    }
    (void)ZSTD_CCtx_reset(self->zstd, ZSTD_reset_session_and_parameters);
    (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_compressionLevel, level);
    (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_windowLog, window_log);
    (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_contentSizeFlag, 0);
    (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_checksumFlag, 0);
    (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_dictIDFlag, 0);
    if (prefix != NULL && prefix->len_bytes > 0) {
        got = ZSTD_CCtx_refPrefix(self->zstd, prefix->data, prefix->len_bytes);
        if (ZSTD_isError(got)) {
            return ox_err_set(err, OX_EINTERNAL, "zstd: %s", ZSTD_getErrorName(got));
        }
    }
    got = ZSTD_compress2(self->zstd, self->packed.data, self->packed.len_bytes, bytes, n);
    if (!ZSTD_isError(got)) {
        self->packed.len_bytes = got;
        *fits = true;
    } /* else: it would not fit, or there is no memory: either way there is another candidate */
    return OX_OK;
}

/* --- planes --- */

static enum ox_code put_plane(struct encoder *self, const uint8_t *plane, size_t n,
                              struct ox_buf *body, struct ox_err *err)
{
    bool fits = false;
    enum ox_code code;

    if (memcmp(plane, plane + 1, n - 1) == 0) { /* all bytes are the same */
        uint8_t constant[2] = {0, plane[0]};

        return ox_buf_append(body, constant, sizeof(constant), err);
    }
    code = zstd_pack(self, plane, n, NULL, LEVEL_PLANES, n > 4 ? n - 3 : 0, &fits, err);
    if (code != OX_OK) {
        return code;
    }
    if (!fits) {
        code = ox_buf_put_u8(body, 1, err);
        return code == OX_OK ? ox_buf_append(body, plane, n, err) : code;
    }
    if ((code = ox_buf_put_u8(body, 2, err)) != OX_OK ||
        (code = ox_buf_put_varint(body, self->packed.len_bytes, err)) != OX_OK) {
        return code;
    }
    return ox_buf_append(body, self->packed.data, self->packed.len_bytes, err);
}

/* The body of an XOR or SUB frame for n target bytes against as many of the base. */
static enum ox_code put_numbers(struct encoder *self, enum ox_oxdl_op op, unsigned width,
                                unsigned stride, const uint8_t *target, const uint8_t *base,
                                size_t n, struct ox_buf *body, struct ox_err *err)
{
    size_t at = 0;
    enum ox_code code;

    body->len_bytes = 0;
    if ((code = buf_resize(&self->diff, n, err)) != OX_OK ||
        (code = buf_resize(&self->planes, n, err)) != OX_OK ||
        (code = ox_buf_put_u8(body, (uint8_t)width, err)) != OX_OK ||
        (code = ox_buf_put_varint(body, stride, err)) != OX_OK) {
        return code;
    }
    if (op == OX_OXDL_XOR) {
        planes_xor(self->diff.data, target, base, n);
    } else {
        planes_sub(self->diff.data, target, base, n, width);
    }
    planes_split(self->planes.data, self->diff.data, n, stride);
    for (unsigned k = 0; code == OX_OK && k < stride; k++) {
        size_t len = planes_len(n, stride, k);

        if (len > 0) {
            code = put_plane(self, self->planes.data + at, len, body, err);
        }
        at += len;
    }
    return code;
}

/* Files without a layout may hold numbers too: which width gives the least on a sample? */
static enum ox_code guess_width(struct encoder *self, const uint8_t *target, const uint8_t *base,
                                size_t n, unsigned *width, struct ox_err *err)
{
    static const unsigned widths[] = {4, 2, 1};
    size_t best = SIZE_MAX;

    n = n < GUESS_SAMPLE ? n : GUESS_SAMPLE;
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        enum ox_code code = put_numbers(self, OX_OXDL_SUB, widths[i], widths[i], target, base, n,
                                        &self->body[1], err);

        if (code != OX_OK) {
            return code;
        }
        if (self->body[1].len_bytes < best) {
            best = self->body[1].len_bytes;
            *width = widths[i];
        }
    }
    return OX_OK;
}

/* --- frames --- */

static enum ox_code put_frame(struct ox_buf *out, enum ox_oxdl_op op, uint64_t target,
                              const uint8_t *bytes, uint32_t n, const struct ox_oxdl_range *ranges,
                              size_t range_count, const struct ox_buf *body,
                              struct ox_delta_stats *stats, struct ox_err *err)
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

static int by_offset(const void *a, const void *b)
{
    const struct ox_oxdl_range *left = a;
    const struct ox_oxdl_range *right = b;

    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/* Join ranges that lie at most `gap` apart; they are sorted. */
static void join_ranges(struct encoder *self, uint64_t gap)
{
    size_t kept = 0;

    for (size_t i = 1; i < self->range_count; i++) {
        struct ox_oxdl_range *last = &self->ranges[kept];
        const struct ox_oxdl_range *next = &self->ranges[i];

        if (next->offset <= last->offset + last->len_bytes + gap) {
            uint64_t end = next->offset + next->len_bytes;

            if (end > last->offset + last->len_bytes) {
                last->len_bytes = end - last->offset;
            }
        } else {
            self->ranges[++kept] = *next;
        }
    }
    self->range_count = self->range_count == 0 ? 0 : kept + 1;
}

/* Choose the base ranges that serve as prefix for some pieces, and read them. */
static enum ox_code gather_prefix(struct encoder *self, const struct piece *pieces, size_t count,
                                  uint64_t target, uint64_t len, struct ox_err *err)
{
    uint64_t size = self->base->size_bytes;
    uint64_t total = 0;
    size_t at = 0;
    size_t kept = 0;
    enum ox_code code;

    self->range_count = 0;
    if (size == 0) {
        self->prefix.len_bytes = 0;
        return OX_OK;
    }
    for (size_t i = 0; i < count && size > SMALL_BASE; i++) {
        if (pieces[i].has_base) {
            uint64_t start = pieces[i].base > SLACK_BYTES ? pieces[i].base - SLACK_BYTES : 0;
            uint64_t end = pieces[i].base + pieces[i].len + SLACK_BYTES;

            self->ranges[self->range_count++] =
                (struct ox_oxdl_range){false, start, (end < size ? end : size) - start};
        }
    }
    if (self->range_count == 0) { /* all of a small base, or what stands at the same place */
        uint64_t start = size <= SMALL_BASE ? 0 : target < size ? target : size - 1;
        uint64_t want = size <= SMALL_BASE ? size : len;

        self->ranges[self->range_count++] =
            (struct ox_oxdl_range){false, start, want < size - start ? want : size - start};
    }
    qsort(self->ranges, self->range_count, sizeof(self->ranges[0]), by_offset);
    join_ranges(self, 0);
    for (uint64_t gap = SLACK_BYTES; self->range_count > PREFIX_RANGES_MAX; gap *= 2) {
        join_ranges(self, gap);
    }
    while (kept < self->range_count && total < PREFIX_MAX) {
        struct ox_oxdl_range *range = &self->ranges[kept++];

        if (range->len_bytes > PREFIX_MAX - total) {
            range->len_bytes = PREFIX_MAX - total;
        }
        total += range->len_bytes;
    }
    self->range_count = kept;
    code = buf_resize(&self->prefix, (size_t)total, err);
    for (size_t i = 0; code == OX_OK && i < kept; i++) {
        code = ox_source_read(self->base, self->ranges[i].offset, self->prefix.data + at,
                              (size_t)self->ranges[i].len_bytes, err);
        at += (size_t)self->ranges[i].len_bytes;
    }
    return code;
}

/*
 * One ZSTD frame, or a RAW one where that is smaller, for n bytes of the stretch. `beat` is what it
 * must cost less than to be of use: where a fast try is far from it, no better one is made.
 */
static enum ox_code put_zstd_frame(struct encoder *self, const struct piece *pieces, size_t count,
                                   uint64_t target, const uint8_t *bytes, uint32_t n, size_t beat,
                                   struct ox_buf *out, struct ox_delta_stats *stats,
                                   struct ox_err *err)
{
    bool fits = false;
    bool better = false;
    enum ox_code code;

    if (!may(self, OX_OXDL_ZSTD)) {
        goto raw;
    }
    if ((code = gather_prefix(self, pieces, count, target, n, err)) != OX_OK ||
        (code = zstd_pack(self, bytes, n, &self->prefix, LEVEL_TRY, n, &fits, err)) != OX_OK) {
        return code;
    }
    if (fits) {
        size_t tried = self->packed.len_bytes;

        self->body[0].len_bytes = 0;
        code = ox_buf_append(&self->body[0], self->packed.data, tried, err);
        if (code == OX_OK && tried < n - n / 4 && tried - tried / 8 < beat) {
            code = zstd_pack(self, bytes, n, &self->prefix, LEVEL_GOOD, tried, &better, err);
        }
        if (code != OX_OK) {
            return code;
        }
        return put_frame(out, OX_OXDL_ZSTD, target, bytes, n, self->ranges, self->range_count,
                         better ? &self->packed : &self->body[0], stats, err);
    }
raw:
    self->body[0].len_bytes = 0;
    code = ox_buf_append(&self->body[0], bytes, n, err);
    return code == OX_OK
               ? put_frame(out, OX_OXDL_RAW, target, bytes, n, NULL, 0, &self->body[0], stats, err)
               : code;
}

/* The better of an XOR and a SUB frame for a piece of numbers. */
static enum ox_code put_numbers_frame(struct encoder *self, const struct piece *piece,
                                      uint64_t target, const uint8_t *bytes, struct ox_buf *out,
                                      struct ox_delta_stats *stats, struct ox_err *err)
{
    struct ox_oxdl_range range = {false, piece->base, piece->len};
    unsigned width = piece->width;
    unsigned stride = piece->stride;
    size_t sub_bytes = SIZE_MAX;
    enum ox_oxdl_op op;
    enum ox_code code = read_bytes(self->base, piece->base, piece->len, &self->prefix, err);

    if (code == OX_OK && width == 0) {
        code = guess_width(self, bytes, self->prefix.data, piece->len, &width, err);
        stride = width;
    }
    if (code == OX_OK && may(self, OX_OXDL_SUB)) {
        code = put_numbers(self, OX_OXDL_SUB, width, stride, bytes, self->prefix.data, piece->len,
                           &self->body[0], err);
        sub_bytes = self->body[0].len_bytes;
    }
    if (code == OX_OK && may(self, OX_OXDL_XOR)) {
        code = put_numbers(self, OX_OXDL_XOR, 1, stride, bytes, self->prefix.data, piece->len,
                           &self->body[1], err);
    }
    if (code != OX_OK) {
        return code;
    }
    op = may(self, OX_OXDL_XOR) && self->body[1].len_bytes < sub_bytes ? OX_OXDL_XOR : OX_OXDL_SUB;
    return put_frame(out, op, target, bytes, piece->len, &range, 1,
                     &self->body[op == OX_OXDL_XOR ? 1 : 0], stats, err);
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
            code = put_numbers_frame(self, piece, stretch->target + at, bytes, out, stats, err);
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

enum ox_code encoder_run_whole(struct encoder *encoder, struct ox_buf *out,
                               struct ox_delta_stats *stats, bool *done, struct ox_err *err)
{
    struct encoder *self = encoder;
    struct ox_oxdl_range all = {false, 0, self->base->size_bytes};
    bool fits = false;
    enum ox_code code;

    *done = false;
    if (!may(self, OX_OXDL_ZSTD) || self->base->size_bytes == 0 || self->target->size_bytes == 0 ||
        self->base->size_bytes > OX_OXDL_GATHER_MAX ||
        self->target->size_bytes > OX_OXDL_FRAME_TARGET_MAX) {
        return OX_OK;
    }
    if ((code = read_bytes(self->base, 0, (size_t)all.len_bytes, &self->prefix, err)) != OX_OK ||
        (code = read_bytes(self->target, 0, (size_t)self->target->size_bytes, &self->bytes, err)) !=
            OX_OK ||
        (code = zstd_pack(self, self->bytes.data, self->bytes.len_bytes, &self->prefix, LEVEL_WHOLE,
                          OX_OXDL_FRAME_BODY_MAX, &fits, err)) != OX_OK ||
        !fits) {
        return code;
    }
    *done = true;
    return put_frame(out, OX_OXDL_ZSTD, 0, self->bytes.data, (uint32_t)self->bytes.len_bytes, &all,
                     1, &self->packed, stats, err);
}

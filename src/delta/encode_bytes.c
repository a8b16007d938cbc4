/* Bytes without meaning: zstd, with what stands near by in the base as prefix. */
#include "decode.h"
#include "encoder.h"

#include <stdlib.h>

#define PREFIX_MAX ((uint64_t)2 << 20) /* bytes of base gathered for one stretch */
#define PREFIX_RANGES_MAX 64
#define SMALL_BASE ((uint64_t)1 << 20) /* a base so small serves as prefix whole */
#define SLACK_BYTES ((uint64_t)1024)   /* of base around each range: edits shift content */

enum ox_code zstd_pack(struct encoder *self, const uint8_t *bytes, size_t n,
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
    if (effort_caps_zstd(self->effort, level)) { /* zstd takes less where the input is smaller */
        (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_chainLog, (int)self->effort->zstd_log);
        (void)ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_hashLog, (int)self->effort->zstd_log - 1);
    }
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

enum ox_code put_zstd_frame(struct encoder *self, const struct piece *pieces, size_t count,
                            uint64_t target, const uint8_t *bytes, uint32_t n, size_t beat,
                            struct ox_buf *out, struct ox_delta_stats *stats, struct ox_err *err)
{
    bool fits = false;
    bool better = false;
    enum ox_code code;

    if (!may(self, OX_OXDL_ZSTD)) {
        goto raw;
    }
    if ((code = gather_prefix(self, pieces, count, target, n, err)) != OX_OK ||
        (code = zstd_pack(self, bytes, n, &self->prefix, self->effort->level_try, n, &fits, err)) !=
            OX_OK) {
        return code;
    }
    if (fits) {
        size_t tried = self->packed.len_bytes;

        self->body[0].len_bytes = 0;
        code = ox_buf_append(&self->body[0], self->packed.data, tried, err);
        if (code == OX_OK && tried < n - n / 4 && tried - tried / 8 < beat) {
            code = zstd_pack(self, bytes, n, &self->prefix, self->effort->level_good, tried,
                             &better, err);
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
        (code = zstd_pack(self, self->bytes.data, self->bytes.len_bytes, &self->prefix,
                          self->effort->level_whole, OX_OXDL_FRAME_BODY_MAX, &fits, err)) !=
            OX_OK ||
        !fits) {
        return code;
    }
    *done = true;
    return put_frame(out, OX_OXDL_ZSTD, 0, self->bytes.data, (uint32_t)self->bytes.len_bytes, &all,
                     1, &self->packed, stats, err);
}

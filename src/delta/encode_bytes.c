/* Bytes without meaning: edits of what they come from in the base, or zstd with that as prefix. */
#include "decode.h"
#include "encoder.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_BASE                                                                                 \
    ((uint64_t)OX_OXDL_GATHER_MAX)        /* a base so small is always looked through whole */
#define EVERYWHERE_MAX ((size_t)1 << 20)  /* so much gathered is always looked through whole */
#define EDITS_ROOM ((uint64_t)256 * 1024) /* for the body of a frame of edits alone */
#define MANY_PIECES 64 /* may be cheaper in short frames beside all of the base */
/* A base is gathered whole for so many bytes: looking through it takes its time. */
#define WHOLE_BASE_MIN ((uint64_t)64 * 1024)
#define WHOLE_BASE_TIMES 32
#define JUMP_BYTES 4 /* of a copy that begins anywhere */
#define JOIN_GAP_MAX                                                                               \
    ((uint64_t)64 * 1024) /* of base between ranges, gathered to have fewer of them */

/* Copies are fast to apply, new bytes are slow where edits model them: at lower efforts zstd has
 * larger frames that are mostly new bytes. */
#define SLOW_BYTES ((uint32_t)256 * 1024)

#define NOISE_UNKNOWN UINT32_MAX

/* --- gathering --- */

/* The part of the base that a piece most likely comes from. */
static bool likely_range(const struct encoder *self, const struct piece *piece,
                         struct ox_oxdl_range *out)
{
    uint64_t size = self->base->size_bytes;

    if (!piece->has_base || piece->base >= size) {
        return false;
    }
    *out = (struct ox_oxdl_range){
        false, piece->base, piece->len < size - piece->base ? piece->len : size - piece->base};
    return true;
}

static int by_offset(const void *a, const void *b)
{
    const struct ox_oxdl_range *left = a;
    const struct ox_oxdl_range *right = b;

    return left->offset != right->offset        ? (left->offset < right->offset ? -1 : 1)
           : left->len_bytes < right->len_bytes ? -1
                                                : left->len_bytes > right->len_bytes;
}

/* Ranges in the order of the pieces (so that a copy goes on where it ended) or of the base; those
 * that follow each other within `gap` are joined. Returns the bytes of all, however many they are.
 */
static uint64_t list_ranges(struct encoder *self, const struct piece *pieces, size_t count,
                            bool sorted, uint64_t gap)
{
    struct ox_oxdl_range *ranges = self->ranges;
    size_t listed = 0;
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        listed += likely_range(self, &pieces[i], &ranges[listed]) ? 1 : 0;
    }
    if (sorted) {
        qsort(ranges, listed, sizeof(*ranges), by_offset);
    }
    self->range_count = 0;
    for (size_t i = 0; i < listed; i++) {
        struct ox_oxdl_range next = ranges[i];
        struct ox_oxdl_range *last = &ranges[self->range_count - (self->range_count > 0)];
        uint64_t end = last->offset + last->len_bytes;

        if (self->range_count > 0 && next.offset >= last->offset && next.offset <= end + gap) {
            uint64_t next_end = next.offset + next.len_bytes;

            total += next_end > end ? next_end - end : 0;
            last->len_bytes = (next_end > end ? next_end : end) - last->offset;
        } else {
            ranges[self->range_count++] = next;
            total += next.len_bytes;
        }
    }
    return total;
}

/* About what it costs in bytes to tell ranges. */
static uint64_t price_ranges(const struct encoder *self, uint64_t target)
{
    uint64_t expected = target;
    uint64_t price = 0;

    for (size_t i = 0; i < self->range_count; i++) {
        const struct ox_oxdl_range *range = &self->ranges[i];
        uint64_t off = range->offset - expected;

        for (uint64_t left = 2 * range->len_bytes; left != 0; left >>= 7) {
            price++;
        }
        off = off >> 63 != 0 ? 0 - off : off;
        do {
            price++;
            off >>= off < 64 ? 6 : 7;
        } while (off != 0);
        expected = range->offset + range->len_bytes;
    }
    return price;
}

/* About what it costs that pieces which do not follow each other in the base do not in what is
 * gathered, either. */
static uint64_t price_jumps(const struct piece *pieces, size_t count)
{
    uint64_t ends[3] = {0, 0, 0}; /* where the base would go on: now, and before the last jumps */
    uint64_t price = 0;

    for (size_t i = 0; i < count; i++) {
        const struct piece *piece = &pieces[i];

        if (!piece->has_base) {
            continue;
        }
        if (piece->base != ends[0]) {
            price += piece->base == ends[1] || piece->base == ends[2] ? 1 : JUMP_BYTES;
            ends[2] = ends[1];
            ends[1] = ends[0];
        }
        ends[0] = piece->base + piece->len;
    }
    return price;
}

/* What a frame of n bytes may gather, whatever its body has; edits are short, or not made. */
static uint64_t gather_max(uint64_t n)
{
    uint64_t body = n > STRETCH_MAX ? EDITS_ROOM : n;
    uint64_t most = OX_OXDL_FRAME_ALL_MAX - n - body;

    return most < OX_OXDL_GATHER_MAX ? most : OX_OXDL_GATHER_MAX;
}

/* Ranges in the order of the pieces: with as many joined as must be. Returns their bytes. */
static uint64_t list_in_order(struct encoder *self, const struct piece *pieces, size_t count,
                              uint64_t most)
{
    uint64_t total = 0;

    for (uint64_t gap = 16; gap <= JOIN_GAP_MAX; gap *= 4) {
        total = list_ranges(self, pieces, count, false, gap);
        if (total > most || self->range_count <= OX_OXDL_RANGES_MAX) {
            break;
        }
    }
    return total;
}

/* Ranges in the order of the base: the wider the gaps, the fewer they are. Returns their bytes. */
static uint64_t list_sorted(struct encoder *self, const struct piece *pieces, size_t count,
                            uint64_t most)
{
    uint64_t gap = 2 * most;
    uint64_t total;

    do {
        gap /= 2;
        total = list_ranges(self, pieces, count, true, gap);
    } while (total > most && gap > 16);
    return total;
}

/* Choose the base ranges that serve n bytes of target; false if they are too many. */
static bool choose_ranges(struct encoder *self, const struct piece *pieces, size_t count,
                          uint64_t target, uint64_t n)
{
    uint64_t size = self->base->size_bytes;
    uint64_t most = gather_max(n);
    uint64_t few = 2 * n < EVERYWHERE_MAX ? EVERYWHERE_MAX : 2 * n;
    uint64_t price = UINT64_MAX;
    uint64_t total;

    if (size <= most && size <= WHOLE_BASE_MIN + WHOLE_BASE_TIMES * n) {
        self->ranges[0] = (struct ox_oxdl_range){false, 0, size};
        self->range_count = size > 0;
        return true;
    }
    total = list_in_order(self, pieces, count, most);
    if (self->range_count <= OX_OXDL_RANGES_MAX && total <= most) {
        price = price_ranges(self, target);
    }
    few = few < most ? few : most;
    if (self->range_count > 1) {
        total = list_sorted(self, pieces, count, few);
        if (total <= few && self->range_count <= OX_OXDL_RANGES_MAX &&
            price_ranges(self, target) + price_jumps(pieces, count) < price) {
            return true;
        }
        total = list_in_order(self, pieces, count, most);
    }
    if (self->range_count == 0) { /* what stands at the same place */
        uint64_t start = target < size ? target : size - 1;

        n = n < most ? n : most;
        self->ranges[self->range_count++] =
            (struct ox_oxdl_range){false, start, n < size - start ? n : size - start};
        total = 0;
    }
    return self->range_count <= OX_OXDL_RANGES_MAX && total <= most;
}

/* Read the ranges, and put the target's n bytes behind them: the history of edits. */
static enum ox_code read_ranges(struct encoder *self, const uint8_t *bytes, uint32_t n,
                                struct ox_err *err)
{
    size_t total = 0;
    size_t at = 0;
    enum ox_code code;

    for (size_t i = 0; i < self->range_count; i++) {
        total += (size_t)self->ranges[i].len_bytes;
    }
    code = buf_resize(&self->prefix, total + n, err);
    for (size_t i = 0; code == OX_OK && i < self->range_count; i++) {
        code = ox_source_read(self->base, self->ranges[i].offset, self->prefix.data + at,
                              (size_t)self->ranges[i].len_bytes, err);
        at += (size_t)self->ranges[i].len_bytes;
    }
    if (code == OX_OK) {
        memcpy(self->prefix.data + total, bytes, n);
        self->prefix.len_bytes = total;
    }
    return code;
}

/* Where in the gathered bytes each piece likely comes from: the next range that has it. Call it
 * whenever other bytes were gathered. */
static void list_hints(struct encoder *self, const struct piece *pieces, size_t count)
{
    uint32_t at = 0;
    size_t range = 0;
    uint32_t start = 0; /* of that range, in the gathered bytes */

    self->hint_count = 0;
    self->noise = NOISE_UNKNOWN;
    for (size_t i = 0; i < count; i++) {
        struct ox_oxdl_range from = {false, 0, 0};
        size_t tried = 0;

        if (likely_range(self, &pieces[i], &from)) {
            while (tried < self->range_count &&
                   (from.offset < self->ranges[range].offset ||
                    from.offset - self->ranges[range].offset >= self->ranges[range].len_bytes)) {
                start += (uint32_t)self->ranges[range++].len_bytes;
                if (range == self->range_count) {
                    range = 0;
                    start = 0;
                }
                tried++;
            }
            if (tried < self->range_count) {
                self->hints[self->hint_count++] = (struct edit_hint){
                    at, (uint32_t)(self->prefix.len_bytes + at -
                                   (start + from.offset - self->ranges[range].offset))};
            }
        }
        at += pieces[i].len;
    }
}

/* --- frames --- */

static enum ox_code make_edit_encoder(struct encoder *self, struct edit_effort *effort,
                                      struct ox_err *err)
{
    *effort = self->effort->edit;
    effort->everywhere = effort->everywhere || self->base->size_bytes <= SMALL_BASE ||
                         self->prefix.len_bytes <= EVERYWHERE_MAX;
    return self->edit == NULL ? edit_encoder_new(&self->edit, err) : OX_OK;
}

/* Set self->noise for the n bytes behind what is gathered. Costs little beside coding them. */
static enum ox_code find_noise(struct encoder *self, uint32_t n, struct ox_err *err)
{
    struct edit_effort effort;
    enum ox_code code = OX_OK;

    if (self->noise == NOISE_UNKNOWN) {
        code = make_edit_encoder(self, &effort, err);
        if (code == OX_OK) {
            code = edit_noise(self->edit, self->prefix.data, (uint32_t)self->prefix.len_bytes, n,
                              self->hints, self->hint_count, &effort, &self->noise, err);
        }
    }
    return code;
}

static bool is_noisy(const struct encoder *self)
{
    return self->noise > 0 && self->noise != NOISE_UNKNOWN;
}

/* Can the frame become clearly fewer bytes than `limit`? */
static bool worth_trying(const struct encoder *self, size_t limit)
{
    return !is_noisy(self) || noise_leaves_room(self->noise, limit);
}

/* How much of the target is where the hints say? Told in blocks. */
static uint32_t count_hinted(const struct encoder *self, uint32_t n)
{
    enum { BLOCK = 64 };
    const uint8_t *history = self->prefix.data;
    uint32_t gathered = (uint32_t)self->prefix.len_bytes;
    uint32_t same = 0;

    for (size_t i = 0; i < self->hint_count; i++) {
        uint32_t end = i + 1 < self->hint_count ? self->hints[i + 1].at : n;

        for (uint32_t at = gathered + self->hints[i].at; at + BLOCK <= gathered + end;
             at += BLOCK) {
            same +=
                memcmp(history + at, history + at - self->hints[i].dist, BLOCK) == 0 ? BLOCK : 0;
        }
    }
    return same;
}

/* The most that a body beside what is gathered may have, or be of use with. */
static size_t body_max(const struct encoder *self, uint32_t n)
{
    size_t most = OX_OXDL_FRAME_ALL_MAX - n - self->prefix.len_bytes;

    most = most < OX_OXDL_FRAME_BODY_MAX ? most : OX_OXDL_FRAME_BODY_MAX;
    return most < self->useless_bytes ? most : (size_t)self->useless_bytes;
}

/* One EDIT frame for what is in the history, of less than `limit` bytes of body; else *done is
 * false. */
static enum ox_code put_edit_frame(struct encoder *self, uint64_t target, const uint8_t *bytes,
                                   uint32_t n, size_t limit, struct ox_buf *out,
                                   struct ox_delta_stats *stats, bool *done, struct ox_err *err)
{
    struct edit_effort effort;
    enum ox_code code = make_edit_encoder(self, &effort, err);

    *done = false;
    limit = limit < body_max(self, n) ? limit : body_max(self, n);
    self->body[0].len_bytes = 0;
    if (code == OX_OK) {
        code = find_noise(self, n, err);
    }
    if (code == OX_OK && worth_trying(self, limit)) {
        code =
            edit_encode(self->edit, self->prefix.data, (uint32_t)self->prefix.len_bytes, n,
                        self->hints, self->hint_count, &effort, limit, &self->body[0], done, err);
    }
    return code == OX_OK && *done ? put_frame(out, OX_OXDL_EDIT, target, bytes, n, self->ranges,
                                              self->range_count, &self->body[0], stats, err)
                                  : code;
}

static enum ox_code put_raw_frame(struct encoder *self, uint64_t target, const uint8_t *bytes,
                                  uint32_t n, struct ox_buf *out, struct ox_delta_stats *stats,
                                  struct ox_err *err)
{
    enum ox_code code;

    self->body[0].len_bytes = 0;
    code = ox_buf_append(&self->body[0], bytes, n, err);
    return code == OX_OK
               ? put_frame(out, OX_OXDL_RAW, target, bytes, n, NULL, 0, &self->body[0], stats, err)
               : code;
}

/* Noise and copies: zstd's first look may be as good as edits, which would be slow to apply, too.
 * *done is false where it is clearly more than the noise alone. */
static enum ox_code put_noisy_frame(struct encoder *self, uint64_t target, const uint8_t *bytes,
                                    uint32_t n, struct ox_buf *out, struct ox_delta_stats *stats,
                                    bool *done, struct ox_err *err)
{
    size_t limit = self->noise + self->noise / WORTH_SHARE;
    size_t room = body_max(self, n);
    enum ox_code code = zstd_pack(self, bytes, n, &self->prefix, self->effort->level_try, true,
                                  limit < room ? limit : room, done, err);

    return code == OX_OK && *done ? put_frame(out, OX_OXDL_ZSTD, target, bytes, n, self->ranges,
                                              self->range_count, &self->packed, stats, err)
                                  : code;
}

/* The best frame for what is in the history, at most STRETCH_MAX bytes. */
static enum ox_code put_best_frame(struct encoder *self, uint64_t target, const uint8_t *bytes,
                                   uint32_t n, size_t beat, struct ox_buf *out,
                                   struct ox_delta_stats *stats, struct ox_err *err)
{
    bool fits = false;
    bool better = false;
    size_t tried = n;
    size_t limit = n < self->useless_bytes ? n : (size_t)self->useless_bytes;
    enum ox_code code = OX_OK;

    if (count_hinted(self, n) > n / 32) {
        code = find_noise(self, n, err);
    } /* else zstd sees soon that all is noise, or else there is other work to do */
    if (code == OX_OK && may(self, OX_OXDL_ZSTD)) {
        /* Beside noise there are copies at most. A fast look misses those from far away. */
        code = zstd_pack(self, bytes, n, &self->prefix, self->effort->level_try, is_noisy(self),
                         limit, &fits, err);
        /* Where next to nothing is allowed, edits that no hint tells of will not do, either. */
        tried = fits ? self->packed.len_bytes : limit >= n / 32 ? limit : n;
    }
    if (code == OX_OK && may(self, OX_OXDL_EDIT) &&
        (tried < n - n / 32 || !may(self, OX_OXDL_ZSTD)) && tried - tried / 2 < beat) {
        limit = self->effort->tries_all || n < SLOW_BYTES ? tried : n / 2;
        code = put_edit_frame(self, target, bytes, n, limit < tried ? limit : tried, out, stats,
                              &better, err);
        if (code != OX_OK || better) {
            return code;
        }
    }
    if (code != OX_OK || !fits) {
        return code == OX_OK ? put_raw_frame(self, target, bytes, n, out, stats, err) : code;
    }
    self->body[0].len_bytes = 0;
    code = ox_buf_append(&self->body[0], self->packed.data, tried, err);
    if (code == OX_OK && worth_trying(self, tried) && tried < n - n / 4 &&
        tried - tried / 8 < beat) {
        code = zstd_pack(self, bytes, n, &self->prefix, self->effort->level_good, false, tried,
                         &better, err);
    }
    if (code != OX_OK) {
        return code;
    }
    return put_frame(out, OX_OXDL_ZSTD, target, bytes, n, self->ranges, self->range_count,
                     better ? &self->packed : &self->body[0], stats, err);
}

/* Frames for pieces of n bytes. Where they come from too many places, half by half. */
static enum ox_code put_bytes(struct encoder *self, const struct piece *pieces, size_t count,
                              uint64_t target, const uint8_t *bytes, uint32_t n, size_t beat,
                              bool *done, struct ox_buf *out, struct ox_delta_stats *stats,
                              struct ox_err *err)
{
    bool bases = may(self, OX_OXDL_ZSTD) || may(self, OX_OXDL_EDIT);
    enum ox_code code;

    if (!bases) {
        self->range_count = 0;
    } else if (!choose_ranges(self, pieces, count, target, n) && count > 1) {
        size_t half = count / 2;
        uint32_t first = 0;

        for (size_t i = 0; i < half; i++) {
            first += pieces[i].len;
        }
        code = put_bytes(self, pieces, half, target, bytes, first, beat, done, out, stats, err);
        return code == OX_OK && *done
                   ? put_bytes(self, pieces + half, count - half, target + first, bytes + first,
                               n - first, beat, done, out, stats, err)
                   : code;
    }
    if ((code = read_ranges(self, bytes, n, err)) != OX_OK) {
        return code;
    }
    list_hints(self, pieces, count);
    *done = false;
    if (may(self, OX_OXDL_EDIT) && count_hinted(self, n) >= n / 2) {
        code = find_noise(self, n, err);
        if (code == OX_OK && is_noisy(self) && may(self, OX_OXDL_ZSTD)) {
            code = put_noisy_frame(self, target, bytes, n, out, stats, done, err);
        }
        if (code == OX_OK && !*done) {
            code = put_edit_frame(self, target, bytes, n, n / 2, out, stats, done, err);
        }
    }
    if (code == OX_OK && !*done && n <= STRETCH_MAX) {
        *done = true;
        code = put_best_frame(self, target, bytes, n, beat, out, stats, err);
    }
    self->noise_put += *done && is_noisy(self) ? self->noise : 0;
    return code;
}

/* Cut the next pieces, at most `most` bytes in all, into self->cut. */
static size_t cut_pieces(struct encoder *self, const struct piece *pieces, size_t count,
                         uint32_t most, size_t *piece, uint32_t *skip, uint32_t *n)
{
    size_t cut = 0;

    *n = 0;
    while (*piece < count && *n < most) {
        uint32_t left = pieces[*piece].len - *skip;
        uint32_t take = left < most - *n ? left : most - *n;

        self->cut[cut] = pieces[*piece];
        self->cut[cut].base += *skip;
        self->cut[cut++].len = take;
        *n += take;
        *skip += take;
        if (*skip == pieces[*piece].len) {
            *skip = 0;
            (*piece)++;
        }
    }
    return cut;
}

/* One frame; or, where that cannot be, frames of the most that any can hold. */
static enum ox_code put_one_or_cut(struct encoder *self, const struct piece *pieces, size_t count,
                                   uint64_t target, const uint8_t *bytes, uint32_t n, size_t beat,
                                   struct ox_buf *out, struct ox_delta_stats *stats,
                                   struct ox_err *err)
{
    size_t before = out->len_bytes;
    struct ox_delta_stats stats_before = *stats;
    size_t piece = 0;
    uint32_t skip = 0;
    bool done = false;
    enum ox_code code = OX_OK;

    self->noise_put = 0;
    if (n <= STRETCH_MAX || may(self, OX_OXDL_EDIT)) {
        code = put_bytes(self, pieces, count, target, bytes, n, beat, &done, out, stats, err);
    }
    if (code != OX_OK || done) {
        return code;
    }
    out->len_bytes = before;
    *stats = stats_before;
    self->noise_put = 0;
    while (code == OX_OK && piece < count) {
        uint32_t take = 0;
        size_t cut = cut_pieces(self, pieces, count, STRETCH_MAX, &piece, &skip, &take);

        code = put_bytes(self, self->cut, cut, target, bytes, take, beat, &done, out, stats, err);
        target += take;
        bytes += take;
    }
    return code;
}

/* Frames of edits so short that each gathers all of the base: then there are no ranges to tell.
 * *done is false if some are no edits. */
static enum ox_code put_beside_all(struct encoder *self, const struct piece *pieces, size_t count,
                                   uint64_t target, const uint8_t *bytes, bool *done,
                                   struct ox_buf *out, struct ox_delta_stats *stats,
                                   struct ox_err *err)
{
    uint64_t size = self->base->size_bytes;
    uint32_t most = (uint32_t)(OX_OXDL_FRAME_ALL_MAX - size - EDITS_ROOM);
    size_t piece = 0;
    uint32_t skip = 0;
    enum ox_code code = OX_OK;

    *done = true;
    while (code == OX_OK && *done && piece < count) {
        uint32_t take = 0;
        size_t cut = cut_pieces(self, pieces, count, most, &piece, &skip, &take);

        self->ranges[0] = (struct ox_oxdl_range){false, 0, size};
        self->range_count = 1;
        if ((code = read_ranges(self, bytes, take, err)) != OX_OK) {
            break;
        }
        list_hints(self, self->cut, cut);
        *done = count_hinted(self, take) >= take / 2;
        if (*done) {
            code = put_edit_frame(self, target, bytes, take, take / 2, out, stats, done, err);
        }
        target += take;
        bytes += take;
    }
    return code;
}

enum ox_code put_bytes_frames(struct encoder *self, const struct piece *pieces, size_t count,
                              uint64_t target, const uint8_t *bytes, uint32_t n, size_t beat,
                              struct ox_buf *out, struct ox_delta_stats *stats, struct ox_err *err)
{
    uint64_t size = self->base->size_bytes;
    size_t before = out->len_bytes;
    struct ox_delta_stats first = *stats;
    struct ox_delta_stats second = *stats;
    size_t len;
    bool done = false;
    enum ox_code code =
        put_one_or_cut(self, pieces, count, target, bytes, n, beat, out, &first, err);

    len = out->len_bytes - before;
    if (code == OX_OK && may(self, OX_OXDL_EDIT) && count >= MANY_PIECES && size <= SMALL_BASE &&
        size > gather_max(n)) {
        code = put_beside_all(self, pieces, count, target, bytes, &done, out, &second, err);
    }
    if (done && out->len_bytes - before < 2 * len) { /* the second is smaller */
        memmove(out->data + before, out->data + before + len, out->len_bytes - before - len);
        out->len_bytes -= len;
        *stats = second;
    } else {
        out->len_bytes = before + len;
        *stats = first;
    }
    return code;
}

enum ox_code encoder_run_whole(struct encoder *encoder, size_t limit, struct ox_buf *out,
                               struct ox_delta_stats *stats, bool *done, struct ox_err *err)
{
    struct encoder *self = encoder;
    struct ox_oxdl_range all = {false, 0, self->base->size_bytes};
    uint32_t n = (uint32_t)self->target->size_bytes;
    bool fits = false;
    enum ox_code code;

    *done = false;
    if (self->base->size_bytes == 0 || self->target->size_bytes == 0 ||
        self->base->size_bytes > OX_OXDL_GATHER_MAX ||
        self->target->size_bytes > OX_OXDL_FRAME_TARGET_MAX ||
        self->base->size_bytes + self->target->size_bytes >= OX_OXDL_FRAME_ALL_MAX) {
        return OX_OK;
    }
    limit = limit < OX_OXDL_FRAME_BODY_MAX ? limit : OX_OXDL_FRAME_BODY_MAX;
    if (limit > OX_OXDL_FRAME_ALL_MAX - n - self->base->size_bytes) {
        limit = (size_t)(OX_OXDL_FRAME_ALL_MAX - n - self->base->size_bytes);
    }
    self->ranges[0] = all;
    self->range_count = 1;
    self->hint_count = 0;
    self->noise = NOISE_UNKNOWN;
    if ((code = read_bytes(self->target, 0, n, &self->bytes, err)) != OX_OK ||
        (code = read_ranges(self, self->bytes.data, n, err)) != OX_OK) {
        return code;
    }
    if (may(self, OX_OXDL_EDIT)) {
        return put_edit_frame(self, 0, self->bytes.data, n, limit, out, stats, done, err);
    }
    if (!may(self, OX_OXDL_ZSTD) ||
        (code = zstd_pack(self, self->bytes.data, n, &self->prefix, self->effort->level_whole,
                          false, limit, &fits, err)) != OX_OK ||
        !fits) {
        return code;
    }
    *done = true;
    return put_frame(out, OX_OXDL_ZSTD, 0, self->bytes.data, n, &all, 1, &self->packed, stats, err);
}

/*
 * Making a POOL patch. From each place in the target that is not described yet we look for the base
 * bytes that go on there, the cheapest way first:
 *
 *  1. along the diagonal we are on (base offset less target offset), over differences as long as
 *     equal runs outweigh them, as alignments of sequences are extended until their score has
 *     dropped too far below its best (Zhang et al., 2000);
 *  2. along the diagonal on which both files end, which is right behind one insertion;
 *  3. within the next 64 KiB on both sides, which is right behind any small insertion or deletion;
 *  4. by the target's next chunk in an index of the base's chunks, made when first needed.
 *
 * What is found is extended backwards into what was not. So chunks only find the place; runs are
 * exact to the byte, and a changed byte costs a literal of one byte and another COPY.
 */
#include "oxide/delta/pool.h"

#include "cursor.h"
#include "oxide/crypto/blake3.h"
#include "pool_index.h"
#include "pool_near.h"

#include <stdlib.h>
#include <string.h>

/* A COPY inside a literal costs itself and the front of the literal's second half: 26 bytes. */
#define RUN_MIN ((uint64_t)32)

/* Compared at once; so the target's bytes are still at hand when they are hashed. */
#define RUN_MAX ((uint64_t)16 << 20)

/* Follow a diagonal until it has differed in this many bytes more than it was equal. */
#define DROP_MAX ((uint64_t)4 << 10)

/* Equal bytes that make a new diagonal worth following: a run of zeros must not be one. */
#define JUMP_MIN ((uint64_t)4 << 10)

/* A gap longer than this is written without waiting for a match behind it. */
#define GAP_MAX ((uint64_t)64 << 20)

#define BLOCK_BYTES ((size_t)256 * 1024)
#define OUT_BYTES ((size_t)64 * 1024)

struct run {
    uint64_t start; /* in the target */
    uint64_t len_bytes;
};

struct maker {
    const struct ox_source *base;
    const struct ox_source *target;
    const struct ox_output *out;
    struct ox_stop *stop;
    const struct ox_progress *progress;
    uint64_t work_done; /* bytes, for progress */
    uint64_t work_total;
    struct cursor base_cursor;
    struct cursor target_cursor;
    struct cursor chunk_cursor; /* of the target: chunks are read in order */
    struct pool_index *index;   /* NULL until needed */
    uint64_t diagonal;          /* base offset less target offset, modulo 2^64 */
    struct near near;
    uint64_t tail_diagonal; /* the one on which both end */
    uint64_t done;          /* bytes of target that the instructions so far describe */
    uint64_t copy_base;     /* the COPY that may still grow: it ends at done */
    uint64_t copy_bytes;    /* 0: none */
    struct ox_blake3 hash;  /* of those `done` bytes, to see that they did not change */
    struct ox_pool1_stats stats;
    struct ox_buf pending; /* patch not yet written */
    uint8_t *block;        /* BLOCK_BYTES */
};

/* --- writing instructions --- */

static enum ox_code check_stop(const struct maker *self, struct ox_err *err)
{
    return ox_stop_requested(self->stop) ? ox_err_set(err, OX_ECANCELED, "stopped making a patch")
                                         : OX_OK;
}

static enum ox_code write_pending(struct maker *self, struct ox_err *err)
{
    enum ox_code code =
        self->out->write(self->out->ctx, self->pending.data, self->pending.len_bytes, err);

    self->stats.patch_bytes += self->pending.len_bytes;
    self->pending.len_bytes = 0;
    return code;
}

static enum ox_code flush_if_full(struct maker *self, struct ox_err *err)
{
    return self->pending.len_bytes >= OUT_BYTES ? write_pending(self, err) : OX_OK;
}

/* Go over the target's next bytes: hash them, and write them if they are a literal's. */
static enum ox_code pass(struct maker *self, uint64_t len_bytes, bool literal, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    while (code == OX_OK && len_bytes > 0) {
        size_t take = len_bytes < BLOCK_BYTES ? (size_t)len_bytes : BLOCK_BYTES;

        if ((code = check_stop(self, err)) != OX_OK ||
            (code = ox_source_read(self->target, self->done, self->block, take, err)) != OX_OK) {
            break;
        }
        ox_blake3_update(&self->hash, self->block, take);
        self->done += take;
        len_bytes -= take;
        self->work_done += take;
        ox_progress_update(self->progress, self->work_done, self->work_total);
        if (literal) {
            code = ox_buf_append(&self->pending, self->block, take, err);
            if (code == OX_OK) {
                code = flush_if_full(self, err);
            }
        }
    }
    return code;
}

static enum ox_code flush_copy(struct maker *self, struct ox_err *err)
{
    enum ox_code code;

    if (self->copy_bytes == 0) {
        return OX_OK;
    }
    code = ox_pool1_put_copy(&self->pending, self->copy_base, self->copy_bytes, err);
    self->stats.copies++;
    self->stats.copy_bytes += self->copy_bytes;
    self->copy_bytes = 0;
    return code == OX_OK ? flush_if_full(self, err) : code;
}

static enum ox_code put_copy(struct maker *self, uint64_t base_offset, uint64_t len_bytes,
                             struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (self->copy_base + self->copy_bytes != base_offset) {
        code = flush_copy(self, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (self->copy_bytes == 0) {
        self->copy_base = base_offset;
    }
    self->copy_bytes += len_bytes;
    return pass(self, len_bytes, false, err);
}

static enum ox_code put_literal(struct maker *self, uint64_t len_bytes, struct ox_err *err)
{
    enum ox_code code = len_bytes == 0 ? OX_OK : flush_copy(self, err);

    if (code != OX_OK || len_bytes == 0) {
        return code;
    }
    self->stats.literals++;
    self->stats.literal_bytes += len_bytes;
    code = ox_pool1_put_literal(&self->pending, len_bytes, err);
    return code == OX_OK ? pass(self, len_bytes, true, err) : code;
}

/* --- runs along a diagonal --- */

static enum ox_code match_forward(struct maker *self, uint64_t from, uint64_t diagonal,
                                  uint64_t limit, uint64_t *out, struct ox_err *err)
{
    return cursor_match_forward(&self->target_cursor, from, &self->base_cursor, from + diagonal,
                                limit, out, err);
}

/* Where in a and b, at or behind `at`, are 16 bytes in step equal? len if nowhere. Every run of
 * RUN_MIN bytes has such a place, and looking at one byte after the other is slow. */
static size_t find_equal(const uint8_t *a, const uint8_t *b, size_t at, size_t len)
{
    for (; len - at >= 16; at += 16) {
        uint64_t x[2];
        uint64_t y[2];

        memcpy(x, a + at, 16);
        memcpy(y, b + at, 16);
        if (x[0] == y[0] && x[1] == y[1]) {
            return at;
        }
    }
    return len;
}

/* Look for a run in at least RUN_MIN bytes at hand. False: none begins before *out_start, which is
 * not 0. */
static bool find_run(const uint8_t *a, const uint8_t *b, size_t len, size_t *out_start)
{
    size_t at = find_equal(a, b, 0, len);

    while (at < len) {
        size_t start = at;
        size_t end = at + 16;

        while (start > 0 && a[start - 1] == b[start - 1]) {
            start--;
        }
        while (end < len && end - start < RUN_MIN && a[end] == b[end]) {
            end++;
        }
        if (end - start >= RUN_MIN) {
            *out_start = start;
            return true;
        }
        if (end == len) { /* it may go on behind what is at hand */
            *out_start = start;
            return false;
        }
        at = find_equal(a, b, end - end % 16, len);
    }
    *out_start = (size_t)(len - RUN_MIN + 1);
    return false;
}

/*
 * The next run of equal bytes along the diagonal that begins in the target's [from, until).
 * out->len_bytes is 0 if there is none.
 */
static enum ox_code next_run(struct maker *self, uint64_t diagonal, uint64_t from, uint64_t until,
                             struct run *out, struct ox_err *err)
{
    out->len_bytes = 0;
    while (from < until) {
        const uint8_t *a = NULL;
        const uint8_t *b = NULL;
        size_t a_len = 0;
        size_t b_len = 0;
        size_t start = 0;
        size_t len;
        enum ox_code code;

        if ((code = cursor_at(&self->target_cursor, from, RUN_MIN, &a, &a_len, err)) != OX_OK ||
            (code = cursor_at(&self->base_cursor, from + diagonal, RUN_MIN, &b, &b_len, err)) !=
                OX_OK) {
            return code;
        }
        len = a_len < b_len ? a_len : b_len;
        if (len < RUN_MIN) {
            return OX_OK; /* one of the files ends */
        }
        if (find_run(a, b, len, &start)) {
            if (from + start >= until) {
                return OX_OK;
            }
            out->start = from + start;
            return match_forward(self, out->start, diagonal, RUN_MAX, &out->len_bytes, err);
        }
        from += start;
    }
    return OX_OK;
}

/* Describe the target up to `until`, by what is equal along the diagonal and literals. */
static enum ox_code put_along(struct maker *self, uint64_t diagonal, uint64_t until,
                              struct ox_err *err)
{
    enum ox_code code = OX_OK;

    while (code == OX_OK && self->done < until) {
        struct run run = {0, 0};

        code = next_run(self, diagonal, self->done, until, &run, err);
        if (code != OX_OK) {
            break;
        }
        if (run.len_bytes == 0) {
            return put_literal(self, until - self->done, err);
        }
        code = put_literal(self, run.start - self->done, err);
        if (code == OX_OK) {
            uint64_t left = until - run.start;

            code = put_copy(self, run.start + diagonal, run.len_bytes < left ? run.len_bytes : left,
                            err);
        }
    }
    return code;
}

/* The gap from done to `at` ends with a match on the diagonal: give it what of the gap is its. */
static enum ox_code close_gap(struct maker *self, uint64_t at, uint64_t diagonal,
                              struct ox_err *err)
{
    uint64_t back = 0;
    enum ox_code code = OX_OK;

    if (at > self->done) {
        code = cursor_match_backward(&self->target_cursor, at, &self->base_cursor, at + diagonal,
                                     at - self->done, &back, err);
    }
    if (code == OX_OK) {
        code = put_along(self, self->diagonal, at - back, err);
    }
    if (code == OX_OK && back > 0) {
        code = put_copy(self, at - back + diagonal, back, err);
    }
    return code;
}

/*
 * Describe the target from *at on by runs on the diagonal, as far as they outweigh the differences
 * between them; *at moves behind the last of them, or stays if there is none.
 */
static enum ox_code follow(struct maker *self, uint64_t diagonal, uint64_t *at, struct ox_err *err)
{
    uint64_t size = self->target->size_bytes;
    uint64_t from = *at; /* looked at up to here */
    uint64_t drop = 0;   /* how far the score is below its best, which it had at *at */
    enum ox_code code = OX_OK;

    while (code == OX_OK && from < size) {
        uint64_t reach = DROP_MAX - drop < size - from ? DROP_MAX - drop : size - from;
        struct run run = {0, 0};

        code = check_stop(self, err);
        if (code == OX_OK) {
            code = next_run(self, diagonal, from, from + reach, &run, err);
        }
        if (code != OX_OK || run.len_bytes == 0) {
            break;
        }
        drop += run.start - from;
        from = run.start + run.len_bytes;
        if (drop >= run.len_bytes) {
            drop -= run.len_bytes;
            continue;
        }
        drop = 0;
        code = close_gap(self, run.start, diagonal, err);
        if (code == OX_OK) {
            code = put_copy(self, run.start + diagonal, run.len_bytes, err);
            self->diagonal = diagonal;
            *at = from;
        }
    }
    return code;
}

/* --- finding another diagonal --- */

/* Is the target at `at` equal to the base on the diagonal for long enough to go there? */
static enum ox_code goes_on(struct maker *self, uint64_t at, uint64_t diagonal, bool *out,
                            struct ox_err *err)
{
    uint64_t left = self->target->size_bytes - at;
    uint64_t want = left < JUMP_MIN ? left : JUMP_MIN;
    uint64_t same = 0;
    enum ox_code code = match_forward(self, at, diagonal, want, &same, err);

    *out = same == want && want >= RUN_MIN;
    return code;
}

static void index_progress(void *ctx, uint64_t done, uint64_t total)
{
    const struct maker *self = ctx;

    (void)total;
    ox_progress_update(self->progress, self->work_done + done, self->work_total);
}

/* Where in the base is a chunk of the target? *out is its diagonal if *found. */
static enum ox_code look_up(struct maker *self, uint64_t at, const struct pool_chunk *chunk,
                            uint64_t *out, bool *found, struct ox_err *err)
{
    struct ox_progress progress = {self, index_progress};
    uint64_t offset = 0;

    *found = false;
    if (chunk->len_bytes < FASTCDC_MIN_BYTES) {
        return OX_OK; /* a file's end: not worth reading the base for */
    }
    if (self->index == NULL) {
        enum ox_code code;

        self->work_total += self->base->size_bytes;
        code = pool_index_new(&self->index, self->base, self->stop, &progress, err);
        if (code != OX_OK) {
            return code;
        }
        self->work_done += self->base->size_bytes;
    }
    if (!pool_index_find(self->index, chunk->sum, &offset)) {
        return OX_OK;
    }
    *out = offset - at;
    return goes_on(self, at, *out, found, err);
}

/* Do base and target meet again nearby? *out is the diagonal and *at the place if *found. */
static enum ox_code look_near(struct maker *self, uint64_t *at, uint64_t *out, bool *found,
                              struct ox_err *err)
{
    uint64_t base_at = *at + self->diagonal;
    const uint8_t *a = NULL;
    const uint8_t *b = NULL;
    size_t a_len = 0;
    size_t b_len = 0;
    size_t in_a = 0;
    size_t in_b = 0;
    enum ox_code code;

    if ((code = cursor_at(&self->target_cursor, *at, NEAR_BYTES, &a, &a_len, err)) != OX_OK ||
        (code = cursor_at(&self->base_cursor, base_at, NEAR_BYTES, &b, &b_len, err)) != OX_OK) {
        return code;
    }
    *found = near_find(&self->near, a, a_len, b, b_len, &in_a, &in_b);
    if (*found) {
        *at += in_a;
        *out = base_at + in_b - *at;
    }
    return OX_OK;
}

/* Behind the target's next chunk: does a known diagonal go on there, or is the chunk in the base?
 * *at moves to where the diagonal is to be taken up, or behind the chunk if there is none. */
static enum ox_code look_far(struct maker *self, uint64_t *at, uint64_t *out, bool *found,
                             struct ox_err *err)
{
    const uint64_t known[2] = {self->diagonal, self->tail_diagonal};
    struct pool_chunk chunk = {0, 0};
    enum ox_code code = pool_chunk_at(&self->chunk_cursor, *at, &chunk, err);

    for (size_t i = 0; i < 2 && code == OX_OK && !*found; i++) {
        *out = known[i];
        code = goes_on(self, *at + chunk.len_bytes, *out, found, err);
    }
    if (code == OX_OK && !*found) {
        code = look_up(self, *at, &chunk, out, found, err);
        if (*found) {
            return code;
        }
    }
    *at += chunk.len_bytes;
    return code;
}

/* The diagonal ends at *at: where does which one go on? If that is not *found, *at moved on. */
static enum ox_code search(struct maker *self, uint64_t *at, uint64_t *out, bool *found,
                           struct ox_err *err)
{
    enum ox_code code;

    *out = self->tail_diagonal;
    code = goes_on(self, *at, *out, found, err);
    if (code == OX_OK && !*found) {
        code = look_near(self, at, out, found, err);
    }
    if (code == OX_OK && !*found) {
        code = look_far(self, at, out, found, err);
    }
    return code;
}

/* --- the whole --- */

static enum ox_code describe(struct maker *self, struct ox_err *err)
{
    uint64_t size = self->target->size_bytes;
    uint64_t diagonal = 0;
    uint64_t at = 0; /* everything before is described, or lies in the gap behind done */
    bool found = true;
    enum ox_code code = OX_OK;

    while (code == OX_OK && at < size) {
        uint64_t before = at;

        if (found) { /* not inside a gap: a short run there would keep a long one from its start */
            code = follow(self, diagonal, &at, err);
            if (code != OX_OK || at > before) {
                continue;
            }
        }
        code = search(self, &at, &diagonal, &found, err);
        if (code == OX_OK && !found && at - self->done > GAP_MAX) {
            code = put_along(self, self->diagonal, at, err);
        }
    }
    if (code == OX_OK) {
        code = put_along(self, self->diagonal, size, err);
    }
    return code == OX_OK ? flush_copy(self, err) : code;
}

static enum ox_code maker_init(struct maker *self, struct ox_err *err)
{
    enum ox_code code;

    self->tail_diagonal = self->base->size_bytes - self->target->size_bytes;
    self->work_total = 2 * self->target->size_bytes;
    ox_blake3_init(&self->hash);
    self->block = malloc(BLOCK_BYTES);
    if (self->block == NULL) {
        return ox_err_nomem(err, "making a patch");
    }
    if ((code = cursor_init(&self->base_cursor, self->base, err)) != OX_OK ||
        (code = cursor_init(&self->target_cursor, self->target, err)) != OX_OK ||
        (code = cursor_init(&self->chunk_cursor, self->target, err)) != OX_OK) {
        return code;
    }
    return ox_buf_reserve(&self->pending, OUT_BYTES + BLOCK_BYTES, err);
}

static void maker_clear(struct maker *self)
{
    cursor_clear(&self->base_cursor);
    cursor_clear(&self->target_cursor);
    cursor_clear(&self->chunk_cursor);
    pool_index_free(self->index);
    ox_buf_clear(&self->pending);
    free(self->block);
}

static void hash_progress(void *ctx, uint64_t done, uint64_t total)
{
    const struct maker *self = ctx;

    (void)total;
    ox_progress_update(self->progress, done, self->work_total);
}

/* The header stands first and holds the target's digest, so the target is read for it alone. */
static enum ox_code put_header(struct maker *self, struct ox_err *err)
{
    struct ox_progress progress = {self, hash_progress};
    struct ox_pool1_header *header = &self->stats.header;
    enum ox_code code =
        ox_blake3_source(self->target, self->stop, &progress, &header->target_blake3, err);

    self->work_done = self->target->size_bytes;
    header->base_bytes = self->base->size_bytes;
    header->target_bytes = self->target->size_bytes;
    return code == OX_OK ? ox_pool1_put_header(&self->pending, header, err) : code;
}

static enum ox_code check_unchanged(const struct maker *self, struct ox_err *err)
{
    struct ox_digest digest;

    ox_blake3_digest(&self->hash, &digest);
    return ox_digest_equal(&digest, &self->stats.header.target_blake3)
               ? OX_OK
               : ox_err_set(err, OX_EIO,
                            "the target changed while it was read: try again once it is at rest");
}

enum ox_code ox_pool1_create(const struct ox_source *base, const struct ox_source *target,
                             const struct ox_pool1_options *options, const struct ox_output *out,
                             struct ox_pool1_stats *stats, struct ox_err *err)
{
    struct maker self = {.base = base,
                         .target = target,
                         .out = out,
                         .stop = options->stop,
                         .progress = options->progress};
    enum ox_code code = maker_init(&self, err);

    if (code == OX_OK) {
        code = put_header(&self, err);
    }
    if (code == OX_OK) {
        code = describe(&self, err);
    }
    if (code == OX_OK) {
        code = write_pending(&self, err);
    }
    if (code == OX_OK) {
        code = check_unchanged(&self, err);
    }
    maker_clear(&self);
    if (code == OX_OK && stats != NULL) {
        *stats = self.stats;
    }
    return code;
}

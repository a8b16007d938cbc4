#include "sync.h"

#include <string.h>

#define ANCHOR_RUN_MIN 48

/* A shorter run may be so by chance, or another stands elsewhere that is longer: so many bytes more
 * are searched for it. */
#define STRONG_RUN 512
#define WEAK_PATIENCE 512

/* The base is indexed as a whole only once a share of its bytes found no origin, and so many do in
 * any case: a few changed bytes are cheaper to ship than to look for. */
#define FAR_AFTER_SHARE 16384
#define FAR_AFTER_BYTES ((uint64_t)64 * 1024)

/* Near by: so much of the base behind and ahead of the diagonal, once so many bytes in a row found
 * no origin on it. */
#define NEAR_AFTER_BYTES 256
#define NEAR_BEHIND ((uint64_t)256 * 1024)
#define NEAR_AHEAD ((uint64_t)768 * 1024)
#define NEAR_MARGIN                                                                                \
    ((uint64_t)64 * 1024) /* an index serves while the diagonal is so far inside                   \
                           */
#define NEAR_INDEX_BYTES ((uint64_t)512 * 1024)
#define NEAR_SKIP_MAX 64

/* Fewer bytes between two runs of the diagonal are not looked for elsewhere. */
#define GAP_MIN ((uint64_t)48)

/* The main diagonal is the one of long runs. What was pasted from elsewhere leaves it for a while:
 * then it goes on as if that had overwritten something, or where it stopped, give or take the bytes
 * that are equal by chance. */
#define MAIN_RUN ((uint64_t)4096)
#define MAIN_DRIFT ((uint64_t)4096) /* bytes inserted or deleted are still that diagonal */
#define CHANCE_BYTES 8

#define CHUNK ((size_t)256)       /* is searched on the diagonal, then elsewhere */
#define RUN_LOOK ((uint64_t)4096) /* so far runs are measured */
#define DIAGONAL_STEP 16

struct found {
    bool yes;
    bool weak;
    uint64_t at;
    uint64_t base;
    uint64_t len; /* of the run, as far as it was looked at */
};

enum ox_code sync_init(struct sync *sync, const struct ox_source *base, struct cursor *from,
                       struct cursor *to, uint64_t index_bytes, struct ox_stop *stop,
                       struct ox_err *err)
{
    *sync = (struct sync){
        .base = base, .from = from, .to = to, .index_bytes = index_bytes, .stop = stop};
    return cursor_init(&sync->aside, base, err);
}

static void scan_clear(struct sync_scan *scan)
{
    anchor_index_free(scan->index);
    anchor_scan_clear(&scan->scan);
    scan->index = NULL;
}

void sync_clear(struct sync *sync)
{
    scan_clear(&sync->near);
    scan_clear(&sync->far);
    cursor_clear(&sync->aside);
}

/* --- indexes --- */

static enum ox_code scan_new(struct sync *self, struct sync_scan *scan, uint64_t from, uint64_t to,
                             uint64_t index_bytes, struct ox_err *err)
{
    enum ox_code code;

    scan_clear(scan);
    scan->from = from;
    scan->to = to;
    code = anchor_index_new(&scan->index, self->base, from, to, index_bytes, self->stop, err);
    if (code == OX_OK) {
        code = anchor_scan_init(&scan->scan, anchor_index_window(scan->index), err);
    }
    if (code != OX_OK) {
        scan_clear(scan);
    }
    return code;
}

/* So many bytes more may be lost before the whole base is indexed. */
static uint64_t far_patience(const struct sync *self)
{
    uint64_t share = self->base->size_bytes / FAR_AFTER_SHARE;
    uint64_t after = share < FAR_AFTER_BYTES ? share : FAR_AFTER_BYTES;

    return self->lost_bytes < after ? after - self->lost_bytes : 0;
}

static enum ox_code want_far(struct sync *self, struct ox_err *err)
{
    uint64_t size = self->base->size_bytes;

    if (self->far.index != NULL || size < INDEX_HASHED + INDEX_WINDOW_MIN ||
        far_patience(self) > 0) {
        return OX_OK;
    }
    return scan_new(self, &self->far, 0, size, self->index_bytes, err);
}

/* The near index is for where the index of all is not there or is coarse. */
static enum ox_code want_near(struct sync *self, uint64_t base_at, struct ox_err *err)
{
    struct sync_scan *near = &self->near;
    uint64_t size = self->base->size_bytes;
    uint64_t from = base_at > NEAR_BEHIND ? base_at - NEAR_BEHIND : 0;

    if (self->far.index != NULL && anchor_index_window(self->far.index) <= 2 * INDEX_WINDOW_MIN) {
        scan_clear(near);
        return OX_OK;
    }
    if (near->index != NULL && (near->from == 0 || base_at >= near->from + NEAR_MARGIN) &&
        (near->to == size || base_at + SYNC_SPAN + NEAR_MARGIN <= near->to)) {
        return OX_OK;
    }
    scan_clear(near);
    if (self->near_skip > 0) {
        self->near_skip--;
        return OX_OK;
    }
    if (from >= size || size - from < INDEX_HASHED + INDEX_WINDOW_MIN) {
        return OX_OK;
    }
    self->near_useless++;
    if (self->near_useless > 4) {
        self->near_skip = 1u << (self->near_useless - 4);
        self->near_skip = self->near_skip < NEAR_SKIP_MAX ? self->near_skip : NEAR_SKIP_MAX;
    }
    return scan_new(self, near, from,
                    base_at >= size || size - base_at < NEAR_AHEAD ? size : base_at + NEAR_AHEAD,
                    NEAR_INDEX_BYTES, err);
}

/* --- searching --- */

static enum ox_code is_strong(struct sync *self, uint64_t at, uint64_t len, bool *out,
                              struct ox_err *err)
{
    const uint8_t *bytes = NULL;
    size_t have = 0;
    enum ox_code code = cursor_at(self->to, at, STRONG_RUN, &bytes, &have, err);

    *out = code == OX_OK && len >= STRONG_RUN && have >= STRONG_RUN &&
           memcmp(bytes, bytes + 1, STRONG_RUN - 1) != 0;
    return code;
}

/* Do the bytes at `place` equal those on the diagonal? Then where that run begins. */
static enum ox_code try_diagonal(struct sync *self, struct cursor *from, uint64_t at,
                                 uint64_t base_at, uint64_t place, struct found *found,
                                 struct ox_err *err)
{
    uint64_t base_place = base_at + (place - at);
    uint64_t same = 0;
    uint64_t back = 0;
    bool strong = false;
    enum ox_code code;

    if (base_place >= self->base->size_bytes) {
        return OX_OK;
    }
    code = cursor_match_forward(self->to, place, from, base_place, STRONG_RUN, &same, err);
    if (code != OX_OK || same < SYNC_RUN_MIN) {
        return code;
    }
    if ((code = cursor_match_backward(self->to, place, from, base_place, place - at, &back, err)) ==
        OX_OK) {
        code = is_strong(self, place - back, same + back, &strong, err);
        *found = (struct found){true, !strong, place - back, base_place - back, same + back};
    }
    return code;
}

/* Does the anchor that ends at `end` stand in the base? Then where that run begins on both sides.
 */
static enum ox_code try_anchor(struct sync *self, struct sync_scan *scan, uint64_t at,
                               uint64_t limit, struct found *found, struct ox_err *err)
{
    uint64_t end = scan->start + scan->scan.least_at;
    uint64_t base_end = 0;
    uint64_t back = 0;
    uint64_t forward = 0;
    bool stands = false;
    enum ox_code code;

    if (end <= at) { /* known from before */
        return OX_OK;
    }
    code = anchor_index_find(scan->index, scan->scan.least, &stands, &base_end, err);
    if (code != OX_OK || !stands) {
        return code;
    }
    if ((code = cursor_match_backward(self->to, end, self->from, base_end, end - at, &back, err)) !=
            OX_OK ||
        (code = cursor_match_forward(self->to, end, self->from, base_end,
                                     limit - end < RUN_LOOK ? limit - end : RUN_LOOK, &forward,
                                     err)) != OX_OK) {
        return code;
    }
    if (back + forward < ANCHOR_RUN_MIN) {
        return OX_OK;
    }
    if (found->weak && end - back + CHANCE_BYTES >= found->at + found->len) {
        found->weak = false; /* none is better for these bytes */
    } else if (!found->weak || back + forward > found->len) {
        *found = (struct found){true, back + forward < STRONG_RUN, end - back, base_end - back,
                                back + forward};
    }
    return OX_OK;
}

static enum ox_code feed(struct sync *self, struct sync_scan *scan, const uint8_t *bytes, size_t n,
                         uint64_t at, uint64_t limit, struct found *found, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < n && (!found->yes || found->weak); i++) {
        scan->at++;
        if (anchor_scan_byte(&scan->scan, bytes[i])) {
            code = try_anchor(self, scan, at, limit, found, err);
        }
    }
    return code;
}

/* Go on where the last search ended, or begin anew. */
static void scan_start(struct sync_scan *scan, uint64_t at)
{
    if (scan->index != NULL && scan->at != at) {
        anchor_scan_reset(&scan->scan);
        scan->start = at;
        scan->at = at;
    }
}

/* Search n bytes from `place` on: the diagonal, unless it was found to go on, and the indexes. */
static enum ox_code search_chunk(struct sync *self, uint64_t at, uint64_t base_at, uint64_t limit,
                                 uint64_t place, size_t n, struct found *found, struct ox_err *err)
{
    uint8_t chunk[CHUNK];
    const uint8_t *bytes = NULL;
    size_t len = 0;
    enum ox_code code = OX_OK;

    for (size_t i = place == at ? DIAGONAL_STEP : 0; code == OX_OK && i < n && !found->yes;
         i += DIAGONAL_STEP) {
        code = try_diagonal(self, self->from, at, base_at, place + i, found, err);
    }
    if (code != OX_OK || (found->yes && !found->weak) ||
        (self->near.index == NULL && self->far.index == NULL)) {
        return code;
    }
    if ((code = cursor_at(self->to, place, n, &bytes, &len, err)) != OX_OK) {
        return code;
    }
    memcpy(chunk, bytes, n); /* the cursor moves */
    if (self->near.index != NULL) {
        code = feed(self, &self->near, chunk, n, at, limit, found, err);
        self->near_useless = found->yes && !found->weak ? 0 : self->near_useless;
    }
    if (code == OX_OK && (!found->yes || found->weak) && self->far.index != NULL) {
        code = feed(self, &self->far, chunk, n, at, limit, found, err);
    }
    return code;
}

/* --- the main diagonal --- */

static bool on_main(const struct sync *self, uint64_t at, uint64_t base_at)
{
    uint64_t off = (base_at - at) - (self->main.base - self->main.at);

    return off + MAIN_DRIFT <= 2 * MAIN_DRIFT;
}

/* A run ended here. Was it of the main diagonal, or long enough to be that from now on? */
static void note_run(struct sync *self, uint64_t at, uint64_t base_at)
{
    if (on_main(self, at, base_at) || at - self->run_at >= MAIN_RUN) {
        self->main = (struct sync_end){at, base_at};
    }
}

/* Does the main diagonal go on at `at`, or soon? */
static enum ox_code try_main(struct sync *self, uint64_t at, uint64_t end, struct found *found,
                             struct ox_err *err)
{
    uint64_t main_at = self->main.base + (at - self->main.at); /* were it overwritten */
    enum ox_code code = OX_OK;

    for (uint64_t place = at; code == OX_OK && !found->yes && place < end; place += DIAGONAL_STEP) {
        code = try_diagonal(self, &self->aside, at, main_at, place, found, err);
    }
    for (uint64_t i = 0; code == OX_OK && !found->yes && i <= 2 * CHANCE_BYTES; i++) {
        uint64_t base_at = self->main.base + i;

        if (base_at >= CHANCE_BYTES) {
            code = try_diagonal(self, &self->aside, at, base_at - CHANCE_BYTES, at, found, err);
        }
    }
    if (found->yes) {
        self->main = (struct sync_end){found->at, found->base};
    }
    return code;
}

/* --- the whole --- */

/* The next run on the diagonal, within a few bytes: overwriting needs no index. */
static enum ox_code try_overwritten(struct sync *self, uint64_t at, uint64_t base_at, uint64_t end,
                                    struct found *found, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (uint64_t place = at + DIAGONAL_STEP; code == OX_OK && !found->yes && place < end;
         place += DIAGONAL_STEP) {
        code = try_diagonal(self, self->from, at, base_at, place, found, err);
    }
    return code;
}

/* Something was put over bytes of the diagonal: does it stand elsewhere? */
static enum ox_code try_pasted(struct sync *self, uint64_t at, uint64_t limit, struct found *found,
                               struct ox_err *err)
{
    struct found pasted = {false, false, 0, 0, 0};
    const uint8_t *bytes = NULL;
    uint8_t gap[NEAR_AFTER_BYTES + DIAGONAL_STEP];
    size_t n = (size_t)(found->at - at);
    size_t len = 0;
    enum ox_code code = want_far(self, err);

    if (code != OX_OK || self->far.index == NULL || n < GAP_MIN || n > sizeof(gap)) {
        return code;
    }
    if ((code = cursor_at(self->to, at, n, &bytes, &len, err)) != OX_OK) {
        return code;
    }
    memcpy(gap, bytes, n); /* the cursor moves */
    scan_start(&self->far, at);
    code = feed(self, &self->far, gap, n, at, limit, &pasted, err);
    if (code == OX_OK && pasted.yes) {
        *found = pasted;
        found->weak = false;
    }
    return code;
}

enum ox_code sync_find(struct sync *sync, uint64_t at, uint64_t limit, uint64_t base_at,
                       uint64_t *out, uint64_t *out_base, struct ox_err *err)
{
    struct sync *self = sync;
    uint64_t patience = far_patience(self);
    uint64_t span = patience > 0 && patience < SYNC_SPAN ? patience : SYNC_SPAN;
    uint64_t end = limit - at < span ? limit : at + span;
    uint64_t near_end = end - at < NEAR_AFTER_BYTES ? end : at + NEAR_AFTER_BYTES;
    struct found found = {false, false, end, base_at + (end - at), 0};
    enum ox_code code;

    note_run(self, at, base_at);
    code = try_overwritten(self, at, base_at, near_end, &found, err);
    if (code == OX_OK && !found.yes && !on_main(self, at, base_at)) {
        code = try_main(self, at, near_end, &found, err);
    }
    if (code == OX_OK && found.yes) {
        code = try_pasted(self, at, limit, &found, err);
    }
    if (code == OX_OK && (!found.yes || found.weak)) {
        if ((code = want_far(self, err)) != OX_OK ||
            (code = want_near(self, base_at, err)) != OX_OK) {
            return code;
        }
        scan_start(&self->near, at);
        scan_start(&self->far, at);
    }
    for (uint64_t place = at; code == OX_OK && (!found.yes || found.weak) && place < end;) {
        size_t n = end - place < CHUNK ? (size_t)(end - place) : CHUNK;

        if (found.weak) {
            uint64_t until = found.at + WEAK_PATIENCE;

            if (place >= until) {
                break;
            }
            n = until - place < n ? (size_t)(until - place) : n;
        }
        code = search_chunk(self, at, base_at, limit, place, n, &found, err);
        place += n;
    }
    if (code == OX_OK) {
        self->lost_bytes += found.at - at;
        self->run_at = found.at;
        *out = found.at;
        *out_base = found.base;
    }
    return code;
}

#include "cursor.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD_MIN ((size_t)8 * 1024) /* read after a jump; a whole buffer made shuffles slow */

enum ox_code cursor_init(struct cursor *cursor, const struct ox_source *source, struct ox_err *err)
{
    uint8_t *buf = malloc(CURSOR_BYTES);

    if (buf == NULL) {
        return ox_err_nomem(err, "a read buffer");
    }
    cursor->source = source;
    cursor->buf = buf;
    cursor->start = 0;
    cursor->len = 0;
    cursor->ahead = AHEAD_MIN;
    return OX_OK;
}

void cursor_clear(struct cursor *cursor)
{
    free(cursor->buf);
    *cursor = (struct cursor){0};
}

/* Before a fill for `offset`: how much to read, at least `least`? */
static size_t read_ahead(struct cursor *cursor, uint64_t offset, size_t least)
{
    bool goes_on = offset >= cursor->start && offset - cursor->start <= cursor->len;

    cursor->ahead = !goes_on                           ? AHEAD_MIN
                    : cursor->ahead < CURSOR_BYTES / 2 ? cursor->ahead * 2
                                                       : CURSOR_BYTES;
    return cursor->ahead < least ? least : cursor->ahead;
}

static enum ox_code fill(struct cursor *cursor, uint64_t start, size_t take, struct ox_err *err)
{
    uint64_t left = cursor->source->size_bytes - start;
    enum ox_code code;

    take = left < take ? (size_t)left : take;
    code = ox_source_read(cursor->source, start, cursor->buf, take, err);

    cursor->start = start;
    cursor->len = code == OX_OK ? take : 0;
    return code;
}

enum ox_code cursor_at(struct cursor *cursor, uint64_t offset, size_t want, const uint8_t **out,
                       size_t *out_len, struct ox_err *err)
{
    uint64_t size = cursor->source->size_bytes;
    uint64_t left = offset < size ? size - offset : 0;
    enum ox_code code = OX_OK;

    if (want > left) {
        want = (size_t)left;
    }
    if (offset < cursor->start || offset - cursor->start > cursor->len ||
        cursor->len - (size_t)(offset - cursor->start) < want) {
        code = left == 0 ? OX_OK : fill(cursor, offset, read_ahead(cursor, offset, want), err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (left == 0) {
        *out = cursor->buf;
        *out_len = 0;
        return OX_OK;
    }
    *out = cursor->buf + (size_t)(offset - cursor->start);
    *out_len = cursor->len - (size_t)(offset - cursor->start);
    return OX_OK;
}

enum ox_code cursor_before(struct cursor *cursor, uint64_t offset, size_t want, const uint8_t **out,
                           size_t *out_len, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (want > offset) {
        want = (size_t)offset;
    }
    if (offset - want < cursor->start || offset > cursor->start + cursor->len) {
        size_t take = read_ahead(cursor, offset, 2 * want); /* half of it behind the place */
        uint64_t start = offset > take / 2 ? offset - take / 2 : 0;

        code = fill(cursor, start, take, err);
    }
    if (code == OX_OK) {
        size_t have = (size_t)(offset - cursor->start);

        *out_len = have < want ? have : want;
        *out = cursor->buf + (have - *out_len);
    }
    return code;
}

static size_t equal_prefix(const uint8_t *a, const uint8_t *b, size_t len)
{
    size_t i = 0;

    while (len - i >= 64 && memcmp(a + i, b + i, 64) == 0) {
        i += 64;
    }
    while (i < len && a[i] == b[i]) {
        i++;
    }
    return i;
}

enum ox_code cursor_match_forward(struct cursor *a, uint64_t a_at, struct cursor *b, uint64_t b_at,
                                  uint64_t limit, uint64_t *out, struct ox_err *err)
{
    uint64_t matched = 0;
    enum ox_code code = OX_OK;

    while (matched < limit) {
        const uint8_t *left = NULL;
        const uint8_t *right = NULL;
        size_t left_len = 0;
        size_t right_len = 0;
        size_t len;
        size_t same;

        if ((code = cursor_at(a, a_at + matched, 1, &left, &left_len, err)) != OX_OK ||
            (code = cursor_at(b, b_at + matched, 1, &right, &right_len, err)) != OX_OK) {
            return code;
        }
        len = left_len < right_len ? left_len : right_len;
        if (len > limit - matched) {
            len = (size_t)(limit - matched);
        }
        same = equal_prefix(left, right, len);
        matched += same;
        if (same < len || len == 0) {
            break;
        }
    }
    *out = matched;
    return OX_OK;
}

enum ox_code cursor_match_backward(struct cursor *a, uint64_t a_at, struct cursor *b, uint64_t b_at,
                                   uint64_t limit, uint64_t *out, struct ox_err *err)
{
    uint64_t matched = 0;
    enum ox_code code = OX_OK;

    while (matched < limit && a_at > matched && b_at > matched) {
        const uint8_t *left = NULL;
        const uint8_t *right = NULL;
        size_t left_len = 0;
        size_t right_len = 0;
        size_t len;
        size_t same = 0;

        if ((code = cursor_before(a, a_at - matched, 4096, &left, &left_len, err)) != OX_OK ||
            (code = cursor_before(b, b_at - matched, 4096, &right, &right_len, err)) != OX_OK) {
            return code;
        }
        len = left_len < right_len ? left_len : right_len;
        if (len > limit - matched) {
            len = (size_t)(limit - matched);
        }
        while (same < len && left[left_len - 1 - same] == right[right_len - 1 - same]) {
            same++;
        }
        matched += same;
        if (same < len || len == 0) {
            break;
        }
    }
    *out = matched;
    return OX_OK;
}

#include "edit.h"

#include <string.h>

/* Copy target bytes from dist bytes before: gathered ones, or earlier ones of the target, which may
 * overlap with what is written. */
static void copy(const struct edit_history *history, uint32_t at, uint32_t dist, uint32_t len)
{
    uint8_t *to = history->target + at;
    uint32_t place = history->gathered_bytes + at - dist;

    if (place < history->gathered_bytes) {
        uint32_t take = history->gathered_bytes - place;

        take = take < len ? take : len;
        memcpy(to, history->gathered + place, take);
        to += take;
        place += take;
        len -= take;
    }
    if (len > 0) {
        const uint8_t *from = history->target + (place - history->gathered_bytes);

        if (dist >= len) {
            memcpy(to, from, len);
        } else {
            while (len-- > 0) {
                *to++ = *from++;
            }
        }
    }
}

enum ox_code edit_decode(struct edit_model *model, const uint8_t *gathered, uint32_t gathered_bytes,
                         uint8_t *target, uint32_t n, const uint8_t *body, size_t body_bytes,
                         struct ox_err *err)
{
    struct edit_history history = {gathered, gathered_bytes, target};
    struct edit_state state;

    edit_state_init(&state, gathered_bytes);
    edit_decode_begin(model, body, body_bytes);
    for (uint32_t at = 0; at < n;) {
        struct edit_token token = {EDIT_LITERAL, 1, 0};

        edit_code(model, &state, &token, &history, at);
        if (token.len > n - at || token.kind >= EDIT_KIND_COUNT ||
            (token.kind != EDIT_LITERAL && (token.dist == 0 || token.dist > gathered_bytes + at))) {
            return ox_err_set(
                err, OX_ECORRUPT,
                "a frame of edits copies %u bytes from %u before, which are not there", token.len,
                token.dist);
        }
        if (token.kind != EDIT_LITERAL) {
            copy(&history, at, token.dist, token.len);
        }
        edit_state_update(&state, &token);
        at += token.len;
    }
    if (!edit_decode_end(model)) {
        return ox_err_set(err, OX_ECORRUPT, "a frame of edits has bytes behind its end");
    }
    return OX_OK;
}

/** A small cached view of a source, for code that looks at bytes one after the other. */
#ifndef OXIDE_DELTA_CURSOR_H
#define OXIDE_DELTA_CURSOR_H

#include "oxide/base/io.h"

#define CURSOR_BYTES ((size_t)256 * 1024)

struct cursor {
    const struct ox_source *source;
    uint8_t *buf; /* CURSOR_BYTES, owned */
    uint64_t start;
    size_t len;
    size_t ahead; /* bytes to read at once: grows while reads go on, shrinks where they jump */
};

enum ox_code cursor_init(struct cursor *cursor, const struct ox_source *source, struct ox_err *err);
void cursor_clear(struct cursor *cursor);

/** Lend bytes at offset; *out_len says how many are there: at least min(want, left in the source),
 *  where want is at most CURSOR_BYTES / 2. */
enum ox_code cursor_at(struct cursor *cursor, uint64_t offset, size_t want, const uint8_t **out,
                       size_t *out_len, struct ox_err *err);

/** Lend up to `want` bytes that end at offset (so out[*out_len] would be at offset). */
enum ox_code cursor_before(struct cursor *cursor, uint64_t offset, size_t want, const uint8_t **out,
                           size_t *out_len, struct ox_err *err);

/** How many bytes are equal from a_at and b_at on, at most `limit`. */
enum ox_code cursor_match_forward(struct cursor *a, uint64_t a_at, struct cursor *b, uint64_t b_at,
                                  uint64_t limit, uint64_t *out, struct ox_err *err);

/** How many bytes are equal before a_at and b_at, at most `limit`. */
enum ox_code cursor_match_backward(struct cursor *a, uint64_t a_at, struct cursor *b, uint64_t b_at,
                                   uint64_t limit, uint64_t *out, struct ox_err *err);

#endif

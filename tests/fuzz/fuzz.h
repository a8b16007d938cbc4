/** What fuzz targets share: a claim that must hold, numbers drawn from an input, sides in memory.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "oxide/base/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** A finding, unless it holds. */
static inline void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/** The input, taken from the front. Behind its end there are zeros. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t take_u8(struct fuzz_input *input)
{
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

static inline uint16_t take_u16(struct fuzz_input *input)
{
    unsigned low = take_u8(input);

    return (uint16_t)(low | (unsigned)take_u8(input) << 8);
}

static inline uint32_t take_u32(struct fuzz_input *input)
{
    uint32_t low = take_u16(input);

    return low | (uint32_t)take_u16(input) << 16;
}

/** The next len bytes, or what is left of them, lent. */
static inline struct fuzz_input take_bytes(struct fuzz_input *input, size_t len)
{
    struct fuzz_input taken = {input->data, len < input->size ? len : input->size};

    input->data += taken.size;
    input->size -= taken.size;
    return taken;
}

/** Numbers without a pattern: xorshift. Source: Marsaglia, "Xorshift RNGs" (2003). */
static inline uint32_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

/** Fresh memory that sanitizers watch to the byte; len may be 0. The caller frees. */
static inline uint8_t *exact_memory(size_t len)
{
    uint8_t *memory = malloc(len == 0 ? 1 : len);

    must(memory != NULL);
    return memory;
}

/** The buffer as an output, which refuses nothing. */
static inline enum ox_code fuzz_append(void *ctx, const void *bytes, size_t len, struct ox_err *err)
{
    return ox_buf_append(ctx, bytes, len, err);
}

/** The buffer as a sink that is written in order and read back: {&buf, fuzz_write, fuzz_read}. */
static inline enum ox_code fuzz_write(void *ctx, uint64_t offset, const void *bytes, size_t len,
                                      struct ox_err *err)
{
    struct ox_buf *buf = ctx;

    must(offset == buf->len_bytes);
    return ox_buf_append(buf, bytes, len, err);
}

static inline enum ox_code fuzz_read(void *ctx, uint64_t offset, void *out, size_t len,
                                     struct ox_err *err)
{
    const struct ox_buf *buf = ctx;

    (void)err;
    must(offset <= buf->len_bytes && len <= buf->len_bytes - offset);
    if (len > 0) {
        memcpy(out, buf->data + offset, len);
    }
    return OX_OK;
}

static inline bool same_bytes(const struct ox_buf *a, const uint8_t *b, size_t len)
{
    return a->len_bytes == len && (len == 0 || memcmp(a->data, b, len) == 0);
}

#endif

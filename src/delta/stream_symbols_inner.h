/**
 * What both paths, the portable one and that for the processor's vectors, need to split numbers
 * into symbols and raw bits and to join them.
 */
#ifndef OXIDE_DELTA_STREAM_SYMBOLS_INNER_H
#define OXIDE_DELTA_STREAM_SYMBOLS_INNER_H

#include "stream_symbols.h"

/** call(meaning, width, is_float, arguments) with constants, so that each kind has code of its own.
 */
#define DISPATCH(call, symbols)                                                                    \
    do {                                                                                           \
        const struct number_kind_row *row_ = &number_kinds[(symbols)->kind];                       \
                                                                                                   \
        if ((symbols)->meaning == SYMBOL_TOP && row_->width == 4) {                                \
            call(SYMBOL_TOP, 4, true);                                                             \
        } else if ((symbols)->meaning == SYMBOL_TOP) {                                             \
            call(SYMBOL_TOP, 2, true);                                                             \
        } else if (row_->width == 4 && row_->sign_magnitude) {                                     \
            call(SYMBOL_STEP, 4, true);                                                            \
        } else if (row_->width == 4) {                                                             \
            call(SYMBOL_STEP, 4, false);                                                           \
        } else if (row_->width == 2 && row_->sign_magnitude) {                                     \
            call(SYMBOL_STEP, 2, true);                                                            \
        } else if (row_->width == 2) {                                                             \
            call(SYMBOL_STEP, 2, false);                                                           \
        } else if (row_->sign_magnitude) {                                                         \
            call(SYMBOL_STEP, 1, true);                                                            \
        } else {                                                                                   \
            call(SYMBOL_STEP, 1, false);                                                           \
        }                                                                                          \
    } while (0)

INLINE uint32_t load(const uint8_t *bytes, unsigned width)
{
    if (width == 4) {
        return ox_load_u32le(bytes);
    }
    return width == 2 ? ox_load_u16le(bytes) : bytes[0];
}

INLINE void store(uint8_t *bytes, uint32_t value, unsigned width)
{
    if (width == 4) {
        ox_store_u32le(bytes, value);
        return;
    }
    bytes[0] = (uint8_t)value;
    if (width == 2) {
        bytes[1] = (uint8_t)(value >> 8);
    }
}

INLINE uint32_t sign_extend(uint32_t value, unsigned width)
{
    return (uint32_t)((int32_t)(value << (32 - 8 * width)) >> (32 - 8 * width));
}

/* All ones where the number is negative. */
INLINE uint32_t sign_of(uint32_t bits, unsigned width)
{
    return 0u - (bits >> (8 * width - 1) & 1);
}

/* A number's place in the order of its kind, as a signed integer of its width: floats count down
 * below zero. A bijection, its own inverse. Bits above the width stay as they are. */
INLINE uint32_t ordered(uint32_t bits, unsigned width, bool is_float)
{
    return is_float ? bits ^ (sign_of(bits, width) & (0xffffffffu >> (33 - 8 * width))) : bits;
}

#define SMALL_MAX 14 /* the highest symbol of a step without raw bits; its size is (s + 1) / 2 */

/** Raw bits that are being written. */
struct raw_writer {
    uint8_t *at;
    uint64_t pending;
    unsigned count;
};

/* 32 bits at most; 8 bytes are written ahead. */
INLINE void raw_put(struct raw_writer *raw, uint32_t value, unsigned bits)
{
    raw->pending |= ((uint64_t)value & (((uint64_t)1 << bits) - 1)) << raw->count;
    raw->count += bits;
    ox_store_u64le(raw->at, raw->pending);
    raw->at += raw->count >> 3;
    raw->pending >>= raw->count & ~7u;
    raw->count &= 7;
}

/** The best that this processor has. The following two are for processors that have some. */
enum vector_path symbols_best_vectors(void);

/** Split as many numbers as fill whole vectors; how many that were. */
size_t symbols_split_vectors(const struct symbols *self, const uint8_t *predicted,
                             const uint8_t *numbers, size_t count, uint8_t *out,
                             struct raw_writer *raw);

/** Join numbers from `done` on while that can be in whole vectors; how many are joined then. */
size_t symbols_join_vectors(const struct symbols *self, const uint8_t *predicted, const uint8_t *in,
                            struct symbols_raw *raw, uint8_t *numbers, size_t done, size_t count);

#endif

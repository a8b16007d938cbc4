/** 4-bit numbers, two to a byte, the first in the low half. */
#ifndef OXIDE_DELTA_NIBBLES_H
#define OXIDE_DELTA_NIBBLES_H

#include <stddef.h>
#include <stdint.h>

static inline void nibbles_unpack(const uint8_t *packed, size_t bytes, uint8_t *numbers)
{
    for (size_t i = 0; i < bytes; i++) {
        numbers[2 * i] = packed[i] & 15;
        numbers[2 * i + 1] = packed[i] >> 4;
    }
}

/** Of numbers the lowest four bits. */
static inline void nibbles_pack(const uint8_t *numbers, size_t bytes, uint8_t *packed)
{
    for (size_t i = 0; i < bytes; i++) {
        packed[i] = (uint8_t)((numbers[2 * i] & 15) | numbers[2 * i + 1] << 4);
    }
}

static inline uint8_t nibble_at(const uint8_t *packed, size_t i)
{
    return packed[i / 2] >> (4 * (i % 2)) & 15;
}

#endif

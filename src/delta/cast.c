#include "cast_inner.h"

#include <string.h>

bool cast_ok(enum number_kind from, enum number_kind to)
{
    return from != to && (from == NUMBER_F16 || from == NUMBER_BF16 || from == NUMBER_F32) &&
           (to == NUMBER_F16 || to == NUMBER_BF16 || to == NUMBER_F32);
}

static uint32_t f32_of_f16(uint32_t half)
{
    uint32_t sign = (half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 31;
    uint32_t mantissa = half & 0x3ff;

    if (exponent == 31) {
        return sign | 0x7f800000u | mantissa << 13;
    }
    if (exponent > 0) {
        return sign | (exponent + 112) << 23 | mantissa << 13;
    }
    if (mantissa == 0) {
        return sign;
    }
    exponent = 113; /* subnormal: shift until the leading one stands where it is implied */
    while ((mantissa & 0x400) == 0) {
        mantissa <<= 1;
        exponent--;
    }
    return sign | exponent << 23 | (mantissa & 0x3ff) << 13;
}

/* value >> shift, rounded to the nearest, ties to even. */
static uint32_t round_shift(uint32_t value, unsigned shift)
{
    return (value + (1u << (shift - 1)) - 1 + (value >> shift & 1)) >> shift;
}

static uint32_t f16_of_f32(uint32_t bits, bool truncates)
{
    uint32_t sign = bits >> 16 & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;
    uint32_t exponent = magnitude >> 23;
    uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;

    if (magnitude > 0x7f800000u) { /* NaN: keep it one */
        return sign | 0x7c00 | 0x200 | (magnitude >> 13 & 0x3ff);
    }
    if (exponent >= 143) { /* 65536 and more; infinity */
        return sign | (truncates && magnitude < 0x7f800000u ? 0x7bff : 0x7c00);
    }
    if (exponent >= 113) {
        uint32_t rebased = magnitude - (112u << 23);

        return sign | (truncates ? rebased >> 13 : round_shift(rebased, 13));
    }
    if (exponent < 102) { /* less than half of the smallest subnormal */
        return sign;
    }
    return sign |
           (truncates ? mantissa >> (126 - exponent) : round_shift(mantissa, 126 - exponent));
}

static uint32_t bf16_of_f32(uint32_t bits, bool truncates)
{
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return bits >> 16 | 0x40;
    }
    return truncates ? bits >> 16 : round_shift(bits, 16);
}

/* One loop per pair of kinds: the compiler drops what the pair does not need. */
static inline __attribute__((always_inline)) void cast_all(enum number_kind from,
                                                           enum number_kind to, bool truncates,
                                                           const uint8_t *in, size_t count,
                                                           uint8_t *out)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;

        if (from == NUMBER_F32) {
            bits = ox_load_u32le(in + 4 * i);
        } else {
            bits = ox_load_u16le(in + 2 * i);
            bits = from == NUMBER_F16 ? f32_of_f16(bits) : bits << 16;
        }
        if (to == NUMBER_F32) {
            for (unsigned k = 0; k < 4; k++) {
                out[4 * i + k] = (uint8_t)(bits >> (8 * k));
            }
            continue;
        }
        bits = to == NUMBER_F16 ? f16_of_f32(bits, truncates) : bf16_of_f32(bits, truncates);
        out[2 * i] = (uint8_t)bits;
        out[2 * i + 1] = (uint8_t)(bits >> 8);
    }
}

void cast_portably(enum number_kind from, enum number_kind to, bool truncates, const uint8_t *in,
                   size_t count, uint8_t *out)
{
    if (from == NUMBER_F32 && to == NUMBER_BF16) {
        cast_all(NUMBER_F32, NUMBER_BF16, truncates, in, count, out);
    } else if (from == NUMBER_F32 && to == NUMBER_F16) {
        cast_all(NUMBER_F32, NUMBER_F16, truncates, in, count, out);
    } else if (from == NUMBER_BF16 && to == NUMBER_F32) {
        cast_all(NUMBER_BF16, NUMBER_F32, truncates, in, count, out);
    } else {
        cast_all(from, to, truncates, in, count, out);
    }
}

void cast_numbers(enum number_kind from, enum number_kind to, bool truncates, const uint8_t *in,
                  size_t count, uint8_t *out)
{
    size_t done = 0;

    if (!truncates && cast_have_vectors()) {
        done = cast_vectors(from, to, in, count, out);
    }
    cast_portably(from, to, truncates, in + done * number_kinds[from].width, count - done,
                  out + done * number_kinds[to].width);
}

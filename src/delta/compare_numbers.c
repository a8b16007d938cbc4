#include "compare_numbers.h"

#include <math.h>
#include <string.h>

static uint64_t little(const uint8_t *at, size_t len)
{
    uint64_t value = 0;

    for (size_t i = len; i > 0; i--) {
        value = value << 8 | at[i - 1];
    }
    return value;
}

static double read_f64(const uint8_t *at)
{
    uint64_t bits = little(at, 8);
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static double f32_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return (double)value;
}

static double read_f32(const uint8_t *at)
{
    return f32_of((uint32_t)little(at, 4));
}

static double read_bf16(const uint8_t *at)
{
    return f32_of((uint32_t)little(at, 2) << 16);
}

/* A small float of so many bits of exponent and mantissa behind its sign. IEEE 754's way, with
 * infinities; e4m3 (of NVIDIA, Arm and Intel, 2022) has none, and one NaN. */
static double read_small(uint32_t bits, unsigned exponent_bits, unsigned mantissa_bits, bool finite)
{
    uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
    uint32_t exponent = bits >> mantissa_bits & ((1u << exponent_bits) - 1);
    int bias = (1 << (exponent_bits - 1)) - 1;
    bool top = exponent == (1u << exponent_bits) - 1;
    bool negative = (bits >> (exponent_bits + mantissa_bits) & 1u) != 0;
    double value;

    if (top && (!finite || mantissa == (1u << mantissa_bits) - 1)) {
        return finite || mantissa != 0 ? (double)NAN : negative ? -HUGE_VAL : HUGE_VAL;
    }
    value = exponent == 0 ? ldexp((double)mantissa, 1 - bias - (int)mantissa_bits)
                          : ldexp((double)(mantissa + (1u << mantissa_bits)),
                                  (int)exponent - bias - (int)mantissa_bits);
    return negative ? -value : value;
}

static double read_f16(const uint8_t *at)
{
    return read_small((uint32_t)little(at, 2), 5, 10, false);
}

static double read_e4m3(const uint8_t *at)
{
    return read_small(at[0], 4, 3, true);
}

static double read_e5m2(const uint8_t *at)
{
    return read_small(at[0], 5, 2, false);
}

static double read_i64(const uint8_t *at)
{
    return (double)(int64_t)little(at, 8);
}

static double read_i32(const uint8_t *at)
{
    return (double)(int32_t)(uint32_t)little(at, 4);
}

static double read_i16(const uint8_t *at)
{
    return (double)(int16_t)(uint16_t)little(at, 2);
}

static double read_i8(const uint8_t *at)
{
    return (double)(int8_t)at[0];
}

static double read_u64(const uint8_t *at)
{
    return (double)little(at, 8);
}

static double read_u32(const uint8_t *at)
{
    return (double)little(at, 4);
}

static double read_u16(const uint8_t *at)
{
    return (double)little(at, 2);
}

static double read_u8(const uint8_t *at)
{
    return (double)at[0];
}

/* To add a kind: a row here. */
static double (*const readers[OX_DTYPE_COUNT])(const uint8_t *at) = {
    [OX_DTYPE_F64] = read_f64,   [OX_DTYPE_F32] = read_f32,      [OX_DTYPE_F16] = read_f16,
    [OX_DTYPE_BF16] = read_bf16, [OX_DTYPE_F8_E4M3] = read_e4m3, [OX_DTYPE_F8_E5M2] = read_e5m2,
    [OX_DTYPE_I64] = read_i64,   [OX_DTYPE_I32] = read_i32,      [OX_DTYPE_I16] = read_i16,
    [OX_DTYPE_I8] = read_i8,     [OX_DTYPE_U64] = read_u64,      [OX_DTYPE_U32] = read_u32,
    [OX_DTYPE_U16] = read_u16,   [OX_DTYPE_U8] = read_u8,        [OX_DTYPE_BOOL] = read_u8,
};

bool numbers_can_be_read(enum ox_dtype dtype)
{
    return (unsigned)dtype < OX_DTYPE_COUNT && readers[dtype] != NULL;
}

void numbers_add(struct number_changes *changes, enum ox_dtype dtype, const uint8_t *before,
                 const uint8_t *after, size_t len_bytes)
{
    double (*read)(const uint8_t *at) = readers[dtype];
    size_t size = ox_dtype_info(dtype)->block_bytes;

    for (size_t i = 0; i + size <= len_bytes; i += size) {
        double old = read(before + i);
        bool differs = memcmp(before + i, after + i, size) != 0;

        changes->numbers++;
        changes->changed += differs;
        if (isfinite(old)) {
            changes->sum_squares_before += old * old;
        }
        if (differs) {
            double change = fabs(read(after + i) - old);

            if (isfinite(change)) {
                changes->sum_squares_change += change * change;
                changes->max_change = change > changes->max_change ? change : changes->max_change;
            }
        }
    }
}

#include "factors.h"

#include "cast.h"
#include "vectors.h"

#include <string.h>

#define TILE 128 /* columns at a time: their factors stay in the cache */
#define TOGETHER 4

uint32_t factors_rows(const struct factors_shape *shape)
{
    return (uint32_t)(((uint64_t)shape->column + shape->count + shape->columns - 1) /
                      shape->columns);
}

uint32_t factors_stride(const struct factors_shape *shape)
{
    return 1 + shape->columns + factors_rows(shape);
}

bool factors_ok(const struct factors_shape *shape)
{
    return (shape->kind == NUMBER_F16 || shape->kind == NUMBER_BF16 || shape->kind == NUMBER_F32) &&
           shape->rank >= 1 && shape->rank <= FACTORS_RANK_MAX &&
           shape->columns >= FACTORS_COLUMNS_MIN && shape->columns <= FACTORS_COLUMNS_MAX &&
           shape->column < shape->columns && shape->count >= 1 &&
           (uint64_t)shape->rank * factors_stride(shape) <= shape->count / 2;
}

static double whole(const uint8_t *factors, size_t i)
{
    return (double)(int32_t)ox_load_u32le(factors + 4 * i);
}

static double power_of_half(uint32_t exponent)
{
    double power = 1;

    for (exponent = exponent < FACTORS_EXPONENT_MAX ? exponent : FACTORS_EXPONENT_MAX; exponent > 0;
         exponent--) {
        power /= 2;
    }
    return power;
}

struct tile {
    double scale[FACTORS_RANK_MAX];
    double of_row[FACTORS_RANK_MAX];
    double of_column[FACTORS_RANK_MAX][TILE]; /* 0 beyond the rank: adding that changes nothing */
    double update[TILE];
    uint32_t bits[TILE];
    uint8_t bytes[4 * TILE];
};

/* The update of a row's columns: each its products from the first pattern to the last. */
INLINE void sum_up(struct tile *tile, unsigned rank, size_t from, size_t to)
{
    memset(tile->update, 0, sizeof(tile->update));
    for (unsigned k = 0; k < rank; k += TOGETHER) {
        const double *u = tile->of_row + k;

        for (size_t j = from; j < to; j++) {
            double sum = tile->update[j];

            sum += u[0] * tile->of_column[k][j];
            sum += u[1] * tile->of_column[k + 1][j];
            sum += u[2] * tile->of_column[k + 2][j];
            sum += u[3] * tile->of_column[k + 3][j];
            tile->update[j] = sum;
        }
    }
}

/* Infinities and NaNs stay as they are. */
INLINE void add(struct tile *tile, size_t from, size_t to)
{
    for (size_t j = from; j < to; j++) {
        uint32_t bits = tile->bits[j];
        uint32_t moved;
        float value;

        memcpy(&value, &bits, sizeof(value));
        value = (float)((double)value + tile->update[j]);
        memcpy(&moved, &value, sizeof(moved));
        tile->bits[j] = (bits & 0x7f800000u) == 0x7f800000u ? bits : moved;
    }
}

INLINE void sum_and_add(struct tile *tile, unsigned rank, size_t from, size_t to)
{
    sum_up(tile, rank, from, to);
    add(tile, from, to);
}

#ifdef HAVE_AVX2_PATH
__attribute__((target("avx2"))) static void sum_and_add_avx2(struct tile *tile, unsigned rank,
                                                             size_t from, size_t to)
{
    sum_and_add(tile, rank, from, to);
}
#endif

static void sum_and_add_any(struct tile *tile, unsigned rank, size_t from, size_t to)
{
    sum_and_add(tile, rank, from, to);
}

static void load_numbers(enum number_kind kind, const uint8_t *numbers, size_t count,
                         uint8_t *bytes, uint32_t *bits)
{
    if (kind == NUMBER_F16) {
        cast_numbers(NUMBER_F16, NUMBER_F32, false, numbers, count, bytes);
        numbers = bytes;
    }
    for (size_t j = 0; j < count; j++) {
        bits[j] = kind == NUMBER_BF16 ? (uint32_t)ox_load_u16le(numbers + 2 * j) << 16
                                      : ox_load_u32le(numbers + 4 * j);
    }
}

static void store_numbers(enum number_kind kind, const uint32_t *bits, size_t count, uint8_t *bytes,
                          uint8_t *numbers)
{
    uint8_t *to = kind == NUMBER_F32 ? numbers : bytes;

    for (size_t j = 0; j < count; j++) {
        ox_store_u32le(to + 4 * j, bits[j]);
    }
    if (kind != NUMBER_F32) {
        cast_numbers(NUMBER_F32, kind, false, bytes, count, numbers);
    }
}

void factors_predict(const struct factors_shape *shape, const uint8_t *factors, const uint8_t *base,
                     uint8_t *predicted)
{
    void (*update)(struct tile *, unsigned, size_t, size_t) = sum_and_add_any;
    size_t width = number_kinds[shape->kind].width;
    size_t columns = shape->columns;
    size_t stride = factors_stride(shape);
    size_t rows = factors_rows(shape);
    size_t begin = shape->column; /* of the numbers, counted from the front of the first row */
    size_t end = begin + shape->count;
    struct tile tile = {.scale = {0}};

#ifdef HAVE_AVX2_PATH
    if (__builtin_cpu_supports("avx2")) {
        update = sum_and_add_avx2;
    }
#endif
    for (unsigned k = 0; k < shape->rank; k++) {
        tile.scale[k] = power_of_half(ox_load_u32le(factors + 4 * stride * k));
    }
    for (size_t first = 0; first < columns; first += TILE) {
        size_t last = first + TILE < columns ? first + TILE : columns;

        for (unsigned k = 0; k < shape->rank; k++) {
            for (size_t j = first; j < last; j++) {
                tile.of_column[k][j - first] = whole(factors, stride * k + 1 + j);
            }
        }
        for (size_t i = 0; i < rows; i++) {
            size_t at = i * columns + first; /* of the tile */
            size_t from = at < begin ? begin : at;
            size_t to = i * columns + last < end ? i * columns + last : end;

            if (from >= to) {
                continue;
            }
            for (unsigned k = 0; k < shape->rank; k++) {
                tile.of_row[k] = whole(factors, stride * k + 1 + columns + i) * tile.scale[k];
            }
            load_numbers(shape->kind, base + (from - begin) * width, to - from, tile.bytes,
                         tile.bits + (from - at));
            update(&tile, shape->rank, from - at, to - at);
            store_numbers(shape->kind, tile.bits + (from - at), to - from, tile.bytes,
                          predicted + (from - begin) * width);
        }
    }
}

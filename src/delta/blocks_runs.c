#include "blocks_runs.h"

#include "blocks_layout.h"

#include <string.h>

#ifdef HAVE_AVX2_PATH
#include <immintrin.h>
#endif

/* Sixteen numbers of 16 bits: gcc and clang make what vectors the processor has of them. */
#define LANES 16
typedef int16_t lanes __attribute__((vector_size(2 * LANES)));
typedef uint16_t unsigned_lanes __attribute__((vector_size(2 * LANES)));
typedef uint8_t byte_lanes __attribute__((vector_size(LANES)));

/* Levels to stay within, and those that are pinned. */
struct limits {
    int16_t lowest, highest;
    int16_t pinned[2];
};

static struct limits limits_of(const struct run_way *way, struct run_change change)
{
    struct limits limits = {way->range[0], way->range[1], {way->pinned[0], way->pinned[1]}};

    if (change.ratio == RUN_ONE && change.offset == 0) { /* all that a byte can hold is kept */
        limits.lowest = (int16_t)-way->zero;
        limits.highest = (int16_t)(255 - way->zero);
    } else if (change.ratio <= RUN_ONE - RUN_ONE / 8) {
        /* a scale that grew by less than 1/7 most likely did so with its largest element; here it
         * jumped */
        limits.pinned[0] = LEVEL_NONE;
        limits.pinned[1] = LEVEL_NONE;
    }
    return limits;
}

/* Where levels lie in the target: the nearest whole level, and how far off it x is. */
struct moved {
    lanes to, off;
};

/* x = level * ratio + offset, in lanes of 16 bits: with ratio = a * 2^16 + b * 2^8 + c, |level| at
 * most 128 and b and c of 8 bits, no product is wider. */
INLINE void move_levels(const lanes *levels, struct run_change change, struct moved *moved)
{
    int16_t c = (int16_t)(change.ratio & 255);
    int16_t b = (int16_t)((((uint32_t)change.ratio >> 8 & 255) ^ 128) - 128);
    int16_t a = (int16_t)((change.ratio - b * 256 - c) / RUN_ONE);
    int16_t low = (int16_t)(uint16_t)change.offset;
    int16_t high = (int16_t)((change.offset - low) / RUN_ONE);
    lanes by_b = *levels * b;
    lanes by_c = *levels * c;
    lanes rest;

    moved->off = (lanes)(((unsigned_lanes)by_b << 8) + (unsigned_lanes)by_c + (uint16_t)low);
    /* what x has above `off`, less the products of a and high, is a multiple of 2^16: from the
     * bits above the lowest 8 it follows with room to spare */
    rest = by_b + (by_c >> 8) + (int16_t)(low >> 8) - (moved->off >> 8) + 128;
    moved->to = *levels * a + high + (rest >> 8);
}

/* The value x, in 1/65536, on the scale of levels of iq4_values: straight between neighbours. */
static int32_t curved_level(int32_t x)
{
    /* the last of the values (but 14 at most) that is not above 8 * i - 128 */
    static const uint8_t segments[30] = {0, 0, 0, 1, 1, 1,  2,  2,  3,  3,  4,  4,  5,  5,  6,
                                         7, 7, 8, 9, 9, 10, 11, 11, 12, 12, 13, 13, 13, 14, 14};
    int32_t whole = (int32_t)(((uint32_t)x + 0x80000000U) >> 16) - 32768;
    int32_t at = whole < -128 ? 0 : whole > 111 ? 29 : (whole + 128) / 8;
    int32_t i = segments[at];
    int32_t gap;

    i += i < 14 && whole >= iq4_values[i + 1];
    gap = iq4_values[i + 1] - iq4_values[i];
    return (i - 8) * RUN_ONE + (x - iq4_values[i] * RUN_ONE) / gap;
}

/* The same for levels that stand for the iq4_values, for all 16 of them: between those values x is
 * interpolated. */
struct curve {
    int16_t to[16];
    int16_t off[16];
};

static void find_curve(struct run_change change, struct curve *curve)
{
    for (size_t i = 0; i < 16; i++) {
        int32_t x = curved_level(iq4_values[i] * change.ratio);
        uint32_t raised = (uint32_t)x + 0x80008000U; /* made positive to be shifted */

        curve->to[i] = (int16_t)((int32_t)(raised >> 16) - 32768);
        curve->off[i] = (int16_t)(uint16_t)x;
    }
}

INLINE void move_curved(const uint8_t *quants, const struct curve *curve, struct moved *moved)
{
    int16_t to[LANES];
    int16_t off[LANES];

    for (size_t i = 0; i < LANES; i++) {
        to[i] = curve->to[quants[i] & 15];
        off[i] = curve->off[quants[i] & 15];
    }
    memcpy(&moved->to, to, sizeof(to));
    memcpy(&moved->off, off, sizeof(off));
}

/* All bits of `yes` where the condition has all bits set, those of `no` where it has none. */
#define PICK(condition, yes, no) ((no) ^ (((yes) ^ (no)) & (condition)))

/* n is a multiple of LANES */
INLINE void predict_run(const struct run_way *way, const struct run *run, uint8_t *numbers,
                        uint8_t *contexts, size_t n)
{
    const lanes none = {0};
    const struct run_shape *shape = run->shape;
    struct limits limits = limits_of(way, run->change);
    struct curve curve;

    if (way->curved) {
        find_curve(run->change, &curve);
    }
    for (size_t at = 0; at < n; at += LANES) {
        lanes levels, context, below, above, stays, within;
        struct moved moved;
        byte_lanes bytes;

        memcpy(&bytes, numbers + at, LANES);
        levels = __builtin_convertvector(bytes ^ way->flip, lanes) - (int16_t)way->zero;
        if (way->curved) {
            move_curved(numbers + at, &curve, &moved);
        } else {
            move_levels(&levels, run->change, &moved);
        }
        context = none + shape->first;
        for (size_t k = 0; k < RUN_EDGES; k++) {
            context -= moved.off > none + shape->edges[k];
        }
        below = moved.to < none + limits.lowest;
        above = moved.to > none + limits.highest;
        stays = (levels == none + limits.pinned[0]) | (levels == none + limits.pinned[1]);
        context = PICK(below | above, none + RUN_CLAMPED, context);
        context = PICK(stays, none + RUN_PINNED, context);
        within = PICK(above, none + limits.highest, moved.to);
        within = PICK(below, none + limits.lowest, within);
        levels = PICK(stays, levels, within) + (int16_t)way->zero;
        bytes = __builtin_convertvector(levels, byte_lanes) ^ way->flip;
        memcpy(numbers + at, &bytes, LANES);
        bytes = __builtin_convertvector(context, byte_lanes);
        memcpy(contexts + at, &bytes, LANES);
    }
}

INLINE void predict_runs(const struct run_way *way, const struct run *runs, size_t count,
                         size_t length, uint8_t *numbers, uint8_t *contexts)
{
    for (size_t i = 0; i < count; i++) {
        predict_run(way, &runs[i], numbers + length * i, contexts + length * i, length);
    }
}

/* What each number of a run becomes, where they have four bits: longer runs look that up. */
struct lookup {
    uint8_t numbers[LANES];
    uint8_t contexts[LANES];
};

INLINE void fill_lookup(const struct run_way *way, const struct run *run, struct lookup *lookup)
{
    for (size_t i = 0; i < LANES; i++) {
        lookup->numbers[i] = (uint8_t)i;
    }
    predict_run(way, run, lookup->numbers, lookup->contexts, LANES);
}

static void predict_few(const struct run_way *way, const struct run *runs, size_t count,
                        size_t length, uint8_t *numbers, uint8_t *contexts)
{
    for (size_t i = 0; i < count; i++) {
        struct lookup lookup;

        fill_lookup(way, &runs[i], &lookup);
        for (size_t k = length * i; k < length * (i + 1); k++) {
            contexts[k] = lookup.contexts[numbers[k] % LANES];
            numbers[k] = lookup.numbers[numbers[k] % LANES];
        }
    }
}

/* Runs that fill no vector. */
static void predict_short(const struct run_way *way, const struct run *runs, size_t count,
                          size_t length, uint8_t *numbers, uint8_t *contexts)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t padded[LANES] = {0};
        uint8_t told[LANES];

        memcpy(padded, numbers + length * i, length);
        predict_run(way, &runs[i], padded, told, LANES);
        memcpy(numbers + length * i, padded, length);
        memcpy(contexts + length * i, told, length);
    }
}

#ifdef HAVE_AVX2_PATH
__attribute__((target("avx2"))) static void predict_runs_avx2(const struct run_way *way,
                                                              const struct run *runs, size_t count,
                                                              size_t length, uint8_t *numbers,
                                                              uint8_t *contexts)
{
    predict_runs(way, runs, count, length, numbers, contexts);
}

__attribute__((target("avx2"))) static void predict_few_avx2(const struct run_way *way,
                                                             const struct run *runs, size_t count,
                                                             size_t length, uint8_t *numbers,
                                                             uint8_t *contexts)
{
    for (size_t i = 0; i < count; i++) {
        struct lookup lookup;
        __m128i to;
        __m128i told;

        fill_lookup(way, &runs[i], &lookup);
        to = _mm_loadu_si128((const __m128i *)(const void *)lookup.numbers);
        told = _mm_loadu_si128((const __m128i *)(const void *)lookup.contexts);
        for (size_t k = length * i; k < length * (i + 1); k += LANES) {
            __m128i from = _mm_loadu_si128((const __m128i *)(const void *)(numbers + k));

            _mm_storeu_si128((__m128i *)(void *)(contexts + k), _mm_shuffle_epi8(told, from));
            _mm_storeu_si128((__m128i *)(void *)(numbers + k), _mm_shuffle_epi8(to, from));
        }
    }
}
#endif

void runs_predict(const struct run_way *way, const struct run *runs, size_t count, size_t length,
                  enum vector_path most, uint8_t *numbers, uint8_t *contexts)
{
    bool few = way->few && length > LANES;

    if (length < LANES) {
        predict_short(way, runs, count, length, numbers, contexts);
        return;
    }
#ifdef HAVE_AVX2_PATH
    if (most != VECTORS_NONE && __builtin_cpu_supports("avx2")) {
        (few ? predict_few_avx2 : predict_runs_avx2)(way, runs, count, length, numbers, contexts);
        return;
    }
#endif
    (void)most;
    if (few) {
        predict_few(way, runs, count, length, numbers, contexts);
    } else {
        predict_runs(way, runs, count, length, numbers, contexts);
    }
}

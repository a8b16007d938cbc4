#include "../../../src/delta/blocks.h"
#include "../../../src/delta/blocks_layout.h"
#include "../../../src/delta/blocks_runs.h"
#include "../../../src/delta/stream.h"
#include "helpers.h"
#include "oxide/crypto/xxh64.h"

#include <stdlib.h>

enum row { Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, Q2_K, Q3_K };

/* float16 */
#define HALF 0x3800
#define ONE 0x3c00
#define TWO 0x4000
#define FOUR 0x4400
#define INFINITE 0x7c00
#define NOT_A_NUMBER 0x7e01

/* --- blocks whose fields are all the same --- */

struct filled {
    uint16_t first, second; /* supers */
    uint8_t scale, min;     /* subs */
    uint8_t quant;
};

static void fill(const struct block_format *format, const struct filled *filled, uint8_t *block)
{
    uint8_t supers[4] = {(uint8_t)filled->first, (uint8_t)(filled->first >> 8),
                         (uint8_t)filled->second, (uint8_t)(filled->second >> 8)};
    size_t scales = format->supers > 1 ? format->subs / 2U : format->subs;
    uint8_t subs[BLOCK_SUBS_MAX];
    uint8_t quants[BLOCK_ELEMENTS_MAX];

    memset(subs, filled->min, sizeof(subs));
    memset(subs, filled->scale, scales);
    memset(quants, filled->quant, sizeof(quants));
    blocks_put_supers(format, block, 1, supers);
    blocks_put_subs(format, block, 1, subs);
    blocks_put_quants(format, block, 1, quants);
}

struct predicted {
    uint8_t quants[BLOCK_ELEMENTS_MAX];
    uint8_t quant_contexts[BLOCK_ELEMENTS_MAX];
    uint8_t subs[BLOCK_SUBS_MAX];
    uint8_t sub_contexts[BLOCK_SUBS_MAX];
};

static void predict(const struct block_format *format, const uint8_t *base, const uint8_t *target,
                    struct predicted *out)
{
    memset(out, 0xee, sizeof(*out));
    blocks_predict_subs(format, base, target, 1, out->subs, out->sub_contexts);
    blocks_predict_quants(format, base, target, 1, out->quants, out->quant_contexts);
}

static void predict_filled(const struct block_format *format, const struct filled *base,
                           const struct filled *target, struct predicted *out)
{
    uint8_t from[BLOCK_BYTES_MAX] = {0};
    uint8_t to[BLOCK_BYTES_MAX] = {0};

    fill(format, base, from);
    fill(format, target, to);
    predict(format, from, to, out);
}

/* --- the table --- */

static void table__agrees_with_the_dtypes(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < BLOCK_FORMAT_COUNT; i++) {
        const struct block_format *format = &block_formats[i];
        const struct ox_dtype_info *info = ox_dtype_info(format->dtype);
        uint8_t row = 255;

        assert_int_equal(format->bytes, info->block_bytes);
        assert_int_equal(format->elements, info->block_elements);
        assert_true(format->bytes <= BLOCK_BYTES_MAX && format->elements <= BLOCK_ELEMENTS_MAX &&
                    format->subs <= BLOCK_SUBS_MAX);
        assert_true(block_format_of(format->dtype, &row));
        assert_int_equal(row, i);
    }
}

static void rows__are_pinned(void **state)
{
    static const enum ox_dtype want[BLOCK_FORMAT_COUNT] = {
        OX_DTYPE_Q8_0,   OX_DTYPE_Q4_0,   OX_DTYPE_Q4_1, OX_DTYPE_Q5_0,
        OX_DTYPE_Q5_1,   OX_DTYPE_Q4_K,   OX_DTYPE_Q5_K, OX_DTYPE_Q6_K,
        OX_DTYPE_IQ4_NL, OX_DTYPE_IQ4_XS, OX_DTYPE_Q2_K, OX_DTYPE_Q3_K,
    };

    (void)state;
    for (size_t i = 0; i < BLOCK_FORMAT_COUNT; i++) {
        assert_int_equal(block_formats[i].dtype, want[i]);
    }
}

static void format_of__knows_no_plain_numbers(void **state)
{
    uint8_t row = 7;

    (void)state;
    assert_false(block_format_of(OX_DTYPE_F32, &row));
    assert_false(block_format_of(OX_DTYPE_Q8_K, &row));
    assert_int_equal(row, 7);
}

/* --- fields --- */

#define BLOCKS 64

/* Take all fields of `from` and put them into `to`. */
static void copy_fields(const struct block_format *format, const uint8_t *from, uint8_t *to)
{
    static uint8_t fields[BLOCKS * BLOCK_ELEMENTS_MAX];

    blocks_get_quants(format, from, BLOCKS, fields);
    blocks_put_quants(format, to, BLOCKS, fields);
    blocks_get_supers(format, from, BLOCKS, fields);
    blocks_put_supers(format, to, BLOCKS, fields);
    blocks_get_subs(format, from, BLOCKS, fields);
    blocks_put_subs(format, to, BLOCKS, fields);
}

static void fields__are_all_of_a_block(void **state)
{
    (void)state;
    for (uint8_t row = 0; row < BLOCK_FORMAT_COUNT; row++) {
        const struct block_format *format = &block_formats[row];
        struct ox_buf from = noise(row, (size_t)BLOCKS * format->bytes);
        struct ox_buf to = noise(100U + row, from.len_bytes);

        copy_fields(format, from.data, to.data);
        assert_memory_equal(to.data, from.data, from.len_bytes);
        ox_buf_clear(&from);
        ox_buf_clear(&to);
    }
}

static void fields_out_of_range__leave_the_others_alone(void **state)
{
    uint8_t all_ones[BLOCK_ELEMENTS_MAX];

    (void)state;
    memset(all_ones, 0xff, sizeof(all_ones));
    for (uint8_t row = 0; row < BLOCK_FORMAT_COUNT; row++) {
        const struct block_format *format = &block_formats[row];
        struct filled want = {ONE, TWO, 0, 0, 0};
        uint8_t block[BLOCK_BYTES_MAX] = {0};
        uint8_t supers[4];

        fill(format, &want, block);
        blocks_put_quants(format, block, 1, all_ones);
        blocks_get_supers(format, block, 1, supers);
        assert_int_equal(supers[1], ONE >> 8);
        fill(format, &want, block);
        blocks_put_subs(format, block, 1, all_ones);
        blocks_get_supers(format, block, 1, supers);
        assert_int_equal(supers[1], ONE >> 8);
        for (size_t i = 0; i < format->elements; i++) {
            uint8_t quants[BLOCK_ELEMENTS_MAX];

            blocks_get_quants(format, block, 1, quants);
            assert_int_equal(quants[i], 0);
        }
    }
}

/* One byte of a block of zeros, and the quants or subs that come of it. By the structures and the
 * dequantize_row_* functions of ggml. */
struct bits {
    enum row row;
    uint8_t at, byte;
    uint8_t count;
    struct {
        uint8_t index, value;
    } want[4];
};

static void quants__stand_where_ggml_has_them(void **state)
{
    static const struct bits cases[] = {
        {Q8_0, 2 + 5, 0x85, 1, {{5, 0x85}}},
        {Q4_0, 2 + 3, 0xa6, 2, {{3, 6}, {19, 10}}},
        {Q4_1, 4 + 3, 0xa6, 2, {{3, 6}, {19, 10}}},
        {Q5_0, 2 + 1, 0x04, 1, {{10, 16}}},
        {Q5_0, 2 + 2, 0x01, 1, {{16, 16}}},
        {Q5_0, 6 + 0, 0x21, 2, {{0, 1}, {16, 2}}},
        {Q5_1, 4 + 3, 0x80, 1, {{31, 16}}},
        {Q5_1, 8 + 15, 0xf1, 2, {{15, 1}, {31, 15}}},
        {Q4_K, 16 + 32 + 1, 0x97, 2, {{65, 7}, {97, 9}}},
        {Q5_K, 16 + 2, 0x81, 2, {{2, 16}, {226, 16}}},
        {Q5_K, 48 + 64, 0x3c, 2, {{128, 12}, {160, 3}}},
        {Q6_K, 0, 0x21, 2, {{0, 1}, {64, 2}}},
        {Q6_K, 64 + 33, 0x43, 2, {{161, 3}, {225, 4}}},
        {Q6_K, 128 + 3, 0xe4, 3, {{35, 16}, {67, 32}, {99, 48}}},
        {Q6_K, 128 + 32, 0x03, 1, {{128, 48}}},
        {IQ4_NL, 2 + 3, 0xa6, 2, {{3, 6}, {19, 10}}},
        {IQ4_XS, 8 + 16 + 2, 0x5b, 2, {{34, 11}, {50, 5}}},
        {Q2_K, 16 + 32 + 5, 0x1b, 3, {{133, 3}, {165, 2}, {197, 1}}},
        {Q3_K, 4, 0x21, 2, {{4, 4}, {164, 4}}},
        {Q3_K, 32 + 1, 0x02, 1, {{1, 2}}},
        {Q3_K, 32 + 32 + 1, 0xc0, 1, {{225, 3}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t block[BLOCK_BYTES_MAX] = {0};
        uint8_t want[BLOCK_ELEMENTS_MAX] = {0};
        uint8_t quants[BLOCK_ELEMENTS_MAX] = {0};

        block[cases[i].at] = cases[i].byte;
        for (size_t k = 0; k < cases[i].count; k++) {
            want[cases[i].want[k].index] = cases[i].want[k].value;
        }
        blocks_get_quants(&block_formats[cases[i].row], block, 1, quants);
        assert_memory_equal(quants, want, sizeof(want));
    }
}

static void subs__stand_where_ggml_has_them(void **state)
{
    static const struct bits cases[] = {
        {Q4_K, 4, 0xff, 2, {{0, 63}, {4, 48}}},
        {Q4_K, 8, 0xc1, 2, {{8, 1}, {12, 48}}},
        {Q4_K, 12, 0x5a, 2, {{4, 10}, {12, 5}}},
        {Q5_K, 7, 0x7f, 2, {{3, 63}, {7, 16}}},
        {Q5_K, 15, 0x5a, 2, {{7, 10}, {15, 5}}},
        {IQ4_XS, 5, 0x7c, 2, {{2, 12}, {3, 7}}},
        {IQ4_XS, 3, 0x03, 1, {{4, 48}}},
        {Q2_K, 6, 0xa7, 2, {{6, 7}, {22, 10}}},
        {Q3_K, 96 + 3, 0x95, 2, {{3, 5}, {11, 9}}},
        {IQ4_XS, 2, 0xe4, 3, {{1, 16}, {2, 32}, {3, 48}}},
        {Q3_K, 96 + 9, 0xe4, 3, {{5, 16}, {9, 32}, {13, 48}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t block[BLOCK_BYTES_MAX] = {0};
        uint8_t want[BLOCK_SUBS_MAX] = {0};
        uint8_t subs[BLOCK_SUBS_MAX] = {0};

        block[cases[i].at] = cases[i].byte;
        for (size_t k = 0; k < cases[i].count; k++) {
            want[cases[i].want[k].index] = cases[i].want[k].value;
        }
        blocks_get_subs(&block_formats[cases[i].row], block, 1, subs);
        assert_memory_equal(subs, want, sizeof(want));
    }
}

static void signed_subs__are_ordered(void **state)
{
    uint8_t block[BLOCK_BYTES_MAX] = {0};
    uint8_t subs[BLOCK_SUBS_MAX];

    (void)state;
    block[192 + 7] = 0x80; /* -128 */
    block[192 + 8] = 0x7f;
    blocks_get_subs(&block_formats[Q6_K], block, 1, subs);
    assert_int_equal(subs[0], 128);
    assert_int_equal(subs[7], 0);
    assert_int_equal(subs[8], 255);
}

/* --- prediction --- */

static void quants__keep_the_value_that_they_stand_for(void **state)
{
    /* the values are exact in both: w = a * level + b, as ggml dequantises */
    static const struct {
        enum row row;
        struct filled base;   /* value */
        struct filled target; /* its quant is the one to predict */
    } cases[] = {
        {Q8_0, {ONE, 0, 0, 0, 100}, {TWO, 0, 0, 0, 50}},         /* 100 */
        {Q8_0, {ONE, 0, 0, 0, 0x9c}, {TWO, 0, 0, 0, 0xce}},      /* -100 */
        {Q8_0, {TWO, 0, 0, 0, 20}, {HALF, 0, 0, 0, 80}},         /* 40 */
        {Q4_0, {ONE, 0, 0, 0, 14}, {TWO, 0, 0, 0, 11}},          /* 6 */
        {Q4_0, {ONE, 0, 0, 0, 11}, {HALF | 0x8000, 0, 0, 0, 2}}, /* 3 */
        {Q4_1, {ONE, TWO, 0, 0, 6}, {TWO, 0, 0, 0, 4}},          /* 8 */
        {Q5_0, {ONE, 0, 0, 0, 26}, {TWO, 0, 0, 0, 21}},          /* 10 */
        {Q5_1, {ONE, FOUR, 0, 0, 20}, {TWO, TWO, 0, 0, 11}},     /* 24 */
        {Q4_K, {ONE, ONE, 2, 3, 7}, {ONE, ONE, 4, 1, 3}},        /* 11 */
        {Q5_K, {ONE, TWO, 3, 1, 10}, {TWO, ONE, 1, 4, 16}},      /* 28 */
        {Q6_K, {ONE, 0, 132, 0, 42}, {HALF, 0, 120, 0, 22}},     /* 40 */
        {IQ4_NL, {ONE, 0, 0, 0, 15}, {TWO, 0, 0, 0, 12}},        /* 113, nearest 106 */
        {IQ4_NL, {ONE, 0, 0, 0, 0}, {TWO, 0, 0, 0, 3}},          /* -127, nearest -130 */
        {IQ4_XS, {ONE, 0, 34, 0, 15}, {ONE, 0, 36, 0, 12}},      /* 226, nearest 212 */
        {IQ4_XS, {ONE, 0, 34, 0, 9}, {ONE, 0, 30, 0, 7}},        /* 26, nearest 20 */
        {Q2_K, {TWO, ONE, 2, 1, 2}, {ONE, ONE, 3, 2, 3}},        /* 7 */
        {Q3_K, {ONE, 0, 34, 0, 6}, {ONE, 0, 30, 0, 2}},          /* 4 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct block_format *format = &block_formats[cases[i].row];
        struct predicted predicted;

        predict_filled(format, &cases[i].base, &cases[i].target, &predicted);
        for (size_t k = 0; k < format->elements; k++) {
            assert_int_equal(predicted.quants[k], cases[i].target.quant);
        }
    }
}

static void quants__stay_within_what_quantisers_give(void **state)
{
    static const struct filled base = {TWO, 0, 0, 0, 0x64};
    static const struct filled negative = {TWO, 0, 0, 0, 0x9c};
    static const struct filled target = {ONE, 0, 0, 0, 0};
    struct predicted predicted;

    (void)state;
    predict_filled(&block_formats[Q8_0], &base, &target, &predicted);
    assert_int_equal(predicted.quants[0], 127);
    predict_filled(&block_formats[Q8_0], &negative, &target, &predicted);
    assert_int_equal(predicted.quants[0], 0x81);
}

static void largest_quant__stays_when_the_scale_changes_a_little(void **state)
{
    /* 1 to 1 + 2^-4: where the largest element grew, the scale grew with it */
    static const struct filled base = {ONE, 0, 0, 0, 127};
    static const struct filled other = {ONE, 0, 0, 0, 126};
    static const struct filled target = {0x3c40, 0, 0, 0, 0};
    static const struct filled far = {TWO, 0, 0, 0, 0};
    struct predicted predicted;

    (void)state;
    predict_filled(&block_formats[Q8_0], &base, &target, &predicted);
    assert_int_equal(predicted.quants[31], 127);
    predict_filled(&block_formats[Q8_0], &other, &target, &predicted);
    assert_int_equal(predicted.quants[31], 119);
    predict_filled(&block_formats[Q8_0], &base, &far, &predicted);
    assert_int_equal(predicted.quants[31], 64);
}

static void subs__follow_their_super(void **state)
{
    static const struct filled base = {ONE, ONE, 40, 20, 3};
    static const struct filled target = {TWO, HALF, 0, 0, 3};
    static const struct filled signed_base = {ONE, 0, 128 + 40, 0, 3};
    struct predicted predicted;

    (void)state;
    predict_filled(&block_formats[Q4_K], &base, &target, &predicted);
    assert_int_equal(predicted.subs[7], 20);
    assert_int_equal(predicted.subs[8], 40);
    assert_int_not_equal(predicted.sub_contexts[7], predicted.sub_contexts[8]);
    predict_filled(&block_formats[Q6_K], &signed_base, &target, &predicted);
    assert_int_equal(predicted.subs[15], 128 + 20);
}

/* Where the scales are as they were, or nothing can be told by them, all bytes are as they were. */
static void odd_scales__leave_everything_as_it_was(void **state)
{
    static const uint16_t pairs[][2] = {
        {ONE, ONE},
        {0, 0},
        {0x8000, 0},
        {ONE, 0},
        {ONE, 0x8000},
        {ONE, INFINITE},
        {INFINITE, ONE},
        {INFINITE, INFINITE},
        {NOT_A_NUMBER, ONE},
        {ONE, NOT_A_NUMBER},
        {NOT_A_NUMBER, NOT_A_NUMBER},
        {0x7bff, 0x0001}, /* the largest to the smallest */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        for (uint8_t row = 0; row < BLOCK_FORMAT_COUNT; row++) {
            const struct block_format *format = &block_formats[row];
            struct ox_buf base = noise(row, format->bytes);
            struct ox_buf target = bytes_of(base.data, base.len_bytes);
            uint8_t supers[4] = {(uint8_t)pairs[i][0], (uint8_t)(pairs[i][0] >> 8),
                                 (uint8_t)pairs[i][0], (uint8_t)(pairs[i][0] >> 8)};
            uint8_t want[BLOCK_ELEMENTS_MAX];
            struct predicted predicted;

            blocks_put_supers(format, base.data, 1, supers);
            for (size_t k = 0; k < 4; k += 2) {
                supers[k] = (uint8_t)pairs[i][1];
                supers[k + 1] = (uint8_t)(pairs[i][1] >> 8);
            }
            blocks_put_supers(format, target.data, 1, supers);
            predict(format, base.data, target.data, &predicted);
            blocks_get_quants(format, base.data, 1, want);
            assert_memory_equal(predicted.quants, want, format->elements);
            blocks_get_subs(format, base.data, 1, want);
            assert_memory_equal(predicted.subs, want, format->subs);
            ox_buf_clear(&base);
            ox_buf_clear(&target);
        }
    }
}

static void a_quant_that_no_quantiser_gives__stays_with_its_scale(void **state)
{
    static const struct filled block = {ONE, 0, 0, 0, 0x80};
    struct predicted predicted;

    (void)state;
    predict_filled(&block_formats[Q8_0], &block, &block, &predicted);
    assert_int_equal(predicted.quants[0], 0x80);
}

/* Random bytes: all scales there are. The hash holds every machine and compiler to one answer. */
static void noise__is_predicted_alike_everywhere(void **state)
{
    static uint8_t predicted[BLOCKS * BLOCK_ELEMENTS_MAX];
    static uint8_t contexts[BLOCKS * BLOCK_ELEMENTS_MAX];
    uint64_t sum = 0;

    (void)state;
    for (uint8_t row = 0; row < BLOCK_FORMAT_COUNT; row++) {
        const struct block_format *format = &block_formats[row];
        struct ox_buf base = noise(row, (size_t)BLOCKS * format->bytes);
        struct ox_buf target = noise(50U + row, base.len_bytes);
        size_t quants = (size_t)BLOCKS * format->elements;
        size_t subs = (size_t)BLOCKS * format->subs;

        /* every second block has its scales, nearly */
        for (size_t i = 0; i < BLOCKS; i += 2) {
            uint8_t supers[4];

            blocks_get_supers(format, base.data + i * format->bytes, 1, supers);
            supers[0] = (uint8_t)(supers[0] + i % 8);
            blocks_put_supers(format, target.data + i * format->bytes, 1, supers);
        }
        blocks_predict_quants(format, base.data, target.data, BLOCKS, predicted, contexts);
        for (size_t i = 0; i < quants; i++) {
            assert_true(contexts[i] < STREAM_CONTEXTS_MAX);
        }
        sum = ox_xxh64(predicted, quants, sum) ^ ox_xxh64(contexts, quants, sum + 1);
        blocks_predict_subs(format, base.data, target.data, BLOCKS, predicted, contexts);
        for (size_t i = 0; i < subs; i++) {
            assert_true(contexts[i] < STREAM_CONTEXTS_MAX);
        }
        sum = ox_xxh64(predicted, subs, sum) ^ ox_xxh64(contexts, subs, sum + 1);
        ox_buf_clear(&base);
        ox_buf_clear(&target);
    }
    assert_int_equal(sum, UINT64_C(0x82dd59a1998c6ddd));
}

#define RUNS 64

/* Changes of every size, and levels of every value. */
static void runs__are_predicted_alike_by_vectors_and_without(void **state)
{
    static const size_t lengths[] = {8, 16, 32};
    static const struct run_shape shape = {{-9000, -300, 300, RUN_NO_EDGE}, 7};
    static uint8_t numbers[3][RUNS * 32];
    static uint8_t contexts[3][RUNS * 32];
    static struct run runs[RUNS];
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 11);
    for (unsigned round = 0; round < 60; round++) {
        struct run_way way = {
            .zero = (uint8_t)(8U << round % 5),
            .flip = round % 2 == 0 ? 0x80 : 0,
            .range = {-8, (int16_t)(7 + round)},
            .pinned = {-8, round % 3 == 0 ? LEVEL_NONE : 7},
            .curved = round % 4 == 3,
            .few = round % 5 == 0 && round % 2 == 1,
        };
        size_t n = lengths[round % 3];

        for (size_t i = 0; i < RUNS; i++) {
            unsigned size = (unsigned)ox_rng_below(&rng, 24);

            runs[i].shape = &shape;
            runs[i].change.ratio =
                (int32_t)ox_rng_below(&rng, (uint64_t)1 << size) - (i % 2 == 0 ? 0 : 1 << 22);
            runs[i].change.offset = (int32_t)ox_rng_below(&rng, (uint64_t)1 << size);
            if (i % 8 == 0) {
                runs[i].change = (struct run_change){RUN_ONE, 0};
            }
        }
        for (size_t i = 0; i < RUNS * n; i++) {
            uint64_t above = 255U - way.zero < 128U ? 255U - way.zero : 128U; /* of the zero */

            numbers[0][i] =
                (uint8_t)(ox_rng_below(&rng, way.few ? 16 : way.zero + above + 1) ^ way.flip);
        }
        memcpy(numbers[1], numbers[0], RUNS * n);
        memcpy(numbers[2], numbers[0], RUNS * n);
        runs_predict(&way, runs, RUNS, n, VECTORS_DEPOSIT, numbers[0], contexts[0]);
        runs_predict(&way, runs, RUNS, n, VECTORS_NONE, numbers[1], contexts[1]);
        way.few = false; /* makes it faster only */
        runs_predict(&way, runs, RUNS, n, VECTORS_DEPOSIT, numbers[2], contexts[2]);
        for (size_t i = 1; i < 3; i++) {
            assert_memory_equal(numbers[0], numbers[i], RUNS * n);
            assert_memory_equal(contexts[0], contexts[i], RUNS * n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table__agrees_with_the_dtypes),
        cmocka_unit_test(rows__are_pinned),
        cmocka_unit_test(format_of__knows_no_plain_numbers),
        cmocka_unit_test(fields__are_all_of_a_block),
        cmocka_unit_test(fields_out_of_range__leave_the_others_alone),
        cmocka_unit_test(quants__stand_where_ggml_has_them),
        cmocka_unit_test(subs__stand_where_ggml_has_them),
        cmocka_unit_test(signed_subs__are_ordered),
        cmocka_unit_test(quants__keep_the_value_that_they_stand_for),
        cmocka_unit_test(quants__stay_within_what_quantisers_give),
        cmocka_unit_test(largest_quant__stays_when_the_scale_changes_a_little),
        cmocka_unit_test(subs__follow_their_super),
        cmocka_unit_test(odd_scales__leave_everything_as_it_was),
        cmocka_unit_test(a_quant_that_no_quantiser_gives__stays_with_its_scale),
        cmocka_unit_test(noise__is_predicted_alike_everywhere),
        cmocka_unit_test(runs__are_predicted_alike_by_vectors_and_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

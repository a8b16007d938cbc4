/* Casting floats: every half, ties, and what has no neighbour. */
#include "../../../src/delta/cast.h"
#include "helpers.h"
#include "oxide/base/random.h"

#include <math.h>
#include <string.h>

static uint32_t cast_one(enum number_kind from, enum number_kind to, bool truncates, uint32_t bits)
{
    uint8_t in[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16),
                     (uint8_t)(bits >> 24)};
    uint8_t out[4] = {0, 0, 0, 0};

    cast_numbers(from, to, truncates, in, 1, out);
    return ox_load_u32le(out);
}

static double value_of_half(uint32_t half)
{
    int exponent = (int)(half >> 10 & 31);
    double mantissa = half & 0x3ff;
    double value = exponent == 0 ? ldexp(mantissa, -24) : ldexp(mantissa + 1024, exponent - 25);

    return (half & 0x8000) != 0 ? -value : value;
}

static float value_of_single(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void half_to_single__is_exact_and_comes_back(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x10000; half++) {
        uint32_t single = cast_one(NUMBER_F16, NUMBER_F32, false, half);
        bool is_nan = (half & 0x7fff) > 0x7c00;

        if ((half & 0x7c00) != 0x7c00) {
            assert_true((double)value_of_single(single) == value_of_half(half));
        }
        assert_int_equal(cast_one(NUMBER_F32, NUMBER_F16, false, single),
                         is_nan ? half | 0x200 : half);
        assert_int_equal(cast_one(NUMBER_F32, NUMBER_F16, true, single),
                         is_nan ? half | 0x200 : half);
    }
}

static void bfloat_to_single__comes_back(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        uint32_t single = cast_one(NUMBER_BF16, NUMBER_F32, false, bits);
        bool is_nan = (bits & 0x7fff) > 0x7f80;

        assert_int_equal(single, bits << 16);
        assert_int_equal(cast_one(NUMBER_F32, NUMBER_BF16, false, single),
                         is_nan ? bits | 0x40 : bits);
    }
}

/* No other half is nearer, and of two as near the even one is taken. */
static void single_to_half__is_the_nearest(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 7);
    for (int turn = 0; turn < 200000; turn++) {
        uint32_t exponent = 95 + (uint32_t)ox_rng_below(&rng, 48);
        uint32_t bits = exponent << 23 | (uint32_t)ox_rng_below(&rng, 1u << 23);
        double exact = (double)value_of_single(bits);
        uint32_t half = cast_one(NUMBER_F32, NUMBER_F16, false, bits);
        uint32_t cut = cast_one(NUMBER_F32, NUMBER_F16, true, bits);
        double off;

        if (half >= 0x7c00) {
            assert_true(exact >= 65520.0);
            continue;
        }
        off = fabs(exact - value_of_half(half));
        if (half > 0) {
            double below = fabs(exact - value_of_half(half - 1));

            assert_true(off < below || (off == below && (half & 1) == 0));
        }
        if (half < 0x7bff) {
            double above = fabs(exact - value_of_half(half + 1));

            assert_true(off < above || (off == above && (half & 1) == 0));
        }
        assert_true(cut == half || cut + 1 == half);
        assert_true(value_of_half(cut) <= exact);
    }
}

static void rounding__is_pinned(void **state)
{
    static const struct {
        enum number_kind to;
        bool truncates;
        uint32_t bits;
        uint32_t expected;
    } rows[] = {
        {NUMBER_BF16, false, 0x3f808000, 0x3f80}, /* a tie: even below */
        {NUMBER_BF16, false, 0x3f818000, 0x3f82}, /* a tie: even above */
        {NUMBER_BF16, false, 0x3f808001, 0x3f81},
        {NUMBER_BF16, true, 0x3f80ffff, 0x3f80},
        {NUMBER_BF16, false, 0x7f7fffff, 0x7f80}, /* the largest becomes infinity */
        {NUMBER_BF16, true, 0x7f7fffff, 0x7f7f},
        {NUMBER_BF16, false, 0xff800000, 0xff80},
        {NUMBER_BF16, false, 0xffffffff, 0xffff}, /* NaN stays NaN */
        {NUMBER_F16, false, 0x477fe000, 0x7bff},  /* 65504 */
        {NUMBER_F16, false, 0x477ff000, 0x7c00},  /* 65520 rounds to infinity */
        {NUMBER_F16, true, 0x477ff000, 0x7bff},
        {NUMBER_F16, true, 0x7f7fffff, 0x7bff},
        {NUMBER_F16, false, 0x33000000, 0x0000}, /* half of the smallest: even is 0 */
        {NUMBER_F16, false, 0x33000001, 0x0001},
        {NUMBER_F16, false, 0x80000001, 0x8000},
        {NUMBER_F16, false, 0x7f800001, 0x7e00},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(cast_one(NUMBER_F32, rows[i].to, rows[i].truncates, rows[i].bits),
                         rows[i].expected);
    }
}

static void ok__is_between_different_floats_only(void **state)
{
    (void)state;
    assert_true(cast_ok(NUMBER_F32, NUMBER_BF16));
    assert_true(cast_ok(NUMBER_BF16, NUMBER_F16));
    assert_false(cast_ok(NUMBER_F32, NUMBER_F32));
    assert_false(cast_ok(NUMBER_I32, NUMBER_F32));
    assert_false(cast_ok(NUMBER_F32, NUMBER_F8E4M3));
    assert_false(cast_ok((enum number_kind)99, NUMBER_F32));
}

/* Many numbers at once go through the processor's vectors, one by one they do not. */
static void many_at_once__are_cast_like_each_alone(void **state)
{
    enum { COUNT = 1 << 16 };
    static const enum number_kind kinds[] = {NUMBER_F16, NUMBER_BF16, NUMBER_F32};
    static uint8_t in[4 * COUNT];
    static uint8_t out[4 * COUNT];
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 3);
    for (size_t f = 0; f < 3; f++) {
        enum number_kind from = kinds[f];
        size_t width = number_kinds[from].width;

        for (uint32_t i = 0; i < COUNT; i++) { /* every half; singles near every half, too */
            uint32_t bits = from == NUMBER_F32 ? i << 16 | (uint32_t)ox_rng_below(&rng, 65536) : i;

            if (from == NUMBER_F32 && i % 4 == 0) { /* ties */
                bits &= 0xfffff000u;
            }
            for (size_t k = 0; k < width; k++) {
                in[width * i + k] = (uint8_t)(bits >> 8 * k);
            }
        }
        for (size_t t = 0; t < 3; t++) {
            enum number_kind to = kinds[t];

            if (!cast_ok(from, to)) {
                continue;
            }
            cast_numbers(from, to, false, in, COUNT, out);
            for (size_t i = 0; i < COUNT; i++) {
                uint8_t alone[4];

                cast_numbers(from, to, false, in + width * i, 1, alone);
                assert_memory_equal(out + number_kinds[to].width * i, alone,
                                    number_kinds[to].width);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_to_single__is_exact_and_comes_back),
        cmocka_unit_test(bfloat_to_single__comes_back),
        cmocka_unit_test(single_to_half__is_the_nearest),
        cmocka_unit_test(rounding__is_pinned),
        cmocka_unit_test(many_at_once__are_cast_like_each_alone),
        cmocka_unit_test(ok__is_between_different_floats_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

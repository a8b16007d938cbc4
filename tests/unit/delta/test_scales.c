/* Quantised numbers that were scaled anew: what is predicted, and that scales are found. */
#include "../../../src/delta/scales.h"
#include "choosing.h"
#include "oxide/base/random.h"
#include "quantised.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 40
#define COLUMNS 50
#define COUNT (ROWS * COLUMNS)

static void put_scale(struct ox_buf *scales, int32_t value)
{
    assert_int_equal(ox_buf_put_u32le(scales, (uint32_t)value, NULL), OX_OK);
}

/* --- predictions --- */

static void predict__rounds_to_the_nearest_and_tells_how_far(void **state)
{
    static const uint8_t base[] = {0, 1, 2, 3, 100, 0xff, 0xfe, 127, 0x80};
    static const int8_t want[] = {0, 2, 3, 5, 127, -1, -3, 127, -128};
    static const uint8_t bins[] = {4, 0, 4, 0, 4, 0, 4, 0, 4};
    struct scales_shape shape = {
        .kind = NUMBER_I8, .axis = SCALES_ALL, .sort = 2, .count = sizeof(base)};
    struct ox_buf scales = OX_BUF_INIT;
    uint8_t predicted[sizeof(base)];
    uint8_t contexts[sizeof(base)];

    (void)state;
    put_scale(&scales, 32768); /* by 1.5: a half is rounded up */
    put_scale(&scales, 0);
    assert_int_equal(scales_count(&shape), 2);
    scales_predict(&shape, scales.data, base, predicted, contexts);
    for (size_t i = 0; i < sizeof(base); i++) {
        assert_int_equal((int8_t)predicted[i], want[i]);
        assert_int_equal(contexts[i], 16 + bins[i]);
    }
    ox_buf_clear(&scales);
}

/* The specification, number by number, in 64 bits. */
static void predict_plainly(const struct scales_shape *shape, const uint8_t *scales,
                            const uint8_t *base, uint8_t *predicted, uint8_t *contexts)
{
    size_t count = scales_count(shape) / 2;

    for (size_t i = 0; i < shape->count; i++) {
        size_t at = scale_of(shape, i);
        int64_t ratio = (int32_t)ox_load_u32le(scales + 4 * at);
        int64_t offset = (int32_t)ox_load_u32le(scales + 4 * (count + at));
        int64_t x = shape->kind == NUMBER_I8 ? (int8_t)base[i] : base[i];
        int64_t low = shape->kind == NUMBER_I8 ? -128 : 0;
        int64_t place;
        int64_t level;

        ratio = ratio < -(1 << 20) ? -(1 << 20) : ratio > 1 << 20 ? 1 << 20 : ratio;
        offset = offset < -(1 << 24) ? -(1 << 24) : offset > 1 << 24 ? 1 << 24 : offset;
        place = x * (65536 + ratio) + offset + 32768;
        level = (int64_t)floor((double)place / 65536);
        contexts[i] = (uint8_t)(8 * shape->sort + (unsigned)((place - level * 65536) / 8192));
        level = level < low ? low : level > low + 255 ? low + 255 : level;
        predicted[i] = (uint8_t)level;
    }
}

/* The same of a float, in double: all of it is exact there. */
static void predict_float_plainly(const struct scales_shape *shape, int64_t ratio, int64_t offset,
                                  uint8_t from, uint8_t *predicted, uint8_t *context)
{
    bool e4m3 = shape->kind == NUMBER_F8E4M3;
    unsigned m = e4m3 ? 3 : 2;
    int most = e4m3 ? 126 : 123;
    int highest = (int)(e4m3 ? shape->sort : 2 * shape->sort + 1);
    int x = from & 127;
    int level = x;
    int octave;
    double p = x * 65536.0 + 32768;

    if (x <= most) {
        double value = x < 1 << m ? x : ldexp((1 << m) + x % (1 << m), (x >> m) - 1);
        double q = value * (double)(ratio < -65536 ? 0 : 65536 + ratio);
        int k = q < 1 ? 0 : ilogb(q) + 1 - 17 - (int)m;

        k = k < 0 ? 0 : k;
        p = floor(ldexp(q, -k)) + ldexp(k, 16 + (int)m) + (double)offset + 32768;
        level = (int)floor(p / 65536);
        level = level < 0 ? 0 : level > most ? most : level;
    }
    octave = highest - (level >> m);
    octave = octave < 0 ? 0 : octave > 7 ? 7 : octave;
    *predicted = (uint8_t)((from & 128) | level);
    *context = (uint8_t)(4 * octave + (int)floor((p - 65536 * floor(p / 65536)) / 16384));
}

static void predict_plainly_too(const struct scales_shape *shape, const uint8_t *scales,
                                const uint8_t *base, uint8_t *predicted, uint8_t *contexts)
{
    size_t count = scales_count(shape) / 2;

    for (size_t i = 0; i < shape->count; i++) {
        size_t at = scale_of(shape, i);
        int64_t ratio = (int32_t)ox_load_u32le(scales + 4 * at);
        int64_t offset = (int32_t)ox_load_u32le(scales + 4 * (count + at));

        ratio = ratio > 1 << 20 ? 1 << 20 : ratio;
        offset = offset < -(1 << 24) ? -(1 << 24) : offset > 1 << 24 ? 1 << 24 : offset;
        predict_float_plainly(shape, ratio, offset, base[i], &predicted[i], &contexts[i]);
    }
}

static void predict__is_as_specified_for_any_bits(void **state)
{
    static const enum number_kind kinds[] = {NUMBER_I8, NUMBER_U8, NUMBER_F8E4M3, NUMBER_F8E5M2};
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 3);
    for (unsigned turn = 0; turn < 1200; turn++) {
        bool is_float = turn % 4 >= 2;
        unsigned sorts = is_float ? SCALES_FLOAT_SORTS : SCALES_SORTS;
        struct scales_shape shape = {.kind = kinds[turn % 4],
                                     .axis =
                                         (enum scales_axis)ox_rng_below(&rng, SCALES_AXIS_COUNT),
                                     .sort = (unsigned)ox_rng_below(&rng, sorts),
                                     .columns = 1 + (uint32_t)ox_rng_below(&rng, 60),
                                     .count = 1 + (uint32_t)ox_rng_below(&rng, 2000)};
        size_t count;
        uint8_t *bytes;

        shape.column = (uint32_t)ox_rng_below(&rng, shape.columns);
        if (shape.axis == SCALES_TILES) {
            shape.tile.rows = (uint16_t)(1 + ox_rng_below(&rng, 12));
            shape.tile.columns = (uint16_t)(1 + ox_rng_below(&rng, 30));
            shape.row = (uint32_t)ox_rng_below(&rng, shape.tile.rows);
        }
        if (!scales_ok(&shape)) {
            continue;
        }
        count = shape.count;
        bytes = malloc(5 * count + 4 * (size_t)scales_count(&shape));
        assert_non_null(bytes);
        for (size_t i = 0; i < count; i++) {
            bytes[i] = (uint8_t)ox_rng_u64(&rng);
        }
        for (size_t i = 0; i < scales_count(&shape); i++) {
            uint32_t some = (uint32_t)ox_rng_u64(&rng);

            ox_store_u32le(bytes + 5 * count + 4 * i, turn % 3 == 0 ? some : some >> 12);
        }
        scales_predict(&shape, bytes + 5 * count, bytes, bytes + count, bytes + 2 * count);
        (is_float ? predict_plainly_too : predict_plainly)(&shape, bytes + 5 * count, bytes,
                                                           bytes + 3 * count, bytes + 4 * count);
        assert_memory_equal(bytes + count, bytes + 3 * count, count);
        assert_memory_equal(bytes + 2 * count, bytes + 4 * count, count);
        free(bytes);
    }
}

static void ok__wants_far_fewer_scales_than_numbers(void **state)
{
    struct scales_shape shape = {
        .kind = NUMBER_I8, .axis = SCALES_ROWS, .columns = 16, .count = 160};

    (void)state;
    assert_true(scales_ok(&shape)); /* 10 rows: 20 numbers */
    shape.column = 1;
    assert_false(scales_ok(&shape)); /* a row more */
    shape.axis = SCALES_COLUMNS;
    shape.column = 0;
    shape.columns = 10;
    assert_true(scales_ok(&shape));
    shape.columns = 11;
    assert_false(scales_ok(&shape));
    shape.columns = 0;
    assert_false(scales_ok(&shape));
    shape.axis = SCALES_ALL;
    assert_true(scales_ok(&shape));
    shape.kind = NUMBER_F16;
    assert_false(scales_ok(&shape));
    shape.kind = NUMBER_U8;
    shape.sort = SCALES_SORTS;
    assert_false(scales_ok(&shape));
}

static void ok__wants_tiles_of_some_size(void **state)
{
    struct scales_shape shape = {.kind = NUMBER_F8E4M3,
                                 .axis = SCALES_TILES,
                                 .columns = 30,
                                 .count = 30 * 16,
                                 .tile = {4, 8}};

    (void)state;
    assert_int_equal(scales_count(&shape), 2 * 4 * 4);
    assert_true(scales_ok(&shape));
    shape.row = 3; /* begins in the last row of a tile */
    assert_int_equal(scales_count(&shape), 2 * 5 * 4);
    assert_true(scales_ok(&shape));
    shape.row = 4;
    assert_false(scales_ok(&shape));
    shape.row = 0;
    shape.tile.columns = 0;
    assert_false(scales_ok(&shape));
    shape.tile = (struct scales_tile){0, 8};
    assert_false(scales_ok(&shape));
    shape.tile = (struct scales_tile){1, 8};
    assert_false(scales_ok(&shape)); /* 128 scales and offsets are over 60 */
    shape.tile = (struct scales_tile){UINT16_MAX, UINT16_MAX};
    assert_int_equal(scales_count(&shape), 2);
}

static void ok__knows_the_sorts_of_floats(void **state)
{
    struct scales_shape shape = {
        .kind = NUMBER_F8E4M3, .axis = SCALES_ALL, .sort = SCALES_FLOAT_SORTS - 1, .count = 160};

    (void)state;
    assert_true(scales_ok(&shape));
    shape.kind = NUMBER_F8E5M2;
    assert_true(scales_ok(&shape));
    shape.sort = SCALES_FLOAT_SORTS;
    assert_false(scales_ok(&shape));
}

/* Each octave up is 8 magnitudes; what would be too large is the largest; NaNs stay. */
static void predict__doubles_floats(void **state)
{
    static const uint8_t base[] = {0, 1, 4, 7, 8, 0x3d, 0xbd, 0x75, 0x77, 0xfe, 0x7f, 0xff};
    static const uint8_t want[] = {0, 2, 8, 14, 16, 0x45, 0xc5, 0x7d, 0x7e, 0xfe, 0x7f, 0xff};
    struct scales_shape shape = {
        .kind = NUMBER_F8E4M3, .axis = SCALES_ALL, .sort = 15, .count = sizeof(base)};
    struct ox_buf scales = OX_BUF_INIT;
    uint8_t predicted[sizeof(base)];
    uint8_t contexts[sizeof(base)];

    (void)state;
    put_scale(&scales, 65536);
    put_scale(&scales, 0);
    scales_predict(&shape, scales.data, base, predicted, contexts);
    assert_memory_equal(predicted, want, sizeof(want));
    assert_int_equal(contexts[0], 4 * 7 + 2); /* the lowest octaves, and nothing was cut off */
    assert_int_equal(contexts[5], 4 * 7 + 2);
    assert_int_equal(contexts[7], 2);
    ox_buf_clear(&scales);
}

/* --- what encoders find --- */

/* A matrix of so many rows x COLUMNS; tiles are of few. */
static struct scales_shape matrix_of(enum number_kind kind, enum scales_axis axis, uint32_t rows)
{
    struct scales_shape shape = {
        .kind = kind, .axis = axis, .columns = COLUMNS, .count = rows * COLUMNS};

    if (axis == SCALES_TILES) {
        shape.tile = (struct scales_tile){8, 13};
    }
    return shape;
}

/* ROWS x COLUMNS integers, and the same scaled anew, with some noise. */
static void make(const struct scales_shape *shape, struct ox_buf *base, struct ox_buf *target)
{
    double shift = shape->kind == NUMBER_I8 ? 0 : 128;
    struct ox_rng rng;
    double by[COLUMNS];

    ox_rng_init(&rng, 17);
    for (size_t i = 0; i < COLUMNS; i++) {
        by[i] = 0.8 + (double)ox_rng_below(&rng, 300) / 1000;
    }
    for (size_t i = 0; i < shape->count; i++) {
        double x = ((double)ox_rng_below(&rng, 2000) - (double)ox_rng_below(&rng, 2000)) / 20;
        uint8_t from = (uint8_t)(int)floor(x + shift + 0.5);
        uint8_t to = (uint8_t)(int)floor(x * by[scale_of(shape, i)] + shift * 0.9 + 0.5);

        put(base, &from, 1);
        put(target, &to, 1);
    }
}

/* How many of the target's numbers are farther than one from what fitted scales predict. */
static size_t count_far(struct scales_shape *shape, const struct ox_buf *base,
                        const struct ox_buf *target)
{
    uint8_t *scales = malloc(4 * (size_t)scales_count(shape));
    uint8_t *predicted = malloc(2 * (size_t)shape->count);
    uint8_t *contexts = predicted + shape->count;
    size_t far = 0;

    assert_non_null(scales);
    assert_non_null(predicted);
    assert_true(scales_ok(shape));
    scales_fit(shape, base->data, target->data, scales);
    shape->sort = scales_sort(shape, scales, base->data, target->data);
    assert_true(scales_ok(shape));
    scales_predict(shape, scales, base->data, predicted, contexts);
    for (size_t i = 0; i < shape->count; i++) {
        int off = (int)predicted[i] - (int)target->data[i];

        far += off < -1 || off > 1;
        assert_in_range(contexts[i], 0, STREAM_CONTEXTS_MAX - 1);
    }
    free(scales);
    free(predicted);
    return far;
}

static void fit__finds_the_scales_of_each_axis(void **state)
{
    (void)state;
    for (unsigned axis = 0; axis < SCALES_AXIS_COUNT; axis++) {
        for (unsigned is_signed = 0; is_signed < 2; is_signed++) {
            struct scales_shape shape =
                matrix_of(is_signed ? NUMBER_I8 : NUMBER_U8, (enum scales_axis)axis, ROWS);
            struct ox_buf base = OX_BUF_INIT;
            struct ox_buf target = OX_BUF_INIT;

            make(&shape, &base, &target);
            assert_in_range(count_far(&shape, &base, &target), 0, COUNT / 50);
            assert_in_range(shape.sort, 1, 2);
            ox_buf_clear(&base);
            ox_buf_clear(&target);
        }
    }
}

/* The float of 8 bits that is nearest. */
static uint8_t round_float(enum number_kind kind, double x)
{
    int mantissa = number_kinds[kind].mantissa_bits;
    int most = kind == NUMBER_F8E4M3 ? 126 : 123;
    int least = kind == NUMBER_F8E4M3 ? -6 : -14;
    double size = fabs(x);
    int exponent = size < ldexp(1, least) ? least : ilogb(size);
    int magnitude =
        (int)floor(ldexp(size, mantissa - exponent) + 0.5) + ((exponent - least) << mantissa);

    return (uint8_t)((x < 0 ? 128 : 0) | (magnitude > most ? most : magnitude));
}

/* FLOAT_ROWS x COLUMNS floats of 8 bits, and the same by another scale. More than of integers:
 * there are more contexts to learn. */
#define FLOAT_ROWS 200
#define FLOAT_COUNT (FLOAT_ROWS * COLUMNS)

static void make_floats(const struct scales_shape *shape, struct ox_buf *base,
                        struct ox_buf *target)
{
    struct ox_rng rng;
    double by[FLOAT_ROWS];

    ox_rng_init(&rng, 17);
    for (size_t i = 0; i < FLOAT_ROWS; i++) {
        by[i] = 0.4 + (double)ox_rng_below(&rng, 1600) / 1000;
    }
    for (size_t i = 0; i < shape->count; i++) {
        double x = ((double)ox_rng_below(&rng, 2000) - (double)ox_rng_below(&rng, 2000)) / 20;
        uint8_t from = round_float(shape->kind, x);
        uint8_t to = round_float(shape->kind, x * by[scale_of(shape, i)]);

        put(base, &from, 1);
        put(target, &to, 1);
    }
}

static void fit__finds_the_scales_of_floats(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 2 * SCALES_AXIS_COUNT; turn++) {
        struct scales_shape shape = matrix_of(turn % 2 == 0 ? NUMBER_F8E4M3 : NUMBER_F8E5M2,
                                              (enum scales_axis)(turn / 2), FLOAT_ROWS);
        struct ox_buf base = OX_BUF_INIT;
        struct ox_buf target = OX_BUF_INIT;

        make_floats(&shape, &base, &target);
        assert_in_range(count_far(&shape, &base, &target), 0, FLOAT_COUNT / 50);
        ox_buf_clear(&base);
        ox_buf_clear(&target);
    }
}

/* What is chosen for a matrix that was scaled anew by its axis. */
static struct prediction choose(const struct scales_shape *shape)
{
    struct ox_buf base = OX_BUF_INIT;
    struct ox_buf target = OX_BUF_INIT;
    struct prediction how;

    if (shape->kind == NUMBER_I8) {
        make(shape, &base, &target);
        how = choose_for(OX_DTYPE_I8, shape->columns, &base, &target);
    } else {
        make_floats(shape, &base, &target);
        how = choose_for(OX_DTYPE_F8_E4M3, shape->columns, &base, &target);
    }
    ox_buf_clear(&base);
    ox_buf_clear(&target);
    return how;
}

static void choose__takes_scales_where_they_changed(void **state)
{
    static const enum number_kind kinds[] = {NUMBER_I8, NUMBER_F8E4M3};

    (void)state;
    for (unsigned turn = 0; turn < 2 * SCALES_TILES; turn++) {
        enum scales_axis axis = (enum scales_axis)(turn / 2);
        struct scales_shape shape =
            matrix_of(kinds[turn % 2], axis, turn % 2 == 0 ? ROWS : FLOAT_ROWS);
        struct prediction how = choose(&shape);

        assert_int_equal(how.predictor, PREDICT_SCALED);
        assert_int_equal(how.axis, axis);
    }
}

/* As DeepSeek-V3 and others have them; the last ones in a row and a column are cut off. */
static void choose__takes_tiles_of_128_by_128(void **state)
{
    struct scales_shape shape = {.kind = NUMBER_F8E4M3,
                                 .axis = SCALES_TILES,
                                 .columns = 300,
                                 .count = 300 * 400,
                                 .tile = {128, 128}};
    struct prediction how;

    (void)state;
    how = choose(&shape);
    assert_int_equal(how.predictor, PREDICT_SCALED);
    assert_int_equal(how.axis, SCALES_TILES);
    assert_int_equal(how.tile.rows, 128);
    assert_int_equal(how.tile.columns, 128);
}

/* The whole way, so that tiles are cut by frames, and not where they begin. */
static void tiles__in_many_frames_cost_what_rounding_hides(void **state)
{
    struct scales_shape shape = {.kind = NUMBER_F8E4M3,
                                 .axis = SCALES_TILES,
                                 .columns = 3000,
                                 .count = 3000 * 500,
                                 .tile = {128, 128}};
    struct ox_buf base = OX_BUF_INIT;
    struct ox_buf target = OX_BUF_INIT;
    uint64_t frames = 0;

    (void)state;
    make_floats(&shape, &base, &target);
    assert_in_range(patch_of_tensor("F8_E4M3", shape.count / shape.columns, shape.columns, base,
                                    target, &frames),
                    shape.count / 50, shape.count / 4);
    assert_in_range(frames, 3, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predict__rounds_to_the_nearest_and_tells_how_far),
        cmocka_unit_test(predict__is_as_specified_for_any_bits),
        cmocka_unit_test(ok__wants_far_fewer_scales_than_numbers),
        cmocka_unit_test(ok__wants_tiles_of_some_size),
        cmocka_unit_test(ok__knows_the_sorts_of_floats),
        cmocka_unit_test(predict__doubles_floats),
        cmocka_unit_test(fit__finds_the_scales_of_each_axis),
        cmocka_unit_test(fit__finds_the_scales_of_floats),
        cmocka_unit_test(choose__takes_scales_where_they_changed),
        cmocka_unit_test(choose__takes_tiles_of_128_by_128),
        cmocka_unit_test(tiles__in_many_frames_cost_what_rounding_hides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

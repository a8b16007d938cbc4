/* 4-bit numbers that were scaled anew: what is predicted, and that scales and zero points are
 * found. */
#include "../../../src/delta/scales_nibbles.h"
#include "choosing.h"
#include "oxide/base/random.h"
#include "quantised.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static unsigned get(const uint8_t *packed, size_t i)
{
    return packed[i / 2] >> (i % 2 * 4) & 15;
}

static void set(uint8_t *packed, size_t i, unsigned level)
{
    packed[i / 2] =
        (uint8_t)((packed[i / 2] & (i % 2 == 0 ? 0xf0U : 0x0fU)) | level << (i % 2 * 4));
}

static int64_t within(int32_t sent)
{
    return sent < -1024 ? -1024 : sent > 1024 ? 1024 : sent;
}

/* The specification, number by number, in 64 bits. */
static void predict_plainly(const struct scales_shape *shape, const uint8_t *scales,
                            const uint8_t *base, uint8_t *predicted, uint8_t *contexts)
{
    size_t count = scales_count(shape) / 2;
    unsigned flip = shape->kind == NUMBER_I8 ? 8 : 0;

    for (size_t i = 0; i < shape->count; i++) {
        size_t at = scale_of(shape, i);
        int64_t ratio = within((int32_t)ox_load_u32le(scales + 4 * at));
        int64_t offset = within((int32_t)ox_load_u32le(scales + 4 * (count + at)));
        int64_t x = get(base, i) ^ flip;
        int64_t place = (x - 8) * (64 + ratio) + 16 * offset + 544;
        int64_t level = (int64_t)floor((double)place / 64);
        int64_t kept = level < 0 ? 0 : level > 15 ? 15 : level;

        predicted[i] = (uint8_t)(kept ^ flip);
        contexts[i] =
            (uint8_t)(ratio == 0 && offset % 4 == 0 ? kept : 16 + (place - 64 * level) / 4);
    }
}

static struct scales_shape random_shape(struct ox_rng *rng)
{
    static const uint32_t widths[] = {60, 300, 3000};
    struct scales_shape shape = {.kind = ox_rng_below(rng, 2) == 0 ? NUMBER_U8 : NUMBER_I8,
                                 .nibbles = true,
                                 .axis = (enum scales_axis)ox_rng_below(rng, SCALES_AXIS_COUNT),
                                 .count = 2 + 2 * (uint32_t)ox_rng_below(rng, 6000)};

    if (shape.axis != SCALES_ALL || ox_rng_below(rng, 2) == 0) {
        shape.columns = 1 + (uint32_t)ox_rng_below(rng, widths[ox_rng_below(rng, 3)]);
        shape.column = (uint32_t)ox_rng_below(rng, shape.columns);
    }
    if (shape.axis == SCALES_TILES) {
        shape.tile.rows = (uint16_t)(1 + ox_rng_below(rng, 40));
        shape.tile.columns = (uint16_t)(1 + ox_rng_below(rng, 130));
        shape.row = (uint32_t)ox_rng_below(rng, shape.tile.rows);
    }
    return shape;
}

static void predict__is_as_specified_for_any_bits(void **state)
{
    struct ox_rng rng;
    unsigned tried = 0;

    (void)state;
    ox_rng_init(&rng, 3);
    for (unsigned turn = 0; turn < 2000; turn++) {
        struct scales_shape shape = random_shape(&rng);
        size_t count = shape.count;
        uint8_t *bytes;
        uint8_t *scales;

        if (!scales_ok(&shape)) {
            continue;
        }
        tried++;
        bytes = malloc(count / 2 + 4 * count + 4 * (size_t)scales_count(&shape));
        assert_non_null(bytes);
        scales = bytes + count / 2 + 4 * count;
        for (size_t i = 0; i < count / 2; i++) {
            bytes[i] = (uint8_t)ox_rng_u64(&rng);
        }
        for (size_t i = 0; i < scales_count(&shape); i++) {
            uint32_t some = (uint32_t)ox_rng_u64(&rng);
            uint32_t few = some % 9 < 4 ? some % 9 : 0 - some % 9 % 4;

            ox_store_u32le(scales + 4 * i, turn % 3 == 0   ? some
                                           : turn % 3 == 1 ? few
                                                           : (some >> 20) - 2048);
        }
        scales_predict_nibbles(&shape, scales, bytes, bytes + count / 2, bytes + count / 2 + count);
        predict_plainly(&shape, scales, bytes, bytes + count / 2 + 2 * count,
                        bytes + count / 2 + 3 * count);
        assert_memory_equal(bytes + count / 2, bytes + count / 2 + 2 * count, 2 * count);
        free(bytes);
    }
    assert_in_range(tried, 500, 2000);
}

static void ok__knows_integers_of_one_sort(void **state)
{
    struct scales_shape shape = {
        .kind = NUMBER_U8, .nibbles = true, .axis = SCALES_ALL, .count = 160};

    (void)state;
    assert_true(scales_ok(&shape));
    shape.sort = 1;
    assert_false(scales_ok(&shape));
    shape.sort = 0;
    shape.kind = NUMBER_I8;
    assert_true(scales_ok(&shape));
    shape.kind = NUMBER_F8E4M3;
    assert_false(scales_ok(&shape));
    shape.kind = NUMBER_U8;
    shape.count = (uint32_t)STREAM_GIVEN_MAX + 2;
    assert_false(scales_ok(&shape));
}

/* --- what encoders find --- */

/* How a group's numbers came about. */
struct change {
    double ratio;
    int zero;
};

static struct change change_of(size_t group, bool stretches)
{
    struct change change = {1, 0};

    if (group % 3 == 1) {
        change.zero = group % 2 == 0 ? 1 : -2;
    }
    if (stretches && group % 4 == 2) {
        change.ratio = 1.25;
    }
    return change;
}

/* Levels that stay within all that can be, and what became of them; of each `every` numbers one
 * moved by one. */
static void make(const struct scales_shape *shape, bool stretches, unsigned every,
                 struct ox_buf *base, struct ox_buf *target)
{
    unsigned flip = shape->kind == NUMBER_I8 ? 8 : 0;
    struct ox_rng rng;

    ox_rng_init(&rng, 5);
    assert_int_equal(ox_buf_reserve(base, shape->count / 2, NULL), OX_OK);
    assert_int_equal(ox_buf_reserve(target, shape->count / 2, NULL), OX_OK);
    base->len_bytes = shape->count / 2;
    target->len_bytes = shape->count / 2;
    for (size_t i = 0; i < shape->count; i++) {
        struct change change = change_of(scale_of(shape, i), stretches);
        int spread = 0;
        int level;
        int now;

        for (int k = 0; k < 2; k++) {
            spread += (int)ox_rng_below(&rng, 5) - 2;
        }
        level = 8 + spread;
        now = 8 + change.zero + (int)floor((level - 8) * change.ratio + 0.5);
        if (every > 0 && ox_rng_below(&rng, every) == 0) {
            now += ox_rng_below(&rng, 2) == 0 ? -1 : 1;
        }
        now = now < 0 ? 0 : now > 15 ? 15 : now;
        set(base->data, i, (unsigned)level ^ flip);
        set(target->data, i, (unsigned)now ^ flip);
    }
}

/* How the formats of the day lay their groups out; and a last one, which ends amid tiles. */
static const struct layout {
    enum scales_axis axis;
    struct scales_tile tile;
    uint32_t columns;
    uint32_t rows;
} layouts[] = {
    {SCALES_TILES, {128, 1}, 104, 256}, {SCALES_TILES, {64, 1}, 512, 128},
    {SCALES_TILES, {32, 1}, 104, 256},  {SCALES_TILES, {16, 8}, 776, 32},
    {SCALES_TILES, {8, 8}, 776, 32},    {SCALES_TILES, {4, 8}, 776, 32},
    {SCALES_TILES, {1, 128}, 1280, 32}, {SCALES_TILES, {1, 64}, 1600, 32},
    {SCALES_TILES, {1, 32}, 800, 32},   {SCALES_COLUMNS, {0, 0}, 40, 700},
    {SCALES_ROWS, {0, 0}, 1200, 20},    {SCALES_ALL, {0, 0}, 1200, 20},
    {SCALES_TILES, {16, 8}, 1100, 35},
};
#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

static struct scales_shape shape_of(const struct layout *layout, enum number_kind kind)
{
    return (struct scales_shape){.kind = kind,
                                 .nibbles = true,
                                 .axis = layout->axis,
                                 .columns = layout->columns,
                                 .count = layout->columns * layout->rows,
                                 .tile = layout->tile};
}

static void fit__finds_what_moved_and_what_was_stretched(void **state)
{
    (void)state;
    for (size_t turn = 0; turn < 4 * LAYOUTS; turn++) {
        bool stretches = turn % 2 == 1;
        struct scales_shape shape =
            shape_of(&layouts[turn / 4], turn / 2 % 2 == 0 ? NUMBER_U8 : NUMBER_I8);
        uint32_t groups = scales_count(&shape) / 2;
        uint8_t *scales = malloc(8 * (size_t)groups);
        uint8_t *predicted = malloc(2 * (size_t)shape.count);
        struct ox_buf base = OX_BUF_INIT;
        struct ox_buf target = OX_BUF_INIT;
        size_t wrong = 0;

        assert_non_null(scales);
        assert_non_null(predicted);
        assert_true(scales_ok(&shape));
        make(&shape, stretches, 0, &base, &target);
        scales_fit_nibbles(&shape, base.data, target.data, scales);
        for (uint32_t i = 0; i < groups; i++) {
            struct change want = change_of(i, stretches);
            int32_t ratio = (int32_t)ox_load_u32le(scales + 4 * (size_t)i);
            int32_t offset = (int32_t)ox_load_u32le(scales + 4 * ((size_t)groups + i));

            if (want.ratio > 1) { /* levels are rounded */
                assert_in_range(ratio, 8, 24);
            } else {
                assert_int_equal(ratio, 0);
                assert_int_equal(offset, 4 * want.zero);
            }
        }
        scales_predict_nibbles(&shape, scales, base.data, predicted, predicted + shape.count);
        for (size_t i = 0; i < shape.count; i++) {
            wrong += predicted[i] != get(target.data, i);
            assert_in_range(predicted[shape.count + i], 0, STREAM_CONTEXTS_MAX - 1);
        }
        assert_in_range(wrong, 0, stretches ? shape.count / 10 : 0);
        free(scales);
        free(predicted);
        ox_buf_clear(&base);
        ox_buf_clear(&target);
    }
}

/* Noise is no reason to stretch. */
static void fit__leaves_what_only_changed_here_and_there(void **state)
{
    struct scales_shape shape = shape_of(&layouts[0], NUMBER_U8);
    struct ox_buf base = OX_BUF_INIT;
    struct ox_buf target = OX_BUF_INIT;
    uint8_t *scales = malloc(4 * (size_t)scales_count(&shape));
    uint32_t groups = scales_count(&shape) / 2;
    size_t stretched = 0;

    (void)state;
    assert_non_null(scales);
    make(&shape, false, 20, &base, &target);
    scales_fit_nibbles(&shape, base.data, target.data, scales);
    for (uint32_t i = 0; i < groups; i++) {
        int32_t offset = (int32_t)ox_load_u32le(scales + 4 * ((size_t)groups + i));

        stretched += ox_load_u32le(scales + 4 * (size_t)i) != 0;
        assert_in_range(offset - 4 * change_of(i, false).zero + 2, 0, 4);
    }
    assert_in_range(stretched, 0, groups / 20);
    free(scales);
    ox_buf_clear(&base);
    ox_buf_clear(&target);
}

static void choose__knows_how_groups_are_laid_out(void **state)
{
    static const struct {
        enum ox_dtype dtype;
        uint32_t each;
    } dtypes[] = {
        {OX_DTYPE_I32, 8}, {OX_DTYPE_U32, 8}, {OX_DTYPE_U8, 2}, {OX_DTYPE_U4, 1}, {OX_DTYPE_I4, 1}};

    (void)state;
    for (size_t turn = 0; turn < 9 * 5; turn++) { /* not those of one group to a row or to all */
        const struct layout *layout = &layouts[turn % 9];
        enum ox_dtype dtype = dtypes[turn / 9].dtype;
        struct scales_shape shape = shape_of(layout, dtype == OX_DTYPE_I4 ? NUMBER_I8 : NUMBER_U8);
        struct ox_buf base = OX_BUF_INIT;
        struct ox_buf target = OX_BUF_INIT;
        struct prediction how;

        make(&shape, false, 30, &base, &target);
        how = choose_for(dtype, shape.columns / dtypes[turn / 9].each, &base, &target);
        assert_int_equal(how.predictor, PREDICT_SCALED_NIBBLES);
        assert_int_equal(how.kind, shape.kind);
        assert_int_equal(how.columns, layout->columns);
        assert_int_equal(how.axis, layout->axis);
        assert_int_equal(how.tile.rows, layout->tile.rows);
        assert_int_equal(how.tile.columns, layout->tile.columns);
        ox_buf_clear(&base);
        ox_buf_clear(&target);
    }
}

/* The whole way, so that tiles are cut by frames, and not where they begin. */
static void groups__in_many_frames_cost_what_changed(void **state)
{
    static const struct layout many[] = {{SCALES_TILES, {128, 1}, 1912, 900},
                                         {SCALES_TILES, {16, 8}, 5000, 300}};

    (void)state;
    for (size_t turn = 0; turn < 4; turn++) {
        struct scales_shape shape = shape_of(&many[turn / 2], NUMBER_U8);
        struct ox_buf base = OX_BUF_INIT;
        struct ox_buf target = OX_BUF_INIT;
        uint64_t frames = 0;

        make(&shape, turn % 2 == 1, 40, &base, &target);
        /* one in 40 changes, by one up or down: 0.2 bits each, of 4; without their groups 0.7 */
        assert_in_range(patch_of_tensor("I32", shape.count / shape.columns, shape.columns / 8, base,
                                        target, &frames),
                        shape.count / 60, shape.count / (turn % 2 == 1 ? 25 : 35));
        assert_in_range(frames, 3, 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predict__is_as_specified_for_any_bits),
        cmocka_unit_test(ok__knows_integers_of_one_sort),
        cmocka_unit_test(fit__finds_what_moved_and_what_was_stretched),
        cmocka_unit_test(fit__leaves_what_only_changed_here_and_there),
        cmocka_unit_test(choose__knows_how_groups_are_laid_out),
        cmocka_unit_test(groups__in_many_frames_cost_what_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "blocks.h"

#include "blocks_layout.h"
#include "blocks_runs.h"

#include <math.h>
#include <string.h>

/*
 * Prediction. With w = a * level + b in the base and in the target, the level that the base's value
 * would have in the target is x = level * r + c, r = a_old / a_new, c = (b_old - b_new) / a_new:
 * both in IEEE double, then rounded to 16 bits behind the point, so that what goes for each element
 * is integers. The predicted level is the nearest, within those that quantisers give; how far x
 * lies from it, which side, says how likely which neighbour is.
 *
 * How likely neighbours are at all depends on the size of the update in steps of the level. The
 * scales have been changed by it: where a block's largest element moved by some, its scale did,
 * too. So contexts are told apart by the mean change of the scales of a group of some 1,024
 * elements, over the scale of the sub-block at hand.
 */
#define GROUP_ELEMENTS 1024
#define GROUP_RUNS (GROUP_ELEMENTS / 16) /* most sub-blocks */

#define RATIO_MAX 128.0   /* of |r| */
#define OFFSET_MAX 4096.0 /* of |c|, in levels */

/* Contexts by the size of updates, 0 to 29; then those of what no shape fits. */
struct sized_shape {
    struct run_shape shape;
    double below; /* change of the group's scales, in levels of the sub-block at hand */
};
#define EDGE(level) ((int16_t)((level)*RUN_ONE))
#define BINS2(first)                                                                               \
    {                                                                                              \
        {EDGE(0), RUN_NO_EDGE, RUN_NO_EDGE, RUN_NO_EDGE}, first                                    \
    }
#define BINS3(p, first)                                                                            \
    {                                                                                              \
        {EDGE(-(p)), EDGE(p), RUN_NO_EDGE, RUN_NO_EDGE}, first                                     \
    }
#define BINS5(p, q, first)                                                                         \
    {                                                                                              \
        {EDGE(-(q)), EDGE(-(p)), EDGE(p), EDGE(q)}, first                                          \
    }

#define SHAPES 8
/* Chosen by the entropy of fine-tuned and of synthetic pairs, updates of 1e-4 to 1e-2 sigma. Fine
 * for levels of 6 bits and more. */
static const struct sized_shape fine_shapes[SHAPES] = {
    {BINS3(1e-4, 0), 1 / 32.0},
    {BINS5(0.03, 0.15, 3), 1 / 8.0},
    {BINS5(0.05, 0.2, 8), 1 / 4.0},
    {BINS5(0.05, 0.2, 13), 3 / 8.0},
    {BINS5(0.1, 0.25, 18), 1 / 2.0},
    {BINS3(1 / 6.0, 23), 1},
    {BINS2(26), 2},
    {BINS2(28), 0},
};
static const struct sized_shape coarse_shapes[SHAPES] = {
    {BINS3(1e-4, 0), 1 / 256.0},     {BINS3(1e-4, 3), 1 / 64.0},
    {BINS3(0.03, 6), 1 / 32.0},      {BINS5(0.03, 0.12, 9), 1 / 16.0},
    {BINS5(0.05, 0.2, 14), 1 / 8.0}, {BINS5(0.1, 0.25, 19), 1 / 4.0},
    {BINS3(1 / 6.0, 24), 1 / 2.0},   {BINS3(1 / 6.0, 27), 0},
};

bool block_format_of(enum ox_dtype dtype, uint8_t *row)
{
    for (uint8_t i = 0; i < BLOCK_FORMAT_COUNT; i++) {
        if (block_formats[i].dtype == dtype) {
            *row = i;
            return true;
        }
    }
    return false;
}

/* --- fields --- */

void blocks_get_supers(const struct block_format *format, const uint8_t *blocks, size_t count,
                       uint8_t *supers)
{
    size_t size = 2 * (size_t)format->supers;

    for (size_t i = 0; i < count; i++) {
        memcpy(supers + i * size, blocks + i * format->bytes + format->layout->supers_at, size);
    }
}

void blocks_put_supers(const struct block_format *format, uint8_t *blocks, size_t count,
                       const uint8_t *supers)
{
    size_t size = 2 * (size_t)format->supers;

    for (size_t i = 0; i < count; i++) {
        memcpy(blocks + i * format->bytes + format->layout->supers_at, supers + i * size, size);
    }
}

void blocks_get_subs(const struct block_format *format, const uint8_t *blocks, size_t count,
                     uint8_t *subs)
{
    for (size_t i = 0; i < count && format->subs > 0; i++) {
        format->layout->get_subs(blocks + i * format->bytes, subs + i * format->subs);
    }
}

void blocks_put_subs(const struct block_format *format, uint8_t *blocks, size_t count,
                     const uint8_t *subs)
{
    for (size_t i = 0; i < count && format->subs > 0; i++) {
        format->layout->put_subs(blocks + i * format->bytes, subs + i * format->subs);
    }
}

void blocks_get_quants(const struct block_format *format, const uint8_t *blocks, size_t count,
                       uint8_t *quants)
{
    for (size_t i = 0; i < count; i++) {
        format->layout->get_quants(blocks + i * format->bytes, quants + i * format->elements);
    }
}

void blocks_put_quants(const struct block_format *format, uint8_t *blocks, size_t count,
                       const uint8_t *quants)
{
    for (size_t i = 0; i < count; i++) {
        format->layout->put_quants(blocks + i * format->bytes, quants + i * format->elements);
    }
}

/* --- scales --- */

static double double_of_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* A float16, exactly; NaN for infinities, too: no scale at all. */
static inline double half_at(const uint8_t *bytes)
{
    uint64_t bits = (uint64_t)(bytes[0] | bytes[1] << 8);
    uint64_t exponent = bits >> 10 & 31;
    uint64_t sign = bits >> 15 << 63;

    if (exponent - 1 < 30) {
        return double_of_bits(sign | (exponent + 1008) << 52 | (bits & 1023) << 42);
    }
    return exponent != 0 ? NAN : (double)(bits & 1023) * (sign != 0 ? -0x1p-24 : 0x1p-24);
}

/* The a and b of each sub-block of a block that has sub-scales. */
static void scales_of(const struct block_format *format, const uint8_t *block, double *a, double *b)
{
    const struct block_layout *layout = format->layout;
    size_t count = format->elements / layout->sub_elements;
    double first = half_at(block + layout->supers_at);
    double second = format->supers > 1 ? half_at(block + layout->supers_at + 2) : 0;
    uint8_t subs[BLOCK_SUBS_MAX];

    layout->get_subs(block, subs);
    for (size_t i = 0; i < count; i++) {
        a[i] = first * (subs[i] - layout->sub_zero);
        b[i] = format->supers > 1 ? -second * subs[count + i] : 0;
    }
}

/* The a and b of all sub-blocks of some blocks; how many there are. */
static size_t scales_of_all(const struct block_format *format, const uint8_t *blocks, size_t count,
                            double *a, double *b)
{
    size_t runs = format->elements / format->layout->sub_elements;

    if (format->subs > 0) {
        for (size_t i = 0; i < count; i++) {
            scales_of(format, blocks + i * format->bytes, a + i * runs, b + i * runs);
        }
        return count * runs;
    }
    blocks += format->layout->supers_at;
    for (size_t i = 0; i < count; i++) {
        a[i] = half_at(blocks + i * format->bytes);
        b[i] = format->supers > 1 ? half_at(blocks + i * format->bytes + 2) : 0;
    }
    return count;
}

static int32_t fixed_of(double value)
{
    return (int32_t)(value * RUN_ONE + (value < 0 ? -0.5 : 0.5));
}

/* r and c; those of no change where there is none, or nothing finite to tell it by. */
static struct run_change change_of(double a_old, double b_old, double a_new, double b_new)
{
    struct run_change change = {RUN_ONE, 0};

    if (a_new != 0 && !(a_old == a_new && b_old == b_new)) {
        double ratio = a_old / a_new;
        double offset = (b_old - b_new) / a_new;

        /* false for NaN */
        if (fabs(ratio) <= RATIO_MAX && fabs(offset) <= OFFSET_MAX) {
            change.ratio = fixed_of(ratio);
            change.offset = fixed_of(offset);
        }
    }
    return change;
}

/* --- quants --- */

/* The scales of up to GROUP_ELEMENTS elements. */
struct group {
    double a_old[GROUP_RUNS], b_old[GROUP_RUNS];
    double a_new[GROUP_RUNS], b_new[GROUP_RUNS];
    struct run runs[GROUP_RUNS];
};

static const struct run_shape *shape_of(const struct sized_shape *shapes, double change, double a)
{
    double scale = fabs(a);
    size_t at = 0;

    for (size_t i = 0; i < SHAPES - 1; i++) { /* they ascend; which it is, nothing foretells */
        at += change >= shapes[i].below * scale;
    }
    return &shapes[at].shape;
}

/* Fill group->runs; how many they are. */
static size_t read_group(struct group *group, const struct block_format *format,
                         const uint8_t *base, const uint8_t *target, size_t count)
{
    const struct block_layout *layout = format->layout;
    const int16_t *range = layout->range;
    const struct sized_shape *shapes = range[1] - range[0] >= 63 ? fine_shapes : coarse_shapes;
    size_t runs = scales_of_all(format, base, count, group->a_old, group->b_old);
    double sum = 0;
    double change; /* mean change of |a|, times the most levels */

    (void)scales_of_all(format, target, count, group->a_new, group->b_new);
    for (size_t i = 0; i < runs; i++) {
        double one = fabs(fabs(group->a_new[i]) - fabs(group->a_old[i]));

        group->runs[i].change =
            change_of(group->a_old[i], group->b_old[i], group->a_new[i], group->b_new[i]);
        sum += one < HUGE_VAL ? one : 0; /* not NaN */
    }
    change = sum / (double)runs * (range[1] > -range[0] ? range[1] : -range[0]);
    for (size_t i = 0; i < runs; i++) {
        group->runs[i].shape = shape_of(shapes, change, group->a_new[i]);
    }
    return runs;
}

void blocks_predict_quants(const struct block_format *format, const uint8_t *base,
                           const uint8_t *target, size_t count, uint8_t *predicted,
                           uint8_t *contexts)
{
    const struct block_layout *layout = format->layout;
    struct run_way way = {
        .zero = layout->zero,
        .flip = format->quants_signed ? 0x80 : 0,
        .range = {layout->range[0], layout->range[1]},
        .pinned = {layout->pinned[0], layout->pinned[1]},
        .curved = layout->curved,
        .few = layout->range[1] - layout->range[0] < 16,
    };
    size_t most = GROUP_ELEMENTS / format->elements;
    struct group group = {.a_old = {0}};

    for (size_t at = 0; at < count; at += most) {
        size_t n = count - at < most ? count - at : most;
        const uint8_t *from = base + at * format->bytes;
        size_t first = at * format->elements;
        size_t runs = read_group(&group, format, from, target + at * format->bytes, n);

        blocks_get_quants(format, from, n, predicted + first);
        runs_predict(&way, group.runs, runs, layout->sub_elements, VECTORS_DEPOSIT,
                     predicted + first, contexts + first);
    }
}

/* --- sub-scales --- */

/* Scales have the contexts of the first shape, mins of the second. */
static const struct run_shape sub_shapes[2] = {BINS5(1e-4, 0.2, 0), BINS5(1e-4, 0.2, 5)};

void blocks_predict_subs(const struct block_format *format, const uint8_t *base,
                         const uint8_t *target, size_t count, uint8_t *predicted, uint8_t *contexts)
{
    const struct block_layout *layout = format->layout;
    size_t supers = format->supers;
    struct run_way way = {
        .zero = layout->sub_zero,
        .range = {layout->sub_range[0], layout->sub_range[1]},
        .pinned = {layout->sub_pinned[0], layout->sub_pinned[1]},
    };

    blocks_get_subs(format, base, count, predicted);
    for (size_t i = 0; i < count && format->subs > 0 && supers > 0; i++) {
        const uint8_t *old_supers = base + i * format->bytes + layout->supers_at;
        const uint8_t *new_supers = target + i * format->bytes + layout->supers_at;
        struct run runs[2];

        for (size_t k = 0; k < supers; k++) {
            double before = half_at(old_supers + 2 * k);

            runs[k].change = change_of(before, 0, half_at(new_supers + 2 * k), 0);
            runs[k].shape = &sub_shapes[k];
        }
        runs_predict(&way, runs, supers, format->subs / supers, VECTORS_NONE, predicted, contexts);
        predicted += format->subs;
        contexts += format->subs;
    }
}

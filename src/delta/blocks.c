#include "blocks.h"

#include "blocks_layout.h"

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

#define ONE 65536         /* the fixed point's 1 */
#define RATIO_MAX 128.0   /* of |r|; with levels, or iq4_values, within +-128 x has 31 bits */
#define OFFSET_MAX 4096.0 /* of |c|, in levels */

/* Contexts: 0 to 29 by shapes, below; then what the shapes do not fit. */
#define CONTEXT_CLAMPED 30 /* x lies beyond all levels */
#define CONTEXT_PINNED 31

/* Eight numbers of 16 bits: gcc and clang make what vectors the processor has of them. */
#define LANES 8
typedef int16_t lanes __attribute__((vector_size(2 * LANES)));
typedef uint16_t unsigned_lanes __attribute__((vector_size(2 * LANES)));
typedef uint8_t byte_lanes __attribute__((vector_size(LANES)));
#define ALL(v)                                                                                     \
    {                                                                                              \
        v, v, v, v, v, v, v, v                                                                     \
    }

/* How contexts tell x's distance off = x - predicted apart, in 1/65536 of a level: `first`, plus 1
 * for every edge that `off` lies above. */
#define EDGES 4
struct shape {
    lanes edges[EDGES];
    lanes first;
    double below; /* change of the group's scales, in levels of the sub-block at hand */
};
#define NO_EDGE ALL(INT16_MAX)
#define EDGE(level) ALL((int16_t)((level)*ONE))
#define BINS2                                                                                      \
    {                                                                                              \
        EDGE(0), NO_EDGE, NO_EDGE, NO_EDGE                                                         \
    }
#define BINS3(p)                                                                                   \
    {                                                                                              \
        EDGE(-(p)), EDGE(p), NO_EDGE, NO_EDGE                                                      \
    }
#define BINS5(p, q)                                                                                \
    {                                                                                              \
        EDGE(-(q)), EDGE(-(p)), EDGE(p), EDGE(q)                                                   \
    }

#define SHAPES 8
/* Chosen by the entropy of fine-tuned and of synthetic pairs, updates of 1e-4 to 1e-2 sigma. Fine
 * for levels of 6 bits and more. */
static const struct shape fine_shapes[SHAPES] = {
    {BINS3(1e-4), ALL(0), 1 / 32.0},
    {BINS5(0.03, 0.15), ALL(3), 1 / 8.0},
    {BINS5(0.05, 0.2), ALL(8), 1 / 4.0},
    {BINS5(0.05, 0.2), ALL(13), 3 / 8.0},
    {BINS5(0.1, 0.25), ALL(18), 1 / 2.0},
    {BINS3(1 / 6.0), ALL(23), 1},
    {BINS2, ALL(26), 2},
    {BINS2, ALL(28), 0},
};
static const struct shape coarse_shapes[SHAPES] = {
    {BINS3(1e-4), ALL(0), 1 / 256.0},     {BINS3(1e-4), ALL(3), 1 / 64.0},
    {BINS3(0.03), ALL(6), 1 / 32.0},      {BINS5(0.03, 0.12), ALL(9), 1 / 16.0},
    {BINS5(0.05, 0.2), ALL(14), 1 / 8.0}, {BINS5(0.1, 0.25), ALL(19), 1 / 4.0},
    {BINS3(1 / 6.0), ALL(24), 1 / 2.0},   {BINS3(1 / 6.0), ALL(27), 0},
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
    return (int32_t)(value * ONE + (value < 0 ? -0.5 : 0.5));
}

/* r and c, times ONE; those of no change where there is none, or nothing finite to tell it by. */
struct change {
    int32_t ratio, offset;
};

static struct change change_of(double a_old, double b_old, double a_new, double b_new)
{
    struct change change = {ONE, 0};

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

/* --- runs --- */

/* Levels to stay within, and those that are pinned. */
struct limits {
    lanes lowest, highest;
    lanes pinned[2];
};
enum limits_id {
    SCALE_JUMPED,  /* so much that no level is pinned */
    SCALE_CHANGED, /* a little */
    SCALE_KEPT,    /* all that a byte can hold is kept */
    LIMITS_COUNT,
};

/* How to predict the numbers of one run: of a sub-block, or a block's sub-scales. */
struct way {
    lanes zero;      /* number of level 0 */
    byte_lanes flip; /* bits of the byte that are flipped in the number */
    struct limits limits[LIMITS_COUNT];
    bool curved;
};

static lanes all(int level)
{
    lanes out = ALL((int16_t)level);

    return out;
}

static struct way way_of(uint8_t zero, bool is_signed, const int16_t range[2],
                         const int16_t pinned[2])
{
    uint8_t flip = is_signed ? 0x80 : 0;
    struct way way = {.zero = all(zero), .flip = ALL(flip)};
    struct limits changed = {all(range[0]), all(range[1]), {all(pinned[0]), all(pinned[1])}};

    way.limits[SCALE_JUMPED] = changed;
    way.limits[SCALE_JUMPED].pinned[0] = all(LEVEL_NONE);
    way.limits[SCALE_JUMPED].pinned[1] = all(LEVEL_NONE);
    way.limits[SCALE_CHANGED] = changed;
    way.limits[SCALE_KEPT] = changed;
    way.limits[SCALE_KEPT].lowest = all(-zero);
    way.limits[SCALE_KEPT].highest = all(255 - zero);
    return way;
}

static const struct limits *limits_of(const struct way *way, struct change change)
{
    if (change.ratio == ONE && change.offset == 0) {
        return &way->limits[SCALE_KEPT];
    }
    /* a scale that grew by less than 1/7 most likely did so with its largest element */
    return &way->limits[change.ratio > ONE - ONE / 8 ? SCALE_CHANGED : SCALE_JUMPED];
}

/* Where levels lie in the target: the nearest whole level, and how far off it x is. */
struct moved {
    lanes to, off;
};

/* x = level * ratio + offset, in lanes of 16 bits: with ratio = a * 2^16 + b * 2^8 + c, |level| at
 * most 128 and b and c of 8 bits, no product is wider. */
static inline struct moved move_levels(lanes levels, struct change change)
{
    int16_t c = (int16_t)(change.ratio & 255);
    int16_t b = (int16_t)((((uint32_t)change.ratio >> 8 & 255) ^ 128) - 128);
    int16_t a = (int16_t)((change.ratio - b * 256 - c) / ONE);
    int16_t low = (int16_t)(uint16_t)change.offset;
    int16_t high = (int16_t)((change.offset - low) / ONE);
    lanes by_b = levels * b;
    lanes by_c = levels * c;
    struct moved moved;
    lanes rest;

    moved.off = (lanes)(((unsigned_lanes)by_b << 8) + (unsigned_lanes)by_c + (uint16_t)low);
    /* what x has above `off`, less the products of a and high, is a multiple of 2^16: from the
     * bits above the lowest 8 it follows with room to spare */
    rest = by_b + (by_c >> 8) + (int16_t)(low >> 8) - (moved.off >> 8) + 128;
    moved.to = levels * a + high + (rest >> 8);
    return moved;
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
    return (i - 8) * ONE + (x - iq4_values[i] * ONE) / gap;
}

/* The same for levels that stand for the iq4_values, for all 16 of them: between those values x is
 * interpolated. */
struct curve {
    int16_t to[16];
    int16_t off[16];
};

static struct curve curve_of(struct change change)
{
    struct curve curve;

    for (size_t i = 0; i < 16; i++) {
        int32_t x = curved_level(iq4_values[i] * change.ratio);
        uint32_t raised = (uint32_t)x + 0x80008000U; /* made positive to be shifted */

        curve.to[i] = (int16_t)((int32_t)(raised >> 16) - 32768);
        curve.off[i] = (int16_t)(uint16_t)x;
    }
    return curve;
}

static struct moved move_curved(const uint8_t *quants, const struct curve *curve)
{
    int16_t to[LANES];
    int16_t off[LANES];
    struct moved moved;

    for (size_t i = 0; i < LANES; i++) {
        to[i] = curve->to[quants[i] & 15];
        off[i] = curve->off[quants[i] & 15];
    }
    memcpy(&moved.to, to, sizeof(to));
    memcpy(&moved.off, off, sizeof(off));
    return moved;
}

static inline lanes pick(lanes condition, lanes yes, lanes no)
{
    return no ^ ((yes ^ no) & condition);
}

/* In `numbers` the base's, from now on the predicted ones; n is a multiple of LANES. */
static inline void predict_run(const struct way *way, struct change change,
                               const struct shape *shape, uint8_t *numbers, uint8_t *contexts,
                               size_t n)
{
    const struct limits *limits = limits_of(way, change);
    struct curve curve;
    byte_lanes bytes;

    if (way->curved) {
        curve = curve_of(change);
    }
    for (size_t at = 0; at < n; at += LANES) {
        lanes levels, context, below, above, stays;
        struct moved moved;

        memcpy(&bytes, numbers + at, LANES);
        levels = __builtin_convertvector(bytes ^ way->flip, lanes) - way->zero;
        moved = way->curved ? move_curved(numbers + at, &curve) : move_levels(levels, change);
        context = shape->first;
        for (size_t k = 0; k < EDGES; k++) {
            context -= moved.off > shape->edges[k];
        }
        below = moved.to < limits->lowest;
        above = moved.to > limits->highest;
        stays = (levels == limits->pinned[0]) | (levels == limits->pinned[1]);
        context = pick(below | above, all(CONTEXT_CLAMPED), context);
        context = pick(stays, all(CONTEXT_PINNED), context);
        levels = pick(stays, levels,
                      pick(below, limits->lowest, pick(above, limits->highest, moved.to)));
        bytes = __builtin_convertvector(levels + way->zero, byte_lanes) ^ way->flip;
        memcpy(numbers + at, &bytes, LANES);
        bytes = __builtin_convertvector(context, byte_lanes);
        memcpy(contexts + at, &bytes, LANES);
    }
}

/* --- quants --- */

/* The scales of up to GROUP_ELEMENTS elements. */
struct group {
    double a_old[GROUP_RUNS], b_old[GROUP_RUNS];
    double a_new[GROUP_RUNS], b_new[GROUP_RUNS];
    struct change changes[GROUP_RUNS];
    size_t runs;
    double change; /* mean change of |a|, times the most levels */
};

static void group_read(struct group *group, const struct block_format *format, const uint8_t *base,
                       const uint8_t *target, size_t count)
{
    const struct block_layout *layout = format->layout;
    double sum = 0;

    group->runs = scales_of_all(format, base, count, group->a_old, group->b_old);
    (void)scales_of_all(format, target, count, group->a_new, group->b_new);
    for (size_t i = 0; i < group->runs; i++) {
        double change = fabs(fabs(group->a_new[i]) - fabs(group->a_old[i]));

        group->changes[i] =
            change_of(group->a_old[i], group->b_old[i], group->a_new[i], group->b_new[i]);
        sum += change < HUGE_VAL ? change : 0; /* not NaN */
    }
    group->change = sum / (double)group->runs *
                    (layout->range[1] > -layout->range[0] ? layout->range[1] : -layout->range[0]);
}

static const struct shape *shape_of(const struct shape *shapes, double change, double a)
{
    double scale = fabs(a);
    size_t at = 0;

    while (at < SHAPES - 1 && change >= shapes[at].below * scale) {
        at++;
    }
    return &shapes[at];
}

static void predict_group(const struct block_format *format, const struct way *way,
                          const struct group *group, uint8_t *quants, uint8_t *contexts)
{
    const struct block_layout *layout = format->layout;
    bool fine = layout->range[1] - layout->range[0] >= 63;
    const struct shape *shapes = fine ? fine_shapes : coarse_shapes;
    size_t n = layout->sub_elements;

    for (size_t i = 0; i < group->runs; i++) {
        predict_run(way, group->changes[i], shape_of(shapes, group->change, group->a_new[i]),
                    quants + n * i, contexts + n * i, n);
    }
}

void blocks_predict_quants(const struct block_format *format, const uint8_t *base,
                           const uint8_t *target, size_t count, uint8_t *predicted,
                           uint8_t *contexts)
{
    const struct block_layout *layout = format->layout;
    struct way way = way_of(layout->zero, format->quants_signed, layout->range, layout->pinned);
    size_t most = GROUP_ELEMENTS / format->elements;
    struct group group = {.runs = 0};

    way.curved = layout->curved;
    for (size_t at = 0; at < count; at += most) {
        size_t n = count - at < most ? count - at : most;
        const uint8_t *from = base + at * format->bytes;
        size_t first = at * format->elements;

        group_read(&group, format, from, target + at * format->bytes, n);
        blocks_get_quants(format, from, n, predicted + first);
        predict_group(format, &way, &group, predicted + first, contexts + first);
    }
}

/* --- sub-scales --- */

/* Scales have the contexts of the first shape, mins of the second. */
static const struct shape sub_shapes[2] = {
    {BINS5(1e-4, 0.2), ALL(0), 0},
    {BINS5(1e-4, 0.2), ALL(5), 0},
};

void blocks_predict_subs(const struct block_format *format, const uint8_t *base,
                         const uint8_t *target, size_t count, uint8_t *predicted, uint8_t *contexts)
{
    const struct block_layout *layout = format->layout;
    size_t n = format->subs / format->supers;
    struct way way = way_of(layout->sub_zero, false, layout->sub_range, layout->sub_pinned);

    blocks_get_subs(format, base, count, predicted);
    for (size_t i = 0; i < count && n > 0; i++) {
        const uint8_t *old_supers = base + i * format->bytes + layout->supers_at;
        const uint8_t *new_supers = target + i * format->bytes + layout->supers_at;

        for (size_t k = 0; k < format->supers; k++) {
            struct change change =
                change_of(half_at(old_supers + 2 * k), 0, half_at(new_supers + 2 * k), 0);

            predict_run(&way, change, &sub_shapes[k], predicted + n * k, contexts + n * k, n);
        }
        predicted += format->subs;
        contexts += format->subs;
    }
}

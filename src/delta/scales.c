#include "scales.h"

#include <math.h>
#include <string.h>

#define ONE 65536 /* ratios and offsets are in 1/65536 */
#define RATIO_MAX (1 << 20)
#define OFFSET_MAX (1 << 24)
#define BINS 8 /* of what rounding cut off */

/* Floats: fewer bins, since how far a number moves goes by its exponent, too. On normal weights by
 * 1.3 that costs 1.4 % (entropy), and saves 18 % where they were trained meanwhile. */
#define FLOAT_BINS 4
#define OCTAVES 8

/* Offsets that are smaller, in levels, are noise. */
#define OFFSET_MIN 0.05
#define FIT_FEW 8 /* numbers that tell no offset */

/* Of so many floats one may have a higher exponent than the sort tells. */
#define FEW 64

static uint32_t rows_of(const struct scales_shape *shape)
{
    return shape->columns == 0
               ? 0
               : (uint32_t)(((uint64_t)shape->column + shape->count + shape->columns - 1) /
                            shape->columns);
}

static uint32_t tiles_across(const struct scales_shape *shape)
{
    return (shape->columns + shape->tile.columns - 1) / shape->tile.columns;
}

/* At most UINT32_MAX: rows and columns of tiles are no more than those of numbers. */
static uint32_t groups_of(const struct scales_shape *shape)
{
    switch (shape->axis) {
    case SCALES_TILES:
        return (shape->row + rows_of(shape) + shape->tile.rows - 1) / shape->tile.rows *
               tiles_across(shape);
    case SCALES_ROWS:
        return rows_of(shape);
    case SCALES_COLUMNS:
        return shape->columns;
    default:
        return 1;
    }
}

static bool is_float(const struct scales_shape *shape)
{
    return shape->kind == NUMBER_F8E4M3 || shape->kind == NUMBER_F8E5M2;
}

bool scales_ok(const struct scales_shape *shape)
{
    bool integer = shape->kind == NUMBER_U8 || shape->kind == NUMBER_I8;
    unsigned sorts = shape->nibbles ? 1 : integer ? SCALES_SORTS : SCALES_FLOAT_SORTS;

    if (!(integer || (is_float(shape) && !shape->nibbles)) || shape->axis >= SCALES_AXIS_COUNT ||
        shape->sort >= sorts || shape->count == 0 || shape->count > STREAM_GIVEN_MAX) {
        return false;
    }
    if (shape->axis == SCALES_TILES &&
        (shape->tile.rows == 0 || shape->tile.columns == 0 || shape->row >= shape->tile.rows)) {
        return false;
    }
    return shape->axis == SCALES_ALL ||
           (shape->columns > 0 && shape->columns <= SCALES_COLUMNS_MAX &&
            scales_count(shape) <= shape->count / 8);
}

uint32_t scales_count(const struct scales_shape *shape)
{
    return 2 * groups_of(shape);
}

int32_t scales_load(const uint8_t *scales, uint32_t at, int32_t most)
{
    uint32_t bits = ox_load_u32le(scales + 4 * (size_t)at);
    int64_t value = bits < 0x80000000u ? (int64_t)bits : (int64_t)bits - ((int64_t)1 << 32);

    return (int32_t)(value < -most ? -most : value > most ? most : value);
}

void scales_store(uint8_t *scales, uint32_t at, int32_t value)
{
    ox_store_u32le(scales + 4 * (size_t)at, (uint32_t)value);
}

/* --- numbers in runs that share scales, or take one each in turn --- */

struct run {
    uint32_t from, to; /* numbers */
    uint32_t group;    /* of the first */
    uint32_t row;      /* TILES: of the part, that the run is in */
    bool each;         /* the next has the next group's */
};

/* The run's row as far as it lies in the run's tile. It may be empty. */
static void find_span(const struct scales_shape *shape, struct run *run)
{
    uint32_t left = run->group % tiles_across(shape) * shape->tile.columns;
    uint32_t right =
        shape->columns - left < shape->tile.columns ? shape->columns : left + shape->tile.columns;
    uint64_t row = (uint64_t)run->row * shape->columns;
    uint64_t end = (uint64_t)shape->column + shape->count;
    uint64_t from = row + left < shape->column ? shape->column : row + left;
    uint64_t to = row + right < end ? row + right : end;

    run->from = (uint32_t)(from - shape->column);
    run->to = from < to ? (uint32_t)(to - shape->column) : run->from;
}

/* Tile by tile, each row by row. */
static bool next_of_tile(const struct scales_shape *shape, struct run *run)
{
    uint32_t across = tiles_across(shape);
    uint32_t rows = rows_of(shape);
    bool begins = run->to == 0;

    do {
        run->row += begins ? 0 : 1;
        if (run->row == rows || (shape->row + run->row) / shape->tile.rows > run->group / across) {
            uint32_t top;

            if (++run->group == groups_of(shape)) {
                return false;
            }
            top = run->group / across * shape->tile.rows;
            run->row = top < shape->row ? 0 : top - shape->row;
        }
        begins = false;
        find_span(shape, run);
    } while (run->from == run->to);
    return true;
}

static bool next_run(const struct scales_shape *shape, struct run *run)
{
    bool begins = run->to == 0;
    uint32_t row_left = shape->columns == 0 ? 0
                        : begins            ? shape->columns - shape->column
                                            : shape->columns;

    if (shape->axis == SCALES_TILES) {
        return next_of_tile(shape, run);
    }
    if (run->to == shape->count) {
        return false;
    }
    run->from = run->to;
    run->each = shape->axis == SCALES_COLUMNS;
    if (shape->axis == SCALES_ALL) {
        run->to = shape->count;
        return true;
    }
    run->to = shape->count - run->from < row_left ? shape->count : run->from + row_left;
    if (run->each) {
        run->group = begins ? shape->column : 0;
    } else {
        run->group += begins ? 0 : 1;
    }
    return true;
}

static int32_t value_of(const struct scales_shape *shape, uint8_t number)
{
    return shape->kind == NUMBER_I8 && number >= 128 ? (int32_t)number - 256 : number;
}

/* --- prediction --- */

struct scale {
    int32_t ratio;
    int32_t offset;
};

static struct scale load_scale(const struct scales_shape *shape, const uint8_t *scales,
                               uint32_t group)
{
    return (struct scale){ONE + scales_load(scales, group, RATIO_MAX),
                          scales_load(scales, groups_of(shape) + group, OFFSET_MAX)};
}

/* Where the base's number lies in the target, from 0 up in 1/65536: raised by half of one, for
 * rounding, and by 2^15 numbers, to be positive. */
static uint32_t place_of(int32_t value, struct scale scale)
{
    return (uint32_t)(value * scale.ratio + scale.offset) + 0x80008000u;
}

static void predict_integers(const struct scales_shape *shape, const uint8_t *scales,
                             const struct run *run, const uint8_t *base, uint8_t *predicted,
                             uint8_t *contexts)
{
    struct scale scale = load_scale(shape, scales, run->group);
    int32_t lowest = shape->kind == NUMBER_I8 ? -128 : 0;

    for (uint32_t i = run->from; i < run->to; i++) {
        uint32_t place;
        int32_t level;

        if (run->each) {
            scale = load_scale(shape, scales, run->group + (i - run->from));
        }
        place = place_of(value_of(shape, base[i]), scale);
        level = (int32_t)(place >> 16) - 32768;
        level = level < lowest ? lowest : level > lowest + 255 ? lowest + 255 : level;
        predicted[i] = (uint8_t)level;
        contexts[i] = (uint8_t)(shape->sort * BINS + (place >> 13 & (BINS - 1)));
    }
}

/* --- the same of floats --- */

#define SIGN 0x80u
#define MAGNITUDES 128u

/* The largest magnitude that is a number and finite. */
static uint32_t largest_of(const struct scales_shape *shape)
{
    return shape->kind == NUMBER_F8E4M3 ? 0x7eu : 0x7bu;
}

/* A magnitude in units of the least one. */
static uint64_t linear(uint32_t magnitude, unsigned mantissa)
{
    uint32_t one = 1u << mantissa;
    uint32_t exponent = magnitude >> mantissa;

    return exponent == 0 ? magnitude : (uint64_t)(one + magnitude % one) << (exponent - 1);
}

/* The other way round: where such a value lies among the magnitudes, both in 1/65536. */
static int64_t among_magnitudes(uint64_t value, unsigned mantissa)
{
    unsigned bits = value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
    unsigned octave = bits > 17 + mantissa ? bits - 17 - mantissa : 0;

    return (int64_t)((value >> octave) + ((uint64_t)octave << (16 + mantissa)));
}

struct guess {
    uint8_t magnitude;
    uint8_t context;
};

static struct guess guess_float(const struct scales_shape *shape, struct scale scale,
                                uint32_t magnitude)
{
    unsigned mantissa = number_kinds[shape->kind].mantissa_bits;
    int32_t highest = (int32_t)(shape->kind == NUMBER_F8E4M3 ? shape->sort : 2 * shape->sort + 1);
    int64_t place = (int64_t)magnitude * ONE;
    int64_t level = magnitude;
    int64_t most = largest_of(shape);
    int32_t octave;

    if (level <= most) { /* infinity and NaNs stay */
        uint64_t by = scale.ratio < 0 ? 0 : (uint64_t)scale.ratio;

        place = among_magnitudes(linear(magnitude, mantissa) * by, mantissa) + scale.offset;
        level = (place + ONE / 2) >> 16;
        level = level < 0 ? 0 : level > most ? most : level;
    }
    octave = highest - (int32_t)(level >> mantissa);
    octave = octave < 0 ? 0 : octave > OCTAVES - 1 ? OCTAVES - 1 : octave;
    return (struct guess){(uint8_t)level, (uint8_t)(octave * FLOAT_BINS +
                                                    ((place + ONE / 2) >> 14 & (FLOAT_BINS - 1)))};
}

/* What all magnitudes become in one group. */
struct guesses {
    bool filled;
    uint32_t group;
    struct guess of[MAGNITUDES];
};

/* Do groups have so many numbers that to fill a table costs less? */
static bool want_table(const struct scales_shape *shape)
{
    switch (shape->axis) {
    case SCALES_ROWS:
        return shape->columns >= MAGNITUDES;
    case SCALES_COLUMNS:
        return false;
    case SCALES_TILES:
        return (uint32_t)shape->tile.rows * shape->tile.columns >= MAGNITUDES;
    default:
        return shape->count >= MAGNITUDES;
    }
}

static void predict_floats(const struct scales_shape *shape, const uint8_t *scales,
                           const struct run *run, const uint8_t *base, struct guesses *guesses,
                           uint8_t *predicted, uint8_t *contexts)
{
    struct scale scale = load_scale(shape, scales, run->group);
    bool table = want_table(shape);

    if (table && (!guesses->filled || guesses->group != run->group)) {
        for (uint32_t i = 0; i < MAGNITUDES; i++) {
            guesses->of[i] = guess_float(shape, scale, i);
        }
        guesses->filled = true;
        guesses->group = run->group;
    }
    for (uint32_t i = run->from; i < run->to; i++) {
        struct guess guess;

        if (run->each) {
            scale = load_scale(shape, scales, run->group + (i - run->from));
        }
        guess = table ? guesses->of[base[i] % SIGN] : guess_float(shape, scale, base[i] % SIGN);
        predicted[i] = (uint8_t)((base[i] & SIGN) | guess.magnitude);
        contexts[i] = guess.context;
    }
}

void scales_predict(const struct scales_shape *shape, const uint8_t *scales, const uint8_t *base,
                    uint8_t *predicted, uint8_t *contexts)
{
    struct run run = {.to = 0};
    struct guesses guesses = {.filled = false};

    while (next_run(shape, &run)) {
        if (is_float(shape)) {
            predict_floats(shape, scales, &run, base, &guesses, predicted, contexts);
        } else {
            predict_integers(shape, scales, &run, base, predicted, contexts);
        }
    }
}

/* --- fitting --- */

/* Sums of a straight line through pairs of numbers. */
struct line {
    double n, x, y, xx, xy;
};

static void add_number(struct line *line, double x, double y)
{
    line->n += 1;
    line->x += x;
    line->y += y;
    line->xx += x * x;
    line->xy += x * y;
}

static int32_t fixed_of(double value, int32_t most)
{
    double fixed = value * ONE;

    if (!(fabs(fixed) <= most)) {
        return 0;
    }
    return (int32_t)(fixed + (fixed < 0 ? -0.5 : 0.5));
}

/* y = x * ratio, or, where that is worth an offset, y = x * ratio + offset. */
static struct scale fit_line(const struct line *line, bool moves)
{
    double ratio = line->xx > 0 ? line->xy / line->xx : 1;
    double spread = line->n * line->xx - line->x * line->x;
    double offset = 0;

    if (moves && line->n >= FIT_FEW && spread > 0) {
        double slope = (line->n * line->xy - line->x * line->y) / spread;

        offset = (line->y - slope * line->x) / line->n;
        if (fabs(offset) < OFFSET_MIN) {
            offset = 0;
        } else {
            ratio = slope;
        }
    }
    return (struct scale){fixed_of(ratio - 1, RATIO_MAX), fixed_of(offset, OFFSET_MAX)};
}

/* Of floats, those that tell a ratio: what became the largest may have been cut off there. */
static void add_floats(struct line *line, const struct scales_shape *shape, uint8_t from,
                       uint8_t to)
{
    unsigned mantissa = number_kinds[shape->kind].mantissa_bits;

    if (from % SIGN <= largest_of(shape) && to % SIGN < largest_of(shape)) {
        double x = (double)linear(from % SIGN, mantissa);
        double y = (double)linear(to % SIGN, mantissa);

        add_number(line, x, ((from ^ to) & SIGN) != 0 ? -y : y);
    }
}

/* Pairs of numbers of one group: of all, a row, a column, or what a tile has of a row. */
static void add_pairs(struct line *line, const struct scales_shape *shape, const uint8_t *base,
                      const uint8_t *target, uint32_t from, uint32_t to, uint32_t step)
{
    for (uint32_t i = from; i < to; i += step) {
        if (is_float(shape)) {
            add_floats(line, shape, base[i], target[i]);
        } else {
            add_number(line, value_of(shape, base[i]), value_of(shape, target[i]));
        }
    }
}

static void store_scale(const struct scales_shape *shape, struct scale scale, uint32_t group,
                        uint8_t *scales)
{
    scales_store(scales, group, scale.ratio);
    scales_store(scales, groups_of(shape) + group, scale.offset);
}

void scales_fit(const struct scales_shape *shape, const uint8_t *base, const uint8_t *target,
                uint8_t *scales)
{
    static const struct line nothing = {0, 0, 0, 0, 0};
    bool moves = shape->kind == NUMBER_U8; /* signed ones mostly have their zero at 0 */
    struct run run = {.to = 0};
    struct line line = nothing;
    uint32_t group = 0;

    moves = moves || (shape->axis == SCALES_ALL && !is_float(shape));
    if (shape->axis == SCALES_COLUMNS) {
        for (uint32_t c = 0; c < shape->columns; c++) {
            uint32_t first =
                c < shape->column ? c + shape->columns - shape->column : c - shape->column;

            line = nothing;
            add_pairs(&line, shape, base, target, first, shape->count, shape->columns);
            store_scale(shape, fit_line(&line, moves), c, scales);
        }
        return;
    }
    while (next_run(shape, &run)) {
        for (; group < run.group; group++) { /* some of a tile's may lie outside the part */
            store_scale(shape, fit_line(&line, moves), group, scales);
            line = nothing;
        }
        add_pairs(&line, shape, base, target, run.from, run.to, 1);
    }
    for (; group < groups_of(shape); group++) {
        store_scale(shape, fit_line(&line, moves), group, scales);
        line = nothing;
    }
}

/* The highest exponent that more than one in FEW of the target's floats have or exceed. */
static unsigned sort_of_floats(const struct scales_shape *shape, const uint8_t *target)
{
    unsigned mantissa = number_kinds[shape->kind].mantissa_bits;
    unsigned exponent = (MAGNITUDES >> mantissa) - 1;
    uint32_t hits[MAGNITUDES] = {0};
    uint32_t above = 0;

    for (uint32_t i = 0; i < shape->count; i++) {
        hits[target[i] % SIGN >> mantissa]++;
    }
    while (exponent > 0 && above + hits[exponent] <= shape->count / FEW) {
        above += hits[exponent--];
    }
    return shape->kind == NUMBER_F8E4M3 ? exponent : exponent / 2;
}

unsigned scales_sort(const struct scales_shape *shape, const uint8_t *scales, const uint8_t *base,
                     const uint8_t *target)
{
    static const double edges[SCALES_SORTS - 1] = {1 / 16.0, 1 / 4.0, 1.0};
    struct run run = {.to = 0};
    uint64_t sum = 0;
    unsigned sort = 0;

    if (is_float(shape)) {
        return sort_of_floats(shape, target);
    }
    while (next_run(shape, &run)) {
        struct scale scale = load_scale(shape, scales, run.group);

        for (uint32_t i = run.from; i < run.to; i++) {
            int32_t off;

            if (run.each) {
                scale = load_scale(shape, scales, run.group + (i - run.from));
            }
            off = (int32_t)(place_of(value_of(shape, base[i]), scale) >> 16) - 32768 -
                  value_of(shape, target[i]);
            sum += (uint64_t)(off < 0 ? -off : off);
        }
    }
    while (sort < SCALES_SORTS - 1 && (double)sum > edges[sort] * shape->count) {
        sort++;
    }
    return sort;
}

#include "scales_nibbles.h"

#include "nibbles.h"

#include <string.h>

#define LEVELS 16
#define MIDDLE 8     /* levels are stretched from here */
#define RATIO_ONE 64 /* ratios are in 1/64 */
#define OFFSET_ONE 4 /* offsets are in 1/4 of a level */
#define SENT_MAX 1024
#define BINS 16 /* of what rounding cut off */

/* So many columns at a time, in some KiB of memory. */
#define BLOCK 1024u

/* A ratio must make the square errors of n numbers less by so much / n. Measured on groups of 128
 * whose ranges were cut off anew: 4 to 6 cost 12 % less than none, 24 saves half of that; where
 * weights were retrained by a third, less than 6 lets some ratios in that are noise. */
#define RATIO_WORTH 6
#define FIT_FEW 16 /* numbers that tell no ratio */

/* --- a matrix, band by band of tiles, block by block of columns --- */

struct grid {
    const struct scales_shape *shape;
    uint32_t columns;
    uint32_t rows;
    uint32_t tile_rows; /* every axis is one of tiles */
    uint32_t tile_columns;
    uint32_t across; /* tiles side by side */
    uint32_t above;  /* rows of the first band's tiles that stand above the part */
};

struct block {
    uint32_t band;
    uint32_t top, bottom; /* rows of the part */
    uint32_t left, right; /* columns */
};

static struct grid grid_of(const struct scales_shape *shape)
{
    struct grid grid = {.shape = shape,
                        .columns = shape->columns == 0 ? shape->count : shape->columns,
                        .tile_rows = UINT32_MAX,
                        .tile_columns = UINT32_MAX};

    grid.rows =
        (uint32_t)(((uint64_t)shape->column + shape->count + grid.columns - 1) / grid.columns);
    if (shape->axis == SCALES_TILES) {
        grid.tile_rows = shape->tile.rows;
        grid.tile_columns = shape->tile.columns;
        grid.above = shape->row;
    } else if (shape->axis == SCALES_ROWS) {
        grid.tile_rows = 1;
    } else if (shape->axis == SCALES_COLUMNS) {
        grid.tile_columns = 1;
    }
    grid.across = (grid.columns - 1) / grid.tile_columns + 1;
    return grid;
}

/* From {0} on. */
static bool next_block(const struct grid *grid, struct block *block)
{
    if (block->right == 0 || block->right == grid->columns) { /* the next band */
        uint64_t end;

        if (block->bottom == grid->rows) {
            return false;
        }
        block->band += block->right == 0 ? 0 : 1;
        block->top = block->bottom;
        end = ((uint64_t)block->band + 1) * grid->tile_rows - grid->above;
        block->bottom = end < grid->rows ? (uint32_t)end : grid->rows;
        block->right = 0;
    }
    block->left = block->right;
    block->right = grid->columns - block->left < BLOCK ? grid->columns : block->left + BLOCK;
    return true;
}

/* Numbers of the part, from number `from` on, that stand in a row of the block. */
struct span {
    uint32_t from;
    uint32_t count;
    uint32_t skip; /* columns of the block before them */
};

static struct span find_span(const struct grid *grid, const struct block *block, uint32_t row)
{
    uint64_t column = grid->shape->column;
    uint64_t from = (uint64_t)row * grid->columns + block->left;
    uint64_t to = (uint64_t)row * grid->columns + block->right;
    uint64_t end = column + grid->shape->count;
    uint64_t first = from < column ? column : from;

    to = to < end ? to : end;
    if (first >= to) {
        return (struct span){0, 0, 0};
    }
    return (struct span){(uint32_t)(first - column), (uint32_t)(to - first),
                         (uint32_t)(first - from)};
}

static uint32_t group_of(const struct grid *grid, uint32_t band, uint32_t column)
{
    return band * grid->across + column / grid->tile_columns;
}

/* Where the columns end that the block has of such a column's group. */
static uint32_t group_end(const struct grid *grid, const struct block *block, uint32_t column)
{
    uint64_t end = ((uint64_t)column / grid->tile_columns + 1) * grid->tile_columns;

    return end < block->right ? (uint32_t)end : block->right;
}

/* Signed numbers have the level 0 in the middle. */
static uint8_t flip_of(const struct scales_shape *shape)
{
    return shape->kind == NUMBER_I8 ? LEVELS / 2 : 0;
}

/* --- prediction --- */

struct scale {
    int32_t ratio;
    int32_t offset;
};

/* What a block's columns are stretched and moved by. */
struct stretch {
    int16_t by[BLOCK];
    int16_t plus[BLOCK]; /* raised by half of a level, for rounding */
    uint8_t whole[BLOCK];
};

static void load_stretch(const struct grid *grid, const struct block *block, const uint8_t *scales,
                         struct stretch *out)
{
    uint32_t groups = scales_count(grid->shape) / 2;
    uint32_t end;

    for (uint32_t column = block->left; column < block->right; column = end) {
        uint32_t group = group_of(grid, block->band, column);
        int32_t ratio = scales_load(scales, group, SENT_MAX);
        int32_t offset = scales_load(scales, groups + group, SENT_MAX);
        int16_t by = (int16_t)(RATIO_ONE + ratio);
        int16_t plus =
            (int16_t)(RATIO_ONE / OFFSET_ONE * offset + RATIO_ONE * MIDDLE + RATIO_ONE / 2);
        uint8_t whole = ratio == 0 && offset % OFFSET_ONE == 0;

        end = group_end(grid, block, column);
        for (uint32_t i = column - block->left; i < end - block->left; i++) {
            out->by[i] = by;
            out->plus[i] = plus;
            out->whole[i] = whole;
        }
    }
}

/* Levels in place: each is below LEVELS, so that all sums are within 16 bits. */
static void predict_span(const int16_t *by, const int16_t *plus, const uint8_t *whole, size_t n,
                         uint8_t flip, uint8_t *levels, uint8_t *contexts)
{
    for (size_t i = 0; i < n; i++) {
        int16_t from = (int16_t)((levels[i] ^ flip) - MIDDLE);
        int16_t place = (int16_t)(from * by[i] + plus[i]);
        uint16_t raised = (uint16_t)(place + 32768);
        int16_t level = (int16_t)((raised / RATIO_ONE) - 32768 / RATIO_ONE);

        level = (int16_t)(level < 0 ? 0 : level > LEVELS - 1 ? LEVELS - 1 : level);
        contexts[i] =
            (uint8_t)(whole[i] != 0 ? level : LEVELS + raised % RATIO_ONE / (RATIO_ONE / BINS));
        levels[i] = (uint8_t)(level ^ flip);
    }
}

void scales_predict_nibbles(const struct scales_shape *shape, const uint8_t *scales,
                            const uint8_t *base, uint8_t *predicted, uint8_t *contexts)
{
    struct grid grid = grid_of(shape);
    struct block block = {.right = 0};
    struct stretch stretch = {.by = {0}};

    nibbles_unpack(base, shape->count / 2, predicted);
    while (next_block(&grid, &block)) {
        load_stretch(&grid, &block, scales, &stretch);
        for (uint32_t row = block.top; row < block.bottom; row++) {
            struct span span = find_span(&grid, &block, row);

            predict_span(stretch.by + span.skip, stretch.plus + span.skip,
                         stretch.whole + span.skip, span.count, flip_of(shape),
                         predicted + span.from, contexts + span.from);
        }
    }
}

/* --- fitting --- */

/* Sums over pairs of levels, both from the middle. */
struct sums {
    int32_t n, x, y, xx, xy, yy;
};

static int32_t nearest(double value)
{
    return (int32_t)(value + (value < 0 ? -0.5 : 0.5));
}

/* The sum of the squares of y - (x * ratio + offset). */
static double error_of(const struct sums *sums, double ratio, double offset)
{
    return sums->yy - 2 * ratio * sums->xy - 2 * offset * sums->y + ratio * ratio * sums->xx +
           2 * ratio * offset * sums->x + offset * offset * sums->n;
}

/* A zero point that moved by whole levels; or, where that is worth it, a ratio, too. */
static struct scale fit_sums(const struct sums *sums)
{
    double n = sums->n;
    double spread = n * sums->xx - (double)sums->x * sums->x;
    struct scale moved = {0, 0};
    struct scale scaled;
    double rounding = n / 12;
    double slope;
    double offset;
    double errors[2];

    if (sums->n == 0) {
        return moved;
    }
    moved.offset = OFFSET_ONE * nearest((double)(sums->y - sums->x) / n);
    if (sums->n < FIT_FEW || spread <= 0) {
        return moved;
    }
    slope = (n * sums->xy - (double)sums->x * sums->y) / spread;
    scaled.ratio = nearest((slope - 1) * RATIO_ONE);
    slope = 1 + (double)scaled.ratio / RATIO_ONE;
    offset = (sums->y - slope * sums->x) / n;
    scaled.offset = nearest(offset * OFFSET_ONE);
    errors[0] = error_of(sums, 1, (double)moved.offset / OFFSET_ONE) + rounding;
    errors[1] = error_of(sums, slope, (double)scaled.offset / OFFSET_ONE) + rounding;
    return errors[0] > (1 + RATIO_WORTH / n) * errors[1] ? scaled : moved;
}

static void add_sums(struct sums *to, const struct sums *from)
{
    to->n += from->n;
    to->x += from->x;
    to->y += from->y;
    to->xx += from->xx;
    to->xy += from->xy;
    to->yy += from->yy;
}

/* Levels of a span on both sides, as numbers around 0. */
struct levels {
    int8_t x[BLOCK];
    int8_t y[BLOCK];
};

static void center(const uint8_t *packed, struct span span, uint8_t flip, int8_t *out)
{
    uint8_t room[BLOCK + 2] = {0}; /* one more at either end */
    size_t first = span.from / 2;
    size_t end = ((size_t)span.from + span.count + 1) / 2;

    nibbles_unpack(packed + first, end - first, room);
    for (size_t i = 0; i < span.count; i++) {
        out[i] = (int8_t)((room[span.from % 2 + i] ^ flip) - MIDDLE);
    }
}

static struct sums sum_run(const int8_t *x, const int8_t *y, size_t n)
{
    struct sums sums = {(int32_t)n, 0, 0, 0, 0, 0};

    for (size_t i = 0; i < n; i++) {
        sums.x += x[i];
        sums.y += y[i];
        sums.xx += x[i] * x[i];
        sums.xy += x[i] * y[i];
        sums.yy += y[i] * y[i];
    }
    return sums;
}

/* The same of each column of a block; and of some of its rows, few enough for 16 bits. */
struct column_sums {
    int32_t n[BLOCK], x[BLOCK], y[BLOCK], xx[BLOCK], xy[BLOCK], yy[BLOCK];
};
struct short_sums {
    int16_t n[BLOCK], x[BLOCK], y[BLOCK], xx[BLOCK], xy[BLOCK], yy[BLOCK];
};
#define SHORT_ROWS (INT16_MAX / (MIDDLE * MIDDLE))

/* Loops that compilers make vectors of. */
static void add_levels(int16_t *sums, const int8_t *levels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sums[i] = (int16_t)(sums[i] + levels[i]);
    }
}

static void add_products(int16_t *sums, const int8_t *a, const int8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sums[i] = (int16_t)(sums[i] + (int16_t)(a[i] * b[i]));
    }
}

static void add_row(struct short_sums *sums, struct span span, const struct levels *levels)
{
    for (size_t i = 0; i < span.count; i++) {
        sums->n[span.skip + i] = (int16_t)(sums->n[span.skip + i] + 1);
    }
    add_levels(sums->x + span.skip, levels->x, span.count);
    add_levels(sums->y + span.skip, levels->y, span.count);
    add_products(sums->xx + span.skip, levels->x, levels->x, span.count);
    add_products(sums->xy + span.skip, levels->x, levels->y, span.count);
    add_products(sums->yy + span.skip, levels->y, levels->y, span.count);
}

static void add_short(struct column_sums *to, const struct short_sums *from, uint32_t columns)
{
    for (uint32_t i = 0; i < columns; i++) {
        to->n[i] += from->n[i];
        to->x[i] += from->x[i];
        to->y[i] += from->y[i];
        to->xx[i] += from->xx[i];
        to->xy[i] += from->xy[i];
        to->yy[i] += from->yy[i];
    }
}

/* What fitting works with. */
struct fitting {
    struct grid grid;
    const uint8_t *base;
    const uint8_t *target;
    struct levels levels;
    struct column_sums columns;
};

static struct span load_levels(struct fitting *self, const struct block *block, uint32_t row)
{
    struct span span = find_span(&self->grid, block, row);
    uint8_t flip = flip_of(self->grid.shape);

    center(self->base, span, flip, self->levels.x);
    center(self->target, span, flip, self->levels.y);
    return span;
}

static void sum_columns(struct fitting *self, const struct block *block)
{
    uint32_t row = block->top;

    memset(&self->columns, 0, sizeof(self->columns));
    while (row < block->bottom) {
        uint32_t left = block->bottom - row;
        uint32_t end = row + (left < SHORT_ROWS ? left : SHORT_ROWS);
        struct short_sums some;

        memset(&some, 0, sizeof(some));
        for (; row < end; row++) {
            struct span span = load_levels(self, block, row);

            add_row(&some, span, &self->levels);
        }
        add_short(&self->columns, &some, block->right - block->left);
    }
}

static int32_t total(const int32_t *of, size_t n)
{
    int32_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += of[i];
    }
    return sum;
}

static struct sums sum_of_columns(const struct column_sums *of, size_t at, size_t n)
{
    return (struct sums){total(of->n + at, n),  total(of->x + at, n),  total(of->y + at, n),
                         total(of->xx + at, n), total(of->xy + at, n), total(of->yy + at, n)};
}

/* Of columns [at, end) of a row, of which there is a span. */
static struct sums sum_of_row(const struct levels *levels, struct span span, uint32_t at,
                              uint32_t end)
{
    uint32_t from = at < span.skip ? span.skip : at;
    uint32_t to = end < span.skip + span.count ? end : span.skip + span.count;

    if (from >= to) {
        return (struct sums){0, 0, 0, 0, 0, 0};
    }
    return sum_run(levels->x + (from - span.skip), levels->y + (from - span.skip), to - from);
}

void scales_fit_nibbles(const struct scales_shape *shape, const uint8_t *base,
                        const uint8_t *target, uint8_t *scales)
{
    struct fitting fitting = {.grid = grid_of(shape), .base = base, .target = target};
    const struct grid *grid = &fitting.grid;
    uint32_t groups = scales_count(shape) / 2;
    struct block block = {.right = 0};
    struct sums sums = {0, 0, 0, 0, 0, 0};
    uint32_t end;

    while (next_block(grid, &block)) {
        bool one_row = block.bottom - block.top == 1;
        struct span span = {0, 0, 0};

        if (one_row) {
            span = load_levels(&fitting, &block, block.top);
        } else {
            sum_columns(&fitting, &block);
        }
        for (uint32_t column = block.left; column < block.right; column = end) {
            uint32_t group = group_of(grid, block.band, column);
            uint32_t at = column - block.left;
            struct sums more;

            end = group_end(grid, &block, column);
            more = one_row ? sum_of_row(&fitting.levels, span, at, end - block.left)
                           : sum_of_columns(&fitting.columns, at, end - column);
            add_sums(&sums, &more);
            if (end == grid->columns || end % grid->tile_columns == 0) {
                struct scale scale = fit_sums(&sums);

                scales_store(scales, group, scale.ratio);
                scales_store(scales, groups + group, scale.offset);
                sums = (struct sums){0, 0, 0, 0, 0, 0};
            }
        }
    }
}

/* Rows that became longer or shorter: docs/oxdl.md, predictors "grown" and "grown_cast". */
#include "grown.h"

#include "cast.h"

#include <string.h>

static uint32_t width_of(const struct prediction *how)
{
    return number_kinds[how->kind].width;
}

static bool is_cast(const struct prediction *how)
{
    return how->predictor == PREDICT_GROWN_CAST;
}

static uint32_t base_width_of(const struct prediction *how)
{
    return number_kinds[is_cast(how) ? how->from : how->kind].width;
}

bool grown_ok(const struct part *part)
{
    const struct prediction *how = &part->how;

    return how->kind < NUMBER_KIND_COUNT && how->columns > 0 && how->base_columns > 0 &&
           (!is_cast(how) || cast_ok((enum number_kind)how->from, (enum number_kind)how->kind));
}

/* Numbers of the first `count` of the target's tensor, counted in rows, that stand in the base. */
static uint64_t grown_known(const struct prediction *how, uint64_t count)
{
    uint64_t rest = count % how->columns;

    return count / how->columns *
               (how->base_columns < how->columns ? how->base_columns : how->columns) +
           (rest < how->base_columns ? rest : how->base_columns);
}

/* Where, among the base's numbers, those for the target's number `at` and after begin. */
static uint64_t grown_index(const struct prediction *how, uint64_t at)
{
    uint64_t rest = at % how->columns;

    return at / how->columns * how->base_columns +
           (rest < how->base_columns ? rest : how->base_columns);
}

uint64_t grown_base_offset(const struct prediction *how, uint64_t target_at)
{
    return grown_index(how, target_at / width_of(how)) * base_width_of(how);
}

uint64_t grown_reach(const struct prediction *how, uint64_t base_bytes)
{
    uint64_t rows = base_bytes / base_width_of(how) / how->base_columns;
    uint64_t row_bytes = (uint64_t)how->columns * width_of(how);

    return rows > UINT64_MAX / row_bytes ? UINT64_MAX : rows * row_bytes;
}

uint64_t grown_base_bytes(const struct part *part)
{
    uint64_t count = part->target_bytes / width_of(&part->how);

    return (grown_index(&part->how, part->column + count) - grown_index(&part->how, part->column)) *
           base_width_of(&part->how);
}

size_t grown_count(const struct part *part, enum slot slot)
{
    uint64_t count = part->target_bytes / width_of(&part->how);
    uint64_t known =
        grown_known(&part->how, part->column + count) - grown_known(&part->how, part->column);

    if (slot == SLOT_KIND + (enum slot)part->how.kind) {
        return (size_t)known;
    }
    return slot == SLOT_FRESH + (enum slot)part->how.kind ? (size_t)(count - known) : 0;
}

/* Go through the part's rows: runs that stand in the base, and runs that do not. */
struct grown_run {
    size_t target; /* byte offset in the part */
    size_t base;   /* in its base bytes */
    size_t len_bytes;
    bool known;
};

struct grown_walk {
    size_t target;
    size_t base;
    uint32_t column;
};

static bool grown_next(const struct part *part, struct grown_walk *walk, struct grown_run *run)
{
    size_t width = width_of(&part->how);
    size_t base_width = base_width_of(&part->how);
    uint32_t columns = part->how.columns;
    uint32_t shared = part->how.base_columns < columns ? part->how.base_columns : columns;
    size_t left = part->target_bytes - walk->target;
    size_t row_left;

    if (left == 0) {
        return false;
    }
    run->known = walk->column < shared;
    row_left = (size_t)((run->known ? shared : columns) - walk->column) * width;
    run->len_bytes = left < row_left ? left : row_left;
    run->target = walk->target;
    run->base = walk->base;
    walk->target += run->len_bytes;
    walk->base += run->known ? run->len_bytes / width * base_width : 0;
    walk->column += (uint32_t)(run->len_bytes / width);
    if (walk->column == columns) {
        walk->column = 0;
        walk->base +=
            (size_t)(part->how.base_columns - shared) * base_width; /* rows became shorter */
    }
    return true;
}

static bool grown_is(const struct part *part, enum slot slot)
{
    return slot == SLOT_KIND + (enum slot)part->how.kind;
}

void grown_predict(const struct part *part, enum slot slot, const uint8_t *base,
                   const uint8_t *target, uint8_t *predicted, uint8_t *contexts)
{
    struct grown_walk walk = {0, 0, part->column};
    struct grown_run run;

    (void)target;
    (void)contexts;
    while (grown_next(part, &walk, &run)) {
        if (run.known && grown_is(part, slot)) {
            if (is_cast(&part->how)) {
                cast_numbers((enum number_kind)part->how.from, (enum number_kind)part->how.kind,
                             part->how.truncates, base + run.base,
                             run.len_bytes / width_of(&part->how), predicted);
            } else {
                memcpy(predicted, base + run.base, run.len_bytes);
            }
            predicted += run.len_bytes;
        } else if (!run.known && !grown_is(part, slot)) {
            memset(predicted, 0, run.len_bytes);
            predicted += run.len_bytes;
        }
    }
}

void grown_extract(const struct part *part, enum slot slot, const uint8_t *target, uint8_t *numbers)
{
    struct grown_walk walk = {0, 0, part->column};
    struct grown_run run;

    while (grown_next(part, &walk, &run)) {
        if (run.known == grown_is(part, slot)) {
            memcpy(numbers, target + run.target, run.len_bytes);
            numbers += run.len_bytes;
        }
    }
}

void grown_place(const struct part *part, enum slot slot, const uint8_t *numbers, uint8_t *target)
{
    struct grown_walk walk = {0, 0, part->column};
    struct grown_run run;

    while (grown_next(part, &walk, &run)) {
        if (run.known == grown_is(part, slot)) {
            memcpy(target + run.target, numbers, run.len_bytes);
            numbers += run.len_bytes;
        }
    }
}

/* A comparison's rows joined with what a patch's explanation says of them. */
#include "oxide/delta/compare.h"

#include <stdlib.h>
#include <string.h>

/* Rows of one kind: tensors of the target, which come by offset, or the other bytes of its files,
 * which come by path. */
struct column {
    size_t *rows;
    size_t count;
};

static int place(const struct ox_compared_row *row, const struct ox_explained_row *wanted)
{
    if (wanted->kind != OX_EXPLAINED_TENSOR) {
        return strcmp(row->file, wanted->file);
    }
    return row->to.offset < wanted->target_offset   ? -1
           : row->to.offset > wanted->target_offset ? 1
                                                    : 0;
}

static void join_one(const struct ox_comparison *comparison, const struct column *column,
                     const struct ox_explained_row *wanted, uint64_t *costs)
{
    size_t low = 0;
    size_t high = column->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (place(&comparison->rows[column->rows[middle]], wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < column->count && place(&comparison->rows[column->rows[low]], wanted) == 0; low++) {
        if (strcmp(comparison->rows[column->rows[low]].name, wanted->name) == 0) {
            costs[column->rows[low]] = wanted->patch_bytes;
            return;
        }
    }
}

static struct column column_of(const struct ox_comparison *comparison, bool tensors, size_t *rows)
{
    struct column column = {rows, 0};

    for (size_t i = 0; i < comparison->count; i++) {
        const struct ox_compared_row *row = &comparison->rows[i];

        if (row->status != OX_COMPARED_REMOVED && row->is_tensor == tensors) {
            rows[column.count++] = i;
        }
    }
    return column;
}

enum ox_code ox_comparison_costs(const struct ox_comparison *comparison,
                                 const struct ox_explanation *explanation, uint64_t **out,
                                 struct ox_err *err)
{
    uint64_t *costs = calloc(comparison->count + 1, sizeof(*costs));
    size_t *rows = calloc(comparison->count + 1, sizeof(*rows));
    struct column tensors;
    struct column others;

    if (costs == NULL || rows == NULL) {
        free(rows);
        free(costs);
        return ox_err_nomem(err, "what tensors cost");
    }
    for (size_t i = 0; i < comparison->count; i++) {
        costs[i] = OX_COST_NOT_KNOWN;
    }
    tensors = column_of(comparison, true, rows);
    others = column_of(comparison, false, rows + tensors.count);
    for (size_t i = 0; i < explanation->count; i++) {
        const struct ox_explained_row *row = &explanation->rows[i];

        if (row->kind != OX_EXPLAINED_PREDICTOR && row->file != NULL) {
            join_one(comparison, row->kind == OX_EXPLAINED_TENSOR ? &tensors : &others, row, costs);
        }
    }
    free(rows);
    *out = costs;
    return OX_OK;
}

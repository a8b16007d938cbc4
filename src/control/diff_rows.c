/* The rows of a comparison, in the order of what changed the most. */
#include "diff_rows.h"

#include "oxide/base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_measured(const struct ox_compared_row *row)
{
    return row->numbers > 0;
}

uint64_t ox_diff_changed_bytes(const struct ox_compared_row *row)
{
    switch (row->status) {
    case OX_COMPARED_CHANGED:
        return is_measured(row) ? row->to.bytes / row->numbers * row->changed_numbers
                                : row->to.bytes;
    case OX_COMPARED_ADDED:
        return row->to.bytes;
    case OX_COMPARED_SAME:
    case OX_COMPARED_REMOVED:
    case OX_COMPARED_RENAMED:
        break;
    }
    return 0;
}

static bool is_moved(const struct ox_compared_row *row)
{
    return row->status != OX_COMPARED_REMOVED && row->from_file != NULL &&
           strcmp(row->from_file, row->file) != 0;
}

static bool is_cast(const struct ox_compared_row *row)
{
    return row->status == OX_COMPARED_CHANGED && row->is_tensor && row->from.dtype != row->to.dtype;
}

static bool is_reshaped(const struct ox_compared_row *row)
{
    return row->status == OX_COMPARED_CHANGED && row->is_tensor &&
           (row->from.rank != row->to.rank ||
            (row->to.rank > 0 &&
             memcmp(row->from.shape, row->to.shape, row->to.rank * sizeof(row->to.shape[0])) != 0));
}

/* How much of it is new, for the order: wholly new tensors first, then by the share of change, what
 * is no tensor last. */
static double newness(const struct ox_compared_row *row)
{
    if (row->status == OX_COMPARED_SAME || row->status == OX_COMPARED_RENAMED) {
        return is_moved(row) || row->status == OX_COMPARED_RENAMED ? 0 : -1;
    }
    return !row->is_tensor                                 ? 0
           : is_measured(row) && row->relative_change >= 0 ? row->relative_change
                                                           : HUGE_VAL;
}

static int what_changed_most(const void *a, const void *b)
{
    const struct ox_compared_row *left = *(const struct ox_compared_row *const *)a;
    const struct ox_compared_row *right = *(const struct ox_compared_row *const *)b;
    double left_new = newness(left);
    double right_new = newness(right);
    uint64_t left_bytes = left->to.bytes + left->from.bytes;
    uint64_t right_bytes = right->to.bytes + right->from.bytes;

    if (left_new != right_new) {
        return left_new > right_new ? -1 : 1;
    }
    if (left_bytes != right_bytes) {
        return left_bytes > right_bytes ? -1 : 1;
    }
    return left < right ? -1 : left > right;
}

static json_t *number_json(double value)
{
    return isfinite(value) && value >= 0 ? json_real(value) : json_null();
}

/* Names come from files: they need not be UTF-8. */
static json_t *name_json(const char *name)
{
    char *copy = NULL;
    json_t *out = NULL;

    if (ox_strdup(&copy, name, NULL) == OX_OK) {
        ox_text_clean(copy);
        out = json_string(copy);
    }
    free(copy);
    return out;
}

/* What it is on one side; null where it is not there. */
static json_t *side_json(const struct ox_compared_row *row, const struct ox_compared_tensor *tensor,
                         const char *file, const char *name)
{
    json_t *shape = NULL;

    if (file == NULL) {
        return json_null();
    }
    if (row->is_tensor) {
        shape = json_array();
        for (uint32_t i = 0; i < tensor->rank; i++) {
            (void)json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
        }
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:I}", "file", name_json(file), "name",
                     row->is_tensor ? name_json(name) : json_null(), "dtype",
                     row->is_tensor ? json_string(ox_dtype_info(tensor->dtype)->word) : json_null(),
                     "shape", row->is_tensor ? shape : json_null(), "bytes",
                     (json_int_t)tensor->bytes);
}

static json_t *row_json(const struct ox_compared_row *row, uint64_t cost)
{
    bool to = row->status != OX_COMPARED_REMOVED;
    json_t *how = json_array();

    if (is_cast(row)) {
        (void)json_array_append_new(how, json_string("cast"));
    }
    if (is_reshaped(row)) {
        (void)json_array_append_new(how, json_string("reshaped"));
    }
    if (is_moved(row)) {
        (void)json_array_append_new(how, json_string("moved"));
    }
    return json_pack(
        "{s:s, s:b, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "status",
        ox_compared_word(row->status), "tensor", row->is_tensor, "how", how, "from",
        side_json(row, &row->from, row->from_file, row->from_name), "to",
        side_json(row, &row->to, to ? row->file : NULL, row->name), "changed_bytes",
        (json_int_t)ox_diff_changed_bytes(row), "numbers",
        is_measured(row) ? json_integer((json_int_t)row->numbers) : json_null(), "changed_numbers",
        is_measured(row) ? json_integer((json_int_t)row->changed_numbers) : json_null(),
        "max_change", is_measured(row) ? number_json(row->max_change) : json_null(),
        "relative_change", is_measured(row) ? number_json(row->relative_change) : json_null(),
        "patch_bytes", cost == OX_COST_NOT_KNOWN ? json_null() : json_integer((json_int_t)cost));
}

enum ox_code ox_diff_put_rows(json_t *json, const struct ox_diff_made *made, bool all,
                              uint64_t limit, struct ox_err *err)
{
    const struct ox_comparison *comparison = made->comparison;
    const struct ox_compared_row **order =
        calloc(comparison->count + 1, sizeof(struct ox_compared_row *));
    json_t *rows = json_array();
    size_t count = 0;
    enum ox_code code = order == NULL || rows == NULL ? ox_err_nomem(err, "an answer") : OX_OK;

    for (size_t i = 0; code == OX_OK && i < comparison->count; i++) {
        if (all || newness(&comparison->rows[i]) >= 0) {
            order[count++] = &comparison->rows[i];
        }
    }
    if (code == OX_OK && count > 0) {
        qsort(order, count, sizeof(struct ox_compared_row *), what_changed_most);
    }
    for (size_t i = 0; code == OX_OK && i < count && i < limit; i++) {
        size_t at = (size_t)(order[i] - comparison->rows);

        code = ox_json_append(
            rows, row_json(order[i], made->costs == NULL ? OX_COST_NOT_KNOWN : made->costs[at]),
            err);
    }
    free(order);
    if (code != OX_OK) {
        json_decref(rows);
        return code;
    }
    code = ox_json_set(json, "rows", rows, err);
    return code == OX_OK
               ? ox_json_set_u64(json, "rows_left_out", count < limit ? 0 : count - limit, err)
               : code;
}

json_t *ox_diff_counts_json(const struct ox_comparison *comparison)
{
    json_t *counts = json_object();

    for (int status = 0; status < OX_COMPARED_COUNT; status++) {
        (void)json_object_set_new(counts, ox_compared_word((enum ox_compared_status)status),
                                  json_pack("{s:I, s:I}", "count",
                                            (json_int_t)comparison->counts[status], "bytes",
                                            (json_int_t)comparison->bytes[status]));
    }
    return counts;
}

/** The rows of a comparison as JSON. */
#ifndef OX_CONTROL_DIFF_ROWS_H
#define OX_CONTROL_DIFF_ROWS_H

#include "diffs.h"

#include "oxide/base/json.h"

/** Bytes of a row's target that the base has not at its place: what a patch will hardly exceed. */
uint64_t ox_diff_changed_bytes(const struct ox_compared_row *row);

/** Set "rows": what changed the most first, `limit` at most, with `all` also what did not change;
 *  and "rows_left_out". */
OX_MUST_USE enum ox_code ox_diff_put_rows(json_t *json, const struct ox_diff_made *made, bool all,
                                          uint64_t limit, struct ox_err *err);

/** {same: {count, bytes}, changed: ...} of tensors; NULL: no memory. */
json_t *ox_diff_counts_json(const struct ox_comparison *comparison);

#endif

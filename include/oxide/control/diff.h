/** Two versions held against each other: what changed, and what the delta costs. What control.h
 * says of all functions holds. */
#ifndef OXIDE_CONTROL_DIFF_H
#define OXIDE_CONTROL_DIFF_H

#include "oxide/control/control.h"

/** Rows of an answer at most, and unless it is asked for fewer. */
#define OX_DIFF_ROWS_MAX 10000

struct ox_diff_ask {
    const char *model_id; /* lent, as all of these */
    const char *from;     /* versions */
    const char *to;
    const char *from_variant; /* NULL: the one that stands for the version */
    const char *to_variant;
    bool all;        /* also what is the same */
    uint64_t limit;  /* rows at most */
    int64_t wait_ms; /* for the comparison, if it is not made yet */
};

/**
 * Compare. Comparisons are made one at a time by a thread of their own, and the last ones are kept;
 * while this one is being made *out is NULL after wait_ms, *percent says how far it is, and the
 * caller asks again. One that nobody asks for any more is given up.
 * Errors: OX_EINVAL for one version twice; OX_EBUSY if too many are waiting.
 */
OX_MUST_USE enum ox_code ox_control_diff(struct ox_control *control, const struct ox_diff_ask *ask,
                                         json_t **out, int *percent, struct ox_err *err);

/** Queue the delta job between two versions, as a device that reads all would; the job as it is
 *  then. Errors: OX_EINVAL for the same bytes twice. */
OX_MUST_USE enum ox_code ox_control_delta_order(struct ox_control *control,
                                                const struct ox_diff_ask *ask, json_t **out,
                                                struct ox_err *err);

/** What the thread does: make the comparison that was asked for first. *made is false if none was.
 */
OX_MUST_USE enum ox_code ox_control_make_diff(struct ox_control *control, bool *made,
                                              struct ox_err *err);

#endif

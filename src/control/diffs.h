/**
 * Comparisons of artifacts: a queue, a thread that makes one at a time, and the last ones kept. One
 * is known by the digests of its sides and of the patch that it tells the costs of, so that it
 * never gets old.
 */
#ifndef OX_CONTROL_DIFFS_H
#define OX_CONTROL_DIFFS_H

#include "oxide/delta/compare.h"

struct ox_control;
struct ox_diffs;

/** What one is about. */
struct ox_diff_key {
    struct ox_digest base;
    struct ox_digest target;
    struct ox_digest patch; /* zero: none, so its costs are not known */
    bool has_patch;
};

/** A finished one. */
struct ox_diff_made {
    const struct ox_comparison *comparison;
    const uint64_t *costs; /* of its rows; NULL: not known */
    void *held;
};

OX_MUST_USE enum ox_code ox_diffs_new(struct ox_diffs **out, struct ox_control *control,
                                      struct ox_err *err);
OX_MUST_USE enum ox_code ox_diffs_start(struct ox_diffs *diffs, struct ox_err *err);
/** Once the control's stop was requested. */
void ox_diffs_stop(struct ox_diffs *diffs);
void ox_diffs_free(struct ox_diffs *diffs);
/** The clockwork's share: give up what nobody asks for any more. */
void ox_diffs_tick(struct ox_diffs *diffs);

/**
 * Ask for one, and wait for it so long. *ready says whether it is there: then it is lent until
 * ox_diffs_release; else *percent says how far it is. Errors: OX_EBUSY if too many are queued; what
 * the comparison ended with.
 */
OX_MUST_USE enum ox_code ox_diffs_ask(struct ox_diffs *diffs, const struct ox_diff_key *key,
                                      int64_t wait_ms, struct ox_diff_made *out, bool *ready,
                                      int *percent, struct ox_err *err);
void ox_diffs_release(struct ox_diffs *diffs, struct ox_diff_made *made);

#endif

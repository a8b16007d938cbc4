/**
 * Two artifacts held against each other, tensor by tensor: what was added, removed, changed, and by
 * how much. Tensors go together by their names, first in the file of the same path, then in any
 * (shards are cut anew); those that are left by kind, shape and bytes: they were renamed. What lies
 * between the tensors of a file, and files without any, are compared as bytes.
 */
#ifndef OXIDE_DELTA_COMPARE_H
#define OXIDE_DELTA_COMPARE_H

#include "oxide/base/stop.h"
#include "oxide/delta/explain.h"
#include "oxide/delta/side.h"
#include "oxide/tensor/layout.h"

enum ox_compared_status {
    OX_COMPARED_SAME,
    OX_COMPARED_CHANGED,
    OX_COMPARED_ADDED,
    OX_COMPARED_REMOVED,
    OX_COMPARED_RENAMED, /* a tensor of the same kind, shape and bytes */
};
#define OX_COMPARED_COUNT 5
/** "same", "changed", ... */
const char *ox_compared_word(enum ox_compared_status status);

/** What a tensor is on one side. */
struct ox_compared_tensor {
    enum ox_dtype dtype;
    uint32_t rank;
    const uint64_t *shape; /* lent by the comparison */
    uint64_t offset;       /* of its first byte, in the side's flat space */
    uint64_t bytes;
};

struct ox_compared_row {
    enum ox_compared_status status;
    bool is_tensor;   /* else the bytes of a file that are in no tensor */
    const char *file; /* path in the manifest of the side that has it, the target's first */
    const char *name; /* of a tensor, as its file spells it; else "" */
    const char
        *from_file; /* where it is in the base, and what it is called there; NULL if it was */
    const char *from_name;          /* added */
    struct ox_compared_tensor from; /* zero if it was added */
    struct ox_compared_tensor to;   /* zero if it was removed */

    /* Of a changed tensor whose numbers are of a kind that we can read, and the same on both sides;
     * numbers is 0 for others. What is no finite number counts, and is left out of the measures. */
    uint64_t numbers;
    uint64_t changed_numbers;
    double max_change;      /* the largest absolute change */
    double relative_change; /* root of the sum of squares of changes, over that of the old numbers;
                             * negative if those are all 0 */
};

/** Rows in the order of the target, the removed ones behind them in the order of the base. */
struct ox_comparison {
    struct ox_compared_row *rows;
    size_t count;
    uint64_t counts[OX_COMPARED_COUNT]; /* tensors by status */
    /* of theirs: in the target, or of removed ones in the base */
    uint64_t bytes[OX_COMPARED_COUNT];
    size_t memory_bytes; /* that all of this takes */
    void *texts;         /* owns names, paths and shapes */
};

/**
 * Compare. Memory: some 200 bytes per tensor, names and shapes, and 512 KiB. stop and progress (of
 * bytes of the target) may be NULL. The caller clears *out.
 * Errors: OX_ETOOBIG over 64 MiB of names and shapes, OX_ECANCELED, OX_ENOMEM, the sides' own.
 */
OX_MUST_USE enum ox_code ox_compare(const struct ox_delta_side *base,
                                    const struct ox_delta_side *target, struct ox_stop *stop,
                                    const struct ox_progress *progress, struct ox_comparison *out,
                                    struct ox_err *err);
void ox_comparison_clear(struct ox_comparison *comparison);

#define OX_COST_NOT_KNOWN UINT64_MAX
/**
 * What each row of the target costs in a patch between the two sides, as it was explained; rows
 * that it does not name, and removed ones, OX_COST_NOT_KNOWN. The caller frees *out, which has as
 * many as there are rows. Errors: OX_ENOMEM.
 */
OX_MUST_USE enum ox_code ox_comparison_costs(const struct ox_comparison *comparison,
                                             const struct ox_explanation *explanation,
                                             uint64_t **out, struct ox_err *err);

#endif

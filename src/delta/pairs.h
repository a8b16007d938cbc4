/** Which tensor of the base each tensor of the target comes from. */
#ifndef OXIDE_DELTA_PAIRS_H
#define OXIDE_DELTA_PAIRS_H

#include "oxide/base/stop.h"
#include "oxide/delta/side.h"
#include "oxide/tensor/layout.h"
#include "predict.h"

/** One tensor of the target, in the flat space, and its like in the base. */
struct tensor_pair {
    uint64_t target_offset;
    uint64_t target_bytes;
    enum ox_dtype dtype;
    uint32_t columns; /* elements of a row; 0: a scalar, or too many */
    bool has_twin; /* the target's tensor at twin_offset, which ends before, has the same bytes */
    uint64_t twin_offset;
    bool has_base; /* then all that follows */
    uint64_t base_offset;
    uint64_t base_bytes;
    enum ox_dtype base_dtype;
    uint32_t base_columns;
    bool chosen; /* is `prediction` known? It is found when the first difference turns up */
    struct prediction prediction;
    bool mixes; /* does the slow coder win much? Found with the prediction */
};

/** How far the two go side by side, byte for byte; 0 where they are of different nature. */
uint64_t tensor_pair_common(const struct tensor_pair *pair);
/** How far, in bytes of the target, a prediction that jumps finds the base's tensor. */
uint64_t tensor_pair_reach(const struct tensor_pair *pair, const struct prediction *how);

struct tensor_pairs {
    struct tensor_pair *pairs; /* owned; sorted by target_offset, not overlapping, none empty */
    size_t count;
};

/**
 * Read the layouts of both sides and pair their tensors: equal ones, wherever they are; those of
 * one name, dtype and shape whose numbers are alike; alike ones of one shape under other names,
 * several with one of the base where it must be; then, alike or not, by name, dtype and shape, by
 * name and shape, by name and dtype where the shape grew, by dtype and shape in order, and floats
 * by their name alone. Files that are no models, or damaged ones, have no tensors. A tensor whose
 * bytes are not the base's, but those of one before it in the target, has that as its twin. Errors:
 * OX_ENOMEM, OX_ECANCELED, the sides' own.
 */
enum ox_code tensor_pairs_find(struct tensor_pairs *out, const struct ox_delta_side *base,
                               const struct ox_delta_side *target, struct ox_stop *stop,
                               struct ox_err *err);
void tensor_pairs_clear(struct tensor_pairs *pairs);

#endif

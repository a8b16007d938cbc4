/** Which tensor of the base each tensor of the target comes from. */
#ifndef OXIDE_DELTA_PAIRS_H
#define OXIDE_DELTA_PAIRS_H

#include "oxide/base/stop.h"
#include "oxide/delta/side.h"

/** One tensor of the target, in the flat space, and its like in the base. */
struct tensor_pair {
    uint64_t target_offset;
    uint64_t target_bytes;
    bool has_base;
    uint64_t base_offset;
    uint64_t common_bytes; /* how far the two go side by side */
    uint8_t width;         /* of its numbers: 1, 2, 4, 8 */
    uint16_t stride;       /* of its records: width, or a quantised block's size */
};

struct tensor_pairs {
    struct tensor_pair *pairs; /* owned; sorted by target_offset, not overlapping, none empty */
    size_t count;
};

/**
 * Read the layouts of both sides and pair their tensors: by name, dtype and shape; by content; by
 * name and dtype where the shape grew; by dtype and shape in order. Files that are no models, or
 * damaged ones, have no tensors. Errors: OX_ENOMEM, OX_ECANCELED, the sides' own.
 */
enum ox_code tensor_pairs_find(struct tensor_pairs *out, const struct ox_delta_side *base,
                               const struct ox_delta_side *target, struct ox_stop *stop,
                               struct ox_err *err);
void tensor_pairs_clear(struct tensor_pairs *pairs);

#endif

/** Tensors that have another name on the other side: the same kind, shape and bytes. */
#ifndef OXIDE_DELTA_COMPARE_RENAMES_H
#define OXIDE_DELTA_COMPARE_RENAMES_H

#include "oxide/delta/compare.h"

/** What there is to read them with; lent. */
struct renames_io {
    const struct ox_source *base; /* the sides' flat spaces */
    const struct ox_source *target;
    uint8_t *before; /* a block of each side */
    uint8_t *after;
    size_t block_bytes;
    struct ox_stop *stop; /* may be NULL */
};

/**
 * Turn each added row of a comparison that has its like among the removed ones into a renamed one,
 * which takes the removed one's place, and mend the counts. Reads only tensors of whose kind and
 * shape there are some on both sides. Errors: OX_ENOMEM, OX_ECANCELED, the sources' own.
 */
OX_MUST_USE enum ox_code renames_find(struct ox_comparison *comparison, const struct renames_io *io,
                                      struct ox_err *err);

#endif

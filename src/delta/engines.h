/** What each engine may do. */
#ifndef OXIDE_DELTA_ENGINES_H
#define OXIDE_DELTA_ENGINES_H

#include "oxide/delta/delta.h"

struct engine {
    const char *word;
    bool uses_layouts; /* pairs the tensors of both sides */
    bool tries_whole;  /* a small target may become one frame against its whole base */
    uint64_t ops;
};

const struct engine *engine_row(enum ox_delta_engine engine);

/** Does this operation understand numbers? */
bool engine_op_is_tensor(enum ox_oxdl_op op);

/** Which engine the operations that were used tell: TENSOR if any understands numbers. */
enum ox_delta_engine stats_engine(const struct ox_delta_stats *stats);

/** Add the counts of `from`; totals and engine stay. */
void stats_add(struct ox_delta_stats *to, const struct ox_delta_stats *from);

/** Bytes of patch in operations that understand numbers. */
uint64_t stats_number_bytes(const struct ox_delta_stats *stats);

#endif

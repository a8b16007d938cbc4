/**
 * Levels of runs of quants, or of sub-scales, moved from the base's scale to the target's: what
 * blocks.c does for each element, in the processor's vectors.
 */
#ifndef OXIDE_DELTA_BLOCKS_RUNS_H
#define OXIDE_DELTA_BLOCKS_RUNS_H

#include "vectors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUN_ONE 65536 /* the fixed point's 1 */

/** x = level * ratio + offset, both times RUN_ONE, is where a level of the base lies in the target.
 *  With levels, or iq4_values, within +-128 x has 31 bits: |ratio| is at most 128, |offset| 4096.
 */
struct run_change {
    int32_t ratio, offset;
};

/** How contexts tell x's distance off = x - predicted apart, in 1/65536 of a level: `first`, plus 1
 *  for every edge that `off` lies above. */
#define RUN_EDGES 4
struct run_shape {
    int16_t edges[RUN_EDGES];
    int16_t first;
};
#define RUN_NO_EDGE INT16_MAX

#define RUN_CLAMPED 30 /* the context where x lies beyond all levels */
#define RUN_PINNED 31

/** How to predict numbers. */
struct run_way {
    uint8_t zero; /* number of level 0 */
    uint8_t flip; /* bits of the byte that are flipped in the number */
    int16_t range[2];
    int16_t pinned[2];
    bool curved; /* levels stand for the values of iq4_values */
    bool few;    /* numbers are below 16, and none is flipped */
};

/** A run of numbers with one scale. */
struct run {
    struct run_change change;
    const struct run_shape *shape;
};

/** In `numbers` the base's, `length` (8, 16 or 32) of each run, from now on the predicted ones.
 *  With or without the processor's vectors they are the same. */
void runs_predict(const struct run_way *way, const struct run *runs, size_t count, size_t length,
                  enum vector_path most, uint8_t *numbers, uint8_t *contexts);

#endif

/** Numbers of a tensor, before and after: how many changed, and by how much. */
#ifndef OXIDE_DELTA_COMPARE_NUMBERS_H
#define OXIDE_DELTA_COMPARE_NUMBERS_H

#include "oxide/tensor/layout.h"

/** Sums so far. Zero-initialise. */
struct number_changes {
    uint64_t numbers;
    uint64_t changed;
    double max_change;
    double sum_squares_change;
    double sum_squares_before;
};

/** Can numbers of this kind be read? */
bool numbers_can_be_read(enum ox_dtype dtype);
/** Add numbers that lie at `before` and `after`, which need not be aligned. len_bytes is a multiple
 *  of their size. */
void numbers_add(struct number_changes *changes, enum ox_dtype dtype, const uint8_t *before,
                 const uint8_t *after, size_t len_bytes);

#endif

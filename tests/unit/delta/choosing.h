/** What is chosen for a tensor, by those who test a predictor. */
#ifndef TESTS_DELTA_CHOOSING_H
#define TESTS_DELTA_CHOOSING_H

#include "../../../src/delta/choose.h"
#include "helpers.h"

/** What is chosen for a tensor with rows of so many elements, whose bytes were `base`. */
struct prediction choose_for(enum ox_dtype dtype, uint32_t columns, const struct ox_buf *base,
                             const struct ox_buf *target);

#endif

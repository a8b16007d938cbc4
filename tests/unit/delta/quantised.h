/** What the tests of quantised numbers that were scaled anew share. */
#ifndef TESTS_DELTA_QUANTISED_H
#define TESTS_DELTA_QUANTISED_H

#include "../../../src/delta/scales.h"
#include "helpers.h"

/** Which scale number i has, as docs/oxdl.md says it. */
size_t scale_of(const struct scales_shape *shape, size_t i);

/** The bytes of the patch between models of one tensor, which rebuilds, and its frames. The tensors
 *  are taken over. */
size_t patch_of_tensor(const char *dtype, size_t rows, size_t columns, struct ox_buf base,
                       struct ox_buf target, uint64_t *frames);

#endif

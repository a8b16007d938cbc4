/** Sizes of tensors. */
#ifndef TENSOR_DTYPE_H
#define TENSOR_DTYPE_H

#include "oxide/tensor/layout.h"

/** What says how many bytes some elements take. */
struct ox_block {
    uint32_t elements;
    uint32_t bytes;
};

/**
 * Elements of a shape; 0 if any dimension is 0, 1 for a scalar.
 * Returns false where the number does not fit 64 bits.
 */
bool ox_shape_elements(const uint64_t *shape, uint32_t rank, uint64_t *out);

/** Bytes of so many elements, the last block counted whole. Returns false on overflow. */
bool ox_block_length(struct ox_block block, uint64_t elements, uint64_t *out_bytes);

/** Is the size of its elements known? If so, *out is its block. */
bool ox_dtype_block(enum ox_dtype dtype, struct ox_block *out);

#endif

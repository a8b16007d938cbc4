/**
 * Sketches: 64 bits that tell how some numbers of a tensor are ordered. An update, a cast or a new
 * scale leaves most orders as they were, so tensors that come from each other have sketches that
 * differ in few bits; those of unrelated ones differ in 32, give or take 4.
 */
#ifndef OXIDE_DELTA_SKETCH_H
#define OXIDE_DELTA_SKETCH_H

#include "oxide/base/io.h"
#include "oxide/tensor/layout.h"

/** So few bits differ by chance between one in 10^8 unrelated tensors: found anywhere, it is a
 *  relative. */
#define SKETCH_RELATED 10
/** So few between two in a thousand: good enough where the name says the same. */
#define SKETCH_LIKELY 20
#define SKETCH_BITS 64

/** Errors: the source's own. */
enum ox_code sketch_tensor(const struct ox_source *space, uint64_t offset, uint64_t length_bytes,
                           enum ox_dtype dtype, uint64_t *out, struct ox_err *err);

/** Bits that differ. */
unsigned sketch_distance(uint64_t a, uint64_t b);

#endif

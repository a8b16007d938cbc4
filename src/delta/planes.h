/**
 * The arithmetic of the operations XOR and SUB, and their byte planes; docs/oxdl.md says it again.
 *
 * A block is n bytes of little-endian numbers of `width` bytes (1, 2, 4, 8); bytes behind the last
 * whole number are XORed. Records of `stride` bytes are split into planes: plane k holds byte k of
 * each record, so equal-natured bytes stand together.
 */
#ifndef OXIDE_DELTA_PLANES_H
#define OXIDE_DELTA_PLANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLANES_STRIDE_MAX 256

/** Is (width, stride) one that the format allows: stride a multiple of width, 1 to 256? */
bool planes_shape_ok(unsigned width, unsigned stride);

/** Bytes of plane k of a block of n bytes. */
size_t planes_len(size_t n, unsigned stride, unsigned k);

/** out = target XOR base. */
void planes_xor(uint8_t *out, const uint8_t *target, const uint8_t *base, size_t n);

/** out = fold(target - base): the difference modulo 2^(8 width) with its sign in the lowest bit, so
 *  that small differences of either sign have zero upper bytes. */
void planes_sub(uint8_t *out, const uint8_t *target, const uint8_t *base, size_t n, unsigned width);

/** data = base + unfold(data), the inverse of planes_sub. */
void planes_add(uint8_t *data, const uint8_t *base, size_t n, unsigned width);

/** Split a block into its planes, one after the other, and back. */
void planes_split(uint8_t *out, const uint8_t *block, size_t n, unsigned stride);
void planes_merge(uint8_t *block, const uint8_t *planes, size_t n, unsigned stride);

#endif

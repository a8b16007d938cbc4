/** Parts of make_pair.c: pairs of many GiB that differ in places, written as fast as disks take. */
#ifndef MAKE_PAIR_LARGE_H
#define MAKE_PAIR_LARGE_H

#include <stdbool.h>
#include <stdint.h>

enum large_case {
    LARGE_BASE,
    LARGE_SPARSE,  /* one position (weight, or byte) in 10,000 changed */
    LARGE_CHANGE1, /* the first byte behind the header changed */
    LARGE_INSERT1, /* one byte inserted in front of all */
};

/**
 * Write `gib` GiB behind a header. Bytes: without a format, random, never repeated, incompressible.
 * Weights: safetensors, BF16, Gaussian, tensors of 128 MiB. The same arguments give the same bytes.
 * Exits with a message where it cannot.
 */
void large_write(const char *path, bool weights, enum large_case kind, uint64_t gib);

#endif

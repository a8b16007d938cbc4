/** Parts of make_pair.c: random numbers by distribution, and numbers as bytes. */
#ifndef MAKE_PAIR_DRAW_H
#define MAKE_PAIR_DRAW_H

#include "oxide/base/random.h"

#include <stddef.h>

/** A generator for one purpose: the same numbers for the same words, on every machine. */
void draw_init(struct ox_rng *rng, uint64_t purpose, uint64_t major, uint64_t minor);

/** Uniform in [0, 1). */
double draw_uniform(struct ox_rng *rng);
/** `count` numbers of the standard normal distribution. Source: Box and Muller, 1958. */
void draw_normals(struct ox_rng *rng, float *out, size_t count);
/** Laplace distribution of mean 0. */
double draw_laplace(struct ox_rng *rng, double scale);
/** How many misses come before the next hit of chance `chance` (a geometric distribution). */
uint64_t draw_gap(struct ox_rng *rng, double chance);

/** Rounded to nearest, ties to even, as IEEE 754 says; subnormals kept. `value` is finite. */
uint16_t bf16_of(float value);
uint16_t f16_of(float value);
void store_u16le(uint8_t *bytes, uint16_t value);

#endif

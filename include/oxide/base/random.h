/** Randomness as an argument: the system's for secrets and ids, a seeded one for jitter and tests.
 */
#ifndef OXIDE_BASE_RANDOM_H
#define OXIDE_BASE_RANDOM_H

#include "oxide/base/err.h"

#include <stdint.h>

/** Fill with bytes fit for secrets. Errors: OX_EIO where the system has none. */
OX_MUST_USE enum ox_code ox_random_bytes(void *out, size_t len_bytes, struct ox_err *err);

/** SplitMix64 (Steele, Lea, Flood, 2014): fast, seeded, the same numbers on every machine. */
struct ox_rng {
    uint64_t state;
};
void ox_rng_init(struct ox_rng *rng, uint64_t seed);
uint64_t ox_rng_u64(struct ox_rng *rng);
/** Uniform in [0, bound); bound must not be 0. */
uint64_t ox_rng_below(struct ox_rng *rng, uint64_t bound);

#endif

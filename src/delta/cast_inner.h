/** What both paths of casts need of each other: the portable one, and that for vectors. */
#ifndef OXIDE_DELTA_CAST_INNER_H
#define OXIDE_DELTA_CAST_INNER_H

#include "cast.h"
#include "vectors.h"

void cast_portably(enum number_kind from, enum number_kind to, bool truncates, const uint8_t *in,
                   size_t count, uint8_t *out);

/** Does this processor have what the following needs? */
bool cast_have_vectors(void);

/** Cast, rounding to the nearest, as many numbers as fill whole vectors; how many that were. */
size_t cast_vectors(enum number_kind from, enum number_kind to, const uint8_t *in, size_t count,
                    uint8_t *out);

#endif

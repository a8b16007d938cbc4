/** Floats of one kind as those of another, in integers only. */
#ifndef OXIDE_DELTA_CAST_H
#define OXIDE_DELTA_CAST_H

#include "stream.h"

/** Can numbers of kind `from` be cast to kind `to`? Both are F16, BF16 or F32, and not the same. */
bool cast_ok(enum number_kind from, enum number_kind to);

/** Cast `count` numbers: to the nearest, ties to even, or (truncates) towards zero. Every bit
 *  pattern gives some value, the same on every processor. */
void cast_numbers(enum number_kind from, enum number_kind to, bool truncates, const uint8_t *in,
                  size_t count, uint8_t *out);

#endif

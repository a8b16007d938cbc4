/**
 * 4-bit numbers, two to a byte, that were scaled anew: where the scale of a group changed, or its
 * zero point moved, as GPTQ, AWQ and others pack weights. docs/oxdl.md, predictor "scaled_nibbles",
 * specifies it. Shapes have `nibbles` set, an even count, and a sort of 0.
 */
#ifndef OXIDE_DELTA_SCALES_NIBBLES_H
#define OXIDE_DELTA_SCALES_NIBBLES_H

#include "scales.h"

/** Where the base's numbers lie by the ratios, and a context (below STREAM_CONTEXTS_MAX) for each:
 *  the level itself where that is a whole one, else how far it was rounded. `base` has two numbers
 *  to a byte, `predicted` one. */
void scales_predict_nibbles(const struct scales_shape *shape, const uint8_t *scales,
                            const uint8_t *base, uint8_t *predicted, uint8_t *contexts);

/** Encoder: find the scales. */
void scales_fit_nibbles(const struct scales_shape *shape, const uint8_t *base,
                        const uint8_t *target, uint8_t *scales);

#endif

/** Numbers of a matrix whose rows became longer or shorter, and may have been cast: the functions
 * of their rows in the table of predict.c. */
#ifndef OXIDE_DELTA_GROWN_H
#define OXIDE_DELTA_GROWN_H

#include "predict.h"

bool grown_ok(const struct part *part);
uint64_t grown_base_bytes(const struct part *part);
uint64_t grown_base_offset(const struct prediction *how, uint64_t target_at);
uint64_t grown_reach(const struct prediction *how, uint64_t base_bytes);
size_t grown_count(const struct part *part, enum slot slot);
void grown_predict(const struct part *part, enum slot slot, const uint8_t *base,
                   const uint8_t *target, uint8_t *predicted, uint8_t *contexts);
void grown_extract(const struct part *part, enum slot slot, const uint8_t *target,
                   uint8_t *numbers);
void grown_place(const struct part *part, enum slot slot, const uint8_t *numbers, uint8_t *target);

#endif

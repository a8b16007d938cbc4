/** Where the fields of a block lie, and what values they stand for. */
#ifndef OXIDE_DELTA_BLOCKS_LAYOUT_H
#define OXIDE_DELTA_BLOCKS_LAYOUT_H

#include "blocks.h"

#define LEVEL_NONE INT16_MAX /* a level that no quant has */

/**
 * A sub-block of sub_elements has values w = a * level + b, where level = quant - zero. With one
 * sub-block, a is the first super and b the second or 0. Else a is the first super times
 * (sub - sub_zero), and b is the second super, negative, times the sub of the second half, or 0.
 * Signed quants: the byte, its top bit flipped, is the quant.
 * A level that is pinned is one that the quantiser gives to a block's largest element, whatever the
 * scale: such an element most likely stays.
 */
struct block_layout {
    uint8_t supers_at;
    uint8_t sub_elements; /* 16 or 32 */
    uint8_t zero;
    int16_t range[2];  /* lowest and highest level that quantisers give; within +-128 */
    int16_t pinned[2]; /* LEVEL_NONE if none is */
    uint8_t sub_zero;
    int16_t sub_range[2]; /* as levels: less sub_zero */
    int16_t sub_pinned[2];
    bool curved; /* levels stand for the values of iq4_values */
    void (*get_subs)(const uint8_t *block, uint8_t *subs);
    void (*put_subs)(uint8_t *block, const uint8_t *subs);
    void (*get_quants)(const uint8_t *block, uint8_t *quants);
    void (*put_quants)(uint8_t *block, const uint8_t *quants);
};

/** The values of the quants of IQ4_NL and IQ4_XS, times the scale. */
extern const int8_t iq4_values[16];

#endif

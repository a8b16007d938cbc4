/**
 * Quantised blocks, as ggml stores them: scales and small integers, taken apart into fields, and
 * predicted from a base block through the change of scale.
 *
 * A block has `supers` float16 scales (d, and dmin or m), `subs` small unsigned sub-scales, and
 * `elements` quants. Prediction goes in that order: who predicts a field sees the fields before it
 * of the target's block, and all of the base's. All arithmetic is integer, or IEEE double without
 * contraction: every processor predicts the same.
 */
#ifndef OXIDE_DELTA_BLOCKS_H
#define OXIDE_DELTA_BLOCKS_H

#include "oxide/tensor/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_BYTES_MAX 256
#define BLOCK_ELEMENTS_MAX 256
#define BLOCK_SUBS_MAX 32

/** A row of the table in blocks_layout.c. The row's number is pinned: it stands in patches. */
struct block_format {
    enum ox_dtype dtype;
    uint16_t bytes;
    uint16_t elements;
    uint8_t supers;
    uint8_t subs;
    bool quants_signed; /* int8 quants, as in Q8_0; else unsigned from 0 */
    const struct block_layout *layout;
};
#define BLOCK_FORMAT_COUNT 12
extern const struct block_format block_formats[BLOCK_FORMAT_COUNT];

/** The row of a dtype; false if there is none. */
bool block_format_of(enum ox_dtype dtype, uint8_t *row);

/* Fields of `count` blocks that follow each other, out of them and into them. Arrays hold the
 * fields block after block: 2 * supers bytes of little-endian float16, subs bytes, elements bytes
 * (quants, in an order of the format's choice, the same for get, put and predict). */
void blocks_get_supers(const struct block_format *format, const uint8_t *blocks, size_t count,
                       uint8_t *supers);
void blocks_put_supers(const struct block_format *format, uint8_t *blocks, size_t count,
                       const uint8_t *supers);
void blocks_get_subs(const struct block_format *format, const uint8_t *blocks, size_t count,
                     uint8_t *subs);
void blocks_put_subs(const struct block_format *format, uint8_t *blocks, size_t count,
                     const uint8_t *subs);
void blocks_get_quants(const struct block_format *format, const uint8_t *blocks, size_t count,
                       uint8_t *quants);
void blocks_put_quants(const struct block_format *format, uint8_t *blocks, size_t count,
                       const uint8_t *quants);

/** Predict the sub-scales of target blocks (whose supers are in place): the values, and a context
 *  below STREAM_CONTEXTS_MAX for each. */
void blocks_predict_subs(const struct block_format *format, const uint8_t *base,
                         const uint8_t *target, size_t count, uint8_t *predicted,
                         uint8_t *contexts);

/** Predict the quants of target blocks (whose supers and subs are in place). What is near by tells
 *  how sure a prediction is: the same blocks are to be given at once when encoding and decoding. */
void blocks_predict_quants(const struct block_format *format, const uint8_t *base,
                           const uint8_t *target, size_t count, uint8_t *predicted,
                           uint8_t *contexts);

#endif

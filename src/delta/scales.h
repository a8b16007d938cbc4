/**
 * Quantised numbers that were scaled anew: where a tensor's scale changed, or that of one of its
 * rows, columns or tiles, its integers, or floats of 8 bits, changed by the ratio of the scales.
 * The ratios are sent. A zero point that moved is an offset. docs/oxdl.md, predictor "scaled",
 * specifies it.
 */
#ifndef OXIDE_DELTA_SCALES_H
#define OXIDE_DELTA_SCALES_H

#include "stream.h"

/** What has a scale of its own. Values are pinned: they stand in patches. */
enum scales_axis {
    SCALES_ALL = 0,
    SCALES_ROWS = 1,
    SCALES_COLUMNS = 2,
    SCALES_TILES = 3, /* of some rows and columns each, counted from the tensor's first number */
    SCALES_AXIS_COUNT = 4,
};

#define SCALES_COLUMNS_MAX 65536

/** Parts whose integers are off by alike are coded together: so many sorts. */
#define SCALES_SORTS 4

/** Of floats the sort says which exponent is the highest that many have. */
#define SCALES_FLOAT_SORTS 16

/** TILES: rows and columns of one, at least 1 each. Else 0. */
struct scales_tile {
    uint16_t rows;
    uint16_t columns;
};

/** Some numbers of a matrix that follow each other. */
struct scales_shape {
    enum number_kind kind; /* U8, I8, F8E4M3 or F8E5M2 */
    bool nibbles;          /* of U8 and I8: of 4 bits each, see scales_nibbles.h */
    enum scales_axis axis;
    unsigned sort;    /* below SCALES_SORTS, or SCALES_FLOAT_SORTS */
    uint32_t columns; /* at least 1, and at most SCALES_COLUMNS_MAX, but for SCALES_ALL */
    uint32_t column;  /* of the first number, below columns */
    uint32_t count;   /* of numbers, at least 1, at most STREAM_GIVEN_MAX */
    struct scales_tile tile;
    uint32_t row; /* TILES: rows of the first number's tile that stand above it, below tile.rows */
};

/** Is it allowed? Scales are at most an eighth as many as numbers. */
bool scales_ok(const struct scales_shape *shape);

/** Numbers sent: a ratio for each scale, then an offset for each; i32 little-endian. Any bits mean
 *  something. */
uint32_t scales_count(const struct scales_shape *shape);

/** Number `at` of those sent, kept within -most to most; and setting it. */
int32_t scales_load(const uint8_t *scales, uint32_t at, int32_t most);
void scales_store(uint8_t *scales, uint32_t at, int32_t value);

/** The base's numbers by the ratios, and a context (below STREAM_CONTEXTS_MAX) for each: how far
 *  it was rounded, and the sort, or how far the exponent is below the highest. */
void scales_predict(const struct scales_shape *shape, const uint8_t *scales, const uint8_t *base,
                    uint8_t *predicted, uint8_t *contexts);

/** Encoder: find the scales. */
void scales_fit(const struct scales_shape *shape, const uint8_t *base, const uint8_t *target,
                uint8_t *scales);

/** Encoder: the sort that suits numbers which the scales predict so. */
unsigned scales_sort(const struct scales_shape *shape, const uint8_t *scales, const uint8_t *base,
                     const uint8_t *target);

#endif

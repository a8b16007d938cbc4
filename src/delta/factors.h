/**
 * A matrix's update as the sum of few outer products, sent as whole numbers: what training adds to
 * a weight matrix is nearly that (gradients are, and merged adapters are nothing else), so the
 * base's numbers and it predict the target's. docs/oxdl.md, predictor "factors", specifies it.
 *
 * IEEE double arithmetic of +, -, * and / in a pinned order, without contraction: every processor
 * gives the same bits.
 */
#ifndef OXIDE_DELTA_FACTORS_H
#define OXIDE_DELTA_FACTORS_H

#include "stream.h"

#include <float.h>

#if FLT_EVAL_METHOD != 0
#error "predictions must not be computed in more than their precision: build with -mfpmath=sse"
#endif

#define FACTORS_RANK_MAX 16
#define FACTORS_COLUMNS_MIN 8
#define FACTORS_COLUMNS_MAX 8192
/** Largest exponent. The sum of all products is below 2^67, far from what makes the largest float
 *  infinite, whatever it is. */
#define FACTORS_EXPONENT_MAX 100

/** Some numbers of a matrix that follow each other. */
struct factors_shape {
    enum number_kind kind; /* F16, BF16 or F32 */
    unsigned rank;         /* 1 to FACTORS_RANK_MAX */
    uint32_t columns;      /* FACTORS_COLUMNS_MIN to FACTORS_COLUMNS_MAX */
    uint32_t column;       /* of the first number, below columns */
    uint32_t count;        /* of numbers, at least 1 */
};

/** Is it allowed? Its factors are at most half as many as its numbers: that bounds memory. */
bool factors_ok(const struct factors_shape *shape);

/** Rows that the numbers stand in, the first and the last maybe not in full. */
uint32_t factors_rows(const struct factors_shape *shape);

/** Factors of one pattern: its exponent, one for each column, one for each row. In all there are as
 *  many for each of `rank` patterns, i32 little-endian, and any bits mean some update. */
uint32_t factors_stride(const struct factors_shape *shape);

/** The base's numbers and the update that the factors tell. */
void factors_predict(const struct factors_shape *shape, const uint8_t *factors, const uint8_t *base,
                     uint8_t *predicted);

/** Encoder: find factors of the update from base to target. `scratch` is working memory.
 *  Errors: OX_ENOMEM. */
enum ox_code factors_fit(const struct factors_shape *shape, const uint8_t *base,
                         const uint8_t *target, struct ox_buf *scratch, uint8_t *factors,
                         struct ox_err *err);

#endif

/**
 * Guesses at a matrix's update, row by row: what training adds to a weight matrix is nearly a sum
 * of few outer products (gradients are, and merged adapters are nothing else), so a row's update is
 * nearly a sum of few patterns that the rows above have shown.
 *
 * IEEE double arithmetic of +, -, * and / in a pinned order, without contraction: every processor
 * guesses the same bits.
 *
 * Source: the patterns are tracked by recursive least squares as in Yang, "Projection approximation
 * subspace tracking" (1995); each row's factors are a ridge regression on the row so far.
 */
#ifndef OXIDE_DELTA_LOWRANK_H
#define OXIDE_DELTA_LOWRANK_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>

#if FLT_EVAL_METHOD != 0
#error "guesses must not be computed in more than double precision: build with -msse2 -mfpmath=sse"
#endif

/** Most patterns. */
#define LOWRANK_MAX 16

/** Longest rows. */
#define LOWRANK_COLUMNS_MAX 8192

/** Working memory, about 1.1 MiB. Every field is the module's own. */
struct lowrank {
    void (*sum_up)(struct lowrank *self); /* as the processor can */
    size_t columns;
    size_t column;  /* of the next number */
    size_t summed;  /* columns that `gram` holds */
    size_t resolve; /* column at which the factors are found anew */
    unsigned rank;  /* patterns so far */
    uint32_t rows;
    double noise; /* mean square of what the patterns leave */
    double factor[LOWRANK_MAX];
    double variance[LOWRANK_MAX]; /* of the factors, about 0 */
    double moment[LOWRANK_MAX];   /* sums of update * pattern over the row */
    double gram[LOWRANK_MAX][LOWRANK_MAX];
    double inverse[LOWRANK_MAX][LOWRANK_MAX]; /* of the factors' correlation */
    double row[LOWRANK_COLUMNS_MAX];
    double pattern[LOWRANK_COLUMNS_MAX][LOWRANK_MAX];
};

/** Begin a matrix of `columns` columns, 1 to LOWRANK_COLUMNS_MAX, at `column` of its first row. */
void lowrank_begin(struct lowrank *self, size_t columns, size_t column);

/** The next number's update, or 0 while nothing is known. */
double lowrank_guess(const struct lowrank *self);

/** Tell what it was. Of magnitude up to 2^64. */
void lowrank_learn(struct lowrank *self, double update);

#endif

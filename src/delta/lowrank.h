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

/** Most patterns; a multiple of 4. */
#define LOWRANK_MAX 16

/** Longest rows; a multiple of 4. */
#define LOWRANK_COLUMNS_MAX 8192

/** Most columns at which factors are found. */
#define LOWRANK_STOPS_MAX 24

/** Where a row's factors are found anew, from what stands before it. */
struct lowrank_stop {
    size_t column;
    double square;              /* of what the patterns left of the last row, up to here */
    double moment[LOWRANK_MAX]; /* sums of update * pattern */
    double gram[LOWRANK_MAX][LOWRANK_MAX]; /* of pattern * pattern */
};

/** Working memory, under 1.3 MiB. Every field is the module's own. */
struct lowrank {
    void (*pause)(struct lowrank *self); /* as the processor can */
    size_t columns;
    size_t column; /* of the next number */
    size_t wait;   /* column at which to pause */
    unsigned stop; /* which that is */
    unsigned stop_count;
    unsigned rank; /* patterns so far */
    uint32_t rows;
    double noise; /* mean square of what the patterns leave */
    double factor[LOWRANK_MAX];
    double variance[LOWRANK_MAX];             /* of the factors, about 0 */
    double inverse[LOWRANK_MAX][LOWRANK_MAX]; /* of the factors' correlation */
    struct lowrank_stop stops[LOWRANK_STOPS_MAX];
    double row[LOWRANK_COLUMNS_MAX];
    double guess[LOWRANK_COLUMNS_MAX];
    double pattern[LOWRANK_MAX][LOWRANK_COLUMNS_MAX];
};

/** Begin a matrix of `columns` columns, 1 to LOWRANK_COLUMNS_MAX, at `column` of its first row. */
void lowrank_begin(struct lowrank *self, size_t columns, size_t column);

/** The next number's update, or 0 while nothing is known. */
static inline double lowrank_guess(const struct lowrank *self)
{
    return self->guess[self->column];
}

/** Tell what it was. Of magnitude up to 2^64. */
static inline void lowrank_learn(struct lowrank *self, double update)
{
    self->row[self->column++] = update;
    if (self->column == self->wait) {
        self->pause(self);
    }
}

#endif

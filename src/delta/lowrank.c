#include "lowrank.h"

#include <string.h>

#define R LOWRANK_MAX
#define TILE 4 /* sums of a tile stay in registers */

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif
#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2_PATH 1 /* the same operations on each number, four at a time: the same bits */
#endif

/* How much of what was learnt about the patterns each row leaves. */
#define MEMORY 0.98

/* Patterns that rows have no part of would be forgotten until nothing is left: stop there. */
#define UNSEEN_MAX 1e6

/* Numbers between solutions at a row's start; later ones come half as far again apart. */
#define RESOLVE_FIRST 4

/* Rows that the variance of factors is the mean of. */
#define FACTOR_ROWS 16

/* A row is explained in full where this part of its square is left. */
#define EXACT 1e-20

/* Below this nothing is divided by. */
#define TINY 1e-60

static void begin_row(struct lowrank *self)
{
    memset(self->gram, 0, sizeof(self->gram));
    memset(self->moment, 0, sizeof(self->moment));
    memset(self->factor, 0, sizeof(self->factor));
    self->summed = self->column;
    self->resolve = self->column + RESOLVE_FIRST;
}

static inline double dot(const double *a, const double *b)
{
    double sum[4] = {0, 0, 0, 0};

    for (unsigned k = 0; k < R; k += 4) {
        for (unsigned l = 0; l < 4; l++) {
            sum[l] += a[k + l] * b[k + l];
        }
    }
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

double lowrank_guess(const struct lowrank *self)
{
    return dot(self->factor, self->pattern[self->column]);
}

/* Sums of products of patterns i.. and k.. over the columns that are new. */
INLINE void sum_tile(struct lowrank *self, unsigned i, unsigned k)
{
    double sum[TILE][TILE] = {{0}};

    for (size_t j = self->summed; j < self->column; j++) {
        const double *p = self->pattern[j];

        for (unsigned a = 0; a < TILE; a++) {
            for (unsigned b = 0; b < TILE; b++) {
                sum[a][b] += p[i + a] * p[k + b];
            }
        }
    }
    for (unsigned a = 0; a < TILE; a++) {
        for (unsigned b = 0; b < TILE; b++) {
            self->gram[i + a][k + b] += sum[a][b];
        }
    }
}

/* Bring gram and moment up to date with the row so far. */
INLINE void sum_up(struct lowrank *self)
{
    for (unsigned i = 0; i < self->rank; i += TILE) {
        for (unsigned k = i; k < self->rank; k += TILE) {
            sum_tile(self, i, k);
        }
    }
    for (size_t j = self->summed; j < self->column; j++) {
        for (unsigned i = 0; i < R; i++) {
            self->moment[i] += self->pattern[j][i] * self->row[j];
        }
    }
    self->summed = self->column;
}

#ifdef HAVE_AVX2_PATH
__attribute__((target("avx2"))) static void sum_up_avx2(struct lowrank *self)
{
    sum_up(self);
}
#endif

static void sum_up_any(struct lowrank *self)
{
    sum_up(self);
}

void lowrank_begin(struct lowrank *self, size_t columns, size_t column)
{
    memset(self, 0, offsetof(struct lowrank, row));
    memset(self->row, 0, columns * sizeof(self->row[0]));
    memset(self->pattern, 0, columns * sizeof(self->pattern[0]));
    self->sum_up = sum_up_any;
#ifdef HAVE_AVX2_PATH
    if (__builtin_cpu_supports("avx2")) {
        self->sum_up = sum_up_avx2;
    }
#endif
    self->columns = columns;
    self->column = column;
    begin_row(self);
}

/* The factors that explain the row so far, drawn to 0 the more the less is known:
 * (gram + ridge) factor = moment, by elimination. */
static void solve(struct lowrank *self)
{
    double a[R][R] = {{0}};
    double y[R];

    self->sum_up(self);
    for (unsigned i = 0; i < self->rank; i++) {
        double ridge = (self->noise + TINY) / (self->variance[i] + TINY);

        for (unsigned k = i; k < R; k++) {
            a[i][k] = self->gram[i][k];
        }
        a[i][i] += ridge;
        y[i] = self->moment[i];
    }
    for (unsigned k = 0; k < self->rank; k++) {
        double pivot = 1 / (a[k][k] > TINY ? a[k][k] : TINY);

        for (unsigned i = k + 1; i < self->rank; i++) {
            double times = a[k][i] * pivot;

            y[i] -= times * y[k];
            for (unsigned l = i & ~1u; l < R; l++) { /* below the diagonal: never used */
                a[i][l] -= times * a[k][l];
            }
        }
    }
    for (unsigned k = self->rank; k-- > 0;) {
        double sum = y[k];

        for (unsigned i = k + 1; i < self->rank; i++) {
            sum -= a[k][i] * self->factor[i];
        }
        self->factor[k] = sum / (a[k][k] > TINY ? a[k][k] : TINY);
    }
}

/* What the row's factors leave of it takes its place. Returns its mean square, 0 where that is but
 * what doubles round. */
static double leave_residue(struct lowrank *self)
{
    double before = 0;
    double square = 0;

    for (size_t j = 0; j < self->columns; j++) {
        before += self->row[j] * self->row[j];
        self->row[j] -= dot(self->factor, self->pattern[j]);
        square += self->row[j] * self->row[j];
    }
    return square > before * EXACT ? square / (double)self->columns : 0;
}

static double root(double square)
{
    double x = 1;

    if (!(square > 0)) {
        return 0;
    }
    while (x * x < square) {
        x *= 2;
    }
    while (x * x > square) {
        x /= 2;
    }
    for (unsigned i = 0; i < 6; i++) { /* Newton */
        x = (x + square / x) / 2;
    }
    return x;
}

static void learn_factors(struct lowrank *self)
{
    for (unsigned k = 0; k < self->rank; k++) {
        uint32_t age = self->rows - k; /* of the pattern, in rows */
        double rate = 1 / (double)(age < FACTOR_ROWS ? age + 1 : FACTOR_ROWS);

        self->variance[k] += (self->factor[k] * self->factor[k] - self->variance[k]) * rate;
    }
}

/* The residue becomes a pattern itself, of mean square 1. */
static void add_pattern(struct lowrank *self, double square)
{
    double size = root(square);
    unsigned k = self->rank;

    for (size_t j = 0; j < self->columns; j++) {
        self->pattern[j][k] = self->row[j] / size;
    }
    self->factor[k] = size;
    self->variance[k] = square;
    self->inverse[k][k] = 1 / square;
    self->rank++;
}

/* Recursive least squares: each column's patterns move so that they explain the row better. */
static void turn_patterns(struct lowrank *self)
{
    double gain[R];
    double memory = MEMORY;
    double scale;

    for (unsigned i = 0; i < R; i++) {
        gain[i] = dot(self->inverse[i], self->factor);
        if (self->inverse[i][i] * self->variance[i] > UNSEEN_MAX) {
            memory = 1;
        }
    }
    scale = memory + dot(gain, self->factor);
    for (unsigned i = 0; i < R; i++) {
        double g = gain[i] / scale;

        for (unsigned k = 0; k < R; k++) {
            self->inverse[i][k] = (self->inverse[i][k] - g * gain[k]) / memory;
        }
    }
    for (unsigned i = 0; i < R; i++) {
        gain[i] /= scale;
    }
    for (size_t j = 0; j < self->columns; j++) {
        for (unsigned k = 0; k < R; k++) {
            self->pattern[j][k] += self->row[j] * gain[k];
        }
    }
}

static void end_row(struct lowrank *self)
{
    double square;

    solve(self);
    square = leave_residue(self);
    if (square > TINY && self->rank < R) {
        add_pattern(self, square);
        self->noise = square;
    } else if (square > TINY) {
        self->noise += (square - self->noise) * (self->rows < 2 * R ? 0.5 : 0.1);
        turn_patterns(self);
    }
    learn_factors(self);
    self->rows++;
    memset(self->row, 0, self->columns * sizeof(self->row[0]));
    self->column = 0;
    begin_row(self);
}

void lowrank_learn(struct lowrank *self, double update)
{
    self->row[self->column++] = update;
    if (self->column == self->columns) {
        end_row(self);
    } else if (self->rank > 0 && self->column == self->resolve) {
        solve(self);
        self->resolve += RESOLVE_FIRST > self->column / 2 ? RESOLVE_FIRST : self->column / 2;
    }
}

#include "lowrank.h"

#include "vectors.h"

#include <string.h>

#define R LOWRANK_MAX

/* Four numbers at a time. Sums run in lanes, each a part of the columns: the order is pinned, and
 * processors with vectors and without give the same bits. */
#define LANES 4
typedef double lanes
    __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double)), may_alias));

/* How much of what was learnt about the patterns each row leaves. */
#define MEMORY 0.98

/* Patterns that rows have no part of would be forgotten until nothing is left: stop there. */
#define UNSEEN_MAX 1e6

/* Columns between solutions at a row's start; later ones are further apart. */
#define RESOLVE_FIRST 4

/* Rows that the variance of factors is the mean of. */
#define FACTOR_ROWS 16

/* Grams are kept up to date by what changes; so many rows apart they are summed up anew, before
 * what doubles round adds up. */
#define REFRESH_ROWS 8

/* A row is explained in full where this part of its square is left. */
#define EXACT 1e-20

/* Below this nothing is divided by. */
#define TINY 1e-60

INLINE size_t padded(size_t columns)
{
    return (columns + LANES - 1) / LANES * LANES;
}

/* Patterns are worked on four at a time; those beyond the rank are 0. */
INLINE unsigned patterns(const struct lowrank *self)
{
    return (self->rank + 3) & ~3u;
}

INLINE const lanes *at(const double *numbers)
{
    return (const lanes *)(const void *)numbers;
}

INLINE lanes *to(double *numbers)
{
    return (lanes *)(void *)numbers;
}

INLINE double total(const lanes *sum)
{
    return ((*sum)[0] + (*sum)[2]) + ((*sum)[1] + (*sum)[3]);
}

/* --- along the columns --- */

/* The patterns times the factors. */
INLINE void guess(struct lowrank *self, size_t from, size_t end)
{
    const double *f = self->factor;

    memset(self->guess + from, 0, (end - from) * sizeof(self->guess[0]));
    for (unsigned k = 0; k < patterns(self); k += 4) {
        for (size_t j = from; j < end; j += LANES) {
            *to(self->guess + j) +=
                (f[k] * *at(self->pattern[k] + j) + f[k + 1] * *at(self->pattern[k + 1] + j)) +
                (f[k + 2] * *at(self->pattern[k + 2] + j) +
                 f[k + 3] * *at(self->pattern[k + 3] + j));
        }
    }
}

INLINE void sum_products(lanes *sum, const double *a, const double *b, size_t from, size_t end)
{
    for (size_t j = from; j < end; j += LANES) {
        *sum += *at(a + j) * *at(b + j);
    }
}

/* Moments at a stop: those at the last one, and the columns since. */
INLINE void sum_moments(struct lowrank *self, struct lowrank_stop *stop, size_t from)
{
    for (unsigned k = 0; k < patterns(self); k += 4) {
        lanes sum[4] = {{0}};

        for (size_t j = from; j < stop->column; j += LANES) {
            for (unsigned i = 0; i < 4; i++) {
                sum[i] += *at(self->pattern[k + i] + j) * *at(self->row + j);
            }
        }
        for (unsigned i = 0; i < 4; i++) {
            stop->moment[k + i] = (from > 0 ? stop[-1].moment[k + i] : 0) + total(&sum[i]);
        }
    }
}

/* What the row's factors leave of it takes its place. Returns its mean square, 0 where that is but
 * what doubles round. */
INLINE double leave_residue(struct lowrank *self)
{
    lanes before = {0};
    lanes after = {0};
    size_t j = 0;

    guess(self, 0, padded(self->columns));
    for (unsigned s = 0; s < self->stop_count; s++) {
        for (; j < self->stops[s].column; j += LANES) {
            lanes left = *at(self->row + j);

            before += left * left;
            left -= *at(self->guess + j);
            after += left * left;
            *to(self->row + j) = left;
        }
        self->stops[s].square = total(&after);
    }
    return total(&after) > total(&before) * EXACT ? total(&after) / (double)self->columns : 0;
}

INLINE void move_patterns(struct lowrank *self, const double gain[R])
{
    for (unsigned k = 0; k < self->rank; k++) {
        for (size_t j = 0; j < padded(self->columns); j += LANES) {
            *to(self->pattern[k] + j) += *at(self->row + j) * gain[k];
        }
    }
}

/* Grams of a pattern and those before it. */
INLINE void sum_grams(struct lowrank *self, unsigned k)
{
    for (unsigned i = 0; i <= k; i++) {
        lanes sum = {0};
        size_t from = 0;

        for (unsigned s = 0; s < self->stop_count; s++) {
            struct lowrank_stop *stop = &self->stops[s];

            sum_products(&sum, self->pattern[i], self->pattern[k], from, stop->column);
            stop->gram[i][k] = stop->gram[k][i] = total(&sum);
            from = stop->column;
        }
    }
}

/* --- between the patterns --- */

/* Row -= times * pivot, from a block of columns on. What lies below the diagonal is never used. */
INLINE void subtract(double *row, double times, const double *pivot, unsigned block)
{
#define BLOCK(b)                                                                                   \
    if (block <= (b) && (b) < R / LANES) {                                                         \
        *to(row + (b)*LANES) -= times * *at(pivot + (b)*LANES);                                    \
    }
    BLOCK(3)
    BLOCK(2)
    BLOCK(1)
    BLOCK(0)
#undef BLOCK
}

/* The factors that explain the row so far, drawn to 0 the more the less is known:
 * (gram + ridge) factor = moment, by elimination. */
INLINE void solve(struct lowrank *self, const struct lowrank_stop *stop)
{
    double a[R][R];
    double y[R];
    double inverse[R] = {0};

    for (unsigned i = 0; i < self->rank; i++) {
        memcpy(a[i], stop->gram[i], sizeof(a[i]));
        a[i][i] += (self->noise + TINY) / (self->variance[i] + TINY);
        y[i] = stop->moment[i];
    }
    for (unsigned k = 0; k < self->rank; k++) {
        inverse[k] = 1 / (a[k][k] > TINY ? a[k][k] : TINY);
        for (unsigned i = k + 1; i < self->rank; i++) {
            double times = a[k][i] * inverse[k];

            y[i] -= times * y[k];
            subtract(a[i], times, a[k], i / LANES);
        }
    }
    for (unsigned k = self->rank; k-- > 0;) {
        double factor = y[k] * inverse[k];

        self->factor[k] = factor;
        for (unsigned i = 0; i < k; i++) {
            y[i] -= a[i][k] * factor;
        }
    }
}

/* Sums of residue * pattern up to a stop. */
INLINE void residue_moments(const struct lowrank *self, const struct lowrank_stop *stop,
                            double moment[R])
{
    lanes sum[R / LANES];

    memcpy(sum, stop->moment, sizeof(sum));
    for (unsigned k = 0; k < self->rank; k++) {
        for (unsigned i = 0; i < R / LANES; i++) {
            sum[i] -= self->factor[k] * *at(stop->gram[k] + i * LANES);
        }
    }
    memcpy(moment, sum, sizeof(sum));
}

/* (pattern + residue * gain)' (pattern + residue * gain) */
INLINE void move_grams(struct lowrank *self, const double gain[R])
{
    for (unsigned s = 0; s < self->stop_count; s++) {
        struct lowrank_stop *stop = &self->stops[s];
        double moment[R];

        residue_moments(self, stop, moment);
        for (unsigned i = 0; i < R; i += LANES) {
            *to(moment + i) += 0.5 * stop->square * *at(gain + i);
        }
        for (unsigned i = 0; i < self->rank; i++) {
            for (unsigned k = 0; k < R; k += LANES) {
                *to(stop->gram[i] + k) += gain[i] * *at(moment + k) + moment[i] * *at(gain + k);
            }
        }
    }
}

INLINE double dot(const double *a, const double *b)
{
    lanes sum = {0};

    sum_products(&sum, a, b, 0, R);
    return total(&sum);
}

/* --- learning --- */

static void begin_row(struct lowrank *self)
{
    self->stop = 0;
    while (self->stops[self->stop].column <= self->column && self->stop + 1 < self->stop_count) {
        self->stop++;
    }
    self->wait = self->stops[self->stop].column;
    self->wait = self->wait < self->columns ? self->wait : self->columns;
    memset(self->guess, 0, self->stops[self->stop].column * sizeof(self->guess[0]));
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
INLINE void add_pattern(struct lowrank *self, double square)
{
    double size = root(square);
    unsigned k = self->rank;
    size_t end = padded(self->columns);

    for (size_t j = 0; j < end; j++) {
        self->pattern[k][j] = self->row[j] / size;
    }
    for (unsigned i = k + 1; i % 4 != 0; i++) {
        memset(self->pattern[i], 0, end * sizeof(self->pattern[i][0]));
    }
    sum_grams(self, k);
    self->factor[k] = size;
    self->variance[k] = square;
    self->inverse[k][k] = 1 / square;
    self->rank++;
}

/* Recursive least squares: each column's patterns move so that they explain the row better. */
INLINE void turn_patterns(struct lowrank *self)
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

        for (unsigned k = 0; k < R; k += LANES) {
            lanes *inverse = to(self->inverse[i] + k);

            *inverse = (*inverse - g * *at(gain + k)) / memory;
        }
    }
    for (unsigned i = 0; i < R; i++) {
        gain[i] /= scale;
    }
    move_patterns(self, gain);
    move_grams(self, gain);
}

INLINE void end_row(struct lowrank *self)
{
    double square = leave_residue(self);

    if (square > TINY && self->rank < R) {
        add_pattern(self, square);
        self->noise = square;
    } else if (square > TINY) {
        self->noise += (square - self->noise) * (self->rows < 2 * R ? 0.5 : 0.1);
        turn_patterns(self);
    }
    learn_factors(self);
    self->rows++;
    if (self->rows % REFRESH_ROWS == 0) {
        for (unsigned k = 0; k < self->rank; k++) {
            sum_grams(self, k);
        }
    }
    self->column = 0;
    begin_row(self);
}

INLINE void pause(struct lowrank *self)
{
    struct lowrank_stop *stop = &self->stops[self->stop];

    if (self->rank > 0) {
        sum_moments(self, stop, self->stop > 0 ? stop[-1].column : 0);
        solve(self, stop);
    }
    if (self->column == self->columns) {
        end_row(self);
        return;
    }
    self->stop++;
    guess(self, self->column, stop[1].column);
    self->wait = stop[1].column < self->columns ? stop[1].column : self->columns;
}

#ifdef HAVE_AVX2_PATH
__attribute__((target("avx2"))) static void pause_avx2(struct lowrank *self)
{
    pause(self);
}
#endif

static void pause_any(struct lowrank *self)
{
    pause(self);
}

/* 4, 8, 12, 16, 24, 32, 48, 64, 96, ... */
static size_t next_stop(size_t stop)
{
    if (stop < 4 * RESOLVE_FIRST) {
        return stop + RESOLVE_FIRST;
    }
    return (stop & (stop - 1)) == 0 ? stop / 2 * 3 : stop / 3 * 4;
}

void lowrank_begin(struct lowrank *self, size_t columns, size_t column)
{
    size_t end = padded(columns);
    size_t stop = 0;

    memset(self, 0, offsetof(struct lowrank, row));
    memset(self->row, 0, end * sizeof(self->row[0]));
    self->pause = pause_any;
#ifdef HAVE_AVX2_PATH
    if (__builtin_cpu_supports("avx2")) {
        self->pause = pause_avx2;
    }
#endif
    self->columns = columns;
    self->column = column;
    while (stop + stop / 8 < end) {
        stop = next_stop(stop);
        self->stops[self->stop_count++].column = stop + stop / 8 < end ? stop : end;
    }
    begin_row(self);
}

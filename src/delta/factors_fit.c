/*
 * The patterns of an update: the largest singular vectors, by subspace iteration from a fixed
 * random start (Halko, Martinsson, Tropp, "Finding structure with randomness", 2011, section 4.5),
 * then rounded to whole numbers as coarsely as what they leave unexplained allows.
 */
#include "cast.h"
#include "decode.h"
#include "factors.h"
#include "vectors.h"

#include <string.h>

#define MORE 4 /* vectors beyond the rank: the wanted ones come out in fewer passes */
#define R_MAX (FACTORS_RANK_MAX + MORE)
#define PASSES 1 /* a second one wins 0.1 to 0.6 % of a patch */
#define SWEEPS 8 /* of rotations: they converge quadratically */

/* Updates beyond are not explained. */
#define UPDATE_MAX 1e12f

/* Smaller sums of squares are 0. */
#define TINY 1e-200
/* What is left of a vector after others were taken out, if it is no more than what rounds. */
#define LEFT_MIN 1e-22

/*
 * Rounding the factors of a pattern adds to the mean square of what is left this share of it, for
 * each column and row that a number has: a coarser one costs more bits of the numbers than it
 * saves of the factors. Measured on merged adapters and on steps of SGD and AdamW.
 */
#define COARSE 3.0
#define FACTOR_MAX 1e9

struct fit {
    const struct factors_shape *shape;
    size_t rows;
    size_t columns;
    size_t r;            /* vectors: 8, 12 or R_MAX */
    float *update;       /* rows x columns, 0 where there are no numbers */
    double *v;           /* columns x r */
    double *z;           /* columns x r */
    double *line;        /* r x columns */
    double square;       /* of the update */
    double value[R_MAX]; /* squares of singular values */
    void (*pass)(struct fit *self);
    void (*project)(struct fit *self, const float *update, double *out);
};

static double size_of(double value)
{
    return value < 0 ? -value : value;
}

/* Of a number above 0, but for some last bits: half the exponent, then Newton's steps. */
static double root(double square)
{
    uint64_t bits;
    double x;

    memcpy(&bits, &square, sizeof(bits));
    bits = (bits >> 1) + ((uint64_t)1023 << 51);
    memcpy(&x, &bits, sizeof(x));
    for (unsigned i = 0; i < 5; i++) {
        x = (x + square / x) / 2;
    }
    return x;
}

/* --- the update --- */

static float value_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void load_floats(enum number_kind kind, const uint8_t *numbers, size_t count, float *out)
{
    uint8_t bytes[4 * 64];

    for (size_t i = 0; i < count; i += 64) {
        size_t n = count - i < 64 ? count - i : 64;
        const uint8_t *from = numbers + i * number_kinds[kind].width;

        if (kind != NUMBER_F32) {
            cast_numbers(kind, NUMBER_F32, false, from, n, bytes);
            from = bytes;
        }
        for (size_t j = 0; j < n; j++) {
            out[i + j] = value_of(ox_load_u32le(from + 4 * j));
        }
    }
}

/* `z` lends the memory for the base's numbers. */
static void load_update(struct fit *self, const uint8_t *base, const uint8_t *target)
{
    const struct factors_shape *shape = self->shape;
    size_t width = number_kinds[shape->kind].width;
    float *to = self->update + shape->column;
    float from[64];

    memset(self->update, 0, self->rows * self->columns * sizeof(self->update[0]));
    load_floats(shape->kind, target, shape->count, to);
    for (size_t i = 0; i < shape->count; i += 64) {
        size_t n = shape->count - i < 64 ? shape->count - i : 64;

        load_floats(shape->kind, base + i * width, n, from);
        for (size_t j = 0; j < n; j++) {
            float update = to[i + j] - from[j];

            to[i + j] = update <= UPDATE_MAX && update >= -UPDATE_MAX ? update : 0;
        }
    }
    self->square = 0;
    for (size_t i = 0; i < self->rows; i++) {
        double sum[4] = {0, 0, 0, 0};
        const float *row = self->update + i * self->columns;

        for (size_t j = 0; j + 4 <= self->columns; j += 4) {
            for (size_t k = 0; k < 4; k++) {
                sum[k] += (double)row[j + k] * (double)row[j + k];
            }
        }
        for (size_t j = self->columns & ~(size_t)3; j < self->columns; j++) {
            sum[j & 3] += (double)row[j] * (double)row[j];
        }
        self->square += (sum[0] + sum[2]) + (sum[1] + sum[3]);
    }
}

/* --- its patterns --- */

INLINE void project_r(const struct fit *self, const float *update, double *out, size_t r)
{
    double sum[R_MAX] = {0};

    for (size_t j = 0; j < self->columns; j++) {
        double x = (double)update[j];

        for (size_t k = 0; k < r; k++) {
            sum[k] += x * self->v[j * r + k];
        }
    }
    memcpy(out, sum, r * sizeof(sum[0]));
}

/* z = update' * (update * v) */
INLINE void pass_r(struct fit *self, size_t r)
{
    memset(self->z, 0, self->columns * r * sizeof(self->z[0]));
    for (size_t i = 0; i < self->rows; i += 2) {
        const float *a = self->update + i * self->columns;
        const float *b = i + 1 < self->rows ? a + self->columns : a;
        double ya[R_MAX] = {0};
        double yb[R_MAX] = {0};

        for (size_t j = 0; j < self->columns; j++) {
            double xa = (double)a[j];
            double xb = (double)b[j];

            for (size_t k = 0; k < r; k++) {
                ya[k] += xa * self->v[j * r + k];
                yb[k] += xb * self->v[j * r + k];
            }
        }
        if (b == a) {
            memset(yb, 0, sizeof(yb));
        }
        for (size_t j = 0; j < self->columns; j++) {
            double xa = (double)a[j];
            double xb = (double)b[j];

            for (size_t k = 0; k < r; k++) {
                self->z[j * r + k] += xa * ya[k] + xb * yb[k];
            }
        }
    }
}

INLINE void pass_all(struct fit *self)
{
    if (self->r == 8) {
        pass_r(self, 8);
    } else if (self->r == 12) {
        pass_r(self, 12);
    } else {
        pass_r(self, R_MAX);
    }
}

INLINE void project_all(struct fit *self, const float *update, double *out)
{
    if (self->r == 8) {
        project_r(self, update, out, 8);
    } else if (self->r == 12) {
        project_r(self, update, out, 12);
    } else {
        project_r(self, update, out, R_MAX);
    }
}

#ifdef HAVE_AVX2_PATH
__attribute__((target("avx2"))) static void pass_avx2(struct fit *self)
{
    pass_all(self);
}
__attribute__((target("avx2"))) static void project_avx2(struct fit *self, const float *update,
                                                         double *out)
{
    project_all(self, update, out);
}
#endif

static void pass_any(struct fit *self)
{
    pass_all(self);
}

static void project_any(struct fit *self, const float *update, double *out)
{
    project_all(self, update, out);
}

static double dot(const double *a, const double *b, size_t count)
{
    double sum[4] = {0, 0, 0, 0};
    size_t i = 0;

    for (; i + 4 <= count; i += 4) {
        for (size_t k = 0; k < 4; k++) {
            sum[k] += a[i + k] * b[i + k];
        }
    }
    for (; i < count; i++) {
        sum[i & 3] += a[i] * b[i];
    }
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/* v = the vectors of z, orthonormal; 0 for those that add nothing. */
static void orthonormalise(struct fit *self)
{
    size_t n = self->columns;
    size_t r = self->r;

    for (size_t k = 0; k < r; k++) {
        double *line = self->line + k * n;
        double before;
        double left;
        double scale;

        for (size_t j = 0; j < n; j++) {
            line[j] = self->z[j * r + k];
        }
        before = dot(line, line, n);
        for (unsigned turn = 0; turn < 2; turn++) { /* once leaves what cancellation rounds */
            for (size_t l = 0; l < k; l++) {
                const double *other = self->line + l * n;
                double part = dot(line, other, n);

                for (size_t j = 0; j < n; j++) {
                    line[j] -= part * other[j];
                }
            }
        }
        left = dot(line, line, n);
        scale = left > TINY && left > before * LEFT_MIN ? 1 / root(left) : 0;
        for (size_t j = 0; j < n; j++) {
            line[j] *= scale;
            self->v[j * r + k] = line[j];
        }
    }
}

/* Rotate the symmetric a until it is diagonal, and q with it (Jacobi, cyclic). */
static void diagonalise(double a[R_MAX][R_MAX], double q[R_MAX][R_MAX], size_t r)
{
    for (unsigned sweep = 0; sweep < SWEEPS; sweep++) {
        for (size_t i = 0; i < r; i++) {
            for (size_t k = i + 1; k < r; k++) {
                double limit = a[i][i] > a[k][k] ? a[i][i] : a[k][k];
                double theta;
                double t;
                double c;
                double s;

                if (!(size_of(a[i][k]) > limit * 1e-18)) {
                    continue;
                }
                theta = (a[k][k] - a[i][i]) / (2 * a[i][k]);
                if (size_of(theta) > 1e100) { /* next to nothing to rotate */
                    continue;
                }
                t = (theta < 0 ? -1 : 1) / (size_of(theta) + root(theta * theta + 1));
                c = 1 / root(t * t + 1);
                s = t * c;
                for (size_t l = 0; l < r; l++) {
                    double x = a[l][i];
                    double y = a[l][k];

                    a[l][i] = c * x - s * y;
                    a[l][k] = s * x + c * y;
                }
                for (size_t l = 0; l < r; l++) {
                    double x = a[i][l];
                    double y = a[k][l];

                    a[i][l] = c * x - s * y;
                    a[k][l] = s * x + c * y;
                    x = q[l][i];
                    y = q[l][k];
                    q[l][i] = c * x - s * y;
                    q[l][k] = s * x + c * y;
                }
            }
        }
    }
}

/* Turn v so that its vectors are the singular ones, by falling value. */
static void sort_out(struct fit *self)
{
    size_t r = self->r;
    double a[R_MAX][R_MAX] = {{0}};
    double q[R_MAX][R_MAX] = {{0}};
    double y[R_MAX];
    size_t order[R_MAX];

    for (size_t i = 0; i < self->rows; i++) {
        self->project(self, self->update + i * self->columns, y);
        for (size_t k = 0; k < r; k++) {
            for (size_t l = 0; l <= k; l++) {
                a[k][l] += y[k] * y[l];
            }
        }
    }
    for (size_t k = 0; k < r; k++) {
        for (size_t l = 0; l < k; l++) {
            a[l][k] = a[k][l];
        }
    }
    for (size_t k = 0; k < r; k++) {
        q[k][k] = 1;
        order[k] = k;
    }
    diagonalise(a, q, r);
    for (size_t k = 1; k < r; k++) {
        size_t at = order[k];
        size_t l = k;

        for (; l > 0 && a[order[l - 1]][order[l - 1]] < a[at][at]; l--) {
            order[l] = order[l - 1];
        }
        order[l] = at;
    }
    for (size_t k = 0; k < r; k++) {
        self->value[k] = a[order[k]][order[k]];
        for (size_t j = 0; j < self->columns; j++) {
            double sum = 0;

            for (size_t l = 0; l < r; l++) {
                sum += self->v[j * r + l] * q[l][order[k]];
            }
            self->z[j * r + k] = sum;
        }
    }
    memcpy(self->v, self->z, self->columns * r * sizeof(self->v[0]));
}

/* z = each vector the sum of some of the rows, with random signs: no row is in two of them, so that
 * costs little, and it is a pass ahead of vectors that know nothing of the update. */
static void sketch(struct fit *self)
{
    size_t n = self->columns;
    uint64_t state = 1;

    memset(self->line, 0, n * self->r * sizeof(self->line[0]));
    for (size_t i = 0; i < self->rows; i++) {
        double *line;
        double sign;

        state = state * 6364136223846793005u + 1442695040888963407u;
        line = self->line + (state >> 33) % self->r * n;
        sign = (state >> 32 & 1) != 0 ? -1 : 1;
        for (size_t j = 0; j < n; j++) {
            line[j] += sign * (double)self->update[i * n + j];
        }
    }
    for (size_t k = 0; k < self->r; k++) {
        for (size_t j = 0; j < n; j++) {
            self->z[j * self->r + k] = self->line[k * n + j];
        }
    }
}

static void find_patterns(struct fit *self)
{
    sketch(self);
    orthonormalise(self);
    for (unsigned i = 0; i < PASSES; i++) {
        self->pass(self);
        orthonormalise(self);
    }
    sort_out(self);
}

/* --- whole numbers --- */

static int32_t rounded(double value)
{
    value = value < FACTOR_MAX ? value : FACTOR_MAX;
    value = value > -FACTOR_MAX ? value : -FACTOR_MAX;
    return (int32_t)(value + (value < 0 ? -0.5 : 0.5));
}

static void put(uint8_t *factors, size_t i, int32_t value)
{
    ox_store_u32le(factors + 4 * i, (uint32_t)value);
}

/* Put the columns' factors, which take the place of v; returns 2^-exponent of each pattern. */
static void round_columns(struct fit *self, uint8_t *factors, double scale[R_MAX])
{
    size_t stride = factors_stride(self->shape);
    double n = (double)self->columns;
    double cells = (double)self->rows * n;
    double left = self->square;
    double most;

    for (size_t k = 0; k < self->shape->rank; k++) {
        left -= self->value[k];
    }
    most = self->square * 1e-14; /* below it is rounding of the sums */
    left = (left > most ? left : most) / cells;
    for (size_t k = 0; k < self->r; k++) {
        double size = self->value[k] > TINY ? root(self->value[k] / cells) : 0;
        double step = COARSE * (1 / n + 1 / (double)self->rows) * left;
        uint32_t exponent = 0;
        double times;

        scale[k] = 1;
        for (; size > 0 && exponent < FACTORS_EXPONENT_MAX && scale[k] * size > step * 1.5;
             exponent++) {
            scale[k] /= 2;
        }
        times = k < self->shape->rank && size > 0 ? root(size / scale[k]) * root(n) : 0;
        for (size_t j = 0; j < self->columns; j++) {
            int32_t factor = rounded(self->v[j * self->r + k] * times);

            self->v[j * self->r + k] = (double)factor;
            if (k < self->shape->rank) {
                put(factors, stride * k + 1 + j, factor);
            }
        }
        if (k < self->shape->rank) {
            put(factors, stride * k, (int32_t)exponent);
        }
    }
}

/* a = its Cholesky factor, lower; rows and columns of nothing get 0 for what they divide by. */
static void decompose(double a[R_MAX][R_MAX], double inverse[R_MAX], size_t r)
{
    for (size_t k = 0; k < r; k++) {
        double pivot = a[k][k];

        for (size_t l = 0; l < k; l++) {
            pivot -= a[k][l] * a[k][l];
        }
        inverse[k] = pivot > a[k][k] * 1e-9 && pivot > TINY ? 1 / root(pivot) : 0;
        for (size_t i = k + 1; i < r; i++) {
            double sum = a[i][k];

            for (size_t l = 0; l < k; l++) {
                sum -= a[i][l] * a[k][l];
            }
            a[i][k] = sum * inverse[k];
        }
    }
}

/* The rows' factors: least squares for the columns' as they were rounded. */
static void round_rows(struct fit *self, uint8_t *factors, const double scale[R_MAX])
{
    size_t rank = self->shape->rank;
    size_t stride = factors_stride(self->shape);
    double a[R_MAX][R_MAX] = {{0}};
    double inverse[R_MAX];
    double y[R_MAX];

    for (size_t j = 0; j < self->columns; j++) {
        for (size_t k = 0; k < rank; k++) {
            for (size_t l = 0; l <= k; l++) {
                a[k][l] += self->v[j * self->r + k] * self->v[j * self->r + l];
            }
        }
    }
    decompose(a, inverse, rank);
    for (size_t i = 0; i < self->rows; i++) {
        self->project(self, self->update + i * self->columns, y);
        for (size_t k = 0; k < rank; k++) {
            for (size_t l = 0; l < k; l++) {
                y[k] -= a[k][l] * y[l];
            }
            y[k] *= inverse[k];
        }
        for (size_t k = rank; k-- > 0;) {
            for (size_t l = k + 1; l < rank; l++) {
                y[k] -= a[l][k] * y[l];
            }
            y[k] *= inverse[k];
            put(factors, stride * k + 1 + self->columns + i, rounded(y[k] / scale[k]));
        }
    }
}

enum ox_code factors_fit(const struct factors_shape *shape, const uint8_t *base,
                         const uint8_t *target, struct ox_buf *scratch, uint8_t *factors,
                         struct ox_err *err)
{
    struct fit self = {.shape = shape,
                       .rows = factors_rows(shape),
                       .columns = shape->columns,
                       .r = shape->rank <= 4   ? 8
                            : shape->rank <= 8 ? 12
                                               : R_MAX,
                       .pass = pass_any,
                       .project = project_any};
    double scale[R_MAX] = {0};
    size_t vectors = self.columns * self.r;
    enum ox_code code = buf_resize(
        scratch, vectors * 3 * sizeof(double) + self.rows * self.columns * sizeof(float), err);

    if (code != OX_OK) {
        return code;
    }
#ifdef HAVE_AVX2_PATH
    if (__builtin_cpu_supports("avx2")) {
        self.pass = pass_avx2;
        self.project = project_avx2;
    }
#endif
    self.v = (double *)(void *)scratch->data;
    self.z = self.v + vectors;
    self.line = self.z + vectors;
    self.update = (float *)(void *)(self.line + vectors);
    load_update(&self, base, target);
    find_patterns(&self);
    round_columns(&self, factors, scale);
    round_rows(&self, factors, scale);
    return OX_OK;
}

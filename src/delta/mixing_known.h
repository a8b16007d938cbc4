/** What both sides know of a number before it is coded: of mixing_numbers.c alone. */
#ifndef OXIDE_DELTA_MIXING_KNOWN_H
#define OXIDE_DELTA_MIXING_KNOWN_H

#include "mixing.h"

#include <string.h>

/* Levels are logarithms of sizes, 16 to the octave. Sizes within the means are values: in steps of
 * the reference exponent, with UNIT_SHIFT bits after the point, exponents clamped around it. */
#define OCTAVE 16
#define UNIT_SHIFT 24
#define UP_MIN (-20)
#define UP_MAX 4
#define SIZE_CAP ((uint64_t)1 << 46)

/* Octave at which a fresh float of the reference exponent stands. */
#define FRESH_REFERENCE 24

/* Octaves that nodes of a walk tell apart. */
#define NODE_OCTAVES 32

#define ROW_LIMIT 250
#define COLUMN_LIMIT 60
#define PART_LIMIT 1000
#define RECENT 30

/* Guesses: when they take the prediction's place. Measured on fine-tunes by AdamW and SGD and on
 * merged adapters, in f32, f16 and bf16. */
#define LARGE_RATIO 0.0625 /* of the guessed update to the number */
#define USEFUL_RATIO 0.95  /* of the mean error of guesses to the mean update */
#define SHARP (3 * OCTAVE) /* by which errors are smaller than this very guess */
#define SOLID (3 * OCTAVE) /* which is this many steps, at least */
#define SHARP_ALL 5        /* octaves by which guesses are nearer, in the geometric mean */
#define UPDATE_MAX 1e12

/* A prediction is a place to count steps from. */
struct place {
    uint32_t bits;
    bool negative;
    int exponent;
    int shift; /* of a step over the means' unit */
};

/* What is known of a number before it is coded. */
struct number {
    struct place base; /* the stream's prediction */
    struct place from; /* that, or with the guess in it */
    int context;       /* the stream's, or -1 */
    double guess;
    int64_t beyond; /* how far the guess is from there, away from 0, in 1/16 steps */
    int level;      /* where the walk begins */
    int level_expected;
    int level_recent;
    int level_beyond;
    int level_error; /* of the guess */
};

struct means {
    uint64_t part;
    uint64_t row;
    uint64_t recent;
};

/* How far the stream has come. */
struct run {
    struct mixing_numbers *self;
    const struct ox_mix_tables *tables;
    const struct stream *stream;
    unsigned width;
    unsigned mantissa_bits;
    unsigned sign_bit;
    uint32_t magnitude_mask;
    bool floats;
    bool fresh; /* floats by themselves */
    int reference;
    int octave_low;
    int octave_high;
    struct means sizes;
    struct means errors;
    /* of the part */
    size_t columns; /* 0: not known */
    size_t column;
    uint32_t rows;
    uint32_t part_count;
    uint32_t row_count;
    int32_t agreement; /* of the row's signs with the columns' balances, +-65536 */
    int left_sign;
    int left2_sign;
    int above_left_sign;
    bool guesses;
    double plain;   /* mean update */
    double guessed; /* mean error of guesses */
    int32_t nearer; /* octaves that guesses gain, geometric mean, in 1/4096 */
};

/* --- numbers --- */

static inline uint32_t load(const uint8_t *numbers, size_t i, unsigned width)
{
    const uint8_t *at = numbers + i * width;

    return width == 4 ? ox_load_u32le(at) : width == 2 ? ox_load_u16le(at) : at[0];
}

static inline void store(uint8_t *numbers, size_t i, unsigned width, uint32_t bits)
{
    for (unsigned k = 0; k < width; k++) {
        numbers[i * width + k] = (uint8_t)(bits >> (8 * k));
    }
}

static inline uint32_t extend(const struct run *run, uint32_t bits)
{
    return (bits & run->magnitude_mask) - (bits & (run->magnitude_mask + 1));
}

/* A number's place in the order of its kind: floats count down below zero. Its own inverse. */
static inline uint32_t ordered(const struct run *run, uint32_t bits)
{
    uint32_t wide = extend(run, bits);

    return run->floats && wide >> 31 != 0 ? wide ^ run->magnitude_mask : wide;
}

/* log2 in 1/16, straight within an octave; 0 for 0 */
static inline int level_of(uint64_t size)
{
    int top = (int)mixing_bit_length(size | 1) - 1;

    return OCTAVE * top + (int)((top >= 4 ? size >> (top - 4) : size << (4 - top)) & 15);
}

static inline uint64_t distance(int64_t off)
{
    return off < 0 ? 0 - (uint64_t)off : (uint64_t)off;
}

static inline struct place place_of(const struct run *run, uint32_t bits)
{
    struct place place = {bits, bits >> run->sign_bit != 0, run->reference, UNIT_SHIFT};

    if (run->floats) {
        place.exponent = (int)((bits & run->magnitude_mask) >> run->mantissa_bits);
        place.exponent += place.exponent == 0;
    }
    place.shift += run->fresh ? -FRESH_REFERENCE
                              : mixing_clamp(place.exponent - run->reference, UP_MIN, UP_MAX);
    return place;
}

/* A number's value; 1 is the reference exponent's. */
static inline double value_of(const struct run *run, uint32_t bits)
{
    uint32_t magnitude = bits & run->magnitude_mask;
    uint32_t exponent = magnitude >> run->mantissa_bits;
    double value;

    if (!run->floats) {
        return (double)(int32_t)extend(run, bits);
    }
    magnitude -= exponent << run->mantissa_bits;
    magnitude |= (uint32_t)(exponent > 0) << run->mantissa_bits;
    value = (double)magnitude * run->self->unit[exponent];
    return bits >> run->sign_bit != 0 ? -value : value;
}

/* The number nearest to a value, and how much further the value is from 0, in 1/16 steps. false:
 * the kind has none near. */
static inline bool number_near(const struct run *run, double value, uint32_t *bits, int64_t *beyond)
{
    double size = value < 0 ? -value : value;
    int exponent = 1;
    uint64_t pattern;
    uint64_t fine;
    uint32_t whole;

    if (run->floats) {
        memcpy(&pattern, &size, sizeof(pattern)); /* IEEE: the exponent is bits 52 to 62 */
        exponent = (int)(pattern >> 52) - 1023 + run->reference;
        exponent = exponent < 1 ? 1 : exponent;
        if (exponent >= (int)(run->magnitude_mask >> run->mantissa_bits)) {
            return false;
        }
        size /= run->self->unit[exponent];
    }
    if (!(size < (double)(run->magnitude_mask / 2))) {
        return false;
    }
    fine = (uint64_t)(size * 16.0 + 0.5);
    whole = (uint32_t)((fine + 8) >> 4);
    *beyond = (int64_t)fine - (int64_t)whole * 16;
    if (run->floats) {
        *bits = ((uint32_t)exponent << run->mantissa_bits) + whole - (1u << run->mantissa_bits);
        *bits |= (uint32_t)(value < 0) << run->sign_bit;
    } else {
        *bits = (value < 0 ? 0 - whole : whole) & (2 * run->magnitude_mask + 1);
    }
    return true;
}

/* --- means --- */

static inline void learn_mean(const struct run *run, uint64_t *mean, uint64_t size, uint32_t count,
                              uint32_t limit)
{
    uint64_t step = 2 * (uint64_t)run->tables->step[count < limit ? count : limit];

    if (count == 0) {
        *mean = size;
    } else if (size > *mean) {
        *mean += ((size - *mean) * step) >> 16;
    } else {
        *mean -= ((*mean - size) * step) >> 16;
    }
}

static inline void learn_means(const struct run *run, struct means *means, uint64_t *column,
                               uint64_t size)
{
    size = size > SIZE_CAP ? SIZE_CAP : size;
    learn_mean(run, &means->part, size, run->part_count, PART_LIMIT);
    learn_mean(run, &means->row, size, run->row_count, ROW_LIMIT);
    learn_mean(run, &means->recent, size, RECENT, RECENT);
    if (run->columns > 0) {
        learn_mean(run, column, size, run->rows, COLUMN_LIMIT);
    }
}

/* Sizes of a row and of a column multiply, where updates are outer products. */
static inline int product_level(const struct run *run, const struct means *means, uint64_t column)
{
    int part = level_of(means->part);
    int row = run->row_count > 0 ? level_of(means->row) : part;

    return run->columns > 0 && run->rows > 0 ? row + level_of(column) - part : row;
}

/* --- what is known --- */

/* Beyond an octave of values the places of floats grow with the logarithm. */
static inline int bend(const struct run *run, int level)
{
    int top = OCTAVE * (int)run->mantissa_bits;

    return !run->floats || run->fresh || level <= top
               ? level
               : top + level_of((uint64_t)(level - top + OCTAVE)) - 4 * OCTAVE;
}

/* Where a guess takes the prediction's place: where the update is large beside the number, since
 * steps there are not alike; where the guess is sharp. */
static inline void use_guess(const struct run *run, struct number *n)
{
    double value = value_of(run, n->base.bits);
    double large = (value < 0 ? -value : value) * LARGE_RATIO;
    bool changes = run->floats && (n->guess > large || -n->guess > large) &&
                   run->guessed < run->plain * USEFUL_RATIO;
    bool sharp = run->nearer > SHARP_ALL * OCTAVE * 256 ||
                 (n->level_beyond > SOLID && n->level_beyond - n->level_error > SHARP);
    uint32_t bits = 0;

    if ((changes || sharp) && number_near(run, value + n->guess, &bits, &n->beyond)) {
        n->from = place_of(run, bits);
        n->level_beyond = level_of(distance(n->beyond)) - 4 * OCTAVE;
        n->level_error += OCTAVE * (n->base.shift - n->from.shift);
        n->level_expected = n->level_error;
        n->level_recent = level_of(run->errors.recent) - OCTAVE * n->from.shift;
    }
}

static inline struct number look(const struct run *run, const struct mixing_column *column,
                                 size_t i)
{
    struct number n = {.base = place_of(run, load(run->stream->predicted, i, run->width)),
                       .level_beyond = -4 * OCTAVE};

    n.from = n.base;
    n.context = run->stream->contexts != NULL ? run->stream->contexts[i] % STREAM_CONTEXTS_MAX : -1;
    n.level_recent = level_of(run->sizes.recent) - OCTAVE * n.base.shift;
    n.level_expected = product_level(run, &run->sizes, column->size) - OCTAVE * n.base.shift;
    if (run->guesses) {
        double steps = (n.guess = lowrank_guess(&run->self->lowrank)) * 16;

        if (run->floats) {
            steps /= run->self->unit[n.base.exponent];
        }
        if (steps < 1e9 && steps > -1e9) {
            n.beyond = n.base.negative ? -(int64_t)steps : (int64_t)steps;
        }
        n.level_beyond += level_of(distance(n.beyond));
        n.level_error =
            ((3 * product_level(run, &run->errors, column->error) + level_of(run->errors.recent)) >>
             2) -
            OCTAVE * n.base.shift;
        use_guess(run, &n);
    }
    n.level_recent = bend(run, n.level_recent);
    n.level_expected = bend(run, n.level_expected);
    n.level = run->guesses && n.level_beyond > n.level_error
                  ? n.level_beyond
                  : (n.level_expected + n.level_recent) >> 1;
    return n;
}

#endif

/** What both sides know of a number before it is coded: of mixing_numbers.c alone. */
#ifndef OXIDE_DELTA_MIXING_KNOWN_H
#define OXIDE_DELTA_MIXING_KNOWN_H

#include "mixing.h"

#include <math.h>
#include <string.h>

/* Levels are logarithms of sizes, 16 to the octave. Sizes are values; 1 is the reference exponent's
 * power of 2. Means keep within FLOOR and CAP, times the reference's last place. */
#define OCTAVE 16
#define FLOOR 0x1p-24
#define CAP 0x1p22

/* Octave at which a fresh float of the reference exponent stands. */
#define FRESH_REFERENCE 24

/* Octaves that nodes of a walk tell apart. */
#define NODE_OCTAVES 32

#define ROW_LIMIT 250
#define COLUMN_LIMIT 60
#define PART_LIMIT 1000
#define RECENT_RATE (1 / 31.5)

/* Guesses: when they take the prediction's place. Measured on fine-tunes by AdamW and SGD and on
 * merged adapters, in f32, f16 and bf16. */
#define LARGE_RATIO 0.0625 /* of the guessed update to the number */
#define USEFUL_RATIO 0.95  /* of the mean error of guesses to the mean update */
#define SHARP (3 * OCTAVE) /* by which errors are smaller than this very guess */
#define SOLID (3 * OCTAVE) /* which is this many steps, at least */
#define SHARP_ALL 5        /* octaves by which guesses are nearer, in the geometric mean */
#define UPDATE_MAX 1e12
#define GUESS_MAX 1e30
#define BEYOND_MIN (-4 * OCTAVE) /* nearer than 1/16 of a step, all is alike */

/* A prediction is a place to count steps from. */
struct place {
    uint32_t bits;
    bool negative;
    int exponent;
    int shift; /* log2 of a step's value */
    double value;
};

/* What is known of a number before it is coded. */
struct number {
    struct place base; /* the stream's prediction */
    struct place from; /* that, or with the guess in it */
    int context;       /* the stream's, or -1 */
    double guess;
    bool inward; /* the guess is on that side of there which leads to 0 */
    int level;   /* where the walk begins */
    int level_expected;
    int level_recent;
    int level_beyond; /* how far the guess is from there; without one, as level_recent */
    int level_error;  /* of the guess; without one, as level_expected */
    unsigned ratio;   /* of those two: how sharp the guess is */
};

struct means {
    double part;
    double row;
    double recent;
    int level_part;
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
    uint32_t sign_mask;
    uint32_t all_mask;
    uint32_t flip_mask; /* of what is inverted below 0 */
    bool floats;
    bool fresh; /* floats by themselves */
    int reference;
    int octave_low;
    int octave_high;
    double last_place; /* of the reference exponent */
    double subnormal;  /* last place of the lowest exponent */
    double floor;
    double cap;
    int32_t bias[MIXING_RATIOS]; /* of where walks begin to where they end, in 1/64 levels */
    struct means sizes;
    struct means errors;
    /* of the part */
    size_t columns; /* 0: not known */
    size_t column;
    uint32_t rows;
    uint32_t part_count;
    uint32_t row_count;
    double row_rate;
    double column_rate;
    int32_t agreement; /* of the row's signs with the columns' balances, +-65536 */
    int left_sign;
    bool guesses;
    bool useful;    /* guesses are, on the whole */
    int32_t nearer; /* octaves that guesses gain, geometric mean, in 1/4096 */
};

/* --- numbers --- */

OX_MIX_INLINE uint32_t load(const uint8_t *numbers, size_t i, unsigned width)
{
    const uint8_t *at = numbers + i * width;

    return width == 4 ? ox_load_u32le(at) : width == 2 ? ox_load_u16le(at) : at[0];
}

OX_MIX_INLINE void store(uint8_t *numbers, size_t i, unsigned width, uint32_t bits)
{
    for (unsigned k = 0; k < width; k++) {
        numbers[i * width + k] = (uint8_t)(bits >> (8 * k));
    }
}

/* Of the number's width, with its sign. */
OX_MIX_INLINE int32_t extend(const struct run *run, uint32_t bits)
{
    return (int32_t)(((bits & run->all_mask) ^ run->sign_mask) - run->sign_mask);
}

/* A number's place in the order of its kind: floats count down below zero. Its own inverse. */
OX_MIX_INLINE uint32_t ordered(const struct run *run, uint32_t bits)
{
    uint32_t wide = (uint32_t)extend(run, bits);

    return wide ^ (run->flip_mask & (0 - (wide >> 31)));
}

OX_MIX_INLINE double absolute(double value)
{
    return fabs(value);
}

/* log2 in 1/16, straight within an octave, of what is above 0: IEEE exponent and four bits more. */
OX_MIX_INLINE int level_of(double size)
{
    uint64_t pattern;

    memcpy(&pattern, &size, sizeof(pattern));
    return (int)(pattern >> 48) - OCTAVE * 1023;
}

/* A number's value; 1 is the reference exponent's power of 2. Infinities and NaNs count on. */
OX_MIX_INLINE double value_of(const struct run *run, uint32_t bits)
{
    uint32_t magnitude = bits & run->magnitude_mask;
    uint64_t pattern;
    double value;

    if (!run->floats) {
        return (double)extend(run, bits);
    }
    if (magnitude >> run->mantissa_bits == 0) {
        value = (double)magnitude * run->subnormal;
    } else {
        pattern = ((uint64_t)magnitude << (52 - run->mantissa_bits)) +
                  ((uint64_t)(1023 - run->reference) << 52);
        memcpy(&value, &pattern, sizeof(value));
    }
    return bits >> run->sign_bit != 0 ? -value : value;
}

OX_MIX_INLINE struct place place_of(const struct run *run, uint32_t bits)
{
    struct place place = {bits, bits >> run->sign_bit != 0, run->reference, 0, value_of(run, bits)};

    if (run->floats) {
        place.exponent = (int)((bits & run->magnitude_mask) >> run->mantissa_bits);
        place.exponent += place.exponent == 0;
        place.shift = place.exponent - run->reference - (int)run->mantissa_bits;
    }
    return place;
}

/* The float nearest to a value. false: there is none. */
OX_MIX_INLINE bool number_near(const struct run *run, double value, uint32_t *bits)
{
    double size = absolute(value);
    uint64_t pattern;
    int exponent;

    memcpy(&pattern, &size, sizeof(pattern));
    exponent = (int)(pattern >> 52) - 1023 + run->reference;
    if (exponent >= (int)(run->magnitude_mask >> run->mantissa_bits)) {
        return false;
    }
    if (exponent < 1) {
        *bits = (uint32_t)(size / run->subnormal + 0.5);
    } else {
        pattern += (uint64_t)1 << (51 - run->mantissa_bits);
        pattern -= (uint64_t)(1023 - run->reference) << 52;
        *bits = (uint32_t)(pattern >> (52 - run->mantissa_bits));
    }
    *bits |= (uint32_t)(value < 0) << run->sign_bit;
    return true;
}

/* --- means --- */

OX_MIX_INLINE void learn_means(const struct run *run, struct means *means, double *column,
                               double size)
{
    size = (size < run->cap ? size : run->cap) + run->floor;
    means->row += (size - means->row) * run->row_rate;
    means->recent += (size - means->recent) * RECENT_RATE;
    *column += (size - *column) * run->column_rate;
}

/* Sizes of a row and of a column multiply, where updates are outer products. */
OX_MIX_INLINE int product_level(const struct run *run, const struct means *means, double column)
{
    int row = run->row_count > 0 ? level_of(means->row) : means->level_part;

    return run->rows > 0 ? row + level_of(column) - means->level_part : row;
}

/* --- what is known --- */

/* Beyond an octave of values the places of floats grow with the logarithm. */
OX_MIX_INLINE int bend(const struct run *run, int level)
{
    int top = OCTAVE * (int)run->mantissa_bits;

    return !run->floats || run->fresh || level <= top
               ? level
               : top + level_of((double)(level - top + OCTAVE)) - 4 * OCTAVE;
}

OX_MIX_INLINE int level_beyond(const struct run *run, double distance, const struct place *from)
{
    int level = level_of(distance + run->floor) - OCTAVE * from->shift;

    return level < BEYOND_MIN ? BEYOND_MIN : level;
}

/* Where a guess takes the prediction's place: where the update is large beside the number, since
 * steps there are not alike; where the guess is sharp. */
OX_MIX_INLINE void use_guess(const struct run *run, struct number *n)
{
    bool changes = run->useful && absolute(n->guess) > absolute(n->base.value) * LARGE_RATIO;
    bool sharp = run->nearer > SHARP_ALL * OCTAVE * 256 ||
                 (n->level_beyond > SOLID && n->level_beyond - n->level_error > SHARP);
    uint32_t bits = 0;

    if ((changes || sharp) && number_near(run, n->base.value + n->guess, &bits)) {
        double beyond;

        n->from = place_of(run, bits);
        beyond = n->base.value + n->guess - n->from.value;
        n->inward = (beyond < 0) != n->from.negative;
        n->level_beyond = level_beyond(run, absolute(beyond), &n->from);
        n->level_error += OCTAVE * (n->base.shift - n->from.shift);
        n->level_expected = n->level_error;
        n->level_recent = level_of(run->errors.recent) - OCTAVE * n->from.shift;
    }
}

OX_MIX_INLINE struct number look(const struct run *run, const struct mixing_column *column,
                                 size_t i)
{
    struct number n = {.base = place_of(run, load(run->stream->predicted, i, run->width))};

    if (run->fresh) {
        n.base.shift = 1 - FRESH_REFERENCE;
    }
    n.from = n.base;
    n.context = run->stream->contexts != NULL ? run->stream->contexts[i] % STREAM_CONTEXTS_MAX : -1;
    n.level_recent = level_of(run->sizes.recent) - OCTAVE * n.base.shift;
    n.level_expected = product_level(run, &run->sizes, column->size) - OCTAVE * n.base.shift;
    if (run->guesses) {
        double guess = lowrank_guess(&run->self->lowrank);

        n.guess = absolute(guess) < GUESS_MAX ? guess : 0;
        n.inward = (n.guess < 0) != n.base.negative;
        n.level_beyond = level_beyond(run, absolute(n.guess), &n.base);
        n.level_error =
            ((3 * product_level(run, &run->errors, column->error) + level_of(run->errors.recent)) >>
             2) -
            OCTAVE * n.base.shift;
        use_guess(run, &n);
    }
    n.level_recent = bend(run, n.level_recent);
    n.level_expected = bend(run, n.level_expected);
    n.level = (n.level_expected + n.level_recent) >> 1;
    if (!run->guesses) {
        n.level_beyond = n.level_recent;
        n.level_error = n.level_expected;
    } else if (n.level_beyond > n.level_error) {
        n.level = n.level_beyond;
    }
    n.ratio =
        (unsigned)mixing_clamp(((n.level_beyond - n.level_error) >> 4) + 1, 0, MIXING_RATIOS - 1);
    return n;
}

#endif

/**
 * The models of the mixing coder: numbers in mixing_numbers.c, bytes in mixing_bytes.c. What they
 * code, and how, stands at the top of stream_mixing.c.
 */
#ifndef OXIDE_DELTA_MIXING_H
#define OXIDE_DELTA_MIXING_H

#include "lowrank.h"
#include "stream_mixing.h"

#include "oxide/entropy/mix4.h"

/** Rows longer than this are coded as if their columns were not known. */
#define MIXING_COLUMNS_MAX 16384

/* --- numbers --- */

/** Models of a size's octave: a row each, the function that finds its context (below
 *  MIXING_CONTEXTS) in mixing_contexts.h. Each table has OX_MIX4_INPUTS rows: to try another, put a
 *  row in the place of one, and its function there. */
#define MIXING_OCTAVE_MODELS(X)                                                                    \
    X(place)   /* exponent and top of the mantissa of the prediction, or the context given */      \
    X(about)   /* the size that row, column and the last numbers lead to expect */                 \
    X(blurred) /* how far the guess is from the prediction, over how far guesses are off */        \
    X(guessed) /* how far the guess is from the prediction */

/** Models of the bits below a size's top one. */
#define MIXING_BELOW_MODELS(X)                                                                     \
    X(octave) /* of the size, in steps, and how sharp the guess is */                              \
    X(place)  /* as above */                                                                       \
    X(beside) /* of the size beside the guess */                                                   \
    X(value)  /* of the size, as a value: what an optimiser adds has a sharp upper bound */

/** Models of whether a size leads towards 0. */
#define MIXING_SIGN_MODELS(X)                                                                      \
    X(size)       /* over the expected one, and the exponent or the context given */               \
    X(neighbours) /* the signs to the left and above */                                            \
    X(outer)      /* the balance of the column's signs times the row's agreement with it */        \
    X(side)       /* which side the guess is on */

#define MIXING_COUNT(name) +1
#define MIXING_CONTEXTS 256
#define MIXING_NODES 96     /* of the walk to an octave */
#define MIXING_BELOW_BITS 6 /* that are modelled */
#define MIXING_SIGN_CONTEXTS 1024
#define MIXING_RATIOS 4 /* how sharp guesses are: weights for each */
enum {
    OCTAVE_MODELS = MIXING_OCTAVE_MODELS(MIXING_COUNT),
    BELOW_MODELS = MIXING_BELOW_MODELS(MIXING_COUNT),
    SIGN_MODELS = MIXING_SIGN_MODELS(MIXING_COUNT),
};
_Static_assert(OCTAVE_MODELS == OX_MIX4_INPUTS && BELOW_MODELS == OX_MIX4_INPUTS &&
                   SIGN_MODELS == OX_MIX4_INPUTS,
               "decisions mix as many models as vectors have lanes");

/** What a column of a matrix has shown: mean sizes and signs. */
struct mixing_column {
    double size;
    double error;
    int32_t balance; /* of its signs relative to their row's: +-65536 */
    int32_t sign;    /* of the number above: -1, 0, 1 */
};

/** Which contexts a stream has used: the next one resets these alone. */
struct mixing_used {
    uint8_t octave[OCTAVE_MODELS][MIXING_CONTEXTS];
    uint8_t below[BELOW_MODELS][MIXING_CONTEXTS];
};

struct mixing_numbers {
    struct mixing_used used;
    struct ox_mix4_state octave[OCTAVE_MODELS][MIXING_CONTEXTS][MIXING_NODES];
    struct ox_mix4_state below[BELOW_MODELS][MIXING_CONTEXTS][1 << MIXING_BELOW_BITS];
    struct ox_mix4_state sign[SIGN_MODELS][MIXING_SIGN_CONTEXTS];
    ox_mix4_floats octave_weights[MIXING_RATIOS][MIXING_NODES];
    ox_mix4_floats below_weights;
    ox_mix4_floats sign_weights[MIXING_RATIOS];
    struct mixing_column columns[MIXING_COLUMNS_MAX];
    struct lowrank lowrank;
};

/* --- bytes --- */

/** Models of whether a byte is as predicted, and of its difference otherwise. */
#define MIXING_BYTE_MODELS 4
#define MIXING_BYTE_SLOTS_MIN 4096 /* for differences; a stream has no more than it needs */
#define MIXING_BYTE_SLOTS_MAX 65536
#define MIXING_SAME_CONTEXTS 4096

struct mixing_bytes {
    struct ox_mix4_state same[MIXING_BYTE_MODELS][MIXING_SAME_CONTEXTS];
    struct ox_mix4_state diff[MIXING_BYTE_MODELS][MIXING_BYTE_SLOTS_MAX];
    ox_mix4_floats same_weights[16];
    ox_mix4_floats diff_weights[256];
};

/** Under 3 MiB. */
struct mixing_coder {
    struct ox_mix_tables tables;
    bool used_known; /* the last stream was of numbers, and says what it used */
    union {
        struct mixing_numbers numbers;
        struct mixing_bytes bytes;
    } models;
};

/** Code a whole stream: with `out` NULL encode `in`, else decode into `out`. reference: the
 *  exponent that the header names. */
void mixing_numbers_code(struct mixing_coder *self, struct ox_mix_coder *coder,
                         const struct stream *stream, unsigned reference, const uint8_t *in,
                         uint8_t *out);
void mixing_bytes_code(struct mixing_coder *self, struct ox_mix_coder *coder,
                       const struct stream *stream, const uint8_t *in, uint8_t *out);

/** The reference for a stream of floats: the exponent that all but 1/256 do not exceed. */
unsigned mixing_reference(const uint8_t *numbers, size_t count, const struct number_kind_row *kind);

/* --- small helpers of both --- */

static inline int mixing_clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static inline unsigned mixing_bit_length(uint64_t value)
{
#if defined(__GNUC__)
    return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
#else
    unsigned n = 0;

    while (n < 64 && value >> n != 0) {
        n++;
    }
    return n;
#endif
}

static inline void mixing_fill(struct ox_mix4_state *states, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        states[i] = OX_MIX4_STATE_INIT;
    }
}

static inline void mixing_fill_weights(ox_mix4_floats *weights, size_t bytes, float weight)
{
    for (size_t i = 0; i < bytes / sizeof(*weights); i++) {
        weights[i] = (ox_mix4_floats){weight, weight, weight, weight};
    }
}

#endif

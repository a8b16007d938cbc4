/**
 * The models of the mixing coder: numbers in mixing_numbers.c, bytes in mixing_bytes.c. What they
 * code, and how, stands at the top of stream_mixing.c.
 */
#ifndef OXIDE_DELTA_MIXING_H
#define OXIDE_DELTA_MIXING_H

#include "lowrank.h"
#include "stream_mixing.h"

#include "oxide/entropy/mix.h"

/** Rows longer than this are coded as if their columns were not known. */
#define MIXING_COLUMNS_MAX 16384

/* --- numbers --- */

/** Models of a size's octave: a row each, the function that finds its context (below
 *  MIXING_CONTEXTS) in mixing_contexts.h. To add one: a row here, its function there. */
#define MIXING_OCTAVE_MODELS(X)                                                                    \
    X(place)    /* exponent and top of the mantissa of the prediction, or the context given */     \
    X(expected) /* the size that row and column lead to expect */                                  \
    X(recent)   /* the mean size of the last numbers */                                            \
    X(blurred)  /* how far the guess is from the prediction, over how far guesses are off */       \
    X(guessed)  /* how far the guess is from the prediction */

/** Models of the bits below a size's top one. */
#define MIXING_BELOW_MODELS(X)                                                                     \
    X(octave) /* of the size, in steps, and the context given */                                   \
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
#define MIXING_NODES 128    /* of the walk to an octave */
#define MIXING_BELOW_BITS 6 /* that are modelled */
#define MIXING_SIGN_CONTEXTS 1024
enum {
    OCTAVE_MODELS = MIXING_OCTAVE_MODELS(MIXING_COUNT),
    BELOW_MODELS = MIXING_BELOW_MODELS(MIXING_COUNT),
    SIGN_MODELS = MIXING_SIGN_MODELS(MIXING_COUNT),
};

/** What a column of a matrix has shown: mean sizes, in the unit of mixing_known.h, and signs. */
struct mixing_column {
    uint64_t size;
    uint64_t error;
    int32_t balance; /* of its signs relative to their row's: +-65536 */
    int32_t sign;    /* of the number above: -1, 0, 1 */
};

struct mixing_numbers {
    ox_mix_state octave[OCTAVE_MODELS][MIXING_CONTEXTS][MIXING_NODES];
    ox_mix_state below[BELOW_MODELS][MIXING_CONTEXTS][1 << MIXING_BELOW_BITS];
    ox_mix_state sign[SIGN_MODELS][MIXING_SIGN_CONTEXTS];
    int32_t octave_weights[4][MIXING_NODES][OCTAVE_MODELS];
    int32_t below_weights[1 << MIXING_BELOW_BITS][BELOW_MODELS];
    int32_t sign_weights[4][SIGN_MODELS];
    struct mixing_column columns[MIXING_COLUMNS_MAX];
    struct lowrank lowrank;
    double unit[256]; /* of the last place at an exponent, over that at the reference's last */
};

/* --- bytes --- */

/** Models of whether a byte is as predicted, and of its difference otherwise. */
#define MIXING_BYTE_MODELS 5
#define MIXING_BYTE_SLOTS 65536
#define MIXING_SAME_CONTEXTS 4096

struct mixing_bytes {
    ox_mix_state same[MIXING_BYTE_MODELS][MIXING_SAME_CONTEXTS];
    ox_mix_state diff[MIXING_BYTE_MODELS][MIXING_BYTE_SLOTS];
    int32_t same_weights[16][MIXING_BYTE_MODELS];
    int32_t diff_weights[256][MIXING_BYTE_MODELS];
};

/** Under 3 MiB. */
struct mixing_coder {
    struct ox_mix_tables tables;
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

static inline void mixing_fill(ox_mix_state *states, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(*states); i++) {
        states[i] = OX_MIX_STATE_INIT;
    }
}

static inline void mixing_fill_weights(int32_t *weights, size_t bytes, int32_t weight)
{
    for (size_t i = 0; i < bytes / sizeof(*weights); i++) {
        weights[i] = weight;
    }
}

#endif

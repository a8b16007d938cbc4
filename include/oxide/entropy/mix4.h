/**
 * Binary decisions as in mix.h, but always of four models, whose states and weights are vectors:
 * for what is coded by the million. Four models cost little more than one.
 *
 * IEEE single arithmetic of +, -, * and / in a pinned order, without contraction, and integers:
 * every processor gives the same bytes. Made for gcc and clang.
 */
#ifndef OXIDE_ENTROPY_MIX4_H
#define OXIDE_ENTROPY_MIX4_H

#include "oxide/entropy/mix.h"

#include <float.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "models must not be computed in more than single precision: build with -msse2 -mfpmath=sse"
#endif

/** Models that one decision mixes. */
#define OX_MIX4_INPUTS 4

/** A weight of 1: from 2^-23 octaves, the last place of a float's bits, to logits of mix.h, 256 to
 *  the factor e. */
#define OX_MIX4_WEIGHT_ONE (177.44568f * 0x1p-23f)

/** An adaptive probability of a 1, and how fast it adapts: 1 / (n + 1.5) after n decisions, until
 *  that nears a limit. */
struct ox_mix4_state {
    float p;
    float rate;
};
_Static_assert(sizeof(struct ox_mix4_state) == sizeof(uint64_t), "states move as pairs");
#define OX_MIX4_STATE_INIT ((struct ox_mix4_state){0.5f, 1 / 1.5f})

/** Probabilities keep so far from 0 and 1. */
#define OX_MIX4_P_MIN (1.0f / 65536)

/** Learn a bit: the mean of all at first, in the end one over the last 1 / slowest or so. */
OX_MIX_INLINE void ox_mix4_learn(struct ox_mix4_state *state, unsigned bit, float slowest)
{
    float rate = state->rate;

    state->p += ((bit != 0 ? 1 - OX_MIX4_P_MIN : OX_MIX4_P_MIN) - state->p) * rate;
    state->rate = (rate + slowest * slowest) / (1 + rate); /* n more; `slowest` stays as it is */
}

/** Probability of a 1 in 1/65536. */
OX_MIX_INLINE uint32_t ox_mix4_p1(const struct ox_mix4_state *state)
{
    return (uint32_t)(int32_t)(state->p * 65536);
}

/* Four numbers at a time: gcc and clang make vectors of them on every processor. */
typedef float ox_mix4_floats __attribute__((vector_size(16)));
typedef int32_t ox_mix4_ints __attribute__((vector_size(16)));
typedef uint64_t ox_mix4_pairs __attribute__((vector_size(16)));
#if defined(__clang__) || __GNUC__ >= 12
#define OX_MIX4_PICK(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define OX_MIX4_PICK(a, b, i, j, k, l) __builtin_shuffle(a, b, (ox_mix4_ints){i, j, k, l})
#endif

OX_MIX_INLINE uint64_t ox_mix4_pair(const struct ox_mix4_state *state)
{
    uint64_t pair;

    memcpy(&pair, state, sizeof(pair));
    return pair;
}

OX_MIX_INLINE void ox_mix4_pair_store(struct ox_mix4_state *state, uint64_t pair)
{
    memcpy(state, &pair, sizeof(pair));
}

/** Code one bit as a single model predicts it, and teach that. */
OX_MIX_INLINE unsigned ox_mix4_code_one(struct ox_mix_coder *coder, bool encodes, unsigned bit,
                                        struct ox_mix4_state *state, float slowest)
{
    bit = ox_mix_code_bit(coder, encodes, bit, ox_mix4_p1(state));
    ox_mix4_learn(state, bit, slowest);
    return bit;
}

/**
 * Code one bit as four models predict it, mixed with `weights`, and teach all of them.
 * slowest: rate of the states. pace: how fast weights learn; about 0.004.
 */
OX_MIX_INLINE unsigned ox_mix4_code(struct ox_mix_coder *coder, bool encodes, unsigned bit,
                                    struct ox_mix4_state *const states[OX_MIX4_INPUTS],
                                    ox_mix4_floats *weights, float slowest, float pace)
{
    ox_mix4_pairs first = {ox_mix4_pair(states[0]), ox_mix4_pair(states[1])};
    ox_mix4_pairs last = {ox_mix4_pair(states[2]), ox_mix4_pair(states[3])};
    ox_mix4_floats p = OX_MIX4_PICK((ox_mix4_floats)first, (ox_mix4_floats)last, 0, 2, 4, 6);
    ox_mix4_floats rate = OX_MIX4_PICK((ox_mix4_floats)first, (ox_mix4_floats)last, 1, 3, 5, 7);
    /* A float's bits are nearly its logarithm: off by up to 0.09, which costs nothing here. */
    ox_mix4_ints log = (ox_mix4_ints)p - (ox_mix4_ints)(1 - p);
    ox_mix4_floats logit = __builtin_convertvector(log, ox_mix4_floats);
    ox_mix4_floats product = logit * *weights;
    ox_mix4_floats half = product + OX_MIX4_PICK(product, product, 2, 3, 0, 1);
    float sum = half[0] + half[1];
    float target;
    uint32_t p1;

    sum = sum < OX_MIX_LOGIT_MAX ? sum : OX_MIX_LOGIT_MAX;
    sum = sum > -OX_MIX_LOGIT_MAX ? sum : -OX_MIX_LOGIT_MAX;
    p1 = coder->tables->squash[OX_MIX_LOGIT_MAX + (int32_t)sum];
    bit = ox_mix_code_bit(coder, encodes, bit, p1);
    *weights += logit * ((float)((bit != 0 ? 65536 : 0) - (int32_t)p1) *
                         (pace * OX_MIX4_WEIGHT_ONE * 0x1p-39f));
    target = bit != 0 ? 1 - OX_MIX4_P_MIN : OX_MIX4_P_MIN;
    p += (target - p) * rate;
    rate = (rate + slowest * slowest) / (1 + rate);
    first = (ox_mix4_pairs)OX_MIX4_PICK(p, rate, 0, 4, 1, 5);
    last = (ox_mix4_pairs)OX_MIX4_PICK(p, rate, 2, 6, 3, 7);
    ox_mix4_pair_store(states[0], first[0]);
    ox_mix4_pair_store(states[1], first[1]);
    ox_mix4_pair_store(states[2], last[0]);
    ox_mix4_pair_store(states[3], last[1]);
    return bit;
}

#endif

/**
 * Binary decisions, predicted by a learnt mix of adaptive models and coded arithmetically.
 *
 * Models are written once: ox_mix_code either encodes the bit it is given or decodes and returns
 * one. Integers only, so every processor gives the same bytes. What is called for every decision is
 * inline here.
 *
 * Source: Mahoney, "Adaptive weighing of context models for lossless data compression" (2005), for
 * mixing; Martin, "Range encoding" (1979), with carries, for the coder.
 */
#ifndef OXIDE_ENTROPY_MIX_H
#define OXIDE_ENTROPY_MIX_H

#include "oxide/base/buf.h"
#include "oxide/base/reader.h"

#if defined(__GNUC__)
#define OX_MIX_INLINE static inline __attribute__((always_inline))
#else
#define OX_MIX_INLINE static inline
#endif

/** Logits, ln(p / (1 - p)), are in 1/256 and within +-OX_MIX_LOGIT_MAX, as near as 16-bit
 *  probabilities come to certainty. */
#define OX_MIX_LOGIT_MAX 2815

/** Most models that one decision can mix. */
#define OX_MIX_INPUTS_MAX 6

/** A weight of 1. */
#define OX_MIX_WEIGHT_ONE 65536

/** Numbers of a state's counter: adaptation is 1/n until its limit. */
#define OX_MIX_COUNT_LIMITS 1024

/** Functions as tables. Constant once ox_mix_tables_init is through: share them freely. */
struct ox_mix_tables {
    uint16_t squash[2 * OX_MIX_LOGIT_MAX + 1]; /* logit to probability of 1 in 1/65536, never 0 */
    int16_t stretch[4096];                     /* probability in 1/4096 to logit */
    int32_t step[OX_MIX_COUNT_LIMITS];         /* 32768 / (n + 1.5) */
};
void ox_mix_tables_init(struct ox_mix_tables *tables);

/** An adaptive probability: of a 1, in 2^-22, above; how often it was asked, below 10 bits. */
typedef uint32_t ox_mix_state;
#define OX_MIX_STATE_INIT ((ox_mix_state)1 << 31)

/** Probability of 1 in 1/4096. */
OX_MIX_INLINE unsigned ox_mix_state_p(ox_mix_state state)
{
    return state >> 20;
}

/** Learn a bit: the mean of all until `limit` of them were seen, then an exponential one. */
OX_MIX_INLINE void ox_mix_state_learn(ox_mix_state *state, unsigned bit, unsigned limit,
                                      const struct ox_mix_tables *tables)
{
    uint32_t s = *state;
    uint32_t n = s & (OX_MIX_COUNT_LIMITS - 1);
    int32_t off = (bit != 0 ? 65535 : 0) - (int32_t)(s >> 16);

    s += (uint32_t)(off * tables->step[n]) << 1 & ~(OX_MIX_COUNT_LIMITS - 1u);
    *state = s + (n != limit);
}

/** Where coded bytes come from or go to. */
struct ox_mix_io {
    const uint8_t *at; /* decoding */
    const uint8_t *end;
    size_t past;         /* zeros taken from behind the end */
    bool ends_in_zero;   /* which no encoder writes */
    struct ox_buf *out;  /* encoding */
    size_t out_start;    /* carries stop here */
    enum ox_code failed; /* OX_ENOMEM sticks until the end */
};

/** The arithmetic coder, of either direction, one for each stream. What is busy is apart from what
 *  is not, so that compilers keep it in registers: keep it in a local variable. */
struct ox_mix_coder {
    const struct ox_mix_tables *tables;
    struct ox_mix_io *io;
    uint64_t low; /* encoding: of the interval; decoding: how far the code lies above it */
    uint64_t range;
};

/** Begin to encode at the end of `out`, or to decode all of [data, data + len_bytes). Lent: io and
 *  tables outlive the coder. */
struct ox_mix_coder ox_mix_encoder(struct ox_mix_io *io, const struct ox_mix_tables *tables,
                                   struct ox_buf *out);
struct ox_mix_coder ox_mix_decoder(struct ox_mix_io *io, const struct ox_mix_tables *tables,
                                   const uint8_t *data, size_t len_bytes);

/** Write what is left. Zero bytes at the end are not written: a decoder past the end reads zeros.
 *  Errors: OX_ENOMEM, now or before. */
OX_MUST_USE enum ox_code ox_mix_encoder_end(struct ox_mix_coder coder, struct ox_err *err);

/** A decoder has the last decision: is its message, to the last byte, what an encoder writes for
 *  these decisions? */
bool ox_mix_decoder_ended(const struct ox_mix_coder *coder);

/** Of the functions below alone. The next 4 bytes, zeros past the end; 4 bytes more; a 1 onto what
 *  was written. */
uint32_t ox_mix_next(struct ox_mix_io *io);
void ox_mix_put(struct ox_mix_io *io, uint32_t word);
void ox_mix_carry(struct ox_mix_io *io);

/** Take 32 bits out of the interval once it is small. */
OX_MIX_INLINE void ox_mix_shift(struct ox_mix_coder *coder, bool encodes)
{
    if (coder->range >> 32 == 0) {
        if (encodes) {
            ox_mix_put(coder->io, (uint32_t)(coder->low >> 32));
            coder->low <<= 32;
        } else {
            coder->low = coder->low << 32 | ox_mix_next(coder->io);
        }
        coder->range <<= 32;
    }
}

/** Raise an encoder's interval. */
OX_MIX_INLINE void ox_mix_raise(struct ox_mix_coder *coder, uint64_t by)
{
    coder->low += by;
    if (coder->low < by) {
        ox_mix_carry(coder->io);
    }
}

/** Code one bit that is 1 with probability p1 / 65536, 0 < p1 < 65536. `encodes` is a constant
 * where this is called; when decoding, `bit` is ignored. Returns the bit. */
OX_MIX_INLINE unsigned ox_mix_code_bit(struct ox_mix_coder *coder, bool encodes, unsigned bit,
                                       uint32_t p1)
{
    uint64_t bound = (coder->range >> 16) * p1;
    uint64_t zero;

    if (!encodes) {
        bit = coder->low < bound;
    }
    /* without branches: they would be mispredicted as often as the bit surprises */
    zero = (uint64_t)(bit & 1) - 1;
    if (encodes) {
        ox_mix_raise(coder, bound & zero);
    } else {
        coder->low -= bound & zero;
    }
    coder->range = (bound & ~zero) + ((coder->range - bound) & zero);
    ox_mix_shift(coder, encodes);
    return bit;
}

/** Code the low `count` bits of value, 0 to 16, each as likely 0 as 1. Returns them. */
OX_MIX_INLINE uint32_t ox_mix_code_raw(struct ox_mix_coder *coder, bool encodes, uint32_t value,
                                       unsigned count)
{
    uint64_t unit = coder->range >> count;

    if (encodes) {
        ox_mix_raise(coder, unit * value);
    } else {
        uint64_t got = coder->low / unit;

        value = got >> count != 0 ? (1u << count) - 1 : (uint32_t)got; /* past it: damaged */
        coder->low -= unit * value;
    }
    coder->range = unit;
    ox_mix_shift(coder, encodes);
    return value;
}

/** Code one bit as a single model predicts it, and teach that. */
OX_MIX_INLINE unsigned ox_mix_code_one(struct ox_mix_coder *coder, bool encodes, unsigned bit,
                                       ox_mix_state *state, unsigned limit)
{
    uint32_t p1 = *state >> 16;

    p1 = p1 < 32 ? 32 : p1 > 65536 - 32 ? 65536 - 32 : p1;
    bit = ox_mix_code_bit(coder, encodes, bit, p1);
    ox_mix_state_learn(state, bit, limit, coder->tables);
    return bit;
}

/**
 * Code one bit as `n` models predict it, mixed with `weights`, and teach all of them.
 * limit: of the states' counters. rate: how fast weights learn; 2 to 16.
 */
OX_MIX_INLINE unsigned ox_mix_code(struct ox_mix_coder *coder, bool encodes, unsigned bit,
                                   ox_mix_state *const states[], int32_t weights[], unsigned n,
                                   unsigned limit, int32_t rate)
{
    const struct ox_mix_tables *tables = coder->tables;
    int32_t logit[OX_MIX_INPUTS_MAX];
    int64_t sum = 1 << 15;
    int32_t error;
    uint32_t p1;

    for (unsigned i = 0; i < n; i++) {
        logit[i] = tables->stretch[ox_mix_state_p(*states[i])];
        sum += (int64_t)logit[i] * weights[i];
    }
    sum >>= 16;
    sum = sum > OX_MIX_LOGIT_MAX ? OX_MIX_LOGIT_MAX : sum;
    sum = sum < -OX_MIX_LOGIT_MAX ? -OX_MIX_LOGIT_MAX : sum;
    p1 = tables->squash[sum + OX_MIX_LOGIT_MAX];
    bit = ox_mix_code_bit(coder, encodes, bit, p1);
    error = (((bit != 0 ? 65535 : 0) - (int32_t)p1) * rate) >> 2;
    for (unsigned i = 0; i < n; i++) {
        weights[i] =
            (int32_t)((uint32_t)weights[i] + (uint32_t)((logit[i] * error + 0x8000) >> 16));
        ox_mix_state_learn(states[i], bit, limit, tables);
    }
    return bit;
}

#endif

/* The coder by AVX2: the same words and symbols as rans.c gives. */
#include "rans_inner.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#define TARGET __attribute__((target("avx2")))
#define INLINE TARGET __attribute__((always_inline)) static inline

/* What vectors need of frequencies. */
struct encoder {
    uint32_t coding[OX_RANS_CONTEXTS_MAX][OX_RANS_SYMBOLS_MAX]; /* frequency | start << 16 */
    /* Of 8 words, those whose bit is set, moved together to the end of 16 bytes. */
    uint8_t packed[256][16];
};

static struct encoder *encoder_new(const struct ox_rans_freqs *freqs)
{
    struct encoder *self = malloc(sizeof(*self));

    for (unsigned c = 0; self != NULL && c < OX_RANS_CONTEXTS_MAX; c++) {
        const uint16_t *freq = freqs->table[freqs->table_of[c]].freq;
        uint32_t start = 0;

        for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
            self->coding[c][s] = freq[s] | start << 16;
            start += freq[s];
        }
    }
    for (unsigned mask = 0; self != NULL && mask < 256; mask++) {
        unsigned to = 16;

        memset(self->packed[mask], 0, 16);
        for (unsigned word = 8; word-- > 0;) {
            if ((mask >> word & 1) != 0) {
                self->packed[mask][--to] = (uint8_t)(2 * word + 1);
                self->packed[mask][--to] = (uint8_t)(2 * word);
            }
        }
    }
    return self;
}

/* Words go out of the states that are too large for one symbol more; 16 bytes in front of `at` are
 * written. */
INLINE __m256i put_words(const struct encoder *self, __m256i x, __m256i freq, uint8_t **at)
{
    __m256i stays = _mm256_cmpgt_epi32(freq, _mm256_srli_epi32(x, 32 - OX_RANS_SCALE_BITS));
    unsigned mask = 255u ^ (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(stays));
    __m256i low = _mm256_and_si256(x, _mm256_set1_epi32(0xffff));
    __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));

    words =
        _mm_shuffle_epi8(words, _mm_loadu_si128((const __m128i *)(const void *)self->packed[mask]));
    _mm_storeu_si128((__m128i *)(void *)(*at - 16), words);
    *at -= 2 * (unsigned)__builtin_popcount(mask);
    return _mm256_blendv_epi8(_mm256_srli_epi32(x, 16), x, stays);
}

/* x becomes quotient << 12 | remainder + start. The quotient is under 2^20, and is found as a
 * float: x rounded, by a frequency made larger by more than the roundings, so that it is never
 * above the true one, and below it by at most one. */
INLINE __m256i encode8(__m256i x, __m256i coding, __m256i freq)
{
    const __m256 larger = _mm256_set1_ps(1.0f + 0x1p-22f);
    __m256 wrapped = _mm256_and_ps(_mm256_castsi256_ps(_mm256_srai_epi32(x, 31)),
                                   _mm256_set1_ps(0x1p32f)); /* x is not signed */
    __m256 whole = _mm256_add_ps(_mm256_cvtepi32_ps(x), wrapped);
    __m256 divisor = _mm256_mul_ps(_mm256_cvtepi32_ps(freq), larger);
    __m256i quotient = _mm256_cvttps_epi32(_mm256_div_ps(whole, divisor));
    __m256i rest = _mm256_sub_epi32(x, _mm256_mullo_epi32(quotient, freq));
    __m256i stays = _mm256_cmpgt_epi32(freq, rest);

    quotient = _mm256_add_epi32(quotient, _mm256_add_epi32(stays, _mm256_set1_epi32(1)));
    rest = _mm256_sub_epi32(rest, _mm256_andnot_si256(stays, freq));
    return _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(quotient, OX_RANS_SCALE_BITS), rest),
                            _mm256_srli_epi32(coding, 16));
}

/* 8 symbols more, that have these places in `coding`. */
INLINE __m256i encode_places(const struct encoder *self, __m256i x, __m128i places, __m256i *least,
                             uint8_t **at)
{
    __m256i coding = _mm256_i32gather_epi32((const int *)(const void *)self->coding,
                                            _mm256_cvtepu16_epi32(places), 4);
    __m256i freq = _mm256_and_si256(coding, _mm256_set1_epi32(0xffff));

    *least = _mm256_min_epi32(*least, freq);
    return encode8(put_words(self, x, freq, at), coding, freq);
}

/* The first n symbols, whole rounds, from the last to the first. Where their words begin; *known
 * is cleared for a symbol without a frequency. */
INLINE uint8_t *encode_rounds(const struct encoder *self, uint32_t *state, const uint8_t *contexts,
                              const uint8_t *symbols, size_t n, unsigned lanes, uint8_t *at,
                              bool *known)
{
    const __m256i one = _mm256_set1_epi32(1);
    __m256i x[OX_RANS_LANES_MAX / 8];
    __m256i least = one;

    for (unsigned v = 0; v < lanes / 8; v++) {
        x[v] = _mm256_loadu_si256((const __m256i *)(const void *)(state + (size_t)8 * v));
    }
    for (size_t i = n; i > 0; i -= lanes) {
        for (unsigned v = lanes / 8; v > 0; v -= 2) {
            size_t k = i - lanes + (size_t)8 * (v - 2);
            __m128i context = _mm_loadu_si128((const __m128i *)(const void *)(contexts + k));
            __m128i symbol = _mm_loadu_si128((const __m128i *)(const void *)(symbols + k));

            x[v - 1] =
                encode_places(self, x[v - 1], _mm_unpackhi_epi8(symbol, context), &least, &at);
            x[v - 2] =
                encode_places(self, x[v - 2], _mm_unpacklo_epi8(symbol, context), &least, &at);
        }
    }
    for (unsigned v = 0; v < lanes / 8; v++) {
        _mm256_storeu_si256((__m256i *)(void *)(state + (size_t)8 * v), x[v]);
    }
    *known = *known && _mm256_testc_si256(least, one) != 0;
    return at;
}

TARGET enum ox_code rans_encode_vectors(const struct ox_rans_freqs *freqs, unsigned lanes,
                                        uint32_t *state, const uint8_t *contexts,
                                        const uint8_t *symbols, size_t n, uint8_t **at, bool *known,
                                        struct ox_err *err)
{
    struct encoder *self = encoder_new(freqs);

    if (self == NULL) {
        return ox_err_nomem(err, "coding symbols");
    }
    *at = lanes == 32 ? encode_rounds(self, state, contexts, symbols, n, 32, *at, known)
                      : encode_rounds(self, state, contexts, symbols, n, 16, *at, known);
    free(self);
    return OX_OK;
}

/* --- decoding --- */

INLINE __m256i refill(__m256i x, const uint8_t **at, const uint8_t rows[256][8])
{
    const __m256i sign = _mm256_set1_epi32((int)0x80000000u);
    const __m256i low = _mm256_set1_epi32((int)(RANS_STATE_LOW ^ 0x80000000u));
    __m256i hungry = _mm256_cmpgt_epi32(low, _mm256_xor_si256(x, sign));
    unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(hungry));
    __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)*at));
    __m256i order =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)rows[mask]));

    *at += 2 * (unsigned)__builtin_popcount(mask);
    words = _mm256_permutevar8x32_epi32(words, order);
    return _mm256_blendv_epi8(x, _mm256_or_si256(_mm256_slli_epi32(x, 16), words), hungry);
}

INLINE __m256i lookup(const struct ox_rans_decoder *decoder, __m256i x, __m128i tables)
{
    __m256i slot =
        _mm256_or_si256(_mm256_slli_epi32(_mm256_cvtepu8_epi32(tables), OX_RANS_SCALE_BITS),
                        _mm256_and_si256(x, _mm256_set1_epi32((int)RANS_MASK)));

    return _mm256_i32gather_epi32((const int *)(const void *)decoder->slot, slot, 4);
}

INLINE __m256i advance(__m256i x, __m256i entry)
{
    __m256i freq = _mm256_add_epi32(
        _mm256_and_si256(_mm256_srli_epi32(entry, 8), _mm256_set1_epi32((int)RANS_MASK)),
        _mm256_set1_epi32(1));

    return _mm256_add_epi32(_mm256_mullo_epi32(freq, _mm256_srli_epi32(x, OX_RANS_SCALE_BITS)),
                            _mm256_srli_epi32(entry, 20));
}

/* table_of[] of 16 contexts. */
INLINE __m128i tables_of(const uint8_t *table_of, const uint8_t *contexts)
{
    __m128i context = _mm_loadu_si128((const __m128i *)(const void *)contexts);
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)table_of);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(table_of + 16));

    return _mm_blendv_epi8(_mm_shuffle_epi8(low, context), _mm_shuffle_epi8(high, context),
                           _mm_slli_epi16(context, 3));
}

/* A round of 16 or 32 symbols at a time, while words are plenty; how many symbols were decoded. */
INLINE size_t decode_rounds(const struct ox_rans_decoder *decoder, struct ox_rans_stream *in,
                            const uint8_t *contexts, uint8_t *symbols, size_t n, unsigned lanes)
{
    const __m256i bytes = _mm256_set1_epi32(255);
    const uint8_t *at = in->at;
    __m256i x[OX_RANS_LANES_MAX / 8];
    size_t i = 0;

    for (unsigned v = 0; v < lanes / 8; v++) {
        x[v] = _mm256_loadu_si256((const __m256i *)(const void *)(in->state + (size_t)8 * v));
    }
    for (; n - i >= lanes && in->end - at >= 2 * OX_RANS_LANES_MAX + 16; i += lanes) {
        __m256i e[OX_RANS_LANES_MAX / 8];

        for (unsigned v = 0; v < lanes / 8; v += 2) {
            __m128i tables = tables_of(decoder->table_of, contexts + i + (size_t)8 * v);
            __m256i pairs;

            e[v] = lookup(decoder, x[v], tables);
            e[v + 1] = lookup(decoder, x[v + 1], _mm_srli_si128(tables, 8));
            pairs = _mm256_permute4x64_epi64(_mm256_packus_epi32(_mm256_and_si256(e[v], bytes),
                                                                 _mm256_and_si256(e[v + 1], bytes)),
                                             0xd8);
            _mm_storeu_si128((__m128i *)(void *)(symbols + i + (size_t)8 * v),
                             _mm_packus_epi16(_mm256_castsi256_si128(pairs),
                                              _mm256_extracti128_si256(pairs, 1)));
        }
        for (unsigned v = 0; v < lanes / 8; v++) {
            x[v] = refill(advance(x[v], e[v]), &at, decoder->word_of_lane);
        }
    }
    for (unsigned v = 0; v < lanes / 8; v++) {
        _mm256_storeu_si256((__m256i *)(void *)(in->state + (size_t)8 * v), x[v]);
    }
    in->at = at;
    return i;
}

TARGET size_t rans_decode_vectors(const struct ox_rans_decoder *decoder, struct ox_rans_stream *in,
                                  const uint8_t *contexts, uint8_t *symbols, size_t n)
{
    return in->lanes == 32 ? decode_rounds(decoder, in, contexts, symbols, n, 32)
                           : decode_rounds(decoder, in, contexts, symbols, n, 16);
}

bool rans_have_vectors(void)
{
    return __builtin_cpu_supports("avx2");
}
#else
bool rans_have_vectors(void)
{
    return false;
}

enum ox_code rans_encode_vectors(const struct ox_rans_freqs *freqs, unsigned lanes, uint32_t *state,
                                 const uint8_t *contexts, const uint8_t *symbols, size_t n,
                                 uint8_t **at, bool *known, struct ox_err *err)
{
    (void)freqs;
    (void)lanes;
    (void)state;
    (void)contexts;
    (void)symbols;
    (void)n;
    (void)at;
    (void)known;
    return ox_err_set(err, OX_EINTERNAL, "this processor has no vectors");
}

size_t rans_decode_vectors(const struct ox_rans_decoder *decoder, struct ox_rans_stream *in,
                           const uint8_t *contexts, uint8_t *symbols, size_t n)
{
    (void)decoder;
    (void)in;
    (void)contexts;
    (void)symbols;
    (void)n;
    return 0;
}
#endif

#include "oxide/entropy/rans.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2_PATH 1
#include <immintrin.h>
#endif

#define STATE_LOW 0x10000u /* a state is at least this between symbols */
#define MASK (OX_RANS_SCALE - 1)

/* Below these many symbols fewer states are interleaved: each costs 4 bytes. */
#define LANES_FEW 4
#define N_FOR_MANY 4096
#define N_FOR_FEW 256

struct ox_rans_decoder {
    /* Per context and slot: symbol, frequency - 1 above 8 bits, slot - start above 20 bits. */
    uint32_t slot[OX_RANS_CONTEXTS_MAX << OX_RANS_SCALE_BITS];
};

static unsigned lanes_for(size_t n)
{
    return n >= N_FOR_MANY ? OX_RANS_LANES : n >= N_FOR_FEW ? LANES_FEW : 1;
}

/* --- encoding --- */

static void sum_up(const struct ox_rans_freqs *freqs,
                   uint16_t start[OX_RANS_CONTEXTS_MAX][OX_RANS_SYMBOLS_MAX])
{
    for (unsigned c = 0; c < freqs->contexts; c++) {
        uint32_t at = 0;

        for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
            start[c][s] = (uint16_t)at;
            at += freqs->freq[c][s];
        }
    }
}

enum ox_code ox_rans_encode(const struct ox_rans_freqs *freqs, const uint8_t *contexts,
                            const uint8_t *symbols, size_t n, struct ox_buf *out,
                            struct ox_err *err)
{
    uint16_t start[OX_RANS_CONTEXTS_MAX][OX_RANS_SYMBOLS_MAX];
    uint32_t state[OX_RANS_LANES];
    unsigned lanes = lanes_for(n);
    uint16_t *words = malloc((n + 1) * sizeof(*words)); /* a symbol puts out one word at most */
    size_t count = 0;
    enum ox_code code = OX_OK;

    if (words == NULL) {
        return ox_err_nomem(err, "coding symbols");
    }
    sum_up(freqs, start);
    for (unsigned l = 0; l < lanes; l++) {
        state[l] = STATE_LOW;
    }
    for (size_t i = n; i-- > 0;) { /* backwards: the decoder meets the last word first */
        uint32_t freq = freqs->freq[contexts[i]][symbols[i]];
        uint32_t x = state[i % lanes];

        if (freq == 0) {
            free(words);
            return ox_err_set(err, OX_EINVAL, "symbol %u has no frequency in context %u",
                              symbols[i], contexts[i]);
        }
        if (x >= (uint64_t)freq << (32 - OX_RANS_SCALE_BITS)) {
            words[count++] = (uint16_t)x;
            x >>= 16;
        }
        state[i % lanes] =
            ((x / freq) << OX_RANS_SCALE_BITS) + x % freq + start[contexts[i]][symbols[i]];
    }
    code = ox_buf_reserve(out, (size_t)lanes * 4 + count * 2, err);
    for (unsigned l = 0; code == OX_OK && l < lanes; l++) {
        code = ox_buf_put_u32le(out, state[l], err);
    }
    if (code == OX_OK) {
        uint8_t *to = out->data + out->len_bytes;

        for (size_t i = count; i-- > 0; to += 2) {
            to[0] = (uint8_t)words[i];
            to[1] = (uint8_t)(words[i] >> 8);
        }
        out->len_bytes += count * 2;
    }
    free(words);
    return code;
}

/* --- decoding --- */

enum ox_code ox_rans_decoder_new(struct ox_rans_decoder **out, struct ox_err *err)
{
    struct ox_rans_decoder *decoder = calloc(1, sizeof(*decoder));

    if (decoder == NULL) {
        return ox_err_nomem(err, "a decoder of symbols");
    }
    *out = decoder;
    return OX_OK;
}

void ox_rans_decoder_free(struct ox_rans_decoder *decoder)
{
    free(decoder);
}

void ox_rans_decoder_load(struct ox_rans_decoder *decoder, const struct ox_rans_freqs *freqs)
{
    for (unsigned c = 0; c < OX_RANS_CONTEXTS_MAX; c++) {
        uint32_t *slot = &decoder->slot[c << OX_RANS_SCALE_BITS];
        uint32_t at = 0;

        for (unsigned s = 0; c < freqs->contexts && s < OX_RANS_SYMBOLS_MAX; s++) {
            uint32_t freq = freqs->freq[c][s];

            for (uint32_t k = 0; k < freq; k++) {
                slot[at++] = s | (freq - 1) << 8 | k << 20;
            }
        }
        memset(slot + at, 0, (OX_RANS_SCALE - at) * sizeof(*slot));
    }
}

/* The states and the place in the words of a stream that is being decoded. */
struct stream {
    uint32_t state[OX_RANS_LANES];
    const uint8_t *at;
    const uint8_t *end;
    bool short_of_words;
};

static inline uint32_t step(const struct ox_rans_decoder *decoder, struct stream *in, unsigned lane,
                            uint8_t context)
{
    uint32_t x = in->state[lane];
    uint32_t entry = decoder->slot[(uint32_t)context << OX_RANS_SCALE_BITS | (x & MASK)];

    x = ((entry >> 8 & MASK) + 1) * (x >> OX_RANS_SCALE_BITS) + (entry >> 20);
    if (x < STATE_LOW) {
        if (in->end - in->at < 2) {
            in->short_of_words = true;
            in->state[lane] = STATE_LOW;
            return entry;
        }
        x = x << 16 | ox_load_u16le(in->at);
        in->at += 2;
    }
    in->state[lane] = x;
    return entry;
}

static void decode_portable(const struct ox_rans_decoder *decoder, struct stream *in,
                            const uint8_t *contexts, uint8_t *symbols, size_t from, size_t n,
                            unsigned lanes)
{
    for (size_t i = from; i < n; i++) {
        symbols[i] = (uint8_t)step(decoder, in, (unsigned)(i % lanes), contexts[i]);
    }
}

#ifdef HAVE_AVX2_PATH
/* Of 8 lanes, those whose bit is set take the next words in turn: row k says which word each takes.
 */
static void words_of_mask(uint8_t rows[256][8])
{
    for (unsigned mask = 0; mask < 256; mask++) {
        uint8_t next = 0;

        for (unsigned lane = 0; lane < 8; lane++) {
            rows[mask][lane] = next;
            next = (uint8_t)(next + (mask >> lane & 1));
        }
    }
}

__attribute__((target("avx2"))) static inline __m256i refill_avx2(__m256i x, const uint8_t **at,
                                                                  const uint8_t rows[256][8])
{
    const __m256i sign = _mm256_set1_epi32((int)0x80000000u);
    const __m256i low = _mm256_set1_epi32((int)(STATE_LOW ^ 0x80000000u));
    __m256i hungry = _mm256_cmpgt_epi32(low, _mm256_xor_si256(x, sign));
    unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(hungry));
    __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)*at));
    __m256i order =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)rows[mask]));

    *at += 2 * (unsigned)__builtin_popcount(mask);
    words = _mm256_permutevar8x32_epi32(words, order);
    return _mm256_blendv_epi8(x, _mm256_or_si256(_mm256_slli_epi32(x, 16), words), hungry);
}

__attribute__((target("avx2"))) static inline __m256i
lookup_avx2(const struct ox_rans_decoder *decoder, __m256i x, const uint8_t *contexts)
{
    __m256i context =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)contexts));
    __m256i slot = _mm256_or_si256(_mm256_slli_epi32(context, OX_RANS_SCALE_BITS),
                                   _mm256_and_si256(x, _mm256_set1_epi32((int)MASK)));

    return _mm256_i32gather_epi32((const int *)(const void *)decoder->slot, slot, 4);
}

__attribute__((target("avx2"))) static inline __m256i advance_avx2(__m256i x, __m256i entry)
{
    __m256i freq = _mm256_add_epi32(
        _mm256_and_si256(_mm256_srli_epi32(entry, 8), _mm256_set1_epi32((int)MASK)),
        _mm256_set1_epi32(1));

    return _mm256_add_epi32(_mm256_mullo_epi32(freq, _mm256_srli_epi32(x, OX_RANS_SCALE_BITS)),
                            _mm256_srli_epi32(entry, 20));
}

/* 16 symbols at a time, while words are plenty; returns how many symbols were decoded. */
__attribute__((target("avx2"))) static size_t decode_avx2(const struct ox_rans_decoder *decoder,
                                                          struct stream *in,
                                                          const uint8_t *contexts, uint8_t *symbols,
                                                          size_t n)
{
    uint8_t rows[256][8];
    __m256i *states = (__m256i *)(void *)in->state;
    __m256i x0 = _mm256_loadu_si256(states);
    __m256i x1 = _mm256_loadu_si256(states + 1);
    const __m256i bytes = _mm256_set1_epi32(255);
    const uint8_t *at = in->at;
    size_t i = 0;

    words_of_mask(rows);
    for (; n - i >= OX_RANS_LANES && in->end - at >= 64; i += OX_RANS_LANES) {
        __m256i e0 = lookup_avx2(decoder, x0, contexts + i);
        __m256i e1 = lookup_avx2(decoder, x1, contexts + i + 8);
        __m256i pairs = _mm256_permute4x64_epi64(
            _mm256_packus_epi32(_mm256_and_si256(e0, bytes), _mm256_and_si256(e1, bytes)), 0xd8);

        _mm_storeu_si128(
            (__m128i *)(void *)(symbols + i),
            _mm_packus_epi16(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1)));
        x0 = refill_avx2(advance_avx2(x0, e0), &at, (const uint8_t(*)[8])rows);
        x1 = refill_avx2(advance_avx2(x1, e1), &at, (const uint8_t(*)[8])rows);
    }
    _mm256_storeu_si256(states, x0);
    _mm256_storeu_si256(states + 1, x1);
    in->at = at;
    return i;
}
#endif

enum ox_code ox_rans_decode(const struct ox_rans_decoder *decoder, const uint8_t *contexts,
                            uint8_t *symbols, size_t n, struct ox_reader *reader,
                            struct ox_err *err)
{
    struct stream in = {.short_of_words = false};
    unsigned lanes = lanes_for(n);
    const uint8_t *states = NULL;
    size_t done = 0;
    enum ox_code code = ox_reader_bytes(reader, (size_t)lanes * 4, &states, err);

    if (code != OX_OK) {
        return code;
    }
    for (unsigned l = 0; l < lanes; l++) {
        in.state[l] = ox_load_u32le(states + (size_t)l * 4);
        if (in.state[l] < STATE_LOW) {
            return ox_err_set(err, OX_ECORRUPT, "coded symbols begin with a state that cannot be");
        }
    }
    in.at = reader->data + reader->pos;
    in.end = reader->data + reader->len_bytes;
#ifdef HAVE_AVX2_PATH
    if (lanes == OX_RANS_LANES && __builtin_cpu_supports("avx2")) {
        done = decode_avx2(decoder, &in, contexts, symbols, n);
    }
#endif
    decode_portable(decoder, &in, contexts, symbols, done, n, lanes);
    if (in.short_of_words) {
        return ox_err_set(err, OX_ECORRUPT, "coded symbols end early");
    }
    for (unsigned l = 0; l < lanes; l++) {
        if (in.state[l] != STATE_LOW) {
            return ox_err_set(err, OX_ECORRUPT, "coded symbols are damaged");
        }
    }
    reader->pos = (size_t)(in.at - reader->data);
    return OX_OK;
}

#include "oxide/entropy/rans.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2_PATH 1
#include <immintrin.h>
#endif

#define STATE_LOW 0x10000u /* a state is at least this between symbols */
#define MASK (OX_RANS_SCALE - 1)
#define LANES_LOG_MAX 5

unsigned ox_rans_lanes(size_t n, uint64_t cost_bytes)
{
    if (cost_bytes >= 32768) {
        return 32;
    }
    if (cost_bytes >= 8192) {
        return 16;
    }
    return n >= 65536 || cost_bytes >= 1024 ? 4 : 1;
}

/* --- encoding --- */

/* Division by a frequency as a multiplication: for x < freq << 20, which holds once a word went
 * out, x / freq == x * reciprocal >> 44, and the product stays under 2^64. */
#define RECIPROCAL_BITS 44

struct coding {
    uint64_t reciprocal;
    uint32_t freq;
    uint32_t start;
};

static struct coding *codings_of(const struct ox_rans_freqs *freqs)
{
    struct coding *codings = malloc(freqs->tables * OX_RANS_SYMBOLS_MAX * sizeof(*codings));
    struct coding *to = codings;

    for (unsigned t = 0; codings != NULL && t < freqs->tables; t++) {
        uint32_t start = 0;

        for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++, to++) {
            uint32_t freq = freqs->table[t].freq[s];

            *to = (struct coding){0, freq, start};
            if (freq > 0) {
                to->reciprocal = (((uint64_t)1 << RECIPROCAL_BITS) + freq - 1) / freq;
            }
            start += freq;
        }
    }
    return codings;
}

/* One symbol more; its word, if one goes out, is put in front of `at`. */
static inline uint8_t *encode_one(uint32_t *state, const struct coding *coding, uint8_t *at)
{
    uint32_t x = *state;
    uint32_t out = (x >> (32 - OX_RANS_SCALE_BITS)) >= coding->freq;

    at[-2] = (uint8_t)x;
    at[-1] = (uint8_t)(x >> 8);
    at -= 2 * out;
    x >>= 16 * out;
    *state = x + coding->start +
             (uint32_t)(x * coding->reciprocal >> RECIPROCAL_BITS) * (OX_RANS_SCALE - coding->freq);
    return at;
}

enum ox_code ox_rans_encode(const struct ox_rans_freqs *freqs, unsigned lanes,
                            const uint8_t *contexts, const uint8_t *symbols, size_t n,
                            struct ox_buf *out, struct ox_err *err)
{
    const struct coding *rows[OX_RANS_CONTEXTS_MAX];
    uint32_t state[OX_RANS_LANES_MAX];
    size_t front = 1 + (size_t)lanes * 4;
    size_t room =
        front + 2 * n + 2; /* a symbol puts out one word at most, and one is written ahead */
    struct coding *codings = NULL;
    bool known = true;
    uint8_t *end;
    uint8_t *at;
    enum ox_code code = ox_buf_reserve(out, room, err);

    if (code != OX_OK) {
        return code;
    }
    codings = codings_of(freqs);
    if (codings == NULL) {
        return ox_err_nomem(err, "coding symbols");
    }
    for (unsigned c = 0; c < OX_RANS_CONTEXTS_MAX; c++) {
        rows[c] = codings + (size_t)freqs->table_of[c] * OX_RANS_SYMBOLS_MAX;
    }
    for (unsigned l = 0; l < lanes; l++) {
        state[l] = STATE_LOW;
    }
    end = at = out->data + out->len_bytes + room;
    for (size_t i = n; i-- > 0;) { /* backwards: the decoder meets the last word first */
        const struct coding *coding = &rows[contexts[i]][symbols[i]];

        known &= coding->freq > 0;
        at = encode_one(&state[i & (lanes - 1)], coding, at);
    }
    free(codings);
    if (!known) {
        return ox_err_set(err, OX_EINVAL, "a symbol has no frequency in its context");
    }
    out->data[out->len_bytes++] = (uint8_t)__builtin_ctz(lanes);
    for (unsigned l = 0; l < lanes; l++, out->len_bytes += 4) {
        ox_store_u32le(out->data + out->len_bytes, state[l]);
    }
    memmove(out->data + out->len_bytes, at, (size_t)(end - at));
    out->len_bytes += (size_t)(end - at);
    return OX_OK;
}

/* --- decoding --- */

struct ox_rans_decoder {
    /* Per table and slot: symbol, frequency - 1 above 8 bits, slot - start above 20 bits. */
    uint32_t slot[OX_RANS_CONTEXTS_MAX << OX_RANS_SCALE_BITS];
    uint8_t table_of[OX_RANS_CONTEXTS_MAX];
    bool vectors;
    /* Of 8 lanes, those whose bit is set take the next words in turn: row k says which word each
     * takes. */
    uint8_t word_of_lane[256][8];
};

enum ox_code ox_rans_decoder_new(struct ox_rans_decoder **out, struct ox_err *err)
{
    struct ox_rans_decoder *decoder = calloc(1, sizeof(*decoder));

    if (decoder == NULL) {
        return ox_err_nomem(err, "a decoder of symbols");
    }
    for (unsigned mask = 0; mask < 256; mask++) {
        uint8_t next = 0;

        for (unsigned lane = 0; lane < 8; lane++) {
            decoder->word_of_lane[mask][lane] = next;
            next = (uint8_t)(next + (mask >> lane & 1));
        }
    }
    ox_rans_decoder_use_vectors(decoder, true);
    *out = decoder;
    return OX_OK;
}

void ox_rans_decoder_free(struct ox_rans_decoder *decoder)
{
    free(decoder);
}

void ox_rans_decoder_use_vectors(struct ox_rans_decoder *decoder, bool vectors)
{
#ifdef HAVE_AVX2_PATH
    decoder->vectors = vectors && __builtin_cpu_supports("avx2");
#else
    (void)vectors;
    decoder->vectors = false;
#endif
}

void ox_rans_decoder_load(struct ox_rans_decoder *decoder, const struct ox_rans_freqs *freqs)
{
    memcpy(decoder->table_of, freqs->table_of, sizeof(decoder->table_of));
    for (unsigned t = 0; t < freqs->tables; t++) {
        uint32_t *slot = &decoder->slot[t << OX_RANS_SCALE_BITS];

        for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
            uint32_t freq = freqs->table[t].freq[s];
            uint32_t entry = s | (freq - 1) << 8;

            for (uint32_t k = 0; k < freq; k++) {
                slot[k] = entry | k << 20;
            }
            slot += freq;
        }
    }
}

enum ox_code ox_rans_decode_begin(struct ox_rans_stream *stream, const struct ox_reader *reader,
                                  struct ox_err *err)
{
    struct ox_reader ahead = *reader;
    const uint8_t *states = NULL;
    uint8_t lanes_log = 0;
    enum ox_code code = ox_reader_u8(&ahead, &lanes_log, err);

    if (code != OX_OK) {
        return code;
    }
    if (lanes_log > LANES_LOG_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "coded symbols claim 2^%u states, at most 2^%d can be",
                          lanes_log, LANES_LOG_MAX);
    }
    code = ox_reader_bytes(&ahead, (size_t)4 << lanes_log, &states, err);
    if (code != OX_OK) {
        return code;
    }
    *stream = (struct ox_rans_stream){.lanes = 1u << lanes_log};
    for (unsigned l = 0; l < stream->lanes; l++) {
        stream->state[l] = ox_load_u32le(states + (size_t)l * 4);
        if (stream->state[l] < STATE_LOW) {
            return ox_err_set(err, OX_ECORRUPT, "coded symbols begin with a state that cannot be");
        }
    }
    stream->at = ahead.data + ahead.pos;
    stream->end = ahead.data + ahead.len_bytes;
    return OX_OK;
}

static inline uint32_t advance(const struct ox_rans_decoder *decoder, uint32_t x, uint8_t context,
                               uint8_t *symbol)
{
    uint32_t table = decoder->table_of[context];
    uint32_t entry = decoder->slot[table << OX_RANS_SCALE_BITS | (x & MASK)];

    *symbol = (uint8_t)entry;
    return ((entry >> 8 & MASK) + 1) * (x >> OX_RANS_SCALE_BITS) + (entry >> 20);
}

/* Whole rounds of all lanes, while words are plenty. Without branches: whether a state wants a word
 * is as good as random. */
static size_t decode_rounds(const struct ox_rans_decoder *decoder, struct ox_rans_stream *in,
                            const uint8_t *contexts, uint8_t *symbols, size_t n)
{
    uint32_t state[OX_RANS_LANES_MAX];
    const uint8_t *at = in->at;
    const uint8_t *end = in->end;
    unsigned lanes = in->lanes;
    size_t i = 0;

    memcpy(state, in->state, sizeof(state));
    for (; n - i >= lanes && (size_t)(end - at) >= (size_t)2 * lanes; i += lanes) {
        for (unsigned l = 0; l < lanes; l++) {
            uint32_t x = advance(decoder, state[l], contexts[i + l], &symbols[i + l]);
            uint32_t hungry = x < STATE_LOW;

            state[l] = x << (16 * hungry) | (ox_load_u16le(at) & (0u - hungry));
            at += 2 * hungry;
        }
    }
    memcpy(in->state, state, sizeof(state));
    in->at = at;
    return i;
}

static void decode_rest(const struct ox_rans_decoder *decoder, struct ox_rans_stream *in,
                        const uint8_t *contexts, uint8_t *symbols, size_t from, size_t n)
{
    for (size_t i = from; i < n; i++) {
        uint32_t *state = &in->state[i & (in->lanes - 1)];
        uint32_t x = advance(decoder, *state, contexts[i], &symbols[i]);

        if (x < STATE_LOW) {
            if (in->end - in->at < 2) {
                in->ended_early = true;
                x = STATE_LOW;
            } else {
                x = x << 16 | ox_load_u16le(in->at);
                in->at += 2;
            }
        }
        *state = x;
    }
}

#ifdef HAVE_AVX2_PATH
#define AVX2_INLINE __attribute__((target("avx2"), always_inline)) static inline

AVX2_INLINE __m256i refill_avx2(__m256i x, const uint8_t **at, const uint8_t rows[256][8])
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

AVX2_INLINE __m256i lookup_avx2(const struct ox_rans_decoder *decoder, __m256i x, __m128i tables)
{
    __m256i slot =
        _mm256_or_si256(_mm256_slli_epi32(_mm256_cvtepu8_epi32(tables), OX_RANS_SCALE_BITS),
                        _mm256_and_si256(x, _mm256_set1_epi32((int)MASK)));

    return _mm256_i32gather_epi32((const int *)(const void *)decoder->slot, slot, 4);
}

AVX2_INLINE __m256i advance_avx2(__m256i x, __m256i entry)
{
    __m256i freq = _mm256_add_epi32(
        _mm256_and_si256(_mm256_srli_epi32(entry, 8), _mm256_set1_epi32((int)MASK)),
        _mm256_set1_epi32(1));

    return _mm256_add_epi32(_mm256_mullo_epi32(freq, _mm256_srli_epi32(x, OX_RANS_SCALE_BITS)),
                            _mm256_srli_epi32(entry, 20));
}

/* table_of[] of 16 contexts. */
AVX2_INLINE __m128i tables_avx2(const uint8_t *table_of, const uint8_t *contexts)
{
    __m128i context = _mm_loadu_si128((const __m128i *)(const void *)contexts);
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)table_of);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(table_of + 16));

    return _mm_blendv_epi8(_mm_shuffle_epi8(low, context), _mm_shuffle_epi8(high, context),
                           _mm_slli_epi16(context, 3));
}

/* A round of 16 or 32 symbols at a time, while words are plenty; how many symbols were decoded. */
AVX2_INLINE size_t rounds_avx2(const struct ox_rans_decoder *decoder, struct ox_rans_stream *in,
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
            __m128i tables = tables_avx2(decoder->table_of, contexts + i + (size_t)8 * v);
            __m256i pairs;

            e[v] = lookup_avx2(decoder, x[v], tables);
            e[v + 1] = lookup_avx2(decoder, x[v + 1], _mm_srli_si128(tables, 8));
            pairs = _mm256_permute4x64_epi64(_mm256_packus_epi32(_mm256_and_si256(e[v], bytes),
                                                                 _mm256_and_si256(e[v + 1], bytes)),
                                             0xd8);
            _mm_storeu_si128((__m128i *)(void *)(symbols + i + (size_t)8 * v),
                             _mm_packus_epi16(_mm256_castsi256_si128(pairs),
                                              _mm256_extracti128_si256(pairs, 1)));
        }
        for (unsigned v = 0; v < lanes / 8; v++) {
            x[v] = refill_avx2(advance_avx2(x[v], e[v]), &at, decoder->word_of_lane);
        }
    }
    for (unsigned v = 0; v < lanes / 8; v++) {
        _mm256_storeu_si256((__m256i *)(void *)(in->state + (size_t)8 * v), x[v]);
    }
    in->at = at;
    return i;
}

__attribute__((target("avx2"))) static size_t decode_avx2(const struct ox_rans_decoder *decoder,
                                                          struct ox_rans_stream *in,
                                                          const uint8_t *contexts, uint8_t *symbols,
                                                          size_t n)
{
    return in->lanes == 32 ? rounds_avx2(decoder, in, contexts, symbols, n, 32)
                           : rounds_avx2(decoder, in, contexts, symbols, n, 16);
}
#endif

void ox_rans_decode_next(const struct ox_rans_decoder *decoder, struct ox_rans_stream *stream,
                         const uint8_t *contexts, uint8_t *symbols, size_t n)
{
    size_t done = 0;

#ifdef HAVE_AVX2_PATH
    if (decoder->vectors && stream->lanes >= 16) {
        done = decode_avx2(decoder, stream, contexts, symbols, n);
    }
#endif
    done += decode_rounds(decoder, stream, contexts + done, symbols + done, n - done);
    decode_rest(decoder, stream, contexts, symbols, done, n);
}

enum ox_code ox_rans_decode_end(const struct ox_rans_stream *stream, struct ox_reader *reader,
                                struct ox_err *err)
{
    if (stream->ended_early) {
        return ox_err_set(err, OX_ECORRUPT, "coded symbols end early");
    }
    for (unsigned l = 0; l < stream->lanes; l++) {
        if (stream->state[l] != STATE_LOW) {
            return ox_err_set(err, OX_ECORRUPT, "coded symbols are damaged");
        }
    }
    reader->pos = (size_t)(stream->at - reader->data);
    return OX_OK;
}

enum ox_code ox_rans_decode(const struct ox_rans_decoder *decoder, const uint8_t *contexts,
                            uint8_t *symbols, size_t n, struct ox_reader *reader,
                            struct ox_err *err)
{
    struct ox_rans_stream stream;
    enum ox_code code = ox_rans_decode_begin(&stream, reader, err);

    if (code != OX_OK) {
        return code;
    }
    ox_rans_decode_next(decoder, &stream, contexts, symbols, n);
    return ox_rans_decode_end(&stream, reader, err);
}

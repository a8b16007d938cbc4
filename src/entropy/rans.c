#include "rans_inner.h"

#include <stdlib.h>
#include <string.h>

#define LANES_LOG_MAX 5

unsigned ox_rans_lanes(size_t n, uint64_t cost_bytes)
{
    if (cost_bytes >= 32768 || (cost_bytes >= 16384 && n >= 65536)) {
        return 32;
    }
    if (cost_bytes >= 8192 || (cost_bytes >= 1024 && n >= 262144)) {
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

static inline uint32_t encoded(uint32_t x, const struct coding *coding)
{
    return x + coding->start +
           (uint32_t)(x * coding->reciprocal >> RECIPROCAL_BITS) * (OX_RANS_SCALE - coding->freq);
}

/* One symbol more; its word, if one goes out, is put in front of `at`. */
static inline uint8_t *encode_one(uint32_t *state, const struct coding *coding, uint8_t *at)
{
    uint32_t x = *state;
    uint32_t out = (x >> (32 - OX_RANS_SCALE_BITS)) >= coding->freq;

    at[-2] = (uint8_t)x;
    at[-1] = (uint8_t)(x >> 8);
    at -= 2 * out;
    *state = encoded(x >> (16 * out), coding);
    return at;
}

/* Symbols from the n-th back to the one at `from`. */
static inline uint8_t *encode_back(const struct coding *const *rows, uint32_t *state,
                                   const uint8_t *contexts, const uint8_t *symbols, size_t from,
                                   size_t n, unsigned lanes, uint8_t *at, bool *known)
{
    for (size_t i = n; i-- > from;) { /* backwards: the decoder meets the last word first */
        const struct coding *coding = &rows[contexts[i]][symbols[i]];

        *known &= coding->freq > 0;
        at = encode_one(&state[i & (lanes - 1)], coding, at);
    }
    return at;
}

/* The same in whole rounds of FEW states, which stay in registers. So few are for streams that put
 * out few words: whether one goes out can be foretold. */
#define FEW 4
static uint8_t *encode_few(const struct coding *const *rows, uint32_t *state,
                           const uint8_t *contexts, const uint8_t *symbols, size_t n, uint8_t *at,
                           bool *known)
{
    uint32_t kept[FEW];

    memcpy(kept, state, sizeof(kept));
    for (size_t i = n; i > 0; i -= FEW) {
        for (unsigned l = FEW; l-- > 0;) {
            const struct coding *coding = &rows[contexts[i - FEW + l]][symbols[i - FEW + l]];
            uint32_t x = kept[l];

            if (x >> (32 - OX_RANS_SCALE_BITS) >= coding->freq) {
                *known &= coding->freq > 0;
                at -= 2;
                at[0] = (uint8_t)x;
                at[1] = (uint8_t)(x >> 8);
                x >>= 16;
            }
            kept[l] = encoded(x, coding);
        }
    }
    memcpy(state, kept, sizeof(kept));
    return at;
}

static uint8_t *encode_portably(const struct ox_rans_freqs *freqs, const struct coding *codings,
                                uint32_t *state, const uint8_t *contexts, const uint8_t *symbols,
                                size_t from, size_t n, unsigned lanes, uint8_t *at, bool *known)
{
    const struct coding *rows[OX_RANS_CONTEXTS_MAX];
    size_t whole = lanes == FEW && from == 0 ? n / FEW * FEW : from;

    for (unsigned c = 0; c < OX_RANS_CONTEXTS_MAX; c++) {
        rows[c] = codings + (size_t)freqs->table_of[c] * OX_RANS_SYMBOLS_MAX;
    }
    at = encode_back(rows, state, contexts, symbols, whole, n, lanes, at, known);
    return whole > from ? encode_few(rows, state, contexts, symbols, whole, at, known) : at;
}

enum ox_code ox_rans_encode(const struct ox_rans_freqs *freqs, unsigned lanes, bool vectors,
                            const uint8_t *contexts, const uint8_t *symbols, size_t n,
                            struct ox_buf *out, struct ox_err *err)
{
    uint32_t state[OX_RANS_LANES_MAX];
    size_t front = 1 + (size_t)lanes * 4;
    size_t room =
        front + 2 * n + 2; /* a symbol puts out one word at most, and one is written ahead */
    size_t whole = vectors && lanes >= 16 && rans_have_vectors() ? n / lanes * lanes : 0;
    struct coding *codings = codings_of(freqs);
    bool known = true;
    uint8_t *end;
    uint8_t *at;
    enum ox_code code;

    if (codings == NULL) {
        return ox_err_nomem(err, "coding symbols");
    }
    if ((code = ox_buf_reserve(out, room, err)) != OX_OK) {
        goto out;
    }
    for (unsigned l = 0; l < lanes; l++) {
        state[l] = RANS_STATE_LOW;
    }
    end = out->data + out->len_bytes + room;
    at = encode_portably(freqs, codings, state, contexts, symbols, whole, n, lanes, end, &known);
    if (whole > 0 && (code = rans_encode_vectors(freqs, lanes, state, contexts, symbols, whole, &at,
                                                 &known, err)) != OX_OK) {
        goto out;
    }
    if (!known) {
        code = ox_err_set(err, OX_EINVAL, "a symbol has no frequency in its context");
        goto out;
    }
    out->data[out->len_bytes++] = (uint8_t)__builtin_ctz(lanes);
    for (unsigned l = 0; l < lanes; l++, out->len_bytes += 4) {
        ox_store_u32le(out->data + out->len_bytes, state[l]);
    }
    memmove(out->data + out->len_bytes, at, (size_t)(end - at));
    out->len_bytes += (size_t)(end - at);
out:
    free(codings);
    return code;
}

/* --- decoding --- */

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
    decoder->vectors = vectors && rans_have_vectors();
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
        if (stream->state[l] < RANS_STATE_LOW) {
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
    uint32_t entry = decoder->slot[table << OX_RANS_SCALE_BITS | (x & RANS_MASK)];

    *symbol = (uint8_t)entry;
    return ((entry >> 8 & RANS_MASK) + 1) * (x >> OX_RANS_SCALE_BITS) + (entry >> 20);
}

/* Whole rounds of all lanes, while words are plenty. Where lanes are many, whether a state wants a
 * word is as good as random: no branches. Where they are few, words are, too, and it can be
 * foretold. */
static inline size_t decode_rounds(const struct ox_rans_decoder *decoder, struct ox_rans_stream *in,
                                   const uint8_t *contexts, uint8_t *symbols, size_t n,
                                   unsigned lanes)
{
    uint32_t state[OX_RANS_LANES_MAX];
    const uint8_t *at = in->at;
    const uint8_t *end = in->end;
    size_t i = 0;

    memcpy(state, in->state, lanes * sizeof(state[0]));
    for (; n - i >= lanes && (size_t)(end - at) >= (size_t)2 * lanes; i += lanes) {
        for (unsigned l = 0; l < lanes; l++) {
            uint32_t x = advance(decoder, state[l], contexts[i + l], &symbols[i + l]);
            uint32_t hungry = x < RANS_STATE_LOW;

            if (lanes > FEW) {
                x = x << (16 * hungry) | (ox_load_u16le(at) & (0u - hungry));
                at += 2 * hungry;
            } else if (hungry) {
                x = x << 16 | ox_load_u16le(at);
                at += 2;
            }
            state[l] = x;
        }
    }
    memcpy(in->state, state, lanes * sizeof(state[0]));
    in->at = at;
    return i;
}

static void decode_rest(const struct ox_rans_decoder *decoder, struct ox_rans_stream *in,
                        const uint8_t *contexts, uint8_t *symbols, size_t from, size_t n)
{
    for (size_t i = from; i < n; i++) {
        uint32_t *state = &in->state[i & (in->lanes - 1)];
        uint32_t x = advance(decoder, *state, contexts[i], &symbols[i]);

        if (x < RANS_STATE_LOW) {
            if (in->end - in->at < 2) {
                in->ended_early = true;
                x = RANS_STATE_LOW;
            } else {
                x = x << 16 | ox_load_u16le(in->at);
                in->at += 2;
            }
        }
        *state = x;
    }
}

void ox_rans_decode_next(const struct ox_rans_decoder *decoder, struct ox_rans_stream *stream,
                         const uint8_t *contexts, uint8_t *symbols, size_t n)
{
    size_t done = 0;

    if (decoder->vectors && stream->lanes >= 16) {
        done = rans_decode_vectors(decoder, stream, contexts, symbols, n);
    }
    contexts += done;
    symbols += done;
    n -= done;
    done = stream->lanes == FEW
               ? decode_rounds(decoder, stream, contexts, symbols, n, FEW)
               : decode_rounds(decoder, stream, contexts, symbols, n, stream->lanes);
    decode_rest(decoder, stream, contexts, symbols, done, n);
}

enum ox_code ox_rans_decode_end(const struct ox_rans_stream *stream, struct ox_reader *reader,
                                struct ox_err *err)
{
    if (stream->ended_early) {
        return ox_err_set(err, OX_ECORRUPT, "coded symbols end early");
    }
    for (unsigned l = 0; l < stream->lanes; l++) {
        if (stream->state[l] != RANS_STATE_LOW) {
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

/* Frequencies: from counts, described in few bits, and what they cost. */
#include "oxide/entropy/bits.h"
#include "oxide/entropy/rans.h"

#include <string.h>

/* A frequency keeps its top bit and four below it: what that loses costs under 0.1 % of the coded
 * size, and exact ones would cost twice the description. */
#define MANTISSA_BITS 4

static unsigned bit_length(uint32_t value)
{
    unsigned length = 0;

    while (value >> length != 0) {
        length++;
    }
    return length;
}

static uint32_t round_down(uint32_t freq)
{
    unsigned length = bit_length(freq);
    unsigned drop = length > MANTISSA_BITS + 1 ? length - MANTISSA_BITS - 1 : 0;

    return freq >> drop << drop;
}

static uint32_t round_near(uint32_t freq)
{
    unsigned length = bit_length(freq);
    unsigned drop = length > MANTISSA_BITS + 1 ? length - MANTISSA_BITS - 1 : 0;

    return drop == 0 ? freq : round_down(freq + (1u << (drop - 1)));
}

static unsigned largest(const uint16_t *freq, unsigned but)
{
    unsigned best = but == 0 ? 1 : 0;

    for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
        if (s != but && freq[s] > freq[best]) {
            best = s;
        }
    }
    return best;
}

/* One context. The most frequent symbol takes what the others leave, and is not described. */
static void from_counts(uint16_t *freq, const uint32_t *count)
{
    uint64_t total = 0;
    uint32_t others = 0;
    unsigned top = 0;
    uint32_t want_top;

    memset(freq, 0, OX_RANS_SYMBOLS_MAX * sizeof(*freq));
    for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
        total += count[s];
        top = count[s] > count[top] ? s : top;
    }
    if (total == 0) {
        return;
    }
    for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
        if (count[s] > 0 && s != top) {
            uint64_t exact = ((uint64_t)count[s] * OX_RANS_SCALE + total / 2) / total;

            freq[s] = (uint16_t)(exact == 0 ? 1 : round_near((uint32_t)exact));
            others += freq[s];
        }
    }
    /* Rounding up must not starve the top: lower the largest others until it has most of its own.
     */
    want_top = (uint32_t)((uint64_t)count[top] * OX_RANS_SCALE / total) * 3 / 4;
    while (others + (want_top == 0 ? 1 : want_top) > OX_RANS_SCALE) {
        unsigned next = largest(freq, top);

        others -= freq[next];
        freq[next] = (uint16_t)round_down(freq[next] - 1u);
        others += freq[next];
    }
    freq[top] = (uint16_t)(OX_RANS_SCALE - others);
}

void ox_rans_freqs_from_counts(struct ox_rans_freqs *out, const struct ox_rans_counts *counts,
                               unsigned contexts)
{
    memset(out, 0, sizeof(*out));
    out->contexts = contexts;
    for (unsigned c = 0; c < contexts; c++) {
        from_counts(out->freq[c], counts->count[c]);
    }
}

/* --- description --- */

/* The symbol that takes what the others leave: the one whose frequency is not a rounded one. */
static unsigned find_top(const uint16_t *freq)
{
    for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
        if (round_down(freq[s]) != freq[s]) {
            return s;
        }
    }
    return largest(freq, OX_RANS_SYMBOLS_MAX);
}

static enum ox_code put_context(const uint16_t *freq, struct ox_bits_writer *bits,
                                struct ox_err *err)
{
    unsigned low = 0;
    unsigned high = OX_RANS_SYMBOLS_MAX;
    unsigned top = find_top(freq);
    unsigned before = 6; /* a middling length to begin with */
    enum ox_code code;

    while (low < OX_RANS_SYMBOLS_MAX && freq[low] == 0) {
        low++;
    }
    if (low == OX_RANS_SYMBOLS_MAX) {
        return ox_bits_put(bits, 0, 1, err);
    }
    while (freq[high - 1] == 0) {
        high--;
    }
    if ((code = ox_bits_put(bits, 1, 1, err)) != OX_OK ||
        (code = ox_bits_put(bits, low, 8, err)) != OX_OK ||
        (code = ox_bits_put(bits, high - 1, 8, err)) != OX_OK ||
        (code = ox_bits_put(bits, top, 8, err)) != OX_OK) {
        return code;
    }
    for (unsigned s = low; code == OX_OK && s < high; s++) {
        unsigned length = bit_length(freq[s]);
        unsigned mantissa = length > MANTISSA_BITS + 1 ? MANTISSA_BITS
                            : length > 0               ? length - 1
                                                       : 0;
        int step = (int)length - (int)before;

        if (s == top) {
            continue;
        }
        code =
            ox_bits_put_gamma(bits, step > 0 ? (uint32_t)step * 2 : (uint32_t)(-step) * 2 + 1, err);
        if (code == OX_OK && mantissa > 0) {
            code = ox_bits_put(bits, freq[s] >> (length - 1 - mantissa), mantissa, err);
        }
        before = length;
    }
    return code;
}

enum ox_code ox_rans_freqs_put(const struct ox_rans_freqs *freqs, struct ox_buf *out,
                               struct ox_err *err)
{
    struct ox_bits_writer bits = {.out = out};
    enum ox_code code = ox_buf_put_u8(out, (uint8_t)freqs->contexts, err);

    for (unsigned c = 0; code == OX_OK && c < freqs->contexts; c++) {
        code = put_context(freqs->freq[c], &bits, err);
    }
    return code == OX_OK ? ox_bits_end(&bits, err) : code;
}

static enum ox_code read_one(struct ox_bits_reader *bits, unsigned *length, uint32_t *freq,
                             struct ox_err *err)
{
    uint32_t coded = 0;
    uint32_t low = 0;
    unsigned mantissa;
    int64_t next;
    enum ox_code code = ox_bits_get_gamma(bits, &coded, err);

    if (code != OX_OK) {
        return code;
    }
    next = (int64_t)*length + ((coded & 1) != 0 ? -(int64_t)(coded >> 1) : (int64_t)(coded >> 1));
    if (next < 0 || next > OX_RANS_SCALE_BITS) {
        return ox_err_set(err, OX_ECORRUPT, "a table of frequencies is out of bounds");
    }
    *length = (unsigned)next;
    mantissa = *length > MANTISSA_BITS + 1 ? MANTISSA_BITS : *length > 0 ? *length - 1 : 0;
    code = ox_bits_get(bits, mantissa, &low, err);
    if (code == OX_OK) {
        *freq = *length == 0 ? 0 : ((1u << mantissa) | low) << (*length - 1 - mantissa);
    }
    return code;
}

static enum ox_code read_context(uint16_t *freq, struct ox_bits_reader *bits, struct ox_err *err)
{
    uint32_t used = 0;
    uint32_t low = 0;
    uint32_t high = 0;
    uint32_t top = 0;
    uint32_t others = 0;
    unsigned length = 6;
    enum ox_code code = ox_bits_get(bits, 1, &used, err);

    if (code != OX_OK || used == 0) {
        return code;
    }
    if ((code = ox_bits_get(bits, 8, &low, err)) != OX_OK ||
        (code = ox_bits_get(bits, 8, &high, err)) != OX_OK ||
        (code = ox_bits_get(bits, 8, &top, err)) != OX_OK) {
        return code;
    }
    if (low > top || top > high) {
        return ox_err_set(err, OX_ECORRUPT, "a table of frequencies is out of order");
    }
    for (uint32_t s = low; code == OX_OK && s <= high; s++) {
        uint32_t one = 0;

        if (s != top) {
            code = read_one(bits, &length, &one, err);
            freq[s] = (uint16_t)one;
            others += one;
        }
    }
    if (code == OX_OK && others >= OX_RANS_SCALE) {
        code = ox_err_set(err, OX_ECORRUPT, "a table of frequencies adds up to too much");
    }
    if (code == OX_OK) {
        freq[top] = (uint16_t)(OX_RANS_SCALE - others);
    }
    return code;
}

enum ox_code ox_rans_freqs_read(struct ox_rans_freqs *out, struct ox_reader *reader,
                                struct ox_err *err)
{
    struct ox_bits_reader bits;
    const uint8_t *skipped = NULL;
    uint8_t contexts = 0;
    enum ox_code code = ox_reader_u8(reader, &contexts, err);

    if (code != OX_OK) {
        return code;
    }
    if (contexts == 0 || contexts > OX_RANS_CONTEXTS_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "coded symbols claim %u contexts, 1 to %d can be",
                          contexts, OX_RANS_CONTEXTS_MAX);
    }
    memset(out, 0, sizeof(*out));
    out->contexts = contexts;
    bits = (struct ox_bits_reader){reader->data + reader->pos, ox_reader_left(reader), 0};
    for (unsigned c = 0; code == OX_OK && c < contexts; c++) {
        code = read_context(out->freq[c], &bits, err);
    }
    return code == OX_OK ? ox_reader_bytes(reader, (size_t)((bits.pos_bits + 7) / 8), &skipped, err)
                         : code;
}

/* --- cost --- */

/* log2 of a frequency in 1/256, by squaring: each squaring gives one more bit. */
static uint32_t log2_fixed(uint32_t freq)
{
    unsigned whole = bit_length(freq) - 1;
    uint64_t x = (uint64_t)freq << (31 - whole); /* 1.31 fixed point in [1, 2) */
    uint32_t log = whole;

    for (unsigned i = 0; i < 8; i++) {
        x = x * x >> 31;
        log <<= 1;
        if (x >> 32 != 0) {
            log |= 1;
            x >>= 1;
        }
    }
    return log;
}

uint64_t ox_rans_cost(const struct ox_rans_counts *counts, const struct ox_rans_freqs *freqs)
{
    uint64_t cost = 0;

    for (unsigned c = 0; c < freqs->contexts; c++) {
        for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
            if (counts->count[c][s] > 0 && freqs->freq[c][s] > 0) {
                cost += (uint64_t)counts->count[c][s] *
                        (OX_RANS_SCALE_BITS * 256 - log2_fixed(freqs->freq[c][s]));
            }
        }
    }
    return cost;
}

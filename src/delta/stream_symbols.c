#include "stream_symbols_inner.h"

#include <string.h>

#define KEPT_MAX 4

unsigned symbols_kept_max(enum number_kind kind)
{
    return number_kinds[kind].mantissa_bits < KEPT_MAX ? number_kinds[kind].mantissa_bits
                                                       : KEPT_MAX;
}

/* Steps: sizes 0 to 3 are themselves; from 4 on, four steps to an octave, the bits below are raw.
 * Symbol 0 is step 0, others 2 * step - 1 + negative. The highest that can be is of step 123, with
 * 29 raw bits; the symbols above it mean nothing and only must do no harm. */
static void init_steps(struct symbols *self)
{
    for (unsigned s = 0; s < SYMBOL_COUNT; s++) {
        unsigned step = (s + 1) / 2;

        self->raw_bits[s] = (uint8_t)(step < 8 ? 0 : step / 4 - 1);
        self->first[s] = step < 4 ? step : (4 | (step & 3)) << self->raw_bits[s];
    }
}

static void init_tops(struct symbols *self)
{
    const struct number_kind_row *row = &number_kinds[self->kind];
    unsigned cut = row->mantissa_bits - self->kept_bits;

    self->first[SYMBOL_ESCAPE] = 0;
    self->raw_bits[SYMBOL_ESCAPE] = (uint8_t)(8 * row->width);
    self->first[SYMBOL_ZERO] = 0;
    self->raw_bits[SYMBOL_ZERO] = 0;
    for (uint32_t i = 0; i < SYMBOL_TOPS; i++) {
        self->first[i + 2] = (self->lowest + i) << cut;
        self->raw_bits[i + 2] = (uint8_t)(cut + 1); /* and the sign */
    }
}

void symbols_init(struct symbols *symbols, enum vector_path most)
{
    enum vector_path best = symbols_best_vectors();

    symbols->vectors = best < most ? best : most;
    if (symbols->meaning == SYMBOL_TOP) {
        init_tops(symbols);
    } else if (symbols->meaning == SYMBOL_STEP) {
        init_steps(symbols);
    } else {
        memset(symbols->first, 0, sizeof(symbols->first));
        memset(symbols->raw_bits, 0, sizeof(symbols->raw_bits));
    }
}

size_t symbols_raw_max(const struct symbols *symbols, size_t count)
{
    return symbols->meaning == SYMBOL_NUMBER ? 8 : count * number_kinds[symbols->kind].width + 8;
}

/* --- splitting --- */

INLINE void split_steps(const uint8_t *predicted, const uint8_t *numbers, size_t from, size_t count,
                        uint8_t *out, struct raw_writer *raw, unsigned width, bool is_float)
{
    for (size_t i = from; i < count; i++) {
        uint32_t before = load(predicted + i * width, width);
        uint32_t flip = is_float ? sign_of(before, width) : 0;
        uint32_t diff = sign_extend(ordered(load(numbers + i * width, width), width, is_float) -
                                        ordered(before, width, is_float),
                                    width);
        uint32_t negative;
        uint32_t size;
        uint32_t step;
        unsigned bits;

        diff = (diff ^ flip) - flip; /* with its sign relative to the prediction's */
        negative = diff >> 31;
        size = (diff ^ (0u - negative)) + negative;
        bits = 29 - (unsigned)__builtin_clz(size | 4); /* below the two under the highest */
        step = 4 * bits + (size >> bits);
        out[i] = (uint8_t)(2 * step - (step != 0) + negative);
        raw_put(raw, size, bits);
    }
}

INLINE void split_tops(const struct symbols *self, const uint8_t *numbers, size_t count,
                       uint8_t *out, struct raw_writer *raw, unsigned width)
{
    unsigned cut = number_kinds[self->kind].mantissa_bits - self->kept_bits;
    unsigned top_bit = 8 * width - 1;

    for (size_t i = 0; i < count; i++) {
        uint32_t bits = load(numbers + i * width, width);
        uint32_t magnitude = bits & ~(1u << top_bit);
        uint32_t place = (magnitude >> cut) - self->lowest;
        uint32_t symbol = bits == 0 ? SYMBOL_ZERO : place < SYMBOL_TOPS ? place + 2 : SYMBOL_ESCAPE;

        out[i] = (uint8_t)symbol;
        /* the sign comes first, then the magnitude's low bits: all of them for an escape */
        raw_put(raw, magnitude << 1 | bits >> top_bit, self->raw_bits[symbol]);
    }
}

INLINE void split(const struct symbols *self, const uint8_t *predicted, const uint8_t *numbers,
                  size_t from, size_t count, uint8_t *out, struct raw_writer *raw,
                  enum symbol_meaning meaning, unsigned width, bool is_float)
{
    if (meaning == SYMBOL_TOP) {
        split_tops(self, numbers, count, out, raw, width);
    } else {
        split_steps(predicted, numbers, from, count, out, raw, width, is_float);
    }
}

size_t symbols_split(const struct symbols *symbols, const uint8_t *predicted,
                     const uint8_t *numbers, size_t count, uint8_t *out, uint8_t *raw)
{
    struct raw_writer writer = {raw, 0, 0};
    size_t done = 0;

    if (symbols->meaning == SYMBOL_NUMBER) {
        memcpy(out, numbers, count);
        return 0;
    }
    if (symbols->vectors != VECTORS_NONE) {
        done = symbols_split_vectors(symbols, predicted, numbers, count, out, &writer);
    }
#define SPLIT(meaning, width, is_float)                                                            \
    split(symbols, predicted, numbers, done, count, out, &writer, meaning, width, is_float)
    DISPATCH(SPLIT, symbols);
#undef SPLIT
    return (size_t)(writer.at - raw) + (writer.count > 0);
}

/* --- joining --- */

/* The 8 bytes from `at` on; zeros behind the end. */
static uint64_t raw_tail(const struct symbols_raw *raw, size_t at)
{
    uint64_t word = 0;

    for (size_t i = at; i < raw->len_bytes && i < at + 8; i++) {
        word |= (uint64_t)raw->data[i] << (8 * (i - at));
    }
    return word;
}

/* One number of its symbol and raw bits. */
INLINE uint32_t join_one(uint32_t symbol, uint32_t first, uint32_t low, uint32_t predicted,
                         enum symbol_meaning meaning, unsigned width, bool is_float)
{
    if (meaning == SYMBOL_TOP) {
        return first + (low >> 1) + (low << (8 * width - 1));
    } else {
        uint32_t flip = is_float ? sign_of(predicted, width) : 0;
        uint32_t shrink = 0u - (~symbol & 1); /* even symbols */

        flip ^= shrink;
        return ordered(ordered(predicted, width, is_float) + (((first | low) ^ flip) - flip), width,
                       is_float);
    }
}

/* 8 numbers, if none has raw bits: a plain loop, which compilers turn into vectors. */
INLINE bool join_small(const uint8_t *predicted, const uint8_t *in, uint8_t *numbers,
                       unsigned width, bool is_float)
{
    uint64_t symbols = ox_load_u64le(in);

    if (((symbols | (symbols + (0x7f - SMALL_MAX) * 0x0101010101010101u)) & 0x8080808080808080u) !=
        0) {
        return false;
    }
    for (size_t i = 0; i < 8; i++) {
        store(numbers + i * width,
              join_one(in[i], (in[i] + 1u) / 2, 0, load(predicted + i * width, width), SYMBOL_STEP,
                       width, is_float),
              width);
    }
    return true;
}

INLINE bool join(const struct symbols *self, const uint8_t *predicted, const uint8_t *in,
                 struct symbols_raw *raw, uint8_t *numbers, size_t from, size_t count,
                 enum symbol_meaning meaning, unsigned width, bool is_float)
{
    uint64_t pos = raw->pos_bits;
    uint64_t end = (uint64_t)raw->len_bytes * 8;

    for (size_t i = from; i < count; i++) {
        unsigned bits;
        size_t at = (size_t)(pos >> 3);
        uint64_t word;
        uint32_t low;

        while (meaning == SYMBOL_STEP && count - i > 8 &&
               join_small(predicted + i * width, in + i, numbers + i * width, width, is_float)) {
            i += 8;
        }
        bits = self->raw_bits[in[i]];
        word = raw->len_bytes - at >= 8 ? ox_load_u64le(raw->data + at) : raw_tail(raw, at);
        low = (uint32_t)(word >> (pos & 7) & (((uint64_t)1 << bits) - 1));
        pos += bits;
        if (pos > end) {
            return false;
        }
        store(numbers + i * width,
              join_one(in[i], self->first[in[i]], low, load(predicted + i * width, width), meaning,
                       width, is_float),
              width);
    }
    raw->pos_bits = pos;
    return true;
}

#define JOIN_FEW 32 /* joined one by one where vectors stop, before they are tried again */

bool symbols_join(const struct symbols *symbols, const uint8_t *predicted, const uint8_t *in,
                  struct symbols_raw *raw, uint8_t *numbers, size_t count)
{
    size_t done = 0;
    bool all = true;

    if (symbols->meaning == SYMBOL_NUMBER) {
        memcpy(numbers, in, count);
        return true;
    }
    while (all && done < count) {
        size_t stop = count;

        if (symbols->vectors != VECTORS_NONE) {
            done = symbols_join_vectors(symbols, predicted, in, raw, numbers, done, count);
            stop = count - done < JOIN_FEW ? count : done + JOIN_FEW;
        }
#define JOIN(meaning, width, is_float)                                                             \
    all = join(symbols, predicted, in, raw, numbers, done, stop, meaning, width, is_float)
        DISPATCH(JOIN, symbols);
#undef JOIN
        done = stop;
    }
    return all;
}

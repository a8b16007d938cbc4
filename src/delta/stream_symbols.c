#include "stream_symbols.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2_PATH 1
#include <immintrin.h>
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* call(meaning, width, is_float, arguments) with constants, so that each kind has code of its own.
 */
#define DISPATCH(call, symbols)                                                                    \
    do {                                                                                           \
        const struct number_kind_row *row_ = &number_kinds[(symbols)->kind];                       \
                                                                                                   \
        if ((symbols)->meaning == SYMBOL_TOP && row_->width == 4) {                                \
            call(SYMBOL_TOP, 4, true);                                                             \
        } else if ((symbols)->meaning == SYMBOL_TOP) {                                             \
            call(SYMBOL_TOP, 2, true);                                                             \
        } else if (row_->width == 4 && row_->sign_magnitude) {                                     \
            call(SYMBOL_STEP, 4, true);                                                            \
        } else if (row_->width == 4) {                                                             \
            call(SYMBOL_STEP, 4, false);                                                           \
        } else if (row_->width == 2 && row_->sign_magnitude) {                                     \
            call(SYMBOL_STEP, 2, true);                                                            \
        } else if (row_->width == 2) {                                                             \
            call(SYMBOL_STEP, 2, false);                                                           \
        } else if (row_->sign_magnitude) {                                                         \
            call(SYMBOL_STEP, 1, true);                                                            \
        } else {                                                                                   \
            call(SYMBOL_STEP, 1, false);                                                           \
        }                                                                                          \
    } while (0)

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

void symbols_init(struct symbols *symbols, bool vectors)
{
#ifdef HAVE_AVX2_PATH
    symbols->vectors = vectors && __builtin_cpu_supports("avx2");
#else
    (void)vectors;
    symbols->vectors = false;
#endif
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

/* --- numbers --- */

ALWAYS_INLINE uint32_t load(const uint8_t *bytes, unsigned width)
{
    if (width == 4) {
        return ox_load_u32le(bytes);
    }
    return width == 2 ? ox_load_u16le(bytes) : bytes[0];
}

ALWAYS_INLINE void store(uint8_t *bytes, uint32_t value, unsigned width)
{
    if (width == 4) {
        ox_store_u32le(bytes, value);
        return;
    }
    bytes[0] = (uint8_t)value;
    if (width == 2) {
        bytes[1] = (uint8_t)(value >> 8);
    }
}

ALWAYS_INLINE uint32_t sign_extend(uint32_t value, unsigned width)
{
    return (uint32_t)((int32_t)(value << (32 - 8 * width)) >> (32 - 8 * width));
}

/* All ones where the number is negative. */
ALWAYS_INLINE uint32_t sign_of(uint32_t bits, unsigned width)
{
    return 0u - (bits >> (8 * width - 1) & 1);
}

/* A number's place in the order of its kind, as a signed integer of its width: floats count down
 * below zero. A bijection, its own inverse. Bits above the width stay as they are. */
ALWAYS_INLINE uint32_t ordered(uint32_t bits, unsigned width, bool is_float)
{
    return is_float ? bits ^ (sign_of(bits, width) & (0xffffffffu >> (33 - 8 * width))) : bits;
}

/* --- splitting --- */

struct raw_writer {
    uint8_t *at;
    uint64_t pending;
    unsigned count;
};

/* 32 bits at most; 8 bytes are written ahead. */
ALWAYS_INLINE void raw_put(struct raw_writer *raw, uint32_t value, unsigned bits)
{
    raw->pending |= ((uint64_t)value & (((uint64_t)1 << bits) - 1)) << raw->count;
    raw->count += bits;
    ox_store_u64le(raw->at, raw->pending);
    raw->at += raw->count >> 3;
    raw->pending >>= raw->count & ~7u;
    raw->count &= 7;
}

ALWAYS_INLINE void split_steps(const uint8_t *predicted, const uint8_t *numbers, size_t from,
                               size_t count, uint8_t *out, struct raw_writer *raw, unsigned width,
                               bool is_float)
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

ALWAYS_INLINE void split_tops(const struct symbols *self, const uint8_t *numbers, size_t count,
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

#ifdef HAVE_AVX2_PATH
#define AVX2_INLINE __attribute__((target("avx2"), always_inline)) static inline

AVX2_INLINE __m256i load_avx2(const uint8_t *bytes)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

AVX2_INLINE void store_avx2(void *bytes, __m256i x)
{
    _mm256_storeu_si256((__m256i *)bytes, x);
}

AVX2_INLINE bool any_avx2(__m256i x)
{
    return _mm256_testz_si256(x, x) == 0;
}

/* 8 numbers, one per lane of 32 bits. */
AVX2_INLINE __m256i load8_avx2(const uint8_t *bytes, unsigned width)
{
    if (width == 4) {
        return load_avx2(bytes);
    }
    return width == 2 ? _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)bytes))
                      : _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)bytes));
}

/* Of each lane the low bytes. */
AVX2_INLINE void store8_avx2(uint8_t *bytes, __m256i x, unsigned width)
{
    __m128i pairs;

    if (width == 4) {
        store_avx2(bytes, x);
        return;
    }
    x = _mm256_and_si256(x, _mm256_set1_epi32(width == 2 ? 0xffff : 0xff));
    pairs = _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    if (width == 2) {
        _mm_storeu_si128((__m128i *)(void *)bytes, pairs);
    } else {
        _mm_storel_epi64((__m128i *)(void *)bytes, _mm_packus_epi16(pairs, pairs));
    }
}

AVX2_INLINE __m256i sign_extend8_avx2(__m256i x, unsigned width)
{
    return _mm256_srai_epi32(_mm256_slli_epi32(x, (int)(32 - 8 * width)), (int)(32 - 8 * width));
}

/* All ones in lanes whose number is negative. */
AVX2_INLINE __m256i sign8_avx2(__m256i x, unsigned width)
{
    return _mm256_srai_epi32(_mm256_slli_epi32(x, (int)(32 - 8 * width)), 31);
}

AVX2_INLINE __m256i ordered8_avx2(__m256i x, unsigned width, bool is_float)
{
    const __m256i magnitude = _mm256_set1_epi32((int)(0xffffffffu >> (33 - 8 * width)));

    return is_float ? _mm256_xor_si256(x, _mm256_and_si256(sign8_avx2(x, width), magnitude)) : x;
}

/* x with the sign changed where flip is all ones. */
AVX2_INLINE __m256i flip8_avx2(__m256i x, __m256i flip)
{
    return _mm256_sub_epi32(_mm256_xor_si256(x, flip), flip);
}

#define PAIR_BITS_MAX 28 /* of one number: of two, with 7 that are pending, 64 */

/* The low bits[k] bits of x[k], lane by lane. */
AVX2_INLINE void raw_put8_avx2(struct raw_writer *raw, __m256i x, __m256i bits)
{
    const __m256i low = _mm256_set1_epi64x(0xffffffff);
    uint64_t pairs[4];
    uint64_t counts[4];

    if (any_avx2(_mm256_cmpgt_epi32(bits, _mm256_set1_epi32(PAIR_BITS_MAX)))) {
        uint32_t value[8];
        uint32_t count[8];

        store_avx2(value, x);
        store_avx2(count, bits);
        for (unsigned k = 0; k < 8; k++) {
            raw_put(raw, value[k], count[k]);
        }
        return;
    }
    x = _mm256_andnot_si256(_mm256_sllv_epi32(_mm256_set1_epi32(-1), bits), x);
    x = _mm256_or_si256(_mm256_and_si256(x, low),
                        _mm256_sllv_epi64(_mm256_srli_epi64(x, 32), _mm256_and_si256(bits, low)));
    store_avx2(pairs, x);
    store_avx2(counts, _mm256_add_epi64(_mm256_and_si256(bits, low), _mm256_srli_epi64(bits, 32)));
    for (unsigned k = 0; k < 4; k++) {
        raw->pending |= pairs[k] << raw->count;
        raw->count += (unsigned)counts[k];
        ox_store_u64le(raw->at, raw->pending);
        raw->at += raw->count >> 3;
        raw->pending = raw->count < 64 ? raw->pending >> (raw->count & ~7u) : 0;
        raw->count &= 7;
    }
}

AVX2_INLINE size_t split_steps_avx2(const uint8_t *predicted, const uint8_t *numbers, size_t count,
                                    uint8_t *out, struct raw_writer *raw, unsigned width,
                                    bool is_float)
{
    const __m256i zero = _mm256_setzero_si256();
    size_t i = 0;

    for (; count - i >= 8; i += 8) {
        __m256i before = load8_avx2(predicted + i * width, width);
        __m256i after = load8_avx2(numbers + i * width, width);
        __m256i diff = sign_extend8_avx2(_mm256_sub_epi32(ordered8_avx2(after, width, is_float),
                                                          ordered8_avx2(before, width, is_float)),
                                         width);
        __m256i size;
        __m256i bits;
        __m256i step;

        if (!any_avx2(diff)) {
            memset(out + i, 0, 8);
            continue;
        }
        diff = is_float ? flip8_avx2(diff, sign8_avx2(before, width)) : diff;
        size = _mm256_abs_epi32(diff);
        /* The octave is the exponent of the size as a float (of half of it, to have no sign). What
         * lies 8 bits below a one is cleared, so that nothing rounds up to the next octave. */
        bits = _mm256_or_si256(_mm256_srli_epi32(size, 1), _mm256_set1_epi32(2));
        bits = _mm256_andnot_si256(_mm256_srli_epi32(bits, 8), bits);
        bits = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(bits)), 23);
        bits = _mm256_sub_epi32(bits, _mm256_set1_epi32(127 + 1));
        step = _mm256_add_epi32(_mm256_slli_epi32(bits, 2), _mm256_srlv_epi32(size, bits));
        /* 2 * step - (step != 0) + negative */
        step = _mm256_add_epi32(_mm256_slli_epi32(step, 1), _mm256_cmpgt_epi32(step, zero));
        step = _mm256_add_epi32(step, _mm256_srli_epi32(diff, 31));
        store8_avx2(out + i, step, 1);
        if (any_avx2(bits)) {
            raw_put8_avx2(raw, size, bits);
        }
    }
    return i;
}
#endif

ALWAYS_INLINE void split(const struct symbols *self, const uint8_t *predicted,
                         const uint8_t *numbers, size_t from, size_t count, uint8_t *out,
                         struct raw_writer *raw, enum symbol_meaning meaning, unsigned width,
                         bool is_float)
{
    if (meaning == SYMBOL_TOP) {
        split_tops(self, numbers, count, out, raw, width);
    } else {
        split_steps(predicted, numbers, from, count, out, raw, width, is_float);
    }
}

#ifdef HAVE_AVX2_PATH
/* How many were split. */
__attribute__((target("avx2"))) static size_t split_avx2(const struct symbols *self,
                                                         const uint8_t *predicted,
                                                         const uint8_t *numbers, size_t count,
                                                         uint8_t *out, struct raw_writer *raw)
{
#define SPLIT(meaning, width, is_float)                                                            \
    return (meaning) == SYMBOL_TOP                                                                 \
               ? 0                                                                                 \
               : split_steps_avx2(predicted, numbers, count, out, raw, width, is_float)
    DISPATCH(SPLIT, self);
#undef SPLIT
}
#endif

size_t symbols_split(const struct symbols *symbols, const uint8_t *predicted,
                     const uint8_t *numbers, size_t count, uint8_t *out, uint8_t *raw)
{
    struct raw_writer writer = {raw, 0, 0};
    size_t done = 0;

    if (symbols->meaning == SYMBOL_NUMBER) {
        memcpy(out, numbers, count);
        return 0;
    }
#ifdef HAVE_AVX2_PATH
    if (symbols->vectors) {
        done = split_avx2(symbols, predicted, numbers, count, out, &writer);
    }
#endif
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
ALWAYS_INLINE uint32_t join_one(uint32_t symbol, uint32_t first, uint32_t low, uint32_t predicted,
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

#define SMALL_MAX 14 /* the highest symbol of a step without raw bits; its size is (s + 1) / 2 */

/* 8 numbers, if none has raw bits: a plain loop, which compilers turn into vectors. */
ALWAYS_INLINE bool join_small(const uint8_t *predicted, const uint8_t *in, uint8_t *numbers,
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

ALWAYS_INLINE bool join(const struct symbols *self, const uint8_t *predicted, const uint8_t *in,
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

#ifdef HAVE_AVX2_PATH
/* The next raw bits of 8 numbers, at most 25 each, whose counts these are. 40 bytes are there. */
AVX2_INLINE __m256i raw8_avx2(const uint8_t *data, uint64_t *pos, __m256i bits)
{
    const uint8_t *base = data + (*pos >> 3);
    __m256i sum = _mm256_add_epi32(bits, _mm256_slli_si256(bits, 4));
    __m256i at;
    __m256i words;

    sum = _mm256_add_epi32(sum, _mm256_slli_si256(sum, 8)); /* within each half */
    sum = _mm256_add_epi32(
        sum, _mm256_blend_epi32(_mm256_setzero_si256(),
                                _mm256_permutevar8x32_epi32(sum, _mm256_set1_epi32(3)), 0xf0));
    at = _mm256_add_epi32(_mm256_sub_epi32(sum, bits), _mm256_set1_epi32((int)(*pos & 7)));
    words = _mm256_i32gather_epi32((const int *)(const void *)base, _mm256_srli_epi32(at, 3), 1);
    words = _mm256_srlv_epi32(words, _mm256_and_si256(at, _mm256_set1_epi32(7)));
    *pos += (unsigned)_mm256_extract_epi32(sum, 7);
    return _mm256_andnot_si256(_mm256_sllv_epi32(_mm256_set1_epi32(-1), bits), words);
}

#define RAW8_BITS_MAX 25 /* of one number: a word of 32 less 7 for where it begins in a byte */
#define RAW8_BYTES 40    /* what raw8_avx2 may read */

/* Up to 32 numbers whose symbols have no raw bits, in lanes of their width; how many, or 0. */
AVX2_INLINE size_t join_small_avx2(const uint8_t *predicted, const uint8_t *in, uint8_t *numbers,
                                   unsigned width, bool is_float)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i one = width == 1 ? _mm256_set1_epi8(1) : _mm256_set1_epi16(1);
    __m256i symbols;
    __m256i size;
    __m256i flip;
    __m256i x;

    if (width == 1) {
        symbols = load_avx2(in);
        if (any_avx2(_mm256_subs_epu8(symbols, _mm256_set1_epi8(SMALL_MAX)))) {
            return 0;
        }
        x = load_avx2(predicted);
        size = _mm256_avg_epu8(symbols, zero);
        flip = _mm256_cmpeq_epi8(_mm256_and_si256(symbols, one), zero);
        if (is_float) {
            __m256i sign = _mm256_cmpgt_epi8(zero, x);
            __m256i magnitude = _mm256_set1_epi8(0x7f);

            flip = _mm256_xor_si256(flip, sign);
            x = _mm256_xor_si256(x, _mm256_and_si256(sign, magnitude));
            x = _mm256_add_epi8(x, _mm256_sub_epi8(_mm256_xor_si256(size, flip), flip));
            x = _mm256_xor_si256(x, _mm256_and_si256(_mm256_cmpgt_epi8(zero, x), magnitude));
        } else {
            x = _mm256_add_epi8(x, _mm256_sub_epi8(_mm256_xor_si256(size, flip), flip));
        }
        _mm256_storeu_si256((__m256i *)(void *)numbers, x);
        return 32;
    }
    symbols = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)in));
    if (any_avx2(_mm256_cmpgt_epi16(symbols, _mm256_set1_epi16(SMALL_MAX)))) {
        return 0;
    }
    x = load_avx2(predicted);
    size = _mm256_avg_epu16(symbols, zero);
    flip = _mm256_cmpeq_epi16(_mm256_and_si256(symbols, one), zero);
    if (is_float) {
        __m256i sign = _mm256_srai_epi16(x, 15);

        flip = _mm256_xor_si256(flip, sign);
        x = _mm256_xor_si256(x, _mm256_srli_epi16(sign, 1));
        x = _mm256_add_epi16(x, _mm256_sub_epi16(_mm256_xor_si256(size, flip), flip));
        x = _mm256_xor_si256(x, _mm256_srli_epi16(_mm256_srai_epi16(x, 15), 1));
    } else {
        x = _mm256_add_epi16(x, _mm256_sub_epi16(_mm256_xor_si256(size, flip), flip));
    }
    _mm256_storeu_si256((__m256i *)(void *)numbers, x);
    return 16;
}

/* 8 numbers; false, with nothing done, where one has too many raw bits for this. */
AVX2_INLINE bool join8_avx2(const struct symbols *self, const uint8_t *predicted, const uint8_t *in,
                            const uint8_t *raw, uint64_t *pos, uint8_t *numbers,
                            enum symbol_meaning meaning, unsigned width, bool is_float)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i symbols = load8_avx2(in, 1);
    __m256i x;

    if (meaning == SYMBOL_TOP) {
        const __m256i cut = _mm256_set1_epi32(self->raw_bits[SYMBOL_COUNT - 1] - 1);
        const __m256i one = _mm256_set1_epi32(1);
        __m256i is_zero = _mm256_cmpeq_epi32(symbols, one);
        __m256i low;

        if (any_avx2(_mm256_cmpeq_epi32(symbols, zero))) {
            return false;
        }
        low = raw8_avx2(raw, pos, _mm256_andnot_si256(is_zero, _mm256_add_epi32(cut, one)));
        x = _mm256_add_epi32(symbols, _mm256_set1_epi32((int)self->lowest - 2));
        x = _mm256_andnot_si256(is_zero, _mm256_sllv_epi32(x, cut));
        x = _mm256_add_epi32(x, _mm256_srli_epi32(low, 1));
        x = _mm256_add_epi32(x, _mm256_slli_epi32(low, (int)(8 * width - 1)));
    } else {
        __m256i step = _mm256_srli_epi32(_mm256_sub_epi32(symbols, _mm256_set1_epi32(-1)), 1);
        __m256i bits = _mm256_max_epi32(
            _mm256_add_epi32(_mm256_srli_epi32(step, 2), _mm256_set1_epi32(-1)), zero);
        __m256i size = _mm256_sllv_epi32(_mm256_sub_epi32(step, _mm256_slli_epi32(bits, 2)), bits);
        __m256i flip = _mm256_add_epi32(_mm256_and_si256(symbols, _mm256_set1_epi32(1)),
                                        _mm256_set1_epi32(-1));

        if (any_avx2(_mm256_cmpgt_epi32(bits, _mm256_set1_epi32(RAW8_BITS_MAX)))) {
            return false;
        }
        size = _mm256_or_si256(size, raw8_avx2(raw, pos, bits));
        x = load8_avx2(predicted, width);
        flip = is_float ? _mm256_xor_si256(flip, sign8_avx2(x, width)) : flip;
        x = _mm256_add_epi32(ordered8_avx2(x, width, is_float), flip8_avx2(size, flip));
        x = ordered8_avx2(x, width, is_float);
    }
    store8_avx2(numbers, x, width);
    return true;
}

/* As many as can be in whole vectors, while raw bits are plenty; the rest, from *done on, is left
 * to the portable path. */
AVX2_INLINE void join_vectors_avx2(const struct symbols *self, const uint8_t *predicted,
                                   const uint8_t *in, struct symbols_raw *raw, uint8_t *numbers,
                                   size_t *done, size_t count, enum symbol_meaning meaning,
                                   unsigned width, bool is_float)
{
    size_t i = *done;

    while (count - i >= 32) {
        size_t small = 0;

        if (meaning == SYMBOL_STEP && width < 4) {
            small = join_small_avx2(predicted + i * width, in + i, numbers + i * width, width,
                                    is_float);
            i += small;
        }
        for (unsigned k = 0; small == 0 && k < (width == 4 ? 4 : 32 / width / 8); k++, i += 8) {
            if (raw->len_bytes - (size_t)(raw->pos_bits >> 3) < RAW8_BYTES ||
                !join8_avx2(self, predicted + i * width, in + i, raw->data, &raw->pos_bits,
                            numbers + i * width, meaning, width, is_float)) {
                *done = i;
                return;
            }
        }
    }
    *done = i;
}
#endif

#ifdef HAVE_AVX2_PATH
/* How many are joined then; the numbers up to `done` are. */
__attribute__((target("avx2"))) static size_t join_avx2(const struct symbols *symbols,
                                                        const uint8_t *predicted, const uint8_t *in,
                                                        struct symbols_raw *raw, uint8_t *numbers,
                                                        size_t done, size_t count)
{
#define JOIN(meaning, width, is_float)                                                             \
    join_vectors_avx2(symbols, predicted, in, raw, numbers, &done, count, meaning, width, is_float)
    DISPATCH(JOIN, symbols);
#undef JOIN
    return done;
}
#endif

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

#ifdef HAVE_AVX2_PATH
        if (symbols->vectors) {
            done = join_avx2(symbols, predicted, in, raw, numbers, done, count);
            stop = count - done < JOIN_FEW ? count : done + JOIN_FEW;
        }
#endif
#define JOIN(meaning, width, is_float)                                                             \
    all = join(symbols, predicted, in, raw, numbers, done, stop, meaning, width, is_float)
        DISPATCH(JOIN, symbols);
#undef JOIN
        done = stop;
    }
    return all;
}

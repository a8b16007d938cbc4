/* Splitting and joining by AVX2: the same symbols, bits and numbers as stream_symbols.c gives. */
#include "stream_symbols_inner.h"

#include <string.h>

#ifdef HAVE_AVX2_PATH
#include <immintrin.h>

/* What has AVX2 has BMI2, too. */
#define TARGET __attribute__((target("avx2,bmi2")))
#define AVX2_INLINE TARGET __attribute__((always_inline)) static inline

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

/* 32 numbers of 1 byte, or 16 of 2, whose symbols have no raw bits, in lanes of their width; false,
 * with nothing done, where one has some. */
AVX2_INLINE bool split_small_avx2(const uint8_t *predicted, const uint8_t *numbers, uint8_t *out,
                                  unsigned width, bool is_float)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i before = load_avx2(predicted);
    __m256i after = load_avx2(numbers);
    __m256i diff, size, step;

    if (width == 1) {
        const __m256i magnitude = _mm256_set1_epi8(0x7f);
        __m256i sign = is_float ? _mm256_cmpgt_epi8(zero, before) : zero;
        __m256i sign_after = is_float ? _mm256_cmpgt_epi8(zero, after) : zero;

        diff = _mm256_sub_epi8(_mm256_xor_si256(after, _mm256_and_si256(sign_after, magnitude)),
                               _mm256_xor_si256(before, _mm256_and_si256(sign, magnitude)));
        diff = _mm256_sub_epi8(_mm256_xor_si256(diff, sign), sign);
        size = _mm256_abs_epi8(diff);
        if (any_avx2(_mm256_subs_epu8(size, _mm256_set1_epi8(SMALL_MAX / 2)))) {
            return false;
        }
        step = _mm256_add_epi8(_mm256_add_epi8(size, size), _mm256_cmpgt_epi8(size, zero));
        store_avx2(out, _mm256_sub_epi8(step, _mm256_cmpgt_epi8(zero, diff)));
    } else {
        __m256i sign = is_float ? _mm256_srai_epi16(before, 15) : zero;
        __m256i sign_after = is_float ? _mm256_srai_epi16(after, 15) : zero;

        diff = _mm256_sub_epi16(_mm256_xor_si256(after, _mm256_srli_epi16(sign_after, 1)),
                                _mm256_xor_si256(before, _mm256_srli_epi16(sign, 1)));
        diff = _mm256_sub_epi16(_mm256_xor_si256(diff, sign), sign);
        size = _mm256_abs_epi16(diff);
        if (any_avx2(_mm256_subs_epu16(size, _mm256_set1_epi16(SMALL_MAX / 2)))) {
            return false;
        }
        step = _mm256_add_epi16(_mm256_add_epi16(size, size), _mm256_cmpgt_epi16(size, zero));
        step = _mm256_add_epi16(step, _mm256_srli_epi16(diff, 15));
        _mm_storeu_si128(
            (__m128i *)(void *)out,
            _mm_packus_epi16(_mm256_castsi256_si128(step), _mm256_extracti128_si256(step, 1)));
    }
    return true;
}

AVX2_INLINE void split8_avx2(const uint8_t *predicted, const uint8_t *numbers, uint8_t *out,
                             struct raw_writer *raw, unsigned width, bool is_float)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i before = load8_avx2(predicted, width);
    __m256i after = load8_avx2(numbers, width);
    __m256i diff = sign_extend8_avx2(_mm256_sub_epi32(ordered8_avx2(after, width, is_float),
                                                      ordered8_avx2(before, width, is_float)),
                                     width);
    __m256i size, bits, step;

    if (!any_avx2(diff)) {
        memset(out, 0, 8);
        return;
    }
    diff = is_float ? flip8_avx2(diff, sign8_avx2(before, width)) : diff;
    size = _mm256_abs_epi32(diff);
    /* The octave is the exponent of the size as a float (of half of it, to have no sign). What lies
     * 8 bits below a one is cleared, so that nothing rounds up to the next octave. */
    bits = _mm256_or_si256(_mm256_srli_epi32(size, 1), _mm256_set1_epi32(2));
    bits = _mm256_andnot_si256(_mm256_srli_epi32(bits, 8), bits);
    bits = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(bits)), 23);
    bits = _mm256_sub_epi32(bits, _mm256_set1_epi32(127 + 1));
    step = _mm256_add_epi32(_mm256_slli_epi32(bits, 2), _mm256_srlv_epi32(size, bits));
    /* 2 * step - (step != 0) + negative */
    step = _mm256_add_epi32(_mm256_slli_epi32(step, 1), _mm256_cmpgt_epi32(step, zero));
    step = _mm256_add_epi32(step, _mm256_srli_epi32(diff, 31));
    store8_avx2(out, step, 1);
    if (any_avx2(bits)) {
        raw_put8_avx2(raw, size, bits);
    }
}

AVX2_INLINE size_t split_steps_avx2(const uint8_t *predicted, const uint8_t *numbers, size_t count,
                                    uint8_t *out, struct raw_writer *raw, unsigned width,
                                    bool is_float)
{
    size_t together = width == 4 ? 8 : 32 / width;
    size_t i = 0;

    for (; count - i >= together; i += together) {
        const uint8_t *before = predicted + i * width;
        const uint8_t *after = numbers + i * width;

        if (width == 4 || !split_small_avx2(before, after, out + i, width, is_float)) {
            for (size_t k = 0; k < together; k += 8) {
                split8_avx2(before + k * width, after + k * width, out + i + k, raw, width,
                            is_float);
            }
        }
    }
    return i;
}

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

/* 32 numbers of 1 byte, or 16 of 2: x moved by its size, down where flip is all ones. */
AVX2_INLINE __m256i move_avx2(__m256i x, __m256i size, __m256i flip, unsigned width, bool is_float)
{
    const __m256i zero = _mm256_setzero_si256();

    if (width == 1) {
        const __m256i magnitude = _mm256_set1_epi8(0x7f);
        __m256i sign = is_float ? _mm256_cmpgt_epi8(zero, x) : zero;

        flip = _mm256_xor_si256(flip, sign);
        x = _mm256_xor_si256(x, _mm256_and_si256(sign, magnitude));
        x = _mm256_add_epi8(x, _mm256_sub_epi8(_mm256_xor_si256(size, flip), flip));
        sign = is_float ? _mm256_cmpgt_epi8(zero, x) : zero;
        return _mm256_xor_si256(x, _mm256_and_si256(sign, magnitude));
    } else {
        __m256i sign = is_float ? _mm256_srai_epi16(x, 15) : zero;

        flip = _mm256_xor_si256(flip, sign);
        x = _mm256_xor_si256(x, _mm256_srli_epi16(sign, 1));
        x = _mm256_add_epi16(x, _mm256_sub_epi16(_mm256_xor_si256(size, flip), flip));
        sign = is_float ? _mm256_srai_epi16(x, 15) : zero;
        return _mm256_xor_si256(x, _mm256_srli_epi16(sign, 1));
    }
}

/* Up to 32 numbers whose symbols have no raw bits, in lanes of their width; how many, or 0. */
AVX2_INLINE size_t join_small_avx2(const uint8_t *predicted, const uint8_t *in, uint8_t *numbers,
                                   unsigned width, bool is_float)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i symbols;
    __m256i flip;

    if (width == 1) {
        symbols = load_avx2(in);
        if (any_avx2(_mm256_subs_epu8(symbols, _mm256_set1_epi8(SMALL_MAX)))) {
            return 0;
        }
        flip = _mm256_cmpeq_epi8(_mm256_and_si256(symbols, _mm256_set1_epi8(1)), zero);
        store_avx2(numbers, move_avx2(load_avx2(predicted), _mm256_avg_epu8(symbols, zero), flip,
                                      width, is_float));
        return 32;
    }
    symbols = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)in));
    if (any_avx2(_mm256_cmpgt_epi16(symbols, _mm256_set1_epi16(SMALL_MAX)))) {
        return 0;
    }
    flip = _mm256_cmpeq_epi16(_mm256_and_si256(symbols, _mm256_set1_epi16(1)), zero);
    store_avx2(numbers, move_avx2(load_avx2(predicted), _mm256_avg_epu16(symbols, zero), flip,
                                  width, is_float));
    return 16;
}

#define DEPOSIT_BITS_MAX 7 /* of one number: of 8, with 7 where they begin in a byte, 64 */

/* The next raw bits of 8 numbers, each to the low end of its byte in `mask`. */
AVX2_INLINE uint64_t deposit8(const uint8_t *data, uint64_t *pos, uint64_t mask)
{
    uint64_t word = ox_load_u64le(data + (*pos >> 3)) >> (*pos & 7);

    *pos += (unsigned)__builtin_popcountll(mask);
    return _pdep_u64(word, mask);
}

/* 16 numbers of 2 bytes with few raw bits; false, with nothing done, where one has more. 23 bytes
 * of raw bits are there. */
AVX2_INLINE bool join16_bmi2(const uint8_t *predicted, const uint8_t *in, const uint8_t *raw,
                             uint64_t *pos, uint8_t *numbers, bool is_float)
{
    const __m128i masks = _mm_setr_epi8(0, 1, 3, 7, 15, 31, 63, 127, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i powers = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
    __m128i symbols = _mm_loadu_si128((const __m128i *)(const void *)in);
    __m128i step = _mm_avg_epu8(symbols, _mm_setzero_si128());
    __m128i bits = _mm_subs_epu8(_mm_and_si128(_mm_srli_epi16(step, 2), _mm_set1_epi8(0x3f)),
                                 _mm_set1_epi8(1));
    __m128i more = _mm_subs_epu8(bits, _mm_set1_epi8(DEPOSIT_BITS_MAX));
    __m128i mask;
    __m256i size;
    __m256i flip;
    uint64_t low;
    uint64_t high;

    if (_mm_testz_si128(more, more) == 0) {
        return false;
    }
    mask = _mm_shuffle_epi8(masks, bits);
    low = deposit8(raw, pos, (uint64_t)_mm_cvtsi128_si64(mask));
    high = deposit8(raw, pos, (uint64_t)_mm_extract_epi64(mask, 1));
    step = _mm_sub_epi8(step, _mm_slli_epi16(bits, 2));
    size = _mm256_mullo_epi16(_mm256_cvtepu8_epi16(step),
                              _mm256_cvtepu8_epi16(_mm_shuffle_epi8(powers, bits)));
    size = _mm256_add_epi16(size,
                            _mm256_cvtepu8_epi16(_mm_set_epi64x((long long)high, (long long)low)));
    flip = _mm256_cvtepi8_epi16(
        _mm_cmpeq_epi8(_mm_and_si128(symbols, _mm_set1_epi8(1)), _mm_setzero_si128()));
    store_avx2(numbers, move_avx2(load_avx2(predicted), size, flip, 2, is_float));
    return true;
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

/* As many as can be in whole vectors, while raw bits are plenty; the rest is left to the portable
 * path. */
AVX2_INLINE size_t join_avx2(const struct symbols *self, const uint8_t *predicted,
                             const uint8_t *in, struct symbols_raw *raw, uint8_t *numbers,
                             size_t done, size_t count, enum symbol_meaning meaning, unsigned width,
                             bool is_float, bool deposits)
{
    bool narrow = meaning == SYMBOL_STEP && width < 4;
    size_t i = done;

    while (count - i >= 32) {
        const uint8_t *before = predicted + i * width;
        uint8_t *out = numbers + i * width;
        size_t small = 0;

        if (narrow && !(deposits && width == 2)) {
            small = join_small_avx2(before, in + i, out, width, is_float);
        }
        if (small > 0) {
            i += small;
            continue;
        }
        if (raw->len_bytes - (size_t)(raw->pos_bits >> 3) < RAW8_BYTES) {
            break;
        }
        if (narrow && deposits && width == 2 &&
            join16_bmi2(before, in + i, raw->data, &raw->pos_bits, out, is_float)) {
            i += 16;
            continue;
        }
        if (!join8_avx2(self, before, in + i, raw->data, &raw->pos_bits, out, meaning, width,
                        is_float)) {
            break;
        }
        i += 8;
    }
    return i;
}

#define JOIN(meaning, width, is_float)                                                             \
    return join_avx2(self, predicted, in, raw, numbers, done, count, meaning, width, is_float,     \
                     deposits)

TARGET static size_t join_by_gathers(const struct symbols *self, const uint8_t *predicted,
                                     const uint8_t *in, struct symbols_raw *raw, uint8_t *numbers,
                                     size_t done, size_t count)
{
    const bool deposits = false;

    DISPATCH(JOIN, self);
}

TARGET static size_t join_by_deposits(const struct symbols *self, const uint8_t *predicted,
                                      const uint8_t *in, struct symbols_raw *raw, uint8_t *numbers,
                                      size_t done, size_t count)
{
    const bool deposits = true;

    DISPATCH(JOIN, self);
}

size_t symbols_join_vectors(const struct symbols *self, const uint8_t *predicted, const uint8_t *in,
                            struct symbols_raw *raw, uint8_t *numbers, size_t done, size_t count)
{
    return self->vectors == VECTORS_DEPOSIT
               ? join_by_deposits(self, predicted, in, raw, numbers, done, count)
               : join_by_gathers(self, predicted, in, raw, numbers, done, count);
}

TARGET size_t symbols_split_vectors(const struct symbols *self, const uint8_t *predicted,
                                    const uint8_t *numbers, size_t count, uint8_t *out,
                                    struct raw_writer *raw)
{
#define SPLIT(meaning, width, is_float)                                                            \
    return (meaning) == SYMBOL_TOP                                                                 \
               ? 0                                                                                 \
               : split_steps_avx2(predicted, numbers, count, out, raw, width, is_float)
    DISPATCH(SPLIT, self);
#undef SPLIT
}

enum vector_path symbols_best_vectors(void)
{
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2")) {
        return VECTORS_NONE;
    }
    /* AMD's first two generations of Zen take hundreds of cycles for a deposit. */
    return __builtin_cpu_is("amdfam17h") ? VECTORS_GATHER : VECTORS_DEPOSIT;
}
#else
enum vector_path symbols_best_vectors(void)
{
    return VECTORS_NONE;
}

size_t symbols_split_vectors(const struct symbols *self, const uint8_t *predicted,
                             const uint8_t *numbers, size_t count, uint8_t *out,
                             struct raw_writer *raw)
{
    (void)self;
    (void)predicted;
    (void)numbers;
    (void)count;
    (void)out;
    (void)raw;
    return 0;
}

size_t symbols_join_vectors(const struct symbols *self, const uint8_t *predicted, const uint8_t *in,
                            struct symbols_raw *raw, uint8_t *numbers, size_t done, size_t count)
{
    (void)self;
    (void)predicted;
    (void)in;
    (void)raw;
    (void)numbers;
    (void)count;
    return done;
}
#endif

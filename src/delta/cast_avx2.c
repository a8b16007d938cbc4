/* Casts by AVX2 and F16C: the same numbers as cast.c gives. */
#include "cast_inner.h"

#ifdef HAVE_AVX2_PATH
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,f16c")))
#define AVX2_INLINE TARGET __attribute__((always_inline)) static inline

/* Eight numbers as float32; *odd is set where the processor would change a NaN. */
AVX2_INLINE __m256i load8(enum number_kind from, const uint8_t *in, bool *odd)
{
    __m128i halves;
    __m128i infinite;

    if (from == NUMBER_F32) {
        return _mm256_loadu_si256((const __m256i *)(const void *)in);
    }
    halves = _mm_loadu_si128((const __m128i *)(const void *)in);
    if (from == NUMBER_BF16) {
        return _mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16);
    }
    infinite = _mm_set1_epi16(0x7c00);
    infinite = _mm_cmpeq_epi16(_mm_and_si128(halves, infinite), infinite);
    *odd = *odd || _mm_testz_si128(infinite, infinite) == 0;
    return _mm256_castps_si256(_mm256_cvtph_ps(halves));
}

AVX2_INLINE bool any_infinite(__m256i bits)
{
    const __m256i exponent = _mm256_set1_epi32(0x7f800000);
    __m256i infinite = _mm256_cmpeq_epi32(_mm256_and_si256(bits, exponent), exponent);

    return _mm256_testz_si256(infinite, infinite) == 0;
}

AVX2_INLINE void store8(enum number_kind to, __m256i bits, uint8_t *out, bool *odd)
{
    __m256i even;

    if (to == NUMBER_F32) {
        _mm256_storeu_si256((__m256i *)(void *)out, bits);
        return;
    }
    *odd = *odd || any_infinite(bits);
    if (to == NUMBER_F16) {
        _mm_storeu_si128((__m128i *)(void *)out,
                         _mm256_cvtps_ph(_mm256_castsi256_ps(bits), _MM_FROUND_TO_NEAREST_INT));
        return;
    }
    even = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    bits = _mm256_add_epi32(_mm256_add_epi32(bits, even), _mm256_set1_epi32(0x7fff));
    bits = _mm256_srli_epi32(bits, 16);
    _mm_storeu_si128((__m128i *)(void *)out, _mm_packus_epi32(_mm256_castsi256_si128(bits),
                                                              _mm256_extracti128_si256(bits, 1)));
}

AVX2_INLINE size_t cast_all(enum number_kind from, enum number_kind to, const uint8_t *in,
                            size_t count, uint8_t *out)
{
    size_t width_in = from == NUMBER_F32 ? 4 : 2;
    size_t width_out = to == NUMBER_F32 ? 4 : 2;
    size_t i = 0;

    for (; count - i >= 8; i += 8) {
        bool odd = false;
        __m256i bits = load8(from, in + i * width_in, &odd);

        store8(to, bits, out + i * width_out, &odd);
        if (odd) {
            cast_portably(from, to, false, in + i * width_in, 8, out + i * width_out);
        }
    }
    return i;
}

TARGET size_t cast_vectors(enum number_kind from, enum number_kind to, const uint8_t *in,
                           size_t count, uint8_t *out)
{
    if (from == NUMBER_F32) {
        return to == NUMBER_F16 ? cast_all(NUMBER_F32, NUMBER_F16, in, count, out)
                                : cast_all(NUMBER_F32, NUMBER_BF16, in, count, out);
    }
    if (to == NUMBER_F32) {
        return from == NUMBER_F16 ? cast_all(NUMBER_F16, NUMBER_F32, in, count, out)
                                  : cast_all(NUMBER_BF16, NUMBER_F32, in, count, out);
    }
    return from == NUMBER_F16 ? cast_all(NUMBER_F16, NUMBER_BF16, in, count, out)
                              : cast_all(NUMBER_BF16, NUMBER_F16, in, count, out);
}

bool cast_have_vectors(void)
{
    return __builtin_cpu_supports("avx2"); /* what has that has F16C, too */
}
#else
size_t cast_vectors(enum number_kind from, enum number_kind to, const uint8_t *in, size_t count,
                    uint8_t *out)
{
    (void)from;
    (void)to;
    (void)in;
    (void)count;
    (void)out;
    return 0;
}

bool cast_have_vectors(void)
{
    return false;
}
#endif

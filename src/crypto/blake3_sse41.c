/* Four lanes of SSE4.1. */
#include "blake3_kernel.h"

#if defined(B3_X86)
#include "oxide/base/reader.h"

#include <immintrin.h>
#include <string.h>

#define LANES 4
#define TARGET __attribute__((target("sse4.1")))
#define ROTATE_16(x) turn(x, 13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2)
#define ROTATE_8(x) turn(x, 12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1)
#define turn(x, ...) ((vec)_mm_shuffle_epi8((__m128i)(x), _mm_set_epi8(__VA_ARGS__)))
typedef uint32_t vec __attribute__((vector_size(16)));
#include "blake3_lanes.h"

TARGET INLINE void load_block(vec m[16], const uint8_t *in, size_t apart)
{
    for (size_t i = 0; i < 16; i += 4) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(in + 4 * i));
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(in + apart + 4 * i));
        __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(in + 2 * apart + 4 * i));
        __m128i d = _mm_loadu_si128((const __m128i *)(const void *)(in + 3 * apart + 4 * i));
        __m128i ab_low = _mm_unpacklo_epi32(a, b);
        __m128i ab_high = _mm_unpackhi_epi32(a, b);
        __m128i cd_low = _mm_unpacklo_epi32(c, d);
        __m128i cd_high = _mm_unpackhi_epi32(c, d);

        m[i] = (vec)_mm_unpacklo_epi64(ab_low, cd_low);
        m[i + 1] = (vec)_mm_unpackhi_epi64(ab_low, cd_low);
        m[i + 2] = (vec)_mm_unpacklo_epi64(ab_high, cd_high);
        m[i + 3] = (vec)_mm_unpackhi_epi64(ab_high, cd_high);
    }
}

RUN(b3_run_sse41)
#endif

/* Sixteen lanes of AVX-512, which can rotate. */
#include "blake3_kernel.h"

#if defined(B3_X86)
#include "oxide/base/reader.h"

#include <immintrin.h>
#include <string.h>

#define LANES 16
#define TARGET __attribute__((target("avx512f")))
typedef uint32_t vec __attribute__((vector_size(64)));
#include "blake3_lanes.h"

TARGET INLINE void load_block(vec m[16], const uint8_t *in, size_t apart)
{
    __m512i rows[16];
    __m512i quads[16]; /* quads[4q + k], quarter w: word 4w + k of inputs 4q to 4q + 3 */

    for (size_t i = 0; i < 16; i++) {
        rows[i] = _mm512_loadu_si512((const void *)(in + i * apart));
    }
    for (size_t i = 0; i < 16; i += 4) {
        __m512i ab_low = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        __m512i ab_high = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
        __m512i cd_low = _mm512_unpacklo_epi32(rows[i + 2], rows[i + 3]);
        __m512i cd_high = _mm512_unpackhi_epi32(rows[i + 2], rows[i + 3]);

        quads[i] = _mm512_unpacklo_epi64(ab_low, cd_low);
        quads[i + 1] = _mm512_unpackhi_epi64(ab_low, cd_low);
        quads[i + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
        quads[i + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
    for (size_t k = 0; k < 4; k++) {
        __m512i left_low = _mm512_shuffle_i32x4(quads[k], quads[4 + k], 0x44);
        __m512i left_high = _mm512_shuffle_i32x4(quads[k], quads[4 + k], 0xee);
        __m512i right_low = _mm512_shuffle_i32x4(quads[8 + k], quads[12 + k], 0x44);
        __m512i right_high = _mm512_shuffle_i32x4(quads[8 + k], quads[12 + k], 0xee);

        m[k] = (vec)_mm512_shuffle_i32x4(left_low, right_low, 0x88);
        m[4 + k] = (vec)_mm512_shuffle_i32x4(left_low, right_low, 0xdd);
        m[8 + k] = (vec)_mm512_shuffle_i32x4(left_high, right_high, 0x88);
        m[12 + k] = (vec)_mm512_shuffle_i32x4(left_high, right_high, 0xdd);
    }
}

RUN(b3_run_avx512)
#endif

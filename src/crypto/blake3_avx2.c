/* Eight lanes of AVX2. */
#include "blake3_kernel.h"

#if defined(B3_X86)
#include "oxide/base/reader.h"

#include <immintrin.h>
#include <string.h>

#define LANES 8
#define TARGET __attribute__((target("avx2")))
#define ROTATE_16(x) turn(x, 13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2)
#define ROTATE_8(x) turn(x, 12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1)
#define turn(x, ...)                                                                               \
    ((vec)_mm256_shuffle_epi8((__m256i)(x), _mm256_set_epi8(__VA_ARGS__, __VA_ARGS__)))
typedef uint32_t vec __attribute__((vector_size(32)));
#include "blake3_lanes.h"

TARGET INLINE __m256i load_row(const uint8_t *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

TARGET INLINE void load_block(vec m[16], const uint8_t *in, size_t apart)
{
    for (size_t half = 0; half < 2; half++) {
        __m256i rows[8];
        __m256i pairs[8];
        __m256i quads[8]; /* quads[k], quads[4 + k]: words k and 4 + k of inputs 0-3 and 4-7 */

        for (size_t i = 0; i < 8; i++) {
            rows[i] = load_row(in + i * apart + 32 * half);
        }
        for (size_t i = 0; i < 8; i += 2) {
            pairs[i] = _mm256_unpacklo_epi32(rows[i], rows[i + 1]);
            pairs[i + 1] = _mm256_unpackhi_epi32(rows[i], rows[i + 1]);
        }
        for (size_t i = 0; i < 8; i += 4) {
            quads[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
            quads[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
            quads[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
            quads[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
        }
        for (size_t i = 0; i < 4; i++) {
            m[8 * half + i] = (vec)_mm256_permute2x128_si256(quads[i], quads[4 + i], 0x20);
            m[8 * half + 4 + i] = (vec)_mm256_permute2x128_si256(quads[i], quads[4 + i], 0x31);
        }
    }
}

RUN(b3_run_avx2)
#endif

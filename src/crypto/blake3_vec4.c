/* Four lanes, in the compilers' own vectors: NEON on aarch64, SSE2 on x86-64, and so on. */
#include "blake3_kernel.h"

#if defined(B3_VECTORS)
#include "oxide/base/reader.h"

#include <string.h>

#define LANES 4
#define TARGET
typedef uint32_t vec __attribute__((vector_size(16)));
#include "blake3_lanes.h"

TARGET INLINE void load_block(vec m[16], const uint8_t *in, size_t apart)
{
    for (size_t i = 0; i < 16; i++) {
        m[i] = (vec){ox_load_u32le(in + 4 * i), ox_load_u32le(in + apart + 4 * i),
                     ox_load_u32le(in + 2 * apart + 4 * i), ox_load_u32le(in + 3 * apart + 4 * i)};
    }
}

RUN(b3_run_vec4)
#endif

/* One input at a time, on any processor. */
#include "blake3_kernel.h"
#include "oxide/base/reader.h"

#include <string.h>

typedef uint32_t vec;
#define TARGET
#include "blake3_rounds.h"

void b3_compress(const uint32_t value[8], const uint8_t block[OX_BLAKE3_BLOCK_BYTES],
                 uint32_t block_bytes, uint64_t counter, uint32_t flags, uint32_t out[16])
{
    static const uint32_t iv[8] = B3_IV;
    uint32_t m[16];
    uint32_t v[16];

    for (size_t i = 0; i < 16; i++) {
        m[i] = ox_load_u32le(block + 4 * i);
    }
    memcpy(v, value, 32);
    memcpy(v + 8, iv, 16);
    v[12] = (uint32_t)counter;
    v[13] = (uint32_t)(counter >> 32);
    v[14] = block_bytes;
    v[15] = flags;
    mix_all(v, m);
    for (size_t i = 0; i < 8; i++) {
        uint32_t before = value[i]; /* out may be value */

        out[i] = v[i] ^ v[8 + i];
        out[8 + i] = v[8 + i] ^ before;
    }
}

void b3_run_portable(const struct b3_batch *batch, const uint8_t *in, uint64_t counter,
                     uint8_t *out)
{
    uint32_t value[16];

    memcpy(value, batch->key, 32);
    for (size_t block = 0; block < batch->blocks; block++) {
        uint32_t flags = batch->flags | (block == 0 ? batch->first_flags : 0) |
                         (block + 1 == batch->blocks ? batch->last_flags : 0);

        b3_compress(value, in + block * OX_BLAKE3_BLOCK_BYTES, OX_BLAKE3_BLOCK_BYTES, counter,
                    flags, value);
    }
    for (size_t i = 0; i < 8; i++) {
        ox_store_u32le(out + 4 * i, value[i]);
    }
}

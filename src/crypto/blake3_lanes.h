/*
 * A kernel over vectors. Who includes this has defined LANES, TARGET, perhaps ROTATE_16 and
 * ROTATE_8, and the type `vec`; and defines behind it load_block(), then the kernel as RUN(name).
 */
#include "blake3_rounds.h"

/* The 16 words of the block at `in` of every input; inputs are `apart` bytes apart. */
TARGET INLINE void load_block(vec m[16], const uint8_t *in, size_t apart);

TARGET INLINE void fill(vec *v, uint32_t word)
{
    *v = (vec){0} + word;
}

/* Stored whole: compilers make much of stores byte by byte here, and lose a tenth of the speed. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LITTLE_ENDIAN_WORD(word) __builtin_bswap32(word)
#else
#define LITTLE_ENDIAN_WORD(word) (word)
#endif

TARGET INLINE void store_values(const vec values[8], uint8_t *out)
{
    uint32_t words[8][LANES];

    for (size_t i = 0; i < 8; i++) {
        memcpy(words[i], &values[i], sizeof(words[i]));
    }
    for (size_t lane = 0; lane < LANES; lane++) {
        for (size_t i = 0; i < 8; i++) {
            uint32_t word = LITTLE_ENDIAN_WORD(words[i][lane]);

            memcpy(out + lane * B3_VALUE_BYTES + 4 * i, &word, 4);
        }
    }
}

TARGET INLINE void load_counters(vec *low, vec *high, uint64_t counter, uint64_t step)
{
    uint32_t words[2][LANES];

    for (size_t lane = 0; lane < LANES; lane++) {
        words[0][lane] = (uint32_t)(counter + step * lane);
        words[1][lane] = (uint32_t)((counter + step * lane) >> 32);
    }
    memcpy(low, words[0], sizeof(*low));
    memcpy(high, words[1], sizeof(*high));
}

TARGET INLINE void run_lanes(const struct b3_batch *batch, const uint8_t *in, uint64_t counter,
                             uint8_t *out)
{
    static const uint32_t iv[8] = B3_IV;
    size_t apart = batch->blocks * OX_BLAKE3_BLOCK_BYTES;
    vec values[8];
    vec low;
    vec high;

    for (size_t i = 0; i < 8; i++) {
        fill(&values[i], batch->key[i]);
    }
    load_counters(&low, &high, counter, batch->step);
    for (size_t block = 0; block < batch->blocks; block++) {
        uint32_t flags = batch->flags | (block == 0 ? batch->first_flags : 0) |
                         (block + 1 == batch->blocks ? batch->last_flags : 0);
        vec m[16];
        vec v[16];

        load_block(m, in + block * OX_BLAKE3_BLOCK_BYTES, apart);
        for (size_t i = 0; i < 8; i++) {
            v[i] = values[i];
        }
        for (size_t i = 0; i < 4; i++) {
            fill(&v[8 + i], iv[i]);
        }
        v[12] = low;
        v[13] = high;
        fill(&v[14], OX_BLAKE3_BLOCK_BYTES);
        fill(&v[15], flags);
        mix_all(v, m);
        for (size_t i = 0; i < 8; i++) {
            values[i] = v[i] ^ v[8 + i];
        }
    }
    store_values(values, out);
}

#define RUN(name)                                                                                  \
    TARGET void name(const struct b3_batch *batch, const uint8_t *in, uint64_t counter,            \
                     uint8_t *out)                                                                 \
    {                                                                                              \
        run_lanes(batch, in, counter, out);                                                        \
    }

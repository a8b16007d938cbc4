/**
 * Kernels: compressing several inputs of BLAKE3 at once, a lane of a vector each.
 *
 * To add one: a file blake3_NAME.c after the pattern of blake3_avx2.c, a row in blake3.c before the
 * narrower ones. tests/unit/crypto/test_blake3.c runs every row that the processor can.
 */
#ifndef OXIDE_CRYPTO_BLAKE3_KERNEL_H
#define OXIDE_CRYPTO_BLAKE3_KERNEL_H

#include "oxide/crypto/blake3.h"

#define B3_VALUE_BYTES 32 /* a chaining value */

enum b3_flag {
    B3_CHUNK_START = 1,
    B3_CHUNK_END = 2,
    B3_PARENT = 4,
    B3_ROOT = 8,
    B3_KEYED_HASH = 16,
    B3_DERIVE_KEY_CONTEXT = 32,
    B3_DERIVE_KEY_MATERIAL = 64,
};

/** The initial value, that of SHA-256 (paper, table 1). */
#define B3_IV                                                                                      \
    {                                                                                              \
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,        \
            0x5be0cd19                                                                             \
    }

/** What the inputs of one run have in common. */
struct b3_batch {
    const uint32_t *key; /* 8 words */
    size_t blocks;       /* in each input: 16 of a chunk, 1 of a parent */
    uint32_t flags;      /* of every block */
    uint32_t first_flags;
    uint32_t last_flags;
    uint64_t step; /* from one input's counter to the next: 1 for chunks, 0 for parents */
};

struct b3_kernel {
    const char *name;
    size_t lanes;
    /** NULL: every processor can. */
    bool (*can_run)(void);
    /** Compress `lanes` inputs that lie end to end; their values go to `out`, end to end, which may
     *  be where the inputs begin if they have one block each. */
    void (*run)(const struct b3_batch *batch, const uint8_t *in, uint64_t counter, uint8_t *out);
};

/** Widest first; who runs one hands the rest to the rows behind it. The last has one lane. */
extern const struct b3_kernel b3_kernels[];
extern const size_t b3_kernel_count;

/** Begin as ox_blake3_init does, with a kernel of one's choice: for tests. */
void b3_init_with(struct ox_blake3 *hash, const struct b3_kernel *kernel);

/** One block; out is all 16 words (paper, section 2.2). */
void b3_compress(const uint32_t value[8], const uint8_t block[OX_BLAKE3_BLOCK_BYTES],
                 uint32_t block_bytes, uint64_t counter, uint32_t flags, uint32_t out[16]);

void b3_run_portable(const struct b3_batch *batch, const uint8_t *in, uint64_t counter,
                     uint8_t *out);
#if defined(__GNUC__)
#define B3_VECTORS 1
void b3_run_vec4(const struct b3_batch *batch, const uint8_t *in, uint64_t counter, uint8_t *out);
#endif
#if defined(__GNUC__) && defined(__x86_64__)
#define B3_X86 1
void b3_run_sse41(const struct b3_batch *batch, const uint8_t *in, uint64_t counter, uint8_t *out);
void b3_run_avx2(const struct b3_batch *batch, const uint8_t *in, uint64_t counter, uint8_t *out);
void b3_run_avx512(const struct b3_batch *batch, const uint8_t *in, uint64_t counter, uint8_t *out);
#endif

#endif

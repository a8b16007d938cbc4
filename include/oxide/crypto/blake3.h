/**
 * BLAKE3: a hash, a keyed hash and a key derivation function in one, with output of any length.
 * Written from the paper; uses the widest vectors that the processor has, chosen at run time.
 * Source: O'Connor, Aumasson, Neves, Wilcox-O'Hearn, "BLAKE3: one function, fast everywhere"
 * (2020), section 2.
 */
#ifndef OXIDE_CRYPTO_BLAKE3_H
#define OXIDE_CRYPTO_BLAKE3_H

#include "oxide/base/digest.h"
#include "oxide/base/io.h"
#include "oxide/base/stop.h"

#define OX_BLAKE3_KEY_BYTES 32
#define OX_BLAKE3_BLOCK_BYTES 64
#define OX_BLAKE3_CHUNK_BYTES 1024
#define OX_BLAKE3_DEPTH_MAX 55 /* 2^64 bytes are 2^54 chunks; one more may await its merge */

struct b3_kernel;

/** A running hash, in the caller's storage. It holds no resources; a keyed one holds its key. */
struct ox_blake3 {
    const struct b3_kernel *kernel;
    uint32_t key[8];
    uint32_t flags;
    /* the chunk at the end, of which at least one byte is there once anything is */
    uint32_t chunk_value[8];
    uint64_t chunk_counter;
    uint32_t chunk_blocks; /* compressed into chunk_value */
    uint32_t block_bytes;
    uint8_t block[OX_BLAKE3_BLOCK_BYTES];
    /* values of whole subtrees to the left of it, the largest first */
    uint32_t depth;
    uint8_t stack[OX_BLAKE3_DEPTH_MAX][32];
};

/** Begin. `context` names the use of a derived key; it should be hardcoded, unique and public. */
void ox_blake3_init(struct ox_blake3 *hash);
void ox_blake3_init_keyed(struct ox_blake3 *hash, const uint8_t key[OX_BLAKE3_KEY_BYTES]);
void ox_blake3_init_derive_key(struct ox_blake3 *hash, const char *context);

/** Take the next bytes, in pieces of any size; fastest in whole multiples of 64 KiB. */
void ox_blake3_update(struct ox_blake3 *hash, const void *bytes, size_t len_bytes);

/** Write the first len_bytes of the output of what came so far; the hash may go on. */
void ox_blake3_final(const struct ox_blake3 *hash, void *out, size_t len_bytes);

/** The usual 32 bytes of it. */
void ox_blake3_digest(const struct ox_blake3 *hash, struct ox_digest *out);

/** Digest of memory. */
void ox_blake3_bytes(const void *bytes, size_t len_bytes, struct ox_digest *out);

/** Digest of a whole source, read in blocks. stop and progress may be NULL.
 *  Errors: OX_ECANCELED once stop is requested; OX_ENOMEM; the source's own. */
OX_MUST_USE enum ox_code ox_blake3_source(const struct ox_source *source, struct ox_stop *stop,
                                          const struct ox_progress *progress, struct ox_digest *out,
                                          struct ox_err *err);

#endif

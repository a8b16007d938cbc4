/**
 * XXH64: a fast 64-bit sum that finds damage in a frame or equal contents among tensors. It is no
 * defence against an adversary; whole files are verified by SHA-256.
 * Source: Collet, "xxHash fast digest algorithm", version 0.1.1, section XXH64.
 */
#ifndef OXIDE_CRYPTO_XXH64_H
#define OXIDE_CRYPTO_XXH64_H

#include <stddef.h>
#include <stdint.h>

/** A running sum over bytes that come in parts. */
struct ox_xxh64 {
    uint64_t lanes[4];
    uint64_t seed;
    uint64_t total_bytes;
    uint8_t tail[32];
    size_t tail_bytes;
};

void ox_xxh64_init(struct ox_xxh64 *sum, uint64_t seed);
void ox_xxh64_update(struct ox_xxh64 *sum, const void *bytes, size_t len_bytes);
uint64_t ox_xxh64_final(const struct ox_xxh64 *sum);

/** The sum of one run of bytes. */
uint64_t ox_xxh64(const void *bytes, size_t len_bytes, uint64_t seed);

#endif

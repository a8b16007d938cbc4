#include "oxide/crypto/hmac.h"

#include "oxide/crypto/sha256.h"

#include <string.h>

#define BLOCK 64 /* of SHA-256 */

static enum ox_code hash_two(const uint8_t pad[BLOCK], const void *bytes, size_t len_bytes,
                             struct ox_digest *out, struct ox_err *err)
{
    struct ox_sha256 hash = {NULL};
    enum ox_code code = ox_sha256_init(&hash, err);

    if (code == OX_OK) {
        ox_sha256_update(&hash, pad, BLOCK);
        ox_sha256_update(&hash, bytes, len_bytes);
        ox_sha256_final(&hash, out);
    }
    return code;
}

enum ox_code ox_hmac_sha256(const void *key, size_t key_bytes, const void *message,
                            size_t message_bytes, struct ox_digest *out, struct ox_err *err)
{
    uint8_t inner_pad[BLOCK] = {0};
    uint8_t outer_pad[BLOCK] = {0};
    struct ox_digest inner;
    struct ox_digest result;
    enum ox_code code = OX_OK;

    if (key_bytes > BLOCK) { /* a long key is replaced by its hash */
        code = ox_sha256_bytes(key, key_bytes, &inner, err);
        key = inner.bytes;
        key_bytes = sizeof(inner.bytes);
    }
    if (code == OX_OK && key_bytes > 0) {
        memcpy(inner_pad, key, key_bytes);
        memcpy(outer_pad, key, key_bytes);
    }
    for (size_t i = 0; i < BLOCK; i++) {
        inner_pad[i] ^= 0x36;
        outer_pad[i] ^= 0x5c;
    }
    if (code == OX_OK) {
        code = hash_two(inner_pad, message, message_bytes, &inner, err);
    }
    if (code == OX_OK) {
        code = hash_two(outer_pad, inner.bytes, sizeof(inner.bytes), &result, err);
    }
    if (code == OX_OK) {
        *out = result;
    }
    explicit_bzero(inner_pad, sizeof(inner_pad));
    explicit_bzero(outer_pad, sizeof(outer_pad));
    explicit_bzero(&inner, sizeof(inner));
    return code;
}

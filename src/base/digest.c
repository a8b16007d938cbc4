#include "oxide/base/digest.h"

#include <string.h>

bool ox_digest_equal(const struct ox_digest *a, const struct ox_digest *b)
{
    return memcmp(a->bytes, b->bytes, OX_DIGEST_BYTES) == 0;
}

const char *ox_digest_hex(const struct ox_digest *digest, char out[OX_DIGEST_HEX_MAX])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < OX_DIGEST_BYTES; i++) {
        out[2 * i] = digits[digest->bytes[i] >> 4];
        out[2 * i + 1] = digits[digest->bytes[i] & 15];
    }
    out[OX_DIGEST_HEX_MAX - 1] = '\0';
    return out;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

enum ox_code ox_digest_parse(const char *hex, struct ox_digest *out, struct ox_err *err)
{
    struct ox_digest digest;

    if (hex == NULL || strnlen(hex, OX_DIGEST_HEX_MAX) != OX_DIGEST_HEX_MAX - 1) {
        return ox_err_set(err, OX_EINVAL, "a SHA-256 digest is 64 hex digits");
    }
    for (size_t i = 0; i < OX_DIGEST_BYTES; i++) {
        int high = hex_value(hex[2 * i]);
        int low = hex_value(hex[2 * i + 1]);

        if (high < 0 || low < 0) {
            return ox_err_set(err, OX_EINVAL, "a SHA-256 digest is 64 hex digits");
        }
        digest.bytes[i] = (uint8_t)(high * 16 + low);
    }
    *out = digest;
    return OX_OK;
}

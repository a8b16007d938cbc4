#include "oxide/base/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum ox_code ox_base64_encode(struct ox_buf *out, const void *bytes, size_t len_bytes,
                              struct ox_err *err)
{
    const uint8_t *from = bytes;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < len_bytes; i += 3) {
        size_t have = len_bytes - i < 3 ? len_bytes - i : 3;
        uint32_t group = (uint32_t)from[i] << 16 | (have > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
                         (have > 2 ? from[i + 2] : 0);
        char four[4];

        for (size_t j = 0; j < 4; j++) {
            four[j] = digits[group >> (18 - 6 * j) & 63];
        }
        code = ox_buf_append(out, four, have + 1, err);
    }
    return code;
}

enum ox_code ox_base64_decode(struct ox_buf *out, const char *text, struct ox_err *err)
{
    uint32_t group = 0;
    unsigned bits = 0;
    enum ox_code code = OX_OK;

    for (; code == OX_OK && *text != '\0'; text++) {
        const char *found = strchr(digits, *text);

        if (found == NULL) {
            return ox_err_set(err, OX_EINVAL, "not base 64: letters, digits, - and _");
        }
        group = (group << 6 | (uint32_t)(found - digits)) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            code = ox_buf_put_u8(out, (uint8_t)(group >> bits), err);
        }
    }
    if (code == OX_OK && (bits >= 6 || (group & ((1u << bits) - 1)) != 0)) {
        return ox_err_set(err, OX_EINVAL, "not base 64: it is cut off");
    }
    return code;
}

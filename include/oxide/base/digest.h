/** A 32-byte digest and its text: 64 lower-case hex digits. What computes it lives in crypto. */
#ifndef OXIDE_BASE_DIGEST_H
#define OXIDE_BASE_DIGEST_H

#include "oxide/base/err.h"

#include <stdint.h>

#define OX_DIGEST_BYTES 32
#define OX_DIGEST_HEX_MAX 65 /* with the final NUL */

struct ox_digest {
    uint8_t bytes[OX_DIGEST_BYTES];
};

bool ox_digest_equal(const struct ox_digest *a, const struct ox_digest *b);

/** Write 64 hex digits and a NUL; returns `out`. */
const char *ox_digest_hex(const struct ox_digest *digest, char out[OX_DIGEST_HEX_MAX]);

/** Parse exactly 64 hex digits of either case. Errors: OX_EINVAL. */
OX_MUST_USE enum ox_code ox_digest_parse(const char *hex, struct ox_digest *out,
                                         struct ox_err *err);

#endif

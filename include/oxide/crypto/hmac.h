/** HMAC-SHA256 (RFC 2104, FIPS 198-1). */
#ifndef OXIDE_CRYPTO_HMAC_H
#define OXIDE_CRYPTO_HMAC_H

#include "oxide/base/digest.h"

#include <stddef.h>

/** Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_hmac_sha256(const void *key, size_t key_bytes, const void *message,
                                        size_t message_bytes, struct ox_digest *out,
                                        struct ox_err *err);

#endif

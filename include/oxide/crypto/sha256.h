/** SHA-256 (FIPS 180-4) by OpenSSL. */
#ifndef OXIDE_CRYPTO_SHA256_H
#define OXIDE_CRYPTO_SHA256_H

#include "oxide/base/digest.h"
#include "oxide/base/err.h"
#include "oxide/base/io.h"
#include "oxide/base/stop.h"

#include <stddef.h>

/** A running hash. Zero-initialise; init, update, then final or clear. */
struct ox_sha256 {
    void *ctx;
};

OX_MUST_USE enum ox_code ox_sha256_init(struct ox_sha256 *hash, struct ox_err *err);
void ox_sha256_update(struct ox_sha256 *hash, const void *bytes, size_t len_bytes);
/** Write the digest and release the hash. */
void ox_sha256_final(struct ox_sha256 *hash, struct ox_digest *out);
/** Write the digest of what came so far; the hash goes on. */
OX_MUST_USE enum ox_code ox_sha256_peek(const struct ox_sha256 *hash, struct ox_digest *out,
                                        struct ox_err *err);
void ox_sha256_clear(struct ox_sha256 *hash);

/** Digest of memory. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_sha256_bytes(const void *bytes, size_t len_bytes, struct ox_digest *out,
                                         struct ox_err *err);

/** Digest of a whole source, read in blocks. stop and progress may be NULL.
 *  Errors: OX_ECANCELED once stop is requested; OX_ENOMEM; the source's own. */
OX_MUST_USE enum ox_code ox_sha256_source(const struct ox_source *source, struct ox_stop *stop,
                                          const struct ox_progress *progress, struct ox_digest *out,
                                          struct ox_err *err);

/** Digest and size of a file. size_bytes may be NULL. */
OX_MUST_USE enum ox_code ox_sha256_file(const char *path, struct ox_digest *out,
                                        uint64_t *size_bytes, struct ox_err *err);

#endif

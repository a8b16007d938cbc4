#include "oxide/crypto/sha256.h"

#include "oxide/base/file.h"

/* The direct functions, which OpenSSL 3 calls deprecated: its newer ones set up all providers, for
 * which a device that applies a patch would need 2 MiB more. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdlib.h>
#include <unistd.h>

/* Large enough that system calls do not show, small enough for a 64 MB gateway. */
#define BLOCK_BYTES ((size_t)128 * 1024)

enum ox_code ox_sha256_init(struct ox_sha256 *hash, struct ox_err *err)
{
    SHA256_CTX *ctx = malloc(sizeof(*ctx));

    if (ctx == NULL) {
        return ox_err_nomem(err, "a SHA-256 hash");
    }
    (void)SHA256_Init(ctx);
    hash->ctx = ctx;
    return OX_OK;
}

void ox_sha256_update(struct ox_sha256 *hash, const void *bytes, size_t len_bytes)
{
    (void)SHA256_Update(hash->ctx, bytes, len_bytes);
}

void ox_sha256_final(struct ox_sha256 *hash, struct ox_digest *out)
{
    (void)SHA256_Final(out->bytes, hash->ctx);
    ox_sha256_clear(hash);
}

enum ox_code ox_sha256_peek(const struct ox_sha256 *hash, struct ox_digest *out, struct ox_err *err)
{
    SHA256_CTX copy = *(const SHA256_CTX *)hash->ctx;

    (void)err;
    (void)SHA256_Final(out->bytes, &copy);
    return OX_OK;
}

void ox_sha256_clear(struct ox_sha256 *hash)
{
    free(hash->ctx);
    hash->ctx = NULL;
}

enum ox_code ox_sha256_bytes(const void *bytes, size_t len_bytes, struct ox_digest *out,
                             struct ox_err *err)
{
    struct ox_sha256 hash = {NULL};
    enum ox_code code = ox_sha256_init(&hash, err);

    if (code == OX_OK) {
        ox_sha256_update(&hash, bytes, len_bytes);
        ox_sha256_final(&hash, out);
    }
    return code;
}

enum ox_code ox_sha256_source(const struct ox_source *source, struct ox_stop *stop,
                              const struct ox_progress *progress, struct ox_digest *out,
                              struct ox_err *err)
{
    struct ox_sha256 hash = {NULL};
    uint8_t *block = malloc(BLOCK_BYTES);
    enum ox_code code = block == NULL ? ox_err_nomem(err, "hashing") : ox_sha256_init(&hash, err);

    for (uint64_t at = 0; code == OX_OK && at < source->size_bytes;) {
        uint64_t left = source->size_bytes - at;
        size_t take = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;

        if (ox_stop_requested(stop)) {
            code = ox_err_set(err, OX_ECANCELED, "stopped while hashing");
            break;
        }
        code = ox_source_read(source, at, block, take, err);
        if (code == OX_OK) {
            ox_sha256_update(&hash, block, take);
            at += take;
            ox_progress_update(progress, at, source->size_bytes);
        }
    }
    if (code == OX_OK) {
        ox_sha256_final(&hash, out);
    }
    ox_sha256_clear(&hash);
    free(block);
    return code;
}

enum ox_code ox_sha256_file(const char *path, struct ox_digest *out, uint64_t *size_bytes,
                            struct ox_err *err)
{
    int fd = -1;
    uint64_t size = 0;
    struct ox_fd_io io;
    struct ox_source source;
    enum ox_code code = ox_file_open_read(path, &fd, &size, err);

    if (code != OX_OK) {
        return code;
    }
    io = (struct ox_fd_io){fd, path};
    source = ox_fd_source(&io, size);
    code = ox_sha256_source(&source, NULL, NULL, out, err);
    (void)close(fd);
    if (code == OX_OK && size_bytes != NULL) {
        *size_bytes = size;
    }
    return code;
}

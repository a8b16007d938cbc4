/* A blob that is fetched into a file of its own, download/SHA256.part, hashed as it comes. */
#include "fetch.h"

#include "oxide/base/background.h"
#include "oxide/base/file.h"
#include "oxide/crypto/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct part {
    int fd;
    const char *path;
    uint64_t size_bytes; /* when whole */
    uint64_t have_bytes;
    const struct ox_digest *want;
    struct ox_sha256 hash;
    struct ox_drop_behind behind;
};

static enum ox_code part_empty(struct part *part, struct ox_err *err)
{
    ox_sha256_clear(&part->hash);
    part->have_bytes = 0;
    if (ftruncate(part->fd, 0) != 0) {
        return ox_err_sys(err, errno, "emptying %s", part->path);
    }
    return ox_sha256_init(&part->hash, err);
}

/* Hash what an earlier try left. */
static enum ox_code part_resume(struct part *part, struct ox_stop *stop, struct ox_err *err)
{
    static const size_t block_bytes = 256 * 1024;
    struct stat st;
    uint8_t *block = NULL;
    enum ox_code code;

    if (fstat(part->fd, &st) != 0) {
        return ox_err_sys(err, errno, "looking at %s", part->path);
    }
    if (!S_ISREG(st.st_mode)) {
        return ox_err_set(err, OX_EPERM, "%s is not a regular file: remove it", part->path);
    }
    if ((uint64_t)st.st_size > part->size_bytes) {
        return part_empty(part, err);
    }
    if ((code = ox_sha256_init(&part->hash, err)) != OX_OK || st.st_size == 0) {
        return code;
    }
    block = malloc(block_bytes);
    if (block == NULL) {
        return ox_err_nomem(err, "a block");
    }
    while (code == OX_OK && part->have_bytes < (uint64_t)st.st_size) {
        uint64_t left = (uint64_t)st.st_size - part->have_bytes;
        size_t take = left < block_bytes ? (size_t)left : block_bytes;

        code = ox_stop_requested(stop)
                   ? ox_err_set(err, OX_ECANCELED, "stopped")
                   : ox_pread_full(part->fd, part->have_bytes, block, take, part->path, err);
        if (code == OX_OK) {
            ox_sha256_update(&part->hash, block, take);
            ox_drop_behind_read(&part->behind, part->fd, part->have_bytes, take);
            part->have_bytes += take;
        }
    }
    free(block);
    return code;
}

/* --- as an intake --- */

static enum ox_code part_take(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    struct part *part = ctx;
    enum ox_code code =
        ox_pwrite_full(part->fd, part->have_bytes, bytes, len_bytes, part->path, err);

    if (code == OX_OK) {
        ox_sha256_update(&part->hash, bytes, len_bytes);
        ox_drop_behind_wrote(&part->behind, part->fd, part->have_bytes, len_bytes);
        part->have_bytes += len_bytes;
    }
    return code;
}

static enum ox_code part_finish(void *ctx, struct ox_err *err)
{
    struct part *part = ctx;
    struct ox_digest digest;
    enum ox_code code = ox_sha256_peek(&part->hash, &digest, err);

    return code != OX_OK || ox_digest_equal(&digest, part->want)
               ? code
               : ox_err_set(err, OX_EDIGEST, "the bytes that came are not those of the digest");
}

static enum ox_code part_restart(void *ctx, enum ox_code code, uint64_t *have_bytes,
                                 struct ox_err *err)
{
    (void)code;
    *have_bytes = 0;
    return part_empty(ctx, err);
}

enum ox_code ox_fetch_blob(const struct ox_fetch *fetch, const struct ox_assignment *assignment,
                           const struct ox_digest *sha256, uint64_t size_bytes,
                           const char *part_path, struct ox_err *err)
{
    struct part part = {.path = part_path, .size_bytes = size_bytes, .want = sha256};
    struct ox_intake intake = {.ctx = &part,
                               .size_bytes = size_bytes,
                               .take = part_take,
                               .finish = part_finish,
                               .restart = part_restart};
    enum ox_code code;

    part.fd = open(part_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (part.fd < 0) {
        return ox_err_sys(err, errno, "opening %s", part_path);
    }
    code = part_resume(&part, fetch->stop, err);
    if (code == OX_OK) {
        intake.have_bytes = part.have_bytes;
        intake.mixed = part.have_bytes > 0;
        code = ox_fetch_into(fetch, assignment, sha256, &intake, err);
    }
    ox_sha256_clear(&part.hash);
    if (close(part.fd) != 0 && code == OX_OK) {
        code = ox_err_sys(err, errno, "closing %s", part_path);
    }
    return code;
}

#include "backend.h"

#include "oxide/base/file.h"
#include "oxide/crypto/sha256.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#define PREFIXES 256 /* first bytes of digests */

/* The blobs of one first byte. */
struct share {
    uint64_t blobs;
    uint64_t bytes;
};

struct ox_store {
    const struct ox_store_backend *backend;
    void *ctx;
    pthread_mutex_t usage_lock; /* of the shares */
    struct share shares[PREFIXES];
    atomic_bool changed[PREFIXES]; /* since its share was read */
};

struct ox_store_writer {
    struct ox_store *store;
    struct ox_stage stage;
    struct ox_sha256 hash;
    uint64_t size_bytes;
};

enum ox_code ox_store_wrap(struct ox_store **out, const struct ox_store_backend *backend,
                           void *take_ctx, struct ox_err *err)
{
    struct ox_store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        backend->close(take_ctx);
        return ox_err_nomem(err, "a store");
    }
    store->backend = backend;
    store->ctx = take_ctx;
    (void)pthread_mutex_init(&store->usage_lock, NULL);
    for (size_t i = 0; i < PREFIXES; i++) {
        atomic_init(&store->changed[i], true);
    }
    *out = store;
    return OX_OK;
}

void ox_store_close(struct ox_store *store)
{
    if (store != NULL) {
        store->backend->close(store->ctx);
        (void)pthread_mutex_destroy(&store->usage_lock);
        free(store);
    }
}

static void note_change(struct ox_store *store, const struct ox_digest *digest)
{
    atomic_store(&store->changed[digest->bytes[0]], true);
}

/* --- writing --- */

static void free_writer(struct ox_store_writer *writer)
{
    ox_sha256_clear(&writer->hash);
    free(writer);
}

static enum ox_code hash_received(struct ox_store_writer *writer, uint64_t size_bytes,
                                  struct ox_err *err)
{
    enum { BLOCK_BYTES = 128 * 1024 };
    uint8_t *block = malloc(BLOCK_BYTES);
    enum ox_code code = block == NULL ? ox_err_nomem(err, "hashing an upload") : OX_OK;

    while (code == OX_OK && writer->size_bytes < size_bytes) {
        uint64_t left = size_bytes - writer->size_bytes;
        size_t take = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;

        code = ox_pread_full(writer->stage.fd, writer->size_bytes, block, take, "an upload", err);
        if (code == OX_OK) {
            ox_sha256_update(&writer->hash, block, take);
            writer->size_bytes += take;
        }
    }
    free(block);
    return code;
}

static enum ox_code begin(struct ox_store *store, const struct ox_digest *upload, bool restart,
                          struct ox_store_writer **out, struct ox_err *err)
{
    struct ox_store_writer *writer = calloc(1, sizeof(*writer));
    uint64_t received = 0;
    enum ox_code code;

    if (writer == NULL) {
        return ox_err_nomem(err, "a blob writer");
    }
    writer->store = store;
    if ((code = ox_sha256_init(&writer->hash, err)) != OX_OK ||
        (code = store->backend->stage(store->ctx, upload, &writer->stage, &received, err)) !=
            OX_OK) {
        free_writer(writer);
        return code;
    }
    if (restart && received > 0 && ftruncate(writer->stage.fd, 0) == 0) {
        received = 0;
    }
    code = hash_received(writer, received, err);
    if (code != OX_OK) {
        ox_store_suspend(writer);
        return code;
    }
    *out = writer;
    return OX_OK;
}

enum ox_code ox_store_begin(struct ox_store *store, struct ox_store_writer **out,
                            struct ox_err *err)
{
    return begin(store, NULL, false, out, err);
}

enum ox_code ox_store_resume(struct ox_store *store, const struct ox_digest *digest, bool restart,
                             struct ox_store_writer **out, uint64_t *received_bytes,
                             struct ox_err *err)
{
    enum ox_code code = begin(store, digest, restart, out, err);

    if (code == OX_OK) {
        *received_bytes = (*out)->size_bytes;
    }
    return code;
}

enum ox_code ox_store_write(struct ox_store_writer *writer, const void *bytes, size_t len_bytes,
                            struct ox_err *err)
{
    enum ox_code code;

    if (len_bytes > (uint64_t)INT64_MAX - writer->size_bytes) {
        return ox_err_set(err, OX_ETOOBIG, "a blob has under 2^63 bytes");
    }
    code = ox_pwrite_full(writer->stage.fd, writer->size_bytes, bytes, len_bytes, "a blob", err);
    if (code == OX_OK) {
        ox_sha256_update(&writer->hash, bytes, len_bytes);
        writer->size_bytes += len_bytes;
    }
    return code;
}

static enum ox_code output_write(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    return ox_store_write(ctx, bytes, len_bytes, err);
}

struct ox_output ox_store_output(struct ox_store_writer *writer)
{
    return (struct ox_output){writer, output_write};
}

uint64_t ox_store_written(const struct ox_store_writer *writer)
{
    return writer->size_bytes;
}

enum ox_code ox_store_commit(struct ox_store_writer *take_writer, const struct ox_digest *expected,
                             struct ox_digest *digest, uint64_t *size_bytes, struct ox_err *err)
{
    struct ox_store_writer *writer = take_writer;
    struct ox_store *store = writer->store;
    uint64_t size = writer->size_bytes;
    struct ox_digest got;
    enum ox_code code;

    ox_sha256_final(&writer->hash, &got);
    if (expected != NULL && !ox_digest_equal(expected, &got)) {
        char hex[OX_DIGEST_HEX_MAX];

        code = ox_err_set(err, OX_EDIGEST,
                          "the bytes have SHA-256 %s, not the one that was named: send them again",
                          ox_digest_hex(&got, hex));
        store->backend->leave(store->ctx, &writer->stage, false);
    } else {
        code = store->backend->publish(store->ctx, &writer->stage, &got, size, err);
        note_change(store, &got);
    }
    free_writer(writer);
    if (code != OX_OK) {
        return code;
    }
    if (digest != NULL) {
        *digest = got;
    }
    if (size_bytes != NULL) {
        *size_bytes = size;
    }
    return OX_OK;
}

void ox_store_abort(struct ox_store_writer *take_writer)
{
    if (take_writer != NULL) {
        struct ox_store *store = take_writer->store;

        store->backend->leave(store->ctx, &take_writer->stage, false);
        free_writer(take_writer);
    }
}

void ox_store_suspend(struct ox_store_writer *take_writer)
{
    if (take_writer != NULL) {
        struct ox_store *store = take_writer->store;

        store->backend->leave(store->ctx, &take_writer->stage, take_writer->stage.is_upload);
        free_writer(take_writer);
    }
}

/* --- reading --- */

enum ox_code ox_store_read(struct ox_store *store, const struct ox_digest *digest,
                           struct ox_blob *out, struct ox_err *err)
{
    struct ox_blob blob = OX_BLOB_INIT;
    enum ox_code code = store->backend->read(store->ctx, digest, &blob.fd, &blob.size_bytes, err);

    if (code == OX_OK) {
        blob.io.fd = blob.fd;
        *out = blob;
    }
    return code;
}

struct ox_source ox_blob_source(struct ox_blob *blob)
{
    return ox_fd_source(&blob->io, blob->size_bytes);
}

void ox_blob_close(struct ox_blob *blob)
{
    if (blob->fd >= 0) {
        (void)close(blob->fd);
    }
    blob->fd = -1;
    blob->io.fd = -1;
}

enum ox_code ox_store_size(struct ox_store *store, const struct ox_digest *digest,
                           uint64_t *size_bytes, struct ox_err *err)
{
    struct ox_blob blob = OX_BLOB_INIT;
    enum ox_code code = ox_store_read(store, digest, &blob, err);

    if (code == OX_OK) {
        if (size_bytes != NULL) {
            *size_bytes = blob.size_bytes;
        }
        ox_blob_close(&blob);
    }
    return code;
}

bool ox_store_has(struct ox_store *store, const struct ox_digest *digest)
{
    return ox_store_size(store, digest, NULL, NULL) == OX_OK;
}

enum ox_code ox_store_received(struct ox_store *store, const struct ox_digest *digest,
                               uint64_t *received_bytes, struct ox_err *err)
{
    return store->backend->received(store->ctx, digest, received_bytes, err);
}

enum ox_code ox_store_free_bytes(struct ox_store *store, uint64_t *out_bytes, struct ox_err *err)
{
    return store->backend->free_bytes(store->ctx, out_bytes, err);
}

enum ox_code ox_store_remove(struct ox_store *store, const struct ox_digest *digest,
                             struct ox_err *err)
{
    enum ox_code code = store->backend->remove(store->ctx, digest, err);

    note_change(store, digest);
    return code;
}

enum ox_code ox_store_each(struct ox_store *store, const struct ox_store_visitor *visitor,
                           struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (unsigned i = 0; code == OX_OK && i < PREFIXES; i++) {
        code = store->backend->each(store->ctx, (uint8_t)i, visitor, err);
    }
    return code;
}

enum ox_code ox_store_each_of(struct ox_store *store, uint8_t first_byte,
                              const struct ox_store_visitor *visitor, struct ox_err *err)
{
    return store->backend->each(store->ctx, first_byte, visitor, err);
}

static enum ox_code add_up(void *ctx, const struct ox_digest *digest, uint64_t size_bytes,
                           struct ox_err *err)
{
    struct share *share = ctx;

    (void)digest;
    (void)err;
    share->blobs++;
    share->bytes += size_bytes;
    return OX_OK;
}

/* What changes while it is read is noted behind the change, so the next call reads it again. */
static enum ox_code read_share(struct ox_store *store, unsigned i, struct ox_err *err)
{
    struct share share = {0, 0};
    const struct ox_store_visitor visitor = {&share, add_up};
    enum ox_code code;

    if (!atomic_exchange(&store->changed[i], false)) {
        return OX_OK;
    }
    code = store->backend->each(store->ctx, (uint8_t)i, &visitor, err);
    if (code == OX_OK) {
        store->shares[i] = share;
    } else {
        atomic_store(&store->changed[i], true);
    }
    return code;
}

enum ox_code ox_store_usage(struct ox_store *store, uint64_t *blobs, uint64_t *bytes,
                            struct ox_err *err)
{
    struct share sum = {0, 0};
    enum ox_code code = OX_OK;

    (void)pthread_mutex_lock(&store->usage_lock);
    for (unsigned i = 0; code == OX_OK && i < PREFIXES; i++) {
        code = read_share(store, i, err);
        sum.blobs += store->shares[i].blobs;
        sum.bytes += store->shares[i].bytes;
    }
    (void)pthread_mutex_unlock(&store->usage_lock);
    if (code == OX_OK) {
        *blobs = sum.blobs;
        *bytes = sum.bytes;
    }
    return code;
}

enum ox_code ox_store_touch(struct ox_store *store, const struct ox_digest *digest,
                            struct ox_err *err)
{
    return store->backend->touch(store->ctx, digest, err);
}

enum ox_code ox_store_remove_unused(struct ox_store *store, const struct ox_digest *digest,
                                    int64_t since_wall_ms, bool dry_run, bool *removed,
                                    struct ox_err *err)
{
    enum ox_code code =
        store->backend->remove_unused(store->ctx, digest, since_wall_ms, dry_run, removed, err);

    if (!dry_run) {
        note_change(store, digest);
    }
    return code;
}

enum ox_code ox_store_sweep_uploads(struct ox_store *store, int64_t since_wall_ms,
                                    struct ox_err *err)
{
    return store->backend->sweep_uploads(store->ctx, since_wall_ms, err);
}

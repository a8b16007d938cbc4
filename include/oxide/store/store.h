/**
 * The store: blobs addressed by their SHA-256. Written to a temporary name, synced, renamed, so a
 * blob that can be opened is whole and durable. All functions may be called from any thread.
 *
 * A backend is one row of functions (src/store/backend.h): a folder, or memory for tests.
 */
#ifndef OXIDE_STORE_STORE_H
#define OXIDE_STORE_STORE_H

#include "oxide/base/digest.h"
#include "oxide/base/io.h"

#include <stdint.h>

struct ox_store;
struct ox_store_writer;

/** An upload that broke off is kept this long. */
#define OX_STORE_UPLOAD_KEEP_MS ((int64_t)24 * 3600 * 1000)

/**
 * Open the file store in folder `dir` (made if absent; the caller holds its lock):
 * blobs/ab/<62 hex>, tmp/, uploads/<64 hex>.part. Removes what a crash left in tmp and uploads
 * older than OX_STORE_UPLOAD_KEEP_MS. The caller closes *out.
 */
OX_MUST_USE enum ox_code ox_store_open(struct ox_store **out, const char *dir, int64_t now_wall_ms,
                                       struct ox_err *err);

/** A store in memory, for tests. */
OX_MUST_USE enum ox_code ox_store_open_memory(struct ox_store **out, struct ox_err *err);

/** NULL is fine. No writer or blob of it may be in use. */
void ox_store_close(struct ox_store *store);

/* --- writing --- */

/** Begin a blob whose digest is not known yet. Commit or abort it. */
OX_MUST_USE enum ox_code ox_store_begin(struct ox_store *store, struct ox_store_writer **out,
                                        struct ox_err *err);

/**
 * Begin, or go on with, the upload of the blob `digest`. *received_bytes says what is there
 * already; it was hashed again, so this takes time for large ones. `restart` drops it first.
 * Errors: OX_EBUSY while another writer has the same upload open.
 */
OX_MUST_USE enum ox_code ox_store_resume(struct ox_store *store, const struct ox_digest *digest,
                                         bool restart, struct ox_store_writer **out,
                                         uint64_t *received_bytes, struct ox_err *err);

/** Append. Errors: OX_ENOSPC, OX_EIO; abort the writer after one. */
OX_MUST_USE enum ox_code ox_store_write(struct ox_store_writer *writer, const void *bytes,
                                        size_t len_bytes, struct ox_err *err);

/** As an output to append to. */
struct ox_output ox_store_output(struct ox_store_writer *writer);

/** Bytes so far, with those of an upload that is gone on with. */
uint64_t ox_store_written(const struct ox_store_writer *writer);

/**
 * Make the blob durable under its digest and free the writer, also on failure. `expected` may be
 * NULL; out-pointers may be NULL. A blob that is held already is success.
 * Errors: OX_EDIGEST if it hashes to something else (nothing is kept), OX_ENOSPC, OX_EIO.
 */
OX_MUST_USE enum ox_code ox_store_commit(struct ox_store_writer *take_writer,
                                         const struct ox_digest *expected, struct ox_digest *digest,
                                         uint64_t *size_bytes, struct ox_err *err);

/** Drop what was written and free the writer. NULL is fine. */
void ox_store_abort(struct ox_store_writer *take_writer);

/** As abort, but an upload (ox_store_resume) keeps what arrived. */
void ox_store_suspend(struct ox_store_writer *take_writer);

/* --- reading --- */

/** An open blob. Do not move it while a source of it is in use. */
struct ox_blob {
    int fd; /* the caller may take it and set -1 */
    uint64_t size_bytes;
    struct ox_fd_io io;
};
#define OX_BLOB_INIT                                                                               \
    {                                                                                              \
        -1, 0,                                                                                     \
        {                                                                                          \
            -1, "a blob"                                                                           \
        }                                                                                          \
    }

/** Errors: OX_ENOTFOUND. The caller closes *out. */
OX_MUST_USE enum ox_code ox_store_read(struct ox_store *store, const struct ox_digest *digest,
                                       struct ox_blob *out, struct ox_err *err);
struct ox_source ox_blob_source(struct ox_blob *blob);
void ox_blob_close(struct ox_blob *blob);

/** Size of a blob. Errors: OX_ENOTFOUND. size_bytes may be NULL. */
OX_MUST_USE enum ox_code ox_store_size(struct ox_store *store, const struct ox_digest *digest,
                                       uint64_t *size_bytes, struct ox_err *err);
bool ox_store_has(struct ox_store *store, const struct ox_digest *digest);

/** Bytes of an upload that broke off; 0 if there is none. */
OX_MUST_USE enum ox_code ox_store_received(struct ox_store *store, const struct ox_digest *digest,
                                           uint64_t *received_bytes, struct ox_err *err);

/** Free bytes for blobs; UINT64_MAX where there is no limit. */
OX_MUST_USE enum ox_code ox_store_free_bytes(struct ox_store *store, uint64_t *out_bytes,
                                             struct ox_err *err);

/**
 * How many blobs are held, and their bytes. Only the 256ths of the store in which something came or
 * went since it was asked last are read: the first time all of it.
 */
OX_MUST_USE enum ox_code ox_store_usage(struct ox_store *store, uint64_t *blobs, uint64_t *bytes,
                                        struct ox_err *err);

/** Remove a blob. Absent is success. Readers that have it open keep it. */
OX_MUST_USE enum ox_code ox_store_remove(struct ox_store *store, const struct ox_digest *digest,
                                         struct ox_err *err);

/**
 * Say that a blob is about to be referred to, so that ox_store_remove_unused leaves it alone for a
 * while. A blob that is written, be it once more, needs no such word. Errors: OX_ENOTFOUND.
 */
OX_MUST_USE enum ox_code ox_store_touch(struct ox_store *store, const struct ox_digest *digest,
                                        struct ox_err *err);

/**
 * Remove a blob unless it was written or touched at or after `since_wall_ms`: in one step, so that
 * who is told that a blob is touched or written may count on it for that time. Absent, and too
 * young, are success; *removed tells. Readers that have it open keep it. With `dry_run` it stays,
 * and *removed tells whether it would go.
 */
OX_MUST_USE enum ox_code ox_store_remove_unused(struct ox_store *store,
                                                const struct ox_digest *digest,
                                                int64_t since_wall_ms, bool dry_run, bool *removed,
                                                struct ox_err *err);

/** Remove uploads that broke off and were not gone on with since `since_wall_ms`. */
OX_MUST_USE enum ox_code ox_store_sweep_uploads(struct ox_store *store, int64_t since_wall_ms,
                                                struct ox_err *err);

/** Visit every blob, in no order; a visit that fails ends it and is returned. */
struct ox_store_visitor {
    void *ctx;
    enum ox_code (*visit)(void *ctx, const struct ox_digest *digest, uint64_t size_bytes,
                          struct ox_err *err);
};
OX_MUST_USE enum ox_code ox_store_each(struct ox_store *store,
                                       const struct ox_store_visitor *visitor, struct ox_err *err);
/** Only blobs whose digest begins with this byte: a 256th of all of them. */
OX_MUST_USE enum ox_code ox_store_each_of(struct ox_store *store, uint8_t first_byte,
                                          const struct ox_store_visitor *visitor,
                                          struct ox_err *err);

#endif

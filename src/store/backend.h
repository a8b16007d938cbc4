/**
 * What a store is made of. To add a backend: a file beside store_file.c with its table and a
 * constructor in oxide/store/store.h. Hashing and the writers' rules live in store.c alone.
 */
#ifndef OX_STORE_BACKEND_H
#define OX_STORE_BACKEND_H

#include "oxide/store/store.h"

/** Bytes on their way to become a blob. fd is open for reading and writing. */
struct ox_stage {
    int fd;
    char *path; /* the backend's own, may be NULL */
    bool is_upload;
    struct ox_digest upload; /* its digest to be, if is_upload */
};

struct ox_store_backend {
    /** Open a stage; `upload` NULL: a fresh one. *size_bytes: what an upload holds already. */
    enum ox_code (*stage)(void *ctx, const struct ox_digest *upload, struct ox_stage *out,
                          uint64_t *size_bytes, struct ox_err *err);
    /** Sync and rename to its digest. The stage is closed in every case. */
    enum ox_code (*publish)(void *ctx, struct ox_stage *stage, const struct ox_digest *digest,
                            uint64_t size_bytes, struct ox_err *err);
    /** Close the stage, keeping its bytes or not. */
    void (*leave)(void *ctx, struct ox_stage *stage, bool keep);
    enum ox_code (*read)(void *ctx, const struct ox_digest *digest, int *out_fd,
                         uint64_t *size_bytes, struct ox_err *err);
    enum ox_code (*received)(void *ctx, const struct ox_digest *digest, uint64_t *out_bytes,
                             struct ox_err *err);
    enum ox_code (*free_bytes)(void *ctx, uint64_t *out_bytes, struct ox_err *err);
    enum ox_code (*remove)(void *ctx, const struct ox_digest *digest, struct ox_err *err);
    /** Remove it if its time is before `since_wall_ms`, in one step with publish and touch. */
    enum ox_code (*remove_unused)(void *ctx, const struct ox_digest *digest, int64_t since_wall_ms,
                                  bool dry_run, bool *removed, struct ox_err *err);
    /** Set its time to now. */
    enum ox_code (*touch)(void *ctx, const struct ox_digest *digest, struct ox_err *err);
    enum ox_code (*sweep_uploads)(void *ctx, int64_t since_wall_ms, struct ox_err *err);
    /** Of blobs whose digest begins with this byte. */
    enum ox_code (*each)(void *ctx, uint8_t first_byte, const struct ox_store_visitor *visitor,
                         struct ox_err *err);
    void (*close)(void *ctx);
};

/** Wrap a backend; ctx is taken (and closed on failure). */
OX_MUST_USE enum ox_code ox_store_wrap(struct ox_store **out,
                                       const struct ox_store_backend *backend, void *take_ctx,
                                       struct ox_err *err);

#endif

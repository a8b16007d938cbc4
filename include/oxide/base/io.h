/**
 * Random-access bytes: a source to read, a sink to fill. Small tables of functions, so that patches
 * and layouts work on a file, on memory, or on several files laid end to end, without knowing
 * which.
 */
#ifndef OXIDE_BASE_IO_H
#define OXIDE_BASE_IO_H

#include "oxide/base/buf.h"
#include "oxide/base/err.h"

#include <stdint.h>

/** Bytes to read. Lent: the owner of `ctx` outlives it. Thread-safe when read_at is. */
struct ox_source {
    void *ctx;
    uint64_t size_bytes;
    /** Read exactly len_bytes at offset; the caller keeps offset + len_bytes <= size_bytes. */
    enum ox_code (*read_at)(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                            struct ox_err *err);
};

/** Bytes to fill. read_at reads back what was written before (NULL where that cannot be). */
struct ox_sink {
    void *ctx;
    enum ox_code (*write_at)(void *ctx, uint64_t offset, const void *bytes, size_t len_bytes,
                             struct ox_err *err);
    enum ox_code (*read_at)(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                            struct ox_err *err);
};

/** Bytes to append to, in order: a file, a pipe, a hash. */
struct ox_output {
    void *ctx;
    enum ox_code (*write)(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err);
};

/** Read with the bounds checked. Errors: OX_ECORRUPT past the end, or the source's own. */
OX_MUST_USE enum ox_code ox_source_read(const struct ox_source *source, uint64_t offset, void *out,
                                        size_t len_bytes, struct ox_err *err);

/** Hand all of a source to an output, in blocks of at most 64 KiB. Errors: OX_ENOMEM, theirs. */
OX_MUST_USE enum ox_code ox_source_copy(const struct ox_source *source,
                                        const struct ox_output *output, struct ox_err *err);

/** A source over borrowed memory. */
struct ox_memory {
    const uint8_t *data;
    size_t len_bytes;
};
struct ox_source ox_memory_source(struct ox_memory *memory);

/** A source or sink over an open file descriptor, which stays the caller's. */
struct ox_fd_io {
    int fd;
    const char *name; /* for messages; lent */
};
struct ox_source ox_fd_source(struct ox_fd_io *io, uint64_t size_bytes);
struct ox_sink ox_fd_sink(struct ox_fd_io *io);
/** Appends at the descriptor's own position, so a pipe will do. */
struct ox_output ox_fd_output(struct ox_fd_io *io);

/** Several sources laid end to end. `parts` is lent; init sums the sizes. Errors: OX_ETOOBIG. */
struct ox_concat {
    const struct ox_source *parts;
    size_t count;
    uint64_t *ends; /* owned: end offset of each part */
};
OX_MUST_USE enum ox_code ox_concat_init(struct ox_concat *concat, const struct ox_source *parts,
                                        size_t count, struct ox_err *err);
struct ox_source ox_concat_source(struct ox_concat *concat);
void ox_concat_clear(struct ox_concat *concat);

/** Told how far long work has come; done and total in the unit of the work (mostly bytes). */
struct ox_progress {
    void *ctx;
    void (*update)(void *ctx, uint64_t done, uint64_t total); /* NULL: nobody watches */
};
void ox_progress_update(const struct ox_progress *progress, uint64_t done, uint64_t total);

#endif

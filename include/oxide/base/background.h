/**
 * Long work beside programs that matter more: it gives way to them on the processor and on the
 * disk, and does not push what they read out of the system's cache of files.
 */
#ifndef OXIDE_BASE_BACKGROUND_H
#define OXIDE_BASE_BACKGROUND_H

#include "oxide/base/io.h"

/**
 * Run `run` to its end in a thread of its own, which has the processor at nice 19 and the disk as
 * idle I/O; threads and processes that it starts inherit both. Where there is no thread to be had
 * it runs in the caller's, where a priority is refused with the usual one. Returns what it returns.
 */
OX_MUST_USE enum ox_code ox_background_run(enum ox_code (*run)(void *ctx, struct ox_err *err),
                                           void *ctx, struct ox_err *err);

/**
 * What one pass over a file leaves in the cache, given back ("drop-behind") every 16 MiB: what is
 * shorter stays. Pages that another process maps stay, too. One thread at a time. Zero is new.
 */
struct ox_drop_behind {
    uint64_t low; /* the range that was touched since the last time */
    uint64_t high;
    uint64_t bytes;
};

/** len_bytes were read at `offset`. */
void ox_drop_behind_read(struct ox_drop_behind *behind, int fd, uint64_t offset, size_t len_bytes);
/** They were written: before they are given back they must reach the disk, which is waited for. So
 * no more than that is ever unwritten. What the disk says of it is for fsync to tell. */
void ox_drop_behind_wrote(struct ox_drop_behind *behind, int fd, uint64_t offset, size_t len_bytes);

/** A source over an open file descriptor, which stays the caller's, that drops behind. */
struct ox_passing {
    struct ox_fd_io io;
    struct ox_drop_behind behind;
};
struct ox_source ox_passing_source(struct ox_passing *passing, uint64_t size_bytes);

#endif

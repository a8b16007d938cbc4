/**
 * Files: whole reads and writes over EINTR and short counts, and changes that survive a power cut.
 *
 * Durable means: after the call returned OX_OK, a power cut at any later instant leaves the new
 * state; a cut during the call leaves the old or the new one, never a mixture.
 */
#ifndef OXIDE_BASE_FILE_H
#define OXIDE_BASE_FILE_H

#include "oxide/base/buf.h"
#include "oxide/base/err.h"

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/** Read or write exactly len_bytes. A file that ends early is OX_EIO. `name` is for messages. */
OX_MUST_USE enum ox_code ox_pread_full(int fd, uint64_t offset, void *out, size_t len_bytes,
                                       const char *name, struct ox_err *err);
OX_MUST_USE enum ox_code ox_pwrite_full(int fd, uint64_t offset, const void *bytes,
                                        size_t len_bytes, const char *name, struct ox_err *err);
OX_MUST_USE enum ox_code ox_write_full(int fd, const void *bytes, size_t len_bytes,
                                       const char *name, struct ox_err *err);

/** Open for reading with O_CLOEXEC; *size_bytes may be NULL. Refuses what is not a regular file. */
OX_MUST_USE enum ox_code ox_file_open_read(const char *path, int *out_fd, uint64_t *size_bytes,
                                           struct ox_err *err);

/**
 * Open the file `relative` (components with '/' between them) below the folder `dir` for reading,
 * following no symlink from `dir` on. *size_bytes may be NULL.
 * Errors: OX_EPERM if there is a symlink on the way; OX_EINVAL if it is no regular file; the
 * system's.
 */
OX_MUST_USE enum ox_code ox_file_open_below(const char *dir, const char *relative, int *out_fd,
                                            uint64_t *size_bytes, struct ox_err *err);

/** Is `path` a folder, and no symlink to one? */
bool ox_dir_is_real(const char *path);

/** What an open file was when it was last looked at. */
struct ox_file_state {
    uint64_t size_bytes;
    struct timespec written; /* by the system's clock */
};

OX_MUST_USE enum ox_code ox_file_state(int fd, const char *name, struct ox_file_state *out,
                                       struct ox_err *err);

/**
 * Was the file not written to since `before`? Who reads a file more than once, or promises what is
 * in it, asks at the end. What another file was renamed over has not changed.
 * Errors: OX_EIO, naming the file.
 */
OX_MUST_USE enum ox_code ox_file_check_unchanged(int fd, const char *name,
                                                 const struct ox_file_state *before,
                                                 struct ox_err *err);

/** Append the whole file to `out`. Errors: OX_ETOOBIG over max_bytes, OX_ENOTFOUND, OX_EIO. */
OX_MUST_USE enum ox_code ox_file_read_all(const char *path, size_t max_bytes, struct ox_buf *out,
                                          struct ox_err *err);
/** The same of a file that nobody but us puts there. Errors: OX_EPERM for a symlink, too. */
OX_MUST_USE enum ox_code ox_file_read_own(const char *path, size_t max_bytes, struct ox_buf *out,
                                          struct ox_err *err);

/** Between a file's name and six random characters: its temporary neighbour, which a kill of who
 * replaces it leaves. */
#define OX_FILE_TEMPORARY ".tmp-"

/** Replace a file durably: temporary neighbour, fsync, rename, fsync of the folder. */
OX_MUST_USE enum ox_code ox_file_replace(const char *path, const void *bytes, size_t len_bytes,
                                         mode_t mode, struct ox_err *err);

/** The same without fsync: whoever reads after a crash of this process finds the old file or the
 * new one, after a power cut perhaps neither. */
OX_MUST_USE enum ox_code ox_file_replace_lazily(const char *path, const void *bytes,
                                                size_t len_bytes, mode_t mode, struct ox_err *err);

/** Point the symlink `path` at `target`, durably and atomically. */
OX_MUST_USE enum ox_code ox_symlink_replace(const char *path, const char *target,
                                            struct ox_err *err);

/**
 * Let the file or folder `fresh` take the name `path`, where another file or folder stands. That
 * one is kept: *old names where (on the same file system, beside `fresh`), and the caller frees the
 * name. One step where the system can exchange names, else two, the first of which is undone if the
 * second fails. On failure both are as they were. Nothing is synced: see ox_parent_sync.
 */
OX_MUST_USE enum ox_code ox_swap(const char *fresh, const char *path, char **old,
                                 struct ox_err *err);

/** Copy a regular file's bytes into a fresh file at `to` (which must not exist) and sync it. */
OX_MUST_USE enum ox_code ox_file_copy(const char *from, const char *to, mode_t mode,
                                      struct ox_err *err);

/** fsync a folder, so that the renames in it are durable. */
OX_MUST_USE enum ox_code ox_dir_sync(const char *path, struct ox_err *err);

/** fsync the folder that holds `path`. */
OX_MUST_USE enum ox_code ox_parent_sync(const char *path, struct ox_err *err);

/** Make a folder and those above it; existing ones are fine. */
OX_MUST_USE enum ox_code ox_dir_make(const char *path, mode_t mode, struct ox_err *err);

/** Remove a file or a folder with all it holds, never following symlinks. Absent is success. */
OX_MUST_USE enum ox_code ox_remove_tree(const char *path, struct ox_err *err);

/** Does something exist at path (a dangling symlink counts)? */
bool ox_path_exists(const char *path);

/** Join with one slash into fresh memory that the caller frees. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_path_join(char **out, const char *dir, const char *name,
                                      struct ox_err *err);

/** Take an exclusive lock on the file (made if absent); held until fd is closed.
 *  Errors: OX_EBUSY if another process holds it. */
OX_MUST_USE enum ox_code ox_lock_file(const char *path, int *out_fd, struct ox_err *err);

/** Does a process hold the lock of this file? Absent: no; what cannot be asked: yes. */
bool ox_lock_is_held(const char *path);

/** Free bytes for us, and all bytes, of the file system that holds `path`. */
OX_MUST_USE enum ox_code ox_disk_space(const char *path, uint64_t *free_bytes,
                                       uint64_t *total_bytes, struct ox_err *err);

/** Free bytes for us on the file system that holds `path`. */
OX_MUST_USE enum ox_code ox_disk_free(const char *path, uint64_t *out_bytes, struct ox_err *err);

#endif

#define _GNU_SOURCE /* mkostemp */
#include "backend.h"

#include "oxide/base/file.h"
#include "oxide/store/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE 0750
#define BLOB_MODE 0640

struct folder {
    char *blobs;
    char *tmp;
    char *uploads;
    pthread_mutex_t times; /* held where a blob's time is set, or is what decides */
};

static void folder_close(void *ctx)
{
    struct folder *folder = ctx;

    (void)pthread_mutex_destroy(&folder->times);
    free(folder->blobs);
    free(folder->tmp);
    free(folder->uploads);
    free(folder);
}

static enum ox_code blob_path(const struct folder *folder, const struct ox_digest *digest,
                              char **out, struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];

    ox_digest_hex(digest, hex);
    return ox_strf(out, err, "%s/%.2s/%s", folder->blobs, hex, hex + 2);
}

static enum ox_code upload_path(const struct folder *folder, const struct ox_digest *digest,
                                char **out, struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];

    return ox_strf(out, err, "%s/%s.part", folder->uploads, ox_digest_hex(digest, hex));
}

/* --- stages --- */

static enum ox_code stage_fresh(const struct folder *folder, struct ox_stage *out,
                                struct ox_err *err)
{
    char *path = NULL;
    enum ox_code code = ox_strf(&path, err, "%s/blob.XXXXXX", folder->tmp);
    int fd;

    if (code != OX_OK) {
        return code;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        code = ox_err_sys(err, errno, "making a temporary file in %s", folder->tmp);
        free(path);
        return code;
    }
    *out = (struct ox_stage){fd, path, false, {{0}}};
    return OX_OK;
}

/* The lock says that a writer is at it. Who waited for it may hold a file that was renamed to a
 * blob meanwhile: only the file that still stands at the path is the upload. */
static enum ox_code stage_upload(const struct folder *folder, const struct ox_digest *digest,
                                 struct ox_stage *out, uint64_t *size_bytes, struct ox_err *err)
{
    struct stat opened;
    struct stat named;
    char *path = NULL;
    enum ox_code code = upload_path(folder, digest, &path, err);
    int fd;

    if (code != OX_OK) {
        return code;
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, BLOB_MODE);
    if (fd < 0) {
        code = ox_err_sys(err, errno, "opening %s", path);
        free(path);
        return code;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &opened) != 0 || stat(path, &named) != 0 ||
        opened.st_ino != named.st_ino) {
        (void)close(fd);
        free(path);
        return ox_err_set(err, OX_EBUSY,
                          "another upload of this blob is under way: try again in a moment");
    }
    *size_bytes = (uint64_t)opened.st_size;
    *out = (struct ox_stage){fd, path, true, *digest};
    return OX_OK;
}

static enum ox_code folder_stage(void *ctx, const struct ox_digest *upload, struct ox_stage *out,
                                 uint64_t *size_bytes, struct ox_err *err)
{
    *size_bytes = 0;
    return upload == NULL ? stage_fresh(ctx, out, err)
                          : stage_upload(ctx, upload, out, size_bytes, err);
}

static void folder_leave(void *ctx, struct ox_stage *stage, bool keep)
{
    (void)ctx;
    if (!keep) {
        (void)unlink(stage->path); /* before the lock goes with the descriptor */
    }
    (void)close(stage->fd);
    free(stage->path);
    stage->path = NULL;
    stage->fd = -1;
}

/* Rename `from` to the blob's place, and make that last. */
static enum ox_code settle(struct folder *folder, const char *from, const char *to,
                           struct ox_err *err)
{
    char *slash;
    char *parent = NULL;
    enum ox_code code = ox_strdup(&parent, to, err);

    if (code != OX_OK) {
        return code;
    }
    slash = strrchr(parent, '/');
    *slash = '\0';
    if (mkdir(parent, DIR_MODE) == 0) {
        code = ox_dir_sync(folder->blobs, err);
    } else if (errno != EEXIST) {
        code = ox_err_sys(err, errno, "making folder %s", parent);
    }
    (void)pthread_mutex_lock(&folder->times);
    if (code == OX_OK && rename(from, to) != 0) {
        code = ox_err_sys(err, errno, "renaming a new blob into place");
    }
    (void)pthread_mutex_unlock(&folder->times);
    if (code == OX_OK) {
        code = ox_dir_sync(parent, err);
    }
    free(parent);
    return code;
}

static enum ox_code folder_publish(void *ctx, struct ox_stage *stage,
                                   const struct ox_digest *digest, uint64_t size_bytes,
                                   struct ox_err *err)
{
    struct folder *folder = ctx;
    char *to = NULL;
    enum ox_code code = blob_path(folder, digest, &to, err);

    (void)size_bytes;
    /* An upload's last byte may have come long before what it lacked was found to be nothing. */
    if (code == OX_OK && (fchmod(stage->fd, BLOB_MODE) != 0 || futimens(stage->fd, NULL) != 0 ||
                          fsync(stage->fd) != 0)) {
        code = ox_err_sys(err, errno, "syncing a new blob");
    }
    if (code == OX_OK) {
        /* Over a blob that is held: the same bytes, so nobody sees a difference. */
        code = settle(folder, stage->path, to, err);
    }
    folder_leave(ctx, stage, code == OX_OK);
    free(to);
    return code;
}

/* --- reading --- */

static enum ox_code folder_read(void *ctx, const struct ox_digest *digest, int *out_fd,
                                uint64_t *size_bytes, struct ox_err *err)
{
    char *path = NULL;
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code = blob_path(ctx, digest, &path, err);

    if (code == OX_OK) {
        code = ox_file_open_read(path, out_fd, size_bytes, err);
    }
    if (code == OX_ENOTFOUND) {
        ox_err_set(err, OX_ENOTFOUND, "blob %s is not held here", ox_digest_hex(digest, hex));
    }
    free(path);
    return code;
}

static enum ox_code folder_received(void *ctx, const struct ox_digest *digest, uint64_t *out_bytes,
                                    struct ox_err *err)
{
    struct stat st;
    char *path = NULL;
    enum ox_code code = upload_path(ctx, digest, &path, err);

    if (code == OX_OK) {
        *out_bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
        free(path);
    }
    return code;
}

static enum ox_code folder_free_bytes(void *ctx, uint64_t *out_bytes, struct ox_err *err)
{
    const struct folder *folder = ctx;

    return ox_disk_free(folder->tmp, out_bytes, err);
}

static enum ox_code folder_remove(void *ctx, const struct ox_digest *digest, struct ox_err *err)
{
    char *path = NULL;
    enum ox_code code = blob_path(ctx, digest, &path, err);

    if (code == OX_OK && unlink(path) != 0 && errno != ENOENT) {
        code = ox_err_sys(err, errno, "removing a blob");
    }
    free(path);
    return code;
}

static enum ox_code folder_touch(void *ctx, const struct ox_digest *digest, struct ox_err *err)
{
    struct folder *folder = ctx;
    char hex[OX_DIGEST_HEX_MAX];
    char *path = NULL;
    enum ox_code code = blob_path(folder, digest, &path, err);

    if (code != OX_OK) {
        return code;
    }
    (void)pthread_mutex_lock(&folder->times);
    if (utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) != 0) {
        code = errno == ENOENT ? ox_err_set(err, OX_ENOTFOUND, "blob %s is not held here",
                                            ox_digest_hex(digest, hex))
                               : ox_err_sys(err, errno, "touching a blob");
    }
    (void)pthread_mutex_unlock(&folder->times);
    free(path);
    return code;
}

static int64_t written_ms(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

static enum ox_code folder_remove_unused(void *ctx, const struct ox_digest *digest,
                                         int64_t since_wall_ms, bool dry_run, bool *removed,
                                         struct ox_err *err)
{
    struct folder *folder = ctx;
    struct stat st;
    char *path = NULL;
    enum ox_code code = blob_path(folder, digest, &path, err);

    *removed = false;
    if (code != OX_OK) {
        return code;
    }
    (void)pthread_mutex_lock(&folder->times);
    if (lstat(path, &st) == 0 && written_ms(&st) < since_wall_ms) {
        if (dry_run || unlink(path) == 0) {
            *removed = true;
        } else if (errno != ENOENT) {
            code = ox_err_sys(err, errno, "removing a blob");
        }
    }
    (void)pthread_mutex_unlock(&folder->times);
    free(path);
    return code;
}

/* --- listing --- */

static enum ox_code visit_file(int dir_fd, const char *prefix, const char *name,
                               const struct ox_store_visitor *visitor, struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];
    struct ox_digest digest;
    struct stat st;

    if (strlen(name) != OX_DIGEST_HEX_MAX - 3) {
        return OX_OK; /* not ours */
    }
    (void)snprintf(hex, sizeof(hex), "%.2s%.62s", prefix, name);
    if (ox_digest_parse(hex, &digest, NULL) != OX_OK || fstatat(dir_fd, name, &st, 0) != 0) {
        return OX_OK;
    }
    return visitor->visit(visitor->ctx, &digest, (uint64_t)st.st_size, err);
}

static enum ox_code visit_dir(const char *path, const char *prefix,
                              const struct ox_store_visitor *visitor, struct ox_err *err)
{
    struct dirent *entry;
    enum ox_code code = OX_OK;
    DIR *dir = opendir(path);

    if (dir == NULL) {
        return errno == ENOENT || errno == ENOTDIR
                   ? OX_OK
                   : ox_err_sys(err, errno, "reading folder %s", path);
    }
    while (code == OX_OK && (entry = readdir(dir)) != NULL) {
        code = visit_file(dirfd(dir), prefix, entry->d_name, visitor, err);
    }
    (void)closedir(dir);
    return code;
}

static enum ox_code folder_each(void *ctx, uint8_t first_byte,
                                const struct ox_store_visitor *visitor, struct ox_err *err)
{
    const struct folder *folder = ctx;
    char prefix[3];
    char *path = NULL;
    enum ox_code code;

    (void)snprintf(prefix, sizeof(prefix), "%02x", first_byte & 0xffu);
    code = ox_path_join(&path, folder->blobs, prefix, err);
    if (code == OX_OK) {
        code = visit_dir(path, prefix, visitor, err);
        free(path);
    }
    return code;
}

/* --- opening --- */

/* Remove a file unless a writer has it: see stage_upload. */
static enum ox_code remove_idle(int dir_fd, const char *name, struct ox_err *err)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    enum ox_code code = OX_OK;

    if (fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(dir_fd, name, 0) != 0)) {
        code = errno == ENOENT ? OX_OK : ox_err_sys(err, errno, "removing stale file %s", name);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return code;
}

/* Remove the files of a folder that were last written before this instant. */
static enum ox_code sweep(const char *path, int64_t before_wall_ms, struct ox_err *err)
{
    struct dirent *entry;
    enum ox_code code = OX_OK;
    DIR *dir = opendir(path);

    if (dir == NULL) {
        return ox_err_sys(err, errno, "reading folder %s", path);
    }
    while (code == OX_OK && (entry = readdir(dir)) != NULL) {
        struct stat st;

        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && written_ms(&st) < before_wall_ms) {
            code = remove_idle(dirfd(dir), entry->d_name, err);
        }
    }
    (void)closedir(dir);
    return code;
}

/* One that is being written to is younger: connections that send nothing are closed after seconds.
 */
static enum ox_code folder_sweep_uploads(void *ctx, int64_t since_wall_ms, struct ox_err *err)
{
    const struct folder *folder = ctx;

    return sweep(folder->uploads, since_wall_ms, err);
}

static const struct ox_store_backend file_backend = {
    folder_stage,    folder_publish,       folder_leave,  folder_read,
    folder_received, folder_free_bytes,    folder_remove, folder_remove_unused,
    folder_touch,    folder_sweep_uploads, folder_each,   folder_close,
};

static enum ox_code folder_new(struct folder **out, const char *dir, struct ox_err *err)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    enum ox_code code;

    if (folder == NULL) {
        return ox_err_nomem(err, "a store");
    }
    (void)pthread_mutex_init(&folder->times, NULL);
    if ((code = ox_path_join(&folder->blobs, dir, "blobs", err)) != OX_OK ||
        (code = ox_path_join(&folder->tmp, dir, "tmp", err)) != OX_OK ||
        (code = ox_path_join(&folder->uploads, dir, "uploads", err)) != OX_OK) {
        folder_close(folder);
        return code;
    }
    *out = folder;
    return OX_OK;
}

enum ox_code ox_store_open_as_is(struct ox_store **out, const char *dir, struct ox_err *err)
{
    struct folder *folder = NULL;
    enum ox_code code = folder_new(&folder, dir, err);

    return code == OX_OK ? ox_store_wrap(out, &file_backend, folder, err) : code;
}

enum ox_code ox_store_open(struct ox_store **out, const char *dir, int64_t now_wall_ms,
                           struct ox_err *err)
{
    struct folder *folder = NULL;
    enum ox_code code = folder_new(&folder, dir, err);

    if (code != OX_OK) {
        return code;
    }
    if ((code = ox_dir_make(folder->blobs, DIR_MODE, err)) != OX_OK ||
        (code = ox_dir_make(folder->tmp, DIR_MODE, err)) != OX_OK ||
        (code = ox_dir_make(folder->uploads, DIR_MODE, err)) != OX_OK ||
        (code = sweep(folder->tmp, INT64_MAX, err)) != OX_OK ||
        (code = sweep(folder->uploads, now_wall_ms - OX_STORE_UPLOAD_KEEP_MS, err)) != OX_OK ||
        (code = ox_dir_sync(dir, err)) != OX_OK) {
        folder_close(folder);
        return code;
    }
    return ox_store_wrap(out, &file_backend, folder, err);
}

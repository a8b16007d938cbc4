#define _GNU_SOURCE /* mkostemp */
#include "oxide/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* One system call moves at most this much: Linux's own limit is a page under 2 GiB. */
#define IO_CHUNK_MAX ((size_t)1 << 30)

/* The deepest folder tree that we remove; ours are five deep. */
#define REMOVE_DEPTH_MAX 64

enum ox_code ox_pread_full(int fd, uint64_t offset, void *out, size_t len_bytes, const char *name,
                           struct ox_err *err)
{
    uint8_t *to = out;

    while (len_bytes > 0) {
        size_t take = len_bytes < IO_CHUNK_MAX ? len_bytes : IO_CHUNK_MAX;
        ssize_t got = pread(fd, to, take, (off_t)offset);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return ox_err_sys(err, errno, "reading %s", name);
        }
        if (got == 0) {
            return ox_err_set(err, OX_EIO, "%s ended at offset %llu while it was read: it changed",
                              name, (unsigned long long)offset);
        }
        to += got;
        offset += (uint64_t)got;
        len_bytes -= (size_t)got;
    }
    return OX_OK;
}

enum ox_code ox_pwrite_full(int fd, uint64_t offset, const void *bytes, size_t len_bytes,
                            const char *name, struct ox_err *err)
{
    const uint8_t *from = bytes;

    while (len_bytes > 0) {
        size_t take = len_bytes < IO_CHUNK_MAX ? len_bytes : IO_CHUNK_MAX;
        ssize_t put = pwrite(fd, from, take, (off_t)offset);

        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return ox_err_sys(err, errno, "writing %s", name);
        }
        from += put;
        offset += (uint64_t)put;
        len_bytes -= (size_t)put;
    }
    return OX_OK;
}

enum ox_code ox_write_full(int fd, const void *bytes, size_t len_bytes, const char *name,
                           struct ox_err *err)
{
    const uint8_t *from = bytes;

    while (len_bytes > 0) {
        size_t take = len_bytes < IO_CHUNK_MAX ? len_bytes : IO_CHUNK_MAX;
        ssize_t put = write(fd, from, take);

        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return ox_err_sys(err, errno, "writing %s", name);
        }
        from += put;
        len_bytes -= (size_t)put;
    }
    return OX_OK;
}

static enum ox_code open_read(const char *path, int flags, int *out_fd, uint64_t *size_bytes,
                              struct ox_err *err)
{
    struct stat st;
    /* O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused right below. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);

    if (fd < 0 && errno == ELOOP && (flags & O_NOFOLLOW) != 0) {
        return ox_err_set(err, OX_EPERM, "%s is a symlink where a file belongs: remove it", path);
    }
    if (fd < 0) {
        return ox_err_sys(err, errno, "opening %s", path);
    }
    if (fstat(fd, &st) != 0) {
        enum ox_code code = ox_err_sys(err, errno, "looking at %s", path);

        (void)close(fd);
        return code;
    }
    if (!S_ISREG(st.st_mode)) {
        (void)close(fd);
        return ox_err_set(err, OX_EINVAL, "%s is not a regular file", path);
    }
    *out_fd = fd;
    if (size_bytes != NULL) {
        *size_bytes = (uint64_t)st.st_size;
    }
    return OX_OK;
}

enum ox_code ox_file_open_read(const char *path, int *out_fd, uint64_t *size_bytes,
                               struct ox_err *err)
{
    return open_read(path, 0, out_fd, size_bytes, err);
}

/* Which kernel says what of a symlink where a folder was asked for differs: ELOOP or ENOTDIR. */
static enum ox_code refuse_below(int why, int dir_fd, const char *name, const char *dir,
                                 const char *relative, struct ox_err *err)
{
    struct stat st;

    if ((why == ELOOP || why == ENOTDIR) && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(st.st_mode)) {
        return ox_err_set(err, OX_EPERM, "%s/%s: there is a symlink on the way, at %s: remove it",
                          dir, relative, name);
    }
    return ox_err_sys(err, why, "opening %s/%s", dir, relative);
}

enum ox_code ox_file_open_below(const char *dir, const char *relative, int *out_fd,
                                uint64_t *size_bytes, struct ox_err *err)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
    char name[NAME_MAX + 1];
    struct stat st;
    enum ox_code code = OX_OK;
    int at = AT_FDCWD;
    int fd = open(dir, flags | O_DIRECTORY);

    if (fd < 0) {
        return refuse_below(errno, AT_FDCWD, dir, dir, relative, err);
    }
    for (const char *from = relative; code == OX_OK && from != NULL;) {
        const char *slash = strchr(from, '/');
        size_t len = slash == NULL ? strlen(from) : (size_t)(slash - from);

        if (at >= 0) {
            (void)close(at);
        }
        at = fd;
        fd = -1;
        if (len > NAME_MAX) {
            code = ox_err_set(err, OX_EINVAL, "%s/%s has too long a name in it", dir, relative);
            break;
        }
        memcpy(name, from, len);
        name[len] = '\0';
        fd = openat(at, name, flags | (slash == NULL ? O_NONBLOCK : O_DIRECTORY));
        if (fd < 0) {
            code = refuse_below(errno, at, name, dir, relative, err);
        }
        from = slash == NULL ? NULL : slash + 1;
    }
    if (at >= 0) {
        (void)close(at);
    }
    if (code == OX_OK && fstat(fd, &st) != 0) {
        code = ox_err_sys(err, errno, "looking at %s/%s", dir, relative);
    } else if (code == OX_OK && !S_ISREG(st.st_mode)) {
        code = ox_err_set(err, OX_EINVAL, "%s/%s is not a regular file", dir, relative);
    }
    if (code != OX_OK) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return code;
    }
    *out_fd = fd;
    if (size_bytes != NULL) {
        *size_bytes = (uint64_t)st.st_size;
    }
    return OX_OK;
}

bool ox_dir_is_real(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum ox_code ox_file_state(int fd, const char *name, struct ox_file_state *out, struct ox_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return ox_err_sys(err, errno, "looking at %s", name);
    }
    *out = (struct ox_file_state){(uint64_t)st.st_size, st.st_mtim};
    return OX_OK;
}

enum ox_code ox_file_check_unchanged(int fd, const char *name, const struct ox_file_state *before,
                                     struct ox_err *err)
{
    struct ox_file_state now = {0};
    enum ox_code code = ox_file_state(fd, name, &now, err);

    if (code == OX_OK &&
        (now.size_bytes != before->size_bytes || now.written.tv_sec != before->written.tv_sec ||
         now.written.tv_nsec != before->written.tv_nsec)) {
        code = ox_err_set(err, OX_EIO, "%s changed while it was read: try again once it is at rest",
                          name);
    }
    return code;
}

static enum ox_code read_all(const char *path, int flags, size_t max_bytes, struct ox_buf *out,
                             struct ox_err *err)
{
    int fd = -1;
    uint64_t size = 0;
    enum ox_code code = open_read(path, flags, &fd, &size, err);

    if (code != OX_OK) {
        return code;
    }
    if (size > max_bytes) {
        code = ox_err_set(err, OX_ETOOBIG, "%s has %llu bytes, at most %zu are read", path,
                          (unsigned long long)size, max_bytes);
        goto out;
    }
    code = ox_buf_reserve(out, (size_t)size + 1, err);
    if (code != OX_OK) {
        goto out;
    }
    code = ox_pread_full(fd, 0, out->data + out->len_bytes, (size_t)size, path, err);
    if (code == OX_OK) {
        out->len_bytes += (size_t)size;
        out->data[out->len_bytes] = '\0';
    }
out:
    (void)close(fd);
    return code;
}

enum ox_code ox_file_read_all(const char *path, size_t max_bytes, struct ox_buf *out,
                              struct ox_err *err)
{
    return read_all(path, 0, max_bytes, out, err);
}

enum ox_code ox_file_read_own(const char *path, size_t max_bytes, struct ox_buf *out,
                              struct ox_err *err)
{
    return read_all(path, O_NOFOLLOW, max_bytes, out, err);
}

enum ox_code ox_dir_sync(const char *path, struct ox_err *err)
{
    enum ox_code code = OX_OK;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return ox_err_sys(err, errno, "opening folder %s", path);
    }
    if (fsync(fd) != 0) {
        code = ox_err_sys(err, errno, "syncing folder %s", path);
    }
    (void)close(fd);
    return code;
}

enum ox_code ox_parent_sync(const char *path, struct ox_err *err)
{
    char *parent = NULL;
    const char *slash = strrchr(path, '/');
    enum ox_code code;

    if (slash == NULL) {
        return ox_dir_sync(".", err);
    }
    if (slash == path) {
        return ox_dir_sync("/", err);
    }
    code = ox_strf(&parent, err, "%.*s", (int)(slash - path), path);
    if (code == OX_OK) {
        code = ox_dir_sync(parent, err);
        free(parent);
    }
    return code;
}

static enum ox_code replace(const char *path, const void *bytes, size_t len_bytes, mode_t mode,
                            bool durably, struct ox_err *err)
{
    char *temp = NULL;
    int fd = -1;
    enum ox_code code = ox_strf(&temp, err, "%s" OX_FILE_TEMPORARY "XXXXXX", path);

    if (code != OX_OK) {
        return code;
    }
    fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0) {
        code = ox_err_sys(err, errno, "making a temporary file beside %s", path);
        free(temp);
        return code;
    }
    code = ox_write_full(fd, bytes, len_bytes, path, err);
    if (code == OX_OK && fchmod(fd, mode) != 0) {
        code = ox_err_sys(err, errno, "setting the mode of %s", path);
    }
    if (code == OX_OK && durably && fsync(fd) != 0) {
        code = ox_err_sys(err, errno, "syncing %s", path);
    }
    if (close(fd) != 0 && code == OX_OK) {
        code = ox_err_sys(err, errno, "closing %s", path);
    }
    if (code == OX_OK && rename(temp, path) != 0) {
        code = ox_err_sys(err, errno, "renaming a new %s into place", path);
    }
    if (code == OX_OK) {
        code = durably ? ox_parent_sync(path, err) : OX_OK;
    } else {
        (void)unlink(temp);
    }
    free(temp);
    return code;
}

enum ox_code ox_file_replace(const char *path, const void *bytes, size_t len_bytes, mode_t mode,
                             struct ox_err *err)
{
    return replace(path, bytes, len_bytes, mode, true, err);
}

enum ox_code ox_file_replace_lazily(const char *path, const void *bytes, size_t len_bytes,
                                    mode_t mode, struct ox_err *err)
{
    return replace(path, bytes, len_bytes, mode, false, err);
}

enum ox_code ox_symlink_replace(const char *path, const char *target, struct ox_err *err)
{
    char *temp = NULL;
    enum ox_code code = ox_strf(&temp, err, "%s.new", path);

    if (code != OX_OK) {
        return code;
    }
    if (unlink(temp) != 0 && errno != ENOENT) { /* left by a crash between the two steps below */
        code = ox_err_sys(err, errno, "removing a stale %s", temp);
    } else if (symlink(target, temp) != 0) {
        code = ox_err_sys(err, errno, "making symlink %s", temp);
    } else if (rename(temp, path) != 0) {
        code = ox_err_sys(err, errno, "switching symlink %s", path);
        (void)unlink(temp);
    } else {
        code = ox_parent_sync(path, err);
    }
    free(temp);
    return code;
}

enum ox_code ox_file_copy(const char *from, const char *to, mode_t mode, struct ox_err *err)
{
    uint8_t *block = NULL;
    const size_t block_bytes = (size_t)256 * 1024;
    uint64_t size = 0;
    int in = -1;
    int out = -1;
    enum ox_code code = ox_file_open_read(from, &in, &size, err);

    if (code != OX_OK) {
        return code;
    }
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (out < 0) {
        code = ox_err_sys(err, errno, "creating %s", to);
        goto out;
    }
    block = malloc(block_bytes);
    if (block == NULL) {
        code = ox_err_nomem(err, "a copy");
        goto out;
    }
    for (uint64_t at = 0; at < size && code == OX_OK;) {
        size_t take = size - at < block_bytes ? (size_t)(size - at) : block_bytes;

        code = ox_pread_full(in, at, block, take, from, err);
        if (code == OX_OK) {
            code = ox_pwrite_full(out, at, block, take, to, err);
        }
        at += take;
    }
    if (code == OX_OK && fsync(out) != 0) {
        code = ox_err_sys(err, errno, "syncing %s", to);
    }
out:
    free(block);
    (void)close(in);
    if (out >= 0) {
        (void)close(out);
        if (code != OX_OK) {
            (void)unlink(to);
        }
    }
    return code;
}

enum ox_code ox_dir_make(const char *path, mode_t mode, struct ox_err *err)
{
    struct stat st;
    char *copy = NULL;
    enum ox_code code;

    if (mkdir(path, mode) == 0 || (stat(path, &st) == 0 && S_ISDIR(st.st_mode))) {
        return OX_OK;
    }
    if (path[0] == '\0') {
        return ox_err_set(err, OX_EINVAL, "a folder without a name cannot be made");
    }
    code = ox_strdup(&copy, path, err);
    if (code != OX_OK) {
        return code;
    }
    for (char *slash = strchr(copy + 1, '/'); code == OX_OK; slash = strchr(slash + 1, '/')) {
        if (slash != NULL) {
            *slash = '\0';
        }
        if (mkdir(copy, mode) != 0 && errno != EEXIST) {
            code = ox_err_sys(err, errno, "making folder %s", copy);
        } else if (stat(copy, &st) != 0) {
            code = ox_err_sys(err, errno, "looking at %s", copy);
        } else if (!S_ISDIR(st.st_mode)) {
            code = ox_err_set(err, OX_ECONFLICT, "%s is in the way: it is not a folder", copy);
        }
        if (slash == NULL) {
            break;
        }
        *slash = '/';
    }
    free(copy);
    return code;
}

static enum ox_code remove_entry(int dir_fd, const char *name, const char *dir, unsigned depth,
                                 struct ox_err *err);

static enum ox_code remove_at(int dir_fd, const char *name, const char *shown, unsigned depth,
                              struct ox_err *err)
{
    DIR *dir;
    struct dirent *entry;
    enum ox_code code = OX_OK;
    int fd;

    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT) {
        return OX_OK;
    }
    if (errno != EISDIR && errno != EPERM) { /* POSIX says EPERM for a folder, Linux EISDIR */
        return ox_err_sys(err, errno, "removing %s", shown);
    }
    if (depth == 0) {
        return ox_err_set(err, OX_ETOOBIG, "%s is nested too deep to remove", shown);
    }
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return ox_err_sys(err, errno, "opening folder %s", shown);
    }
    dir = fdopendir(fd);
    if (dir == NULL) {
        (void)close(fd);
        return ox_err_sys(err, errno, "reading folder %s", shown);
    }
    while (code == OX_OK && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            code = remove_entry(fd, entry->d_name, shown, depth - 1, err);
        }
    }
    (void)closedir(dir);
    if (code == OX_OK && unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        code = ox_err_sys(err, errno, "removing folder %s", shown);
    }
    return code;
}

/* A whole path for messages: a bare name says nothing to who must remove it by hand. */
static enum ox_code remove_entry(int dir_fd, const char *name, const char *dir, unsigned depth,
                                 struct ox_err *err)
{
    char *shown = NULL;
    enum ox_code code = ox_path_join(&shown, dir, name, err);

    if (code == OX_OK) {
        code = remove_at(dir_fd, name, shown, depth, err);
    }
    free(shown);
    return code;
}

enum ox_code ox_remove_tree(const char *path, struct ox_err *err)
{
    return remove_at(AT_FDCWD, path, path, REMOVE_DEPTH_MAX, err);
}

bool ox_path_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

enum ox_code ox_path_join(char **out, const char *dir, const char *name, struct ox_err *err)
{
    size_t len = strlen(dir);
    const char *slash = len > 0 && dir[len - 1] == '/' ? "" : "/";

    return ox_strf(out, err, "%s%s%s", dir, slash, name);
}

enum ox_code ox_lock_file(const char *path, int *out_fd, struct ox_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        return ox_err_sys(err, errno, "opening lock %s", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum ox_code code =
            errno == EWOULDBLOCK
                ? ox_err_set(err, OX_EBUSY, "%s is locked: another oxide process uses this folder",
                             path)
                : ox_err_sys(err, errno, "locking %s", path);

        (void)close(fd);
        return code;
    }
    *out_fd = fd;
    return OX_OK;
}

bool ox_lock_is_held(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool held;

    if (fd < 0) {
        return errno != ENOENT && errno != ENOTDIR;
    }
    held = flock(fd, LOCK_SH | LOCK_NB) != 0; /* gone with the descriptor */
    (void)close(fd);
    return held;
}

enum ox_code ox_disk_space(const char *path, uint64_t *free_bytes, uint64_t *total_bytes,
                           struct ox_err *err)
{
    struct statvfs vfs;

    if (statvfs(path, &vfs) != 0) {
        return ox_err_sys(err, errno, "asking for free space at %s", path);
    }
    *free_bytes = (uint64_t)vfs.f_bavail * (uint64_t)vfs.f_frsize;
    *total_bytes = (uint64_t)vfs.f_blocks * (uint64_t)vfs.f_frsize;
    return OX_OK;
}

enum ox_code ox_disk_free(const char *path, uint64_t *out_bytes, struct ox_err *err)
{
    uint64_t total_bytes = 0;

    return ox_disk_space(path, out_bytes, &total_bytes, err);
}

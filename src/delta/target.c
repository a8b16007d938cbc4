/* The files of a target while they are rebuilt: created at full size, written through one sink. */
#define _GNU_SOURCE /* fallocate */
#include "oxide/base/background.h"
#include "oxide/base/file.h"
#include "oxide/delta/delta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ox_target_files {
    size_t count;
    char **paths;   /* on disk */
    uint64_t *ends; /* in the flat space */
    char *dir;      /* NULL for a lone file */
    size_t
        open_index; /* which of them fd is; SIZE_MAX: none. Writes come in order, so one will do */
    int fd;
    size_t unsynced; /* files from this one on up to `written` hold what is not durable */
    size_t written;  /* the last one that was written to */
    bool drops;      /* what was written does not stay in the system's cache */
    struct ox_drop_behind behind; /* in fd */
};

void ox_target_close(struct ox_target_files *files)
{
    if (files == NULL) {
        return;
    }
    if (files->fd >= 0) {
        (void)close(files->fd);
    }
    for (size_t i = 0; files->paths != NULL && i < files->count; i++) {
        free(files->paths[i]);
    }
    free(files->paths);
    free(files->ends);
    free(files->dir);
    free(files);
}

static enum ox_code target_new(struct ox_target_files **out, size_t count, struct ox_err *err)
{
    struct ox_target_files *files = calloc(1, sizeof(*files));

    if (files == NULL) {
        return ox_err_nomem(err, "a target");
    }
    files->fd = -1;
    files->open_index = SIZE_MAX;
    files->count = count;
    files->paths = calloc(count, sizeof(*files->paths));
    files->ends = calloc(count, sizeof(*files->ends));
    if (files->paths == NULL || files->ends == NULL) {
        ox_target_close(files);
        return ox_err_nomem(err, "a target");
    }
    *out = files;
    return OX_OK;
}

/* Reserve the space now: a full disk is best met before the work. */
static enum ox_code create_file(const char *path, uint64_t size_bytes, mode_t mode,
                                struct ox_err *err)
{
    enum ox_code code = OX_OK;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0) {
        return ox_err_sys(err, errno, "creating %s", path);
    }
    if (size_bytes > 0 && fallocate(fd, 0, 0, (off_t)size_bytes) != 0) {
        if (errno == ENOSPC || errno == EFBIG) {
            code = ox_err_sys(err, errno, "reserving %llu bytes for %s",
                              (unsigned long long)size_bytes, path);
        } else if (ftruncate(fd, (off_t)size_bytes) != 0) { /* a file system without fallocate */
            code = ox_err_sys(err, errno, "setting the size of %s", path);
        }
    }
    if (code == OX_OK && fchmod(fd, mode) != 0) {
        code = ox_err_sys(err, errno, "setting the mode of %s", path);
    }
    (void)close(fd);
    if (code != OX_OK) {
        (void)unlink(path);
    }
    return code;
}

/* Make the folders between dir and the file at path. None may be a symlink: whoever planted it
 * would choose where we write. */
static enum ox_code make_folders(char *path, size_t dir_len, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (char *slash = strchr(path + dir_len + 1, '/'); code == OX_OK && slash != NULL;
         slash = strchr(slash + 1, '/')) {
        struct stat st;

        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST) {
            code = ox_err_sys(err, errno, "making folder %s", path);
        } else if (lstat(path, &st) != 0) {
            code = ox_err_sys(err, errno, "looking at %s", path);
        } else if (!S_ISDIR(st.st_mode)) {
            code = ox_err_set(err, OX_ECONFLICT, "%s is in the way: it is not a folder", path);
        }
        *slash = '/';
    }
    return code;
}

enum ox_code ox_target_create(struct ox_target_files **out, const char *dir,
                              const struct ox_manifest *manifest, struct ox_err *err)
{
    struct ox_target_files *files = NULL;
    uint64_t end = 0;
    enum ox_code code = target_new(&files, manifest->count, err);

    if (code != OX_OK) {
        return code;
    }
    if ((code = ox_strdup(&files->dir, dir, err)) != OX_OK ||
        (code = ox_dir_make(dir, 0755, err)) != OX_OK) {
        goto out;
    }
    for (size_t i = 0; code == OX_OK && i < manifest->count; i++) {
        const struct ox_manifest_file *file = &manifest->files[i];

        end += file->size_bytes;
        files->ends[i] = end;
        if ((code = ox_path_join(&files->paths[i], dir, file->path, err)) != OX_OK) {
            break;
        }
        code = make_folders(files->paths[i], strlen(dir), err);
        if (code == OX_OK && unlink(files->paths[i]) != 0 && errno != ENOENT) {
            code = ox_err_sys(err, errno, "replacing %s", files->paths[i]);
        }
        if (code == OX_OK) {
            code =
                create_file(files->paths[i], file->size_bytes, file->executable ? 0755 : 0644, err);
        }
    }
out:
    if (code != OX_OK) {
        ox_target_close(files);
        return code;
    }
    *out = files;
    return OX_OK;
}

static enum ox_code check_file(const char *path, uint64_t size_bytes, struct ox_err *err)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        return ox_err_sys(err, errno, "looking at %s", path);
    }
    return S_ISREG(st.st_mode) && (uint64_t)st.st_size == size_bytes
               ? OX_OK
               : ox_err_set(err, OX_ECONFLICT, "%s is no file of %llu bytes", path,
                            (unsigned long long)size_bytes);
}

enum ox_code ox_target_open(struct ox_target_files **out, const char *dir,
                            const struct ox_manifest *manifest, struct ox_err *err)
{
    struct ox_target_files *files = NULL;
    uint64_t end = 0;
    enum ox_code code = target_new(&files, manifest->count, err);

    if (code == OX_OK) {
        code = ox_strdup(&files->dir, dir, err);
    }
    for (size_t i = 0; code == OX_OK && i < manifest->count; i++) {
        const struct ox_manifest_file *file = &manifest->files[i];

        end += file->size_bytes;
        files->ends[i] = end;
        code = ox_path_join(&files->paths[i], dir, file->path, err);
        if (code == OX_OK) {
            code = check_file(files->paths[i], file->size_bytes, err);
        }
    }
    if (code != OX_OK) {
        ox_target_close(files);
        return code;
    }
    *out = files;
    return OX_OK;
}

enum ox_code ox_target_create_file(struct ox_target_files **out, const char *path,
                                   uint64_t size_bytes, struct ox_err *err)
{
    struct ox_target_files *files = NULL;
    enum ox_code code = target_new(&files, 1, err);

    if (code != OX_OK) {
        return code;
    }
    files->ends[0] = size_bytes;
    if ((code = ox_strdup(&files->paths[0], path, err)) != OX_OK ||
        (code = create_file(path, size_bytes, 0644, err)) != OX_OK) {
        ox_target_close(files);
        return code;
    }
    *out = files;
    return OX_OK;
}

static enum ox_code open_index(struct ox_target_files *files, size_t index, struct ox_err *err)
{
    if (files->open_index == index) {
        return OX_OK;
    }
    if (files->fd >= 0) {
        (void)close(files->fd);
        files->open_index = SIZE_MAX;
    }
    files->fd = open(files->paths[index], O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (files->fd < 0) {
        return ox_err_sys(err, errno, "opening %s", files->paths[index]);
    }
    files->open_index = index;
    files->behind = (struct ox_drop_behind){0, 0, 0};
    return OX_OK;
}

/* Move bytes between memory and the flat space: writes `from` if it is not NULL, else reads `to`.
 */
static enum ox_code transfer(struct ox_target_files *files, uint64_t offset, uint8_t *to,
                             const uint8_t *from, size_t len_bytes, struct ox_err *err)
{
    size_t index = 0;
    enum ox_code code = OX_OK;

    while (index < files->count && files->ends[index] <= offset) {
        index++;
    }
    for (size_t at = 0; code == OX_OK && at < len_bytes; index++) {
        uint64_t start;
        uint64_t in_file;
        size_t take;

        if (index >= files->count) {
            return ox_err_set(err, OX_EINTERNAL, "a write behind the end of the target");
        }
        start = index == 0 ? 0 : files->ends[index - 1];
        in_file = offset + at - start;
        take = len_bytes - at;
        if (take > files->ends[index] - start - in_file) {
            take = (size_t)(files->ends[index] - start - in_file);
        }
        if (take == 0) {
            continue;
        }
        code = open_index(files, index, err);
        if (code == OX_OK) {
            files->written = from != NULL ? index : files->written;
            code =
                from != NULL
                    ? ox_pwrite_full(files->fd, in_file, from + at, take, files->paths[index], err)
                    : ox_pread_full(files->fd, in_file, to + at, take, files->paths[index], err);
        }
        if (code == OX_OK && from != NULL && files->drops) {
            ox_drop_behind_wrote(&files->behind, files->fd, in_file, take);
        }
        at += take;
    }
    return code;
}

void ox_target_drop_behind(struct ox_target_files *files)
{
    files->drops = true;
}

static enum ox_code target_write_at(void *ctx, uint64_t offset, const void *bytes, size_t len_bytes,
                                    struct ox_err *err)
{
    return transfer(ctx, offset, NULL, bytes, len_bytes, err);
}

static enum ox_code target_read_at(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                                   struct ox_err *err)
{
    return transfer(ctx, offset, out, NULL, len_bytes, err);
}

struct ox_sink ox_target_sink(struct ox_target_files *files)
{
    return (struct ox_sink){files, target_write_at, target_read_at};
}

/* Sync the folders that hold path, from its own up to files->dir. */
static enum ox_code sync_folders(const struct ox_target_files *files, char *path,
                                 struct ox_err *err)
{
    size_t dir_len = strlen(files->dir);
    enum ox_code code = OX_OK;

    for (char *slash = strrchr(path, '/');
         code == OX_OK && slash != NULL && (size_t)(slash - path) > dir_len;
         slash = strrchr(path, '/')) {
        *slash = '\0';
        code = ox_dir_sync(path, err);
    }
    return code;
}

enum ox_code ox_target_flush(struct ox_target_files *files, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = files->unsynced; code == OX_OK && i <= files->written; i++) {
        code = open_index(files, i, err);
        if (code == OX_OK && fdatasync(files->fd) != 0) {
            code = ox_err_sys(err, errno, "syncing %s", files->paths[i]);
        }
        if (code == OX_OK) { /* consumers need the memory more */
            (void)posix_fadvise(files->fd, 0, 0, POSIX_FADV_DONTNEED);
            files->unsynced = i;
        }
    }
    return code;
}

enum ox_code ox_target_sync(struct ox_target_files *files, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < files->count; i++) {
        char *copy = NULL;

        code = open_index(files, i, err);
        if (code == OX_OK && fsync(files->fd) != 0) {
            code = ox_err_sys(err, errno, "syncing %s", files->paths[i]);
        }
        if (code == OX_OK && files->dir != NULL) {
            code = ox_strdup(&copy, files->paths[i], err);
            if (code == OX_OK) {
                code = sync_folders(files, copy, err);
            }
            free(copy);
        }
    }
    if (code == OX_OK) {
        code = files->dir != NULL ? ox_dir_sync(files->dir, err)
                                  : ox_parent_sync(files->paths[0], err);
    }
    return code;
}

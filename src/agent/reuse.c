#include "reuse.h"

#include "health.h"
#include "oxide/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- finding --- */

struct ox_held_file ox_reuse_find(const struct ox_update *update,
                                  const struct ox_manifest_file *file)
{
    struct ox_held_file found = {NULL, NULL};

    for (size_t i = 0; i < update->held_count; i++) {
        const struct ox_manifest *files = &update->held[i].files;

        for (size_t j = 0; j < files->count; j++) {
            const struct ox_held_file same = {&update->held[i], &files->files[j]};

            if (!ox_digest_equal(&same.file->sha256, &file->sha256)) {
                continue;
            }
            if (same.file->executable == file->executable) {
                return same;
            }
            found = found.version == NULL ? same : found;
        }
    }
    return found;
}

bool ox_reuse_is_whole(struct ox_update *update, const struct ox_held_file *held)
{
    const struct ox_manifest one = {(struct ox_manifest_file *)held->file, 1}; /* only read */
    char *path = NULL;
    bool whole =
        ox_folders_version(update->model_path, held->version->folder, &path, NULL) == OX_OK &&
        ox_files_verify(path, &one, &update->stop, NULL) == OX_OK;

    free(path);
    return whole;
}

bool ox_reuse_is_likely(const struct ox_update *update, const struct ox_manifest_file *file)
{
    struct ox_held_file held = ox_reuse_find(update, file);
    char *path = NULL;
    uint64_t size_bytes = 0;
    int fd = -1;
    bool likely =
        held.version != NULL && held.file->executable == file->executable &&
        ox_folders_version(update->model_path, held.version->folder, &path, NULL) == OX_OK &&
        ox_file_open_below(path, held.file->path, &fd, &size_bytes, NULL) == OX_OK &&
        size_bytes == file->size_bytes;

    if (fd >= 0) {
        (void)close(fd);
    }
    free(path);
    return likely;
}

/* --- placing --- */

/* A file that is open may be linked by its name in /proc, whatever its own name leads to now. */
static int link_open(int fd, const char *path)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

/* File systems without hard links, or without room for one more; or no /proc. */
static bool may_copy(int why)
{
    return why == EXDEV || why == EMLINK || why == EPERM || why == ENOSYS || why == EOPNOTSUPP ||
           why == ENOENT || why == EACCES;
}

static enum ox_code copy_open(int fd, uint64_t size_bytes, const char *path, struct ox_err *err)
{
    static const size_t block_bytes = (size_t)256 * 1024;
    uint8_t *block = malloc(block_bytes);
    int out =
        block == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum ox_code code = block == NULL ? ox_err_nomem(err, "a copy")
                        : out < 0     ? ox_err_sys(err, errno, "creating %s", path)
                                      : OX_OK;

    for (uint64_t at = 0; code == OX_OK && at < size_bytes;) {
        size_t take = size_bytes - at < block_bytes ? (size_t)(size_bytes - at) : block_bytes;

        code = ox_pread_full(fd, at, block, take, path, err);
        if (code == OX_OK) {
            code = ox_pwrite_full(out, at, block, take, path, err);
        }
        at += take;
    }
    if (out >= 0 && close(out) != 0 && code == OX_OK) {
        code = ox_err_sys(err, errno, "closing %s", path);
    }
    if (out >= 0 && code != OX_OK) {
        (void)unlink(path);
    }
    free(block);
    return code;
}

enum ox_code ox_reuse_place(const char *dir, const char *relative, bool link_it, const char *path,
                            struct ox_err *err)
{
    uint64_t size_bytes = 0;
    int fd = -1;
    int why = EXDEV;
    enum ox_code code = ox_file_open_below(dir, relative, &fd, &size_bytes, err);

    if (code != OX_OK) {
        return code;
    }
    if (link_it) {
        why = link_open(fd, path);
    }
    if (why != 0) {
        code = may_copy(why) ? copy_open(fd, size_bytes, path, err)
                             : ox_err_sys(err, why, "linking %s", path);
    }
    (void)close(fd);
    return code;
}

/* --- what a patch rebuilt though it did not change --- */

static bool is_same_file(const char *a_dir, const char *a, const char *b_dir, const char *b)
{
    struct stat st[2];
    int fds[2] = {-1, -1};
    bool same = ox_file_open_below(a_dir, a, &fds[0], NULL, NULL) == OX_OK &&
                ox_file_open_below(b_dir, b, &fds[1], NULL, NULL) == OX_OK &&
                fstat(fds[0], &st[0]) == 0 && fstat(fds[1], &st[1]) == 0 &&
                st[0].st_dev == st[1].st_dev && st[0].st_ino == st[1].st_ino;

    for (size_t i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    return same;
}

static enum ox_code link_one(struct ox_update *update, const struct ox_held_file *held,
                             const char *relative, struct ox_err *err)
{
    const struct ox_folders *folders = &update->agent->folders;
    char *from = NULL;
    char *link_path = NULL;
    char *path = NULL;
    enum ox_code code = ox_folders_version(update->model_path, held->version->folder, &from, err);

    if (code == OX_OK && !is_same_file(from, held->file->path, folders->staging, relative) &&
        ox_reuse_is_whole(update, held) &&
        (code = ox_path_join(&link_path, folders->own, "link", err)) == OX_OK &&
        (code = ox_remove_tree(link_path, err)) == OX_OK &&
        (code = ox_path_join(&path, folders->staging, relative, err)) == OX_OK &&
        (code = ox_reuse_place(from, held->file->path, true, link_path, err)) == OX_OK &&
        rename(link_path, path) != 0) {
        code = ox_err_sys(err, errno, "moving %s into place", path);
    }
    free(path);
    free(link_path);
    free(from);
    return code;
}

enum ox_code ox_reuse_link_staged(struct ox_update *update, struct ox_err *err)
{
    const struct ox_manifest *files = &update->journal.assignment.files;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < files->count; i++) {
        struct ox_held_file held = ox_reuse_find(update, &files->files[i]);

        if (files->files[i].size_bytes > 0 && held.version != NULL &&
            held.file->executable == files->files[i].executable) {
            code = link_one(update, &held, files->files[i].path, err);
        }
    }
    return code;
}

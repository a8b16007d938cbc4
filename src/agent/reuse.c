#include "reuse.h"

#include "health.h"
#include "links.h"
#include "oxide/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- finding --- */

size_t ox_reuse_first_like(const struct ox_manifest *files, size_t index)
{
    size_t i = 0;

    while (!ox_digest_equal(&files->files[i].sha256, &files->files[index].sha256)) {
        i++;
    }
    return i;
}

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
        ox_folders_version(update->shelf.home, held->version->folder, &path, NULL) == OX_OK &&
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
        ox_folders_version(update->shelf.home, held.version->folder, &path, NULL) == OX_OK &&
        ox_file_open_below(path, held.file->path, &fd, &size_bytes, NULL) == OX_OK &&
        size_bytes == file->size_bytes;

    if (fd >= 0) {
        (void)close(fd);
    }
    free(path);
    return likely;
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
    enum ox_code code = ox_folders_version(update->shelf.home, held->version->folder, &from, err);

    if (code == OX_OK && !is_same_file(from, held->file->path, folders->staging, relative) &&
        ox_reuse_is_whole(update, held) &&
        (code = ox_path_join(&link_path, folders->own, "link", err)) == OX_OK &&
        (code = ox_remove_tree(link_path, err)) == OX_OK &&
        (code = ox_path_join(&path, folders->staging, relative, err)) == OX_OK &&
        (code = ox_link_or_copy(from, held->file->path, true, link_path, err)) == OX_OK &&
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

#include "folders.h"

#include "oxide/base/file.h"
#include "oxide/crypto/sha256.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_WHOLE_MAX 200 /* an identifier up to here is its own folder's name */
#define NAME_CUT 180
#define NAME_HEX 16

static const char versions_prefix[] = "versions/";

enum ox_code ox_folder_make(const char *path, mode_t mode, struct ox_err *err)
{
    struct stat st;

    if (mkdir(path, mode) == 0) {
        return OX_OK;
    }
    if (errno != EEXIST) {
        return ox_err_sys(err, errno, "making folder %s", path);
    }
    if (lstat(path, &st) != 0) {
        return ox_err_sys(err, errno, "looking at %s", path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return ox_err_set(err, OX_EPERM,
                          "%s is %s where a folder of the agent's belongs: remove it", path,
                          S_ISLNK(st.st_mode) ? "a symlink" : "not a folder");
    }
    return OX_OK;
}

enum ox_code ox_folders_locate(struct ox_folders *out, const char *model_dir, struct ox_err *err)
{
    struct ox_folders folders = {0};
    enum ox_code code;

    folders.root = realpath(model_dir, NULL); /* health checks may run elsewhere */
    if (folders.root == NULL) {
        return ox_err_sys(err, errno, "opening folder %s", model_dir);
    }
    if ((code = ox_path_join(&folders.own, folders.root, ".oxide", err)) == OX_OK &&
        (code = ox_path_join(&folders.kept, folders.root, ".kept", err)) == OX_OK &&
        (code = ox_path_join(&folders.fresh, folders.own, "fresh", err)) == OX_OK &&
        (code = ox_path_join(&folders.gone, folders.own, "gone", err)) == OX_OK &&
        (code = ox_path_join(&folders.numbers, folders.own, "numbers", err)) == OX_OK &&
        (code = ox_path_join(&folders.state, folders.own, "state.json", err)) == OX_OK &&
        (code = ox_path_join(&folders.identity, folders.own, "identity.json", err)) == OX_OK &&
        (code = ox_path_join(&folders.journal, folders.own, "journal.json", err)) == OX_OK &&
        (code = ox_path_join(&folders.lock, folders.own, "lock", err)) == OX_OK &&
        (code = ox_path_join(&folders.download, folders.own, "download", err)) == OX_OK &&
        (code = ox_path_join(&folders.staging, folders.own, "staging", err)) == OX_OK &&
        (code = ox_path_join(&folders.between, folders.own, "between", err)) == OX_OK &&
        (code = ox_path_join(&folders.before_upgrade, folders.own, "before-upgrade", err)) ==
            OX_OK) {
        *out = folders;
        return OX_OK;
    }
    ox_folders_clear(&folders);
    return code;
}

enum ox_code ox_folders_open(struct ox_folders *out, const char *model_dir, struct ox_err *err)
{
    struct ox_folders folders = {0};
    enum ox_code code = ox_dir_make(model_dir, 0755, err);

    if (code != OX_OK || (code = ox_folders_locate(&folders, model_dir, err)) != OX_OK) {
        return code;
    }
    if (folders.own != NULL && (code = ox_folder_make(folders.own, 0700, err)) == OX_OK &&
        (code = ox_folder_make(folders.download, 0700, err)) == OX_OK) {
        *out = folders;
        return OX_OK;
    }
    ox_folders_clear(&folders);
    return code;
}

void ox_folders_clear(struct ox_folders *folders)
{
    free(folders->root);
    free(folders->kept);
    free(folders->own);
    free(folders->fresh);
    free(folders->gone);
    free(folders->numbers);
    free(folders->state);
    free(folders->identity);
    free(folders->journal);
    free(folders->lock);
    free(folders->download);
    free(folders->staging);
    free(folders->between);
    free(folders->before_upgrade);
    *folders = (struct ox_folders){0};
}

enum ox_code ox_folders_drop_built(const struct ox_folders *folders, struct ox_err *err)
{
    const char *const built[] = {folders->staging, folders->between, folders->fresh, folders->gone};
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < sizeof(built) / sizeof(built[0]); i++) {
        code = ox_remove_tree(built[i], err);
    }
    return code;
}

/* --- names --- */

enum ox_code ox_folder_name(const char *id, char out[OX_FOLDER_NAME_MAX], struct ox_err *err)
{
    size_t len = strlen(id);
    struct ox_digest digest;
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code;

    if (len <= NAME_WHOLE_MAX) {
        memcpy(out, id, len + 1);
        return OX_OK;
    }
    code = ox_sha256_bytes(id, len, &digest, err);
    if (code == OX_OK) { /* no identifier holds "~", so no two names meet */
        (void)snprintf(out, OX_FOLDER_NAME_MAX, "%.*s~%.*s", NAME_CUT, id, NAME_HEX,
                       ox_digest_hex(&digest, hex));
    }
    return code;
}

void ox_folder_name_with_digest(const char *name, const struct ox_digest *digest,
                                char out[OX_FOLDER_NAME_MAX])
{
    char hex[OX_DIGEST_HEX_MAX];

    (void)snprintf(out, OX_FOLDER_NAME_MAX, "%.*s~%.*s", NAME_WHOLE_MAX, name, NAME_HEX,
                   ox_digest_hex(digest, hex));
}

enum ox_code ox_folders_version(const char *home, const char *folder, char **out,
                                struct ox_err *err)
{
    return ox_strf(out, err, "%s/%s%s", home, versions_prefix, folder);
}

enum ox_code ox_folders_part(const struct ox_folders *folders, const struct ox_digest *digest,
                             char **out, struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];

    return ox_strf(out, err, "%s/%s.part", folders->download, ox_digest_hex(digest, hex));
}

/* --- symlinks --- */

enum ox_code ox_folders_link(const char *home, const char *name, char **out, struct ox_err *err)
{
    const size_t prefix = sizeof(versions_prefix) - 1;
    char target[PATH_MAX];
    char *path = NULL;
    char *folder = NULL;
    ssize_t len;
    enum ox_code code = ox_path_join(&path, home, name, err);

    if (code != OX_OK) {
        return code;
    }
    len = readlink(path, target, sizeof(target) - 1);
    if (len < 0 && errno != ENOENT && errno != ENOTDIR) {
        code = errno == EINVAL
                   ? ox_err_set(err, OX_ECONFLICT,
                                "%s is in the way: the agent keeps a symlink there", path)
                   : ox_err_sys(err, errno, "reading symlink %s", path);
    } else if (len >= 0) {
        target[len] = '\0';
        if (strncmp(target, versions_prefix, prefix) != 0 || target[prefix] == '\0' ||
            target[prefix] == '.' || strchr(target + prefix, '/') != NULL) {
            code = ox_err_set(err, OX_ECONFLICT, "symlink %s does not name a version: remove it",
                              path);
        } else {
            code = ox_strdup(&folder, target + prefix, err);
        }
    }
    free(path);
    if (code == OX_OK) {
        *out = folder;
    }
    return code;
}

enum ox_code ox_folders_switch(const char *home, const char *name, const char *folder,
                               struct ox_err *err)
{
    struct stat st;
    char *path = NULL;
    char *target = NULL;
    char *now = NULL;
    bool there;
    enum ox_code code = ox_path_join(&path, home, name, err);

    if (code != OX_OK) {
        return code;
    }
    there = lstat(path, &st) == 0;
    if (there && !S_ISLNK(st.st_mode)) {
        code = ox_err_set(err, OX_ECONFLICT, "%s is in the way: the agent keeps a symlink there",
                          path);
        goto out;
    }
    if (folder == NULL) {
        if (there && unlink(path) != 0) {
            code = ox_err_sys(err, errno, "removing symlink %s", path);
        } else if (there) {
            code = ox_dir_sync(home, err);
        }
        goto out;
    }
    if (there && ox_folders_link(home, name, &now, NULL) == OX_OK && now != NULL &&
        strcmp(now, folder) == 0) {
        goto out;
    }
    code = ox_strf(&target, err, "%s%s", versions_prefix, folder);
    if (code == OX_OK) {
        code = ox_symlink_replace(path, target, err);
    }
out:
    free(now);
    free(target);
    free(path);
    return code;
}

/* --- removing --- */

/* Remove what is in a folder and is not to stay. An absent folder is empty. */
static enum ox_code clean(const char *path, bool (*stays)(const void *ctx, const char *name),
                          const void *ctx, struct ox_err *err)
{
    struct dirent *entry;
    enum ox_code code = OX_OK;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        int why = errno;

        if (fd >= 0) {
            (void)close(fd);
        }
        return why == ENOENT ? OX_OK : ox_err_sys(err, why, "reading folder %s", path);
    }
    while (code == OX_OK && (entry = readdir(dir)) != NULL) {
        char *inner = NULL;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            stays(ctx, entry->d_name)) {
            continue;
        }
        code = ox_path_join(&inner, path, entry->d_name, err);
        if (code == OX_OK) {
            code = ox_remove_tree(inner, err);
        }
        free(inner);
    }
    (void)closedir(dir);
    return code;
}

struct names {
    const char *const *names;
    size_t count;
};

static bool is_among(const void *ctx, const char *name)
{
    const struct names *keep = ctx;

    for (size_t i = 0; i < keep->count; i++) {
        if (keep->names[i] != NULL && strcmp(name, keep->names[i]) == 0) {
            return true;
        }
    }
    return false;
}

enum ox_code ox_folder_clean(const char *path, const char *const *keep, size_t keep_count,
                             struct ox_err *err)
{
    return clean(path, is_among, &(struct names){keep, keep_count}, err);
}

bool ox_folders_is_temporary(const char *name)
{
    return strstr(name, ".json" OX_FILE_TEMPORARY) != NULL;
}

static bool is_no_temporary(const void *ctx, const char *name)
{
    (void)ctx;
    return !ox_folders_is_temporary(name);
}

enum ox_code ox_folders_drop_temporary(const struct ox_folders *folders, struct ox_err *err)
{
    return clean(folders->own, is_no_temporary, NULL, err);
}

enum ox_code ox_folders_prune(const char *home, const char *const *keep, size_t keep_count,
                              struct ox_err *err)
{
    char *versions = NULL;
    enum ox_code code = ox_path_join(&versions, home, "versions", err);

    if (code == OX_OK) {
        code = ox_folder_clean(versions, keep, keep_count, err);
    }
    free(versions);
    return code;
}

/* --- syncing --- */

static enum ox_code sync_file(const char *dir, const struct ox_manifest_file *file,
                              const struct ox_access *access, struct ox_err *err)
{
    int fd = -1;
    enum ox_code code = ox_file_open_below(dir, file->path, &fd, NULL, err);

    if (code != OX_OK) {
        return code;
    }
    code = ox_access_file(access, fd, file->executable, file->path, err);
    if (code == OX_OK && fsync(fd) != 0) {
        code = ox_err_sys(err, errno, "syncing %s/%s", dir, file->path);
    }
    (void)close(fd);
    return code;
}

static enum ox_code sync_folder(const char *path, const struct ox_access *access,
                                struct ox_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    enum ox_code code;

    if (fd < 0) {
        return ox_err_sys(err, errno, "opening folder %s", path);
    }
    code = ox_access_folder(access, fd, path, err);
    if (code == OX_OK && fsync(fd) != 0) {
        code = ox_err_sys(err, errno, "syncing folder %s", path);
    }
    (void)close(fd);
    return code;
}

/* Sync the folders from that of the file at `file_path` up to, but not with, `top`; not those that
 * also hold `next`, whose turn comes. */
static enum ox_code sync_folders(const char *top, char *file_path, const char *next,
                                 const struct ox_access *access, struct ox_err *err)
{
    size_t top_len = strlen(top);
    enum ox_code code = OX_OK;

    for (char *slash = strrchr(file_path, '/');
         code == OX_OK && slash != NULL && (size_t)(slash - file_path) > top_len;
         slash = strrchr(file_path, '/')) {
        size_t len = (size_t)(slash - file_path);

        if (next != NULL && strncmp(next, file_path, len + 1) == 0) {
            break;
        }
        *slash = '\0';
        code = sync_folder(file_path, access, err);
    }
    return code;
}

enum ox_code ox_folder_sync(const char *path, const struct ox_manifest *files,
                            const struct ox_access *access, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < files->count; i++) {
        code = sync_file(path, &files->files[i], access, err);
    }
    for (size_t i = 0; code == OX_OK && i < files->count; i++) { /* after all files are there */
        char *file_path = NULL;
        char *next = NULL;

        code = ox_path_join(&file_path, path, files->files[i].path, err);
        if (code == OX_OK && i + 1 < files->count) {
            code = ox_path_join(&next, path, files->files[i + 1].path, err);
        }
        if (code == OX_OK) { /* a folder is synced with the last file that lies in it */
            code = sync_folders(path, file_path, next, access, err);
        }
        free(next);
        free(file_path);
    }
    return code == OX_OK ? sync_folder(path, access, err) : code;
}

enum ox_code ox_set_aside(const char *path, int64_t wall_ms, const char *why,
                          const struct ox_log *log, struct ox_err *err)
{
    char *aside = NULL;
    enum ox_code code = ox_strf(&aside, err, "%s.bad-%lld", path, (long long)wall_ms);

    if (code != OX_OK) {
        return code;
    }
    if (rename(path, aside) != 0) {
        code = ox_err_sys(err, errno, "renaming %s", path);
    } else {
        code = ox_parent_sync(path, err);
        ox_log(log, OX_LOG_WARN, "%s: it is kept as %s, and the agent begins without it", why,
               aside);
    }
    free(aside);
    return code;
}

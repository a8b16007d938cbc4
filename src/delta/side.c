/* Artifacts on disk, opened as one side of a delta. */
#include "oxide/delta/side.h"

#include "oxide/base/background.h"
#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"
#include "oxide/crypto/sha256.h"
#include "oxide/tensor/layout.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_DEPTH_MAX 16 /* deeper is a mistake, or a loop */

struct ox_artifact_files {
    struct ox_manifest manifest;
    struct ox_delta_side side;
    bool is_dir;
    struct ox_fd_io *ios; /* one per file; names are owned */
    struct ox_source *sources;
    struct ox_passing *passing;   /* what `sources` are over, where the files are read but once */
    struct ox_file_state *opened; /* each as it was then */
};

static void close_ios(struct ox_artifact_files *files)
{
    for (size_t i = 0; files->ios != NULL && i < files->manifest.count; i++) {
        if (files->ios[i].name != NULL) {
            (void)close(files->ios[i].fd);
            free((char *)files->ios[i].name);
        }
    }
    free(files->ios);
    free(files->sources);
    free(files->passing);
    free(files->opened);
}

void ox_artifact_close(struct ox_artifact_files *files)
{
    if (files != NULL) {
        close_ios(files);
        ox_manifest_clear(&files->manifest);
        free(files);
    }
}

const struct ox_delta_side *ox_artifact_side(const struct ox_artifact_files *files)
{
    return &files->side;
}

bool ox_artifact_is_dir(const struct ox_artifact_files *files)
{
    return files->is_dir;
}

const char *ox_artifact_disk_path(const struct ox_artifact_files *files, size_t index)
{
    return files->ios[index].name;
}

enum ox_code ox_artifact_check_unchanged(const struct ox_artifact_files *files, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < files->manifest.count; i++) {
        code =
            ox_file_check_unchanged(files->ios[i].fd, files->ios[i].name, &files->opened[i], err);
    }
    return code;
}

/* --- listing a folder --- */

struct walk {
    char *root;                   /* resolved */
    char *blobs;                  /* resolved ../../blobs of a Hugging Face snapshot, or NULL */
    struct ox_manifest *manifest; /* sizes and digests still empty */
    struct ox_err *err;
};

static bool is_below(const char *path, const char *dir)
{
    size_t len = dir == NULL ? 0 : strlen(dir);

    return dir != NULL && strncmp(path, dir, len) == 0 && path[len] == '/';
}

static enum ox_code check_link(const struct walk *walk, const char *path)
{
    struct stat st;
    char *real = realpath(path, NULL);
    enum ox_code code = OX_OK;

    if (real == NULL) {
        return ox_err_sys(walk->err, errno, "following symlink %s", path);
    }
    if (!is_below(real, walk->root) && !is_below(real, walk->blobs)) {
        code = ox_err_set(walk->err, OX_EINVAL,
                          "symlink %s leads out of the folder: copy the file into it", path);
    } else if (stat(real, &st) == 0 && S_ISDIR(st.st_mode)) {
        code =
            ox_err_set(walk->err, OX_EINVAL,
                       "symlink %s leads to a folder: only symlinks to files are followed", path);
    }
    free(real);
    return code;
}

static enum ox_code list_folder(const struct walk *walk, const char *relative, unsigned depth);

static enum ox_code list_entry(const struct walk *walk, const char *relative, unsigned depth)
{
    static const struct ox_digest none = {{0}};
    struct stat st;
    char *path = NULL;
    enum ox_code code = ox_path_join(&path, walk->root, relative, walk->err);

    if (code != OX_OK) {
        return code;
    }
    if (lstat(path, &st) != 0) {
        code = ox_err_sys(walk->err, errno, "looking at %s", path);
    } else if (S_ISDIR(st.st_mode)) {
        code = list_folder(walk, relative, depth + 1);
    } else {
        if (S_ISLNK(st.st_mode)) {
            code = check_link(walk, path);
            if (code == OX_OK && stat(path, &st) != 0) {
                code = ox_err_sys(walk->err, errno, "following symlink %s", path);
            }
        }
        if (code == OX_OK && !S_ISREG(st.st_mode)) {
            code = ox_err_set(walk->err, OX_EINVAL, "%s is not a regular file", path);
        }
        if (code == OX_OK) {
            code = ox_manifest_add(walk->manifest, relative, (uint64_t)st.st_size, &none,
                                   (st.st_mode & S_IXUSR) != 0, walk->err);
        }
    }
    free(path);
    return code;
}

static enum ox_code list_folder(const struct walk *walk, const char *relative, unsigned depth)
{
    char *path = NULL;
    DIR *dir;
    struct dirent *entry;
    enum ox_code code;

    if (depth > FOLDER_DEPTH_MAX) {
        return ox_err_set(walk->err, OX_EINVAL, "%s is nested deeper than %d folders", walk->root,
                          FOLDER_DEPTH_MAX);
    }
    code = ox_path_join(&path, walk->root, relative, walk->err);
    if (code != OX_OK) {
        return code;
    }
    dir = opendir(path);
    if (dir == NULL) {
        code = ox_err_sys(walk->err, errno, "reading folder %s", path);
        free(path);
        return code;
    }
    while (code == OX_OK && (entry = readdir(dir)) != NULL) {
        char *child = NULL;

        if (entry->d_name[0] == '.') { /* ".", "..", ".git", ".DS_Store" */
            continue;
        }
        code = relative[0] == '\0' ? ox_strdup(&child, entry->d_name, walk->err)
                                   : ox_path_join(&child, relative, entry->d_name, walk->err);
        if (code == OX_OK) {
            code = list_entry(walk, child, depth);
        }
        free(child);
    }
    (void)closedir(dir);
    free(path);
    return code;
}

static enum ox_code list_root(struct ox_manifest *manifest, const char *path, struct ox_err *err)
{
    struct walk walk = {NULL, NULL, manifest, err};
    char *blobs = NULL;
    enum ox_code code;

    walk.root = realpath(path, NULL);
    if (walk.root == NULL) {
        return ox_err_sys(err, errno, "opening folder %s", path);
    }
    code = ox_path_join(&blobs, walk.root, "../../blobs", err);
    if (code == OX_OK) {
        walk.blobs = realpath(blobs, NULL); /* mostly absent, which is fine */
        code = list_folder(&walk, "", 0);
    }
    if (code == OX_OK && manifest->count == 0) {
        code = ox_err_set(err, OX_EINVAL, "folder %s holds no files", path);
    }
    if (code == OX_OK && (code = ox_manifest_finish(manifest, err)) != OX_OK) {
        (void)ox_err_context(err, "folder %s", path);
    }
    free(blobs);
    free(walk.blobs);
    free(walk.root);
    return code;
}

/* --- opening --- */

static enum ox_code allocate(struct ox_artifact_files *files, struct ox_err *err)
{
    files->ios = calloc(files->manifest.count, sizeof(*files->ios));
    files->sources = calloc(files->manifest.count, sizeof(*files->sources));
    files->opened = calloc(files->manifest.count, sizeof(*files->opened));
    return files->ios == NULL || files->sources == NULL || files->opened == NULL
               ? ox_err_nomem(err, "a list of files")
               : OX_OK;
}

/* Open file `index` at disk path `path` (taken over). *size_bytes is what it really has. */
static enum ox_code open_one(struct ox_artifact_files *files, size_t index, char *take_path,
                             uint64_t *size_bytes, struct ox_err *err)
{
    int fd = -1;
    enum ox_code code = ox_file_open_read(take_path, &fd, size_bytes, err);

    if (code != OX_OK) {
        free(take_path);
        return code;
    }
    files->ios[index] = (struct ox_fd_io){fd, take_path};
    files->sources[index] = ox_fd_source(&files->ios[index], *size_bytes);
    return ox_file_state(fd, take_path, &files->opened[index], err);
}

struct part_progress {
    const struct ox_progress *whole;
    uint64_t before;
    uint64_t total;
};

static void part_update(void *ctx, uint64_t done, uint64_t total)
{
    const struct part_progress *part = ctx;

    (void)total;
    ox_progress_update(part->whole, part->before + done, part->total);
}

static enum ox_code hash_all(struct ox_artifact_files *files, struct ox_stop *stop,
                             const struct ox_progress *progress, struct ox_err *err)
{
    struct part_progress part = {progress, 0, ox_manifest_size(&files->manifest)};
    struct ox_progress inner = {&part, part_update};
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < files->manifest.count; i++) {
        code = ox_sha256_source(&files->sources[i], stop, &inner, &files->manifest.files[i].sha256,
                                err);
        part.before += files->manifest.files[i].size_bytes;
    }
    return code;
}

/* A lone file's name on devices tells its format. */
static enum ox_code name_single(struct ox_artifact_files *files, struct ox_err *err)
{
    struct ox_layout layout = OX_LAYOUT_INIT;
    enum ox_code code = ox_layout_read(&layout, &files->sources[0], err);
    char *path = NULL;

    if (code != OX_OK && code != OX_EUNSUPPORTED && code != OX_ECORRUPT && code != OX_ETOOBIG) {
        return code;
    }
    ox_err_clear(err);
    code = ox_strf(&path, err, "model.%s", ox_format_word(layout.format));
    if (code == OX_OK) {
        free(files->manifest.files[0].path);
        files->manifest.files[0].path = path;
    }
    ox_layout_clear(&layout);
    return code;
}

static void as_side(struct ox_artifact_files *files)
{
    files->side.manifest = &files->manifest;
    files->side.files = files->sources;
}

static enum ox_code open_files(struct ox_artifact_files *files, const char *root,
                               struct ox_err *err)
{
    enum ox_code code = allocate(files, err);

    for (size_t i = 0; code == OX_OK && i < files->manifest.count; i++) {
        char *path = NULL;

        code = files->is_dir ? ox_path_join(&path, root, files->manifest.files[i].path, err)
                             : ox_strdup(&path, root, err);
        if (code == OX_OK) {
            code = open_one(files, i, path, &files->manifest.files[i].size_bytes, err);
        }
    }
    return code;
}

enum ox_code ox_artifact_open(struct ox_artifact_files **out, const char *path,
                              struct ox_stop *stop, const struct ox_progress *progress,
                              struct ox_err *err)
{
    static const struct ox_digest none = {{0}};
    struct ox_artifact_files *files = calloc(1, sizeof(*files));
    struct stat st;
    enum ox_code code;

    if (files == NULL) {
        return ox_err_nomem(err, "an artifact");
    }
    if (stat(path, &st) != 0) {
        code = ox_err_sys(err, errno, "opening %s", path);
        goto out;
    }
    files->is_dir = S_ISDIR(st.st_mode);
    code = files->is_dir ? list_root(&files->manifest, path, err)
                         : ox_manifest_single(&files->manifest, "model.bin", 0, &none, err);
    if (code == OX_OK) {
        code = open_files(files, path, err);
    }
    if (code == OX_OK && !files->is_dir) {
        code = name_single(files, err);
    }
    if (code == OX_OK) {
        code = hash_all(files, stop, progress, err);
    }
    if (code == OX_OK) {
        as_side(files);
        code = ox_artifact_digest(&files->manifest, &files->side.digest, err);
    }
out:
    if (code != OX_OK) {
        ox_artifact_close(files);
        return code;
    }
    *out = files;
    return OX_OK;
}

/* Let all be read in passing. */
static enum ox_code read_in_passing(struct ox_artifact_files *files, struct ox_err *err)
{
    size_t count = files->manifest.count;

    files->passing = calloc(count == 0 ? 1 : count, sizeof(*files->passing));
    if (files->passing == NULL) {
        return ox_err_nomem(err, "an artifact");
    }
    for (size_t i = 0; i < count; i++) {
        files->passing[i].io = files->ios[i];
        files->sources[i] =
            ox_passing_source(&files->passing[i], files->manifest.files[i].size_bytes);
    }
    return OX_OK;
}

enum ox_code ox_artifact_open_known(struct ox_artifact_files **out, const char *dir,
                                    const struct ox_manifest *manifest, struct ox_err *err)
{
    struct ox_artifact_files *files = calloc(1, sizeof(*files));
    enum ox_code code;

    if (files == NULL) {
        return ox_err_nomem(err, "an artifact");
    }
    files->is_dir = true;
    code = ox_manifest_copy(&files->manifest, manifest, err);
    if (code == OX_OK) {
        code = open_files(files, dir, err);
    }
    for (size_t i = 0; code == OX_OK && i < manifest->count; i++) {
        if (files->manifest.files[i].size_bytes != manifest->files[i].size_bytes) {
            code = ox_err_set(err, OX_EDIGEST, "%s has %llu bytes, it should have %llu",
                              files->ios[i].name,
                              (unsigned long long)files->manifest.files[i].size_bytes,
                              (unsigned long long)manifest->files[i].size_bytes);
        }
    }
    if (code == OX_OK && (code = read_in_passing(files, err)) == OX_OK) {
        as_side(files);
        code = ox_artifact_digest(&files->manifest, &files->side.digest, err);
    }
    if (code != OX_OK) {
        ox_artifact_close(files);
        return code;
    }
    *out = files;
    return OX_OK;
}

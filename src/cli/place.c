#include "place.h"

#include "oxide/base/buf.h"
#include "oxide/base/file.h"
#include "oxide/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool ox_place_is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* --- names --- */

/* The last component of a path, slashes at its end left out. */
static const char *last_part(const char *path, size_t *len)
{
    size_t end = strlen(path);
    size_t start;

    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    *len = end - start;
    return path + start;
}

/* The folder that holds `path`, or would. The caller frees *out. */
static enum ox_code parent_of(char **out, const char *path, struct ox_err *err)
{
    size_t last_len;
    size_t len = (size_t)(last_part(path, &last_len) - path);

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    return len == 0 ? ox_strdup(out, ".", err) : ox_strf(out, err, "%.*s", (int)len, path);
}

enum ox_code ox_place_check_name(const char *path, struct ox_err *err)
{
    size_t len;
    const char *last = last_part(path, &len);

    if (path[0] == '\0') {
        return ox_err_set(err, OX_EINVAL, "the name after -o is empty: name what to write");
    }
    if (len == 0 || (len == 1 && last[0] == '.') || (len == 2 && memcmp(last, "..", 2) == 0)) {
        return ox_err_set(err, OX_EINVAL,
                          "-o %s says where a folder lies and not what it is called: give a name",
                          path);
    }
    return OX_OK;
}

enum ox_code ox_place_check_parent(const char *path, struct ox_err *err)
{
    char *parent = NULL;
    struct stat st;
    enum ox_code code = parent_of(&parent, path, err);

    if (code != OX_OK) {
        return code;
    }
    if (stat(parent, &st) != 0) {
        code = ox_err_sys(err, errno, "-o %s: looking for folder %s", path, parent);
    } else if (!S_ISDIR(st.st_mode)) {
        code = ox_err_set(err, OX_EINVAL, "-o %s: %s is not a folder", path, parent);
    } else if (access(parent, W_OK | X_OK) != 0) {
        code = ox_err_sys(err, errno, "-o %s: writing in folder %s", path, parent);
    }
    free(parent);
    return code;
}

bool ox_place_is_same(const char *a, const char *b)
{
    struct stat st_a;
    struct stat st_b;

    return stat(a, &st_a) == 0 && stat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev &&
           st_a.st_ino == st_b.st_ino;
}

bool ox_place_is_inside(const char *path, const char *dir)
{
    struct stat st;
    char *parent = NULL;
    char *real_parent = NULL;
    char *real_dir = NULL;
    bool inside = false;

    if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && parent_of(&parent, path, NULL) == OX_OK) {
        real_parent = realpath(parent, NULL);
        real_dir = realpath(dir, NULL);
    }
    if (real_parent != NULL && real_dir != NULL) {
        size_t len = strcmp(real_dir, "/") == 0 ? 0 : strlen(real_dir);

        inside = strncmp(real_parent, real_dir, len) == 0 &&
                 (real_parent[len] == '/' || real_parent[len] == '\0');
    }
    free(parent);
    free(real_parent);
    free(real_dir);
    return inside;
}

/* --- a patch --- */

enum ox_code ox_place_check_file(const char *path, bool force, struct ox_err *err)
{
    struct stat st;
    bool leads = stat(path, &st) == 0;

    if (path[strlen(path) - 1] == '/' || (leads && S_ISDIR(st.st_mode))) {
        return ox_err_set(err, OX_EINVAL, "-o %s names a folder: name a file in it", path);
    }
    if (leads && !S_ISREG(st.st_mode)) {
        return OX_OK;
    }
    if (ox_path_exists(path) && !force) {
        return ox_err_set(err, OX_ECONFLICT, "%s exists: --force replaces it", path);
    }
    return ox_place_check_parent(path, err);
}

enum ox_code ox_place_check_patch(const char *path, bool force, const char *base,
                                  const char *target, struct ox_err *err)
{
    const char *const sides[] = {base, target};
    enum ox_code code;

    if (ox_place_is_stdout(path)) {
        return OX_OK;
    }
    code = ox_place_check_name(path, err);
    for (size_t i = 0; i < 2 && code == OX_OK; i++) {
        if (ox_place_is_same(path, sides[i])) {
            code = ox_err_set(err, OX_EINVAL, "-o %s is %s itself: give another name", path,
                              i == 0 ? "BASE" : "TARGET");
        } else if (ox_place_is_inside(path, sides[i])) {
            code = ox_err_set(err, OX_EINVAL,
                              "-o %s lies in the folder %s, which it would change: write the patch "
                              "elsewhere",
                              path, sides[i]);
        }
    }
    return code == OX_OK ? ox_place_check_file(path, force, err) : code;
}

/* --- what stands there --- */

static bool is_known(const struct ox_place *place, const char *relative)
{
    return ox_manifest_find(place->base, relative) != SIZE_MAX ||
           ox_manifest_find(place->target, relative) != SIZE_MAX;
}

static enum ox_code check_files(const struct ox_place *place, const char *dir, const char *relative,
                                unsigned depth, struct ox_err *err);

/* A file that neither version has would be lost with the folder: a .git, a patch, notes. */
static enum ox_code check_entry(const struct ox_place *place, const char *path,
                                const char *relative, unsigned depth, struct ox_err *err)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        return ox_err_sys(err, errno, "looking at %s", path);
    }
    if (S_ISDIR(st.st_mode) && depth < OX_MANIFEST_DEPTH_MAX) {
        return check_files(place, path, relative, depth + 1, err);
    }
    if (!S_ISDIR(st.st_mode) && is_known(place, relative)) {
        return OX_OK;
    }
    return ox_err_set(err, OX_ECONFLICT,
                      "%s holds %s, which neither version has and --force would remove: move it "
                      "away, or write to another folder",
                      place->path, relative);
}

static enum ox_code check_files(const struct ox_place *place, const char *dir, const char *relative,
                                unsigned depth, struct ox_err *err)
{
    struct dirent *entry;
    enum ox_code code = OX_OK;
    DIR *open = opendir(dir);

    if (open == NULL) {
        return ox_err_sys(err, errno, "reading folder %s", dir);
    }
    while (code == OX_OK && (entry = readdir(open)) != NULL) {
        char *path = NULL;
        char *below = NULL;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        code = ox_path_join(&path, dir, entry->d_name, err);
        if (code == OX_OK) {
            code = relative[0] == '\0' ? ox_strdup(&below, entry->d_name, err)
                                       : ox_path_join(&below, relative, entry->d_name, err);
        }
        if (code == OX_OK) {
            code = check_entry(place, path, below, depth, err);
        }
        free(path);
        free(below);
    }
    (void)closedir(open);
    return code;
}

enum ox_code ox_place_check_free(const char *path, bool force, struct ox_err *err)
{
    struct stat st;
    bool leads = stat(path, &st) == 0;

    if (leads && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        return ox_err_set(err, OX_EINVAL,
                          "%s is a device, pipe or socket, which a rebuilt version does not "
                          "replace: name a file or folder",
                          path);
    }
    if (ox_path_exists(path) && !force) {
        return ox_err_set(err, OX_ECONFLICT, "%s exists: --force replaces it%s", path,
                          leads && S_ISDIR(st.st_mode) ? " if the patch rebuilds a folder, too"
                                                       : "");
    }
    return OX_OK;
}

enum ox_code ox_place_check(const struct ox_place *place, struct ox_err *err)
{
    struct stat st;
    enum ox_code code = ox_place_check_free(place->path, place->force, err);

    if (code != OX_OK) {
        return code;
    }
    if (place->target != NULL) { /* a link to a folder goes alone: what it leads to stays */
        return lstat(place->path, &st) == 0 && S_ISDIR(st.st_mode)
                   ? check_files(place, place->path, "", 0, err)
                   : OX_OK;
    }
    if (stat(place->path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return ox_err_set(err, OX_EINVAL,
                          "%s is a folder, and the patch rebuilds one file, which does not replace "
                          "it: name a file, such as %s/NAME",
                          place->path, place->path);
    }
    return OX_OK;
}

/* --- taking the place --- */

static void remove_old(const char *old, const char *path, FILE *notes)
{
    struct ox_err err = OX_ERR_INIT;

    if (ox_remove_tree(old, &err) != OX_OK) {
        ox_text_clean(err.msg);
        (void)fprintf(notes,
                      "oxide: %s is in place, but what stood there is left as %s: %s: remove it by "
                      "hand\n",
                      path, old, err.msg);
    }
}

/* Files replace files in one step, and nothing is left; folders trade places first. */
static enum ox_code take_place(const struct ox_place *place, const char *temp, char **old,
                               struct ox_err *err)
{
    struct stat st;
    bool exists = lstat(place->path, &st) == 0;

    if (exists && place->target != NULL) {
        return ox_swap(temp, place->path, old, err);
    }
    return rename(temp, place->path) == 0
               ? OX_OK
               : ox_err_sys(err, errno, "renaming a new %s into place", place->path);
}

enum ox_code ox_place_put(const struct ox_place *place, const char *temp, FILE *notes,
                          struct ox_err *err)
{
    char *old = NULL;
    enum ox_code code = ox_place_check(place, err); /* much may have happened since */

    if (code == OX_OK) {
        code = take_place(place, temp, &old, err);
    }
    if (code != OX_OK) {
        enum ox_code ignored = ox_remove_tree(temp, NULL); /* the first error counts */

        (void)ignored;
        return code;
    }
    code = ox_parent_sync(place->path, err); /* before the old one goes: a power cut leaves one */
    if (code == OX_OK && old != NULL) {
        remove_old(old, place->path, notes);
    } else if (old != NULL) {
        (void)ox_err_context(err, "what stood at %s is left as %s", place->path, old);
    }
    free(old);
    return code;
}

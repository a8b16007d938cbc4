/*
 * To add a layout: its word in the table of settings (oxide/app/agent_settings.h) and in
 * enum ox_model_layout, in the same place; a row here; its functions, each of which may run twice.
 */
#include "shelf.h"

#include "oxide/base/file.h"
#include "shelf_kinds.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- flat: one symlink that never changes, to one that is switched --- */

enum found { FOUND_NOTHING, FOUND_OURS, FOUND_OTHER };

static enum found look_at_link(const struct ox_shelf *shelf)
{
    char leads[PATH_MAX];
    ssize_t len = readlink(shelf->shown, leads, sizeof(leads) - 1);

    if (len < 0) {
        return errno == ENOENT ? FOUND_NOTHING : FOUND_OTHER;
    }
    leads[len] = '\0';
    return strcmp(leads, shelf->leads) == 0 ? FOUND_OURS : FOUND_OTHER;
}

static enum ox_code flat_claim(const struct ox_shelf *shelf, struct ox_err *err)
{
    return look_at_link(shelf) != FOUND_OTHER
               ? OX_OK
               : ox_err_set(err, OX_ECONFLICT,
                            "%s is in the way: the agent keeps a symlink there: move it away",
                            shelf->shown);
}

/* Is it something that the agent put into the model's folder in another layout? */
static bool is_ours(const struct ox_shelf *shelf, const char *name)
{
    static const char *const names[] = {".", "..", "versions", "current", "previous"};
    char *path = NULL;
    bool ours = false;

    for (size_t i = 0; !ours && i < sizeof(names) / sizeof(names[0]); i++) {
        ours = strcmp(name, names[i]) == 0;
    }
    if (!ours && ox_path_join(&path, shelf->numbers, name, NULL) == OX_OK) {
        ours = ox_path_exists(path);
    }
    free(path);
    return ours;
}

static enum ox_code flat_claim_after(const struct ox_shelf *shelf, struct ox_err *err)
{
    const struct dirent *entry;
    enum ox_code code = OX_OK;
    DIR *dir;

    if (!ox_dir_is_real(shelf->shown)) {
        return flat_claim(shelf, err);
    }
    dir = opendir(shelf->shown);
    if (dir == NULL) {
        return ox_err_sys(err, errno, "reading folder %s", shelf->shown);
    }
    while (code == OX_OK && (entry = readdir(dir)) != NULL) {
        if (!is_ours(shelf, entry->d_name)) {
            code = ox_err_set(err, OX_ECONFLICT,
                              "%s/%s is in the way: the agent keeps a symlink in place of that "
                              "folder: move it away",
                              shelf->shown, entry->d_name);
        }
    }
    (void)closedir(dir);
    return code;
}

/* Made elsewhere and renamed: a neighbour's name could be another model's. */
static enum ox_code flat_show(const struct ox_shelf *shelf, const struct ox_shown *version,
                              bool back, struct ox_err *err)
{
    enum found found = look_at_link(shelf);
    enum ox_code code = OX_OK;

    (void)back; /* one version is seen at a time */
    if (version == NULL) {
        if (found != FOUND_OURS) {
            return OX_OK;
        }
        return unlink(shelf->shown) != 0
                   ? ox_err_sys(err, errno, "removing symlink %s", shelf->shown)
                   : ox_parent_sync(shelf->shown, err);
    }
    if (found == FOUND_OURS) {
        return OX_OK;
    }
    if ((code = flat_claim(shelf, err)) != OX_OK ||
        (code = ox_remove_tree(shelf->fresh, err)) != OX_OK) {
        return code;
    }
    if (symlink(shelf->leads, shelf->fresh) != 0) {
        return ox_err_sys(err, errno, "making symlink %s", shelf->fresh);
    }
    if (rename(shelf->fresh, shelf->shown) != 0) {
        return ox_err_sys(err, errno, "moving a symlink to %s", shelf->shown);
    }
    return ox_parent_sync(shelf->shown, err);
}

static enum ox_code flat_examine(const struct ox_shelf *shelf, const char *folder, char *what,
                                 size_t what_bytes, struct ox_err *err)
{
    (void)folder; /* `current` is looked at by itself */
    (void)err;
    if (look_at_link(shelf) != FOUND_OURS) {
        (void)snprintf(what, what_bytes, "it is no symlink to %s", shelf->leads);
    }
    return OX_OK;
}

/* --- the table --- */

/* In the order of enum ox_model_layout. */
static const struct ox_shelf_kind *const kinds[] = {
    &(const struct ox_shelf_kind){.word = "versions"},
    &(const struct ox_shelf_kind){.word = "flat",
                                  .hidden = true,
                                  .claim = flat_claim,
                                  .claim_after = flat_claim_after,
                                  .show = flat_show,
                                  .examine = flat_examine},
    &ox_shelf_triton,
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == OX_MODEL_LAYOUTS, "a row for each layout");

const char *ox_shelf_word(enum ox_model_layout layout)
{
    return kinds[layout]->word;
}

enum ox_code ox_shelf_parse(const char *word, enum ox_model_layout *out, struct ox_err *err)
{
    for (size_t i = 0; i < OX_MODEL_LAYOUTS; i++) {
        if (strcmp(kinds[i]->word, word) == 0) {
            *out = (enum ox_model_layout)i;
            return OX_OK;
        }
    }
    return ox_err_set(err, OX_EINVAL, "\"layout\" is unknown");
}

/* --- opening --- */

enum ox_code ox_shelf_open(struct ox_shelf *out, const struct ox_folders *folders,
                           const char *model_id, enum ox_model_layout layout, struct ox_err *err)
{
    struct ox_shelf shelf = {.layout = layout};
    char name[OX_FOLDER_NAME_MAX];
    enum ox_code code = ox_folder_name(model_id, name, err);

    if (code == OX_OK && (code = ox_strdup(&shelf.kept, folders->kept, err)) == OX_OK &&
        (code = ox_path_join(&shelf.hidden, folders->kept, name, err)) == OX_OK &&
        (code = ox_path_join(&shelf.shown, folders->root, name, err)) == OX_OK &&
        (code = ox_strf(&shelf.leads, err, "%s/%s/current", strrchr(folders->kept, '/') + 1,
                        name)) == OX_OK &&
        (code = ox_path_join(&shelf.numbers, folders->numbers, name, err)) == OX_OK &&
        (code = ox_strdup(&shelf.fresh, folders->fresh, err)) == OX_OK &&
        (code = ox_strdup(&shelf.gone, folders->gone, err)) == OX_OK) {
        shelf.home = kinds[layout]->hidden ? shelf.hidden : shelf.shown;
        *out = shelf;
        return OX_OK;
    }
    ox_shelf_clear(&shelf);
    return code;
}

void ox_shelf_clear(struct ox_shelf *shelf)
{
    free(shelf->kept);
    free(shelf->hidden);
    free(shelf->shown);
    free(shelf->leads);
    free(shelf->numbers);
    free(shelf->fresh);
    free(shelf->gone);
    *shelf = (struct ox_shelf){.home = NULL};
}

/* --- its folders --- */

static enum ox_code check_folder(const char *path, struct ox_err *err)
{
    struct stat st;

    if (lstat(path, &st) != 0 || S_ISDIR(st.st_mode)) {
        return OX_OK; /* what cannot be looked at cannot be written below either */
    }
    return ox_err_set(err, OX_EPERM, "%s is %s where a folder of the agent's belongs: remove it",
                      path, S_ISLNK(st.st_mode) ? "a symlink" : "not a folder");
}

enum ox_code ox_shelf_check(const struct ox_shelf *shelf, struct ox_err *err)
{
    char *versions = NULL;
    enum ox_code code = ox_path_join(&versions, shelf->home, "versions", err);

    if (code == OX_OK &&
        (!kinds[shelf->layout]->hidden || (code = check_folder(shelf->kept, err)) == OX_OK) &&
        (code = check_folder(shelf->home, err)) == OX_OK) {
        code = check_folder(versions, err);
    }
    free(versions);
    return code;
}

static enum ox_code make_home(const struct ox_shelf *shelf, struct ox_err *err)
{
    enum ox_code code =
        kinds[shelf->layout]->hidden ? ox_folder_make(shelf->kept, 0755, err) : OX_OK;

    return code == OX_OK ? ox_folder_make(shelf->home, 0755, err) : code;
}

static enum ox_code sync_home(const struct ox_shelf *shelf, struct ox_err *err)
{
    enum ox_code code = ox_dir_sync(shelf->home, err);

    if (code == OX_OK) {
        code = ox_parent_sync(shelf->home, err);
    }
    return code == OX_OK && kinds[shelf->layout]->hidden ? ox_parent_sync(shelf->kept, err) : code;
}

enum ox_code ox_shelf_make(const struct ox_shelf *shelf, const struct ox_access *access,
                           struct ox_err *err)
{
    const struct ox_shelf_kind *kind = kinds[shelf->layout];
    char *versions = NULL;
    enum ox_code code = kind->claim == NULL ? OX_OK : kind->claim(shelf, err);

    if (code == OX_OK && (code = make_home(shelf, err)) == OX_OK &&
        (code = ox_path_join(&versions, shelf->home, "versions", err)) == OX_OK &&
        (code = ox_folder_make(versions, 0755, err)) == OX_OK &&
        (code = ox_access_home(access, shelf->home, err)) == OX_OK &&
        (code = ox_access_home(access, versions, err)) == OX_OK) {
        code = sync_home(shelf, err);
    }
    free(versions);
    return code;
}

enum ox_code ox_shelf_may_move_in(const struct ox_shelf *shelf, struct ox_err *err)
{
    const struct ox_shelf_kind *kind = kinds[shelf->layout];
    enum ox_code code = OX_OK;

    if (kind->hidden) { /* else consumers may see a symlink of ours there, which goes */
        code = ox_shelf_check(shelf, err);
    }
    return code == OX_OK && kind->claim_after != NULL ? kind->claim_after(shelf, err) : code;
}

static void remove_link(const char *folder, const char *name)
{
    struct stat st;
    char *path = NULL;

    if (ox_path_join(&path, folder, name, NULL) == OX_OK && lstat(path, &st) == 0 &&
        S_ISLNK(st.st_mode)) {
        (void)unlink(path);
    }
    free(path);
}

enum ox_code ox_shelf_move_in(const struct ox_shelf *shelf, struct ox_err *err)
{
    const char *other = kinds[shelf->layout]->hidden ? shelf->shown : shelf->hidden;
    struct ox_access access = {.has_group = false};
    char *from = NULL;
    char *to = NULL;
    enum ox_code code;

    if ((code = ox_path_join(&from, other, "versions", err)) != OX_OK ||
        (code = ox_path_join(&to, shelf->home, "versions", err)) != OX_OK || ox_path_exists(to) ||
        !ox_dir_is_real(other) || !ox_dir_is_real(from)) {
        goto out;
    }
    if ((code = make_home(shelf, err)) != OX_OK ||
        (code = ox_access_of(&access, from, err)) != OX_OK ||
        (code = ox_access_home(&access, shelf->home, err)) != OX_OK) {
        goto out;
    }
    if (rename(from, to) != 0) {
        code = ox_err_sys(err, errno, "moving %s to %s", from, to);
        goto out;
    }
    if ((code = sync_home(shelf, err)) == OX_OK) {
        remove_link(other, "current");
        remove_link(other, "previous");
        code = ox_dir_sync(other, err);
    }
    if (code == OX_OK && rmdir(other) == 0) { /* what others put there stays */
        code = ox_parent_sync(other, err);
        (void)rmdir(shelf->kept); /* the last one to leave */
    }
out:
    free(from);
    free(to);
    return code;
}

/* --- switching --- */

static enum ox_code switch_to(const struct ox_shelf *shelf, const struct ox_shown *version,
                              bool back, struct ox_err *err)
{
    const struct ox_shelf_kind *kind = kinds[shelf->layout];
    enum ox_code code = ox_shelf_check(shelf, err);

    if (code == OX_OK) {
        code = ox_folders_switch(shelf->home, "current", version->folder, err);
    }
    return code == OX_OK && kind->show != NULL ? kind->show(shelf, version, back, err) : code;
}

enum ox_code ox_shelf_activate(const struct ox_shelf *shelf, const struct ox_shown *version,
                               struct ox_err *err)
{
    return switch_to(shelf, version, false, err);
}

enum ox_code ox_shelf_restore(const struct ox_shelf *shelf, const struct ox_shown *version,
                              struct ox_err *err)
{
    enum ox_code code;

    if (version != NULL) {
        return switch_to(shelf, version, true, err);
    }
    if ((code = ox_shelf_check(shelf, err)) == OX_OK) {
        code = ox_shelf_hide(shelf, err);
    }
    return code == OX_OK && ox_path_exists(shelf->home)
               ? ox_folders_switch(shelf->home, "current", NULL, err)
               : code;
}

enum ox_code ox_shelf_hide(const struct ox_shelf *shelf, struct ox_err *err)
{
    const struct ox_shelf_kind *kind = kinds[shelf->layout];

    return kind->show == NULL ? OX_OK : kind->show(shelf, NULL, true, err);
}

enum ox_code ox_shelf_prune(const struct ox_shelf *shelf, const char *const *keep,
                            size_t keep_count, struct ox_err *err)
{
    const struct ox_shelf_kind *kind = kinds[shelf->layout];
    enum ox_code code = kind->prune == NULL ? OX_OK : kind->prune(shelf, keep, keep_count, err);

    return code == OX_OK ? ox_folders_prune(shelf->home, keep, keep_count, err) : code;
}

/* A folder in which somebody else put something, or over which something is mounted, stays. */
static enum ox_code remove_if_empty(const char *path, struct ox_err *err)
{
    return rmdir(path) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST ||
                   errno == ENOTDIR || errno == EBUSY
               ? OX_OK
               : ox_err_sys(err, errno, "removing folder %s", path);
}

enum ox_code ox_shelf_remove_empty(const struct ox_shelf *shelf, struct ox_err *err)
{
    char *versions = NULL;
    enum ox_code code = ox_path_join(&versions, shelf->home, "versions", err);

    if (code == OX_OK && (code = remove_if_empty(versions, err)) == OX_OK &&
        (code = remove_if_empty(shelf->home, err)) == OX_OK) {
        code = remove_if_empty(shelf->kept, err);
    }
    free(versions);
    return code;
}

/* --- looking --- */

enum ox_code ox_shelf_seen(const struct ox_shelf *shelf, const char *folder, char **out,
                           struct ox_err *err)
{
    const struct ox_shelf_kind *kind = kinds[shelf->layout];
    char *path = NULL;
    enum ox_code code = kind->seen == NULL ? OX_OK : kind->seen(shelf, folder, &path, err);

    if (code == OX_OK && path == NULL) {
        code = ox_folders_version(shelf->home, folder, &path, err);
    }
    if (code == OX_OK) {
        *out = path;
    }
    return code;
}

enum ox_code ox_shelf_examine(const struct ox_shelf *shelf, const char *folder, char *what,
                              size_t what_bytes, struct ox_err *err)
{
    const struct ox_shelf_kind *kind = kinds[shelf->layout];

    what[0] = '\0';
    return kind->examine == NULL ? OX_OK : kind->examine(shelf, folder, what, what_bytes, err);
}

/*
 * Numbered folders as Triton's model repository wants them: MODEL_DIR/MODEL/N with the files of a
 * version, hard links to those in the home, so that they take no room of their own. By default
 * Triton serves the highest number: a version becomes active, also one that was active before, as a
 * whole folder is renamed to a number above all others. Where it does not do, the one before is
 * active again as the numbers above its own are renamed away, the highest last. Nothing else is put
 * there: Triton takes what begins with a digit for a version, and touches of a model's folder for a
 * change of the model.
 */
#include "links.h"
#include "oxide/base/file.h"
#include "shelf_kinds.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIGITS_MAX 18 /* Triton's numbers have 63 bits */

/* A number that was given, and the folder that it was given to. */
struct number {
    uint64_t value;
    char *folder;
};

struct numbers {
    struct number *list; /* rising */
    size_t count;
};

static void numbers_clear(struct numbers *numbers)
{
    for (size_t i = 0; i < numbers->count; i++) {
        free(numbers->list[i].folder);
    }
    free(numbers->list);
    *numbers = (struct numbers){NULL, 0};
}

static int by_value(const void *a, const void *b)
{
    const struct number *x = a;
    const struct number *y = b;

    return x->value < y->value ? -1 : x->value > y->value;
}

/* The number that a name begins with, as Triton reads it; 0 for none. */
static uint64_t leading_number(const char *name)
{
    size_t len = strspn(name, "0123456789");

    return len == 0 || len > DIGITS_MAX || name[0] == '0' ? 0 : strtoull(name, NULL, 10);
}

static enum ox_code number_path(const char *folder, uint64_t value, char **out, struct ox_err *err)
{
    return ox_strf(out, err, "%s/%llu", folder, (unsigned long long)value);
}

static enum ox_code add(struct numbers *numbers, uint64_t value, const char *folder,
                        struct ox_err *err)
{
    struct number *list = realloc(numbers->list, (numbers->count + 1) * sizeof(*list));
    enum ox_code code;

    if (list == NULL) {
        return ox_err_nomem(err, "a list of numbers");
    }
    numbers->list = list;
    list[numbers->count] = (struct number){value, NULL};
    code = ox_strdup(&list[numbers->count].folder, folder, err);
    numbers->count += code == OX_OK;
    return code;
}

static enum ox_code numbers_read(const struct ox_shelf *shelf, struct numbers *out,
                                 struct ox_err *err)
{
    const struct dirent *entry;
    enum ox_code code = OX_OK;
    DIR *dir = opendir(shelf->numbers);

    if (dir == NULL) {
        return errno == ENOENT ? OX_OK
                               : ox_err_sys(err, errno, "reading folder %s", shelf->numbers);
    }
    while (code == OX_OK && (entry = readdir(dir)) != NULL) {
        uint64_t value = leading_number(entry->d_name);
        char folder[PATH_MAX];
        ssize_t len =
            value == 0 ? -1 : readlinkat(dirfd(dir), entry->d_name, folder, sizeof(folder) - 1);

        if (len >= 0) {
            folder[len] = '\0';
            code = add(out, value, folder, err);
        }
    }
    (void)closedir(dir);
    if (out->count > 0) {
        qsort(out->list, out->count, sizeof(*out->list), by_value);
    }
    if (code != OX_OK) {
        numbers_clear(out);
    }
    return code;
}

static bool is_ours(const struct numbers *numbers, uint64_t value)
{
    size_t i = 0;

    while (i < numbers->count && numbers->list[i].value != value) {
        i++;
    }
    return i < numbers->count;
}

/* The highest number in the model's folder that is not of our giving; 0: there is none. */
static enum ox_code highest_of_others(const struct ox_shelf *shelf, const struct numbers *numbers,
                                      uint64_t *out, struct ox_err *err)
{
    const struct dirent *entry;
    uint64_t highest = 0;
    DIR *dir = opendir(shelf->shown);

    if (dir == NULL && errno != ENOENT) {
        return ox_err_sys(err, errno, "reading folder %s", shelf->shown);
    }
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        uint64_t value = leading_number(entry->d_name);

        highest = value > highest && !is_ours(numbers, value) ? value : highest;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    *out = highest;
    return OX_OK;
}

static bool is_seen(const struct ox_shelf *shelf, uint64_t value)
{
    char *path = NULL;
    bool seen = number_path(shelf->shown, value, &path, NULL) == OX_OK && ox_dir_is_real(path);

    free(path);
    return seen;
}

/* The highest number under which a folder is seen; 0: it is not. */
static uint64_t number_of(const struct ox_shelf *shelf, const struct numbers *numbers,
                          const char *folder)
{
    for (size_t i = numbers->count; i > 0; i--) {
        if (strcmp(numbers->list[i - 1].folder, folder) == 0 &&
            is_seen(shelf, numbers->list[i - 1].value)) {
            return numbers->list[i - 1].value;
        }
    }
    return 0;
}

static enum ox_code triton_claim(const struct ox_shelf *shelf, struct ox_err *err)
{
    return !ox_path_exists(shelf->shown) || ox_dir_is_real(shelf->shown)
               ? OX_OK
               : ox_err_set(err, OX_EPERM,
                            "%s is not a folder, but stands where numbered folders belong: remove "
                            "it",
                            shelf->shown);
}

/* --- a new number --- */

/* Written down before it is seen, and never given again. */
static enum ox_code give_number(const struct ox_shelf *shelf, uint64_t value, const char *folder,
                                struct ox_err *err)
{
    char *path = NULL;
    enum ox_code code = ox_dir_make(shelf->numbers, 0700, err);

    if (code == OX_OK && (code = number_path(shelf->numbers, value, &path, err)) == OX_OK) {
        code = symlink(folder, path) != 0 ? ox_err_sys(err, errno, "making symlink %s", path)
                                          : ox_dir_sync(shelf->numbers, err);
    }
    if (code == OX_OK) {
        code = ox_parent_sync(shelf->numbers, err);
    }
    free(path);
    return code;
}

/* The whole folder, with links to the files of the version, where nobody sees it yet. */
static enum ox_code build(const struct ox_shelf *shelf, const struct ox_shown *version,
                          const char *from, struct ox_err *err)
{
    struct ox_access access = {.has_group = false};
    enum ox_code code = ox_remove_tree(shelf->fresh, err);

    if (code == OX_OK && (code = ox_access_of(&access, from, err)) == OX_OK) {
        code = ox_folder_make(shelf->fresh, 0755, err);
    }
    for (size_t i = 0; code == OX_OK && i < version->files->count; i++) {
        const char *relative = version->files->files[i].path;
        char *path = NULL;

        if ((code = ox_path_join(&path, shelf->fresh, relative, err)) == OX_OK) {
            char *slash = strrchr(path, '/');

            *slash = '\0';
            code = ox_dir_make(path, 0755, err);
            *slash = '/';
        }
        if (code == OX_OK) {
            code = ox_link_or_copy(from, relative, true, path, err);
        }
        free(path);
    }
    return code == OX_OK ? ox_folder_sync(shelf->fresh, version->files, &access, err) : code;
}

/* The model's folder, which the operator may have made, with a config.pbtxt in it. */
static enum ox_code make_shown(const struct ox_shelf *shelf, const char *from, struct ox_err *err)
{
    struct ox_access access = {.has_group = false};
    enum ox_code code;

    if (ox_dir_is_real(shelf->shown)) {
        return OX_OK;
    }
    if ((code = ox_access_of(&access, from, err)) == OX_OK &&
        (code = ox_folder_make(shelf->shown, 0755, err)) == OX_OK &&
        (code = ox_access_home(&access, shelf->shown, err)) == OX_OK) {
        code = ox_parent_sync(shelf->shown, err);
    }
    return code;
}

static enum ox_code show_as(const struct ox_shelf *shelf, const struct ox_shown *version,
                            uint64_t value, struct ox_err *err)
{
    char *from = NULL;
    char *path = NULL;
    enum ox_code code = ox_folders_version(shelf->home, version->folder, &from, err);

    if (code == OX_OK && (code = make_shown(shelf, from, err)) == OX_OK &&
        (code = give_number(shelf, value, version->folder, err)) == OX_OK &&
        (code = build(shelf, version, from, err)) == OX_OK &&
        (code = number_path(shelf->shown, value, &path, err)) == OX_OK) {
        code = rename(shelf->fresh, path) != 0
                   ? ox_err_sys(err, errno, "moving a version to %s", path)
                   : ox_dir_sync(shelf->shown, err);
    }
    free(path);
    free(from);
    return code;
}

/* --- numbers that go --- */

/* Out of sight in one step, then away. */
static enum ox_code take_away(const struct ox_shelf *shelf, uint64_t value, struct ox_err *err)
{
    char *path = NULL;
    enum ox_code code = number_path(shelf->shown, value, &path, err);

    if (code == OX_OK && ox_path_exists(path) &&
        (code = ox_remove_tree(shelf->gone, err)) == OX_OK) {
        if (rename(path, shelf->gone) != 0) {
            code = ox_err_sys(err, errno, "removing %s", path);
        } else if ((code = ox_dir_sync(shelf->shown, err)) == OX_OK) {
            code = ox_remove_tree(shelf->gone, err);
        }
    }
    free(path);
    return code;
}

/* Forget all numbers that are not seen any more, but the highest. */
static enum ox_code forget_unseen(const struct ox_shelf *shelf, const struct numbers *numbers,
                                  struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i + 1 < numbers->count; i++) {
        char *path = NULL;

        if (!is_seen(shelf, numbers->list[i].value) &&
            (code = number_path(shelf->numbers, numbers->list[i].value, &path, err)) == OX_OK &&
            unlink(path) != 0 && errno != ENOENT) {
            code = ox_err_sys(err, errno, "removing %s", path);
        }
        free(path);
    }
    return code;
}

/* --- the row --- */

/* The highest number of ours that is seen; 0: none is. */
static uint64_t highest_seen(const struct ox_shelf *shelf, const struct numbers *numbers)
{
    size_t i = numbers->count;

    while (i > 0 && !is_seen(shelf, numbers->list[i - 1].value)) {
        i--;
    }
    return i > 0 ? numbers->list[i - 1].value : 0;
}

/* The number under which the version is to be the active one: one that it has, or a new one. */
static enum ox_code raise_version(const struct ox_shelf *shelf, struct numbers *numbers,
                                  const struct ox_shown *version, bool back, uint64_t *out,
                                  struct ox_err *err)
{
    uint64_t last = numbers->count > 0 ? numbers->list[numbers->count - 1].value : 0;
    uint64_t others = 0;
    uint64_t value = number_of(shelf, numbers, version->folder);
    enum ox_code code = highest_of_others(shelf, numbers, &others, err);

    if (code == OX_OK &&
        (value == 0 || value < others || (!back && value < highest_seen(shelf, numbers)))) {
        value = (last > others ? last : others) + 1;
        if ((code = show_as(shelf, version, value, err)) == OX_OK) {
            code = add(numbers, value, version->folder, err);
        }
    }
    if (code == OX_OK) {
        *out = value;
    }
    return code;
}

static enum ox_code triton_show(const struct ox_shelf *shelf, const struct ox_shown *version,
                                bool back, struct ox_err *err)
{
    struct numbers numbers = {NULL, 0};
    uint64_t active = 0;
    enum ox_code code = triton_claim(shelf, err);

    if (code != OX_OK) {
        return version == NULL ? OX_OK : code; /* nothing of ours is there to be seen */
    }
    code = numbers_read(shelf, &numbers, err);
    if (code == OX_OK && version != NULL) {
        code = raise_version(shelf, &numbers, version, back, &active, err);
    }
    for (size_t i = 0; code == OX_OK && back && i < numbers.count; i++) { /* the highest last */
        if (numbers.list[i].value > active) {
            code = take_away(shelf, numbers.list[i].value, err);
        }
    }
    if (code == OX_OK) {
        code = forget_unseen(shelf, &numbers, err);
    }
    if (code == OX_OK && version == NULL && rmdir(shelf->shown) == 0) { /* nothing else was there */
        code = ox_parent_sync(shelf->shown, err);
    }
    numbers_clear(&numbers);
    return code;
}

static bool is_among(const char *folder, const char *const *keep, size_t keep_count)
{
    size_t i = 0;

    while (i < keep_count && (keep[i] == NULL || strcmp(keep[i], folder) != 0)) {
        i++;
    }
    return i < keep_count;
}

/* Of a version that is kept one number stays. */
static enum ox_code triton_prune(const struct ox_shelf *shelf, const char *const *keep,
                                 size_t keep_count, struct ox_err *err)
{
    struct numbers numbers = {NULL, 0};
    enum ox_code code = ox_dir_is_real(shelf->shown) ? numbers_read(shelf, &numbers, err) : OX_OK;

    for (size_t i = 0; code == OX_OK && i < numbers.count; i++) {
        const struct number *number = &numbers.list[i];

        if (!is_among(number->folder, keep, keep_count) ||
            number->value < number_of(shelf, &numbers, number->folder)) {
            code = take_away(shelf, number->value, err);
        }
    }
    if (code == OX_OK) {
        code = forget_unseen(shelf, &numbers, err);
    }
    numbers_clear(&numbers);
    return code;
}

static enum ox_code triton_seen(const struct ox_shelf *shelf, const char *folder, char **out,
                                struct ox_err *err)
{
    struct numbers numbers = {NULL, 0};
    uint64_t value = 0;
    enum ox_code code = numbers_read(shelf, &numbers, err);

    if (code == OX_OK && (value = number_of(shelf, &numbers, folder)) != 0) {
        code = number_path(shelf->shown, value, out, err);
    }
    numbers_clear(&numbers);
    return code;
}

static enum ox_code triton_examine(const struct ox_shelf *shelf, const char *folder, char *what,
                                   size_t what_bytes, struct ox_err *err)
{
    struct numbers numbers = {NULL, 0};
    uint64_t others = 0;
    uint64_t value = 0;
    enum ox_code code = triton_claim(shelf, err);

    if (code == OX_EPERM) {
        (void)snprintf(what, what_bytes, "it is no folder");
        return OX_OK;
    }
    if (code == OX_OK && (code = numbers_read(shelf, &numbers, err)) == OX_OK &&
        (code = highest_of_others(shelf, &numbers, &others, err)) == OX_OK) {
        value = number_of(shelf, &numbers, folder);
        for (size_t i = 0; i < numbers.count; i++) {
            others = numbers.list[i].value > others && is_seen(shelf, numbers.list[i].value)
                         ? numbers.list[i].value
                         : others;
        }
        if (value == 0) {
            (void)snprintf(what, what_bytes, "no numbered folder in it is the current version");
        } else if (others > value) {
            (void)snprintf(what, what_bytes,
                           "folder %llu in it is higher than %llu, the current version",
                           (unsigned long long)others, (unsigned long long)value);
        }
    }
    numbers_clear(&numbers);
    return code;
}

const struct ox_shelf_kind ox_shelf_triton = {.word = "triton",
                                              .hidden = true,
                                              .claim = triton_claim,
                                              .show = triton_show,
                                              .prune = triton_prune,
                                              .seen = triton_seen,
                                              .examine = triton_examine};

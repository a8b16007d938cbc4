#include "oxide/store/inspect.h"

#include "oxide/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PREFIX_LEN ((size_t)2)
#define REST_LEN ((size_t)OX_DIGEST_BYTES * 2 - PREFIX_LEN)

struct inspection {
    const char *dir; /* the data folder */
    const struct ox_store_inspector *to;
    struct ox_stop *stop;
};

/* What is done with an entry; `path` is below the data folder. */
typedef enum ox_code look_fn(const struct inspection *inspection, const char *path,
                             const char *name, struct ox_err *err);

static bool is_hex(const char *name, size_t len)
{
    return strlen(name) == len && strspn(name, "0123456789abcdef") == len;
}

static void tell(const struct inspection *inspection, enum ox_store_odd odd, const char *path,
                 const struct stat *st, const char *why)
{
    const struct ox_store_thing thing = {
        .odd = odd,
        .path = path,
        .size_bytes = st == NULL ? 0 : (uint64_t)st->st_size,
        .written_ms =
            st == NULL ? 0 : (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000,
        .why = why,
    };

    inspection->to->found(inspection->to->ctx, &thing);
}

/* Look at each entry of a folder; `path` is below the data folder. Entries that go meanwhile are
 * fine: a server may be running. */
static enum ox_code each(const struct inspection *inspection, const char *path, look_fn *look,
                         struct ox_err *err)
{
    const struct dirent *entry;
    char *full = NULL;
    enum ox_code code = ox_path_join(&full, inspection->dir, path, err);
    DIR *dir = code == OX_OK ? opendir(full) : NULL;

    if (code == OX_OK && dir == NULL && errno != ENOENT) {
        char why[64];

        (void)strerror_r(errno, why, sizeof(why));
        tell(inspection, OX_STORE_UNREADABLE, path, NULL, why);
    }
    while (code == OX_OK && dir != NULL && (entry = readdir(dir)) != NULL) {
        char *inner = NULL;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (ox_stop_requested(inspection->stop)) {
            code = ox_err_set(err, OX_ECANCELED, "stopped");
        } else if ((code = ox_path_join(&inner, path, entry->d_name, err)) == OX_OK) {
            code = look(inspection, inner, entry->d_name, err);
        }
        free(inner);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    free(full);
    return code;
}

/* What the entry is, through symlinks as readers see it. False if it is gone. */
static bool look_at(const struct inspection *inspection, const char *path, struct stat *out,
                    const char **why)
{
    char *full = NULL;
    bool there = ox_path_join(&full, inspection->dir, path, NULL) == OX_OK;

    *why = NULL;
    if (there && stat(full, out) != 0) {
        there = lstat(full, out) == 0;
        *why = there && S_ISLNK(out->st_mode) ? "it is a symlink that leads nowhere"
                                              : "it cannot be looked at";
    }
    free(full);
    return there;
}

static enum ox_code look_at_blob(const struct inspection *inspection, const char *path,
                                 const char *name, struct ox_err *err)
{
    const char *why;
    struct stat st;

    (void)err;
    if (!look_at(inspection, path, &st, &why)) {
        return OX_OK;
    }
    if (why == NULL && !is_hex(name, REST_LEN)) {
        why = "its name is not the rest of a SHA-256";
    } else if (why == NULL && !S_ISREG(st.st_mode)) {
        why = "it is not a regular file";
    }
    if (why != NULL) {
        tell(inspection, OX_STORE_STRAY, path, &st, why);
    }
    return OX_OK;
}

static enum ox_code look_at_prefix(const struct inspection *inspection, const char *path,
                                   const char *name, struct ox_err *err)
{
    const char *why;
    struct stat st;

    if (!look_at(inspection, path, &st, &why)) {
        return OX_OK;
    }
    if (why == NULL && is_hex(name, PREFIX_LEN) && S_ISDIR(st.st_mode)) {
        return each(inspection, path, look_at_blob, err);
    }
    if (why == NULL) {
        why = S_ISDIR(st.st_mode) ? "its name is not the begin of a SHA-256" : "it is no folder";
    }
    tell(inspection, OX_STORE_STRAY, path, &st, why);
    return OX_OK;
}

/* A folder in which anything may lie for a while. */
static void tell_of(const struct inspection *inspection, enum ox_store_odd odd, const char *path)
{
    const char *why;
    struct stat st;

    if (look_at(inspection, path, &st, &why)) {
        tell(inspection, odd, path, &st, why);
    }
}

static enum ox_code look_at_temporary(const struct inspection *inspection, const char *path,
                                      const char *name, struct ox_err *err)
{
    (void)name;
    (void)err;
    tell_of(inspection, OX_STORE_TEMPORARY, path);
    return OX_OK;
}

static enum ox_code look_at_upload(const struct inspection *inspection, const char *path,
                                   const char *name, struct ox_err *err)
{
    (void)name;
    (void)err;
    tell_of(inspection, OX_STORE_UPLOAD, path);
    return OX_OK;
}

enum ox_code ox_store_inspect(const char *dir, const struct ox_store_inspector *to,
                              struct ox_stop *stop, struct ox_err *err)
{
    const struct inspection inspection = {dir, to, stop};
    enum ox_code code = each(&inspection, "blobs", look_at_prefix, err);

    if (code == OX_OK) {
        code = each(&inspection, "tmp", look_at_temporary, err);
    }
    return code == OX_OK ? each(&inspection, "uploads", look_at_upload, err) : code;
}

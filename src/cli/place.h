/** The place that -o names: what is refused before any work, and how what was made gets there. */
#ifndef OXIDE_CLI_PLACE_H
#define OXIDE_CLI_PLACE_H

#include "oxide/base/err.h"
#include "oxide/base/manifest.h"

#include <stdio.h>

/** Does `path` stand for standard output ("-")? */
bool ox_place_is_stdout(const char *path);

/** Is it a name? An empty one is not, nor one that ends in "." or "..". Errors: OX_EINVAL. */
OX_MUST_USE enum ox_code ox_place_check_name(const char *path, struct ox_err *err);

/** Can something be made in the folder that `path` names? Errors: OX_EINVAL, OX_ENOTFOUND,
 * OX_EPERM, the system's. */
OX_MUST_USE enum ox_code ox_place_check_parent(const char *path, struct ox_err *err);

/** Is the name free for a rebuilt version, as far as can be told before the patch is read? Refused
 *  are devices, pipes and sockets, and without `force` whatever is there.
 *  Errors: OX_EINVAL, OX_ECONFLICT. */
OX_MUST_USE enum ox_code ox_place_check_free(const char *path, bool force, struct ox_err *err);

/** Are both there, and the same file or folder? */
bool ox_place_is_same(const char *a, const char *b);

/** Would `path` be made inside the folder `dir`? False where `dir` is none. */
bool ox_place_is_inside(const char *path, const char *dir);

/** May a file be written at `path`? To a device or a pipe always; a file that stands there is
 *  replaced with `force` alone. Errors: OX_EINVAL for a folder, OX_ECONFLICT. */
OX_MUST_USE enum ox_code ox_place_check_file(const char *path, bool force, struct ox_err *err);

/** May the patch from `base` to `target` be written at `path`? Not over either of them, nor into
 *  one. Errors: those of the checks above, OX_EINVAL. */
OX_MUST_USE enum ox_code ox_place_check_patch(const char *path, bool force, const char *base,
                                              const char *target, struct ox_err *err);

/** Where a rebuilt version goes. All is lent. */
struct ox_place {
    const char *path; /* without slashes at its end */
    bool force;
    /* Of a folder: versions whose files may go, should another folder stand there. NULL: a file. */
    const struct ox_manifest *base;
    const struct ox_manifest *target;
};

/**
 * May a rebuilt version take this place? Beside what ox_place_check_free refuses, these are: a
 * folder where a file would go, and one that holds a file which neither version has. Nothing is
 * changed.
 * Errors: OX_EINVAL, OX_ECONFLICT, the system's.
 */
OX_MUST_USE enum ox_code ox_place_check(const struct ox_place *place, struct ox_err *err);

/**
 * Give the finished file or folder `temp`, a neighbour, its place; what stands there is checked
 * again and goes last, once the new one is there. Should it not go, a line on `notes` says so: that
 * is no failure. On failure what stood there stays, and `temp` is removed.
 * Errors: those of ox_place_check, the system's.
 */
OX_MUST_USE enum ox_code ox_place_put(const struct ox_place *place, const char *temp, FILE *notes,
                                      struct ox_err *err);

#endif

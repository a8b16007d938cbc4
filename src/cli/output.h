/** A file that appears under its name whole, or not at all. */
#ifndef OXIDE_CLI_OUTPUT_H
#define OXIDE_CLI_OUTPUT_H

#include "oxide/base/io.h"

/**
 * Bytes go to a temporary neighbour, which commit syncs and renames. What stands at `path` and is
 * no regular file (a pipe, /dev/null) is written to directly.
 */
struct ox_output_file {
    char *path; /* owned */
    char *temp; /* owned; NULL: written directly */
    struct ox_fd_io io;
    struct ox_output output; /* hand this to the work */
    bool is_stdout;
};

/** `path` "-" is the descriptor 1. Clear *out in every case. Errors: OX_EPERM, OX_ENOTFOUND, ... */
OX_MUST_USE enum ox_code ox_output_open(struct ox_output_file *out, const char *path,
                                        struct ox_err *err);
/** Make it durable and give it its name. Errors: OX_ECONFLICT if, without `force`, something stands
 *  there; the system's. */
OX_MUST_USE enum ox_code ox_output_commit(struct ox_output_file *file, bool force,
                                          struct ox_err *err);
/** Close, and remove what was not committed. */
void ox_output_clear(struct ox_output_file *file);

/** A name beside `path` that is free, as "path.XXXXXX" filled in; the caller frees it. The file or
 *  folder is made by the caller. */
OX_MUST_USE enum ox_code ox_output_neighbour(char **out, const char *path, struct ox_err *err);

#endif

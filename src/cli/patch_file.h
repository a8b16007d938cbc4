/** A patch to read at will: a file, or what came through a pipe, set down in a nameless file. */
#ifndef OXIDE_CLI_PATCH_FILE_H
#define OXIDE_CLI_PATCH_FILE_H

#include "command.h"

#include "oxide/base/io.h"

struct ox_patch_file {
    struct ox_fd_io io;
    struct ox_source source;
    FILE *spool; /* owns io.fd if set */
};
#define OX_PATCH_FILE_INIT                                                                         \
    {                                                                                              \
        {-1, NULL}, {NULL, 0, NULL}, NULL                                                          \
    }

/** `path` "-" is standard input. Close *patch in every case. Errors: OX_ENOTFOUND, OX_ECANCELED
 *  (while a pipe is read), the system's. */
OX_MUST_USE enum ox_code ox_patch_open(const struct ox_cli *cli, struct ox_patch_file *patch,
                                       const char *path, struct ox_err *err);
void ox_patch_close(struct ox_patch_file *patch);

#endif

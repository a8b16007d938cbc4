/** One file under two names. */
#ifndef OX_AGENT_LINKS_H
#define OX_AGENT_LINKS_H

#include "oxide/base/err.h"

#include <stdbool.h>

/**
 * Let file `relative` of folder `dir` appear at `path`, which must not exist: by a hard link where
 * `link_it` allows it and the file system does, else copied. No symlink is followed.
 */
OX_MUST_USE enum ox_code ox_link_or_copy(const char *dir, const char *relative, bool link_it,
                                         const char *path, struct ox_err *err);

#endif

/** The way of ox_swap without the system's exchange, for its test. */
#ifndef OXIDE_BASE_SRC_SWAP_H
#define OXIDE_BASE_SRC_SWAP_H

#include "oxide/base/err.h"

/** As ox_swap, by two renames: for a moment nothing stands at `path`. */
OX_MUST_USE enum ox_code swap_by_renames(const char *fresh, const char *path, char **old,
                                         struct ox_err *err);

#endif

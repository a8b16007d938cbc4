/** The registry as the release before left it, kept before a newer one changes its schema. */
#ifndef OXIDE_REGISTRY_WAY_BACK_H
#define OXIDE_REGISTRY_WAY_BACK_H

#include "oxide/base/err.h"

/**
 * Is the database at `path` of an older schema than this release's? Then copy it durably to
 * PATH.schema-N, N being its number, which goes into *out; the caller frees it. *out is NULL if
 * there is nothing to copy: no database, an empty one, or one that needs no change. Call it before
 * ox_registry_open, under the data folder's lock.
 * Errors: OX_ENOSPC and others of the system; OX_ECORRUPT. Nothing has changed then.
 */
OX_MUST_USE enum ox_code ox_registry_keep_way_back(const char *path, char **out,
                                                   struct ox_err *err);

#endif

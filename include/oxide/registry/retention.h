/** Rules of retention: which versions of a model are kept. */
#ifndef OXIDE_REGISTRY_RETENTION_H
#define OXIDE_REGISTRY_RETENTION_H

#include "oxide/registry/registry.h"

struct ox_retention_row {
    const char *model_id;    /* "": of models that have no rule of their own */
    uint64_t keep_newest;    /* versions */
    const char *keep_labels; /* JSON text: an array of "key" and "key=value" */
    uint64_t keep_for_s;     /* after they were published */
};

/** Write it, in place of the one that stands there. */
OX_MUST_USE enum ox_code ox_registry_retention_put(struct ox_tx *tx,
                                                   const struct ox_retention_row *row,
                                                   int64_t now_ms, struct ox_err *err);
/** The rule of a model alone. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_retention_get(struct ox_tx *tx, const char *model_id,
                                                   struct ox_retention_row *out,
                                                   struct ox_err *err);
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_retention_remove(struct ox_tx *tx, const char *model_id,
                                                      struct ox_err *err);
/** The first model behind `after` ("" : the first of all) that a rule is for, its own or the
 *  general one. *out is NULL behind the last. */
OX_MUST_USE enum ox_code ox_registry_retention_next(struct ox_tx *tx, const char *after,
                                                    const char **out, struct ox_err *err);

#endif

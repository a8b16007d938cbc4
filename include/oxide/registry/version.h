/** Versions: their labels and lineage. What can be had of one stands in artifact.h. */
#ifndef OXIDE_REGISTRY_VERSION_H
#define OXIDE_REGISTRY_VERSION_H

#include "oxide/registry/page.h"
#include "oxide/registry/registry.h"

struct ox_version_row {
    const char *model_id;
    const char *version;
    int64_t published_ms;
    const char *labels;         /* JSON text: an object of strings */
    const char *parent_model;   /* NULL: none, as all that follow */
    const char *parent_version; /* goes with parent_model; it need not be held here */
    const char *commit;
    const char *data_digest;
    const char *notes;
};

/** Also one whose artifacts are removed. Errors: OX_ENOTFOUND, naming model and version. */
OX_MUST_USE enum ox_code ox_registry_version_get(struct ox_tx *tx, const char *model_id,
                                                 const char *version, struct ox_version_row *out,
                                                 struct ox_err *err);
/** The versions of a model that are held, oldest first. */
OX_MUST_USE enum ox_code ox_registry_versions(struct ox_tx *tx, const char *model_id,
                                              struct ox_version_row **rows, size_t *count,
                                              struct ox_err *err);
/** Write all but the names and published. */
OX_MUST_USE enum ox_code
ox_registry_version_update(struct ox_tx *tx, const struct ox_version_row *row, struct ox_err *err);
/** Is `model_id`@`version` an ancestor of `of_model`@`of_version`, or that itself? */
OX_MUST_USE enum ox_code ox_registry_version_is_ancestor(struct ox_tx *tx, const char *model_id,
                                                         const char *version, const char *of_model,
                                                         const char *of_version, bool *out,
                                                         struct ox_err *err);

/** A page of versions that are held. Sorts: uploaded, version, size. Filters: model. */
OX_MUST_USE enum ox_code ox_registry_version_page(struct ox_tx *tx, const struct ox_page *page,
                                                  struct ox_version_row **rows, size_t *count,
                                                  const char **next, struct ox_err *err);

#endif

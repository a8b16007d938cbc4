/** Artifacts: the published versions of models, and their files. */
#ifndef OXIDE_REGISTRY_ARTIFACT_H
#define OXIDE_REGISTRY_ARTIFACT_H

#include "oxide/base/manifest.h"
#include "oxide/registry/page.h"
#include "oxide/registry/registry.h"

struct ox_artifact_row {
    int64_t id; /* grows with every publication */
    const char *model_id;
    const char *version;
    struct ox_digest digest;
    uint64_t size_bytes;
    const char *format;
    int64_t uploaded_ms;
};
struct ox_model_row {
    const char *model_id;
    uint64_t versions;
    const char *latest;
    uint64_t size_bytes; /* of the latest */
};

/** Errors: OX_ECONFLICT if the version exists. row->id is set. */
OX_MUST_USE enum ox_code ox_registry_artifact_add(struct ox_tx *tx, struct ox_artifact_row *row,
                                                  const struct ox_manifest *files,
                                                  struct ox_err *err);
/** Errors: OX_ENOTFOUND, naming model and version. */
OX_MUST_USE enum ox_code ox_registry_artifact_get(struct ox_tx *tx, const char *model_id,
                                                  const char *version, struct ox_artifact_row *out,
                                                  struct ox_err *err);
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_artifact_by_id(struct ox_tx *tx, int64_t id,
                                                    struct ox_artifact_row *out,
                                                    struct ox_err *err);
/** The first published artifact with this digest. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_artifact_by_digest(struct ox_tx *tx,
                                                        const struct ox_digest *digest,
                                                        struct ox_artifact_row *out,
                                                        struct ox_err *err);
/** The version of the same model published just before `id`. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_artifact_before(struct ox_tx *tx, const char *model_id,
                                                     int64_t id, struct ox_artifact_row *out,
                                                     struct ox_err *err);
/** All versions of a model, oldest first. */
OX_MUST_USE enum ox_code ox_registry_artifacts(struct ox_tx *tx, const char *model_id,
                                               struct ox_artifact_row **rows, size_t *count,
                                               struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_models(struct ox_tx *tx, struct ox_model_row **rows,
                                            size_t *count, struct ox_err *err);
/** The files of an artifact. The caller clears *out. */
OX_MUST_USE enum ox_code ox_registry_artifact_files(struct ox_tx *tx, int64_t artifact_id,
                                                    struct ox_manifest *out, struct ox_err *err);

/** A page of versions. Sorts: uploaded, version, size. Filters: model. */
OX_MUST_USE enum ox_code ox_registry_artifact_page(struct ox_tx *tx, const struct ox_page *page,
                                                   struct ox_artifact_row **rows, size_t *count,
                                                   const char **next, struct ox_err *err);

/** A page of models. Sorts: id, versions, size, uploaded. No filters. */
OX_MUST_USE enum ox_code ox_registry_model_page(struct ox_tx *tx, const struct ox_page *page,
                                                struct ox_model_row **rows, size_t *count,
                                                const char **next, struct ox_err *err);

#endif

/** Artifacts: the variants of published versions of models, and their files. What is said of a
 *  version as a whole stands in version.h. */
#ifndef OXIDE_REGISTRY_ARTIFACT_H
#define OXIDE_REGISTRY_ARTIFACT_H

#include "oxide/base/manifest.h"
#include "oxide/registry/page.h"
#include "oxide/registry/registry.h"

#define OX_RANK_DEFAULT 100
#define OX_RANK_MAX 1000

struct ox_artifact_row {
    int64_t id; /* grows with every publication */
    const char *model_id;
    const char *version;
    struct ox_digest digest;
    uint64_t size_bytes;
    const char *format;
    int64_t uploaded_ms;
    const char *variant;  /* "", as NULL on its way in: the one without a name */
    int64_t rank;         /* among the variants of a version, the lowest is preferred */
    const char *requires; /* a filter that devices meet; NULL: it is for all */
    const char *metrics;  /* JSON text; NULL on its way in: none */
    int64_t removed_ms;   /* 0: it is held */
};
struct ox_model_row {
    const char *model_id;
    uint64_t versions;
    const char *latest;
    uint64_t size_bytes; /* of the latest */
};

/** With its version, unless that stands there. Errors: OX_ECONFLICT if this variant of it exists.
 *  row->id is set. */
OX_MUST_USE enum ox_code ox_registry_artifact_add(struct ox_tx *tx, struct ox_artifact_row *row,
                                                  const struct ox_manifest *files,
                                                  struct ox_err *err);
/** Hold again what was removed, id and all. */
OX_MUST_USE enum ox_code ox_registry_artifact_restore(struct ox_tx *tx, int64_t id, int64_t now_ms,
                                                      const struct ox_manifest *files,
                                                      struct ox_err *err);
/** Write rank, requires and metrics. */
OX_MUST_USE enum ox_code ox_registry_artifact_update(struct ox_tx *tx,
                                                     const struct ox_artifact_row *row,
                                                     struct ox_err *err);
/** Forget its files, and that it can be had. The row stays. */
OX_MUST_USE enum ox_code ox_registry_artifact_remove(struct ox_tx *tx, int64_t id, int64_t now_ms,
                                                     struct ox_err *err);

/* All but find, by_id and known know only what is held. */

/** The variant of a version that stands for it: the one without a name, else one that is for all,
 *  else the preferred one. Errors: OX_ENOTFOUND, naming model and version. */
OX_MUST_USE enum ox_code ox_registry_artifact_get(struct ox_tx *tx, const char *model_id,
                                                  const char *version, struct ox_artifact_row *out,
                                                  struct ox_err *err);
/** One variant, also a removed one. Errors: OX_ENOTFOUND, naming it. */
OX_MUST_USE enum ox_code ox_registry_artifact_find(struct ox_tx *tx, const char *model_id,
                                                   const char *version, const char *variant,
                                                   struct ox_artifact_row *out, struct ox_err *err);
/** Also a removed one. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_artifact_by_id(struct ox_tx *tx, int64_t id,
                                                    struct ox_artifact_row *out,
                                                    struct ox_err *err);
/** The first published artifact with this digest. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_artifact_by_digest(struct ox_tx *tx,
                                                        const struct ox_digest *digest,
                                                        struct ox_artifact_row *out,
                                                        struct ox_err *err);
/** The same, also a removed one if none is held. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_artifact_known(struct ox_tx *tx,
                                                    const struct ox_digest *digest,
                                                    struct ox_artifact_row *out,
                                                    struct ox_err *err);
/** The same variant of the version of the model that was published just before `row`.
 *  Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_artifact_before(struct ox_tx *tx,
                                                     const struct ox_artifact_row *row,
                                                     struct ox_artifact_row *out,
                                                     struct ox_err *err);
/** All variants of all versions of a model: the oldest version first, and of each the preferred
 *  variant first; those that are for all come after those that require something. */
OX_MUST_USE enum ox_code ox_registry_artifacts(struct ox_tx *tx, const char *model_id,
                                               struct ox_artifact_row **rows, size_t *count,
                                               struct ox_err *err);
/** The variants of one version, in the same order. */
OX_MUST_USE enum ox_code ox_registry_variants(struct ox_tx *tx, const char *model_id,
                                              const char *version, struct ox_artifact_row **rows,
                                              size_t *count, struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_models(struct ox_tx *tx, struct ox_model_row **rows,
                                            size_t *count, struct ox_err *err);
/** The files of an artifact. The caller clears *out. */
OX_MUST_USE enum ox_code ox_registry_artifact_files(struct ox_tx *tx, int64_t artifact_id,
                                                    struct ox_manifest *out, struct ox_err *err);

/** A page of models. Sorts: id, versions, size, uploaded. No filters. */
OX_MUST_USE enum ox_code ox_registry_model_page(struct ox_tx *tx, const struct ox_page *page,
                                                struct ox_model_row **rows, size_t *count,
                                                const char **next, struct ox_err *err);

#endif

/**
 * What people say of a version: labels and lineage; and of one variant of it: what it requires of a
 * device, its rank, its metrics. One document says it, when a version is published and later:
 *
 *   {variant, labels{}, parent, commit, data_digest, notes, requires, rank, metrics{}}
 *
 * An absent field leaves what is said; null takes it back, also within labels and metrics.
 */
#ifndef OX_CONTROL_META_H
#define OX_CONTROL_META_H

#include "oxide/base/json.h"
#include "oxide/registry/artifact.h"
#include "oxide/registry/version.h"

/** Are all fields of the right kind? *variant is lent by the document: "" for the one without a
 *  name. meta NULL says nothing. Errors: OX_EINVAL, OX_ETOOBIG. */
OX_MUST_USE enum ox_code ox_meta_check(const json_t *meta, const char **variant,
                                       struct ox_err *err);
/** Write what a checked document says of an artifact and its version. Errors: OX_ECONFLICT if the
 *  parent descends from the version. */
OX_MUST_USE enum ox_code ox_meta_apply(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                                       const json_t *meta, struct ox_err *err);

/** Put the fields of a version, or of a variant, into an answer. */
OX_MUST_USE enum ox_code ox_meta_put_version(json_t *json, const struct ox_version_row *version,
                                             struct ox_err *err);
OX_MUST_USE enum ox_code ox_meta_put_variant(json_t *json, const struct ox_artifact_row *artifact,
                                             struct ox_err *err);

/** Is this label ("key" or "key=value") among the JSON text of a version's? */
bool ox_meta_has_label(const char *labels, const char *label);
/** Errors: OX_EINVAL for what is no "key" or "key=value". */
OX_MUST_USE enum ox_code ox_meta_check_label(const char *label, struct ox_err *err);

#endif

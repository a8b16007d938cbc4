/** What still needs a version: devices, campaigns, fleets, deltas. */
#ifndef OXIDE_REGISTRY_NEED_H
#define OXIDE_REGISTRY_NEED_H

#include "oxide/base/digest.h"
#include "oxide/registry/artifact.h"

/** One that needs it, in words: "12 devices run it (cam-01 is one)". */
struct ox_need {
    const char *text;
};

/**
 * Why an artifact cannot be removed; *count is 0 if nothing needs it. Devices that were not heard
 * of since seen_since_ms need nothing.
 */
OX_MUST_USE enum ox_code ox_registry_needs(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                                           int64_t seen_since_ms, struct ox_need **needs,
                                           size_t *count, struct ox_err *err);

/** Does an artifact or a patch refer to this blob? */
OX_MUST_USE enum ox_code ox_registry_blob_needed(struct ox_tx *tx, const struct ox_digest *blob,
                                                 bool *out, struct ox_err *err);

#endif

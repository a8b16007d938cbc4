/** Patches: what ready delta jobs hold. The cache of them and its budget, and the ways that they
 * are between versions. */
#ifndef OXIDE_REGISTRY_PATCH_H
#define OXIDE_REGISTRY_PATCH_H

#include "oxide/base/digest.h"
#include "oxide/registry/registry.h"

/** A patch that is held. */
struct ox_patch_row {
    int64_t job_id;
    struct ox_digest base;
    struct ox_digest target;
    struct ox_digest patch;
    uint64_t patch_bytes;
    uint64_t ops;
    const char *format;
    const char *strategy;
    int64_t used_ms; /* when it was offered to anybody last; else when it was made */
};

/** Bytes of all patches. */
OX_MUST_USE enum ox_code ox_registry_patch_bytes(struct ox_tx *tx, uint64_t *out,
                                                 struct ox_err *err);
/**
 * Patches that may be dropped for room, the least recently used first: not those to a version of
 * which a campaign is under way. At most `limit`.
 */
OX_MUST_USE enum ox_code ox_registry_patches_idle(struct ox_tx *tx, uint64_t limit,
                                                  struct ox_patch_row **rows, size_t *count,
                                                  struct ox_err *err);
/** Forget the patch of a job, which is evicted then. */
OX_MUST_USE enum ox_code ox_registry_patch_evict(struct ox_tx *tx, int64_t job_id, int64_t now_ms,
                                                 struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_patch_used(struct ox_tx *tx, int64_t job_id, int64_t used_ms,
                                                struct ox_err *err);
/** Forget all jobs from or to a digest, but for running ones. */
OX_MUST_USE enum ox_code
ox_registry_patches_forget(struct ox_tx *tx, const struct ox_digest *digest, struct ox_err *err);

/** The patch of a ready job. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_patch_get(struct ox_tx *tx, int64_t job_id,
                                               struct ox_patch_row *out, struct ox_err *err);
/** Patches of format oxdl/2 between versions of a model that are held; at most `limit`, the
 *  smallest first. */
OX_MUST_USE enum ox_code ox_registry_patches_between(struct ox_tx *tx, const char *model_id,
                                                     uint64_t limit, struct ox_patch_row **rows,
                                                     size_t *count, struct ox_err *err);

#endif

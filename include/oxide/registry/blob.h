/** Which blobs the registry needs. */
#ifndef OXIDE_REGISTRY_BLOB_H
#define OXIDE_REGISTRY_BLOB_H

#include "oxide/base/digest.h"
#include "oxide/registry/registry.h"

struct ox_blob_row {
    struct ox_digest digest;
    uint64_t size_bytes;
    bool is_patch;
    const char *what; /* who needs it: "yolo@v2: model.onnx", "the patch from ... to ..." */
};
/** Up to `limit` blobs by digest, behind `after` (NULL: from the first), each once. */
OX_MUST_USE enum ox_code ox_registry_blobs(struct ox_tx *tx, const struct ox_digest *after,
                                           uint64_t limit, struct ox_blob_row **rows, size_t *count,
                                           struct ox_err *err);
/** A patch is damaged or gone: its job is evicted, so that it is made again for whoever asks. */
OX_MUST_USE enum ox_code ox_registry_patch_lost(struct ox_tx *tx, const struct ox_digest *digest,
                                                int64_t now_ms, struct ox_err *err);

#endif

/** An artifact whose files are open in the store: a side of a delta, or of a comparison. */
#ifndef OX_CONTROL_STORED_SIDE_H
#define OX_CONTROL_STORED_SIDE_H

#include "oxide/base/manifest.h"
#include "oxide/delta/side.h"
#include "oxide/store/store.h"

struct ox_control;

/** Zero-initialise. */
struct ox_stored_side {
    struct ox_manifest manifest;
    struct ox_blob *blobs;
    struct ox_source *sources;
    struct ox_delta_side side; /* lends the two before */
    uint64_t size_bytes;
};

/** Open what is held under a digest; files that are removed meanwhile stay readable. The caller
 *  closes *out, also on failure. Errors: OX_ENOTFOUND, OX_ENOMEM, the store's own. */
OX_MUST_USE enum ox_code ox_stored_side_open(struct ox_control *control,
                                             const struct ox_digest *digest,
                                             struct ox_stored_side *out, struct ox_err *err);
void ox_stored_side_close(struct ox_stored_side *side);

#endif

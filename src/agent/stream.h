/** A patch that is applied while it arrives: frame by frame, so that it need not lie on the disk.
 */
#ifndef OX_AGENT_STREAM_H
#define OX_AGENT_STREAM_H

#include "fetch.h"
#include "update.h"

/** One step on the way to a version: from one that lies in `base_path` to one in `target_path`. */
struct ox_stream_step {
    const char *base_path;
    const struct ox_manifest *base_files;
    const struct ox_patch_ref *patch;
    const char *target_path;
    const struct ox_manifest *target_files;
};

/**
 * Fetch and apply a patch, going on where an earlier run of this agent was killed: what was fetched
 * up to the last whole frame is not fetched again. On success the files of the target are complete,
 * each with its digest verified as it was written.
 * Errors: those of ox_fetch_into and of ox_apply_feed; OX_ENOSPC and other local ones.
 */
OX_MUST_USE enum ox_code ox_stream_patch(struct ox_update *update, const struct ox_fetch *fetch,
                                         const struct ox_stream_step *step, struct ox_err *err);

#endif

/** The patches of an assignment: one, or several that are applied one after the other. */
#ifndef OX_AGENT_PATCHES_H
#define OX_AGENT_PATCHES_H

#include "fetch.h"
#include "update.h"

/** How many there are: 0, 1, or those of a chain. */
size_t ox_patches_count(const struct ox_assignment *assignment);
const struct ox_patch_ref *ox_patches_at(const struct ox_assignment *assignment, size_t index);
/** All of them are in formats that we read. */
bool ox_patches_are_known(const struct ox_assignment *assignment);

/** Bytes to fetch. */
uint64_t ox_patches_bytes(const struct ox_assignment *assignment);
/** Bytes on the disk that applying them takes at the most: what is being rebuilt, and the version
 * in between that it is rebuilt from. */
uint64_t ox_patches_disk_bytes(const struct ox_assignment *assignment);

/** Rebuild what is assigned into staging, from the version before by way of those in between, while
 *  the patches arrive; an earlier run is gone on with (stream.h). */
OX_MUST_USE enum ox_code ox_patches_stream(struct ox_update *update, const struct ox_fetch *fetch,
                                           struct ox_err *err);
/** Has an earlier run begun with one of them? */
bool ox_patches_are_begun(const struct ox_update *update);

/** The same from update->patch_path: the one patch that a server of the first generation sent. */
OX_MUST_USE enum ox_code ox_patches_apply(struct ox_update *update, struct ox_err *err);

/** "the patch from v1", or "3 patches from v1 by way of v2, v3"; returns `out`. */
const char *ox_patches_text(const struct ox_assignment *assignment, char *out, size_t out_bytes);

#endif

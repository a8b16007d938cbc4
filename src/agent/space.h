/** Whether the disk has room for an update. */
#ifndef OX_AGENT_SPACE_H
#define OX_AGENT_SPACE_H

#include "update.h"

/**
 * Bytes on the disk that the update takes, beyond what it has there already, at its worst moment:
 * when all of the new version lies there and nothing of the old ones has gone. Files that are
 * linked to what is held take none; a patch writes all files first, and links them then.
 */
uint64_t ox_space_needed(const struct ox_update *update);

/** Is there room, with OX_UPDATE_MARGIN_BYTES to spare? Errors: OX_ENOSPC, which says how many
 * bytes lack, and which process still holds removed files of models; the system's. */
OX_MUST_USE enum ox_code ox_space_check(const struct ox_update *update, struct ox_err *err);

#endif

/** Which versions of a model a rule keeps. */
#ifndef OX_CONTROL_RETENTION_H
#define OX_CONTROL_RETENTION_H

#include "oxide/registry/retention.h"
#include "oxide/registry/version.h"

/** Why a version stays, in words; NULL if the rule lets it go. `newer` is how many versions of the
 *  model were published after it. */
const char *ox_retention_keeps(const struct ox_retention_row *rule,
                               const struct ox_version_row *version, size_t newer, int64_t now_ms);
/** The rule for a model: its own, or the general one. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_retention_find(struct ox_tx *tx, const char *model_id,
                                           struct ox_retention_row *out, struct ox_err *err);

#endif

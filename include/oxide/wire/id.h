/** Rules for identifiers: of models, versions, devices, fleets, campaigns. */
#ifndef OXIDE_WIRE_ID_H
#define OXIDE_WIRE_ID_H

#include "oxide/base/err.h"

#define OX_ID_MAX 256 /* bytes, without the final NUL */

/**
 * An identifier is [A-Za-z0-9._+-]{1,256}, holds no "..", and does not begin with a dot: it becomes
 * a folder's name on devices, where a dot hides and "." is another folder.
 * Errors: OX_EINVAL, naming `what` ("version") and the rule.
 */
OX_MUST_USE enum ox_code ox_id_check(const char *what, const char *id, struct ox_err *err);

#endif

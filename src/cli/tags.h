/** Tags on the command line: --tag KEY=VALUE, as often as wanted. */
#ifndef OXIDE_CLI_TAGS_H
#define OXIDE_CLI_TAGS_H

#include "args.h"

#include "oxide/base/json.h"

/** Set "tags" of the body, if any were given. Errors: OX_EINVAL for what is not KEY=VALUE, or a key
 *  that is given twice. */
OX_MUST_USE enum ox_code ox_cli_tags(const struct ox_args *args, json_t *body, struct ox_err *err);

#endif

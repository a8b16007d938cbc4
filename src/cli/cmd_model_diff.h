/** What the files of `oxide model diff` share. */
#ifndef OXIDE_CLI_CMD_MODEL_DIFF_H
#define OXIDE_CLI_CMD_MODEL_DIFF_H

#include "command.h"

#include "oxide/base/json.h"

/** Print a comparison, as docs/rest.md has it, for people; `all`: every row of it. */
OX_MUST_USE enum ox_code ox_cli_diff_print(struct ox_cli *cli, const json_t *diff, bool all,
                                           struct ox_err *err);

#endif

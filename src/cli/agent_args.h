/** The agent's settings, as a command line gives them. */
#ifndef OX_CLI_AGENT_ARGS_H
#define OX_CLI_AGENT_ARGS_H

#include "args.h"

#include "oxide/app/agent_config.h"
#include "oxide/base/json.h"
#include "oxide/cli/cli.h"

/** Where the settings come from: the flags that are settings, --config, the environment. The caller
 *  frees out->flags. */
OX_MUST_USE enum ox_code ox_agent_args_sources(const struct ox_cli *cli, const struct ox_args *args,
                                               struct ox_agent_config_sources *out,
                                               struct ox_agent_config_flag **flags,
                                               struct ox_err *err);

/** Print each of several problems on a line of its own; how many there are is the error. */
void ox_agent_args_problems(const struct ox_cli *cli, const struct ox_config_problems *problems);

/** The folder of the agent's models, in fresh memory, by --model-dir or else the settings. */
OX_MUST_USE enum ox_code ox_agent_args_folder(const struct ox_cli *cli, const struct ox_args *args,
                                              char **out, struct ox_err *err);

/** Ask the agent that runs there, and wait a moment for its answer; *take_request is released. The
 *  caller owns *out. Errors: as ox_app_agent_ask has them, OX_ENET naming the folder. */
OX_MUST_USE enum ox_code ox_agent_args_ask(const struct ox_cli *cli, const struct ox_args *args,
                                           json_t *take_request, json_t **out, struct ox_err *err);

#endif

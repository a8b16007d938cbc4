/** Talking to the agent of this machine, wherever its settings say that it is. */
#ifndef OXIDE_APP_AGENT_ASK_H
#define OXIDE_APP_AGENT_ASK_H

#include "oxide/app/agent_config.h"
#include "oxide/base/json.h"

/** The folder of its models in fresh memory: as the flag --model-dir says, else as the settings do.
 *  Errors: OX_EINVAL (the settings; *problems, which the caller clears, has all of them). */
OX_MUST_USE enum ox_code ox_app_agent_folder(const struct ox_agent_config_sources *sources,
                                             char **out, struct ox_config_problems *problems,
                                             struct ox_err *err);

/** Ask the agent that runs on this folder; see ox_agent_ask (oxide/agent/ask.h). */
OX_MUST_USE enum ox_code ox_app_agent_ask(const char *model_dir, const json_t *request,
                                          int64_t timeout_ms, json_t **out, struct ox_err *err);

#endif

/** The agent's settings as the agent takes them, and how they are read again while it runs. */
#ifndef OX_APP_AGENT_TUNING_H
#define OX_APP_AGENT_TUNING_H

#include "oxide/agent/agent.h"
#include "oxide/app/agent_config.h"

/** What the config says, as a tuning that lends from it and frees it when it is done with:
 *  *take_config is NULL then, in every case. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_agent_tuning_of(struct ox_agent_config **take_config,
                                            struct ox_agent_tuning *out, struct ox_err *err);

/** Told of each setting that is not the same, as its name, in its model's section if it has one
 *  ("poll_interval", "[model yolo] health_check"), and of how it was and is. */
typedef void ox_agent_change(void *ctx, const struct ox_setting *row, const char *name,
                             const char *before, const char *after);
void ox_agent_config_compare(const struct ox_agent_config *before,
                             const struct ox_agent_config *after, ox_agent_change *tell, void *ctx);

/** Let the log be as the settings say. */
void ox_agent_log_set(const struct ox_agent_config *config, struct ox_log *log);

#endif

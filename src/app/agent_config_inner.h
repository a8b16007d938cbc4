/** What the files that read the agent's configuration share. */
#ifndef OX_APP_AGENT_CONFIG_INNER_H
#define OX_APP_AGENT_CONFIG_INNER_H

#include "oxide/app/agent_config.h"

/** Add a line, made fit to show. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_config_problem(struct ox_config_problems *problems, struct ox_err *err,
                                           const char *fmt, ...) OX_PRINTF(3, 4);

/** Take in one file's bytes; `name` is lent to the config. */
OX_MUST_USE enum ox_code ox_agent_config_read(struct ox_agent_config *config, const char *name,
                                              const void *bytes, size_t len_bytes,
                                              struct ox_config_problems *problems,
                                              struct ox_err *err);

/** Take in FILE, FILE.d and, unless it is NULL, what lies in the folder `credentials`: see struct
 * ox_agent_config_sources. */
OX_MUST_USE enum ox_code ox_agent_config_read_files(struct ox_agent_config *config,
                                                    const char *file, const char *credentials,
                                                    struct ox_config_problems *problems,
                                                    struct ox_err *err);

#endif

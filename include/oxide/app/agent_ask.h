/** Talking to the agent of this machine, wherever its settings say that it is. */
#ifndef OXIDE_APP_AGENT_ASK_H
#define OXIDE_APP_AGENT_ASK_H

#include "oxide/app/agent_config.h"
#include "oxide/base/json.h"
#include "oxide/base/stop.h"

/** The folder of its models in fresh memory: as the flag --model-dir says, else as the settings do.
 *  Errors: OX_EINVAL (the settings; *problems, which the caller clears, has all of them). */
OX_MUST_USE enum ox_code ox_app_agent_folder(const struct ox_agent_config_sources *sources,
                                             char **out, struct ox_config_problems *problems,
                                             struct ox_err *err);

/** Ask the agent that runs on this folder; see ox_agent_ask (oxide/agent/ask.h). */
OX_MUST_USE enum ox_code ox_app_agent_ask(const char *model_dir, const json_t *request,
                                          int64_t timeout_ms, json_t **out, struct ox_err *err);

/** What is asked for; everything is lent. */
enum ox_app_by_hand { OX_APP_ROLLBACK, OX_APP_APPLY, OX_APP_ADOPT };
struct ox_app_by_hand_spec {
    enum ox_app_by_hand kind;
    const char *model_id;
    const char *version;
    const char *path;
};

/**
 * Have an update made by hand (oxide/agent/by_hand.h): by the agent that runs there, or else in its
 * place, under the folder's lock and by the same settings. Returns when it has ended; a running
 * agent goes on with it when stop is requested, which is OX_ECANCELED.
 * `release` is this one's, "0.1.0"; verbose: tell on standard error what is done in its place.
 * Errors: OX_EINVAL (the settings too); those of the update, with its report's message.
 */
OX_MUST_USE enum ox_code
ox_app_agent_by_hand(const struct ox_agent_config_sources *sources,
                     const struct ox_app_by_hand_spec *spec, const char *release, bool verbose,
                     struct ox_stop *stop, struct ox_config_problems *problems, struct ox_err *err);

#endif

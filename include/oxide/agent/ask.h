/**
 * Asking a running agent, over the socket in its folder: MODEL_DIR/.oxide/agent.sock. One request
 * is a JSON object on a line, {"request": WORD, ...}; the answer is another one, which holds
 * "error" where the request was refused. docs/agent.md has the words.
 */
#ifndef OXIDE_AGENT_ASK_H
#define OXIDE_AGENT_ASK_H

#include "oxide/base/json.h"

/**
 * Ask the agent that runs on model_dir, and wait for its answer, at most timeout_ms. The caller
 * owns *out. Errors: OX_ENET if none runs there; OX_EPERM; OX_ETIMEOUT; OX_EPROTO; what the agent
 * refuses with.
 */
OX_MUST_USE enum ox_code ox_agent_ask(const char *model_dir, const json_t *request,
                                      int64_t timeout_ms, json_t **out, struct ox_err *err);

#endif

/**
 * The socket by which people and programs of the device ask the agent: a thread that waits for
 * them, so that it answers while a heartbeat or an update is under way, and wakes for nothing else.
 */
#ifndef OX_AGENT_CONTROL_SOCKET_H
#define OX_AGENT_CONTROL_SOCKET_H

#include "core.h"

struct ox_control_socket;

/** Listen at folders->socket; what lies there is ours from a run before, since the folder's lock is
 *  held. The caller closes *out before the agent. */
OX_MUST_USE enum ox_code ox_control_socket_open(struct ox_control_socket **out,
                                                struct ox_agent *agent, struct ox_err *err);
/** Also removes it. NULL is allowed. */
void ox_control_socket_close(struct ox_control_socket *socket);

/** Answer one request, the text of a line; *out is the answer's object, also for a refusal. For
 *  tests and the fuzzer beside the socket. may_act: the asker may change something. */
OX_MUST_USE enum ox_code ox_control_socket_answer(struct ox_agent *agent, const void *text,
                                                  size_t len_bytes, bool may_act, json_t **out,
                                                  struct ox_err *err);

#endif

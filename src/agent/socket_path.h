/** The socket's place, in a folder whose path may be longer than an address takes. */
#ifndef OX_AGENT_SOCKET_PATH_H
#define OX_AGENT_SOCKET_PATH_H

#include "oxide/base/err.h"

#define OX_SOCKET_NAME "agent.sock"

/** Listen at OWN/agent.sock, in the place of what was there. The caller closes *out_fd. */
OX_MUST_USE enum ox_code ox_socket_listen(const char *own, int waiting_max, int *out_fd,
                                          struct ox_err *err);
/** Connect to it. Errors: OX_ENET if nobody listens there; OX_EPERM. */
OX_MUST_USE enum ox_code ox_socket_connect(const char *own, int *out_fd, struct ox_err *err);
void ox_socket_remove(const char *own);

#endif

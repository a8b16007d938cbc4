/** The listening socket of `oxide serve`. */
#ifndef OX_APP_SERVE_LISTEN_H
#define OX_APP_SERVE_LISTEN_H

#include "oxide/base/err.h"

#include <stdint.h>

/**
 * Bind and listen. host is an address or a name; `insecure` allows what is not loopback. *port 0
 * picks a free one; it is set to the one taken.
 * Errors: OX_EBUSY (port taken), OX_EPERM (not loopback, or a port under 1024), OX_EINVAL (host).
 */
OX_MUST_USE enum ox_code ox_serve_listen(const char *host, uint16_t *port, bool insecure,
                                         int *out_fd, struct ox_err *err);

#endif

/** HOST:PORT as `serve --listen` takes it. */
#ifndef OXIDE_CLI_LISTEN_H
#define OXIDE_CLI_LISTEN_H

#include "oxide/base/err.h"

#include <stdint.h>

#define OX_HOST_MAX 256 /* a name has up to 253 bytes (RFC 1035) */

/**
 * Split "127.0.0.1:8080", "[::1]:8080", "name:0", ":8080" (host stays as it was) or "name" (port
 * stays). Errors: OX_EINVAL; nothing is written then.
 */
OX_MUST_USE enum ox_code ox_listen_parse(const char *text, char host[OX_HOST_MAX], uint16_t *port,
                                         struct ox_err *err);

#endif

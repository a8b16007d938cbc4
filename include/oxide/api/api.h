/** The REST API (docs/rest.md) over HTTP/1.1, by libmicrohttpd. */
#ifndef OXIDE_API_API_H
#define OXIDE_API_API_H

#include "oxide/base/log.h"
#include "oxide/control/control.h"

struct ox_api;

/** Idle connections close after so long. Transfers that move, and requests that wait for their
 *  answer, are not idle. */
#define OX_API_IDLE_S 30

/** JSON bodies. */
#define OX_API_BODY_MAX ((size_t)1 << 20)

struct ox_api_options {
    int listen_fd;              /* bound and listening; taken over, also on failure */
    struct ox_control *control; /* lent */
    const struct ox_log *log;   /* may be NULL */
    const char *version;        /* of this release, for /health; lent; NULL: not told */
    unsigned threads;           /* that move bytes; 0: as many as processors, at most 8 */
    unsigned connections_max;   /* 0: 2000, or what the process's descriptors allow */
};

/** Answer requests from now on, in threads of its own. The caller stops *out. */
OX_MUST_USE enum ox_code ox_api_start(struct ox_api **out, const struct ox_api_options *options,
                                      struct ox_err *err);

/** Take no more connections, give requests under way grace_ms to end, then close. NULL is fine. */
void ox_api_stop(struct ox_api *api, int64_t grace_ms);

#endif

/** The REST API (docs/rest.md) over HTTP/1.1, by libmicrohttpd. */
#ifndef OXIDE_API_API_H
#define OXIDE_API_API_H

#include "oxide/base/log.h"
#include "oxide/control/control.h"

struct ox_api;

/** Idle connections close after so long. Transfers that move, and requests that wait for their
 *  answer, are not idle. */
#define OX_API_IDLE_S 30

/** The head of a request must come in so long; behind silence, in OX_API_IDLE_S more. */
#define OX_API_HEAD_MS 10000
/** A body, or the reader of an answer, must move some bytes in each such time. */
#define OX_API_WINDOW_MS 30000

/** JSON bodies. */
#define OX_API_BODY_MAX ((size_t)1 << 20)

struct ox_api_options {
    int listen_fd;              /* bound and listening; taken over, also on failure */
    struct ox_control *control; /* lent */
    const struct ox_log *log;   /* may be NULL */
    const char *version;        /* of this release, for /health; lent; NULL: not told */
    unsigned threads;           /* that move bytes; 0: as many as processors, at most 8 */
    int64_t head_ms;            /* 0: OX_API_HEAD_MS */
    int64_t window_ms;          /* 0: OX_API_WINDOW_MS */
    unsigned connections_max;   /* 0: 2000, or what the process's descriptors allow */
};

/** Answer requests from now on, in threads of its own. The caller stops *out. */
OX_MUST_USE enum ox_code ox_api_start(struct ox_api **out, const struct ox_api_options *options,
                                      struct ox_err *err);

/** Take no more connections, give requests under way grace_ms to end, then close. NULL is fine. */
void ox_api_stop(struct ox_api *api, int64_t grace_ms);

#endif

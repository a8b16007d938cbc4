/**
 * An HTTP/1.1 client: one kept-alive connection per host, streaming both ways, no limit on the
 * whole time of a transfer unless one is asked for. What to do after a failure is the caller's: no
 * retries in here. One client belongs to one thread at a time.
 */
#ifndef OXIDE_NET_HTTP_H
#define OXIDE_NET_HTTP_H

#include "oxide/base/buf.h"
#include "oxide/base/err.h"
#include "oxide/base/io.h"
#include "oxide/base/stop.h"

#include <stdint.h>

struct ox_http;

#define OX_HTTP_CONNECT_MS_DEFAULT 10000
#define OX_HTTP_STALL_S_DEFAULT 60 /* under 1 byte/s for so long: OX_ETIMEOUT */

/** user_agent is copied. The caller frees *out with ox_http_free. */
OX_MUST_USE enum ox_code ox_http_new(struct ox_http **out, const char *user_agent,
                                     struct ox_err *err);
void ox_http_free(struct ox_http *http);

struct ox_http_request {
    const char *method;         /* "GET", ... */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value" lines, NULL-terminated; may be NULL */
    /* Body: memory, or a source to stream from body_offset on; none if both are NULL. */
    const void *body;
    size_t body_len;
    const struct ox_source *body_source;
    uint64_t body_offset;
    /* Answer: bodies of 2xx go to on_body if it is set (on_head is called once before, with the
     * status and headers in `answer`, and may refuse); all else, up to answer_max_bytes, into
     * answer->body (an error's JSON fits there too). */
    enum ox_code (*on_head)(void *ctx, struct ox_err *err);
    enum ox_code (*on_body)(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err);
    void *ctx;
    size_t answer_max_bytes;              /* 0: 1 MiB */
    uint64_t rate_bps;                    /* bytes per second at most; 0: no limit */
    uint64_t (*rate_now)(void *rate_ctx); /* in its stead, where the limit may change meanwhile */
    void *rate_ctx;
    int64_t connect_ms;    /* 0: the default */
    int64_t stall_s;       /* 0: the default */
    int64_t total_ms;      /* of the whole request; 0: no limit */
    bool close_after;      /* the connection: the next request is far off */
    bool bare;             /* without headers that tell the server who asks and what for */
    bool follow_redirects; /* GET and HEAD, up to 5, http(s) only; of `headers` only Range and
                            * If-Range follow to another host */
    struct ox_stop *stop;  /* may be NULL */
    const struct ox_progress *progress; /* bytes sent or received of the body; may be NULL */
};

struct ox_http_answer {
    long status;         /* the last one's, after redirects */
    struct ox_buf head;  /* raw header lines of the last answer */
    struct ox_buf body;  /* NUL-terminated behind len_bytes */
    uint64_t body_bytes; /* bytes of the body that were received, wherever they went */
    uint64_t wire_bytes; /* bytes received with headers */
};
#define OX_HTTP_ANSWER_INIT                                                                        \
    {                                                                                              \
        0, OX_BUF_INIT, OX_BUF_INIT, 0, 0                                                          \
    }

/**
 * Perform one request. Any HTTP status is OX_OK: the caller looks at answer->status.
 * Errors: OX_ENET (cannot resolve, connect, or the connection broke off), OX_ETIMEOUT, OX_ECANCELED
 * (stop), OX_ETOOBIG (body over answer_max_bytes), OX_EINVAL (URL), or what a callback returned.
 * *answer is set as far as it came also on failure; the caller clears it in every case.
 */
OX_MUST_USE enum ox_code ox_http_perform(struct ox_http *http,
                                         const struct ox_http_request *request,
                                         struct ox_http_answer *answer, struct ox_err *err);

void ox_http_answer_clear(struct ox_http_answer *answer);

/** Copy the value of a header of the last answer into out (cut to cap); false if it is absent. */
bool ox_http_answer_header(const struct ox_http_answer *answer, const char *name, char *out,
                           size_t cap);

/** What Retry-After says: seconds, or a date, of which the answer's own Date is subtracted. 0: it
 *  says nothing that makes sense; at most INT32_MAX. Source: RFC 9110, section 10.2.3. */
int64_t ox_http_retry_after_s(const struct ox_http_answer *answer);

#endif

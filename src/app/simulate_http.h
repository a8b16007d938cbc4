/** Reading one HTTP/1.1 answer as it comes: RFC 9112. Bytes in, body out; no sockets. */
#ifndef OX_APP_SIMULATE_HTTP_H
#define OX_APP_SIMULATE_HTTP_H

#include "oxide/base/err.h"

#include <stdint.h>

/** Of the status line and of one header line; longer ones are refused. */
#define OX_SIM_LINE_MAX 1024
/** Of all header lines together. */
#define OX_SIM_HEAD_MAX ((size_t)64 * 1024)

enum ox_sim_http_state {
    OX_SIM_HTTP_STATUS,
    OX_SIM_HTTP_HEADER,
    OX_SIM_HTTP_BODY,       /* of left_bytes */
    OX_SIM_HTTP_CHUNK_SIZE, /* of a chunked body, as the next three */
    OX_SIM_HTTP_CHUNK,
    OX_SIM_HTTP_CHUNK_END,
    OX_SIM_HTTP_TRAILER,
    OX_SIM_HTTP_UNTIL_CLOSE,
    OX_SIM_HTTP_DONE,
};

struct ox_sim_http {
    enum ox_sim_http_state state;
    bool no_body; /* of an answer to HEAD; set by the caller */
    unsigned status;
    bool keep;       /* the connection may be used again */
    bool has_length; /* Content-Length was there */
    bool chunked;
    uint64_t left_bytes; /* of the body or of a chunk */
    uint64_t body_bytes; /* that came so far */
    size_t head_bytes;
    size_t line_len;
    char line[OX_SIM_LINE_MAX];
};

/** A run of the body, within what was fed. */
struct ox_sim_span {
    const char *bytes;
    size_t len;
};

/** Before each answer. */
void ox_sim_http_begin(struct ox_sim_http *http);
/**
 * Take bytes: *used of them were taken, *body is the run of the body that they end with, if any.
 * Feed the rest again until all are taken or the state is DONE; what is left then is not of this
 * answer. Errors: OX_EPROTO.
 */
OX_MUST_USE enum ox_code ox_sim_http_feed(struct ox_sim_http *http, const char *bytes, size_t len,
                                          size_t *used, struct ox_sim_span *body,
                                          struct ox_err *err);
/** The peer has closed. Errors: OX_ENET if the answer was not whole. */
OX_MUST_USE enum ox_code ox_sim_http_closed(struct ox_sim_http *http, struct ox_err *err);

#endif

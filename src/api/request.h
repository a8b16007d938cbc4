/** One request on its way through the daemon, and what handlers do with it. */
#ifndef OX_API_REQUEST_H
#define OX_API_REQUEST_H

#include "oxide/api/api.h"
#include "oxide/base/pool.h"
#include "oxide/control/blob.h"

#include "routes.h"

#include <microhttpd.h>
#include <stdatomic.h>

/** Pieces of a streamed body as workers write them: large enough that handing them over does not
 *  show, small enough that a thousand uploads fit in memory. */
#define OX_API_PIECE_BYTES ((size_t)256 * 1024)

#define OX_API_HEADERS_MAX 8
#define OX_API_HEADER_VALUE_MAX 128

struct ox_api {
    struct MHD_Daemon *daemon;
    struct ox_control *control;
    const struct ox_log *log;
    const char *version;
    struct ox_pool *quick; /* handlers that read, or commit a row */
    struct ox_pool *slow;  /* those that write, sync or hash bodies */
    int listen_fd;
    atomic_uint active;    /* requests between their first byte and their end */
    atomic_uint suspended; /* of them, those that a worker has */
    atomic_bool closing;   /* no connection is kept */
    atomic_bool refusing;  /* nothing is handed to workers any more */
};

/** Where a request stands. A worker has it while it is in a phase that ends with ING; only the
 *  thread of its connection has it in the others. */
enum ox_phase {
    OX_PHASE_BEGINNING,
    OX_PHASE_BEGUN, /* before the first byte of the body */
    OX_PHASE_BODY,
    OX_PHASE_WRITING,
    OX_PHASE_HANDLING,
    OX_PHASE_HANDLED,
    OX_PHASE_ANSWERED,
};

struct ox_request {
    struct ox_api *api;
    struct MHD_Connection *connection;
    const char *method; /* lent by the connection */
    const struct ox_route *route;
    struct ox_params params;
    enum ox_phase phase;
    bool discard; /* the answer is known: the rest of the body is read and dropped */

    struct ox_buf body; /* JSON and text; pieces of a stream */
    json_t *json;
    void *stream;        /* the stream's own */
    bool stream_is_json; /* the body of a streaming route is a document after all */

    unsigned status; /* with response: the answer */
    struct MHD_Response *response;
    struct {
        const char *name;
        char value[OX_API_HEADER_VALUE_MAX];
    } headers[OX_API_HEADERS_MAX];
    size_t header_count;

    bool counts; /* body bytes that are sent are counted for */
    char device_id[OX_ID_MAX + 1];
    struct ox_digest blob;
    int64_t artifact_id;
    uint64_t answer_bytes;
    uint64_t acked_before;
};

/* --- for handlers --- */

/** A request header, or NULL. Lent. */
const char *ox_request_header(const struct ox_request *request, const char *name);
/** Content-Length, or OX_SIZE_UNKNOWN. */
uint64_t ox_request_length(const struct ox_request *request);
/** A header of the answer, also of an error. */
void ox_request_set_header(struct ox_request *request, const char *name, const char *fmt, ...)
    OX_PRINTF(3, 4);
/** Is the declared media type this one (parameters do not matter)? */
bool ox_request_is_type(const struct ox_request *request, const char *type);

/** Answer with a document, whose reference is taken also on failure. */
OX_MUST_USE enum ox_code ox_reply_json(struct ox_request *request, unsigned status,
                                       json_t *take_json, struct ox_err *err);
/** Answer with JSON text, which is taken. */
OX_MUST_USE enum ox_code ox_reply_text(struct ox_request *request, unsigned status, char *take_text,
                                       struct ox_err *err);
/** Answer with bytes, by the rules of Range, If-Range and If-None-Match. The descriptor is taken.
 */
OX_MUST_USE enum ox_code ox_reply_download(struct ox_request *request,
                                           const struct ox_download *take_download,
                                           struct ox_err *err);

/* --- for the daemon --- */

/** Answer with an error. */
void ox_reply_error(struct ox_request *request, const struct ox_err *problem);

enum MHD_Result ox_request_step(void *api, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_bytes, void **request);
void ox_request_end(void *api, struct MHD_Connection *connection, void **request,
                    enum MHD_RequestTerminationCode how);

/** Bytes that the peer of a TCP socket has acknowledged so far; 0 where the system does not say. */
uint64_t ox_wire_acked(int fd);

#endif

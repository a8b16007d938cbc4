/** One request on its way through the daemon, and what handlers do with it. */
#ifndef OX_API_REQUEST_H
#define OX_API_REQUEST_H

#include "oxide/api/api.h"
#include "oxide/base/pool.h"
#include "oxide/control/blob.h"
#include "oxide/control/caller.h"

#include "connections.h"
#include "query.h"
#include "routes.h"

#include <microhttpd.h>
#include <stdatomic.h>

/** Pieces of a streamed body as workers write them: large enough that handing them over does not
 *  show, small enough that a thousand uploads fit in memory. */
#define OX_API_PIECE_BYTES ((size_t)256 * 1024)

#define OX_API_HEADERS_MAX 12

/** Bytes of a request's id, [A-Za-z0-9._:+/=-]. */
#define OX_REQUEST_ID_MAX 64

/** Bytes of an address as text, of either family. */
#define OX_ADDRESS_MAX 46 /* INET6_ADDRSTRLEN */

struct ox_api {
    struct MHD_Daemon *daemon;
    struct ox_control *control;
    const struct ox_log *log;
    const char *version;
    struct ox_pool *quick; /* handlers that read, or commit a row */
    struct ox_feed *feed;  /* subscribers of events */
    struct ox_pool *slow;  /* those that write, sync or hash bodies */
    struct ox_conns *conns;
    struct ox_recorder *recorder; /* how long requests take */
    int64_t started_ms;           /* wall clock */
    uint64_t id_seed;             /* of request ids */
    atomic_ullong id_count;
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
    struct ox_conn *conn; /* of the connection; may be NULL */
    const char *method;   /* lent by the connection, as is the path, still encoded */
    const char *path;
    const struct ox_route *route;
    struct ox_params params;
    struct ox_query query;
    char id[OX_REQUEST_ID_MAX + 1]; /* the client's, or made here */
    char address[OX_ADDRESS_MAX];   /* the client's, once the request is bound */
    struct ox_caller caller;
    uint64_t begun_ns; /* of ox_clock_now_ns */
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
        char *value; /* owned */
    } headers[OX_API_HEADERS_MAX];
    size_t header_count;
    bool header_lost; /* there was no memory, or no room, for one */

    bool counts; /* body bytes that are sent are counted for */
    enum ox_sent sent;
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
/** A parameter of the query that the route names, decoded and checked against its shape; NULL if it
 *  was not given. Lent. */
const char *ox_request_query(const struct ox_request *request, const char *name);
/** The same, of the shapes int and bool. */
uint64_t ox_request_query_u64(const struct ox_request *request, const char *name,
                              uint64_t otherwise);
bool ox_request_query_flag(const struct ox_request *request, const char *name, bool otherwise);
/** Where it comes from: an IP address; NULL where that is not known. Returns out. */
const char *ox_request_address(const struct ox_request *request, char out[OX_ADDRESS_MAX],
                               unsigned *port);
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
/** Answer with bytes from malloc, which are taken. */
OX_MUST_USE enum ox_code ox_reply_bytes(struct ox_request *request, unsigned status,
                                        const char *type, char *take_bytes, size_t len_bytes,
                                        struct ox_err *err);
/** Answer with what libmicrohttpd made; NULL: it had no memory for it. type NULL: none. */
OX_MUST_USE enum ox_code ox_reply_response(struct ox_request *request, unsigned status,
                                           const char *type, struct MHD_Response *take_response,
                                           struct ox_err *err);

/** An answer that is made piece by piece, in as much memory as one piece takes. */
struct ox_pieces {
    /** Append the next piece to `out`; *end says that it is the last one. Runs on a worker, not
     *  while the last piece is still being sent. An error breaks the answer off. */
    enum ox_code (*make)(void *ctx, struct ox_buf *out, bool *end, struct ox_err *err);
    void (*clear)(void *ctx); /* also after errors */
};
/** The first piece is made at once: its error is still one with a status. take_ctx is taken. */
OX_MUST_USE enum ox_code ox_reply_pieces(struct ox_request *request, unsigned status,
                                         const char *type, const struct ox_pieces *pieces,
                                         void *take_ctx, struct ox_err *err);
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

/** From here on this thread works for the request: its id stands in the log, and it and the
 *  client's address in events. NULL ends that. */
void ox_request_bind(struct ox_request *request);

/** Take X-Request-Id, or make an id where it is none. */
void ox_request_identify(struct ox_request *request);
/** The line of the access log. */
void ox_request_log(const struct ox_request *request, bool whole);

/** Bytes that the peer of a TCP socket has acknowledged so far; 0 where the system does not say. */
uint64_t ox_wire_acked(int fd);
/** The same of bytes that came from it. */
uint64_t ox_wire_received(int fd);

#endif

#include "request.h"

#include "recorder.h"

#include "oxide/base/clock.h"
#include "oxide/wire/header.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- what the client sent --- */

const char *ox_request_header(const struct ox_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

uint64_t ox_request_length(const struct ox_request *request)
{
    const char *text = ox_request_header(request, "Content-Length");
    char *end = NULL;
    unsigned long long value;

    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return OX_SIZE_UNKNOWN;
    }
    value = strtoull(text, &end, 10); /* libmicrohttpd has refused what is no number */
    return *end == '\0' ? value : OX_SIZE_UNKNOWN;
}

const char *ox_request_query(const struct ox_request *request, const char *name)
{
    return ox_query_text(&request->query, name);
}

uint64_t ox_request_query_u64(const struct ox_request *request, const char *name,
                              uint64_t otherwise)
{
    const char *text = ox_request_query(request, name);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

bool ox_request_query_flag(const struct ox_request *request, const char *name, bool otherwise)
{
    const char *text = ox_request_query(request, name);

    return text == NULL ? otherwise : strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
}

bool ox_request_is_type(const struct ox_request *request, const char *type)
{
    const char *declared = ox_request_header(request, "Content-Type");
    size_t len = strlen(type);

    return declared != NULL && strncasecmp(declared, type, len) == 0 &&
           strchr("; \t", declared[len]) != NULL;
}

static bool has_body(const struct ox_request *request)
{
    return ox_request_header(request, "Transfer-Encoding") != NULL ||
           (ox_request_header(request, "Content-Length") != NULL && ox_request_length(request) > 0);
}

/* --- checks before the body --- */

struct take_query {
    struct ox_request *request;
    struct ox_err *err;
    enum ox_code code;
};

static enum MHD_Result take_query(void *arg, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    struct take_query *take = arg;

    (void)kind;
    take->code = ox_query_take(&take->request->query, take->request->route, key, value, take->err);
    return take->code == OX_OK ? MHD_YES : MHD_NO;
}

static enum ox_code check_query(struct ox_request *request, struct ox_err *err)
{
    struct take_query take = {request, err, OX_OK};

    (void)MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, take_query, &take);
    return take.code;
}

/* Two lengths are one of a proxy's and one of ours: what one takes for the body, the other may take
 * for the next request. Source: RFC 9112, section 6.3. */
struct lengths {
    unsigned told;
    unsigned chunked;
};

static enum MHD_Result count_length(void *arg, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    struct lengths *lengths = arg;

    (void)kind;
    (void)value;
    lengths->told += strcasecmp(key, "Content-Length") == 0;
    lengths->chunked += strcasecmp(key, "Transfer-Encoding") == 0;
    return MHD_YES;
}

static enum ox_code check_lengths(const struct ox_request *request, struct ox_err *err)
{
    struct lengths lengths = {0, 0};

    (void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_length, &lengths);
    return lengths.told + lengths.chunked <= 1
               ? OX_OK
               : ox_err_set(err, OX_EINVAL,
                            "a request has one Content-Length, or one Transfer-Encoding, and not "
                            "both");
}

static enum ox_code check_headers(const struct ox_request *request, struct ox_err *err)
{
    enum ox_body_kind kind = request->route->body;

    if (check_lengths(request, err) != OX_OK) {
        return OX_EINVAL;
    }
    if (kind == OX_BODY_STREAM && ox_request_header(request, "Transfer-Encoding") == NULL &&
        ox_request_header(request, "Content-Length") == NULL) {
        return ox_err_set(err, OX_ELENGTH,
                          "an upload names its Content-Length, or comes in chunks");
    }
    if (kind != OX_BODY_JSON && kind != OX_BODY_TEXT) {
        return OX_OK;
    }
    /* curl -d without -H declares a form: it is what the first generation's scripts send. */
    if (ox_request_header(request, "Content-Type") != NULL &&
        !ox_request_is_type(request, OX_MEDIA_JSON) &&
        !ox_request_is_type(request, "application/x-www-form-urlencoded")) {
        return ox_err_set(err, OX_EMEDIATYPE, "the body must be " OX_MEDIA_JSON);
    }
    if (has_body(request) && ox_request_length(request) != OX_SIZE_UNKNOWN &&
        ox_request_length(request) > OX_API_BODY_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "a body has at most %zu bytes", OX_API_BODY_MAX);
    }
    return OX_OK;
}

/* --- on worker threads --- */

static void fail(struct ox_request *request, const struct ox_err *problem)
{
    if (request->stream != NULL) {
        request->route->stream->drop(request, problem->code == OX_ENOSPC);
    }
    ox_reply_error(request, problem);
    request->discard = true;
}

static void hand_back(struct ox_request *request, enum ox_phase phase)
{
    struct MHD_Connection *connection = request->connection;
    struct ox_api *api = request->api;

    ox_request_bind(NULL);
    request->phase = phase;
    MHD_resume_connection(connection); /* from here on the request is the connection's */
    atomic_fetch_sub(&api->suspended, 1);
}

static void run_begin(void *arg)
{
    struct ox_request *request = arg;
    struct ox_err err = OX_ERR_INIT;

    ox_request_bind(request);
    if (request->route->stream->begin(request, &err) != OX_OK) {
        fail(request, &err);
    }
    hand_back(request, OX_PHASE_BEGUN);
}

static enum ox_code write_piece(struct ox_request *request, struct ox_err *err)
{
    enum ox_code code =
        request->route->stream->write(request, request->body.data, request->body.len_bytes, err);

    request->body.len_bytes = 0;
    return code;
}

static void run_write(void *arg)
{
    struct ox_request *request = arg;
    struct ox_err err = OX_ERR_INIT;

    ox_request_bind(request);
    if (write_piece(request, &err) != OX_OK) {
        fail(request, &err);
    }
    hand_back(request, OX_PHASE_BODY);
}

static enum ox_code handle(struct ox_request *request, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (request->route->body == OX_BODY_JSON || request->stream_is_json) {
        code =
            ox_json_parse_object(request->body.data == NULL ? (const void *)"" : request->body.data,
                                 request->body.len_bytes, &request->json, err);
    } else if (request->route->body == OX_BODY_STREAM && request->body.len_bytes > 0) {
        code = write_piece(request, err);
    }
    return code == OX_OK ? request->route->handle(request, err) : code;
}

static void run_handle(void *arg)
{
    struct ox_request *request = arg;
    struct ox_err err = OX_ERR_INIT;

    ox_request_bind(request);
    if (handle(request, &err) != OX_OK) {
        fail(request, &err);
    }
    hand_back(request, OX_PHASE_HANDLED);
}

/* Suspend first: the worker may be done before this returns. */
static enum MHD_Result hand_over(struct ox_request *request, enum ox_phase phase,
                                 void (*run)(void *), enum ox_phase back)
{
    struct ox_pool *pool =
        request->route->pool == OX_RUN_SLOW ? request->api->slow : request->api->quick;

    atomic_fetch_add(&request->api->suspended, 1);
    if (atomic_load(&request->api->refusing)) {
        atomic_fetch_sub(&request->api->suspended, 1);
        return MHD_NO;
    }
    (void)ox_conn_enter(request->conn, OX_CONN_OURS);
    request->phase = phase;
    MHD_suspend_connection(request->connection);
    if (!ox_pool_try_submit(pool, run, request)) {
        struct ox_err err = OX_ERR_INIT;

        (void)ox_err_set(&err, OX_EBUSY, "more requests wait than there is room for");
        fail(request, &err);
        hand_back(request, back);
    }
    return MHD_YES;
}

/* --- on the connection's thread --- */

static enum MHD_Result send_answer(struct ox_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    enum MHD_Result result;

    (void)ox_conn_enter(request->conn, OX_CONN_ANSWER);
    ox_recorder_note(request->api->recorder, request->route, request->status,
                     ox_clock_now_ns() - request->begun_ns);
    if (request->counts && info != NULL) {
        request->acked_before = ox_wire_acked(info->connect_fd);
    }
    if (atomic_load(&request->api->closing)) {
        (void)MHD_add_response_header(request->response, "Connection", "close");
    }
    result = MHD_queue_response(request->connection, request->status, request->response);
    MHD_destroy_response(request->response);
    request->response = NULL;
    request->phase = OX_PHASE_ANSWERED;
    return result;
}

/* An answer that is known before the body: a small body is read all the same, so that the client
 * reads the answer and keeps its connection; a large one is not asked for. */
static enum MHD_Result before_body(struct ox_request *request)
{
    uint64_t length = ox_request_length(request);

    request->phase = OX_PHASE_BODY;
    if (request->response != NULL && has_body(request) &&
        (length == OX_SIZE_UNKNOWN || length > OX_API_BODY_MAX ||
         ox_request_header(request, "Expect") != NULL)) {
        return send_answer(request);
    }
    if (has_body(request)) {
        (void)ox_conn_enter(request->conn, OX_CONN_BODY);
    }
    return MHD_YES;
}

static struct ox_request *new_request(struct ox_api *api, struct MHD_Connection *connection,
                                      const char *method, const char *url)
{
    struct ox_request *request = calloc(1, sizeof(*request));

    if (request != NULL) {
        request->api = api;
        request->connection = connection;
        request->conn = ox_conn_of(connection);
        request->method = method;
        request->path = url;
        request->begun_ns = ox_clock_now_ns();
        ox_request_identify(request);
        atomic_fetch_add(&api->active, 1);
    }
    return request;
}

/* OPTIONS: the methods of a path, as Allow tells them. */
static enum MHD_Result tell_methods(struct ox_request *request, const char *allow)
{
    struct ox_err err = OX_ERR_INIT;

    ox_request_set_header(request, "Allow", "%s", allow);
    if (ox_reply_bytes(request, 204, NULL, NULL, 0, &err) != OX_OK) {
        fail(request, &err);
    }
    request->discard = true;
    return before_body(request);
}

static enum MHD_Result start(struct ox_request *request)
{
    struct ox_err err = OX_ERR_INIT;
    char allow[OX_ALLOW_MAX];
    enum ox_code code = ox_route_find(request->method, request->path, &request->route,
                                      &request->params, allow, &err);

    if (code == OX_EMETHOD && strcmp(request->method, "OPTIONS") == 0) {
        return tell_methods(request, allow);
    }
    if (code == OX_EMETHOD) {
        ox_request_set_header(request, "Allow", "%s", allow);
    }
    if (code == OX_OK && (code = check_query(request, &err)) == OX_OK) {
        code = check_headers(request, &err);
    }
    if (code != OX_OK) {
        fail(request, &err);
        return before_body(request);
    }
    if (request->route->body == OX_BODY_STREAM) {
        return hand_over(request, OX_PHASE_BEGINNING, run_begin, OX_PHASE_BEGUN);
    }
    return before_body(request);
}

/* Take bytes of the body. What is left in *upload_bytes comes again. */
static enum MHD_Result take(struct ox_request *request, const char *upload, size_t *upload_bytes)
{
    bool streams = request->route != NULL && request->route->body == OX_BODY_STREAM &&
                   !request->stream_is_json;
    size_t max = streams ? OX_API_PIECE_BYTES : OX_API_BODY_MAX;
    size_t room = max - request->body.len_bytes;
    size_t len = *upload_bytes < room ? *upload_bytes : room;
    struct ox_err err = OX_ERR_INIT;

    (void)ox_conn_enter(request->conn, OX_CONN_BODY);
    ox_conn_took(request->conn, len);
    if (request->discard || request->route == NULL || request->route->body == OX_BODY_NONE) {
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (!streams && *upload_bytes > room) {
        (void)ox_err_set(&err, OX_ETOOBIG, "a body has at most %zu bytes", max);
        fail(request, &err);
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (streams && request->body.cap_bytes < max &&
        ox_buf_reserve(&request->body, max, &err) != OX_OK) {
        fail(request, &err);
        return MHD_YES;
    }
    if (ox_buf_append(&request->body, upload, len, &err) != OX_OK) {
        fail(request, &err);
        return MHD_YES;
    }
    *upload_bytes -= len;
    /* Only with bytes left over: where all were taken, libmicrohttpd may come with the next chunk
     * at once, though the connection is suspended. */
    return streams && *upload_bytes > 0
               ? hand_over(request, OX_PHASE_WRITING, run_write, OX_PHASE_BODY)
               : MHD_YES;
}

static bool is_answered_at_once(struct ox_request *request)
{
    return request->route->at_once != NULL && request->route->at_once(request);
}

static enum MHD_Result go_on(struct ox_request *request, const char *upload, size_t *upload_bytes)
{
    switch (request->phase) {
    case OX_PHASE_BEGUN:
        return before_body(request);
    case OX_PHASE_BODY:
        if (*upload_bytes > 0) {
            return take(request, upload, upload_bytes);
        }
        return request->response != NULL || is_answered_at_once(request)
                   ? send_answer(request)
                   : hand_over(request, OX_PHASE_HANDLING, run_handle, OX_PHASE_HANDLED);
    case OX_PHASE_HANDLED:
        return send_answer(request);
    case OX_PHASE_BEGINNING:
    case OX_PHASE_WRITING:
    case OX_PHASE_HANDLING:
    case OX_PHASE_ANSWERED:
        break;
    }
    return MHD_NO; /* not reached: a worker has the request, and the connection is suspended */
}

enum MHD_Result ox_request_step(void *api, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_bytes, void **state)
{
    struct ox_request *request = *state;
    bool is_new = request == NULL;
    enum MHD_Result result;

    (void)version;
    if (is_new) {
        request = new_request(api, connection, method, url);
        *state = request;
        if (request == NULL || !ox_conn_enter(request->conn, OX_CONN_OURS)) {
            return MHD_NO;
        }
    }
    ox_log_bind(request->id);
    result = is_new ? start(request) : go_on(request, upload, upload_bytes);
    ox_log_bind(NULL); /* a worker may have the request now */
    return result;
}

/* --- the end --- */

/* Of an answer that broke off, what the peer acknowledged; that includes the head, some 400 bytes,
 * so the sum is no more than the body. */
static void count_answer(struct ox_request *request, bool whole)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    uint64_t bytes = request->answer_bytes;

    if (!whole) {
        uint64_t acked = info == NULL ? 0 : ox_wire_acked(info->connect_fd);

        acked = acked > request->acked_before ? acked - request->acked_before : 0;
        bytes = acked < bytes ? acked : bytes;
    }
    ox_control_sent(request->api->control, request->sent, bytes);
    ox_control_served(request->api->control,
                      request->device_id[0] == '\0' ? NULL : request->device_id, &request->blob,
                      request->artifact_id, bytes);
}

void ox_request_end(void *api, struct MHD_Connection *connection, void **state,
                    enum MHD_RequestTerminationCode how)
{
    struct ox_request *request = *state;

    (void)connection;
    if (request == NULL) {
        return;
    }
    if (request->stream != NULL) { /* it broke off in mid-body */
        request->route->stream->drop(request, false);
    }
    if (request->counts && request->phase == OX_PHASE_ANSWERED) {
        count_answer(request, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    }
    if (request->response != NULL) {
        MHD_destroy_response(request->response);
    }
    if (request->phase != OX_PHASE_ANSWERED) {
        ox_recorder_note(request->api->recorder, request->route, 0,
                         ox_clock_now_ns() - request->begun_ns);
    }
    ox_request_log(request, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    (void)ox_conn_enter(request->conn, OX_CONN_SILENT);
    while (request->header_count > 0) {
        free(request->headers[--request->header_count].value);
    }
    ox_query_clear(&request->query);
    json_decref(request->json);
    ox_buf_clear(&request->body);
    free(request);
    *state = NULL;
    atomic_fetch_sub(&((struct ox_api *)api)->active, 1);
}

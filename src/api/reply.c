#include "request.h"

#include "range.h"
#include "status.h"

#include "oxide/wire/header.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void ox_request_set_header(struct ox_request *request, const char *name, const char *fmt, ...)
{
    char *value = NULL;
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len >= 0 && request->header_count < OX_API_HEADERS_MAX) {
        value = malloc((size_t)len + 1);
    }
    if (value == NULL) {
        request->header_lost = true;
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(value, (size_t)len + 1, fmt, args);
    va_end(args);
    request->headers[request->header_count].name = name;
    request->headers[request->header_count++].value = value;
}

enum ox_code ox_reply_response(struct ox_request *request, unsigned status, const char *type,
                               struct MHD_Response *take_response, struct ox_err *err)
{
    struct MHD_Response *response = take_response;
    bool ok = response != NULL && !request->header_lost;

    if (ok && type != NULL) {
        ok = MHD_add_response_header(response, "Content-Type", type) == MHD_YES;
    }
    if (ok) {
        ok = MHD_add_response_header(response, OX_HEADER_REQUEST_ID, request->id) == MHD_YES;
    }
    for (size_t i = 0; ok && i < request->header_count; i++) {
        ok = MHD_add_response_header(response, request->headers[i].name,
                                     request->headers[i].value) == MHD_YES;
    }
    if (!ok) {
        if (response != NULL) {
            MHD_destroy_response(response);
        }
        return ox_err_nomem(err, "an answer");
    }
    request->status = status;
    request->response = response;
    return OX_OK;
}

enum ox_code ox_reply_bytes(struct ox_request *request, unsigned status, const char *type,
                            char *take_bytes, size_t len_bytes, struct ox_err *err)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len_bytes, take_bytes, MHD_RESPMEM_MUST_FREE);

    if (response == NULL) {
        free(take_bytes);
    }
    request->answer_bytes = len_bytes;
    return ox_reply_response(request, status, type, response, err);
}

enum ox_code ox_reply_text(struct ox_request *request, unsigned status, char *take_text,
                           struct ox_err *err)
{
    return ox_reply_bytes(request, status, OX_MEDIA_JSON, take_text, strlen(take_text), err);
}

enum ox_code ox_reply_json(struct ox_request *request, unsigned status, json_t *take_json,
                           struct ox_err *err)
{
    char *text = NULL;
    enum ox_code code =
        take_json == NULL ? ox_err_nomem(err, "an answer") : ox_json_text(take_json, &text, err);

    json_decref(take_json);
    return code == OX_OK ? ox_reply_text(request, status, text, err) : code;
}

void ox_reply_error(struct ox_request *request, const struct ox_err *problem)
{
    static char last_resort[] =
        "{\"error\":{\"code\":\"out_of_memory\",\"message\":\"try again later\"}}";
    unsigned status = ox_api_status(problem->code);
    const struct ox_log_field fields[] = {{"method", request->method, 0},
                                          {"path", request->path, 0},
                                          {"status", NULL, status},
                                          {"code", ox_code_word(problem->code), 0},
                                          {0}};
    json_t *json = json_pack("{s:{s:s, s:s, s:s}}", "error", "code", ox_code_word(problem->code),
                             "message", ox_api_public_message(problem), "request_id", request->id);

    if (json == NULL) { /* a message that quotes what is not UTF-8 */
        json = json_pack("{s:{s:s, s:s, s:s}}", "error", "code", ox_code_word(problem->code),
                         "message", "the request is not valid", "request_id", request->id);
    }
    ox_log_fields(request->api->log, status >= 500 ? OX_LOG_ERROR : OX_LOG_WARN, fields, "%s",
                  problem->msg);
    if (ox_reply_json(request, status, json, NULL) != OX_OK) {
        request->status = 500;
        request->response = MHD_create_response_from_buffer(sizeof(last_resort) - 1, last_resort,
                                                            MHD_RESPMEM_PERSISTENT);
    }
}

/* --- downloads --- */

/* Which bytes to send: a range counts only if the asker's copy, if it names one, is this one. */
static enum ox_range_kind range_of(const struct ox_request *request, const char *etag,
                                   uint64_t size_bytes, struct ox_range *out)
{
    const char *condition = ox_request_header(request, "If-Range");

    if (condition != NULL && strcmp(condition, etag) != 0) {
        return OX_RANGE_WHOLE;
    }
    return ox_range_parse(ox_request_header(request, "Range"), size_bytes, out);
}

static void count_for(struct ox_request *request, const struct ox_download *download,
                      uint64_t answer_bytes)
{
    const char *device_id = ox_request_header(request, OX_HEADER_DEVICE);

    if (strcmp(request->method, "HEAD") == 0) {
        return;
    }
    if (device_id != NULL && ox_id_check("device id", device_id, NULL) == OX_OK) {
        (void)snprintf(request->device_id, sizeof(request->device_id), "%s", device_id);
    }
    request->counts = true;
    request->sent = download->sent;
    request->blob = download->digest;
    request->artifact_id = download->artifact_id;
    request->answer_bytes = answer_bytes;
}

static struct MHD_Response *empty(void)
{
    static char nothing[1] = "";

    return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
}

enum ox_code ox_reply_download(struct ox_request *request, const struct ox_download *take_download,
                               struct ox_err *err)
{
    const struct ox_download *download = take_download;
    const char *known = ox_request_header(request, "If-None-Match");
    struct ox_range range = {0, download->size_bytes};
    char hex[OX_DIGEST_HEX_MAX];
    char etag[OX_DIGEST_HEX_MAX + 2];
    struct MHD_Response *response;
    enum ox_range_kind kind;

    (void)snprintf(etag, sizeof(etag), "\"%s\"", ox_digest_hex(&download->digest, hex));
    ox_request_set_header(request, "ETag", "%s", etag);
    ox_request_set_header(request, "Accept-Ranges", "bytes");
    if (known != NULL && ox_etag_listed(known, etag)) {
        (void)close(download->fd);
        return ox_reply_response(request, 304, NULL, empty(), err);
    }
    kind = range_of(request, etag, download->size_bytes, &range);
    if (kind == OX_RANGE_OUTSIDE) {
        (void)close(download->fd);
        ox_request_set_header(request, "Content-Range", "bytes */%" PRIu64, download->size_bytes);
        return ox_err_set(err, OX_ERANGE, "the range lies outside these %" PRIu64 " bytes",
                          download->size_bytes);
    }
    if (kind == OX_RANGE_PART) {
        ox_request_set_header(request, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                              range.first, range.first + range.len_bytes - 1, download->size_bytes);
    }
    if (range.len_bytes == 0) {
        (void)close(download->fd);
        response = empty();
    } else {
        response =
            MHD_create_response_from_fd_at_offset64(range.len_bytes, download->fd, range.first);
        if (response == NULL) {
            (void)close(download->fd);
        }
    }
    count_for(request, download, range.len_bytes);
    return ox_reply_response(request, kind == OX_RANGE_PART ? 206 : 200,
                             download->is_patch ? OX_MEDIA_DELTA : OX_MEDIA_BYTES, response, err);
}

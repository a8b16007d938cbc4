#include "handlers.h"

#include "range.h"

#include "oxide/wire/header.h"

static enum ox_code digest_of(const struct ox_request *request, struct ox_digest *out,
                              struct ox_err *err)
{
    return ox_digest_parse(request->params.value[0], out, err);
}

OX_HANDLER(blob)
{
    struct ox_download download;
    struct ox_digest digest;
    enum ox_code code = digest_of(request, &digest, err);

    if (code == OX_OK) {
        code = ox_control_blob(request->api->control, &digest, &download, err);
    }
    if (code != OX_OK) {
        return code;
    }
    ox_request_set_header(request, "Cache-Control", "public, max-age=31536000, immutable");
    return ox_reply_download(request, &download, err);
}

OX_HANDLER(upload_status)
{
    struct ox_digest digest;
    json_t *out = NULL;
    enum ox_code code = digest_of(request, &digest, err);

    if (code == OX_OK) {
        code = ox_control_upload_status(request->api->control, &digest, &out, err);
    }
    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

/* --- uploading --- */

static enum ox_code upload_begin(struct ox_request *request, struct ox_err *err)
{
    const char *range = ox_request_header(request, "Content-Range");
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t total = ox_request_length(request);
    uint64_t received = 0;
    struct ox_upload *upload = NULL;
    struct ox_digest digest;
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code = digest_of(request, &digest, err);

    if (code == OX_OK && range != NULL) {
        code = ox_content_range_parse(range, &first, &last, &total, err);
    }
    if (code == OX_OK) {
        code = ox_control_upload_begin(request->api->control, &digest, first, total, &upload,
                                       &received, err);
    }
    if (code == OX_ECONFLICT) {
        ox_request_set_header(request, OX_HEADER_UPLOAD_OFFSET, "%llu",
                              (unsigned long long)received);
    }
    if (code != OX_OK || upload != NULL) {
        request->stream = upload;
        return code;
    }
    /* held already */
    return ox_reply_json(request, 200,
                         json_pack("{s:s, s:I}", "sha256", ox_digest_hex(&digest, hex),
                                   "size_bytes", (json_int_t)received),
                         err);
}

static enum ox_code upload_write(struct ox_request *request, const void *bytes, size_t len_bytes,
                                 struct ox_err *err)
{
    return ox_control_upload_write(request->stream, bytes, len_bytes, err);
}

static void upload_drop(struct ox_request *request, bool disk_full)
{
    ox_control_upload_abort(request->stream, !disk_full);
    request->stream = NULL;
}

const struct ox_stream ox_stream_upload = {upload_begin, upload_write, upload_drop};

OX_HANDLER(upload)
{
    struct ox_upload *upload = request->stream;
    json_t *out = NULL;
    bool complete = false;
    enum ox_code code;

    request->stream = NULL;
    code = ox_control_upload_finish(upload, &complete, &out, err);
    return code == OX_OK ? ox_reply_json(request, complete ? 201 : 202, out, err) : code;
}

#include "handlers.h"

#include "lists.h"

#include "oxide/control/diff.h"
#include "oxide/control/retention.h"
#include "oxide/wire/header.h"

#include <string.h>

OX_HANDLER(models)
{
    static const struct ox_list_answer list = {
        .page = ox_control_models, .before = "{\"models\":[", .after = "]}"};

    return ox_reply_list(request, &list, err);
}

static enum ox_code model_head(struct ox_request *request, struct ox_buf *out, struct ox_err *err)
{
    /* an identifier needs no escapes */
    return ox_buf_printf(out, err, "{\"model_id\":\"%s\",\"versions\":[", request->params.value[0]);
}

OX_HANDLER(model)
{
    static const struct ox_list_answer list = {
        .page = ox_control_versions, .head = model_head, .after = "]}", .parent = "model"};

    return ox_reply_list(request, &list, err);
}

OX_HANDLER(version)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_variant(request->api->control, request->params.value[0],
                                           request->params.value[1],
                                           ox_request_query(request, "variant"), &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(version_patch)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_version_patch(request->api->control, request->params.value[0],
                                 request->params.value[1], request->json, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

/* --- what changed --- */

#define DIFF_WAIT_MS 1500 /* small models are compared in less */

OX_HANDLER(model_diff)
{
    const struct ox_diff_ask ask = {
        .model_id = request->params.value[0],
        .from = ox_request_query(request, "from"),
        .to = ox_request_query(request, "to"),
        .from_variant = ox_request_query(request, "from_variant"),
        .to_variant = ox_request_query(request, "to_variant"),
        .all = ox_request_query_flag(request, "all", false),
        .limit = ox_request_query_u64(request, "limit", OX_DIFF_ROWS_MAX),
        .wait_ms = DIFF_WAIT_MS,
    };
    json_t *out = NULL;
    int percent = 0;
    enum ox_code code;

    if (ask.from == NULL || ask.to == NULL) {
        return ox_err_set(err, OX_EINVAL, "name two versions: ?from=V1&to=V2");
    }
    code = ox_control_diff(request->api->control, &ask, &out, &percent, err);
    if (code == OX_EBUSY) {
        ox_request_set_header(request, "Retry-After", "10");
    }
    if (code != OX_OK || out != NULL) {
        return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
    }
    ox_request_set_header(request, "Retry-After", "1");
    out = json_pack("{s:s, s:i}", "status", "comparing", "progress", percent);
    return out == NULL ? ox_err_nomem(err, "an answer") : ox_reply_json(request, 202, out, err);
}

/* A required version, or a variant that may be absent. */
static enum ox_code body_id(const json_t *body, const char *key, bool required, const char **out,
                            struct ox_err *err)
{
    enum ox_code code =
        required ? ox_json_get_str(body, key, out, err) : ox_json_opt_str(body, key, out, err);

    return code == OX_OK && *out != NULL ? ox_id_check(key, *out, err) : code;
}

OX_HANDLER(model_delta)
{
    struct ox_diff_ask ask = {.model_id = request->params.value[0]};
    json_t *out = NULL;
    enum ox_code code;

    if ((code = body_id(request->json, "from", true, &ask.from, err)) == OX_OK &&
        (code = body_id(request->json, "to", true, &ask.to, err)) == OX_OK &&
        (code = body_id(request->json, "from_variant", false, &ask.from_variant, err)) == OX_OK &&
        (code = body_id(request->json, "to_variant", false, &ask.to_variant, err)) == OX_OK) {
        code = ox_control_delta_order(request->api->control, &ask, &out, err);
    }
    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

/* --- keeping and removing --- */

OX_HANDLER(version_remove)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_version_remove(request->api->control, request->params.value[0],
                                                  request->params.value[1],
                                                  ox_request_query(request, "variant"), &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

static enum ox_code show_retention(struct ox_request *request, const char *model,
                                   struct ox_err *err)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_retention(request->api->control, model, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

static enum ox_code set_retention(struct ox_request *request, const char *model, struct ox_err *err)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_retention_set(request->api->control, model, request->json, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

static enum ox_code remove_retention(struct ox_request *request, const char *model,
                                     struct ox_err *err)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_retention_remove(request->api->control, model, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(retention)
{
    return show_retention(request, request->params.value[0], err);
}

OX_HANDLER(retention_set)
{
    return set_retention(request, request->params.value[0], err);
}

OX_HANDLER(retention_remove)
{
    return remove_retention(request, request->params.value[0], err);
}

OX_HANDLER(general_retention)
{
    return show_retention(request, "", err);
}

OX_HANDLER(general_retention_set)
{
    return set_retention(request, "", err);
}

OX_HANDLER(general_retention_remove)
{
    return remove_retention(request, "", err);
}

OX_HANDLER(gc)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_gc(request->api->control,
                                      ox_request_query_flag(request, "dry_run", false), &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

/* --- publishing --- */

/* What is said of a raw upload comes in a header: the body is the file. */
static enum ox_code take_meta(struct ox_request *request, struct ox_publish *publish,
                              struct ox_err *err)
{
    const char *text = ox_request_header(request, OX_HEADER_META);
    json_t *meta = NULL;
    enum ox_code code = text == NULL ? OX_OK : ox_json_parse_object(text, strlen(text), &meta, err);

    if (code == OX_OK && meta != NULL) {
        code = ox_control_publish_meta(publish, meta, err);
    }
    return code == OX_OK ? OX_OK : ox_err_context(err, OX_HEADER_META);
}

static enum ox_code publish_begin(struct ox_request *request, struct ox_err *err)
{
    struct ox_publish *publish = NULL;
    enum ox_code code;

    if (ox_request_is_type(request, OX_MEDIA_MANIFEST)) {
        request->stream_is_json = true;
        return OX_OK;
    }
    code = ox_control_publish_begin(request->api->control, request->params.value[0],
                                    request->params.value[1], ox_request_length(request), &publish,
                                    err);
    if (code == OX_OK && (code = take_meta(request, publish, err)) == OX_OK) {
        request->stream = publish;
        publish = NULL;
    }
    ox_control_publish_abort(publish);
    return code;
}

static enum ox_code publish_write(struct ox_request *request, const void *bytes, size_t len_bytes,
                                  struct ox_err *err)
{
    return ox_control_publish_write(request->stream, bytes, len_bytes, err);
}

static void publish_drop(struct ox_request *request, bool disk_full)
{
    (void)disk_full;
    ox_control_publish_abort(request->stream);
    request->stream = NULL;
}

const struct ox_stream ox_stream_publish = {publish_begin, publish_write, publish_drop};

OX_HANDLER(publish)
{
    struct ox_publish *publish = request->stream;
    json_t *out = NULL;
    bool created = false;
    enum ox_code code;

    request->stream = NULL;
    code = publish == NULL
               ? ox_control_publish_manifest(request->api->control, request->params.value[0],
                                             request->params.value[1], request->json, &created,
                                             &out, err)
               : ox_control_publish_finish(publish, &created, &out, err);
    return code == OX_OK ? ox_reply_json(request, created ? 201 : 200, out, err) : code;
}

/* --- downloading --- */

OX_HANDLER(download)
{
    struct ox_download download;
    char hex[OX_DIGEST_HEX_MAX];
    const struct ox_download_ask ask = {
        .model_id = request->params.value[0],
        .version = request->params.value[1],
        .variant = ox_request_query(request, "variant"),
        .base_version = ox_request_header(request, OX_HEADER_BASE_VERSION),
        .reads = ox_request_header(request, OX_HEADER_READS),
    };
    enum ox_code code = ox_control_download_variant(request->api->control, &ask, &download, err);

    if (code != OX_OK) {
        return code;
    }
    ox_request_set_header(request, "Vary", OX_HEADER_BASE_VERSION ", " OX_HEADER_READS);
    if (download.pending) {
        ox_request_set_header(request, OX_HEADER_DELTA_STATUS, "pending");
    }
    if (download.is_patch) {
        ox_request_set_header(request, OX_HEADER_STRATEGY, "%s", download.strategy);
        ox_request_set_header(request, OX_HEADER_DELTA_BASE, "%s",
                              ox_digest_hex(&download.base, hex));
        ox_request_set_header(request, OX_HEADER_TARGET_SHA256, "%s",
                              ox_digest_hex(&download.target, hex));
        ox_request_set_header(request, OX_HEADER_TARGET_SIZE, "%llu",
                              (unsigned long long)download.target_bytes);
    } else {
        ox_request_set_header(request, OX_HEADER_SHA256, "%s",
                              ox_digest_hex(&download.digest, hex));
    }
    return ox_reply_download(request, &download, err);
}

#include "handlers.h"

#include "lists.h"

typedef enum ox_code act_fn(struct ox_control *control, const char *id, const json_t *body,
                            json_t **out, struct ox_err *err);

/* An act on the device of the path. Its body is an object of options, or empty. */
static enum ox_code act(struct ox_request *request, act_fn *fn, struct ox_err *err)
{
    json_t *body = NULL;
    json_t *out = NULL;
    enum ox_code code;

    if (request->body.len_bytes == 0) {
        body = json_object();
        code = body == NULL ? ox_err_nomem(err, "a request") : OX_OK;
    } else {
        code = ox_json_parse_object(request->body.data, request->body.len_bytes, &body, err);
    }
    if (code == OX_OK) {
        code = fn(request->api->control, request->params.value[0], body, &out, err);
    }
    json_decref(body);
    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(device_split)
{
    return act(request, ox_control_device_split, err);
}

OX_HANDLER(device_replace)
{
    return act(request, ox_control_device_replace, err);
}

OX_HANDLER(device_pin)
{
    return act(request, ox_control_device_pin, err);
}

OX_HANDLER(device_unpin)
{
    return act(request, ox_control_device_unpin, err);
}

OX_HANDLER(pending_accept)
{
    return act(request, ox_control_pending_accept, err);
}

OX_HANDLER(pending_reject)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_pending_reject(request->api->control, request->params.value[0], &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(pending_devices)
{
    static const struct ox_list_answer list = {
        .page = ox_control_pending_devices, .before = "{\"devices\":[", .after = "]}"};

    return ox_reply_list(request, &list, err);
}

/* --- what ran where --- */

static enum ox_code history_head(struct ox_request *request, struct ox_buf *out, struct ox_err *err)
{
    /* an identifier needs no escapes */
    return ox_buf_printf(out, err, "{\"device_id\":\"%s\",\"history\":[", request->params.value[0]);
}

OX_HANDLER(device_history)
{
    static const struct ox_list_answer list = {
        .page = ox_control_device_history, .head = history_head, .after = "]}", .parent = "device"};

    return ox_reply_list(request, &list, err);
}

static enum ox_code where_head(struct ox_request *request, struct ox_buf *out, struct ox_err *err)
{
    return ox_buf_printf(out, err, "{\"model_id\":\"%s\",\"devices\":[", request->params.value[0]);
}

OX_HANDLER(model_where)
{
    static const struct ox_list_answer list = {
        .page = ox_control_model_where, .head = where_head, .after = "]}", .parent = "model"};

    return ox_reply_list(request, &list, err);
}

OX_HANDLER(model_where_counts)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_where_counts(request->api->control, request->params.value[0],
                                                ox_request_query(request, "version"),
                                                ox_request_query(request, "at"), &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

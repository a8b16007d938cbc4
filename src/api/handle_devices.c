#include "handlers.h"

#include "lists.h"

OX_HANDLER(device_register)
{
    json_t *out = NULL;
    bool created = false;
    enum ox_code code =
        ox_control_device_register(request->api->control, request->json, &created, &out, err);

    return code == OX_OK ? ox_reply_json(request, created ? 201 : 200, out, err) : code;
}

OX_HANDLER(devices)
{
    static const struct ox_list_answer list = {
        .page = ox_control_devices, .before = "[", .after = "]"};

    return ox_reply_list(request, &list, err);
}

OX_HANDLER(device)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_device(request->api->control, request->params.value[0], &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(device_edit)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_device_edit(request->api->control, request->params.value[0],
                                               request->json, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(device_remove)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_device_remove(request->api->control, request->params.value[0], &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

static const void *body_of(const struct ox_request *request)
{
    return request->body.data == NULL ? (const void *)"" : request->body.data;
}

bool ox_heartbeat_at_once(struct ox_request *request)
{
    char *text = NULL;

    return ox_control_heartbeat_again(request->api->control, request->params.value[0],
                                      body_of(request), request->body.len_bytes, &text) &&
           ox_reply_text(request, 200, text, NULL) == OX_OK;
}

OX_HANDLER(heartbeat)
{
    struct ox_control *control = request->api->control;
    const char *id = request->params.value[0];
    const void *body = body_of(request);
    size_t len_bytes = request->body.len_bytes;
    char buffer[OX_ADDRESS_MAX];
    unsigned port = 0;
    const char *address = ox_request_address(request, buffer, &port);
    bool registered = false;
    char *text = NULL;
    enum ox_code code = ox_control_heartbeat(control, id, address, body, len_bytes, &text, err);

    if (code == OX_ENOTFOUND && (code = ox_control_knock(control, id, address, body, len_bytes,
                                                         &registered, err)) == OX_OK) {
        code = ox_control_heartbeat(control, id, address, body, len_bytes, &text, err);
    }

    return code == OX_OK ? ox_reply_text(request, 200, text, err) : code;
}

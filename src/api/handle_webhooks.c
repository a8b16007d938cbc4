#include "handlers.h"

OX_HANDLER(webhook_add)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_webhook_add(request->api->control, request->json, &out, err);

    ox_request_set_header(request, "Cache-Control", "no-store"); /* it holds the secret */
    return code == OX_OK ? ox_reply_json(request, 201, out, err) : code;
}

OX_HANDLER(webhooks)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_webhooks(request->api->control, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

typedef enum ox_code webhook_call(struct ox_control *control, const char *id, json_t **out,
                                  struct ox_err *err);

static enum ox_code call(struct ox_request *request, webhook_call *function, struct ox_err *err)
{
    json_t *out = NULL;
    enum ox_code code = function(request->api->control, request->params.value[0], &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(webhook)
{
    return call(request, ox_control_webhook, err);
}

OX_HANDLER(webhook_remove)
{
    return call(request, ox_control_webhook_remove, err);
}

OX_HANDLER(webhook_resume)
{
    return call(request, ox_control_webhook_resume, err);
}

OX_HANDLER(webhook_test)
{
    return call(request, ox_control_webhook_test, err);
}

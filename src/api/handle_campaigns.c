#include "handlers.h"

OX_HANDLER(campaign_create)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_campaign_create(request->api->control, request->json, &out, err);

    return code == OX_OK ? ox_reply_json(request, 201, out, err) : code;
}

OX_HANDLER(campaigns)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_campaigns(request->api->control, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(campaign)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_campaign(request->api->control, request->params.value[0], &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

static enum ox_code act(struct ox_request *request, enum ox_campaign_action action,
                        struct ox_err *err)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_campaign_act(request->api->control, request->params.value[0], action, false,
                                &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(campaign_pause)
{
    return act(request, OX_ACTION_PAUSE, err);
}

OX_HANDLER(campaign_resume)
{
    return act(request, OX_ACTION_RESUME, err);
}

OX_HANDLER(campaign_abort)
{
    return act(request, OX_ACTION_ABORT, err);
}

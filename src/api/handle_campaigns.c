#include "handlers.h"

#include "lists.h"

OX_HANDLER(campaign_create)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_campaign_create(request->api->control, request->json, &out, err);

    return code == OX_OK ? ox_reply_json(request, 201, out, err) : code;
}

OX_HANDLER(campaigns)
{
    static const struct ox_list_answer list = {
        .page = ox_control_campaigns, .before = "{\"campaigns\":[", .after = "]}"};

    return ox_reply_list(request, &list, err);
}

OX_HANDLER(campaign_devices)
{
    static const struct ox_list_answer list = {.page = ox_control_campaign_devices,
                                               .before = "{\"devices\":[",
                                               .after = "]}",
                                               .parent = "campaign"};

    return ox_reply_list(request, &list, err);
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

#include "handlers.h"

#include "lists.h"

#include "oxide/control/backup.h"

#include <stdlib.h>
#include <string.h>

OX_HANDLER(campaign_create)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_campaign_create(request->api->control, request->json, &out, err);

    return code == OX_OK ? ox_reply_json(request, 201, out, err) : code;
}

/* While nothing is assigned, the list says so first. */
static enum ox_code campaigns_head(struct ox_request *request, struct ox_buf *out,
                                   struct ox_err *err)
{
    json_t *holding = NULL;
    char *text = NULL;
    enum ox_code code = ox_control_hold(request->api->control, &holding, err);

    if (code == OX_OK && !json_is_null(holding) &&
        (code = ox_json_text(holding, &text, err)) == OX_OK) {
        code = ox_buf_printf(out, err, "{\"holding\":%s,\"campaigns\":[", text);
    } else if (code == OX_OK) {
        code = ox_buf_printf(out, err, "{\"campaigns\":[");
    }
    free(text);
    json_decref(holding);
    return code;
}

OX_HANDLER(campaigns)
{
    static const struct ox_list_answer list = {
        .page = ox_control_campaigns, .head = campaigns_head, .after = "]}"};

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

/* The campaign's own document, left open for its devices. */
static enum ox_code campaign_head(struct ox_request *request, struct ox_buf *out,
                                  struct ox_err *err)
{
    json_t *json = NULL;
    char *text = NULL;
    enum ox_code code =
        ox_control_campaign(request->api->control, request->params.value[0], &json, err);

    if (code == OX_OK && (code = ox_json_text(json, &text, err)) == OX_OK) {
        code = ox_buf_printf(out, err, "%.*s,\"devices\":[", (int)strlen(text) - 1, text);
    }
    free(text);
    json_decref(json);
    return code;
}

OX_HANDLER(campaign)
{
    static const struct ox_list_answer list = {.page = ox_control_campaign_devices,
                                               .head = campaign_head,
                                               .after = "]}",
                                               .parent = "campaign"};
    json_t *out = NULL;
    enum ox_code code;

    if (ox_request_query_flag(request, "devices", true)) {
        return ox_reply_list(request, &list, err);
    }
    code = ox_control_campaign(request->api->control, request->params.value[0], &out, err);
    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

static enum ox_code act(struct ox_request *request, enum ox_campaign_action action,
                        struct ox_err *err)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_campaign_act(request->api->control, request->params.value[0], action, &out, err);

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

OX_HANDLER(campaign_approve)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_campaign_approve(request->api->control, request->params.value[0], &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(campaign_retry)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_campaign_retry(request->api->control, request->params.value[0],
                                                  ox_request_query(request, "device"), &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(campaign_revert)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_campaign_revert(request->api->control, request->params.value[0], &out, err);

    return code == OX_OK ? ox_reply_json(request, 201, out, err) : code;
}

OX_HANDLER(campaign_plan)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_campaign_plan(request->api->control, request->json, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(model_revert)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_model_revert(request->api->control, request->params.value[0],
                                                request->json, &out, err);

    return code == OX_OK ? ox_reply_json(request, 201, out, err) : code;
}

OX_HANDLER(quarantine)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_quarantines(request->api->control,
                                               ox_request_query(request, "device"), &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(quarantine_free)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_quarantine_free(request->api->control, request->params.value[0],
                                                   ox_request_query(request, "model"), &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

#include "handlers.h"

#include "lists.h"

OX_HANDLER(fleet_create)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_fleet_create(request->api->control, request->json, &out, err);

    return code == OX_OK ? ox_reply_json(request, 201, out, err) : code;
}

OX_HANDLER(fleets)
{
    /* one at a time: each may hold the ids of every device */
    static const struct ox_list_answer list = {
        .page = ox_control_fleets, .before = "[", .after = "]", .piece_rows = 1};

    return ox_reply_list(request, &list, err);
}

OX_HANDLER(fleet)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_fleet(request->api->control, request->params.value[0],
                         !ox_request_query_flag(request, "devices", true), &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(fleet_edit)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_fleet_edit(request->api->control, request->params.value[0],
                                              request->json, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(fleet_delete)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_fleet_delete(request->api->control, request->params.value[0], &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(fleet_add)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_fleet_add(request->api->control, request->params.value[0],
                                             request->params.value[1], &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(fleet_remove)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_fleet_remove(request->api->control, request->params.value[0],
                                                request->params.value[1], &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(fleet_deploy)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_fleet_deploy(request->api->control, request->params.value[0],
                                                request->json, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

OX_HANDLER(fleet_status)
{
    json_t *out = NULL;
    enum ox_code code =
        ox_control_fleet_status(request->api->control, request->params.value[0], &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

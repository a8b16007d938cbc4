#include "handlers.h"

#include "oxide/control/backup.h"

OX_HANDLER(health)
{
    const char *version = request->api->version;
    json_t *holding = NULL;
    enum ox_code code = ox_control_hold(request->api->control, &holding, err);

    if (code != OX_OK) {
        return code;
    }
    return ox_reply_json(request, 200,
                         json_pack("{s:s, s:s, s:o, s:o}", "status", "healthy", "service",
                                   "oxide-control-plane", "version",
                                   version == NULL ? json_null() : json_string(version), "holding",
                                   holding),
                         err);
}

#include "handlers.h"

OX_HANDLER(health)
{
    const char *version = request->api->version;

    return ox_reply_json(request, 200,
                         json_pack("{s:s, s:s, s:o}", "status", "healthy", "service",
                                   "oxide-control-plane", "version",
                                   version == NULL ? json_null() : json_string(version)),
                         err);
}

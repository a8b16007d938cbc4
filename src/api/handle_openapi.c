#include "handlers.h"

#include "openapi.h"

OX_HANDLER(openapi)
{
    json_t *out = NULL;
    enum ox_code code = ox_openapi_document(request->api->version, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

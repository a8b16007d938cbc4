#include "handlers.h"

#include "oxide/control/backup.h"
#include "oxide/wire/header.h"

static enum ox_code make(void *ctx, struct ox_buf *out, bool *end, struct ox_err *err)
{
    return ox_control_backup_next(ctx, out, end, err);
}

static void clear(void *ctx)
{
    ox_control_backup_free(ctx);
}

OX_HANDLER(backup)
{
    static const struct ox_pieces pieces = {make, clear};
    struct ox_backup *backup = NULL;
    enum ox_code code = ox_control_backup_begin(
        request->api->control, ox_request_query_flag(request, "blobs", false), &backup, err);

    return code == OX_OK ? ox_reply_pieces(request, 200, OX_MEDIA_TAR, &pieces, backup, err) : code;
}

OX_HANDLER(restore_confirm)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_hold_release(request->api->control, &out, err);

    return code == OX_OK ? ox_reply_json(request, 200, out, err) : code;
}

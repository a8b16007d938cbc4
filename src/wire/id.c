#include "oxide/wire/id.h"

#include <string.h>

enum ox_code ox_id_check(const char *what, const char *id, struct ox_err *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-";
    size_t len = id == NULL ? 0 : strnlen(id, OX_ID_MAX + 1);

    if (len == 0 || len > OX_ID_MAX) {
        return ox_err_set(err, OX_EINVAL, "the %s must have 1 to %d characters", what, OX_ID_MAX);
    }
    if (strspn(id, allowed) != len) {
        return ox_err_set(err, OX_EINVAL, "the %s must be made of letters, digits and . _ + - only",
                          what);
    }
    if (id[0] == '.' || strstr(id, "..") != NULL) {
        return ox_err_set(err, OX_EINVAL, "the %s must neither begin with a dot nor hold \"..\"",
                          what);
    }
    return OX_OK;
}

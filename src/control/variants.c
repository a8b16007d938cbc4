#include "variants.h"

#include <string.h>

enum ox_code ox_requires_check(const char *requires, struct ox_err *err)
{
    return requires[0] == '\0' ? ox_err_set(err, OX_EINVAL, "\"requires\" is empty") : OX_OK;
}

#include "tags.h"

#include <string.h>

static enum ox_code put_tag(json_t *tags, const char *text, struct ox_err *err)
{
    char key[256];
    const char *equals = strchr(text, '=');
    size_t len = equals == NULL ? 0 : (size_t)(equals - text);

    if (len == 0 || len >= sizeof(key)) {
        return ox_err_set(err, OX_EINVAL, "--tag cannot be '%.64s': it is KEY=VALUE", text);
    }
    memcpy(key, text, len);
    key[len] = '\0';
    if (ox_json_has(tags, key)) {
        return ox_err_set(err, OX_EINVAL, "--tag %.64s is given twice", key);
    }
    return ox_json_set_str(tags, key, equals + 1, err);
}

enum ox_code ox_cli_tags(const struct ox_args *args, json_t *body, struct ox_err *err)
{
    json_t *tags;
    const char *text;
    enum ox_code code = OX_OK;

    if (!ox_args_has(args, "tag")) {
        return OX_OK;
    }
    tags = json_object();
    for (size_t i = 0; code == OX_OK && (text = ox_args_nth(args, "tag", i)) != NULL; i++) {
        code = put_tag(tags, text, err);
    }
    if (code != OX_OK) {
        json_decref(tags);
        return code;
    }
    return ox_json_set(body, "tags", tags, err);
}

#include "fields.h"

#include "oxide/wire/id.h"

#include <string.h>

const json_t *ox_wire_value(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}

enum ox_code ox_wire_opt_text(const json_t *object, const char *key, char **out, struct ox_err *err)
{
    const char *text = NULL;
    enum ox_code code = ox_json_opt_str(object, key, &text, err);

    if (code != OX_OK || text == NULL) {
        return code;
    }
    if (strnlen(text, OX_REPORT_TEXT_MAX + 1) > OX_REPORT_TEXT_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"%s\" has at most %d bytes", key, OX_REPORT_TEXT_MAX);
    }
    return ox_strdup(out, text, err);
}

enum ox_code ox_wire_opt_id(const json_t *object, const char *key, char **out, struct ox_err *err)
{
    const char *id = NULL;
    enum ox_code code = ox_json_opt_str(object, key, &id, err);

    if (code != OX_OK || id == NULL) {
        return code;
    }
    code = ox_id_check(key, id, err);
    return code != OX_OK ? code : ox_strdup(out, id, err);
}

enum ox_code ox_wire_get_id(const json_t *object, const char *key, char **out, struct ox_err *err)
{
    const char *id = NULL;
    enum ox_code code = ox_json_get_str(object, key, &id, err);

    return code != OX_OK ? code : ox_wire_opt_id(object, key, out, err);
}

enum ox_code ox_wire_get_digest(const json_t *object, const char *key, struct ox_digest *out,
                                struct ox_err *err)
{
    const char *hex = NULL;
    enum ox_code code = ox_json_get_str(object, key, &hex, err);

    if (code == OX_OK && (code = ox_digest_parse(hex, out, err)) != OX_OK) {
        ox_err_context(err, "\"%s\"", key);
    }
    return code;
}

enum ox_code ox_wire_put_text(json_t *object, const char *key, const char *text, struct ox_err *err)
{
    return text == NULL ? OX_OK : ox_json_set_str(object, key, text, err);
}

enum ox_code ox_wire_set_digest(json_t *object, const char *key, const struct ox_digest *digest,
                                struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];

    return ox_json_set_str(object, key, ox_digest_hex(digest, hex), err);
}

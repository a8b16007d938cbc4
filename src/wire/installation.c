#include "installation.h"

#include "fields.h"

#include <inttypes.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

static bool is_hex(const char *text, size_t digits)
{
    return strnlen(text, digits + 1) == digits && strspn(text, hex_digits) == digits;
}

enum ox_code ox_instance_check(const char *what, const char *text, struct ox_err *err)
{
    return is_hex(text, OX_INSTANCE_HEX)
               ? OX_OK
               : ox_err_set(err, OX_EINVAL, "the %s must have %d lower-case hexadecimal digits",
                            what, OX_INSTANCE_HEX);
}

static enum ox_code get_hex(const json_t *json, const char *key, size_t digits, char *out,
                            struct ox_err *err)
{
    const char *text = NULL;
    enum ox_code code = ox_json_opt_str(json, key, &text, err);

    if (code != OX_OK || text == NULL) {
        return code;
    }
    if (!is_hex(text, digits)) {
        return ox_err_set(err, OX_EINVAL, "\"%s\" must have %zu lower-case hexadecimal digits", key,
                          digits);
    }
    memcpy(out, text, digits + 1);
    return OX_OK;
}

static enum ox_code get_offset(const json_t *json, struct ox_installation *out, struct ox_err *err)
{
    const json_t *value = ox_wire_value(json, "utc_offset_s");

    if (value == NULL) {
        return OX_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < -OX_UTC_OFFSET_S_MAX ||
        json_integer_value(value) > OX_UTC_OFFSET_S_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"utc_offset_s\" must be a whole number within %d s",
                          OX_UTC_OFFSET_S_MAX);
    }
    out->has_utc_offset = true;
    out->utc_offset_s = json_integer_value(value);
    return OX_OK;
}

static enum ox_code get_disk(const json_t *json, struct ox_installation *out, struct ox_err *err)
{
    const json_t *disk = NULL;
    enum ox_code code = ox_json_opt_object(json, "disk", &disk, err);

    if (code != OX_OK || disk == NULL) {
        return code;
    }
    if ((code = ox_json_get_u64(disk, "free_bytes", &out->disk_free_bytes, err)) != OX_OK ||
        (code = ox_json_get_u64(disk, "total_bytes", &out->disk_total_bytes, err)) != OX_OK) {
        ox_err_context(err, "\"disk\"");
        return code;
    }
    return out->disk_free_bytes <= out->disk_total_bytes
               ? OX_OK
               : ox_err_set(err, OX_EINVAL,
                            "\"disk\" has no more \"free_bytes\" than "
                            "\"total_bytes\"");
}

enum ox_code ox_wire_parse_installation(const json_t *json, struct ox_installation *out,
                                        struct ox_err *err)
{
    enum ox_code code;

    if ((code = get_hex(json, "instance", OX_INSTANCE_HEX, out->instance, err)) != OX_OK ||
        (code = get_hex(json, "start", OX_START_HEX, out->start, err)) != OX_OK ||
        (code = ox_json_opt_u64(json, "poll_interval_s", &out->poll_interval_s, err)) != OX_OK ||
        (code = get_offset(json, out, err)) != OX_OK) {
        return code;
    }
    if (out->poll_interval_s > OX_POLL_INTERVAL_S_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"poll_interval_s\" is at most %d",
                          OX_POLL_INTERVAL_S_MAX);
    }
    return get_disk(json, out, err);
}

enum ox_code ox_wire_put_installation(json_t *json, const struct ox_installation *installation,
                                      struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (installation->instance[0] != '\0') {
        code = ox_json_set_str(json, "instance", installation->instance, err);
    }
    if (code == OX_OK && installation->start[0] != '\0') {
        code = ox_json_set_str(json, "start", installation->start, err);
    }
    if (code == OX_OK && installation->poll_interval_s != 0) {
        code = ox_json_set_u64(json, "poll_interval_s", installation->poll_interval_s, err);
    }
    if (code == OX_OK && installation->has_utc_offset) {
        code = ox_json_set(json, "utc_offset_s", json_integer(installation->utc_offset_s), err);
    }
    if (code == OX_OK && installation->disk_total_bytes != 0) {
        code = ox_json_set(json, "disk",
                           json_pack("{s:I, s:I}", "free_bytes",
                                     (json_int_t)installation->disk_free_bytes, "total_bytes",
                                     (json_int_t)installation->disk_total_bytes),
                           err);
    }
    return code;
}

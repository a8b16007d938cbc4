#include "identity.h"

#include "folders.h"
#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/base/json.h"
#include "oxide/base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDENTITY_BYTES_MAX ((size_t)65536)

static enum ox_code draw(char *out, size_t digits, struct ox_err *err)
{
    uint8_t bytes[OX_INSTANCE_HEX / 2];
    enum ox_code code = ox_random_bytes(bytes, digits / 2, err);

    for (size_t i = 0; code == OX_OK && i < digits / 2; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
    return code;
}

static enum ox_code save(const struct ox_identity *identity, const char *path, struct ox_err *err)
{
    json_t *json = json_pack("{s:i, s:s, s:s, s:s}", "format", OX_IDENTITY_FORMAT, "instance",
                             identity->instance, "device_id", identity->device_id, "configured_id",
                             identity->configured);
    char *text = NULL;
    enum ox_code code =
        json == NULL ? ox_err_nomem(err, "the identity") : ox_json_text(json, &text, err);

    if (code == OX_OK) {
        code = ox_file_replace(path, text, strlen(text), 0600, err);
    }
    free(text);
    json_decref(json);
    return code;
}

static enum ox_code take_all(const json_t *json, struct ox_identity *out, struct ox_err *err)
{
    const char *instance = NULL;
    const char *device_id = NULL;
    const char *configured = NULL;
    uint64_t format = 0;
    enum ox_code code = ox_json_get_u64(json, "format", &format, err);

    if (code != OX_OK) {
        return code;
    }
    if (format != OX_IDENTITY_FORMAT) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "it is of format %llu, this release reads %d: use a newer release",
                          (unsigned long long)format, OX_IDENTITY_FORMAT);
    }
    if ((code = ox_json_get_str(json, "instance", &instance, err)) != OX_OK ||
        (code = ox_instance_check("\"instance\"", instance, err)) != OX_OK ||
        (code = ox_json_get_str(json, "device_id", &device_id, err)) != OX_OK ||
        (code = ox_id_check("\"device_id\"", device_id, err)) != OX_OK ||
        (code = ox_json_get_str(json, "configured_id", &configured, err)) != OX_OK ||
        (code = ox_id_check("\"configured_id\"", configured, err)) != OX_OK) {
        return code;
    }
    (void)snprintf(out->instance, sizeof(out->instance), "%s", instance);
    (void)snprintf(out->device_id, sizeof(out->device_id), "%s", device_id);
    (void)snprintf(out->configured, sizeof(out->configured), "%s", configured);
    return OX_OK;
}

enum ox_code ox_identity_load(struct ox_identity *out, const char *path, struct ox_err *err)
{
    struct ox_identity identity = {.instance = ""};
    struct ox_buf text = OX_BUF_INIT;
    json_t *json = NULL;
    enum ox_code code = ox_file_read_own(path, IDENTITY_BYTES_MAX, &text, err);

    if (code == OX_OK &&
        (code = ox_json_parse_object(text.data, text.len_bytes, &json, err)) == OX_OK) {
        code = take_all(json, &identity, err);
    }
    json_decref(json);
    ox_buf_clear(&text);
    if (code == OX_OK) {
        *out = identity;
    }
    if (code == OX_EINVAL || code == OX_ETOOBIG) {
        code = ox_err_set(err, OX_ECORRUPT, "%s is damaged: %s", path, err == NULL ? "" : err->msg);
    } else if (code == OX_EUNSUPPORTED) {
        ox_err_context(err, "%s", path);
    }
    return code;
}

enum ox_code ox_identity_open(struct ox_identity *out, const char *path, const char *configured,
                              const struct ox_log *log, struct ox_err *err)
{
    struct ox_err scratch = OX_ERR_INIT;
    struct ox_identity identity = {.instance = ""};
    bool fresh;
    enum ox_code code;

    err = err == NULL ? &scratch : err; /* we quote its message */
    code = ox_identity_load(&identity, path, err);
    if (code == OX_ECORRUPT || code == OX_EUNSUPPORTED) {
        char why[OX_ERR_MSG_MAX];

        memcpy(why, err->msg, sizeof(why));
        code = ox_set_aside(path, ox_clock_system()->wall_ms(NULL), why, log, err);
        code = code == OX_OK ? OX_ENOTFOUND : code;
    }
    fresh = code == OX_ENOTFOUND;
    if (fresh) {
        ox_err_clear(err);
        code = draw(identity.instance, OX_INSTANCE_HEX, err);
    }
    if (code == OX_OK) {
        code = draw(identity.start, OX_START_HEX, err);
    }
    if (code == OX_OK && (fresh || strcmp(identity.configured, configured) != 0)) {
        (void)snprintf(identity.configured, sizeof(identity.configured), "%s", configured);
        (void)snprintf(identity.device_id, sizeof(identity.device_id), "%s", configured);
        code = save(&identity, path, err);
    }
    if (code == OX_OK) {
        *out = identity;
    }
    return code;
}

enum ox_code ox_identity_take(struct ox_identity *identity, const char *path, const char *device_id,
                              const char *instance, bool *changed, struct ox_err *err)
{
    struct ox_identity next = *identity;
    enum ox_code code;

    if (device_id != NULL) {
        (void)snprintf(next.device_id, sizeof(next.device_id), "%s", device_id);
    }
    if (instance[0] != '\0') {
        (void)snprintf(next.instance, sizeof(next.instance), "%s", instance);
    }
    *changed = strcmp(next.device_id, identity->device_id) != 0 ||
               strcmp(next.instance, identity->instance) != 0;
    if (!*changed) {
        return OX_OK;
    }
    code = save(&next, path, err);
    if (code == OX_OK) {
        *identity = next;
    }
    return code;
}

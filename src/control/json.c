#include "inner.h"

#include "oxide/base/text.h"
#include "oxide/wire/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAGS_MAX 16384

enum ox_code ox_body_id(const json_t *body, const char *key, const char **out, struct ox_err *err)
{
    const char *id = NULL;
    char what[64];
    enum ox_code code = ox_json_get_str(body, key, &id, err);

    (void)snprintf(what, sizeof(what), "value of \"%.32s\"", key);
    if (code == OX_OK && (code = ox_id_check(what, id, err)) == OX_OK) {
        *out = id;
    }
    return code;
}

enum ox_code ox_body_text(const json_t *body, const char *key, bool required, const char **out,
                          struct ox_err *err)
{
    enum ox_code code =
        required ? ox_json_get_str(body, key, out, err) : ox_json_opt_str(body, key, out, err);

    if (code == OX_OK && *out != NULL && strnlen(*out, OX_NAME_MAX + 1) > OX_NAME_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"%s\" has at most %d bytes", key, OX_NAME_MAX);
    }
    return code;
}

static enum ox_code tags_text(const json_t *tags, char **out, struct ox_err *err)
{
    enum ox_code code = ox_json_text(tags, out, err);

    if (code == OX_OK && strlen(*out) > TAGS_MAX) {
        free(*out);
        *out = NULL;
        code = ox_err_set(err, OX_EINVAL, "\"tags\" have at most %d bytes", TAGS_MAX);
    }
    return code;
}

/* Set those of `from` in `tags`; null takes one away if `nulls`, else it is refused. */
static enum ox_code set_tags(json_t *tags, const json_t *from, bool nulls, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (void *at = json_object_iter((json_t *)from); code == OX_OK && at != NULL;
         at = json_object_iter_next((json_t *)from, at)) {
        const char *key = json_object_iter_key(at);
        json_t *value = json_object_iter_value(at);

        if (json_is_null(value) && nulls) {
            (void)json_object_del(tags, key);
        } else if (json_is_string(value)) {
            code = ox_json_set(tags, key, json_incref(value), err);
        } else {
            code = ox_err_set(err, OX_EINVAL, "tag \"%.64s\" must be a string%s", key,
                              nulls ? ", or null to take it away" : "");
        }
    }
    return code;
}

static enum ox_code tags_onto(const json_t *body, json_t *take_held, bool nulls, char **out,
                              struct ox_err *err)
{
    json_t *tags = json_is_object(take_held) ? json_incref(take_held) : json_object();
    const json_t *from = NULL;
    enum ox_code code =
        tags == NULL ? ox_err_nomem(err, "tags") : ox_json_opt_object(body, "tags", &from, err);

    if (code == OX_OK && from != NULL) {
        code = set_tags(tags, from, nulls, err);
    }
    if (code == OX_OK) {
        code = tags_text(tags, out, err);
    }
    json_decref(tags);
    json_decref(take_held);
    return code;
}

enum ox_code ox_body_tags(const json_t *body, char **out, struct ox_err *err)
{
    return tags_onto(body, NULL, false, out, err);
}

enum ox_code ox_body_tags_onto(const json_t *body, const char *held, char **out, struct ox_err *err)
{
    return tags_onto(body, ox_json_of_text(held), true, out, err);
}

json_t *ox_json_of_text(const char *text)
{
    json_t *json = text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);

    return json == NULL ? json_null() : json;
}

json_t *ox_json_of_time(int64_t wall_ms)
{
    char text[OX_TIME_TEXT_MAX];

    return wall_ms == 0 ? json_null() : json_string(ox_time_text(wall_ms, text));
}

json_t *ox_json_of_digest(const struct ox_digest *digest)
{
    char hex[OX_DIGEST_HEX_MAX];

    return json_string(ox_digest_hex(digest, hex));
}

json_t *ox_json_of_str(const char *text)
{
    json_t *json = text == NULL ? json_null() : json_string(text);
    char *copy = NULL;

    /* A message that was cut to fit may end within a character. */
    if (json == NULL && ox_strdup(&copy, text, NULL) == OX_OK) {
        ox_text_clean(copy);
        json = json_string(copy);
        free(copy);
    }
    return json;
}

json_t *ox_json_of_opt(const char *text)
{
    return text == NULL ? NULL : ox_json_of_str(text);
}

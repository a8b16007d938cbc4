#include "oxide/base/json.h"

#include <stdlib.h>
#include <string.h>

/* jansson recurses per level (its own limit is 2048); ours is checked before it sees the text. */
static bool too_deep(const char *text, size_t len_bytes)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < len_bytes; i++) {
        char c = text[i];

        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > OX_JSON_DEPTH_MAX) {
                return true;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

/* Texts end at a NUL, so none can hold one, written as it is or as \u0000. */
static enum ox_code refuse_nul(int line, int column, struct ox_err *err)
{
    return ox_err_set(err, OX_EINVAL,
                      "not valid JSON: it holds a NUL (a byte 0, or \\u0000), which no text may "
                      "hold: leave it out (line %d, column %d)",
                      line, column);
}

/* Lines and columns as jansson counts them, a character of UTF-8 being one column. */
static enum ox_code refuse_nul_byte(const char *text, const char *nul, struct ox_err *err)
{
    int line = 1;
    int column = 1;

    for (; text < nul; text++) {
        if (*text == '\n') {
            line++;
            column = 0;
        }
        column += (*text & 0xc0) != 0x80;
    }
    return refuse_nul(line, column, err);
}

enum ox_code ox_json_parse(const void *text, size_t len_bytes, json_t **out, struct ox_err *err)
{
    const char *nul = len_bytes == 0 ? NULL : memchr(text, '\0', len_bytes);
    json_error_t problem;
    json_t *json;

    if (nul != NULL) {
        return refuse_nul_byte(text, nul, err);
    }
    if (too_deep(text, len_bytes)) {
        return ox_err_set(err, OX_EINVAL, "JSON is nested deeper than %d levels",
                          OX_JSON_DEPTH_MAX);
    }
    json = json_loadb(text, len_bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (json == NULL && (json_error_code(&problem) == json_error_null_character ||
                         json_error_code(&problem) == json_error_null_byte_in_key)) {
        return refuse_nul(problem.line, problem.column, err);
    }
    if (json == NULL) {
        return ox_err_set(err, OX_EINVAL, "not valid JSON: %s (line %d, column %d)", problem.text,
                          problem.line, problem.column);
    }
    *out = json;
    return OX_OK;
}

enum ox_code ox_json_parse_object(const void *text, size_t len_bytes, json_t **out,
                                  struct ox_err *err)
{
    json_t *json = NULL;
    enum ox_code code = ox_json_parse(text, len_bytes, &json, err);

    if (code != OX_OK) {
        return code;
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return ox_err_set(err, OX_EINVAL, "a JSON object is expected");
    }
    *out = json;
    return OX_OK;
}

enum ox_code ox_json_text(const json_t *json, char **out, struct ox_err *err)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_PRESERVE_ORDER);

    if (text == NULL) {
        return ox_err_nomem(err, "JSON text");
    }
    *out = text;
    return OX_OK;
}

bool ox_json_has(const json_t *object, const char *key)
{
    return json_object_get(object, key) != NULL;
}

static const json_t *present(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}

static enum ox_code wrong_type(struct ox_err *err, const char *key, const char *expected)
{
    return ox_err_set(err, OX_EINVAL, "\"%s\" must be %s", key, expected);
}

static enum ox_code missing(struct ox_err *err, const char *key, const char *expected)
{
    return ox_err_set(err, OX_EINVAL, "\"%s\" is missing: it must be %s", key, expected);
}

static const char a_string[] = "a string";
static const char a_whole_number[] = "a whole number, 0 or more";

enum ox_code ox_json_get_str(const json_t *object, const char *key, const char **out,
                             struct ox_err *err)
{
    if (present(object, key) == NULL) {
        return missing(err, key, a_string);
    }
    return ox_json_opt_str(object, key, out, err);
}

enum ox_code ox_json_get_u64(const json_t *object, const char *key, uint64_t *out,
                             struct ox_err *err)
{
    if (present(object, key) == NULL) {
        return missing(err, key, a_whole_number);
    }
    return ox_json_opt_u64(object, key, out, err);
}

enum ox_code ox_json_opt_str(const json_t *object, const char *key, const char **out,
                             struct ox_err *err)
{
    const json_t *value = present(object, key);

    if (value == NULL) {
        return OX_OK;
    }
    if (!json_is_string(value)) {
        return wrong_type(err, key, a_string);
    }
    *out = json_string_value(value);
    return OX_OK;
}

enum ox_code ox_json_opt_u64(const json_t *object, const char *key, uint64_t *out,
                             struct ox_err *err)
{
    const json_t *value = present(object, key);

    if (value == NULL) {
        return OX_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return wrong_type(err, key, a_whole_number);
    }
    *out = (uint64_t)json_integer_value(value);
    return OX_OK;
}

enum ox_code ox_json_opt_bool(const json_t *object, const char *key, bool *out, struct ox_err *err)
{
    const json_t *value = present(object, key);

    if (value == NULL) {
        return OX_OK;
    }
    if (!json_is_boolean(value)) {
        return wrong_type(err, key, "true or false");
    }
    *out = json_is_true(value);
    return OX_OK;
}

enum ox_code ox_json_opt_object(const json_t *object, const char *key, const json_t **out,
                                struct ox_err *err)
{
    const json_t *value = present(object, key);

    if (value == NULL) {
        return OX_OK;
    }
    if (!json_is_object(value)) {
        return wrong_type(err, key, "an object");
    }
    *out = value;
    return OX_OK;
}

enum ox_code ox_json_opt_array(const json_t *object, const char *key, const json_t **out,
                               struct ox_err *err)
{
    const json_t *value = present(object, key);

    if (value == NULL) {
        return OX_OK;
    }
    if (!json_is_array(value)) {
        return wrong_type(err, key, "an array");
    }
    *out = value;
    return OX_OK;
}

enum ox_code ox_json_set(json_t *object, const char *key, json_t *take_value, struct ox_err *err)
{
    if (take_value == NULL || json_object_set_new(object, key, take_value) != 0) {
        return ox_err_nomem(err, "JSON");
    }
    return OX_OK;
}

enum ox_code ox_json_set_str(json_t *object, const char *key, const char *value, struct ox_err *err)
{
    return ox_json_set(object, key, value == NULL ? json_null() : json_string(value), err);
}

enum ox_code ox_json_set_u64(json_t *object, const char *key, uint64_t value, struct ox_err *err)
{
    if (value > INT64_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "\"%s\" passes 2^63 - 1", key);
    }
    return ox_json_set(object, key, json_integer((json_int_t)value), err);
}

enum ox_code ox_json_append(json_t *array, json_t *take_value, struct ox_err *err)
{
    if (take_value == NULL || json_array_append_new(array, take_value) != 0) {
        return ox_err_nomem(err, "JSON");
    }
    return OX_OK;
}

#include "meta_args.h"

#include <stdlib.h>
#include <string.h>

/* The object at `key`, made if absent. */
static json_t *object_at(json_t *meta, const char *key)
{
    json_t *object = json_object_get(meta, key);

    if (object == NULL && json_object_set_new(meta, key, json_object()) == 0) {
        object = json_object_get(meta, key);
    }
    return object;
}

/* Set "KEY=..." to a value that is taken; `len` are the bytes of KEY. */
static enum ox_code set_pair(json_t *meta, const char *object, const char *pair, size_t len,
                             json_t *take_value, struct ox_err *err)
{
    char *key = NULL;
    enum ox_code code = ox_strf(&key, err, "%.*s", (int)len, pair);

    if (code != OX_OK) {
        json_decref(take_value);
        return code;
    }
    code = ox_json_set(object_at(meta, object), key, take_value, err);
    free(key);
    return code;
}

static enum ox_code text_value(const char *text, json_t **out, struct ox_err *err)
{
    *out = json_string(text);
    return *out != NULL ? OX_OK : ox_err_set(err, OX_EINVAL, "'%s' is no valid UTF-8 text", text);
}

enum ox_code ox_meta_label(json_t *meta, const char *word, struct ox_err *err)
{
    const char *equals = strchr(word, '=');
    size_t len = equals == NULL ? strlen(word) : (size_t)(equals - word);
    json_t *value = NULL;
    enum ox_code code = OX_OK;

    if (len == 0) {
        return ox_err_set(err, OX_EINVAL, "a label is KEY=VALUE, or KEY alone: '%s' has no key",
                          word);
    }
    if (equals == NULL && word[len - 1] == '-') {
        return set_pair(meta, "labels", word, len - 1, json_null(), err);
    }
    code = text_value(equals == NULL ? "" : equals + 1, &value, err);
    return code == OX_OK ? set_pair(meta, "labels", word, len, value, err) : code;
}

static enum ox_code set_metric(json_t *meta, const char *pair, struct ox_err *err)
{
    const char *equals = strchr(pair, '=');
    json_t *value;

    if (equals == NULL || equals == pair) {
        return ox_err_set(err, OX_EINVAL, "--metric is NAME=NUMBER, not '%s'", pair);
    }
    value = equals[1] == '\0' ? json_null() : json_loads(equals + 1, JSON_DECODE_ANY, NULL);
    if (value == NULL || !(json_is_number(value) || equals[1] == '\0')) {
        json_decref(value);
        return ox_err_set(err, OX_EINVAL, "--metric %s: '%s' is no number", pair, equals + 1);
    }
    return set_pair(meta, "metrics", pair, (size_t)(equals - pair), value, err);
}

enum ox_code ox_meta_args(const struct ox_args *args, json_t *meta, struct ox_err *err)
{
    static const char *const texts[][2] = {
        {"parent", "parent"}, {"commit", "commit"},   {"data-digest", "data_digest"},
        {"notes", "notes"},   {"variant", "variant"}, {"requires", "requires"},
    };
    uint64_t rank = 0;
    const char *word;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = ox_args_value(args, texts[i][0], NULL);
        json_t *value = json_null();

        if (text != NULL && text[0] != '\0') {
            code = text_value(text, &value, err);
        }
        if (text != NULL && code == OX_OK) {
            code = ox_json_set(meta, texts[i][1], value, err);
        }
    }
    for (size_t i = 0; code == OX_OK && (word = ox_args_nth(args, "label", i)) != NULL; i++) {
        code = ox_meta_label(meta, word, err);
    }
    for (size_t i = 0; code == OX_OK && (word = ox_args_nth(args, "metric", i)) != NULL; i++) {
        code = set_metric(meta, word, err);
    }
    if (code == OX_OK && ox_args_has(args, "rank") &&
        (code = ox_args_number(args, "rank", 0, 1000, &rank, err)) == OX_OK) {
        code = ox_json_set_u64(meta, "rank", rank, err);
    }
    return code;
}

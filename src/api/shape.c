#include "shape.h"

#include "oxide/base/clock.h"
#include "oxide/base/digest.h"
#include "oxide/wire/id.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8
#define NAME_MAX_BYTES 64

/* What the lower-case words stand for, as JSON Schema. */
static const struct {
    const char *word;
    const char *schema;
} words[] = {
    {"text", "{\"type\":\"string\"}"},
    {"id", "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_+-][A-Za-z0-9._+-]*$\","
           "\"maxLength\":256}"},
    {"int", "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":0}"},
    {"number", "{\"type\":\"number\"}"},
    {"bool", "{\"type\":\"boolean\"}"},
    {"time", "{\"type\":\"string\",\"format\":\"date-time\"}"},
    {"digest", "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{64}$\"}"},
    {"object", "{\"type\":\"object\"}"},
    {"any", "{}"},
    {"binary", "{\"type\":\"string\",\"format\":\"binary\"}"},
};

struct parse {
    const char *text;
    const char *at;
    unsigned depth;
    struct ox_err *err;
};

static enum ox_code alternatives(struct parse *parse, json_t **out);

static enum ox_code wrong(const struct parse *parse, const char *expected)
{
    return ox_err_set(parse->err, OX_EINTERNAL, "the shape \"%.200s\": %s expected at byte %td",
                      parse->text, expected, parse->at - parse->text);
}

static void skip_blanks(struct parse *parse)
{
    parse->at += strspn(parse->at, " \n");
}

/* Is the next thing `mark`? Then it is behind us. */
static bool take(struct parse *parse, char mark)
{
    skip_blanks(parse);
    if (*parse->at != mark) {
        return false;
    }
    parse->at++;
    return true;
}

static enum ox_code take_name(struct parse *parse, char out[NAME_MAX_BYTES])
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*";
    size_t len;

    skip_blanks(parse);
    len = strspn(parse->at, allowed);
    if (len == 0 || len >= NAME_MAX_BYTES) {
        return wrong(parse, "a name");
    }
    memcpy(out, parse->at, len);
    out[len] = '\0';
    parse->at += len;
    return OX_OK;
}

static enum ox_code field(struct parse *parse, json_t *properties, json_t *required, json_t *object)
{
    char name[NAME_MAX_BYTES];
    json_t *schema = NULL;
    bool optional = false;
    enum ox_code code = take_name(parse, name);

    if (code == OX_OK) {
        optional = take(parse, '?');
        code = take(parse, ':') ? alternatives(parse, &schema) : wrong(parse, "':'");
    }
    if (code != OX_OK) {
        return code;
    }
    if (strcmp(name, "*") == 0) {
        return ox_json_set(object, "additionalProperties", schema, parse->err);
    }
    code = ox_json_set(properties, name, schema, parse->err);
    return code == OX_OK && !optional ? ox_json_append(required, json_string(name), parse->err)
                                      : code;
}

static enum ox_code object_of(struct parse *parse, json_t **out)
{
    json_t *object = json_pack("{s:s}", "type", "object");
    json_t *properties = json_object();
    json_t *required = json_array();
    enum ox_code code = object == NULL ? ox_err_nomem(parse->err, "a schema") : OX_OK;

    while (code == OX_OK && !take(parse, '}')) {
        code = field(parse, properties, required, object);
        if (code == OX_OK && !take(parse, ',')) {
            code = take(parse, '}') ? OX_OK : wrong(parse, "',' or '}'");
            break;
        }
    }
    if (code == OX_OK && json_object_size(properties) > 0) {
        code = ox_json_set(object, "properties", json_incref(properties), parse->err);
    }
    if (code == OX_OK && json_array_size(required) > 0) {
        code = ox_json_set(object, "required", json_incref(required), parse->err);
    }
    json_decref(properties);
    json_decref(required);
    if (code != OX_OK) {
        json_decref(object);
        return code;
    }
    *out = object;
    return OX_OK;
}

/* "(1..1000)" or "(64)" behind a word. */
static enum ox_code bounds(struct parse *parse, const char *word, json_t *schema)
{
    char *end = NULL;
    bool is_number = strcmp(word, "int") == 0;
    long long first;
    enum ox_code code = OX_OK;

    if (!take(parse, '(')) {
        return OX_OK;
    }
    first = strtoll(parse->at, &end, 10);
    parse->at = end;
    if (strncmp(parse->at, "..", 2) == 0) {
        code = ox_json_set(schema, "minimum", json_integer(first), parse->err);
        first = strtoll(parse->at + 2, &end, 10);
        parse->at = end;
    }
    if (code == OX_OK) {
        code = ox_json_set(schema, is_number ? "maximum" : "maxLength", json_integer(first),
                           parse->err);
    }
    return code == OX_OK && !take(parse, ')') ? wrong(parse, "')'") : code;
}

static enum ox_code named(struct parse *parse, json_t **out)
{
    char name[NAME_MAX_BYTES];
    json_t *schema = NULL;
    enum ox_code code = take_name(parse, name);

    if (code != OX_OK) {
        return code;
    }
    if (name[0] >= 'A' && name[0] <= 'Z') {
        *out = json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", name));
        return *out == NULL ? ox_err_nomem(parse->err, "a schema") : OX_OK;
    }
    for (size_t i = 0; schema == NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, name) == 0) {
            schema = json_loads(words[i].schema, 0, NULL);
        }
    }
    if (schema == NULL) {
        return wrong(parse, "a known word");
    }
    code = bounds(parse, name, schema);
    if (code != OX_OK) {
        json_decref(schema);
        return code;
    }
    *out = schema;
    return OX_OK;
}

static enum ox_code single(struct parse *parse, json_t **out)
{
    json_t *schema = NULL;
    enum ox_code code = take(parse, '{') ? object_of(parse, &schema) : named(parse, &schema);

    while (code == OX_OK && strncmp(parse->at, "[]", 2) == 0) {
        parse->at += 2;
        schema = json_pack("{s:s, s:o}", "type", "array", "items", schema);
        code = schema == NULL ? ox_err_nomem(parse->err, "a schema") : OX_OK;
    }
    *out = schema;
    return code;
}

static enum ox_code literal(struct parse *parse, json_t *literals)
{
    size_t len = strcspn(parse->at, "'");
    enum ox_code code;

    if (len == 0 || parse->at[len] != '\'') {
        return wrong(parse, "a word and \"'\"");
    }
    code = ox_json_append(literals, json_stringn(parse->at, len), parse->err);
    parse->at += len + 1;
    return code;
}

/* One schema for all: {"type": ["string", "null"]} where that will do, else {"anyOf": [...]}. */
static enum ox_code join(json_t *schemas, bool nullable, json_t **out, struct ox_err *err)
{
    json_t *first = json_array_get(schemas, 0);
    json_t *type = json_object_get(first, "type");
    json_t *literals = json_object_get(first, "enum");
    enum ox_code code = OX_OK;

    if (nullable && json_array_size(schemas) == 1 && type != NULL) {
        code = ox_json_set(first, "type", json_pack("[O, s]", type, "null"), err);
        if (code == OX_OK && literals != NULL) {
            code = ox_json_append(literals, json_null(), err);
        }
    } else if (nullable) {
        code = ox_json_append(schemas, json_pack("{s:s}", "type", "null"), err);
    }
    if (code != OX_OK) {
        return code;
    }
    *out =
        json_array_size(schemas) == 1 ? json_incref(first) : json_pack("{s:O}", "anyOf", schemas);
    return *out == NULL ? ox_err_nomem(err, "a schema") : OX_OK;
}

static enum ox_code alternatives(struct parse *parse, json_t **out)
{
    json_t *schemas = json_array();
    json_t *literals = json_array();
    bool nullable = false;
    enum ox_code code = ++parse->depth > DEPTH_MAX ? wrong(parse, "less depth") : OX_OK;

    do {
        json_t *schema = NULL;

        skip_blanks(parse);
        if (code != OX_OK) {
            break;
        }
        if (take(parse, '\'')) {
            code = literal(parse, literals);
        } else if (strncmp(parse->at, "null", 4) == 0) {
            parse->at += 4;
            nullable = true;
        } else if ((code = single(parse, &schema)) == OX_OK) {
            code = ox_json_append(schemas, schema, parse->err);
        }
    } while (take(parse, '|'));
    if (code == OX_OK && json_array_size(literals) > 0) {
        code = ox_json_append(schemas, json_pack("{s:s, s:O}", "type", "string", "enum", literals),
                              parse->err);
    }
    if (code == OX_OK) {
        code = join(schemas, nullable, out, parse->err);
    }
    json_decref(literals);
    json_decref(schemas);
    parse->depth--;
    return code;
}

enum ox_code ox_shape_schema(const char *shape, json_t **out, struct ox_err *err)
{
    struct parse parse = {shape, shape, 0, err};
    json_t *schema = NULL;
    enum ox_code code = alternatives(&parse, &schema);

    if (code == OX_OK && *parse.at != '\0') {
        code = wrong(&parse, "the end");
    }
    if (code != OX_OK) {
        json_decref(schema);
        return code;
    }
    *out = schema;
    return OX_OK;
}

/* --- one value against its shape --- */

static enum ox_code check_integer(const json_t *schema, const char *text, struct ox_err *err)
{
    const json_t *max = json_object_get(schema, "maximum");
    int64_t least = json_integer_value(json_object_get(schema, "minimum"));
    int64_t most = max == NULL ? INT64_MAX : json_integer_value(max);
    char *end = NULL;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < least ||
        value > most) {
        return max == NULL
                   ? ox_err_set(err, OX_EINVAL, "must be a whole number, %" PRId64 " or more",
                                least)
                   : ox_err_set(err, OX_EINVAL, "must be a whole number, %" PRId64 " to %" PRId64,
                                least, most);
    }
    return OX_OK;
}

static enum ox_code check_word(const json_t *literals, const char *text, struct ox_err *err)
{
    struct ox_buf known = OX_BUF_INIT;
    json_t *literal;
    size_t i;
    enum ox_code code = OX_OK;

    json_array_foreach(literals, i, literal)
    {
        const char *word = json_string_value(literal);

        if (word != NULL && strcmp(word, text) == 0) {
            ox_buf_clear(&known);
            return OX_OK;
        }
        code = code == OX_OK && word != NULL
                   ? ox_buf_printf(&known, err, "%s%s", i == 0 ? "" : ", ", word)
                   : code;
    }
    if (code == OX_OK) {
        code = ox_err_set(err, OX_EINVAL, "must be one of %s", (const char *)known.data);
    }
    ox_buf_clear(&known);
    return code;
}

static enum ox_code check_against(const json_t *schema, const char *shape, const char *text,
                                  struct ox_err *err)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    const json_t *max = json_object_get(schema, "maxLength");
    const json_t *literals = json_object_get(schema, "enum");
    char *end = NULL;

    if (type == NULL) {
        return ox_err_set(err, OX_EINTERNAL, "the shape \"%.200s\" is not of one value", shape);
    }
    if (strcmp(type, "integer") == 0) {
        return check_integer(schema, text, err);
    }
    if (strcmp(type, "boolean") == 0) {
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || strcmp(text, "1") == 0 ||
                       strcmp(text, "0") == 0
                   ? OX_OK
                   : ox_err_set(err, OX_EINVAL, "must be true or false");
    }
    if (strcmp(type, "number") == 0) {
        (void)strtod(text, &end);
        return text[strspn(text, "0123456789.eE+-")] == '\0' && *end == '\0' && end != text
                   ? OX_OK
                   : ox_err_set(err, OX_EINVAL, "must be a number");
    }
    if (literals != NULL) {
        return check_word(literals, text, err);
    }
    if (strcmp(shape, "id") == 0) {
        return ox_id_check("value", text, err);
    }
    if (strcmp(shape, "digest") == 0) {
        struct ox_digest digest;

        return ox_digest_parse(text, &digest, err);
    }
    if (strcmp(shape, "time") == 0) {
        int64_t wall_ms = 0;

        return ox_time_parse(text, &wall_ms, err);
    }
    if (max != NULL && strlen(text) > (size_t)json_integer_value(max)) {
        return ox_err_set(err, OX_EINVAL, "must have at most %" PRId64 " bytes",
                          (int64_t)json_integer_value(max));
    }
    return OX_OK;
}

enum ox_code ox_shape_check(const char *shape, const char *text, struct ox_err *err)
{
    json_t *schema = NULL;
    enum ox_code code = ox_shape_schema(shape, &schema, err);

    if (code == OX_OK) {
        code = check_against(schema, shape, text, err);
    }
    json_decref(schema);
    return code;
}

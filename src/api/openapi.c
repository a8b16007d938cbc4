/* Source: OpenAPI Specification 3.1.0. */
#include "openapi.h"

#include "routes.h"
#include "schemas.h"
#include "shape.h"
#include "status.h"

#include "oxide/wire/header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_MAX 512
#define API_PREFIX "/api/v1/"

/* Statuses of answers. To add one: a row here and in docs/rest.md. */
static const struct {
    unsigned status;
    const char *name; /* of an error's component; NULL: no error */
    const char *what;
} statuses[] = {
    {200, NULL, "Done"},
    {201, NULL, "Made"},
    {202, NULL, "Taken; more is expected"},
    {204, NULL, "Done; there is nothing to say"},
    {206, NULL, "The range that was asked for"},
    {304, NULL, "The asker holds it already"},
    {400, "BadRequest", "The request is wrong"},
    {404, "NotFound", "It is not here"},
    {405, "MethodNotAllowed", "The path does not know this method: see Allow"},
    {408, "RequestTimeout", "The request came too slowly"},
    {409, "Conflict", "It exists already, or its state forbids this"},
    {411, "LengthRequired", "A body names its length, or comes in chunks"},
    {413, "TooLarge", "A body is over its limit"},
    {415, "UnsupportedMediaType", "A body is of another type than expected"},
    {416, "RangeNotSatisfiable", "The range lies outside: see Content-Range"},
    {429, "TooManyRequests", "Come back later: see Retry-After"},
    {500, "ServerError", "The control plane failed: its log says why"},
    {503, "Busy", "Try again in a moment"},
    {507, "NoSpace", "The control plane's disk is full"},
};
#define STATUSES (sizeof(statuses) / sizeof(statuses[0]))

/* The row of a status in text; STATUSES if there is none. */
static size_t find_status(const char *text)
{
    unsigned long status = strtoul(text, NULL, 10);
    size_t i = 0;

    while (i < STATUSES && statuses[i].status != status) {
        i++;
    }
    return i;
}

/* Copy the next of a list into item. False at the end. Marks within braces do not count. */
static bool next_item(const char **at, char mark, char item[ITEM_MAX])
{
    const char *from = *at + strspn(*at, " ");
    size_t len = 0;

    for (int depth = 0; from[len] != '\0' && (from[len] != mark || depth > 0); len++) {
        depth += (from[len] == '{') - (from[len] == '}');
    }
    if (len == 0 || len >= ITEM_MAX) {
        return false;
    }
    memcpy(item, from, len);
    item[len] = '\0';
    *at = from + len + (from[len] == mark);
    return true;
}

/* --- content --- */

/* Add "[MEDIA ][SHAPE]" to a content object. */
static enum ox_code add_content(json_t *content, const char *text, struct ox_err *err)
{
    char media[ITEM_MAX] = OX_MEDIA_JSON;
    const char *shape = text;
    const char *slash = strchr(text, '/');
    json_t *schema = NULL;
    enum ox_code code;

    if (slash != NULL && slash < text + strcspn(text, " {")) {
        size_t len = strcspn(text, " ");

        memcpy(media, text, len);
        media[len] = '\0';
        shape = text[len] == '\0' ? "binary" : text + len + 1;
    }
    code = ox_shape_schema(shape, &schema, err);
    if (code != OX_OK) {
        return code;
    }
    return ox_json_set(content, media, json_pack("{s:o}", "schema", schema), err);
}

static const char *what_of(const char *text, const char *otherwise)
{
    size_t len = strcspn(text, "[");

    for (size_t i = 0; i < ox_schemas_count; i++) {
        if (strlen(ox_schemas[i].name) == len && strncmp(ox_schemas[i].name, text, len) == 0) {
            return ox_schemas[i].what;
        }
    }
    return otherwise;
}

static enum ox_code request_body(const struct ox_route *route, json_t *operation,
                                 struct ox_err *err)
{
    json_t *content = json_object();
    const char *at = route->request;
    char item[ITEM_MAX];
    enum ox_code code = OX_OK;

    if (route->body == OX_BODY_NONE) {
        json_decref(content);
        return OX_OK;
    }
    while (code == OX_OK && next_item(&at, ',', item)) {
        code = add_content(content, item, err);
    }
    if (code != OX_OK) {
        json_decref(content);
        return code;
    }
    return ox_json_set(operation, "requestBody",
                       json_pack("{s:s, s:b, s:o}", "description",
                                 what_of(route->request, "The bytes"), "required",
                                 (int)(route->body != OX_BODY_TEXT), "content", content),
                       err);
}

/* --- answers --- */

/* Headers of answers, beside those of HTTP. */
static const struct {
    const char *name;
    const char *shape;
    const char *what;
    bool lists; /* of lists alone: routes that take a cursor */
} headers[] = {
    {OX_HEADER_REQUEST_ID, "text(64)", "The id of the request, as the log has it", false},
    {OX_HEADER_NEXT_CURSOR, "text", "Where the next page begins; absent after the last", true},
    {"Link", "text", "The next page: <...>; rel=\"next\"; absent after the last", true},
};
#define HEADERS (sizeof(headers) / sizeof(headers[0]))

static enum ox_code add_headers(json_t *response, bool is_list, struct ox_err *err)
{
    json_t *all = json_object();
    enum ox_code code = ox_json_set(response, "headers", all, err);

    for (size_t i = 0; code == OX_OK && i < HEADERS; i++) {
        if (is_list || !headers[i].lists) {
            code = ox_json_set(all, headers[i].name,
                               json_pack("{s:o}", "$ref",
                                         json_sprintf("#/components/headers/%s", headers[i].name)),
                               err);
        }
    }
    return code;
}

static bool names(const char *list, const char *word)
{
    char item[ITEM_MAX];

    while (list != NULL && next_item(&list, ' ', item)) {
        if (strcmp(item, word) == 0) {
            return true;
        }
    }
    return false;
}

static enum ox_code good_answer(json_t *responses, const char *item, bool is_list,
                                struct ox_err *err)
{
    size_t row = find_status(item);
    const char *rest = item + strspn(item, "0123456789 ");
    char status[8];
    json_t *response;
    json_t *content;
    enum ox_code code = OX_OK;

    if (row == STATUSES || statuses[row].name != NULL) {
        return ox_err_set(err, OX_EINTERNAL, "\"%.64s\" is no good answer", item);
    }
    (void)snprintf(status, sizeof(status), "%u", statuses[row].status);
    response = json_object_get(responses, status);
    if (response == NULL) {
        response = json_pack("{s:s}", "description", what_of(rest, statuses[row].what));
        code = ox_json_set(responses, status, response, err);
        code = code == OX_OK ? add_headers(response, is_list, err) : code;
    }
    if (code != OX_OK || *rest == '\0') {
        return code;
    }
    content = json_object_get(response, "content");
    if (content == NULL) {
        content = json_object();
        code = ox_json_set(response, "content", content, err);
    }
    return code == OX_OK ? add_content(content, rest, err) : code;
}

static enum ox_code bad_answer(json_t *responses, const char *item, struct ox_err *err)
{
    size_t row = find_status(item);
    char status[8];

    if (row == STATUSES || statuses[row].name == NULL) {
        return ox_err_set(err, OX_EINTERNAL, "\"%.64s\" is no bad answer", item);
    }
    (void)snprintf(status, sizeof(status), "%u", statuses[row].status);
    return ox_json_set(
        responses, status,
        json_pack("{s:o}", "$ref", json_sprintf("#/components/responses/%s", statuses[row].name)),
        err);
}

static enum ox_code answers(const struct ox_route *route, json_t *operation, struct ox_err *err)
{
    json_t *responses = json_object();
    const char *at = route->response;
    char item[ITEM_MAX];
    enum ox_code code = OX_OK;

    while (code == OX_OK && next_item(&at, ',', item)) {
        code = good_answer(responses, item, names(route->params, "cursor"), err);
    }
    at = route->errors;
    while (code == OX_OK && next_item(&at, ' ', item)) {
        code = bad_answer(responses, item, err);
    }
    if (code != OX_OK) {
        json_decref(responses);
        return code;
    }
    return ox_json_set(operation, "responses", responses, err);
}

/* --- parameters --- */

static const char *const places[] = {
    [OX_IN_PATH] = "path", [OX_IN_QUERY] = "query", [OX_IN_HEADER] = "header"};

/* The component of a parameter: a path and a query may have one of the same name. */
static json_t *component_name(const struct ox_parameter *parameter)
{
    return json_sprintf("%s.%s", places[parameter->place], parameter->name);
}

static enum ox_code add_parameter(json_t *list, const struct ox_parameter *parameter,
                                  const char *name, struct ox_err *err)
{
    json_t *component;
    enum ox_code code;

    if (parameter == NULL) {
        return ox_err_set(err, OX_EINTERNAL, "there is no parameter \"%.64s\"", name);
    }
    component = component_name(parameter);
    code = ox_json_append(
        list,
        json_pack("{s:o}", "$ref",
                  json_sprintf("#/components/parameters/%s", json_string_value(component))),
        err);
    json_decref(component);
    return code;
}

static enum ox_code parameters(const struct ox_route *route, json_t *operation, struct ox_err *err)
{
    json_t *list = json_array();
    const char *at = route->pattern + 1;
    char item[ITEM_MAX];
    enum ox_code code = OX_OK;

    while (code == OX_OK && next_item(&at, '/', item)) {
        if (item[0] == ':') {
            code = add_parameter(list, ox_parameter_find(OX_IN_PATH, item + 1, strlen(item + 1)),
                                 item, err);
        }
    }
    if (code == OX_OK) {
        code = add_parameter(
            list,
            ox_parameter_find(OX_IN_HEADER, OX_HEADER_REQUEST_ID, strlen(OX_HEADER_REQUEST_ID)),
            OX_HEADER_REQUEST_ID, err);
    }
    at = route->params == NULL ? "" : route->params;
    while (code == OX_OK && next_item(&at, ' ', item)) {
        const struct ox_parameter *found = ox_parameter_find(OX_IN_QUERY, item, strlen(item));

        code = add_parameter(
            list, found != NULL ? found : ox_parameter_find(OX_IN_HEADER, item, strlen(item)), item,
            err);
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    return ox_json_set(operation, "parameters", list, err);
}

/* --- operations --- */

/* "/api/v1/devices/:id" is about "devices", "/health" about "health". */
static json_t *tag_of(const char *pattern)
{
    const char *from = strncmp(pattern, API_PREFIX, strlen(API_PREFIX)) == 0
                           ? pattern + strlen(API_PREFIX)
                           : pattern + 1;

    return json_stringn(from, strcspn(from, "/."));
}

/* "/devices/:id" is "/devices/{id}" there. */
static void template_of(const char *pattern, char out[ITEM_MAX])
{
    size_t used = 0;
    bool in_param = false;

    for (const char *at = pattern; used + 2 < ITEM_MAX; at++) {
        if (in_param && (*at == '/' || *at == '\0')) {
            out[used++] = '}';
            in_param = false;
        }
        if (*at == '\0') {
            break;
        }
        in_param = in_param || *at == ':';
        out[used++] = *at == ':' ? '{' : *at;
    }
    out[used] = '\0';
}

static enum ox_code operation(const struct ox_route *route, json_t *path, struct ox_err *err)
{
    static const char lower[][2][8] = {
        {"GET", "get"}, {"PUT", "put"}, {"POST", "post"}, {"DELETE", "delete"}, {"PATCH", "patch"}};
    json_t *out = json_pack("{s:s, s:s, s:[o]}", "operationId", route->name, "summary",
                            route->summary, "tags", tag_of(route->pattern));
    const char *method = "get";
    enum ox_code code = out == NULL ? ox_err_nomem(err, "an operation") : OX_OK;

    for (size_t i = 0; i < sizeof(lower) / sizeof(lower[0]); i++) {
        method = strcmp(lower[i][0], route->method) == 0 ? lower[i][1] : method;
    }
    if (code != OX_OK || (code = parameters(route, out, err)) != OX_OK ||
        (code = request_body(route, out, err)) != OX_OK ||
        (code = answers(route, out, err)) != OX_OK) {
        json_decref(out);
        return code;
    }
    return ox_json_set(path, method, out, err);
}

static enum ox_code paths(json_t *document, json_t *tags, struct ox_err *err)
{
    json_t *all = json_object();
    enum ox_code code = ox_json_set(document, "paths", all, err);

    for (size_t i = 0; code == OX_OK && i < ox_routes_count; i++) {
        const struct ox_route *route = &ox_routes[i];
        char path[ITEM_MAX];
        json_t *item;
        json_t *tag = tag_of(route->pattern);

        template_of(route->pattern, path);
        item = json_object_get(all, path);
        if (item == NULL) {
            item = json_object();
            code = ox_json_set(all, path, item, err);
        }
        if (code == OX_OK && (code = operation(route, item, err)) != OX_OK) {
            (void)ox_err_context(err, "%s %s", route->method, route->pattern);
        }
        if (code == OX_OK) {
            code = ox_json_set(tags, json_string_value(tag), json_null(), err);
        }
        json_decref(tag);
    }
    return code;
}

/* --- components --- */

static bool is_answered(unsigned status)
{
    char word[8];

    (void)snprintf(word, sizeof(word), "%u", status);
    for (size_t i = 0; i < ox_routes_count; i++) {
        if (names(ox_routes[i].errors, word)) {
            return true;
        }
    }
    return false;
}

static enum ox_code header_components(json_t *components, struct ox_err *err)
{
    json_t *all = json_object();
    enum ox_code code = ox_json_set(components, "headers", all, err);

    for (size_t i = 0; code == OX_OK && i < HEADERS; i++) {
        json_t *schema = NULL;

        code = ox_shape_schema(headers[i].shape, &schema, err);
        if (code == OX_OK) {
            code = ox_json_set(
                all, headers[i].name,
                json_pack("{s:s, s:o}", "description", headers[i].what, "schema", schema), err);
        }
    }
    return code;
}

static enum ox_code error_components(json_t *components, struct ox_err *err)
{
    json_t *all = json_object();
    enum ox_code code = ox_json_set(components, "responses", all, err);

    for (size_t i = 0; code == OX_OK && i < STATUSES; i++) {
        json_t *content;
        json_t *response;
        char codes[ITEM_MAX] = "";
        size_t used = 0;

        if (statuses[i].name == NULL || !is_answered(statuses[i].status)) {
            continue;
        }
        content = json_object();
#define ADD_WORD(symbol, number, word)                                                             \
    if (ox_api_status(symbol) == statuses[i].status) {                                             \
        used += (size_t)snprintf(codes + used, sizeof(codes) - used, "%s%s",                       \
                                 used == 0 ? ". Codes: " : ", ", word);                            \
    }
        OX_CODES(ADD_WORD)
#undef ADD_WORD
        code = add_content(content, "Error", err);
        if (code != OX_OK) {
            json_decref(content);
            break;
        }
        response = json_pack("{s:o, s:o}", "description",
                             json_sprintf("%s%s", statuses[i].what, codes), "content", content);
        code = ox_json_set(all, statuses[i].name, response, err);
        code = code == OX_OK ? add_headers(response, false, err) : code;
    }
    return code;
}

static enum ox_code schema_components(json_t *components, struct ox_err *err)
{
    json_t *all = json_object();
    enum ox_code code = ox_json_set(components, "schemas", all, err);

    for (size_t i = 0; code == OX_OK && i < ox_schemas_count; i++) {
        json_t *schema = NULL;

        code = ox_shape_schema(ox_schemas[i].shape, &schema, err);
        if (code == OX_OK) {
            code = ox_json_set_str(schema, "description", ox_schemas[i].what, err);
        }
        if (code != OX_OK) {
            json_decref(schema);
            return ox_err_context(err, "schema %s", ox_schemas[i].name);
        }
        code = ox_json_set(all, ox_schemas[i].name, schema, err);
    }
    return code;
}

static enum ox_code parameter_components(json_t *components, struct ox_err *err)
{
    json_t *all = json_object();
    enum ox_code code = ox_json_set(components, "parameters", all, err);

    for (size_t i = 0; code == OX_OK && i < ox_parameters_count; i++) {
        const struct ox_parameter *row = &ox_parameters[i];
        json_t *schema = NULL;
        json_t *name = component_name(row);

        code = ox_shape_schema(row->shape, &schema, err);
        if (code == OX_OK) {
            code = ox_json_set(all, json_string_value(name),
                               json_pack("{s:s, s:s, s:s, s:b, s:o}", "name",
                                         ox_parameter_name(row), "in", places[row->place],
                                         "description", row->what, "required",
                                         (int)(row->place == OX_IN_PATH), "schema", schema),
                               err);
        }
        json_decref(name);
    }
    return code;
}

enum ox_code ox_openapi_document(const char *version, json_t **out, struct ox_err *err)
{
    json_t *components = json_object();
    json_t *tags = json_object(); /* as keys, so that each is there once */
    json_t *tag_list = json_array();
    json_t *document = json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s, s:s}], s:[]}", "openapi", "3.1.0", "info",
        "title", "oxide control plane", "version", version == NULL ? "0" : version, "description",
        "Which device runs which model, and campaigns that bring new ones. docs/rest.md tells the "
        "same for people.",
        "license", "name", "MIT", "identifier", "MIT", "servers", "url", "/", "description",
        "The server that this document came from", "security");
    const char *tag;
    json_t *value;
    enum ox_code code = document == NULL ? ox_err_nomem(err, "a document") : OX_OK;

    if (code == OX_OK && (code = paths(document, tags, err)) == OX_OK &&
        (code = schema_components(components, err)) == OX_OK &&
        (code = parameter_components(components, err)) == OX_OK &&
        (code = header_components(components, err)) == OX_OK) {
        code = error_components(components, err);
    }
    json_object_foreach(tags, tag, value)
    {
        if (code == OX_OK) {
            code = ox_json_append(tag_list, json_pack("{s:s}", "name", tag), err);
        }
    }
    if (code == OX_OK) {
        code = ox_json_set(document, "tags", json_incref(tag_list), err);
    }
    if (code == OX_OK) {
        code = ox_json_set(document, "components", json_incref(components), err);
    }
    json_decref(tag_list);
    json_decref(tags);
    json_decref(components);
    if (code != OX_OK) {
        json_decref(document);
        return code;
    }
    *out = document;
    return OX_OK;
}

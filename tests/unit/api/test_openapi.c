#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/api/openapi.h"
#include "../../../src/api/routes.h"
#include "../../../src/api/schemas.h"
#include "../../../src/api/shape.h"

#include "oxide/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- every row says all --- */

static bool lists(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = list; (at = strstr(at, word)) != NULL; at += len) {
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

static void routes__every_row_has_summary_request_response_and_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ox_routes_count; i++) {
        const struct ox_route *route = &ox_routes[i];
        bool is_json = route->body == OX_BODY_JSON || route->body == OX_BODY_TEXT;

        print_message("%s %s\n", route->method, route->pattern);
        assert_true(route->summary != NULL && route->summary[0] != '\0');
        assert_null(strchr(route->summary + strlen(route->summary) - 1, '.'));
        assert_non_null(route->request);
        assert_non_null(route->response);
        assert_true(route->response[0] >= '2' && route->response[0] <= '3');
        assert_non_null(route->errors);
        assert_non_null(route->handle);
        assert_int_equal(strcmp(route->request, "none") == 0, route->body == OX_BODY_NONE);
        assert_int_equal(route->stream != NULL, route->body == OX_BODY_STREAM);
        assert_true(lists(route->errors, "400")); /* for parameters that it does not know */
        assert_true(lists(route->errors, "500") && lists(route->errors, "503"));
        assert_true(!is_json || (lists(route->errors, "413") && lists(route->errors, "415")));
        assert_true(route->body != OX_BODY_STREAM ||
                    (lists(route->errors, "411") && lists(route->errors, "507")));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(route->name, ox_routes[j].name);
        }
    }
}

static void routes__every_row_stands_in_the_reference(void **state)
{
    struct ox_buf text = OX_BUF_INIT;

    (void)state;
    assert_int_equal(ox_file_read_all(OX_TESTS_DIR "/../docs/rest.md", 1 << 20, &text, NULL),
                     OX_OK);
    assert_int_equal(ox_buf_append(&text, "", 1, NULL), OX_OK);
    for (size_t i = 0; i < ox_routes_count; i++) {
        char call[256];

        (void)snprintf(call, sizeof(call), "`%s %s`", ox_routes[i].method, ox_routes[i].pattern);
        if (strstr((const char *)text.data, call) == NULL) {
            fail_msg("docs/rest.md does not tell of %s", call);
        }
    }
    ox_buf_clear(&text);
}

/* --- the document's structure --- */

/* What a key's value is: one of these, or an array or a map of them. */
enum kind {
    TEXT,
    BOOLEAN,
    INTEGER,
    ANY,
    SCHEMA,
    DOCUMENT,
    INFO,
    LICENSE,
    SERVER,
    TAG,
    PATH_ITEM,
    OPERATION,
    PARAMETER,
    BODY,
    MEDIA,
    RESPONSE,
    HEADER,
    COMPONENTS,
};
enum { ONE = 0, LIST = 1, MAP = 2, MUST = 4, REF = 8 }; /* REF: or a $ref to such a component */

/* OpenAPI 3.1.0, section 4.8; the keys of a schema are those that shape.c writes. */
static const struct {
    enum kind in;
    const char *key;
    enum kind is;
    int how;
} keys[] = {
    {DOCUMENT, "openapi", TEXT, MUST},
    {DOCUMENT, "info", INFO, MUST},
    {DOCUMENT, "servers", SERVER, LIST | MUST},
    {DOCUMENT, "paths", PATH_ITEM, MAP | MUST},
    {DOCUMENT, "components", COMPONENTS, MUST},
    {DOCUMENT, "tags", TAG, LIST | MUST},
    {DOCUMENT, "security", ANY, MUST},
    {INFO, "title", TEXT, MUST},
    {INFO, "version", TEXT, MUST},
    {INFO, "description", TEXT, ONE},
    {INFO, "license", LICENSE, ONE},
    {LICENSE, "name", TEXT, MUST},
    {LICENSE, "identifier", TEXT, ONE},
    {SERVER, "url", TEXT, MUST},
    {SERVER, "description", TEXT, ONE},
    {TAG, "name", TEXT, MUST},
    {PATH_ITEM, "get", OPERATION, ONE},
    {PATH_ITEM, "put", OPERATION, ONE},
    {PATH_ITEM, "post", OPERATION, ONE},
    {PATH_ITEM, "delete", OPERATION, ONE},
    {PATH_ITEM, "patch", OPERATION, ONE},
    {OPERATION, "operationId", TEXT, MUST},
    {OPERATION, "summary", TEXT, MUST},
    {OPERATION, "tags", TEXT, LIST | MUST},
    {OPERATION, "parameters", PARAMETER, LIST | REF},
    {OPERATION, "requestBody", BODY, ONE},
    {OPERATION, "responses", RESPONSE, MAP | MUST | REF},
    {PARAMETER, "name", TEXT, MUST},
    {PARAMETER, "in", TEXT, MUST},
    {PARAMETER, "description", TEXT, MUST},
    {PARAMETER, "required", BOOLEAN, MUST},
    {PARAMETER, "schema", SCHEMA, MUST},
    {BODY, "description", TEXT, MUST},
    {BODY, "required", BOOLEAN, MUST},
    {BODY, "content", MEDIA, MAP | MUST},
    {MEDIA, "schema", SCHEMA, MUST},
    {RESPONSE, "description", TEXT, MUST},
    {RESPONSE, "headers", HEADER, MAP | REF},
    {RESPONSE, "content", MEDIA, MAP},
    {HEADER, "description", TEXT, MUST},
    {HEADER, "schema", SCHEMA, MUST},
    {COMPONENTS, "schemas", SCHEMA, MAP | MUST},
    {COMPONENTS, "parameters", PARAMETER, MAP | MUST},
    {COMPONENTS, "responses", RESPONSE, MAP | MUST},
    {COMPONENTS, "headers", HEADER, MAP},
    {SCHEMA, "type", ANY, ONE},
    {SCHEMA, "description", TEXT, ONE},
    {SCHEMA, "format", TEXT, ONE},
    {SCHEMA, "pattern", TEXT, ONE},
    {SCHEMA, "minimum", INTEGER, ONE},
    {SCHEMA, "maximum", INTEGER, ONE},
    {SCHEMA, "maxLength", INTEGER, ONE},
    {SCHEMA, "enum", ANY, LIST},
    {SCHEMA, "anyOf", SCHEMA, LIST},
    {SCHEMA, "items", SCHEMA, ONE},
    {SCHEMA, "properties", SCHEMA, MAP},
    {SCHEMA, "additionalProperties", SCHEMA, ONE},
    {SCHEMA, "required", TEXT, LIST},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

struct checked {
    const json_t *document;
    json_t *used; /* the references that were met, as keys */
};

static const json_t *resolve(const struct checked *checked, const char *ref)
{
    const json_t *at = checked->document;
    char copy[256];
    char *rest = NULL;

    assert_int_equal(strncmp(ref, "#/", 2), 0);
    (void)snprintf(copy, sizeof(copy), "%s", ref + 2);
    for (char *part = strtok_r(copy, "/", &rest); part != NULL; part = strtok_r(NULL, "/", &rest)) {
        at = json_object_get(at, part);
    }
    if (at == NULL) {
        fail_msg("%s leads nowhere", ref);
    }
    return at;
}

static void check(struct checked *checked, const char *where, enum kind kind, bool ref_allowed,
                  const json_t *value);

static const char *folder_of(enum kind kind)
{
    switch (kind) {
    case PARAMETER:
        return "#/components/parameters/";
    case RESPONSE:
        return "#/components/responses/";
    case HEADER:
        return "#/components/headers/";
    default:
        return "#/components/schemas/";
    }
}

static void check_value(struct checked *checked, const char *where, enum kind kind, int how,
                        const json_t *value)
{
    bool ref = (how & REF) != 0 || kind == SCHEMA;
    char inner[512];
    const char *key;
    json_t *entry;
    size_t i;

    if ((how & LIST) != 0) {
        assert_true(json_is_array(value) && json_array_size(value) > 0);
        json_array_foreach(value, i, entry)
        {
            (void)snprintf(inner, sizeof(inner), "%.400s[%zu]", where, i);
            check(checked, inner, kind, ref, entry);
        }
    } else if ((how & MAP) != 0) {
        assert_true(json_is_object(value) && json_object_size(value) > 0);
        json_object_foreach((json_t *)value, key, entry)
        {
            (void)snprintf(inner, sizeof(inner), "%.400s.%.100s", where, key);
            check(checked, inner, kind, ref, entry);
        }
    } else {
        check(checked, where, kind, ref, value);
    }
}

static void check(struct checked *checked, const char *where, enum kind kind, bool ref_allowed,
                  const json_t *value)
{
    const char *ref = json_string_value(json_object_get(value, "$ref"));
    const char *key;
    json_t *inner;

    if (kind == TEXT) {
        assert_true(json_is_string(value) && json_string_length(value) > 0);
        return;
    }
    if (kind == BOOLEAN || kind == INTEGER || kind == ANY) {
        assert_true(kind != BOOLEAN || json_is_boolean(value));
        assert_true(kind != INTEGER || json_is_integer(value));
        return;
    }
    if (!json_is_object(value)) {
        fail_msg("%s is no object", where);
    }
    if (ref != NULL) {
        assert_true(ref_allowed && json_object_size(value) == 1);
        assert_int_equal(strncmp(ref, folder_of(kind), strlen(folder_of(kind))), 0);
        (void)resolve(checked, ref);
        assert_int_equal(json_object_set_new(checked->used, ref, json_true()), 0);
        return;
    }
    for (size_t i = 0; i < KEYS; i++) {
        if (keys[i].in == kind && (keys[i].how & MUST) != 0 &&
            json_object_get(value, keys[i].key) == NULL) {
            fail_msg("%s lacks \"%s\"", where, keys[i].key);
        }
    }
    json_object_foreach((json_t *)value, key, inner)
    {
        char path[512];
        size_t i = 0;

        while (i < KEYS && (keys[i].in != kind || strcmp(keys[i].key, key) != 0)) {
            i++;
        }
        if (i == KEYS) {
            fail_msg("%s may not have \"%s\"", where, key);
        }
        (void)snprintf(path, sizeof(path), "%.400s.%.100s", where, key);
        check_value(checked, path, keys[i].is, keys[i].how, inner);
    }
}

static json_t *document(void)
{
    struct ox_err err = OX_ERR_INIT;
    json_t *out = NULL;

    if (ox_openapi_document("1.2.3", &out, &err) != OX_OK) {
        fail_msg("%s", err.msg);
    }
    return out;
}

static void document__has_the_structure_of_openapi_3_1(void **state)
{
    static const char *const folders[] = {"schemas", "parameters", "responses", "headers"};
    struct checked checked = {document(), json_object()};

    (void)state;
    check(&checked, "document", DOCUMENT, false, checked.document);
    assert_string_equal(json_string_value(json_object_get(checked.document, "openapi")), "3.1.0");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        json_t *all = json_object_get(json_object_get(checked.document, "components"), folders[i]);
        const char *name;
        json_t *component;

        json_object_foreach(all, name, component)
        {
            char ref[256];

            (void)snprintf(ref, sizeof(ref), "#/components/%s/%s", folders[i], name);
            assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789._-"),
                             strlen(name));
            if (json_object_get(checked.used, ref) == NULL) {
                fail_msg("nobody uses %s", ref);
            }
        }
    }
    json_decref(checked.used);
    json_decref((json_t *)checked.document);
}

/* The path's parameters are those that its template names, and operations are told apart. */
static void document__operations_fit_their_paths(void **state)
{
    struct checked checked = {document(), json_object()};
    json_t *ids = json_object();
    json_t *tags = json_object_get(checked.document, "tags");
    const char *path;
    json_t *item;
    size_t operations = 0;

    (void)state;
    json_object_foreach(json_object_get(checked.document, "paths"), path, item)
    {
        const char *method;
        json_t *operation;

        assert_int_equal(path[0], '/');
        assert_null(strchr(path, ':'));
        json_object_foreach(item, method, operation)
        {
            const char *id = json_string_value(json_object_get(operation, "operationId"));
            const json_t *tag = json_array_get(json_object_get(operation, "tags"), 0);
            size_t named = 0;
            size_t told = 0;
            bool tag_told = false;
            json_t *entry;
            size_t i;

            assert_null(json_object_get(ids, id));
            assert_int_equal(json_object_set_new(ids, id, json_true()), 0);
            operations++;
            for (const char *at = path; (at = strchr(at, '{')) != NULL; at++) {
                named++;
            }
            json_array_foreach(json_object_get(operation, "parameters"), i, entry)
            {
                const json_t *parameter =
                    resolve(&checked, json_string_value(json_object_get(entry, "$ref")));
                char part[256];

                if (strcmp(json_string_value(json_object_get(parameter, "in")), "path") == 0) {
                    (void)snprintf(part, sizeof(part), "{%s}",
                                   json_string_value(json_object_get(parameter, "name")));
                    assert_non_null(strstr(path, part));
                    assert_true(json_is_true(json_object_get(parameter, "required")));
                    told++;
                }
            }
            assert_int_equal(named, told);
            json_array_foreach(tags, i, entry)
            {
                tag_told |= json_equal(json_object_get(entry, "name"), tag) == 1;
            }
            assert_true(tag_told);
        }
    }
    assert_int_equal(operations, ox_routes_count);
    json_decref(ids);
    json_decref(checked.used);
    json_decref((json_t *)checked.document);
}

/* --- shapes --- */

static void shape__becomes_its_schema(void **state)
{
    static const struct {
        const char *shape;
        const char *schema;
    } rows[] = {
        {"text", "{\"type\":\"string\"}"},
        {"text(64)", "{\"type\":\"string\",\"maxLength\":64}"},
        {"int(1..1000)",
         "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1,\"maximum\":1000}"},
        {"bool | null", "{\"type\":[\"boolean\",\"null\"]}"},
        {"Device", "{\"$ref\":\"#/components/schemas/Device\"}"},
        {"Device | null",
         "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Device\"},{\"type\":\"null\"}]}"},
        {"Device[]", "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Device\"}}"},
        {"'a' | 'b'", "{\"type\":\"string\",\"enum\":[\"a\",\"b\"]}"},
        {"'a' | null", "{\"type\":[\"string\",\"null\"],\"enum\":[\"a\",null]}"},
        {"'a' | {b: bool}",
         "{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"boolean\"}},"
         "\"required\":[\"b\"]},{\"type\":\"string\",\"enum\":[\"a\"]}]}"},
        {"{a: number, b?: any, *: text}",
         "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"},\"properties\":"
         "{\"a\":{\"type\":\"number\"},\"b\":{}},\"required\":[\"a\"]}"},
        {"{}", "{\"type\":\"object\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *wanted = json_loads(rows[i].schema, 0, NULL);
        json_t *got = NULL;

        assert_non_null(wanted);
        assert_int_equal(ox_shape_schema(rows[i].shape, &got, NULL), OX_OK);
        if (!json_equal(wanted, got)) {
            fail_msg("%s became %s", rows[i].shape, json_dumps(got, JSON_COMPACT));
        }
        json_decref(wanted);
        json_decref(got);
    }
}

static void shape__that_does_not_parse_is_refused_with_the_place(void **state)
{
    static const char *const shapes[] = {"",
                                         "texts",
                                         "text |",
                                         "{a text}",
                                         "{a: text",
                                         "{a: text; b: text}",
                                         "'a",
                                         "''",
                                         "text(1",
                                         "Device[",
                                         "{: text}",
                                         "text text",
                                         "{a: {b: {c: {d: {e: {f: {g: "
                                         "{h: {i: text}}}}}}}}}"};

    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct ox_err err = OX_ERR_INIT;
        json_t *schema = NULL;

        print_message("%s\n", shapes[i]);
        assert_int_equal(ox_shape_schema(shapes[i], &schema, &err), OX_EINTERNAL);
        assert_non_null(strstr(err.msg, "expected at byte"));
        assert_null(schema);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes__every_row_has_summary_request_response_and_errors),
        cmocka_unit_test(routes__every_row_stands_in_the_reference),
        cmocka_unit_test(document__has_the_structure_of_openapi_3_1),
        cmocka_unit_test(document__operations_fit_their_paths),
        cmocka_unit_test(shape__becomes_its_schema),
        cmocka_unit_test(shape__that_does_not_parse_is_refused_with_the_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "helpers.h"

#include "oxide/base/json.h"

#include <stdlib.h>

static json_t *parsed(const char *text)
{
    struct ox_err err = OX_ERR_INIT;
    json_t *json = NULL;

    assert_int_equal(ox_json_parse(text, strlen(text), &json, &err), OX_OK);
    return json;
}

static void assert_refused(const char *text, size_t len)
{
    struct ox_err err = OX_ERR_INIT;
    json_t *json = NULL;
    char *exact = malloc(len == 0 ? 1 : len);

    assert_non_null(exact);
    memcpy(exact, text, len);
    assert_int_equal(ox_json_parse(exact, len, &json, &err), OX_EINVAL);
    assert_null(json);
    assert_true(err.msg[0] != '\0');
    free(exact);
}

static void parse__refuses_what_is_no_json(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":}",
        "{\"a\" 1}",
        "nul",
        "01",
        "1 2",
        "{} x",
        "'a'",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "NaN",
        "\"a",
        "[1}",
        "1e999",
        "+1",
        "99999999999999999999",
        "\"\t\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_refused(texts[i], strlen(texts[i]));
    }
}

static void parse__refuses_nul_and_bad_utf8(void **state)
{
    (void)state;
    assert_refused("\"a\0b\"", 5);
    assert_refused("{}\0", 3);
    assert_refused("\"\xff\"", 3);
    assert_refused("\"\xc0\xaf\"", 4);         /* over-long */
    assert_refused("\"\xed\xa0\x80\"", 5);     /* a surrogate */
    assert_refused("\"\xf4\x90\x80\x80\"", 6); /* past U+10FFFF */
    assert_refused("\"\xe2\x82\"", 4);         /* cut */
}

static void parse__says_where_a_nul_is(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *where;
    } rows[] = {
        {"\"a\0b\"", 5, "line 1, column 3"},
        {"{}\0", 3, "line 1, column 3"},
        {"{\n \"\xc3\xa9\0\"}", 9, "line 2, column 4"},
        {"{\"a\":\"\\u0000\"}", 14, "line 1"},
        {"{\"\\u0000\":1}", 12, "line 1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_err err = OX_ERR_INIT;
        json_t *json = NULL;

        assert_int_equal(ox_json_parse(rows[i].text, rows[i].len, &json, &err), OX_EINVAL);
        assert_non_null(strstr(err.msg, "it holds a NUL"));
        if (strstr(err.msg, rows[i].where) == NULL) {
            fail_msg("%zu: %s", i, err.msg);
        }
    }
}

static void parse__refuses_duplicate_keys(void **state)
{
    (void)state;
    assert_refused("{\"a\":1,\"a\":2}", 13);
    assert_refused("{\"x\":{\"a\":1,\"\\u0061\":2}}", 24);
}

static void parse__holds_the_depth_limit(void **state)
{
    char text[2 * OX_JSON_DEPTH_MAX + 3];
    json_t *json;

    (void)state;
    memset(text, '[', OX_JSON_DEPTH_MAX);
    memset(text + OX_JSON_DEPTH_MAX, ']', OX_JSON_DEPTH_MAX);
    text[2 * OX_JSON_DEPTH_MAX] = '\0';
    json = parsed(text);
    json_decref(json);
    memset(text, '[', OX_JSON_DEPTH_MAX + 1);
    memset(text + OX_JSON_DEPTH_MAX + 1, ']', OX_JSON_DEPTH_MAX + 1);
    assert_refused(text, 2 * OX_JSON_DEPTH_MAX + 2);
}

static void parse__refuses_a_million_brackets_at_once(void **state)
{
    size_t len = 1000000;
    char *text = malloc(len);

    (void)state;
    assert_non_null(text);
    memset(text, '[', len);
    assert_refused(text, len);
    free(text);
}

static void parse__does_not_count_brackets_in_strings(void **state)
{
    char text[200] = "{\"a\":\"";
    json_t *json;

    (void)state;
    memset(text + 6, '[', 100);
    memcpy(text + 106, "\\\"{\"}", 6);
    json = parsed(text);
    assert_int_equal(json_string_length(json_object_get(json, "a")), 102);
    json_decref(json);
}

static void parse_object__wants_an_object(void **state)
{
    json_t *json = NULL;

    (void)state;
    assert_int_equal(ox_json_parse_object("[]", 2, &json, NULL), OX_EINVAL);
    assert_int_equal(ox_json_parse_object("null", 4, &json, NULL), OX_EINVAL);
    assert_null(json);
    assert_int_equal(ox_json_parse_object("{}", 2, &json, NULL), OX_OK);
    json_decref(json);
}

static void has__tells_null_from_absent(void **state)
{
    json_t *json = parsed("{\"none\":null,\"one\":1}");

    (void)state;
    assert_true(ox_json_has(json, "none"));
    assert_true(ox_json_has(json, "one"));
    assert_false(ox_json_has(json, "absent"));
    json_decref(json);
}

static void required__must_be_there_with_their_type(void **state)
{
    json_t *json = parsed("{\"s\":\"text\",\"n\":7,\"null\":null,\"minus\":-1,\"real\":1.0}");
    struct ox_err err = OX_ERR_INIT;
    const char *text = "untouched";
    uint64_t number = 99;

    (void)state;
    assert_int_equal(ox_json_get_str(json, "null", &text, &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, "\"null\" is missing"));
    assert_int_equal(ox_json_get_str(json, "absent", &text, NULL), OX_EINVAL);
    assert_int_equal(ox_json_get_str(json, "n", &text, &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, "\"n\" must be a string"));
    assert_string_equal(text, "untouched");
    assert_int_equal(ox_json_get_u64(json, "s", &number, NULL), OX_EINVAL);
    assert_int_equal(ox_json_get_u64(json, "minus", &number, NULL), OX_EINVAL);
    assert_int_equal(ox_json_get_u64(json, "real", &number, NULL), OX_EINVAL);
    assert_int_equal(ox_json_get_u64(json, "null", &number, NULL), OX_EINVAL);
    assert_int_equal(number, 99);
    assert_int_equal(ox_json_get_str(json, "s", &text, NULL), OX_OK);
    assert_int_equal(ox_json_get_u64(json, "n", &number, NULL), OX_OK);
    assert_string_equal(text, "text");
    assert_int_equal(number, 7);
    json_decref(json);
}

static void optional__leave_the_default_for_absent_and_null(void **state)
{
    json_t *json = parsed("{\"null\":null,\"b\":true,\"o\":{},\"a\":[],\"s\":\"x\",\"n\":0}");
    const json_t *inner = NULL;
    const char *text = "default";
    uint64_t number = 5;
    bool flag = false;

    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *key = i == 0 ? "null" : "absent";

        assert_int_equal(ox_json_opt_str(json, key, &text, NULL), OX_OK);
        assert_int_equal(ox_json_opt_u64(json, key, &number, NULL), OX_OK);
        assert_int_equal(ox_json_opt_bool(json, key, &flag, NULL), OX_OK);
        assert_int_equal(ox_json_opt_object(json, key, &inner, NULL), OX_OK);
        assert_int_equal(ox_json_opt_array(json, key, &inner, NULL), OX_OK);
    }
    assert_string_equal(text, "default");
    assert_int_equal(number, 5);
    assert_false(flag);
    assert_null(inner);
    assert_int_equal(ox_json_opt_bool(json, "n", &flag, NULL), OX_EINVAL);
    assert_int_equal(ox_json_opt_object(json, "a", &inner, NULL), OX_EINVAL);
    assert_int_equal(ox_json_opt_array(json, "o", &inner, NULL), OX_EINVAL);
    assert_int_equal(ox_json_opt_bool(json, "b", &flag, NULL), OX_OK);
    assert_int_equal(ox_json_opt_u64(json, "n", &number, NULL), OX_OK);
    assert_true(flag);
    assert_int_equal(number, 0);
    assert_int_equal(ox_json_opt_array(json, "a", &inner, NULL), OX_OK);
    assert_true(json_is_array(inner));
    assert_int_equal(ox_json_opt_object(json, "o", &inner, NULL), OX_OK);
    assert_true(json_is_object(inner));
    json_decref(json);
}

static void set__builds_compact_text_in_order(void **state)
{
    json_t *json = json_object();
    json_t *list = json_array();
    char *text = NULL;

    (void)state;
    assert_int_equal(ox_json_set_str(json, "z", "\xc3\xa9\"", NULL), OX_OK);
    assert_int_equal(ox_json_set_str(json, "none", NULL, NULL), OX_OK);
    assert_int_equal(ox_json_set_u64(json, "a", INT64_MAX, NULL), OX_OK);
    assert_int_equal(ox_json_append(list, json_true(), NULL), OX_OK);
    assert_int_equal(ox_json_append(list, NULL, NULL), OX_ENOMEM);
    assert_int_equal(ox_json_set(json, "l", list, NULL), OX_OK);
    assert_int_equal(ox_json_set(json, "l2", NULL, NULL), OX_ENOMEM);
    assert_int_equal(ox_json_set_u64(json, "a", (uint64_t)INT64_MAX + 1, NULL), OX_ETOOBIG);
    assert_int_equal(ox_json_text(json, &text, NULL), OX_OK);
    assert_string_equal(
        text, "{\"z\":\"\xc3\xa9\\\"\",\"none\":null,\"a\":9223372036854775807,\"l\":[true]}");
    free(text);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__refuses_what_is_no_json),
        cmocka_unit_test(parse__refuses_nul_and_bad_utf8),
        cmocka_unit_test(parse__says_where_a_nul_is),
        cmocka_unit_test(parse__refuses_duplicate_keys),
        cmocka_unit_test(parse__holds_the_depth_limit),
        cmocka_unit_test(parse__refuses_a_million_brackets_at_once),
        cmocka_unit_test(parse__does_not_count_brackets_in_strings),
        cmocka_unit_test(parse_object__wants_an_object),
        cmocka_unit_test(has__tells_null_from_absent),
        cmocka_unit_test(required__must_be_there_with_their_type),
        cmocka_unit_test(optional__leave_the_default_for_absent_and_null),
        cmocka_unit_test(set__builds_compact_text_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

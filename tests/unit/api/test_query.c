#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/api/query.h"
#include "../../../src/api/shape.h"

#include "oxide/base/percent.h"

#include <stdio.h>
#include <string.h>

static const struct ox_route route = {.params =
                                          "limit sort status job.state base devices runs Range"};

static enum ox_code take(struct ox_query *query, const char *key, const char *value, char *said)
{
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code = ox_query_take(query, &route, key, value, &err);

    if (said != NULL) {
        (void)snprintf(said, OX_ERR_MSG_MAX, "%s", err.msg);
    }
    return code;
}

static void take__decodes_and_keeps_what_the_route_reads(void **state)
{
    struct ox_query query = {.count = 0};

    (void)state;
    assert_int_equal(take(&query, "sort", "-last%5Fseen", NULL), OX_OK);
    assert_int_equal(take(&query, "l%69mit", "100", NULL), OX_OK);
    assert_int_equal(take(&query, "state", "ready", NULL), OX_OK);
    assert_int_equal(take(&query, "runs", "%C3%A9%40v1", NULL), OX_OK);
    assert_string_equal(ox_query_text(&query, "sort"), "-last_seen");
    assert_string_equal(ox_query_text(&query, "limit"), "100");
    assert_string_equal(ox_query_text(&query, "state"), "ready");
    assert_string_equal(ox_query_text(&query, "runs"), "\xc3\xa9@v1");
    assert_null(ox_query_text(&query, "status"));
    ox_query_clear(&query);
    assert_null(ox_query_text(&query, "limit"));
}

static void take__ignores_a_query_of_nothing(void **state)
{
    struct ox_query query = {.count = 0};

    (void)state;
    assert_int_equal(take(&query, "", NULL, NULL), OX_OK);
    assert_int_equal(take(&query, "", "", NULL), OX_OK);
    assert_int_equal(query.count, 0);
}

static void take__refuses_what_the_route_does_not_read(void **state)
{
    static const char *const rows[][2] = {
        {"limits", "there is no parameter limits here: did you mean limit?"},
        {"li%6Dits", "there is no parameter limits here: did you mean limit?"},
        {"LIMIT", "there is no parameter LIMIT here: the query may have limit, sort, status, state,"
                  " base, devices, runs"},
        {"cursor", "the query may have"},
        {"job.state", "no parameter job.state"},
        {"Range", "no parameter Range"}, /* a header's name */
        {"%", "no parameter %"},
        {"%zz", "no parameter %zz"},
        {"li%00mit", "no parameter li%00mit"},
        {"\xff\n", "no parameter ?  here"},
        {"%ff", "no parameter ? here"},
        {"", "no parameter"}, /* but with a value */
    };
    static const struct ox_route bare = {.params = "Range"};
    struct ox_query query = {.count = 0};
    struct ox_err err = OX_ERR_INIT;
    char said[OX_ERR_MSG_MAX];
    char longest[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(take(&query, rows[i][0], "%zz\xff", said), OX_EINVAL);
        if (strstr(said, rows[i][1]) == NULL) {
            fail_msg("%s: %s", rows[i][0], said);
        }
    }
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(take(&query, longest, NULL, said), OX_EINVAL);
    assert_non_null(strstr(said, "may have limit"));
    assert_int_equal(ox_query_take(&query, &bare, "revert", "true", &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, "no parameter revert here: this call takes none"));
    assert_int_equal(query.count, 0);
}

static void take__refuses_bad_values_by_name(void **state)
{
    static const char *const rows[][3] = {
        {"limit", NULL, "whole number, 1 to 1000"},
        {"limit", "", "whole number, 1 to 1000"},
        {"limit", "0", "whole number, 1 to 1000"},
        {"limit", "1001", "whole number, 1 to 1000"},
        {"limit", "-5", "whole number"},
        {"limit", "5x", "whole number"},
        {"limit", "+5", "whole number"},
        {"limit", " 5", "whole number"},
        {"limit", "99999999999999999999999", "whole number"},
        {"limit", "%", "percent-encoded"},
        {"limit", "1%0", "percent-encoded"},
        {"limit", "1%00", "percent-encoded"},
        {"limit", "1%g0", "percent-encoded"},
        {"sort", "%ff", "UTF-8"},
        {"sort", "%c3%28", "UTF-8"},
        {"sort", "%ed%a0%80", "UTF-8"},
        {"status", "flying", "one of online, offline, updating, error, unknown"},
        {"state", "flying", "one of queued, running"},
        {"base", "abc", "digest"},
        {"devices", "maybe", "true or false"},
    };
    char said[OX_ERR_MSG_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_query query = {.count = 0};

        assert_int_equal(take(&query, rows[i][0], rows[i][1], said), OX_EINVAL);
        if (strstr(said, rows[i][0]) == NULL || strstr(said, rows[i][2]) == NULL) {
            fail_msg("%s=%s: %s", rows[i][0], rows[i][1], said);
        }
        assert_int_equal(query.count, 0);
    }
}

static void take__refuses_a_second_one_and_what_is_too_long(void **state)
{
    struct ox_query query = {.count = 0};
    char said[OX_ERR_MSG_MAX];
    char longest[OX_QUERY_VALUE_MAX + 2];

    (void)state;
    assert_int_equal(take(&query, "limit", "5", NULL), OX_OK);
    assert_int_equal(take(&query, "limit", "6", said), OX_EINVAL);
    assert_non_null(strstr(said, "limit is given twice"));
    assert_string_equal(ox_query_text(&query, "limit"), "5");
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(take(&query, "runs", longest, said), OX_EINVAL);
    assert_non_null(strstr(said, "at most 4096 bytes"));
    longest[601] = '\0';
    assert_int_equal(take(&query, "runs", longest, said), OX_EINVAL);
    assert_non_null(strstr(said, "at most 600 bytes"));
    longest[600] = '\0';
    assert_int_equal(take(&query, "runs", longest, NULL), OX_OK);
    ox_query_clear(&query);
}

static void encode__comes_back_by_decoding(void **state)
{
    static const char text[] = "a-b_c.d~ &=%+?#/\xc3\xa9\"<>";
    struct ox_query query = {.count = 0};
    struct ox_buf encoded = OX_BUF_INIT;

    (void)state;
    assert_int_equal(ox_percent_encode(&encoded, text, NULL), OX_OK);
    assert_int_equal(ox_buf_append(&encoded, "", 1, NULL), OX_OK);
    assert_int_equal(strspn((const char *)encoded.data,
                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%"),
                     encoded.len_bytes - 1);
    assert_int_equal(take(&query, "runs", (const char *)encoded.data, NULL), OX_OK);
    assert_string_equal(ox_query_text(&query, "runs"), text);
    ox_query_clear(&query);
    ox_buf_clear(&encoded);
}

/* Every parameter of a query has a shape that one value can be held against. */
static void parameters__can_be_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < ox_parameters_count; i++) {
        assert_int_not_equal(ox_shape_check(ox_parameters[i].shape, "x", NULL), OX_EINTERNAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take__decodes_and_keeps_what_the_route_reads),
        cmocka_unit_test(take__ignores_a_query_of_nothing),
        cmocka_unit_test(take__refuses_what_the_route_does_not_read),
        cmocka_unit_test(take__refuses_bad_values_by_name),
        cmocka_unit_test(take__refuses_a_second_one_and_what_is_too_long),
        cmocka_unit_test(encode__comes_back_by_decoding),
        cmocka_unit_test(parameters__can_be_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

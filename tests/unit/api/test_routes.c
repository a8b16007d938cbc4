#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/api/routes.h"
#include "../../../src/api/status.h"

#include <stdio.h>
#include <string.h>

struct found {
    enum ox_code code;
    const struct ox_route *route;
    struct ox_params params;
    char allow[OX_ALLOW_MAX];
};

static struct found find(const char *method, const char *path)
{
    struct found found = {.route = NULL};

    found.code = ox_route_find(method, path, &found.route, &found.params, found.allow, NULL);
    return found;
}

static void find__every_row_is_found_by_its_own_pattern(void **state)
{
    (void)state;
    for (size_t i = 0; i < ox_routes_count; i++) {
        char path[256] = "";

        for (const char *at = ox_routes[i].pattern; *at != '\0'; at++) {
            char text[8] = {*at, '\0'};

            (void)strcat(path, *at == ':' ? "p-" : text);
        }
        assert_ptr_equal(find(ox_routes[i].method, path).route, &ox_routes[i]);
    }
}

static void find__params_are_decoded(void **state)
{
    struct found found = find("POST", "/api/v1/models/my%2Dmodel/versions/v1%2B2");

    (void)state;
    assert_int_equal(found.code, OX_OK);
    assert_string_equal(found.params.value[0], "my-model");
    assert_string_equal(found.params.value[1], "v1+2");
}

static void find__params_that_are_no_identifiers_are_refused(void **state)
{
    static const char *const ids[] = {"..",  "%2e%2e", "a%2Fb", "a%00b", "%",    "%4",
                                      "%zz", "a b",    ".hid",  "a..b",  "\xff", "a%25"};
    char path[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        (void)snprintf(path, sizeof(path), "/api/v1/devices/%s", ids[i]);
        assert_int_equal(find("GET", path).code, OX_EINVAL);
    }
    (void)snprintf(path, sizeof(path), "/api/v1/devices/%0300d", 0);
    assert_int_equal(find("GET", path).code, OX_EINVAL);
    (void)snprintf(path, sizeof(path), "/api/v1/devices/%0256d", 0);
    assert_int_equal(find("GET", path).code, OX_OK);
}

static void find__unknown_paths_are_not_found(void **state)
{
    static const char *const paths[] = {
        "",        "/",          "health", "/healthy",           "/health/", "/api/v1/devices/",
        "/api/v1", "/api/v1//x", "*",      "/api/v1/devices/a/b"};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(find("GET", paths[i]).code, OX_ENOTFOUND);
    }
}

static void find__other_methods_name_those_that_are_allowed(void **state)
{
    struct found found = find("PATCH", "/api/v1/fleets/f/devices/cam-01");

    (void)state;
    assert_int_equal(found.code, OX_EMETHOD);
    assert_string_equal(found.allow, "POST, DELETE, OPTIONS");
    assert_string_equal(find("PUT", "/health").allow, "GET, HEAD, OPTIONS");
    assert_int_equal(find("GET", "/api/v1/campaigns/c-1/pause").code, OX_EMETHOD);
}

static void find__head_is_answered_by_get(void **state)
{
    (void)state;
    assert_string_equal(find("HEAD", "/health").route->method, "GET");
}

static void status__every_code_has_the_status_of_the_reference(void **state)
{
    static const struct {
        enum ox_code code;
        unsigned status;
    } rows[] = {
        {OX_EINVAL, 400},  {OX_ENOTFOUND, 404}, {OX_EMETHOD, 405},    {OX_ECONFLICT, 409},
        {OX_ELENGTH, 411}, {OX_ETOOBIG, 413},   {OX_EMEDIATYPE, 415}, {OX_ERANGE, 416},
        {OX_EIO, 500},     {OX_EINTERNAL, 500}, {OX_EBUSY, 503},      {OX_ENOSPC, 507},
        {OX_EDIGEST, 400},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(ox_api_status(rows[i].code), rows[i].status);
    }
#define HAS_STATUS(symbol, number, word) assert_in_range(ox_api_status(symbol), 200, 599);
    OX_CODES(HAS_STATUS)
#undef HAS_STATUS
}

static void status__paths_of_the_server_are_never_said(void **state)
{
    struct ox_err err = OX_ERR_INIT;

    (void)state;
#define SAYS_NO_PATH(symbol, number, word)                                                         \
    (void)ox_err_set(&err, symbol, "opening /var/lib/oxide/registry.db");                          \
    if (ox_api_status(symbol) >= 500) {                                                            \
        assert_null(strstr(ox_api_public_message(&err), "/var"));                                  \
    }
    OX_CODES(SAYS_NO_PATH)
#undef SAYS_NO_PATH
    (void)ox_err_set(&err, OX_ENOTFOUND, "there is no fleet x");
    assert_string_equal(ox_api_public_message(&err), "there is no fleet x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find__every_row_is_found_by_its_own_pattern),
        cmocka_unit_test(find__params_are_decoded),
        cmocka_unit_test(find__params_that_are_no_identifiers_are_refused),
        cmocka_unit_test(find__unknown_paths_are_not_found),
        cmocka_unit_test(find__other_methods_name_those_that_are_allowed),
        cmocka_unit_test(find__head_is_answered_by_get),
        cmocka_unit_test(status__every_code_has_the_status_of_the_reference),
        cmocka_unit_test(status__paths_of_the_server_are_never_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

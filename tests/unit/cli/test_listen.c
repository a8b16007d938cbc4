#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/cli/listen.h"

#include <string.h>

static void listen__splits_host_and_port(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } rows[] = {{"127.0.0.1:9000", "127.0.0.1", 9000},
                {"[::1]:9000", "::1", 9000},
                {"name:0", "name", 0},
                {":9000", "default", 9000},
                {"name", "name", 8080},
                {"[::1]", "::1", 8080},
                {"h:65535", "h", 65535}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char host[OX_HOST_MAX] = "default";
        uint16_t port = 8080;

        assert_int_equal(ox_listen_parse(rows[i].text, host, &port, NULL), OX_OK);
        assert_string_equal(host, rows[i].host);
        assert_int_equal(port, rows[i].port);
    }
}

static void listen__refuses_what_is_no_address(void **state)
{
    static const char *const bad[] = {"",     "h:",   "h:65536", "h:-1",    "h:1x",
                                      "[::1", "[]:1", "::1",     "[::1]80", "h:123456"};
    char longest[OX_HOST_MAX + 10];

    (void)state;
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
        char host[OX_HOST_MAX] = "default";
        uint16_t port = 8080;
        const char *text = i < sizeof(bad) / sizeof(bad[0]) ? bad[i] : longest;

        assert_int_equal(ox_listen_parse(text, host, &port, NULL), OX_EINVAL);
        assert_string_equal(host, "default");
        assert_int_equal(port, 8080);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listen__splits_host_and_port),
        cmocka_unit_test(listen__refuses_what_is_no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

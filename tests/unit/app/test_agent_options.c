#include "oxide/app/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ox_app_agent_options good = {.control_plane = "http://127.0.0.1:1/",
                                                 .device_id = "cam-01",
                                                 .version = "0.1.0",
                                                 .model_dir = "/nonexistent/models"};

static void refuses(struct ox_app_agent_options options, const char *naming)
{
    struct ox_stop stop;
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    ox_stop_request(&stop); /* should it be accepted, it ends at once */
    assert_int_equal(ox_app_agent_run(&options, &stop, NULL, &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, naming));
    ox_stop_clear(&stop);
}

static void options__addresses_are_checked(void **state)
{
    static const char *const bad[] = {NULL,        "",           "10.0.0.1:8080",
                                      "ftp://a",   "http://",    "http://:80",
                                      "http:///x", "http://a b", "http://a?x=1"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ox_app_agent_options options = good;

        options.control_plane = bad[i];
        refuses(options, "--control-plane");
    }
}

static void options__the_device_is_checked(void **state)
{
    static const char *const bad[] = {NULL, "", "a/b", "..", "a b"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ox_app_agent_options options = good;

        options.device_id = bad[i];
        refuses(options, "--device-id");
    }
}

static void options__numbers_are_bounded(void **state)
{
    struct ox_app_agent_options options = good;

    (void)state;
    options.poll_interval_s = OX_APP_AGENT_POLL_S_MAX + 1;
    refuses(options, "--poll-interval");
    options = good;
    options.health_timeout_s = UINT64_MAX;
    refuses(options, "--health-timeout");
    options = good;
    options.model_dir = "";
    refuses(options, "--model-dir");
}

static void run__ends_well_when_stop_is_asked_for(void **state)
{
    struct ox_app_agent_options options = good;
    struct ox_stop stop;
    char dir[] = "/tmp/oxide-app-XXXXXX";
    char command[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    options.model_dir = dir;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    ox_stop_request(&stop);
    assert_int_equal(ox_app_agent_run(&options, &stop, NULL, NULL), OX_OK);
    ox_stop_clear(&stop);
    (void)snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options__addresses_are_checked),
        cmocka_unit_test(options__the_device_is_checked),
        cmocka_unit_test(options__numbers_are_bounded),
        cmocka_unit_test(run__ends_well_when_stop_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

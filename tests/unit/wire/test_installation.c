#include "oxide/wire/heartbeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define INSTANCE "0123456789abcdef0123456789abcdef"
#define START "fedcba9876543210"

static enum ox_code parse(const char *text, struct ox_heartbeat *out)
{
    *out = (struct ox_heartbeat){0};
    return ox_heartbeat_parse(text, strlen(text), out, NULL);
}

static void request__tells_its_installation(void **state)
{
    static const struct ox_heartbeat out = {.installation = {.instance = INSTANCE,
                                                             .start = START,
                                                             .poll_interval_s = 900,
                                                             .has_utc_offset = true,
                                                             .utc_offset_s = -34200,
                                                             .disk_free_bytes = 5,
                                                             .disk_total_bytes = 9}};
    struct ox_heartbeat back;
    char *text = NULL;

    (void)state;
    assert_int_equal(ox_heartbeat_build(&out, &text, NULL), OX_OK);
    assert_int_equal(parse(text, &back), OX_OK);
    assert_memory_equal(&back.installation, &out.installation, sizeof(out.installation));
    ox_heartbeat_clear(&back);
    free(text);
}

static void request__says_nothing_of_it_where_it_is_absent(void **state)
{
    static const struct ox_installation nothing = {.instance = ""};
    struct ox_heartbeat back;

    (void)state;
    assert_int_equal(parse("{\"instance\":null,\"disk\":null,\"utc_offset_s\":null}", &back),
                     OX_OK);
    assert_memory_equal(&back.installation, &nothing, sizeof(nothing));
    ox_heartbeat_clear(&back);
}

static void request__refuses_odd_installations(void **state)
{
    static const char *const bad[] = {
        "{\"instance\":\"\"}",
        "{\"instance\":\"0123\"}",
        "{\"instance\":\"0123456789ABCDEF0123456789abcdef\"}",
        "{\"instance\":\"0123456789abcdef0123456789abcdef0\"}",
        "{\"instance\":7}",
        "{\"start\":\"" INSTANCE "\"}",
        "{\"start\":\"fedcba987654321/\"}",
        "{\"poll_interval_s\":86401}",
        "{\"poll_interval_s\":-1}",
        "{\"utc_offset_s\":64801}",
        "{\"utc_offset_s\":-64801}",
        "{\"utc_offset_s\":1.5}",
        "{\"disk\":[]}",
        "{\"disk\":{\"free_bytes\":1}}",
        "{\"disk\":{\"free_bytes\":2,\"total_bytes\":1}}",
        "{\"status\":\"conflict\"}",
    };
    struct ox_heartbeat heartbeat;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i], &heartbeat), OX_EINVAL);
    }
}

static void answer__tells_an_installation_of_itself(void **state)
{
    const struct ox_heartbeat_answer out = {.assignments_present = true,
                                            .time_ms = 1700000000123,
                                            .device_id = (char *)"cam-02",
                                            .instance = INSTANCE,
                                            .replaced = true,
                                            .resend = true};
    struct ox_heartbeat_answer back = {0};
    char *text = NULL;

    (void)state;
    assert_int_equal(ox_heartbeat_answer_build(&out, &text, NULL), OX_OK);
    assert_int_equal(ox_heartbeat_answer_parse(text, strlen(text), &back, NULL), OX_OK);
    assert_true(back.assignments_present);
    assert_int_equal(back.time_ms, 1700000000123);
    assert_string_equal(back.device_id, "cam-02");
    assert_string_equal(back.instance, INSTANCE);
    assert_true(back.replaced);
    assert_true(back.resend);
    ox_heartbeat_answer_clear(&back);
    free(text);
}

static void answer__refuses_odd_identities(void **state)
{
    static const char *const bad[] = {
        "{\"device_id\":\"../x\"}", "{\"device_id\":\"\"}",      "{\"instance\":\"zz\"}",
        "{\"replaced\":\"yes\"}",   "{\"resend\":1,\"time\":5}", "{\"time\":-5}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ox_heartbeat_answer answer = {0};

        assert_int_equal(ox_heartbeat_answer_parse(bad[i], strlen(bad[i]), &answer, NULL),
                         OX_EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request__tells_its_installation),
        cmocka_unit_test(request__says_nothing_of_it_where_it_is_absent),
        cmocka_unit_test(request__refuses_odd_installations),
        cmocka_unit_test(answer__tells_an_installation_of_itself),
        cmocka_unit_test(answer__refuses_odd_identities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

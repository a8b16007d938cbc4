#include "oxide/wire/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void state__words_are_those_of_the_contract(void **state)
{
    (void)state;
    assert_string_equal(ox_campaign_state_word(OX_CAMPAIGN_ROLLING_OUT), "rolling_out");
    assert_string_equal(ox_rollout_state_word(OX_ROLLOUT_SKIPPED), "skipped");
    assert_string_equal(ox_device_status_word(OX_DEVICE_UNKNOWN), "unknown");
}

static void state__every_word_parses_back(void **state)
{
    (void)state;
    for (int i = OX_DEVICE_UNKNOWN; i <= OX_DEVICE_CONFLICT; i++) {
        enum ox_device_status out = OX_DEVICE_UNKNOWN;

        assert_int_equal(
            ox_device_status_parse(ox_device_status_word((enum ox_device_status)i), &out, NULL),
            OX_OK);
        assert_int_equal((int)out, i);
    }
    for (int i = OX_CAMPAIGN_PENDING; i <= OX_CAMPAIGN_ABORTED; i++) {
        enum ox_campaign_state out = OX_CAMPAIGN_PENDING;

        assert_int_equal(
            ox_campaign_state_parse(ox_campaign_state_word((enum ox_campaign_state)i), &out, NULL),
            OX_OK);
        assert_int_equal((int)out, i);
    }
    for (int i = OX_ROLLOUT_PENDING; i <= OX_ROLLOUT_SKIPPED; i++) {
        enum ox_rollout_state out = OX_ROLLOUT_PENDING;

        assert_int_equal(
            ox_rollout_state_parse(ox_rollout_state_word((enum ox_rollout_state)i), &out, NULL),
            OX_OK);
        assert_int_equal((int)out, i);
    }
}

static void state__refuses_unknown_words_naming_the_known(void **state)
{
    struct ox_err err = OX_ERR_INIT;
    enum ox_campaign_state out = OX_CAMPAIGN_PAUSED;

    (void)state;
    assert_int_equal(ox_campaign_state_parse("Complete", &out, &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, "rolling_out"));
    assert_int_equal(out, OX_CAMPAIGN_PAUSED);
    assert_int_equal(ox_campaign_state_parse(NULL, &out, &err), OX_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state__words_are_those_of_the_contract),
        cmocka_unit_test(state__every_word_parses_back),
        cmocka_unit_test(state__refuses_unknown_words_naming_the_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

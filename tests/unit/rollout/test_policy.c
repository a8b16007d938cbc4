#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/rollout/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum ox_code parse(const char *text, struct ox_policy *out, struct ox_err *err)
{
    json_t *json = NULL;
    enum ox_code code;

    assert_int_equal(ox_json_parse_object(text, strlen(text), &json, NULL), OX_OK);
    code = ox_policy_parse(json, OX_STRATEGY_ALL_AT_ONCE, out, err);
    json_decref(json);
    return code;
}

static const char everything[] =
    "{\"strategy\":{\"type\":\"canary\",\"stages\":[1,10.5,100],\"wait_s\":60},"
    "\"gates\":{\"success_percent\":95,\"failed_percent\":2.5,\"failed_count\":7,\"min_sample\":20,"
    "\"soak_s\":600,\"approval\":true},"
    "\"halt\":{\"action\":\"revert\",\"rules\":[{\"class\":\"health\",\"count\":3},"
    "{\"percent\":10,\"min_sample\":50}]},"
    "\"timeouts\":{\"downloading_s\":100,\"applying_s\":200,\"verifying_s\":300},"
    "\"limits\":{\"in_flight\":500,\"starts_per_minute\":100,\"rate_bps\":1000000,"
    "\"deadline_s\":86400,\"windows\":[\"02:00-05:00\",\"sat,sun 22:00-06:00\"]},"
    "\"bytes\":{\"fallback_full\":\"never\",\"fallback_percent\":5,\"per_device\":1000,"
    "\"total\":100000},\"on_conflict\":\"refuse\",\"late_delta\":\"full\",\"follow\":true}";

static void policy__reads_everything(void **state)
{
    struct ox_policy policy;

    (void)state;
    assert_int_equal(parse(everything, &policy, NULL), OX_OK);
    assert_int_equal(policy.strategy, OX_STRATEGY_CANARY);
    assert_int_equal(policy.shares_count, 3);
    assert_int_equal(policy.shares_bp[1], 1050);
    assert_int_equal(policy.wait_ms, 60000);
    assert_true(policy.gate.set);
    assert_int_equal(policy.gate.success_bp, 9500);
    assert_int_equal(policy.gate.failed_bp, 250);
    assert_int_equal(policy.gate.failed_count, 7);
    assert_int_equal(policy.gate.soak_ms, 600000);
    assert_true(policy.gate.approval);
    assert_int_equal(policy.halt_action, OX_HALT_REVERT);
    assert_int_equal(policy.halt_count, 2);
    assert_int_equal(policy.halt[0].failure, OX_FAILURE_HEALTH);
    assert_int_equal(policy.halt[0].max_count, 3);
    assert_int_equal(policy.halt[1].failure, OX_FAILURE_NONE);
    assert_int_equal(policy.halt[1].max_bp, 1000);
    assert_int_equal(policy.silence_ms[2], 300000);
    assert_int_equal(policy.in_flight, 500);
    assert_int_equal(policy.windows_count, 2);
    assert_int_equal(policy.windows[1].days, 0x60);
    assert_int_equal(policy.fallback, OX_FALLBACK_NEVER);
    assert_int_equal(policy.device_max_bytes, 1000);
    assert_int_equal(policy.on_conflict, OX_CONFLICT_REFUSE);
    assert_int_equal(policy.late_delta, OX_LATE_FULL);
    assert_true(policy.follow);
}

static char *written(const struct ox_policy *policy)
{
    json_t *json = NULL;
    char *text = NULL;

    assert_int_equal(ox_policy_json(policy, &json, NULL), OX_OK);
    assert_int_equal(ox_json_text(json, &text, NULL), OX_OK);
    json_decref(json);
    return text;
}

static void policy__is_written_as_it_is_read(void **state)
{
    const char *const texts[] = {everything,
                                 "{}",
                                 "{\"strategy\":\"rolling\"}",
                                 "{\"strategy\":\"canary\"}",
                                 "{\"strategy\":\"exponential\"}",
                                 "{\"strategy\":{\"type\":\"canary\"},\"gates\":false}",
                                 "{\"strategy\":{\"type\":\"exponential\",\"start\":3,"
                                 "\"factor\":1.5}}"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ox_policy first;
        struct ox_policy second;
        char *text;
        char *again;

        assert_int_equal(parse(texts[i], &first, NULL), OX_OK);
        text = written(&first);
        assert_int_equal(parse(text, &second, NULL), OX_OK);
        again = written(&second);
        assert_string_equal(again, text);
        assert_true(first.gate.failed_count == second.gate.failed_count);
        assert_true(first.total_max_bytes == second.total_max_bytes);
        assert_true(first.rate_bps == second.rate_bps && first.in_flight == second.in_flight);
        assert_memory_equal(first.silence_ms, second.silence_ms, sizeof(first.silence_ms));
        free(text);
        free(again);
    }
}

static void policy__a_gate_replaces_that_of_the_strategy(void **state)
{
    struct ox_policy policy;

    (void)state;
    assert_int_equal(parse("{\"strategy\":\"canary\"}", &policy, NULL), OX_OK);
    assert_int_equal(policy.gate.failed_count, 0);
    assert_int_equal(
        parse("{\"strategy\":\"canary\",\"gates\":{\"success_percent\":90}}", &policy, NULL),
        OX_OK);
    assert_true(policy.gate.failed_count == OX_UNLIMITED);
    assert_int_equal(parse("{\"strategy\":\"canary\",\"gates\":false}", &policy, NULL), OX_OK);
    assert_false(policy.gate.set);
}

static void policy__without_a_type_its_settings_tell_the_strategy_or_else_the_fleet(void **state)
{
    static const struct {
        const char *strategy;
        enum ox_strategy is;
    } rows[] = {
        {"{}", OX_STRATEGY_ROLLING},
        {"{\"wait_s\":5}", OX_STRATEGY_ROLLING},
        {"{\"type\":null,\"stages\":null,\"wait_s\":5}", OX_STRATEGY_ROLLING},
        {"{\"stages\":[1,100]}", OX_STRATEGY_CANARY},
        {"{\"type\":null,\"stages\":[1,100],\"batch\":null}", OX_STRATEGY_CANARY},
        {"{\"batch\":7}", OX_STRATEGY_ROLLING},
        {"{\"start\":7}", OX_STRATEGY_EXPONENTIAL},
        {"{\"start\":7,\"factor\":3}", OX_STRATEGY_EXPONENTIAL},
        {"{\"type\":\"all_at_once\",\"stages\":[1,100]}", OX_STRATEGY_ALL_AT_ONCE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_policy policy;
        char text[128];
        json_t *json;

        (void)snprintf(text, sizeof(text), "{\"strategy\":%s}", rows[i].strategy);
        json = json_loads(text, 0, NULL);
        assert_int_equal(ox_policy_parse(json, OX_STRATEGY_ROLLING, &policy, NULL), OX_OK);
        assert_int_equal(policy.strategy, rows[i].is);
        json_decref(json);
    }
}

static void policy__names_keys_that_are_none(void **state)
{
    static const char *const rows[][2] = {
        {"{\"gates\":{\"failed_cuont\":0}}",
         "\"gates\" has no \"failed_cuont\": did you mean \"failed_count\"?"},
        {"{\"halt\":{\"rule\":[]}}", "did you mean \"rules\"?"},
        {"{\"halt\":{\"rules\":[{\"count\":1,\"what\":2}]}}", "\"halt.rules\" has no \"what\""},
        {"{\"strategy\":{\"steps\":[100]}}", "\"strategy\" has no \"steps\""},
        {"{\"limits\":{\"window\":[]}}", "did you mean \"windows\"?"},
        {"{\"bytes\":{\"totals\":1}}", "did you mean \"total\"?"},
        {"{\"timeouts\":{\"downloading\":60}}", "did you mean \"downloading_s\"?"},
    };
    json_t *good = json_loads(
        "{\"model_id\":\"m\",\"gates\":false,\"strategy\":\"canary\",\"bytes\":{}}", 0, NULL);

    (void)state;
    assert_int_equal(ox_policy_check_keys(good, NULL), OX_OK);
    json_decref(good);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_err err = OX_ERR_INIT;
        json_t *json = json_loads(rows[i][0], 0, NULL);

        assert_int_equal(ox_policy_check_keys(json, &err), OX_EINVAL);
        assert_non_null(strstr(err.msg, rows[i][1]));
        json_decref(json);
    }
}

static void policy__names_what_it_refuses(void **state)
{
    static const char *const rows[][2] = {
        {"{\"strategy\":\"blue_green\"}", "blue_green"},
        {"{\"strategy\":7}", "\"type\""},
        {"{\"strategy\":{\"type\":7}}", "type"},
        {"{\"strategy\":{\"stages\":[100],\"batch\":5}}", "strategy.type"},
        {"{\"strategy\":{\"batch\":5,\"factor\":2}}",
         "\"strategy.batch\" is of rolling and \"strategy.factor\" of exponential"},
        {"{\"strategy\":{\"type\":\"canary\",\"stages\":[50,25,100]}}", "stage 2"},
        {"{\"strategy\":{\"type\":\"canary\",\"stages\":[0,100]}}", "stage 1"},
        {"{\"strategy\":{\"type\":\"canary\",\"stages\":[5,101]}}", "stage 2"},
        {"{\"strategy\":{\"type\":\"canary\",\"stages\":[5,50]}}", "end with 100"},
        {"{\"strategy\":{\"type\":\"canary\",\"stages\":[]}}", "1 to 32"},
        {"{\"strategy\":{\"type\":\"rolling\",\"batch\":0}}", "strategy.batch"},
        {"{\"strategy\":{\"type\":\"exponential\",\"factor\":1}}", "strategy.factor"},
        {"{\"gates\":{\"success_percent\":101}}", "gates.success_percent"},
        {"{\"gates\":{\"failed_percent\":-1}}", "gates.failed_percent"},
        {"{\"gates\":true}", "gates"},
        {"{\"halt\":{\"action\":\"explode\"}}", "explode"},
        {"{\"halt\":{\"rules\":[{\"class\":\"bad\",\"count\":1}]}}", "rule 1"},
        {"{\"halt\":{\"rules\":[{}]}}", "rule 1"},
        {"{\"halt\":{\"rules\":[{\"percent\":200}]}}", "percent"},
        {"{\"limits\":{\"in_flight\":0}}", "limits.in_flight"},
        {"{\"limits\":{\"in_flight\":1.5}}", "whole number"},
        {"{\"limits\":{\"windows\":[\"25:00-26:00\"]}}", "25:00-26:00"},
        {"{\"limits\":{\"windows\":[\"02:00-02:00\"]}}", "never opens"},
        {"{\"limits\":{\"windows\":[1]}}", "windows"},
        {"{\"bytes\":{\"fallback_full\":\"maybe\"}}", "maybe"},
        {"{\"on_conflict\":\"fight\"}", "fight"},
        {"{\"follow\":1}", "true or false"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_err err = OX_ERR_INIT;
        struct ox_policy policy;

        if (parse(rows[i][0], &policy, &err) != OX_EINVAL || strstr(err.msg, rows[i][1]) == NULL) {
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i][0], err.msg, rows[i][1]);
        }
    }
}

static void failure__of_what_agents_report(void **state)
{
    (void)state;
    assert_int_equal(ox_failure_of_report("download"), OX_FAILURE_DOWNLOAD);
    assert_int_equal(ox_failure_of_report("health"), OX_FAILURE_HEALTH);
    assert_int_equal(ox_failure_of_report("patch"), OX_FAILURE_FALLBACK);
    assert_int_equal(ox_failure_of_report("activate"), OX_FAILURE_APPLY);
    assert_int_equal(ox_failure_of_report("preflight"), OX_FAILURE_PREFLIGHT);
    assert_int_equal(ox_failure_of_report("what"), OX_FAILURE_OTHER);
    assert_int_equal(ox_failure_of_report(""), OX_FAILURE_OTHER);
    assert_int_equal(ox_failure_of_report(NULL), OX_FAILURE_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy__reads_everything),
        cmocka_unit_test(policy__is_written_as_it_is_read),
        cmocka_unit_test(policy__a_gate_replaces_that_of_the_strategy),
        cmocka_unit_test(policy__without_a_type_its_settings_tell_the_strategy_or_else_the_fleet),
        cmocka_unit_test(policy__names_keys_that_are_none),
        cmocka_unit_test(policy__names_what_it_refuses),
        cmocka_unit_test(failure__of_what_agents_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

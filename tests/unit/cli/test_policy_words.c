#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/cli/policy_words.h"

#include <stdlib.h>
#include <string.h>

/* What everything is by default, as the API shows it, with one section given. */
static void assert_words(const char *strategy, const char *gates, const char *others,
                         const char *wanted)
{
    static const struct ox_column columns[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    struct ox_table table;
    json_error_t error;
    char policy[2048];
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    json_t *json;
    json_t *more = json_loads(others, 0, NULL);

    assert_non_null(out);
    assert_non_null(more);
    (void)snprintf(policy, sizeof(policy),
                   "{\"strategy\": %s, \"gates\": %s, \"halt\": {\"action\": \"pause\","
                   " \"rules\": []}, \"timeouts\": {\"downloading_s\": 1800, \"applying_s\": 1800,"
                   " \"verifying_s\": 1800}, \"limits\": {\"in_flight\": null, \"windows\": [],"
                   " \"deadline_s\": null}, \"bytes\": {\"fallback_full\": \"limited\","
                   " \"fallback_percent\": 1.0, \"per_device\": null, \"total\": null},"
                   " \"on_conflict\": \"supersede\", \"late_delta\": \"wait\", \"follow\": false}",
                   strategy, gates);
    json = json_loads(policy, 0, &error);
    if (json == NULL) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(json_object_update(json, more), 0);
    ox_table_init(&table, columns, 2);
    ox_policy_words(&table, json);
    assert_int_equal(ox_table_print(&table, out, false, NULL), OX_OK);
    ox_table_clear(&table);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(json);
    json_decref(more);
}

#define CANARY "{\"type\": \"canary\", \"stages\": [5.0, 25.0, 50.0, 100.0], \"wait_s\": 300}"
#define NO_FAILURE                                                                                 \
    "{\"success_percent\": 0.0, \"failed_percent\": 100.0, \"failed_count\": 0,"                   \
    " \"min_sample\": 0, \"soak_s\": 0, \"approval\": false}"

static void defaults__go_without_saying(void **state)
{
    (void)state;
    assert_words("{\"type\": \"all_at_once\", \"wait_s\": 0}", "false", "{}",
                 "rollout  all_at_once\n");
    assert_words(CANARY, NO_FAILURE, "{}",
                 "rollout  canary: 5, 25, 50, 100 % of the devices, 5 min 00 s apart\n");
    assert_words("{\"type\": \"rolling\", \"batch\": 7, \"wait_s\": 60}", "false", "{}",
                 "rollout  rolling: 7 at a time, 1 min 00 s apart\n");
    assert_words("{\"type\": \"exponential\", \"start\": 10, \"factor\": 1.5, \"wait_s\": 0}",
                 NO_FAILURE, "{}",
                 "rollout  exponential: 10 devices, then 1.5 times as many at each stage\n");
}

static void gates__are_said_where_they_are_others(void **state)
{
    (void)state;
    assert_words(CANARY, "false", "{}",
                 "rollout  canary: 5, 25, 50, 100 % of the devices, 5 min 00 s apart\n"
                 "gates    none: stages open by time alone\n");
    assert_words("{\"type\": \"rolling\", \"batch\": 1, \"wait_s\": 0}",
                 "{\"success_percent\": 95.0, \"failed_percent\": 2.5, \"failed_count\": null,"
                 " \"min_sample\": 10, \"soak_s\": 1800, \"approval\": true}",
                 "{}",
                 "rollout  rolling: 1 at a time\n"
                 "gates    95 % have succeeded, 2.5 % failures at most, of 10 devices at least,"
                 " 30 min 00 s since the last success, approval of each stage\n");
}

static void settings__are_said_in_words(void **state)
{
    (void)state;
    assert_words(
        "{\"type\": \"all_at_once\", \"wait_s\": 0}", "false",
        "{\"halt\": {\"action\": \"revert\", \"rules\": [{\"class\": \"health\", \"count\": 3,"
        " \"percent\": 100.0, \"min_sample\": 1}, {\"class\": \"any\", \"count\": null,"
        " \"percent\": 10.0, \"min_sample\": 20}]},"
        " \"limits\": {\"in_flight\": 500, \"starts_per_minute\": null, \"rate_bps\": 1000000,"
        " \"deadline_s\": 7200, \"windows\": [\"mon-fri 22:00-05:00\", \"sun 00:00-24:00\"]},"
        " \"bytes\": {\"fallback_full\": \"never\", \"fallback_percent\": 1.0,"
        " \"per_device\": 1000, \"total\": 2000000}, \"follow\": true, \"late_delta\": \"full\","
        " \"on_conflict\": \"refuse\"}",
        "rollout      all_at_once\n"
        "halts        at more than 3 failures by health or more than 10 % failures (of 20 devices"
        " or more): revert\n"
        "limits       500 devices at a time, 1.0 MB/s in all, aborted after 2 h 00 min, in mon-fri"
        " 22:00-05:00 or sun 00:00-24:00\n"
        "full files   never\n"
        "budget       1.0 kB for each device, 2.0 MB in all\n"
        "conflicts    refuse\n"
        "late deltas  full files in their place\n"
        "members      those who join the fleet, too\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults__go_without_saying),
        cmocka_unit_test(gates__are_said_where_they_are_others),
        cmocka_unit_test(settings__are_said_in_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Maintenance windows by the local time that devices tell. Tests begin on Tuesday, 2023-11-14, at
 * 22:13:20 UTC. */
#include "fixture.h"

#define MINUTE_S ((int64_t)60)
#define HOUR_S ((int64_t)3600)

static void live_at(struct fixture *fixture, const char *id, int64_t utc_offset_s)
{
    json_decref(beat(fixture, id, "{" AGENT ",\"utc_offset_s\":%lld}", (long long)utc_offset_s));
}

static void pass(struct fixture *fixture, int64_t seconds)
{
    fixture->now_ms += seconds * 1000;
}

static void offer__comes_within_the_window_of_the_devices_own_time(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 3);
    live_at(fixture, "d0", 0);
    live_at(fixture, "d1", 3 * HOUR_S); /* it is 01:13 there; d2 does not tell */
    campaign_with(fixture, "v2", "\"limits\":{\"windows\":[\"22:00-23:00\"]}");
    assert_true(is_told(fixture, "d0", "v1"));
    assert_false(is_told(fixture, "d1", "v1"));
    assert_true(is_told(fixture, "d2", "v1"));
    pass(fixture, 20 * HOUR_S + 46 * MINUTE_S); /* 21:59 there */
    assert_false(is_told(fixture, "d1", "v1"));
    pass(fixture, MINUTE_S);
    assert_true(is_told(fixture, "d1", "v1"));
}

static void offer__that_was_not_taken_in_time_is_taken_back(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 2);
    live_at(fixture, "d0", 0);
    live_at(fixture, "d1", -HOUR_S);
    campaign_with(fixture, "v2", "\"limits\":{\"in_flight\":1,\"windows\":[\"22:00-23:00\"]}");
    assert_false(is_told(fixture, "d1", "v1")); /* 21:13, and it takes no place */
    assert_true(is_told(fixture, "d0", "v1"));
    pass(fixture, 47 * MINUTE_S);               /* 23:00 and 22:00 */
    assert_false(is_told(fixture, "d1", "v1")); /* d0 has the place until it is heard of */
    assert_false(is_told(fixture, "d0", "v1"));
    assert_true(is_told(fixture, "d1", "v1"));
    pass(fixture, 23 * HOUR_S);
    assert_false(is_told(fixture, "d1", "v1"));
    assert_true(is_told(fixture, "d0", "v1"));
}

static void offer__that_was_taken_goes_on_when_the_window_closes(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 1);
    live_at(fixture, "d0", 0);
    campaign_with(fixture, "v2", "\"limits\":{\"windows\":[\"22:00-23:00\"]}");
    assert_true(is_told(fixture, "d0", "v1"));
    json_decref(beat_report(fixture, "d0", 1, "downloading", 0));
    pass(fixture, HOUR_S);
    assert_true(is_told(fixture, "d0", "v1"));
    assert_device_state(fixture, "d0", "downloading");
}

static json_t *plan(struct fixture *fixture, const char *settings)
{
    json_t *in =
        body("{\"model_id\":\"m\",\"model_version\":\"v2\",\"fleet_id\":\"f\",%s}", settings);
    json_t *out = NULL;

    assert_int_equal(ox_control_campaign_plan(fixture->control, in, &out, NULL), OX_OK);
    json_decref(in);
    return out;
}

static void plan__tells_who_is_within_a_window_and_when_the_next_ones_open(void **state)
{
    struct fixture *fixture = *state;
    json_t *out;

    ready(fixture, 5);
    live_at(fixture, "d0", 0);
    live_at(fixture, "d1", 0);
    live_at(fixture, "d2", -HOUR_S);
    live_at(fixture, "d3", 3 * HOUR_S);
    out = plan(fixture, "\"limits\":{\"windows\":[\"22:00-23:00\"]}");
    assert_int_equal(number_at(out, "windows.open"), 2);
    assert_int_equal(number_at(out, "windows.closed"), 2);
    assert_int_equal(number_at(out, "windows.not_known"), 1);
    assert_string_equal(text_at(out, "windows.next_opens_at"), "2023-11-14T23:00:00.000Z");
    assert_string_equal(text_at(out, "windows.last_opens_at"), "2023-11-15T19:00:00.000Z");
    assert_non_null(strstr(text_at(out, "warnings.0"), "1 devices do not tell their local time"));
    json_decref(out);
    out = plan(fixture, "\"strategy\":\"all_at_once\"");
    assert_true(json_is_null(at(out, "windows")));
    json_decref(out);
}

static void plan__takes_the_time_outside_of_windows_into_account(void **state)
{
    struct fixture *fixture = *state;
    json_t *out;
    int64_t open_s;

    ready(fixture, 3);
    live_at(fixture, "d0", HOUR_S);
    live_at(fixture, "d1", HOUR_S); /* most are there: it is 23:13:20 */
    live_at(fixture, "d2", 0);
    out = plan(fixture, "\"limits\":{\"in_flight\":1}");
    open_s = number_at(out, "duration_s");
    json_decref(out);
    assert_in_range(open_s, 3, HOUR_S / 2);
    out = plan(fixture, "\"limits\":{\"in_flight\":1,\"windows\":[\"23:00-24:00\"]}");
    assert_int_equal(number_at(out, "duration_s"), open_s);
    json_decref(out);
    out = plan(fixture, "\"limits\":{\"in_flight\":1,\"windows\":[\"01:13-02:30\"]}");
    assert_int_equal(number_at(out, "duration_s"), open_s + 2 * HOUR_S - 20);
    json_decref(out);
    /* One after the other, a minute each: one begins in each of three nights. */
    out = plan(fixture, "\"limits\":{\"in_flight\":1,\"windows\":[\"23:13-23:14\"]}");
    assert_int_equal(number_at(out, "duration_s"), 48 * HOUR_S + open_s / 3);
    json_decref(out);
}

/* --- windows and deadlines --- */

/* The message of the refusal that creating and planning share; "" if it is taken. */
static const char *refusal(struct fixture *fixture, const char *settings)
{
    static struct ox_err err;
    struct ox_err planned = OX_ERR_INIT;
    json_t *in =
        body("{\"model_id\":\"m\",\"model_version\":\"v2\",\"fleet_id\":\"f\",%s}", settings);
    json_t *out = NULL;
    enum ox_code code;

    err = (struct ox_err)OX_ERR_INIT;
    code = ox_control_campaign_plan(fixture->control, in, &out, &planned);
    json_decref(out);
    out = NULL;
    assert_int_equal(ox_control_campaign_create(fixture->control, in, &out, &err), code);
    assert_string_equal(err.msg, planned.msg);
    assert_true(code == OX_OK || code == OX_EINVAL);
    json_decref(out);
    json_decref(in);
    return err.msg;
}

static void window__that_opens_behind_the_deadline_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const char *said;

    ready(fixture, 2);
    live_at(fixture, "d0", 0);
    live_at(fixture, "d1", -HOUR_S); /* it is 21:13:20 on Tuesday there */
    said = refusal(fixture, "\"limits\":{\"windows\":[\"02:00-05:00\"],\"deadline_s\":3600}");
    assert_non_null(strstr(said, "the window \"02:00-05:00\" opens in 13600 s"));
    assert_non_null(strstr(said, "\"limits.deadline_s\" ends the campaign in 3600 s"));
    assert_non_null(strstr(said, "give it more time"));
    said = refusal(fixture, "\"limits\":{\"windows\":[\"wed 02:00-05:00\",\"sat,sun 00:00-24:00\"],"
                            "\"deadline_s\":13600}");
    assert_non_null(strstr(said, "\"wed 02:00-05:00\" (or another) opens in 13600 s"));
}

static void window__that_opens_for_one_device_in_time_is_taken(void **state)
{
    struct fixture *fixture = *state;
    json_t *out;

    ready(fixture, 2);
    live_at(fixture, "d0", 0);
    live_at(fixture, "d1", -HOUR_S);
    assert_string_equal(
        refusal(fixture, "\"limits\":{\"windows\":[\"02:00-05:00\"],\"deadline_s\":13601}"), "");
    assert_string_equal(refusal(fixture, "\"limits\":{\"windows\":[\"02:00-05:00\"]}"), "");
    assert_string_equal(/* it is open for one now */
                        refusal(fixture,
                                "\"limits\":{\"windows\":[\"tue 22:00-23:00\"],\"deadline_s\":60}"),
                        "");
    out = plan(fixture, "\"limits\":{\"windows\":[\"tue 22:00-23:00\"],\"deadline_s\":60}");
    assert_non_null(strstr(text_at(out, "warnings.0"), "for 1 devices no window opens before"));
    json_decref(out);
}

static void window__of_devices_that_do_not_tell_their_time_may_open_anywhere(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 2);
    live_at(fixture, "d0", 0); /* d1 does not tell: somewhere it is two o'clock */
    assert_string_equal(
        refusal(fixture, "\"limits\":{\"windows\":[\"02:00-05:00\"],\"deadline_s\":60}"), "");
    /* Friday begins nowhere before Thursday, 10:00 UTC. */
    assert_non_null(strstr(
        refusal(fixture, "\"limits\":{\"windows\":[\"fri 00:00-05:00\"],\"deadline_s\":128800}"),
        "opens in 128800 s"));
    assert_string_equal(
        refusal(fixture, "\"limits\":{\"windows\":[\"fri 00:00-05:00\"],\"deadline_s\":128801}"),
        "");
}

static void window__of_devices_that_are_to_join_may_open_anywhere(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 1);
    live_at(fixture, "d0", 0);
    assert_string_equal(refusal(fixture,
                                "\"follow\":true,\"limits\":{\"windows\":[\"02:00-05:00\"],"
                                "\"deadline_s\":60}"),
                        "");
    assert_non_null(strstr(refusal(fixture, "\"follow\":true,\"limits\":{\"windows\":"
                                            "[\"fri 02:00-05:00\"],\"deadline_s\":60}"),
                           "no device could begin"));
}

static void window__does_not_matter_where_nobody_waits_for_one(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 1);
    live_at(fixture, "d0", 0);
    json_decref(beat_running(fixture, "d0", "v2"));
    assert_string_equal(
        refusal(fixture, "\"limits\":{\"windows\":[\"fri 02:00-05:00\"],\"deadline_s\":60}"), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(offer__comes_within_the_window_of_the_devices_own_time),
        TEST(offer__that_was_not_taken_in_time_is_taken_back),
        TEST(offer__that_was_taken_goes_on_when_the_window_closes),
        TEST(plan__tells_who_is_within_a_window_and_when_the_next_ones_open),
        TEST(plan__takes_the_time_outside_of_windows_into_account),
        TEST(window__that_opens_behind_the_deadline_is_refused),
        TEST(window__that_opens_for_one_device_in_time_is_taken),
        TEST(window__of_devices_that_do_not_tell_their_time_may_open_anywhere),
        TEST(window__of_devices_that_are_to_join_may_open_anywhere),
        TEST(window__does_not_matter_where_nobody_waits_for_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "fixture.h"

/* The assignment's version for a device of the new generation; NULL for none. */
static bool is_assigned(struct fixture *fixture, const char *id, const char *version)
{
    json_t *answer = beat_running(fixture, id, version);
    bool assigned = json_array_size(at(answer, "assignments")) == 1;

    json_decref(answer);
    return assigned;
}

/* The same of a heartbeat that leaves out what runs: as it was, or as it was reported last. */
static bool has_assignment(struct fixture *fixture, const char *id)
{
    json_t *answer = beat(fixture, id, "{" AGENT ",\"status\":\"online\"}");
    bool assigned = json_array_size(at(answer, "assignments")) == 1;

    json_decref(answer);
    return assigned;
}

static size_t assigned_count(struct fixture *fixture, size_t devices)
{
    size_t count = 0;

    for (size_t i = 0; i < devices; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "d%zu", i);
        count += has_assignment(fixture, id);
    }
    return count;
}

/* Every device that has an assignment now ends its update; the next stage may open meanwhile. */
static void end_assigned(struct fixture *fixture, size_t devices, unsigned seq, const char *how)
{
    bool *assigned = calloc(devices, sizeof(*assigned));
    char id[32];

    for (size_t i = 0; i < devices; i++) {
        (void)snprintf(id, sizeof(id), "d%zu", i);
        assigned[i] = has_assignment(fixture, id);
    }
    for (size_t i = 0; i < devices; i++) {
        (void)snprintf(id, sizeof(id), "d%zu", i);
        if (assigned[i]) {
            json_decref(beat_report(fixture, id, seq, how, 100));
        }
    }
    free(assigned);
}

/* A fleet of devices that run v1, and the delta to v2 made. */
static void ready_fleet(struct fixture *fixture, size_t devices)
{
    publish_two(fixture);
    fleet(fixture, "f", devices);
    for (size_t i = 0; i < devices; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "d%zu", i);
        json_decref(beat_running(fixture, id, "v1"));
    }
    make_deltas(fixture);
}

static void create__answers_with_the_words_of_the_first_generation(void **state)
{
    struct fixture *fixture = *state;
    json_t *in = body("{\"model_id\":\"m\",\"model_version\":\"v2\",\"fleet_id\":\"f\"}");
    json_t *out = NULL;

    ready_fleet(fixture, 2);
    assert_int_equal(ox_control_campaign_create(fixture->control, in, &out, NULL), OX_OK);
    assert_string_equal(text_at(out, "state"), "rolling_out");
    assert_int_equal(number_at(out, "total_devices"), 2);
    json_decref(in);
    json_decref(out);
}

static void create__refuses_what_does_not_exist(void **state)
{
    static const char *const bodies[] = {
        "{\"model_id\":\"m\",\"model_version\":\"v9\",\"fleet_id\":\"f\"}",
        "{\"model_id\":\"x\",\"model_version\":\"v1\",\"fleet_id\":\"f\"}",
        "{\"model_id\":\"m\",\"model_version\":\"v1\",\"fleet_id\":\"g\"}",
        "{\"model_id\":\"m\",\"model_version\":\"v1\",\"device_ids\":[\"ghost\"]}",
    };
    const struct ox_list_query all = {.limit = 9};
    char *next = NULL;
    struct fixture *fixture = *state;
    json_t *out = NULL;

    ready_fleet(fixture, 1);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        json_t *in = body("%s", bodies[i]);

        assert_int_equal(ox_control_campaign_create(fixture->control, in, &out, NULL),
                         OX_ENOTFOUND);
        json_decref(in);
    }
    assert_int_equal(ox_control_campaigns(fixture->control, &all, &out, &next, NULL), OX_OK);
    assert_int_equal(json_array_size(out), 0);
    json_decref(out);
}

static void create__devices_by_name_count_once(void **state)
{
    struct fixture *fixture = *state;
    json_t *in = body("{\"model_id\":\"m\",\"model_version\":\"v2\","
                      "\"device_ids\":[\"d1\",\"d0\",\"d1\"]}");
    json_t *out = NULL;

    ready_fleet(fixture, 3);
    assert_int_equal(ox_control_campaign_create(fixture->control, in, &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "total_devices"), 2);
    json_decref(in);
    json_decref(out);
}

static void create__who_runs_it_already_is_complete_and_saves_nothing(void **state)
{
    struct fixture *fixture = *state;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v2"));
    campaign(fixture, "v2", "all_at_once");
    assert_campaign(fixture, "state", "complete");
    assert_int_equal(campaign_number(fixture, "summary.bytes_saved"), 0);
}

static void create__supersedes_an_older_one_of_the_same_model(void **state)
{
    struct fixture *fixture = *state;
    char older[64];
    bool created = false;
    json_t *out = NULL;

    ready_fleet(fixture, 1);
    campaign(fixture, "v2", "all_at_once");
    (void)snprintf(older, sizeof(older), "%s", fixture->campaign);
    assert_int_equal(publish(fixture, "v3", 1, 20, &created), OX_OK);
    campaign(fixture, "v3", "all_at_once");
    assert_device_state(fixture, "d0", "pending");
    out = show_of(fixture, older);
    assert_string_equal(text_at(out, "devices.0.state"), "skipped");
    assert_string_equal(text_at(out, "state"), "complete");
    json_decref(out);
}

static void phase__is_preparing_until_the_deltas_are_made(void **state)
{
    struct fixture *fixture = *state;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    campaign(fixture, "v2", "all_at_once");
    assert_campaign(fixture, "phase", "preparing");
    assert_campaign(fixture, "state", "rolling_out");
    assert_false(is_assigned(fixture, "d0", "v1"));
    make_deltas(fixture);
    assert_true(is_assigned(fixture, "d0", "v1"));
    tick(fixture, 10);
    assert_campaign(fixture, "phase", "rolling_out");
    json_decref(beat_report(fixture, "d0", 1, "complete", 5));
    assert_campaign(fixture, "phase", "done");
}

static void assignment__waits_for_its_delta_however_long(void **state)
{
    struct fixture *fixture = *state;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    campaign(fixture, "v2", "all_at_once");
    for (int hour = 0; hour < 24; hour++) {
        tick(fixture, 3600);
        assert_false(is_assigned(fixture, "d0", "v1"));
    }
    assert_campaign(fixture, "phase", "preparing");
    make_deltas(fixture);
    assert_true(is_assigned(fixture, "d0", "v1"));
}

static void assignment__takes_the_full_file_in_time_if_the_policy_says_so(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    campaign_with(fixture, "v2", "\"late_delta\":\"full\"");
    fixture->now_ms += 599 * 1000;
    assert_false(is_assigned(fixture, "d0", "v1"));
    fixture->now_ms += 2 * 1000;
    tick(fixture, 10);
    answer = beat_running(fixture, "d0", "v1");
    assert_string_equal(text_at(answer, "assignments.0.model_version"), "v2");
    assert_true(json_is_null(at(answer, "assignments.0.patch")));
    json_decref(answer);
    assert_campaign(fixture, "phase", "rolling_out");
}

static void pause__withdraws_what_has_not_begun(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    ready_fleet(fixture, 2);
    campaign(fixture, "v2", "all_at_once");
    json_decref(beat_report(fixture, "d0", 1, "downloading", 0));
    act(fixture, OX_ACTION_PAUSE, "paused");
    assert_true(is_assigned(fixture, "d0", "v1")); /* it has begun */
    answer = beat_running(fixture, "d1", "v1");
    assert_int_equal(json_array_size(at(answer, "assignments")), 0);
    assert_true(json_is_null(at(answer, "assigned_model")));
    json_decref(answer);
    act(fixture, OX_ACTION_RESUME, "rolling_out");
    assert_true(is_assigned(fixture, "d1", "v1"));
}

static void abort__skips_what_has_not_begun(void **state)
{
    struct fixture *fixture = *state;

    ready_fleet(fixture, 2);
    campaign(fixture, "v2", "all_at_once");
    json_decref(beat_report(fixture, "d0", 1, "downloading", 0));
    act(fixture, OX_ACTION_ABORT, "aborted");
    assert_device_state(fixture, "d0", "downloading");
    assert_device_state(fixture, "d1", "skipped");
    assert_false(is_assigned(fixture, "d1", "v1"));
    json_decref(beat_report(fixture, "d0", 2, "complete", 50));
    assert_device_state(fixture, "d0", "complete");
    assert_campaign(fixture, "state", "aborted");
}

static void act__is_refused_from_a_state_that_does_not_allow_it(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    ready_fleet(fixture, 1);
    campaign(fixture, "v2", "all_at_once");
    assert_int_equal(
        ox_control_campaign_act(fixture->control, fixture->campaign, OX_ACTION_RESUME, &out, NULL),
        OX_ECONFLICT);
    act(fixture, OX_ACTION_ABORT, "aborted");
    assert_int_equal(
        ox_control_campaign_act(fixture->control, fixture->campaign, OX_ACTION_PAUSE, &out, NULL),
        OX_ECONFLICT);
    assert_int_equal(
        ox_control_campaign_act(fixture->control, "c-none", OX_ACTION_PAUSE, &out, NULL),
        OX_ENOTFOUND);
}

static void rolling__releases_five_at_a_time_a_minute_apart(void **state)
{
    struct fixture *fixture = *state;

    ready_fleet(fixture, 12);
    campaign(fixture, "v2", "rolling");
    assert_int_equal(assigned_count(fixture, 12), 5);
    tick(fixture, 50);
    assert_int_equal(assigned_count(fixture, 12), 5);
    tick(fixture, 10);
    assert_int_equal(assigned_count(fixture, 12), 10);
    tick(fixture, 60);
    assert_int_equal(assigned_count(fixture, 12), 12);
}

static void canary__goes_through_its_stages_and_survives_restarts(void **state)
{
    struct fixture *fixture = *state;

    ready_fleet(fixture, 20);
    campaign(fixture, "v2", "canary");
    assert_int_equal(assigned_count(fixture, 20), 1);
    tick(fixture, 600);
    assert_int_equal(assigned_count(fixture, 20), 1); /* the first has not ended */
    end_assigned(fixture, 20, 1, "complete");
    restart(fixture);
    tick(fixture, 10);
    assert_int_equal(assigned_count(fixture, 20), 4);
    end_assigned(fixture, 20, 1, "complete");
    tick(fixture, 280);
    assert_int_equal(assigned_count(fixture, 20), 0);
    tick(fixture, 20);
    assert_int_equal(assigned_count(fixture, 20), 5);
    end_assigned(fixture, 20, 1, "complete");
    tick(fixture, 310);
    assert_int_equal(assigned_count(fixture, 20), 10);
    end_assigned(fixture, 20, 1, "complete");
    assert_campaign(fixture, "state", "complete");
    assert_int_equal(campaign_number(fixture, "summary.complete"), 20);
}

static void canary__pauses_on_a_failure_and_says_why(void **state)
{
    struct fixture *fixture = *state;

    ready_fleet(fixture, 20);
    campaign(fixture, "v2", "canary");
    end_assigned(fixture, 20, 1, "failed");
    assert_campaign(fixture, "state", "paused");
    assert_campaign(fixture, "reason",
                    "stage 1: 1 of 1 devices failed: look at them, then resume or abort");
    tick(fixture, 3600);
    assert_int_equal(assigned_count(fixture, 20), 0);
    act(fixture, OX_ACTION_RESUME, "rolling_out");
    tick(fixture, 10);
    assert_int_equal(assigned_count(fixture, 20), 4);
}

static void remove__a_device_that_is_unregistered_is_skipped(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    ready_fleet(fixture, 1);
    campaign(fixture, "v2", "all_at_once");
    assert_int_equal(ox_control_device_remove(fixture->control, "d0", &out, NULL), OX_OK);
    json_decref(out);
    assert_device_state(fixture, "d0", "skipped");
    assert_campaign(fixture, "state", "complete");
}

static void deploy__makes_a_campaign(void **state)
{
    struct fixture *fixture = *state;
    json_t *in = body("{\"model_id\":\"m\",\"model_version\":\"v2\",\"strategy\":\"rolling\"}");
    json_t *out = NULL;

    ready_fleet(fixture, 2);
    assert_int_equal(ox_control_fleet_deploy(fixture->control, "f", in, &out, NULL), OX_OK);
    assert_string_equal(text_at(out, "status"), "deployed");
    assert_int_equal(number_at(out, "total_devices"), 2);
    (void)snprintf(fixture->campaign, sizeof(fixture->campaign), "%s", text_at(out, "campaign_id"));
    assert_campaign(fixture, "strategy", "rolling");
    json_decref(in);
    json_decref(out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* --- who is meant --- */

static void tag(struct fixture *fixture, const char *id, const char *site)
{
    json_t *in = body("{\"tags\":{\"site\":\"%s\"}}", site);
    json_t *out = NULL;

    assert_int_equal(ox_control_device_edit(fixture->control, id, in, &out, NULL), OX_OK);
    json_decref(out);
    json_decref(in);
}

static enum ox_code create(struct fixture *fixture, const char *who, json_t **out,
                           struct ox_err *err)
{
    json_t *in = body("{\"model_id\":\"m\",\"model_version\":\"v2\",%s}", who);
    enum ox_code code = ox_control_campaign_create(fixture->control, in, out, err);

    json_decref(in);
    return code;
}

static void create__by_filter_takes_those_that_pass_at_the_start(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    ready_fleet(fixture, 4);
    tag(fixture, "d1", "graz");
    tag(fixture, "d2", "graz");
    assert_int_equal(
        create(fixture, "\"filter\":\"tag.site = graz\",\"fleet_id\":null", &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "total_devices"), 2);
    json_decref(out);
    tag(fixture, "d3", "graz");
    tag(fixture, "d1", "wien");
    assert_false(is_assigned(fixture, "d0", "v1"));
    assert_true(is_assigned(fixture, "d1", "v1"));
    assert_true(is_assigned(fixture, "d2", "v1"));
    assert_false(is_assigned(fixture, "d3", "v1"));
}

static void create__by_filter_asks_for_what_heartbeats_have_not_written(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    ready_fleet(fixture, 2);
    json_decref(beat(fixture, "d1", "{" AGENT ",\"metrics\":{\"uptime_secs\":5}}"));
    assert_int_equal(create(fixture, "\"filter\":\"metrics.uptime_secs = 5\"", &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "total_devices"), 1);
    json_decref(out);
}

static void create__says_what_is_wrong_with_who_is_meant(void **state)
{
    static const struct {
        const char *who;
        enum ox_code code;
        const char *words;
    } bad[] = {
        {"\"filter\":\"tag.site = graz\",\"fleet_id\":\"f\"", OX_EINVAL,
         "\"fleet_id\" and \"filter\" both say"},
        {"\"filter\":\"tag.site = graz\",\"device_ids\":[\"d0\"]", OX_EINVAL,
         "\"device_ids\" and \"filter\" both say"},
        {"\"fleet_id\":\"f\",\"device_ids\":[\"d0\"]", OX_EINVAL,
         "\"fleet_id\" and \"device_ids\" both say"},
        {"\"fleet_id\":null", OX_EINVAL, "which devices?"},
        {"\"filter\":\"tag.site == graz\"", OX_EINVAL, "the filter at column 11: expected"},
        {"\"filter\":\"fleet = nowhere\"", OX_EINVAL, "there is no fleet nowhere"},
        {"\"filter\":7", OX_EINVAL, "\"filter\""},
        {"\"filter\":\"tag.site = linz\"", OX_ECONFLICT, "the filter selects no device"},
        {"\"filter\":\"id = d0\",\"follow\":true", OX_EINVAL, "name a \"fleet_id\""},
        {"\"device_ids\":[\"d0\"],\"follow\":true", OX_EINVAL, "name a \"fleet_id\""},
    };
    struct fixture *fixture = *state;

    ready_fleet(fixture, 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ox_err err = OX_ERR_INIT;
        json_t *out = NULL;

        assert_int_equal(create(fixture, bad[i].who, &out, &err), bad[i].code);
        if (strstr(err.msg, bad[i].words) == NULL) {
            fail_msg("%s: \"%s\"", bad[i].who, err.msg);
        }
        assert_null(out);
    }
}

static void plan_and_revert__take_a_filter_too(void **state)
{
    struct fixture *fixture = *state;
    json_t *in = body("{\"model_id\":\"m\",\"model_version\":\"v2\",\"filter\":\"id = d1\"}");
    json_t *out = NULL;

    ready_fleet(fixture, 3);
    assert_int_equal(ox_control_campaign_plan(fixture->control, in, &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "devices.total"), 1);
    json_decref(out);
    json_decref(in);
    in = body("{\"filter\":\"id in (d0, d2)\",\"model_version\":\"v2\"}");
    assert_int_equal(ox_control_model_revert(fixture->control, "m", in, &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "total_devices"), 2);
    json_decref(out);
    json_decref(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(create__answers_with_the_words_of_the_first_generation),
        TEST(create__refuses_what_does_not_exist),
        TEST(create__devices_by_name_count_once),
        TEST(create__who_runs_it_already_is_complete_and_saves_nothing),
        TEST(create__supersedes_an_older_one_of_the_same_model),
        TEST(phase__is_preparing_until_the_deltas_are_made),
        TEST(assignment__waits_for_its_delta_however_long),
        TEST(assignment__takes_the_full_file_in_time_if_the_policy_says_so),
        TEST(pause__withdraws_what_has_not_begun),
        TEST(abort__skips_what_has_not_begun),
        TEST(act__is_refused_from_a_state_that_does_not_allow_it),
        TEST(rolling__releases_five_at_a_time_a_minute_apart),
        TEST(canary__goes_through_its_stages_and_survives_restarts),
        TEST(canary__pauses_on_a_failure_and_says_why),
        TEST(remove__a_device_that_is_unregistered_is_skipped),
        TEST(deploy__makes_a_campaign),
        TEST(create__by_filter_takes_those_that_pass_at_the_start),
        TEST(create__by_filter_asks_for_what_heartbeats_have_not_written),
        TEST(create__says_what_is_wrong_with_who_is_meant),
        TEST(plan_and_revert__take_a_filter_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Going back: reverts of campaigns and of fleets, and of what was installed first. */
#include "fixture.h"

#include <string.h>

#define SPEAKS "\"agent\":\"oxide/0.1.0\",\"protocol\":1"

static void revert__of_a_fleet_to_what_each_ran_before(void **state)
{
    struct fixture *fixture = *state;
    json_t *in = body("{\"fleet_id\":\"f\"}");
    json_t *out = NULL;
    json_t *answer;

    ready(fixture, 2);
    campaign(fixture, "v2", "all_at_once");
    assert_int_equal(told_count(fixture, 2), 2);
    complete(fixture, "d0", 1);
    complete(fixture, "d1", 1);
    assert_int_equal(ox_control_model_revert(fixture->control, "m", in, &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "total_devices"), 2);
    (void)snprintf(fixture->campaign, sizeof(fixture->campaign), "%s", text_at(out, "campaign_id"));
    json_decref(out);
    json_decref(in);
    answer = beat_running(fixture, "d1", "v2");
    assert_string_equal(text_at(answer, "assignments.0.model_version"), "v1");
    json_decref(answer);
    json_decref(beat_running(fixture, "d0", "v1"));
    json_decref(beat_running(fixture, "d1", "v1"));
    assert_campaign(fixture, "state", "complete");
    /* and v2 is not what the fleet is to run any more */
    device(fixture, "late");
    assert_int_equal(ox_control_fleet_add(fixture->control, "f", "late", &out, NULL), OX_OK);
    json_decref(out);
    answer = beat(fixture, "late", "{" AGENT ",\"models\":[]}");
    assert_int_equal(json_array_size(at(answer, "assignments")), 0);
    json_decref(answer);
}

/* Send the whole fleet back; the revert is the fixture's campaign then. */
static void revert_fleet(struct fixture *fixture)
{
    json_t *in = body("{\"fleet_id\":\"f\"}");
    json_t *out = NULL;

    assert_int_equal(ox_control_model_revert(fixture->control, "m", in, &out, NULL), OX_OK);
    (void)snprintf(fixture->campaign, sizeof(fixture->campaign), "%s", text_at(out, "campaign_id"));
    json_decref(out);
    json_decref(in);
}

static void revert__once_more_sends_nobody_forward(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 2);
    campaign(fixture, "v2", "all_at_once");
    assert_int_equal(told_count(fixture, 2), 2);
    complete(fixture, "d0", 1);
    complete(fixture, "d1", 1);
    revert_fleet(fixture);
    json_decref(beat_running(fixture, "d0", "v1")); /* d1 has not gone back yet */
    assert_false(is_told(fixture, "d0", "v1"));
    revert_fleet(fixture);
    assert_false(is_told(fixture, "d0", "v1"));
    assert_true(is_told(fixture, "d1", "v2"));
    json_decref(beat_running(fixture, "d1", "v1"));
    assert_campaign(fixture, "state", "complete");
    revert_fleet(fixture);
    assert_false(is_told(fixture, "d0", "v1"));
    assert_false(is_told(fixture, "d1", "v1"));
    assert_campaign(fixture, "state", "complete");
}

static void revert__leaves_what_the_fleet_was_to_run_before(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    ready(fixture, 1);
    campaign(fixture, "v1", "all_at_once"); /* it runs it already: complete at once */
    assert_campaign(fixture, "state", "complete");
    campaign(fixture, "v2", "all_at_once");
    assert_true(is_told(fixture, "d0", "v1"));
    complete(fixture, "d0", 1);
    revert_fleet(fixture);
    json_decref(beat_running(fixture, "d0", "v1"));
    assert_campaign(fixture, "state", "complete");
    join(fixture, "late");
    answer = beat(fixture, "late", "{" AGENT ",\"models\":[]}");
    assert_string_equal(text_at(answer, "assignments.0.model_version"), "v1");
    json_decref(answer);
}

static void revert__of_a_campaign_names_what_it_supersedes(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;
    char reverted[64];
    char later[64];

    ready(fixture, 3);
    campaign_with(fixture, "v2",
                  "\"strategy\":{\"type\":\"canary\",\"stages\":[50,100],\"wait_s\":3600}");
    assert_int_equal(told_count(fixture, 3), 2);
    (void)snprintf(reverted, sizeof(reverted), "%s", fixture->campaign);
    for (size_t i = 0; i < 3; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "d%zu", i);
        if (is_told(fixture, id, "v1")) {
            complete(fixture, id, 1);
        }
    }
    act(fixture, OX_ACTION_ABORT, "aborted");
    assert_int_equal(campaign_number(fixture, "summary.released"), 2); /* the third never was */
    assert_int_equal(campaign_number(fixture, "summary.skipped"), 1);

    campaign(fixture, "v1", "all_at_once"); /* the two that run v2 are to go back by hand, say */
    (void)snprintf(later, sizeof(later), "%s", fixture->campaign);
    assert_int_equal(ox_control_campaign_revert(fixture->control, reverted, &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "total_devices"), 2);
    assert_string_equal(text_at(out, "superseded.0.campaign_id"), later);
    assert_int_equal(number_at(out, "superseded.0.devices"), 2);
    (void)snprintf(later, sizeof(later), "%s", text_at(out, "campaign_id"));
    json_decref(out);
    assert_int_equal(ox_control_campaign_revert(fixture->control, reverted, &out, NULL), OX_OK);
    assert_string_equal(text_at(out, "superseded.0.campaign_id"), later); /* once more */
    json_decref(out);
}

/* The heartbeat with the report of success may leave out what runs: the revert must know it. */
static void revert__knows_what_was_only_reported(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    ready(fixture, 1);
    campaign(fixture, "v2", "all_at_once");
    assert_true(is_told(fixture, "d0", "v1"));
    json_decref(beat(fixture, "d0",
                     "{" SPEAKS ",\"status\":\"updating\",\"reports\":[{\"seq\":1,\"campaign_id\":"
                     "\"%s\",\"model_id\":\"m\",\"model_version\":\"v2\",\"state\":\"complete\","
                     "\"strategy\":\"delta\"}]}",
                     fixture->campaign));
    assert_device_state(fixture, "d0", "complete");
    assert_int_equal(ox_control_campaign_revert(fixture->control, fixture->campaign, &out, NULL),
                     OX_OK);
    json_decref(out);
    take_newest(fixture);
    assert_device_state(fixture, "d0", "pending");
    assert_true(is_told(fixture, "d0", "v2"));
}

/* d0, which reads this and ran nothing, has v2 by a campaign. */
static void first_install(struct fixture *fixture, const char *reads)
{
    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat(fixture, "d0", "{" SPEAKS ",\"reads\":\"%s\",\"models\":[]}", reads));
    campaign(fixture, "v2", "all_at_once");
    json_decref(beat(fixture, "d0", "{" SPEAKS "}"));
    json_decref(beat(fixture, "d0",
                     "{" SPEAKS ",\"models\":[{\"id\":\"m\",\"version\":\"v2\",\"digest\":\"%s\"}],"
                     "\"reports\":[{\"seq\":1,\"campaign_id\":\"%s\",\"model_id\":\"m\","
                     "\"model_version\":\"v2\",\"state\":\"complete\",\"strategy\":\"full\","
                     "\"bytes_received\":9,\"bytes_full\":%zu}]}",
                     digest_hex(fixture, "v2"), fixture->campaign, MODEL_BYTES));
    assert_device_state(fixture, "d0", "complete");
}

static void revert_it(struct fixture *fixture)
{
    json_t *out = NULL;

    assert_int_equal(ox_control_campaign_revert(fixture->control, fixture->campaign, &out, NULL),
                     OX_OK);
    json_decref(out);
    take_newest(fixture);
}

static void revert__of_a_first_install_removes_it(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    first_install(fixture, "oxdl/2; ops=ffffffff, oxdl/1, remove/1");
    revert_it(fixture);
    assert_campaign(fixture, "devices.0.action", "remove");
    assert_device_state(fixture, "d0", "pending");
    answer = beat(fixture, "d0", "{" SPEAKS "}");
    assert_string_equal(text_at(answer, "assignments.0.model_version"), "v2");
    assert_true(json_is_true(at(answer, "assignments.0.remove")));
    assert_true(json_is_true(at(answer, "assignments.0.urgent")));
    assert_int_equal(json_array_size(at(answer, "assignments.0.files")), 0);
    assert_true(json_is_null(at(answer, "assigned_model")));
    json_decref(answer);

    answer = beat(fixture, "d0", "{" SPEAKS ",\"reads\":\"oxdl/2; ops=ff\"}"); /* an older agent */
    assert_int_equal(json_array_size(at(answer, "assignments")), 0);
    json_decref(answer);
    answer = beat(fixture, "d0", "{" SPEAKS ",\"reads\":\"oxdl/2; ops=ff, remove/1\"}");
    assert_int_equal(json_array_size(at(answer, "assignments")), 1);
    json_decref(answer);

    answer = beat(fixture, "d0", "{" SPEAKS ",\"models\":[]}"); /* gone, whatever was reported */
    assert_int_equal(json_array_size(at(answer, "assignments")), 0);
    assert_true(json_is_null(at(answer, "assigned_model")));
    json_decref(answer);
    assert_device_state(fixture, "d0", "complete");
    assert_campaign(fixture, "state", "complete");
    assert_int_equal(campaign_number(fixture, "summary.bytes_served"), 0);

    tick(fixture, 60); /* and it stays away */
    answer = beat(fixture, "d0", "{" SPEAKS ",\"models\":[]}");
    assert_int_equal(json_array_size(at(answer, "assignments")), 0);
    json_decref(answer);

    join(fixture, "late"); /* nor is it what the fleet is to run */
    answer = beat(fixture, "late", "{" AGENT ",\"models\":[]}");
    assert_int_equal(json_array_size(at(answer, "assignments")), 0);
    json_decref(answer);

    campaign(fixture, "v2", "all_at_once"); /* unless it is sent again */
    answer = beat(fixture, "d0", "{" SPEAKS "}");
    assert_string_equal(text_at(answer, "assignments.0.model_version"), "v2");
    assert_null(at(answer, "assignments.0.remove"));
    json_decref(answer);
}

static void revert__leaves_what_came_to_stand_there_meanwhile(void **state)
{
    struct fixture *fixture = *state;

    first_install(fixture, "oxdl/2; ops=ffffffff, remove/1");
    json_decref(beat(fixture, "d0",
                     "{" SPEAKS
                     ",\"models\":[{\"id\":\"m\",\"version\":\"hand\",\"digest\":\"%s\"}]}",
                     digest_hex(fixture, "v1")));
    json_decref(beat(fixture, "d0", "{" SPEAKS "}"));
    {
        json_t *in = body("{\"fleet_id\":\"f\"}");
        json_t *out = NULL;

        assert_int_equal(ox_control_model_revert(fixture->control, "m", in, &out, NULL), OX_OK);
        json_decref(out);
        json_decref(in);
    }
    take_newest(fixture);
    assert_device_state(fixture, "d0", "skipped");
}

static void revert__of_a_first_install_says_so_where_the_agent_cannot_remove(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    first_install(fixture, "oxdl/2; ops=ffffffff, oxdl/1");
    assert_int_equal(ox_control_campaign_revert(fixture->control, fixture->campaign, &out, NULL),
                     OX_OK);
    json_decref(out);
    take_newest(fixture);
    assert_device_state(fixture, "d0", "skipped");
    assert_campaign(fixture, "devices.0.error",
                    "it ran nothing of this model before, and its agent cannot remove it");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(revert__of_a_fleet_to_what_each_ran_before),
        TEST(revert__once_more_sends_nobody_forward),
        TEST(revert__leaves_what_the_fleet_was_to_run_before),
        TEST(revert__of_a_campaign_names_what_it_supersedes),
        TEST(revert__knows_what_was_only_reported),
        TEST(revert__of_a_first_install_removes_it),
        TEST(revert__leaves_what_came_to_stand_there_meanwhile),
        TEST(revert__of_a_first_install_says_so_where_the_agent_cannot_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

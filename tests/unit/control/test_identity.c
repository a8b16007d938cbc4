/* One device id, and the installations that speak under it. */
#include "fixture.h"

#include "oxide/base/clock.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccc"
#define POLL_MS 30000

/* A heartbeat of an installation that runs nothing, from the process `start`. */
static json_t *say(struct fixture *fixture, const char *id, const char *instance, unsigned start)
{
    return beat(fixture, id,
                "{" AGENT ",\"instance\":\"%s\",\"start\":\"%016x\",\"status\":\"online\","
                "\"models\":[]}",
                instance, start);
}

/* The same, half an interval later; the answer is not looked at. */
static void go_on(struct fixture *fixture, const char *id, const char *instance, unsigned start)
{
    fixture->now_ms += POLL_MS / 2;
    json_decref(say(fixture, id, instance, start));
}

static json_t *show_device(struct fixture *fixture, const char *id)
{
    json_t *out = NULL;

    assert_int_equal(ox_control_device(fixture->control, id, &out, NULL), OX_OK);
    return out;
}

static void assert_status(struct fixture *fixture, const char *id, const char *status)
{
    json_t *json = show_device(fixture, id);

    assert_string_equal(text_at(json, "status"), status);
    json_decref(json);
}

/* Which installation is the device, as the registry has it? */
static void assert_instance(struct fixture *fixture, const char *id, const char *instance)
{
    struct ox_tx tx = OX_TX_INIT;
    struct ox_device_row row;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_READ, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_device_get(&tx, id, &row, NULL), OX_OK);
    assert_string_equal(row.instance, instance);
    ox_registry_end(&tx);
}

/* One device, of fleet f, that is to get m@v1: d0, installation A. */
static void under_way(struct fixture *fixture)
{
    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(say(fixture, "d0", A, 1));
    campaign(fixture, "v1", "all_at_once");
}

static bool is_assigned(struct fixture *fixture, const char *id, const char *instance,
                        unsigned start)
{
    json_t *answer;
    bool assigned;

    fixture->now_ms += POLL_MS / 2;
    answer = say(fixture, id, instance, start);
    assert_string_equal(text_at(answer, "status"), "ok");
    assert_non_null(at(answer, "assignments"));
    assigned = json_array_size(at(answer, "assignments")) == 1;
    json_decref(answer);
    return assigned;
}

/* A and B speak by turns until it is a conflict. */
static void make_conflict(struct fixture *fixture, const char *id)
{
    for (int i = 0; i < 2; i++) {
        go_on(fixture, id, A, 1);
        go_on(fixture, id, B, 2);
    }
    assert_status(fixture, id, "conflict");
}

static enum ox_code decide(struct fixture *fixture, bool split, const char *id, json_t *take_body,
                           json_t **out, struct ox_err *err)
{
    enum ox_code code = (split ? ox_control_device_split : ox_control_device_replace)(
        fixture->control, id, take_body, out, err);

    json_decref(take_body);
    return code;
}

static void instance__is_adopted_and_the_first_generation_has_none(void **state)
{
    struct fixture *fixture = *state;

    device(fixture, "d0");
    json_decref(beat(fixture, "d0", "{\"status\":\"online\"}"));
    go_on(fixture, "d0", A, 1);
    assert_instance(fixture, "d0", A);
    json_decref(beat(fixture, "d0", "{\"status\":\"online\"}")); /* an older agent, for a while */
    go_on(fixture, "d0", A, 2);
    assert_status(fixture, "d0", "online");
    assert_instance(fixture, "d0", A);
}

static void conflict__two_that_speak_by_turns_get_nothing(void **state)
{
    struct fixture *fixture = *state;

    under_way(fixture);
    assert_true(is_assigned(fixture, "d0", A, 1));
    assert_false(is_assigned(fixture, "d0", B, 2)); /* is it set up anew? */
    assert_status(fixture, "d0", "online");
    assert_true(is_assigned(fixture, "d0", A, 1));
    assert_false(is_assigned(fixture, "d0", B, 2)); /* both are there */
    assert_status(fixture, "d0", "conflict");
    assert_false(is_assigned(fixture, "d0", A, 1));
    restart(fixture);
    assert_status(fixture, "d0", "conflict");
    assert_false(is_assigned(fixture, "d0", A, 1));
    assert_false(is_assigned(fixture, "d0", B, 2));
    assert_instance(fixture, "d0", A);
}

static void plan__says_how_many_are_in_conflict(void **state)
{
    struct fixture *fixture = *state;
    json_t *in = body("{\"model_id\":\"m\",\"model_version\":\"v2\",\"device_ids\":[\"d0\"]}");
    json_t *plan = NULL;

    under_way(fixture);
    make_conflict(fixture, "d0");
    assert_int_equal(ox_control_campaign_plan(fixture->control, in, &plan, NULL), OX_OK);
    assert_int_equal(number_at(plan, "devices.in_conflict"), 1);
    assert_non_null(strstr(text_at(plan, "warnings.0"), "1 devices are in conflict"));
    json_decref(plan);
    json_decref(in);
}

static void conflict__what_the_other_one_says_is_not_the_devices(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;
    json_t *json;

    publish_two(fixture);
    device(fixture, "d0");
    json_decref(say(fixture, "d0", A, 1));
    fixture->now_ms += 1000;
    answer =
        beat(fixture, "d0",
             "{" AGENT ",\"instance\":\"" B "\",\"status\":\"error\",\"models\":[{\"id\":\"m\","
             "\"version\":\"v1\",\"digest\":\"%s\"}],\"reports\":[{\"seq\":7,\"model_id\":"
             "\"m\",\"model_version\":\"v1\",\"state\":\"complete\"}]}",
             digest_hex(fixture, "v1"));
    assert_null(at(answer, "reports_ack")); /* it keeps its reports */
    assert_true(json_is_true(at(answer, "resend")));
    json_decref(answer);
    json = show_device(fixture, "d0");
    assert_string_equal(text_at(json, "status"), "online");
    assert_int_equal(json_array_size(at(json, "models")), 0);
    json_decref(json);
}

static void conflict__one_late_word_of_the_earlier_one_is_none(void **state)
{
    struct fixture *fixture = *state;

    device(fixture, "d0");
    json_decref(say(fixture, "d0", A, 1));
    json_decref(say(fixture, "d0", B, 2));
    fixture->now_ms += 5000; /* a request that was under way */
    json_decref(say(fixture, "d0", A, 1));
    for (int i = 0; i < 10; i++) {
        go_on(fixture, "d0", B, 2);
        assert_status(fixture, "d0", "online");
    }
    assert_instance(fixture, "d0", B);
}

static void conflict__a_guest_that_spoke_once_makes_none(void **state)
{
    struct fixture *fixture = *state;

    device(fixture, "d0");
    json_decref(say(fixture, "d0", A, 1));
    go_on(fixture, "d0", B, 2);
    for (int i = 0; i < 100; i++) {
        go_on(fixture, "d0", A, 1);
    }
    assert_status(fixture, "d0", "online");
    assert_instance(fixture, "d0", A);
}

static void reimaged__takes_over_when_the_earlier_one_missed_three_polls(void **state)
{
    struct fixture *fixture = *state;
    int held = 0;

    under_way(fixture);
    assert_true(is_assigned(fixture, "d0", A, 1));
    fixture->now_ms += 1000;
    while (held < 20 && !is_assigned(fixture, "d0", B, 2)) {
        held++;
    }
    assert_int_equal(held, 5); /* 15, 30, 45, 60, 75 s: at 90 s and a bit more it is offline */
    assert_instance(fixture, "d0", B);
    assert_status(fixture, "d0", "online");
    /* Should the earlier one come back, both are there. */
    go_on(fixture, "d0", A, 1);
    go_on(fixture, "d0", B, 2);
    go_on(fixture, "d0", A, 1);
    assert_status(fixture, "d0", "conflict");
}

static void reimaged__after_a_long_silence_at_once(void **state)
{
    struct fixture *fixture = *state;

    under_way(fixture);
    fixture->now_ms += 3600 * 1000;
    assert_true(is_assigned(fixture, "d0", B, 2));
    assert_instance(fixture, "d0", B);
}

static void reimaged__waits_until_all_was_said(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    under_way(fixture);
    fixture->now_ms += 3600 * 1000;
    answer = beat(fixture, "d0", "{" AGENT ",\"instance\":\"" B "\"}");
    assert_true(json_is_true(at(answer, "resend")));
    json_decref(answer);
    assert_instance(fixture, "d0", A);
    assert_true(is_assigned(fixture, "d0", B, 2));
    assert_instance(fixture, "d0", B);
}

static void reimaged__patience_is_that_of_the_devices_own_interval(void **state)
{
    struct fixture *fixture = *state;

    device(fixture, "d0");
    json_decref(beat(fixture, "d0",
                     "{" AGENT ",\"instance\":\"" A "\",\"poll_interval_s\":900,\"models\":[]}"));
    fixture->now_ms += 40 * 60 * 1000;
    json_decref(say(fixture, "d0", B, 2));
    assert_instance(fixture, "d0", A);
    fixture->now_ms += 6 * 60 * 1000;
    json_decref(say(fixture, "d0", B, 2));
    assert_instance(fixture, "d0", B);
}

static void reimaged__never_where_an_operator_wants_to_decide(void **state)
{
    struct fixture *fixture = *state;

    fixture->reimage_after_ms = OX_NEVER_MS;
    restart(fixture);
    device(fixture, "d0");
    json_decref(say(fixture, "d0", A, 1));
    fixture->now_ms += 30 * 24 * 3600 * (int64_t)1000;
    json_decref(say(fixture, "d0", B, 2));
    assert_instance(fixture, "d0", A);
    fixture->reimage_after_ms = 60 * 1000;
    restart(fixture);
    json_decref(say(fixture, "d0", A, 1));
    fixture->now_ms += 60 * 1000;
    json_decref(say(fixture, "d0", B, 2));
    assert_instance(fixture, "d0", A);
    fixture->now_ms += 1;
    json_decref(say(fixture, "d0", B, 2));
    assert_instance(fixture, "d0", B);
}

/* What the new installation brings along is no rollback of what the earlier one had. */
static void reimaged__is_brought_back_to_what_its_fleet_runs(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(say(fixture, "d0", A, 1));
    campaign(fixture, "v2", "all_at_once");
    json_decref(beat(fixture, "d0",
                     "{" AGENT ",\"instance\":\"" A "\",\"models\":[{\"id\":\"m\","
                     "\"version\":\"v2\",\"digest\":\"%s\"}]}",
                     digest_hex(fixture, "v2")));
    assert_campaign(fixture, "state", "complete");
    fixture->now_ms += 3600 * 1000;
    make_deltas(fixture);
    answer = beat(fixture, "d0",
                  "{" AGENT ",\"instance\":\"" B "\",\"models\":[{\"id\":\"m\","
                  "\"version\":\"v1\",\"digest\":\"%s\"}]}",
                  digest_hex(fixture, "v1"));
    json_decref(answer);
    assert_device_state(fixture, "d0", "pending");
    answer = beat(fixture, "d0", "{" AGENT ",\"instance\":\"" B "\"}");
    assert_string_equal(text_at(answer, "assignments.0.model_version"), "v2");
    json_decref(answer);
}

/* --- copies --- */

static void copy__is_given_an_installation_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    char instance[64];
    json_t *answer;

    under_way(fixture);
    for (int i = 0; i < 2; i++) { /* two processes of one installation */
        assert_true(is_assigned(fixture, "d0", A, 1));
        assert_true(is_assigned(fixture, "d0", A, 2));
    }
    assert_false(is_assigned(fixture, "d0", A, 1));
    assert_status(fixture, "d0", "conflict");
    answer = say(fixture, "d0", A, 2);
    (void)snprintf(instance, sizeof(instance), "%s", text_at(answer, "instance"));
    assert_int_equal(strlen(instance), 32);
    assert_string_not_equal(instance, A);
    json_decref(answer);
    answer = say(fixture, "d0", A, 2); /* the answer was lost: the same again */
    assert_string_equal(text_at(answer, "instance"), instance);
    json_decref(answer);
    assert_false(is_assigned(fixture, "d0", instance, 2));
    assert_false(is_assigned(fixture, "d0", A, 1));
    assert_instance(fixture, "d0", A);
    assert_int_equal(decide(fixture, true, "d0", body("{\"as\":\"d9\"}"), &answer, NULL), OX_OK);
    assert_string_equal(text_at(answer, "instance"), instance);
    json_decref(answer);
    assert_true(is_assigned(fixture, "d0", A, 1));
}

static void copy__cannot_be_decided_before_it_has_one(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;
    json_t *answer = NULL;

    device(fixture, "d0");
    for (int i = 0; i < 2; i++) { /* what was found is kept, who is who is found again */
        for (int turn = 0; turn < 3; turn++) {
            go_on(fixture, "d0", A, 1);
            go_on(fixture, "d0", A, 2);
        }
        restart(fixture);
    }
    assert_status(fixture, "d0", "conflict");
    assert_int_equal(decide(fixture, true, "d0", body("{}"), &answer, &err), OX_ECONFLICT);
    assert_non_null(strstr(err.msg, "copy"));
    assert_int_equal(decide(fixture, false, "d0", body("{}"), &answer, &err), OX_ECONFLICT);
    assert_int_equal(decide(fixture, false, "d0", body("{\"instance\":\"" A "\"}"), &answer, &err),
                     OX_OK);
    json_decref(answer);
    assert_status(fixture, "d0", "online");
}

/* --- split --- */

static void split__makes_a_device_of_the_second_one(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer = NULL;
    json_t *json;

    under_way(fixture);
    make_conflict(fixture, "d0");
    assert_int_equal(decide(fixture, true, "d0", body("{\"as\":\"d9\"}"), &answer, NULL), OX_OK);
    assert_string_equal(text_at(answer, "new_id"), "d9");
    assert_string_equal(text_at(answer, "instance"), B);
    assert_int_equal(number_at(answer, "undecided"), 0);
    json_decref(answer);
    restart(fixture);
    assert_true(is_assigned(fixture, "d0", A, 1));
    for (int i = 0; i < 2; i++) { /* as often as it asks under its old name */
        answer = say(fixture, "d0", B, 2);
        assert_string_equal(text_at(answer, "device_id"), "d9");
        assert_int_equal(json_array_size(at(answer, "assignments")), 0);
        json_decref(answer);
    }
    answer = say(fixture, "d9", B, 2);
    assert_null(at(answer, "device_id"));
    json_decref(answer);
    assert_status(fixture, "d0", "online");
    assert_status(fixture, "d9", "online");
    assert_instance(fixture, "d9", B);
    json = show_device(fixture, "d9");
    assert_string_equal(text_at(json, "fleet_id"), "f"); /* as the first one */
    json_decref(json);
}

static void split__names_it_after_the_first_one(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer = NULL;

    device(fixture, "d0");
    make_conflict(fixture, "d0");
    assert_int_equal(decide(fixture, true, "d0", body("{}"), &answer, NULL), OX_OK);
    assert_string_equal(text_at(answer, "new_id"), "d0-bbbbbb");
    json_decref(answer);
}

static void split__of_three_goes_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer = NULL;

    device(fixture, "d0");
    make_conflict(fixture, "d0");
    go_on(fixture, "d0", C, 3);
    assert_int_equal(decide(fixture, true, "d0", body("{}"), &answer, NULL), OX_OK);
    assert_string_equal(text_at(answer, "instance"), B);
    assert_int_equal(number_at(answer, "undecided"), 1);
    json_decref(answer);
    assert_status(fixture, "d0", "conflict");
    assert_int_equal(
        decide(fixture, true, "d0", body("{\"instance\":\"" C "\",\"as\":\"d3\"}"), &answer, NULL),
        OX_OK);
    json_decref(answer);
    assert_status(fixture, "d0", "online");
}

static void split__refuses_what_makes_no_sense(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;
    json_t *answer = NULL;

    device(fixture, "d0");
    device(fixture, "d1");
    assert_int_equal(decide(fixture, true, "d9", body("{}"), &answer, &err), OX_ENOTFOUND);
    go_on(fixture, "d0", A, 1);
    assert_int_equal(decide(fixture, true, "d0", body("{}"), &answer, &err), OX_ECONFLICT);
    assert_non_null(strstr(err.msg, "only one installation"));
    make_conflict(fixture, "d0");
    assert_int_equal(decide(fixture, true, "d0", body("{\"as\":\"d1\"}"), &answer, &err),
                     OX_ECONFLICT);
    assert_int_equal(decide(fixture, true, "d0", body("{\"as\":\"../d\"}"), &answer, &err),
                     OX_EINVAL);
    assert_int_equal(decide(fixture, true, "d0", body("{\"instance\":\"7\"}"), &answer, &err),
                     OX_EINVAL);
    assert_int_equal(decide(fixture, true, "d0", body("{\"instance\":\"" C "\"}"), &answer, &err),
                     OX_ENOTFOUND);
    assert_int_equal(decide(fixture, true, "d0", body("{\"instance\":\"" A "\"}"), &answer, &err),
                     OX_ECONFLICT);
    assert_status(fixture, "d0", "conflict");
}

/* --- replace --- */

static void replace__the_newer_one_is_the_device(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer = NULL;

    under_way(fixture);
    make_conflict(fixture, "d0");
    assert_int_equal(decide(fixture, false, "d0", body("{}"), &answer, NULL), OX_OK);
    assert_string_equal(text_at(answer, "instance"), B);
    assert_string_equal(text_at(answer, "replaced.0"), A);
    json_decref(answer);
    restart(fixture);
    assert_true(is_assigned(fixture, "d0", B, 2));
    answer = say(fixture, "d0", A, 1);
    assert_true(json_is_true(at(answer, "replaced")));
    assert_int_equal(number_at(answer, "poll_interval_s"), 3600);
    assert_int_equal(json_array_size(at(answer, "assignments")), 0);
    json_decref(answer);
    for (int i = 0; i < 5; i++) {
        go_on(fixture, "d0", A, 1);
        go_on(fixture, "d0", B, 2);
    }
    assert_status(fixture, "d0", "online");
    /* The operator was wrong. */
    assert_int_equal(decide(fixture, false, "d0", body("{\"instance\":\"" A "\"}"), &answer, NULL),
                     OX_OK);
    json_decref(answer);
    assert_true(is_assigned(fixture, "d0", A, 1));
    answer = say(fixture, "d0", B, 2);
    assert_true(json_is_true(at(answer, "replaced")));
    json_decref(answer);
}

static void replace__the_one_that_is_named_stays(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer = NULL;

    under_way(fixture);
    make_conflict(fixture, "d0");
    go_on(fixture, "d0", C, 3);
    assert_int_equal(decide(fixture, false, "d0", body("{\"instance\":\"" A "\"}"), &answer, NULL),
                     OX_OK);
    assert_int_equal(json_array_size(at(answer, "replaced")), 2);
    json_decref(answer);
    assert_true(is_assigned(fixture, "d0", A, 1));
    answer = say(fixture, "d0", C, 3);
    assert_true(json_is_true(at(answer, "replaced")));
    json_decref(answer);
}

static void replace__does_not_wait_for_patience(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer = NULL;

    under_way(fixture);
    assert_false(is_assigned(fixture, "d0", B, 2));
    assert_int_equal(decide(fixture, false, "d0", body("{}"), &answer, NULL), OX_OK);
    json_decref(answer);
    assert_true(is_assigned(fixture, "d0", B, 2));
}

static void replace__refuses_one_that_is_a_device_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer = NULL;

    device(fixture, "d0");
    make_conflict(fixture, "d0");
    assert_int_equal(decide(fixture, true, "d0", body("{}"), &answer, NULL), OX_OK);
    json_decref(answer);
    assert_int_equal(decide(fixture, false, "d0", body("{\"instance\":\"" B "\"}"), &answer, NULL),
                     OX_ECONFLICT);
    assert_int_equal(decide(fixture, false, "d0", body("{}"), &answer, NULL), OX_ECONFLICT);
}

static void rivals__are_bounded_and_forgotten(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer = NULL;

    device(fixture, "d0");
    go_on(fixture, "d0", A, 1);
    for (unsigned i = 0; i < 100; i++) {
        char instance[40];

        (void)snprintf(instance, sizeof(instance), "%032x", i);
        json_decref(say(fixture, "d0", instance, i + 10));
    }
    go_on(fixture, "d0", A, 1);
    fixture->now_ms += 8 * 24 * 3600 * (int64_t)1000;
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    assert_int_equal(decide(fixture, true, "d0", body("{}"), &answer, NULL), OX_ECONFLICT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(instance__is_adopted_and_the_first_generation_has_none),
        TEST(conflict__two_that_speak_by_turns_get_nothing),
        TEST(plan__says_how_many_are_in_conflict),
        TEST(conflict__what_the_other_one_says_is_not_the_devices),
        TEST(conflict__one_late_word_of_the_earlier_one_is_none),
        TEST(conflict__a_guest_that_spoke_once_makes_none),
        TEST(reimaged__takes_over_when_the_earlier_one_missed_three_polls),
        TEST(reimaged__after_a_long_silence_at_once),
        TEST(reimaged__waits_until_all_was_said),
        TEST(reimaged__patience_is_that_of_the_devices_own_interval),
        TEST(reimaged__never_where_an_operator_wants_to_decide),
        TEST(reimaged__is_brought_back_to_what_its_fleet_runs),
        TEST(copy__is_given_an_installation_of_its_own),
        TEST(copy__cannot_be_decided_before_it_has_one),
        TEST(split__makes_a_device_of_the_second_one),
        TEST(split__names_it_after_the_first_one),
        TEST(split__of_three_goes_one_by_one),
        TEST(split__refuses_what_makes_no_sense),
        TEST(replace__the_newer_one_is_the_device),
        TEST(replace__the_one_that_is_named_stays),
        TEST(replace__does_not_wait_for_patience),
        TEST(replace__refuses_one_that_is_a_device_of_its_own),
        TEST(rivals__are_bounded_and_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

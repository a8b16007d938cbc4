/* Campaigns with a policy: limits, gates, halt rules, silence, budgets, and what is left behind. */
#include "fixture.h"

#include "oxide/registry/event.h"

#include <string.h>

/* How many events of these kinds are in the log. */
static size_t event_count(struct fixture *fixture, const char *kinds)
{
    struct ox_event_filter filter = {.kinds = kinds};
    struct ox_event_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    size_t count = 0;
    int64_t next = 0;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_READ, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_events(&tx, &filter, 0, 1000, &rows, &count, &next, NULL), OX_OK);
    ox_registry_end(&tx);
    return count;
}

/* --- limits --- */

static void limits__so_many_are_in_flight(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 10);
    campaign_with(fixture, "v2", "\"limits\":{\"in_flight\":3}");
    assert_int_equal(told_count(fixture, 10), 3);
    assert_int_equal(told_count(fixture, 10), 3); /* the same three */
    restart(fixture);
    assert_int_equal(told_count(fixture, 10), 3);
    for (size_t i = 0, ended = 0; i < 10 && ended < 1; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "d%zu", i);
        if (is_told(fixture, id, "v1")) {
            complete(fixture, id, 1);
            ended++;
        }
    }
    assert_int_equal(campaign_number(fixture, "summary.complete"), 1);
    assert_int_equal(told_count(fixture, 10), 3);
}

static void limits__so_many_start_per_minute(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 10);
    campaign_with(fixture, "v2", "\"limits\":{\"starts_per_minute\":4}");
    assert_int_equal(told_count(fixture, 10), 4);
    fixture->now_ms += 50 * 1000;
    assert_int_equal(told_count(fixture, 10), 4);
    fixture->now_ms += 11 * 1000;
    assert_int_equal(told_count(fixture, 10), 8);
}

static void limits__are_told_to_the_agent(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    ready(fixture, 1);
    campaign_with(fixture, "v2",
                  "\"limits\":{\"rate_bps\":1000000,\"in_flight\":10,"
                  "\"windows\":[\"mon-fri 22:00-04:00\"]}");
    answer = beat_running(fixture, "d0", "v1");
    assert_int_equal(number_at(answer, "assignments.0.rate_bps"), 100000);
    assert_string_equal(text_at(answer, "assignments.0.windows.0"),
                        "mon,tue,wed,thu,fri 22:00-04:00");
    assert_true(json_is_true(at(answer, "assignments.0.patch_only")));
    assert_null(at(answer, "assignments.0.urgent"));
    json_decref(answer);
}

/* --- halting --- */

static void halt__reverts_those_that_were_updated(void **state)
{
    struct fixture *fixture = *state;
    char halted[64];
    json_t *answer;

    ready(fixture, 4);
    campaign_with(
        fixture, "v2",
        "\"halt\":{\"action\":\"revert\",\"rules\":[{\"class\":\"health\",\"count\":0}]}");
    assert_int_equal(told_count(fixture, 4), 4);
    complete(fixture, "d0", 1);
    report(fixture, "d1", 1, "downloading", "");
    report(fixture, "d2", 1, "failed", "health");
    assert_campaign(fixture, "state", "aborted");
    (void)snprintf(halted, sizeof(halted), "%s", fixture->campaign);
    take_newest(fixture);
    assert_campaign(fixture, "kind", "revert");
    assert_campaign(fixture, "of_campaign", halted);
    answer = show_of(fixture, halted);
    assert_string_equal(text_at(answer, "reverted_by"), fixture->campaign);
    json_decref(answer);
    answer = show(fixture);
    assert_true(json_is_null(at(answer, "reverted_by")));
    json_decref(answer);
    /* d0 has it, d1 may come to have it, d3 was told and may have begun; d2 went back by itself. */
    assert_int_equal(campaign_number(fixture, "summary.total"), 3);
    answer = beat_running(fixture, "d0", "v2");
    assert_string_equal(text_at(answer, "assignments.0.model_version"), "v1");
    assert_true(json_is_true(at(answer, "assignments.0.urgent")));
    json_decref(answer);
    json_decref(beat_running(fixture, "d0", "v1"));
    assert_device_state(fixture, "d0", "complete");
    assert_device_state(fixture, "d1", "pending");
    json_decref(beat_running(fixture, "d1", "v1")); /* it gave its update up */
    assert_device_state(fixture, "d1", "complete");
    answer = beat(fixture, "d3", "{" AGENT "}"); /* is it at it? it says nothing of its models */
    assert_true(json_is_true(at(answer, "resend")));
    json_decref(answer);
    assert_device_state(fixture, "d3", "pending");
    answer = beat_running(fixture, "d3", "v2"); /* it was, and came to the end */
    assert_string_equal(text_at(answer, "assignments.0.model_version"), "v1");
    assert_null(at(answer, "resend"));
    json_decref(answer);
    assert_campaign(fixture, "state", "rolling_out");
    json_decref(beat_running(fixture, "d3", "v1"));
    assert_campaign(fixture, "state", "complete");
}

static void halt__counts_who_went_back_after_success(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 3);
    campaign_with(fixture, "v2", "\"halt\":{\"rules\":[{\"class\":\"rollback\",\"count\":0}]}");
    assert_int_equal(told_count(fixture, 3), 3);
    complete(fixture, "d0", 1);
    assert_campaign(fixture, "state", "rolling_out");
    json_decref(beat_running(fixture, "d0", "v1"));
    assert_device_state(fixture, "d0", "failed");
    assert_campaign(fixture, "state", "paused");
    assert_int_equal(campaign_number(fixture, "summary.failures.rollback"), 1);
    json_decref(beat_running(fixture, "d0", "v2"));
    assert_device_state(fixture, "d0", "complete"); /* what it reports is the truth */
}

static void gate__approval_and_retry(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    ready(fixture, 4);
    campaign_with(fixture, "v2",
                  "\"strategy\":{\"type\":\"canary\",\"stages\":[25,100],\"wait_s\":0},"
                  "\"gates\":{\"approval\":true,\"failed_count\":1}");
    for (unsigned i = 0; i < 4; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "d%u", i);
        if (is_told(fixture, id, "v1")) {
            report(fixture, id, 1, "failed", "disk");
        }
    }
    tick(fixture, 60);
    assert_int_equal(campaign_number(fixture, "stage"), 1);
    assert_int_equal(
        ox_control_campaign_retry(fixture->control, fixture->campaign, NULL, &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "devices"), 1);
    json_decref(out);
    for (unsigned i = 0; i < 4; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "d%u", i);
        if (is_told(fixture, id, "v1")) {
            complete(fixture, id, 2);
        }
    }
    tick(fixture, 60);
    assert_int_equal(campaign_number(fixture, "stage"), 1);
    assert_int_equal(ox_control_campaign_approve(fixture->control, fixture->campaign, &out, NULL),
                     OX_OK);
    json_decref(out);
    assert_int_equal(campaign_number(fixture, "stage"), 2);
    out = NULL; /* a double click approves nothing that nobody has seen */
    assert_int_equal(ox_control_campaign_approve(fixture->control, fixture->campaign, &out, NULL),
                     OX_ECONFLICT);
}

/* --- silence and sleep --- */

static void silence__is_failure_once_begun_and_the_truth_is_heard_later(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 2);
    campaign_with(fixture, "v2", "\"timeouts\":{\"downloading_s\":600}");
    assert_int_equal(told_count(fixture, 2), 2);
    report(fixture, "d0", 1, "downloading", "");
    report(fixture, "d1", 1, "downloading", "");
    for (int minute = 0; minute < 20; minute++) { /* d1 is slow, but there */
        tick(fixture, 60);
        json_decref(beat(fixture, "d1", "{" AGENT "}"));
    }
    assert_device_state(fixture, "d0", "failed");
    assert_device_state(fixture, "d1", "downloading");
    assert_int_equal(campaign_number(fixture, "summary.failures.silent"), 1);
    complete(fixture, "d0", 2);
    assert_device_state(fixture, "d0", "complete");
    complete(fixture, "d1", 2);
    assert_campaign(fixture, "state", "complete");
}

static void sleep__is_deferred_and_told_on_waking(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 2);
    campaign(fixture, "v2", "canary");
    tick(fixture, 600);
    assert_int_equal(campaign_number(fixture, "summary.deferred"), 1);
    assert_int_equal(campaign_number(fixture, "stage"), 1); /* nobody has shown that it works */
    assert_int_equal(told_count(fixture, 2), 1);
    assert_int_equal(campaign_number(fixture, "summary.deferred"), 0);
}

static void sleep__outlasts_the_campaign(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 2);
    campaign(fixture, "v2", "all_at_once");
    assert_true(is_told(fixture, "d0", "v1"));
    complete(fixture, "d0", 1);
    tick(fixture, 600);
    assert_campaign(fixture, "state", "complete");
    assert_device_state(fixture, "d1", "pending");
    fixture->now_ms += INT64_C(90) * 86400 * 1000;
    assert_true(is_told(fixture, "d1", "v1"));
    complete(fixture, "d1", 1);
    assert_device_state(fixture, "d1", "complete");
}

/* --- bytes --- */

static void fallback__is_for_a_few(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    ready(fixture, 3);
    campaign_with(fixture, "v2", "\"bytes\":{\"fallback_full\":\"limited\"}");
    assert_int_equal(told_count(fixture, 3), 3);
    report(fixture, "d0", 1, "failed", "patch");
    answer = beat_running(fixture, "d0", "v1"); /* one of three is the first percent */
    assert_true(json_is_null(at(answer, "assignments.0.patch")));
    assert_null(at(answer, "assignments.0.patch_only"));
    json_decref(answer);
    report(fixture, "d1", 1, "failed", "patch");
    assert_device_state(fixture, "d1", "failed");
    complete(fixture, "d0", 2);
    assert_device_state(fixture, "d0", "complete");
    assert_int_equal(campaign_number(fixture, "summary.failures.fallback"), 2);
}

static void budget__of_a_device_and_of_all_pause(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 2);
    campaign_with(fixture, "v2", "\"bytes\":{\"per_device\":1}");
    assert_false(is_told(fixture, "d0", "v1"));
    assert_campaign(fixture, "state", "paused");
    act(fixture, OX_ACTION_ABORT, "aborted");
    campaign_with(fixture, "v2", "\"bytes\":{\"total\":1}");
    assert_false(is_told(fixture, "d1", "v1"));
    assert_campaign(fixture, "state", "paused");
}

static void budget__counts_what_was_promised(void **state)
{
    struct fixture *fixture = *state;
    char policy[96];
    json_t *answer;

    ready(fixture, 6);
    campaign(fixture, "v2", "all_at_once");
    answer = beat_running(fixture, "d0", "v1");
    (void)snprintf(policy, sizeof(policy), "\"bytes\":{\"total\":%lld}",
                   (long long)(number_at(answer, "assignments.0.patch.size") * 5 / 2));
    json_decref(answer);
    act(fixture, OX_ACTION_ABORT, "aborted");
    campaign_with(fixture, "v2", policy);
    assert_int_equal(told_count(fixture, 6), 2); /* a third one may pass it, if they take it all */
    assert_campaign(fixture, "state", "rolling_out");
    for (size_t i = 0; i < 2; i++) { /* they took nothing: there is room for others */
        complete(fixture, i == 0 ? "d0" : "d1", 1);
    }
    assert_int_equal(is_told(fixture, "d2", "v1") + is_told(fixture, "d3", "v1") +
                         is_told(fixture, "d4", "v1"),
                     2);
    assert_campaign(fixture, "state", "rolling_out");
}

static void quarantine__after_three_failures_of_the_check(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    ready(fixture, 1);
    for (unsigned i = 1; i <= 3; i++) {
        campaign(fixture, "v2", "all_at_once");
        assert_true(is_told(fixture, "d0", "v1"));
        report(fixture, "d0", 2 * i, "failed", "disk"); /* no fault of the version's */
        assert_int_equal(
            ox_control_campaign_retry(fixture->control, fixture->campaign, "d0", &out, NULL),
            OX_OK);
        json_decref(out);
        assert_true(is_told(fixture, "d0", "v1"));
        report(fixture, "d0", 2 * i + 1, "failed", "health");
    }
    assert_int_equal(
        ox_control_campaign_retry(fixture->control, fixture->campaign, "d0", &out, NULL),
        OX_ECONFLICT);
    assert_int_equal(
        ox_control_campaign_retry(fixture->control, fixture->campaign, "nobody", &out, NULL),
        OX_ENOTFOUND);
    assert_int_equal(
        ox_control_campaign_retry(fixture->control, fixture->campaign, NULL, &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "devices"), 0);
    assert_int_equal(number_at(out, "quarantined"), 1);
    json_decref(out);
    campaign(fixture, "v2", "all_at_once");
    assert_device_state(fixture, "d0", "skipped");
    assert_int_equal(ox_control_quarantine_free(fixture->control, "d0", "m", &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "freed"), 1);
    json_decref(out);
    campaign(fixture, "v2", "all_at_once");
    assert_true(is_told(fixture, "d0", "v1"));
}

/* --- conflicts --- */

static void conflict__names_the_earlier_one_or_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;
    json_t *in;
    json_t *out = NULL;
    char earlier[64];

    ready(fixture, 2);
    campaign(fixture, "v2", "all_at_once");
    (void)snprintf(earlier, sizeof(earlier), "%s", fixture->campaign);
    in = body("{\"model_id\":\"m\",\"model_version\":\"v1\",\"fleet_id\":\"f\","
              "\"on_conflict\":\"refuse\"}");
    assert_int_equal(ox_control_campaign_create(fixture->control, in, &out, &err), OX_ECONFLICT);
    assert_non_null(strstr(err.msg, earlier));
    json_decref(in);
    assert_device_state(fixture, "d0", "pending"); /* nothing of it happened */
    in = body("{\"model_id\":\"m\",\"model_version\":\"v2\",\"device_ids\":[\"d0\"]}");
    assert_int_equal(ox_control_campaign_create(fixture->control, in, &out, NULL), OX_OK);
    assert_string_equal(text_at(out, "superseded.0.campaign_id"), earlier);
    assert_int_equal(number_at(out, "superseded.0.devices"), 1);
    json_decref(in);
    json_decref(out);
    assert_device_state(fixture, "d0", "skipped");
    assert_device_state(fixture, "d1", "pending");
}

static void create__refuses_a_fleet_without_devices(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;
    json_t *in;
    json_t *out = NULL;

    publish_two(fixture);
    fleet(fixture, "f", 0);
    in = body("{\"model_id\":\"m\",\"model_version\":\"v2\",\"fleet_id\":\"f\"}");
    assert_int_equal(ox_control_campaign_create(fixture->control, in, &out, &err), OX_ECONFLICT);
    assert_non_null(strstr(err.msg, "no devices"));
    json_decref(in);
}

/* --- what is left behind --- */

static void follow__takes_in_who_joins_behind_all_others(void **state)
{
    struct fixture *fixture = *state;
    bool ended[5] = {false};

    ready(fixture, 3);
    campaign_with(fixture, "v2",
                  "\"strategy\":{\"type\":\"rolling\",\"batch\":2,\"wait_s\":0},\"gates\":{"
                  "\"failed_count\":0},\"follow\":true");
    join(fixture, "e");
    join(fixture, "f");
    assert_int_equal(campaign_number(fixture, "summary.total"), 5);
    for (size_t round = 0; round < 3; round++) { /* two at a time, and the last one */
        static const char *const ids[] = {"d0", "d1", "d2", "e", "f"};
        bool told[5];

        for (size_t i = 0; i < 5; i++) {
            told[i] = !ended[i] && is_told(fixture, ids[i], "v1");
        }
        assert_int_equal(told[0] + told[1] + told[2], round == 2 ? 0 : 2 - round);
        assert_int_equal(told[3], round == 1);
        assert_int_equal(told[4], round == 2);
        for (size_t i = 0; i < 5; i++) {
            if (told[i]) {
                complete(fixture, ids[i], 1);
                ended[i] = true;
            }
        }
    }
    assert_int_equal(campaign_number(fixture, "summary.complete"), 5);
}

static void follow__is_not_what_others_do(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 3);
    campaign_with(fixture, "v2", "\"on_conflict\":\"supersede\"");
    join(fixture, "e");
    assert_int_equal(campaign_number(fixture, "summary.total"), 3);
    assert_false(is_told(fixture, "e", "v1"));
}

static void desired__who_joins_later_is_taken_in(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    ready(fixture, 1);
    campaign(fixture, "v2", "all_at_once");
    assert_true(is_told(fixture, "d0", "v1"));
    complete(fixture, "d0", 1);
    assert_campaign(fixture, "state", "complete");
    device(fixture, "late");
    json_decref(beat_running(fixture, "late", "v1"));
    assert_int_equal(ox_control_fleet_add(fixture->control, "f", "late", &out, NULL), OX_OK);
    json_decref(out);
    assert_true(is_told(fixture, "late", "v1"));
    complete(fixture, "late", 1);
    assert_device_state(fixture, "late", "complete");
    assert_int_equal(campaign_number(fixture, "summary.late"), 1);
    assert_int_equal(campaign_number(fixture, "summary.total"), 2);
}

static void desired__who_was_set_up_anew_gets_it_again(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    ready(fixture, 1);
    campaign(fixture, "v2", "all_at_once");
    assert_true(is_told(fixture, "d0", "v1"));
    complete(fixture, "d0", 1);
    answer = beat(fixture, "d0", "{" AGENT ",\"models\":[]}");
    assert_string_equal(text_at(answer, "assignments.0.model_version"), "v2");
    json_decref(answer);
    assert_campaign(fixture, "state", "complete");
}

static void desired__late_failures_halt_it(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    ready(fixture, 1);
    campaign_with(fixture, "v2", "\"halt\":{\"rules\":[{\"count\":0}]}");
    assert_true(is_told(fixture, "d0", "v1"));
    complete(fixture, "d0", 1);
    device(fixture, "late1");
    device(fixture, "late2");
    json_decref(beat_running(fixture, "late1", "v1"));
    json_decref(beat_running(fixture, "late2", "v1"));
    assert_int_equal(ox_control_fleet_add(fixture->control, "f", "late1", &out, NULL), OX_OK);
    json_decref(out);
    assert_int_equal(ox_control_fleet_add(fixture->control, "f", "late2", &out, NULL), OX_OK);
    json_decref(out);
    assert_true(is_told(fixture, "late1", "v1"));
    report(fixture, "late1", 1, "failed", "health");
    assert_false(is_told(fixture, "late2", "v1"));
    assert_campaign(fixture, "halted", "halt rule 1: 1 devices failed, more than 0");
    assert_int_equal(event_count(fixture, "campaign.resumed"), 0);
    act(fixture, OX_ACTION_RESUME, "complete");
    assert_int_equal(event_count(fixture, "campaign.resumed"), 1);
    {
        json_t *page = show(fixture);

        assert_true(json_is_null(at(page, "halted")));
        json_decref(page);
    }
    assert_true(is_told(fixture, "late2", "v1"));
}

static void gate__is_not_passed_by_who_ran_the_version_before(void **state)
{
    struct fixture *fixture = *state;

    ready(fixture, 4);
    for (size_t i = 1; i < 4; i++) { /* three of four have it already */
        char id[32];

        (void)snprintf(id, sizeof(id), "d%zu", i);
        json_decref(beat_running(fixture, id, "v2"));
    }
    campaign_with(fixture, "v2", "\"halt\":{\"rules\":[{\"class\":\"any\",\"percent\":50}]}");
    assert_true(is_told(fixture, "d0", "v1"));
    report(fixture, "d0", 1, "failed", "health");
    assert_campaign(fixture, "state", "paused"); /* all that were updated have failed */
}

static void stages__are_shares_of_who_is_to_be_updated(void **state)
{
    struct fixture *fixture = *state;
    size_t told = 0;

    ready(fixture, 6);
    for (size_t i = 0; i < 6; i += 3) { /* d0 has it already, d3 must not have it */
        char id[32];
        json_t *out = NULL;
        json_t *in = body("{}");

        (void)snprintf(id, sizeof(id), "d%zu", i);
        if (i == 0) {
            json_decref(beat_running(fixture, id, "v2"));
        } else {
            assert_int_equal(ox_control_device_pin(fixture->control, id, in, &out, NULL), OX_OK);
        }
        json_decref(out);
        json_decref(in);
    }
    campaign_with(fixture, "v2",
                  "\"strategy\":{\"type\":\"canary\",\"stages\":[50,100],\"wait_s\":0}");
    for (size_t i = 1; i < 6; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "d%zu", i);
        told += is_told(fixture, id, "v1");
    }
    assert_int_equal(told, 2); /* of four: the others are no part of it */
}

static void follow__waits_for_the_first_of_an_empty_fleet(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    ready(fixture, 1);
    assert_int_equal(ox_control_fleet_remove(fixture->control, "f", "d0", &out, NULL), OX_OK);
    json_decref(out);
    campaign_with(fixture, "v2",
                  "\"strategy\":{\"type\":\"rolling\",\"batch\":1,\"wait_s\":0},\"follow\":true,"
                  "\"gates\":{\"failed_count\":0}");
    assert_campaign(fixture, "state", "rolling_out");
    join(fixture, "e");
    join(fixture, "g");
    assert_int_equal(campaign_number(fixture, "summary.total"), 2);
    assert_true(is_told(fixture, "e", "v1"));
    assert_false(is_told(fixture, "g", "v1"));
}

/* --- plans --- */

static void plan__tells_the_bytes_that_then_are_served_and_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    json_t *in = body("{\"model_id\":\"m\",\"model_version\":\"v2\",\"fleet_id\":\"f\","
                      "\"link_bps\":1000000,\"strategy\":\"canary\"}");
    json_t *plan = NULL;
    json_t *answer;
    int64_t bytes;

    ready(fixture, 3);
    assert_int_equal(ox_control_campaign_plan(fixture->control, in, &plan, NULL), OX_OK);
    take_newest(fixture);
    assert_campaign(fixture, "state", "aborted"); /* the one of ready(): no other was made */
    assert_int_equal(number_at(plan, "devices.total"), 3);
    assert_int_equal(number_at(plan, "devices.to_update"), 3);
    assert_int_equal(number_at(plan, "stages.0.devices"), 1);
    assert_int_equal(number_at(plan, "bases.0.devices"), 3);
    assert_string_equal(text_at(plan, "bases.0.from_version"), "v1");
    assert_string_equal(text_at(plan, "bases.0.by"), "patch");
    assert_string_equal(text_at(plan, "bases.0.delta"), "ready");
    bytes = number_at(plan, "bytes.total");
    assert_int_equal(json_array_size(at(plan, "skips")), 0);
    assert_int_equal(json_array_size(at(plan, "variants")), 1);
    assert_true(json_is_null(at(plan, "variants.0.variant")));
    assert_int_equal(number_at(plan, "variants.0.devices"), 3);
    assert_int_equal(number_at(plan, "variants.0.bytes"), bytes);
    campaign(fixture, "v2", "all_at_once");
    answer = beat_running(fixture, "d0", "v1");
    assert_int_equal(number_at(answer, "assignments.0.patch.size") * 3, bytes);
    json_decref(answer);
    json_decref(plan);
    json_decref(in);
}

static void plan__makes_missing_deltas_if_asked(void **state)
{
    struct fixture *fixture = *state;
    json_t *in = body("{\"model_id\":\"m\",\"model_version\":\"v2\",\"fleet_id\":\"f\","
                      "\"prepare\":true}");
    json_t *plan = NULL;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    assert_int_equal(ox_control_campaign_plan(fixture->control, in, &plan, NULL), OX_OK);
    assert_int_equal(number_at(plan, "bytes.devices_not_known"), 1);
    assert_int_equal(number_at(plan, "variants.0.devices_not_known"), 1);
    json_decref(plan);
    make_deltas(fixture);
    assert_int_equal(ox_control_campaign_plan(fixture->control, in, &plan, NULL), OX_OK);
    assert_int_equal(number_at(plan, "bytes.devices_not_known"), 0);
    json_decref(plan);
    json_decref(in);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(limits__so_many_are_in_flight),
        TEST(limits__so_many_start_per_minute),
        TEST(limits__are_told_to_the_agent),
        TEST(halt__reverts_those_that_were_updated),
        TEST(halt__counts_who_went_back_after_success),
        TEST(gate__approval_and_retry),
        TEST(silence__is_failure_once_begun_and_the_truth_is_heard_later),
        TEST(sleep__is_deferred_and_told_on_waking),
        TEST(sleep__outlasts_the_campaign),
        TEST(fallback__is_for_a_few),
        TEST(budget__of_a_device_and_of_all_pause),
        TEST(budget__counts_what_was_promised),
        TEST(quarantine__after_three_failures_of_the_check),
        TEST(conflict__names_the_earlier_one_or_is_refused),
        TEST(create__refuses_a_fleet_without_devices),
        TEST(follow__takes_in_who_joins_behind_all_others),
        TEST(follow__is_not_what_others_do),
        TEST(desired__who_joins_later_is_taken_in),
        TEST(desired__who_was_set_up_anew_gets_it_again),
        TEST(desired__late_failures_halt_it),
        TEST(gate__is_not_passed_by_who_ran_the_version_before),
        TEST(stages__are_shares_of_who_is_to_be_updated),
        TEST(follow__waits_for_the_first_of_an_empty_fleet),
        TEST(plan__tells_the_bytes_that_then_are_served_and_leaves_nothing),
        TEST(plan__makes_missing_deltas_if_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "fixture.h"

#include <unistd.h>

static enum ox_code try_beat(struct fixture *fixture, const char *id, const char *text,
                             struct ox_err *err)
{
    char *answer = NULL;
    enum ox_code code =
        ox_control_heartbeat(fixture->control, id, NULL, text, strlen(text), &answer, err);

    free(answer);
    return code;
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

/* When the registry, not the memory, last heard of a device. */
static int64_t written_ms(struct fixture *fixture, const char *id)
{
    struct ox_tx tx = OX_TX_INIT;
    struct ox_device_row row;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_READ, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_device_get(&tx, id, &row, NULL), OX_OK);
    ox_registry_end(&tx);
    return row.last_heartbeat_ms;
}

/* One device that runs v1, the delta made, and a campaign to v2. */
static void under_way(struct fixture *fixture)
{
    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    make_deltas(fixture);
    campaign(fixture, "v2", "all_at_once");
}

static void beat__an_unknown_device_is_told_to_register(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(try_beat(fixture, "ghost", "", &err), OX_ENOTFOUND);
    assert_non_null(strstr(err.msg, "register"));
}

static void beat__refuses_what_is_no_heartbeat(void **state)
{
    struct fixture *fixture = *state;

    device(fixture, "d0");
    assert_int_equal(try_beat(fixture, "d0", "[]", NULL), OX_EINVAL);
    assert_int_equal(try_beat(fixture, "d0", "{\"status\":\"sleepy\"}", NULL), OX_EINVAL);
    assert_status(fixture, "d0", "unknown");
}

static void beat__an_empty_one_is_answered_and_makes_the_device_online(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    device(fixture, "d0");
    answer = beat(fixture, "d0", "%s", "");
    assert_string_equal(text_at(answer, "status"), "ok");
    assert_true(json_is_null(at(answer, "assigned_model")));
    assert_null(at(answer, "assignments")); /* the first generation is not told of them */
    json_decref(answer);
    assert_status(fixture, "d0", "online");
}

static void status__is_offline_after_three_silent_intervals(void **state)
{
    struct fixture *fixture = *state;

    device(fixture, "d0");
    json_decref(beat(fixture, "d0", "{" AGENT "}"));
    fixture->now_ms += 90 * 1000;
    assert_status(fixture, "d0", "online");
    fixture->now_ms += 1;
    assert_status(fixture, "d0", "offline");
    json_decref(beat(fixture, "d0", "{" AGENT "}"));
    assert_status(fixture, "d0", "online");
}

static void beat__that_changes_nothing_is_written_in_batches(void **state)
{
    struct fixture *fixture = *state;
    int64_t first_ms = fixture->now_ms;
    json_t *json;

    device(fixture, "d0");
    json_decref(beat(fixture, "d0", "{" AGENT "}"));
    assert_int_equal(written_ms(fixture, "d0"), first_ms);
    fixture->now_ms += 30 * 1000;
    json_decref(beat(fixture, "d0", "{" AGENT ",\"metrics\":{\"uptime_secs\":7}}"));
    assert_int_equal(written_ms(fixture, "d0"), first_ms);
    json = show_device(fixture, "d0");
    assert_int_equal(number_at(json, "metrics.uptime_secs"), 7);
    json_decref(json);
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    assert_int_equal(written_ms(fixture, "d0"), fixture->now_ms);
    fixture->now_ms += 1000;
    json_decref(beat(fixture, "d0", "{" AGENT ",\"status\":\"error\"}"));
    assert_int_equal(written_ms(fixture, "d0"), fixture->now_ms); /* this one changes something */
}

static void beat__the_batch_is_written_at_the_end(void **state)
{
    struct fixture *fixture = *state;
    json_t *json;

    device(fixture, "d0");
    json_decref(beat(fixture, "d0", "{" AGENT "}"));
    fixture->now_ms += 5000;
    json_decref(beat(fixture, "d0", "{" AGENT ",\"metrics\":{\"uptime_secs\":9}}"));
    restart(fixture);
    assert_int_equal(written_ms(fixture, "d0"), fixture->now_ms);
    json = show_device(fixture, "d0");
    assert_int_equal(number_at(json, "metrics.uptime_secs"), 9);
    json_decref(json);
}

static void beat__absent_is_unchanged_and_null_is_none(void **state)
{
    struct fixture *fixture = *state;
    json_t *json;

    publish_two(fixture);
    device(fixture, "d0");
    json_decref(beat_running(fixture, "d0", "v1"));
    json_decref(beat(fixture, "d0", "{" AGENT "}"));
    json = show_device(fixture, "d0");
    assert_string_equal(text_at(json, "models.0.version"), "v1");
    assert_string_equal(text_at(json, "agent"), "oxide/0.1.0");
    json_decref(json);
    json_decref(beat(fixture, "d0", "{" AGENT ",\"models\":null}"));
    json = show_device(fixture, "d0");
    assert_int_equal(json_array_size(at(json, "models")), 0);
    json_decref(json);
}

static void assignment__names_files_base_patch_and_where_to_fetch(void **state)
{
    static const char *const urls[] = {"https://cdn.example/blobs"};
    struct fixture *fixture = *state;
    json_t *answer;

    fixture->blob_urls = urls;
    fixture->blob_urls_count = 1;
    restart(fixture);
    under_way(fixture);
    answer = beat_running(fixture, "d0", "v1");
    assert_string_equal(text_at(answer, "assigned_model"), "m");
    assert_string_equal(text_at(answer, "assigned_model_version"), "v2");
    assert_string_equal(text_at(answer, "assignments.0.campaign_id"), fixture->campaign);
    assert_string_equal(text_at(answer, "assignments.0.digest"), digest_hex(fixture, "v2"));
    assert_string_equal(text_at(answer, "assignments.0.files.0.path"), "model.bin");
    assert_string_equal(text_at(answer, "assignments.0.base.model_version"), "v1");
    assert_string_equal(text_at(answer, "assignments.0.patch.format"), "oxdl/2");
    assert_in_range(number_at(answer, "assignments.0.patch.size"), 1, MODEL_BYTES / 10);
    assert_string_equal(text_at(answer, "assignments.0.blob_urls.0"), urls[0]);
    assert_int_equal(number_at(answer, "poll_interval_s"), 30);
    json_decref(answer);
}

static void assignment__without_a_base_is_the_whole_file_at_once(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    campaign(fixture, "v2", "all_at_once");
    answer = beat(fixture, "d0", "{" AGENT ",\"models\":[]}");
    assert_string_equal(text_at(answer, "assignments.0.model_version"), "v2");
    assert_true(json_is_null(at(answer, "assignments.0.base")));
    json_decref(answer);
}

static void assignment__a_base_that_came_up_later_gets_its_delta_made(void **state)
{
    struct fixture *fixture = *state;
    bool created = false;
    json_t *answer;

    publish_two(fixture);
    assert_int_equal(publish(fixture, "v3", 1, 20, &created), OX_OK);
    make_deltas(fixture); /* v1 to v2, v2 to v3 */
    fleet(fixture, "f", 1);
    campaign(fixture, "v3", "all_at_once");
    answer = beat_running(fixture, "d0", "v1");
    assert_int_equal(json_array_size(at(answer, "assignments")), 0);
    json_decref(answer);
    make_deltas(fixture);
    answer = beat_running(fixture, "d0", "v1");
    assert_string_equal(text_at(answer, "assignments.0.base.model_version"), "v1");
    json_decref(answer);
}

static void report__moves_the_device_and_is_acknowledged(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    under_way(fixture);
    answer = beat_report(fixture, "d0", 1, "downloading", 0);
    assert_int_equal(number_at(answer, "reports_ack"), 1);
    json_decref(answer);
    assert_device_state(fixture, "d0", "downloading");
    assert_int_equal(campaign_number(fixture, "summary.in_progress"), 1);
    restart(fixture); /* what was acknowledged is there */
    assert_device_state(fixture, "d0", "downloading");
    answer = beat_report(fixture, "d0", 2, "complete", 777);
    assert_int_equal(number_at(answer, "reports_ack"), 2);
    assert_int_equal(json_array_size(at(answer, "assignments")), 0);
    json_decref(answer);
    assert_campaign(fixture, "state", "complete");
}

static void report__said_twice_or_late_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    under_way(fixture);
    json_decref(beat_report(fixture, "d0", 5, "complete", 777));
    answer = beat_report(fixture, "d0", 5, "failed", 0);
    assert_int_equal(number_at(answer, "reports_ack"), 5);
    json_decref(answer);
    assert_device_state(fixture, "d0", "complete");
    answer = beat_report(fixture, "d0", 6, "downloading", 0); /* new, but late */
    assert_int_equal(number_at(answer, "reports_ack"), 6);
    json_decref(answer);
    assert_device_state(fixture, "d0", "complete");
}

static void report__of_a_failure_keeps_what_it_said(void **state)
{
    struct fixture *fixture = *state;
    json_t *json;

    under_way(fixture);
    json_decref(beat_report(fixture, "d0", 1, "failed", 10));
    json = show(fixture);
    assert_string_equal(text_at(json, "devices.0.state"), "failed");
    assert_string_equal(text_at(json, "devices.0.error"), "health: it said no");
    assert_true(json_is_null(at(json, "devices.0.failed_at"))); /* an older agent does not say */
    assert_true(json_is_null(at(json, "devices.0.duration_ms")));
    assert_true(json_is_null(at(json, "devices.0.stages_ms")));
    assert_true(json_is_null(at(json, "devices.0.sources")));
    json_decref(json);
}

static void report__says_where_it_failed_how_long_it_took_and_from_where_it_came(void **state)
{
    static const char said[] =
        "{" AGENT ",\"reports\":[{\"seq\":%u,\"campaign_id\":\"%s\",\"model_id\":\"m\","
        "\"model_version\":\"v2\",\"state\":\"%s\",\"stage\":\"check\",\"bytes_received\":12,"
        "\"sources\":{\"mirror\":10,\"earlier\":2},\"duration_ms\":99,"
        "\"stages_ms\":{\"download\":90,\"check\":9}}]}";
    struct fixture *fixture = *state;
    json_t *json;

    under_way(fixture);
    json_decref(beat(fixture, "d0", said, 1U, fixture->campaign, "verifying"));
    json = show(fixture);
    assert_true(json_is_null(at(json, "devices.0.failed_at")));
    json_decref(json);
    json_decref(beat(fixture, "d0", said, 2U, fixture->campaign, "failed"));
    json = show(fixture);
    assert_string_equal(text_at(json, "devices.0.failed_at"), "check");
    assert_int_equal(number_at(json, "devices.0.duration_ms"), 99);
    assert_int_equal(number_at(json, "devices.0.stages_ms.download"), 90);
    assert_int_equal(number_at(json, "devices.0.sources.mirror"), 10);
    assert_int_equal(number_at(json, "devices.0.sources.earlier"), 2);
    json_decref(json);
}

static void report__about_another_model_or_campaign_is_only_acknowledged(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    under_way(fixture);
    answer =
        beat(fixture, "d0",
             "{" AGENT ",\"reports\":[{\"seq\":1,\"campaign_id\":\"%s\",\"model_id\":\"other\","
             "\"model_version\":\"v2\",\"state\":\"complete\"},{\"seq\":2,\"campaign_id\":"
             "\"c-gone\",\"model_id\":\"m\",\"model_version\":\"v2\",\"state\":\"failed\"}]}",
             fixture->campaign);
    assert_int_equal(number_at(answer, "reports_ack"), 2);
    json_decref(answer);
    assert_device_state(fixture, "d0", "pending");
}

static void complete__also_by_what_the_device_runs(void **state)
{
    struct fixture *fixture = *state;

    under_way(fixture);
    json_decref(beat_running(fixture, "d0", "v2"));
    assert_device_state(fixture, "d0", "complete");
}

/* --- the first generation --- */

static void first_generation__completes_by_model_and_version(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat(fixture, "d0", "{\"current_model\":\"m\",\"current_model_version\":\"v1\"}"));
    campaign(fixture, "v2", "all_at_once");
    answer = beat(fixture, "d0", "{}");
    assert_true(json_is_null(at(answer, "assigned_model"))); /* its delta is being made */
    json_decref(answer);
    make_deltas(fixture);
    answer = beat(fixture, "d0", "{}");
    assert_string_equal(text_at(answer, "assigned_model"), "m");
    assert_string_equal(text_at(answer, "assigned_model_version"), "v2");
    assert_null(at(answer, "assignments"));
    json_decref(answer);
    json_decref(
        beat(fixture, "d0", "{\"current_model\":\"other\",\"current_model_version\":\"v2\"}"));
    assert_device_state(fixture, "d0", "pending"); /* the version alone does not count */
    json_decref(beat(fixture, "d0",
                     "{\"current_model\":\"m\",\"current_model_version\":\"v2\","
                     "\"last_update_result\":\"success\"}"));
    assert_campaign(fixture, "state", "complete");
}

static void first_generation__fails_by_its_result_but_not_by_an_old_one(void **state)
{
    static const char failed[] = "{\"current_model\":\"m\",\"current_model_version\":\"v1\","
                                 "\"last_update_result\":{\"failed\":{\"error\":\"no room\"}}}";
    struct fixture *fixture = *state;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat(fixture, "d0", "%s", failed)); /* from before the campaign */
    campaign(fixture, "v2", "all_at_once");
    json_decref(beat(fixture, "d0", "%s", failed)); /* repeated, as some agents do */
    assert_device_state(fixture, "d0", "pending");
    json_decref(beat(fixture, "d0", "{}"));
    json_decref(beat(fixture, "d0", "%s", failed)); /* said anew */
    assert_device_state(fixture, "d0", "failed");
}

/* --- bytes --- */

static void serve(struct fixture *fixture, const char *device_id, uint64_t bytes)
{
    struct ox_download download;

    assert_int_equal(ox_control_download(fixture->control, "m", "v2", "v1", "oxdl/2; ops=ffffffff",
                                         &download, NULL),
                     OX_OK);
    ox_control_served(fixture->control, device_id, &download.digest, download.artifact_id, bytes);
    (void)close(download.fd);
}

static void bytes__of_a_named_device_are_what_was_served(void **state)
{
    struct fixture *fixture = *state;

    under_way(fixture);
    serve(fixture, "d0", 400);
    serve(fixture, "d0", 200);
    assert_int_equal(campaign_number(fixture, "summary.bytes_served"), 600); /* not written yet */
    json_decref(beat_report(fixture, "d0", 1, "complete", 9999));
    assert_int_equal(campaign_number(fixture, "summary.bytes_served"), 600);
    assert_int_equal(campaign_number(fixture, "bandwidth.bytes_saved_by_delta"), MODEL_BYTES - 600);
    restart(fixture);
    assert_int_equal(campaign_number(fixture, "summary.bytes_served"), 600);
}

static void bytes__from_elsewhere_are_what_the_device_received(void **state)
{
    struct fixture *fixture = *state;

    under_way(fixture);
    json_decref(beat_report(fixture, "d0", 1, "complete", 700));
    assert_int_equal(campaign_number(fixture, "summary.bytes_served"), 700);
    assert_int_equal(campaign_number(fixture, "summary.bytes_saved"), MODEL_BYTES - 700);
}

static void bytes__of_the_unnamed_count_for_the_campaign_of_that_version(void **state)
{
    struct fixture *fixture = *state;

    under_way(fixture);
    serve(fixture, NULL, 300);
    serve(fixture, "stranger", 50); /* in no campaign */
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    assert_int_equal(campaign_number(fixture, "summary.bytes_served"), 300);
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    assert_int_equal(campaign_number(fixture, "summary.bytes_served"), 300);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(beat__an_unknown_device_is_told_to_register),
        TEST(beat__refuses_what_is_no_heartbeat),
        TEST(beat__an_empty_one_is_answered_and_makes_the_device_online),
        TEST(status__is_offline_after_three_silent_intervals),
        TEST(beat__that_changes_nothing_is_written_in_batches),
        TEST(beat__the_batch_is_written_at_the_end),
        TEST(beat__absent_is_unchanged_and_null_is_none),
        TEST(assignment__names_files_base_patch_and_where_to_fetch),
        TEST(assignment__without_a_base_is_the_whole_file_at_once),
        TEST(assignment__a_base_that_came_up_later_gets_its_delta_made),
        TEST(report__moves_the_device_and_is_acknowledged),
        TEST(report__said_twice_or_late_changes_nothing),
        TEST(report__of_a_failure_keeps_what_it_said),
        TEST(report__says_where_it_failed_how_long_it_took_and_from_where_it_came),
        TEST(report__about_another_model_or_campaign_is_only_acknowledged),
        TEST(complete__also_by_what_the_device_runs),
        TEST(first_generation__completes_by_model_and_version),
        TEST(first_generation__fails_by_its_result_but_not_by_an_old_one),
        TEST(bytes__of_a_named_device_are_what_was_served),
        TEST(bytes__from_elsewhere_are_what_the_device_received),
        TEST(bytes__of_the_unnamed_count_for_the_campaign_of_that_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

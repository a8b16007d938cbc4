#include "fixture.h"

#include "oxide/base/file.h"
#include "oxide/control/caller.h"
#include "oxide/control/event.h"
#include "oxide/registry/event.h"

/* --- helpers --- */

/* The log as one line per event, "kind device campaign model actor request data", without the
 * campaign's id, which is random; the caller frees it. */
static char *log_text(struct fixture *fixture, const char *kind)
{
    struct ox_event_filter filter = {.kinds = kind};
    struct ox_event_row *rows = NULL;
    struct ox_buf out = OX_BUF_INIT;
    struct ox_tx tx = OX_TX_INIT;
    size_t count = 0;
    int64_t next = 0;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_READ, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_events(&tx, &filter, 0, 1000, &rows, &count, &next, NULL), OX_OK);
    assert_int_equal(ox_buf_printf(&out, NULL, "%s", ""), OX_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(ox_buf_printf(&out, NULL, "%s %s %s %s %s %s %s\n", rows[i].kind,
                                       rows[i].device_id == NULL ? "-" : rows[i].device_id,
                                       rows[i].campaign_id == NULL ? "-" : "c",
                                       rows[i].model_id == NULL ? "-" : rows[i].model_id,
                                       rows[i].actor == NULL ? "-" : rows[i].actor,
                                       rows[i].request_id == NULL ? "-" : rows[i].request_id,
                                       rows[i].data),
                         OX_OK);
    }
    ox_registry_end(&tx);
    return (char *)out.data;
}

static void assert_log(struct fixture *fixture, const char *kind, const char *expected)
{
    char *text = log_text(fixture, kind);

    assert_string_equal(text, expected);
    free(text);
}

static void count_wake(void *ctx)
{
    ++*(int *)ctx;
}

/* --- tests --- */

static void kinds__are_sorted_and_unique(void **state)
{
    (void)state;
    for (size_t i = 1; i < ox_event_kinds_count; i++) {
        assert_true(strcmp(ox_event_kinds[i - 1].word, ox_event_kinds[i].word) < 0);
    }
}

static void kinds__are_documented(void **state)
{
    struct ox_buf docs = OX_BUF_INIT;

    (void)state;
    assert_int_equal(
        ox_file_read_all(OX_TESTS_DIR "/../docs/events.md", (size_t)1 << 20, &docs, NULL), OX_OK);
    assert_int_equal(ox_buf_append(&docs, "", 1, NULL), OX_OK);
    for (size_t i = 0; i < ox_event_kinds_count; i++) {
        char row[512];

        (void)snprintf(row, sizeof(row), "| `%s` | %s | %s |\n", ox_event_kinds[i].word,
                       ox_event_kinds[i].what, ox_event_kinds[i].data);
        if (strstr((const char *)docs.data, row) == NULL) {
            fail_msg("docs/events.md lacks this row:\n%s", row);
        }
    }
    ox_buf_clear(&docs);
}

static void device__leaves_events_only_where_something_changes(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    device(fixture, "d0");
    device(fixture, "d0");
    assert_log(fixture, "device",
               "device.registered d0 - - - - {\"name\":\"Device\",\"tags\":{}}\n");
    assert_int_equal(ox_control_device_remove(fixture->control, "d0", &out, NULL), OX_OK);
    json_decref(out);
    assert_int_equal(ox_control_device_remove(fixture->control, "d0", &out, NULL), OX_ENOTFOUND);
    assert_log(fixture, "device",
               "device.registered d0 - - - - {\"name\":\"Device\",\"tags\":{}}\n"
               "device.removed d0 - - - - {}\n");
}

static void caller__is_on_record(void **state)
{
    struct fixture *fixture = *state;
    struct ox_caller who = {"192.0.2.7", "r-1"};

    ox_control_act_for(&who);
    device(fixture, "d0");
    ox_control_act_for(NULL);
    device(fixture, "d1");
    assert_log(fixture, "device",
               "device.registered d0 - - 192.0.2.7 r-1 {\"name\":\"Device\",\"tags\":{}}\n"
               "device.registered d1 - - - - {\"name\":\"Device\",\"tags\":{}}\n");
}

static void fleet__leaves_events(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    fleet(fixture, "f", 1);
    assert_int_equal(ox_control_fleet_add(fixture->control, "f", "d0", &out, NULL), OX_OK);
    json_decref(out);
    assert_int_equal(ox_control_fleet_remove(fixture->control, "f", "d0", &out, NULL), OX_OK);
    json_decref(out);
    assert_log(fixture, "fleet",
               "fleet.created - - - - - {\"fleet_id\":\"f\",\"name\":\"Fleet\"}\n"
               "fleet.device_added d0 - - - - {\"fleet_id\":\"f\"}\n"
               "fleet.device_removed d0 - - - - {\"fleet_id\":\"f\"}\n");
}

static void fleet__tells_how_it_changed(void **state)
{
    struct fixture *fixture = *state;
    json_t *change = body("{\"filter\":\"id = d0\"}");
    json_t *out = NULL;

    fleet(fixture, "f", 0);
    assert_int_equal(ox_control_fleet_edit(fixture->control, "f", change, &out, NULL), OX_OK);
    json_decref(out);
    assert_int_equal(ox_control_fleet_delete(fixture->control, "f", &out, NULL), OX_OK);
    json_decref(out);
    json_decref(change);
    assert_log(fixture, "fleet",
               "fleet.created - - - - - {\"fleet_id\":\"f\",\"name\":\"Fleet\"}\n"
               "fleet.changed - - - - - {\"fleet_id\":\"f\",\"name\":\"Fleet\","
               "\"filter\":\"id = d0\"}\n"
               "fleet.removed - - - - - {\"fleet_id\":\"f\"}\n");
}

static void campaign__leaves_its_story(void **state)
{
    struct fixture *fixture = *state;
    char *text;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    campaign(fixture, "v2", "all_at_once");
    act(fixture, OX_ACTION_PAUSE, "paused");
    act(fixture, OX_ACTION_RESUME, "rolling_out");
    make_deltas(fixture);
    tick(fixture, 1);
    json_decref(beat_report(fixture, "d0", 1, "downloading", 10));
    json_decref(beat_report(fixture, "d0", 2, "applying", 20));
    json_decref(beat_running(fixture, "d0", "v2"));
    assert_log(fixture, "campaign.device_moved",
               "campaign.device_moved d0 c m - - {\"version\":\"v2\",\"from\":\"pending\","
               "\"to\":\"downloading\",\"strategy\":\"delta\"}\n"
               "campaign.device_moved d0 c m - - {\"version\":\"v2\",\"from\":\"downloading\","
               "\"to\":\"applying\",\"strategy\":\"delta\"}\n"
               "campaign.device_moved d0 c m - - {\"version\":\"v2\",\"from\":\"applying\","
               "\"to\":\"complete\",\"strategy\":\"delta\"}\n");
    text = log_text(fixture, "campaign");
    assert_non_null(strstr(text, "campaign.created - c m"));
    assert_true(strstr(text, "campaign.paused - c m") > strstr(text, "campaign.created"));
    assert_true(strstr(text, "campaign.resumed - c m") > strstr(text, "campaign.paused"));
    assert_true(strstr(text, "campaign.prepared - c m") > strstr(text, "campaign.resumed"));
    assert_true(strstr(text, "campaign.completed - c m") > strstr(text, "campaign.prepared"));
    free(text);
    text = log_text(fixture, "delta");
    assert_non_null(strstr(text, "delta.made - - m - - {\"version\":\"v2\""));
    free(text);
    text = log_text(fixture, "model");
    assert_non_null(strstr(text, "model.published - - m - - {\"version\":\"v1\""));
    free(text);
}

static void failure__with_a_cut_character_is_still_told(void **state)
{
    struct fixture *fixture = *state;
    char message[900] = "";
    char *text;

    for (size_t i = 0; i < 400; i++) {
        (void)strcat(message, "\xc3\xa9");
    }
    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    campaign(fixture, "v2", "all_at_once");
    make_deltas(fixture);
    tick(fixture, 1);
    json_decref(beat(fixture, "d0",
                     "{" AGENT ",\"reports\":[{\"seq\":1,\"campaign_id\":\"%s\",\"model_id\":\"m\","
                     "\"model_version\":\"v2\",\"state\":\"failed\",\"error\":{\"code\":\"x\","
                     "\"message\":\"%s\"}}]}",
                     fixture->campaign, message));
    text = log_text(fixture, "campaign.device_moved");
    assert_non_null(strstr(text, "\"to\":\"failed\",\"error\":\"x: \xc3\xa9"));
    free(text);
    assert_device_state(fixture, "d0", "failed");
}

static void watchers__wake_after_commits_with_events_alone(void **state)
{
    struct fixture *fixture = *state;
    int wakes = 0;

    ox_control_events_watch(fixture->control, count_wake, &wakes);
    device(fixture, "d0");
    assert_int_equal(wakes, 1);
    device(fixture, "d0");
    json_decref(beat(fixture, "d0", "{}"));
    assert_int_equal(wakes, 1);
    ox_control_events_unwatch(fixture->control, &wakes);
    device(fixture, "d1");
    assert_int_equal(wakes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds__are_sorted_and_unique),
        cmocka_unit_test(kinds__are_documented),
        cmocka_unit_test_setup_teardown(device__leaves_events_only_where_something_changes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(caller__is_on_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fleet__leaves_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fleet__tells_how_it_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(campaign__leaves_its_story, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failure__with_a_cut_character_is_still_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(watchers__wake_after_commits_with_events_alone, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

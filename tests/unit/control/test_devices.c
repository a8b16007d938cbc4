/* What ran where, pins, offline devices, and the page of one device. */
#include "fixture.h"

#include "oxide/control/list.h"

typedef enum ox_code list_fn(struct ox_control *control, const struct ox_list_query *query,
                             json_t **rows, char **next, struct ox_err *err);

/* A list by at most two filters; NULL: none. */
static enum ox_code try_list(struct fixture *fixture, list_fn *list, const char *const filters[][2],
                             json_t **rows)
{
    struct ox_list_query query = {.limit = 100};
    char *next = NULL;
    enum ox_code code;

    for (; filters[query.filter_count][0] != NULL; query.filter_count++) {
        query.filters[query.filter_count].name = filters[query.filter_count][0];
        query.filters[query.filter_count].value = filters[query.filter_count][1];
    }
    code = list(fixture->control, &query, rows, &next, NULL);
    free(next);
    return code;
}

#define LIST(fixture, fn, rows, ...)                                                               \
    try_list((fixture), (fn), (const char *const[][2]){__VA_ARGS__, {NULL, NULL}}, (rows))

static json_t *show_device(struct fixture *fixture, const char *id)
{
    json_t *out = NULL;

    assert_int_equal(ox_control_device(fixture->control, id, &out, NULL), OX_OK);
    return out;
}

static void assert_status(struct fixture *fixture, const char *id, const char *status)
{
    json_t *json = show_device(fixture, id);
    json_t *rows = NULL;
    bool listed = false;

    assert_string_equal(text_at(json, "status"), status);
    json_decref(json);
    assert_int_equal(LIST(fixture, ox_control_devices, &rows, {"status", status}), OX_OK);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        listed = listed || strcmp(text_at(json_array_get(rows, i), "id"), id) == 0;
    }
    assert_true(listed);
    json_decref(rows);
}

/* --- history --- */

static void history__tells_what_ran_and_when(void **state)
{
    struct fixture *fixture = *state;
    char begun[OX_TIME_TEXT_MAX];
    char ended[OX_TIME_TEXT_MAX];
    json_t *rows = NULL;

    publish_two(fixture);
    device(fixture, "d0");
    ox_time_text(fixture->now_ms, begun);
    json_decref(beat_running(fixture, "d0", "v1"));
    fixture->now_ms += 3600 * 1000;
    json_decref(beat_running(fixture, "d0", "v1"));
    ox_time_text(fixture->now_ms, ended);
    json_decref(beat_running(fixture, "d0", "v2"));
    assert_int_equal(LIST(fixture, ox_control_device_history, &rows, {"device", "d0"}), OX_OK);
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(text_at(rows, "0.version"), "v2");
    assert_true(json_is_null(at(rows, "0.to")));
    assert_string_equal(text_at(rows, "1.version"), "v1");
    assert_string_equal(text_at(rows, "1.model_id"), "m");
    assert_string_equal(text_at(rows, "1.from"), begun);
    assert_string_equal(text_at(rows, "1.to"), ended);
    assert_string_equal(text_at(rows, "1.digest"), digest_hex(fixture, "v1"));
    json_decref(rows);
    assert_int_equal(
        LIST(fixture, ox_control_device_history, &rows, {"device", "d0"}, {"model", "n"}), OX_OK);
    assert_int_equal(json_array_size(rows), 0);
    json_decref(rows);
    assert_int_equal(LIST(fixture, ox_control_device_history, &rows, {"device", "d9"}),
                     OX_ENOTFOUND);
}

static void history__is_durable_with_the_heartbeat_and_outlives_the_device(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;
    json_t *rows = NULL;

    publish_two(fixture);
    device(fixture, "d0");
    json_decref(beat_running(fixture, "d0", "v1"));
    assert_int_equal(ox_control_device_remove(fixture->control, "d0", &out, NULL), OX_OK);
    json_decref(out);
    restart(fixture);
    assert_int_equal(LIST(fixture, ox_control_device_history, &rows, {"device", "d0"}), OX_OK);
    assert_int_equal(json_array_size(rows), 1);
    assert_false(json_is_null(at(rows, "0.to")));
    json_decref(rows);
}

static void history__of_the_first_generation_follows_its_one_model(void **state)
{
    struct fixture *fixture = *state;
    json_t *rows = NULL;

    device(fixture, "old");
    json_decref(beat(fixture, "old", "{\"current_model\":\"m\",\"current_model_version\":\"v1\"}"));
    publish_two(fixture); /* v1 is known only now */
    json_decref(beat(fixture, "old", "{\"current_model\":\"m\",\"current_model_version\":\"v1\"}"));
    json_decref(beat(fixture, "old", "{\"current_model\":null}"));
    assert_int_equal(LIST(fixture, ox_control_device_history, &rows, {"device", "old"}), OX_OK);
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(text_at(rows, "0.digest"), digest_hex(fixture, "v1"));
    assert_false(json_is_null(at(rows, "0.to")));
    json_decref(rows);
}

static void where__tells_who_runs_and_who_ran(void **state)
{
    struct fixture *fixture = *state;
    char before[OX_TIME_TEXT_MAX];
    char then[OX_TIME_TEXT_MAX];
    json_t *rows = NULL;
    json_t *out = NULL;

    publish_two(fixture);
    fleet(fixture, "f", 3);
    ox_time_text(fixture->now_ms - 1, before);
    ox_time_text(fixture->now_ms, then);
    for (int i = 0; i < 3; i++) {
        char id[8];

        (void)snprintf(id, sizeof(id), "d%d", i);
        json_decref(beat_running(fixture, id, "v1"));
    }
    fixture->now_ms += 1000;
    json_decref(beat_running(fixture, "d1", "v2"));
    assert_int_equal(LIST(fixture, ox_control_model_where, &rows, {"model", "m"}), OX_OK);
    assert_int_equal(json_array_size(rows), 3);
    assert_string_equal(text_at(rows, "1.device_id"), "d1");
    assert_string_equal(text_at(rows, "1.version"), "v2");
    json_decref(rows);
    assert_int_equal(LIST(fixture, ox_control_model_where, &rows, {"at", then}, {"model", "m"}),
                     OX_OK);
    assert_string_equal(text_at(rows, "1.version"), "v1");
    json_decref(rows);
    assert_int_equal(LIST(fixture, ox_control_model_where, &rows, {"model", "m"}, {"at", before}),
                     OX_OK);
    assert_int_equal(json_array_size(rows), 0);
    json_decref(rows);
    assert_int_equal(
        LIST(fixture, ox_control_model_where, &rows, {"model", "m"}, {"version", "v1"}), OX_OK);
    assert_int_equal(json_array_size(rows), 2);
    json_decref(rows);
    assert_int_equal(
        LIST(fixture, ox_control_model_where, &rows, {"model", "m"}, {"at", "yesterday"}),
        OX_EINVAL);
    assert_int_equal(ox_control_where_counts(fixture->control, "m", NULL, NULL, &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "devices"), 3);
    assert_string_equal(text_at(out, "versions.0.version"), "v1");
    assert_int_equal(number_at(out, "versions.0.devices"), 2);
    assert_int_equal(number_at(out, "versions.1.devices"), 1);
    json_decref(out);
    assert_int_equal(ox_control_where_counts(fixture->control, "m", "v2", then, &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "devices"), 0);
    json_decref(out);
}

static void history__is_forgotten_in_steps(void **state)
{
    struct fixture *fixture = *state;
    json_t *rows = NULL;

    fixture->history_kept_ms = 24 * 3600 * 1000;
    restart(fixture);
    publish_two(fixture);
    device(fixture, "d0");
    for (int i = 0; i < 4; i++) {
        json_decref(beat_running(fixture, "d0", i % 2 == 0 ? "v1" : "v2"));
        fixture->now_ms += 3600 * 1000;
    }
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    assert_int_equal(LIST(fixture, ox_control_device_history, &rows, {"device", "d0"}), OX_OK);
    assert_int_equal(json_array_size(rows), 4);
    json_decref(rows);
    fixture->now_ms += 24 * 3600 * 1000;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    }
    assert_int_equal(LIST(fixture, ox_control_device_history, &rows, {"device", "d0"}), OX_OK);
    assert_int_equal(json_array_size(rows), 2); /* what runs, and what a revert goes back to */
    json_decref(rows);
}

/* --- pins --- */

static enum ox_code pin(struct fixture *fixture, bool on, const char *id, const char *text,
                        struct ox_err *err)
{
    json_t *in = body("%s", text);
    json_t *out = NULL;
    enum ox_code code =
        (on ? ox_control_device_pin : ox_control_device_unpin)(fixture->control, id, in, &out, err);

    json_decref(in);
    json_decref(out);
    return code;
}

static void pin__campaigns_pass_it_by(void **state)
{
    struct fixture *fixture = *state;
    json_t *json;

    publish_two(fixture);
    fleet(fixture, "f", 2);
    json_decref(beat_running(fixture, "d0", "v1"));
    json_decref(beat_running(fixture, "d1", "v1"));
    make_deltas(fixture);
    assert_int_equal(pin(fixture, true, "d0", "{\"model_id\":\"m\",\"reason\":\"a demo\"}", NULL),
                     OX_OK);
    campaign(fixture, "v2", "all_at_once");
    assert_device_state(fixture, "d0", "skipped");
    assert_device_state(fixture, "d1", "pending");
    json = beat_running(fixture, "d0", "v1");
    assert_int_equal(json_array_size(at(json, "assignments")), 0);
    json_decref(json);
    json = show_device(fixture, "d0");
    assert_string_equal(text_at(json, "pins.0.model_id"), "m");
    assert_string_equal(text_at(json, "pins.0.reason"), "a demo");
    json_decref(json);
}

static void pin__ends_what_was_under_way(void **state)
{
    struct fixture *fixture = *state;
    json_t *json;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json_decref(beat_running(fixture, "d0", "v1"));
    make_deltas(fixture);
    campaign(fixture, "v2", "all_at_once");
    assert_int_equal(pin(fixture, true, "d0", "{\"model_id\":\"other\"}", NULL), OX_OK);
    assert_device_state(fixture, "d0", "pending"); /* another model's pin */
    json = beat_running(fixture, "d0", "v1");
    assert_int_equal(json_array_size(at(json, "assignments")), 1);
    json_decref(json);
    assert_int_equal(pin(fixture, true, "d0", "{}", NULL), OX_OK);
    assert_device_state(fixture, "d0", "skipped");
    json = beat_running(fixture, "d0", "v1");
    assert_int_equal(json_array_size(at(json, "assignments")), 0);
    json_decref(json);
}

static void unpin__makes_up_for_what_was_passed_by(void **state)
{
    struct fixture *fixture = *state;
    json_t *json;

    publish_two(fixture);
    fleet(fixture, "f", 2);
    json_decref(beat_running(fixture, "d0", "v1"));
    json_decref(beat_running(fixture, "d1", "v1"));
    make_deltas(fixture);
    assert_int_equal(pin(fixture, true, "d0", "{}", NULL), OX_OK);
    campaign(fixture, "v2", "all_at_once");
    json_decref(beat_running(fixture, "d1", "v2"));
    assert_campaign(fixture, "state", "complete");
    json = beat_running(fixture, "d0", "v1");
    assert_int_equal(json_array_size(at(json, "assignments")), 0);
    json_decref(json);
    assert_int_equal(pin(fixture, false, "d0", "{}", NULL), OX_OK);
    json = beat_running(fixture, "d0", "v1");
    assert_string_equal(text_at(json, "assignments.0.model_version"), "v2");
    json_decref(json);
}

static void pin__a_device_that_joins_later_is_passed_by_too(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    campaign(fixture, "v2", "all_at_once");
    json_decref(beat_running(fixture, "d0", "v2"));
    assert_campaign(fixture, "state", "complete");
    device(fixture, "late");
    json_decref(beat_running(fixture, "late", "v1"));
    assert_int_equal(pin(fixture, true, "late", "{}", NULL), OX_OK);
    assert_int_equal(ox_control_fleet_add(fixture->control, "f", "late", &out, NULL), OX_OK);
    json_decref(out);
    assert_device_state(fixture, "late", "skipped");
    /* Joining again, or another fleet, frees no one. */
    assert_int_equal(ox_control_fleet_add(fixture->control, "f", "late", &out, NULL), OX_OK);
    json_decref(out);
    assert_device_state(fixture, "late", "skipped");
}

static void pin__refuses_what_makes_no_sense(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;

    device(fixture, "d0");
    assert_int_equal(pin(fixture, true, "d9", "{}", &err), OX_ENOTFOUND);
    assert_int_equal(pin(fixture, true, "d0", "{\"model_id\":\"../m\"}", &err), OX_EINVAL);
    assert_int_equal(pin(fixture, true, "d0", "{\"model_id\":3}", &err), OX_EINVAL);
    assert_int_equal(pin(fixture, true, "d0", "{\"reason\":3}", &err), OX_EINVAL);
    assert_int_equal(pin(fixture, false, "d0", "{}", &err), OX_ENOTFOUND);
    assert_non_null(strstr(err.msg, "not pinned"));
    assert_int_equal(pin(fixture, true, "d0", "{\"model_id\":null}", NULL), OX_OK);
    assert_int_equal(pin(fixture, false, "d0", "{\"model_id\":\"m\"}", &err), OX_ENOTFOUND);
    assert_int_equal(pin(fixture, false, "d0", "{}", NULL), OX_OK);
}

/* --- offline --- */

static void status__counts_polls_of_the_devices_own_interval(void **state)
{
    struct fixture *fixture = *state;

    device(fixture, "slow");
    json_decref(beat(fixture, "slow", "{" AGENT ",\"poll_interval_s\":900}"));
    fixture->now_ms += 45 * 60 * 1000;
    assert_status(fixture, "slow", "online");
    fixture->now_ms += 1;
    assert_status(fixture, "slow", "offline");
    /* One that polls faster than it is told is given the time that it was told. */
    json_decref(beat(fixture, "slow", "{" AGENT ",\"poll_interval_s\":5}"));
    fixture->now_ms += 90 * 1000;
    assert_status(fixture, "slow", "online");
    fixture->now_ms += 1;
    assert_status(fixture, "slow", "offline");
}

/* --- the page of a device --- */

static void device__tells_its_inventory(void **state)
{
    struct fixture *fixture = *state;
    json_t *json;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    json = show_device(fixture, "d0");
    assert_true(json_is_null(at(json, "disk")));
    assert_true(json_is_null(at(json, "utc_offset_s")));
    assert_true(json_is_null(at(json, "instance")));
    assert_int_equal(json_array_size(at(json, "installations")), 0);
    json_decref(json);
    json_decref(beat(fixture, "d0",
                     "{" AGENT ",\"instance\":\"0123456789abcdef0123456789abcdef\","
                     "\"poll_interval_s\":60,\"utc_offset_s\":-3600,"
                     "\"disk\":{\"free_bytes\":1000,\"total_bytes\":64000},"
                     "\"models\":[{\"id\":\"m\",\"version\":\"v1\",\"digest\":\"%s\"}]}",
                     digest_hex(fixture, "v1")));
    restart(fixture);
    json = show_device(fixture, "d0");
    assert_int_equal(number_at(json, "disk.free_bytes"), 1000);
    assert_int_equal(number_at(json, "utc_offset_s"), -3600);
    assert_int_equal(number_at(json, "poll_interval_s"), 60);
    assert_string_equal(text_at(json, "address"), "10.0.0.7");
    assert_string_equal(text_at(json, "fleets.0"), "f");
    assert_string_equal(text_at(json, "models.0.since"), text_at(json, "last_heartbeat"));
    assert_string_equal(text_at(json, "installations.0.state"), "device");
    json_decref(json);
}

/* Written at once is what an operator plans with, not every byte of a log file. */
static void device__free_space_is_written_when_it_is_news(void **state)
{
    struct fixture *fixture = *state;
    json_t *json;

    device(fixture, "d0");
    json_decref(
        beat(fixture, "d0", "{" AGENT ",\"disk\":{\"free_bytes\":50000,\"total_bytes\":64000}}"));
    json_decref(
        beat(fixture, "d0", "{" AGENT ",\"disk\":{\"free_bytes\":49500,\"total_bytes\":64000}}"));
    json = show_device(fixture, "d0");
    assert_int_equal(number_at(json, "disk.free_bytes"), 50000);
    json_decref(json);
    json_decref(
        beat(fixture, "d0", "{" AGENT ",\"disk\":{\"free_bytes\":30000,\"total_bytes\":64000}}"));
    json = show_device(fixture, "d0");
    assert_int_equal(number_at(json, "disk.free_bytes"), 30000);
    json_decref(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(history__tells_what_ran_and_when),
        TEST(history__is_durable_with_the_heartbeat_and_outlives_the_device),
        TEST(history__of_the_first_generation_follows_its_one_model),
        TEST(where__tells_who_runs_and_who_ran),
        TEST(history__is_forgotten_in_steps),
        TEST(pin__campaigns_pass_it_by),
        TEST(pin__ends_what_was_under_way),
        TEST(unpin__makes_up_for_what_was_passed_by),
        TEST(pin__a_device_that_joins_later_is_passed_by_too),
        TEST(pin__refuses_what_makes_no_sense),
        TEST(status__counts_polls_of_the_devices_own_interval),
        TEST(device__tells_its_inventory),
        TEST(device__free_space_is_written_when_it_is_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

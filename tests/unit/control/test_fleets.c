#include "fixture.h"

#include "oxide/control/list.h"

static json_t *edit_device(struct fixture *fixture, const char *id, const char *fmt, ...)
    OX_PRINTF(3, 4);
static json_t *edit_device(struct fixture *fixture, const char *id, const char *fmt, ...)
{
    char text[512];
    json_t *request;
    json_t *out = NULL;
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    request = body("%s", text);
    assert_int_equal(ox_control_device_edit(fixture->control, id, request, &out, NULL), OX_OK);
    json_decref(request);
    return out;
}

static enum ox_code make(struct fixture *fixture, const char *id, const char *filter,
                         uint64_t *devices, struct ox_err *err)
{
    json_t *request = body("{\"id\":\"%s\",\"filter\":\"%s\"}", id, filter);
    json_t *out = NULL;
    enum ox_code code = ox_control_fleet_create(fixture->control, request, &out, err);

    if (code == OX_OK && devices != NULL) {
        *devices = (uint64_t)number_at(out, "device_count");
    }
    json_decref(out);
    json_decref(request);
    return code;
}

static enum ox_code change(struct fixture *fixture, const char *id, const char *text,
                           struct ox_err *err)
{
    json_t *request = body("%s", text);
    json_t *out = NULL;
    enum ox_code code = ox_control_fleet_edit(fixture->control, id, request, &out, err);

    json_decref(out);
    json_decref(request);
    return code;
}

/* The devices of a fleet as the API shows it, "d0 d1". */
static void assert_holds(struct fixture *fixture, const char *id, const char *wanted)
{
    json_t *out = NULL;
    char ids[256] = "";
    json_t *device;
    size_t i;

    assert_int_equal(ox_control_fleet(fixture->control, id, false, &out, NULL), OX_OK);
    json_array_foreach(at(out, "devices"), i, device)
    {
        (void)snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s%s", i == 0 ? "" : " ",
                       json_string_value(device));
    }
    assert_string_equal(ids, wanted);
    assert_int_equal(number_at(out, "device_count"), json_array_size(at(out, "devices")));
    json_decref(out);
    assert_int_equal(ox_control_fleet(fixture->control, id, true, &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "device_count"), i);
    assert_null(at(out, "devices"));
    json_decref(out);
}

/* Devices d0 to d3; d0 and d1 are at graz. */
static void four_devices(struct fixture *fixture)
{
    fleet(fixture, "f", 4);
    json_decref(edit_device(fixture, "d0", "{\"tags\":{\"site\":\"graz\"}}"));
    json_decref(edit_device(fixture, "d1", "{\"tags\":{\"site\":\"graz\"}}"));
}

static void device__tags_are_set_and_taken_away_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    json_t *out;

    device(fixture, "d");
    json_decref(edit_device(fixture, "d", "{\"tags\":{\"a\":\"1\",\"b\":\"2\"}}"));
    out =
        edit_device(fixture, "d", "{\"name\":\"D\",\"tags\":{\"a\":null,\"c\":\"3\",\"x\":null}}");
    assert_string_equal(text_at(out, "name"), "D");
    assert_null(at(out, "tags.a"));
    assert_string_equal(text_at(out, "tags.b"), "2");
    assert_string_equal(text_at(out, "tags.c"), "3");
    assert_int_equal(json_object_size(at(out, "tags")), 2);
    json_decref(out);
    out = edit_device(fixture, "d", "{}");
    assert_string_equal(text_at(out, "name"), "D");
    assert_int_equal(json_object_size(at(out, "tags")), 2);
    json_decref(out);
}

static void device__edit_refuses_what_is_no_tag_and_changes_nothing(void **state)
{
    static const char *const bad[] = {"{\"tags\":{\"b\":\"x\",\"a\":1}}", "{\"tags\":[]}",
                                      "{\"name\":5}"};
    struct fixture *fixture = *state;
    json_t *out = NULL;

    device(fixture, "d");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *request = body("%s", bad[i]);

        assert_int_equal(ox_control_device_edit(fixture->control, "d", request, &out, NULL),
                         OX_EINVAL);
        assert_int_equal(ox_control_device_edit(fixture->control, "nobody", request, &out, NULL),
                         OX_ENOTFOUND);
        json_decref(request);
    }
    assert_null(out);
    assert_int_equal(ox_control_device(fixture->control, "d", &out, NULL), OX_OK);
    assert_int_equal(json_object_size(at(out, "tags")), 0);
    json_decref(out);
}

static void device__tags_have_a_size_in_all(void **state)
{
    struct fixture *fixture = *state;
    char *value = calloc(1, 16000);
    json_t *request;
    json_t *out = NULL;

    device(fixture, "d");
    memset(value, 'x', 10000);
    request = json_pack("{s:{s:s}}", "tags", "a", value);
    assert_int_equal(ox_control_device_edit(fixture->control, "d", request, &out, NULL), OX_OK);
    json_decref(out);
    out = NULL;
    json_decref(request);
    request = json_pack("{s:{s:s}}", "tags", "b", value);
    assert_int_equal(ox_control_device_edit(fixture->control, "d", request, &out, NULL), OX_EINVAL);
    assert_null(out);
    json_decref(request);
    free(value);
}

static void fleet__by_filter_follows_its_devices(void **state)
{
    struct fixture *fixture = *state;
    uint64_t devices = 0;

    four_devices(fixture);
    assert_int_equal(make(fixture, "graz", "tag.site = graz", &devices, NULL), OX_OK);
    assert_int_equal(devices, 2);
    assert_holds(fixture, "graz", "d0 d1");
    json_decref(edit_device(fixture, "d1", "{\"tags\":{\"site\":null}}"));
    json_decref(edit_device(fixture, "d3", "{\"tags\":{\"site\":\"graz\"}}"));
    assert_holds(fixture, "graz", "d0 d3");
    restart(fixture);
    assert_holds(fixture, "graz", "d0 d3");
}

static void fleet__by_filter_takes_no_devices_by_hand(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    four_devices(fixture);
    assert_int_equal(make(fixture, "graz", "tag.site = graz", NULL, NULL), OX_OK);
    assert_int_equal(ox_control_fleet_add(fixture->control, "graz", "d3", &out, NULL),
                     OX_ECONFLICT);
    assert_int_equal(ox_control_fleet_remove(fixture->control, "graz", "d0", &out, NULL),
                     OX_ECONFLICT);
    assert_holds(fixture, "graz", "d0 d1");
}

static void fleet__refuses_filters_that_cannot_be_asked(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;
    json_t *out = NULL;

    four_devices(fixture);
    assert_int_equal(make(fixture, "x", "tag.site ==", NULL, &err), OX_EINVAL);
    assert_memory_equal(err.msg, "the filter at column 11", 23);
    assert_int_equal(make(fixture, "x", "fleet = x or fleet = y", NULL, &err), OX_EINVAL);
    assert_int_equal(make(fixture, "x", "fleet = x", NULL, &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, "leads back to fleet x itself"));
    assert_int_equal(ox_control_fleet(fixture->control, "x", true, &out, NULL), OX_ENOTFOUND);
    /* a new fleet that makes an old one ask for itself */
    assert_int_equal(make(fixture, "all-eu", "fleet ~ 'eu-*'", NULL, &err), OX_OK);
    assert_int_equal(make(fixture, "eu-1", "id = d0", NULL, &err), OX_OK);
    assert_holds(fixture, "all-eu", "d0");
    assert_int_equal(make(fixture, "eu-2", "fleet = all-eu", NULL, &err), OX_EINVAL);
    assert_holds(fixture, "all-eu", "d0");
}

static void fleet__turns_into_a_filter_and_back(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;

    four_devices(fixture);
    assert_int_equal(change(fixture, "f", "{\"filter\":\"tag.site = graz\"}", &err), OX_ECONFLICT);
    assert_non_null(strstr(err.msg, "(4)"));
    assert_holds(fixture, "f", "d0 d1 d2 d3");
    assert_int_equal(
        change(fixture, "f", "{\"filter\":\"tag.site = graz\",\"replace_list\":true}", NULL),
        OX_OK);
    assert_holds(fixture, "f", "d0 d1");
    assert_int_equal(change(fixture, "f", "{\"filter\":\"id = d3\"}", NULL), OX_OK);
    assert_holds(fixture, "f", "d3");
    assert_int_equal(change(fixture, "f", "{\"name\":\"F\"}", NULL), OX_OK);
    assert_holds(fixture, "f", "d3");
    assert_int_equal(change(fixture, "f", "{\"filter\":null}", NULL), OX_OK);
    assert_holds(fixture, "f", "d3");
    json_decref(edit_device(fixture, "d3", "{\"name\":\"other\"}"));
    assert_int_equal(change(fixture, "f", "{\"filter\":null}", NULL), OX_OK); /* again is fine */
    assert_holds(fixture, "f", "d3");
    assert_int_equal(change(fixture, "nowhere", "{}", NULL), OX_ENOTFOUND);
    assert_int_equal(change(fixture, "f", "{\"default_strategy\":\"quick\"}", NULL), OX_EINVAL);
    assert_int_equal(change(fixture, "f", "{\"filter\":\"fleet = f\"}", NULL), OX_ECONFLICT);
    assert_int_equal(change(fixture, "f", "{\"filter\":\"fleet = f\",\"replace_list\":true}", NULL),
                     OX_EINVAL);
    assert_holds(fixture, "f", "d3");
}

static void fleet__is_not_removed_under_a_campaign_or_a_filter(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;
    json_t *out = NULL;

    four_devices(fixture);
    publish_two(fixture);
    assert_int_equal(make(fixture, "g", "fleet = f and id = d0", NULL, NULL), OX_OK);
    campaign(fixture, "v2", "canary");
    assert_int_equal(ox_control_fleet_delete(fixture->control, "f", &out, &err), OX_ECONFLICT);
    assert_non_null(strstr(err.msg, fixture->campaign));
    act(fixture, OX_ACTION_ABORT, "aborted");
    assert_int_equal(ox_control_fleet_delete(fixture->control, "f", &out, &err), OX_ECONFLICT);
    assert_int_equal(err.code, OX_ECONFLICT);
    assert_non_null(strstr(err.msg, "fleet g"));
    assert_int_equal(ox_control_fleet_delete(fixture->control, "g", &out, NULL), OX_OK);
    json_decref(out);
    assert_int_equal(ox_control_fleet_delete(fixture->control, "f", &out, NULL), OX_OK);
    json_decref(out);
    assert_int_equal(ox_control_fleet_delete(fixture->control, "f", &out, NULL), OX_ENOTFOUND);
}

/* Heartbeats that change nothing are in memory; filters and counts know of them all the same. */
static void fleet__status_and_filters_are_of_now(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    four_devices(fixture);
    assert_int_equal(make(fixture, "heard", "last_seen > 1m ago", NULL, NULL), OX_OK);
    assert_holds(fixture, "heard", "");
    json_decref(beat(fixture, "d0", "{}"));
    json_decref(beat(fixture, "d1", "{}"));
    assert_holds(fixture, "heard", "d0 d1");
    fixture->now_ms += 600000;
    assert_holds(fixture, "heard", "");
    json_decref(beat(fixture, "d1", "{}")); /* changes nothing: in memory alone */
    assert_holds(fixture, "heard", "d1");
    json_decref(beat(fixture, "d1", "{\"status\":\"error\"}"));
    assert_int_equal(ox_control_fleet_status(fixture->control, "f", &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "total_devices"), 4);
    assert_int_equal(number_at(out, "unknown"), 2);
    assert_int_equal(number_at(out, "offline"), 1);
    assert_int_equal(number_at(out, "error"), 1);
    assert_int_equal(number_at(out, "online"), 0);
    json_decref(out);
    assert_int_equal(ox_control_fleet_status(fixture->control, "heard", &out, NULL), OX_OK);
    assert_int_equal(number_at(out, "total_devices"), 1);
    assert_int_equal(number_at(out, "error"), 1);
    json_decref(out);
}

static void campaign__takes_who_passes_when_it_starts(void **state)
{
    struct fixture *fixture = *state;

    four_devices(fixture);
    publish_two(fixture);
    assert_int_equal(
        change(fixture, "f", "{\"filter\":\"tag.site = graz\",\"replace_list\":true}", NULL),
        OX_OK);
    campaign(fixture, "v2", "all_at_once");
    assert_int_equal(campaign_number(fixture, "summary.total"), 2);
    json_decref(edit_device(fixture, "d3", "{\"tags\":{\"site\":\"graz\"}}"));
    assert_int_equal(campaign_number(fixture, "summary.total"), 2);
}

/* A campaign of v2 that is complete at once: d0, the only one to pass, runs it. */
static void complete_campaign(struct fixture *fixture, const char *filter)
{
    char text[256];

    four_devices(fixture);
    publish_two(fixture);
    (void)snprintf(text, sizeof(text), "{\"filter\":\"%s\",\"replace_list\":true}", filter);
    assert_int_equal(change(fixture, "f", text, NULL), OX_OK);
    json_decref(beat_running(fixture, "d0", "v2"));
    campaign(fixture, "v2", "all_at_once");
    assert_campaign(fixture, "state", "complete");
    assert_int_equal(campaign_number(fixture, "summary.total"), 1);
}

static void late__who_is_tagged_gets_what_the_fleet_is_to_run(void **state)
{
    struct fixture *fixture = *state;

    complete_campaign(fixture, "tag.line = 1 or id = d0");
    json_decref(edit_device(fixture, "d2", "{\"tags\":{\"line\":\"1\"}}"));
    assert_device_state(fixture, "d0", "complete");
    assert_device_state(fixture, "d2", "pending");
    json_decref(beat_running(fixture, "d3", "v2"));
    json_decref(edit_device(fixture, "d3", "{\"tags\":{\"line\":\"1\"}}"));
    assert_device_state(fixture, "d3", "complete");
    json_decref(edit_device(fixture, "d2", "{\"tags\":{\"line\":\"2\"}}")); /* what began stays */
    assert_device_state(fixture, "d2", "pending");
}

/* What is not told by a change of tags is found within half a minute. */
static void late__who_passes_by_what_it_tells_or_by_time_is_found(void **state)
{
    struct fixture *fixture = *state;

    complete_campaign(fixture, "platform.arch = arm or registered < 1h ago or id = d0");
    json_decref(beat(fixture, "d1",
                     "{" AGENT ",\"platform\":{\"arch\":\"arm\",\"os\":\"linux\","
                     "\"cpu_count\":1,\"total_memory_bytes\":1}}"));
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    assert_device_state(fixture, "d1", "pending");
    json_decref(beat_running(fixture, "d3", "v2"));
    fixture->now_ms += (int64_t)2 * 3600 * 1000;
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    assert_device_state(fixture, "d2", "pending");
    assert_device_state(fixture, "d3", "complete");
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK); /* once is enough */
    assert_device_state(fixture, "d2", "pending");
}

static void late__nobody_is_taken_from_a_newer_campaign(void **state)
{
    struct fixture *fixture = *state;
    bool created = false;
    json_t *request;
    json_t *out = NULL;
    char old[64];

    complete_campaign(fixture, "tag.line = 1 or id = d0");
    (void)snprintf(old, sizeof(old), "%s", fixture->campaign);
    assert_int_equal(publish(fixture, "v3", 1, 20, &created), OX_OK);
    fixture->now_ms += 1000;
    request = body("{\"model_id\":\"m\",\"model_version\":\"v3\",\"device_ids\":[\"d2\"]}");
    assert_int_equal(ox_control_campaign_create(fixture->control, request, &out, NULL), OX_OK);
    (void)snprintf(fixture->campaign, sizeof(fixture->campaign), "%s", text_at(out, "campaign_id"));
    json_decref(out);
    json_decref(request);
    json_decref(edit_device(fixture, "d3", "{\"tags\":{\"line\":\"1\"}}"));
    assert_int_equal(change(fixture, "f", "{\"filter\":\"id in (d0, d2, d3)\"}", NULL), OX_OK);
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    assert_device_state(fixture, "d2", "pending"); /* of v3 */
    (void)snprintf(fixture->campaign, sizeof(fixture->campaign), "%s", old);
    assert_device_state(fixture, "d3", "pending");
    assert_int_equal(campaign_number(fixture, "summary.pending"), 1);
}

/* --- lists --- */

static void assert_lists(struct fixture *fixture, const char *fleet_id, const char *filter,
                         const char *wanted)
{
    struct ox_list_query query = {.limit = 2};
    char *cursor = NULL;
    char ids[256] = "";

    if (fleet_id != NULL) {
        query.filters[query.filter_count].name = "fleet";
        query.filters[query.filter_count++].value = fleet_id;
    }
    if (filter != NULL) {
        query.filters[query.filter_count].name = "filter";
        query.filters[query.filter_count++].value = filter;
    }
    do {
        json_t *rows = NULL;
        json_t *row;
        size_t i;

        query.cursor = cursor;
        assert_int_equal(ox_control_devices(fixture->control, &query, &rows, &cursor, NULL), OX_OK);
        free((void *)query.cursor);
        json_array_foreach(rows, i, row)
        {
            (void)snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s%s",
                           ids[0] == '\0' ? "" : " ", text_at(row, "id"));
        }
        json_decref(rows);
    } while (cursor != NULL);
    assert_string_equal(ids, wanted);
}

static void list__pages_by_filter_and_fleets_of_both_kinds(void **state)
{
    struct fixture *fixture = *state;

    four_devices(fixture);
    device(fixture, "e");
    assert_int_equal(make(fixture, "g", "fleet = f and not id = d2", NULL, NULL), OX_OK);
    assert_lists(fixture, NULL, NULL, "d0 d1 d2 d3 e");
    assert_lists(fixture, NULL, "not tag.site = graz", "d2 d3 e");
    assert_lists(fixture, "f", NULL, "d0 d1 d2 d3");
    assert_lists(fixture, "f", "not tag.site = graz", "d2 d3");
    assert_lists(fixture, "g", NULL, "d0 d1 d3");
    assert_lists(fixture, "g", "tag.site = graz", "d0 d1");
    assert_lists(fixture, "nowhere", NULL, "");
    json_decref(beat(fixture, "e", "{}"));
    assert_lists(fixture, NULL, "status = online", "e");
}

static void list__refuses_bad_filters(void **state)
{
    struct fixture *fixture = *state;
    struct ox_list_query query = {
        .limit = 2, .filters = {{"filter", "tag.site ="}}, .filter_count = 1};
    json_t *rows = NULL;
    char *next = NULL;

    assert_int_equal(ox_control_devices(fixture->control, &query, &rows, &next, NULL), OX_EINVAL);
    query.filters[0].value = "fleet = nowhere";
    assert_int_equal(ox_control_devices(fixture->control, &query, &rows, &next, NULL), OX_EINVAL);
    assert_null(rows);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(device__tags_are_set_and_taken_away_one_by_one),
        TEST(device__edit_refuses_what_is_no_tag_and_changes_nothing),
        TEST(device__tags_have_a_size_in_all),
        TEST(fleet__by_filter_follows_its_devices),
        TEST(fleet__by_filter_takes_no_devices_by_hand),
        TEST(fleet__refuses_filters_that_cannot_be_asked),
        TEST(fleet__turns_into_a_filter_and_back),
        TEST(fleet__is_not_removed_under_a_campaign_or_a_filter),
        TEST(fleet__status_and_filters_are_of_now),
        TEST(campaign__takes_who_passes_when_it_starts),
        TEST(late__who_is_tagged_gets_what_the_fleet_is_to_run),
        TEST(late__who_passes_by_what_it_tells_or_by_time_is_found),
        TEST(late__nobody_is_taken_from_a_newer_campaign),
        TEST(list__pages_by_filter_and_fleets_of_both_kinds),
        TEST(list__refuses_bad_filters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Devices that ask and are not known. */
#include "fixture.h"

#include "oxide/control/list.h"
#include "oxide/control/pending.h"
#include "oxide/registry/pending.h"

#define BEAT "{" AGENT ",\"platform\":{\"arch\":\"aarch64\",\"os\":\"Linux\"}}"

static bool knock(struct fixture *fixture, const char *id, struct ox_err *err)
{
    bool registered = false;
    enum ox_code code =
        ox_control_knock(fixture->control, id, "10.0.0.9", BEAT, strlen(BEAT), &registered, err);

    assert_int_equal(code, registered ? OX_OK : OX_ENOTFOUND);
    return registered;
}

static json_t *list(struct fixture *fixture, const char *state)
{
    struct ox_list_query query = {.limit = 1000};
    json_t *rows = NULL;
    char *next = NULL;

    query.filters[0].name = "state";
    query.filters[0].value = state;
    query.filter_count = state != NULL;
    assert_int_equal(ox_control_pending_devices(fixture->control, &query, &rows, &next, NULL),
                     OX_OK);
    free(next);
    return rows;
}

static void assert_listed(struct fixture *fixture, const char *state, size_t count)
{
    json_t *rows = list(fixture, state);

    assert_int_equal(json_array_size(rows), count);
    json_decref(rows);
}

static enum ox_code accept_it(struct fixture *fixture, const char *id, json_t *take_body)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_pending_accept(fixture->control, id, take_body, &out, NULL);

    json_decref(take_body);
    json_decref(out);
    return code;
}

static enum ox_code reject_it(struct fixture *fixture, const char *id)
{
    json_t *out = NULL;
    enum ox_code code = ox_control_pending_reject(fixture->control, id, &out, NULL);

    json_decref(out);
    return code;
}

static void knock__waits_in_the_list_and_is_told_what_to_type(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;
    json_t *rows;

    assert_false(knock(fixture, "cam-9", &err));
    assert_non_null(strstr(err.msg, "oxide device accept cam-9"));
    assert_non_null(strstr(err.msg, "register"));
    rows = list(fixture, NULL);
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(text_at(rows, "0.id"), "cam-9");
    assert_string_equal(text_at(rows, "0.address"), "10.0.0.9");
    assert_string_equal(text_at(rows, "0.agent"), "oxide/0.1.0");
    assert_string_equal(text_at(rows, "0.platform.arch"), "aarch64");
    json_decref(rows);
}

static void knock__is_written_once_a_minute(void **state)
{
    struct fixture *fixture = *state;
    char first[64];
    json_t *rows;

    (void)knock(fixture, "cam-9", NULL);
    rows = list(fixture, NULL);
    (void)snprintf(first, sizeof(first), "%s", text_at(rows, "0.last_seen"));
    json_decref(rows);
    fixture->now_ms += 59000;
    (void)knock(fixture, "cam-9", NULL);
    rows = list(fixture, NULL);
    assert_string_equal(text_at(rows, "0.last_seen"), first);
    json_decref(rows);
    fixture->now_ms += 1000;
    (void)knock(fixture, "cam-9", NULL);
    rows = list(fixture, NULL);
    assert_string_not_equal(text_at(rows, "0.last_seen"), first);
    assert_string_equal(text_at(rows, "0.first_seen"), first);
    json_decref(rows);
}

static void knock__what_is_no_heartbeat_leaves_no_trace(void **state)
{
    struct fixture *fixture = *state;
    bool registered = false;

    assert_int_equal(ox_control_knock(fixture->control, "cam-9", NULL, "[]", 2, &registered, NULL),
                     OX_EINVAL);
    assert_listed(fixture, NULL, 0);
    assert_int_equal(ox_control_knock(fixture->control, "cam-9", NULL, "", 0, &registered, NULL),
                     OX_ENOTFOUND); /* the first generation says nothing */
    assert_listed(fixture, NULL, 1);
}

static void knock__a_flood_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;

    for (int i = 0; i < 300; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "flood-%03d", i);
        (void)knock(fixture, id, &err);
    }
    assert_listed(fixture, NULL, 200);
    fixture->now_ms += 1000; /* twenty more a second */
    for (int i = 300; i < 400; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "flood-%03d", i);
        (void)knock(fixture, id, &err);
    }
    assert_listed(fixture, NULL, 220);
}

static void accept__registers_with_fleet_and_tags(void **state)
{
    struct fixture *fixture = *state;
    json_t *in;
    json_t *out = NULL;

    publish_two(fixture);
    fleet(fixture, "f", 1);
    campaign(fixture, "v1", "all_at_once");
    json_decref(beat_running(fixture, "d0", "v1")); /* complete: f's devices are to run v1 */
    (void)knock(fixture, "cam-9", NULL);
    assert_int_equal(accept_it(fixture, "cam-9", body("{\"fleet_id\":\"nope\"}")), OX_ENOTFOUND);
    assert_int_equal(accept_it(fixture, "cam-9", body("{\"tags\":{\"a\":1}}")), OX_EINVAL);
    in = body("{\"id\":\"graz\",\"filter\":\"tag.site = graz\"}");
    assert_int_equal(ox_control_fleet_create(fixture->control, in, &out, NULL), OX_OK);
    json_decref(in);
    json_decref(out);
    out = NULL;
    assert_int_equal(accept_it(fixture, "cam-9", body("{\"fleet_id\":\"graz\"}")), OX_ECONFLICT);
    assert_listed(fixture, NULL, 1);
    assert_int_equal(
        accept_it(fixture, "cam-9", body("{\"fleet_id\":\"f\",\"tags\":{\"site\":\"graz\"}}")),
        OX_OK);
    assert_listed(fixture, NULL, 0);
    assert_int_equal(ox_control_device(fixture->control, "cam-9", &out, NULL), OX_OK);
    assert_string_equal(text_at(out, "tags.site"), "graz");
    assert_string_equal(text_at(out, "fleets.0"), "f");
    json_decref(out);
    out = beat(fixture, "cam-9", "{" AGENT ",\"models\":[]}");
    assert_string_equal(text_at(out, "assignments.0.model_version"), "v1");
    json_decref(out);
    assert_int_equal(accept_it(fixture, "cam-9", body("{}")), OX_ECONFLICT);
    assert_int_equal(accept_it(fixture, "cam-8", body("{}")), OX_ENOTFOUND);
}

static void reject__is_not_shown_again_until_it_is_accepted(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(reject_it(fixture, "cam-9"), OX_ENOTFOUND);
    (void)knock(fixture, "cam-9", NULL);
    assert_int_equal(reject_it(fixture, "cam-9"), OX_OK);
    fixture->now_ms += 3600 * 1000;
    assert_false(knock(fixture, "cam-9", &err));
    assert_null(strstr(err.msg, "waits"));
    assert_listed(fixture, NULL, 0);
    assert_listed(fixture, "rejected", 1);
    assert_int_equal(accept_it(fixture, "cam-9", body("{}")), OX_OK);
    assert_listed(fixture, "rejected", 0);
}

static void register__takes_it_off_the_list(void **state)
{
    struct fixture *fixture = *state;

    (void)knock(fixture, "cam-9", NULL);
    device(fixture, "cam-9");
    assert_listed(fixture, NULL, 0);
    assert_true(knock(fixture, "cam-9", NULL)); /* it was registered a moment ago */
}

static void auto__lets_in_who_asks_but_not_who_was_rejected(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    (void)knock(fixture, "cam-8", NULL);
    (void)knock(fixture, "cam-9", NULL);
    assert_int_equal(reject_it(fixture, "cam-9"), OX_OK);
    fixture->accept_unknown = true;
    restart(fixture);
    assert_true(knock(fixture, "cam-7", NULL));
    assert_true(knock(fixture, "cam-8", NULL));
    assert_false(knock(fixture, "cam-9", NULL));
    assert_listed(fixture, NULL, 0);
    assert_int_equal(ox_control_device(fixture->control, "cam-7", &out, NULL), OX_OK);
    json_decref(out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(knock__waits_in_the_list_and_is_told_what_to_type),
        TEST(knock__is_written_once_a_minute),
        TEST(knock__what_is_no_heartbeat_leaves_no_trace),
        TEST(knock__a_flood_is_bounded),
        TEST(accept__registers_with_fleet_and_tags),
        TEST(reject__is_not_shown_again_until_it_is_accepted),
        TEST(register__takes_it_off_the_list),
        TEST(auto__lets_in_who_asks_but_not_who_was_rejected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

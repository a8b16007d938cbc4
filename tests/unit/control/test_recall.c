/* Heartbeats that are answered from memory: what is told is what the long way tells. */
#include "fixture.h"

#include "oxide/base/random.h"

static char *again(struct fixture *fixture, const char *id, const char *text)
{
    char *answer = NULL;

    return ox_control_heartbeat_again(fixture->control, id, text, strlen(text), &answer) ? answer
                                                                                         : NULL;
}

static char *long_way(struct fixture *fixture, const char *id, const char *text)
{
    char *answer = NULL;

    assert_int_equal(
        ox_control_heartbeat(fixture->control, id, NULL, text, strlen(text), &answer, NULL), OX_OK);
    return answer;
}

static bool is_recalled(struct fixture *fixture, const char *id, const char *text)
{
    char *answer = again(fixture, id, text);

    free(answer);
    return answer != NULL;
}

/* Say it until it is known. */
static void settle(struct fixture *fixture, const char *id, const char *text)
{
    for (unsigned i = 0; i < 3; i++) {
        free(long_way(fixture, id, text));
    }
    assert_true(is_recalled(fixture, id, text));
}

static const char online[] = "{" AGENT ",\"status\":\"online\"}";

static void recall__answers_what_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    char *first;
    char *second;

    device(fixture, "d0");
    assert_false(is_recalled(fixture, "d0", online));
    settle(fixture, "d0", online);
    first = again(fixture, "d0", online);
    second = long_way(fixture, "d0", online);
    assert_string_equal(first, second);
    free(first);
    free(second);
    assert_false(is_recalled(fixture, "d0", "{" AGENT ",\"status\":\"error\"}"));
    assert_false(is_recalled(fixture, "d1", online));
}

static void recall__knows_the_whole_and_the_short_heartbeat(void **state)
{
    struct fixture *fixture = *state;
    static const char whole[] = "{" AGENT ",\"status\":\"online\",\"models\":[]}";

    device(fixture, "d0");
    settle(fixture, "d0", whole);
    settle(fixture, "d0", online);
    assert_true(is_recalled(fixture, "d0", whole));
}

static void recall__takes_in_metrics_and_the_time(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    device(fixture, "d0");
    settle(fixture, "d0", "{" AGENT ",\"metrics\":{\"uptime_secs\":1}}");
    fixture->now_ms += 5000;
    assert_true(is_recalled(fixture, "d0", "{" AGENT ",\"metrics\":{\"uptime_secs\":6}}"));
    /* broken ones are for the long way to refuse */
    assert_false(is_recalled(fixture, "d0", "{" AGENT ",\"metrics\":{\"uptime_secs\":}}"));
    assert_false(is_recalled(fixture, "d0", "{" AGENT ",\"metrics\":{\"a\":1,\"a\":1}}"));
    for (unsigned i = 0; i < 2; i++) { /* in memory, then written */
        assert_int_equal(ox_control_device(fixture->control, "d0", &out, NULL), OX_OK);
        assert_int_equal(number_at(out, "metrics.uptime_secs"), 6);
        assert_string_equal(text_at(out, "last_heartbeat"), "2023-11-14T22:13:25.000Z");
        json_decref(out);
        restart(fixture);
    }
}

static void recall__remembers_that_a_result_was_repeated(void **state)
{
    struct fixture *fixture = *state;
    static const char failed[] = "{\"current_model\":\"m\",\"current_model_version\":\"v1\","
                                 "\"last_update_result\":{\"failed\":{\"error\":\"no\"}}}";
    static const char quiet[] = "{\"current_model\":\"m\",\"current_model_version\":\"v1\"}";

    publish_two(fixture);
    fleet(fixture, "f", 1);
    settle(fixture, "d0", failed);
    settle(fixture, "d0", quiet);
    assert_true(is_recalled(fixture, "d0", failed)); /* said again, so it is no new failure */
    campaign(fixture, "v2", "all_at_once");
    make_deltas(fixture);
    tick(fixture, 10);
    free(long_way(fixture, "d0", failed));
    assert_device_state(fixture, "d0", "pending");
}

static void recall__ends_with_any_change(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    publish_two(fixture);
    fleet(fixture, "f", 2);
    settle(fixture, "d0", online);
    settle(fixture, "d1", online);
    device(fixture, "d0"); /* the same again: no change */
    assert_true(is_recalled(fixture, "d0", online));
    assert_int_equal(ox_control_fleet_remove(fixture->control, "f", "d0", &out, NULL), OX_OK);
    json_decref(out); /* of one device */
    assert_false(is_recalled(fixture, "d0", online));
    assert_true(is_recalled(fixture, "d1", online));
    settle(fixture, "d0", online);
    assert_int_equal(ox_control_fleet_add(fixture->control, "f", "d0", &out, NULL), OX_OK);
    json_decref(out);
    settle(fixture, "d0", online);
    campaign(fixture, "v2", "all_at_once"); /* of all */
    assert_false(is_recalled(fixture, "d0", online));
    free(long_way(fixture, "d0", online)); /* an open place: time may tell it another thing */
    free(long_way(fixture, "d0", online));
    assert_false(is_recalled(fixture, "d0", online));
    act(fixture, OX_ACTION_ABORT, "aborted");
    settle(fixture, "d0", online);
    assert_int_equal(ox_control_device_remove(fixture->control, "d0", &out, NULL), OX_OK);
    json_decref(out);
    assert_false(is_recalled(fixture, "d0", online));
}

static void recall__ends_in_time(void **state)
{
    struct fixture *fixture = *state;

    device(fixture, "d0");
    settle(fixture, "d0", online);
    fixture->now_ms += 10 * 60 * 1000 - 1;
    assert_true(is_recalled(fixture, "d0", online));
    fixture->now_ms += 1;
    assert_false(is_recalled(fixture, "d0", online));
    settle(fixture, "d0", online);
    fixture->now_ms -= 1000; /* a clock that was set back */
    assert_false(is_recalled(fixture, "d0", online));
}

/* --- whatever happens --- */

#define DEVICES 6
#define STEPS 1500

struct world {
    struct fixture *fixture;
    struct ox_rng rng;
    unsigned published;
    unsigned recalled;
    unsigned seq;
    char digest[5][OX_DIGEST_HEX_MAX];
};

static unsigned draw(struct world *world, unsigned bound)
{
    return (unsigned)ox_rng_below(&world->rng, bound);
}

static void compare(struct world *world, const char *id, const char *text)
{
    struct fixture *fixture = world->fixture;
    char *recalled = again(fixture, id, text);
    json_t *before = fixture->campaign[0] == '\0' ? NULL : show(fixture);
    char *told = NULL;
    enum ox_code code =
        ox_control_heartbeat(fixture->control, id, NULL, text, strlen(text), &told, NULL);

    if (recalled != NULL) {
        json_t *after = fixture->campaign[0] == '\0' ? NULL : show(fixture);

        assert_int_equal(code, OX_OK);
        assert_string_equal(recalled, told);
        assert_true(before == NULL || json_equal(before, after));
        json_decref(after);
        world->recalled++;
    }
    json_decref(before);
    free(recalled);
    free(told);
}

static void say_something(struct world *world, const char *id)
{
    static const char *const results[] = {"", ",\"last_update_result\":\"success\"",
                                          ",\"last_update_result\":{\"failed\":{\"error\":\"x\"}}"};
    unsigned version = draw(world, world->published) + 1;
    char text[1024];

    switch (draw(world, 6)) {
    case 0:
        (void)snprintf(text, sizeof(text),
                       "{\"current_model\":\"m\",\"current_model_version\":\"v%u\"%s,"
                       "\"metrics\":{\"uptime_secs\":%u}}",
                       version, results[draw(world, 3)], draw(world, 100));
        break;
    case 1:
        (void)snprintf(text, sizeof(text),
                       "{" AGENT ",\"reports\":[{\"seq\":%u,\"campaign_id\":\"%s\","
                       "\"model_id\":\"m\",\"model_version\":\"v%u\",\"state\":\"%s\"}]}",
                       ++world->seq,
                       world->fixture->campaign[0] == '\0' ? "c" : world->fixture->campaign,
                       version, draw(world, 2) == 0 ? "complete" : "downloading");
        break;
    case 2:
        (void)snprintf(text, sizeof(text),
                       "{" AGENT ",\"status\":\"online\",\"models\":[{\"id\":\"m\",\"version\":"
                       "\"v%u\",\"digest\":\"%s\"}]}",
                       version, world->digest[version]);
        break;
    default: /* mostly the same again */
        (void)snprintf(text, sizeof(text), "{" AGENT ",\"status\":\"online\"}");
        break;
    }
    compare(world, id, text);
}

static void publish_next(struct world *world)
{
    char version[8];
    bool created = false;

    world->published++;
    (void)snprintf(version, sizeof(version), "v%u", world->published);
    assert_int_equal(publish(world->fixture, version, 1, 7 * world->published, &created), OX_OK);
    memcpy(world->digest[world->published], digest_hex(world->fixture, version), OX_DIGEST_HEX_MAX);
}

/* The fleet may have no devices, which is refused. */
static void try_campaign(struct fixture *fixture, const char *version, const char *strategy)
{
    json_t *in = body("{\"model_id\":\"m\",\"model_version\":\"%s\",\"fleet_id\":\"f\","
                      "\"strategy\":\"%s\"}",
                      version, strategy);
    json_t *out = NULL;

    if (ox_control_campaign_create(fixture->control, in, &out, NULL) == OX_OK) {
        (void)snprintf(fixture->campaign, sizeof(fixture->campaign), "%s",
                       text_at(out, "campaign_id"));
    }
    json_decref(in);
    json_decref(out);
}

static void change_something(struct world *world, const char *id)
{
    static const char *const strategies[] = {"all_at_once", "rolling", "canary"};
    struct fixture *fixture = world->fixture;
    json_t *out = NULL;
    char version[8];

    switch (draw(world, 12)) {
    case 0:
        device(fixture, id);
        break;
    case 1:
        if (ox_control_device_remove(fixture->control, id, &out, NULL) == OX_OK) {
            json_decref(out);
        }
        device(fixture, id);
        break;
    case 2:
        if (ox_control_fleet_add(fixture->control, "f", id, &out, NULL) == OX_OK) {
            json_decref(out);
        }
        break;
    case 3:
        (void)snprintf(version, sizeof(version), "v%u", draw(world, world->published) + 1);
        try_campaign(fixture, version, strategies[draw(world, 3)]);
        break;
    case 4:
        if (fixture->campaign[0] != '\0' &&
            ox_control_campaign_act(fixture->control, fixture->campaign,
                                    (enum ox_campaign_action)draw(world, 3), &out, NULL) == OX_OK) {
            json_decref(out);
        }
        break;
    case 5:
        tick(fixture, draw(world, 2) == 0 ? 10 : 600);
        break;
    case 6:
        make_deltas(fixture);
        break;
    case 7:
        if (world->published < 4 && draw(world, 8) == 0) {
            publish_next(world);
        }
        break;
    case 8:
        if (fixture->campaign[0] != '\0' &&
            ox_control_campaign_retry(fixture->control, fixture->campaign, NULL, &out, NULL) ==
                OX_OK) {
            json_decref(out);
        }
        break;
    case 9:
        if (fixture->campaign[0] != '\0' &&
            ox_control_campaign_revert(fixture->control, fixture->campaign, &out, NULL) == OX_OK) {
            json_decref(out);
        }
        break;
    case 10:
        if (ox_control_quarantine_free(fixture->control, id, NULL, &out, NULL) == OX_OK) {
            json_decref(out);
        }
        break;
    case 11:
        if (draw(world, 8) == 0) {
            restart(fixture);
        }
        break;
    default:
        break;
    }
}

static void recall__says_what_the_long_way_says(void **state)
{
    struct fixture *fixture = *state;
    struct world world = {.fixture = fixture};

    fixture->delta_effort = 1;
    restart(fixture);
    publish_next(&world);
    fleet(fixture, "f", DEVICES);
    for (unsigned i = 0; i < STEPS; i++) {
        char id[8];

        ox_rng_init(&world.rng, i);
        (void)snprintf(id, sizeof(id), "d%u", draw(&world, DEVICES));
        if (draw(&world, 10) == 0) {
            change_something(&world, id);
        } else {
            say_something(&world, id);
        }
    }
    assert_true(world.recalled > STEPS / 20); /* or nothing was compared */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(recall__answers_what_changes_nothing),
        TEST(recall__knows_the_whole_and_the_short_heartbeat),
        TEST(recall__takes_in_metrics_and_the_time),
        TEST(recall__remembers_that_a_result_was_repeated),
        TEST(recall__ends_with_any_change),
        TEST(recall__ends_in_time),
        TEST(recall__says_what_the_long_way_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

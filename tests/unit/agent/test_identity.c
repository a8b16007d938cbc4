/* Which installation an agent is, and what a control plane calls it. */
#include "helpers.h"

#include "../../../src/agent/beat.h"
#include "oxide/base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OTHER "0123456789abcdef0123456789abcdef"

static void open_plain(struct world *world)
{
    struct ox_journal journal = {0};
    bool pending = false;

    open_agent(world, &journal, &pending);
    ox_journal_clear(&journal);
}

/* The identity that the agent opens with. */
static struct ox_identity identity_of(struct world *world)
{
    struct ox_identity identity;

    open_plain(world);
    identity = world->agent.identity;
    close_agent(world);
    return identity;
}

static void say(struct world *world, const char *more)
{
    (void)pthread_mutex_lock(&world->lock);
    (void)snprintf(world->more, sizeof(world->more), "%s", more);
    (void)pthread_mutex_unlock(&world->lock);
}

/* One heartbeat of an agent that is open; what it said is in world->beat_body. */
static void beat_once(struct world *world, struct ox_beat *beat, bool updating)
{
    struct ox_heartbeat_answer answer = {0};
    struct ox_err err = OX_ERR_INIT;

    if (ox_beat_send(beat, &world->agent, updating, &answer, &err) != OX_OK) {
        fail_msg("%s", err.msg);
    }
    ox_heartbeat_answer_clear(&answer);
}

static struct ox_beat new_beat(void)
{
    struct ox_beat beat = {.poll_ms = 900000};

    assert_int_equal(ox_http_new(&beat.http, "test", NULL), OX_OK);
    return beat;
}

static void identity__is_drawn_once_and_each_start_is_another(void **state)
{
    struct ox_identity first = identity_of(*state);
    struct ox_identity second = identity_of(*state);

    assert_int_equal(strlen(first.instance), OX_INSTANCE_HEX);
    assert_int_equal(strlen(first.start), OX_START_HEX);
    assert_string_equal(first.instance, second.instance);
    assert_string_not_equal(first.start, second.start);
    assert_string_equal(first.device_id, "cam-01");
}

static void identity__of_an_older_release_is_made_and_its_models_stay(void **state)
{
    struct world *world = *state;
    struct ox_identity identity;
    char *path = at(world, ".oxide/identity.json");

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_int_equal(ox_remove_tree(path, NULL), OX_OK);
    free(path);
    identity = identity_of(world);
    assert_int_equal(strlen(identity.instance), OX_INSTANCE_HEX);
    assert_true(is_active(world, &world->v1));
    assert_true(exists(world, ".oxide/identity.json"));
}

static void identity__survives_a_damaged_state(void **state)
{
    struct world *world = *state;
    struct ox_identity first = identity_of(world);

    write_file(world, ".oxide/state.json", "{\"format\":");
    assert_string_equal(identity_of(world).instance, first.instance);
}

static void identity__that_is_damaged_is_drawn_anew(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "{\"format\":2,\"instance\":\"" OTHER "\",\"device_id\":\"a\",\"configured_id\":\"a\"}",
        "{\"format\":1,\"instance\":\"0\",\"device_id\":\"a\",\"configured_id\":\"a\"}",
        "{\"format\":1,\"instance\":\"" OTHER "\",\"device_id\":\"../a\",\"configured_id\":\"a\"}",
        "{\"format\":1,\"instance\":\"" OTHER "\",\"device_id\":\"a\"}",
    };
    struct world *world = *state;

    (void)identity_of(world); /* makes the folders */
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ox_identity identity;

        write_file(world, ".oxide/identity.json", bad[i]);
        identity = identity_of(world);
        assert_string_not_equal(identity.instance, OTHER);
        assert_string_equal(identity.device_id, "cam-01");
        assert_string_equal(identity_of(world).instance, identity.instance); /* and kept */
    }
}

static void beat__tells_the_installation_always_and_the_facts_at_first(void **state)
{
    struct world *world = *state;
    struct ox_beat beat = new_beat();
    char expected[128];

    open_plain(world);
    (void)snprintf(expected, sizeof(expected), "\"instance\":\"%s\",\"start\":\"%s\"",
                   world->agent.identity.instance, world->agent.identity.start);
    beat_once(world, &beat, false);
    assert_non_null(strstr(world->beat_body, expected));
    assert_non_null(strstr(world->beat_body, "\"poll_interval_s\":900"));
    assert_non_null(strstr(world->beat_body, "\"utc_offset_s\":"));
    assert_non_null(strstr(world->beat_body, "\"disk\":{\"free_bytes\":"));
    beat_once(world, &beat, false);
    assert_non_null(strstr(world->beat_body, expected));
    assert_null(strstr(world->beat_body, "\"disk\""));
    say(world, ",\"resend\":true");
    beat_once(world, &beat, false);
    beat_once(world, &beat, false);
    assert_non_null(strstr(world->beat_body, "\"disk\""));
    assert_non_null(strstr(world->beat_body, "\"models\""));
    ox_beat_clear(&beat);
}

static void beat__tells_the_offset_of_the_local_time_anew_once_it_is_another(void **state)
{
    struct world *world = *state;
    struct ox_beat beat = new_beat();

    assert_int_equal(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
    tzset();
    open_plain(world);
    say(world, ",\"time\":1767225600000"); /* 2026-01-01: winter */
    beat_once(world, &beat, false);
    beat_once(world, &beat, false); /* says the winter's, if the first said another one */
    beat_once(world, &beat, false);
    assert_null(strstr(world->beat_body, "\"utc_offset_s\""));
    say(world, ",\"time\":1782864000000"); /* 2026-07-01: summer */
    beat_once(world, &beat, false);
    assert_null(strstr(world->beat_body, "\"utc_offset_s\""));
    beat_once(world, &beat, false);
    assert_non_null(strstr(world->beat_body, "\"utc_offset_s\":7200"));
    beat_once(world, &beat, false);
    assert_null(strstr(world->beat_body, "\"utc_offset_s\""));
    ox_beat_clear(&beat);
}

static void beat__a_copy_takes_the_instance_that_it_is_given(void **state)
{
    struct world *world = *state;
    struct ox_beat beat = new_beat();

    open_plain(world);
    say(world, ",\"instance\":\"" OTHER "\"");
    beat_once(world, &beat, false);
    say(world, "");
    beat_once(world, &beat, false);
    assert_non_null(strstr(world->beat_body, "\"instance\":\"" OTHER "\""));
    assert_non_null(strstr(world->beat_body, "\"models\"")); /* it says all again */
    close_agent(world);
    assert_string_equal(identity_of(world).instance, OTHER);
    ox_beat_clear(&beat);
}

static void beat__a_device_keeps_the_name_that_it_is_given(void **state)
{
    struct world *world = *state;
    struct ox_beat beat = new_beat();

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    open_plain(world);
    assert_int_equal(world->agent.state.reports_count > 0, true);
    say(world, ",\"device_id\":\"cam-02\"");
    beat_once(world, &beat, true);
    assert_string_equal(world->agent.identity.device_id, "cam-01"); /* not during an update */
    beat_once(world, &beat, false);
    assert_int_equal(world->agent.state.reports_count, 0); /* they were cam-01's */
    say(world, "");
    beat_once(world, &beat, false);
    assert_non_null(strstr(world->beat_path, "/devices/cam-02/heartbeat"));
    assert_non_null(strstr(world->beat_body, "\"version\":\"v1\""));
    close_agent(world);
    open_plain(world); /* the command line still says cam-01 */
    assert_string_equal(world->agent.identity.device_id, "cam-02");
    assert_string_equal(world->agent.state.device_id, "cam-02");
    close_agent(world);
    assert_true(is_active(world, &world->v1));
    world->options.device_id = "cam-03"; /* a name that an operator has given since counts */
    assert_string_equal(identity_of(world).device_id, "cam-03");
    world->options.device_id = "cam-01";
    assert_string_equal(identity_of(world).device_id, "cam-01");
    ox_beat_clear(&beat);
}

static void beat__a_rename_that_was_cut_short_is_finished(void **state)
{
    struct world *world = *state;
    struct ox_identity identity = identity_of(world);
    char *path = at(world, ".oxide/identity.json");
    bool changed = false;

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    /* The identity is on disk, the state is not: as after a power cut between the two. */
    assert_int_equal(ox_identity_take(&identity, path, "cam-02", "", &changed, NULL), OX_OK);
    free(path);
    assert_true(changed);
    open_plain(world);
    assert_string_equal(world->agent.state.device_id, "cam-02");
    assert_int_equal(world->agent.state.reports_count, 0);
    close_agent(world);
    assert_true(is_active(world, &world->v1));
}

static void beat__what_cannot_be_kept_is_not_taken(void **state)
{
    struct world *world = *state;
    struct ox_identity identity = identity_of(world);
    struct ox_identity before = identity;
    bool changed = false;

    assert_int_not_equal(ox_identity_take(&identity, "/no/such/folder/identity.json", "cam-02",
                                          OTHER, &changed, NULL),
                         OX_OK);
    assert_memory_equal(&identity, &before, sizeof(identity));
}

static void let_beats_hang(struct world *world, bool hang)
{
    (void)pthread_mutex_lock(&world->lock);
    world->beat_hangs = hang;
    (void)pthread_mutex_unlock(&world->lock);
}

static void beat__one_that_comes_to_no_end_is_given_up(void **state)
{
    struct world *world = *state;
    struct ox_beat beat = new_beat();
    struct ox_heartbeat_answer answer = {0};

    beat.total_ms = 300;
    open_plain(world);
    let_beats_hang(world, true);
    assert_int_equal(ox_beat_send(&beat, &world->agent, false, &answer, NULL), OX_ETIMEOUT);
    let_beats_hang(world, false);
    beat_once(world, &beat, false);
    ox_beat_clear(&beat);
}

static void beat__a_refusal_says_when_to_come_back(void **state)
{
    struct world *world = *state;
    struct ox_beat beat = new_beat();
    struct ox_heartbeat_answer answer = {0};

    open_plain(world);
    world->beat_status = 429;
    world->retry_after = "90";
    assert_int_equal(ox_beat_send(&beat, &world->agent, false, &answer, NULL), OX_ENET);
    assert_int_equal(beat.rest_s, 90);
    world->beat_status = 0;
    beat_once(world, &beat, false);
    assert_int_equal(beat.rest_s, 0);
    ox_beat_clear(&beat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(identity__is_drawn_once_and_each_start_is_another),
        WITH_WORLD(identity__of_an_older_release_is_made_and_its_models_stay),
        WITH_WORLD(identity__survives_a_damaged_state),
        WITH_WORLD(identity__that_is_damaged_is_drawn_anew),
        WITH_WORLD(beat__tells_the_installation_always_and_the_facts_at_first),
        WITH_WORLD(beat__tells_the_offset_of_the_local_time_anew_once_it_is_another),
        WITH_WORLD(beat__a_copy_takes_the_instance_that_it_is_given),
        WITH_WORLD(beat__a_device_keeps_the_name_that_it_is_given),
        WITH_WORLD(beat__a_rename_that_was_cut_short_is_finished),
        WITH_WORLD(beat__what_cannot_be_kept_is_not_taken),
        WITH_WORLD(beat__one_that_comes_to_no_end_is_given_up),
        WITH_WORLD(beat__a_refusal_says_when_to_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

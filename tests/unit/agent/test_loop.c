/* The whole daemon against a control plane in memory. */
#include "helpers.h"

#include "oxide/base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 20000

struct daemon {
    struct world *world;
    struct ox_log log;
    pthread_t thread;
    enum ox_code code;
};

static void *run(void *arg)
{
    struct daemon *daemon = arg;

    daemon->code = ox_agent_run(&daemon->world->options, &daemon->world->stop, &daemon->log, NULL);
    return NULL;
}

static void start(struct daemon *daemon, struct world *world)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/log", world->dir);
    *daemon = (struct daemon){.world = world};
    daemon->log.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    daemon->log.level = OX_LOG_INFO;
    assert_true(daemon->log.fd >= 0);
    assert_int_equal(pthread_create(&daemon->thread, NULL, run, daemon), 0);
}

static void finish(struct daemon *daemon)
{
    ox_stop_request(&daemon->world->stop);
    assert_int_equal(pthread_join(daemon->thread, NULL), 0);
    assert_int_equal(daemon->code, OX_OK);
    (void)close(daemon->log.fd);
}

/* Is it in the log? */
static bool logged(const struct world *world, const char *words)
{
    static char text[65536];
    char path[128];
    FILE *file;
    size_t len;

    (void)snprintf(path, sizeof(path), "%s/log", world->dir);
    file = fopen(path, "rb");
    assert_non_null(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    (void)fclose(file);
    return strstr(text, words) != NULL;
}

/* Wait until this is the end of what was reported: all of it, or how updates ended. */
static void await(struct world *world, const char *text, size_t cap, const char *ending)
{
    int64_t deadline_ms = ox_clock_system()->mono_ms(NULL) + PATIENCE_MS;
    char seen[sizeof(world->states)];

    do {
        size_t len;

        (void)pthread_mutex_lock(&world->lock);
        (void)snprintf(seen, sizeof(seen), "%.*s", (int)cap, text);
        (void)pthread_mutex_unlock(&world->lock);
        len = strlen(seen);
        if (len >= strlen(ending) && strcmp(seen + len - strlen(ending), ending) == 0) {
            return;
        }
        (void)usleep(10000);
    } while (ox_clock_system()->mono_ms(NULL) < deadline_ms);
    fail_msg("reported: \"%s\", expected at the end: \"%s\"", seen, ending);
}

static void await_state(struct world *world, const char *state)
{
    await(world, world->states, sizeof(world->states), state);
}

static void await_ends(struct world *world, const char *ends)
{
    await(world, world->ends, sizeof(world->ends), ends);
}

static void await_beats(struct world *world, int more)
{
    int64_t deadline_ms = ox_clock_system()->mono_ms(NULL) + PATIENCE_MS;
    int goal = -1;

    for (;;) {
        int beats;

        (void)pthread_mutex_lock(&world->lock);
        beats = world->beats;
        (void)pthread_mutex_unlock(&world->lock);
        goal = goal < 0 ? beats + more : goal;
        if (beats >= goal) {
            return;
        }
        assert_true(ox_clock_system()->mono_ms(NULL) < deadline_ms);
        (void)usleep(10000);
    }
}

/* Let the server assign this, by the text that a real one would build; `window` may be NULL. */
static void assign_within(struct world *world, const struct artifact *artifact, bool with_patch,
                          const char *window)
{
    struct ox_journal journal = assign(world, artifact, with_patch);
    struct ox_assignment *assignment = &journal.assignment;
    struct ox_heartbeat_answer answer = {.assignments = assignment, .assignments_count = 1};
    char *text = NULL;
    char *list;
    char *end;

    if (window != NULL) {
        assert_int_equal(ox_window_parse(window, &assignment->windows[0], NULL), OX_OK);
        assignment->windows_count = 1;
    }
    assert_int_equal(ox_heartbeat_answer_build(&answer, &text, NULL), OX_OK);
    list = strstr(text, "\"assignments\":[") + strlen("\"assignments\":[");
    end = strrchr(list, ']');
    *end = '\0';
    (void)pthread_mutex_lock(&world->lock);
    (void)snprintf(world->answer, sizeof(world->answer), "%s", list);
    (void)pthread_mutex_unlock(&world->lock);
    free(text);
    ox_journal_clear(&journal);
}

static void assign_text(struct world *world, const struct artifact *artifact, bool with_patch)
{
    assign_within(world, artifact, with_patch, NULL);
}

/* What the server's clock says in every answer from now on. */
static void tell_time(struct world *world, long long utc_s)
{
    (void)pthread_mutex_lock(&world->lock);
    (void)snprintf(world->more, sizeof(world->more), ",\"time\":%lld", utc_s * 1000);
    (void)pthread_mutex_unlock(&world->lock);
}

static void assign_nothing(struct world *world)
{
    (void)pthread_mutex_lock(&world->lock);
    world->answer[0] = '\0';
    (void)pthread_mutex_unlock(&world->lock);
}

static void loop__gets_from_nothing_to_v1_to_v2(void **state)
{
    struct world *world = *state;
    struct daemon daemon;

    assign_text(world, &world->v1, false);
    start(&daemon, world);
    await_ends(world, "complete");
    assert_true(is_active(world, &world->v1));
    assign_text(world, &world->v2, true);
    await_ends(world, "complete complete");
    await_beats(world, 4);
    finish(&daemon);
    assert_true(is_active(world, &world->v2));
    /* nothing new: who it is, and no more */
    assert_non_null(strstr(world->brief_beat, "{\"instance\":\""));
    assert_non_null(strstr(world->brief_beat, "\"start\":\""));
    assert_int_equal(strlen(world->brief_beat), 74);
    assert_true(logged(world, "defect@v2: received patch, "));
    assert_true(logged(world, "model active: defect@v2"));
    assert_non_null(strstr(world->first_beat, "\"reads\":\"oxdl/2; ops="));
    assert_non_null(strstr(world->first_beat, "\"platform\":"));
    assert_non_null(strstr(world->first_beat, "\"models\":[]"));
    assert_non_null(strstr(world->beat_body, "\"current_model_version\":\"v2\""));
    assert_null(strstr(world->beat_body, "\"reports\"")); /* all acknowledged */
    assert_null(strstr(world->beat_body, "\"platform\""));
}

static void loop__a_bad_version_is_tried_thrice_and_skipped(void **state)
{
    struct world *world = *state;
    struct daemon daemon;

    assign_text(world, &world->v1, false);
    start(&daemon, world);
    await_ends(world, "complete");
    finish(&daemon);
    ox_stop_clear(&world->stop);
    assert_int_equal(ox_stop_init(&world->stop, NULL), OX_OK);
    world->options.tuning.all.health_check = "exit 1";
    assign_text(world, &world->v2, true);
    start(&daemon, world);
    await_ends(world, "skipped");
    assert_int_equal(failures_of(world, &world->v2), 3);
    await_beats(world, 3);
    finish(&daemon);
    assert_true(is_active(world, &world->v1));
    assert_null(strstr(strstr(world->states, "skipped") + 1, "skipped")); /* told once */
    assert_non_null(strstr(world->beat_body, "\"failed\""));
}

static void loop__an_unregistered_device_is_told_what_to_type(void **state)
{
    struct world *world = *state;
    struct daemon daemon;

    world->beat_status = 404;
    start(&daemon, world);
    await_beats(world, 2);
    finish(&daemon);
    assert_true(logged(world, "oxide device register cam-01"));
}

static void loop__garbage_answers_change_nothing(void **state)
{
    struct world *world = *state;
    struct daemon daemon;

    (void)snprintf(world->answer, sizeof(world->answer), "{\"model_id\":\"../../etc\"}");
    start(&daemon, world);
    await_beats(world, 2);
    finish(&daemon);
    assert_true(logged(world, "the server's answer to a heartbeat"));
    assert_false(exists(world, "defect"));
}

static void loop__heartbeats_go_on_during_an_update_and_a_withdrawal_ends_it(void **state)
{
    struct world *world = *state;
    struct daemon daemon;

    world->options.tuning.rate_bps = 20000; /* fifteen seconds for the whole */
    assign_text(world, &world->v1, false);
    start(&daemon, world);
    await_state(world, "downloading");
    await_beats(world, 3);
    (void)pthread_mutex_lock(&world->lock);
    assert_non_null(strstr(world->beat_body, "\"updating\""));
    (void)pthread_mutex_unlock(&world->lock);
    assign_nothing(world);
    {
        int64_t deadline_ms = ox_clock_system()->mono_ms(NULL) + PATIENCE_MS;

        while (!logged(world, "withdrawn") && ox_clock_system()->mono_ms(NULL) < deadline_ms) {
            (void)usleep(10000);
        }
    }
    finish(&daemon);
    assert_true(logged(world, "defect@v1 was withdrawn"));
    assert_false(exists(world, "defect/current"));
    assert_false(exists(world, ".oxide/journal.json"));
}

static void loop__stop_acts_at_once_and_the_next_start_goes_on(void **state)
{
    struct world *world = *state;
    struct daemon daemon;
    int64_t asked_ms;

    world->options.tuning.rate_bps = 20000;
    assign_text(world, &world->v1, false);
    start(&daemon, world);
    await_state(world, "downloading");
    await_beats(world, 2);
    asked_ms = ox_clock_system()->mono_ms(NULL);
    finish(&daemon);
    assert_true(ox_clock_system()->mono_ms(NULL) - asked_ms < 2000);
    assert_true(exists(world, ".oxide/journal.json"));
    ox_stop_clear(&world->stop);
    assert_int_equal(ox_stop_init(&world->stop, NULL), OX_OK);
    world->options.tuning.rate_bps = 0;
    start(&daemon, world);
    await_ends(world, "complete");
    finish(&daemon);
    assert_true(is_active(world, &world->v1));
}

/* 2026-01-01T01:00:00Z was a Thursday; whatever the clock of this machine says does not matter. */
static void loop__waits_for_the_window_by_the_servers_clock(void **state)
{
    const long long closed_s = 1767229200;
    struct world *world = *state;
    struct daemon daemon;

    assert_int_equal(setenv("TZ", "UTC0", 1), 0);
    tzset();
    assign_within(world, &world->v1, false, "thu 02:00-03:00");
    tell_time(world, closed_s);
    start(&daemon, world);
    await_beats(world, 3);
    assert_true(logged(world, "defect@v1 waits for its window: it opens in 60 min"));
    assert_false(exists(world, "defect/current"));
    tell_time(world, closed_s + 5400);
    await_ends(world, "complete");
    finish(&daemon);
    assert_true(is_active(world, &world->v1));
}

/* --- a control plane of the first generation --- */

static void assign_first_gen(struct world *world, const char *version)
{
    (void)pthread_mutex_lock(&world->lock);
    (void)snprintf(world->answer, sizeof(world->answer),
                   ",\"assigned_model\":\"defect\",\"assigned_model_version\":\"%s\"", version);
    (void)pthread_mutex_unlock(&world->lock);
}

static void await_log(struct world *world, const char *words)
{
    int64_t deadline_ms = ox_clock_system()->mono_ms(NULL) + PATIENCE_MS;

    while (!logged(world, words)) {
        assert_true(ox_clock_system()->mono_ms(NULL) < deadline_ms);
        (void)usleep(10000);
    }
}

static void first_gen__by_full_file_and_then_by_its_delta(void **state)
{
    struct world *world = *state;
    struct daemon daemon;

    world->first_gen = true;
    assign_first_gen(world, "v1");
    start(&daemon, world);
    await_log(world, "model active: defect@v1");
    assert_true(is_active(world, &world->v1));
    (void)pthread_mutex_lock(&world->lock);
    world->blob_bytes = 0;
    (void)pthread_mutex_unlock(&world->lock);
    assign_first_gen(world, "v2");
    await_log(world, "model active: defect@v2");
    await_beats(world, 2);
    finish(&daemon);
    assert_true(is_active(world, &world->v2));
    assert_int_equal(world->blob_bytes, world->patch_bytes);
    assert_non_null(strstr(world->beat_body, "\"last_update_result\":\"success\""));
    assert_null(strstr(world->beat_body, "\"reports\"")); /* no one there takes them */
}

static void first_gen__a_delta_that_does_not_fit_means_the_whole_file(void **state)
{
    struct world *world = *state;
    struct daemon daemon;

    world->first_gen = true;
    assign_first_gen(world, "v1");
    start(&daemon, world);
    await_log(world, "model active: defect@v1");
    (void)pthread_mutex_lock(&world->lock);
    world->patch = put_blob(world, "OXDL no delta", 13);
    (void)pthread_mutex_unlock(&world->lock);
    assign_first_gen(world, "v2");
    await_log(world, "model active: defect@v2");
    finish(&daemon);
    assert_true(is_active(world, &world->v2));
    assert_true(logged(world, "the patch does not do"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(loop__gets_from_nothing_to_v1_to_v2),
        WITH_WORLD(loop__a_bad_version_is_tried_thrice_and_skipped),
        WITH_WORLD(loop__an_unregistered_device_is_told_what_to_type),
        WITH_WORLD(loop__garbage_answers_change_nothing),
        WITH_WORLD(loop__heartbeats_go_on_during_an_update_and_a_withdrawal_ends_it),
        WITH_WORLD(loop__stop_acts_at_once_and_the_next_start_goes_on),
        WITH_WORLD(loop__waits_for_the_window_by_the_servers_clock),
        WITH_WORLD(first_gen__by_full_file_and_then_by_its_delta),
        WITH_WORLD(first_gen__a_delta_that_does_not_fit_means_the_whole_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

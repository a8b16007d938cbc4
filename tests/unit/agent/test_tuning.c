/* What the operator sets on the device, and may set anew while the agent runs. */
#include "helpers.h"

#include "../../../src/agent/beat.h"
#include "../../../src/agent/held.h"
#include "../../../src/agent/tuning.h"
#include "oxide/base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PATIENCE_MS 20000

/* A window of an hour that opens in two. */
static struct ox_window closed_window(void)
{
    const struct ox_device_time unknown = {.is_told = false};
    int64_t minute = ox_device_time_local_ms(&unknown, ox_clock_system()) / 60000 % 1440;

    return (struct ox_window){0x7f, (uint16_t)((minute + 120) % 1440),
                              (uint16_t)((minute + 180) % 1440)};
}

static void set(struct ox_tuning_place *place, const struct ox_agent_tuning *next)
{
    struct ox_tuning *tuning = ox_tuning_new();

    assert_non_null(tuning);
    tuning->is = *next;
    ox_tuning_put(place, tuning);
}

/* --- holding --- */

static void count_done(void *owner)
{
    ++*(int *)owner;
}

static void tuning__goes_when_nobody_holds_it(void **state)
{
    struct ox_tuning_place place = {.latest = NULL};
    int done[2] = {0};
    struct ox_agent_tuning first = {.poll_ms = 1, .owner = &done[0], .done = count_done};
    struct ox_agent_tuning second = {.poll_ms = 2, .owner = &done[1], .done = count_done};
    struct ox_tuning *held;

    (void)state;
    assert_int_equal(ox_tuning_open(&place, &first, NULL), OX_OK);
    held = ox_tuning_hold(&place);
    set(&place, &second);
    assert_int_equal(held->is.poll_ms, 1);
    assert_int_equal(done[0], 0);
    ox_tuning_drop(&place, held);
    assert_int_equal(done[0], 1);
    held = ox_tuning_hold(&place);
    assert_int_equal(held->is.poll_ms, 2);
    ox_tuning_drop(&place, held);
    assert_int_equal(done[1], 0);
    ox_tuning_close(&place);
    assert_int_equal(done[1], 1);
}

static void tuning__a_model_has_its_own(void **state)
{
    const struct ox_agent_model_options models[] = {{.model_id = "a", .health_timeout_ms = 1},
                                                    {.model_id = "b", .health_timeout_ms = 2}};
    struct ox_tuning tuning = {
        .is = {.all = {.health_timeout_ms = 3}, .models = models, .models_count = 2}};

    (void)state;
    assert_int_equal(ox_tuning_model(&tuning, "b")->health_timeout_ms, 2);
    assert_int_equal(ox_tuning_model(&tuning, "c")->health_timeout_ms, 3);
}

/* --- one update --- */

/* What the last report says, in fresh memory. */
static char *last_message(struct world *world)
{
    char *path = at(world, ".oxide/state.json");
    struct ox_agent_state kept;
    char *text = NULL;

    assert_int_equal(ox_state_load(&kept, path, NULL), OX_OK);
    assert_int_equal(ox_strdup(&text, kept.reports[kept.reports_count - 1].error_message, NULL),
                     OX_OK);
    ox_state_clear(&kept);
    free(path);
    return text;
}

static void preflight__a_command_refuses_before_anything_is_fetched(void **state)
{
    struct world *world = *state;
    struct ox_err err = OX_ERR_INIT;
    char *message;

    world->options.tuning.all.preflight_command =
        "head -c 5000 /dev/zero | tr '\\0' x; printf '\\nbattery \\377 low\\n'; exit 7";
    assert_int_equal(update_to(world, &world->v1, false, &err), OX_ECONFLICT);
    assert_string_equal(err.msg, "preflight command ended with status 7: battery \xff low");
    assert_last_report(world, "failed preflight");
    assert_int_equal(failures_of(world, &world->v1), 0);
    assert_int_equal(world->blob_requests, 0);
    message = last_message(world);
    assert_int_equal(strlen(message), OX_REPORT_TEXT_MAX);
    assert_non_null(strstr(message, "; it printed: xxx"));
    assert_non_null(strstr(message, "xxx battery ? low"));
    free(message);
    world->options.tuning.all.preflight_command =
        "case \"$OXIDE_MODEL_ID $OXIDE_MODEL_VERSION $OXIDE_MODEL_PATH\" in "
        "'defect v1 '*/defect/versions/v1/model.*) ;; *) exit 1 ;; esac";
    assert_int_equal(update_to(world, &world->v1, false, &err), OX_OK);
}

static void preflight__and_check_are_those_of_the_model(void **state)
{
    struct world *world = *state;
    const struct ox_agent_model_options models[] = {{.model_id = "defect",
                                                     .health_check = "echo of its own; exit 3",
                                                     .health_timeout_ms = 5000,
                                                     .keep = 1}};
    struct ox_err err = OX_ERR_INIT;

    world->options.tuning.all.preflight_command = "exit 1";
    world->options.tuning.models = models;
    world->options.tuning.models_count = 1;
    assert_int_equal(update_to(world, &world->v1, false, &err), OX_EFAILED);
    assert_non_null(strstr(err.msg, "of its own"));
}

static void activate__waits_for_its_window_with_all_that_is_needed(void **state)
{
    struct world *world = *state;
    const struct ox_window window = closed_window();
    struct ox_journal journal = {0};
    struct ox_update *update = NULL;
    bool pending = false;
    int requests;

    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    world->options.tuning.all.activate_windows = &window;
    world->options.tuning.all.activate_windows_count = 1;
    open_agent(world, &journal, &pending);
    journal = assign(world, &world->v2, true);
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    assert_int_equal(ox_update_run(update, NULL), OX_ECANCELED);
    assert_true(update->deferred);
    ox_update_free(update);
    assert_true(is_active(world, &world->v1));
    assert_true(exists(world, "defect/versions/v2"));
    assert_int_equal(failures_of(world, &world->v2), 0);

    requests = world->blob_requests;
    world->options.tuning.all.activate_windows_count = 0;
    set(&world->agent.tuning, &world->options.tuning);
    journal = assign(world, &world->v2, true);
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    assert_int_equal(ox_update_run(update, NULL), OX_OK);
    ox_update_free(update);
    close_agent(world);
    assert_true(is_active(world, &world->v2));
    assert_last_way(world, "delta", world->patch_bytes); /* by which it had come */
    assert_int_equal(world->blob_requests, requests);
    assert_no_litter(world);
}

static void activate__goes_on_after_a_restart_without_fetching_again(void **state)
{
    struct world *world = *state;
    const struct ox_window window = closed_window();
    uint64_t bytes;

    world->options.tuning.all.activate_windows = &window;
    world->options.tuning.all.activate_windows_count = 1;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_ECANCELED);
    bytes = world->blob_bytes;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_ECANCELED);
    assert_true(world->blob_bytes == bytes);
    world->options.tuning.all.activate_windows_count = 0;
    assert_int_equal(update_to(world, &world->v1, false, NULL), OX_OK);
    assert_true(world->blob_bytes == bytes);
    assert_true(is_active(world, &world->v1));
    assert_no_litter(world);
}

static void activate__the_urgent_do_not_wait(void **state)
{
    struct world *world = *state;
    const struct ox_window window = closed_window();
    struct ox_journal journal = {0};
    struct ox_update *update = NULL;
    bool pending = false;

    world->options.tuning.all.activate_windows = &window;
    world->options.tuning.all.activate_windows_count = 1;
    open_agent(world, &journal, &pending);
    journal = assign(world, &world->v1, false);
    journal.assignment.urgent = true;
    assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
    assert_int_equal(ox_update_run(update, NULL), OX_OK);
    ox_update_free(update);
    close_agent(world);
    assert_true(is_active(world, &world->v1));
}

static void held__knows_the_model_and_its_bytes(void **state)
{
    struct ox_held held = {.next = 0};
    struct ox_assignment a = {.model_id = (char *)"a", .digest = {{1}}};
    struct ox_assignment b = {.model_id = (char *)"a", .digest = {{2}}};

    (void)state;
    ox_held_add(&held, &a);
    assert_true(ox_held_has(&held, &a));
    assert_false(ox_held_has(&held, &b));
    ox_held_add(&held, &b);
    assert_false(ox_held_has(&held, &a));
    ox_held_remove(&held, &b);
    assert_false(ox_held_has(&held, &b));
    for (int i = 0; i < 3 * OX_HEARTBEAT_MODELS_MAX; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "m%d", i);
        a.model_id = name;
        ox_held_add(&held, &a);
        assert_true(ox_held_has(&held, &a));
    }
    ox_held_clear(&held);
}

/* --- heartbeats --- */

static void beat__of_a_metered_link_does_not_repeat_itself_after_a_failure(void **state)
{
    struct world *world = *state;
    struct ox_journal journal = {0};
    bool pending = false;
    bool metered;

    open_agent(world, &journal, &pending);
    for (metered = false;; metered = true) {
        struct ox_beat beat = {.poll_ms = 900000, .metered = metered};
        struct ox_heartbeat_answer answer = {0};

        assert_int_equal(ox_http_new(&beat.http, "test", NULL), OX_OK);
        assert_int_equal(ox_beat_send(&beat, &world->agent, false, &answer, NULL), OX_OK);
        ox_heartbeat_answer_clear(&answer);
        assert_non_null(strstr(world->beat_body, "\"platform\""));
        world->beat_status = 503;
        assert_int_not_equal(ox_beat_send(&beat, &world->agent, false, &answer, NULL), OX_OK);
        world->beat_status = 0;
        assert_int_equal(ox_beat_send(&beat, &world->agent, false, &answer, NULL), OX_OK);
        ox_heartbeat_answer_clear(&answer);
        assert_int_equal(strstr(world->beat_body, "\"platform\"") == NULL, metered);
        ox_beat_clear(&beat);
        if (metered) {
            break;
        }
    }
    close_agent(world);
}

/* --- the daemon --- */

struct daemon {
    struct world *world;
    struct ox_log log;
    pthread_t thread;
    enum ox_code code;
    pthread_mutex_t lock;
    struct ox_agent_tuning next;
    int asked;
};

static bool on_retune(void *ctx, struct ox_agent_tuning *out)
{
    struct daemon *daemon = ctx;
    bool is_set;

    (void)pthread_mutex_lock(&daemon->lock);
    daemon->asked++;
    *out = daemon->next;
    is_set = daemon->next.poll_ms != 0;
    (void)pthread_mutex_unlock(&daemon->lock);
    return is_set;
}

static void *run(void *arg)
{
    struct daemon *daemon = arg;

    daemon->code = ox_agent_run(&daemon->world->options, &daemon->world->stop, &daemon->log, NULL);
    return NULL;
}

static void start(struct daemon *daemon, struct world *world)
{
    *daemon = (struct daemon){.world = world};
    daemon->log.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)pthread_mutex_init(&daemon->lock, NULL);
    world->options.retune = on_retune;
    world->options.retune_ctx = daemon;
    world->options.retune_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(world->options.retune_fd >= 0);
    assert_int_equal(pthread_create(&daemon->thread, NULL, run, daemon), 0);
}

/* poll_ms 0: there is nothing new */
static void tell(struct daemon *daemon, struct ox_agent_tuning next)
{
    const uint64_t one = 1;

    (void)pthread_mutex_lock(&daemon->lock);
    daemon->next = next;
    (void)pthread_mutex_unlock(&daemon->lock);
    assert_int_equal(write(daemon->world->options.retune_fd, &one, sizeof(one)), sizeof(one));
}

static void finish(struct daemon *daemon)
{
    ox_stop_request(&daemon->world->stop);
    assert_int_equal(pthread_join(daemon->thread, NULL), 0);
    assert_int_equal(daemon->code, OX_OK);
    (void)close(daemon->log.fd);
    (void)close(daemon->world->options.retune_fd);
    (void)pthread_mutex_destroy(&daemon->lock);
}

static int number_of(struct world *world, const int *number)
{
    int value;

    (void)pthread_mutex_lock(&world->lock);
    value = *number;
    (void)pthread_mutex_unlock(&world->lock);
    return value;
}

static void await_beats(struct world *world, int count)
{
    int64_t deadline_ms = ox_clock_system()->mono_ms(NULL) + PATIENCE_MS;

    while (number_of(world, &world->beats) < count) {
        assert_true(ox_clock_system()->mono_ms(NULL) < deadline_ms);
        (void)usleep(5000);
    }
}

static void await_end(struct world *world, const char *end)
{
    int64_t deadline_ms = ox_clock_system()->mono_ms(NULL) + PATIENCE_MS;

    for (;;) {
        bool seen;

        (void)pthread_mutex_lock(&world->lock);
        seen = strstr(world->ends, end) != NULL;
        (void)pthread_mutex_unlock(&world->lock);
        if (seen) {
            return;
        }
        assert_true(ox_clock_system()->mono_ms(NULL) < deadline_ms);
        (void)usleep(5000);
    }
}

/* Let the server assign this, by the text that a real one would build. */
static void assign_text(struct world *world, const struct artifact *artifact)
{
    struct ox_journal journal = assign(world, artifact, false);
    struct ox_heartbeat_answer answer = {.assignments = &journal.assignment,
                                         .assignments_count = 1};
    char *text = NULL;
    char *list;

    assert_int_equal(ox_heartbeat_answer_build(&answer, &text, NULL), OX_OK);
    list = strstr(text, "\"assignments\":[") + strlen("\"assignments\":[");
    *strrchr(list, ']') = '\0';
    (void)pthread_mutex_lock(&world->lock);
    (void)snprintf(world->answer, sizeof(world->answer), "%s", list);
    (void)pthread_mutex_unlock(&world->lock);
    free(text);
    ox_journal_clear(&journal);
}

static void loop__another_interval_acts_at_once(void **state)
{
    struct world *world = *state;
    struct ox_agent_tuning tuning;
    struct daemon daemon;

    world->options.tuning.poll_ms = 3600000;
    start(&daemon, world);
    await_beats(world, 1);
    tell(&daemon, (struct ox_agent_tuning){0}); /* nothing new */
    while (number_of(world, &world->beats) == 1) {
        int asked;

        (void)pthread_mutex_lock(&daemon.lock);
        asked = daemon.asked;
        (void)pthread_mutex_unlock(&daemon.lock);
        if (asked > 0) {
            break;
        }
        (void)usleep(5000);
    }
    (void)usleep(100000);
    assert_int_equal(number_of(world, &world->beats), 1);
    tuning = world->options.tuning;
    tuning.poll_ms = 40;
    tell(&daemon, tuning);
    await_beats(world, 4);
    finish(&daemon);
}

static void loop__begins_in_a_window_of_the_devices_own(void **state)
{
    struct world *world = *state;
    const struct ox_window window = closed_window();
    struct ox_agent_tuning tuning;
    struct daemon daemon;

    world->options.tuning.download_windows = &window;
    world->options.tuning.download_windows_count = 1;
    assign_text(world, &world->v1);
    start(&daemon, world);
    await_beats(world, 4);
    assert_int_equal(number_of(world, &world->blob_requests), 0);
    tuning = world->options.tuning;
    tuning.download_windows_count = 0;
    tell(&daemon, tuning);
    await_end(world, "complete");
    finish(&daemon);
    assert_true(is_active(world, &world->v1));
}

static void loop__what_waits_to_be_switched_to_is_left_alone(void **state)
{
    struct world *world = *state;
    const struct ox_window window = closed_window();
    struct ox_agent_tuning tuning;
    struct daemon daemon;
    int requests;

    world->options.tuning.all.activate_windows = &window;
    world->options.tuning.all.activate_windows_count = 1;
    world->options.tuning.download_windows = &window; /* closed, but it is fetched already: */
    world->options.tuning.download_windows_count = 0;
    assign_text(world, &world->v1);
    start(&daemon, world);
    await_beats(world, 8);
    requests = number_of(world, &world->blob_requests);
    assert_true(requests > 0);
    assert_false(exists(world, "defect/current"));
    tuning = world->options.tuning;
    tuning.all.activate_windows_count = 0;
    tuning.download_windows_count = 1; /* it is of no concern any more */
    tell(&daemon, tuning);
    await_end(world, "complete");
    finish(&daemon);
    assert_true(is_active(world, &world->v1));
    assert_int_equal(world->blob_requests, requests);
}

static void loop__another_rate_acts_on_a_running_download(void **state)
{
    struct world *world = *state;
    struct ox_agent_tuning tuning;
    struct daemon daemon;
    int64_t began_ms = ox_clock_system()->mono_ms(NULL);

    world->options.tuning.rate_bps = 10000; /* half a minute for the whole */
    assign_text(world, &world->v1);
    start(&daemon, world);
    while (number_of(world, &world->blob_requests) == 0) {
        (void)usleep(5000);
    }
    tuning = world->options.tuning;
    tuning.rate_bps = 0;
    tell(&daemon, tuning);
    await_end(world, "complete");
    finish(&daemon);
    assert_true(ox_clock_system()->mono_ms(NULL) - began_ms < 15000);
    assert_int_equal(world->blob_requests, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tuning__goes_when_nobody_holds_it),
        cmocka_unit_test(tuning__a_model_has_its_own),
        cmocka_unit_test(held__knows_the_model_and_its_bytes),
        WITH_WORLD(preflight__a_command_refuses_before_anything_is_fetched),
        WITH_WORLD(preflight__and_check_are_those_of_the_model),
        WITH_WORLD(activate__waits_for_its_window_with_all_that_is_needed),
        WITH_WORLD(activate__goes_on_after_a_restart_without_fetching_again),
        WITH_WORLD(activate__the_urgent_do_not_wait),
        WITH_WORLD(beat__of_a_metered_link_does_not_repeat_itself_after_a_failure),
        WITH_WORLD(loop__another_interval_acts_at_once),
        WITH_WORLD(loop__begins_in_a_window_of_the_devices_own),
        WITH_WORLD(loop__what_waits_to_be_switched_to_is_left_alone),
        WITH_WORLD(loop__another_rate_acts_on_a_running_download),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

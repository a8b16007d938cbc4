/* The agent by its configuration, and what it makes of another one while it runs. */
#include "oxide/app/agent.h"

#include "../../../src/app/agent_tuning.h"
#include "oxide/base/clock.h"
#include "oxide/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PATIENCE_MS 20000

struct place {
    char dir[64];
    char conf[96];
    char log[96];
    struct ox_app_agent_options options;
    struct ox_stop stop;
    pthread_t thread;
    enum ox_code code;
};

static void configure(const struct place *place, const char *fmt, ...) OX_PRINTF(2, 3);
static void configure(const struct place *place, const char *fmt, ...)
{
    char text[2048];
    int front = snprintf(text, sizeof(text),
                         "[agent]\ncontrol_plane = http://127.0.0.1:1\ndevice_id = cam-01\n"
                         "model_dir = %s/models\nlog_format = text\n",
                         place->dir);
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text + front, sizeof(text) - (size_t)front, fmt, args);
    va_end(args);
    assert_int_equal(ox_file_replace(place->conf, text, strlen(text), 0644, NULL), OX_OK);
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    (void)snprintf(place->dir, sizeof(place->dir), "/tmp/oxide-app-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    (void)snprintf(place->conf, sizeof(place->conf), "%s/agent.conf", place->dir);
    (void)snprintf(place->log, sizeof(place->log), "%s/log", place->dir);
    place->options = (struct ox_app_agent_options){
        .sources = {.file = place->conf}, .version = "0.1.0", .reload_fd = -1};
    place->options.log_fd = open(place->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(place->options.log_fd >= 0);
    assert_int_equal(ox_stop_init(&place->stop, NULL), OX_OK);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;

    (void)close(place->options.log_fd);
    if (place->options.reload_fd >= 0) {
        (void)close(place->options.reload_fd);
    }
    ox_stop_clear(&place->stop);
    assert_int_equal(ox_remove_tree(place->dir, NULL), OX_OK);
    free(place);
    return 0;
}

static void *run(void *arg)
{
    struct place *place = arg;
    struct ox_config_problems problems = {.count = 0};

    place->code = ox_app_agent_run(&place->options, &place->stop, &problems, NULL);
    ox_config_problems_clear(&problems);
    return NULL;
}

static void await_log(const struct place *place, const char *words)
{
    int64_t deadline_ms = ox_clock_system()->mono_ms(NULL) + PATIENCE_MS;

    for (;;) {
        struct ox_buf text = OX_BUF_INIT;
        bool seen;

        assert_int_equal(ox_file_read_all(place->log, 1 << 20, &text, NULL), OX_OK);
        seen = strstr((const char *)text.data, words) != NULL;
        ox_buf_clear(&text);
        if (seen) {
            return;
        }
        if (ox_clock_system()->mono_ms(NULL) > deadline_ms) {
            fail_msg("not logged: %s", words);
        }
        (void)usleep(10000);
    }
}

static void reload(const struct place *place)
{
    const uint64_t one = 1;

    assert_int_equal(write(place->options.reload_fd, &one, sizeof(one)), sizeof(one));
}

static void run__ends_well_when_stop_is_asked_for(void **state)
{
    struct place *place = *state;

    configure(place, "%s", "");
    ox_stop_request(&place->stop);
    (void)run(place);
    assert_int_equal(place->code, OX_OK);
}

static void run__refuses_what_is_wrong(void **state)
{
    struct place *place = *state;
    struct ox_config_problems problems = {.count = 0};
    struct ox_err err = OX_ERR_INIT;

    configure(place, "pol_interval = 3\n");
    ox_stop_request(&place->stop); /* should it be accepted, it ends at once */
    assert_int_equal(ox_app_agent_run(&place->options, &place->stop, &problems, &err), OX_EINVAL);
    assert_int_equal(problems.count, 1);
    assert_non_null(strstr(err.msg, "did you mean poll_interval?"));
    ox_config_problems_clear(&problems);
}

static void reload__says_what_changed_and_what_needs_a_restart(void **state)
{
    struct place *place = *state;

    configure(place, "poll_interval = 100\n");
    place->options.reload_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(pthread_create(&place->thread, NULL, run, place), 0);
    await_log(place, "device cam-01");
    reload(place);
    await_log(place, "nothing has changed");
    configure(place, "poll_interval = 200\nnonsense = 1\nmetered = 7\n");
    reload(place);
    await_log(place, "agent.conf:7: [agent] has no setting nonsense");
    await_log(place, "agent.conf:8: metered cannot be '7'");
    await_log(place, "the settings stay as they were: 2 things");
    configure(place, "poll_interval = 200\n[model yolo]\nhealth_check = a\n  b\n");
    reload(place);
    await_log(place, "[agent] poll_interval is 200 now, no longer 100");
    await_log(place, "[model yolo] health_check is a\\x0ab now, no longer as for all");
    configure(place, "log_level = warn\n[download]\nwindow = 01:00-02:00\n");
    reload(place);
    configure(place, "log_level = info\n[download]\nwindow = 01:00-02:00\n");
    (void)usleep(300000); /* what is said at level warn is nothing */
    reload(place);
    await_log(place, "[agent] log_level is info now, no longer warn");
    assert_int_equal(ox_file_replace(place->conf, "", 0, 0644, NULL), OX_OK);
    reload(place);
    await_log(place, "[agent] device_id stays cam-01 until the agent is started again, then none");
    await_log(place, "[download] window is none now, no longer 01:00-02:00");
    ox_stop_request(&place->stop);
    assert_int_equal(pthread_join(place->thread, NULL), 0);
    assert_int_equal(place->code, OX_OK);
}

static void tuning__is_what_the_settings_say(void **state)
{
    struct place *place = *state;
    struct ox_agent_config *config = NULL;
    struct ox_config_problems problems = {.count = 0};
    struct ox_agent_tuning tuning;

    configure(place, "%s",
              "metered = yes\n[download]\nrate_limit = 2K\nwindow = 01:00-02:00\n[activate]\n"
              "window = 02:00-03:00\nwindow = 04:00-05:00\n[check]\nhealth_check = all\n"
              "preflight_command = load\n[model b]\nhealth_timeout = 7\n");
    assert_int_equal(ox_agent_config_load(&place->options.sources, &config, &problems, NULL),
                     OX_OK);
    assert_int_equal(ox_agent_tuning_of(&config, &tuning, NULL), OX_OK);
    assert_null(config);
    assert_true(tuning.metered && tuning.poll_ms == 900000 && tuning.rate_bps == 2048);
    assert_int_equal(tuning.download_windows_count, 1);
    assert_int_equal(tuning.all.activate_windows_count, 2);
    assert_int_equal(tuning.all.health_timeout_ms, 60000);
    assert_int_equal(tuning.models_count, 1);
    assert_string_equal(tuning.models[0].model_id, "b");
    assert_string_equal(tuning.models[0].health_check, "all");
    assert_string_equal(tuning.models[0].preflight_command, "load");
    assert_int_equal(tuning.models[0].activate_windows_count, 2);
    assert_int_equal(tuning.models[0].health_timeout_ms, 7000);
    tuning.done(tuning.owner);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(run__ends_well_when_stop_is_asked_for),
        WITH_PLACE(run__refuses_what_is_wrong),
        WITH_PLACE(reload__says_what_changed_and_what_needs_a_restart),
        WITH_PLACE(tuning__is_what_the_settings_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

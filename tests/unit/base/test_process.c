#include "helpers.h"

#include "oxide/base/clock.h"
#include "oxide/base/process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct ox_process_result run(const char *command, int64_t timeout_ms)
{
    struct ox_process_spec spec = {.command = command, .timeout_ms = timeout_ms};
    struct ox_process_result result;

    assert_int_equal(ox_process_run(&spec, &result, NULL), OX_OK);
    return result;
}

static void nap(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

/* Is the process whose number stands in the file gone (or a zombie of init's) within 2 s? */
static bool is_gone(const char *pid_file)
{
    long pid = strtol(read_file(pid_file), NULL, 10);

    assert_true(pid > 1);
    for (int i = 0; i < 200; i++) {
        char path[64];
        char line[256] = "";
        FILE *stat_file;

        (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
        stat_file = fopen(path, "r");
        if (stat_file == NULL) {
            return true;
        }
        if (fgets(line, sizeof(line), stat_file) == NULL || strstr(line, ") Z ") != NULL) {
            (void)fclose(stat_file);
            return true;
        }
        (void)fclose(stat_file);
        nap(10);
    }
    return false;
}

static void run__tells_the_exit_code(void **state)
{
    struct ox_process_result result = run("exit 0", 0);

    (void)state;
    assert_int_equal(result.exit_code, 0);
    assert_int_equal(result.signal, 0);
    assert_false(result.timed_out || result.stopped);
    assert_int_equal(run("exit 7", 5000).exit_code, 7);
    assert_int_equal(run("/no/such/program", 5000).exit_code, 127);
    result = run("kill -TERM $$", 5000);
    assert_int_equal(result.exit_code, -1);
    assert_int_equal(result.signal, SIGTERM);
}

static void run__keeps_both_streams(void **state)
{
    struct ox_process_result result = run("echo out; echo err >&2", 5000);

    (void)state;
    assert_string_equal(result.output, "out\nerr\n");
    assert_int_equal(result.output_len, 8);
}

static void run__keeps_the_tail_of_long_output(void **state)
{
    struct ox_process_result result =
        run("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; printf END", 20000);

    (void)state;
    assert_int_equal(result.exit_code, 0);
    assert_int_equal(result.output_len, OX_PROCESS_OUTPUT_MAX);
    assert_int_equal(strlen(result.output), OX_PROCESS_OUTPUT_MAX);
    assert_string_equal(result.output + OX_PROCESS_OUTPUT_MAX - 13, "line 2999\nEND");
}

static void run__gives_the_command_no_stdin(void **state)
{
    (void)state;
    assert_int_equal(run("cat", 5000).exit_code, 0);
}

static void run__ends_at_the_timeout(void **state)
{
    struct ox_process_result result = run("echo before; sleep 60", 200);

    (void)state;
    assert_true(result.timed_out);
    assert_int_equal(result.exit_code, -1);
    assert_int_equal(result.signal, SIGKILL);
    assert_true(result.took_ms >= 200 && result.took_ms < 5000);
    assert_string_equal(result.output, "before\n");
    result = run("exec >&- 2>&-; sleep 60", 200);
    assert_true(result.timed_out && result.took_ms < 5000);
}

static void run__ends_a_command_that_never_stops_printing(void **state)
{
    struct ox_process_result result = run("yes", 200);

    (void)state;
    assert_true(result.timed_out && result.took_ms < 5000);
}

static void timeout__kills_the_whole_group(void **state)
{
    char command[8300];
    const char *pid_file = in_folder(state, "pid");
    struct ox_process_result result;

    (void)snprintf(command, sizeof(command),
                   "trap '' TERM; sh -c 'echo $$ > %s.new; mv %s.new %s; sleep 60' & wait",
                   pid_file, pid_file, pid_file);
    result = run(command, 700);
    assert_true(result.timed_out);
    assert_true(is_gone(pid_file));
}

static void end__kills_what_was_left_in_the_background(void **state)
{
    char command[8300];
    const char *pid_file = in_folder(state, "pid");
    struct ox_process_result result;

    (void)snprintf(command, sizeof(command), "sleep 60 & echo $! > %s; exit 3", pid_file);
    result = run(command, 20000);
    assert_int_equal(result.exit_code, 3);
    assert_true(result.took_ms < 5000); /* the background child holds the pipe open */
    assert_true(is_gone(pid_file));
}

static void env__replaces_and_adds(void **state)
{
    static const char *const extra[] = {"OX_TEST_OLD=new", "OX_TEST_PATH=/a b;c$d", NULL};
    struct ox_process_spec spec = {
        .command =
            "echo \"$OX_TEST_OLD|$OX_TEST_OLDER|$OX_TEST_PATH\"; env | grep -c ^OX_TEST_OLD=",
        .env = extra,
        .timeout_ms = 5000,
    };
    struct ox_process_result result;

    (void)state;
    (void)setenv("OX_TEST_OLD", "old", 1);
    (void)setenv("OX_TEST_OLDER", "kept", 1);
    assert_int_equal(ox_process_run(&spec, &result, NULL), OX_OK);
    assert_string_equal(result.output, "new|kept|/a b;c$d\n1\n");
    assert_string_equal(getenv("OX_TEST_OLD"), "old");
}

static void *request_soon(void *arg)
{
    nap(150);
    ox_stop_request(arg);
    return NULL;
}

static void stop__ends_the_command(void **state)
{
    struct ox_stop stop;
    struct ox_process_spec spec = {.command = "sleep 60", .stop = &stop};
    struct ox_process_result result;
    pthread_t thread;

    (void)state;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    assert_int_equal(pthread_create(&thread, NULL, request_soon, &stop), 0);
    assert_int_equal(ox_process_run(&spec, &result, NULL), OX_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(result.stopped && !result.timed_out);
    assert_int_equal(result.exit_code, -1);
    assert_true(result.took_ms < 5000);
    ox_stop_clear(&stop);
}

static void run__leaks_no_descriptor(void **state)
{
    size_t before = count_entries("/proc/self/fd");

    (void)state;
    for (int i = 0; i < 5; i++) {
        (void)run("true", 5000);
    }
    assert_int_equal(count_entries("/proc/self/fd"), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run__tells_the_exit_code),
        cmocka_unit_test(run__keeps_both_streams),
        cmocka_unit_test(run__keeps_the_tail_of_long_output),
        cmocka_unit_test(run__gives_the_command_no_stdin),
        cmocka_unit_test(run__ends_at_the_timeout),
        cmocka_unit_test(run__ends_a_command_that_never_stops_printing),
        cmocka_unit_test_setup_teardown(timeout__kills_the_whole_group, setup_folder,
                                        teardown_folder),
        cmocka_unit_test_setup_teardown(end__kills_what_was_left_in_the_background, setup_folder,
                                        teardown_folder),
        cmocka_unit_test(env__replaces_and_adds),
        cmocka_unit_test(stop__ends_the_command),
        cmocka_unit_test(run__leaks_no_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

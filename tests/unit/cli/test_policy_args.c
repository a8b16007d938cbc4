#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/cli/policy_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What "oxide deploy m v1" with these options adds to the body; NULL, and the message, if it is
 * refused. */
static json_t *body_of(const char *const *options, struct ox_err *err)
{
    const char *argv[32] = {"oxide", "deploy", "m", "v1"};
    struct ox_args args = OX_ARGS_INIT;
    json_t *body = json_object();
    int argc = 4;
    enum ox_code code;

    while (*options != NULL) {
        argv[argc++] = *options++;
    }
    ox_err_clear(err);
    code = ox_args_parse(&args, argc, argv, err);
    if (code == OX_OK) {
        code = ox_policy_args(&args, body, err);
    }
    ox_args_clear(&args);
    if (code != OX_OK) {
        assert_int_equal(code, OX_EINVAL);
        json_decref(body);
        return NULL;
    }
    return body;
}
#define BODY(err, ...) body_of((const char *const[]){__VA_ARGS__, NULL}, (err))

static void assert_body(json_t *take_body, const char *wanted)
{
    json_t *json = json_loads(wanted, 0, NULL);

    assert_non_null(take_body);
    assert_non_null(json);
    if (!json_equal(take_body, json)) {
        char *text = json_dumps(take_body, 0);

        print_error("%s\n", text);
        free(text);
        fail_msg("%s expected", wanted);
    }
    json_decref(take_body);
    json_decref(json);
}
#define TAKES(wanted, ...) assert_body(BODY(&err, __VA_ARGS__), (wanted))
#define REFUSES(message, ...)                                                                      \
    do {                                                                                           \
        assert_null(BODY(&err, __VA_ARGS__));                                                      \
        if (strstr(err.msg, (message)) == NULL) {                                                  \
            fail_msg("%s", err.msg);                                                               \
        }                                                                                          \
    } while (0)

/* A policy file; static. */
static const char *file_of(const char *text)
{
    static char path[64];
    FILE *file;
    int fd;

    (void)snprintf(path, sizeof(path), "/tmp/oxide-policy.XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void rows__are_options_of_every_command_that_takes_a_policy(void **state)
{
    static const char *const commands[] = {"deploy", "campaign create", "campaign plan"};

    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const struct ox_command *command = ox_command_find(commands[i]);

        assert_non_null(command);
        for (const struct ox_policy_arg *row = ox_policy_args_rows; row->option != NULL; row++) {
            const struct ox_option *option = command->options;

            while (option->name != NULL && strcmp(option->name, row->option) != 0) {
                option++;
            }
            assert_non_null(option->name);
            assert_int_equal(option->value == NULL, row->kind == OX_POLICY_FLAG);
        }
    }
}

static void options__become_the_keys_of_the_api(void **state)
{
    struct ox_err err;

    (void)state;
    TAKES("{}", "--fleet", "f");
    TAKES("{\"strategy\": {\"type\": \"exponential\", \"start\": 4, \"factor\": 1.5}}", "--rollout",
          "exponential", "--start", "4", "--factor", "1.5");
    TAKES("{\"strategy\": {\"type\": \"canary\", \"stages\": [1.0, 12.5, 100.0], \"wait_s\": 600}}",
          "--stages", "1,12.5,100%", "--wait-between", "10m");
    TAKES("{\"gates\": {\"success_percent\": 95.0, \"failed_count\": 3, \"min_sample\": 10,"
          " \"soak_s\": 1800}}",
          "--gate", "success=95,failed=3,min=10,soak=30m");
    TAKES("{\"gates\": {\"failed_percent\": 5.0}}", "--gate", "failed=5%");
    TAKES("{\"gates\": false}", "--gate", "none");
    TAKES("{\"halt\": {\"action\": \"revert\", \"rules\": [{\"class\": \"health\", \"count\": 3},"
          " {\"class\": \"any\", \"percent\": 10.0, \"min_sample\": 20}]}}",
          "--halt", "health:3", "--halt=any:10%:min=20", "--on-halt", "revert");
    TAKES("{\"timeouts\": {\"downloading_s\": 3600, \"applying_s\": 90}}", "--silent-after",
          "downloading=1h,applying=90s");
    TAKES("{\"limits\": {\"in_flight\": 500, \"starts_per_minute\": 60, \"rate_bps\": 1048576,"
          " \"windows\": [\"mon-fri 22:00-05:00\", \"sun 00:00-24:00\"], \"deadline_s\": 172800}}",
          "--in-flight", "500", "--starts-per-minute", "60", "--rate", "1M", "--window",
          "mon-fri 22:00-05:00", "--window", "sun 00:00-24:00", "--deadline", "2d");
    TAKES("{\"bytes\": {\"fallback_full\": \"limited\", \"fallback_percent\": 0.5,"
          " \"per_device\": 65536, \"total\": 2147483648}}",
          "--fallback", "limited", "--fallback-percent", "0.5", "--max-bytes-per-device", "64K",
          "--max-bytes", "2G");
    TAKES("{\"on_conflict\": \"refuse\", \"late_delta\": \"full\", \"follow\": true}",
          "--on-conflict", "refuse", "--late-delta", "full", "--follow");
}

static void options__of_another_strategy_are_refused(void **state)
{
    struct ox_err err;

    (void)state;
    REFUSES("--batch is for --rollout rolling", "--rollout", "canary", "--batch", "3");
    REFUSES("--factor is for --rollout exponential", "--stages", "1,100", "--factor", "3");
    REFUSES("say --rollout", "--wait-between", "10m");
}

static void options__say_what_is_wrong_with_a_value(void **state)
{
    static const char *const bad[][3] = {
        {"--stages", "1,x,100", "percent"},
        {"--stages", "", "percent"},
        {"--stages", "101", "percent"},
        {"--batch", "-1", "whole number"},
        {"--batch", "1e3", "whole number"},
        {"--batch", "99999999999999", "whole number"},
        {"--factor", "inf", "number such as"},
        {"--factor", "1.", "number such as"},
        {"--gate", "sucess=95", "it takes success=, failed=, min=, soak="},
        {"--gate", "success", "percent"},
        {"--gate", "success=95,", "does not know ''"},
        {"--gate", "soak=500ms", "whole seconds"},
        {"--gate", "min=5%", "whole number"},
        {"--halt", "health", "health:3"},
        {"--halt", ":3", "health:3"},
        {"--halt", "health:", "health:3"},
        {"--halt", "health:three", "whole number"},
        {"--halt", "any:10%:max=3", "it takes min="},
        {"--silent-after", "sleeping=3m", "downloading="},
        {"--rate", "fast", "size"},
        {"--deadline", "tomorrow", "time such as"},
        {"--fallback", "maybe", "never|limited|always"},
    };
    struct ox_err err;
    char longest[400];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        REFUSES(bad[i][2], bad[i][0], bad[i][1]);
    }
    memset(longest, '1', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    REFUSES("too long", "--stages", longest);
    REFUSES("too long", "--halt", longest);
    REFUSES("percent", "--fallback-percent", longest);
}

static void approval__keeps_the_gate_that_no_device_fails(void **state)
{
    struct ox_err err;

    (void)state;
    TAKES("{\"gates\": {\"approval\": true, \"failed_count\": 0}}", "--approve-stages");
    TAKES("{\"gates\": {\"approval\": true, \"failed_count\": 2}}", "--approve-stages", "--gate",
          "failed=2");
    TAKES("{\"gates\": {\"approval\": true, \"soak_s\": 5, \"failed_count\": 0}}",
          "--approve-stages", "--gate", "soak=5");
    TAKES("{\"gates\": {\"approval\": true}}", "--approve-stages", "--gate", "none");
}

static void file__is_the_policy_and_options_win(void **state)
{
    struct ox_err err;
    const char *path = file_of("{\"strategy\": \"canary\", \"gates\": {\"soak_s\": 60},"
                               " \"limits\": {\"in_flight\": 5, \"rate_bps\": 2048}}");

    (void)state;
    TAKES("{\"strategy\": \"canary\", \"gates\": {\"soak_s\": 60},"
          " \"limits\": {\"in_flight\": 5, \"rate_bps\": 2048}}",
          "--policy", path);
    TAKES("{\"strategy\": {\"type\": \"canary\", \"stages\": [100.0]}, \"gates\": {\"soak_s\": 60},"
          " \"limits\": {\"in_flight\": 9, \"rate_bps\": 2048}}",
          "--policy", path, "--stages", "100", "--in-flight", "9");
    REFUSES("--batch is for --rollout rolling", "--policy", path, "--batch", "9");
    (void)unlink(path);
}

static void file__may_not_hold_keys_that_no_policy_has(void **state)
{
    static const char *const bad[][2] = {
        {"{\"strateg\": \"canary\"}", "did you mean \"strategy\""},
        {"{\"model_id\": \"m\"}", "no \"model_id\""},
        {"{\"limits\": {\"in_fligth\": 3}}", "did you mean \"limits.in_flight\""},
        {"{\"halt\": {\"rules\": [{\"klass\": \"any\"}]}}", "did you mean \"halt.rules.class\""},
        {"[1]", "--policy"},
        {"{", "--policy"},
    };
    struct ox_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *path = file_of(bad[i][0]);

        REFUSES(bad[i][1], "--policy", path);
        (void)unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows__are_options_of_every_command_that_takes_a_policy),
        cmocka_unit_test(options__become_the_keys_of_the_api),
        cmocka_unit_test(options__of_another_strategy_are_refused),
        cmocka_unit_test(options__say_what_is_wrong_with_a_value),
        cmocka_unit_test(approval__keeps_the_gate_that_no_device_fails),
        cmocka_unit_test(file__is_the_policy_and_options_win),
        cmocka_unit_test(file__may_not_hold_keys_that_no_policy_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

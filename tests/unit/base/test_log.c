#include "helpers.h"

#include "oxide/base/json.h"
#include "oxide/base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct ox_log open_log(void **state, enum ox_log_format format)
{
    struct ox_log log = {open(in_folder(state, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600),
                         OX_LOG_INFO, format};

    assert_true(log.fd >= 0);
    return log;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

/* The message of the one JSON line that was written; the caller frees it. */
static char *json_message(void **state)
{
    struct ox_err err = OX_ERR_INIT;
    const char *text = read_file(in_folder(state, "log"));
    const char *message = NULL;
    json_t *json = NULL;
    char *copy;

    assert_int_equal(count_lines(text), 1);
    assert_int_equal(ox_json_parse(text, strlen(text), &json, &err), OX_OK);
    assert_int_equal(ox_json_get_str(json, "message", &message, &err), OX_OK);
    copy = strdup(message);
    json_decref(json);
    assert_int_equal(truncate(in_folder(state, "log"), 0), 0);
    return copy;
}

static void text__is_one_line_with_time_and_level(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_TEXT);
    const char *text;

    ox_log(&log, OX_LOG_WARN, "disk %d%% full", 93);
    text = read_file(in_folder(state, "log"));
    assert_string_equal(text + 24, " warn  disk 93% full\n");
    assert_int_equal(text[23], 'Z');
    (void)close(log.fd);
}

static void level__drops_what_is_noisier(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_TEXT);

    ox_log(&log, OX_LOG_DEBUG, "dropped");
    ox_log(NULL, OX_LOG_ERROR, "nowhere");
    ox_log(&log, OX_LOG_ERROR, "kept");
    assert_int_equal(count_lines(read_file(in_folder(state, "log"))), 1);
    (void)close(log.fd);
}

static void line__cannot_be_forged(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_TEXT);
    const char *text;

    ox_log(&log, OX_LOG_INFO, "name %s", "x\n2026 error you are hacked\r\x1b[2J\x7f\t");
    text = read_file(in_folder(state, "log"));
    assert_int_equal(count_lines(text), 1);
    for (; *text != '\n'; text++) {
        assert_true((unsigned char)*text >= 0x20 && *text != 0x7f);
    }
    (void)close(log.fd);
}

static void line__holds_no_control_in_two_bytes(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_TEXT);

    ox_log(&log, OX_LOG_INFO, "a\xc2\x9b[2Jb \xc3\xa9"); /* U+009B is ESC [ to a terminal */
    assert_null(strstr(read_file(in_folder(state, "log")), "\xc2\x9b"));
    assert_non_null(strstr(read_file(in_folder(state, "log")), "b \xc3\xa9\n"));
    (void)close(log.fd);
}

static void json__is_one_object_per_line(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_JSON);
    char *message;

    ox_log(&log, OX_LOG_INFO, "say \"%s\"\n", "hi\\");
    message = json_message(state);
    assert_string_equal(message, "say \"hi\\\" ");
    free(message);
    (void)close(log.fd);
}

static void fields__stand_behind_the_message(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_TEXT);
    const struct ox_log_field fields[] = {{"path", "/a b", 0},    {"status", NULL, 404},
                                          {"empty", "", 0},       {"trick", "x\" y=\"1\n", 0},
                                          {"bad", "\xff", 0},     {"plain", "GET", 0},
                                          {"negative", NULL, -1}, {0}};

    ox_log_fields(&log, OX_LOG_WARN, fields, "refused %d", 1);
    assert_string_equal(read_file(in_folder(state, "log")) + 24,
                        " warn  refused 1 path=\"/a b\" status=404 empty=\"\""
                        " trick=\"x' y='1 \" bad=? plain=GET negative=-1\n");
    (void)close(log.fd);
}

static void fields__are_members_in_json(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_JSON);
    const struct ox_log_field fields[] = {
        {"path", "/\xff", 0}, {"status", NULL, 404}, {"trick", "\",\"level\":\"info", 0}, {0}};
    json_t *json = NULL;

    ox_log_fields(&log, OX_LOG_WARN, fields, "refused");
    json = json_loads(read_file(in_folder(state, "log")), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "path")), "/?");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 404);
    assert_string_equal(json_string_value(json_object_get(json, "level")), "warn");
    json_decref(json);
    (void)close(log.fd);
}

/* However long the values are, a line stays one line that ends. */
static void fields__that_are_too_long_are_left_out(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_TEXT);
    char text[2000];
    struct ox_log_field fields[OX_LOG_FIELDS_MAX + 1] = {{0}};
    const char *line;

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < OX_LOG_FIELDS_MAX; i++) {
        fields[i] = (struct ox_log_field){"key", text, 0};
    }
    ox_log_fields(&log, OX_LOG_WARN, fields, "%s", "message");
    ox_log_fields(&log, OX_LOG_WARN, fields, "%s", text);
    line = read_file(in_folder(state, "log"));
    assert_int_equal(count_lines(line), 2);
    assert_int_equal(line[strlen(line) - 1], '\n');
    (void)close(log.fd);
}

static void bound__id_is_in_each_line_of_its_thread(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_TEXT);

    ox_log_bind("r-1");
    assert_string_equal(ox_log_bound(), "r-1");
    ox_log(&log, OX_LOG_INFO, "one");
    ox_log_bind(NULL);
    ox_log(&log, OX_LOG_INFO, "two");
    assert_non_null(strstr(read_file(in_folder(state, "log")), "one request_id=r-1\n"));
    assert_non_null(strstr(read_file(in_folder(state, "log")), "two\n"));
    (void)close(log.fd);
}

/* A name from outside must not make an event vanish from the log. */
static void json__loses_no_line_to_bad_utf8(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_JSON);
    char *message;

    ox_log(&log, OX_LOG_ERROR, "device %s was refused", "\xff\xc3(\xed\xa0\x80\xe2\x82");
    message = json_message(state);
    assert_memory_equal(message, "device ", 7);
    assert_non_null(strstr(message, " was refused"));
    free(message);
    (void)close(log.fd);
}

static void json__loses_no_line_to_its_length(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_JSON);
    char text[3000];

    for (int i = 0; i < 3; i++) {
        char *message;

        memset(text, '"', sizeof(text)); /* doubles in JSON */
        for (size_t at = (size_t)i; i < 2 && at + 1 < sizeof(text); at += 2) {
            memcpy(text + at, "\xc3\xa9", 2); /* and is cut within a character */
        }
        text[sizeof(text) - 1] = '\0';
        ox_log(&log, OX_LOG_ERROR, "%s", text);
        message = json_message(state);
        assert_true(strlen(message) > 1900);
        free(message);
    }
    (void)close(log.fd);
}

static void *log_many(void *arg)
{
    char body[200];

    memset(body, 'm', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    for (int i = 0; i < 200; i++) {
        ox_log(arg, OX_LOG_INFO, "%s", body);
    }
    return NULL;
}

static void lines__of_threads_do_not_mix(void **state)
{
    struct ox_log log = open_log(state, OX_LOG_TEXT);
    pthread_t threads[2];
    FILE *file;
    char line[512];
    int count = 0;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, &log), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    file = fopen(in_folder(state, "log"), "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        assert_int_equal(strlen(line), 25 + 6 + 199 + 1);
        count++;
    }
    assert_int_equal(count, 400);
    (void)fclose(file);
    (void)close(log.fd);
}

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(text__is_one_line_with_time_and_level),
        FOLDER_TEST(level__drops_what_is_noisier),
        FOLDER_TEST(line__cannot_be_forged),
        FOLDER_TEST(line__holds_no_control_in_two_bytes),
        FOLDER_TEST(json__is_one_object_per_line),
        FOLDER_TEST(json__loses_no_line_to_bad_utf8),
        FOLDER_TEST(fields__stand_behind_the_message),
        FOLDER_TEST(fields__are_members_in_json),
        FOLDER_TEST(fields__that_are_too_long_are_left_out),
        FOLDER_TEST(bound__id_is_in_each_line_of_its_thread),
        FOLDER_TEST(json__loses_no_line_to_its_length),
        FOLDER_TEST(lines__of_threads_do_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "../../../src/app/agent_config_inner.h"

#include "oxide/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder with agent.conf and agent.conf.d. */
struct place {
    char dir[64];
    char conf[96];
};

static void put(const struct place *place, const char *name, const void *bytes, size_t len)
{
    char path[192];

    (void)snprintf(path, sizeof(path), "%s/%s", place->dir, name);
    assert_int_equal(ox_file_replace(path, bytes, len, 0644, NULL), OX_OK);
}

static void write_text(const struct place *place, const char *name, const char *text)
{
    put(place, name, text, strlen(text));
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    char path[160];

    assert_non_null(place);
    (void)snprintf(place->dir, sizeof(place->dir), "/tmp/oxide-config-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    (void)snprintf(place->conf, sizeof(place->conf), "%s/agent.conf", place->dir);
    (void)snprintf(path, sizeof(path), "%s.d", place->conf);
    assert_int_equal(mkdir(path, 0755), 0);
    write_text(place, "agent.conf", "");
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;

    assert_int_equal(ox_remove_tree(place->dir, NULL), OX_OK);
    free(place);
    return 0;
}

static struct ox_agent_config *load(const struct ox_agent_config_sources *sources)
{
    struct ox_agent_config *config = NULL;
    struct ox_config_problems problems = {.count = 0};
    struct ox_err err = OX_ERR_INIT;

    if (ox_agent_config_load(sources, &config, &problems, &err) != OX_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(problems.count, 0);
    ox_config_problems_clear(&problems);
    return config;
}

static struct ox_agent_config *load_file(const struct place *place, const char *text)
{
    write_text(place, "agent.conf", text);
    return load(&(struct ox_agent_config_sources){.file = place->conf});
}

/* One problem, which holds each of the texts. */
static void refuses(const struct ox_agent_config_sources *sources, const char *a, const char *b)
{
    struct ox_agent_config *config = NULL;
    struct ox_config_problems problems = {.count = 0};
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(ox_agent_config_load(sources, &config, &problems, &err), OX_EINVAL);
    assert_null(config);
    assert_int_equal(problems.count, 1);
    if (strstr(problems.lines[0], a) == NULL || strstr(problems.lines[0], b) == NULL) {
        fail_msg("'%s' and '%s' expected in: %s", a, b, problems.lines[0]);
    }
    assert_string_equal(problems.lines[0], err.msg);
    ox_config_problems_clear(&problems);
}

static void refuses_file(const struct place *place, const char *text, const char *where,
                         const char *what)
{
    char full[160];

    (void)snprintf(full, sizeof(full), "%s%s", place->conf, where);
    write_text(place, "agent.conf", text);
    refuses(&(struct ox_agent_config_sources){.file = place->conf}, full, what);
}

#define VALUE(config, name) (&(config)->values[OX_AGENT_SETTING_##name])

static void config__has_defaults(void **state)
{
    struct ox_agent_config *config = load_file(*state, "");

    assert_string_equal(VALUE(config, CONTROL_PLANE)->text, "http://127.0.0.1:8080");
    assert_true(VALUE(config, POLL_INTERVAL)->number == 30000);
    assert_int_equal(VALUE(config, POLL_INTERVAL)->source, OX_SETTING_DEFAULT);
    assert_null(VALUE(config, DEVICE_ID)->text);
    assert_null(VALUE(config, HEALTH_CHECK)->text);
    assert_true(VALUE(config, RATE_LIMIT)->number == 0);
    assert_int_equal(config->files_count, 1);
    ox_agent_config_free(config);
}

static void config__later_sources_win(void **state)
{
    const struct place *place = *state;
    static const char *const environment[] = {"OXIDE_RATE_LIMIT=3K", "OXIDE_LOG_LEVEL=warn",
                                              "OXIDE_METERED=", "OXIDE_SERVER=what else", NULL};
    static const struct ox_agent_config_flag flags[] = {{"log-level", "debug"},
                                                        {"log-level", "error"}};
    struct ox_agent_config *config;
    char origin[OX_SETTING_ORIGIN_MAX];
    char wanted[160];

    write_text(place, "agent.conf",
               "[agent]\npoll_interval = 10\nlog_level = info\n[download]\nrate_limit = 1K\n"
               "[check]\nhealth_timeout = 1\n");
    write_text(place, "agent.conf.d/10-b.conf", "[agent]\npoll_interval = 20\n");
    write_text(place, "agent.conf.d/9-a.conf", "[agent]\n# later than 10\npoll_interval = 40\n");
    write_text(place, "agent.conf.d/B.conf", "[download]\nrate_limit = 2K\n");
    write_text(place, "agent.conf.d/.hidden.conf", "nonsense\n");
    write_text(place, "agent.conf.d/backup.conf~", "nonsense\n");
    config = load(&(struct ox_agent_config_sources){place->conf, environment, flags, 2});
    assert_true(VALUE(config, POLL_INTERVAL)->number == 40000);
    (void)snprintf(wanted, sizeof(wanted), "%s.d/9-a.conf:3", place->conf);
    assert_string_equal(ox_setting_origin(&ox_agent_settings[OX_AGENT_SETTING_POLL_INTERVAL],
                                          VALUE(config, POLL_INTERVAL), origin),
                        wanted);
    assert_true(VALUE(config, RATE_LIMIT)->number == 3072);
    assert_string_equal(ox_setting_origin(&ox_agent_settings[OX_AGENT_SETTING_RATE_LIMIT],
                                          VALUE(config, RATE_LIMIT), origin),
                        "OXIDE_RATE_LIMIT");
    assert_string_equal(VALUE(config, LOG_LEVEL)->text, "error");
    assert_true(VALUE(config, LOG_LEVEL)->number == 0);
    assert_int_equal(VALUE(config, METERED)->source, OX_SETTING_DEFAULT);
    assert_true(VALUE(config, HEALTH_TIMEOUT)->number == 1000);
    assert_int_equal(config->files_count, 4);
    ox_agent_config_free(config);
}

static void load__takes_a_credential_after_the_files(void **state)
{
    const struct place *place = *state;
    char variable[128];
    const char *environment[] = {variable, "OXIDE_RATE_LIMIT=3K", NULL};
    struct ox_agent_config *config;
    char origin[OX_SETTING_ORIGIN_MAX];
    char wanted[160];

    (void)snprintf(variable, sizeof(variable), "CREDENTIALS_DIRECTORY=%s", place->dir);
    write_text(place, "agent.conf.d/z.conf", "[agent]\npoll_interval = 20\n");
    config = load(&(struct ox_agent_config_sources){place->conf, environment, NULL, 0});
    assert_true(VALUE(config, POLL_INTERVAL)->number == 20000); /* there need not be one */
    ox_agent_config_free(config);
    write_text(place, "oxide-agent.conf",
               "[agent]\npoll_interval = 40\n[download]\nrate_limit = 1K\n");
    config = load(&(struct ox_agent_config_sources){place->conf, environment, NULL, 0});
    assert_true(VALUE(config, POLL_INTERVAL)->number == 40000);
    assert_true(VALUE(config, RATE_LIMIT)->number == 3072);
    (void)snprintf(wanted, sizeof(wanted), "%s/oxide-agent.conf:2", place->dir);
    assert_string_equal(ox_setting_origin(&ox_agent_settings[OX_AGENT_SETTING_POLL_INTERVAL],
                                          VALUE(config, POLL_INTERVAL), origin),
                        wanted);
    ox_agent_config_free(config);
}

static void config__metered_polls_seldom_unless_told(void **state)
{
    struct ox_agent_config *config = load_file(*state, "[agent]\nmetered = true\n");

    assert_true(VALUE(config, POLL_INTERVAL)->number == 900000);
    ox_agent_config_free(config);
    config = load_file(*state, "[agent]\nmetered = yes\npoll_interval = 1m\n");
    assert_true(VALUE(config, POLL_INTERVAL)->number == 60000);
    ox_agent_config_free(config);
}

static void config__windows_are_joined_in_a_file_and_replaced_by_the_next(void **state)
{
    const struct place *place = *state;
    struct ox_agent_config *config =
        load_file(place, "[download]\nwindow = mon-fri 22:00-05:00; sat 00:00-24:00\n"
                         "window = sun 01:00-02:00\n[activate]\nwindow = 01:00-02:00\n"
                         "  03:00-04:00\n");

    assert_int_equal(VALUE(config, DOWNLOAD_WINDOW)->windows_count, 3);
    assert_int_equal(VALUE(config, DOWNLOAD_WINDOW)->windows[2].days, 0x40);
    assert_int_equal(VALUE(config, ACTIVATE_WINDOW)->windows_count, 2);
    ox_agent_config_free(config);
    write_text(place, "agent.conf.d/a.conf",
               "[download]\nwindow = 01:00-02:00\n[activate]\nwindow =\n");
    config = load(&(struct ox_agent_config_sources){.file = place->conf});
    assert_int_equal(VALUE(config, DOWNLOAD_WINDOW)->windows_count, 1);
    assert_int_equal(VALUE(config, ACTIVATE_WINDOW)->windows_count, 0);
    ox_agent_config_free(config);
}

static void config__a_model_has_settings_of_its_own(void **state)
{
    const struct place *place = *state;
    static const struct ox_agent_config_flag flags[] = {{"health-check", "of all"}};
    struct ox_agent_config *config;

    write_text(place, "agent.conf",
               "[check]\nhealth_timeout = 10\n[model yolo]\nhealth_check = of yolo ; true\n"
               "[model a]\nhealth_check =\n[model yolo]\nhealth_timeout = 20\n");
    config = load(&(struct ox_agent_config_sources){place->conf, NULL, flags, 1});
    assert_int_equal(config->models_count, 2);
    assert_string_equal(config->models[0].model_id, "a");
    assert_null(ox_agent_config_get(config, "a", OX_AGENT_SETTING_HEALTH_CHECK)->text);
    assert_string_equal(ox_agent_config_get(config, "yolo", OX_AGENT_SETTING_HEALTH_CHECK)->text,
                        "of yolo ; true");
    assert_string_equal(ox_agent_config_get(config, "b", OX_AGENT_SETTING_HEALTH_CHECK)->text,
                        "of all");
    assert_true(ox_agent_config_get(config, "yolo", OX_AGENT_SETTING_HEALTH_TIMEOUT)->number ==
                20000);
    assert_true(ox_agent_config_get(config, "a", OX_AGENT_SETTING_HEALTH_TIMEOUT)->number == 10000);
    ox_agent_config_free(config);
}

static void config__names_the_place_of_what_is_wrong(void **state)
{
    const struct place *place = *state;
    char long_line[5000];

    refuses_file(place, "[agent]\npol_interval = 3\n", ":2: ", "did you mean poll_interval?");
    refuses_file(place, "[agent]\nrate_limit = 3\n", ":2: ", "it is a setting of [download]");
    refuses_file(place, "poll_interval = 3\n", ":1: ", "write [agent] above it");
    refuses_file(place, "\n[agnt]\nx = 3\n", ":2: ", "did you mean [agent]?");
    refuses_file(place, "[what]\nx = 3\n",
                 ":1: ", "[agent], [download], [activate], [models], [check], [consumer], and");
    refuses_file(place, "[model yolo]\npoll_interval = 3\n", ":2: ", "for all models alike");
    refuses_file(place, "[model ..]\nx = 1\n", ":1: ", "[model ..]: the model must");
    refuses_file(place, "[agent]\npoll_interval = 3\npoll_interval = 4\n",
                 ":3: ", "twice: line 2 has it");
    refuses_file(place, "[check]\nhealth_check = a\n  health_timeout = 4\n",
                 ":2: ", "begin it at the margin");
    refuses_file(place, "[agent]\nnothing\n", ":2: the line ", "key = value");
    refuses_file(place, "[agent]\ndevice_id = \xff\n", ":2: the line ", "UTF-8");
    memset(long_line, 'x', sizeof(long_line) - 1);
    memcpy(long_line, "[agent]\ndevice_id = ", 20);
    long_line[sizeof(long_line) - 1] = '\0';
    refuses_file(place, long_line, ":2: the line ", "too long");
    put(place, "agent.conf", "[agent]\nmetered = y\0\n", 21);
    refuses(&(struct ox_agent_config_sources){.file = place->conf}, ":2: the line ", "NUL");
}

static void config__each_kind_says_what_it_takes(void **state)
{
    static const struct {
        const char *section;
        const char *line;
        const char *expected;
    } rows[] = {
        {"agent", "control_plane = ftp://a", "'ftp://a': it is an address like http://HOST:PORT"},
        {"agent", "model_dir =", "'': it is a path"},
        {"agent", "poll_interval = soon", "'soon': it is a time such as 30"},
        {"agent", "poll_interval = 0", "from 1s to 1d"},
        {"agent", "poll_interval = 25h", "from 1s to 1d"},
        {"agent", "metered = maybe", "'maybe': it is yes or no"},
        {"agent", "log_format = xml", "'xml': it is one of auto, text, json"},
        {"download", "rate_limit = 0", "bytes per second such as"},
        {"download", "rate_limit = -1", "1 or more"},
        {"download", "window = noon", "windows such as 02:00-05:00"},
        {"check", "health_timeout = 2d", "from 1ms to 1d"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[160];

        (void)snprintf(text, sizeof(text), "[%s]\n%s\n", rows[i].section, rows[i].line);
        refuses_file(*state, text, ":2: ", rows[i].expected);
    }
}

static void config__environment_and_flags_are_named(void **state)
{
    const struct place *place = *state;
    static const char *const environment[] = {"OXIDE_POLL_INTERVAL=x", NULL};
    static const struct ox_agent_config_flag flags[] = {{"download-window", "01:00-02:00"},
                                                        {"download-window", "x"}};

    refuses(&(struct ox_agent_config_sources){place->conf, environment, NULL, 0},
            "OXIDE_POLL_INTERVAL cannot be 'x'", "it is a time");
    refuses(&(struct ox_agent_config_sources){place->conf, NULL, flags, 2},
            "--download-window cannot be ", "windows such as");
    refuses(&(struct ox_agent_config_sources){.file = "/nonexistent/agent.conf"},
            "/nonexistent/agent.conf", "");
    refuses(&(struct ox_agent_config_sources){.file = place->dir}, place->dir,
            "not a regular file");
}

static void config__tells_all_problems_of_all_files(void **state)
{
    const struct place *place = *state;
    static const char *const environment[] = {"OXIDE_METERED=x", NULL};
    struct ox_agent_config *config = NULL;
    struct ox_config_problems problems = {.count = 0};
    struct ox_err err = OX_ERR_INIT;

    write_text(place, "agent.conf", "[agent]\na = 1\nb = 2\n");
    write_text(place, "agent.conf.d/1.conf", "[agent]\nc = 1\n");
    for (int i = 0; i < 25; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "agent.conf.d/2-%02d.conf", i);
        write_text(place, name, "[check]\nd = 1\n");
    }
    assert_int_equal(
        ox_agent_config_load(&(struct ox_agent_config_sources){place->conf, environment, NULL, 0},
                             &config, &problems, &err),
        OX_EINVAL);
    assert_int_equal(problems.count, 29);
    assert_non_null(strstr(problems.lines[1], "agent.conf:3: "));
    assert_non_null(strstr(problems.lines[2], "agent.conf.d/1.conf:2: "));
    assert_non_null(strstr(err.msg, "29 things are wrong"));
    ox_config_problems_clear(&problems);
}

static void config__files_are_bounded(void **state)
{
    const struct place *place = *state;
    char *big = calloc(1, OX_AGENT_CONFIG_FILE_BYTES_MAX + 1);

    assert_non_null(big);
    memset(big, '\n', OX_AGENT_CONFIG_FILE_BYTES_MAX + 1);
    put(place, "agent.conf", big, OX_AGENT_CONFIG_FILE_BYTES_MAX + 1);
    refuses(&(struct ox_agent_config_sources){.file = place->conf}, place->conf, "1048577 bytes");
    free(big);
    write_text(place, "agent.conf", "");
    for (int i = 0; i < OX_AGENT_CONFIG_FILES_MAX; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "agent.conf.d/%02d.conf", i);
        write_text(place, name, "");
    }
    refuses(&(struct ox_agent_config_sources){.file = place->conf}, "/63.conf",
            "one file too many");
}

static void config__resolves_the_device(void **state)
{
    struct ox_agent_config *config = load_file(*state, "[agent]\ndevice_id = cam-01\n");
    char id[OX_ID_MAX + 1] = "";
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(ox_agent_config_device_id(config, id, NULL), OX_OK);
    assert_string_equal(id, "cam-01");
    ox_agent_config_free(config);
    config = load_file(*state, "[agent]\n\ndevice_id = cam-{what}\n");
    assert_int_equal(ox_agent_config_device_id(config, id, &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, "agent.conf:3: {what} is not known"));
    ox_agent_config_free(config);
    config = load_file(*state, "");
    assert_int_equal(ox_agent_config_device_id(config, id, &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, "which device is this?"));
    ox_agent_config_free(config);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(load__takes_a_credential_after_the_files),
        WITH_PLACE(config__has_defaults),
        WITH_PLACE(config__later_sources_win),
        WITH_PLACE(config__metered_polls_seldom_unless_told),
        WITH_PLACE(config__windows_are_joined_in_a_file_and_replaced_by_the_next),
        WITH_PLACE(config__a_model_has_settings_of_its_own),
        WITH_PLACE(config__names_the_place_of_what_is_wrong),
        WITH_PLACE(config__each_kind_says_what_it_takes),
        WITH_PLACE(config__environment_and_flags_are_named),
        WITH_PLACE(config__tells_all_problems_of_all_files),
        WITH_PLACE(config__files_are_bounded),
        WITH_PLACE(config__resolves_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The table, and what is written from it: with --write, the page and the sample file are. */
#include "../../../src/app/agent_config_inner.h"

#include "oxide/app/agent_reference.h"
#include "oxide/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *path;
    enum ox_code (*text)(struct ox_buf *out, struct ox_err *err);
} written[] = {
    {OX_TESTS_DIR "/../docs/agent-settings.md", ox_agent_reference},
    {OX_TESTS_DIR "/../src/packaging/agent.conf", ox_agent_sample},
};
#define WRITTEN (sizeof(written) / sizeof(written[0]))

static void rows__names_follow_one_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        const struct ox_setting *row = &ox_agent_settings[i];
        char plain[64];
        char full[64];

        (void)snprintf(plain, sizeof(plain), "%s", row->key);
        (void)snprintf(full, sizeof(full), "%s-%s", row->section, row->key);
        for (char *at = plain; *at != '\0'; at++) {
            *at = *at == '_' ? '-' : *at;
        }
        assert_true(strcmp(row->flag, plain) == 0 || strcmp(row->flag, full) == 0);
        assert_true(strchr(row->help, '|') == NULL && row->help[strlen(row->help) - 1] != '.');
        for (size_t j = 0; j < i; j++) {
            const struct ox_setting *other = &ox_agent_settings[j];
            bool both_of_models =
                row->scope == OX_SETTING_OF_MODEL && other->scope == OX_SETTING_OF_MODEL;

            assert_string_not_equal(row->flag, other->flag);
            assert_true(strcmp(row->key, other->key) != 0 ||
                        (strcmp(row->section, other->section) != 0 && !both_of_models));
        }
    }
}

static void rows__defaults_are_what_they_take(void **state)
{
    (void)state;
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        const struct ox_setting *row = &ox_agent_settings[i];
        struct ox_setting_value value = {0};

        assert_int_equal(
            ox_setting_parse(row, row->fallback == NULL ? "" : row->fallback, &value, NULL), OX_OK);
        ox_setting_value_clear(&value);
    }
}

static void written__is_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < WRITTEN; i++) {
        struct ox_buf text = OX_BUF_INIT;
        struct ox_buf file = OX_BUF_INIT;

        assert_int_equal(written[i].text(&text, NULL), OX_OK);
        assert_int_equal(ox_file_read_all(written[i].path, 1 << 20, &file, NULL), OX_OK);
        if (strcmp((const char *)text.data, (const char *)file.data) != 0) {
            fail_msg("%s is not what the table says: run unit_app_agent_settings --write",
                     written[i].path);
        }
        ox_buf_clear(&file);
        ox_buf_clear(&text);
    }
}

/* The sample with every setting that has a default taken out of its comment. */
static void sample__is_a_file_of_defaults(void **state)
{
    struct ox_agent_config *config = calloc(1, sizeof(*config));
    struct ox_config_problems problems = {.count = 0};
    struct ox_buf text = OX_BUF_INIT;
    char *models;

    (void)state;
    assert_non_null(config);
    assert_int_equal(ox_agent_sample(&text, NULL), OX_OK);
    models = strstr((char *)text.data, "# --- one model");
    assert_non_null(models);
    *models = '\0';
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        char line[256];
        char *at;

        (void)snprintf(line, sizeof(line), "\n#%s = %s\n", ox_agent_settings[i].key,
                       ox_agent_settings[i].fallback == NULL ? ox_agent_settings[i].value
                                                             : ox_agent_settings[i].fallback);
        at = strstr((char *)text.data, line);
        assert_non_null(at);
        if (ox_agent_settings[i].fallback != NULL) {
            memmove(at + 1, at + 2, strlen(at + 2) + 1);
        }
    }
    assert_int_equal(ox_agent_config_read(config, "sample", text.data,
                                          strlen((const char *)text.data), &problems, NULL),
                     OX_OK);
    if (problems.count > 0) {
        fail_msg("%s", problems.lines[0]);
    }
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        assert_int_equal(config->values[i].source == OX_SETTING_FILE,
                         ox_agent_settings[i].fallback != NULL);
    }
    ox_config_problems_clear(&problems);
    ox_agent_config_free(config);
    ox_buf_clear(&text);
}

static int write_all(void)
{
    for (size_t i = 0; i < WRITTEN; i++) {
        struct ox_buf text = OX_BUF_INIT;
        struct ox_err err = OX_ERR_INIT;

        if (written[i].text(&text, &err) != OX_OK ||
            ox_file_replace(written[i].path, text.data, text.len_bytes, 0644, &err) != OX_OK) {
            (void)fprintf(stderr, "%s\n", err.msg);
            return 1;
        }
        ox_buf_clear(&text);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows__names_follow_one_rule),
        cmocka_unit_test(rows__defaults_are_what_they_take),
        cmocka_unit_test(written__is_what_the_table_says),
        cmocka_unit_test(sample__is_a_file_of_defaults),
    };

    return argc == 2 && strcmp(argv[1], "--write") == 0 ? write_all()
                                                        : cmocka_run_group_tests(tests, NULL, NULL);
}

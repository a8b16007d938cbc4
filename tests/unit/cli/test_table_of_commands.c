#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/cli/args.h"
#include "../../../src/cli/exit_status.h"
#include "../../../src/cli/help.h"
#include "../../../src/cli/man.h"

#include <stdlib.h>
#include <string.h>

/* Text that `write` prints, which the caller frees. */
static char *printed(void (*write)(FILE *out, const void *arg), const void *arg)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    write(out, arg);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void write_help(FILE *out, const void *arg)
{
    ox_help_command(arg, out, false);
}

static void write_man(FILE *out, const void *arg)
{
    ox_man_page(arg, "1.2.3", out);
}

static void write_overview(FILE *out, const void *arg)
{
    (void)arg;
    ox_help_overview(out, false);
}

static void write_completion(FILE *out, const void *arg)
{
    (void)arg;
    ox_completion_bash(out);
}

static void rows__are_complete(void **state)
{
    (void)state;
    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        assert_non_null(row->summary);
        assert_non_null(row->example);
        assert_non_null(row->run);
        assert_true(strncmp(row->example, "oxide ", 6) == 0 ||
                    strncmp(row->example, "source ", 7) == 0);
        assert_ptr_equal(ox_command_find(row->path), row);
    }
}

static void rows__examples_parse(void **state)
{
    (void)state;
    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        struct ox_err err = OX_ERR_INIT;
        struct ox_args args = OX_ARGS_INIT;
        const char *argv[32];
        char *line = strdup(row->example);
        char *at = line;
        int argc = 0;

        assert_non_null(line);
        line[strcspn(line, "\n|")] = '\0'; /* the first line, up to a pipe */
        if (strncmp(line, "source", 6) == 0) {
            free(line);
            continue;
        }
        while (*at != '\0' && argc < 32) { /* words; a quoted one counts as one */
            char end = *at == '"' || *at == '\'' ? *at++ : ' ';

            argv[argc++] = at;
            at += strcspn(at, end == ' ' ? " " : end == '"' ? "\"" : "'");
            while (*at == end || *at == ' ') {
                *at++ = '\0';
            }
        }
        if (ox_args_parse(&args, argc, argv, &err) != OX_OK) {
            fail_msg("%s: %s", row->example, err.msg);
        }
        assert_ptr_equal(args.command, row);
        ox_args_clear(&args);
        free(line);
    }
}

static void rows__options_of_one_name_agree(void **state)
{
    (void)state;
    for (const struct ox_command *a = ox_commands; a->path != NULL; a++) {
        for (const struct ox_option *x = a->options; x != NULL && x->name != NULL; x++) {
            for (const struct ox_command *b = a; b->path != NULL; b++) {
                for (const struct ox_option *y = b->options; y != NULL && y->name != NULL; y++) {
                    bool same = strcmp(x->name, y->name) == 0;

                    assert_true(!same || (x->value == NULL) == (y->value == NULL));
                    assert_true(same || x->letter == 0 || x->letter != y->letter);
                }
            }
            for (const struct ox_option *y = ox_global_options; y->name != NULL; y++) {
                /* behind the words of a command whose own it is, --version is that of a model */
                assert_true(strcmp(x->name, y->name) != 0 ||
                            (strcmp(x->name, "version") == 0 && strchr(a->path, ' ') != NULL));
                assert_true(x->letter == 0 || x->letter != y->letter);
            }
        }
    }
}

static void rows__second_words_have_a_family(void **state)
{
    (void)state;
    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        const char *space = strchr(row->path, ' ');
        bool found = false;

        for (const struct ox_family *family = ox_families; family->name != NULL; family++) {
            size_t len = strlen(family->name);

            /* else its words and the commands of the family could not be told apart */
            assert_true(strcmp(row->path, family->name) != 0 || row->words == NULL);
            found = found || (space != NULL && (size_t)(space - row->path) == len &&
                              strncmp(row->path, family->name, len) == 0);
        }
        assert_int_equal(found, space != NULL);
        assert_true(space == NULL || strchr(space + 1, ' ') == NULL);
    }
}

static void help__names_every_word_option_and_status(void **state)
{
    (void)state;
    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        char *text = printed(write_help, row);

        assert_non_null(strstr(text, row->path));
        assert_non_null(strstr(text, "Example:"));
        assert_non_null(strstr(text, "--help"));
        assert_non_null(strstr(text, "Exit status:"));
        for (const struct ox_option *o = row->options; o != NULL && o->name != NULL; o++) {
            char name[64];

            (void)snprintf(name, sizeof(name), "--%s", o->name);
            assert_non_null(strstr(text, name));
        }
        for (const struct ox_positional *w = row->words; w != NULL && w->name != NULL; w++) {
            assert_non_null(strstr(text, w->name));
        }
        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
            if (strcspn(line, "\n") > 100) {
                fail_msg("%s: a line of help is too long: %.120s", row->path, line);
            }
        }
        free(text);
    }
}

static void overview__lists_every_command(void **state)
{
    char *text = printed(write_overview, NULL);

    (void)state;
    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        char line[64];

        (void)snprintf(line, sizeof(line), "\n  %s ", row->path);
        assert_non_null(strstr(text, line));
    }
    free(text);
}

static void man__lists_every_command_and_escapes(void **state)
{
    char *text = printed(write_man, NULL);

    (void)state;
    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        char *page = printed(write_man, row);

        assert_non_null(strstr(text, row->path));
        assert_non_null(strstr(page, ".SH EXIT STATUS"));
        free(page);
    }
    assert_null(strstr(text, " --"));
    free(text);
}

static void completion__names_every_command(void **state)
{
    char *text = printed(write_completion, NULL);

    (void)state;
    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        char line[64];

        (void)snprintf(line, sizeof(line), "'%s') options=", row->path);
        assert_non_null(strstr(text, line));
    }
    free(text);
}

static void exits__cover_every_code(void **state)
{
    static const enum ox_code codes[] = {
#define CODE(symbol, number, word) symbol,
        OX_CODES(CODE)
#undef CODE
    };

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        enum ox_exit status = ox_exit_of(codes[i]);
        bool listed = false;

        for (const struct ox_exit_row *row = ox_exit_rows; row->meaning != NULL; row++) {
            listed = listed || row->status == status;
        }
        assert_true(listed);
        assert_int_equal(status == OX_EXIT_OK, codes[i] == OX_OK);
    }
    assert_int_equal(ox_exit_of(OX_ENOTFOUND), 3);
    assert_int_equal(ox_exit_of(OX_ECONFLICT), 4);
    assert_int_equal(ox_exit_of(OX_ENET), 5);
    assert_int_equal(ox_exit_of(OX_EBASE), 6);
    assert_int_equal(ox_exit_of(OX_ENOSPC), 7);
    assert_int_equal(ox_exit_of(OX_ECANCELED), 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows__are_complete),
        cmocka_unit_test(rows__examples_parse),
        cmocka_unit_test(rows__options_of_one_name_agree),
        cmocka_unit_test(rows__second_words_have_a_family),
        cmocka_unit_test(help__names_every_word_option_and_status),
        cmocka_unit_test(overview__lists_every_command),
        cmocka_unit_test(man__lists_every_command_and_escapes),
        cmocka_unit_test(completion__names_every_command),
        cmocka_unit_test(exits__cover_every_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

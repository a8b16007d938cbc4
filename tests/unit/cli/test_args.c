#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/cli/args.h"

#include <string.h>

#define PARSE(args, err, ...)                                                                      \
    parse((args), (err), (const char *const[]){"oxide", __VA_ARGS__, NULL})

static enum ox_code parse(struct ox_args *args, struct ox_err *err, const char *const *argv)
{
    int argc = 0;

    while (argv[argc] != NULL) {
        argc++;
    }
    *args = (struct ox_args)OX_ARGS_INIT;
    ox_err_clear(err);
    return ox_args_parse(args, argc, argv, err);
}

static void parse__finds_command_and_words(void **state)
{
    struct ox_err err;
    struct ox_args args;

    (void)state;
    assert_int_equal(PARSE(&args, &err, "push", "m", "v1", "file"), OX_OK);
    assert_string_equal(args.command->path, "push");
    assert_int_equal(args.word_count, 3);
    assert_string_equal(ox_args_word(&args, 2), "file");
    assert_null(ox_args_word(&args, 3));
    ox_args_clear(&args);
}

static void parse__finds_command_of_two_words(void **state)
{
    struct ox_err err;
    struct ox_args args;

    (void)state;
    assert_int_equal(PARSE(&args, &err, "device", "register", "cam-01"), OX_OK);
    assert_string_equal(args.command->path, "device register");
    assert_string_equal(ox_args_word(&args, 0), "cam-01");
    ox_args_clear(&args);
}

static void parse__takes_options_anywhere(void **state)
{
    struct ox_err err;
    struct ox_args args;

    (void)state;
    assert_int_equal(PARSE(&args, &err, "--server", "http://h:1", "device", "--name", "East",
                           "register", "--json", "cam-01", "-v"),
                     OX_OK);
    assert_string_equal(args.command->path, "device register");
    assert_int_equal(args.word_count, 1);
    assert_string_equal(ox_args_word(&args, 0), "cam-01");
    assert_string_equal(ox_args_value(&args, "name", NULL), "East");
    assert_string_equal(ox_args_value(&args, "server", NULL), "http://h:1");
    assert_true(ox_args_has(&args, "json"));
    assert_true(ox_args_has(&args, "verbose"));
    ox_args_clear(&args);
}

static void parse__takes_values_in_each_spelling(void **state)
{
    static const char *const spellings[][2] = {
        {"--output", "x"}, {"--output=x", NULL}, {"-o", "x"}, {"-ox", NULL}, {"-o=x", NULL}};
    struct ox_err err;
    struct ox_args args;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        const char *argv[] = {"oxide", "delta",         "create",        "a",
                              "b",     spellings[i][0], spellings[i][1], NULL};

        assert_int_equal(parse(&args, &err, argv), OX_OK);
        assert_string_equal(ox_args_value(&args, "output", NULL), "x");
        assert_int_equal(args.word_count, 2);
        ox_args_clear(&args);
    }
}

static void parse__keeps_empty_value_and_lone_dash(void **state)
{
    struct ox_err err;
    struct ox_args args;

    (void)state;
    assert_int_equal(PARSE(&args, &err, "delta", "create", "-", "b", "--output=", "-o", "-"),
                     OX_OK);
    assert_string_equal(ox_args_nth(&args, "output", 0), "");
    assert_string_equal(ox_args_nth(&args, "output", 1), "-");
    assert_null(ox_args_nth(&args, "output", 2));
    assert_string_equal(ox_args_value(&args, "output", NULL), "-");
    assert_string_equal(ox_args_word(&args, 0), "-");
    ox_args_clear(&args);
}

static void parse__ends_options_at_two_dashes(void **state)
{
    struct ox_err err;
    struct ox_args args;

    (void)state;
    assert_int_equal(PARSE(&args, &err, "info", "--", "--json"), OX_OK);
    assert_false(ox_args_has(&args, "json"));
    assert_string_equal(ox_args_word(&args, 0), "--json");
    ox_args_clear(&args);
}

static void parse__refuses_with_a_hint(void **state)
{
    static const struct {
        const char *argv[8];
        const char *hint;
    } rows[] = {
        {{"oxide", "psuh"}, "did you mean 'oxide push'"},
        {{"oxide", "devise"}, "did you mean 'oxide device'"},
        {{"oxide", "device", "regster", "x"}, "did you mean 'oxide device register'"},
        {{"oxide", "device", "fly"}, "see 'oxide help device'"},
        {{"oxide", "frobnicate"}, "'oxide help' lists them"},
        {{"oxide", "info", "x", "--jsno"}, "did you mean --json"},
        {{"oxide", "info", "x", "--frobnicate"}, "see 'oxide help info'"},
        {{"oxide", "info", "x", "-q"}, "no option -q"},
        {{"oxide", "info", "x", "--server", "u"}, "has no option --server"},
        {{"oxide", "info", "x", "--json=1"}, "takes no value"},
        {{"oxide", "info"}, "needs PATH"},
        {{"oxide", "info", "a", "b"}, "what to do with 'b'"},
        {{"oxide", "fleet", "add", "f"}, "needs DEVICE"},
        {{"oxide", "delta", "create", "a", "b", "-o"}, "--output needs a value"},
        {{"oxide", "delta", "create", "a", "b", "--engine", "magic"}, "auto|tensor|binary"},
        {{"oxide", "delta", "create", "a", "b", "--engine", "aut"}, "auto|tensor|binary"},
        {{"oxide", "--json"}, "no command"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_err err;
        struct ox_args args;

        assert_int_equal(parse(&args, &err, rows[i].argv), OX_EINVAL);
        if (strstr(err.msg, rows[i].hint) == NULL) {
            fail_msg("row %zu: '%s' does not say '%s'", i, err.msg, rows[i].hint);
        }
        ox_args_clear(&args);
    }
}

static void parse__names_the_family_without_a_second_word(void **state)
{
    struct ox_err err;
    struct ox_args args;

    (void)state;
    assert_int_equal(PARSE(&args, &err, "device"), OX_OK);
    assert_null(args.command);
    assert_string_equal(args.family, "device");
    ox_args_clear(&args);
}

static void parse__asks_for_no_words_beside_help(void **state)
{
    struct ox_err err;
    struct ox_args args;

    (void)state;
    assert_int_equal(PARSE(&args, &err, "push", "--help"), OX_OK);
    assert_string_equal(args.command->path, "push");
    assert_true(ox_args_has(&args, "help"));
    ox_args_clear(&args);
    assert_int_equal(PARSE(&args, &err, "-h"), OX_OK);
    assert_null(args.command);
    assert_true(ox_args_has(&args, "help"));
    ox_args_clear(&args);
}

static void number__takes_whole_numbers_in_bounds(void **state)
{
    static const char *const bad[] = {
        "", "x", "-1", "+1", " 1", "1 ", "0x1", "65", "0", "1.5", "99999999999999999999"};
    struct ox_err err;
    struct ox_args args;
    uint64_t value = 7;

    (void)state;
    assert_int_equal(PARSE(&args, &err, "delta", "create", "a", "b"), OX_OK);
    assert_int_equal(ox_args_number(&args, "threads", 1, 64, &value, &err), OX_OK);
    assert_int_equal(value, 7);
    ox_args_clear(&args);
    assert_int_equal(PARSE(&args, &err, "delta", "create", "a", "b", "--threads", "64"), OX_OK);
    assert_int_equal(ox_args_number(&args, "threads", 1, 64, &value, &err), OX_OK);
    assert_int_equal(value, 64);
    ox_args_clear(&args);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(PARSE(&args, &err, "delta", "create", "a", "b", "--threads", bad[i]),
                         OX_OK);
        assert_int_equal(ox_args_number(&args, "threads", 1, 64, &value, &err), OX_EINVAL);
        assert_int_equal(value, 64);
        ox_args_clear(&args);
    }
}

static void seconds__takes_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {{"30", 30000}, {"90s", 90000}, {"15m", 900000}, {"1h", 3600000}, {"500ms", 500}};
    struct ox_err err;
    struct ox_args args;
    uint64_t ms = 0;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(PARSE(&args, &err, "deploy", "m", "--timeout", rows[i].text), OX_OK);
        assert_int_equal(ox_args_seconds(&args, "timeout", 3600000, &ms, &err), OX_OK);
        assert_int_equal(ms, rows[i].ms);
        ox_args_clear(&args);
    }
    assert_int_equal(PARSE(&args, &err, "deploy", "m", "--timeout", "2h"), OX_OK);
    assert_int_equal(ox_args_seconds(&args, "timeout", 3600000, &ms, &err), OX_EINVAL);
    ox_args_clear(&args);
    assert_int_equal(PARSE(&args, &err, "deploy", "m", "--timeout", "5d"), OX_OK);
    assert_int_equal(ox_args_seconds(&args, "timeout", 3600000, &ms, &err), OX_EINVAL);
    ox_args_clear(&args);
}

static void size__takes_units_in_bounds(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"65536", 65536}, {"64K", 65536}, {"100m", 100 << 20}, {"1G", 1 << 30}};
    static const char *const bad[] = {
        "63K", "1025M", "2G", "99999999999999999999", "18446744073709551615T", "64 K", "64KB",
        "M",   "-1M",   ""};
    struct ox_err err;
    struct ox_args args;
    uint64_t bytes = 7;

    (void)state;
    assert_int_equal(PARSE(&args, &err, "delta", "create", "a", "b"), OX_OK);
    assert_int_equal(ox_args_size(&args, "memory", 65536, 1 << 30, &bytes, &err), OX_OK);
    assert_int_equal(bytes, 7);
    ox_args_clear(&args);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(PARSE(&args, &err, "delta", "create", "a", "b", "--memory", good[i].text),
                         OX_OK);
        assert_int_equal(ox_args_size(&args, "memory", 65536, 1 << 30, &bytes, &err), OX_OK);
        assert_int_equal(bytes, good[i].bytes);
        ox_args_clear(&args);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(PARSE(&args, &err, "delta", "create", "a", "b", "--memory", bad[i]),
                         OX_OK);
        assert_int_equal(ox_args_size(&args, "memory", 65536, 1 << 30, &bytes, &err), OX_EINVAL);
        assert_non_null(strstr(err.msg, "64K to 1G"));
        ox_args_clear(&args);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__finds_command_and_words),
        cmocka_unit_test(parse__finds_command_of_two_words),
        cmocka_unit_test(parse__takes_options_anywhere),
        cmocka_unit_test(parse__takes_values_in_each_spelling),
        cmocka_unit_test(parse__keeps_empty_value_and_lone_dash),
        cmocka_unit_test(parse__ends_options_at_two_dashes),
        cmocka_unit_test(parse__refuses_with_a_hint),
        cmocka_unit_test(parse__names_the_family_without_a_second_word),
        cmocka_unit_test(parse__asks_for_no_words_beside_help),
        cmocka_unit_test(number__takes_whole_numbers_in_bounds),
        cmocka_unit_test(seconds__takes_units),
        cmocka_unit_test(size__takes_units_in_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

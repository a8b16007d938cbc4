#include "oxide/app/setting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct ox_setting row_of(enum ox_setting_kind kind, uint64_t min, uint64_t max)
{
    return (struct ox_setting){.section = "s",
                               .key = "a_key",
                               .flag = "a-key",
                               .kind = kind,
                               .min = min,
                               .max = max,
                               .value = "one|two|three"};
}

static void takes(const struct ox_setting *row, const char *text, uint64_t number)
{
    struct ox_setting_value value = {0};

    assert_int_equal(ox_setting_parse(row, text, &value, NULL), OX_OK);
    assert_string_equal(value.text, text);
    assert_true(value.number == number);
    ox_setting_value_clear(&value);
}

static void refuses(const struct ox_setting *row, const char *text, const char *naming)
{
    struct ox_setting_value value = {.line = 7};
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(ox_setting_parse(row, text, &value, &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, naming));
    assert_int_equal(value.line, 7);
    assert_null(value.text);
}

static void numbers__are_read_in_their_units(void **state)
{
    struct ox_setting row = row_of(OX_SETTING_BYTES, 1024, 1 << 20);

    (void)state;
    takes(&row, "64K", 65536);
    refuses(&row, "512", "from 1K to 1M");
    row = row_of(OX_SETTING_RATE, 1, 0);
    takes(&row, "1G", 1 << 30);
    refuses(&row, "16777216T", "bytes per second");
    row = row_of(OX_SETTING_NUMBER, 0, 9);
    takes(&row, "9", 9);
    refuses(&row, "10", "a whole number, from 0 to 9");
    refuses(&row, "0x1", "'0x1'");
    row = row_of(OX_SETTING_DURATION, 1000, 60000);
    takes(&row, "1m", 60000);
    refuses(&row, "999ms", "from 1s to 1m");
}

static void words__are_told_apart(void **state)
{
    struct ox_setting row = row_of(OX_SETTING_YES_NO, 0, 0);

    (void)state;
    takes(&row, "yes", 1);
    takes(&row, "false", 0);
    refuses(&row, "YES", "yes or no");
    row = row_of(OX_SETTING_CHOICE, 0, 0);
    takes(&row, "one", 0);
    takes(&row, "three", 2);
    refuses(&row, "t", "one of one, two, three");
    refuses(&row, "one|two", "one of");
}

static void lists__have_bounds(void **state)
{
    struct ox_setting row = row_of(OX_SETTING_LIST, 0, 0);
    struct ox_setting_value value = {0};
    char many[4 * OX_SETTING_ENTRIES_MAX] = "";

    (void)state;
    assert_int_equal(ox_setting_parse(&row, " a, b\tc,,\nd ", &value, NULL), OX_OK);
    assert_int_equal(value.items_count, 4);
    assert_string_equal(value.items[1], "b");
    assert_string_equal(value.items[3], "d");
    for (size_t i = 0; i <= OX_SETTING_ENTRIES_MAX; i++) {
        strcat(many, "a ");
    }
    assert_int_equal(ox_setting_parse(&row, many, &value, NULL), OX_EINVAL);
    assert_int_equal(value.items_count, 4);
    ox_setting_value_clear(&value);
    row = row_of(OX_SETTING_WINDOWS, 0, 0);
    assert_int_equal(ox_setting_parse(&row, "01:00-02:00 ;\n mon 03:00-04:00;", &value, NULL),
                     OX_OK);
    assert_int_equal(value.windows_count, 2);
    ox_setting_value_clear(&value);
}

static void texts__are_clean_and_bounded(void **state)
{
    struct ox_setting row = row_of(OX_SETTING_TEXT, 1, 4);

    (void)state;
    takes(&row, "\xc3\xa4\xc3\xb6", 0);
    refuses(&row, "12345", "1 to 4 bytes");
    refuses(&row, "a\nb", "'a\\x0ab'");
    refuses(&row, "\xff", "UTF-8");
    row = row_of(OX_SETTING_COMMAND, 0, 0);
    takes(&row, "a\nb\tc", 0);
    refuses(&row, "\x1b", "a command for sh -c");
}

static void empty__is_none_where_there_is_no_default(void **state)
{
    struct ox_setting row = row_of(OX_SETTING_NUMBER, 1, 9);
    struct ox_setting_value value = {0};

    (void)state;
    assert_int_equal(ox_setting_parse(&row, "", &value, NULL), OX_OK);
    assert_null(value.text);
    row.fallback = "5";
    refuses(&row, "", "cannot be ''");
}

static void names__follow_from_the_flag(void **state)
{
    struct ox_setting row = row_of(OX_SETTING_NUMBER, 1, 9);
    struct ox_setting_value value = {.source = OX_SETTING_FILE, .file = "/a/b.conf", .line = 12};
    char name[OX_SETTING_NAME_MAX];
    char origin[OX_SETTING_ORIGIN_MAX];

    (void)state;
    assert_string_equal(ox_setting_variable(&row, name), "OXIDE_A_KEY");
    assert_string_equal(ox_setting_origin(&row, &value, origin), "/a/b.conf:12");
    value.source = OX_SETTING_FLAG;
    assert_string_equal(ox_setting_origin(&row, &value, origin), "--a-key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers__are_read_in_their_units),
        cmocka_unit_test(words__are_told_apart),
        cmocka_unit_test(lists__have_bounds),
        cmocka_unit_test(texts__are_clean_and_bounded),
        cmocka_unit_test(empty__is_none_where_there_is_no_default),
        cmocka_unit_test(names__follow_from_the_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

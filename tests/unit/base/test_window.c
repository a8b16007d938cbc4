#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/window.h"

#include <string.h>

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define MONDAY_MS (4 * DAY_MS) /* 1970-01-05 */

static struct ox_window window(const char *text)
{
    struct ox_window out = {0, 0, 0};

    assert_int_equal(ox_window_parse(text, &out, NULL), OX_OK);
    return out;
}

static bool open_at(const char *text, int64_t local_ms)
{
    struct ox_window one = window(text);

    return ox_windows_open(&one, 1, local_ms);
}

static int64_t wait_at(const char *text, int64_t local_ms)
{
    struct ox_window one = window(text);

    return ox_windows_wait_ms(&one, 1, local_ms);
}

static void window__every_day(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 14; day++) {
        int64_t at = MONDAY_MS + day * DAY_MS;

        assert_false(open_at("02:00-05:00", at + 2 * HOUR_MS - 1));
        assert_true(open_at("02:00-05:00", at + 2 * HOUR_MS));
        assert_true(open_at("02:00-05:00", at + 5 * HOUR_MS - 1));
        assert_false(open_at("02:00-05:00", at + 5 * HOUR_MS));
        assert_int_equal(wait_at("02:00-05:00", at), 2 * HOUR_MS);
        assert_int_equal(wait_at("02:00-05:00", at + 5 * HOUR_MS + 30000), 21 * HOUR_MS - 30000);
    }
}

static void window__over_midnight_and_over_the_week(void **state)
{
    (void)state;
    /* Sunday's goes on into Monday. */
    assert_true(open_at("sun 22:00-04:00", MONDAY_MS + 3 * HOUR_MS));
    assert_false(open_at("sun 22:00-04:00", MONDAY_MS + 4 * HOUR_MS));
    assert_false(open_at("mon 22:00-04:00", MONDAY_MS + 3 * HOUR_MS));
    assert_true(open_at("mon 22:00-04:00", MONDAY_MS + 23 * HOUR_MS));
    assert_int_equal(wait_at("sun 22:00-04:00", MONDAY_MS + 4 * HOUR_MS),
                     6 * DAY_MS + 18 * HOUR_MS);
}

static void window__days_and_ranges(void **state)
{
    (void)state;
    assert_int_equal(window("mon-fri 08:00-09:00").days, 0x1f);
    assert_int_equal(window("fri-mon 08:00-09:00").days, 0x71);
    assert_int_equal(window("sat,sun 00:00-24:00").days, 0x60);
    assert_int_equal(window("mon,wed-thu 00:00-24:00").days, 0x0d);
    assert_true(open_at("sat,sun 00:00-24:00", MONDAY_MS - 1));
    assert_false(open_at("sat,sun 00:00-24:00", MONDAY_MS));
    assert_true(open_at("00:00-24:00", 0));
    assert_true(ox_windows_open(NULL, 0, 0));           /* none is always */
    assert_true(open_at("02:00-05:00", -22 * HOUR_MS)); /* before 1970 */
}

static int64_t left_at(const char *text, int64_t local_ms)
{
    struct ox_window one = window(text);

    return ox_windows_left_ms(&one, 1, local_ms);
}

static void window__stays_open_for(void **state)
{
    struct ox_window two[2] = {window("02:00-05:00"), window("mon 05:00-06:30")};
    struct ox_window all[2] = {window("00:00-12:00"), window("12:00-24:00")};

    (void)state;
    assert_int_equal(left_at("02:00-05:00", MONDAY_MS + 2 * HOUR_MS), 3 * HOUR_MS);
    assert_int_equal(left_at("02:00-05:00", MONDAY_MS + 5 * HOUR_MS - 1), 1);
    assert_int_equal(left_at("02:00-05:00", MONDAY_MS + 5 * HOUR_MS), 0);
    assert_int_equal(left_at("sun 22:00-04:00", MONDAY_MS + HOUR_MS), 3 * HOUR_MS);
    assert_int_equal(left_at("sat,sun 00:00-24:00", MONDAY_MS - DAY_MS - 1), DAY_MS + 1);
    assert_int_equal(left_at("00:00-24:00", MONDAY_MS + 7), 7 * DAY_MS); /* for ever */
    assert_int_equal(ox_windows_left_ms(two, 2, MONDAY_MS + 4 * HOUR_MS), HOUR_MS * 5 / 2);
    assert_int_equal(ox_windows_left_ms(two, 2, MONDAY_MS + DAY_MS + 4 * HOUR_MS), HOUR_MS);
    assert_int_equal(ox_windows_left_ms(all, 2, MONDAY_MS + 7), 7 * DAY_MS);
    assert_int_equal(ox_windows_left_ms(NULL, 0, 0), 7 * DAY_MS);
}

static int64_t pass_from(const char *text, int64_t local_ms, int64_t open_ms)
{
    struct ox_window one = window(text);

    return ox_windows_pass_ms(&one, 1, local_ms, open_ms);
}

static void window__passes_only_while_it_is_open(void **state)
{
    (void)state;
    assert_int_equal(pass_from("02:00-05:00", MONDAY_MS, 0), 0);
    assert_int_equal(pass_from("02:00-05:00", MONDAY_MS, HOUR_MS), 3 * HOUR_MS);
    assert_int_equal(pass_from("02:00-05:00", MONDAY_MS + 3 * HOUR_MS, HOUR_MS), HOUR_MS);
    assert_int_equal(pass_from("02:00-05:00", MONDAY_MS + 4 * HOUR_MS, 2 * HOUR_MS), 23 * HOUR_MS);
    assert_int_equal(pass_from("mon 02:00-03:00", MONDAY_MS, 52 * HOUR_MS + 1),
                     52 * 7 * DAY_MS + 2 * HOUR_MS + 1);
    assert_int_equal(pass_from("mon 02:00-03:00", MONDAY_MS + HOUR_MS * 5 / 2, HOUR_MS),
                     7 * DAY_MS);
    assert_int_equal(pass_from("00:00-24:00", MONDAY_MS + 7, 9 * DAY_MS), 9 * DAY_MS);
    assert_int_equal(ox_windows_pass_ms(&(struct ox_window){0, 60, 120}, 1, MONDAY_MS, 1),
                     INT64_MAX);
    assert_int_equal(ox_windows_pass_ms(NULL, 0, MONDAY_MS, 9 * DAY_MS), 9 * DAY_MS);
}

static void window__text_is_read_back(void **state)
{
    static const char *const texts[] = {"02:00-05:00", "mon,tue,wed,thu,fri 22:00-04:00",
                                        "sat,sun 00:00-24:00"};
    char text[OX_WINDOW_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct ox_window one = window(texts[i]);

        assert_string_equal(ox_window_text(&one, text), texts[i]);
    }
}

static void window__refuses_what_is_none(void **state)
{
    static const char *const texts[] = {"",
                                        "2:00-5:00",
                                        "02:00",
                                        "02:00-",
                                        "02:00-25:00",
                                        "24:00-01:00",
                                        "02:60-03:00",
                                        "02:00-02:00",
                                        "foo 02:00-03:00",
                                        "mon02:00-03:00",
                                        "mon- 02:00",
                                        "mon, 02:00",
                                        "02:00-03:00x",
                                        "02:00 - 03:00"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ox_window out = {1, 2, 3};
        struct ox_err err = OX_ERR_INIT;

        assert_int_equal(ox_window_parse(texts[i], &out, &err), OX_EINVAL);
        assert_non_null(strstr(err.msg, texts[i]));
        assert_int_equal(out.from_min, 2); /* untouched */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window__every_day),
        cmocka_unit_test(window__over_midnight_and_over_the_week),
        cmocka_unit_test(window__days_and_ranges),
        cmocka_unit_test(window__stays_open_for),
        cmocka_unit_test(window__passes_only_while_it_is_open),
        cmocka_unit_test(window__text_is_read_back),
        cmocka_unit_test(window__refuses_what_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

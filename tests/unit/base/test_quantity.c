#include "oxide/base/quantity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void number__is_digits_alone(void **state)
{
    static const char *const bad[] = {"",   "-1",  "+1",  " 1",
                                      "1 ", "0x1", "1.5", "18446744073709551616"};
    uint64_t value = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(ox_number_parse(bad[i], &value));
        assert_int_equal(value, 7);
    }
    assert_true(ox_number_parse("18446744073709551615", &value));
    assert_true(value == UINT64_MAX);
}

static void time_span__has_units_and_a_bound(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"30", 30000},   {"30s", 30000},    {"500ms", 500}, {"15m", 900000},
                {"1h", 3600000}, {"2d", 172800000}, {"0", 0}};
    static const char *const bad[] = {"", "s", "3 s", "3S", "4d", "1h30m", "99999999999999999999"};
    uint64_t ms = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(ox_time_span_parse(good[i].text, 259200000, &ms));
        assert_true(ms == good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(ox_time_span_parse(bad[i], 259200000, &ms));
    }
}

static void size__has_units_of_1024(void **state)
{
    uint64_t bytes = 0;

    (void)state;
    assert_true(ox_size_parse("64k", UINT64_MAX, &bytes));
    assert_true(bytes == 65536);
    assert_true(ox_size_parse("2T", UINT64_MAX, &bytes));
    assert_true(bytes == (uint64_t)2 << 40);
    assert_false(ox_size_parse("1G", (1 << 30) - 1, &bytes));
    assert_false(ox_size_parse("1KB", UINT64_MAX, &bytes));
    assert_false(ox_size_parse("99999999T", UINT64_MAX, &bytes));
}

static void texts__are_read_back(void **state)
{
    static const uint64_t values[] = {0,
                                      1,
                                      500,
                                      1000,
                                      1024,
                                      1500,
                                      90000,
                                      3600000,
                                      65536,
                                      86400000,
                                      (uint64_t)3 << 30,
                                      (uint64_t)INT64_MAX};
    char text[OX_QUANTITY_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint64_t back = 0;

        assert_true(ox_time_span_parse(ox_time_span_text(values[i], text), UINT64_MAX, &back));
        assert_true(back == values[i]);
        assert_true(ox_size_parse(ox_size_text(values[i], text), UINT64_MAX, &back));
        assert_true(back == values[i]);
    }
    assert_string_equal(ox_time_span_text(90000, text), "90s");
    assert_string_equal(ox_time_span_text(86400000, text), "1d");
    assert_string_equal(ox_size_text((uint64_t)64 << 20, text), "64M");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number__is_digits_alone),
        cmocka_unit_test(time_span__has_units_and_a_bound),
        cmocka_unit_test(size__has_units_of_1024),
        cmocka_unit_test(texts__are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/api/range.h"

static void assert_part(const char *header, uint64_t size, uint64_t first, uint64_t len)
{
    struct ox_range range = {0, 0};

    assert_int_equal(ox_range_parse(header, size, &range), OX_RANGE_PART);
    assert_int_equal(range.first, first);
    assert_int_equal(range.len_bytes, len);
}

static void range__one_part_is_honoured(void **state)
{
    (void)state;
    assert_part("bytes=0-0", 100, 0, 1);
    assert_part("bytes=10-19", 100, 10, 10);
    assert_part("bytes=90-", 100, 90, 10);
    assert_part("bytes=90-1000", 100, 90, 10);
    assert_part("bytes=-5", 100, 95, 5);
    assert_part("bytes=-500", 100, 0, 100);
    assert_part("Bytes= 1-2 ", 100, 1, 2);
}

static void range__what_is_no_single_range_gives_the_whole(void **state)
{
    static const char *const headers[] = {
        NULL,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "items=0-5",
        "bytes=0-0,2-3",
        "bytes=0-0 x",
        "bytes=--5",
        "bytes=1",
        "bytes=99999999999999999999999-",
        "bytes=0-99999999999999999999999",
    };
    struct ox_range range;

    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_int_equal(ox_range_parse(headers[i], 100, &range), OX_RANGE_WHOLE);
    }
}

static void range__past_the_end_is_outside(void **state)
{
    struct ox_range range;

    (void)state;
    assert_int_equal(ox_range_parse("bytes=100-", 100, &range), OX_RANGE_OUTSIDE);
    assert_int_equal(ox_range_parse("bytes=100-200", 100, &range), OX_RANGE_OUTSIDE);
    assert_int_equal(ox_range_parse("bytes=-0", 100, &range), OX_RANGE_OUTSIDE);
    assert_int_equal(ox_range_parse("bytes=0-", 0, &range), OX_RANGE_OUTSIDE);
    assert_int_equal(ox_range_parse("bytes=-5", 0, &range), OX_RANGE_OUTSIDE);
}

static void content_range__is_read(void **state)
{
    uint64_t first = 9;
    uint64_t last = 9;
    uint64_t total = 9;

    (void)state;
    assert_int_equal(ox_content_range_parse("bytes 0-0/1", &first, &last, &total, NULL), OX_OK);
    assert_int_equal(first, 0);
    assert_int_equal(last, 0);
    assert_int_equal(total, 1);
    assert_int_equal(ox_content_range_parse("bytes 5-99/100", &first, &last, &total, NULL), OX_OK);
    assert_int_equal(first, 5);
    assert_int_equal(total, 100);
}

static void content_range__refuses_what_is_none(void **state)
{
    static const char *const headers[] = {
        "",
        "bytes",
        "bytes 5-4/10",
        "bytes 0-10/10",
        "bytes */10",
        "bytes 0-9",
        "bytes 0-9/*",
        "bytes 0-9/10x",
        "items 0-9/10",
        "bytes -1-9/10",
        "bytes 0-99999999999999999999/99999999999999999999999",
    };
    uint64_t first;
    uint64_t last;
    uint64_t total;

    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_int_equal(ox_content_range_parse(headers[i], &first, &last, &total, NULL),
                         OX_EINVAL);
    }
}

static void etag__is_found_in_a_list(void **state)
{
    (void)state;
    assert_true(ox_etag_listed("\"abc\"", "\"abc\""));
    assert_true(ox_etag_listed("\"x\", W/\"abc\"", "\"abc\""));
    assert_true(ox_etag_listed(" * ", "\"abc\""));
    assert_false(ox_etag_listed("\"abcd\"", "\"abc\""));
    assert_false(ox_etag_listed("abc", "\"abc\""));
    assert_false(ox_etag_listed("", "\"abc\""));
    assert_false(ox_etag_listed(" , ", "\"abc\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range__one_part_is_honoured),
        cmocka_unit_test(range__what_is_no_single_range_gives_the_whole),
        cmocka_unit_test(range__past_the_end_is_outside),
        cmocka_unit_test(content_range__is_read),
        cmocka_unit_test(content_range__refuses_what_is_none),
        cmocka_unit_test(etag__is_found_in_a_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "helpers.h"

#include "oxide/base/buf.h"

#include <stdlib.h>

static void append__grows_and_keeps_what_was_there(void **state)
{
    struct ox_buf buf = OX_BUF_INIT;

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t bytes[3] = {(uint8_t)i, (uint8_t)(i >> 8), 0xaa};

        assert_int_equal(ox_buf_append(&buf, bytes, sizeof(bytes), NULL), OX_OK);
    }
    assert_int_equal(buf.len_bytes, 30000);
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(buf.data[3 * i], i & 0xff);
        assert_int_equal(buf.data[3 * i + 1], i >> 8);
        assert_int_equal(buf.data[3 * i + 2], 0xaa);
    }
    ox_buf_clear(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.len_bytes, 0);
}

static void append__of_nothing_is_fine(void **state)
{
    struct ox_buf buf = OX_BUF_INIT;

    (void)state;
    assert_int_equal(ox_buf_append(&buf, NULL, 0, NULL), OX_OK);
    assert_int_equal(buf.len_bytes, 0);
    ox_buf_clear(&buf);
}

static void reserve__refuses_what_overflows(void **state)
{
    struct ox_buf buf = OX_BUF_INIT;
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    assert_int_equal(ox_buf_append(&buf, "abc", 3, &err), OX_OK);
    assert_int_equal(ox_buf_reserve(&buf, SIZE_MAX, &err), OX_ENOMEM);
    assert_int_equal(ox_buf_reserve(&buf, SIZE_MAX - 2, &err), OX_ENOMEM);
    assert_int_equal(err.code, OX_ENOMEM);
    assert_int_equal(buf.len_bytes, 3);
    assert_memory_equal(buf.data, "abc", 3);
    ox_buf_clear(&buf);
}

static void printf__appends_and_ends_with_nul(void **state)
{
    struct ox_buf buf = OX_BUF_INIT;

    (void)state;
    assert_int_equal(ox_buf_printf(&buf, NULL, "%s-%d", "a", 1), OX_OK);
    assert_int_equal(ox_buf_printf(&buf, NULL, "%s", ""), OX_OK);
    assert_int_equal(ox_buf_printf(&buf, NULL, "+%u", 2u), OX_OK);
    assert_int_equal(buf.len_bytes, 5);
    assert_string_equal((char *)buf.data, "a-1+2");
    ox_buf_clear(&buf);
}

static void integers__are_little_endian(void **state)
{
    static const uint8_t want[] = {0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f,
                                   0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08};
    struct ox_buf buf = OX_BUF_INIT;

    (void)state;
    assert_int_equal(ox_buf_put_u8(&buf, 0x01, NULL), OX_OK);
    assert_int_equal(ox_buf_put_u16le(&buf, 0x0203, NULL), OX_OK);
    assert_int_equal(ox_buf_put_u32le(&buf, 0x04050607, NULL), OX_OK);
    assert_int_equal(ox_buf_put_u64le(&buf, 0x08090a0b0c0d0e0fu, NULL), OX_OK);
    assert_int_equal(buf.len_bytes, sizeof(want));
    assert_memory_equal(buf.data, want, sizeof(want));
    ox_buf_clear(&buf);
}

static void varints__are_the_shortest_leb128(void **state)
{
    static const struct {
        uint64_t value;
        size_t len;
        uint8_t bytes[10];
    } rows[] = {
        {0, 1, {0x00}},
        {127, 1, {0x7f}},
        {128, 2, {0x80, 0x01}},
        {300, 2, {0xac, 0x02}},
        {16384, 3, {0x80, 0x80, 0x01}},
        {UINT64_MAX, 10, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf buf = OX_BUF_INIT;

        assert_int_equal(ox_buf_put_varint(&buf, rows[i].value, NULL), OX_OK);
        assert_int_equal(buf.len_bytes, rows[i].len);
        assert_memory_equal(buf.data, rows[i].bytes, rows[i].len);
        ox_buf_clear(&buf);
    }
}

static void strf_and_strdup__hand_over_memory(void **state)
{
    char *text = NULL;
    char *none = (char *)"untouched";

    (void)state;
    assert_int_equal(ox_strf(&text, NULL, "%s%03d", "n", 7), OX_OK);
    assert_string_equal(text, "n007");
    free(text);
    assert_int_equal(ox_strdup(&text, "copy", NULL), OX_OK);
    assert_string_equal(text, "copy");
    free(text);
    assert_int_equal(ox_strdup(&none, NULL, NULL), OX_OK);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append__grows_and_keeps_what_was_there),
        cmocka_unit_test(append__of_nothing_is_fine),
        cmocka_unit_test(reserve__refuses_what_overflows),
        cmocka_unit_test(printf__appends_and_ends_with_nul),
        cmocka_unit_test(integers__are_little_endian),
        cmocka_unit_test(varints__are_the_shortest_leb128),
        cmocka_unit_test(strf_and_strdup__hand_over_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

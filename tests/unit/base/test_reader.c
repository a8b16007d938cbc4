#include "helpers.h"

#include "oxide/base/reader.h"

#include <stdlib.h>

/* A reader over a copy with exact bounds, so that a sanitizer sees any step outside. */
struct exact {
    uint8_t *copy;
    struct ox_reader reader;
};

static struct exact exact_new(const uint8_t *bytes, size_t len)
{
    struct exact exact = {malloc(len == 0 ? 1 : len), {0}};

    assert_non_null(exact.copy);
    if (len > 0) {
        memcpy(exact.copy, bytes, len);
    }
    ox_reader_init(&exact.reader, exact.copy, len, "input");
    return exact;
}

static void assert_varint(const uint8_t *bytes, size_t len, uint64_t want)
{
    struct exact exact = exact_new(bytes, len);
    uint64_t value = 0;

    assert_int_equal(ox_reader_varint(&exact.reader, &value, NULL), OX_OK);
    assert_true(value == want);
    assert_int_equal(ox_reader_left(&exact.reader), 0);
    free(exact.copy);
}

static void assert_no_varint(const uint8_t *bytes, size_t len)
{
    struct exact exact = exact_new(bytes, len);
    struct ox_err err = OX_ERR_INIT;
    uint64_t value = 12345;

    assert_int_equal(ox_reader_varint(&exact.reader, &value, &err), OX_ECORRUPT);
    assert_true(value == 12345);
    assert_int_equal(exact.reader.pos, 0);
    assert_non_null(strstr(err.msg, "input"));
    free(exact.copy);
}

static void varint__reads_every_length(void **state)
{
    (void)state;
    assert_varint((const uint8_t[]){0x00}, 1, 0);
    assert_varint((const uint8_t[]){0x7f}, 1, 127);
    assert_varint((const uint8_t[]){0x80, 0x01}, 2, 128);
    assert_varint((const uint8_t[]){0xff, 0x7f}, 2, 16383);
    for (unsigned bits = 0; bits < 64; bits++) {
        uint64_t value = (uint64_t)1 << bits;
        uint8_t bytes[10] = {0};
        size_t len = 0;

        for (; value >= 0x80; value >>= 7) {
            bytes[len++] = 0x80;
        }
        bytes[len++] = (uint8_t)value;
        assert_varint(bytes, len, (uint64_t)1 << bits);
    }
    assert_varint((const uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 10,
                  UINT64_MAX);
}

static void varint__refuses_over_long_spellings(void **state)
{
    (void)state;
    assert_no_varint((const uint8_t[]){0x80, 0x00}, 2);
    assert_no_varint((const uint8_t[]){0xff, 0x80, 0x00}, 3);
    assert_no_varint((const uint8_t[]){0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00},
                     10);
}

static void varint__refuses_more_than_64_bits(void **state)
{
    (void)state;
    assert_no_varint((const uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02},
                     10);
    assert_no_varint((const uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81},
                     10);
    assert_no_varint(
        (const uint8_t[]){0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 11);
}

static void varint__refuses_truncation(void **state)
{
    static const uint8_t all[10] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};

    (void)state;
    for (size_t len = 0; len < sizeof(all); len++) {
        assert_no_varint(all, len);
    }
}

static void integers__are_little_endian(void **state)
{
    static const uint8_t bytes[] = {1, 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1};
    struct exact exact = exact_new(bytes, sizeof(bytes));
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;

    (void)state;
    assert_int_equal(ox_reader_u8(&exact.reader, &u8, NULL), OX_OK);
    assert_int_equal(ox_reader_u16le(&exact.reader, &u16, NULL), OX_OK);
    assert_int_equal(ox_reader_u32le(&exact.reader, &u32, NULL), OX_OK);
    assert_int_equal(ox_reader_u64le(&exact.reader, &u64, NULL), OX_OK);
    assert_int_equal(u8, 1);
    assert_int_equal(u16, 0x0102);
    assert_int_equal(u32, 0x01020304);
    assert_true(u64 == 0x0102030405060708u);
    assert_int_equal(ox_reader_end(&exact.reader, NULL), OX_OK);
    free(exact.copy);
}

static void truncation__consumes_nothing_and_says_where(void **state)
{
    static const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct exact exact = exact_new(bytes, sizeof(bytes));
    struct ox_err err = OX_ERR_INIT;
    const uint8_t *lent = NULL;
    uint16_t u16 = 9;
    uint32_t u32 = 9;
    uint64_t u64 = 9;

    (void)state;
    assert_int_equal(ox_reader_bytes(&exact.reader, 7, &lent, NULL), OX_OK);
    assert_ptr_equal(lent, exact.copy);
    assert_int_equal(ox_reader_u16le(&exact.reader, &u16, NULL), OX_ECORRUPT);
    assert_int_equal(ox_reader_u32le(&exact.reader, &u32, NULL), OX_ECORRUPT);
    assert_int_equal(ox_reader_u64le(&exact.reader, &u64, &err), OX_ECORRUPT);
    assert_non_null(strstr(err.msg, "offset 7"));
    assert_int_equal(ox_reader_bytes(&exact.reader, SIZE_MAX, &lent, NULL), OX_ECORRUPT);
    assert_int_equal(exact.reader.pos, 7);
    assert_int_equal(u16 + u32 + u64, 27);
    free(exact.copy);
}

static void end__refuses_leftovers(void **state)
{
    struct exact exact = exact_new((const uint8_t[]){1, 2}, 2);
    uint8_t u8;

    (void)state;
    assert_int_equal(ox_reader_u8(&exact.reader, &u8, NULL), OX_OK);
    assert_int_equal(ox_reader_end(&exact.reader, NULL), OX_ECORRUPT);
    assert_int_equal(ox_reader_u8(&exact.reader, &u8, NULL), OX_OK);
    assert_int_equal(ox_reader_end(&exact.reader, NULL), OX_OK);
    assert_int_equal(ox_reader_u8(&exact.reader, &u8, NULL), OX_ECORRUPT);
    free(exact.copy);
}

static void stores__are_what_loads_read(void **state)
{
    uint8_t bytes[9] = {0};

    (void)state;
    ox_store_u32le(bytes + 1, 0xfedcba98);
    assert_int_equal(bytes[1], 0x98);
    assert_true(ox_load_u32le(bytes + 1) == 0xfedcba98);
    ox_store_u64le(bytes + 1, 0xfedcba9876543210u);
    assert_int_equal(bytes[1], 0x10);
    assert_true(ox_load_u64le(bytes + 1) == 0xfedcba9876543210u);
    assert_int_equal(ox_load_u16le(bytes + 7), 0xfedc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varint__reads_every_length),
        cmocka_unit_test(varint__refuses_over_long_spellings),
        cmocka_unit_test(varint__refuses_more_than_64_bits),
        cmocka_unit_test(varint__refuses_truncation),
        cmocka_unit_test(integers__are_little_endian),
        cmocka_unit_test(truncation__consumes_nothing_and_says_where),
        cmocka_unit_test(end__refuses_leftovers),
        cmocka_unit_test(stores__are_what_loads_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "oxide/base/random.h"
#include "oxide/entropy/bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void put__writes_least_significant_bits_first(void **state)
{
    struct ox_buf out = OX_BUF_INIT;
    struct ox_bits_writer writer = {.out = &out};
    /* 1, then 01, then 10110 above them; 3 zero bits of padding behind the last */
    static const uint8_t want[] = {0xb3, 0x1f};

    (void)state;
    assert_int_equal(ox_bits_put(&writer, 1, 1, NULL), OX_OK);
    assert_int_equal(ox_bits_put(&writer, 1, 2, NULL), OX_OK);
    assert_int_equal(ox_bits_put(&writer, 0x16, 5, NULL), OX_OK);
    assert_int_equal(ox_bits_put(&writer, 0xffffffff, 5, NULL), OX_OK);
    assert_int_equal(ox_bits_put(&writer, 123, 0, NULL), OX_OK);
    assert_int_equal(ox_bits_end(&writer, NULL), OX_OK);
    assert_int_equal(out.len_bytes, sizeof(want));
    assert_memory_equal(out.data, want, sizeof(want));
    ox_buf_clear(&out);
}

static void gamma__is_pinned(void **state)
{
    struct ox_buf out = OX_BUF_INIT;
    struct ox_bits_writer writer = {.out = &out};
    /* 1 -> 1; 2 -> 0 1 0; 5 -> 00 1 01 (its low bits, least significant first: 1 0) */
    static const uint8_t want[] = {0xc5, 0x00};

    (void)state;
    assert_int_equal(ox_bits_put_gamma(&writer, 1, NULL), OX_OK);
    assert_int_equal(ox_bits_put_gamma(&writer, 2, NULL), OX_OK);
    assert_int_equal(ox_bits_put_gamma(&writer, 5, NULL), OX_OK);
    assert_int_equal(ox_bits_end(&writer, NULL), OX_OK);
    assert_int_equal(out.len_bytes, sizeof(want));
    assert_memory_equal(out.data, want, sizeof(want));
    ox_buf_clear(&out);
}

static void get__returns_what_was_put(void **state)
{
    struct ox_buf out = OX_BUF_INIT;
    struct ox_bits_writer writer = {.out = &out};
    struct ox_bits_reader reader;
    struct ox_rng rng;
    uint32_t got = 0;

    (void)state;
    ox_rng_init(&rng, 1);
    for (unsigned i = 0; i < 2000; i++) {
        uint32_t value = (uint32_t)ox_rng_u64(&rng);

        assert_int_equal(ox_bits_put(&writer, value, i % 33, NULL), OX_OK);
        assert_int_equal(ox_bits_put_gamma(&writer, value >> i % 32 | 1, NULL), OX_OK);
    }
    assert_int_equal(ox_bits_end(&writer, NULL), OX_OK);
    reader = (struct ox_bits_reader){out.data, out.len_bytes, 0};
    ox_rng_init(&rng, 1);
    for (unsigned i = 0; i < 2000; i++) {
        uint32_t value = (uint32_t)ox_rng_u64(&rng);
        uint32_t want = i % 33 == 32 ? value : value & ((1u << i % 33) - 1);

        assert_int_equal(ox_bits_get(&reader, i % 33, &got, NULL), OX_OK);
        assert_int_equal(got, want);
        assert_int_equal(ox_bits_get_gamma(&reader, &got, NULL), OX_OK);
        assert_int_equal(got, value >> i % 32 | 1);
    }
    assert_int_equal((reader.pos_bits + 7) / 8, out.len_bytes);
    ox_buf_clear(&out);
}

static void get__refuses_to_go_past_the_end(void **state)
{
    static const uint8_t bytes[] = {0xff, 0xff};
    struct ox_bits_reader reader = {bytes, sizeof(bytes), 3};
    uint32_t got = 77;

    (void)state;
    assert_int_equal(ox_bits_get(&reader, 14, &got, NULL), OX_ECORRUPT);
    assert_int_equal(got, 77);
    assert_int_equal(reader.pos_bits, 3);
    assert_int_equal(ox_bits_get(&reader, 13, &got, NULL), OX_OK);
    assert_int_equal(got, 0x1fff);
    assert_int_equal(ox_bits_get(&reader, 1, &got, NULL), OX_ECORRUPT);
    assert_int_equal(ox_bits_get(&reader, 0, &got, NULL), OX_OK);
}

static void gamma__refuses_truncated_and_endless_numbers(void **state)
{
    static const uint8_t zeros[16] = {0};
    static const uint8_t cut[] = {
        0x08}; /* three zeros, a one, and three bits must follow: four do */
    struct ox_bits_reader reader = {zeros, 1, 0};
    uint32_t got = 77;

    (void)state;
    assert_int_equal(ox_bits_get_gamma(&reader, &got, NULL), OX_ECORRUPT);
    reader = (struct ox_bits_reader){zeros, sizeof(zeros), 0};
    assert_int_equal(ox_bits_get_gamma(&reader, &got, NULL), OX_ECORRUPT);
    reader = (struct ox_bits_reader){cut, 1, 0};
    assert_int_equal(ox_bits_get_gamma(&reader, &got, NULL), OX_OK);
    assert_int_equal(got, 8);
    reader = (struct ox_bits_reader){(const uint8_t[]){0x20}, 1, 0};
    assert_int_equal(ox_bits_get_gamma(&reader, &got, NULL), OX_ECORRUPT);
    assert_int_equal(reader.pos_bits, 0);
    assert_int_equal(got, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put__writes_least_significant_bits_first),
        cmocka_unit_test(gamma__is_pinned),
        cmocka_unit_test(get__returns_what_was_put),
        cmocka_unit_test(get__refuses_to_go_past_the_end),
        cmocka_unit_test(gamma__refuses_truncated_and_endless_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

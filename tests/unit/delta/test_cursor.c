/* The cursor, against plain memory. */
#include "../../../src/delta/cursor.h"
#include "helpers.h"

#include <stdlib.h>

static struct ox_source source_of(struct ox_memory *memory, const struct ox_buf *bytes)
{
    *memory = (struct ox_memory){bytes->data, bytes->len_bytes};
    return ox_memory_source(memory);
}

static void at_and_before__lend_what_memory_holds(void **state)
{
    struct ox_buf bytes = noise(1, 3 * CURSOR_BYTES + 17);
    struct ox_memory memory;
    struct ox_source source = source_of(&memory, &bytes);
    struct cursor cursor;
    struct ox_rng rng;
    uint64_t at = 0;

    (void)state;
    ox_rng_init(&rng, 2);
    assert_int_equal(cursor_init(&cursor, &source, NULL), OX_OK);
    for (int turn = 0; turn < 4000; turn++) {
        size_t want = ox_rng_below(&rng, turn % 7 == 0 ? CURSOR_BYTES / 2 : 5000);
        const uint8_t *out = NULL;
        size_t len = 0;

        at = ox_rng_below(&rng, 3) == 0 ? ox_rng_below(&rng, bytes.len_bytes + 1)
                                        : (at + ox_rng_below(&rng, 3000)) % bytes.len_bytes;
        if (ox_rng_below(&rng, 2) == 0) {
            uint64_t left = bytes.len_bytes - at;

            assert_int_equal(cursor_at(&cursor, at, want, &out, &len, NULL), OX_OK);
            assert_true(len >= (want < left ? want : left) && len <= left);
            assert_memory_equal(out, bytes.data + at, len);
        } else {
            assert_int_equal(cursor_before(&cursor, at, want, &out, &len, NULL), OX_OK);
            assert_int_equal(len, want < at ? want : at);
            assert_memory_equal(out, bytes.data + at - len, len);
        }
    }
    cursor_clear(&cursor);
    ox_buf_clear(&bytes);
}

static void at__past_the_end_lends_nothing(void **state)
{
    struct ox_buf bytes = noise(1, 10);
    struct ox_memory memory;
    struct ox_source source = source_of(&memory, &bytes);
    struct cursor cursor;
    const uint8_t *out = NULL;
    size_t len = 9;

    (void)state;
    assert_int_equal(cursor_init(&cursor, &source, NULL), OX_OK);
    assert_int_equal(cursor_at(&cursor, 10, 5, &out, &len, NULL), OX_OK);
    assert_int_equal(len, 0);
    assert_int_equal(cursor_at(&cursor, UINT64_MAX, 5, &out, &len, NULL), OX_OK);
    assert_int_equal(len, 0);
    cursor_clear(&cursor);
    ox_buf_clear(&bytes);
}

static void matches__are_those_of_a_naive_model(void **state)
{
    struct ox_buf a = noise(4, 2 * CURSOR_BYTES);
    struct ox_buf b = bytes_of(a.data, a.len_bytes);
    struct ox_memory memories[2];
    struct ox_source sources[2] = {source_of(&memories[0], &a), source_of(&memories[1], &b)};
    struct cursor cursors[2];
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 5);
    for (int i = 0; i < 40; i++) {
        b.data[ox_rng_below(&rng, b.len_bytes)] ^= 1;
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cursor_init(&cursors[i], &sources[i], NULL), OX_OK);
    }
    for (int turn = 0; turn < 1000; turn++) {
        uint64_t at = ox_rng_below(&rng, a.len_bytes + 1);
        uint64_t other = turn % 5 == 0 ? ox_rng_below(&rng, a.len_bytes + 1) : at;
        uint64_t limit = ox_rng_below(&rng, turn % 3 == 0 ? a.len_bytes : 100);
        uint64_t same = 0;
        uint64_t found = 0;

        while (same < limit && at + same < a.len_bytes && other + same < b.len_bytes &&
               a.data[at + same] == b.data[other + same]) {
            same++;
        }
        assert_int_equal(
            cursor_match_forward(&cursors[0], at, &cursors[1], other, limit, &found, NULL), OX_OK);
        assert_int_equal(found, same);
        same = 0;
        while (same < limit && same < at && same < other &&
               a.data[at - 1 - same] == b.data[other - 1 - same]) {
            same++;
        }
        assert_int_equal(
            cursor_match_backward(&cursors[0], at, &cursors[1], other, limit, &found, NULL), OX_OK);
        assert_int_equal(found, same);
    }
    for (int i = 0; i < 2; i++) {
        cursor_clear(&cursors[i]);
    }
    ox_buf_clear(&a);
    ox_buf_clear(&b);
}

struct counter {
    uint64_t bytes;
};

static enum ox_code count_read(void *ctx, uint64_t offset, void *out, size_t len,
                               struct ox_err *err)
{
    (void)offset;
    (void)err;
    memset(out, 7, len);
    ((struct counter *)ctx)->bytes += len;
    return OX_OK;
}

/* Jumping about must not read a whole buffer each time: that made shuffled files slow. */
static void jumps__read_little(void **state)
{
    struct counter counter = {0};
    struct ox_source source = {&counter, (uint64_t)1 << 30, count_read};
    struct cursor cursor;
    const uint8_t *out;
    size_t len;

    (void)state;
    assert_int_equal(cursor_init(&cursor, &source, NULL), OX_OK);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(cursor_at(&cursor, i * 7919 % 1000 << 20, 64, &out, &len, NULL), OX_OK);
        assert_int_equal(
            cursor_before(&cursor, (i * 7907 % 1000 << 20) + 5000, 64, &out, &len, NULL), OX_OK);
    }
    assert_true(counter.bytes <= 2000 * (CURSOR_BYTES / 16));
    counter.bytes = 0;
    for (uint64_t at = 0; at < (uint64_t)64 << 20; at += len) { /* but runs are read in full */
        assert_int_equal(cursor_at(&cursor, at, 1, &out, &len, NULL), OX_OK);
    }
    assert_true(counter.bytes <= ((uint64_t)64 << 20) + CURSOR_BYTES);
    assert_true(len == CURSOR_BYTES);
    cursor_clear(&cursor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_and_before__lend_what_memory_holds),
        cmocka_unit_test(at__past_the_end_lends_nothing),
        cmocka_unit_test(matches__are_those_of_a_naive_model),
        cmocka_unit_test(jumps__read_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

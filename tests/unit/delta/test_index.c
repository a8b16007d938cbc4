/* The index of anchors: what it promises to find, and what it costs. */
#include "../../../src/delta/index.h"
#include "helpers.h"

#include <stdlib.h>

static struct ox_source source_of(struct ox_memory *memory, const struct ox_buf *bytes)
{
    *memory = (struct ox_memory){bytes->data, bytes->len_bytes};
    return ox_memory_source(memory);
}

/* Scan bytes as if they stood elsewhere; how many anchors were found where they are in the base,
 * `at` bytes from its front? Any other answer must be the same content. */
static size_t count_found(struct anchor_index *index, const struct ox_buf *base, size_t at,
                          size_t len)
{
    struct anchor_scan scan = {0};
    size_t found = 0;

    assert_int_equal(anchor_scan_init(&scan, anchor_index_window(index), NULL), OX_OK);
    for (size_t i = 0; i < len; i++) {
        bool stands = false;
        uint64_t end = 0;

        if (!anchor_scan_byte(&scan, base->data[at + i])) {
            continue;
        }
        assert_int_equal(anchor_index_find(index, scan.least, &stands, &end, NULL), OX_OK);
        if (stands) {
            assert_in_range(end, INDEX_HASHED, base->len_bytes);
            assert_memory_equal(base->data + end - INDEX_HASHED,
                                base->data + at + scan.least_at - INDEX_HASHED, INDEX_HASHED);
            found += end == at + scan.least_at;
        }
    }
    anchor_scan_clear(&scan);
    return found;
}

/* Every run of W + INDEX_HASHED bytes has an anchor, at every size of the index. */
static void runs__of_the_promised_length_are_found(void **state)
{
    static const uint64_t budgets[] = {1, 16384, 65536, 1 << 20};
    struct ox_buf base = noise(6, 400000);
    struct ox_memory memory;
    struct ox_source source = source_of(&memory, &base);
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 5);
    for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
        struct anchor_index *index = NULL;
        size_t found = 0;
        size_t len;

        assert_int_equal(
            anchor_index_new(&index, &source, 0, base.len_bytes, budgets[i], NULL, NULL), OX_OK);
        len = (size_t)anchor_index_window(index) + INDEX_HASHED;
        assert_in_range(anchor_index_window(index), INDEX_WINDOW_MIN,
                        budgets[i] >= 1 << 20 ? INDEX_WINDOW_MIN : 4096);
        for (int turn = 0; turn < 100; turn++) {
            size_t at = (size_t)ox_rng_below(&rng, base.len_bytes - len);

            found += count_found(index, &base, at, len) > 0;
        }
        assert_in_range(found, 98, 100); /* few find their place of the table taken */
        anchor_index_free(index);
    }
    anchor_index_free(NULL);
    ox_buf_clear(&base);
}

static void part__of_the_base_is_indexed_alone(void **state)
{
    struct ox_buf base = noise(7, 100000);
    struct ox_memory memory;
    struct ox_source source = source_of(&memory, &base);
    struct anchor_index *index = NULL;

    (void)state;
    assert_int_equal(anchor_index_new(&index, &source, 40000, 60000, 1 << 16, NULL, NULL), OX_OK);
    assert_int_equal(count_found(index, &base, 0, 39900), 0);
    assert_true(count_found(index, &base, 41000, 1000) > 10);
    assert_int_equal(count_found(index, &base, 60100, 39900), 0);
    anchor_index_free(index);
    ox_buf_clear(&base);
}

/* Few anchors where all bytes are the same, and few places of the table for them. */
static void one_byte__over_and_over_is_cheap(void **state)
{
    struct anchor_scan scan = {0};
    struct ox_buf zeros = noise(1, 1 << 20);
    struct ox_memory memory;
    struct ox_source source = source_of(&memory, &zeros);
    struct anchor_index *index = NULL;
    size_t anchors = 0;
    bool stands = false;
    uint64_t end = 0;

    (void)state;
    memset(zeros.data, 0, zeros.len_bytes);
    assert_int_equal(anchor_scan_init(&scan, 100, NULL), OX_OK);
    for (size_t i = 0; i < 100000; i++) {
        anchors += anchor_scan_byte(&scan, 0);
    }
    assert_in_range(anchors, 900, 1001);
    assert_int_equal(anchor_index_new(&index, &source, 0, zeros.len_bytes, 1 << 16, NULL, NULL),
                     OX_OK);
    assert_int_equal(anchor_index_find(index, scan.least, &stands, &end, NULL), OX_OK);
    assert_true(stands);
    anchor_index_free(index);
    anchor_scan_clear(&scan);
    ox_buf_clear(&zeros);
}

static void scan__chooses_as_a_naive_one(void **state)
{
    enum { WINDOW = 37, BYTES = 5000 };
    struct ox_buf bytes = noise(8, BYTES);
    struct anchor_scan scan = {0};
    uint64_t hash = 0;
    uint64_t hashes[BYTES + 1];
    size_t chosen = 0;

    (void)state;
    assert_int_equal(anchor_scan_init(&scan, WINDOW, NULL), OX_OK);
    for (size_t i = 1; i <= BYTES; i++) {
        uint64_t least = UINT64_MAX;
        bool anchor = anchor_scan_byte(&scan, bytes.data[i - 1]);

        hashes[i] = hash = anchor_roll(hash, bytes.data[i - 1]);
        for (size_t k = i < WINDOW ? 1 : i - WINDOW + 1; k <= i; k++) {
            least = hashes[k] < least ? hashes[k] : least;
        }
        assert_true(scan.least == least && hashes[scan.least_at] == least);
        assert_true(!anchor || i >= INDEX_HASHED + WINDOW);
        chosen += anchor;
    }
    assert_in_range(chosen, 2 * BYTES / WINDOW - 80, 2 * BYTES / WINDOW + 80);
    anchor_scan_clear(&scan);
    ox_buf_clear(&bytes);
}

static void nothing__finds_nothing(void **state)
{
    struct ox_memory memory = {NULL, 0};
    struct ox_source source = ox_memory_source(&memory);
    struct anchor_index *index = NULL;
    bool stands = false;
    uint64_t end = 0;

    (void)state;
    assert_int_equal(anchor_index_new(&index, &source, 0, 0, 1 << 16, NULL, NULL), OX_OK);
    assert_int_equal(anchor_index_find(index, 0, &stands, &end, NULL), OX_OK);
    assert_false(stands);
    anchor_index_free(index);
}

static void stop__on_request(void **state)
{
    struct ox_buf base = noise(6, 1000);
    struct ox_memory memory;
    struct ox_source source = source_of(&memory, &base);
    struct anchor_index *index = NULL;
    struct ox_stop stop;

    (void)state;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    ox_stop_request(&stop);
    assert_int_equal(anchor_index_new(&index, &source, 0, 1000, 1 << 16, &stop, NULL),
                     OX_ECANCELED);
    assert_null(index);
    ox_stop_clear(&stop);
    ox_buf_clear(&base);
}

static void gear__is_pinned(void **state)
{
    uint64_t all = 0;

    (void)state;
    assert_true(roll_gear[0] == 0xbba823b45ca0edc5u);
    assert_true(roll_gear[255] == 0x016fe4039e212764u);
    for (int i = 0; i < 256; i++) {
        all = all * 31 + roll_gear[i];
    }
    assert_true(all == 0xe9ec7a6afda91211u); /* a changed table makes other patches */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs__of_the_promised_length_are_found),
        cmocka_unit_test(part__of_the_base_is_indexed_alone),
        cmocka_unit_test(one_byte__over_and_over_is_cheap),
        cmocka_unit_test(scan__chooses_as_a_naive_one),
        cmocka_unit_test(nothing__finds_nothing),
        cmocka_unit_test(stop__on_request),
        cmocka_unit_test(gear__is_pinned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where chunks are cut, and the index of the base by its chunks. */
#include "helpers.h"

#include "../../../src/delta/cursor.h"
#include "../../../src/delta/index.h"
#include "../../../src/delta/pool_index.h"

#include <stdlib.h>

#define MIB ((size_t)1 << 20)
#define CUTS_MAX 256

struct cuts {
    size_t count;
    uint64_t ends[CUTS_MAX];
};

/* Ends of all chunks, the bytes fed in pieces. */
static void find_cuts(const struct ox_buf *bytes, size_t piece, struct cuts *out)
{
    struct fastcdc cdc = {0, 0};

    out->count = 0;
    for (size_t at = 0; at < bytes->len_bytes;) {
        size_t take = piece < bytes->len_bytes - at ? piece : bytes->len_bytes - at;
        size_t used = 0;
        bool cut = fastcdc_feed(&cdc, bytes->data + at, take, &used);

        assert_true(used <= take && (cut || used == take));
        at += used;
        if (cut || at == bytes->len_bytes) {
            assert_true(out->count < CUTS_MAX);
            out->ends[out->count++] = at;
        }
    }
}

static void cuts__do_not_depend_on_the_pieces(void **state)
{
    static const size_t pieces[] = {1, 4099, 65536, MIB};
    struct ox_buf bytes = noise(1, 6 * MIB);
    struct cuts whole;
    struct cuts cuts;

    (void)state;
    find_cuts(&bytes, SIZE_MAX, &whole);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        find_cuts(&bytes, pieces[i], &cuts);
        assert_int_equal(cuts.count, whole.count);
        assert_memory_equal(cuts.ends, whole.ends, whole.count * sizeof(whole.ends[0]));
    }
    ox_buf_clear(&bytes);
}

static void cuts__keep_their_bounds_and_average(void **state)
{
    struct ox_buf bytes = noise(1, 32 * MIB);
    struct cuts cuts;

    (void)state;
    find_cuts(&bytes, SIZE_MAX, &cuts);
    for (size_t i = 0; i < cuts.count; i++) {
        uint64_t len = cuts.ends[i] - (i == 0 ? 0 : cuts.ends[i - 1]);

        assert_true(len <= FASTCDC_MAX_BYTES);
        assert_true(len > FASTCDC_MIN_BYTES || i + 1 == cuts.count);
    }
    assert_in_range(cuts.count, 21, 43); /* 0.75 to 1.5 MiB */
    ox_buf_clear(&bytes);
}

static void equal_bytes__are_cut_at_the_maximum(void **state)
{
    struct ox_buf bytes = OX_BUF_INIT;
    struct cuts cuts;

    (void)state;
    assert_int_equal(ox_buf_reserve(&bytes, 9 * MIB, NULL), OX_OK);
    memset(bytes.data, 'x', 9 * MIB);
    bytes.len_bytes = 9 * MIB;
    find_cuts(&bytes, SIZE_MAX, &cuts);
    assert_int_equal(cuts.count, 3);
    assert_int_equal(cuts.ends[0], FASTCDC_MAX_BYTES);
    assert_int_equal(cuts.ends[2], 9 * MIB);
    ox_buf_clear(&bytes);
}

/* The rule of fastcdc.h, as plainly as it can be put. */
static size_t naive_cut(const uint8_t *bytes, size_t len)
{
    uint64_t hash = 0;

    for (size_t i = FASTCDC_MIN_BYTES; i < len && i < FASTCDC_MAX_BYTES; i++) {
        unsigned lowest = i < FASTCDC_AVG_BYTES ? 23 : 27;
        bool zero = true;

        hash = 2 * hash + roll_gear[bytes[i]];
        for (unsigned bit = 63; bit >= lowest; bit -= 2) {
            zero = zero && (hash >> bit & 1) == 0;
        }
        if (zero) {
            return i + 1;
        }
    }
    return len < FASTCDC_MAX_BYTES ? len : FASTCDC_MAX_BYTES;
}

/* Pinned, too: patches shall be the same on every machine and for ever. */
static void cuts__follow_the_rule(void **state)
{
    static const uint64_t want[] = {796936, 2156675, 3415390, 3761133, 6291456};
    struct ox_buf bytes = noise(1, 6 * MIB);
    struct cuts cuts;
    size_t at = 0;

    (void)state;
    find_cuts(&bytes, SIZE_MAX, &cuts);
    for (size_t i = 0; i < cuts.count; i++) {
        at += naive_cut(bytes.data + at, bytes.len_bytes - at);
        assert_int_equal(cuts.ends[i], at);
    }
    assert_int_equal(cuts.count, sizeof(want) / sizeof(want[0]));
    assert_memory_equal(cuts.ends, want, sizeof(want));
    ox_buf_clear(&bytes);
}

static void insertion__leaves_the_cuts_behind_it(void **state)
{
    struct ox_buf bytes = noise(1, 12 * MIB);
    struct ox_buf longer = bytes_of("!", 1);
    struct cuts before;
    struct cuts after;
    size_t same = 0;

    (void)state;
    put_buf(&longer, &bytes);
    find_cuts(&bytes, SIZE_MAX, &before);
    find_cuts(&longer, SIZE_MAX, &after);
    while (same < before.count && same < after.count &&
           before.ends[before.count - 1 - same] + 1 == after.ends[after.count - 1 - same]) {
        same++;
    }
    assert_true(same + 6 >= before.count);
    ox_buf_clear(&longer);
    ox_buf_clear(&bytes);
}

/* --- the index --- */

static void index__finds_every_chunk(void **state)
{
    struct ox_buf bytes = noise(3, 12 * MIB);
    struct ox_memory memory = {bytes.data, bytes.len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct pool_index *index = NULL;
    struct cursor cursor = {0};
    struct cuts cuts;
    uint64_t at = 0;
    size_t count = 0;

    (void)state;
    find_cuts(&bytes, SIZE_MAX, &cuts);
    assert_int_equal(pool_index_new(&index, &source, NULL, NULL, NULL), OX_OK);
    assert_int_equal(cursor_init(&cursor, &source, NULL), OX_OK);
    while (at < bytes.len_bytes) {
        struct pool_chunk chunk;
        uint64_t offset = 0;

        assert_int_equal(pool_chunk_at(&cursor, at, &chunk, NULL), OX_OK);
        assert_int_equal(at + chunk.len_bytes, cuts.ends[count++]);
        assert_int_equal(chunk.sum, ox_xxh64(bytes.data + at, chunk.len_bytes, 0));
        assert_true(pool_index_find(index, chunk.sum, &offset));
        assert_int_equal(offset, at);
        assert_false(pool_index_find(index, chunk.sum ^ 1, &offset));
        at += chunk.len_bytes;
    }
    assert_int_equal(count, cuts.count);
    cursor_clear(&cursor);
    pool_index_free(index);
    ox_buf_clear(&bytes);
}

static void index__of_an_empty_base_finds_nothing(void **state)
{
    struct ox_memory memory = {NULL, 0};
    struct ox_source source = ox_memory_source(&memory);
    struct pool_index *index = NULL;
    uint64_t offset = 0;

    (void)state;
    assert_int_equal(pool_index_new(&index, &source, NULL, NULL, NULL), OX_OK);
    assert_false(pool_index_find(index, 0, &offset));
    pool_index_free(index);
}

static void index__stops_when_asked(void **state)
{
    struct ox_buf bytes = noise(3, 1000);
    struct ox_memory memory = {bytes.data, bytes.len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct pool_index *index = NULL;
    struct ox_stop stop;

    (void)state;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    ox_stop_request(&stop);
    assert_int_equal(pool_index_new(&index, &source, &stop, NULL, NULL), OX_ECANCELED);
    assert_null(index);
    ox_stop_clear(&stop);
    ox_buf_clear(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts__do_not_depend_on_the_pieces),
        cmocka_unit_test(cuts__keep_their_bounds_and_average),
        cmocka_unit_test(equal_bytes__are_cut_at_the_maximum),
        cmocka_unit_test(cuts__follow_the_rule),
        cmocka_unit_test(insertion__leaves_the_cuts_behind_it),
        cmocka_unit_test(index__finds_every_chunk),
        cmocka_unit_test(index__of_an_empty_base_finds_nothing),
        cmocka_unit_test(index__stops_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

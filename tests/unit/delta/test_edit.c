/* Operation "edit": what is encoded comes back, costs what it should, and hostile bodies do no
 * harm. */
#include "../../../src/delta/edit.h"
#include "helpers.h"
#include "oxide/crypto/xxh64.h"

#include <stdio.h>
#include <stdlib.h>

static const struct edit_effort efforts[] = {
    {16, 1, 24, false},
    {20, 4, 48, false},
    {20, 16, 384, true},
};

/* Encode target against gathered bytes, decode again, compare; returns the body. */
static struct ox_buf round_trip(const struct ox_buf *gathered, const struct ox_buf *target,
                                const struct edit_hint *hints, size_t hint_count,
                                const struct edit_effort *effort)
{
    struct ox_buf history = bytes_of(gathered->data, gathered->len_bytes);
    struct ox_buf rebuilt = noise(99, target->len_bytes); /* what stands there must not matter */
    struct ox_buf body = OX_BUF_INIT;
    struct edit_encoder *encoder = NULL;
    struct edit_model *model = NULL;
    struct ox_err err = OX_ERR_INIT;
    bool fits = false;

    put_buf(&history, target);
    assert_int_equal(edit_encoder_new(&encoder, NULL), OX_OK);
    assert_int_equal(edit_model_new(&model, NULL), OX_OK);
    for (int turn = 0; turn < 2; turn++) { /* a coder is as new each time */
        struct ox_buf again = OX_BUF_INIT;

        assert_int_equal(edit_encode(encoder, history.data, (uint32_t)gathered->len_bytes,
                                     (uint32_t)target->len_bytes, hints, hint_count, effort,
                                     SIZE_MAX, turn == 0 ? &body : &again, &fits, NULL),
                         OX_OK);
        assert_true(fits);
        if (turn == 1) {
            assert_int_equal(body.len_bytes, again.len_bytes);
            assert_memory_equal(body.data, again.data, body.len_bytes);
        }
        ox_buf_clear(&again);
    }
    for (int turn = 0; turn < 2; turn++) {
        enum ox_code code =
            edit_decode(model, gathered->data, (uint32_t)gathered->len_bytes, rebuilt.data,
                        (uint32_t)target->len_bytes, body.data, body.len_bytes, &err);

        if (code != OX_OK) {
            fail_msg("%s", err.msg);
        }
        assert_memory_equal(rebuilt.data, target->data, target->len_bytes);
    }
    edit_encoder_free(encoder);
    edit_model_free(model);
    ox_buf_clear(&history);
    ox_buf_clear(&rebuilt);
    return body;
}

static size_t cost(const struct ox_buf *gathered, const struct ox_buf *target, size_t effort)
{
    struct edit_hint hint = {0, (uint32_t)gathered->len_bytes};
    struct ox_buf body =
        round_trip(gathered, target, &hint, gathered->len_bytes > 0, &efforts[effort]);
    size_t len = body.len_bytes;

    ox_buf_clear(&body);
    return len;
}

/* `edits` overwritings, insertions or deletions of 1 to `most` bytes of noise. */
static struct ox_buf edited(const struct ox_buf *base, unsigned edits, uint64_t most, uint64_t seed,
                            uint64_t *fresh)
{
    struct ox_buf out = OX_BUF_INIT;
    struct ox_rng rng;
    size_t at = 0;

    ox_rng_init(&rng, seed);
    *fresh = 0;
    for (unsigned i = 0; i < edits; i++) {
        size_t keep = (size_t)ox_rng_below(&rng, 2 * base->len_bytes / edits);
        size_t len = 1 + (size_t)ox_rng_below(&rng, most);
        uint64_t kind = ox_rng_below(&rng, 3);
        struct ox_buf bytes = noise(ox_rng_u64(&rng), kind == 2 ? 0 : len);

        keep = keep < base->len_bytes - at ? keep : base->len_bytes - at;
        put(&out, base->data + at, keep);
        put_buf(&out, &bytes);
        at += keep;
        if (kind != 1) {
            at += len < base->len_bytes - at ? len : base->len_bytes - at;
        }
        *fresh += bytes.len_bytes;
        ox_buf_clear(&bytes);
    }
    put(&out, base->data + at, base->len_bytes - at);
    return out;
}

static void edits__cost_their_new_bytes_and_little_more(void **state)
{
    static const struct {
        size_t bytes;
        unsigned edits;
        uint64_t most;
        unsigned each; /* bytes that an edit may cost besides its own, in tenths */
    } rows[] = {{1024, 3, 20, 80},    {65536, 20, 500, 60}, {131072, 20, 8, 50},
                {131072, 400, 8, 40}, {131072, 120, 1, 40}, {400000, 10, 500, 70}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf base = noise(i + 1, rows[i].bytes);
        uint64_t fresh = 0;
        struct ox_buf target = edited(&base, rows[i].edits, rows[i].most, i + 7, &fresh);

        for (size_t effort = 1; effort < 3; effort++) {
            size_t bytes = cost(&base, &target, effort);

            if (bytes > fresh + rows[i].edits * rows[i].each / 10) {
                fail_msg("row %zu: %zu bytes for %llu new ones", i, bytes,
                         (unsigned long long)fresh);
            }
        }
        (void)cost(&base, &target, 0);
        ox_buf_clear(&base);
        ox_buf_clear(&target);
    }
}

static void all_kinds_of_bytes__come_back(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 7, 8, 11, 12, 13, 100, 4095, 4096, 4097, 70000};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct ox_buf kinds[] = {noise(1, sizes[i]), prose(2, sizes[i]), noise(3, sizes[i]),
                                 prose(4, sizes[i] / 2), OX_BUF_INIT};

        memset(kinds[2].data, 0, kinds[2].len_bytes);
        for (size_t k = 0; k < 25; k++) {
            if (kinds[k % 5].len_bytes > 0) {
                (void)cost(&kinds[k / 5], &kinds[k % 5], i % 3);
            }
        }
        for (size_t k = 0; k < 5; k++) {
            ox_buf_clear(&kinds[k]);
        }
    }
}

static void moved_numbers__cost_less_than_their_bytes(void **state)
{
    enum { FIELDS = 2000 };
    struct ox_buf base = noise(1, FIELDS * 12);
    struct ox_buf target = bytes_of(base.data, base.len_bytes);

    (void)state;
    for (size_t i = 0; i < FIELDS; i++) { /* addresses, of which the same was added */
        base.data[i * 12 + 2] = target.data[i * 12 + 2] = 7;
        target.data[i * 12] = (uint8_t)(target.data[i * 12] + 64);
    }
    assert_in_range(cost(&base, &target, 1), 20, FIELDS * 6 / 10);
    ox_buf_clear(&base);
    ox_buf_clear(&target);
}

static void hints__may_be_anything(void **state)
{
    struct ox_buf base = noise(1, 30000);
    struct ox_buf target = OX_BUF_INIT;
    struct ox_rng rng;

    (void)state;
    put(&target, base.data + 10000, 20000);
    put(&target, base.data, 10000);
    ox_rng_init(&rng, 3);
    for (int turn = 0; turn < 20; turn++) {
        struct edit_hint hints[8];
        struct ox_buf body;
        uint32_t at = 0;

        for (size_t i = 0; i < 8; i++) {
            at += (uint32_t)ox_rng_below(&rng, 4000);
            hints[i] = (struct edit_hint){at, (uint32_t)ox_rng_below(&rng, 70000)};
        }
        body = round_trip(&base, &target, hints, 8, &efforts[turn % 3]);
        ox_buf_clear(&body);
    }
    ox_buf_clear(&base);
    ox_buf_clear(&target);
}

static void limit__is_kept(void **state)
{
    struct ox_buf history = noise(1, 20000);
    struct edit_encoder *encoder = NULL;
    struct ox_buf body = OX_BUF_INIT;
    bool fits = true;

    (void)state;
    assert_int_equal(edit_encoder_new(&encoder, NULL), OX_OK);
    assert_int_equal(edit_encode(encoder, history.data, 10000, 10000, NULL, 0, &efforts[1], 5000,
                                 &body, &fits, NULL),
                     OX_OK);
    assert_false(fits);
    assert_true(body.len_bytes < 10000);
    ox_buf_clear(&body);
    assert_int_equal(edit_encode(encoder, history.data, 10000, 10000, NULL, 0, &efforts[1], 10100,
                                 &body, &fits, NULL),
                     OX_OK);
    assert_true(fits);
    edit_encoder_free(encoder);
    ox_buf_clear(&body);
    ox_buf_clear(&history);
}

/* No body reads or writes outside, or goes on for ever; a frame's sum finds the rest. */
static void hostile_bodies__do_no_harm(void **state)
{
    struct ox_buf base = prose(1, 3000);
    struct ox_buf target = prose(2, 2000);
    struct edit_hint hint = {0, 3000};
    struct ox_buf body = round_trip(&base, &target, &hint, 1, &efforts[1]);
    struct edit_model *model = NULL;
    uint8_t *rebuilt = malloc(target.len_bytes);
    struct ox_rng rng;

    (void)state;
    assert_non_null(rebuilt);
    assert_int_equal(edit_model_new(&model, NULL), OX_OK);
    ox_rng_init(&rng, 4);
    for (size_t cut = 0; cut < body.len_bytes; cut += 7) {
        uint8_t *copy = malloc(cut + 1);
        struct ox_err err = OX_ERR_INIT;
        enum ox_code code;

        assert_non_null(copy);
        memcpy(copy, body.data, cut);
        code = edit_decode(model, base.data, 3000, rebuilt, 2000, copy, cut, &err);
        assert_true(code == OX_OK || code == OX_ECORRUPT);
        for (size_t i = 0; i < cut; i++) {
            copy[i] = (uint8_t)ox_rng_u64(&rng);
        }
        code = edit_decode(model, base.data, (uint32_t)ox_rng_below(&rng, 3000), rebuilt, 2000,
                           copy, cut, &err);
        assert_true(code == OX_OK || code == OX_ECORRUPT);
        free(copy);
    }
    put(&body, "more than is read ahead", 16);
    assert_int_equal(
        edit_decode(model, base.data, 3000, rebuilt, 2000, body.data, body.len_bytes, NULL),
        OX_ECORRUPT);
    free(rebuilt);
    edit_model_free(model);
    ox_buf_clear(&base);
    ox_buf_clear(&target);
    ox_buf_clear(&body);
}

/* With more bytes, even zeros, a body is none: who reads on would take them for something. */
static void end__is_what_an_encoder_writes(void **state)
{
    struct ox_buf base = prose(1, 3000);
    struct edit_model *model = NULL;
    struct ox_rng rng;

    (void)state;
    assert_int_equal(edit_model_new(&model, NULL), OX_OK);
    ox_rng_init(&rng, 4);
    for (size_t n = 1; n < 400; n += 7) {
        struct ox_buf target = n % 2 == 0 ? prose(n, n) : noise(n, n);
        struct edit_hint hint = {0, 3000};
        struct ox_buf body = round_trip(&base, &target, &hint, 1, &efforts[1]);
        uint8_t *rebuilt = malloc(n);

        assert_non_null(rebuilt);
        for (size_t more = 1; more <= 9; more++) {
            struct ox_buf longer = bytes_of(body.data, body.len_bytes);
            struct ox_buf zeros = noise(1, more);

            memset(zeros.data, 0, more - 1);
            zeros.data[more - 1] = (uint8_t)(n % 3);
            put_buf(&longer, &zeros);
            assert_int_equal(edit_decode(model, base.data, 3000, rebuilt, (uint32_t)n, longer.data,
                                         longer.len_bytes, NULL),
                             OX_ECORRUPT);
            ox_buf_clear(&longer);
            ox_buf_clear(&zeros);
        }
        free(rebuilt);
        ox_buf_clear(&target);
        ox_buf_clear(&body);
    }
    edit_model_free(model);
    ox_buf_clear(&base);
}

/* What was pasted costs its place and length, there and back: the base goes on where it was left.
 */
static void pastes__cost_where_they_come_from(void **state)
{
    enum { BYTES = 200000, PASTES = 50 };
    struct ox_buf base = noise(1, BYTES);
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 3);
    for (int over = 0; over < 2; over++) {
        struct ox_buf target = OX_BUF_INIT;
        size_t at = 0;

        for (int i = 0; i < PASTES; i++) {
            size_t keep = 500 + (size_t)ox_rng_below(&rng, 2000);
            size_t len = 50 + (size_t)ox_rng_below(&rng, 500);

            put(&target, base.data + at, keep);
            put(&target, base.data + ox_rng_below(&rng, BYTES - 1000), len);
            at += keep + (over ? len : 0);
        }
        assert_in_range(cost(&base, &target, 2), PASTES * 4, PASTES * 7);
        ox_buf_clear(&target);
    }
    ox_buf_clear(&base);
}

/* Blocks in another order cost little more than their places. */
static void blocks__cost_their_places(void **state)
{
    enum { BYTES = 1000, COUNT = 256 };
    struct ox_buf base = noise(1, (size_t)BYTES * COUNT);
    struct ox_buf target = OX_BUF_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        put(&target, base.data + (i * 101 + 7) % COUNT * BYTES, BYTES);
    }
    assert_in_range(cost(&base, &target, 2), COUNT, COUNT * 3);
    ox_buf_clear(&base);
    ox_buf_clear(&target);
}

/* Every number of a vocabulary moved by one: no copies are as cheap as literals that all change
 * alike, which shows only to who tries some. */
static void numbers_in_text__that_all_moved_by_one_cost_little(void **state)
{
    enum { WORDS = 20000 };
    struct ox_buf base = OX_BUF_INIT;
    struct ox_buf target = OX_BUF_INIT;
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 4);
    for (unsigned i = 0; i < WORDS; i++) {
        uint64_t word = ox_rng_u64(&rng) >> 24;
        char line[64];

        (void)snprintf(line, sizeof(line), " \"tok%llx\": %u,\n", (unsigned long long)word, i);
        put(&base, line, strlen(line));
        (void)snprintf(line, sizeof(line), " \"tok%llx\": %u,\n", (unsigned long long)word, i + 1);
        put(&target, line, strlen(line));
    }
    for (size_t e = 0; e < sizeof(efforts) / sizeof(efforts[0]); e++) {
        assert_in_range(cost(&base, &target, e), 100, WORDS / 4);
    }
    ox_buf_clear(&base);
    ox_buf_clear(&target);
}

/* Patches that are out there must stay readable, and encoders give the same bytes everywhere. */
static void bytes__are_pinned(void **state)
{
    struct ox_buf base = prose(1, 60000);
    uint64_t fresh = 0;
    struct ox_buf target = edited(&base, 200, 40, 5, &fresh);
    struct ox_buf more = prose(9, 5000);
    struct edit_hint hint = {0, 60000};
    struct ox_buf body;

    (void)state;
    put_buf(&target, &more);
    body = round_trip(&base, &target, &hint, 1, &efforts[1]);
    assert_true(ox_xxh64(body.data, body.len_bytes, 0) == 0x711a0e0c972801a1u);
    ox_buf_clear(&base);
    ox_buf_clear(&target);
    ox_buf_clear(&more);
    ox_buf_clear(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits__cost_their_new_bytes_and_little_more),
        cmocka_unit_test(all_kinds_of_bytes__come_back),
        cmocka_unit_test(moved_numbers__cost_less_than_their_bytes),
        cmocka_unit_test(hints__may_be_anything),
        cmocka_unit_test(limit__is_kept),
        cmocka_unit_test(hostile_bodies__do_no_harm),
        cmocka_unit_test(end__is_what_an_encoder_writes),
        cmocka_unit_test(pastes__cost_where_they_come_from),
        cmocka_unit_test(blocks__cost_their_places),
        cmocka_unit_test(numbers_in_text__that_all_moved_by_one_cost_little),
        cmocka_unit_test(bytes__are_pinned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

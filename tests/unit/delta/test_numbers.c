/* NUMBERS bodies: every predictor comes back bit for bit, and what a body claims is checked. */
#include "../../../src/delta/cast.h"
#include "../../../src/delta/choose.h"
#include "../../../src/delta/numbers.h"
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

static const bool fast = false;
static const bool slow = true;

static struct ox_buf encode(const struct part *parts, size_t count, const uint8_t *target,
                            const uint8_t *base, bool mixes)
{
    struct numbers numbers = {.coder = NULL};
    struct ox_buf body = OX_BUF_INIT;

    assert_int_equal(numbers_encode(&numbers, parts, count, target, base, mixes, &body, NULL),
                     OX_OK);
    numbers_clear(&numbers);
    return body;
}

static enum ox_code decode(const struct ox_buf *body, size_t len, const uint8_t *base,
                           size_t base_bytes, uint8_t *target, size_t n)
{
    struct numbers numbers = {.coder = NULL};
    struct ox_reader reader;
    uint8_t *exact = malloc(len + 1); /* so that reading past the end is seen */
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code;

    memcpy(exact, body->data, len);
    ox_reader_init(&reader, exact, len, "body");
    code = numbers_decode(&numbers, &reader, base, base_bytes, target, n, &err);
    numbers_clear(&numbers);
    ox_err_clear(&err);
    free(exact);
    return code;
}

/* Returns the bytes of the body. */
static size_t assert_comes_back(const struct part *parts, size_t count, const struct ox_buf *target,
                                const struct ox_buf *base, bool mixes)
{
    struct ox_buf body = encode(parts, count, target->data, base->data, mixes);
    uint8_t *out = malloc(target->len_bytes);
    size_t len = body.len_bytes;

    memset(out, 0xa5, target->len_bytes);
    assert_int_equal(decode(&body, len, base->data, base->len_bytes, out, target->len_bytes),
                     OX_OK);
    assert_memory_equal(out, target->data, target->len_bytes);
    free(out);
    ox_buf_clear(&body);
    return len;
}

static uint64_t bytes_from_base(const struct part *parts, size_t count)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        total += part_base_bytes(&parts[i]);
    }
    return total;
}

static struct part random_part(struct ox_rng *rng)
{
    static const enum number_kind floats[] = {NUMBER_F16, NUMBER_BF16, NUMBER_F32};
    struct part part;

    do {
        part =
            (struct part){.how = {.predictor = (enum predictor)ox_rng_below(rng, PREDICTOR_COUNT)}};
        switch (part.how.predictor) {
        case PREDICT_CAST:
        case PREDICT_GROWN_CAST:
            part.how.kind = (uint8_t)floats[ox_rng_below(rng, 3)];
            part.how.from = (uint8_t)floats[ox_rng_below(rng, 3)];
            part.how.truncates = ox_rng_below(rng, 2) == 0;
            break;
        case PREDICT_BLOCKS:
            part.how.kind = (uint8_t)ox_rng_below(rng, BLOCK_FORMAT_COUNT);
            break;
        case PREDICT_NIBBLES:
            part.how.kind = NUMBER_U8;
            break;
        case PREDICT_FACTORS:
            part.how.kind = (uint8_t)floats[ox_rng_below(rng, 3)];
            part.how.rank = 1 + (uint8_t)ox_rng_below(rng, 6);
            break;
        default:
            part.how.kind = (uint8_t)ox_rng_below(rng, NUMBER_KIND_COUNT);
            break;
        }
        if (part.how.predictor == PREDICT_SCALED || part.how.predictor == PREDICT_SCALED_NIBBLES) {
            part.how.axis = (uint8_t)ox_rng_below(rng, SCALES_TILES);
        }
        if (part.how.predictor == PREDICT_PRUNED) {
            part.how.threshold = (uint32_t)ox_rng_u64(rng);
        }
        if (part.how.predictor == PREDICT_GROWN || part.how.predictor == PREDICT_GROWN_CAST ||
            part.how.predictor == PREDICT_FACTORS || ox_rng_below(rng, 3) == 0) {
            part.how.columns = 1 + (uint32_t)ox_rng_below(rng, 50);
            part.column = (uint32_t)ox_rng_below(rng, part.how.columns);
        }
        if (part.how.predictor == PREDICT_GROWN || part.how.predictor == PREDICT_GROWN_CAST) {
            part.how.base_columns = 1 + (uint32_t)ox_rng_below(rng, 50);
        }
        part.target_bytes = 8;
        part.target_bytes = prediction_unit(&part.how) * (1 + (uint32_t)ox_rng_below(rng, 300));
    } while (!part_ok(&part));
    return part;
}

static void round_trip__of_every_predictor(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 11);
    for (unsigned turn = 0; turn < 300; turn++) {
        struct part parts[12];
        size_t count = 1 + ox_rng_below(&rng, 12);
        struct ox_buf base;
        struct ox_buf target;
        size_t n = 0;

        for (size_t i = 0; i < count; i++) {
            parts[i] = random_part(&rng);
            n += parts[i].target_bytes;
        }
        base = noise(turn, (size_t)bytes_from_base(parts, count) + 1);
        base.len_bytes--;
        target = noise(turn % 2 == 0 ? turn : turn + 1000, n);
        (void)assert_comes_back(parts, count, &target, &base, turn % 3 == 0 ? slow : fast);
        ox_buf_clear(&base);
        ox_buf_clear(&target);
    }
}

static void grown__rows_find_their_numbers(void **state)
{
    struct part part = {
        .how = {.predictor = PREDICT_GROWN, .kind = NUMBER_U8, .columns = 5, .base_columns = 3},
        .target_bytes = 18,
        .column = 4};
    static const uint8_t base[] = "abcdefghijkl"; /* rows abc def ghi jkl, from the second on */
    static const uint8_t expected[] = "abcdefghijk";
    uint8_t predicted[18] = {0};

    (void)state;
    /* Numbers 4 to 21 of rows of 5: 4 | 5..9 | 10..14 | 15..19 | 20 21. */
    assert_int_equal(part_base_bytes(&part), 11);
    assert_int_equal(part_base_offset(&part.how, 4), 3);
    assert_int_equal(part_count(&part, (enum slot)(SLOT_KIND + NUMBER_U8)), 11);
    assert_int_equal(part_count(&part, (enum slot)(SLOT_FRESH + NUMBER_U8)), 7);
    part_predict(&part, (enum slot)(SLOT_KIND + NUMBER_U8), base, NULL, predicted, NULL);
    assert_memory_equal(predicted, expected, 11);
}

static void shrunk__rows_skip_what_went(void **state)
{
    struct part part = {
        .how = {.predictor = PREDICT_GROWN, .kind = NUMBER_U8, .columns = 2, .base_columns = 4},
        .target_bytes = 5,
        .column = 1};
    static const uint8_t base[] =
        "bcdefghijkl"; /* rows abcd efgh ijkl, from the second number on */
    uint8_t predicted[5];

    (void)state;
    assert_int_equal(part_base_offset(&part.how, 1), 1);
    assert_int_equal(part_base_bytes(&part), 11);
    part_predict(&part, (enum slot)(SLOT_KIND + NUMBER_U8), base, NULL, predicted, NULL);
    assert_memory_equal(predicted, "befij", 5);
}

static void grown_cast__rows_find_their_numbers_and_round_them(void **state)
{
    struct part part = {.how = {.predictor = PREDICT_GROWN_CAST,
                                .kind = NUMBER_BF16,
                                .from = NUMBER_F32,
                                .columns = 3,
                                .base_columns = 2},
                        .target_bytes = 8,
                        .column = 1};
    static const uint8_t base[] = {0, 0x90, 0x80, 0x3f, 1, 0, 0, 0x40, 0, 0x80, 0x40, 0x40};
    static const uint8_t rounded[] = {0x81, 0x3f, 0, 0x40, 0x40, 0x40}; /* the last: a tie */
    static const uint8_t cut[] = {0x80, 0x3f, 0, 0x40, 0x40, 0x40};
    uint8_t predicted[8];

    (void)state;
    /* Numbers 1 to 4 of rows of 3: 1 2 | 3 4, of which 2 is fresh. */
    assert_true(part_ok(&part));
    assert_int_equal(part_base_bytes(&part), sizeof(base));
    assert_int_equal(part_base_offset(&part.how, 2), 4);
    assert_int_equal(prediction_reach(&part.how, 19),
                     2 * 6); /* of the third row not all is there */
    assert_int_equal(part_count(&part, (enum slot)(SLOT_KIND + NUMBER_BF16)), 3);
    assert_int_equal(part_count(&part, (enum slot)(SLOT_FRESH + NUMBER_BF16)), 1);
    part_predict(&part, (enum slot)(SLOT_KIND + NUMBER_BF16), base, NULL, predicted, NULL);
    assert_memory_equal(predicted, rounded, sizeof(rounded));
    part.how.truncates = true;
    part_predict(&part, (enum slot)(SLOT_KIND + NUMBER_BF16), base, NULL, predicted, NULL);
    assert_memory_equal(predicted, cut, sizeof(cut));
    part.how.from = NUMBER_BF16;
    assert_false(part_ok(&part)); /* that is no cast */
}

static void exact_predictions__cost_next_to_nothing(void **state)
{
    struct ox_buf base = OX_BUF_INIT;
    struct ox_buf cast = OX_BUF_INIT;
    struct ox_buf pruned = OX_BUF_INIT;
    struct part parts[2] = {
        {.how = {.predictor = PREDICT_CAST, .kind = NUMBER_BF16, .from = NUMBER_F32},
         .target_bytes = 40000},
        {.how = {.predictor = PREDICT_PRUNED, .kind = NUMBER_F32}, .target_bytes = 80000}};

    (void)state;
    base = noise(3, 80000);
    assert_int_equal(ox_buf_append(&cast, base.data, 40000, NULL), OX_OK);
    cast_numbers(NUMBER_F32, NUMBER_BF16, false, base.data, 20000, cast.data);
    assert_in_range(assert_comes_back(&parts[0], 1, &cast, &base, fast), 1, 20);
    assert_int_equal(ox_buf_append(&pruned, base.data, base.len_bytes, NULL), OX_OK);
    for (size_t i = 0; i < pruned.len_bytes; i += 4) {
        if (number_magnitude(NUMBER_F32, base.data + i) < 0x40000000) {
            memset(pruned.data + i, 0, 4);
        }
    }
    parts[1].how.threshold = choose_threshold(NUMBER_F32, base.data, pruned.data, pruned.len_bytes);
    assert_in_range(assert_comes_back(&parts[1], 1, &pruned, &base, fast), 1, 24);
    ox_buf_clear(&base);
    ox_buf_clear(&cast);
    ox_buf_clear(&pruned);
}

static void cost__is_about_what_encoding_takes(void **state)
{
    struct numbers numbers = {.coder = NULL};
    struct ox_buf base = noise(1, 60000);
    struct ox_buf target = noise(1, 60000);
    struct part part = {.how = {.predictor = PREDICT_SAME, .kind = NUMBER_BF16},
                        .target_bytes = 60000};
    uint64_t cost = 0;
    size_t len;

    (void)state;
    for (size_t i = 0; i < target.len_bytes; i += 6) {
        target.data[i] = (uint8_t)(target.data[i] + i % 5);
    }
    len = assert_comes_back(&part, 1, &target, &base, fast);
    assert_int_equal(numbers_cost(&numbers, &part, 1, target.data, base.data, &cost, NULL), OX_OK);
    assert_in_range(cost, len * 9 / 10, len * 11 / 10);
    numbers_clear(&numbers);
    ox_buf_clear(&base);
    ox_buf_clear(&target);
}

static void decode__refuses_what_does_not_fit(void **state)
{
    struct part part = {.how = {.predictor = PREDICT_SAME, .kind = NUMBER_F32},
                        .target_bytes = 400};
    struct ox_buf base = noise(1, 400);
    struct ox_buf target = noise(2, 400);
    struct ox_buf body = encode(&part, 1, target.data, base.data, fast);
    uint8_t out[404];

    (void)state;
    assert_int_equal(decode(&body, body.len_bytes, base.data, 400, out, 400), OX_OK);
    for (size_t len = 0; len < body.len_bytes; len++) {
        assert_int_equal(decode(&body, len, base.data, 400, out, 400), OX_ECORRUPT);
    }
    assert_int_equal(decode(&body, body.len_bytes, base.data, 399, out, 400), OX_ECORRUPT);
    assert_int_equal(decode(&body, body.len_bytes, base.data, 400, out, 404), OX_ECORRUPT);
    assert_int_equal(ox_buf_put_u8(&body, 0, NULL), OX_OK);
    assert_int_equal(decode(&body, body.len_bytes, base.data, 400, out, 400), OX_ECORRUPT);
    ox_buf_clear(&base);
    ox_buf_clear(&target);
    ox_buf_clear(&body);
}

/* A part's fields, each out of bounds in turn. */
static void decode__refuses_parts_that_cannot_be(void **state)
{
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t len;
        size_t n;
    } rows[] = {
        {"no parts", {0}, 1, 4},
        {"4,097 parts", {0x81, 0x20}, 2, 4},
        {"an unknown predictor", {1, 8, 0, 4}, 4, 4},
        {"an unknown kind", {1, 1, 9, 4}, 4, 4},
        {"no bytes", {1, 1, 0, 0}, 4, 0},
        {"half a number", {1, 1, 8, 6}, 4, 6},
        {"half a block", {1, 5, 0, 33}, 4, 33},
        {"an unknown block", {1, 5, 200, 34}, 4, 34},
        {"no columns", {1, 0x81, 0, 4, 0, 0}, 6, 4},
        {"a column behind the last", {1, 0x81, 0, 4, 3, 3}, 6, 4},
        {"a cast to itself", {1, 2, 8, 4, 8}, 5, 4},
        {"a cast of integers", {1, 2, 8, 4, 3}, 5, 4},
        {"grown without columns", {1, 4, 0, 4, 3}, 5, 4},
        {"grown from nothing", {1, 0x84, 0, 4, 3, 0, 0}, 7, 4},
        {"nibbles of floats", {1, 6, 8, 4}, 4, 4},
        {"factors without columns", {1, 7, 8, 64, 1}, 5, 64},
        {"factors of integers", {1, 0x87, 3, 64, 8, 0, 1}, 7, 64},
        {"factors of no patterns", {1, 0x87, 8, 64, 8, 0, 0}, 7, 64},
        {"more factors than half the numbers", {1, 0x87, 8, 64, 8, 0, 1}, 7, 64},
        {"factors of an unknown kind", {1, 0x87, 200, 64, 8, 0, 1}, 7, 64},
        {"other bytes than the frame", {1, 1, 0, 5}, 4, 4},
        {"a number over 32 bits", {1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x1f}, 8, 4},
    };
    uint8_t base[64] = {0};
    uint8_t out[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf body = OX_BUF_INIT;
        uint8_t tail[32] = {0};

        assert_int_equal(ox_buf_append(&body, rows[i].bytes, rows[i].len, NULL), OX_OK);
        assert_int_equal(ox_buf_append(&body, tail, sizeof(tail), NULL), OX_OK);
        if (decode(&body, body.len_bytes, base, rows[i].n, out, rows[i].n) != OX_ECORRUPT) {
            fail_msg("not refused: %s", rows[i].what);
        }
        ox_buf_clear(&body);
    }
}

/* Any byte changed anywhere: an error or other numbers, never more than that. */
static void decode__survives_damage(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 5);
    for (unsigned turn = 0; turn < 200; turn++) {
        struct part part = random_part(&rng);
        size_t base_bytes = (size_t)part_base_bytes(&part);
        struct ox_buf base = noise(turn, base_bytes + 1);
        struct ox_buf target = noise(turn, part.target_bytes);
        struct ox_buf body = encode(&part, 1, target.data, base.data, turn % 2 ? slow : fast);
        uint8_t *out = malloc(part.target_bytes);

        for (int flip = 0; flip < 20; flip++) {
            size_t at = ox_rng_below(&rng, body.len_bytes);
            uint8_t was = body.data[at];

            body.data[at] = (uint8_t)ox_rng_u64(&rng);
            (void)decode(&body, body.len_bytes, base.data, base_bytes, out, part.target_bytes);
            body.data[at] = was;
        }
        free(out);
        ox_buf_clear(&base);
        ox_buf_clear(&target);
        ox_buf_clear(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip__of_every_predictor),
        cmocka_unit_test(grown__rows_find_their_numbers),
        cmocka_unit_test(grown_cast__rows_find_their_numbers_and_round_them),
        cmocka_unit_test(shrunk__rows_skip_what_went),
        cmocka_unit_test(exact_predictions__cost_next_to_nothing),
        cmocka_unit_test(cost__is_about_what_encoding_takes),
        cmocka_unit_test(decode__refuses_what_does_not_fit),
        cmocka_unit_test(decode__refuses_parts_that_cannot_be),
        cmocka_unit_test(decode__survives_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

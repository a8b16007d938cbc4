#include "../../../src/delta/mixing.h"

#include "oxide/crypto/xxh64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_MAX 20000

static struct mixing_coder *coder;

static int setup(void **state)
{
    (void)state;
    return mixing_coder_new(&coder, NULL) == OX_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mixing_coder_free(coder);
    return 0;
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Encode, decode behind another byte, compare. Returns the body's length. */
static size_t round_trip(const struct stream *stream, const uint8_t *numbers)
{
    size_t len = stream->count * number_kinds[stream->kind].width;
    uint8_t *again = malloc(len + 1);
    struct ox_buf body = OX_BUF_INIT;
    struct ox_reader reader;
    size_t body_len;

    assert_int_equal(ox_buf_put_u8(&body, 0xff, NULL), OX_OK);
    assert_int_equal(mixing_encode(coder, stream, numbers, &body, NULL), OX_OK);
    body_len = body.len_bytes - 1;
    assert_int_equal(ox_buf_put_u8(&body, 0x77, NULL), OX_OK);
    ox_reader_init(&reader, body.data, body.len_bytes, "test");
    reader.pos = 1;
    assert_int_equal(mixing_decode(coder, stream, again, &reader, NULL), OX_OK);
    assert_int_equal(ox_reader_left(&reader), 1);
    if (len > 0) {
        assert_memory_equal(again, numbers, len);
    }
    ox_buf_clear(&body);
    free(again);
    return body_len;
}

/* Numbers and predictions of them; every 50th a stranger, with all bits random. */
static void make(uint8_t *numbers, uint8_t *predicted, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++) {
        predicted[i] = (uint8_t)next(&seed);
        numbers[i] =
            (uint8_t)(next(&seed) % 8 == 0 ? predicted[i] + next(&seed) % 5 : predicted[i]);
        if (next(&seed) % 50 == 0) {
            numbers[i] = (uint8_t)next(&seed);
        }
    }
}

static void every_kind__comes_back(void **state)
{
    static uint8_t numbers[COUNT_MAX * 4];
    static uint8_t predicted[COUNT_MAX * 4];
    static const uint8_t zeros[COUNT_MAX * 4];
    static const struct stream_part parts[] = {
        {1, 0, 0}, {0, 5, 4}, {700, 64, 63}, {999, 10, 3}, {40, 100000, 7}, {300, 1, 0},
    };
    static const size_t counts[] = {0, 1, 2, 3, 255, 2040, 3001};

    (void)state;
    make(numbers, predicted, sizeof(numbers), 1);
    for (unsigned kind = 0; kind < NUMBER_KIND_COUNT; kind++) {
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            for (unsigned fresh = 0; fresh < 2; fresh++) {
                struct stream stream = {(enum number_kind)kind,
                                        fresh != 0,
                                        counts[c],
                                        fresh != 0 ? zeros : predicted,
                                        NULL,
                                        NULL,
                                        0};

                round_trip(&stream, numbers);
                stream.parts = parts;
                stream.part_count = 6;
                round_trip(&stream, numbers);
            }
        }
    }
}

static void contexts__are_used(void **state)
{
    static uint8_t numbers[COUNT_MAX];
    static uint8_t predicted[COUNT_MAX];
    static uint8_t contexts[COUNT_MAX];
    uint32_t seed = 5;
    struct stream stream = {NUMBER_I8, false, COUNT_MAX, predicted, NULL, NULL, 0};

    (void)state;
    for (size_t i = 0; i < COUNT_MAX; i++) {
        contexts[i] = (uint8_t)(next(&seed) % STREAM_CONTEXTS_MAX);
        predicted[i] = 20;
        numbers[i] = (uint8_t)(20 + contexts[i] / 8);
    }
    for (unsigned kind = NUMBER_U8; kind <= NUMBER_I8; kind++) {
        size_t without;

        stream.kind = (enum number_kind)kind;
        stream.contexts = NULL;
        without = round_trip(&stream, numbers);
        stream.contexts = contexts;
        assert_true(round_trip(&stream, numbers) < without / 4);
    }
}

static void strange_floats__come_back(void **state)
{
    /* NaNs with payloads, infinities, both zeros, subnormals, against each other */
    static const uint32_t strange[] = {0x7f800001, 0xffffffff, 0x7fc12345, 0x7f800000, 0xff800000,
                                       0,          0x80000000, 1,          0x80000001, 0x007fffff,
                                       0x7f7fffff, 0xff7fffff, 0x3f800000};
    enum { KINDS = sizeof(strange) / sizeof(strange[0]), SIDE = 32, COUNT = SIDE * SIDE };
    static const struct stream_part part = {COUNT, SIDE, 0};
    uint8_t numbers[COUNT * 4];
    uint8_t predicted[COUNT * 4];
    struct stream stream = {NUMBER_F32, false, COUNT, predicted, NULL, &part, 1};

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        ox_store_u32le(numbers + 4 * i, strange[i % KINDS]);
        ox_store_u32le(predicted + 4 * i, strange[i / KINDS % KINDS]);
    }
    round_trip(&stream, numbers);
    stream.kind = NUMBER_F16;
    round_trip(&stream, numbers);
    stream.kind = NUMBER_BF16;
    round_trip(&stream, numbers);
    stream.kind = NUMBER_I32;
    round_trip(&stream, numbers);
}

static void unchanged__takes_next_to_nothing(void **state)
{
    size_t len = (size_t)1 << 20;
    uint8_t *bytes = malloc(len);
    uint32_t seed = 9;
    struct stream stream = {NUMBER_U8, false, len, bytes, NULL, NULL, 0};

    (void)state;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)next(&seed);
    }
    assert_in_range(round_trip(&stream, bytes), 1, 400);
    stream.kind = NUMBER_F32;
    stream.count = len / 4;
    assert_in_range(round_trip(&stream, bytes), 1, 400);
    free(bytes);
}

/* Small updates of weights: of rank 1, or of no pattern. */
static void make_updates(uint8_t *numbers, uint8_t *predicted, size_t side, bool outer)
{
    uint32_t seed = 11;
    float column[256];

    for (size_t j = 0; j < side; j++) {
        column[j] = ((float)(next(&seed) % 2001) - 1000) * 1e-6f;
    }
    for (size_t i = 0; i < side; i++) {
        float row = ((float)(next(&seed) % 2001) - 1000) * 1e-3f;

        for (size_t j = 0; j < side; j++) {
            float weight = ((float)(next(&seed) % 20001) - 10000) * 1e-4f;
            float noise = ((float)(next(&seed) % 2001) - 1000) * 1e-6f;
            float updated = weight + (outer ? row * column[j] : noise);
            uint32_t bits;

            memcpy(&bits, &weight, 4);
            ox_store_u32le(predicted + 4 * (i * side + j), bits);
            memcpy(&bits, &updated, 4);
            ox_store_u32le(numbers + 4 * (i * side + j), bits);
        }
    }
}

static void outer_products__are_guessed(void **state)
{
    enum { SIDE = 128 };
    static uint8_t numbers[SIDE * SIDE * 4];
    static uint8_t predicted[SIDE * SIDE * 4];
    struct stream_part part = {SIDE * SIDE, SIDE, 0};
    struct stream stream = {NUMBER_F32, false, SIDE * SIDE, predicted, NULL, &part, 1};
    size_t flat;

    (void)state;
    make_updates(numbers, predicted, SIDE, true);
    part.columns = 0;
    flat = round_trip(&stream, numbers);
    part.columns = SIDE;
    assert_true(round_trip(&stream, numbers) < flat / 3);
    make_updates(numbers, predicted, SIDE, false); /* and where there is none, little is lost */
    part.columns = 0;
    flat = round_trip(&stream, numbers);
    part.columns = SIDE;
    assert_true(round_trip(&stream, numbers) < flat + flat / 40);
}

static void coded_bytes__are_pinned(void **state)
{
    enum { SIDE = 64 };
    static uint8_t numbers[SIDE * SIDE * 4];
    static uint8_t predicted[SIDE * SIDE * 4];
    static const uint8_t zeros[SIDE * SIDE * 4];
    static const struct stream_part part = {SIDE * SIDE, SIDE, 0};
    static const uint64_t want[] = {0x277b3d243452f8c5, 0x35017ea1c06529dc, 0xc965f958f256dd98,
                                    0xed43c5fe1ec3a3c0, 0x0269dcfe61416f83, 0x3c6ea22d71e1a806};
    struct stream stream = {NUMBER_F32, false, SIDE * SIDE, predicted, NULL, &part, 1};
    static const struct {
        enum number_kind kind;
        bool fresh;
    } cases[] = {{NUMBER_F32, false}, {NUMBER_BF16, false}, {NUMBER_F16, true},
                 {NUMBER_I8, false},  {NUMBER_U8, false},   {NUMBER_U8, true}};

    (void)state;
    make_updates(numbers, predicted, SIDE, true);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ox_buf body = OX_BUF_INIT;

        stream.kind = cases[i].kind;
        stream.fresh = cases[i].fresh;
        stream.predicted = cases[i].fresh ? zeros : predicted;
        assert_int_equal(mixing_encode(coder, &stream, numbers, &body, NULL), OX_OK);
        assert_int_equal(ox_xxh64(body.data, body.len_bytes, 0), want[i]);
        ox_buf_clear(&body);
    }
}

static void a_stream__does_not_depend_on_those_before_it(void **state)
{
    static uint8_t numbers[4000];
    static uint8_t predicted[4000];
    struct stream stream = {NUMBER_BF16, false, 2000, predicted, NULL, NULL, 0};
    struct ox_buf first = OX_BUF_INIT;
    struct ox_buf again = OX_BUF_INIT;

    (void)state;
    make(numbers, predicted, sizeof(numbers), 4);
    assert_int_equal(mixing_encode(coder, &stream, numbers, &first, NULL), OX_OK);
    stream.kind = NUMBER_U8;
    round_trip(&stream, numbers);
    stream.kind = NUMBER_F32;
    stream.count = 1000;
    round_trip(&stream, predicted);
    stream.kind = NUMBER_BF16;
    stream.count = 2000;
    assert_int_equal(mixing_encode(coder, &stream, numbers, &again, NULL), OX_OK);
    assert_int_equal(first.len_bytes, again.len_bytes);
    assert_memory_equal(first.data, again.data, first.len_bytes);
    ox_buf_clear(&first);
    ox_buf_clear(&again);
}

static void damage__is_refused_or_gives_numbers(void **state)
{
    static uint8_t numbers[4000];
    static uint8_t predicted[4000];
    static uint8_t out[4000];
    static const struct stream_part part = {1000, 25, 3};
    struct stream stream = {NUMBER_F32, false, 1000, predicted, NULL, &part, 1};
    struct ox_buf body = OX_BUF_INIT;
    struct ox_reader reader;
    uint32_t seed = 6;

    (void)state;
    make(numbers, predicted, sizeof(numbers), 2);
    assert_int_equal(mixing_encode(coder, &stream, numbers, &body, NULL), OX_OK);
    for (size_t cut = 0; cut < body.len_bytes; cut += cut < 8 ? 1 : 97) {
        ox_reader_init(&reader, body.data, cut, "test");
        assert_int_equal(mixing_decode(coder, &stream, out, &reader, NULL), OX_ECORRUPT);
    }
    for (unsigned i = 0; i < 60; i++) {
        uint8_t *at = &body.data[3 + next(&seed) % (body.len_bytes - 3)];
        uint8_t kept = *at;

        *at = (uint8_t)next(&seed);
        if (i % 4 == 0) {
            body.data[0] = (uint8_t)next(&seed);
        }
        ox_reader_init(&reader, body.data, body.len_bytes, "test");
        assert_int_equal(mixing_decode(coder, &stream, out, &reader, NULL), OX_OK);
        *at = kept;
    }
    ox_buf_clear(&body);
}

static void coder__keeps_to_its_memory(void **state)
{
    (void)state;
    assert_true(sizeof(struct mixing_coder) <= (size_t)3 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind__comes_back),
        cmocka_unit_test(contexts__are_used),
        cmocka_unit_test(strange_floats__come_back),
        cmocka_unit_test(unchanged__takes_next_to_nothing),
        cmocka_unit_test(outer_products__are_guessed),
        cmocka_unit_test(coded_bytes__are_pinned),
        cmocka_unit_test(a_stream__does_not_depend_on_those_before_it),
        cmocka_unit_test(damage__is_refused_or_gives_numbers),
        cmocka_unit_test(coder__keeps_to_its_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

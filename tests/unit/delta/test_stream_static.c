#include "../../../src/delta/stream_static.h"
#include "helpers.h"
#include "oxide/crypto/xxh64.h"

#include <stdlib.h>

/* A stream to code, with its numbers, in memory of exact bounds that a sanitizer watches. */
struct sample {
    struct stream stream;
    struct stream_part part;
    uint8_t *predicted;
    uint8_t *numbers;
    uint8_t *contexts;
};

enum shape {
    SHAPE_SAME,     /* all as predicted */
    SHAPE_MOVED,    /* weights that all moved a little */
    SHAPE_SPARSE,   /* a few did */
    SHAPE_ROWS,     /* by amounts that differ from row to row */
    SHAPE_RANDOM,   /* any bytes, predicted by any bytes */
    SHAPE_CONSTANT, /* one value */
    SHAPE_EDGES,    /* zeros, denormals, infinities, NaNs with payloads, the least and the most */
    SHAPE_COUNT,
};

#define COLUMNS 300

static void store(uint8_t *bytes, uint32_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

/* A number as weights are: small ones of either sign, over some octaves. */
static uint32_t weight(struct ox_rng *rng, enum number_kind kind)
{
    const struct number_kind_row *row = &number_kinds[kind];
    unsigned bits = 8u * row->width;

    if (row->sign_magnitude) {
        unsigned exponents = 1u << (bits - 1 - row->mantissa_bits);
        uint32_t exponent =
            exponents / 2 - 1 - (uint32_t)ox_rng_below(rng, exponents / 2 < 8 ? 3 : 7);
        uint32_t low = (uint32_t)ox_rng_u64(rng) & ((1u << row->mantissa_bits) - 1);

        return exponent << row->mantissa_bits | low | (uint32_t)(ox_rng_u64(rng) & 1) << (bits - 1);
    }
    return (uint32_t)(ox_rng_below(rng, 60) + ox_rng_below(rng, 60) - 60 +
                      (kind == NUMBER_U8 ? 128 : 0));
}

static uint32_t edge(struct ox_rng *rng, enum number_kind kind)
{
    unsigned bits = 8u * number_kinds[kind].width;
    unsigned mantissa = number_kinds[kind].mantissa_bits;
    uint32_t all = 0xffffffffu >> (32 - bits);
    uint32_t top = 1u << (bits - 1);
    const uint32_t edges[] = {0,
                              top,
                              1,
                              top | 1,
                              all,
                              top - 1,
                              all - 1,
                              top - 2,
                              all >> 1 << mantissa & (top - 1),
                              (1u << mantissa) - 1,
                              (all >> 1 << mantissa & (top - 1)) | 1,
                              top + 1};

    return edges[ox_rng_below(rng, sizeof(edges) / sizeof(edges[0]))];
}

static uint32_t moved(struct ox_rng *rng, uint32_t from, uint32_t most)
{
    return from + (uint32_t)ox_rng_below(rng, most + 1) - most / 2;
}

static struct sample sample_of(enum number_kind kind, enum shape shape, size_t count, bool contexts,
                               bool fresh)
{
    size_t width = number_kinds[kind].width;
    struct sample self = {.predicted = calloc(count * width + 1, 1),
                          .numbers = malloc(count * width + 1),
                          .contexts = contexts ? malloc(count + 1) : NULL};
    struct ox_rng rng;

    assert_non_null(self.predicted);
    assert_non_null(self.numbers);
    ox_rng_init(&rng, kind * 100 + shape);
    for (size_t i = 0; i < count; i++) {
        uint32_t from = shape == SHAPE_RANDOM  ? (uint32_t)ox_rng_u64(&rng)
                        : shape == SHAPE_EDGES ? edge(&rng, kind)
                                               : weight(&rng, kind);
        uint32_t to = from;

        switch (shape) {
        case SHAPE_MOVED:
            to = moved(&rng, from, width == 1 ? 6 : width == 2 ? 40 : 5000);
            break;
        case SHAPE_SPARSE:
            to = ox_rng_below(&rng, 50) == 0 ? moved(&rng, from, 4) : from;
            break;
        case SHAPE_ROWS:
            to = moved(&rng, from, 1u << (i / COLUMNS * 7 % (8 * width - 2)));
            break;
        case SHAPE_RANDOM:
            to = (uint32_t)ox_rng_u64(&rng);
            break;
        case SHAPE_CONSTANT:
            to = 0x3f803c38;
            break;
        case SHAPE_EDGES:
            to = edge(&rng, kind);
            break;
        default:
            break;
        }
        if (!fresh) {
            store(self.predicted + i * width, from, (unsigned)width);
        }
        store(self.numbers + i * width, to, (unsigned)width);
        if (contexts) {
            self.contexts[i] = (uint8_t)(from >> (8 * width - 4) & 15u << (i % 2));
        }
    }
    self.part = (struct stream_part){(uint32_t)count, COLUMNS, 17};
    self.stream = (struct stream){.kind = kind,
                                  .fresh = fresh,
                                  .count = count,
                                  .predicted = self.predicted,
                                  .contexts = self.contexts};
    return self;
}

static void sample_clear(struct sample *self)
{
    free(self->predicted);
    free(self->numbers);
    free(self->contexts);
}

struct coders {
    struct static_coder *vectors;
    struct static_coder *gathers;
    struct static_coder *portable;
};

static int set_up(void **state)
{
    struct coders *self = calloc(1, sizeof(*self));

    *state = self;
    if (self == NULL || static_coder_new(&self->vectors, NULL) != OX_OK ||
        static_coder_new(&self->gathers, NULL) != OX_OK ||
        static_coder_new(&self->portable, NULL) != OX_OK) {
        return 1;
    }
    static_coder_use_vectors(self->gathers, VECTORS_GATHER);
    static_coder_use_vectors(self->portable, VECTORS_NONE);
    return 0;
}

static int tear_down(void **state)
{
    struct coders *self = *state;

    static_coder_free(self->vectors);
    static_coder_free(self->gathers);
    static_coder_free(self->portable);
    free(self);
    return 0;
}

static enum ox_code decode(struct static_coder *coder, const struct sample *sample,
                           const void *body, size_t len, uint8_t *numbers, size_t *used)
{
    struct ox_reader reader;
    enum ox_code code;

    ox_reader_init(&reader, body, len, "body");
    code = static_decode(coder, &sample->stream, numbers, &reader, NULL);
    *used = reader.pos;
    return code;
}

/* All coders give the same body, and get the numbers back from it. Its length. */
static size_t assert_goes_there_and_back(const struct coders *coders, const struct sample *sample)
{
    struct static_coder *decoders[] = {coders->vectors, coders->gathers, coders->portable};
    size_t len = sample->stream.count * number_kinds[sample->stream.kind].width;
    struct ox_buf body = OX_BUF_INIT;
    struct ox_buf other = OX_BUF_INIT;
    uint8_t *numbers = malloc(len + 1);
    size_t used = 0;
    size_t size;

    assert_non_null(numbers);
    assert_int_equal(static_encode(coders->vectors, &sample->stream, sample->numbers, &body, NULL),
                     OX_OK);
    assert_int_equal(
        static_encode(coders->portable, &sample->stream, sample->numbers, &other, NULL), OX_OK);
    assert_int_equal(body.len_bytes, other.len_bytes);
    assert_memory_equal(body.data, other.data, body.len_bytes);
    for (unsigned i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++) {
        memset(numbers, 0x5a, len);
        assert_int_equal(decode(decoders[i], sample, body.data, body.len_bytes, numbers, &used),
                         OX_OK);
        assert_int_equal(used, body.len_bytes);
        assert_memory_equal(numbers, sample->numbers, len);
    }
    size = body.len_bytes;
    free(numbers);
    ox_buf_clear(&body);
    ox_buf_clear(&other);
    return size;
}

static void every_kind_and_shape__goes_there_and_back(void **state)
{
    static const size_t counts[] = {0, 1, 7, 31, 33, 500, 4097, 9001};

    for (unsigned kind = 0; kind < NUMBER_KIND_COUNT; kind++) {
        for (unsigned shape = 0; shape < SHAPE_COUNT; shape++) {
            for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
                for (unsigned how = 0; how < 4; how++) { /* bit 0: contexts, bit 1: fresh */
                    struct sample sample = sample_of((enum number_kind)kind, (enum shape)shape,
                                                     counts[c], (how & 1) != 0, (how & 2) != 0);

                    (void)assert_goes_there_and_back(*state, &sample);
                    sample.stream.parts = &sample.part;
                    sample.stream.part_count = 1;
                    (void)assert_goes_there_and_back(*state, &sample);
                    sample_clear(&sample);
                }
            }
        }
    }
}

static void long_streams__go_there_and_back(void **state)
{
    static const enum number_kind kinds[] = {NUMBER_I8, NUMBER_BF16, NUMBER_F32};

    for (size_t k = 0; k < 3; k++) {
        for (unsigned shape = SHAPE_SPARSE; shape <= SHAPE_ROWS; shape++) {
            struct sample sample = sample_of(kinds[k], (enum shape)shape, 120001, false, false);

            sample.stream.parts = &sample.part;
            sample.stream.part_count = 1;
            (void)assert_goes_there_and_back(*state, &sample);
            sample_clear(&sample);
        }
    }
}

static void same_numbers__take_a_byte(void **state)
{
    struct sample sample = sample_of(NUMBER_BF16, SHAPE_SAME, 5000, false, false);

    assert_int_equal(assert_goes_there_and_back(*state, &sample), 1);
    sample_clear(&sample);
}

static void no_numbers__take_a_byte(void **state)
{
    struct sample sample = sample_of(NUMBER_F32, SHAPE_RANDOM, 0, true, false);

    assert_int_equal(assert_goes_there_and_back(*state, &sample), 1);
    sample_clear(&sample);
}

static void few_numbers__take_few_bytes(void **state)
{
    struct sample sample = sample_of(NUMBER_I8, SHAPE_MOVED, 30, false, false);

    /* 30 of 7 values are 10.5 bytes */
    assert_in_range(assert_goes_there_and_back(*state, &sample), 11, 30);
    sample_clear(&sample);
    sample = sample_of(NUMBER_I8, SHAPE_MOVED, 30, true, false);
    assert_in_range(assert_goes_there_and_back(*state, &sample), 11, 30);
    sample_clear(&sample);
}

static void constant_numbers__take_few_bytes(void **state)
{
    struct sample sample = sample_of(NUMBER_F32, SHAPE_CONSTANT, 9000, false, true);
    struct ox_rng rng;

    memset(sample.numbers, 0, 9000 * (size_t)4);
    assert_int_equal(assert_goes_there_and_back(*state, &sample), 1); /* fresh, but as predicted */
    ox_rng_init(&rng, 1);
    for (unsigned i = 0; i < 20; i++) { /* nearly all zero */
        store(sample.numbers + 4 * ox_rng_below(&rng, 9000), weight(&rng, NUMBER_F32), 4);
    }
    assert_in_range(assert_goes_there_and_back(*state, &sample), 80, 180);
    sample_clear(&sample);
}

static void random_numbers__grow_by_little(void **state)
{
    for (unsigned kind = 0; kind < NUMBER_KIND_COUNT; kind++) {
        struct sample sample =
            sample_of((enum number_kind)kind, SHAPE_RANDOM, 20000, false, kind % 2 == 0);
        size_t len = 20000 * (size_t)number_kinds[kind].width;

        assert_in_range(assert_goes_there_and_back(*state, &sample), len - len / 50,
                        len + len / 50);
        sample_clear(&sample);
    }
}

/* Moved by 5,000 steps of 2^-23 at each of 7 exponents: the size alone is known, 12.3 bits. */
static void moved_floats__come_near_their_entropy(void **state)
{
    struct sample sample = sample_of(NUMBER_F32, SHAPE_MOVED, 20000, false, false);
    size_t bound = 20000 * 123 / 80;

    assert_in_range(assert_goes_there_and_back(*state, &sample), bound, bound + bound / 50);
    sample_clear(&sample);
}

static void rows__are_made_use_of(void **state)
{
    struct sample sample = sample_of(NUMBER_F32, SHAPE_ROWS, 20011, false, false);
    size_t without = assert_goes_there_and_back(*state, &sample);
    size_t with;

    sample.stream.parts = &sample.part;
    sample.stream.part_count = 1;
    sample.part.column = 0;
    with = assert_goes_there_and_back(*state, &sample);
    assert_in_range(with, 1, without - without / 25);
    sample_clear(&sample);
}

static void contexts__are_made_use_of(void **state)
{
    struct sample sample = sample_of(NUMBER_U8, SHAPE_CONSTANT, 8000, true, false);
    struct ox_rng rng;

    /* nibbles that are nearly a function of the context */
    ox_rng_init(&rng, 3);
    for (size_t i = 0; i < 8000; i++) {
        sample.contexts[i] = (uint8_t)ox_rng_below(&rng, 16);
        sample.predicted[i] = 0;
        sample.numbers[i] =
            (uint8_t)((sample.contexts[i] * 7 + (ox_rng_below(&rng, 20) == 0)) & 15);
    }
    assert_in_range(assert_goes_there_and_back(*state, &sample), 1, 8000 / 16);
    sample_clear(&sample);
}

static void many_small_parts__go_there_and_back(void **state)
{
    struct sample sample = sample_of(NUMBER_BF16, SHAPE_MOVED, 20011, false, false);
    struct stream_part parts[300];

    for (size_t p = 0; p < 300; p++) { /* they leave some over; columns of all sorts */
        parts[p] = (struct stream_part){(uint32_t)(p * 37 % 120), (uint32_t)(p * p % 5000),
                                        (uint32_t)(p % 50)};
    }
    parts[299] = (struct stream_part){200, UINT32_MAX, UINT32_MAX - 1};
    sample.stream.parts = parts;
    sample.stream.part_count = 300;
    (void)assert_goes_there_and_back(*state, &sample);
    parts[3].count = UINT32_MAX; /* more than there are */
    (void)assert_goes_there_and_back(*state, &sample);
    sample_clear(&sample);
}

static void cost__is_about_the_size(void **state)
{
    const struct coders *coders = *state;

    for (unsigned kind = 0; kind < NUMBER_KIND_COUNT; kind++) {
        for (unsigned shape = SHAPE_MOVED; shape <= SHAPE_SPARSE; shape++) {
            struct sample sample =
                sample_of((enum number_kind)kind, (enum shape)shape, 120000, false, false);
            size_t size = assert_goes_there_and_back(coders, &sample);
            uint64_t cost = 0;

            assert_int_equal(
                static_cost(coders->vectors, &sample.stream, sample.numbers, &cost, NULL), OX_OK);
            assert_in_range(cost, size - size / 10, size + size / 10);
            sample_clear(&sample);
        }
    }
}

static void too_many_numbers__are_refused(void **state)
{
    const struct coders *coders = *state;
    const uint8_t body[] = {0};
    struct sample sample = sample_of(NUMBER_U8, SHAPE_SAME, 10, false, false);
    struct ox_buf out = OX_BUF_INIT;
    size_t used;

    sample.stream.count = STREAM_COUNT_MAX + 1;
    assert_int_equal(static_encode(coders->vectors, &sample.stream, sample.numbers, &out, NULL),
                     OX_EINVAL);
    assert_int_equal(decode(coders->vectors, &sample, body, 1, sample.numbers, &used), OX_ECORRUPT);
    assert_int_equal(out.len_bytes, 0);
    sample_clear(&sample);
}

static void unknown_codings__are_refused(void **state)
{
    const struct coders *coders = *state;
    struct sample sample = sample_of(NUMBER_F32, SHAPE_MOVED, 3000, false, false);
    struct ox_buf body = OX_BUF_INIT;
    size_t used;

    assert_int_equal(static_encode(coders->vectors, &sample.stream, sample.numbers, &body, NULL),
                     OX_OK);
    for (unsigned head = 0; head < 256; head++) {
        /* what there is for floats that are predicted: steps, by 1, 3, 4, 5, 6; or all the same */
        bool may_be = head < 7 && head != 2;

        body.data[0] = (uint8_t)head;
        if (decode(coders->vectors, &sample, body.data, body.len_bytes, sample.numbers, &used) ==
            OX_OK) {
            assert_true(may_be);
        }
    }
    ox_buf_clear(&body);
    sample_clear(&sample);
}

static void damaged_bodies__do_no_harm(void **state)
{
    const struct coders *coders = *state;

    for (unsigned kind = 0; kind < NUMBER_KIND_COUNT; kind++) {
        for (unsigned how = 0; how < 4; how++) {
            struct sample sample =
                sample_of((enum number_kind)kind, SHAPE_ROWS, 1500, (how & 1) != 0, (how & 2) != 0);
            struct ox_buf body = OX_BUF_INIT;
            size_t used;

            sample.stream.parts = &sample.part;
            sample.stream.part_count = 1;
            assert_int_equal(
                static_encode(coders->vectors, &sample.stream, sample.numbers, &body, NULL), OX_OK);
            for (size_t at = 0; at < body.len_bytes; at += at < 300 ? 1 : 41) {
                uint8_t *exact = malloc(body.len_bytes);

                assert_non_null(exact);
                memcpy(exact, body.data, body.len_bytes);
                exact[at] ^= (uint8_t)(at % 3 == 0 ? 0xff : 1u << at % 8);
                (void)decode(coders->vectors, &sample, exact, body.len_bytes, sample.numbers,
                             &used);
                (void)decode(coders->portable, &sample, exact, body.len_bytes, sample.numbers,
                             &used);
                free(exact);
                exact = malloc(at + 1); /* its last bytes, to have exact bounds */
                assert_non_null(exact);
                memcpy(exact + 1, body.data, at);
                assert_int_equal(
                    decode(coders->vectors, &sample, exact + 1, at, sample.numbers, &used),
                    OX_ECORRUPT);
                free(exact);
            }
            ox_buf_clear(&body);
            sample_clear(&sample);
        }
    }
}

/* Bodies are patches that are out: they may not change unless a new way of coding is added. */
static void bytes__are_pinned(void **state)
{
    const struct coders *coders = *state;
    static const struct {
        enum number_kind kind;
        enum shape shape;
        size_t count;
        bool contexts;
        bool fresh;
        uint8_t head;
        size_t len;
        uint64_t sum;
    } goldens[] = {
        {NUMBER_I8, SHAPE_MOVED, 1000, false, false, 0x01, 364, 0x98f2b249820f6359},
        {NUMBER_BF16, SHAPE_MOVED, 3000, false, false, 0x01, 2069, 0x71ec3dff3ae3d576},
        {NUMBER_F32, SHAPE_ROWS, 20011, false, false, 0x06, 42414, 0x3eb8562de5eae78c},
        {NUMBER_I32, SHAPE_EDGES, 200, false, false, 0x01, 474, 0x235a7d57731cb095},
        {NUMBER_F16, SHAPE_MOVED, 2000, true, false, 0x02, 1391, 0xacae49b9b335cb20},
        {NUMBER_F32, SHAPE_MOVED, 5000, false, true, 0x21, 16835, 0xfb7cfc352cb90e12},
        {NUMBER_U8, SHAPE_MOVED, 5000, true, true, 0x12, 3119, 0xc2968df3134d89e3},
    };
    bool same = true;

    for (size_t g = 0; g < sizeof(goldens) / sizeof(goldens[0]); g++) {
        struct sample sample = sample_of(goldens[g].kind, goldens[g].shape, goldens[g].count,
                                         goldens[g].contexts, goldens[g].fresh);
        struct ox_buf body = OX_BUF_INIT;
        uint64_t sum;

        sample.stream.parts = &sample.part;
        sample.stream.part_count = 1;
        assert_int_equal(
            static_encode(coders->vectors, &sample.stream, sample.numbers, &body, NULL), OX_OK);
        sum = ox_xxh64(body.data, body.len_bytes, 0);
        if (body.data[0] != goldens[g].head || body.len_bytes != goldens[g].len ||
            sum != goldens[g].sum) {
            print_message("golden %zu: head 0x%02x, %zu bytes, sum 0x%016llx\n", g, body.data[0],
                          body.len_bytes, (unsigned long long)sum);
            same = false;
        }
        ox_buf_clear(&body);
        sample_clear(&sample);
    }
    assert_true(same);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_and_shape__goes_there_and_back),
        TEST(long_streams__go_there_and_back),
        TEST(same_numbers__take_a_byte),
        TEST(no_numbers__take_a_byte),
        TEST(few_numbers__take_few_bytes),
        TEST(constant_numbers__take_few_bytes),
        TEST(random_numbers__grow_by_little),
        TEST(moved_floats__come_near_their_entropy),
        TEST(rows__are_made_use_of),
        TEST(contexts__are_made_use_of),
        TEST(many_small_parts__go_there_and_back),
        TEST(cost__is_about_the_size),
        TEST(too_many_numbers__are_refused),
        TEST(unknown_codings__are_refused),
        TEST(damaged_bodies__do_no_harm),
        TEST(bytes__are_pinned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Updates as sums of few outer products: what they predict, to the bit, and that they are found. */
#include "../../../src/delta/cast.h"
#include "../../../src/delta/factors.h"
#include "choosing.h"
#include "oxide/crypto/xxh64.h"

#include <stdlib.h>
#include <string.h>

static void put_factor(struct ox_buf *factors, int32_t value)
{
    assert_int_equal(ox_buf_put_u32le(factors, (uint32_t)value, NULL), OX_OK);
}

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* --- predictions --- */

static void predict__adds_products_to_the_base(void **state)
{
    struct factors_shape shape = {NUMBER_F32, 2, 8, 0, 64}; /* 8 rows */
    struct ox_buf factors = OX_BUF_INIT;
    uint8_t base[256];
    uint8_t predicted[256];

    (void)state;
    put_factor(&factors, 1); /* halves: column j + 1, row i */
    for (int j = 0; j < 8; j++) {
        put_factor(&factors, j + 1);
    }
    for (int i = 0; i < 8; i++) {
        put_factor(&factors, i);
    }
    put_factor(&factors, 0); /* wholes: -1 in column 2 and row 5 */
    for (int j = 0; j < 16; j++) {
        put_factor(&factors, j == 2 ? -1 : j == 8 + 5 ? 1 : 0);
    }
    assert_int_equal(factors.len_bytes, (size_t)4 * 2 * factors_stride(&shape));
    for (size_t i = 0; i < 64; i++) {
        ox_store_u32le(base + 4 * i, bits_of(100.0f));
    }
    factors_predict(&shape, factors.data, base, predicted);
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 8; j++) {
            float expected = 100.0f + (float)((j + 1) * i) / 2 - (i == 5 && j == 2 ? 1.0f : 0.0f);

            assert_int_equal(ox_load_u32le(predicted + 4 * (8 * i + j)), bits_of(expected));
        }
    }
    ox_buf_clear(&factors);
}

/* What docs/oxdl.md says, number by number. */
static void predict_plainly(const struct factors_shape *shape, const uint8_t *factors,
                            const uint8_t *base, uint8_t *predicted)
{
    size_t width = number_kinds[shape->kind].width;
    size_t stride = factors_stride(shape);

    for (size_t n = 0; n < shape->count; n++) {
        size_t row = (shape->column + n) / shape->columns;
        size_t column = (shape->column + n) % shape->columns;
        double update = 0;
        uint8_t bytes[4];
        uint32_t bits;

        for (size_t k = 0; k < shape->rank; k++) {
            const uint8_t *pattern = factors + 4 * stride * k;
            uint32_t exponent = ox_load_u32le(pattern);
            double u = (double)(int32_t)ox_load_u32le(pattern + 4 * (1 + shape->columns + row));

            for (uint32_t e = 0; e < exponent && e < 100; e++) {
                u /= 2;
            }
            update += u * (double)(int32_t)ox_load_u32le(pattern + 4 * (1 + column));
        }
        if (shape->kind == NUMBER_F32) {
            memcpy(bytes, base + 4 * n, 4);
        } else {
            cast_numbers(shape->kind, NUMBER_F32, false, base + width * n, 1, bytes);
        }
        bits = ox_load_u32le(bytes);
        if ((bits & 0x7f800000) != 0x7f800000) {
            bits = bits_of((float)((double)float_of(bits) + update));
        }
        ox_store_u32le(bytes, bits);
        if (shape->kind == NUMBER_F32) {
            memcpy(predicted + 4 * n, bytes, 4);
        } else {
            cast_numbers(NUMBER_F32, shape->kind, false, bytes, 1, predicted + width * n);
        }
    }
}

static struct factors_shape random_shape(struct ox_rng *rng)
{
    static const enum number_kind kinds[] = {NUMBER_F16, NUMBER_BF16, NUMBER_F32};
    struct factors_shape shape;

    do {
        shape.kind = kinds[ox_rng_below(rng, 3)];
        shape.rank = 1 + (unsigned)ox_rng_below(rng, FACTORS_RANK_MAX);
        shape.columns = 8 + (uint32_t)ox_rng_below(rng, 400);
        shape.column = (uint32_t)ox_rng_below(rng, shape.columns);
        shape.count = 1 + (uint32_t)ox_rng_below(rng, 20000);
    } while (!factors_ok(&shape));
    return shape;
}

/* Factors of every size, and now and then such as no encoder writes. */
static struct ox_buf random_factors(const struct factors_shape *shape, struct ox_rng *rng)
{
    struct ox_buf factors = OX_BUF_INIT;
    unsigned size = 4 + (unsigned)ox_rng_below(rng, 28);

    for (size_t k = 0; k < shape->rank; k++) {
        put_factor(&factors,
                   (int32_t)(ox_rng_below(rng, 20) == 0 ? ox_rng_u64(rng) : ox_rng_below(rng, 70)));
        for (size_t i = 1; i < factors_stride(shape); i++) {
            put_factor(&factors, (int32_t)(uint32_t)ox_rng_u64(rng) >> (31 - size % 32));
        }
    }
    return factors;
}

static void predict__is_what_the_format_says(void **state)
{
    uint64_t sum = 0;
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 7);
    for (unsigned turn = 0; turn < 60; turn++) {
        struct factors_shape shape = random_shape(&rng);
        size_t len = shape.count * (size_t)number_kinds[shape.kind].width;
        struct ox_buf factors = random_factors(&shape, &rng);
        struct ox_buf base = noise(turn, len); /* NaNs and infinities among them */
        uint8_t *expected = malloc(len);
        uint8_t *predicted = malloc(len);

        predict_plainly(&shape, factors.data, base.data, expected);
        factors_predict(&shape, factors.data, base.data, predicted);
        assert_memory_equal(predicted, expected, len);
        sum = ox_xxh64(predicted, len, sum);
        free(expected);
        free(predicted);
        ox_buf_clear(&factors);
        ox_buf_clear(&base);
    }
    assert_int_equal(sum, 0x1af13a906e03f121); /* on every processor */
}

static void predict__keeps_nans_and_never_makes_them(void **state)
{
    static const uint32_t kept[] = {0x7fc12345, 0x7f800001, 0xff800000, 0x7f800000, 0xffffffff};
    struct factors_shape shape = {NUMBER_F32, 16, 64, 0, 4096};
    struct ox_buf factors = OX_BUF_INIT;
    uint8_t *base = malloc(4 * 4096);
    uint8_t *predicted = malloc(4 * 4096);

    (void)state;
    for (size_t i = 0; i < 16 * (size_t)factors_stride(&shape); i++) {
        put_factor(&factors, i % factors_stride(&shape) == 0 ? 0 : INT32_MIN); /* the largest */
    }
    for (size_t i = 0; i < 4096; i++) {
        ox_store_u32le(base + 4 * i, i < 5 ? kept[i] : 0x7f7fffff);
    }
    factors_predict(&shape, factors.data, base, predicted);
    for (size_t i = 0; i < 4096; i++) {
        assert_int_equal(ox_load_u32le(predicted + 4 * i), i < 5 ? kept[i] : 0x7f7fffff);
    }
    free(base);
    free(predicted);
    ox_buf_clear(&factors);
}

static void ok__bounds_every_field(void **state)
{
    static const struct {
        struct factors_shape shape;
        bool ok;
    } rows[] = {
        {{NUMBER_F32, 1, 8, 0, 64}, true},          {{NUMBER_BF16, 16, 8192, 0, 1 << 19}, true},
        {{NUMBER_F16, 4, 64, 63, 4096}, true},      {{NUMBER_I16, 4, 64, 0, 4096}, false},
        {{NUMBER_F8E4M3, 4, 64, 0, 4096}, false},   {{NUMBER_F32, 0, 64, 0, 4096}, false},
        {{NUMBER_F32, 17, 64, 0, 65536}, false},    {{NUMBER_F32, 1, 7, 0, 64}, false},
        {{NUMBER_F32, 1, 8193, 0, 1 << 18}, false}, {{NUMBER_F32, 1, 64, 64, 4096}, false},
        {{NUMBER_F32, 1, 64, 0, 131}, false}, /* 1 + 64 + 3 factors are more than half */
        {{NUMBER_F32, 1, 64, 0, 0}, false},         {{NUMBER_F32, 1, 64, 0, 256}, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (factors_ok(&rows[i].shape) != rows[i].ok) {
            fail_msg("row %zu", i);
        }
    }
}

/* --- fits --- */

/* A base, and what becomes of it with an update of `rank` patterns. */
struct tuned {
    struct ox_buf base;
    struct ox_buf target;
};

static double small(struct ox_rng *rng)
{
    return (double)(int32_t)(uint32_t)ox_rng_u64(rng) / 2147483648.0;
}

static struct tuned tune(enum number_kind kind, size_t rows, size_t columns, unsigned rank,
                         uint64_t seed)
{
    size_t count = rows * columns;
    struct tuned tuned = {OX_BUF_INIT, OX_BUF_INIT};
    uint8_t *floats = malloc(2 * count * 4);
    double *u = calloc(rank * rows + 1, sizeof(*u));
    double *v = calloc(rank * columns + 1, sizeof(*v));
    size_t len = count * number_kinds[kind].width;
    struct ox_rng rng;

    ox_rng_init(&rng, seed);
    for (size_t i = 0; i < rank * rows; i++) {
        u[i] = small(&rng) / 16;
    }
    for (size_t i = 0; i < rank * columns; i++) {
        v[i] = small(&rng) / 16;
    }
    for (size_t i = 0; i < count; i++) {
        float weight = (float)(small(&rng) * small(&rng) / 4);
        double update = 0;

        for (unsigned k = 0; k < rank; k++) {
            update += u[k * rows + i / columns] * v[k * columns + i % columns];
        }
        ox_store_u32le(floats + 4 * i, bits_of(weight));
        ox_store_u32le(floats + 4 * (count + i), bits_of((float)((double)weight + update)));
    }
    put(&tuned.base, floats, len);
    put(&tuned.target, floats + 4 * count, len);
    if (kind != NUMBER_F32) {
        cast_numbers(NUMBER_F32, kind, false, floats, count, tuned.base.data);
        cast_numbers(NUMBER_F32, kind, false, floats + 4 * count, count, tuned.target.data);
    }
    free(floats);
    free(u);
    free(v);
    return tuned;
}

static void tuned_clear(struct tuned *tuned)
{
    ox_buf_clear(&tuned->base);
    ox_buf_clear(&tuned->target);
}

/* Bytes of a body, which is decoded, too. */
static size_t there_and_back(const struct part *part, const struct tuned *tuned)
{
    struct numbers numbers = {.coder = NULL};
    struct ox_buf body = OX_BUF_INIT;
    struct ox_reader reader;
    size_t n = tuned->target.len_bytes;
    uint8_t *out = malloc(n);
    size_t len;

    assert_int_equal(
        numbers_encode(&numbers, part, 1, tuned->target.data, tuned->base.data, false, &body, NULL),
        OX_OK);
    ox_reader_init(&reader, body.data, body.len_bytes, "body");
    assert_int_equal(numbers_decode(&numbers, &reader, tuned->base.data, n, out, n, NULL), OX_OK);
    assert_memory_equal(out, tuned->target.data, n);
    len = body.len_bytes;
    numbers_clear(&numbers);
    ox_buf_clear(&body);
    free(out);
    return len;
}

static void fit__finds_the_patterns_of_an_update(void **state)
{
    static const struct {
        enum number_kind kind;
        unsigned of_100; /* of what SAME takes */
    } rows[] = {{NUMBER_F32, 33}, {NUMBER_BF16, 33}, {NUMBER_F16, 33}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct tuned tuned = tune(rows[i].kind, 300, 200, 3, i);
        struct part part = {
            .how = {.predictor = PREDICT_SAME, .kind = (uint8_t)rows[i].kind, .columns = 200},
            .target_bytes = (uint32_t)tuned.target.len_bytes};
        size_t same = there_and_back(&part, &tuned);
        size_t fitted;

        part.how.predictor = PREDICT_FACTORS;
        part.how.rank = 4;
        fitted = there_and_back(&part, &tuned);
        if (fitted * 100 > same * rows[i].of_100) {
            fail_msg("kind %d: %zu bytes with factors, %zu without", (int)rows[i].kind, fitted,
                     same);
        }
        tuned_clear(&tuned);
    }
}

/* The same input gives the same patch on every machine. */
static void fit__gives_the_same_factors_everywhere(void **state)
{
    static const unsigned ranks[] = {1, 4, 8, 16};
    uint64_t sum = 0;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct tuned tuned = tune(i % 2 == 0 ? NUMBER_F32 : NUMBER_F16, 151, 99, 6, i);
        struct factors_shape shape = {i % 2 == 0 ? NUMBER_F32 : NUMBER_F16, ranks[i], 99,
                                      (uint32_t)i, 151 * 99};
        size_t len = (size_t)4 * ranks[i] * factors_stride(&shape);
        struct ox_buf scratch = OX_BUF_INIT;
        uint8_t *factors = malloc(len);

        assert_true(factors_ok(&shape));
        assert_int_equal(
            factors_fit(&shape, tuned.base.data, tuned.target.data, &scratch, factors, NULL),
            OX_OK);
        sum = ox_xxh64(factors, len, sum);
        free(factors);
        ox_buf_clear(&scratch);
        tuned_clear(&tuned);
    }
    assert_int_equal(sum, 0x5f1a7b934385a20b);
}

/* Nothing to explain, or nothing that can be: factors still are some numbers. */
static void fit__takes_any_numbers(void **state)
{
    static const enum number_kind kinds[] = {NUMBER_F16, NUMBER_BF16, NUMBER_F32};

    (void)state;
    for (uint64_t i = 0; i < 12; i++) {
        enum number_kind kind = kinds[i % 3];
        size_t len = 3000 * (size_t)number_kinds[kind].width;
        struct tuned tuned = {noise(i, len), noise(i < 6 ? i : i + 100, len)};
        struct part part = {.how = {.predictor = PREDICT_FACTORS,
                                    .kind = (uint8_t)kind,
                                    .rank = (uint8_t)(1 + 3 * (i % 4)),
                                    .columns = 50},
                            .target_bytes = (uint32_t)len,
                            .column = (uint32_t)(4 * i)};

        if (i == 0) {
            memset(tuned.base.data, 0, len);
            memset(tuned.target.data, 0, len);
        }
        assert_true(part_ok(&part));
        (void)there_and_back(&part, &tuned);
        tuned_clear(&tuned);
    }
}

/* --- the choice --- */

static void choose__takes_factors_where_they_pay(void **state)
{
    struct tuned adapter = tune(NUMBER_BF16, 256, 128, 8, 1);
    struct tuned tuned = tune(NUMBER_BF16, 256, 128, 0, 2);
    struct prediction how = choose_for(OX_DTYPE_BF16, 128, &adapter.base, &adapter.target);

    (void)state;
    assert_int_equal(how.predictor, PREDICT_FACTORS);
    assert_int_equal(how.rank, 8);
    assert_int_equal(how.columns, 128);
    for (size_t i = 0; i < tuned.target.len_bytes; i += 2) {
        tuned.target.data[i] ^= (uint8_t)(i * i >> 7 & 3);
    }
    how = choose_for(OX_DTYPE_BF16, 128, &tuned.base, &tuned.target);
    assert_int_equal(how.predictor, PREDICT_SAME);
    tuned_clear(&adapter);
    tuned_clear(&tuned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predict__adds_products_to_the_base),
        cmocka_unit_test(predict__is_what_the_format_says),
        cmocka_unit_test(predict__keeps_nans_and_never_makes_them),
        cmocka_unit_test(ok__bounds_every_field),
        cmocka_unit_test(fit__finds_the_patterns_of_an_update),
        cmocka_unit_test(fit__gives_the_same_factors_everywhere),
        cmocka_unit_test(fit__takes_any_numbers),
        cmocka_unit_test(choose__takes_factors_where_they_pay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

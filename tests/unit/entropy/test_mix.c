#include "oxide/entropy/mix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N 50000

static struct ox_mix_tables tables;

static int setup(void **state)
{
    (void)state;
    ox_mix_tables_init(&tables);
    return 0;
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void tables__are_pinned(void **state)
{
    (void)state;
    /* 65536 / (1 + e^-x) */
    assert_int_equal(tables.squash[OX_MIX_LOGIT_MAX], 32768);
    assert_int_equal(tables.squash[OX_MIX_LOGIT_MAX + 256], 47910);
    assert_int_equal(tables.squash[OX_MIX_LOGIT_MAX - 256], 65536 - 47910);
    assert_int_equal(tables.squash[0], 2);
    assert_int_equal(tables.squash[2 * OX_MIX_LOGIT_MAX], 65534);
    assert_in_range(tables.stretch[2048] + 10, 9, 11);
    assert_int_equal(tables.step[0], 21845);
    for (unsigned i = 1; i < 4096; i++) {
        assert_true(tables.stretch[i] >= tables.stretch[i - 1]);
    }
}

static void state__is_the_mean_at_first(void **state)
{
    ox_mix_state s = OX_MIX_STATE_INIT;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        ox_mix_state_learn(&s, i % 4 == 0, 1000, &tables);
    }
    assert_in_range(ox_mix_state_p(s), 1024 - 40, 1024 + 40);
}

/* Bits of all sorts of probability, and raw ones between them. */
static void code(struct ox_mix_coder *coder, bool encodes, uint8_t *bits)
{
    uint32_t seed = 1;

    for (unsigned i = 0; i < N; i++) {
        uint32_t p1 = next(&seed) % 3 == 0   ? 1
                      : next(&seed) % 3 == 0 ? 65535
                                             : next(&seed) % 65535 + 1;

        bits[i] = (uint8_t)ox_mix_code_bit(coder, encodes, bits[i], p1);
        if (i % 16 == 15) {
            unsigned count = next(&seed) % 17;
            uint32_t raw = next(&seed) & ((1u << count) - 1);

            assert_int_equal(ox_mix_code_raw(coder, encodes, encodes ? raw : 0, count), raw);
        }
    }
}

static void bits__come_back_whatever_their_probability(void **state)
{
    uint8_t *bits = malloc(N);
    uint8_t *again = calloc(N, 1);
    struct ox_buf out = OX_BUF_INIT;
    struct ox_mix_io io;
    struct ox_mix_coder coder;
    uint32_t seed = 7;

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        bits[i] = next(&seed) & 1;
    }
    assert_int_equal(ox_buf_put_u8(&out, 0xff, NULL), OX_OK); /* no carry may reach it */
    coder = ox_mix_encoder(&io, &tables, &out);
    code(&coder, true, bits);
    assert_int_equal(ox_mix_encoder_end(coder, NULL), OX_OK);
    assert_int_equal(out.data[0], 0xff);
    coder = ox_mix_decoder(&io, &tables, out.data + 1, out.len_bytes - 1);
    code(&coder, false, again);
    assert_memory_equal(bits, again, N);
    ox_buf_clear(&out);
    free(bits);
    free(again);
}

static void carries__go_through_runs_of_ff(void **state)
{
    /* 1 of probability next to nothing keeps the interval at its top: long runs of 0xff */
    struct ox_buf out = OX_BUF_INIT;
    struct ox_mix_io io;
    struct ox_mix_coder coder = ox_mix_encoder(&io, &tables, &out);

    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        (void)ox_mix_code_bit(&coder, true, 0, 65535);
    }
    for (unsigned i = 0; i < 40; i++) {
        (void)ox_mix_code_bit(&coder, true, i % 3 == 0, 32768);
    }
    assert_int_equal(ox_mix_encoder_end(coder, NULL), OX_OK);
    assert_in_range(out.len_bytes, 400 * 2, 400 * 2 + 16);
    coder = ox_mix_decoder(&io, &tables, out.data, out.len_bytes);
    for (unsigned i = 0; i < 400; i++) {
        assert_int_equal(ox_mix_code_bit(&coder, false, 0, 65535), 0);
    }
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(ox_mix_code_bit(&coder, false, 0, 32768), i % 3 == 0);
    }
    ox_buf_clear(&out);
}

static void mix__learns_which_model_is_right(void **state)
{
    /* the first model sees what decides the bit, the second sees noise */
    struct ox_buf out = OX_BUF_INIT;
    struct ox_mix_io io;
    struct ox_mix_coder coder = ox_mix_encoder(&io, &tables, &out);
    ox_mix_state knows[2] = {OX_MIX_STATE_INIT, OX_MIX_STATE_INIT};
    ox_mix_state guesses[2] = {OX_MIX_STATE_INIT, OX_MIX_STATE_INIT};
    int32_t weights[2] = {OX_MIX_WEIGHT_ONE / 2, OX_MIX_WEIGHT_ONE / 2};
    uint32_t seed = 3;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        unsigned bit = next(&seed) & 1;
        ox_mix_state *states[2] = {&knows[bit], &guesses[next(&seed) & 1]};

        (void)ox_mix_code(&coder, true, bit, states, weights, 2, 255, 6);
    }
    assert_int_equal(ox_mix_encoder_end(coder, NULL), OX_OK);
    assert_in_range(out.len_bytes, 1, 60); /* of 2,500 */
    assert_true(weights[0] > OX_MIX_WEIGHT_ONE / 2);
    ox_buf_clear(&out);
}

static void decoder__reads_zeros_past_the_end(void **state)
{
    struct ox_mix_io io;
    struct ox_mix_coder coder = ox_mix_decoder(&io, &tables, NULL, 0);

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(ox_mix_code_bit(&coder, false, 0, 40000), 1);
        assert_int_equal(ox_mix_code_raw(&coder, false, 0, 16), 0);
    }
}

static void nothing__takes_no_bytes(void **state)
{
    struct ox_buf out = OX_BUF_INIT;
    struct ox_mix_io io;
    struct ox_mix_coder coder = ox_mix_encoder(&io, &tables, &out);

    (void)state;
    assert_int_equal(ox_mix_encoder_end(coder, NULL), OX_OK);
    assert_int_equal(out.len_bytes, 0);
    ox_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables__are_pinned),
        cmocka_unit_test(state__is_the_mean_at_first),
        cmocka_unit_test(bits__come_back_whatever_their_probability),
        cmocka_unit_test(carries__go_through_runs_of_ff),
        cmocka_unit_test(mix__learns_which_model_is_right),
        cmocka_unit_test(decoder__reads_zeros_past_the_end),
        cmocka_unit_test(nothing__takes_no_bytes),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}

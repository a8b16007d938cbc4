#include "oxide/entropy/mix4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void state__is_the_mean_at_first(void **state)
{
    struct ox_mix4_state s = OX_MIX4_STATE_INIT;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        ox_mix4_learn(&s, i % 4 == 0, 1 / 1001.5f);
    }
    assert_in_range(ox_mix4_p1(&s), 16384 - 640, 16384 + 640);
}

static void state__keeps_from_certainty_and_learns_on(void **state)
{
    const float slowest = 1 / 100.0f;
    struct ox_mix4_state s = OX_MIX4_STATE_INIT;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        ox_mix4_learn(&s, 1, slowest);
    }
    assert_in_range(ox_mix4_p1(&s), 65000, 65535);
    for (unsigned i = 0; i < 100000; i++) {
        ox_mix4_learn(&s, 0, slowest);
    }
    assert_in_range(ox_mix4_p1(&s), 1, 500);
    assert_true(s.rate > 0.99f * slowest && s.rate < 1.01f * slowest);
}

static void mix__learns_which_model_is_right(void **state)
{
    /* the second model sees what decides the bit, the others see noise */
    struct ox_buf out = OX_BUF_INIT;
    struct ox_mix_io io;
    struct ox_mix_coder coder = ox_mix_encoder(&io, &tables, &out);
    struct ox_mix4_state knows[2] = {OX_MIX4_STATE_INIT, OX_MIX4_STATE_INIT};
    struct ox_mix4_state guesses[6];
    ox_mix4_floats weights = {OX_MIX4_WEIGHT_ONE / 4, OX_MIX4_WEIGHT_ONE / 4,
                              OX_MIX4_WEIGHT_ONE / 4, OX_MIX4_WEIGHT_ONE / 4};
    uint32_t seed = 3;

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        guesses[i] = OX_MIX4_STATE_INIT;
    }
    for (unsigned i = 0; i < 20000; i++) {
        unsigned bit = next(&seed) & 1;
        struct ox_mix4_state *states[OX_MIX4_INPUTS] = {&guesses[next(&seed) & 1], &knows[bit],
                                                        &guesses[2 + (next(&seed) & 1)],
                                                        &guesses[4 + (next(&seed) & 1)]};

        (void)ox_mix4_code(&coder, true, bit, states, &weights, 1 / 256.5f, 0.0042f);
    }
    assert_int_equal(ox_mix_encoder_end(coder, NULL), OX_OK);
    assert_in_range(out.len_bytes, 1, 60); /* of 2,500 */
    assert_true(weights[1] > OX_MIX4_WEIGHT_ONE / 2);
    ox_buf_clear(&out);
}

/* What models see is of every sort: sure, wrong, noise. */
static void code(struct ox_mix_coder *coder, bool encodes, uint8_t *bits, size_t count)
{
    struct ox_mix4_state states[64];
    ox_mix4_floats weights = {OX_MIX4_WEIGHT_ONE, OX_MIX4_WEIGHT_ONE, -OX_MIX4_WEIGHT_ONE, 0};
    uint32_t seed = 1;

    for (unsigned i = 0; i < 64; i++) {
        states[i] = OX_MIX4_STATE_INIT;
    }
    for (size_t i = 0; i < count; i++) {
        struct ox_mix4_state *at[OX_MIX4_INPUTS] = {&states[next(&seed) % 16], &states[16 + i % 5],
                                                    &states[32], &states[33 + next(&seed) % 31]};

        unsigned want = bits[i];

        bits[i] = (uint8_t)ox_mix4_code(coder, encodes, want & 1, at, &weights, 1 / 50.5f, 0.1f);
        bits[i] |= (uint8_t)(ox_mix4_code_one(coder, encodes, want >> 1, at[1], 1 / 50.5f) << 1);
    }
}

static void bits__come_back_and_bytes_are_pinned(void **state)
{
    enum { COUNT = 20000 };
    static uint8_t bits[COUNT];
    static uint8_t again[COUNT];
    struct ox_buf out = OX_BUF_INIT;
    struct ox_mix_io io;
    struct ox_mix_coder coder = ox_mix_encoder(&io, &tables, &out);
    uint64_t hash = 0xcbf29ce484222325;
    uint32_t seed = 8;

    (void)state;
    /* bit 0 is mixed, bit 1 has one model */
    for (size_t i = 0; i < COUNT; i++) {
        bits[i] = (uint8_t)(i < COUNT / 4 ? 0 : (next(&seed) % 7 == 0) + 2 * (i % 3 == 0));
        again[i] = bits[i];
    }
    code(&coder, true, again, COUNT);
    assert_int_equal(ox_mix_encoder_end(coder, NULL), OX_OK);
    for (size_t i = 0; i < out.len_bytes; i++) { /* FNV-1a */
        hash = (hash ^ out.data[i]) * 0x100000001b3;
    }
    assert_int_equal(hash, 0x6714de376021a9d6);
    memset(again, 0, sizeof(again));
    coder = ox_mix_decoder(&io, &tables, out.data, out.len_bytes);
    code(&coder, false, again, COUNT);
    assert_memory_equal(bits, again, COUNT);
    ox_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state__is_the_mean_at_first),
        cmocka_unit_test(state__keeps_from_certainty_and_learns_on),
        cmocka_unit_test(mix__learns_which_model_is_right),
        cmocka_unit_test(bits__come_back_and_bytes_are_pinned),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}

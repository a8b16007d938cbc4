#include "../../../src/delta/lowrank.h"

#include "oxide/crypto/xxh64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 60
#define COLUMNS 80

static double unit(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(int32_t)(*seed >> 8) / 8388608.0 - 1;
}

struct seen {
    double error;  /* mean square, of the rows behind the first 20 */
    double update; /* the same of what was to be guessed */
    uint64_t hash; /* of all guesses */
};

/* A matrix of the given rank, with noise. */
static struct seen run(unsigned rank, double noise)
{
    struct lowrank *self = malloc(sizeof(*self));
    double left[ROWS][8];
    double right[8][COLUMNS];
    struct seen seen = {0, 0, 0};
    uint32_t seed = 1;

    for (unsigned k = 0; k < 8; k++) {
        for (unsigned i = 0; i < ROWS; i++) {
            left[i][k] = unit(&seed);
        }
        for (unsigned j = 0; j < COLUMNS; j++) {
            right[k][j] = unit(&seed);
        }
    }
    lowrank_begin(self, COLUMNS, 0);
    for (unsigned i = 0; i < ROWS; i++) {
        for (unsigned j = 0; j < COLUMNS; j++) {
            double update = noise * unit(&seed);
            double guess = lowrank_guess(self);

            for (unsigned k = 0; k < rank; k++) {
                update += left[i][k] * right[k][j];
            }
            if (i >= 20 && j >= 20) {
                seen.error += (update - guess) * (update - guess);
                seen.update += update * update;
            }
            seen.hash = ox_xxh64(&guess, sizeof(guess), seen.hash);
            lowrank_learn(self, update);
        }
    }
    free(self);
    return seen;
}

static void exact_rank__is_guessed_exactly(void **state)
{
    (void)state;
    for (unsigned rank = 1; rank <= 8; rank++) {
        struct seen seen = run(rank, 0);

        assert_true(seen.error < seen.update * 1e-12);
    }
}

static void noise__is_all_that_is_left(void **state)
{
    struct seen seen = run(2, 0.1);
    double noise = (ROWS - 20) * (COLUMNS - 20) * 0.01 / 3;

    (void)state;
    assert_true(seen.error < 2 * noise);
    assert_true(seen.update > 20 * noise);
}

static void pure_noise__is_hardly_guessed_at(void **state)
{
    struct seen seen = run(0, 1);

    (void)state;
    assert_true(seen.error < 1.4 * seen.update);
}

static void nothing__is_guessed_to_stay(void **state)
{
    struct seen seen = run(0, 0);

    (void)state;
    assert_true(seen.error == 0);
}

static void guesses__are_pinned_to_the_bit(void **state)
{
    (void)state;
    assert_int_equal(run(3, 0.01).hash, 0xfa2f2e64c7ca92d6);
}

static void extremes__do_no_harm(void **state)
{
    struct lowrank *self = malloc(sizeof(*self));

    (void)state;
    lowrank_begin(self, 8, 5);
    for (unsigned i = 0; i < 100000; i++) {
        (void)lowrank_guess(self);
        lowrank_learn(self, i % 7 == 0 ? 1e12 : i % 5 == 0 ? -1e-70 : 0);
    }
    free(self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_rank__is_guessed_exactly),
        cmocka_unit_test(noise__is_all_that_is_left),
        cmocka_unit_test(pure_noise__is_hardly_guessed_at),
        cmocka_unit_test(nothing__is_guessed_to_stay),
        cmocka_unit_test(guesses__are_pinned_to_the_bit),
        cmocka_unit_test(extremes__do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

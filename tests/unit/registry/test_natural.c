#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/random.h"
#include "oxide/registry/natural.h"

#include <stdlib.h>
#include <string.h>

static int compare(const char *a, const char *b)
{
    int order = ox_natural_compare(a, strlen(a), b, strlen(b));

    return order < 0 ? -1 : order > 0;
}

/* Names from low to high; those in one row are equal. */
static const char *const rows[][4] = {
    {"rc", NULL},
    {"", "0", "v0.0", "-"},
    {"alphabet", "ALPHABET", NULL},
    {"nightly", NULL},
    {"v", NULL},
    {"x1", NULL},
    {"0.0.1", NULL},
    {"0.1", "0.1.0", NULL},
    {"1.0-alpha.2", "1-alpha2", NULL},
    {"1.0-beta", NULL},
    {"1.0-beta2", "1.0-BETA.2", NULL},
    {"1.0-rc1", "1rc1", "v1.0.0_RC.1", NULL},
    {"1.0-rc2", NULL},
    {"1.0-rc10", NULL},
    {"1", "v1", "1.0", "V01.00"},
    {"1.0-finetune", "1_finetune", NULL},
    {"1.0.0.1", NULL},
    {"1.0.1", "v1..0.1.0.0", NULL},
    {"1.2", NULL},
    {"1.10", NULL},
    {"2-head", NULL},
    {"2.0.0-0.1", NULL},
    {"2.1-dev", NULL},
    {"2.1", NULL},
    {"9", NULL},
    {"10", NULL},
    {"2026-11", NULL},
    {"2026-11-03", "2026.11.3", NULL},
    {"2026-11-20", NULL},
    {"18446744073709551615", NULL},
    {"18446744073709551616", "v0018446744073709551616", NULL},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void natural__ranks_names_as_listed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < ROWS; j++) {
            for (size_t a = 0; a < 4 && rows[i][a] != NULL; a++) {
                for (size_t b = 0; b < 4 && rows[j][b] != NULL; b++) {
                    int order = compare(rows[i][a], rows[j][b]);

                    if (order != (i < j ? -1 : i > j)) {
                        fail_msg("'%s' against '%s': %d", rows[i][a], rows[j][b], order);
                    }
                }
            }
        }
    }
}

static void natural__takes_time_by_the_length_alone(void **state)
{
    enum { LEN = 1 << 20 };
    char *a = malloc(LEN);
    char *b = malloc(LEN);

    (void)state;
    for (size_t i = 0; i < LEN; i++) { /* "0.0.0. ... 1" */
        a[i] = i % 2 == 0 ? '0' : '.';
    }
    memcpy(b, a, LEN);
    a[LEN - 2] = '1';
    assert_int_equal(ox_natural_compare(a, LEN, a, LEN), 0);
    assert_true(ox_natural_compare(a, LEN, b, LEN) > 0);
    free(a);
    free(b);
}

/* What makes it an order, on names drawn from letters that matter. */
static void natural__is_a_total_preorder(void **state)
{
    static const char letters[] = "012vr.c-bZ";
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 7);
    for (size_t round = 0; round < 200000; round++) {
        char names[3][7];
        int ab;
        int bc;

        for (size_t i = 0; i < 3; i++) {
            size_t len = (size_t)(ox_rng_u64(&rng) % 6);

            for (size_t k = 0; k < len; k++) {
                names[i][k] = letters[ox_rng_u64(&rng) % (sizeof(letters) - 1)];
            }
            names[i][len] = '\0';
        }
        ab = compare(names[0], names[1]);
        bc = compare(names[1], names[2]);
        assert_int_equal(compare(names[1], names[0]), -ab);
        assert_int_equal(compare(names[0], names[0]), 0);
        if (ab <= 0 && bc <= 0) {
            int ac = compare(names[0], names[2]);

            if (ac > 0 || (ac == 0 && (ab != 0 || bc != 0))) {
                fail_msg("'%s' '%s' '%s': %d %d %d", names[0], names[1], names[2], ab, bc, ac);
            }
        }
    }
}

static void natural__reads_no_further_than_told(void **state)
{
    (void)state;
    assert_int_equal(ox_natural_compare("12345", 2, "12", 2), 0);
    assert_int_equal(ox_natural_compare("1rc", 1, "1", 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(natural__ranks_names_as_listed),
        cmocka_unit_test(natural__takes_time_by_the_length_alone),
        cmocka_unit_test(natural__is_a_total_preorder),
        cmocka_unit_test(natural__reads_no_further_than_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "helpers.h"

#include "../../../src/delta/pool_near.h"

#include <stdlib.h>

static void find__finds_the_first_place(void **state)
{
    static struct near near;
    struct ox_buf base = noise(1, NEAR_BYTES);
    size_t in_a = 0;
    size_t in_b = 0;

    (void)state;
    for (size_t gap = 0; gap < 60000; gap = gap * 5 / 4 + 7) { /* `gap` bytes were put in */
        struct ox_buf target = noise(2, gap);

        put(&target, base.data, 500);
        assert_true(near_find(&near, target.data, target.len_bytes, base.data, base.len_bytes,
                              &in_a, &in_b));
        assert_int_equal(in_a, gap);
        assert_int_equal(in_b, 0);
        ox_buf_clear(&target);
    }
    for (size_t gap = 0; gap < 60000; gap = gap * 5 / 4 + 7) { /* `gap` bytes went */
        assert_true(
            near_find(&near, base.data + gap, 500, base.data, base.len_bytes, &in_a, &in_b));
        assert_in_range(in_a, 0, 255); /* blocks of one slot hide one another */
        assert_int_equal(in_b, gap + in_a);
    }
    ox_buf_clear(&base);
}

static void find__finds_nothing_where_nothing_is(void **state)
{
    static struct near near;
    struct ox_buf base = noise(1, 5000);
    struct ox_buf other = noise(2, 5000);
    uint8_t zeros[300] = {0};
    size_t in_a = 0;
    size_t in_b = 0;

    (void)state;
    assert_false(near_find(&near, other.data, 5000, base.data, 5000, &in_a, &in_b));
    assert_false(near_find(&near, zeros, sizeof(zeros), zeros, sizeof(zeros), &in_a, &in_b));
    for (size_t len = 0; len < NEAR_RUN_BYTES; len++) { /* too short to count; bounds are kept */
        uint8_t *exact = malloc(len + 1);

        assert_non_null(exact);
        memcpy(exact + 1, base.data, len);
        assert_false(near_find(&near, exact + 1, len, base.data, 5000, &in_a, &in_b));
        assert_false(near_find(&near, base.data, 5000, exact + 1, len, &in_a, &in_b));
        free(exact);
    }
    assert_true(near_find(&near, base.data, NEAR_RUN_BYTES, base.data, 5000, &in_a, &in_b));
    ox_buf_clear(&other);
    ox_buf_clear(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find__finds_the_first_place),
        cmocka_unit_test(find__finds_nothing_where_nothing_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

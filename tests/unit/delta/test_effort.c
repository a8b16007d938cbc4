#include "helpers.h"

#include "../../../src/delta/effort.h"

#define MIB ((uint64_t)1 << 20)
#define BASE ((uint64_t)1 << 40) /* that takes all that an index may have */

static bool same_row(const struct effort_row *a, const struct effort_row *b)
{
    return a->level_try == b->level_try && a->level_good == b->level_good &&
           a->level_whole == b->level_whole && a->mixing == b->mixing &&
           a->tries_all == b->tries_all && a->zstd_log == b->zstd_log &&
           a->edit.table_log2 == b->edit.table_log2;
}

static void row__of_0_is_the_default_and_past_the_end_the_last(void **state)
{
    (void)state;
    assert_ptr_equal(effort_row(0), effort_row(OX_DELTA_EFFORT_DEFAULT));
    assert_ptr_equal(effort_row(100), effort_row(OX_DELTA_EFFORT_MAX));
}

static void fit__takes_what_was_asked_where_there_is_room(void **state)
{
    (void)state;
    for (unsigned effort = 1; effort <= OX_DELTA_EFFORT_MAX; effort++) {
        struct effort_fit fit = effort_fit(effort_row(effort), 8192 * MIB, 0, BASE, 4);

        assert_int_equal(fit.threads, 4);
        assert_true(same_row(&fit.row, effort_row(effort)));
    }
}

/* The default memory holds one thread of every effort, with all its tables. */
static void fit__of_the_default_memory_keeps_every_row(void **state)
{
    (void)state;
    for (unsigned effort = 1; effort <= OX_DELTA_EFFORT_MAX; effort++) {
        struct effort_fit fit = effort_fit(effort_row(effort), 0, 0, BASE, 64);

        assert_int_equal(fit.row.zstd_log, effort_row(effort)->zstd_log);
        assert_true(fit.threads >= 1 && fit.threads < 64);
    }
}

static void fit__gives_up_threads_before_tables(void **state)
{
    struct effort_fit last = effort_fit(effort_row(3), 8192 * MIB, 0, BASE, 4);

    (void)state;
    for (uint64_t mib = 512; mib >= 16; mib -= 8) {
        struct effort_fit fit = effort_fit(effort_row(3), mib * MIB, 0, BASE, 4);

        assert_true(fit.threads >= 1 && fit.threads <= last.threads);
        assert_true(fit.row.zstd_log <= last.row.zstd_log);
        /* smaller tables only where one thread is left */
        assert_true(fit.row.zstd_log == effort_row(3)->zstd_log || fit.threads == 1 ||
                    fit.row.zstd_log == last.row.zstd_log);
        last = fit;
    }
    assert_int_equal(last.threads, 1);
    assert_true(last.row.zstd_log < effort_row(3)->zstd_log);
}

/* The patch must not depend on the number of threads. */
static void fit__has_the_same_row_for_any_number_of_threads(void **state)
{
    (void)state;
    for (unsigned effort = 1; effort <= OX_DELTA_EFFORT_MAX; effort++) {
        for (uint64_t mib = 32; mib <= 512; mib += 16) {
            struct effort_fit one = effort_fit(effort_row(effort), mib * MIB, 5000, BASE, 1);
            struct effort_fit many = effort_fit(effort_row(effort), mib * MIB, 5000, BASE, 16);

            assert_true(same_row(&one.row, &many.row));
            assert_int_equal(one.threads, 1);
        }
    }
}

static void fit__counts_the_list_of_tensors(void **state)
{
    struct effort_fit few = effort_fit(effort_row(3), 256 * MIB, 0, BASE, 16);
    struct effort_fit many = effort_fit(effort_row(3), 256 * MIB, 100 * MIB, BASE, 16);

    (void)state;
    assert_true(many.threads < few.threads);
}

/* A small base leaves its index's share to threads. */
static void fit__reserves_an_index_by_the_size_of_the_base(void **state)
{
    uint64_t last = 0;

    (void)state;
    for (uint64_t base = 1; base <= BASE; base *= 2) {
        struct effort_fit fit = effort_fit(effort_row(3), 256 * MIB, 0, base, 16);

        assert_true(fit.index_bytes >= last && fit.index_bytes <= 64 * MIB);
        assert_true(fit.index_bytes <= base * 2 || fit.index_bytes < 64 * 1024);
        last = fit.index_bytes;
    }
    assert_int_equal(last, 64 * MIB);
    assert_true(effort_fit(effort_row(3), 256 * MIB, 0, MIB, 16).threads >
                effort_fit(effort_row(3), 256 * MIB, 0, BASE, 16).threads);
}

static void fit__never_fails(void **state)
{
    struct effort_fit fit = effort_fit(effort_row(9), 1, UINT64_MAX / 2, BASE, 16);

    (void)state;
    assert_int_equal(fit.threads, 1);
    assert_true(fit.row.zstd_log >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row__of_0_is_the_default_and_past_the_end_the_last),
        cmocka_unit_test(fit__takes_what_was_asked_where_there_is_room),
        cmocka_unit_test(fit__of_the_default_memory_keeps_every_row),
        cmocka_unit_test(fit__gives_up_threads_before_tables),
        cmocka_unit_test(fit__has_the_same_row_for_any_number_of_threads),
        cmocka_unit_test(fit__counts_the_list_of_tensors),
        cmocka_unit_test(fit__reserves_an_index_by_the_size_of_the_base),
        cmocka_unit_test(fit__never_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

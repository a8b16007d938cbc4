/* One process after the other, late requests, snapshots, and copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/control/starts.h"

#include <stdio.h>
#include <stdlib.h>

#define POLL_MS 30000
#define PATIENCE_MS (3 * POLL_MS)

struct world {
    struct ox_starts *starts;
    struct ox_start device;
    int64_t now_ms;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    world->starts = calloc(1, sizeof(*world->starts));
    world->now_ms = 1000000;
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    free(world->starts);
    free(world);
    return 0;
}

/* A heartbeat of process `id`, some time after the last one. */
static enum ox_start_verdict hear(struct world *world, uint64_t id, int64_t after_ms)
{
    world->now_ms += after_ms;
    return ox_start_judge(&world->device, world->starts, "cam-01", id, world->now_ms, PATIENCE_MS);
}

static void starts__a_process_that_goes_on_is_fine(void **state)
{
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(hear(*state, 7, POLL_MS), OX_START_FINE);
    }
}

static void starts__restarts_are_fine_however_often(void **state)
{
    for (uint64_t i = 1; i < 20000; i++) { /* more than are remembered */
        assert_int_equal(hear(*state, i * 0x9e3779b97f4a7c15u, 100), OX_START_FINE);
    }
}

static void starts__one_late_request_is_no_copy(void **state)
{
    assert_int_equal(hear(*state, 1, POLL_MS), OX_START_FINE);
    assert_int_equal(hear(*state, 2, 1000), OX_START_FINE);
    assert_int_equal(hear(*state, 1, 10), OX_START_FINE); /* of the process that ended */
    for (int i = 0; i < 100; i++) {
        assert_int_equal(hear(*state, 2, POLL_MS), OX_START_FINE);
    }
}

static void starts__a_copy_is_found_within_two_intervals(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 10; i++) {
        assert_int_equal(hear(world, 1, POLL_MS), OX_START_FINE);
    }
    assert_int_equal(hear(world, 2, POLL_MS / 2), OX_START_FINE); /* it might be a restart */
    assert_int_equal(hear(world, 1, POLL_MS / 2), OX_START_FINE); /* this might be late */
    assert_int_equal(hear(world, 2, POLL_MS / 2), OX_START_FINE);
    assert_int_equal(hear(world, 1, POLL_MS / 2), OX_START_COPIED);
    /* Who came later is the copy, and is told so until it has heard. */
    assert_int_equal(hear(world, 2, POLL_MS / 2), OX_START_COPY);
    assert_int_equal(hear(world, 1, POLL_MS / 2), OX_START_FINE);
    assert_int_equal(hear(world, 2, POLL_MS / 2), OX_START_COPY);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(hear(world, 1, POLL_MS), OX_START_FINE);
    }
}

static void starts__a_copy_that_restarts_before_it_hears_is_found_again(void **state)
{
    struct world *world = *state;
    int copies = 0;

    hear(world, 1, 0);
    for (uint64_t i = 2; i < 40; i++) { /* 1 goes on, each copy's process speaks three times */
        for (int times = 0; times < 3; times++) {
            copies += hear(world, i, POLL_MS / 2) == OX_START_COPY;
            copies += hear(world, 1, POLL_MS / 2) == OX_START_COPY;
        }
    }
    assert_true(copies > 30);
}

static void starts__of_two_hundred_copies_each_is_found(void **state)
{
    enum { COPIES = 200 };
    struct world *world = *state;
    bool told[COPIES + 1] = {false};
    int left = COPIES - 1;
    int rounds = 0;

    while (left > 0 && rounds++ < 10 * COPIES) {
        for (uint64_t i = 1; i <= COPIES; i++) {
            if (!told[i] &&
                hear(world, i * 0x9e3779b97f4a7c15u, POLL_MS / COPIES) == OX_START_COPY) {
                told[i] = true; /* it has an installation of its own from now on */
                left--;
            }
        }
    }
    assert_int_equal(left, 0);
}

static void starts__a_snapshot_that_comes_back_is_no_copy(void **state)
{
    struct world *world = *state;

    assert_int_equal(hear(world, 1, POLL_MS), OX_START_FINE);
    assert_int_equal(hear(world, 2, POLL_MS), OX_START_FINE);
    for (int i = 0; i < 100; i++) { /* a machine's memory as it was before the restart */
        assert_int_equal(hear(world, 1, POLL_MS), OX_START_FINE);
    }
    assert_int_equal(world->device.current, 1);
    assert_int_equal(hear(world, 3, POLL_MS), OX_START_FINE);
}

static void starts__two_accidents_far_apart_are_no_copy(void **state)
{
    struct world *world = *state;

    hear(world, 1, 0);
    hear(world, 2, 1000);
    for (int day = 0; day < 5; day++) {
        assert_int_equal(hear(world, 1, 10), OX_START_FINE);
        for (int i = 0; i < 2880; i++) {
            assert_int_equal(hear(world, 2, POLL_MS), OX_START_FINE);
        }
    }
}

static void starts__devices_do_not_mix(void **state)
{
    struct world *world = *state;
    struct ox_start other = {0};

    for (int i = 0; i < 10; i++) { /* two devices may have the same numbers */
        uint64_t one = i % 2 == 0 ? 1 : 2;

        assert_int_equal(ox_start_judge(&other, world->starts, "cam-02", 1, 5, PATIENCE_MS),
                         OX_START_FINE);
        if (i < 2) {
            assert_int_equal(hear(world, one, POLL_MS), OX_START_FINE);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(starts__a_process_that_goes_on_is_fine),
        TEST(starts__restarts_are_fine_however_often),
        TEST(starts__one_late_request_is_no_copy),
        TEST(starts__a_copy_is_found_within_two_intervals),
        TEST(starts__a_copy_that_restarts_before_it_hears_is_found_again),
        TEST(starts__of_two_hundred_copies_each_is_found),
        TEST(starts__a_snapshot_that_comes_back_is_no_copy),
        TEST(starts__two_accidents_far_apart_are_no_copy),
        TEST(starts__devices_do_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

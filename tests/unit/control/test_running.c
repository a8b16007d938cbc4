#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/control/running.h"

static void percent__counts_making_and_proving(void **state)
{
    struct ox_running_jobs jobs;
    struct ox_running one;

    (void)state;
    ox_running_jobs_init(&jobs);
    assert_int_equal(ox_running_percent(&jobs, 7), -1);
    assert_int_equal(ox_running_begin(&jobs, &one, 7, NULL), OX_OK);
    assert_int_equal(ox_running_percent(&jobs, 7), 0);
    ox_progress_update(&one.making, 50, 100);
    assert_int_equal(ox_running_percent(&jobs, 7), 37);
    ox_progress_update(&one.making, 1, 1);
    assert_int_equal(ox_running_percent(&jobs, 7), 75);
    ox_progress_update(&one.proving, UINT64_MAX, UINT64_MAX);
    assert_int_equal(ox_running_percent(&jobs, 7), 99); /* the end is not written yet */
    assert_int_equal(ox_running_percent(&jobs, 8), -1);
    assert_false(ox_running_end(&jobs, &one));
    assert_int_equal(ox_running_percent(&jobs, 7), -1);
    ox_running_jobs_clear(&jobs);
}

static void cancel__stops_that_job_alone(void **state)
{
    struct ox_running_jobs jobs;
    struct ox_running one;
    struct ox_running two;

    (void)state;
    ox_running_jobs_init(&jobs);
    assert_int_equal(ox_running_begin(&jobs, &one, 1, NULL), OX_OK);
    assert_int_equal(ox_running_begin(&jobs, &two, 2, NULL), OX_OK);
    ox_running_cancel(&jobs, 1);
    ox_running_cancel(&jobs, 3);
    assert_true(ox_stop_requested(&one.stop));
    assert_false(ox_stop_requested(&two.stop));
    assert_int_equal(ox_running_percent(&jobs, 1), -1);
    assert_true(ox_running_end(&jobs, &one));
    assert_false(ox_running_end(&jobs, &two));
    ox_running_jobs_clear(&jobs);
}

static void stop__reaches_all_and_those_that_begin_later(void **state)
{
    struct ox_running_jobs jobs;
    struct ox_running one;
    struct ox_running two;

    (void)state;
    ox_running_jobs_init(&jobs);
    assert_int_equal(ox_running_begin(&jobs, &one, 1, NULL), OX_OK);
    ox_running_jobs_stop(&jobs);
    assert_true(ox_stop_requested(&one.stop));
    assert_int_equal(ox_running_begin(&jobs, &two, 2, NULL), OX_OK);
    assert_true(ox_stop_requested(&two.stop));
    assert_false(ox_running_end(&jobs, &one)); /* stopped, not canceled */
    assert_false(ox_running_end(&jobs, &two));
    ox_running_jobs_clear(&jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent__counts_making_and_proving),
        cmocka_unit_test(cancel__stops_that_job_alone),
        cmocka_unit_test(stop__reaches_all_and_those_that_begin_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "helpers.h"

#include "oxide/base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static void nap(long ms)
{
    struct timespec time = {0, ms * 1000000};

    (void)nanosleep(&time, NULL);
}

static void count_one(void *arg)
{
    (void)atomic_fetch_add((atomic_int *)arg, 1);
}

static void pool__runs_every_job(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct ox_pool *pool = NULL;
        atomic_int count = 0;

        assert_int_equal(ox_pool_new(&pool, threads, 3, NULL), OX_OK);
        for (int i = 0; i < 1000; i++) {
            ox_pool_submit(pool, count_one, &count);
        }
        ox_pool_free(pool);
        assert_int_equal(atomic_load(&count), 1000);
    }
}

struct order {
    int next;
    int out_of_order;
};

struct step {
    struct order *order;
    int number;
};

static void take_step(void *arg)
{
    struct step *step = arg;

    step->order->out_of_order += step->order->next != step->number;
    step->order->next++;
}

static void pool__of_one_thread_keeps_the_order(void **state)
{
    struct ox_pool *pool = NULL;
    struct order order = {0, 0};
    struct step steps[100];

    (void)state;
    assert_int_equal(ox_pool_new(&pool, 1, 7, NULL), OX_OK);
    for (int i = 0; i < 100; i++) {
        steps[i] = (struct step){&order, i};
        ox_pool_submit(pool, take_step, &steps[i]);
    }
    ox_pool_free(pool);
    assert_int_equal(order.next, 100);
    assert_int_equal(order.out_of_order, 0);
}

struct gate {
    atomic_bool entered;
    atomic_bool open;
    atomic_bool left;
};

static void pass_gate(void *arg)
{
    struct gate *gate = arg;

    atomic_store(&gate->entered, true);
    while (!atomic_load(&gate->open)) {
        nap(1);
    }
    nap(20);
    atomic_store(&gate->left, true);
}

static void try_submit__says_no_when_full(void **state)
{
    struct ox_pool *pool = NULL;
    struct gate gate = {false, false, false};
    atomic_int count = 0;

    (void)state;
    assert_int_equal(ox_pool_new(&pool, 1, 2, NULL), OX_OK);
    ox_pool_submit(pool, pass_gate, &gate);
    while (!atomic_load(&gate.entered)) {
        nap(1);
    }
    assert_true(ox_pool_try_submit(pool, count_one, &count));
    assert_true(ox_pool_try_submit(pool, count_one, &count));
    assert_false(ox_pool_try_submit(pool, count_one, &count));
    atomic_store(&gate.open, true);
    ox_pool_free(pool);
    assert_int_equal(atomic_load(&count), 2);
}

static void free__waits_for_what_runs_and_what_is_queued(void **state)
{
    struct ox_pool *pool = NULL;
    struct gate gate = {false, true, false};
    atomic_int count = 0;

    (void)state;
    assert_int_equal(ox_pool_new(&pool, 1, 4, NULL), OX_OK);
    ox_pool_submit(pool, pass_gate, &gate);
    ox_pool_submit(pool, count_one, &count);
    ox_pool_free(pool);
    assert_true(atomic_load(&gate.left));
    assert_int_equal(atomic_load(&count), 1);
    ox_pool_free(NULL);
}

static void cpu_count__is_at_least_one(void **state)
{
    (void)state;
    assert_true(ox_cpu_count() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool__runs_every_job),
        cmocka_unit_test(pool__of_one_thread_keeps_the_order),
        cmocka_unit_test(try_submit__says_no_when_full),
        cmocka_unit_test(free__waits_for_what_runs_and_what_is_queued),
        cmocka_unit_test(cpu_count__is_at_least_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

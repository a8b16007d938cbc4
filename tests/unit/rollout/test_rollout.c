#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/rollout/rollout.h"

#include <stdio.h>
#include <string.h>

static void released__all_at_once_is_everyone(void **state)
{
    (void)state;
    assert_int_equal(ox_rollout_released(OX_STRATEGY_ALL_AT_ONCE, 0, 17), 17);
    assert_int_equal(ox_rollout_released(OX_STRATEGY_ALL_AT_ONCE, 0, 0), 0);
}

static void released__rolling_is_batches_of_five(void **state)
{
    (void)state;
    assert_int_equal(ox_rollout_released(OX_STRATEGY_ROLLING, 0, 12), 5);
    assert_int_equal(ox_rollout_released(OX_STRATEGY_ROLLING, 1, 12), 10);
    assert_int_equal(ox_rollout_released(OX_STRATEGY_ROLLING, 2, 12), 12);
    assert_int_equal(ox_rollout_released(OX_STRATEGY_ROLLING, 0, 3), 3);
    assert_int_equal(ox_rollout_released(OX_STRATEGY_ROLLING, 1, 10), 10);
}

static void released__canary_is_5_25_50_100_per_cent_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(ox_rollout_released(OX_STRATEGY_CANARY, 0, 100), 5);
    assert_int_equal(ox_rollout_released(OX_STRATEGY_CANARY, 1, 100), 25);
    assert_int_equal(ox_rollout_released(OX_STRATEGY_CANARY, 2, 100), 50);
    assert_int_equal(ox_rollout_released(OX_STRATEGY_CANARY, 3, 100), 100);
    assert_int_equal(ox_rollout_released(OX_STRATEGY_CANARY, 0, 1), 1);
    assert_int_equal(ox_rollout_released(OX_STRATEGY_CANARY, 0, 21), 2);
    assert_int_equal(ox_rollout_released(OX_STRATEGY_CANARY, 9, 21), 21);
}

static void position__is_stable_and_differs_by_campaign(void **state)
{
    (void)state;
    /* Pinned: a restart, or another machine, must not shuffle a campaign that is under way. */
    assert_true(ox_rollout_position("c-1", "cam-01") == ox_rollout_position("c-1", "cam-01"));
    assert_true(ox_rollout_position("c-1", "cam-01") != ox_rollout_position("c-2", "cam-01"));
    assert_true(ox_rollout_position("ab", "c") != ox_rollout_position("a", "bc"));
}

static void position__spreads_numbered_devices(void **state)
{
    size_t low = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "cam-%03d", i);
        low += ox_rollout_position("c-1", id) < UINT64_MAX / 2;
    }
    assert_in_range(low, 430, 570); /* 500 +- 4.4 standard deviations */
}

static void campaign__knows_its_moves(void **state)
{
    enum ox_campaign_step to = OX_STEP_CAMPAIGN_PENDING;

    (void)state;
    assert_true(ox_campaign_next(OX_STEP_CAMPAIGN_PENDING, OX_EVENT_START, &to));
    assert_int_equal(to, OX_STEP_CAMPAIGN_ROLLING_OUT);
    assert_true(ox_campaign_next(OX_STEP_CAMPAIGN_ROLLING_OUT, OX_EVENT_PAUSE, &to));
    assert_int_equal(to, OX_STEP_CAMPAIGN_PAUSED);
    assert_true(ox_campaign_next(OX_STEP_CAMPAIGN_PAUSED, OX_EVENT_RESUME, &to));
    assert_int_equal(to, OX_STEP_CAMPAIGN_ROLLING_OUT);
    assert_true(ox_campaign_next(OX_STEP_CAMPAIGN_PAUSED, OX_EVENT_ABORT, &to));
    assert_int_equal(to, OX_STEP_CAMPAIGN_ABORTED);
    assert_false(ox_campaign_next(OX_STEP_CAMPAIGN_PAUSED, OX_EVENT_PAUSE, &to));
    assert_false(ox_campaign_next(OX_STEP_CAMPAIGN_ROLLING_OUT, OX_EVENT_RESUME, &to));
    for (int event = OX_EVENT_START; event <= OX_EVENT_ENDED; event++) {
        assert_false(
            ox_campaign_next(OX_STEP_CAMPAIGN_COMPLETE, (enum ox_campaign_event)event, &to));
        assert_false(
            ox_campaign_next(OX_STEP_CAMPAIGN_ABORTED, (enum ox_campaign_event)event, &to));
    }
    assert_int_equal(to, OX_STEP_CAMPAIGN_ABORTED); /* untouched where it is refused */
}

static void device__what_has_ended_stays(void **state)
{
    (void)state;
    for (int to = OX_STEP_PENDING; to <= OX_STEP_SKIPPED; to++) {
        for (int from = OX_STEP_COMPLETE; from <= OX_STEP_SKIPPED; from++) {
            assert_false(ox_device_may_move((enum ox_device_step)from, (enum ox_device_step)to));
        }
        assert_false(ox_device_may_move((enum ox_device_step)to, OX_STEP_PENDING));
    }
    assert_true(ox_device_may_move(OX_STEP_PENDING, OX_STEP_COMPLETE));
    assert_true(ox_device_may_move(OX_STEP_APPLYING, OX_STEP_DOWNLOADING));
    assert_true(ox_device_may_move(OX_STEP_VERIFYING, OX_STEP_FAILED));
}

/* --- a campaign through simulated time --- */

struct simulation {
    struct ox_rollout_view view;
    int64_t now_ms;
    char reason[OX_ROLLOUT_REASON_MAX];
};

/* One second passes, and what is decided is done. */
static enum ox_rollout_verdict second(struct simulation *sim)
{
    struct ox_rollout_decision decision;

    sim->now_ms += 1000;
    ox_rollout_decide(&sim->view, sim->now_ms, &decision);
    switch (decision.verdict) {
    case OX_VERDICT_OPEN:
        sim->view.stage++;
        sim->view.stage_opened_ms = sim->now_ms;
        break;
    case OX_VERDICT_PAUSE:
        sim->view.state = OX_STEP_CAMPAIGN_PAUSED;
        (void)snprintf(sim->reason, sizeof(sim->reason), "%s", decision.reason);
        break;
    case OX_VERDICT_COMPLETE:
        sim->view.state = OX_STEP_CAMPAIGN_COMPLETE;
        break;
    case OX_VERDICT_WAIT:
        break;
    }
    return decision.verdict;
}

/* Every released device ends within the second. */
static void end_released(struct simulation *sim)
{
    size_t released = ox_rollout_released(sim->view.strategy, sim->view.stage, sim->view.total);

    sim->view.released_ended = released;
    sim->view.ended = released;
}

static struct simulation start(enum ox_strategy strategy, size_t total)
{
    struct simulation sim = {
        .view = {.strategy = strategy, .state = OX_STEP_CAMPAIGN_ROLLING_OUT, .total = total}};
    return sim;
}

static void canary__opens_its_stages_300_s_apart(void **state)
{
    struct simulation sim = start(OX_STRATEGY_CANARY, 100);
    int64_t opened[4] = {0};

    (void)state;
    for (int s = 0; s < 3600 && sim.view.state == OX_STEP_CAMPAIGN_ROLLING_OUT; s++) {
        end_released(&sim);
        if (second(&sim) == OX_VERDICT_OPEN) {
            opened[sim.view.stage] = sim.now_ms;
        }
    }
    assert_int_equal(sim.view.state, OX_STEP_CAMPAIGN_COMPLETE);
    assert_int_equal(opened[1], 300 * 1000);
    assert_int_equal(opened[2], 600 * 1000);
    assert_int_equal(opened[3], 900 * 1000);
}

static void canary__waits_for_the_devices_of_a_stage(void **state)
{
    struct simulation sim = start(OX_STRATEGY_CANARY, 100);

    (void)state;
    for (int s = 0; s < 24 * 3600; s++) {
        assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    }
    end_released(&sim);
    assert_int_equal(second(&sim), OX_VERDICT_OPEN);
}

static void canary__pauses_on_a_failure_and_goes_on_when_resumed(void **state)
{
    struct simulation sim = start(OX_STRATEGY_CANARY, 100);

    (void)state;
    end_released(&sim);
    sim.view.released_failed = 1;
    assert_int_equal(second(&sim), OX_VERDICT_PAUSE);
    assert_non_null(strstr(sim.reason, "1 of 5"));
    for (int s = 0; s < 1000; s++) {
        assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    }
    sim.view.state = OX_STEP_CAMPAIGN_ROLLING_OUT;
    sim.view.failures_accepted = 1;
    assert_int_equal(second(&sim), OX_VERDICT_OPEN);
    assert_int_equal(second(&sim), OX_VERDICT_WAIT);
}

static void rolling__opens_by_time_alone(void **state)
{
    struct simulation sim = start(OX_STRATEGY_ROLLING, 12);

    (void)state;
    sim.view.released_failed = 2; /* no gate */
    for (int s = 1; s < 60; s++) {
        assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    }
    assert_int_equal(second(&sim), OX_VERDICT_OPEN);
    for (int s = 0; s < 3600; s++) {
        (void)second(&sim);
    }
    assert_int_equal(sim.view.stage, 2); /* not past the last batch */
}

static void decide__stages_wait_while_deltas_are_made(void **state)
{
    struct simulation sim = start(OX_STRATEGY_ROLLING, 12);

    (void)state;
    sim.view.preparing = true;
    for (int s = 0; s < 3600; s++) {
        assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    }
    sim.view.preparing = false;
    assert_int_equal(second(&sim), OX_VERDICT_OPEN);
}

static void decide__completes_when_all_have_ended_even_paused_or_empty(void **state)
{
    struct simulation sim = start(OX_STRATEGY_CANARY, 4);
    struct simulation empty = start(OX_STRATEGY_ALL_AT_ONCE, 0);

    (void)state;
    sim.view.state = OX_STEP_CAMPAIGN_PAUSED;
    assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    sim.view.ended = 4;
    assert_int_equal(second(&sim), OX_VERDICT_COMPLETE);
    assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    assert_int_equal(second(&empty), OX_VERDICT_COMPLETE);
}

static void strategy__words_are_read_back(void **state)
{
    (void)state;
    for (int i = OX_STRATEGY_ALL_AT_ONCE; i <= OX_STRATEGY_CANARY; i++) {
        enum ox_strategy back = OX_STRATEGY_ALL_AT_ONCE;

        assert_int_equal(ox_strategy_parse(ox_strategy_word((enum ox_strategy)i), &back, NULL),
                         OX_OK);
        assert_int_equal(back, i);
    }
}

static void strategy__refuses_an_unknown_word(void **state)
{
    enum ox_strategy out = OX_STRATEGY_CANARY;
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    assert_int_equal(ox_strategy_parse("blue_green", &out, &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, "blue_green"));
    assert_int_equal(out, OX_STRATEGY_CANARY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(released__all_at_once_is_everyone),
        cmocka_unit_test(released__rolling_is_batches_of_five),
        cmocka_unit_test(released__canary_is_5_25_50_100_per_cent_rounded_up),
        cmocka_unit_test(position__is_stable_and_differs_by_campaign),
        cmocka_unit_test(position__spreads_numbered_devices),
        cmocka_unit_test(campaign__knows_its_moves),
        cmocka_unit_test(device__what_has_ended_stays),
        cmocka_unit_test(canary__opens_its_stages_300_s_apart),
        cmocka_unit_test(canary__waits_for_the_devices_of_a_stage),
        cmocka_unit_test(canary__pauses_on_a_failure_and_goes_on_when_resumed),
        cmocka_unit_test(rolling__opens_by_time_alone),
        cmocka_unit_test(decide__stages_wait_while_deltas_are_made),
        cmocka_unit_test(decide__completes_when_all_have_ended_even_paused_or_empty),
        cmocka_unit_test(strategy__words_are_read_back),
        cmocka_unit_test(strategy__refuses_an_unknown_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

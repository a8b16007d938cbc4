#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/rollout/rollout.h"

#include <stdio.h>
#include <string.h>

static uint64_t released(enum ox_strategy strategy, uint64_t stage, uint64_t total)
{
    struct ox_policy policy;

    ox_policy_default(strategy, &policy);
    return ox_rollout_released(&policy, stage, total);
}

static void released__all_at_once_is_everyone(void **state)
{
    (void)state;
    assert_int_equal(released(OX_STRATEGY_ALL_AT_ONCE, 0, 17), 17);
    assert_int_equal(released(OX_STRATEGY_ALL_AT_ONCE, 0, 0), 0);
}

static void released__rolling_is_batches_of_five(void **state)
{
    (void)state;
    assert_int_equal(released(OX_STRATEGY_ROLLING, 0, 12), 5);
    assert_int_equal(released(OX_STRATEGY_ROLLING, 1, 12), 10);
    assert_int_equal(released(OX_STRATEGY_ROLLING, 2, 12), 12);
    assert_int_equal(released(OX_STRATEGY_ROLLING, 0, 3), 3);
    assert_int_equal(released(OX_STRATEGY_ROLLING, 1, 10), 10);
}

static void released__canary_is_5_25_50_100_per_cent_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(released(OX_STRATEGY_CANARY, 0, 100), 5);
    assert_int_equal(released(OX_STRATEGY_CANARY, 1, 100), 25);
    assert_int_equal(released(OX_STRATEGY_CANARY, 2, 100), 50);
    assert_int_equal(released(OX_STRATEGY_CANARY, 3, 100), 100);
    assert_int_equal(released(OX_STRATEGY_CANARY, 0, 1), 1);
    assert_int_equal(released(OX_STRATEGY_CANARY, 0, 21), 2);
    assert_int_equal(released(OX_STRATEGY_CANARY, 9, 21), 21);
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

static bool may(enum ox_device_step from, enum ox_device_step to)
{
    return ox_device_may_move(from, OX_FAILURE_NONE, to, OX_FAILURE_NONE);
}

static void device__what_has_ended_stays(void **state)
{
    (void)state;
    for (int to = OX_STEP_PENDING; to <= OX_STEP_SKIPPED; to++) {
        for (int from = OX_STEP_COMPLETE; from <= OX_STEP_SKIPPED; from++) {
            assert_false(may((enum ox_device_step)from, (enum ox_device_step)to));
        }
        assert_false(may((enum ox_device_step)to, OX_STEP_PENDING));
    }
    assert_true(may(OX_STEP_PENDING, OX_STEP_COMPLETE));
    assert_true(may(OX_STEP_APPLYING, OX_STEP_DOWNLOADING));
    assert_true(may(OX_STEP_VERIFYING, OX_STEP_FAILED));
}

static void device__the_truth_outlives_silence_and_success(void **state)
{
    (void)state;
    assert_true(
        ox_device_may_move(OX_STEP_FAILED, OX_FAILURE_SILENT, OX_STEP_COMPLETE, OX_FAILURE_NONE));
    assert_true(
        ox_device_may_move(OX_STEP_FAILED, OX_FAILURE_SILENT, OX_STEP_FAILED, OX_FAILURE_HEALTH));
    assert_false(
        ox_device_may_move(OX_STEP_FAILED, OX_FAILURE_SILENT, OX_STEP_FAILED, OX_FAILURE_SILENT));
    assert_false(
        ox_device_may_move(OX_STEP_FAILED, OX_FAILURE_HEALTH, OX_STEP_COMPLETE, OX_FAILURE_NONE));
    assert_true(
        ox_device_may_move(OX_STEP_COMPLETE, OX_FAILURE_NONE, OX_STEP_FAILED, OX_FAILURE_ROLLBACK));
    assert_true(
        ox_device_may_move(OX_STEP_FAILED, OX_FAILURE_ROLLBACK, OX_STEP_COMPLETE, OX_FAILURE_NONE));
}

/* --- a campaign through simulated time --- */

struct simulation {
    struct ox_policy policy;
    struct ox_rollout_view view;
    int64_t now_ms;
    char reason[OX_ROLLOUT_REASON_MAX];
};

/* Devices that a stage releases begin to wait. */
static void release(struct simulation *sim)
{
    uint64_t before = sim->view.total - sim->view.unreleased;
    uint64_t after = ox_rollout_released(&sim->policy, sim->view.stage, sim->view.total);

    sim->view.tally.waiting += after - before;
    sim->view.unreleased = sim->view.total - after;
}

/* One second passes, and what is decided is done. */
static enum ox_rollout_verdict second(struct simulation *sim)
{
    struct ox_rollout_decision decision;

    sim->now_ms += 1000;
    sim->view.policy = &sim->policy;
    ox_rollout_decide(&sim->view, sim->now_ms, &decision);
    (void)snprintf(sim->reason, sizeof(sim->reason), "%s", decision.reason);
    switch (decision.verdict) {
    case OX_VERDICT_OPEN:
        sim->view.stage++;
        sim->view.stage_opened_ms = sim->now_ms;
        release(sim);
        break;
    case OX_VERDICT_PAUSE:
        sim->view.state = OX_STEP_CAMPAIGN_PAUSED;
        break;
    case OX_VERDICT_ABORT:
    case OX_VERDICT_REVERT:
        sim->view.state = OX_STEP_CAMPAIGN_ABORTED;
        break;
    case OX_VERDICT_COMPLETE:
        sim->view.state = OX_STEP_CAMPAIGN_COMPLETE;
        break;
    case OX_VERDICT_WAIT:
        break;
    }
    return decision.verdict;
}

/* Released devices that still wait end: so many of them failed, the rest complete. */
static void end_released(struct simulation *sim, uint64_t failed, enum ox_failure failure)
{
    sim->view.tally.complete += sim->view.tally.waiting - failed;
    sim->view.tally.failed[failure] += failed;
    sim->view.tally.waiting = 0;
    sim->view.last_success_ms = sim->now_ms;
}

static struct simulation start(enum ox_strategy strategy, uint64_t total)
{
    struct simulation sim = {.view = {.state = OX_STEP_CAMPAIGN_ROLLING_OUT, .total = total}};

    ox_policy_default(strategy, &sim.policy);
    sim.view.unreleased = total;
    release(&sim);
    return sim;
}

static void canary__opens_its_stages_300_s_apart(void **state)
{
    struct simulation sim = start(OX_STRATEGY_CANARY, 100);
    int64_t opened[4] = {0};

    (void)state;
    for (int s = 0; s < 3600 && sim.view.state == OX_STEP_CAMPAIGN_ROLLING_OUT; s++) {
        end_released(&sim, 0, OX_FAILURE_NONE);
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
    end_released(&sim, 0, OX_FAILURE_NONE);
    assert_int_equal(second(&sim), OX_VERDICT_OPEN);
}

static void canary__pauses_on_a_failure_and_goes_on_when_resumed(void **state)
{
    struct simulation sim = start(OX_STRATEGY_CANARY, 100);

    (void)state;
    end_released(&sim, 1, OX_FAILURE_HEALTH);
    assert_int_equal(second(&sim), OX_VERDICT_PAUSE);
    assert_non_null(strstr(sim.reason, "1 of 5"));
    for (int s = 0; s < 1000; s++) {
        assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    }
    sim.view.state = OX_STEP_CAMPAIGN_ROLLING_OUT;
    sim.view.tally.failed[OX_FAILURE_HEALTH] = 0;
    sim.view.tally.accepted = 1;
    assert_int_equal(second(&sim), OX_VERDICT_OPEN);
    assert_int_equal(second(&sim), OX_VERDICT_WAIT);
}

static void rolling__opens_by_time_alone(void **state)
{
    struct simulation sim = start(OX_STRATEGY_ROLLING, 12);

    (void)state;
    sim.view.tally.failed[OX_FAILURE_APPLY] = 2; /* no gate */
    for (int s = 1; s < 60; s++) {
        assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    }
    assert_int_equal(second(&sim), OX_VERDICT_OPEN);
    for (int s = 0; s < 3600; s++) {
        (void)second(&sim);
    }
    assert_int_equal(sim.view.stage, 2); /* not past the last batch */
}

static void exponential__grows_by_its_factor_while_stages_succeed(void **state)
{
    struct simulation sim = start(OX_STRATEGY_EXPONENTIAL, 1000);
    static const uint64_t sums[] = {10, 20, 40, 80, 160, 320, 640, 1000};

    (void)state;
    for (size_t stage = 0; stage < 8; stage++) {
        assert_int_equal(sim.view.stage, stage);
        assert_int_equal(sim.view.tally.waiting + sim.view.tally.complete, sums[stage]);
        assert_int_equal(second(&sim), OX_VERDICT_WAIT);
        end_released(&sim, 0, OX_FAILURE_NONE);
        assert_int_equal(second(&sim), stage == 7 ? OX_VERDICT_COMPLETE : OX_VERDICT_OPEN);
    }
}

static void gate__lets_a_share_of_failures_pass_over_a_minimum_sample(void **state)
{
    struct simulation sim = start(OX_STRATEGY_CANARY, 1000); /* 50 first */

    (void)state;
    sim.policy.wait_ms = 0;
    sim.policy.gate = (struct ox_gate){.set = true,
                                       .success_bp = 9000,
                                       .failed_bp = 1000,
                                       .failed_count = OX_UNLIMITED,
                                       .min_sample = 20};
    sim.view.tally.waiting = 40;
    sim.view.tally.failed[OX_FAILURE_APPLY] = 10;
    assert_int_equal(second(&sim), OX_VERDICT_WAIT); /* 10 of 10 is no sample yet */
    sim.view.tally.failed[OX_FAILURE_APPLY] = 5;
    sim.view.tally.complete = 44;
    sim.view.tally.waiting = 1;
    assert_int_equal(second(&sim), OX_VERDICT_WAIT); /* 44 of 50 are less than 90 % */
    assert_non_null(strstr(sim.reason, "49 of 50"));
    sim.view.tally.complete = 45;
    sim.view.tally.waiting = 0;
    assert_int_equal(second(&sim), OX_VERDICT_OPEN);
}

static void gate__opens_before_the_slow_ones_have_ended(void **state)
{
    struct simulation sim = start(OX_STRATEGY_CANARY, 1000);

    (void)state;
    sim.policy.wait_ms = 0;
    sim.policy.gate.success_bp = 8000;
    sim.view.tally.complete = 39;
    sim.view.tally.waiting = 11;
    assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    sim.view.tally.complete = 40;
    sim.view.tally.waiting = 10;
    assert_int_equal(second(&sim), OX_VERDICT_OPEN);
}

static void gate__pauses_once_success_is_out_of_reach(void **state)
{
    struct simulation sim = start(OX_STRATEGY_CANARY, 1000);

    (void)state;
    sim.policy.gate = (struct ox_gate){
        .set = true, .success_bp = 9000, .failed_bp = OX_BP_ALL, .failed_count = OX_UNLIMITED};
    sim.view.tally.waiting = 44;
    sim.view.tally.failed[OX_FAILURE_VERIFY] = 6;
    assert_int_equal(second(&sim), OX_VERDICT_PAUSE);
    assert_non_null(strstr(sim.reason, "90 %"));
}

static void gate__soaks_after_the_last_success(void **state)
{
    struct simulation sim = start(OX_STRATEGY_CANARY, 100);

    (void)state;
    sim.policy.wait_ms = 0;
    sim.policy.gate.soak_ms = 600 * 1000;
    sim.now_ms = 1000;
    end_released(&sim, 0, OX_FAILURE_NONE);
    for (int s = 1; s < 600; s++) {
        assert_int_equal(second(&sim), OX_VERDICT_WAIT);
        assert_non_null(strstr(sim.reason, "soaking"));
    }
    assert_int_equal(second(&sim), OX_VERDICT_OPEN);
}

static void gate__waits_for_approval_of_each_stage(void **state)
{
    struct simulation sim = start(OX_STRATEGY_CANARY, 100);

    (void)state;
    sim.policy.wait_ms = 0;
    sim.policy.gate.approval = true;
    for (uint64_t stage = 0; stage < 3; stage++) {
        end_released(&sim, 0, OX_FAILURE_NONE);
        for (int s = 0; s < 1000; s++) {
            assert_int_equal(second(&sim), OX_VERDICT_WAIT);
        }
        assert_non_null(strstr(sim.reason, "approve"));
        sim.view.approved_stage = stage + 1;
        assert_int_equal(second(&sim), OX_VERDICT_OPEN);
    }
}

static void halt__by_class_count_and_share(void **state)
{
    static const enum ox_rollout_verdict verdicts[] = {OX_VERDICT_PAUSE, OX_VERDICT_ABORT,
                                                       OX_VERDICT_REVERT};

    (void)state;
    for (int action = OX_HALT_PAUSE; action <= OX_HALT_REVERT; action++) {
        struct simulation sim = start(OX_STRATEGY_ALL_AT_ONCE, 100);

        sim.policy.halt_action = (enum ox_halt_action)action;
        sim.policy.halt_count = 2;
        sim.policy.halt[0] = (struct ox_halt_rule){OX_FAILURE_HEALTH, 2, OX_BP_ALL, 0};
        sim.policy.halt[1] = (struct ox_halt_rule){OX_FAILURE_NONE, OX_UNLIMITED, 1000, 20};
        sim.view.tally.failed[OX_FAILURE_HEALTH] = 2;
        sim.view.tally.waiting = 98;
        assert_int_equal(second(&sim), OX_VERDICT_WAIT);
        sim.view.tally.failed[OX_FAILURE_HEALTH] = 3;
        assert_int_equal(second(&sim), verdicts[action]);
        assert_non_null(strstr(sim.reason, "by health"));
        sim.view.state = OX_STEP_CAMPAIGN_ROLLING_OUT;
        sim.view.tally.failed[OX_FAILURE_HEALTH] = 2;
        sim.view.tally.complete = 18;
        assert_int_equal(second(&sim), OX_VERDICT_WAIT); /* 2 of 20 are no more than 10 % */
        sim.view.tally.failed[OX_FAILURE_DOWNLOAD] = 1;
        assert_int_equal(second(&sim), verdicts[action]);
        assert_non_null(strstr(sim.reason, "3 of 21"));
    }
}

static void halt__fallbacks_are_a_class_of_their_own(void **state)
{
    struct simulation sim = start(OX_STRATEGY_ALL_AT_ONCE, 100);

    (void)state;
    sim.policy.halt_count = 1;
    sim.policy.halt[0] = (struct ox_halt_rule){OX_FAILURE_NONE, 0, OX_BP_ALL, 0};
    sim.view.tally.waiting = 90;
    sim.view.tally.complete = 10;
    sim.view.tally.failed[OX_FAILURE_FALLBACK] = sim.view.tally.fell_back = 4;
    assert_int_equal(second(&sim), OX_VERDICT_WAIT); /* they completed: no failure of "any" */
    sim.policy.halt[0].failure = OX_FAILURE_FALLBACK;
    assert_int_equal(second(&sim), OX_VERDICT_PAUSE);
}

static void decide__a_budget_pauses_and_a_deadline_aborts(void **state)
{
    struct simulation sim = start(OX_STRATEGY_ALL_AT_ONCE, 10);

    (void)state;
    sim.policy.total_max_bytes = 1000;
    sim.view.bytes = 999;
    assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    sim.view.bytes = 1000;
    assert_int_equal(second(&sim), OX_VERDICT_PAUSE);
    sim.view.bytes = 0;
    sim.view.state = OX_STEP_CAMPAIGN_ROLLING_OUT;
    sim.policy.deadline_s = 60;
    for (int s = 2; s < 59; s++) {
        assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    }
    assert_int_equal(second(&sim), OX_VERDICT_ABORT);
    assert_non_null(strstr(sim.reason, "10 devices to go"));
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
    sim.view.unreleased = 0;
    sim.view.tally = (struct ox_rollout_tally){.complete = 4};
    assert_int_equal(second(&sim), OX_VERDICT_COMPLETE);
    assert_int_equal(second(&sim), OX_VERDICT_WAIT);
    assert_int_equal(second(&empty), OX_VERDICT_COMPLETE);
}

static void decide__who_sleeps_holds_nothing_up(void **state)
{
    struct simulation sim = start(OX_STRATEGY_ALL_AT_ONCE, 4);

    (void)state;
    sim.view.tally = (struct ox_rollout_tally){.deferred = 4};
    assert_int_equal(second(&sim), OX_VERDICT_WAIT); /* but all of them asleep is no success */
    sim.view.tally = (struct ox_rollout_tally){.deferred = 3, .complete = 1};
    assert_int_equal(second(&sim), OX_VERDICT_COMPLETE);
}

static void strategy__words_are_read_back(void **state)
{
    (void)state;
    for (int i = OX_STRATEGY_ALL_AT_ONCE; i < OX_STRATEGIES; i++) {
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
        cmocka_unit_test(device__the_truth_outlives_silence_and_success),
        cmocka_unit_test(canary__opens_its_stages_300_s_apart),
        cmocka_unit_test(canary__waits_for_the_devices_of_a_stage),
        cmocka_unit_test(canary__pauses_on_a_failure_and_goes_on_when_resumed),
        cmocka_unit_test(rolling__opens_by_time_alone),
        cmocka_unit_test(exponential__grows_by_its_factor_while_stages_succeed),
        cmocka_unit_test(gate__lets_a_share_of_failures_pass_over_a_minimum_sample),
        cmocka_unit_test(gate__opens_before_the_slow_ones_have_ended),
        cmocka_unit_test(gate__pauses_once_success_is_out_of_reach),
        cmocka_unit_test(gate__soaks_after_the_last_success),
        cmocka_unit_test(gate__waits_for_approval_of_each_stage),
        cmocka_unit_test(halt__by_class_count_and_share),
        cmocka_unit_test(halt__fallbacks_are_a_class_of_their_own),
        cmocka_unit_test(decide__a_budget_pauses_and_a_deadline_aborts),
        cmocka_unit_test(decide__stages_wait_while_deltas_are_made),
        cmocka_unit_test(decide__completes_when_all_have_ended_even_paused_or_empty),
        cmocka_unit_test(decide__who_sleeps_holds_nothing_up),
        cmocka_unit_test(strategy__words_are_read_back),
        cmocka_unit_test(strategy__refuses_an_unknown_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

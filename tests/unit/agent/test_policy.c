#include "../../../src/agent/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void poll__is_spread_by_a_fifth_around_the_interval(void **state)
{
    struct ox_rng rng;
    int64_t least = INT64_MAX;
    int64_t most = 0;
    int64_t sum = 0;

    (void)state;
    ox_rng_init(&rng, 7);
    for (int i = 0; i < 10000; i++) {
        int64_t wait_ms = ox_policy_poll_ms(30000, &rng);

        least = wait_ms < least ? wait_ms : least;
        most = wait_ms > most ? wait_ms : most;
        sum += wait_ms;
    }
    assert_in_range(least, 24000, 24100);
    assert_in_range(most, 35900, 36000);
    assert_in_range(sum / 10000, 29800, 30200);
}

static void backoff__doubles_up_to_five_minutes_with_full_jitter(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 7);
    for (uint64_t failures = 1; failures < 100; failures++) {
        int64_t bound = failures > 4 ? OX_BACKOFF_MAX_MS : (int64_t)30000 << failures;
        int64_t most = 0;

        bound = bound > OX_BACKOFF_MAX_MS ? OX_BACKOFF_MAX_MS : bound;
        for (int i = 0; i < 2000; i++) {
            int64_t wait_ms = ox_policy_backoff_ms(30000, failures, &rng);

            assert_in_range(wait_ms, bound / 10, bound);
            most = wait_ms > most ? wait_ms : most;
        }
        assert_true(most > bound * 9 / 10);
    }
}

static void backoff__never_shortens_a_longer_interval(void **state)
{
    struct ox_rng rng;
    int64_t most = 0;

    (void)state;
    ox_rng_init(&rng, 7);
    for (int i = 0; i < 2000; i++) {
        int64_t wait_ms = ox_policy_backoff_ms(900000, 9, &rng);

        most = wait_ms > most ? wait_ms : most;
    }
    assert_in_range(most, 850000, 900000);
}

static void rest__is_never_less_than_asked_for_and_an_hour_and_a_fifth_at_most(void **state)
{
    struct ox_rng rng;
    int64_t most = 0;

    (void)state;
    ox_rng_init(&rng, 7);
    assert_int_equal(ox_policy_rest_ms(0, &rng), 0);
    assert_int_equal(ox_policy_rest_ms(-5, &rng), 0);
    for (int i = 0; i < 2000; i++) {
        int64_t wait_ms = ox_policy_rest_ms(60, &rng);

        assert_in_range(wait_ms, 60000, 72000);
        most = wait_ms > most ? wait_ms : most;
        assert_in_range(ox_policy_rest_ms(INT32_MAX, &rng), 3600000, 4320000);
    }
    assert_true(most > 71000);
}

/* A thousand hours of a server that is down: a fleet asks rarely, and not in step. */
static void backoff__a_thousand_hours_of_silence_cost_few_requests(void **state)
{
    struct ox_rng rng;
    int64_t now_ms = 0;
    uint64_t failures = 0;

    (void)state;
    ox_rng_init(&rng, 11);
    while (now_ms < (int64_t)1000 * 3600 * 1000) {
        now_ms += ox_policy_backoff_ms(30000, ++failures, &rng);
    }
    assert_in_range(failures, 20000, 24000); /* one in 165 s: the mean of full jitter */
}

static struct ox_assignment assignment(void)
{
    return (struct ox_assignment){
        .model_id = (char *)"m", .version = (char *)"v2", .digest = {{2}}};
}

static void decide__what_runs_is_left_alone(void **state)
{
    const struct ox_assignment wanted = assignment();

    (void)state;
    assert_int_equal(ox_policy_decide(&wanted, "v2", &wanted.digest, 0), OX_DECIDE_NOTHING);
    assert_int_equal(ox_policy_decide(&wanted, "v2", &wanted.digest, 3), OX_DECIDE_NOTHING);
}

static void decide__another_version_or_digest_is_an_update(void **state)
{
    const struct ox_assignment wanted = assignment();
    const struct ox_digest other = {{1}};

    (void)state;
    assert_int_equal(ox_policy_decide(&wanted, NULL, NULL, 0), OX_DECIDE_UPDATE);
    assert_int_equal(ox_policy_decide(&wanted, "v1", &wanted.digest, 0), OX_DECIDE_UPDATE);
    assert_int_equal(ox_policy_decide(&wanted, "v2", &other, 2), OX_DECIDE_UPDATE);
}

static void decide__the_third_failure_is_the_last(void **state)
{
    const struct ox_assignment wanted = assignment();

    (void)state;
    assert_int_equal(ox_policy_decide(&wanted, NULL, NULL, 2), OX_DECIDE_UPDATE);
    assert_int_equal(ox_policy_decide(&wanted, NULL, NULL, 3), OX_DECIDE_SKIP);
}

static void verdict__interruptions_and_full_disks_never_count(void **state)
{
    static const enum ox_code innocent[] = {OX_ECANCELED, OX_ENET,   OX_ETIMEOUT, OX_ENOSPC,
                                            OX_EIO,       OX_ENOMEM, OX_EPERM,    OX_ENOTFOUND};
    (void)state;
    for (size_t i = 0; i < sizeof(innocent) / sizeof(innocent[0]); i++) {
        assert_false(ox_policy_counts(innocent[i]));
    }
    assert_true(ox_policy_counts(OX_EFAILED));
    assert_true(ox_policy_counts(OX_EDIGEST));
    assert_true(ox_policy_counts(OX_ECORRUPT));
}

static void
verdict__only_a_patch_that_cannot_be_had_or_does_not_do_asks_for_full_files(void **state)
{
    (void)state;
    assert_true(ox_policy_blames_patch(OX_EBASE));
    assert_true(ox_policy_blames_patch(OX_ECORRUPT));
    assert_true(ox_policy_blames_patch(OX_EDIGEST));
    assert_true(ox_policy_blames_patch(OX_EUNSUPPORTED));
    assert_true(ox_policy_blames_patch(OX_EPROTO));
    assert_false(ox_policy_blames_patch(OX_ENOSPC));
    assert_false(ox_policy_blames_patch(OX_ENET));
    assert_false(ox_policy_blames_patch(OX_ECANCELED));
    assert_true(ox_policy_is_of_disk(OX_ENOSPC));
    assert_true(ox_policy_is_of_disk(OX_EIO));
    assert_false(ox_policy_is_of_disk(OX_EFAILED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll__is_spread_by_a_fifth_around_the_interval),
        cmocka_unit_test(backoff__doubles_up_to_five_minutes_with_full_jitter),
        cmocka_unit_test(backoff__never_shortens_a_longer_interval),
        cmocka_unit_test(rest__is_never_less_than_asked_for_and_an_hour_and_a_fifth_at_most),
        cmocka_unit_test(backoff__a_thousand_hours_of_silence_cost_few_requests),
        cmocka_unit_test(decide__what_runs_is_left_alone),
        cmocka_unit_test(decide__another_version_or_digest_is_an_update),
        cmocka_unit_test(decide__the_third_failure_is_the_last),
        cmocka_unit_test(verdict__interruptions_and_full_disks_never_count),
        cmocka_unit_test(
            verdict__only_a_patch_that_cannot_be_had_or_does_not_do_asks_for_full_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

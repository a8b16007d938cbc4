#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/control/webhook_policy.h"

#include "oxide/base/random.h"

static struct ox_webhook_next decide(enum ox_code code, long status, int64_t retry_after_s,
                                     uint64_t failures, unsigned batch, uint64_t random)
{
    struct ox_webhook_try tried = {code, status, retry_after_s};

    return ox_webhook_decide(&tried, failures, batch, random);
}

static void verdict__by_status(void **state)
{
    static const struct {
        enum ox_code code;
        long status;
        enum ox_webhook_verdict verdict;
        bool hint;
    } rows[] = {
        {OX_OK, 200, OX_WEBHOOK_DELIVERED, false}, {OX_OK, 204, OX_WEBHOOK_DELIVERED, false},
        {OX_OK, 299, OX_WEBHOOK_DELIVERED, false}, {OX_OK, 301, OX_WEBHOOK_RETRY, true},
        {OX_OK, 304, OX_WEBHOOK_RETRY, true},      {OX_OK, 400, OX_WEBHOOK_RETRY, true},
        {OX_OK, 401, OX_WEBHOOK_RETRY, true},      {OX_OK, 404, OX_WEBHOOK_RETRY, true},
        {OX_OK, 408, OX_WEBHOOK_RETRY, false},     {OX_OK, 410, OX_WEBHOOK_STOP, true},
        {OX_OK, 422, OX_WEBHOOK_RETRY, true},      {OX_OK, 429, OX_WEBHOOK_RETRY, false},
        {OX_OK, 500, OX_WEBHOOK_RETRY, false},     {OX_OK, 503, OX_WEBHOOK_RETRY, false},
        {OX_OK, 999, OX_WEBHOOK_RETRY, false},     {OX_OK, 0, OX_WEBHOOK_RETRY, false},
        {OX_ENET, 0, OX_WEBHOOK_RETRY, false},     {OX_ETIMEOUT, 200, OX_WEBHOOK_RETRY, false},
        {OX_EPROTO, 200, OX_WEBHOOK_RETRY, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_webhook_next next = decide(rows[i].code, rows[i].status, 0, 0, 8, 1);

        if (next.verdict != rows[i].verdict || (next.hint != NULL) != rows[i].hint) {
            fail_msg("code %d, status %ld: verdict %d, hint %s", rows[i].code, rows[i].status,
                     next.verdict, next.hint == NULL ? "none" : next.hint);
        }
    }
}

static void rest__is_full_jitter_below_a_doubling_bound(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 1);
    for (uint64_t failures = 0; failures < 200; failures++) {
        int64_t bound = failures < 9 ? INT64_C(1000) << failures : OX_WEBHOOK_REST_MAX_MS;
        int64_t least = INT64_MAX;
        int64_t most = 0;

        bound = bound < OX_WEBHOOK_REST_MAX_MS ? bound : OX_WEBHOOK_REST_MAX_MS;
        for (int i = 0; i < 500; i++) {
            int64_t rest = decide(OX_ENET, 0, 0, failures, 1, ox_rng_u64(&rng)).delay_ms;

            least = rest < least ? rest : least;
            most = rest > most ? rest : most;
        }
        assert_in_range(least, 0, bound / 20);
        assert_in_range(most, bound * 19 / 20, bound);
    }
    assert_int_equal(decide(OX_ENET, 0, 0, UINT64_MAX, 1, OX_WEBHOOK_REST_MAX_MS - 1).delay_ms,
                     OX_WEBHOOK_REST_MAX_MS);
}

static void rest__is_what_the_receiver_asks_for(void **state)
{
    (void)state;
    assert_int_equal(decide(OX_OK, 429, 120, 0, 1, 0).delay_ms, 120000);
    assert_int_equal(decide(OX_OK, 503, 1, 8, 1, 199999).delay_ms, 200000);
    assert_int_equal(decide(OX_OK, 503, INT32_MAX, 0, 1, 0).delay_ms, OX_WEBHOOK_ASKED_MAX_MS);
}

static void batch__halves_and_doubles(void **state)
{
    unsigned batch = OX_WEBHOOK_BATCH_MAX;

    (void)state;
    for (int i = 0; i < 20; i++) {
        batch = decide(OX_OK, 413, 0, 0, batch, 0).batch;
        assert_true(batch >= 1);
    }
    assert_int_equal(batch, 1);
    for (int i = 0; i < 20; i++) {
        batch = decide(OX_OK, 200, 0, 0, batch, 0).batch;
    }
    assert_int_equal(batch, OX_WEBHOOK_BATCH_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdict__by_status),
        cmocka_unit_test(rest__is_full_jitter_below_a_doubling_bound),
        cmocka_unit_test(rest__is_what_the_receiver_asks_for),
        cmocka_unit_test(batch__halves_and_doubles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

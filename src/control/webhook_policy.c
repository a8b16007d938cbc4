#include "webhook_policy.h"

#define REST_MIN_MS 1000
#define DOUBLINGS_MAX 9 /* 1 s, 2 s ... 512 s is past the longest */

/* The first row that holds the status counts. */
static const struct {
    long from;
    long to;
    enum ox_webhook_verdict verdict;
    const char *hint;
} rows[] = {
    {200, 299, OX_WEBHOOK_DELIVERED, 0},
    {300, 399, OX_WEBHOOK_RETRY,
     "redirects are not followed: add the webhook anew with the receiver's own address"},
    {401, 403, OX_WEBHOOK_RETRY, "the receiver refuses us: compare the secret"},
    {404, 404, OX_WEBHOOK_RETRY, "nothing is there: compare the address"},
    {408, 408, OX_WEBHOOK_RETRY, 0},
    {410, 410, OX_WEBHOOK_STOP,
     "the receiver is gone: remove the webhook, or resume it once the receiver is back"},
    {425, 425, OX_WEBHOOK_RETRY, 0},
    {429, 429, OX_WEBHOOK_RETRY, 0},
    {400, 499, OX_WEBHOOK_RETRY, "the receiver refuses these events: look at its log"},
};

static int64_t rest_ms(uint64_t failures, uint64_t random)
{
    uint64_t doublings = failures < DOUBLINGS_MAX ? failures : DOUBLINGS_MAX;
    int64_t bound = (int64_t)REST_MIN_MS << doublings;

    bound = bound < OX_WEBHOOK_REST_MAX_MS ? bound : OX_WEBHOOK_REST_MAX_MS;
    return 1 + (int64_t)(random % (uint64_t)bound);
}

struct ox_webhook_next ox_webhook_decide(const struct ox_webhook_try *tried, uint64_t failures,
                                         unsigned batch, uint64_t random)
{
    struct ox_webhook_next next = {OX_WEBHOOK_RETRY, 0, batch, 0};
    int64_t asked_ms = tried->retry_after_s < OX_WEBHOOK_ASKED_MAX_MS / 1000
                           ? tried->retry_after_s * 1000
                           : OX_WEBHOOK_ASKED_MAX_MS;

    for (unsigned i = 0; tried->code == OX_OK && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (tried->status >= rows[i].from && tried->status <= rows[i].to) {
            next.verdict = rows[i].verdict;
            next.hint = rows[i].hint;
            break;
        }
    }
    if (next.verdict == OX_WEBHOOK_DELIVERED) {
        next.batch = batch * 2 < OX_WEBHOOK_BATCH_MAX ? batch * 2 : OX_WEBHOOK_BATCH_MAX;
    } else {
        /* Fewer at a time: what is too much for the receiver passes then, and a knock on a door
         * that stays shut is small. */
        next.batch = batch > 1 ? batch / 2 : 1;
        next.delay_ms = rest_ms(failures, random);
        next.delay_ms = next.delay_ms > asked_ms ? next.delay_ms : asked_ms;
    }
    return next;
}

/** What to do after a try to deliver to a webhook: pure, so that tests run it through a year. */
#ifndef OX_CONTROL_WEBHOOK_POLICY_H
#define OX_CONTROL_WEBHOOK_POLICY_H

#include "oxide/base/err.h"

#include <stdint.h>

/** The longest rest between two tries, but for what a receiver itself asks for. */
#define OX_WEBHOOK_REST_MAX_MS ((int64_t)5 * 60 * 1000)
/** The longest rest that a receiver may ask for. */
#define OX_WEBHOOK_ASKED_MAX_MS ((int64_t)60 * 60 * 1000)
/** Events of a delivery. */
#define OX_WEBHOOK_BATCH_MAX 100u

/** What came of a try. */
struct ox_webhook_try {
    enum ox_code code;     /* of the request: OX_OK if there was an answer */
    long status;           /* of HTTP, if there was one */
    int64_t retry_after_s; /* what the answer asks for; 0: nothing */
};

enum ox_webhook_verdict {
    OX_WEBHOOK_DELIVERED,
    OX_WEBHOOK_RETRY, /* the same events again, after delay_ms */
    OX_WEBHOOK_STOP,  /* the receiver is gone for good (410): nothing is sent until an operator says
                       */
};

struct ox_webhook_next {
    enum ox_webhook_verdict verdict;
    int64_t delay_ms;
    unsigned batch;   /* events of the next delivery, at most */
    const char *hint; /* what an operator can do about it; NULL: nothing but wait. Static */
};

/**
 * failures: tries in a row that failed before this one. batch: events that this one was allowed.
 * random: uniform.
 * Source of the rest: full jitter (Brooker, "Exponential Backoff And Jitter", AWS, 2015): uniform
 * from nothing to a bound that doubles, so that many senders do not come back together.
 */
struct ox_webhook_next ox_webhook_decide(const struct ox_webhook_try *tried, uint64_t failures,
                                         unsigned batch, uint64_t random);

#endif

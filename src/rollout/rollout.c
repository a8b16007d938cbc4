#include "oxide/rollout/rollout.h"

#include "oxide/base/random.h"

#include <stdio.h>
#include <string.h>

/* --- strategies --- */

/* To add a strategy: a value in the enum, a row here, its meaning in the header and docs/rest.md,
 * and the word in the CHECK of the registry's next migration. */
struct strategy {
    const char *word;
    size_t batch;       /* devices per stage, or 0: shares */
    unsigned shares[4]; /* per cent, ending with 100 */
    int64_t apart_ms;
    bool gated; /* a stage opens only if the one before ended without a failure */
};
static const struct strategy strategies[] = {
    [OX_STRATEGY_ALL_AT_ONCE] = {"all_at_once", 0, {100, 100, 100, 100}, 0, false},
    [OX_STRATEGY_ROLLING] = {"rolling", 5, {0}, 60 * 1000, false},
    [OX_STRATEGY_CANARY] = {"canary", 0, {5, 25, 50, 100}, 300 * 1000, true},
};
#define STRATEGIES (sizeof(strategies) / sizeof(strategies[0]))

const char *ox_strategy_word(enum ox_strategy strategy)
{
    return strategies[strategy].word;
}

enum ox_code ox_strategy_parse(const char *word, enum ox_strategy *out, struct ox_err *err)
{
    for (size_t i = 0; i < STRATEGIES; i++) {
        if (strcmp(strategies[i].word, word) == 0) {
            *out = (enum ox_strategy)i;
            return OX_OK;
        }
    }
    return ox_err_set(err, OX_EINVAL,
                      "strategy \"%.32s\" is unknown: use all_at_once, rolling or canary", word);
}

size_t ox_rollout_released(enum ox_strategy strategy, unsigned stage, size_t total)
{
    const struct strategy *row = &strategies[strategy];
    size_t share;

    if (row->batch > 0) {
        return stage >= total / row->batch ? total : ((size_t)stage + 1) * row->batch;
    }
    share = row->shares[stage < 4 ? stage : 3];
    /* Rounded up, so that the first stage has a device; divided first against overflow. */
    return total / 100 * share + (total % 100 * share + 99) / 100;
}

uint64_t ox_rollout_position(const char *campaign_id, const char *device_id)
{
    const char *const names[] = {campaign_id, device_id};
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a: RFC 9923, section 2 */
    struct ox_rng rng;

    for (size_t i = 0; i < 2; i++) {
        for (const char *c = names[i];; c++) { /* with the NUL, which keeps ab|c from a|bc */
            hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
            if (*c == '\0') {
                break;
            }
        }
    }
    ox_rng_init(&rng, hash); /* FNV leaves the high bits of short names alike */
    return ox_rng_u64(&rng);
}

/* --- states --- */

#define NO (-1)

bool ox_campaign_next(enum ox_campaign_step from, enum ox_campaign_event event,
                      enum ox_campaign_step *to)
{
    enum { P = OX_STEP_CAMPAIGN_PENDING, R, H, C, A };
    static const int table[5][5] = {
        /*               start pause resume abort ended */
        /* pending     */ {R, H, NO, A, C},
        /* rolling_out */ {NO, H, NO, A, C},
        /* paused      */ {NO, NO, R, A, C},
        /* complete    */ {NO, NO, NO, NO, NO},
        /* aborted     */ {NO, NO, NO, NO, NO},
    };
    int next = table[from][event];

    if (next == NO) {
        return false;
    }
    *to = (enum ox_campaign_step)next;
    return true;
}

bool ox_device_may_move(enum ox_device_step from, enum ox_device_step to)
{
    static const bool table[7][7] = {
        /* to:             pend   down  apply verify compl fail  skip */
        /* pending     */ {false, true, true, true, true, true, true},
        /* downloading */ {false, false, true, true, true, true, true},
        /* applying    */ {false, true, false, true, true, true, true},
        /* verifying   */ {false, true, true, false, true, true, true},
        /* complete, failed and skipped: none */
    };

    return table[from][to];
}

bool ox_device_ended(enum ox_device_step step)
{
    return step >= OX_STEP_COMPLETE;
}

/* --- decisions --- */

void ox_rollout_decide(const struct ox_rollout_view *view, int64_t now_ms,
                       struct ox_rollout_decision *out)
{
    const struct strategy *row = &strategies[view->strategy];
    size_t released = ox_rollout_released(view->strategy, view->stage, view->total);

    *out = (struct ox_rollout_decision){OX_VERDICT_WAIT, ""};
    if (view->state == OX_STEP_CAMPAIGN_COMPLETE || view->state == OX_STEP_CAMPAIGN_ABORTED) {
        return;
    }
    if (view->ended == view->total) {
        out->verdict = OX_VERDICT_COMPLETE;
        return;
    }
    if (view->state != OX_STEP_CAMPAIGN_ROLLING_OUT || view->preparing) {
        return;
    }
    if (row->gated && view->released_failed > view->failures_accepted) {
        out->verdict = OX_VERDICT_PAUSE;
        (void)snprintf(out->reason, sizeof(out->reason),
                       "stage %u: %zu of %zu devices failed: look at them, then resume or abort",
                       view->stage + 1, view->released_failed - view->failures_accepted, released);
        return;
    }
    if (released < view->total && now_ms - view->stage_opened_ms >= row->apart_ms &&
        (!row->gated || view->released_ended == released)) {
        out->verdict = OX_VERDICT_OPEN;
    }
}

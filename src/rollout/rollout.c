#include "oxide/rollout/rollout.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

bool ox_device_may_move(enum ox_device_step from, enum ox_failure why, enum ox_device_step to,
                        enum ox_failure to_why)
{
    static const bool table[7][7] = {
        /* to:             pend   down  apply verify compl fail  skip */
        /* pending     */ {false, true, true, true, true, true, true},
        /* downloading */ {false, false, true, true, true, true, true},
        /* applying    */ {false, true, false, true, true, true, true},
        /* verifying   */ {false, true, true, false, true, true, true},
        /* complete, failed and skipped: none but what follows */
    };

    if (from == OX_STEP_FAILED && why == OX_FAILURE_SILENT) {
        return to != OX_STEP_PENDING && to != OX_STEP_SKIPPED && to_why != OX_FAILURE_SILENT;
    }
    if (from == OX_STEP_FAILED && why == OX_FAILURE_ROLLBACK) {
        return to == OX_STEP_COMPLETE;
    }
    if (from == OX_STEP_COMPLETE) {
        return to == OX_STEP_FAILED && to_why == OX_FAILURE_ROLLBACK;
    }
    return table[from][to];
}

bool ox_device_ended(enum ox_device_step step)
{
    return step >= OX_STEP_COMPLETE;
}

/* --- counting --- */

/* Failures that count against gates: all but the full file that did where the patch had not. */
static uint64_t failures(const struct ox_rollout_tally *tally)
{
    uint64_t sum = 0;

    for (size_t i = OX_FAILURE_NONE + 1; i < OX_FAILURES; i++) {
        sum += tally->failed[i];
    }
    return sum - tally->fell_back;
}

static uint64_t sample(const struct ox_rollout_tally *tally)
{
    return tally->complete + failures(tally);
}

/* Is part more than bp of whole? Both are counts of devices, far below 2^50. */
static bool exceeds(uint64_t part, uint64_t whole, uint32_t bp)
{
    return part * OX_BP_ALL > whole * bp;
}

static bool settled(const struct ox_rollout_tally *tally)
{
    return tally->waiting == 0 && tally->in_progress == 0;
}

/* --- rules --- */

static void say(char reason[OX_ROLLOUT_REASON_MAX], const char *fmt, ...) OX_PRINTF(2, 3);
static void say(char reason[OX_ROLLOUT_REASON_MAX], const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(reason, OX_ROLLOUT_REASON_MAX, fmt, args);
    va_end(args);
}

#define U(number) ((unsigned long long)(number))

bool ox_rollout_halts(const struct ox_policy *policy, const struct ox_rollout_tally *tally,
                      char reason[OX_ROLLOUT_REASON_MAX])
{
    uint64_t ended = sample(tally);

    for (size_t i = 0; i < policy->halt_count; i++) {
        const struct ox_halt_rule *rule = &policy->halt[i];
        bool any = rule->failure == OX_FAILURE_NONE;
        uint64_t failed = any ? failures(tally) : tally->failed[rule->failure];
        const char *word = ox_failure_word(rule->failure);

        if (failed > rule->max_count) {
            say(reason, "halt rule %zu: %llu devices failed%s%s, more than %llu", i + 1, U(failed),
                any ? "" : " by ", word, U(rule->max_count));
            return true;
        }
        if (ended >= rule->min_sample && exceeds(failed, ended, rule->max_bp)) {
            say(reason, "halt rule %zu: %llu of %llu devices failed%s%s, more than %.4g %%", i + 1,
                U(failed), U(ended), any ? "" : " by ", word, rule->max_bp / 100.0);
            return true;
        }
    }
    return false;
}

/* Too many failures to leave the stage, whatever else comes. */
static bool gate_broken(const struct ox_rollout_view *view, char reason[OX_ROLLOUT_REASON_MAX])
{
    const struct ox_gate *gate = &view->policy->gate;
    const struct ox_rollout_tally *tally = &view->tally;
    uint64_t failed = failures(tally);
    uint64_t ended = sample(tally);
    uint64_t expected = ended + tally->waiting + tally->in_progress;
    bool judged = ended >= gate->min_sample || settled(tally);
    unsigned long long stage = U(view->stage + 1);

    if (!gate->set || !judged) {
        return false;
    }
    if (failed > gate->failed_count || exceeds(failed, expected, gate->failed_bp)) {
        say(reason, "stage %llu: %llu of %llu devices failed: look at them, then resume or abort",
            stage, U(failed), U(expected));
        return true;
    }
    if (exceeds(failed, expected, OX_BP_ALL - gate->success_bp)) {
        say(reason,
            "stage %llu: %llu of %llu devices failed, so that %.4g %% cannot succeed any more: "
            "look at them, then resume or abort",
            stage, U(failed), U(expected), gate->success_bp / 100.0);
        return true;
    }
    return false;
}

/* Is the stage good to leave? If not, `reason` says what it waits for. */
static bool gate_passed(const struct ox_rollout_view *view, int64_t now_ms,
                        char reason[OX_ROLLOUT_REASON_MAX])
{
    const struct ox_gate *gate = &view->policy->gate;
    const struct ox_rollout_tally *tally = &view->tally;
    uint64_t ended = sample(tally);
    uint64_t expected = ended + tally->waiting + tally->in_progress;
    int64_t soak_ms = view->last_success_ms + gate->soak_ms - now_ms;

    if (!gate->set) {
        return true;
    }
    if (ended == 0 && tally->deferred > 0 && settled(tally)) {
        say(reason, "stage %llu: all of its %llu devices are asleep", U(view->stage + 1),
            U(tally->deferred));
        return false;
    }
    if (!settled(tally) &&
        (gate->success_bp == 0 || ended < gate->min_sample || tally->complete == 0 ||
         exceeds(expected - tally->complete, expected, OX_BP_ALL - gate->success_bp))) {
        say(reason, "stage %llu: %llu of %llu devices have ended", U(view->stage + 1), U(ended),
            U(expected));
        return false;
    }
    if (gate->soak_ms > 0 && view->last_success_ms > 0 && soak_ms > 0) {
        say(reason, "stage %llu: soaking for %lld s more", U(view->stage + 1),
            (long long)((soak_ms + 999) / 1000));
        return false;
    }
    if (gate->approval && view->approved_stage <= view->stage) {
        say(reason, "stage %llu has passed its gates: approve the next one", U(view->stage + 1));
        return false;
    }
    return true;
}

/* --- decisions --- */

static void halt(const struct ox_rollout_view *view, struct ox_rollout_decision *out)
{
    static const enum ox_rollout_verdict verdicts[] = {[OX_HALT_PAUSE] = OX_VERDICT_PAUSE,
                                                       [OX_HALT_ABORT] = OX_VERDICT_ABORT,
                                                       [OX_HALT_REVERT] = OX_VERDICT_REVERT};

    out->verdict = verdicts[view->policy->halt_action];
}

/* What ends a campaign that rolls out before its time. */
static bool stops(const struct ox_rollout_view *view, int64_t now_ms,
                  struct ox_rollout_decision *out)
{
    const struct ox_policy *policy = view->policy;

    if (ox_rollout_halts(policy, &view->tally, out->reason)) {
        halt(view, out);
        return true;
    }
    if (gate_broken(view, out->reason)) {
        out->verdict = OX_VERDICT_PAUSE;
        return true;
    }
    if (view->bytes >= policy->total_max_bytes) {
        say(out->reason, "the budget of %llu bytes for all devices is used up: %llu were fetched",
            U(policy->total_max_bytes), U(view->bytes));
        out->verdict = OX_VERDICT_PAUSE;
        return true;
    }
    if (policy->deadline_s > 0 && now_ms - view->created_ms >= policy->deadline_s * 1000) {
        say(out->reason, "the deadline of %lld s passed with %llu devices to go",
            (long long)policy->deadline_s,
            U(view->unreleased + view->tally.waiting + view->tally.deferred +
              view->tally.in_progress));
        out->verdict = OX_VERDICT_ABORT;
        return true;
    }
    return false;
}

void ox_rollout_decide(const struct ox_rollout_view *view, int64_t now_ms,
                       struct ox_rollout_decision *out)
{
    bool rolling = view->state == OX_STEP_CAMPAIGN_ROLLING_OUT;
    /* What sleeps holds nothing up, unless nobody has ended at all. */
    bool nothing_left = view->unreleased == 0 && settled(&view->tally) &&
                        (view->tally.deferred == 0 || sample(&view->tally) > 0);
    char broken[OX_ROLLOUT_REASON_MAX] = "";

    *out = (struct ox_rollout_decision){OX_VERDICT_WAIT, ""};
    if (view->state == OX_STEP_CAMPAIGN_COMPLETE || view->state == OX_STEP_CAMPAIGN_ABORTED) {
        return;
    }
    if (nothing_left && view->total == 0 && view->policy->follow) {
        say(out->reason, "nobody is in the fleet yet");
        return;
    }
    if (nothing_left && !gate_broken(view, broken) &&
        !ox_rollout_halts(view->policy, &view->tally, broken)) {
        out->verdict = OX_VERDICT_COMPLETE;
        return;
    }
    if (!rolling || stops(view, now_ms, out)) {
        return;
    }
    if (view->preparing) {
        say(out->reason, "deltas are being made");
        return;
    }
    if (view->unreleased == 0 || !gate_passed(view, now_ms, out->reason)) {
        return;
    }
    if (now_ms - view->stage_opened_ms < view->policy->wait_ms) {
        say(out->reason, "stage %llu: the next one opens in %lld s", U(view->stage + 1),
            (long long)((view->stage_opened_ms + view->policy->wait_ms - now_ms + 999) / 1000));
        return;
    }
    out->verdict = OX_VERDICT_OPEN;
}

bool ox_rollout_awaits_approval(const struct ox_rollout_view *view, int64_t now_ms,
                                char reason[OX_ROLLOUT_REASON_MAX])
{
    struct ox_rollout_view approved = *view;
    struct ox_rollout_decision decision;
    char scratch[OX_ROLLOUT_REASON_MAX];

    ox_rollout_decide(view, now_ms, &decision);
    memcpy(reason, decision.reason, sizeof(decision.reason));
    if (view->unreleased == 0) {
        say(reason, "its last stage is open");
        return false;
    }
    if (view->approved_stage > view->stage) {
        say(reason, "stage %llu is approved already", U(view->stage + 2));
        return false;
    }
    approved.approved_stage = view->stage + 1;
    return decision.verdict == OX_VERDICT_WAIT && view->state == OX_STEP_CAMPAIGN_ROLLING_OUT &&
           !view->preparing && view->policy->gate.approval &&
           gate_passed(&approved, now_ms, scratch);
}

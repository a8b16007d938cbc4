/**
 * Rollout: how a campaign and the devices in it move, as pure functions of (state, event, time).
 * No clock, no database: tests run them through thousands of simulated hours.
 *
 * The devices of a campaign stand in a fixed order (ox_rollout_position); a stage releases the
 * first so many of them. Strategies are rows of a table in rollout.c, which says how to add one.
 */
#ifndef OXIDE_ROLLOUT_ROLLOUT_H
#define OXIDE_ROLLOUT_ROLLOUT_H

#include "oxide/base/err.h"

#include <stdint.h>

enum ox_strategy {
    OX_STRATEGY_ALL_AT_ONCE, /* one stage */
    OX_STRATEGY_ROLLING,     /* batches of 5, 60 s apart, by time alone */
    OX_STRATEGY_CANARY,      /* 5, 25, 50, 100 %, 300 s apart; a stage must end without a failure */
};
const char *ox_strategy_word(enum ox_strategy strategy);
/** Errors: OX_EINVAL, naming the word and those that are known. */
OX_MUST_USE enum ox_code ox_strategy_parse(const char *word, enum ox_strategy *out,
                                           struct ox_err *err);

/** States, in the order of the words in wire/state.h. */
enum ox_campaign_step {
    OX_STEP_CAMPAIGN_PENDING,
    OX_STEP_CAMPAIGN_ROLLING_OUT,
    OX_STEP_CAMPAIGN_PAUSED,
    OX_STEP_CAMPAIGN_COMPLETE,
    OX_STEP_CAMPAIGN_ABORTED,
};
enum ox_device_step {
    OX_STEP_PENDING,
    OX_STEP_DOWNLOADING,
    OX_STEP_APPLYING,
    OX_STEP_VERIFYING,
    OX_STEP_COMPLETE,
    OX_STEP_FAILED,
    OX_STEP_SKIPPED,
};

enum ox_campaign_event {
    OX_EVENT_START,
    OX_EVENT_PAUSE, /* by an operator or by a gate */
    OX_EVENT_RESUME,
    OX_EVENT_ABORT,
    OX_EVENT_ENDED, /* every device has ended */
};

/** Where an event leads; false where the state does not allow it (*to is untouched). */
bool ox_campaign_next(enum ox_campaign_step from, enum ox_campaign_event event,
                      enum ox_campaign_step *to);

/** May a device that is at `from` be moved to `to`? What has ended stays; nothing goes back to
 *  pending; a retry may go from applying back to downloading. */
bool ox_device_may_move(enum ox_device_step from, enum ox_device_step to);
bool ox_device_ended(enum ox_device_step step);

/** Rank of a device in a campaign: a hash of both names, the same on every machine, so that no
 *  device is the first of every campaign. Lower ranks go first. */
uint64_t ox_rollout_position(const char *campaign_id, const char *device_id);

/** How many of `total` devices are released once `stage` (0 is the first) is open. */
size_t ox_rollout_released(enum ox_strategy strategy, unsigned stage, size_t total);

/** What a decision needs to know. */
struct ox_rollout_view {
    enum ox_strategy strategy;
    enum ox_campaign_step state;
    unsigned stage;           /* open now */
    int64_t stage_opened_ms;  /* any clock, the same as now_ms */
    bool preparing;           /* deltas are being made: stages wait */
    size_t total;             /* devices */
    size_t ended;             /* of all devices */
    size_t released_ended;    /* of those that are released */
    size_t released_failed;   /* of those that are released */
    size_t failures_accepted; /* failed already when an operator last resumed */
};

enum ox_rollout_verdict {
    OX_VERDICT_WAIT,
    OX_VERDICT_OPEN, /* open stage + 1 */
    OX_VERDICT_PAUSE,
    OX_VERDICT_COMPLETE,
};
#define OX_ROLLOUT_REASON_MAX 160
struct ox_rollout_decision {
    enum ox_rollout_verdict verdict;
    char reason[OX_ROLLOUT_REASON_MAX]; /* why it pauses; else empty */
};

/** What is to happen to the campaign now. */
void ox_rollout_decide(const struct ox_rollout_view *view, int64_t now_ms,
                       struct ox_rollout_decision *out);

#endif

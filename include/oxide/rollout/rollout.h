/**
 * Rollout: how a campaign and the devices in it move, as pure functions of (state, event, time).
 * No clock, no database: tests run them through thousands of simulated hours.
 *
 * The devices of a campaign stand in a fixed order (ox_rollout_position); a stage releases the
 * first so many of them. What an operator may set stands in policy.h.
 */
#ifndef OXIDE_ROLLOUT_ROLLOUT_H
#define OXIDE_ROLLOUT_ROLLOUT_H

#include "oxide/rollout/policy.h"

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
    OX_EVENT_PAUSE, /* by an operator or by a rule */
    OX_EVENT_RESUME,
    OX_EVENT_ABORT,
    OX_EVENT_ENDED, /* nothing is left to do */
};

/** Where an event leads; false where the state does not allow it (*to is untouched). */
bool ox_campaign_next(enum ox_campaign_step from, enum ox_campaign_event event,
                      enum ox_campaign_step *to);

/**
 * May a device that is at `from` be moved to `to` by what it reports? Nothing goes back to pending;
 * a retry may go from applying back to downloading. `why` is why it failed: one that was given up
 * for its silence may go on, and one that is complete may still fail by going back
 * (OX_FAILURE_ROLLBACK), and complete again. What was skipped stays.
 */
bool ox_device_may_move(enum ox_device_step from, enum ox_failure why, enum ox_device_step to,
                        enum ox_failure to_why);
bool ox_device_ended(enum ox_device_step step);

/** Rank of a device in a campaign: a hash of both names, the same on every machine, so that no
 *  device is the first of every campaign. Lower ranks go first. */
uint64_t ox_rollout_position(const char *campaign_id, const char *device_id);

/** How many of `total` devices are released once `stage` (0 is the first) is open: at least 1, if
 *  there are any, and more with each stage until all are. */
uint64_t ox_rollout_released(const struct ox_policy *policy, uint64_t stage, uint64_t total);
/** In which stage the last of `total` devices is released. */
uint64_t ox_rollout_last_stage(const struct ox_policy *policy, uint64_t total);

/** How many devices may fall back to the full file, of `total`. */
uint64_t ox_rollout_fallbacks(const struct ox_policy *policy, uint64_t total);

/** The released devices of a campaign, counted. */
struct ox_rollout_tally {
    uint64_t waiting;     /* pending, and expected to begin */
    uint64_t deferred;    /* pending, and asleep: they hold nothing up */
    uint64_t offered;     /* of waiting: they were told, and have not begun */
    uint64_t in_progress; /* downloading, applying, verifying */
    uint64_t complete;
    uint64_t skipped;
    uint64_t failed[OX_FAILURES]; /* by class; [OX_FAILURE_FALLBACK] has those that completed too */
    uint64_t fell_back;           /* completed by the full file: part of the above */
    uint64_t accepted;            /* failed, and an operator went on: in none of the above */
};

/** What a decision needs to know. */
struct ox_rollout_view {
    const struct ox_policy *policy;
    enum ox_campaign_step state;
    int64_t created_ms; /* any clock, the same for all times here and now_ms */
    uint64_t stage;     /* open now */
    int64_t stage_opened_ms;
    int64_t last_success_ms; /* 0: none */
    uint64_t approved_stage; /* opened by an operator up to here */
    bool preparing;          /* deltas are being made: stages wait */
    uint64_t total;          /* devices */
    uint64_t unreleased;     /* of them, not released and not ended */
    uint64_t bytes;          /* that were fetched, in all */
    struct ox_rollout_tally tally;
};

enum ox_rollout_verdict {
    OX_VERDICT_WAIT,
    OX_VERDICT_OPEN, /* open stage + 1 */
    OX_VERDICT_PAUSE,
    OX_VERDICT_ABORT,
    OX_VERDICT_REVERT, /* abort, and send back those that were updated */
    OX_VERDICT_COMPLETE,
};
#define OX_ROLLOUT_REASON_MAX 200
struct ox_rollout_decision {
    enum ox_rollout_verdict verdict;
    char reason[OX_ROLLOUT_REASON_MAX]; /* why, or what a stage waits for; may be empty */
};

/** What is to happen to the campaign now. */
void ox_rollout_decide(const struct ox_rollout_view *view, int64_t now_ms,
                       struct ox_rollout_decision *out);

/** Is all that the next stage waits for an operator's approval? If not, `reason` says what it waits
 *  for. */
bool ox_rollout_awaits_approval(const struct ox_rollout_view *view, int64_t now_ms,
                                char reason[OX_ROLLOUT_REASON_MAX]);

/** Is a halt rule broken? `reason` says which. For campaigns that are complete too, whose late
 *  devices are under the same rules. */
bool ox_rollout_halts(const struct ox_policy *policy, const struct ox_rollout_tally *tally,
                      char reason[OX_ROLLOUT_REASON_MAX]);

#endif

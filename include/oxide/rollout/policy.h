/**
 * The policy of a campaign: everything that an operator may set about how it goes. One JSON object
 * in the API and in the registry, one struct here; the table in src/rollout/policy.c joins them and
 * says how to add a setting.
 */
#ifndef OXIDE_ROLLOUT_POLICY_H
#define OXIDE_ROLLOUT_POLICY_H

#include "oxide/base/json.h"
#include "oxide/base/window.h"

#include <stdint.h>

enum ox_strategy {
    OX_STRATEGY_ALL_AT_ONCE, /* one stage */
    OX_STRATEGY_ROLLING,     /* batches of `batch`, by time alone */
    OX_STRATEGY_CANARY,      /* growing shares */
    OX_STRATEGY_EXPONENTIAL, /* `start` devices, then `factor` times as many at each stage */
    OX_STRATEGIES,
};
const char *ox_strategy_word(enum ox_strategy strategy);
/** Errors: OX_EINVAL, naming the word and those that are known. */
OX_MUST_USE enum ox_code ox_strategy_parse(const char *word, enum ox_strategy *out,
                                           struct ox_err *err);

/** What kind of failure it was, as rules count them. */
enum ox_failure {
    OX_FAILURE_NONE,
    OX_FAILURE_DOWNLOAD,
    OX_FAILURE_VERIFY,
    OX_FAILURE_APPLY,
    OX_FAILURE_HEALTH,   /* the check after activation */
    OX_FAILURE_SILENT,   /* begun, then not heard of */
    OX_FAILURE_ROLLBACK, /* it had the new version, and reports another again */
    OX_FAILURE_FALLBACK, /* its patch failed, so that the full file was fetched or wanted */
    OX_FAILURE_DISK,
    OX_FAILURE_PREFLIGHT, /* the device refused before it fetched anything */
    OX_FAILURE_OTHER,
    OX_FAILURES,
};
/** "" for OX_FAILURE_NONE. */
const char *ox_failure_word(enum ox_failure failure);
/** What a device's report of "failed" with this error code counts as; never OX_FAILURE_NONE. */
enum ox_failure ox_failure_of_report(const char *error_code);
/** Exactly a word of ox_failure_word. Errors: OX_EINVAL. */
OX_MUST_USE enum ox_code ox_failure_parse(const char *word, enum ox_failure *out,
                                          struct ox_err *err);

/** Shares are in basis points: 10000 is everything. */
#define OX_BP_ALL 10000u
#define OX_STAGES_MAX 32
#define OX_HALT_RULES_MAX 16
#define OX_WINDOWS_MAX 8
#define OX_UNLIMITED UINT64_MAX

enum ox_halt_action { OX_HALT_PAUSE, OX_HALT_ABORT, OX_HALT_REVERT };
enum ox_fallback { OX_FALLBACK_NEVER, OX_FALLBACK_LIMITED, OX_FALLBACK_ALWAYS };
enum ox_on_conflict { OX_CONFLICT_SUPERSEDE, OX_CONFLICT_REFUSE };
enum ox_late_delta { OX_LATE_WAIT, OX_LATE_FULL };

/** What must hold on leaving a stage. */
struct ox_gate {
    bool set;              /* false: stages open by time alone */
    uint32_t success_bp;   /* of the stage's devices so far, at least */
    uint32_t failed_bp;    /* at most */
    uint64_t failed_count; /* at most */
    uint64_t min_sample;   /* of devices that have ended, before either is judged */
    int64_t soak_ms;       /* since the last success */
    bool approval;         /* an operator opens each stage after the first */
};

/** Halt when more than `max_count` devices, or more than `max_bp` of those that ended, failed. */
struct ox_halt_rule {
    enum ox_failure failure; /* OX_FAILURE_NONE: of any class */
    uint64_t max_count;
    uint32_t max_bp;
    uint64_t min_sample; /* of devices that have ended, before the share is judged */
};

struct ox_policy {
    enum ox_strategy strategy;
    uint32_t shares_bp[OX_STAGES_MAX]; /* of canary, growing, the last is everything */
    size_t shares_count;
    uint64_t batch;      /* of rolling */
    uint64_t start;      /* of exponential */
    uint32_t factor_pct; /* of exponential: 200 doubles */
    int64_t wait_ms;     /* at least, between two stages */

    struct ox_gate gate;
    struct ox_halt_rule halt[OX_HALT_RULES_MAX];
    size_t halt_count;
    enum ox_halt_action halt_action;

    int64_t silence_ms[3]; /* downloading, applying, verifying: longer unheard of is failure */

    uint64_t in_flight;         /* devices at a time, at most */
    uint64_t starts_per_minute; /* at most */
    uint64_t rate_bps;          /* bytes per second of all downloads together; 0: no limit */
    int64_t deadline_s;         /* from its creation; 0: none */
    struct ox_window windows[OX_WINDOWS_MAX];
    size_t windows_count; /* 0: always open */

    enum ox_fallback fallback;
    uint32_t fallback_bp;      /* with limited: devices that may fall back, at most; 1 at least */
    uint64_t device_max_bytes; /* that one device may fetch */
    uint64_t total_max_bytes;  /* that all may fetch */

    enum ox_on_conflict on_conflict;
    enum ox_late_delta late_delta; /* where a delta cannot be made in time */
    bool follow;                   /* devices that join the fleet or match later are taken in */
};

/** What a strategy means where nothing else is said. */
void ox_policy_default(enum ox_strategy strategy, struct ox_policy *out);

/**
 * Does every key of the policy's objects mean something? Those beside them are not looked at, and
 * neither is this asked of a policy that is kept, which another release may have written. Errors:
 * OX_EINVAL, with the nearest key.
 */
OX_MUST_USE enum ox_code ox_policy_check_keys(const json_t *object, struct ox_err *err);

/**
 * Read the policy's keys from an object (a request's body, or what ox_policy_json wrote); other
 * keys are none of ours. "strategy" is a word, or an object with "type" and its settings; without
 * "type" the settings tell (stages: canary), else `fallback` decides. Errors: OX_EINVAL, naming
 * key, value and what was expected.
 */
OX_MUST_USE enum ox_code ox_policy_parse(const json_t *object, enum ox_strategy fallback,
                                         struct ox_policy *out, struct ox_err *err);
/** All settings as an object, which the caller releases. */
OX_MUST_USE enum ox_code ox_policy_json(const struct ox_policy *policy, json_t **out,
                                        struct ox_err *err);

#endif

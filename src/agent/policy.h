/** What the agent decides, as pure functions: time and randomness come in as arguments. */
#ifndef OX_AGENT_POLICY_H
#define OX_AGENT_POLICY_H

#include "oxide/base/random.h"
#include "oxide/wire/heartbeat.h"

/** Failures of one (model, version, digest) after which it is not tried again. */
#define OX_POISON_LIMIT 3

/** The longest wait after failures; a longer poll interval is kept as it is. */
#define OX_BACKOFF_MAX_MS ((int64_t)300000)

/** The wait until the next heartbeat: the interval, spread by a fifth to both sides. */
int64_t ox_policy_poll_ms(int64_t interval_ms, struct ox_rng *rng);

/**
 * The wait after `failures` (1 or more) in a row: full jitter below a bound that doubles from
 * base_ms up to OX_BACKOFF_MAX_MS, but never less than a tenth of the bound.
 * Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
int64_t ox_policy_backoff_ms(int64_t base_ms, uint64_t failures, struct ox_rng *rng);

/** The longest that a server may ask us to stay away. */
#define OX_RETRY_AFTER_S_MAX ((int64_t)3600)

/** The wait that an answer's Retry-After asks for, never less, and up to a fifth more, so that a
 *  fleet that was sent away does not come back together. 0: it asks for none. */
int64_t ox_policy_rest_ms(int64_t asked_s, struct ox_rng *rng);

enum ox_decision {
    OX_DECIDE_NOTHING, /* it runs already, or is gone already */
    OX_DECIDE_UPDATE,
    OX_DECIDE_SKIP, /* poisoned */
};
/** current_version is NULL if the device holds none of this model. */
enum ox_decision ox_policy_decide(const struct ox_assignment *assignment,
                                  const char *current_version,
                                  const struct ox_digest *current_digest, uint64_t failures);

/** Does ending with this code speak against the version? What the machine, the network or an
 *  operator did to us does not. */
bool ox_policy_counts(enum ox_code code);

/** Is it the patch's fault, so that the full files may do? */
bool ox_policy_blames_patch(enum ox_code code);

/** Is it trouble of the disk, which is reported as such at whichever stage? */
bool ox_policy_is_of_disk(enum ox_code code);

/** Is it worth to try again without telling anyone: a lost network or a stop? */
bool ox_policy_is_interruption(enum ox_code code);

#endif

/**
 * What a running agent was told last, while others still work by what it was told before: a tuning
 * is held by who uses it, and goes when nobody does.
 */
#ifndef OX_AGENT_TUNING_H
#define OX_AGENT_TUNING_H

#include "oxide/agent/agent.h"

#include <pthread.h>

struct ox_tuning {
    struct ox_agent_tuning is; /* never changed */
    size_t holders;            /* under the lock of its place */
};

/** The latest one. Zero-initialise it. */
struct ox_tuning_place {
    pthread_mutex_t lock;
    struct ox_tuning *latest;
};

OX_MUST_USE enum ox_code ox_tuning_open(struct ox_tuning_place *out,
                                        const struct ox_agent_tuning *first, struct ox_err *err);
/** All holders have let go. */
void ox_tuning_close(struct ox_tuning_place *place);

/** Memory for another one, to be filled and put; NULL: there is none. */
struct ox_tuning *ox_tuning_new(void);
/** Let it be the latest; it is the place's from here on. */
void ox_tuning_put(struct ox_tuning_place *place, struct ox_tuning *take_next);

/** The latest one, until ox_tuning_drop. Any thread. */
struct ox_tuning *ox_tuning_hold(struct ox_tuning_place *place);
void ox_tuning_drop(struct ox_tuning_place *place, struct ox_tuning *tuning);

/** What is said of a model. Lent by the tuning. */
const struct ox_agent_model_options *ox_tuning_model(const struct ox_tuning *tuning,
                                                     const char *model_id);

/** The limit of downloads as it is now. Any thread. */
uint64_t ox_tuning_rate_bps(struct ox_tuning_place *place);

#endif

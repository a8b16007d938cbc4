/**
 * Who uses a model: whether it is busy, how it learns of another version, and whether it answers
 * with it. What to do is said by the settings of the model ("consumer" in docs/agent-settings.md).
 */
#ifndef OX_AGENT_CONSUMER_H
#define OX_AGENT_CONSUMER_H

#include "update.h"

/** The version that consumers see now, or will see. Lent. version NULL: none. */
struct ox_seen_version {
    const char *model_id;
    const char *version;
    const char *path; /* the folder in which they see it */
    const struct ox_manifest *files;
};

/** Does somebody hold the lock file of this model? */
bool ox_consumer_is_busy(struct ox_tuning_place *place, const char *model_id);

/** Before the switch. Errors: OX_ECONFLICT if a command says no; OX_ECANCELED. */
OX_MUST_USE enum ox_code ox_consumer_before(struct ox_update *update,
                                            const struct ox_seen_version *next, struct ox_err *err);

/** After a switch, forward or `back`. Errors: OX_EFAILED, of the first that could not be told: the
 *  others are told all the same; OX_ECANCELED. */
OX_MUST_USE enum ox_code ox_consumer_tell(struct ox_update *update,
                                          const struct ox_seen_version *now, bool back,
                                          struct ox_err *err);

/** Ask the consumer until it answers as it should, at most as long as the settings say. Errors:
 *  OX_EFAILED; OX_ECANCELED. */
OX_MUST_USE enum ox_code ox_consumer_probe(struct ox_update *update,
                                           const struct ox_seen_version *now, struct ox_err *err);

#endif

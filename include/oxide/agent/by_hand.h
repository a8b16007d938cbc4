/** What people ask of the agent on the device itself. */
#ifndef OXIDE_AGENT_BY_HAND_H
#define OXIDE_AGENT_BY_HAND_H

#include "oxide/agent/agent.h"

enum ox_by_hand {
    OX_BY_HAND_ROLLBACK, /* to the version before, or to none after a first install; the one that
                            was active is quarantined */
    OX_BY_HAND_APPLY,    /* a file or folder, or a patch */
    OX_BY_HAND_ADOPT,    /* a file or folder that the device ran before, of a model that is new */
};

/** Everything is lent. */
struct ox_by_hand_spec {
    enum ox_by_hand kind;
    const char *model_id; /* NULL: the model that a patch is for */
    const char *version;  /* NULL: named by its digest */
    const char *path;     /* absolute; NULL for OX_BY_HAND_ROLLBACK */
};

/**
 * Do it under the folder's lock, where no agent runs: first what an earlier run left is finished or
 * undone. Errors: OX_EBUSY if an agent runs there; those of the update, as its report has them.
 */
OX_MUST_USE enum ox_code ox_agent_by_hand(const struct ox_agent_options *options,
                                          const struct ox_by_hand_spec *spec, struct ox_stop *stop,
                                          const struct ox_log *log, struct ox_err *err);

#endif

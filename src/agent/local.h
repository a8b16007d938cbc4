/**
 * What is asked of the agent by hand, on the device itself: to go back, to take what lies on a USB
 * stick, to take over what lies there already. Each becomes an update like any other, with the same
 * checks, that fetches nothing: what it needs is put where a download would have.
 */
#ifndef OX_AGENT_LOCAL_H
#define OX_AGENT_LOCAL_H

#include "journal.h"
#include "oxide/agent/by_hand.h"
#include "oxide/base/stop.h"

struct ox_agent;

/** A copy, owned. */
struct ox_local_request {
    enum ox_by_hand kind;
    char *model_id; /* NULL: of what it is a patch for */
    char *version;  /* NULL: told by what is there */
    char *path;     /* of an artifact or a patch; NULL to go back */
};
void ox_local_request_clear(struct ox_local_request *request);
OX_MUST_USE enum ox_code ox_local_request_copy(struct ox_local_request *out,
                                               const struct ox_by_hand_spec *spec,
                                               struct ox_err *err);

/**
 * Make the journal of the update, without its attempt, and put its files into place. No update may
 * be under way. The caller clears *out.
 * Errors: OX_EINVAL, OX_ENOTFOUND (no such model, version or file), OX_EBASE (a patch for what is
 * not held), OX_ECORRUPT, OX_EDIGEST, OX_ENOSPC, OX_ECONFLICT (it is active already), OX_ECANCELED,
 * the system's.
 */
OX_MUST_USE enum ox_code ox_local_prepare(struct ox_agent *agent,
                                          const struct ox_local_request *request,
                                          struct ox_stop *stop, struct ox_journal *out,
                                          struct ox_err *err);

/** Let a version that is quarantined be tried again; version NULL: all of the model. How many. */
OX_MUST_USE enum ox_code ox_local_free(struct ox_agent *agent, const char *model_id,
                                       const char *version, size_t *count, struct ox_err *err);

#endif

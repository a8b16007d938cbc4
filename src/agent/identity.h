/**
 * Which installation this is, and which device: identity.json beside the state, replaced atomically
 * and written seldom, so that a state that is damaged or of another release does not change it.
 */
#ifndef OX_AGENT_IDENTITY_H
#define OX_AGENT_IDENTITY_H

#include "oxide/base/log.h"
#include "oxide/wire/heartbeat.h"
#include "oxide/wire/id.h"

#define OX_IDENTITY_FORMAT 1

struct ox_identity {
    char instance[OX_INSTANCE_HEX + 1];
    char start[OX_START_HEX + 1];   /* of this process; not on disk */
    char device_id[OX_ID_MAX + 1];  /* what the control plane knows it by */
    char configured[OX_ID_MAX + 1]; /* what the command line says */
};

/**
 * Read it, or make it where there is none. configured: the id on the command line; where it is
 * another than before, what the control plane said of the earlier one is forgotten. A damaged file
 * is set aside, and the installation is a new one.
 */
OX_MUST_USE enum ox_code ox_identity_open(struct ox_identity *out, const char *path,
                                          const char *configured, const struct ox_log *log,
                                          struct ox_err *err);

/** Only read it. Errors: OX_ENOTFOUND; OX_ECORRUPT and OX_EUNSUPPORTED for what the agent sets
 * aside; the system's. */
OX_MUST_USE enum ox_code ox_identity_load(struct ox_identity *out, const char *path,
                                          struct ox_err *err);

/** Take in and keep what a server calls the device and the installation: NULL and "" say nothing.
 *  Returns OX_OK without writing if that is no news, which *changed tells. */
OX_MUST_USE enum ox_code ox_identity_take(struct ox_identity *identity, const char *path,
                                          const char *device_id, const char *instance,
                                          bool *changed, struct ox_err *err);

#endif

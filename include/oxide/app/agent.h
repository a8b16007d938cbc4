/** The wiring of `oxide agent`: options as the command line has them, checked and handed on. */
#ifndef OXIDE_APP_AGENT_H
#define OXIDE_APP_AGENT_H

#include "oxide/base/log.h"
#include "oxide/base/stop.h"

#include <stdint.h>

#define OX_APP_AGENT_POLL_S_DEFAULT 30
#define OX_APP_AGENT_POLL_S_MAX 86400
#define OX_APP_AGENT_CHECK_S_DEFAULT 60
#define OX_APP_AGENT_MODEL_DIR_DEFAULT "oxide-models"

/** Zero or NULL stands for the default. Strings are lent until the call returns. */
struct ox_app_agent_options {
    const char *control_plane; /* required: http://host[:port][/path], or https */
    const char *device_id;     /* required; may hold {serial}, {hostname}, {mac}, {machine_id} */
    const char *version;       /* required: of this release, "0.1.0" */
    const char *model_dir;     /* made if absent; default "oxide-models" */
    const char *health_check;  /* run by sh -c; default: the built-in check */
    uint64_t poll_interval_s;  /* until the server names another */
    uint64_t health_timeout_s; /* of the health check command */
    uint64_t rate_bps;         /* bytes per second of downloads; 0: no limit */
};

/**
 * Run the device agent until stop is requested, which is success.
 * Errors: OX_EINVAL (an option; the message names its flag), OX_ENOTFOUND (the machine has no value
 * for a name in device_id), OX_EBUSY (another agent on model_dir),
 * OX_EPERM and others if model_dir cannot be used. A server that cannot be reached is no error:
 * the agent logs it and goes on trying. log may be NULL.
 */
OX_MUST_USE enum ox_code ox_app_agent_run(const struct ox_app_agent_options *options,
                                          struct ox_stop *stop, const struct ox_log *log,
                                          struct ox_err *err);

#endif

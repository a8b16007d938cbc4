/** The wiring of `oxide agent`: its configuration, read and read again, handed on. */
#ifndef OXIDE_APP_AGENT_H
#define OXIDE_APP_AGENT_H

#include "oxide/app/agent_config.h"
#include "oxide/base/stop.h"

/** Everything is lent until the call returns. */
struct ox_app_agent_options {
    struct ox_agent_config_sources sources; /* read again when told to */
    const char *version;                    /* of this release, "0.1.0" */
    int log_fd;
    int reload_fd; /* an eventfd; readable: read the sources again. -1: never */
};

/**
 * Run the device agent until stop is requested, which is success. When it is told to read its
 * sources again and something is wrong there, it logs that and goes on as before; else it logs what
 * changed, and what needs a restart.
 * Errors: OX_EINVAL (a setting; *problems, which the caller clears, has all of them), OX_ENOTFOUND
 * (the machine has no value for a name in device_id), OX_EBUSY (another agent on model_dir),
 * OX_EPERM and others if model_dir cannot be used. A server that cannot be reached is no error:
 * the agent logs it and goes on trying.
 */
OX_MUST_USE enum ox_code ox_app_agent_run(const struct ox_app_agent_options *options,
                                          struct ox_stop *stop, struct ox_config_problems *problems,
                                          struct ox_err *err);

#endif

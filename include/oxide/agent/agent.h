/**
 * The device agent: asks the control plane what to run, gets there by patch or full files, checks
 * it, and keeps it or goes back. At every instant MODEL_DIR/MODEL/current names a whole, verified
 * version, or nothing before the first one.
 *
 *     MODEL_DIR/MODEL/versions/VERSION/...   the files of a version
 *     MODEL_DIR/MODEL/current                -> versions/VERSION
 *     MODEL_DIR/MODEL/previous               -> the version before
 *     MODEL_DIR/.oxide/                      state.json, journal.json, lock, download/, staging/
 */
#ifndef OXIDE_AGENT_AGENT_H
#define OXIDE_AGENT_AGENT_H

#include "oxide/base/err.h"
#include "oxide/base/log.h"
#include "oxide/base/stop.h"

#include <stdint.h>

struct ox_agent_options {
    const char *control_plane; /* http(s)://host[:port][/path], without a final slash */
    const char *device_id;
    const char *agent; /* "oxide/0.1.0" */
    const char *model_dir;
    const char *health_check;  /* NULL: the built-in check */
    int64_t health_timeout_ms; /* of the command */
    int64_t poll_ms;           /* between heartbeats, until the server names another */
    uint64_t rate_bps;         /* bytes per second of downloads; 0: no limit */
};

/**
 * Run until stop is requested, which is OX_OK; what was under way goes on at the next start.
 * Threads: one more than the caller's, while an update runs.
 * Errors: OX_EBUSY if another agent runs on model_dir; OX_EPERM, OX_EIO and others if model_dir
 * cannot be used. What fails later is logged, reported and tried again.
 */
OX_MUST_USE enum ox_code ox_agent_run(const struct ox_agent_options *options, struct ox_stop *stop,
                                      const struct ox_log *log, struct ox_err *err);

#endif

/** Commands of the operator's about a version, with what they are told of it. */
#ifndef OX_AGENT_COMMAND_H
#define OX_AGENT_COMMAND_H

#include "oxide/base/manifest.h"
#include "oxide/base/stop.h"

struct ox_command_spec {
    const char *what;    /* for messages: "health check" */
    const char *command; /* run by sh -c */
    int64_t timeout_ms;
    const char *model_id;
    const char *version;
    const char *path; /* the folder of the version, where it lies or will lie */
    const struct ox_manifest *files;
    enum ox_code verdict; /* what "no" is to the caller */
    struct ox_stop *stop;
};

/**
 * Run it with OXIDE_MODEL_PATH (the file if there is one, else the folder), OXIDE_MODEL_ID and
 * OXIDE_MODEL_VERSION. *said, if not NULL, is set to the last 4 KiB that it printed if it says no;
 * the caller frees it. Errors: spec->verdict (another status than 0, a signal, the timeout; the
 * message has its last line), OX_ECANCELED; others: it could not be run.
 */
OX_MUST_USE enum ox_code ox_command_run(const struct ox_command_spec *spec, char **said,
                                        struct ox_err *err);

#endif

/** Does a version work? Asked after the switch, before the commit. */
#ifndef OX_AGENT_HEALTH_H
#define OX_AGENT_HEALTH_H

#include "oxide/base/manifest.h"
#include "oxide/base/stop.h"

struct ox_health_spec {
    const char *command; /* NULL: the built-in check */
    int64_t timeout_ms;  /* of the command */
    const char *model_id;
    const char *version;
    const char *path; /* the folder of the version */
    const struct ox_manifest *files;
    bool digests_known; /* they were verified since the files were written */
    struct ox_stop *stop;
    char **said; /* the last 4 KiB that the command printed if it says no, the caller's; or NULL */
};

/**
 * The command, with OXIDE_MODEL_PATH (the file if there is one, else the folder), OXIDE_MODEL_ID
 * and OXIDE_MODEL_VERSION; without one: every file has its digest, and parses if its name ends in
 * the suffix of a known format. *took_us is set on success. Errors: OX_EFAILED, OX_EDIGEST (the
 * verdict is no); OX_ECANCELED; others: it could not be told.
 */
OX_MUST_USE enum ox_code ox_health_check(const struct ox_health_spec *spec, int64_t *took_us,
                                         struct ox_err *err);

/** Is every file a regular one of the right size and digest? Errors: OX_EDIGEST, OX_ENOTFOUND, ...
 */
OX_MUST_USE enum ox_code ox_files_verify(const char *path, const struct ox_manifest *files,
                                         struct ox_stop *stop, struct ox_err *err);

#endif

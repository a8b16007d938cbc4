/** `oxide restore`: a backup into the folder of a control plane that does not run. */
#ifndef OXIDE_APP_RESTORE_H
#define OXIDE_APP_RESTORE_H

#include "oxide/base/stop.h"

#include <stdint.h>

struct ox_app_restored {
    int64_t made_ms;    /* when the backup was taken */
    uint64_t devices;   /* that it knows */
    uint64_t campaigns; /* under way */
    uint64_t blobs;     /* that it needs, and of them those that are not in the folder */
    uint64_t missing;
    char replaced[32]; /* the name that the registry has now which was there before, or "" */
};

/**
 * Under the folder's lock (made if absent). A registry that is there is kept under another name
 * with `replace`, else it is a conflict. Until the last step, which is a rename, the folder is as
 * it was but for blobs that came to it. Errors: OX_EBUSY (a control plane runs on the folder),
 * OX_ECONFLICT, OX_ENOTFOUND, OX_ECORRUPT, OX_EUNSUPPORTED (of a newer release), OX_ENOSPC,
 * OX_EPERM, OX_ECANCELED.
 */
OX_MUST_USE enum ox_code ox_app_restore(const char *file, const char *data_dir, bool replace,
                                        struct ox_stop *stop, struct ox_app_restored *out,
                                        struct ox_err *err);

#endif

/** The folder of a file store under examination: what lies in it that is no blob. Nothing is
 * changed.
 */
#ifndef OXIDE_STORE_INSPECT_H
#define OXIDE_STORE_INSPECT_H

#include "oxide/base/stop.h"
#include "oxide/store/store.h"

enum ox_store_odd {
    OX_STORE_STRAY,      /* in blobs/, and no blob's name or kind: readers never see it */
    OX_STORE_TEMPORARY,  /* in tmp/: a write under way, or one that a crash cut short */
    OX_STORE_UPLOAD,     /* in uploads/: one that may be gone on with */
    OX_STORE_UNREADABLE, /* a folder that cannot be read, or is none */
};

struct ox_store_thing {
    enum ox_store_odd odd;
    const char *path; /* below the data folder: "blobs/ab/x"; lent */
    uint64_t size_bytes;
    int64_t written_ms;
    const char *why; /* of what is stray or unreadable; lent */
};

struct ox_store_inspector {
    void *ctx;
    void (*found)(void *ctx, const struct ox_store_thing *thing);
};

/**
 * Visit what is odd in folder `dir`. Folders below blobs/ are looked into, but no deeper than blobs
 * lie; names of any length and symlinks that lead in circles do no harm. Errors: OX_ENOMEM,
 * OX_ECANCELED (stop, which may be NULL); what cannot be read is visited.
 */
OX_MUST_USE enum ox_code ox_store_inspect(const char *dir, const struct ox_store_inspector *to,
                                          struct ox_stop *stop, struct ox_err *err);

/**
 * Open the file store in folder `dir` to be read alone, as it is: nothing is made or swept, and who
 * has the folder's lock does not matter. Only functions that read, list or tell sizes may be called
 * on it.
 */
OX_MUST_USE enum ox_code ox_store_open_as_is(struct ox_store **out, const char *dir,
                                             struct ox_err *err);

#endif

/** What the sections of an examination share. */
#ifndef OX_CONTROL_DOCTOR_INNER_H
#define OX_CONTROL_DOCTOR_INNER_H

#include "oxide/control/doctor.h"
#include "oxide/registry/audit.h"
#include "oxide/store/store.h"

struct ox_doctor {
    const char *dir;
    struct ox_checkup *checkup;
    struct ox_store *store;       /* to read; under the lock also to remove */
    struct ox_audit *audit;       /* NULL: the registry cannot be opened */
    struct ox_registry *registry; /* to mend; NULL: nothing of it is mended */
    bool trusted; /* the registry is whole, so that what it does not name is not needed */
    bool holds;   /* it was restored, and may not know all that is needed */
};

/** What was found since *mark is mended, if `code` says so; else why not is told beside it. */
void ox_doctor_mended(struct ox_doctor *doctor, const struct ox_checkup *mark, enum ox_code code,
                      const struct ox_err *why);

/** Blobs that the registry names: are they there, whole? */
OX_MUST_USE enum ox_code ox_doctor_blobs(struct ox_doctor *doctor, struct ox_err *err);
/** Blobs that it does not name. */
OX_MUST_USE enum ox_code ox_doctor_orphans(struct ox_doctor *doctor, struct ox_err *err);

#endif

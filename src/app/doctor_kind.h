/** What is examined (docs/doctor.md). To add a kind: a file like doctor_agent.c. */
#ifndef OXIDE_APP_DOCTOR_KIND_H
#define OXIDE_APP_DOCTOR_KIND_H

#include "oxide/base/checkup.h"

struct doctor_kind {
    const char *lock;     /* below the folder */
    const char *marks[3]; /* one of these is in a folder of this kind */
    const char *none;     /* what to do where none is */
    const char *busy;     /* who has the lock */
    enum ox_code (*examine)(const char *dir, struct ox_checkup *checkup, struct ox_err *err);
};

/** As ox_app_doctor_agent (oxide/app/doctor.h), for any kind. */
OX_MUST_USE enum ox_code doctor_examine(const struct doctor_kind *kind, const char *dir,
                                        struct ox_checkup *checkup, struct ox_err *err);

#endif

/**
 * The data of a control plane under examination (docs/doctor.md): the registry, the store, and
 * whether they agree. A control plane may be running on it: what it writes meanwhile is no finding.
 */
#ifndef OXIDE_CONTROL_DOCTOR_H
#define OXIDE_CONTROL_DOCTOR_H

#include "oxide/base/checkup.h"

/**
 * Examine folder `dir`, whose registry is registry.db, section by section into `checkup`. With
 * checkup->fix the caller has the folder's lock; then what a control plane would remove by itself
 * goes, and what other rows of the registry say is counted anew. What is damaged is found, and no
 * error. Errors: OX_ECANCELED, OX_ENOMEM, OX_EBUSY.
 */
OX_MUST_USE enum ox_code ox_doctor_server(const char *dir, struct ox_checkup *checkup,
                                          struct ox_err *err);

#endif

/** `oxide doctor`: the data of a control plane or an agent under examination (docs/doctor.md). */
#ifndef OXIDE_APP_DOCTOR_H
#define OXIDE_APP_DOCTOR_H

#include "oxide/base/checkup.h"

/**
 * Examine the data folder of a control plane, or the model folder of an agent, into `checkup`,
 * which says how (quick, fix, stop, progress); the time is the system's. A process may be running
 * on it, but for checkup->fix. What is damaged is found, and no error. Errors: OX_ENOTFOUND (no
 * such folder, or nothing of oxide in it), OX_EPERM, OX_EBUSY (to be mended while a process runs on
 * it), OX_ECANCELED, OX_ENOMEM.
 */
OX_MUST_USE enum ox_code ox_app_doctor_server(const char *data_dir, struct ox_checkup *checkup,
                                              struct ox_err *err);
OX_MUST_USE enum ox_code ox_app_doctor_agent(const char *model_dir, struct ox_checkup *checkup,
                                             struct ox_err *err);

#endif

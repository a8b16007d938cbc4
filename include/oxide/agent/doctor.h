/** The folder of an agent under examination (docs/doctor.md). The agent may be running. */
#ifndef OXIDE_AGENT_DOCTOR_H
#define OXIDE_AGENT_DOCTOR_H

#include "oxide/base/checkup.h"

/**
 * Examine MODEL_DIR section by section into `checkup`: state, journal and identity; every version
 * that is kept, byte by byte; symlinks; what was left over. With checkup->fix the caller has the
 * folder's lock; then what the agent would remove when it starts goes. What is damaged is found,
 * and no error. Errors: OX_ENOTFOUND, OX_EPERM, OX_ECANCELED, OX_ENOMEM.
 */
OX_MUST_USE enum ox_code ox_doctor_agent(const char *model_dir, struct ox_checkup *checkup,
                                         struct ox_err *err);

#endif

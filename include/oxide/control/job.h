/** Delta jobs: showing and steering them. What control.h says of all functions holds. */
#ifndef OXIDE_CONTROL_JOB_H
#define OXIDE_CONTROL_JOB_H

#include "oxide/control/control.h"

OX_MUST_USE enum ox_code ox_control_job(struct ox_control *control, int64_t id, json_t **out,
                                        struct ox_err *err);

enum ox_job_action { OX_JOB_RETRY, OX_JOB_CANCEL };
/** Errors: OX_ECONFLICT from a state that does not allow it. */
OX_MUST_USE enum ox_code ox_control_job_act(struct ox_control *control, int64_t id,
                                            enum ox_job_action action, json_t **out,
                                            struct ox_err *err);

#endif

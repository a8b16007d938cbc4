/** What GET /metrics tells, written for Prometheus. */
#ifndef OX_API_METRICS_H
#define OX_API_METRICS_H

#include "request.h"

#include "oxide/base/prometheus.h"

/**
 * Write all of it: of the control plane, of requests, of the process. docs/serve.md tells what each
 * metric means.
 * Errors: OX_EIO where the system does not say what the process takes; those of ox_control_figures.
 */
OX_MUST_USE enum ox_code ox_metrics_write(struct ox_api *api, struct ox_prom *out,
                                          struct ox_err *err);

#endif

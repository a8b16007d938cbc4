/**
 * How long requests take, by route and status: a histogram for each, made at the start, so that to
 * record one takes no lock and no memory. What is there is bounded by the table of routes.
 */
#ifndef OX_API_RECORDER_H
#define OX_API_RECORDER_H

#include "routes.h"

#include "oxide/base/prometheus.h"

struct ox_recorder;

OX_MUST_USE enum ox_code ox_recorder_new(struct ox_recorder **out, struct ox_err *err);
void ox_recorder_free(struct ox_recorder *recorder);

/** A request was answered with `status` after so long. route: a row of ox_routes, or NULL where
 *  none fits; status 0: it broke off before its answer. From any thread. */
void ox_recorder_note(struct ox_recorder *recorder, const struct ox_route *route, unsigned status,
                      uint64_t duration_ns);

/** Write them as one family, without those that nothing was recorded in. */
void ox_recorder_write(struct ox_recorder *recorder, struct ox_prom *out);

#endif

/**
 * A request to stop, seen by every thread: a flag to poll and a descriptor to wait on.
 * ox_stop_request is async-signal-safe, so a signal handler may call it.
 */
#ifndef OXIDE_BASE_STOP_H
#define OXIDE_BASE_STOP_H

#include "oxide/base/err.h"

#include <stdatomic.h>
#include <stdint.h>

struct ox_stop {
    atomic_bool requested;
    int fd; /* an eventfd, readable once stop is requested; never read */
};

OX_MUST_USE enum ox_code ox_stop_init(struct ox_stop *stop, struct ox_err *err);
void ox_stop_clear(struct ox_stop *stop);
void ox_stop_request(struct ox_stop *stop);
/** NULL is never requested. */
bool ox_stop_requested(const struct ox_stop *stop);
/** Sleep timeout_ms or until stop is requested (negative: until then). Returns requested. */
bool ox_stop_wait(struct ox_stop *stop, int64_t timeout_ms);

#endif

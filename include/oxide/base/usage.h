/** What this process takes of the system. */
#ifndef OXIDE_BASE_USAGE_H
#define OXIDE_BASE_USAGE_H

#include "oxide/base/err.h"

#include <stdint.h>

struct ox_usage {
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t threads;
    uint64_t processor_ns; /* of all threads, user and system */
    uint64_t open_fds;
    uint64_t max_fds; /* UINT64_MAX: no limit */
};

/** Errors: OX_EIO where the system does not say (it reads /proc). */
OX_MUST_USE enum ox_code ox_usage_read(struct ox_usage *out, struct ox_err *err);

#endif

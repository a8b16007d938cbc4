/**
 * The log of a daemon: one line per event on a descriptor, text for people or JSON for machines.
 * A value that is passed in, never a global. Modules under floor 4 do not log. NULL logs nothing.
 */
#ifndef OXIDE_BASE_LOG_H
#define OXIDE_BASE_LOG_H

#include "oxide/base/err.h"

#include <stdint.h>

enum ox_log_level { OX_LOG_ERROR, OX_LOG_WARN, OX_LOG_INFO, OX_LOG_DEBUG };
enum ox_log_format { OX_LOG_TEXT, OX_LOG_JSON };

struct ox_log {
    int fd;
    _Atomic(enum ox_log_level) level; /* what is noisier is dropped; both may change while it is */
    _Atomic(enum ox_log_format) format; /* in use */
};

/** Write one line with the wall time in UTC. Lines of threads do not mix: one write(2) each. */
void ox_log(const struct ox_log *log, enum ox_log_level level, const char *fmt, ...)
    OX_PRINTF(3, 4);

/** A named value of a line: a text or, where that is NULL, a number. */
struct ox_log_field {
    const char *key; /* [a-z_]+; NULL ends a list */
    const char *text;
    int64_t number;
};
#define OX_LOG_FIELDS_MAX 16

/** The same with values, as key=value behind the message, or as members in JSON. */
void ox_log_fields(const struct ox_log *log, enum ox_log_level level,
                   const struct ox_log_field *fields, const char *fmt, ...) OX_PRINTF(4, 5);

/**
 * What this thread does is for a request: until the next call, each of its lines has request_id.
 * `id` is lent; NULL: for none any more. The one thing here that is not passed in, since a line's
 * cause lies floors above the place that writes it; it belongs to the thread.
 */
void ox_log_bind(const char *id);
/** The request that this thread works for, or NULL. Lent. */
const char *ox_log_bound(void);

#endif

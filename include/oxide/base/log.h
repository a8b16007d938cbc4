/**
 * The log of a daemon: one line per event on a descriptor, text for people or JSON for machines.
 * A value that is passed in, never a global. Modules under floor 4 do not log. NULL logs nothing.
 */
#ifndef OXIDE_BASE_LOG_H
#define OXIDE_BASE_LOG_H

#include "oxide/base/err.h"

enum ox_log_level { OX_LOG_ERROR, OX_LOG_WARN, OX_LOG_INFO, OX_LOG_DEBUG };
enum ox_log_format { OX_LOG_TEXT, OX_LOG_JSON };

struct ox_log {
    int fd;
    enum ox_log_level level; /* what is noisier is dropped */
    enum ox_log_format format;
};

/** Write one line with the wall time in UTC. Lines of threads do not mix: one write(2) each. */
void ox_log(const struct ox_log *log, enum ox_log_level level, const char *fmt, ...)
    OX_PRINTF(3, 4);

#endif

/**
 * Clocks as arguments. Waits and deadlines use the monotonic clock; the wall clock only names
 * instants for people. Tests pass a clock of their own.
 */
#ifndef OXIDE_BASE_CLOCK_H
#define OXIDE_BASE_CLOCK_H

#include "oxide/base/err.h"

#include <stdint.h>

/** A time span that does not end. */
#define OX_NEVER_MS ((int64_t)-1)

struct ox_clock {
    void *ctx;
    int64_t (*mono_ms)(void *ctx); /* monotonic, counts through suspend where the system can */
    int64_t (*wall_ms)(void *ctx); /* since 1970-01-01 UTC */
};

/** The system's clocks. Static: never freed. */
const struct ox_clock *ox_clock_system(void);

/** Nanoseconds of the system's monotonic clock, to measure how long something took. */
uint64_t ox_clock_now_ns(void);

#define OX_TIME_TEXT_MAX 32
/** RFC 3339 in UTC with milliseconds, "2026-11-20T13:05:07.123Z"; returns `out`. */
const char *ox_time_text(int64_t wall_ms, char out[OX_TIME_TEXT_MAX]);
/** The instant that a text names: RFC 3339 with "Z" or an offset, seconds and their fraction may be
 *  left out, or a date alone, which is its midnight in UTC. Years 1970 to 9999.
 *  Errors: OX_EINVAL. */
OX_MUST_USE enum ox_code ox_time_parse(const char *text, int64_t *wall_ms, struct ox_err *err);

#endif

/** Recurring maintenance windows, in the local time of whoever they are for. */
#ifndef OXIDE_BASE_WINDOW_H
#define OXIDE_BASE_WINDOW_H

#include "oxide/base/err.h"

#include <stdint.h>

/** Begins on each of `days` at from_min; ends at to_min, which is of the next day if it is not
 *  after from_min. */
struct ox_window {
    uint8_t days;      /* bit 0 is Monday, bit 6 Sunday */
    uint16_t from_min; /* minutes of the day, 0 to 1439 */
    uint16_t to_min;
};

/** Read "02:00-05:00" (every day), "mon-fri 22:00-04:00" or "sat,sun 00:00-24:00".
 *  Errors: OX_EINVAL, quoting the text and what was expected. */
OX_MUST_USE enum ox_code ox_window_parse(const char *text, struct ox_window *out,
                                         struct ox_err *err);

#define OX_WINDOW_TEXT_MAX 48
/** The text that ox_window_parse reads; returns `out`. */
const char *ox_window_text(const struct ox_window *window, char out[OX_WINDOW_TEXT_MAX]);

/** Is one of them open at a local time, in milliseconds since 1970 of the local clock? None at all
 *  is always open. */
bool ox_windows_open(const struct ox_window *windows, size_t count, int64_t local_ms);

/** How long until one opens, 0 if one is open, in milliseconds; at most a week. */
int64_t ox_windows_wait_ms(const struct ox_window *windows, size_t count, int64_t local_ms);

/** How long one or another stays open, 0 if none is, in milliseconds; at most a week. */
int64_t ox_windows_left_ms(const struct ox_window *windows, size_t count, int64_t local_ms);

/** How long until they have been open for open_ms (at most a century) from local_ms on, in
 *  milliseconds: the time between is counted too. INT64_MAX: they never open. */
int64_t ox_windows_pass_ms(const struct ox_window *windows, size_t count, int64_t local_ms,
                           int64_t open_ms);

#endif

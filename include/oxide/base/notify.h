/**
 * What is told to the service manager that started this process, as sd_notify(3) has it: a datagram
 * to the socket that $NOTIFY_SOCKET names. Where none is named, nothing happens. Any thread.
 * Source: systemd, sd_notify(3), "Standalone Implementations".
 */
#ifndef OXIDE_BASE_NOTIFY_H
#define OXIDE_BASE_NOTIFY_H

#include "oxide/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/** Does a service manager listen? */
bool ox_notify_wanted(void);

/** Tell it lines such as "READY=1" or "STATUS=...". What cannot be told is not. */
void ox_notify(const char *fmt, ...) OX_PRINTF(1, 2);

/** So often it wants to be told "WATCHDOG=1", in milliseconds; 0: never. */
int64_t ox_notify_watchdog_ms(void);

#endif

/**
 * The time that the device goes by: the server's, counted on by the monotonic clock. What the
 * system's clock says, or jumps to, matters only until the first answer has come. The offset of the
 * local time is the device's own, by its rules for that instant. Clocks come in as arguments.
 */
#ifndef OX_AGENT_DEVICE_TIME_H
#define OX_AGENT_DEVICE_TIME_H

#include "oxide/base/clock.h"

/** {0}: the server has not told its time yet. */
struct ox_device_time {
    bool is_told;
    int64_t ahead_ms; /* the server's time, since 1970 UTC, less the monotonic clock */
};

/**
 * Take in the server's time (in ms since 1970 UTC; 0: it told none) from the answer that came at
 * received_mono_ms to what was sent at sent_mono_ms: it was told halfway between. One that no
 * calendar here has, after the year 9999, is passed by.
 * Source: Cristian, "Probabilistic clock synchronization", 1989, section 4.
 */
void ox_device_time_take(struct ox_device_time *time, uint64_t server_ms, int64_t sent_mono_ms,
                         int64_t received_mono_ms);

/** Now by the server, or by the system's clock while that is unknown: ms since 1970 UTC. */
int64_t ox_device_time_utc_ms(const struct ox_device_time *time, const struct ox_clock *clock);

/** The local time less UTC at an instant, in seconds, by the device's rules; 0 without any. */
int64_t ox_device_time_offset_s(int64_t utc_ms);

/** Now, in ms since 1970 of the local clock. */
int64_t ox_device_time_local_ms(const struct ox_device_time *time, const struct ox_clock *clock);

#endif

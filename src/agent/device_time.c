#include "device_time.h"

#include <time.h>

#define YEAR_10000_MS ((uint64_t)253402300800000)

void ox_device_time_take(struct ox_device_time *time, uint64_t server_ms, int64_t sent_mono_ms,
                         int64_t received_mono_ms)
{
    if (server_ms == 0 || server_ms >= YEAR_10000_MS) {
        return;
    }
    time->is_told = true;
    time->ahead_ms = (int64_t)server_ms - sent_mono_ms - (received_mono_ms - sent_mono_ms) / 2;
}

int64_t ox_device_time_utc_ms(const struct ox_device_time *time, const struct ox_clock *clock)
{
    return time->is_told ? clock->mono_ms(clock->ctx) + time->ahead_ms : clock->wall_ms(clock->ctx);
}

int64_t ox_device_time_offset_s(int64_t utc_ms)
{
    time_t seconds = (time_t)(utc_ms / 1000);
    struct tm local = {0};

    return localtime_r(&seconds, &local) == NULL ? 0 : local.tm_gmtoff;
}

int64_t ox_device_time_local_ms(const struct ox_device_time *time, const struct ox_clock *clock)
{
    int64_t utc_ms = ox_device_time_utc_ms(time, clock);

    return utc_ms + ox_device_time_offset_s(utc_ms) * 1000;
}

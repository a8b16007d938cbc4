#include "oxide/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec ts = {0, 0};

    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t system_mono_ms(void *ctx)
{
    (void)ctx;
    return read_ms(CLOCK_BOOTTIME);
}

static int64_t system_wall_ms(void *ctx)
{
    (void)ctx;
    return read_ms(CLOCK_REALTIME);
}

const struct ox_clock *ox_clock_system(void)
{
    static const struct ox_clock clock = {NULL, system_mono_ms, system_wall_ms};

    return &clock;
}

uint64_t ox_clock_now_ns(void)
{
    struct timespec ts = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

const char *ox_time_text(int64_t wall_ms, char out[OX_TIME_TEXT_MAX])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    int ms = (int)(wall_ms % 1000);
    struct tm tm = {0};

    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    if (gmtime_r(&seconds, &tm) == NULL) {
        (void)snprintf(out, OX_TIME_TEXT_MAX, "1970-01-01T00:00:00.000Z");
        return out;
    }
    (void)snprintf(out, OX_TIME_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
                   (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
                   (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100, (unsigned)ms % 1000);
    return out;
}

/* --- reading a time --- */

/* `digits` digits, then one of `ends`, which is passed over; '\0' among them is the text's end. */
static bool take(const char **at, unsigned digits, const char *ends, int *out)
{
    int value = 0;

    for (unsigned i = 0; i < digits; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return **at == '\0' || strchr(ends, **at) != NULL;
}

static int64_t take_fraction_ms(const char **at)
{
    int64_t ms = 0;
    int64_t weight = 100;

    for (; **at >= '0' && **at <= '9'; (*at)++, weight /= 10) {
        ms += weight * (**at - '0');
    }
    return ms;
}

/* "Z", or "+HH:MM" and "-HH:MM", to the end. */
static bool take_offset(const char *at, int64_t *out_ms)
{
    char sign = *at++;
    int hours = 0;
    int minutes = 0;

    *out_ms = 0;
    if (sign == 'Z' || sign == 'z') {
        return *at == '\0';
    }
    if ((sign != '+' && sign != '-') || !take(&at, 2, ":", &hours) || *at++ != ':' ||
        !take(&at, 2, "", &minutes) || *at != '\0' || hours > 23 || minutes > 59) {
        return false;
    }
    *out_ms = (sign == '-' ? -1 : 1) * (hours * 60 + minutes) * (int64_t)60000;
    return true;
}

/* The time of a day, which the offset may carry into another one. */
static bool take_clock(const char *at, int64_t *out_ms)
{
    int hour = 0;
    int minute = 0;
    int second = 0;
    int64_t fraction_ms = 0;
    int64_t offset_ms = 0;

    if (!take(&at, 2, ":", &hour) || *at++ != ':' || !take(&at, 2, ":Zz+-", &minute)) {
        return false;
    }
    if (*at == ':') {
        at++;
        if (!take(&at, 2, ".Zz+-", &second)) {
            return false;
        }
        if (*at == '.') {
            at++;
            fraction_ms = take_fraction_ms(&at);
        }
    }
    if (!take_offset(at, &offset_ms) || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    *out_ms = ((hour * 60 + minute) * 60 + second) * (int64_t)1000 + fraction_ms - offset_ms;
    return true;
}

enum ox_code ox_time_parse(const char *text, int64_t *wall_ms, struct ox_err *err)
{
    struct tm tm = {0};
    const char *at = text;
    int64_t of_day_ms = 0;
    int64_t midnight_s = 0;
    int day = 0;
    bool ok = take(&at, 4, "-", &tm.tm_year) && *at++ == '-' && take(&at, 2, "-", &tm.tm_mon) &&
              *at++ == '-' && take(&at, 2, "Tt ", &day) && tm.tm_year >= 1970 && tm.tm_mon >= 1 &&
              tm.tm_mon <= 12 && (*at == '\0' || take_clock(at + 1, &of_day_ms));

    if (ok) {
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        tm.tm_mday = day;
        midnight_s = timegm(&tm);
        ok = tm.tm_mday == day; /* 30 February has become another day */
    }
    if (!ok) {
        return ox_err_set(err, OX_EINVAL,
                          "\"%.40s\" is no time: write it as 2026-11-20T13:05:07Z, or as the date "
                          "alone",
                          text);
    }
    *wall_ms = midnight_s * 1000 + of_day_ms;
    return OX_OK;
}

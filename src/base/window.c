#include "oxide/base/window.h"

#include <stdio.h>
#include <string.h>

#define DAY_MIN 1440
#define WEEK_MIN ((int64_t)7 * DAY_MIN)
#define MINUTE_MS 60000
#define ALL_DAYS 0x7f

static const char *const day_words[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static enum ox_code refuse(const char *text, struct ox_err *err)
{
    return ox_err_set(err, OX_EINVAL,
                      "\"%.40s\" is no window: write \"02:00-05:00\", \"mon-fri 22:00-04:00\" or "
                      "\"sat,sun 00:00-24:00\"",
                      text);
}

/* The day that text begins with, 0 to 6, or -1. */
static int day_at(const char *text)
{
    for (int i = 0; i < 7; i++) {
        if (strncmp(text, day_words[i], 3) == 0) {
            return i;
        }
    }
    return -1;
}

/* "mon-fri,sun"; returns what follows, or NULL. */
static const char *parse_days(const char *text, uint8_t *out)
{
    uint8_t days = 0;

    for (;;) {
        int first = day_at(text);
        int last = first;

        if (first < 0) {
            return NULL;
        }
        text += 3;
        if (*text == '-') {
            last = day_at(text + 1);
            if (last < 0) {
                return NULL;
            }
            text += 4;
        }
        for (int day = first;; day = (day + 1) % 7) { /* "fri-mon" wraps around */
            days |= (uint8_t)(1u << day);
            if (day == last) {
                break;
            }
        }
        if (*text != ',') {
            *out = days;
            return text;
        }
        text++;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HH:MM", up to 24:00; returns what follows, or NULL. */
static const char *parse_time(const char *text, unsigned *out)
{
    for (size_t i = 0; i < 5; i++) {
        if (i == 2 ? text[i] != ':' : !is_digit(text[i])) {
            return NULL;
        }
    }
    *out = (unsigned)(text[0] - '0') * 600 + (unsigned)(text[1] - '0') * 60 +
           (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0');
    return text[3] < '6' && *out <= DAY_MIN ? text + 5 : NULL;
}

enum ox_code ox_window_parse(const char *text, struct ox_window *out, struct ox_err *err)
{
    const char *rest = text;
    uint8_t days = ALL_DAYS;
    unsigned from = 0;
    unsigned to = 0;

    if (!is_digit(*rest)) {
        rest = parse_days(rest, &days);
        if (rest == NULL || *rest != ' ') {
            return refuse(text, err);
        }
        rest += strspn(rest, " ");
    }
    rest = parse_time(rest, &from);
    if (rest == NULL || *rest != '-') {
        return refuse(text, err);
    }
    rest = parse_time(rest + 1, &to);
    if (rest == NULL || *rest != '\0') {
        return refuse(text, err);
    }
    if (from == DAY_MIN || from == to) {
        return ox_err_set(err, OX_EINVAL,
                          "window \"%.40s\" never opens: it ends when it begins; all day is "
                          "00:00-24:00",
                          text);
    }
    *out = (struct ox_window){days, (uint16_t)from, (uint16_t)to};
    return OX_OK;
}

const char *ox_window_text(const struct ox_window *window, char out[OX_WINDOW_TEXT_MAX])
{
    size_t used = 0;

    for (int i = 0; window->days != ALL_DAYS && i < 7; i++) {
        if ((window->days >> i & 1) != 0) {
            used += (size_t)snprintf(out + used, OX_WINDOW_TEXT_MAX - used, "%s%s",
                                     used == 0 ? "" : ",", day_words[i]);
        }
    }
    (void)snprintf(out + used, OX_WINDOW_TEXT_MAX - used, "%s%02u:%02u-%02u:%02u",
                   used == 0 ? "" : " ", window->from_min / 60u, window->from_min % 60u,
                   window->to_min / 60u, window->to_min % 60u);
    return out;
}

/* Minutes since Monday 00:00. 1970-01-01 was a Thursday. */
static int64_t minute_of_week(int64_t local_ms)
{
    int64_t minute = local_ms / MINUTE_MS - (local_ms % MINUTE_MS < 0);
    int64_t of_week = (minute + (int64_t)3 * DAY_MIN) % WEEK_MIN;

    return of_week < 0 ? of_week + WEEK_MIN : of_week;
}

static int64_t length_min(const struct ox_window *window)
{
    return window->to_min > window->from_min ? window->to_min - window->from_min
                                             : window->to_min - window->from_min + DAY_MIN;
}

/* How long ago this window began on that day of the week, in minutes. */
static int64_t since_min(const struct ox_window *window, int day, int64_t now)
{
    return (now - (int64_t)day * DAY_MIN - window->from_min + WEEK_MIN) % WEEK_MIN;
}

/* How long until this window is open, in minutes. */
static int64_t wait_min(const struct ox_window *window, int64_t now)
{
    int64_t least = WEEK_MIN;

    for (int day = 0; day < 7; day++) {
        if ((window->days >> day & 1) != 0) {
            int64_t since = since_min(window, day, now);
            int64_t wait = since < length_min(window) ? 0 : WEEK_MIN - since;

            least = wait < least ? wait : least;
        }
    }
    return least;
}

/* How long this window is still open, in minutes; 0 if it is not. */
static int64_t left_min(const struct ox_window *window, int64_t now)
{
    int64_t most = 0;

    for (int day = 0; day < 7; day++) {
        if ((window->days >> day & 1) != 0) {
            int64_t left = length_min(window) - since_min(window, day, now);

            most = left > most ? left : most;
        }
    }
    return most;
}

static int64_t part_of_minute_ms(int64_t local_ms)
{
    return (local_ms % MINUTE_MS + MINUTE_MS) % MINUTE_MS;
}

int64_t ox_windows_wait_ms(const struct ox_window *windows, size_t count, int64_t local_ms)
{
    int64_t now = minute_of_week(local_ms);
    int64_t least = count == 0 ? 0 : WEEK_MIN;

    for (size_t i = 0; i < count; i++) {
        int64_t wait = wait_min(&windows[i], now);

        least = wait < least ? wait : least;
    }
    return least == 0 ? 0 : least * MINUTE_MS - part_of_minute_ms(local_ms);
}

bool ox_windows_open(const struct ox_window *windows, size_t count, int64_t local_ms)
{
    return ox_windows_wait_ms(windows, count, local_ms) == 0;
}

int64_t ox_windows_left_ms(const struct ox_window *windows, size_t count, int64_t local_ms)
{
    int64_t now = minute_of_week(local_ms);
    int64_t left = count == 0 ? WEEK_MIN : 0;
    int64_t before = -1;

    while (left < WEEK_MIN && left > before) { /* one may begin where another ends */
        before = left;
        for (size_t i = 0; i < count; i++) {
            left += left_min(&windows[i], (now + left) % WEEK_MIN);
        }
    }
    left = left < WEEK_MIN ? left : WEEK_MIN;
    return left == 0 || left == WEEK_MIN ? left * MINUTE_MS
                                         : left * MINUTE_MS - part_of_minute_ms(local_ms);
}

int64_t ox_windows_pass_ms(const struct ox_window *windows, size_t count, int64_t local_ms,
                           int64_t open_ms)
{
    const int64_t week_ms = WEEK_MIN * MINUTE_MS;
    int64_t open_per_week_ms = 0;
    int64_t passed_ms = 0;

    for (int64_t at_ms = 0; at_ms < week_ms;) {
        int64_t wait_ms = ox_windows_wait_ms(windows, count, local_ms + at_ms);
        int64_t left_ms = ox_windows_left_ms(windows, count, local_ms + at_ms + wait_ms);
        int64_t rest_ms = week_ms - at_ms - wait_ms;

        open_per_week_ms += rest_ms < 0 ? 0 : left_ms < rest_ms ? left_ms : rest_ms;
        at_ms += wait_ms + left_ms;
    }
    if (open_per_week_ms == 0) { /* of no day at all, which no text says */
        return INT64_MAX;
    }
    passed_ms = open_ms / open_per_week_ms * week_ms;
    open_ms %= open_per_week_ms;
    while (open_ms > 0) {
        int64_t wait_ms = ox_windows_wait_ms(windows, count, local_ms + passed_ms);
        int64_t left_ms = ox_windows_left_ms(windows, count, local_ms + passed_ms + wait_ms);
        int64_t step_ms = left_ms < open_ms ? left_ms : open_ms;

        passed_ms += wait_ms + step_ms;
        open_ms -= step_ms;
    }
    return passed_ms;
}

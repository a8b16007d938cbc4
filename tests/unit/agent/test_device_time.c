#include "../../../src/agent/device_time.h"

#include "oxide/base/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define HOUR_MS ((int64_t)3600000)
#define NEW_YEAR_MS ((int64_t)1767225600000) /* 2026-01-01T00:00:00Z, a Thursday */

/* A clock that tests set. */
struct hands {
    int64_t mono_ms;
    int64_t wall_ms;
};

static int64_t mono_ms(void *ctx)
{
    return ((struct hands *)ctx)->mono_ms;
}

static int64_t wall_ms(void *ctx)
{
    return ((struct hands *)ctx)->wall_ms;
}

static struct ox_clock clock_of(struct hands *hands)
{
    return (struct ox_clock){hands, mono_ms, wall_ms};
}

static void live_in(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

static void time__is_the_systems_until_the_server_has_told_its_own(void **state)
{
    struct hands hands = {.mono_ms = 5000, .wall_ms = 77000};
    const struct ox_clock clock = clock_of(&hands);
    struct ox_device_time time = {0};

    (void)state;
    assert_int_equal(ox_device_time_utc_ms(&time, &clock), 77000);
    ox_device_time_take(&time, 0, 4000, 5000); /* a server that tells none */
    assert_int_equal(ox_device_time_utc_ms(&time, &clock), 77000);
    ox_device_time_take(&time, (uint64_t)NEW_YEAR_MS, 5000, 5000);
    assert_int_equal(ox_device_time_utc_ms(&time, &clock), NEW_YEAR_MS);
}

static void time__was_told_halfway_between_request_and_answer(void **state)
{
    struct hands hands = {.mono_ms = 10000};
    const struct ox_clock clock = clock_of(&hands);
    struct ox_device_time time = {0};

    (void)state;
    ox_device_time_take(&time, (uint64_t)NEW_YEAR_MS, 4000, 10000);
    assert_int_equal(ox_device_time_utc_ms(&time, &clock), NEW_YEAR_MS + 3000);
}

static void time__goes_on_evenly_whatever_the_systems_clock_does(void **state)
{
    struct hands hands = {.mono_ms = 10000, .wall_ms = 0}; /* it says 1970 */
    const struct ox_clock clock = clock_of(&hands);
    struct ox_device_time time = {0};

    (void)state;
    ox_device_time_take(&time, (uint64_t)NEW_YEAR_MS, 10000, 10000);
    hands = (struct hands){.mono_ms = 10000 + HOUR_MS, .wall_ms = 99 * HOUR_MS};
    assert_int_equal(ox_device_time_utc_ms(&time, &clock), NEW_YEAR_MS + HOUR_MS);
    ox_device_time_take(&time, (uint64_t)(NEW_YEAR_MS + 2 * HOUR_MS), hands.mono_ms, hands.mono_ms);
    assert_int_equal(ox_device_time_utc_ms(&time, &clock), NEW_YEAR_MS + 2 * HOUR_MS);
}

static void time__that_no_calendar_has_is_passed_by(void **state)
{
    struct hands hands = {.mono_ms = 10000, .wall_ms = 77000};
    const struct ox_clock clock = clock_of(&hands);
    struct ox_device_time time = {0};

    (void)state;
    ox_device_time_take(&time, UINT64_MAX, 10000, 10000);
    ox_device_time_take(&time, INT64_MAX, 10000, 10000);
    ox_device_time_take(&time, 253402300800000u, 10000, 10000);
    assert_int_equal(ox_device_time_utc_ms(&time, &clock), 77000);
    ox_device_time_take(&time, 253402300799999u, 10000, 10000);
    assert_int_equal(ox_device_time_utc_ms(&time, &clock), 253402300799999);
}

/* The rules stand in the zone's text, so that no tzdata is needed. */
static void local_time__has_summer_by_the_instant_and_not_by_the_systems_clock(void **state)
{
    struct hands hands = {.mono_ms = 0, .wall_ms = 0}; /* it says 1970, in winter */
    const struct ox_clock clock = clock_of(&hands);
    const uint64_t july_ms = 1782864000000; /* 2026-07-01T00:00:00Z */
    struct ox_device_time time = {0};

    (void)state;
    live_in("CET-1CEST,M3.5.0,M10.5.0/3");
    assert_int_equal(ox_device_time_offset_s(NEW_YEAR_MS), 3600);
    assert_int_equal(ox_device_time_offset_s((int64_t)july_ms), 7200);
    assert_int_equal(ox_device_time_local_ms(&time, &clock), HOUR_MS);
    ox_device_time_take(&time, july_ms, 0, 0);
    assert_int_equal(ox_device_time_local_ms(&time, &clock), (int64_t)july_ms + 2 * HOUR_MS);
    live_in("<-0930>9:30");
    assert_int_equal(ox_device_time_offset_s(NEW_YEAR_MS), -34200);
}

static void window__opens_by_the_servers_time_in_the_devices_zone(void **state)
{
    struct hands hands = {.mono_ms = 50, .wall_ms = 0};
    const struct ox_clock clock = clock_of(&hands);
    struct ox_device_time time = {0};
    struct ox_window window;

    (void)state;
    live_in("CET-1CEST,M3.5.0,M10.5.0/3");
    assert_int_equal(ox_window_parse("thu 02:00-05:00", &window, NULL), OX_OK);
    ox_device_time_take(&time, (uint64_t)NEW_YEAR_MS, 50, 50); /* it is 01:00 there */
    assert_int_equal(ox_windows_wait_ms(&window, 1, ox_device_time_local_ms(&time, &clock)),
                     HOUR_MS);
    hands.mono_ms += HOUR_MS;
    assert_true(ox_windows_open(&window, 1, ox_device_time_local_ms(&time, &clock)));
    hands.mono_ms += 3 * HOUR_MS;
    assert_false(ox_windows_open(&window, 1, ox_device_time_local_ms(&time, &clock)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time__is_the_systems_until_the_server_has_told_its_own),
        cmocka_unit_test(time__was_told_halfway_between_request_and_answer),
        cmocka_unit_test(time__goes_on_evenly_whatever_the_systems_clock_does),
        cmocka_unit_test(time__that_no_calendar_has_is_passed_by),
        cmocka_unit_test(local_time__has_summer_by_the_instant_and_not_by_the_systems_clock),
        cmocka_unit_test(window__opens_by_the_servers_time_in_the_devices_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

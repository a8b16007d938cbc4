/* Digests as text, time as text, text from outside, random numbers, stop requests. */
#include "helpers.h"

#include "oxide/base/clock.h"
#include "oxide/base/digest.h"
#include "oxide/base/random.h"
#include "oxide/base/stop.h"
#include "oxide/base/text.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

/* --- digest ---*/

#define COUNTING "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

static void digest__goes_to_hex_and_back(void **state)
{
    struct ox_digest digest;
    struct ox_digest again;
    char hex[OX_DIGEST_HEX_MAX];

    (void)state;
    assert_int_equal(ox_digest_parse(COUNTING, &digest, NULL), OX_OK);
    assert_int_equal(digest.bytes[1], 1);
    assert_int_equal(digest.bytes[31], 0xff);
    assert_string_equal(ox_digest_hex(&digest, hex), COUNTING);
    hex[62] = 'F';
    hex[21] = 'A';
    assert_int_equal(ox_digest_parse(hex, &again, NULL), OX_OK);
    assert_true(ox_digest_equal(&digest, &again));
    again.bytes[31] ^= 1;
    assert_false(ox_digest_equal(&digest, &again));
}

static void digest__refuses_anything_but_64_hex_digits(void **state)
{
    static const char *const bad[] = {NULL,         "",           "00",         COUNTING "0",
                                      COUNTING " ", " " COUNTING, "0x" COUNTING};
    char text[OX_DIGEST_HEX_MAX] = COUNTING;
    struct ox_digest digest = {{1}};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(ox_digest_parse(bad[i], &digest, NULL), OX_EINVAL);
    }
    for (const char *c = "g/:@G`\x80 "; *c != '\0'; c++) {
        text[40] = *c;
        assert_int_equal(ox_digest_parse(text, &digest, NULL), OX_EINVAL);
    }
    assert_int_equal(digest.bytes[0], 1);
}

/* --- clock ---*/

static void time_text__is_rfc_3339(void **state)
{
    char text[OX_TIME_TEXT_MAX];

    (void)state;
    assert_string_equal(ox_time_text(0, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(ox_time_text(1795179907123, text), "2026-11-20T13:05:07.123Z");
    assert_string_equal(ox_time_text(-1, text), "1969-12-31T23:59:59.999Z");
    assert_string_equal(ox_time_text(951827696789, text), "2000-02-29T12:34:56.789Z");
    assert_true(strlen(ox_time_text(INT64_MAX, text)) < OX_TIME_TEXT_MAX);
    assert_true(strlen(ox_time_text(INT64_MIN, text)) < OX_TIME_TEXT_MAX);
}

static void time_parse__reads_rfc_3339(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1970-01-01", 0},
        {"1970-01-01T00:00Z", 0},
        {"2026-11-20T13:05:07.123Z", 1795179907123},
        {"2026-11-20t13:05:07.1239z", 1795179907123},
        {"2026-11-20 13:05:07.1Z", 1795179907100},
        {"2026-11-20T15:05:07+02:00", 1795179907000},
        {"2026-11-20T12:35:07-00:30", 1795179907000},
        {"2024-02-29", 1709164800000},
        {"9999-12-31T23:59:60Z", 253402300800000},
    };
    static const char *const bad[] = {
        "",
        "2026",
        "2026-1-1",
        "2026-02-30",
        "2025-02-29",
        "2026-13-01",
        "2026-00-01",
        "2026-01-00",
        "1969-12-31",
        "2026-11-20T",
        "2026-11-20x",
        "2026-11-20T13",
        "2026-11-20T13:05",
        "2026-11-20T24:00Z",
        "2026-11-20T13:60Z",
        "2026-11-20T13:05:07",
        "2026-11-20T13:05:61Z",
        "2026-11-20T13:05:07+2",
        "now",
        "2026-11-20T13:05:07+02:00x",
        "2026-11-20T13:05:07Zx",
        "2026-11-20T13:05:07.123",
        "2026-11-20T13:05:07+24:00",
        "10000-01-01",
    };
    char text[OX_TIME_TEXT_MAX];
    int64_t ms = -7;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (ox_time_parse(bad[i], &ms, NULL) != OX_EINVAL) {
            fail_msg("\"%s\" was read as a time", bad[i]);
        }
    }
    assert_int_equal(ms, -7);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (ox_time_parse(good[i].text, &ms, NULL) != OX_OK || ms != good[i].ms) {
            fail_msg("\"%s\" is not %lld but %lld", good[i].text, (long long)good[i].ms,
                     (long long)ms);
        }
    }
    assert_int_equal(ox_time_parse(ox_time_text(1795179907123, text), &ms, NULL), OX_OK);
    assert_int_equal(ms, 1795179907123);
}

static void system_clock__goes_forward(void **state)
{
    const struct ox_clock *clock = ox_clock_system();
    int64_t before = clock->mono_ms(clock->ctx);

    (void)state;
    assert_true(clock->mono_ms(clock->ctx) >= before);
    assert_true(clock->wall_ms(clock->ctx) > 1600000000000);
}

/* --- text ---*/

static void text_clean__keeps_what_can_be_shown(void **state)
{
    static const struct {
        const char *dirty, *clean;
    } rows[] = {
        {"", ""},
        {"plain ~", "plain ~"},
        {"\xc2\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf",
         "\xc2\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"},
        {"a\nb\x1b[0m\x7f", "a b [0m "},
        {"\xc2\x80\xc2\x9f!", "    !"},
        {"\x80\xbf\xfe\xff", "????"},
        {"\xc0\x80\xc1\xbf", "????"},                /* over-long */
        {"\xe0\x9f\xbf\xf0\x8f\xbf\xbf", "???????"}, /* over-long */
        {"\xed\xa0\x80\xed\xbf\xbf", "??????"},      /* surrogates */
        {"\xf4\x90\x80\x80\xf8\x88\x80\x80\x80", "?????????"},
        {"\xe2\x82", "??"},
        {"\xf0\x9f\x98x", "???x"},
        {"\xc3", "?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = strdup(rows[i].dirty); /* exact bounds for a sanitizer */

        assert_non_null(text);
        ox_text_clean(text);
        assert_string_equal(text, rows[i].clean);
        free(text);
    }
}

static void text_escape__shows_each_byte_and_cuts(void **state)
{
    char out[16];

    (void)state;
    assert_string_equal(ox_text_escape("plain ~", out, sizeof(out)), "plain ~");
    assert_string_equal(ox_text_escape("a\nb\\", out, sizeof(out)), "a\\x0ab\\\\");
    assert_string_equal(ox_text_escape("\xc3\x7f", out, sizeof(out)), "\\xc3\\x7f");
    assert_string_equal(ox_text_escape("0123456789abcdefgh", out, sizeof(out)), "012345678...");
    assert_string_equal(ox_text_escape("\x01\x02\x03\x04\x05", out, sizeof(out)),
                        "\\x01\\x02\\x03...");
    assert_string_equal(ox_text_escape("", out, sizeof(out)), "");
}

/* --- random ---*/

static void rng__gives_the_published_numbers(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 1234567); /* the sequence of the reference implementation of SplitMix64 */
    assert_true(ox_rng_u64(&rng) == 6457827717110365317u);
    assert_true(ox_rng_u64(&rng) == 3203168211198807973u);
    assert_true(ox_rng_u64(&rng) == 9817491932198370423u);
    assert_true(ox_rng_u64(&rng) == 4593380528125082431u);
    assert_true(ox_rng_u64(&rng) == 16408922859458223821u);
}

static void rng__stays_below_its_bound(void **state)
{
    unsigned seen[10] = {0};
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 1);
    for (int i = 0; i < 10000; i++) {
        uint64_t draw = ox_rng_below(&rng, 10);

        assert_true(draw < 10);
        seen[draw]++;
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range(seen[i], 850, 1150);
    }
    assert_int_equal(ox_rng_below(&rng, 1), 0);
    assert_true(ox_rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}

static void random_bytes__differ(void **state)
{
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};

    (void)state;
    assert_int_equal(ox_random_bytes(a, sizeof(a), NULL), OX_OK);
    assert_int_equal(ox_random_bytes(b, sizeof(b), NULL), OX_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(ox_random_bytes(a, 0, NULL), OX_OK);
}

/* --- stop ---*/

static void stop__is_seen_by_flag_and_descriptor(void **state)
{
    struct ox_stop stop;
    struct pollfd wait;

    (void)state;
    assert_false(ox_stop_requested(NULL));
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    wait = (struct pollfd){stop.fd, POLLIN, 0};
    assert_false(ox_stop_requested(&stop));
    assert_int_equal(poll(&wait, 1, 0), 0);
    assert_false(ox_stop_wait(&stop, 20));
    errno = 77;
    ox_stop_request(&stop);
    ox_stop_request(&stop);
    assert_int_equal(errno, 77);
    assert_true(ox_stop_requested(&stop));
    assert_int_equal(poll(&wait, 1, 0), 1);
    assert_true(ox_stop_wait(&stop, -1));
    assert_true(ox_stop_wait(&stop, 0));
    ox_stop_clear(&stop);
}

static void *wait_for_stop(void *arg)
{
    return ox_stop_wait(arg, -1) ? arg : NULL;
}

static void stop__wakes_every_waiter(void **state)
{
    struct ox_stop stop;
    pthread_t threads[3];

    (void)state;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_stop, &stop), 0);
    }
    ox_stop_request(&stop);
    for (int i = 0; i < 3; i++) {
        void *result = NULL;

        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &stop);
    }
    ox_stop_clear(&stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest__goes_to_hex_and_back),
        cmocka_unit_test(digest__refuses_anything_but_64_hex_digits),
        cmocka_unit_test(time_text__is_rfc_3339),
        cmocka_unit_test(time_parse__reads_rfc_3339),
        cmocka_unit_test(system_clock__goes_forward),
        cmocka_unit_test(text_clean__keeps_what_can_be_shown),
        cmocka_unit_test(text_escape__shows_each_byte_and_cuts),
        cmocka_unit_test(rng__gives_the_published_numbers),
        cmocka_unit_test(rng__stays_below_its_bound),
        cmocka_unit_test(random_bytes__differ),
        cmocka_unit_test(stop__is_seen_by_flag_and_descriptor),
        cmocka_unit_test(stop__wakes_every_waiter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

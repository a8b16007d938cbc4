#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/prometheus.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define THREADS 4
#define ROUNDS 20000

static const char *text_of(struct ox_prom *prom)
{
    assert_int_equal(prom->code, OX_OK);
    assert_int_equal(ox_buf_append(&prom->text, "", 1, NULL), OX_OK);
    return (const char *)prom->text.data;
}

static void prom__samples_stand_below_their_family(void **state)
{
    static const struct ox_prom_family jobs = {"ox_jobs", OX_PROM_GAUGE, "Jobs by state."};
    static const struct ox_prom_family sent = {"ox_sent_bytes_total", OX_PROM_COUNTER,
                                               "Bytes that were sent."};
    const struct ox_prom_label labels[] = {{"state", "ready"}, {"of", NULL}};
    struct ox_prom prom = {.name = NULL};

    (void)state;
    ox_prom_begin(&prom, &jobs);
    ox_prom_number(&prom, labels, 2, 7);
    ox_prom_begin(&prom, &sent);
    ox_prom_number(&prom, NULL, 0, UINT64_MAX);
    assert_string_equal(text_of(&prom), "# HELP ox_jobs Jobs by state.\n"
                                        "# TYPE ox_jobs gauge\n"
                                        "ox_jobs{state=\"ready\",of=\"\"} 7\n"
                                        "# HELP ox_sent_bytes_total Bytes that were sent.\n"
                                        "# TYPE ox_sent_bytes_total counter\n"
                                        "ox_sent_bytes_total 18446744073709551615\n");
    ox_buf_clear(&prom.text);
}

static void prom__escapes_label_values_and_help(void **state)
{
    static const struct ox_prom_family family = {"m", OX_PROM_GAUGE, "A \\ and\na \"quote\"."};
    const struct ox_prom_label labels[] = {{"l", "\\a\"b\nc\"\\"}, {"utf", "Gr\xc3\xa4z"}};
    struct ox_prom prom = {.name = NULL};

    (void)state;
    ox_prom_begin(&prom, &family);
    ox_prom_number(&prom, labels, 2, 1);
    assert_string_equal(text_of(&prom), "# HELP m A \\\\ and\\na \"quote\".\n"
                                        "# TYPE m gauge\n"
                                        "m{l=\"\\\\a\\\"b\\nc\\\"\\\\\",utf=\"Gr\xc3\xa4z\"} 1\n");
    ox_buf_clear(&prom.text);
}

static void prom__seconds_are_exact(void **state)
{
    static const struct ox_prom_family family = {"s", OX_PROM_GAUGE, "Seconds."};
    static const uint64_t values_ns[] = {0, 1, 100000, 2500000000, 60000000000, UINT64_MAX};
    struct ox_prom prom = {.name = NULL};

    (void)state;
    ox_prom_begin(&prom, &family);
    prom.text.len_bytes = 0;
    for (size_t i = 0; i < sizeof(values_ns) / sizeof(values_ns[0]); i++) {
        ox_prom_seconds(&prom, NULL, 0, values_ns[i]);
    }
    assert_string_equal(text_of(&prom),
                        "s 0\ns 0.000000001\ns 0.0001\ns 2.5\ns 60\ns 18446744073.709551615\n");
    ox_buf_clear(&prom.text);
}

static void histogram__bounds_rise(void **state)
{
    (void)state;
    for (size_t i = 1; i < OX_HISTOGRAM_BOUNDS; i++) {
        assert_true(ox_histogram_bounds_ns[i] > ox_histogram_bounds_ns[i - 1]);
    }
}

/* The number behind `start` in the text. */
static unsigned long long number(const char *text, const char *start)
{
    const char *at = strstr(text, start);
    unsigned long long value = 0;

    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(start), "%llu", &value), 1);
    return value;
}

static void histogram__is_cumulative_and_ends_with_its_count(void **state)
{
    static const struct ox_prom_family family = {"h", OX_PROM_HISTOGRAM, "Durations."};
    static const uint64_t added_ns[] = {0, 100000, 100001, 3000000, 10000000000, 10000000001, 1};
    const struct ox_prom_label labels[] = {{"route", "/x"}};
    struct ox_histogram histogram = {.buckets = {0}};
    struct ox_prom prom = {.name = NULL};
    const char *text;

    (void)state;
    for (size_t i = 0; i < sizeof(added_ns) / sizeof(added_ns[0]); i++) {
        ox_histogram_add(&histogram, added_ns[i]);
    }
    assert_int_equal(ox_histogram_count(&histogram), 7);
    ox_prom_begin(&prom, &family);
    ox_prom_histogram(&prom, labels, 1, &histogram);
    text = text_of(&prom);
    assert_int_equal(number(text, "h_bucket{route=\"/x\",le=\"0.0001\"} "),
                     3); /* a bound is within */
    assert_int_equal(number(text, "h_bucket{route=\"/x\",le=\"0.00025\"} "), 4);
    assert_int_equal(number(text, "h_bucket{route=\"/x\",le=\"0.0025\"} "), 4);
    assert_int_equal(number(text, "h_bucket{route=\"/x\",le=\"0.005\"} "), 5);
    assert_int_equal(number(text, "h_bucket{route=\"/x\",le=\"5\"} "), 5);
    assert_int_equal(number(text, "h_bucket{route=\"/x\",le=\"10\"} "), 6);
    assert_int_equal(number(text, "h_bucket{route=\"/x\",le=\"+Inf\"} "), 7);
    assert_int_equal(number(text, "h_count{route=\"/x\"} "), 7);
    assert_non_null(strstr(text, "h_sum{route=\"/x\"} 20.003200003\n"));
    ox_buf_clear(&prom.text);
}

static void *add_many(void *arg)
{
    for (uint64_t i = 0; i < ROUNDS; i++) {
        ox_histogram_add(arg, i * 1000);
    }
    return NULL;
}

static void histogram__loses_nothing_of_many_threads(void **state)
{
    struct ox_histogram histogram = {.buckets = {0}};
    pthread_t threads[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, &histogram), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(ox_histogram_count(&histogram), THREADS * ROUNDS);
    assert_int_equal(atomic_load(&histogram.sum_ns),
                     (unsigned long long)THREADS * 1000 * ROUNDS * (ROUNDS - 1) / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prom__samples_stand_below_their_family),
        cmocka_unit_test(prom__escapes_label_values_and_help),
        cmocka_unit_test(prom__seconds_are_exact),
        cmocka_unit_test(histogram__bounds_rise),
        cmocka_unit_test(histogram__is_cumulative_and_ends_with_its_count),
        cmocka_unit_test(histogram__loses_nothing_of_many_threads),
    };

    return cmocka_run_group_tests_name("prometheus", tests, NULL, NULL);
}

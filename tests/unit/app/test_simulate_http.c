/* Answers as simulated agents read them, and how latencies are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/app/simulate_http.h"
#include "../../../src/app/simulate_stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct read {
    enum ox_code code;
    unsigned status;
    bool keep;
    bool done;
    size_t left; /* bytes that are not of this answer */
    char body[256];
};

/* Read an answer in pieces of `piece` bytes, as exact allocations; `closes` behind it. */
static struct read answer(const char *text, size_t piece, bool closes)
{
    struct ox_sim_http *http = calloc(1, sizeof(*http));
    size_t len = strlen(text);
    struct read read = {.code = OX_OK};

    ox_sim_http_begin(http);
    for (size_t at = 0; read.code == OX_OK && at < len && http->state != OX_SIM_HTTP_DONE;) {
        size_t take = len - at < piece ? len - at : piece;
        char *exact = malloc(take);
        size_t fed = 0;

        memcpy(exact, text + at, take);
        while (read.code == OX_OK && fed < take && http->state != OX_SIM_HTTP_DONE) {
            struct ox_sim_span span;
            size_t used = 0;

            read.code = ox_sim_http_feed(http, exact + fed, take - fed, &used, &span, NULL);
            (void)snprintf(read.body + strlen(read.body), sizeof(read.body) - strlen(read.body),
                           "%.*s", (int)span.len, span.bytes == NULL ? "" : span.bytes);
            fed += used;
        }
        free(exact);
        at += fed;
        read.left = len - at;
    }
    if (read.code == OX_OK && closes && http->state != OX_SIM_HTTP_DONE) {
        read.code = ox_sim_http_closed(http, NULL);
    }
    read.status = http->status;
    read.keep = http->keep;
    read.done = http->state == OX_SIM_HTTP_DONE;
    free(http);
    return read;
}

static void answer__is_read_in_pieces_of_any_size(void **state)
{
    static const struct {
        const char *text;
        const char *body;
        unsigned status;
        bool keep;
        bool closes;
        size_t left;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, true, false, 0},
        {"HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhelloHTTP", "hello", 200, true, false, 4},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", 204, true, false, 0},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "", 304, true, false, 0},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "", 404, true, false, 0},
        {"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "ok", 200, true, false, 0},
        {"HTTP/1.1 200\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok", 200, false,
         false, 0},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 200, false, false, 0},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "ok", 200,
         true, false, 0},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", "x",
         201, true, false, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0B;x=y\r\n0123456789a"
         "\r\n0\r\nTrailer: 1\r\n\r\n",
         "abc0123456789a", 200, true, false, 0},
        {"HTTP/1.1 200 OK\r\n\r\nall there is", "all there is", 200, false, true, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t piece = 1; piece <= strlen(rows[i].text); piece++) {
            struct read read = answer(rows[i].text, piece, rows[i].closes);

            assert_int_equal(read.code, OX_OK);
            assert_true(read.done);
            assert_int_equal(read.status, rows[i].status);
            assert_string_equal(read.body, rows[i].body);
            assert_int_equal(read.keep, rows[i].keep);
            assert_int_equal(read.left, rows[i].left);
        }
    }
}

static void answer__refuses_what_is_no_http(void **state)
{
    static const char *const rows[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2 200\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(answer(rows[i], 7, false).code, OX_EPROTO);
    }
}

static void answer__refuses_an_endless_head(void **state)
{
    char *line = malloc(OX_SIM_LINE_MAX * 2);
    char *head = malloc(OX_SIM_HEAD_MAX * 2);

    (void)state;
    memset(line, 'x', OX_SIM_LINE_MAX * 2);
    line[OX_SIM_LINE_MAX * 2 - 1] = '\0';
    assert_int_equal(answer(line, 100, false).code, OX_EPROTO);
    (void)strcpy(head, "HTTP/1.1 200 OK\r\n");
    while (strlen(head) < OX_SIM_HEAD_MAX) {
        (void)strcat(head, "X-Header: and so on, and so on, and so on, and so on, and so on\r\n");
    }
    assert_int_equal(answer(head, 1000, false).code, OX_EPROTO);
    free(line);
    free(head);
}

static void answer__that_breaks_off_is_a_network_error(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    (void)state;
    for (size_t len = 0; len + 1 < sizeof(text); len++) {
        char *cut = malloc(len + 1);

        memcpy(cut, text, len);
        cut[len] = '\0';
        assert_int_equal(answer(cut, 8, true).code, OX_ENET);
        free(cut);
    }
}

/* --- statistics --- */

static void latency__tells_shares_within_a_16th(void **state)
{
    struct ox_sim_latency *latency = calloc(1, sizeof(*latency));

    (void)state;
    assert_int_equal(ox_sim_latency_at(latency, 0.99), 0);
    for (uint64_t us = 1; us <= 100000; us++) {
        ox_sim_latency_add(latency, us);
    }
    for (unsigned percent = 1; percent < 100; percent++) {
        uint64_t wanted = percent * 1000;
        uint64_t got = ox_sim_latency_at(latency, percent / 100.0);

        assert_true(got >= wanted && got <= wanted + wanted / 16 + 1);
    }
    assert_int_equal(ox_sim_latency_at(latency, 1), 100000);
    assert_int_equal(latency->max_us, 100000);
    ox_sim_latency_add(latency, UINT64_MAX);
    assert_int_equal(latency->max_us, UINT64_MAX);
    free(latency);
}

static void error__texts_are_counted_up_to_some(void **state)
{
    struct ox_sim_stats *stats = calloc(1, sizeof(*stats));
    uint64_t sum = 0;

    (void)state;
    ox_sim_stats_error(stats, "refused");
    ox_sim_stats_error(stats, "refused");
    assert_int_equal(stats->errors_count, 1);
    assert_int_equal(stats->errors[0].count, 2);
    for (unsigned i = 0; i < 100; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "kind %u", i);
        ox_sim_stats_error(stats, text);
    }
    for (size_t i = 0; i < stats->errors_count; i++) {
        sum += stats->errors[i].count;
    }
    assert_int_equal(stats->errors_count, OX_SIM_ERRORS_MAX);
    assert_int_equal(sum, 102);
    assert_string_equal(stats->errors[OX_SIM_ERRORS_MAX - 1].text, "other");
    free(stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer__is_read_in_pieces_of_any_size),
        cmocka_unit_test(answer__refuses_what_is_no_http),
        cmocka_unit_test(answer__refuses_an_endless_head),
        cmocka_unit_test(answer__that_breaks_off_is_a_network_error),
        cmocka_unit_test(latency__tells_shares_within_a_16th),
        cmocka_unit_test(error__texts_are_counted_up_to_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

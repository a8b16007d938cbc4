#include "fake_server.h"
#include "oxide/base/clock.h"
#include "oxide/net/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint8_t alphabet[] = "abcdefghijklmnopqrstuvwxyz";
#define ALPHABET_LEN (sizeof(alphabet) - 1)

struct world {
    struct fake_server server;
    struct fake_server other; /* another host, as far as HTTP is concerned */
    struct ox_http *http;
    char seen_method[16];
    char *seen_range;
    char *seen_device;
    char *seen_expect;
    char *seen_type;
    char seen_body[64];
    size_t seen_body_len;
    const char *later; /* headers of /later */
    uint8_t big[70000];
};

static void remember(struct world *world, const struct fake_request *request)
{
    free(world->seen_range);
    free(world->seen_device);
    free(world->seen_expect);
    free(world->seen_type);
    (void)snprintf(world->seen_method, sizeof(world->seen_method), "%s", request->method);
    world->seen_range = fake_header(request, "Range");
    world->seen_device = fake_header(request, "X-Oxide-Device");
    world->seen_expect = fake_header(request, "Expect");
    world->seen_type = fake_header(request, "Content-Type");
    world->seen_body_len = request->body_len;
    (void)snprintf(world->seen_body, sizeof(world->seen_body), "%.60s",
                   (const char *)request->body);
}

static void handle(void *ctx, const struct fake_request *request, struct fake_answer *answer)
{
    struct world *world = ctx;

    remember(world, request);
    answer->body = alphabet;
    answer->body_len = ALPHABET_LEN;
    if (strcmp(request->path, "/cut") == 0) {
        answer->send_len = 10;
    } else if (strcmp(request->path, "/missing") == 0) {
        answer->status = 404;
        answer->body = (const uint8_t *)"{\"error\":{}}";
        answer->body_len = 12;
    } else if (strcmp(request->path, "/hang") == 0) {
        answer->hang = 1;
    } else if (strcmp(request->path, "/big") == 0) {
        answer->body = world->big;
        answer->body_len = sizeof(world->big);
    } else if (strcmp(request->path, "/away") == 0) {
        answer->status = 302;
        (void)snprintf(answer->headers, sizeof(answer->headers), "Location: %s/there\r\n",
                       world->other.url);
    } else if (strcmp(request->path, "/near") == 0) {
        answer->status = 302;
        (void)snprintf(answer->headers, sizeof(answer->headers), "Location: /there\r\n");
    } else if (strcmp(request->path, "/loop") == 0) {
        answer->status = 302;
        (void)snprintf(answer->headers, sizeof(answer->headers), "Location: /loop\r\n");
    } else if (strcmp(request->path, "/file") == 0) {
        answer->status = 302;
        (void)snprintf(answer->headers, sizeof(answer->headers), "Location: file:///etc/hosts\r\n");
    } else if (strcmp(request->path, "/tagged") == 0) {
        (void)snprintf(answer->headers, sizeof(answer->headers), "ETag:  \"abc\" \r\nX-Empty:\r\n");
    } else if (strncmp(request->path, "/later", 6) == 0) {
        answer->status = 503;
        (void)snprintf(answer->headers, sizeof(answer->headers), "%s", world->later);
    }
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    fake_server_start(&world->server, handle, world);
    fake_server_start(&world->other, handle, world);
    assert_int_equal(ox_http_new(&world->http, "oxide/test", NULL), OX_OK);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    ox_http_free(world->http);
    fake_server_stop(&world->server);
    fake_server_stop(&world->other);
    free(world->seen_range);
    free(world->seen_device);
    free(world->seen_expect);
    free(world->seen_type);
    free(world);
    return 0;
}

/* Perform; the URL is that of the server and `path`. */
static enum ox_code go(struct world *world, const char *path, struct ox_http_request request,
                       struct ox_http_answer *answer, struct ox_err *err)
{
    char url[256];

    (void)snprintf(url, sizeof(url), "%s%s", world->server.url, path);
    request.url = url;
    request.method = request.method == NULL ? "GET" : request.method;
    return ox_http_perform(world->http, &request, answer, err);
}

static void get__collects_the_body(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(go(*state, "/", (struct ox_http_request){0}, &answer, NULL), OX_OK);
    assert_int_equal(answer.status, 200);
    assert_string_equal((const char *)answer.body.data, (const char *)alphabet);
    assert_int_equal(answer.body_bytes, ALPHABET_LEN);
    assert_true(answer.wire_bytes > ALPHABET_LEN);
    ox_http_answer_clear(&answer);
}

static void get__any_status_is_an_answer(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(go(*state, "/missing", (struct ox_http_request){0}, &answer, NULL), OX_OK);
    assert_int_equal(answer.status, 404);
    assert_string_equal((const char *)answer.body.data, "{\"error\":{}}");
    ox_http_answer_clear(&answer);
}

static void get__bounds_the_answer(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(
        go(*state, "/big", (struct ox_http_request){.answer_max_bytes = 1000}, &answer, NULL),
        OX_ETOOBIG);
    assert_true(answer.body.len_bytes <= 1000);
    ox_http_answer_clear(&answer);
}

struct sink {
    const struct ox_http_answer *answer;
    size_t bytes;
    long status_at_head;
    enum ox_code refuse;
    int heads;
};

static enum ox_code take_head(void *ctx, struct ox_err *err)
{
    struct sink *sink = ctx;

    sink->heads++;
    sink->status_at_head = sink->answer->status;
    return sink->refuse == OX_OK ? OX_OK : ox_err_set(err, sink->refuse, "no thanks");
}

static enum ox_code take_body(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    struct sink *sink = ctx;

    (void)bytes;
    (void)err;
    sink->bytes += len_bytes;
    return OX_OK;
}

static void get__streams_to_the_callback_after_the_head(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct sink sink = {.answer = &answer};

    assert_int_equal(
        go(*state, "/big",
           (struct ox_http_request){.on_head = take_head, .on_body = take_body, .ctx = &sink},
           &answer, NULL),
        OX_OK);
    assert_int_equal(sink.heads, 1);
    assert_int_equal(sink.status_at_head, 200);
    assert_int_equal(sink.bytes, 70000);
    assert_int_equal(answer.body.len_bytes, 0);
    ox_http_answer_clear(&answer);
}

static void get__a_refusing_callback_ends_it_with_its_code(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct sink sink = {.answer = &answer, .refuse = OX_EPROTO};
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(
        go(*state, "/big",
           (struct ox_http_request){.on_head = take_head, .on_body = take_body, .ctx = &sink},
           &answer, &err),
        OX_EPROTO);
    assert_string_equal(err.msg, "no thanks");
    assert_int_equal(sink.bytes, 0);
    ox_http_answer_clear(&answer);
}

static void get__error_bodies_do_not_reach_the_callback(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct sink sink = {.answer = &answer};

    assert_int_equal(
        go(*state, "/missing",
           (struct ox_http_request){.on_head = take_head, .on_body = take_body, .ctx = &sink},
           &answer, NULL),
        OX_OK);
    assert_int_equal(sink.heads, 0);
    assert_int_equal(sink.bytes, 0);
    assert_int_equal(answer.body.len_bytes, 12);
    ox_http_answer_clear(&answer);
}

static void get__a_body_cut_short_is_a_network_error(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(go(*state, "/cut", (struct ox_http_request){0}, &answer, NULL), OX_ENET);
    assert_int_equal(answer.body_bytes, 10);
    ox_http_answer_clear(&answer);
}

static void get__nobody_listens_is_a_network_error_that_names_the_address(void **state)
{
    struct world *world = *state;
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct ox_err err = OX_ERR_INIT;
    struct ox_http_request request = {.method = "GET",
                                      .url = "http://user:secret@127.0.0.1:1/x?token=secret"};

    assert_int_equal(ox_http_perform(world->http, &request, &answer, &err), OX_ENET);
    assert_non_null(strstr(err.msg, "http://127.0.0.1:1/x"));
    assert_null(strstr(err.msg, "secret"));
    ox_http_answer_clear(&answer);
}

static void get__refuses_other_schemes_and_line_breaks(void **state)
{
    static const char *const split[] = {"X-A: b\r\nX-C: d", NULL};
    struct world *world = *state;
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct ox_http_request request = {.method = "GET", .url = "file:///etc/hosts"};

    assert_int_equal(ox_http_perform(world->http, &request, &answer, NULL), OX_EINVAL);
    assert_int_equal(go(world, "/", (struct ox_http_request){.headers = split}, &answer, NULL),
                     OX_EINVAL);
    ox_http_answer_clear(&answer);
}

static void get__stalling_servers_time_out(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(go(*state, "/hang", (struct ox_http_request){.stall_s = 1}, &answer, NULL),
                     OX_ETIMEOUT);
    ox_http_answer_clear(&answer);
}

static void get__total_time_is_bounded(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(go(*state, "/hang", (struct ox_http_request){.total_ms = 300}, &answer, NULL),
                     OX_ETIMEOUT);
    ox_http_answer_clear(&answer);
}

static void *stop_soon(void *arg)
{
    (void)usleep(100000);
    ox_stop_request(arg);
    return NULL;
}

static void get__stop_acts_at_once(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct ox_stop stop;
    pthread_t thread;
    int64_t started_ms = ox_clock_system()->mono_ms(NULL);

    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &stop), 0);
    assert_int_equal(go(*state, "/hang", (struct ox_http_request){.stop = &stop}, &answer, NULL),
                     OX_ECANCELED);
    assert_true(ox_clock_system()->mono_ms(NULL) - started_ms < 900);
    assert_int_equal(pthread_join(thread, NULL), 0);
    ox_stop_clear(&stop);
    ox_http_answer_clear(&answer);
}

static void get__keeps_to_the_rate(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    int64_t started_ms = ox_clock_system()->mono_ms(NULL);
    int64_t took_ms;

    assert_int_equal(
        go(*state, "/big", (struct ox_http_request){.rate_bps = 100000}, &answer, NULL), OX_OK);
    took_ms = ox_clock_system()->mono_ms(NULL) - started_ms;
    assert_in_range(took_ms, 600, 2500); /* 70,000 bytes */
    ox_http_answer_clear(&answer);
}

static void get__headers_are_found_without_case(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    char value[16];

    assert_int_equal(go(*state, "/tagged", (struct ox_http_request){0}, &answer, NULL), OX_OK);
    assert_true(ox_http_answer_header(&answer, "etag", value, sizeof(value)));
    assert_string_equal(value, "\"abc\"");
    assert_true(ox_http_answer_header(&answer, "x-empty", value, sizeof(value)));
    assert_string_equal(value, "");
    assert_false(ox_http_answer_header(&answer, "tag", value, sizeof(value)));
    assert_true(ox_http_answer_header(&answer, "ETAG", value, 3));
    assert_string_equal(value, "\"a");
    ox_http_answer_clear(&answer);
}

static void get__retry_after_is_seconds_or_a_date_by_the_servers_clock(void **state)
{
    static const struct {
        const char *headers;
        int64_t seconds;
    } rows[] = {
        {"", 0},
        {"Retry-After: 17\r\n", 17},
        {"Retry-After: 0\r\n", 0},
        {"Retry-After: -3\r\n", 0},
        {"Retry-After: soon\r\n", 0},
        {"Retry-After: 5 apples\r\n", 0},
        {"Retry-After: \r\n", 0},
        {"Retry-After: 99999999999999999999\r\n", INT32_MAX},
        {"Retry-After: Fri, 01 Jan 2027 00:01:05 GMT\r\n", 0}, /* ours may be wrong */
        {"Date: Fri, 01 Jan 2027 00:00:00 GMT\r\n"
         "Retry-After: Fri, 01 Jan 2027 00:01:05 GMT\r\n",
         65},
        {"Date: Fri, 01 Jan 2027 00:02:00 GMT\r\n"
         "Retry-After: Fri, 01 Jan 2027 00:01:05 GMT\r\n",
         0},
        {"Date: yesterday, they say\r\nRetry-After: Fri, 01 Jan 2027 00:01:05 GMT\r\n", 0},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

        world->later = rows[i].headers;
        assert_int_equal(go(world, "/later", (struct ox_http_request){NULL}, &answer, NULL), OX_OK);
        if (ox_http_retry_after_s(&answer) != rows[i].seconds) {
            fail_msg("%s: %lld", rows[i].headers, (long long)ox_http_retry_after_s(&answer));
        }
        ox_http_answer_clear(&answer);
    }
}

/* --- redirects --- */

static const char *const own_headers[] = {"X-Oxide-Device: cam-01", "Range: bytes=3-", NULL};

static void redirect__is_not_followed_unasked(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(go(*state, "/near", (struct ox_http_request){0}, &answer, NULL), OX_OK);
    assert_int_equal(answer.status, 302);
    ox_http_answer_clear(&answer);
}

static void redirect__to_the_same_host_keeps_our_headers(void **state)
{
    struct world *world = *state;
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(go(world, "/near",
                        (struct ox_http_request){.headers = own_headers, .follow_redirects = true},
                        &answer, NULL),
                     OX_OK);
    assert_int_equal(answer.status, 200);
    assert_string_equal(world->seen_device, "cam-01");
    ox_http_answer_clear(&answer);
}

static void redirect__to_another_host_takes_only_the_range_along(void **state)
{
    struct world *world = *state;
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(go(world, "/away",
                        (struct ox_http_request){.headers = own_headers, .follow_redirects = true},
                        &answer, NULL),
                     OX_OK);
    assert_int_equal(answer.status, 200);
    assert_null(world->seen_device);
    assert_string_equal(world->seen_range, "bytes=3-");
    assert_int_equal(answer.body.len_bytes, ALPHABET_LEN); /* nothing of the first answer's */
    ox_http_answer_clear(&answer);
}

static void redirect__loops_and_other_schemes_are_refused(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    const struct ox_http_request follow = {.follow_redirects = true};

    assert_int_equal(go(*state, "/loop", follow, &answer, NULL), OX_EPROTO);
    ox_http_answer_clear(&answer);
    assert_int_equal(go(*state, "/file", follow, &answer, NULL), OX_EINVAL);
    ox_http_answer_clear(&answer);
}

/* --- bodies --- */

static void post__sends_memory_without_expect_or_invented_type(void **state)
{
    struct world *world = *state;
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(go(world, "/",
                        (struct ox_http_request){.method = "POST", .body = "hello", .body_len = 5},
                        &answer, NULL),
                     OX_OK);
    assert_string_equal(world->seen_method, "POST");
    assert_string_equal(world->seen_body, "hello");
    assert_null(world->seen_expect);
    assert_null(world->seen_type);
    ox_http_answer_clear(&answer);
}

static void post__without_a_body_has_length_zero(void **state)
{
    struct world *world = *state;
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(go(world, "/", (struct ox_http_request){.method = "POST"}, &answer, NULL),
                     OX_OK);
    assert_int_equal(world->seen_body_len, 0);
    assert_int_equal(answer.status, 200);
    ox_http_answer_clear(&answer);
}

struct count {
    uint64_t last;
};

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct count *count = ctx;

    (void)total;
    count->last = done;
}

static void put__streams_a_source_from_an_offset(void **state)
{
    struct world *world = *state;
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct ox_memory memory = {alphabet, ALPHABET_LEN};
    struct ox_source source = ox_memory_source(&memory);
    struct count count = {0};
    const struct ox_progress progress = {&count, on_progress};

    assert_int_equal(
        go(world, "/",
           (struct ox_http_request){
               .method = "PUT", .body_source = &source, .body_offset = 20, .progress = &progress},
           &answer, NULL),
        OX_OK);
    assert_string_equal(world->seen_method, "PUT");
    assert_string_equal(world->seen_body, "uvwxyz");
    assert_int_equal(world->seen_body_len, 6);
    assert_null(world->seen_expect);
    assert_int_equal(count.last, 6);
    ox_http_answer_clear(&answer);
}

static void put__an_offset_behind_the_end_is_refused(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct ox_memory memory = {alphabet, ALPHABET_LEN};
    struct ox_source source = ox_memory_source(&memory);

    assert_int_equal(
        go(*state, "/",
           (struct ox_http_request){.method = "PUT", .body_source = &source, .body_offset = 27},
           &answer, NULL),
        OX_EINVAL);
    ox_http_answer_clear(&answer);
}

static enum ox_code read_fails(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                               struct ox_err *err)
{
    (void)ctx;
    (void)offset;
    (void)out;
    (void)len_bytes;
    return ox_err_set(err, OX_EIO, "the disk said no");
}

static void put__a_failing_source_ends_it_with_its_code(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct ox_source source = {NULL, 100, read_fails};
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(go(*state, "/",
                        (struct ox_http_request){.method = "PUT", .body_source = &source}, &answer,
                        &err),
                     OX_EIO);
    assert_string_equal(err.msg, "the disk said no");
    ox_http_answer_clear(&answer);
}

static void head__has_no_body(void **state)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;

    assert_int_equal(go(*state, "/", (struct ox_http_request){.method = "HEAD"}, &answer, NULL),
                     OX_OK);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_bytes, 0);
    ox_http_answer_clear(&answer);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(get__collects_the_body),
        WITH_WORLD(get__any_status_is_an_answer),
        WITH_WORLD(get__bounds_the_answer),
        WITH_WORLD(get__streams_to_the_callback_after_the_head),
        WITH_WORLD(get__a_refusing_callback_ends_it_with_its_code),
        WITH_WORLD(get__error_bodies_do_not_reach_the_callback),
        WITH_WORLD(get__a_body_cut_short_is_a_network_error),
        WITH_WORLD(get__nobody_listens_is_a_network_error_that_names_the_address),
        WITH_WORLD(get__refuses_other_schemes_and_line_breaks),
        WITH_WORLD(get__stalling_servers_time_out),
        WITH_WORLD(get__total_time_is_bounded),
        WITH_WORLD(get__stop_acts_at_once),
        WITH_WORLD(get__keeps_to_the_rate),
        WITH_WORLD(get__headers_are_found_without_case),
        WITH_WORLD(get__retry_after_is_seconds_or_a_date_by_the_servers_clock),
        WITH_WORLD(redirect__is_not_followed_unasked),
        WITH_WORLD(redirect__to_the_same_host_keeps_our_headers),
        WITH_WORLD(redirect__to_another_host_takes_only_the_range_along),
        WITH_WORLD(redirect__loops_and_other_schemes_are_refused),
        WITH_WORLD(post__sends_memory_without_expect_or_invented_type),
        WITH_WORLD(post__without_a_body_has_length_zero),
        WITH_WORLD(put__streams_a_source_from_an_offset),
        WITH_WORLD(put__an_offset_behind_the_end_is_refused),
        WITH_WORLD(put__a_failing_source_ends_it_with_its_code),
        WITH_WORLD(head__has_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

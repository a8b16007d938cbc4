#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/api/api.h"
#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/registry/artifact.h"
#include "oxide/registry/campaign.h"
#include "oxide/registry/device.h"
#include "oxide/registry/fleet.h"
#include "oxide/registry/job.h"
#include "oxide/registry/registry.h"
#include "oxide/store/store.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)1 << 20)
#define HEAD_MS 400
#define WINDOW_MS 400
#define CONNECTIONS 40

struct fixture {
    char dir[64];
    struct ox_store *store;
    struct ox_registry *registry;
    struct ox_control *control;
    struct ox_api *api;
    uint16_t port;
    char *answer; /* the last one, head and body */
};

static int listen_on_loopback(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct ox_control_options control = {.poll_interval_s = 30};
    struct ox_api_options api = {.version = "1.2.3"};
    char path[96];

    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide-api.XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    (void)snprintf(path, sizeof(path), "%s/registry.db", fixture->dir);
    assert_int_equal(ox_store_open_memory(&fixture->store, NULL), OX_OK);
    assert_int_equal(ox_registry_open(&fixture->registry, path, NULL), OX_OK);
    control.store = fixture->store;
    control.registry = fixture->registry;
    assert_int_equal(ox_control_new(&fixture->control, &control, NULL), OX_OK);
    api.head_ms = HEAD_MS;
    api.window_ms = WINDOW_MS;
    api.connections_max = CONNECTIONS;
    api.control = fixture->control;
    api.listen_fd = listen_on_loopback(&fixture->port);
    assert_int_equal(ox_api_start(&fixture->api, &api, NULL), OX_OK);
    fixture->answer = malloc(ANSWER_MAX);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ox_api_stop(fixture->api, 1000);
    ox_control_stop(fixture->control);
    ox_control_free(fixture->control);
    ox_registry_close(fixture->registry);
    ox_store_close(fixture->store);
    assert_int_equal(ox_remove_tree(fixture->dir, NULL), OX_OK);
    free(fixture->answer);
    free(fixture);
    return 0;
}

/* --- a client --- */

static int dial(struct fixture *fixture)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(fixture->port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void send_all(int fd, const void *bytes, size_t len)
{
    const char *from = bytes;

    while (len > 0) {
        ssize_t put = send(fd, from, len, MSG_NOSIGNAL);

        assert_true(put > 0);
        from += put;
        len -= (size_t)put;
    }
}

/* Read what comes until the server closes; requests say "Connection: close". */
static unsigned receive(struct fixture *fixture, int fd)
{
    size_t used = 0;
    ssize_t got;

    while ((got = recv(fd, fixture->answer + used, ANSWER_MAX - 1 - used, 0)) > 0) {
        used += (size_t)got;
    }
    fixture->answer[used] = '\0';
    (void)close(fd);
    return used > 12 ? (unsigned)strtoul(fixture->answer + 9, NULL, 10) : 0;
}

static unsigned request(struct fixture *fixture, const char *line, const char *headers,
                        const char *body)
{
    int fd = dial(fixture);
    char head[1024];

    (void)snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
                   line, headers);
    send_all(fd, head, strlen(head));
    send_all(fd, body, strlen(body));
    return receive(fixture, fd);
}

static bool says(const struct fixture *fixture, const char *text)
{
    return strstr(fixture->answer, text) != NULL;
}

/* Upload `total` zero bytes in chunks of chunk_bytes; `broken` leaves the last chunk out. */
static unsigned upload_chunked(struct fixture *fixture, size_t total, size_t chunk_bytes,
                               bool broken)
{
    static const char head[] = "POST /api/v1/models/m/versions/v1 HTTP/1.1\r\nHost: x\r\n"
                               "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    char *chunk = calloc(1, chunk_bytes + 32);
    int fd = dial(fixture);

    send_all(fd, head, strlen(head));
    for (size_t sent = 0; sent < total; sent += chunk_bytes) {
        size_t take = total - sent < chunk_bytes ? total - sent : chunk_bytes;
        int prefix = snprintf(chunk, 32, "%zx\r\n", take);

        memset(chunk + prefix, 0, take);
        memcpy(chunk + prefix + take, "\r\n", 2);
        send_all(fd, chunk, (size_t)prefix + take + 2);
    }
    free(chunk);
    if (broken) {
        (void)close(fd);
        return 0;
    }
    send_all(fd, "0\r\n\r\n", 5);
    return receive(fixture, fd);
}

/* Send `text` and read what comes until the server closes. */
static unsigned exchange(struct fixture *fixture, const char *text)
{
    int fd = dial(fixture);

    send_all(fd, text, strlen(text));
    return receive(fixture, fd);
}

static void sleep_ms(int64_t ms)
{
    const struct timespec pause = {ms / 1000, (ms % 1000) * 1000000};

    (void)nanosleep(&pause, NULL);
}

/* Send `text` a byte at a time, as slowly, until the server has enough of it. */
static unsigned drip(struct fixture *fixture, const char *head, const char *text, int64_t pause_ms)
{
    int fd = dial(fixture);
    char byte;

    send_all(fd, head, strlen(head));
    for (; *text != '\0'; text++) {
        if (send(fd, text, 1, MSG_NOSIGNAL) != 1 ||
            recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0) {
            break;
        }
        sleep_ms(pause_ms);
    }
    return receive(fixture, fd);
}

static bool is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/* --- tests --- */

static void health__answers(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(request(fixture, "GET /health", "", ""), 200);
    assert_true(says(fixture, "{\"status\":\"healthy\",\"service\":\"oxide-control-plane\","
                              "\"version\":\"1.2.3\""));
}

static void request_id__is_the_clients_or_made(void **state)
{
    static const char *const strange[] = {
        "", "a b", "a\"b", "\xc3\xa9",
        "0123456789012345678901234567890123456789012345678901234567890123x"};
    struct fixture *fixture = *state;
    char header[128];
    char first[32];

    assert_int_equal(request(fixture, "GET /nope", "X-Request-Id: abc-1.2_3:4+5/6=7\r\n", ""), 404);
    assert_true(says(fixture, "X-Request-Id: abc-1.2_3:4+5/6=7\r\n"));
    assert_true(says(fixture, "\"request_id\":\"abc-1.2_3:4+5/6=7\""));
    assert_int_equal(request(fixture, "GET /health", "X-Request-Id: abc\r\n", ""), 200);
    assert_true(says(fixture, "X-Request-Id: abc\r\n"));
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        (void)snprintf(header, sizeof(header), "X-Request-Id: %s\r\n", strange[i]);
        assert_int_equal(request(fixture, "GET /health", header, ""), 200);
        assert_int_equal(strspn(strstr(fixture->answer, "X-Request-Id: ") + 14, "0123456789abcdef"),
                         16);
    }
    (void)snprintf(first, sizeof(first), "%.16s", strstr(fixture->answer, "X-Request-Id: ") + 14);
    assert_int_equal(request(fixture, "GET /health", "", ""), 200);
    assert_false(says(fixture, first));
}

static void json__every_wrong_body_has_its_status(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(request(fixture, "POST /api/v1/devices", "Content-Length: 3\r\n", "xyz"), 400);
    assert_int_equal(request(fixture, "POST /api/v1/devices",
                             "Content-Type: text/plain\r\nContent-Length: 2\r\n", "{}"),
                     415);
    assert_int_equal(request(fixture, "POST /api/v1/devices", "Content-Length: 99999999\r\n", ""),
                     413);
    assert_int_equal(request(fixture, "POST /api/v1/models/m/versions/v1", "", ""), 411);
    assert_int_equal(request(fixture, "PUT /health", "Content-Length: 0\r\n", ""), 405);
    assert_true(says(fixture, "Allow: GET, HEAD"));
    assert_int_equal(request(fixture, "GET /nope", "", ""), 404);
    assert_true(says(fixture, "{\"error\":{\"code\":\"not_found\""));
}

static void json__is_taken_without_a_type_and_as_curl_sends_it(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(
        request(fixture, "POST /api/v1/devices", "Content-Length: 12\r\n", "{\"id\":\"d-01\"}"),
        400); /* one byte short */
    assert_int_equal(
        request(fixture, "POST /api/v1/devices", "Content-Length: 13\r\n", "{\"id\":\"d-01\"}"),
        201);
    assert_int_equal(request(fixture, "POST /api/v1/devices",
                             "Content-Type: application/x-www-form-urlencoded\r\n"
                             "Content-Length: 13\r\n",
                             "{\"id\":\"d-01\"}"),
                     200);
    assert_int_equal(request(fixture, "POST /api/v1/devices/d-01/heartbeat", "", ""), 200);
}

static void slow__heads_are_cut_off(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(
        drip(fixture, "GET /health HT", "TP/1.1\r\nHost: x\r\nX: aaaaaaaaaaaaaaaaaaaaaaaa", 50),
        408);
    assert_true(says(fixture, "\"code\":\"timeout\""));
    assert_true(says(fixture, "head of the request came too slowly"));
    assert_int_equal(request(fixture, "GET /health", "", ""), 200);
}

static void slow__bodies_are_cut_off_and_leave_nothing(void **state)
{
    static const char head[] = "POST /api/v1/models/m/versions/v1 HTTP/1.1\r\nHost: x\r\n"
                               "Content-Length: 100000\r\n\r\n";
    static const char json[] = "POST /api/v1/devices HTTP/1.1\r\nHost: x\r\n"
                               "Content-Length: 13\r\n\r\n";
    struct fixture *fixture = *state;

    assert_int_equal(drip(fixture, head, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 50), 408);
    assert_true(says(fixture, "body came too slowly"));
    assert_int_equal(request(fixture, "GET /api/v1/models/m", "", ""), 404);
    assert_int_equal(drip(fixture, json, "{\"id\":", 150), 408);
    assert_int_equal(request(fixture, "GET /api/v1/devices", "", ""), 200);
    assert_true(says(fixture, "\r\n\r\n[]"));
}

/* Slow, but not too slow: 4 KiB in each window are enough. */
static void slow__bodies_that_move_arrive(void **state)
{
    static const char head[] = "POST /api/v1/models/m/versions/v1 HTTP/1.1\r\nHost: x\r\n"
                               "Connection: close\r\nContent-Length: 65536\r\n\r\n";
    struct fixture *fixture = *state;
    char *piece = calloc(1, 8192);
    int fd = dial(fixture);

    send_all(fd, head, strlen(head));
    for (int i = 0; i < 8; i++) {
        sleep_ms(WINDOW_MS / 3);
        send_all(fd, piece, 8192);
    }
    assert_int_equal(receive(fixture, fd), 201);
    free(piece);
}

/* Those that are silent longest make room for who has something to say. */
static void silent__connections_make_room(void **state)
{
    struct fixture *fixture = *state;
    int fds[2 * CONNECTIONS];
    size_t closed = 0;

    for (size_t i = 0; i < 2 * CONNECTIONS; i++) {
        fds[i] = dial(fixture);
    }
    assert_int_equal(request(fixture, "GET /health", "", ""), 200);
    for (size_t i = 0; i < 2 * CONNECTIONS; i++) {
        closed += is_closed(fds[i]);
        (void)close(fds[i]);
    }
    assert_true(closed > 0);
    assert_int_equal(request(fixture, "GET /health", "", ""), 200);
}

static void pipelined__requests_are_answered_in_order(void **state)
{
    struct fixture *fixture = *state;
    const char *at;

    assert_int_equal(
        exchange(fixture, "GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: one\r\n\r\n"
                          "POST /api/v1/devices HTTP/1.1\r\nHost: x\r\nX-Request-Id: two\r\n"
                          "Content-Length: 13\r\n\r\n{\"id\":\"d-01\"}"
                          "GET /api/v1/devices/d-01 HTTP/1.1\r\nHost: x\r\nX-Request-Id: three\r\n"
                          "Connection: close\r\n\r\n"),
        200);
    at = strstr(fixture->answer, "X-Request-Id: one");
    assert_non_null(at);
    at = strstr(at, "HTTP/1.1 201");
    assert_non_null(at);
    at = strstr(at, "X-Request-Id: two");
    assert_non_null(at);
    at = strstr(at, "HTTP/1.1 200");
    assert_non_null(at);
    assert_non_null(strstr(at, "X-Request-Id: three"));
    assert_non_null(strstr(at, "\"id\":\"d-01\""));
}

/* What two readers could take for two requests is refused. */
static void smuggled__lengths_are_refused(void **state)
{
    static const char *const headers[] = {
        "Content-Length: 13\r\nContent-Length: 13\r\n",
        "Content-Length: 13\r\nContent-Length: 0\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x10\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length: 13, 13\r\n",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        unsigned status = request(fixture, "POST /api/v1/devices", headers[i], "{\"id\":\"d-01\"}");

        print_message("%s%u\n", headers[i], status);
        assert_true(status == 400 || status == 413);
    }
    assert_int_equal(request(fixture, "GET /api/v1/devices/d-01", "", ""), 404);
}

static void chunks__that_are_none_end_the_connection(void **state)
{
    static const char head[] = "POST /api/v1/models/m/versions/v1 HTTP/1.1\r\nHost: x\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    static const char *const bodies[] = {
        "zz\r\nabc\r\n0\r\n\r\n",
        "-5\r\nabcde\r\n0\r\n\r\n",
        "5\r\nabcdeXX0\r\n\r\n",
        "ffffffffffffffffff\r\nabc\r\n",
        "\r\n\r\n",
        "5abcde\r\n0\r\n\r\n",
    };
    struct fixture *fixture = *state;
    char text[512];

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        unsigned status;

        (void)snprintf(text, sizeof(text), "%s%s", head, bodies[i]);
        status = exchange(fixture, text);
        print_message("chunks %zu: %u\n", i, status);
        assert_true(status == 0 || status == 400 || status == 408 || status == 413);
    }
    assert_int_equal(request(fixture, "GET /api/v1/models/m", "", ""), 404);
}

static void heads__that_are_too_large_are_refused(void **state)
{
    static const char large[] = "GET /health HTTP/1.1\r\nHost: x\r\nX-Large: ";
    static const char end[] = " HTTP/1.1\r\nHost: x\r\n\r\n";
    struct fixture *fixture = *state;
    size_t len = 200000;
    char *text = malloc(len + 128);
    unsigned status;

    memset(text, 'a', len);
    memcpy(text, large, sizeof(large) - 1);
    memcpy(text + len, "\r\n\r\n", 5);
    status = exchange(fixture, text);
    print_message("a header of %zu bytes: %u\n", len, status);
    assert_true(status == 431 || status == 413 || status == 0);
    memset(text, 'a', len);
    memcpy(text, "GET /", 5);
    memcpy(text + len, end, sizeof(end));
    status = exchange(fixture, text);
    print_message("an address of %zu bytes: %u\n", len, status);
    assert_true(status == 414 || status == 431 || status == 0);
    free(text);
    assert_int_equal(request(fixture, "GET /health", "", ""), 200);
}

static void options__tells_the_methods(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(request(fixture, "OPTIONS /health", "", ""), 204);
    assert_true(says(fixture, "Allow: GET, HEAD, OPTIONS"));
    assert_int_equal(request(fixture, "OPTIONS /nope", "", ""), 404);
    assert_int_equal(request(fixture, "TRACE /health", "", ""), 405);
    assert_int_equal(request(fixture, "PROPFIND /health", "", ""), 405);
    assert_int_equal(request(fixture, "HEAD /health", "", ""), 200);
    assert_false(says(fixture, "healthy"));
    assert_int_equal(request(fixture, "HEAD /nope", "", ""), 404);
    assert_false(says(fixture, "error"));
}

static void upload__in_chunks_of_any_size_arrives_whole(void **state)
{
    static const size_t chunks[] = {4096, 65536, 100000, 262144, 1048576};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        assert_int_equal(upload_chunked(fixture, 3 << 20, chunks[i], false), i == 0 ? 201 : 200);
        assert_true(says(fixture, "\"size_bytes\":3145728"));
        /* sha256sum of 3 MiB of zeroes */
        assert_true(
            says(fixture, "bbd05cf6097ac9b1f89ea29d2542c1b7b67ee46848393895f5a9e43fa1f621e5"));
    }
}

static void upload__that_breaks_off_publishes_nothing(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(upload_chunked(fixture, 1 << 20, 65536, true), 0);
    assert_int_equal(request(fixture, "GET /api/v1/models/m", "", ""), 404);
    assert_int_equal(upload_chunked(fixture, 1 << 20, 65536, false), 201);
}

static void download__honours_range_head_and_tags(void **state)
{
    static const char digest[] = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    struct fixture *fixture = *state;
    char line[128];
    char head[128];
    char match[128];

    (void)snprintf(line, sizeof(line), "PUT /api/v1/blobs/%s", digest);
    assert_int_equal(request(fixture, line, "Content-Length: 5\r\n", "helli"), 400);
    assert_int_equal(request(fixture, line, "Content-Length: 5\r\n", "hello"), 201);
    assert_int_equal(request(fixture, line, "Content-Length: 5\r\n", "hello"), 200);
    (void)snprintf(line, sizeof(line), "GET /api/v1/blobs/%s", digest);
    assert_int_equal(request(fixture, line, "", ""), 200);
    assert_true(says(fixture, "\r\n\r\nhello"));
    assert_true(says(fixture, "immutable"));
    assert_int_equal(request(fixture, line, "Range: bytes=1-3\r\n", ""), 206);
    assert_true(says(fixture, "Content-Range: bytes 1-3/5"));
    assert_true(says(fixture, "\r\n\r\nell"));
    assert_int_equal(request(fixture, line, "Range: bytes=5-\r\n", ""), 416);
    assert_true(says(fixture, "Content-Range: bytes */5"));
    assert_int_equal(request(fixture, line, "Range: bytes=1-3\r\nIf-Range: \"other\"\r\n", ""),
                     200);
    (void)snprintf(match, sizeof(match), "If-None-Match: \"%s\"\r\n", digest);
    assert_int_equal(request(fixture, line, match, ""), 304);
    (void)snprintf(head, sizeof(head), "HEAD /api/v1/blobs/%s", digest);
    assert_int_equal(request(fixture, head, "", ""), 200);
    assert_true(says(fixture, "Content-Length: 5\r\n"));
    assert_false(says(fixture, "hello"));
}

static void stop__does_not_wait_for_idle_connections(void **state)
{
    struct fixture *fixture = *state;
    int64_t before_ms = ox_clock_system()->mono_ms(NULL);
    int idle = dial(fixture);

    ox_api_stop(fixture->api, 30000);
    fixture->api = NULL;
    assert_true(ox_clock_system()->mono_ms(NULL) - before_ms < 10000);
    (void)close(idle);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(health__answers),
        TEST(request_id__is_the_clients_or_made),
        TEST(slow__heads_are_cut_off),
        TEST(slow__bodies_are_cut_off_and_leave_nothing),
        TEST(slow__bodies_that_move_arrive),
        TEST(silent__connections_make_room),
        TEST(pipelined__requests_are_answered_in_order),
        TEST(smuggled__lengths_are_refused),
        TEST(chunks__that_are_none_end_the_connection),
        TEST(heads__that_are_too_large_are_refused),
        TEST(options__tells_the_methods),
        TEST(json__every_wrong_body_has_its_status),
        TEST(json__is_taken_without_a_type_and_as_curl_sends_it),
        TEST(upload__in_chunks_of_any_size_arrives_whole),
        TEST(upload__that_breaks_off_publishes_nothing),
        TEST(download__honours_range_head_and_tags),
        TEST(stop__does_not_wait_for_idle_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

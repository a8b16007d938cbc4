#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/api/api.h"
#include "oxide/base/file.h"
#include "oxide/control/device.h"
#include "oxide/registry/registry.h"
#include "oxide/store/store.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define KEEP 5
#define WINDOW_MS 400
#define ANSWER_MAX ((size_t)1 << 20)

struct fixture {
    char dir[64];
    struct ox_store *store;
    struct ox_registry *registry;
    struct ox_control *control;
    struct ox_api *api;
    uint16_t port;
    char *answer;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    struct ox_control_options control = {.events_keep = KEEP};
    struct ox_api_options api = {.version = "1.2.3", .window_ms = WINDOW_MS};
    char path[96];

    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide-api.XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    (void)snprintf(path, sizeof(path), "%s/registry.db", fixture->dir);
    assert_int_equal(ox_store_open_memory(&fixture->store, NULL), OX_OK);
    assert_int_equal(ox_registry_open(&fixture->registry, path, NULL), OX_OK);
    control.store = fixture->store;
    control.registry = fixture->registry;
    assert_int_equal(ox_control_new(&fixture->control, &control, NULL), OX_OK);
    api.control = fixture->control;
    api.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(api.listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(api.listen_fd, 128), 0);
    assert_int_equal(getsockname(api.listen_fd, (struct sockaddr *)&address, &len), 0);
    fixture->port = ntohs(address.sin_port);
    assert_int_equal(ox_api_start(&fixture->api, &api, NULL), OX_OK);
    fixture->answer = malloc(ANSWER_MAX);
    assert_non_null(fixture->answer);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ox_api_stop(fixture->api, 5000);
    ox_control_stop(fixture->control);
    ox_control_free(fixture->control);
    ox_registry_close(fixture->registry);
    ox_store_close(fixture->store);
    assert_int_equal(ox_remove_tree(fixture->dir, NULL), OX_OK);
    free(fixture->answer);
    free(fixture);
    return 0;
}

/* --- helpers --- */

static void register_device(struct fixture *fixture, int number)
{
    json_t *body = json_pack("{s:o}", "id", json_sprintf("d%d", number));
    json_t *out = NULL;
    bool created = false;

    assert_int_equal(ox_control_device_register(fixture->control, body, &created, &out, NULL),
                     OX_OK);
    json_decref(out);
    json_decref(body);
}

/* A request is sent; what comes is read later. */
static int ask(struct fixture *fixture, const char *target, const char *headers)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(fixture->port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct timeval patience = {10, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char text[1024];
    int len = snprintf(text, sizeof(text),
                       "GET /api/v1/events%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
                       target, headers);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
    return fd;
}

/* Read until `pattern` has come (NULL: to the end), and return all that came. */
static const char *receive(struct fixture *fixture, int fd, const char *pattern)
{
    size_t len = 0;

    fixture->answer[0] = '\0';
    while (len < ANSWER_MAX - 1 && (pattern == NULL || strstr(fixture->answer, pattern) == NULL)) {
        ssize_t got = recv(fd, fixture->answer + len, ANSWER_MAX - 1 - len, 0);

        if (got <= 0) {
            if (pattern != NULL) {
                fail_msg("\"%s\" does not come; what came: %s", pattern, fixture->answer);
            }
            break;
        }
        len += (size_t)got;
        fixture->answer[len] = '\0';
    }
    return fixture->answer;
}

static void assert_answer(struct fixture *fixture, const char *target, const char *headers,
                          unsigned status, const char *pattern)
{
    int fd = ask(fixture, target, headers);
    const char *answer = receive(fixture, fd, NULL);
    char line[32];

    (void)snprintf(line, sizeof(line), "HTTP/1.1 %u ", status);
    if (strncmp(answer, line, strlen(line)) != 0 || strstr(answer, pattern) == NULL) {
        fail_msg("%s: status %u and \"%s\" expected: %s", target, status, pattern, answer);
    }
    (void)close(fd);
}

/* --- tests --- */

static void stream__sends_events_as_they_come(void **state)
{
    struct fixture *fixture = *state;
    int fd = ask(fixture, "", "");
    const char *head = receive(fixture, fd, "id: 0\n\n");

    assert_non_null(strstr(head, "Content-Type: text/event-stream"));
    assert_non_null(strstr(head, "Cache-Control: no-store"));
    register_device(fixture, 1);
    assert_non_null(strstr(receive(fixture, fd, "\n\n"), "id: 1\ndata: {\"id\":1,"));
    register_device(fixture, 2);
    assert_non_null(strstr(receive(fixture, fd, "\n\n"), "\"device_id\":\"d2\""));
    (void)close(fd);
}

static void stream__stays_while_nothing_happens(void **state)
{
    struct fixture *fixture = *state;
    int fd = ask(fixture, "", "");

    (void)receive(fixture, fd, "id: 0\n\n");
    (void)usleep(4 * WINDOW_MS * 1000);
    register_device(fixture, 1);
    (void)receive(fixture, fd, "id: 1\n");
    (void)close(fd);
}

static void stream__resumes(void **state)
{
    struct fixture *fixture = *state;
    int fd;
    const char *answer;

    for (int i = 1; i <= 4; i++) {
        register_device(fixture, i);
    }
    fd = ask(fixture, "?after=0", "Last-Event-ID: 2\r\n");
    answer = receive(fixture, fd, "\"device_id\":\"d4\"");
    assert_null(strstr(answer, "\"device_id\":\"d2\""));
    assert_true(strstr(answer, "id: 3\n") < strstr(answer, "id: 4\n"));
    (void)close(fd);
    fd = ask(fixture, "?last=1", "");
    answer = receive(fixture, fd, "\"device_id\":\"d4\"");
    assert_null(strstr(answer, "\"device_id\":\"d3\""));
    (void)close(fd);
    fd = ask(fixture, "?device=d2&after=0&kind=device", "");
    answer = receive(fixture, fd, "\"device_id\":\"d2\"");
    assert_null(strstr(answer, "\"device_id\":\"d1\""));
    (void)close(fd);
}

static void stream__tells_a_gap(void **state)
{
    struct fixture *fixture = *state;
    int fd;

    for (int i = 1; i <= 12; i++) {
        register_device(fixture, i);
    }
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    fd = ask(fixture, "?after=3", "");
    assert_non_null(strstr(receive(fixture, fd, "id: 8\n"),
                           "id: 7\nevent: gap\ndata: {\"after\":3,\"resumed_after\":7}\n\n"));
    (void)close(fd);
    fd = ask(fixture, "?after=0", "");
    assert_null(strstr(receive(fixture, fd, "id: 8\n"), "gap"));
    (void)close(fd);
    /* A log that was restored from a backup has not come so far yet. */
    fd = ask(fixture, "?after=99", "");
    assert_non_null(strstr(receive(fixture, fd, "}\n\n"),
                           "id: 12\nevent: gap\ndata: {\"after\":99,\"resumed_after\":12}\n\n"));
    register_device(fixture, 13);
    (void)receive(fixture, fd, "id: 13\n");
    (void)close(fd);
}

static void stream__ends_with_the_server(void **state)
{
    struct fixture *fixture = *state;
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = ask(fixture, "", "");
        (void)receive(fixture, fds[i], "\n\n");
    }
    ox_api_stop(fixture->api, 60000);
    fixture->api = NULL;
    for (int i = 0; i < 3; i++) { /* to the last chunk, of no bytes */
        assert_string_equal(receive(fixture, fds[i], NULL), "0\r\n\r\n");
        (void)close(fds[i]);
    }
}

static void streams__are_bounded(void **state)
{
    struct fixture *fixture = *state;
    int fds[64];

    for (int i = 0; i < 64; i++) {
        fds[i] = ask(fixture, "", "");
        (void)receive(fixture, fds[i], "\n\n");
    }
    assert_answer(fixture, "", "", 503, "Retry-After: 10");
    register_device(fixture, 1);
    for (int i = 0; i < 64; i++) {
        (void)receive(fixture, fds[i], "id: 1\n");
        (void)close(fds[i]);
    }
}

/* Ask until there is a place, or half a second has passed. */
static int ask_for_place(struct fixture *fixture)
{
    for (int i = 0; i < 50; i++) {
        int fd = ask(fixture, "", "");

        if (strstr(receive(fixture, fd, "\r\n\r\n"), " 200 OK") != NULL) {
            return fd;
        }
        (void)close(fd);
        (void)usleep(10000);
    }
    fail_msg("no place came free: %s", fixture->answer);
    return -1;
}

static void streams__leave_their_place_as_soon_as_they_are_closed(void **state)
{
    struct fixture *fixture = *state;
    int fds[64];

    for (int i = 0; i < 64; i++) {
        fds[i] = ask(fixture, "", "");
        (void)receive(fixture, fds[i], "id: 0\n\n");
    }
    (void)close(fds[7]); /* all of it was read: it ends in order */
    fds[7] = ask_for_place(fixture);
    (void)setsockopt(fds[9], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    (void)close(fds[9]); /* it breaks off */
    fds[9] = ask_for_place(fixture);
    for (int i = 0; i < 64; i++) {
        (void)close(fds[i]);
    }
    for (int i = 0; i < 64; i++) {
        fds[i] = ask_for_place(fixture);
    }
    register_device(fixture, 1);
    for (int i = 0; i < 64; i++) {
        (void)receive(fixture, fds[i], "id: 1\n");
        (void)close(fds[i]);
    }
}

static void stream__goes_on_for_who_has_nothing_more_to_send(void **state)
{
    struct fixture *fixture = *state;
    int fd = ask(fixture, "", "");

    (void)receive(fixture, fd, "id: 0\n\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    (void)receive(fixture, fd, ": keep-alive\n");
    register_device(fixture, 1);
    (void)receive(fixture, fd, "id: 1\n");
    (void)usleep(100000);
    register_device(fixture, 2);
    (void)receive(fixture, fd, "id: 2\n");
    (void)close(fd);
}

static void page__shows_the_log(void **state)
{
    struct fixture *fixture = *state;

    assert_answer(fixture, "?format=json", "", 200,
                  "{\"events\":[],\"next\":0,\"oldest\":1,\"newest\":0}");
    for (int i = 1; i <= 4; i++) {
        register_device(fixture, i);
    }
    assert_answer(fixture, "?format=json&after=1&limit=2", "", 200,
                  "\"next\":3,\"oldest\":1,\"newest\":4}");
    assert_answer(fixture, "?format=json&limit=1", "", 200, "{\"events\":[{\"id\":4,");
    assert_answer(fixture, "?format=json&since=2020-01-01", "", 200, "{\"events\":[{\"id\":1,");
    assert_answer(fixture, "?last=2", "Accept: application/json\r\n", 200,
                  "{\"events\":[{\"id\":3,");
    assert_answer(fixture, "?format=json&kind=fleet&after=0", "", 200,
                  "{\"events\":[],\"next\":4,");
}

static void bad_questions__are_refused(void **state)
{
    static const char *const rows[][3] = {
        {"?kind=nope", "", "is no kind of event"},
        {"?kind=", "", "is no kind of event"},
        {"?kind=device,,", "", "is no kind of event"},
        {"?after=-1", "", "the parameter after"},
        {"?after=99999999999999999999", "", "the parameter after"},
        {"?limit=0", "", "the parameter limit"},
        {"?limit=1001", "", "the parameter limit"},
        {"?last=1001", "", "the parameter last"},
        {"?since=yesterday", "", "is no time"},
        {"?format=xml", "", "the parameter format"},
        {"?device=a%2Fb", "", "the parameter device"},
        {"?after=1&last=1", "", "name one"},
        {"", "Last-Event-ID: x\r\n", "Last-Event-ID"},
        {"", "Last-Event-ID: -1\r\n", "Last-Event-ID"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_answer(*state, rows[i][0], rows[i][1], 400, rows[i][2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stream__sends_events_as_they_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stream__stays_while_nothing_happens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stream__resumes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stream__tells_a_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stream__ends_with_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams__are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams__leave_their_place_as_soon_as_they_are_closed,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(stream__goes_on_for_who_has_nothing_more_to_send, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(page__shows_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_questions__are_refused, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

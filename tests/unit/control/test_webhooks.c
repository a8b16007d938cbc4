#include "fixture.h"

#include "../net/fake_server.h"

#include "oxide/control/event.h"
#include "oxide/control/webhook.h"
#include "oxide/crypto/hmac.h"
#include "oxide/wire/header.h"

#include <time.h>

/* --- a receiver --- */

struct receiver {
    struct fake_server server;
    int status;
    const char *headers; /* NULL: none */
    bool long_answer;
    unsigned requests;
    char head[FAKE_HEAD_MAX]; /* of the last request */
    char body[65536];
    char seen[1024]; /* the ids that came in all requests that were answered with 200 */
};

static void receive(void *ctx, const struct fake_request *request, struct fake_answer *answer)
{
    static uint8_t page[100000];
    struct receiver *receiver = ctx;
    json_t *json = NULL;
    json_t *event;
    size_t i;

    receiver->requests++;
    (void)snprintf(receiver->head, sizeof(receiver->head), "%s", request->head);
    (void)snprintf(receiver->body, sizeof(receiver->body), "%s", (const char *)request->body);
    answer->status = receiver->status;
    if (receiver->headers != NULL) {
        (void)snprintf(answer->headers, sizeof(answer->headers), "%s", receiver->headers);
    }
    if (receiver->long_answer) {
        memset(page, 'x', sizeof(page));
        answer->body = page;
        answer->body_len = sizeof(page);
        answer->no_length = receiver->headers != NULL; /* which has one */
    }
    if (receiver->status != 200 ||
        ox_json_parse(request->body, request->body_len, &json, NULL) != OX_OK) {
        return;
    }
    json_array_foreach(json_object_get(json, "events"), i, event)
    {
        size_t len = strlen(receiver->seen);

        (void)snprintf(receiver->seen + len, sizeof(receiver->seen) - len, "%s%lld",
                       len == 0 ? "" : " ",
                       (long long)json_integer_value(json_object_get(event, "id")));
    }
    json_decref(json);
}

static struct receiver *open_receiver(int status)
{
    struct receiver *receiver = calloc(1, sizeof(*receiver));

    assert_non_null(receiver);
    receiver->status = status;
    fake_server_start(&receiver->server, receive, receiver);
    return receiver;
}

static void close_receiver(struct receiver *receiver)
{
    fake_server_stop(&receiver->server);
    free(receiver);
}

static void assert_seen(struct receiver *receiver, const char *ids)
{
    assert_string_equal(receiver->seen, ids);
    receiver->seen[0] = '\0';
}

/* --- helpers --- */

/* The answer, which the caller releases. */
static json_t *add(struct fixture *fixture, const char *fmt, ...) OX_PRINTF(2, 3);
static json_t *add(struct fixture *fixture, const char *fmt, ...)
{
    json_t *request = NULL;
    json_t *answer = NULL;
    struct ox_err err = OX_ERR_INIT;
    char text[4096];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    request = body("%s", text);
    if (ox_control_webhook_add(fixture->control, request, &answer, &err) != OX_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    json_decref(request);
    return answer;
}

static void hook(struct fixture *fixture, const struct receiver *receiver, const char *more)
{
    json_decref(add(fixture, "{\"id\":\"h\",\"url\":\"%s/in\"%s}", receiver->server.url, more));
}

/* Every try that is due now. Returns how many there were. */
static int deliver(struct fixture *fixture)
{
    bool tried = true;
    int tries = 0;

    while (tries < 1000) {
        assert_int_equal(ox_control_deliver(fixture->control, &tried, NULL), OX_OK);
        if (!tried) {
            return tries;
        }
        tries++;
    }
    fail_msg("it never rests");
    return tries;
}

/* The text holds another one, or, with NULL, is null. */
static void assert_hook(struct fixture *fixture, const char *path, const char *text)
{
    json_t *json = NULL;

    assert_int_equal(ox_control_webhook(fixture->control, "h", &json, NULL), OX_OK);
    if (text == NULL) {
        assert_true(json_is_null(at(json, path)));
    } else if (strstr(text_at(json, path), text) == NULL) {
        fail_msg("%s is %s, not %s", path, text_at(json, path), text);
    }
    json_decref(json);
}

static int64_t hook_number(struct fixture *fixture, const char *path)
{
    json_t *json = NULL;
    int64_t number;

    assert_int_equal(ox_control_webhook(fixture->control, "h", &json, NULL), OX_OK);
    number = number_at(json, path);
    json_decref(json);
    return number;
}

static void devices(struct fixture *fixture, int from, int to)
{
    for (int i = from; i <= to; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "d%d", i);
        device(fixture, id);
    }
}

/* --- adding --- */

static void add__makes_a_secret_that_is_shown_once(void **state)
{
    struct fixture *fixture = *state;
    json_t *answer = add(fixture, "{\"url\":\"https://example.org/x?y=1\"}");
    json_t *list = NULL;
    char *text = NULL;

    assert_int_equal(strlen(text_at(answer, "secret")), 64);
    assert_int_equal(strncmp(text_at(answer, "id"), "w-", 2), 0);
    assert_string_equal(text_at(answer, "state"), "active");
    assert_int_equal(ox_control_webhooks(fixture->control, &list, NULL), OX_OK);
    assert_string_equal(text_at(list, "webhooks.0.url"), "https://example.org/x?y=1");
    assert_int_equal(ox_json_text(list, &text, NULL), OX_OK);
    assert_null(strstr(text, text_at(answer, "secret")));
    assert_null(strstr(text, "secret"));
    free(text);
    json_decref(list);
    json_decref(answer);
}

static void add__refuses_what_makes_no_sense(void **state)
{
    static const char *const bad[][2] = {
        {"{}", "\"url\""},
        {"{\"url\":5}", "\"url\""},
        {"{\"url\":\"\"}", "address of a receiver"},
        {"{\"url\":\"ftp://example.org/\"}", "address of a receiver"},
        {"{\"url\":\"file:///etc/passwd\"}", "address of a receiver"},
        {"{\"url\":\"http://\"}", "address of a receiver"},
        {"{\"url\":\"http:///x\"}", "address of a receiver"},
        {"{\"url\":\"http://a/ b\"}", "address of a receiver"},
        {"{\"url\":\"http://a/\\r\\nX: y\"}", "address of a receiver"},
        {"{\"url\":\"http://\\u00e9/\"}", "address of a receiver"},
        {"{\"url\":\"http://a/#b\"}", "address of a receiver"},
        {"{\"url\":\"http://me:pw@a/\"}", "names a user"},
        {"{\"url\":\"http://host:99999/\"}", "a port being 1 to 65535"},
        {"{\"url\":\"http://host:65536/\"}", "a port being 1 to 65535"},
        {"{\"url\":\"http://host:0/\"}", "\"host:0\""},
        {"{\"url\":\"http://host:000000080\"}", "a port being 1 to 65535"},
        {"{\"url\":\"http://host:abc?x\"}", "\"host:abc\""},
        {"{\"url\":\"http://host:-1/\"}", "a port being 1 to 65535"},
        {"{\"url\":\"http://host:/\"}", "a port being 1 to 65535"},
        {"{\"url\":\"http://:80/\"}", "a port being 1 to 65535"},
        {"{\"url\":\"http://::1/\"}", "an IPv6 address as [ADDRESS]"},
        {"{\"url\":\"http://[::1/\"}", "an IPv6 address as [ADDRESS]"},
        {"{\"url\":\"http://[::1]80/\"}", "an IPv6 address as [ADDRESS]"},
        {"{\"url\":\"http://[::1]:65536/\"}", "an IPv6 address as [ADDRESS]"},
        {"{\"url\":\"http://a/\",\"kinds\":[]}", "\"kinds\""},
        {"{\"url\":\"http://a/\",\"kinds\":\"campaign\"}", "\"kinds\""},
        {"{\"url\":\"http://a/\",\"kinds\":[5]}", "\"kinds\""},
        {"{\"url\":\"http://a/\",\"kinds\":[\"nope\"]}", "no kind of event"},
        {"{\"url\":\"http://a/\",\"kinds\":[\"\"]}", "no kind of event"},
        {"{\"url\":\"http://a/\",\"kinds\":[\"campaign,device\"]}", "\"kinds\""},
        {"{\"url\":\"http://a/\",\"secret\":\"short\"}", "\"secret\""},
        {"{\"url\":\"http://a/\",\"id\":\"a/b\"}", "\"id\""},
        {"{\"url\":\"http://a/\",\"after\":-1}", "\"after\""},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *request = body("%s", bad[i][0]);
        struct ox_err err = OX_ERR_INIT;
        json_t *answer = NULL;

        if (ox_control_webhook_add(fixture->control, request, &answer, &err) != OX_EINVAL ||
            strstr(err.msg, bad[i][1]) == NULL) {
            fail_msg("%s: %s", bad[i][0], err.msg);
        }
        json_decref(request);
    }
}

static void add__takes_ports_and_addresses(void **state)
{
    static const char *const urls[] = {
        "http://a:1",           "http://a:65535/x",      "https://a?to=b:c",
        "http://[::1]/x:99999", "http://[fe80::1]:8080", "http://10.0.0.1:080/",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        json_decref(add(fixture, "{\"url\":\"%s\"}", urls[i]));
    }
}

static void add__names_are_taken_once_and_bounded(void **state)
{
    struct fixture *fixture = *state;
    json_t *request = body("{\"id\":\"h\",\"url\":\"http://a/\"}");
    json_t *answer = NULL;

    json_decref(add(fixture, "{\"id\":\"h\",\"url\":\"http://a/\"}"));
    assert_int_equal(ox_control_webhook_add(fixture->control, request, &answer, NULL),
                     OX_ECONFLICT);
    json_decref(request);
    for (int i = 1; i < OX_WEBHOOKS_MAX; i++) {
        json_decref(add(fixture, "{\"url\":\"http://a/\"}"));
    }
    request = body("{\"url\":\"http://a/\"}");
    assert_int_equal(ox_control_webhook_add(fixture->control, request, &answer, NULL),
                     OX_ECONFLICT);
    json_decref(request);
}

static void unknown_ones__are_not_found(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    assert_int_equal(ox_control_webhook(fixture->control, "x", &out, NULL), OX_ENOTFOUND);
    assert_int_equal(ox_control_webhook_remove(fixture->control, "x", &out, NULL), OX_ENOTFOUND);
    assert_int_equal(ox_control_webhook_resume(fixture->control, "x", &out, NULL), OX_ENOTFOUND);
    assert_int_equal(ox_control_webhook_test(fixture->control, "x", &out, NULL), OX_ENOTFOUND);
}

/* --- delivering --- */

static void delivery__is_signed(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(200);
    struct ox_digest digest;
    char hex[OX_DIGEST_HEX_MAX];
    char line[128];
    char *message = NULL;

    hook(fixture, receiver, ",\"secret\":\"sixteen bytes and more\"");
    (void)deliver(fixture);
    assert_int_equal(receiver->requests, 1);
    assert_non_null(strstr(receiver->head, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(receiver->head, OX_HEADER_WEBHOOK ": h\r\n"));
    assert_non_null(strstr(receiver->head, OX_HEADER_TIMESTAMP ": 1700000000\r\n"));
    assert_int_equal(ox_strf(&message, NULL, "1700000000.%s", receiver->body), OX_OK);
    assert_int_equal(
        ox_hmac_sha256("sixteen bytes and more", 22, message, strlen(message), &digest, NULL),
        OX_OK);
    (void)snprintf(line, sizeof(line), OX_HEADER_SIGNATURE ": v1=%s\r\n",
                   ox_digest_hex(&digest, hex));
    assert_non_null(strstr(receiver->head, line));
    assert_ptr_equal(strstr(receiver->body, "{\"webhook\":\"h\",\"events\":[{\"id\":1,"),
                     receiver->body);
    free(message);
    close_receiver(receiver);
}

static void delivery__is_of_the_kinds_that_are_asked_for(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(200);

    hook(fixture, receiver, ",\"kinds\":[\"device\",\"fleet.created\"]"); /* event 1 */
    fleet(fixture, "f", 2);                                               /* 2 to 6 */
    (void)deliver(fixture);
    assert_seen(receiver, "2 3 5");
    assert_int_equal(hook_number(fixture, "backlog"), 0);
    assert_int_equal(hook_number(fixture, "delivered"), 3);
    device(fixture, "d9");
    (void)deliver(fixture);
    assert_seen(receiver, "7");
    assert_int_equal(deliver(fixture), 0); /* nothing is looked at while nothing happens */
    close_receiver(receiver);
}

static void delivery__begins_where_it_is_asked_to(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(200);

    devices(fixture, 1, 5);
    hook(fixture, receiver, ",\"after\":3");
    (void)deliver(fixture);
    assert_seen(receiver, "4 5 6");
    close_receiver(receiver);
}

static void delivery__comes_in_batches(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(200);

    devices(fixture, 1, 250);
    hook(fixture, receiver, ",\"after\":0,\"kinds\":[\"device\"]");
    (void)deliver(fixture);
    assert_int_equal(receiver->requests, 3);
    assert_int_equal(hook_number(fixture, "delivered"), 250);
    close_receiver(receiver);
}

static void outage__loses_nothing_and_keeps_the_order(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(500);

    hook(fixture, receiver, ",\"kinds\":[\"device\"]");
    devices(fixture, 1, 3); /* 2 to 4 */
    assert_true(deliver(fixture) <= 2);
    assert_hook(fixture, "state", "failing");
    assert_hook(fixture, "last_error", "HTTP 500");
    assert_int_equal(hook_number(fixture, "last_status"), 500);
    assert_int_equal(hook_number(fixture, "failures"), 1);
    assert_int_equal(hook_number(fixture, "backlog"), 3);
    devices(fixture, 4, 4); /* what happens meanwhile makes it no earlier */
    assert_int_equal(receiver->requests, 1);
    for (int i = 0; i < 20; i++) {
        fixture->now_ms += 300 * 1000;
        (void)deliver(fixture);
        if (i == 10) {
            restart(fixture);
        }
    }
    assert_int_equal(hook_number(fixture, "failures"), 21);
    receiver->status = 200;
    fixture->now_ms += 300 * 1000;
    (void)deliver(fixture);
    assert_seen(receiver, "2 3 4 5");
    assert_hook(fixture, "state", "active");
    assert_hook(fixture, "last_error", NULL);
    assert_hook(fixture, "next_try_at", NULL);
    assert_int_equal(hook_number(fixture, "delivered"), 4);
    assert_int_equal(hook_number(fixture, "failures"), 0);
    close_receiver(receiver);
}

static void outage__of_one_holds_up_no_other(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(200);

    json_decref(add(fixture, "{\"id\":\"gone\",\"url\":\"http://127.0.0.1:1/\"}"));
    hook(fixture, receiver, ",\"kinds\":[\"device\"]");
    devices(fixture, 1, 2);
    (void)deliver(fixture);
    assert_seen(receiver, "3 4");
    close_receiver(receiver);
}

static void restart__repeats_nothing_that_was_taken(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(200);

    hook(fixture, receiver, ",\"kinds\":[\"device\"]");
    devices(fixture, 1, 2);
    (void)deliver(fixture);
    assert_seen(receiver, "2 3");
    restart(fixture);
    (void)deliver(fixture);
    assert_seen(receiver, "");
    devices(fixture, 3, 3);
    (void)deliver(fixture);
    assert_seen(receiver, "4");
    close_receiver(receiver);
}

static void log__that_dropped_events_counts_them_as_lost(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(503);

    fixture->events_keep = 3;
    restart(fixture);
    hook(fixture, receiver, ",\"kinds\":[\"device\"]");
    devices(fixture, 1, 9); /* 2 to 10 */
    (void)deliver(fixture);
    assert_int_equal(ox_control_tick(fixture->control, true, NULL), OX_OK);
    receiver->status = 200;
    fixture->now_ms += 300 * 1000;
    (void)deliver(fixture);
    assert_seen(receiver, "8 9 10");
    assert_int_equal(hook_number(fixture, "lost"), 6);
    close_receiver(receiver);
}

static void gone_receiver__stops_until_it_is_resumed(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(410);
    json_t *out = NULL;

    hook(fixture, receiver, ",\"kinds\":[\"device\"]");
    devices(fixture, 1, 1);
    (void)deliver(fixture);
    assert_hook(fixture, "state", "stopped");
    assert_hook(fixture, "last_error", "resume it");
    fixture->now_ms += 24 * 3600 * 1000;
    restart(fixture);
    devices(fixture, 2, 2);
    (void)deliver(fixture);
    assert_int_equal(receiver->requests, 1);
    receiver->status = 200;
    assert_int_equal(ox_control_webhook_resume(fixture->control, "h", &out, NULL), OX_OK);
    json_decref(out);
    (void)deliver(fixture);
    assert_seen(receiver, "2 4"); /* 3 tells that it was stopped */
    close_receiver(receiver);
}

static void receiver__is_obeyed(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(429);

    receiver->headers = "Retry-After: 600\r\n";
    hook(fixture, receiver, "");
    (void)deliver(fixture);
    fixture->now_ms += 599 * 1000;
    (void)deliver(fixture);
    assert_int_equal(receiver->requests, 1);
    fixture->now_ms += 2 * 1000;
    (void)deliver(fixture);
    assert_int_equal(receiver->requests, 2);
    close_receiver(receiver);
}

static void redirects__are_not_followed(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *other = open_receiver(200);
    struct receiver *receiver = open_receiver(307);
    char headers[128];

    (void)snprintf(headers, sizeof(headers), "Location: %s/\r\n", other->server.url);
    receiver->headers = headers;
    hook(fixture, receiver, "");
    (void)deliver(fixture);
    assert_int_equal(receiver->requests, 1);
    assert_int_equal(other->requests, 0);
    assert_hook(fixture, "last_error", "redirects are not followed");
    close_receiver(receiver);
    close_receiver(other);
}

static void long_answers__are_no_matter(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(200);

    receiver->long_answer = true;
    hook(fixture, receiver, "");
    (void)deliver(fixture);
    assert_hook(fixture, "state", "active");
    receiver->status = 500;
    devices(fixture, 1, 1);
    (void)deliver(fixture);
    assert_hook(fixture, "state", "failing");
    assert_hook(fixture, "last_error", "HTTP 500: xxx");
    close_receiver(receiver);
}

static void endless_answers__are_cut_off(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(200);

    receiver->long_answer = true;
    receiver->headers = "Content-Length: 1125899906842624\r\n";
    hook(fixture, receiver, "");
    (void)deliver(fixture);
    assert_int_equal(receiver->requests, 1);
    assert_hook(fixture, "state", "active");
    close_receiver(receiver);
}

static void clock_that_was_set_back__makes_nobody_wait(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(500);

    hook(fixture, receiver, "");
    fixture->now_ms += 30ll * 24 * 3600 * 1000;
    (void)deliver(fixture);
    fixture->now_ms -= 30ll * 24 * 3600 * 1000;
    receiver->status = 200;
    (void)deliver(fixture);
    assert_hook(fixture, "state", "active");
    close_receiver(receiver);
}

static void removed_one__gets_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(200);
    json_t *out = NULL;

    hook(fixture, receiver, "");
    assert_int_equal(ox_control_webhook_remove(fixture->control, "h", &out, NULL), OX_OK);
    json_decref(out);
    devices(fixture, 1, 1);
    assert_int_equal(deliver(fixture), 0);
    restart(fixture);
    assert_int_equal(deliver(fixture), 0);
    assert_int_equal(receiver->requests, 0);
    close_receiver(receiver);
}

static void test__says_what_the_receiver_answers(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(200);
    json_t *out = NULL;

    hook(fixture, receiver, "");
    assert_int_equal(ox_control_webhook_test(fixture->control, "h", &out, NULL), OX_OK);
    assert_true(json_is_true(at(out, "delivered")));
    assert_int_equal(number_at(out, "status"), 200);
    assert_string_equal(receiver->body, "{\"webhook\":\"h\",\"events\":[]}");
    json_decref(out);
    receiver->status = 401;
    assert_int_equal(ox_control_webhook_test(fixture->control, "h", &out, NULL), OX_OK);
    assert_true(json_is_false(at(out, "delivered")));
    assert_string_equal(text_at(out, "error"), "HTTP 401");
    json_decref(out);
    assert_int_equal(hook_number(fixture, "failures"), 0); /* it counts for nothing */
    close_receiver(receiver);
}

static void threads__deliver_and_end(void **state)
{
    struct fixture *fixture = *state;
    struct receiver *receiver = open_receiver(200);
    const struct timespec nap = {0, 10 * 1000 * 1000};

    assert_int_equal(ox_control_start(fixture->control, NULL), OX_OK);
    hook(fixture, receiver, "");
    devices(fixture, 1, 3);
    for (int i = 0; i < 6000 && hook_number(fixture, "backlog") > 0; i++) {
        (void)nanosleep(&nap, NULL);
    }
    assert_int_equal(hook_number(fixture, "backlog"), 0);
    ox_control_stop(fixture->control);
    assert_seen(receiver, "1 2 3 4");
    close_receiver(receiver);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(add__makes_a_secret_that_is_shown_once),
        TEST(add__refuses_what_makes_no_sense),
        TEST(add__takes_ports_and_addresses),
        TEST(add__names_are_taken_once_and_bounded),
        TEST(unknown_ones__are_not_found),
        TEST(delivery__is_signed),
        TEST(delivery__is_of_the_kinds_that_are_asked_for),
        TEST(delivery__begins_where_it_is_asked_to),
        TEST(delivery__comes_in_batches),
        TEST(outage__loses_nothing_and_keeps_the_order),
        TEST(outage__of_one_holds_up_no_other),
        TEST(restart__repeats_nothing_that_was_taken),
        TEST(log__that_dropped_events_counts_them_as_lost),
        TEST(gone_receiver__stops_until_it_is_resumed),
        TEST(receiver__is_obeyed),
        TEST(redirects__are_not_followed),
        TEST(long_answers__are_no_matter),
        TEST(endless_answers__are_cut_off),
        TEST(clock_that_was_set_back__makes_nobody_wait),
        TEST(removed_one__gets_nothing),
        TEST(test__says_what_the_receiver_answers),
        TEST(threads__deliver_and_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

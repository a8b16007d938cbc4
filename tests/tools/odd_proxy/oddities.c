#define _GNU_SOURCE /* memmem */
#include "oddities.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#define ENDLESS_BYTES ((size_t)256 << 20) /* what "endless" comes to, should nobody hang up */
#define ENDLESS_MS 120000

/* --- sending --- */

bool ox_put(struct exchange *x, const void *bytes, size_t len)
{
    const char *from = bytes;

    while (len > 0 && !x->closed) {
        ssize_t done = send(x->fd, from, len, MSG_NOSIGNAL);

        if (done <= 0) {
            x->closed = true;
            break;
        }
        from += done;
        len -= (size_t)done;
        x->sent += (size_t)done;
    }
    return !x->closed;
}

static bool put_text(struct exchange *x, const char *text)
{
    return ox_put(x, text, strlen(text));
}

/* A status line and headers, each line of `lines` ended by \r\n, and Connection: close. */
static void put_head(struct exchange *x, const char *status, const char *lines)
{
    char head[2048];

    (void)snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sConnection: close\r\n\r\n", status, lines);
    (void)put_text(x, head);
}

static void put_length(struct exchange *x, const char *status, const char *lines, size_t length)
{
    char all[1536];

    (void)snprintf(all, sizeof(all), "%sContent-Length: %zu\r\n", lines, length);
    put_head(x, status, all);
}

static void nap(int64_t ms)
{
    struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    (void)nanosleep(&time, NULL);
}

/* Nothing more comes, until the client goes. */
static void hold(struct exchange *x)
{
    struct timeval limit = {ENDLESS_MS / 1000, 0};
    char byte;

    (void)setsockopt(x->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)!recv(x->fd, &byte, 1, 0);
}

static void put_endlessly(struct exchange *x, const char *block, size_t len)
{
    for (size_t sent = 0; sent < ENDLESS_BYTES && ox_put(x, block, len); sent += len) {
    }
}

/* --- looking --- */

const char *ox_head_value(const char *head, const char *name, char *out, size_t cap)
{
    size_t len = strlen(name);

    out[0] = '\0';
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
            const char *value = line + 3 + len + strspn(line + 3 + len, " ");
            size_t value_len = strcspn(value, "\r");

            (void)snprintf(out, cap, "%.*s", (int)value_len, value);
            break;
        }
    }
    return out;
}

static size_t number(const struct exchange *x)
{
    return (size_t)strtoull(x->arg, NULL, 10);
}

static bool is_part(const struct exchange *x)
{
    return strncmp(x->answer, "HTTP/1.1 206", 12) == 0;
}

/* The answer's head without the headers named, each line ended; the status line is left out. */
static void lines_but(const struct exchange *x, const char *const *names, char *out, size_t cap)
{
    const char *line = strstr(x->answer, "\r\n");
    size_t used = 0;

    out[0] = '\0';
    while (line != NULL && line + 2 < x->body - 2) {
        const char *next = strstr(line + 2, "\r\n");
        bool left_out = strncasecmp(line + 2, "Connection:", 11) == 0;

        for (size_t i = 0; names[i] != NULL; i++) {
            left_out = left_out || strncasecmp(line + 2, names[i], strlen(names[i])) == 0;
        }
        if (!left_out && next != NULL) {
            used += (size_t)snprintf(out + used, used < cap ? cap - used : 0, "%.*s\r\n",
                                     (int)(next - line - 2), line + 2);
        }
        line = next;
    }
}

/* The answer's status and head, without some headers and with others, for its body to follow. */
static void put_answer_head(struct exchange *x, const char *const *but, const char *more)
{
    char lines[HEAD_MAX];
    char all[HEAD_MAX + 512];
    char status[128];

    lines_but(x, but, lines, sizeof(lines));
    (void)snprintf(status, sizeof(status), "%.*s", (int)strcspn(x->answer + 9, "\r"),
                   x->answer + 9);
    (void)snprintf(all, sizeof(all), "HTTP/1.1 %s\r\n%s%sConnection: close\r\n\r\n", status, lines,
                   more);
    (void)put_text(x, all);
}

/* --- the oddities --- */

static void say_as_it_is(struct exchange *x)
{
    static const char *const none[] = {NULL};

    put_answer_head(x, none, "");
    (void)ox_put(x, x->body, x->body_len);
}

static void say_shifted_range(struct exchange *x)
{
    static const char *const but[] = {"Content-Range:", NULL};

    put_answer_head(x, but, is_part(x) ? "Content-Range: bytes 1-2/3\r\n" : "");
    (void)ox_put(x, x->body, x->body_len);
}

static void say_no_range(struct exchange *x)
{
    static const char *const but[] = {"Content-Range:", NULL};

    put_answer_head(x, but, "");
    (void)ox_put(x, x->body, x->body_len);
}

static void say_tag(struct exchange *x)
{
    static const char *const but[] = {"ETag:", NULL};
    char line[256];

    (void)snprintf(line, sizeof(line), "ETag: %s\r\n", x->arg);
    put_answer_head(x, but, line);
    (void)ox_put(x, x->body, x->body_len);
}

static void say_weak_tag(struct exchange *x)
{
    static const char *const but[] = {"ETag:", NULL};
    char line[256];
    char tag[128];

    (void)snprintf(line, sizeof(line), "ETag: W/%s\r\n",
                   ox_head_value(x->answer, "ETag", tag, sizeof(tag)));
    put_answer_head(x, but, line);
    (void)ox_put(x, x->body, x->body_len);
}

static void say_cut(struct exchange *x)
{
    static const char *const none[] = {NULL};

    put_answer_head(x, none, "");
    (void)ox_put(x, x->body, number(x) < x->body_len ? number(x) : x->body_len);
}

static void say_cut_without_length(struct exchange *x)
{
    static const char *const but[] = {"Content-Length:", NULL};

    put_answer_head(x, but, "");
    (void)ox_put(x, x->body, number(x) < x->body_len ? number(x) : x->body_len);
}

static void say_without_length(struct exchange *x)
{
    static const char *const but[] = {"Content-Length:", NULL};

    put_answer_head(x, but, "");
    (void)ox_put(x, x->body, x->body_len);
}

static void say_endless(struct exchange *x)
{
    static const char *const but[] = {"Content-Length:", NULL};

    put_answer_head(x, but, "");
    if (x->body_len > 0) {
        put_endlessly(x, x->body, x->body_len);
    }
}

static void say_other_length(struct exchange *x)
{
    static const char *const but[] = {"Content-Length:", NULL};
    char line[64];
    size_t length = number(x);

    (void)snprintf(line, sizeof(line), "Content-Length: %zu\r\n", length);
    put_answer_head(x, but, line);
    (void)ox_put(x, x->body, length < x->body_len ? length : x->body_len);
    for (size_t sent = x->body_len; sent < length && ox_put(x, "x", 1); sent++) {
    }
}

static void put_chunk(struct exchange *x, const void *bytes, size_t len)
{
    char size[32];

    (void)snprintf(size, sizeof(size), "%zx\r\n", len);
    (void)(put_text(x, size) && ox_put(x, bytes, len) && put_text(x, "\r\n"));
}

static void begin_chunks(struct exchange *x)
{
    static const char *const but[] = {"Content-Length:", NULL};

    put_answer_head(x, but, "Transfer-Encoding: chunked\r\n");
}

static void say_in_chunks(struct exchange *x)
{
    begin_chunks(x);
    for (size_t at = 0; at < x->body_len; at += 1000) {
        put_chunk(x, x->body + at, x->body_len - at < 1000 ? x->body_len - at : 1000);
    }
    (void)put_text(x, "0\r\n\r\n");
}

static void say_broken_chunks(struct exchange *x)
{
    begin_chunks(x);
    put_chunk(x, x->body, x->body_len < 1000 ? x->body_len : 1000);
    (void)put_text(x, "zz\r\nthis is no length\r\n");
}

static void say_chunks_without_end(struct exchange *x)
{
    begin_chunks(x);
    put_chunk(x, x->body, x->body_len < 1000 ? x->body_len : 1000);
}

static void say_endless_trailers(struct exchange *x)
{
    static const char line[] = "X-Trailer: and one more of them\r\n";

    begin_chunks(x);
    put_chunk(x, x->body, x->body_len);
    (void)put_text(x, "0\r\n");
    put_endlessly(x, line, sizeof(line) - 1);
}

static void say_encoded(struct exchange *x)
{
    static const char *const but[] = {"Content-Encoding:", NULL};
    char line[128];

    (void)snprintf(line, sizeof(line), "Content-Encoding: %s\r\n", x->arg);
    put_answer_head(x, but, line);
    (void)ox_put(x, x->body, x->body_len);
}

static void say_wrong_byte(struct exchange *x)
{
    if (number(x) < x->body_len) {
        x->body[number(x)] ^= 0x55;
    }
    say_as_it_is(x);
}

static const char page[] = "<!DOCTYPE html><title>Welcome</title><p>Please log in to go on.\n";

static void say_page(struct exchange *x)
{
    put_length(x, "200 OK", "Content-Type: text/html\r\n", sizeof(page) - 1);
    (void)put_text(x, page);
}

static void say_page_in_chunks(struct exchange *x)
{
    put_head(x, "200 OK", "Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n");
    put_chunk(x, page, sizeof(page) - 1);
    (void)put_text(x, "0\r\n\r\n");
}

static void say_text(struct exchange *x)
{
    put_length(x, "200 OK", "Content-Type: application/json\r\n", strlen(x->arg));
    (void)put_text(x, x->arg);
}

/* ARG: a status, and what Retry-After says, if anything */
static void say_status(struct exchange *x)
{
    static const char body[] = "{\"error\":{\"code\":\"odd\",\"message\":\"not now\"}}";
    const char *after = strchr(x->arg, ' ');
    char line[256] = "";
    char status[32];

    (void)snprintf(status, sizeof(status), "%.3s Odd", x->arg);
    if (after != NULL) {
        (void)snprintf(line, sizeof(line),
                       "Date: Fri, 01 Jan 2027 00:00:00 GMT\r\nRetry-After: %s\r\n", after + 1);
    }
    put_length(x, status, line, sizeof(body) - 1);
    (void)put_text(x, body);
}

static void say_endless_refusal(struct exchange *x)
{
    char status[32];

    (void)snprintf(status, sizeof(status), "%.3s Odd", x->arg);
    put_head(x, status, "");
    put_endlessly(x, page, sizeof(page) - 1);
}

static void say_endless_text(struct exchange *x)
{
    static const char word[] = "\"and so on and on\",";

    put_head(x, "200 OK", "Content-Type: application/json\r\n");
    (void)put_text(x, "{\"assignments\":[");
    put_endlessly(x, word, sizeof(word) - 1);
}

static void say_garbage(struct exchange *x)
{
    char block[512];

    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (char)(i * 167 + 13);
    }
    (void)ox_put(x, block, sizeof(block));
}

static void say_http09(struct exchange *x)
{
    (void)ox_put(x, x->body, x->body_len);
}

static void say_tls(struct exchange *x)
{
    (void)ox_put(x, "\x15\x03\x01\x00\x02\x02\x28", 7); /* an alert: handshake failure */
}

static void say_nothing(struct exchange *x)
{
    (void)x;
}

static void reset(struct exchange *x)
{
    struct linger linger = {1, 0};

    (void)setsockopt(x->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void say_endless_headers(struct exchange *x)
{
    static const char line[] = "X-Header: and one more of them\r\n";

    (void)put_text(x, "HTTP/1.1 200 OK\r\n");
    put_endlessly(x, line, sizeof(line) - 1);
}

static void say_long_header(struct exchange *x)
{
    (void)put_text(x, "HTTP/1.1 200 OK\r\nX-Header: ");
    put_endlessly(x, page, sizeof(page) - 2);
}

static void say_endless_interim(struct exchange *x)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";

    put_endlessly(x, interim, sizeof(interim) - 1);
}

static void say_elsewhere(struct exchange *x)
{
    char line[1200];

    (void)snprintf(line, sizeof(line), "Location: %s\r\n", x->arg[0] == '\0' ? x->path : x->arg);
    put_length(x, "302 Found", line, 0);
}

static void stall(struct exchange *x)
{
    say_cut(x);
    hold(x);
}

static void stall_at_once(struct exchange *x)
{
    hold(x);
}

static void drip(struct exchange *x)
{
    static const char *const none[] = {NULL};

    put_answer_head(x, none, "");
    for (size_t at = 0; at < x->body_len && at < ENDLESS_MS / 20 && ox_put(x, x->body + at, 1);
         at++) {
        nap(20);
    }
}

/* ARG: FROM TO, words in the body */
static void say_with_other_words(struct exchange *x)
{
    static const char *const but[] = {"Content-Length:", NULL};
    const char *to = strchr(x->arg, ' ');
    char from[RULE_MAX] = "";
    char line[64];
    char *at;

    (void)snprintf(from, sizeof(from), "%.*s", (int)strcspn(x->arg, " "), x->arg);
    to = to == NULL ? "" : to + 1;
    at = from[0] == '\0' ? NULL : memmem(x->body, x->body_len, from, strlen(from));
    if (at == NULL) {
        say_as_it_is(x);
        return;
    }
    (void)snprintf(line, sizeof(line), "Content-Length: %zu\r\n",
                   x->body_len - strlen(from) + strlen(to));
    put_answer_head(x, but, line);
    (void)ox_put(x, x->body, (size_t)(at - x->body));
    (void)put_text(x, to);
    at += strlen(from);
    (void)ox_put(x, at, x->body_len - (size_t)(at - x->body));
}

static const struct oddity oddities[] = {
    {"as-it-is", say_as_it_is, false, ""},
    {"whole", say_as_it_is, true, "200 and all where the rest was asked for"},
    {"range-other", say_shifted_range, false, "206 with another Content-Range"},
    {"range-none", say_no_range, false, "206 without Content-Range"},
    {"tag", say_tag, false, "ARG as ETag"},
    {"tag-weak", say_weak_tag, false, "the ETag, but weak"},
    {"tag-other-whole", say_tag, true, "200 and all, with ARG as ETag"},
    {"cut", say_cut, false, "ARG bytes of the body"},
    {"cut-without-length", say_cut_without_length, false, "the same, and no length was said"},
    {"without-length", say_without_length, false, "all of it, and no length was said"},
    {"endless", say_endless, false, "the body again and again"},
    {"length", say_other_length, false, "a body of ARG bytes"},
    {"chunks", say_in_chunks, false, "in chunks"},
    {"chunks-broken", say_broken_chunks, false, "and in what is no chunk"},
    {"chunks-without-end", say_chunks_without_end, false, "one chunk of several"},
    {"endless-trailers", say_endless_trailers, false, ""},
    {"encoded", say_encoded, false, "ARG as Content-Encoding"},
    {"wrong-byte", say_wrong_byte, false, "byte ARG is another"},
    {"page", say_page, false, "the page of a captive portal"},
    {"page-chunks", say_page_in_chunks, false, "the same without a length"},
    {"text", say_text, false, "200 and ARG"},
    {"status", say_status, false, "ARG: status, and what Retry-After says"},
    {"endless-refusal", say_endless_refusal, false, "status ARG and a body without an end"},
    {"endless-words", say_endless_text, false, "200 and JSON without an end"},
    {"garbage", say_garbage, false, "bytes that are no HTTP"},
    {"http09", say_http09, false, "the body alone"},
    {"tls", say_tls, false, "an alert of TLS"},
    {"nothing", say_nothing, false, "the connection is closed"},
    {"reset", reset, false, "the connection is reset"},
    {"endless-headers", say_endless_headers, false, ""},
    {"long-header", say_long_header, false, "one header without an end"},
    {"endless-interim", say_endless_interim, false, "100 Continue again and again"},
    {"elsewhere", say_elsewhere, false, "a redirect to ARG, or to itself"},
    {"stall", stall, false, "ARG bytes of the body, and then nothing"},
    {"stall-at-once", stall_at_once, false, "nothing, and the connection stays"},
    {"drip", drip, false, "50 bytes per second"},
    {"words", say_with_other_words, false, "ARG: a word of the body, and what stands in its place"},
};
#define ODDITIES (sizeof(oddities) / sizeof(oddities[0]))

const struct oddity *ox_oddity(const char *name)
{
    for (size_t i = 0; i < ODDITIES; i++) {
        if (strcmp(oddities[i].name, name) == 0) {
            return &oddities[i];
        }
    }
    return NULL;
}

void ox_oddities_help(void)
{
    for (size_t i = 0; i < ODDITIES; i++) {
        printf("  %-20s %s\n", oddities[i].name, oddities[i].help);
    }
}

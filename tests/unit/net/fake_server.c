#include "fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

char *fake_header(const struct fake_request *request, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = request->head; *line != '\0';) {
        const char *end = strstr(line, "\r\n");

        if (end == NULL) {
            break;
        }
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            const char *value = line + len + 1 + strspn(line + len + 1, " ");

            return strndup(value, (size_t)(end - value));
        }
        line = end + 2;
    }
    return NULL;
}

/* Read head and body. Returns 0 when the client said nothing whole. */
static int read_request(int fd, struct fake_request *request)
{
    char *head_end = NULL;
    size_t have = 0;
    char *length;
    size_t rest;

    memset(request, 0, sizeof(*request));
    while (head_end == NULL && have + 1 < sizeof(request->head)) {
        ssize_t got = read(fd, request->head + have, sizeof(request->head) - 1 - have);

        if (got <= 0) {
            return 0;
        }
        have += (size_t)got;
        request->head[have] = '\0';
        head_end = strstr(request->head, "\r\n\r\n");
    }
    if (head_end == NULL ||
        sscanf(request->head, "%15s %1023s", request->method, request->path) != 2) {
        return 0;
    }
    length = fake_header(request, "Content-Length");
    request->body_len = length == NULL ? 0 : (size_t)strtoull(length, NULL, 10);
    free(length);
    request->body = calloc(1, request->body_len + 1);
    must(request->body != NULL, "calloc");
    rest = have - (size_t)(head_end + 4 - request->head);
    rest = rest < request->body_len ? rest : request->body_len;
    memcpy(request->body, head_end + 4, rest);
    head_end[2] = '\0';
    while (rest < request->body_len) {
        ssize_t got = read(fd, request->body + rest, request->body_len - rest);

        if (got <= 0) {
            return 0;
        }
        rest += (size_t)got;
    }
    return 1;
}

static void send_all(int fd, const void *bytes, size_t len)
{
    const char *from = bytes;

    while (len > 0) {
        ssize_t put = send(fd, from, len, MSG_NOSIGNAL);

        if (put <= 0) {
            return;
        }
        from += put;
        len -= (size_t)put;
    }
}

static void answer_request(struct fake_server *server, int fd)
{
    struct fake_request request;
    struct fake_answer answer = {.status = 200, .send_len = SIZE_MAX};
    char head[2048];
    char length[64] = "";
    int len;

    if (read_request(fd, &request)) {
        server->handler(server->ctx, &request, &answer);
        if (answer.hang) {
            char byte;

            (void)!read(fd, &byte, 1); /* until the client gives up */
        } else {
            if (!answer.no_length) {
                (void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n", answer.body_len);
            }
            len = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\n%s%sConnection: close\r\n\r\n",
                           answer.status, length, answer.headers);
            send_all(fd, head, (size_t)len);
            if (strcmp(request.method, "HEAD") != 0 && answer.body != NULL) {
                send_all(fd, answer.body,
                         answer.send_len < answer.body_len ? answer.send_len : answer.body_len);
            }
        }
    }
    free(request.body);
}

static void *serve(void *arg)
{
    struct fake_server *server = arg;

    for (;;) {
        int fd = accept(server->listen_fd, NULL, NULL);

        if (fd < 0) {
            return NULL;
        }
        answer_request(server, fd);
        (void)shutdown(fd, SHUT_WR);
        (void)close(fd);
    }
}

void fake_server_start(struct fake_server *server, fake_handler *handler, void *ctx)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);

    server->handler = handler;
    server->ctx = ctx;
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(server->listen_fd >= 0, "socket");
    must(bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
    must(listen(server->listen_fd, 16) == 0, "listen");
    must(getsockname(server->listen_fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
    server->port = ntohs(address.sin_port);
    (void)snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d", server->port);
    must(pthread_create(&server->thread, NULL, serve, server) == 0, "pthread_create");
}

void fake_server_stop(struct fake_server *server)
{
    (void)shutdown(server->listen_fd, SHUT_RDWR); /* accept returns */
    (void)pthread_join(server->thread, NULL);
    (void)close(server->listen_fd);
}

/**
 * A tiny HTTP server on a loopback port, in a thread of its own: one connection and one request at
 * a time, each closed after its answer. What it answers is the test's.
 */
#ifndef TESTS_FAKE_SERVER_H
#define TESTS_FAKE_SERVER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_HEAD_MAX 8192

struct fake_request {
    char method[16];
    char path[1024];
    char head[FAKE_HEAD_MAX]; /* all header lines, NUL-terminated */
    uint8_t *body;            /* NUL-terminated behind body_len */
    size_t body_len;
};

struct fake_answer {
    int status;
    char headers[1024];  /* lines ending in \r\n */
    const uint8_t *body; /* lent until the handler is called again */
    size_t body_len;     /* what Content-Length says */
    size_t send_len;     /* bytes that are really sent before the connection is closed */
    int no_length;       /* leave Content-Length out */
    int hang;            /* send nothing until the client goes away */
};

typedef void fake_handler(void *ctx, const struct fake_request *request,
                          struct fake_answer *answer);

struct fake_server {
    int listen_fd;
    int port;
    pthread_t thread;
    fake_handler *handler;
    void *ctx;
    char url[64]; /* http://127.0.0.1:PORT */
};

void fake_server_start(struct fake_server *server, fake_handler *handler, void *ctx);
void fake_server_stop(struct fake_server *server);

/** Value of a header in fresh memory, or NULL. */
char *fake_header(const struct fake_request *request, const char *name);

#endif

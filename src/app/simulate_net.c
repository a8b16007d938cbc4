#define _GNU_SOURCE /* IP_BIND_ADDRESS_NO_PORT */
#include "simulate_net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SCRATCH_BYTES ((size_t)256 * 1024)
#define BODY_MAX ((size_t)64 << 20) /* assignments of many models; lists of campaigns */
#define EVENTS_MAX 512
#define STALL_US ((int64_t)30 * 1000 * 1000)
#define DESCRIPTORS_KEPT 64
#define ROUND_MAX_US ((int64_t)100 * 1000) /* a request to stop is seen so soon */

/* With a rate the system must not take more than it allows. */
#define RATED_RECEIVE_BYTES (32 * 1024)

int64_t ox_sim_now_us(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

enum ox_code ox_sim_net_init(struct ox_sim_net *net, struct ox_err *err)
{
    struct rlimit limit = {0, 0};

    *net = (struct ox_sim_net){.epoll_fd = -1, .now_us = ox_sim_now_us()};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    net->open_max =
        limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? (size_t)limit.rlim_cur - DESCRIPTORS_KEPT : 64;
    net->scratch = malloc(SCRATCH_BYTES);
    if (net->scratch == NULL) {
        return ox_err_nomem(err, "a buffer");
    }
    net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return net->epoll_fd < 0 ? ox_err_sys(err, errno, "making an epoll descriptor") : OX_OK;
}

static void bury(struct ox_sim_net *net)
{
    while (net->dead != NULL) {
        struct ox_sim_conn *next = net->dead->next_dead;

        ox_buf_clear(&net->dead->out);
        ox_buf_clear(&net->dead->body);
        free(net->dead);
        net->dead = next;
    }
}

void ox_sim_net_clear(struct ox_sim_net *net)
{
    bury(net);
    for (size_t i = 0; i < net->authorities_count; i++) {
        free(net->authorities[i]);
    }
    if (net->epoll_fd >= 0) {
        (void)close(net->epoll_fd);
    }
    free(net->scratch);
    *net = (struct ox_sim_net){.epoll_fd = -1};
}

/* --- addresses --- */

static bool is_loopback(const struct addrinfo *info)
{
    struct sockaddr_in v4;

    if (info->ai_family != AF_INET) {
        return false;
    }
    memcpy(&v4, info->ai_addr, sizeof(v4));
    return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
}

/* "host:port" or "[::1]:port"; the port is 80 where none stands. */
static enum ox_code resolve(struct ox_sim_authority *out, struct ox_err *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char host[sizeof(out->name)];
    char *port = NULL;
    char *name = host;
    int problem;

    (void)snprintf(host, sizeof(host), "%s", out->name);
    port = strrchr(host, ':');
    if (host[0] == '[') {
        char *end = strchr(host, ']');

        name = host + 1;
        port = end != NULL && end[1] == ':' ? end + 1 : NULL;
        if (end != NULL) {
            *end = '\0';
        }
    }
    if (port != NULL) {
        *port++ = '\0';
    }
    problem = getaddrinfo(name, port == NULL ? "80" : port, &hints, &list);
    if (problem != 0) {
        return ox_err_set(err, OX_ENET, "cannot find %s: %s", out->name, gai_strerror(problem));
    }
    memcpy(&out->address, list->ai_addr, list->ai_addrlen);
    out->address_len = list->ai_addrlen;
    out->loopback = is_loopback(list);
    freeaddrinfo(list);
    return OX_OK;
}

enum ox_code ox_sim_authority(struct ox_sim_net *net, const char *url,
                              const struct ox_sim_authority **out, const char **path,
                              struct ox_err *err)
{
    struct ox_sim_authority *authority;
    size_t len;
    enum ox_code code;

    if (strncmp(url, "https://", 8) == 0) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "simulated agents speak no TLS: name an http:// address");
    }
    if (strncmp(url, "http://", 7) != 0) {
        return ox_err_set(err, OX_EINVAL, "\"%.64s\" is no address like http://HOST:PORT", url);
    }
    url += 7;
    len = strcspn(url, "/?#");
    if (len == 0 || len >= sizeof(authority->name)) {
        return ox_err_set(err, OX_EINVAL, "\"%.64s\" is no address like http://HOST:PORT", url);
    }
    *path = url + len;
    for (size_t i = 0; i < net->authorities_count; i++) {
        if (strncmp(net->authorities[i]->name, url, len) == 0 &&
            net->authorities[i]->name[len] == '\0') {
            *out = net->authorities[i];
            return OX_OK;
        }
    }
    if (net->authorities_count == sizeof(net->authorities) / sizeof(net->authorities[0])) {
        return ox_err_set(err, OX_ETOOBIG, "blobs come from more hosts than are simulated");
    }
    authority = calloc(1, sizeof(*authority));
    if (authority == NULL) {
        return ox_err_nomem(err, "an address");
    }
    memcpy(authority->name, url, len);
    code = resolve(authority, err);
    if (code != OX_OK) {
        free(authority);
        return code;
    }
    net->authorities[net->authorities_count++] = authority;
    *out = authority;
    return OX_OK;
}

/* --- sockets --- */

static void close_socket(struct ox_sim_conn *conn)
{
    if (conn->fd >= 0) {
        (void)close(conn->fd); /* and leaves epoll */
        conn->net->open--;
    }
    conn->fd = -1;
    conn->events = 0;
    conn->connected = false;
}

/* Devices of a real fleet come from many addresses: 127.16.0.0 and on, one for each 16th. */
static void bind_source(const struct ox_sim_conn *conn)
{
    const int yes = 1;
    struct sockaddr_in source = {.sin_family = AF_INET};

    source.sin_addr.s_addr = htonl(0x7f100000u + (conn->source & 0xfffff));
    (void)setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
    (void)bind(conn->fd, (const struct sockaddr *)&source, sizeof(source));
}

static void wait_for(struct ox_sim_conn *conn, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = conn}};

    if (conn->fd >= 0 && events != conn->events) {
        (void)epoll_ctl(conn->net->epoll_fd, conn->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
                        conn->fd, &event);
        conn->events = events;
    }
}

static int open_socket(struct ox_sim_conn *conn)
{
    const int yes = 1;
    const int small = RATED_RECEIVE_BYTES;
    const struct ox_sim_authority *to = conn->to;

    if (conn->net->open >= conn->net->open_max) {
        return EMFILE;
    }
    conn->fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        return errno;
    }
    conn->net->open++;
    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (conn->rate_bps > 0) {
        (void)setsockopt(conn->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    }
    if (to->loopback) {
        bind_source(conn);
    }
    if (connect(conn->fd, (const struct sockaddr *)&to->address, to->address_len) != 0 &&
        errno != EINPROGRESS) {
        int problem = errno;

        close_socket(conn);
        return problem;
    }
    return 0;
}

struct ox_sim_conn *ox_sim_conn_new(struct ox_sim_net *net, const struct ox_sim_authority *to,
                                    uint32_t source)
{
    struct ox_sim_conn *conn = calloc(1, sizeof(*conn));

    if (conn != NULL) {
        conn->net = net;
        conn->to = to;
        conn->source = source;
        conn->fd = -1;
        conn->resume_us = OX_SIM_NEVER;
        conn->deadline_us = OX_SIM_NEVER;
    }
    return conn;
}

void ox_sim_conn_free(struct ox_sim_conn *conn)
{
    if (conn != NULL) {
        close_socket(conn);
        conn->busy = false;
        conn->user = (struct ox_sim_user){NULL, NULL, NULL, NULL};
        conn->next_dead = conn->net->dead; /* events of this round may still name it */
        conn->net->dead = conn;
    }
}

/* --- exchanges --- */

static const char *problem_word(int problem)
{
    switch (problem) {
    case ECONNREFUSED:
        return "connection refused";
    case ECONNRESET:
    case EPIPE:
        return "connection reset";
    case ETIMEDOUT:
        return "connection timed out";
    case EMFILE:
        return "no descriptor left: raise the limit (ulimit -n)";
    case EADDRNOTAVAIL:
        return "no local port left";
    default:
        return strerror(problem);
    }
}

static void count_end(struct ox_sim_conn *conn, enum ox_code code, const char *problem)
{
    struct ox_sim_kind *kind = &conn->net->stats.kinds[conn->kind];
    unsigned status = conn->http.status;
    char text[32];

    if (code != OX_OK) {
        kind->failed++;
        ox_sim_stats_error(&conn->net->stats, problem);
        return;
    }
    if ((status >= 200 && status < 300) || status == 304) {
        kind->answered++;
    } else {
        kind->refused++;
        (void)snprintf(text, sizeof(text), "status %u", status);
        ox_sim_stats_error(&conn->net->stats, text);
    }
    if (conn->kind != OX_SIMULATE_BLOB) {
        ox_sim_latency_add(&kind->latency, (uint64_t)(ox_sim_now_us() - conn->started_us));
    }
}

static void end(struct ox_sim_conn *conn, enum ox_code code, const char *problem)
{
    struct ox_sim_user user = conn->user;

    count_end(conn, code, problem);
    conn->busy = false;
    conn->deadline_us = OX_SIM_NEVER;
    conn->resume_us = OX_SIM_NEVER;
    if (code != OX_OK || !conn->http.keep) {
        close_socket(conn);
    } else {
        wait_for(conn, EPOLLIN); /* the peer may close it */
    }
    user.on_end(user.ctx, conn, code, problem);
}

/* A kept connection that the peer closed just when we wrote: on a fresh one it works. */
static bool tries_again(struct ox_sim_conn *conn)
{
    if (!conn->reused) {
        return false;
    }
    conn->reused = false;
    conn->out_at = 0;
    ox_sim_http_begin(&conn->http);
    close_socket(conn);
    if (open_socket(conn) != 0) {
        return false;
    }
    wait_for(conn, EPOLLIN | EPOLLOUT);
    return true;
}

static void broke(struct ox_sim_conn *conn, int problem)
{
    if (!conn->busy) { /* kept, and closed by the peer */
        close_socket(conn);
    } else if (!tries_again(conn)) {
        end(conn, OX_ENET, problem_word(problem));
    }
}

void ox_sim_conn_call(struct ox_sim_conn *conn, enum ox_simulate_kind kind,
                      const struct ox_sim_user *user, const char *line, const char *headers,
                      const char *body)
{
    size_t body_len = body == NULL ? 0 : strlen(body);
    struct ox_sim_net *net = conn->net;
    char length[96] = "";
    int problem = ENOMEM;

    conn->user = *user;
    conn->kind = kind;
    conn->busy = true;
    conn->out.len_bytes = 0;
    conn->out_at = 0;
    conn->body.len_bytes = 0;
    conn->started_us = ox_sim_now_us();
    conn->deadline_us = conn->started_us + STALL_US;
    net->stats.kinds[kind].started++;
    ox_sim_http_begin(&conn->http);
    if (body != NULL) {
        (void)snprintf(length, sizeof(length),
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n", body_len);
    }
    if (ox_buf_printf(&conn->out, NULL,
                      "%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: oxide-simulate\r\n%s%s\r\n", line,
                      conn->to->name, headers, length) == OX_OK &&
        ox_buf_append(&conn->out, body == NULL ? "" : body, body_len, NULL) == OX_OK) {
        conn->reused = conn->fd >= 0;
        problem = conn->reused ? 0 : open_socket(conn);
    }
    if (problem != 0) { /* told in the next round: the caller is not through yet */
        conn->deadline_us = INT64_MIN + 1 + problem;
        return;
    }
    wait_for(conn, EPOLLIN | EPOLLOUT);
}

int64_t ox_sim_conn_due(const struct ox_sim_conn *conn)
{
    return conn == NULL                          ? OX_SIM_NEVER
           : conn->resume_us < conn->deadline_us ? conn->resume_us
                                                 : conn->deadline_us;
}

void ox_sim_conn_wake(struct ox_sim_conn *conn)
{
    if (conn == NULL || !conn->busy) {
        return;
    }
    if (conn->deadline_us < 0) {
        end(conn, OX_ENET, problem_word((int)(conn->deadline_us - INT64_MIN - 1)));
    } else if (conn->resume_us <= conn->net->now_us) {
        conn->resume_us = OX_SIM_NEVER;
        conn->deadline_us = conn->net->now_us + STALL_US;
        wait_for(conn, EPOLLIN);
    } else if (conn->deadline_us <= conn->net->now_us) {
        conn->reused = false;
        end(conn, OX_ETIMEOUT, "no answer within 30 s");
    }
}

/* --- what the sockets bring --- */

static void write_some(struct ox_sim_conn *conn)
{
    while (conn->out_at < conn->out.len_bytes) {
        ssize_t put = send(conn->fd, conn->out.data + conn->out_at,
                           conn->out.len_bytes - conn->out_at, MSG_NOSIGNAL);

        if (put < 0 && errno == EAGAIN) {
            return;
        }
        if (put < 0) {
            broke(conn, errno);
            return;
        }
        conn->out_at += (size_t)put;
        conn->net->stats.sent_bytes += (uint64_t)put;
    }
    wait_for(conn, EPOLLIN);
}

static enum ox_code take_body(struct ox_sim_conn *conn, const struct ox_sim_span *span,
                              struct ox_err *err)
{
    if (span->len == 0) {
        return OX_OK;
    }
    if (conn->user.on_body != NULL && conn->http.status >= 200 && conn->http.status < 300) {
        conn->user.on_body(conn->user.ctx, span->bytes, span->len);
        return OX_OK;
    }
    if (conn->body.len_bytes + span->len > BODY_MAX) {
        return ox_err_set(err, OX_EPROTO, "the server's answer is too large");
    }
    if (ox_buf_append(&conn->body, span->bytes, span->len, err) != OX_OK ||
        ox_buf_reserve(&conn->body, 1, err) != OX_OK) {
        return OX_ENOMEM;
    }
    conn->body.data[conn->body.len_bytes] = '\0';
    return OX_OK;
}

static void note_head(struct ox_sim_conn *conn, enum ox_sim_http_state before)
{
    bool in_head = before == OX_SIM_HTTP_STATUS || before == OX_SIM_HTTP_HEADER;

    if (in_head && conn->http.state > OX_SIM_HTTP_HEADER && conn->kind == OX_SIMULATE_BLOB) {
        ox_sim_latency_add(&conn->net->stats.kinds[conn->kind].latency,
                           (uint64_t)(ox_sim_now_us() - conn->started_us));
    }
}

/* Returns whether the exchange goes on. */
static bool take(struct ox_sim_conn *conn, const char *bytes, size_t len)
{
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code = OX_OK;

    conn->reused = false;
    conn->net->stats.received_bytes += len;
    conn->deadline_us = conn->net->now_us + STALL_US;
    while (code == OX_OK && len > 0 && conn->http.state != OX_SIM_HTTP_DONE) {
        enum ox_sim_http_state before = conn->http.state;
        struct ox_sim_span span;
        size_t used = 0;

        code = ox_sim_http_feed(&conn->http, bytes, len, &used, &span, &err);
        if (code == OX_OK) {
            note_head(conn, before);
            code = take_body(conn, &span, &err);
        }
        bytes += used;
        len -= used;
    }
    if (code != OX_OK) {
        end(conn, code, err.msg);
        return false;
    }
    if (conn->http.state == OX_SIM_HTTP_DONE) {
        conn->http.keep = conn->http.keep && len == 0;
        end(conn, OX_OK, NULL);
        return false;
    }
    return true;
}

/* How much may be read at once, so that a rate is kept within a tenth of a second. */
static size_t room(const struct ox_sim_conn *conn)
{
    uint64_t tenth = conn->rate_bps / 10 + 1;

    return conn->rate_bps == 0 || tenth > SCRATCH_BYTES ? SCRATCH_BYTES : (size_t)tenth;
}

static void hold_up(struct ox_sim_conn *conn, size_t len)
{
    if (conn->rate_bps > 0) {
        conn->resume_us = conn->net->now_us + (int64_t)((double)len * 1e6 / (double)conn->rate_bps);
        conn->deadline_us = OX_SIM_NEVER;
        wait_for(conn, EPOLLERR);
        conn->user.on_due(conn->user.ctx);
    }
}

static void read_some(struct ox_sim_conn *conn)
{
    ssize_t got = recv(conn->fd, conn->net->scratch, room(conn), 0);
    struct ox_err err = OX_ERR_INIT;

    if (got < 0) {
        if (errno != EAGAIN) {
            broke(conn, errno);
        }
    } else if (!conn->busy) {
        close_socket(conn); /* nothing was asked */
    } else if (got > 0) {
        if (take(conn, conn->net->scratch, (size_t)got)) {
            hold_up(conn, (size_t)got);
        }
    } else if (ox_sim_http_closed(&conn->http, &err) == OX_OK) {
        end(conn, OX_OK, NULL);
    } else {
        broke(conn, ECONNRESET);
    }
}

static void take_events(struct ox_sim_conn *conn, uint32_t events)
{
    if (conn->fd >= 0 && (events & EPOLLOUT) != 0) {
        int problem = 0;
        socklen_t len = sizeof(problem);

        if (!conn->connected) {
            (void)getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &problem, &len);
            conn->connected = problem == 0;
        }
        if (problem != 0) {
            broke(conn, problem);
            return;
        }
        write_some(conn);
    }
    if (conn->fd >= 0 && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
        read_some(conn);
    }
}

enum ox_code ox_sim_net_round(struct ox_sim_net *net, int64_t until_us, struct ox_err *err)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t left_us = until_us - ox_sim_now_us();
    int count;

    left_us = left_us < 0 ? 0 : left_us > ROUND_MAX_US ? ROUND_MAX_US : left_us;
    count = epoll_wait(net->epoll_fd, events, EVENTS_MAX, (int)((left_us + 999) / 1000));
    if (count < 0 && errno != EINTR) {
        return ox_err_sys(err, errno, "waiting for sockets");
    }
    net->now_us = ox_sim_now_us();
    for (int i = 0; i < count; i++) {
        take_events(events[i].data.ptr, events[i].events);
    }
    bury(net);
    return OX_OK;
}

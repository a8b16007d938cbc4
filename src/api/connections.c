#include "connections.h"

#include "request.h"

#include "oxide/base/clock.h"
#include "oxide/base/stop.h"
#include "oxide/wire/header.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LOOK_MS 1000
#define LOOK_AGAIN_MS 100 /* while there is little room */

/* Silent connections are closed from this share of the limit on, down to that one. */
#define FULL(max) ((max) - (max) / 10)
#define ROOMY(max) ((max) - (max) / 5)

/* Nobody's first request is cut off for being a moment old. */
#define YOUNG_MS 1000

struct ox_conn {
    struct ox_conn *prev;
    struct ox_conn *next;
    int fd;
    atomic_uint state;   /* its phase, and how many came before: no two turns look the same */
    atomic_ullong bytes; /* of bodies, ever */
    /* the watching thread's alone: when it first saw this state, and what had crossed then */
    unsigned seen_state;
    int64_t seen_mono_ms;
    uint64_t seen_bytes;
};

#define PHASE_BITS 3
#define PHASE_OF(state) ((enum ox_conn_phase)((state) & ((1u << PHASE_BITS) - 1)))
#define FIRST_TURN(state) (((state) >> PHASE_BITS) == 1)

struct ox_conns {
    struct ox_conns_options options;
    pthread_mutex_t lock; /* of the list; a socket in it is open */
    struct ox_conn *first;
    struct ox_conn *last; /* the newest */
    unsigned count;
    pthread_t thread;
    struct ox_stop stop;
};

/* --- on the connection's thread --- */

static void join(struct ox_conns *conns, struct ox_conn *conn)
{
    (void)pthread_mutex_lock(&conns->lock);
    conn->prev = conns->last;
    *(conns->last == NULL ? &conns->first : &conns->last->next) = conn;
    conns->last = conn;
    conns->count++;
    (void)pthread_mutex_unlock(&conns->lock);
}

static void leave(struct ox_conns *conns, struct ox_conn *conn)
{
    (void)pthread_mutex_lock(&conns->lock);
    *(conn->prev == NULL ? &conns->first : &conn->prev->next) = conn->next;
    *(conn->next == NULL ? &conns->last : &conn->next->prev) = conn->prev;
    conns->count--;
    (void)pthread_mutex_unlock(&conns->lock);
}

void ox_conns_notify(void *arg, struct MHD_Connection *connection, void **socket_context,
                     enum MHD_ConnectionNotificationCode how)
{
    struct ox_conns *conns = arg;
    struct ox_conn *conn = *socket_context;
    const union MHD_ConnectionInfo *info;

    if (how == MHD_CONNECTION_NOTIFY_CLOSED) { /* the socket is still open */
        if (conn != NULL) {
            leave(conns, conn);
            free(conn);
            *socket_context = NULL;
        }
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    conn = info == NULL ? NULL : calloc(1, sizeof(*conn));
    if (conn != NULL) {
        conn->fd = info->connect_fd;
        atomic_init(&conn->state, 1u << PHASE_BITS | OX_CONN_SILENT);
        atomic_init(&conn->bytes, 0);
        join(conns, conn);
    }
    *socket_context = conn;
}

struct ox_conn *ox_conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info == NULL ? NULL : info->socket_context;
}

bool ox_conn_enter(struct ox_conn *conn, enum ox_conn_phase phase)
{
    unsigned was = conn == NULL ? (unsigned)phase : atomic_load(&conn->state);

    while (PHASE_OF(was) != phase && PHASE_OF(was) != OX_CONN_CLOSED) {
        unsigned next = ((was >> PHASE_BITS) + 1) << PHASE_BITS | (unsigned)phase;

        if (atomic_compare_exchange_weak(&conn->state, &was, next)) {
            return true;
        }
    }
    return PHASE_OF(was) != OX_CONN_CLOSED;
}

void ox_conn_took(struct ox_conn *conn, size_t bytes)
{
    if (conn != NULL) {
        atomic_fetch_add(&conn->bytes, bytes);
    }
}

/* --- on the watching thread, with the list locked --- */

/* Tell a client that it was too slow, if the socket takes it at once. */
static void say_too_slow(const struct ox_conn *conn, const char *what)
{
    char body[256];
    char answer[512];
    int body_len =
        snprintf(body, sizeof(body),
                 "{\"error\":{\"code\":\"%s\",\"message\":\"the %s came too slowly: send it again, "
                 "over a faster link\"}}",
                 ox_code_word(OX_ETIMEOUT), what);
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                       "Content-Type: " OX_MEDIA_JSON "\r\nContent-Length: %d\r\n\r\n%s",
                       body_len, body);
    ssize_t put = send(conn->fd, answer, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);

    (void)put; /* whoever is that slow may not even read */
}

/* libmicrohttpd sees the end, and closes the socket. False if the state has changed meanwhile. */
static bool shut(struct ox_conn *conn, const char *too_slow)
{
    unsigned was = conn->seen_state;

    if (!atomic_compare_exchange_strong(&conn->state, &was, OX_CONN_CLOSED)) {
        return false;
    }
    if (too_slow != NULL) {
        say_too_slow(conn, too_slow);
    }
    (void)shutdown(conn->fd, SHUT_RDWR);
    return true;
}

/* A window begins: with a new state, or where enough has crossed. */
static void see(struct ox_conn *conn, unsigned state, uint64_t bytes, int64_t at_ms)
{
    conn->seen_state = state;
    conn->seen_mono_ms = at_ms;
    conn->seen_bytes = bytes;
}

static uint64_t bytes_of(struct ox_conn *conn, enum ox_conn_phase phase)
{
    return phase == OX_CONN_BODY     ? atomic_load(&conn->bytes)
           : phase == OX_CONN_ANSWER ? ox_wire_acked(conn->fd)
                                     : 0;
}

/* True if it was closed. */
static bool look_at(const struct ox_conns *conns, struct ox_conn *conn, int64_t at_ms)
{
    const struct ox_conns_options *options = &conns->options;
    unsigned state = atomic_load(&conn->state);
    enum ox_conn_phase phase = PHASE_OF(state);
    bool is_first = FIRST_TURN(state);
    uint64_t bytes = bytes_of(conn, phase);
    int64_t waited_ms = at_ms - conn->seen_mono_ms;

    if (state != conn->seen_state || phase == OX_CONN_OURS || phase == OX_CONN_CLOSED ||
        bytes - conn->seen_bytes >= OX_CONN_WINDOW_BYTES) {
        see(conn, state, bytes, at_ms);
        return false;
    }
    if (phase != OX_CONN_SILENT) {
        return waited_ms >= options->window_ms && shut(conn, phase == OX_CONN_BODY ? "body" : NULL);
    }
    if (waited_ms < options->head_ms + (is_first ? 0 : options->idle_ms)) {
        return false;
    }
    /* a client that has sent nothing at all has done nothing wrong */
    return shut(conn, is_first && ox_wire_received(conn->fd) > 0 ? "head of the request" : NULL);
}

static int by_age(const void *a, const void *b)
{
    int64_t left = (*(struct ox_conn *const *)a)->seen_mono_ms;
    int64_t right = (*(struct ox_conn *const *)b)->seen_mono_ms;

    return left < right ? -1 : left > right;
}

/* Close those that are silent longest until there is room. */
static unsigned make_room(struct ox_conns *conns, int64_t at_ms)
{
    unsigned wanted = conns->count - ROOMY(conns->options.connections_max);
    struct ox_conn **silent = malloc(conns->count * sizeof(struct ox_conn *));
    size_t count = 0;
    unsigned closed = 0;

    for (struct ox_conn *conn = conns->first; silent != NULL && conn != NULL; conn = conn->next) {
        if (PHASE_OF(conn->seen_state) == OX_CONN_SILENT &&
            at_ms - conn->seen_mono_ms >= YOUNG_MS) {
            silent[count++] = conn;
        }
    }
    if (count > 0) {
        qsort(silent, count, sizeof(struct ox_conn *), by_age);
    }
    for (size_t i = 0; i < count && closed < wanted; i++) {
        closed += shut(silent[i], NULL);
    }
    free(silent);
    return closed;
}

/* True if there is little room. */
static bool look(struct ox_conns *conns)
{
    int64_t at_ms = ox_clock_system()->mono_ms(NULL);
    unsigned slow = 0;
    unsigned silent = 0;
    unsigned count;
    bool is_full;

    (void)pthread_mutex_lock(&conns->lock);
    for (struct ox_conn *conn = conns->first; conn != NULL; conn = conn->next) {
        slow += look_at(conns, conn, at_ms);
    }
    count = conns->count;
    is_full = count >= FULL(conns->options.connections_max);
    if (is_full) {
        silent = make_room(conns, at_ms);
    }
    (void)pthread_mutex_unlock(&conns->lock);
    if (slow > 0) {
        ox_log(conns->options.log, OX_LOG_DEBUG, "%u connections were idle or too slow: closed",
               slow);
    }
    if (silent > 0) {
        ox_log(conns->options.log, OX_LOG_WARN,
               "%u of %u connections are open: the %u that were silent longest were closed", count,
               conns->options.connections_max, silent);
    }
    return is_full;
}

static void *watch(void *arg)
{
    struct ox_conns *conns = arg;
    int64_t often_ms = conns->options.window_ms / 4;
    int64_t pause_ms = often_ms < LOOK_MS ? often_ms : LOOK_MS;
    bool is_full = false;

    while (!ox_stop_wait(&conns->stop, is_full ? LOOK_AGAIN_MS : pause_ms)) {
        is_full = look(conns);
    }
    return NULL;
}

/* --- for those who watch --- */

unsigned ox_conns_count(struct ox_conns *conns)
{
    unsigned count;

    (void)pthread_mutex_lock(&conns->lock);
    count = conns->count;
    (void)pthread_mutex_unlock(&conns->lock);
    return count;
}

unsigned ox_conns_max(const struct ox_conns *conns)
{
    return conns->options.connections_max;
}

/* --- beginning and end --- */

enum ox_code ox_conns_new(struct ox_conns **out, const struct ox_conns_options *options,
                          struct ox_err *err)
{
    struct ox_conns *conns = calloc(1, sizeof(*conns));
    sigset_t all;
    sigset_t old;
    int problem;
    enum ox_code code;

    if (conns == NULL) {
        return ox_err_nomem(err, "connections");
    }
    conns->options = *options;
    code = ox_stop_init(&conns->stop, err);
    if (code != OX_OK) {
        free(conns);
        return code;
    }
    (void)pthread_mutex_init(&conns->lock, NULL);
    /* Signals belong to the main thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    problem = pthread_create(&conns->thread, NULL, watch, conns);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (problem != 0) {
        (void)pthread_mutex_destroy(&conns->lock);
        ox_stop_clear(&conns->stop);
        free(conns);
        return ox_err_sys(err, problem, "starting a thread");
    }
    *out = conns;
    return OX_OK;
}

void ox_conns_free(struct ox_conns *conns)
{
    if (conns == NULL) {
        return;
    }
    ox_stop_request(&conns->stop);
    (void)pthread_join(conns->thread, NULL);
    ox_stop_clear(&conns->stop);
    (void)pthread_mutex_destroy(&conns->lock);
    free(conns);
}

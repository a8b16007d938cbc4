#include "request.h"

#include "feed.h"
#include "recorder.h"

#include "oxide/base/clock.h"
#include "oxide/base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUICK_THREADS 8
#define SLOW_THREADS 8
#define QUEUE_MAX 4096
#define THREADS_MAX 8
#define CONNECTIONS_MAX 2000

/* Of a connection: its headers, and the piece of body that is in flight. libmicrohttpd clears all
 * of it after every request: with 64 KiB that took a third of the time of a heartbeat that is
 * answered from memory. Uploads, whose pieces are half of it, take 1.4 times the processor time in
 * return. */
#define CONNECTION_MEMORY_BYTES ((size_t)16 * 1024)

/* Descriptors that are not connections: blobs that are open, the database, listeners. */
#define DESCRIPTORS_KEPT 300

/* Paths reach us as they were sent: what "%2F" means is decided after the path is cut at "/". */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void log_line(void *cls, const char *fmt, va_list args) OX_PRINTF(2, 0);
static void log_line(void *cls, const char *fmt, va_list args)
{
    const struct ox_api *api = cls;
    char line[512];

    (void)vsnprintf(line, sizeof(line), fmt, args);
    line[strcspn(line, "\n")] = '\0';
    ox_log(api->log, OX_LOG_DEBUG, "libmicrohttpd: %s", line);
}

static unsigned connections_max(const struct ox_api_options *options)
{
    unsigned max = options->connections_max == 0 ? CONNECTIONS_MAX : options->connections_max;
    struct rlimit limit;

    /* A connection that sends a blob holds two descriptors. */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        rlim_t room =
            limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? (limit.rlim_cur - DESCRIPTORS_KEPT) / 2 : 100;

        max = room < max ? (unsigned)room : max;
    }
    return max;
}

static enum ox_code watch_connections(struct ox_api *api, const struct ox_api_options *options,
                                      unsigned limit, struct ox_err *err)
{
    const struct ox_conns_options spec = {
        .connections_max = limit,
        .head_ms = options->head_ms != 0 ? options->head_ms : OX_API_HEAD_MS,
        .idle_ms = OX_API_IDLE_S * 1000,
        .window_ms = options->window_ms != 0 ? options->window_ms : OX_API_WINDOW_MS,
        .log = options->log,
    };

    return ox_conns_new(&api->conns, &spec, err);
}

static struct MHD_Daemon *start_daemon(struct ox_api *api, unsigned threads, unsigned limit)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        ox_request_step, api, MHD_OPTION_EXTERNAL_LOGGER, log_line, api, MHD_OPTION_LISTEN_SOCKET,
        api->listen_fd, MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_CONNECTION_LIMIT, limit,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)OX_API_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        CONNECTION_MEMORY_BYTES, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, ox_request_end, api, MHD_OPTION_NOTIFY_CONNECTION,
        ox_conns_notify, api->conns, MHD_OPTION_END);
}

enum ox_code ox_api_start(struct ox_api **out, const struct ox_api_options *options,
                          struct ox_err *err)
{
    struct ox_api *api = calloc(1, sizeof(*api));
    unsigned threads = options->threads != 0 ? options->threads : ox_cpu_count();
    unsigned limit = connections_max(options);
    enum ox_code code = OX_OK;

    threads = threads < 2 ? 2 : threads > THREADS_MAX ? THREADS_MAX : threads;
    limit = limit < threads ? threads : limit;
    if (api == NULL) {
        (void)close(options->listen_fd);
        return ox_err_nomem(err, "the API");
    }
    api->control = options->control;
    api->log = options->log;
    api->version = options->version;
    api->listen_fd = options->listen_fd;
    api->started_ms = ox_clock_system()->wall_ms(NULL);
    atomic_init(&api->active, 0);
    atomic_init(&api->suspended, 0);
    atomic_init(&api->closing, false);
    atomic_init(&api->refusing, false);
    atomic_init(&api->id_count, 0);
    if ((code = ox_random_bytes(&api->id_seed, sizeof(api->id_seed), err)) == OX_OK &&
        (code = ox_recorder_new(&api->recorder, err)) == OX_OK &&
        (code = watch_connections(api, options, limit, err)) == OX_OK &&
        (code = ox_pool_new(&api->quick, QUICK_THREADS, QUEUE_MAX, err)) == OX_OK &&
        (code = ox_pool_new(&api->slow, SLOW_THREADS, QUEUE_MAX, err)) == OX_OK &&
        (code = ox_feed_new(&api->feed, api->control, api->log, err)) == OX_OK) {
        api->daemon = start_daemon(api, threads, limit);
        if (api->daemon == NULL) {
            code = ox_err_set(err, OX_EINTERNAL, "libmicrohttpd could not start its threads");
        }
    }
    if (code != OX_OK) {
        if (api->feed != NULL) {
            ox_feed_stop(api->feed);
            ox_feed_free(api->feed);
        }
        ox_pool_free(api->slow);
        ox_pool_free(api->quick);
        ox_conns_free(api->conns);
        ox_recorder_free(api->recorder);
        (void)close(api->listen_fd);
        free(api);
        return code;
    }
    *out = api;
    return OX_OK;
}

static void sleep_10ms(void)
{
    const struct timespec pause = {0, 10 * 1000 * 1000};

    (void)nanosleep(&pause, NULL);
}

void ox_api_stop(struct ox_api *api, int64_t grace_ms)
{
    if (api == NULL) {
        return;
    }
    atomic_store(&api->closing, true);
    /* Nobody is let in any more; the socket's number stays taken as long as threads may use it. */
    (void)MHD_quiesce_daemon(api->daemon);
    (void)shutdown(api->listen_fd, SHUT_RDWR);
    ox_feed_stop(api->feed);
    for (int64_t left_ms = grace_ms; atomic_load(&api->active) > 0 && left_ms > 0; left_ms -= 10) {
        sleep_10ms();
    }
    /* A suspended connection cannot be closed, so workers give back what they have. */
    atomic_store(&api->refusing, true);
    while (atomic_load(&api->suspended) > 0) {
        sleep_10ms();
    }
    MHD_stop_daemon(api->daemon);
    (void)close(api->listen_fd);
    ox_feed_free(api->feed);
    ox_pool_free(api->slow);
    ox_pool_free(api->quick);
    ox_conns_free(api->conns);
    ox_recorder_free(api->recorder);
    free(api);
}

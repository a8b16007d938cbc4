#define _GNU_SOURCE /* POLLRDHUP */
#include "feed.h"

#include "oxide/base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Events that one query reads, and bytes that a piece holds at most, but for its last event. */
#define PAGE 100
#define PIECE_BYTES ((size_t)64 * 1024)

/* Events that come close together are sent together: a round is made so often at most. */
#define ROUND_MS 20

#define BLOCK_BYTES ((size_t)32 * 1024)
#define KINDS_MAX 1024

struct subscriber {
    struct subscriber *next;
    struct ox_feed *feed;
    struct MHD_Connection *connection;
    struct ox_conn *conn; /* may be NULL */
    int fd;
    char kinds[KINDS_MAX];
    char device_id[OX_ID_MAX + 1];
    char campaign_id[OX_ID_MAX + 1];
    struct ox_event_query query;

    /* The feed's thread has these while the connection is suspended, its own thread otherwise. */
    bool waiting; /* suspended; changes under the lock */
    bool failed;
    bool more;      /* the end of the log is not reached */
    bool will_send; /* the client may still: it has not closed its side */
    int64_t after;
    int64_t sent_mono_ms; /* the last piece */
    struct ox_buf piece;
    size_t taken;
};

struct ox_feed {
    struct ox_control *control;
    const struct ox_log *log;
    int wake_fd; /* an eventfd: there may be something to do */
    pthread_mutex_t lock;
    bool closing;
    struct subscriber *first;
    unsigned count;
    pthread_t thread;
    bool started;
};

static int64_t now_ms(void)
{
    return ox_clock_system()->mono_ms(NULL);
}

static void wake(void *arg)
{
    const struct ox_feed *feed = arg;
    const uint64_t one = 1;
    ssize_t put = write(feed->wake_fd, &one, sizeof(one));

    (void)put;
}

/* --- what is sent --- */

static enum ox_code put_event(struct ox_buf *out, const json_t *event, struct ox_err *err)
{
    char *text = NULL;
    enum ox_code code = ox_json_text(event, &text, err); /* one line: JSON escapes newlines */

    if (code == OX_OK) {
        code = ox_buf_printf(out, err, "id: %" JSON_INTEGER_FORMAT "\ndata: %s\n\n",
                             json_integer_value(json_object_get(event, "id")), text);
    }
    free(text);
    return code;
}

/* What was dropped before it was sent, or a log that is another one (restored from a backup), is
 * told, since who resumes believes to have seen everything. */
static enum ox_code put_gap(struct subscriber *subscriber, const struct ox_event_page *page,
                            struct ox_err *err)
{
    int64_t after = subscriber->after;

    if ((after == 0 || after >= page->oldest - 1) && after <= page->newest) {
        return OX_OK;
    }
    subscriber->after = after > page->newest ? page->newest : page->oldest - 1;
    return ox_buf_printf(&subscriber->piece, err,
                         "id: %" PRId64 "\nevent: gap\ndata: {\"after\":%" PRId64
                         ",\"resumed_after\":%" PRId64 "}\n\n",
                         subscriber->after, after, subscriber->after);
}

static enum ox_code put_page(struct subscriber *subscriber, const struct ox_event_page *page,
                             struct ox_err *err)
{
    struct ox_buf *piece = &subscriber->piece;
    size_t i = 0;
    enum ox_code code = OX_OK;

    for (; code == OX_OK && i < page->count && piece->len_bytes < PIECE_BYTES; i++) {
        const json_t *event = json_array_get(page->events, i);

        code = put_event(piece, event, err);
        if (code == OX_OK) {
            subscriber->after = json_integer_value(json_object_get(event, "id"));
        }
    }
    if (code == OX_OK && i == page->count && page->next <= page->newest) {
        subscriber->after = page->next;
    }
    subscriber->more = subscriber->after < page->newest;
    return code;
}

/* The next piece of a subscriber that waits; it stays empty where there is nothing to send. */
static enum ox_code make_piece(struct subscriber *subscriber, struct ox_err *err)
{
    struct ox_event_page page = {.events = NULL};
    enum ox_code code = ox_control_events(subscriber->feed->control, &subscriber->query,
                                          subscriber->after, PAGE, &page, err);

    if (code == OX_OK && (code = put_gap(subscriber, &page, err)) == OX_OK) {
        code = put_page(subscriber, &page, err);
    }
    json_decref(page.events);
    /* The id of what was passed over, so that who comes back need not look at it again. */
    if (code == OX_OK && subscriber->piece.len_bytes == 0 &&
        now_ms() - subscriber->sent_mono_ms >= OX_FEED_KEEP_ALIVE_MS) {
        code = ox_buf_printf(&subscriber->piece, err, ": keep-alive\nid: %" PRId64 "\n\n",
                             subscriber->after);
    }
    return code;
}

/* --- the thread --- */

/* A suspended connection is out of libmicrohttpd's sight, so its end is seen here. Who has closed
 * its side may still read: a comment tells, as whoever does not read any more refuses it. */
static void look_at(struct subscriber *subscriber, short events)
{
    if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        subscriber->failed = true;
    } else if ((events & POLLRDHUP) != 0) {
        subscriber->will_send = false;
        subscriber->sent_mono_ms = now_ms() - OX_FEED_KEEP_ALIVE_MS;
    }
}

/* Wait until there may be something to send, at the latest when the next keep-alive is due, or
 * somebody has left. Those that wait stay meanwhile: see serve_round. */
static void wait_for_work(struct ox_feed *feed)
{
    struct subscriber *waiting[OX_FEED_SUBSCRIBERS_MAX];
    struct pollfd fds[OX_FEED_SUBSCRIBERS_MAX + 1];
    int64_t left_ms = OX_FEED_KEEP_ALIVE_MS;
    uint64_t woken = 0;
    ssize_t got;
    size_t count = 0;

    for (struct subscriber *at = feed->first; at != NULL; at = at->next) {
        if (at->waiting) {
            int64_t due_ms = at->sent_mono_ms + OX_FEED_KEEP_ALIVE_MS - now_ms();

            left_ms = due_ms < left_ms ? due_ms : left_ms;
            fds[count] = (struct pollfd){at->fd, at->will_send ? POLLRDHUP : 0, 0};
            waiting[count++] = at;
        }
    }
    fds[count] = (struct pollfd){feed->wake_fd, POLLIN, 0};
    (void)pthread_mutex_unlock(&feed->lock);
    if (poll(fds, count + 1, left_ms < 0 ? 0 : (int)left_ms) > 0) {
        for (size_t i = 0; i < count; i++) {
            look_at(waiting[i], fds[i].revents);
        }
    }
    got = read(feed->wake_fd, &woken, sizeof(woken)); /* it does not block */
    (void)got;
    (void)pthread_mutex_lock(&feed->lock);
}

/* A connection that goes on belongs to its own thread again. */
static void go_on(struct subscriber *subscriber)
{
    subscriber->waiting = false;
    subscriber->sent_mono_ms = now_ms();
    (void)ox_conn_enter(subscriber->conn, OX_CONN_ANSWER);
    MHD_resume_connection(subscriber->connection);
}

/* Those that wait cannot leave meanwhile, since their connections are suspended; so queries run
 * without the lock. */
static void serve_round(struct ox_feed *feed)
{
    struct subscriber *waiting[OX_FEED_SUBSCRIBERS_MAX];
    size_t count = 0;

    for (struct subscriber *at = feed->first; at != NULL; at = at->next) {
        if (at->waiting) {
            waiting[count++] = at;
        }
    }
    (void)pthread_mutex_unlock(&feed->lock);
    for (size_t i = 0; i < count; i++) {
        struct ox_err err = OX_ERR_INIT;

        if (!waiting[i]->failed && make_piece(waiting[i], &err) != OX_OK) {
            waiting[i]->failed = true;
            ox_log(feed->log, OX_LOG_ERROR, "an answer with events breaks off: %s", err.msg);
        }
    }
    (void)pthread_mutex_lock(&feed->lock);
    for (size_t i = 0; i < count; i++) {
        if (waiting[i]->piece.len_bytes > 0 || waiting[i]->failed) {
            go_on(waiting[i]);
        } else if (waiting[i]->more) {
            wake(feed);
        }
    }
}

static void *work(void *arg)
{
    struct ox_feed *feed = arg;

    (void)pthread_mutex_lock(&feed->lock);
    while (!feed->closing) {
        wait_for_work(feed);
        if (!feed->closing) {
            serve_round(feed);
            (void)pthread_mutex_unlock(&feed->lock);
            (void)poll(NULL, 0, ROUND_MS);
            (void)pthread_mutex_lock(&feed->lock);
        }
    }
    for (struct subscriber *at = feed->first; at != NULL; at = at->next) {
        if (at->waiting) {
            go_on(at); /* to its end */
        }
    }
    (void)pthread_mutex_unlock(&feed->lock);
    return NULL;
}

/* --- on the connection's thread --- */

static ssize_t read_subscriber(void *arg, uint64_t offset, char *out, size_t max)
{
    struct subscriber *subscriber = arg;
    struct ox_feed *feed = subscriber->feed;
    size_t left = subscriber->piece.len_bytes - subscriber->taken;
    ssize_t result = 0;

    (void)offset;
    if (left > 0) {
        size_t take = left < max ? left : max;

        memcpy(out, subscriber->piece.data + subscriber->taken, take);
        subscriber->taken += take;
        return (ssize_t)take;
    }
    ox_buf_clear(&subscriber->piece); /* one that waits holds nothing */
    subscriber->taken = 0;
    if (subscriber->failed) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    (void)pthread_mutex_lock(&feed->lock);
    if (feed->closing) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        subscriber->waiting = true;
        (void)ox_conn_enter(subscriber->conn, OX_CONN_OURS); /* quiet is not slow */
        MHD_suspend_connection(subscriber->connection);
        wake(feed); /* events may have come meanwhile */
    }
    (void)pthread_mutex_unlock(&feed->lock);
    return result;
}

static void free_subscriber(void *arg)
{
    struct subscriber *subscriber = arg;
    struct ox_feed *feed = subscriber->feed;
    struct subscriber **at = &feed->first;

    (void)pthread_mutex_lock(&feed->lock);
    while (*at != subscriber) {
        at = &(*at)->next;
    }
    *at = subscriber->next;
    feed->count--;
    (void)pthread_mutex_unlock(&feed->lock);
    ox_buf_clear(&subscriber->piece);
    free(subscriber);
}

static const char *copy(char *out, size_t out_bytes, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    (void)snprintf(out, out_bytes, "%s", text);
    return out;
}

/* Something is sent at once, so that the client sees that it is connected. */
static enum ox_code open_subscriber(struct ox_feed *feed, struct ox_request *request,
                                    const struct ox_event_query *query, int64_t after,
                                    struct subscriber **out, struct ox_err *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct subscriber *subscriber = NULL;

    if (query->kinds != NULL && strlen(query->kinds) >= sizeof(subscriber->kinds)) {
        return ox_err_set(err, OX_EINVAL, "the parameter kind has at most %d bytes", KINDS_MAX - 1);
    }
    subscriber = calloc(1, sizeof(*subscriber));
    if (subscriber == NULL ||
        ox_buf_printf(&subscriber->piece, err, ": oxide events\nretry: 2000\nid: %" PRId64 "\n\n",
                      after) != OX_OK) {
        free(subscriber);
        return ox_err_nomem(err, "a subscriber");
    }
    subscriber->feed = feed;
    subscriber->connection = request->connection;
    subscriber->conn = request->conn;
    subscriber->fd = info == NULL ? -1 : info->connect_fd; /* poll passes by what is none */
    subscriber->will_send = true;
    subscriber->after = after;
    subscriber->sent_mono_ms = now_ms();
    subscriber->query.kinds = copy(subscriber->kinds, sizeof(subscriber->kinds), query->kinds);
    subscriber->query.device_id =
        copy(subscriber->device_id, sizeof(subscriber->device_id), query->device_id);
    subscriber->query.campaign_id =
        copy(subscriber->campaign_id, sizeof(subscriber->campaign_id), query->campaign_id);
    *out = subscriber;
    return OX_OK;
}

enum ox_code ox_feed_subscribe(struct ox_feed *feed, struct ox_request *request,
                               const struct ox_event_query *query, int64_t after,
                               struct ox_err *err)
{
    struct subscriber *subscriber = NULL;
    struct MHD_Response *response;
    bool full;
    enum ox_code code = open_subscriber(feed, request, query, after, &subscriber, err);

    if (code != OX_OK) {
        return code;
    }
    (void)pthread_mutex_lock(&feed->lock);
    full = feed->closing || feed->count == OX_FEED_SUBSCRIBERS_MAX;
    if (!full) {
        subscriber->next = feed->first;
        feed->first = subscriber;
        feed->count++;
    }
    (void)pthread_mutex_unlock(&feed->lock);
    if (full) {
        ox_buf_clear(&subscriber->piece);
        free(subscriber);
        ox_request_set_header(request, "Retry-After", "10");
        return ox_err_set(err, OX_EBUSY,
                          "%d subscribers follow the events already: end one, or read the log page "
                          "by page with format=json",
                          OX_FEED_SUBSCRIBERS_MAX);
    }
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_subscriber,
                                                 subscriber, free_subscriber);
    if (response == NULL) {
        free_subscriber(subscriber);
    }
    ox_request_set_header(request, "Cache-Control", "no-store");
    ox_request_set_header(request, "X-Accel-Buffering", "no"); /* nginx sends each piece at once */
    return ox_reply_response(request, 200, "text/event-stream", response, err);
}

/* --- its life --- */

static enum ox_code start(struct ox_feed *feed, struct ox_err *err)
{
    sigset_t all;
    sigset_t old;
    int problem;

    /* Signals belong to the main thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    problem = pthread_create(&feed->thread, NULL, work, feed);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    feed->started = problem == 0;
    return feed->started ? OX_OK : ox_err_sys(err, problem, "starting a thread");
}

enum ox_code ox_feed_new(struct ox_feed **out, struct ox_control *control, const struct ox_log *log,
                         struct ox_err *err)
{
    struct ox_feed *feed = calloc(1, sizeof(*feed));
    enum ox_code code;

    if (feed == NULL) {
        return ox_err_nomem(err, "the feed of events");
    }
    feed->control = control;
    feed->log = log;
    (void)pthread_mutex_init(&feed->lock, NULL);
    feed->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    code = feed->wake_fd < 0 ? ox_err_sys(err, errno, "making an eventfd") : start(feed, err);
    if (code != OX_OK) {
        ox_feed_free(feed);
        return code;
    }
    ox_control_events_watch(control, wake, feed);
    *out = feed;
    return OX_OK;
}

void ox_feed_stop(struct ox_feed *feed)
{
    ox_control_events_unwatch(feed->control, feed);
    (void)pthread_mutex_lock(&feed->lock);
    feed->closing = true;
    (void)pthread_mutex_unlock(&feed->lock);
    wake(feed);
    if (feed->started) {
        (void)pthread_join(feed->thread, NULL);
        feed->started = false;
    }
}

void ox_feed_free(struct ox_feed *feed)
{
    if (feed != NULL) {
        if (feed->wake_fd >= 0) {
            (void)close(feed->wake_fd);
        }
        (void)pthread_mutex_destroy(&feed->lock);
        free(feed);
    }
}

unsigned ox_feed_count(struct ox_feed *feed)
{
    unsigned count;

    (void)pthread_mutex_lock(&feed->lock);
    count = feed->count;
    (void)pthread_mutex_unlock(&feed->lock);
    return count;
}

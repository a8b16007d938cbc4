#include "webhooks.h"

#include "oxide/base/random.h"
#include "oxide/net/http.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A delivery has so many bytes at most, but for its last event. */
#define BODY_BYTES ((size_t)256 * 1024)

/* Where nothing is delivered, the place in the log is written so seldom: after a crash it is only
 * looked for again. */
#define CURSOR_STRIDE 10000

#define LOOK_MS 60000 /* a clock that was set may make one due early */

/* The clock that conditions wait by. */
static int64_t now_mono_ms(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wake(void *arg)
{
    struct ox_hooks *hooks = arg;

    (void)pthread_mutex_lock(&hooks->lock);
    hooks->wakes++;
    (void)pthread_cond_signal(&hooks->wake);
    (void)pthread_mutex_unlock(&hooks->lock);
}

static void free_hook(struct ox_hook *hook)
{
    free(hook->id);
    free(hook->url);
    free(hook->kinds);
    if (hook->secret != NULL) {
        explicit_bzero(hook->secret, strlen(hook->secret));
        free(hook->secret);
    }
    free(hook);
}

/* --- one delivery --- */

static void row_of(const struct ox_hook *hook, struct ox_webhook_row *out)
{
    *out = (struct ox_webhook_row){
        .id = hook->id,
        .cursor = hook->cursor,
        .stopped = hook->stopped,
        .delivered = hook->delivered,
        .lost = hook->lost,
        .failures = hook->failures,
        .last_status = hook->last_status,
        .last_error = hook->last_error[0] == '\0' ? NULL : hook->last_error,
        .last_tried_ms = hook->last_tried_ms,
        .last_delivered_ms = hook->last_delivered_ms,
        .next_try_ms = hook->next_try_ms,
    };
}

/* Only the thread that delivers changes these fields, so it may read them without the lock. */
static enum ox_code write_hook(struct ox_hooks *hooks, struct ox_hook *hook, bool stops,
                               struct ox_err *err)
{
    struct ox_webhook_row row;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(hooks->control->registry, OX_TX_WRITE, &tx, err);

    row_of(hook, &row);
    if (code == OX_OK) {
        code = ox_registry_webhook_update(&tx, &row, err);
    }
    if (code == OX_OK && stops) {
        code = ox_event(hooks->control, &tx, "webhook.stopped",
                        json_pack("{s:s, s:I}", "webhook_id", hook->id, "status",
                                  (json_int_t)hook->last_status),
                        err);
    }
    if (code == OX_OK && (code = ox_registry_commit(&tx, err)) == OX_OK) {
        hook->written_cursor = hook->cursor;
    }
    ox_registry_end(&tx);
    return code;
}

static int64_t id_at(const struct ox_event_page *page, size_t index)
{
    return json_integer_value(json_object_get(json_array_get(page->events, index), "id"));
}

/* Drop from a page what is too much for one body. */
static void fit(struct ox_event_page *page)
{
    size_t bytes = 0;
    size_t count = 0;

    while (count < page->count && bytes < BODY_BYTES) {
        bytes += json_dumpb(json_array_get(page->events, count++), NULL, 0, JSON_COMPACT);
    }
    while (json_array_size(page->events) > count) {
        (void)json_array_remove(page->events, json_array_size(page->events) - 1);
    }
    page->next = count < page->count ? id_at(page, count - 1) : page->next;
    page->count = count;
}

/* What came of a try, into the hook. Returns whether it stops now. */
static bool settle(struct ox_hooks *hooks, struct ox_hook *hook, const struct ox_event_page *page,
                   const struct ox_webhook_result *result)
{
    int64_t now_ms = ox_control_now(hooks->control);
    uint64_t random = 0;
    struct ox_webhook_next next;

    if (ox_random_bytes(&random, sizeof(random), NULL) != OX_OK) {
        random = (uint64_t)now_ms;
    }
    next = ox_webhook_decide(&result->tried, hook->failures, hook->batch, random);
    (void)pthread_mutex_lock(&hooks->lock);
    hook->batch = next.batch;
    hook->last_tried_ms = now_ms;
    hook->last_status = result->tried.status;
    if (next.verdict == OX_WEBHOOK_DELIVERED) {
        hook->cursor = page->next;
        hook->delivered += page->count;
        hook->failures = 0;
        hook->last_error[0] = '\0';
        hook->last_delivered_ms = now_ms;
        hook->next_try_ms = 0;
    } else {
        hook->failures++;
        hook->failed_tries++;
        hook->stopped = next.verdict == OX_WEBHOOK_STOP;
        hook->next_try_ms = hook->stopped ? 0 : now_ms + next.delay_ms;
        (void)snprintf(hook->last_error, sizeof(hook->last_error), "%.*s%s%s",
                       OX_WEBHOOK_ERROR_MAX - 1, result->error, next.hint == NULL ? "" : ": ",
                       next.hint == NULL ? "" : next.hint);
    }
    (void)pthread_mutex_unlock(&hooks->lock);
    return hook->stopped;
}

static void log_change(struct ox_hooks *hooks, const struct ox_hook *hook, uint64_t failures_before)
{
    if (hook->failures == 1 || hook->stopped) {
        ox_log(hooks->control->log, OX_LOG_WARN, "webhook %s %s: %s", hook->id,
               hook->stopped ? "is stopped" : "fails, and is tried again", hook->last_error);
    } else if (hook->failures == 0 && failures_before > 0) {
        ox_log(hooks->control->log, OX_LOG_INFO, "webhook %s is served again after %llu tries",
               hook->id, (unsigned long long)failures_before);
    }
}

/* What the log dropped before the receiver took it is gone; how much that was is told. */
static void count_lost(struct ox_hooks *hooks, struct ox_hook *hook, int64_t oldest)
{
    (void)pthread_mutex_lock(&hooks->lock);
    if (hook->cursor < oldest - 1) {
        ox_log(hooks->control->log, OX_LOG_WARN,
               "webhook %s lost %lld events that the log holds no longer: raise --events-keep or "
               "--events-age",
               hook->id, (long long)(oldest - 1 - hook->cursor));
        hook->lost += (uint64_t)(oldest - 1 - hook->cursor);
        hook->cursor = oldest - 1;
    }
    (void)pthread_mutex_unlock(&hooks->lock);
}

static enum ox_code pass_over(struct ox_hooks *hooks, struct ox_hook *hook, int64_t next,
                              struct ox_err *err)
{
    (void)pthread_mutex_lock(&hooks->lock);
    hook->cursor = next;
    (void)pthread_mutex_unlock(&hooks->lock);
    return next - hook->written_cursor >= CURSOR_STRIDE ? write_hook(hooks, hook, false, err)
                                                        : OX_OK;
}

static enum ox_code deliver_page(struct ox_hooks *hooks, struct ox_http *http, struct ox_hook *hook,
                                 struct ox_event_page *page, struct ox_err *err)
{
    const struct ox_webhook_target target = {hook->id, hook->url, hook->secret};
    struct ox_webhook_result result;
    uint64_t failures = hook->failures;
    enum ox_code code;

    fit(page);
    code = ox_webhook_post(hooks->control, http, &target, page->events, &result, err);
    if (code == OX_OK) {
        bool stops = settle(hooks, hook, page, &result);

        log_change(hooks, hook, failures);
        code = write_hook(hooks, hook, stops, err);
    }
    return code;
}

/* Deliver what is next. *at_end: nothing follows until the log grows. */
static enum ox_code deliver(struct ox_hooks *hooks, struct ox_http *http, struct ox_hook *hook,
                            bool *at_end, struct ox_err *err)
{
    const struct ox_event_query query = {.kinds = hook->kinds};
    struct ox_event_page page = {.events = NULL};
    int64_t passed;
    enum ox_code code =
        ox_control_events(hooks->control, &query, hook->cursor, hook->batch, &page, err);

    *at_end = false;
    if (code != OX_OK) {
        return code;
    }
    count_lost(hooks, hook, page.oldest);
    /* A log that was restored from a backup may be shorter than what was delivered. */
    passed = page.count > 0            ? id_at(&page, 0) - 1
             : page.next < page.newest ? page.next
                                       : page.newest;
    code = pass_over(hooks, hook, passed, err);
    if (code == OX_OK && page.count > 0) {
        code = deliver_page(hooks, http, hook, &page, err);
    } else {
        *at_end = passed == page.newest;
    }
    json_decref(page.events);
    return code;
}

/* --- whose turn it is --- */

static bool is_due(const struct ox_hooks *hooks, const struct ox_hook *hook, int64_t now_ms)
{
    return !hook->busy && !hook->stopped && hook->saw != hooks->wakes &&
           (now_ms >= hook->next_try_ms ||
            hook->next_try_ms - now_ms > OX_WEBHOOK_ASKED_MAX_MS); /* the clock was set back */
}

/* The first one that is due, which goes to the end of the line. */
static struct ox_hook *take_due(struct ox_hooks *hooks)
{
    int64_t now_ms = ox_control_now(hooks->control);
    struct ox_hook **at = &hooks->first;
    struct ox_hook *hook;

    while (*at != NULL && !is_due(hooks, *at, now_ms)) {
        at = &(*at)->next;
    }
    hook = *at;
    if (hook != NULL) {
        *at = hook->next;
        hook->next = NULL;
        while (*at != NULL) {
            at = &(*at)->next;
        }
        *at = hook;
        hook->busy = true;
    }
    return hook;
}

/* How long nobody will be due, as far as is known. */
static int64_t rest_ms(const struct ox_hooks *hooks)
{
    int64_t now_ms = ox_control_now(hooks->control);
    int64_t rest = LOOK_MS;

    for (const struct ox_hook *hook = hooks->first; hook != NULL; hook = hook->next) {
        if (!hook->busy && !hook->stopped && hook->saw != hooks->wakes &&
            hook->next_try_ms - now_ms < rest) {
            rest = hook->next_try_ms - now_ms;
        }
    }
    return rest > 0 ? rest : 0;
}

static void hand_back(struct ox_hook *hook, bool at_end, uint64_t wakes)
{
    hook->busy = false;
    if (at_end) {
        hook->saw = wakes;
    }
    if (hook->removed) {
        free_hook(hook);
    }
}

/* Under the lock, which is given up while it delivers. False: nobody is due. */
static bool serve_one(struct ox_hooks *hooks, struct ox_http *http, enum ox_code *code,
                      struct ox_err *err)
{
    struct ox_hook *hook = take_due(hooks);
    uint64_t wakes = hooks->wakes;
    bool at_end = false;

    if (hook == NULL) {
        return false;
    }
    (void)pthread_cond_signal(&hooks->wake); /* another one may be due, too */
    (void)pthread_mutex_unlock(&hooks->lock);
    *code = deliver(hooks, http, hook, &at_end, err);
    (void)pthread_mutex_lock(&hooks->lock);
    if (*code != OX_OK && *code != OX_ECANCELED) { /* of ours: the database may come back */
        hook->next_try_ms = ox_control_now(hooks->control) + 1000;
    }
    hand_back(hook, at_end, wakes);
    return true;
}

static void *work(void *arg)
{
    struct ox_hooks *hooks = arg;
    struct ox_stop *stop = &hooks->control->stop;
    struct ox_http *http = NULL;
    struct ox_err err = OX_ERR_INIT;

    if (ox_http_new(&http, "oxide", &err) != OX_OK) {
        ox_log(hooks->control->log, OX_LOG_ERROR, "webhooks: %s", err.msg);
        return NULL;
    }
    (void)pthread_mutex_lock(&hooks->lock);
    while (!ox_stop_requested(stop)) {
        enum ox_code code = OX_OK;

        if (!serve_one(hooks, http, &code, &err)) {
            int64_t until = now_mono_ms() + rest_ms(hooks) + 1;
            const struct timespec deadline = {until / 1000, (until % 1000) * 1000000};

            (void)pthread_cond_timedwait(&hooks->wake, &hooks->lock, &deadline);
        } else if (code != OX_OK && code != OX_ECANCELED) {
            ox_log(hooks->control->log, OX_LOG_ERROR, "webhooks: %s", err.msg);
        }
    }
    (void)pthread_mutex_unlock(&hooks->lock);
    ox_http_free(http);
    return NULL;
}

enum ox_code ox_control_deliver(struct ox_control *control, bool *tried, struct ox_err *err)
{
    struct ox_hooks *hooks = control->hooks;
    struct ox_http *http = NULL;
    enum ox_code code = ox_http_new(&http, "oxide", err);

    if (code == OX_OK) {
        (void)pthread_mutex_lock(&hooks->lock);
        *tried = serve_one(hooks, http, &code, err);
        (void)pthread_mutex_unlock(&hooks->lock);
    }
    ox_http_free(http);
    return code;
}

/* --- the list --- */

static struct ox_hook *find(struct ox_hooks *hooks, const char *id)
{
    struct ox_hook *hook = hooks->first;

    while (hook != NULL && strcmp(hook->id, id) != 0) {
        hook = hook->next;
    }
    return hook;
}

static enum ox_code hook_of(const struct ox_webhook_row *row, struct ox_hook **out,
                            struct ox_err *err)
{
    struct ox_hook *hook = calloc(1, sizeof(*hook));
    enum ox_code code;

    if (hook == NULL) {
        return ox_err_nomem(err, "a webhook");
    }
    if ((code = ox_strdup(&hook->id, row->id, err)) != OX_OK ||
        (code = ox_strdup(&hook->url, row->url, err)) != OX_OK ||
        (code = ox_strdup(&hook->kinds, row->kinds, err)) != OX_OK ||
        (code = ox_strdup(&hook->secret, row->secret, err)) != OX_OK) {
        free_hook(hook);
        return code;
    }
    hook->stopped = row->stopped;
    hook->batch = OX_WEBHOOK_BATCH_MAX;
    hook->cursor = row->cursor;
    hook->written_cursor = row->cursor;
    hook->delivered = row->delivered;
    hook->lost = row->lost;
    hook->failures = row->failures;
    hook->delivered_before = row->delivered;
    hook->lost_before = row->lost;
    hook->last_status = row->last_status;
    (void)snprintf(hook->last_error, sizeof(hook->last_error), "%s",
                   row->last_error == NULL ? "" : row->last_error);
    hook->last_tried_ms = row->last_tried_ms;
    hook->last_delivered_ms = row->last_delivered_ms;
    hook->next_try_ms = row->next_try_ms;
    *out = hook;
    return OX_OK;
}

enum ox_code ox_hooks_add(struct ox_hooks *hooks, const struct ox_webhook_row *row,
                          struct ox_err *err)
{
    struct ox_hook *hook = NULL;
    enum ox_code code = hook_of(row, &hook, err);

    if (code == OX_OK) {
        (void)pthread_mutex_lock(&hooks->lock);
        hook->saw = hooks->wakes - 1; /* look at once */
        hook->next = hooks->first;
        hooks->first = hook;
        (void)pthread_cond_signal(&hooks->wake);
        (void)pthread_mutex_unlock(&hooks->lock);
    }
    return code;
}

void ox_hooks_remove(struct ox_hooks *hooks, const char *id)
{
    struct ox_hook **at = &hooks->first;
    struct ox_hook *hook;

    (void)pthread_mutex_lock(&hooks->lock);
    while (*at != NULL && strcmp((*at)->id, id) != 0) {
        at = &(*at)->next;
    }
    hook = *at;
    if (hook != NULL) {
        *at = hook->next;
        hook->removed = true;
        if (!hook->busy) {
            free_hook(hook);
        }
    }
    (void)pthread_mutex_unlock(&hooks->lock);
}

void ox_hooks_resume(struct ox_hooks *hooks, const char *id)
{
    struct ox_hook *hook;

    (void)pthread_mutex_lock(&hooks->lock);
    hook = find(hooks, id);
    if (hook != NULL) {
        hook->stopped = false;
        hook->next_try_ms = 0;
        hook->saw = hooks->wakes - 1;
        (void)pthread_cond_signal(&hooks->wake);
    }
    (void)pthread_mutex_unlock(&hooks->lock);
}

bool ox_hooks_cursor(struct ox_hooks *hooks, const char *id, int64_t *cursor)
{
    const struct ox_hook *hook;

    (void)pthread_mutex_lock(&hooks->lock);
    hook = find(hooks, id);
    if (hook != NULL) {
        *cursor = hook->cursor;
    }
    (void)pthread_mutex_unlock(&hooks->lock);
    return hook != NULL;
}

/* --- its life --- */

static enum ox_code load(struct ox_hooks *hooks, struct ox_err *err)
{
    struct ox_webhook_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    size_t count = 0;
    enum ox_code code = ox_registry_begin(hooks->control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK) {
        code = ox_registry_webhooks(&tx, &rows, &count, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_hooks_add(hooks, &rows[i], err);
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_hooks_new(struct ox_hooks **out, struct ox_control *control, struct ox_err *err)
{
    struct ox_hooks *hooks = calloc(1, sizeof(*hooks));
    pthread_condattr_t attributes;
    enum ox_code code;

    if (hooks == NULL) {
        return ox_err_nomem(err, "webhooks");
    }
    hooks->control = control;
    (void)pthread_mutex_init(&hooks->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&hooks->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    ox_control_events_watch(control, wake, hooks);
    code = load(hooks, err);
    if (code != OX_OK) {
        ox_hooks_free(hooks);
        return code;
    }
    *out = hooks;
    return OX_OK;
}

enum ox_code ox_hooks_start(struct ox_hooks *hooks, struct ox_err *err)
{
    int problem = 0;

    while (problem == 0 && hooks->started < OX_WEBHOOK_THREADS) {
        problem = pthread_create(&hooks->threads[hooks->started], NULL, work, hooks);
        hooks->started += problem == 0;
    }
    return problem == 0 ? OX_OK : ox_err_sys(err, problem, "starting a thread");
}

void ox_hooks_stop(struct ox_hooks *hooks)
{
    (void)pthread_mutex_lock(&hooks->lock);
    (void)pthread_cond_broadcast(&hooks->wake);
    (void)pthread_mutex_unlock(&hooks->lock);
    while (hooks->started > 0) {
        (void)pthread_join(hooks->threads[--hooks->started], NULL);
    }
}

void ox_hooks_free(struct ox_hooks *hooks)
{
    if (hooks == NULL) {
        return;
    }
    ox_control_events_unwatch(hooks->control, hooks);
    while (hooks->first != NULL) {
        struct ox_hook *next = hooks->first->next;

        free_hook(hooks->first);
        hooks->first = next;
    }
    (void)pthread_cond_destroy(&hooks->wake);
    (void)pthread_mutex_destroy(&hooks->lock);
    free(hooks);
}

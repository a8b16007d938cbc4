#include "diffs.h"

#include "inner.h"
#include "stored_side.h"

#include "oxide/control/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEPT_MAX 16                       /* comparisons, the waiting ones too */
#define KEPT_BYTES_MAX ((size_t)64 << 20) /* of finished ones that nobody reads */
#define WAITING_MAX 8                     /* queued, or under way */
#define WAITERS_MAX 2                     /* requests that wait; the others ask again */
#define ABANDONED_MS 30000                /* nobody has asked for it for so long */

enum state { QUEUED, RUNNING, MADE, FAILED };

/* A comparison, which entries with and without a patch share. Under the lock of all. */
struct compared {
    unsigned refs;
    struct ox_comparison comparison;
};

struct entry {
    struct entry *next; /* asked for later */
    struct ox_diff_key key;
    enum state state;
    unsigned refs; /* who waits for it or reads it: it stays */
    int64_t asked_mono_ms;
    struct compared *compared; /* once it is made */
    uint64_t *costs;           /* NULL: not known */
    struct ox_err problem;     /* of a failed one */
};

struct ox_diffs {
    struct ox_control *control;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* monotonic: something is queued, or ended */
    struct entry *first;
    unsigned waiters;
    struct ox_stop *running;       /* of the one that is being made; NULL: none is */
    atomic_uint_fast64_t permille; /* of it */
    bool started;
    pthread_t thread;
};

static int64_t now_ms(const struct ox_diffs *diffs)
{
    const struct ox_clock *clock = diffs->control->clock;

    return clock->mono_ms(clock->ctx);
}

/* --- entries, under the lock --- */

static bool same_key(const struct ox_diff_key *a, const struct ox_diff_key *b)
{
    return ox_digest_equal(&a->base, &b->base) && ox_digest_equal(&a->target, &b->target) &&
           a->has_patch == b->has_patch && (!a->has_patch || ox_digest_equal(&a->patch, &b->patch));
}

static void unref(struct compared *compared)
{
    if (compared != NULL && --compared->refs == 0) {
        ox_comparison_clear(&compared->comparison);
        free(compared);
    }
}

static void drop(struct ox_diffs *diffs, struct entry *entry)
{
    struct entry **link = &diffs->first;

    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    unref(entry->compared);
    free(entry->costs);
    free(entry);
}

static bool is_waiting(const struct entry *entry)
{
    return entry->state == QUEUED || entry->state == RUNNING;
}

static size_t bytes_of(const struct entry *entry)
{
    return entry->compared == NULL
               ? 0
               : entry->compared->comparison.memory_bytes +
                     (entry->costs == NULL
                          ? 0
                          : entry->compared->comparison.count * sizeof(*entry->costs));
}

/* Make room: what was asked for the longest ago goes first, and never the last one, however large:
 * who asked for it is about to come back. */
static void trim(struct ox_diffs *diffs)
{
    for (;;) {
        struct entry *oldest = NULL;
        size_t count = 0;
        size_t finished = 0;
        size_t bytes = 0;

        for (struct entry *entry = diffs->first; entry != NULL; entry = entry->next) {
            count++;
            finished += !is_waiting(entry);
            bytes += bytes_of(entry);
            if (!is_waiting(entry) && entry->refs == 0 &&
                (oldest == NULL || entry->asked_mono_ms < oldest->asked_mono_ms)) {
                oldest = entry;
            }
        }
        if (oldest == NULL || finished < 2 || (count <= KEPT_MAX && bytes <= KEPT_BYTES_MAX)) {
            return;
        }
        drop(diffs, oldest);
    }
}

static enum ox_code find(struct ox_diffs *diffs, const struct ox_diff_key *key, struct entry **out,
                         struct ox_err *err)
{
    struct entry **end = &diffs->first;
    size_t waiting = 0;

    for (; *end != NULL; end = &(*end)->next) {
        if (same_key(&(*end)->key, key)) {
            *out = *end;
            return OX_OK;
        }
        waiting += is_waiting(*end);
    }
    if (waiting >= WAITING_MAX) {
        return ox_err_set(err, OX_EBUSY, "%zu comparisons are waiting: try again in a moment",
                          waiting);
    }
    *end = calloc(1, sizeof(**end));
    if (*end == NULL) {
        return ox_err_nomem(err, "a comparison");
    }
    (*end)->key = *key;
    *out = *end;
    (void)pthread_cond_broadcast(&diffs->changed);
    return OX_OK;
}

/* --- asking --- */

static void wait_for(struct ox_diffs *diffs, struct entry *entry, int64_t wait_ms)
{
    struct timespec until;
    int problem = 0;

    if (wait_ms <= 0 || diffs->waiters >= WAITERS_MAX) {
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    diffs->waiters++;
    entry->refs++;
    while (is_waiting(entry) && problem != ETIMEDOUT && !ox_stop_requested(&diffs->control->stop)) {
        problem = pthread_cond_timedwait(&diffs->changed, &diffs->lock, &until);
    }
    entry->refs--;
    diffs->waiters--;
}

enum ox_code ox_diffs_ask(struct ox_diffs *diffs, const struct ox_diff_key *key, int64_t wait_ms,
                          struct ox_diff_made *out, bool *ready, int *percent, struct ox_err *err)
{
    struct entry *entry = NULL;
    enum ox_code code;

    *ready = false;
    *percent = 0;
    (void)pthread_mutex_lock(&diffs->lock);
    code = find(diffs, key, &entry, err);
    if (code == OX_OK) {
        entry->asked_mono_ms = now_ms(diffs);
        wait_for(diffs, entry, wait_ms);
        if (entry->state == RUNNING) {
            *percent = (int)(atomic_load(&diffs->permille) / 10);
        } else if (entry->state == MADE) {
            entry->refs++;
            *out = (struct ox_diff_made){&entry->compared->comparison, entry->costs, entry};
            *ready = true;
        } else if (entry->state == FAILED) {
            code = ox_err_set(err, entry->problem.code, "%s", entry->problem.msg);
            if (entry->refs == 0) { /* the next one tries again */
                drop(diffs, entry);
            }
        }
    }
    trim(diffs);
    (void)pthread_mutex_unlock(&diffs->lock);
    return code;
}

void ox_diffs_release(struct ox_diffs *diffs, struct ox_diff_made *made)
{
    struct entry *entry = made->held;

    if (entry != NULL) {
        (void)pthread_mutex_lock(&diffs->lock);
        entry->refs--;
        trim(diffs);
        (void)pthread_mutex_unlock(&diffs->lock);
    }
    *made = (struct ox_diff_made){NULL, NULL, NULL};
}

/* --- making --- */

static void note_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct ox_diffs *diffs = ctx;
    uint64_t permille = total == 0 ? 0 : (uint64_t)((double)done / (double)total * 1000);

    atomic_store(&diffs->permille, permille < 999 ? permille : 999);
}

/* What each row costs in the patch. A patch that cannot be read any more tells none. */
static enum ox_code find_costs(struct ox_diffs *diffs, const struct ox_stored_side *base,
                               const struct ox_stored_side *target, const struct ox_diff_key *key,
                               const struct ox_comparison *comparison, uint64_t **out,
                               struct ox_stop *stop, struct ox_err *err)
{
    struct ox_explain_spec spec = {&base->side, &target->side, stop};
    const struct ox_explanation *explanation = NULL;
    struct ox_explain *explain = NULL;
    struct ox_blob blob = OX_BLOB_INIT;
    enum ox_code code = ox_store_read(diffs->control->store, &key->patch, &blob, err);

    if (code == OX_OK) {
        struct ox_source patch = ox_blob_source(&blob);

        if ((code = ox_explain_new(&explain, &spec, err)) == OX_OK &&
            (code = ox_explain_source(explain, &patch, &explanation, err)) == OX_OK) {
            code = ox_comparison_costs(comparison, explanation, out, err);
        }
        ox_explain_free(explain);
        ox_blob_close(&blob);
    }
    if (code != OX_OK && code != OX_ECANCELED && code != OX_ENOMEM) {
        ox_log(diffs->control->log, OX_LOG_WARN, "comparing: the patch tells no costs: %s",
               err == NULL ? "" : err->msg);
        ox_err_clear(err);
        code = OX_OK;
    }
    return code;
}

/* Without the lock. `compared` is there already, or made. */
static enum ox_code make(struct ox_diffs *diffs, const struct ox_diff_key *key,
                         struct compared **compared, uint64_t **costs, struct ox_stop *stop,
                         struct ox_err *err)
{
    const struct ox_progress progress = {diffs, note_progress};
    struct ox_stored_side base = {.blobs = NULL};
    struct ox_stored_side target = {.blobs = NULL};
    enum ox_code code;

    if ((code = ox_stored_side_open(diffs->control, &key->base, &base, err)) != OX_OK ||
        (code = ox_stored_side_open(diffs->control, &key->target, &target, err)) != OX_OK) {
        goto out;
    }
    if (*compared == NULL) {
        struct compared *made = calloc(1, sizeof(*made));

        code = made == NULL
                   ? ox_err_nomem(err, "a comparison")
                   : ox_compare(&base.side, &target.side, stop, &progress, &made->comparison, err);
        if (code != OX_OK) {
            free(made);
            goto out;
        }
        made->refs = 1;
        *compared = made;
    }
    if (key->has_patch) {
        code = find_costs(diffs, &base, &target, key, &(*compared)->comparison, costs, stop, err);
    }
out:
    ox_stored_side_close(&target);
    ox_stored_side_close(&base);
    return code;
}

/* The one that was asked for first, and what it can share. Under the lock. */
static struct entry *take(struct ox_diffs *diffs, struct compared **shared)
{
    struct entry *entry = diffs->first;

    while (entry != NULL && entry->state != QUEUED) {
        entry = entry->next;
    }
    for (struct entry *other = diffs->first; entry != NULL && other != NULL; other = other->next) {
        if (*shared == NULL && other->compared != NULL &&
            ox_digest_equal(&other->key.base, &entry->key.base) &&
            ox_digest_equal(&other->key.target, &entry->key.target)) {
            *shared = other->compared;
            (*shared)->refs++;
        }
    }
    return entry;
}

/* Note how it ended; one that was given up goes, unless somebody came back. Under the lock. */
static void end(struct ox_diffs *diffs, struct entry *entry, enum ox_code code,
                const struct ox_err *problem)
{
    bool given_up = code == OX_ECANCELED && !ox_stop_requested(&diffs->control->stop);

    entry->state = code == OX_OK ? MADE : FAILED;
    entry->problem = *problem;
    if (given_up && (entry->refs > 0 || now_ms(diffs) - entry->asked_mono_ms < ABANDONED_MS)) {
        entry->state = QUEUED;
    } else if (given_up) {
        drop(diffs, entry);
    }
    trim(diffs);
    (void)pthread_cond_broadcast(&diffs->changed);
}

enum ox_code ox_control_make_diff(struct ox_control *control, bool *made, struct ox_err *err)
{
    struct ox_diffs *diffs = control->diffs;
    struct ox_err problem = OX_ERR_INIT;
    struct compared *compared = NULL;
    uint64_t *costs = NULL;
    struct entry *entry;
    struct ox_stop stop;
    enum ox_code code = ox_stop_init(&stop, err);

    *made = false;
    if (code != OX_OK) {
        return code;
    }
    (void)pthread_mutex_lock(&diffs->lock);
    entry = take(diffs, &compared);
    if (entry != NULL) {
        const struct ox_diff_key key = entry->key;

        *made = true;
        entry->state = RUNNING;
        atomic_store(&diffs->permille, 0);
        diffs->running = &stop;
        if (ox_stop_requested(&control->stop)) {
            ox_stop_request(&stop);
        }
        (void)pthread_mutex_unlock(&diffs->lock);
        code = make(diffs, &key, &compared, &costs, &stop, &problem);
        (void)pthread_mutex_lock(&diffs->lock);
        diffs->running = NULL;
        if (code == OX_OK) {
            entry->compared = compared;
            entry->costs = costs;
        } else {
            unref(compared);
            free(costs);
        }
        end(diffs, entry, code, &problem);
    }
    (void)pthread_mutex_unlock(&diffs->lock);
    ox_stop_clear(&stop);
    return OX_OK; /* who asked hears what went wrong */
}

static bool any_queued(const struct ox_diffs *diffs)
{
    for (const struct entry *entry = diffs->first; entry != NULL; entry = entry->next) {
        if (entry->state == QUEUED) {
            return true;
        }
    }
    return false;
}

static void *work(void *arg)
{
    struct ox_diffs *diffs = arg;

    while (!ox_stop_requested(&diffs->control->stop)) {
        struct ox_err err = OX_ERR_INIT;
        bool made = false;

        if (ox_control_make_diff(diffs->control, &made, &err) != OX_OK) {
            ox_log(diffs->control->log, OX_LOG_ERROR, "comparing: %s", err.msg);
            (void)ox_stop_wait(&diffs->control->stop, 1000);
        }
        (void)pthread_mutex_lock(&diffs->lock);
        while (!any_queued(diffs) && !ox_stop_requested(&diffs->control->stop)) {
            (void)pthread_cond_wait(&diffs->changed, &diffs->lock);
        }
        (void)pthread_mutex_unlock(&diffs->lock);
    }
    return NULL;
}

/* --- all of them --- */

void ox_diffs_tick(struct ox_diffs *diffs)
{
    struct entry *entry;
    int64_t now;

    (void)pthread_mutex_lock(&diffs->lock);
    now = now_ms(diffs);
    entry = diffs->first;
    while (entry != NULL) {
        struct entry *next = entry->next;

        if (is_waiting(entry) && entry->refs == 0 && now - entry->asked_mono_ms >= ABANDONED_MS) {
            if (entry->state == QUEUED) {
                drop(diffs, entry);
            } else if (diffs->running != NULL) {
                ox_stop_request(diffs->running);
            }
        }
        entry = next;
    }
    (void)pthread_mutex_unlock(&diffs->lock);
}

enum ox_code ox_diffs_new(struct ox_diffs **out, struct ox_control *control, struct ox_err *err)
{
    struct ox_diffs *diffs = calloc(1, sizeof(*diffs));
    pthread_condattr_t monotonic;

    if (diffs == NULL) {
        return ox_err_nomem(err, "comparisons");
    }
    diffs->control = control;
    atomic_init(&diffs->permille, 0);
    (void)pthread_mutex_init(&diffs->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&diffs->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    *out = diffs;
    return OX_OK;
}

enum ox_code ox_diffs_start(struct ox_diffs *diffs, struct ox_err *err)
{
    int problem = pthread_create(&diffs->thread, NULL, work, diffs);

    diffs->started = problem == 0;
    return problem == 0 ? OX_OK : ox_err_sys(err, problem, "starting a thread");
}

void ox_diffs_stop(struct ox_diffs *diffs)
{
    (void)pthread_mutex_lock(&diffs->lock);
    if (diffs->running != NULL) {
        ox_stop_request(diffs->running);
    }
    (void)pthread_cond_broadcast(&diffs->changed);
    (void)pthread_mutex_unlock(&diffs->lock);
    if (diffs->started) {
        (void)pthread_join(diffs->thread, NULL);
        diffs->started = false;
    }
}

void ox_diffs_free(struct ox_diffs *diffs)
{
    if (diffs == NULL) {
        return;
    }
    while (diffs->first != NULL) {
        drop(diffs, diffs->first);
    }
    (void)pthread_cond_destroy(&diffs->changed);
    (void)pthread_mutex_destroy(&diffs->lock);
    free(diffs);
}

#include "inner.h"

#include "webhooks.h"

#include "oxide/registry/event.h"
#include "oxide/registry/figures.h"
#include "oxide/registry/patch.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_FACTOR 100
#define KEPT_MAX_NS ((uint64_t)60 * 1000 * 1000 * 1000)

/* Words of the registry, as its migrations have them. */
static const char *const job_states[] = {"queued", "running",  "ready",   "useless",
                                         "failed", "canceled", "evicted", NULL};
static const char *const job_ends[] = {"ready", "useless", "failed", "canceled", NULL};
static const char *const sent_kinds[] = {
    [OX_SENT_BLOB] = "blob", [OX_SENT_PATCH] = "patch", [OX_SENT_VERSION] = "version", NULL};
static const char *const beat_sources[] = {
    [OX_BEAT_MEMORY] = "memory", [OX_BEAT_REGISTRY] = "registry", NULL};

_Static_assert(sizeof(job_ends) / sizeof(job_ends[0]) == OX_JOB_ENDS + 1, "ends differ");
_Static_assert(sizeof(job_states) / sizeof(job_states[0]) <= OX_FIGURE_WORDS_MAX + 1, "no room");

/* --- what is counted as it happens --- */

static void add(atomic_ullong *to, uint64_t value)
{
    (void)atomic_fetch_add_explicit(to, value, memory_order_relaxed);
}

void ox_count_beat(struct ox_control *control, enum ox_beat_from from)
{
    add(&control->counted.beats[from], 1);
}

void ox_control_sent(struct ox_control *control, enum ox_sent what, uint64_t bytes)
{
    add(&control->counted.sent[what], bytes);
}

void ox_count_job(struct ox_control *control, const char *state, uint64_t worked_ns)
{
    add(&control->counted.begun, 1);
    add(&control->counted.worked_ns, worked_ns);
    for (size_t i = 0; i < OX_JOB_ENDS; i++) {
        if (strcmp(job_ends[i], state) == 0) {
            add(&control->counted.ended[i], 1);
        }
    }
}

/* --- words --- */

static void put_word(struct ox_word_figures *figures, const char *word)
{
    figures->word[figures->count] = word;
    figures->value[figures->count++] = 0;
}

static void put_words(struct ox_word_figures *figures, const char *const *words)
{
    *figures = (struct ox_word_figures){.count = 0};
    while (*words != NULL) {
        put_word(figures, *words++);
    }
}

static uint64_t *value_of(struct ox_word_figures *figures, const char *word)
{
    for (size_t i = 0; i < figures->count; i++) {
        if (strcmp(figures->word[i], word) == 0) {
            return &figures->value[i];
        }
    }
    return NULL;
}

static void add_word(struct ox_word_figures *figures, const char *word, uint64_t count)
{
    uint64_t *value = value_of(figures, word);

    if (value != NULL) {
        *value += count;
    }
}

static void put_sums(struct ox_word_figures *figures, const char *const *words, atomic_ullong *sums)
{
    put_words(figures, words);
    for (size_t i = 0; i < figures->count; i++) {
        figures->value[i] = atomic_load_explicit(&sums[i], memory_order_relaxed);
    }
}

static void put_device_words(struct ox_word_figures *figures)
{
    *figures = (struct ox_word_figures){.count = 0};
    for (enum ox_device_status i = OX_DEVICE_UNKNOWN; i <= OX_DEVICE_CONFLICT; i++) {
        put_word(figures, ox_device_status_word(i));
    }
}

static void put_campaign_words(struct ox_word_figures *figures)
{
    *figures = (struct ox_word_figures){.count = 0};
    for (enum ox_campaign_state i = OX_CAMPAIGN_PENDING; i <= OX_CAMPAIGN_ABORTED; i++) {
        put_word(figures, ox_campaign_state_word(i));
    }
}

static void put_place_words(struct ox_word_figures *figures)
{
    *figures = (struct ox_word_figures){.count = 0};
    for (enum ox_rollout_state i = OX_ROLLOUT_PENDING; i <= OX_ROLLOUT_SKIPPED; i++) {
        put_word(figures, ox_rollout_state_word(i));
    }
}

/* --- what the registry holds --- */

struct devices {
    struct ox_control *control;
    struct ox_word_figures *figures;
};

/* The registry learns every 30 s when a device was heard last (ox_live_flush): of those that it
 * takes for silent, memory may know better. */
static void count_device(void *ctx, const struct ox_standing_row *row)
{
    const struct devices *devices = ctx;
    const struct ox_device_row device = {.id = row->id,
                                         .status = row->status,
                                         .last_heartbeat_ms = row->last_heartbeat_ms,
                                         .poll_interval_s = row->poll_interval_s,
                                         .conflict_ms = row->conflict_ms};
    const char *status = ox_device_status_at(devices->control, &device, device.last_heartbeat_ms);

    if (status == ox_device_status_word(OX_DEVICE_OFFLINE) ||
        status == ox_device_status_word(OX_DEVICE_UNKNOWN)) {
        status = ox_device_status(devices->control, &device);
    }
    add_word(devices->figures, status, 1);
}

static enum ox_code count_devices(struct ox_control *control, struct ox_tx *tx,
                                  struct ox_word_figures *out, struct ox_err *err)
{
    struct devices devices = {control, out};

    put_device_words(out);
    return ox_registry_standings(tx, count_device, &devices, err);
}

static enum ox_code count_states(struct ox_tx *tx, struct ox_figures *out, struct ox_err *err)
{
    struct ox_state_count *rows = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_campaign_states(tx, &rows, &count, err);

    put_campaign_words(&out->campaigns);
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        add_word(&out->campaigns, rows[i].state, rows[i].count);
    }
    if (code == OX_OK) {
        code = ox_registry_job_states(tx, &rows, &count, err);
    }
    put_words(&out->jobs, job_states);
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        add_word(&out->jobs, rows[i].state, rows[i].count);
    }
    return code;
}

static enum ox_code add_campaign(const struct ox_place_count *row, struct ox_figures *out,
                                 struct ox_err *err)
{
    struct ox_campaign_figures *campaign = &out->under_way[out->under_way_count++];
    enum ox_code code;

    put_place_words(&campaign->devices);
    if ((code = ox_strdup(&campaign->id, row->campaign_id, err)) != OX_OK ||
        (code = ox_strdup(&campaign->model_id, row->model_id, err)) != OX_OK) {
        return code;
    }
    return ox_strdup(&campaign->version, row->version, err);
}

static enum ox_code count_places(struct ox_tx *tx, struct ox_figures *out, struct ox_err *err)
{
    struct ox_place_count *rows = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_place_counts(tx, OX_FIGURE_CAMPAIGNS_MAX, &rows, &count, err);

    if (code == OX_OK &&
        (out->under_way = calloc(OX_FIGURE_CAMPAIGNS_MAX, sizeof(*out->under_way))) == NULL) {
        code = ox_err_nomem(err, "figures");
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        if (i == 0 || strcmp(rows[i].campaign_id, rows[i - 1].campaign_id) != 0) {
            code = add_campaign(&rows[i], out, err);
        }
        if (code == OX_OK) {
            add_word(&out->under_way[out->under_way_count - 1].devices, rows[i].state,
                     rows[i].devices);
        }
    }
    return code;
}

static enum ox_code count_webhooks(struct ox_control *control, struct ox_tx *tx,
                                   struct ox_figures *out, struct ox_err *err)
{
    struct ox_hooks *hooks = control->hooks;
    struct ox_event_bounds bounds = {.newest = 0};
    enum ox_code code = ox_registry_events_bounds(tx, &bounds, err);

    if (code == OX_OK &&
        (out->webhooks = calloc(OX_WEBHOOKS_MAX, sizeof(*out->webhooks))) == NULL) {
        code = ox_err_nomem(err, "figures");
    }
    (void)pthread_mutex_lock(&hooks->lock);
    for (const struct ox_hook *hook = hooks->first;
         code == OX_OK && hook != NULL && out->webhook_count < OX_WEBHOOKS_MAX; hook = hook->next) {
        struct ox_webhook_figures *figures = &out->webhooks[out->webhook_count++];

        code = ox_strdup(&figures->id, hook->id, err);
        figures->backlog =
            bounds.newest > hook->cursor ? (uint64_t)(bounds.newest - hook->cursor) : 0;
        figures->delivered = hook->delivered - hook->delivered_before;
        figures->lost = hook->lost - hook->lost_before;
        figures->failed_tries = hook->failed_tries;
        figures->stopped = hook->stopped;
    }
    (void)pthread_mutex_unlock(&hooks->lock);
    return code;
}

static void clear_figures(struct ox_figures *figures)
{
    for (size_t i = 0; i < figures->under_way_count; i++) {
        free(figures->under_way[i].id);
        free(figures->under_way[i].model_id);
        free(figures->under_way[i].version);
    }
    for (size_t i = 0; i < figures->webhook_count; i++) {
        free(figures->webhooks[i].id);
    }
    free(figures->under_way);
    free(figures->webhooks);
    *figures = (struct ox_figures){.under_way_count = 0};
}

static enum ox_code read_registry(struct ox_control *control, struct ox_figures *out,
                                  struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK && (code = count_devices(control, &tx, &out->devices, err)) == OX_OK &&
        (code = count_states(&tx, out, err)) == OX_OK &&
        (code = count_places(&tx, out, err)) == OX_OK &&
        (code = count_webhooks(control, &tx, out, err)) == OX_OK &&
        (code = ox_registry_pending_waiting(&tx, &out->pending_devices, err)) == OX_OK &&
        (code = ox_registry_patch_bytes(&tx, &out->patch_bytes, err)) == OX_OK) {
        code = ox_registry_saved_bytes(&tx, &out->saved_bytes, err);
    }
    ox_registry_end(&tx);
    return code;
}

/* With the lock. What campaigns have saved may fall by a little, where a device that had completed
 * fetches once more: the sum stays until it is passed. */
static enum ox_code refresh(struct ox_control *control, struct ox_err *err)
{
    struct ox_counted *counted = &control->counted;
    struct ox_figures figures = {.under_way_count = 0};
    uint64_t begun_ns = ox_clock_now_ns();
    uint64_t took_ns;
    enum ox_code code;

    if (begun_ns < counted->fresh_until_ns) {
        return OX_OK;
    }
    code = read_registry(control, &figures, err);
    if (code != OX_OK) {
        clear_figures(&figures);
        return code;
    }
    figures.saved_bytes = figures.saved_bytes > counted->saved_before
                              ? figures.saved_bytes - counted->saved_before
                              : 0;
    if (figures.saved_bytes < counted->figures.saved_bytes) {
        figures.saved_bytes = counted->figures.saved_bytes;
    }
    clear_figures(&counted->figures);
    counted->figures = figures;
    took_ns = ox_clock_now_ns() - begun_ns;
    if (took_ns > OX_FIGURES_FRESH_NS) {
        uint64_t kept_ns = took_ns * KEPT_FACTOR;

        counted->fresh_until_ns = begun_ns + (kept_ns < KEPT_MAX_NS ? kept_ns : KEPT_MAX_NS);
    }
    return OX_OK;
}

/* --- all of them --- */

static enum ox_code read_files(struct ox_control *control, struct ox_figures *out,
                               struct ox_err *err)
{
    enum ox_code code = ox_store_usage(control->store, &out->store_blobs, &out->store_bytes, err);

    ox_registry_file_bytes(control->registry, &out->database_bytes, &out->wal_bytes);
    return code == OX_OK ? ox_store_free_bytes(control->store, &out->store_free_bytes, err) : code;
}

enum ox_code ox_control_figures(struct ox_control *control, const struct ox_figures_reader *reader,
                                struct ox_err *err)
{
    struct ox_counted *counted = &control->counted;
    struct ox_figures *figures = &counted->figures;
    enum ox_code code;

    (void)pthread_mutex_lock(&counted->lock);
    if ((code = refresh(control, err)) == OX_OK &&
        (code = read_files(control, figures, err)) == OX_OK) {
        put_sums(&figures->beats, beat_sources, counted->beats);
        put_sums(&figures->sent, sent_kinds, counted->sent);
        put_sums(&figures->ended, job_ends, counted->ended);
        figures->begun = atomic_load_explicit(&counted->begun, memory_order_relaxed);
        figures->worked_ns = atomic_load_explicit(&counted->worked_ns, memory_order_relaxed);
        figures->holding = ox_holding(control);
        figures->patch_bytes_max = control->delta_cache_bytes;
        code = reader->read(reader->ctx, figures, err);
    }
    (void)pthread_mutex_unlock(&counted->lock);
    return code;
}

/* --- beginning and end --- */

void ox_figures_init(struct ox_control *control)
{
    (void)pthread_mutex_init(&control->counted.lock, NULL);
}

enum ox_code ox_figures_open(struct ox_control *control, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK) {
        code = ox_registry_saved_bytes(&tx, &control->counted.saved_before, err);
    }
    ox_registry_end(&tx);
    return code;
}

void ox_figures_clear(struct ox_control *control)
{
    clear_figures(&control->counted.figures);
    (void)pthread_mutex_destroy(&control->counted.lock);
}

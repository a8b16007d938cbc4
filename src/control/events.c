#include "inner.h"

#include "oxide/control/caller.h"
#include "oxide/control/event.h"
#include "oxide/registry/event.h"

#include <stdlib.h>
#include <string.h>

/* --- who asks --- */

static _Thread_local const struct ox_caller *caller;

void ox_control_act_for(const struct ox_caller *who)
{
    caller = who;
}

const struct ox_caller *ox_control_caller(void)
{
    static const struct ox_caller nobody = {NULL, NULL};

    return caller == NULL ? &nobody : caller;
}

/* --- writing --- */

static int by_word(const void *word, const void *kind)
{
    return strcmp(word, ((const struct ox_event_kind *)kind)->word);
}

/* The data without the subjects, which have columns of their own. */
static enum ox_code text_of_rest(json_t *data, char **out, struct ox_err *err)
{
    static const char *const subjects[] = {"device_id", "campaign_id", "model_id"};
    json_t *rest = json_copy(data);
    enum ox_code code;

    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        (void)json_object_del(rest, subjects[i]);
    }
    code = rest == NULL ? ox_err_nomem(err, "an event") : ox_json_text(rest, out, err);
    json_decref(rest);
    return code;
}

enum ox_code ox_event(struct ox_control *control, struct ox_tx *tx, const char *kind,
                      json_t *take_data, struct ox_err *err)
{
    const struct ox_caller *who = ox_control_caller();
    struct ox_event_row row = {
        .at_ms = ox_control_now(control),
        .kind = kind,
        .device_id = json_string_value(json_object_get(take_data, "device_id")),
        .campaign_id = json_string_value(json_object_get(take_data, "campaign_id")),
        .model_id = json_string_value(json_object_get(take_data, "model_id")),
        .actor = who->actor,
        .request_id = who->request_id,
    };
    char *text = NULL;
    enum ox_code code = take_data == NULL ? ox_err_nomem(err, "an event") : OX_OK;

    if (code == OX_OK && bsearch(kind, ox_event_kinds, ox_event_kinds_count,
                                 sizeof(ox_event_kinds[0]), by_word) == NULL) {
        code = ox_err_set(err, OX_EINTERNAL, "event kind %s is in no row of event_kinds.c", kind);
    }
    if (code == OX_OK && (code = text_of_rest(take_data, &text, err)) == OX_OK) {
        row.data = text;
        code = ox_registry_event_add(tx, &row, err);
    }
    free(text);
    json_decref(take_data);
    return code;
}

/* NULL while it is not over, or not known. */
static json_t *ended_duration(const struct ox_campaign_device_row *row)
{
    bool ended = strcmp(row->state, "complete") == 0 || strcmp(row->state, "failed") == 0;

    return ended && row->duration_ms > 0 ? json_integer((json_int_t)row->duration_ms) : NULL;
}

enum ox_code ox_event_moved(struct ox_control *control, struct ox_tx *tx,
                            const struct ox_campaign_device_row *row, const char *from,
                            struct ox_err *err)
{
    struct ox_campaign_row campaign;
    enum ox_code code = ox_registry_campaign_get(tx, row->campaign_id, &campaign, err);

    return code == OX_OK
               ? ox_event(control, tx, "campaign.device_moved",
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o*, s:s*, s:s*, s:o*}",
                                    "campaign_id", row->campaign_id, "device_id", row->device_id,
                                    "model_id", campaign.model_id, "version", campaign.version,
                                    "from", from, "to", row->state, "error",
                                    ox_json_of_opt(row->error), "failed_at", row->failed_at,
                                    "strategy", row->strategy, "duration_ms", ended_duration(row)),
                          err)
               : code;
}

enum ox_code ox_event_campaign(struct ox_control *control, struct ox_tx *tx, const char *kind,
                               const struct ox_campaign_row *campaign, struct ox_err *err)
{
    return ox_event(control, tx, kind,
                    json_pack("{s:s, s:s, s:s, s:I, s:o*}", "campaign_id", campaign->id, "model_id",
                              campaign->model_id, "version", campaign->version, "stage",
                              (json_int_t)campaign->stage + 1, "reason",
                              ox_json_of_opt(campaign->reason)),
                    err);
}

/* --- dropping --- */

/* A step takes the writer's lock for some milliseconds, and lets others have it in between. */
#define TRIM_STEP 500
#define TRIM_REST_MS 5

static enum ox_code trim_step(struct ox_control *control, bool *more, struct ox_err *err)
{
    int64_t before_ms = ox_control_now(control) - (int64_t)control->events.keep_s * 1000;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = ox_registry_events_trim(&tx, control->events.keep, before_ms,
                                                         TRIM_STEP, more, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_events_trim(struct ox_control *control, struct ox_err *err)
{
    bool more = true;
    enum ox_code code = OX_OK;

    while (code == OX_OK && more && !ox_stop_requested(&control->stop)) {
        code = trim_step(control, &more, err);
        if (more) {
            (void)ox_stop_wait(&control->stop, TRIM_REST_MS);
        }
    }
    return code;
}

/* --- telling who waits --- */

static void committed(void *ctx)
{
    struct ox_events *events = ctx;

    (void)pthread_mutex_lock(&events->lock);
    for (size_t i = 0; i < events->count; i++) {
        events->watchers[i].wake(events->watchers[i].ctx);
    }
    (void)pthread_mutex_unlock(&events->lock);
}

void ox_events_init(struct ox_control *control, const struct ox_control_options *options)
{
    control->events.keep =
        options->events_keep != 0 ? options->events_keep : OX_EVENTS_KEEP_DEFAULT;
    control->events.keep_s =
        options->events_keep_s != 0 ? options->events_keep_s : OX_EVENTS_KEEP_S_DEFAULT;
    (void)pthread_mutex_init(&control->events.lock, NULL);
    ox_registry_events_watch(control->registry, committed, &control->events);
}

void ox_events_clear(struct ox_control *control)
{
    ox_registry_events_watch(control->registry, NULL, NULL);
    (void)pthread_mutex_destroy(&control->events.lock);
}

void ox_control_events_watch(struct ox_control *control, void (*wake)(void *ctx), void *ctx)
{
    struct ox_events *events = &control->events;

    (void)pthread_mutex_lock(&events->lock);
    events->watchers[events->count++] = (struct ox_events_watcher){wake, ctx};
    (void)pthread_mutex_unlock(&events->lock);
}

void ox_control_events_unwatch(struct ox_control *control, void *ctx)
{
    struct ox_events *events = &control->events;

    (void)pthread_mutex_lock(&events->lock);
    for (size_t i = 0; i < events->count; i++) {
        if (events->watchers[i].ctx == ctx) {
            events->watchers[i] = events->watchers[--events->count];
            break;
        }
    }
    (void)pthread_mutex_unlock(&events->lock);
}

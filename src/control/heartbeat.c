#include "inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One heartbeat on its way: first a reading transaction decides whether it changes anything, and
 * only then a writing one applies it. */
struct beat {
    struct ox_control *control;
    const char *device_id;
    struct ox_heartbeat said;
    bool had_result;     /* the heartbeat before carried a result too */
    bool result_changed; /* this one's is another than the one that is stored */
    char *result;        /* JSON texts */
    char *platform;
    char *metrics;
    char reads[OX_READS_TEXT_MAX];
};

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static enum ox_code texts_of(struct beat *beat, struct ox_err *err)
{
    const struct ox_heartbeat *said = &beat->said;
    enum ox_code code = OX_OK;

    if (said->result_presence == OX_PRESENT) {
        json_t *result = !said->result_failed ? json_string("success")
                                              : json_pack("{s:{s:o}}", "failed", "error",
                                                          ox_json_of_str(said->result_error));

        code =
            result == NULL ? ox_err_nomem(err, "JSON") : ox_json_text(result, &beat->result, err);
        json_decref(result);
    }
    if (code == OX_OK && said->platform != NULL) {
        code = ox_json_text(said->platform, &beat->platform, err);
    }
    if (code == OX_OK && said->metrics != NULL) {
        code = ox_json_text(said->metrics, &beat->metrics, err);
    }
    ox_reads_text(&said->reads, beat->reads);
    return code;
}

static void merge_text(const char **field, enum ox_presence presence, const char *value,
                       bool *changed)
{
    const char *next = presence == OX_PRESENT ? value : NULL;

    if (presence != OX_ABSENT && !same(*field, next)) {
        *field = next;
        *changed = true;
    }
}

/* Absent means unchanged, null means none. Returns whether the row differs now. */
static bool merge(struct beat *beat, struct ox_device_row *row)
{
    const struct ox_heartbeat *said = &beat->said;
    const char *status = row->status;
    bool changed = false;

    if (said->status_presence == OX_PRESENT) {
        status = ox_device_status_word(said->status);
    } else if (said->status_presence == OX_NULL || row->last_heartbeat_ms == 0) {
        status = ox_device_status_word(OX_DEVICE_ONLINE);
    }
    merge_text(&row->status, OX_PRESENT, status, &changed);
    merge_text(&row->current_model, said->current_model.presence, said->current_model.value,
               &changed);
    merge_text(&row->current_version, said->current_version.presence, said->current_version.value,
               &changed);
    beat->result_changed = false;
    merge_text(&row->last_result, said->result_presence, beat->result, &beat->result_changed);
    merge_text(&row->platform, beat->platform != NULL ? OX_PRESENT : OX_ABSENT, beat->platform,
               &changed);
    merge_text(&row->agent, said->agent != NULL ? OX_PRESENT : OX_ABSENT, said->agent, &changed);
    merge_text(&row->reads, said->reads_presence, beat->reads, &changed);
    if (said->protocol != 0 && row->protocol != said->protocol) {
        row->protocol = said->protocol;
        changed = true;
    }
    return changed || beat->result_changed || row->last_heartbeat_ms == 0;
}

/* --- what it runs --- */

static const struct ox_device_model *said_model(const struct ox_heartbeat *said, const char *id)
{
    for (size_t i = 0; i < said->models_count; i++) {
        if (strcmp(said->models[i].model_id, id) == 0) {
            return &said->models[i];
        }
    }
    return NULL;
}

static enum ox_code put_said_models(struct beat *beat, struct ox_tx *tx, struct ox_err *err)
{
    const struct ox_heartbeat *said = &beat->said;
    enum ox_code code = ox_registry_device_models_clear(tx, beat->device_id, err);

    for (size_t i = 0; code == OX_OK && i < said->models_count; i++) {
        struct ox_device_model_row row = {beat->device_id, said->models[i].model_id,
                                          said->models[i].version, true, said->models[i].digest};

        code = ox_registry_device_model_put(tx, &row, err);
    }
    return code;
}

/* models[] of the new generation. */
static enum ox_code sync_said_models(struct beat *beat, struct ox_tx *tx,
                                     const struct ox_device_model_row *held, size_t held_count,
                                     bool dry, bool *changed, struct ox_err *err)
{
    const struct ox_heartbeat *said = &beat->said;
    bool differs = held_count != said->models_count;

    for (size_t i = 0; !differs && i < held_count; i++) {
        const struct ox_device_model *model = said_model(said, held[i].model_id);

        differs = model == NULL || strcmp(model->version, held[i].version) != 0 ||
                  !held[i].has_digest || !ox_digest_equal(&model->digest, &held[i].digest);
    }
    *changed = *changed || differs;
    return differs && !dry ? put_said_models(beat, tx, err) : OX_OK;
}

/* The one model of the first generation; its digest is known if we hold that version. */
static enum ox_code sync_current_model(struct beat *beat, struct ox_tx *tx,
                                       const struct ox_device_row *device,
                                       const struct ox_device_model_row *held, size_t held_count,
                                       bool dry, bool *changed, struct ox_err *err)
{
    struct ox_device_model_row row = {
        beat->device_id, device->current_model, device->current_version, false, {{0}}};
    struct ox_artifact_row artifact;
    bool differs = true;
    enum ox_code code;

    if (device->current_model == NULL || device->current_version == NULL) {
        *changed = *changed || held_count > 0;
        return dry || held_count == 0 ? OX_OK
                                      : ox_registry_device_models_clear(tx, beat->device_id, err);
    }
    code = ox_registry_artifact_get(tx, row.model_id, row.version, &artifact, err);
    if (code == OX_OK) {
        row.has_digest = true;
        row.digest = artifact.digest;
    } else if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        code = OX_OK;
    }
    for (size_t i = 0; i < held_count; i++) {
        if (strcmp(held[i].model_id, row.model_id) == 0) {
            differs = strcmp(held[i].version, row.version) != 0 ||
                      held[i].has_digest != row.has_digest ||
                      (row.has_digest && !ox_digest_equal(&held[i].digest, &row.digest));
        }
    }
    *changed = *changed || differs;
    return code == OX_OK && differs && !dry ? ox_registry_device_model_put(tx, &row, err) : code;
}

static enum ox_code sync_models(struct beat *beat, struct ox_tx *tx,
                                const struct ox_device_row *device, bool dry, bool *changed,
                                struct ox_err *err)
{
    struct ox_device_model_row *held = NULL;
    size_t held_count = 0;
    enum ox_code code = ox_registry_device_models(tx, beat->device_id, &held, &held_count, err);

    if (code != OX_OK) {
        return code;
    }
    if (beat->said.models_presence != OX_ABSENT) {
        return sync_said_models(beat, tx, held, held_count, dry, changed, err);
    }
    return device->protocol == 0
               ? sync_current_model(beat, tx, device, held, held_count, dry, changed, err)
               : OX_OK;
}

/* --- how its updates go --- */

static enum ox_code move(struct beat *beat, struct ox_tx *tx, struct ox_campaign_device_row *row,
                         enum ox_rollout_state to, const char *error, struct ox_err *err)
{
    enum ox_code code;

    row->state = ox_rollout_state_word(to);
    row->error = error;
    row->updated_ms = ox_control_now(beat->control);
    code = ox_registry_campaign_device_update(tx, row, err);
    return code == OX_OK ? ox_campaign_advance(beat->control, tx, row->campaign_id, err) : code;
}

static bool may_move(const struct ox_campaign_device_row *row, enum ox_rollout_state to)
{
    enum ox_rollout_state from = OX_ROLLOUT_SKIPPED;

    return ox_rollout_state_parse(row->state, &from, NULL) == OX_OK &&
           ox_device_may_move((enum ox_device_step)from, (enum ox_device_step)to);
}

/* The campaign that a report is about: named, or the open one for that version. A report that fits
 * none (an update that an operator began by hand) is acknowledged and changes nothing. */
static enum ox_code row_of_report(struct beat *beat, struct ox_tx *tx,
                                  const struct ox_device_report *report,
                                  struct ox_campaign_device_row *out, bool *found,
                                  struct ox_err *err)
{
    struct ox_campaign_device_row *rows = NULL;
    struct ox_campaign_row campaign;
    size_t count = 0;
    enum ox_code code = OX_OK;

    *found = false;
    if (report->campaign_id != NULL) {
        code = ox_registry_campaign_device_get(tx, report->campaign_id, beat->device_id, out, err);
        rows = out;
        count = 1;
    } else {
        code = ox_registry_device_open(tx, beat->device_id, &rows, &count, err);
    }
    for (size_t i = 0; code == OX_OK && !*found && i < count; i++) {
        code = ox_registry_campaign_get(tx, rows[i].campaign_id, &campaign, err);
        if (code == OX_OK && strcmp(campaign.model_id, report->model_id) == 0 &&
            strcmp(campaign.version, report->version) == 0) {
            *out = rows[i];
            *found = true;
        }
    }
    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        code = OX_OK;
    }
    return code;
}

static enum ox_code apply_report(struct beat *beat, struct ox_tx *tx,
                                 const struct ox_device_report *report, struct ox_err *err)
{
    struct ox_campaign_device_row row = {0};
    char error[OX_ERR_MSG_MAX];
    bool ends_badly = report->state == OX_ROLLOUT_FAILED || report->state == OX_ROLLOUT_SKIPPED;
    bool found = false;
    enum ox_code code = row_of_report(beat, tx, report, &row, &found, err);

    if (code != OX_OK || !found || !may_move(&row, report->state)) {
        return code;
    }
    (void)snprintf(error, sizeof(error), "%s: %s",
                   report->error_code == NULL ? "failed" : report->error_code,
                   report->error_message == NULL ? "no reason was given" : report->error_message);
    if (report->strategy != NULL) {
        row.strategy = report->strategy;
    }
    if (report->bytes_received > row.bytes_received) {
        row.bytes_received = report->bytes_received;
    }
    return move(beat, tx, &row, report->state, ends_badly ? error : NULL, err);
}

static enum ox_code apply_reports(struct beat *beat, struct ox_tx *tx, struct ox_device_row *device,
                                  struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < beat->said.reports_count; i++) {
        const struct ox_device_report *report = &beat->said.reports[i];

        if (report->seq > device->report_seq) {
            code = apply_report(beat, tx, report, err);
            device->report_seq = report->seq;
        }
    }
    return code;
}

static bool has_report_for(const struct beat *beat, const struct ox_campaign_row *campaign)
{
    for (size_t i = 0; i < beat->said.reports_count; i++) {
        if (strcmp(beat->said.reports[i].model_id, campaign->model_id) == 0) {
            return true;
        }
    }
    return false;
}

/* Where an open campaign moves by what the device runs, whatever was reported. */
static bool inferred(const struct beat *beat, const struct ox_device_row *device,
                     const struct ox_campaign_row *campaign, enum ox_rollout_state *to)
{
    const struct ox_heartbeat *said = &beat->said;
    /* A device that repeats its last result in every heartbeat has not failed again. */
    bool fails = said->result_failed && (beat->result_changed || !beat->had_result);

    if (device->protocol > 0) {
        const struct ox_device_model *model = said_model(said, campaign->model_id);

        *to = OX_ROLLOUT_COMPLETE;
        return model != NULL && ox_digest_equal(&model->digest, &campaign->digest) &&
               strcmp(device->status, "updating") != 0 && !has_report_for(beat, campaign);
    }
    if (strcmp(campaign->state, "rolling_out") == 0 && fails) {
        *to = OX_ROLLOUT_FAILED;
        return true;
    }
    if (same(device->current_model, campaign->model_id) &&
        same(device->current_version, campaign->version)) {
        *to = OX_ROLLOUT_COMPLETE;
        return true;
    }
    *to = OX_ROLLOUT_DOWNLOADING;
    return strcmp(campaign->state, "rolling_out") == 0 && said->status_presence == OX_PRESENT &&
           said->status == OX_DEVICE_UPDATING;
}

static enum ox_code infer(struct beat *beat, struct ox_tx *tx, const struct ox_device_row *device,
                          bool dry, bool *changed, struct ox_err *err)
{
    struct ox_campaign_device_row *rows = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_device_open(tx, beat->device_id, &rows, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        enum ox_rollout_state to = OX_ROLLOUT_PENDING;
        struct ox_campaign_row campaign;

        code = ox_registry_campaign_get(tx, rows[i].campaign_id, &campaign, err);
        if (code != OX_OK || !inferred(beat, device, &campaign, &to) || !may_move(&rows[i], to)) {
            continue;
        }
        *changed = true;
        if (!dry) {
            code = move(beat, tx, &rows[i], to,
                        to == OX_ROLLOUT_FAILED ? beat->said.result_error : NULL, err);
        }
        if (to == OX_ROLLOUT_FAILED) { /* the first generation runs one update at a time */
            break;
        }
    }
    return code;
}

/* --- deciding and applying --- */

static enum ox_code changes_anything(struct beat *beat, bool *out, struct ox_err *err)
{
    struct ox_device_row device;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    *out = beat->said.reports_count > 0;
    if ((code = ox_registry_begin(beat->control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = ox_registry_device_get(&tx, beat->device_id, &device, err)) == OX_OK) {
        *out = merge(beat, &device) || *out;
        code = sync_models(beat, &tx, &device, true, out, err);
        if (code == OX_OK) {
            code = infer(beat, &tx, &device, true, out, err);
        }
    }
    ox_registry_end(&tx);
    return code;
}

static enum ox_code apply(struct beat *beat, struct ox_err *err)
{
    struct ox_control *control = beat->control;
    struct ox_live_written written = {0};
    struct ox_device_row device;
    struct ox_tx tx = OX_TX_INIT;
    bool changed = false;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) != OX_OK ||
        (code = ox_registry_device_get(&tx, beat->device_id, &device, err)) != OX_OK) {
        goto out;
    }
    (void)merge(beat, &device);
    device.last_heartbeat_ms = ox_control_now(control);
    if (beat->metrics != NULL) {
        device.metrics = beat->metrics;
    }
    if ((code = ox_live_write_served(control, &tx, beat->device_id, &written, err)) == OX_OK &&
        (code = apply_reports(beat, &tx, &device, err)) == OX_OK &&
        (code = sync_models(beat, &tx, &device, false, &changed, err)) == OX_OK &&
        (code = infer(beat, &tx, &device, false, &changed, err)) == OX_OK &&
        (code = ox_registry_device_update(&tx, &device, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    /* Before the next writer may begin, or it would count the same bytes again. */
    ox_live_written(control, &written, code == OX_OK);
out:
    ox_registry_end(&tx);
    return code;
}

static enum ox_code answer(struct beat *beat, char **out, struct ox_err *err)
{
    struct ox_control *control = beat->control;
    struct ox_wanted wanted[OX_HEARTBEAT_MODELS_MAX];
    struct ox_heartbeat_answer answer = {0};
    size_t wanted_count = 0;
    struct ox_device_row device;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = ox_registry_device_get(&tx, beat->device_id, &device, err)) == OX_OK &&
        (code = ox_assign(control, &tx, &device, true, &answer, wanted, &wanted_count, err)) ==
            OX_OK &&
        device.protocol > 0) {
        answer.reports_ack_present = true;
        answer.reports_ack = device.report_seq;
        answer.poll_interval_s = control->told_interval_s;
    }
    ox_registry_end(&tx);
    if (code == OX_OK) {
        code = ox_jobs_queue_wanted(control, wanted, wanted_count, err);
    }
    if (code == OX_OK) {
        code = ox_heartbeat_answer_build(&answer, out, err);
    }
    ox_heartbeat_answer_clear(&answer);
    return code;
}

enum ox_code ox_control_heartbeat(struct ox_control *control, const char *id, const void *body,
                                  size_t len_bytes, char **out, struct ox_err *err)
{
    struct beat beat = {.control = control, .device_id = id};
    bool changes = false;
    enum ox_code code = ox_heartbeat_parse(body, len_bytes, &beat.said, err);

    beat.had_result = ox_live_had_result(control, id);
    if (code == OX_OK && (code = texts_of(&beat, err)) == OX_OK &&
        (code = changes_anything(&beat, &changes, err)) == OX_OK) {
        code = changes ? apply(&beat, err) : OX_OK;
    }
    if (code == OX_OK) {
        ox_live_note(control, id, beat.said.metrics, beat.said.result_presence == OX_PRESENT,
                     changes);
        code = answer(&beat, out, err);
    }
    free(beat.result);
    free(beat.platform);
    free(beat.metrics);
    ox_heartbeat_clear(&beat.said);
    return code;
}

/* How a device's updates go, by what it reports and by what it runs. */
#include "heartbeat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- reports --- */

/* The campaign that a report is about: named, or the open one for that version. A report that fits
 * none (an update that an operator began by hand) is acknowledged and changes nothing. */
static enum ox_code row_of_report(struct ox_beat *beat, struct ox_tx *tx,
                                  const struct ox_device_report *report,
                                  struct ox_campaign_device_row *out,
                                  struct ox_artifact_row *target, bool *found, struct ox_err *err)
{
    struct ox_campaign_device_row *rows = NULL;
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
        if (rows[i].artifact_id == 0) {
            continue;
        }
        code = ox_registry_artifact_by_id(tx, rows[i].artifact_id, target, err);
        if (code == OX_OK && strcmp(target->model_id, report->model_id) == 0 &&
            strcmp(target->version, report->version) == 0) {
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

/* Its patch failed, and the full file was not for it: may it have that now? */
static enum ox_code grant_fallback(struct ox_beat *beat, struct ox_tx *tx,
                                   struct ox_campaign_device_row *row, bool *granted,
                                   struct ox_err *err)
{
    struct ox_campaign_row campaign;
    struct ox_policy policy;
    uint64_t used = 0;
    enum ox_code code;

    *granted = false;
    if (row->fallback ||
        (code = ox_registry_campaign_get(tx, row->campaign_id, &campaign, err)) != OX_OK ||
        (code = ox_campaign_policy(&campaign, &policy, err)) != OX_OK ||
        (code = ox_registry_campaign_fallbacks(tx, campaign.id, &used, err)) != OX_OK) {
        return row->fallback ? OX_OK : code;
    }
    if (used >= ox_rollout_fallbacks(&policy, campaign.total)) {
        return OX_OK;
    }
    *granted = true;
    row->fallback = true;
    row->updated_ms = ox_control_now(beat->control);
    row->state = ox_rollout_state_word(OX_ROLLOUT_PENDING); /* it was told, and begins again */
    ox_log(beat->control->log, OX_LOG_WARN,
           "campaign %s: device %s may fetch the full file: its patch failed", campaign.id,
           row->device_id);
    return ox_registry_campaign_device_update(tx, row, err);
}

static enum ox_failure failure_of(const struct ox_device_report *report,
                                  const struct ox_campaign_device_row *row)
{
    if (report->state == OX_ROLLOUT_FAILED) {
        return ox_failure_of_report(report->error_code);
    }
    /* Older agents fall back on their own, and say so once it is done. */
    return report->state == OX_ROLLOUT_COMPLETE &&
                   (row->fallback ||
                    (report->error_code != NULL && strcmp(report->error_code, "patch") == 0))
               ? OX_FAILURE_FALLBACK
               : OX_FAILURE_NONE;
}

/* What it reports as complete is what it runs from now on, also where the heartbeat leaves out its
 * models, as one does that is written before the agent has taken in how its update ended. */
static enum ox_code take_version(struct ox_beat *beat, struct ox_tx *tx,
                                 const struct ox_artifact_row *target, struct ox_err *err)
{
    const struct ox_device_model_row runs = {beat->device_id, target->model_id, target->version,
                                             true, target->digest};
    enum ox_code code = ox_registry_device_model_put(tx, &runs, err);

    return code == OX_OK
               ? ox_registry_history_note(tx, beat->device_id, ox_control_now(beat->control), err)
               : code;
}

/* What is told beside the result, as text for the registry. */
struct told {
    char *stages_ms;
    char *sources;
};

static void told_clear(struct told *told)
{
    free(told->stages_ms);
    free(told->sources);
}

static enum ox_code take_told(const struct ox_device_report *report, struct told *told,
                              struct ox_campaign_device_row *row, struct ox_err *err)
{
    json_t *json = json_object();
    const json_t *sources;
    enum ox_code code = ox_origins_put(json, "sources", report->origins, err);

    if (code == OX_OK && (sources = json_object_get(json, "sources")) != NULL) {
        code = ox_json_text(sources, &told->sources, err);
        row->sources = told->sources;
    }
    if (code == OX_OK && report->stages_ms != NULL) {
        code = ox_json_text(report->stages_ms, &told->stages_ms, err);
        row->stages_ms = told->stages_ms;
    }
    json_decref(json);
    row->failed_at = report->state == OX_ROLLOUT_FAILED ? report->stage : NULL;
    if (report->duration_ms > 0) {
        row->duration_ms = report->duration_ms;
    }
    return code;
}

static enum ox_code apply_report(struct ox_beat *beat, struct ox_tx *tx,
                                 const struct ox_device_report *report, struct ox_err *err)
{
    struct ox_campaign_device_row row = {0};
    struct ox_artifact_row target;
    struct told told = {NULL, NULL};
    char error[OX_ERR_MSG_MAX];
    bool ends_badly = report->state == OX_ROLLOUT_FAILED || report->state == OX_ROLLOUT_SKIPPED;
    bool granted = false;
    bool found = false;
    enum ox_failure failure;
    enum ox_code code = row_of_report(beat, tx, report, &row, &target, &found, err);

    if (code != OX_OK || !found) {
        return code;
    }
    if (report->state == OX_ROLLOUT_COMPLETE && !row.removes &&
        beat->said.models_presence == OX_ABSENT &&
        (code = take_version(beat, tx, &target, err)) != OX_OK) {
        return code;
    }
    failure = failure_of(report, &row);
    if (!ox_campaign_device_may(&row, report->state, failure)) {
        return OX_OK;
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
    code = take_told(report, &told, &row, err);
    if (code == OX_OK && report->state == OX_ROLLOUT_FAILED && failure == OX_FAILURE_FALLBACK) {
        code = grant_fallback(beat, tx, &row, &granted, err);
    }
    if (code == OX_OK && !granted) {
        code =
            ox_campaign_device_move(beat->control, tx, &row, report->state, failure,
                                    ends_badly || failure != OX_FAILURE_NONE ? error : NULL, err);
    }
    told_clear(&told);
    return code;
}

enum ox_code ox_beat_reports(struct ox_beat *beat, struct ox_tx *tx, struct ox_device_row *device,
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

/* --- what it runs says it all --- */

static bool has_report_for(const struct ox_beat *beat, const char *model_id)
{
    for (size_t i = 0; i < beat->said.reports_count; i++) {
        if (strcmp(beat->said.reports[i].model_id, model_id) == 0) {
            return true;
        }
    }
    return false;
}

/* Where an open campaign moves by what the device runs, whatever was reported. */
static bool inferred(const struct ox_beat *beat, const struct ox_device_row *device,
                     const struct ox_campaign_device_row *row,
                     const struct ox_campaign_row *campaign, const struct ox_artifact_row *target,
                     enum ox_rollout_state *to)
{
    const struct ox_heartbeat *said = &beat->said;
    /* A device that repeats its last result in every heartbeat has not failed again. */
    bool fails = said->result_failed && (beat->result_changed || !beat->had_result);

    if (device->protocol > 0) {
        const struct ox_device_model *model = ox_beat_model(said, target->model_id);

        *to = OX_ROLLOUT_COMPLETE;
        if (row->removes) {
            return said->models_presence != OX_ABSENT && model == NULL &&
                   strcmp(device->status, "updating") != 0 &&
                   !has_report_for(beat, target->model_id);
        }
        return model != NULL && ox_digest_equal(&model->digest, &target->digest) &&
               strcmp(device->status, "updating") != 0 && !has_report_for(beat, target->model_id);
    }
    if (strcmp(campaign->state, "rolling_out") == 0 && fails) {
        *to = OX_ROLLOUT_FAILED;
        return true;
    }
    if (ox_beat_same(device->current_model, target->model_id) &&
        ox_beat_same(device->current_version, target->version)) {
        *to = OX_ROLLOUT_COMPLETE;
        return true;
    }
    *to = OX_ROLLOUT_DOWNLOADING;
    return strcmp(campaign->state, "rolling_out") == 0 && said->status_presence == OX_PRESENT &&
           said->status == OX_DEVICE_UPDATING;
}

enum ox_code ox_beat_infer(struct ox_beat *beat, struct ox_tx *tx,
                           const struct ox_device_row *device, bool dry, bool *changed,
                           struct ox_err *err)
{
    struct ox_campaign_device_row *rows = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_device_open(tx, beat->device_id, &rows, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        enum ox_rollout_state to = OX_ROLLOUT_PENDING;
        enum ox_failure failure;
        struct ox_artifact_row target;
        struct ox_campaign_row campaign;

        if (rows[i].artifact_id == 0) {
            continue;
        }
        if ((code = ox_registry_campaign_get(tx, rows[i].campaign_id, &campaign, err)) != OX_OK ||
            (code = ox_registry_artifact_by_id(tx, rows[i].artifact_id, &target, err)) != OX_OK ||
            !inferred(beat, device, &rows[i], &campaign, &target, &to)) {
            continue;
        }
        failure = to == OX_ROLLOUT_FAILED ? OX_FAILURE_OTHER : OX_FAILURE_NONE;
        if (!ox_campaign_device_may(&rows[i], to, failure)) {
            continue;
        }
        *changed = true;
        if (!dry) {
            code = ox_campaign_device_move(beat->control, tx, &rows[i], to, failure,
                                           to == OX_ROLLOUT_FAILED ? beat->said.result_error : NULL,
                                           err);
        }
        if (to == OX_ROLLOUT_FAILED) { /* the first generation runs one update at a time */
            break;
        }
    }
    return code;
}

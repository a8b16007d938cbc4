#include "heartbeat.h"

#include "recall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ox_beat_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static enum ox_code texts_of(struct ox_beat *beat, struct ox_err *err)
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

    if (presence != OX_ABSENT && !ox_beat_same(*field, next)) {
        *field = next;
        *changed = true;
    }
}

/* Absent means unchanged, null means none. Returns whether the row differs now. */
static bool merge(struct ox_beat *beat, struct ox_device_row *row)
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
    changed =
        ox_installation_merge(said, beat->address, beat->control->told_interval_s, row) || changed;
    return changed || beat->result_changed || row->last_heartbeat_ms == 0;
}

/* --- deciding and applying --- */

static enum ox_code changes_anything(struct ox_beat *beat, bool *out, struct ox_err *err)
{
    struct ox_device_row device;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    *out = beat->said.reports_count > 0;
    if ((code = ox_registry_begin(beat->control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = ox_registry_device_get(&tx, beat->device_id, &device, err)) == OX_OK &&
        (beat->speaker = ox_identity_look(beat->control, &device, &beat->said.installation)) ==
            OX_SPEAKER_DEVICE) {
        *out = merge(beat, &device) || *out;
        if ((code = ox_beat_models(beat, &tx, &device, true, out, err)) == OX_OK &&
            (code = ox_beat_infer(beat, &tx, &device, true, out, err)) == OX_OK && !*out) {
            code = ox_offers_make(beat->control, &tx, &device, true, out, err);
        }
    }
    ox_registry_end(&tx);
    return code;
}

static enum ox_code apply(struct ox_beat *beat, struct ox_err *err)
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
    if (beat->said.installation.instance[0] != '\0' && device.instance != NULL &&
        strcmp(device.instance, beat->said.installation.instance) != 0) {
        code = ox_err_set(err, OX_EBUSY, "device %s is another installation since a moment ago",
                          beat->device_id);
        goto out;
    }
    (void)merge(beat, &device);
    device.last_heartbeat_ms = ox_control_now(control);
    if (beat->metrics != NULL) {
        device.metrics = beat->metrics;
    }
    if ((code = ox_live_write_served(control, &tx, beat->device_id, &written, err)) == OX_OK &&
        (code = ox_beat_reports(beat, &tx, &device, err)) == OX_OK &&
        (code = ox_beat_models(beat, &tx, &device, false, &changed, err)) == OX_OK &&
        (code = ox_beat_infer(beat, &tx, &device, false, &changed, err)) == OX_OK &&
        (code = ox_registry_device_update(&tx, &device, err)) == OX_OK &&
        (code = ox_offers_make(control, &tx, &device, false, &changed, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_live_written(control, &written, code == OX_OK);
out:
    ox_registry_end(&tx);
    return code;
}

/* An installation that says no more than that it is there. */
static bool says_nothing_new(const struct ox_heartbeat *said)
{
    return said->installation.instance[0] != '\0' && said->current_model.presence == OX_ABSENT &&
           said->status_presence == OX_ABSENT && said->models_presence == OX_ABSENT &&
           said->reports_count == 0;
}

static enum ox_code answer(struct ox_beat *beat, char **out, struct ox_err *err)
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
        answer.time_ms = (uint64_t)ox_control_now(control);
        answer.brief = says_nothing_new(&beat->said);
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

/* Does the device itself speak, and does it change anything? Who is not the device has its answer
 * already. */
static enum ox_code consider(struct ox_beat *beat, bool *changes, char **out, struct ox_err *err)
{
    bool is_device = true;
    enum ox_code code = changes_anything(beat, changes, err);

    if (code == OX_OK && beat->speaker != OX_SPEAKER_DEVICE) {
        code = ox_identity_settle(beat->control, beat->speaker, beat->device_id, &beat->said,
                                  beat->address, &is_device, out, err);
        *changes = true; /* apply looks at all of it */
    }
    return code;
}

enum ox_code ox_control_heartbeat(struct ox_control *control, const char *id, const char *address,
                                  const void *body, size_t len_bytes, char **out,
                                  struct ox_err *err)
{
    struct ox_recall_mark mark = ox_recall_mark(control, id);
    struct ox_beat beat = {.control = control, .device_id = id, .address = address};
    bool changes = false;
    char *answered = NULL;
    enum ox_code code = ox_heartbeat_parse(body, len_bytes, &beat.said, err);

    beat.had_result = ox_live_had_result(control, id);
    if (code == OX_OK && (code = texts_of(&beat, err)) == OX_OK &&
        (code = consider(&beat, &changes, &answered, err)) == OX_OK && answered == NULL) {
        code = changes ? apply(&beat, err) : OX_OK;
    }
    if (code == OX_OK && answered != NULL) {
        *out = answered;
    } else if (code == OX_OK) {
        ox_live_note(control, id, beat.said.metrics, beat.said.result_presence == OX_PRESENT,
                     changes);
        code = answer(&beat, out, err);
    }
    if (code == OX_OK) {
        ox_count_beat(control, OX_BEAT_REGISTRY);
    }
    if (code == OX_OK && answered == NULL) {
        ox_recall_keep(control, id, mark, body, len_bytes, *out);
    }
    free(beat.result);
    free(beat.platform);
    free(beat.metrics);
    ox_heartbeat_clear(&beat.said);
    return code;
}

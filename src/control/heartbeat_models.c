/* What a device runs, and what follows where that is not what it was to run. */
#include "heartbeat.h"

#include <string.h>

const struct ox_device_model *ox_beat_model(const struct ox_heartbeat *said, const char *id)
{
    for (size_t i = 0; i < said->models_count; i++) {
        if (strcmp(said->models[i].model_id, id) == 0) {
            return &said->models[i];
        }
    }
    return NULL;
}

static const struct ox_device_model_row *find(const struct ox_device_model_row *rows, size_t count,
                                              const char *model_id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].model_id, model_id) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static enum ox_code put_said_models(struct ox_beat *beat, struct ox_tx *tx, struct ox_err *err)
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

/* What follows for the campaigns: where a model is another than it was, or gone. */
static enum ox_code converge_changed(struct ox_beat *beat, struct ox_tx *tx,
                                     const struct ox_device_model_row *held, size_t held_count,
                                     struct ox_err *err)
{
    struct ox_device_model_row *runs = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_device_models(tx, beat->device_id, &runs, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const struct ox_device_model_row *before = find(held, held_count, runs[i].model_id);

        if (before == NULL || !before->has_digest || !runs[i].has_digest ||
            !ox_digest_equal(&before->digest, &runs[i].digest)) {
            code = ox_converge_model(beat->control, tx, beat->device_id, runs[i].model_id, &runs[i],
                                     err);
        }
    }
    for (size_t i = 0; code == OX_OK && i < held_count; i++) {
        if (find(runs, count, held[i].model_id) == NULL) {
            code =
                ox_converge_model(beat->control, tx, beat->device_id, held[i].model_id, NULL, err);
        }
    }
    return code;
}

/* models[] of the new generation. */
static enum ox_code sync_said_models(struct ox_beat *beat, struct ox_tx *tx,
                                     const struct ox_device_model_row *held, size_t held_count,
                                     bool dry, bool *changed, struct ox_err *err)
{
    const struct ox_heartbeat *said = &beat->said;
    bool differs = held_count != said->models_count;

    for (size_t i = 0; !differs && i < held_count; i++) {
        const struct ox_device_model *model = ox_beat_model(said, held[i].model_id);

        differs = model == NULL || strcmp(model->version, held[i].version) != 0 ||
                  !held[i].has_digest || !ox_digest_equal(&model->digest, &held[i].digest);
    }
    *changed = *changed || differs;
    return differs && !dry ? put_said_models(beat, tx, err) : OX_OK;
}

/* The one model of the first generation; its digest is known if we hold that version. */
static enum ox_code sync_current_model(struct ox_beat *beat, struct ox_tx *tx,
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

enum ox_code ox_beat_models(struct ox_beat *beat, struct ox_tx *tx,
                            const struct ox_device_row *device, bool dry, bool *changed,
                            struct ox_err *err)
{
    struct ox_device_model_row *held = NULL;
    size_t held_count = 0;
    bool differs = false;
    enum ox_code code = ox_registry_device_models(tx, beat->device_id, &held, &held_count, err);

    if (code != OX_OK) {
        return code;
    }
    if (beat->said.models_presence != OX_ABSENT) {
        code = sync_said_models(beat, tx, held, held_count, dry, &differs, err);
    } else if (device->protocol == 0) {
        code = sync_current_model(beat, tx, device, held, held_count, dry, &differs, err);
    }
    *changed = *changed || differs;
    if (code == OX_OK && differs && !dry) {
        code = ox_registry_history_note(tx, beat->device_id, ox_control_now(beat->control), err);
    }
    return code == OX_OK && differs && !dry ? converge_changed(beat, tx, held, held_count, err)
                                            : code;
}

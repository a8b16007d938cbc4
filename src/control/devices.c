#include "inner.h"

#include <stdlib.h>
#include <string.h>

/* Clients of the first generation want every field of it. */
static const char platform_unknown[] =
    "{\"arch\":\"unknown\",\"os\":\"unknown\",\"cpu_count\":0,\"total_memory_bytes\":0}";

_Static_assert(OX_DEVICE_POLL_S_DEFAULT == OX_POLL_INTERVAL_S_DEFAULT, "intervals differ");

int64_t ox_device_patience_ms(const struct ox_device_row *device)
{
    uint64_t poll_s =
        device->poll_interval_s != 0 ? device->poll_interval_s : OX_DEVICE_POLL_S_DEFAULT;

    return 3 * 1000 * (int64_t)poll_s;
}

const char *ox_device_status_at(const struct ox_control *control,
                                const struct ox_device_row *device, int64_t seen_ms)
{
    if (seen_ms == 0) {
        return ox_device_status_word(OX_DEVICE_UNKNOWN);
    }
    if (device->conflict_ms != 0) {
        return ox_device_status_word(OX_DEVICE_CONFLICT);
    }
    return ox_control_now(control) - seen_ms > ox_device_patience_ms(device)
               ? ox_device_status_word(OX_DEVICE_OFFLINE)
               : device->status;
}

/* When a device was heard last: in memory, or in the registry. metrics as ox_live_seen. */
static int64_t seen_of(struct ox_control *control, const struct ox_device_row *device,
                       char **metrics)
{
    int64_t live_ms = ox_live_seen(control, device->id, metrics);

    return live_ms > device->last_heartbeat_ms ? live_ms : device->last_heartbeat_ms;
}

const char *ox_device_status(struct ox_control *control, const struct ox_device_row *device)
{
    return ox_device_status_at(control, device, seen_of(control, device, NULL));
}

int64_t ox_device_seen_ms(struct ox_control *control, const struct ox_device_row *device)
{
    return seen_of(control, device, NULL);
}

static enum ox_code models_json(struct ox_tx *tx, const char *device_id, json_t **out,
                                struct ox_err *err)
{
    struct ox_device_model_row *rows = NULL;
    size_t count = 0;
    json_t *list = json_array();
    enum ox_code code = ox_registry_device_models(tx, device_id, &rows, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_json_append(
            list,
            json_pack("{s:s, s:s, s:o}", "id", rows[i].model_id, "version", rows[i].version,
                      "digest",
                      rows[i].has_digest ? ox_json_of_digest(&rows[i].digest) : json_null()),
            err);
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    *out = list;
    return OX_OK;
}

enum ox_code ox_device_json(struct ox_control *control, struct ox_tx *tx,
                            const struct ox_device_row *device, json_t **out, struct ox_err *err)
{
    struct ox_wanted wanted[OX_HEARTBEAT_MODELS_MAX];
    struct ox_heartbeat_answer answer = {0};
    size_t wanted_count = 0;
    json_t *models = NULL;
    json_t *json = NULL;
    char *metrics = NULL;
    int64_t seen_ms = seen_of(control, device, &metrics);
    enum ox_code code = ox_assign(control, tx, device, false, &answer, wanted, &wanted_count, err);

    if (code == OX_OK) {
        code = models_json(tx, device->id, &models, err);
    }
    if (code == OX_OK) {
        json = json_pack(
            "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
            device->id, "name", device->name, "status",
            ox_device_status_at(control, device, seen_ms), "platform",
            ox_json_of_text(device->platform == NULL ? platform_unknown : device->platform),
            "current_model", ox_json_of_str(device->current_model), "current_model_version",
            ox_json_of_str(device->current_version), "assigned_model",
            ox_json_of_str(answer.assigned_model), "assigned_model_version",
            ox_json_of_str(answer.assigned_version), "fleet_id", ox_json_of_str(device->fleet_id),
            "last_heartbeat", ox_json_of_time(seen_ms), "last_update_result",
            ox_json_of_text(device->last_result), "tags", ox_json_of_text(device->tags), "agent",
            ox_json_of_str(device->agent), "metrics",
            ox_json_of_text(metrics == NULL ? device->metrics : metrics), "models", models);
        code = json == NULL ? ox_err_nomem(err, "an answer") : ox_device_facts(device, json, err);
    }
    ox_heartbeat_answer_clear(&answer);
    free(metrics);
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

/* --- registering --- */

/* Was it there before, and with the same name and tags? An agent's script registers its device at
 * every start: that is nothing to record. */
static enum ox_code is_same(struct ox_tx *tx, const char *id, const char *name, const char *tags,
                            bool *out, struct ox_err *err)
{
    struct ox_device_row device;
    enum ox_code code = ox_registry_device_get(tx, id, &device, err);

    *out = code == OX_OK && strcmp(device.name, name) == 0 && strcmp(device.tags, tags) == 0;
    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        code = OX_OK;
    }
    return code;
}

enum ox_code ox_device_put(struct ox_control *control, struct ox_tx *tx, const char *id,
                           const char *name, const char *tags, bool *created, struct ox_err *err)
{
    bool same = false;
    enum ox_code code = is_same(tx, id, name, tags, &same, err);

    *created = false;
    if (code != OX_OK || same) {
        return code;
    }
    code = ox_registry_device_put(tx, id, name, tags, ox_control_now(control), created, err);
    if (code == OX_OK) {
        code = ox_event(control, tx, *created ? "device.registered" : "device.changed",
                        json_pack("{s:s, s:s, s:o}", "device_id", id, "name", name, "tags",
                                  ox_json_of_text(tags)),
                        err);
    }
    return code == OX_OK ? ox_converge_changed(control, tx, id, err) : code;
}

enum ox_code ox_control_device_register(struct ox_control *control, const json_t *body,
                                        bool *created, json_t **out, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    const char *id = NULL;
    const char *name = NULL;
    char *tags = NULL;
    enum ox_code code;

    if ((code = ox_body_id(body, "id", &id, err)) == OX_OK &&
        (code = ox_body_text(body, "name", false, &name, err)) == OX_OK &&
        (code = ox_body_tags(body, &tags, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_device_put(control, &tx, id, name == NULL ? id : name, tags, created, err)) ==
            OX_OK &&
        (code = ox_registry_pending_remove(&tx, id, err)) == OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        *out = json_pack("{s:s, s:s}", "status", "registered", "id", id);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
    free(tags);
    return code;
}

enum ox_code ox_control_device_edit(struct ox_control *control, const char *id, const json_t *body,
                                    json_t **out, struct ox_err *err)
{
    struct ox_device_row device;
    struct ox_tx tx = OX_TX_INIT;
    bool created = false;
    char *tags = NULL;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_registry_device_get(&tx, id, &device, err)) == OX_OK &&
        (code = ox_body_text(body, "name", false, &device.name, err)) == OX_OK &&
        (code = ox_body_tags_onto(body, device.tags, &tags, err)) == OX_OK &&
        (code = ox_device_put(control, &tx, id, device.name, tags, &created, err)) == OX_OK) {
        device.tags = tags;
        code = ox_device_json(control, &tx, &device, out, err);
    }
    if (code == OX_OK && (code = ox_registry_commit(&tx, err)) != OX_OK) {
        json_decref(*out);
        *out = NULL;
    }
    ox_registry_end(&tx);
    free(tags);
    return code;
}

enum ox_code ox_control_device_remove(struct ox_control *control, const char *id, json_t **out,
                                      struct ox_err *err)
{
    struct ox_device_row device;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_registry_device_get(&tx, id, &device, err)) == OX_OK &&
        (code = ox_campaign_skip_device(control, &tx, id, OX_WHY_UNREGISTERED, err)) == OX_OK &&
        (code = ox_registry_device_remove(&tx, id, err)) == OX_OK &&
        (code = ox_registry_history_note(&tx, id, ox_control_now(control), err)) == OX_OK &&
        (code = ox_event(control, &tx, "device.removed", json_pack("{s:s}", "device_id", id),
                         err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK) {
        ox_live_forget(control, id);
        *out = json_pack("{s:s}", "status", "unregistered");
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    return code;
}

/* --- reading --- */

enum ox_code ox_control_device(struct ox_control *control, const char *id, json_t **out,
                               struct ox_err *err)
{
    struct ox_device_row device;
    struct ox_tx tx = OX_TX_INIT;
    json_t *json = NULL;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK && (code = ox_registry_device_get(&tx, id, &device, err)) == OX_OK &&
        (code = ox_device_json(control, &tx, &device, &json, err)) == OX_OK) {
        code = ox_device_details(control, &tx, &device, json, err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

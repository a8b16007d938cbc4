#include "inner.h"

#include <string.h>

static enum ox_code device_ids(struct ox_tx *tx, const struct ox_selection *members, json_t **out,
                               struct ox_err *err)
{
    const char **ids = NULL;
    size_t count = 0;
    json_t *list = json_array();
    enum ox_code code = ox_registry_selected_ids(tx, members, NULL, UINT64_MAX, &ids, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_json_append(list, json_string(ids[i]), err);
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    *out = list;
    return OX_OK;
}

/* With the ids or without: how many there are. */
static enum ox_code count_devices(struct ox_tx *tx, const struct ox_selection *members,
                                  const json_t *devices, uint64_t *out, struct ox_err *err)
{
    if (devices != NULL) {
        *out = json_array_size(devices);
        return OX_OK;
    }
    return ox_registry_selected_count(tx, members, out, err);
}

enum ox_code ox_fleet_json(struct ox_control *control, struct ox_tx *tx,
                           const struct ox_fleet_row *fleet, bool brief, json_t **out,
                           struct ox_err *err)
{
    const struct ox_selection members = ox_select_now(control, fleet->id, NULL);
    json_t *devices = NULL;
    uint64_t count = 0;
    json_t *json = NULL;
    enum ox_code code = brief ? OX_OK : device_ids(tx, &members, &devices, err);

    if (code == OX_OK) {
        code = count_devices(tx, &members, devices, &count, err);
    }
    if (code != OX_OK) {
        json_decref(devices);
        return code;
    }
    json = json_pack("{s:s, s:s, s:o, s:o, s:o*, s:I, s:s, s:o}", "id", fleet->id, "name",
                     fleet->name, "description", ox_json_of_str(fleet->description), "filter",
                     ox_json_of_str(fleet->filter), "devices", devices, "device_count",
                     (json_int_t)count, "default_strategy", fleet->default_strategy, "tags",
                     ox_json_of_text(fleet->tags));
    if (json == NULL) {
        return ox_err_nomem(err, "an answer");
    }
    *out = json;
    return OX_OK;
}

enum ox_code ox_control_fleet(struct ox_control *control, const char *id, bool brief, json_t **out,
                              struct ox_err *err)
{
    const struct ox_selection members = ox_select_now(control, id, NULL);
    struct ox_fleet_row fleet;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_select_refresh(control, &members, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = ox_registry_fleet_get(&tx, id, &fleet, err)) == OX_OK) {
        code = ox_fleet_json(control, &tx, &fleet, brief, out, err);
    }
    ox_registry_end(&tx);
    return code;
}

/* --- status, which is that of its devices --- */

enum ox_code ox_control_fleet_status(struct ox_control *control, const char *id, json_t **out,
                                     struct ox_err *err)
{
    static const enum ox_device_status statuses[] = {OX_DEVICE_ONLINE,   OX_DEVICE_OFFLINE,
                                                     OX_DEVICE_ERROR,    OX_DEVICE_UNKNOWN,
                                                     OX_DEVICE_UPDATING, OX_DEVICE_CONFLICT};
    const struct ox_selection members = ox_select_now(control, id, NULL);
    struct ox_status_count *counts = NULL;
    struct ox_fleet_row fleet;
    struct ox_tx tx = OX_TX_INIT;
    json_int_t total = 0;
    size_t count = 0;
    json_t *json = NULL;
    enum ox_code code;

    if ((code = ox_live_flush(control, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = ox_registry_fleet_get(&tx, id, &fleet, err)) == OX_OK &&
        (code = ox_registry_selected_statuses(&tx, &members, &counts, &count, err)) == OX_OK) {
        json = json_pack("{s:s, s:s}", "fleet_id", fleet.id, "fleet_name", fleet.name);
        code = json == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    for (size_t s = 0; code == OX_OK && s < sizeof(statuses) / sizeof(statuses[0]); s++) {
        const char *word = ox_device_status_word(statuses[s]);
        json_int_t devices = 0;

        for (size_t i = 0; i < count; i++) {
            devices += strcmp(counts[i].status, word) == 0 ? (json_int_t)counts[i].devices : 0;
        }
        total += devices;
        code = ox_json_set(json, word, json_integer(devices), err);
    }
    if (code == OX_OK) {
        code = ox_json_set(json, "total_devices", json_integer(total), err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

/* --- putting devices in --- */

enum ox_code ox_fleet_check_is_list(struct ox_tx *tx, const char *id, struct ox_err *err)
{
    struct ox_fleet_row fleet;
    enum ox_code code = ox_registry_fleet_get(tx, id, &fleet, err);

    return code == OX_OK && fleet.filter != NULL
               ? ox_err_set(err, OX_ECONFLICT,
                            "fleet %s has a filter, which alone says who is in it: change the "
                            "device's tags, or the filter",
                            id)
               : code;
}

static enum ox_code member_event(struct ox_control *control, struct ox_tx *tx, const char *kind,
                                 const char *fleet_id, const char *device_id, struct ox_err *err)
{
    return ox_registry_changed(tx) /* a member that joins again changes nothing */
               ? ox_event(control, tx, kind,
                          json_pack("{s:s, s:s}", "fleet_id", fleet_id, "device_id", device_id),
                          err)
               : OX_OK;
}

enum ox_code ox_control_fleet_add(struct ox_control *control, const char *id, const char *device_id,
                                  json_t **out, struct ox_err *err)
{
    struct ox_device_row device;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_fleet_check_is_list(&tx, id, err)) == OX_OK &&
        (code = ox_registry_device_get(&tx, device_id, &device, err)) == OX_OK &&
        (code = ox_registry_fleet_join(&tx, id, device_id, ox_control_now(control), err)) ==
            OX_OK &&
        (code = member_event(control, &tx, "fleet.device_added", id, device_id, err)) == OX_OK &&
        (code = ox_converge_joined(control, &tx, id, device_id, err)) == OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        *out = json_pack("{s:s}", "status", "added");
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_control_fleet_remove(struct ox_control *control, const char *id,
                                     const char *device_id, json_t **out, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_fleet_check_is_list(&tx, id, err)) == OX_OK &&
        (code = ox_registry_fleet_leave(&tx, id, device_id, err)) == OX_OK &&
        (code = member_event(control, &tx, "fleet.device_removed", id, device_id, err)) == OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        *out = json_pack("{s:s}", "status", "removed");
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_control_fleet_deploy(struct ox_control *control, const char *id, const json_t *body,
                                     json_t **out, struct ox_err *err)
{
    struct ox_campaign_spec spec = {.fleet_id = id, .settings = body};
    struct ox_campaign_made made = {.total = 0};
    enum ox_code code;

    if ((code = ox_body_id(body, "model_id", &spec.model_id, err)) == OX_OK &&
        (code = ox_body_id(body, "model_version", &spec.version, err)) == OX_OK &&
        (code = ox_campaign_make(control, &spec, &made, err)) == OX_OK) {
        *out = json_pack("{s:s, s:I, s:I, s:i, s:s}", "status", "deployed", "total_devices",
                         (json_int_t)made.total, "successful", (json_int_t)made.total, "failed", 0,
                         "campaign_id", made.id);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_campaign_made_clear(&made);
    return code;
}

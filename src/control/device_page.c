/* What is told of one device that lists leave out. */
#include "inner.h"

#include "oxide/registry/instance.h"

#include <stdio.h>
#include <string.h>

#define FLEETS_MAX 1000 /* that are looked through for one device */

static json_t *number_or_null(uint64_t number)
{
    return number == 0 ? json_null() : json_integer((json_int_t)number);
}

enum ox_code ox_device_facts(const struct ox_device_row *device, json_t *json, struct ox_err *err)
{
    json_t *disk = device->disk_total_bytes == 0
                       ? json_null()
                       : json_pack("{s:I, s:I}", "free_bytes", (json_int_t)device->disk_free_bytes,
                                   "total_bytes", (json_int_t)device->disk_total_bytes);
    json_t *offset = device->utc_offset_s == OX_UTC_OFFSET_UNKNOWN
                         ? json_null()
                         : json_integer(device->utc_offset_s);
    json_t *facts = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "registered_at",
                              ox_json_of_time(device->registered_ms), "address",
                              ox_json_of_str(device->address), "disk", disk, "utc_offset_s", offset,
                              "poll_interval_s", number_or_null(device->poll_interval_s),
                              "instance", ox_json_of_str(device->instance), "conflict_since",
                              ox_json_of_time(device->conflict_ms));
    enum ox_code code = facts == NULL || json_object_update(json, facts) != 0
                            ? ox_err_nomem(err, "an answer")
                            : OX_OK;

    json_decref(facts);
    return code;
}

/* --- one device --- */

static enum ox_code put_since(struct ox_control *control, struct ox_tx *tx, const char *id,
                              json_t *models, struct ox_err *err)
{
    char now[24];
    const struct ox_page_filter filters[] = {{"device", id}, {"at", now}};
    const struct ox_page page = {
        .limit = OX_HEARTBEAT_MODELS_MAX, .filters = filters, .filter_count = 2};
    struct ox_history_row *rows = NULL;
    const char *next = NULL;
    json_t *model;
    size_t count = 0;
    size_t at;
    enum ox_code code;

    (void)snprintf(now, sizeof(now), "%lld", (long long)ox_control_now(control));
    code = ox_registry_history_page(tx, &page, &rows, &count, &next, err);
    json_array_foreach(models, at, model)
    {
        int64_t since_ms = 0;

        for (size_t i = 0; code == OX_OK && i < count; i++) {
            if (strcmp(rows[i].model_id, json_string_value(json_object_get(model, "id"))) == 0) {
                since_ms = rows[i].from_ms;
            }
        }
        code = code == OX_OK ? ox_json_set(model, "since", ox_json_of_time(since_ms), err) : code;
    }
    return code;
}

static json_t *installation_json(const struct ox_instance_row *row)
{
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "instance", row->instance, "state", row->state,
        "new_id", ox_json_of_str(row->new_id), "first_seen", ox_json_of_time(row->first_seen_ms),
        "last_seen", ox_json_of_time(row->last_seen_ms), "address", ox_json_of_str(row->address),
        "agent", ox_json_of_str(row->agent), "platform", ox_json_of_text(row->platform));
}

/* The device itself first, then who else speaks or spoke under its id. */
static enum ox_code put_installations(struct ox_control *control, struct ox_tx *tx,
                                      const struct ox_device_row *device, json_t *json,
                                      struct ox_err *err)
{
    const struct ox_instance_row own = {.instance = device->instance,
                                        .state = "device",
                                        .first_seen_ms = device->instance_since_ms,
                                        .last_seen_ms = ox_device_seen_ms(control, device),
                                        .address = device->address,
                                        .agent = device->agent,
                                        .platform = device->platform};
    struct ox_instance_row *rows = NULL;
    json_t *list = json_array();
    size_t count = 0;
    enum ox_code code = ox_registry_instances(tx, device->id, &rows, &count, err);

    if (code == OX_OK && device->instance != NULL) {
        code = ox_json_append(list, installation_json(&own), err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_json_append(list, installation_json(&rows[i]), err);
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    return ox_json_set(json, "installations", list, err);
}

static enum ox_code put_pins(struct ox_tx *tx, const char *id, json_t *json, struct ox_err *err)
{
    struct ox_pin_row *rows = NULL;
    json_t *list = json_array();
    size_t count = 0;
    enum ox_code code = ox_registry_pins(tx, id, &rows, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_json_append(list, ox_pin_json(&rows[i]), err);
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    return ox_json_set(json, "pins", list, err);
}

/* Those that it was put into, and those whose filter it passes. */
static enum ox_code put_fleets(struct ox_control *control, struct ox_tx *tx, const char *id,
                               json_t *json, struct ox_err *err)
{
    const struct ox_page_filter filter = {"device", id};
    const struct ox_page page = {.limit = FLEETS_MAX, .filters = &filter, .filter_count = 1};
    struct ox_fleet_row *rows = NULL;
    const char *next = NULL;
    json_t *list = json_array();
    size_t count = 0;
    enum ox_code code = ox_registry_fleet_page(tx, &page, &rows, &count, &next, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const struct ox_selection members = ox_select_now(control, rows[i].id, NULL);
        bool in = true;

        if (rows[i].filter != NULL) {
            code = ox_registry_selected_has(tx, &members, id, &in, err);
        }
        if (code == OX_OK && in) {
            code = ox_json_append(list, json_string(rows[i].id), err);
        }
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    return ox_json_set(json, "fleets", list, err);
}

enum ox_code ox_device_details(struct ox_control *control, struct ox_tx *tx,
                               const struct ox_device_row *device, json_t *json, struct ox_err *err)
{
    enum ox_code code;

    if ((code = put_since(control, tx, device->id, json_object_get(json, "models"), err)) ==
            OX_OK &&
        (code = put_installations(control, tx, device, json, err)) == OX_OK &&
        (code = put_pins(tx, device->id, json, err)) == OX_OK) {
        code = put_fleets(control, tx, device->id, json, err);
    }
    return code;
}

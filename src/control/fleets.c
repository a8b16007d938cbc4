#include "inner.h"

#include <stdlib.h>

static enum ox_code device_ids(struct ox_tx *tx, const char *fleet_id, json_t **out,
                               struct ox_err *err)
{
    const char **ids = NULL;
    size_t count = 0;
    json_t *list = json_array();
    enum ox_code code = ox_registry_fleet_device_ids(tx, fleet_id, &ids, &count, err);

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

enum ox_code ox_fleet_json(struct ox_tx *tx, const struct ox_fleet_row *fleet, bool brief,
                           json_t **out, struct ox_err *err)
{
    json_t *devices = NULL;
    json_t *json = NULL;
    enum ox_code code = brief ? OX_OK : device_ids(tx, fleet->id, &devices, err);

    if (code == OX_OK) {
        json = json_pack("{s:s, s:s, s:o, s:o*, s:I, s:s, s:o}", "id", fleet->id, "name",
                         fleet->name, "description", ox_json_of_str(fleet->description), "devices",
                         devices, "device_count", (json_int_t)fleet->listed, "default_strategy",
                         fleet->default_strategy, "tags", ox_json_of_text(fleet->tags));
        code = json == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    if (code == OX_OK) {
        *out = json;
    }
    return code;
}

enum ox_code ox_control_fleet_create(struct ox_control *control, const json_t *body, json_t **out,
                                     struct ox_err *err)
{
    struct ox_fleet_row row = {.created_ms = ox_control_now(control)};
    enum ox_strategy strategy = OX_STRATEGY_ALL_AT_ONCE;
    const char *word = NULL;
    char *tags = NULL;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_body_id(body, "id", &row.id, err)) != OX_OK ||
        (code = ox_body_text(body, "name", false, &row.name, err)) != OX_OK ||
        (code = ox_body_text(body, "description", false, &row.description, err)) != OX_OK ||
        (code = ox_json_opt_str(body, "default_strategy", &word, err)) != OX_OK ||
        (word != NULL && (code = ox_strategy_parse(word, &strategy, err)) != OX_OK) ||
        (code = ox_body_tags(body, &tags, err)) != OX_OK) {
        goto out;
    }
    row.name = row.name == NULL ? row.id : row.name;
    row.default_strategy = ox_strategy_word(strategy);
    row.tags = tags;
    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_registry_fleet_add(&tx, &row, err)) == OX_OK &&
        (code = ox_event(control, &tx, "fleet.created",
                         json_pack("{s:s, s:s}", "fleet_id", row.id, "name", row.name), err)) ==
            OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        *out = json_pack("{s:s, s:s}", "status", "created", "id", row.id);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
out:
    free(tags);
    return code;
}

enum ox_code ox_control_fleet(struct ox_control *control, const char *id, bool brief, json_t **out,
                              struct ox_err *err)
{
    struct ox_fleet_row fleet;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK && (code = ox_registry_fleet_get(&tx, id, &fleet, err)) == OX_OK) {
        code = ox_fleet_json(&tx, &fleet, brief, out, err);
    }
    ox_registry_end(&tx);
    return code;
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
    struct ox_fleet_row fleet;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_registry_fleet_get(&tx, id, &fleet, err)) == OX_OK &&
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
    struct ox_fleet_row fleet;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_registry_fleet_get(&tx, id, &fleet, err)) == OX_OK &&
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

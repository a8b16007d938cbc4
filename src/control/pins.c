/* Devices, or models on them, that shall stay as they are. */
#include "inner.h"

#include "oxide/registry/pin.h"

#include <stdio.h>
#include <string.h>

void ox_pin_reason(const struct ox_pin_row *pin, char out[OX_PIN_REASON_MAX])
{
    (void)snprintf(out, OX_PIN_REASON_MAX, "%s%s%s", OX_WHY_PINNED, pin->reason == NULL ? "" : ": ",
                   pin->reason == NULL ? "" : pin->reason);
}

json_t *ox_pin_json(const struct ox_pin_row *pin)
{
    return json_pack("{s:o, s:o, s:o}", "model_id",
                     pin->model_id[0] == '\0' ? json_null() : json_string(pin->model_id), "reason",
                     ox_json_of_str(pin->reason), "since", ox_json_of_time(pin->since_ms));
}

/* What has not ended ends here: it was told to change, and shall not. */
static enum ox_code skip_open(struct ox_control *control, struct ox_tx *tx,
                              const struct ox_pin_row *pin, struct ox_err *err)
{
    struct ox_campaign_device_row *rows = NULL;
    struct ox_campaign_row campaign;
    char reason[OX_PIN_REASON_MAX];
    size_t count = 0;
    enum ox_code code = ox_registry_device_open(tx, pin->device_id, &rows, &count, err);

    ox_pin_reason(pin, reason);
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_registry_campaign_get(tx, rows[i].campaign_id, &campaign, err);
        if (code == OX_OK &&
            (pin->model_id[0] == '\0' || strcmp(pin->model_id, campaign.model_id) == 0)) {
            code = ox_campaign_device_move(control, tx, &rows[i], OX_ROLLOUT_SKIPPED,
                                           OX_FAILURE_NONE, reason, err);
        }
    }
    return code;
}

static json_t *event_data(const struct ox_pin_row *pin)
{
    return json_pack("{s:s, s:s*, s:s*}", "device_id", pin->device_id, "model_id",
                     pin->model_id[0] == '\0' ? NULL : pin->model_id, "reason", pin->reason);
}

static enum ox_code read_body(const json_t *body, struct ox_pin_row *pin, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    pin->model_id = "";
    if (json_is_string(json_object_get(body, "model_id"))) {
        code = ox_body_id(body, "model_id", &pin->model_id, err);
    } else {
        code = ox_json_opt_str(body, "model_id", &pin->model_id, err); /* a wrong type */
    }
    return code == OX_OK ? ox_body_text(body, "reason", false, &pin->reason, err) : code;
}

enum ox_code ox_control_device_pin(struct ox_control *control, const char *id, const json_t *body,
                                   json_t **out, struct ox_err *err)
{
    struct ox_pin_row pin = {.device_id = id, .since_ms = ox_control_now(control)};
    struct ox_device_row device;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = read_body(body, &pin, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_registry_device_get(&tx, id, &device, err)) == OX_OK &&
        (code = ox_registry_pin_put(&tx, &pin, err)) == OX_OK &&
        (code = skip_open(control, &tx, &pin, err)) == OX_OK &&
        (code = ox_event(control, &tx, "device.pinned", event_data(&pin), err)) == OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        *out = json_pack("{s:s, s:s}", "status", "pinned", "id", id);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_control_device_unpin(struct ox_control *control, const char *id, const json_t *body,
                                     json_t **out, struct ox_err *err)
{
    struct ox_pin_row pin = {.device_id = id};
    struct ox_device_row device;
    struct ox_tx tx = OX_TX_INIT;
    bool found = false;
    enum ox_code code;

    if ((code = read_body(body, &pin, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_registry_device_get(&tx, id, &device, err)) == OX_OK &&
        (code = ox_registry_pin_remove(&tx, id, pin.model_id, &found, err)) == OX_OK && !found) {
        code = pin.model_id[0] == '\0'
                   ? ox_err_set(err, OX_ENOTFOUND, "device %s is not pinned as a whole", id)
                   : ox_err_set(err, OX_ENOTFOUND, "model %s is not pinned on device %s",
                                pin.model_id, id);
    }
    /* What was passed by meanwhile is made up for. */
    if (code == OX_OK && (code = ox_converge_device(control, &tx, id, err)) == OX_OK &&
        (code = ox_event(control, &tx, "device.unpinned", event_data(&pin), err)) == OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        *out = json_pack("{s:s, s:s}", "status", "unpinned", "id", id);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
    return code;
}

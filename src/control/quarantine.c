/* Versions that a device is not given any more, and freeing them. */
#include "inner.h"

enum ox_code ox_control_quarantines(struct ox_control *control, const char *device_id, json_t **out,
                                    struct ox_err *err)
{
    struct ox_quarantine_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    json_t *list = json_array();
    size_t count = 0;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK) {
        code = ox_registry_quarantines(&tx, device_id, &rows, &count, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_json_append(
            list,
            json_pack("{s:s, s:s, s:s, s:o, s:I, s:s, s:o}", "device_id", rows[i].device_id,
                      "model_id", rows[i].model_id, "version", rows[i].version, "digest",
                      ox_json_of_digest(&rows[i].digest), "failures", (json_int_t)rows[i].failures,
                      "class", rows[i].class, "updated_at", ox_json_of_time(rows[i].updated_ms)),
            err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    *out = json_pack("{s:o}", "quarantined", list);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

enum ox_code ox_control_quarantine_free(struct ox_control *control, const char *device_id,
                                        const char *model_id, json_t **out, struct ox_err *err)
{
    struct ox_device_row device;
    struct ox_tx tx = OX_TX_INIT;
    json_t *answer = NULL;
    uint64_t count = 0;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_registry_device_get(&tx, device_id, &device, err)) == OX_OK &&
        (code = ox_registry_quarantine_free(&tx, device_id, model_id, &count, err)) == OX_OK &&
        (count == 0 ||
         (code = ox_event(control, &tx, "device.quarantine_freed",
                          json_pack("{s:s, s:s*}", "device_id", device_id, "model_id", model_id),
                          err)) == OX_OK)) {
        answer = json_pack("{s:I}", "freed", (json_int_t)count);
        code = answer == NULL ? ox_err_nomem(err, "an answer") : ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(answer);
        return code;
    }
    *out = answer;
    return OX_OK;
}

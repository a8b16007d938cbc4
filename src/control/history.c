#include "inner.h"

/* Rows that are looked at in a step: what a writer is held up by. */
#define STEP_ROWS 2000

enum ox_code ox_history_prune(struct ox_control *control, struct ox_err *err)
{
    int64_t before_ms = ox_control_now(control) - control->history_kept_ms;
    int64_t last_id = 0;
    struct ox_tx tx = OX_TX_INIT;
    bool any = false;
    enum ox_code code;

    if (control->history_kept_ms == 0) {
        return OX_OK;
    }
    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK) {
        code = ox_registry_history_stale(&tx, control->history_at, STEP_ROWS, before_ms, &last_id,
                                         &any, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK && any) {
        if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
            (code = ox_registry_history_prune(&tx, control->history_at, last_id, before_ms, err)) ==
                OX_OK) {
            code = ox_registry_commit(&tx, err);
        }
        ox_registry_end(&tx);
    }
    if (code == OX_OK) {
        control->history_at = last_id;
    }
    return code;
}

/* --- what ran where --- */

json_t *ox_history_json(const struct ox_history_row *row, bool of_device)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", of_device ? "model_id" : "device_id",
                     of_device ? row->model_id : row->device_id, "version", row->version, "digest",
                     row->has_digest ? ox_json_of_digest(&row->digest) : json_null(), "from",
                     ox_json_of_time(row->from_ms), "to", ox_json_of_time(row->to_ms));
}

enum ox_code ox_history_time(struct ox_control *control, const char *text, int64_t *out_ms,
                             struct ox_err *err)
{
    if (text == NULL) {
        *out_ms = ox_control_now(control);
        return OX_OK;
    }
    return ox_time_parse(text, out_ms, err);
}

enum ox_code ox_control_where_counts(struct ox_control *control, const char *model_id,
                                     const char *version, const char *at, json_t **out,
                                     struct ox_err *err)
{
    struct ox_where where = {.model_id = model_id, .version = version};
    struct ox_where_count *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    json_t *versions = json_array();
    json_int_t total = 0;
    size_t count = 0;
    enum ox_code code;

    if ((code = ox_history_time(control, at, &where.at_ms, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK) {
        code = ox_registry_where_counts(&tx, &where, &rows, &count, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        total += (json_int_t)rows[i].devices;
        code = ox_json_append(
            versions,
            json_pack("{s:s, s:o, s:I}", "version", rows[i].version, "digest",
                      rows[i].has_digest ? ox_json_of_digest(&rows[i].digest) : json_null(),
                      "devices", (json_int_t)rows[i].devices),
            err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(versions);
        return code;
    }
    *out = json_pack("{s:s, s:o, s:I, s:o}", "model_id", model_id, "at",
                     ox_json_of_time(where.at_ms), "devices", total, "versions", versions);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

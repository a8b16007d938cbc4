#include "inner.h"

#include <string.h>

static const char *phase_of(const struct ox_campaign_row *campaign)
{
    if (strcmp(campaign->state, "complete") == 0 || strcmp(campaign->state, "aborted") == 0) {
        return "done";
    }
    return campaign->prepared_ms == 0 ? "preparing" : "rolling_out";
}

static enum ox_code list_one(struct ox_tx *tx, const struct ox_campaign_row *campaign, json_t *list,
                             struct ox_err *err)
{
    struct ox_campaign_counts counts;
    enum ox_code code = ox_registry_campaign_counts(tx, campaign->id, 0, &counts, err);

    if (code != OX_OK) {
        return code;
    }
    return ox_json_append(
        list,
        json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:I, s:I, s:I}", "id", campaign->id, "model_id",
                  campaign->model_id, "target_version", campaign->version, "fleet_id",
                  ox_json_of_str(campaign->fleet_id), "state", campaign->state, "phase",
                  phase_of(campaign), "total", (json_int_t)counts.total, "complete",
                  (json_int_t)counts.complete, "failed", (json_int_t)counts.failed),
        err);
}

enum ox_code ox_control_campaigns(struct ox_control *control, json_t **out, struct ox_err *err)
{
    struct ox_campaign_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    json_t *list = json_array();
    size_t count = 0;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK) {
        code = ox_registry_campaigns(&tx, false, &rows, &count, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = list_one(&tx, &rows[i], list, err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    *out = json_pack("{s:o}", "campaigns", list);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

struct bytes {
    uint64_t served;
    uint64_t saved;
};

/* One truth per device: what we served it or, where others did, what it says it received. */
static enum ox_code add_device(struct ox_control *control, const struct ox_campaign_device_row *row,
                               json_t *devices, struct bytes *bytes, struct ox_err *err)
{
    uint64_t cost = row->bytes_served + ox_live_served(control, row->campaign_id, row->device_id);

    if (cost == 0) {
        cost = row->bytes_received;
    }
    bytes->served += cost;
    if (strcmp(row->state, "complete") == 0 && row->bytes_full > cost) {
        bytes->saved += row->bytes_full - cost;
    }
    return ox_json_append(devices,
                          json_pack("{s:s, s:s, s:o, s:o, s:I}", "device_id", row->device_id,
                                    "state", row->state, "error", ox_json_of_str(row->error),
                                    "strategy", ox_json_of_str(row->strategy), "bytes_received",
                                    (json_int_t)cost),
                          err);
}

static enum ox_code build(const struct ox_campaign_row *campaign,
                          const struct ox_campaign_counts *counts, const struct bytes *bytes,
                          json_t *take_devices, json_t **out, struct ox_err *err)
{
    json_t *summary = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "total",
                                (json_int_t)counts->total, "pending", (json_int_t)counts->pending,
                                "in_progress", (json_int_t)counts->in_progress, "complete",
                                (json_int_t)counts->complete, "failed", (json_int_t)counts->failed,
                                "skipped", (json_int_t)counts->skipped, "bytes_served",
                                (json_int_t)bytes->served, "bytes_saved", (json_int_t)bytes->saved);

    *out = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:{s:I, s:I}}",
                     "id", campaign->id, "model_id", campaign->model_id, "target_version",
                     campaign->version, "fleet_id", ox_json_of_str(campaign->fleet_id), "state",
                     campaign->state, "phase", phase_of(campaign), "strategy", campaign->strategy,
                     "reason", ox_json_of_str(campaign->reason), "stage",
                     (json_int_t)campaign->stage + 1, "created_at",
                     ox_json_of_time(campaign->created_ms), "summary", summary, "devices",
                     take_devices, "bandwidth", "bytes_served", (json_int_t)bytes->served,
                     "bytes_saved_by_delta", (json_int_t)bytes->saved);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

enum ox_code ox_control_campaign(struct ox_control *control, const char *id, json_t **out,
                                 struct ox_err *err)
{
    struct ox_campaign_device_row *rows = NULL;
    struct ox_campaign_counts counts = {0};
    struct ox_campaign_row campaign;
    struct ox_tx tx = OX_TX_INIT;
    struct bytes bytes = {0, 0};
    uint64_t unnamed = 0;
    json_t *devices = json_array();
    size_t count = 0;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = ox_registry_campaign_get(&tx, id, &campaign, err)) == OX_OK &&
        (code = ox_registry_campaign_counts(&tx, id, 0, &counts, err)) == OX_OK) {
        code = ox_registry_campaign_devices(&tx, id, &rows, &count, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = add_device(control, &rows[i], devices, &bytes, err);
    }
    if (code == OX_OK) {
        unnamed = campaign.unnamed_bytes + ox_live_served(control, id, "");
        bytes.served += unnamed;
        bytes.saved -= unnamed < bytes.saved ? unnamed : bytes.saved;
        code = build(&campaign, &counts, &bytes, devices, out, err);
        devices = NULL;
    }
    json_decref(devices);
    ox_registry_end(&tx);
    return code;
}

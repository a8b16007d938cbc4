#include "inner.h"

#include <string.h>

static const char *phase_of(const struct ox_campaign_row *campaign)
{
    if (strcmp(campaign->state, "complete") == 0 || strcmp(campaign->state, "aborted") == 0) {
        return "done";
    }
    return campaign->prepared_ms == 0 ? "preparing" : "rolling_out";
}

enum ox_code ox_campaign_row_json(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                  json_t **out, struct ox_err *err)
{
    struct ox_campaign_counts counts;
    enum ox_code code = ox_campaign_count(tx, campaign->id, &counts, err);

    if (code != OX_OK) {
        return code;
    }
    *out = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:I, s:o, s:I, s:I, s:I}", "id",
                     campaign->id, "kind", campaign->kind, "model_id", campaign->model_id,
                     "target_version", campaign->version, "fleet_id",
                     ox_json_of_str(campaign->fleet_id), "state", campaign->state, "phase",
                     phase_of(campaign), "reason", ox_json_of_str(campaign->reason), "stage",
                     (json_int_t)campaign->stage + 1, "created_at",
                     ox_json_of_time(campaign->created_ms), "total", (json_int_t)counts.total,
                     "complete", (json_int_t)counts.complete, "failed", (json_int_t)counts.failed);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

struct bytes {
    uint64_t served;
    uint64_t saved;
};

/* One truth per device: what we served it or, where others did, what it says it received. */
static uint64_t cost_of(struct ox_control *control, const struct ox_campaign_device_row *row)
{
    uint64_t served = row->bytes_served + ox_live_served(control, row->campaign_id, row->device_id);

    return served != 0 ? served : row->bytes_received;
}

enum ox_code ox_campaign_device_json(struct ox_control *control,
                                     const struct ox_campaign_device_row *row, json_t **out,
                                     struct ox_err *err)
{
    *out = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o}",
        "device_id", row->device_id, "action", row->removes ? "remove" : "update", "state",
        row->state, "class", row->class[0] == '\0' ? json_null() : json_string(row->class), "error",
        ox_json_of_str(row->error), "failed_at", ox_json_of_str(row->failed_at), "strategy",
        ox_json_of_str(row->strategy), "bytes_received", (json_int_t)cost_of(control, row),
        "sources", ox_json_of_text(row->sources), "duration_ms",
        row->duration_ms == 0 ? json_null() : json_integer((json_int_t)row->duration_ms),
        "stages_ms", ox_json_of_text(row->stages_ms), "from_version",
        ox_json_of_str(row->from_version), "deferred", (int)row->deferred, "late", (int)row->late,
        "offered_at", ox_json_of_time(row->offered_ms), "updated_at",
        ox_json_of_time(row->updated_ms));
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

/* Failures by class, as the rules count them: those that an operator accepted are not in it. */
static json_t *failures_json(const struct ox_rollout_tally *tally)
{
    json_t *json = json_object();

    for (int i = OX_FAILURE_NONE + 1; json != NULL && i < OX_FAILURES; i++) {
        if (tally->failed[i] > 0 &&
            json_object_set_new(json, ox_failure_word((enum ox_failure)i),
                                json_integer((json_int_t)tally->failed[i])) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

static json_t *summary_json(const struct ox_campaign_counts *counts, uint64_t late,
                            const struct bytes *bytes)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "total",
                     (json_int_t)counts->total, "pending", (json_int_t)counts->pending,
                     "in_progress", (json_int_t)counts->in_progress, "complete",
                     (json_int_t)counts->complete, "failed", (json_int_t)counts->failed, "skipped",
                     (json_int_t)counts->skipped, "deferred", (json_int_t)counts->deferred, "late",
                     (json_int_t)late, "released", (json_int_t)counts->released_devices,
                     "bytes_served", (json_int_t)bytes->served, "bytes_saved",
                     (json_int_t)bytes->saved, "failures", failures_json(&counts->released));
}

/* What a campaign that rolls out waits for, in words; null if it is not for anything. */
static enum ox_code waiting_for(struct ox_control *control, struct ox_tx *tx,
                                const struct ox_campaign_row *campaign,
                                const struct ox_policy *policy, json_t **out, struct ox_err *err)
{
    struct ox_rollout_decision decision;
    struct ox_rollout_view view;
    enum ox_code code = ox_campaign_view(control, tx, campaign, policy, &view, err);

    if (code == OX_OK) {
        ox_rollout_decide(&view, ox_control_now(control), &decision);
        *out = decision.verdict != OX_VERDICT_WAIT || decision.reason[0] == '\0'
                   ? json_null()
                   : json_string(decision.reason);
    }
    return code;
}

/* The campaign that sends its devices back, if there is one. */
static enum ox_code reverted_by(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                json_t **out, struct ox_err *err)
{
    struct ox_campaign_row revert = {.id = NULL};
    enum ox_code code = ox_registry_campaign_revert_of(tx, campaign->id, &revert, err);

    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        code = OX_OK;
    }
    if (code == OX_OK) {
        *out = ox_json_of_str(revert.id);
    }
    return code;
}

static enum ox_code add_details(struct ox_control *control, struct ox_tx *tx,
                                const struct ox_campaign_row *campaign, json_t *json,
                                struct ox_err *err)
{
    struct ox_policy policy;
    json_t *waiting = NULL;
    json_t *revert = NULL;
    json_t *policy_json = NULL;
    const char *halted = NULL;
    enum ox_code code;

    if ((code = ox_campaign_policy(campaign, &policy, err)) != OX_OK ||
        (code = waiting_for(control, tx, campaign, &policy, &waiting, err)) != OX_OK ||
        (code = ox_json_set(json, "waiting_for", waiting, err)) != OX_OK ||
        (code = ox_registry_desired_halted(tx, campaign->id, &halted, err)) != OX_OK ||
        (code = ox_json_set_str(json, "halted", halted, err)) != OX_OK ||
        (code = ox_policy_json(&policy, &policy_json, err)) != OX_OK ||
        (code = ox_json_set(json, "policy", policy_json, err)) != OX_OK ||
        (code = ox_json_set_u64(
             json, "stages", ox_rollout_last_stage(&policy, campaign->staged) + 1, err)) != OX_OK ||
        (code = ox_json_set_str(json, "kind", campaign->kind, err)) != OX_OK ||
        (code = ox_json_set_str(json, "of_campaign", campaign->of_campaign, err)) != OX_OK ||
        (code = reverted_by(tx, campaign, &revert, err)) != OX_OK ||
        (code = ox_json_set(json, "reverted_by", revert, err)) != OX_OK) {
        return code;
    }
    return ox_json_set(json, "ended_at", ox_json_of_time(campaign->ended_ms), err);
}

static enum ox_code build(const struct ox_campaign_row *campaign,
                          const struct ox_campaign_counts *counts, uint64_t late,
                          const struct bytes *bytes, json_t **out, struct ox_err *err)
{
    *out = json_pack(
        "{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:{s:I, s:I}}", "id", campaign->id,
        "model_id", campaign->model_id, "target_version", campaign->version, "fleet_id",
        ox_json_of_str(campaign->fleet_id), "state", campaign->state, "phase", phase_of(campaign),
        "strategy", campaign->strategy, "reason", ox_json_of_str(campaign->reason), "stage",
        (json_int_t)campaign->stage + 1, "created_at", ox_json_of_time(campaign->created_ms),
        "summary", summary_json(counts, late, bytes), "bandwidth", "bytes_served",
        (json_int_t)bytes->served, "bytes_saved_by_delta", (json_int_t)bytes->saved);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

/* What is not written yet counts, too. */
static enum ox_code bytes_of(struct ox_control *control, struct ox_tx *tx,
                             const struct ox_campaign_row *campaign, struct bytes *out,
                             struct ox_err *err)
{
    uint64_t unnamed = campaign->unnamed_bytes + ox_live_served(control, campaign->id, "");
    enum ox_code code = ox_registry_campaign_sums(tx, campaign->id, &out->served, &out->saved, err);

    out->served += campaign->unnamed_bytes + ox_live_served(control, campaign->id, NULL);
    out->saved -= unnamed < out->saved ? unnamed : out->saved;
    return code;
}

enum ox_code ox_control_campaign(struct ox_control *control, const char *id, json_t **out,
                                 struct ox_err *err)
{
    struct ox_campaign_counts counts = {0};
    struct ox_campaign_row campaign;
    struct ox_tx tx = OX_TX_INIT;
    struct bytes bytes = {0, 0};
    uint64_t late = 0;
    json_t *json = NULL;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = ox_served_find(control, &tx, NULL, err)) == OX_OK &&
        (code = ox_registry_campaign_get(&tx, id, &campaign, err)) == OX_OK &&
        (code = ox_campaign_count(&tx, id, &counts, err)) == OX_OK &&
        (code = bytes_of(control, &tx, &campaign, &bytes, err)) == OX_OK &&
        (code = campaign.ended_ms == 0 ? OX_OK : ox_registry_late_entered(&tx, id, &late, err)) ==
            OX_OK &&
        (code = build(&campaign, &counts, late, &bytes, &json, err)) == OX_OK) {
        code = add_details(control, &tx, &campaign, json, err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

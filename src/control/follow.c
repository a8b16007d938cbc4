/* Devices that join the fleet of a campaign under way that follows it. */
#include "inner.h"
#include "variants.h"

#include <string.h>

static enum ox_code take_in(struct ox_control *control, struct ox_tx *tx,
                            struct ox_campaign_row *campaign, const struct ox_policy *policy,
                            const struct ox_selection *fleet, struct ox_err *err)
{
    struct ox_campaign_counts counts;
    uint64_t before = campaign->total;
    enum ox_code code;

    if ((code = ox_variants_enter(control, tx, campaign, fleet, err)) != OX_OK ||
        (code = ox_campaign_count(tx, campaign->id, &counts, err)) != OX_OK) {
        return code;
    }
    campaign->staged += counts.total - before;
    campaign->total = counts.total;
    ox_log(control->log, OX_LOG_INFO, "campaign %s: %llu devices joined its fleet", campaign->id,
           (unsigned long long)(campaign->total - before));
    if ((code = ox_registry_campaign_update(tx, campaign, err)) != OX_OK ||
        (code = ox_campaign_release(tx, campaign, policy, ox_control_now(control), err)) != OX_OK) {
        return code;
    }
    return ox_event(control, tx, "campaign.joined",
                    json_pack("{s:s, s:s, s:s, s:I, s:I}", "campaign_id", campaign->id, "model_id",
                              campaign->model_id, "version", campaign->version, "devices",
                              (json_int_t)(campaign->total - before), "total",
                              (json_int_t)campaign->total),
                    err);
}

enum ox_code ox_campaign_follow(struct ox_control *control, struct ox_tx *tx,
                                struct ox_campaign_row *campaign, bool dry, bool *changed,
                                struct ox_err *err)
{
    const struct ox_selection fleet = ox_select_now(control, campaign->fleet_id, NULL);
    struct ox_policy policy;
    uint64_t joined = 0;
    enum ox_code code = ox_campaign_policy(campaign, &policy, err);

    if (code != OX_OK || !policy.follow || campaign->fleet_id == NULL ||
        strcmp(campaign->kind, "rollout") != 0 || strcmp(campaign->state, "rolling_out") != 0) {
        return code;
    }
    code = ox_registry_late_count(tx, campaign, &fleet, &joined, err);
    if (code == OX_OK && joined > 0) {
        *changed = true;
        code = dry ? OX_OK : take_in(control, tx, campaign, &policy, &fleet, err);
    }
    return code;
}

/* Steering campaigns: what operators do to those that are there. */
#include "inner.h"

#include <string.h>

/* To add an action: a value in the enum, a row here, a route. */
static const struct {
    enum ox_campaign_event event; /* where the state decides */
    const char *word;
} actions[] = {
    [OX_ACTION_PAUSE] = {OX_EVENT_PAUSE, "pause"},
    [OX_ACTION_RESUME] = {OX_EVENT_RESUME, "resume"},
    [OX_ACTION_ABORT] = {OX_EVENT_ABORT, "abort"},
};

static enum ox_code resume(struct ox_control *control, struct ox_tx *tx,
                           struct ox_campaign_row *campaign, struct ox_err *err)
{
    enum ox_code code;

    campaign->reason = NULL;
    /* The operator has seen what failed: it counts no more. */
    if ((code = ox_registry_campaign_accept(tx, campaign->id, err)) != OX_OK ||
        (code = ox_registry_campaign_update(tx, campaign, err)) != OX_OK ||
        (code = ox_event_campaign(control, tx, "campaign.resumed", campaign, err)) != OX_OK) {
        return code;
    }
    return ox_campaign_advance(control, tx, campaign->id, false, err);
}

static enum ox_code act(struct ox_control *control, struct ox_tx *tx, const char *id,
                        enum ox_campaign_action action, struct ox_err *err)
{
    struct ox_campaign_row campaign;
    int64_t now = ox_control_now(control);
    enum ox_code code = ox_registry_campaign_get(tx, id, &campaign, err);

    if (code != OX_OK) {
        return code;
    }
    /* What was halted after its end goes on as what was paused before it. */
    if (action == OX_ACTION_RESUME && strcmp(campaign.state, "complete") == 0) {
        bool desired = false;

        code = ox_registry_desired_is(tx, id, &desired, err);
        if (code == OX_OK && !desired &&
            (code = ox_registry_desired_halt(tx, id, NULL, err)) == OX_OK &&
            (code = ox_registry_desired_is(tx, id, &desired, err)) == OX_OK && desired) {
            code = ox_registry_campaign_accept(tx, id, err);
            return code == OX_OK
                       ? ox_event_campaign(control, tx, "campaign.resumed", &campaign, err)
                       : code;
        }
        if (code != OX_OK) {
            return code;
        }
    }
    if (!ox_campaign_step(&campaign, actions[action].event, now)) {
        return ox_err_set(err, OX_ECONFLICT, "campaign %s is %s: it cannot %s", id, campaign.state,
                          actions[action].word);
    }
    switch (action) {
    case OX_ACTION_PAUSE:
        break;
    case OX_ACTION_RESUME:
        return resume(control, tx, &campaign, err);
    case OX_ACTION_ABORT:
        return ox_campaign_end(control, tx, &campaign, NULL, NULL, err);
    }
    campaign.reason = "an operator paused it";
    code = ox_registry_campaign_update(tx, &campaign, err);
    return code == OX_OK ? ox_event_campaign(control, tx, "campaign.paused", &campaign, err) : code;
}

static enum ox_code state_json(struct ox_tx *tx, const char *id, json_t **out, struct ox_err *err)
{
    struct ox_campaign_row campaign;
    enum ox_code code = ox_registry_campaign_get(tx, id, &campaign, err);

    if (code == OX_OK) {
        *out = json_pack("{s:s}", "state", campaign.state);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    return code;
}

enum ox_code ox_control_campaign_act(struct ox_control *control, const char *id,
                                     enum ox_campaign_action action, json_t **out,
                                     struct ox_err *err)
{
    json_t *answer = NULL;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = act(control, &tx, id, action, err)) == OX_OK) {
        code = state_json(&tx, id, &answer, err);
    }
    return ox_conclude(control, &tx, code, answer, out, err);
}

/* Nobody was left to go back: those who could are on their way, by an earlier revert. */
static enum ox_code earlier_revert(struct ox_tx *tx, const char *id, struct ox_campaign_made *out,
                                   struct ox_err *err)
{
    struct ox_campaign_row revert = {.id = NULL};
    enum ox_code code = ox_registry_campaign_revert_of(tx, id, &revert, err);

    if (code == OX_ENOTFOUND) {
        return ox_err_set(err, OX_ECONFLICT, "campaign %s has updated no device that could go back",
                          id);
    }
    if (code == OX_OK) {
        (void)snprintf(out->id, sizeof(out->id), "%s", revert.id);
        out->total = revert.total;
        out->superseded = json_array();
    }
    return code;
}

/* End it if it has not ended, and send back whom it has updated. */
static enum ox_code revert_campaign(struct ox_control *control, struct ox_tx *tx, const char *id,
                                    struct ox_campaign_made *out, struct ox_err *err)
{
    struct ox_campaign_row campaign;
    struct ox_campaign_row revert;
    enum ox_code code = ox_registry_campaign_get(tx, id, &campaign, err);

    if (code != OX_OK) {
        return code;
    }
    if (strcmp(campaign.kind, "revert") == 0) {
        return ox_err_set(err, OX_ECONFLICT,
                          "campaign %s is a revert itself: deploy the version that you want", id);
    }
    code = ox_campaign_step(&campaign, OX_EVENT_ABORT, ox_control_now(control))
               ? ox_campaign_end(control, tx, &campaign, NULL, out, err)
               : ox_campaign_revert(control, tx, &campaign, out, err);
    if (code == OX_OK && out->id[0] == '\0') {
        code = earlier_revert(tx, id, out, err);
    }
    if (code == OX_OK && (code = ox_registry_campaign_get(tx, out->id, &revert, err)) == OX_OK) {
        (void)snprintf(out->state, sizeof(out->state), "%s", revert.state);
    }
    return code;
}

enum ox_code ox_control_campaign_revert(struct ox_control *control, const char *id, json_t **out,
                                        struct ox_err *err)
{
    struct ox_campaign_made made = {.total = 0};
    json_t *answer = NULL;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = revert_campaign(control, &tx, id, &made, err)) == OX_OK) {
        code = ox_campaign_made_json(&made, &answer, err);
    }
    ox_campaign_made_clear(&made);
    return ox_conclude(control, &tx, code, answer, out, err);
}

static enum ox_code approve(struct ox_control *control, struct ox_tx *tx, const char *id,
                            struct ox_err *err)
{
    struct ox_campaign_row campaign;
    struct ox_rollout_view view;
    struct ox_policy policy;
    char reason[OX_ROLLOUT_REASON_MAX];
    enum ox_code code;

    if ((code = ox_registry_campaign_get(tx, id, &campaign, err)) != OX_OK ||
        (code = ox_campaign_policy(&campaign, &policy, err)) != OX_OK ||
        (code = ox_campaign_view(control, tx, &campaign, &policy, &view, err)) != OX_OK) {
        return code;
    }
    if (!policy.gate.approval) {
        return ox_err_set(err, OX_ECONFLICT, "campaign %s does not ask for approval", id);
    }
    if (strcmp(campaign.state, "rolling_out") != 0) {
        return ox_err_set(err, OX_ECONFLICT, "campaign %s is %s: there is nothing to approve", id,
                          campaign.state);
    }
    /* Who approves has seen how this stage went: nothing is approved beforehand. */
    if (!ox_rollout_awaits_approval(&view, ox_control_now(control), reason)) {
        return ox_err_set(err, OX_ECONFLICT, "campaign %s does not wait for approval now: %s", id,
                          reason);
    }
    campaign.approved_stage = campaign.stage + 1;
    code = ox_registry_campaign_update(tx, &campaign, err);
    if (code == OX_OK) {
        code = ox_event_campaign(control, tx, "campaign.approved", &campaign, err);
    }
    return code == OX_OK ? ox_campaign_advance(control, tx, id, false, err) : code;
}

enum ox_code ox_control_campaign_approve(struct ox_control *control, const char *id, json_t **out,
                                         struct ox_err *err)
{
    json_t *answer = NULL;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = approve(control, &tx, id, err)) == OX_OK) {
        code = state_json(&tx, id, &answer, err);
    }
    return ox_conclude(control, &tx, code, answer, out, err);
}

static enum ox_code retry(struct ox_control *control, struct ox_tx *tx,
                          const struct ox_campaign_row *campaign, const char *device_id,
                          uint64_t *count, struct ox_err *err)
{
    struct ox_campaign_device_row row;
    enum ox_code code = OX_OK;

    if (device_id != NULL) { /* to name one that is not in it is a mistake */
        code = ox_registry_campaign_device_get(tx, campaign->id, device_id, &row, err);
    }
    if (code == OX_OK) {
        code = ox_registry_campaign_retry(tx, campaign->id, device_id, ox_control_now(control),
                                          count, err);
    }
    if (code == OX_OK && *count == 0 && device_id != NULL && strcmp(row.state, "failed") == 0) {
        return ox_err_set(err, OX_ECONFLICT,
                          "device %s: this version is quarantined there: free it first (oxide "
                          "device free %s), or deploy another one",
                          device_id, device_id);
    }

    return code == OX_OK && *count > 0
               ? ox_event(control, tx, "campaign.retried",
                          json_pack("{s:s, s:s*, s:s, s:s, s:I, s:I}", "campaign_id", campaign->id,
                                    "device_id", device_id, "model_id", campaign->model_id,
                                    "version", campaign->version, "stage",
                                    (json_int_t)campaign->stage + 1, "devices", (json_int_t)*count),
                          err)
               : code;
}

enum ox_code ox_control_campaign_retry(struct ox_control *control, const char *id,
                                       const char *device_id, json_t **out, struct ox_err *err)
{
    struct ox_campaign_counts counts = {0};
    struct ox_campaign_row campaign;
    const char *halted = NULL;
    json_t *answer = NULL;
    struct ox_tx tx = OX_TX_INIT;
    uint64_t count = 0;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = ox_registry_campaign_get(&tx, id, &campaign, err)) == OX_OK &&
        strcmp(campaign.state, "aborted") == 0) {
        code = ox_err_set(err, OX_ECONFLICT, "campaign %s is aborted: make a new one", id);
    }
    if (code == OX_OK && (code = retry(control, &tx, &campaign, device_id, &count, err)) == OX_OK &&
        (code = ox_registry_desired_halted(&tx, id, &halted, err)) == OX_OK &&
        (code = ox_campaign_count(&tx, id, &counts, err)) == OX_OK) {
        /* What is failed still is what the quarantine keeps. */
        answer =
            json_pack("{s:s, s:I, s:I, s:o}", "state", campaign.state, "devices", (json_int_t)count,
                      "quarantined", (json_int_t)(device_id == NULL ? counts.failed : 0), "halted",
                      ox_json_of_str(halted));
        code = answer == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    return ox_conclude(control, &tx, code, answer, out, err);
}

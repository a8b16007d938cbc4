#include "inner.h"

#include "oxide/base/random.h"
#include "oxide/wire/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Devices named one by one; fleets have no such limit. The body's own limit is near it. */
#define DEVICE_IDS_MAX 4096

/* --- moving --- */

static enum ox_code view_of(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                            struct ox_rollout_view *out, struct ox_err *err)
{
    struct ox_campaign_counts counts = {0};
    enum ox_campaign_state state = OX_CAMPAIGN_PENDING;
    enum ox_strategy strategy = OX_STRATEGY_ALL_AT_ONCE;
    enum ox_code code;

    if ((code = ox_campaign_state_parse(campaign->state, &state, err)) != OX_OK ||
        (code = ox_strategy_parse(campaign->strategy, &strategy, err)) != OX_OK ||
        (code = ox_registry_campaign_counts(tx, campaign->id, 0, &counts, err)) != OX_OK ||
        (code = ox_registry_campaign_counts(tx, campaign->id,
                                            ox_campaign_released(campaign, (size_t)counts.total),
                                            &counts, err)) != OX_OK) {
        return code;
    }
    *out = (struct ox_rollout_view){
        .strategy = strategy,
        .state = (enum ox_campaign_step)state,
        .stage = (unsigned)campaign->stage,
        .stage_opened_ms = campaign->stage_opened_ms,
        .preparing = campaign->prepared_ms == 0,
        .total = (size_t)counts.total,
        .ended = (size_t)(counts.complete + counts.failed + counts.skipped),
        .released_ended = (size_t)counts.released_ended,
        .released_failed = (size_t)counts.released_failed,
        .failures_accepted = (size_t)campaign->failures_accepted,
    };
    return OX_OK;
}

/* Preparing ends when the deltas are made, or when they have been waited for long enough. */
static enum ox_code is_prepared(struct ox_control *control, struct ox_tx *tx,
                                const struct ox_campaign_row *campaign, bool *out,
                                struct ox_err *err)
{
    bool outstanding = false;
    enum ox_code code = OX_OK;

    if (ox_control_now(control) - campaign->created_ms < (int64_t)control->delta_wait_s * 1000) {
        code = ox_jobs_outstanding(tx, campaign, &outstanding, err);
    }
    if (code == OX_OK) {
        *out = !outstanding;
    }
    return code;
}

enum ox_code ox_campaign_would_move(struct ox_control *control, struct ox_tx *tx,
                                    const struct ox_campaign_row *campaign, bool *out,
                                    struct ox_err *err)
{
    struct ox_rollout_decision decision;
    struct ox_rollout_view view;
    bool prepared = false;
    enum ox_code code = OX_OK;

    if (campaign->prepared_ms == 0) {
        code = is_prepared(control, tx, campaign, &prepared, err);
    }
    if (code == OX_OK) {
        code = view_of(tx, campaign, &view, err);
    }
    if (code == OX_OK) {
        ox_rollout_decide(&view, ox_control_now(control), &decision);
        *out = prepared || decision.verdict != OX_VERDICT_WAIT;
    }
    return code;
}

static bool move_to(struct ox_campaign_row *campaign, const struct ox_rollout_view *view,
                    enum ox_campaign_event event)
{
    enum ox_campaign_step next;

    if (!ox_campaign_next(view->state, event, &next)) {
        return false;
    }
    campaign->state = ox_campaign_state_word((enum ox_campaign_state)next);
    return true;
}

enum ox_code ox_campaign_advance(struct ox_control *control, struct ox_tx *tx,
                                 const char *campaign_id, struct ox_err *err)
{
    struct ox_rollout_decision decision;
    struct ox_rollout_view view;
    struct ox_campaign_row campaign;
    int64_t now = ox_control_now(control);
    bool prepared = false;
    enum ox_code code = ox_registry_campaign_get(tx, campaign_id, &campaign, err);

    if (code == OX_OK && campaign.prepared_ms == 0) {
        code = is_prepared(control, tx, &campaign, &prepared, err);
        if (code == OX_OK && prepared) {
            campaign.prepared_ms = now;
            campaign.stage_opened_ms = now;
        }
    }
    if (code == OX_OK) {
        code = view_of(tx, &campaign, &view, err);
    }
    if (code != OX_OK) {
        return code;
    }
    ox_rollout_decide(&view, now, &decision);
    switch (decision.verdict) {
    case OX_VERDICT_WAIT:
        break;
    case OX_VERDICT_OPEN:
        campaign.stage++;
        campaign.stage_opened_ms = now;
        break;
    case OX_VERDICT_PAUSE:
        (void)move_to(&campaign, &view, OX_EVENT_PAUSE);
        campaign.reason = decision.reason;
        ox_log(control->log, OX_LOG_WARN, "campaign %s paused: %s", campaign_id, decision.reason);
        break;
    case OX_VERDICT_COMPLETE:
        (void)move_to(&campaign, &view, OX_EVENT_ENDED);
        ox_log(control->log, OX_LOG_INFO, "campaign %s is complete", campaign_id);
        break;
    }
    return prepared || decision.verdict != OX_VERDICT_WAIT
               ? ox_registry_campaign_update(tx, &campaign, err)
               : OX_OK;
}

enum ox_code ox_campaign_skip_device(struct ox_control *control, struct ox_tx *tx,
                                     const char *device_id, const char *model_id,
                                     const char *but_campaign, const char *why, struct ox_err *err)
{
    struct ox_campaign_device_row *rows = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_device_open(tx, device_id, &rows, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        struct ox_campaign_row campaign;

        code = ox_registry_campaign_get(tx, rows[i].campaign_id, &campaign, err);
        if (code != OX_OK || (but_campaign != NULL && strcmp(campaign.id, but_campaign) == 0) ||
            (model_id != NULL && strcmp(campaign.model_id, model_id) != 0)) {
            continue;
        }
        rows[i].state = ox_rollout_state_word(OX_ROLLOUT_SKIPPED);
        rows[i].error = why;
        rows[i].updated_ms = ox_control_now(control);
        code = ox_registry_campaign_device_update(tx, &rows[i], err);
        if (code == OX_OK) {
            code = ox_campaign_advance(control, tx, campaign.id, err);
        }
    }
    return code;
}

/* --- creating --- */

/* A member on its way into a campaign. */
struct member {
    const char *device_id;
    uint64_t position;
};

static int by_position(const void *a, const void *b)
{
    const struct member *left = a;
    const struct member *right = b;

    if (left->position != right->position) {
        return left->position < right->position ? -1 : 1;
    }
    return strcmp(left->device_id, right->device_id);
}

static enum ox_code members_of_fleet(struct ox_tx *tx, const char *fleet_id, struct member **out,
                                     size_t *count, const char **strategy, struct ox_err *err)
{
    struct ox_device_row *devices = NULL;
    struct ox_fleet_row fleet;
    enum ox_code code = ox_registry_fleet_get(tx, fleet_id, &fleet, err);

    if (code == OX_OK) {
        code = ox_registry_devices(tx, fleet_id, &devices, count, err);
    }
    if (code != OX_OK) {
        return code;
    }
    *out = calloc(*count + 1, sizeof(**out));
    if (*out == NULL) {
        return ox_err_nomem(err, "a campaign's devices");
    }
    for (size_t i = 0; i < *count; i++) {
        (*out)[i].device_id = devices[i].id;
    }
    if (*strategy == NULL) {
        *strategy = fleet.default_strategy;
    }
    return OX_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->device_id, ((const struct member *)b)->device_id);
}

static enum ox_code members_by_name(struct ox_tx *tx, const json_t *ids, struct member **out,
                                    size_t *count, struct ox_err *err)
{
    size_t named = json_array_size(ids);
    enum ox_code code = OX_OK;

    *count = 0;
    if (named == 0 || named > DEVICE_IDS_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"device_ids\" names 1 to %d devices", DEVICE_IDS_MAX);
    }
    *out = calloc(named, sizeof(**out));
    if (*out == NULL) {
        return ox_err_nomem(err, "a campaign's devices");
    }
    for (size_t i = 0; code == OX_OK && i < named; i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        struct ox_device_row device;

        code = ox_id_check("device id", id, err);
        if (code == OX_OK && (code = ox_registry_device_get(tx, id, &device, err)) == OX_OK) {
            (*out)[(*count)++].device_id = device.id;
        }
    }
    if (code == OX_OK) {
        size_t kept = 0;

        qsort(*out, *count, sizeof(**out), by_name);
        for (size_t i = 0; i < *count; i++) { /* one named twice is one */
            if (kept == 0 || strcmp((*out)[kept - 1].device_id, (*out)[i].device_id) != 0) {
                (*out)[kept++] = (*out)[i];
            }
        }
        *count = kept;
    }
    return code;
}

static enum ox_code runs_already(struct ox_tx *tx, const char *device_id, const char *model_id,
                                 const struct ox_digest *digest, bool *out, struct ox_err *err)
{
    struct ox_device_model_row *models = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_device_models(tx, device_id, &models, &count, err);

    *out = false;
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        *out = *out || (strcmp(models[i].model_id, model_id) == 0 && models[i].has_digest &&
                        ox_digest_equal(&models[i].digest, digest));
    }
    return code;
}

static enum ox_code add_member(struct ox_control *control, struct ox_tx *tx,
                               const struct ox_campaign_row *campaign, const char *device_id,
                               uint64_t place, struct ox_err *err)
{
    struct ox_campaign_device_row row = {
        .campaign_id = campaign->id,
        .device_id = device_id,
        .place = place,
        .state = ox_rollout_state_word(OX_ROLLOUT_PENDING),
        .bytes_full = campaign->size_bytes,
        .updated_ms = campaign->created_ms,
    };
    char why[96];
    bool runs = false;
    enum ox_code code;

    (void)snprintf(why, sizeof(why), "superseded by campaign %s", campaign->id);
    code =
        ox_campaign_skip_device(control, tx, device_id, campaign->model_id, campaign->id, why, err);
    if (code == OX_OK) {
        code = runs_already(tx, device_id, campaign->model_id, &campaign->digest, &runs, err);
    }
    if (runs) {
        row.state = ox_rollout_state_word(OX_ROLLOUT_COMPLETE);
        row.strategy = "none";
        row.bytes_full = 0;
    }
    return code == OX_OK ? ox_registry_campaign_device_add(tx, &row, err) : code;
}

static enum ox_code make_in(struct ox_control *control, struct ox_tx *tx,
                            const struct ox_campaign_spec *spec, struct ox_campaign_made *out,
                            struct member **members, struct ox_err *err)
{
    struct ox_artifact_row artifact;
    struct ox_campaign_row campaign = {0};
    enum ox_strategy strategy = OX_STRATEGY_ALL_AT_ONCE;
    const char *word = spec->strategy;
    enum ox_code code = ox_registry_artifact_get(tx, spec->model_id, spec->version, &artifact, err);

    if (code == OX_OK) {
        code = spec->fleet_id != NULL
                   ? members_of_fleet(tx, spec->fleet_id, members, &out->total, &word, err)
                   : members_by_name(tx, spec->device_ids, members, &out->total, err);
    }
    if (code == OX_OK && word != NULL) {
        code = ox_strategy_parse(word, &strategy, err);
    }
    if (code != OX_OK) {
        return code;
    }
    campaign = (struct ox_campaign_row){
        .id = out->id,
        .artifact_id = artifact.id,
        .model_id = artifact.model_id,
        .version = artifact.version,
        .digest = artifact.digest,
        .size_bytes = artifact.size_bytes,
        .fleet_id = spec->fleet_id,
        .strategy = ox_strategy_word(strategy),
        .state = ox_campaign_state_word(OX_CAMPAIGN_ROLLING_OUT),
        .created_ms = ox_control_now(control),
    };
    campaign.stage_opened_ms = campaign.created_ms;
    code = ox_registry_campaign_add(tx, &campaign, err);
    for (size_t i = 0; i < out->total; i++) {
        (*members)[i].position = ox_rollout_position(out->id, (*members)[i].device_id);
    }
    qsort(*members, out->total, sizeof(**members), by_position);
    for (size_t i = 0; code == OX_OK && i < out->total; i++) {
        code = add_member(control, tx, &campaign, (*members)[i].device_id, i, err);
    }
    if (code == OX_OK) {
        code = ox_jobs_for_bases(control, tx, out->id, campaign.model_id, &campaign.digest, err);
    }
    return code == OX_OK ? ox_campaign_advance(control, tx, out->id, err) : code;
}

enum ox_code ox_campaign_make(struct ox_control *control, const struct ox_campaign_spec *spec,
                              struct ox_campaign_made *out, struct ox_err *err)
{
    struct ox_campaign_row campaign;
    struct member *members = NULL;
    struct ox_tx tx = OX_TX_INIT;
    uint8_t random[8];
    enum ox_code code = ox_random_bytes(random, sizeof(random), err);

    if (code != OX_OK) {
        return code;
    }
    (void)snprintf(out->id, sizeof(out->id), "c-%02x%02x%02x%02x%02x%02x%02x%02x", random[0],
                   random[1], random[2], random[3], random[4], random[5], random[6], random[7]);
    code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);
    if (code == OX_OK && (code = make_in(control, &tx, spec, out, &members, err)) == OX_OK &&
        (code = ox_registry_campaign_get(&tx, out->id, &campaign, err)) == OX_OK) {
        (void)snprintf(out->state, sizeof(out->state), "%s", campaign.state);
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    free(members);
    if (code == OX_OK) {
        ox_jobs_wake(control);
        ox_log(control->log, OX_LOG_INFO, "campaign %s: %s@%s to %zu devices", out->id,
               spec->model_id, spec->version, out->total);
    }
    return code;
}

enum ox_code ox_control_campaign_create(struct ox_control *control, const json_t *body,
                                        json_t **out, struct ox_err *err)
{
    struct ox_campaign_spec spec = {0};
    struct ox_campaign_made made = {.total = 0};
    enum ox_code code;

    if ((code = ox_body_id(body, "model_id", &spec.model_id, err)) != OX_OK ||
        (code = ox_body_id(body, "model_version", &spec.version, err)) != OX_OK ||
        (code = ox_json_opt_str(body, "strategy", &spec.strategy, err)) != OX_OK ||
        (code = ox_json_opt_array(body, "device_ids", &spec.device_ids, err)) != OX_OK) {
        return code;
    }
    if (spec.device_ids == NULL) {
        code = ox_body_id(body, "fleet_id", &spec.fleet_id, err);
    } else if (ox_json_has(body, "fleet_id")) {
        code = ox_err_set(err, OX_EINVAL, "name a \"fleet_id\" or \"device_ids\", not both");
    }
    if (code == OX_OK && (code = ox_campaign_make(control, &spec, &made, err)) == OX_OK) {
        *out = json_pack("{s:s, s:s, s:I}", "campaign_id", made.id, "state", made.state,
                         "total_devices", (json_int_t)made.total);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    return code;
}

/* --- acting --- */

static enum ox_code skip_pending(struct ox_control *control, struct ox_tx *tx,
                                 const char *campaign_id, struct ox_err *err)
{
    struct ox_campaign_device_row *rows = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_campaign_devices(tx, campaign_id, &rows, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        if (strcmp(rows[i].state, "pending") == 0) {
            rows[i].state = ox_rollout_state_word(OX_ROLLOUT_SKIPPED);
            rows[i].error = "the campaign was aborted";
            rows[i].updated_ms = ox_control_now(control);
            code = ox_registry_campaign_device_update(tx, &rows[i], err);
        }
    }
    return code;
}

static enum ox_code act(struct ox_control *control, struct ox_tx *tx, const char *id,
                        enum ox_campaign_action action, const char **state, struct ox_err *err)
{
    static const struct {
        enum ox_campaign_event event;
        const char *word;
    } actions[] = {
        [OX_ACTION_PAUSE] = {OX_EVENT_PAUSE, "pause"},
        [OX_ACTION_RESUME] = {OX_EVENT_RESUME, "resume"},
        [OX_ACTION_ABORT] = {OX_EVENT_ABORT, "abort"},
    };
    struct ox_rollout_view view;
    struct ox_campaign_row campaign;
    enum ox_code code = ox_registry_campaign_get(tx, id, &campaign, err);

    if (code == OX_OK) {
        code = view_of(tx, &campaign, &view, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (!move_to(&campaign, &view, actions[action].event)) {
        return ox_err_set(err, OX_ECONFLICT, "campaign %s is %s: it cannot %s", id, campaign.state,
                          actions[action].word);
    }
    campaign.reason = NULL;
    if (action == OX_ACTION_RESUME) { /* the operator has seen what failed */
        campaign.failures_accepted = view.released_failed;
    }
    code = ox_registry_campaign_update(tx, &campaign, err);
    if (code == OX_OK && action == OX_ACTION_ABORT) {
        code = skip_pending(control, tx, id, err);
    }
    if (code == OX_OK && action == OX_ACTION_RESUME) {
        code = ox_campaign_advance(control, tx, id, err);
    }
    if (code == OX_OK && (code = ox_registry_campaign_get(tx, id, &campaign, err)) == OX_OK) {
        *state = campaign.state;
    }
    return code;
}

enum ox_code ox_control_campaign_act(struct ox_control *control, const char *id,
                                     enum ox_campaign_action action, json_t **out,
                                     struct ox_err *err)
{
    const char *state = NULL;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = act(control, &tx, id, action, &state, err)) == OX_OK &&
        (code = ox_registry_commit(&tx, err)) == OX_OK) {
        *out = json_pack("{s:s}", "state", state);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_registry_end(&tx);
    return code;
}

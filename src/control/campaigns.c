/* Making campaigns, and those that send devices back. */
#include "inner.h"
#include "variants.h"

#include "oxide/base/random.h"
#include "oxide/wire/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Devices named one by one; fleets have no such limit. The body's own limit is near it. */
#define DEVICE_IDS_MAX 4096

/* --- what a body asks for --- */

/* One of these says who; what is null counts as absent. */
static enum ox_code read_how(const json_t *body, const char **out, struct ox_err *err)
{
    static const char *const hows[] = {"fleet_id", "device_ids", "filter"};
    const char *how = NULL;

    for (size_t i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
        const json_t *value = json_object_get(body, hows[i]);

        if (value == NULL || json_is_null(value)) {
            continue;
        }
        if (how != NULL) {
            return ox_err_set(err, OX_EINVAL,
                              "\"%s\" and \"%s\" both say which devices are meant: name one of "
                              "them",
                              how, hows[i]);
        }
        how = hows[i];
    }
    if (how == NULL) {
        return ox_err_set(err, OX_EINVAL,
                          "which devices? Name a \"fleet_id\", \"device_ids\" or a \"filter\"");
    }
    *out = how;
    return OX_OK;
}

static enum ox_code read_named(const json_t *body, struct ox_campaign_spec *spec,
                               struct ox_err *err)
{
    enum ox_code code = ox_json_opt_array(body, "device_ids", &spec->device_ids, err);
    size_t named = json_array_size(spec->device_ids);

    return code == OX_OK && (named == 0 || named > DEVICE_IDS_MAX)
               ? ox_err_set(err, OX_EINVAL, "\"device_ids\" names 1 to %d devices", DEVICE_IDS_MAX)
               : code;
}

static enum ox_code read_devices(const json_t *body, struct ox_campaign_spec *spec,
                                 struct ox_err *err)
{
    const char *how = NULL;
    const char *text = NULL;
    enum ox_code code = read_how(body, &how, err);

    if (code != OX_OK) {
        return code;
    }
    if (strcmp(how, "fleet_id") == 0) {
        return ox_body_id(body, "fleet_id", &spec->fleet_id, err);
    }
    if (strcmp(how, "device_ids") == 0) {
        return read_named(body, spec, err);
    }
    code = ox_json_get_str(body, "filter", &text, err);
    return code == OX_OK ? ox_filter_parse(&spec->filter, text, err) : code;
}

enum ox_code ox_campaign_spec_read(const json_t *body, struct ox_campaign_spec *out,
                                   struct ox_err *err)
{
    struct ox_campaign_spec spec = {.settings = body};
    enum ox_code code;

    if ((code = ox_body_id(body, "model_id", &spec.model_id, err)) != OX_OK ||
        (code = ox_body_id(body, "model_version", &spec.version, err)) != OX_OK ||
        (code = read_devices(body, &spec, err)) != OX_OK) {
        return code;
    }
    *out = spec;
    return OX_OK;
}

void ox_campaign_spec_clear(struct ox_campaign_spec *spec)
{
    ox_filter_free(spec->filter);
    spec->filter = NULL;
}

/* --- gathering --- */

static enum ox_code gather_named(struct ox_tx *tx, const json_t *ids, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));

        code = ox_id_check("device id", id, err);
        if (code == OX_OK) {
            code = ox_registry_member_add(tx, id, err);
        }
    }
    return code;
}

static enum ox_code gather(struct ox_control *control, struct ox_tx *tx,
                           const struct ox_campaign_spec *spec, struct ox_err *err)
{
    const struct ox_selection selection = ox_select_now(control, spec->fleet_id, spec->filter);
    uint64_t count = 0;
    enum ox_code code = ox_registry_members_begin(tx, err);

    if (code != OX_OK) {
        return code;
    }
    if (spec->device_ids != NULL) {
        return gather_named(tx, spec->device_ids, err);
    }
    if ((code = ox_registry_members_select(tx, &selection, err)) == OX_OK && spec->filter != NULL &&
        (code = ox_registry_members_count(tx, &count, err)) == OX_OK && count == 0) {
        code = ox_err_set(
            err, OX_ECONFLICT,
            "the filter selects no device: 'oxide device list --filter' shows whom it selects");
    }
    return code;
}

enum ox_code ox_campaign_refresh(struct ox_control *control, const struct ox_campaign_spec *spec,
                                 struct ox_err *err)
{
    const struct ox_selection selection = ox_select_now(control, spec->fleet_id, spec->filter);
    enum ox_code code =
        spec->device_ids == NULL ? ox_select_refresh(control, &selection, err) : OX_OK;

    if (code == OX_ENOTFOUND) { /* said in its place */
        ox_err_clear(err);
        code = OX_OK;
    }
    return code;
}

/* The strategy that holds where the body names none: the fleet's. */
static enum ox_code fleet_strategy(struct ox_tx *tx, const char *fleet_id, enum ox_strategy *out,
                                   struct ox_err *err)
{
    struct ox_fleet_row fleet;
    enum ox_code code = OX_OK;

    if (fleet_id != NULL && (code = ox_registry_fleet_get(tx, fleet_id, &fleet, err)) == OX_OK) {
        code = ox_strategy_parse(fleet.default_strategy, out, err);
    }
    return code;
}

/* --- making --- */

/* Campaigns of the model that lose devices to this one; a policy may refuse to take any. */
static enum ox_code check_rivals(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                 const struct ox_policy *policy, struct ox_campaign_made *out,
                                 struct ox_rival_row **rows, size_t *count, struct ox_err *err)
{
    enum ox_code code =
        ox_registry_members_rivals(tx, campaign->id, campaign->model_id, rows, count, err);

    if (code == OX_OK && *count > 0 && policy->on_conflict == OX_CONFLICT_REFUSE) {
        return ox_err_set(err, OX_ECONFLICT,
                          "campaign %s is under way for model %s on %llu of these devices: wait "
                          "for it, abort it, or leave out \"on_conflict\": \"refuse\"",
                          (*rows)[0].campaign_id, campaign->model_id,
                          (unsigned long long)(*rows)[0].devices);
    }
    out->superseded = json_array();
    for (size_t i = 0; code == OX_OK && i < *count; i++) {
        code = ox_json_append(out->superseded,
                              json_pack("{s:s, s:I}", "campaign_id", (*rows)[i].campaign_id,
                                        "devices", (json_int_t)(*rows)[i].devices),
                              err);
    }
    return code;
}

/* Nobody to send it to is a mistake, unless they are still to come. (Who is named is there, and a
 * filter was found to select somebody.) */
static enum ox_code check_members(const struct ox_campaign_row *campaign,
                                  const struct ox_policy *policy, uint64_t total,
                                  struct ox_err *err)
{
    if (total > 0 || policy->follow || campaign->fleet_id == NULL) {
        return OX_OK;
    }
    if (strcmp(campaign->kind, "revert") == 0) {
        return ox_err_set(err, OX_ECONFLICT, "fleet %s has no devices: nobody can go back",
                          campaign->fleet_id);
    }
    return ox_err_set(err, OX_ECONFLICT,
                      "fleet %s has no devices: add some first, or let it follow the fleet "
                      "(\"follow\": true)",
                      campaign->fleet_id);
}

/* The members are gathered: they enter, and what they lose elsewhere moves on. */
static enum ox_code fill(struct ox_control *control, struct ox_tx *tx,
                         struct ox_campaign_row *campaign, const struct ox_policy *policy,
                         enum ox_member_target target, bool dry, struct ox_campaign_made *out,
                         struct ox_err *err)
{
    struct ox_rival_row *rivals = NULL;
    size_t rival_count = 0;
    uint64_t total = 0;
    enum ox_code code;

    if ((code = check_rivals(tx, campaign, policy, out, &rivals, &rival_count, err)) != OX_OK ||
        (code = ox_registry_members_count(tx, &total, err)) != OX_OK ||
        (code = check_members(campaign, policy, total, err)) != OX_OK ||
        (code = ox_registry_members_enter(tx, campaign, target, ox_rollout_position, err)) !=
            OX_OK ||
        (code = ox_zones_check(control, tx, campaign->id, policy, err)) != OX_OK ||
        (code = ox_registry_campaign_update(tx, campaign, err)) != OX_OK ||
        (code = ox_campaign_release(tx, campaign, policy, campaign->created_ms, err)) != OX_OK) {
        return code;
    }
    out->total = campaign->total;
    if (dry) { /* who is in it, and nothing that follows */
        return OX_OK;
    }
    code = ox_jobs_for_campaign(control, tx, campaign, err);
    for (size_t i = 0; code == OX_OK && i < rival_count; i++) {
        code = ox_campaign_advance(control, tx, rivals[i].campaign_id, false, err);
    }
    out->total = campaign->total;
    if (code == OX_OK) {
        code = ox_event(control, tx, "campaign.created",
                        json_pack("{s:s, s:s, s:s*, s:s, s:s, s:s*, s:s, s:I}", "campaign_id",
                                  campaign->id, "kind", campaign->kind, "of_campaign",
                                  campaign->of_campaign, "model_id", campaign->model_id, "version",
                                  campaign->version, "fleet_id", campaign->fleet_id, "strategy",
                                  campaign->strategy, "devices", (json_int_t)campaign->total),
                        err);
    }
    return code == OX_OK ? ox_campaign_advance(control, tx, campaign->id, false, err) : code;
}

/* Add a campaign without devices yet. */
static enum ox_code add(struct ox_control *control, struct ox_tx *tx,
                        struct ox_campaign_row *campaign, const struct ox_policy *policy,
                        struct ox_err *err)
{
    json_t *json = NULL;
    char *text = NULL;
    enum ox_code code = ox_policy_json(policy, &json, err);

    if (code == OX_OK) {
        code = ox_json_text(json, &text, err);
    }
    if (code == OX_OK) {
        campaign->strategy = ox_strategy_word(policy->strategy);
        campaign->policy = text;
        campaign->state = ox_campaign_state_word(OX_CAMPAIGN_ROLLING_OUT);
        campaign->created_ms = ox_control_now(control);
        campaign->stage_opened_ms = campaign->created_ms;
        code = ox_registry_campaign_add(tx, campaign, err);
    }
    campaign->policy = NULL;
    free(text);
    json_decref(json);
    return code;
}

static enum ox_code new_id(char out[OX_CAMPAIGN_ID_MAX], struct ox_err *err)
{
    uint8_t random[8];
    enum ox_code code = ox_random_bytes(random, sizeof(random), err);

    if (code == OX_OK) {
        (void)snprintf(out, OX_CAMPAIGN_ID_MAX, "c-%02x%02x%02x%02x%02x%02x%02x%02x", random[0],
                       random[1], random[2], random[3], random[4], random[5], random[6], random[7]);
    }
    return code;
}

enum ox_code ox_campaign_make_in(struct ox_control *control, struct ox_tx *tx,
                                 const struct ox_campaign_spec *spec, bool dry,
                                 struct ox_campaign_made *out, struct ox_err *err)
{
    enum ox_strategy strategy = OX_STRATEGY_ALL_AT_ONCE;
    struct ox_artifact_row artifact;
    struct ox_campaign_row campaign;
    struct ox_policy policy;
    enum ox_code code;

    if ((code = new_id(out->id, err)) != OX_OK ||
        (code = ox_registry_artifact_get(tx, spec->model_id, spec->version, &artifact, err)) !=
            OX_OK ||
        (code = fleet_strategy(tx, spec->fleet_id, &strategy, err)) != OX_OK ||
        (code = ox_policy_check_keys(spec->settings, err)) != OX_OK ||
        (code = ox_policy_parse(spec->settings, strategy, &policy, err)) != OX_OK ||
        (code = gather(control, tx, spec, err)) != OX_OK) {
        return code;
    }
    if (policy.halt_action != OX_HALT_PAUSE && policy.halt_count == 0) {
        return ox_err_set(err, OX_EINVAL,
                          "\"halt.action\" never acts without \"halt.rules\": say what halts it");
    }
    if (policy.follow && spec->fleet_id == NULL) {
        return ox_err_set(err, OX_EINVAL,
                          "\"follow\" takes in who joins a fleet: name a \"fleet_id\"; a fleet can "
                          "be made of a filter");
    }
    campaign = (struct ox_campaign_row){
        .id = out->id,
        .kind = "rollout",
        .artifact_id = artifact.id,
        .model_id = artifact.model_id,
        .version = artifact.version,
        .digest = artifact.digest,
        .size_bytes = artifact.size_bytes,
        .fleet_id = spec->fleet_id,
    };
    if ((code = add(control, tx, &campaign, &policy, err)) == OX_OK) {
        code = ox_variants_target(control, tx, &campaign, err);
    }
    return code == OX_OK ? fill(control, tx, &campaign, &policy, OX_TARGET_GIVEN, dry, out, err)
                         : code;
}

enum ox_code ox_campaign_make(struct ox_control *control, const struct ox_campaign_spec *spec,
                              struct ox_campaign_made *out, struct ox_err *err)
{
    struct ox_campaign_row campaign;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_campaign_refresh(control, spec, err);

    if (code == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_campaign_make_in(control, &tx, spec, false, out, err)) == OX_OK &&
        (code = ox_registry_campaign_get(&tx, out->id, &campaign, err)) == OX_OK) {
        (void)snprintf(out->state, sizeof(out->state), "%s", campaign.state);
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK) {
        ox_jobs_wake(control);
        ox_log(control->log, OX_LOG_INFO, "campaign %s: %s@%s to %llu devices", out->id,
               spec->model_id, spec->version, (unsigned long long)out->total);
    }
    return code;
}

void ox_campaign_made_clear(struct ox_campaign_made *made)
{
    json_decref(made->superseded);
    made->superseded = NULL;
}

enum ox_code ox_campaign_made_json(const struct ox_campaign_made *made, json_t **out,
                                   struct ox_err *err)
{
    *out = json_pack("{s:s, s:s, s:I, s:O}", "campaign_id", made->id, "state", made->state,
                     "total_devices", (json_int_t)made->total, "superseded", made->superseded);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

enum ox_code ox_control_campaign_create(struct ox_control *control, const json_t *body,
                                        json_t **out, struct ox_err *err)
{
    struct ox_campaign_made made = {.total = 0};
    struct ox_campaign_spec spec = {.model_id = NULL};
    enum ox_code code = ox_campaign_spec_read(body, &spec, err);

    if (code == OX_OK && (code = ox_campaign_make(control, &spec, &made, err)) == OX_OK) {
        code = ox_campaign_made_json(&made, out, err);
    }
    ox_campaign_made_clear(&made);
    ox_campaign_spec_clear(&spec);
    return code;
}

/* --- reverting --- */

/* How a revert goes: at once, without gates, with whatever bytes it takes. */
static void revert_policy(struct ox_policy *out)
{
    ox_policy_default(OX_STRATEGY_ALL_AT_ONCE, out);
    out->fallback = OX_FALLBACK_ALWAYS;
    out->late_delta = OX_LATE_FULL;
}

/* The members are gathered. `from` is what they are sent back from. */
static enum ox_code revert_in(struct ox_control *control, struct ox_tx *tx, int64_t artifact_id,
                              const char *of_campaign, const char *fleet_id,
                              enum ox_member_target target, struct ox_campaign_made *out,
                              struct ox_err *err)
{
    struct ox_artifact_row artifact;
    struct ox_campaign_row campaign;
    struct ox_policy policy;
    enum ox_code code;

    revert_policy(&policy);
    if ((code = new_id(out->id, err)) != OX_OK ||
        (code = ox_registry_artifact_by_id(tx, artifact_id, &artifact, err)) != OX_OK) {
        return code;
    }
    campaign = (struct ox_campaign_row){
        .id = out->id,
        .kind = "revert",
        .artifact_id = artifact.id,
        .model_id = artifact.model_id,
        .version = artifact.version,
        .digest = artifact.digest,
        .size_bytes = artifact.size_bytes,
        .of_campaign = of_campaign,
        .fleet_id = fleet_id,
    };
    code = add(control, tx, &campaign, &policy, err);
    if (code == OX_OK) { /* no delta is waited for: most devices have kept what they go back to */
        campaign.prepared_ms = campaign.created_ms;
        code = fill(control, tx, &campaign, &policy, target, false, out, err);
    }
    if (code == OX_OK) {
        (void)snprintf(out->state, sizeof(out->state), "rolling_out");
        ox_log(control->log, OX_LOG_WARN, "campaign %s: %llu devices go back from %s@%s", out->id,
               (unsigned long long)out->total, artifact.model_id, artifact.version);
    }
    return code;
}

enum ox_code ox_campaign_revert(struct ox_control *control, struct ox_tx *tx,
                                const struct ox_campaign_row *campaign,
                                struct ox_campaign_made *out, struct ox_err *err)
{
    uint64_t members = 0;
    enum ox_code code = ox_registry_members_begin(tx, err);

    if (code == OX_OK && (code = ox_registry_members_of_campaign(tx, campaign->id, err)) == OX_OK) {
        code = ox_registry_members_count(tx, &members, err);
    }
    if (code == OX_OK && members > 0) {
        code = revert_in(control, tx, campaign->artifact_id, campaign->id, campaign->fleet_id,
                         OX_TARGET_PREVIOUS, out, err);
    }
    return code;
}

/* What the gathered devices are sent back from: the version that was brought to one of them last;
 * or the model's newest, which nobody has by a campaign. */
static enum ox_code revert_from(struct ox_tx *tx, const char *model_id, int64_t *out,
                                struct ox_err *err)
{
    struct ox_artifact_row *versions = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_members_last_update(tx, model_id, out, err);

    if (code == OX_OK && *out == 0) {
        code = ox_registry_artifacts(tx, model_id, &versions, &count, err);
        if (code == OX_OK && count == 0) {
            code = ox_err_set(err, OX_ENOTFOUND, "there is no model %s", model_id);
        } else if (code == OX_OK) {
            *out = versions[count - 1].id;
        }
    }
    return code;
}

static enum ox_code revert_model(struct ox_control *control, struct ox_tx *tx,
                                 const struct ox_campaign_spec *spec, struct ox_campaign_made *out,
                                 struct ox_err *err)
{
    struct ox_artifact_row target;
    int64_t from = 0;
    enum ox_code code;

    if ((code = gather(control, tx, spec, err)) != OX_OK ||
        (code = revert_from(tx, spec->model_id, &from, err)) != OX_OK) {
        return code;
    }
    if (spec->version == NULL) {
        return revert_in(control, tx, from, NULL, spec->fleet_id, OX_TARGET_PREVIOUS, out, err);
    }
    code = ox_registry_artifact_get(tx, spec->model_id, spec->version, &target, err);
    return code == OX_OK ? revert_in(control, tx, target.id, NULL, spec->fleet_id,
                                     OX_TARGET_ARTIFACT, out, err)
                         : code;
}

enum ox_code ox_control_model_revert(struct ox_control *control, const char *model_id,
                                     const json_t *body, json_t **out, struct ox_err *err)
{
    struct ox_campaign_spec spec = {.model_id = model_id};
    struct ox_campaign_made made = {.total = 0};
    struct ox_campaign_row campaign;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = read_devices(body, &spec, err)) == OX_OK &&
        (code = ox_json_opt_str(body, "model_version", &spec.version, err)) == OX_OK &&
        (spec.version == NULL || (code = ox_id_check("version", spec.version, err)) == OX_OK) &&
        (code = ox_campaign_refresh(control, &spec, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = revert_model(control, &tx, &spec, &made, err)) == OX_OK &&
        (code = ox_registry_campaign_get(&tx, made.id, &campaign, err)) == OX_OK) {
        (void)snprintf(made.state, sizeof(made.state), "%s", campaign.state);
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK) {
        ox_jobs_wake(control);
        code = ox_campaign_made_json(&made, out, err);
    }
    ox_campaign_made_clear(&made);
    ox_campaign_spec_clear(&spec);
    return code;
}

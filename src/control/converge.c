/* What is left behind stays true: a device that runs something else than its last campaign brought,
 * or that comes after the campaign of its fleet, is looked after here. */
#include "inner.h"
#include "variants.h"

#include <stdio.h>
#include <string.h>

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Does the campaign still answer for its devices? */
static bool answers(const struct ox_campaign_row *campaign)
{
    return !is(campaign->state, "aborted") && !is(campaign->state, "pending");
}

/* It had the version, and has nothing of the model now, or is another installation: it was set up
 * anew. */
static enum ox_code begin_again(struct ox_control *control, struct ox_tx *tx,
                                const struct ox_campaign_row *campaign,
                                struct ox_campaign_device_row *row, struct ox_err *err)
{
    row->state = ox_rollout_state_word(OX_ROLLOUT_PENDING);
    row->class = "";
    row->error = NULL;
    row->late = !is(campaign->state, "rolling_out") && !is(campaign->state, "paused");
    row->offered_ms = 0;
    row->updated_ms = ox_control_now(control);
    return ox_registry_campaign_device_update(tx, row, err);
}

/* The device's last campaign of the model, against what it runs now. */
static enum ox_code compare(struct ox_control *control, struct ox_tx *tx,
                            struct ox_campaign_device_row *row,
                            const struct ox_device_model_row *runs, struct ox_err *err)
{
    struct ox_campaign_row campaign;
    struct ox_artifact_row target;
    struct ox_device_row device;
    bool has_target;
    char error[128];
    enum ox_code code;

    if (row->artifact_id == 0 ||
        (code = ox_registry_campaign_get(tx, row->campaign_id, &campaign, err)) != OX_OK ||
        (code = ox_registry_artifact_by_id(tx, row->artifact_id, &target, err)) != OX_OK) {
        return row->artifact_id == 0 ? OX_OK : code;
    }
    if (row->removes && runs != NULL) { /* what came since is nothing that it answers for */
        return OX_OK;
    }
    has_target = runs == NULL ? row->removes
                              : runs->has_digest && ox_digest_equal(&runs->digest, &target.digest);
    if (is(row->state, "failed") && has_target &&
        (is(row->class, "silent") || is(row->class, "rollback"))) {
        return ox_campaign_device_move(control, tx, row, OX_ROLLOUT_COMPLETE, OX_FAILURE_NONE, NULL,
                                       err);
    }
    if (!is(row->state, "complete") || has_target || !answers(&campaign)) {
        return OX_OK;
    }
    if (runs != NULL) {
        code = ox_registry_device_get(tx, row->device_id, &device, err);
    }
    if (code == OX_OK && (runs == NULL || device.instance_since_ms > row->updated_ms)) {
        return begin_again(control, tx, &campaign, row, err);
    }
    if (code != OX_OK) {
        return code;
    }
    (void)snprintf(error, sizeof(error), "rolled back: it reports version %.64s", runs->version);
    return ox_campaign_device_move(control, tx, row, OX_ROLLOUT_FAILED, OX_FAILURE_ROLLBACK, error,
                                   err);
}

/* Enter a campaign that is complete, after the fact. */
static enum ox_code enter_late(struct ox_control *control, struct ox_tx *tx, const char *device_id,
                               const struct ox_campaign_row *campaign,
                               const struct ox_device_model_row *runs, struct ox_err *err)
{
    struct ox_campaign_device_row row = {
        .campaign_id = campaign->id,
        .device_id = device_id,
        .place = campaign->total,
        .from_version = runs == NULL ? NULL : runs->version,
        .has_from = runs != NULL && runs->has_digest,
        .state = "pending",
        .class = "",
        .released = true,
        .late = true,
        .released_ms = ox_control_now(control),
        .updated_ms = ox_control_now(control),
    };
    struct ox_artifact_row target;
    char why[OX_VARIANT_WHY_MAX];
    struct ox_pin_row pin;
    char pinned[OX_PIN_REASON_MAX];
    bool quarantined = false;
    bool is_pinned = false;
    bool fits = false;
    enum ox_code code = ox_variant_choose(control, tx, campaign->model_id, campaign->version,
                                          device_id, &target, &fits, why, err);

    if (code == OX_OK && fits) {
        code = ox_registry_quarantined(tx, device_id, &target.digest, &quarantined, err);
    }
    if (code == OX_OK) {
        code = ox_registry_device_pinned(tx, device_id, campaign->model_id, &is_pinned, &pin, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (row.has_from) {
        row.from_digest = runs->digest;
    }
    if (fits) {
        row.artifact_id = target.id;
        row.bytes_full = target.size_bytes;
    }
    if (is_pinned) {
        ox_pin_reason(&pin, pinned);
        row.state = "skipped";
        row.error = pinned;
    } else if (!fits || quarantined) {
        row.state = "skipped";
        row.error = !fits ? why : "quarantined: this version failed here before";
    }
    if (fits && row.has_from && ox_digest_equal(&runs->digest, &target.digest)) {
        row.state = "complete";
        row.strategy = "none";
        row.error = NULL;
        row.bytes_full = 0;
    }
    return ox_registry_campaign_device_add(tx, &row, err);
}

/* What the fleets of a device are to run, the oldest first: also of those that have filters. */
static enum ox_code desired_of_device(struct ox_control *control, struct ox_tx *tx,
                                      const char *device_id, struct ox_desired_row **rows,
                                      size_t *count, struct ox_err *err)
{
    size_t kept = 0;
    enum ox_code code = ox_registry_desired_of_device(tx, device_id, rows, count, err);

    for (size_t i = 0; code == OX_OK && i < *count; i++) {
        const struct ox_selection fleet = ox_select_now(control, (*rows)[i].fleet_id, NULL);
        bool in = true;

        if ((*rows)[i].by_filter) {
            code = ox_registry_selected_has(tx, &fleet, device_id, &in, err);
        }
        if (code == OX_OK && in) {
            (*rows)[kept++] = (*rows)[i];
        }
    }
    *count = kept;
    return code;
}

/* Unregistered meanwhile and here again, or pinned and free again? */
static bool was_set_aside(const struct ox_campaign_device_row *row)
{
    return is(row->state, "skipped") && row->error != NULL &&
           (is(row->error, OX_WHY_UNREGISTERED) ||
            strncmp(row->error, OX_WHY_PINNED, strlen(OX_WHY_PINNED)) == 0);
}

static enum ox_code free_again(struct ox_control *control, struct ox_tx *tx,
                               const struct ox_campaign_row *campaign,
                               struct ox_campaign_device_row *row, struct ox_err *err)
{
    bool is_pinned = false;
    struct ox_pin_row pin;
    enum ox_code code =
        ox_registry_device_pinned(tx, row->device_id, campaign->model_id, &is_pinned, &pin, err);

    return code == OX_OK && !is_pinned ? begin_again(control, tx, campaign, row, err) : code;
}

/* What the device's fleets are to run of this model. */
static enum ox_code join_desired(struct ox_control *control, struct ox_tx *tx,
                                 const char *device_id, const char *model_id,
                                 const struct ox_device_model_row *runs, struct ox_err *err)
{
    struct ox_campaign_device_row row;
    struct ox_desired_row *desired = NULL;
    struct ox_campaign_row campaign;
    size_t count = 0;
    bool known;
    enum ox_code code = desired_of_device(control, tx, device_id, &desired, &count, err);

    for (size_t i = count; code == OX_OK && i > 0; i--) { /* the newest counts */
        if (!is(desired[i - 1].model_id, model_id)) {
            continue;
        }
        code =
            ox_registry_campaign_device_get(tx, desired[i - 1].campaign_id, device_id, &row, err);
        known = code == OX_OK;
        if (code == OX_ENOTFOUND) {
            ox_err_clear(err);
            code = OX_OK;
        }
        if (code == OX_OK) {
            code = ox_registry_campaign_get(tx, desired[i - 1].campaign_id, &campaign, err);
        }
        if (code != OX_OK || !known) {
            return code == OX_OK ? enter_late(control, tx, device_id, &campaign, runs, err) : code;
        }
        return was_set_aside(&row) ? free_again(control, tx, &campaign, &row, err) : OX_OK;
    }
    return code;
}

enum ox_code ox_converge_model(struct ox_control *control, struct ox_tx *tx, const char *device_id,
                               const char *model_id, const struct ox_device_model_row *runs,
                               struct ox_err *err)
{
    struct ox_campaign_device_row row;
    enum ox_code code = ox_registry_device_newest(tx, device_id, model_id, &row, err);

    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        return join_desired(control, tx, device_id, model_id, runs, err);
    }
    /* A restored registry knows less than the devices: what they run is no rollback. */
    return code == OX_OK && !ox_holding(control) ? compare(control, tx, &row, runs, err) : code;
}

static enum ox_code join_all(struct ox_control *control, struct ox_tx *tx, const char *device_id,
                             const struct ox_desired_row *desired, size_t count, struct ox_err *err)
{
    struct ox_device_model_row *models = NULL;
    size_t model_count = 0;
    enum ox_code code = ox_registry_device_models(tx, device_id, &models, &model_count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const struct ox_device_model_row *runs = NULL;

        for (size_t m = 0; m < model_count; m++) {
            runs = is(models[m].model_id, desired[i].model_id) ? &models[m] : runs;
        }
        code = join_desired(control, tx, device_id, desired[i].model_id, runs, err);
    }
    return code;
}

enum ox_code ox_converge_joined(struct ox_control *control, struct ox_tx *tx, const char *fleet_id,
                                const char *device_id, struct ox_err *err)
{
    struct ox_desired_row *desired = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_desired_of_fleet(tx, fleet_id, &desired, &count, err);

    return code == OX_OK ? join_all(control, tx, device_id, desired, count, err) : code;
}

enum ox_code ox_converge_device(struct ox_control *control, struct ox_tx *tx, const char *device_id,
                                struct ox_err *err)
{
    struct ox_desired_row *desired = NULL;
    size_t count = 0;
    enum ox_code code = desired_of_device(control, tx, device_id, &desired, &count, err);

    return code == OX_OK ? join_all(control, tx, device_id, desired, count, err) : code;
}

enum ox_code ox_converge_changed(struct ox_control *control, struct ox_tx *tx,
                                 const char *device_id, struct ox_err *err)
{
    struct ox_desired_row *desired = NULL;
    size_t count = 0;
    enum ox_code code = desired_of_device(control, tx, device_id, &desired, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        if (desired[i].by_filter) {
            code = ox_converge_joined(control, tx, desired[i].fleet_id, device_id, err);
        }
    }
    return code;
}

/* --- fleets that have filters --- */

/* Who has come to pass, be it by time alone. Read first: mostly there is nobody. */
static enum ox_code find_late(struct ox_control *control, bool *out, struct ox_err *err)
{
    struct ox_desired_row *desired = NULL;
    struct ox_tx tx = OX_TX_INIT;
    size_t count = 0;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    *out = false;
    if (code == OX_OK) {
        code = ox_registry_desired_by_filter(&tx, &desired, &count, err);
    }
    for (size_t i = 0; code == OX_OK && !*out && i < count; i++) {
        const struct ox_selection fleet = ox_select_now(control, desired[i].fleet_id, NULL);
        struct ox_campaign_row campaign;
        uint64_t late = 0;

        if ((code = ox_registry_campaign_get(&tx, desired[i].campaign_id, &campaign, err)) ==
            OX_OK) {
            code = ox_registry_late_count(&tx, &campaign, &fleet, &late, err);
        }
        *out = late > 0;
    }
    ox_registry_end(&tx);
    return code;
}

static enum ox_code enter_all(struct ox_control *control, struct ox_tx *tx, struct ox_err *err)
{
    struct ox_desired_row *desired = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_desired_by_filter(tx, &desired, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const struct ox_selection fleet = ox_select_now(control, desired[i].fleet_id, NULL);
        struct ox_campaign_row campaign;

        if ((code = ox_registry_campaign_get(tx, desired[i].campaign_id, &campaign, err)) ==
            OX_OK) {
            code = ox_variants_enter(control, tx, &campaign, &fleet, err);
        }
    }
    return code;
}

enum ox_code ox_converge_fleets(struct ox_control *control, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    bool late = false;
    enum ox_code code = find_late(control, &late, err);

    if (code == OX_OK && late &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = enter_all(control, &tx, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    return code;
}

/* What a device is to run now: which of its open campaigns have come to it, whether their patches
 * are ready, and whether limits let it begin. */
#include "inner.h"

#include <stdlib.h>
#include <string.h>

/* Where only a rate for all is set, so many devices share it that each gets this much. */
#define SHARE_BPS ((uint64_t)32 * 1024)

const char *ox_assign_format(uint64_t protocol, const char *reads_text, uint64_t *ops)
{
    struct ox_reads reads = {.oxdl1 = false};

    *ops = 0;
    if (reads_text != NULL && ox_reads_parse(reads_text, &reads, NULL) != OX_OK) {
        return NULL;
    }
    *ops = reads.oxdl2_ops;
    if (reads.oxdl2) {
        return "oxdl/2";
    }
    return reads.oxdl1 || protocol == 0 ? "oxdl/1" : NULL;
}

/* --- has it come to this device? --- */

/* What it has begun goes on whatever the campaign's state; what is complete goes on for who comes
 * late, unless it was halted. */
static enum ox_code is_released(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                const struct ox_campaign_device_row *row, bool *out,
                                struct ox_err *err)
{
    const char *halted = NULL;
    enum ox_code code = OX_OK;

    if (strcmp(row->state, "pending") != 0) {
        *out = true;
    } else if (strcmp(campaign->state, "complete") == 0) {
        code = ox_registry_desired_halted(tx, campaign->id, &halted, err);
        *out = halted == NULL;
    } else {
        *out = row->released && campaign->prepared_ms != 0 &&
               strcmp(campaign->state, "rolling_out") == 0;
    }
    return code;
}

/* --- by which bytes? --- */

static enum ox_code choose_patch(struct ox_control *control, struct ox_tx *tx,
                                 const struct ox_device_row *device, struct ox_offer *offer,
                                 struct ox_wanted *wanted, size_t *wanted_count, struct ox_err *err)
{
    const struct ox_device_model_row *base = offer->base;
    struct ox_artifact_row artifact;
    uint64_t ops = 0;
    const char *format = ox_assign_format(device->protocol, device->reads, &ops);
    int64_t since_ms = offer->campaign.created_ms;
    /* Going back is urgent, and most devices have kept what they go back to. */
    bool reverts = strcmp(offer->campaign.kind, "revert") == 0;
    bool possible = false;
    bool waits;
    enum ox_code code;

    if (format == NULL || base == NULL || !base->has_digest || offer->row.fallback ||
        ox_digest_equal(&base->digest, &offer->target.digest)) {
        return OX_OK;
    }
    code = ox_registry_artifact_by_digest(tx, &base->digest, &artifact, err);
    if (code == OX_ENOTFOUND) { /* a base that we do not hold */
        ox_err_clear(err);
        return OX_OK;
    }
    if (code == OX_OK) {
        code = ox_job_possible(tx, &base->digest, &offer->target.digest, format, &possible, err);
    }
    if (code != OX_OK || !possible) {
        return code;
    }
    code = ox_registry_job_get(tx, &base->digest, &offer->target.digest, format, &offer->job, err);
    if (code == OX_ENOTFOUND || (code == OX_OK && strcmp(offer->job.state, "evicted") == 0)) {
        ox_err_clear(err);
        if (*wanted_count < OX_HEARTBEAT_MODELS_MAX) {
            wanted[(*wanted_count)++] =
                (struct ox_wanted){base->digest, offer->target.digest, format};
        }
        offer->waits =
            !reverts && (offer->policy.late_delta == OX_LATE_WAIT || control->delta_wait_s > 0);
        return OX_OK;
    }
    if (code != OX_OK) {
        return code;
    }
    if (strcmp(offer->job.state, "ready") == 0) {
        offer->has_patch = strcmp(format, "oxdl/1") == 0 || (offer->job.ops & ~ops) == 0;
        return OX_OK;
    }
    offer->needs_fallback = strcmp(offer->job.state, "failed") == 0;
    if (offer->job.queued_ms > since_ms) {
        since_ms = offer->job.queued_ms;
    }
    waits = strcmp(offer->job.state, "queued") == 0 || strcmp(offer->job.state, "running") == 0;
    offer->waits = waits && !reverts &&
                   (offer->policy.late_delta == OX_LATE_WAIT ||
                    ox_control_now(control) - since_ms < (int64_t)control->delta_wait_s * 1000);
    return OX_OK;
}

static enum ox_code choose(struct ox_control *control, struct ox_tx *tx,
                           const struct ox_device_row *device, struct ox_offer *offer,
                           struct ox_wanted *wanted, size_t *wanted_count, struct ox_err *err)
{
    size_t wanted_before = *wanted_count;
    enum ox_code code = choose_patch(control, tx, device, offer, wanted, wanted_count, err);

    if (code == OX_OK) {
        code = ox_chain_offer(control, tx, device, offer, err);
    }
    if (offer->chain.count > 0) { /* then none is made for it */
        *wanted_count = wanted_before;
    }
    return code;
}

/* An agent that was exchanged for an older one would not understand it: it waits for a newer one.
 */
static bool can_remove(const struct ox_device_row *device)
{
    struct ox_reads reads = {.oxdl1 = false};

    return device->protocol > 0 && device->reads != NULL &&
           ox_reads_parse(device->reads, &reads, NULL) == OX_OK && reads.removes;
}

/* --- may it begin? --- */

static uint64_t in_flight_max(const struct ox_policy *policy)
{
    uint64_t shared = policy->rate_bps / SHARE_BPS;

    if (policy->in_flight != OX_UNLIMITED || policy->rate_bps == 0) {
        return policy->in_flight;
    }
    return shared == 0 ? 1 : shared;
}

static uint64_t cost_of(const struct ox_offer *offer)
{
    return offer->row.removes       ? 0
           : offer->chain.count > 0 ? offer->chain.bytes
           : offer->has_patch       ? offer->job.patch_bytes
                                    : offer->target.size_bytes;
}

/* Is it past a budget? Then the campaign pauses; but while those that were told are at it, it
 * waits: what they were promised counts as fetched, and they may yet take less. */
static enum ox_code check_budgets(struct ox_control *control, struct ox_tx *tx,
                                  struct ox_offer *offer, struct ox_err *err)
{
    const struct ox_policy *policy = &offer->policy;
    uint64_t fetched = offer->campaign.bytes_served + offer->campaign.unnamed_bytes +
                       ox_live_served(control, offer->campaign.id, NULL);
    uint64_t cost = cost_of(offer);
    uint64_t promised = 0;
    enum ox_code code = OX_OK;

    if (cost > policy->device_max_bytes) {
        offer->over_budget = true;
        (void)snprintf(offer->why, sizeof(offer->why),
                       "device %.64s would fetch %llu bytes, more than the budget of %llu per "
                       "device",
                       offer->row.device_id, (unsigned long long)cost,
                       (unsigned long long)policy->device_max_bytes);
        return OX_OK;
    }
    if (policy->total_max_bytes == OX_UNLIMITED ||
        (code = ox_registry_campaign_promised(tx, offer->campaign.id, &promised, err)) != OX_OK) {
        return code;
    }
    if (fetched + promised + cost > policy->total_max_bytes) {
        offer->limited = promised > 0;
        offer->over_budget = promised == 0;
        (void)snprintf(offer->why, sizeof(offer->why),
                       "%llu bytes were fetched, and %llu more would pass the budget of %llu for "
                       "all devices",
                       (unsigned long long)fetched, (unsigned long long)cost,
                       (unsigned long long)policy->total_max_bytes);
    }
    return OX_OK;
}

static enum ox_code check_limits(struct ox_control *control, struct ox_tx *tx,
                                 struct ox_offer *offer, struct ox_err *err)
{
    const struct ox_policy *policy = &offer->policy;
    uint64_t most = in_flight_max(policy);
    struct ox_campaign_counts counts;
    uint64_t used = 0;
    enum ox_code code = ox_served_find(control, tx, NULL, err);

    if (code == OX_OK && most != OX_UNLIMITED) {
        code = ox_campaign_count(tx, offer->campaign.id, &counts, err);
        offer->limited =
            code == OX_OK && counts.released.offered + counts.released.in_progress >= most;
    }
    if (code == OX_OK && !offer->limited && policy->starts_per_minute != OX_UNLIMITED) {
        code = ox_registry_campaign_offers_since(tx, offer->campaign.id,
                                                 ox_control_now(control) - 60000, &used, err);
        offer->limited = used >= policy->starts_per_minute;
    }
    if (code == OX_OK && !offer->limited && offer->needs_fallback) {
        code = ox_registry_campaign_fallbacks(tx, offer->campaign.id, &used, err);
        offer->limited = used >= ox_rollout_fallbacks(policy, offer->campaign.total);
    }
    return code == OX_OK && !offer->limited ? check_budgets(control, tx, offer, err) : code;
}

enum ox_code ox_offer_find(struct ox_control *control, struct ox_tx *tx,
                           const struct ox_device_row *device,
                           const struct ox_campaign_device_row *row,
                           const struct ox_device_model_row *models, size_t model_count,
                           struct ox_offer *out, struct ox_wanted *wanted, size_t *wanted_count,
                           struct ox_err *err)
{
    bool released = false;
    enum ox_code code;

    *out = (struct ox_offer){.row = *row};
    if ((code = ox_registry_campaign_get(tx, row->campaign_id, &out->campaign, err)) != OX_OK ||
        (code = is_released(tx, &out->campaign, row, &released, err)) != OX_OK || !released ||
        row->artifact_id == 0 ||
        (code = ox_registry_artifact_by_id(tx, row->artifact_id, &out->target, err)) != OX_OK ||
        (out->target.removed_ms != 0 && !row->removes) ||
        (code = ox_campaign_policy(&out->campaign, &out->policy, err)) != OX_OK) {
        return code;
    }
    if (row->removes && !can_remove(device)) {
        return OX_OK;
    }
    out->released = true;
    for (size_t i = 0; i < model_count; i++) {
        if (strcmp(models[i].model_id, out->campaign.model_id) == 0) {
            out->base = &models[i];
        }
    }
    code = row->removes ? OX_OK : choose(control, tx, device, out, wanted, wanted_count, err);
    out->shut = ox_window_shut(control, &out->policy, device);
    if (code == OX_OK && !out->waits && !out->shut && row->offered_ms == 0) {
        code = check_limits(control, tx, out, err);
    }
    out->told = row->offered_ms != 0 || strcmp(row->state, "pending") != 0;
    out->ready = !out->waits && (out->told || (!out->shut && !out->limited && !out->over_budget));
    return code;
}

/* --- telling it --- */

/* Tell it, or take back what it was told and has not begun before its window closed, so that it
 * stands in nobody's way until the next one. */
static enum ox_code make_offer(struct ox_control *control, struct ox_tx *tx, struct ox_offer *offer,
                               struct ox_err *err)
{
    if (offer->over_budget) {
        return ox_campaign_pause(control, tx, &offer->campaign, offer->why, err);
    }
    offer->row.offered_ms = offer->told ? 0 : ox_control_now(control);
    offer->row.offered_bytes = offer->told ? 0 : cost_of(offer);
    if (!offer->told) {
        offer->row.updated_ms = offer->row.offered_ms;
        offer->row.deferred = false;
        offer->row.fallback = offer->row.fallback || offer->needs_fallback;
    }
    return ox_registry_campaign_device_update(tx, &offer->row, err);
}

enum ox_code ox_offers_make(struct ox_control *control, struct ox_tx *tx,
                            const struct ox_device_row *device, bool dry, bool *changed,
                            struct ox_err *err)
{
    struct ox_wanted wanted[OX_HEARTBEAT_MODELS_MAX];
    struct ox_campaign_device_row *rows = NULL;
    struct ox_device_model_row *models = NULL;
    size_t wanted_count = 0;
    size_t row_count = 0;
    size_t model_count = 0;
    enum ox_code code;

    if (ox_holding(control) || device->conflict_ms != 0) { /* or nobody knows to whom it would go */
        return OX_OK;
    }
    if ((code = ox_registry_device_open(tx, device->id, &rows, &row_count, err)) != OX_OK ||
        (code = ox_registry_device_models(tx, device->id, &models, &model_count, err)) != OX_OK) {
        return code;
    }
    for (size_t i = 0; code == OX_OK && i < row_count; i++) {
        struct ox_offer offer;

        if (strcmp(rows[i].state, "pending") != 0) {
            continue;
        }
        code = ox_offer_find(control, tx, device, &rows[i], models, model_count, &offer, wanted,
                             &wanted_count, err);
        if (code != OX_OK || !offer.released ||
            (offer.told ? !offer.shut : !offer.ready && !offer.over_budget)) {
            continue;
        }
        *changed = true;
        if (!dry) {
            code = make_offer(control, tx, &offer, err);
        }
    }
    return code;
}

/* Does it run already what is still open, as far as is known? Most heartbeats leave out what is as
 * it was, and it may be in the middle of an update to something else: it is to say all. */
static bool is_in_doubt(const struct ox_offer *offer)
{
    return offer->row.removes ? offer->base == NULL
                              : offer->base != NULL && offer->base->has_digest &&
                                    ox_digest_equal(&offer->base->digest, &offer->target.digest);
}

static enum ox_code fill_patch(const struct ox_offer *offer, struct ox_assignment *out,
                               struct ox_err *err)
{
    enum ox_code code;

    out->base_present = true;
    out->base_digest = offer->base->digest;
    out->patch.present = true;
    out->patch.sha256 = offer->job.patch;
    out->patch.size_bytes = offer->job.patch_bytes;
    if ((code = ox_strdup(&out->base_version, offer->base->version, err)) != OX_OK ||
        (code = ox_strdup(&out->patch.format, offer->job.format, err)) != OX_OK) {
        return code;
    }
    return ox_strdup(&out->patch.strategy, offer->job.strategy, err);
}

static enum ox_code fill(struct ox_control *control, struct ox_tx *tx, const struct ox_offer *offer,
                         struct ox_assignment *out, struct ox_err *err)
{
    const struct ox_policy *policy = &offer->policy;
    bool revert = strcmp(offer->campaign.kind, "revert") == 0;
    enum ox_code code;

    out->digest = offer->target.digest;
    out->urgent = revert;
    out->patch_only = policy->fallback != OX_FALLBACK_ALWAYS && !offer->row.fallback;
    out->rate_bps = policy->rate_bps == 0 ? 0 : policy->rate_bps / in_flight_max(policy);
    out->windows_count = policy->windows_count;
    memcpy(out->windows, policy->windows, policy->windows_count * sizeof(out->windows[0]));
    out->remove = offer->row.removes;
    if ((code = ox_strdup(&out->campaign_id, offer->campaign.id, err)) != OX_OK ||
        (code = ox_strdup(&out->model_id, offer->target.model_id, err)) != OX_OK ||
        (code = ox_strdup(&out->version, offer->target.version, err)) != OX_OK || out->remove ||
        (code = ox_registry_artifact_files(tx, offer->target.id, &out->files, err)) != OX_OK) {
        return code;
    }
    for (size_t i = 0; code == OX_OK && i < control->blob_urls_count; i++) {
        code = ox_strdup(&out->blob_urls[i], control->blob_urls[i], err);
        out->blob_urls_count += code == OX_OK;
    }
    if (code == OX_OK && offer->chain.count > 0) {
        return ox_chain_fill(control, tx, offer, out, err);
    }
    if (code == OX_OK && offer->has_patch) {
        ox_patch_cache_used(control, offer->job.id);
        code = fill_patch(offer, out, err);
    }
    return code;
}

/* The pair that the first generation knows: what is open or, if nothing is, what was completed
 * last, so that a device that was set up anew gets its model back. */
static enum ox_code set_pair(struct ox_heartbeat_answer *answer, const char *model_id,
                             const char *version, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (answer->assigned_model == NULL &&
        (code = ox_strdup(&answer->assigned_model, model_id, err)) == OX_OK) {
        code = ox_strdup(&answer->assigned_version, version, err);
    }
    return code;
}

enum ox_code ox_assign(struct ox_control *control, struct ox_tx *tx,
                       const struct ox_device_row *device, bool whole,
                       struct ox_heartbeat_answer *answer, struct ox_wanted *wanted,
                       size_t *wanted_count, struct ox_err *err)
{
    struct ox_campaign_device_row *rows = NULL;
    struct ox_device_model_row *models = NULL;
    struct ox_campaign_row completed;
    size_t row_count = 0;
    size_t model_count = 0;
    enum ox_code code;

    *wanted_count = 0;
    if (device->conflict_ms != 0) {
        answer->assignments_present = whole && device->protocol > 0;
        return OX_OK;
    }
    if ((code = ox_registry_device_open(tx, device->id, &rows, &row_count, err)) != OX_OK ||
        (code = ox_registry_device_models(tx, device->id, &models, &model_count, err)) != OX_OK) {
        return code;
    }
    if (ox_holding(control)) {
        row_count = 0;
    }
    if (row_count > OX_HEARTBEAT_MODELS_MAX) { /* the rest comes when these have ended */
        row_count = OX_HEARTBEAT_MODELS_MAX;
    }
    answer->assignments_present = whole && device->protocol > 0;
    answer->assignments = calloc(row_count + 1, sizeof(*answer->assignments));
    if (answer->assignments == NULL) {
        return ox_err_nomem(err, "assignments");
    }
    for (size_t i = 0; code == OX_OK && i < row_count; i++) {
        struct ox_offer offer;

        code = ox_offer_find(control, tx, device, &rows[i], models, model_count, &offer, wanted,
                             wanted_count, err);
        if (code != OX_OK || !offer.released || (whole && (!offer.ready || !offer.told))) {
            continue;
        }
        if (!rows[i].removes) { /* a pair is what it is to run */
            code = set_pair(answer, offer.target.model_id, offer.target.version, err);
        }
        answer->resend = answer->resend || is_in_doubt(&offer);
        if (code == OX_OK && answer->assignments_present) {
            code =
                fill(control, tx, &offer, &answer->assignments[answer->assignments_count++], err);
        }
    }
    if (code == OX_OK && answer->assigned_model == NULL && !ox_holding(control)) {
        code = ox_registry_device_completed(tx, device->id, &completed, err);
        if (code == OX_OK) {
            code = set_pair(answer, completed.model_id, completed.version, err);
        } else if (code == OX_ENOTFOUND) {
            ox_err_clear(err);
            code = OX_OK;
        }
    }
    return code;
}

#include "inner.h"

#include <stdlib.h>
#include <string.h>

const char *ox_assign_format(uint64_t protocol, const char *reads_text, uint64_t *ops)
{
    struct ox_reads reads = {false, false, 0};

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

size_t ox_campaign_released(const struct ox_campaign_row *campaign, size_t total)
{
    enum ox_strategy strategy = OX_STRATEGY_ALL_AT_ONCE;

    (void)(ox_strategy_parse(campaign->strategy, &strategy, NULL) == OX_OK); /* CHECKed in SQL */
    return ox_rollout_released(strategy, (unsigned)campaign->stage, total);
}

/* Is the device to run this now? What it has begun goes on whatever the campaign's state. */
static enum ox_code is_released(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                const struct ox_campaign_device_row *row, bool *out,
                                struct ox_err *err)
{
    struct ox_campaign_counts counts;
    bool begun = strcmp(row->state, "pending") != 0;
    bool rolling = strcmp(campaign->state, "rolling_out") == 0;
    enum ox_code code = OX_OK;

    if (begun || !rolling || strcmp(campaign->strategy, "all_at_once") == 0) {
        *out = begun || rolling;
    } else {
        code = ox_registry_campaign_counts(tx, campaign->id, 0, &counts, err);
        if (code == OX_OK) {
            *out = row->place < ox_campaign_released(campaign, (size_t)counts.total);
        }
    }
    return code;
}

/* What stands between a device and its assignment. */
struct choice {
    bool wait; /* a patch is worth waiting for */
    const struct ox_device_model_row *base;
    struct ox_job_row job; /* ready, if has_patch */
    bool has_patch;
};

static enum ox_code choose(struct ox_control *control, struct ox_tx *tx,
                           const struct ox_device_row *device,
                           const struct ox_campaign_row *campaign,
                           const struct ox_device_model_row *base, struct choice *out,
                           struct ox_wanted *wanted, size_t *wanted_count, struct ox_err *err)
{
    struct ox_artifact_row artifact;
    uint64_t ops = 0;
    const char *format = ox_assign_format(device->protocol, device->reads, &ops);
    int64_t since_ms = campaign->created_ms;
    bool possible = false;
    enum ox_code code;

    *out = (struct choice){.wait = false};
    if (format == NULL || base == NULL || !base->has_digest ||
        ox_digest_equal(&base->digest, &campaign->digest)) {
        return OX_OK;
    }
    code = ox_registry_artifact_by_digest(tx, &base->digest, &artifact, err);
    if (code == OX_ENOTFOUND) { /* a base that we do not hold */
        ox_err_clear(err);
        return OX_OK;
    }
    if (code == OX_OK) {
        code = ox_job_possible(tx, &base->digest, &campaign->digest, format, &possible, err);
    }
    if (code != OX_OK || !possible) {
        return code;
    }
    code = ox_registry_job_get(tx, &base->digest, &campaign->digest, format, &out->job, err);
    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        if (*wanted_count < OX_HEARTBEAT_MODELS_MAX) {
            wanted[(*wanted_count)++] = (struct ox_wanted){base->digest, campaign->digest, format};
        }
        out->wait = control->delta_wait_s > 0;
        return OX_OK;
    }
    if (code != OX_OK) {
        return code;
    }
    if (strcmp(out->job.state, "ready") == 0) {
        out->has_patch = strcmp(format, "oxdl/1") == 0 || (out->job.ops & ~ops) == 0;
        out->base = base;
        return OX_OK;
    }
    if (out->job.queued_ms > since_ms) {
        since_ms = out->job.queued_ms;
    }
    out->wait = (strcmp(out->job.state, "queued") == 0 || strcmp(out->job.state, "running") == 0) &&
                ox_control_now(control) - since_ms < (int64_t)control->delta_wait_s * 1000;
    return OX_OK;
}

static enum ox_code fill_patch(const struct choice *choice, struct ox_assignment *out,
                               struct ox_err *err)
{
    enum ox_code code;

    out->base_present = true;
    out->base_digest = choice->base->digest;
    out->patch.present = true;
    out->patch.sha256 = choice->job.patch;
    out->patch.size_bytes = choice->job.patch_bytes;
    if ((code = ox_strdup(&out->base_version, choice->base->version, err)) != OX_OK ||
        (code = ox_strdup(&out->patch.format, choice->job.format, err)) != OX_OK) {
        return code;
    }
    return ox_strdup(&out->patch.strategy, choice->job.strategy, err);
}

static enum ox_code fill(struct ox_control *control, struct ox_tx *tx,
                         const struct ox_campaign_row *campaign, const struct choice *choice,
                         struct ox_assignment *out, struct ox_err *err)
{
    enum ox_code code;

    out->digest = campaign->digest;
    if ((code = ox_strdup(&out->campaign_id, campaign->id, err)) != OX_OK ||
        (code = ox_strdup(&out->model_id, campaign->model_id, err)) != OX_OK ||
        (code = ox_strdup(&out->version, campaign->version, err)) != OX_OK ||
        (code = ox_registry_artifact_files(tx, campaign->artifact_id, &out->files, err)) != OX_OK) {
        return code;
    }
    for (size_t i = 0; code == OX_OK && i < control->blob_urls_count; i++) {
        code = ox_strdup(&out->blob_urls[i], control->blob_urls[i], err);
        out->blob_urls_count += code == OX_OK;
    }
    return code == OX_OK && choice->has_patch ? fill_patch(choice, out, err) : code;
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

static enum ox_code add_open(struct ox_control *control, struct ox_tx *tx,
                             const struct ox_device_row *device,
                             const struct ox_campaign_device_row *row,
                             const struct ox_device_model_row *models, size_t model_count,
                             bool whole, struct ox_heartbeat_answer *answer,
                             struct ox_wanted *wanted, size_t *wanted_count, struct ox_err *err)
{
    const struct ox_device_model_row *base = NULL;
    struct ox_campaign_row campaign;
    struct choice choice = {.wait = false};
    bool released = false;
    enum ox_code code = ox_registry_campaign_get(tx, row->campaign_id, &campaign, err);

    if (code == OX_OK) {
        code = is_released(tx, &campaign, row, &released, err);
    }
    if (code != OX_OK || !released) {
        return code;
    }
    for (size_t i = 0; i < model_count; i++) {
        base = strcmp(models[i].model_id, campaign.model_id) == 0 ? &models[i] : base;
    }
    if (whole) {
        code = choose(control, tx, device, &campaign, base, &choice, wanted, wanted_count, err);
    }
    if (code != OX_OK || choice.wait) {
        return code;
    }
    code = set_pair(answer, campaign.model_id, campaign.version, err);
    if (code == OX_OK && whole && device->protocol > 0) {
        struct ox_assignment *assignment = &answer->assignments[answer->assignments_count++];

        code = fill(control, tx, &campaign, &choice, assignment, err);
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
    if ((code = ox_registry_device_open(tx, device->id, &rows, &row_count, err)) != OX_OK ||
        (code = ox_registry_device_models(tx, device->id, &models, &model_count, err)) != OX_OK) {
        return code;
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
        code = add_open(control, tx, device, &rows[i], models, model_count, whole, answer, wanted,
                        wanted_count, err);
    }
    if (code == OX_OK && answer->assigned_model == NULL) {
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

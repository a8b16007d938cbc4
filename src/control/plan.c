/* A campaign that is not made: what it would do, to whom, and for how many bytes. It is made in a
 * transaction that is not committed, so that what is told is what would be. */
#include "inner.h"

#include "oxide/wire/id.h"

#include <stdio.h>
#include <string.h>

/* What an update leaves free on a device's disk beside the model and its patch. */
#define MARGIN_BYTES ((uint64_t)16 << 20)

#define CENTURY_S ((uint64_t)100 * 366 * 86400)

/* Reasons to skip devices that are told, those of most devices; a pin's is any text. */
#define SKIPS_MAX 100

/* --- one group of devices: the same base, the same target, the same formats --- */

enum way { WAY_PATCH, WAY_FULL, WAY_NOT_KNOWN };

struct group {
    const struct ox_plan_row *row;
    const char *delta; /* a job's state, missing, chain; none: not possible */
    enum way way;
    uint64_t bytes; /* per device; of a patch that is not made, the full size stands in no sum */
    uint64_t between_bytes; /* of the versions in between that a chain rebuilds, about */
};

static enum ox_code look_at(struct ox_tx *tx, const struct ox_plan_row *row, struct group *out,
                            struct ox_wanted *missing, struct ox_err *err)
{
    uint64_t ops = 0;
    const char *format = row->held ? ox_assign_format(row->protocol, row->reads, &ops) : NULL;
    struct ox_job_row job;
    bool possible = false;
    enum ox_code code = OX_OK;

    *out = (struct group){row, "none", WAY_FULL, row->target_bytes, 0};
    missing->format = NULL;
    if (format != NULL) {
        code = ox_job_possible(tx, &row->base, &row->target, format, &possible, err);
    }
    if (code != OX_OK || !possible) {
        return code;
    }
    code = ox_registry_job_get(tx, &row->base, &row->target, format, &job, err);
    if (code == OX_ENOTFOUND || (code == OX_OK && strcmp(job.state, "evicted") == 0)) {
        ox_err_clear(err);
        *out = (struct group){row, "missing", WAY_NOT_KNOWN, 0, 0};
        *missing = (struct ox_wanted){row->base, row->target, format};
        return OX_OK;
    }
    if (code != OX_OK) {
        return code;
    }
    out->delta = strcmp(job.state, "ready") == 0      ? "ready"
                 : strcmp(job.state, "useless") == 0  ? "useless"
                 : strcmp(job.state, "canceled") == 0 ? "canceled"
                 : strcmp(job.state, "failed") == 0   ? "failed"
                                                      : "queued";
    if (strcmp(job.state, "ready") == 0 &&
        (strcmp(format, "oxdl/1") == 0 || (job.ops & ~ops) == 0)) {
        out->way = WAY_PATCH;
        out->bytes = job.patch_bytes;
    } else if (strcmp(out->delta, "queued") == 0) {
        out->way = WAY_NOT_KNOWN;
        out->bytes = 0;
    }
    return OX_OK;
}

/* Patches in a row may be fewer bytes than what there is else. */
static enum ox_code look_for_chain(struct ox_control *control, struct ox_tx *tx,
                                   const char *model_id, struct group *group, struct ox_err *err)
{
    const struct ox_plan_row *row = group->row;
    struct ox_chain chain = {.count = 0};
    enum ox_code code = OX_OK;

    if (row->held && row->protocol > 0 && group->way != WAY_NOT_KNOWN) {
        code = ox_chain_find(control, tx, model_id, &row->base, &row->target, row->reads,
                             group->bytes, &chain, err);
    }
    if (code == OX_OK && chain.count > 0) {
        group->delta = "chain";
        group->way = WAY_PATCH;
        group->bytes = chain.bytes;
        group->between_bytes = row->target_bytes;
    }
    return code;
}

static json_t *variant_json(const char *variant)
{
    return ox_json_of_str(variant[0] == '\0' ? NULL : variant);
}

static enum ox_code add_group(json_t *list, const struct group *group, struct ox_err *err)
{
    static const char *const ways[] = {
        [WAY_PATCH] = "patch", [WAY_FULL] = "full", [WAY_NOT_KNOWN] = NULL};
    const struct ox_plan_row *row = group->row;
    uint64_t all_bytes = group->bytes * row->devices;
    bool known = group->way != WAY_NOT_KNOWN;

    return ox_json_append(
        list,
        json_pack("{s:o, s:o, s:s, s:o, s:o, s:I, s:o, s:s, s:o, s:o}", "from_version",
                  ox_json_of_str(row->from_version), "from_digest",
                  row->has_base ? ox_json_of_digest(&row->base) : json_null(), "to_version",
                  row->to_version, "variant", variant_json(row->to_variant), "to_digest",
                  ox_json_of_digest(&row->target), "devices", (json_int_t)row->devices, "by",
                  ox_json_of_str(ways[group->way]), "delta", group->delta, "bytes_per_device",
                  known ? json_integer((json_int_t)group->bytes) : json_null(), "bytes",
                  known ? json_integer((json_int_t)all_bytes) : json_null()),
        err);
}

/* --- variants: what devices are to get, in the order of their groups --- */

static json_t *find_variant(json_t *list, const char *variant)
{
    const char *name = variant[0] == '\0' ? NULL : variant;
    json_t *found;
    size_t i;

    json_array_foreach(list, i, found)
    {
        const char *at = json_string_value(json_object_get(found, "variant"));

        if (at == name || (at != NULL && name != NULL && strcmp(at, name) == 0)) {
            return found;
        }
    }
    return NULL;
}

static enum ox_code add_number(json_t *object, const char *key, uint64_t more, struct ox_err *err)
{
    uint64_t number = (uint64_t)json_integer_value(json_object_get(object, key));

    return ox_json_set_u64(object, key, number + more, err);
}

static enum ox_code add_to_variants(json_t *list, const struct group *group, struct ox_err *err)
{
    const struct ox_plan_row *row = group->row;
    uint64_t not_known = group->way == WAY_NOT_KNOWN ? row->devices : 0;
    json_t *variant = find_variant(list, row->to_variant);
    enum ox_code code = OX_OK;

    if (variant == NULL) {
        code = ox_json_append(list,
                              json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "variant",
                                        variant_json(row->to_variant), "sha256",
                                        ox_json_of_digest(&row->target), "size_bytes",
                                        (json_int_t)row->target_bytes, "devices", (json_int_t)0,
                                        "bytes", (json_int_t)0, "bytes_full", (json_int_t)0,
                                        "devices_not_known", (json_int_t)0),
                              err);
        variant = json_array_get(list, json_array_size(list) - 1);
    }
    if (code == OX_OK && (code = add_number(variant, "devices", row->devices, err)) == OX_OK &&
        (code = add_number(variant, "bytes", group->bytes * row->devices, err)) == OX_OK &&
        (code = add_number(variant, "bytes_full", row->target_bytes * row->devices, err)) ==
            OX_OK) {
        code = add_number(variant, "devices_not_known", not_known, err);
    }
    return code;
}

/* --- those that are skipped --- */

static enum ox_code skips_json(struct ox_tx *tx, const char *campaign_id, json_t *list,
                               struct ox_err *err)
{
    struct ox_skip_row *rows = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_campaign_skips(tx, campaign_id, SKIPS_MAX, &rows, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_json_append(list,
                              json_pack("{s:o, s:I, s:s}", "why", ox_json_of_str(rows[i].why),
                                        "devices", (json_int_t)rows[i].devices, "device_id",
                                        rows[i].device_id),
                              err);
    }
    return code;
}

/* --- sums --- */

struct sums {
    uint64_t devices; /* to be updated */
    uint64_t in_conflict;
    uint64_t by_patch;
    uint64_t by_full;
    uint64_t not_known;
    uint64_t bytes; /* of the first two */
    uint64_t bytes_full;
    uint64_t most_bytes;
    uint64_t disk_bytes;
};

static void add_to_sums(const struct group *group, struct sums *sums)
{
    uint64_t devices = group->row->devices;
    uint64_t disk = group->row->target_bytes + MARGIN_BYTES +
                    (group->way == WAY_PATCH ? group->bytes : 0) + group->between_bytes;

    sums->devices += devices;
    sums->in_conflict += group->row->in_conflict;
    sums->by_patch += group->way == WAY_PATCH ? devices : 0;
    sums->by_full += group->way == WAY_FULL ? devices : 0;
    sums->not_known += group->way == WAY_NOT_KNOWN ? devices : 0;
    sums->bytes += group->bytes * devices;
    sums->bytes_full += group->row->target_bytes * devices;
    sums->most_bytes = group->bytes > sums->most_bytes ? group->bytes : sums->most_bytes;
    sums->disk_bytes = disk > sums->disk_bytes ? disk : sums->disk_bytes;
}

/* --- time --- */

/* From now + sum_s on: a stage takes stage_s in all, of which the last device takes one_s. Devices
 * begin while windows are open, and end whenever they do. */
static uint64_t within_windows_s(const struct ox_zones *zones, const struct ox_policy *policy,
                                 uint64_t sum_s, uint64_t stage_s, uint64_t one_s)
{
    uint64_t open_s = stage_s < one_s ? 0 : stage_s - one_s;

    if (stage_s == 0 || sum_s > CENTURY_S || open_s > CENTURY_S) { /* never, or in no time */
        return stage_s;
    }
    /* Another millisecond: the last one has to begin, too. */
    return (uint64_t)ox_zones_pass_ms(zones, policy, (int64_t)sum_s * 1000,
                                      (int64_t)open_s * 1000 + 1) /
               1000 +
           (stage_s - open_s);
}

/* Stages one after the other: a poll until the device asks, its download at the link's rate, a poll
 * until it has reported; devices beyond what may be in flight come after those. */
static uint64_t estimate_s(const struct ox_control *control, const struct ox_policy *policy,
                           const struct ox_zones *zones, uint64_t total, const struct sums *sums,
                           uint64_t link_bps)
{
    uint64_t last = ox_rollout_last_stage(policy, total);
    uint64_t mean_bytes = sums->devices == 0 ? 0 : sums->bytes / sums->devices;
    uint64_t transfer_s = link_bps == 0 ? 0 : (mean_bytes * 8 + link_bps - 1) / link_bps;
    uint64_t one_s = control->poll_interval_s * 2 + transfer_s;
    uint64_t before = 0;
    uint64_t sum_s = 0;

    for (uint64_t stage = 0; stage <= last; stage++) {
        uint64_t released = ox_rollout_released(policy, stage, total);
        uint64_t devices = released - before;
        uint64_t rounds = devices == 0 ? 0 : (devices - 1) / policy->in_flight + 1;
        uint64_t stage_s = rounds * one_s;
        uint64_t paced_s = policy->starts_per_minute == OX_UNLIMITED
                               ? 0
                               : devices * 60 / policy->starts_per_minute;
        uint64_t rate_s = policy->rate_bps == 0 ? 0 : devices * mean_bytes / policy->rate_bps;
        uint64_t wait_s = (uint64_t)policy->wait_ms / 1000;
        uint64_t soak_s = policy->gate.set ? (uint64_t)policy->gate.soak_ms / 1000 : 0;

        stage_s = stage_s < paced_s ? paced_s : stage_s;
        stage_s = stage_s < rate_s ? rate_s : stage_s;
        stage_s = within_windows_s(zones, policy, sum_s, stage_s, one_s);
        if (!policy->gate.set && stage < last) { /* by time alone */
            stage_s = wait_s;
        } else if (stage < last) {
            stage_s += soak_s;
            stage_s = stage_s < wait_s ? wait_s : stage_s;
        }
        sum_s += stage_s;
        before = released;
    }
    return sum_s;
}

static enum ox_code stages_json(const struct ox_policy *policy, uint64_t total, json_t **out,
                                struct ox_err *err)
{
    uint64_t last = ox_rollout_last_stage(policy, total);
    json_t *list = json_array();
    enum ox_code code = OX_OK;

    /* Thousands of batches are told by their first ones; the rest follows from the policy. */
    for (uint64_t stage = 0; code == OX_OK && stage <= last && stage < OX_STAGES_MAX; stage++) {
        uint64_t released = ox_rollout_released(policy, stage, total);
        uint64_t before = stage == 0 ? 0 : ox_rollout_released(policy, stage - 1, total);

        code = ox_json_append(list,
                              json_pack("{s:I, s:I, s:I}", "stage", (json_int_t)stage + 1,
                                        "devices", (json_int_t)(released - before), "released",
                                        (json_int_t)released),
                              err);
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    *out = list;
    return OX_OK;
}

/* --- words --- */

static enum ox_code say(json_t *list, struct ox_err *err, const char *fmt, ...) OX_PRINTF(3, 4);
static enum ox_code say(json_t *list, struct ox_err *err, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return ox_json_append(list, json_string(text), err);
}

#define U(number) ((unsigned long long)(number))

/* What would hold it, rule by rule. */
static enum ox_code rules_json(const struct ox_policy *policy, json_t *list, struct ox_err *err)
{
    static const char *const does[] = {[OX_HALT_PAUSE] = "pause it",
                                       [OX_HALT_ABORT] = "abort it",
                                       [OX_HALT_REVERT] = "abort it and send back its devices"};
    const struct ox_gate *gate = &policy->gate;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < policy->halt_count; i++) {
        const struct ox_halt_rule *rule = &policy->halt[i];
        const char *word = ox_failure_word(rule->failure);
        const char *by = word[0] == '\0' ? "" : " by ";

        if (rule->max_count != OX_UNLIMITED) {
            code = say(list, err, "more than %llu failures%s%s %s", U(rule->max_count), by, word,
                       does[policy->halt_action]);
        }
        if (code == OX_OK && rule->max_bp < OX_BP_ALL) {
            code =
                say(list, err, "more than %.4g %% failures%s%s of at least %llu devices %s",
                    rule->max_bp / 100.0, by, word, U(rule->min_sample), does[policy->halt_action]);
        }
    }
    if (code == OX_OK && gate->set && gate->failed_count != OX_UNLIMITED) {
        code = say(list, err, "more than %llu failures in the stages so far pause it",
                   U(gate->failed_count));
    }
    if (code == OX_OK && gate->set && gate->failed_bp < OX_BP_ALL) {
        code = say(list, err, "more than %.4g %% failures in the stages so far pause it",
                   gate->failed_bp / 100.0);
    }
    if (code == OX_OK && gate->set && gate->success_bp > 0) {
        code = say(list, err, "a stage opens once %.4g %% of those before succeeded",
                   gate->success_bp / 100.0);
    }
    if (code == OX_OK && gate->set && gate->approval) {
        code = say(list, err, "each stage after the first waits for approval");
    }
    if (code == OX_OK && policy->total_max_bytes != OX_UNLIMITED) {
        code = say(list, err, "%llu bytes fetched in all pause it", U(policy->total_max_bytes));
    }
    if (code == OX_OK && policy->device_max_bytes != OX_UNLIMITED) {
        code = say(list, err, "a device that would fetch more than %llu bytes pauses it",
                   U(policy->device_max_bytes));
    }
    if (code == OX_OK && policy->deadline_s > 0) {
        code = say(list, err, "%lld s after its creation it is aborted",
                   (long long)policy->deadline_s);
    }
    return code;
}

static enum ox_code warnings_json(const struct ox_policy *policy, const struct sums *sums,
                                  const struct ox_zones *zones, json_t *list, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (sums->not_known > 0) {
        code = say(list, err,
                   "the deltas of %llu devices are not made yet: their bytes are not known, and "
                   "\"prepare\": true makes them now",
                   U(sums->not_known));
    }
    if (code == OX_OK && sums->in_conflict > 0) {
        code =
            say(list, err,
                "%llu devices are in conflict, several installations speaking under one id: they "
                "are given nothing until 'oxide device split' or 'replace' decides",
                U(sums->in_conflict));
    }
    if (code == OX_OK && zones->not_known > 0) {
        code = say(list, err,
                   "%llu devices do not tell their local time: they are given their assignment at "
                   "once, and wait for their windows by themselves",
                   U(zones->not_known));
    }
    if (code == OX_OK && zones->too_late > 0) {
        code = say(list, err,
                   "for %llu devices no window opens before the campaign ends, %lld s after its "
                   "creation: they keep what they run",
                   U(zones->too_late), (long long)policy->deadline_s);
    }
    if (code == OX_OK && sums->most_bytes > policy->device_max_bytes) {
        code = say(list, err, "a device would fetch %llu bytes, over its budget of %llu",
                   U(sums->most_bytes), U(policy->device_max_bytes));
    }
    if (code == OX_OK && sums->bytes > policy->total_max_bytes) {
        code = say(list, err, "all would fetch %llu bytes, over the budget of %llu", U(sums->bytes),
                   U(policy->total_max_bytes));
    }
    return code;
}

/* --- the plan --- */

struct plan {
    json_t *bases;
    json_t *variants;
    json_t *skips;
    json_t *stages;
    json_t *halts;
    json_t *warnings;
    struct sums sums;
    struct ox_zones zones;
};

static void clear(struct plan *plan)
{
    json_decref(plan->bases);
    json_decref(plan->variants);
    json_decref(plan->skips);
    json_decref(plan->stages);
    json_decref(plan->halts);
    json_decref(plan->warnings);
}

static enum ox_code build(const struct ox_campaign_row *campaign,
                          const struct ox_campaign_counts *counts,
                          const struct ox_campaign_made *made, const struct ox_policy *policy,
                          struct plan *plan, uint64_t duration_s, json_t **out, struct ox_err *err)
{
    const struct sums *sums = &plan->sums;
    uint64_t patchable = sums->by_patch + sums->not_known;
    uint64_t known_devices = sums->by_patch + sums->by_full;
    json_t *policy_json = NULL;
    enum ox_code code = ox_policy_json(policy, &policy_json, err);

    if (code != OX_OK) {
        return code;
    }
    *out = json_pack(
        "{s:s, s:s, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:O, s:O, s:O, s:O, s:{s:I, s:I, s:I, "
        "s:I, s:I, s:I},"
        " s:f, s:I, s:I, s:o, s:O, s:O, s:O, s:o}",
        "model_id", campaign->model_id, "target_version", campaign->version, "fleet_id",
        ox_json_of_str(campaign->fleet_id), "devices", "total", (json_int_t)counts->total,
        "to_update", (json_int_t)counts->pending, "already", (json_int_t)counts->complete,
        "skipped", (json_int_t)counts->skipped, "by_full_file", (json_int_t)sums->by_full,
        "in_conflict", (json_int_t)sums->in_conflict, "skips", plan->skips, "stages", plan->stages,
        "variants", plan->variants, "bases", plan->bases, "bytes", "total", (json_int_t)sums->bytes,
        "per_device_max", (json_int_t)sums->most_bytes, "full", (json_int_t)sums->bytes_full,
        "saved", (json_int_t)(sums->not_known > 0 ? 0 : sums->bytes_full - sums->bytes),
        "devices_known", (json_int_t)known_devices, "devices_not_known",
        (json_int_t)sums->not_known, "delta_coverage",
        sums->devices == 0 ? 1.0 : (double)patchable / (double)sums->devices,
        "disk_bytes_per_device", (json_int_t)sums->disk_bytes, "duration_s", (json_int_t)duration_s,
        "windows", ox_zones_json(&plan->zones, policy), "superseded", made->superseded, "halts",
        plan->halts, "warnings", plan->warnings, "policy", policy_json);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

/* The campaign was made, and will not be kept. */
static enum ox_code describe(struct ox_control *control, struct ox_tx *tx,
                             const struct ox_campaign_made *made, uint64_t link_bps,
                             struct ox_wanted *missing, size_t *missing_count, json_t **out,
                             struct ox_err *err)
{
    struct plan plan = {.bases = json_array(),
                        .variants = json_array(),
                        .skips = json_array(),
                        .halts = json_array(),
                        .warnings = json_array()};
    struct ox_campaign_counts counts;
    struct ox_plan_row *rows = NULL;
    struct ox_campaign_row campaign;
    struct ox_policy policy;
    size_t count = 0;
    enum ox_code code;

    if ((code = ox_registry_campaign_get(tx, made->id, &campaign, err)) != OX_OK ||
        (code = ox_campaign_policy(&campaign, &policy, err)) != OX_OK ||
        (code = ox_campaign_count(tx, made->id, &counts, err)) != OX_OK ||
        (code = skips_json(tx, made->id, plan.skips, err)) != OX_OK ||
        (code = ox_registry_campaign_plan(tx, made->id, &rows, &count, err)) != OX_OK ||
        (code = ox_zones_find(control, tx, made->id, &policy, &plan.zones, err)) != OX_OK) {
        goto out;
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        struct ox_wanted wanted = {.format = NULL};
        struct group group;

        code = look_at(tx, &rows[i], &group, &wanted, err);
        if (code == OX_OK &&
            (code = look_for_chain(control, tx, campaign.model_id, &group, err)) == OX_OK) {
            add_to_sums(&group, &plan.sums);
            if ((code = add_group(plan.bases, &group, err)) == OX_OK) {
                code = add_to_variants(plan.variants, &group, err);
            }
        }
        if (code == OX_OK && wanted.format != NULL && *missing_count < OX_HEARTBEAT_MODELS_MAX) {
            missing[(*missing_count)++] = wanted;
        }
    }
    if (code == OX_OK &&
        (code = stages_json(&policy, campaign.staged, &plan.stages, err)) == OX_OK &&
        (code = rules_json(&policy, plan.halts, err)) == OX_OK &&
        (code = warnings_json(&policy, &plan.sums, &plan.zones, plan.warnings, err)) == OX_OK) {
        code =
            build(&campaign, &counts, made, &policy, &plan,
                  estimate_s(control, &policy, &plan.zones, campaign.staged, &plan.sums, link_bps),
                  out, err);
    }
out:
    clear(&plan);
    return code;
}

enum ox_code ox_control_campaign_plan(struct ox_control *control, const json_t *body, json_t **out,
                                      struct ox_err *err)
{
    struct ox_wanted missing[OX_HEARTBEAT_MODELS_MAX];
    struct ox_campaign_made made = {.total = 0};
    struct ox_campaign_spec spec = {.model_id = NULL};
    struct ox_tx tx = OX_TX_INIT;
    uint64_t link_bps = 0;
    size_t missing_count = 0;
    json_t *plan = NULL;
    bool prepare = false;
    enum ox_code code;

    if ((code = ox_campaign_spec_read(body, &spec, err)) == OX_OK &&
        (code = ox_json_opt_u64(body, "link_bps", &link_bps, err)) == OX_OK &&
        (code = ox_json_opt_bool(body, "prepare", &prepare, err)) == OX_OK &&
        (code = ox_campaign_refresh(control, &spec, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_campaign_make_in(control, &tx, &spec, true, &made, err)) == OX_OK) {
        code = describe(control, &tx, &made, link_bps, missing, &missing_count, &plan, err);
    }
    ox_registry_end(&tx); /* nothing of it happened */
    ox_campaign_made_clear(&made);
    ox_campaign_spec_clear(&spec);
    if (code == OX_OK && prepare) {
        code = ox_jobs_queue_wanted(control, missing, missing_count, err);
    }
    if (code != OX_OK) {
        json_decref(plan);
        return code;
    }
    *out = plan;
    return OX_OK;
}

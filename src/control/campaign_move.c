/* How campaigns move: what the rules of rollout say is read from the registry, decided, and
 * written. */
#include "inner.h"

#include <stdio.h>
#include <string.h>

/* Rows that one sweep looks at. */
#define SWEEP_ROWS 5000

/* --- what rollout wants to know --- */

enum ox_code ox_campaign_policy(const struct ox_campaign_row *campaign, struct ox_policy *out,
                                struct ox_err *err)
{
    json_t *json = NULL;
    enum ox_code code =
        ox_json_parse_object(campaign->policy, strlen(campaign->policy), &json, err);

    if (code == OX_OK) {
        code = ox_policy_parse(json, OX_STRATEGY_ALL_AT_ONCE, out, err);
    }
    json_decref(json);
    if (code != OX_OK) {
        ox_err_context(err, "policy of campaign %s", campaign->id);
    }
    return code;
}

static void count_failed(const struct ox_tally_row *row, struct ox_rollout_tally *tally)
{
    enum ox_failure failure = OX_FAILURE_OTHER;

    (void)(ox_failure_parse(row->class, &failure, NULL) == OX_OK);
    tally->failed[failure == OX_FAILURE_NONE ? OX_FAILURE_OTHER : failure] += row->devices;
}

static void count_released(const struct ox_tally_row *row, struct ox_rollout_tally *tally)
{
    enum ox_rollout_state state = OX_ROLLOUT_PENDING;

    (void)(ox_rollout_state_parse(row->state, &state, NULL) == OX_OK); /* CHECKed in SQL */
    switch (state) {
    case OX_ROLLOUT_PENDING:
        *(row->deferred ? &tally->deferred : &tally->waiting) += row->devices;
        tally->offered += row->offered && !row->deferred ? row->devices : 0;
        break;
    case OX_ROLLOUT_DOWNLOADING:
    case OX_ROLLOUT_APPLYING:
    case OX_ROLLOUT_VERIFYING:
        tally->in_progress += row->devices;
        break;
    case OX_ROLLOUT_COMPLETE:
        if (!row->offered) { /* it ran the version before: that proves nothing */
            break;
        }
        tally->complete += row->devices;
        if (row->class[0] != '\0' && !row->accepted) {
            tally->failed[OX_FAILURE_FALLBACK] += row->devices;
            tally->fell_back += row->devices;
        }
        break;
    case OX_ROLLOUT_FAILED:
        if (row->accepted) {
            tally->accepted += row->devices;
        } else {
            count_failed(row, tally);
        }
        break;
    case OX_ROLLOUT_SKIPPED:
        tally->skipped += row->devices;
        break;
    }
}

/* Devices by state, as the API counts them. */
static void count_state(const struct ox_tally_row *row, struct ox_campaign_counts *counts)
{
    enum ox_rollout_state state = OX_ROLLOUT_PENDING;

    (void)(ox_rollout_state_parse(row->state, &state, NULL) == OX_OK);
    counts->total += row->devices;
    counts->deferred += row->deferred ? row->devices : 0;
    counts->released_devices += row->released ? row->devices : 0;
    switch (state) {
    case OX_ROLLOUT_PENDING:
        counts->pending += row->devices;
        counts->unreleased += row->released ? 0 : row->devices;
        break;
    case OX_ROLLOUT_DOWNLOADING:
    case OX_ROLLOUT_APPLYING:
    case OX_ROLLOUT_VERIFYING:
        counts->in_progress += row->devices;
        break;
    case OX_ROLLOUT_COMPLETE:
        counts->complete += row->devices;
        break;
    case OX_ROLLOUT_FAILED:
        counts->failed += row->devices;
        break;
    case OX_ROLLOUT_SKIPPED:
        counts->skipped += row->devices;
        break;
    }
}

enum ox_code ox_campaign_count(struct ox_tx *tx, const char *campaign_id,
                               struct ox_campaign_counts *out, struct ox_err *err)
{
    struct ox_tally_row *rows = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_campaign_tally(tx, campaign_id, &rows, &count, err);

    *out = (struct ox_campaign_counts){.total = 0};
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        count_state(&rows[i], out);
        if (rows[i].released) {
            count_released(&rows[i], &out->released);
        }
    }
    return code;
}

enum ox_code ox_campaign_view(struct ox_control *control, struct ox_tx *tx,
                              const struct ox_campaign_row *campaign,
                              const struct ox_policy *policy, struct ox_rollout_view *out,
                              struct ox_err *err)
{
    struct ox_campaign_counts counts;
    enum ox_campaign_state state = OX_CAMPAIGN_PENDING;
    enum ox_code code;

    if ((code = ox_campaign_state_parse(campaign->state, &state, err)) != OX_OK ||
        (code = ox_served_find(control, tx, NULL, err)) != OX_OK ||
        (code = ox_campaign_count(tx, campaign->id, &counts, err)) != OX_OK) {
        return code;
    }
    *out = (struct ox_rollout_view){
        .policy = policy,
        .state = (enum ox_campaign_step)state,
        .created_ms = campaign->created_ms,
        .stage = campaign->stage,
        .stage_opened_ms = campaign->stage_opened_ms,
        .last_success_ms = campaign->last_success_ms,
        .approved_stage = campaign->approved_stage,
        .preparing = campaign->prepared_ms == 0,
        .total = counts.total,
        .unreleased = counts.unreleased,
        .bytes = campaign->bytes_served + campaign->unnamed_bytes +
                 ox_live_served(control, campaign->id, NULL),
        .tally = counts.released,
    };
    return OX_OK;
}

/* --- preparing --- */

/* It ends when the deltas are made; a policy that takes full files in their place waits no longer
 * than the server's bound. */
static enum ox_code is_prepared(struct ox_control *control, struct ox_tx *tx,
                                const struct ox_campaign_row *campaign,
                                const struct ox_policy *policy, bool *out,
                                struct ox_jobs_left *left, struct ox_err *err)
{
    int64_t waited_ms = ox_control_now(control) - campaign->created_ms;
    enum ox_code code = ox_jobs_outstanding(tx, campaign, left, err);

    if (code == OX_OK) {
        *out = left->to_make == 0 || (policy->late_delta == OX_LATE_FULL &&
                                      waited_ms >= (int64_t)control->delta_wait_s * 1000);
    }
    return code;
}

/* A delta that cannot be made would mean full files for all who wait for it: more than the policy
 * lets fall back. */
static bool lacks_deltas(const struct ox_campaign_row *campaign, const struct ox_policy *policy,
                         const struct ox_jobs_left *left, char reason[OX_ROLLOUT_REASON_MAX])
{
    if (left->failed_devices <= ox_rollout_fallbacks(policy, campaign->total)) {
        return false;
    }
    (void)snprintf(reason, OX_ROLLOUT_REASON_MAX,
                   "no delta could be made for %llu devices, more than may fall back to the full "
                   "file: %.90s",
                   (unsigned long long)left->failed_devices, left->why);
    return true;
}

/* --- moving --- */

enum ox_code ox_campaign_would_move(struct ox_control *control, struct ox_tx *tx,
                                    const struct ox_campaign_row *campaign, bool *out,
                                    struct ox_err *err)
{
    struct ox_rollout_decision decision;
    struct ox_rollout_view view;
    struct ox_jobs_left left;
    struct ox_policy policy;
    bool prepared = false;
    enum ox_code code = ox_campaign_policy(campaign, &policy, err);

    if (code == OX_OK && campaign->prepared_ms == 0) {
        code = is_prepared(control, tx, campaign, &policy, &prepared, &left, err);
    }
    if (code == OX_OK) {
        code = ox_campaign_view(control, tx, campaign, &policy, &view, err);
    }
    if (code == OX_OK) {
        ox_rollout_decide(&view, ox_control_now(control), &decision);
        *out = prepared || decision.verdict != OX_VERDICT_WAIT;
    }
    return code;
}

bool ox_campaign_step(struct ox_campaign_row *campaign, enum ox_campaign_event event,
                      int64_t now_ms)
{
    enum ox_campaign_state state = OX_CAMPAIGN_PENDING;
    enum ox_campaign_step next;

    if (ox_campaign_state_parse(campaign->state, &state, NULL) != OX_OK ||
        !ox_campaign_next((enum ox_campaign_step)state, event, &next)) {
        return false;
    }
    campaign->state = ox_campaign_state_word((enum ox_campaign_state)next);
    if (next == OX_STEP_CAMPAIGN_COMPLETE || next == OX_STEP_CAMPAIGN_ABORTED) {
        campaign->ended_ms = now_ms;
    }
    return true;
}

/* What it has brought is what its fleet is to run from now on; what it has sent back is so no
 * more. */
static enum ox_code set_desired(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                int64_t now_ms, struct ox_err *err)
{
    if (campaign->fleet_id == NULL) {
        return OX_OK;
    }
    return strcmp(campaign->kind, "revert") == 0
               ? ox_registry_desired_revert(tx, campaign, now_ms, err)
               : ox_registry_desired_put(tx, campaign->fleet_id, campaign->model_id, campaign->id,
                                         now_ms, err);
}

enum ox_code ox_campaign_release(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                 const struct ox_policy *policy, int64_t now_ms, struct ox_err *err)
{
    uint64_t released = 0;

    return ox_registry_campaign_release(
        tx, campaign->id, ox_rollout_released(policy, campaign->stage, campaign->staged), now_ms,
        &released, err);
}

static enum ox_code update_and_tell(struct ox_control *control, struct ox_tx *tx,
                                    const struct ox_campaign_row *campaign, const char *event,
                                    struct ox_err *err)
{
    enum ox_code code = ox_registry_campaign_update(tx, campaign, err);

    return code == OX_OK ? ox_event_campaign(control, tx, event, campaign, err) : code;
}

enum ox_code ox_campaign_end(struct ox_control *control, struct ox_tx *tx,
                             struct ox_campaign_row *campaign, const char *why,
                             struct ox_campaign_made *revert, struct ox_err *err)
{
    int64_t now = ox_control_now(control);
    enum ox_code code;

    (void)ox_campaign_step(campaign, OX_EVENT_ABORT, now);
    campaign->reason = why;
    /* The revert first: it takes those that were told, who may have begun since. */
    if ((code = update_and_tell(control, tx, campaign, "campaign.aborted", err)) != OX_OK ||
        (revert != NULL &&
         (code = ox_campaign_revert(control, tx, campaign, revert, err)) != OX_OK)) {
        return code;
    }
    return ox_registry_campaign_withdraw(tx, campaign->id, "the campaign was aborted", now, err);
}

enum ox_code ox_campaign_pause(struct ox_control *control, struct ox_tx *tx,
                               struct ox_campaign_row *campaign, const char *why,
                               struct ox_err *err)
{
    if (!ox_campaign_step(campaign, OX_EVENT_PAUSE, ox_control_now(control))) {
        return OX_OK;
    }
    campaign->reason = why;
    ox_log(control->log, OX_LOG_WARN, "campaign %s paused: %s", campaign->id, why);
    return update_and_tell(control, tx, campaign, "campaign.paused", err);
}

/* Do what was decided, and write it. */
static enum ox_code carry_out(struct ox_control *control, struct ox_tx *tx,
                              struct ox_campaign_row *campaign, const struct ox_policy *policy,
                              const struct ox_rollout_decision *decision, struct ox_err *err)
{
    struct ox_campaign_made revert = {.total = 0};
    int64_t now = ox_control_now(control);
    const char *event = NULL;
    enum ox_code code = OX_OK;

    switch (decision->verdict) {
    case OX_VERDICT_WAIT:
        break;
    case OX_VERDICT_OPEN:
        campaign->stage++;
        campaign->stage_opened_ms = now;
        event = "campaign.stage_opened";
        code = ox_campaign_release(tx, campaign, policy, now, err);
        break;
    case OX_VERDICT_PAUSE:
        return ox_campaign_pause(control, tx, campaign, decision->reason, err);
    case OX_VERDICT_ABORT:
    case OX_VERDICT_REVERT:
        ox_log(control->log, OX_LOG_WARN, "campaign %s aborted: %s", campaign->id,
               decision->reason);
        code = ox_campaign_end(control, tx, campaign, decision->reason,
                               decision->verdict == OX_VERDICT_REVERT ? &revert : NULL, err);
        ox_campaign_made_clear(&revert);
        return code;
    case OX_VERDICT_COMPLETE:
        (void)ox_campaign_step(campaign, OX_EVENT_ENDED, now);
        campaign->reason = NULL;
        ox_log(control->log, OX_LOG_INFO, "campaign %s is complete", campaign->id);
        event = "campaign.completed";
        code = set_desired(tx, campaign, now, err);
        break;
    }
    return code == OX_OK && event != NULL ? update_and_tell(control, tx, campaign, event, err)
                                          : code;
}

/* A campaign that is complete goes on for who comes late, under the same rules. */
static enum ox_code watch_late(struct ox_control *control, struct ox_tx *tx,
                               const struct ox_campaign_row *campaign,
                               const struct ox_rollout_view *view, struct ox_err *err)
{
    char reason[OX_ROLLOUT_REASON_MAX];
    bool desired = false;
    enum ox_code code = OX_OK;

    if (strcmp(campaign->state, "complete") == 0 &&
        ox_rollout_halts(view->policy, &view->tally, reason)) {
        code = ox_registry_desired_is(tx, campaign->id, &desired, err);
        if (code == OX_OK && desired) {
            ox_log(control->log, OX_LOG_WARN, "campaign %s: no more devices are sent there: %s",
                   campaign->id, reason);
            code = ox_registry_desired_halt(tx, campaign->id, reason, err);
        }
        if (code == OX_OK && desired) {
            code = ox_event(control, tx, "campaign.halted",
                            json_pack("{s:s, s:s, s:s, s:s}", "campaign_id", campaign->id,
                                      "model_id", campaign->model_id, "version", campaign->version,
                                      "reason", reason),
                            err);
        }
    }
    return code;
}

enum ox_code ox_campaign_advance(struct ox_control *control, struct ox_tx *tx,
                                 const char *campaign_id, bool succeeded, struct ox_err *err)
{
    struct ox_rollout_decision decision;
    struct ox_rollout_view view;
    struct ox_campaign_row campaign;
    struct ox_policy policy;
    int64_t now = ox_control_now(control);
    struct ox_jobs_left left = {.to_make = 0};
    bool prepared = false;
    enum ox_code code;

    if (ox_holding(control)) {
        return OX_OK;
    }
    if ((code = ox_registry_campaign_get(tx, campaign_id, &campaign, err)) != OX_OK ||
        (code = ox_campaign_policy(&campaign, &policy, err)) != OX_OK) {
        return code;
    }
    if (campaign.prepared_ms == 0 &&
        (code = is_prepared(control, tx, &campaign, &policy, &prepared, &left, err)) == OX_OK &&
        prepared) {
        campaign.prepared_ms = now;
        campaign.stage_opened_ms = now;
    }
    if (succeeded) {
        campaign.last_success_ms = now;
    }
    if (code == OX_OK) {
        code = ox_campaign_view(control, tx, &campaign, &policy, &view, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (prepared &&
        (code = ox_event_campaign(control, tx, "campaign.prepared", &campaign, err)) != OX_OK) {
        return code;
    }
    ox_rollout_decide(&view, now, &decision);
    if (prepared && decision.verdict == OX_VERDICT_WAIT &&
        lacks_deltas(&campaign, &policy, &left, decision.reason)) {
        decision.verdict = OX_VERDICT_PAUSE;
    }
    if (decision.verdict == OX_VERDICT_WAIT) {
        code = prepared || succeeded ? ox_registry_campaign_update(tx, &campaign, err) : OX_OK;
        return code == OX_OK ? watch_late(control, tx, &campaign, &view, err) : code;
    }
    return carry_out(control, tx, &campaign, &policy, &decision, err);
}

/* --- devices in them --- */

static bool speaks_against_version(enum ox_failure failure)
{
    return failure == OX_FAILURE_VERIFY || failure == OX_FAILURE_HEALTH;
}

static enum ox_code count_quarantine(struct ox_control *control, struct ox_tx *tx,
                                     const struct ox_campaign_device_row *row,
                                     enum ox_failure failure, struct ox_err *err)
{
    struct ox_artifact_row artifact;
    struct ox_device_row device;
    uint64_t failures = 0;
    enum ox_code code = ox_registry_device_get(tx, row->device_id, &device, err);

    if (code == OX_OK) {
        code = ox_registry_artifact_by_id(tx, row->artifact_id, &artifact, err);
    }
    if (code == OX_ENOTFOUND) { /* it goes: nothing is held against it */
        ox_err_clear(err);
        return OX_OK;
    }
    if (code == OX_OK) {
        const struct ox_quarantine_row quarantine = {
            .device_id = row->device_id,
            .digest = artifact.digest,
            .model_id = artifact.model_id,
            .version = artifact.version,
            .class = ox_failure_word(failure),
            .updated_ms = ox_control_now(control),
        };

        code = ox_registry_quarantine_count(tx, &quarantine, &failures, err);
    }
    if (code == OX_OK && failures == OX_QUARANTINE_FAILURES) {
        ox_log(control->log, OX_LOG_WARN,
               "device %s: %s@%s failed %d times: it is not given there any more", row->device_id,
               artifact.model_id, artifact.version, OX_QUARANTINE_FAILURES);
        code = ox_event(control, tx, "device.quarantined",
                        json_pack("{s:s, s:s, s:s, s:s}", "device_id", row->device_id, "model_id",
                                  artifact.model_id, "version", artifact.version, "class",
                                  ox_failure_word(failure)),
                        err);
    }
    return code;
}

enum ox_code ox_campaign_device_move(struct ox_control *control, struct ox_tx *tx,
                                     struct ox_campaign_device_row *row, enum ox_rollout_state to,
                                     enum ox_failure failure, const char *error, struct ox_err *err)
{
    const char *from = row->state;
    enum ox_code code;

    row->state = ox_rollout_state_word(to);
    row->class = ox_failure_word(failure);
    row->error = error;
    row->failed_at = to == OX_ROLLOUT_FAILED ? row->failed_at : NULL;
    row->deferred = false;
    row->released = true; /* it has begun: whatever its stage, it is counted */
    row->updated_ms = ox_control_now(control);
    code = ox_registry_campaign_device_update(tx, row, err);
    if (code == OX_OK && strcmp(from, row->state) != 0) {
        code = ox_event_moved(control, tx, row, from, err);
    }
    if (code == OX_OK && to == OX_ROLLOUT_FAILED && speaks_against_version(failure)) {
        code = count_quarantine(control, tx, row, failure, err);
    }
    return code == OX_OK
               ? ox_campaign_advance(control, tx, row->campaign_id, to == OX_ROLLOUT_COMPLETE, err)
               : code;
}

bool ox_campaign_device_may(const struct ox_campaign_device_row *row, enum ox_rollout_state to,
                            enum ox_failure failure)
{
    enum ox_rollout_state from = OX_ROLLOUT_SKIPPED;
    enum ox_failure why = OX_FAILURE_NONE;

    (void)(ox_failure_parse(row->class, &why, NULL) == OX_OK);
    return ox_rollout_state_parse(row->state, &from, NULL) == OX_OK &&
           ox_device_may_move((enum ox_device_step)from, why, (enum ox_device_step)to, failure);
}

enum ox_code ox_campaign_skip_device(struct ox_control *control, struct ox_tx *tx,
                                     const char *device_id, const char *why, struct ox_err *err)
{
    struct ox_campaign_device_row *rows = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_device_open(tx, device_id, &rows, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_campaign_device_move(control, tx, &rows[i], OX_ROLLOUT_SKIPPED, OX_FAILURE_NONE,
                                       why, err);
    }
    return code;
}

/* --- who is not heard of --- */

/* When it was heard last. While the server was down nobody could be. */
static int64_t heard_ms(struct ox_control *control, struct ox_tx *tx, const char *device_id)
{
    int64_t heard = ox_live_seen(control, device_id, NULL);
    struct ox_device_row device = {.last_heartbeat_ms = 0};

    if (heard == 0 && ox_registry_device_get(tx, device_id, &device, NULL) == OX_OK) {
        heard = device.last_heartbeat_ms;
    }
    return heard > control->opened_ms ? heard : control->opened_ms;
}

/* One state of a campaign's devices: `after_ms` of silence since the last move and the last word
 * have a consequence. */
static enum ox_code sweep_state(struct ox_control *control, struct ox_tx *tx,
                                const struct ox_campaign_row *campaign, enum ox_rollout_state state,
                                int64_t after_ms, bool dry, bool *changed, struct ox_err *err)
{
    struct ox_campaign_device_row *rows = NULL;
    size_t count = 0;
    int64_t poll_ms = (int64_t)control->poll_interval_s * 1000;
    int64_t silence_ms = after_ms > 3 * poll_ms ? after_ms : 3 * poll_ms;
    int64_t now = ox_control_now(control);
    enum ox_code code = ox_registry_campaign_stale(tx, campaign->id, ox_rollout_state_word(state),
                                                   now - after_ms, SWEEP_ROWS, &rows, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        int64_t heard = heard_ms(control, tx, rows[i].device_id);
        char error[96];

        if (now - heard < silence_ms) {
            continue;
        }
        *changed = true;
        if (dry) {
            break;
        }
        if (state == OX_ROLLOUT_PENDING) { /* it sleeps: it is told again when it wakes */
            rows[i].deferred = true;
            rows[i].offered_ms = 0;
            code = ox_registry_campaign_device_update(tx, &rows[i], err);
            continue;
        }
        (void)snprintf(error, sizeof(error), "silent: not heard of for %lld s while %s",
                       (long long)((now - heard) / 1000), rows[i].state);
        code = ox_campaign_device_move(control, tx, &rows[i], OX_ROLLOUT_FAILED, OX_FAILURE_SILENT,
                                       error, err);
    }
    return code;
}

enum ox_code ox_campaign_sweep(struct ox_control *control, struct ox_tx *tx,
                               const struct ox_campaign_row *campaign, bool dry, bool *changed,
                               struct ox_err *err)
{
    static const enum ox_rollout_state states[] = {OX_ROLLOUT_DOWNLOADING, OX_ROLLOUT_APPLYING,
                                                   OX_ROLLOUT_VERIFYING};
    struct ox_policy policy;
    enum ox_code code = ox_campaign_policy(campaign, &policy, err);

    for (size_t i = 0; code == OX_OK && !(dry && *changed) && i < 3; i++) {
        code =
            sweep_state(control, tx, campaign, states[i], policy.silence_ms[i], dry, changed, err);
    }
    return code == OX_OK && !(dry && *changed) && campaign->prepared_ms != 0
               ? sweep_state(control, tx, campaign, OX_ROLLOUT_PENDING,
                             (int64_t)control->poll_interval_s * 3000, dry, changed, err)
               : code;
}

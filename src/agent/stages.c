/*
 * The life of an update on one page.
 *
 * To add a stage: a row here in the order of time; its functions, which may run twice (a kill can
 * come at any instant of the first run), in preflight.c, rebuild.c or activate.c, declared in
 * update.h. Before a stage acts, its name is in the journal. A stage that fails is undone with
 * those before it, last first; an interruption undoes only what must not stay half done. An update
 * passes by the stages of a removal (remove.c), and a removal by those of an update.
 */
#include "consumer.h"
#include "oxide/base/background.h"
#include "oxide/base/buf.h"
#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "patches.h"
#include "policy.h"
#include "update.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct stage {
    const char *name;
    int still_s; /* so long it may stand still: then the watchdog is fed no more (status.h) */
    ox_stage_run *run;
    ox_stage_undo *undo;         /* NULL: nothing to undo */
    enum ox_rollout_state tells; /* the state that the server is told on entry */
    const char *error_word;      /* what a failure here is called in reports */
    bool resumable;              /* after a kill here, begin here; else before all of it */
    bool committing;             /* from here on only forwards or all the way back */
    bool removal;                /* of a model, in place of an update */
    bool background;             /* long: it gives way to the programs of the device */
} stages[] = {
    {"preflight", 600, ox_stage_preflight, NULL, OX_ROLLOUT_DOWNLOADING, "preflight", true, false,
     false, true},
    {"download", 900, ox_stage_download, ox_undo_download, OX_ROLLOUT_DOWNLOADING, "download",
     false, false, false, true},
    {"rebuild", 600, ox_stage_rebuild, ox_undo_rebuild, OX_ROLLOUT_APPLYING, "apply", false, false,
     false, true},
    {"verify", 600, ox_stage_verify, NULL, OX_ROLLOUT_VERIFYING, "verify", false, false, false,
     true},
    {"stage", 600, ox_stage_stage, ox_undo_stage, OX_ROLLOUT_VERIFYING, "stage", false, false,
     false, true},
    {"activate", 60, ox_stage_activate, ox_undo_activate, OX_ROLLOUT_VERIFYING, "activate", true,
     true, false, false},
    {"check", 60, ox_stage_check, NULL, OX_ROLLOUT_VERIFYING, "health", false, true, false, false},
    {"commit", 60, ox_stage_commit, NULL, OX_ROLLOUT_VERIFYING, "commit", false, true, false,
     false},
    {"remove", 60, ox_stage_remove, ox_undo_remove, OX_ROLLOUT_APPLYING, "remove", true, true, true,
     false},
    {"forget", 60, ox_stage_forget, NULL, OX_ROLLOUT_APPLYING, "remove", false, true, true, false},
};
#define PREPARE_STILL_MS 900000 /* hashing and copying what was brought by hand */
#define STAGES (sizeof(stages) / sizeof(stages[0]))

static size_t index_of(const char *name)
{
    size_t i = 0;

    while (i < STAGES && strcmp(stages[i].name, name) != 0) {
        i++;
    }
    return i;
}

bool ox_stage_is_known(const char *name)
{
    return index_of(name) < STAGES;
}

bool ox_stage_is_committing(const char *name)
{
    return ox_stage_is_known(name) && stages[index_of(name)].committing;
}

/* --- reports --- */

struct ox_device_report ox_update_describe(const struct ox_update *update,
                                           enum ox_rollout_state state)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    bool ended = state == OX_ROLLOUT_COMPLETE || state == OX_ROLLOUT_FAILED;
    const struct ox_way *way = &update->journal.way;
    const char *strategy = way->strategy; /* NULL: it did not come so far */
    struct ox_device_report report = {
        .campaign_id = assignment->campaign_id,
        .model_id = assignment->model_id,
        .version = assignment->version,
        .state = state,
        .strategy = !ended             ? NULL
                    : strategy != NULL ? (char *)strategy /* lent like the rest, only read */
                                       : (char *)"none",
        .stage = (char *)update->journal.stage,
        .bytes_received = ox_way_received(way),
        .bytes_full = ox_manifest_size(&assignment->files),
        .duration_ms = update->earlier_ms +
                       (uint64_t)(ox_clock_system()->mono_ms(NULL) - update->started_mono_ms),
        .stages_ms = update->journal.stages_ms,
    };

    memcpy(report.origins, way->received, sizeof(report.origins));
    if (update->by_hand) { /* what lay there was brought */
        report.origins[OX_ORIGIN_HAND] = report.origins[OX_ORIGIN_EARLIER];
        report.origins[OX_ORIGIN_EARLIER] = 0;
    }
    return report;
}

void ox_update_report(struct ox_update *update, enum ox_rollout_state state, const char *error_code,
                      const char *message)
{
    struct ox_device_report report = ox_update_describe(update, state);
    struct ox_agent *agent = update->agent;
    struct ox_err err = OX_ERR_INIT;

    report.error_code = (char *)error_code;
    report.error_message = (char *)message;
    (void)pthread_mutex_lock(&agent->lock);
    if (ox_state_report(&agent->state, &report, &err) == OX_OK) {
        ox_agent_save_or_log(agent);
    }
    (void)pthread_mutex_unlock(&agent->lock);
    ox_agent_wake(agent);
}

/* --- running --- */

/* The point of no return: from here a withdrawal comes too late. */
static enum ox_code pass_return(struct ox_update *update, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    (void)pthread_mutex_lock(&update->agent->lock);
    if (update->withdrawn) {
        code = ox_err_set(err, OX_ECANCELED, "withdrawn");
    } else {
        update->past_return = true;
    }
    (void)pthread_mutex_unlock(&update->agent->lock);
    return code;
}

/* Outside of the windows in which this device may switch to a version of the model? Then the update
 * ends here as if interrupted: what lies there ready is found when it is tried again. */
static enum ox_code may_switch(struct ox_update *update, struct ox_err *err)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    struct ox_tuning *tuning = ox_tuning_hold(&update->agent->tuning);
    const struct ox_agent_model_options *options = ox_tuning_model(tuning, assignment->model_id);

    update->deferred = !assignment->urgent &&
                       !ox_windows_open(options->activate_windows, options->activate_windows_count,
                                        ox_device_time_local_ms(&update->time, ox_clock_system()));
    ox_tuning_drop(&update->agent->tuning, tuning);
    if (update->deferred) {
        return ox_err_set(err, OX_ECANCELED, "waits for its window to be switched to");
    }
    update->deferred = ox_consumer_is_busy(&update->agent->tuning, assignment->model_id);
    return update->deferred ? ox_err_set(err, OX_ECANCELED, "waits for a program that is busy")
                            : OX_OK;
}

static enum ox_code enter(struct ox_update *update, size_t index, bool tell, struct ox_err *err)
{
    const struct stage *stage = &stages[index];
    enum ox_code code = OX_OK;

    if (ox_stop_requested(&update->stop)) {
        return ox_err_set(err, OX_ECANCELED, "stopped");
    }
    if (stage->committing && !ox_stage_is_committing(update->journal.stage) &&
        (code = may_switch(update, err)) != OX_OK) {
        return code;
    }
    if (stage->committing && (code = pass_return(update, err)) != OX_OK) {
        return code;
    }
    (void)snprintf(update->journal.stage, sizeof(update->journal.stage), "%s", stage->name);
    ox_status_stage(&update->agent->status, &update->journal.assignment, stage->name,
                    (int64_t)stage->still_s * 1000);
    code = ox_journal_save(&update->journal, update->agent->folders.journal, err);
    if (code == OX_OK && tell) {
        ox_update_report(update, stage->tells, NULL, NULL);
    }
    return code;
}

/* May the full files do what the patch could not? Once only: then there is no patch to blame. */
static bool falls_back(struct ox_update *update, size_t index, enum ox_code code,
                       const struct ox_err *err)
{
    const struct ox_assignment *assignment = &update->journal.assignment;

    if (!update->use_patch || assignment->patch_only || stages[index].committing ||
        !ox_policy_blames_patch(code)) {
        return false;
    }
    update->use_patch = false;
    (void)snprintf(update->journal.way.note, sizeof(update->journal.way.note), "%s", err->msg);
    ox_log(update->agent->log, OX_LOG_WARN,
           "%s@%s: the patch does not do (%s): fetching the full files", assignment->model_id,
           assignment->version, err->msg);
    return true;
}

static bool is_passed_by(const struct ox_update *update, size_t index)
{
    return stages[index].removal != update->journal.assignment.remove;
}

static void observe(const struct ox_update *update, size_t index, enum ox_stage_event event)
{
    if (update->observer.on_stage != NULL) {
        update->observer.on_stage(update->observer.ctx, stages[index].name, event);
    }
}

/* Undo what the stages up to this one did, last first: those that consumers see, or the others. */
static void undo(struct ox_update *update, size_t index, bool committing)
{
    for (size_t i = index + 1; i > 0; i--) {
        if (!is_passed_by(update, i - 1) && stages[i - 1].undo != NULL &&
            stages[i - 1].committing == committing) {
            stages[i - 1].undo(update);
            observe(update, i - 1, OX_STAGE_UNDONE);
        }
    }
}

struct stage_run {
    const struct stage *stage;
    struct ox_update *update;
};

static enum ox_code run_one(void *ctx, struct ox_err *err)
{
    struct stage_run *one = ctx;

    return one->stage->run(one->update, err);
}

static enum ox_code run_stage(struct ox_update *update, const struct stage *stage,
                              struct ox_err *err)
{
    struct stage_run one = {stage, update};
    int64_t began_mono_ms = ox_clock_system()->mono_ms(NULL);
    enum ox_code code =
        stage->background ? ox_background_run(run_one, &one, err) : run_one(&one, err);

    ox_journal_add_time(&update->journal, stage->name,
                        (uint64_t)(ox_clock_system()->mono_ms(NULL) - began_mono_ms));
    return code;
}

static enum ox_code run_stages(struct ox_update *update, size_t *at, struct ox_err *err)
{
    enum ox_code code = OX_OK;
    bool tell = true;

    for (size_t i = *at; code == OX_OK && i < STAGES; i++) {
        if (is_passed_by(update, i)) {
            continue;
        }
        *at = i;
        tell = i == 0 || stages[i].tells != stages[i - 1].tells;
        code = enter(update, i, tell, err);
        if (code == OX_OK) {
            observe(update, i, OX_STAGE_BEGUN);
            code = run_stage(update, &stages[i], err);
        }
        if (code == OX_OK) {
            observe(update, i, OX_STAGE_DONE);
        }
        if (code != OX_OK && falls_back(update, i, code, err)) {
            undo(update, i, false);
            code = OX_OK;
            i = SIZE_MAX; /* from the first stage */
        }
    }
    return code;
}

/* Did it fail by its patch, where the full files are not for it? The server may let it have them.
 */
static bool failed_by_patch(const struct ox_update *update, size_t index, enum ox_code code)
{
    const struct ox_assignment *assignment = &update->journal.assignment;

    return assignment->patch_only && ox_patches_count(assignment) > 0 &&
           !stages[index].committing && ox_policy_blames_patch(code);
}

/* What a command of the operator's printed behind what is to be reported, cut at its front to what
 * a report takes. NULL: no memory. */
static char *with_output(const char *why, const char *said)
{
    static const char between[] = "; it printed: ";
    size_t front = strlen(why) + strlen(between);
    size_t len = strlen(said);
    size_t room = front < OX_REPORT_TEXT_MAX ? OX_REPORT_TEXT_MAX - front : 0;
    char *text = NULL;

    return ox_strf(&text, NULL, "%s%s%s", why, len == 0 ? "" : between,
                   len > room ? said + len - room : said) == OX_OK
               ? text
               : NULL;
}

/* Write down how it failed: count it where it speaks against the version, and report it. */
static void record_failure(struct ox_update *update, size_t index, enum ox_code code,
                           const struct ox_err *why)
{
    bool by_patch = failed_by_patch(update, index, code);
    const char *word = by_patch ? "patch" : stages[index].error_word;
    const struct ox_assignment *assignment = &update->journal.assignment;
    struct ox_device_report report = ox_update_describe(update, OX_ROLLOUT_FAILED);
    struct ox_agent *agent = update->agent;
    struct ox_err err = OX_ERR_INIT;
    char *message = NULL;
    uint64_t failures;

    if (update->said != NULL && (message = with_output(why->msg, update->said)) == NULL) {
        ox_log(agent->log, OX_LOG_WARN, "out of memory for what a command printed");
    }
    report.error_code = (char *)(ox_policy_is_of_disk(code) ? "disk" : word);
    report.error_message = message != NULL ? message : (char *)why->msg;
    (void)pthread_mutex_lock(&agent->lock);
    if ((ox_policy_counts(code) && !by_patch &&
         ox_state_fail(&agent->state, assignment, NULL, &err) != OX_OK) ||
        ox_state_set_result(&agent->state, why->msg, &err) != OX_OK ||
        ox_state_report(&agent->state, &report, &err) != OX_OK) {
        ox_log(agent->log, OX_LOG_ERROR, "%s", err.msg);
    }
    agent->state.last_attempt = update->journal.attempt;
    ox_agent_save_or_log(agent);
    failures = ox_state_failures(&agent->state, assignment);
    (void)pthread_mutex_unlock(&agent->lock);
    free(message);
    ox_log(agent->log, OX_LOG_ERROR, "%s@%s failed: %s", assignment->model_id, assignment->version,
           why->msg);
    if (failures >= OX_POISON_LIMIT) {
        ox_log(agent->log, OX_LOG_ERROR, "%s@%s failed %d times: it is not tried again",
               assignment->model_id, assignment->version, OX_POISON_LIMIT);
    }
}

static bool is_withdrawn(struct ox_update *update)
{
    bool withdrawn;

    (void)pthread_mutex_lock(&update->agent->lock);
    withdrawn = update->withdrawn;
    (void)pthread_mutex_unlock(&update->agent->lock);
    return withdrawn;
}

/* Who had followed `current` just before the switch may not have opened all files yet. */
static void linger(struct ox_update *update)
{
    int64_t left_ms = update->switched_mono_ms + update->agent->options->linger_ms -
                      ox_clock_system()->mono_ms(NULL);

    if (update->frees && left_ms > 0) {
        ox_agent_wake(update->agent); /* the report need not wait */
        (void)ox_stop_wait(&update->stop, left_ms);
    }
}

void ox_update_done(struct ox_update *update, const char *word)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    struct ox_agent *agent = update->agent;
    struct ox_err err = OX_ERR_INIT;

    linger(update);
    if (ox_agent_settle(agent, assignment->model_id, NULL, &err) != OX_OK ||
        ox_folders_drop_built(&agent->folders, &err) != OX_OK ||
        ox_folder_clean(agent->folders.download, NULL, 0, &err) != OX_OK ||
        ox_journal_remove(agent->folders.journal, &err) != OX_OK) {
        ox_log(agent->log, OX_LOG_WARN, "%s", err.msg);
    }
    ox_log(agent->log, OX_LOG_INFO, "model %s: %s@%s", word, assignment->model_id,
           assignment->version);
    ox_agent_wake(agent);
}

/* It does not go on: leave nothing but what the state keeps; and, for a pause, what has arrived. */
static void tidy(struct ox_update *update, bool paused)
{
    struct ox_agent *agent = update->agent;
    struct ox_err err = OX_ERR_INIT;

    if (ox_agent_settle(agent, update->journal.assignment.model_id, NULL, &err) != OX_OK) {
        ox_log(agent->log, OX_LOG_WARN, "%s", err.msg);
    }
    if ((!paused && ox_folders_drop_built(&agent->folders, &err) != OX_OK) ||
        ox_journal_remove(agent->folders.journal, &err) != OX_OK) {
        ox_log(agent->log, OX_LOG_WARN, "%s", err.msg);
    }
}

/* It goes on another time: how long it took so far counts then, too. */
static void keep_times(const struct ox_update *update)
{
    struct ox_err err = OX_ERR_INIT;

    if (update->journal.stage[0] != '\0' &&
        ox_journal_save(&update->journal, update->agent->folders.journal, &err) != OX_OK) {
        ox_log(update->agent->log, OX_LOG_WARN, "%s", err.msg);
    }
}

static enum ox_code prepare(void *ctx, struct ox_err *err)
{
    struct ox_update *update = ctx;

    return ox_local_prepare(update->agent, &update->request, &update->stop, &update->journal, err);
}

enum ox_code ox_update_run_by_hand(struct ox_update *update, struct ox_err *err)
{
    const struct ox_local_request *request = &update->request;
    const struct ox_assignment asked = {
        .model_id = request->model_id != NULL ? request->model_id : (char *)"a patch",
        .version = request->version != NULL ? request->version : (char *)"by hand"};
    struct ox_agent *agent = update->agent;
    uint64_t attempt = update->journal.attempt;
    enum ox_code code;

    ox_status_stage(&agent->status, &asked, "prepare", PREPARE_STILL_MS);
    code = ox_background_run(prepare, update, err);
    update->journal.attempt = attempt;
    if (code == OX_OK) {
        return ox_update_run(update, err);
    }
    ox_status_idle(&agent->status);
    ox_undo_download(update);
    return code;
}

enum ox_code ox_update_run(struct ox_update *update, struct ox_err *err)
{
    struct ox_err own = OX_ERR_INIT;
    size_t at = index_of(update->journal.stage);
    bool withdrawn;
    enum ox_code code;

    err = err == NULL ? &own : err; /* it goes into the report */
    update->started_mono_ms = ox_clock_system()->mono_ms(NULL);
    update->earlier_ms = ox_journal_time_ms(&update->journal);
    at = at < STAGES ? at : 0;
    update->told = stages[at].committing;
    while (at > 0 && !stages[at].resumable) {
        at--;
    }
    code = run_stages(update, &at, err);
    ox_status_idle(&update->agent->status);
    if (code == OX_OK) {
        return OX_OK;
    }
    withdrawn = is_withdrawn(update);
    if (ox_policy_is_interruption(code)) {
        if (!update->deferred) { /* else the switch was not begun */
            undo(update, at, true);
        }
    } else { /* killed before it is written down, it is tried again: all of it must be there then */
        undo(update, at, true);
        record_failure(update, at, code, err);
        undo(update, at, false);
    }
    if (withdrawn || !ox_policy_is_interruption(code)) {
        tidy(update, withdrawn && ox_policy_is_interruption(code));
    } else {
        keep_times(update);
    }
    return code;
}

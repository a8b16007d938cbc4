/* The stages that others see: stage, activate, check, commit. And making and freeing an update. */
#include "boot.h"
#include "consumer.h"
#include "health.h"
#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "policy.h"
#include "update.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOAK_GAP_MIN_MS 1000
#define SOAK_GAP_MAX_MS 60000
#define REBOOTS_MAX 3
#define COMMAND_GRACE_MS 60000 /* in which a command that took too long is ended */

enum ox_code ox_update_new(struct ox_update **out, struct ox_agent *agent,
                           struct ox_journal *take_journal, struct ox_err *err)
{
    struct ox_update *update = calloc(1, sizeof(*update));
    json_t *stages_ms;
    uint64_t seed = 0;
    enum ox_code code;

    if (update == NULL) {
        return ox_err_nomem(err, "an update");
    }
    update->agent = agent;
    update->stop.fd = -1;
    if ((code = ox_stop_init(&update->stop, err)) != OX_OK ||
        (code = ox_random_bytes(&seed, sizeof(seed), err)) != OX_OK ||
        (code = ox_http_new(&update->http, agent->options->agent, err)) != OX_OK) {
        ox_update_free(update);
        return code;
    }
    ox_rng_init(&update->rng, seed);
    update->journal = *take_journal;
    *take_journal = (struct ox_journal){0};
    ox_journal_earlier(&update->journal.assignment, agent->folders.journal, &update->earlier,
                       &stages_ms);
    if (update->journal.stages_ms == NULL) { /* else it is that journal, and goes on */
        update->journal.stages_ms = stages_ms;
    } else {
        json_decref(stages_ms);
    }
    *out = update;
    return OX_OK;
}

void ox_update_drop_held(struct ox_update *update)
{
    for (size_t i = 0; i < update->held_count; i++) {
        ox_installed_clear(&update->held[i]);
    }
    update->held_count = 0;
    update->base = NULL;
}

void ox_update_free(struct ox_update *update)
{
    if (update == NULL) {
        return;
    }
    if (update->stop.fd >= 0) {
        ox_stop_clear(&update->stop);
    }
    ox_http_free(update->http);
    ox_journal_clear(&update->journal);
    ox_shelf_clear(&update->shelf);
    free(update->target_path);
    free(update->patch_path);
    free(update->said);
    ox_local_request_clear(&update->request);
    ox_update_drop_held(update);
    free(update);
}

void ox_update_withdraw(struct ox_update *update)
{
    (void)pthread_mutex_lock(&update->agent->lock);
    if (!update->past_return && !update->withdrawn) {
        update->withdrawn = true;
        ox_stop_request(&update->stop);
    }
    (void)pthread_mutex_unlock(&update->agent->lock);
}

enum ox_code ox_update_open_shelf(struct ox_update *update, struct ox_err *err)
{
    const char *model_id = update->journal.assignment.model_id;
    struct ox_agent *agent = update->agent;
    const struct ox_model_state *model;

    update->journal.layout = ox_agent_layout(agent, model_id);
    (void)pthread_mutex_lock(&agent->lock);
    model = ox_state_model(&agent->state, model_id);
    if (model != NULL) {
        update->journal.layout = model->layout;
    }
    (void)pthread_mutex_unlock(&agent->lock);
    ox_shelf_clear(&update->shelf);
    return ox_shelf_open(&update->shelf, &agent->folders, model_id, update->journal.layout, err);
}

/* Where things lie, also when a kill came between preflight and here. */
static enum ox_code find_paths(struct ox_update *update, struct ox_err *err)
{
    const struct ox_journal *journal = &update->journal;
    enum ox_code code = OX_OK;

    if (update->shelf.home == NULL) {
        code = ox_shelf_open(&update->shelf, &update->agent->folders, journal->assignment.model_id,
                             journal->layout, err);
    }
    if (code == OX_OK && update->target_path == NULL) {
        code = journal->folder == NULL
                   ? ox_err_set(err, OX_EINTERNAL, "the journal does not name the version's folder")
                   : ox_folders_version(update->shelf.home, journal->folder, &update->target_path,
                                        err);
    }
    return code;
}

/* --- stage --- */

enum ox_code ox_stage_stage(struct ox_update *update, struct ox_err *err)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    const char *staging = update->agent->folders.staging;
    struct ox_access access = {.has_group = false};
    enum ox_code code;

    if (update->ready) {
        return OX_OK;
    }
    if ((code = ox_agent_access(update->agent, assignment->model_id, &access, err)) != OX_OK ||
        (code = ox_folder_sync(staging, &assignment->files, &access, err)) != OX_OK ||
        (code = ox_remove_tree(update->target_path, err)) != OX_OK) { /* nobody's: see preflight */
        return code;
    }
    if (rename(staging, update->target_path) != 0) {
        return ox_err_sys(err, errno, "moving the new version to %s", update->target_path);
    }
    code = ox_parent_sync(update->target_path, err);
    return code != OX_OK ? code : ox_dir_sync(update->agent->folders.own, err);
}

/* Does the state keep this folder, as it does when an update goes back to the version before? */
static bool is_kept(struct ox_update *update)
{
    struct ox_agent *agent = update->agent;
    const char *folder = update->journal.folder;
    const struct ox_model_state *model;
    bool kept;

    (void)pthread_mutex_lock(&agent->lock);
    model = ox_state_model(&agent->state, update->journal.assignment.model_id);
    kept = ox_state_keeps(model, folder);
    (void)pthread_mutex_unlock(&agent->lock);
    return kept;
}

void ox_undo_stage(struct ox_update *update)
{
    struct ox_err err = OX_ERR_INIT;

    if (find_paths(update, &err) != OX_OK ||
        (!is_kept(update) && ox_remove_tree(update->target_path, &err) != OX_OK)) {
        ox_log(update->agent->log, OX_LOG_WARN, "%s", err.msg);
    }
}

/* --- activate --- */

/* The new version as consumers see it; the path is the caller's to free. */
static enum ox_code find_seen(const struct ox_update *update, char **path,
                              struct ox_seen_version *out, struct ox_err *err)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    enum ox_code code = ox_shelf_seen(&update->shelf, update->journal.folder, path, err);

    if (code == OX_OK) {
        *out = (struct ox_seen_version){assignment->model_id, assignment->version, *path,
                                        &assignment->files};
    }
    return code;
}

enum ox_code ox_stage_activate(struct ox_update *update, struct ox_err *err)
{
    const struct ox_shown version = {update->journal.folder, &update->journal.assignment.files};
    struct ox_seen_version next;
    enum ox_code code = find_paths(update, err);

    if (code == OX_OK && !ox_path_exists(update->target_path)) {
        code = ox_err_set(err, OX_ENOTFOUND, "%s is gone", update->target_path);
    }
    if (code == OX_OK) {
        next = (struct ox_seen_version){update->journal.assignment.model_id,
                                        update->journal.assignment.version, update->target_path,
                                        &update->journal.assignment.files};
        code = ox_consumer_before(update, &next, err);
    }
    if (code == OX_OK) {
        code = ox_shelf_activate(&update->shelf, &version, err);
        update->switched_mono_ms = ox_clock_system()->mono_ms(NULL);
    }
    return code;
}

/* Who was told of the new version is told of the one before. */
static void tell_back(struct ox_update *update)
{
    const struct ox_installed *before = &update->journal.before;
    struct ox_seen_version now = {.model_id = update->journal.assignment.model_id};
    struct ox_err err = OX_ERR_INIT;
    char *path = NULL;
    enum ox_code code = OX_OK;

    if (before->version != NULL &&
        (code = ox_shelf_seen(&update->shelf, before->folder, &path, &err)) == OX_OK) {
        now.version = before->version;
        now.path = path;
        now.files = &before->files;
    }
    if (code == OX_OK) {
        code = ox_consumer_tell(update, &now, true, &err);
    }
    if (code != OX_OK) {
        ox_log(update->agent->log, OX_LOG_WARN, "after going back: %s", err.msg);
    }
    free(path);
}

void ox_undo_activate(struct ox_update *update)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    const struct ox_installed *before = &update->journal.before;
    const struct ox_shown version = {before->folder, &before->files};
    struct ox_err err = OX_ERR_INIT;

    if (find_paths(update, &err) != OX_OK ||
        ox_shelf_restore(&update->shelf, before->version == NULL ? NULL : &version, &err) !=
            OX_OK) {
        ox_log(update->agent->log, OX_LOG_ERROR, "%s@%s: switching back: %s", assignment->model_id,
               assignment->version, err.msg);
        return;
    }
    if (before->version != NULL) {
        ox_log(update->agent->log, OX_LOG_WARN, "rolled back: %s@%s is active again",
               assignment->model_id, before->version);
    } else {
        ox_log(update->agent->log, OX_LOG_WARN, "rolled back: no version of %s is active",
               assignment->model_id);
    }
    if (update->told) {
        tell_back(update);
    }
}

/* --- check --- */

/* Everything that decides, once. */
static enum ox_code check_once(struct ox_update *update,
                               const struct ox_agent_model_options *options,
                               const struct ox_seen_version *now, int64_t *took_us,
                               struct ox_err *err)
{
    enum ox_code code;

    ox_status_wait(&update->agent->status, options->health_timeout_ms +
                                               options->consumer.probe_timeout_ms +
                                               COMMAND_GRACE_MS);
    free(update->said);
    update->said = NULL;
    code = ox_health_check(&(struct ox_health_spec){.command = options->health_check,
                                                    .timeout_ms = options->health_timeout_ms,
                                                    .model_id = now->model_id,
                                                    .version = now->version,
                                                    .path = now->path,
                                                    .files = now->files,
                                                    .digests_known = update->digests_known,
                                                    .stop = &update->stop,
                                                    .said = &update->said},
                           took_us, err);
    return code == OX_OK ? ox_consumer_probe(update, now, err) : code;
}

/* Asked again and again for a while: what fails only then goes back, too. */
static enum ox_code soak(struct ox_update *update, const struct ox_agent_model_options *options,
                         const struct ox_seen_version *now, struct ox_err *err)
{
    const struct ox_clock *clock = ox_clock_system();
    int64_t gap_ms = options->soak_ms / 10;
    int64_t until_mono_ms = clock->mono_ms(NULL) + options->soak_ms;
    int64_t took_us = 0;
    enum ox_code code = OX_OK;

    gap_ms = gap_ms < SOAK_GAP_MIN_MS   ? SOAK_GAP_MIN_MS
             : gap_ms > SOAK_GAP_MAX_MS ? SOAK_GAP_MAX_MS
                                        : gap_ms;
    while (code == OX_OK && clock->mono_ms(NULL) < until_mono_ms) {
        ox_status_wait(&update->agent->status, 2 * gap_ms);
        if (ox_stop_wait(&update->stop, gap_ms)) {
            return ox_err_set(err, OX_ECANCELED, "stopped while the new version proved itself");
        }
        code = check_once(update, options, now, &took_us, err);
    }
    return code;
}

/* A check that the machine does not outlive speaks against the version: a restart of the machine,
 * told by the boot's id, cuts it short. */
static enum ox_code count_reboots(struct ox_update *update, struct ox_err *err)
{
    struct ox_journal *journal = &update->journal;
    char boot[OX_BOOT_ID_MAX];

    ox_boot_id(boot);
    if (strcmp(journal->check_boot, boot) == 0) {
        return OX_OK;
    }
    journal->check_reboots += journal->check_boot[0] != '\0';
    (void)snprintf(journal->check_boot, sizeof(journal->check_boot), "%s", boot);
    if (journal->check_reboots >= REBOOTS_MAX) {
        return ox_err_set(err, OX_EFAILED, "the device restarted %d times during the check",
                          REBOOTS_MAX);
    }
    return ox_journal_save(journal, update->agent->folders.journal, err);
}

enum ox_code ox_stage_check(struct ox_update *update, struct ox_err *err)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    struct ox_tuning *tuning = ox_tuning_hold(&update->agent->tuning);
    const struct ox_agent_model_options *options = ox_tuning_model(tuning, assignment->model_id);
    struct ox_seen_version now = {.version = NULL};
    int64_t took_us = 0;
    char *path = NULL;
    enum ox_code code = count_reboots(update, err);

    if (code == OX_OK && (code = find_seen(update, &path, &now, err)) == OX_OK) {
        update->told = true;
        code = ox_consumer_tell(update, &now, false, err);
    }
    if (code == OX_OK && (code = check_once(update, options, &now, &took_us, err)) == OX_OK) {
        code = soak(update, options, &now, err);
    }
    free(path);
    ox_tuning_drop(&update->agent->tuning, tuning);
    if (code != OX_OK) {
        return code;
    }
    if (took_us < 10000) {
        ox_log(update->agent->log, OX_LOG_INFO, "%s@%s: health check passed in %" PRId64 " us",
               assignment->model_id, assignment->version, took_us);
    } else {
        ox_log(update->agent->log, OX_LOG_INFO, "%s@%s: health check passed in %" PRId64 " ms",
               assignment->model_id, assignment->version, took_us / 1000);
    }
    return OX_OK;
}

/* --- commit --- */

static size_t count_kept(const struct ox_model_state *model)
{
    return model == NULL ? 0 : 1 + model->kept_count;
}

/* One write of the state is the whole commit: version, result, report and end of the attempt. */
static enum ox_code commit_state(struct ox_update *update, struct ox_err *err)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    struct ox_device_report report = ox_update_describe(update, OX_ROLLOUT_COMPLETE);
    struct ox_installed installed = {.digest = assignment->digest};
    struct ox_agent *agent = update->agent;
    size_t keep = ox_agent_keep(agent, assignment->model_id);
    const struct ox_model_state *model;
    size_t there;
    enum ox_code code;

    if (update->journal.way.note[0] != '\0') {
        report.error_code = (char *)"patch";
        report.error_message = update->journal.way.note;
    }
    if ((code = ox_strdup(&installed.version, assignment->version, err)) != OX_OK ||
        (code = ox_strdup(&installed.folder, update->journal.folder, err)) != OX_OK ||
        (code = ox_manifest_copy(&installed.files, &assignment->files, err)) != OX_OK) {
        ox_installed_clear(&installed);
        return code;
    }
    (void)pthread_mutex_lock(&agent->lock);
    model = ox_state_model(&agent->state, assignment->model_id);
    there = count_kept(model) + !ox_state_keeps(model, installed.folder);
    if ((code = ox_state_commit(&agent->state, assignment->model_id, &installed, keep, err)) ==
            OX_OK &&
        (code = ox_state_set_result(&agent->state, NULL, err)) == OX_OK &&
        (code = ox_state_report(&agent->state, &report, err)) == OX_OK) {
        ox_state_set_layout(&agent->state, assignment->model_id, update->journal.layout);
        ox_state_unpoison(&agent->state, assignment);
        code = ox_agent_save_end(agent, update->journal.attempt, err);
    }
    if (code == OX_OK) {
        update->frees = there > count_kept(ox_state_model(&agent->state, assignment->model_id));
    } else { /* half a commit in memory is none */
        (void)ox_agent_reload(agent);
    }
    (void)pthread_mutex_unlock(&agent->lock);
    ox_installed_clear(&installed);
    return code;
}

enum ox_code ox_stage_commit(struct ox_update *update, struct ox_err *err)
{
    enum ox_code code = commit_state(update, err);

    if (code == OX_OK) {
        ox_update_done(update, "active");
    }
    return code;
}

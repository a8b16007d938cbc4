/* The stages of a removal: what an assignment takes away is the first version that the device had
 * of a model, where that is sent back. */
#include "oxide/base/clock.h"
#include "update.h"

#include <string.h>

/* Is it what the server thinks it is? It may not know what stood here before: what a device ran
 * before it is never lost by this. */
static enum ox_code check_target(struct ox_update *update, struct ox_err *err)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    struct ox_agent *agent = update->agent;
    const struct ox_model_state *model;
    enum ox_code code = OX_OK;

    (void)pthread_mutex_lock(&agent->lock);
    model = ox_state_model(&agent->state, assignment->model_id);
    if (model != NULL && !ox_digest_equal(&model->current.digest, &assignment->digest)) {
        code = ox_err_set(err, OX_ECONFLICT, "%s@%s is not removed: version %s is active",
                          assignment->model_id, assignment->version, model->current.version);
    } else if (model != NULL && ox_state_previous(model) != NULL) {
        code = ox_err_set(
            err, OX_ECONFLICT,
            "%s@%s is not removed: it is not the first version here, %s is kept: send "
            "that one",
            assignment->model_id, assignment->version, ox_state_previous(model)->version);
    } else if (model != NULL && model->replaced) {
        code = ox_err_set(err, OX_ECONFLICT,
                          "%s@%s is not removed: it is not the first version here, and the one "
                          "before is no longer kept: send a version",
                          assignment->model_id, assignment->version);
    }
    (void)pthread_mutex_unlock(&agent->lock);
    return code;
}

enum ox_code ox_stage_remove(struct ox_update *update, struct ox_err *err)
{
    enum ox_code code = check_target(update, err);

    if (code == OX_OK) {
        code = ox_update_open_shelf(update, err);
    }
    if (code == OX_OK) {
        code = ox_shelf_restore(&update->shelf, NULL, err);
        update->switched_mono_ms = ox_clock_system()->mono_ms(NULL);
    }
    return code;
}

/* The state keeps it until it is forgotten, so what the state has is active again. */
void ox_undo_remove(struct ox_update *update)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    struct ox_agent *agent = update->agent;
    struct ox_err err = OX_ERR_INIT;
    const struct ox_model_state *model;
    struct ox_installed current = {0};
    enum ox_code code = ox_update_open_shelf(update, &err);

    (void)pthread_mutex_lock(&agent->lock);
    model = ox_state_model(&agent->state, assignment->model_id);
    if (code == OX_OK && model != NULL) {
        code = ox_installed_copy(&current, &model->current, &err);
    }
    (void)pthread_mutex_unlock(&agent->lock);
    if (code == OX_OK && current.version != NULL) {
        const struct ox_shown version = {current.folder, &current.files};

        code = ox_shelf_restore(&update->shelf, &version, &err);
    }
    if (code != OX_OK) {
        ox_log(agent->log, OX_LOG_ERROR, "%s@%s: switching back: %s", assignment->model_id,
               assignment->version, err.msg);
    }
    ox_installed_clear(&current);
}

/* One write of the state is the whole removal: model, result, report and end of the attempt. */
static enum ox_code forget_state(struct ox_update *update, struct ox_err *err)
{
    struct ox_device_report report = ox_update_describe(update, OX_ROLLOUT_COMPLETE);
    struct ox_agent *agent = update->agent;
    enum ox_code code;

    (void)pthread_mutex_lock(&agent->lock);
    ox_state_forget(&agent->state, update->journal.assignment.model_id);
    if ((code = ox_state_set_result(&agent->state, NULL, err)) == OX_OK &&
        (code = ox_state_report(&agent->state, &report, err)) == OX_OK) {
        code = ox_agent_save_end(agent, update->journal.attempt, err);
    }
    if (code != OX_OK) { /* half a removal in memory is none */
        (void)ox_agent_reload(agent);
    }
    (void)pthread_mutex_unlock(&agent->lock);
    return code;
}

enum ox_code ox_stage_forget(struct ox_update *update, struct ox_err *err)
{
    enum ox_code code = forget_state(update, err);

    if (code == OX_OK) {
        update->frees = true;
        ox_update_done(update, "removed");
    }
    return code;
}

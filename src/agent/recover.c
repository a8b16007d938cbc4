#include "recover.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "update.h"

#include <stdlib.h>
#include <string.h>

static enum ox_code load_journal(struct ox_agent *agent, struct ox_journal *out, bool *there,
                                 struct ox_err *err)
{
    const char *path = agent->folders.journal;
    enum ox_code code = ox_journal_load(out, path, err);

    if (code == OX_OK && !ox_stage_is_known(out->stage)) {
        code =
            ox_err_set(err, OX_EUNSUPPORTED, "%s names the unknown stage \"%s\"", path, out->stage);
        ox_journal_clear(out);
    }
    *there = code == OX_OK;
    if (code == OX_ENOTFOUND) {
        return OX_OK;
    }
    if (code == OX_ECORRUPT || code == OX_EUNSUPPORTED) {
        char why[OX_ERR_MSG_MAX];

        memcpy(why, err->msg, sizeof(why));
        code = ox_set_aside(path, ox_clock_system()->wall_ms(NULL), why, agent->log, err);
    }
    return code;
}

/* A state that was lost in the middle of a switch may take the unchecked version for the one to
 * keep. The journal knows better. */
static enum ox_code correct_state(struct ox_agent *agent, const struct ox_journal *journal,
                                  struct ox_err *err)
{
    const char *model_id = journal->assignment.model_id;
    const struct ox_model_state *model = ox_state_model(&agent->state, model_id);
    struct ox_installed before = {0};
    enum ox_code code;

    if (model == NULL || journal->assignment.remove || /* that knows no other version */
        !ox_digest_equal(&model->current.digest, &journal->assignment.digest) ||
        (journal->before.folder != NULL &&
         strcmp(model->current.folder, journal->before.folder) == 0)) {
        return OX_OK;
    }
    ox_state_forget(&agent->state, model_id);
    if (journal->before.version == NULL) {
        return ox_agent_save(agent, err);
    }
    if ((code = ox_installed_copy(&before, &journal->before, err)) == OX_OK) {
        code = ox_state_commit(&agent->state, model_id, &before, 0, err);
    }
    ox_installed_clear(&before);
    return code != OX_OK ? code : ox_agent_save(agent, err);
}

/* One model of which something stands in the way is said, and keeps no other from going on. */
static enum ox_code settle(struct ox_agent *agent, const char *model_id, const char *also,
                           struct ox_err *err)
{
    struct ox_err why = OX_ERR_INIT;
    enum ox_code code = ox_agent_settle(agent, model_id, also, &why);

    if (code == OX_EPERM || code == OX_ECONFLICT) {
        ox_log(agent->log, OX_LOG_ERROR, "%s is left as it is: %s", model_id, why.msg);
        return OX_OK;
    }
    return code == OX_OK ? OX_OK : ox_err_set(err, code, "%s", why.msg);
}

/* Settle every model but the one of the journal (NULL: there is none). */
static enum ox_code settle_all(struct ox_agent *agent, const char *but, struct ox_err *err)
{
    char *ids[OX_HEARTBEAT_MODELS_MAX] = {NULL};
    size_t count = agent->state.models_count; /* settling may forget a model */
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_strdup(&ids[i], agent->state.models[i].model_id, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        if (but == NULL || strcmp(ids[i], but) != 0) {
            code = settle(agent, ids[i], NULL, err);
        }
    }
    for (size_t i = 0; i < count; i++) {
        free(ids[i]);
    }
    return code;
}

enum ox_code ox_agent_recover(struct ox_agent *agent, struct ox_journal *journal, bool *pending,
                              struct ox_err *err)
{
    struct ox_err scratch = OX_ERR_INIT;
    bool there = false;
    bool ended;
    enum ox_code code;

    err = err == NULL ? &scratch : err; /* we quote its message */
    *pending = false;
    if ((code = load_journal(agent, journal, &there, err)) != OX_OK) {
        return code;
    }
    ended = there && journal->attempt == agent->state.last_attempt;
    *pending = there && !ended && ox_stage_is_committing(journal->stage);
    if (*pending && (code = correct_state(agent, journal, err)) != OX_OK) {
        return code;
    }
    code = settle_all(agent, there ? journal->assignment.model_id : NULL, err);
    if (code == OX_OK && there && !*pending) { /* what is whole already need not come again */
        code = settle(agent, journal->assignment.model_id, ended ? NULL : journal->folder, err);
    }
    if (code == OX_OK && ended) {
        code = ox_journal_remove(agent->folders.journal, err);
    }
    if (code == OX_OK && (!there || ended)) { /* else the next try goes on with what there is */
        code = ox_folders_drop_built(&agent->folders, err);
    }
    if (code == OX_OK && (!there || ended)) {
        code = ox_folder_clean(agent->folders.download, NULL, 0, err);
    }
    return code;
}

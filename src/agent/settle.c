/* The folders of a model, made to agree with the state. */
#include "core.h"

#include "oxide/base/file.h"

#include <stdlib.h>
#include <unistd.h>

/* The folders that the state keeps of a model: what is current, and then the one before first. */
struct kept_folders {
    char *names[1 + OX_KEEP_MAX];
    size_t count; /* 0: the state does not know the model */
};

static void kept_clear(struct kept_folders *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        free(kept->names[i]);
    }
    *kept = (struct kept_folders){.count = 0};
}

/* Ask the state, and let it keep no more than was asked for. */
static enum ox_code kept_take(struct kept_folders *out, struct ox_agent *agent,
                              const char *model_id, struct ox_err *err)
{
    size_t keep = ox_agent_keep(agent, model_id);
    const struct ox_model_state *model;
    enum ox_code code = OX_OK;

    (void)pthread_mutex_lock(&agent->lock);
    if (ox_state_trim(&agent->state, model_id, keep)) {
        code = ox_agent_save(agent, err);
    }
    model = ox_state_model(&agent->state, model_id);
    for (size_t i = 0; code == OX_OK && model != NULL && i <= model->kept_count; i++) {
        const struct ox_installed *installed = i == 0 ? &model->current : &model->kept[i - 1];

        code = ox_strdup(&out->names[i], installed->folder, err);
        out->count += code == OX_OK;
    }
    (void)pthread_mutex_unlock(&agent->lock);
    return code;
}

static bool holds_version(const char *model_path, const char *folder)
{
    char *path = NULL;
    bool there =
        ox_folders_version(model_path, folder, &path, NULL) == OX_OK && ox_path_exists(path);

    free(path);
    return there;
}

static void forget(struct ox_agent *agent, const char *model_id, struct kept_folders *kept)
{
    ox_log(agent->log, OX_LOG_ERROR, "%s: the folder of version %s is gone: it is fetched again",
           model_id, kept->names[0]);
    (void)pthread_mutex_lock(&agent->lock);
    ox_state_forget(&agent->state, model_id);
    ox_agent_save_or_log(agent);
    (void)pthread_mutex_unlock(&agent->lock);
    kept_clear(kept);
}

/* The model is not ours, or no longer: leave no version and no empty folder. */
static void remove_empty(const char *model_path)
{
    char *versions = NULL;

    if (ox_path_join(&versions, model_path, "versions", NULL) == OX_OK &&
        rmdir(versions) == 0) { /* what others put there stays */
        (void)rmdir(model_path);
    }
    free(versions);
}

enum ox_code ox_agent_settle(struct ox_agent *agent, const char *model_id, const char *also,
                             struct ox_err *err)
{
    struct kept_folders kept = {.count = 0};
    char *path = NULL;
    enum ox_code code;

    if ((code = kept_take(&kept, agent, model_id, err)) != OX_OK ||
        (code = ox_folders_model(&agent->folders, model_id, false, &path, err)) != OX_OK) {
        goto out;
    }
    if (!ox_path_exists(path) && kept.count == 0) {
        goto out;
    }
    if (kept.count > 0 && !holds_version(path, kept.names[0])) {
        forget(agent, model_id, &kept);
    }
    if ((code = ox_folders_switch(path, "current", kept.names[0], err)) == OX_OK &&
        (code = ox_folders_switch(
             path, "previous",
             kept.count > 1 && holds_version(path, kept.names[1]) ? kept.names[1] : NULL, err)) ==
            OX_OK) {
        const char *keep[1 + OX_KEEP_MAX + 1] = {also};

        for (size_t i = 0; i < kept.count; i++) {
            keep[1 + i] = kept.names[i];
        }
        code = ox_folders_prune(path, keep, 1 + kept.count, err);
    }
    if (code == OX_OK && kept.count == 0) {
        remove_empty(path);
    }
out:
    kept_clear(&kept);
    free(path);
    return code;
}

/* What lies below MODEL_DIR and neither the state nor the journal needs. The agent removes it when
 * it starts, but for what others put there. */
#include "doctor.h"

#include "oxide/base/file.h"
#include "oxide/wire/id.h"
#include "update.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HINT_START "the agent removes it when it starts, as does 'oxide doctor agent --fix'"

/* What is done with an entry of a folder. */
typedef enum ox_code look_fn(struct ox_agent_doctor *doctor, const char *path, const char *name,
                             const void *ctx, struct ox_err *err);

static const char *below(const struct ox_agent_doctor *doctor, const char *path)
{
    return path + strlen(doctor->folders.root) + 1;
}

static enum ox_code each(struct ox_agent_doctor *doctor, const char *folder, look_fn *look,
                         const void *ctx, struct ox_err *err)
{
    const struct dirent *entry;
    enum ox_code code = OX_OK;
    DIR *dir = opendir(folder);

    if (dir == NULL && errno != ENOENT && errno != ENOTDIR) {
        char why[64];

        (void)strerror_r(errno, why, sizeof(why));
        ox_checkup_find(doctor->checkup, OX_SEVERITY_ERROR,
                        strcmp(folder, doctor->folders.root) == 0 ? folder : below(doctor, folder),
                        "look at owner and mode: the agent must be able to read it",
                        "it cannot be read: %s", why);
    }
    while (code == OX_OK && dir != NULL && (entry = readdir(dir)) != NULL) {
        char *path = NULL;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        code = ox_path_join(&path, folder, entry->d_name, err);
        if (code == OX_OK) {
            code = look(doctor, path, entry->d_name, ctx, err);
        }
        free(path);
        ox_checkup_looked(doctor->checkup, 1);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return code == OX_OK ? ox_checkup_state(doctor->checkup, err) : code;
}

/* Name it and, if asked to, remove it with all it holds. */
static void drop(struct ox_agent_doctor *doctor, const char *path, const char *what)
{
    struct ox_checkup *checkup = doctor->checkup;
    const struct ox_checkup mark = *checkup;
    struct ox_err why = OX_ERR_INIT;

    ox_checkup_find(checkup, OX_SEVERITY_NOTE, below(doctor, path), HINT_START, "%s", what);
    if (!checkup->fix) {
        return;
    }
    if (ox_remove_tree(path, &why) == OX_OK) {
        ox_checkup_mend(checkup, &mark);
    } else {
        ox_checkup_find(checkup, OX_SEVERITY_NOTE, below(doctor, path), NULL,
                        "it could not be removed: %s", why.msg);
    }
}

/* --- the agent's own folder --- */

static bool is_update_under_way(const struct ox_agent_doctor *doctor)
{
    return doctor->has_journal && !doctor->journal_ended;
}

static enum ox_code look_at_part(struct ox_agent_doctor *doctor, const char *path, const char *name,
                                 const void *ctx, struct ox_err *err)
{
    (void)name;
    (void)ctx;
    (void)err;
    drop(doctor, path, "a download that no update needs");
    return OX_OK;
}

static enum ox_code look_at_own(struct ox_agent_doctor *doctor, const char *path, const char *name,
                                const void *ctx, struct ox_err *err)
{
    (void)ctx;
    (void)err;
    if (strstr(name, ".json.bad-") != NULL) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_NOTE, below(doctor, path),
                        "keep it as long as you want to know why, then remove it",
                        "the agent could not read it, and set it aside");
    } else if (!doctor->checkup->in_use && ox_folders_is_temporary(name)) {
        drop(doctor, path, "a write that was cut short left it");
    }
    return OX_OK;
}

static enum ox_code examine_own(struct ox_agent_doctor *doctor, struct ox_err *err)
{
    const struct ox_folders *folders = &doctor->folders;
    enum ox_code code;

    if (!doctor->checkup->in_use && ox_path_exists(folders->staging)) {
        drop(doctor, folders->staging, "a version that was being put together");
    }
    if (!doctor->checkup->in_use && ox_path_exists(folders->between)) {
        drop(doctor, folders->between, "what a chain of patches was rebuilding");
    }
    if (!doctor->checkup->in_use && ox_path_exists(folders->fresh)) {
        drop(doctor, folders->fresh, "what was about to be seen");
    }
    if (!doctor->checkup->in_use && ox_path_exists(folders->gone)) {
        drop(doctor, folders->gone, "what is no longer to be seen");
    }
    code = each(doctor, folders->own, look_at_own, NULL, err);
    return code == OX_OK && !doctor->checkup->in_use && !is_update_under_way(doctor)
               ? each(doctor, folders->download, look_at_part, NULL, err)
               : code;
}

/* --- versions --- */

static enum ox_code look_at_version(struct ox_agent_doctor *doctor, const char *path,
                                    const char *name, const void *ctx, struct ox_err *err)
{
    const struct ox_model_state *model = ctx;

    (void)err;
    if (!ox_state_keeps(model, name)) {
        drop(doctor, path, "a version that is neither the current one nor kept beside it");
    }
    return OX_OK;
}

static enum ox_code examine_versions(struct ox_agent_doctor *doctor, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < doctor->state.models_count; i++) {
        const struct ox_model_state *model = &doctor->state.models[i];
        struct ox_shelf shelf = {.home = NULL};
        char *versions = NULL;

        if (ox_agent_doctor_updates(doctor, model->model_id)) {
            continue; /* what it brings lies there, too */
        }
        if ((code = ox_shelf_open(&shelf, &doctor->folders, model->model_id, model->layout, err)) ==
                OX_OK &&
            (code = ox_path_join(&versions, shelf.home, "versions", err)) == OX_OK) {
            code = each(doctor, versions, look_at_version, model, err);
        }
        free(versions);
        ox_shelf_clear(&shelf);
    }
    return code;
}

/* --- models --- */

static bool is_kept(const struct ox_agent_doctor *doctor, const char *name)
{
    char folder[OX_FOLDER_NAME_MAX];

    for (size_t i = 0; i < doctor->state.models_count; i++) {
        if (ox_folder_name(doctor->state.models[i].model_id, folder, NULL) == OX_OK &&
            strcmp(folder, name) == 0) {
            return true;
        }
    }
    return is_update_under_way(doctor) &&
           ox_folder_name(doctor->journal.assignment.model_id, folder, NULL) == OX_OK &&
           strcmp(folder, name) == 0;
}

/* A folder that looks like a model's, which the state does not know. Not ours to remove. */
static enum ox_code look_at_model(struct ox_agent_doctor *doctor, const char *path,
                                  const char *name, const void *ctx, struct ox_err *err)
{
    char *versions = NULL;
    enum ox_code code;

    (void)ctx;
    if (name[0] == '.' || is_kept(doctor, name)) {
        return OX_OK;
    }
    code = ox_path_join(&versions, path, "versions", err);
    if (code == OX_OK && ox_path_exists(versions)) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_WARNING, below(doctor, path),
                        "remove it if nothing uses it: the agent leaves it alone",
                        "a model that the state does not know");
    }
    free(versions);
    return code;
}

enum ox_code ox_agent_doctor_leftovers(struct ox_agent_doctor *doctor, struct ox_err *err)
{
    enum ox_code code = examine_own(doctor, err);

    if (code != OX_OK || !doctor->has_state) {
        return code; /* without a state everything may be needed */
    }
    if (!doctor->checkup->in_use) {
        code = examine_versions(doctor, err);
    }
    if (code == OX_OK) {
        code = each(doctor, doctor->folders.kept, look_at_model, NULL, err);
    }
    return code == OX_OK ? each(doctor, doctor->folders.root, look_at_model, NULL, err) : code;
}

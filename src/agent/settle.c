/* The folders of a model, made to agree with the state. */
#include "core.h"

#include "oxide/base/file.h"
#include "shelf.h"

#include <stdlib.h>

/* What the state keeps of a model. */
struct kept {
    enum ox_model_layout layout;
    char *folders[1 + OX_KEEP_MAX]; /* what is current, and then the one before first */
    size_t count;                   /* 0: the state does not know the model */
    struct ox_manifest files;       /* of what is current */
};

static void kept_clear(struct kept *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        free(kept->folders[i]);
    }
    ox_manifest_clear(&kept->files);
    *kept = (struct kept){.count = 0};
}

/* Ask the state, and let it keep no more than was asked for. */
static enum ox_code kept_take(struct kept *out, struct ox_agent *agent, const char *model_id,
                              struct ox_err *err)
{
    size_t keep = ox_agent_keep(agent, model_id);
    const struct ox_model_state *model;
    enum ox_code code = OX_OK;

    (void)pthread_mutex_lock(&agent->lock);
    if (ox_state_trim(&agent->state, model_id, keep)) {
        code = ox_agent_save(agent, err);
    }
    model = ox_state_model(&agent->state, model_id);
    if (code == OX_OK && model != NULL) {
        out->layout = model->layout;
        code = ox_manifest_copy(&out->files, &model->current.files, err);
    }
    for (size_t i = 0; code == OX_OK && model != NULL && i <= model->kept_count; i++) {
        const struct ox_installed *installed = i == 0 ? &model->current : &model->kept[i - 1];

        code = ox_strdup(&out->folders[i], installed->folder, err);
        out->count += code == OX_OK;
    }
    (void)pthread_mutex_unlock(&agent->lock);
    return code;
}

static bool holds_version(const struct ox_shelf *shelf, const char *folder)
{
    char *path = NULL;
    bool there =
        ox_folders_version(shelf->home, folder, &path, NULL) == OX_OK && ox_dir_is_real(path);

    free(path);
    return there;
}

static enum ox_code prune(const struct ox_shelf *shelf, const struct kept *kept, const char *also,
                          struct ox_err *err)
{
    const char *keep[1 + OX_KEEP_MAX + 1] = {also};

    for (size_t i = 0; i < kept->count; i++) {
        keep[1 + i] = kept->folders[i];
    }
    return ox_shelf_prune(shelf, keep, 1 + kept->count, err);
}

/* --- a model that the state does not know --- */

/* It is not ours, or no longer: leave no version, in whichever layout, and no empty folder. Where
 * something else stands in the place of a folder of ours, nothing of ours is behind it. */
static enum ox_code settle_unknown(struct ox_agent *agent, const char *model_id, const char *also,
                                   struct ox_err *err)
{
    const struct kept none = {.count = 0};
    enum ox_code code = OX_OK;

    for (int layout = OX_MODEL_LAYOUTS; code == OX_OK && layout > 0; layout--) {
        struct ox_shelf shelf = {.home = NULL};

        code = ox_shelf_open(&shelf, &agent->folders, model_id, (enum ox_model_layout)(layout - 1),
                             err);
        if (code == OX_OK && ox_shelf_check(&shelf, NULL) == OX_OK &&
            (code = ox_shelf_restore(&shelf, NULL, err)) == OX_OK &&
            (!ox_path_exists(shelf.home) ||
             ((code = ox_folders_switch(shelf.home, "previous", NULL, err)) == OX_OK &&
              (code = prune(&shelf, &none, also, err)) == OX_OK))) {
            code = ox_shelf_remove_empty(&shelf, err);
        }
        ox_shelf_clear(&shelf);
    }
    return code;
}

/* --- one that it knows --- */

static void forget(struct ox_agent *agent, const char *model_id, const char *folder)
{
    ox_log(agent->log, OX_LOG_ERROR, "%s: the folder of version %s is gone: it is fetched again",
           model_id, folder);
    (void)pthread_mutex_lock(&agent->lock);
    ox_state_forget(&agent->state, model_id);
    ox_agent_save_or_log(agent);
    (void)pthread_mutex_unlock(&agent->lock);
}

static enum ox_code enter_layout(const struct ox_shelf *from, const struct ox_shelf *to,
                                 const struct ox_shown *shown, struct ox_err *err)
{
    enum ox_code code = ox_shelf_hide(from, err);

    if (code == OX_OK && (code = ox_shelf_move_in(to, err)) == OX_OK) {
        code = ox_shelf_restore(to, shown, err);
    }
    return code;
}

/* Move to the layout that is asked for; where that cannot be had, stay. A kill in between leaves
 * the old layout in the state, and settling makes it anew before it tries again. */
static enum ox_code change_layout(struct ox_agent *agent, const char *model_id,
                                  struct ox_shelf *shelf, const struct ox_shown *shown,
                                  struct ox_err *err)
{
    enum ox_model_layout wanted = ox_agent_layout(agent, model_id);
    struct ox_err why = OX_ERR_INIT;
    struct ox_shelf to = {.home = NULL};
    enum ox_code code;

    if (wanted == shelf->layout) {
        return OX_OK;
    }
    if ((code = ox_shelf_open(&to, &agent->folders, model_id, wanted, err)) != OX_OK) {
        return code;
    }
    if (ox_shelf_may_move_in(&to, &why) != OX_OK) {
        ox_log(agent->log, OX_LOG_ERROR, "%s: the layout stays %s: %s", model_id,
               ox_shelf_word(shelf->layout), why.msg);
    } else if (enter_layout(shelf, &to, shown, &why) == OX_OK) {
        struct ox_shelf before = *shelf;

        *shelf = to;
        to = before;
        (void)pthread_mutex_lock(&agent->lock);
        ox_state_set_layout(&agent->state, model_id, wanted);
        code = ox_agent_save(agent, err);
        (void)pthread_mutex_unlock(&agent->lock);
        ox_log(agent->log, OX_LOG_INFO, "%s: the layout is %s now, no longer %s", model_id,
               ox_shelf_word(wanted), ox_shelf_word(before.layout));
    } else {
        ox_log(agent->log, OX_LOG_ERROR, "%s: the layout stays %s: %s", model_id,
               ox_shelf_word(shelf->layout), why.msg);
        code = enter_layout(&to, shelf, shown, err);
    }
    ox_shelf_clear(&to);
    return code;
}

static enum ox_code settle_known(struct ox_agent *agent, const char *model_id, struct kept *kept,
                                 const char *also, struct ox_err *err)
{
    const struct ox_shown shown = {kept->folders[0], &kept->files};
    struct ox_shelf shelf = {.home = NULL};
    enum ox_code code;

    if ((code = ox_shelf_open(&shelf, &agent->folders, model_id, kept->layout, err)) != OX_OK ||
        (code = ox_shelf_check(&shelf, err)) != OX_OK ||
        (code = ox_shelf_move_in(&shelf, err)) != OX_OK) {
        goto out;
    }
    if (!holds_version(&shelf, kept->folders[0])) {
        forget(agent, model_id, kept->folders[0]);
        code = settle_unknown(agent, model_id, also, err);
        goto out;
    }
    if ((code = ox_shelf_restore(&shelf, &shown, err)) == OX_OK &&
        (code = change_layout(agent, model_id, &shelf, &shown, err)) == OX_OK &&
        (code = ox_folders_switch(
             shelf.home, "previous",
             kept->count > 1 && holds_version(&shelf, kept->folders[1]) ? kept->folders[1] : NULL,
             err)) == OX_OK) {
        code = prune(&shelf, kept, also, err);
    }
out:
    ox_shelf_clear(&shelf);
    return code;
}

enum ox_code ox_agent_settle(struct ox_agent *agent, const char *model_id, const char *also,
                             struct ox_err *err)
{
    struct kept kept = {.count = 0};
    enum ox_code code = kept_take(&kept, agent, model_id, err);

    if (code == OX_OK) {
        code = kept.count > 0 ? settle_known(agent, model_id, &kept, also, err)
                              : settle_unknown(agent, model_id, also, err);
    }
    kept_clear(&kept);
    return code;
}

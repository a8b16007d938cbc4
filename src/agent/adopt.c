/* A state that was lost, made anew from what lies there. */
#include "core.h"

#include "oxide/base/file.h"
#include "oxide/delta/side.h"
#include "oxide/wire/id.h"
#include "shelf.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

/* What a link leads to, hashed anew. Left empty where anything is odd. */
static enum ox_code adopt_link(const struct ox_agent *agent, const char *home, const char *link,
                               struct ox_installed *out, struct ox_err *err)
{
    struct ox_artifact_files *files = NULL;
    struct ox_installed installed = {0};
    char *path = NULL;
    enum ox_code code;

    if ((code = ox_folders_link(home, link, &installed.folder, err)) != OX_OK ||
        installed.folder == NULL) {
        goto out;
    }
    /* A folder whose name was shortened or marked does not tell its version. */
    if ((code = ox_id_check("version", installed.folder, err)) != OX_OK ||
        (code = ox_strdup(&installed.version, installed.folder, err)) != OX_OK ||
        (code = ox_folders_version(home, installed.folder, &path, err)) != OX_OK ||
        (code = ox_artifact_open(&files, path, agent->stop, NULL, err)) != OX_OK) {
        goto out;
    }
    installed.digest = ox_artifact_side(files)->digest;
    code = ox_manifest_copy(&installed.files, ox_artifact_side(files)->manifest, err);
    if (code == OX_OK) {
        *out = installed;
        installed = (struct ox_installed){0};
    }
out:
    ox_artifact_close(files);
    ox_installed_clear(&installed);
    free(path);
    return code;
}

/* In which layout does a model lie that has a home? What consumers see tells it. */
static enum ox_model_layout layout_of(struct ox_agent *agent, const struct ox_shelf *hidden,
                                      const char *model_id)
{
    enum ox_model_layout wanted = ox_agent_layout(agent, model_id);

    return !ox_dir_is_real(hidden->home)   ? OX_MODEL_VERSIONS
           : ox_dir_is_real(hidden->shown) ? OX_MODEL_TRITON
           : ox_path_exists(hidden->shown) ? OX_MODEL_FLAT
           : wanted == OX_MODEL_VERSIONS   ? OX_MODEL_FLAT
                                           : wanted;
}

static enum ox_code adopt_links(struct ox_agent *agent, const struct ox_shelf *shelf,
                                const char *model_id, struct ox_err *err)
{
    struct ox_installed current = {0};
    struct ox_installed previous = {0};
    enum ox_code code = ox_shelf_check(shelf, err);

    if (code == OX_OK) {
        code = adopt_link(agent, shelf->home, "current", &current, err);
    }
    if (code == OX_OK && current.version != NULL) {
        if (adopt_link(agent, shelf->home, "previous", &previous, err) == OX_OK &&
            previous.version != NULL) {
            code = ox_state_commit(&agent->state, model_id, &previous, OX_KEEP_MAX, err);
        }
        if (code == OX_OK) {
            ox_log(agent->log, OX_LOG_INFO, "found %s@%s", model_id, current.version);
            code = ox_state_commit(&agent->state, model_id, &current, OX_KEEP_MAX, err);
            ox_state_set_layout(&agent->state, model_id, shelf->layout);
        }
    }
    ox_installed_clear(&current);
    ox_installed_clear(&previous);
    return code;
}

static void adopt_model(struct ox_agent *agent, const char *model_id)
{
    struct ox_err err = OX_ERR_INIT;
    struct ox_shelf hidden = {.home = NULL};
    struct ox_shelf shelf = {.home = NULL};
    enum ox_code code = ox_shelf_open(&hidden, &agent->folders, model_id, OX_MODEL_FLAT, &err);

    if (code == OX_OK && ox_state_model(&agent->state, model_id) == NULL &&
        (code = ox_shelf_open(&shelf, &agent->folders, model_id,
                              layout_of(agent, &hidden, model_id), &err)) == OX_OK) {
        code = adopt_links(agent, &shelf, model_id, &err);
    }
    if (code != OX_OK) {
        ox_log(agent->log, OX_LOG_WARN, "%s is left alone: %s", model_id, err.msg);
    }
    ox_shelf_clear(&shelf);
    ox_shelf_clear(&hidden);
}

static enum ox_code adopt_folder(struct ox_agent *agent, const char *folder, struct ox_err *err)
{
    const struct dirent *entry;
    DIR *dir = opendir(folder);

    if (dir == NULL) {
        return errno == ENOENT ? OX_OK : ox_err_sys(err, errno, "reading folder %s", folder);
    }
    while ((entry = readdir(dir)) != NULL) {
        if (ox_id_check("model", entry->d_name, NULL) == OX_OK) {
            adopt_model(agent, entry->d_name);
        }
    }
    (void)closedir(dir);
    return OX_OK;
}

enum ox_code ox_agent_adopt(struct ox_agent *agent, struct ox_err *err)
{
    enum ox_code code = adopt_folder(agent, agent->folders.root, err);

    return code == OX_OK ? adopt_folder(agent, agent->folders.kept, err) : code;
}

#include "core.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/delta/side.h"
#include "oxide/wire/id.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- the state --- */

/* What a link leads to, hashed anew. Left empty where anything is odd. */
static enum ox_code adopt_link(const struct ox_agent *agent, const char *model_path,
                               const char *link, struct ox_installed *out, struct ox_err *err)
{
    struct ox_artifact_files *files = NULL;
    struct ox_installed installed = {0};
    char *path = NULL;
    enum ox_code code;

    if ((code = ox_folders_link(model_path, link, &installed.folder, err)) != OX_OK ||
        installed.folder == NULL) {
        goto out;
    }
    /* A folder whose name was shortened or marked does not tell its version. */
    if ((code = ox_id_check("version", installed.folder, err)) != OX_OK ||
        (code = ox_strdup(&installed.version, installed.folder, err)) != OX_OK ||
        (code = ox_folders_version(model_path, installed.folder, &path, err)) != OX_OK ||
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

static void adopt_model(struct ox_agent *agent, const char *model_id)
{
    struct ox_err err = OX_ERR_INIT;
    struct ox_installed current = {0};
    struct ox_installed previous = {0};
    char *path = NULL;
    enum ox_code code = ox_folders_model(&agent->folders, model_id, false, &path, &err);

    if (code == OX_OK) {
        code = adopt_link(agent, path, "current", &current, &err);
    }
    if (code == OX_OK && current.version != NULL) {
        if (adopt_link(agent, path, "previous", &previous, &err) == OX_OK &&
            previous.version != NULL) {
            code = ox_state_commit(&agent->state, model_id, &previous, OX_KEEP_MAX, &err);
        }
        if (code == OX_OK) {
            ox_log(agent->log, OX_LOG_INFO, "found %s@%s", model_id, current.version);
            code = ox_state_commit(&agent->state, model_id, &current, OX_KEEP_MAX, &err);
        }
    }
    if (code != OX_OK) {
        ox_log(agent->log, OX_LOG_WARN, "%s is left alone: %s", model_id, err.msg);
    }
    ox_installed_clear(&current);
    ox_installed_clear(&previous);
    free(path);
}

static enum ox_code rebuild_state(struct ox_agent *agent, uint64_t first_seq, struct ox_err *err)
{
    struct dirent *entry;
    DIR *dir;
    enum ox_code code = ox_state_init(&agent->state, agent->identity.device_id, first_seq, err);

    if (code != OX_OK) {
        return code;
    }
    dir = opendir(agent->folders.root);
    if (dir == NULL) {
        return ox_err_sys(err, errno, "reading folder %s", agent->folders.root);
    }
    while ((entry = readdir(dir)) != NULL) {
        if (ox_id_check("model", entry->d_name, NULL) == OX_OK) {
            adopt_model(agent, entry->d_name);
        }
    }
    (void)closedir(dir);
    return OX_OK;
}

static enum ox_code load_state(struct ox_agent *agent, struct ox_err *err)
{
    int64_t wall_ms = ox_clock_system()->wall_ms(NULL);
    enum ox_code code = ox_state_load(&agent->state, agent->folders.state, err);

    if (code == OX_ENOTFOUND) {
        code = rebuild_state(agent, 1, err);
    } else if (code == OX_ECORRUPT || code == OX_EUNSUPPORTED) {
        code = ox_set_aside(agent->folders.state, wall_ms, err->msg, agent->log, err);
        if (code == OX_OK) {
            /* Reports go on behind any number that was used: they come slower than one a second. */
            code = rebuild_state(agent, wall_ms > 1000 ? (uint64_t)(wall_ms / 1000) : 1, err);
        }
    } else {
        if (code == OX_OK && strcmp(agent->state.device_id, agent->identity.device_id) != 0) {
            ox_log(agent->log, OX_LOG_WARN,
                   "this folder was used by device %s: its reports are dropped",
                   agent->state.device_id);
            code = ox_state_rename(&agent->state, agent->identity.device_id, err);
        } else {
            return code;
        }
    }
    /* On disk from the start, so that there is always a file to go back to. */
    return code == OX_OK ? ox_state_save(&agent->state, agent->folders.state, err) : code;
}

void ox_agent_reload(struct ox_agent *agent)
{
    struct ox_agent_state on_disk = {0};

    if (ox_state_load(&on_disk, agent->folders.state, NULL) == OX_OK) {
        ox_state_clear(&agent->state);
        agent->state = on_disk;
    }
}

enum ox_code ox_agent_save(struct ox_agent *agent, struct ox_err *err)
{
    enum ox_code code = ox_state_save(&agent->state, agent->folders.state, err);

    if (code != OX_OK) {
        ox_agent_reload(agent);
    }
    return code;
}

void ox_agent_save_or_log(struct ox_agent *agent)
{
    struct ox_err err = OX_ERR_INIT;

    if (ox_state_save(&agent->state, agent->folders.state, &err) != OX_OK) {
        ox_log(agent->log, OX_LOG_ERROR, "%s", err.msg);
    }
}

size_t ox_agent_keep(struct ox_agent *agent, const char *model_id)
{
    struct ox_tuning *tuning = ox_tuning_hold(&agent->tuning);
    size_t keep = ox_tuning_model(tuning, model_id)->keep;

    ox_tuning_drop(&agent->tuning, tuning);
    return keep;
}

enum ox_code ox_agent_access(struct ox_agent *agent, const char *model_id, struct ox_access *out,
                             struct ox_err *err)
{
    struct ox_tuning *tuning = ox_tuning_hold(&agent->tuning);
    enum ox_code code = ox_access_resolve(out, ox_tuning_model(tuning, model_id)->group, err);

    ox_tuning_drop(&agent->tuning, tuning);
    return code;
}

/* --- opening --- */

enum ox_code ox_agent_open(struct ox_agent *out, const struct ox_agent_options *options,
                           struct ox_stop *stop, const struct ox_log *log, struct ox_err *err)
{
    struct ox_err scratch = OX_ERR_INIT;
    enum ox_code code;

    err = err == NULL ? &scratch : err; /* we quote its message */
    *out = (struct ox_agent){
        .options = options, .log = log, .stop = stop, .lock_fd = -1, .wake_fd = -1};
    (void)pthread_mutex_init(&out->lock, NULL);
    ox_status_open(&out->status);
    if ((code = ox_tuning_open(&out->tuning, &options->tuning, err)) != OX_OK ||
        (code = ox_folders_open(&out->folders, options->model_dir, err)) != OX_OK ||
        (code = ox_lock_file(out->folders.lock, &out->lock_fd, err)) != OX_OK) {
        ox_agent_close(out);
        return code;
    }
    out->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    code = out->wake_fd < 0 ? ox_err_sys(err, errno, "making an eventfd")
                            : ox_identity_open(&out->identity, out->folders.identity,
                                               options->device_id, log, err);
    if (code == OX_OK) {
        code = load_state(out, err);
    }
    if (code != OX_OK) {
        ox_agent_close(out);
    }
    return code;
}

void ox_agent_close(struct ox_agent *agent)
{
    if (agent->wake_fd >= 0) {
        (void)close(agent->wake_fd);
    }
    if (agent->lock_fd >= 0) {
        (void)close(agent->lock_fd);
    }
    ox_state_clear(&agent->state);
    ox_folders_clear(&agent->folders);
    ox_tuning_close(&agent->tuning);
    ox_status_close(&agent->status);
    (void)pthread_mutex_destroy(&agent->lock);
}

void ox_agent_wake(const struct ox_agent *agent)
{
    const uint64_t one = 1;
    ssize_t put = write(agent->wake_fd, &one, sizeof(one));

    (void)put; /* full means roused already */
}

/* --- numbers for people --- */

const char *ox_number_text(uint64_t value, char out[OX_NUMBER_TEXT_MAX])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    size_t at = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *ox_saved_text(uint64_t part, uint64_t whole, char out[OX_NUMBER_TEXT_MAX])
{
    uint64_t tenths = 0;

    if (part < whole) {
        tenths = (uint64_t)((double)(whole - part) / (double)whole * 1000.0);
    }
    (void)snprintf(out, OX_NUMBER_TEXT_MAX, "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
    return out;
}

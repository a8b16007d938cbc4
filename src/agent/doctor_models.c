/* Are the versions that the state keeps there, whole, and do the symlinks lead to them? */
#include "doctor.h"

#include "oxide/base/file.h"
#include "oxide/crypto/sha256.h"
#include "update.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 3 /* of a running agent, whose updates come between */

#define HINT_CURRENT                                                                               \
    "stop the agent, remove this version's folder, start the agent: it fetches the version again"
#define HINT_PREVIOUS                                                                              \
    "going back would fetch it: remove this version's folder with the agent stopped, or leave it"
#define HINT_LINK "the agent switches it when it starts"

/* A version under examination. */
struct held {
    struct ox_agent_doctor *doctor;
    const char *model_id;
    const struct ox_shelf *shelf;
    const struct ox_installed *installed;
    const char *which; /* "current", "previous" or "kept" */
    uint64_t *done_bytes;
    uint64_t all_bytes;
};

static uint64_t bytes_of(const struct ox_agent_state *state)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < state->models_count; i++) {
        bytes += ox_manifest_size(&state->models[i].current.files);
        for (size_t j = 0; j < state->models[i].kept_count; j++) {
            bytes += ox_manifest_size(&state->models[i].kept[j].files);
        }
    }
    return bytes;
}

/* A path as it is said: below MODEL_DIR. */
static const char *below(const struct ox_agent_doctor *doctor, const char *path)
{
    size_t len = strlen(doctor->folders.root);

    return strncmp(path, doctor->folders.root, len) == 0 && path[len] == '/' ? path + len + 1
                                                                             : path;
}

static void report(const struct held *held, const char *path, const char *what)
{
    bool is_current = strcmp(held->which, "current") == 0;

    ox_checkup_find(held->doctor->checkup, is_current ? OX_SEVERITY_ERROR : OX_SEVERITY_WARNING,
                    below(held->doctor, path), is_current ? HINT_CURRENT : HINT_PREVIOUS,
                    "%s@%s, the %s version: %s", held->model_id, held->installed->version,
                    held->which, what);
}

/* --- files --- */

static void advance(void *ctx, uint64_t done, uint64_t total)
{
    const struct held *held = ctx;

    (void)total;
    ox_progress_update(held->doctor->checkup->progress, *held->done_bytes + done, held->all_bytes);
}

static enum ox_code hash(const struct held *held, const char *path, struct ox_digest *out,
                         struct ox_err *err)
{
    const struct ox_progress progress = {(void *)held, advance}; /* only read */
    struct ox_fd_io io = {-1, path};
    struct ox_source source;
    uint64_t size_bytes = 0;
    enum ox_code code = ox_file_open_read(path, &io.fd, &size_bytes, err);

    if (code == OX_OK) {
        source = ox_fd_source(&io, size_bytes);
        code = ox_sha256_source(&source, held->doctor->checkup->stop, &progress, out, err);
        (void)close(io.fd);
    }
    return code;
}

/* *what says what is wrong with the file, or is empty. */
static enum ox_code look_into(const struct held *held, const struct ox_manifest_file *file,
                              const char *path, char *what, size_t what_bytes, struct ox_err *err)
{
    struct ox_digest digest;
    struct stat st;
    enum ox_code code;

    what[0] = '\0';
    if (lstat(path, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            (void)snprintf(what, what_bytes, "the file is missing");
            return OX_OK;
        }
        return ox_err_sys(err, errno, "looking at it");
    }
    if (!S_ISREG(st.st_mode)) {
        (void)snprintf(what, what_bytes, "it is %s, not a file",
                       S_ISLNK(st.st_mode) ? "a symlink" : "something else");
    } else if ((uint64_t)st.st_size != file->size_bytes) {
        (void)snprintf(what, what_bytes, "the file has %llu bytes, not %llu",
                       (unsigned long long)st.st_size, (unsigned long long)file->size_bytes);
    } else if (!held->doctor->checkup->quick) {
        code = hash(held, path, &digest, err);
        if (code != OX_OK) {
            return code;
        }
        if (!ox_digest_equal(&digest, &file->sha256)) {
            (void)snprintf(what, what_bytes, "the file is damaged: it hashes to something else");
        }
    }
    if (what[0] == '\0' && file->executable != ((st.st_mode & S_IXUSR) != 0)) {
        ox_checkup_find(held->doctor->checkup, OX_SEVERITY_WARNING, below(held->doctor, path),
                        "chmod it", "its mode is %04o, not %s", (unsigned)(st.st_mode & 07777u),
                        file->executable ? "0555" : "0444");
    }
    return OX_OK;
}

static enum ox_code check_file(const struct held *held, const struct ox_manifest_file *file,
                               const char *folder, struct ox_err *err)
{
    struct ox_err found = OX_ERR_INIT;
    char what[OX_ERR_MSG_MAX + 32] = "";
    char *path = NULL;
    enum ox_code code = ox_path_join(&path, folder, file->path, err);

    if (code != OX_OK) {
        return code;
    }
    code = look_into(held, file, path, what, sizeof(what), &found);
    if (code == OX_ECANCELED || code == OX_ENOMEM) {
        code = ox_err_set(err, code, "%s", found.msg);
    } else if (code != OX_OK) {
        (void)snprintf(what, sizeof(what), "the file cannot be read: %s", found.msg);
        code = OX_OK;
    }
    if (what[0] != '\0') {
        report(held, path, what);
    }
    ox_checkup_looked(held->doctor->checkup, 1);
    *held->done_bytes += file->size_bytes;
    free(path);
    return code;
}

static enum ox_code check_version(const struct held *held, struct ox_err *err)
{
    const struct ox_installed *installed = held->installed;
    struct stat st;
    char *folder = NULL;
    enum ox_code code;

    if (installed->version == NULL) {
        return OX_OK;
    }
    code = ox_folders_version(held->shelf->home, installed->folder, &folder, err);
    if (code == OX_OK && lstat(folder, &st) != 0) {
        report(held, folder, "its folder is missing");
    } else if (code == OX_OK && !S_ISDIR(st.st_mode)) {
        report(held, folder, "it is no folder");
    } else {
        for (size_t i = 0; code == OX_OK && i < installed->files.count; i++) {
            code = check_file(held, &installed->files.files[i], folder, err);
        }
    }
    free(folder);
    return code;
}

/* --- symlinks --- */

static const char *or_nothing(const char *name)
{
    return name == NULL ? "nothing" : name;
}

static bool same(const char *a, const char *b)
{
    return (a == NULL && b == NULL) || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static enum ox_code check_link(struct ox_agent_doctor *doctor, const char *home, const char *name,
                               const char *wanted, enum ox_severity severity, struct ox_err *err)
{
    struct ox_err found = OX_ERR_INIT;
    char *path = NULL;
    char *leads = NULL;
    enum ox_code code = ox_path_join(&path, home, name, err);

    if (code != OX_OK) {
        return code;
    }
    code = ox_folders_link(home, name, &leads, &found);
    if (code == OX_ENOMEM) {
        code = ox_err_nomem(err, "a symlink");
    } else if (code != OX_OK) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_ERROR, below(doctor, path),
                        "stop the agent, remove it, and start the agent", "%s", found.msg);
        code = OX_OK;
    } else if (!same(leads, wanted)) {
        ox_checkup_find(doctor->checkup, severity, below(doctor, path), HINT_LINK,
                        "it leads to %s, the state says %s", or_nothing(leads), or_nothing(wanted));
    }
    free(leads);
    free(path);
    return code;
}

static enum ox_code check_seen(struct ox_agent_doctor *doctor, const struct ox_shelf *shelf,
                               const char *folder, struct ox_err *err)
{
    char what[256] = "";
    enum ox_code code = ox_shelf_examine(shelf, folder, what, sizeof(what), err);

    if (code == OX_OK && what[0] != '\0') {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_ERROR, below(doctor, shelf->shown), HINT_LINK,
                        "%s", what);
    }
    return code;
}

/* A symlink that is left where its version is gone is removed with the previous version alone. */
static enum ox_code check_links(struct ox_agent_doctor *doctor, const struct ox_model_state *model,
                                const struct ox_shelf *shelf, struct ox_err *err)
{
    enum ox_code code;

    if (ox_agent_doctor_updates(doctor, model->model_id) &&
        ox_stage_is_committing(doctor->journal.stage)) {
        return OX_OK; /* in the middle of a switch */
    }
    code =
        check_link(doctor, shelf->home, "current", model->current.folder, OX_SEVERITY_ERROR, err);
    if (code == OX_OK) {
        code = check_seen(doctor, shelf, model->current.folder, err);
    }
    if (code == OX_OK) {
        const struct ox_installed *previous = ox_state_previous(model);

        code = check_link(doctor, shelf->home, "previous",
                          previous == NULL ? NULL : previous->folder, OX_SEVERITY_WARNING, err);
    }
    return code;
}

/* --- all models --- */

static enum ox_code check_models(struct ox_agent_doctor *doctor, struct ox_err *err)
{
    uint64_t done_bytes = 0;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < doctor->state.models_count; i++) {
        const struct ox_model_state *model = &doctor->state.models[i];
        struct held held = {.doctor = doctor,
                            .model_id = model->model_id,
                            .installed = &model->current,
                            .which = "current",
                            .done_bytes = &done_bytes,
                            .all_bytes = bytes_of(&doctor->state)};
        struct ox_shelf shelf = {.home = NULL};

        code = ox_shelf_open(&shelf, &doctor->folders, model->model_id, model->layout, err);
        held.shelf = &shelf;
        if (code == OX_OK) {
            code = check_version(&held, err);
        }
        for (size_t j = 0; code == OX_OK && j < model->kept_count; j++) {
            held.installed = &model->kept[j];
            held.which = j == 0 ? "previous" : "kept";
            code = check_version(&held, err);
        }
        if (code == OX_OK && (code = check_links(doctor, model, &shelf, err)) == OX_OK) {
            code = ox_checkup_state(doctor->checkup, err);
        }
        ox_shelf_clear(&shelf);
    }
    return code;
}

/* What tells a state and its journal from those before. */
struct moment {
    uint64_t next_seq;
    uint64_t last_attempt;
    uint64_t attempt;
    char stage[OX_JOURNAL_STAGE_MAX];
};

static void take_moment(const struct ox_agent_doctor *doctor, struct moment *out)
{
    memset(out, 0, sizeof(*out));
    out->next_seq = doctor->has_state ? doctor->state.next_seq : 0;
    out->last_attempt = doctor->has_state ? doctor->state.last_attempt : 0;
    if (doctor->has_journal) {
        out->attempt = doctor->journal.attempt;
        memcpy(out->stage, doctor->journal.stage, sizeof(out->stage));
    }
}

enum ox_code ox_agent_doctor_models(struct ox_agent_doctor *doctor, struct ox_err *err)
{
    const struct ox_checkup mark = *doctor->checkup;
    bool again = true;
    enum ox_code code = OX_OK;

    if (!doctor->has_state) {
        ox_checkup_skip(doctor->checkup, "there is no state that can be read");
        return OX_OK;
    }
    for (int i = 0; code == OX_OK && again && doctor->has_state && i < TRIES; i++) {
        struct moment before;
        struct moment after;

        if (i > 0) {
            ox_checkup_undo(doctor->checkup, &mark);
        }
        take_moment(doctor, &before);
        code = check_models(doctor, err);
        again = doctor->checkup->in_use && doctor->checkup->count > mark.count;
        if (again) { /* an update may have come between */
            ox_agent_doctor_read(doctor);
            take_moment(doctor, &after);
            again = memcmp(&before, &after, sizeof(before)) != 0;
        }
    }
    return code;
}

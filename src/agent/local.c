#include "local.h"

#include "core.h"
#include "health.h"
#include "oxide/base/file.h"
#include "oxide/delta/delta.h"
#include "oxide/delta/side.h"
#include "oxide/patch/oxdl.h"
#include "oxide/wire/id.h"
#include "policy.h"
#include "shelf.h"
#include "update.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_DIGITS 12 /* of the digest, where nobody names a version */

void ox_local_request_clear(struct ox_local_request *request)
{
    free(request->model_id);
    free(request->version);
    free(request->path);
    *request = (struct ox_local_request){0};
}

static enum ox_code check_spec(const struct ox_by_hand_spec *spec, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (spec->model_id != NULL) {
        code = ox_id_check("model", spec->model_id, err);
    } else if (spec->kind != OX_BY_HAND_APPLY) {
        code = ox_err_set(err, OX_EINVAL, "name the model");
    }
    if (code == OX_OK && spec->version != NULL) {
        code = ox_id_check("version", spec->version, err);
    }
    if (code == OX_OK && spec->kind != OX_BY_HAND_ROLLBACK &&
        (spec->path == NULL || spec->path[0] != '/')) {
        code = ox_err_set(err, OX_EINVAL, "the agent needs the whole path of the file or folder");
    }
    return code;
}

enum ox_code ox_local_request_copy(struct ox_local_request *out, const struct ox_by_hand_spec *spec,
                                   struct ox_err *err)
{
    struct ox_local_request request = {.kind = spec->kind};
    enum ox_code code;

    if ((code = check_spec(spec, err)) == OX_OK &&
        (code = ox_strdup(&request.model_id, spec->model_id, err)) == OX_OK &&
        (code = ox_strdup(&request.version, spec->version, err)) == OX_OK &&
        (code = ox_strdup(&request.path, spec->path, err)) == OX_OK) {
        *out = request;
        return OX_OK;
    }
    ox_local_request_clear(&request);
    return code;
}

/* --- the assignment --- */

/* What it is to run. A digest that failed here is tried again: somebody wants it. */
static enum ox_code assign(struct ox_agent *agent, const struct ox_local_request *request,
                           const char *model_id, const struct ox_digest *digest,
                           const struct ox_manifest *files, struct ox_journal *out,
                           struct ox_err *err)
{
    struct ox_assignment *assignment = &out->assignment;
    const struct ox_model_state *model;
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code;

    assignment->urgent = true;
    assignment->digest = *digest;
    if ((code = ox_strdup(&assignment->model_id, model_id, err)) != OX_OK ||
        (code = ox_manifest_copy(&assignment->files, files, err)) != OX_OK ||
        (code = request->version != NULL
                    ? ox_strdup(&assignment->version, request->version, err)
                    : ox_strf(&assignment->version, err, "local-%.*s", NAME_DIGITS,
                              ox_digest_hex(digest, hex))) != OX_OK) {
        return code;
    }
    (void)pthread_mutex_lock(&agent->lock);
    model = ox_state_model(&agent->state, model_id);
    if (model != NULL && request->kind == OX_BY_HAND_ADOPT) {
        code = ox_err_set(err, OX_ECONFLICT,
                          "%s@%s is here already: adopting is for a model that the agent does not "
                          "keep yet; 'oxide agent apply' brings another version",
                          model_id, model->current.version);
    } else if (model != NULL && ox_digest_equal(&model->current.digest, digest) &&
               (request->version == NULL ||
                strcmp(model->current.version, request->version) == 0)) {
        code = ox_err_set(err, OX_ECONFLICT, "%s@%s is active already", model_id,
                          model->current.version);
    } else {
        ox_state_unpoison(&agent->state, assignment);
        ox_agent_save_or_log(agent);
    }
    (void)pthread_mutex_unlock(&agent->lock);
    return code;
}

/* --- files --- */

static enum ox_code check_room(const struct ox_agent *agent, uint64_t bytes, struct ox_err *err)
{
    char needed[OX_NUMBER_TEXT_MAX];
    char lacking[OX_NUMBER_TEXT_MAX];
    uint64_t room = 0;
    enum ox_code code = ox_disk_free(agent->folders.root, &room, err);

    if (code == OX_OK && room < bytes + OX_UPDATE_MARGIN_BYTES) {
        code =
            ox_err_set(err, OX_ENOSPC, "%s bytes are needed in %s, %s of them lack: make room",
                       ox_number_text(bytes + OX_UPDATE_MARGIN_BYTES, needed), agent->folders.root,
                       ox_number_text(bytes + OX_UPDATE_MARGIN_BYTES - room, lacking));
    }
    return code;
}

/* One file to where a download would have put it. */
static enum ox_code place_part(const struct ox_agent *agent, const struct ox_source *source,
                               const struct ox_manifest_file *file, struct ox_err *err)
{
    struct ox_fd_io io = {-1, file->path};
    struct ox_output output;
    char *part = NULL;
    enum ox_code code = ox_folders_part(&agent->folders, &file->sha256, &part, err);

    if (code == OX_OK && file->size_bytes > 0 && !ox_path_exists(part)) {
        io.fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (io.fd < 0) {
            code = ox_err_sys(err, errno, "creating %s", part);
        } else {
            output = ox_fd_output(&io);
            code = ox_source_copy(source, &output, err);
        }
        if (io.fd >= 0 && close(io.fd) != 0 && code == OX_OK) {
            code = ox_err_sys(err, errno, "writing %s", part);
        }
        if (code != OX_OK && io.fd >= 0) {
            (void)unlink(part);
        }
    }
    free(part);
    return code;
}

static enum ox_code prepare_artifact(struct ox_agent *agent, const struct ox_local_request *request,
                                     struct ox_stop *stop, struct ox_journal *out,
                                     struct ox_err *err)
{
    struct ox_artifact_files *files = NULL;
    const struct ox_delta_side *side;
    enum ox_code code;

    if (request->model_id == NULL) {
        return ox_err_set(err, OX_EINVAL, "%s is no patch: say with --model whose version it is",
                          request->path);
    }
    if ((code = ox_artifact_open(&files, request->path, stop, NULL, err)) != OX_OK) {
        return code;
    }
    side = ox_artifact_side(files);
    if ((code = assign(agent, request, request->model_id, &side->digest, side->manifest, out,
                       err)) == OX_OK) {
        code = check_room(agent, ox_manifest_size(side->manifest), err);
    }
    for (size_t i = 0; code == OX_OK && i < side->manifest->count; i++) {
        code = ox_stop_requested(stop)
                   ? ox_err_set(err, OX_ECANCELED, "stopped")
                   : place_part(agent, &side->files[i], &side->manifest->files[i], err);
    }
    ox_artifact_close(files);
    return code;
}

/* --- patches --- */

/* The version that a patch is for: a copy, and whose it is. */
struct base {
    char *model_id;
    enum ox_model_layout layout;
    struct ox_installed is;
};

static enum ox_code find_base(struct ox_agent *agent, const struct ox_local_request *request,
                              const struct ox_digest *digest, struct base *out, struct ox_err *err)
{
    const struct ox_agent_state *state = &agent->state;
    enum ox_code code = OX_OK;
    bool found = false;
    bool twice = false;

    (void)pthread_mutex_lock(&agent->lock);
    for (size_t i = 0; code == OX_OK && i < state->models_count; i++) {
        const struct ox_model_state *model = &state->models[i];
        bool here = false;

        if (request->model_id != NULL && strcmp(model->model_id, request->model_id) != 0) {
            continue;
        }
        for (size_t k = 0; code == OX_OK && !here && k <= model->kept_count; k++) {
            const struct ox_installed *held = k == 0 ? &model->current : &model->kept[k - 1];

            here = ox_digest_equal(&held->digest, digest);
            if (here && !found &&
                (code = ox_strdup(&out->model_id, model->model_id, err)) == OX_OK) {
                out->layout = model->layout;
                code = ox_installed_copy(&out->is, held, err);
            }
        }
        twice = twice || (here && found);
        found = found || here;
    }
    (void)pthread_mutex_unlock(&agent->lock);
    if (code == OX_OK && twice) {
        return ox_err_set(err, OX_EINVAL,
                          "several models hold what this patch is for: say with --model which");
    }
    if (code == OX_OK && !found) {
        char hex[OX_DIGEST_HEX_MAX];

        return ox_err_set(err, OX_EBASE, "the patch is for %.12s..., which no version here is%s%s",
                          ox_digest_hex(digest, hex), request->model_id == NULL ? "" : " of model ",
                          request->model_id == NULL ? "" : request->model_id);
    }
    return code;
}

/* The files that it makes: of one that is known by its digest alone, the name is its base's. */
static enum ox_code files_of(const struct ox_oxdl_header *header, const struct base *base,
                             struct ox_manifest *out, struct ox_err *err)
{
    const struct ox_oxdl_side *target = &header->target;
    bool lone =
        target->files.count == 0 ||
        (target->files.count == 1 && strcmp(target->files.files[0].path, OX_OXDL_LONE_PATH) == 0);

    if (!lone) {
        return ox_manifest_copy(out, &target->files, err);
    }
    return ox_manifest_single(
        out, base->is.files.count == 1 ? base->is.files.files[0].path : "model.bin",
        target->size_bytes, &target->digest, err);
}

/* Rebuild into staging, which the update finds there. */
static enum ox_code rebuild(struct ox_agent *agent, const struct base *base, const char *base_path,
                            const struct ox_manifest *files, const struct ox_source *patch,
                            struct ox_stop *stop, struct ox_err *err)
{
    struct ox_artifact_files *opened = NULL;
    struct ox_target_files *target = NULL;
    struct ox_sink sink;
    enum ox_code code;

    if ((code = ox_files_verify(base_path, &base->is.files, stop, err)) == OX_OK &&
        (code = ox_artifact_open_known(&opened, base_path, &base->is.files, err)) == OX_OK &&
        (code = ox_folders_drop_built(&agent->folders, err)) == OX_OK &&
        (code = ox_folder_make(agent->folders.staging, 0755, err)) == OX_OK &&
        (code = ox_target_create(&target, agent->folders.staging, files, err)) == OX_OK) {
        ox_target_drop_behind(target);
        sink = ox_target_sink(target);
        code = ox_apply_source(
            &(struct ox_apply_spec){.base = ox_artifact_side(opened), .sink = &sink, .stop = stop},
            patch, err);
    }
    ox_target_close(target);
    ox_artifact_close(opened);
    if (code != OX_OK && ox_folders_drop_built(&agent->folders, NULL) != OX_OK) {
        ox_log(agent->log, OX_LOG_WARN, "%s is left", agent->folders.staging);
    }
    return code;
}

static enum ox_code prepare_patch(struct ox_agent *agent, const struct ox_local_request *request,
                                  const struct ox_source *patch, struct ox_stop *stop,
                                  struct ox_journal *out, struct ox_err *err)
{
    struct ox_oxdl_header header = {.version = 0};
    struct ox_manifest files = OX_MANIFEST_INIT;
    struct ox_shelf shelf = {.home = NULL};
    struct base base = {.model_id = NULL};
    char *base_path = NULL;
    enum ox_code code;

    if ((code = ox_oxdl_read_header(patch, &header, err)) == OX_OK &&
        (code = find_base(agent, request, &header.base.digest, &base, err)) == OX_OK &&
        (code = files_of(&header, &base, &files, err)) == OX_OK &&
        (code = assign(agent, request, base.model_id, &header.target.digest, &files, out, err)) ==
            OX_OK &&
        (code = check_room(agent, ox_manifest_size(&files), err)) == OX_OK &&
        (code = ox_shelf_open(&shelf, &agent->folders, base.model_id, base.layout, err)) == OX_OK &&
        (code = ox_folders_version(shelf.home, base.is.folder, &base_path, err)) == OX_OK) {
        code = rebuild(agent, &base, base_path, &files, patch, stop, err);
    }
    free(base_path);
    free(base.model_id);
    ox_installed_clear(&base.is);
    ox_shelf_clear(&shelf);
    ox_manifest_clear(&files);
    ox_oxdl_header_clear(&header);
    return code;
}

static bool is_patch(const struct ox_source *source)
{
    char magic[4];

    return source->size_bytes >= sizeof(magic) &&
           ox_source_read(source, 0, magic, sizeof(magic), NULL) == OX_OK &&
           memcmp(magic, "OXDL", sizeof(magic)) == 0;
}

static enum ox_code prepare_path(struct ox_agent *agent, const struct ox_local_request *request,
                                 struct ox_stop *stop, struct ox_journal *out, struct ox_err *err)
{
    struct ox_fd_io io = {-1, request->path};
    struct ox_source source = {.size_bytes = 0};
    uint64_t size = 0;
    enum ox_code code;

    if (request->kind == OX_BY_HAND_APPLY && !ox_dir_is_real(request->path)) {
        if ((code = ox_file_open_read(request->path, &io.fd, &size, err)) != OX_OK) {
            return code;
        }
        source = ox_fd_source(&io, size);
    }
    code = io.fd >= 0 && is_patch(&source) ? prepare_patch(agent, request, &source, stop, out, err)
                                           : prepare_artifact(agent, request, stop, out, err);
    if (io.fd >= 0) {
        (void)close(io.fd);
    }
    return code;
}

/* --- going back --- */

/* Not to be given again by the next heartbeat, unless under another digest. */
static enum ox_code quarantine(struct ox_agent *agent, const struct ox_model_state *model,
                               struct ox_err *err)
{
    const struct ox_assignment failed = {.model_id = model->model_id,
                                         .version = model->current.version,
                                         .digest = model->current.digest};
    struct ox_poison *poison = NULL;
    enum ox_code code = ox_state_fail(&agent->state, &failed, &poison, err);

    if (code == OX_OK) {
        poison->failures = OX_POISON_LIMIT;
        code = ox_agent_save(agent, err);
    }
    return code;
}

static enum ox_code take_back(struct ox_assignment *out, const struct ox_model_state *model,
                              struct ox_err *err)
{
    const struct ox_installed *before = ox_state_previous(model);
    const struct ox_installed *to = before == NULL ? &model->current : before;
    enum ox_code code;

    if (before == NULL && model->replaced) {
        return ox_err_set(err, OX_ENOTFOUND,
                          "no version of %s before %s is kept (the setting \"keep\")",
                          model->model_id, model->current.version);
    }
    out->urgent = true;
    out->remove = before == NULL; /* the first one: back to nothing */
    out->digest = to->digest;
    if ((code = ox_strdup(&out->model_id, model->model_id, err)) != OX_OK ||
        (code = ox_strdup(&out->version, to->version, err)) != OX_OK) {
        return code;
    }
    return out->remove ? OX_OK : ox_manifest_copy(&out->files, &to->files, err);
}

static enum ox_code prepare_rollback(struct ox_agent *agent, const struct ox_local_request *request,
                                     struct ox_journal *out, struct ox_err *err)
{
    const struct ox_model_state *model;
    enum ox_code code;

    (void)pthread_mutex_lock(&agent->lock);
    model = ox_state_model(&agent->state, request->model_id);
    if (model == NULL) {
        code = ox_err_set(err, OX_ENOTFOUND, "no version of %s is here", request->model_id);
    } else if ((code = take_back(&out->assignment, model, err)) == OX_OK) {
        ox_state_unpoison(&agent->state, &out->assignment);
        code = quarantine(agent, model, err);
    }
    (void)pthread_mutex_unlock(&agent->lock);
    return code;
}

enum ox_code ox_local_prepare(struct ox_agent *agent, const struct ox_local_request *request,
                              struct ox_stop *stop, struct ox_journal *out, struct ox_err *err)
{
    return request->kind == OX_BY_HAND_ROLLBACK ? prepare_rollback(agent, request, out, err)
                                                : prepare_path(agent, request, stop, out, err);
}

enum ox_code ox_local_free(struct ox_agent *agent, const char *model_id, const char *version,
                           size_t *count, struct ox_err *err)
{
    struct ox_agent_state *state = &agent->state;
    enum ox_code code = OX_OK;

    *count = 0;
    (void)pthread_mutex_lock(&agent->lock);
    for (size_t i = state->poison_count; i > 0; i--) {
        const struct ox_poison *poison = &state->poison[i - 1];
        const struct ox_assignment failed = {
            .model_id = poison->model_id, .version = poison->version, .digest = poison->digest};

        if (strcmp(poison->model_id, model_id) == 0 &&
            (version == NULL || strcmp(poison->version, version) == 0)) {
            ox_state_unpoison(state, &failed);
            ++*count;
        }
    }
    if (*count > 0) {
        code = ox_agent_save(agent, err);
    }
    (void)pthread_mutex_unlock(&agent->lock);
    return code;
}

/* The first stage: what is there, which way to take, and whether the disk has room for it. */
#include "bookmark.h"
#include "command.h"
#include "health.h"
#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"
#include "patches.h"
#include "space.h"
#include "update.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFLIGHT_COMMAND_MS 60000

static struct ox_assignment *assigned(struct ox_update *update)
{
    return &update->journal.assignment;
}

/* What is current, as the state has it now, into the journal; and all that is held. */
static enum ox_code remember_before(struct ox_update *update, struct ox_err *err)
{
    struct ox_agent *agent = update->agent;
    const struct ox_model_state *model;
    enum ox_code code = OX_OK;

    ox_installed_clear(&update->journal.before);
    ox_update_drop_held(update);
    (void)pthread_mutex_lock(&agent->lock);
    model = ox_state_model(&agent->state, assigned(update)->model_id);
    if (model != NULL) {
        code = ox_installed_copy(&update->journal.before, &model->current, err);
    }
    for (size_t i = 0; code == OX_OK && model != NULL && i <= model->kept_count; i++) {
        code = ox_installed_copy(&update->held[i], i == 0 ? &model->current : &model->kept[i - 1],
                                 err);
        update->held_count += code == OX_OK;
    }
    (void)pthread_mutex_unlock(&agent->lock);
    update->base = update->held_count > 0 ? &update->held[0] : NULL;
    return code;
}

/* The folder of the assigned version: the one that it has if it is held, else its own name, marked
 * where that is held for other bytes. */
static enum ox_code choose_folder(struct ox_update *update, struct ox_err *err)
{
    const struct ox_assignment *assignment = assigned(update);
    const char *folder = NULL;
    char name[OX_FOLDER_NAME_MAX];
    char marked[OX_FOLDER_NAME_MAX];
    enum ox_code code = ox_folder_name(assignment->version, name, err);

    if (code != OX_OK) {
        return code;
    }
    ox_folder_name_with_digest(name, &assignment->digest, marked);
    folder = name;
    for (size_t i = 0; i < update->held_count; i++) {
        const struct ox_installed *held = &update->held[i];

        if (!ox_digest_equal(&held->digest, &assignment->digest)) {
            folder = folder == name && strcmp(held->folder, name) == 0 ? marked : folder;
        } else if (strcmp(held->version, assignment->version) == 0) {
            folder = held->folder;
            break;
        }
    }
    free(update->journal.folder);
    free(update->target_path);
    update->journal.folder = update->target_path = NULL;
    code = ox_strdup(&update->journal.folder, folder, err);
    return code != OX_OK ? code
                         : ox_folders_version(update->shelf.home, update->journal.folder,
                                              &update->target_path, err);
}

/* The digest that was assigned is that of the files that were assigned, or nothing fits. */
static enum ox_code check_assignment(struct ox_update *update, struct ox_err *err)
{
    struct ox_digest digest;
    enum ox_code code = ox_artifact_digest(&assigned(update)->files, &digest, err);

    if (code == OX_OK && !ox_digest_equal(&digest, &assigned(update)->digest)) {
        code = ox_err_set(err, OX_EPROTO, "the assigned digest is not that of the assigned files");
    }
    return code;
}

/* The version with these bytes among those that are held, or NULL. */
static const struct ox_installed *held_of(const struct ox_update *update,
                                          const struct ox_digest *digest)
{
    size_t i = 0;

    while (i < update->held_count && !ox_digest_equal(&update->held[i].digest, digest)) {
        i++;
    }
    return i < update->held_count ? &update->held[i] : NULL;
}

/* Will the patch do? What speaks against it is noted; it is never an error. */
static enum ox_code choose_way(struct ox_update *update, struct ox_err *err)
{
    const struct ox_assignment *assignment = assigned(update);
    const struct ox_installed *base;
    struct ox_err why = OX_ERR_INIT;
    char *path = NULL;
    enum ox_code code;

    if (update->journal.way.note[0] != '\0' || ox_patches_count(assignment) == 0) {
        return OX_OK; /* it failed already, or there is none */
    }
    if (!ox_patches_are_known(assignment)) {
        (void)snprintf(update->journal.way.note, sizeof(update->journal.way.note),
                       "patch of unknown format \"%.32s\"", ox_patches_at(assignment, 0)->format);
        return OX_OK;
    }
    base = held_of(update, &assignment->base_digest);
    if (base == NULL) {
        (void)snprintf(update->journal.way.note, sizeof(update->journal.way.note),
                       "the patch is for version %.64s, which this device does not hold",
                       assignment->base_version);
        return OX_OK;
    }
    code = ox_folders_version(update->shelf.home, base->folder, &path, err);
    if (code == OX_OK) {
        code = ox_files_verify(path, &base->files, &update->stop, &why);
        if (code == OX_OK) {
            update->base = base;
            update->use_patch = true;
        } else if (code == OX_ECANCELED) {
            *err = why;
        } else {
            (void)snprintf(update->journal.way.note, sizeof(update->journal.way.note),
                           "the base is damaged: %.500s", why.msg);
            ox_log(update->agent->log, OX_LOG_WARN, "%s@%s: %s: fetching the full files",
                   assignment->model_id, assignment->version, update->journal.way.note);
            code = OX_OK;
        }
    }
    free(path);
    return code;
}

/* A name in the download folder: of a part, or of a bookmark in a patch. */
struct kept_name {
    char text[OX_DIGEST_HEX_MAX + 8];
};

static void name_kept(const struct ox_digest *digest, const char *suffix, struct kept_name *out)
{
    char hex[OX_DIGEST_HEX_MAX];

    (void)snprintf(out->text, sizeof(out->text), "%s.%s", ox_digest_hex(digest, hex), suffix);
}

/* What this update does not need is an older one's. */
static enum ox_code drop_other_parts(struct ox_update *update, struct ox_err *err)
{
    const struct ox_assignment *assignment = assigned(update);
    size_t patches = ox_patches_count(assignment);
    size_t count = patches * OX_BOOKMARK_SUFFIXES + assignment->files.count;
    struct kept_name *names = calloc(count + 1, sizeof(*names));
    const char **keep = calloc(count + 1, sizeof(*keep));
    enum ox_code code = OX_OK;

    if (names == NULL || keep == NULL) {
        code = ox_err_nomem(err, "a list of files");
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        size_t patch = i / OX_BOOKMARK_SUFFIXES;

        if (patch < patches) {
            name_kept(&ox_patches_at(assignment, patch)->sha256,
                      ox_bookmark_suffixes[i % OX_BOOKMARK_SUFFIXES], &names[i]);
        } else {
            name_kept(&assignment->files.files[i - patches * OX_BOOKMARK_SUFFIXES].sha256, "part",
                      &names[i]);
        }
        keep[i] = names[i].text;
    }
    if (code == OX_OK) {
        code = ox_folder_clean(update->agent->folders.download, keep, count, err);
    }
    free(keep);
    free(names);
    return code;
}

static void log_plan(const struct ox_update *update)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    char what[512];
    uint64_t full = ox_manifest_size(&assignment->files);
    char part_text[OX_NUMBER_TEXT_MAX];
    char full_text[OX_NUMBER_TEXT_MAX];

    if (update->ready) {
        ox_log(update->agent->log, OX_LOG_INFO, "%s@%s: its files are here already",
               assignment->model_id, assignment->version);
    } else if (update->use_patch) {
        ox_log(update->agent->log, OX_LOG_INFO, "%s@%s: downloading %s, %s bytes instead of %s",
               assignment->model_id, assignment->version,
               ox_patches_text(assignment, what, sizeof(what)),
               ox_number_text(ox_patches_bytes(assignment), part_text),
               ox_number_text(full, full_text));
    } else {
        ox_log(update->agent->log, OX_LOG_INFO, "%s@%s: downloading %s bytes", assignment->model_id,
               assignment->version, ox_number_text(full, full_text));
    }
}

/* The operator's own conditions: a battery, a load. What they refuse is no fault of the version's:
 * hence OX_ECONFLICT, which does not count. */
static enum ox_code ask_command(struct ox_update *update, struct ox_err *err)
{
    const struct ox_assignment *assignment = assigned(update);
    struct ox_tuning *tuning = ox_tuning_hold(&update->agent->tuning);
    const char *command = ox_tuning_model(tuning, assignment->model_id)->preflight_command;
    enum ox_code code = OX_OK;

    free(update->said);
    update->said = NULL;
    if (command != NULL &&
        update->journal.way.note[0] == '\0') { /* else it was asked, before the patch failed */
        ox_status_wait(&update->agent->status, 2 * PREFLIGHT_COMMAND_MS);
        code = ox_command_run(&(struct ox_command_spec){.what = "preflight command",
                                                        .command = command,
                                                        .timeout_ms = PREFLIGHT_COMMAND_MS,
                                                        .model_id = assignment->model_id,
                                                        .version = assignment->version,
                                                        .path = update->target_path,
                                                        .files = &assignment->files,
                                                        .verdict = OX_ECONFLICT,
                                                        .stop = &update->stop},
                              &update->said, err);
    }
    ox_tuning_drop(&update->agent->tuning, tuning);
    return code;
}

/* What lies there ready came the way that an earlier try says, or is kept from before. */
static void note_way(struct ox_update *update)
{
    struct ox_way *way = &update->journal.way;

    if (update->ready && update->earlier.strategy != NULL) {
        *way = update->earlier;
    } else {
        way->strategy = update->ready ? "none" : update->use_patch ? "delta" : "full";
    }
}

enum ox_code ox_stage_preflight(struct ox_update *update, struct ox_err *err)
{
    struct ox_access access = {.has_group = false};
    enum ox_code code;

    update->ready = update->use_patch = update->digests_known = false;
    if ((code = check_assignment(update, err)) != OX_OK ||
        (code = ox_agent_access(update->agent, assigned(update)->model_id, &access, err)) !=
            OX_OK ||
        (code = ox_update_open_shelf(update, err)) != OX_OK ||
        (code = ox_shelf_check(&update->shelf, err)) != OX_OK ||
        (code = ox_shelf_move_in(&update->shelf, err)) != OX_OK ||
        (code = ox_shelf_make(&update->shelf, &access, err)) != OX_OK ||
        (code = remember_before(update, err)) != OX_OK ||
        (code = choose_folder(update, err)) != OX_OK ||
        (code = ask_command(update, err)) != OX_OK) {
        return code;
    }
    update->ready = ox_path_exists(update->target_path) &&
                    ox_files_verify(update->target_path, &assigned(update)->files, &update->stop,
                                    NULL) == OX_OK;
    if (!update->ready && (code = choose_way(update, err)) != OX_OK) {
        return code;
    }
    if (!update->ready && !update->use_patch && assigned(update)->patch_only &&
        ox_patches_count(assigned(update)) > 0) {
        return ox_err_set(err, OX_EBASE, "%s", update->journal.way.note);
    }
    note_way(update);
    if ((code = ox_space_check(update, err)) == OX_OK &&
        (code = drop_other_parts(update, err)) == OX_OK) {
        log_plan(update);
    }
    return code;
}

/* The stages that get the new version together in staging: download, rebuild, verify. */
#include "fetch.h"
#include "first_gen.h"
#include "health.h"
#include "links.h"
#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/tensor/layout.h"
#include "patches.h"
#include "reuse.h"
#include "update.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_EVERY_MS 15000
#define RETRY_MS 1000 /* base of the waits when a download breaks off */

static struct ox_assignment *assigned(struct ox_update *update)
{
    return &update->journal.assignment;
}

/* Patches are applied while they arrive; rebuilding is done then. */
static bool streams(const struct ox_update *update)
{
    return update->use_patch && !update->journal.first_gen;
}

/* --- download --- */

static void on_download(void *ctx, uint64_t done, uint64_t total)
{
    struct ox_update *update = ctx;
    int64_t now_mono_ms = ox_clock_system()->mono_ms(NULL);
    char done_text[OX_NUMBER_TEXT_MAX];
    char total_text[OX_NUMBER_TEXT_MAX];

    ox_status_progress(&update->agent->status, done, total);
    if (now_mono_ms - update->logged_mono_ms >= LOG_EVERY_MS && done < total) {
        update->logged_mono_ms = now_mono_ms;
        ox_log(update->agent->log, OX_LOG_INFO, "%s@%s: received %s of %s bytes",
               assigned(update)->model_id, assigned(update)->version,
               ox_number_text(done, done_text), ox_number_text(total, total_text));
    }
}

static enum ox_code download_part(struct ox_update *update, const struct ox_fetch *fetch,
                                  const struct ox_digest *digest, uint64_t size_bytes,
                                  struct ox_err *err)
{
    char *path = NULL;
    enum ox_code code = ox_folders_part(&update->agent->folders, digest, &path, err);

    if (code == OX_OK) {
        code = ox_fetch_blob(fetch, assigned(update), digest, size_bytes, path, err);
    }
    free(path);
    return code;
}

/* Move a staged file to where parts lie, as one may be written to; what is shared may not. */
static enum ox_code make_part(const char *staged, const char *part, struct ox_err *err)
{
    struct stat st;

    if (lstat(staged, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink > 1 ||
        ox_path_exists(part)) {
        return OX_OK;
    }
    return chmod(staged, 0600) == 0 && rename(staged, part) == 0
               ? OX_OK
               : ox_err_sys(err, errno, "moving %s", staged);
}

/* What an earlier run had put together before it was killed is as good as parts. */
static enum ox_code take_apart(struct ox_update *update, struct ox_err *err)
{
    const struct ox_folders *folders = &update->agent->folders;
    const struct ox_manifest *files = &assigned(update)->files;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && ox_path_exists(folders->staging) && i < files->count; i++) {
        char *part = NULL;
        char *staged = NULL;

        if ((code = ox_folders_part(folders, &files->files[i].sha256, &part, err)) == OX_OK &&
            (code = ox_path_join(&staged, folders->staging, files->files[i].path, err)) == OX_OK) {
            code = make_part(staged, part, err);
        }
        free(staged);
        free(part);
    }
    return code == OX_OK ? ox_folders_drop_built(folders, err) : code;
}

static enum ox_code download_files(struct ox_update *update, const struct ox_fetch *fetch,
                                   struct ox_err *err)
{
    const struct ox_manifest *files = &assigned(update)->files;
    enum ox_code code = take_apart(update, err);

    for (size_t i = 0; code == OX_OK && i < files->count; i++) {
        const struct ox_manifest_file *file = &files->files[i];
        struct ox_held_file held = ox_reuse_find(update, file);

        if (file->size_bytes == 0 || ox_reuse_first_like(files, i) < i ||
            (held.version != NULL && ox_reuse_is_whole(update, &held))) {
            continue;
        }
        code = download_part(update, fetch, &file->sha256, file->size_bytes, err);
        if (code != OX_OK) {
            ox_err_context(err, "%s", file->path);
        }
    }
    return code;
}

static enum ox_code download_first_gen(struct ox_update *update, const struct ox_fetch *fetch,
                                       struct ox_err *err)
{
    const struct ox_manifest_file *file = &assigned(update)->files.files[0];
    const char *base = update->journal.way.note[0] == '\0' ? update->journal.before.version : NULL;
    char *path = NULL;
    enum ox_code code = ox_folders_part(&update->agent->folders, &file->sha256, &path, err);

    if (code == OX_OK) {
        code = ox_first_gen_download(fetch, assigned(update), base, path, &update->use_patch, err);
        update->journal.way.strategy = update->use_patch ? "delta" : "full"; /* it chose */
    }
    free(update->patch_path);
    update->patch_path = path;
    return code;
}

static void log_received(const struct ox_update *update, uint64_t came)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    const char *what = update->use_patch ? "patch" : "files";
    uint64_t full = ox_manifest_size(&assignment->files);
    char part_text[OX_NUMBER_TEXT_MAX];
    char full_text[OX_NUMBER_TEXT_MAX];
    char saved_text[OX_NUMBER_TEXT_MAX];

    ox_number_text(came, part_text);
    if (came < full) {
        ox_log(update->agent->log, OX_LOG_INFO, "%s@%s: received %s, %s bytes of %s (%s saved)",
               assignment->model_id, assignment->version, what, part_text,
               ox_number_text(full, full_text), ox_saved_text(came, full, saved_text));
    } else {
        ox_log(update->agent->log, OX_LOG_INFO, "%s@%s: received %s, %s bytes",
               assignment->model_id, assignment->version, what, part_text);
    }
}

/* The lower of two limits, of which 0 is none: the assignment's, and the device's as it is now. */
static uint64_t rate_now(void *ctx)
{
    const struct ox_update *update = ctx;
    uint64_t a = ox_tuning_rate_bps(&update->agent->tuning);
    uint64_t b = update->journal.assignment.rate_bps;

    return a == 0 || (b != 0 && b < a) ? b : a;
}

enum ox_code ox_stage_download(struct ox_update *update, struct ox_err *err)
{
    struct ox_progress progress = {update, on_download};
    struct ox_tuning *tuning = ox_tuning_hold(&update->agent->tuning);
    int64_t poll_ms = tuning->is.poll_ms;
    int64_t stall_s = tuning->is.stall_s;
    struct ox_fetch fetch = {.http = update->http,
                             .control_plane = update->agent->options->control_plane,
                             .device_id = update->agent->identity.device_id,
                             .rate_now = rate_now,
                             .rate_ctx = update,
                             .retry_ms = poll_ms < RETRY_MS ? poll_ms : RETRY_MS,
                             .stall_s = stall_s,
                             .stop = &update->stop,
                             .rng = &update->rng,
                             .log = update->agent->log,
                             .progress = &progress,
                             .received = update->journal.way.received,
                             .rest_ms = &update->rest_ms};
    uint64_t before = ox_way_received(&update->journal.way);
    enum ox_code code;

    ox_tuning_drop(&update->agent->tuning, tuning);
    if (update->ready) {
        return OX_OK;
    }
    update->logged_mono_ms = ox_clock_system()->mono_ms(NULL);
    code = update->journal.first_gen ? download_first_gen(update, &fetch, err)
           : update->use_patch       ? ox_patches_stream(update, &fetch, err)
                                     : download_files(update, &fetch, err);
    if (code == OX_OK) {
        log_received(update, ox_way_received(&update->journal.way) - before);
    }
    return code;
}

/* What a patch has built while it arrived is no part of anything else. */
void ox_undo_download(struct ox_update *update)
{
    struct ox_err err = OX_ERR_INIT;

    if (ox_folders_drop_built(&update->agent->folders, &err) != OX_OK ||
        ox_folder_clean(update->agent->folders.download, NULL, 0, &err) != OX_OK) {
        ox_log(update->agent->log, OX_LOG_WARN, "%s", err.msg);
    }
}

/* --- rebuild --- */

static enum ox_code create_empty(const char *path, struct ox_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0) {
        return ox_err_sys(err, errno, "creating %s", path);
    }
    (void)close(fd);
    return OX_OK;
}

/* Put one file into staging: made, moved from its part, or linked to where its bytes lie. */
static enum ox_code place_file(struct ox_update *update, size_t index, const char *path,
                               struct ox_err *err)
{
    const struct ox_manifest *files = &assigned(update)->files;
    const struct ox_manifest_file *file = &files->files[index];
    size_t like = ox_reuse_first_like(files, index);
    struct ox_held_file held = ox_reuse_find(update, file);
    char *from = NULL;
    enum ox_code code;

    if (file->size_bytes == 0) {
        return create_empty(path, err);
    }
    if (like < index) {
        return ox_link_or_copy(update->agent->folders.staging, files->files[like].path,
                               files->files[like].executable == file->executable, path, err);
    }
    code = ox_folders_part(&update->agent->folders, &file->sha256, &from, err);
    if (code == OX_OK && rename(from, path) != 0) {
        int why = errno;

        free(from);
        from = NULL;
        if (why != ENOENT || held.version == NULL) {
            return ox_err_sys(err, why, "moving %s into place", path);
        }
        code = ox_folders_version(update->shelf.home, held.version->folder, &from, err);
        if (code == OX_OK) {
            code = ox_link_or_copy(from, held.file->path, held.file->executable == file->executable,
                                   path, err);
        }
    }
    free(from);
    return code;
}

static enum ox_code place_files(struct ox_update *update, struct ox_err *err)
{
    const struct ox_manifest *files = &assigned(update)->files;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < files->count; i++) {
        char *path = NULL;

        code = ox_path_join(&path, update->agent->folders.staging, files->files[i].path, err);
        if (code == OX_OK) {
            char *slash = strrchr(path, '/');

            *slash = '\0';
            code = ox_dir_make(path, 0755, err);
            *slash = '/';
        }
        if (code == OX_OK) {
            code = place_file(update, i, path, err);
        }
        free(path);
    }
    return code;
}

/* A whole file of a server of the first generation: its bytes tell its format, and that its name.
 */
static enum ox_code name_by_format(struct ox_update *update, struct ox_err *err)
{
    struct ox_manifest_file *file = &assigned(update)->files.files[0];
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_fd_io io = {-1, "the download"};
    struct ox_source source;
    char *name = NULL;
    uint64_t size = 0;
    enum ox_code code;

    if (strcmp(file->path, OX_FIRST_GEN_PATH) != 0) {
        return OX_OK;
    }
    code = ox_file_open_read(update->patch_path, &io.fd, &size, err);
    if (code != OX_OK) {
        return code;
    }
    source = ox_fd_source(&io, size);
    if (ox_layout_read(&layout, &source, NULL) == OX_OK) {
        code = ox_strf(&name, err, "model.%s", ox_format_word(layout.format));
    }
    if (name != NULL) {
        free(file->path);
        file->path = name;
    }
    ox_layout_clear(&layout);
    (void)close(io.fd);
    return code;
}

enum ox_code ox_stage_rebuild(struct ox_update *update, struct ox_err *err)
{
    const char *staging = update->agent->folders.staging;
    enum ox_code code;

    if (update->ready || streams(update)) {
        return OX_OK;
    }
    if ((code = ox_folders_drop_built(&update->agent->folders, err)) != OX_OK ||
        (code = ox_folder_make(staging, 0755, err)) != OX_OK) {
        return code;
    }
    if (update->use_patch) {
        return ox_patches_apply(update, err);
    }
    if (update->journal.first_gen && (code = name_by_format(update, err)) != OX_OK) {
        return code;
    }
    return place_files(update, err);
}

void ox_undo_rebuild(struct ox_update *update)
{
    struct ox_err err = OX_ERR_INIT;

    if (ox_folders_drop_built(&update->agent->folders, &err) != OX_OK) {
        ox_log(update->agent->log, OX_LOG_WARN, "%s", err.msg);
    }
}

/* --- verify --- */

enum ox_code ox_stage_verify(struct ox_update *update, struct ox_err *err)
{
    const struct ox_assignment *assignment = assigned(update);
    char size_text[OX_NUMBER_TEXT_MAX];
    enum ox_code code;

    if (!update->ready) {
        code =
            ox_files_verify(update->agent->folders.staging, &assignment->files, &update->stop, err);
        if (code == OX_OK) {
            code = ox_reuse_link_staged(update, err);
        }
        if (code != OX_OK) {
            return code;
        }
    }
    update->digests_known = true;
    ox_log(update->agent->log, OX_LOG_INFO, "%s@%s: %s and verified %s bytes", assignment->model_id,
           assignment->version, update->use_patch ? "rebuilt" : "put together",
           ox_number_text(ox_manifest_size(&assignment->files), size_text));
    return OX_OK;
}

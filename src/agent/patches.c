#include "patches.h"

#include "bookmark.h"
#include "health.h"
#include "stream.h"

#include "oxide/base/file.h"
#include "oxide/delta/delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

size_t ox_patches_count(const struct ox_assignment *assignment)
{
    return assignment->patch.present ? 1 : assignment->chain_count;
}

const struct ox_patch_ref *ox_patches_at(const struct ox_assignment *assignment, size_t index)
{
    return assignment->patch.present ? &assignment->patch : &assignment->chain[index].patch;
}

bool ox_patches_are_known(const struct ox_assignment *assignment)
{
    for (size_t i = 0; i < ox_patches_count(assignment); i++) {
        const char *format = ox_patches_at(assignment, i)->format;

        if (strcmp(format, "oxdl/2") != 0 && strcmp(format, "oxdl/1") != 0) {
            return false;
        }
    }
    return true;
}

/* --- sizes --- */

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t ox_patches_bytes(const struct ox_assignment *assignment)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < ox_patches_count(assignment); i++) {
        sum = add(sum, ox_patches_at(assignment, i)->size_bytes);
    }
    return sum;
}

/* The files that patch number `index` rebuilds. */
static const struct ox_manifest *files_of(const struct ox_assignment *assignment, size_t index)
{
    return index + 1 < ox_patches_count(assignment) ? &assignment->chain[index].files
                                                    : &assignment->files;
}

uint64_t ox_patches_disk_bytes(const struct ox_assignment *assignment)
{
    uint64_t before = 0; /* the version that devices run takes its room already */
    uint64_t most = 0;

    for (size_t i = 0; i < ox_patches_count(assignment); i++) {
        uint64_t built = ox_manifest_size(files_of(assignment, i));

        most = add(before, built) > most ? add(before, built) : most;
        before = built;
    }
    return most;
}

const char *ox_patches_text(const struct ox_assignment *assignment, char *out, size_t out_bytes)
{
    size_t count = ox_patches_count(assignment);
    int used = count < 2
                   ? snprintf(out, out_bytes, "the patch from %.64s", assignment->base_version)
                   : snprintf(out, out_bytes, "%zu patches from %.64s by way of ", count,
                              assignment->base_version);

    for (size_t i = 0; i + 1 < count && used >= 0 && (size_t)used < out_bytes; i++) {
        used += snprintf(out + used, out_bytes - (size_t)used, "%s%.64s", i == 0 ? "" : ", ",
                         assignment->chain[i].version);
    }
    return out;
}

/* --- applying --- */

enum ox_code ox_patches_apply(struct ox_update *update, struct ox_err *err)
{
    const struct ox_installed *before = update->base;
    struct ox_artifact_files *base = NULL;
    struct ox_target_files *target = NULL;
    struct ox_fd_io io = {-1, "the patch"};
    struct ox_source patch;
    struct ox_sink sink;
    char *base_path = NULL;
    uint64_t size = 0;
    enum ox_code code;

    if (before == NULL) {
        return ox_err_set(err, OX_EBASE, "a patch came, and nothing is held that it could be for");
    }
    if ((code = ox_folders_version(update->shelf.home, before->folder, &base_path, err)) != OX_OK ||
        (code = ox_file_open_read(update->patch_path, &io.fd, &size, err)) != OX_OK ||
        (code = ox_artifact_open_known(&base, base_path, &before->files, err)) != OX_OK ||
        (code = ox_target_create(&target, update->agent->folders.staging,
                                 &update->journal.assignment.files, err)) != OX_OK) {
        goto out;
    }
    ox_target_drop_behind(target);
    patch = ox_fd_source(&io, size);
    sink = ox_target_sink(target);
    code = ox_apply_source(&(struct ox_apply_spec){.base = ox_artifact_side(base),
                                                   .sink = &sink,
                                                   .stop = &update->stop},
                           &patch, err);
out:
    ox_target_close(target);
    ox_artifact_close(base);
    if (io.fd >= 0) {
        (void)close(io.fd);
    }
    free(base_path);
    return code;
}

/* Where step `index` of `count` builds: the last one in staging, the others beside it. */
static enum ox_code place_of(const struct ox_update *update, size_t index, size_t count, char **out,
                             struct ox_err *err)
{
    const struct ox_folders *folders = &update->agent->folders;

    return index + 1 == count ? ox_strdup(out, folders->staging, err)
                              : ox_strf(out, err, "%s/%zu", folders->between, index);
}

static bool is_begun(const struct ox_update *update, size_t index)
{
    struct ox_bookmark bookmark;
    bool begun = false;

    if (ox_bookmark_init(&bookmark, &update->agent->folders,
                         &ox_patches_at(&update->journal.assignment, index)->sha256,
                         NULL) == OX_OK) {
        begun = ox_bookmark_exists(&bookmark);
        ox_bookmark_clear(&bookmark);
    }
    return begun;
}

bool ox_patches_are_begun(const struct ox_update *update)
{
    size_t count = ox_patches_count(&update->journal.assignment);
    size_t i = 0;

    while (i < count && !is_begun(update, i)) {
        i++;
    }
    return i < count;
}

/* Did an earlier run complete this step? Then it has no bookmark any more, and its files are right.
 */
static bool is_complete(struct ox_update *update, size_t index, size_t count)
{
    char *path = NULL;
    bool complete = !is_begun(update, index) &&
                    place_of(update, index, count, &path, NULL) == OX_OK && ox_path_exists(path) &&
                    ox_files_verify(path, files_of(&update->journal.assignment, index),
                                    &update->stop, NULL) == OX_OK;

    free(path);
    return complete;
}

/* The first step that is still to be made. What was built and belongs to none of them goes. */
static enum ox_code first_step(struct ox_update *update, size_t count, size_t *out,
                               struct ox_err *err)
{
    size_t next = count;

    while (next > 0 && !is_complete(update, next - 1, count)) {
        next--;
    }
    *out = next;
    return next == 0 && !is_begun(update, 0) ? ox_folders_drop_built(&update->agent->folders, err)
                                             : OX_OK;
}

/* What step `index` begins from. */
static enum ox_code base_of(const struct ox_update *update, size_t index, size_t count, char **path,
                            const struct ox_manifest **files, struct ox_err *err)
{
    if (index == 0) {
        *files = &update->base->files;
        return ox_folders_version(update->shelf.home, update->base->folder, path, err);
    }
    *files = files_of(&update->journal.assignment, index - 1);
    return place_of(update, index - 1, count, path, err);
}

static enum ox_code stream_step(struct ox_update *update, const struct ox_fetch *fetch,
                                size_t index, size_t count, struct ox_err *err)
{
    const struct ox_manifest *base_files = NULL;
    char *base_path = NULL;
    char *target_path = NULL;
    enum ox_code code = base_of(update, index, count, &base_path, &base_files, err);

    if (code == OX_OK && (code = place_of(update, index, count, &target_path, err)) == OX_OK) {
        const struct ox_stream_step step = {
            base_path, base_files, ox_patches_at(&update->journal.assignment, index), target_path,
            files_of(&update->journal.assignment, index)};

        code = ox_stream_patch(update, fetch, &step, err);
    }
    if (code != OX_OK && count > 1) {
        (void)ox_err_context(err, "patch %zu of %zu", index + 1, count);
    }
    /* A chain's version in between goes as soon as the next one stands: no more room is taken than
     * ox_patches_disk_bytes says. */
    if (code == OX_OK && index > 0) {
        code = ox_remove_tree(base_path, err);
    }
    free(target_path);
    free(base_path);
    return code;
}

enum ox_code ox_patches_stream(struct ox_update *update, const struct ox_fetch *fetch,
                               struct ox_err *err)
{
    size_t count = ox_patches_count(&update->journal.assignment);
    size_t index = 0;
    enum ox_code code = first_step(update, count, &index, err);

    for (size_t i = 0; code == OX_OK && i < index; i++) { /* that came in an earlier try */
        fetch->received[OX_ORIGIN_EARLIER] +=
            ox_patches_at(&update->journal.assignment, i)->size_bytes;
    }
    if (code == OX_OK && count > 1) {
        code = ox_folder_make(update->agent->folders.between, 0700, err);
    }
    for (; code == OX_OK && index < count; index++) {
        code = stream_step(update, fetch, index, count, err);
    }
    return code;
}

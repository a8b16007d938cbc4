#include "patches.h"

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
    return add(most, ox_patches_bytes(assignment));
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

/* One step: from a version that lies in `base_path` to one that is made in `target_path`. */
struct step {
    const char *base_path;
    const struct ox_manifest *base_files;
    const char *patch_path;
    const char *target_path;
    const struct ox_manifest *target_files;
};

static enum ox_code apply_step(const struct step *step, struct ox_stop *stop, struct ox_err *err)
{
    struct ox_artifact_files *base = NULL;
    struct ox_target_files *target = NULL;
    struct ox_fd_io io = {-1, "the patch"};
    struct ox_source patch;
    struct ox_sink sink;
    uint64_t size = 0;
    enum ox_code code;

    if ((code = ox_file_open_read(step->patch_path, &io.fd, &size, err)) != OX_OK ||
        (code = ox_artifact_open_known(&base, step->base_path, step->base_files, err)) != OX_OK ||
        (code = ox_target_create(&target, step->target_path, step->target_files, err)) != OX_OK) {
        goto out;
    }
    patch = ox_fd_source(&io, size);
    sink = ox_target_sink(target);
    code = ox_apply_source(
        &(struct ox_apply_spec){.base = ox_artifact_side(base), .sink = &sink, .stop = stop},
        &patch, err);
out:
    ox_target_close(target);
    ox_artifact_close(base);
    if (io.fd >= 0) {
        (void)close(io.fd);
    }
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

static enum ox_code patch_path_of(const struct ox_update *update, size_t index, char **out,
                                  struct ox_err *err)
{
    const struct ox_assignment *assignment = &update->journal.assignment;

    return update->patch_path != NULL
               ? ox_strdup(out, update->patch_path, err)
               : ox_folders_part(&update->agent->folders, &ox_patches_at(assignment, index)->sha256,
                                 out, err);
}

/* A chain's version in between goes as soon as the next one stands: no more room is taken than
 * ox_patches_disk_bytes says. */
enum ox_code ox_patches_apply(struct ox_update *update, struct ox_err *err)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    size_t count = update->patch_path != NULL ? 1 : ox_patches_count(assignment);
    const struct ox_manifest *base_files = &update->journal.before.files;
    char *base_path = NULL;
    enum ox_code code =
        ox_folders_version(update->model_path, update->journal.before.folder, &base_path, err);

    if (code == OX_OK && count > 1) {
        code = ox_folder_make(update->agent->folders.between, 0700, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const struct ox_manifest *target_files =
            i + 1 == count ? &assignment->files : files_of(assignment, i);
        char *target_path = NULL;
        char *patch_path = NULL;

        if ((code = place_of(update, i, count, &target_path, err)) == OX_OK &&
            (code = patch_path_of(update, i, &patch_path, err)) == OX_OK) {
            const struct step step = {base_path, base_files, patch_path, target_path, target_files};

            code = apply_step(&step, &update->stop, err);
        }
        if (code != OX_OK && count > 1) {
            (void)ox_err_context(err, "patch %zu of %zu", i + 1, count);
        }
        if (code == OX_OK && i > 0) {
            code = ox_remove_tree(base_path, err);
        }
        free(patch_path);
        free(base_path);
        base_path = target_path;
        base_files = target_files;
    }
    free(base_path);
    return code;
}

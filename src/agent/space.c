#include "space.h"

#include "holders.h"
#include "oxide/base/file.h"
#include "patches.h"
#include "reuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* --- how much --- */

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Bytes of a file of an earlier try that is gone on with; one with another name is shared. */
static uint64_t begun_bytes(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 ? (uint64_t)st.st_size
                                                                            : 0;
}

/* What is there of a file already: its part, or itself in staging. */
static uint64_t have_bytes(const struct ox_update *update, const struct ox_manifest_file *file)
{
    const struct ox_folders *folders = &update->agent->folders;
    char *part = NULL;
    char *staged = NULL;
    uint64_t bytes = 0;

    if (ox_folders_part(folders, &file->sha256, &part, NULL) == OX_OK &&
        ox_path_join(&staged, folders->staging, file->path, NULL) == OX_OK) {
        bytes = ox_path_exists(part) ? begun_bytes(part) : begun_bytes(staged);
    }
    free(part);
    free(staged);
    return bytes < file->size_bytes ? bytes : file->size_bytes;
}

static uint64_t needed_by_file(const struct ox_update *update, size_t index)
{
    const struct ox_manifest *files = &update->journal.assignment.files;
    const struct ox_manifest_file *file = &files->files[index];
    size_t like = ox_reuse_first_like(files, index);

    if (like < index) {
        return files->files[like].executable == file->executable ? 0 : file->size_bytes;
    }
    return ox_reuse_is_likely(update, file) ? 0 : file->size_bytes - have_bytes(update, file);
}

uint64_t ox_space_needed(const struct ox_update *update)
{
    const struct ox_assignment *assignment = &update->journal.assignment;
    uint64_t need = 0;

    if (update->ready) {
        return 0;
    }
    if (update->use_patch) {
        uint64_t have = ox_patches_are_begun(update) ? ox_manifest_size(&assignment->files) : 0;

        need = ox_patches_disk_bytes(assignment);
        return need > have ? need - have : 0;
    }
    for (size_t i = 0; i < assignment->files.count; i++) {
        need = add(need, needed_by_file(update, i));
    }
    return need;
}

/* --- is it there --- */

/* "; process 17 (app) and 2 others still hold 1,234 bytes of removed files there: restart them" */
static void tell_holders(const char *root, char *out, size_t out_bytes)
{
    struct ox_holders holders;
    char bytes_text[OX_NUMBER_TEXT_MAX];
    char others[48] = "";

    ox_holders_find(root, &holders);
    out[0] = '\0';
    if (holders.processes == 0) {
        return;
    }
    if (holders.processes > 1) {
        (void)snprintf(others, sizeof(others), " and %zu more", holders.processes - 1);
    }
    (void)snprintf(out, out_bytes,
                   "; process %ld (%s)%s still %s %s bytes of files that were removed there: "
                   "restart %s",
                   holders.pid, holders.name, others, holders.processes > 1 ? "hold" : "holds",
                   ox_number_text(holders.bytes, bytes_text),
                   holders.processes > 1 ? "them" : "it");
}

enum ox_code ox_space_check(const struct ox_update *update, struct ox_err *err)
{
    const char *root = update->agent->folders.root;
    uint64_t need = add(ox_space_needed(update), OX_UPDATE_MARGIN_BYTES);
    uint64_t free_bytes = 0;
    char need_text[OX_NUMBER_TEXT_MAX];
    char free_text[OX_NUMBER_TEXT_MAX];
    char lack_text[OX_NUMBER_TEXT_MAX];
    char holders[256];
    enum ox_code code;

    if (update->ready) {
        return OX_OK;
    }
    code = ox_disk_free(root, &free_bytes, err);
    if (code == OX_OK && free_bytes < need) {
        tell_holders(root, holders, sizeof(holders));
        code = ox_err_set(err, OX_ENOSPC,
                          "%s bytes lack: the update needs %s on the disk, %s are free: make room "
                          "in %.200s%s",
                          ox_number_text(need - free_bytes, lack_text),
                          ox_number_text(need, need_text), ox_number_text(free_bytes, free_text),
                          root, holders);
    }
    return code;
}

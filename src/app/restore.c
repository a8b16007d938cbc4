#include "oxide/app/restore.h"

#include "folder.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/base/io.h"
#include "oxide/control/backup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A registry and what SQLite keeps beside it. */
static const char *const ends[] = {"", "-wal", "-shm"};
#define ENDS (sizeof(ends) / sizeof(ends[0]))

static enum ox_code move_away(const char *path, const char *to, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = ENDS; code == OX_OK && i > 0; i--) {
        char *from_name = NULL;
        char *to_name = NULL;

        if ((code = ox_strf(&from_name, err, "%s%s", path, ends[i - 1])) == OX_OK &&
            (code = ox_strf(&to_name, err, "%s%s", to, ends[i - 1])) == OX_OK &&
            rename(from_name, to_name) != 0 && errno != ENOENT) {
            code = ox_err_sys(err, errno, "renaming %s", from_name);
        }
        free(from_name);
        free(to_name);
    }
    return code;
}

/* Give the registry that is there another name. Opened and closed first, it is one file; one that
 * is too damaged for that goes with its log. */
static enum ox_code replace_registry(const struct ox_data_folder *folder,
                                     struct ox_app_restored *out, struct ox_err *err)
{
    struct ox_registry *old = NULL;
    char *to = NULL;
    enum ox_code code;

    if (ox_registry_open(&old, folder->registry_path, NULL) == OX_OK) {
        ox_registry_close(old);
    }
    (void)snprintf(out->replaced, sizeof(out->replaced), "registry.db.%lld",
                   (long long)ox_clock_system()->wall_ms(NULL));
    code = ox_path_join(&to, folder->dir, out->replaced, err);
    if (code == OX_OK) {
        code = move_away(folder->registry_path, to, err);
    }
    free(to);
    return code;
}

static void remove_leftovers(const char *path)
{
    for (size_t i = 0; i < ENDS; i++) {
        char *name = NULL;

        if (ox_strf(&name, NULL, "%s%s", path, ends[i]) == OX_OK) {
            (void)unlink(name);
        }
        free(name);
    }
}

static enum ox_code restore_into(const struct ox_data_folder *folder,
                                 const struct ox_source *archive, struct ox_stop *stop,
                                 struct ox_app_restored *out, struct ox_err *err)
{
    struct ox_restored restored;
    char *fresh = NULL;
    enum ox_code code = ox_strf(&fresh, err, "%s.restoring", folder->registry_path);

    if (code != OX_OK) {
        return code;
    }
    remove_leftovers(fresh);
    code = ox_restore(archive, folder->store, fresh, stop, &restored, err);
    if (code == OX_OK && ox_path_exists(folder->registry_path)) {
        code = replace_registry(folder, out, err);
    }
    if (code == OX_OK && rename(fresh, folder->registry_path) != 0) {
        code = ox_err_sys(err, errno, "renaming %s", fresh);
    }
    if (code == OX_OK) {
        code = ox_dir_sync(folder->dir, err);
        out->made_ms = restored.made_ms;
        out->devices = restored.devices;
        out->campaigns = restored.campaigns;
        out->blobs = restored.blobs;
        out->missing = restored.missing;
    } else {
        remove_leftovers(fresh);
    }
    free(fresh);
    return code;
}

enum ox_code ox_app_restore(const char *file, const char *data_dir, bool replace,
                            struct ox_stop *stop, struct ox_app_restored *out, struct ox_err *err)
{
    struct ox_data_folder folder = {.lock_fd = -1};
    struct ox_app_restored restored = {.made_ms = 0};
    struct ox_fd_io io = {-1, file};
    struct ox_source archive;
    uint64_t size_bytes = 0;
    enum ox_code code = ox_file_open_read(file, &io.fd, &size_bytes, err);

    if (code != OX_OK) {
        return code;
    }
    archive = ox_fd_source(&io, size_bytes);
    if ((code = ox_dir_make(data_dir, 0750, err)) == OX_OK &&
        (code = ox_data_folder_open(&folder, data_dir, err)) == OX_OK) {
        if (!replace && ox_path_exists(folder.registry_path)) {
            code = ox_err_set(err, OX_ECONFLICT,
                              "data folder %s holds a registry already: restore into another "
                              "folder, or say --force, which keeps it under another name",
                              data_dir);
        } else if ((code = restore_into(&folder, &archive, stop, &restored, err)) != OX_OK) {
            ox_err_context(err, "restoring %s", file);
        }
    }
    ox_data_folder_close(&folder);
    (void)close(io.fd);
    if (code == OX_OK) {
        *out = restored;
    }
    return code;
}

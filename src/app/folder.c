#include "folder.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"

#include <stdlib.h>
#include <unistd.h>

enum ox_code ox_data_folder_open(struct ox_data_folder *out, const char *dir, struct ox_err *err)
{
    char *lock = NULL;
    enum ox_code code;

    *out = (struct ox_data_folder){.dir = dir, .lock_fd = -1};
    if ((code = ox_path_join(&lock, dir, "lock", err)) == OX_OK &&
        (code = ox_path_join(&out->registry_path, dir, "registry.db", err)) == OX_OK &&
        (code = ox_lock_file(lock, &out->lock_fd, err)) == OX_OK) {
        code = ox_store_open(&out->store, dir, ox_clock_system()->wall_ms(NULL), err);
    } else if (code == OX_EBUSY) {
        code = ox_err_set(err, OX_EBUSY, "a control plane runs on it: stop it first");
    }
    free(lock);
    return code == OX_OK ? OX_OK : (ox_err_context(err, "data folder %s", dir), code);
}

void ox_data_folder_close(struct ox_data_folder *folder)
{
    ox_registry_close(folder->registry);
    ox_store_close(folder->store);
    if (folder->lock_fd >= 0) {
        (void)close(folder->lock_fd);
    }
    free(folder->registry_path);
}

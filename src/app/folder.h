/** The folder of a control plane that does not run: its lock, store and registry. */
#ifndef OX_APP_FOLDER_H
#define OX_APP_FOLDER_H

#include "oxide/registry/registry.h"
#include "oxide/store/store.h"

struct ox_data_folder {
    const char *dir; /* lent */
    int lock_fd;
    struct ox_store *store;
    struct ox_registry *registry; /* NULL until it is opened */
    char *registry_path;
};

/** Lock the folder and open its store; the registry's path is told, not opened. The caller closes
 *  *out in every case. Errors: OX_EBUSY if a control plane runs on it; the system's. */
OX_MUST_USE enum ox_code ox_data_folder_open(struct ox_data_folder *out, const char *dir,
                                             struct ox_err *err);
void ox_data_folder_close(struct ox_data_folder *folder);

#endif

/**
 * Who still holds files that were removed: their bytes are free only when it lets go. Told by
 * /proc, as far as this process may read there; a process in another mount namespace may know the
 * files by other names, and is not found.
 */
#ifndef OX_AGENT_HOLDERS_H
#define OX_AGENT_HOLDERS_H

#include <stddef.h>
#include <stdint.h>

#define OX_HOLDER_NAME_MAX 32

struct ox_holders {
    uint64_t bytes;                /* of removed files below the folder that are open or mapped,
                                      each counted once */
    size_t processes;              /* that hold any; 0: none is known */
    long pid;                      /* the one that was found first */
    char name[OX_HOLDER_NAME_MAX]; /* of that one: "tritonserver" */
};

/** Look for processes, apart from this one, that hold removed files below the folder `root`, which
 *  is absolute and without symlinks. Never fails: what cannot be read is passed over. */
void ox_holders_find(const char *root, struct ox_holders *out);

#endif

/**
 * Who may read the files of a model. Nobody writes to them: they may be shared by several versions.
 * Without a group everybody reads (0444, executable ones 0555, folders 0755). With one, its members
 * alone do (0440, 0550), and folders hand the group on (2750), where the agent may set that bit.
 */
#ifndef OX_AGENT_ACCESS_H
#define OX_AGENT_ACCESS_H

#include "oxide/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct ox_access {
    bool has_group;
    gid_t group; /* only if has_group */
};

/** What a group's name means for this process; NULL: no group. Errors: OX_EPERM, which says what to
 *  do, if there is no such group, or the agent is not in it and so cannot give files to it. */
OX_MUST_USE enum ox_code ox_access_resolve(struct ox_access *out, const char *group,
                                           struct ox_err *err);

/** Give an open file, or folder, its group and mode. `path` is for messages. */
OX_MUST_USE enum ox_code ox_access_file(const struct ox_access *access, int fd, bool executable,
                                        const char *path, struct ox_err *err);
OX_MUST_USE enum ox_code ox_access_folder(const struct ox_access *access, int fd, const char *path,
                                          struct ox_err *err);

/** What a folder that was given its group and mode says. */
OX_MUST_USE enum ox_code ox_access_of(struct ox_access *out, const char *path, struct ox_err *err);

/** A folder that stays when versions come and go: only what a group asks for is changed, or what an
 *  earlier one asked for. Errors: OX_EPERM if it is a symlink. */
OX_MUST_USE enum ox_code ox_access_home(const struct ox_access *access, const char *path,
                                        struct ox_err *err);

#endif

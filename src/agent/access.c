#include "access.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY_BYTES_MAX ((size_t)1 << 20) /* of a group with all its members */

static enum ox_code find_group(const char *name, gid_t *out, struct ox_err *err)
{
    struct group entry;
    struct group *found = NULL;
    char *text = NULL;
    int why = ERANGE;

    for (size_t bytes = 1024; why == ERANGE && bytes <= ENTRY_BYTES_MAX; bytes *= 4) {
        free(text);
        text = malloc(bytes);
        if (text == NULL) {
            return ox_err_nomem(err, "a group");
        }
        why = getgrnam_r(name, &entry, text, bytes, &found);
    }
    if (found != NULL) {
        *out = found->gr_gid;
    }
    free(text);
    return found != NULL ? OX_OK
                         : ox_err_set(err, OX_EPERM,
                                      "there is no group %s here: make it ('groupadd %s'), or set "
                                      "another as 'group'",
                                      name, name);
}

/* May this process give its files to the group? */
static bool may_give(gid_t group)
{
    gid_t *groups;
    int count = getgroups(0, NULL);
    bool in = geteuid() == 0 || getegid() == group;

    if (in || count <= 0 || (groups = calloc((size_t)count, sizeof(*groups))) == NULL) {
        return in;
    }
    count = getgroups(count, groups);
    for (int i = 0; i < count; i++) {
        in = in || groups[i] == group;
    }
    free(groups);
    return in;
}

enum ox_code ox_access_resolve(struct ox_access *out, const char *group, struct ox_err *err)
{
    struct ox_access access = {.has_group = group != NULL};
    enum ox_code code = group == NULL ? OX_OK : find_group(group, &access.group, err);

    if (code == OX_OK && group != NULL && !may_give(access.group)) {
        code = ox_err_set(err, OX_EPERM,
                          "the agent is not in group %s, so it cannot give files to it: 'usermod "
                          "-aG %s USER', and start the agent again",
                          group, group);
    }
    if (code == OX_OK) {
        *out = access;
    }
    return code;
}

static enum ox_code set(const struct ox_access *access, int fd, mode_t mode, const char *path,
                        struct ox_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return ox_err_sys(err, errno, "looking at %s", path);
    }
    if (access->has_group && st.st_gid != access->group &&
        fchown(fd, (uid_t)-1, access->group) != 0) {
        return ox_err_sys(err, errno, "giving %s to group %u", path, (unsigned)access->group);
    }
    /* systemd's RestrictSUIDSGID= forbids the bit that hands the group on: we give it file by file
     * anyway. */
    return (st.st_mode & 07777) == mode || fchmod(fd, mode) == 0 ||
                   (errno == EPERM && (mode & S_ISGID) != 0 && fchmod(fd, mode & 0777) == 0)
               ? OX_OK
               : ox_err_sys(err, errno, "setting the mode of %s", path);
}

enum ox_code ox_access_file(const struct ox_access *access, int fd, bool executable,
                            const char *path, struct ox_err *err)
{
    return set(access, fd,
               access->has_group ? (executable ? 0550 : 0440) : (executable ? 0555 : 0444), path,
               err);
}

enum ox_code ox_access_folder(const struct ox_access *access, int fd, const char *path,
                              struct ox_err *err)
{
    return set(access, fd, access->has_group ? 02750 : 0755, path, err);
}

enum ox_code ox_access_home(const struct ox_access *access, const char *path, struct ox_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    enum ox_code code = OX_OK;

    if (fd < 0) {
        return errno == ELOOP || errno == ENOTDIR
                   ? ox_err_set(err, OX_EPERM,
                                "%s is not a folder, but stands where one of the agent's belongs: "
                                "remove it",
                                path)
                   : ox_err_sys(err, errno, "opening folder %s", path);
    }
    if (access->has_group || (fstat(fd, &st) == 0 && (st.st_mode & S_ISGID) != 0)) {
        code = ox_access_folder(access, fd, path, err);
    }
    (void)close(fd);
    return code;
}

enum ox_code ox_access_of(struct ox_access *out, const char *path, struct ox_err *err)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        return ox_err_sys(err, errno, "looking at %s", path);
    }
    *out = (struct ox_access){.has_group = (st.st_mode & 0077) == 0050, .group = st.st_gid};
    return OX_OK;
}

#include "swap.h"

#include "oxide/base/buf.h"
#include "oxide/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1u << 1) /* renameat2(2); headers tell it under _GNU_SOURCE alone */
#endif

/* By syscall: C libraries have a function for it only since 2018. Returns 0 or -1 and errno. */
static int exchange(const char *a, const char *b)
{
#ifdef SYS_renameat2
    return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
#else
    (void)a;
    (void)b;
    errno = ENOSYS;
    return -1;
#endif
}

enum ox_code swap_by_renames(const char *fresh, const char *path, char **old, struct ox_err *err)
{
    char *aside = NULL;
    enum ox_code code = ox_strf(&aside, err, "%s.old", fresh);

    if (code != OX_OK) {
        return code;
    }
    if (rename(path, aside) != 0) {
        code = ox_err_sys(err, errno, "setting aside what stands at %s", path);
    } else if (rename(fresh, path) != 0) {
        code = ox_err_sys(err, errno, "renaming a new %s into place", path);
        if (rename(aside, path) != 0) {
            (void)ox_err_context(err, "%s is now %s, give it its name back by hand", path, aside);
        }
    }
    if (code != OX_OK) {
        free(aside);
        return code;
    }
    *old = aside;
    return OX_OK;
}

enum ox_code ox_swap(const char *fresh, const char *path, char **old, struct ox_err *err)
{
    char *name = NULL;
    enum ox_code code = ox_strdup(&name, fresh, err); /* before anything has moved */
    int why;

    if (code != OX_OK) {
        return code;
    }
    if (exchange(fresh, path) == 0) {
        *old = name;
        return OX_OK;
    }
    why = errno;
    free(name);
    if (why != ENOSYS && why != EINVAL && why != EOPNOTSUPP) {
        return ox_err_sys(err, why, "exchanging %s for a new one", path);
    }
    return swap_by_renames(fresh, path, old, err); /* NFS and others know no exchange */
}

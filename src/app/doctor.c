#include "doctor_kind.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static bool holds(const char *dir, const char *name)
{
    char *path = NULL;
    bool there = ox_path_join(&path, dir, name, NULL) == OX_OK && ox_path_exists(path);

    free(path);
    return there;
}

static enum ox_code check_folder(const struct doctor_kind *kind, const char *dir,
                                 struct ox_err *err)
{
    DIR *opened = opendir(dir);
    bool any = false;

    if (opened == NULL) {
        return ox_err_sys(err, errno, "reading folder %s", dir);
    }
    (void)closedir(opened);
    for (size_t i = 0; kind->marks[i] != NULL; i++) {
        any = any || holds(dir, kind->marks[i]);
    }
    return any ? OX_OK : ox_err_set(err, OX_ENOTFOUND, "folder %s: %s", dir, kind->none);
}

static enum ox_code take_lock(const struct doctor_kind *kind, const char *dir,
                              struct ox_checkup *checkup, int *lock_fd, struct ox_err *err)
{
    char *lock = NULL;
    enum ox_code code = ox_path_join(&lock, dir, kind->lock, err);

    if (code == OX_OK && checkup->fix) {
        code = ox_lock_file(lock, lock_fd, err);
        if (code == OX_EBUSY) {
            code = ox_err_set(err, OX_EBUSY, "folder %s: %s", dir, kind->busy);
        }
    } else if (code == OX_OK) {
        checkup->in_use = ox_lock_is_held(lock);
    }
    free(lock);
    return code;
}

enum ox_code doctor_examine(const struct doctor_kind *kind, const char *dir,
                            struct ox_checkup *checkup, struct ox_err *err)
{
    int lock_fd = -1;
    enum ox_code code = check_folder(kind, dir, err);

    checkup->now_ms = ox_clock_system()->wall_ms(NULL);
    if (code == OX_OK && (code = take_lock(kind, dir, checkup, &lock_fd, err)) == OX_OK) {
        code = kind->examine(dir, checkup, err);
    }
    if (lock_fd >= 0) {
        (void)close(lock_fd);
    }
    return code;
}

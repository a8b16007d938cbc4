#include "links.h"

#include "oxide/base/background.h"
#include "oxide/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A file that is open may be linked by its name in /proc, whatever its own name leads to now. */
static int link_open(int fd, const char *path)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

/* File systems without hard links, or without room for one more; or no /proc. */
static bool may_copy(int why)
{
    return why == EXDEV || why == EMLINK || why == EPERM || why == ENOSYS || why == EOPNOTSUPP ||
           why == ENOENT || why == EACCES;
}

static enum ox_code copy_open(int fd, uint64_t size_bytes, const char *path, struct ox_err *err)
{
    static const size_t block_bytes = (size_t)256 * 1024;
    struct ox_drop_behind read_behind = {0, 0, 0};
    struct ox_drop_behind write_behind = {0, 0, 0};
    uint8_t *block = malloc(block_bytes);
    int out =
        block == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum ox_code code = block == NULL ? ox_err_nomem(err, "a copy")
                        : out < 0     ? ox_err_sys(err, errno, "creating %s", path)
                                      : OX_OK;

    for (uint64_t at = 0; code == OX_OK && at < size_bytes;) {
        size_t take = size_bytes - at < block_bytes ? (size_t)(size_bytes - at) : block_bytes;

        code = ox_pread_full(fd, at, block, take, path, err);
        if (code == OX_OK) {
            code = ox_pwrite_full(out, at, block, take, path, err);
            ox_drop_behind_read(&read_behind, fd, at, take);
            ox_drop_behind_wrote(&write_behind, out, at, take);
        }
        at += take;
    }
    if (out >= 0 && close(out) != 0 && code == OX_OK) {
        code = ox_err_sys(err, errno, "closing %s", path);
    }
    if (out >= 0 && code != OX_OK) {
        (void)unlink(path);
    }
    free(block);
    return code;
}

enum ox_code ox_link_or_copy(const char *dir, const char *relative, bool link_it, const char *path,
                             struct ox_err *err)
{
    uint64_t size_bytes = 0;
    int fd = -1;
    int why = EXDEV;
    enum ox_code code = ox_file_open_below(dir, relative, &fd, &size_bytes, err);

    if (code != OX_OK) {
        return code;
    }
    if (link_it) {
        why = link_open(fd, path);
    }
    if (why != 0) {
        code = may_copy(why) ? copy_open(fd, size_bytes, path, err)
                             : ox_err_sys(err, why, "linking %s", path);
    }
    (void)close(fd);
    return code;
}

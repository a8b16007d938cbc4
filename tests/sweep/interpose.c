/*
 * Preloaded into the agent: numbers its calls that change the disk below OXIDE_SWEEP_ROOT, writes a
 * line for each to OXIDE_SWEEP_LOG, and at call OXIDE_SWEEP_AT does what OXIDE_SWEEP_DO says, once:
 *
 *     before, after       the process is killed, before or after the call
 *     ENOSPC, EIO, EINTR  the call fails with that
 *     short               a write takes but half of what it is given; other calls go on
 *
 * To cover another call of the C library: a function at the end.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long calls;

enum verdict { GO_ON, KILL_AFTER, FAIL, HALVE };

/* --- which calls count --- */

static bool is_below_root(const char *path)
{
    const char *root = getenv("OXIDE_SWEEP_ROOT");
    size_t len = root == NULL ? 0 : strlen(root);

    return len > 0 && strncmp(path, root, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool fd_counts(int fd)
{
    char link[64];
    char path[PATH_MAX];
    ssize_t len;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    path[len < 0 ? 0 : len] = '\0';
    return is_below_root(path);
}

static bool path_counts(int dir_fd, const char *path)
{
    return path[0] == '/' ? is_below_root(path) : dir_fd != AT_FDCWD && fd_counts(dir_fd);
}

static bool open_counts(int dir_fd, const char *path, int flags)
{
    return (flags & (O_CREAT | O_TRUNC)) != 0 && path_counts(dir_fd, path);
}

/* --- what happens at one --- */

static _Noreturn void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause();
    }
}

static void note(long number, const char *name)
{
    const char *path = getenv("OXIDE_SWEEP_LOG");
    char line[128];
    int len = snprintf(line, sizeof(line), "%ld %s\n", number, name);
    long fd = path == NULL
                  ? -1
                  : syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (fd >= 0) {
        (void)syscall(SYS_write, fd, line, len);
        (void)syscall(SYS_close, fd);
    }
}

static enum verdict judge(const char *name)
{
    static const struct {
        const char *word;
        int code;
    } failures[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EINTR", EINTR}};
    const char *at = getenv("OXIDE_SWEEP_AT");
    const char *what = getenv("OXIDE_SWEEP_DO");
    long number = atomic_fetch_add(&calls, 1) + 1;

    note(number, name);
    if (at == NULL || what == NULL || number != strtol(at, NULL, 10)) {
        return GO_ON;
    }
    if (strcmp(what, "before") == 0) {
        die();
    }
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (strcmp(failures[i].word, what) == 0) {
            errno = failures[i].code;
            return FAIL;
        }
    }
    return strcmp(what, "after") == 0 ? KILL_AFTER : strcmp(what, "short") == 0 ? HALVE : GO_ON;
}

/* The function that this one stands in front of. */
static void *real(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (function == NULL) {
        die();
    }
    return function;
}

#define REAL(name) ((__typeof__(&name))real(#name))

#define AROUND(counts, call)                                                                       \
    enum verdict verdict = (counts) ? judge(__func__) : GO_ON;                                     \
    __typeof__(call) result;                                                                       \
    int why;                                                                                       \
    if (verdict == FAIL) {                                                                         \
        return -1;                                                                                 \
    }                                                                                              \
    result = (call);                                                                               \
    why = errno;                                                                                   \
    if (verdict == KILL_AFTER) {                                                                   \
        die();                                                                                     \
    }                                                                                              \
    errno = why;                                                                                   \
    return result

/* --- the calls --- */

static mode_t mode_of(int flags, va_list args)
{
    return (flags & O_CREAT) != 0 ? (mode_t)va_arg(args, int) : 0;
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list args;                                                                              \
        mode_t mode;                                                                               \
        va_start(args, flags);                                                                     \
        mode = mode_of(flags, args);                                                               \
        va_end(args);                                                                              \
        AROUND(open_counts(AT_FDCWD, path, flags), REAL(name)(path, flags, mode));                 \
    }
#define OPENAT(name)                                                                               \
    int name(int dir, const char *path, int flags, ...)                                            \
    {                                                                                              \
        va_list args;                                                                              \
        mode_t mode;                                                                               \
        va_start(args, flags);                                                                     \
        mode = mode_of(flags, args);                                                               \
        va_end(args);                                                                              \
        AROUND(open_counts(dir, path, flags), REAL(name)(dir, path, flags, mode));                 \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int mkstemp(char *template)
{
    AROUND(path_counts(AT_FDCWD, template), REAL(mkstemp)(template));
}

int mkstemp64(char *template)
{
    AROUND(path_counts(AT_FDCWD, template), REAL(mkstemp64)(template));
}

int mkostemp(char *template, int flags)
{
    AROUND(path_counts(AT_FDCWD, template), REAL(mkostemp)(template, flags));
}

int mkostemp64(char *template, int flags)
{
    AROUND(path_counts(AT_FDCWD, template), REAL(mkostemp64)(template, flags));
}

#define HALF(len) (verdict == HALVE && (len) > 1 ? (len) / 2 : (len))

ssize_t write(int fd, const void *bytes, size_t len)
{
    AROUND(fd_counts(fd), REAL(write)(fd, bytes, HALF(len)));
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    AROUND(fd_counts(fd), REAL(pwrite)(fd, bytes, HALF(len), at));
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    AROUND(fd_counts(fd), REAL(pwrite64)(fd, bytes, HALF(len), at));
}

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t len,
                        unsigned flags)
{
    AROUND(fd_counts(out), REAL(copy_file_range)(in, in_at, out, out_at, HALF(len), flags));
}

int fsync(int fd)
{
    AROUND(fd_counts(fd), REAL(fsync)(fd));
}

int fdatasync(int fd)
{
    AROUND(fd_counts(fd), REAL(fdatasync)(fd));
}

int ftruncate(int fd, off_t len)
{
    AROUND(fd_counts(fd), REAL(ftruncate)(fd, len));
}

int ftruncate64(int fd, off64_t len)
{
    AROUND(fd_counts(fd), REAL(ftruncate64)(fd, len));
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
    AROUND(fd_counts(fd), REAL(fallocate)(fd, mode, at, len));
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
    AROUND(fd_counts(fd), REAL(fallocate64)(fd, mode, at, len));
}

int sync_file_range(int fd, off64_t at, off64_t len, unsigned flags)
{
    AROUND(fd_counts(fd), REAL(sync_file_range)(fd, at, len, flags));
}

int chmod(const char *path, mode_t mode)
{
    AROUND(path_counts(AT_FDCWD, path), REAL(chmod)(path, mode));
}

int fchown(int fd, uid_t user, gid_t group)
{
    AROUND(fd_counts(fd), REAL(fchown)(fd, user, group));
}

int fchownat(int dir, const char *path, uid_t user, gid_t group, int flags)
{
    AROUND(path_counts(dir, path), REAL(fchownat)(dir, path, user, group, flags));
}

int fchmod(int fd, mode_t mode)
{
    AROUND(fd_counts(fd), REAL(fchmod)(fd, mode));
}

int mkdir(const char *path, mode_t mode)
{
    AROUND(path_counts(AT_FDCWD, path), REAL(mkdir)(path, mode));
}

int mkdirat(int dir, const char *path, mode_t mode)
{
    AROUND(path_counts(dir, path), REAL(mkdirat)(dir, path, mode));
}

int rmdir(const char *path)
{
    AROUND(path_counts(AT_FDCWD, path), REAL(rmdir)(path));
}

int unlink(const char *path)
{
    AROUND(path_counts(AT_FDCWD, path), REAL(unlink)(path));
}

int unlinkat(int dir, const char *path, int flags)
{
    AROUND(path_counts(dir, path), REAL(unlinkat)(dir, path, flags));
}

int rename(const char *from, const char *to)
{
    AROUND(path_counts(AT_FDCWD, to), REAL(rename)(from, to));
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    AROUND(path_counts(to_dir, to), REAL(renameat)(from_dir, from, to_dir, to));
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    AROUND(path_counts(to_dir, to), REAL(renameat2)(from_dir, from, to_dir, to, flags));
}

int link(const char *from, const char *to)
{
    AROUND(path_counts(AT_FDCWD, to), REAL(link)(from, to));
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    AROUND(path_counts(to_dir, to), REAL(linkat)(from_dir, from, to_dir, to, flags));
}

int symlink(const char *leads, const char *path)
{
    AROUND(path_counts(AT_FDCWD, path), REAL(symlink)(leads, path));
}

int symlinkat(const char *leads, int dir, const char *path)
{
    AROUND(path_counts(dir, path), REAL(symlinkat)(leads, dir, path));
}

/*
 * Preloaded into the agent: numbers its calls that change the disk below OXIDE_SWEEP_ROOT, writes a
 * line for each to OXIDE_SWEEP_LOG (number, name, what it is of; "!" in front of the one that was
 * hit), and at call OXIDE_SWEEP_AT does what OXIDE_SWEEP_DO says, once:
 *
 *     before, after       the process is killed, before or after the call
 *     ENOSPC, EIO, EINTR  the call fails with that
 *     short               a write takes but half of what it is given; only such calls have a number
 *
 * The process ends with the one that started it, so that nothing is left of a sweep that is broken
 * off. To cover another call of the C library: a function at the end. seen.sh compares with what
 * strace sees.
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static atomic_long calls;

enum verdict { GO_ON, KILL_AFTER, FAIL, HALVE };

/* --- which calls count --- */

/* What the call is of, for its line; "" if it lies elsewhere. */
static _Thread_local char subject[2 * PATH_MAX];

static bool is_below_root(void)
{
    const char *root = getenv("OXIDE_SWEEP_ROOT");
    size_t len = root == NULL ? 0 : strlen(root);

    return len > 0 && strncmp(subject, root, len) == 0 &&
           (subject[len] == '/' || subject[len] == '\0');
}

static void look_up(int fd)
{
    char link[64];
    ssize_t len;

    (void)snprintf(link, sizeof(link), fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
    len = readlink(link, subject, PATH_MAX - 1);
    subject[len < 0 ? 0 : len] = '\0';
}

static bool fd_counts(int fd)
{
    look_up(fd);
    return is_below_root();
}

static bool path_counts(int dir_fd, const char *path)
{
    size_t len = 0;

    if (path[0] != '/') {
        look_up(dir_fd);
        len = strlen(subject);
        subject[len++] = '/';
    }
    (void)snprintf(subject + len, sizeof(subject) - len, "%s", path);
    return is_below_root();
}

/* A socket's name as oxide/base/socket.h gives it: in a folder that is open. */
static bool socket_counts(const struct sockaddr *address)
{
    const struct sockaddr_un *local = (const void *)address;
    int dir_fd = -1;
    int at = 0;

    return address->sa_family == AF_UNIX &&
           (sscanf(local->sun_path, "/proc/self/fd/%d/%n", &dir_fd, &at) == 1 && at > 0
                ? path_counts(dir_fd, local->sun_path + at)
                : path_counts(AT_FDCWD, local->sun_path));
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

static void note(long number, bool hit, const char *name)
{
    const char *path = getenv("OXIDE_SWEEP_LOG");
    char line[sizeof(subject) + 128];
    int len = snprintf(line, sizeof(line), "%s%ld %s %s\n", hit ? "!" : "", number, name,
                       subject + strlen(getenv("OXIDE_SWEEP_ROOT")));
    long fd = path == NULL
                  ? -1
                  : syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (fd >= 0) {
        (void)syscall(SYS_write, fd, line, len);
        (void)syscall(SYS_close, fd);
    }
}

static enum verdict judge(const char *name, bool writes)
{
    static const struct {
        const char *word;
        int code;
    } failures[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EINTR", EINTR}};
    const char *at = getenv("OXIDE_SWEEP_AT");
    const char *what = getenv("OXIDE_SWEEP_DO");
    bool shortens = what != NULL && strcmp(what, "short") == 0;
    long number;
    bool hit;

    if (shortens && !writes) {
        return GO_ON;
    }
    number = atomic_fetch_add(&calls, 1) + 1;
    hit = at != NULL && what != NULL && number == strtol(at, NULL, 10);
    note(number, hit, name);
    if (!hit) {
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
    return strcmp(what, "after") == 0 ? KILL_AFTER : shortens ? HALVE : GO_ON;
}

static __attribute__((constructor)) void end_with_parent(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == 1) { /* it ended before */
        die();
    }
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

#define AROUND(counts, call) AROUND_ANY(counts, false, call)
#define AROUND_WRITE(counts, call) AROUND_ANY(counts, true, call)
#define AROUND_ANY(counts, writes, call)                                                           \
    enum verdict verdict = (counts) ? judge(__func__, writes) : GO_ON;                             \
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

/* What the fortified headers make of those where flags are no constant; it never creates. */
int __open64_2(const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

int __open64_2(const char *path, int flags)
{
    AROUND(open_counts(AT_FDCWD, path, flags), REAL(__open64_2)(path, flags));
}

int __openat64_2(int dir, const char *path, int flags)
{
    AROUND(open_counts(dir, path, flags), REAL(__openat64_2)(dir, path, flags));
}

int mkstemp(char *path)
{
    AROUND(path_counts(AT_FDCWD, path), REAL(mkstemp)(path));
}

int mkstemp64(char *path)
{
    AROUND(path_counts(AT_FDCWD, path), REAL(mkstemp64)(path));
}

int mkostemp(char *path, int flags)
{
    AROUND(path_counts(AT_FDCWD, path), REAL(mkostemp)(path, flags));
}

int mkostemp64(char *path, int flags)
{
    AROUND(path_counts(AT_FDCWD, path), REAL(mkostemp64)(path, flags));
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    AROUND(socket_counts(address), REAL(bind)(fd, address, len));
}

#define HALF(len) (verdict == HALVE && (len) > 1 ? (len) / 2 : (len))

ssize_t write(int fd, const void *bytes, size_t len)
{
    AROUND_WRITE(fd_counts(fd), REAL(write)(fd, bytes, HALF(len)));
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    AROUND_WRITE(fd_counts(fd), REAL(pwrite)(fd, bytes, HALF(len), at));
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    AROUND_WRITE(fd_counts(fd), REAL(pwrite64)(fd, bytes, HALF(len), at));
}

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t len,
                        unsigned flags)
{
    AROUND_WRITE(fd_counts(out), REAL(copy_file_range)(in, in_at, out, out_at, HALF(len), flags));
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

int fchown(int fd, uid_t user, gid_t group)
{
    AROUND(fd_counts(fd), REAL(fchown)(fd, user, group));
}

int fchownat(int dir, const char *path, uid_t user, gid_t group, int flags)
{
    AROUND(path_counts(dir, path), REAL(fchownat)(dir, path, user, group, flags));
}

int chmod(const char *path, mode_t mode)
{
    AROUND(path_counts(AT_FDCWD, path), REAL(chmod)(path, mode));
}

int futimens(int fd, const struct timespec times[2])
{
    AROUND(fd_counts(fd), REAL(futimens)(fd, times));
}

int utimensat(int dir, const char *path, const struct timespec times[2], int flags)
{
    AROUND(path_counts(dir, path), REAL(utimensat)(dir, path, times, flags));
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

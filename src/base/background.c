#define _GNU_SOURCE /* sync_file_range, gettid's number */
#include "oxide/base/background.h"

#include "oxide/base/file.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- priorities --- */

#define NICEST 19
/* Source: Linux, Documentation/block/ioprio.rst; glibc has no header for them. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_CLASS_IDLE 3
#define IOPRIO_CLASS_SHIFT 13

struct work {
    enum ox_code (*run)(void *ctx, struct ox_err *err);
    void *ctx;
    struct ox_err *err;
    enum ox_code code;
};

/* On Linux both are a thread's own. */
static void lower_priority(void)
{
#ifdef SYS_gettid
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICEST);
#endif
#ifdef SYS_ioprio_set
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
#endif
}

static void *run_work(void *arg)
{
    struct work *work = arg;

    lower_priority();
    work->code = work->run(work->ctx, work->err);
    return NULL;
}

enum ox_code ox_background_run(enum ox_code (*run)(void *ctx, struct ox_err *err), void *ctx,
                               struct ox_err *err)
{
    struct work work = {run, ctx, err, OX_OK};
    pthread_t thread;

    if (pthread_create(&thread, NULL, run_work, &work) != 0) {
        return run(ctx, err);
    }
    (void)pthread_join(thread, NULL);
    return work.code;
}

/* --- the cache --- */

#define DROP_EVERY_BYTES ((uint64_t)16 << 20)

/* Add to the range; is it time to give it back? */
static bool is_due(struct ox_drop_behind *behind, uint64_t offset, size_t len_bytes)
{
    if (behind->bytes == 0 || offset < behind->low) {
        behind->low = offset;
    }
    if (behind->bytes == 0 || offset + len_bytes > behind->high) {
        behind->high = offset + len_bytes;
    }
    behind->bytes += len_bytes;
    return behind->bytes >= DROP_EVERY_BYTES;
}

static void drop(struct ox_drop_behind *behind, int fd)
{
    (void)posix_fadvise(fd, (off_t)behind->low, (off_t)(behind->high - behind->low),
                        POSIX_FADV_DONTNEED);
    behind->bytes = 0;
}

void ox_drop_behind_read(struct ox_drop_behind *behind, int fd, uint64_t offset, size_t len_bytes)
{
    if (is_due(behind, offset, len_bytes)) {
        drop(behind, fd);
    }
}

void ox_drop_behind_wrote(struct ox_drop_behind *behind, int fd, uint64_t offset, size_t len_bytes)
{
    if (is_due(behind, offset, len_bytes)) {
        (void)sync_file_range(fd, (off_t)behind->low, (off_t)(behind->high - behind->low),
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER);
        drop(behind, fd);
    }
}

static enum ox_code passing_read_at(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                                    struct ox_err *err)
{
    struct ox_passing *passing = ctx;
    enum ox_code code =
        ox_pread_full(passing->io.fd, offset, out, len_bytes, passing->io.name, err);

    ox_drop_behind_read(&passing->behind, passing->io.fd, offset, len_bytes);
    return code;
}

struct ox_source ox_passing_source(struct ox_passing *passing, uint64_t size_bytes)
{
    return (struct ox_source){passing, size_bytes, passing_read_at};
}

/* uses: delta crypto */
/*
 * time_apply: how fast a patch is applied, the whole-file digests timed apart.
 *
 *   time_apply BASE PATCH OUT [REPEAT]
 *
 * BASE is one file, opened without hashing it; OUT is written anew each time, and removed. Prints
 * one line, of the fastest of REPEAT runs (default 3), fields with tabs between:
 * target bytes; seconds in all; seconds of these inside the digests; both in processor time; peak
 * resident KiB. Seconds run from the creation of OUT to the end of ox_apply_source.
 *
 * The digests' time is no estimate: the linker puts the clock below around every call of
 * ox_sha256_update that oxide's own code makes (--wrap).
 */
#include "oxide/base/file.h"
#include "oxide/crypto/sha256.h"
#include "oxide/delta/delta.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Probes below the library know no context to hang these on. */
static _Atomic uint64_t digest_wall_ns;
static _Atomic uint64_t digest_cpu_ns;

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void __real_ox_sha256_update(struct ox_sha256 *hash, const void *bytes, size_t len_bytes);
void __wrap_ox_sha256_update(struct ox_sha256 *hash, const void *bytes, size_t len_bytes);
void __wrap_ox_sha256_update(struct ox_sha256 *hash, const void *bytes, size_t len_bytes)
{
    uint64_t wall_ns = now_ns(CLOCK_MONOTONIC);
    uint64_t cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);

    __real_ox_sha256_update(hash, bytes, len_bytes);
    atomic_fetch_add(&digest_cpu_ns, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns);
    atomic_fetch_add(&digest_wall_ns, now_ns(CLOCK_MONOTONIC) - wall_ns);
}

struct times {
    uint64_t wall_ns;
    uint64_t digest_wall_ns;
    uint64_t cpu_ns;
    uint64_t digest_cpu_ns;
};

static struct times now(void)
{
    return (struct times){now_ns(CLOCK_MONOTONIC), atomic_load(&digest_wall_ns),
                          now_ns(CLOCK_PROCESS_CPUTIME_ID), atomic_load(&digest_cpu_ns)};
}

static struct times since(const struct times *begin)
{
    struct times end = now();

    return (struct times){end.wall_ns - begin->wall_ns, end.digest_wall_ns - begin->digest_wall_ns,
                          end.cpu_ns - begin->cpu_ns, end.digest_cpu_ns - begin->digest_cpu_ns};
}

/* The base as the patch names it: whoever runs this has made the patch from it. */
static enum ox_code open_base(struct ox_artifact_files **out, char *path,
                              const struct ox_oxdl_side *promised, struct ox_err *err)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    enum ox_code code =
        ox_manifest_single(&manifest, name, promised->size_bytes, &promised->digest, err);

    if (code == OX_OK && slash != NULL) {
        *slash = '\0';
    }
    if (code == OX_OK) {
        code = ox_artifact_open_known(out,
                                      slash == NULL   ? "."
                                      : slash == path ? "/"
                                                      : path,
                                      &manifest, err);
    }
    if (code == OX_OK && slash != NULL) {
        *slash = '/';
    }
    ox_manifest_clear(&manifest);
    return code;
}

static enum ox_code apply_once(const struct ox_delta_side *base, const struct ox_source *patch,
                               uint64_t target_bytes, const char *out_path, struct times *times,
                               struct ox_err *err)
{
    struct ox_target_files *files = NULL;
    struct ox_sink sink;
    struct ox_apply_spec spec = {.base = base, .sink = &sink};
    struct times begin = now();
    enum ox_code code = ox_target_create_file(&files, out_path, target_bytes, err);

    if (code != OX_OK) {
        return code;
    }
    sink = ox_target_sink(files);
    code = ox_apply_source(&spec, patch, err);
    *times = since(&begin);
    ox_target_close(files);
    (void)unlink(out_path);
    return code;
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

int main(int argc, char **argv)
{
    struct ox_oxdl_header header = {0};
    struct ox_artifact_files *base = NULL;
    struct ox_fd_io io = {-1, NULL};
    struct ox_source patch = {0};
    struct ox_err err = OX_ERR_INIT;
    struct rusage usage = {0};
    struct times best = {.wall_ns = UINT64_MAX};
    int repeat = argc > 4 ? atoi(argv[4]) : 3;
    enum ox_code code;

    if (argc < 4 || argc > 5 || repeat < 1) {
        fprintf(stderr, "usage: time_apply BASE PATCH OUT [REPEAT]\n");
        return 2;
    }
    io.name = argv[2];
    code = ox_file_open_read(argv[2], &io.fd, &patch.size_bytes, &err);
    if (code == OX_OK) {
        patch = ox_fd_source(&io, patch.size_bytes);
        code = ox_oxdl_read_header(&patch, &header, &err);
    }
    if (code == OX_OK) {
        code = open_base(&base, argv[1], &header.base, &err);
    }
    for (int i = 0; code == OX_OK && i < repeat; i++) {
        struct times times = {0};

        code = apply_once(ox_artifact_side(base), &patch, header.target.size_bytes, argv[3], &times,
                          &err);
        if (code == OX_OK && times.wall_ns < best.wall_ns) {
            best = times;
        }
    }
    if (code == OX_OK) {
        (void)getrusage(RUSAGE_SELF, &usage);
        printf("%llu\t%.6f\t%.6f\t%.6f\t%.6f\t%ld\n", (unsigned long long)header.target.size_bytes,
               seconds(best.wall_ns), seconds(best.digest_wall_ns), seconds(best.cpu_ns),
               seconds(best.digest_cpu_ns), usage.ru_maxrss);
    } else {
        fprintf(stderr, "time_apply: %s\n", err.msg);
    }
    ox_artifact_close(base);
    ox_oxdl_header_clear(&header);
    if (io.fd >= 0) {
        (void)close(io.fd);
    }
    return code == OX_OK ? 0 : 1;
}

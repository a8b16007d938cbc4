/*
 * Peak memory of POOL patches: a pair far larger than memory should be, from sources that compute
 * their bytes. Sanitizers keep shadows of their own, so there is nothing to measure under them.
 */
#include "helpers.h"

#include "oxide/delta/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#ifdef __OPTIMIZE__
#define BASE_BYTES ((uint64_t)1 << 30)
#else
#define BASE_BYTES ((uint64_t)128 << 20)
#endif

/* Put in front: too long to look for what follows nearby, so the base is indexed; and again in the
 * middle, so that the end of both files is no help. */
#define INSERTED_BYTES ((uint64_t)100000)
#define MIDDLE (BASE_BYTES / 2)

#define CREATE_MAX_KIB (8 * 1024)
#define APPLY_MAX_KIB (2 * 1024)

/* Bytes 8k to 8k + 7 of a stream: k mixed (the finaliser of SplitMix64). */
static uint64_t word_at(uint64_t k)
{
    k = (k ^ k >> 30) * 0xbf58476d1ce4e5b9u;
    k = (k ^ k >> 27) * 0x94d049bb133111ebu;
    return k ^ k >> 31;
}

static enum ox_code stream_read(void *ctx, uint64_t offset, void *out, size_t len,
                                struct ox_err *err)
{
    uint8_t *to = out;

    (void)ctx;
    (void)err;
    for (size_t i = 0; i < len;) {
        uint64_t word = word_at((offset + i) / 8);
        size_t skip = (size_t)((offset + i) % 8);

        for (; skip < 8 && i < len; skip++, i++) {
            to[i] = (uint8_t)(word >> (8 * skip));
        }
    }
    return OX_OK;
}

/* The base with other bytes put in at two places. */
static enum ox_code target_read(void *ctx, uint64_t offset, void *out, size_t len,
                                struct ox_err *err)
{
    const struct {
        uint64_t end, from;
    } parts[] = {{INSERTED_BYTES, BASE_BYTES * 4},
                 {INSERTED_BYTES + MIDDLE, 0},
                 {2 * INSERTED_BYTES + MIDDLE, BASE_BYTES * 5},
                 {2 * INSERTED_BYTES + BASE_BYTES, MIDDLE}};
    uint64_t start = 0;
    uint8_t *to = out;

    for (size_t i = 0; len > 0; start = parts[i++].end) {
        uint64_t left = offset < parts[i].end ? parts[i].end - offset : 0;
        size_t take = left < len ? (size_t)left : len;

        if (take > 0) {
            (void)stream_read(ctx, parts[i].from + offset - start, to, take, err);
            to += take;
            offset += take;
            len -= take;
        }
    }
    return OX_OK;
}

static struct ox_source base = {NULL, BASE_BYTES, stream_read};
static struct ox_source target = {NULL, BASE_BYTES + 2 * INSERTED_BYTES, target_read};

static void create(const void *arg)
{
    int patch_fd = *(const int *)arg;
    struct ox_fd_io io = {patch_fd, "patch"};
    struct ox_output output = ox_fd_output(&io);
    struct ox_pool1_options options = {NULL, NULL};
    struct ox_err err = OX_ERR_INIT;

    if (ox_pool1_create(&base, &target, &options, &output, NULL, &err) != OX_OK) {
        fprintf(stderr, "create: %s\n", err.msg);
        _exit(1);
    }
}

static enum ox_code swallow(void *ctx, const void *bytes, size_t len, struct ox_err *err)
{
    (void)ctx;
    (void)bytes;
    (void)len;
    (void)err;
    return OX_OK;
}

static void apply(const void *arg)
{
    int patch_fd = *(const int *)arg;
    struct ox_fd_io io = {patch_fd, "patch"};
    struct ox_source patch = ox_fd_source(&io, (uint64_t)lseek(patch_fd, 0, SEEK_END));
    struct ox_output output = {NULL, swallow};
    struct ox_pool1_apply_spec spec = {.base = &base, .out = &output};
    struct ox_err err = OX_ERR_INIT;

    if (ox_pool1_apply_source(&spec, &patch, &err) != OX_OK) {
        fprintf(stderr, "apply: %s\n", err.msg);
        _exit(1);
    }
}

static void memory__does_not_grow_with_the_files(void **state)
{
    FILE *patch;
    long grown;
    int patch_fd;

    (void)state;
    if (SANITIZED) {
        print_message("skipped: a sanitizer's own memory would be measured\n");
        skip();
    }
    patch = tmpfile();
    assert_non_null(patch);
    patch_fd = fileno(patch);
    grown = growth_kib(create, &patch_fd);
    print_message("create: %ld KiB for a base of %llu MiB\n", grown,
                  (unsigned long long)(BASE_BYTES >> 20));
    assert_in_range(grown, 0, CREATE_MAX_KIB);
    assert_in_range(lseek(patch_fd, 0, SEEK_END), 2 * INSERTED_BYTES, 2 * INSERTED_BYTES + 200);
    grown = growth_kib(apply, &patch_fd);
    print_message("apply: %ld KiB\n", grown);
    assert_in_range(grown, 0, APPLY_MAX_KIB);
    (void)fclose(patch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory__does_not_grow_with_the_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

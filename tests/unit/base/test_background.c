#define _GNU_SOURCE
#include "helpers.h"

#include "oxide/base/background.h"
#include "oxide/base/file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

struct seen {
    pthread_t thread;
    int nice;
    long io;
    enum ox_code answer;
};

static enum ox_code look(void *ctx, struct ox_err *err)
{
    struct seen *seen = ctx;

    seen->thread = pthread_self();
    seen->nice = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
    seen->io = syscall(SYS_ioprio_get, 1, 0);
    return seen->answer == OX_OK ? OX_OK : ox_err_set(err, seen->answer, "so it ended");
}

static void background__has_priorities_of_its_own_and_hands_on_what_came(void **state)
{
    int nice_before = getpriority(PRIO_PROCESS, 0);
    long io_before = syscall(SYS_ioprio_get, 1, 0);
    struct seen seen = {.answer = OX_EBUSY};
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    assert_int_equal(ox_background_run(look, &seen, &err), OX_EBUSY);
    assert_string_equal(err.msg, "so it ended");
    assert_false(pthread_equal(seen.thread, pthread_self()));
    assert_int_equal(seen.nice, 19);
    assert_int_equal(seen.io >> 13, 3); /* idle */
    assert_int_equal(getpriority(PRIO_PROCESS, 0), nice_before);
    assert_int_equal(syscall(SYS_ioprio_get, 1, 0), io_before);
    seen.answer = OX_OK;
    assert_int_equal(ox_background_run(look, &seen, NULL), OX_OK);
}

/* How many bytes of the file's first `len` are in the system's cache. */
static size_t cached_bytes(int fd, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = len / page;
    unsigned char *in = malloc(pages);
    void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    size_t count = 0;

    assert_non_null(in);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mincore(map, len, in), 0);
    for (size_t i = 0; i < pages; i++) {
        count += in[i] & 1U;
    }
    (void)munmap(map, len);
    free(in);
    return count * page;
}

static int open_temporary(char *path)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    (void)unlink(path);
    return fd;
}

/* Nothing can be dropped from a file system that lives in memory. */
static bool drops(int fd)
{
    char block[4096] = {1};

    assert_int_equal(pwrite(fd, block, sizeof(block), 0), sizeof(block));
    (void)fdatasync(fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return cached_bytes(fd, sizeof(block)) == 0;
}

static void drop_behind__leaves_little_of_a_long_pass(void **state)
{
    char path[] = "/var/tmp/oxide-background-XXXXXX";
    int fd = open_temporary(path);
    size_t len = 48 * MIB;
    uint8_t *block = calloc(1, MIB);
    struct ox_drop_behind behind = {0, 0, 0};
    struct ox_passing passing = {.io = {fd, "a file"}};
    struct ox_source source;

    (void)state;
    assert_non_null(block);
    if (!drops(fd)) {
        (void)close(fd);
        free(block);
        skip();
    }
    for (size_t at = 0; at < len; at += MIB) {
        block[7] = (uint8_t)(at / MIB);
        assert_int_equal(ox_pwrite_full(fd, at, block, MIB, "a file", NULL), OX_OK);
        ox_drop_behind_wrote(&behind, fd, at, MIB);
    }
    assert_true(cached_bytes(fd, len) <= 16 * MIB);
    source = ox_passing_source(&passing, len);
    for (size_t at = 0; at < len; at += MIB) {
        assert_int_equal(ox_source_read(&source, at, block, MIB, NULL), OX_OK);
        assert_int_equal(block[7], at / MIB);
    }
    assert_true(cached_bytes(fd, len) <= 20 * MIB); /* with what the system reads ahead */
    assert_int_equal(ox_source_read(&source, len, block, 1, NULL), OX_ECORRUPT);
    (void)close(fd);
    free(block);
}

static void drop_behind__keeps_what_others_map(void **state)
{
    char path[] = "/var/tmp/oxide-background-XXXXXX";
    int fd = open_temporary(path);
    size_t len = 32 * MIB;
    uint8_t *block = calloc(1, MIB);
    struct ox_passing passing = {.io = {fd, "a file"}};
    struct ox_source source;
    volatile uint8_t *map;
    uint8_t sum = 0;

    (void)state;
    assert_non_null(block);
    if (!drops(fd)) {
        (void)close(fd);
        free(block);
        skip();
    }
    for (size_t at = 0; at < len; at += MIB) {
        assert_int_equal(ox_pwrite_full(fd, at, block, MIB, "a file", NULL), OX_OK);
    }
    assert_int_equal(fsync(fd), 0);
    map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    for (size_t at = 0; at < len; at += 4096) {
        sum = (uint8_t)(sum + map[at]);
    }
    source = ox_passing_source(&passing, len);
    for (size_t at = 0; at < len; at += MIB) {
        assert_int_equal(ox_source_read(&source, at, block, MIB, NULL), OX_OK);
    }
    assert_int_equal(cached_bytes(fd, len), len);
    assert_int_equal(sum, 0);
    (void)munmap((void *)(uintptr_t)map, len);
    (void)close(fd);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(background__has_priorities_of_its_own_and_hands_on_what_came),
        cmocka_unit_test(drop_behind__leaves_little_of_a_long_pass),
        cmocka_unit_test(drop_behind__keeps_what_others_map),
    };
    return cmocka_run_group_tests_name("base/background", tests, NULL, NULL);
}

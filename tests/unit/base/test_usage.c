#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../machine.h"

#include "oxide/base/clock.h"
#include "oxide/base/usage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void usage__tells_what_the_process_takes(void **state)
{
    const size_t len_bytes = (size_t)32 << 20;
    struct ox_usage before;
    struct ox_usage after;
    volatile unsigned work = 0;
    char *memory;
    int fd;

    (void)state;
    if (is_emulated()) {
        skip(); /* qemu-user makes up /proc/self/stat, with zeros */
    }
    assert_int_equal(ox_usage_read(&before, NULL), OX_OK);
    assert_true(before.resident_bytes > 100000);
    assert_true(before.virtual_bytes >= before.resident_bytes);
    assert_int_equal(before.threads, 1);
    memory = malloc(len_bytes);
    assert_non_null(memory);
    memset(memory, 1, len_bytes);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (unsigned i = 0; i < 1000000; i++) {
        work += (unsigned)memory[i];
    }
    assert_int_equal(ox_usage_read(&after, NULL), OX_OK);
    assert_true(after.resident_bytes >= before.resident_bytes + len_bytes / 2);
    assert_int_equal(after.open_fds, before.open_fds + 1);
    assert_true(after.max_fds >= after.open_fds);
    assert_true(after.processor_ns > before.processor_ns);
    (void)close(fd);
    free(memory);
}

static void now__does_not_go_back(void **state)
{
    uint64_t last_ns = ox_clock_now_ns();

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now_ns = ox_clock_now_ns();

        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage__tells_what_the_process_takes),
        cmocka_unit_test(now__does_not_go_back),
    };

    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}

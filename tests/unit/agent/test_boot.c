#include "../../../src/agent/boot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* the above first */
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

static void boot_id__is_told_where_the_system_has_one(void **state)
{
    char first[OX_BOOT_ID_MAX] = "x";
    char again[OX_BOOT_ID_MAX] = "y";

    (void)state;
    ox_boot_id(first);
    ox_boot_id(again);
    assert_string_equal(first, again);
    if (access("/proc/sys/kernel/random/boot_id", R_OK) != 0) {
        assert_string_equal(first, "");
        return;
    }
    assert_int_equal(strlen(first), 36); /* a UUID, and no newline */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_id__is_told_where_the_system_has_one),
    };
    return cmocka_run_group_tests_name("agent/boot", tests, NULL, NULL);
}

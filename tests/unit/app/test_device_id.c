#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/app/device_id.h"
#include "oxide/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct machine {
    char root[64];
};

static int set_up(void **state)
{
    struct machine *machine = calloc(1, sizeof(*machine));

    (void)snprintf(machine->root, sizeof(machine->root), "/tmp/oxide-id.XXXXXX");
    assert_non_null(mkdtemp(machine->root));
    *state = machine;
    return 0;
}

static int tear_down(void **state)
{
    struct machine *machine = *state;

    assert_int_equal(ox_remove_tree(machine->root, NULL), OX_OK);
    free(machine);
    return 0;
}

static void put(const struct machine *machine, const char *path, const char *text, size_t len)
{
    char full[256];
    char *slash;
    FILE *file;

    (void)snprintf(full, sizeof(full), "%s%s", machine->root, path);
    slash = strrchr(full, '/');
    *slash = '\0';
    assert_int_equal(ox_dir_make(full, 0755, NULL), OX_OK);
    *slash = '/';
    file = fopen(full, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const struct machine *machine, const char *path, const char *text)
{
    put(machine, path, text, strlen(text));
}

static void interface(const struct machine *machine, const char *name, const char *mac,
                      const char *assigned, bool is_device)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/sys/class/net/%s/address", name);
    put_text(machine, path, mac);
    (void)snprintf(path, sizeof(path), "/sys/class/net/%s/addr_assign_type", name);
    put_text(machine, path, assigned);
    if (is_device) {
        (void)snprintf(path, sizeof(path), "/sys/class/net/%s/device/vendor", name);
        put_text(machine, path, "0x8086");
    }
}

static void resolves(const struct machine *machine, const char *template, const char *expected)
{
    struct ox_err err = OX_ERR_INIT;
    char id[OX_ID_MAX + 1];

    if (ox_device_id_resolve(template, machine->root, id, &err) != OX_OK) {
        fail_msg("%s: %s", template, err.msg);
    }
    assert_string_equal(id, expected);
}

static void refuses(const struct machine *machine, const char *template, enum ox_code expected,
                    const char *words)
{
    struct ox_err err = OX_ERR_INIT;
    char id[OX_ID_MAX + 1];

    assert_int_equal(ox_device_id_resolve(template, machine->root, id, &err), expected);
    if (strstr(err.msg, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, err.msg);
    }
}

static void id__without_names_is_itself(void **state)
{
    resolves(*state, "cam-01", "cam-01");
    refuses(*state, "", OX_EINVAL, "1 to 256");
    refuses(*state, "cam 01", OX_EINVAL, "letters");
}

static void id__of_a_device_tree(void **state)
{
    put(*state, "/proc/device-tree/serial-number", "10000000a1b2c3d4", 17); /* with its NUL */
    put_text(*state, "/sys/class/dmi/id/product_serial", "other\n");
    resolves(*state, "cam-{serial}", "cam-10000000a1b2c3d4");
}

static void id__of_dmi_passes_by_what_makers_leave_there(void **state)
{
    put_text(*state, "/proc/device-tree/serial-number", "0000000000000000");
    put_text(*state, "/sys/class/dmi/id/product_serial", "To Be Filled By O.E.M.\n");
    put_text(*state, "/sys/class/dmi/id/board_serial", "  PF1/AB 77 \n");
    resolves(*state, "{serial}", "PF1-AB-77");
}

static void id__missing_values_are_errors_that_say_what_to_do(void **state)
{
    refuses(*state, "{serial}", OX_ENOTFOUND, "no serial number");
    refuses(*state, "{mac}", OX_ENOTFOUND, "no network interface");
    refuses(*state, "{machine_id}", OX_ENOTFOUND, "systemd-machine-id-setup");
    refuses(*state, "{hostname}", OX_ENOTFOUND, "hostnamectl");
    put_text(*state, "/proc/sys/kernel/hostname", "localhost.localdomain\n");
    refuses(*state, "{hostname}", OX_ENOTFOUND, "hostnamectl");
    put_text(*state, "/etc/machine-id", "uninitialized\n");
    refuses(*state, "{machine_id}", OX_ENOTFOUND, "machine-id");
}

/* Files of the kernel do not tell how long they are. */
static void id__reads_what_the_kernel_makes(void **state)
{
    static const struct machine kernel = {"/proc/self/root"};
    char id[OX_ID_MAX + 1];
    FILE *file = fopen("/proc/sys/kernel/hostname", "r");
    char hostname[300] = "";

    (void)state;
    assert_non_null(file);
    assert_non_null(fgets(hostname, sizeof(hostname), file));
    (void)fclose(file);
    hostname[strcspn(hostname, "\n")] = '\0';
    if (strncmp(hostname, "localhost", 9) == 0) {
        skip();
    }
    assert_int_equal(ox_device_id_resolve("{hostname}", kernel.root, id, NULL), OX_OK);
    assert_string_equal(id, hostname);
}

static void id__of_several_names(void **state)
{
    put_text(*state, "/proc/sys/kernel/hostname", "Line 3.graz\n");
    put_text(*state, "/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    resolves(*state, "{hostname}_{machine_id}+x", "Line-3.graz_0123456789abcdef0123456789abcdef+x");
}

static void id__takes_the_first_wired_interface_with_an_address_of_its_own(void **state)
{
    interface(*state, "docker0", "02:42:00:00:00:01\n", "3\n", false);
    interface(*state, "lo", "00:00:00:00:00:00\n", "0\n", false);
    interface(*state, "veth12", "aa:aa:aa:aa:aa:aa\n", "0\n", false);
    interface(*state, "eth0", "00:00:00:00:00:00\n", "0\n", true);
    refuses(*state, "{mac}", OX_ENOTFOUND, "hardware address");
    interface(*state, "wlan0", "DC:A6:32:00:00:02\n", "0\n", true);
    resolves(*state, "{mac}", "dca632000002");
    interface(*state, "enp3s0", "dc:a6:32:00:00:03\n", "0\n", true);
    interface(*state, "enp4s0", "dc:a6:32:00:00:04\n", "0\n", true);
    interface(*state, "enp1s0", "dc:a6:32:00:00:05\n", "1\n", true); /* a random one */
    resolves(*state, "cam-{mac}", "cam-dca632000003");
}

static void id__sanitises_values_but_not_the_text_around(void **state)
{
    put_text(*state, "/proc/sys/kernel/hostname", ".a..b\xc3\xa4/../c\n");
    resolves(*state, "{hostname}", "-a.-b---.--c");
    refuses(*state, "a/{hostname}", OX_EINVAL, "letters");
}

static void id__refuses_templates_that_make_no_sense(void **state)
{
    char long_name[300];

    refuses(*state, "{serial", OX_EINVAL, "brace");
    refuses(*state, "serial}", OX_EINVAL, "brace");
    refuses(*state, "{a{b}}", OX_EINVAL, "brace");
    refuses(*state, "{}", OX_EINVAL, "not known");
    refuses(*state, "{Serial}", OX_EINVAL, "{serial}, {hostname}");
    memset(long_name, 'a', sizeof(long_name));
    long_name[200] = '\n';
    put(*state, "/proc/sys/kernel/hostname", long_name, 201);
    refuses(*state, "{hostname}{hostname}", OX_EINVAL, "256");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(id__without_names_is_itself),
        TEST(id__of_a_device_tree),
        TEST(id__of_dmi_passes_by_what_makers_leave_there),
        TEST(id__missing_values_are_errors_that_say_what_to_do),
        TEST(id__reads_what_the_kernel_makes),
        TEST(id__of_several_names),
        TEST(id__takes_the_first_wired_interface_with_an_address_of_its_own),
        TEST(id__sanitises_values_but_not_the_text_around),
        TEST(id__refuses_templates_that_make_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "helpers.h"

#include "../../../src/base/swap.h"

#include "oxide/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

typedef enum ox_code swap_fn(const char *fresh, const char *path, char **old, struct ox_err *err);
static swap_fn *const ways[] = {ox_swap, swap_by_renames};

static void make_folder(void **state, const char *name, const char *text)
{
    char file[64];

    assert_int_equal(mkdir(in_folder(state, name), 0700), 0);
    (void)snprintf(file, sizeof(file), "%s/file", name);
    write_file(in_folder(state, file), text);
}

static void swap__keeps_the_old_folder_under_another_name(void **state)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char *old = NULL;
        char file[4096];

        make_folder(state, "new", "new");
        make_folder(state, "it", "old");
        assert_int_equal(ways[i](in_folder(state, "new"), in_folder(state, "it"), &old, NULL),
                         OX_OK);
        assert_string_equal(read_file(in_folder(state, "it/file")), "new");
        (void)snprintf(file, sizeof(file), "%s/file", old);
        assert_string_equal(read_file(file), "old");
        assert_int_equal(count_entries(*state), 2);
        assert_int_equal(ox_remove_tree(old, NULL), OX_OK);
        assert_int_equal(ox_remove_tree(in_folder(state, "it"), NULL), OX_OK);
        free(old);
    }
}

static void swap__takes_a_folder_for_a_file(void **state)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char *old = NULL;

        make_folder(state, "new", "new");
        write_file(in_folder(state, "it"), "old");
        assert_int_equal(ways[i](in_folder(state, "new"), in_folder(state, "it"), &old, NULL),
                         OX_OK);
        assert_string_equal(read_file(in_folder(state, "it/file")), "new");
        assert_string_equal(read_file(old), "old");
        assert_int_equal(ox_remove_tree(old, NULL), OX_OK);
        assert_int_equal(ox_remove_tree(in_folder(state, "it"), NULL), OX_OK);
        free(old);
    }
}

static void swap__leaves_the_old_where_it_was_on_failure(void **state)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char *old = NULL;
        struct ox_err err = OX_ERR_INIT;

        make_folder(state, "it", "old");
        assert_int_equal(ways[i](in_folder(state, "absent"), in_folder(state, "it"), &old, &err),
                         OX_ENOTFOUND);
        assert_non_null(strstr(err.msg, in_folder(state, "it")));
        assert_null(old);
        assert_string_equal(read_file(in_folder(state, "it/file")), "old");
        assert_int_equal(count_entries(*state), 1);
        assert_int_equal(ox_remove_tree(in_folder(state, "it"), NULL), OX_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(swap__keeps_the_old_folder_under_another_name),
        FOLDER_TEST(swap__takes_a_folder_for_a_file),
        FOLDER_TEST(swap__leaves_the_old_where_it_was_on_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

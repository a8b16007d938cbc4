#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/cli/output.h"

#include "oxide/base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char dir[256];
    char path[300];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    const char *base = getenv("TMPDIR");

    assert_non_null(place);
    (void)snprintf(place->dir, sizeof(place->dir), "%s/oxide-output.XXXXXX",
                   base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(place->dir));
    (void)snprintf(place->path, sizeof(place->path), "%s/out", place->dir);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    enum ox_code code = ox_remove_tree(place->dir, NULL);

    free(place);
    return code == OX_OK ? 0 : 1;
}

static size_t entries(const char *dir)
{
    DIR *open = opendir(dir);
    size_t count = 0;

    assert_non_null(open);
    while (readdir(open) != NULL) {
        count++;
    }
    (void)closedir(open);
    return count - 2; /* "." and ".." */
}

static void assert_holds(const char *path, const char *text)
{
    struct ox_buf buf = OX_BUF_INIT;

    assert_int_equal(ox_file_read_all(path, 1000, &buf, NULL), OX_OK);
    assert_int_equal(buf.len_bytes, strlen(text));
    assert_memory_equal(buf.data, text, buf.len_bytes);
    ox_buf_clear(&buf);
}

static void output__appears_only_when_committed(void **state)
{
    const struct place *place = *state;
    struct ox_output_file file;

    assert_int_equal(ox_output_open(&file, place->path, NULL), OX_OK);
    assert_int_equal(file.output.write(file.output.ctx, "abc", 3, NULL), OX_OK);
    assert_false(ox_path_exists(place->path));
    assert_int_equal(ox_output_commit(&file, false, NULL), OX_OK);
    ox_output_clear(&file);
    assert_holds(place->path, "abc");
    assert_int_equal(entries(place->dir), 1);
}

static void output__leaves_nothing_when_cleared(void **state)
{
    const struct place *place = *state;
    struct ox_output_file file;

    assert_int_equal(ox_output_open(&file, place->path, NULL), OX_OK);
    assert_int_equal(file.output.write(file.output.ctx, "abc", 3, NULL), OX_OK);
    assert_int_equal(entries(place->dir), 1);
    ox_output_clear(&file);
    assert_int_equal(entries(place->dir), 0);
}

static void output__keeps_the_old_file_until_committed(void **state)
{
    const struct place *place = *state;
    struct ox_output_file file;

    assert_int_equal(ox_file_replace(place->path, "old", 3, 0644, NULL), OX_OK);
    assert_int_equal(ox_output_open(&file, place->path, NULL), OX_OK);
    assert_int_equal(file.output.write(file.output.ctx, "new!", 4, NULL), OX_OK);
    assert_holds(place->path, "old");
    assert_int_equal(ox_output_commit(&file, true, NULL), OX_OK);
    ox_output_clear(&file);
    assert_holds(place->path, "new!");
}

static void output__keeps_what_appeared_meanwhile(void **state)
{
    const struct place *place = *state;
    struct ox_output_file file;

    assert_int_equal(ox_output_open(&file, place->path, NULL), OX_OK);
    assert_int_equal(file.output.write(file.output.ctx, "new!", 4, NULL), OX_OK);
    assert_int_equal(ox_file_replace(place->path, "theirs", 6, 0644, NULL), OX_OK);
    assert_int_equal(ox_output_commit(&file, false, NULL), OX_ECONFLICT);
    ox_output_clear(&file);
    assert_holds(place->path, "theirs");
    assert_int_equal(entries(place->dir), 1);
}

static void output__writes_to_devices_directly(void **state)
{
    struct ox_output_file file;
    struct stat st;

    (void)state;
    assert_int_equal(ox_output_open(&file, "/dev/null", NULL), OX_OK);
    assert_int_equal(file.output.write(file.output.ctx, "abc", 3, NULL), OX_OK);
    assert_int_equal(ox_output_commit(&file, false, NULL), OX_OK);
    ox_output_clear(&file);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void output__refuses_folders(void **state)
{
    const struct place *place = *state;
    struct ox_output_file file;
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(ox_output_open(&file, place->dir, &err), OX_EINVAL);
    ox_output_clear(&file);
    assert_non_null(strstr(err.msg, place->dir));
}

static void output__names_what_cannot_be_made(void **state)
{
    const struct place *place = *state;
    struct ox_output_file file;
    struct ox_err err = OX_ERR_INIT;
    char path[400];

    (void)snprintf(path, sizeof(path), "%s/none/out", place->dir);
    assert_int_equal(ox_output_open(&file, path, &err), OX_ENOTFOUND);
    ox_output_clear(&file);
    assert_non_null(strstr(err.msg, path));
}

static void neighbour__of_a_folder_stands_beside_it(void **state)
{
    char *name = NULL;

    (void)state;
    assert_int_equal(ox_output_neighbour(&name, "some/folder//", NULL), OX_OK);
    assert_int_equal(strncmp(name, "some/folder.", 12), 0);
    free(name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output__appears_only_when_committed),
        TEST(output__leaves_nothing_when_cleared),
        TEST(output__keeps_the_old_file_until_committed),
        TEST(output__keeps_what_appeared_meanwhile),
        TEST(output__writes_to_devices_directly),
        TEST(output__refuses_folders),
        TEST(output__names_what_cannot_be_made),
        cmocka_unit_test(neighbour__of_a_folder_stands_beside_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/cli/place.h"

#include "oxide/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static char *dir; /* of the test that runs; the current folder */

static int set_up(void **state)
{
    char name[300];
    const char *base = getenv("TMPDIR");

    (void)state;
    (void)snprintf(name, sizeof(name), "%s/oxide-place.XXXXXX", base != NULL ? base : "/tmp");
    dir = strdup(mkdtemp(name));
    assert_non_null(dir);
    return chdir(dir);
}

static int tear_down(void **state)
{
    enum ox_code code;

    (void)state;
    (void)chmod("old/sub", 0755);
    (void)chmod("new/sub", 0755);
    code = ox_remove_tree(dir, NULL);
    free(dir);
    return code == OX_OK && chdir("/") == 0 ? 0 : 1;
}

static void put(const char *path, const char *text)
{
    assert_int_equal(ox_file_replace(path, text, strlen(text), 0644, NULL), OX_OK);
}

static void assert_holds(const char *path, const char *text)
{
    struct ox_buf buf = OX_BUF_INIT;

    assert_int_equal(ox_file_read_all(path, 1000, &buf, NULL), OX_OK);
    assert_string_equal((const char *)buf.data, text);
    ox_buf_clear(&buf);
}

static void list(struct ox_manifest *manifest, const char *path)
{
    static const struct ox_digest none = {{0}};

    assert_int_equal(ox_manifest_single(manifest, path, 1, &none, NULL), OX_OK);
}

static void name__refuses_what_is_none(void **state)
{
    static const char *const bad[] = {"", ".", "..", "/", "//", "./", "a/..", "a/.//", "/.."};
    static const char *const good[] = {"a", "a/", "...", "..a", "./-", "/a//", "a/.b"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(ox_place_check_name(bad[i], NULL), OX_EINVAL);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(ox_place_check_name(good[i], NULL), OX_OK);
    }
}

static void parent__must_be_a_folder(void **state)
{
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    put("file", "x");
    assert_int_equal(ox_place_check_parent("new", NULL), OX_OK);
    assert_int_equal(ox_place_check_parent("./new/", NULL), OX_OK);
    assert_int_equal(ox_place_check_parent("none/new", &err), OX_ENOTFOUND);
    assert_non_null(strstr(err.msg, "folder none:"));
    assert_int_equal(ox_place_check_parent("file/new", NULL), OX_EINVAL);
}

static void inside__sees_through_links_and_names(void **state)
{
    (void)state;
    assert_int_equal(ox_dir_make("a/sub", 0755, NULL), OX_OK);
    assert_int_equal(ox_dir_make("ab", 0755, NULL), OX_OK);
    assert_int_equal(symlink("a/sub", "link"), 0);
    assert_true(ox_place_is_inside("a/new", "a"));
    assert_true(ox_place_is_inside("a/sub/new", "./a/"));
    assert_true(ox_place_is_inside("link/new", "a"));
    assert_true(ox_place_is_inside("new", "/"));
    assert_false(ox_place_is_inside("ab/new", "a"));
    assert_false(ox_place_is_inside("a", "a"));
    assert_false(ox_place_is_inside("a/../new", "a"));
    assert_false(ox_place_is_inside("none/new", "a"));
}

static void put__replaces_a_file_and_leaves_nothing(void **state)
{
    struct ox_place place = {"old", false, NULL, NULL};

    (void)state;
    put("old", "old");
    put("new", "new");
    assert_int_equal(ox_place_check(&place, NULL), OX_ECONFLICT);
    place.force = true;
    assert_int_equal(ox_place_put(&place, "new", stderr, NULL), OX_OK);
    assert_holds("old", "new");
    assert_false(ox_path_exists("new"));
}

static void put__keeps_a_folder_that_holds_more_than_both_versions(void **state)
{
    struct ox_manifest base = OX_MANIFEST_INIT;
    struct ox_manifest target = OX_MANIFEST_INIT;
    struct ox_place place = {"old", true, &base, &target};
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    list(&base, "sub/gone");
    list(&target, "file");
    assert_int_equal(ox_dir_make("old/sub", 0755, NULL), OX_OK);
    put("old/sub/gone", "old");
    put("old/sub/mine", "mine");
    assert_int_equal(ox_dir_make("new", 0755, NULL), OX_OK);
    assert_int_equal(ox_place_put(&place, "new", stderr, &err), OX_ECONFLICT);
    assert_non_null(strstr(err.msg, "old holds sub/mine"));
    assert_holds("old/sub/mine", "mine");
    assert_false(ox_path_exists("new"));
    assert_int_equal(unlink("old/sub/mine"), 0);
    assert_int_equal(ox_dir_make("new", 0755, NULL), OX_OK);
    put("new/file", "new");
    assert_int_equal(ox_place_put(&place, "new", stderr, NULL), OX_OK);
    assert_holds("old/file", "new");
    assert_false(ox_path_exists("old/sub"));
    assert_false(ox_path_exists("new"));
    ox_manifest_clear(&base);
    ox_manifest_clear(&target);
}

/* As somebody who may not remove from a folder that is read-only: root may. */
static int put_over_what_stays(void)
{
    struct ox_manifest base = OX_MANIFEST_INIT;
    struct ox_manifest target = OX_MANIFEST_INIT;
    struct ox_place place = {"old", true, &base, &target};
    char notes[1000] = "";
    FILE *to = fmemopen(notes, sizeof(notes), "w");
    bool good;

    if (to == NULL || ox_dir_make("old/sub", 0755, NULL) != OX_OK ||
        ox_dir_make("new", 0755, NULL) != OX_OK) {
        return 77;
    }
    list(&base, "sub/gone");
    list(&target, "file");
    put("old/sub/gone", "old");
    put("new/file", "new");
    (void)chmod("old/sub", 0555);
    good = ox_place_put(&place, "new", to, NULL) == OX_OK;
    (void)fclose(to);
    ox_manifest_clear(&base);
    ox_manifest_clear(&target);
    return good && ox_path_exists("old/file") && ox_path_exists("new/sub/gone") &&
                   strstr(notes, "old is in place") != NULL &&
                   strstr(notes, "left as new: removing new/sub/gone") != NULL
               ? 0
               : 1;
}

static void put__tells_of_an_old_one_that_does_not_go(void **state)
{
    int status = 0;
    pid_t pid;

    (void)state;
    if (geteuid() == 0) {
        assert_int_equal(chown(dir, NOBODY, NOBODY), 0);
    }
    pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
            _exit(77);
        }
        _exit(put_over_what_stays());
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(name__refuses_what_is_none),
        TEST(parent__must_be_a_folder),
        TEST(inside__sees_through_links_and_names),
        TEST(put__replaces_a_file_and_leaves_nothing),
        TEST(put__keeps_a_folder_that_holds_more_than_both_versions),
        TEST(put__tells_of_an_old_one_that_does_not_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

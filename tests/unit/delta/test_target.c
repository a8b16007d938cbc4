#include "helpers.h"

#include "oxide/base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

static struct stat stat_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st;
}

static void add(struct ox_manifest *manifest, const char *path, uint64_t size, bool executable)
{
    static const struct ox_digest none = {{0}};

    assert_int_equal(ox_manifest_add(manifest, path, size, &none, executable, NULL), OX_OK);
}

static struct ox_manifest three_files(void)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;

    add(&manifest, "a", 5, false);
    add(&manifest, "d/e/empty", 0, false);
    add(&manifest, "d/run", 7, true);
    add(&manifest, "z", 3, false);
    assert_int_equal(ox_manifest_finish(&manifest, NULL), OX_OK);
    return manifest;
}

static void create__sets_sizes_and_modes(void **state)
{
    struct ox_manifest manifest = three_files();
    struct ox_target_files *files = NULL;
    const char *dir = in_folder(state, "new/version");
    mode_t old = umask(077);

    assert_int_equal(ox_target_create(&files, dir, &manifest, NULL), OX_OK);
    (void)umask(old);
    assert_int_equal(stat_of(in_folder(state, "new/version/a")).st_size, 5);
    assert_int_equal(stat_of(in_folder(state, "new/version/a")).st_mode & 07777, 0644);
    assert_int_equal(stat_of(in_folder(state, "new/version/d/e/empty")).st_size, 0);
    assert_int_equal(stat_of(in_folder(state, "new/version/d/run")).st_size, 7);
    assert_int_equal(stat_of(in_folder(state, "new/version/d/run")).st_mode & 07777, 0755);
    assert_int_equal(ox_target_sync(files, NULL), OX_OK);
    ox_target_close(files);
    ox_target_close(NULL);
    ox_manifest_clear(&manifest);
}

static void open__finds_what_was_written_and_refuses_what_is_not_it(void **state)
{
    struct ox_manifest manifest = three_files();
    struct ox_target_files *files = NULL;
    struct ox_sink sink;
    const char *dir = in_folder(state, "new/version");
    char got[15] = "";

    assert_int_equal(ox_target_open(&files, dir, &manifest, NULL), OX_ENOTFOUND);
    assert_int_equal(ox_target_create(&files, dir, &manifest, NULL), OX_OK);
    sink = ox_target_sink(files);
    assert_int_equal(sink.write_at(sink.ctx, 0, "hello", 5, NULL), OX_OK);
    assert_int_equal(ox_target_flush(files, NULL), OX_OK);
    assert_int_equal(sink.write_at(sink.ctx, 5, " worlds!!!", 10, NULL), OX_OK);
    assert_int_equal(ox_target_flush(files, NULL), OX_OK);
    assert_int_equal(ox_target_flush(files, NULL), OX_OK);
    ox_target_close(files);
    files = NULL;
    assert_int_equal(ox_target_open(&files, dir, &manifest, NULL), OX_OK);
    sink = ox_target_sink(files);
    assert_int_equal(sink.read_at(sink.ctx, 0, got, 15, NULL), OX_OK);
    assert_memory_equal(got, "hello worlds!!!", 15);
    ox_target_close(files);
    files = NULL;
    assert_int_equal(truncate(in_folder(state, "new/version/z"), 2), 0);
    assert_int_equal(ox_target_open(&files, dir, &manifest, NULL), OX_ECONFLICT);
    assert_int_equal(unlink(in_folder(state, "new/version/z")), 0);
    assert_int_equal(symlink("a", in_folder(state, "new/version/z")), 0);
    assert_int_equal(ox_target_open(&files, dir, &manifest, NULL), OX_ECONFLICT);
    ox_manifest_clear(&manifest);
}

static void sink__writes_and_reads_across_files(void **state)
{
    struct ox_manifest manifest = three_files();
    struct ox_target_files *files = NULL;
    struct ox_sink sink;
    struct ox_buf bytes;

    assert_int_equal(ox_target_create(&files, in_folder(state, "v"), &manifest, NULL), OX_OK);
    sink = ox_target_sink(files);
    assert_int_equal(sink.write_at(sink.ctx, 0, "0123", 4, NULL), OX_OK);
    assert_int_equal(sink.write_at(sink.ctx, 4, "456789abcde", 11, NULL), OX_OK);
    for (size_t at = 0; at < 15; at++) {
        for (size_t len = 0; at + len <= 15; len++) {
            char out[16] = "";

            assert_int_equal(sink.read_at(sink.ctx, at, out, len, NULL), OX_OK);
            assert_memory_equal(out, &"0123456789abcde"[at], len);
        }
    }
    assert_int_not_equal(sink.write_at(sink.ctx, 14, "xy", 2, NULL), OX_OK);
    assert_int_equal(ox_target_sync(files, NULL), OX_OK);
    ox_target_close(files);
    bytes = file_bytes(in_folder(state, "v/d/run"));
    assert_int_equal(bytes.len_bytes, 7);
    assert_memory_equal(bytes.data, "56789ab", 7);
    ox_buf_clear(&bytes);
    ox_manifest_clear(&manifest);
}

static void create__replaces_files_of_before(void **state)
{
    struct ox_manifest manifest = three_files();
    struct ox_target_files *files = NULL;

    assert_int_equal(ox_dir_make(in_folder(state, "v/d"), 0755, NULL), OX_OK);
    write_file(in_folder(state, "v/a"), "old and longer");
    write_file(in_folder(state, "v/other"), "kept");
    assert_int_equal(ox_target_create(&files, in_folder(state, "v"), &manifest, NULL), OX_OK);
    ox_target_close(files);
    assert_int_equal(stat_of(in_folder(state, "v/a")).st_size, 5);
    assert_int_equal(stat_of(in_folder(state, "v/other")).st_size, 4);
    ox_manifest_clear(&manifest);
}

static void planted_symlinks__are_not_followed(void **state)
{
    struct ox_manifest manifest = three_files();
    struct ox_target_files *files = NULL;
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(mkdir(in_folder(state, "v"), 0700), 0);
    assert_int_equal(mkdir(in_folder(state, "elsewhere"), 0700), 0);
    write_file(in_folder(state, "elsewhere/a"), "untouched");
    assert_int_equal(symlink("../elsewhere/a", in_folder(state, "v/a")), 0);
    assert_int_equal(ox_target_create(&files, in_folder(state, "v"), &manifest, NULL), OX_OK);
    ox_target_close(files);
    assert_true(S_ISREG(stat_of(in_folder(state, "v/a")).st_mode));
    assert_int_equal(stat_of(in_folder(state, "elsewhere/a")).st_size, 9);
    assert_int_equal(ox_remove_tree(in_folder(state, "v/d"), NULL), OX_OK);
    assert_int_equal(symlink("../elsewhere", in_folder(state, "v/d")), 0);
    assert_int_not_equal(ox_target_create(&files, in_folder(state, "v"), &manifest, &err), OX_OK);
    assert_non_null(strstr(err.msg, "v/d"));
    assert_false(ox_path_exists(in_folder(state, "elsewhere/run")));
    assert_false(ox_path_exists(in_folder(state, "elsewhere/e")));
    ox_manifest_clear(&manifest);
}

/* Swapped in between creation and the next write. */
static void symlink_swapped_in__is_not_followed(void **state)
{
    struct ox_manifest manifest = three_files();
    struct ox_target_files *files = NULL;
    struct ox_sink sink;

    assert_int_equal(ox_target_create(&files, in_folder(state, "v"), &manifest, NULL), OX_OK);
    sink = ox_target_sink(files);
    write_file(in_folder(state, "victim"), "untouched");
    assert_int_equal(unlink(in_folder(state, "v/z")), 0);
    assert_int_equal(symlink("../victim", in_folder(state, "v/z")), 0);
    assert_int_not_equal(sink.write_at(sink.ctx, 12, "zzz", 3, NULL), OX_OK);
    ox_target_close(files);
    assert_int_equal(stat_of(in_folder(state, "victim")).st_size, 9);
    ox_manifest_clear(&manifest);
}

static void folder_in_the_way__is_reported(void **state)
{
    struct ox_manifest manifest = three_files();
    struct ox_target_files *files = NULL;

    assert_int_equal(ox_dir_make(in_folder(state, "v/a/full"), 0755, NULL), OX_OK);
    assert_int_not_equal(ox_target_create(&files, in_folder(state, "v"), &manifest, NULL), OX_OK);
    assert_null(files);
    ox_manifest_clear(&manifest);
}

static void create_file__must_not_exist(void **state)
{
    const char *path = in_folder(state, "out.onnx");
    struct ox_target_files *files = NULL;
    struct ox_sink sink;
    struct ox_buf bytes;

    assert_int_equal(ox_target_create_file(&files, path, 3, NULL), OX_OK);
    sink = ox_target_sink(files);
    assert_int_equal(sink.write_at(sink.ctx, 0, "abc", 3, NULL), OX_OK);
    assert_int_equal(ox_target_sync(files, NULL), OX_OK);
    ox_target_close(files);
    bytes = file_bytes(path);
    assert_memory_equal(bytes.data, "abc", 3);
    ox_buf_clear(&bytes);
    files = NULL;
    assert_int_equal(ox_target_create_file(&files, path, 3, NULL), OX_ECONFLICT);
    assert_int_equal(symlink("dangling", in_folder(state, "link")), 0);
    assert_int_not_equal(ox_target_create_file(&files, in_folder(state, "link"), 3, NULL), OX_OK);
    assert_int_not_equal(ox_target_create_file(&files, in_folder(state, "no/x"), 3, NULL), OX_OK);
    assert_null(files);
}

static void impossible_sizes__are_refused_and_leave_nothing(void **state)
{
    static const uint64_t sizes[] = {(uint64_t)1 << 62, INT64_MAX, UINT64_MAX};
    struct ox_target_files *files = NULL;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const char *path = in_folder(state, "huge");

        assert_int_not_equal(ox_target_create_file(&files, path, sizes[i], NULL), OX_OK);
        assert_null(files);
        assert_false(ox_path_exists(path));
    }
}

static void full_disk__is_met_before_the_work(void **state)
{
    const char *disk = in_folder(state, "disk");
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    struct ox_target_files *files = NULL;
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code;
    bool left_behind;

    assert_int_equal(mkdir(disk, 0700), 0);
    if (mount("none", disk, "tmpfs", 0, "size=1m") != 0) {
        print_message("skipped: cannot mount a tmpfs here: %s\n", strerror(errno));
        skip();
    }
    add(&manifest, "fits", 500000, false);
    add(&manifest, "more", 900000, false);
    assert_int_equal(ox_manifest_finish(&manifest, NULL), OX_OK);
    code = ox_target_create(&files, in_folder(state, "disk/v"), &manifest, &err);
    left_behind = ox_path_exists(in_folder(state, "disk/v/more"));
    assert_int_equal(umount(disk), 0);
    assert_int_equal(code, OX_ENOSPC);
    assert_non_null(strstr(err.msg, "900000 bytes"));
    assert_null(files);
    assert_false(left_behind);
    ox_manifest_clear(&manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(create__sets_sizes_and_modes),
        FOLDER_TEST(open__finds_what_was_written_and_refuses_what_is_not_it),
        FOLDER_TEST(sink__writes_and_reads_across_files),
        FOLDER_TEST(create__replaces_files_of_before),
        FOLDER_TEST(planted_symlinks__are_not_followed),
        FOLDER_TEST(symlink_swapped_in__is_not_followed),
        FOLDER_TEST(folder_in_the_way__is_reported),
        FOLDER_TEST(create_file__must_not_exist),
        FOLDER_TEST(impossible_sizes__are_refused_and_leave_nothing),
        FOLDER_TEST(full_disk__is_met_before_the_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

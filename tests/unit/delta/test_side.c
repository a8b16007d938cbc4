/* Artifacts on disk. */
#include "helpers.h"

#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"
#include "oxide/crypto/sha256.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

static enum ox_code open_at(const char *path, struct ox_artifact_files **files)
{
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code = ox_artifact_open(files, path, NULL, NULL, &err);

    assert_true(code == OX_OK || (err.code == code && err.msg[0] != '\0'));
    return code;
}

/* "path path ..." of the manifest. */
static void assert_paths(const struct ox_artifact_files *files, const char *want)
{
    const struct ox_manifest *manifest = ox_artifact_side(files)->manifest;
    char paths[1000] = "";

    for (size_t i = 0; i < manifest->count; i++) {
        strcat(paths, i == 0 ? "" : " ");
        strcat(paths, manifest->files[i].path);
    }
    assert_string_equal(paths, want);
}

static void file__is_named_after_its_format(void **state)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_artifact_files *files = NULL;
    struct ox_buf bytes;

    tensors_add(&model, "w", "F32", 10, 0, weights(1, 10, "F32"));
    bytes = tensors_file(&model);
    assert_int_equal(
        ox_file_replace(in_folder(state, "x.bin"), bytes.data, bytes.len_bytes, 0755, NULL), OX_OK);
    ox_buf_clear(&bytes);
    assert_int_equal(open_at(in_folder(state, "x.bin"), &files), OX_OK);
    assert_paths(files, "model.safetensors");
    assert_false(ox_artifact_is_dir(files));
    assert_string_equal(ox_artifact_disk_path(files, 0), in_folder(state, "x.bin"));
    ox_artifact_close(files);
    write_file(in_folder(state, "y.onnx"), "just text");
    assert_int_equal(open_at(in_folder(state, "y.onnx"), &files), OX_OK);
    assert_paths(files, "model.bin");
    ox_artifact_close(files);
    ox_artifact_close(NULL);
}

static void file__has_the_digest_of_its_bytes(void **state)
{
    struct ox_artifact_files *files = NULL;
    const struct ox_delta_side *side;
    struct ox_digest want;
    char out[4] = "";

    write_file(in_folder(state, "x"), "abc");
    assert_int_equal(open_at(in_folder(state, "x"), &files), OX_OK);
    side = ox_artifact_side(files);
    assert_int_equal(ox_sha256_bytes("abc", 3, &want, NULL), OX_OK);
    assert_true(ox_digest_equal(&side->digest, &want));
    assert_int_equal(side->files[0].size_bytes, 3);
    assert_int_equal(ox_source_read(&side->files[0], 0, out, 3, NULL), OX_OK);
    assert_string_equal(out, "abc");
    ox_artifact_close(files);
    write_file(in_folder(state, "empty"), "");
    assert_int_equal(open_at(in_folder(state, "empty"), &files), OX_OK);
    ox_artifact_close(files);
}

static void folder__takes_all_but_hidden_files(void **state)
{
    struct ox_artifact_files *files = NULL;
    struct ox_digest want;

    assert_int_equal(ox_dir_make(in_folder(state, "m/.git/objects"), 0755, NULL), OX_OK);
    assert_int_equal(ox_dir_make(in_folder(state, "m/sub/deep"), 0755, NULL), OX_OK);
    write_file(in_folder(state, "m/.git/config"), "hidden");
    write_file(in_folder(state, "m/.DS_Store"), "hidden");
    write_file(in_folder(state, "m/sub/.hidden"), "hidden");
    write_file(in_folder(state, "m/sub/deep/b"), "b");
    write_file(in_folder(state, "m/z"), "");
    write_file(in_folder(state, "m/a-run"), "#!");
    assert_int_equal(chmod(in_folder(state, "m/a-run"), 0700), 0);
    assert_int_equal(open_at(in_folder(state, "m"), &files), OX_OK);
    assert_paths(files, "a-run sub/deep/b z");
    assert_true(ox_artifact_is_dir(files));
    assert_true(ox_artifact_side(files)->manifest->files[0].executable);
    assert_false(ox_artifact_side(files)->manifest->files[1].executable);
    assert_int_equal(ox_artifact_digest(ox_artifact_side(files)->manifest, &want, NULL), OX_OK);
    assert_true(ox_digest_equal(&want, &ox_artifact_side(files)->digest));
    ox_artifact_close(files);
}

static void folder__without_files_is_refused(void **state)
{
    struct ox_artifact_files *files = NULL;

    assert_int_equal(ox_dir_make(in_folder(state, "m/sub"), 0755, NULL), OX_OK);
    assert_int_equal(open_at(in_folder(state, "m"), &files), OX_EINVAL);
    write_file(in_folder(state, "m/.hidden"), "x");
    assert_int_equal(open_at(in_folder(state, "m"), &files), OX_EINVAL);
    assert_int_equal(open_at(in_folder(state, "absent"), &files), OX_ENOTFOUND);
    assert_null(files);
}

static void fifo__is_refused(void **state)
{
    struct ox_artifact_files *files = NULL;

    assert_int_equal(mkfifo(in_folder(state, "fifo"), 0600), 0);
    assert_int_equal(open_at(in_folder(state, "fifo"), &files), OX_EINVAL);
    assert_int_equal(mkdir(in_folder(state, "m"), 0700), 0);
    write_file(in_folder(state, "m/a"), "a");
    assert_int_equal(mkfifo(in_folder(state, "m/fifo"), 0600), 0);
    assert_int_equal(open_at(in_folder(state, "m"), &files), OX_EINVAL);
    assert_int_equal(open_at("/dev/null", &files), OX_EINVAL);
    assert_null(files);
}

static void symlinks__inside_are_followed(void **state)
{
    struct ox_artifact_files *files = NULL;

    assert_int_equal(ox_dir_make(in_folder(state, "m/sub"), 0755, NULL), OX_OK);
    write_file(in_folder(state, "m/sub/real"), "content");
    assert_int_equal(symlink("sub/real", in_folder(state, "m/link")), 0);
    assert_int_equal(symlink("m", in_folder(state, "to-m")), 0);
    assert_int_equal(open_at(in_folder(state, "to-m"), &files), OX_OK);
    assert_paths(files, "link sub/real");
    assert_int_equal(ox_artifact_side(files)->manifest->files[0].size_bytes, 7);
    ox_artifact_close(files);
}

static void symlinks__that_leave_are_refused(void **state)
{
    static const char *const targets[] = {"../outside", "/etc/passwd", "nowhere", "..",
                                          "sub",        "loop",        "../m-2/x"};
    struct ox_artifact_files *files = NULL;

    assert_int_equal(ox_dir_make(in_folder(state, "m/sub"), 0755, NULL), OX_OK);
    assert_int_equal(ox_dir_make(in_folder(state, "m-2"), 0755, NULL), OX_OK);
    write_file(in_folder(state, "m-2/x"), "its name begins like the folder's");
    write_file(in_folder(state, "m/sub/a"), "a");
    write_file(in_folder(state, "outside"), "secret");
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        assert_int_equal(symlink(targets[i], in_folder(state, "m/loop")), 0);
        assert_int_not_equal(open_at(in_folder(state, "m"), &files), OX_OK);
        assert_null(files);
        assert_int_equal(unlink(in_folder(state, "m/loop")), 0);
    }
    assert_int_equal(open_at(in_folder(state, "m"), &files), OX_OK);
    ox_artifact_close(files);
}

static void hugging_face__snapshot_is_accepted(void **state)
{
    struct ox_artifact_files *files = NULL;

    assert_int_equal(ox_dir_make(in_folder(state, "hub/blobs"), 0755, NULL), OX_OK);
    assert_int_equal(ox_dir_make(in_folder(state, "hub/snapshots/abc/onnx"), 0755, NULL), OX_OK);
    write_file(in_folder(state, "hub/blobs/1111"), "config");
    write_file(in_folder(state, "hub/blobs/2222"), "weights");
    write_file(in_folder(state, "hub/other"), "not a blob");
    assert_int_equal(symlink("../../blobs/1111", in_folder(state, "hub/snapshots/abc/config.json")),
                     0);
    assert_int_equal(
        symlink("../../../blobs/2222", in_folder(state, "hub/snapshots/abc/onnx/model.onnx")), 0);
    assert_int_equal(open_at(in_folder(state, "hub/snapshots/abc"), &files), OX_OK);
    assert_paths(files, "config.json onnx/model.onnx");
    assert_int_equal(ox_artifact_side(files)->manifest->files[1].size_bytes, 7);
    ox_artifact_close(files);
    files = NULL;
    assert_int_equal(symlink("../../other", in_folder(state, "hub/snapshots/abc/x")), 0);
    assert_int_not_equal(open_at(in_folder(state, "hub/snapshots/abc"), &files), OX_OK);
    assert_null(files);
}

static void deep_folders__are_refused(void **state)
{
    char path[200] = "m";
    struct ox_artifact_files *files = NULL;

    for (int i = 0; i < 20; i++) {
        strcat(path, "/d");
    }
    assert_int_equal(ox_dir_make(in_folder(state, path), 0755, NULL), OX_OK);
    strcat(path, "/file");
    write_file(in_folder(state, path), "x");
    assert_int_equal(open_at(in_folder(state, "m"), &files), OX_EINVAL);
    assert_null(files);
}

static void bad_names__are_refused(void **state)
{
    struct ox_artifact_files *files = NULL;

    assert_int_equal(mkdir(in_folder(state, "m"), 0700), 0);
    write_file(in_folder(state, "m/a\nb"), "x");
    assert_int_equal(open_at(in_folder(state, "m"), &files), OX_EINVAL);
    assert_int_equal(unlink(in_folder(state, "m/a\nb")), 0);
    write_file(in_folder(state, "m/\xff\xfe"), "x");
    assert_int_equal(open_at(in_folder(state, "m"), &files), OX_EINVAL);
    assert_null(files);
}

static void open_known__trusts_digests_but_not_sizes(void **state)
{
    static const struct ox_digest claimed = {{42}};
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    struct ox_artifact_files *files = NULL;

    assert_int_equal(mkdir(in_folder(state, "v"), 0700), 0);
    write_file(in_folder(state, "v/a"), "abc");
    write_file(in_folder(state, "v/not-in-it"), "x");
    assert_int_equal(ox_manifest_single(&manifest, "a", 3, &claimed, NULL), OX_OK);
    assert_int_equal(ox_artifact_open_known(&files, in_folder(state, "v"), &manifest, NULL), OX_OK);
    assert_paths(files, "a");
    assert_true(ox_digest_equal(&ox_artifact_side(files)->digest, &claimed));
    ox_artifact_close(files);
    files = NULL;
    manifest.files[0].size_bytes = 4;
    assert_int_equal(ox_artifact_open_known(&files, in_folder(state, "v"), &manifest, NULL),
                     OX_EDIGEST);
    assert_int_equal(unlink(in_folder(state, "v/a")), 0);
    assert_int_equal(ox_artifact_open_known(&files, in_folder(state, "v"), &manifest, NULL),
                     OX_ENOTFOUND);
    assert_null(files);
    ox_manifest_clear(&manifest);
}

struct watch {
    uint64_t last, total;
};

static void watch_update(void *ctx, uint64_t done, uint64_t total)
{
    struct watch *watch = ctx;

    assert_true(done > watch->last && done <= total);
    *watch = (struct watch){done, total};
}

/* Times have a grain: as if it was last written to some time ago. */
static void write_old_file(const char *path, const char *text)
{
    const struct timespec times[2] = {{1000000000, 5}, {1000000000, 5}};

    write_file(path, text);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void write_into(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static void check_unchanged__notices_a_write_to_any_file(void **state)
{
    struct ox_artifact_files *files = NULL;
    struct ox_err err = OX_ERR_INIT;

    write_old_file(in_folder(state, "a"), "some bytes");
    write_old_file(in_folder(state, "b"), "other bytes");
    assert_int_equal(open_at(in_folder(state, "."), &files), OX_OK);
    assert_int_equal(ox_artifact_check_unchanged(files, &err), OX_OK);
    write_into(in_folder(state, "b"), "x");
    assert_int_equal(ox_artifact_check_unchanged(files, &err), OX_EIO);
    assert_non_null(strstr(err.msg, "/b changed while it was read"));
    ox_artifact_close(files);
}

static void check_unchanged__minds_the_size_where_times_lie(void **state)
{
    struct ox_artifact_files *files = NULL;

    write_old_file(in_folder(state, "a"), "some bytes");
    assert_int_equal(open_at(in_folder(state, "a"), &files), OX_OK);
    write_into(in_folder(state, "a"), "more bytes than before");
    {
        const struct timespec times[2] = {{1000000000, 5}, {1000000000, 5}};

        assert_int_equal(utimensat(AT_FDCWD, in_folder(state, "a"), times, 0), 0);
    }
    assert_int_equal(ox_artifact_check_unchanged(files, NULL), OX_EIO);
    ox_artifact_close(files);
}

static void check_unchanged__lets_files_be_replaced(void **state)
{
    struct ox_artifact_files *files = NULL;
    struct ox_buf bytes = OX_BUF_INIT;

    write_old_file(in_folder(state, "a"), "some bytes");
    assert_int_equal(open_at(in_folder(state, "a"), &files), OX_OK);
    write_file(in_folder(state, "new"), "other text");
    assert_int_equal(rename(in_folder(state, "new"), in_folder(state, "a")), 0);
    assert_int_equal(ox_artifact_check_unchanged(files, NULL), OX_OK);
    assert_int_equal(ox_buf_reserve(&bytes, 10, NULL), OX_OK);
    assert_int_equal(ox_source_read(&ox_artifact_side(files)->files[0], 0, bytes.data, 10, NULL),
                     OX_OK);
    assert_memory_equal(bytes.data, "some bytes", 10);
    ox_buf_clear(&bytes);
    ox_artifact_close(files);
}

static void open__tells_its_progress_and_stops(void **state)
{
    struct watch watch = {0, 0};
    struct ox_progress progress = {&watch, watch_update};
    struct ox_artifact_files *files = NULL;
    struct ox_stop stop;

    assert_int_equal(mkdir(in_folder(state, "m"), 0700), 0);
    write_file(in_folder(state, "m/a"), "abc");
    write_file(in_folder(state, "m/b"), "defg");
    assert_int_equal(ox_artifact_open(&files, in_folder(state, "m"), NULL, &progress, NULL), OX_OK);
    assert_int_equal(watch.last, 7);
    assert_int_equal(watch.total, 7);
    ox_artifact_close(files);
    files = NULL;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    ox_stop_request(&stop);
    assert_int_equal(ox_artifact_open(&files, in_folder(state, "m"), &stop, NULL, NULL),
                     OX_ECANCELED);
    assert_null(files);
    ox_stop_clear(&stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(file__is_named_after_its_format),
        FOLDER_TEST(file__has_the_digest_of_its_bytes),
        FOLDER_TEST(folder__takes_all_but_hidden_files),
        FOLDER_TEST(folder__without_files_is_refused),
        FOLDER_TEST(fifo__is_refused),
        FOLDER_TEST(symlinks__inside_are_followed),
        FOLDER_TEST(symlinks__that_leave_are_refused),
        FOLDER_TEST(hugging_face__snapshot_is_accepted),
        FOLDER_TEST(deep_folders__are_refused),
        FOLDER_TEST(bad_names__are_refused),
        FOLDER_TEST(open_known__trusts_digests_but_not_sizes),
        FOLDER_TEST(check_unchanged__notices_a_write_to_any_file),
        FOLDER_TEST(check_unchanged__minds_the_size_where_times_lie),
        FOLDER_TEST(check_unchanged__lets_files_be_replaced),
        FOLDER_TEST(open__tells_its_progress_and_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

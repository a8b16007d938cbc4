#include "helpers.h"

#include "oxide/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode;
}

/* --- replacing ---*/

enum { STORY_BYTES = 64 * 1024, STORY_TURNS = 200 };

struct story {
    const char *path;
    atomic_bool over;
    unsigned seen;
    unsigned torn;
};

/* Each state of the file is STORY_BYTES of one letter: anything else is a mixture. */
static void *watch_file(void *arg)
{
    struct story *story = arg;

    while (!atomic_load(&story->over)) {
        struct ox_buf bytes = OX_BUF_INIT;
        bool whole = ox_file_read_all(story->path, STORY_BYTES, &bytes, NULL) == OX_OK &&
                     bytes.len_bytes == STORY_BYTES;

        for (size_t i = 0; whole && i < bytes.len_bytes; i++) {
            whole = bytes.data[i] == bytes.data[0];
        }
        story->torn += whole ? 0 : 1;
        story->seen++;
        ox_buf_clear(&bytes);
    }
    return NULL;
}

static void replace__shows_readers_the_old_or_the_new(void **state)
{
    struct story story = {in_folder(state, "state"), false, 0, 0};
    char *bytes = malloc(STORY_BYTES);
    pthread_t watcher;

    assert_non_null(bytes);
    memset(bytes, 'a', STORY_BYTES);
    assert_int_equal(ox_file_replace(story.path, bytes, STORY_BYTES, 0600, NULL), OX_OK);
    assert_int_equal(pthread_create(&watcher, NULL, watch_file, &story), 0);
    for (int turn = 0; turn < STORY_TURNS; turn++) {
        memset(bytes, 'a' + turn % 26, STORY_BYTES);
        assert_int_equal(ox_file_replace(story.path, bytes, STORY_BYTES, 0600, NULL), OX_OK);
    }
    atomic_store(&story.over, true);
    assert_int_equal(pthread_join(watcher, NULL), 0);
    assert_int_equal(story.torn, 0);
    assert_true(story.seen > 0);
    assert_int_equal(count_entries(*state), 1);
    free(bytes);
}

static void replace__sets_the_mode_and_takes_empty_content(void **state)
{
    const char *path = in_folder(state, "empty");

    assert_int_equal(ox_file_replace(path, NULL, 0, 0755, NULL), OX_OK);
    assert_int_equal(mode_of(path) & 07777, 0755);
    assert_string_equal(read_file(path), "");
}

static void replace__leaves_nothing_behind_on_failure(void **state)
{
    const char *in_the_way = in_folder(state, "folder");
    struct ox_err err = OX_ERR_INIT;

    assert_int_equal(mkdir(in_the_way, 0700), 0);
    write_file(in_folder(state, "folder/inside"), "x");
    assert_true(ox_file_replace(in_the_way, "new", 3, 0600, &err) != OX_OK);
    assert_non_null(strstr(err.msg, in_the_way));
    assert_int_equal(count_entries(*state), 1);
    assert_int_equal(ox_file_replace(in_folder(state, "absent/x"), "new", 3, 0600, NULL),
                     OX_ENOTFOUND);
    assert_int_equal(count_entries(*state), 1);
}

/* A file size limit stands for the full disk. */
static void replace__keeps_the_old_file_when_the_new_cannot_be_written(void **state)
{
    const char *path = in_folder(state, "state");
    pid_t pid;
    int status = 0;

    write_file(path, "old");
    pid = fork();
    if (pid == 0) {
        struct rlimit limit = {1000, 1000};
        char *big = calloc(1, 100000);
        bool refused;

        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        refused = ox_file_replace(path, big, 100000, 0600, NULL) == OX_ETOOBIG;
        free(big);
        _exit(refused ? 0 : 1);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(read_file(path), "old");
    assert_int_equal(count_entries(*state), 1);
}

static void symlink_replace__switches_and_heals_a_stale_one(void **state)
{
    const char *path = in_folder(state, "current");
    char target[64] = "";

    assert_int_equal(ox_symlink_replace(path, "v1", NULL), OX_OK);
    assert_int_equal(symlink("nowhere", in_folder(state, "current.new")), 0);
    assert_int_equal(ox_symlink_replace(path, "v2", NULL), OX_OK);
    assert_int_equal(readlink(path, target, sizeof(target) - 1), 2);
    assert_string_equal(target, "v2");
    assert_int_equal(count_entries(*state), 1);
}

/* --- reading ---*/

static void open_below__follows_no_symlink_from_the_folder_on(void **state)
{
    struct ox_err err = OX_ERR_INIT;
    uint64_t size = 0;
    int fd = -1;

    assert_int_equal(mkdir(in_folder(state, "real"), 0755), 0);
    assert_int_equal(mkdir(in_folder(state, "real/sub"), 0755), 0);
    assert_int_equal(ox_file_replace(in_folder(state, "real/sub/file"), "four", 4, 0600, NULL),
                     OX_OK);
    assert_int_equal(symlink("sub", in_folder(state, "real/by")), 0);
    assert_int_equal(symlink("file", in_folder(state, "real/sub/alias")), 0);
    assert_int_equal(symlink("real", in_folder(state, "planted")), 0);

    assert_int_equal(ox_file_open_below(in_folder(state, "real"), "sub/file", &fd, &size, NULL),
                     OX_OK);
    assert_int_equal(size, 4);
    (void)close(fd);
    assert_int_equal(ox_file_open_below(in_folder(state, "real"), "by/file", &fd, NULL, &err),
                     OX_EPERM);
    assert_non_null(strstr(err.msg, "symlink"));
    assert_int_equal(ox_file_open_below(in_folder(state, "real"), "sub/alias", &fd, NULL, &err),
                     OX_EPERM);
    assert_int_equal(ox_file_open_below(in_folder(state, "planted"), "sub/file", &fd, NULL, &err),
                     OX_EPERM);
    assert_int_equal(ox_file_open_below(in_folder(state, "real"), "sub", &fd, NULL, &err),
                     OX_EINVAL);
    assert_int_equal(ox_file_open_below(in_folder(state, "real"), "sub/none", &fd, NULL, &err),
                     OX_ENOTFOUND);
    assert_int_equal(ox_file_open_below(in_folder(state, "real"), "sub/file/more", &fd, NULL, &err),
                     OX_ENOTFOUND);
    assert_true(ox_dir_is_real(in_folder(state, "real")));
    assert_false(ox_dir_is_real(in_folder(state, "planted")));
}

static void open_read__refuses_what_is_no_regular_file(void **state)
{
    const char *path = in_folder(state, "fifo");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    int fd = -1;

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(ox_file_open_read(path, &fd, NULL, NULL), OX_EINVAL);
    assert_int_equal(ox_file_open_read(*state, &fd, NULL, NULL), OX_EINVAL);
    assert_int_equal(ox_file_open_read("/dev/null", &fd, NULL, NULL), OX_EINVAL);
    assert_int_equal(ox_file_open_read(in_folder(state, "absent"), &fd, NULL, NULL), OX_ENOTFOUND);
    assert_int_equal(ox_file_open_read("", &fd, NULL, NULL), OX_ENOTFOUND);
    path = in_folder(state, "s");
    if (strlen(path) < sizeof(address.sun_path)) {
        memcpy(address.sun_path, path, strlen(path) + 1);
        assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_true(ox_file_open_read(path, &fd, NULL, NULL) != OX_OK);
    }
    assert_int_equal(fd, -1);
    (void)close(listener);
}

static void open_read__tells_the_size_and_closes_on_exec(void **state)
{
    const char *path = in_folder(state, "file");
    uint64_t size = 0;
    int fd = -1;

    write_file(path, "12345");
    assert_int_equal(ox_file_open_read(path, &fd, &size, NULL), OX_OK);
    assert_int_equal(size, 5);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    (void)close(fd);
}

static void check_unchanged__minds_size_and_time(void **state)
{
    const struct timespec early[2] = {{1000000000, 5}, {1000000000, 5}};
    const struct timespec late[2] = {{1000000000, 6}, {1000000000, 6}};
    const char *path = in_folder(state, "f");
    struct ox_file_state before;
    struct ox_err err = OX_ERR_INIT;
    int fd = -1;

    assert_int_equal(ox_file_replace(path, "abc", 3, 0600, NULL), OX_OK);
    assert_int_equal(utimensat(AT_FDCWD, path, early, 0), 0);
    assert_int_equal(ox_file_open_read(path, &fd, NULL, NULL), OX_OK);
    assert_int_equal(ox_file_state(fd, path, &before, NULL), OX_OK);
    assert_int_equal(before.size_bytes, 3);
    assert_int_equal(ox_file_check_unchanged(fd, path, &before, &err), OX_OK);
    assert_int_equal(utimensat(AT_FDCWD, path, late, 0), 0);
    assert_int_equal(ox_file_check_unchanged(fd, path, &before, &err), OX_EIO);
    assert_non_null(strstr(err.msg, "f changed while it was read"));
    assert_int_equal(truncate(path, 2), 0);
    assert_int_equal(utimensat(AT_FDCWD, path, early, 0), 0);
    assert_int_equal(ox_file_check_unchanged(fd, path, &before, NULL), OX_EIO);
    (void)close(fd);
}

static void read_all__appends_and_holds_its_limit(void **state)
{
    const char *path = in_folder(state, "file");
    struct ox_buf bytes = OX_BUF_INIT;

    write_file(path, "12345");
    assert_int_equal(ox_buf_append(&bytes, "0", 1, NULL), OX_OK);
    assert_int_equal(ox_file_read_all(path, 4, &bytes, NULL), OX_ETOOBIG);
    assert_int_equal(bytes.len_bytes, 1);
    assert_int_equal(ox_file_read_all(path, 5, &bytes, NULL), OX_OK);
    assert_string_equal((char *)bytes.data, "012345");
    ox_buf_clear(&bytes);
}

static void copy__refuses_an_existing_file(void **state)
{
    const char *from = in_folder(state, "from");
    const char *to = in_folder(state, "to");

    write_file(from, "content");
    assert_int_equal(ox_file_copy(from, to, 0640, NULL), OX_OK);
    assert_string_equal(read_file(to), "content");
    write_file(from, "other");
    assert_int_equal(ox_file_copy(from, to, 0640, NULL), OX_ECONFLICT);
    assert_string_equal(read_file(to), "content");
    assert_int_equal(ox_file_copy(in_folder(state, "absent"), in_folder(state, "x"), 0600, NULL),
                     OX_ENOTFOUND);
    assert_false(ox_path_exists(in_folder(state, "x")));
}

/* --- folders ---*/

static void dir_make__makes_those_above_and_takes_existing_ones(void **state)
{
    assert_int_equal(ox_dir_make(in_folder(state, "a/b//c"), 0755, NULL), OX_OK);
    assert_int_equal(ox_dir_make(in_folder(state, "a/b/c/"), 0755, NULL), OX_OK);
    assert_true(S_ISDIR(mode_of(in_folder(state, "a/b/c"))));
    write_file(in_folder(state, "file"), "x");
    assert_int_equal(ox_dir_make(in_folder(state, "file"), 0755, NULL), OX_ECONFLICT);
    assert_int_equal(ox_dir_make(in_folder(state, "file/below"), 0755, NULL), OX_ECONFLICT);
}

static void dir_make__refuses_an_empty_path(void **state)
{
    char *empty = calloc(1, 1); /* exact bounds for a sanitizer */

    (void)state;
    assert_non_null(empty);
    assert_true(ox_dir_make(empty, 0755, NULL) != OX_OK);
    free(empty);
}

static void remove_tree__removes_all_but_follows_no_symlink(void **state)
{
    const char *tree = in_folder(state, "tree");

    assert_int_equal(mkdir(in_folder(state, "kept"), 0700), 0);
    write_file(in_folder(state, "kept/file"), "kept");
    assert_int_equal(ox_dir_make(in_folder(state, "tree/a/b"), 0700, NULL), OX_OK);
    write_file(in_folder(state, "tree/a/b/file"), "x");
    write_file(in_folder(state, "tree/.hidden"), "x");
    assert_int_equal(symlink("../../kept", in_folder(state, "tree/a/link")), 0);
    assert_int_equal(symlink("../kept/file", in_folder(state, "tree/file")), 0);
    assert_int_equal(ox_remove_tree(tree, NULL), OX_OK);
    assert_false(ox_path_exists(tree));
    assert_string_equal(read_file(in_folder(state, "kept/file")), "kept");
    assert_int_equal(symlink("kept", in_folder(state, "link")), 0);
    assert_int_equal(ox_remove_tree(in_folder(state, "link"), NULL), OX_OK);
    assert_string_equal(read_file(in_folder(state, "kept/file")), "kept");
    assert_int_equal(ox_remove_tree(tree, NULL), OX_OK); /* absent is success */
}

static void remove_tree__stops_at_its_depth(void **state)
{
    char path[4096] = "";
    size_t len = (size_t)snprintf(path, sizeof(path), "%s/deep", (const char *)*state);
    struct ox_err err = OX_ERR_INIT;

    for (int depth = 0; depth < 70; depth++) {
        memcpy(path + len, "/d", 3);
        len += 2;
    }
    assert_int_equal(ox_dir_make(path, 0700, NULL), OX_OK);
    assert_int_equal(ox_remove_tree(in_folder(state, "deep"), &err), OX_ETOOBIG);
    assert_non_null(strstr(err.msg, in_folder(state, "deep/d/d/"))); /* the whole path */
}

static void path_exists__counts_a_dangling_symlink(void **state)
{
    assert_int_equal(symlink("nowhere", in_folder(state, "link")), 0);
    assert_true(ox_path_exists(in_folder(state, "link")));
    assert_false(ox_path_exists(in_folder(state, "nowhere")));
}

static void path_join__puts_one_slash(void **state)
{
    static const struct {
        const char *dir, *name, *joined;
    } rows[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *joined = NULL;

        assert_int_equal(ox_path_join(&joined, rows[i].dir, rows[i].name, NULL), OX_OK);
        assert_string_equal(joined, rows[i].joined);
        free(joined);
    }
}

static void syncs__work_on_folders_and_say_what_is_absent(void **state)
{
    assert_int_equal(ox_dir_sync(*state, NULL), OX_OK);
    assert_int_equal(ox_parent_sync(in_folder(state, "x"), NULL), OX_OK);
    assert_int_equal(ox_parent_sync("x", NULL), OX_OK);
    assert_int_equal(ox_parent_sync("/x", NULL), OX_OK);
    assert_int_equal(ox_dir_sync(in_folder(state, "absent"), NULL), OX_ENOTFOUND);
}

/* --- locks ---*/

static void lock__excludes_others_until_it_is_closed(void **state)
{
    const char *path = in_folder(state, "lock");
    struct ox_err err = OX_ERR_INIT;
    pid_t pid;
    int status = 0;
    int second = -1;
    int fd = -1;

    assert_int_equal(ox_lock_file(path, &fd, NULL), OX_OK);
    assert_int_equal(ox_lock_file(path, &second, &err), OX_EBUSY);
    assert_non_null(strstr(err.msg, path));
    pid = fork();
    if (pid == 0) {
        _exit(ox_lock_file(path, &second, NULL) == OX_EBUSY ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)close(fd);
    assert_int_equal(ox_lock_file(path, &fd, NULL), OX_OK);
    (void)close(fd);
    assert_int_equal(symlink("elsewhere", in_folder(state, "link")), 0);
    assert_true(ox_lock_file(in_folder(state, "link"), &fd, NULL) != OX_OK);
    assert_false(ox_path_exists(in_folder(state, "elsewhere")));
}

static void disk_free__tells_more_than_nothing(void **state)
{
    uint64_t bytes = 0;

    assert_int_equal(ox_disk_free(*state, &bytes, NULL), OX_OK);
    assert_true(bytes > 0);
    assert_int_equal(ox_disk_free(in_folder(state, "absent"), &bytes, NULL), OX_ENOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(replace__shows_readers_the_old_or_the_new),
        FOLDER_TEST(replace__sets_the_mode_and_takes_empty_content),
        FOLDER_TEST(replace__leaves_nothing_behind_on_failure),
        FOLDER_TEST(replace__keeps_the_old_file_when_the_new_cannot_be_written),
        FOLDER_TEST(symlink_replace__switches_and_heals_a_stale_one),
        FOLDER_TEST(open_below__follows_no_symlink_from_the_folder_on),
        FOLDER_TEST(open_read__refuses_what_is_no_regular_file),
        FOLDER_TEST(open_read__tells_the_size_and_closes_on_exec),
        FOLDER_TEST(check_unchanged__minds_size_and_time),
        FOLDER_TEST(read_all__appends_and_holds_its_limit),
        FOLDER_TEST(copy__refuses_an_existing_file),
        FOLDER_TEST(dir_make__makes_those_above_and_takes_existing_ones),
        cmocka_unit_test(dir_make__refuses_an_empty_path),
        FOLDER_TEST(remove_tree__removes_all_but_follows_no_symlink),
        FOLDER_TEST(remove_tree__stops_at_its_depth),
        FOLDER_TEST(path_exists__counts_a_dangling_symlink),
        cmocka_unit_test(path_join__puts_one_slash),
        FOLDER_TEST(syncs__work_on_folders_and_say_what_is_absent),
        FOLDER_TEST(lock__excludes_others_until_it_is_closed),
        FOLDER_TEST(disk_free__tells_more_than_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

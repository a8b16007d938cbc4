#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/crypto/sha256.h"
#include "oxide/store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    struct ox_store *store;
};

static int64_t now_ms(void)
{
    return ox_clock_system()->wall_ms(NULL);
}

static int set_up_folder(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct ox_err err = OX_ERR_INIT;

    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide-store.XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    assert_int_equal(ox_store_open(&fixture->store, fixture->dir, now_ms(), &err), OX_OK);
    *state = fixture;
    return 0;
}

static int set_up_memory(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_int_equal(ox_store_open_memory(&fixture->store, NULL), OX_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ox_store_close(fixture->store);
    if (fixture->dir[0] != '\0') {
        assert_int_equal(ox_remove_tree(fixture->dir, NULL), OX_OK);
    }
    free(fixture);
    return 0;
}

static struct ox_digest digest_of(const char *text)
{
    struct ox_digest digest;

    assert_int_equal(ox_sha256_bytes(text, strlen(text), &digest, NULL), OX_OK);
    return digest;
}

static void put(struct ox_store *store, const char *text)
{
    struct ox_store_writer *writer = NULL;

    assert_int_equal(ox_store_begin(store, &writer, NULL), OX_OK);
    assert_int_equal(ox_store_write(writer, text, strlen(text), NULL), OX_OK);
    assert_int_equal(ox_store_commit(writer, NULL, NULL, NULL, NULL), OX_OK);
}

static void assert_holds(struct ox_store *store, const char *text)
{
    struct ox_digest digest = digest_of(text);
    struct ox_blob blob = OX_BLOB_INIT;
    struct ox_source source;
    char back[64] = {0};

    assert_int_equal(ox_store_read(store, &digest, &blob, NULL), OX_OK);
    assert_int_equal(blob.size_bytes, strlen(text));
    source = ox_blob_source(&blob);
    assert_int_equal(ox_source_read(&source, 0, back, strlen(text), NULL), OX_OK);
    assert_string_equal(back, text);
    ox_blob_close(&blob);
}

struct tally {
    size_t count;
    uint64_t bytes;
};

static enum ox_code add_up(void *ctx, const struct ox_digest *digest, uint64_t size_bytes,
                           struct ox_err *err)
{
    struct tally *tally = ctx;

    (void)digest;
    (void)err;
    tally->count++;
    tally->bytes += size_bytes;
    return OX_OK;
}

static struct tally count(struct ox_store *store)
{
    struct tally tally = {0, 0};
    struct ox_store_visitor visitor = {&tally, add_up};

    assert_int_equal(ox_store_each(store, &visitor, NULL), OX_OK);
    return tally;
}

/* Regular files below the folder, whatever they are. */
static size_t files_below(const char *dir)
{
    char command[256];
    char line[32] = "";
    FILE *pipe;

    (void)snprintf(command, sizeof(command), "find %s -type f | wc -l", dir);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(line, sizeof(line), pipe));
    (void)pclose(pipe);
    return strtoul(line, NULL, 10);
}

/* --- both backends --- */

static void write__is_read_back_by_digest(void **state)
{
    struct fixture *fixture = *state;

    put(fixture->store, "one");
    put(fixture->store, "two!");
    assert_holds(fixture->store, "one");
    assert_holds(fixture->store, "two!");
    assert_int_equal(count(fixture->store).count, 2);
    assert_int_equal(count(fixture->store).bytes, 7);
}

static void write__same_bytes_twice_are_one_blob(void **state)
{
    struct fixture *fixture = *state;

    put(fixture->store, "same");
    put(fixture->store, "same");
    assert_int_equal(count(fixture->store).count, 1);
    assert_holds(fixture->store, "same");
}

static void commit__refuses_another_digest_and_keeps_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct ox_store_writer *writer = NULL;
    struct ox_digest expected = digest_of("what was promised");

    assert_int_equal(ox_store_begin(fixture->store, &writer, NULL), OX_OK);
    assert_int_equal(ox_store_write(writer, "what came", 9, NULL), OX_OK);
    assert_int_equal(ox_store_commit(writer, &expected, NULL, NULL, NULL), OX_EDIGEST);
    assert_int_equal(count(fixture->store).count, 0);
}

static void abort__leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct ox_store_writer *writer = NULL;

    assert_int_equal(ox_store_begin(fixture->store, &writer, NULL), OX_OK);
    assert_int_equal(ox_store_write(writer, "half", 4, NULL), OX_OK);
    ox_store_abort(writer);
    assert_int_equal(count(fixture->store).count, 0);
    if (fixture->dir[0] != '\0') {
        assert_int_equal(files_below(fixture->dir), 0);
    }
}

static void read__unknown_digest_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = digest_of("never written");
    struct ox_blob blob = OX_BLOB_INIT;

    assert_int_equal(ox_store_read(fixture->store, &digest, &blob, NULL), OX_ENOTFOUND);
    assert_false(ox_store_has(fixture->store, &digest));
}

static void remove__takes_a_blob_away_and_absent_is_fine(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = digest_of("gone soon");

    put(fixture->store, "gone soon");
    assert_true(ox_store_has(fixture->store, &digest));
    assert_int_equal(ox_store_remove(fixture->store, &digest, NULL), OX_OK);
    assert_false(ox_store_has(fixture->store, &digest));
    assert_int_equal(ox_store_remove(fixture->store, &digest, NULL), OX_OK);
}

static void upload__goes_on_where_it_broke_off(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = digest_of("first half, second half");
    struct ox_store_writer *writer = NULL;
    uint64_t received = 99;

    assert_int_equal(ox_store_resume(fixture->store, &digest, false, &writer, &received, NULL),
                     OX_OK);
    assert_int_equal(received, 0);
    assert_int_equal(ox_store_write(writer, "first half,", 11, NULL), OX_OK);
    ox_store_suspend(writer);
    assert_int_equal(ox_store_received(fixture->store, &digest, &received, NULL), OX_OK);
    assert_int_equal(received, 11);
    assert_int_equal(ox_store_resume(fixture->store, &digest, false, &writer, &received, NULL),
                     OX_OK);
    assert_int_equal(received, 11);
    assert_int_equal(ox_store_write(writer, " second half", 12, NULL), OX_OK);
    assert_int_equal(ox_store_commit(writer, &digest, NULL, NULL, NULL), OX_OK);
    assert_holds(fixture->store, "first half, second half");
    assert_int_equal(ox_store_received(fixture->store, &digest, &received, NULL), OX_OK);
    assert_int_equal(received, 0);
}

static void upload__restart_drops_what_was_there(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = digest_of("right");
    struct ox_store_writer *writer = NULL;
    uint64_t received = 99;

    assert_int_equal(ox_store_resume(fixture->store, &digest, false, &writer, &received, NULL),
                     OX_OK);
    assert_int_equal(ox_store_write(writer, "wrong bytes", 11, NULL), OX_OK);
    ox_store_suspend(writer);
    assert_int_equal(ox_store_resume(fixture->store, &digest, true, &writer, &received, NULL),
                     OX_OK);
    assert_int_equal(received, 0);
    assert_int_equal(ox_store_write(writer, "right", 5, NULL), OX_OK);
    assert_int_equal(ox_store_commit(writer, &digest, NULL, NULL, NULL), OX_OK);
    assert_holds(fixture->store, "right");
}

static void upload__is_one_writers_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = digest_of("x");
    struct ox_store_writer *first = NULL;
    struct ox_store_writer *second = NULL;
    uint64_t received;

    assert_int_equal(ox_store_resume(fixture->store, &digest, false, &first, &received, NULL),
                     OX_OK);
    assert_int_equal(ox_store_resume(fixture->store, &digest, false, &second, &received, NULL),
                     OX_EBUSY);
    ox_store_suspend(first);
    assert_int_equal(ox_store_resume(fixture->store, &digest, false, &second, &received, NULL),
                     OX_OK);
    ox_store_abort(second);
}

/* --- the folder --- */

static void open__removes_what_a_crash_left(void **state)
{
    struct fixture *fixture = *state;
    struct ox_store_writer *writer = NULL;
    char stale[128];
    int fd;

    put(fixture->store, "kept");
    (void)snprintf(stale, sizeof(stale), "%s/tmp/blob.crashed", fixture->dir);
    fd = open(stale, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    ox_store_close(fixture->store);
    assert_int_equal(ox_store_open(&fixture->store, fixture->dir, now_ms(), NULL), OX_OK);
    assert_false(ox_path_exists(stale));
    assert_holds(fixture->store, "kept");
    assert_int_equal(ox_store_begin(fixture->store, &writer, NULL), OX_OK);
    ox_store_abort(writer);
}

static void open__keeps_uploads_for_a_day(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = digest_of("a long upload");
    struct ox_store_writer *writer = NULL;
    uint64_t received;

    assert_int_equal(ox_store_resume(fixture->store, &digest, false, &writer, &received, NULL),
                     OX_OK);
    assert_int_equal(ox_store_write(writer, "a long", 6, NULL), OX_OK);
    ox_store_suspend(writer);
    ox_store_close(fixture->store);
    assert_int_equal(ox_store_open(&fixture->store, fixture->dir, now_ms(), NULL), OX_OK);
    assert_int_equal(ox_store_received(fixture->store, &digest, &received, NULL), OX_OK);
    assert_int_equal(received, 6);
    ox_store_close(fixture->store);
    assert_int_equal(ox_store_open(&fixture->store, fixture->dir,
                                   now_ms() + OX_STORE_UPLOAD_KEEP_MS + 5000, NULL),
                     OX_OK);
    assert_int_equal(ox_store_received(fixture->store, &digest, &received, NULL), OX_OK);
    assert_int_equal(received, 0);
}

static void commit__puts_the_blob_under_its_digest(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = digest_of("placed");
    char hex[OX_DIGEST_HEX_MAX];
    char path[256];
    struct stat st;

    put(fixture->store, "placed");
    ox_digest_hex(&digest, hex);
    (void)snprintf(path, sizeof(path), "%s/blobs/%.2s/%s", fixture->dir, hex, hex + 2);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 6);
    assert_int_equal(files_below(fixture->dir), 1);
}

/* --- what nothing refers to --- */

static bool remove_unused(struct fixture *fixture, const char *text, int64_t since_ms)
{
    struct ox_digest digest = digest_of(text);
    bool would = false;
    bool removed = false;

    assert_int_equal(ox_store_remove_unused(fixture->store, &digest, since_ms, true, &would, NULL),
                     OX_OK);
    assert_true(ox_store_has(fixture->store, &digest));
    assert_int_equal(
        ox_store_remove_unused(fixture->store, &digest, since_ms, false, &removed, NULL), OX_OK);
    assert_int_equal(would, removed);
    assert_int_equal(removed, !ox_store_has(fixture->store, &digest));
    return removed;
}

static void remove_unused__leaves_what_is_young(void **state)
{
    struct fixture *fixture = *state;
    int64_t before_ms = now_ms();

    put(fixture->store, "text");
    assert_false(remove_unused(fixture, "text", before_ms - 1000));
    assert_true(remove_unused(fixture, "text", now_ms() + 1000));
}

static void remove_unused__leaves_what_was_touched_or_written_again(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = digest_of("text");
    int64_t between_ms;

    put(fixture->store, "text");
    (void)usleep(20000);
    between_ms = now_ms();
    (void)usleep(20000);
    assert_int_equal(ox_store_touch(fixture->store, &digest, NULL), OX_OK);
    assert_false(remove_unused(fixture, "text", between_ms));
    (void)usleep(20000);
    between_ms = now_ms();
    (void)usleep(20000);
    put(fixture->store, "text");
    assert_false(remove_unused(fixture, "text", between_ms));
}

static void touch__of_what_is_not_held_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = digest_of("text");
    bool removed = true;

    assert_int_equal(ox_store_touch(fixture->store, &digest, NULL), OX_ENOTFOUND);
    assert_int_equal(
        ox_store_remove_unused(fixture->store, &digest, INT64_MAX, false, &removed, NULL), OX_OK);
    assert_false(removed);
}

static void each_of__visits_the_blobs_of_one_first_byte(void **state)
{
    static const char *const texts[] = {"a", "b", "c", "d"};
    struct fixture *fixture = *state;
    struct tally tally = {0, 0};
    struct ox_store_visitor visitor = {&tally, add_up};
    size_t of_first = 0;

    for (size_t i = 0; i < 4; i++) {
        put(fixture->store, texts[i]);
        of_first += digest_of(texts[i]).bytes[0] == digest_of("a").bytes[0];
    }
    assert_int_equal(ox_store_each_of(fixture->store, digest_of("a").bytes[0], &visitor, NULL),
                     OX_OK);
    assert_int_equal(tally.count, of_first);
    assert_int_equal(count(fixture->store).count, 4);
}

static void sweep_uploads__takes_old_ones_that_no_writer_has(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = digest_of("a long upload");
    struct ox_store_writer *writer = NULL;
    uint64_t received = 0;

    assert_int_equal(ox_store_resume(fixture->store, &digest, false, &writer, &received, NULL),
                     OX_OK);
    assert_int_equal(ox_store_write(writer, "a long", 6, NULL), OX_OK);
    assert_int_equal(ox_store_sweep_uploads(fixture->store, now_ms() + 5000, NULL), OX_OK);
    assert_int_equal(ox_store_received(fixture->store, &digest, &received, NULL), OX_OK);
    assert_int_equal(received, 6);
    ox_store_suspend(writer);
    assert_int_equal(ox_store_sweep_uploads(fixture->store, now_ms() - 60000, NULL), OX_OK);
    assert_int_equal(ox_store_received(fixture->store, &digest, &received, NULL), OX_OK);
    assert_int_equal(received, 6);
    assert_int_equal(ox_store_sweep_uploads(fixture->store, now_ms() + 5000, NULL), OX_OK);
    assert_int_equal(ox_store_received(fixture->store, &digest, &received, NULL), OX_OK);
    assert_int_equal(received, 0);
}

static void assert_usage(struct ox_store *store, uint64_t blobs, uint64_t bytes)
{
    uint64_t got_blobs = UINT64_MAX;
    uint64_t got_bytes = UINT64_MAX;

    assert_int_equal(ox_store_usage(store, &got_blobs, &got_bytes, NULL), OX_OK);
    assert_int_equal(got_blobs, blobs);
    assert_int_equal(got_bytes, bytes);
}

static void usage__follows_what_comes_and_goes(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest digest = digest_of("one");
    bool removed = false;

    assert_usage(fixture->store, 0, 0);
    put(fixture->store, "one");
    put(fixture->store, "three");
    assert_usage(fixture->store, 2, 8);
    assert_usage(fixture->store, 2, 8);
    put(fixture->store, "one");
    assert_usage(fixture->store, 2, 8);
    assert_int_equal(ox_store_remove(fixture->store, &digest, NULL), OX_OK);
    assert_usage(fixture->store, 1, 5);
    digest = digest_of("three");
    assert_int_equal(ox_store_remove_unused(fixture->store, &digest, now_ms() + 5000, true,
                                            &removed, NULL),
                     OX_OK);
    assert_usage(fixture->store, 1, 5);
    assert_int_equal(ox_store_remove_unused(fixture->store, &digest, now_ms() + 5000, false,
                                            &removed, NULL),
                     OX_OK);
    assert_true(removed);
    assert_usage(fixture->store, 0, 0);
}

static void usage__knows_what_was_there_before(void **state)
{
    struct fixture *fixture = *state;

    put(fixture->store, "one");
    put(fixture->store, "three");
    ox_store_close(fixture->store);
    assert_int_equal(ox_store_open(&fixture->store, fixture->dir, now_ms(), NULL), OX_OK);
    assert_usage(fixture->store, 2, 8);
}

#define BOTH(test)                                                                                 \
    {#test " (folder)", test, set_up_folder, tear_down, NULL},                                     \
    {                                                                                              \
#test " (memory)", test, set_up_memory, tear_down, NULL                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(write__is_read_back_by_digest),
        BOTH(write__same_bytes_twice_are_one_blob),
        BOTH(commit__refuses_another_digest_and_keeps_nothing),
        BOTH(abort__leaves_nothing),
        BOTH(read__unknown_digest_is_not_found),
        BOTH(remove__takes_a_blob_away_and_absent_is_fine),
        BOTH(upload__goes_on_where_it_broke_off),
        BOTH(upload__restart_drops_what_was_there),
        BOTH(upload__is_one_writers_at_a_time),
        BOTH(remove_unused__leaves_what_is_young),
        BOTH(remove_unused__leaves_what_was_touched_or_written_again),
        BOTH(touch__of_what_is_not_held_says_so),
        BOTH(each_of__visits_the_blobs_of_one_first_byte),
        BOTH(sweep_uploads__takes_old_ones_that_no_writer_has),
        BOTH(usage__follows_what_comes_and_goes),
        cmocka_unit_test_setup_teardown(usage__knows_what_was_there_before, set_up_folder,
                                        tear_down),
        cmocka_unit_test_setup_teardown(open__removes_what_a_crash_left, set_up_folder, tear_down),
        cmocka_unit_test_setup_teardown(open__keeps_uploads_for_a_day, set_up_folder, tear_down),
        cmocka_unit_test_setup_teardown(commit__puts_the_blob_under_its_digest, set_up_folder,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/file.h"
#include "oxide/registry/artifact.h"
#include "oxide/registry/blob.h"
#include "oxide/registry/device.h"
#include "oxide/registry/hold.h"
#include "oxide/registry/job.h"
#include "oxide/registry/need.h"
#include "oxide/registry/select.h"
#include "oxide/registry/snapshot.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW_MS ((int64_t)1700000000000)

struct fixture {
    char dir[64];
    char path[96];
    struct ox_registry *registry;
    atomic_bool stop;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide-snapshot.XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/registry.db", fixture->dir);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ox_registry_close(fixture->registry);
    assert_int_equal(ox_remove_tree(fixture->dir, NULL), OX_OK);
    free(fixture);
    return 0;
}

static void add_device(struct fixture *fixture, unsigned number)
{
    struct ox_tx tx = OX_TX_INIT;
    char id[32];
    bool created;

    (void)snprintf(id, sizeof(id), "d%06u", number);
    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_device_put(&tx, id, id, "{}", NOW_MS, &created, NULL), OX_OK);
    assert_int_equal(ox_registry_commit(&tx, NULL), OX_OK);
    ox_registry_end(&tx);
}

static uint64_t count_devices(struct ox_tx *tx)
{
    const struct ox_selection all = {.now_ms = NOW_MS};
    uint64_t devices = 0;

    assert_int_equal(ox_registry_selected_count(tx, &all, &devices, NULL), OX_OK);
    return devices;
}

static struct ox_snapshot *take(struct fixture *fixture)
{
    struct ox_snapshot *snapshot = NULL;
    struct ox_err err = OX_ERR_INIT;

    if (ox_snapshot_take(&snapshot, fixture->registry, NOW_MS, NULL, &err) != OX_OK) {
        fail_msg("%s", err.msg);
    }
    return snapshot;
}

/* Write the copy's bytes to a file and open that. */
static struct ox_registry *open_copy(struct fixture *fixture, const struct ox_snapshot *snapshot)
{
    size_t len = (size_t)ox_snapshot_bytes(snapshot);
    uint8_t *bytes = malloc(len);
    struct ox_registry *registry = NULL;
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/copy.db", fixture->dir);
    assert_int_equal(ox_pread_full(ox_snapshot_fd(snapshot), 0, bytes, len, "copy", NULL), OX_OK);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(ox_write_full(fd, bytes, len, path, NULL), OX_OK);
    (void)close(fd);
    free(bytes);
    assert_int_equal(ox_registry_open(&registry, path, NULL), OX_OK);
    return registry;
}

static void snapshot__is_a_registry_that_holds(void **state)
{
    struct fixture *fixture = *state;
    struct ox_snapshot *snapshot;
    struct ox_registry *copy;
    struct ox_hold_row hold;
    struct ox_tx tx = OX_TX_INIT;
    bool found = false;

    add_device(fixture, 1);
    snapshot = take(fixture);
    add_device(fixture, 2); /* after it */
    assert_int_equal(ox_snapshot_begin(snapshot, &tx, NULL), OX_OK);
    assert_int_equal(count_devices(&tx), 1);
    ox_registry_end(&tx);
    assert_true(ox_snapshot_schema(snapshot) >= 8);

    copy = open_copy(fixture, snapshot);
    assert_int_equal(ox_registry_begin(copy, OX_TX_READ, &tx, NULL), OX_OK);
    assert_int_equal(count_devices(&tx), 1);
    assert_int_equal(ox_registry_hold_get(&tx, &hold, &found, NULL), OX_OK);
    assert_true(found);
    assert_int_equal(hold.since_ms, NOW_MS);
    assert_string_equal(hold.reason, "restored from the backup of 2023-11-14T22:13:20.000Z");
    ox_registry_end(&tx);
    ox_registry_close(copy);
    ox_snapshot_free(snapshot);

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_READ, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_hold_get(&tx, &hold, &found, NULL), OX_OK);
    assert_false(found); /* the original goes on */
    assert_int_equal(count_devices(&tx), 2);
    ox_registry_end(&tx);
}

static void snapshot__leaves_no_files(void **state)
{
    struct fixture *fixture = *state;
    struct ox_snapshot *snapshot = take(fixture);
    static const char *const ends[] = {".backup", ".backup-journal", ".backup-wal", ".backup-shm"};
    char path[128];

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", fixture->path, ends[i]);
        assert_false(ox_path_exists(path));
    }
    ox_snapshot_free(snapshot);
    ox_snapshot_free(NULL);
    /* What one left that was killed goes at the next start. */
    (void)snprintf(path, sizeof(path), "%s.backup", fixture->path);
    (void)close(open(path, O_WRONLY | O_CREAT, 0600));
    ox_registry_close(fixture->registry);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    assert_false(ox_path_exists(path));
}

/* Two rows that are written in one transaction are in the copy together, whenever it is taken. */
static void *write_pairs(void *arg)
{
    struct fixture *fixture = arg;

    for (unsigned i = 1; !atomic_load(&fixture->stop); i++) {
        struct ox_tx tx = OX_TX_INIT;
        char id[32];
        bool created;

        if (ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL) != OX_OK) {
            break;
        }
        for (char end = 'a'; end <= 'b'; end++) {
            (void)snprintf(id, sizeof(id), "p%06u%c", i, end);
            if (ox_registry_device_put(&tx, id, id, "{}", NOW_MS, &created, NULL) != OX_OK) {
                break;
            }
        }
        (void)(ox_registry_commit(&tx, NULL) == OX_OK);
        ox_registry_end(&tx);
    }
    return NULL;
}

static void snapshot__is_of_one_instant_while_others_write(void **state)
{
    struct fixture *fixture = *state;
    pthread_t writer;
    uint64_t before = 0;

    for (unsigned i = 0; i < 200; i++) {
        add_device(fixture, i);
    }
    atomic_init(&fixture->stop, false);
    assert_int_equal(pthread_create(&writer, NULL, write_pairs, fixture), 0);
    for (unsigned round = 0; round < 10; round++) {
        struct ox_snapshot *snapshot = take(fixture);
        struct ox_tx tx = OX_TX_INIT;
        uint64_t devices;

        assert_int_equal(ox_snapshot_begin(snapshot, &tx, NULL), OX_OK);
        devices = count_devices(&tx);
        assert_int_equal(devices % 2, 0);
        assert_true(devices >= before);
        before = devices;
        ox_registry_end(&tx);
        ox_snapshot_free(snapshot);
    }
    atomic_store(&fixture->stop, true);
    assert_int_equal(pthread_join(writer, NULL), 0);
}

static void snapshot__hears_a_stop(void **state)
{
    struct fixture *fixture = *state;
    struct ox_snapshot *snapshot = NULL;
    struct ox_stop stop;

    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    ox_stop_request(&stop);
    assert_int_equal(ox_snapshot_take(&snapshot, fixture->registry, NOW_MS, &stop, NULL),
                     OX_ECANCELED);
    assert_null(snapshot);
    ox_stop_clear(&stop);
}

/* --- the hold --- */

static void hold__is_put_and_released(void **state)
{
    struct fixture *fixture = *state;
    struct ox_hold_row hold = {5, "why"};
    struct ox_tx tx = OX_TX_INIT;
    bool found = true;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_hold_get(&tx, &hold, &found, NULL), OX_OK);
    assert_false(found);
    assert_int_equal(ox_registry_hold_put(&tx, &hold, NULL), OX_OK);
    hold.reason = "another why";
    assert_int_equal(ox_registry_hold_put(&tx, &hold, NULL), OX_OK);
    assert_int_equal(ox_registry_hold_get(&tx, &hold, &found, NULL), OX_OK);
    assert_true(found);
    assert_string_equal(hold.reason, "another why");
    assert_int_equal(ox_registry_hold_release(&tx, NOW_MS, NULL), OX_OK);
    assert_int_equal(ox_registry_hold_get(&tx, &hold, &found, NULL), OX_OK);
    assert_false(found);
    ox_registry_end(&tx);
}

/* --- blobs --- */

static struct ox_digest digest(uint8_t first, uint8_t rest)
{
    struct ox_digest out;

    memset(out.bytes, rest, sizeof(out.bytes));
    out.bytes[0] = first;
    return out;
}

/* Versions v1 to v9, each of one file of its own and one that all share; one patch. */
static void add_versions(struct ox_tx *tx)
{
    struct ox_digest shared = digest(0x80, 1);
    struct ox_job_row job;

    for (uint8_t i = 1; i <= 9; i++) {
        struct ox_manifest files = OX_MANIFEST_INIT;
        struct ox_digest own = digest((uint8_t)(i * 16), 7);
        char version[8];
        struct ox_artifact_row row = {.model_id = "m",
                                      .version = version,
                                      .digest = own,
                                      .size_bytes = i + 100u,
                                      .format = "bytes",
                                      .uploaded_ms = NOW_MS};

        (void)snprintf(version, sizeof(version), "v%u", i);
        assert_int_equal(ox_manifest_add(&files, "own", i, &own, false, NULL), OX_OK);
        assert_int_equal(ox_manifest_add(&files, "shared", 100, &shared, false, NULL), OX_OK);
        assert_int_equal(ox_registry_artifact_add(tx, &row, &files, NULL), OX_OK);
        ox_manifest_clear(&files);
    }
    {
        struct ox_digest base = digest(0x10, 7);
        struct ox_digest target = digest(0x20, 7);

        assert_int_equal(ox_registry_job_queue(tx, &base, &target, "oxdl/2", 1, NOW_MS, NULL),
                         OX_OK);
        assert_int_equal(ox_registry_job_take(tx, &job, NULL), OX_OK);
        job.state = "ready";
        job.patch = digest(0xff, 9);
        job.patch_bytes = 77;
        job.strategy = "tensor";
        assert_int_equal(ox_registry_job_update(tx, &job, NOW_MS, NULL), OX_OK);
    }
}

static void blobs__are_listed_once_page_by_page(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = OX_TX_INIT;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    add_versions(&tx);
    for (uint64_t limit = 1; limit <= 12; limit++) {
        struct ox_digest last;
        bool has_last = false;
        size_t listed = 0;
        size_t count = 1;
        uint64_t bytes = 0;

        while (count > 0) {
            struct ox_blob_row *rows = NULL;

            assert_int_equal(
                ox_registry_blobs(&tx, has_last ? &last : NULL, limit, &rows, &count, NULL), OX_OK);
            assert_true(count <= limit);
            for (size_t i = 0; i < count; i++) {
                assert_true(!has_last ||
                            memcmp(last.bytes, rows[i].digest.bytes, sizeof(last.bytes)) < 0);
                last = rows[i].digest;
                has_last = true;
                bytes += rows[i].size_bytes;
                assert_int_equal(rows[i].is_patch, last.bytes[0] == 0xff);
                if (last.bytes[0] == 0x10) {
                    assert_string_equal(rows[i].what, "m@v1: own");
                }
                listed++;
            }
        }
        assert_int_equal(listed, 11);
        assert_int_equal(bytes, 45 + 100 + 77);
    }
    ox_registry_end(&tx);
}

static void blobs__know_who_needs_them(void **state)
{
    struct fixture *fixture = *state;
    struct ox_digest patch = digest(0xff, 9);
    struct ox_digest shared = digest(0x80, 1);
    struct ox_digest other = digest(0x33, 3);
    struct ox_digest base = digest(0x10, 7);
    struct ox_digest target = digest(0x20, 7);
    struct ox_tx tx = OX_TX_INIT;
    struct ox_job_row job;
    bool needed = false;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    add_versions(&tx);
    assert_int_equal(ox_registry_blob_needed(&tx, &shared, &needed, NULL), OX_OK);
    assert_true(needed);
    assert_int_equal(ox_registry_blob_needed(&tx, &other, &needed, NULL), OX_OK);
    assert_false(needed);
    assert_int_equal(ox_registry_blob_needed(&tx, &patch, &needed, NULL), OX_OK);
    assert_true(needed);
    assert_int_equal(ox_registry_patch_lost(&tx, &patch, NOW_MS, NULL), OX_OK);
    assert_int_equal(ox_registry_blob_needed(&tx, &patch, &needed, NULL), OX_OK);
    assert_false(needed);
    assert_int_equal(ox_registry_job_queue(&tx, &base, &target, "oxdl/2", 1, NOW_MS, NULL), OX_OK);
    assert_int_equal(ox_registry_job_take(&tx, &job, NULL), OX_OK); /* made again */
    ox_registry_end(&tx);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(snapshot__is_a_registry_that_holds),
        TEST(snapshot__leaves_no_files),
        TEST(snapshot__is_of_one_instant_while_others_write),
        TEST(snapshot__hears_a_stop),
        TEST(hold__is_put_and_released),
        TEST(blobs__are_listed_once_page_by_page),
        TEST(blobs__know_who_needs_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

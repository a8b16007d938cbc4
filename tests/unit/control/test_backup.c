#include "fixture.h"

#include "oxide/base/file.h"
#include "oxide/control/backup.h"
#include "oxide/registry/blob.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* An archive in memory. */
static void take(struct fixture *fixture, bool blobs, struct ox_buf *out)
{
    struct ox_backup *backup = NULL;
    bool end = false;

    assert_int_equal(ox_control_backup_begin(fixture->control, blobs, &backup, NULL), OX_OK);
    while (!end) {
        size_t before = out->len_bytes;

        assert_int_equal(ox_control_backup_next(backup, out, &end, NULL), OX_OK);
        assert_true(out->len_bytes - before < ((size_t)1 << 20));
    }
    ox_control_backup_free(backup);
    assert_int_equal(out->len_bytes % 512, 0);
}

static enum ox_code restore(const struct ox_buf *archive, size_t len_bytes, struct ox_store *store,
                            const char *path, struct ox_restored *out, struct ox_err *err)
{
    struct ox_memory memory = {archive->data, len_bytes};
    struct ox_source source = ox_memory_source(&memory);

    return ox_restore(&source, store, path, NULL, out, err);
}

/* A control plane on what was restored, in place of the one that is there. */
static void restart_on(struct fixture *fixture, struct ox_store *store, const char *path)
{
    ox_control_stop(fixture->control);
    ox_control_free(fixture->control);
    ox_registry_close(fixture->registry);
    ox_store_close(fixture->store);
    fixture->store = store;
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s", path);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    open_control(fixture);
}

static void restored_path(struct fixture *fixture, char out[static 96])
{
    (void)snprintf(out, 96, "%s/restored.db", fixture->dir);
}

/* Two versions, a patch, and a campaign under way: d0 is told to fetch v2. */
static void some_life(struct fixture *fixture)
{
    publish_two(fixture);
    fleet(fixture, "f", 3);
    json_decref(beat_running(fixture, "d0", "v1"));
    make_deltas(fixture);
    campaign(fixture, "v2", "all_at_once");
    make_deltas(fixture);
    tick(fixture, 1);
}

static void assert_assigned(struct fixture *fixture, const char *id, bool assigned)
{
    json_t *answer = beat(fixture, id, "{" AGENT "}");

    assert_int_equal(json_array_size(at(answer, "assignments")), assigned);
    assert_int_equal(json_is_string(at(answer, "assigned_model")), assigned);
    json_decref(answer);
}

static void backup__restores_with_all_blobs(void **state)
{
    struct fixture *fixture = *state;
    struct ox_buf archive = OX_BUF_INIT;
    struct ox_store *store = NULL;
    struct ox_restored restored;
    char path[96];

    some_life(fixture);
    take(fixture, true, &archive);
    restored_path(fixture, path);
    assert_int_equal(ox_store_open_memory(&store, NULL), OX_OK);
    assert_int_equal(restore(&archive, archive.len_bytes, store, path, &restored, NULL), OX_OK);
    assert_int_equal(restored.devices, 3);
    assert_int_equal(restored.campaigns, 1);
    assert_int_equal(restored.blobs, 3); /* v1, v2 and the patch */
    assert_int_equal(restored.missing, 0);
    assert_int_equal(restored.made_ms, fixture->now_ms);
    restart_on(fixture, store, path);
    assert_int_equal(campaign_number(fixture, "summary.total"), 3);
    ox_buf_clear(&archive);
}

static void backup__without_blobs_tells_what_is_missing(void **state)
{
    struct fixture *fixture = *state;
    struct ox_buf archive = OX_BUF_INIT;
    struct ox_store *store = NULL;
    struct ox_restored restored;
    char path[96];

    some_life(fixture);
    take(fixture, false, &archive);
    restored_path(fixture, path);
    assert_int_equal(ox_store_open_memory(&store, NULL), OX_OK);
    assert_int_equal(restore(&archive, archive.len_bytes, store, path, &restored, NULL), OX_OK);
    assert_int_equal(restored.blobs, 3);
    assert_int_equal(restored.missing, 3);
    ox_store_close(store);
    ox_buf_clear(&archive);
}

static void backup__one_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct ox_backup *one = NULL;
    struct ox_backup *other = NULL;

    assert_int_equal(ox_control_backup_begin(fixture->control, false, &one, NULL), OX_OK);
    assert_int_equal(ox_control_backup_begin(fixture->control, false, &other, NULL), OX_EBUSY);
    ox_control_backup_free(one);
    assert_int_equal(ox_control_backup_begin(fixture->control, false, &one, NULL), OX_OK);
    ox_control_backup_free(one);
    ox_control_backup_free(NULL);
}

/* A blob that is gone is left out; the rest is there. */
static void backup__goes_on_past_a_missing_blob(void **state)
{
    struct fixture *fixture = *state;
    struct ox_buf archive = OX_BUF_INIT;
    struct ox_store *store = NULL;
    struct ox_restored restored;
    struct ox_digest digest;
    char path[96];

    some_life(fixture);
    assert_int_equal(ox_digest_parse(digest_hex(fixture, "v1"), &digest, NULL), OX_OK);
    assert_int_equal(ox_store_remove(fixture->store, &digest, NULL), OX_OK);
    take(fixture, true, &archive);
    restored_path(fixture, path);
    assert_int_equal(ox_store_open_memory(&store, NULL), OX_OK);
    assert_int_equal(restore(&archive, archive.len_bytes, store, path, &restored, NULL), OX_OK);
    assert_int_equal(restored.missing, 1);
    ox_store_close(store);
    ox_buf_clear(&archive);
}

/* --- archives that are not whole --- */

static void restore__refuses_an_archive_cut_anywhere(void **state)
{
    struct fixture *fixture = *state;
    struct ox_buf archive = OX_BUF_INIT;
    struct ox_restored restored = {.devices = 99};
    char path[96];

    some_life(fixture);
    take(fixture, true, &archive);
    restored_path(fixture, path);
    for (size_t len = 0; len < archive.len_bytes; len += len < 4096 ? 128 : 33333) {
        struct ox_store *store = NULL;
        struct ox_err err = OX_ERR_INIT;

        if (archive.len_bytes - len <= 512) {
            break; /* the second block of zeros is for tape drives */
        }
        assert_int_equal(ox_store_open_memory(&store, NULL), OX_OK);
        assert_int_equal(restore(&archive, len, store, path, &restored, &err), OX_ECORRUPT);
        assert_false(ox_path_exists(path));
        ox_store_close(store);
    }
    assert_int_equal(restored.devices, 99);
    ox_buf_clear(&archive);
}

/* A flipped bit is found wherever it matters: in headers, the manifest, the registry, blobs. */
static void restore__refuses_flipped_bits(void **state)
{
    struct fixture *fixture = *state;
    struct ox_buf archive = OX_BUF_INIT;
    struct ox_restored restored;
    size_t refused = 0;
    size_t flips = 0;
    char path[96];

    some_life(fixture);
    take(fixture, true, &archive);
    restored_path(fixture, path);
    for (size_t i = 0; i < archive.len_bytes; i += 6151) {
        struct ox_store *store = NULL;
        enum ox_code code;

        archive.data[i] ^= 0x10;
        assert_int_equal(ox_store_open_memory(&store, NULL), OX_OK);
        code = restore(&archive, archive.len_bytes, store, path, &restored, NULL);
        if (code == OX_OK) { /* in padding or in blobs.txt, which nobody reads */
            assert_int_equal(restored.devices, 3);
            assert_int_equal(restored.missing, 0);
            assert_int_equal(unlink(path), 0);
        }
        assert_false(ox_path_exists(path));
        refused += code == OX_ECORRUPT;
        flips++;
        ox_store_close(store);
        archive.data[i] ^= 0x10;
    }
    assert_true(refused >= flips - 2);
    ox_buf_clear(&archive);
}

static void restore__refuses_what_is_no_backup(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t junk[4096];
    struct ox_buf archive = {junk, sizeof(junk), 0};
    struct ox_restored restored;
    struct ox_err err = OX_ERR_INIT;
    char path[96];

    restored_path(fixture, path);
    assert_int_equal(restore(&archive, archive.len_bytes, fixture->store, path, &restored, &err),
                     OX_ECORRUPT); /* zeros: an archive of nothing */
    memset(junk, 'x', sizeof(junk));
    assert_int_equal(restore(&archive, archive.len_bytes, fixture->store, path, &restored, &err),
                     OX_ECORRUPT);
    assert_string_equal(err.msg, "it is no tar archive, or a damaged one");
}

static void restore__refuses_another_format(void **state)
{
    struct fixture *fixture = *state;
    struct ox_buf archive = OX_BUF_INIT;
    struct ox_restored restored;
    struct ox_err err = OX_ERR_INIT;
    char path[96];
    char *format;

    take(fixture, false, &archive);
    restored_path(fixture, path);
    format = strstr((char *)archive.data + 512, "oxide-backup/1");
    assert_non_null(format);
    format[13] = '2';
    assert_int_equal(restore(&archive, archive.len_bytes, fixture->store, path, &restored, &err),
                     OX_EUNSUPPORTED);
    ox_buf_clear(&archive);
}

static void restore__touches_no_registry_that_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct ox_buf archive = OX_BUF_INIT;
    struct ox_restored restored;
    char path[96];

    take(fixture, false, &archive);
    restored_path(fixture, path);
    (void)close(open(path, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(restore(&archive, archive.len_bytes, fixture->store, path, &restored, NULL),
                     OX_ECONFLICT);
    assert_true(ox_path_exists(path));
    ox_buf_clear(&archive);
}

/* --- the hold --- */

static void hold__nothing_is_assigned_until_it_is_released(void **state)
{
    struct fixture *fixture = *state;
    struct ox_buf archive = OX_BUF_INIT;
    struct ox_store *store = NULL;
    struct ox_restored restored;
    json_t *out = NULL;
    char path[96];

    some_life(fixture);
    assert_assigned(fixture, "d0", true);
    assert_int_equal(ox_control_hold(fixture->control, &out, NULL), OX_OK);
    assert_true(json_is_null(out));
    json_decref(out);
    assert_int_equal(ox_control_hold_release(fixture->control, &out, NULL), OX_ECONFLICT);

    take(fixture, true, &archive);
    restored_path(fixture, path);
    assert_int_equal(ox_store_open_memory(&store, NULL), OX_OK);
    assert_int_equal(restore(&archive, archive.len_bytes, store, path, &restored, NULL), OX_OK);
    restart_on(fixture, store, path);
    assert_int_equal(ox_control_hold(fixture->control, &out, NULL), OX_OK);
    assert_non_null(strstr(text_at(out, "reason"), "restored from the backup of 2023"));
    json_decref(out);
    assert_assigned(fixture, "d0", false);
    assert_assigned(fixture, "d1", false);
    tick(fixture, 3600); /* nobody is taken for silent */
    assert_device_state(fixture, "d0", "pending");
    assert_campaign(fixture, "state", "rolling_out");
    restart(fixture); /* it lasts */
    assert_assigned(fixture, "d0", false);

    assert_int_equal(ox_control_hold_release(fixture->control, &out, NULL), OX_OK);
    json_decref(out);
    assert_assigned(fixture, "d0", true);
    json_decref(beat_report(fixture, "d0", 1, "complete", 5));
    json_decref(beat_running(fixture, "d0", "v2"));
    assert_device_state(fixture, "d0", "complete");
    ox_buf_clear(&archive);
}

/* What a device has done since the backup is no rollback. */
static void hold__what_devices_run_by_now_fails_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct ox_buf archive = OX_BUF_INIT;
    struct ox_store *store = NULL;
    struct ox_restored restored;
    json_t *out = NULL;
    char path[96];

    some_life(fixture);
    json_decref(beat(fixture, "d0", "{" AGENT "}"));
    json_decref(beat_report(fixture, "d0", 1, "complete", 5));
    json_decref(beat_running(fixture, "d0", "v2"));
    assert_device_state(fixture, "d0", "complete");
    take(fixture, true, &archive);
    restored_path(fixture, path);
    assert_int_equal(ox_store_open_memory(&store, NULL), OX_OK);
    assert_int_equal(restore(&archive, archive.len_bytes, store, path, &restored, NULL), OX_OK);
    restart_on(fixture, store, path);
    json_decref(beat_running(fixture, "d0", "v1")); /* went back, as another campaign said */
    assert_device_state(fixture, "d0", "complete");
    assert_int_equal(ox_control_hold_release(fixture->control, &out, NULL), OX_OK);
    json_decref(out);
    json_decref(beat_running(fixture, "d0", "v1"));
    assert_device_state(fixture, "d0", "complete");
    ox_buf_clear(&archive);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(backup__restores_with_all_blobs),
        TEST(backup__without_blobs_tells_what_is_missing),
        TEST(backup__one_at_a_time),
        TEST(backup__goes_on_past_a_missing_blob),
        TEST(restore__refuses_an_archive_cut_anywhere),
        TEST(restore__refuses_flipped_bits),
        TEST(restore__refuses_what_is_no_backup),
        TEST(restore__refuses_another_format),
        TEST(restore__touches_no_registry_that_is_there),
        TEST(hold__nothing_is_assigned_until_it_is_released),
        TEST(hold__what_devices_run_by_now_fails_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

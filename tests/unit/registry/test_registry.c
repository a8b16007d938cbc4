#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/file.h"
#include "oxide/registry/artifact.h"
#include "oxide/registry/campaign.h"
#include "oxide/registry/device.h"
#include "oxide/registry/fleet.h"
#include "oxide/registry/select.h"
#include "oxide/registry/job.h"
#include "oxide/registry/registry.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    char path[96];
    struct ox_registry *registry;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide-registry.XXXXXX");
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

static void reopen(struct fixture *fixture)
{
    ox_registry_close(fixture->registry);
    fixture->registry = NULL;
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
}

static struct ox_tx begin(struct fixture *fixture, enum ox_tx_kind kind)
{
    struct ox_tx tx = OX_TX_INIT;

    assert_int_equal(ox_registry_begin(fixture->registry, kind, &tx, NULL), OX_OK);
    return tx;
}

static void commit(struct ox_tx *tx)
{
    assert_int_equal(ox_registry_commit(tx, NULL), OX_OK);
    ox_registry_end(tx);
}

static struct ox_digest digest(uint8_t fill)
{
    struct ox_digest out;

    memset(out.bytes, fill, sizeof(out.bytes));
    return out;
}

static enum ox_code add_artifact(struct ox_tx *tx, const char *version, uint8_t fill)
{
    struct ox_artifact_row row = {.model_id = "m",
                                  .version = version,
                                  .digest = digest(fill),
                                  .size_bytes = 1000,
                                  .format = "onnx",
                                  .uploaded_ms = 7};
    struct ox_manifest files = OX_MANIFEST_INIT;
    enum ox_code code;

    assert_int_equal(ox_manifest_single(&files, "model.onnx", 1000, &row.digest, NULL), OX_OK);
    code = ox_registry_artifact_add(tx, &row, &files, NULL);
    ox_manifest_clear(&files);
    return code;
}

static void add_device(struct ox_tx *tx, const char *id)
{
    bool created = false;

    assert_int_equal(ox_registry_device_put(tx, id, "A name", "[]", 5, &created, NULL), OX_OK);
    assert_true(created);
}

static void add_campaign(struct ox_tx *tx, const char *id, const char *device, const char *state)
{
    struct ox_artifact_row artifact;
    struct ox_campaign_row row = {.id = id,
                                  .kind = "rollout",
                                  .strategy = "canary",
                                  .policy = "{}",
                                  .state = "rolling_out"};
    struct ox_campaign_device_row member = {.campaign_id = id,
                                            .device_id = device,
                                            .state = state,
                                            .class = "",
                                            .bytes_full = 1000};

    assert_int_equal(ox_registry_artifact_get(tx, "m", "v2", &artifact, NULL), OX_OK);
    row.artifact_id = member.artifact_id = artifact.id;
    assert_int_equal(ox_registry_campaign_add(tx, &row, NULL), OX_OK);
    assert_int_equal(ox_registry_campaign_device_add(tx, &member, NULL), OX_OK);
}

/* --- opening --- */

static void open__everything_is_there_again(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_manifest files = OX_MANIFEST_INIT;
    struct ox_artifact_row artifact;
    struct ox_campaign_row campaign;
    struct ox_device_row device;

    assert_int_equal(add_artifact(&tx, "v2", 2), OX_OK);
    add_device(&tx, "cam-01");
    add_campaign(&tx, "c-1", "cam-01", "pending");
    commit(&tx);
    reopen(fixture);
    tx = begin(fixture, OX_TX_READ);
    assert_int_equal(ox_registry_artifact_get(&tx, "m", "v2", &artifact, NULL), OX_OK);
    assert_int_equal(artifact.size_bytes, 1000);
    assert_string_equal(artifact.format, "onnx");
    assert_int_equal(ox_registry_artifact_files(&tx, artifact.id, &files, NULL), OX_OK);
    assert_int_equal(files.count, 1);
    assert_string_equal(files.files[0].path, "model.onnx");
    ox_manifest_clear(&files);
    assert_int_equal(ox_registry_device_get(&tx, "cam-01", &device, NULL), OX_OK);
    assert_string_equal(device.name, "A name");
    assert_string_equal(device.status, "unknown");
    assert_int_equal(ox_registry_campaign_get(&tx, "c-1", &campaign, NULL), OX_OK);
    assert_string_equal(campaign.version, "v2");
    assert_null(campaign.fleet_id);
    ox_registry_end(&tx);
}

static void open__what_was_committed_survives_a_kill(void **state)
{
    struct fixture *fixture = *state;
    struct ox_device_row device;
    struct ox_tx tx;
    int status = 0;
    pid_t child;

    ox_registry_close(fixture->registry);
    fixture->registry = NULL;
    child = fork();
    if (child == 0) { /* commits one device, begins another, and dies without closing anything */
        struct ox_tx inner = OX_TX_INIT;
        bool created;

        if (ox_registry_open(&fixture->registry, fixture->path, NULL) == OX_OK &&
            ox_registry_begin(fixture->registry, OX_TX_WRITE, &inner, NULL) == OX_OK &&
            ox_registry_device_put(&inner, "told", "x", "[]", 1, &created, NULL) == OX_OK &&
            ox_registry_commit(&inner, NULL) == OX_OK) {
            ox_registry_end(&inner);
            if (ox_registry_begin(fixture->registry, OX_TX_WRITE, &inner, NULL) == OX_OK &&
                ox_registry_device_put(&inner, "untold", "x", "[]", 1, &created, NULL) == OX_OK) {
                (void)kill(getpid(), SIGKILL);
            }
        }
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    tx = begin(fixture, OX_TX_READ);
    assert_int_equal(ox_registry_device_get(&tx, "told", &device, NULL), OX_OK);
    assert_int_equal(ox_registry_device_get(&tx, "untold", &device, NULL), OX_ENOTFOUND);
    ox_registry_end(&tx);
}

static void open__refuses_the_schema_of_a_newer_release(void **state)
{
    struct fixture *fixture = *state;
    struct ox_registry *other = NULL;
    struct ox_err err = OX_ERR_INIT;
    sqlite3 *db = NULL;

    ox_registry_close(fixture->registry);
    fixture->registry = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 9999", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(ox_registry_open(&other, fixture->path, &err), OX_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "9999"));
    assert_null(other);
}

static void open__names_a_damaged_database(void **state)
{
    struct fixture *fixture = *state;
    struct ox_registry *other = NULL;
    struct ox_err err = OX_ERR_INIT;
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/damaged.db", fixture->dir);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(write(fd, "no database", 11), 11);
    }
    (void)close(fd);
    assert_int_equal(ox_registry_open(&other, path, &err), OX_ECORRUPT);
    assert_non_null(strstr(err.msg, "backup"));
}

static void end__without_commit_nothing_happened(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_device_row device;

    add_device(&tx, "cam-01");
    ox_registry_end(&tx);
    tx = begin(fixture, OX_TX_READ);
    assert_int_equal(ox_registry_device_get(&tx, "cam-01", &device, NULL), OX_ENOTFOUND);
    ox_registry_end(&tx);
}

static void begin__a_reader_runs_beside_a_writer(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx writer = begin(fixture, OX_TX_WRITE);
    struct ox_tx reader;
    struct ox_device_row device;

    add_device(&writer, "cam-01");
    reader = begin(fixture, OX_TX_READ);
    assert_int_equal(ox_registry_device_get(&reader, "cam-01", &device, NULL), OX_ENOTFOUND);
    ox_registry_end(&reader);
    commit(&writer);
    reader = begin(fixture, OX_TX_READ);
    assert_int_equal(ox_registry_device_get(&reader, "cam-01", &device, NULL), OX_OK);
    ox_registry_end(&reader);
}

/* --- rows --- */

static void artifact__a_version_is_added_once(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);

    assert_int_equal(add_artifact(&tx, "v1", 1), OX_OK);
    assert_int_equal(add_artifact(&tx, "v1", 2), OX_ECONFLICT);
    commit(&tx);
}

static void artifact__versions_come_oldest_first_and_know_their_predecessor(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_artifact_row *rows = NULL;
    struct ox_artifact_row before;
    struct ox_model_row *models = NULL;
    size_t count = 0;

    assert_int_equal(add_artifact(&tx, "v10", 1), OX_OK);
    assert_int_equal(add_artifact(&tx, "v9", 2), OX_OK);
    assert_int_equal(ox_registry_artifacts(&tx, "m", &rows, &count, NULL), OX_OK);
    assert_int_equal(count, 2);
    assert_string_equal(rows[0].version, "v10");
    assert_int_equal(ox_registry_artifact_before(&tx, &rows[1], &before, NULL), OX_OK);
    assert_string_equal(before.version, "v10");
    assert_int_equal(ox_registry_artifact_before(&tx, &rows[0], &before, NULL), OX_ENOTFOUND);
    assert_int_equal(ox_registry_models(&tx, &models, &count, NULL), OX_OK);
    assert_int_equal(count, 1);
    assert_string_equal(models[0].latest, "v9");
    assert_int_equal(models[0].versions, 2);
    commit(&tx);
}

static void device__put_again_replaces_name_and_tags(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_device_row device;
    bool created = true;

    add_device(&tx, "cam-01");
    assert_int_equal(ox_registry_device_put(&tx, "cam-01", "Other", "[\"x\"]", 9, &created, NULL),
                     OX_OK);
    assert_false(created);
    assert_int_equal(ox_registry_device_get(&tx, "cam-01", &device, NULL), OX_OK);
    assert_string_equal(device.name, "Other");
    assert_string_equal(device.tags, "[\"x\"]");
    commit(&tx);
}

static void device__update_writes_every_column_back(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_device_row out;
    const struct ox_device_row row = {
        .id = "cam-01",
        .last_heartbeat_ms = 11,
        .status = "error",
        .current_model = "m",
        .current_version = "v1",
        .last_result = "\"success\"",
        .platform = "{}",
        .metrics = "{\"a\":1}",
        .agent = "oxide/0.1.0",
        .protocol = 1,
        .reads = "oxdl/1",
        .report_seq = 42,
        .instance = "0123456789abcdef0123456789abcdef",
        .instance_since_ms = 7,
        .poll_interval_s = 900,
        .utc_offset_s = -3600,
        .disk_free_bytes = 1,
        .disk_total_bytes = 2,
        .address = "10.0.0.7",
    };

    add_device(&tx, "cam-01");
    assert_int_equal(ox_registry_device_update(&tx, &row, NULL), OX_OK);
    assert_int_equal(ox_registry_device_get(&tx, "cam-01", &out, NULL), OX_OK);
    assert_int_equal(out.last_heartbeat_ms, 11);
    assert_string_equal(out.status, "error");
    assert_string_equal(out.current_model, "m");
    assert_string_equal(out.current_version, "v1");
    assert_string_equal(out.last_result, "\"success\"");
    assert_string_equal(out.platform, "{}");
    assert_string_equal(out.metrics, "{\"a\":1}");
    assert_string_equal(out.agent, "oxide/0.1.0");
    assert_int_equal(out.protocol, 1);
    assert_string_equal(out.reads, "oxdl/1");
    assert_int_equal(out.report_seq, 42);
    assert_string_equal(out.instance, row.instance);
    assert_int_equal(out.instance_since_ms, 7);
    assert_int_equal(out.poll_interval_s, 900);
    assert_int_equal(out.utc_offset_s, -3600);
    assert_int_equal(out.disk_free_bytes, 1);
    assert_int_equal(out.disk_total_bytes, 2);
    assert_string_equal(out.address, "10.0.0.7");
    commit(&tx);
}

static void device__removal_leaves_the_history_of_campaigns(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_campaign_device_row row;
    struct ox_fleet_row fleet = {
        .id = "f", .name = "F", .default_strategy = "rolling", .tags = "[]"};
    const struct ox_selection members = {.fleet_id = "f"};
    uint64_t listed = 1;

    assert_int_equal(add_artifact(&tx, "v2", 2), OX_OK);
    add_device(&tx, "cam-01");
    assert_int_equal(ox_registry_fleet_add(&tx, &fleet, NULL), OX_OK);
    assert_int_equal(ox_registry_fleet_join(&tx, "f", "cam-01", 1, NULL), OX_OK);
    add_campaign(&tx, "c-1", "cam-01", "complete");
    assert_int_equal(ox_registry_device_remove(&tx, "cam-01", NULL), OX_OK);
    assert_int_equal(ox_registry_device_remove(&tx, "cam-01", NULL), OX_ENOTFOUND);
    assert_int_equal(ox_registry_selected_count(&tx, &members, &listed, NULL), OX_OK);
    assert_int_equal(listed, 0);
    assert_int_equal(ox_registry_campaign_device_get(&tx, "c-1", "cam-01", &row, NULL), OX_OK);
    commit(&tx);
}

static void fleet__refuses_a_device_that_does_not_exist(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_fleet_row fleet = {
        .id = "f", .name = "F", .default_strategy = "rolling", .tags = "[]"};

    assert_int_equal(ox_registry_fleet_add(&tx, &fleet, NULL), OX_OK);
    assert_int_equal(ox_registry_fleet_add(&tx, &fleet, NULL), OX_ECONFLICT);
    assert_int_not_equal(ox_registry_fleet_join(&tx, "f", "ghost", 1, NULL), OX_OK);
    assert_int_equal(ox_registry_fleet_leave(&tx, "f", "ghost", NULL), OX_ENOTFOUND);
    ox_registry_end(&tx);
}

/* Devices of a campaign in a state, whatever else they are. */
static uint64_t tally(struct ox_tx *tx, const char *campaign_id, const char *wanted)
{
    struct ox_tally_row *rows = NULL;
    uint64_t sum = 0;
    size_t count = 0;

    assert_int_equal(ox_registry_campaign_tally(tx, campaign_id, &rows, &count, NULL), OX_OK);
    for (size_t i = 0; i < count; i++) {
        sum += strcmp(rows[i].state, wanted) == 0 ? rows[i].devices : 0;
    }
    return sum;
}

static void campaign__tally_follows_every_move(void **state)
{
    static const char *const states[] = {"complete", "failed", "pending", "downloading", "skipped"};
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_campaign_device_row moved;
    uint64_t released = 0;

    assert_int_equal(add_artifact(&tx, "v2", 2), OX_OK);
    add_campaign(&tx, "c-1", "first", states[0]);
    for (size_t i = 1; i < 5; i++) {
        struct ox_campaign_device_row row = {.campaign_id = "c-1",
                                             .device_id = states[i],
                                             .place = i,
                                             .artifact_id = 1,
                                             .state = states[i],
                                             .class = ""};

        assert_int_equal(ox_registry_campaign_device_add(&tx, &row, NULL), OX_OK);
    }
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(tally(&tx, "c-1", states[i]), 1);
    }
    assert_int_equal(ox_registry_campaign_device_get(&tx, "c-1", "pending", &moved, NULL), OX_OK);
    moved.state = "complete";
    assert_int_equal(ox_registry_campaign_device_update(&tx, &moved, NULL), OX_OK);
    assert_int_equal(tally(&tx, "c-1", "pending"), 0);
    assert_int_equal(tally(&tx, "c-1", "complete"), 2);
    assert_int_equal(ox_registry_campaign_release(&tx, "c-1", 2, 5, &released, NULL), OX_OK);
    assert_int_equal(released, 2);
    assert_int_equal(tally(&tx, "c-1", "complete"), 2);
    assert_int_equal(tally(&tx, "c-1", "failed"), 1);
    commit(&tx);
}

static uint64_t rank_by_name(const char *campaign_id, const char *device_id)
{
    (void)campaign_id;
    return UINT64_MAX - (uint64_t)device_id[0]; /* c before a: past the sign bit too */
}

static void members__enter_by_rank_and_leave_what_they_were_in(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_device_model_row runs = {"c", "m", "v2", true, {{0}}};
    struct ox_campaign_device_row *rows = NULL;
    struct ox_rival_row *rivals = NULL;
    struct ox_campaign_device_row old;
    struct ox_campaign_row campaign;
    struct ox_artifact_row artifact;
    size_t count = 0;

    assert_int_equal(add_artifact(&tx, "v2", 2), OX_OK);
    assert_int_equal(ox_registry_artifact_get(&tx, "m", "v2", &artifact, NULL), OX_OK);
    add_device(&tx, "a");
    add_device(&tx, "b");
    add_device(&tx, "c");
    runs.digest = artifact.digest;
    assert_int_equal(ox_registry_device_model_put(&tx, &runs, NULL), OX_OK);
    add_campaign(&tx, "c-1", "a", "pending");
    add_campaign(&tx, "c-2", "none", "complete");
    assert_int_equal(ox_registry_members_begin(&tx, NULL), OX_OK);
    assert_int_equal(ox_registry_member_add(&tx, "a", NULL), OX_OK);
    assert_int_equal(ox_registry_member_add(&tx, "a", NULL), OX_OK);
    assert_int_equal(ox_registry_member_add(&tx, "ghost", NULL), OX_ENOTFOUND);
    assert_int_equal(ox_registry_member_add(&tx, "b", NULL), OX_OK);
    assert_int_equal(ox_registry_member_add(&tx, "c", NULL), OX_OK);
    assert_int_equal(ox_registry_members_rivals(&tx, "c-2", "m", &rivals, &count, NULL), OX_OK);
    assert_int_equal(count, 1);
    assert_string_equal(rivals[0].campaign_id, "c-1");
    assert_int_equal(ox_registry_campaign_get(&tx, "c-2", &campaign, NULL), OX_OK);
    assert_int_equal(
        ox_registry_members_enter(&tx, &campaign, OX_TARGET_ARTIFACT, rank_by_name, NULL), OX_OK);
    assert_int_equal(campaign.total, 3);
    assert_int_equal(campaign.staged, 2);
    assert_int_equal(ox_registry_campaign_device_get(&tx, "c-2", "c", &old, NULL), OX_OK);
    assert_int_equal(old.place, 2); /* behind those that are to be updated */
    assert_string_equal(old.state, "complete"); /* it runs it already */
    assert_string_equal(old.from_version, "v2");
    assert_int_equal(ox_registry_campaign_device_get(&tx, "c-2", "b", &old, NULL), OX_OK);
    assert_int_equal(old.place, 0);
    assert_string_equal(old.state, "pending");
    assert_false(old.released);
    assert_int_equal(ox_registry_campaign_devices(&tx, "c-2", &rows, &count, NULL), OX_OK);
    assert_int_equal(count, 4);
    assert_string_equal(rows[3].device_id, "c");
    assert_int_equal(ox_registry_campaign_device_get(&tx, "c-1", "a", &old, NULL), OX_OK);
    assert_string_equal(old.state, "skipped");
    assert_string_equal(old.error, "superseded by campaign c-2");
    commit(&tx);
}

static void quarantine__counts_and_is_freed(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    const struct ox_quarantine_row row = {
        .device_id = "a", .model_id = "m", .version = "v2", .class = "health"};
    struct ox_quarantine_row *rows = NULL;
    uint64_t failures = 0;
    bool quarantined = true;
    size_t count = 9;

    add_device(&tx, "a");
    for (uint64_t i = 1; i <= OX_QUARANTINE_FAILURES; i++) {
        assert_int_equal(ox_registry_quarantined(&tx, "a", &row.digest, &quarantined, NULL), OX_OK);
        assert_false(quarantined);
        assert_int_equal(ox_registry_quarantine_count(&tx, &row, &failures, NULL), OX_OK);
        assert_int_equal(failures, i);
    }
    assert_int_equal(ox_registry_quarantined(&tx, "a", &row.digest, &quarantined, NULL), OX_OK);
    assert_true(quarantined);
    assert_int_equal(ox_registry_quarantines(&tx, NULL, &rows, &count, NULL), OX_OK);
    assert_int_equal(count, 1);
    assert_int_equal(ox_registry_quarantine_free(&tx, "a", "m", &failures, NULL), OX_OK);
    assert_int_equal(failures, 1);
    assert_int_equal(ox_registry_quarantined(&tx, "a", &row.digest, &quarantined, NULL), OX_OK);
    assert_false(quarantined);
    commit(&tx);
}

static void served__adds_up_for_devices_and_for_the_unnamed(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_campaign_device_row row;
    struct ox_campaign_row campaign;

    assert_int_equal(add_artifact(&tx, "v2", 2), OX_OK);
    add_campaign(&tx, "c-1", "cam-01", "pending");
    assert_int_equal(ox_registry_served(&tx, "c-1", "cam-01", 10, NULL), OX_OK);
    assert_int_equal(ox_registry_served(&tx, "c-1", "cam-01", 5, NULL), OX_OK);
    assert_int_equal(ox_registry_served(&tx, "c-1", "", 7, NULL), OX_OK);
    assert_int_equal(ox_registry_campaign_device_get(&tx, "c-1", "cam-01", &row, NULL), OX_OK);
    assert_int_equal(row.bytes_served, 15);
    assert_int_equal(ox_registry_campaign_get(&tx, "c-1", &campaign, NULL), OX_OK);
    assert_int_equal(campaign.unnamed_bytes, 7);
    commit(&tx);
}

/* --- jobs --- */

static void job__is_queued_once_and_the_most_awaited_is_taken_first(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_digest one = digest(1);
    struct ox_digest two = digest(2);
    struct ox_digest three = digest(3);
    struct ox_job_row job;

    assert_int_equal(ox_registry_job_queue(&tx, &one, &three, "oxdl/2", 1, 5, NULL), OX_OK);
    assert_int_equal(ox_registry_job_queue(&tx, &two, &three, "oxdl/2", 2, 5, NULL), OX_OK);
    assert_int_equal(ox_registry_job_queue(&tx, &two, &three, "oxdl/2", 3, 5, NULL), OX_OK);
    assert_int_equal(ox_registry_job_take(&tx, &job, NULL), OX_OK);
    assert_true(ox_digest_equal(&job.base, &two));
    assert_int_equal(job.waiting, 5);
    assert_int_equal(ox_registry_job_take(&tx, &job, NULL), OX_OK);
    assert_true(ox_digest_equal(&job.base, &one));
    assert_int_equal(ox_registry_job_take(&tx, &job, NULL), OX_ENOTFOUND);
    commit(&tx);
}

static void job__running_ones_are_queued_again_after_a_restart(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_digest one = digest(1);
    struct ox_digest two = digest(2);
    struct ox_job_row job;

    assert_int_equal(ox_registry_job_queue(&tx, &one, &two, "oxdl/2", 1, 5, NULL), OX_OK);
    assert_int_equal(ox_registry_job_take(&tx, &job, NULL), OX_OK);
    commit(&tx);
    reopen(fixture);
    tx = begin(fixture, OX_TX_WRITE);
    assert_int_equal(ox_registry_job_take(&tx, &job, NULL), OX_ENOTFOUND);
    assert_int_equal(ox_registry_jobs_requeue(&tx, NULL), OX_OK);
    assert_int_equal(ox_registry_job_take(&tx, &job, NULL), OX_OK);
    job.state = "ready";
    job.patch = digest(9);
    job.patch_bytes = 77;
    job.ops = 0x3f;
    job.strategy = "tensor";
    assert_int_equal(ox_registry_job_update(&tx, &job, 6, NULL), OX_OK);
    assert_int_equal(ox_registry_jobs_requeue(&tx, NULL), OX_OK);
    assert_int_equal(ox_registry_job_get(&tx, &one, &two, "oxdl/2", &job, NULL), OX_OK);
    assert_string_equal(job.state, "ready");
    assert_int_equal(job.patch_bytes, 77);
    assert_int_equal(job.ops, 0x3f);
    assert_string_equal(job.strategy, "tensor");
    commit(&tx);
}

static void job__a_failed_one_is_tried_again_when_queued_again(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = begin(fixture, OX_TX_WRITE);
    struct ox_digest one = digest(1);
    struct ox_digest two = digest(2);
    struct ox_job_row job;

    assert_int_equal(ox_registry_job_queue(&tx, &one, &two, "oxdl/2", 1, 5, NULL), OX_OK);
    assert_int_equal(ox_registry_job_take(&tx, &job, NULL), OX_OK);
    job.state = "failed";
    job.reason = "disk full";
    assert_int_equal(ox_registry_job_update(&tx, &job, 6, NULL), OX_OK);
    assert_int_equal(ox_registry_job_queue(&tx, &one, &two, "oxdl/2", 1, 7, NULL), OX_OK);
    assert_int_equal(ox_registry_job_take(&tx, &job, NULL), OX_OK);
    assert_int_equal(job.queued_ms, 7);
    commit(&tx);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(open__everything_is_there_again),
        TEST(open__what_was_committed_survives_a_kill),
        TEST(open__refuses_the_schema_of_a_newer_release),
        TEST(open__names_a_damaged_database),
        TEST(end__without_commit_nothing_happened),
        TEST(begin__a_reader_runs_beside_a_writer),
        TEST(artifact__a_version_is_added_once),
        TEST(artifact__versions_come_oldest_first_and_know_their_predecessor),
        TEST(device__put_again_replaces_name_and_tags),
        TEST(device__update_writes_every_column_back),
        TEST(device__removal_leaves_the_history_of_campaigns),
        TEST(fleet__refuses_a_device_that_does_not_exist),
        TEST(campaign__tally_follows_every_move),
        TEST(members__enter_by_rank_and_leave_what_they_were_in),
        TEST(quarantine__counts_and_is_freed),
        TEST(served__adds_up_for_devices_and_for_the_unnamed),
        TEST(job__is_queued_once_and_the_most_awaited_is_taken_first),
        TEST(job__running_ones_are_queued_again_after_a_restart),
        TEST(job__a_failed_one_is_tried_again_when_queued_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

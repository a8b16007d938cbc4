#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/registry/invariants.h"
#include "oxide/base/buf.h"
#include "oxide/base/file.h"
#include "oxide/registry/audit.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_MS ((int64_t)1700000000000)
#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define P "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

struct fixture {
    char dir[64];
    char path[128];
    struct ox_checkup checkup;
};

/* Two versions, a device that ran into the second, one that waits; a patch between them. */
static const char whole[] =
    "INSERT INTO versions (model_id, version, published_at) VALUES ('m','v1',1), ('m','v2',2);"
    "INSERT INTO artifacts (id, model_id, version, digest, size_bytes, format, uploaded_at)"
    " VALUES (1,'m','v1','" A "',10,'onnx',1), (2,'m','v2','" B "',20,'onnx',2);"
    "INSERT INTO artifact_files VALUES (1,'model.onnx',10,'" A "',0), (2,'model.onnx',20,'" B
    "',0);"
    "INSERT INTO devices (id, name, tags, registered_at, status, last_heartbeat)"
    " VALUES ('d1','d1','{}',1,'online',1), ('d2','d2','{}',1,'online',1);"
    "INSERT INTO device_models VALUES ('d1','m','v2','" B "');"
    "INSERT INTO device_model_history (device_id, model_id, version, digest, from_ms)"
    " VALUES ('d1','m','v2','" B "',5);"
    "INSERT INTO fleets (id, name, default_strategy, tags, created_at) VALUES ('f','f','x','{}',1);"
    "INSERT INTO fleet_devices VALUES ('f','d1',1), ('f','d2',1);"
    "INSERT INTO campaigns (id, kind, artifact_id, fleet_id, strategy, policy, state, created_at,"
    " total, stage, stage_opened_at, bytes_served)"
    " VALUES ('c1','rollout',2,'f','all_at_once','{}','rolling_out',3,2,0,3,7);"
    "INSERT INTO campaign_devices (campaign_id, device_id, place, artifact_id, state, released,"
    " bytes_full, bytes_served, updated_at)"
    " VALUES ('c1','d1',0,2,'complete',1,20,7,4), ('c1','d2',1,2,'pending',1,20,0,4);"
    "INSERT INTO fleet_desired VALUES ('f','m','c1',4,NULL);"
    "INSERT INTO delta_jobs (id, base_digest, target_digest, format, state, patch_sha256,"
    " patch_bytes, queued_at) VALUES (1,'" A "','" B "','oxdl/2','ready','" P "',3,1);"
    "INSERT INTO events (at, kind, data) VALUES (1,'x','{}');"
    "INSERT INTO webhooks (id, url, secret, created_at, cursor) VALUES ('w','u','s',1,1);";

/* To add a rule: a row with what breaks it. */
static const struct breakage {
    const char *rule;
    const char *sql;
    const char *what; /* is said */
} breakages[] = {
    {"artifact_files", "DELETE FROM artifact_files WHERE artifact_id = 2", "no files"},
    {"artifact_removed", "UPDATE artifacts SET removed_at = 9 WHERE id = 1", "listed still"},
    {"artifact_size", "UPDATE artifacts SET size_bytes = 11 WHERE id = 1", "its size is 11"},
    {"artifact_digest", "UPDATE artifacts SET digest = '" P "' WHERE id = 1", "its digest is cc"},
    {"digests", "UPDATE artifact_files SET sha256 = 'AB'", "no SHA-256"},
    {"blob_sizes", "INSERT INTO artifact_files VALUES (2,'b',10,'" B "',0)",
     "said to have 10 bytes, and 20"},
    {"versions", "INSERT INTO versions (model_id, version, published_at) VALUES ('m','v9',1)",
     "no artifact"},
    {"tallies", "UPDATE campaign_tallies SET devices = 5 WHERE state = 'pending'",
     "its tally says 5 devices are pending, there are 1"},
    {"sums", "UPDATE campaign_sums SET cost = 99", "99 bytes sent"},
    {"served", "UPDATE campaigns SET bytes_served = 8", "8 bytes were served"},
    {"total", "UPDATE campaigns SET total = 3", "began with 3 devices, and has 2"},
    {"campaign_target", "UPDATE artifacts SET removed_at = 9 WHERE id = 2", "not held any more"},
    {"device_target",
     "INSERT INTO versions (model_id, version, published_at) VALUES ('n','v1',1);"
     "UPDATE artifacts SET model_id = 'n' WHERE id = 1;"
     "UPDATE campaign_devices SET artifact_id = 1 WHERE device_id = 'd2'",
     "by a campaign of model m"},
    {"two_campaigns",
     "INSERT INTO campaigns (id, kind, artifact_id, strategy, policy, state, created_at, total,"
     " stage, stage_opened_at) VALUES ('c2','rollout',1,'x','{}','paused',3,1,0,3);"
     "INSERT INTO campaign_devices (campaign_id, device_id, place, artifact_id, state, bytes_full,"
     " updated_at) VALUES ('c2','d2',0,1,'pending',10,4)",
     "2 campaigns send it"},
    {"aborted", "UPDATE campaigns SET state = 'aborted'", "1 devices wait"},
    {"unknown_device", "DELETE FROM devices WHERE id = 'd2'", "not registered"},
    {"desired_target", "UPDATE artifacts SET removed_at = 9 WHERE id = 2", "is to run m@v2"},
    {"desired_model", "UPDATE fleet_desired SET model_id = 'n'", "is of model m"},
    {"filter_members", "UPDATE fleets SET filter = 'true'", "lists 2 devices"},
    {"job_artifacts", "UPDATE delta_jobs SET base_digest = '" P "'", "it is from, cccc"},
    {"job_patch", "UPDATE delta_jobs SET patch_sha256 = NULL", "names no patch"},
    {"job_running", "UPDATE delta_jobs SET state = 'running'", "no server is"},
    {"history", "UPDATE device_model_history SET to_ms = 9", "does not say so"},
    {"split",
     "INSERT INTO device_instances (device_id, instance, state, first_seen, last_seen)"
     " VALUES ('d1','i','split',1,1)",
     "split off"},
    {"future", "UPDATE devices SET last_heartbeat = 1800000000000 WHERE id = 'd1'", "hours"},
    {"event_ids", "UPDATE sqlite_sequence SET seq = 0 WHERE name = 'events'", "number 1"},
    {"webhook_cursor", "UPDATE webhooks SET cursor = 44", "up to 44"},
    {"json", "UPDATE devices SET tags = '{' WHERE id = 'd1'", "its tags"},
};
#define BREAKAGES (sizeof(breakages) / sizeof(breakages[0]))

static void run_sql(const struct fixture *fixture, const char *sql)
{
    sqlite3 *db = NULL;
    char *said = NULL;

    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK) {
        fail_msg("%s: %s", sql, said);
    }
    (void)sqlite3_close(db);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct ox_registry *registry = NULL;

    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide audit?.XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/registry.db", fixture->dir);
    assert_int_equal(ox_registry_open(&registry, fixture->path, NULL), OX_OK);
    ox_registry_close(registry);
    run_sql(fixture, whole);
    fixture->checkup.now_ms = NOW_MS;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ox_checkup_clear(&fixture->checkup);
    assert_int_equal(ox_remove_tree(fixture->dir, NULL), OX_OK);
    free(fixture);
    return 0;
}

static void examine(struct fixture *fixture, struct ox_registry *registry)
{
    struct ox_audit *audit = NULL;
    struct ox_err err = OX_ERR_INIT;

    ox_checkup_clear(&fixture->checkup);
    ox_checkup_begin(&fixture->checkup, "registry", "the registry");
    if (ox_audit_open(&audit, fixture->path, NULL, &err) != OX_OK ||
        ox_audit_database(audit, &fixture->checkup, &err) != OX_OK ||
        ox_audit_rules(audit, registry, &fixture->checkup, &err) != OX_OK) {
        fail_msg("%s", err.msg);
    }
    ox_audit_close(audit);
}

static bool says(const struct fixture *fixture, const char *what)
{
    for (size_t i = 0; i < fixture->checkup.count; i++) {
        if (strstr(fixture->checkup.findings[i].what, what) != NULL) {
            return true;
        }
    }
    return false;
}

static void audit__finds_nothing_where_nothing_is_wrong(void **state)
{
    struct fixture *fixture = *state;

    examine(fixture, NULL);
    for (size_t i = 0; i < fixture->checkup.count; i++) {
        fail_msg("%s: %s", fixture->checkup.findings[i].where, fixture->checkup.findings[i].what);
    }
}

static void audit__finds_what_each_rule_is_for(void **state)
{
    struct fixture *fixture = *state;
    char copy[128];

    (void)snprintf(copy, sizeof(copy), "%s/copy.db", fixture->dir);
    run_sql(fixture, "PRAGMA journal_mode = DELETE");
    for (size_t i = 0; i < BREAKAGES; i++) {
        struct fixture broken = *fixture;

        (void)unlink(copy);
        assert_int_equal(ox_file_copy(fixture->path, copy, 0600, NULL), OX_OK);
        (void)snprintf(broken.path, sizeof(broken.path), "%s", copy);
        broken.checkup = (struct ox_checkup){.now_ms = NOW_MS};
        run_sql(&broken, breakages[i].sql);
        examine(&broken, NULL);
        if (!says(&broken, breakages[i].what)) {
            fail_msg("rule %s finds nothing", breakages[i].rule);
        }
        ox_checkup_clear(&broken.checkup);
    }
}

static void audit__has_a_test_for_each_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < ox_invariants_count; i++) {
        bool tested = false;

        for (size_t j = 0; j < BREAKAGES; j++) {
            tested = tested || strcmp(breakages[j].rule, ox_invariants[i].name) == 0;
        }
        if (!tested) {
            fail_msg("rule %s is not tested", ox_invariants[i].name);
        }
    }
}

static void audit__mends_what_can_be_rebuilt(void **state)
{
    struct fixture *fixture = *state;
    struct ox_registry *registry = NULL;

    run_sql(fixture,
            "UPDATE campaign_tallies SET devices = 5; UPDATE campaign_sums SET cost = 99;"
            "UPDATE campaigns SET bytes_served = 8;"
            "INSERT INTO delta_jobs (base_digest, target_digest, format, state, queued_at)"
            " VALUES ('" P "','" B "','oxdl/2','failed',1),"
            " ('" B "','" A "','oxdl/2','ready',1), ('" B "','" A "','oxdl/1','running',1)");
    assert_int_equal(ox_registry_open(&registry, fixture->path, NULL), OX_OK);
    fixture->checkup.fix = true;
    examine(fixture, registry);
    assert_true(says(fixture, "its tally says 5"));
    assert_int_equal(ox_checkup_found(&fixture->checkup, OX_SEVERITY_ERROR), 0);
    assert_int_equal(ox_checkup_found(&fixture->checkup, OX_SEVERITY_WARNING), 0);
    assert_int_equal(ox_checkup_fixed(&fixture->checkup), 7);
    examine(fixture, NULL);
    assert_int_equal(fixture->checkup.count, 0);
    ox_registry_close(registry);
}

static void audit__sees_what_a_server_writes_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    struct ox_registry *registry = NULL;

    assert_int_equal(ox_registry_open(&registry, fixture->path, NULL), OX_OK);
    run_sql(fixture, "UPDATE devices SET tags = '{' WHERE id = 'd1'"); /* in its log */
    examine(fixture, NULL);
    assert_true(says(fixture, "its tags"));
    ox_registry_close(registry);
}

static void audit__names_references_to_nothing(void **state)
{
    struct fixture *fixture = *state;

    run_sql(fixture, "PRAGMA foreign_keys = OFF; DELETE FROM artifacts WHERE id = 1");
    examine(fixture, NULL);
    assert_true(says(fixture, "refers to a row of artifacts"));
}

static void audit__leaves_the_database_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct ox_buf before = OX_BUF_INIT;
    struct ox_buf after = OX_BUF_INIT;

    run_sql(fixture, "PRAGMA journal_mode = DELETE");
    assert_int_equal(ox_file_read_all(fixture->path, 1 << 24, &before, NULL), OX_OK);
    examine(fixture, NULL);
    assert_int_equal(ox_file_read_all(fixture->path, 1 << 24, &after, NULL), OX_OK);
    assert_int_equal(before.len_bytes, after.len_bytes);
    assert_memory_equal(before.data, after.data, before.len_bytes);
    ox_buf_clear(&before);
    ox_buf_clear(&after);
}

static void audit__refuses_what_is_no_database(void **state)
{
    struct fixture *fixture = *state;
    struct ox_audit *audit = NULL;
    char bytes[8192];

    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(ox_file_replace(fixture->path, bytes, sizeof(bytes), 0600, NULL), OX_OK);
    assert_int_equal(ox_audit_open(&audit, fixture->path, NULL, NULL), OX_ECORRUPT);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(ox_audit_open(&audit, fixture->path, NULL, NULL), OX_ENOTFOUND);
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_int_equal(ox_audit_open(&audit, fixture->path, NULL, NULL), OX_ECORRUPT);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(ox_file_replace(fixture->path, "", 0, 0600, NULL), OX_OK);
    assert_int_equal(ox_audit_open(&audit, fixture->path, NULL, NULL), OX_OK);
    assert_int_equal(ox_audit_schema(audit), 0);
    ox_audit_close(audit);
}

/* Whichever byte of a database is damaged, there is an answer. */
static void audit__survives_damage_anywhere(void **state)
{
    struct fixture *fixture = *state;
    struct stat st;
    int fd;

    run_sql(fixture, "PRAGMA journal_mode = DELETE");
    assert_int_equal(stat(fixture->path, &st), 0);
    for (off_t at = 0; at < st.st_size; at += 1777) {
        struct ox_audit *audit = NULL;
        struct ox_err err = OX_ERR_INIT;
        unsigned char byte = 0;
        unsigned char other;

        fd = open(fixture->path, O_RDWR);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        other = (unsigned char)(byte ^ 0x5a);
        assert_int_equal(pwrite(fd, &other, 1, at), 1);
        ox_checkup_begin(&fixture->checkup, "registry", "the registry");
        if (ox_audit_open(&audit, fixture->path, NULL, &err) == OX_OK) {
            assert_int_equal(ox_audit_database(audit, &fixture->checkup, &err), OX_OK);
            assert_int_equal(ox_audit_rules(audit, NULL, &fixture->checkup, &err), OX_OK);
        } else {
            assert_true(err.msg[0] != '\0');
        }
        ox_audit_close(audit);
        ox_checkup_clear(&fixture->checkup);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        (void)close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(audit__finds_nothing_where_nothing_is_wrong, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(audit__finds_what_each_rule_is_for, set_up, tear_down),
        cmocka_unit_test(audit__has_a_test_for_each_rule),
        cmocka_unit_test_setup_teardown(audit__mends_what_can_be_rebuilt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(audit__sees_what_a_server_writes_meanwhile, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(audit__names_references_to_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(audit__leaves_the_database_as_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(audit__refuses_what_is_no_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(audit__survives_damage_anywhere, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

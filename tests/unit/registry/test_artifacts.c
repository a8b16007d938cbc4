#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/registry/migrations.h"
#include "oxide/registry/way_back.h"

#include "oxide/base/file.h"
#include "oxide/registry/artifact.h"
#include "oxide/registry/campaign.h"
#include "oxide/registry/job.h"
#include "oxide/registry/version.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct fixture {
    char dir[64];
    char path[96];
    struct ox_registry *registry;
    struct ox_tx tx;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide-artifacts.XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/registry.db", fixture->dir);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &fixture->tx, NULL), OX_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ox_registry_end(&fixture->tx);
    ox_registry_close(fixture->registry);
    assert_int_equal(ox_remove_tree(fixture->dir, NULL), OX_OK);
    free(fixture);
    return 0;
}

static struct ox_digest digest(uint8_t fill)
{
    struct ox_digest out;

    memset(out.bytes, fill, sizeof(out.bytes));
    return out;
}

/* What stands in front of a version is its variant: "int8/v1". Returns its id. */
static int64_t add(struct fixture *fixture, const char *name, uint8_t fill, const char *requires,
                   int64_t rank)
{
    const char *slash = strchr(name, '/');
    char variant[64] = "";
    struct ox_artifact_row row = {.model_id = "m",
                                  .version = slash == NULL ? name : slash + 1,
                                  .variant = variant,
                                  .digest = digest(fill),
                                  .size_bytes = fill,
                                  .format = "onnx",
                                  .uploaded_ms = 7,
                                  .rank = rank,
                                  .requires = requires};
    struct ox_manifest files = OX_MANIFEST_INIT;

    if (slash != NULL) {
        (void)snprintf(variant, sizeof(variant), "%.*s", (int)(slash - name), name);
    }
    assert_int_equal(ox_manifest_single(&files, "model.onnx", fill, &row.digest, NULL), OX_OK);
    assert_int_equal(ox_registry_artifact_add(&fixture->tx, &row, &files, NULL), OX_OK);
    ox_manifest_clear(&files);
    return row.id;
}

static void assert_get(struct fixture *fixture, const char *version, const char *variant)
{
    struct ox_artifact_row row;

    assert_int_equal(ox_registry_artifact_get(&fixture->tx, "m", version, &row, NULL), OX_OK);
    assert_string_equal(row.variant, variant);
}

/* --- the migration --- */

static void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
}

static const char *const first_schema_rows[] = {
    "INSERT INTO artifacts VALUES (3, 'm', 'v1', '" /* id 3: ids are kept */
    "0101010101010101010101010101010101010101010101010101010101010101', 10, 'onnx', 5),"
    " (4, 'm', 'v2', '"
    "0202020202020202020202020202020202020202020202020202020202020202', 20, 'onnx', 6)",
    "INSERT INTO artifact_files VALUES (3, 'model.onnx', 10, '"
    "0101010101010101010101010101010101010101010101010101010101010101', 0)",
    "INSERT INTO campaigns (id, artifact_id, strategy, state, created_at, stage, stage_opened_at)"
    " VALUES ('c-1', 4, 'canary', 'complete', 1, 0, 0)",
    "INSERT INTO delta_jobs (base_digest, target_digest, format, state, queued_at) VALUES ('"
    "0101010101010101010101010101010101010101010101010101010101010101', '"
    "0202020202020202020202020202020202020202020202020202020202020202', 'oxdl/2', 'useless', 3)",
};

static void make_first_schema(const char *path, bool broken)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run(db, ox_migrations[0].sql);
    for (size_t i = 0; i < sizeof(first_schema_rows) / sizeof(first_schema_rows[0]); i++) {
        run(db, first_schema_rows[i]);
    }
    if (broken) {
        run(db, "DELETE FROM artifacts WHERE id = 4");
    }
    run(db, "PRAGMA user_version = 1");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void migration__keeps_all_of_the_first_schema(void **state)
{
    struct fixture *fixture = *state;
    struct ox_manifest files = OX_MANIFEST_INIT;
    struct ox_artifact_row *rows = NULL;
    struct ox_version_row version;
    struct ox_campaign_row campaign;
    struct ox_digest one = digest(1);
    struct ox_digest two = digest(2);
    struct ox_job_row job;
    size_t count = 0;

    ox_registry_end(&fixture->tx);
    ox_registry_close(fixture->registry);
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/first.db", fixture->dir);
    make_first_schema(fixture->path, false);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &fixture->tx, NULL), OX_OK);
    assert_int_equal(ox_registry_artifacts(&fixture->tx, "m", &rows, &count, NULL), OX_OK);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].id, 3);
    assert_string_equal(rows[0].variant, "");
    assert_int_equal(rows[0].rank, OX_RANK_DEFAULT);
    assert_int_equal(ox_registry_artifact_files(&fixture->tx, 3, &files, NULL), OX_OK);
    assert_int_equal(files.count, 1);
    ox_manifest_clear(&files);
    assert_int_equal(ox_registry_campaign_get(&fixture->tx, "c-1", &campaign, NULL), OX_OK);
    assert_string_equal(campaign.version, "v2");
    assert_int_equal(ox_registry_job_get(&fixture->tx, &one, &two, "oxdl/2", &job, NULL), OX_OK);
    assert_string_equal(job.state, "useless");
    assert_int_equal(ox_registry_version_get(&fixture->tx, "m", "v1", &version, NULL), OX_OK);
    assert_string_equal(version.labels, "{}");
    assert_int_equal(version.published_ms, 5);
    /* and foreign keys hold again */
    assert_int_equal(ox_registry_campaign_add(&fixture->tx,
                                              &(struct ox_campaign_row){.id = "c-2",
                                                                        .kind = "rollout",
                                                                        .policy = "{}",
                                                                        .artifact_id = 99,
                                                                        .strategy = "canary",
                                                                        .state = "paused"},
                                              NULL),
                     OX_ECONFLICT);
}

static void migration__the_registry_as_it_was_is_kept_for_the_way_back(void **state)
{
    struct fixture *fixture = *state;
    struct ox_registry *registry = NULL;
    char path[96];
    char expected[128];
    char *kept = NULL;
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;

    (void)snprintf(path, sizeof(path), "%s/old.db", fixture->dir);
    assert_int_equal(ox_registry_keep_way_back(path, &kept, NULL), OX_OK);
    assert_null(kept); /* there is none */
    make_first_schema(path, false);
    assert_int_equal(chmod(path, 0640), 0);
    for (int i = 0; i < 2; i++) { /* a start that was cut short does it again */
        struct stat st;

        assert_int_equal(ox_registry_keep_way_back(path, &kept, NULL), OX_OK);
        (void)snprintf(expected, sizeof(expected), "%s.schema-1", path);
        assert_string_equal(kept, expected);
        assert_int_equal(stat(kept, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0640);
        free(kept);
    }
    assert_int_equal(ox_registry_open(&registry, path, NULL), OX_OK);
    ox_registry_close(registry);
    assert_int_equal(ox_registry_keep_way_back(path, &kept, NULL), OX_OK);
    assert_null(kept); /* it is as this release wants it */
    assert_int_equal(sqlite3_open(expected, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT count(*), (SELECT user_version FROM "
                                        "pragma_user_version) FROM artifacts",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(statement, 0), 2);
    assert_int_equal(sqlite3_column_int(statement, 1), 1);
    (void)sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void migration__no_way_back_no_way_on(void **state)
{
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;
    char path[96];
    char in_the_way[128];
    char *kept = NULL;

    (void)snprintf(path, sizeof(path), "%s/stuck.db", fixture->dir);
    make_first_schema(path, false);
    (void)snprintf(in_the_way, sizeof(in_the_way), "%s.schema-1.unfinished", path);
    assert_int_equal(mkdir(in_the_way, 0755), 0);
    assert_int_not_equal(ox_registry_keep_way_back(path, &kept, &err), OX_OK);
    assert_non_null(strstr(err.msg, "keeping a copy of the registry"));
    assert_null(kept);
}

static void migration__refuses_rows_that_refer_to_none_and_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct ox_registry *registry = NULL;
    struct ox_err err = OX_ERR_INIT;
    char path[96];
    sqlite3 *db = NULL;

    (void)snprintf(path, sizeof(path), "%s/broken.db", fixture->dir);
    make_first_schema(path, true);
    assert_int_equal(ox_registry_open(&registry, path, &err), OX_ECORRUPT);
    assert_non_null(strstr(err.msg, "campaigns"));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run(db, "INSERT INTO artifacts (id, model_id, version, digest, size_bytes, format, uploaded_at)"
            " VALUES (4, 'm', 'v2', 'x', 1, 'onnx', 1)");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* --- variants --- */

static void variant__a_version_means_the_one_without_a_name(void **state)
{
    struct fixture *fixture = *state;

    (void)add(fixture, "int8/v1", 1, NULL, 0);
    (void)add(fixture, "v1", 2, "tag.a = \"b\"", 500);
    assert_get(fixture, "v1", "");
}

static void variant__else_one_that_is_for_all_else_the_preferred(void **state)
{
    struct fixture *fixture = *state;

    (void)add(fixture, "int8/v1", 1, "x", 10);
    (void)add(fixture, "f16/v1", 2, "x", 5);
    assert_get(fixture, "v1", "f16");
    (void)add(fixture, "f32/v1", 3, NULL, 900);
    assert_get(fixture, "v1", "f32");
}

static void variant__come_by_rank_and_those_for_all_last(void **state)
{
    static const char *const order[] = {"b", "a", "c", "", "d"};
    struct fixture *fixture = *state;
    struct ox_artifact_row *rows = NULL;
    size_t count = 0;

    (void)add(fixture, "v1", 1, NULL, 0);
    (void)add(fixture, "d/v1", 2, NULL, 1);
    (void)add(fixture, "a/v1", 3, "x", 100);
    (void)add(fixture, "b/v1", 4, "x", 50);
    (void)add(fixture, "c/v1", 5, "x", 100);
    assert_int_equal(ox_registry_variants(&fixture->tx, "m", "v1", &rows, &count, NULL), OX_OK);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(rows[i].variant, order[i]);
    }
}

static void variant__one_of_an_old_version_does_not_make_it_the_newest(void **state)
{
    struct fixture *fixture = *state;
    struct ox_artifact_row *rows = NULL;
    struct ox_model_row *models = NULL;
    size_t count = 0;

    (void)add(fixture, "v1", 1, NULL, 0);
    (void)add(fixture, "v2", 2, NULL, 0);
    (void)add(fixture, "int8/v1", 3, NULL, 0);
    assert_int_equal(ox_registry_models(&fixture->tx, &models, &count, NULL), OX_OK);
    assert_string_equal(models[0].latest, "v2");
    assert_int_equal(models[0].versions, 2);
    assert_int_equal(models[0].size_bytes, 2);
    assert_int_equal(ox_registry_artifacts(&fixture->tx, "m", &rows, &count, NULL), OX_OK);
    assert_int_equal(count, 3);
    assert_string_equal(rows[1].variant, "int8");
    assert_string_equal(rows[2].version, "v2");
}

static void variant__has_its_own_predecessor(void **state)
{
    struct fixture *fixture = *state;
    struct ox_artifact_row *rows = NULL;
    struct ox_artifact_row before;
    size_t count = 0;

    (void)add(fixture, "v1", 1, NULL, 0);
    (void)add(fixture, "int8/v1", 2, NULL, 1);
    (void)add(fixture, "v2", 3, NULL, 0);
    (void)add(fixture, "int8/v2", 4, NULL, 1);
    assert_int_equal(ox_registry_artifacts(&fixture->tx, "m", &rows, &count, NULL), OX_OK);
    assert_int_equal(ox_registry_artifact_before(&fixture->tx, &rows[3], &before, NULL), OX_OK);
    assert_string_equal(before.version, "v1");
    assert_string_equal(before.variant, "int8");
}

/* --- removing --- */

static void remove__hides_it_and_keeps_what_campaigns_say(void **state)
{
    struct fixture *fixture = *state;
    struct ox_campaign_row campaign = {
        .id = "c-1", .kind = "rollout", .strategy = "canary", .policy = "{}", .state = "complete"};
    struct ox_digest one = digest(1);
    struct ox_artifact_row row;
    struct ox_model_row *models = NULL;
    struct ox_version_row *versions = NULL;
    size_t count = 9;

    campaign.artifact_id = add(fixture, "v1", 1, NULL, 0);
    assert_int_equal(ox_registry_campaign_add(&fixture->tx, &campaign, NULL), OX_OK);
    assert_int_equal(ox_registry_artifact_remove(&fixture->tx, campaign.artifact_id, 1000, NULL),
                     OX_OK);
    assert_int_equal(ox_registry_artifact_get(&fixture->tx, "m", "v1", &row, NULL), OX_ENOTFOUND);
    assert_int_equal(ox_registry_artifact_by_digest(&fixture->tx, &one, &row, NULL), OX_ENOTFOUND);
    assert_int_equal(ox_registry_versions(&fixture->tx, "m", &versions, &count, NULL), OX_OK);
    assert_int_equal(count, 0);
    assert_int_equal(ox_registry_models(&fixture->tx, &models, &count, NULL), OX_OK);
    assert_int_equal(count, 0);
    assert_int_equal(ox_registry_artifact_find(&fixture->tx, "m", "v1", "", &row, NULL), OX_OK);
    assert_int_equal(row.removed_ms, 1000);
    assert_int_equal(ox_registry_campaign_get(&fixture->tx, "c-1", &campaign, NULL), OX_OK);
    assert_string_equal(campaign.version, "v1");
}

static void restore__brings_it_back_under_its_id(void **state)
{
    struct fixture *fixture = *state;
    struct ox_manifest files = OX_MANIFEST_INIT;
    struct ox_digest one = digest(1);
    struct ox_artifact_row row;
    int64_t id = add(fixture, "v1", 1, NULL, 0);

    assert_int_equal(ox_registry_artifact_remove(&fixture->tx, id, 1000, NULL), OX_OK);
    assert_int_equal(ox_manifest_single(&files, "model.onnx", 1, &one, NULL), OX_OK);
    assert_int_equal(ox_registry_artifact_restore(&fixture->tx, id, 2000, &files, NULL), OX_OK);
    ox_manifest_clear(&files);
    assert_int_equal(ox_registry_artifact_get(&fixture->tx, "m", "v1", &row, NULL), OX_OK);
    assert_int_equal(row.id, id);
    assert_int_equal(row.uploaded_ms, 2000);
    assert_int_equal(ox_registry_artifact_files(&fixture->tx, id, &files, NULL), OX_OK);
    ox_manifest_clear(&files);
}

/* --- lineage --- */

static bool is_ancestor(struct fixture *fixture, const char *version, const char *of)
{
    bool out = false;

    assert_int_equal(
        ox_registry_version_is_ancestor(&fixture->tx, "m", version, "m", of, &out, NULL), OX_OK);
    return out;
}

static void set_parent(struct fixture *fixture, const char *version, const char *parent)
{
    struct ox_version_row row;

    assert_int_equal(ox_registry_version_get(&fixture->tx, "m", version, &row, NULL), OX_OK);
    row.parent_model = "m";
    row.parent_version = parent;
    assert_int_equal(ox_registry_version_update(&fixture->tx, &row, NULL), OX_OK);
}

static void lineage__ancestors_are_found_through_others(void **state)
{
    struct fixture *fixture = *state;

    (void)add(fixture, "v1", 1, NULL, 0);
    (void)add(fixture, "v2", 2, NULL, 0);
    (void)add(fixture, "v3", 3, NULL, 0);
    set_parent(fixture, "v2", "v1");
    set_parent(fixture, "v3", "v2");
    assert_true(is_ancestor(fixture, "v1", "v3"));
    assert_true(is_ancestor(fixture, "v3", "v3"));
    assert_false(is_ancestor(fixture, "v3", "v1"));
    set_parent(fixture, "v1", "gone");
    assert_true(is_ancestor(fixture, "gone", "v3"));
    set_parent(fixture, "v1", "v3"); /* a circle ends, too */
    assert_false(is_ancestor(fixture, "gone", "v3"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(migration__keeps_all_of_the_first_schema),
        TEST(migration__the_registry_as_it_was_is_kept_for_the_way_back),
        TEST(migration__no_way_back_no_way_on),
        TEST(migration__refuses_rows_that_refer_to_none_and_changes_nothing),
        TEST(variant__a_version_means_the_one_without_a_name),
        TEST(variant__else_one_that_is_for_all_else_the_preferred),
        TEST(variant__come_by_rank_and_those_for_all_last),
        TEST(variant__one_of_an_old_version_does_not_make_it_the_newest),
        TEST(variant__has_its_own_predecessor),
        TEST(remove__hides_it_and_keeps_what_campaigns_say),
        TEST(restore__brings_it_back_under_its_id),
        TEST(lineage__ancestors_are_found_through_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

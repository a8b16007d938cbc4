/* Commits in groups, and who is told of what they changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/registry/touch.h"

#include "oxide/base/file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    char path[96];
    struct ox_registry *registry;
    pthread_mutex_t lock;
    char told[4096]; /* "device device * " */
};

static void changed(void *ctx, const char *device_id)
{
    struct fixture *fixture = ctx;
    size_t used;

    (void)pthread_mutex_lock(&fixture->lock);
    used = strlen(fixture->told);
    (void)snprintf(fixture->told + used, sizeof(fixture->told) - used, "%s ",
                   device_id == NULL ? "*" : device_id);
    (void)pthread_mutex_unlock(&fixture->lock);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    (void)pthread_mutex_init(&fixture->lock, NULL);
    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/oxide-groups.XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/registry.db", fixture->dir);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    ox_registry_watch(fixture->registry, &(struct ox_registry_watch){fixture, changed});
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

static enum ox_code put(struct ox_tx *tx, const char *id)
{
    bool created = false;

    return ox_registry_device_put(tx, id, "name", "{}", 1, &created, NULL);
}

static bool is_there(struct fixture *fixture, const char *id)
{
    struct ox_device_row row;
    struct ox_tx tx = OX_TX_INIT;
    bool there;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_READ, &tx, NULL), OX_OK);
    there = ox_registry_device_get(&tx, id, &row, NULL) == OX_OK;
    ox_registry_end(&tx);
    return there;
}

/* --- groups --- */

enum ending { COMMITS, ENDS, BREAKS };
struct other {
    struct fixture *fixture;
    const char *id;
    enum ending ending;
    enum ox_code code;
};

static void *run_other(void *arg)
{
    struct other *other = arg;
    struct ox_tx tx = OX_TX_INIT;

    other->code = ox_registry_begin(other->fixture->registry, OX_TX_WRITE, &tx, NULL);
    if (other->code == OX_OK) {
        other->code = put(&tx, other->id);
    }
    if (other->ending == BREAKS) { /* what SQLite does itself when the disk is full */
        (void)sqlite3_exec(tx.connection->db, "ROLLBACK", NULL, NULL, NULL);
    }
    if (other->code == OX_OK && other->ending == COMMITS) {
        other->code = ox_registry_commit(&tx, NULL);
    }
    ox_registry_end(&tx);
    return NULL;
}

/* Commit device "first" while another writer waits, which then does its part. */
static enum ox_code commit_before(struct fixture *fixture, struct other *other)
{
    const struct timespec pause = {0, 50 * 1000 * 1000};
    struct ox_tx tx = OX_TX_INIT;
    pthread_t thread;
    enum ox_code code;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    assert_int_equal(put(&tx, "first"), OX_OK);
    assert_int_equal(pthread_create(&thread, NULL, run_other, other), 0);
    (void)nanosleep(&pause, NULL);
    code = ox_registry_commit(&tx, NULL);
    ox_registry_end(&tx);
    (void)pthread_join(thread, NULL);
    return code;
}

static void commit__of_two_at_once_keeps_both(void **state)
{
    struct fixture *fixture = *state;
    struct other other = {fixture, "second", COMMITS, OX_OK};

    assert_int_equal(commit_before(fixture, &other), OX_OK);
    assert_int_equal(other.code, OX_OK);
    assert_true(is_there(fixture, "first"));
    assert_true(is_there(fixture, "second"));
}

static void end__without_commit_takes_back_its_own_alone(void **state)
{
    struct fixture *fixture = *state;
    struct other other = {fixture, "second", ENDS, OX_OK};

    assert_int_equal(commit_before(fixture, &other), OX_OK);
    assert_true(is_there(fixture, "first"));
    assert_false(is_there(fixture, "second"));
}

static void commit__fails_with_the_group(void **state)
{
    struct fixture *fixture = *state;
    struct other other = {fixture, "second", BREAKS, OX_OK};
    struct other later = {fixture, "third", COMMITS, OX_OK};

    assert_int_not_equal(commit_before(fixture, &other), OX_OK);
    assert_false(is_there(fixture, "first"));
    assert_string_equal(fixture->told, "");
    (void)run_other(&later);
    assert_int_equal(later.code, OX_OK);
    assert_true(is_there(fixture, "third"));
    assert_string_equal(fixture->told, "third ");
}

#define WRITERS 12
#define ROUNDS 40

struct writer {
    struct fixture *fixture;
    unsigned number;
    unsigned committed;
};

/* Every third transaction is given up. */
static void *run_writer(void *arg)
{
    struct writer *writer = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct ox_tx tx = OX_TX_INIT;
        char id[32];

        (void)snprintf(id, sizeof(id), "w%u-%u", writer->number, i);
        if (ox_registry_begin(writer->fixture->registry, OX_TX_WRITE, &tx, NULL) == OX_OK &&
            put(&tx, id) == OX_OK && i % 3 != 2 && ox_registry_commit(&tx, NULL) == OX_OK) {
            writer->committed++;
            if (!is_there(writer->fixture, id)) { /* what is committed is seen at once */
                writer->committed = UINT32_MAX / 2;
            }
        }
        ox_registry_end(&tx);
    }
    return NULL;
}

static void commit__of_many_threads_keeps_what_was_committed(void **state)
{
    struct fixture *fixture = *state;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];

    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){fixture, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, run_writer, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].committed, ROUNDS - ROUNDS / 3);
    }
    ox_registry_close(fixture->registry);
    assert_int_equal(ox_registry_open(&fixture->registry, fixture->path, NULL), OX_OK);
    for (unsigned i = 0; i < WRITERS * ROUNDS; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "w%u-%u", i / ROUNDS, i % ROUNDS);
        assert_int_equal(is_there(fixture, id), i % ROUNDS % 3 != 2);
    }
}

/* --- who is told --- */

static void watch__is_told_of_the_devices_that_a_commit_touches(void **state)
{
    struct fixture *fixture = *state;
    struct ox_campaign_device_row row = {.campaign_id = "c", .device_id = "a", .state = "pending"};
    struct ox_device_model_row model = {"b", "m", "v1", false, {{0}}};
    struct ox_tx tx = OX_TX_INIT;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    assert_int_equal(put(&tx, "a"), OX_OK);
    assert_int_equal(put(&tx, "b"), OX_OK);
    assert_string_equal(fixture->told, "");
    assert_int_equal(ox_registry_commit(&tx, NULL), OX_OK);
    ox_registry_end(&tx);
    assert_string_equal(fixture->told, "a b ");

    fixture->told[0] = '\0';
    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_campaign_device_update(&tx, &row, NULL), OX_OK); /* no such row */
    assert_int_equal(ox_registry_device_model_put(&tx, &model, NULL), OX_OK);
    assert_int_equal(ox_registry_commit(&tx, NULL), OX_OK);
    ox_registry_end(&tx);
    assert_string_equal(fixture->told, "b ");

    fixture->told[0] = '\0'; /* cascades count */
    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_device_remove(&tx, "b", NULL), OX_OK);
    assert_int_equal(ox_registry_commit(&tx, NULL), OX_OK);
    ox_registry_end(&tx);
    assert_non_null(strstr(fixture->told, "b "));
}

static void watch__is_not_told_of_last_seen_times_and_of_what_was_given_up(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = OX_TX_INIT;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    assert_int_equal(put(&tx, "a"), OX_OK);
    ox_registry_end(&tx);
    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    assert_int_equal(put(&tx, "a"), OX_OK);
    assert_int_equal(ox_registry_commit(&tx, NULL), OX_OK);
    ox_registry_end(&tx);
    assert_string_equal(fixture->told, "a ");
    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    assert_int_equal(ox_registry_device_seen(&tx, "a", 5, "{}", NULL), OX_OK);
    assert_int_equal(ox_registry_commit(&tx, NULL), OX_OK);
    ox_registry_end(&tx);
    assert_string_equal(fixture->told, "a ");
}

static void watch__is_told_that_all_may_have_changed(void **state)
{
    struct fixture *fixture = *state;
    struct ox_tx tx = OX_TX_INIT;

    assert_int_equal(ox_registry_begin(fixture->registry, OX_TX_WRITE, &tx, NULL), OX_OK);
    for (unsigned i = 0; i <= OX_TOUCHED_MAX; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "d%u", i);
        assert_int_equal(put(&tx, id), OX_OK);
    }
    assert_int_equal(ox_registry_commit(&tx, NULL), OX_OK);
    ox_registry_end(&tx);
    assert_string_equal(fixture->told, "* ");
}

/* Whoever adds a table says in touch.c whom a change of it concerns. */
static void touch__knows_every_table(void **state)
{
    struct fixture *fixture = *state;
    sqlite3_stmt *statement = NULL;
    sqlite3 *db = NULL;
    unsigned tables = 0;

    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT name FROM sqlite_schema WHERE type = 'table'"
                                        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    for (; sqlite3_step(statement) == SQLITE_ROW; tables++) {
        const char *table = (const char *)sqlite3_column_text(statement, 0);

        if (!ox_touch_knows(table)) {
            fail_msg("table %s has no row in rules[] of src/registry/touch.c", table);
        }
    }
    assert_true(tables > 5);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(commit__of_two_at_once_keeps_both),
        TEST(end__without_commit_takes_back_its_own_alone),
        TEST(commit__fails_with_the_group),
        TEST(commit__of_many_threads_keeps_what_was_committed),
        TEST(watch__is_told_of_the_devices_that_a_commit_touches),
        TEST(watch__is_not_told_of_last_seen_times_and_of_what_was_given_up),
        TEST(watch__is_told_that_all_may_have_changed),
        TEST(touch__knows_every_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

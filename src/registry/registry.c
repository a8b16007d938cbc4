#include "db.h"

#include "touch.h"

#include "oxide/registry/event.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Readers at a time: a list of every device does not hold up the heartbeats of others. */
#define READERS 4

/* Transactions that become durable by one sync, at most. */
#define GROUP_MAX 64

/*
 * Commits go in groups: a writing transaction that is ready to commit while others wait to begin
 * leaves its changes to the last of those, which syncs once for all. Nobody waits for company: a
 * lone one commits at once. Beyond the first, each runs in a savepoint, so that one that fails
 * takes back its own changes alone. Nobody is told that it has committed before the sync.
 */
struct group {
    unsigned members; /* with what they changed ready to commit */
    bool ended;
    enum ox_code code;
    struct ox_err err;
};

struct ox_registry {
    struct ox_connection writer;
    struct group *group;    /* open, or NULL; the writer's lock guards it */
    bool nested;            /* the transaction under way runs in a savepoint */
    atomic_uint waiting;    /* threads that want to begin */
    pthread_mutex_t ending; /* of members that have left the writer's lock */
    pthread_cond_t ended;
    struct ox_registry_watch watch;

    struct ox_connection readers[READERS];
    struct ox_connection *idle[READERS];
    size_t idle_count;
    pthread_mutex_t idle_lock;
    pthread_cond_t idle_grew;
};

/* --- opening --- */

enum ox_code ox_registry_open(struct ox_registry **out, const char *path, struct ox_err *err)
{
    struct ox_registry *registry = calloc(1, sizeof(*registry));
    enum ox_code code;

    if (registry == NULL) {
        return ox_err_nomem(err, "a registry");
    }
    atomic_init(&registry->waiting, 0);
    (void)pthread_mutex_init(&registry->ending, NULL);
    (void)pthread_cond_init(&registry->ended, NULL);
    (void)pthread_mutex_init(&registry->idle_lock, NULL);
    (void)pthread_cond_init(&registry->idle_grew, NULL);
    registry->writer.registry = registry;
    ox_snapshot_sweep(path);
    if ((code = ox_db_open(&registry->writer, path, false, err)) != OX_OK ||
        (code = ox_db_migrate(&registry->writer, err)) != OX_OK ||
        (code = ox_touch_install(&registry->writer, err)) != OX_OK) {
        ox_registry_close(registry);
        return code;
    }
    for (size_t i = 0; code == OX_OK && i < READERS; i++) {
        code = ox_db_open(&registry->readers[i], path, true, err);
        registry->readers[i].registry = registry;
        registry->idle[registry->idle_count++] = &registry->readers[i];
    }
    if (code != OX_OK) {
        ox_registry_close(registry);
        return code;
    }
    *out = registry;
    return OX_OK;
}

void ox_registry_close(struct ox_registry *registry)
{
    if (registry == NULL) {
        return;
    }
    for (size_t i = 0; i < READERS; i++) {
        if (registry->readers[i].db != NULL) {
            ox_db_close(&registry->readers[i]);
        }
    }
    ox_db_close(&registry->writer); /* the last one folds the WAL into the database */
    if (registry->writer.touched != NULL) {
        ox_touched_clear(registry->writer.touched);
        free(registry->writer.touched);
    }
    free(registry->group);
    (void)pthread_mutex_destroy(&registry->ending);
    (void)pthread_cond_destroy(&registry->ended);
    (void)pthread_mutex_destroy(&registry->idle_lock);
    (void)pthread_cond_destroy(&registry->idle_grew);
    free(registry);
}

const char *ox_db_file(struct ox_registry *registry)
{
    return sqlite3_db_filename(registry->writer.db, "main");
}

void ox_registry_watch(struct ox_registry *registry, const struct ox_registry_watch *watch)
{
    registry->watch = *watch;
}

void ox_registry_events_watch(struct ox_registry *registry, void (*committed)(void *ctx), void *ctx)
{
    registry->writer.events_committed = committed;
    registry->writer.events_ctx = ctx;
}

/* --- readers --- */

static struct ox_connection *take_reader(struct ox_registry *registry)
{
    struct ox_connection *reader;

    (void)pthread_mutex_lock(&registry->idle_lock);
    while (registry->idle_count == 0) {
        (void)pthread_cond_wait(&registry->idle_grew, &registry->idle_lock);
    }
    reader = registry->idle[--registry->idle_count];
    (void)pthread_mutex_unlock(&registry->idle_lock);
    return reader;
}

static void give_back(struct ox_connection *reader)
{
    struct ox_registry *registry = reader->registry;

    (void)pthread_mutex_lock(&registry->idle_lock);
    registry->idle[registry->idle_count++] = reader;
    (void)pthread_cond_signal(&registry->idle_grew);
    (void)pthread_mutex_unlock(&registry->idle_lock);
}

/* --- groups, all with the writer's lock --- */

static bool in_transaction(const struct ox_connection *connection)
{
    return sqlite3_get_autocommit(connection->db) == 0;
}

static void roll_back(struct ox_connection *connection)
{
    if (in_transaction(connection)) {
        (void)sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
    }
}

static void tell_changes(struct ox_registry *registry)
{
    const struct ox_registry_watch *watch = &registry->watch;
    struct ox_touched touched;

    ox_touch_take(&registry->writer, &touched);
    if (watch->changed != NULL && touched.all) {
        watch->changed(watch->ctx, NULL);
    }
    for (size_t i = 0; watch->changed != NULL && i < touched.count; i++) {
        watch->changed(watch->ctx, touched.ids[i]);
    }
    ox_touched_clear(&touched);
    if (registry->writer.events_added && registry->writer.events_committed != NULL) {
        registry->writer.events_committed(registry->writer.events_ctx);
    }
    registry->writer.events_added = false;
}

/* The group ends as `code` says, and its members wait no longer. */
static void end_group(struct ox_registry *registry, enum ox_code code, const struct ox_err *why)
{
    struct group *group = registry->group;

    registry->group = NULL;
    if (code == OX_OK) {
        tell_changes(registry); /* before anybody can say that it happened */
    } else {
        roll_back(&registry->writer);
        ox_touched_clear(registry->writer.touched);
    }
    if (group->members == 0) {
        free(group);
        return;
    }
    (void)pthread_mutex_lock(&registry->ending);
    group->ended = true;
    group->code = code;
    group->err = *why;
    (void)pthread_cond_broadcast(&registry->ended);
    (void)pthread_mutex_unlock(&registry->ending);
}

static void sync_group(struct ox_registry *registry)
{
    struct ox_tx tx = {&registry->writer, NULL};
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code = ox_db_run(&tx, &err, "COMMIT", "");

    end_group(registry, code, &err);
}

/* Whoever is done with the writer commits for the group, unless another comes who will. */
static void leave(struct ox_registry *registry)
{
    const struct group *group = registry->group;

    if (group != NULL && group->members > 0 &&
        (atomic_load(&registry->waiting) == 0 || group->members >= GROUP_MAX)) {
        sync_group(registry);
    }
    (void)pthread_mutex_unlock(&registry->writer.lock);
}

/* Undo what the transaction under way has changed. */
static void take_back(struct ox_registry *registry)
{
    struct ox_connection *writer = &registry->writer;
    struct ox_err err = OX_ERR_INIT;
    bool alone = !registry->nested;

    if (!alone && in_transaction(writer) &&
        sqlite3_exec(writer->db, "ROLLBACK TO ox; RELEASE ox", NULL, NULL, NULL) == SQLITE_OK) {
        return;
    }
    /* Out of space or memory, SQLite gives up the whole transaction. */
    end_group(registry, alone ? OX_ECANCELED : ox_db_error(writer->db, "committing", &err), &err);
}

static enum ox_code open_group(struct ox_registry *registry, struct ox_tx *tx, struct ox_err *err)
{
    enum ox_code code;

    registry->nested = registry->group != NULL && registry->group->members > 0;
    if (registry->nested) {
        return ox_db_run(tx, err, "SAVEPOINT ox", "");
    }
    registry->group = calloc(1, sizeof(*registry->group));
    if (registry->group == NULL) {
        return ox_err_nomem(err, "a transaction");
    }
    code = ox_db_run(tx, err, "BEGIN IMMEDIATE", "");
    if (code != OX_OK) {
        free(registry->group);
        registry->group = NULL;
    }
    return code;
}

/* --- transactions --- */

static enum ox_code begin_write(struct ox_registry *registry, struct ox_tx *tx, struct ox_err *err)
{
    enum ox_code code;

    (void)atomic_fetch_add(&registry->waiting, 1);
    (void)pthread_mutex_lock(&registry->writer.lock);
    (void)atomic_fetch_sub(&registry->waiting, 1);
    tx->connection = &registry->writer;
    code = open_group(registry, tx, err);
    if (code != OX_OK) {
        leave(registry);
        tx->connection = NULL;
    }
    return code;
}

enum ox_code ox_registry_begin(struct ox_registry *registry, enum ox_tx_kind kind, struct ox_tx *tx,
                               struct ox_err *err)
{
    enum ox_code code;

    *tx = (struct ox_tx)OX_TX_INIT;
    if (kind == OX_TX_WRITE) {
        return begin_write(registry, tx, err);
    }
    tx->connection = take_reader(registry);
    code = ox_db_run(tx, err, "BEGIN", "");
    if (code != OX_OK) {
        ox_registry_end(tx);
    }
    return code;
}

static enum ox_code wait_for_end(struct ox_registry *registry, struct group *group,
                                 struct ox_err *err)
{
    enum ox_code code;
    bool last;

    (void)pthread_mutex_lock(&registry->ending);
    while (!group->ended) {
        (void)pthread_cond_wait(&registry->ended, &registry->ending);
    }
    code = group->code;
    if (code != OX_OK && err != NULL) {
        *err = group->err;
    }
    last = --group->members == 0;
    (void)pthread_mutex_unlock(&registry->ending);
    if (last) {
        free(group);
    }
    return code;
}

enum ox_code ox_registry_commit(struct ox_tx *tx, struct ox_err *err)
{
    struct ox_registry *registry = tx->connection->registry;
    struct group *group = registry->group;
    enum ox_code code = registry->nested ? ox_db_run(tx, err, "RELEASE ox", "") : OX_OK;

    if (code != OX_OK) {
        return code; /* ox_registry_end takes it back */
    }
    group->members++;
    tx->connection = NULL;
    leave(registry);
    return wait_for_end(registry, group, err);
}

bool ox_registry_changed(const struct ox_tx *tx)
{
    return ox_db_changes(tx) > 0;
}

void ox_registry_end(struct ox_tx *tx)
{
    struct ox_connection *connection = tx->connection;

    if (connection != NULL && connection->touched != NULL) {
        take_back(connection->registry);
        leave(connection->registry);
    } else if (connection != NULL && connection->registry == NULL) { /* of a snapshot */
        roll_back(connection);
        (void)pthread_mutex_unlock(&connection->lock);
    } else if (connection != NULL) {
        roll_back(connection);
        give_back(connection);
    }
    ox_db_free(tx);
    *tx = (struct ox_tx)OX_TX_INIT;
}

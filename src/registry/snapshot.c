#include "oxide/registry/snapshot.h"

#include "db.h"

#include "oxide/base/buf.h"
#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/registry/hold.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Pages of one step: some 8 MiB, between which a stop is heard. */
#define STEP_PAGES 2000

struct ox_snapshot {
    struct ox_connection copy;
    char *path;
    bool opened;
    int fd;
    uint64_t size_bytes;
    int schema;
};

static void remove_files(const char *path)
{
    static const char *const ends[] = {"", "-journal", "-wal", "-shm"};

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char *name = NULL;

        if (ox_strf(&name, NULL, "%s%s", path, ends[i]) == OX_OK) {
            (void)unlink(name);
        }
        free(name);
    }
}

void ox_snapshot_sweep(const char *registry_path)
{
    char *path = NULL;

    if (ox_strf(&path, NULL, "%s.backup", registry_path) == OX_OK) {
        remove_files(path);
    }
    free(path);
}

static enum ox_code exec(sqlite3 *db, const char *sql, struct ox_err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? OX_OK
               : ox_db_error(db, "making a backup", err);
}

/* The copy has rollback journals, not a write-ahead log, so that it is one file. */
static enum ox_code open_copy(struct ox_snapshot *snapshot, struct ox_err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

    (void)pthread_mutex_init(&snapshot->copy.lock, NULL);
    snapshot->opened = true;
    if (sqlite3_open_v2(snapshot->path, &snapshot->copy.db, flags, NULL) != SQLITE_OK) {
        return ox_db_error(snapshot->copy.db, "making a backup", err);
    }
    (void)sqlite3_extended_result_codes(snapshot->copy.db, 1);
    return exec(snapshot->copy.db, "PRAGMA synchronous = OFF", err);
}

/* The reader's transaction keeps its view while others write, so the copy never starts anew. */
static enum ox_code copy_pages(struct ox_connection *source, sqlite3 *to, struct ox_stop *stop,
                               struct ox_err *err)
{
    sqlite3_backup *backup = NULL;
    int result = SQLITE_OK;
    enum ox_code code = exec(source->db, "BEGIN; SELECT count(*) FROM sqlite_schema", err);

    if (code != OX_OK) {
        return code;
    }
    backup = sqlite3_backup_init(to, "main", source->db, "main");
    while (backup != NULL && result == SQLITE_OK && !ox_stop_requested(stop)) {
        result = sqlite3_backup_step(backup, STEP_PAGES);
    }
    (void)sqlite3_backup_finish(backup);
    (void)sqlite3_exec(source->db, "ROLLBACK", NULL, NULL, NULL);
    if (result == SQLITE_DONE) {
        return OX_OK;
    }
    return ox_stop_requested(stop) ? ox_err_set(err, OX_ECANCELED, "the backup was stopped")
                                   : ox_db_error(to, "making a backup", err);
}

static enum ox_code hold(struct ox_snapshot *snapshot, int64_t now_ms, struct ox_err *err)
{
    struct ox_hold_row row = {.since_ms = now_ms};
    char time[OX_TIME_TEXT_MAX];
    char reason[96];
    struct ox_tx tx = {&snapshot->copy, NULL};
    enum ox_code code;

    (void)snprintf(reason, sizeof(reason), "restored from the backup of %s",
                   ox_time_text(now_ms, time));
    row.reason = reason;
    code = exec(snapshot->copy.db, "PRAGMA journal_mode = DELETE", err);
    return code == OX_OK ? ox_registry_hold_put(&tx, &row, err) : code;
}

static enum ox_code fill(struct ox_snapshot *snapshot, const char *from, int64_t now_ms,
                         struct ox_stop *stop, struct ox_err *err)
{
    struct ox_connection *source = calloc(1, sizeof(*source));
    enum ox_code code;

    if (source == NULL) {
        return ox_err_nomem(err, "a backup");
    }
    code = ox_db_open(source, from, true, err);
    if (code == OX_OK && (code = open_copy(snapshot, err)) == OX_OK &&
        (code = copy_pages(source, snapshot->copy.db, stop, err)) == OX_OK) {
        code = hold(snapshot, now_ms, err);
    }
    ox_db_close(source);
    free(source);
    return code;
}

static enum ox_code finish(struct ox_snapshot *snapshot, struct ox_err *err)
{
    enum ox_code code = ox_db_schema(&snapshot->copy, &snapshot->schema, err);

    return code == OX_OK
               ? ox_file_open_read(snapshot->path, &snapshot->fd, &snapshot->size_bytes, err)
               : code;
}

enum ox_code ox_snapshot_take(struct ox_snapshot **out, struct ox_registry *registry,
                              int64_t now_ms, struct ox_stop *stop, struct ox_err *err)
{
    const char *from = ox_db_file(registry);
    struct ox_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    enum ox_code code;

    if (snapshot == NULL) {
        return ox_err_nomem(err, "a backup");
    }
    snapshot->fd = -1;
    if ((code = ox_strf(&snapshot->path, err, "%s.backup", from)) == OX_OK) {
        remove_files(snapshot->path);
        if ((code = fill(snapshot, from, now_ms, stop, err)) == OX_OK) {
            code = finish(snapshot, err);
        }
        remove_files(snapshot->path); /* what is open stays */
    }
    if (code != OX_OK) {
        ox_snapshot_free(snapshot);
        return code;
    }
    *out = snapshot;
    return OX_OK;
}

void ox_snapshot_free(struct ox_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    if (snapshot->opened) {
        ox_db_close(&snapshot->copy);
    }
    if (snapshot->fd >= 0) {
        (void)close(snapshot->fd);
    }
    free(snapshot->path);
    free(snapshot);
}

int ox_snapshot_fd(const struct ox_snapshot *snapshot)
{
    return snapshot->fd;
}

uint64_t ox_snapshot_bytes(const struct ox_snapshot *snapshot)
{
    return snapshot->size_bytes;
}

int ox_snapshot_schema(const struct ox_snapshot *snapshot)
{
    return snapshot->schema;
}

enum ox_code ox_snapshot_begin(struct ox_snapshot *snapshot, struct ox_tx *tx, struct ox_err *err)
{
    enum ox_code code;

    (void)pthread_mutex_lock(&snapshot->copy.lock);
    *tx = (struct ox_tx){&snapshot->copy, NULL};
    code = ox_db_run(tx, err, "BEGIN", "");
    if (code != OX_OK) {
        ox_registry_end(tx);
    }
    return code;
}

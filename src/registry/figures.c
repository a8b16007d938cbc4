#include "oxide/registry/figures.h"

#include "db.h"

#include <stdlib.h>
#include <sys/stat.h>

static void read_state(struct ox_db_row *row, void *out)
{
    struct ox_state_count *count = out;

    count->state = ox_db_text(row);
    count->count = ox_db_u64(row);
}

static enum ox_code states(struct ox_tx *tx, const char *sql, struct ox_state_count **rows,
                           size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err, sql, "");

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_state, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_campaign_states(struct ox_tx *tx, struct ox_state_count **rows,
                                         size_t *count, struct ox_err *err)
{
    return states(tx, "SELECT state, count(*) FROM campaigns GROUP BY state", rows, count, err);
}

enum ox_code ox_registry_job_states(struct ox_tx *tx, struct ox_state_count **rows, size_t *count,
                                    struct ox_err *err)
{
    return states(tx, "SELECT state, count(*) FROM delta_jobs GROUP BY state", rows, count, err);
}

static void read_place(struct ox_db_row *row, void *out)
{
    struct ox_place_count *place = out;

    place->campaign_id = ox_db_text(row);
    place->model_id = ox_db_text(row);
    place->version = ox_db_text(row);
    place->state = ox_db_text(row);
    place->devices = ox_db_u64(row);
}

enum ox_code ox_registry_place_counts(struct ox_tx *tx, uint64_t limit,
                                      struct ox_place_count **rows, size_t *count,
                                      struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT c.id, a.model_id, a.version, t.state, sum(t.devices) FROM"
                    " (SELECT id, artifact_id FROM campaigns"
                    "  WHERE state IN ('pending', 'rolling_out', 'paused')"
                    "  ORDER BY created_at DESC, id DESC LIMIT $1) c"
                    " JOIN artifacts a ON a.id = c.artifact_id"
                    " JOIN campaign_tallies t ON t.campaign_id = c.id"
                    " GROUP BY c.id, a.model_id, a.version, t.state ORDER BY c.id, t.state",
                    "u", limit);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_place, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

static enum ox_code number(struct ox_tx *tx, const char *sql, uint64_t *out, struct ox_err *err)
{
    return ox_db_get(tx, ox_db_read_u64, out, err, sql, "");
}

enum ox_code ox_registry_saved_bytes(struct ox_tx *tx, uint64_t *out, struct ox_err *err)
{
    return number(tx, "SELECT coalesce(sum(saved), 0) FROM campaign_sums", out, err);
}

enum ox_code ox_registry_pending_waiting(struct ox_tx *tx, uint64_t *out, struct ox_err *err)
{
    return number(tx, "SELECT count(*) FROM pending_devices WHERE state = 'pending'", out, err);
}

/* --- devices --- */

/* Nothing is copied: with 100,000 devices that would take as long as the scan, which takes some
 * 50 ms. An index that held all of this would be written anew with every batch of heartbeats. */
enum ox_code ox_registry_standings(struct ox_tx *tx,
                                   void (*visit)(void *ctx, const struct ox_standing_row *row),
                                   void *ctx, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT id, status, last_heartbeat, poll_interval_s,"
                                    " conflict_since FROM devices",
                                    "");

    while (code == OX_OK && (code = ox_db_step(tx, statement, &found, err)) == OX_OK && found) {
        const struct ox_standing_row row = {
            .id = (const char *)sqlite3_column_text(statement, 0),
            .status = (const char *)sqlite3_column_text(statement, 1),
            .last_heartbeat_ms = sqlite3_column_int64(statement, 2),
            .poll_interval_s = (uint64_t)sqlite3_column_int64(statement, 3),
            .conflict_ms = sqlite3_column_int64(statement, 4),
        };

        if (row.id == NULL || row.status == NULL) {
            (void)sqlite3_reset(statement);
            return ox_err_nomem(err, "a device");
        }
        visit(ctx, &row);
    }
    return code;
}

/* --- files --- */

static uint64_t bytes_of(const char *path)
{
    struct stat st;

    return path != NULL && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void ox_registry_file_bytes(struct ox_registry *registry, uint64_t *database, uint64_t *wal)
{
    const char *path = ox_db_file(registry);
    char *log = NULL;

    *database = bytes_of(path);
    *wal = ox_strf(&log, NULL, "%s-wal", path) == OX_OK ? bytes_of(log) : 0;
    free(log);
}

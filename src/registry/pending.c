#include "db.h"

#include "oxide/registry/pending.h"

#define COLUMNS "id, state, address, agent, platform, first_seen, last_seen"

static void read_pending(struct ox_db_row *row, void *out)
{
    struct ox_pending_row *pending = out;

    pending->id = ox_db_text(row);
    pending->state = ox_db_text(row);
    pending->address = ox_db_text(row);
    pending->agent = ox_db_text(row);
    pending->platform = ox_db_text(row);
    pending->first_seen_ms = ox_db_i64(row);
    pending->last_seen_ms = ox_db_i64(row);
}

enum ox_code ox_registry_pending_get(struct ox_tx *tx, const char *id, struct ox_pending_row *out,
                                     bool *found, struct ox_err *err)
{
    struct ox_pending_row row = {0};
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(
        tx, &statement, err, "SELECT " COLUMNS " FROM pending_devices WHERE id = $1", "s", id);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_pending, &row, found, err);
    }
    if (code == OX_OK && *found) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_pending_put(struct ox_tx *tx, const struct ox_pending_row *row,
                                     struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO pending_devices (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7)"
                     " ON CONFLICT (id) DO UPDATE SET state = excluded.state,"
                     " address = coalesce(excluded.address, pending_devices.address),"
                     " agent = coalesce(excluded.agent, pending_devices.agent),"
                     " platform = coalesce(excluded.platform, pending_devices.platform),"
                     " last_seen = excluded.last_seen",
                     "sssssii", row->id, row->state, row->address, row->agent, row->platform,
                     row->first_seen_ms, row->last_seen_ms);
}

static void read_number(struct ox_db_row *row, void *out)
{
    *(uint64_t *)out = ox_db_u64(row);
}

enum ox_code ox_registry_pending_make_room(struct ox_tx *tx, int64_t before_ms, bool *room,
                                           struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    uint64_t rows = 0;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err, "SELECT count(*) FROM pending_devices", "");

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_number, &rows, &found, err);
    }
    if (code != OX_OK || rows < OX_PENDING_MAX) {
        *room = true;
        return code;
    }
    code = ox_db_run(tx, err,
                     "DELETE FROM pending_devices WHERE id = (SELECT id FROM pending_devices"
                     " WHERE last_seen < $1 ORDER BY last_seen LIMIT 1)",
                     "i", before_ms);
    if (code == OX_OK) {
        *room = ox_db_changes(tx) > 0;
    }
    return code;
}

enum ox_code ox_registry_pending_remove(struct ox_tx *tx, const char *id, struct ox_err *err)
{
    return ox_db_run(tx, err, "DELETE FROM pending_devices WHERE id = $1", "s", id);
}

enum ox_code ox_registry_pending(struct ox_tx *tx, const char *state, const char *after,
                                 uint64_t limit, struct ox_pending_row **rows, size_t *count,
                                 struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM pending_devices"
                                    " WHERE state = $1 AND id > $2 ORDER BY id LIMIT $3",
                                    "ssu", state, after == NULL ? "" : after, limit);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_pending, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

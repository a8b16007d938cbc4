#include "page.h"

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

enum ox_code ox_registry_pending_make_room(struct ox_tx *tx, int64_t before_ms, bool *room,
                                           struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    uint64_t rows = 0;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err, "SELECT count(*) FROM pending_devices", "");

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, ox_db_read_u64, &rows, &found, err);
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

/* --- pages --- */

static const struct ox_list_sort sorts[] = {
    {"id", "id", true},
    {"first_seen", "first_seen", false},
    {"last_seen", "last_seen", false},
    {0},
};
static const struct ox_list_filter filters[] = {{.name = "state", .sql = "state = ?"}, {0}};
static const struct ox_list list = {
    .name = "pending_devices",
    .columns = COLUMNS,
    .from = "pending_devices",
    .key = "id",
    .key_is_text = true,
    .sorts = sorts,
    .filters = filters,
    .read = read_pending,
    .row_bytes = sizeof(struct ox_pending_row),
};

enum ox_code ox_registry_pending_page(struct ox_tx *tx, const struct ox_page *page,
                                      struct ox_pending_row **rows, size_t *count,
                                      const char **next, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_list_page(tx, &list, page, &all, count, next, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

#include "db.h"
#include "select.h"

#include "page.h"

#define COLUMNS "f.id, f.name, f.description, f.default_strategy, f.tags, f.filter, f.created_at"

static void read_fleet(struct ox_db_row *row, void *out)
{
    struct ox_fleet_row *fleet = out;

    fleet->id = ox_db_text(row);
    fleet->name = ox_db_text(row);
    fleet->description = ox_db_text(row);
    fleet->default_strategy = ox_db_text(row);
    fleet->tags = ox_db_text(row);
    fleet->filter = ox_db_text(row);
    fleet->created_ms = ox_db_i64(row);
}

static enum ox_code no_fleet(struct ox_err *err, const char *id)
{
    return ox_err_set(err, OX_ENOTFOUND, "there is no fleet %s: create it first", id);
}

enum ox_code ox_registry_fleet_add(struct ox_tx *tx, const struct ox_fleet_row *row,
                                   struct ox_err *err)
{
    enum ox_code code =
        ox_db_run(tx, err,
                  "INSERT INTO fleets (id, name, description, default_strategy, tags, filter,"
                  " created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                  "ssssssi", row->id, row->name, row->description, row->default_strategy, row->tags,
                  row->filter, row->created_ms);

    return code == OX_ECONFLICT ? ox_err_set(err, code, "fleet %s exists already", row->id) : code;
}

enum ox_code ox_registry_fleet_get(struct ox_tx *tx, const char *id, struct ox_fleet_row *out,
                                   struct ox_err *err)
{
    struct ox_fleet_row row = {0};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM fleets f WHERE f.id = $1", "s", id);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_fleet, &row, &found, err);
    }
    if (code == OX_OK && !found) {
        return no_fleet(err, id);
    }
    if (code == OX_OK) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_fleet_update(struct ox_tx *tx, const struct ox_fleet_row *row,
                                      struct ox_err *err)
{
    enum ox_code code =
        ox_db_run(tx, err,
                  "UPDATE fleets SET name = $1, description = $2, default_strategy = $3, tags = $4,"
                  " filter = $5 WHERE id = $6",
                  "ssssss", row->name, row->description, row->default_strategy, row->tags,
                  row->filter, row->id);

    return code == OX_OK && ox_db_changes(tx) == 0 ? no_fleet(err, row->id) : code;
}

enum ox_code ox_registry_fleet_remove(struct ox_tx *tx, const char *id, struct ox_err *err)
{
    enum ox_code code = ox_db_run(tx, err, "DELETE FROM fleets WHERE id = $1", "s", id);

    return code == OX_OK && ox_db_changes(tx) == 0 ? no_fleet(err, id) : code;
}

enum ox_code ox_registry_fleet_campaign(struct ox_tx *tx, const char *id, const char **out,
                                        struct ox_err *err)
{
    *out = NULL;
    return ox_db_get(tx, ox_db_read_text, (void *)out, err,
                     "SELECT id FROM campaigns WHERE fleet_id = $1"
                     " AND state IN ('pending', 'rolling_out', 'paused')"
                     " ORDER BY created_at, id LIMIT 1",
                     "s", id);
}

enum ox_code ox_registry_fleet_empty(struct ox_tx *tx, const char *id, struct ox_err *err)
{
    return ox_db_run(tx, err, "DELETE FROM fleet_devices WHERE fleet_id = $1", "s", id);
}

enum ox_code ox_registry_fleet_fill(struct ox_tx *tx, const char *id,
                                    const struct ox_selection *selection, struct ox_err *err)
{
    const struct ox_db_value values[] = {{.type = OX_DB_TEXT, .text = id},
                                         {.type = OX_DB_INT, .number = selection->now_ms}};

    return ox_select_run(tx, selection,
                         "INSERT INTO fleet_devices (fleet_id, device_id, added_at)"
                         " SELECT @, d.id, @ FROM devices d",
                         values, " ON CONFLICT DO NOTHING", NULL, err);
}

enum ox_code ox_registry_fleets(struct ox_tx *tx, struct ox_fleet_row **rows, size_t *count,
                                struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err, "SELECT " COLUMNS " FROM fleets f ORDER BY f.id", "");

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_fleet, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_fleet_join(struct ox_tx *tx, const char *fleet_id, const char *device_id,
                                    int64_t now_ms, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO fleet_devices (fleet_id, device_id, added_at)"
                     " VALUES ($1, $2, $3) ON CONFLICT (fleet_id, device_id) DO NOTHING",
                     "ssi", fleet_id, device_id, now_ms);
}

enum ox_code ox_registry_fleets_join_as(struct ox_tx *tx, const char *device_id,
                                        const char *as_device_id, int64_t now_ms,
                                        struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO fleet_devices (fleet_id, device_id, added_at)"
                     " SELECT fleet_id, $1, $2 FROM fleet_devices WHERE device_id = $3",
                     "sis", device_id, now_ms, as_device_id);
}

enum ox_code ox_registry_fleet_leave(struct ox_tx *tx, const char *fleet_id, const char *device_id,
                                     struct ox_err *err)
{
    enum ox_code code =
        ox_db_run(tx, err, "DELETE FROM fleet_devices WHERE fleet_id = $1 AND device_id = $2", "ss",
                  fleet_id, device_id);

    if (code == OX_OK && ox_db_changes(tx) == 0) {
        return ox_err_set(err, OX_ENOTFOUND, "device %s is not in fleet %s", device_id, fleet_id);
    }
    return code;
}

/* --- pages --- */

static const struct ox_list_sort fleet_sorts[] = {
    {"id", "f.id", true},
    {"name", "f.name", true},
    {"created", "f.created_at", false},
    {0},
};
static const struct ox_list_filter fleet_filters[] = {
    {.name = "device",
     .sql =
         "(f.filter IS NOT NULL"
         " OR EXISTS (SELECT 1 FROM fleet_devices m WHERE m.fleet_id = f.id AND m.device_id = ?))"},
    {0},
};
static const struct ox_list fleet_list = {
    .name = "fleets",
    .columns = COLUMNS,
    .from = "fleets f",
    .key = "f.id",
    .key_is_text = true,
    .sorts = fleet_sorts,
    .filters = fleet_filters,
    .read = read_fleet,
    .row_bytes = sizeof(struct ox_fleet_row),
};

enum ox_code ox_registry_fleet_page(struct ox_tx *tx, const struct ox_page *page,
                                    struct ox_fleet_row **rows, size_t *count, const char **next,
                                    struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_list_page(tx, &fleet_list, page, &all, count, next, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

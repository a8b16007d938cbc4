#include "db.h"

#include "oxide/registry/instance.h"

#define COLUMNS                                                                                    \
    "device_id, instance, state, new_id, first_seen, last_seen, address, agent, platform"
#define STALE                                                                                      \
    " FROM device_instances WHERE state = 'rival' AND last_seen < $1 AND device_id NOT IN"         \
    " (SELECT id FROM devices WHERE conflict_since IS NOT NULL)"

static void read_instance(struct ox_db_row *row, void *out)
{
    struct ox_instance_row *instance = out;

    instance->device_id = ox_db_text(row);
    instance->instance = ox_db_text(row);
    instance->state = ox_db_text(row);
    instance->new_id = ox_db_text(row);
    instance->first_seen_ms = ox_db_i64(row);
    instance->last_seen_ms = ox_db_i64(row);
    instance->address = ox_db_text(row);
    instance->agent = ox_db_text(row);
    instance->platform = ox_db_text(row);
}

enum ox_code ox_registry_instance_get(struct ox_tx *tx, const char *device_id, const char *instance,
                                      struct ox_instance_row *out, bool *found, struct ox_err *err)
{
    struct ox_instance_row row = {0};
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM device_instances"
                                    " WHERE device_id = $1 AND instance = $2",
                                    "ss", device_id, instance);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_instance, &row, found, err);
    }
    if (code == OX_OK && *found) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_instance_put(struct ox_tx *tx, const struct ox_instance_row *row,
                                      struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO device_instances (" COLUMNS ")"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
                     " ON CONFLICT (device_id, instance) DO UPDATE SET state = excluded.state,"
                     " new_id = excluded.new_id, last_seen = excluded.last_seen,"
                     " address = excluded.address, agent = excluded.agent,"
                     " platform = excluded.platform",
                     "ssssiisss", row->device_id, row->instance, row->state, row->new_id,
                     row->first_seen_ms, row->last_seen_ms, row->address, row->agent,
                     row->platform);
}

enum ox_code ox_registry_instance_remove(struct ox_tx *tx, const char *device_id,
                                         const char *instance, struct ox_err *err)
{
    return ox_db_run(tx, err, "DELETE FROM device_instances WHERE device_id = $1 AND instance = $2",
                     "ss", device_id, instance);
}

enum ox_code ox_registry_instances(struct ox_tx *tx, const char *device_id,
                                   struct ox_instance_row **rows, size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM device_instances"
                                    " WHERE device_id = $1 ORDER BY first_seen, instance",
                                    "s", device_id);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_instance, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_instances_stale(struct ox_tx *tx, int64_t before_ms, bool *out,
                                         struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err, "SELECT 1" STALE " LIMIT 1", "i", before_ms);

    if (code == OX_OK && (code = ox_db_step(tx, statement, out, err)) == OX_OK && *out) {
        (void)sqlite3_reset(statement);
    }
    return code;
}

enum ox_code ox_registry_instances_prune(struct ox_tx *tx, int64_t before_ms, struct ox_err *err)
{
    return ox_db_run(tx, err, "DELETE" STALE, "i", before_ms);
}

#include "devices.h"

#include "db.h"
#include "page.h"

void ox_device_read(struct ox_db_row *row, void *out)
{
    struct ox_device_row *device = out;

    device->id = ox_db_text(row);
    device->name = ox_db_text(row);
    device->tags = ox_db_text(row);
    device->last_heartbeat_ms = ox_db_i64(row);
    device->status = ox_db_text(row);
    device->current_model = ox_db_text(row);
    device->current_version = ox_db_text(row);
    device->last_result = ox_db_text(row);
    device->platform = ox_db_text(row);
    device->metrics = ox_db_text(row);
    device->agent = ox_db_text(row);
    device->protocol = ox_db_u64(row);
    device->reads = ox_db_text(row);
    device->report_seq = ox_db_u64(row);
    device->registered_ms = ox_db_i64(row);
    device->instance = ox_db_text(row);
    device->instance_since_ms = ox_db_i64(row);
    device->conflict_ms = ox_db_i64(row);
    device->poll_interval_s = ox_db_u64(row);
    device->utc_offset_s = ox_db_i64(row);
    device->disk_free_bytes = ox_db_u64(row);
    device->disk_total_bytes = ox_db_u64(row);
    device->address = ox_db_text(row);
    device->fleet_id = ox_db_text(row);
}

enum ox_code ox_registry_device_put(struct ox_tx *tx, const char *id, const char *name,
                                    const char *tags, int64_t now_ms, bool *created,
                                    struct ox_err *err)
{
    enum ox_code code = ox_db_run(tx, err, "UPDATE devices SET name = $1, tags = $2 WHERE id = $3",
                                  "sss", name, tags, id);

    if (code != OX_OK) {
        return code;
    }
    *created = ox_db_changes(tx) == 0;
    return !*created ? OX_OK
                     : ox_db_run(tx, err,
                                 "INSERT INTO devices (id, name, tags, registered_at, status)"
                                 " VALUES ($1, $2, $3, $4, 'unknown')",
                                 "sssi", id, name, tags, now_ms);
}

static enum ox_code unknown_device(struct ox_err *err, const char *id)
{
    return ox_err_set(err, OX_ENOTFOUND,
                      "device %s is not registered: POST {\"id\",\"name\"} to /api/v1/devices, or "
                      "run 'oxide device register %s'",
                      id, id);
}

enum ox_code ox_registry_device_get(struct ox_tx *tx, const char *id, struct ox_device_row *out,
                                    struct ox_err *err)
{
    struct ox_device_row row = {0};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " OX_DEVICE_COLUMNS " FROM devices d WHERE d.id = $1", "s", id);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, ox_device_read, &row, &found, err);
    }
    if (code == OX_OK && !found) {
        return unknown_device(err, id);
    }
    if (code == OX_OK) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_device_update(struct ox_tx *tx, const struct ox_device_row *row,
                                       struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE devices SET last_heartbeat = $1, status = $2, current_model = $3,"
                     " current_version = $4, last_result = $5, platform = $6, metrics = $7,"
                     " agent = $8, protocol = $9, reads = $10, report_seq = $11, instance = $12,"
                     " instance_since = nullif($13, 0), poll_interval_s = nullif($14, 0),"
                     " utc_offset_s = nullif($15, -2147483648), disk_free_bytes = $16,"
                     " disk_total_bytes = nullif($17, 0), address = $18 WHERE id = $19",
                     "isssssssususiuiuuss", row->last_heartbeat_ms, row->status, row->current_model,
                     row->current_version, row->last_result, row->platform, row->metrics,
                     row->agent, row->protocol, row->reads, row->report_seq, row->instance,
                     row->instance_since_ms, row->poll_interval_s, row->utc_offset_s,
                     row->disk_free_bytes, row->disk_total_bytes, row->address, row->id);
}

enum ox_code ox_registry_device_set_conflict(struct ox_tx *tx, const char *id, int64_t since_ms,
                                             struct ox_err *err)
{
    return ox_db_run(tx, err, "UPDATE devices SET conflict_since = nullif($1, 0) WHERE id = $2",
                     "is", since_ms, id);
}

enum ox_code ox_registry_device_set_instance(struct ox_tx *tx, const char *id, const char *instance,
                                             int64_t since_ms, struct ox_err *err)
{
    return ox_db_run(tx, err, "UPDATE devices SET instance = $1, instance_since = $2 WHERE id = $3",
                     "sis", instance, since_ms, id);
}

enum ox_code ox_registry_device_seen(struct ox_tx *tx, const char *id, int64_t seen_ms,
                                     const char *metrics, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE devices SET last_heartbeat = $1, metrics = coalesce($2, metrics)"
                     " WHERE id = $3",
                     "iss", seen_ms, metrics, id);
}

enum ox_code ox_registry_device_remove(struct ox_tx *tx, const char *id, struct ox_err *err)
{
    enum ox_code code = ox_db_run(tx, err, "DELETE FROM devices WHERE id = $1", "s", id);

    return code == OX_OK && ox_db_changes(tx) == 0 ? unknown_device(err, id) : code;
}

/* --- what they run --- */

static void read_device_model(struct ox_db_row *row, void *out)
{
    struct ox_device_model_row *model = out;

    model->device_id = ox_db_text(row);
    model->model_id = ox_db_text(row);
    model->version = ox_db_text(row);
    model->has_digest = ox_db_digest(row, &model->digest);
}

enum ox_code ox_registry_device_models(struct ox_tx *tx, const char *device_id,
                                       struct ox_device_model_row **rows, size_t *count,
                                       struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        device_id == NULL
            ? ox_db_query(tx, &statement, err,
                          "SELECT device_id, model_id, version, digest FROM device_models"
                          " ORDER BY device_id, model_id",
                          "")
            : ox_db_query(tx, &statement, err,
                          "SELECT device_id, model_id, version, digest FROM device_models"
                          " WHERE device_id = $1 ORDER BY model_id",
                          "s", device_id);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_device_model, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_device_model_put(struct ox_tx *tx, const struct ox_device_model_row *row,
                                          struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO device_models (device_id, model_id, version, digest)"
                     " VALUES ($1, $2, $3, $4) ON CONFLICT (device_id, model_id)"
                     " DO UPDATE SET version = excluded.version, digest = excluded.digest",
                     "sssd", row->device_id, row->model_id, row->version,
                     row->has_digest ? &row->digest : NULL);
}

enum ox_code ox_registry_device_models_clear(struct ox_tx *tx, const char *device_id,
                                             struct ox_err *err)
{
    return ox_db_run(tx, err, "DELETE FROM device_models WHERE device_id = $1", "s", device_id);
}

/* --- pages --- */

static const struct ox_list_sort device_sorts[] = {
    {"id", "d.id", true},
    {"name", "d.name", true},
    {"last_seen", "coalesce(d.last_heartbeat, 0)", false},
    {"registered", "d.registered_at", false},
    {0},
};
static const struct ox_list_filter device_filters[] = {
    /* by its members, be they few or all: the devices are not walked */
    {.name = "fleet",
     .sql = "m.fleet_id = ?",
     .from = "fleet_devices m JOIN devices d ON d.id = m.device_id",
     .key = "m.device_id"},
    {.name = "runs",
     .sql = "EXISTS (SELECT 1 FROM device_models r WHERE r.device_id = d.id"
            " AND ? IN (r.model_id, r.model_id || '@' || r.version))"},
    {.name = "said", .sql = "d.status = ?"},
    {.name = "silent", .sql = OX_DEVICE_SILENT("CAST(? AS INTEGER)")},
    {.name = "in_conflict", .sql = "d.conflict_since IS NOT NULL AND ? = '1'"},
    {.name = "never_seen", .sql = "d.last_heartbeat IS NULL AND ? = '1'"},
    {0},
};
static const struct ox_list device_list = {
    .name = "devices",
    .columns = OX_DEVICE_COLUMNS,
    .from = "devices d",
    .key = "d.id",
    .key_is_text = true,
    .is_wide = true,
    .sorts = device_sorts,
    .filters = device_filters,
    .read = ox_device_read,
    .row_bytes = sizeof(struct ox_device_row),
};

enum ox_code ox_registry_device_page(struct ox_tx *tx, const struct ox_page *page,
                                     struct ox_device_row **rows, size_t *count, const char **next,
                                     struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_list_page(tx, &device_list, page, &all, count, next, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

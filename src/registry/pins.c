#include "db.h"

#include "oxide/registry/pin.h"

#define COLUMNS "device_id, model_id, reason, since"

static void read_pin(struct ox_db_row *row, void *out)
{
    struct ox_pin_row *pin = out;

    pin->device_id = ox_db_text(row);
    pin->model_id = ox_db_text(row);
    pin->reason = ox_db_text(row);
    pin->since_ms = ox_db_i64(row);
}

enum ox_code ox_registry_pin_put(struct ox_tx *tx, const struct ox_pin_row *row, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO device_pins (" COLUMNS ") VALUES ($1, $2, $3, $4)"
                     " ON CONFLICT (device_id, model_id) DO UPDATE SET reason = "
                     "coalesce(excluded.reason, reason)",
                     "sssi", row->device_id, row->model_id, row->reason, row->since_ms);
}

enum ox_code ox_registry_pin_remove(struct ox_tx *tx, const char *device_id, const char *model_id,
                                    bool *found, struct ox_err *err)
{
    enum ox_code code =
        ox_db_run(tx, err, "DELETE FROM device_pins WHERE device_id = $1 AND model_id = $2", "ss",
                  device_id, model_id);

    if (code == OX_OK) {
        *found = ox_db_changes(tx) > 0;
    }
    return code;
}

enum ox_code ox_registry_pins(struct ox_tx *tx, const char *device_id, struct ox_pin_row **rows,
                              size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM device_pins WHERE device_id = $1"
                                    " ORDER BY model_id",
                                    "s", device_id);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_pin, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_device_pinned(struct ox_tx *tx, const char *device_id,
                                       const char *model_id, bool *pinned, struct ox_pin_row *out,
                                       struct ox_err *err)
{
    struct ox_pin_row row = {0};
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM device_pins WHERE device_id = $1"
                                    " AND model_id IN ('', $2) ORDER BY model_id LIMIT 1",
                                    "ss", device_id, model_id);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_pin, &row, pinned, err);
    }
    if (code == OX_OK && *pinned) {
        *out = row;
    }
    return code;
}

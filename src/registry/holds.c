#include "oxide/registry/hold.h"

#include "campaigns.h"

static void read_hold(struct ox_db_row *row, void *out)
{
    struct ox_hold_row *hold = out;

    hold->since_ms = ox_db_i64(row);
    hold->reason = ox_db_text(row);
}

enum ox_code ox_registry_hold_get(struct ox_tx *tx, struct ox_hold_row *out, bool *found,
                                  struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err, "SELECT since, reason FROM holds", "");

    return code == OX_OK ? ox_db_one(tx, statement, read_hold, out, found, err) : code;
}

enum ox_code ox_registry_hold_put(struct ox_tx *tx, const struct ox_hold_row *row,
                                  struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO holds (id, since, reason) VALUES (1, $1, $2)"
                     " ON CONFLICT (id) DO UPDATE SET since = excluded.since,"
                     " reason = excluded.reason",
                     "is", row->since_ms, row->reason);
}

enum ox_code ox_registry_hold_release(struct ox_tx *tx, int64_t now_ms, struct ox_err *err)
{
    enum ox_code code;

    if ((code = ox_db_run(tx, err, "DELETE FROM holds", "")) != OX_OK ||
        (code = ox_db_run(tx, err,
                          "UPDATE campaigns SET stage_opened_at = $1,"
                          " last_success_at = CASE WHEN last_success_at IS NULL THEN NULL ELSE $1 "
                          "END WHERE state IN " OX_CAMPAIGN_ACTIVE,
                          "i", now_ms)) != OX_OK) {
        return code;
    }
    return ox_db_run(tx, err,
                     "UPDATE campaign_devices SET updated_at = $1,"
                     " offered_at = CASE WHEN offered_at IS NULL THEN NULL ELSE $1 END"
                     " WHERE state IN " OX_CAMPAIGN_OPEN " AND released = 1",
                     "i", now_ms);
}

/* What fleets are to run, and which versions a device is not given any more. */
#include "db.h"

enum ox_code ox_registry_desired_put(struct ox_tx *tx, const char *fleet_id, const char *model_id,
                                     const char *campaign_id, int64_t now_ms, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO fleet_desired (fleet_id, model_id, campaign_id, set_at)"
                     " SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM fleets WHERE id = $1)"
                     " ON CONFLICT (fleet_id, model_id) DO UPDATE SET"
                     " campaign_id = excluded.campaign_id, set_at = excluded.set_at, halted = NULL",
                     "sssi", fleet_id, model_id, campaign_id, now_ms);
}

enum ox_code ox_registry_desired_halt(struct ox_tx *tx, const char *campaign_id, const char *why,
                                      struct ox_err *err)
{
    return ox_db_run(tx, err, "UPDATE fleet_desired SET halted = $1 WHERE campaign_id = $2", "ss",
                     why, campaign_id);
}

/* What the fleet is to run behind a revert: the version that it goes to, where the devices go to
 * one; else, if what is undone was it, what it was before that. */
#define EARLIER                                                                                    \
    "SELECT c.id FROM campaigns c JOIN artifacts a ON a.id = c.artifact_id"                        \
    " WHERE c.fleet_id = $1 AND a.model_id = $2 AND c.kind = 'rollout' AND c.state = 'complete'"   \
    " AND a.removed_at IS NULL AND CASE WHEN EXISTS (SELECT 1 FROM campaign_devices d"             \
    "  WHERE d.campaign_id = $3 AND d.artifact_id = $4 AND d.removes = 0) THEN a.version = $5"     \
    " ELSE a.version <> $5 AND (c.created_at, c.rowid) < (SELECT p.created_at, p.rowid FROM "      \
    "fleet_desired f"                                                                              \
    "  JOIN campaigns p ON p.id = f.campaign_id WHERE f.fleet_id = $1 AND f.model_id = $2) END"    \
    " ORDER BY c.created_at DESC, c.rowid DESC LIMIT 1"
#define IS_CONCERNED                                                                               \
    "SELECT f.campaign_id FROM fleet_desired f JOIN campaigns p ON p.id = f.campaign_id"           \
    " JOIN artifacts a ON a.id = p.artifact_id WHERE f.fleet_id = $1 AND f.model_id = $2"          \
    " AND (EXISTS (SELECT 1 FROM campaign_devices d"                                               \
    "  WHERE d.campaign_id = $3 AND d.artifact_id = $4 AND d.removes = 0) OR a.version = $5)"

static enum ox_code find_campaign(struct ox_tx *tx, const char *sql,
                                  const struct ox_campaign_row *revert, const char **out,
                                  struct ox_err *err)
{
    *out = NULL;
    return ox_db_get(tx, ox_db_read_text, (void *)out, err, sql, "sssis", revert->fleet_id,
                     revert->model_id, revert->id, revert->artifact_id, revert->version);
}

enum ox_code ox_registry_desired_revert(struct ox_tx *tx, const struct ox_campaign_row *revert,
                                        int64_t now_ms, struct ox_err *err)
{
    const char *is = NULL;
    const char *was = NULL;
    enum ox_code code = find_campaign(tx, IS_CONCERNED, revert, &is, err);

    if (code == OX_OK) {
        code = find_campaign(tx, EARLIER, revert, &was, err);
    }
    if (code != OX_OK || is == NULL) {
        return code;
    }
    return was == NULL
               ? ox_db_run(tx, err,
                           "DELETE FROM fleet_desired WHERE fleet_id = $1 AND model_id = $2", "ss",
                           revert->fleet_id, revert->model_id)
               : ox_registry_desired_put(tx, revert->fleet_id, revert->model_id, was, now_ms, err);
}

static void read_desired(struct ox_db_row *row, void *out)
{
    struct ox_desired_row *desired = out;

    desired->fleet_id = ox_db_text(row);
    desired->model_id = ox_db_text(row);
    desired->campaign_id = ox_db_text(row);
    desired->set_ms = ox_db_i64(row);
    desired->halted = ox_db_text(row);
    desired->by_filter = ox_db_i64(row) != 0;
}

static enum ox_code all_desired(struct ox_tx *tx, sqlite3_stmt *statement,
                                struct ox_desired_row **rows, size_t *count, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_db_all(tx, statement, read_desired, sizeof(**rows), &all, count, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

#define COLUMNS "f.fleet_id, f.model_id, f.campaign_id, f.set_at, f.halted"

enum ox_code ox_registry_desired_of_device(struct ox_tx *tx, const char *device_id,
                                           struct ox_desired_row **rows, size_t *count,
                                           struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " COLUMNS ", 0 FROM fleet_devices d"
                    " JOIN fleet_desired f ON f.fleet_id = d.fleet_id WHERE d.device_id = $1"
                    " UNION ALL SELECT " COLUMNS ", 1 FROM fleets g"
                    " JOIN fleet_desired f ON f.fleet_id = g.id WHERE g.filter IS NOT NULL"
                    " ORDER BY 4, 1",
                    "s", device_id);

    return code == OX_OK ? all_desired(tx, statement, rows, count, err) : code;
}

enum ox_code ox_registry_desired_of_fleet(struct ox_tx *tx, const char *fleet_id,
                                          struct ox_desired_row **rows, size_t *count,
                                          struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS ", g.filter IS NOT NULL FROM fleet_desired f"
                                    " JOIN fleets g ON g.id = f.fleet_id WHERE f.fleet_id = $1"
                                    " ORDER BY f.model_id",
                                    "s", fleet_id);

    return code == OX_OK ? all_desired(tx, statement, rows, count, err) : code;
}

enum ox_code ox_registry_desired_by_filter(struct ox_tx *tx, struct ox_desired_row **rows,
                                           size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS ", 1 FROM fleets g"
                                    " JOIN fleet_desired f ON f.fleet_id = g.id"
                                    " WHERE g.filter IS NOT NULL AND f.halted IS NULL"
                                    " ORDER BY f.set_at DESC, f.fleet_id",
                                    "");

    return code == OX_OK ? all_desired(tx, statement, rows, count, err) : code;
}

static void read_nothing(struct ox_db_row *row, void *out)
{
    (void)row;
    (void)out;
}

enum ox_code ox_registry_desired_is(struct ox_tx *tx, const char *campaign_id, bool *out,
                                    struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT 1 FROM fleet_desired WHERE campaign_id = $1 AND halted IS NULL LIMIT 1",
                    "s", campaign_id);

    return code == OX_OK ? ox_db_one(tx, statement, read_nothing, NULL, out, err) : code;
}

enum ox_code ox_registry_desired_halted(struct ox_tx *tx, const char *campaign_id, const char **out,
                                        struct ox_err *err)
{
    *out = NULL;
    return ox_db_get(
        tx, ox_db_read_text, out, err,
        "SELECT halted FROM fleet_desired WHERE campaign_id = $1 AND halted IS NOT NULL LIMIT 1",
        "s", campaign_id);
}

/* --- quarantine --- */

enum ox_code ox_registry_quarantine_count(struct ox_tx *tx, const struct ox_quarantine_row *row,
                                          uint64_t *failures, struct ox_err *err)
{
    return ox_db_get(
        tx, ox_db_read_u64, failures, err,
        "INSERT INTO quarantines (device_id, digest, model_id, version, failures, class,"
        " updated_at) VALUES ($1, $2, $3, $4, 1, $5, $6) ON CONFLICT (device_id, digest)"
        " DO UPDATE SET failures = failures + 1, class = excluded.class,"
        " updated_at = excluded.updated_at RETURNING failures",
        "sdsssi", row->device_id, &row->digest, row->model_id, row->version, row->class,
        row->updated_ms);
}

enum ox_code ox_registry_quarantined(struct ox_tx *tx, const char *device_id,
                                     const struct ox_digest *digest, bool *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT 1 FROM quarantines WHERE device_id = $1 AND digest = $2"
                                    " AND failures >= $3",
                                    "sdi", device_id, digest, (int64_t)OX_QUARANTINE_FAILURES);

    return code == OX_OK ? ox_db_one(tx, statement, read_nothing, NULL, out, err) : code;
}

static void read_quarantine(struct ox_db_row *row, void *out)
{
    struct ox_quarantine_row *quarantine = out;

    quarantine->device_id = ox_db_text(row);
    (void)ox_db_digest(row, &quarantine->digest);
    quarantine->model_id = ox_db_text(row);
    quarantine->version = ox_db_text(row);
    quarantine->failures = ox_db_u64(row);
    quarantine->class = ox_db_text(row);
    quarantine->updated_ms = ox_db_i64(row);
}

enum ox_code ox_registry_quarantines(struct ox_tx *tx, const char *device_id,
                                     struct ox_quarantine_row **rows, size_t *count,
                                     struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT device_id, digest, model_id, version, failures, class, updated_at"
                    " FROM quarantines WHERE failures >= $1 AND ($2 IS NULL OR device_id = $2)"
                    " ORDER BY device_id, model_id, version",
                    "is", (int64_t)OX_QUARANTINE_FAILURES, device_id);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_quarantine, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_quarantine_free(struct ox_tx *tx, const char *device_id,
                                         const char *model_id, uint64_t *count, struct ox_err *err)
{
    enum ox_code code = ox_db_run(tx, err,
                                  "DELETE FROM quarantines WHERE device_id = $1"
                                  " AND ($2 IS NULL OR model_id = $2)",
                                  "ss", device_id, model_id);

    if (code == OX_OK) {
        *count = (uint64_t)ox_db_changes(tx);
    }
    return code;
}

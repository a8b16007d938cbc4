#include "db.h"

#define COLUMNS                                                                                    \
    "c.id, c.artifact_id, a.model_id, a.version, a.digest, a.size_bytes, c.fleet_id, c.strategy,"  \
    " c.state, c.reason, c.created_at, c.prepared_at, c.stage, c.stage_opened_at,"                 \
    " c.failures_accepted, c.unnamed_bytes"
#define FROM " FROM campaigns c JOIN artifacts a ON a.id = c.artifact_id"
#define OPEN "('pending', 'downloading', 'applying', 'verifying')"
#define ACTIVE "('pending', 'rolling_out', 'paused')"

static void read_campaign(struct ox_db_row *row, void *out)
{
    struct ox_campaign_row *campaign = out;

    campaign->id = ox_db_text(row);
    campaign->artifact_id = ox_db_i64(row);
    campaign->model_id = ox_db_text(row);
    campaign->version = ox_db_text(row);
    (void)ox_db_digest(row, &campaign->digest);
    campaign->size_bytes = ox_db_u64(row);
    campaign->fleet_id = ox_db_text(row);
    campaign->strategy = ox_db_text(row);
    campaign->state = ox_db_text(row);
    campaign->reason = ox_db_text(row);
    campaign->created_ms = ox_db_i64(row);
    campaign->prepared_ms = ox_db_i64(row);
    campaign->stage = ox_db_u64(row);
    campaign->stage_opened_ms = ox_db_i64(row);
    campaign->failures_accepted = ox_db_u64(row);
    campaign->unnamed_bytes = ox_db_u64(row);
}

static enum ox_code one(struct ox_tx *tx, sqlite3_stmt *statement, struct ox_campaign_row *out,
                        bool *found, struct ox_err *err)
{
    struct ox_campaign_row row = {0};
    enum ox_code code = ox_db_one(tx, statement, read_campaign, &row, found, err);

    if (code == OX_OK && *found) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_campaign_add(struct ox_tx *tx, const struct ox_campaign_row *row,
                                      struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO campaigns (id, artifact_id, fleet_id, strategy, state,"
                     " created_at, stage, stage_opened_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                     "sisssiui", row->id, row->artifact_id, row->fleet_id, row->strategy,
                     row->state, row->created_ms, row->stage, row->stage_opened_ms);
}

enum ox_code ox_registry_campaign_get(struct ox_tx *tx, const char *id, struct ox_campaign_row *out,
                                      struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err, "SELECT " COLUMNS FROM " WHERE c.id = $1", "s", id);

    if (code == OX_OK) {
        code = one(tx, statement, out, &found, err);
    }
    return code == OX_OK && !found ? ox_err_set(err, OX_ENOTFOUND, "there is no campaign %s", id)
                                   : code;
}

enum ox_code ox_registry_campaigns(struct ox_tx *tx, bool active, struct ox_campaign_row **rows,
                                   size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        active ? ox_db_query(tx, &statement, err,
                             "SELECT " COLUMNS FROM " WHERE c.state IN " ACTIVE
                             " ORDER BY c.created_at, c.id",
                             "")
               : ox_db_query(tx, &statement, err,
                             "SELECT " COLUMNS FROM " ORDER BY c.created_at, c.id", "");

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_campaign, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_campaign_update(struct ox_tx *tx, const struct ox_campaign_row *row,
                                         struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE campaigns SET state = $1, reason = $2, prepared_at = nullif($3, 0),"
                     " stage = $4, stage_opened_at = $5, failures_accepted = $6 WHERE id = $7",
                     "ssiuius", row->state, row->reason, row->prepared_ms, row->stage,
                     row->stage_opened_ms, row->failures_accepted, row->id);
}

/* --- devices in them --- */

#define DEVICE_COLUMNS                                                                             \
    "d.campaign_id, d.device_id, d.place, d.state, d.error, d.strategy, d.bytes_full,"             \
    " d.bytes_received, d.bytes_served, d.updated_at"

static void read_device(struct ox_db_row *row, void *out)
{
    struct ox_campaign_device_row *device = out;

    device->campaign_id = ox_db_text(row);
    device->device_id = ox_db_text(row);
    device->place = ox_db_u64(row);
    device->state = ox_db_text(row);
    device->error = ox_db_text(row);
    device->strategy = ox_db_text(row);
    device->bytes_full = ox_db_u64(row);
    device->bytes_received = ox_db_u64(row);
    device->bytes_served = ox_db_u64(row);
    device->updated_ms = ox_db_i64(row);
}

enum ox_code ox_registry_campaign_device_add(struct ox_tx *tx,
                                             const struct ox_campaign_device_row *row,
                                             struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO campaign_devices (campaign_id, device_id, place, state, error,"
                     " strategy, bytes_full, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                     "ssusssui", row->campaign_id, row->device_id, row->place, row->state,
                     row->error, row->strategy, row->bytes_full, row->updated_ms);
}

enum ox_code ox_registry_campaign_device_get(struct ox_tx *tx, const char *campaign_id,
                                             const char *device_id,
                                             struct ox_campaign_device_row *out, struct ox_err *err)
{
    struct ox_campaign_device_row row = {0};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " DEVICE_COLUMNS " FROM campaign_devices d"
                                    " WHERE d.campaign_id = $1 AND d.device_id = $2",
                                    "ss", campaign_id, device_id);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_device, &row, &found, err);
    }
    if (code == OX_OK && !found) {
        return ox_err_set(err, OX_ENOTFOUND, "device %s is not in campaign %s", device_id,
                          campaign_id);
    }
    if (code == OX_OK) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_campaign_device_update(struct ox_tx *tx,
                                                const struct ox_campaign_device_row *row,
                                                struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE campaign_devices SET state = $1, error = $2, strategy = $3,"
                     " bytes_received = $4, updated_at = $5"
                     " WHERE campaign_id = $6 AND device_id = $7",
                     "sssuiss", row->state, row->error, row->strategy, row->bytes_received,
                     row->updated_ms, row->campaign_id, row->device_id);
}

static enum ox_code all_devices(struct ox_tx *tx, sqlite3_stmt *statement,
                                struct ox_campaign_device_row **rows, size_t *count,
                                struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_db_all(tx, statement, read_device, sizeof(**rows), &all, count, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_campaign_devices(struct ox_tx *tx, const char *campaign_id,
                                          struct ox_campaign_device_row **rows, size_t *count,
                                          struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " DEVICE_COLUMNS " FROM campaign_devices d"
                                    " WHERE d.campaign_id = $1 ORDER BY d.place",
                                    "s", campaign_id);

    return code == OX_OK ? all_devices(tx, statement, rows, count, err) : code;
}

enum ox_code ox_registry_device_open(struct ox_tx *tx, const char *device_id,
                                     struct ox_campaign_device_row **rows, size_t *count,
                                     struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " DEVICE_COLUMNS " FROM campaign_devices d"
                    " JOIN campaigns c ON c.id = d.campaign_id"
                    " WHERE d.device_id = $1 AND d.state IN " OPEN " ORDER BY c.created_at, c.id",
                    "s", device_id);

    return code == OX_OK ? all_devices(tx, statement, rows, count, err) : code;
}

enum ox_code ox_registry_device_completed(struct ox_tx *tx, const char *device_id,
                                          struct ox_campaign_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " COLUMNS FROM " JOIN campaign_devices d ON d.campaign_id = c.id"
                    " WHERE d.device_id = $1 AND d.state = 'complete'"
                    " ORDER BY c.created_at DESC, c.id DESC LIMIT 1",
                    "s", device_id);

    if (code == OX_OK) {
        code = one(tx, statement, out, &found, err);
    }
    return code == OX_OK && !found
               ? ox_err_set(err, OX_ENOTFOUND, "device %s has completed no campaign", device_id)
               : code;
}

static void read_counts(struct ox_db_row *row, void *out)
{
    struct ox_campaign_counts *counts = out;

    counts->total = ox_db_u64(row);
    counts->pending = ox_db_u64(row);
    counts->complete = ox_db_u64(row);
    counts->failed = ox_db_u64(row);
    counts->skipped = ox_db_u64(row);
    counts->released_ended = ox_db_u64(row);
    counts->released_failed = ox_db_u64(row);
    counts->in_progress =
        counts->total - counts->pending - counts->complete - counts->failed - counts->skipped;
}

enum ox_code ox_registry_campaign_counts(struct ox_tx *tx, const char *campaign_id,
                                         uint64_t released, struct ox_campaign_counts *out,
                                         struct ox_err *err)
{
    struct ox_campaign_counts counts = {0};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT count(*),"
                    " sum(CASE WHEN state = 'pending' THEN 1 ELSE 0 END),"
                    " sum(CASE WHEN state = 'complete' THEN 1 ELSE 0 END),"
                    " sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END),"
                    " sum(CASE WHEN state = 'skipped' THEN 1 ELSE 0 END),"
                    " sum(CASE WHEN place < $1 AND state NOT IN " OPEN " THEN 1 ELSE 0 END),"
                    " sum(CASE WHEN place < $1 AND state = 'failed' THEN 1 ELSE 0 END)"
                    " FROM campaign_devices WHERE campaign_id = $2",
                    "us", released, campaign_id);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_counts, &counts, &found, err);
    }
    if (code == OX_OK) {
        *out = counts;
    }
    return code;
}

/* --- bytes --- */

static void read_id(struct ox_db_row *row, void *out)
{
    *(const char **)out = ox_db_text(row);
}

enum ox_code ox_registry_campaign_of_blob(struct ox_tx *tx, const char *device_id,
                                          const struct ox_digest *blob, const char **out,
                                          struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(
        tx, &statement, err,
        "SELECT c.id" FROM " JOIN campaign_devices d ON d.campaign_id = c.id"
        " WHERE d.device_id = $1 AND (EXISTS (SELECT 1 FROM artifact_files f"
        " WHERE f.artifact_id = a.id AND f.sha256 = $2) OR EXISTS (SELECT 1 FROM delta_jobs j"
        " WHERE j.target_digest = a.digest AND j.patch_sha256 = $2))"
        " ORDER BY CASE WHEN d.state IN " OPEN " THEN 0 ELSE 1 END, c.created_at DESC LIMIT 1",
        "sd", device_id, blob);

    *out = NULL;
    return code == OX_OK ? ox_db_one(tx, statement, read_id, (void *)out, &found, err) : code;
}

enum ox_code ox_registry_campaign_of_version(struct ox_tx *tx, int64_t artifact_id,
                                             const char **out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT id FROM campaigns WHERE artifact_id = $1 AND state IN " ACTIVE
                    " ORDER BY created_at DESC LIMIT 1",
                    "i", artifact_id);

    *out = NULL;
    return code == OX_OK ? ox_db_one(tx, statement, read_id, (void *)out, &found, err) : code;
}

enum ox_code ox_registry_served(struct ox_tx *tx, const char *campaign_id, const char *device_id,
                                uint64_t bytes, struct ox_err *err)
{
    return device_id[0] == '\0'
               ? ox_db_run(tx, err,
                           "UPDATE campaigns SET unnamed_bytes = unnamed_bytes + $1 WHERE id = $2",
                           "us", bytes, campaign_id)
               : ox_db_run(tx, err,
                           "UPDATE campaign_devices SET bytes_served = bytes_served + $1"
                           " WHERE campaign_id = $2 AND device_id = $3",
                           "uss", bytes, campaign_id, device_id);
}

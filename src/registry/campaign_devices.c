#include "campaigns.h"

#include "page.h"

#define COLUMNS                                                                                    \
    "d.campaign_id, d.device_id, d.place, d.artifact_id, d.from_version, d.from_digest, d.state,"  \
    " d.class, d.released, d.deferred, d.accepted, d.late, d.fallback, d.released_at,"             \
    " d.offered_at, d.error, d.strategy, d.bytes_full, d.bytes_received, d.bytes_served,"          \
    " d.updated_at, d.offered_bytes, d.removes, d.failed_at, d.duration_ms, d.stages_ms, "         \
    "d.sources"

static void read_device(struct ox_db_row *row, void *out)
{
    struct ox_campaign_device_row *device = out;

    device->campaign_id = ox_db_text(row);
    device->device_id = ox_db_text(row);
    device->place = ox_db_u64(row);
    device->artifact_id = ox_db_i64(row);
    device->from_version = ox_db_text(row);
    device->has_from = ox_db_digest(row, &device->from_digest);
    device->state = ox_db_text(row);
    device->class = ox_db_text(row);
    device->released = ox_db_i64(row) != 0;
    device->deferred = ox_db_i64(row) != 0;
    device->accepted = ox_db_i64(row) != 0;
    device->late = ox_db_i64(row) != 0;
    device->fallback = ox_db_i64(row) != 0;
    device->released_ms = ox_db_i64(row);
    device->offered_ms = ox_db_i64(row);
    device->error = ox_db_text(row);
    device->strategy = ox_db_text(row);
    device->bytes_full = ox_db_u64(row);
    device->bytes_received = ox_db_u64(row);
    device->bytes_served = ox_db_u64(row);
    device->updated_ms = ox_db_i64(row);
    device->offered_bytes = ox_db_u64(row);
    device->removes = ox_db_i64(row) != 0;
    device->failed_at = ox_db_text(row);
    device->duration_ms = ox_db_u64(row);
    device->stages_ms = ox_db_text(row);
    device->sources = ox_db_text(row);
}

enum ox_code ox_registry_campaign_device_add(struct ox_tx *tx,
                                             const struct ox_campaign_device_row *row,
                                             struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO campaign_devices (campaign_id, device_id, place, artifact_id,"
                     " from_version, from_digest, state, class, released, late, released_at, error,"
                     " strategy, bytes_full, updated_at) VALUES ($1, $2, $3, nullif($4, 0), $5, $6,"
                     " $7, $8, $9, $10, nullif($11, 0), $12, $13, $14, $15)",
                     "ssuisdssiiissui", row->campaign_id, row->device_id, row->place,
                     row->artifact_id, row->from_version, row->has_from ? &row->from_digest : NULL,
                     row->state, row->class, (int64_t)row->released, (int64_t)row->late,
                     row->released_ms, row->error, row->strategy, row->bytes_full, row->updated_ms);
}

static enum ox_code one(struct ox_tx *tx, sqlite3_stmt *statement,
                        struct ox_campaign_device_row *out, bool *found, struct ox_err *err)
{
    struct ox_campaign_device_row row = {0};
    enum ox_code code = ox_db_one(tx, statement, read_device, &row, found, err);

    if (code == OX_OK && *found) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_campaign_device_get(struct ox_tx *tx, const char *campaign_id,
                                             const char *device_id,
                                             struct ox_campaign_device_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM campaign_devices d"
                                    " WHERE d.campaign_id = $1 AND d.device_id = $2",
                                    "ss", campaign_id, device_id);

    if (code == OX_OK) {
        code = one(tx, statement, out, &found, err);
    }
    return code == OX_OK && !found
               ? ox_err_set(err, OX_ENOTFOUND, "device %s is not in campaign %s", device_id,
                            campaign_id)
               : code;
}

enum ox_code ox_registry_campaign_device_update(struct ox_tx *tx,
                                                const struct ox_campaign_device_row *row,
                                                struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE campaign_devices SET artifact_id = nullif($1, 0), state = $2,"
                     " class = $3, released = $4, deferred = $5, accepted = $6, late = $7,"
                     " fallback = $8, released_at = nullif($9, 0), offered_at = nullif($10, 0),"
                     " error = $11, strategy = $12, bytes_received = $13, updated_at = $14,"
                     " offered_bytes = $15, failed_at = $16, duration_ms = $17, stages_ms = $18,"
                     " sources = $19 WHERE campaign_id = $20 AND device_id = $21",
                     "issiiiiiiissuiusussss", row->artifact_id, row->state, row->class,
                     (int64_t)row->released, (int64_t)row->deferred, (int64_t)row->accepted,
                     (int64_t)row->late, (int64_t)row->fallback, row->released_ms, row->offered_ms,
                     row->error, row->strategy, row->bytes_received, row->updated_ms,
                     row->offered_bytes, row->failed_at, row->duration_ms, row->stages_ms,
                     row->sources, row->campaign_id, row->device_id);
}

static enum ox_code all(struct ox_tx *tx, sqlite3_stmt *statement,
                        struct ox_campaign_device_row **rows, size_t *count, struct ox_err *err)
{
    void *list = NULL;
    enum ox_code code = ox_db_all(tx, statement, read_device, sizeof(**rows), &list, count, err);

    if (code == OX_OK) {
        *rows = list;
    }
    return code;
}

enum ox_code ox_registry_campaign_devices(struct ox_tx *tx, const char *campaign_id,
                                          struct ox_campaign_device_row **rows, size_t *count,
                                          struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM campaign_devices d"
                                    " WHERE d.campaign_id = $1 ORDER BY d.place, d.device_id",
                                    "s", campaign_id);

    return code == OX_OK ? all(tx, statement, rows, count, err) : code;
}

enum ox_code ox_registry_campaign_stale(struct ox_tx *tx, const char *campaign_id,
                                        const char *state, int64_t before_ms, uint64_t limit,
                                        struct ox_campaign_device_row **rows, size_t *count,
                                        struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " COLUMNS " FROM campaign_devices d"
                    " WHERE d.campaign_id = $1 AND d.state = $2 AND d.updated_at < $3"
                    " AND d.released = 1 AND d.deferred = 0 LIMIT $4",
                    "ssiu", campaign_id, state, before_ms, limit);

    return code == OX_OK ? all(tx, statement, rows, count, err) : code;
}

enum ox_code ox_registry_device_open(struct ox_tx *tx, const char *device_id,
                                     struct ox_campaign_device_row **rows, size_t *count,
                                     struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM campaign_devices d"
                                    " JOIN campaigns c ON c.id = d.campaign_id"
                                    " WHERE d.device_id = $1 AND d.state IN " OX_CAMPAIGN_OPEN
                                    " ORDER BY c.created_at, c.id",
                                    "s", device_id);

    return code == OX_OK ? all(tx, statement, rows, count, err) : code;
}

enum ox_code ox_registry_device_is_open(struct ox_tx *tx, const char *device_id, bool *out,
                                        struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT 1 FROM campaign_devices"
                    " WHERE device_id = $1 AND state IN " OX_CAMPAIGN_OPEN " LIMIT 1",
                    "s", device_id);

    if (code == OX_OK && (code = ox_db_step(tx, statement, out, err)) == OX_OK) {
        (void)sqlite3_reset(statement);
    }
    return code;
}

enum ox_code ox_registry_device_newest(struct ox_tx *tx, const char *device_id,
                                       const char *model_id, struct ox_campaign_device_row *out,
                                       struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM campaign_devices d"
                                    " JOIN campaigns c ON c.id = d.campaign_id"
                                    " JOIN artifacts a ON a.id = c.artifact_id"
                                    " WHERE d.device_id = $1 AND a.model_id = $2"
                                    " ORDER BY c.created_at DESC, c.rowid DESC LIMIT 1",
                                    "ss", device_id, model_id);

    if (code == OX_OK) {
        code = one(tx, statement, out, &found, err);
    }
    return code == OX_OK && !found
               ? ox_err_set(err, OX_ENOTFOUND, "device %s is in no campaign of model %s", device_id,
                            model_id)
               : code;
}

enum ox_code ox_registry_device_completed(struct ox_tx *tx, const char *device_id,
                                          struct ox_campaign_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " OX_CAMPAIGN_COLUMNS " FROM campaign_devices d"
                                    " JOIN campaigns c ON c.id = d.campaign_id"
                                    " JOIN artifacts a ON a.id = d.artifact_id"
                                    " WHERE d.device_id = $1 AND d.state = 'complete'"
                                    " AND d.removes = 0 AND NOT EXISTS (SELECT 1"
                                    " FROM campaign_devices r JOIN artifacts g"
                                    " ON g.id = r.artifact_id JOIN campaigns k"
                                    " ON k.id = r.campaign_id WHERE r.device_id = d.device_id"
                                    " AND r.removes = 1 AND r.state NOT IN ('failed', 'skipped')"
                                    " AND g.model_id = a.model_id"
                                    " AND (k.created_at, k.rowid) > (c.created_at, c.rowid))"
                                    " ORDER BY c.created_at DESC, c.rowid DESC LIMIT 1",
                                    "s", device_id);

    if (code == OX_OK) {
        code = ox_campaign_one(tx, statement, out, &found, err);
    }
    return code == OX_OK && !found
               ? ox_err_set(err, OX_ENOTFOUND, "device %s has completed no campaign", device_id)
               : code;
}

/* --- many at a time --- */

enum ox_code ox_registry_campaign_release(struct ox_tx *tx, const char *campaign_id,
                                          uint64_t places, int64_t now_ms, uint64_t *count,
                                          struct ox_err *err)
{
    enum ox_code code = ox_db_run(tx, err,
                                  "UPDATE campaign_devices SET released = 1, released_at = $1,"
                                  " updated_at = $1"
                                  " WHERE campaign_id = $2 AND place < $3 AND released = 0",
                                  "isu", now_ms, campaign_id, places);

    if (code == OX_OK) {
        *count = (uint64_t)ox_db_changes(tx);
    }
    return code;
}

enum ox_code ox_registry_campaign_withdraw(struct ox_tx *tx, const char *campaign_id,
                                           const char *why, int64_t now_ms, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE campaign_devices SET state = 'skipped', error = $1, updated_at = $2,"
                     " deferred = 0 WHERE campaign_id = $3 AND state = 'pending'",
                     "sis", why, now_ms, campaign_id);
}

enum ox_code ox_registry_campaign_accept(struct ox_tx *tx, const char *campaign_id,
                                         struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE campaign_devices SET accepted = 1"
                     " WHERE campaign_id = $1 AND accepted = 0"
                     " AND (state = 'failed' OR class = 'fallback')",
                     "s", campaign_id);
}

enum ox_code ox_registry_campaign_retry(struct ox_tx *tx, const char *campaign_id,
                                        const char *device_id, int64_t now_ms, uint64_t *count,
                                        struct ox_err *err)
{
    enum ox_code code =
        ox_db_run(tx, err,
                  "UPDATE campaign_devices SET state = 'pending', class = '', accepted = 0,"
                  " deferred = 0, offered_at = NULL, error = NULL, updated_at = $1"
                  " WHERE campaign_id = $2 AND state = 'failed'"
                  " AND ($3 IS NULL OR device_id = $3) AND NOT EXISTS (SELECT 1 FROM quarantines q"
                  "  JOIN artifacts t ON t.digest = q.digest"
                  "  WHERE q.device_id = campaign_devices.device_id"
                  "  AND t.id = campaign_devices.artifact_id AND q.failures >= $4)",
                  "issi", now_ms, campaign_id, device_id, (int64_t)OX_QUARANTINE_FAILURES);

    if (code == OX_OK) {
        *count = (uint64_t)ox_db_changes(tx);
    }
    return code;
}

enum ox_code ox_registry_campaign_offers_since(struct ox_tx *tx, const char *campaign_id,
                                               int64_t since_ms, uint64_t *out, struct ox_err *err)
{
    return ox_db_get(tx, ox_db_read_u64, out, err,
                     "SELECT count(*) FROM campaign_devices"
                     " WHERE campaign_id = $1 AND offered_at >= $2",
                     "si", campaign_id, since_ms);
}

enum ox_code ox_registry_campaign_promised(struct ox_tx *tx, const char *campaign_id, uint64_t *out,
                                           struct ox_err *err)
{
    return ox_db_get(
        tx, ox_db_read_u64, out, err,
        "SELECT coalesce(sum(offered_bytes), 0) FROM campaign_devices"
        " WHERE campaign_id = $1 AND offered_at IS NOT NULL AND state IN " OX_CAMPAIGN_OPEN,
        "s", campaign_id);
}

enum ox_code ox_registry_campaign_fallbacks(struct ox_tx *tx, const char *campaign_id,
                                            uint64_t *out, struct ox_err *err)
{
    return ox_db_get(
        tx, ox_db_read_u64, out, err,
        "SELECT count(*) FROM campaign_devices WHERE campaign_id = $1 AND fallback = 1", "s",
        campaign_id);
}

struct sums {
    uint64_t cost;
    uint64_t saved;
};

static void read_sums(struct ox_db_row *row, void *out)
{
    struct sums *sums = out;

    sums->cost = ox_db_u64(row);
    sums->saved = ox_db_u64(row);
}

enum ox_code ox_registry_campaign_sums(struct ox_tx *tx, const char *campaign_id, uint64_t *cost,
                                       uint64_t *saved, struct ox_err *err)
{
    struct sums sums = {0, 0}; /* of one that nothing has moved in yet */
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT cost, saved FROM campaign_sums WHERE campaign_id = $1",
                                    "s", campaign_id);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_sums, &sums, &found, err);
    }
    if (code == OX_OK) {
        *cost = sums.cost;
        *saved = sums.saved;
    }
    return code;
}

/* --- pages --- */

static const struct ox_list_sort campaign_device_sorts[] = {
    {"place", "d.place", false},
    {"id", "d.device_id", true},
    {"state", "d.state", true},
    {"updated", "d.updated_at", false},
    {0},
};
static const struct ox_list_filter campaign_device_filters[] = {
    {.name = "campaign", .sql = "d.campaign_id = ?"},
    {.name = "state", .sql = "d.state = ?", .is_rare = true},
    {.name = "class", .sql = "d.state = 'failed' AND d.class = ?", .is_rare = true},
    {0},
};
static const struct ox_list campaign_device_list = {
    .name = "campaign devices",
    .columns = COLUMNS,
    .from = "campaign_devices d",
    .key = "d.device_id",
    .key_is_text = true,
    .sorts = campaign_device_sorts,
    .filters = campaign_device_filters,
    .read = read_device,
    .row_bytes = sizeof(struct ox_campaign_device_row),
};

enum ox_code ox_registry_campaign_device_page(struct ox_tx *tx, const struct ox_page *page,
                                              struct ox_campaign_device_row **rows, size_t *count,
                                              const char **next, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_list_page(tx, &campaign_device_list, page, &all, count, next, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

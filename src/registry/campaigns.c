#include "campaigns.h"

#include "page.h"

static void read_campaign(struct ox_db_row *row, void *out)
{
    struct ox_campaign_row *campaign = out;

    campaign->id = ox_db_text(row);
    campaign->kind = ox_db_text(row);
    campaign->artifact_id = ox_db_i64(row);
    campaign->model_id = ox_db_text(row);
    campaign->version = ox_db_text(row);
    (void)ox_db_digest(row, &campaign->digest);
    campaign->size_bytes = ox_db_u64(row);
    campaign->of_campaign = ox_db_text(row);
    campaign->fleet_id = ox_db_text(row);
    campaign->strategy = ox_db_text(row);
    campaign->policy = ox_db_text(row);
    campaign->state = ox_db_text(row);
    campaign->reason = ox_db_text(row);
    campaign->created_ms = ox_db_i64(row);
    campaign->prepared_ms = ox_db_i64(row);
    campaign->ended_ms = ox_db_i64(row);
    campaign->total = ox_db_u64(row);
    campaign->stage = ox_db_u64(row);
    campaign->stage_opened_ms = ox_db_i64(row);
    campaign->approved_stage = ox_db_u64(row);
    campaign->last_success_ms = ox_db_i64(row);
    campaign->unnamed_bytes = ox_db_u64(row);
    campaign->bytes_served = ox_db_u64(row);
    campaign->staged = ox_db_u64(row);
}

enum ox_code ox_campaign_one(struct ox_tx *tx, sqlite3_stmt *statement, struct ox_campaign_row *out,
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
                     "INSERT INTO campaigns (id, kind, artifact_id, of_campaign, fleet_id,"
                     " strategy, policy, state, created_at, stage, stage_opened_at)"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                     "ssisssssiui", row->id, row->kind, row->artifact_id, row->of_campaign,
                     row->fleet_id, row->strategy, row->policy, row->state, row->created_ms,
                     row->stage, row->stage_opened_ms);
}

enum ox_code ox_registry_campaign_get(struct ox_tx *tx, const char *id, struct ox_campaign_row *out,
                                      struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " OX_CAMPAIGN_COLUMNS OX_CAMPAIGN_FROM " WHERE c.id = $1", "s", id);

    if (code == OX_OK) {
        code = ox_campaign_one(tx, statement, out, &found, err);
    }
    return code == OX_OK && !found ? ox_err_set(err, OX_ENOTFOUND, "there is no campaign %s", id)
                                   : code;
}

enum ox_code ox_registry_campaigns(struct ox_tx *tx, bool active, struct ox_campaign_row **rows,
                                   size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code = active ? ox_db_query(tx, &statement, err,
                                             "SELECT " OX_CAMPAIGN_COLUMNS OX_CAMPAIGN_FROM
                                             " WHERE c.state IN " OX_CAMPAIGN_ACTIVE
                                             " OR EXISTS (SELECT 1 FROM campaign_tallies t"
                                             " WHERE t.campaign_id = c.id AND t.devices > 0"
                                             " AND t.state IN " OX_CAMPAIGN_BEGUN
                                             ") ORDER BY c.created_at, c.rowid",
                                             "")
                               : ox_db_query(tx, &statement, err,
                                             "SELECT " OX_CAMPAIGN_COLUMNS OX_CAMPAIGN_FROM
                                             " ORDER BY c.created_at, c.rowid",
                                             "");

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
    return ox_db_run(
        tx, err,
        "UPDATE campaigns SET state = $1, reason = $2, prepared_at = nullif($3, 0),"
        " ended_at = nullif($4, 0), total = $5, stage = $6, stage_opened_at = $7,"
        " approved_stage = $8, last_success_at = nullif($9, 0), staged = $10 WHERE id = $11",
        "ssiiuuiuius", row->state, row->reason, row->prepared_ms, row->ended_ms, row->total,
        row->stage, row->stage_opened_ms, row->approved_stage, row->last_success_ms, row->staged,
        row->id);
}

enum ox_code ox_registry_campaign_revert_of(struct ox_tx *tx, const char *id,
                                            struct ox_campaign_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " OX_CAMPAIGN_COLUMNS OX_CAMPAIGN_FROM
                    " WHERE c.of_campaign = $1 ORDER BY c.created_at DESC, c.rowid DESC LIMIT 1",
                    "s", id);

    if (code == OX_OK) {
        code = ox_campaign_one(tx, statement, out, &found, err);
    }
    return code == OX_OK && !found
               ? ox_err_set(err, OX_ENOTFOUND, "campaign %s was not reverted", id)
               : code;
}

/* --- counts --- */

static void read_tally(struct ox_db_row *row, void *out)
{
    struct ox_tally_row *tally = out;

    tally->state = ox_db_text(row);
    tally->class = ox_db_text(row);
    tally->released = ox_db_i64(row) != 0;
    tally->deferred = ox_db_i64(row) != 0;
    tally->accepted = ox_db_i64(row) != 0;
    tally->offered = ox_db_i64(row) != 0;
    tally->devices = ox_db_u64(row);
}

enum ox_code ox_registry_campaign_tally(struct ox_tx *tx, const char *campaign_id,
                                        struct ox_tally_row **rows, size_t *count,
                                        struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT state, class, released, deferred, accepted, offered, devices"
                    " FROM campaign_tallies WHERE campaign_id = $1 AND devices > 0",
                    "s", campaign_id);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_tally, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

/* --- bytes --- */

enum ox_code ox_registry_campaign_of_blob(struct ox_tx *tx, const char *device_id,
                                          const struct ox_digest *blob, const char **out,
                                          struct ox_err *err)
{
    *out = NULL;
    return ox_db_get(
        tx, ox_db_read_text, (void *)out, err,
        "SELECT c.id FROM campaign_devices d JOIN campaigns c ON c.id = d.campaign_id"
        " JOIN artifacts t ON t.id = d.artifact_id"
        " WHERE d.device_id = $1 AND (EXISTS (SELECT 1 FROM artifact_files f"
        " WHERE f.artifact_id = t.id AND f.sha256 = $2)"
        " OR EXISTS (SELECT 1 FROM delta_jobs j JOIN artifacts u ON u.digest = j.target_digest"
        " WHERE j.patch_sha256 = $2 AND u.model_id = t.model_id))"
        " ORDER BY CASE WHEN d.state IN " OX_CAMPAIGN_OPEN
        " THEN 0 ELSE 1 END, c.created_at DESC LIMIT 1",
        "sd", device_id, blob);
}

enum ox_code ox_registry_campaign_of_version(struct ox_tx *tx, int64_t artifact_id,
                                             const char **out, struct ox_err *err)
{
    *out = NULL;
    return ox_db_get(tx, ox_db_read_text, (void *)out, err,
                     "SELECT c.id FROM artifacts v JOIN artifacts a ON a.model_id = v.model_id"
                     " AND a.version = v.version JOIN campaigns c ON c.artifact_id = a.id"
                     " WHERE v.id = $1 AND c.state IN " OX_CAMPAIGN_ACTIVE
                     " ORDER BY c.created_at DESC LIMIT 1",
                     "i", artifact_id);
}

enum ox_code ox_registry_served(struct ox_tx *tx, const char *campaign_id, const char *device_id,
                                uint64_t bytes, struct ox_err *err)
{
    enum ox_code code;

    if (device_id[0] == '\0') {
        return ox_db_run(tx, err,
                         "UPDATE campaigns SET unnamed_bytes = unnamed_bytes + $1 WHERE id = $2",
                         "us", bytes, campaign_id);
    }
    code = ox_db_run(tx, err,
                     "UPDATE campaign_devices SET bytes_served = bytes_served + $1"
                     " WHERE campaign_id = $2 AND device_id = $3",
                     "uss", bytes, campaign_id, device_id);
    return code != OX_OK || ox_db_changes(tx) == 0
               ? code
               : ox_db_run(tx, err,
                           "UPDATE campaigns SET bytes_served = bytes_served + $1 WHERE id = $2",
                           "us", bytes, campaign_id);
}

/* --- pages --- */

static const struct ox_list_sort campaign_sorts[] = {
    {"created", "c.created_at", false},
    {"id", "c.id", true},
    {"model", "a.model_id", true},
    {"state", "c.state", true},
    {0},
};
static const struct ox_list_filter campaign_filters[] = {
    {.name = "state", .sql = "c.state = ?"},
    {.name = "model", .sql = "a.model_id = ?"},
    {.name = "fleet", .sql = "c.fleet_id = ?"},
    {.name = "device",
     .sql = "EXISTS (SELECT 1 FROM campaign_devices d WHERE d.campaign_id = c.id AND d.device_id = "
            "?)"},
    {0},
};
static const struct ox_list campaign_list = {
    .name = "campaigns",
    .columns = OX_CAMPAIGN_COLUMNS,
    .from = "campaigns c JOIN artifacts a ON a.id = c.artifact_id",
    .key = "c.id",
    .key_is_text = true,
    .sorts = campaign_sorts,
    .filters = campaign_filters,
    .read = read_campaign,
    .row_bytes = sizeof(struct ox_campaign_row),
};

enum ox_code ox_registry_campaign_page(struct ox_tx *tx, const struct ox_page *page,
                                       struct ox_campaign_row **rows, size_t *count,
                                       const char **next, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_list_page(tx, &campaign_list, page, &all, count, next, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

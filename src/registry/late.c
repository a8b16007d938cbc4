/* Devices that come to be in a fleet when its campaign is under way, or over. */
#include "campaigns.h"
#include "select.h"

/* The places behind all that are taken; "@" is the campaign. */
#define NEXT_PLACES                                                                                \
    "(SELECT coalesce(max(o.place) + 1, 0) FROM campaign_devices o WHERE o.campaign_id = @)"       \
    " + row_number() OVER (ORDER BY d.id) - 1"

/* Behind "... FROM devices d WHERE <selected>": "@" are the campaign, the model, when the campaign
 * began, and the campaign again. */
#define IS_LATE                                                                                    \
    " AND NOT EXISTS (SELECT 1 FROM campaign_devices e WHERE e.campaign_id = @"                    \
    " AND e.device_id = d.id)"                                                                     \
    " AND NOT EXISTS (SELECT 1 FROM campaign_devices e JOIN campaigns c ON c.id = e.campaign_id"   \
    " JOIN artifacts a ON a.id = c.artifact_id WHERE e.device_id = d.id AND a.model_id = @"        \
    " AND (c.created_at > @ OR e.state IN " OX_CAMPAIGN_OPEN "))"

enum ox_code ox_registry_late_count(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                    const struct ox_selection *selection, uint64_t *count,
                                    struct ox_err *err)
{
    const struct ox_db_value late[] = {{.type = OX_DB_TEXT, .text = campaign->id},
                                       {.type = OX_DB_TEXT, .text = campaign->model_id},
                                       {.type = OX_DB_INT, .number = campaign->created_ms}};

    return ox_select_one(tx, selection, "SELECT count(*) FROM devices d", NULL, IS_LATE, late,
                         ox_db_read_u64, count, err);
}

enum ox_code ox_registry_late_entered(struct ox_tx *tx, const char *campaign_id, uint64_t *count,
                                      struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    uint64_t late = 0;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT count(*) FROM campaign_devices WHERE campaign_id = $1 AND late = 1",
                    "s", campaign_id);

    if (code == OX_OK &&
        (code = ox_db_one(tx, statement, ox_db_read_u64, &late, &found, err)) == OX_OK) {
        *count = late;
    }
    return code;
}

enum ox_code ox_registry_late_enter(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                    const struct ox_selection *selection, bool for_first,
                                    int64_t now_ms, struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];
    const struct ox_db_value digest = {.type = OX_DB_TEXT,
                                       .text = ox_digest_hex(&campaign->digest, hex)};
    const struct ox_db_value id = {.type = OX_DB_TEXT, .text = campaign->id};
    const struct ox_db_value model = {.type = OX_DB_TEXT, .text = campaign->model_id};
    const struct ox_db_value now = {.type = OX_DB_INT, .number = now_ms};
    const struct ox_db_value over = {.type = OX_DB_INT, .number = campaign->ended_ms != 0};
    const struct ox_db_value row[] = {
        id,
        id,
        {.type = OX_DB_INT, .number = campaign->artifact_id},
        digest,
        digest,
        digest,
        digest,
        {.type = OX_DB_INT, .number = (int64_t)campaign->size_bytes},
        over,
        over,
        over,
        now,
        now,
        model,
        digest,
        {.type = OX_DB_INT, .number = OX_QUARANTINE_FAILURES},
        model,
    };
    const struct ox_db_value late[] = {
        id, model, {.type = OX_DB_INT, .number = campaign->created_ms}};

    return ox_select_run(
        tx, selection,
        "INSERT INTO campaign_devices (campaign_id, device_id, place, artifact_id, from_version,"
        " from_digest, state, error, strategy, bytes_full, released, late, released_at, updated_at)"
        " SELECT @, d.id, " NEXT_PLACES ", @, r.version, r.digest,"
        " CASE WHEN r.digest = @ THEN 'complete' WHEN p.device_id IS NOT NULL OR"
        "  q.digest IS NOT NULL THEN 'skipped'"
        "  ELSE 'pending' END,"
        " CASE WHEN r.digest = @ THEN NULL"
        "  WHEN p.device_id IS NOT NULL THEN 'pinned' || coalesce(': ' || p.reason, '')"
        "  WHEN q.digest IS NOT NULL THEN 'quarantined: this version failed here before' END,"
        " CASE WHEN r.digest = @ THEN 'none' END, CASE WHEN r.digest = @ THEN 0 ELSE @ END,"
        " @, @, CASE WHEN @ THEN @ END, @ FROM devices d"
        " LEFT JOIN device_models r ON r.device_id = d.id AND r.model_id = @"
        " LEFT JOIN quarantines q ON q.device_id = d.id AND q.digest = @ AND q.failures >= @"
        " LEFT JOIN device_pins p ON p.device_id = d.id AND p.model_id = (SELECT min(s.model_id)"
        "  FROM device_pins s WHERE s.device_id = d.id AND s.model_id IN ('', @))",
        row, for_first ? IS_LATE : OX_NOT_FIRST_GENERATION IS_LATE, late, err);
}

enum ox_code ox_registry_late_skip(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                   const struct ox_selection *selection, const char *why,
                                   int64_t now_ms, struct ox_err *err)
{
    const struct ox_db_value id = {.type = OX_DB_TEXT, .text = campaign->id};
    const struct ox_db_value model = {.type = OX_DB_TEXT, .text = campaign->model_id};
    const struct ox_db_value row[] = {
        id,
        id,
        {.type = OX_DB_TEXT, .text = why},
        {.type = OX_DB_INT, .number = campaign->ended_ms != 0},
        {.type = OX_DB_INT, .number = now_ms},
        model,
    };
    const struct ox_db_value late[] = {
        id, model, {.type = OX_DB_INT, .number = campaign->created_ms}};

    return ox_select_run(
        tx, selection,
        "INSERT INTO campaign_devices (campaign_id, device_id, place, from_version, from_digest,"
        " state, error, bytes_full, released, late, updated_at)"
        " SELECT @, d.id, " NEXT_PLACES ", r.version, r.digest, 'skipped', @, 0, 1, @, @"
        " FROM devices d"
        " LEFT JOIN device_models r ON r.device_id = d.id AND r.model_id = @",
        row, IS_LATE, late, err);
}

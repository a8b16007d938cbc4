/* Filling a campaign: its members are gathered in a table of the connection's own, and enter as a
 * set, so that a hundred thousand devices take a second or two. */
#include "campaigns.h"
#include "select.h"

#include <string.h>

#define CAN_REMOVE "remove/1" /* among what an agent says that it reads: wire/reads.h */

enum ox_code ox_registry_members_begin(struct ox_tx *tx, struct ox_err *err)
{
    enum ox_code code =
        ox_db_run(tx, err,
                  "CREATE TEMP TABLE IF NOT EXISTS campaign_members ("
                  " device_id TEXT PRIMARY KEY NOT NULL, artifact_id INTEGER, why_not TEXT,"
                  " removes INTEGER)",
                  "");

    return code == OX_OK ? ox_db_run(tx, err, "DELETE FROM campaign_members", "") : code;
}

enum ox_code ox_registry_member_add(struct ox_tx *tx, const char *device_id, struct ox_err *err)
{
    struct ox_device_row device;
    enum ox_code code = ox_registry_device_get(tx, device_id, &device, err);

    return code == OX_OK ? ox_db_run(tx, err,
                                     "INSERT INTO campaign_members (device_id) VALUES ($1)"
                                     " ON CONFLICT DO NOTHING",
                                     "s", device_id)
                         : code;
}

enum ox_code ox_registry_members_select(struct ox_tx *tx, const struct ox_selection *selection,
                                        struct ox_err *err)
{
    return ox_select_run(tx, selection,
                         "INSERT INTO campaign_members (device_id) SELECT d.id FROM devices d",
                         NULL, " ON CONFLICT DO NOTHING", NULL, err);
}

enum ox_code ox_registry_members_of_campaign(struct ox_tx *tx, const char *campaign_id,
                                             struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO campaign_members (device_id) SELECT d.device_id"
                     " FROM campaign_devices d JOIN devices e ON e.id = d.device_id"
                     " WHERE d.campaign_id = $1 AND (d.state IN " OX_CAMPAIGN_BEGUN
                     " OR (d.state = 'pending' AND d.offered_at IS NOT NULL)"
                     " OR (d.state = 'complete' AND d.bytes_full > 0)"
                     " OR (d.state = 'failed' AND d.class IN ('silent', 'rollback')))"
                     " ON CONFLICT DO NOTHING",
                     "s", campaign_id);
}

enum ox_code ox_registry_members_count(struct ox_tx *tx, uint64_t *out, struct ox_err *err)
{
    return ox_db_get(tx, ox_db_read_u64, out, err, "SELECT count(*) FROM campaign_members", "");
}

enum ox_code ox_registry_members_last_update(struct ox_tx *tx, const char *model_id, int64_t *out,
                                             struct ox_err *err)
{
    *out = 0;
    return ox_db_get(
        tx, ox_db_read_i64, out, err,
        "SELECT c.artifact_id FROM campaigns c JOIN artifacts a ON a.id = c.artifact_id"
        " WHERE a.model_id = $1 AND c.kind = 'rollout'"
        " AND EXISTS (SELECT 1 FROM campaign_devices d WHERE d.campaign_id = c.id"
        "  AND d.state = 'complete' AND d.bytes_full > 0"
        "  AND d.device_id IN (SELECT device_id FROM campaign_members))"
        " ORDER BY c.created_at DESC, c.rowid DESC LIMIT 1",
        "s", model_id);
}

/* --- rivals --- */

static void read_rival(struct ox_db_row *row, void *out)
{
    struct ox_rival_row *rival = out;

    rival->campaign_id = ox_db_text(row);
    rival->devices = ox_db_u64(row);
}

enum ox_code ox_registry_members_rivals(struct ox_tx *tx, const char *campaign_id,
                                        const char *model_id, struct ox_rival_row **rows,
                                        size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT c.id, count(*) FROM campaigns c"
                    " JOIN artifacts a ON a.id = c.artifact_id"
                    " JOIN campaign_devices d ON d.campaign_id = c.id"
                    " WHERE a.model_id = $1 AND c.id <> $2 AND d.state IN " OX_CAMPAIGN_OPEN
                    " AND d.device_id IN (SELECT device_id FROM campaign_members)"
                    " GROUP BY c.id ORDER BY c.created_at, c.id",
                    "ss", model_id, campaign_id);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_rival, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

/* --- entering --- */

static void sql_rank(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    union { /* a pointer to a function is none to an object */
        void *object;
        ox_rank_fn *rank;
    } of = {sqlite3_user_data(context)};
    const char *campaign_id = (const char *)sqlite3_value_text(argv[0]);
    const char *device_id = argc == 2 ? (const char *)sqlite3_value_text(argv[1]) : NULL;

    if (campaign_id == NULL || device_id == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    /* SQLite orders by signed numbers: the flipped sign bit keeps the order of unsigned ones. */
    sqlite3_result_int64(context,
                         (sqlite3_int64)(of.rank(campaign_id, device_id) ^ (uint64_t)1 << 63));
}

static enum ox_code teach_rank(struct ox_tx *tx, ox_rank_fn *rank, struct ox_err *err)
{
    union {
        ox_rank_fn *rank;
        void *object;
    } of = {rank};

    return sqlite3_create_function_v2(tx->connection->db, "ox_rank", 2,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC, of.object, sql_rank, NULL,
                                      NULL, NULL) == SQLITE_OK
               ? OX_OK
               : ox_db_error(tx->connection->db, "teaching it to rank devices", err);
}

/* What each member ran when it entered the campaign that is undone; or else when it entered the
 * one that gave it what it runs now. Who ran nothing gives up what it got, if its agent can and
 * nothing else is active there meanwhile. */
static enum ox_code target_previous(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                    struct ox_err *err)
{
    enum ox_code code = ox_db_run(
        tx, err,
        "UPDATE campaign_members SET (artifact_id, removes, why_not) = (SELECT"
        " CASE WHEN d.from_version IS NULL THEN d.artifact_id"
        "  ELSE (SELECT b.id FROM artifacts b WHERE b.model_id = $1 AND b.digest = d.from_digest"
        "   AND b.removed_at IS NULL ORDER BY b.id LIMIT 1) END,"
        " d.from_version IS NULL,"
        " CASE WHEN d.from_version IS NULL AND NOT EXISTS (SELECT 1 FROM devices e"
        "  WHERE e.id = d.device_id AND e.protocol > 0"
        "  AND instr(coalesce(e.reads, ''), '" CAN_REMOVE "') > 0)"
        " THEN 'it ran nothing of this model before, and its agent cannot remove it'"
        " WHEN d.from_version IS NULL THEN (SELECT 'it ran nothing of this model before, and runs"
        " version ' || m.version || ' now' FROM device_models m WHERE m.device_id = d.device_id"
        "  AND m.model_id = $1 AND m.digest IS NOT t.digest)"
        " WHEN NOT EXISTS (SELECT 1 FROM artifacts b WHERE b.model_id = $1"
        "  AND b.digest = d.from_digest AND b.removed_at IS NULL)"
        " THEN 'what it ran before, version ' || d.from_version || ', is not held here' END"
        " FROM campaign_devices d JOIN campaigns c ON c.id = d.campaign_id"
        " JOIN artifacts t ON t.id = d.artifact_id"
        " WHERE d.device_id = campaign_members.device_id AND t.model_id = $1"
        " AND d.bytes_full > 0 AND (d.campaign_id = $2 OR ($2 IS NULL AND d.state = 'complete'"
        "  AND c.kind = 'rollout' AND t.version = $3"
        "  AND t.digest = (SELECT m.digest FROM device_models m"
        "   WHERE m.device_id = d.device_id AND m.model_id = $1)))"
        " ORDER BY c.created_at DESC, c.rowid DESC LIMIT 1)",
        "sss", campaign->model_id, campaign->of_campaign, campaign->version);

    return code == OX_OK ? ox_db_run(tx, err,
                                     "UPDATE campaign_members SET why_not = CASE WHEN $1 IS NULL"
                                     " THEN 'it does not run version ' || $2 || ' by a campaign'"
                                     " ELSE 'what it ran before is not known here' END"
                                     " WHERE artifact_id IS NULL AND why_not IS NULL",
                                     "ss", campaign->of_campaign, campaign->version)
                         : code;
}

enum ox_code ox_registry_members_target(struct ox_tx *tx, int64_t artifact_id,
                                        const struct ox_selection *selection, bool for_first,
                                        struct ox_err *err)
{
    const struct ox_db_value artifact = {.type = OX_DB_INT, .number = artifact_id};

    return ox_select_run(tx, selection,
                         "UPDATE campaign_members SET artifact_id = @ WHERE artifact_id IS NULL"
                         " AND device_id IN (SELECT d.id FROM devices d",
                         &artifact, for_first ? ")" : OX_NOT_FIRST_GENERATION ")", NULL, err);
}

enum ox_code ox_registry_members_without(struct ox_tx *tx, const char *why, struct ox_err *err)
{
    return ox_db_run(tx, err, "UPDATE campaign_members SET why_not = $1 WHERE artifact_id IS NULL",
                     "s", why);
}

static enum ox_code set_targets(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                                enum ox_member_target target, struct ox_err *err)
{
    return target == OX_TARGET_PREVIOUS ? target_previous(tx, campaign, err)
           : target == OX_TARGET_GIVEN
               ? OX_OK
               : ox_db_run(tx, err, "UPDATE campaign_members SET artifact_id = $1", "i",
                           campaign->artifact_id);
}

static enum ox_code pass_by_pinned(struct ox_tx *tx, const char *model_id, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE campaign_members SET why_not = (SELECT 'pinned' ||"
                     " coalesce(': ' || p.reason, '') FROM device_pins p WHERE p.device_id ="
                     " campaign_members.device_id AND p.model_id IN ('', $1)"
                     " ORDER BY p.model_id LIMIT 1) WHERE device_id IN"
                     " (SELECT device_id FROM device_pins WHERE model_id IN ('', $1))",
                     "s", model_id);
}

static enum ox_code enter(struct ox_tx *tx, const struct ox_campaign_row *campaign,
                          struct ox_err *err)
{
    return ox_db_run(
        tx, err,
        "INSERT INTO campaign_devices (campaign_id, device_id, place, artifact_id, from_version,"
        " from_digest, state, error, strategy, bytes_full, released, updated_at, removes)"
        " SELECT $1, m.device_id, row_number() OVER (ORDER BY m.runs OR m.why_not IS NOT NULL"
        "  OR q.digest IS NOT NULL, ox_rank($1, m.device_id), m.device_id) - 1,"
        " m.artifact_id, r.version, r.digest,"
        " CASE WHEN m.runs THEN 'complete' WHEN m.why_not IS NOT NULL OR q.digest IS NOT NULL"
        "  THEN 'skipped' ELSE 'pending' END,"
        " CASE WHEN m.runs THEN NULL WHEN m.why_not IS NOT NULL THEN m.why_not"
        "  WHEN q.digest IS NOT NULL THEN 'quarantined: version ' || q.version || ' failed '"
        "   || q.failures || ' times here' END,"
        " CASE WHEN m.runs THEN 'none' END,"
        " CASE WHEN m.runs OR m.removes THEN 0 ELSE coalesce(m.size_bytes, 0) END, 0, $2,"
        " m.removes"
        " FROM (SELECT n.device_id, n.artifact_id, n.why_not, t.digest, t.size_bytes,"
        "  coalesce(n.removes, 0) AS removes,"
        "  CASE WHEN n.removes THEN n.why_not IS NULL AND NOT EXISTS (SELECT 1"
        "   FROM device_models s WHERE s.device_id = n.device_id AND s.model_id = $3)"
        "  ELSE EXISTS (SELECT 1 FROM device_models s WHERE s.device_id = n.device_id"
        "   AND s.model_id = $3 AND s.digest = t.digest) END"
        "  AND NOT EXISTS (SELECT 1 FROM campaign_devices o JOIN artifacts u"
        "   ON u.id = o.artifact_id WHERE o.device_id = n.device_id AND u.model_id = $3"
        "   AND (o.state IN " OX_CAMPAIGN_BEGUN
        "    OR (o.state = 'pending' AND o.offered_at IS NOT NULL))) AS runs"
        "  FROM campaign_members n LEFT JOIN artifacts t ON t.id = n.artifact_id) m"
        " LEFT JOIN device_models r ON r.device_id = m.device_id AND r.model_id = $3"
        " LEFT JOIN quarantines q ON q.device_id = m.device_id AND q.digest = m.digest"
        "  AND q.failures >= $4 AND NOT m.removes",
        "sisi", campaign->id, campaign->created_ms, campaign->model_id,
        (int64_t)OX_QUARANTINE_FAILURES);
}

static enum ox_code count_staged(struct ox_tx *tx, struct ox_campaign_row *campaign,
                                 struct ox_err *err)
{
    return ox_db_get(tx, ox_db_read_u64, &campaign->staged, err,
                     "SELECT coalesce(sum(devices), 0) FROM campaign_tallies"
                     " WHERE campaign_id = $1 AND state = 'pending'",
                     "s", campaign->id);
}

enum ox_code ox_registry_members_enter(struct ox_tx *tx, struct ox_campaign_row *campaign,
                                       enum ox_member_target target, ox_rank_fn *rank,
                                       struct ox_err *err)
{
    enum ox_code code;

    if ((code = teach_rank(tx, rank, err)) != OX_OK ||
        (code = ox_registry_members_count(tx, &campaign->total, err)) != OX_OK ||
        (code = set_targets(tx, campaign, target, err)) != OX_OK ||
        (code = pass_by_pinned(tx, campaign->model_id, err)) != OX_OK ||
        (code = enter(tx, campaign, err)) != OX_OK ||
        (code = count_staged(tx, campaign, err)) != OX_OK) {
        return code;
    }
    return ox_db_run(tx, err,
                     "UPDATE campaign_devices SET state = 'skipped', deferred = 0,"
                     " error = 'superseded by campaign ' || $1, updated_at = $2"
                     " WHERE state IN " OX_CAMPAIGN_OPEN " AND campaign_id <> $1"
                     " AND device_id IN (SELECT device_id FROM campaign_members)"
                     " AND campaign_id IN (SELECT c.id FROM campaigns c"
                     "  JOIN artifacts a ON a.id = c.artifact_id WHERE a.model_id = $3)",
                     "sis", campaign->id, campaign->created_ms, campaign->model_id);
}

/* --- plans --- */

static void read_plan(struct ox_db_row *row, void *out)
{
    struct ox_plan_row *plan = out;

    plan->from_version = ox_db_text(row);
    plan->has_base = ox_db_digest(row, &plan->base);
    plan->held = ox_db_i64(row) != 0;
    plan->to_version = ox_db_text(row);
    plan->to_variant = ox_db_text(row);
    (void)ox_db_digest(row, &plan->target);
    plan->target_bytes = ox_db_u64(row);
    plan->protocol = ox_db_u64(row);
    plan->reads = ox_db_text(row);
    plan->devices = ox_db_u64(row);
    plan->in_conflict = ox_db_u64(row);
}

enum ox_code ox_registry_campaign_plan(struct ox_tx *tx, const char *campaign_id,
                                       struct ox_plan_row **rows, size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code = ox_db_query(
        tx, &statement, err,
        "SELECT m.version, m.digest, coalesce(m.digest IN (SELECT digest FROM artifacts), 0),"
        " t.version, t.variant, t.digest, t.size_bytes, e.protocol, e.reads, count(*),"
        " count(e.conflict_since)"
        " FROM campaign_devices d JOIN artifacts t ON t.id = d.artifact_id"
        " JOIN devices e ON e.id = d.device_id"
        " LEFT JOIN device_models m ON m.device_id = d.device_id AND m.model_id = t.model_id"
        " WHERE d.campaign_id = $1 AND d.state = 'pending'"
        " GROUP BY m.version, m.digest, t.id, e.protocol, e.reads ORDER BY count(*) DESC, "
        "m.version",
        "s", campaign_id);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_plan, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

static void read_skip(struct ox_db_row *row, void *out)
{
    struct ox_skip_row *skip = out;

    skip->why = ox_db_text(row);
    skip->devices = ox_db_u64(row);
    skip->device_id = ox_db_text(row);
}

enum ox_code ox_registry_campaign_skips(struct ox_tx *tx, const char *campaign_id, uint64_t limit,
                                        struct ox_skip_row **rows, size_t *count,
                                        struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT coalesce(error, ''), count(*), min(device_id) FROM campaign_devices"
                    " WHERE campaign_id = $1 AND state = 'skipped'"
                    " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $2",
                    "su", campaign_id, limit);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_skip, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

static void read_zone(struct ox_db_row *row, void *out)
{
    struct ox_zone_row *zone = out;

    zone->known = ox_db_i64(row) != 0;
    zone->utc_offset_s = ox_db_i64(row);
    zone->devices = ox_db_u64(row);
}

enum ox_code ox_registry_campaign_zones(struct ox_tx *tx, const char *campaign_id,
                                        struct ox_zone_row **rows, size_t *count,
                                        struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    /* All zones of today are whole quarters; what devices make up else makes no more groups. */
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT utc_offset_s IS NOT NULL, coalesce(utc_offset_s / 900 * 900, 0),"
                    " count(*) FROM campaign_devices d JOIN devices e ON e.id = d.device_id"
                    " WHERE d.campaign_id = $1 AND d.state = 'pending'"
                    " GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
                    "s", campaign_id);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_zone, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

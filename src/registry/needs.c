#include "db.h"

#include "campaigns.h"

#include "oxide/registry/need.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NEEDS_MAX 8
#define DEVICES_TOLD_MAX 1000 /* more are not counted */

/* How many, up to a limit, and one of them. */
struct tally {
    uint64_t count;
    const char *one;
};

static void read_tally(struct ox_db_row *row, void *out)
{
    struct tally *tally = out;

    tally->count = ox_db_u64(row);
    tally->one = ox_db_text(row);
}

typedef enum ox_code query_fn(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                              int64_t seen_since_ms, sqlite3_stmt **out, struct ox_err *err);

static enum ox_code devices(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                            int64_t seen_since_ms, sqlite3_stmt **out, struct ox_err *err)
{
    return ox_db_query(tx, out, err,
                       "SELECT count(*), min(id) FROM (SELECT d.id FROM device_models m"
                       " JOIN devices d ON d.id = m.device_id WHERE m.digest = $1"
                       " AND m.model_id = $2 AND m.version = $3 AND d.last_heartbeat >= $4"
                       " LIMIT $5)",
                       "dssii", &artifact->digest, artifact->model_id, artifact->version,
                       seen_since_ms, (int64_t)DEVICES_TOLD_MAX);
}

/* A campaign is of a version: which variant a device of it gets may show only when it enters. */
static enum ox_code campaigns(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                              int64_t seen_since_ms, sqlite3_stmt **out, struct ox_err *err)
{
    (void)seen_since_ms;
    return ox_db_query(tx, out, err,
                       "SELECT count(*), min(c.id) FROM artifacts a"
                       " JOIN campaigns c ON c.artifact_id = a.id"
                       " WHERE a.model_id = $1 AND a.version = $2"
                       " AND c.state IN " OX_CAMPAIGN_ACTIVE,
                       "ss", artifact->model_id, artifact->version);
}

/* What a device has begun goes on whatever its campaign's state, and a revert sends each device to
 * what it ran. */
static enum ox_code targets(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                            int64_t seen_since_ms, sqlite3_stmt **out, struct ox_err *err)
{
    return ox_db_query(tx, out, err,
                       "SELECT count(*), min(id) FROM (SELECT d.campaign_id AS id"
                       " FROM campaign_devices d JOIN devices v ON v.id = d.device_id"
                       " WHERE d.artifact_id = $1 AND d.state IN " OX_CAMPAIGN_OPEN
                       " AND v.last_heartbeat >= $2 LIMIT 1)",
                       "ii", artifact->id, seen_since_ms);
}

/* What a device came from is where an abort or a revert sends it back. */
static enum ox_code origins(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                            int64_t seen_since_ms, sqlite3_stmt **out, struct ox_err *err)
{
    return ox_db_query(
        tx, out, err,
        "SELECT count(*), min(c.id) FROM (SELECT id FROM campaigns WHERE state IN"
        " " OX_CAMPAIGN_ACTIVE " UNION SELECT campaign_id FROM fleet_desired) c"
        " WHERE EXISTS (SELECT 1 FROM campaign_devices d JOIN devices v ON v.id = d.device_id"
        " WHERE d.campaign_id = c.id AND d.from_digest = $1 AND d.from_version = $2"
        " AND v.last_heartbeat >= $3)",
        "dsi", &artifact->digest, artifact->version, seen_since_ms);
}

static enum ox_code fleets(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                           int64_t seen_since_ms, sqlite3_stmt **out, struct ox_err *err)
{
    (void)seen_since_ms;
    return ox_db_query(tx, out, err,
                       "SELECT count(*), min(f.fleet_id) FROM artifacts a"
                       " JOIN campaigns c ON c.artifact_id = a.id"
                       " JOIN fleet_desired f ON f.campaign_id = c.id"
                       " WHERE a.model_id = $1 AND a.version = $2",
                       "ss", artifact->model_id, artifact->version);
}

static enum ox_code jobs(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                         int64_t seen_since_ms, sqlite3_stmt **out, struct ox_err *err)
{
    (void)seen_since_ms;
    return ox_db_query(tx, out, err,
                       "SELECT count(*), min(CAST(id AS TEXT)) FROM delta_jobs"
                       " WHERE state = 'running' AND (base_digest = $1 OR target_digest = $1)",
                       "d", &artifact->digest);
}

/* To add what needs a version: a row here with its query, which tells how many there are and names
 * one; a row in docs/rest.md. It is said as "BEFORE name AFTER", or "count MANY (name is one)". */
static const struct {
    query_fn *query;
    const char *before;
    const char *after;
    const char *many; /* NULL: as one */
} kinds[] = {
    {devices, "device", "runs it", "devices run it"},
    {campaigns, "campaign", "is under way for it", NULL},
    {targets, "campaign", "sends devices to it", NULL},
    {origins, "devices of campaign", "came from it and may be sent back", NULL},
    {fleets, "fleet", "is to run it", "fleets are to run it"},
    {jobs, "delta job", "reads it", NULL},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
_Static_assert(KINDS <= NEEDS_MAX, "room for all");

static enum ox_code tell(struct ox_tx *tx, size_t kind, const struct tally *tally,
                         struct ox_need *out, struct ox_err *err)
{
    bool many = tally->count > 1 && kinds[kind].many != NULL;
    const char *more = tally->count == DEVICES_TOLD_MAX ? " or more" : "";
    char text[512];
    void *copy = NULL;
    enum ox_code code;
    int len = many ? snprintf(text, sizeof(text), "%" PRIu64 "%s %s (%s is one)", tally->count,
                              more, kinds[kind].many, tally->one)
                   : snprintf(text, sizeof(text), "%s %s %s", kinds[kind].before, tally->one,
                              kinds[kind].after);

    len = len < (int)sizeof(text) ? len : (int)sizeof(text) - 1;
    code = ox_db_alloc(tx, (size_t)len + 1, &copy, err);
    if (code == OX_OK) {
        memcpy(copy, text, (size_t)len);
        out->text = copy;
    }
    return code;
}

enum ox_code ox_registry_needs(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                               int64_t seen_since_ms, struct ox_need **needs, size_t *count,
                               struct ox_err *err)
{
    void *list = NULL;
    size_t used = 0;
    enum ox_code code = ox_db_alloc(tx, NEEDS_MAX * sizeof(struct ox_need), &list, err);

    for (size_t i = 0; code == OX_OK && i < KINDS; i++) {
        struct tally tally = {0, NULL};
        sqlite3_stmt *statement = NULL;
        bool found = false;

        code = kinds[i].query(tx, artifact, seen_since_ms, &statement, err);
        if (code == OX_OK) {
            code = ox_db_one(tx, statement, read_tally, &tally, &found, err);
        }
        if (code == OX_OK && tally.count > 0) {
            code = tell(tx, i, &tally, (struct ox_need *)list + used, err);
            used += code == OX_OK;
        }
    }
    if (code == OX_OK) {
        *needs = list;
        *count = used;
    }
    return code;
}

enum ox_code ox_registry_blob_needed(struct ox_tx *tx, const struct ox_digest *blob, bool *out,
                                     struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    bool needed = true;
    bool found = false;
    enum ox_code code = ox_db_query(
        tx, &statement, err,
        "SELECT EXISTS (SELECT 1 FROM artifact_files WHERE sha256 = $1)"
        " OR EXISTS (SELECT 1 FROM delta_jobs WHERE patch_sha256 = $1 AND state = 'ready')",
        "d", blob);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, ox_db_read_bool, &needed, &found, err);
    }
    if (code == OX_OK) {
        *out = needed;
    }
    return code;
}

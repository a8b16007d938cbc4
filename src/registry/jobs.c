#include "db.h"

#include "page.h"

#define COLUMNS                                                                                    \
    "id, base_digest, target_digest, format, state, waiting, reason, patch_sha256, patch_bytes,"   \
    " ops, strategy, queued_at, ended_at, used_at"

static void read_job(struct ox_db_row *row, void *out)
{
    struct ox_job_row *job = out;

    job->id = ox_db_i64(row);
    (void)ox_db_digest(row, &job->base);
    (void)ox_db_digest(row, &job->target);
    job->format = ox_db_text(row);
    job->state = ox_db_text(row);
    job->waiting = ox_db_u64(row);
    job->reason = ox_db_text(row);
    (void)ox_db_digest(row, &job->patch);
    job->patch_bytes = ox_db_u64(row);
    job->ops = ox_db_u64(row);
    job->strategy = ox_db_text(row);
    job->queued_ms = ox_db_i64(row);
    job->ended_ms = ox_db_i64(row);
    job->used_ms = ox_db_i64(row);
}

static enum ox_code one(struct ox_tx *tx, sqlite3_stmt *statement, struct ox_job_row *out,
                        struct ox_err *err)
{
    struct ox_job_row row = {0};
    bool found = false;
    enum ox_code code = ox_db_one(tx, statement, read_job, &row, &found, err);

    if (code == OX_OK && !found) {
        return ox_err_set(err, OX_ENOTFOUND, "there is no such delta job");
    }
    if (code == OX_OK) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_job_queue(struct ox_tx *tx, const struct ox_digest *base,
                                   const struct ox_digest *target, const char *format,
                                   uint64_t waiting, int64_t now_ms, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO delta_jobs (base_digest, target_digest, format, state, waiting,"
                     " queued_at) VALUES ($1, $2, $3, 'queued', $4, $5)"
                     " ON CONFLICT (base_digest, target_digest, format)"
                     " DO UPDATE SET waiting = delta_jobs.waiting + excluded.waiting,"
                     " queued_at = CASE WHEN delta_jobs.state IN ('failed', 'evicted')"
                     " THEN excluded.queued_at ELSE delta_jobs.queued_at END,"
                     " state = CASE WHEN delta_jobs.state IN ('failed', 'evicted') THEN 'queued'"
                     " ELSE delta_jobs.state END",
                     "ddsui", base, target, format, waiting, now_ms);
}

enum ox_code ox_registry_job_get(struct ox_tx *tx, const struct ox_digest *base,
                                 const struct ox_digest *target, const char *format,
                                 struct ox_job_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " COLUMNS " FROM delta_jobs"
                    " WHERE base_digest = $1 AND target_digest = $2 AND format = $3",
                    "dds", base, target, format);

    return code == OX_OK ? one(tx, statement, out, err) : code;
}

enum ox_code ox_registry_job_by_id(struct ox_tx *tx, int64_t id, struct ox_job_row *out,
                                   struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM delta_jobs WHERE id = $1", "i", id);

    return code == OX_OK ? one(tx, statement, out, err) : code;
}

enum ox_code ox_registry_job_set_state(struct ox_tx *tx, int64_t id, const char *state,
                                       const char *reason, int64_t now_ms, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE delta_jobs SET state = $1, reason = $2,"
                     " queued_at = CASE WHEN $1 = 'queued' THEN $3 ELSE queued_at END,"
                     " ended_at = CASE WHEN $1 = 'queued' THEN NULL ELSE $3 END WHERE id = $4",
                     "ssii", state, reason, now_ms, id);
}

enum ox_code ox_registry_jobs_trim(struct ox_tx *tx, uint64_t max, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "DELETE FROM delta_jobs WHERE id IN (SELECT id FROM delta_jobs"
                     " WHERE state = 'queued' ORDER BY waiting DESC, id LIMIT -1 OFFSET $1)",
                     "u", max);
}

enum ox_code ox_registry_job_take(struct ox_tx *tx, struct ox_job_row *out, struct ox_err *err)
{
    struct ox_job_row row = {0};
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM delta_jobs WHERE state = 'queued'"
                                    " ORDER BY waiting DESC, id LIMIT 1",
                                    "");

    if (code == OX_OK) {
        code = one(tx, statement, &row, err);
    }
    if (code == OX_OK) {
        code = ox_db_run(tx, err, "UPDATE delta_jobs SET state = 'running' WHERE id = $1", "i",
                         row.id);
    }
    if (code == OX_OK) {
        *out = row;
        out->state = "running";
    }
    return code;
}

enum ox_code ox_registry_job_update(struct ox_tx *tx, const struct ox_job_row *row, int64_t now_ms,
                                    struct ox_err *err)
{
    bool has_patch = row->patch_bytes > 0;

    return ox_db_run(tx, err,
                     "UPDATE delta_jobs SET state = $1, reason = $2, patch_sha256 = $3,"
                     " patch_bytes = $4, ops = $5, strategy = $6, ended_at = $7"
                     " WHERE id = $8 AND state = 'running'",
                     "ssduusii", row->state, row->reason, has_patch ? &row->patch : NULL,
                     row->patch_bytes, row->ops, row->strategy, now_ms, row->id);
}

enum ox_code ox_registry_jobs_requeue(struct ox_tx *tx, struct ox_err *err)
{
    return ox_db_run(tx, err, "UPDATE delta_jobs SET state = 'queued' WHERE state = 'running'", "");
}

static void read_base(struct ox_db_row *row, void *out)
{
    struct ox_base_row *base = out;

    (void)ox_db_digest(row, &base->base);
    (void)ox_db_digest(row, &base->target);
    base->protocol = ox_db_u64(row);
    base->reads = ox_db_text(row);
    base->devices = ox_db_u64(row);
}

static enum ox_code all_bases(struct ox_tx *tx, sqlite3_stmt *statement, struct ox_base_row **rows,
                              size_t *count, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_db_all(tx, statement, read_base, sizeof(**rows), &all, count, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_bases_of_campaign(struct ox_tx *tx, const char *campaign_id,
                                           struct ox_base_row **rows, size_t *count,
                                           struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT m.digest, t.digest, d.protocol, d.reads, count(*)"
                    " FROM campaign_devices cd JOIN artifacts t ON t.id = cd.artifact_id"
                    " JOIN devices d ON d.id = cd.device_id"
                    " JOIN device_models m ON m.device_id = d.id AND m.model_id = t.model_id"
                    " WHERE cd.campaign_id = $1 AND cd.state IN"
                    " ('pending', 'downloading', 'applying', 'verifying')"
                    " AND m.digest <> t.digest AND m.digest IN (SELECT digest FROM artifacts WHERE "
                    "removed_at IS NULL)"
                    " GROUP BY m.digest, t.digest, d.protocol, d.reads",
                    "s", campaign_id);

    return code == OX_OK ? all_bases(tx, statement, rows, count, err) : code;
}

enum ox_code ox_registry_bases_of_model(struct ox_tx *tx, const struct ox_artifact_row *target,
                                        struct ox_base_row **rows, size_t *count,
                                        struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT m.digest, $1, d.protocol, d.reads, count(*)"
                    " FROM device_models m JOIN devices d ON d.id = m.device_id"
                    " WHERE m.model_id = $2 AND m.digest <> $1"
                    " AND m.digest IN (SELECT digest FROM artifacts WHERE model_id = $2"
                    "  AND variant = coalesce($3, '') AND removed_at IS NULL)"
                    " GROUP BY m.digest, d.protocol, d.reads",
                    "dss", &target->digest, target->model_id, target->variant);

    return code == OX_OK ? all_bases(tx, statement, rows, count, err) : code;
}

/* --- pages --- */

static const struct ox_list_sort job_sorts[] = {
    {"id", "id", false},
    {"waiting", "waiting", false},
    {"queued", "queued_at", false},
    {"size", "coalesce(patch_bytes, 0)", false},
    {0},
};
static const struct ox_list_filter job_filters[] = {
    {.name = "state", .sql = "state = ?"},
    {.name = "base", .sql = "base_digest = ?"},
    {.name = "target", .sql = "target_digest = ?"},
    {0},
};
static const struct ox_list job_list = {
    .name = "jobs",
    .columns = COLUMNS,
    .from = "delta_jobs",
    .key = "id",
    .sorts = job_sorts,
    .filters = job_filters,
    .read = read_job,
    .row_bytes = sizeof(struct ox_job_row),
};

enum ox_code ox_registry_job_page(struct ox_tx *tx, const struct ox_page *page,
                                  struct ox_job_row **rows, size_t *count, const char **next,
                                  struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_list_page(tx, &job_list, page, &all, count, next, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

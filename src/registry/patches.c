#include "db.h"

#include "oxide/registry/patch.h"

#define COLUMNS                                                                                    \
    "j.id, j.base_digest, j.target_digest, j.patch_sha256, j.patch_bytes, j.ops, j.format,"        \
    " j.strategy, coalesce(j.used_at, j.ended_at, 0)"
#define FROM " FROM delta_jobs j"

static void read_patch(struct ox_db_row *row, void *out)
{
    struct ox_patch_row *patch = out;

    patch->job_id = ox_db_i64(row);
    (void)ox_db_digest(row, &patch->base);
    (void)ox_db_digest(row, &patch->target);
    (void)ox_db_digest(row, &patch->patch);
    patch->patch_bytes = ox_db_u64(row);
    patch->ops = ox_db_u64(row);
    patch->format = ox_db_text(row);
    patch->strategy = ox_db_text(row);
    patch->used_ms = ox_db_i64(row);
}

static enum ox_code all_patches(struct ox_tx *tx, sqlite3_stmt *statement,
                                struct ox_patch_row **rows, size_t *count, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_db_all(tx, statement, read_patch, sizeof(**rows), &all, count, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_patch_bytes(struct ox_tx *tx, uint64_t *out, struct ox_err *err)
{
    return ox_db_get(tx, ox_db_read_u64, out, err,
                     "SELECT coalesce(sum(patch_bytes), 0)" FROM " WHERE j.state = 'ready'", "");
}

enum ox_code ox_registry_patches_idle(struct ox_tx *tx, uint64_t limit, struct ox_patch_row **rows,
                                      size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(
        tx, &statement, err,
        "SELECT " COLUMNS FROM " WHERE j.state = 'ready' AND NOT EXISTS"
        " (SELECT 1 FROM artifacts t JOIN artifacts c ON c.model_id = t.model_id"
        " AND c.version = t.version JOIN campaigns k ON k.artifact_id = c.id"
        " WHERE t.digest = j.target_digest AND k.state IN ('pending', 'rolling_out', 'paused'))"
        " ORDER BY coalesce(j.used_at, j.ended_at, 0), j.id LIMIT $1",
        "u", limit);

    return code == OX_OK ? all_patches(tx, statement, rows, count, err) : code;
}

enum ox_code ox_registry_patch_get(struct ox_tx *tx, int64_t job_id, struct ox_patch_row *out,
                                   struct ox_err *err)
{
    struct ox_patch_row row = {0};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " COLUMNS FROM " WHERE j.id = $1 AND j.state = 'ready'", "i", job_id);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_patch, &row, &found, err);
    }
    if (code == OX_OK && !found) {
        return ox_err_set(err, OX_ENOTFOUND, "there is no such patch");
    }
    if (code == OX_OK) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_patch_evict(struct ox_tx *tx, int64_t job_id, int64_t now_ms,
                                     struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE delta_jobs SET state = 'evicted', patch_sha256 = NULL, ended_at = $1"
                     " WHERE id = $2 AND state = 'ready'",
                     "ii", now_ms, job_id);
}

enum ox_code ox_registry_patch_used(struct ox_tx *tx, int64_t job_id, int64_t used_ms,
                                    struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE delta_jobs SET used_at = $1"
                     " WHERE id = $2 AND coalesce(used_at, 0) < $1",
                     "ii", used_ms, job_id);
}

enum ox_code ox_registry_patches_forget(struct ox_tx *tx, const struct ox_digest *digest,
                                        struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "DELETE FROM delta_jobs WHERE (base_digest = $1 OR target_digest = $1)"
                     " AND state <> 'running'",
                     "d", digest);
}

enum ox_code ox_registry_patches_between(struct ox_tx *tx, const char *model_id, uint64_t limit,
                                         struct ox_patch_row **rows, size_t *count,
                                         struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " COLUMNS FROM " WHERE j.state = 'ready' AND j.format = 'oxdl/2'"
                    " AND j.target_digest IN (SELECT digest FROM artifacts"
                    " WHERE model_id = $1 AND removed_at IS NULL)"
                    " AND j.base_digest IN (SELECT digest FROM artifacts"
                    " WHERE model_id = $1 AND removed_at IS NULL)"
                    " ORDER BY j.patch_bytes, j.id LIMIT $2",
                    "su", model_id, limit);

    return code == OX_OK ? all_patches(tx, statement, rows, count, err) : code;
}

#include "oxide/registry/blob.h"

#include "db.h"

static void read_blob(struct ox_db_row *row, void *out)
{
    struct ox_blob_row *blob = out;

    (void)ox_db_digest(row, &blob->digest);
    blob->size_bytes = ox_db_u64(row);
    blob->is_patch = ox_db_i64(row) != 0;
    blob->what = ox_db_text(row);
}

enum ox_code ox_registry_blobs(struct ox_tx *tx, const struct ox_digest *after, uint64_t limit,
                               struct ox_blob_row **rows, size_t *count, struct ox_err *err)
{
    static const struct ox_digest first;
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    /* Each half is read in the order of an index, no further than the page goes. */
    enum ox_code code = ox_db_query(
        tx, &statement, err,
        "SELECT b.sha256, max(b.size_bytes), min(b.is_patch), min(b.what) FROM ("
        " SELECT * FROM (SELECT f.sha256, f.size_bytes, 0 AS is_patch,"
        "  a.model_id || '@' || a.version || ': ' || f.path AS what FROM artifact_files f"
        "  JOIN artifacts a ON a.id = f.artifact_id WHERE f.sha256 > $1 AND f.sha256 <= coalesce("
        "   (SELECT g.sha256 FROM artifact_files g WHERE g.sha256 > $1 GROUP BY g.sha256"
        "    ORDER BY g.sha256 LIMIT 1 OFFSET $2 - 1), 'g'))"
        " UNION ALL SELECT * FROM (SELECT j.patch_sha256, j.patch_bytes, 1,"
        "  'the patch from ' || substr(j.base_digest, 1, 12) || ' to '"
        "  || substr(j.target_digest, 1, 12) || ' (' || j.format || ')' FROM delta_jobs j"
        "  WHERE j.patch_sha256 > $1 AND j.state = 'ready' AND j.patch_sha256 <= coalesce("
        "   (SELECT k.patch_sha256 FROM delta_jobs k WHERE k.patch_sha256 > $1"
        "    AND k.state = 'ready' GROUP BY k.patch_sha256"
        "    ORDER BY k.patch_sha256 LIMIT 1 OFFSET $2 - 1), 'g'))) b"
        " GROUP BY b.sha256 ORDER BY b.sha256 LIMIT $2",
        "du", after == NULL ? &first : after, limit);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_blob, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_patch_lost(struct ox_tx *tx, const struct ox_digest *digest,
                                    int64_t now_ms, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE delta_jobs SET state = 'evicted', patch_sha256 = NULL, ended_at = $1"
                     " WHERE patch_sha256 = $2 AND state = 'ready'",
                     "id", now_ms, digest);
}

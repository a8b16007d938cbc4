#include "db.h"

#include "page.h"
#include "standing.h"

#include "oxide/registry/version.h"

#define COLUMNS                                                                                    \
    "v.model_id, v.version, v.published_at, v.labels, v.parent_model, v.parent_version,"           \
    " v.commit_id, v.data_digest, v.notes"

static void read_version(struct ox_db_row *row, void *out)
{
    struct ox_version_row *version = out;

    version->model_id = ox_db_text(row);
    version->version = ox_db_text(row);
    version->published_ms = ox_db_i64(row);
    version->labels = ox_db_text(row);
    version->parent_model = ox_db_text(row);
    version->parent_version = ox_db_text(row);
    version->commit = ox_db_text(row);
    version->data_digest = ox_db_text(row);
    version->notes = ox_db_text(row);
}

enum ox_code ox_registry_version_get(struct ox_tx *tx, const char *model_id, const char *version,
                                     struct ox_version_row *out, struct ox_err *err)
{
    struct ox_version_row row = {0};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM versions v"
                                    " WHERE v.model_id = $1 AND v.version = $2",
                                    "ss", model_id, version);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_version, &row, &found, err);
    }
    if (code == OX_OK && !found) {
        return ox_err_set(err, OX_ENOTFOUND, "model %s has no version %s here: push it first",
                          model_id, version);
    }
    if (code == OX_OK) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_versions(struct ox_tx *tx, const char *model_id,
                                  struct ox_version_row **rows, size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " COLUMNS " FROM versions v WHERE v.model_id = $1"
                    " AND EXISTS (SELECT 1 FROM artifacts a WHERE a.model_id = v.model_id"
                    " AND a.version = v.version AND a.removed_at IS NULL) ORDER BY v.id",
                    "s", model_id);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_version, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_version_update(struct ox_tx *tx, const struct ox_version_row *row,
                                        struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE versions SET labels = $1, parent_model = $2, parent_version = $3,"
                     " commit_id = $4, data_digest = $5, notes = $6"
                     " WHERE model_id = $7 AND version = $8",
                     "ssssssss", row->labels, row->parent_model, row->parent_version, row->commit,
                     row->data_digest, row->notes, row->model_id, row->version);
}

/* UNION, not UNION ALL: it ends in a circle too, though none is ever written. */
enum ox_code ox_registry_version_is_ancestor(struct ox_tx *tx, const char *model_id,
                                             const char *version, const char *of_model,
                                             const char *of_version, bool *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    uint64_t count = 0;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "WITH RECURSIVE up (model_id, version) AS (SELECT $1, $2 UNION"
                    " SELECT v.parent_model, v.parent_version FROM up JOIN versions v"
                    " ON v.model_id = up.model_id AND v.version = up.version"
                    " WHERE v.parent_model IS NOT NULL)"
                    " SELECT count(*) FROM up WHERE model_id = $3 AND version = $4",
                    "ssss", of_model, of_version, model_id, version);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, ox_db_read_u64, &count, &found, err);
    }
    if (code == OX_OK) {
        *out = count > 0;
    }
    return code;
}

static const struct ox_list_sort version_sorts[] = {
    {"uploaded", "v.id", false},
    {"version", "v.version", true},
    {"size", "a.size_bytes", false},
    {0},
};
static const struct ox_list_filter version_filters[] = {{.name = "model", .sql = "v.model_id = ?"},
                                                        {0}};
static const struct ox_list version_list = {
    .name = "versions",
    .columns = COLUMNS,
    .from = "versions v JOIN artifacts a ON a.id = " OX_STANDING("v"),
    .key = "v.id",
    .sorts = version_sorts,
    .filters = version_filters,
    .read = read_version,
    .row_bytes = sizeof(struct ox_version_row),
};

enum ox_code ox_registry_version_page(struct ox_tx *tx, const struct ox_page *page,
                                      struct ox_version_row **rows, size_t *count,
                                      const char **next, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_list_page(tx, &version_list, page, &all, count, next, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

#include "db.h"

#include "page.h"
#include "standing.h"

#define COLUMNS                                                                                    \
    "a.id, a.model_id, a.version, a.digest, a.size_bytes, a.format, a.uploaded_at, a.variant,"     \
    " a.rank, a.requires, a.metrics, a.removed_at"
#define FROM " FROM artifacts a"
#define HELD " a.removed_at IS NULL"
#define PREFERRED " a.requires IS NULL, a.rank, a.id"

static void read_artifact(struct ox_db_row *row, void *out)
{
    struct ox_artifact_row *artifact = out;

    artifact->id = ox_db_i64(row);
    artifact->model_id = ox_db_text(row);
    artifact->version = ox_db_text(row);
    (void)ox_db_digest(row, &artifact->digest);
    artifact->size_bytes = ox_db_u64(row);
    artifact->format = ox_db_text(row);
    artifact->uploaded_ms = ox_db_i64(row);
    artifact->variant = ox_db_text(row);
    artifact->rank = ox_db_i64(row);
    artifact->requires = ox_db_text(row);
    artifact->metrics = ox_db_text(row);
    artifact->removed_ms = ox_db_i64(row);
}

static enum ox_code one(struct ox_tx *tx, sqlite3_stmt *statement, struct ox_artifact_row *out,
                        struct ox_err *err)
{
    struct ox_artifact_row row = {0};
    bool found = false;
    enum ox_code code = ox_db_one(tx, statement, read_artifact, &row, &found, err);

    if (code == OX_OK && !found) {
        return ox_err_set(err, OX_ENOTFOUND, "no such artifact is held here");
    }
    if (code == OX_OK) {
        *out = row;
    }
    return code;
}

static enum ox_code add_files(struct ox_tx *tx, int64_t id, const struct ox_manifest *files,
                              struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < files->count; i++) {
        const struct ox_manifest_file *file = &files->files[i];

        code = ox_db_run(tx, err,
                         "INSERT INTO artifact_files"
                         " (artifact_id, path, size_bytes, sha256, executable)"
                         " VALUES ($1, $2, $3, $4, $5)",
                         "isudi", id, file->path, file->size_bytes, &file->sha256,
                         (int64_t)file->executable);
    }
    return code;
}

enum ox_code ox_registry_artifact_add(struct ox_tx *tx, struct ox_artifact_row *row,
                                      const struct ox_manifest *files, struct ox_err *err)
{
    const char *variant = row->variant == NULL ? "" : row->variant;
    enum ox_code code = ox_db_run(tx, err,
                                  "INSERT INTO versions (model_id, version, published_at)"
                                  " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                                  "ssi", row->model_id, row->version, row->uploaded_ms);

    if (code == OX_OK) {
        code = ox_db_run(tx, err,
                         "INSERT INTO artifacts (model_id, version, variant, digest, size_bytes,"
                         " format, uploaded_at, rank, requires, metrics)"
                         " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce($10, '{}'))",
                         "sssdusiiss", row->model_id, row->version, variant, &row->digest,
                         row->size_bytes, row->format, row->uploaded_ms, row->rank, row->requires,
                         row->metrics);
        if (code == OX_ECONFLICT) {
            ox_err_set(err, code, "model %s has a version %s already%s%s", row->model_id,
                       row->version, variant[0] == '\0' ? "" : " with a variant ", variant);
        }
    }
    if (code == OX_OK) {
        row->id = sqlite3_last_insert_rowid(tx->connection->db);
        code = add_files(tx, row->id, files, err);
    }
    return code;
}

enum ox_code ox_registry_artifact_restore(struct ox_tx *tx, int64_t id, int64_t now_ms,
                                          const struct ox_manifest *files, struct ox_err *err)
{
    enum ox_code code =
        ox_db_run(tx, err, "UPDATE artifacts SET removed_at = NULL, uploaded_at = $1 WHERE id = $2",
                  "ii", now_ms, id);

    return code == OX_OK ? add_files(tx, id, files, err) : code;
}

enum ox_code ox_registry_artifact_update(struct ox_tx *tx, const struct ox_artifact_row *row,
                                         struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE artifacts SET rank = $1, requires = $2, metrics = $3 WHERE id = $4",
                     "issi", row->rank, row->requires, row->metrics, row->id);
}

enum ox_code ox_registry_artifact_remove(struct ox_tx *tx, int64_t id, int64_t now_ms,
                                         struct ox_err *err)
{
    enum ox_code code =
        ox_db_run(tx, err, "DELETE FROM artifact_files WHERE artifact_id = $1", "i", id);

    return code == OX_OK ? ox_db_run(tx, err, "UPDATE artifacts SET removed_at = $1 WHERE id = $2",
                                     "ii", now_ms, id)
                         : code;
}

/* --- finding one --- */

enum ox_code ox_registry_artifact_get(struct ox_tx *tx, const char *model_id, const char *version,
                                      struct ox_artifact_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " COLUMNS FROM
                    " WHERE a.model_id = $1 AND a.version = $2 AND" HELD OX_STANDING_ORDER("a"),
                    "ss", model_id, version);

    if (code == OX_OK && (code = one(tx, statement, out, err)) == OX_ENOTFOUND) {
        ox_err_set(err, code, "model %s has no version %s here: push it first", model_id, version);
    }
    return code;
}

enum ox_code ox_registry_artifact_find(struct ox_tx *tx, const char *model_id, const char *version,
                                       const char *variant, struct ox_artifact_row *out,
                                       struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS FROM " WHERE a.model_id = $1"
                                    " AND a.version = $2 AND a.variant = $3",
                                    "sss", model_id, version, variant);

    if (code == OX_OK && (code = one(tx, statement, out, err)) == OX_ENOTFOUND) {
        ox_err_set(err, code, "%s@%s has no variant %s here: 'oxide model show' lists them",
                   model_id, version, variant[0] == '\0' ? "without a name" : variant);
    }
    return code;
}

enum ox_code ox_registry_artifact_by_id(struct ox_tx *tx, int64_t id, struct ox_artifact_row *out,
                                        struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err, "SELECT " COLUMNS FROM " WHERE a.id = $1", "i", id);

    return code == OX_OK ? one(tx, statement, out, err) : code;
}

enum ox_code ox_registry_artifact_by_digest(struct ox_tx *tx, const struct ox_digest *digest,
                                            struct ox_artifact_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " COLUMNS FROM " WHERE a.digest = $1 AND" HELD " ORDER BY a.id LIMIT 1",
                    "d", digest);

    return code == OX_OK ? one(tx, statement, out, err) : code;
}

enum ox_code ox_registry_artifact_known(struct ox_tx *tx, const struct ox_digest *digest,
                                        struct ox_artifact_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS FROM " WHERE a.digest = $1"
                                    " ORDER BY a.removed_at IS NOT NULL, a.id LIMIT 1",
                                    "d", digest);

    return code == OX_OK ? one(tx, statement, out, err) : code;
}

enum ox_code ox_registry_artifact_before(struct ox_tx *tx, const struct ox_artifact_row *row,
                                         struct ox_artifact_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " COLUMNS FROM " WHERE a.model_id = $1 AND a.variant = coalesce($2, '')"
                    " AND a.id < $3 AND" HELD " ORDER BY a.id DESC LIMIT 1",
                    "ssi", row->model_id, row->variant, row->id);

    return code == OX_OK ? one(tx, statement, out, err) : code;
}

/* --- lists --- */

static enum ox_code all_artifacts(struct ox_tx *tx, sqlite3_stmt *statement,
                                  struct ox_artifact_row **rows, size_t *count, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_db_all(tx, statement, read_artifact, sizeof(**rows), &all, count, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_artifacts(struct ox_tx *tx, const char *model_id,
                                   struct ox_artifact_row **rows, size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(
        tx, &statement, err,
        "SELECT " COLUMNS FROM " JOIN versions v ON v.model_id = a.model_id"
        " AND v.version = a.version WHERE a.model_id = $1 AND" HELD " ORDER BY v.id," PREFERRED,
        "s", model_id);

    return code == OX_OK ? all_artifacts(tx, statement, rows, count, err) : code;
}

enum ox_code ox_registry_variants(struct ox_tx *tx, const char *model_id, const char *version,
                                  struct ox_artifact_row **rows, size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT " COLUMNS FROM " WHERE a.model_id = $1 AND a.version = $2 AND" HELD
                    " ORDER BY" PREFERRED,
                    "ss", model_id, version);

    return code == OX_OK ? all_artifacts(tx, statement, rows, count, err) : code;
}

static void read_model(struct ox_db_row *row, void *out)
{
    struct ox_model_row *model = out;

    model->model_id = ox_db_text(row);
    model->versions = ox_db_u64(row);
    model->latest = ox_db_text(row);
    model->size_bytes = ox_db_u64(row);
}

/* The newest version is the one whose name came last; a variant that is added to an old version
 * does not make it new. */
#define MODEL_COLUMNS "v.model_id, m.versions, v.version, a.size_bytes"
#define MODELS                                                                                     \
    "versions v JOIN artifacts a ON a.id = " OX_STANDING(                                          \
        "v") " JOIN (SELECT count(*) AS versions,"                                                 \
             " max(w.id) AS newest FROM versions w WHERE EXISTS (SELECT 1 FROM artifacts h"        \
             " WHERE h.model_id = w.model_id AND h.version = w.version AND h.removed_at IS NULL)"  \
             " GROUP BY w.model_id) m ON v.id = m.newest"

enum ox_code ox_registry_models(struct ox_tx *tx, struct ox_model_row **rows, size_t *count,
                                struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code = ox_db_query(
        tx, &statement, err, "SELECT " MODEL_COLUMNS " FROM " MODELS " ORDER BY v.model_id", "");

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_model, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

struct file_row {
    const char *path;
    uint64_t size_bytes;
    struct ox_digest sha256;
    bool executable;
};

static void read_file(struct ox_db_row *row, void *out)
{
    struct file_row *file = out;

    file->path = ox_db_text(row);
    file->size_bytes = ox_db_u64(row);
    (void)ox_db_digest(row, &file->sha256);
    file->executable = ox_db_i64(row) != 0;
}

enum ox_code ox_registry_artifact_files(struct ox_tx *tx, int64_t artifact_id,
                                        struct ox_manifest *out, struct ox_err *err)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    size_t count = 0;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT path, size_bytes, sha256, executable"
                                    " FROM artifact_files WHERE artifact_id = $1",
                                    "i", artifact_id);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_file, sizeof(struct file_row), &all, &count, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const struct file_row *file = (const struct file_row *)all + i;

        code = ox_manifest_add(&manifest, file->path, file->size_bytes, &file->sha256,
                               file->executable, err);
    }
    if (code == OX_OK) {
        code = ox_manifest_finish(&manifest, err);
    }
    if (code != OX_OK) {
        ox_manifest_clear(&manifest);
        return code;
    }
    *out = manifest;
    return OX_OK;
}

/* --- pages --- */

static const struct ox_list_sort model_sorts[] = {
    {"id", "v.model_id", true},
    {"versions", "m.versions", false},
    {"size", "a.size_bytes", false},
    {"uploaded", "a.uploaded_at", false},
    {0},
};
static const struct ox_list_filter no_filters[] = {{0}};
static const struct ox_list model_list = {
    .name = "models",
    .columns = MODEL_COLUMNS,
    .from = MODELS,
    .key = "v.model_id",
    .key_is_text = true,
    .sorts = model_sorts,
    .filters = no_filters,
    .read = read_model,
    .row_bytes = sizeof(struct ox_model_row),
};

enum ox_code ox_registry_model_page(struct ox_tx *tx, const struct ox_page *page,
                                    struct ox_model_row **rows, size_t *count, const char **next,
                                    struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_list_page(tx, &model_list, page, &all, count, next, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

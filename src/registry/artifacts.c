#include "db.h"

#include "page.h"

#define COLUMNS "id, model_id, version, digest, size_bytes, format, uploaded_at"

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

enum ox_code ox_registry_artifact_add(struct ox_tx *tx, struct ox_artifact_row *row,
                                      const struct ox_manifest *files, struct ox_err *err)
{
    enum ox_code code = ox_db_run(
        tx, err,
        "INSERT INTO artifacts (model_id, version, digest, size_bytes, format, uploaded_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        "ssdusi", row->model_id, row->version, &row->digest, row->size_bytes, row->format,
        row->uploaded_ms);

    if (code == OX_ECONFLICT) {
        ox_err_set(err, code, "model %s has a version %s already", row->model_id, row->version);
    }
    if (code == OX_OK) {
        row->id = sqlite3_last_insert_rowid(tx->connection->db);
    }
    for (size_t i = 0; code == OX_OK && i < files->count; i++) {
        const struct ox_manifest_file *file = &files->files[i];

        code = ox_db_run(tx, err,
                         "INSERT INTO artifact_files"
                         " (artifact_id, path, size_bytes, sha256, executable)"
                         " VALUES ($1, $2, $3, $4, $5)",
                         "isudi", row->id, file->path, file->size_bytes, &file->sha256,
                         (int64_t)file->executable);
    }
    return code;
}

enum ox_code ox_registry_artifact_get(struct ox_tx *tx, const char *model_id, const char *version,
                                      struct ox_artifact_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM artifacts"
                                    " WHERE model_id = $1 AND version = $2",
                                    "ss", model_id, version);

    if (code == OX_OK && (code = one(tx, statement, out, err)) == OX_ENOTFOUND) {
        ox_err_set(err, code, "model %s has no version %s here: push it first", model_id, version);
    }
    return code;
}

enum ox_code ox_registry_artifact_by_id(struct ox_tx *tx, int64_t id, struct ox_artifact_row *out,
                                        struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM artifacts WHERE id = $1", "i", id);

    return code == OX_OK ? one(tx, statement, out, err) : code;
}

enum ox_code ox_registry_artifact_by_digest(struct ox_tx *tx, const struct ox_digest *digest,
                                            struct ox_artifact_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(
        tx, &statement, err,
        "SELECT " COLUMNS " FROM artifacts WHERE digest = $1 ORDER BY id LIMIT 1", "d", digest);

    return code == OX_OK ? one(tx, statement, out, err) : code;
}

enum ox_code ox_registry_artifact_before(struct ox_tx *tx, const char *model_id, int64_t id,
                                         struct ox_artifact_row *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT " COLUMNS " FROM artifacts"
                                    " WHERE model_id = $1 AND id < $2 ORDER BY id DESC LIMIT 1",
                                    "si", model_id, id);

    return code == OX_OK ? one(tx, statement, out, err) : code;
}

enum ox_code ox_registry_artifacts(struct ox_tx *tx, const char *model_id,
                                   struct ox_artifact_row **rows, size_t *count, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code = ox_db_query(
        tx, &statement, err, "SELECT " COLUMNS " FROM artifacts WHERE model_id = $1 ORDER BY id",
        "s", model_id);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_artifact, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

static void read_model(struct ox_db_row *row, void *out)
{
    struct ox_model_row *model = out;

    model->model_id = ox_db_text(row);
    model->versions = ox_db_u64(row);
    model->latest = ox_db_text(row);
    model->size_bytes = ox_db_u64(row);
}

enum ox_code ox_registry_models(struct ox_tx *tx, struct ox_model_row **rows, size_t *count,
                                struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT a.model_id, m.versions, a.version, a.size_bytes FROM artifacts a"
                    " JOIN (SELECT count(*) AS versions, max(id) AS newest FROM artifacts"
                    " GROUP BY model_id) m ON a.id = m.newest ORDER BY a.model_id",
                    "");

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

static const struct ox_list_sort artifact_sorts[] = {
    {"uploaded", "id", false},
    {"version", "version", true},
    {"size", "size_bytes", false},
    {0},
};
static const struct ox_list_filter artifact_filters[] = {{.name = "model", .sql = "model_id = ?"},
                                                         {0}};
static const struct ox_list artifact_list = {
    .name = "versions",
    .columns = COLUMNS,
    .from = "artifacts",
    .key = "id",
    .sorts = artifact_sorts,
    .filters = artifact_filters,
    .read = read_artifact,
    .row_bytes = sizeof(struct ox_artifact_row),
};

enum ox_code ox_registry_artifact_page(struct ox_tx *tx, const struct ox_page *page,
                                       struct ox_artifact_row **rows, size_t *count,
                                       const char **next, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_list_page(tx, &artifact_list, page, &all, count, next, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

static const struct ox_list_sort model_sorts[] = {
    {"id", "a.model_id", true},
    {"versions", "m.versions", false},
    {"size", "a.size_bytes", false},
    {"uploaded", "a.uploaded_at", false},
    {0},
};
static const struct ox_list_filter no_filters[] = {{0}};
static const struct ox_list model_list = {
    .name = "models",
    .columns = "a.model_id, m.versions, a.version, a.size_bytes",
    .from = "artifacts a JOIN (SELECT count(*) AS versions, max(id) AS newest FROM artifacts"
            " GROUP BY model_id) m ON a.id = m.newest",
    .key = "a.model_id",
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

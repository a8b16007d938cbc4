#include "page.h"

#include "oxide/registry/history.h"

#define COLUMNS "id, device_id, model_id, version, digest, from_ms, to_ms"

/* Does device_models hold what the open row h says? */
#define STILL_RUNS                                                                                 \
    "EXISTS (SELECT 1 FROM device_models m WHERE m.device_id = h.device_id"                        \
    " AND m.model_id = h.model_id AND m.version = h.version"                                       \
    " AND coalesce(m.digest, '') = coalesce(h.digest, ''))"

static void read_row(struct ox_db_row *row, void *out)
{
    struct ox_history_row *history = out;

    history->id = ox_db_i64(row);
    history->device_id = ox_db_text(row);
    history->model_id = ox_db_text(row);
    history->version = ox_db_text(row);
    history->has_digest = ox_db_digest(row, &history->digest);
    history->from_ms = ox_db_i64(row);
    history->to_ms = ox_db_i64(row);
}

enum ox_code ox_registry_history_note(struct ox_tx *tx, const char *device_id, int64_t now_ms,
                                      struct ox_err *err)
{
    /* A version that was published here after a device had named it has its digest from now on. */
    enum ox_code code = ox_db_run(
        tx, err,
        "UPDATE device_model_history AS h SET digest = (SELECT m.digest FROM device_models m"
        " WHERE m.device_id = h.device_id AND m.model_id = h.model_id AND m.version = h.version)"
        " WHERE h.device_id = $1 AND h.to_ms IS NULL AND h.digest IS NULL",
        "s", device_id);

    if (code == OX_OK) {
        code = ox_db_run(tx, err,
                         "UPDATE device_model_history AS h SET to_ms = max(h.from_ms, $1)"
                         " WHERE h.device_id = $2 AND h.to_ms IS NULL AND NOT " STILL_RUNS,
                         "is", now_ms, device_id);
    }
    return code == OX_OK
               ? ox_db_run(tx, err,
                           "INSERT INTO device_model_history"
                           " (device_id, model_id, version, digest, from_ms)"
                           " SELECT m.device_id, m.model_id, m.version, m.digest, $1"
                           " FROM device_models m WHERE m.device_id = $2 AND NOT EXISTS"
                           " (SELECT 1 FROM device_model_history h WHERE h.device_id = m.device_id"
                           " AND h.model_id = m.model_id AND h.to_ms IS NULL)",
                           "is", now_ms, device_id)
               : code;
}

enum ox_code ox_registry_device_previous(struct ox_tx *tx, const char *device_id,
                                         const char *model_id, struct ox_history_row *out,
                                         struct ox_err *err)
{
    struct ox_history_row row = {0};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(
        tx, &statement, err,
        "SELECT h.id, h.device_id, h.model_id, h.version, h.digest, h.from_ms, h.to_ms"
        " FROM device_model_history h JOIN device_model_history last ON last.id ="
        " (SELECT max(id) FROM device_model_history WHERE device_id = $1 AND model_id = $2)"
        " WHERE h.device_id = $1 AND h.model_id = $2 AND h.id < last.id"
        " AND NOT (h.version = last.version AND coalesce(h.digest, '') ="
        " coalesce(last.digest, '')) ORDER BY h.id DESC LIMIT 1",
        "ss", device_id, model_id);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_row, &row, &found, err);
    }
    if (code == OX_OK && !found) {
        return ox_err_set(err, OX_ENOTFOUND,
                          "device %s is not known to have run another version of %s before",
                          device_id, model_id);
    }
    if (code == OX_OK) {
        *out = row;
    }
    return code;
}

/* --- pages --- */

static const struct ox_list_sort sorts[] = {
    {"id", "h.id", false},
    {"device", "h.device_id", true},
    {"from", "h.from_ms", false},
    {0},
};
static const struct ox_list_filter filters[] = {
    {.name = "device", .sql = "h.device_id = ?"},
    {.name = "model", .sql = "h.model_id = ?"},
    {.name = "version", .sql = "h.version = ?"},
    {.name = "at",
     .sql = "EXISTS (SELECT 1 FROM (SELECT CAST(? AS INTEGER) AS at) WHERE h.from_ms <= at"
            " AND (h.to_ms IS NULL OR h.to_ms > at))"},
    {0},
};
static const struct ox_list list = {
    .name = "history",
    .columns = COLUMNS,
    .from = "device_model_history h",
    .key = "h.id",
    .sorts = sorts,
    .filters = filters,
    .read = read_row,
    .row_bytes = sizeof(struct ox_history_row),
};

enum ox_code ox_registry_history_page(struct ox_tx *tx, const struct ox_page *page,
                                      struct ox_history_row **rows, size_t *count,
                                      const char **next, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = ox_list_page(tx, &list, page, &all, count, next, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

/* --- counts --- */

static void read_count(struct ox_db_row *row, void *out)
{
    struct ox_where_count *count = out;

    count->version = ox_db_text(row);
    count->has_digest = ox_db_digest(row, &count->digest);
    count->devices = ox_db_u64(row);
}

enum ox_code ox_registry_where_counts(struct ox_tx *tx, const struct ox_where *where,
                                      struct ox_where_count **rows, size_t *count,
                                      struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code = ox_db_query(
        tx, &statement, err,
        "SELECT version, digest, count(*) FROM device_model_history WHERE model_id = $1"
        " AND from_ms <= $2 AND (to_ms IS NULL OR to_ms > $2) AND version = coalesce($3, version)"
        " GROUP BY version, digest ORDER BY count(*) DESC, version, digest",
        "sis", where->model_id, where->at_ms, where->version);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_count, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

/* --- retention --- */

/* A row is kept while it is the newest one that ended of its device and model, unless the device is
 * gone. */
#define STALE                                                                                      \
    "h.to_ms < $1 AND (EXISTS (SELECT 1 FROM device_model_history n WHERE n.device_id ="           \
    " h.device_id AND n.model_id = h.model_id AND n.id > h.id AND n.to_ms IS NOT NULL)"            \
    " OR NOT EXISTS (SELECT 1 FROM devices d WHERE d.id = h.device_id))"

struct step {
    int64_t last_id;
    bool any;
};

static void read_step(struct ox_db_row *row, void *out)
{
    struct step *step = out;

    step->last_id = ox_db_i64(row);
    step->any = ox_db_i64(row) != 0;
}

enum ox_code ox_registry_history_stale(struct ox_tx *tx, int64_t from_id, uint64_t limit,
                                       int64_t before_ms, int64_t *last_id, bool *any,
                                       struct ox_err *err)
{
    struct step step = {0, false};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT max(h.id), coalesce(max(" STALE "), 0) FROM"
                    " (SELECT * FROM device_model_history WHERE id > $2 ORDER BY id LIMIT $3) h",
                    "iiu", before_ms, from_id, limit);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_step, &step, &found, err);
    }
    if (code == OX_OK) {
        *last_id = step.last_id;
        *any = step.any;
    }
    return code;
}

enum ox_code ox_registry_history_prune(struct ox_tx *tx, int64_t from_id, int64_t last_id,
                                       int64_t before_ms, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "DELETE FROM device_model_history AS h WHERE " STALE
                     " AND h.id > $2 AND h.id <= $3",
                     "iii", before_ms, from_id, last_id);
}

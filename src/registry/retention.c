#include "db.h"

#include "oxide/registry/retention.h"

static enum ox_code no_rule(const char *model_id, struct ox_err *err)
{
    return model_id[0] == '\0'
               ? ox_err_set(err, OX_ENOTFOUND, "there is no general rule of retention")
               : ox_err_set(err, OX_ENOTFOUND, "model %s has no rule of retention of its own",
                            model_id);
}

enum ox_code ox_registry_retention_put(struct ox_tx *tx, const struct ox_retention_row *row,
                                       int64_t now_ms, struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "INSERT INTO retention (model_id, keep_newest, keep_labels, keep_for_s,"
                     " updated_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (model_id) DO UPDATE SET"
                     " keep_newest = excluded.keep_newest, keep_labels = excluded.keep_labels,"
                     " keep_for_s = excluded.keep_for_s, updated_at = excluded.updated_at",
                     "susui", row->model_id, row->keep_newest, row->keep_labels, row->keep_for_s,
                     now_ms);
}

static void read_rule(struct ox_db_row *row, void *out)
{
    struct ox_retention_row *rule = out;

    rule->model_id = ox_db_text(row);
    rule->keep_newest = ox_db_u64(row);
    rule->keep_labels = ox_db_text(row);
    rule->keep_for_s = ox_db_u64(row);
}

enum ox_code ox_registry_retention_get(struct ox_tx *tx, const char *model_id,
                                       struct ox_retention_row *out, struct ox_err *err)
{
    struct ox_retention_row row = {0};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT model_id, keep_newest, keep_labels, keep_for_s FROM retention"
                    " WHERE model_id = $1",
                    "s", model_id);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_rule, &row, &found, err);
    }
    if (code == OX_OK && !found) {
        return no_rule(model_id, err);
    }
    if (code == OX_OK) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_retention_remove(struct ox_tx *tx, const char *model_id,
                                          struct ox_err *err)
{
    enum ox_code code =
        ox_db_run(tx, err, "DELETE FROM retention WHERE model_id = $1", "s", model_id);

    return code == OX_OK && ox_db_changes(tx) == 0 ? no_rule(model_id, err) : code;
}

enum ox_code ox_registry_retention_next(struct ox_tx *tx, const char *after, const char **out,
                                        struct ox_err *err)
{
    *out = NULL;
    return ox_db_get(tx, ox_db_read_text, (void *)out, err,
                     "SELECT v.model_id FROM versions v WHERE v.model_id > $1"
                     " AND EXISTS (SELECT 1 FROM retention r WHERE r.model_id IN ('', v.model_id))"
                     " ORDER BY v.model_id LIMIT 1",
                     "s", after);
}

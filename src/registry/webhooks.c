#include "db.h"

#include "oxide/registry/webhook.h"

#include <string.h>

#define COLUMNS                                                                                    \
    "id, url, kinds, secret, created_at, cursor, state, delivered, lost, failures, last_status,"   \
    " last_error, last_tried_at, last_delivered_at, next_try_at"

static void read_webhook(struct ox_db_row *row, void *out)
{
    struct ox_webhook_row *webhook = out;
    const char *state;

    webhook->id = ox_db_text(row);
    webhook->url = ox_db_text(row);
    webhook->kinds = ox_db_text(row);
    webhook->secret = ox_db_text(row);
    webhook->created_ms = ox_db_i64(row);
    webhook->cursor = ox_db_i64(row);
    state = ox_db_text(row);
    webhook->stopped = state != NULL && strcmp(state, "stopped") == 0;
    webhook->delivered = ox_db_u64(row);
    webhook->lost = ox_db_u64(row);
    webhook->failures = ox_db_u64(row);
    webhook->last_status = ox_db_i64(row);
    webhook->last_error = ox_db_text(row);
    webhook->last_tried_ms = ox_db_i64(row);
    webhook->last_delivered_ms = ox_db_i64(row);
    webhook->next_try_ms = ox_db_i64(row);
}

static enum ox_code unknown(struct ox_err *err, const char *id)
{
    return ox_err_set(err, OX_ENOTFOUND, "there is no webhook %s", id);
}

enum ox_code ox_registry_webhook_add(struct ox_tx *tx, const struct ox_webhook_row *row,
                                     struct ox_err *err)
{
    enum ox_code code = ox_db_run(
        tx, err,
        "INSERT INTO webhooks (id, url, kinds, secret, created_at, cursor)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        "ssssii", row->id, row->url, row->kinds, row->secret, row->created_ms, row->cursor);

    return code == OX_ECONFLICT ? ox_err_set(err, code, "webhook %s exists already", row->id)
                                : code;
}

enum ox_code ox_registry_webhook_get(struct ox_tx *tx, const char *id, struct ox_webhook_row *out,
                                     struct ox_err *err)
{
    struct ox_webhook_row row = {0};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        ox_db_query(tx, &statement, err, "SELECT " COLUMNS " FROM webhooks WHERE id = $1", "s", id);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_webhook, &row, &found, err);
    }
    if (code == OX_OK && !found) {
        return unknown(err, id);
    }
    if (code == OX_OK) {
        *out = row;
    }
    return code;
}

enum ox_code ox_registry_webhooks(struct ox_tx *tx, struct ox_webhook_row **rows, size_t *count,
                                  struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        ox_db_query(tx, &statement, err, "SELECT " COLUMNS " FROM webhooks ORDER BY id", "");

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_webhook, sizeof(**rows), &all, count, err);
    }
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_webhook_update(struct ox_tx *tx, const struct ox_webhook_row *row,
                                        struct ox_err *err)
{
    return ox_db_run(tx, err,
                     "UPDATE webhooks SET cursor = $1, state = $2, delivered = $3, lost = $4,"
                     " failures = $5, last_status = nullif($6, 0), last_error = $7,"
                     " last_tried_at = nullif($8, 0), last_delivered_at = nullif($9, 0),"
                     " next_try_at = nullif($10, 0) WHERE id = $11",
                     "isuuuisiiis", row->cursor, row->stopped ? "stopped" : "active",
                     row->delivered, row->lost, row->failures, row->last_status, row->last_error,
                     row->last_tried_ms, row->last_delivered_ms, row->next_try_ms, row->id);
}

enum ox_code ox_registry_webhook_remove(struct ox_tx *tx, const char *id, struct ox_err *err)
{
    enum ox_code code = ox_db_run(tx, err, "DELETE FROM webhooks WHERE id = $1", "s", id);

    return code == OX_OK && ox_db_changes(tx) == 0 ? unknown(err, id) : code;
}

#include "db.h"

#include "oxide/registry/event.h"

/* Events that one call looks at where no index names those that match: some 2 ms. */
#define WINDOW 8192

/* Behind every kind that begins with a prefix: kinds are lower-case words and dots. */
#define PREFIX_END "\x7f"

#define COLUMNS "id, at, kind, device_id, campaign_id, model_id, actor, request_id, data"
/* The unary plus keeps the planner from indices that do not give this order. */
#define AFTER " WHERE id > $1 AND id <= $2 AND +kind >= $3 AND +kind < $3 || '" PREFIX_END "'"

/* Where a subject is asked for, its index gives the rows in order. Each filter has texts of its
 * own, since one text is planned once. */
#define FORWARD(index, where, limit)                                                               \
    "SELECT " COLUMNS " FROM events " index AFTER where " ORDER BY id LIMIT " limit
#define BACKWARD(index, where, limit)                                                              \
    "SELECT id FROM events " index AFTER where " ORDER BY id DESC LIMIT " limit
#define TEXTS(index, where, limit)                                                                 \
    {                                                                                              \
        FORWARD(index, where, limit), BACKWARD(index, where, limit)                                \
    }

static const struct {
    const char *forward;
    const char *backward;
} of_all = TEXTS("NOT INDEXED", "", "$4"),
  of_device = TEXTS("INDEXED BY events_by_device", " AND device_id = $4", "$5"),
  of_campaign = TEXTS("INDEXED BY events_by_campaign", " AND campaign_id = $4", "$5"),
  of_both = TEXTS("INDEXED BY events_by_device", " AND device_id = $4 AND +campaign_id = $5", "$6");

static void read_event(struct ox_db_row *row, void *out)
{
    struct ox_event_row *event = out;

    event->id = ox_db_i64(row);
    event->at_ms = ox_db_i64(row);
    event->kind = ox_db_text(row);
    event->device_id = ox_db_text(row);
    event->campaign_id = ox_db_text(row);
    event->model_id = ox_db_text(row);
    event->actor = ox_db_text(row);
    event->request_id = ox_db_text(row);
    event->data = ox_db_text(row);
}

enum ox_code ox_registry_event_add(struct ox_tx *tx, const struct ox_event_row *row,
                                   struct ox_err *err)
{
    tx->connection->events_added = true;
    return ox_db_run(tx, err,
                     "INSERT INTO events (at, kind, device_id, campaign_id, model_id, actor,"
                     " request_id, data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                     "isssssss", row->at_ms, row->kind, row->device_id, row->campaign_id,
                     row->model_id, row->actor, row->request_id, row->data);
}

/* --- reading --- */

static bool is_indexed(const struct ox_event_filter *filter)
{
    return filter->device_id != NULL || filter->campaign_id != NULL;
}

/* Matching events in (after, upto], the first `limit` of them or the last. */
static enum ox_code query(struct ox_tx *tx, const struct ox_event_filter *filter, int64_t after,
                          int64_t upto, bool last, uint64_t limit, sqlite3_stmt **out,
                          struct ox_err *err)
{
    const char *prefix = filter->kind_prefix == NULL ? "" : filter->kind_prefix;

    if (filter->device_id != NULL && filter->campaign_id != NULL) {
        return ox_db_query(tx, out, err, last ? of_both.backward : of_both.forward, "iisssu", after,
                           upto, prefix, filter->device_id, filter->campaign_id, limit);
    }
    if (filter->device_id != NULL) {
        return ox_db_query(tx, out, err, last ? of_device.backward : of_device.forward, "iissu",
                           after, upto, prefix, filter->device_id, limit);
    }
    if (filter->campaign_id != NULL) {
        return ox_db_query(tx, out, err, last ? of_campaign.backward : of_campaign.forward, "iissu",
                           after, upto, prefix, filter->campaign_id, limit);
    }
    return ox_db_query(tx, out, err, last ? of_all.backward : of_all.forward, "iisu", after, upto,
                       prefix, limit);
}

enum ox_code ox_registry_events(struct ox_tx *tx, const struct ox_event_filter *filter,
                                int64_t after, size_t limit, struct ox_event_row **rows,
                                size_t *count, int64_t *next, struct ox_err *err)
{
    struct ox_event_bounds bounds;
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    size_t found = 0;
    int64_t upto = 0;
    enum ox_code code = ox_registry_events_bounds(tx, &bounds, err);

    if (code == OX_OK) {
        after = after < bounds.oldest - 1 ? bounds.oldest - 1 : after;
        upto = bounds.newest;
        if (!is_indexed(filter) && upto - after > WINDOW) {
            upto = after + WINDOW;
        }
        code = query(tx, filter, after, upto, false, limit, &statement, err);
    }
    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_event, sizeof(**rows), &all, &found, err);
    }
    if (code == OX_OK) {
        *rows = all;
        *count = found;
        *next = found > 0 && found == limit ? (*rows)[found - 1].id : upto > after ? upto : after;
    }
    return code;
}

static void read_id(struct ox_db_row *row, void *out)
{
    *(int64_t *)out = ox_db_i64(row);
}

enum ox_code ox_registry_events_before_last(struct ox_tx *tx, const struct ox_event_filter *filter,
                                            size_t count, int64_t *after, struct ox_err *err)
{
    struct ox_event_bounds bounds;
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    size_t found = 0;
    enum ox_code code = ox_registry_events_bounds(tx, &bounds, err);

    if (code == OX_OK && count == 0) {
        *after = bounds.newest;
        return OX_OK;
    }
    if (code == OX_OK) {
        code = query(tx, filter, 0, bounds.newest, true, count, &statement, err);
    }
    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_id, sizeof(int64_t), &all, &found, err);
    }
    if (code == OX_OK) {
        *after = found == 0 ? bounds.newest : ((const int64_t *)all)[found - 1] - 1;
    }
    return code;
}

enum ox_code ox_registry_events_bounds(struct ox_tx *tx, struct ox_event_bounds *out,
                                       struct ox_err *err)
{
    struct ox_event_bounds bounds = {0};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(tx, &statement, err,
                                    "SELECT seq FROM sqlite_sequence WHERE name = 'events'", "");

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read_id, &bounds.newest, &found, err);
    }
    if (code == OX_OK) {
        code =
            ox_db_query(tx, &statement, err, "SELECT id, at FROM events ORDER BY id LIMIT 1", "");
    }
    if (code == OX_OK && (code = ox_db_step(tx, statement, &found, err)) == OX_OK && found) {
        bounds.oldest = sqlite3_column_int64(statement, 0);
        bounds.oldest_ms = sqlite3_column_int64(statement, 1);
        (void)sqlite3_reset(statement);
    }
    if (code == OX_OK) {
        bounds.oldest = found ? bounds.oldest : bounds.newest + 1;
        *out = bounds;
    }
    return code;
}

/* Times grow with the ids but where a clock was set back, so a search by halves finds the place
 * without an index that each event would have to pay for. */
enum ox_code ox_registry_events_since(struct ox_tx *tx, int64_t since_ms, int64_t *after,
                                      struct ox_err *err)
{
    struct ox_event_bounds bounds;
    enum ox_code code = ox_registry_events_bounds(tx, &bounds, err);
    int64_t low = bounds.oldest - 1; /* everything up to here is older */
    int64_t high = bounds.newest;    /* everything behind is not */

    while (code == OX_OK && low < high) {
        int64_t middle = low + (high - low) / 2 + 1; /* low < middle <= high */
        sqlite3_stmt *statement = NULL;
        int64_t at_ms = INT64_MAX;
        bool found = false;

        code = ox_db_query(tx, &statement, err,
                           "SELECT at FROM events WHERE id >= $1 ORDER BY id LIMIT 1", "i", middle);
        if (code == OX_OK) {
            code = ox_db_one(tx, statement, read_id, &at_ms, &found, err);
        }
        if (at_ms < since_ms) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    if (code == OX_OK) {
        *after = low;
    }
    return code;
}

/* --- dropping --- */

enum ox_code ox_registry_events_trim(struct ox_tx *tx, uint64_t keep, int64_t before_ms, size_t max,
                                     bool *more, struct ox_err *err)
{
    struct ox_event_bounds bounds;
    int64_t last = 0;
    enum ox_code code = ox_registry_events_bounds(tx, &bounds, err);

    *more = false;
    if (code != OX_OK) {
        return code;
    }
    last = keep < (uint64_t)bounds.newest ? bounds.newest - (int64_t)keep : 0;
    if (bounds.oldest > bounds.newest || (bounds.oldest > last && bounds.oldest_ms >= before_ms)) {
        return OX_OK;
    }
    code = ox_db_run(tx, err,
                     "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT $1)"
                     " AND (id <= $2 OR at < $3)",
                     "uii", (uint64_t)max, last, before_ms);
    if (code == OX_OK) {
        *more = ox_db_changes(tx) > 0;
    }
    return code;
}

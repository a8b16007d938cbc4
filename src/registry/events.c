#include "db.h"

#include "oxide/registry/event.h"

#include <string.h>

/* Events that one call looks at where no index names those that match: some 2 ms. */
#define WINDOW 8192

#define COLUMNS "id, at, kind, device_id, campaign_id, model_id, actor, request_id, data"
#define RANGE " WHERE id > $1 AND id <= $2"

/* Where a subject is asked for, its index gives the rows in order. Each filter has texts of its
 * own, since one text is planned once. */
#define TEXTS(index, where)                                                                        \
    {                                                                                              \
        "SELECT " COLUMNS " FROM events " index RANGE where " ORDER BY id",                        \
            "SELECT " COLUMNS " FROM events " index RANGE where " ORDER BY id DESC"                \
    }
#define BY_DEVICE "INDEXED BY events_by_device"
#define BY_CAMPAIGN "INDEXED BY events_by_campaign"

static const struct {
    const char *forward;
    const char *backward;
} of_all = TEXTS("NOT INDEXED", ""), of_device = TEXTS(BY_DEVICE, " AND device_id = $3"),
  of_campaign = TEXTS(BY_CAMPAIGN, " AND campaign_id = $3"),
  of_both = TEXTS(BY_DEVICE, " AND device_id = $3 AND +campaign_id = $4");

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

bool ox_event_kind_matches(const char *kinds, const char *kind)
{
    if (kinds == NULL) {
        return true;
    }
    for (const char *at = kinds; *at != '\0'; at += strspn(at, ",")) {
        size_t len = strcspn(at, ",");

        if (len > 0 && strncmp(kind, at, len) == 0 && (kind[len] == '\0' || kind[len] == '.')) {
            return true;
        }
        at += len;
    }
    return false;
}

static bool is_indexed(const struct ox_event_filter *filter)
{
    return filter->device_id != NULL || filter->campaign_id != NULL;
}

/* Events in (after, upto], those of other kinds among them. */
static enum ox_code query(struct ox_tx *tx, const struct ox_event_filter *filter, int64_t after,
                          int64_t upto, bool backward, sqlite3_stmt **out, struct ox_err *err)
{
    if (filter->device_id != NULL && filter->campaign_id != NULL) {
        return ox_db_query(tx, out, err, backward ? of_both.backward : of_both.forward, "iiss",
                           after, upto, filter->device_id, filter->campaign_id);
    }
    if (filter->device_id != NULL) {
        return ox_db_query(tx, out, err, backward ? of_device.backward : of_device.forward, "iis",
                           after, upto, filter->device_id);
    }
    if (filter->campaign_id != NULL) {
        return ox_db_query(tx, out, err, backward ? of_campaign.backward : of_campaign.forward,
                           "iis", after, upto, filter->campaign_id);
    }
    return ox_db_query(tx, out, err, backward ? of_all.backward : of_all.forward, "ii", after,
                       upto);
}

/* Step to the next row of a kind that matches. */
static enum ox_code next_match(struct ox_tx *tx, sqlite3_stmt *statement, const char *kinds,
                               bool *found, struct ox_err *err)
{
    enum ox_code code;

    do {
        code = ox_db_step(tx, statement, found, err);
    } while (code == OX_OK && *found &&
             !ox_event_kind_matches(kinds, (const char *)sqlite3_column_text(statement, 2)));
    return code;
}

enum ox_code ox_registry_events(struct ox_tx *tx, const struct ox_event_filter *filter,
                                int64_t after, size_t limit, struct ox_event_row **rows,
                                size_t *count, int64_t *next, struct ox_err *err)
{
    struct ox_event_bounds bounds;
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    size_t used = 0;
    int64_t upto = 0;
    bool found = true;
    enum ox_code code = ox_registry_events_bounds(tx, &bounds, err);

    if (code == OX_OK) {
        after = after < bounds.oldest - 1 ? bounds.oldest - 1 : after;
        upto = bounds.newest;
        if (!is_indexed(filter) && upto - after > WINDOW) {
            upto = after + WINDOW;
        }
        code = ox_db_alloc(tx, limit * sizeof(**rows), &all, err);
    }
    if (code == OX_OK) {
        code = query(tx, filter, after, upto, false, &statement, err);
    }
    while (code == OX_OK && used < limit) {
        struct ox_db_row row = {tx, statement, 0, OX_OK, err};

        code = next_match(tx, statement, filter->kinds, &found, err);
        if (code != OX_OK || !found) {
            break;
        }
        read_event(&row, (struct ox_event_row *)all + used++);
        code = row.code;
    }
    (void)sqlite3_reset(statement);
    if (code == OX_OK) {
        *rows = all;
        *count = used;
        *next = used > 0 && used == limit ? (*rows)[used - 1].id : upto > after ? upto : after;
    }
    return code;
}

enum ox_code ox_registry_events_before_last(struct ox_tx *tx, const struct ox_event_filter *filter,
                                            size_t count, int64_t *after, struct ox_err *err)
{
    struct ox_event_bounds bounds;
    sqlite3_stmt *statement = NULL;
    int64_t first = 0;
    bool found = true;
    enum ox_code code = ox_registry_events_bounds(tx, &bounds, err);

    if (code == OX_OK) {
        first = bounds.newest + 1;
        code = query(tx, filter, 0, bounds.newest, true, &statement, err);
    }
    while (code == OX_OK && found && count > 0) {
        code = next_match(tx, statement, filter->kinds, &found, err);
        if (code == OX_OK && found) {
            first = sqlite3_column_int64(statement, 0);
            count--;
        }
    }
    (void)sqlite3_reset(statement);
    if (code == OX_OK) {
        *after = first - 1;
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
        code = ox_db_one(tx, statement, ox_db_read_i64, &bounds.newest, &found, err);
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
    struct ox_event_bounds bounds = {0};
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
            code = ox_db_one(tx, statement, ox_db_read_i64, &at_ms, &found, err);
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

#include "select.h"

#include "devices.h"
#include "filter_lex.h"

#include <string.h>

/* Devices up to which the rows of each are looked up; for more it pays to gather sets first. */
#define PAGE_MAX 5000

void ox_selecting_clear(struct ox_selecting *selecting)
{
    for (size_t i = 0; i < selecting->filter_count; i++) {
        ox_filter_free(selecting->filters[i]);
    }
    ox_sql_clear(&selecting->sql);
}

struct filtered_fleet {
    const char *id;
    const char *filter; /* NULL: a list */
};

static void read_filtered_fleet(struct ox_db_row *row, void *out)
{
    struct filtered_fleet *fleet = out;

    fleet->id = ox_db_text(row);
    fleet->filter = ox_db_text(row);
}

static enum ox_code put_filter(struct ox_selecting *selecting, const struct ox_filter *filter,
                               struct ox_err *err);

/* The condition of a fleet that has a filter. */
static enum ox_code put_fleet_filter(struct ox_selecting *selecting,
                                     const struct filtered_fleet *fleet, struct ox_err *err)
{
    struct ox_filter *filter = NULL;
    enum ox_code code;

    for (size_t i = 0; i < selecting->depth; i++) {
        if (strcmp(selecting->within[i], fleet->id) == 0) {
            return ox_err_set(err, OX_EINVAL,
                              "the filter of fleet %s leads back to fleet %s itself: ask for tags "
                              "there, not for fleets",
                              selecting->within[selecting->depth - 1], fleet->id);
        }
    }
    if (selecting->depth == OX_SELECT_NESTED_MAX ||
        selecting->filter_count == OX_SELECT_TESTS_MAX) {
        return ox_err_set(err, OX_EINVAL,
                          "fleet %s: its filter asks for fleets whose filters ask for fleets, more "
                          "than %d deep: ask for tags there",
                          fleet->id, OX_SELECT_NESTED_MAX);
    }
    code = ox_filter_parse(&filter, fleet->filter, err);
    if (code == OX_OK) {
        selecting->filters[selecting->filter_count++] = filter;
        selecting->within[selecting->depth++] = fleet->id;
        code = put_filter(selecting, filter, err);
        selecting->depth--;
    }
    if (code != OX_OK) {
        ox_err_context(err, "fleet %s", fleet->id);
    }
    return code;
}

/* A name that no fleet has is a slip that would select all or nothing. */
static enum ox_code check_names(struct ox_selecting *selecting, const struct ox_filter *filter,
                                const struct ox_filter_test *test, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && test->op != OX_FILTER_GLOB && i < test->count; i++) {
        const struct ox_filter_value *value = &filter->values[test->first + i];
        sqlite3_stmt *statement = NULL;
        bool found = false;

        code = ox_db_query(selecting->tx, &statement, err, "SELECT 1 FROM fleets WHERE id = $1",
                           "s", value->text);
        if (code == OX_OK && (code = ox_db_step(selecting->tx, statement, &found, err)) == OX_OK) {
            (void)sqlite3_reset(statement);
        }
        if (code == OX_OK && !found) {
            code = ox_filter_fault(err, value->column, "there is no fleet %.64s", value->text);
        }
    }
    return code;
}

/* Fleets with filters that a test of fleets means. */
static enum ox_code put_fleets(void *ctx, const struct ox_filter *filter,
                               const struct ox_filter_test *test, struct ox_sql *sql,
                               struct ox_err *err)
{
    struct ox_selecting *selecting = ctx;
    struct ox_sql query = {.count = 0};
    sqlite3_stmt *statement = NULL;
    struct filtered_fleet *fleets = NULL;
    void *rows = NULL;
    size_t count = 0;
    enum ox_code code;

    if ((code = check_names(selecting, filter, test, err)) == OX_OK &&
        (code = ox_sql_put(&query,
                           "SELECT x.id, x.filter FROM fleets x WHERE x.filter IS NOT NULL AND ",
                           NULL, err)) == OX_OK &&
        (code = ox_filter_sql_compare(filter, &selecting->moment, test, "x.id", NULL, &query,
                                      err)) == OX_OK &&
        (code = ox_sql_put(&query, " ORDER BY x.id", NULL, err)) == OX_OK &&
        (code = ox_buf_append(&query.text, "", 1, err)) == OX_OK &&
        (code = ox_db_once(selecting->tx, (const char *)query.text.data, query.values, query.count,
                           &statement, err)) == OX_OK) {
        code = ox_db_all(selecting->tx, statement, read_filtered_fleet, sizeof(*fleets), &rows,
                         &count, err);
    }
    ox_db_done(statement);
    ox_sql_clear(&query);
    fleets = rows;
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        if ((code = ox_sql_put(sql, " OR ", NULL, err)) == OX_OK) {
            code = put_fleet_filter(selecting, &fleets[i], err);
        }
    }
    return code;
}

static enum ox_code put_filter(struct ox_selecting *selecting, const struct ox_filter *filter,
                               struct ox_err *err)
{
    const struct ox_filter_fleets fleets = {selecting, put_fleets};

    selecting->live = selecting->live || ox_filter_is_live(filter);
    selecting->tests += filter->test_count;
    if (selecting->tests > OX_SELECT_TESTS_MAX) {
        return ox_err_set(err, OX_EINVAL,
                          "the filter and those of the fleets that it asks for have more than %d "
                          "comparisons together",
                          OX_SELECT_TESTS_MAX);
    }
    return ox_filter_sql(filter, &selecting->moment, &fleets, &selecting->sql, err);
}

static enum ox_code put_fleet(struct ox_selecting *selecting, const char *fleet_id,
                              struct ox_err *err)
{
    const struct ox_db_value id = {.type = OX_DB_TEXT, .text = fleet_id};
    struct filtered_fleet fleet = {NULL, NULL};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code = ox_db_query(selecting->tx, &statement, err,
                                    "SELECT id, filter FROM fleets WHERE id = $1", "s", fleet_id);

    if (code == OX_OK) {
        code = ox_db_one(selecting->tx, statement, read_filtered_fleet, &fleet, &found, err);
    }
    if (code == OX_OK && !found) {
        return ox_err_set(err, OX_ENOTFOUND, "there is no fleet %s: create it first", fleet_id);
    }
    if (code != OX_OK || fleet.filter != NULL) {
        return code != OX_OK ? code : put_fleet_filter(selecting, &fleet, err);
    }
    return ox_sql_put(&selecting->sql,
                      selecting->moment.one_by_one
                          ? "EXISTS (SELECT 1 FROM fleet_devices m WHERE m.device_id = d.id AND "
                            "m.fleet_id = @)"
                          : "d.id IN (SELECT m.device_id FROM fleet_devices m WHERE m.fleet_id = "
                            "@)",
                      &id, err);
}

enum ox_code ox_select_put(struct ox_selecting *selecting, const struct ox_selection *selection,
                           struct ox_err *err)
{
    struct ox_sql *sql = &selecting->sql;
    enum ox_code code;

    selecting->moment.now_ms = selection->now_ms;
    if ((code = ox_sql_put(sql, "TRUE", NULL, err)) != OX_OK ||
        (selection->fleet_id != NULL &&
         ((code = ox_sql_put(sql, " AND ", NULL, err)) != OX_OK ||
          (code = put_fleet(selecting, selection->fleet_id, err)) != OX_OK)) ||
        (selection->filter != NULL &&
         ((code = ox_sql_put(sql, " AND ", NULL, err)) != OX_OK ||
          (code = put_filter(selecting, selection->filter, err)) != OX_OK))) {
        return code;
    }
    return OX_OK;
}

/* "head WHERE <d is selected> tail" as a statement to step through. */
static enum ox_code prepare(struct ox_selecting *selecting, const struct ox_selection *selection,
                            const char *head, const struct ox_db_value *head_values,
                            const char *tail, const struct ox_db_value *tail_values,
                            sqlite3_stmt **out, struct ox_err *err)
{
    struct ox_sql *sql = &selecting->sql;
    enum ox_code code;

    if ((code = ox_sql_put(sql, head, head_values, err)) != OX_OK ||
        (code = ox_sql_put(sql, " WHERE ", NULL, err)) != OX_OK ||
        (code = ox_select_put(selecting, selection, err)) != OX_OK ||
        (code = ox_sql_put(sql, tail, tail_values, err)) != OX_OK ||
        (code = ox_buf_append(&sql->text, "", 1, err)) != OX_OK) {
        return code;
    }
    return ox_db_once(selecting->tx, (const char *)sql->text.data, sql->values, sql->count, out,
                      err);
}

static enum ox_code read_page(struct ox_tx *tx, const struct ox_selection *selection,
                              const char *head, const char *after, uint64_t limit,
                              ox_db_read_fn *read, size_t row_bytes, void **rows, size_t *count,
                              struct ox_err *err)
{
    const struct ox_db_value bounds[] = {
        {.type = OX_DB_TEXT, .text = after == NULL ? "" : after},
        {.type = OX_DB_INT, .number = limit > INT64_MAX ? INT64_MAX : (int64_t)limit}};
    struct ox_selecting selecting = {.tx = tx, .moment = {.one_by_one = limit < PAGE_MAX}};
    sqlite3_stmt *statement = NULL;
    enum ox_code code = prepare(&selecting, selection, head, NULL,
                                " AND d.id > @ ORDER BY d.id LIMIT @", bounds, &statement, err);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read, row_bytes, rows, count, err);
    }
    ox_db_done(statement);
    ox_selecting_clear(&selecting);
    return code;
}

enum ox_code ox_registry_selected(struct ox_tx *tx, const struct ox_selection *selection,
                                  const char *after, uint64_t limit, struct ox_device_row **rows,
                                  size_t *count, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = read_page(tx, selection, "SELECT " OX_DEVICE_COLUMNS " FROM devices d",
                                  after, limit, ox_device_read, sizeof(**rows), &all, count, err);

    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_registry_selected_ids(struct ox_tx *tx, const struct ox_selection *selection,
                                      const char *after, uint64_t limit, const char ***ids,
                                      size_t *count, struct ox_err *err)
{
    void *all = NULL;
    enum ox_code code = read_page(tx, selection, "SELECT d.id FROM devices d", after, limit,
                                  ox_db_read_text, sizeof(**ids), &all, count, err);

    if (code == OX_OK) {
        *ids = all;
    }
    return code;
}

enum ox_code ox_select_one(struct ox_tx *tx, const struct ox_selection *selection, const char *head,
                           const struct ox_db_value *head_values, const char *tail,
                           const struct ox_db_value *tail_values, ox_db_read_fn *read, void *out,
                           struct ox_err *err)
{
    struct ox_selecting selecting = {.tx = tx};
    sqlite3_stmt *statement = NULL;
    bool found = false;
    enum ox_code code =
        prepare(&selecting, selection, head, head_values, tail, tail_values, &statement, err);

    if (code == OX_OK) {
        code = ox_db_one(tx, statement, read, out, &found, err);
    }
    ox_db_done(statement);
    ox_selecting_clear(&selecting);
    return code;
}

enum ox_code ox_registry_selected_count(struct ox_tx *tx, const struct ox_selection *selection,
                                        uint64_t *out, struct ox_err *err)
{
    return ox_select_one(tx, selection, "SELECT count(*) FROM devices d", NULL, "", NULL,
                         ox_db_read_u64, out, err);
}

enum ox_code ox_registry_selected_has(struct ox_tx *tx, const struct ox_selection *selection,
                                      const char *device_id, bool *out, struct ox_err *err)
{
    const struct ox_db_value id = {.type = OX_DB_TEXT, .text = device_id};
    struct ox_selecting selecting = {.tx = tx, .moment = {.one_by_one = true}};
    sqlite3_stmt *statement = NULL;
    enum ox_code code = prepare(&selecting, selection, "SELECT 1 FROM devices d", NULL,
                                " AND d.id = @", &id, &statement, err);

    if (code == OX_OK) {
        code = ox_db_step(tx, statement, out, err);
    }
    ox_db_done(statement);
    ox_selecting_clear(&selecting);
    return code;
}

static void read_status(struct ox_db_row *row, void *out)
{
    struct ox_status_count *count = out;

    count->status = ox_db_text(row);
    count->devices = ox_db_u64(row);
}

enum ox_code ox_registry_selected_statuses(struct ox_tx *tx, const struct ox_selection *selection,
                                           struct ox_status_count **rows, size_t *count,
                                           struct ox_err *err)
{
    const struct ox_db_value now = {.type = OX_DB_INT, .number = selection->now_ms};
    struct ox_selecting selecting = {.tx = tx};
    sqlite3_stmt *statement = NULL;
    void *all = NULL;
    enum ox_code code =
        prepare(&selecting, selection,
                "SELECT " OX_DEVICE_STATUS_AT " AS now_status, count(*) FROM devices d", &now,
                " GROUP BY now_status", NULL, &statement, err);

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_status, sizeof(**rows), &all, count, err);
    }
    ox_db_done(statement);
    ox_selecting_clear(&selecting);
    if (code == OX_OK) {
        *rows = all;
    }
    return code;
}

enum ox_code ox_select_run(struct ox_tx *tx, const struct ox_selection *selection, const char *head,
                           const struct ox_db_value *head_values, const char *tail,
                           const struct ox_db_value *tail_values, struct ox_err *err)
{
    struct ox_selecting selecting = {.tx = tx};
    sqlite3_stmt *statement = NULL;
    bool row = false;
    enum ox_code code =
        prepare(&selecting, selection, head, head_values, tail, tail_values, &statement, err);

    if (code == OX_OK) {
        code = ox_db_step(tx, statement, &row, err);
    }
    ox_db_done(statement);
    ox_selecting_clear(&selecting);
    return code;
}

enum ox_code ox_registry_selection_is_live(struct ox_tx *tx, const struct ox_selection *selection,
                                           bool *out, struct ox_err *err)
{
    struct ox_selecting selecting = {.tx = tx};
    enum ox_code code = ox_select_put(&selecting, selection, err);

    if (code == OX_OK) {
        *out = selecting.live;
    }
    ox_selecting_clear(&selecting);
    return code;
}

enum ox_code ox_registry_fleets_check(struct ox_tx *tx, struct ox_err *err)
{
    struct filtered_fleet *fleets = NULL;
    sqlite3_stmt *statement = NULL;
    void *rows = NULL;
    size_t count = 0;
    enum ox_code code =
        ox_db_query(tx, &statement, err,
                    "SELECT id, filter FROM fleets WHERE filter IS NOT NULL ORDER BY id", "");

    if (code == OX_OK) {
        code = ox_db_all(tx, statement, read_filtered_fleet, sizeof(*fleets), &rows, &count, err);
    }
    fleets = rows;
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const struct ox_selection selection = {.fleet_id = fleets[i].id};
        bool live;

        code = ox_registry_selection_is_live(tx, &selection, &live, err);
    }
    return code;
}

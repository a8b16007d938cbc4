#include "touch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * To add a table: a row here. Answers to heartbeats are kept in memory only for devices without an
 * open place in any campaign (control/recall.h), so a table that matters only to what is open, or
 * to no answer at all, is TOUCHES_NONE. One whose rows belong to one device names its column, and
 * columns that no answer depends on are quiet: to write them touches nobody. When in doubt:
 * TOUCHES_ALL, which is also what a table without a row here does. An update that leaves every
 * other column as it was touches nobody either.
 */
enum touches { TOUCHES_ALL, TOUCHES_NONE, TOUCHES_DEVICE };
static const struct rule {
    const char *table;
    enum touches touches;
    const char *column; /* the device's id */
    const char *quiet;  /* " column column " */
} rules[] = {
    {"versions", TOUCHES_NONE, NULL, ""}, /* what is said of them; the next is what they are */
    {"artifacts", TOUCHES_ALL, NULL, ""},
    {"artifact_files", TOUCHES_NONE, NULL, ""}, /* written with artifacts */
    {"devices", TOUCHES_DEVICE, "id", " last_heartbeat metrics "},
    {"device_models", TOUCHES_DEVICE, "device_id", ""},
    {"fleets", TOUCHES_ALL, NULL, ""},
    {"fleet_devices", TOUCHES_DEVICE, "device_id", ""},
    {"fleet_desired", TOUCHES_ALL, NULL, ""},
    {"campaigns", TOUCHES_ALL, NULL, " last_success_at unnamed_bytes bytes_served "},
    {"campaign_devices", TOUCHES_DEVICE, "device_id", " bytes_served "},
    {"campaign_tallies", TOUCHES_NONE, NULL, ""}, /* written with campaign_devices, as the next */
    {"campaign_sums", TOUCHES_NONE, NULL, ""},
    {"device_instances", TOUCHES_NONE, NULL, ""}, /* what matters of it stands in devices */
    {"device_model_history", TOUCHES_NONE, NULL, ""},
    {"device_pins", TOUCHES_NONE, NULL, ""},
    {"pending_devices", TOUCHES_NONE, NULL, ""},
    {"quarantines", TOUCHES_DEVICE, "device_id", ""},
    {"delta_jobs", TOUCHES_NONE, NULL, ""},
    {"retention", TOUCHES_NONE, NULL, ""},
    {"events", TOUCHES_NONE, NULL, ""},
    {"webhooks", TOUCHES_NONE, NULL, ""},
    {"holds", TOUCHES_ALL, NULL, ""}, /* nothing is assigned while there is one */
};

static const struct rule *rule_of(const char *table)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (strcmp(rules[i].table, table) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}

bool ox_touch_knows(const char *table)
{
    return rule_of(table) != NULL;
}

/* --- noting --- */

static void touch_all(struct ox_touched *touched)
{
    ox_touched_clear(touched);
    touched->all = true;
}

static void touch(struct ox_touched *touched, const char *device_id)
{
    if (touched->all ||
        (touched->count > 0 && strcmp(touched->ids[touched->count - 1], device_id) == 0)) {
        return;
    }
    if (touched->count == OX_TOUCHED_MAX ||
        ox_strdup(&touched->ids[touched->count], device_id, NULL) != OX_OK) {
        touch_all(touched);
        return;
    }
    touched->count++;
}

/* ox_touch(ID), or ox_touch(NULL) for all: called by the triggers. */
static void run_touch(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct ox_touched *touched = sqlite3_user_data(context);
    const char *id = (const char *)sqlite3_value_text(values[0]);

    (void)count;
    if (id == NULL) {
        touch_all(touched);
    } else {
        touch(touched, id);
    }
}

void ox_touch_take(struct ox_connection *writer, struct ox_touched *out)
{
    *out = *writer->touched;
    *writer->touched = (struct ox_touched){.count = 0};
}

void ox_touched_clear(struct ox_touched *touched)
{
    for (size_t i = 0; i < touched->count; i++) {
        free(touched->ids[i]);
    }
    *touched = (struct ox_touched){.count = 0};
}

/* --- triggers --- */

static enum ox_code run(struct ox_connection *writer, const char *sql, struct ox_err *err)
{
    return sqlite3_exec(writer->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? OX_OK
               : ox_db_error(writer->db, "watching for changes", err);
}

/* "OLD.a IS NOT NEW.a OR ...": does an update change a column that is not quiet? */
static enum ox_code is_loud(struct ox_connection *writer, const char *table, const char *quiet,
                            struct ox_buf *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = OX_OK;
    int result;

    if (sqlite3_prepare_v2(writer->db, "SELECT name FROM pragma_table_info($1)", -1, &statement,
                           NULL) != SQLITE_OK ||
        sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC) != SQLITE_OK) {
        code = ox_db_error(writer->db, "watching for changes", err);
    }
    while (code == OX_OK && (result = sqlite3_step(statement)) != SQLITE_DONE) {
        char word[128];

        if (result != SQLITE_ROW) {
            code = ox_db_error(writer->db, "watching for changes", err);
            break;
        }
        (void)snprintf(word, sizeof(word), " %s ", sqlite3_column_text(statement, 0));
        if (strstr(quiet, word) == NULL) {
            code = ox_buf_printf(out, err, "%sOLD.%s IS NOT NEW.%s",
                                 out->len_bytes == 0 ? "" : " OR ", word + 1, word + 1);
        }
    }
    (void)sqlite3_finalize(statement);
    return code;
}

static enum ox_code watch_table(struct ox_connection *writer, const char *table, struct ox_err *err)
{
    static const struct rule unknown = {NULL, TOUCHES_ALL, NULL, ""};
    static const struct {
        const char *word;
        const char *row;
    } kinds[] = {{"INSERT", "NEW."}, {"UPDATE", "NEW."}, {"DELETE", "OLD."}};
    const struct rule *rule = rule_of(table) == NULL ? &unknown : rule_of(table);
    bool by_device = rule->touches == TOUCHES_DEVICE;
    struct ox_buf loud = OX_BUF_INIT;
    enum ox_code code;

    if (rule->touches == TOUCHES_NONE) {
        return OX_OK;
    }
    code = is_loud(writer, table, rule->quiet, &loud, err);
    for (size_t i = 0; code == OX_OK && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        bool update = strcmp(kinds[i].word, "UPDATE") == 0;
        char *sql = NULL;

        code = ox_strf(&sql, err,
                       "CREATE TEMP TRIGGER ox_touch_%s_%s AFTER %s ON main.%s%s%s"
                       " BEGIN SELECT ox_touch(%s%s); END",
                       table, kinds[i].word, kinds[i].word, table, update ? " WHEN " : "",
                       update ? (const char *)loud.data : "", by_device ? kinds[i].row : "",
                       by_device ? rule->column : "NULL");
        if (code == OX_OK) {
            code = run(writer, sql, err);
        }
        free(sql);
    }
    ox_buf_clear(&loud);
    return code;
}

enum ox_code ox_touch_install(struct ox_connection *writer, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    char *names[128];
    size_t count = 0;
    enum ox_code code = OX_OK;

    writer->touched = calloc(1, sizeof(*writer->touched));
    if (writer->touched == NULL) {
        return ox_err_nomem(err, "a registry");
    }
    if (sqlite3_create_function(writer->db, "ox_touch", 1, SQLITE_UTF8, writer->touched, run_touch,
                                NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(writer->db,
                           "SELECT name FROM main.sqlite_schema WHERE type = 'table'"
                           " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
                           -1, &statement, NULL) != SQLITE_OK) {
        code = ox_db_error(writer->db, "watching for changes", err);
    }
    /* All names before the first trigger: making one changes the schema under the query. */
    while (code == OX_OK && count < sizeof(names) / sizeof(names[0]) &&
           sqlite3_step(statement) == SQLITE_ROW) {
        code = ox_strdup(&names[count], (const char *)sqlite3_column_text(statement, 0), err);
        count += code == OX_OK;
    }
    (void)sqlite3_finalize(statement);
    if (code == OX_OK && count == sizeof(names) / sizeof(names[0])) {
        code = ox_err_set(err, OX_EINTERNAL, "registry: more tables than can be watched");
    }
    for (size_t i = 0; i < count; i++) {
        if (code == OX_OK) {
            code = watch_table(writer, names[i], err);
        }
        free(names[i]);
    }
    return code;
}

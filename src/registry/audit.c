#include "oxide/registry/audit.h"

#include "db.h"
#include "invariants.h"
#include "migrations.h"

#include "oxide/base/buf.h"
#include "oxide/base/percent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Instructions of SQLite's machine between two looks at the stop: some milliseconds. */
#define STEPS_BETWEEN 100000

/* Rows of a damaged database that are told. */
#define DAMAGE_MAX "100"

#define HINT_DAMAGED                                                                               \
    "stop the server, keep the file, and restore a backup (docs/backup.md); blobs are not "        \
    "concerned"

struct ox_audit {
    struct ox_connection connection;
    struct ox_stop *stop;
    int schema;
};

/* --- opening --- */

static int is_stopped(void *ctx)
{
    return ox_stop_requested(ctx);
}

/* What SQLite said, or that it was interrupted because we were asked to stop. */
static enum ox_code db_error(const struct ox_audit *audit, const char *doing, struct ox_err *err)
{
    return ox_stop_requested(audit->stop) ? ox_err_set(err, OX_ECANCELED, "stopped")
                                          : ox_db_error(audit->connection.db, doing, err);
}

static enum ox_code make_uri(const char *path, bool immutable, struct ox_buf *out,
                             struct ox_err *err)
{
    static const char front[] = "file:";
    const char *back = immutable ? "?immutable=1" : "";
    enum ox_code code = ox_buf_append(out, front, sizeof(front) - 1, err);

    if (code == OX_OK) {
        code = ox_percent_encode(out, path, err);
    }
    if (code == OX_OK) {
        code = ox_buf_append(out, back, strlen(back) + 1, err);
    }
    return code;
}

static enum ox_code open_as(struct ox_audit *audit, const char *path, bool immutable,
                            struct ox_err *err)
{
    struct ox_buf uri = OX_BUF_INIT;
    enum ox_code code = make_uri(path, immutable, &uri, err);

    if (code == OX_OK) {
        code = ox_db_open_as_is(&audit->connection, (const char *)uri.data, err);
    }
    ox_buf_clear(&uri);
    return code;
}

/* A log that is not empty holds what the database does not say yet. */
static bool has_log(const char *path)
{
    struct stat st;
    char *log = NULL;
    bool has =
        ox_strf(&log, NULL, "%s-wal", path) != OX_OK || (stat(log, &st) == 0 && st.st_size > 0);

    free(log);
    return has;
}

static enum ox_code check_kind(const char *path, struct ox_err *err)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        return ox_err_sys(err, errno, "opening %s", path);
    }
    return S_ISREG(st.st_mode) ? OX_OK : ox_err_set(err, OX_ECORRUPT, "%s is no file", path);
}

enum ox_code ox_audit_open(struct ox_audit **out, const char *path, struct ox_stop *stop,
                           struct ox_err *err)
{
    struct ox_audit *audit = NULL;
    enum ox_code code = check_kind(path, err);

    if (code != OX_OK) {
        return code;
    }
    audit = calloc(1, sizeof(*audit));
    if (audit == NULL) {
        return ox_err_nomem(err, "a registry");
    }
    audit->stop = stop;
    code = open_as(audit, path, false, err);
    if (code == OX_EPERM && !has_log(path)) {
        /* In a folder where no log can be made, as of a mounted image, nobody writes either. */
        ox_db_close(&audit->connection);
        audit->connection = (struct ox_connection){.count = 0};
        code = open_as(audit, path, true, err);
    }
    if (code == OX_OK && stop != NULL) {
        sqlite3_progress_handler(audit->connection.db, STEPS_BETWEEN, is_stopped, stop);
    }
    if (code == OX_OK) {
        code = ox_db_schema(&audit->connection, &audit->schema, err);
    }
    if (code != OX_OK) {
        ox_audit_close(audit);
        return code;
    }
    *out = audit;
    return OX_OK;
}

void ox_audit_close(struct ox_audit *audit)
{
    if (audit != NULL) {
        ox_db_close(&audit->connection);
        free(audit);
    }
}

int ox_audit_schema(const struct ox_audit *audit)
{
    return audit->schema;
}

int ox_audit_schema_newest(void)
{
    return ox_migrations_count == 0 ? 0 : ox_migrations[ox_migrations_count - 1].number;
}

enum ox_code ox_audit_begin(struct ox_audit *audit, struct ox_tx *tx, struct ox_err *err)
{
    enum ox_code code;

    (void)pthread_mutex_lock(&audit->connection.lock);
    *tx = (struct ox_tx){&audit->connection, NULL};
    code = ox_db_run(tx, err, "BEGIN", "");
    if (code != OX_OK) {
        ox_registry_end(tx);
    }
    return code;
}

/* --- rows --- */

/* What is done with a row of a query; the columns are text, NULL for null. */
typedef void take_row(struct ox_checkup *checkup, const char *const *columns,
                      const struct ox_invariant *rule);

#define COLUMNS_MAX 4

static enum ox_code each_row(struct ox_audit *audit, const char *sql, take_row *take,
                             const struct ox_invariant *rule, struct ox_checkup *checkup,
                             struct ox_err *err)
{
    const char *columns[COLUMNS_MAX] = {NULL};
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(audit->connection.db, sql, -1, &statement, NULL);
    enum ox_code code = OX_OK;

    if (result == SQLITE_OK && sqlite3_bind_parameter_count(statement) > 0) {
        result = sqlite3_bind_int64(statement, 1, checkup->now_ms);
    }
    while (result == SQLITE_OK || result == SQLITE_ROW) {
        result = sqlite3_step(statement);
        if (result == SQLITE_ROW) {
            int count = sqlite3_column_count(statement);

            for (int i = 0; i < count && i < COLUMNS_MAX; i++) {
                columns[i] = (const char *)sqlite3_column_text(statement, i);
            }
            take(checkup, columns, rule);
        }
    }
    if (result != SQLITE_DONE) {
        code = db_error(audit, rule == NULL ? "examining it" : rule->name, err);
    }
    (void)sqlite3_finalize(statement);
    return code;
}

/* A database that is damaged fails in the middle of a query, too: that is a finding. */
static enum ox_code keep_damage(struct ox_checkup *checkup, enum ox_code code,
                                const struct ox_err *found)
{
    if (code != OX_ECORRUPT && code != OX_EIO && code != OX_EINTERNAL) {
        return code;
    }
    ox_checkup_find(checkup, OX_SEVERITY_ERROR, "registry.db", HINT_DAMAGED, "%s", found->msg);
    return OX_OK;
}

/* --- the database itself --- */

static void take_damage(struct ox_checkup *checkup, const char *const *columns,
                        const struct ox_invariant *rule)
{
    (void)rule;
    if (columns[0] != NULL && strcmp(columns[0], "ok") != 0) {
        ox_checkup_find(checkup, OX_SEVERITY_ERROR, "registry.db", HINT_DAMAGED,
                        "the database is damaged: %s", columns[0]);
    }
}

static void take_reference(struct ox_checkup *checkup, const char *const *columns,
                           const struct ox_invariant *rule)
{
    char where[128];

    (void)rule;
    (void)snprintf(where, sizeof(where), "table %.80s, row %.30s",
                   columns[0] == NULL ? "?" : columns[0], columns[1] == NULL ? "?" : columns[1]);
    ox_checkup_find(checkup, OX_SEVERITY_ERROR, where,
                    "the server may fail where it meets it: restore a backup (docs/backup.md)",
                    "it refers to a row of %s that does not exist",
                    columns[2] == NULL ? "?" : columns[2]);
}

enum ox_code ox_audit_database(struct ox_audit *audit, struct ox_checkup *checkup,
                               struct ox_err *err)
{
    struct ox_err found = OX_ERR_INIT;
    const char *sql = checkup->quick ? "PRAGMA quick_check(" DAMAGE_MAX ")"
                                     : "PRAGMA integrity_check(" DAMAGE_MAX ")";
    enum ox_code code = each_row(audit, sql, take_damage, NULL, checkup, &found);

    if (code == OX_OK) {
        code = each_row(audit, "PRAGMA foreign_key_check", take_reference, NULL, checkup, &found);
    }
    ox_checkup_looked(checkup, 1);
    code = keep_damage(checkup, code, &found);
    if (code != OX_OK && err != NULL) {
        *err = found;
    }
    return code;
}

/* --- what must be so --- */

static void take_violation(struct ox_checkup *checkup, const char *const *columns,
                           const struct ox_invariant *rule)
{
    ox_checkup_find(checkup, rule->severity, columns[0] == NULL ? "?" : columns[0], rule->hint,
                    "%s", columns[1] == NULL ? "?" : columns[1]);
}

static enum ox_code mend(struct ox_registry *registry, const struct ox_invariant *rule,
                         struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK &&
        sqlite3_exec(tx.connection->db, rule->fix, NULL, NULL, NULL) != SQLITE_OK) {
        code = ox_db_error(tx.connection->db, rule->name, err);
    }
    if (code == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_audit_rules(struct ox_audit *audit, struct ox_registry *registry,
                            struct ox_checkup *checkup, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < ox_invariants_count; i++) {
        const struct ox_invariant *rule = &ox_invariants[i];
        const struct ox_checkup mark = *checkup;
        struct ox_err found = OX_ERR_INIT;

        if (rule->stopped && checkup->in_use) {
            continue;
        }
        code = each_row(audit, rule->sql, take_violation, rule, checkup, &found);
        if (code == OX_OK && registry != NULL && rule->fix != NULL && checkup->count > mark.count) {
            code = mend(registry, rule, &found);
            if (code == OX_OK) {
                ox_checkup_mend(checkup, &mark);
            }
        }
        ox_checkup_looked(checkup, 1);
        code = keep_damage(checkup, code, &found);
        if (code != OX_OK && err != NULL) {
            *err = found;
        }
    }
    return code;
}

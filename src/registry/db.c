#include "db.h"

#include "migrations.h"

#include "oxide/registry/natural.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Another process (a backup) may hold a lock for a moment. */
#define BUSY_TIMEOUT_MS 10000

#define STATEMENT_SLOTS ((size_t)2 * OX_DB_STATEMENTS_MAX)

struct ox_tx_block {
    struct ox_tx_block *next;
    max_align_t data[];
};

enum ox_code ox_db_error(sqlite3 *db, const char *doing, struct ox_err *err)
{
    int result = db == NULL ? SQLITE_NOMEM : sqlite3_extended_errcode(db);
    const char *said = db == NULL ? "out of memory" : sqlite3_errmsg(db);

    switch (result & 0xff) {
    case SQLITE_FULL:
        return ox_err_set(err, OX_ENOSPC, "registry: %s: the disk is full: free space", doing);
    case SQLITE_NOMEM:
        return ox_err_nomem(err, "the registry");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ox_err_set(err, OX_EBUSY, "registry: %s: another process holds the database: end it",
                          doing);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ox_err_set(err, OX_ECORRUPT,
                          "registry: %s: the database is damaged (%s): restore registry.db from a "
                          "backup; the blobs beside it are not concerned",
                          doing, said);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
        return ox_err_set(err, OX_EPERM,
                          "registry: %s: %s: look at owner and mode of the data folder", doing,
                          said);
    case SQLITE_IOERR:
        return ox_err_set(err, OX_EIO, "registry: %s: %s: look at the disk", doing, said);
    default:
        return ox_err_set(err, OX_EINTERNAL, "registry: %s: %s", doing, said);
    }
}

/* --- opening --- */

static enum ox_code run_text(struct ox_connection *connection, const char *sql, const char *doing,
                             struct ox_err *err)
{
    return sqlite3_exec(connection->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? OX_OK
               : ox_db_error(connection->db, doing, err);
}

/* ox_natural(a, b): less than, equal to or greater than 0, by the order of version names. */
static void sql_natural(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    const char *a = (const char *)sqlite3_value_text(argv[0]);
    const char *b = (const char *)sqlite3_value_text(argv[argc - 1]);

    if (a != NULL && b != NULL) { /* else null */
        sqlite3_result_int(context,
                           ox_natural_compare(a, (size_t)sqlite3_value_bytes(argv[0]), b,
                                              (size_t)sqlite3_value_bytes(argv[argc - 1])));
    }
}

static enum ox_code open_file(struct ox_connection *connection, const char *path, int flags,
                              struct ox_err *err)
{
    (void)pthread_mutex_init(&connection->lock, NULL);
    if (sqlite3_open_v2(path, &connection->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        return ox_db_error(connection->db, "opening", err);
    }
    (void)sqlite3_extended_result_codes(connection->db, 1);
    (void)sqlite3_busy_timeout(connection->db, BUSY_TIMEOUT_MS);
    if (sqlite3_create_function_v2(connection->db, "ox_natural", 2,
                                   SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sql_natural, NULL,
                                   NULL, NULL) != SQLITE_OK) {
        return ox_db_error(connection->db, "opening", err);
    }
    return OX_OK;
}

enum ox_code ox_db_open_as_is(struct ox_connection *connection, const char *uri, struct ox_err *err)
{
    enum ox_code code = open_file(connection, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);

    if (code == OX_OK) {
        code = run_text(connection,
                        "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;"
                        "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;"
                        "SELECT count(*) FROM sqlite_schema",
                        "opening", err);
    }
    return code;
}

enum ox_code ox_db_open(struct ox_connection *connection, const char *path, bool read_only,
                        struct ox_err *err)
{
    /* Both open for writing: a reader of a WAL database needs its shared memory file. */
    int flags = SQLITE_OPEN_READWRITE | (read_only ? 0 : SQLITE_OPEN_CREATE);
    enum ox_code code = open_file(connection, path, flags, err);

    if (code != OX_OK) {
        return code;
    }
    code = run_text(connection,
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                    "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                    "PRAGMA temp_store = MEMORY;",
                    "opening", err);
    if (code == OX_OK && read_only) {
        code = run_text(connection, "PRAGMA query_only = ON;", "opening", err);
    }
    return code;
}

void ox_db_close(struct ox_connection *connection)
{
    for (size_t i = 0; i < STATEMENT_SLOTS; i++) {
        (void)sqlite3_finalize(connection->statements[i].handle);
    }
    (void)sqlite3_close(connection->db);
    (void)pthread_mutex_destroy(&connection->lock);
}

enum ox_code ox_db_schema(struct ox_connection *connection, int *out, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = OX_OK;

    if (sqlite3_prepare_v2(connection->db, "PRAGMA user_version", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        code = ox_db_error(connection->db, "reading the schema's version", err);
    } else {
        *out = sqlite3_column_int(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    return code;
}

/* Does every row that another refers to stand there? */
static enum ox_code check_references(struct ox_connection *connection, const char *name,
                                     struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = OX_OK;
    int result = sqlite3_prepare_v2(connection->db, "PRAGMA foreign_key_check", -1, &statement,
                                    NULL) == SQLITE_OK
                     ? sqlite3_step(statement)
                     : SQLITE_ERROR;

    if (result == SQLITE_ROW) {
        code = ox_err_set(err, OX_ECORRUPT,
                          "registry: %s: a row of table %s refers to none: restore registry.db "
                          "from a backup",
                          name, sqlite3_column_text(statement, 0));
    } else if (result != SQLITE_DONE) {
        code = ox_db_error(connection->db, name, err);
    }
    (void)sqlite3_finalize(statement);
    return code;
}

/* Foreign keys are off meanwhile, so that a migration may make a table anew under its name without
 * taking along what refers to it; what refers to nothing at the end undoes it. The pragma has no
 * effect within a transaction. Source: sqlite.org/lang_altertable.html, section 7. */
static enum ox_code migrate_one(struct ox_connection *connection,
                                const struct ox_migration *migration, struct ox_err *err)
{
    char pragma[64];
    enum ox_code code = run_text(connection, "PRAGMA foreign_keys = OFF", migration->name, err);

    if (code == OX_OK) {
        code = run_text(connection, "BEGIN IMMEDIATE", migration->name, err);
    }
    (void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d; COMMIT", migration->number);
    if (code == OX_OK &&
        ((code = run_text(connection, migration->sql, migration->name, err)) != OX_OK ||
         (code = check_references(connection, migration->name, err)) != OX_OK ||
         (code = run_text(connection, pragma, migration->name, err)) != OX_OK)) {
        (void)sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return code == OX_OK ? run_text(connection, "PRAGMA foreign_keys = ON", migration->name, err)
                         : code;
}

enum ox_code ox_db_migrate(struct ox_connection *connection, struct ox_err *err)
{
    int newest = ox_migrations_count == 0 ? 0 : ox_migrations[ox_migrations_count - 1].number;
    int version = 0;
    enum ox_code code = ox_db_schema(connection, &version, err);

    if (code == OX_OK && version > newest) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "registry: its schema is number %d, this release knows up to %d: run the "
                          "newer oxide that wrote it, or restore an older backup",
                          version, newest);
    }
    for (size_t i = 0; code == OX_OK && i < ox_migrations_count; i++) {
        if (ox_migrations[i].number > version) {
            code = migrate_one(connection, &ox_migrations[i], err);
        }
    }
    return code;
}

/* --- memory of a transaction --- */

enum ox_code ox_db_alloc(struct ox_tx *tx, size_t len_bytes, void **out, struct ox_err *err)
{
    struct ox_tx_block *block = calloc(1, sizeof(*block) + len_bytes);

    if (block == NULL) {
        return ox_err_nomem(err, "rows of the registry");
    }
    block->next = tx->blocks;
    tx->blocks = block;
    *out = block->data;
    return OX_OK;
}

void ox_db_free(struct ox_tx *tx)
{
    while (tx->blocks != NULL) {
        struct ox_tx_block *next = tx->blocks->next;

        free(tx->blocks);
        tx->blocks = next;
    }
}

/* --- statements --- */

/* The statement's slot, or the free one where it would stand. */
static struct ox_db_statement *find_slot(struct ox_connection *connection, const char *sql)
{
    size_t at = (size_t)(((uint64_t)(uintptr_t)sql * 0x9e3779b97f4a7c15u) >> 32) % STATEMENT_SLOTS;

    while (connection->statements[at].sql != NULL && connection->statements[at].sql != sql) {
        at = (at + 1) % STATEMENT_SLOTS;
    }
    return &connection->statements[at];
}

static enum ox_code prepare(struct ox_connection *connection, const char *sql, sqlite3_stmt **out,
                            struct ox_err *err)
{
    sqlite3_stmt *handle = NULL;
    struct ox_db_statement *slot = find_slot(connection, sql);

    if (slot->sql != NULL) {
        *out = slot->handle;
        return OX_OK;
    }
    if (connection->count == OX_DB_STATEMENTS_MAX) {
        return ox_err_set(err, OX_EINTERNAL, "registry: more statements than there is room for");
    }
    if (sqlite3_prepare_v3(connection->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, NULL) !=
        SQLITE_OK) {
        return ox_db_error(connection->db, "preparing a query", err);
    }
    *slot = (struct ox_db_statement){sql, handle};
    connection->count++;
    *out = handle;
    return OX_OK;
}

static int bind_digest(sqlite3_stmt *statement, int index, const struct ox_digest *digest)
{
    char hex[OX_DIGEST_HEX_MAX];

    return digest == NULL ? sqlite3_bind_null(statement, index)
                          : sqlite3_bind_text(statement, index, ox_digest_hex(digest, hex),
                                              OX_DIGEST_HEX_MAX - 1, SQLITE_TRANSIENT);
}

static enum ox_code bind_all(struct ox_tx *tx, sqlite3_stmt *statement, const char *types,
                             va_list args, struct ox_err *err)
{
    for (int i = 1; types[i - 1] != '\0'; i++) {
        int result = SQLITE_MISUSE;
        uint64_t number;

        switch (types[i - 1]) {
        case 's':
            result =
                sqlite3_bind_text(statement, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
            break;
        case 'i':
            result = sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
            break;
        case 'u':
            number = va_arg(args, uint64_t);
            if (number > INT64_MAX) {
                return ox_err_set(err, OX_ETOOBIG, "%" PRIu64 " is too large a number to be kept",
                                  number);
            }
            result = sqlite3_bind_int64(statement, i, (sqlite3_int64)number);
            break;
        case 'd':
            result = bind_digest(statement, i, va_arg(args, const struct ox_digest *));
            break;
        default:
            break;
        }
        if (result != SQLITE_OK) {
            return ox_db_error(tx->connection->db, "binding a value", err);
        }
    }
    return OX_OK;
}

static enum ox_code query(struct ox_tx *tx, sqlite3_stmt **out, const char *sql, const char *types,
                          va_list args, struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = prepare(tx->connection, sql, &statement, err);

    if (code != OX_OK) {
        return code;
    }
    (void)sqlite3_reset(statement);
    code = bind_all(tx, statement, types, args, err);
    if (code == OX_OK) {
        *out = statement;
    }
    return code;
}

enum ox_code ox_db_query(struct ox_tx *tx, sqlite3_stmt **out, struct ox_err *err, const char *sql,
                         const char *types, ...)
{
    va_list args;
    enum ox_code code;

    va_start(args, types);
    code = query(tx, out, sql, types, args, err);
    va_end(args);
    return code;
}

enum ox_code ox_db_step(struct ox_tx *tx, sqlite3_stmt *statement, bool *row, struct ox_err *err)
{
    int result = sqlite3_step(statement);
    enum ox_code code = OX_OK;

    *row = result == SQLITE_ROW;
    if (result != SQLITE_ROW) {
        if ((result & 0xff) == SQLITE_CONSTRAINT) {
            code =
                ox_err_set(err, OX_ECONFLICT, "registry: %s", sqlite3_errmsg(tx->connection->db));
        } else if (result != SQLITE_DONE) {
            code = ox_db_error(tx->connection->db, "running a query", err);
        }
        (void)sqlite3_reset(statement);
    }
    return code;
}

enum ox_code ox_db_run(struct ox_tx *tx, struct ox_err *err, const char *sql, const char *types,
                       ...)
{
    sqlite3_stmt *statement = NULL;
    bool row = false;
    va_list args;
    enum ox_code code;

    va_start(args, types);
    code = query(tx, &statement, sql, types, args, err);
    va_end(args);
    return code == OX_OK ? ox_db_step(tx, statement, &row, err) : code;
}

static int bind_value(sqlite3_stmt *statement, int index, const struct ox_db_value *value)
{
    switch (value->type) {
    case OX_DB_TEXT:
        return sqlite3_bind_text(statement, index, value->text, -1, SQLITE_STATIC);
    case OX_DB_INT:
        return sqlite3_bind_int64(statement, index, value->number);
    case OX_DB_REAL:
        return sqlite3_bind_double(statement, index, value->real);
    }
    return SQLITE_MISUSE;
}

enum ox_code ox_db_once(struct ox_tx *tx, const char *sql, const struct ox_db_value *values,
                        size_t count, sqlite3_stmt **out, struct ox_err *err)
{
    sqlite3 *db = tx->connection->db;
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    for (size_t i = 0; result == SQLITE_OK && i < count; i++) {
        result = bind_value(statement, (int)i + 1, &values[i]);
    }
    if (result != SQLITE_OK) {
        enum ox_code code = ox_db_error(db, "preparing a query", err);

        (void)sqlite3_finalize(statement);
        return code;
    }
    *out = statement;
    return OX_OK;
}

void ox_db_done(sqlite3_stmt *statement)
{
    (void)sqlite3_finalize(statement);
}

int64_t ox_db_changes(const struct ox_tx *tx)
{
    return sqlite3_changes(tx->connection->db);
}

/* --- rows --- */

const char *ox_db_text(struct ox_db_row *row)
{
    int column = row->column++;
    const unsigned char *text = sqlite3_column_text(row->statement, column);
    size_t len = text == NULL ? 0 : (size_t)sqlite3_column_bytes(row->statement, column);
    void *copy = NULL;
    enum ox_code code;

    if (text == NULL) {
        return NULL;
    }
    code = ox_db_alloc(row->tx, len + 1, &copy, row->err);
    if (code != OX_OK) {
        row->code = code;
        return "";
    }
    memcpy(copy, text, len);
    return copy;
}

int64_t ox_db_i64(struct ox_db_row *row)
{
    return sqlite3_column_int64(row->statement, row->column++);
}

uint64_t ox_db_u64(struct ox_db_row *row)
{
    int64_t value = ox_db_i64(row);

    return value < 0 ? 0 : (uint64_t)value;
}

bool ox_db_digest(struct ox_db_row *row, struct ox_digest *out)
{
    int column = row->column++;
    const unsigned char *text = sqlite3_column_text(row->statement, column);

    if (text == NULL) {
        return false;
    }
    if (ox_digest_parse((const char *)text, out, NULL) != OX_OK) {
        row->code = ox_err_set(row->err, OX_ECORRUPT,
                               "registry: a digest in the database is damaged: restore it from a "
                               "backup");
    }
    return true;
}

enum ox_code ox_db_one(struct ox_tx *tx, sqlite3_stmt *statement, ox_db_read_fn *read, void *out,
                       bool *found, struct ox_err *err)
{
    struct ox_db_row row = {tx, statement, 0, OX_OK, err};
    enum ox_code code = ox_db_step(tx, statement, found, err);

    if (code == OX_OK && *found) {
        read(&row, out);
        code = row.code;
        (void)sqlite3_reset(statement);
    }
    return code;
}

enum ox_code ox_db_get(struct ox_tx *tx, ox_db_read_fn *read, void *out, struct ox_err *err,
                       const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    va_list args;
    enum ox_code code;

    va_start(args, types);
    code = query(tx, &statement, sql, types, args, err);
    va_end(args);
    return code == OX_OK ? ox_db_one(tx, statement, read, out, &found, err) : code;
}

void ox_db_read_u64(struct ox_db_row *row, void *out)
{
    *(uint64_t *)out = ox_db_u64(row);
}

void ox_db_read_i64(struct ox_db_row *row, void *out)
{
    *(int64_t *)out = ox_db_i64(row);
}

void ox_db_read_bool(struct ox_db_row *row, void *out)
{
    *(bool *)out = ox_db_i64(row) != 0;
}

void ox_db_read_text(struct ox_db_row *row, void *out)
{
    *(const char **)out = ox_db_text(row);
}

enum ox_code ox_db_all(struct ox_tx *tx, sqlite3_stmt *statement, ox_db_read_fn *read,
                       size_t row_bytes, void **rows, size_t *count, struct ox_err *err)
{
    char *array = NULL;
    size_t room = 0;
    size_t used = 0;
    void *kept = NULL;
    bool found = true;
    enum ox_code code = OX_OK;

    while (code == OX_OK) {
        struct ox_db_row row = {tx, statement, 0, OX_OK, err};

        code = ox_db_step(tx, statement, &found, err);
        if (code != OX_OK || !found) {
            break;
        }
        if (used == room) {
            char *grown;

            room = room == 0 ? 16 : room * 2;
            grown = realloc(array, room * row_bytes);
            if (grown == NULL) {
                code = ox_err_nomem(err, "rows of the registry");
                break;
            }
            array = grown;
        }
        memset(array + used * row_bytes, 0, row_bytes);
        read(&row, array + used * row_bytes);
        used++;
        code = row.code;
    }
    (void)sqlite3_reset(statement);
    if (code == OX_OK) {
        code = ox_db_alloc(tx, used * row_bytes, &kept, err);
    }
    if (code == OX_OK) {
        if (used > 0) {
            memcpy(kept, array, used * row_bytes);
        }
        *rows = kept;
        *count = used;
    }
    free(array);
    return code;
}

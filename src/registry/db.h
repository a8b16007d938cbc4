/** SQLite beneath the queries: connections, the schema, statements, rows. */
#ifndef OX_REGISTRY_DB_H
#define OX_REGISTRY_DB_H

#include "oxide/registry/artifact.h"
#include "oxide/registry/campaign.h"
#include "oxide/registry/device.h"
#include "oxide/registry/fleet.h"
#include "oxide/registry/job.h"
#include "oxide/registry/registry.h"

#include <pthread.h>
#include <sqlite3.h>

/** Statements stay prepared, found by the address of their text: queries are string literals. The
 *  table is open-addressed and never more than half full. */
#define OX_DB_STATEMENTS_MAX 512
struct ox_db_statement {
    const char *sql;
    sqlite3_stmt *handle;
};
struct ox_connection {
    pthread_mutex_t lock; /* of the writer: held from begin to commit or end */
    struct ox_registry *registry;
    struct ox_touched *touched; /* of the writer (touch.h); NULL: it only reads */
    sqlite3 *db;
    struct ox_db_statement statements[2 * OX_DB_STATEMENTS_MAX];
    size_t count;
    bool events_added;                   /* since the last commit */
    void (*events_committed)(void *ctx); /* NULL: nobody watches */
    void *events_ctx;
};

/** Turn a result of SQLite into an error that says what to do. */
enum ox_code ox_db_error(sqlite3 *db, const char *doing, struct ox_err *err);

OX_MUST_USE enum ox_code ox_db_open(struct ox_connection *connection, const char *path,
                                    bool read_only, struct ox_err *err);
/** Only to read, at a URI (sqlite.org/uri.html), in whatever mode and schema it is; a damaged head
 * is told at once. */
OX_MUST_USE enum ox_code ox_db_open_as_is(struct ox_connection *connection, const char *uri,
                                          struct ox_err *err);
void ox_db_close(struct ox_connection *connection);
/** The file of an open registry, lent. */
const char *ox_db_file(struct ox_registry *registry);
/** The number of a database's schema. */
OX_MUST_USE enum ox_code ox_db_schema(struct ox_connection *connection, int *out,
                                      struct ox_err *err);
/** snapshot.c: remove what a backup left that was killed. */
void ox_snapshot_sweep(const char *registry_path);
OX_MUST_USE enum ox_code ox_db_migrate(struct ox_connection *connection, struct ox_err *err);

/**
 * Prepare `sql` (a string literal) and bind its parameters, one per letter of `types`:
 * s const char * (NULL is null), i int64_t, u uint64_t (at most 2^63 - 1), d const struct ox_digest
 * * (NULL is null). They are written $1, $2, ... in the order of their first use, as PostgreSQL
 * does.
 */
OX_MUST_USE enum ox_code ox_db_query(struct ox_tx *tx, sqlite3_stmt **out, struct ox_err *err,
                                     const char *sql, const char *types, ...);
/** The next row: *row is false behind the last one. The statement is reset then and on errors. */
OX_MUST_USE enum ox_code ox_db_step(struct ox_tx *tx, sqlite3_stmt *statement, bool *row,
                                    struct ox_err *err);
/** Run a statement that returns no rows. */
OX_MUST_USE enum ox_code ox_db_run(struct ox_tx *tx, struct ox_err *err, const char *sql,
                                   const char *types, ...);
/** A value of a statement that is made while the process runs. */
struct ox_db_value {
    enum { OX_DB_TEXT, OX_DB_INT, OX_DB_REAL } type;
    const char *text; /* lent until the statement is done; NULL is null */
    int64_t number;
    double real;
};
/** Prepare `sql` for this once, its parameters ?1, ?2, ... bound. The caller ends it with
 *  ox_db_done. Errors: OX_ETOOBIG if it is more than the database takes. */
OX_MUST_USE enum ox_code ox_db_once(struct ox_tx *tx, const char *sql,
                                    const struct ox_db_value *values, size_t count,
                                    sqlite3_stmt **out, struct ox_err *err);
/** NULL is fine. */
void ox_db_done(sqlite3_stmt *statement);

/** Rows that the last statement changed. */
int64_t ox_db_changes(const struct ox_tx *tx);

/** Memory that lives as long as the transaction, zeroed. */
OX_MUST_USE enum ox_code ox_db_alloc(struct ox_tx *tx, size_t len_bytes, void **out,
                                     struct ox_err *err);
/** Free it. */
void ox_db_free(struct ox_tx *tx);

/** Columns of a row. Reading goes on after an error, which is kept: check `code` at the end. */
struct ox_db_row {
    struct ox_tx *tx;
    sqlite3_stmt *statement;
    int column; /* the next */
    enum ox_code code;
    struct ox_err *err;
};
const char *ox_db_text(struct ox_db_row *row); /* NULL for null */
int64_t ox_db_i64(struct ox_db_row *row);      /* 0 for null */
uint64_t ox_db_u64(struct ox_db_row *row);
bool ox_db_digest(struct ox_db_row *row, struct ox_digest *out); /* false for null */

/** How one row is read into the struct at `out`. */
typedef void ox_db_read_fn(struct ox_db_row *row, void *out);

/** Read all rows into an array of the transaction. */
OX_MUST_USE enum ox_code ox_db_all(struct ox_tx *tx, sqlite3_stmt *statement, ox_db_read_fn *read,
                                   size_t row_bytes, void **rows, size_t *count,
                                   struct ox_err *err);
/** Read the one row. *found is false if there is none. */
OX_MUST_USE enum ox_code ox_db_one(struct ox_tx *tx, sqlite3_stmt *statement, ox_db_read_fn *read,
                                   void *out, bool *found, struct ox_err *err);
/** Read the one row of a query (as ox_db_query has it); without a row *out stays as it is. */
OX_MUST_USE enum ox_code ox_db_get(struct ox_tx *tx, ox_db_read_fn *read, void *out,
                                   struct ox_err *err, const char *sql, const char *types, ...);

/* Rows of one column: into a uint64_t, an int64_t, a bool, a const char *. */
void ox_db_read_u64(struct ox_db_row *row, void *out);
void ox_db_read_i64(struct ox_db_row *row, void *out);
void ox_db_read_bool(struct ox_db_row *row, void *out);
void ox_db_read_text(struct ox_db_row *row, void *out);

#endif

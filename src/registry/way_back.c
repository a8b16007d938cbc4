#include "oxide/registry/way_back.h"

#include "db.h"
#include "migrations.h"

#include "oxide/base/buf.h"
#include "oxide/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An empty file for the copy, which no more may read than the registry. */
static enum ox_code make_empty(const char *path, const char *like, struct ox_err *err)
{
    struct stat st;
    int fd;

    if (stat(like, &st) != 0) {
        return ox_err_sys(err, errno, "looking at %s", like);
    }
    if (unlink(path) != 0 && errno != ENOENT) { /* of a start that was cut short */
        return ox_err_sys(err, errno, "removing %s", path);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, st.st_mode & 0777);
    if (fd < 0) {
        return ox_err_sys(err, errno, "creating %s", path);
    }
    (void)close(fd);
    return OX_OK;
}

/* Source: sqlite.org/lang_vacuum.html: the file may be there if it is empty. */
static enum ox_code vacuum_into(struct ox_connection *connection, const char *path,
                                struct ox_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum ox_code code = OX_OK;

    if (sqlite3_prepare_v2(connection->db, "VACUUM INTO ?1", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_DONE) {
        code = ox_db_error(connection->db, "writing the copy", err);
    }
    (void)sqlite3_finalize(statement);
    return code;
}

static enum ox_code make_durable(const char *path, const char *to, struct ox_err *err)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    enum ox_code code =
        fd >= 0 && fsync(fd) == 0 ? OX_OK : ox_err_sys(err, errno, "syncing %s", path);

    if (fd >= 0) {
        (void)close(fd);
    }
    if (code == OX_OK && rename(path, to) != 0) {
        code = ox_err_sys(err, errno, "renaming %s", path);
    }
    return code == OX_OK ? ox_parent_sync(to, err) : code;
}

static enum ox_code copy(struct ox_connection *connection, const char *from, const char *to,
                         struct ox_err *err)
{
    char *unfinished = NULL;
    enum ox_code code = ox_strf(&unfinished, err, "%s.unfinished", to);

    if (code == OX_OK && (code = make_empty(unfinished, from, err)) == OX_OK) {
        if ((code = vacuum_into(connection, unfinished, err)) == OX_OK) {
            code = make_durable(unfinished, to, err);
        }
        if (code != OX_OK) {
            (void)unlink(unfinished);
        }
    }
    free(unfinished);
    return code;
}

enum ox_code ox_registry_keep_way_back(const char *path, char **out, struct ox_err *err)
{
    int newest = ox_migrations_count == 0 ? 0 : ox_migrations[ox_migrations_count - 1].number;
    struct ox_connection *connection;
    char *to = NULL;
    int schema = 0;
    enum ox_code code;

    *out = NULL;
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return OX_OK;
    }
    connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return ox_err_nomem(err, "a connection");
    }
    if ((code = ox_db_open(connection, path, false, err)) == OX_OK &&
        (code = ox_db_schema(connection, &schema, err)) == OX_OK && schema > 0 && schema < newest &&
        (code = ox_strf(&to, err, "%s.schema-%d", path, schema)) == OX_OK &&
        (code = copy(connection, path, to, err)) != OX_OK) {
        ox_err_context(err, "keeping a copy of the registry before its schema becomes number %d",
                       newest);
    }
    ox_db_close(connection);
    free(connection);
    if (code != OX_OK) {
        free(to);
        return code;
    }
    *out = to;
    return OX_OK;
}

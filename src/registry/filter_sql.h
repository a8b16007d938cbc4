/** Filters as SQL: conditions on a row d of devices, with parameters for all that users wrote. */
#ifndef OX_REGISTRY_FILTER_SQL_H
#define OX_REGISTRY_FILTER_SQL_H

#include "db.h"
#include "filter_ast.h"

#include "oxide/base/buf.h"

/** A statement on its way: text, and values for its parameters ?1, ?2, ... Zero-initialise, release
 *  with ox_sql_clear. Texts of values are lent. */
struct ox_sql {
    struct ox_buf text;
    struct ox_db_value *values;
    size_t count;
    size_t room;
};
void ox_sql_clear(struct ox_sql *sql);
/** Append text of ours, in which each "@" is a parameter: the next of `values`, which may be NULL
 * if there are none. */
OX_MUST_USE enum ox_code ox_sql_put(struct ox_sql *sql, const char *text,
                                    const struct ox_db_value *values, struct ox_err *err);

struct ox_filter_moment {
    int64_t now_ms;
    bool one_by_one; /* few devices are looked at, so no set of all that pass is gathered first */
};

/** Which devices are in fleets that have filters, as more alternatives ("OR ...") of a test of
 *  fleets. */
struct ox_filter_fleets {
    void *ctx;
    enum ox_code (*put)(void *ctx, const struct ox_filter *filter,
                        const struct ox_filter_test *test, struct ox_sql *sql, struct ox_err *err);
};

/** Append the condition. `filter` is lent until the statement is run. */
OX_MUST_USE enum ox_code ox_filter_sql(const struct ox_filter *filter,
                                       const struct ox_filter_moment *moment,
                                       const struct ox_filter_fleets *fleets, struct ox_sql *sql,
                                       struct ox_err *err);
/** Append what a test says of the expression `value`, a text of ours; without its "not". */
OX_MUST_USE enum ox_code ox_filter_sql_compare(const struct ox_filter *filter,
                                               const struct ox_filter_moment *moment,
                                               const struct ox_filter_test *test, const char *value,
                                               const struct ox_db_value *param, struct ox_sql *sql,
                                               struct ox_err *err);

#endif

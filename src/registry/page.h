/** Pages of lists: what a list tells of itself, and the query that is made of it. */
#ifndef OX_REGISTRY_PAGE_H
#define OX_REGISTRY_PAGE_H

#include "db.h"

#include "oxide/registry/page.h"

struct ox_list_sort {
    const char *name; /* NULL ends a list */
    const char *sql;  /* an expression that is never null */
    bool is_text;     /* else a whole number */
};
struct ox_list_filter {
    const char *name; /* NULL ends a list */
    const char *sql;  /* a condition with one "?" for the value, which is a text */
    const char *from; /* in place of the list's, where that is the shorter way to its rows */
    const char *key;  /* in place of the list's */
    bool is_rare; /* it leaves few rows: they are sorted, rather than found in the sort's order */
};

/** A list. Its parts are joined to one SELECT: what comes from outside is bound, never joined. */
struct ox_list {
    const char *name;    /* in cursors: those of one list are no other's */
    const char *columns; /* that `read` reads */
    const char *from;
    const char *key; /* a column that tells rows apart, and sorts them in the end */
    bool key_is_text;
    bool is_wide; /* rows cost more than their key: those of the page are found first. The key must
                   * tell the list's rows apart whatever the filters */
    const struct ox_list_sort *sorts; /* the first is the list's own order */
    const struct ox_list_filter *filters;
    ox_db_read_fn *read;
    size_t row_bytes;
};

/** The page that is asked for: see oxide/registry/page.h. */
OX_MUST_USE enum ox_code ox_list_page(struct ox_tx *tx, const struct ox_list *list,
                                      const struct ox_page *page, void **rows, size_t *count,
                                      const char **next, struct ox_err *err);

#endif

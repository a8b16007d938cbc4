/** Tables aligned for people. */
#ifndef OXIDE_CLI_TABLE_H
#define OXIDE_CLI_TABLE_H

#include "oxide/base/buf.h"

#include <stdio.h>

enum ox_align { OX_LEFT, OX_RIGHT };

struct ox_column {
    const char *heading; /* NULL in all columns: no line of headings */
    enum ox_align align;
};

/**
 * Cells are appended one after the other; `count` of them make a row. Running out of memory is
 * remembered and comes out at the end, so that the calls between need no checks.
 */
struct ox_table {
    const struct ox_column *columns; /* lent */
    size_t column_count;
    struct ox_buf text; /* the cells, each ended by a NUL */
    size_t cell_count;
    bool out_of_memory;
    size_t *widths; /* of the columns so far; NULL: nothing was printed yet */
};

void ox_table_init(struct ox_table *table, const struct ox_column *columns, size_t count);
void ox_table_clear(struct ox_table *table);

/** Append a cell; NULL shows as "-". The text may come from outside: it is made fit to show. */
void ox_table_cell(struct ox_table *table, const char *text);
void ox_table_cellf(struct ox_table *table, const char *fmt, ...) OX_PRINTF(2, 3);

/** Print, two blanks between columns and none at line ends, and become empty: a long table is
 * printed part by part, its headings once. Columns only get wider. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_table_print(struct ox_table *table, FILE *out, bool colour,
                                        struct ox_err *err);

#endif

/** Commands that show a list of the server: page by page, so that it may be of any length. */
#ifndef OXIDE_CLI_LISTS_H
#define OXIDE_CLI_LISTS_H

#include "args.h"
#include "table.h"

#include "oxide/base/json.h"

struct ox_cli_list {
    const char *path; /* of the API, without a query */
    const char *key;  /* of the rows in the answer; NULL: the answer is their array */
    const struct ox_column *columns;
    size_t column_count;
    void (*row)(struct ox_table *table, const json_t *row); /* append its cells */
    const char *empty;                                      /* said where there are no rows */
    const char *const *filters; /* options whose values go on under their own names; ends in NULL */
    const char *word_name;      /* a parameter whose value was a word of the command, */
    const char *word;           /* which is NULL where it was left out */
    const char *table_query; /* a parameter where no JSON is asked for, "devices=false"; or NULL */
};

/** Run a list command: its options are --limit, --sort and the filters. */
OX_MUST_USE enum ox_code ox_cli_list(struct ox_cli *cli, const struct ox_args *args,
                                     const struct ox_cli_list *list, struct ox_err *err);

#endif

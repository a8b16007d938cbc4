/* What ran where, and when. */
#include "args.h"
#include "client.h"
#include "lists.h"
#include "table.h"

#include "oxide/base/percent.h"
#include "oxide/wire/id.h"

#include <stdlib.h>

static void history_row(struct ox_table *table, const json_t *row)
{
    const char *to = ox_cli_text(row, "to");

    ox_table_cell(table, ox_cli_text(row, "model_id"));
    ox_table_cell(table, ox_cli_text(row, "version"));
    ox_table_cell(table, ox_cli_text(row, "from"));
    ox_table_cell(table, to == NULL ? "now" : to);
    ox_table_cell(table, ox_cli_text(row, "digest"));
}

enum ox_code ox_run_device_history(struct ox_cli *cli, const struct ox_args *args,
                                   struct ox_err *err)
{
    static const struct ox_column columns[] = {{"MODEL", OX_LEFT},
                                               {"VERSION", OX_LEFT},
                                               {"FROM", OX_LEFT},
                                               {"TO", OX_LEFT},
                                               {"DIGEST", OX_LEFT}};
    static const char *const filters[] = {"model", NULL};
    struct ox_cli_list list = {
        .key = "history",
        .columns = columns,
        .column_count = sizeof(columns) / sizeof(columns[0]),
        .row = history_row,
        .empty = "it has told of no model yet",
        .filters = filters,
    };
    const char *id = ox_args_word(args, 0);
    char *path = NULL;
    enum ox_code code = ox_id_check("device", id, err);

    if (code == OX_OK) {
        code = ox_strf(&path, err, "/api/v1/devices/%s/history", id);
    }
    if (code == OX_OK) {
        list.path = path;
        code = ox_cli_list(cli, args, &list, err);
    }
    free(path);
    return code;
}

/* --- model where --- */

static void where_row(struct ox_table *table, const json_t *row)
{
    const char *to = ox_cli_text(row, "to");

    ox_table_cell(table, ox_cli_text(row, "device_id"));
    ox_table_cell(table, ox_cli_text(row, "version"));
    ox_table_cell(table, ox_cli_text(row, "from"));
    ox_table_cell(table, to == NULL ? "now" : to);
}

static enum ox_code print_counts(struct ox_cli *cli, const json_t *answer, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"VERSION", OX_LEFT}, {"DEVICES", OX_RIGHT}, {"DIGEST", OX_LEFT}};
    struct ox_table table;
    json_t *row;
    size_t i;
    enum ox_code code;

    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(json_object_get(answer, "versions"), i, row)
    {
        ox_table_cell(&table, ox_cli_text(row, "version"));
        ox_table_cellf(&table, "%llu", (unsigned long long)ox_cli_number(row, "devices"));
        ox_table_cell(&table, ox_cli_text(row, "digest"));
    }
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

/* How many run each version. */
static enum ox_code counts(struct ox_cli *cli, const char *model, const char *version,
                           const char *at, struct ox_err *err)
{
    struct ox_buf query = OX_BUF_INIT;
    json_t *answer = NULL;
    enum ox_code code = ox_buf_printf(&query, err, "?at=");

    if (code == OX_OK && at == NULL) {
        ox_buf_clear(&query);
        code = ox_buf_printf(&query, err, "?");
    } else if (code == OX_OK) {
        code = ox_percent_encode(&query, at, err);
    }
    if (code == OX_OK && version != NULL) { /* an identifier needs no escapes but for + */
        code = ox_buf_printf(&query, err, "&version=");
        code = code == OX_OK ? ox_percent_encode(&query, version, err) : code;
    }
    if (code == OX_OK) {
        code = ox_client_once(cli, "GET", NULL, &answer, err, "/api/v1/models/%s/where/counts%s",
                              model, (const char *)query.data);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK && json_array_size(json_object_get(answer, "versions")) == 0) {
        (void)fprintf(cli->notes, "no device ran it\n");
    } else if (code == OX_OK) {
        code = print_counts(cli, answer, err);
    }
    json_decref(answer);
    ox_buf_clear(&query);
    return code;
}

enum ox_code ox_run_model_where(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"DEVICE", OX_LEFT}, {"VERSION", OX_LEFT}, {"FROM", OX_LEFT}, {"TO", OX_LEFT}};
    static const char *const filters[] = {"at", NULL};
    struct ox_cli_list list = {
        .key = "devices",
        .columns = columns,
        .column_count = sizeof(columns) / sizeof(columns[0]),
        .row = where_row,
        .empty = "no device ran it",
        .filters = filters,
    };
    const char *model = ox_args_word(args, 0);
    const char *version = ox_args_word(args, 1);
    char *path = NULL;
    enum ox_code code = ox_id_check("model", model, err);

    if (code == OX_OK && version != NULL) {
        code = ox_id_check("version", version, err);
    }
    if (code == OX_OK && ox_args_has(args, "summary")) {
        return counts(cli, model, version, ox_args_value(args, "at", NULL), err);
    }
    if (code == OX_OK) {
        code = ox_strf(&path, err, "/api/v1/models/%s/where", model);
    }
    if (code == OX_OK) {
        list.path = path;
        list.word_name = "version";
        list.word = version;
        code = ox_cli_list(cli, args, &list, err);
    }
    free(path);
    return code;
}

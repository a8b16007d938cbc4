#include "lists.h"

#include "client.h"

#include "oxide/base/percent.h"
#include "oxide/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 1000 /* the most that the server gives at once */

/* A list on its way to the terminal, or into a pipe. */
struct printer {
    struct ox_cli *cli;
    const struct ox_cli_list *list;
    struct ox_table table;
    uint64_t rows;
};

/* --- what is asked for --- */

static enum ox_code append_value(struct ox_buf *path, const char *name, const char *value,
                                 struct ox_err *err)
{
    enum ox_code code = value == NULL ? OX_OK : ox_buf_printf(path, err, "&%s=", name);

    return code == OX_OK && value != NULL ? ox_percent_encode(path, value, err) : code;
}

static enum ox_code page_path(const struct ox_cli *cli, const struct ox_args *args,
                              const struct ox_cli_list *list, uint64_t rows, const char *cursor,
                              struct ox_buf *path, struct ox_err *err)
{
    enum ox_code code = ox_buf_printf(path, err, "%s?limit=%" PRIu64, list->path, rows);

    if (code == OX_OK &&
        (code = append_value(path, "sort", ox_args_value(args, "sort", NULL), err)) == OX_OK) {
        code = append_value(path, "cursor", cursor, err);
    }
    if (code == OX_OK) {
        code = append_value(path, list->word_name, list->word, err);
    }
    for (size_t i = 0; code == OX_OK && list->filters != NULL && list->filters[i] != NULL; i++) {
        code =
            append_value(path, list->filters[i], ox_args_value(args, list->filters[i], NULL), err);
    }
    return code == OX_OK && list->table_query != NULL && !cli->json
               ? ox_buf_printf(path, err, "&%s", list->table_query)
               : code;
}

/* --- printing --- */

/* As json_dumps would print the whole: its rows are two blanks further in than their brackets. */
static enum ox_code print_row(struct printer *printer, const json_t *row, struct ox_err *err)
{
    FILE *out = printer->cli->out;
    const char *indent = printer->list->key != NULL ? "    " : "  ";
    char *text = json_dumps(row, JSON_INDENT(2) | JSON_ENCODE_ANY);
    char *rest = NULL;

    if (text == NULL) {
        return ox_err_nomem(err, "JSON");
    }
    (void)fputs(printer->rows == 0 ? "\n" : ",\n", out);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        (void)fprintf(out, "%s%s%s", line == text ? "" : "\n", indent, line);
    }
    free(text);
    return OX_OK;
}

static void begin(const struct printer *printer)
{
    if (printer->cli->json && printer->list->key != NULL) {
        (void)fprintf(printer->cli->out, "{\n  \"%s\": [", printer->list->key);
    } else if (printer->cli->json) {
        (void)fputs("[", printer->cli->out);
    }
}

static void end(const struct printer *printer)
{
    if (printer->cli->json && printer->list->key != NULL) {
        (void)fputs(printer->rows == 0 ? "]\n}\n" : "\n  ]\n}\n", printer->cli->out);
    } else if (printer->cli->json) {
        (void)fputs(printer->rows == 0 ? "]\n" : "\n]\n", printer->cli->out);
    } else if (printer->rows == 0) {
        (void)fprintf(printer->cli->notes, "%s\n", printer->list->empty);
    }
}

static enum ox_code print_rows(struct printer *printer, const json_t *rows, struct ox_err *err)
{
    json_t *row;
    size_t i;
    enum ox_code code = OX_OK;

    json_array_foreach(rows, i, row)
    {
        if (code == OX_OK && printer->cli->json) {
            code = print_row(printer, row, err);
        } else {
            printer->list->row(&printer->table, row);
        }
        printer->rows++;
    }
    return code == OX_OK && !printer->cli->json && json_array_size(rows) > 0
               ? ox_table_print(&printer->table, printer->cli->out, printer->cli->colour, err)
               : code;
}

/* --- page by page --- */

/* A server that was restored from a backup says so with its campaigns. */
static void say_hold(const struct printer *printer, const json_t *answer)
{
    const char *reason = ox_cli_text(json_object_get(answer, "holding"), "reason");
    char text[256];

    if (reason != NULL) {
        (void)snprintf(text, sizeof(text), "%s", reason);
        ox_text_clean(text);
        (void)fprintf(printer->cli->notes,
                      "NOTHING IS ASSIGNED: %s; 'oxide restore --confirm' lets it go on\n", text);
    }
}

static enum ox_code one_page(struct printer *printer, const struct ox_args *args,
                             struct ox_client *client, uint64_t rows, char **cursor,
                             struct ox_err *err)
{
    struct ox_buf path = OX_BUF_INIT;
    json_t *answer = NULL;
    char *next = NULL;
    bool is_first = *cursor == NULL;
    enum ox_code code = page_path(printer->cli, args, printer->list, rows, *cursor, &path, err);

    if (code == OX_OK) {
        code = ox_client_page(client, (const char *)path.data, &answer, &next, err);
    }
    if (code == OX_OK) {
        const json_t *found =
            printer->list->key != NULL ? json_object_get(answer, printer->list->key) : answer;

        if (is_first) { /* not before the server has said that it will do */
            say_hold(printer, answer);
            begin(printer);
        }
        code = print_rows(printer, found, err);
    }
    free(*cursor);
    *cursor = next;
    json_decref(answer);
    ox_buf_clear(&path);
    return code;
}

enum ox_code ox_cli_list(struct ox_cli *cli, const struct ox_args *args,
                         const struct ox_cli_list *list, struct ox_err *err)
{
    struct printer printer = {.cli = cli, .list = list};
    struct ox_client client = {NULL, NULL, NULL};
    uint64_t limit = UINT64_MAX;
    char *cursor = NULL;
    enum ox_code code = ox_args_number(args, "limit", 1, UINT32_MAX, &limit, err);

    ox_table_init(&printer.table, list->columns, list->column_count);
    if (code == OX_OK) {
        code = ox_client_open(&client, cli, err);
    }
    while (code == OX_OK) {
        uint64_t left = limit - printer.rows;

        code = one_page(&printer, args, &client, left < PAGE_ROWS ? left : PAGE_ROWS, &cursor, err);
        if (cursor == NULL || printer.rows >= limit) {
            break;
        }
    }
    if (code == OX_OK) {
        end(&printer);
    }
    free(cursor);
    ox_client_close(&client);
    ox_table_clear(&printer.table);
    return code;
}

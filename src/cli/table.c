#include "table.h"

#include "human.h"

#include "oxide/base/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BOLD "\033[1m"
#define PLAIN "\033[0m"

void ox_table_init(struct ox_table *table, const struct ox_column *columns, size_t count)
{
    *table = (struct ox_table){columns, count, OX_BUF_INIT, 0, false, NULL};
}

void ox_table_clear(struct ox_table *table)
{
    ox_buf_clear(&table->text);
    free(table->widths);
    table->widths = NULL;
}

void ox_table_cell(struct ox_table *table, const char *text)
{
    const char *shown = text == NULL ? "-" : text;
    size_t start = table->text.len_bytes;

    if (ox_buf_append(&table->text, shown, strlen(shown) + 1, NULL) != OX_OK) {
        table->out_of_memory = true;
        return;
    }
    ox_text_clean((char *)table->text.data + start); /* it may get shorter */
    table->text.len_bytes = start + strlen((const char *)table->text.data + start) + 1;
    table->cell_count++;
}

void ox_table_cellf(struct ox_table *table, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    ox_table_cell(table, text);
}

static void print_cell(const struct ox_table *table, size_t column, const char *text, FILE *out)
{
    size_t used = ox_human_columns(text);
    int gap = (int)(table->widths[column] > used ? table->widths[column] - used : 0);
    bool last = column + 1 == table->column_count;

    if (table->columns[column].align == OX_RIGHT) {
        (void)fprintf(out, "%*s%s", gap, "", text);
    } else {
        (void)fprintf(out, "%s%*s", text, last ? 0 : gap, "");
    }
    (void)fputs(last ? "" : "  ", out);
}

static void widen(struct ox_table *table)
{
    const char *cell = (const char *)table->text.data;

    for (size_t i = 0; table->columns[0].heading != NULL && i < table->column_count; i++) {
        size_t used = ox_human_columns(table->columns[i].heading);

        table->widths[i] = used > table->widths[i] ? used : table->widths[i];
    }
    for (size_t i = 0; i < table->cell_count; i++, cell += strlen(cell) + 1) {
        size_t used = ox_human_columns(cell);
        size_t *width = &table->widths[table->column_count == 0 ? 0 : i % table->column_count];

        *width = used > *width ? used : *width;
    }
}

static void print_headings(const struct ox_table *table, FILE *out, bool colour)
{
    (void)fputs(colour ? BOLD : "", out);
    for (size_t i = 0; i < table->column_count; i++) {
        print_cell(table, i, table->columns[i].heading, out);
    }
    (void)fprintf(out, "%s\n", colour ? PLAIN : "");
}

enum ox_code ox_table_print(struct ox_table *table, FILE *out, bool colour, struct ox_err *err)
{
    bool is_first = table->widths == NULL;
    const char *cell;

    if (is_first) {
        table->widths = calloc(table->column_count, sizeof(*table->widths));
    }
    if (table->widths == NULL || table->out_of_memory) {
        return ox_err_nomem(err, "a table");
    }
    widen(table);
    if (is_first && table->columns[0].heading != NULL) {
        print_headings(table, out, colour);
    }
    cell = (const char *)table->text.data;
    for (size_t i = 0; i < table->cell_count; i++, cell += strlen(cell) + 1) {
        print_cell(table, i % table->column_count, cell, out);
        if ((i + 1) % table->column_count == 0) {
            (void)fputc('\n', out);
        }
    }
    table->text.len_bytes = 0;
    table->cell_count = 0;
    return OX_OK;
}

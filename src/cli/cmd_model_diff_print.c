/* A comparison of two versions, for people. */
#include "cmd_model_diff.h"

#include "client.h"
#include "human.h"
#include "status_line.h"
#include "table.h"

#include "oxide/base/text.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_SHOWN 20 /* unless all are asked for */
#define NAME_COLUMNS_MIN 24
#define NAME_COLUMNS_MAX 60
#define OTHER_COLUMNS 90 /* that all other cells take, about */

#define U(number) ((unsigned long long)(number))

static const struct ox_column facts[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};

static bool is(const json_t *object, const char *key, const char *word)
{
    const char *text = ox_cli_text(object, key);

    return text != NULL && strcmp(text, word) == 0;
}

/* --- what it costs --- */

static void cell_side(struct ox_table *table, const char *what, const json_t *side)
{
    const char *variant = ox_cli_text(side, "variant");
    char size[OX_HUMAN_MAX];

    ox_table_cell(table, what);
    ox_table_cellf(table, "%s%s%s%s, %s", ox_cli_text(side, "version"), variant == NULL ? "" : " (",
                   variant == NULL ? "" : variant, variant == NULL ? "" : ")",
                   ox_human_bytes(ox_cli_number(side, "size_bytes"), size));
}

/* The patch, or why there is none. */
static void cell_patch(struct ox_table *table, const json_t *delta)
{
    const json_t *job = json_object_get(delta, "job");
    uint64_t full = ox_cli_number(delta, "full_bytes");
    uint64_t patch = ox_cli_number(delta, "patch_bytes");
    const char *reason = ox_cli_text(job, "reason");
    char size[OX_HUMAN_MAX];
    char saved[OX_HUMAN_MAX];

    ox_table_cell(table, "patch");
    if (is(delta, "best", "none")) {
        ox_table_cell(table, "none is needed: they are the same bytes");
    } else if (json_is_integer(json_object_get(delta, "patch_bytes"))) {
        ox_table_cellf(table, "%s: %s saved", ox_human_bytes(patch, size),
                       ox_human_saved(patch, full, saved));
    } else if (!json_is_object(job) || is(job, "state", "evicted")) {
        ox_table_cellf(table, "not made: --make has it made; some %s or less",
                       ox_human_size(ox_cli_number(delta, "changed_bytes"), size));
    } else if (is(job, "state", "running") || is(job, "state", "queued")) {
        ox_table_cellf(table, "is being made (job %llu, %s, %llu %%); some %s or less",
                       U(ox_cli_number(job, "id")), ox_cli_text(job, "state"),
                       U(ox_cli_number(job, "progress")),
                       ox_human_size(ox_cli_number(delta, "changed_bytes"), size));
    } else {
        ox_table_cellf(table, "none: job %llu is %s%s%s", U(ox_cli_number(job, "id")),
                       ox_cli_text(job, "state"), reason == NULL ? "" : ": ",
                       reason == NULL ? "" : reason);
    }
}

static void cell_chain(struct ox_table *table, const json_t *chain)
{
    const json_t *versions = json_object_get(chain, "versions");
    char *ways = NULL;
    char size[OX_HUMAN_MAX];

    for (size_t i = 0; i < json_array_size(versions); i++) {
        char *more = NULL;

        if (ox_strf(&more, NULL, "%s%s%s", ways == NULL ? "" : ways, ways == NULL ? "" : ", ",
                    json_string_value(json_array_get(versions, i))) == OX_OK) {
            free(ways);
            ways = more;
        }
    }
    ox_table_cell(table, "chain");
    ox_table_cellf(table, "%s, the cheapest: %llu patches, by way of %s",
                   ox_human_bytes(ox_cli_number(chain, "bytes"), size),
                   U(ox_cli_number(chain, "patches")), ways == NULL ? "others" : ways);
    free(ways);
}

/* "3 of 293 changed, 1 added" */
static void cell_tensors(struct ox_table *table, const json_t *tensors)
{
    static const char *const words[] = {"changed", "added", "removed", "renamed"};
    uint64_t all = ox_cli_number(json_object_get(tensors, "same"), "count");
    char text[160];
    int used = 0;

    for (size_t i = 0; i < 4; i++) {
        all += ox_cli_number(json_object_get(tensors, words[i]), "count");
    }
    for (size_t i = 0; i < 4; i++) {
        uint64_t count = ox_cli_number(json_object_get(tensors, words[i]), "count");

        if (count > 0) {
            used += snprintf(text + used, sizeof(text) - (size_t)used, "%s%llu %s",
                             used == 0 ? "" : ", ", U(count), words[i]);
        }
    }
    ox_table_cell(table, "tensors");
    ox_table_cellf(table, "%s of %llu", used == 0 ? "none changed" : text, U(all));
}

static enum ox_code print_facts(struct ox_cli *cli, const json_t *diff, struct ox_err *err)
{
    const json_t *delta = json_object_get(diff, "delta");
    const json_t *chain = json_object_get(delta, "chain");
    struct ox_table table;
    enum ox_code code;

    ox_table_init(&table, facts, 2);
    ox_table_cell(&table, "model");
    ox_table_cell(&table, ox_cli_text(diff, "model_id"));
    cell_side(&table, "from", json_object_get(diff, "from"));
    cell_side(&table, "to", json_object_get(diff, "to"));
    cell_tensors(&table, json_object_get(diff, "tensors"));
    cell_patch(&table, delta);
    if (json_is_object(chain)) {
        cell_chain(&table, chain);
    }
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    return code;
}

/* --- what is said of them --- */

static void cell_value(struct ox_table *table, const json_t *value)
{
    const char *text = json_string_value(value);
    char *other = text != NULL || value == NULL || json_is_null(value)
                      ? NULL
                      : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));

    ox_table_cell(table, text != NULL && text[0] == '\0' ? "set" : text != NULL ? text : other);
    free(other);
}

static enum ox_code print_meta(struct ox_cli *cli, const json_t *meta, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"SAID OF IT", OX_LEFT}, {"BEFORE", OX_LEFT}, {"AFTER", OX_LEFT}};
    struct ox_table table;
    enum ox_code code;

    if (json_array_size(meta) == 0) {
        return OX_OK;
    }
    ox_table_init(&table, columns, 3);
    for (size_t i = 0; i < json_array_size(meta); i++) {
        const json_t *row = json_array_get(meta, i);

        ox_table_cell(&table, ox_cli_text(row, "field"));
        cell_value(&table, json_object_get(row, "from"));
        cell_value(&table, json_object_get(row, "to"));
    }
    (void)fputc('\n', cli->out);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

/* --- files --- */

static enum ox_code print_files(struct ox_cli *cli, const json_t *diff, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"FILE", OX_LEFT}, {"", OX_LEFT}, {"BEFORE", OX_RIGHT}, {"AFTER", OX_RIGHT}};
    const json_t *files = json_object_get(diff, "files");
    uint64_t same = ox_cli_number(diff, "files_same");
    struct ox_table table;
    char size[OX_HUMAN_MAX];
    enum ox_code code;

    if (json_array_size(files) + same < 2) {
        return OX_OK;
    }
    ox_table_init(&table, columns, 4);
    for (size_t i = 0; i < json_array_size(files); i++) {
        static const char *const sides[] = {"from_bytes", "to_bytes"};
        const json_t *file = json_array_get(files, i);

        ox_table_cell(&table, ox_cli_text(file, "path"));
        ox_table_cell(&table, ox_cli_text(file, "status"));
        for (size_t side = 0; side < 2; side++) {
            ox_table_cell(&table, json_is_integer(json_object_get(file, sides[side]))
                                      ? ox_human_size(ox_cli_number(file, sides[side]), size)
                                      : NULL);
        }
    }
    (void)fputc('\n', cli->out);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    if (code == OX_OK && same > 0 && !is(json_array_get(files, 0), "status", "same")) {
        (void)fprintf(cli->out, "and %llu more file%s without a change\n", U(same),
                      same == 1 ? "" : "s");
    }
    return code;
}

/* --- tensors --- */

static const char *shape_text(const json_t *side, char *out, size_t out_bytes)
{
    const json_t *shape = json_object_get(side, "shape");
    uint64_t sizes[16];
    uint32_t rank = 0;

    for (; rank < json_array_size(shape) && rank < 16; rank++) {
        sizes[rank] = (uint64_t)json_integer_value(json_array_get(shape, rank));
    }
    (void)ox_human_shape(sizes, rank, out, out_bytes);
    ox_human_cut(out, 24);
    return out;
}

/* "f32", or "f32 > f16" where it is another. */
static void cell_both(struct ox_table *table, const char *from, const char *to)
{
    if (from == NULL || to == NULL || strcmp(from, to) == 0) {
        ox_table_cell(table, to == NULL ? from : to);
    } else {
        ox_table_cellf(table, "%s > %s", from, to);
    }
}

static void cell_name(struct ox_table *table, const json_t *row, const char *word, bool folder,
                      size_t columns)
{
    const json_t *to = json_object_get(row, "to");
    const json_t *from = json_object_get(row, "from");
    const json_t *side = json_is_object(to) ? to : from;
    const char *name = ox_cli_text(side, "name");
    const char *old = strcmp(word, "renamed") == 0 ? ox_cli_text(from, "name") : NULL;
    char *label = NULL;

    if (ox_strf(&label, NULL, "%s%s%s%s%s", folder ? ox_cli_text(side, "file") : "",
                folder ? ": " : "",
                name == NULL      ? "(between tensors)"
                : name[0] == '\0' ? "(unnamed)"
                                  : name,
                old == NULL ? "" : ", was ", old == NULL ? "" : old) != OX_OK) {
        ox_table_cell(table, name);
        return;
    }
    ox_text_clean(label);
    ox_human_cut(label, columns);
    ox_table_cell(table, label);
    free(label);
}

/* "changed, reshaped" */
static void cell_status(struct ox_table *table, const json_t *row)
{
    const json_t *how = json_object_get(row, "how");
    const char *status = ox_cli_text(row, "status");
    char text[64];
    int used = snprintf(text, sizeof(text), "%s", status == NULL ? "?" : status);

    for (size_t i = 0; i < json_array_size(how) && used < (int)sizeof(text) - 1; i++) {
        bool first = i == 0 && (is(row, "status", "changed") || is(row, "status", "same"));

        used = first ? 0 : used; /* that says more */
        used += snprintf(text + used, sizeof(text) - (size_t)used, "%s%s", first ? "" : ", ",
                         json_string_value(json_array_get(how, i)));
    }
    ox_table_cell(table, text);
}

static void cell_number(struct ox_table *table, const json_t *number, double factor,
                        const char *unit)
{
    if (json_is_number(number)) {
        ox_table_cellf(table, "%.3g%s", json_number_value(number) * factor, unit);
    } else {
        ox_table_cell(table, NULL);
    }
}

static void cell_changed(struct ox_table *table, const json_t *row)
{
    uint64_t numbers = ox_cli_number(row, "numbers");

    if (numbers > 0) {
        ox_table_cellf(table, "%.3g %%",
                       (double)ox_cli_number(row, "changed_numbers") * 100 / (double)numbers);
    } else {
        ox_table_cell(table, NULL);
    }
}

static void add_row(struct ox_table *table, const json_t *row, bool folder, bool costs,
                    size_t columns)
{
    const json_t *from = json_object_get(row, "from");
    const json_t *to = json_object_get(row, "to");
    bool tensor = json_is_true(json_object_get(row, "tensor"));
    char before[160];
    char after[160];
    char size[OX_HUMAN_MAX];

    cell_name(table, row, ox_cli_text(row, "status"), folder, columns);
    cell_status(table, row);
    cell_both(table, ox_cli_text(from, "dtype"), ox_cli_text(to, "dtype"));
    cell_both(table, tensor && json_is_object(from) ? shape_text(from, before, 160) : NULL,
              tensor && json_is_object(to) ? shape_text(to, after, 160) : NULL);
    ox_table_cell(table,
                  ox_human_size(ox_cli_number(json_is_object(to) ? to : from, "bytes"), size));
    cell_changed(table, row);
    cell_number(table, json_object_get(row, "max_change"), 1, "");
    cell_number(table, json_object_get(row, "relative_change"), 100, " %");
    if (costs) {
        ox_table_cell(table, json_is_integer(json_object_get(row, "patch_bytes"))
                                 ? ox_human_size(ox_cli_number(row, "patch_bytes"), size)
                                 : NULL);
    }
}

static enum ox_code print_rows(struct ox_cli *cli, const json_t *diff, size_t most,
                               struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"TENSOR", OX_LEFT},   {"", OX_LEFT},          {"DTYPE", OX_LEFT},
        {"SHAPE", OX_LEFT},    {"SIZE", OX_RIGHT},     {"CHANGED", OX_RIGHT},
        {"LARGEST", OX_RIGHT}, {"RELATIVE", OX_RIGHT}, {"PATCH", OX_RIGHT}};
    const json_t *rows = json_object_get(diff, "rows");
    const json_t *delta = json_object_get(diff, "delta");
    bool costs = json_is_integer(json_object_get(delta, "patch_bytes"));
    bool folder =
        json_array_size(json_object_get(diff, "files")) + ox_cli_number(diff, "files_same") > 1;
    size_t width = ox_cli_columns(cli);
    size_t names = width < OTHER_COLUMNS + NAME_COLUMNS_MIN   ? NAME_COLUMNS_MIN
                   : width - OTHER_COLUMNS < NAME_COLUMNS_MAX ? width - OTHER_COLUMNS
                                                              : NAME_COLUMNS_MAX;
    struct ox_table table;
    enum ox_code code;

    ox_table_init(&table, columns, costs ? 9 : 8);
    for (size_t i = 0; i < json_array_size(rows) && i < most; i++) {
        add_row(&table, json_array_get(rows, i), folder, costs, width == SIZE_MAX ? width : names);
    }
    (void)fputc('\n', cli->out);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

enum ox_code ox_cli_diff_print(struct ox_cli *cli, const json_t *diff, bool all, struct ox_err *err)
{
    const json_t *same = json_object_get(json_object_get(diff, "tensors"), "same");
    size_t count = json_array_size(json_object_get(diff, "rows"));
    size_t most = all ? SIZE_MAX : ROWS_SHOWN;
    uint64_t left = ox_cli_number(diff, "rows_left_out") + (count > most ? count - most : 0);
    char size[OX_HUMAN_MAX];
    enum ox_code code;

    if ((code = print_facts(cli, diff, err)) == OX_OK &&
        (code = print_meta(cli, json_object_get(diff, "meta"), err)) == OX_OK &&
        (code = print_files(cli, diff, err)) == OX_OK && count > 0) {
        code = print_rows(cli, diff, most, err);
    }
    if (code == OX_OK && left > 0) {
        (void)fprintf(cli->out, "and %llu more%s\n", U(left), all ? "" : ": --all shows them");
    }
    if (code == OX_OK && !all && ox_cli_number(same, "count") > 0) {
        (void)fprintf(cli->out, "and %llu tensor%s unchanged, %s\n",
                      U(ox_cli_number(same, "count")), ox_cli_number(same, "count") == 1 ? "" : "s",
                      ox_human_size(ox_cli_number(same, "bytes"), size));
    }
    return code;
}

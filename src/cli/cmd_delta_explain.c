/* Where a patch's bytes go: the rows of ox_explanation, for people and for scripts. */
#include "client.h"
#include "cmd_delta.h"
#include "human.h"
#include "status_line.h"
#include "table.h"

#include "oxide/base/text.h"

#include <stdlib.h>
#include <string.h>

#define NAME_COLUMNS_MIN 24

/* What a row is called: "layer.weight", "model.onnx: layer.weight", "labels.json". NULL if there is
 * no memory for it. */
static char *label_of(const struct ox_explained_row *row, bool is_folder)
{
    const char *name = row->kind == OX_EXPLAINED_GAP     ? "(between tensors)"
                       : row->kind == OX_EXPLAINED_BYTES ? "(no tensors)"
                       : row->name[0] == '\0'            ? "(unnamed)"
                                                         : row->name;
    char *label = NULL;
    enum ox_code code = !is_folder ? ox_strf(&label, NULL, "%s", name)
                        : row->kind == OX_EXPLAINED_BYTES
                            ? ox_strf(&label, NULL, "%s", row->file)
                            : ox_strf(&label, NULL, "%s: %s", row->file, name);

    return code == OX_OK ? label : NULL;
}

/* --- for scripts --- */

static json_t *shape_json(const struct ox_explained_row *row)
{
    json_t *shape = json_array();

    for (uint32_t d = 0; d < row->rank; d++) {
        (void)json_array_append_new(shape, json_integer((json_int_t)row->shape[d]));
    }
    return shape;
}

static json_t *row_json(const struct ox_explained_row *row, bool is_folder)
{
    bool is_tensor = row->kind == OX_EXPLAINED_TENSOR;
    char *label;
    json_t *json;

    if (row->kind == OX_EXPLAINED_PREDICTOR) {
        return json_pack("{s:s, s:I, s:I}", "predictor", row->predictors, "target_bytes",
                         (json_int_t)row->target_bytes, "patch_bytes",
                         (json_int_t)row->patch_bytes);
    }
    label = label_of(row, is_folder);
    if (label == NULL) {
        return NULL;
    }
    json = json_pack("{s:o, s:b, s:o, s:o, s:I, s:I, s:I, s:s}", "name", ox_cli_json_clean(label),
                     "tensor", is_tensor, "dtype",
                     is_tensor ? json_string(ox_dtype_info(row->dtype)->word) : json_null(),
                     "shape", is_tensor ? shape_json(row) : json_null(), "target_offset",
                     (json_int_t)row->target_offset, "target_bytes", (json_int_t)row->target_bytes,
                     "patch_bytes", (json_int_t)row->patch_bytes, "predictor", row->predictors);
    free(label);
    return json;
}

static enum ox_code rows_json(const struct ox_explanation *explanation, bool is_folder,
                              json_t **out, struct ox_err *err)
{
    json_t *rows = json_array();
    enum ox_code code = rows == NULL ? ox_err_nomem(err, "JSON") : OX_OK;

    for (size_t i = 0; code == OX_OK && i < explanation->count; i++) {
        code = ox_json_append(rows, row_json(&explanation->rows[i], is_folder), err);
    }
    if (code != OX_OK) {
        json_decref(rows);
        return code;
    }
    *out = rows;
    return OX_OK;
}

enum ox_code ox_cli_add_explanation(json_t *object, const struct ox_explanation *explanation,
                                    bool is_folder, struct ox_err *err)
{
    bool by_predictor =
        explanation->count > 0 && explanation->rows[0].kind == OX_EXPLAINED_PREDICTOR;
    json_t *rows = NULL;
    enum ox_code code = rows_json(explanation, is_folder, &rows, err);

    if (code == OX_OK) {
        code = ox_json_set(object, by_predictor ? "predictors" : "tensors", rows, err);
    }
    return code == OX_OK ? ox_json_set_u64(object, "framing_bytes", explanation->framing_bytes, err)
                         : code;
}

/* --- for people --- */

/* The cells of a row; those that a narrow terminal can do without come last to be kept. */
enum cell { CELL_NAME, CELL_DTYPE, CELL_SHAPE, CELL_SIZE, CELL_PATCH, CELL_SHARE, CELL_HOW, CELLS };

static const struct ox_column headings[CELLS] = {
    [CELL_NAME] = {"TENSOR", OX_LEFT},      [CELL_DTYPE] = {"DTYPE", OX_LEFT},
    [CELL_SHAPE] = {"SHAPE", OX_LEFT},      [CELL_SIZE] = {"SIZE", OX_RIGHT},
    [CELL_PATCH] = {"PATCH", OX_RIGHT},     [CELL_SHARE] = {"OF PATCH", OX_RIGHT},
    [CELL_HOW] = {"PREDICTED BY", OX_LEFT},
};

/* All cells but the name. */
static const char *cell_text(const struct ox_explained_row *row, uint64_t whole, enum cell cell,
                             char *text, size_t text_bytes)
{
    char number[OX_HUMAN_MAX];

    text[0] = '\0';
    switch (cell) {
    case CELL_DTYPE:
        return row->kind == OX_EXPLAINED_TENSOR ? ox_dtype_info(row->dtype)->word : "";
    case CELL_SHAPE:
        if (row->kind == OX_EXPLAINED_TENSOR) {
            (void)ox_human_shape(row->shape, row->rank, text, text_bytes);
            ox_human_cut(text, 24);
        }
        return text;
    case CELL_SIZE:
        (void)snprintf(text, text_bytes, "%s", ox_human_size(row->target_bytes, number));
        return text;
    case CELL_PATCH:
        (void)snprintf(text, text_bytes, "%s", ox_human_size(row->patch_bytes, number));
        return text;
    case CELL_SHARE:
        (void)snprintf(text, text_bytes, "%.1f %%",
                       whole == 0 ? 0.0 : (double)row->patch_bytes * 100 / (double)whole);
        return text;
    case CELL_HOW:
        return row->predictors;
    case CELL_NAME:
    case CELLS:
        break;
    }
    return text;
}

/* Which cells fit, and how many columns are left for names. */
struct plan {
    bool shown[CELLS];
    size_t name_columns;
};

static struct plan plan_table(const struct ox_explanation *explanation, size_t rows, size_t columns)
{
    static const enum cell dispensable[] = {CELL_SHAPE, CELL_DTYPE, CELL_SIZE, CELL_HOW};
    bool tensors = rows > 0 && explanation->rows[0].kind != OX_EXPLAINED_PREDICTOR;
    struct plan plan = {.name_columns = SIZE_MAX};
    size_t widths[CELLS];
    size_t used = 0;
    char text[512];

    for (unsigned cell = 0; cell < CELLS; cell++) {
        plan.shown[cell] = tensors || cell == CELL_SIZE || cell == CELL_PATCH ||
                           cell == CELL_SHARE || cell == CELL_HOW;
        widths[cell] = strlen(headings[cell].heading);
        for (size_t i = 0; i < rows && cell != CELL_NAME; i++) {
            size_t width = strlen(cell_text(&explanation->rows[i], explanation->patch_bytes,
                                            (enum cell)cell, text, sizeof(text)));

            widths[cell] = width > widths[cell] ? width : widths[cell];
        }
        used += cell == CELL_NAME || !plan.shown[cell] ? 0 : widths[cell] + 2;
    }
    for (size_t i = 0; tensors && i < 4 && used + NAME_COLUMNS_MIN > columns; i++) {
        plan.shown[dispensable[i]] = false;
        used -= widths[dispensable[i]] + 2;
    }
    if (columns != SIZE_MAX) {
        plan.name_columns = used + NAME_COLUMNS_MIN > columns ? NAME_COLUMNS_MIN : columns - used;
    }
    return plan;
}

static enum ox_code add_name(struct ox_table *table, const struct ox_explained_row *row,
                             bool is_folder, size_t columns, struct ox_err *err)
{
    char *label = label_of(row, is_folder);

    if (label == NULL) {
        return ox_err_nomem(err, "a table");
    }
    ox_text_clean(label); /* so that its columns can be counted */
    if (columns != SIZE_MAX) {
        ox_human_cut(label, columns);
    }
    ox_table_cell(table, label);
    free(label);
    return OX_OK;
}

static enum ox_code print_rows(const struct ox_cli *cli, const struct ox_explanation *explanation,
                               size_t rows, bool is_folder, struct ox_err *err)
{
    struct plan plan = plan_table(explanation, rows, ox_cli_columns(cli));
    struct ox_column columns[CELLS];
    struct ox_table table;
    char text[512];
    size_t count = 0;
    enum ox_code code = OX_OK;

    for (unsigned cell = 0; cell < CELLS; cell++) {
        if (plan.shown[cell]) {
            columns[count++] = headings[cell];
        }
    }
    ox_table_init(&table, columns, count);
    for (size_t i = 0; code == OX_OK && i < rows; i++) {
        const struct ox_explained_row *row = &explanation->rows[i];

        for (unsigned cell = 0; code == OX_OK && cell < CELLS; cell++) {
            if (plan.shown[cell] && cell == CELL_NAME) {
                code = add_name(&table, row, is_folder, plan.name_columns, err);
            } else if (plan.shown[cell]) {
                ox_table_cell(&table, cell_text(row, explanation->patch_bytes, (enum cell)cell,
                                                text, sizeof(text)));
            }
        }
    }
    if (code == OX_OK) {
        code = ox_table_print(&table, cli->out, cli->colour, err);
    }
    ox_table_clear(&table);
    return code;
}

enum ox_code ox_cli_explained_table(const struct ox_cli *cli,
                                    const struct ox_explanation *explanation, bool is_folder,
                                    size_t most, struct ox_err *err)
{
    size_t rows = most == 0 || explanation->count < most ? explanation->count : most;
    enum ox_code code = OX_OK;
    uint64_t rest = 0;
    char size[OX_HUMAN_MAX];

    if (rows > 0) {
        code = print_rows(cli, explanation, rows, is_folder, err);
    }
    for (size_t i = rows; i < explanation->count; i++) {
        rest += explanation->rows[i].patch_bytes;
    }
    if (code == OX_OK && rows < explanation->count) {
        (void)fprintf(cli->out, "%zu more with %s: --all shows them\n", explanation->count - rows,
                      ox_human_size(rest, size));
    }
    return code;
}

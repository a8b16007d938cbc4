/* oxide model show: the versions of a model as a table that is a tree, or one version. */
#include "args.h"
#include "client.h"
#include "human.h"
#include "lineage.h"
#include "table.h"

#include "oxide/wire/id.h"

#include <stdlib.h>
#include <string.h>

/* The index of each version's parent among them; one of another model, or that is not held, is
 * named in its line instead. */
static size_t *parents_of(const char *model, const json_t *versions)
{
    size_t count = json_array_size(versions);
    size_t *parents = calloc(count + 1, sizeof(*parents));
    size_t len = strlen(model);

    for (size_t i = 0; parents != NULL && i < count; i++) {
        const char *parent = ox_cli_text(json_array_get(versions, i), "parent");

        parents[i] = OX_LINEAGE_NONE;
        if (parent == NULL || strncmp(parent, model, len) != 0 || parent[len] != '@') {
            continue;
        }
        for (size_t j = 0; j < count; j++) {
            const char *name = ox_cli_text(json_array_get(versions, j), "version");

            if (j != i && name != NULL && strcmp(name, parent + len + 1) == 0) {
                parents[i] = j;
            }
        }
    }
    return parents;
}

/* "prod site=graz"; what the caller frees, NULL without any. */
static char *words_of(const json_t *object)
{
    struct ox_buf text = OX_BUF_INIT;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        char *number = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        const char *shown = json_is_string(value) ? json_string_value(value) : number;
        char *word = NULL;

        if (shown != NULL && ox_strf(&word, NULL, "%s%s%s%s", text.len_bytes > 0 ? " " : "", key,
                                     shown[0] == '\0' ? "" : "=", shown) == OX_OK) {
            (void)(ox_buf_append(&text, word, strlen(word), NULL) == OX_OK);
        }
        free(word);
        free(number);
    }
    if (text.len_bytes == 0 || ox_buf_append(&text, "", 1, NULL) != OX_OK) {
        ox_buf_clear(&text);
        return NULL;
    }
    return (char *)text.data; /* the caller's now */
}

/* "f16 int8 -": the variants of a version, "-" for the one without a name; NULL if it is alone. */
static char *variants_of(const json_t *version)
{
    const json_t *variants = json_object_get(version, "variants");
    json_t *names = json_object();
    json_t *variant;
    char *text = NULL;
    size_t i;

    json_array_foreach(variants, i, variant)
    {
        const char *name = ox_cli_text(variant, "variant");

        (void)json_object_set_new(names, name == NULL ? "-" : name, json_string(""));
    }
    if (json_array_size(variants) > 1 || json_object_get(names, "-") == NULL) {
        text = words_of(names);
    }
    json_decref(names);
    return text;
}

/* What a table of versions shows; a column that nothing stands in is left out. */
enum {
    CELL_VERSION,
    CELL_SIZE,
    CELL_LABELS,
    CELL_VARIANTS,
    CELL_METRICS,
    CELL_COMMIT,
    CELL_UPLOADED,
    CELL_DIGEST,
    CELLS
};
static const struct ox_column version_columns[CELLS] = {
    [CELL_VERSION] = {"VERSION", OX_LEFT},   [CELL_SIZE] = {"SIZE", OX_RIGHT},
    [CELL_LABELS] = {"LABELS", OX_LEFT},     [CELL_VARIANTS] = {"VARIANTS", OX_LEFT},
    [CELL_METRICS] = {"METRICS", OX_LEFT},   [CELL_COMMIT] = {"COMMIT", OX_LEFT},
    [CELL_UPLOADED] = {"UPLOADED", OX_LEFT}, [CELL_DIGEST] = {"SHA-256", OX_LEFT}};

static void fill_cells(const struct ox_lineage_line *line, bool has_parent, const json_t *version,
                       char *cells[CELLS])
{
    const char *parent = has_parent ? NULL : ox_cli_text(version, "parent");
    const char *commit = ox_cli_text(version, "commit");
    const json_t *variants = json_object_get(version, "variants");
    char size[OX_HUMAN_MAX];

    (void)(ox_strf(&cells[CELL_VERSION], NULL, "%s%s%s%s%s", line->drawing,
                   ox_cli_text(version, "version"), parent == NULL ? "" : " (from ",
                   parent == NULL ? "" : parent, parent == NULL ? "" : ")") == OX_OK);
    (void)(ox_strdup(&cells[CELL_SIZE], ox_human_size(ox_cli_number(version, "size_bytes"), size),
                     NULL) == OX_OK);
    cells[CELL_LABELS] = words_of(json_object_get(version, "labels"));
    cells[CELL_VARIANTS] = variants_of(version);
    if (json_array_size(variants) == 1) {
        cells[CELL_METRICS] = words_of(json_object_get(json_array_get(variants, 0), "metrics"));
    }
    if (commit != NULL) {
        (void)(ox_strf(&cells[CELL_COMMIT], NULL, "%.12s", commit) == OX_OK);
    }
    (void)(ox_strdup(&cells[CELL_UPLOADED], ox_cli_text(version, "uploaded_at"), NULL) == OX_OK);
    (void)(ox_strdup(&cells[CELL_DIGEST], ox_cli_text(version, "sha256"), NULL) == OX_OK);
}

static enum ox_code print_versions(struct ox_cli *cli, char *(*cells)[CELLS], size_t count,
                                   struct ox_err *err)
{
    struct ox_column columns[CELLS];
    size_t shown[CELLS];
    size_t used = 0;
    struct ox_table table;
    enum ox_code code;

    for (size_t cell = 0; cell < CELLS; cell++) {
        for (size_t i = 0; i < count; i++) {
            if (cells[i][cell] != NULL) {
                columns[used] = version_columns[cell];
                shown[used++] = cell;
                break;
            }
        }
    }
    ox_table_init(&table, columns, used);
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < used; at++) {
            ox_table_cell(&table, cells[i][shown[at]]);
        }
    }
    code = used == 0 ? OX_OK : ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code show_versions(struct ox_cli *cli, const char *model, const json_t *answer,
                                  struct ox_err *err)
{
    const json_t *versions = json_object_get(answer, "versions");
    size_t count = json_array_size(versions);
    size_t *parents = parents_of(model, versions);
    char *(*cells)[CELLS] = calloc(count + 1, sizeof(*cells));
    struct ox_lineage_line *lines = NULL;
    enum ox_code code =
        parents == NULL || cells == NULL
            ? ox_err_nomem(err, "a table")
            : ox_lineage_draw(parents, count, ox_lineage_in_utf8(cli->out_is_terminal), &lines,
                              err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        size_t at = lines[i].version;

        fill_cells(&lines[i], parents[at] != OX_LINEAGE_NONE, json_array_get(versions, at),
                   cells[i]);
    }
    if (code == OX_OK) {
        code = print_versions(cli, cells, count, err);
    }
    for (size_t i = 0; cells != NULL && i < count; i++) {
        for (size_t cell = 0; cell < CELLS; cell++) {
            free(cells[i][cell]);
        }
    }
    ox_lineage_free(lines, lines == NULL ? 0 : count);
    free(cells);
    free(parents);
    return code;
}

/* What is said of a version, as lines of "what  it is"; a line that nothing stands in is left out.
 */
static enum ox_code print_facts(struct ox_cli *cli, const json_t *meta, struct ox_err *err)
{
    static const struct ox_column facts[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    static const char *const rows[][2] = {
        {"model", "model_id"},    {"version", "version"},         {"variant", "variant"},
        {"requires", "requires"}, {"format", "format"},           {"uploaded", "uploaded_at"},
        {"SHA-256", "sha256"},    {"labels", "labels"},           {"parent", "parent"},
        {"commit", "commit"},     {"data digest", "data_digest"}, {"metrics", "metrics"},
        {"notes", "notes"},
    };
    struct ox_table table;
    char size[OX_HUMAN_MAX];
    enum ox_code code;

    ox_table_init(&table, facts, 2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const json_t *value = json_object_get(meta, rows[i][1]);
        char *words = json_is_object(value) ? words_of(value) : NULL;
        const char *text = words == NULL ? json_string_value(value) : words;

        if (text != NULL) {
            ox_table_cell(&table, rows[i][0]);
            ox_table_cell(&table, text);
        }
        free(words);
    }
    ox_table_cell(&table, "size");
    ox_table_cell(&table, ox_human_bytes(ox_cli_number(meta, "size_bytes"), size));
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code print_variants(struct ox_cli *cli, const json_t *variants, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"VARIANT", OX_LEFT}, {"SIZE", OX_RIGHT},    {"RANK", OX_RIGHT},   {"REQUIRES", OX_LEFT},
        {"METRICS", OX_LEFT}, {"UPLOADED", OX_LEFT}, {"SHA-256", OX_LEFT},
    };
    struct ox_table table;
    json_t *variant;
    size_t i;
    char size[OX_HUMAN_MAX];
    enum ox_code code;

    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(variants, i, variant)
    {
        char *metrics = words_of(json_object_get(variant, "metrics"));

        ox_table_cell(&table, ox_cli_text(variant, "variant"));
        ox_table_cell(&table, ox_human_size(ox_cli_number(variant, "size_bytes"), size));
        ox_table_cellf(&table, "%llu", (unsigned long long)ox_cli_number(variant, "rank"));
        ox_table_cell(&table, ox_cli_text(variant, "requires"));
        ox_table_cell(&table, metrics);
        ox_table_cell(&table, ox_cli_text(variant, "uploaded_at"));
        ox_table_cell(&table, ox_cli_text(variant, "sha256"));
        free(metrics);
    }
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code print_files(struct ox_cli *cli, const json_t *files, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"FILE", OX_LEFT}, {"SIZE", OX_RIGHT}, {"MODE", OX_LEFT}, {"SHA-256", OX_LEFT}};
    struct ox_table table;
    json_t *file;
    size_t i;
    char size[OX_HUMAN_MAX];
    enum ox_code code;

    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(files, i, file)
    {
        ox_table_cell(&table, ox_cli_text(file, "path"));
        ox_table_cell(&table, ox_human_size(ox_cli_number(file, "size"), size));
        ox_table_cell(&table, ox_cli_text(file, "mode"));
        ox_table_cell(&table, ox_cli_text(file, "sha256"));
    }
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code show_version(struct ox_cli *cli, const json_t *meta, struct ox_err *err)
{
    const json_t *variants = json_object_get(meta, "variants");
    enum ox_code code = print_facts(cli, meta, err);

    if (code == OX_OK && json_array_size(variants) > 1) {
        (void)fputc('\n', cli->out);
        code = print_variants(cli, variants, err);
    }
    if (code == OX_OK) {
        (void)fputc('\n', cli->out);
        code = print_files(cli, json_object_get(meta, "files"), err);
    }
    return code;
}

enum ox_code ox_run_model_show(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *model = ox_args_word(args, 0);
    const char *version = ox_args_word(args, 1);
    const char *variant = ox_args_value(args, "variant", NULL);
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("model", model, err);

    if (code == OX_OK && version != NULL) {
        code = ox_id_check("version", version, err);
    }
    if (code == OX_OK && variant != NULL) {
        code = version == NULL ? ox_err_set(err, OX_EINVAL, "--variant is of one VERSION: name it")
                               : ox_id_check("variant", variant, err);
    }
    if (code == OX_OK) {
        code = version == NULL
                   ? ox_client_once(cli, "GET", NULL, &answer, err, "/api/v1/models/%s", model)
                   : ox_client_once(
                         cli, "GET", NULL, &answer, err, "/api/v1/models/%s/versions/%s/meta%s%s",
                         model, version,
                         variant == NULL ? "" : "?variant=", variant == NULL ? "" : variant);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        code = version == NULL ? show_versions(cli, model, answer, err)
                               : show_version(cli, answer, err);
    }
    json_decref(answer);
    return code;
}

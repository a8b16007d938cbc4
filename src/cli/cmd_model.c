#include "args.h"
#include "client.h"
#include "human.h"
#include "lists.h"
#include "table.h"

#include "oxide/wire/id.h"

static void model_row(struct ox_table *table, const json_t *model)
{
    char size[OX_HUMAN_MAX];

    ox_table_cell(table, ox_cli_text(model, "model_id"));
    ox_table_cellf(table, "%llu", (unsigned long long)ox_cli_number(model, "versions"));
    ox_table_cell(table, ox_cli_text(model, "latest"));
    ox_table_cell(table, ox_human_size(ox_cli_number(model, "size_bytes"), size));
}

enum ox_code ox_run_model_list(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"MODEL", OX_LEFT}, {"VERSIONS", OX_RIGHT}, {"LATEST", OX_LEFT}, {"SIZE", OX_RIGHT}};
    static const struct ox_cli_list list = {
        .path = "/api/v1/models",
        .key = "models",
        .columns = columns,
        .column_count = sizeof(columns) / sizeof(columns[0]),
        .row = model_row,
        .empty = "no models yet: oxide push MODEL VERSION PATH",
    };

    return ox_cli_list(cli, args, &list, err);
}

static enum ox_code show_versions(struct ox_cli *cli, const json_t *answer, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"VERSION", OX_LEFT}, {"SIZE", OX_RIGHT}, {"UPLOADED", OX_LEFT}, {"SHA-256", OX_LEFT}};
    struct ox_table table;
    json_t *version;
    size_t i;
    char size[OX_HUMAN_MAX];
    enum ox_code code;

    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(json_object_get(answer, "versions"), i, version)
    {
        ox_table_cell(&table, ox_cli_text(version, "version"));
        ox_table_cell(&table, ox_human_size(ox_cli_number(version, "size_bytes"), size));
        ox_table_cell(&table, ox_cli_text(version, "uploaded_at"));
        ox_table_cell(&table, ox_cli_text(version, "sha256"));
    }
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code show_version(struct ox_cli *cli, const json_t *meta, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"FILE", OX_LEFT}, {"SIZE", OX_RIGHT}, {"MODE", OX_LEFT}, {"SHA-256", OX_LEFT}};
    static const struct ox_column facts[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    static const char *const rows[][2] = {{"model", "model_id"},
                                          {"version", "version"},
                                          {"format", "format"},
                                          {"uploaded", "uploaded_at"},
                                          {"SHA-256", "sha256"}};
    struct ox_table table;
    json_t *file;
    size_t i;
    char size[OX_HUMAN_MAX];
    enum ox_code code;

    ox_table_init(&table, facts, 2);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ox_table_cell(&table, rows[i][0]);
        ox_table_cell(&table, ox_cli_text(meta, rows[i][1]));
    }
    ox_table_cell(&table, "size");
    ox_table_cell(&table, ox_human_bytes(ox_cli_number(meta, "size_bytes"), size));
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    (void)fputc('\n', cli->out);
    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(json_object_get(meta, "files"), i, file)
    {
        ox_table_cell(&table, ox_cli_text(file, "path"));
        ox_table_cell(&table, ox_human_size(ox_cli_number(file, "size"), size));
        ox_table_cell(&table, ox_cli_text(file, "mode"));
        ox_table_cell(&table, ox_cli_text(file, "sha256"));
    }
    if (code == OX_OK) {
        code = ox_table_print(&table, cli->out, cli->colour, err);
    }
    ox_table_clear(&table);
    return code;
}

enum ox_code ox_run_model_show(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *model = ox_args_word(args, 0);
    const char *version = ox_args_word(args, 1);
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("model", model, err);

    if (code == OX_OK && version != NULL) {
        code = ox_id_check("version", version, err);
    }
    if (code == OX_OK) {
        code = version == NULL
                   ? ox_client_once(cli, "GET", NULL, &answer, err, "/api/v1/models/%s", model)
                   : ox_client_once(cli, "GET", NULL, &answer, err,
                                    "/api/v1/models/%s/versions/%s/meta", model, version);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        code = version == NULL ? show_versions(cli, answer, err) : show_version(cli, answer, err);
    }
    json_decref(answer);
    return code;
}

/* Versions that devices are not given any more. */
#include "args.h"
#include "client.h"
#include "table.h"

#include "oxide/base/percent.h"
#include "oxide/wire/id.h"

static enum ox_code show(struct ox_cli *cli, const json_t *list, struct ox_err *err)
{
    static const struct ox_column columns[] = {{"DEVICE", OX_LEFT},   {"MODEL", OX_LEFT},
                                               {"VERSION", OX_LEFT},  {"FAILURES", OX_RIGHT},
                                               {"THE LAST", OX_LEFT}, {"SINCE", OX_LEFT}};
    struct ox_table table;
    json_t *row;
    size_t i;
    enum ox_code code;

    if (json_array_size(list) == 0) {
        (void)fputs("nothing is quarantined\n", cli->notes);
        return OX_OK;
    }
    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(list, i, row)
    {
        ox_table_cell(&table, ox_cli_text(row, "device_id"));
        ox_table_cell(&table, ox_cli_text(row, "model_id"));
        ox_table_cell(&table, ox_cli_text(row, "version"));
        ox_table_cellf(&table, "%llu", (unsigned long long)ox_cli_number(row, "failures"));
        ox_table_cell(&table, ox_cli_text(row, "class"));
        ox_table_cell(&table, ox_cli_text(row, "updated_at"));
    }
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

/* A call of `path` with one parameter, or none where its value is NULL. */
static enum ox_code call(struct ox_cli *cli, const char *method, const char *path, const char *name,
                         const char *value, json_t **answer, struct ox_err *err)
{
    struct ox_buf whole = OX_BUF_INIT;
    enum ox_code code = ox_buf_printf(&whole, err, "%s", path);

    if (code == OX_OK && value != NULL &&
        (code = ox_buf_printf(&whole, err, "?%s=", name)) == OX_OK) {
        code = ox_percent_encode(&whole, value, err);
    }
    if (code == OX_OK) {
        code = ox_client_once(cli, method, NULL, answer, err, "%s", (const char *)whole.data);
    }
    ox_buf_clear(&whole);
    return code;
}

enum ox_code ox_run_device_quarantine(struct ox_cli *cli, const struct ox_args *args,
                                      struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    json_t *answer = NULL;
    enum ox_code code = id != NULL ? ox_id_check("device", id, err) : OX_OK;

    if (code == OX_OK) {
        code = call(cli, "GET", "/api/v1/quarantine", "device", id, &answer, err);
    }
    if (code == OX_OK) {
        code = cli->json ? ox_cli_print_json(cli, answer, err)
                         : show(cli, json_object_get(answer, "quarantined"), err);
    }
    json_decref(answer);
    return code;
}

enum ox_code ox_run_device_free(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    const char *model = ox_args_word(args, 1);
    char path[OX_ID_MAX + 64];
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("device", id, err);

    if (code == OX_OK && model != NULL) {
        code = ox_id_check("model", model, err);
    }
    if (code == OX_OK) {
        (void)snprintf(path, sizeof(path), "/api/v1/devices/%s/quarantine", id);
        code = call(cli, "DELETE", path, "model", model, &answer, err);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        uint64_t freed = ox_cli_number(answer, "freed");

        (void)fprintf(cli->out, "device %s: %llu version%s freed\n", id, (unsigned long long)freed,
                      freed == 1 ? "" : "s");
    }
    json_decref(answer);
    return code;
}

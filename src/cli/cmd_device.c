#include "args.h"
#include "client.h"
#include "lists.h"
#include "table.h"

#include "oxide/wire/id.h"

enum ox_code ox_run_device_register(struct ox_cli *cli, const struct ox_args *args,
                                    struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    json_t *body = json_object();
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("device", id, err);

    if (code == OX_OK) {
        code = ox_json_set_str(body, "id", id, err);
    }
    if (code == OX_OK) {
        code = ox_json_set_str(body, "name", ox_args_value(args, "name", id), err);
    }
    if (code == OX_OK) {
        code = ox_client_once(cli, "POST", body, &answer, err, "/api/v1/devices");
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out,
                      "device %s is registered\n"
                      "next: on the device, oxide agent --control-plane %s --device-id %s\n",
                      id, cli->server, id);
    }
    json_decref(answer);
    json_decref(body);
    return code;
}

/* "defect@v2", or NULL if one of both is not known. */
static const char *model_text(const json_t *device, const char *model_key, const char *version_key,
                              char *out, size_t cap)
{
    const char *model = ox_cli_text(device, model_key);
    const char *version = ox_cli_text(device, version_key);

    if (model == NULL || version == NULL) {
        return NULL;
    }
    (void)snprintf(out, cap, "%s@%s", model, version);
    return out;
}

static void device_row(struct ox_table *table, const json_t *device)
{
    char text[600];

    ox_table_cell(table, ox_cli_text(device, "id"));
    ox_table_cell(table, ox_cli_text(device, "name"));
    ox_table_cell(table, ox_cli_text(device, "status"));
    ox_table_cell(table,
                  model_text(device, "current_model", "current_model_version", text, sizeof(text)));
    ox_table_cell(
        table, model_text(device, "assigned_model", "assigned_model_version", text, sizeof(text)));
    ox_table_cell(table, ox_cli_text(device, "fleet_id"));
    ox_table_cell(table, ox_cli_text(device, "last_heartbeat"));
}

enum ox_code ox_run_device_list(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"ID", OX_LEFT},       {"NAME", OX_LEFT},  {"STATUS", OX_LEFT},   {"RUNS", OX_LEFT},
        {"ASSIGNED", OX_LEFT}, {"FLEET", OX_LEFT}, {"LAST SEEN", OX_LEFT}};
    static const char *const filters[] = {"filter", "fleet", "runs", "status", NULL};
    static const struct ox_cli_list list = {
        .path = "/api/v1/devices",
        .columns = columns,
        .column_count = sizeof(columns) / sizeof(columns[0]),
        .row = device_row,
        .empty = "no such devices: oxide device register ID --name NAME",
        .filters = filters,
    };

    return ox_cli_list(cli, args, &list, err);
}

static void show_result(struct ox_table *table, const json_t *device)
{
    const json_t *result = json_object_get(device, "last_update_result");
    const char *error = ox_cli_text(json_object_get(result, "failed"), "error");

    ox_table_cell(table, "last update");
    if (json_is_string(result)) {
        ox_table_cell(table, json_string_value(result));
    } else if (json_is_object(result)) {
        ox_table_cellf(table, "failed: %s", error != NULL ? error : "no reason given");
    } else {
        ox_table_cell(table, NULL);
    }
}

static enum ox_code show_device(struct ox_cli *cli, const json_t *device, struct ox_err *err)
{
    static const struct ox_column columns[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    static const char *const rows[][2] = {{"device", "id"},     {"name", "name"},
                                          {"status", "status"}, {"fleet", "fleet_id"},
                                          {"agent", "agent"},   {"last seen", "last_heartbeat"}};
    const json_t *platform = json_object_get(device, "platform");
    struct ox_table table;
    json_t *model;
    size_t i;
    char text[600];
    enum ox_code code;

    ox_table_init(&table, columns, 2);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ox_table_cell(&table, rows[i][0]);
        ox_table_cell(&table, ox_cli_text(device, rows[i][1]));
    }
    ox_table_cell(&table, "platform");
    if (json_is_object(platform)) {
        const char *os = ox_cli_text(platform, "os");
        const char *arch = ox_cli_text(platform, "arch");

        ox_table_cellf(&table, "%s %s, %llu processors", os != NULL ? os : "?",
                       arch != NULL ? arch : "?",
                       (unsigned long long)ox_cli_number(platform, "cpu_count"));
    } else {
        ox_table_cell(&table, NULL);
    }
    ox_table_cell(&table, "runs");
    ox_table_cell(&table,
                  model_text(device, "current_model", "current_model_version", text, sizeof(text)));
    json_array_foreach(json_object_get(device, "models"), i, model)
    {
        ox_table_cell(&table, "model");
        ox_table_cell(&table, model_text(model, "id", "version", text, sizeof(text)));
    }
    ox_table_cell(&table, "assigned");
    ox_table_cell(
        &table, model_text(device, "assigned_model", "assigned_model_version", text, sizeof(text)));
    show_result(&table, device);
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    return code;
}

enum ox_code ox_run_device_status(struct ox_cli *cli, const struct ox_args *args,
                                  struct ox_err *err)
{
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("device", ox_args_word(args, 0), err);

    if (code == OX_OK) {
        code = ox_client_once(cli, "GET", NULL, &answer, err, "/api/v1/devices/%s",
                              ox_args_word(args, 0));
    }
    if (code == OX_OK) {
        code = cli->json ? ox_cli_print_json(cli, answer, err) : show_device(cli, answer, err);
    }
    json_decref(answer);
    return code;
}

enum ox_code ox_run_device_remove(struct ox_cli *cli, const struct ox_args *args,
                                  struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("device", id, err);

    if (code == OX_OK) {
        code = ox_client_once(cli, "DELETE", NULL, &answer, err, "/api/v1/devices/%s", id);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out, "device %s is removed\n", id);
    }
    json_decref(answer);
    return code;
}

#include "args.h"
#include "client.h"
#include "lists.h"
#include "table.h"
#include "tags.h"

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
        code = ox_cli_tags(args, body, err);
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

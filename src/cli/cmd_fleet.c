#include "args.h"
#include "client.h"
#include "lists.h"
#include "table.h"

#include "oxide/wire/id.h"

#include <string.h>

enum ox_code ox_run_fleet_create(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    const char *description = ox_args_value(args, "description", NULL);
    const char *filter = ox_args_value(args, "filter", NULL);
    json_t *body = json_object();
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("fleet", id, err);

    if (code == OX_OK) {
        code = ox_json_set_str(body, "id", id, err);
    }
    if (code == OX_OK) {
        code = ox_json_set_str(body, "name", ox_args_value(args, "name", id), err);
    }
    if (code == OX_OK && description != NULL) {
        code = ox_json_set_str(body, "description", description, err);
    }
    if (code == OX_OK && filter != NULL) {
        code = ox_json_set_str(body, "filter", filter, err);
    }
    if (code == OX_OK) {
        code = ox_client_once(cli, "POST", body, &answer, err, "/api/v1/fleets");
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK && filter != NULL) {
        (void)fprintf(cli->out,
                      "fleet %s is created: %llu devices pass its filter now\n"
                      "next: oxide device list --fleet %s\n",
                      id, (unsigned long long)ox_cli_number(answer, "device_count"), id);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out, "fleet %s is created\nnext: oxide fleet add %s DEVICE...\n", id,
                      id);
    }
    json_decref(answer);
    json_decref(body);
    return code;
}

static void fleet_row(struct ox_table *table, const json_t *fleet)
{
    ox_table_cell(table, ox_cli_text(fleet, "id"));
    ox_table_cell(table, ox_cli_text(fleet, "name"));
    ox_table_cellf(table, "%llu", (unsigned long long)ox_cli_number(fleet, "device_count"));
    ox_table_cell(table, ox_cli_text(fleet, "filter"));
    ox_table_cell(table, ox_cli_text(fleet, "description"));
}

enum ox_code ox_run_fleet_list(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    static const struct ox_column columns[] = {{"ID", OX_LEFT},
                                               {"NAME", OX_LEFT},
                                               {"DEVICES", OX_RIGHT},
                                               {"FILTER", OX_LEFT},
                                               {"DESCRIPTION", OX_LEFT}};
    static const char *const filters[] = {"device", NULL};
    static const struct ox_cli_list list = {
        .path = "/api/v1/fleets",
        .columns = columns,
        .column_count = sizeof(columns) / sizeof(columns[0]),
        .row = fleet_row,
        .empty = "no such fleets: oxide fleet create ID --name NAME",
        .filters = filters,
        .table_query = "devices=false",
    };

    return ox_cli_list(cli, args, &list, err);
}

enum ox_code ox_run_fleet_status(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    static const struct ox_column columns[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    static const char *const counts[] = {"total_devices", "online", "updating",
                                         "offline",       "error",  "unknown"};
    struct ox_table table;
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("fleet", ox_args_word(args, 0), err);

    ox_table_init(&table, columns, 2);
    if (code == OX_OK) {
        code = ox_client_once(cli, "GET", NULL, &answer, err, "/api/v1/fleets/%s/status",
                              ox_args_word(args, 0));
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        ox_table_cell(&table, "fleet");
        ox_table_cell(&table, ox_cli_text(answer, "fleet_id"));
        ox_table_cell(&table, "name");
        ox_table_cell(&table, ox_cli_text(answer, "fleet_name"));
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
            ox_table_cell(&table, i == 0 ? "devices" : counts[i]);
            ox_table_cellf(&table, "%llu", (unsigned long long)ox_cli_number(answer, counts[i]));
        }
        code = ox_table_print(&table, cli->out, false, err);
    }
    ox_table_clear(&table);
    json_decref(answer);
    return code;
}

/* POST or DELETE each of the devices named. */
static enum ox_code change_members(struct ox_cli *cli, const struct ox_args *args,
                                   const char *method, const char *done, struct ox_err *err)
{
    const char *fleet = ox_args_word(args, 0);
    struct ox_client client = {NULL, NULL, NULL};
    json_t *changed = json_array();
    enum ox_code code = ox_id_check("fleet", fleet, err);

    for (size_t i = 1; i < args->word_count && code == OX_OK; i++) {
        code = ox_id_check("device", args->words[i], err);
    }
    if (code == OX_OK) {
        code = ox_client_open(&client, cli, err);
    }
    for (size_t i = 1; i < args->word_count && code == OX_OK; i++) {
        char path[600];

        (void)snprintf(path, sizeof(path), "/api/v1/fleets/%s/devices/%s", fleet, args->words[i]);
        code = ox_client_call(&client, method, path, NULL, NULL, NULL, err);
        if (code == OX_OK && !cli->json) {
            (void)fprintf(cli->out, "device %s is %s fleet %s\n", args->words[i], done, fleet);
        } else if (code == OX_OK) {
            code = ox_json_append(changed, json_string(args->words[i]), err);
        }
    }
    if (code == OX_OK && cli->json) {
        json_t *answer = json_pack("{s:s, s:O}", "fleet_id", fleet, "devices", changed);

        code = answer == NULL ? ox_err_nomem(err, "JSON") : ox_cli_print_json(cli, answer, err);
        json_decref(answer);
    }
    json_decref(changed);
    ox_client_close(&client);
    return code;
}

enum ox_code ox_run_fleet_add(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    enum ox_code code = change_members(cli, args, "POST", "in", err);

    if (code == OX_OK && !cli->json) {
        (void)fprintf(cli->out, "next: oxide deploy MODEL VERSION --fleet %s\n",
                      ox_args_word(args, 0));
    }
    return code;
}

enum ox_code ox_run_fleet_remove(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    return change_members(cli, args, "DELETE", "out of", err);
}

/* What an operator decides of a device: who it is, whether it is let in, whether it stays. */
#include "args.h"
#include "client.h"
#include "lists.h"
#include "tags.h"

#include "oxide/wire/id.h"

#include <stdlib.h>

/* Set key to an option's value, if it was given. */
static enum ox_code put_option(json_t *body, const char *key, const struct ox_args *args,
                               const char *option, struct ox_err *err)
{
    const char *value = ox_args_value(args, option, NULL);

    return value == NULL ? OX_OK : ox_json_set_str(body, key, value, err);
}

/* POST to an act on the device that the first word names. The answer is the caller's. */
static enum ox_code post(struct ox_cli *cli, const struct ox_args *args, const char *resource,
                         const char *act, const json_t *body, json_t **answer, struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    enum ox_code code = ox_id_check("device", id, err);

    if (code == OX_OK) {
        code =
            ox_client_once(cli, "POST", body, answer, err, "/api/v1/%s/%s/%s", resource, id, act);
    }
    return code == OX_OK && cli->json ? ox_cli_print_json(cli, *answer, err) : code;
}

enum ox_code ox_run_device_split(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    json_t *body = json_object();
    json_t *answer = NULL;
    enum ox_code code;

    if ((code = put_option(body, "as", args, "as", err)) == OX_OK &&
        (code = put_option(body, "instance", args, "instance", err)) == OX_OK &&
        (code = post(cli, args, "devices", "split", body, &answer, err)) == OX_OK && !cli->json) {
        uint64_t left = ox_cli_number(answer, "undecided");

        (void)fprintf(cli->out, "installation %s is device %s from its next heartbeat on\n",
                      ox_cli_text(answer, "instance"), ox_cli_text(answer, "new_id"));
        if (left > 0) {
            (void)fprintf(cli->notes, "%llu more are to be decided: oxide device show %s\n",
                          (unsigned long long)left, ox_args_word(args, 0));
        }
    }
    json_decref(answer);
    json_decref(body);
    return code;
}

enum ox_code ox_run_device_replace(struct ox_cli *cli, const struct ox_args *args,
                                   struct ox_err *err)
{
    json_t *body = json_object();
    json_t *answer = NULL;
    enum ox_code code;

    if ((code = put_option(body, "instance", args, "instance", err)) == OX_OK &&
        (code = post(cli, args, "devices", "replace", body, &answer, err)) == OX_OK && !cli->json) {
        (void)fprintf(cli->out, "device %s is installation %s from now on\n", ox_args_word(args, 0),
                      ox_cli_text(answer, "instance"));
    }
    json_decref(answer);
    json_decref(body);
    return code;
}

static enum ox_code pin(struct ox_cli *cli, const struct ox_args *args, bool on, struct ox_err *err)
{
    const char *model = ox_args_word(args, 1);
    json_t *body = json_object();
    json_t *answer = NULL;
    enum ox_code code = model == NULL ? OX_OK : ox_id_check("model", model, err);

    if (code == OX_OK && model != NULL) {
        code = ox_json_set_str(body, "model_id", model, err);
    }
    if (code == OX_OK && on) {
        code = put_option(body, "reason", args, "reason", err);
    }
    if (code == OX_OK &&
        (code = post(cli, args, "devices", on ? "pin" : "unpin", body, &answer, err)) == OX_OK &&
        !cli->json) {
        (void)fprintf(cli->out,
                      on ? "%s of device %s stays as it is\n"
                         : "%s of device %s follows campaigns again\n",
                      model == NULL ? "all" : model, ox_args_word(args, 0));
    }
    json_decref(answer);
    json_decref(body);
    return code;
}

enum ox_code ox_run_device_pin(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    return pin(cli, args, true, err);
}

enum ox_code ox_run_device_unpin(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    return pin(cli, args, false, err);
}

/* --- devices that wait --- */

static void pending_row(struct ox_table *table, const json_t *device)
{
    const json_t *platform = json_object_get(device, "platform");
    const char *os = ox_cli_text(platform, "os");
    const char *arch = ox_cli_text(platform, "arch");

    ox_table_cell(table, ox_cli_text(device, "id"));
    ox_table_cell(table, ox_cli_text(device, "address"));
    ox_table_cell(table, ox_cli_text(device, "agent"));
    if (os != NULL && arch != NULL) {
        ox_table_cellf(table, "%s %s", os, arch);
    } else {
        ox_table_cell(table, NULL);
    }
    ox_table_cell(table, ox_cli_text(device, "first_seen"));
    ox_table_cell(table, ox_cli_text(device, "last_seen"));
}

enum ox_code ox_run_device_pending(struct ox_cli *cli, const struct ox_args *args,
                                   struct ox_err *err)
{
    static const struct ox_column columns[] = {{"ID", OX_LEFT},         {"ADDRESS", OX_LEFT},
                                               {"AGENT", OX_LEFT},      {"PLATFORM", OX_LEFT},
                                               {"FIRST SEEN", OX_LEFT}, {"LAST SEEN", OX_LEFT}};
    static const char *const filters[] = {"state", NULL};
    static const struct ox_cli_list list = {
        .path = "/api/v1/pending-devices",
        .key = "devices",
        .columns = columns,
        .column_count = sizeof(columns) / sizeof(columns[0]),
        .row = pending_row,
        .empty = "no such devices: those that ask and are not registered are listed here",
        .filters = filters,
    };

    return ox_cli_list(cli, args, &list, err);
}

enum ox_code ox_run_device_accept(struct ox_cli *cli, const struct ox_args *args,
                                  struct ox_err *err)
{
    json_t *body = json_object();
    json_t *answer = NULL;
    enum ox_code code;

    if ((code = put_option(body, "name", args, "name", err)) == OX_OK &&
        (code = put_option(body, "fleet_id", args, "fleet", err)) == OX_OK &&
        (code = ox_cli_tags(args, body, err)) == OX_OK &&
        (code = post(cli, args, "pending-devices", "accept", body, &answer, err)) == OX_OK &&
        !cli->json) {
        const char *fleet = ox_cli_text(answer, "fleet_id");

        (void)fprintf(cli->out, "device %s is registered%s%s\n", ox_args_word(args, 0),
                      fleet == NULL ? "" : " and in fleet ", fleet == NULL ? "" : fleet);
    }
    json_decref(answer);
    json_decref(body);
    return code;
}

enum ox_code ox_run_device_reject(struct ox_cli *cli, const struct ox_args *args,
                                  struct ox_err *err)
{
    json_t *answer = NULL;
    enum ox_code code = post(cli, args, "pending-devices", "reject", NULL, &answer, err);

    if (code == OX_OK && !cli->json) {
        (void)fprintf(cli->out, "device %s is not listed any more\n", ox_args_word(args, 0));
    }
    json_decref(answer);
    return code;
}

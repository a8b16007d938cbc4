#include "args.h"
#include "client.h"

#include "oxide/wire/id.h"

/* The options as a body: those that are given. */
static enum ox_code changes(const struct ox_args *args, json_t *body, struct ox_err *err)
{
    static const char *const texts[] = {"name", "description", "filter"};
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (ox_args_has(args, texts[i])) {
            code = ox_json_set_str(body, texts[i], ox_args_value(args, texts[i], NULL), err);
        }
    }
    if (code == OX_OK && ox_args_has(args, "no-filter")) {
        code = json_object_get(body, "filter") != NULL
                   ? ox_err_set(err, OX_EINVAL, "--filter and --no-filter do not go together")
                   : ox_json_set_str(body, "filter", NULL, err);
    }
    if (code == OX_OK && json_object_size(body) == 0) {
        code = ox_err_set(err, OX_EINVAL,
                          "nothing to change: name --filter, --no-filter, --name or --description");
    }
    if (code == OX_OK && ox_args_has(args, "force")) {
        code = ox_json_set(body, "replace_list", json_true(), err);
    }
    return code;
}

enum ox_code ox_run_fleet_edit(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    json_t *body = json_object();
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("fleet", id, err);

    if (code == OX_OK && (code = changes(args, body, err)) == OX_OK) {
        code = ox_client_once(cli, "PATCH", body, &answer, err, "/api/v1/fleets/%s", id);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out, "fleet %s is changed: %llu devices are in it now\n", id,
                      (unsigned long long)ox_cli_number(answer, "device_count"));
    }
    json_decref(answer);
    json_decref(body);
    return code;
}

enum ox_code ox_run_fleet_delete(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("fleet", id, err);

    if (code == OX_OK) {
        code = ox_client_once(cli, "DELETE", NULL, &answer, err, "/api/v1/fleets/%s", id);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out, "fleet %s is gone; its devices are not\n", id);
    }
    json_decref(answer);
    return code;
}

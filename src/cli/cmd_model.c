#include "args.h"
#include "client.h"
#include "human.h"
#include "lists.h"
#include "meta_args.h"
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

/* Change a version by a document, which is taken, and show what is said of it then. */
static enum ox_code patch(struct ox_cli *cli, const struct ox_args *args, json_t *take_meta,
                          struct ox_err *err)
{
    const char *model = ox_args_word(args, 0);
    const char *version = ox_args_word(args, 1);
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("model", model, err);

    if (code == OX_OK) {
        code = ox_id_check("version", version, err);
    }
    if (code == OX_OK) {
        code = ox_client_once(cli, "PATCH", take_meta, &answer, err,
                              "/api/v1/models/%s/versions/%s", model, version);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out, "%s@%s is changed: 'oxide model show %s %s' shows it\n", model,
                      version, model, version);
    }
    json_decref(answer);
    json_decref(take_meta);
    return code;
}

enum ox_code ox_run_model_label(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    json_t *meta = json_object();
    enum ox_code code = OX_OK;
    const char *word;

    for (size_t i = 2; code == OX_OK && (word = ox_args_word(args, i)) != NULL; i++) {
        code = ox_meta_label(meta, word, err);
    }
    if (code != OX_OK) {
        json_decref(meta);
        return code;
    }
    return patch(cli, args, meta, err);
}

enum ox_code ox_run_model_edit(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    json_t *meta = json_object();
    enum ox_code code = ox_meta_args(args, meta, err);

    if (code == OX_OK && json_object_size(meta) == 0) {
        code = ox_err_set(err, OX_EINVAL,
                          "nothing to change: name an option, see 'oxide help model edit'");
    }
    if (code != OX_OK) {
        json_decref(meta);
        return code;
    }
    return patch(cli, args, meta, err);
}

enum ox_code ox_run_model_remove(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *model = ox_args_word(args, 0);
    const char *version = ox_args_word(args, 1);
    const char *variant = ox_args_value(args, "variant", NULL);
    char size[OX_HUMAN_MAX];
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("model", model, err);

    if (code == OX_OK) {
        code = ox_id_check("version", version, err);
    }
    if (code == OX_OK && variant != NULL) {
        code = ox_id_check("variant", variant, err);
    }
    if (code == OX_OK) {
        code = ox_client_once(cli, "DELETE", NULL, &answer, err,
                              "/api/v1/models/%s/versions/%s%s%s", model, version,
                              variant == NULL ? "" : "?variant=", variant == NULL ? "" : variant);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out, "%s@%s is removed, %s\n", model, version,
                      ox_human_bytes(ox_cli_number(answer, "size_bytes"), size));
    }
    json_decref(answer);
    return code;
}

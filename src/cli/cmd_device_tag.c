#include "args.h"
#include "client.h"
#include "table.h"

#include "oxide/wire/id.h"

#include <stdlib.h>
#include <string.h>

/* "site=graz" sets, "site-" takes away. */
static enum ox_code add_change(json_t *tags, const char *word, struct ox_err *err)
{
    const char *equals = strchr(word, '=');
    size_t len = strlen(word);
    char *key = NULL;
    enum ox_code code;

    if (equals == word || len < 2 || (equals == NULL && word[len - 1] != '-')) {
        return ox_err_set(
            err, OX_EINVAL,
            "'%s' is no change of a tag: write KEY=VALUE to set one, KEY- to take one "
            "away",
            word);
    }
    code =
        ox_strf(&key, err, "%.*s", (int)(equals != NULL ? (size_t)(equals - word) : len - 1), word);
    if (code == OX_OK && json_object_get(tags, key) != NULL) {
        code = ox_err_set(err, OX_EINVAL, "tag '%s' is named twice", key);
    }
    if (code == OX_OK) {
        code = ox_json_set_str(tags, key, equals != NULL ? equals + 1 : NULL, err);
    }
    free(key);
    return code;
}

static enum ox_code show_tags(struct ox_cli *cli, const json_t *tags, struct ox_err *err)
{
    static const struct ox_column columns[] = {{"TAG", OX_LEFT}, {"VALUE", OX_LEFT}};
    struct ox_table table;
    enum ox_code code;

    if (json_object_size(tags) == 0) {
        (void)fprintf(cli->notes, "the device has no tags now\n");
        return OX_OK;
    }
    ox_table_init(&table, columns, 2);
    for (void *at = json_object_iter((json_t *)tags); at != NULL;
         at = json_object_iter_next((json_t *)tags, at)) {
        ox_table_cell(&table, json_object_iter_key(at));
        ox_table_cell(&table, json_string_value(json_object_iter_value(at)));
    }
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

enum ox_code ox_run_device_tag(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    json_t *tags = json_object();
    json_t *body = NULL;
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("device", id, err);

    for (size_t i = 1; code == OX_OK && i < args->word_count; i++) {
        code = add_change(tags, args->words[i], err);
    }
    if (code == OX_OK) {
        body = json_pack("{s:O}", "tags", tags);
        code = body == NULL ? ox_err_nomem(err, "JSON") : OX_OK;
    }
    if (code == OX_OK) {
        code = ox_client_once(cli, "PATCH", body, &answer, err, "/api/v1/devices/%s", id);
    }
    if (code == OX_OK) {
        code = cli->json ? ox_cli_print_json(cli, answer, err)
                         : show_tags(cli, json_object_get(answer, "tags"), err);
    }
    json_decref(answer);
    json_decref(body);
    json_decref(tags);
    return code;
}

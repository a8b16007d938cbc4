#include "args.h"
#include "client.h"
#include "table.h"

#include "oxide/base/file.h"
#include "oxide/wire/id.h"

#include <stdlib.h>
#include <string.h>

/* --- adding --- */

/* "a,b" and repeated options alike. */
static enum ox_code add_kinds(json_t *body, const struct ox_args *args, struct ox_err *err)
{
    const char *text = ox_args_nth(args, "kind", 0);
    json_t *kinds = text == NULL ? NULL : json_array();
    enum ox_code code = text != NULL && kinds == NULL ? ox_err_nomem(err, "kinds") : OX_OK;

    for (size_t i = 0; code == OX_OK && (text = ox_args_nth(args, "kind", i)) != NULL; i++) {
        while (code == OX_OK && *text != '\0') {
            size_t len = strcspn(text, ",");

            code = ox_json_append(kinds, json_stringn(text, len), err);
            text += len;
            text += *text == ',';
        }
    }
    if (code != OX_OK || kinds == NULL) {
        json_decref(kinds);
        return code;
    }
    return ox_json_set(body, "kinds", kinds, err);
}

/* A secret on the command line would stand in the list of processes. */
static enum ox_code add_secret(json_t *body, const struct ox_args *args, struct ox_err *err)
{
    const char *path = ox_args_value(args, "secret-file", NULL);
    struct ox_buf secret = OX_BUF_INIT;
    size_t len;
    enum ox_code code;

    if (path == NULL) {
        return OX_OK;
    }
    code = ox_file_read_all(path, 4096, &secret, err);
    len = secret.len_bytes;
    while (len > 0 && (secret.data[len - 1] == '\n' || secret.data[len - 1] == '\r')) {
        len--;
    }
    if (code == OX_OK) {
        json_t *text = json_stringn((const char *)secret.data, len);

        code = text == NULL ? ox_err_set(err, OX_EINVAL, "the secret in %s is no text", path)
                            : ox_json_set(body, "secret", text, err);
    }
    if (secret.data != NULL) {
        explicit_bzero(secret.data, secret.len_bytes);
    }
    ox_buf_clear(&secret);
    return code;
}

static enum ox_code body_of(const struct ox_args *args, json_t **out, struct ox_err *err)
{
    json_t *body = json_pack("{s:s}", "url", ox_args_word(args, 0));
    uint64_t after = 0;
    enum ox_code code = OX_OK;

    if (body == NULL) {
        return ox_err_set(err, OX_EINVAL, "the address of a receiver is plain ASCII");
    }
    if (ox_args_has(args, "id")) {
        code = ox_json_set_str(body, "id", ox_args_value(args, "id", NULL), err);
    }
    if (code == OX_OK && ox_args_has(args, "after") &&
        (code = ox_args_number(args, "after", 0, INT64_MAX, &after, err)) == OX_OK) {
        code = ox_json_set_u64(body, "after", after, err);
    }
    if (code == OX_OK && (code = add_kinds(body, args, err)) == OX_OK) {
        code = add_secret(body, args, err);
    }
    if (code != OX_OK) {
        json_decref(body);
        return code;
    }
    *out = body;
    return OX_OK;
}

enum ox_code ox_run_webhook_add(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    json_t *answer = NULL;
    json_t *body = NULL;
    enum ox_code code = body_of(args, &body, err);

    if (code == OX_OK) {
        code = ox_client_once(cli, "POST", body, &answer, err, "/api/v1/webhooks");
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out, "webhook %s is added\nsecret: %s\n", ox_cli_text(answer, "id"),
                      ox_cli_text(answer, "secret"));
        (void)fprintf(cli->notes,
                      "keep the secret: it is not shown again\nnext: oxide webhook test %s\n",
                      ox_cli_text(answer, "id"));
    }
    json_decref(answer);
    json_decref(body);
    return code;
}

/* --- showing --- */

static enum ox_code show_list(struct ox_cli *cli, const json_t *webhooks, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"ID", OX_LEFT},       {"URL", OX_LEFT},      {"KINDS", OX_LEFT},     {"STATE", OX_LEFT},
        {"BACKLOG", OX_RIGHT}, {"NEXT TRY", OX_LEFT}, {"LAST ERROR", OX_LEFT}};
    struct ox_table table;
    json_t *webhook;
    size_t i;
    enum ox_code code;

    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(webhooks, i, webhook)
    {
        const json_t *kinds = json_object_get(webhook, "kinds");
        char text[256] = "all";
        json_t *kind;
        size_t k;

        json_array_foreach(kinds, k, kind)
        {
            size_t len = k == 0 ? 0 : strlen(text);

            (void)snprintf(text + len, sizeof(text) - len, "%s%s", k == 0 ? "" : ",",
                           json_string_value(kind));
        }
        ox_table_cell(&table, ox_cli_text(webhook, "id"));
        ox_table_cell(&table, ox_cli_text(webhook, "url"));
        ox_table_cell(&table, text);
        ox_table_cell(&table, ox_cli_text(webhook, "state"));
        ox_table_cellf(&table, "%llu", (unsigned long long)ox_cli_number(webhook, "backlog"));
        ox_table_cell(&table, ox_cli_text(webhook, "next_try_at"));
        ox_table_cell(&table, ox_cli_text(webhook, "last_error"));
    }
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

enum ox_code ox_run_webhook_list(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const json_t *webhooks;
    json_t *answer = NULL;
    enum ox_code code = ox_client_once(cli, "GET", NULL, &answer, err, "/api/v1/webhooks");

    (void)args;
    webhooks = json_object_get(answer, "webhooks");
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK && json_array_size(webhooks) == 0) {
        (void)fprintf(cli->notes, "no webhooks yet: oxide webhook add URL\n");
    } else if (code == OX_OK) {
        code = show_list(cli, webhooks, err);
    }
    json_decref(answer);
    return code;
}

/* --- the rest --- */

static enum ox_code call(struct ox_cli *cli, const struct ox_args *args, const char *method,
                         const char *action, json_t **answer, struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    enum ox_code code = ox_id_check("webhook", id, err);

    if (code == OX_OK) {
        code = ox_client_once(cli, method, NULL, answer, err, "/api/v1/webhooks/%s%s", id, action);
    }
    return code == OX_OK && cli->json ? ox_cli_print_json(cli, *answer, err) : code;
}

enum ox_code ox_run_webhook_remove(struct ox_cli *cli, const struct ox_args *args,
                                   struct ox_err *err)
{
    json_t *answer = NULL;
    enum ox_code code = call(cli, args, "DELETE", "", &answer, err);

    if (code == OX_OK && !cli->json) {
        (void)fprintf(cli->out, "webhook %s is removed\n", ox_args_word(args, 0));
    }
    json_decref(answer);
    return code;
}

enum ox_code ox_run_webhook_resume(struct ox_cli *cli, const struct ox_args *args,
                                   struct ox_err *err)
{
    json_t *answer = NULL;
    enum ox_code code = call(cli, args, "POST", "/resume", &answer, err);

    if (code == OX_OK && !cli->json) {
        (void)fprintf(cli->out, "webhook %s is tried now\n", ox_args_word(args, 0));
    }
    json_decref(answer);
    return code;
}

enum ox_code ox_run_webhook_test(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    json_t *answer = NULL;
    enum ox_code code = call(cli, args, "POST", "/test", &answer, err);
    bool delivered = json_is_true(json_object_get(answer, "delivered"));

    if (code == OX_OK && !delivered) {
        code = ox_err_set(err, OX_EFAILED, "the receiver of webhook %s does not take it: %s",
                          ox_args_word(args, 0), ox_cli_text(answer, "error"));
    } else if (code == OX_OK && !cli->json) {
        (void)fprintf(cli->out, "the receiver took it: HTTP %llu after %llu ms\n",
                      (unsigned long long)ox_cli_number(answer, "status"),
                      (unsigned long long)ox_cli_number(answer, "duration_ms"));
    }
    json_decref(answer);
    return code;
}

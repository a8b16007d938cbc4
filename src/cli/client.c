#include "client.h"

#include "place.h"
#include "version.h"

#include "oxide/base/text.h"
#include "oxide/wire/header.h"

#include <stdlib.h>
#include <string.h>

enum ox_code ox_client_open(struct ox_client *out, const struct ox_cli *cli, struct ox_err *err)
{
    size_t len = strlen(cli->server);

    *out = (struct ox_client){NULL, cli, NULL};
    if (strncmp(cli->server, "http://", 7) != 0 && strncmp(cli->server, "https://", 8) != 0) {
        return ox_err_set(
            err, OX_EINVAL,
            "the server '%s' is no address: write it as http://HOST:PORT (--server or "
            "OXIDE_SERVER)",
            cli->server);
    }
    while (len > 0 && cli->server[len - 1] == '/') {
        len--;
    }
    if (ox_strf(&out->base, err, "%.*s", (int)len, cli->server) != OX_OK) {
        return OX_ENOMEM;
    }
    return ox_http_new(&out->http, OX_USER_AGENT, err);
}

void ox_client_close(struct ox_client *client)
{
    ox_http_free(client->http);
    free(client->base);
    *client = (struct ox_client){NULL, NULL, NULL};
}

static enum ox_code code_of_word(const char *word)
{
    static const struct {
        const char *word;
        enum ox_code code;
    } rows[] = {
#define ROW(symbol, number, text) {text, symbol},
        OX_CODES(ROW)
#undef ROW
    };

    for (size_t i = 0; word != NULL && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].word, word) == 0 && rows[i].code != OX_OK) {
            return rows[i].code;
        }
    }
    return OX_EPROTO;
}

/* An answer of 400 and above: the server's own words, if they are oxide's. */
static enum ox_code refused(const struct ox_client *client, const struct ox_http_request *request,
                            const char *path, const struct ox_http_answer *answer,
                            struct ox_err *err)
{
    json_t *json = NULL;
    const char *word = NULL;
    const char *message = NULL;
    enum ox_code code;

    if (ox_json_parse_object(answer->body.data, answer->body.len_bytes, &json, NULL) == OX_OK) {
        const json_t *error = json_object_get(json, "error");

        word = ox_cli_text(error, "code");
        message = ox_cli_text(error, "message");
        if (client->cli->verbose && ox_cli_text(error, "request_id") != NULL) {
            char id[128]; /* of whoever answered: fit to show */

            (void)snprintf(id, sizeof(id), "%s", ox_cli_text(error, "request_id"));
            ox_text_clean(id);
            (void)fprintf(client->cli->notes, "request id %s: the server's log has it\n", id);
        }
    }
    code = code_of_word(word);
    if (message != NULL) {
        code = ox_err_set(err, code, "%s", message);
    } else {
        code = ox_err_set(err, OX_EPROTO,
                          "%s answers %ld to %s %s: is that an oxide control plane? (--server or "
                          "OXIDE_SERVER names another)",
                          client->base, answer->status, request->method, path);
    }
    json_decref(json);
    return code;
}

/* Longer ones than any server of ours makes are cut, and refused when they come back. */
#define CURSOR_MAX 8192

static enum ox_code take_cursor(const struct ox_http_answer *answer, char **out, struct ox_err *err)
{
    char cursor[CURSOR_MAX];

    return ox_http_answer_header(answer, OX_HEADER_NEXT_CURSOR, cursor, sizeof(cursor))
               ? ox_strdup(out, cursor, err)
               : OX_OK;
}

/* next_cursor may be NULL. */
static enum ox_code perform(struct ox_client *client, const char *path,
                            struct ox_http_request *request, json_t **answer, char **next_cursor,
                            struct ox_err *err)
{
    struct ox_http_answer got = OX_HTTP_ANSWER_INIT;
    char *url = NULL;
    enum ox_code code = ox_strf(&url, err, "%s%s", client->base, path);

    if (code != OX_OK) {
        return code;
    }
    request->url = url;
    request->stop = client->cli->stop;
    request->answer_max_bytes = (size_t)256 << 20; /* a list of a hundred thousand devices */
    code = ox_http_perform(client->http, request, &got, err);
    if (client->cli->verbose) {
        (void)fprintf(client->cli->notes, "%s %s: %ld\n", request->method, url, got.status);
    }
    if (code == OX_ENET || code == OX_ETIMEOUT) {
        char why[OX_ERR_MSG_MAX];

        (void)snprintf(why, sizeof(why), "%s", err->msg);
        code = ox_err_set(err, code,
                          "cannot reach %s: %.400s: is 'oxide serve' running there? (--server or "
                          "OXIDE_SERVER names another)",
                          client->base, why);
    } else if (code == OX_OK && got.status >= 400) {
        code = refused(client, request, path, &got, err);
    } else if (code == OX_OK && (got.status < 200 || got.status >= 300)) {
        code = ox_err_set(err, OX_EPROTO, "%s answers %ld to %s %s: redirects are not followed",
                          client->base, got.status, request->method, path);
    } else if (code == OX_OK && answer != NULL &&
               ox_json_parse(got.body.data, got.body.len_bytes, answer, err) != OX_OK) {
        code = ox_err_set(err, OX_EPROTO,
                          "%s answers %s %s with what is no JSON: is that an oxide control plane?",
                          client->base, request->method, path);
    }
    if (code == OX_OK && next_cursor != NULL &&
        (code = take_cursor(&got, next_cursor, err)) != OX_OK && answer != NULL) {
        json_decref(*answer);
        *answer = NULL;
    }
    ox_http_answer_clear(&got);
    free(url);
    return code;
}

enum ox_code ox_client_perform(struct ox_client *client, const char *path,
                               struct ox_http_request *request, json_t **answer, struct ox_err *err)
{
    return perform(client, path, request, answer, NULL, err);
}

enum ox_code ox_client_page(struct ox_client *client, const char *path, json_t **answer,
                            char **next_cursor, struct ox_err *err)
{
    struct ox_http_request request = {.method = "GET"};

    *next_cursor = NULL;
    return perform(client, path, &request, answer, next_cursor, err);
}

enum ox_code ox_client_call(struct ox_client *client, const char *method, const char *path,
                            const json_t *body, const char *media, json_t **answer,
                            struct ox_err *err)
{
    char type[128];
    const char *headers[] = {type, NULL};
    struct ox_http_request request = {.method = method, .headers = headers};
    char *text = NULL;
    enum ox_code code = OX_OK;

    (void)snprintf(type, sizeof(type), "Content-Type: %s", media != NULL ? media : OX_MEDIA_JSON);
    if (body != NULL) {
        code = ox_json_text(body, &text, err);
        request.body = text;
        request.body_len = text != NULL ? strlen(text) : 0;
    } else {
        request.headers = NULL;
    }
    if (code == OX_OK) {
        code = ox_client_perform(client, path, &request, answer, err);
    }
    free(text);
    return code;
}

static enum ox_code format_path(char **out, const char *fmt, va_list args, struct ox_err *err)
    OX_PRINTF(2, 0);
static enum ox_code format_path(char **out, const char *fmt, va_list args, struct ox_err *err)
{
    char path[2048]; /* identifiers have at most 256 bytes, and three of them are the most */
    int len = vsnprintf(path, sizeof(path), fmt, args);

    if (len < 0 || (size_t)len >= sizeof(path)) {
        return ox_err_set(err, OX_EINVAL, "a name is too long: identifiers have up to 256 bytes");
    }
    return ox_strdup(out, path, err);
}

enum ox_code ox_client_get(struct ox_client *client, json_t **answer, struct ox_err *err,
                           const char *path_fmt, ...)
{
    char *path = NULL;
    va_list args;
    enum ox_code code;

    va_start(args, path_fmt);
    code = format_path(&path, path_fmt, args, err);
    va_end(args);
    if (code == OX_OK) {
        code = ox_client_call(client, "GET", path, NULL, NULL, answer, err);
    }
    free(path);
    return code;
}

enum ox_code ox_client_once(const struct ox_cli *cli, const char *method, const json_t *body,
                            json_t **answer, struct ox_err *err, const char *path_fmt, ...)
{
    struct ox_client client = {NULL, NULL, NULL};
    char *path = NULL;
    va_list args;
    enum ox_code code;

    va_start(args, path_fmt);
    code = format_path(&path, path_fmt, args, err);
    va_end(args);
    if (code == OX_OK) {
        code = ox_client_open(&client, cli, err);
    }
    if (code == OX_OK) {
        code = ox_client_call(&client, method, path, body, NULL, answer, err);
    }
    ox_client_close(&client);
    free(path);
    return code;
}

json_t *ox_cli_json_clean(const char *text)
{
    char *clean = strdup(text);
    json_t *json = NULL;

    if (clean != NULL) {
        ox_text_clean(clean);
        json = json_string(clean);
    }
    free(clean);
    return json;
}

struct ox_cli ox_cli_beside(const struct ox_cli *cli, const char *path)
{
    struct ox_cli told = *cli;

    if (ox_place_is_stdout(path)) {
        told.out = cli->notes;
    }
    return told;
}

enum ox_code ox_cli_print_json(const struct ox_cli *cli, const json_t *json, struct ox_err *err)
{
    char *text = json_dumps(json, JSON_INDENT(2));

    if (text == NULL) {
        return ox_err_nomem(err, "JSON");
    }
    (void)fprintf(cli->out, "%s\n", text);
    free(text);
    return OX_OK;
}

const char *ox_cli_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

uint64_t ox_cli_number(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 ? (uint64_t)value : 0;
}

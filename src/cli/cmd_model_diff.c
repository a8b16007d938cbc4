/* oxide model diff: asking for the comparison of two versions. */
#include "cmd_model_diff.h"

#include "args.h"
#include "client.h"
#include "status_line.h"

#include "oxide/base/suggest.h"
#include "oxide/wire/id.h"

#include <stdlib.h>
#include <string.h>

#define POLL_MS 500

struct asked {
    const char *model;
    const char *versions[2];
    const char *variants[2]; /* NULL: the one that stands for the version */
    bool all;
};

static enum ox_code read_args(const struct ox_args *args, struct asked *out, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    *out = (struct asked){
        .model = ox_args_word(args, 0),
        .versions = {ox_args_word(args, 1), ox_args_word(args, 2)},
        .variants = {ox_args_nth(args, "variant", 0), ox_args_nth(args, "variant", 1)},
        .all = ox_args_has(args, "all"),
    };
    if (ox_args_nth(args, "variant", 2) != NULL) {
        return ox_err_set(err, OX_EINVAL, "--variant may be given twice: for V1, and for V2");
    }
    if (out->variants[1] == NULL) {
        out->variants[1] = out->variants[0];
    }
    code = ox_id_check("model", out->model, err);
    for (size_t i = 0; code == OX_OK && i < 2; i++) {
        code = ox_id_check("version", out->versions[i], err);
        if (code == OX_OK && out->variants[i] != NULL) {
            code = ox_id_check("variant", out->variants[i], err);
        }
    }
    if (code == OX_OK && strcmp(out->versions[0], out->versions[1]) == 0 &&
        (out->variants[0] == NULL || strcmp(out->variants[0], out->variants[1]) == 0)) {
        code = ox_err_set(err, OX_EINVAL,
                          "%s is the same version twice: name two, or two variants of it",
                          out->versions[0]);
    }
    return code;
}

/* --- names that are not there --- */

/* The name of a row of the list that is nearest to a word; sets *found if it is there itself. */
static const char *nearest(const json_t *list, const char *key, const char *word, bool *found)
{
    struct ox_suggestion near = {NULL, 0};

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = ox_cli_text(json_array_get(list, i), key);

        if (name != NULL) {
            *found = *found || strcmp(name, word) == 0;
            ox_suggest(&near, word, name);
        }
    }
    return near.best;
}

static enum ox_code say_missing(struct ox_err *err, const char *what, const char *word,
                                const char *near, const char *list)
{
    char hint[OX_ID_MAX + 32] = "";

    if (near != NULL) {
        (void)snprintf(hint, sizeof(hint), "did you mean %s? ", near);
    }
    return ox_err_set(err, OX_ENOTFOUND, "there is no %s %s: %s'%s' lists them", what, word, hint,
                      list);
}

/* Which of the names the server does not know, and what they may have meant; where that cannot be
 * found out, the server's own message stays. */
static enum ox_code explain_missing(struct ox_cli *cli, const struct asked *asked,
                                    struct ox_err *err)
{
    char list[OX_ID_MAX + 32];
    json_t *models = NULL;
    json_t *answer = NULL;
    bool found = false;
    enum ox_code code = OX_ENOTFOUND;

    if (ox_client_once(cli, "GET", NULL, &models, NULL, "/api/v1/models") != OX_OK) {
        return code;
    }
    (void)snprintf(list, sizeof(list), "oxide model show %s", asked->model);
    {
        const char *near =
            nearest(json_object_get(models, "models"), "model_id", asked->model, &found);

        if (!found) {
            code = say_missing(err, "model", asked->model, near, "oxide model list");
            goto out;
        }
    }
    if (ox_client_once(cli, "GET", NULL, &answer, NULL, "/api/v1/models/%s", asked->model) !=
        OX_OK) {
        goto out;
    }
    for (size_t i = 0; i < 2; i++) {
        const json_t *versions = json_object_get(answer, "versions");
        const char *near;

        found = false;
        near = nearest(versions, "version", asked->versions[i], &found);
        if (!found) {
            code = say_missing(err, "version", asked->versions[i], near, list);
            goto out;
        }
        for (size_t j = 0; asked->variants[i] != NULL && j < json_array_size(versions); j++) {
            const json_t *version = json_array_get(versions, j);
            const char *name = ox_cli_text(version, "version");

            found = name == NULL || strcmp(name, asked->versions[i]) != 0;
            near = found ? NULL
                         : nearest(json_object_get(version, "variants"), "variant",
                                   asked->variants[i], &found);
            if (!found) {
                code = say_missing(err, "variant", asked->variants[i], near, list);
                goto out;
            }
        }
    }
out:
    json_decref(answer);
    json_decref(models);
    return code;
}

/* --- asking --- */

static enum ox_code wait_a_moment(struct ox_cli *cli, struct ox_err *err)
{
    return ox_stop_wait(cli->stop, POLL_MS)
               ? ox_err_set(err, OX_ECANCELED, "no longer waiting; it goes on for a while")
               : OX_OK;
}

/* Have the patch made, and wait until it is, or cannot be. */
static enum ox_code make_patch(struct ox_cli *cli, struct ox_client *client,
                               const struct asked *asked, struct ox_status_line *line,
                               struct ox_err *err)
{
    json_t *body =
        json_pack("{s:s, s:s, s:s*, s:s*}", "from", asked->versions[0], "to", asked->versions[1],
                  "from_variant", asked->variants[0], "to_variant", asked->variants[1]);
    json_t *job = NULL;
    char *path = NULL;
    enum ox_code code = body == NULL ? ox_err_nomem(err, "a request")
                                     : ox_strf(&path, err, "/api/v1/models/%s/delta", asked->model);

    if (code == OX_OK) {
        code = ox_client_call(client, "POST", path, body, NULL, &job, err);
    }
    while (code == OX_OK) {
        const char *state = ox_cli_text(job, "state");
        unsigned long long id = ox_cli_number(job, "id");

        if (state == NULL || (strcmp(state, "queued") != 0 && strcmp(state, "running") != 0)) {
            break;
        }
        ox_status_line_show(line, "the patch is being made: %s, %llu %%", state,
                            (unsigned long long)ox_cli_number(job, "progress"));
        json_decref(job);
        job = NULL;
        code = wait_a_moment(cli, err);
        if (code == OX_OK) {
            code = ox_client_get(client, &job, err, "/api/v1/jobs/%llu", id);
        }
    }
    free(path);
    json_decref(job);
    json_decref(body);
    return code;
}

/* Ask until the comparison is there; the caller owns *out. */
static enum ox_code get_diff(struct ox_cli *cli, struct ox_client *client,
                             const struct asked *asked, struct ox_status_line *line, json_t **out,
                             struct ox_err *err)
{
    char variants[2 * OX_ID_MAX + 64] = "";
    bool waiting = true;
    json_t *answer = NULL;
    enum ox_code code = OX_OK;

    if (asked->variants[0] != NULL) {
        (void)snprintf(variants, sizeof(variants), "&from_variant=%s&to_variant=%s",
                       asked->variants[0], asked->variants[1]);
    }
    while (code == OX_OK && waiting) {
        code = ox_client_get(client, &answer, err, "/api/v1/models/%s/diff?from=%s&to=%s%s%s",
                             asked->model, asked->versions[0], asked->versions[1], variants,
                             asked->all ? "&all=true" : "");
        waiting = code == OX_OK && ox_cli_text(answer, "status") != NULL;
        if (waiting) {
            ox_status_line_show(line, "comparing: %llu %%",
                                (unsigned long long)ox_cli_number(answer, "progress"));
            json_decref(answer);
            answer = NULL;
            code = wait_a_moment(cli, err);
        }
    }
    *out = answer;
    return code;
}

enum ox_code ox_run_model_diff(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct ox_client client = {NULL, NULL, NULL};
    struct ox_status_line line;
    struct asked asked;
    json_t *answer = NULL;
    enum ox_code code = read_args(args, &asked, err);

    ox_status_line_start(&line, cli);
    if (code == OX_OK) {
        code = ox_client_open(&client, cli, err);
    }
    if (code == OX_OK && ox_args_has(args, "make")) {
        code = make_patch(cli, &client, &asked, &line, err);
    }
    if (code == OX_OK) {
        code = get_diff(cli, &client, &asked, &line, &answer, err);
    }
    ox_status_line_end(&line);
    ox_client_close(&client);
    if (code == OX_ENOTFOUND) {
        code = explain_missing(cli, &asked, err);
    }
    if (code == OX_OK) {
        code = cli->json ? ox_cli_print_json(cli, answer, err)
                         : ox_cli_diff_print(cli, answer, asked.all, err);
    }
    json_decref(answer);
    return code;
}

/* Sending devices back. It asks nothing: whoever does this has no time for questions. */
#include "args.h"
#include "campaign_body.h"
#include "campaign_wait.h"
#include "client.h"

#include "oxide/wire/id.h"

/* On a terminal a person watches; a script says --wait. */
static bool stays(const struct ox_cli *cli, const struct ox_args *args)
{
    return !ox_args_has(args, "no-wait") &&
           (ox_args_has(args, "wait") || (cli->notes_is_terminal && !cli->json));
}

/* The server has made the revert: say so, stay if asked to, and tell what became of it. */
static enum ox_code follow(struct ox_cli *cli, const struct ox_args *args, const json_t *made,
                           struct ox_err *err)
{
    const char *id = ox_cli_text(made, "campaign_id");
    uint64_t total = ox_cli_number(made, "total_devices");
    json_t *end = NULL;
    enum ox_code code;

    if (id == NULL) {
        return ox_err_set(err, OX_EPROTO, "the server's answer names no campaign");
    }
    if (!cli->json) {
        (void)fprintf(cli->out, "campaign %s: %llu device%s to go back\n", id,
                      (unsigned long long)total, total == 1 ? "" : "s");
        ox_campaign_superseded(cli, made);
        (void)fflush(cli->out);
    }
    if (!stays(cli, args)) {
        if (cli->json) {
            return ox_cli_print_json(cli, made, err);
        }
        (void)fprintf(cli->out, "next: oxide campaign wait %s\n", id);
        return OX_OK;
    }
    code = ox_campaign_wait(cli, args, id, &end, err);
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, end, err);
    }
    if (code == OX_OK) {
        code = ox_campaign_verdict(cli, end, err);
    }
    if (code == OX_OK && !cli->json) {
        ox_campaign_print_end(cli, end);
    }
    json_decref(end);
    return code;
}

enum ox_code ox_run_revert(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *model = ox_args_word(args, 0);
    const char *version = ox_args_value(args, "to", NULL);
    json_t *body = json_object();
    json_t *made = NULL;
    enum ox_code code;

    if ((code = ox_id_check("model", model, err)) == OX_OK &&
        (version == NULL || (code = ox_id_check("version", version, err)) == OX_OK) &&
        (code = ox_campaign_who(args, body, err)) == OX_OK &&
        (version == NULL ||
         (code = ox_json_set_str(body, "model_version", version, err)) == OX_OK)) {
        code = ox_client_once(cli, "POST", body, &made, err, "/api/v1/models/%s/revert", model);
    }
    if (code == OX_OK) {
        code = follow(cli, args, made, err);
    }
    json_decref(made);
    json_decref(body);
    return code;
}

enum ox_code ox_run_campaign_revert(struct ox_cli *cli, const struct ox_args *args,
                                    struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    json_t *made = NULL;
    enum ox_code code = ox_id_check("campaign", id, err);

    if (code == OX_OK) {
        code = ox_client_once(cli, "POST", NULL, &made, err, "/api/v1/campaigns/%s/revert", id);
    }
    if (code == OX_OK) {
        code = follow(cli, args, made, err);
    }
    json_decref(made);
    return code;
}

/* A revert aborts what is under way by itself; where there is nobody to go back, an abort alone is
 * what was asked for. */
enum ox_code ox_run_campaign_abort(struct ox_cli *cli, const struct ox_args *args,
                                   struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    bool revert = ox_args_has(args, "revert");
    json_t *answer = NULL;
    struct ox_err why = OX_ERR_INIT;
    enum ox_code code = ox_id_check("campaign", id, err);

    if (code == OX_OK && revert) {
        code = ox_client_once(cli, "POST", NULL, &answer, &why, "/api/v1/campaigns/%s/revert", id);
        if (code == OX_OK) {
            code = follow(cli, args, answer, err);
            json_decref(answer);
            return code;
        }
        if (code != OX_ECONFLICT) {
            return ox_err_set(err, code, "%s", why.msg);
        }
        code = OX_OK;
    }
    if (code == OX_OK) {
        code = ox_client_once(cli, "POST", NULL, &answer, err, "/api/v1/campaigns/%s/abort", id);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        const char *state = ox_cli_text(answer, "state");

        (void)fprintf(cli->out, "campaign %s: %s\n", id, state != NULL ? state : "?");
        if (revert) {
            (void)fprintf(cli->out, "nobody goes back: %s\n", why.msg);
        }
    }
    json_decref(answer);
    return code;
}

/* Making campaigns. */
#include "campaign_body.h"
#include "campaign_show.h"
#include "campaign_wait.h"
#include "client.h"

/* With --json the answer is the campaign as it ended, with its devices. */
static enum ox_code wait_for(struct ox_cli *cli, const struct ox_args *args, const char *id,
                             struct ox_err *err)
{
    json_t *end = NULL;
    enum ox_code code = ox_campaign_wait(cli, args, id, &end, err);

    if (code == OX_OK) {
        code = ox_campaign_show(cli, end, err);
    }
    if (code == OX_OK) {
        code = ox_campaign_verdict(cli, end, err);
    }
    json_decref(end);
    return code;
}

static enum ox_code create(struct ox_cli *cli, const struct ox_args *args, const json_t *body,
                           struct ox_err *err)
{
    json_t *answer = NULL;
    const char *id = NULL;
    enum ox_code code = ox_client_once(cli, "POST", body, &answer, err, "/api/v1/campaigns");

    if (code == OX_OK && (id = ox_cli_text(answer, "campaign_id")) == NULL) {
        code = ox_err_set(err, OX_EPROTO, "the server's answer names no campaign");
    }
    if (code == OX_OK && !cli->json) {
        uint64_t total = ox_cli_number(answer, "total_devices");

        (void)fprintf(cli->out, "campaign %s: %s@%s on its way to %llu device%s\n", id,
                      ox_cli_text(body, "model_id"), ox_cli_text(body, "model_version"),
                      (unsigned long long)total, total == 1 ? "" : "s");
        ox_campaign_superseded(cli, answer);
        (void)fflush(cli->out);
    }
    if (code == OX_OK && ox_args_has(args, "wait")) {
        code = wait_for(cli, args, id, err);
    } else if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out, "next: oxide campaign wait %s\n", id);
    }
    json_decref(answer);
    return code;
}

enum ox_code ox_run_deploy(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    json_t *body = NULL;
    enum ox_code code = ox_campaign_body(cli, args, &body, err);

    if (code == OX_OK) {
        code = create(cli, args, body, err);
    }
    json_decref(body);
    return code;
}

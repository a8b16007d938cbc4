#include "args.h"
#include "campaign_show.h"
#include "campaign_wait.h"
#include "client.h"
#include "human.h"
#include "lists.h"
#include "table.h"

#include "oxide/base/percent.h"
#include "oxide/wire/id.h"

#include <stdlib.h>
#include <string.h>

/* --- lists --- */

static void campaign_row(struct ox_table *table, const json_t *campaign)
{
    static const char *const words[] = {"id",   "model_id", "target_version",
                                        "kind", "fleet_id", "state"};
    static const char *const counts[] = {"total", "complete", "failed"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        ox_table_cell(table, ox_cli_text(campaign, words[i]));
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        ox_table_cellf(table, "%llu", (unsigned long long)ox_cli_number(campaign, counts[i]));
    }
}

enum ox_code ox_run_campaign_list(struct ox_cli *cli, const struct ox_args *args,
                                  struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"ID", OX_LEFT},       {"MODEL", OX_LEFT},     {"VERSION", OX_LEFT},
        {"KIND", OX_LEFT},     {"FLEET", OX_LEFT},     {"STATE", OX_LEFT},
        {"DEVICES", OX_RIGHT}, {"COMPLETE", OX_RIGHT}, {"FAILED", OX_RIGHT}};
    static const char *const filters[] = {"state", "model", "fleet", "device", NULL};
    static const struct ox_cli_list list = {
        .path = "/api/v1/campaigns",
        .key = "campaigns",
        .columns = columns,
        .column_count = sizeof(columns) / sizeof(columns[0]),
        .row = campaign_row,
        .empty = "no such campaigns: oxide deploy MODEL VERSION --fleet ID",
        .filters = filters,
    };

    return ox_cli_list(cli, args, &list, err);
}

static void campaign_device_row(struct ox_table *table, const json_t *device)
{
    uint64_t took_ms = ox_cli_number(device, "duration_ms");
    char size[OX_HUMAN_MAX];
    char took[OX_HUMAN_MAX];

    ox_table_cell(table, ox_cli_text(device, "device_id"));
    ox_campaign_device_state(table, device);
    ox_table_cell(table, ox_cli_text(device, "class"));
    ox_table_cell(table, ox_cli_text(device, "failed_at"));
    ox_table_cell(table, ox_cli_text(device, "from_version"));
    ox_table_cell(table, ox_cli_text(device, "strategy"));
    ox_table_cell(table, ox_human_size(ox_cli_number(device, "bytes_received"), size));
    ox_table_cell(table, took_ms == 0 ? NULL : ox_human_duration(took_ms, took));
    ox_table_cell(table, ox_cli_text(device, "error"));
}

enum ox_code ox_run_campaign_devices(struct ox_cli *cli, const struct ox_args *args,
                                     struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"DEVICE", OX_LEFT}, {"STATE", OX_LEFT}, {"FAILED BY", OX_LEFT},
        {"AT", OX_LEFT},     {"FROM", OX_LEFT},  {"BY", OX_LEFT},
        {"BYTES", OX_RIGHT}, {"TOOK", OX_RIGHT}, {"ERROR", OX_LEFT}};
    static const char *const filters[] = {"state", "class", NULL};
    struct ox_cli_list list = {
        .key = "devices",
        .columns = columns,
        .column_count = sizeof(columns) / sizeof(columns[0]),
        .row = campaign_device_row,
        .empty = "no such devices in this campaign",
        .filters = filters,
    };
    const char *id = ox_args_word(args, 0);
    char *path = NULL;
    enum ox_code code = ox_id_check("campaign", id, err);

    if (code == OX_OK) {
        code = ox_strf(&path, err, "/api/v1/campaigns/%s/devices", id);
    }
    if (code == OX_OK) {
        list.path = path;
        code = ox_cli_list(cli, args, &list, err);
    }
    free(path);
    return code;
}

/* --- one --- */

/* With `wait` the exit status is what became of it. */
static enum ox_code look(struct ox_cli *cli, const struct ox_args *args, bool wait, json_t **out,
                         struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    enum ox_code code = ox_id_check("campaign", id, err);

    if (code != OX_OK) {
        return code;
    }
    return wait ? ox_campaign_wait(cli, args, id, out, err)
                : ox_client_once(cli, "GET", NULL, out, err, "/api/v1/campaigns/%s?devices=false",
                                 id);
}

enum ox_code ox_run_campaign_show(struct ox_cli *cli, const struct ox_args *args,
                                  struct ox_err *err)
{
    bool wait = ox_args_has(args, "wait");
    json_t *campaign = NULL;
    enum ox_code code = look(cli, args, wait, &campaign, err);

    if (code == OX_OK) {
        code = ox_campaign_show(cli, campaign, err);
    }
    if (code == OX_OK && wait) {
        code = ox_campaign_verdict(cli, campaign, err);
    }
    json_decref(campaign);
    return code;
}

enum ox_code ox_run_campaign_wait(struct ox_cli *cli, const struct ox_args *args,
                                  struct ox_err *err)
{
    json_t *campaign = NULL;
    enum ox_code code = look(cli, args, true, &campaign, err);

    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, campaign, err);
    }
    if (code == OX_OK) {
        code = ox_campaign_verdict(cli, campaign, err);
    }
    if (code == OX_OK && !cli->json) {
        ox_campaign_print_end(cli, campaign);
    }
    json_decref(campaign);
    return code;
}

/* --- steering --- */

static enum ox_code steer(struct ox_cli *cli, const struct ox_args *args, const char *verb,
                          struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    json_t *answer = NULL;
    const char *state;
    enum ox_code code = ox_id_check("campaign", id, err);

    if (code == OX_OK) {
        code = ox_client_once(cli, "POST", NULL, &answer, err, "/api/v1/campaigns/%s/%s", id, verb);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        state = ox_cli_text(answer, "state");
        (void)fprintf(cli->out, "campaign %s: %s\n", id, state != NULL ? state : "?");
        if (strcmp(verb, "pause") == 0) {
            (void)fprintf(cli->out, "next: oxide campaign resume %s\n", id);
        }
    }
    json_decref(answer);
    return code;
}

enum ox_code ox_run_campaign_pause(struct ox_cli *cli, const struct ox_args *args,
                                   struct ox_err *err)
{
    return steer(cli, args, "pause", err);
}

enum ox_code ox_run_campaign_resume(struct ox_cli *cli, const struct ox_args *args,
                                    struct ox_err *err)
{
    return steer(cli, args, "resume", err);
}

enum ox_code ox_run_campaign_approve(struct ox_cli *cli, const struct ox_args *args,
                                     struct ox_err *err)
{
    return steer(cli, args, "approve", err);
}

enum ox_code ox_run_campaign_retry(struct ox_cli *cli, const struct ox_args *args,
                                   struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    const char *device = ox_args_word(args, 1);
    struct ox_buf path = OX_BUF_INIT;
    json_t *answer = NULL;
    enum ox_code code;

    if ((code = ox_id_check("campaign", id, err)) == OX_OK &&
        (device == NULL || (code = ox_id_check("device", device, err)) == OX_OK) &&
        (code = ox_buf_printf(&path, err, "/api/v1/campaigns/%s/retry%s", id,
                              device != NULL ? "?device=" : "")) == OX_OK &&
        (device == NULL || (code = ox_percent_encode(&path, device, err)) == OX_OK)) {
        code = ox_client_once(cli, "POST", NULL, &answer, err, "%s", (const char *)path.data);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        const char *state = ox_cli_text(answer, "state");
        const char *halted = ox_cli_text(answer, "halted");
        uint64_t devices = ox_cli_number(answer, "devices");
        uint64_t quarantined = ox_cli_number(answer, "quarantined");

        (void)fprintf(cli->out, "campaign %s: %llu device%s to try again\n", id,
                      (unsigned long long)devices, devices == 1 ? "" : "s");
        if (quarantined > 0) {
            (void)fprintf(cli->out,
                          "%llu stay%s out: this version is quarantined there; next: oxide device "
                          "quarantine\n",
                          (unsigned long long)quarantined, quarantined == 1 ? "s" : "");
        }
        if (halted != NULL || (state != NULL && strcmp(state, "paused") == 0)) {
            (void)fprintf(cli->out, "it is %s%s; next: oxide campaign resume %s\n",
                          halted != NULL ? "halted: " : "paused", halted != NULL ? halted : "", id);
        }
    }
    ox_buf_clear(&path);
    json_decref(answer);
    return code;
}

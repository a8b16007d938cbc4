#include "campaign_show.h"

#include "client.h"
#include "human.h"
#include "policy_words.h"

#include <string.h>

#define DEVICES_SHOWN 50 /* more are a list of their own: oxide campaign devices */

#define U(number) ((unsigned long long)(number))

static void fact(struct ox_table *table, const char *name, const char *text)
{
    ox_table_cell(table, name);
    ox_table_cell(table, text);
}

/* One that is said only where there is something to say. */
static void fact_if(struct ox_table *table, const char *name, const char *text)
{
    if (text != NULL) {
        fact(table, name, text);
    }
}

/* "3 health, 1 silent" */
static void failures(struct ox_table *table, json_t *by_class)
{
    char text[256] = "";
    size_t used = 0;
    const char *name;
    json_t *value;

    json_object_foreach(by_class, name, value)
    {
        if (used < sizeof(text)) {
            used +=
                (size_t)snprintf(text + used, sizeof(text) - used, "%s%lld %s",
                                 used > 0 ? ", " : "", (long long)json_integer_value(value), name);
        }
    }
    fact_if(table, "failures", used > 0 ? text : NULL);
}

static void counts(struct ox_table *table, const json_t *summary)
{
    char size[OX_HUMAN_MAX];

    ox_table_cell(table, "devices");
    ox_table_cellf(table,
                   "%llu: %llu complete, %llu in progress, %llu pending, %llu failed, "
                   "%llu skipped",
                   U(ox_cli_number(summary, "total")), U(ox_cli_number(summary, "complete")),
                   U(ox_cli_number(summary, "in_progress")), U(ox_cli_number(summary, "pending")),
                   U(ox_cli_number(summary, "failed")), U(ox_cli_number(summary, "skipped")));
    failures(table, json_object_get(summary, "failures"));
    if (ox_cli_number(summary, "deferred") > 0) {
        ox_table_cell(table, "deferred");
        ox_table_cellf(table, "%llu asleep: they get it when they wake",
                       U(ox_cli_number(summary, "deferred")));
    }
    if (ox_cli_number(summary, "late") > 0) {
        ox_table_cell(table, "late");
        ox_table_cellf(table, "%llu entered after its end", U(ox_cli_number(summary, "late")));
    }
    fact(table, "served", ox_human_bytes(ox_cli_number(summary, "bytes_served"), size));
    fact(table, "saved", ox_human_bytes(ox_cli_number(summary, "bytes_saved"), size));
}

static enum ox_code facts(struct ox_cli *cli, const json_t *campaign, struct ox_err *err)
{
    static const struct ox_column columns[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    static const char *const first[][2] = {
        {"campaign", "id"}, {"model", "model_id"}, {"version", "target_version"}};
    static const char *const last[][2] = {{"waiting for", "waiting_for"},
                                          {"halted", "halted"},
                                          {"created", "created_at"},
                                          {"ended", "ended_at"},
                                          {"reverted by", "reverted_by"}};
    const char *kind = ox_cli_text(campaign, "kind");
    const char *of = ox_cli_text(campaign, "of_campaign");
    const char *reason = ox_cli_text(campaign, "reason");
    const char *state = ox_cli_text(campaign, "state");
    bool revert = kind != NULL && strcmp(kind, "revert") == 0;
    struct ox_table table;
    enum ox_code code;

    ox_table_init(&table, columns, 2);
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        fact(&table, first[i][0], ox_cli_text(campaign, first[i][1]));
    }
    if (revert) {
        ox_table_cell(&table, "kind");
        ox_table_cellf(&table, "revert%s%s: devices go back, each to what it ran before%s",
                       of != NULL ? " of " : "", of != NULL ? of : "",
                       of != NULL ? "" : " or to the version");
    }
    fact(&table, "fleet", ox_cli_text(campaign, "fleet_id"));
    ox_table_cell(&table, "state");
    ox_table_cellf(&table, "%s%s%s", state != NULL ? state : "?", reason != NULL ? ": " : "",
                   reason != NULL ? reason : "");
    fact(&table, "phase", ox_cli_text(campaign, "phase"));
    if (revert) { /* it has a policy of its own, that nobody has set */
        fact(&table, "rollout", ox_cli_text(campaign, "strategy"));
    } else {
        ox_policy_words(&table, json_object_get(campaign, "policy"));
    }
    ox_table_cell(&table, "stage");
    ox_table_cellf(&table, "%llu of %llu", U(ox_cli_number(campaign, "stage")),
                   U(ox_cli_number(campaign, "stages")));
    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
        fact_if(&table, last[i][0], ox_cli_text(campaign, last[i][1]));
    }
    counts(&table, json_object_get(campaign, "summary"));
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    return code;
}

void ox_campaign_device_state(struct ox_table *table, const json_t *device)
{
    const char *state = ox_cli_text(device, "state");
    const char *action = ox_cli_text(device, "action");

    ox_table_cellf(table, "%s%s%s%s", state != NULL ? state : "?",
                   action != NULL && strcmp(action, "remove") == 0 ? ", removal" : "",
                   json_is_true(json_object_get(device, "deferred")) ? ", asleep" : "",
                   json_is_true(json_object_get(device, "late")) ? ", late" : "");
}

static enum ox_code devices(struct ox_cli *cli, const char *id, bool all, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"DEVICE", OX_LEFT}, {"STATE", OX_LEFT}, {"RECEIVED", OX_RIGHT}, {"ERROR", OX_LEFT}};
    json_t *answer = NULL;
    struct ox_table table;
    json_t *device;
    size_t i;
    char size[OX_HUMAN_MAX];
    enum ox_code code =
        ox_client_once(cli, "GET", NULL, &answer, err, "/api/v1/campaigns/%s/devices?limit=%d%s",
                       id, DEVICES_SHOWN, all ? "" : "&state=failed");

    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(json_object_get(answer, "devices"), i, device)
    {
        ox_table_cell(&table, ox_cli_text(device, "device_id"));
        ox_campaign_device_state(&table, device);
        ox_table_cell(&table, ox_human_size(ox_cli_number(device, "bytes_received"), size));
        ox_table_cell(&table, ox_cli_text(device, "error"));
    }
    if (code == OX_OK && json_array_size(json_object_get(answer, "devices")) > 0) {
        (void)fputc('\n', cli->out);
        code = ox_table_print(&table, cli->out, cli->colour, err);
    }
    if (code == OX_OK && !all) {
        (void)fprintf(cli->out, "\nall devices: oxide campaign devices %s\n", id);
    }
    ox_table_clear(&table);
    json_decref(answer);
    return code;
}

enum ox_code ox_campaign_show(struct ox_cli *cli, const json_t *campaign, struct ox_err *err)
{
    const char *id = ox_cli_text(campaign, "id");
    uint64_t total = ox_cli_number(json_object_get(campaign, "summary"), "total");
    json_t *whole = NULL;
    enum ox_code code;

    if (id == NULL) {
        return ox_err_set(err, OX_EPROTO, "the server's answer names no campaign");
    }
    if (cli->json) {
        code = ox_client_once(cli, "GET", NULL, &whole, err, "/api/v1/campaigns/%s", id);
        if (code == OX_OK) {
            code = ox_cli_print_json(cli, whole, err);
        }
        json_decref(whole);
        return code;
    }
    code = facts(cli, campaign, err);
    return code == OX_OK ? devices(cli, id, total <= DEVICES_SHOWN, err) : code;
}

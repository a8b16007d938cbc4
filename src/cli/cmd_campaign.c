#include "args.h"
#include "client.h"
#include "human.h"
#include "lists.h"
#include "table.h"

#include "oxide/base/clock.h"
#include "oxide/wire/id.h"

#include <stdlib.h>
#include <string.h>

#define POLL_MS 500 /* how often --wait asks */
#define WAIT_MAX_MS                                                                                \
    (7 * 24 * 3600000ull) /* a week: longer campaigns are looked at now and then                   \
                           */

/* --- showing --- */

static enum ox_code show_campaign(struct ox_cli *cli, const json_t *campaign, struct ox_err *err)
{
    static const struct ox_column facts[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    static const struct ox_column columns[] = {
        {"DEVICE", OX_LEFT}, {"STATE", OX_LEFT}, {"RECEIVED", OX_RIGHT}, {"ERROR", OX_LEFT}};
    static const char *const rows[][2] = {
        {"campaign", "id"},      {"model", "model_id"},    {"version", "target_version"},
        {"fleet", "fleet_id"},   {"state", "state"},       {"phase", "phase"},
        {"rollout", "strategy"}, {"created", "created_at"}};
    const json_t *summary = json_object_get(campaign, "summary");
    struct ox_table table;
    json_t *device;
    size_t i;
    char size[OX_HUMAN_MAX];
    enum ox_code code;

    ox_table_init(&table, facts, 2);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ox_table_cell(&table, rows[i][0]);
        ox_table_cell(&table, ox_cli_text(campaign, rows[i][1]));
    }
    ox_table_cell(&table, "devices");
    ox_table_cellf(&table,
                   "%llu: %llu complete, %llu in progress, %llu pending, %llu failed, "
                   "%llu skipped",
                   (unsigned long long)ox_cli_number(summary, "total"),
                   (unsigned long long)ox_cli_number(summary, "complete"),
                   (unsigned long long)ox_cli_number(summary, "in_progress"),
                   (unsigned long long)ox_cli_number(summary, "pending"),
                   (unsigned long long)ox_cli_number(summary, "failed"),
                   (unsigned long long)ox_cli_number(summary, "skipped"));
    ox_table_cell(&table, "served");
    ox_table_cell(&table, ox_human_bytes(ox_cli_number(summary, "bytes_served"), size));
    ox_table_cell(&table, "saved");
    ox_table_cell(&table, ox_human_bytes(ox_cli_number(summary, "bytes_saved"), size));
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    (void)fputc('\n', cli->out);
    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(json_object_get(campaign, "devices"), i, device)
    {
        ox_table_cell(&table, ox_cli_text(device, "device_id"));
        ox_table_cell(&table, ox_cli_text(device, "state"));
        ox_table_cell(&table, ox_human_size(ox_cli_number(device, "bytes_received"), size));
        ox_table_cell(&table, ox_cli_text(device, "error"));
    }
    if (code == OX_OK) {
        code = ox_table_print(&table, cli->out, cli->colour, err);
    }
    ox_table_clear(&table);
    return code;
}

static void campaign_row(struct ox_table *table, const json_t *campaign)
{
    static const char *const words[] = {"id", "model_id", "target_version", "fleet_id", "state"};
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
        {"ID", OX_LEFT},    {"MODEL", OX_LEFT},    {"VERSION", OX_LEFT},   {"FLEET", OX_LEFT},
        {"STATE", OX_LEFT}, {"DEVICES", OX_RIGHT}, {"COMPLETE", OX_RIGHT}, {"FAILED", OX_RIGHT}};
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
    char size[OX_HUMAN_MAX];

    ox_table_cell(table, ox_cli_text(device, "device_id"));
    ox_table_cell(table, ox_cli_text(device, "state"));
    ox_table_cell(table, ox_cli_text(device, "strategy"));
    ox_table_cell(table, ox_human_size(ox_cli_number(device, "bytes_received"), size));
    ox_table_cell(table, ox_cli_text(device, "error"));
}

enum ox_code ox_run_campaign_devices(struct ox_cli *cli, const struct ox_args *args,
                                     struct ox_err *err)
{
    static const struct ox_column columns[] = {{"DEVICE", OX_LEFT},
                                               {"STATE", OX_LEFT},
                                               {"BY", OX_LEFT},
                                               {"BYTES", OX_RIGHT},
                                               {"ERROR", OX_LEFT}};
    static const char *const filters[] = {"state", NULL};
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

/* --- waiting --- */

/* Has it ended: no device is pending or at work, or it was stopped? */
static bool has_ended(const json_t *campaign)
{
    const json_t *summary = json_object_get(campaign, "summary");
    const char *state = ox_cli_text(campaign, "state");
    bool stopped = state != NULL && (strcmp(state, "paused") == 0 || strcmp(state, "aborted") == 0);
    bool complete = state != NULL && strcmp(state, "complete") == 0;

    return complete || (ox_cli_number(summary, "in_progress") == 0 &&
                        (stopped || ox_cli_number(summary, "pending") == 0));
}

/* The first device that failed, with its reason; NULL if none did. */
static const json_t *first_failed(const json_t *campaign)
{
    const json_t *devices = json_object_get(campaign, "devices");

    for (size_t i = 0; i < json_array_size(devices); i++) {
        const json_t *device = json_array_get(devices, i);
        const char *state = ox_cli_text(device, "state");

        if (state != NULL && strcmp(state, "failed") == 0) {
            return device;
        }
    }
    return NULL;
}

static enum ox_code verdict(const json_t *campaign, const char *id, struct ox_err *err)
{
    const json_t *summary = json_object_get(campaign, "summary");
    const json_t *failed = first_failed(campaign);
    const char *device = ox_cli_text(failed, "device_id");
    const char *error = ox_cli_text(failed, "error");
    uint64_t total = ox_cli_number(summary, "total");
    uint64_t complete = ox_cli_number(summary, "complete");

    if (complete == total) {
        return OX_OK;
    }
    return ox_err_set(
        err, OX_EFAILED,
        "campaign %s: %llu of %llu devices have the version, %llu failed%s%.300s%s%.300s:"
        " see 'oxide campaign show %s'",
        id, (unsigned long long)complete, (unsigned long long)total,
        (unsigned long long)ox_cli_number(summary, "failed"), device != NULL ? ": " : "",
        device != NULL ? device : "", error != NULL ? ": " : "", error != NULL ? error : "", id);
}

/* Ask until the campaign has ended; *answer is its last state. A server that is away for a moment
 * is asked again: whoever waits for hours does not care about a restart. */
static enum ox_code wait_for(struct ox_cli *cli, const struct ox_args *args, const char *id,
                             json_t **answer, struct ox_err *err)
{
    const struct ox_clock *clock = ox_clock_system();
    struct ox_client client = {NULL, NULL, NULL};
    int64_t start_mono_ms = clock->mono_ms(clock->ctx);
    uint64_t limit_ms = WAIT_MAX_MS;
    unsigned lost = 0;
    enum ox_code code = ox_args_seconds(args, "timeout", WAIT_MAX_MS, &limit_ms, err);

    if (code == OX_OK) {
        code = ox_client_open(&client, cli, err);
    }
    while (code == OX_OK) {
        json_t *now = NULL;

        code = ox_client_get(&client, &now, err, "/api/v1/campaigns/%s", id);
        if ((code == OX_ENET || code == OX_ETIMEOUT) && ++lost < 60) {
            code = OX_OK;
        } else if (code == OX_OK) {
            lost = 0;
            json_decref(*answer);
            *answer = now;
            if (has_ended(now)) {
                break;
            }
        }
        if (code == OX_OK && clock->mono_ms(clock->ctx) - start_mono_ms >= (int64_t)limit_ms) {
            code = ox_err_set(err, OX_ETIMEOUT,
                              "campaign %s has not ended in time: it goes on; 'oxide campaign show "
                              "%s --wait' waits again",
                              id, id);
        } else if (code == OX_OK && ox_stop_wait(cli->stop, POLL_MS)) {
            code =
                ox_err_set(err, OX_ECANCELED, "no longer waiting for campaign %s: it goes on", id);
        }
    }
    ox_client_close(&client);
    return code;
}

enum ox_code ox_run_campaign_show(struct ox_cli *cli, const struct ox_args *args,
                                  struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    bool wait = ox_args_has(args, "wait");
    json_t *answer = NULL;
    enum ox_code code = ox_id_check("campaign", id, err);

    if (code == OX_OK) {
        code = wait ? wait_for(cli, args, id, &answer, err)
                    : ox_client_once(cli, "GET", NULL, &answer, err, "/api/v1/campaigns/%s", id);
    }
    if (code == OX_OK) {
        code = cli->json ? ox_cli_print_json(cli, answer, err) : show_campaign(cli, answer, err);
    }
    if (code == OX_OK && wait) {
        code = verdict(answer, id, err);
    }
    json_decref(answer);
    return code;
}

/* --- creating --- */

/* The newest version of a model, which the caller frees. */
static enum ox_code newest_version(struct ox_cli *cli, const char *model, char **out,
                                   struct ox_err *err)
{
    json_t *answer = NULL;
    const json_t *versions;
    const char *version;
    enum ox_code code = ox_client_once(cli, "GET", NULL, &answer, err, "/api/v1/models/%s", model);

    if (code == OX_OK) {
        versions = json_object_get(answer, "versions"); /* oldest first */
        version = ox_cli_text(json_array_get(versions, json_array_size(versions) - 1), "version");
        code = version != NULL ? ox_strdup(out, version, err)
                               : ox_err_set(err, OX_ENOTFOUND,
                                            "model %s has no version: oxide push %s VERSION PATH",
                                            model, model);
    }
    json_decref(answer);
    return code;
}

static enum ox_code campaign_body(const struct ox_args *args, const char *model,
                                  const char *version, json_t *body, struct ox_err *err)
{
    const char *fleet = ox_args_value(args, "fleet", NULL);
    const char *strategy = ox_args_value(args, "rollout", NULL);
    json_t *devices = json_array();
    const char *device;
    enum ox_code code = OX_OK;

    if ((fleet != NULL) == ox_args_has(args, "device")) {
        code = ox_err_set(err, OX_EINVAL, "who gets %s@%s? Say either --fleet ID or --device ID",
                          model, version);
    }
    for (size_t i = 0; code == OX_OK && (device = ox_args_nth(args, "device", i)) != NULL; i++) {
        code = ox_id_check("device", device, err);
        if (code == OX_OK) {
            code = ox_json_append(devices, json_string(device), err);
        }
    }
    if (code == OX_OK && fleet != NULL) {
        code = ox_id_check("fleet", fleet, err);
    }
    if (code == OX_OK) {
        code = ox_json_set_str(body, "model_id", model, err);
    }
    if (code == OX_OK) {
        code = ox_json_set_str(body, "model_version", version, err);
    }
    if (code == OX_OK && strategy != NULL) {
        code = ox_json_set_str(body, "strategy", strategy, err);
    }
    if (code == OX_OK) {
        code = fleet != NULL ? ox_json_set_str(body, "fleet_id", fleet, err)
                             : ox_json_set(body, "device_ids", json_incref(devices), err);
    }
    json_decref(devices);
    return code;
}

static enum ox_code create(struct ox_cli *cli, const struct ox_args *args, const char *model,
                           const char *version, struct ox_err *err)
{
    json_t *body = json_object();
    json_t *answer = NULL;
    json_t *end = NULL;
    const char *id = NULL;
    enum ox_code code = campaign_body(args, model, version, body, err);

    if (code == OX_OK) {
        code = ox_client_once(cli, "POST", body, &answer, err, "/api/v1/campaigns");
    }
    if (code == OX_OK && (id = ox_cli_text(answer, "campaign_id")) == NULL) {
        code = ox_err_set(err, OX_EPROTO, "the server's answer names no campaign");
    }
    if (code == OX_OK && !cli->json) {
        uint64_t total = ox_cli_number(answer, "total_devices");

        (void)fprintf(cli->out, "campaign %s: %s@%s on its way to %llu device%s\n", id, model,
                      version, (unsigned long long)total, total == 1 ? "" : "s");
        (void)fflush(cli->out);
    }
    if (code == OX_OK && ox_args_has(args, "wait")) {
        code = wait_for(cli, args, id, &end, err);
        if (code == OX_OK) {
            code = cli->json ? ox_cli_print_json(cli, end, err) : show_campaign(cli, end, err);
        }
        if (code == OX_OK) {
            code = verdict(end, id, err);
        }
    } else if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out, "next: oxide campaign show %s\n", id);
    }
    json_decref(end);
    json_decref(answer);
    json_decref(body);
    return code;
}

enum ox_code ox_run_campaign_create(struct ox_cli *cli, const struct ox_args *args,
                                    struct ox_err *err)
{
    const char *model = ox_args_word(args, 0);
    const char *version = ox_args_word(args, 1);
    enum ox_code code = ox_id_check("model", model, err);

    if (code == OX_OK) {
        code = ox_id_check("version", version, err);
    }
    return code == OX_OK ? create(cli, args, model, version, err) : code;
}

enum ox_code ox_run_deploy(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *model = ox_args_word(args, 0);
    const char *given = ox_args_word(args, 1);
    char *version = NULL;
    enum ox_code code = ox_id_check("model", model, err);

    if (code == OX_OK && given != NULL) {
        code = ox_id_check("version", given, err);
    }
    if (code == OX_OK) {
        code = given != NULL ? ox_strdup(&version, given, err)
                             : newest_version(cli, model, &version, err);
    }
    if (code == OX_OK) {
        code = create(cli, args, model, version, err);
    }
    free(version);
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

enum ox_code ox_run_campaign_abort(struct ox_cli *cli, const struct ox_args *args,
                                   struct ox_err *err)
{
    return steer(cli, args, "abort", err);
}

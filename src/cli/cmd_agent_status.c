/* What the agent of this machine does. */
#include "agent_args.h"
#include "args.h"
#include "client.h"
#include "human.h"
#include "table.h"

#include "oxide/base/json.h"

#include <string.h>

#define U(number) ((unsigned long long)(number))

static void fact(struct ox_table *table, const char *name, const char *text)
{
    if (text != NULL) {
        ox_table_cell(table, name);
        ox_table_cell(table, text);
    }
}

static uint64_t ms_of(const json_t *json, const char *key)
{
    return (uint64_t)(json_number_value(json_object_get(json, key)) * 1000);
}

/* "m@v2: download, 45 % of 4.3 MB, 1.2 MB/s" */
static void update(struct ox_table *table, const json_t *json)
{
    uint64_t total = ox_cli_number(json, "total_bytes");
    char size[OX_HUMAN_MAX];
    char rate[OX_HUMAN_MAX];

    ox_table_cell(table, "update");
    if (json_is_null(json)) {
        ox_table_cell(table, "none under way");
    } else if (total == 0) {
        ox_table_cellf(table, "%s@%s: %s", ox_cli_text(json, "model_id"),
                       ox_cli_text(json, "version"), ox_cli_text(json, "stage"));
    } else {
        ox_table_cellf(table, "%s@%s: %s, %llu %% of %s, %s/s", ox_cli_text(json, "model_id"),
                       ox_cli_text(json, "version"), ox_cli_text(json, "stage"),
                       U(ox_cli_number(json, "percent")), ox_human_size(total, size),
                       ox_human_size(ox_cli_number(json, "rate_bps"), rate));
    }
}

static enum ox_code facts(struct ox_cli *cli, const json_t *status, struct ox_err *err)
{
    static const struct ox_column columns[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    const json_t *result = json_object_get(status, "last_result");
    const char *problem = ox_cli_text(status, "problem");
    const char *error = ox_cli_text(result, "error");
    struct ox_table table;
    char text[OX_HUMAN_MAX];
    enum ox_code code;

    ox_table_init(&table, columns, 2);
    fact(&table, "device", ox_cli_text(status, "device_id"));
    ox_table_cell(&table, "agent");
    ox_table_cellf(&table, "%s, process %llu, for %s", ox_cli_text(status, "agent"),
                   U(ox_cli_number(status, "pid")),
                   ox_human_duration(ms_of(status, "uptime_s"), text));
    fact(&table, "models in", ox_cli_text(status, "model_dir"));
    fact(&table, "control plane", ox_cli_text(status, "control_plane"));
    fact(&table, "last answer", ox_cli_text(status, "last_answer_at"));
    fact(&table, "problem", problem);
    ox_table_cell(&table, "next poll");
    ox_table_cellf(&table, "in %s", ox_human_duration(ms_of(status, "next_poll_s"), text));
    update(&table, json_object_get(status, "update"));
    ox_table_cell(&table, "last update");
    ox_table_cellf(&table, "%s%s%s",
                   json_is_null(result) ? "none yet" : ox_cli_text(result, "result"),
                   error != NULL ? ": " : "", error != NULL ? error : "");
    if (ox_cli_number(status, "reports_queued") > 0) {
        ox_table_cell(&table, "reports");
        ox_table_cellf(&table, "%llu to be delivered", U(ox_cli_number(status, "reports_queued")));
    }
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    return code;
}

/* "v1, v0" */
static void kept(struct ox_table *table, json_t *list)
{
    struct ox_buf text = OX_BUF_INIT;
    enum ox_code code = OX_OK;
    json_t *row;
    size_t i;

    json_array_foreach(list, i, row)
    {
        code = code == OX_OK ? ox_buf_printf(&text, NULL, "%s%s", i == 0 ? "" : ", ",
                                             ox_cli_text(row, "version"))
                             : code;
    }
    ox_table_cell(table, text.len_bytes == 0 ? "" : (const char *)text.data);
    ox_buf_clear(&text);
}

static enum ox_code models(struct ox_cli *cli, json_t *list, struct ox_err *err)
{
    static const struct ox_column columns[] = {{"MODEL", OX_LEFT},
                                               {"VERSION", OX_LEFT},
                                               {"SIZE", OX_RIGHT},
                                               {"DIGEST", OX_LEFT},
                                               {"KEPT", OX_LEFT}};
    struct ox_table table;
    char size[OX_HUMAN_MAX];
    json_t *row;
    size_t i;
    enum ox_code code;

    if (json_array_size(list) == 0) {
        return OX_OK;
    }
    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(list, i, row)
    {
        ox_table_cell(&table, ox_cli_text(row, "model_id"));
        ox_table_cell(&table, ox_cli_text(row, "version"));
        ox_table_cell(&table, ox_human_size(ox_cli_number(row, "size_bytes"), size));
        ox_table_cellf(&table, "%.12s", ox_cli_text(row, "digest"));
        kept(&table, json_object_get(row, "kept"));
    }
    (void)fputc('\n', cli->out);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code failures(struct ox_cli *cli, json_t *list, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"FAILED", OX_LEFT}, {"VERSION", OX_LEFT}, {"TIMES", OX_RIGHT}, {"", OX_LEFT}};
    struct ox_table table;
    json_t *row;
    size_t i;
    enum ox_code code;

    if (json_array_size(list) == 0) {
        return OX_OK;
    }
    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(list, i, row)
    {
        ox_table_cell(&table, ox_cli_text(row, "model_id"));
        ox_table_cell(&table, ox_cli_text(row, "version"));
        ox_table_cellf(&table, "%llu", U(ox_cli_number(row, "failures")));
        ox_table_cell(&table,
                      json_is_true(json_object_get(row, "quarantined")) ? "quarantined" : "");
    }
    (void)fputc('\n', cli->out);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code print_text(struct ox_cli *cli, const json_t *status, struct ox_err *err)
{
    enum ox_code code = facts(cli, status, err);

    if (code == OX_OK) {
        code = models(cli, json_object_get(status, "models"), err);
    }
    return code == OX_OK ? failures(cli, json_object_get(status, "failures"), err) : code;
}

enum ox_code ox_run_agent_status(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    json_t *answer = NULL;
    enum ox_code code =
        ox_agent_args_ask(cli, args, json_pack("{s:s}", "request", "status"), &answer, err);

    if (code == OX_OK) {
        code = cli->json ? ox_cli_print_json(cli, answer, err) : print_text(cli, answer, err);
    }
    json_decref(answer);
    return code;
}

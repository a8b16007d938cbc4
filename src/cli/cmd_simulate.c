#include "args.h"
#include "client.h"
#include "human.h"
#include "table.h"
#include "version.h"

#include "oxide/app/simulate.h"

#include <stdlib.h>
#include <string.h>

#define TAGS_MAX 16
#define DAY_MS ((uint64_t)24 * 3600 * 1000)

/* Room for every option that is parsed into something of its own. */
struct given {
    struct ox_simulate_options options;
    struct ox_simulate_tag tags[TAGS_MAX];
    char *names; /* of the tags: owned */
};

/* --- options --- */

static enum ox_code share(const struct ox_args *args, const char *option, double *out,
                          struct ox_err *err)
{
    const char *text = ox_args_value(args, option, NULL);
    char *end = NULL;
    double value;

    if (text == NULL) {
        return OX_OK;
    }
    value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0 && value <= 1)) {
        return ox_err_set(err, OX_EINVAL, "--%s cannot be '%s': it is a share from 0 to 1 (0.1)",
                          option, text);
    }
    *out = value;
    return OX_OK;
}

/* --tag NAME=A,B,C */
static enum ox_code tags(const struct ox_args *args, struct given *given, struct ox_err *err)
{
    struct ox_buf names = OX_BUF_INIT;
    size_t begins[TAGS_MAX] = {0};
    const char *text;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && (text = ox_args_nth(args, "tag", i)) != NULL; i++) {
        const char *sign = strchr(text, '=');

        if (sign == NULL || sign == text || i == TAGS_MAX) {
            code = ox_err_set(err, OX_EINVAL,
                              "--tag cannot be '%.64s': it is NAME=VALUE[,VALUE...], at most %d",
                              text, TAGS_MAX);
        } else {
            begins[i] = names.len_bytes;
            given->tags[i].values = sign + 1;
            given->options.tags_count = i + 1;
            code = ox_buf_append(&names, text, (size_t)(sign - text), err);
        }
        if (code == OX_OK) {
            code = ox_buf_put_u8(&names, 0, err);
        }
    }
    given->names = (char *)names.data;
    for (size_t i = 0; code == OX_OK && i < given->options.tags_count; i++) {
        given->tags[i].name = given->names + begins[i];
    }
    given->options.tags = given->tags;
    return code;
}

static enum ox_code read_options(const struct ox_args *args, struct given *out, struct ox_err *err)
{
    struct ox_simulate_options *options = &out->options;
    enum ox_code code;

    *options = (struct ox_simulate_options){
        .version = OX_VERSION,
        .prefix = ox_args_value(args, "prefix", NULL),
        .registered = ox_args_has(args, "registered"),
        .fleet = ox_args_value(args, "fleet", NULL),
        .model = ox_args_value(args, "model", NULL),
        .model_version = ox_args_value(args, "model-version", NULL),
        .bad_version = ox_args_value(args, "bad-version", NULL),
        .verify = ox_args_has(args, "verify"),
        .agents_file = ox_args_value(args, "agents-file", NULL),
        .apply_ms = 1000,
        .check_ms = 1000,
        .seed = 1,
    };
    if (!ox_args_has(args, "agents")) {
        return ox_err_set(err, OX_EINVAL, "how many devices? --agents N");
    }
    if ((code = ox_args_number(args, "agents", 1, OX_SIMULATE_AGENTS_MAX, &options->agents, err)) !=
            OX_OK ||
        (code = ox_args_seconds(args, "poll", DAY_MS, &options->poll_ms, err)) != OX_OK ||
        (code = ox_args_seconds(args, "ramp", DAY_MS, &options->ramp_ms, err)) != OX_OK ||
        (code = share(args, "fail", &options->fail, err)) != OX_OK ||
        (code = share(args, "silent", &options->silent, err)) != OX_OK ||
        (code = share(args, "restart", &options->restart, err)) != OX_OK ||
        (code = ox_args_seconds(args, "silent-for", 365 * DAY_MS, &options->silent_ms, err)) !=
            OX_OK ||
        (code = ox_args_number(args, "rate", 1, INT64_MAX, &options->rate_bps, err)) != OX_OK ||
        (code = ox_args_seconds(args, "apply-time", DAY_MS, &options->apply_ms, err)) != OX_OK ||
        (code = ox_args_seconds(args, "check-time", DAY_MS, &options->check_ms, err)) != OX_OK ||
        (code = ox_args_seconds(args, "duration", 365 * DAY_MS, &options->duration_ms, err)) !=
            OX_OK ||
        (code = ox_args_number(args, "seed", 0, INT64_MAX, &options->seed, err)) != OX_OK) {
        return code;
    }
    return tags(args, out, err);
}

/* --- what is shown on the way --- */

struct shown {
    struct ox_cli *cli;
    enum ox_code code;
    struct ox_err *err;
};

static uint64_t sum(const struct ox_simulate_result *result, const char *what)
{
    uint64_t total = 0;

    for (size_t i = 0; i < OX_SIMULATE_KINDS; i++) {
        const struct ox_simulate_requests *row = &result->requests[i];

        total += strcmp(what, "answered") == 0 ? row->answered : row->refused + row->failed;
    }
    return total;
}

static void show_registered(void *ctx, uint64_t done, uint64_t all)
{
    const struct shown *shown = ctx;
    char text[2][OX_HUMAN_MAX];

    if (shown->cli->notes_is_terminal) {
        (void)fprintf(shown->cli->notes, "\r\033[Kregistering: %s of %s",
                      ox_human_count(done, text[0]), ox_human_count(all, text[1]));
        (void)fflush(shown->cli->notes);
    }
}

static void show_line(const struct shown *shown, const struct ox_simulate_result *result)
{
    const struct ox_simulate_requests *beats = &result->requests[OX_SIMULATE_HEARTBEAT];
    char text[6][OX_HUMAN_MAX];

    (void)fprintf(shown->cli->notes,
                  "\r\033[K%s: %s agents, %s updating, %s silent; %s requests/s, p99 %.1f ms; "
                  "%s received, %s errors",
                  ox_human_duration(result->elapsed_ms, text[0]),
                  ox_human_count(result->agents, text[1]),
                  ox_human_count(result->updating, text[2]),
                  ox_human_count(result->silent, text[3]), ox_human_count(result->rate, text[4]),
                  (double)beats->p99_us / 1000, ox_human_size(result->received_bytes, text[5]),
                  ox_human_count(sum(result, "failed"), (char[OX_HUMAN_MAX]){0}));
    (void)fflush(shown->cli->notes);
}

/* --- the end: tables --- */

static enum ox_code print_requests(struct ox_cli *cli, const struct ox_simulate_result *result,
                                   struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"REQUESTS", OX_LEFT}, {"SENT", OX_RIGHT},   {"ANSWERED", OX_RIGHT},
        {"REFUSED", OX_RIGHT}, {"FAILED", OX_RIGHT}, {"CUT", OX_RIGHT},
        {"P50 MS", OX_RIGHT},  {"P99 MS", OX_RIGHT}, {"MAX MS", OX_RIGHT}};
    struct ox_table table;
    char text[OX_HUMAN_MAX];
    enum ox_code code;

    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < OX_SIMULATE_KINDS; i++) {
        const struct ox_simulate_requests *row = &result->requests[i];
        const uint64_t counts[] = {row->started, row->answered, row->refused, row->failed,
                                   row->cut};
        const uint64_t times[] = {row->p50_us, row->p99_us, row->max_us};

        if (row->started == 0) {
            continue;
        }
        ox_table_cell(&table, ox_simulate_kind_word((enum ox_simulate_kind)i));
        for (size_t j = 0; j < sizeof(counts) / sizeof(counts[0]); j++) {
            ox_table_cell(&table, ox_human_count(counts[j], text));
        }
        for (size_t j = 0; j < sizeof(times) / sizeof(times[0]); j++) {
            ox_table_cellf(&table, "%.2f", (double)times[j] / 1000);
        }
    }
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code print_campaigns(struct ox_cli *cli, const struct ox_simulate_result *result,
                                    struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"CAMPAIGN", OX_LEFT}, {"VERSION", OX_LEFT}, {"BEGAN", OX_RIGHT},  {"BY STAGE", OX_LEFT},
        {"DONE", OX_RIGHT},    {"FAILED", OX_RIGHT}, {"SILENT", OX_RIGHT}, {"FETCHED", OX_RIGHT}};
    struct ox_table table;
    char text[OX_HUMAN_MAX];
    enum ox_code code;

    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < result->campaigns_count; i++) {
        const struct ox_simulate_campaign *row = &result->campaigns[i];
        char stages[OX_SIMULATE_STAGES_MAX * 24] = "";

        for (size_t j = 0; j < OX_SIMULATE_STAGES_MAX; j++) {
            size_t used = strlen(stages);

            if (row->began_by_stage[j] > 0) {
                (void)snprintf(stages + used, sizeof(stages) - used, "%s%zu:%llu",
                               used == 0 ? "" : " ", j + 1,
                               (unsigned long long)row->began_by_stage[j]);
            }
        }
        ox_table_cell(&table, row->id[0] == '\0' ? NULL : row->id);
        ox_table_cellf(&table, "%s@%s", row->model_id, row->version);
        ox_table_cell(&table, ox_human_count(row->began, text));
        ox_table_cell(&table, stages);
        ox_table_cell(&table, ox_human_count(row->complete, text));
        ox_table_cell(&table, ox_human_count(row->failed, text));
        ox_table_cell(&table, ox_human_count(row->silent, text));
        ox_table_cell(&table, ox_human_size(row->bytes, text));
    }
    code = result->campaigns_count == 0
               ? OX_OK
               : (fputc('\n', cli->out), ox_table_print(&table, cli->out, cli->colour, err));
    ox_table_clear(&table);
    return code;
}

static enum ox_code print_facts(struct ox_cli *cli, const struct ox_simulate_result *result,
                                struct ox_err *err)
{
    static const struct ox_column columns[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    char text[OX_HUMAN_MAX];
    struct ox_table table;
    enum ox_code code;

    ox_table_init(&table, columns, 2);
    ox_table_cell(&table, "simulated");
    ox_table_cellf(&table, "%s agents for %s", ox_human_count(result->agents, text),
                   ox_human_duration(result->elapsed_ms, (char[OX_HUMAN_MAX]){0}));
    ox_table_cell(&table, "received");
    ox_table_cell(&table, ox_human_bytes(result->received_bytes, text));
    ox_table_cell(&table, "sent");
    ox_table_cell(&table, ox_human_bytes(result->sent_bytes, text));
    for (size_t i = 0; i < result->running_count; i++) {
        const struct ox_simulate_running *row = &result->running[i];

        ox_table_cell(&table, "running");
        if (row->model_id == NULL) {
            ox_table_cellf(&table, "nothing: %s", ox_human_count(row->agents, text));
        } else {
            ox_table_cellf(&table, "%s@%s: %s", row->model_id, row->version,
                           ox_human_count(row->agents, text));
        }
    }
    for (size_t i = 0; i < result->errors_count; i++) {
        ox_table_cell(&table, "error");
        ox_table_cellf(&table, "%s: %s", result->errors[i].text,
                       ox_human_count(result->errors[i].count, text));
    }
    if (result->conflicts > 0) {
        ox_table_cell(&table, "conflict");
        ox_table_cellf(&table, "two versions of one model were assigned: %s times",
                       ox_human_count(result->conflicts, text));
    }
    code = ox_table_print(&table, cli->out, false, err);
    (void)fputc('\n', cli->out);
    ox_table_clear(&table);
    return code;
}

static enum ox_code print_tables(struct ox_cli *cli, const struct ox_simulate_result *result,
                                 struct ox_err *err)
{
    enum ox_code code = print_facts(cli, result, err);

    if (code == OX_OK) {
        code = print_requests(cli, result, err);
    }
    return code == OX_OK ? print_campaigns(cli, result, err) : code;
}

/* --- the end: JSON --- */

static json_int_t whole(uint64_t value)
{
    return (json_int_t)value;
}

static enum ox_code requests_json(const struct ox_simulate_result *result, json_t **out,
                                  struct ox_err *err)
{
    enum ox_code code = OX_OK;

    *out = json_object();
    for (size_t i = 0; code == OX_OK && i < OX_SIMULATE_KINDS; i++) {
        const struct ox_simulate_requests *row = &result->requests[i];

        code =
            ox_json_set(*out, ox_simulate_kind_word((enum ox_simulate_kind)i),
                        json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "sent",
                                  whole(row->started), "answered", whole(row->answered), "refused",
                                  whole(row->refused), "failed", whole(row->failed), "cut",
                                  whole(row->cut), "p50_ms", (double)row->p50_us / 1000, "p99_ms",
                                  (double)row->p99_us / 1000, "max_ms", (double)row->max_us / 1000),
                        err);
    }
    return code;
}

static enum ox_code campaign_json(const struct ox_simulate_campaign *row, json_t *list,
                                  struct ox_err *err)
{
    json_t *stages = json_array();
    enum ox_code code = OX_OK;
    size_t count = OX_SIMULATE_STAGES_MAX;

    while (count > 0 && row->began_by_stage[count - 1] == 0) {
        count--;
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_json_append(stages, json_integer(whole(row->began_by_stage[i])), err);
    }
    if (code == OX_OK) {
        code = ox_json_append(
            list,
            json_pack("{s:s, s:s, s:s, s:I, s:O, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I,"
                      " s:I}",
                      "id", row->id, "model_id", row->model_id, "version", row->version, "began",
                      whole(row->began), "began_by_stage", stages, "complete", whole(row->complete),
                      "failed", whole(row->failed), "skipped", whole(row->skipped), "silent",
                      whole(row->silent), "withdrawn", whole(row->withdrawn), "bytes",
                      whole(row->bytes), "full", whole(row->full), "first_ms", whole(row->first_ms),
                      "last_ms", whole(row->last_ms), "first_failed_ms",
                      whole(row->first_failed_ms), "began_at_first_failure",
                      whole(row->began_at_first_failure)),
            err);
    }
    json_decref(stages);
    return code;
}

static enum ox_code lists_json(const struct ox_simulate_result *result, json_t *running,
                               json_t *errors, json_t *campaigns, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < result->running_count; i++) {
        const struct ox_simulate_running *row = &result->running[i];

        code = ox_json_append(running,
                              json_pack("{s:s?, s:s?, s:I}", "model_id", row->model_id, "version",
                                        row->version, "agents", whole(row->agents)),
                              err);
    }
    for (size_t i = 0; code == OX_OK && i < result->errors_count; i++) {
        code = ox_json_append(errors,
                              json_pack("{s:s, s:I}", "text", result->errors[i].text, "count",
                                        whole(result->errors[i].count)),
                              err);
    }
    for (size_t i = 0; code == OX_OK && i < result->campaigns_count; i++) {
        code = campaign_json(&result->campaigns[i], campaigns, err);
    }
    return code;
}

static enum ox_code print_json(struct ox_cli *cli, const struct ox_simulate_result *result,
                               struct ox_err *err)
{
    json_t *running = json_array();
    json_t *errors = json_array();
    json_t *campaigns = json_array();
    json_t *requests = NULL;
    json_t *json = NULL;
    enum ox_code code = requests_json(result, &requests, err);

    if (code == OX_OK) {
        code = lists_json(result, running, errors, campaigns, err);
    }
    if (code == OX_OK) {
        json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O, s:O, s:O}", "agents",
                         whole(result->agents), "elapsed_ms", whole(result->elapsed_ms), "updating",
                         whole(result->updating), "silent", whole(result->silent), "sent_bytes",
                         whole(result->sent_bytes), "received_bytes", whole(result->received_bytes),
                         "blob_bytes", whole(result->blob_bytes), "conflicts",
                         whole(result->conflicts), "requests", requests, "running", running,
                         "campaigns", campaigns, "errors", errors);
        code = json == NULL ? ox_err_nomem(err, "a result") : ox_cli_print_json(cli, json, err);
    }
    json_decref(json);
    json_decref(requests);
    json_decref(running);
    json_decref(errors);
    json_decref(campaigns);
    return code;
}

static void show(void *ctx, const struct ox_simulate_result *result, bool last)
{
    struct shown *shown = ctx;
    struct ox_cli *cli = shown->cli;

    if (!last) {
        if (cli->notes_is_terminal) {
            show_line(shown, result);
        }
        return;
    }
    if (cli->notes_is_terminal) {
        (void)fprintf(cli->notes, "\r\033[K");
        (void)fflush(cli->notes);
    }
    shown->code =
        cli->json ? print_json(cli, result, shown->err) : print_tables(cli, result, shown->err);
}

enum ox_code ox_run_simulate(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct given given = {.names = NULL};
    struct shown shown = {cli, OX_OK, err};
    const struct ox_simulate_observer observer = {&shown, show_registered, show};
    enum ox_code code = read_options(args, &given, err);

    given.options.server = cli->server;
    if (code == OX_OK) {
        code = ox_simulate_run(&given.options, cli->stop, &observer, err);
    }
    free(given.names);
    return code == OX_OK ? shown.code : code;
}

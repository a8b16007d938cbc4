/* oxide job: the deltas that the control plane makes. */
#include "args.h"
#include "client.h"
#include "human.h"
#include "lists.h"

#include <string.h>

/* "v1 -> v2", by digests where no version has them. */
static void cell_versions(struct ox_table *table, const json_t *job)
{
    const char *base = ox_cli_text(job, "base_version");
    const char *target = ox_cli_text(job, "target_version");
    const char *variant = ox_cli_text(job, "variant");

    ox_table_cellf(table, "%.12s -> %.12s%s%s%s", base == NULL ? ox_cli_text(job, "base") : base,
                   target == NULL ? ox_cli_text(job, "target") : target,
                   variant == NULL ? "" : " (", variant == NULL ? "" : variant,
                   variant == NULL ? "" : ")");
}

static void cell_state(struct ox_table *table, const json_t *job)
{
    const json_t *progress = json_object_get(job, "progress");

    if (json_is_integer(progress)) {
        ox_table_cellf(table, "running, %lld %%", (long long)json_integer_value(progress));
    } else {
        ox_table_cell(table, ox_cli_text(job, "state"));
    }
}

static void job_row(struct ox_table *table, const json_t *job)
{
    char size[OX_HUMAN_MAX];

    ox_table_cellf(table, "%llu", (unsigned long long)ox_cli_number(job, "id"));
    ox_table_cell(table, ox_cli_text(job, "model_id"));
    cell_versions(table, job);
    cell_state(table, job);
    ox_table_cellf(table, "%llu", (unsigned long long)ox_cli_number(job, "waiting"));
    ox_table_cell(table, json_is_integer(json_object_get(job, "patch_bytes"))
                             ? ox_human_size(ox_cli_number(job, "patch_bytes"), size)
                             : NULL);
    ox_table_cell(table, ox_cli_text(job, "format"));
    ox_table_cell(table, ox_cli_text(job, "reason"));
}

enum ox_code ox_run_job_list(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"ID", OX_RIGHT},      {"MODEL", OX_LEFT},  {"VERSIONS", OX_LEFT}, {"STATE", OX_LEFT},
        {"WAITING", OX_RIGHT}, {"PATCH", OX_RIGHT}, {"FORMAT", OX_LEFT},   {"REASON", OX_LEFT},
    };
    static const char *const filters[] = {"state", "base", "target", NULL};
    static const struct ox_cli_list list = {
        .path = "/api/v1/jobs",
        .key = "jobs",
        .columns = columns,
        .column_count = sizeof(columns) / sizeof(columns[0]),
        .row = job_row,
        .empty = "no such delta jobs: they are made for what is published and deployed",
        .filters = filters,
    };

    return ox_cli_list(cli, args, &list, err);
}

static enum ox_code act(struct ox_cli *cli, const struct ox_args *args, const char *verb,
                        struct ox_err *err)
{
    const char *id = ox_args_word(args, 0);
    json_t *answer = NULL;
    enum ox_code code;

    if (strspn(id, "0123456789") != strlen(id) || id[0] == '\0') {
        return ox_err_set(err, OX_EINVAL, "'%.64s' is no job: 'oxide job list' tells their numbers",
                          id);
    }
    code = ox_client_once(cli, "POST", NULL, &answer, err, "/api/v1/jobs/%.32s/%s", id, verb);
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        (void)fprintf(cli->out, "job %s is %s\n", id, ox_cli_text(answer, "state"));
    }
    json_decref(answer);
    return code;
}

enum ox_code ox_run_job_retry(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    return act(cli, args, "retry", err);
}

enum ox_code ox_run_job_cancel(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    return act(cli, args, "cancel", err);
}

#include "client.h"
#include "human.h"
#include "lists.h"

/* The first digits of a digest tell artifacts apart; --json has all of them. */
#define DIGITS 12

static void job_row(struct ox_table *table, const json_t *job)
{
    static const char *const digests[] = {"base", "target"};
    char size[OX_HUMAN_MAX];

    ox_table_cellf(table, "%llu", (unsigned long long)ox_cli_number(job, "id"));
    for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
        const char *digest = ox_cli_text(job, digests[i]);

        ox_table_cellf(table, "%.*s", DIGITS, digest == NULL ? "" : digest);
    }
    ox_table_cell(table, ox_cli_text(job, "format"));
    ox_table_cell(table, ox_cli_text(job, "state"));
    ox_table_cellf(table, "%llu", (unsigned long long)ox_cli_number(job, "waiting"));
    ox_table_cell(table, json_is_integer(json_object_get(job, "patch_bytes"))
                             ? ox_human_size(ox_cli_number(job, "patch_bytes"), size)
                             : NULL);
    ox_table_cell(table, ox_cli_text(job, "reason"));
}

enum ox_code ox_run_job_list(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"ID", OX_RIGHT},   {"BASE", OX_LEFT},     {"TARGET", OX_LEFT}, {"FORMAT", OX_LEFT},
        {"STATE", OX_LEFT}, {"WAITING", OX_RIGHT}, {"PATCH", OX_RIGHT}, {"REASON", OX_LEFT}};
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

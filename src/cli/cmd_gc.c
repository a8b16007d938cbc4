/* oxide gc, and oxide model retention: what is kept, and what goes. */
#include "args.h"
#include "client.h"
#include "human.h"
#include "table.h"

#include "oxide/wire/id.h"

#include <stdlib.h>
#include <string.h>

/* --- rules --- */

static enum ox_code rule_of(const struct ox_args *args, json_t **out, struct ox_err *err)
{
    json_t *rule = json_object();
    json_t *labels = json_array();
    uint64_t keep = 0;
    uint64_t keep_for_ms = 0;
    const char *label;
    enum ox_code code = ox_args_number(args, "keep", 0, 1000000, &keep, err);

    if (code == OX_OK) {
        code = ox_args_seconds(args, "keep-for", (uint64_t)36500 * 86400000, &keep_for_ms, err);
    }
    for (size_t i = 0; code == OX_OK && (label = ox_args_nth(args, "keep-label", i)) != NULL; i++) {
        code = ox_json_append(labels, json_string(label), err);
    }
    if (code == OX_OK && (code = ox_json_set_u64(rule, "keep_newest", keep, err)) == OX_OK &&
        (code = ox_json_set_u64(rule, "keep_for_s", keep_for_ms / 1000, err)) == OX_OK) {
        code = ox_json_set(rule, "keep_labels", json_incref(labels), err);
    }
    json_decref(labels);
    if (code != OX_OK) {
        json_decref(rule);
        return code;
    }
    *out = rule;
    return OX_OK;
}

static void print_rule(struct ox_cli *cli, const json_t *rule)
{
    const char *model = ox_cli_text(rule, "model_id");
    uint64_t keep_for_s = ox_cli_number(rule, "keep_for_s");
    char text[OX_HUMAN_MAX];
    json_t *label;
    size_t i;

    (void)fprintf(cli->out, "%s%s: the newest %s versions are kept",
                  model == NULL ? "models without a rule of their own" : "model ",
                  model == NULL ? "" : model,
                  ox_human_count(ox_cli_number(rule, "keep_newest"), text));
    if (keep_for_s > 0) {
        (void)fprintf(cli->out, ", those younger than %s",
                      ox_human_duration(keep_for_s * 1000, text));
    }
    json_array_foreach(json_object_get(rule, "keep_labels"), i, label)
    {
        (void)fprintf(cli->out, ", those labelled %s", json_string_value(label));
    }
    (void)fputs(", and what devices, campaigns, fleets and deltas need\n", cli->out);
}

enum ox_code ox_run_model_retention(struct ox_cli *cli, const struct ox_args *args,
                                    struct ox_err *err)
{
    const char *model = ox_args_word(args, 0);
    bool off = ox_args_has(args, "off");
    bool sets = ox_args_has(args, "keep") || ox_args_has(args, "keep-label") ||
                ox_args_has(args, "keep-for");
    char path[600] = "/api/v1/retention";
    json_t *rule = NULL;
    json_t *answer = NULL;
    enum ox_code code = model == NULL ? OX_OK : ox_id_check("model", model, err);

    if (code == OX_OK && off && sets) {
        code = ox_err_set(err, OX_EINVAL, "--off removes the rule: leave out what it is to keep");
    } else if (code == OX_OK && sets) {
        code = rule_of(args, &rule, err);
    }
    if (code == OX_OK && model != NULL) {
        (void)snprintf(path, sizeof(path), "/api/v1/models/%s/retention", model);
    }
    if (code == OX_OK) {
        code = ox_client_once(cli,
                              off    ? "DELETE"
                              : sets ? "PUT"
                                     : "GET",
                              rule, &answer, err, "%s", path);
    }
    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK && off) {
        (void)fputs("the rule is removed\n", cli->out);
    } else if (code == OX_OK) {
        print_rule(cli, answer);
    }
    json_decref(rule);
    json_decref(answer);
    return code;
}

/* --- collecting --- */

static enum ox_code print_versions(struct ox_cli *cli, const json_t *report, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"MODEL", OX_LEFT}, {"VERSION", OX_LEFT}, {"SIZE", OX_RIGHT}, {"WHAT", OX_LEFT}};
    const json_t *gone = json_object_get(report, "versions");
    const json_t *kept = json_object_get(report, "kept");
    struct ox_table table;
    char size[OX_HUMAN_MAX];
    json_t *row;
    size_t i;
    enum ox_code code = OX_OK;

    if (json_array_size(gone) + json_array_size(kept) == 0) {
        return OX_OK;
    }
    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(gone, i, row)
    {
        ox_table_cell(&table, ox_cli_text(row, "model_id"));
        ox_table_cell(&table, ox_cli_text(row, "version"));
        ox_table_cell(&table, ox_human_size(ox_cli_number(row, "size_bytes"), size));
        ox_table_cell(&table, json_is_true(json_object_get(report, "dry_run")) ? "would be removed"
                                                                               : "removed");
    }
    json_array_foreach(kept, i, row)
    {
        ox_table_cell(&table, ox_cli_text(row, "model_id"));
        ox_table_cell(&table, ox_cli_text(row, "version"));
        ox_table_cell(&table, "");
        ox_table_cellf(&table, "kept: %s", ox_cli_text(row, "why"));
    }
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static void print_sum(struct ox_cli *cli, const json_t *report)
{
    const json_t *blobs = json_object_get(report, "blobs");
    size_t versions = json_array_size(json_object_get(report, "versions"));
    uint64_t young = ox_cli_number(blobs, "young");
    char patch_count[OX_HUMAN_MAX];
    char blob_count[OX_HUMAN_MAX];
    char size[OX_HUMAN_MAX];

    (void)fprintf(
        cli->out, "%zu version%s, %s patches, and %s blobs of %s %s\n", versions,
        versions == 1 ? "" : "s",
        ox_human_count(ox_cli_number(json_object_get(report, "patches"), "count"), patch_count),
        ox_human_count(ox_cli_number(blobs, "count"), blob_count),
        ox_human_bytes(ox_cli_number(blobs, "bytes"), size),
        json_is_true(json_object_get(report, "dry_run")) ? "would be removed" : "removed");
    if (young > 0) {
        (void)fprintf(cli->out,
                      "%s blobs that nothing refers to stay for now: they are new, and a push may "
                      "be about to\n",
                      ox_human_count(young, blob_count));
    }
}

enum ox_code ox_run_gc(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    json_t *report = NULL;
    enum ox_code code = ox_client_once(cli, "POST", NULL, &report, err, "/api/v1/gc%s",
                                       ox_args_has(args, "dry-run") ? "?dry_run=true" : "");

    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, report, err);
    } else if (code == OX_OK && (code = print_versions(cli, report, err)) == OX_OK) {
        print_sum(cli, report);
    }
    json_decref(report);
    return code;
}

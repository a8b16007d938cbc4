/* `oxide delta info`: what is in a patch, and where its bytes go. */
#include "args.h"
#include "client.h"
#include "cmd_delta.h"
#include "human.h"
#include "patch_file.h"
#include "table.h"

#include "oxide/delta/delta.h"
#include "oxide/patch/pool.h"

#include <string.h>

#define INFO_ROWS 20 /* of the table, unless --all is given */

static enum ox_code print_info(struct ox_cli *cli, const char *path,
                               const struct ox_oxdl_header *header,
                               const struct ox_delta_stats *stats, struct ox_err *err)
{
    static const struct ox_column facts[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    static const struct ox_column columns[] = {
        {"OPERATION", OX_LEFT}, {"TARGET BYTES", OX_RIGHT}, {"PATCH BYTES", OX_RIGHT}};
    const struct ox_oxdl_side *sides[] = {&header->base, &header->target};
    struct ox_table table;
    char text[OX_HUMAN_MAX];
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code;

    ox_table_init(&table, facts, 2);
    ox_table_cell(&table, "patch");
    ox_table_cell(&table, path);
    ox_table_cell(&table, "format");
    ox_table_cellf(&table, "OXDL %u", header->version);
    ox_table_cell(&table, "engine");
    ox_table_cell(&table, ox_delta_engine_word(stats->engine));
    ox_table_cell(&table, "size");
    ox_table_cell(&table, ox_human_bytes(stats->patch_total_bytes, text));
    ox_table_cell(&table, "saved");
    ox_table_cell(&table,
                  ox_human_saved(stats->patch_total_bytes, header->target.size_bytes, text));
    if (header->version != 1) {
        ox_table_cell(&table, "frames");
        ox_table_cell(&table, ox_human_count(stats->frames, text));
    }
    for (size_t i = 0; i < 2; i++) {
        const char *name = i == 0 ? "base" : "target";
        size_t files = sides[i]->files.count == 0 ? 1 : sides[i]->files.count;

        ox_table_cell(&table, name);
        if (header->version == 1 && i == 0) { /* its header does not hold the size of the base */
            ox_table_cell(&table, "1 file");
        } else {
            ox_table_cellf(&table, "%s in %zu file%s", ox_human_bytes(sides[i]->size_bytes, text),
                           files, files == 1 ? "" : "s");
        }
        ox_table_cell(&table, "");
        ox_table_cellf(&table, "SHA-256 %s", ox_digest_hex(&sides[i]->digest, hex));
    }
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    if (code != OX_OK || header->version == 1) {
        return code;
    }
    (void)fputc('\n', cli->out);
    ox_table_init(&table, columns, 3);
    for (int op = 0; op < OX_OXDL_OP_COUNT; op++) {
        if (stats->target_bytes[op] > 0 || stats->patch_bytes[op] > 0) {
            ox_table_cell(&table, ox_oxdl_op_word((enum ox_oxdl_op)op));
            ox_table_cell(&table, ox_human_count(stats->target_bytes[op], text));
            ox_table_cell(&table, ox_human_count(stats->patch_bytes[op], text));
        }
    }
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

/* What version 1 does not have: how the patch is built up. */
static enum ox_code add_frames(json_t *json, const struct ox_delta_stats *stats, struct ox_err *err)
{
    json_t *ops = json_object();
    enum ox_code code = ox_json_set(json, "frames", json_integer((json_int_t)stats->frames), err);

    for (int op = 0; op < OX_OXDL_OP_COUNT && code == OX_OK; op++) {
        code =
            ox_json_set(ops, ox_oxdl_op_word((enum ox_oxdl_op)op),
                        json_pack("{s:I, s:I}", "target_bytes", (json_int_t)stats->target_bytes[op],
                                  "patch_bytes", (json_int_t)stats->patch_bytes[op]),
                        err);
    }
    if (code == OX_OK) {
        return ox_json_set(json, "operations", ops, err);
    }
    json_decref(ops);
    return code;
}

/* Unknown values are left out: a 0 would be taken for one. */
static json_t *info_json(const struct ox_oxdl_header *header, const struct ox_delta_stats *stats)
{
    const struct ox_oxdl_side *base = &header->base;
    const struct ox_oxdl_side *target = &header->target;
    json_t *base_json = ox_cli_side_json(&base->digest, base->size_bytes, base->files.count);

    if (header->version == 1) {
        (void)json_object_del(base_json, "size_bytes"); /* which fails if base_json is NULL */
    }
    return json_pack("{s:s, s:i, s:s, s:I, s:o, s:o}", "format", "oxdl", "version",
                     (int)header->version, "engine", ox_delta_engine_word(stats->engine),
                     "patch_bytes", (json_int_t)stats->patch_total_bytes, "base", base_json,
                     "target",
                     ox_cli_side_json(&target->digest, target->size_bytes, target->files.count));
}

static enum ox_code print_info_json(struct ox_cli *cli, const struct ox_oxdl_header *header,
                                    const struct ox_delta_stats *stats,
                                    const struct ox_explanation *explanation, struct ox_err *err)
{
    json_t *json = info_json(header, stats);
    enum ox_code code = json == NULL ? ox_err_nomem(err, "JSON") : OX_OK;

    if (code == OX_OK && header->version != 1) {
        code = add_frames(json, stats, err);
    }
    if (code == OX_OK && explanation != NULL) {
        code = ox_cli_add_explanation(json, explanation, header->target.files.count > 1, err);
    }
    if (code == OX_OK) {
        code = ox_cli_print_json(cli, json, err);
    }
    json_decref(json);
    return code;
}

/* The sides that a user gave, and what they tell of a patch. */
struct explained {
    struct ox_artifact_files *base;   /* NULL: not given */
    struct ox_artifact_files *target; /* NULL: not given */
    struct ox_explain *explain;
    const struct ox_explanation *explanation; /* NULL: it cannot be explained */
};

static void explained_clear(struct explained *self)
{
    ox_explain_free(self->explain);
    ox_artifact_close(self->base);
    ox_artifact_close(self->target);
}

static enum ox_code open_side(struct ox_cli *cli, const struct ox_args *args, const char *option,
                              const struct ox_oxdl_side *wanted, struct ox_artifact_files **out,
                              struct ox_err *err)
{
    const char *path = ox_args_value(args, option, NULL);
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code;

    if (path == NULL) {
        return OX_OK;
    }
    code = ox_cli_open_hashed(cli, option, path, out, err);
    if (code == OX_OK && !ox_digest_equal(&ox_artifact_side(*out)->digest, &wanted->digest)) {
        code = ox_err_set(err, OX_EBASE,
                          "%s is not the %s of %s: that one has SHA-256 %s; find it, or leave out "
                          "--%s",
                          path, option, ox_args_word(args, 0), ox_digest_hex(&wanted->digest, hex),
                          option);
    }
    return code;
}

static enum ox_code explain_patch(struct ox_cli *cli, const struct ox_args *args,
                                  const struct ox_oxdl_header *header,
                                  const struct ox_source *patch, struct explained *self,
                                  struct ox_err *err)
{
    struct ox_explain_spec spec = {NULL, NULL, cli->stop};
    enum ox_code code;

    if ((code = open_side(cli, args, "base", &header->base, &self->base, err)) != OX_OK ||
        (code = open_side(cli, args, "target", &header->target, &self->target, err)) != OX_OK) {
        return code;
    }
    spec.base = self->base == NULL ? NULL : ox_artifact_side(self->base);
    spec.target = self->target == NULL ? NULL : ox_artifact_side(self->target);
    code = ox_explain_new(&self->explain, &spec, err);
    if (code == OX_OK) {
        code = ox_explain_source(self->explain, patch, &self->explanation, err);
    }
    return code == OX_OK ? OX_OK : ox_err_context(err, "%s", ox_args_word(args, 0));
}

static enum ox_code print_explained(struct ox_cli *cli, const struct explained *self,
                                    bool is_folder, bool all, struct ox_err *err)
{
    enum ox_code code;

    (void)fputc('\n', cli->out);
    code = ox_cli_explained_table(cli, self->explanation, is_folder, all ? 0 : INFO_ROWS, err);
    if (code == OX_OK && self->target == NULL) {
        (void)fputs("\n--base BASE --target TARGET show which tensors the bytes are for\n",
                    cli->out);
    } else if (code == OX_OK && self->base == NULL) {
        (void)fputs("\nWith --base BASE, too, frames of several tensors are shared out by what "
                    "changed in each\n",
                    cli->out);
    }
    return code;
}

static enum ox_code no_sides(const char *path, struct ox_err *err)
{
    return ox_err_set(err, OX_EUNSUPPORTED,
                      "%s is no patch of OXDL 2, so it cannot be told by tensor: leave out --base "
                      "and --target",
                      path);
}

enum ox_code ox_run_delta_info(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *path = ox_args_word(args, 0);
    struct ox_patch_file patch = OX_PATCH_FILE_INIT;
    struct ox_oxdl_header header;
    struct ox_delta_stats stats = {0};
    struct explained explained = {NULL, NULL, NULL, NULL};
    bool sides = ox_args_has(args, "base") || ox_args_has(args, "target");
    enum ox_code code;

    memset(&header, 0, sizeof(header));
    code = ox_patch_open(cli, &patch, path, err);
    if (code == OX_OK && ox_pool1_recognise(&patch.source)) {
        code = sides ? no_sides(path, err) : ox_cli_pool_info(cli, path, &patch.source, err);
        goto out;
    }
    if (code == OX_OK && ox_delta_inspect(&patch.source, &header, &stats, err) != OX_OK) {
        code = ox_err_context(err, "%s", path);
    }
    if (code == OX_OK && header.version == OX_OXDL_VERSION) {
        code = explain_patch(cli, args, &header, &patch.source, &explained, err);
    } else if (code == OX_OK && sides) {
        code = no_sides(path, err);
    }
    if (code == OX_OK) {
        code = cli->json ? print_info_json(cli, &header, &stats, explained.explanation, err)
                         : print_info(cli, path, &header, &stats, err);
    }
    if (code == OX_OK && !cli->json && explained.explanation != NULL) {
        code = print_explained(cli, &explained, header.target.files.count > 1,
                               ox_args_has(args, "all"), err);
    }
out:
    explained_clear(&explained);
    ox_oxdl_header_clear(&header);
    ox_patch_close(&patch);
    return code;
}

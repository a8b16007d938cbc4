/* `oxide delta` for patches of the format POOL, which know files by their bytes alone. */
#include "cmd_delta.h"

#include "client.h"
#include "human.h"
#include "output.h"
#include "progress.h"
#include "table.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/delta/delta.h"
#include "oxide/delta/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that is read in place: POOL needs no SHA-256 of it. */
struct one_file {
    struct ox_fd_io io;
    struct ox_source source;
    struct ox_file_state opened; /* as it was then */
};
#define ONE_FILE_INIT                                                                              \
    {                                                                                              \
        .io.fd = -1                                                                                \
    }

static enum ox_code open_one(struct one_file *file, const char *path, const char *advice,
                             struct ox_err *err)
{
    struct stat st;
    uint64_t size_bytes = 0;
    enum ox_code code;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "a POOL patch has one file on each side, and %s is a folder: %s", path,
                          advice);
    }
    code = ox_file_open_read(path, &file->io.fd, &size_bytes, err);
    if (code == OX_OK) {
        file->io.name = path;
        file->source = ox_fd_source(&file->io, size_bytes);
        code = ox_file_state(file->io.fd, path, &file->opened, err);
    }
    return code;
}

/* The patch itself cannot tell that its base changed: it has no digest of it. */
static enum ox_code check_unchanged(const struct one_file *file, struct ox_err *err)
{
    return ox_file_check_unchanged(file->io.fd, file->io.name, &file->opened, err);
}

static void close_one(struct one_file *file)
{
    if (file->io.fd >= 0) {
        (void)close(file->io.fd);
    }
}

static json_t *target_json(const struct ox_pool1_header *header)
{
    char hex[OX_DIGEST_HEX_MAX];

    return json_pack("{s:s, s:I}", "blake3", ox_digest_hex(&header->target_blake3, hex),
                     "size_bytes", (json_int_t)header->target_bytes);
}

/* What create and info both tell. */
static json_t *stats_json(const struct ox_pool1_stats *stats)
{
    return json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:{s:I}, s:o}", "format", "pool",
                     "version", OX_POOL1_VERSION, "patch_bytes", (json_int_t)stats->patch_bytes,
                     "copies", (json_int_t)stats->copies, "copy_bytes",
                     (json_int_t)stats->copy_bytes, "literals", (json_int_t)stats->literals,
                     "literal_bytes", (json_int_t)stats->literal_bytes, "base", "size_bytes",
                     (json_int_t)stats->header.base_bytes, "target", target_json(&stats->header));
}

/* Print and release. */
static enum ox_code print_json(struct ox_cli *cli, FILE *to, json_t *take, struct ox_err *err)
{
    struct ox_cli json_cli = *cli;
    enum ox_code code;

    json_cli.out = to;
    code = take == NULL ? ox_err_nomem(err, "JSON") : ox_cli_print_json(&json_cli, take, err);
    json_decref(take);
    return code;
}

/* --- create --- */

static enum ox_code print_created(struct ox_cli *cli, const struct ox_pool1_stats *stats,
                                  const char *path, uint64_t took_ms, struct ox_err *err)
{
    FILE *to = strcmp(path, "-") == 0 ? cli->notes : cli->out; /* the patch itself is there */
    char patch[OX_HUMAN_MAX];
    char whole[OX_HUMAN_MAX];
    char saved[OX_HUMAN_MAX];
    char copies[OX_HUMAN_MAX];
    char literals[OX_HUMAN_MAX];
    char time[OX_HUMAN_MAX];

    if (cli->json) {
        json_t *json = stats_json(stats);

        if (json != NULL &&
            (json_object_set_new(json, "patch", json_string(path)) != 0 ||
             json_object_set_new(json, "duration_ms", json_integer((json_int_t)took_ms)) != 0)) {
            json_decref(json);
            json = NULL;
        }
        return print_json(cli, to, json, err);
    }
    (void)fprintf(to, "%s: %s for a target of %s, %s saved (POOL, copies: %s, literals: %s, %s)\n",
                  strcmp(path, "-") == 0 ? "patch" : path,
                  ox_human_bytes(stats->patch_bytes, patch),
                  ox_human_bytes(stats->header.target_bytes, whole),
                  ox_human_saved(stats->patch_bytes, stats->header.target_bytes, saved),
                  ox_human_count(stats->copies, copies), ox_human_count(stats->literals, literals),
                  ox_human_duration(took_ms, time));
    return OX_OK;
}

enum ox_code ox_cli_pool_create(struct ox_cli *cli, const char *base_path, const char *target_path,
                                const char *out_path, bool force, struct ox_err *err)
{
    static const char advice[] = "name one file in it, or use --format oxdl";
    const struct ox_clock *clock = ox_clock_system();
    struct one_file base = ONE_FILE_INIT;
    struct one_file target = ONE_FILE_INIT;
    struct ox_output_file out = {NULL, NULL, {-1, NULL}, {NULL, NULL}, false};
    struct ox_pool1_stats stats;
    struct ox_pool1_options options = {cli->stop, NULL};
    struct ox_bar bar;
    int64_t start_mono_ms = clock->mono_ms(clock->ctx);
    enum ox_code code;

    if ((code = open_one(&base, base_path, advice, err)) != OX_OK ||
        (code = open_one(&target, target_path, advice, err)) != OX_OK ||
        (code = ox_output_open(&out, out_path, err)) != OX_OK) {
        goto out;
    }
    ox_bar_start(&bar, "delta", cli->notes, cli->notes_is_terminal, clock);
    options.progress = &bar.progress;
    code = ox_pool1_create(&base.source, &target.source, &options, &out.output, &stats, err);
    if (code == OX_OK || code == OX_EIO) { /* a file that changed is named, whoever saw it first */
        enum ox_code changed = check_unchanged(&base, err);

        changed = changed == OX_OK ? check_unchanged(&target, err) : changed;
        code = changed == OX_OK ? code : changed;
    }
    if (code == OX_OK) {
        code = ox_output_commit(&out, force, err);
    }
    ox_bar_end(&bar, code == OX_OK);
    if (code == OX_OK) {
        code = print_created(cli, &stats, out_path,
                             (uint64_t)(clock->mono_ms(clock->ctx) - start_mono_ms), err);
    }
out:
    ox_output_clear(&out);
    close_one(&target);
    close_one(&base);
    return code;
}

/* --- apply --- */

/* A sink written in order. */
struct ordered_sink {
    struct ox_sink sink;
    uint64_t at;
};

static enum ox_code ordered_write(void *ctx, const void *bytes, size_t len_bytes,
                                  struct ox_err *err)
{
    struct ordered_sink *self = ctx;
    enum ox_code code = self->sink.write_at(self->sink.ctx, self->at, bytes, len_bytes, err);

    self->at += len_bytes;
    return code;
}

static enum ox_code rebuild(struct ox_cli *cli, const struct ox_source *base,
                            const struct ox_source *patch, uint64_t target_bytes, const char *temp,
                            struct ox_err *err)
{
    struct ox_target_files *files = NULL;
    struct ordered_sink sink;
    struct ox_output output = {&sink, ordered_write};
    struct ox_pool1_apply_spec spec = {.base = base, .out = &output, .stop = cli->stop};
    struct ox_bar bar;
    enum ox_code code = ox_target_create_file(&files, temp, target_bytes, err);

    if (code != OX_OK) {
        return code;
    }
    ox_bar_start(&bar, "applying", cli->notes, cli->notes_is_terminal, ox_clock_system());
    sink = (struct ordered_sink){ox_target_sink(files), 0};
    spec.progress = &bar.progress;
    code = ox_pool1_apply_source(&spec, patch, err);
    if (code == OX_OK) {
        code = ox_target_sync(files, err);
    }
    ox_bar_end(&bar, code == OX_OK);
    ox_target_close(files);
    return code;
}

static enum ox_code print_applied(struct ox_cli *cli, const struct ox_pool1_header *header,
                                  const char *path, uint64_t patch_bytes, struct ox_err *err)
{
    FILE *to = ox_cli_beside(cli, path).out;
    char hex[OX_DIGEST_HEX_MAX];
    char size[OX_HUMAN_MAX];
    char patch[OX_HUMAN_MAX];

    if (cli->json) {
        return print_json(cli, to,
                          json_pack("{s:s, s:I, s:o}", "output", path, "patch_bytes",
                                    (json_int_t)patch_bytes, "target", target_json(header)),
                          err);
    }
    (void)fprintf(to, "%s: %s from a patch of %s, verified\nBLAKE3 %s\n", path,
                  ox_human_bytes(header->target_bytes, size), ox_human_bytes(patch_bytes, patch),
                  ox_digest_hex(&header->target_blake3, hex));
    return OX_OK;
}

enum ox_code ox_cli_pool_apply(struct ox_cli *cli, const char *base_path, const char *patch_path,
                               const struct ox_source *patch, const struct ox_place *place,
                               struct ox_err *err)
{
    struct one_file base = ONE_FILE_INIT;
    struct ox_pool1_header header;
    char *temp = NULL;
    enum ox_code code = ox_pool1_read_header(patch, &header, err);

    if (code != OX_OK) {
        return ox_err_context(err, "%s", patch_path);
    }
    code = open_one(&base, base_path, "name the file in it that the patch was made for", err);
    if (code == OX_OK && header.base_bytes != base.source.size_bytes) {
        code = ox_err_set(err, OX_EBASE,
                          "%s is not the base of %s: the patch was made for a file of %llu bytes, "
                          "this one has %llu; find that version, or fetch the full file",
                          base_path, patch_path, (unsigned long long)header.base_bytes,
                          (unsigned long long)base.source.size_bytes);
    }
    if (code == OX_OK) {
        code = ox_cli_temp_name(&temp, place->path, err);
    }
    if (code == OX_OK) {
        code = rebuild(cli, &base.source, patch, header.target_bytes, temp, err);
        if (code == OX_OK) {
            code = ox_cli_deliver(cli, place, temp, err);
        } else {
            (void)unlink(temp);
            (void)ox_err_context(err, "%s", patch_path);
        }
    }
    if (code == OX_OK) {
        code = print_applied(cli, &header, place->path, patch->size_bytes, err);
    }
    free(temp);
    close_one(&base);
    return code;
}

/* --- info --- */

static void put_row(struct ox_table *table, const char *name, uint64_t count, uint64_t target_bytes,
                    uint64_t patch_bytes)
{
    char text[OX_HUMAN_MAX];

    ox_table_cell(table, name);
    ox_table_cell(table, ox_human_count(count, text));
    ox_table_cell(table, ox_human_count(target_bytes, text));
    ox_table_cell(table, ox_human_count(patch_bytes, text));
}

static enum ox_code print_operations(struct ox_cli *cli, const struct ox_pool1_stats *stats,
                                     struct ox_err *err)
{
    static const struct ox_column columns[] = {{"OPERATION", OX_LEFT},
                                               {"COUNT", OX_RIGHT},
                                               {"TARGET BYTES", OX_RIGHT},
                                               {"PATCH BYTES", OX_RIGHT}};
    struct ox_table table;
    enum ox_code code;

    ox_table_init(&table, columns, 4);
    put_row(&table, "header", 1, 0, OX_POOL1_HEADER_BYTES);
    put_row(&table, "copy", stats->copies, stats->copy_bytes, stats->copies * OX_POOL1_COPY_BYTES);
    put_row(&table, "literal", stats->literals, stats->literal_bytes,
            stats->literals * OX_POOL1_LITERAL_BYTES + stats->literal_bytes);
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code print_info(struct ox_cli *cli, const char *path,
                               const struct ox_pool1_stats *stats, struct ox_err *err)
{
    static const struct ox_column facts[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    struct ox_table table;
    char text[OX_HUMAN_MAX];
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code;

    ox_table_init(&table, facts, 2);
    ox_table_cell(&table, "patch");
    ox_table_cell(&table, path);
    ox_table_cell(&table, "format");
    ox_table_cellf(&table, "POOL %d", OX_POOL1_VERSION);
    ox_table_cell(&table, "size");
    ox_table_cell(&table, ox_human_bytes(stats->patch_bytes, text));
    ox_table_cell(&table, "saved");
    ox_table_cell(&table, ox_human_saved(stats->patch_bytes, stats->header.target_bytes, text));
    ox_table_cell(&table, "base");
    ox_table_cell(&table, ox_human_bytes(stats->header.base_bytes, text));
    ox_table_cell(&table, "target");
    ox_table_cell(&table, ox_human_bytes(stats->header.target_bytes, text));
    ox_table_cell(&table, "");
    ox_table_cellf(&table, "BLAKE3 %s", ox_digest_hex(&stats->header.target_blake3, hex));
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    if (code != OX_OK) {
        return code;
    }
    (void)fputc('\n', cli->out);
    return print_operations(cli, stats, err);
}

enum ox_code ox_cli_pool_info(struct ox_cli *cli, const char *path, const struct ox_source *patch,
                              struct ox_err *err)
{
    struct ox_pool1_stats stats;
    enum ox_code code = ox_pool1_inspect(patch, &stats, err);

    if (code != OX_OK) {
        return ox_err_context(err, "%s", path);
    }
    return cli->json ? print_json(cli, cli->out, stats_json(&stats), err)
                     : print_info(cli, path, &stats, err);
}

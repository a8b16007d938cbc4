#include "args.h"
#include "client.h"
#include "human.h"
#include "output.h"
#include "progress.h"
#include "table.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/delta/delta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum ox_code open_hashed(struct ox_cli *cli, const char *label, const char *path,
                                struct ox_artifact_files **out, struct ox_err *err)
{
    struct ox_bar bar;
    enum ox_code code;

    ox_bar_start(&bar, label, cli->notes, cli->notes_is_terminal, ox_clock_system());
    code = ox_artifact_open(out, path, cli->stop, &bar.progress, err);
    ox_bar_end(&bar, code == OX_OK);
    return code;
}

static json_t *side_json(const struct ox_digest *digest, uint64_t size_bytes, size_t files)
{
    char hex[OX_DIGEST_HEX_MAX];

    return json_pack("{s:s, s:I, s:I}", "sha256", ox_digest_hex(digest, hex), "size_bytes",
                     (json_int_t)size_bytes, "files", (json_int_t)(files == 0 ? 1 : files));
}

/* --- create --- */

static enum ox_code print_created(struct ox_cli *cli, const struct ox_delta_side *base,
                                  const struct ox_delta_side *target,
                                  const struct ox_delta_stats *stats, const char *path,
                                  uint64_t took_ms, struct ox_err *err)
{
    FILE *to = strcmp(path, "-") == 0 ? cli->notes : cli->out; /* the patch itself is there */
    uint64_t full = ox_manifest_size(target->manifest);
    char patch[OX_HUMAN_MAX];
    char whole[OX_HUMAN_MAX];
    char saved[OX_HUMAN_MAX];
    char time[OX_HUMAN_MAX];

    if (cli->json) {
        struct ox_cli json_cli = *cli;
        json_t *json = json_pack(
            "{s:s, s:I, s:s, s:I, s:I, s:o, s:o}", "patch", path, "patch_bytes",
            (json_int_t)stats->patch_total_bytes, "engine", ox_delta_engine_word(stats->engine),
            "frames", (json_int_t)stats->frames, "duration_ms", (json_int_t)took_ms, "base",
            side_json(&base->digest, ox_manifest_size(base->manifest), base->manifest->count),
            "target", side_json(&target->digest, full, target->manifest->count));
        enum ox_code code;

        json_cli.out = to;
        code = json == NULL ? ox_err_nomem(err, "JSON") : ox_cli_print_json(&json_cli, json, err);
        json_decref(json);
        return code;
    }
    (void)fprintf(to, "%s: %s for a target of %s, %s saved (%s engine, %s)\n",
                  strcmp(path, "-") == 0 ? "patch" : path,
                  ox_human_bytes(stats->patch_total_bytes, patch), ox_human_bytes(full, whole),
                  ox_human_saved(stats->patch_total_bytes, full, saved),
                  ox_delta_engine_word(stats->engine), ox_human_duration(took_ms, time));
    return OX_OK;
}

static enum ox_code create(struct ox_cli *cli, const struct ox_artifact_files *base,
                           const struct ox_artifact_files *target, struct ox_delta_options *options,
                           const char *path, struct ox_err *err)
{
    const struct ox_clock *clock = ox_clock_system();
    struct ox_output_file file;
    struct ox_delta_stats stats = {0};
    struct ox_bar bar;
    int64_t start_mono_ms = clock->mono_ms(clock->ctx);
    enum ox_code code = ox_output_open(&file, path, err);

    if (code == OX_OK) {
        ox_bar_start(&bar, "delta", cli->notes, cli->notes_is_terminal, clock);
        options->stop = cli->stop;
        options->progress = &bar.progress;
        code = ox_delta_create(ox_artifact_side(base), ox_artifact_side(target), options,
                               &file.output, &stats, err);
        if (code == OX_OK) {
            code = ox_output_commit(&file, err);
        }
        ox_bar_end(&bar, code == OX_OK);
        options->progress = NULL;
    }
    if (code == OX_OK) {
        code = print_created(cli, ox_artifact_side(base), ox_artifact_side(target), &stats, path,
                             (uint64_t)(clock->mono_ms(clock->ctx) - start_mono_ms), err);
    }
    ox_output_clear(&file);
    return code;
}

enum ox_code ox_run_delta_create(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *path = ox_args_value(args, "output", NULL);
    struct ox_delta_options options = {0};
    struct ox_artifact_files *base = NULL;
    struct ox_artifact_files *target = NULL;
    uint64_t threads = 0;
    enum ox_code code;

    if (path == NULL) {
        return ox_err_set(err, OX_EINVAL, "where shall the patch go? -o FILE, or -o - for a pipe");
    }
    if (strcmp(path, "-") == 0 && cli->out_is_terminal) {
        return ox_err_set(err, OX_EINVAL,
                          "a patch is no text for a terminal: send it to a pipe, or use -o FILE");
    }
    code = ox_delta_engine_parse(ox_args_value(args, "engine", "auto"), &options.engine, err);
    if (code == OX_OK) {
        code = ox_args_number(args, "threads", 1, 1024, &threads, err);
        options.threads = (unsigned)threads;
    }
    if (code == OX_OK) {
        code = open_hashed(cli, "hashing base", ox_args_word(args, 0), &base, err);
    }
    if (code == OX_OK) {
        code = open_hashed(cli, "hashing target", ox_args_word(args, 1), &target, err);
    }
    if (code == OX_OK) {
        code = create(cli, base, target, &options, path, err);
    }
    ox_artifact_close(target);
    ox_artifact_close(base);
    return code;
}

/* --- reading a patch --- */

/* A patch to read at will: a file, or what came through a pipe, set down in a nameless file. */
struct patch_file {
    struct ox_fd_io io;
    struct ox_source source;
    FILE *spool; /* owns io.fd if set */
};

static enum ox_code spool_pipe(const struct ox_cli *cli, int from, const char *name,
                               struct patch_file *patch, struct ox_err *err)
{
    uint8_t block[65536];
    uint64_t size = 0;
    ssize_t got;

    patch->spool = tmpfile();
    if (patch->spool == NULL) {
        return ox_err_sys(err, errno, "making a temporary file for %s", name);
    }
    while ((got = read(from, block, sizeof(block))) != 0) {
        enum ox_code code;

        if (ox_stop_requested(cli->stop)) {
            return ox_err_set(err, OX_ECANCELED, "interrupted while reading %s", name);
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return ox_err_sys(err, errno, "reading %s", name);
        }
        code = ox_pwrite_full(fileno(patch->spool), size, block, (size_t)got, name, err);
        if (code != OX_OK) {
            return code;
        }
        size += (uint64_t)got;
    }
    patch->io = (struct ox_fd_io){fileno(patch->spool), name};
    patch->source = ox_fd_source(&patch->io, size);
    return OX_OK;
}

static enum ox_code patch_open(const struct ox_cli *cli, struct patch_file *patch, const char *path,
                               struct ox_err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat st;
    enum ox_code code;

    patch->io.name = path;
    if (is_stdin) {
        return spool_pipe(cli, STDIN_FILENO, "standard input", patch, err);
    }
    if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode)) { /* <(oxide delta create ... -o -) */
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0) {
            return ox_err_sys(err, errno, "opening %s", path);
        }
        code = spool_pipe(cli, fd, path, patch, err);
        (void)close(fd);
        return code;
    }
    code = ox_file_open_read(path, &patch->io.fd, &patch->source.size_bytes, err);
    if (code == OX_OK) {
        patch->source = ox_fd_source(&patch->io, patch->source.size_bytes);
    }
    return code;
}

static void patch_close(struct patch_file *patch)
{
    if (patch->spool != NULL) {
        (void)fclose(patch->spool);
    } else if (patch->io.fd >= 0) {
        (void)close(patch->io.fd);
    }
}

#define PATCH_FILE_INIT                                                                            \
    {                                                                                              \
        {-1, NULL}, {NULL, 0, NULL}, NULL                                                          \
    }

/* --- apply --- */

/* Is the target a folder? A header without a table of files has one nameless file. */
static bool target_is_folder(const struct ox_oxdl_header *header)
{
    return header->target.files.count > 1;
}

static enum ox_code rebuild(struct ox_cli *cli, const struct ox_delta_side *base,
                            const struct ox_oxdl_header *header, const struct ox_source *patch,
                            const char *temp, struct ox_err *err)
{
    struct ox_target_files *files = NULL;
    struct ox_sink sink;
    struct ox_apply_spec spec = {.base = base, .sink = &sink, .stop = cli->stop};
    struct ox_bar bar;
    enum ox_code code = target_is_folder(header)
                            ? ox_target_create(&files, temp, &header->target.files, err)
                            : ox_target_create_file(&files, temp, header->target.size_bytes, err);

    if (code != OX_OK) {
        return code;
    }
    ox_bar_start(&bar, "applying", cli->notes, cli->notes_is_terminal, ox_clock_system());
    sink = ox_target_sink(files);
    spec.progress = &bar.progress;
    code = ox_apply_source(&spec, patch, err);
    if (code == OX_OK) {
        code = ox_target_sync(files, err);
    }
    ox_bar_end(&bar, code == OX_OK);
    ox_target_close(files);
    return code;
}

/* Give the rebuilt file or folder its name; with `force`, what stands there goes first. */
static enum ox_code put_in_place(const char *temp, const char *path, bool force, bool folder,
                                 struct ox_err *err)
{
    struct stat st;
    bool exists = lstat(path, &st) == 0;
    enum ox_code code = OX_OK;

    if (exists && !force) {
        return ox_err_set(err, OX_ECONFLICT, "%s has appeared meanwhile: --force replaces it",
                          path);
    }
    if (exists && (folder || S_ISDIR(st.st_mode))) { /* rename replaces files, not full folders */
        code = ox_remove_tree(path, err);
    }
    if (code == OX_OK && rename(temp, path) != 0) {
        code = ox_err_sys(err, errno, "renaming a new %s into place", path);
    }
    return code == OX_OK ? ox_parent_sync(path, err) : code;
}

static enum ox_code print_applied(struct ox_cli *cli, const char *path,
                                  const struct ox_oxdl_header *header, uint64_t patch_bytes,
                                  struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];
    char size[OX_HUMAN_MAX];
    char patch[OX_HUMAN_MAX];

    if (cli->json) {
        json_t *json = json_pack("{s:s, s:I, s:o}", "output", path, "patch_bytes",
                                 (json_int_t)patch_bytes, "target",
                                 side_json(&header->target.digest, header->target.size_bytes,
                                           header->target.files.count));
        enum ox_code code =
            json == NULL ? ox_err_nomem(err, "JSON") : ox_cli_print_json(cli, json, err);

        json_decref(json);
        return code;
    }
    (void)fprintf(cli->out, "%s: %s from a patch of %s, verified\nSHA-256 %s\n", path,
                  ox_human_bytes(header->target.size_bytes, size),
                  ox_human_bytes(patch_bytes, patch), ox_digest_hex(&header->target.digest, hex));
    return OX_OK;
}

static enum ox_code apply(struct ox_cli *cli, const struct ox_args *args, const char *out_path,
                          struct ox_err *err)
{
    const char *patch_path = ox_args_word(args, 1);
    struct patch_file patch = PATCH_FILE_INIT;
    struct ox_artifact_files *base = NULL;
    struct ox_oxdl_header header;
    char *temp = NULL;
    bool force = ox_args_has(args, "force");
    enum ox_code code;

    memset(&header, 0, sizeof(header));
    code = patch_open(cli, &patch, patch_path, err);
    if (code == OX_OK) {
        code = ox_oxdl_read_header(&patch.source, &header, err);
        if (code != OX_OK) {
            (void)ox_err_context(err, "%s", patch_path);
            goto out;
        }
        code = open_hashed(cli, "hashing base", ox_args_word(args, 0), &base, err);
    }
    if (code == OX_OK && !ox_digest_equal(&ox_artifact_side(base)->digest, &header.base.digest)) {
        char hex[OX_DIGEST_HEX_MAX];

        code =
            ox_err_set(err, OX_EBASE,
                       "%s is not the base of %s: the patch was made for SHA-256 %s; find that "
                       "version, or fetch the full file",
                       ox_args_word(args, 0), patch_path, ox_digest_hex(&header.base.digest, hex));
    }
    if (code == OX_OK) {
        code = ox_output_neighbour(&temp, out_path, err);
    }
    if (code == OX_OK) {
        code = rebuild(cli, ox_artifact_side(base), &header, &patch.source, temp, err);
        if (code == OX_OK) {
            code = put_in_place(temp, out_path, force, target_is_folder(&header), err);
        } else {
            (void)ox_err_context(err, "%s", patch_path);
        }
        if (code != OX_OK) {
            enum ox_code ignored = ox_remove_tree(temp, NULL); /* the first error counts */

            (void)ignored;
        }
    }
    if (code == OX_OK) {
        code = print_applied(cli, out_path, &header, patch.source.size_bytes, err);
    }
out:
    free(temp);
    ox_oxdl_header_clear(&header);
    ox_artifact_close(base);
    patch_close(&patch);
    return code;
}

enum ox_code ox_run_delta_apply(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *path = ox_args_value(args, "output", NULL);

    if (path == NULL) {
        return ox_err_set(err, OX_EINVAL, "where shall the rebuilt version go? -o PATH");
    }
    if (ox_path_exists(path) && !ox_args_has(args, "force")) {
        return ox_err_set(err, OX_ECONFLICT, "%s exists: --force replaces it", path);
    }
    return apply(cli, args, path, err);
}

/* --- info --- */

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
    ox_table_cell(&table, "frames");
    ox_table_cell(&table, ox_human_count(stats->frames, text));
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

static enum ox_code print_info_json(struct ox_cli *cli, const struct ox_oxdl_header *header,
                                    const struct ox_delta_stats *stats, struct ox_err *err)
{
    json_t *ops = json_object();
    json_t *json;
    enum ox_code code = OX_OK;

    for (int op = 0; op < OX_OXDL_OP_COUNT && code == OX_OK; op++) {
        code =
            ox_json_set(ops, ox_oxdl_op_word((enum ox_oxdl_op)op),
                        json_pack("{s:I, s:I}", "target_bytes", (json_int_t)stats->target_bytes[op],
                                  "patch_bytes", (json_int_t)stats->patch_bytes[op]),
                        err);
    }
    json = json_pack(
        "{s:i, s:s, s:I, s:I, s:o, s:o, s:O}", "version", (int)header->version, "engine",
        ox_delta_engine_word(stats->engine), "patch_bytes", (json_int_t)stats->patch_total_bytes,
        "frames", (json_int_t)stats->frames, "base",
        side_json(&header->base.digest, header->base.size_bytes, header->base.files.count),
        "target",
        side_json(&header->target.digest, header->target.size_bytes, header->target.files.count),
        "operations", ops);
    if (code == OX_OK) {
        code = json == NULL ? ox_err_nomem(err, "JSON") : ox_cli_print_json(cli, json, err);
    }
    json_decref(json);
    json_decref(ops);
    return code;
}

enum ox_code ox_run_delta_info(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *path = ox_args_word(args, 0);
    struct patch_file patch = PATCH_FILE_INIT;
    struct ox_oxdl_header header;
    struct ox_delta_stats stats = {0};
    enum ox_code code;

    memset(&header, 0, sizeof(header));
    code = patch_open(cli, &patch, path, err);
    if (code == OX_OK && ox_delta_inspect(&patch.source, &header, &stats, err) != OX_OK) {
        code = ox_err_context(err, "%s", path);
    }
    if (code == OX_OK) {
        code = cli->json ? print_info_json(cli, &header, &stats, err)
                         : print_info(cli, path, &header, &stats, err);
    }
    ox_oxdl_header_clear(&header);
    patch_close(&patch);
    return code;
}

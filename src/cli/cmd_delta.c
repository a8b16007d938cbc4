/* oxide delta create, and what the family shares */
#include "cmd_delta.h"

#include "args.h"
#include "client.h"
#include "human.h"
#include "output.h"
#include "place.h"
#include "progress.h"

#include "oxide/base/clock.h"
#include "oxide/delta/delta.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MIB ((uint64_t)1 << 20)

enum ox_code ox_cli_open_hashed(struct ox_cli *cli, const char *label, const char *path,
                                struct ox_artifact_files **out, struct ox_err *err)
{
    struct ox_bar bar;
    enum ox_code code;

    ox_bar_start(&bar, label, cli->notes, cli->notes_is_terminal, ox_clock_system());
    code = ox_artifact_open(out, path, cli->stop, &bar.progress, err);
    ox_bar_end(&bar, code == OX_OK);
    return code;
}

json_t *ox_cli_side_json(const struct ox_digest *digest, uint64_t size_bytes, size_t files)
{
    char hex[OX_DIGEST_HEX_MAX];

    return json_pack("{s:s, s:I, s:I}", "sha256", ox_digest_hex(digest, hex), "size_bytes",
                     (json_int_t)size_bytes, "files", (json_int_t)(files == 0 ? 1 : files));
}

/* --- create --- */

static enum ox_code print_created(struct ox_cli *cli, const struct ox_delta_side *base,
                                  const struct ox_delta_side *target,
                                  const struct ox_delta_stats *stats,
                                  const struct ox_explanation *explanation, const char *format,
                                  const char *path, uint64_t took_ms, struct ox_err *err)
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
            "{s:s, s:s, s:I, s:s, s:I, s:o, s:o}", "patch", path, "format", format, "patch_bytes",
            (json_int_t)stats->patch_total_bytes, "engine", ox_delta_engine_word(stats->engine),
            "duration_ms", (json_int_t)took_ms, "base",
            ox_cli_side_json(&base->digest, ox_manifest_size(base->manifest),
                             base->manifest->count),
            "target", ox_cli_side_json(&target->digest, full, target->manifest->count));
        enum ox_code code = json == NULL ? ox_err_nomem(err, "JSON") : OX_OK;

        json_cli.out = to;
        if (code == OX_OK && strcmp(format, "oxdl") == 0) { /* version 1 has no frames */
            code = ox_json_set_u64(json, "frames", stats->frames, err);
        }
        if (code == OX_OK && explanation != NULL) {
            code = ox_cli_add_explanation(json, explanation, target->manifest->count > 1, err);
        }
        if (code == OX_OK) {
            code = ox_cli_print_json(&json_cli, json, err);
        }
        json_decref(json);
        return code;
    }
    (void)fprintf(to, "%s: %s for a target of %s, %s saved (%s engine, %s)\n",
                  strcmp(path, "-") == 0 ? "patch" : path,
                  ox_human_bytes(stats->patch_total_bytes, patch), ox_human_bytes(full, whole),
                  ox_human_saved(stats->patch_total_bytes, full, saved),
                  ox_delta_engine_word(stats->engine), ox_human_duration(took_ms, time));
    if (cli->notes_is_terminal && strcmp(path, "-") != 0 && strcmp(format, "oxdl") == 0) {
        (void)fprintf(cli->notes,
                      "oxide delta info %s --base BASE --target TARGET "
                      "shows where its bytes go\n",
                      path);
    }
    return OX_OK;
}

struct counted_output {
    const struct ox_output *to;
    uint64_t len_bytes;
};

static enum ox_code counted_write(void *ctx, const void *bytes, size_t len_bytes,
                                  struct ox_err *err)
{
    struct counted_output *self = ctx;

    self->len_bytes += len_bytes;
    return self->to->write(self->to->ctx, bytes, len_bytes, err);
}

/* What create takes for this format cannot be made less. What is too large for the format is not
 * our business: more memory does not help there. */
static enum ox_code check_memory_v1(const struct ox_delta_side *base,
                                    const struct ox_delta_side *target,
                                    const struct ox_delta_options *options, struct ox_err *err)
{
    uint64_t from = ox_manifest_size(base->manifest);
    uint64_t to = ox_manifest_size(target->manifest);
    uint64_t needed = ox_delta_v1_memory(from, to);
    uint64_t allowed = options->memory_bytes == 0 ? OX_DELTA_MEMORY_DEFAULT : options->memory_bytes;

    if (needed <= allowed || from > OX_OXDL1_SIZE_MAX || to > OX_OXDL1_SIZE_MAX) {
        return OX_OK;
    }
    return ox_err_set(err, OX_ETOOBIG,
                      "--format oxdl1 holds whole files in memory, here up to %llu MiB, and may "
                      "take %llu MiB: --memory %lluM allows that, --format oxdl needs less",
                      (unsigned long long)((needed + MIB - 1) / MIB),
                      (unsigned long long)(allowed / MIB),
                      (unsigned long long)((needed + MIB - 1) / MIB));
}

/* A patch of the first generation is one chunk, made by bytes alone. */
static enum ox_code create_oxdl1(const struct ox_delta_side *base,
                                 const struct ox_delta_side *target,
                                 const struct ox_delta_options *options,
                                 const struct ox_output *out, struct ox_delta_stats *stats,
                                 struct ox_err *err)
{
    struct counted_output counted = {out, 0};
    struct ox_output output = {&counted, counted_write};
    enum ox_code code = check_memory_v1(base, target, options, err);

    if (code == OX_OK) {
        code = ox_delta_create_v1(base, target, &output, err);
    }
    *stats =
        (struct ox_delta_stats){.patch_total_bytes = counted.len_bytes, .engine = OX_ENGINE_BINARY};
    return code;
}

/* Its header has no room for the name of a file, nor for the mode. */
static enum ox_code check_oxdl1(const char *target_path, struct ox_err *err)
{
    struct stat st;

    if (stat(target_path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "a patch of the first generation rebuilds one file, and %s is a folder: "
                          "name one file in it, or use --format oxdl",
                          target_path);
    }
    return OX_OK;
}

/* What is written is explained as it goes by. */
struct explained_output {
    const struct ox_output *to;
    struct ox_explain *explain;
};

static enum ox_code explained_write(void *ctx, const void *bytes, size_t len_bytes,
                                    struct ox_err *err)
{
    struct explained_output *self = ctx;
    enum ox_code code = self->to->write(self->to->ctx, bytes, len_bytes, err);

    return code == OX_OK ? ox_explain_feed(self->explain, bytes, len_bytes, err) : code;
}

/* For --json, *out says where the bytes went; it belongs to *explain, which the caller frees. */
static enum ox_code create_oxdl(const struct ox_cli *cli, const struct ox_delta_side *base,
                                const struct ox_delta_side *target,
                                const struct ox_delta_options *options, const struct ox_output *to,
                                struct ox_delta_stats *stats, struct ox_explain **explain,
                                const struct ox_explanation **out, struct ox_err *err)
{
    const struct ox_explain_spec spec = {base, target, cli->stop};
    struct explained_output explained = {to, NULL};
    const struct ox_output output = {&explained, explained_write};
    enum ox_code code;

    if (!cli->json) {
        return ox_delta_create(base, target, options, to, stats, err);
    }
    code = ox_explain_new(explain, &spec, err);
    if (code == OX_OK) {
        explained.explain = *explain;
        code = ox_delta_create(base, target, options, &output, stats, err);
    }
    return code == OX_OK ? ox_explain_finish(*explain, out, err) : code;
}

static enum ox_code create(struct ox_cli *cli, const struct ox_artifact_files *base,
                           const struct ox_artifact_files *target, struct ox_delta_options *options,
                           const char *format, const char *path, bool force, struct ox_err *err)
{
    const struct ox_explanation *explanation = NULL;
    struct ox_explain *explain = NULL;
    const struct ox_clock *clock = ox_clock_system();
    struct ox_output_file file;
    struct ox_delta_stats stats = {0};
    struct ox_bar bar;
    int64_t start_mono_ms = clock->mono_ms(clock->ctx);
    enum ox_code code = ox_output_open(&file, path, err);

    if (code == OX_OK) {
        ox_bar_start(&bar, "delta", cli->notes, cli->notes_is_terminal, clock);
        options->stop = cli->stop;
        options->target_is = ox_artifact_is_dir(target) ? OX_TARGET_FOLDER : OX_TARGET_FILE;
        options->progress = &bar.progress;
        code = strcmp(format, "oxdl1") == 0
                   ? create_oxdl1(ox_artifact_side(base), ox_artifact_side(target), options,
                                  &file.output, &stats, err)
                   : create_oxdl(cli, ox_artifact_side(base), ox_artifact_side(target), options,
                                 &file.output, &stats, &explain, &explanation, err);
        if (code == OX_OK && (code = ox_artifact_check_unchanged(base, err)) == OX_OK &&
            (code = ox_artifact_check_unchanged(target, err)) == OX_OK) {
            code = ox_output_commit(&file, force, err);
        }
        ox_bar_end(&bar, code == OX_OK);
        options->progress = NULL;
    }
    if (code == OX_OK) {
        code = print_created(cli, ox_artifact_side(base), ox_artifact_side(target), &stats,
                             explanation, format, path,
                             (uint64_t)(clock->mono_ms(clock->ctx) - start_mono_ms), err);
    }
    ox_explain_free(explain);
    ox_output_clear(&file);
    return code;
}

/* An option that would do nothing is a misunderstanding. */
static enum ox_code check_options_of_format(const struct ox_args *args, const char *format,
                                            struct ox_err *err)
{
    static const struct {
        const char *option;
        const char *formats; /* that heed it */
    } rows[] = {
        {"engine", "oxdl"}, {"effort", "oxdl"}, {"threads", "oxdl"}, {"memory", "oxdl or oxdl1"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool heeded = strcmp(format, "oxdl") == 0 ||
                      (strcmp(format, "oxdl1") == 0 && strstr(rows[i].formats, "oxdl1") != NULL);

        if (!heeded && ox_args_has(args, rows[i].option)) {
            return ox_err_set(
                err, OX_EINVAL,
                "--%s does nothing with --format %s: leave it out, or use --format %s",
                rows[i].option, format, rows[i].formats);
        }
    }
    return OX_OK;
}

enum ox_code ox_run_delta_create(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *path = ox_args_value(args, "output", NULL);
    const char *format = ox_args_value(args, "format", "oxdl");
    const char *base_path = ox_args_word(args, 0);
    const char *target_path = ox_args_word(args, 1);
    bool force = ox_args_has(args, "force");
    struct ox_delta_options options = {0};
    struct ox_artifact_files *base = NULL;
    struct ox_artifact_files *target = NULL;
    uint64_t threads = 0;
    uint64_t effort = 0;
    enum ox_code code;

    if (path == NULL) {
        return ox_err_set(err, OX_EINVAL, "where shall the patch go? -o FILE, or -o - for a pipe");
    }
    if (ox_place_is_stdout(path) && cli->out_is_terminal) {
        return ox_err_set(err, OX_EINVAL,
                          "a patch is no text for a terminal: send it to a pipe, or use -o FILE");
    }
    code = check_options_of_format(args, format, err);
    if (code == OX_OK) {
        code = ox_delta_engine_parse(ox_args_value(args, "engine", "auto"), &options.engine, err);
    }
    if (code == OX_OK) {
        code = ox_args_number(args, "threads", 1, 1024, &threads, err);
        options.threads = (unsigned)threads;
    }
    if (code == OX_OK) {
        code = ox_args_number(args, "effort", 1, OX_DELTA_EFFORT_MAX, &effort, err);
        options.effort = (unsigned)effort;
    }
    if (code == OX_OK) {
        code = ox_args_size(args, "memory", OX_DELTA_MEMORY_MIN, OX_DELTA_MEMORY_MAX,
                            &options.memory_bytes, err);
    }
    if (code == OX_OK) {
        code = ox_place_check_patch(path, force, base_path, target_path, err);
    }
    if (code == OX_OK && strcmp(format, "oxdl1") == 0) {
        code = check_oxdl1(target_path, err);
    }
    if (code == OX_OK && strcmp(format, "pool") == 0) {
        return ox_cli_pool_create(cli, base_path, target_path, path, force, err);
    }
    if (code == OX_OK) {
        code = ox_cli_open_hashed(cli, "hashing base", base_path, &base, err);
    }
    if (code == OX_OK) {
        code = ox_cli_open_hashed(cli, "hashing target", target_path, &target, err);
    }
    if (code == OX_OK) {
        code = create(cli, base, target, &options, format, path, force, err);
    }
    ox_artifact_close(target);
    ox_artifact_close(base);
    return code;
}

/* oxide delta apply */
#include "cmd_delta.h"

#include "args.h"
#include "client.h"
#include "human.h"
#include "output.h"
#include "patch_file.h"
#include "place.h"
#include "progress.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/delta/delta.h"
#include "oxide/patch/pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum ox_code rebuild(struct ox_cli *cli, const struct ox_delta_side *base,
                            const struct ox_oxdl_header *header, const struct ox_source *patch,
                            const char *temp, struct ox_err *err)
{
    struct ox_target_files *files = NULL;
    struct ox_sink sink;
    struct ox_apply_spec spec = {.base = base, .sink = &sink, .stop = cli->stop};
    struct ox_bar bar;
    enum ox_code code = ox_oxdl_target_is_folder(header)
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

enum ox_code ox_cli_temp_name(char **out, const char *path, struct ox_err *err)
{
    const char *dir = getenv("TMPDIR");
    char *whole = NULL;
    enum ox_code code;

    if (!ox_place_is_stdout(path)) {
        return ox_output_neighbour(out, path, err);
    }
    code = ox_path_join(&whole, dir != NULL && dir[0] != '\0' ? dir : "/tmp", "oxide-apply", err);
    if (code == OX_OK) {
        code = ox_output_neighbour(out, whole, err);
    }
    free(whole);
    return code;
}

/* Standard output, until we are told to stop: who reads it may be slow. */
struct stoppable {
    struct ox_output to;
    struct ox_stop *stop;
};

static enum ox_code stoppable_write(void *ctx, const void *bytes, size_t len_bytes,
                                    struct ox_err *err)
{
    struct stoppable *self = ctx;

    return ox_stop_requested(self->stop)
               ? ox_err_set(err, OX_ECANCELED, "interrupted while writing to standard output")
               : self->to.write(self->to.ctx, bytes, len_bytes, err);
}

static enum ox_code send_file(const struct ox_cli *cli, const char *path, struct ox_err *err)
{
    struct ox_fd_io in = {-1, path};
    struct ox_fd_io out = {STDOUT_FILENO, "standard output"};
    struct stoppable stoppable = {ox_fd_output(&out), cli->stop};
    const struct ox_output output = {&stoppable, stoppable_write};
    uint64_t size_bytes = 0;
    enum ox_code code = ox_file_open_read(path, &in.fd, &size_bytes, err);

    (void)unlink(path); /* open is enough, and no signal leaves it behind */
    if (code == OX_OK) {
        const struct ox_source source = ox_fd_source(&in, size_bytes);

        code = ox_source_copy(&source, &output, err);
        (void)close(in.fd);
    }
    return code;
}

enum ox_code ox_cli_deliver(const struct ox_cli *cli, const struct ox_place *place,
                            const char *temp, struct ox_err *err)
{
    return ox_place_is_stdout(place->path) ? send_file(cli, temp, err)
                                           : ox_place_put(place, temp, cli->notes, err);
}

static enum ox_code print_applied(struct ox_cli *cli, const char *path,
                                  const struct ox_oxdl_header *header, uint64_t patch_bytes,
                                  struct ox_err *err)
{
    struct ox_cli told = ox_cli_beside(cli, path);
    char hex[OX_DIGEST_HEX_MAX];
    char size[OX_HUMAN_MAX];
    char patch[OX_HUMAN_MAX];

    if (cli->json) {
        json_t *json = json_pack("{s:s, s:I, s:o}", "output", path, "patch_bytes",
                                 (json_int_t)patch_bytes, "target",
                                 ox_cli_side_json(&header->target.digest, header->target.size_bytes,
                                                  header->target.files.count));
        enum ox_code code =
            json == NULL ? ox_err_nomem(err, "JSON") : ox_cli_print_json(&told, json, err);

        json_decref(json);
        return code;
    }
    (void)fprintf(told.out, "%s: %s from a patch of %s, verified\nSHA-256 %s\n", path,
                  ox_human_bytes(header->target.size_bytes, size),
                  ox_human_bytes(patch_bytes, patch), ox_digest_hex(&header->target.digest, hex));
    return OX_OK;
}

/* What the header tells is checked before the base is hashed, which takes long. */
static enum ox_code check_target(const struct ox_oxdl_header *header, struct ox_place *place,
                                 bool named_folder, const char *patch_path, struct ox_err *err)
{
    bool to_stdout = ox_place_is_stdout(place->path);

    if (!ox_oxdl_target_is_folder(header) && named_folder) {
        return ox_err_set(err, OX_EINVAL,
                          "-o %s/ names a folder, and %s rebuilds one file: name a file, such as "
                          "%s/NAME",
                          place->path, patch_path, place->path);
    }
    if (!ox_oxdl_target_is_folder(header)) {
        return to_stdout ? OX_OK : ox_place_check(place, err);
    }
    if (to_stdout) {
        return ox_err_set(err, OX_EINVAL,
                          "%s rebuilds a folder, which standard output cannot take: -o FOLDER",
                          patch_path);
    }
    place->base = &header->base.files;
    place->target = &header->target.files;
    /* The digest of a lone file does not vouch for its name: BASE's own counts (see apply). */
    return header->base.files.count == 1 ? OX_OK : ox_place_check(place, err);
}

static enum ox_code check_base(const struct ox_artifact_files *base, const char *base_path,
                               const struct ox_oxdl_header *header, const char *patch_path,
                               struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];

    if (ox_digest_equal(&ox_artifact_side(base)->digest, &header->base.digest)) {
        return OX_OK;
    }
    return ox_err_set(err, OX_EBASE,
                      "%s is not the base of %s: the patch was made for SHA-256 %s; find that "
                      "version, or fetch the full file",
                      base_path, patch_path, ox_digest_hex(&header->base.digest, hex));
}

static enum ox_code rebuild_at(struct ox_cli *cli, const struct ox_delta_side *base,
                               const struct ox_oxdl_header *header, const struct ox_source *patch,
                               const char *patch_path, const struct ox_place *place,
                               struct ox_err *err)
{
    char *temp = NULL;
    enum ox_code code = ox_cli_temp_name(&temp, place->path, err);

    if (code != OX_OK) {
        return code;
    }
    code = rebuild(cli, base, header, patch, temp, err);
    if (code == OX_OK) {
        code = ox_cli_deliver(cli, place, temp, err);
    } else {
        enum ox_code ignored = ox_remove_tree(temp, NULL); /* the first error counts */

        (void)ignored;
        (void)ox_err_context(err, "%s", patch_path);
    }
    free(temp);
    return code;
}

static enum ox_code apply(struct ox_cli *cli, const char *base_path, const char *patch_path,
                          const struct ox_place *named, bool named_folder, struct ox_err *err)
{
    struct ox_place place = *named; /* refers to what lives as long as this call */
    struct ox_patch_file patch = OX_PATCH_FILE_INIT;
    struct ox_artifact_files *base = NULL;
    struct ox_oxdl_header header;
    enum ox_code code;

    memset(&header, 0, sizeof(header));
    code = ox_patch_open(cli, &patch, patch_path, err);
    if (code == OX_OK && ox_pool1_recognise(&patch.source)) {
        code = check_target(&header, &place, named_folder, patch_path, err);
        if (code == OX_OK) {
            code = ox_cli_pool_apply(cli, base_path, patch_path, &patch.source, &place, err);
        }
        goto out;
    }
    if (code == OX_OK) {
        code = ox_oxdl_read_header(&patch.source, &header, err);
        if (code != OX_OK) {
            (void)ox_err_context(err, "%s", patch_path);
            goto out;
        }
    }
    if (code != OX_OK ||
        (code = check_target(&header, &place, named_folder, patch_path, err)) != OX_OK ||
        (code = ox_cli_open_hashed(cli, "hashing base", base_path, &base, err)) != OX_OK ||
        (code = check_base(base, base_path, &header, patch_path, err)) != OX_OK) {
        goto out;
    }
    if (place.base != NULL) {
        place.base = ox_artifact_side(base)->manifest;
        code = ox_place_check(&place, err);
    }
    if (code == OX_OK) {
        code = rebuild_at(cli, ox_artifact_side(base), &header, &patch.source, patch_path, &place,
                          err);
    }
    if (code == OX_OK) {
        code = print_applied(cli, place.path, &header, patch.source.size_bytes, err);
    }
out:
    ox_oxdl_header_clear(&header);
    ox_artifact_close(base);
    ox_patch_close(&patch);
    return code;
}

/* What can be told of -o before the patch is read, which may come slowly through a pipe. */
static enum ox_code check_out(const struct ox_cli *cli, const struct ox_place *place,
                              const char *patch_path, struct ox_err *err)
{
    enum ox_code code;

    if (ox_place_is_stdout(place->path)) {
        return !cli->out_is_terminal
                   ? OX_OK
                   : ox_err_set(err, OX_EINVAL,
                                "a model is no text for a terminal: send it to a pipe, or use -o "
                                "PATH");
    }
    code = ox_place_check_free(place->path, place->force, err);
    if (code != OX_OK) {
        return code;
    }
    if (ox_place_is_same(place->path, patch_path)) {
        return ox_err_set(err, OX_EINVAL, "-o %s is the patch itself: give another name",
                          place->path);
    }
    return ox_place_check_parent(place->path, err);
}

enum ox_code ox_run_delta_apply(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *out = ox_args_value(args, "output", NULL);
    const char *patch_path = ox_args_word(args, 1);
    size_t len;
    char *path = NULL;
    struct ox_place place;
    enum ox_code code;

    if (out == NULL) {
        return ox_err_set(err, OX_EINVAL, "where shall the rebuilt version go? -o PATH");
    }
    code = ox_place_check_name(out, err);
    if (code == OX_OK) {
        code = ox_strdup(&path, out, err);
    }
    if (code != OX_OK) {
        return code;
    }
    len = strlen(path);
    while (path[len - 1] == '/') { /* not all are: it is a name */
        path[--len] = '\0';
    }
    place = (struct ox_place){path, ox_args_has(args, "force"), NULL, NULL};
    code = check_out(cli, &place, patch_path, err);
    if (code == OX_OK) {
        code = apply(cli, ox_args_word(args, 0), patch_path, &place, out[len] == '/', err);
    }
    free(path);
    return code;
}

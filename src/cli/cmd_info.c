#include "args.h"
#include "client.h"
#include "human.h"
#include "progress.h"
#include "table.h"

#include "oxide/base/text.h"
#include "oxide/delta/side.h"
#include "oxide/tensor/layout.h"

#include <stdlib.h>
#include <string.h>

/* One file of what is looked at. */
struct file_info {
    const struct ox_manifest_file *file;
    const char *shown; /* its name for people */
    struct ox_layout layout;
    uint64_t tensor_bytes; /* of the tensors in this file */
    const char *data_of;   /* the ONNX file whose external data this is; NULL: none */
    char *damage;          /* why it is only bytes though it claims a format; owned */
};

struct folder_info {
    struct ox_artifact_files *artifact;
    const struct ox_delta_side *side;
    struct file_info *files;
    size_t count;
};

static void clear(struct folder_info *info)
{
    for (size_t i = 0; i < info->count; i++) {
        ox_layout_clear(&info->files[i].layout);
        free(info->files[i].damage);
    }
    free(info->files);
    ox_artifact_close(info->artifact);
}

static enum ox_code read_file(struct file_info *file, const struct ox_source *source,
                              struct ox_err *err)
{
    enum ox_code code = ox_layout_read(&file->layout, source, err);

    if (code == OX_ECORRUPT || code == OX_ETOOBIG) {
        code = ox_strdup(&file->damage, err->msg, err);
    } else if (code == OX_EUNSUPPORTED) {
        code = OX_OK;
    }
    return code;
}

/* The file of the folder that the external data of files[of] at `path` lies in, or SIZE_MAX. */
static size_t find_external(const struct folder_info *info, size_t of, const char *path)
{
    const char *own = info->files[of].file->path;
    const char *slash = strrchr(own, '/');
    char full[2 * OX_MANIFEST_PATH_MAX];

    (void)snprintf(full, sizeof(full), "%.*s%s", slash != NULL ? (int)(slash + 1 - own) : 0, own,
                   path);
    return ox_manifest_find(info->side->manifest, full);
}

/* Tensors of ONNX files that lie in other files of the folder: those files have a layout too. */
static enum ox_code read_externals(struct folder_info *info, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; i < info->count; i++) {
        const struct ox_layout *onnx = &info->files[i].layout;
        size_t first = onnx->count - onnx->external_count;

        for (size_t t = first; t < onnx->count && code == OX_OK; t++) {
            const char *path = onnx->tensors[t].external;
            size_t other;

            if (t > first && strcmp(path, onnx->tensors[t - 1].external) == 0) {
                continue;
            }
            other = find_external(info, i, path);
            if (other != SIZE_MAX && info->files[other].layout.format == OX_FORMAT_UNKNOWN &&
                info->files[other].data_of == NULL) {
                code = ox_layout_of_external(&info->files[other].layout, onnx, path,
                                             info->files[other].file->size_bytes, err);
                info->files[other].data_of = info->files[i].shown;
            }
        }
    }
    return code;
}

static enum ox_code read_all(struct folder_info *info, const char *path, struct ox_cli *cli,
                             struct ox_err *err)
{
    const char *slash = strrchr(path, '/');
    struct ox_bar bar;
    enum ox_code code;

    ox_bar_start(&bar, "hashing", cli->notes, cli->notes_is_terminal, ox_clock_system());
    code = ox_artifact_open(&info->artifact, path, cli->stop, &bar.progress, err);
    ox_bar_end(&bar, code == OX_OK);
    if (code != OX_OK) {
        return code;
    }
    info->side = ox_artifact_side(info->artifact);
    info->files = calloc(info->side->manifest->count, sizeof(*info->files));
    if (info->files == NULL) {
        return ox_err_nomem(err, "a list of files");
    }
    info->count = info->side->manifest->count;
    for (size_t i = 0; i < info->count && code == OX_OK; i++) {
        struct file_info *file = &info->files[i];

        file->file = &info->side->manifest->files[i];
        file->shown = ox_artifact_is_dir(info->artifact)  ? file->file->path
                      : slash != NULL && slash[1] != '\0' ? slash + 1
                                                          : path;
        code = read_file(file, &info->side->files[i], err);
    }
    if (code == OX_OK) {
        code = read_externals(info, err);
    }
    for (size_t i = 0; i < info->count; i++) {
        const struct ox_layout *layout = &info->files[i].layout;

        for (size_t t = 0; t + layout->external_count < layout->count; t++) {
            info->files[i].tensor_bytes += layout->tensors[t].length_bytes;
        }
    }
    return code;
}

static const char *format_word(const struct file_info *file)
{
    return file->layout.format == OX_FORMAT_UNKNOWN ? "bytes" : ox_format_word(file->layout.format);
}

/* --- for people --- */

static void shape_cell(struct ox_table *table, const struct ox_tensor *tensor)
{
    char text[512];

    ox_table_cell(table, ox_human_shape(tensor->shape, tensor->rank, text, sizeof(text)));
}

static enum ox_code print_tensors(struct ox_cli *cli, const struct file_info *file,
                                  struct ox_err *err)
{
    static const struct ox_column columns[] = {{"TENSOR", OX_LEFT},  {"DTYPE", OX_LEFT},
                                               {"SHAPE", OX_LEFT},   {"SIZE", OX_RIGHT},
                                               {"OFFSET", OX_RIGHT}, {"IN", OX_LEFT}};
    const struct ox_layout *layout = &file->layout;
    struct ox_table table;
    char number[OX_HUMAN_MAX];
    enum ox_code code;

    ox_table_init(&table, columns, layout->external_count > 0 ? 6 : 5);
    for (size_t i = 0; i < layout->count; i++) {
        const struct ox_tensor *tensor = &layout->tensors[i];

        ox_table_cell(&table, tensor->name[0] != '\0' ? tensor->name : NULL);
        ox_table_cell(&table, ox_dtype_info(tensor->dtype)->word);
        shape_cell(&table, tensor);
        ox_table_cell(&table, ox_human_count(tensor->length_bytes, number));
        ox_table_cell(&table, ox_human_count(tensor->offset_bytes, number));
        if (layout->external_count > 0) {
            ox_table_cell(&table, tensor->external != NULL ? tensor->external : "this file");
        }
    }
    code = ox_table_print(&table, cli->out, cli->colour, err);
    ox_table_clear(&table);
    return code;
}

static enum ox_code print_file(struct ox_cli *cli, const struct file_info *file, struct ox_err *err)
{
    static const struct ox_column columns[] = {{NULL, OX_LEFT}, {NULL, OX_LEFT}};
    struct ox_table table;
    char text[OX_HUMAN_MAX];
    char other[OX_HUMAN_MAX];
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code;

    ox_table_init(&table, columns, 2);
    ox_table_cell(&table, "file");
    ox_table_cell(&table, file->shown);
    ox_table_cell(&table, "format");
    if (file->data_of != NULL) {
        ox_table_cellf(&table, "tensor data of %s", file->data_of);
    } else {
        ox_table_cell(&table, format_word(file));
    }
    if (file->damage != NULL) {
        ox_table_cell(&table, "damage");
        ox_table_cell(&table, file->damage);
    }
    ox_table_cell(&table, "size");
    ox_table_cell(&table, ox_human_bytes(file->file->size_bytes, text));
    if (file->layout.count > 0) {
        size_t inside = file->layout.count - file->layout.external_count;

        ox_table_cell(&table, "tensors");
        ox_table_cellf(&table, "%s with %s", ox_human_count(inside, other),
                       ox_human_bytes(file->tensor_bytes, text));
        if (file->layout.external_count > 0) {
            ox_table_cell(&table, "");
            ox_table_cellf(&table, "%s in other files",
                           ox_human_count(file->layout.external_count, other));
        }
        ox_table_cell(&table, "gaps");
        ox_table_cell(&table, ox_human_bytes(file->file->size_bytes - file->tensor_bytes, text));
    }
    ox_table_cell(&table, "SHA-256");
    ox_table_cell(&table, ox_digest_hex(&file->file->sha256, hex));
    code = ox_table_print(&table, cli->out, false, err);
    ox_table_clear(&table);
    if (code == OX_OK && file->layout.count > 0 && file->data_of == NULL) {
        (void)fputc('\n', cli->out);
        code = print_tensors(cli, file, err);
    }
    return code;
}

static enum ox_code print_people(struct ox_cli *cli, const struct folder_info *info,
                                 struct ox_err *err)
{
    char count[OX_HUMAN_MAX];
    char size[OX_HUMAN_MAX];
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code = OX_OK;

    for (size_t i = 0; i < info->count && code == OX_OK; i++) {
        (void)fputs(i > 0 ? "\n" : "", cli->out);
        code = print_file(cli, &info->files[i], err);
    }
    if (code == OX_OK && ox_artifact_is_dir(info->artifact)) {
        (void)fprintf(cli->out, "\n%s file%s, %s, artifact digest %s\n",
                      ox_human_count(info->count, count), info->count == 1 ? "" : "s",
                      ox_human_bytes(ox_manifest_size(info->side->manifest), size),
                      ox_digest_hex(&info->side->digest, hex));
    }
    return code;
}

/* --- for scripts --- */

static json_t *tensor_json(const struct ox_tensor *tensor)
{
    json_t *shape = json_array();

    for (uint32_t d = 0; d < tensor->rank; d++) {
        (void)json_array_append_new(shape, json_integer((json_int_t)tensor->shape[d]));
    }
    return json_pack("{s:o, s:s, s:o, s:I, s:I, s:o}", "name", ox_cli_json_clean(tensor->name),
                     "dtype", ox_dtype_info(tensor->dtype)->word, "shape", shape, "size",
                     (json_int_t)tensor->length_bytes, "offset", (json_int_t)tensor->offset_bytes,
                     "external",
                     tensor->external != NULL ? ox_cli_json_clean(tensor->external) : json_null());
}

static enum ox_code print_json(struct ox_cli *cli, const struct folder_info *info,
                               struct ox_err *err)
{
    json_t *files = json_array();
    json_t *all = NULL;
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code = OX_OK;

    for (size_t i = 0; i < info->count && code == OX_OK; i++) {
        const struct file_info *file = &info->files[i];
        json_t *tensors = json_array();

        for (size_t t = 0; t < file->layout.count && code == OX_OK; t++) {
            code = ox_json_append(tensors, tensor_json(&file->layout.tensors[t]), err);
        }
        code = ox_json_append(
            files,
            json_pack("{s:o, s:s, s:I, s:s, s:I, s:I, s:o, s:o}", "path",
                      ox_cli_json_clean(file->shown), "format", format_word(file), "size",
                      (json_int_t)file->file->size_bytes, "sha256",
                      ox_digest_hex(&file->file->sha256, hex), "tensor_bytes",
                      (json_int_t)file->tensor_bytes, "gap_bytes",
                      (json_int_t)(file->file->size_bytes - file->tensor_bytes), "damage",
                      file->damage != NULL ? ox_cli_json_clean(file->damage) : json_null(),
                      "tensors", tensors),
            err);
    }
    all = json_pack("{s:s, s:I, s:O}", "digest", ox_digest_hex(&info->side->digest, hex), "size",
                    (json_int_t)ox_manifest_size(info->side->manifest), "files", files);
    if (code == OX_OK) {
        code = all == NULL ? ox_err_nomem(err, "JSON") : ox_cli_print_json(cli, all, err);
    }
    json_decref(all);
    json_decref(files);
    return code;
}

enum ox_code ox_run_info(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct folder_info info = {NULL, NULL, NULL, 0};
    enum ox_code code = read_all(&info, ox_args_word(args, 0), cli, err);

    if (code == OX_OK) {
        code = cli->json ? print_json(cli, &info, err) : print_people(cli, &info, err);
    }
    for (size_t i = 0; i < info.count && code == OX_OK; i++) {
        if (info.files[i].damage != NULL) {
            code =
                ox_err_set(err, OX_ECORRUPT,
                           "%s is damaged: %.500s: it is treated as bytes, get it again from where "
                           "it came from",
                           info.files[i].shown, info.files[i].damage);
        }
    }
    clear(&info);
    return code;
}

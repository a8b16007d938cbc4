#include "side_tensors.h"

#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

enum file_kind {
    KIND_BYTES,  /* no model; another file may tell where tensors lie in it */
    KIND_MODEL,  /* has its tensors inside */
    KIND_REFERS, /* ... and others in external data files */
};

struct walk {
    const struct ox_delta_side *side;
    const struct side_tensors_sink *sink;
    uint64_t *starts;      /* of each file, in the flat space */
    enum file_kind *kinds; /* of each file */
    size_t count;          /* of tensors so far */
};

static enum ox_code take(struct walk *self, const struct ox_tensor *tensor, size_t file,
                         struct ox_err *err)
{
    uint64_t size = self->side->files[file].size_bytes;

    if (tensor->length_bytes == 0 || tensor->offset_bytes > size ||
        tensor->length_bytes > size - tensor->offset_bytes || self->count == SIDE_TENSORS_MAX) {
        return OX_OK;
    }
    self->count++;
    return self->sink->take(self->sink->ctx, tensor, file,
                            self->starts[file] + tensor->offset_bytes, err);
}

/* An external path is relative to the folder of the file that names it. */
static size_t find_external(const struct ox_manifest *manifest, const char *onnx_path,
                            const char *external)
{
    const char *slash = strrchr(onnx_path, '/');
    char *path = NULL;
    size_t index = NONE;

    if (slash == NULL) {
        return ox_manifest_find(manifest, external);
    }
    if (ox_strf(&path, NULL, "%.*s%s", (int)(slash - onnx_path + 1), onnx_path, external) ==
        OX_OK) {
        index = ox_manifest_find(manifest, path);
        free(path);
    }
    return index;
}

/* The tensors that file number `at` holds, or (with `external`) has in its data files. */
static enum ox_code take_file(struct walk *self, size_t at, bool external, struct ox_err *err)
{
    const struct ox_manifest *manifest = self->side->manifest;
    struct ox_layout layout = OX_LAYOUT_INIT;
    const char *path = NULL; /* the data file that `index` was found for: they come sorted */
    size_t index = NONE;
    size_t internal;
    enum ox_code code = ox_layout_read(&layout, &self->side->files[at], err);

    if (code == OX_EUNSUPPORTED || code == OX_ECORRUPT || code == OX_ETOOBIG) {
        ox_err_clear(err); /* simply bytes */
        return OX_OK;
    }
    internal = layout.count - layout.external_count;
    if (code == OX_OK) {
        self->kinds[at] = layout.external_count > 0 ? KIND_REFERS : KIND_MODEL;
    }
    for (size_t i = 0; code == OX_OK && !external && i < internal; i++) {
        code = take(self, &layout.tensors[i], at, err);
    }
    for (size_t i = internal; code == OX_OK && external && i < layout.count; i++) {
        const struct ox_tensor *tensor = &layout.tensors[i];

        if (path == NULL || strcmp(path, tensor->external) != 0) {
            path = tensor->external;
            index = find_external(manifest, manifest->files[at].path, path);
        }
        if (index != NONE && self->kinds[index] == KIND_BYTES) {
            code = take(self, tensor, index, err);
        }
    }
    ox_layout_clear(&layout);
    return code;
}

enum ox_code side_tensors_walk(const struct ox_delta_side *side,
                               const struct side_tensors_sink *sink, struct ox_err *err)
{
    size_t files = side->manifest->count;
    struct walk self = {.side = side, .sink = sink};
    uint64_t start = 0;
    enum ox_code code = OX_OK;

    self.starts = calloc(files + 1, sizeof(*self.starts));
    self.kinds = calloc(files + 1, sizeof(*self.kinds));
    if (self.starts == NULL || self.kinds == NULL) {
        code = ox_err_nomem(err, "a list of files");
        goto out;
    }
    for (size_t i = 0; i < files; i++) {
        self.starts[i] = start;
        start += side->files[i].size_bytes;
    }
    for (size_t i = 0; code == OX_OK && i < files; i++) {
        code = take_file(&self, i, false, err);
    }
    for (size_t i = 0; code == OX_OK && i < files; i++) {
        code = self.kinds[i] == KIND_REFERS ? take_file(&self, i, true, err) : OX_OK;
    }
out:
    free(self.starts);
    free(self.kinds);
    return code;
}

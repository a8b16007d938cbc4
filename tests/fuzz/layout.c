/* uses: tensor */
/*
 * Layouts of hostile files: the table of formats leads to the ONNX, safetensors, GGUF, zip and
 * NumPy readers by the first bytes. Whatever they accept must be sorted, without overlaps and
 * inside the file.
 */
#include "oxide/tensor/layout.h"
#include "oxide/tensor/limits.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check(const struct ox_layout *layout, uint64_t size)
{
    uint64_t covered = 0;

    must(layout->external_count <= layout->count);
    for (size_t i = 0; i < layout->count; i++) {
        const struct ox_tensor *tensor = &layout->tensors[i];
        bool external = i >= layout->count - layout->external_count;

        must((tensor->external != NULL) == external);
        must(tensor->offset_bytes <= UINT64_MAX - tensor->length_bytes);
        must(strlen(tensor->name) <= OX_TENSOR_NAME_MAX + 24); /* "#2" may have come behind it */
        must(tensor->rank <= OX_TENSOR_RANK_MAX && (tensor->rank == 0) == (tensor->shape == NULL));
        if (external) {
            must(tensor->external[0] != '\0' && tensor->external[0] != '/');
            must(strncmp(tensor->external, "../", 3) != 0);
            must(strstr(tensor->external, "/../") == NULL);
            continue;
        }
        must(tensor->offset_bytes >= covered);
        covered = tensor->offset_bytes + tensor->length_bytes;
        must(covered <= size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ox_memory memory = {data, size};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_err err = OX_ERR_INIT;

    if (ox_layout_read(&layout, &source, &err) != OX_OK) {
        must(err.msg[0] != '\0');
        return 0;
    }
    check(&layout, size);
    if (layout.external_count > 0) {
        struct ox_layout data_layout = OX_LAYOUT_INIT;
        const char *path = layout.tensors[layout.count - 1].external;

        must(ox_layout_of_external(&data_layout, &layout, path, 4096, &err) == OX_OK);
        check(&data_layout, 4096);
        must(data_layout.external_count == 0);
        ox_layout_clear(&data_layout);
    }
    ox_layout_clear(&layout);
    return 0;
}

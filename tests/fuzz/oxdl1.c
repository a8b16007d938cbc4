/* uses: delta */
/*
 * Patches of version 1: the header is made here, the chunks and the base (an ONNX model or any
 * bytes) come from the input: length of the base in two bytes, base, strategy, then chunks.
 */
#include "oxide/patch/oxdl1.h"
#include "oxide/base/reader.h"
#include "oxide/delta/delta.h"

#include <stdlib.h>
#include <string.h>

#define TARGET_BYTES_MAX ((uint64_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static enum ox_code drop(void *ctx, uint64_t offset, const void *bytes, size_t len,
                         struct ox_err *err)
{
    (void)bytes;
    (void)err;
    *(uint64_t *)ctx = offset + len;
    return OX_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ox_memory memory = {NULL, 0};
    struct ox_source file;
    struct ox_manifest_file entry = {(char *)"model.onnx", 0, {{7}}, false};
    struct ox_manifest manifest = {&entry, 1};
    struct ox_delta_side base = {&manifest, &file, {{7}}};
    uint64_t written = 0;
    struct ox_sink sink = {&written, drop, NULL};
    struct ox_apply_spec spec = {.base = &base, .sink = &sink};
    struct ox_apply *apply = NULL;
    struct ox_oxdl1_header header = {.base_sha256 = {{7}}, .format = OX_OXDL1_ONNX};
    struct ox_buf patch = OX_BUF_INIT;
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code;

    if (size < 8) {
        return 0;
    }
    memory.len_bytes = ox_load_u16le(data);
    if (memory.len_bytes > size - 8) {
        memory.len_bytes = size - 8;
    }
    memory.data = data + 8;
    file = ox_memory_source(&memory);
    entry.size_bytes = memory.len_bytes;
    header.strategy = (data[2] & 1) != 0 ? OX_OXDL1_TENSOR : OX_OXDL1_BINARY;
    header.chunk_count = data[3];
    header.target_size_bytes = ox_load_u32le(data + 4) % TARGET_BYTES_MAX;
    must(ox_oxdl1_put_header(&patch, &header, NULL) == OX_OK);
    must(ox_buf_append(&patch, data + 8 + memory.len_bytes, size - 8 - memory.len_bytes, NULL) ==
         OX_OK);
    must(ox_apply_new(&apply, &spec, &err) == OX_OK);
    code = ox_apply_feed(apply, patch.data, patch.len_bytes, &err);
    if (code == OX_OK) {
        code = ox_apply_finish(apply, &err);
    }
    must(code != OX_OK); /* the promised digest is one that nothing has */
    must(err.code == code && err.msg[0] != '\0' && written <= header.target_size_bytes);
    ox_apply_free(apply);
    ox_buf_clear(&patch);
    return 0;
}

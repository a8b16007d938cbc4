/* uses: delta */
/*
 * Two files from the input, the second a mutation of the first where the input says so: a patch by
 * every engine rebuilds the second from the first.
 */
#include "oxide/base/reader.h"
#include "oxide/crypto/sha256.h"
#include "oxide/delta/delta.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

struct side {
    struct ox_memory memory;
    struct ox_source source;
    struct ox_manifest_file entry;
    struct ox_manifest manifest;
    struct ox_delta_side side;
};

static void side_init(struct side *self, const uint8_t *data, size_t len)
{
    self->memory = (struct ox_memory){data, len};
    self->source = ox_memory_source(&self->memory);
    self->entry = (struct ox_manifest_file){(char *)"model.bin", len, {{0}}, false};
    must(ox_sha256_bytes(data, len, &self->entry.sha256, NULL) == OX_OK);
    self->manifest = (struct ox_manifest){&self->entry, 1};
    self->side = (struct ox_delta_side){&self->manifest, &self->source, self->entry.sha256};
}

static enum ox_code append(void *ctx, const void *bytes, size_t len, struct ox_err *err)
{
    return ox_buf_append(ctx, bytes, len, err);
}

static enum ox_code write_at(void *ctx, uint64_t offset, const void *bytes, size_t len,
                             struct ox_err *err)
{
    must(offset == ((struct ox_buf *)ctx)->len_bytes);
    return ox_buf_append(ctx, bytes, len, err);
}

static void round_trip(const struct side *base, const struct side *target,
                       const struct ox_delta_options *options)
{
    struct ox_buf patch = OX_BUF_INIT;
    struct ox_buf rebuilt = OX_BUF_INIT;
    struct ox_output output = {&patch, append};
    struct ox_sink sink = {&rebuilt, write_at, NULL};
    struct ox_apply_spec spec = {.base = &base->side, .sink = &sink};
    struct ox_memory memory;
    struct ox_source source;

    must(ox_delta_create(&base->side, &target->side, options, &output, NULL, NULL) == OX_OK);
    must(patch.len_bytes <= target->memory.len_bytes + 200);
    memory = (struct ox_memory){patch.data, patch.len_bytes};
    source = ox_memory_source(&memory);
    must(ox_apply_source(&spec, &source, NULL) == OX_OK);
    must(rebuilt.len_bytes == target->memory.len_bytes);
    must(rebuilt.len_bytes == 0 ||
         memcmp(rebuilt.data, target->memory.data, rebuilt.len_bytes) == 0);
    ox_buf_clear(&patch);
    ox_buf_clear(&rebuilt);
}

/* A copy of the base, repeated up to `times`, with bytes changed where the script says. */
static void mutate(struct ox_buf *out, const uint8_t *base, size_t len, unsigned times,
                   const uint8_t *script, size_t script_len)
{
    for (unsigned i = 0; i < times; i++) {
        must(ox_buf_append(out, base, len, NULL) == OX_OK);
    }
    for (size_t i = 0; i + 3 <= script_len && out->len_bytes > 0; i += 3) {
        out->data[(script[i] | (size_t)script[i + 1] << 8) % out->len_bytes] ^= script[i + 2];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct side base;
    struct side target;
    struct ox_buf mutated = OX_BUF_INIT;
    size_t base_len;

    if (size < 4 || size > 65536) {
        return 0;
    }
    base_len = ox_load_u16le(data) % (size - 3);
    side_init(&base, data + 4, base_len);
    side_init(&target, data + 4 + base_len, size - 4 - base_len);
    if ((data[2] & 1) != 0) {
        mutate(&mutated, data + 4, base_len, 1 + data[2] / 64, data + 4 + base_len,
               size - 4 - base_len);
        side_init(&target, mutated.data, mutated.len_bytes);
    }
    for (unsigned engine = OX_ENGINE_AUTO; engine <= OX_ENGINE_BINARY; engine++) {
        struct ox_delta_options options = {.engine = (enum ox_delta_engine)engine, .threads = 1};

        round_trip(&base, &target, &options);
    }
    {
        struct ox_delta_options options = {.threads = 1, .ops = data[3] | 0x5};

        round_trip(&base, &target, &options);
    }
    ox_buf_clear(&mutated);
    return 0;
}

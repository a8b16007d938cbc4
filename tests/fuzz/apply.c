/* uses: delta */
/*
 * A hostile patch, of version 2 or 1, applied to a fixed base. Its header is mended first: its sum
 * and the base's digest would let nothing past. (Sums of frames need no mending: they are compared
 * behind the decoding.) Time is bounded by a sink that is full at 64 MiB.
 */
#include "oxide/base/reader.h"
#include "oxide/crypto/xxh64.h"
#include "oxide/delta/delta.h"

#include <stdlib.h>
#include <string.h>

#define BASE_BYTES 5000
#define SINK_BYTES ((uint64_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static enum ox_code sink_write(void *ctx, uint64_t offset, const void *bytes, size_t len,
                               struct ox_err *err)
{
    struct ox_buf *target = ctx;

    must(offset == target->len_bytes);
    if (offset + len > SINK_BYTES) {
        return ox_err_set(err, OX_ENOSPC, "full");
    }
    return ox_buf_append(target, bytes, len, err);
}

static enum ox_code sink_read(void *ctx, uint64_t offset, void *out, size_t len, struct ox_err *err)
{
    const struct ox_buf *target = ctx;

    (void)err;
    must(offset <= target->len_bytes && len <= target->len_bytes - offset);
    memcpy(out, target->data + offset, len);
    return OX_OK;
}

/* The header's sum and the base's digest and size, made right where the header is whole. */
static void mend_header(uint8_t *patch, size_t size, const struct ox_delta_side *base)
{
    size_t body = patch[6];
    size_t at = 7;

    if (size > 70 && patch[4] == 1) {
        memcpy(patch + 6, base->digest.bytes, OX_DIGEST_BYTES);
    }
    if (size < 8 || patch[4] != 2) {
        return;
    }
    if ((body & 0x80) != 0) {
        body = (body & 0x7f) | (size_t)(patch[7] & 0x7f) << 7;
        at = 8;
    }
    if (body > 80 && at + body + 8 <= size) {
        patch[at + 1] = 0x88; /* a base of 5000 bytes */
        patch[at + 2] = 0x27;
        for (size_t i = 3; i < 13; i++) {
            if ((patch[at + i] & 0x80) == 0) { /* behind the target's size */
                memcpy(patch + at + i + 1, base->digest.bytes, OX_DIGEST_BYTES);
                break;
            }
        }
        ox_store_u64le(patch + at + body, ox_xxh64(patch, at + body, 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t base_bytes[BASE_BYTES];
    struct ox_memory memory = {base_bytes, BASE_BYTES};
    struct ox_source file = ox_memory_source(&memory);
    struct ox_manifest_file entry = {(char *)"model.bin", BASE_BYTES, {{7}}, false};
    struct ox_manifest manifest = {&entry, 1};
    struct ox_delta_side base = {&manifest, &file, {{7}}};
    struct ox_buf target = OX_BUF_INIT;
    struct ox_sink sink = {&target, sink_write, sink_read};
    struct ox_apply_spec spec = {.base = &base, .sink = &sink};
    struct ox_apply *apply = NULL;
    struct ox_err err = OX_ERR_INIT;
    uint8_t *patch = malloc(size == 0 ? 1 : size);
    enum ox_code code;

    must(patch != NULL);
    if (size > 0) {
        memcpy(patch, data, size);
    }
    for (size_t i = 0; i < BASE_BYTES; i++) {
        base_bytes[i] = (uint8_t)(i * i >> 3);
    }
    if (size >= 8) {
        mend_header(patch, size, &base);
    }
    must(ox_apply_new(&apply, &spec, &err) == OX_OK);
    code = ox_apply_feed(apply, patch, size / 2, &err);
    if (code == OX_OK) {
        code = ox_apply_feed(apply, patch + size / 2, size - size / 2, &err);
    }
    if (code == OX_OK) {
        code = ox_apply_finish(apply, &err);
    }
    must(code == OX_OK || (err.code == code && err.msg[0] != '\0'));
    if (code == OX_OK) {
        must(target.len_bytes == ox_apply_header(apply)->target.size_bytes);
    }
    ox_apply_free(apply);
    ox_buf_clear(&target);
    free(patch);
    return 0;
}

/* uses: delta patch crypto */
/*
 * POOL patches. The input as a patch: what the reader hands over keeps every promise of
 * oxide/patch/pool.h and gives the same bytes when written again, in any pieces; applied to a fixed
 * base it ends with a code and a message. (The base's size is mended: it would let nothing past.)
 * The input as two files: a patch is made, applied, and gives back the second.
 */
#include "oxide/delta/pool.h"
#include "oxide/base/reader.h"

#include <stdlib.h>
#include <string.h>

#define BASE_BYTES 5000
#define OUT_BYTES ((uint64_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* --- the reader --- */

struct seen {
    struct ox_buf again;
    struct ox_pool1_header header;
    uint64_t target_bytes;
    uint64_t literal_left;
};

static enum ox_code on_header(void *ctx, const struct ox_pool1_header *header, struct ox_err *err)
{
    struct seen *self = ctx;

    must(self->again.len_bytes == 0);
    must(header->base_bytes <= INT64_MAX && header->target_bytes <= INT64_MAX);
    self->header = *header;
    return ox_pool1_put_header(&self->again, header, err);
}

static void note(struct seen *self, uint64_t len_bytes)
{
    must(self->literal_left == 0 && len_bytes > 0);
    must(len_bytes <= self->header.target_bytes - self->target_bytes);
    self->target_bytes += len_bytes;
}

static enum ox_code on_copy(void *ctx, uint64_t base_offset, uint64_t len_bytes, struct ox_err *err)
{
    struct seen *self = ctx;

    note(self, len_bytes);
    must(base_offset < self->header.base_bytes);
    must(len_bytes <= self->header.base_bytes - base_offset);
    return ox_pool1_put_copy(&self->again, base_offset, len_bytes, err);
}

static enum ox_code on_literal(void *ctx, uint64_t len_bytes, struct ox_err *err)
{
    struct seen *self = ctx;

    note(self, len_bytes);
    self->literal_left = len_bytes;
    return ox_pool1_put_literal(&self->again, len_bytes, err);
}

static enum ox_code on_bytes(void *ctx, const uint8_t *bytes, size_t len_bytes, struct ox_err *err)
{
    struct seen *self = ctx;

    must(len_bytes > 0 && len_bytes <= self->literal_left);
    self->literal_left -= len_bytes;
    return ox_buf_append(&self->again, bytes, len_bytes, err);
}

static enum ox_code read_in_pieces(const uint8_t *data, size_t size, size_t rhythm)
{
    struct seen seen = {.target_bytes = 0};
    struct ox_pool1_handler handler = {&seen, on_header, on_copy, on_literal, on_bytes};
    struct ox_pool1_reader reader;
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code = OX_OK;

    ox_pool1_reader_init(&reader, &handler);
    for (size_t at = 0; code == OX_OK && at < size;) {
        size_t want = rhythm == 0 ? size : (size_t)data[size - 1 - at % rhythm] + 1;
        size_t take = want < size - at ? want : size - at;

        code = ox_pool1_reader_feed(&reader, data + at, take, &err);
        at += take;
    }
    if (code == OX_OK) {
        code = ox_pool1_reader_finish(&reader, &err);
    }
    must(code == OX_OK || (err.code == code && err.msg[0] != '\0'));
    must(seen.again.len_bytes <= size);
    must(seen.again.len_bytes == 0 || memcmp(seen.again.data, data, seen.again.len_bytes) == 0);
    if (code == OX_OK) {
        must(seen.again.len_bytes == size && seen.target_bytes == seen.header.target_bytes);
    }
    ox_buf_clear(&seen.again);
    return code;
}

/* --- applying and making --- */

static enum ox_code append(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    struct ox_buf *out = ctx;

    if (len_bytes > OUT_BYTES - out->len_bytes) {
        return ox_err_set(err, OX_ENOSPC, "full");
    }
    return ox_buf_append(out, bytes, len_bytes, err);
}

static enum ox_code apply(const struct ox_source *base, const uint8_t *patch, size_t size,
                          struct ox_buf *out)
{
    struct ox_output output = {out, append};
    struct ox_pool1_apply_spec spec = {.base = base, .out = &output};
    struct ox_pool1_apply *run = NULL;
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code;

    must(ox_pool1_apply_new(&run, &spec, &err) == OX_OK);
    code = ox_pool1_apply_feed(run, patch, size / 2, &err);
    if (code == OX_OK) {
        code = ox_pool1_apply_feed(run, patch + size / 2, size - size / 2, &err);
    }
    if (code == OX_OK) {
        code = ox_pool1_apply_finish(run, &err);
    }
    must(code == OX_OK || (err.code == code && err.msg[0] != '\0'));
    ox_pool1_apply_free(run);
    return code;
}

static void apply_to_fixed_base(const uint8_t *data, size_t size)
{
    static uint8_t base_bytes[BASE_BYTES];
    struct ox_memory memory = {base_bytes, BASE_BYTES};
    struct ox_source base = ox_memory_source(&memory);
    struct ox_buf out = OX_BUF_INIT;
    uint8_t *patch = malloc(size == 0 ? 1 : size);

    must(patch != NULL);
    for (size_t i = 0; i < BASE_BYTES; i++) {
        base_bytes[i] = (uint8_t)(i * i >> 3);
    }
    if (size > 0) {
        memcpy(patch, data, size);
    }
    if (size >= 14) {
        ox_store_u64le(patch + 6, BASE_BYTES);
    }
    (void)apply(&base, patch, size, &out);
    ox_buf_clear(&out);
    free(patch);
}

static void round_trip(const uint8_t *data, size_t size)
{
    size_t cut = size < 2 ? size : (size_t)(data[0] | data[1] << 8) % (size + 1);
    struct ox_memory memories[2] = {{data, cut}, {data + cut, size - cut}};
    struct ox_source base = ox_memory_source(&memories[0]);
    struct ox_source target = ox_memory_source(&memories[1]);
    struct ox_pool1_options options = {NULL, NULL};
    struct ox_buf patch = OX_BUF_INIT;
    struct ox_buf again = OX_BUF_INIT;
    struct ox_output output = {&patch, append};

    must(ox_pool1_create(&base, &target, &options, &output, NULL, NULL) == OX_OK);
    must(read_in_pieces(patch.data, patch.len_bytes, 0) == OX_OK);
    must(apply(&base, patch.data, patch.len_bytes, &again) == OX_OK);
    must(again.len_bytes == size - cut);
    must(size == cut || memcmp(again.data, data + cut, size - cut) == 0);
    ox_buf_clear(&again);
    ox_buf_clear(&patch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    must(read_in_pieces(data, size, 0) == read_in_pieces(data, size, size < 16 ? size : 16));
    apply_to_fixed_base(data, size);
    round_trip(data, size);
    return 0;
}

/* uses: patch crypto */
/*
 * The reader of patches, fed in pieces whose sizes the input's last bytes choose. What it hands
 * over must keep every promise of oxide/patch/oxdl.h, and written again give the same bytes. Fed at
 * once it must say the same.
 */
#include "oxide/patch/oxdl.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

struct seen {
    struct ox_buf again;
    uint64_t base_bytes;
    uint64_t target_bytes;
    uint64_t done_bytes;
    uint64_t ops;
    uint64_t frames;
};

static enum ox_code on_header(void *ctx, const struct ox_oxdl_header *header, struct ox_err *err)
{
    struct seen *self = ctx;

    must(self->again.len_bytes == 0 && header->version == 2);
    must((header->ops & ~OX_OXDL_OPS_KNOWN) == 0);
    must(header->base.size_bytes <= INT64_MAX && header->target.size_bytes <= INT64_MAX);
    must((header->base.files.count == 0) == (header->target.files.count == 0));
    self->base_bytes = header->base.size_bytes;
    self->target_bytes = header->target.size_bytes;
    self->ops = header->ops;
    return ox_oxdl_put_header(&self->again, header, err);
}

static enum ox_code on_frame(void *ctx, const struct ox_oxdl_frame *frame, struct ox_err *err)
{
    struct seen *self = ctx;
    uint64_t gathered = 0;

    must(frame->op > OX_OXDL_END && frame->op < OX_OXDL_OP_COUNT && (self->ops >> frame->op & 1));
    must(frame->target_offset == self->done_bytes);
    must(frame->target_bytes > 0 && frame->target_bytes <= OX_OXDL_FRAME_TARGET_MAX);
    must(frame->target_bytes <= self->target_bytes - self->done_bytes);
    must(frame->body_bytes <= OX_OXDL_FRAME_BODY_MAX && frame->range_count <= OX_OXDL_RANGES_MAX);
    for (size_t i = 0; i < frame->range_count; i++) {
        const struct ox_oxdl_range *range = &frame->ranges[i];
        uint64_t end = range->from_target ? frame->target_offset : self->base_bytes;

        must(range->len_bytes > 0 && range->offset < end &&
             range->len_bytes <= end - range->offset);
        gathered += range->len_bytes;
    }
    must(gathered == frame->ranges_bytes && gathered <= OX_OXDL_GATHER_MAX);
    self->done_bytes += frame->target_bytes;
    self->frames++;
    return ox_oxdl_put_frame(&self->again, frame, err);
}

static enum ox_code read_in_pieces(const uint8_t *data, size_t size, size_t rhythm,
                                   struct seen *seen, struct ox_err *err)
{
    struct ox_oxdl_handler handler = {seen, on_header, on_frame};
    struct ox_oxdl_reader *reader = NULL;
    enum ox_code code;

    must(ox_oxdl_reader_new(&reader, &handler, err) == OX_OK);
    code = OX_OK;
    for (size_t at = 0; code == OX_OK && at < size;) {
        size_t want = rhythm == 0 ? size : (size_t)data[size - 1 - at % rhythm] + 1;
        size_t take = want < size - at ? want : size - at;

        code = ox_oxdl_reader_feed(reader, data + at, take, err);
        at += take;
    }
    if (code == OX_OK) {
        code = ox_oxdl_reader_finish(reader, err);
    }
    if (code == OX_OK) {
        must(ox_oxdl_put_end(&seen->again, seen->frames, NULL) == OX_OK);
        must(seen->done_bytes == seen->target_bytes && seen->again.len_bytes == size);
    }
    must(seen->again.len_bytes <= size && memcmp(seen->again.data == NULL ? data : seen->again.data,
                                                 data, seen->again.len_bytes) == 0);
    ox_oxdl_reader_free(reader);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ox_memory memory = {data, size};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_oxdl_header header = {0};
    struct ox_err err = OX_ERR_INIT;
    struct seen whole = {.frames = 0};
    struct seen pieces = {.frames = 0};
    enum ox_code code = read_in_pieces(data, size, 0, &whole, &err);

    must(code == OX_OK || (err.code == code && err.msg[0] != '\0'));
    must(read_in_pieces(data, size, size < 16 ? size : 16, &pieces, NULL) == code ||
         size < 7); /* a front so short is "cut", whatever else it may be */
    must(whole.frames == pieces.frames);
    if (ox_oxdl_read_header(&source, &header, &err) == OX_OK) {
        must(header.version == 1 || whole.again.len_bytes > 0);
        ox_oxdl_header_clear(&header);
    } else {
        must(whole.again.len_bytes == 0);
    }
    ox_buf_clear(&whole.again);
    ox_buf_clear(&pieces.again);
    return 0;
}

#include "engines.h"

#include "oxide/patch/oxdl1.h"

struct inspection {
    struct ox_delta_stats stats;
    struct ox_oxdl_header *header;
    struct ox_err *err;
};

static enum ox_code on_header(void *ctx, const struct ox_oxdl_header *header, struct ox_err *err)
{
    struct inspection *self = ctx;
    enum ox_code code;

    *self->header = *header;
    self->header->base.files = (struct ox_manifest)OX_MANIFEST_INIT;
    self->header->target.files = (struct ox_manifest)OX_MANIFEST_INIT;
    code = ox_manifest_copy(&self->header->base.files, &header->base.files, err);
    return code == OX_OK ? ox_manifest_copy(&self->header->target.files, &header->target.files, err)
                         : code;
}

static enum ox_code on_frame(void *ctx, const struct ox_oxdl_frame *frame, struct ox_err *err)
{
    struct inspection *self = ctx;
    struct ox_buf bytes = OX_BUF_INIT;
    enum ox_code code = ox_oxdl_put_frame(&bytes, frame, err); /* how long it is, written anew */

    self->stats.frames++;
    self->stats.target_bytes[frame->op] += frame->target_bytes;
    self->stats.patch_bytes[frame->op] += bytes.len_bytes;
    ox_buf_clear(&bytes);
    return code;
}

static enum ox_code feed_reader(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    return ox_oxdl_reader_feed(ctx, bytes, len_bytes, err);
}

static enum ox_code inspect_v2(const struct ox_source *patch, struct inspection *self,
                               struct ox_err *err)
{
    struct ox_oxdl_handler handler = {self, on_header, on_frame};
    struct ox_oxdl_reader *reader = NULL;
    uint64_t framed = 0;
    enum ox_code code = ox_oxdl_reader_new(&reader, &handler, err);

    if (code == OX_OK) {
        const struct ox_output feed = {reader, feed_reader};

        code = ox_source_copy(patch, &feed, err);
    }
    if (code == OX_OK) {
        code = ox_oxdl_reader_finish(reader, err);
    }
    for (unsigned op = 0; op < OX_OXDL_OP_COUNT; op++) {
        framed += self->stats.patch_bytes[op];
    }
    self->stats.patch_bytes[OX_OXDL_END] = patch->size_bytes - framed;
    ox_oxdl_reader_free(reader);
    return code;
}

/* Version 1 has no operations to tell the engine by: its header does. */
static enum ox_code engine_v1(const struct ox_source *patch, enum ox_delta_engine *out,
                              struct ox_err *err)
{
    uint8_t front[OX_OXDL1_HEADER_BYTES];
    struct ox_oxdl1_header header = {0};
    enum ox_code code = ox_source_read(patch, 0, front, sizeof(front), err);

    if (code == OX_OK) {
        code = ox_oxdl1_read_header(front, sizeof(front), &header, err);
    }
    *out = header.strategy == OX_OXDL1_TENSOR ? OX_ENGINE_TENSOR : OX_ENGINE_BINARY;
    return code;
}

enum ox_code ox_delta_inspect(const struct ox_source *patch, struct ox_oxdl_header *header,
                              struct ox_delta_stats *stats, struct ox_err *err)
{
    struct ox_oxdl_header found = {0};
    struct inspection self = {.header = &found};
    enum ox_code code = ox_oxdl_read_header(patch, &found, err);

    if (code == OX_OK && found.version == OX_OXDL_VERSION) {
        ox_oxdl_header_clear(&found);
        code = inspect_v2(patch, &self, err);
        self.stats.engine = stats_engine(&self.stats);
    } else if (code == OX_OK) {
        code = engine_v1(patch, &self.stats.engine, err);
    }
    if (code != OX_OK) {
        ox_oxdl_header_clear(&found);
        return code;
    }
    self.stats.patch_total_bytes = patch->size_bytes;
    *header = found;
    *stats = self.stats;
    return OX_OK;
}

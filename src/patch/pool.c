/* POOL version 1; docs/pool.md. */
#include "oxide/patch/pool.h"

#include "oxide/base/reader.h"

#include <string.h>

/* --- writing --- */

enum ox_code ox_pool1_put_header(struct ox_buf *out, const struct ox_pool1_header *header,
                                 struct ox_err *err)
{
    enum ox_code code;

    if ((code = ox_buf_append(out, OX_POOL1_MAGIC, OX_POOL1_MAGIC_BYTES, err)) != OX_OK ||
        (code = ox_buf_put_u16le(out, OX_POOL1_VERSION, err)) != OX_OK ||
        (code = ox_buf_put_u64le(out, header->base_bytes, err)) != OX_OK ||
        (code = ox_buf_put_u64le(out, header->target_bytes, err)) != OX_OK) {
        return code;
    }
    return ox_buf_append(out, header->target_blake3.bytes, OX_DIGEST_BYTES, err);
}

enum ox_code ox_pool1_put_copy(struct ox_buf *out, uint64_t base_offset, uint64_t len_bytes,
                               struct ox_err *err)
{
    enum ox_code code;

    if ((code = ox_buf_put_u8(out, OX_POOL1_COPY, err)) != OX_OK ||
        (code = ox_buf_put_u64le(out, base_offset, err)) != OX_OK) {
        return code;
    }
    return ox_buf_put_u64le(out, len_bytes, err);
}

enum ox_code ox_pool1_put_literal(struct ox_buf *out, uint64_t len_bytes, struct ox_err *err)
{
    enum ox_code code = ox_buf_put_u8(out, OX_POOL1_LITERAL, err);

    return code == OX_OK ? ox_buf_put_u64le(out, len_bytes, err) : code;
}

/* --- reading --- */

void ox_pool1_reader_init(struct ox_pool1_reader *reader, const struct ox_pool1_handler *handler)
{
    memset(reader, 0, sizeof(*reader));
    reader->handler = *handler;
}

/* The header, from OX_POOL1_HEADER_BYTES bytes. */
static enum ox_code parse_header(const uint8_t *bytes, struct ox_pool1_header *out,
                                 struct ox_err *err)
{
    uint16_t version = ox_load_u16le(bytes + OX_POOL1_MAGIC_BYTES);

    if (memcmp(bytes, OX_POOL1_MAGIC, OX_POOL1_MAGIC_BYTES) != 0) {
        return ox_err_set(err, OX_ECORRUPT, "this is no POOL patch: it does not begin with \"%s\"",
                          OX_POOL1_MAGIC);
    }
    if (version != OX_POOL1_VERSION) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "a POOL patch of version %u, we read %d: make it anew, or upgrade",
                          version, OX_POOL1_VERSION);
    }
    out->base_bytes = ox_load_u64le(bytes + 6);
    out->target_bytes = ox_load_u64le(bytes + 14);
    memcpy(out->target_blake3.bytes, bytes + 22, OX_DIGEST_BYTES);
    if (out->base_bytes > INT64_MAX || out->target_bytes > INT64_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "a POOL patch between %llu and %llu bytes",
                          (unsigned long long)out->base_bytes,
                          (unsigned long long)out->target_bytes);
    }
    return OX_OK;
}

/* How many bytes the unit has whose first byte is in front (a literal's bytes do not count). */
static enum ox_code unit_bytes(const struct ox_pool1_reader *self, size_t *out, struct ox_err *err)
{
    if (!self->have_header) {
        *out = OX_POOL1_HEADER_BYTES;
        return OX_OK;
    }
    switch (self->front[0]) {
    case OX_POOL1_COPY:
        *out = OX_POOL1_COPY_BYTES;
        return OX_OK;
    case OX_POOL1_LITERAL:
        *out = OX_POOL1_LITERAL_BYTES;
        return OX_OK;
    default:
        return ox_err_set(err, OX_ECORRUPT, "instruction %u, there are 1 (COPY) and 2 (LITERAL)",
                          self->front[0]);
    }
}

static enum ox_code check_length(const struct ox_pool1_reader *self, uint64_t len_bytes,
                                 struct ox_err *err)
{
    if (len_bytes == 0) {
        return ox_err_set(err, OX_ECORRUPT, "an instruction for no bytes");
    }
    if (len_bytes > self->header.target_bytes - self->target_offset) {
        return ox_err_set(err, OX_ECORRUPT,
                          "an instruction rebuilds %llu bytes, the target lacks only %llu of %llu",
                          (unsigned long long)len_bytes,
                          (unsigned long long)(self->header.target_bytes - self->target_offset),
                          (unsigned long long)self->header.target_bytes);
    }
    return OX_OK;
}

static enum ox_code take_copy(struct ox_pool1_reader *self, struct ox_err *err)
{
    uint64_t base_offset = ox_load_u64le(self->front + 1);
    uint64_t len_bytes = ox_load_u64le(self->front + 9);
    enum ox_code code = check_length(self, len_bytes, err);

    if (code != OX_OK) {
        return code;
    }
    if (base_offset > self->header.base_bytes ||
        len_bytes > self->header.base_bytes - base_offset) {
        return ox_err_set(err, OX_ECORRUPT,
                          "a COPY of %llu bytes at offset %llu leaves the base of %llu bytes",
                          (unsigned long long)len_bytes, (unsigned long long)base_offset,
                          (unsigned long long)self->header.base_bytes);
    }
    self->target_offset += len_bytes;
    return self->handler.on_copy(self->handler.ctx, base_offset, len_bytes, err);
}

static enum ox_code take_literal(struct ox_pool1_reader *self, struct ox_err *err)
{
    uint64_t len_bytes = ox_load_u64le(self->front + 1);
    enum ox_code code = check_length(self, len_bytes, err);

    if (code != OX_OK) {
        return code;
    }
    self->target_offset += len_bytes;
    self->literal_left = len_bytes;
    return self->handler.on_literal(self->handler.ctx, len_bytes, err);
}

/* The header or instruction in front is whole. */
static enum ox_code take_unit(struct ox_pool1_reader *self, struct ox_err *err)
{
    if (self->have_header) {
        return self->front[0] == OX_POOL1_COPY ? take_copy(self, err) : take_literal(self, err);
    }
    self->have_header = true;
    return self->handler.on_header(self->handler.ctx, &self->header, err);
}

static bool is_whole(const struct ox_pool1_reader *self)
{
    return self->have_header && self->literal_left == 0 &&
           self->target_offset == self->header.target_bytes;
}

/* Gather a header or instruction in front; take it once it is whole. */
static enum ox_code feed_front(struct ox_pool1_reader *self, const uint8_t *bytes, size_t len_bytes,
                               size_t *used_bytes, struct ox_err *err)
{
    size_t want = 0;
    size_t take;
    enum ox_code code;

    *used_bytes = 0;
    if (is_whole(self)) {
        return ox_err_set(err, OX_ECORRUPT, "bytes follow the last instruction");
    }
    if (self->front_bytes == 0) {
        self->front[0] = bytes[0];
    }
    code = unit_bytes(self, &want, err);
    if (code != OX_OK) {
        return code;
    }
    take = want - self->front_bytes < len_bytes ? want - self->front_bytes : len_bytes;
    memcpy(self->front + self->front_bytes, bytes, take);
    self->front_bytes += take;
    *used_bytes = take;
    if (self->front_bytes < want) {
        return OX_OK;
    }
    if (!self->have_header && (code = parse_header(self->front, &self->header, err)) != OX_OK) {
        return code;
    }
    code = take_unit(self, err);
    if (code == OX_OK) {
        self->offset += want;
        self->front_bytes = 0;
    }
    return code;
}

static enum ox_code feed_literal(struct ox_pool1_reader *self, const uint8_t *bytes,
                                 size_t len_bytes, size_t *used_bytes, struct ox_err *err)
{
    size_t take = self->literal_left < len_bytes ? (size_t)self->literal_left : len_bytes;

    *used_bytes = take;
    self->literal_left -= take;
    self->offset += take;
    return self->handler.on_bytes(self->handler.ctx, bytes, take, err);
}

enum ox_code ox_pool1_reader_feed(struct ox_pool1_reader *reader, const void *bytes,
                                  size_t len_bytes, struct ox_err *err)
{
    const uint8_t *from = bytes;
    enum ox_code code = OX_OK;

    if (reader->broken) {
        return ox_err_set(err, OX_ECORRUPT, "the patch was refused before");
    }
    while (code == OX_OK && len_bytes > 0) {
        size_t used = 0;

        code = reader->literal_left > 0 ? feed_literal(reader, from, len_bytes, &used, err)
                                        : feed_front(reader, from, len_bytes, &used, err);
        from += used;
        len_bytes -= used;
    }
    if (code != OX_OK) {
        reader->broken = true;
        if (code == OX_ECORRUPT) {
            (void)ox_err_context(err, "patch damaged at offset %llu",
                                 (unsigned long long)reader->offset);
        }
    }
    return code;
}

enum ox_code ox_pool1_reader_finish(const struct ox_pool1_reader *reader, struct ox_err *err)
{
    if (reader->broken) {
        return ox_err_set(err, OX_ECORRUPT, "the patch was refused before");
    }
    if (!is_whole(reader)) {
        return ox_err_set(err, OX_ECORRUPT, "the patch was cut short: it ends at offset %llu",
                          (unsigned long long)(reader->offset + reader->front_bytes));
    }
    return OX_OK;
}

bool ox_pool1_recognise(const struct ox_source *patch)
{
    uint8_t magic[OX_POOL1_MAGIC_BYTES];

    return patch->size_bytes >= sizeof(magic) &&
           ox_source_read(patch, 0, magic, sizeof(magic), NULL) == OX_OK &&
           memcmp(magic, OX_POOL1_MAGIC, sizeof(magic)) == 0;
}

enum ox_code ox_pool1_read_header(const struct ox_source *patch, struct ox_pool1_header *out,
                                  struct ox_err *err)
{
    uint8_t bytes[OX_POOL1_HEADER_BYTES];
    struct ox_pool1_header header;
    enum ox_code code;

    if (patch->size_bytes < sizeof(bytes)) {
        return ox_err_set(err, OX_ECORRUPT, "the patch was cut short: it ends at offset %llu",
                          (unsigned long long)patch->size_bytes);
    }
    code = ox_source_read(patch, 0, bytes, sizeof(bytes), err);
    if (code == OX_OK) {
        code = parse_header(bytes, &header, err);
    }
    if (code == OX_OK) {
        *out = header;
    }
    return code;
}

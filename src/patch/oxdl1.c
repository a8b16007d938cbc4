#include "oxide/patch/oxdl1.h"

#include <string.h>

enum ox_code ox_oxdl1_read_header(const uint8_t *bytes, size_t len_bytes,
                                  struct ox_oxdl1_header *out, struct ox_err *err)
{
    struct ox_reader reader;
    struct ox_oxdl1_header header;
    const uint8_t *magic = NULL;
    const uint8_t *base = NULL;
    const uint8_t *target = NULL;
    uint8_t version = 0;
    uint8_t strategy = 0;
    uint8_t format = 0;
    enum ox_code code;

    ox_reader_init(&reader, bytes, len_bytes, "patch header (version 1)");
    if ((code = ox_reader_bytes(&reader, 4, &magic, err)) != OX_OK ||
        (code = ox_reader_u8(&reader, &version, err)) != OX_OK ||
        (code = ox_reader_u8(&reader, &strategy, err)) != OX_OK ||
        (code = ox_reader_bytes(&reader, OX_DIGEST_BYTES, &base, err)) != OX_OK ||
        (code = ox_reader_bytes(&reader, OX_DIGEST_BYTES, &target, err)) != OX_OK ||
        (code = ox_reader_u64le(&reader, &header.target_size_bytes, err)) != OX_OK ||
        (code = ox_reader_u32le(&reader, &header.chunk_count, err)) != OX_OK ||
        (code = ox_reader_u8(&reader, &format, err)) != OX_OK) {
        return code;
    }
    if (memcmp(magic, "OXDL", 4) != 0 || version != 1) {
        return ox_err_set(err, OX_ECORRUPT, "this is no patch of version 1");
    }
    if (strategy > OX_OXDL1_TENSOR || format > OX_OXDL1_SAFETENSORS) {
        return ox_err_set(err, OX_EUNSUPPORTED, "patch of version 1 with strategy %u, format %u",
                          strategy, format);
    }
    header.strategy = (enum ox_oxdl1_strategy)strategy;
    header.format = (enum ox_oxdl1_format)format;
    memcpy(header.base_sha256.bytes, base, OX_DIGEST_BYTES);
    memcpy(header.target_sha256.bytes, target, OX_DIGEST_BYTES);
    *out = header;
    return OX_OK;
}

enum ox_code ox_oxdl1_read_chunk(struct ox_reader *reader, struct ox_oxdl1_chunk *out,
                                 struct ox_err *err)
{
    struct ox_oxdl1_chunk chunk = {0};
    uint8_t op = 0;
    enum ox_code code;

    if ((code = ox_reader_u16le(reader, &chunk.name_len, err)) != OX_OK ||
        (code = ox_reader_bytes(reader, chunk.name_len, &chunk.name, err)) != OX_OK ||
        (code = ox_reader_u32le(reader, &chunk.uncompressed_bytes, err)) != OX_OK ||
        (code = ox_reader_u8(reader, &op, err)) != OX_OK ||
        (code = ox_reader_u32le(reader, &chunk.data_bytes, err)) != OX_OK ||
        (code = ox_reader_bytes(reader, chunk.data_bytes, &chunk.data, err)) != OX_OK) {
        return code;
    }
    if (op > OX_OXDL1_XOR) {
        return ox_err_set(err, OX_EUNSUPPORTED, "patch of version 1 with operation %u", op);
    }
    chunk.op = (enum ox_oxdl1_op)op;
    *out = chunk;
    return OX_OK;
}

enum ox_code ox_oxdl1_put_header(struct ox_buf *out, const struct ox_oxdl1_header *header,
                                 struct ox_err *err)
{
    enum ox_code code;

    if ((code = ox_buf_append(out, "OXDL\x01", 5, err)) != OX_OK ||
        (code = ox_buf_put_u8(out, (uint8_t)header->strategy, err)) != OX_OK ||
        (code = ox_buf_append(out, header->base_sha256.bytes, OX_DIGEST_BYTES, err)) != OX_OK ||
        (code = ox_buf_append(out, header->target_sha256.bytes, OX_DIGEST_BYTES, err)) != OX_OK ||
        (code = ox_buf_put_u64le(out, header->target_size_bytes, err)) != OX_OK ||
        (code = ox_buf_put_u32le(out, header->chunk_count, err)) != OX_OK) {
        return code;
    }
    return ox_buf_put_u8(out, (uint8_t)header->format, err);
}

enum ox_code ox_oxdl1_put_chunk(struct ox_buf *out, const struct ox_oxdl1_chunk *chunk,
                                struct ox_err *err)
{
    enum ox_code code;

    if ((code = ox_buf_put_u16le(out, chunk->name_len, err)) != OX_OK ||
        (code = ox_buf_append(out, chunk->name, chunk->name_len, err)) != OX_OK ||
        (code = ox_buf_put_u32le(out, chunk->uncompressed_bytes, err)) != OX_OK ||
        (code = ox_buf_put_u8(out, (uint8_t)chunk->op, err)) != OX_OK ||
        (code = ox_buf_put_u32le(out, chunk->data_bytes, err)) != OX_OK) {
        return code;
    }
    return ox_buf_append(out, chunk->data, chunk->data_bytes, err);
}

#include "oxide/base/reader.h"

void ox_reader_init(struct ox_reader *reader, const void *data, size_t len_bytes, const char *name)
{
    reader->data = data;
    reader->len_bytes = len_bytes;
    reader->pos = 0;
    reader->name = name;
}

size_t ox_reader_left(const struct ox_reader *reader)
{
    return reader->len_bytes - reader->pos;
}

static enum ox_code ends_early(const struct ox_reader *reader, size_t need, struct ox_err *err)
{
    return ox_err_set(err, OX_ECORRUPT,
                      "%s ends early: %zu more bytes needed at offset %zu, %zu left", reader->name,
                      need, reader->pos, ox_reader_left(reader));
}

enum ox_code ox_reader_bytes(struct ox_reader *reader, size_t len_bytes, const uint8_t **out,
                             struct ox_err *err)
{
    if (len_bytes > ox_reader_left(reader)) {
        return ends_early(reader, len_bytes, err);
    }
    *out = reader->data + reader->pos;
    reader->pos += len_bytes;
    return OX_OK;
}

enum ox_code ox_reader_u8(struct ox_reader *reader, uint8_t *out, struct ox_err *err)
{
    const uint8_t *bytes = NULL;
    enum ox_code code = ox_reader_bytes(reader, 1, &bytes, err);

    if (code == OX_OK) {
        *out = bytes[0];
    }
    return code;
}

enum ox_code ox_reader_u16le(struct ox_reader *reader, uint16_t *out, struct ox_err *err)
{
    const uint8_t *bytes = NULL;
    enum ox_code code = ox_reader_bytes(reader, 2, &bytes, err);

    if (code == OX_OK) {
        *out = ox_load_u16le(bytes);
    }
    return code;
}

enum ox_code ox_reader_u32le(struct ox_reader *reader, uint32_t *out, struct ox_err *err)
{
    const uint8_t *bytes = NULL;
    enum ox_code code = ox_reader_bytes(reader, 4, &bytes, err);

    if (code == OX_OK) {
        *out = ox_load_u32le(bytes);
    }
    return code;
}

enum ox_code ox_reader_u64le(struct ox_reader *reader, uint64_t *out, struct ox_err *err)
{
    const uint8_t *bytes = NULL;
    enum ox_code code = ox_reader_bytes(reader, 8, &bytes, err);

    if (code == OX_OK) {
        *out = ox_load_u64le(bytes);
    }
    return code;
}

enum ox_code ox_reader_varint(struct ox_reader *reader, uint64_t *out, struct ox_err *err)
{
    uint64_t value = 0;
    size_t left = ox_reader_left(reader);

    for (size_t i = 0; i < 10; i++) {
        uint8_t byte;

        if (i >= left) {
            return ends_early(reader, i + 1, err);
        }
        byte = reader->data[reader->pos + i];
        if (i == 9 && byte > 1) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            if (byte == 0 && i > 0) {
                break;
            }
            reader->pos += i + 1;
            *out = value;
            return OX_OK;
        }
    }
    return ox_err_set(err, OX_ECORRUPT, "%s holds a malformed number at offset %zu", reader->name,
                      reader->pos);
}

enum ox_code ox_reader_end(const struct ox_reader *reader, struct ox_err *err)
{
    if (ox_reader_left(reader) != 0) {
        return ox_err_set(err, OX_ECORRUPT, "%s has %zu bytes too many at offset %zu", reader->name,
                          ox_reader_left(reader), reader->pos);
    }
    return OX_OK;
}

#include "protobuf.h"

#include <inttypes.h>

#define VARINT_BYTES_MAX 10
#define FIELD_NUMBER_MAX 0x1fffffffu

static enum ox_code leaves(const struct ox_wire *wire, uint64_t pos, uint64_t len, uint64_t end,
                           struct ox_err *err)
{
    return ox_err_set(err, OX_ECORRUPT,
                      "%s is damaged or cut short: %" PRIu64 " bytes at offset %" PRIu64
                      " pass the end of their message at %" PRIu64,
                      wire->stream.name, len, pos, end);
}

enum ox_code ox_wire_varint(struct ox_wire *wire, uint64_t *pos, uint64_t end, uint64_t *out,
                            struct ox_err *err)
{
    uint64_t value = 0;

    wire->stream.pos = *pos;
    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        uint8_t byte = 0;
        enum ox_code code;

        if (wire->stream.pos >= end) {
            return leaves(wire, *pos, i + 1, end, err);
        }
        code = ox_stream_u8(&wire->stream, &byte, err);
        if (code != OX_OK) {
            return code;
        }
        if (i == VARINT_BYTES_MAX - 1 && byte > 1) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *pos = wire->stream.pos;
            *out = value;
            return OX_OK;
        }
    }
    return ox_err_set(err, OX_ECORRUPT, "%s holds a malformed number at offset %" PRIu64,
                      wire->stream.name, *pos);
}

/* The payload starts at `at`. */
static enum ox_code measure(struct ox_wire *wire, uint64_t at, uint64_t end, struct ox_field *field,
                            struct ox_err *err)
{
    uint64_t len = 0;
    enum ox_code code = OX_OK;

    field->value = 0;
    switch (field->type) {
    case OX_WIRE_VARINT:
        field->span.at = at;
        code = ox_wire_varint(wire, &at, end, &field->value, err);
        field->span.end = at;
        return code;
    case OX_WIRE_LEN:
        code = ox_wire_varint(wire, &at, end, &len, err);
        break;
    case OX_WIRE_I64:
        len = 8;
        break;
    case OX_WIRE_I32:
        len = 4;
        break;
    default:
        return ox_err_set(err, OX_ECORRUPT,
                          "%s holds a field of the unknown wire type %d before offset %" PRIu64,
                          wire->stream.name, (int)field->type, at);
    }
    if (code != OX_OK) {
        return code;
    }
    if (len > end - at) {
        return leaves(wire, at, len, end, err);
    }
    field->span = (struct ox_span){at, at + len};
    return OX_OK;
}

enum ox_code ox_wire_next(struct ox_wire *wire, uint64_t *pos, uint64_t end, struct ox_field *field,
                          bool *more, struct ox_err *err)
{
    uint64_t key = 0;
    uint64_t at = *pos;
    enum ox_code code;

    *more = at < end;
    if (!*more) {
        return OX_OK;
    }
    if (wire->fields_left == 0) {
        return ox_err_set(err, OX_ETOOBIG, "%s holds too many fields", wire->stream.name);
    }
    wire->fields_left--;
    code = ox_wire_varint(wire, &at, end, &key, err);
    if (code != OX_OK) {
        return code;
    }
    if (key >> 3 == 0 || key >> 3 > FIELD_NUMBER_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "%s holds a malformed field at offset %" PRIu64,
                          wire->stream.name, *pos);
    }
    field->number = (uint32_t)(key >> 3);
    field->type = (enum ox_wire_type)(key & 7);
    code = measure(wire, at, end, field, err);
    if (code == OX_OK) {
        *pos = field->span.end;
    }
    return code;
}

enum ox_code ox_wire_text(struct ox_wire *wire, struct ox_span span, size_t max_bytes,
                          struct ox_buf *out, struct ox_err *err)
{
    uint64_t len = span.end - span.at;
    enum ox_code code;

    out->len_bytes = 0;
    if (len > max_bytes) {
        return ox_err_set(err, OX_ETOOBIG,
                          "%s holds a name of %" PRIu64 " bytes at offset %" PRIu64
                          ", at most %zu are read",
                          wire->stream.name, len, span.at, max_bytes);
    }
    code = ox_buf_reserve(out, (size_t)len + 1, err);
    if (code != OX_OK) {
        return code;
    }
    wire->stream.pos = span.at;
    code = ox_stream_read(&wire->stream, out->data, (size_t)len, err);
    if (code == OX_OK) {
        out->len_bytes = (size_t)len;
        out->data[len] = '\0';
    }
    return code;
}

enum ox_code ox_wire_find(struct ox_wire *wire, struct ox_span message, uint32_t number,
                          struct ox_span *out, bool *found, struct ox_err *err)
{
    struct ox_field field;
    uint64_t pos = message.at;
    bool more = true;

    *found = false;
    while (!*found) {
        enum ox_code code = ox_wire_next(wire, &pos, message.end, &field, &more, err);

        if (code != OX_OK || !more) {
            return code;
        }
        if (field.number == number && field.type == OX_WIRE_LEN) {
            *out = field.span;
            *found = true;
        }
    }
    return OX_OK;
}

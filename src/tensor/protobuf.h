/**
 * The wire format of protocol buffers, read field by field from a stream.
 * Source: protobuf.dev, "Encoding". Groups (wire types 3 and 4) are refused: ONNX has none.
 */
#ifndef TENSOR_PROTOBUF_H
#define TENSOR_PROTOBUF_H

#include "oxide/base/buf.h"
#include "stream.h"

enum ox_wire_type { OX_WIRE_VARINT = 0, OX_WIRE_I64 = 1, OX_WIRE_LEN = 2, OX_WIRE_I32 = 5 };

/** Where a message or its payload lies in the file. */
struct ox_span {
    uint64_t at;
    uint64_t end;
};

struct ox_field {
    uint32_t number;
    enum ox_wire_type type;
    uint64_t value;      /* of OX_WIRE_VARINT */
    struct ox_span span; /* of the payload, for every type */
};

struct ox_wire {
    struct ox_stream stream;
    uint64_t fields_left; /* bounds the time that a hostile file can take */
};

/**
 * The next field of a message. *pos is where it starts and becomes where the one after it does;
 * at the end of the message *more becomes false. Payloads (OX_WIRE_LEN) are not read.
 * Errors: OX_ECORRUPT for what leaves the message or is malformed, OX_ETOOBIG without fields left,
 * the source's own.
 */
OX_MUST_USE enum ox_code ox_wire_next(struct ox_wire *wire, uint64_t *pos, uint64_t end,
                                      struct ox_field *field, bool *more, struct ox_err *err);

/** A varint at *pos, which moves behind it. */
OX_MUST_USE enum ox_code ox_wire_varint(struct ox_wire *wire, uint64_t *pos, uint64_t end,
                                        uint64_t *out, struct ox_err *err);

/** The bytes of a span, NUL-terminated behind out->len_bytes. Errors: OX_ETOOBIG, the source's. */
OX_MUST_USE enum ox_code ox_wire_text(struct ox_wire *wire, struct ox_span span, size_t max_bytes,
                                      struct ox_buf *out, struct ox_err *err);

/** The first OX_WIRE_LEN field of this number in a message; *found tells whether there is one. */
OX_MUST_USE enum ox_code ox_wire_find(struct ox_wire *wire, struct ox_span message, uint32_t number,
                                      struct ox_span *out, bool *found, struct ox_err *err);

#endif

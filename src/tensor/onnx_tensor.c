/*
 * ONNX tensors: where the bytes of a TensorProto lie, in this file or in an external one.
 * Source: the public onnx.proto (TensorProto) and docs/ExternalData.md of the ONNX project.
 */
#include "onnx.h"

#include "oxide/tensor/limits.h"

#include <inttypes.h>
#include <string.h>

enum tensor_field {
    TENSOR_DIMS = 1,
    TENSOR_DATA_TYPE = 2,
    TENSOR_FLOAT_DATA = 4,
    TENSOR_INT32_DATA = 5,
    TENSOR_STRING_DATA = 6,
    TENSOR_INT64_DATA = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW_DATA = 9,
    TENSOR_DOUBLE_DATA = 10,
    TENSOR_UINT64_DATA = 11,
    TENSOR_EXTERNAL_DATA = 13,
    TENSOR_DATA_LOCATION = 14,
};
enum entry_field { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { LOCATION_EXTERNAL = 1 };
enum { TYPE_FLOAT = 1, TYPE_DOUBLE = 11, TYPE_COMPLEX64 = 14, TYPE_COMPLEX128 = 15 };

/* TensorProto.DataType. Left out, and so OX_DTYPE_OTHER: 8 STRING, 14 and 15 COMPLEX64 and 128, 18
 * and 20 the FNUZ kinds of F8, 23 FLOAT4E2M1, 24 FLOAT8E8M0, 25 and 26 UINT2 and INT2. */
static const enum ox_dtype types[] = {
    [TYPE_FLOAT] = OX_DTYPE_F32,  [2] = OX_DTYPE_U8,       [3] = OX_DTYPE_I8,
    [4] = OX_DTYPE_U16,           [5] = OX_DTYPE_I16,      [6] = OX_DTYPE_I32,
    [7] = OX_DTYPE_I64,           [9] = OX_DTYPE_BOOL,     [10] = OX_DTYPE_F16,
    [TYPE_DOUBLE] = OX_DTYPE_F64, [12] = OX_DTYPE_U32,     [13] = OX_DTYPE_U64,
    [16] = OX_DTYPE_BF16,         [17] = OX_DTYPE_F8_E4M3, [19] = OX_DTYPE_F8_E5M2,
    [21] = OX_DTYPE_U4,           [22] = OX_DTYPE_I4,
};
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

/* What a TensorProto told so far, its fields coming in any order. */
struct seen {
    uint64_t type;
    uint32_t rank;
    uint64_t shape[OX_TENSOR_RANK_MAX];
    struct ox_span name;
    struct ox_span raw;
    struct ox_span fixed; /* float_data or double_data in one packed piece */
    uint64_t fixed_pieces;
    uint64_t fixed_field;
    bool has_varying; /* data whose elements differ in width: left as gap */
    bool external;
    bool has_location;
    bool has_length;
    uint64_t offset;
    uint64_t length;
};

static enum ox_code add_dim(struct seen *seen, uint64_t dim, struct ox_err *err)
{
    if (seen->rank == OX_TENSOR_RANK_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "a tensor has more than %d dimensions",
                          OX_TENSOR_RANK_MAX);
    }
    if (dim > INT64_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "a tensor has a negative dimension");
    }
    seen->shape[seen->rank++] = dim;
    return OX_OK;
}

/* One by one as the public file declares them, or packed as every reader must take them too. */
static enum ox_code add_dims(struct ox_onnx *onnx, const struct ox_field *field, struct seen *seen,
                             struct ox_err *err)
{
    uint64_t pos = field->span.at;
    enum ox_code code = OX_OK;

    if (field->type == OX_WIRE_VARINT) {
        return add_dim(seen, field->value, err);
    }
    while (field->type == OX_WIRE_LEN && code == OX_OK && pos < field->span.end) {
        uint64_t dim = 0;

        code = ox_wire_varint(&onnx->wire, &pos, field->span.end, &dim, err);
        if (code == OX_OK) {
            code = add_dim(seen, dim, err);
        }
    }
    return code;
}

static enum ox_code parse_decimal(const struct ox_buf *text, uint64_t *out, struct ox_err *err)
{
    uint64_t value = 0;
    bool good = text->len_bytes > 0;

    for (size_t i = 0; i < text->len_bytes && good; i++) {
        uint8_t digit = (uint8_t)(text->data[i] - '0');

        good = digit <= 9 && value <= (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    if (!good) {
        return ox_err_set(err, OX_ECORRUPT, "external data has a malformed offset or length");
    }
    *out = value;
    return OX_OK;
}

/*
 * The path in its one spelling, without "." and empty parts. A path that leaves the model's folder
 * is refused: nothing good needs one, and who opened it would read a file of somebody else's.
 */
static enum ox_code tidy_location(struct ox_buf *location, struct ox_err *err)
{
    char *text = (char *)location->data;
    size_t put = 0;
    size_t at = 0;

    if (location->len_bytes == 0 || text[0] == '/' || strchr(text, '\\') != NULL ||
        strlen(text) != location->len_bytes) {
        char shown[OX_SHOWN_MAX];

        return ox_err_set(err, OX_ECORRUPT, "external data at \"%s\": not a relative path",
                          ox_shown(text, shown));
    }
    while (at < location->len_bytes) {
        size_t len = strcspn(text + at, "/");

        if (len == 2 && text[at] == '.' && text[at + 1] == '.') {
            return ox_err_set(err, OX_ECORRUPT, "external data outside the model's folder");
        }
        if (len > 0 && !(len == 1 && text[at] == '.')) {
            if (put > 0) {
                text[put++] = '/';
            }
            memmove(text + put, text + at, len);
            put += len;
        }
        at += len + (text[at + len] == '/');
    }
    if (put == 0) {
        return ox_err_set(err, OX_ECORRUPT, "external data at an empty path");
    }
    text[put] = '\0';
    location->len_bytes = put;
    return OX_OK;
}

static bool is_key(const struct ox_buf *text, const char *key)
{
    return text->len_bytes == strlen(key) && memcmp(text->data, key, text->len_bytes) == 0;
}

static enum ox_code read_entry(struct ox_onnx *onnx, struct ox_span entry, struct seen *seen,
                               struct ox_err *err)
{
    struct ox_span key = {0, 0};
    struct ox_span value = {0, 0};
    bool found = false;
    enum ox_code code = ox_wire_find(&onnx->wire, entry, ENTRY_KEY, &key, &found, err);

    if (code == OX_OK && found) {
        code = ox_wire_find(&onnx->wire, entry, ENTRY_VALUE, &value, &found, err);
    }
    if (code == OX_OK && found) {
        code = ox_wire_text(&onnx->wire, key, OX_ONNX_LOCATION_MAX, &onnx->text, err);
    }
    if (code != OX_OK || !found) {
        return code;
    }
    if (is_key(&onnx->text, "location")) {
        seen->has_location = true;
        code = ox_wire_text(&onnx->wire, value, OX_ONNX_LOCATION_MAX, &onnx->location, err);
        return code == OX_OK ? tidy_location(&onnx->location, err) : code;
    }
    if (is_key(&onnx->text, "offset") || is_key(&onnx->text, "length")) {
        bool is_length = is_key(&onnx->text, "length");

        seen->has_length = seen->has_length || is_length;
        code = ox_wire_text(&onnx->wire, value, OX_ONNX_LOCATION_MAX, &onnx->text, err);
        if (code == OX_OK) {
            code = parse_decimal(&onnx->text, is_length ? &seen->length : &seen->offset, err);
        }
    }
    return code;
}

static enum ox_code read_field(struct ox_onnx *onnx, const struct ox_field *field,
                               struct seen *seen, struct ox_err *err)
{
    bool is_len = field->type == OX_WIRE_LEN;

    switch (field->number) {
    case TENSOR_DIMS:
        return add_dims(onnx, field, seen, err);
    case TENSOR_DATA_TYPE:
        seen->type = field->type == OX_WIRE_VARINT ? field->value : 0;
        return OX_OK;
    case TENSOR_NAME:
        seen->name = is_len ? field->span : seen->name;
        return OX_OK;
    case TENSOR_RAW_DATA:
        seen->raw = is_len ? field->span : seen->raw;
        return OX_OK;
    case TENSOR_FLOAT_DATA:
    case TENSOR_DOUBLE_DATA:
        seen->fixed = is_len ? field->span : (struct ox_span){0, 0};
        seen->fixed_field = field->number;
        seen->fixed_pieces += field->span.at < field->span.end;
        return OX_OK;
    case TENSOR_INT32_DATA:
    case TENSOR_STRING_DATA:
    case TENSOR_INT64_DATA:
    case TENSOR_UINT64_DATA:
        seen->has_varying = seen->has_varying || field->span.at < field->span.end;
        return OX_OK;
    case TENSOR_EXTERNAL_DATA:
        return is_len ? read_entry(onnx, field->span, seen, err) : OX_OK;
    case TENSOR_DATA_LOCATION:
        seen->external = field->type == OX_WIRE_VARINT && field->value == LOCATION_EXTERNAL;
        return OX_OK;
    default:
        return OX_OK;
    }
}

/* Where the bytes lie; *found is false for data without a fixed width, and for none at all. */
static bool locate(const struct seen *seen, struct ox_span message, bool empty, struct ox_span *out)
{
    bool is_float = seen->type == TYPE_FLOAT || seen->type == TYPE_COMPLEX64;
    bool is_double = seen->type == TYPE_DOUBLE || seen->type == TYPE_COMPLEX128;

    if (seen->raw.at < seen->raw.end) {
        *out = seen->raw;
        return true;
    }
    if (seen->fixed.at < seen->fixed.end && seen->fixed_pieces == 1) {
        *out = seen->fixed;
        return seen->fixed_field == TENSOR_FLOAT_DATA ? is_float : is_double;
    }
    *out = (struct ox_span){message.end, message.end};
    return empty && seen->fixed_pieces == 0 && !seen->has_varying;
}

static enum ox_code check_size(const struct ox_found *found, bool is_sized, uint64_t wanted,
                               struct ox_err *err)
{
    if (is_sized && wanted != found->length_bytes) {
        return ox_err_set(err, OX_ECORRUPT,
                          "its shape and type make %" PRIu64 " bytes, but it has %" PRIu64, wanted,
                          found->length_bytes);
    }
    return OX_OK;
}

static enum ox_code add_tensor(struct ox_onnx *onnx, const struct seen *seen,
                               struct ox_span message, struct ox_found *found, struct ox_err *err)
{
    struct ox_block block;
    struct ox_span bytes = {0, 0};
    uint64_t elements = 0;
    uint64_t wanted = 0;
    bool is_sized;
    enum ox_code code;

    found->dtype = seen->type < TYPE_COUNT ? types[seen->type] : OX_DTYPE_OTHER;
    found->rank = seen->rank;
    found->shape = seen->shape;
    is_sized = ox_dtype_block(found->dtype, &block);
    if (!ox_shape_elements(seen->shape, seen->rank, &elements) ||
        (is_sized && !ox_block_length(block, elements, &wanted))) {
        return ox_err_set(err, OX_ECORRUPT, "its shape has more than 2^64 elements or bytes");
    }
    if (seen->external) {
        if (!seen->has_location) {
            return ox_err_set(err, OX_ECORRUPT, "its data is external, but without a location");
        }
        if (!seen->has_length && !is_sized) {
            return OX_OK; /* nothing tells where it ends */
        }
        found->external = (const char *)onnx->location.data;
        found->offset_bytes = seen->offset;
        found->length_bytes = seen->has_length ? seen->length : wanted;
    } else if (locate(seen, message, elements == 0, &bytes)) {
        found->offset_bytes = bytes.at;
        found->length_bytes = bytes.end - bytes.at;
    } else {
        return OX_OK;
    }
    code = check_size(found, is_sized, wanted, err);
    return code == OX_OK ? ox_build_add(&onnx->build, found, err) : code;
}

enum ox_code ox_onnx_tensor(struct ox_onnx *onnx, struct ox_span span, size_t path_len,
                            struct ox_err *err)
{
    struct seen seen = {0};
    struct ox_found found = {.path_len = path_len};
    size_t outer_len = onnx->path.len_bytes;
    uint64_t pos = span.at;
    enum ox_code code = OX_OK;

    while (code == OX_OK) {
        struct ox_field field;
        bool more = true;

        code = ox_wire_next(&onnx->wire, &pos, span.end, &field, &more, err);
        if (code != OX_OK || !more) {
            break;
        }
        code = read_field(onnx, &field, &seen, err);
    }
    if (code == OX_OK) {
        code = ox_wire_text(&onnx->wire, seen.name, OX_TENSOR_NAME_MAX, &onnx->name, err);
    }
    if (code == OX_OK && onnx->name.len_bytes > 0 && outer_len > path_len) {
        /* It has a name of its own: what would have been one becomes part of the path. */
        code = ox_buf_append(&onnx->path, "/", 1, err);
        found.path_len = onnx->path.len_bytes;
    }
    if (code == OX_OK) {
        bool named = onnx->name.len_bytes > 0;

        found.path = (const char *)onnx->path.data;
        found.name = named ? (const char *)onnx->name.data : found.path + path_len;
        found.name_len = named ? onnx->name.len_bytes : outer_len - path_len;
        code = add_tensor(onnx, &seen, span, &found, err);
    }
    if (code != OX_OK && onnx->name.len_bytes > 0) {
        char shown[OX_SHOWN_MAX];

        (void)ox_err_context(err, "tensor \"%s\"", ox_shown((const char *)onnx->name.data, shown));
    }
    onnx->path.len_bytes = outer_len;
    return code;
}

/*
 * GGUF versions 2 and 3, little-endian.
 * Source: docs/gguf.md of the ggml project; block sizes of the types from its ggml-common.h.
 */
#include "formats.h"
#include "layout_build.h"
#include "oxide/base/reader.h"
#include "oxide/tensor/limits.h"
#include "stream.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC "GGUF"
#define MAGIC_BYTES 4
#define VERSION_MIN 2
#define VERSION_MAX 3
#define DEFAULT_ALIGNMENT 32
#define ALIGNMENT_KEY "general.alignment"

enum value_type { VALUE_U32 = 4, VALUE_STRING = 8, VALUE_ARRAY = 9 };

/* Bytes of a metadata value by its type; 0 for what says its own length. */
static const uint8_t value_bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
#define VALUE_TYPE_COUNT (sizeof(value_bytes) / sizeof(value_bytes[0]))

/* enum ggml_type. Types without a block here are open-ended: they reach to the next tensor. */
static const struct type {
    enum ox_dtype dtype;
    struct ox_block block; /* only of what OX_DTYPE_OTHER stands for */
} types[] = {
    [0] = {OX_DTYPE_F32, {0, 0}},       [1] = {OX_DTYPE_F16, {0, 0}},
    [2] = {OX_DTYPE_Q4_0, {0, 0}},      [3] = {OX_DTYPE_Q4_1, {0, 0}},
    [6] = {OX_DTYPE_Q5_0, {0, 0}},      [7] = {OX_DTYPE_Q5_1, {0, 0}},
    [8] = {OX_DTYPE_Q8_0, {0, 0}},      [9] = {OX_DTYPE_Q8_1, {0, 0}},
    [10] = {OX_DTYPE_Q2_K, {0, 0}},     [11] = {OX_DTYPE_Q3_K, {0, 0}},
    [12] = {OX_DTYPE_Q4_K, {0, 0}},     [13] = {OX_DTYPE_Q5_K, {0, 0}},
    [14] = {OX_DTYPE_Q6_K, {0, 0}},     [15] = {OX_DTYPE_Q8_K, {0, 0}},
    [16] = {OX_DTYPE_OTHER, {256, 66}},                                      /* IQ2_XXS */
    [17] = {OX_DTYPE_OTHER, {256, 74}},                                      /* IQ2_XS */
    [18] = {OX_DTYPE_OTHER, {256, 98}},                                      /* IQ3_XXS */
    [19] = {OX_DTYPE_OTHER, {256, 50}},                                      /* IQ1_S */
    [20] = {OX_DTYPE_IQ4_NL, {0, 0}},   [21] = {OX_DTYPE_OTHER, {256, 110}}, /* IQ3_S */
    [22] = {OX_DTYPE_OTHER, {256, 82}},                                      /* IQ2_S */
    [23] = {OX_DTYPE_IQ4_XS, {0, 0}},   [24] = {OX_DTYPE_I8, {0, 0}},
    [25] = {OX_DTYPE_I16, {0, 0}},      [26] = {OX_DTYPE_I32, {0, 0}},
    [27] = {OX_DTYPE_I64, {0, 0}},      [28] = {OX_DTYPE_F64, {0, 0}},
    [29] = {OX_DTYPE_OTHER, {256, 56}},                                     /* IQ1_M */
    [30] = {OX_DTYPE_BF16, {0, 0}},     [34] = {OX_DTYPE_OTHER, {256, 54}}, /* TQ1_0 */
    [35] = {OX_DTYPE_OTHER, {256, 66}},                                     /* TQ2_0 */
    [39] = {OX_DTYPE_OTHER, {32, 17}},                                      /* MXFP4 */
};
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

struct gguf {
    struct ox_stream stream;
    struct ox_build build;
    struct ox_buf name;
    uint64_t tensor_count;
    uint64_t kv_count;
    uint64_t alignment;
};

enum ox_code ox_gguf_sniff(const struct ox_source *source, bool *out, struct ox_err *err)
{
    uint8_t magic[MAGIC_BYTES] = {0};
    enum ox_code code = OX_OK;

    *out = false;
    if (source->size_bytes >= MAGIC_BYTES) {
        code = ox_source_read(source, 0, magic, MAGIC_BYTES, err);
        *out = code == OX_OK && memcmp(magic, MAGIC, MAGIC_BYTES) == 0;
    }
    return code;
}

static enum ox_code read_header(struct gguf *gguf, struct ox_err *err)
{
    struct ox_stream *stream = &gguf->stream;
    uint32_t version = 0;
    enum ox_code code = ox_stream_skip(stream, MAGIC_BYTES, err);

    if (code == OX_OK) {
        code = ox_stream_u32le(stream, &version, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (version != 0 && (version & 0xffff) == 0) {
        return ox_err_set(err, OX_EUNSUPPORTED, "big-endian GGUF is not read: treated as bytes");
    }
    if (version < VERSION_MIN || version > VERSION_MAX) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "GGUF version %" PRIu32 " is not read, only 2 and 3: treated as bytes",
                          version);
    }
    code = ox_stream_u64le(stream, &gguf->tensor_count, err);
    if (code == OX_OK) {
        code = ox_stream_u64le(stream, &gguf->kv_count, err);
    }
    if (code == OX_OK && gguf->tensor_count > OX_TENSOR_COUNT_MAX) {
        code = ox_err_set(err, OX_ETOOBIG, "%" PRIu64 " tensors promised, at most %d are read",
                          gguf->tensor_count, OX_TENSOR_COUNT_MAX);
    }
    if (code == OX_OK && gguf->kv_count > OX_GGUF_KV_MAX) {
        code = ox_err_set(err, OX_ETOOBIG, "%" PRIu64 " metadata pairs promised, at most %d",
                          gguf->kv_count, OX_GGUF_KV_MAX);
    }
    return code;
}

static enum ox_code read_text(struct gguf *gguf, uint64_t max_bytes, struct ox_err *err)
{
    uint64_t len = 0;
    enum ox_code code = ox_stream_u64le(&gguf->stream, &len, err);

    gguf->name.len_bytes = 0;
    if (code == OX_OK && len > max_bytes) {
        code = ox_err_set(err, OX_ETOOBIG,
                          "a name of %" PRIu64 " bytes before offset %" PRIu64 ", at most %" PRIu64,
                          len, gguf->stream.pos, max_bytes);
    }
    if (code == OX_OK) {
        code = ox_buf_reserve(&gguf->name, (size_t)len + 1, err);
    }
    if (code == OX_OK) {
        code = ox_stream_read(&gguf->stream, gguf->name.data, (size_t)len, err);
    }
    if (code == OX_OK) {
        gguf->name.len_bytes = (size_t)len;
    }
    return code;
}

static enum ox_code skip_value(struct gguf *gguf, uint32_t type, unsigned depth,
                               struct ox_err *err);

static enum ox_code skip_array(struct gguf *gguf, unsigned depth, struct ox_err *err)
{
    uint32_t type = 0;
    uint64_t count = 0;
    enum ox_code code = ox_stream_u32le(&gguf->stream, &type, err);

    if (code == OX_OK) {
        code = ox_stream_u64le(&gguf->stream, &count, err);
    }
    if (code == OX_OK && type < VALUE_TYPE_COUNT && value_bytes[type] > 0) {
        uint64_t left = gguf->stream.end - gguf->stream.pos;

        if (count > left / value_bytes[type]) {
            return ox_err_set(err, OX_ECORRUPT,
                              "an array of %" PRIu64 " values at offset %" PRIu64
                              " does not fit in the header",
                              count, gguf->stream.pos);
        }
        return ox_stream_skip(&gguf->stream, count * value_bytes[type], err);
    }
    /* Each value takes at least 8 bytes, so the end of the header bounds a hostile count. */
    for (uint64_t i = 0; i < count && code == OX_OK; i++) {
        code = skip_value(gguf, type, depth + 1, err);
    }
    return code;
}

static enum ox_code skip_value(struct gguf *gguf, uint32_t type, unsigned depth, struct ox_err *err)
{
    uint64_t len = 0;
    enum ox_code code;

    if (depth > OX_GGUF_DEPTH_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "metadata arrays nest deeper than %d",
                          OX_GGUF_DEPTH_MAX);
    }
    if (type >= VALUE_TYPE_COUNT) {
        return ox_err_set(err, OX_ECORRUPT,
                          "unknown metadata type %" PRIu32 " before offset %" PRIu64, type,
                          gguf->stream.pos);
    }
    if (type == VALUE_ARRAY) {
        return skip_array(gguf, depth, err);
    }
    if (type != VALUE_STRING) {
        return ox_stream_skip(&gguf->stream, value_bytes[type], err);
    }
    code = ox_stream_u64le(&gguf->stream, &len, err);
    return code == OX_OK ? ox_stream_skip(&gguf->stream, len, err) : code;
}

static enum ox_code read_alignment(struct gguf *gguf, uint32_t type, struct ox_err *err)
{
    uint32_t value = 0;
    enum ox_code code = OX_OK;

    if (type == VALUE_U32) {
        code = ox_stream_u32le(&gguf->stream, &value, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (value == 0 || value > OX_GGUF_ALIGNMENT_MAX || (value & (value - 1)) != 0) {
        return ox_err_set(err, OX_ECORRUPT,
                          ALIGNMENT_KEY " is not a 32-bit power of two of at most %u",
                          OX_GGUF_ALIGNMENT_MAX);
    }
    gguf->alignment = value;
    return OX_OK;
}

static enum ox_code read_pair(struct gguf *gguf, struct ox_err *err)
{
    uint32_t type = 0;
    enum ox_code code = read_text(gguf, OX_GGUF_KEY_MAX, err);

    if (code == OX_OK) {
        code = ox_stream_u32le(&gguf->stream, &type, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (gguf->name.len_bytes == strlen(ALIGNMENT_KEY) &&
        memcmp(gguf->name.data, ALIGNMENT_KEY, strlen(ALIGNMENT_KEY)) == 0) {
        return read_alignment(gguf, type, err);
    }
    return skip_value(gguf, type, 0, err);
}

/* Dimensions come innermost first. */
static enum ox_code read_shape(struct gguf *gguf, uint32_t rank, uint64_t *shape,
                               struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (rank > OX_TENSOR_RANK_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "a tensor has %" PRIu32 " dimensions, at most %d", rank,
                          OX_TENSOR_RANK_MAX);
    }
    for (uint32_t i = 0; i < rank && code == OX_OK; i++) {
        code = ox_stream_u64le(&gguf->stream, &shape[rank - 1 - i], err);
    }
    return code;
}

static enum ox_code size_tensor(struct ox_found *found, uint32_t type, struct ox_err *err)
{
    struct ox_block block = {0, 0};
    uint64_t elements = 0;
    uint64_t row = found->rank == 0 ? 1 : found->shape[found->rank - 1];

    if (type < TYPE_COUNT) {
        found->dtype = types[type].dtype; /* the holes of the table are OX_DTYPE_OTHER */
        block = types[type].block;
        (void)ox_dtype_block(found->dtype, &block);
    }
    if (!ox_shape_elements(found->shape, found->rank, &elements)) {
        return ox_err_set(err, OX_ECORRUPT, "a shape has more than 2^64 elements");
    }
    if (block.bytes == 0) {
        found->open_ended = elements > 0;
        return OX_OK;
    }
    if (row % block.elements != 0) {
        return ox_err_set(err, OX_ECORRUPT,
                          "rows of %" PRIu64 " elements are not whole blocks of %" PRIu32, row,
                          block.elements);
    }
    if (!ox_block_length(block, elements, &found->length_bytes)) {
        return ox_err_set(err, OX_ECORRUPT, "a tensor has more than 2^64 bytes");
    }
    return OX_OK;
}

/* The offset stays relative to the data section, whose start is known only behind the last one. */
static enum ox_code read_tensor(struct gguf *gguf, struct ox_err *err)
{
    uint64_t shape[OX_TENSOR_RANK_MAX] = {0};
    struct ox_found found = {.dtype = OX_DTYPE_OTHER, .shape = shape};
    uint32_t type = 0;
    enum ox_code code = read_text(gguf, OX_TENSOR_NAME_MAX, err);

    if (code == OX_OK) {
        code = ox_stream_u32le(&gguf->stream, &found.rank, err);
    }
    if (code == OX_OK) {
        code = read_shape(gguf, found.rank, shape, err);
    }
    if (code == OX_OK) {
        code = ox_stream_u32le(&gguf->stream, &type, err);
    }
    if (code == OX_OK) {
        code = ox_stream_u64le(&gguf->stream, &found.offset_bytes, err);
    }
    if (code == OX_OK) {
        code = size_tensor(&found, type, err);
    }
    if (code == OX_OK) {
        found.name = (const char *)gguf->name.data;
        found.name_len = gguf->name.len_bytes;
        code = ox_build_add(&gguf->build, &found, err);
    }
    return code;
}

static enum ox_code place_tensors(struct gguf *gguf, struct ox_err *err)
{
    uint64_t start = (gguf->stream.pos + gguf->alignment - 1) / gguf->alignment * gguf->alignment;

    for (size_t i = 0; i < gguf->build.count; i++) {
        struct ox_tensor *tensor = &gguf->build.rows[i].tensor;
        char shown[OX_SHOWN_MAX];

        if (tensor->offset_bytes % gguf->alignment != 0 ||
            tensor->offset_bytes + tensor->length_bytes > UINT64_MAX - start) {
            return ox_err_set(err, OX_ECORRUPT,
                              "tensor \"%s\" lies at offset %" PRIu64 ": not aligned to %" PRIu64
                              ", or beyond 2^64",
                              ox_shown(tensor->name, shown), tensor->offset_bytes, gguf->alignment);
        }
        tensor->offset_bytes += start;
    }
    return OX_OK;
}

enum ox_code ox_gguf_read(struct ox_layout *out, const struct ox_source *source, struct ox_err *err)
{
    struct gguf gguf = {.alignment = DEFAULT_ALIGNMENT};
    enum ox_code code = ox_stream_init(&gguf.stream, source, "its header", err);

    if (code != OX_OK) {
        goto out;
    }
    if (gguf.stream.end > OX_GGUF_HEADER_MAX) {
        gguf.stream.end = OX_GGUF_HEADER_MAX;
    }
    code = read_header(&gguf, err);
    for (uint64_t i = 0; i < gguf.kv_count && code == OX_OK; i++) {
        code = read_pair(&gguf, err);
    }
    for (uint64_t i = 0; i < gguf.tensor_count && code == OX_OK; i++) {
        code = read_tensor(&gguf, err);
    }
    if (code == OX_OK) {
        code = place_tensors(&gguf, err);
    }
    if (code == OX_OK) {
        code = ox_build_finish(&gguf.build, OX_FORMAT_GGUF, OX_NAMES_REFUSE, source->size_bytes,
                               out, err);
    }
out:
    ox_buf_clear(&gguf.name);
    ox_build_clear(&gguf.build);
    ox_stream_clear(&gguf.stream);
    return code;
}

/*
 * safetensors: an 8-byte length, a JSON header of that length, then the data.
 * Source: the README of the safetensors project, section "Format"; names of types from its
 * tensor.rs.
 */
#include "formats.h"
#include "json_scan.h"
#include "layout_build.h"
#include "oxide/base/reader.h"
#include "oxide/tensor/limits.h"

#include <inttypes.h>
#include <string.h>

#define LENGTH_BYTES 8
#define KEY_MAX_BYTES 256 /* of a tensor's description; "data_offsets" is the longest known */

static const struct {
    const char *word;
    enum ox_dtype dtype;
} types[] = {
    {"F64", OX_DTYPE_F64},         {"F32", OX_DTYPE_F32},   {"F16", OX_DTYPE_F16},
    {"BF16", OX_DTYPE_BF16},       {"I64", OX_DTYPE_I64},   {"I32", OX_DTYPE_I32},
    {"I16", OX_DTYPE_I16},         {"I8", OX_DTYPE_I8},     {"U64", OX_DTYPE_U64},
    {"U32", OX_DTYPE_U32},         {"U16", OX_DTYPE_U16},   {"U8", OX_DTYPE_U8},
    {"F8_E4M3", OX_DTYPE_F8_E4M3}, {"BOOL", OX_DTYPE_BOOL}, {"F8_E5M2", OX_DTYPE_F8_E5M2},
};
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

struct safetensors {
    struct ox_stream stream; /* ends with the header */
    struct ox_build build;
    struct ox_buf name;
    struct ox_buf word; /* keys and types */
    uint64_t data_start;
    uint64_t data_bytes;
};

/* What a tensor's object told so far. */
struct described {
    bool has_dtype;
    bool has_shape;
    bool has_offsets;
    enum ox_dtype dtype;
    uint32_t rank;
    uint64_t shape[OX_TENSOR_RANK_MAX];
    uint64_t begin;
    uint64_t end;
};

/*
 * There is no magic number. The header is an object, so its first bytes tell; and no header's
 * length has a printable character in its highest byte, so that texts are not taken for one.
 */
enum ox_code ox_safetensors_sniff(const struct ox_source *source, bool *out, struct ox_err *err)
{
    uint8_t bytes[LENGTH_BYTES + 2] = {0};
    enum ox_code code = OX_OK;

    *out = false;
    if (source->size_bytes >= sizeof(bytes)) {
        code = ox_source_read(source, 0, bytes, sizeof(bytes), err);
        *out = code == OX_OK && bytes[LENGTH_BYTES] == '{' && bytes[LENGTH_BYTES + 1] != 0 &&
               strchr("\"} \t\r\n", bytes[LENGTH_BYTES + 1]) != NULL &&
               (bytes[LENGTH_BYTES - 1] == 0 || bytes[LENGTH_BYTES - 1] > '~');
    }
    return code;
}

static enum ox_code read_length(struct safetensors *st, struct ox_err *err)
{
    uint64_t left = 0;
    uint64_t len = 0;
    enum ox_code code = ox_stream_u64le(&st->stream, &len, err);

    if (code != OX_OK) {
        return code;
    }
    left = st->stream.end - LENGTH_BYTES;
    if (len > left) {
        return ox_err_set(err, OX_ECORRUPT,
                          "a header of %" PRIu64 " bytes is promised, but %" PRIu64
                          " follow: cut short or damaged",
                          len, left);
    }
    if (len > OX_SAFETENSORS_HEADER_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "a header of %" PRIu64 " bytes, at most %u are read",
                          len, OX_SAFETENSORS_HEADER_MAX);
    }
    st->stream.end = LENGTH_BYTES + len;
    st->data_start = LENGTH_BYTES + len;
    st->data_bytes = left - len;
    return OX_OK;
}

static enum ox_code read_dtype(struct safetensors *st, struct described *tensor, struct ox_err *err)
{
    enum ox_code code = ox_scan_string(&st->stream, KEY_MAX_BYTES, &st->word, err);

    tensor->dtype = OX_DTYPE_OTHER;
    for (size_t i = 0; i < TYPE_COUNT && code == OX_OK; i++) {
        if (strcmp((const char *)st->word.data, types[i].word) == 0) {
            tensor->dtype = types[i].dtype;
        }
    }
    return code;
}

static enum ox_code read_shape(struct safetensors *st, struct described *tensor, struct ox_err *err)
{
    bool more = true;
    enum ox_code code = ox_scan_expect(&st->stream, '[', err);

    tensor->rank = 0;
    while (code == OX_OK) {
        code = ox_scan_next(&st->stream, ']', tensor->rank == 0, &more, err);
        if (code != OX_OK || !more) {
            break;
        }
        if (tensor->rank == OX_TENSOR_RANK_MAX) {
            return ox_err_set(err, OX_ETOOBIG, "a tensor has more than %d dimensions",
                              OX_TENSOR_RANK_MAX);
        }
        code = ox_scan_u64(&st->stream, &tensor->shape[tensor->rank++], err);
    }
    return code;
}

static enum ox_code read_offsets(struct safetensors *st, struct described *tensor,
                                 struct ox_err *err)
{
    enum ox_code code = ox_scan_expect(&st->stream, '[', err);

    if (code == OX_OK) {
        code = ox_scan_u64(&st->stream, &tensor->begin, err);
    }
    if (code == OX_OK) {
        code = ox_scan_expect(&st->stream, ',', err);
    }
    if (code == OX_OK) {
        code = ox_scan_u64(&st->stream, &tensor->end, err);
    }
    if (code == OX_OK) {
        code = ox_scan_expect(&st->stream, ']', err);
    }
    return code;
}

static enum ox_code read_member(struct safetensors *st, struct described *tensor,
                                struct ox_err *err)
{
    const struct {
        const char *key;
        bool *seen;
        enum ox_code (*read)(struct safetensors *, struct described *, struct ox_err *);
    } members[] = {
        {"dtype", &tensor->has_dtype, read_dtype},
        {"shape", &tensor->has_shape, read_shape},
        {"data_offsets", &tensor->has_offsets, read_offsets},
    };
    enum ox_code code = ox_scan_string(&st->stream, KEY_MAX_BYTES, &st->word, err);

    if (code == OX_OK) {
        code = ox_scan_expect(&st->stream, ':', err);
    }
    if (code != OX_OK) {
        return code;
    }
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (strcmp((const char *)st->word.data, members[i].key) == 0) {
            if (*members[i].seen) {
                return ox_err_set(err, OX_ECORRUPT, "a tensor has two %s", members[i].key);
            }
            *members[i].seen = true;
            return members[i].read(st, tensor, err);
        }
    }
    return ox_scan_skip(&st->stream, 2, err);
}

static enum ox_code check_tensor(const struct safetensors *st, const struct described *tensor,
                                 struct ox_err *err)
{
    struct ox_block block;
    uint64_t elements = 0;
    uint64_t wanted = 0;

    if (!tensor->has_dtype || !tensor->has_shape || !tensor->has_offsets) {
        return ox_err_set(err, OX_ECORRUPT, "it lacks dtype, shape or data_offsets");
    }
    if (tensor->begin > tensor->end || tensor->end > st->data_bytes) {
        return ox_err_set(err, OX_ECORRUPT,
                          "its data_offsets %" PRIu64 " to %" PRIu64 " do not lie in the %" PRIu64
                          " bytes of data: cut short or damaged",
                          tensor->begin, tensor->end, st->data_bytes);
    }
    if (!ox_shape_elements(tensor->shape, tensor->rank, &elements)) {
        return ox_err_set(err, OX_ECORRUPT, "its shape has more than 2^64 elements");
    }
    if (ox_dtype_block(tensor->dtype, &block) &&
        (!ox_block_length(block, elements, &wanted) || wanted != tensor->end - tensor->begin)) {
        return ox_err_set(err, OX_ECORRUPT,
                          "its shape and dtype do not make the %" PRIu64
                          " bytes of its data_offsets",
                          tensor->end - tensor->begin);
    }
    return OX_OK;
}

static enum ox_code read_tensor(struct safetensors *st, struct ox_err *err)
{
    struct described tensor = {0};
    bool more = true;
    enum ox_code code = ox_scan_expect(&st->stream, '{', err);

    for (bool first = true; code == OX_OK; first = false) {
        code = ox_scan_next(&st->stream, '}', first, &more, err);
        if (code != OX_OK || !more) {
            break;
        }
        code = read_member(st, &tensor, err);
    }
    if (code == OX_OK) {
        code = check_tensor(st, &tensor, err);
    }
    if (code == OX_OK) {
        code = ox_build_add(&st->build,
                            &(struct ox_found){.name = (const char *)st->name.data,
                                               .name_len = st->name.len_bytes,
                                               .dtype = tensor.dtype,
                                               .rank = tensor.rank,
                                               .shape = tensor.shape,
                                               .offset_bytes = st->data_start + tensor.begin,
                                               .length_bytes = tensor.end - tensor.begin},
                            err);
    }
    if (code != OX_OK) {
        char shown[OX_SHOWN_MAX];

        (void)ox_err_context(err, "tensor \"%s\"", ox_shown((const char *)st->name.data, shown));
    }
    return code;
}

static enum ox_code read_header(struct safetensors *st, struct ox_err *err)
{
    uint8_t rest = 0;
    bool more = true;
    enum ox_code code = ox_scan_expect(&st->stream, '{', err);

    for (bool first = true; code == OX_OK; first = false) {
        code = ox_scan_next(&st->stream, '}', first, &more, err);
        if (code != OX_OK || !more) {
            break;
        }
        code = ox_scan_string(&st->stream, OX_TENSOR_NAME_MAX, &st->name, err);
        if (code == OX_OK) {
            code = ox_scan_expect(&st->stream, ':', err);
        }
        if (code == OX_OK) {
            code = strcmp((const char *)st->name.data, "__metadata__") == 0
                       ? ox_scan_skip(&st->stream, 1, err)
                       : read_tensor(st, err);
        }
    }
    if (code == OX_OK) {
        code = ox_scan_peek(&st->stream, &rest, err);
    }
    if (code == OX_OK && st->stream.pos < st->stream.end) {
        code =
            ox_err_set(err, OX_ECORRUPT, "the header goes on behind its object at offset %" PRIu64,
                       st->stream.pos);
    }
    return code;
}

enum ox_code ox_safetensors_read(struct ox_layout *out, const struct ox_source *source,
                                 struct ox_err *err)
{
    struct safetensors st = {0};
    enum ox_code code = ox_stream_init(&st.stream, source, "its header", err);

    if (code == OX_OK) {
        code = read_length(&st, err);
    }
    if (code == OX_OK) {
        code = read_header(&st, err);
    }
    if (code == OX_OK) {
        code = ox_build_finish(&st.build, OX_FORMAT_SAFETENSORS, OX_NAMES_REFUSE,
                               source->size_bytes, out, err);
    }
    ox_buf_clear(&st.name);
    ox_buf_clear(&st.word);
    ox_build_clear(&st.build);
    ox_stream_clear(&st.stream);
    return code;
}

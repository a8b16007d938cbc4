/*
 * The first generation decodes a model, and encodes it again with the fields of each message in the
 * order of their numbers. Its skeleton is that encoding without the initializers' data; putting
 * each initializer's bytes back as raw_data, in that order, gives the target. Where the original
 * file was not encoded so, the target's digest does not come out and the patch is refused: that was
 * a defect of the format, and its authors never served such a patch knowingly.
 */
#include "v1_onnx.h"

#include <stdlib.h>
#include <string.h>

/* Field numbers of onnx.proto. */
enum { MODEL_GRAPH = 7, GRAPH_INITIALIZER = 5, TENSOR_NAME = 8, TENSOR_RAW_DATA = 9 };
enum { TENSOR_FLOAT_DATA = 4, TENSOR_DOUBLE_DATA = 10 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

#define TENSORS_MAX 65536

struct field {
    uint32_t number;
    unsigned wire;
    const uint8_t *whole; /* tag included */
    size_t whole_len;
    const uint8_t *data; /* of WIRE_BYTES */
    size_t data_len;
};

static enum ox_code read_field(struct ox_reader *reader, struct field *out, struct ox_err *err)
{
    const uint8_t *start = reader->data + reader->pos;
    uint64_t tag = 0;
    uint64_t value = 0;
    const uint8_t *bytes = NULL;
    enum ox_code code = ox_reader_varint(reader, &tag, err);

    if (code != OX_OK) {
        return code;
    }
    *out = (struct field){.number = (uint32_t)(tag >> 3), .wire = (unsigned)(tag & 7)};
    switch (out->wire) {
    case WIRE_VARINT:
        code = ox_reader_varint(reader, &value, err);
        break;
    case WIRE_64:
        code = ox_reader_bytes(reader, 8, &bytes, err);
        break;
    case WIRE_32:
        code = ox_reader_bytes(reader, 4, &bytes, err);
        break;
    case WIRE_BYTES:
        code = ox_reader_varint(reader, &value, err);
        if (code == OX_OK) {
            code =
                ox_reader_bytes(reader, value > SIZE_MAX ? SIZE_MAX : (size_t)value, &bytes, err);
        }
        out->data = bytes;
        out->data_len = (size_t)value;
        break;
    default:
        code = ox_err_set(err, OX_ECORRUPT, "a model in the patch has wire type %u", out->wire);
        break;
    }
    out->whole = start;
    out->whole_len = (size_t)(reader->data + reader->pos - start);
    return code;
}

static enum ox_code put_bytes_field(struct ox_buf *out, uint32_t number, const uint8_t *data,
                                    size_t len, struct ox_err *err)
{
    enum ox_code code;

    if ((code = ox_buf_put_varint(out, (uint64_t)number << 3 | WIRE_BYTES, err)) != OX_OK ||
        (code = ox_buf_put_varint(out, len, err)) != OX_OK) {
        return code;
    }
    return ox_buf_append(out, data, len, err);
}

/* Name and bytes of one TensorProto; data is NULL if it holds none that we can lend. */
static enum ox_code read_tensor(const uint8_t *bytes, size_t len, struct field *name,
                                struct field *data, struct ox_err *err)
{
    struct ox_reader reader;
    enum ox_code code = OX_OK;

    *name = (struct field){0};
    *data = (struct field){0};
    ox_reader_init(&reader, bytes, len, "tensor in a model");
    while (code == OX_OK && ox_reader_left(&reader) > 0) {
        struct field field;

        code = read_field(&reader, &field, err);
        if (code != OX_OK || field.wire != WIRE_BYTES) {
            continue;
        }
        if (field.number == TENSOR_NAME) {
            *name = field;
        } else if ((field.number == TENSOR_RAW_DATA && field.data_len > 0) ||
                   ((field.number == TENSOR_FLOAT_DATA || field.number == TENSOR_DOUBLE_DATA) &&
                    data->data == NULL)) {
            *data = field;
        }
    }
    return code;
}

/* The graph of a model. */
static enum ox_code find_graph(const struct ox_buf *model, struct field *graph, struct ox_err *err)
{
    struct ox_reader reader;

    ox_reader_init(&reader, model->data, model->len_bytes, "model");
    while (ox_reader_left(&reader) > 0) {
        struct field field;
        enum ox_code code = read_field(&reader, &field, err);

        if (code != OX_OK) {
            return code;
        }
        if (field.number == MODEL_GRAPH && field.wire == WIRE_BYTES) {
            *graph = field;
            return OX_OK;
        }
    }
    return ox_err_set(err, OX_ECORRUPT, "a model without a graph");
}

/* --- what is called by name ---*/

/* A chunk of the patch, or an initializer of the base. Looked up in sorted lists: the skeleton may
 * name millions of tensors. */
struct named {
    const uint8_t *name;
    size_t name_len;
    const uint8_t *data; /* of the base's tensor */
    size_t data_len;
    struct ox_oxdl1_chunk chunk;
    bool used;
};

struct names {
    struct ox_buf bytes; /* an array of struct named */
    size_t count;
};

static struct named *names_at(const struct names *names, size_t index)
{
    return (struct named *)(void *)names->bytes.data + index;
}

static enum ox_code names_add(struct names *names, const struct named *named, struct ox_err *err)
{
    if (names->count == TENSORS_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "a model has more than %d tensors", TENSORS_MAX);
    }
    names->count++;
    return ox_buf_append(&names->bytes, named, sizeof(*named), err);
}

static int compare_names(const struct named *a, const struct named *b)
{
    if (a->name_len != b->name_len) {
        return a->name_len < b->name_len ? -1 : 1;
    }
    return a->name_len == 0 ? 0 : memcmp(a->name, b->name, a->name_len);
}

static int by_name(const void *a, const void *b)
{
    return compare_names(a, b);
}

/* Sort; two of one name are refused: they would make one tensor mean two. */
static enum ox_code names_finish(struct names *names, struct ox_err *err)
{
    if (names->count > 0) {
        qsort(names->bytes.data, names->count, sizeof(struct named), by_name);
    }
    for (size_t i = 1; i < names->count; i++) {
        const struct named *named = names_at(names, i);

        if (compare_names(named - 1, named) == 0) {
            return ox_err_set(err, OX_ECORRUPT, "two tensors are called \"%.*s\"",
                              named->name_len > 64 ? 64 : (int)named->name_len,
                              (const char *)named->name);
        }
    }
    return OX_OK;
}

static struct named *names_find(const struct names *names, const uint8_t *name, size_t name_len)
{
    const struct named key = {.name = name, .name_len = name_len};

    return names->count == 0 ? NULL
                             : bsearch(&key, names->bytes.data, names->count, sizeof(key), by_name);
}

/* The initializers of the base. */
static enum ox_code list_tensors(const struct ox_buf *base, struct names *out, struct ox_err *err)
{
    struct ox_reader reader;
    struct field graph;
    enum ox_code code = find_graph(base, &graph, err);

    if (code != OX_OK) {
        return code;
    }
    ox_reader_init(&reader, graph.data, graph.data_len, "graph");
    while (code == OX_OK && ox_reader_left(&reader) > 0) {
        struct field field;
        struct field name;
        struct field data;

        code = read_field(&reader, &field, err);
        if (code != OX_OK || field.number != GRAPH_INITIALIZER || field.wire != WIRE_BYTES) {
            continue;
        }
        code = read_tensor(field.data, field.data_len, &name, &data, err);
        if (code == OX_OK) {
            code = names_add(out,
                             &(struct named){.name = name.data,
                                             .name_len = name.data_len,
                                             .data = data.data,
                                             .data_len = data.data_len},
                             err);
        }
    }
    return code == OX_OK ? names_finish(out, err) : code;
}

/* --- rebuilding ---*/

/* The bytes that a chunk gives its tensor, into out. */
static enum ox_code rebuild_tensor(const struct ox_oxdl1_chunk *chunk, const struct names *tensors,
                                   struct ox_buf *out, struct ox_err *err)
{
    const struct named *base = NULL;
    enum ox_code code;

    if (chunk->op != OX_OXDL1_REPLACE) {
        base = names_find(tensors, chunk->name, chunk->name_len);
        if (base == NULL) {
            return ox_err_set(
                err, OX_ECORRUPT, "the patch names a tensor \"%.*s\" that the base does not have",
                chunk->name_len > 64 ? 64 : (int)chunk->name_len, (const char *)chunk->name);
        }
    }
    if (chunk->op == OX_OXDL1_COPY) {
        out->len_bytes = 0;
        return ox_buf_append(out, base->data, base->data_len, err);
    }
    code = v1_unpack(chunk, NULL, out, err);
    if (code == OX_OK && chunk->op == OX_OXDL1_XOR) {
        if (out->len_bytes != base->data_len) {
            return ox_err_set(err, OX_ECORRUPT, "the patch XORs tensors of different sizes");
        }
        for (size_t i = 0; i < out->len_bytes; i++) {
            out->data[i] ^= base->data[i];
        }
    }
    return code;
}

/* Copy a TensorProto, raw_data put in between the fields of smaller and of greater numbers. */
static enum ox_code put_tensor(struct ox_buf *out, const struct field *tensor,
                               const struct ox_buf *raw, struct ox_err *err)
{
    struct ox_reader reader;
    bool placed = false;
    enum ox_code code = OX_OK;

    ox_reader_init(&reader, tensor->data, tensor->data_len, "tensor in a skeleton");
    while (code == OX_OK && ox_reader_left(&reader) > 0) {
        struct field field;

        code = read_field(&reader, &field, err);
        if (code == OX_OK && !placed && field.number > TENSOR_RAW_DATA) {
            code = put_bytes_field(out, TENSOR_RAW_DATA, raw->data, raw->len_bytes, err);
            placed = true;
        }
        if (code == OX_OK) {
            code = ox_buf_append(out, field.whole, field.whole_len, err);
        }
    }
    if (code == OX_OK && !placed) {
        code = put_bytes_field(out, TENSOR_RAW_DATA, raw->data, raw->len_bytes, err);
    }
    return code;
}

struct rebuild {
    struct names chunks;
    struct names tensors; /* of the base */
    uint64_t limit_bytes;
    struct ox_buf raw;
    struct ox_buf tensor;
};

static enum ox_code put_graph(struct rebuild *self, struct ox_buf *out, const struct field *graph,
                              struct ox_err *err)
{
    struct ox_reader reader;
    enum ox_code code = OX_OK;

    ox_reader_init(&reader, graph->data, graph->data_len, "graph in a skeleton");
    while (code == OX_OK && ox_reader_left(&reader) > 0) {
        struct named *chunk = NULL;
        struct field field;
        struct field name;
        struct field data;

        code = read_field(&reader, &field, err);
        if (code == OX_OK && field.number == GRAPH_INITIALIZER && field.wire == WIRE_BYTES) {
            code = read_tensor(field.data, field.data_len, &name, &data, err);
            chunk = code == OX_OK ? names_find(&self->chunks, name.data, name.data_len) : NULL;
        }
        if (code == OX_OK && chunk == NULL) {
            code = ox_buf_append(out, field.whole, field.whole_len, err);
        } else if (code == OX_OK && chunk->used) {
            code = ox_err_set(err, OX_ECORRUPT, "the skeleton names a tensor twice");
        } else if (code == OX_OK) {
            chunk->used = true;
            self->tensor.len_bytes = 0;
            if ((code = rebuild_tensor(&chunk->chunk, &self->tensors, &self->raw, err)) == OX_OK &&
                (code = put_tensor(&self->tensor, &field, &self->raw, err)) == OX_OK) {
                code = put_bytes_field(out, GRAPH_INITIALIZER, self->tensor.data,
                                       self->tensor.len_bytes, err);
            }
        }
        if (code == OX_OK && out->len_bytes > self->limit_bytes) {
            code = ox_err_set(err, OX_ECORRUPT, "the patch rebuilds more than it promised");
        }
    }
    return code;
}

static enum ox_code put_model(struct rebuild *self, struct ox_buf *out,
                              const struct ox_buf *skeleton, struct ox_err *err)
{
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_reader reader;
    enum ox_code code = OX_OK;

    out->len_bytes = 0;
    ox_reader_init(&reader, skeleton->data, skeleton->len_bytes, "skeleton of a model");
    while (code == OX_OK && ox_reader_left(&reader) > 0) {
        struct field field;

        code = read_field(&reader, &field, err);
        if (code == OX_OK && field.number == MODEL_GRAPH && field.wire == WIRE_BYTES) {
            graph.len_bytes = 0;
            if ((code = put_graph(self, &graph, &field, err)) == OX_OK) {
                code = put_bytes_field(out, MODEL_GRAPH, graph.data, graph.len_bytes, err);
            }
        } else if (code == OX_OK) {
            code = ox_buf_append(out, field.whole, field.whole_len, err);
        }
    }
    ox_buf_clear(&graph);
    return code;
}

enum ox_code v1_rebuild_onnx(struct ox_reader *reader, const struct ox_oxdl1_header *header,
                             const struct ox_buf *base, struct ox_buf *target, struct ox_err *err)
{
    static const char skeleton_name[] = "__skeleton__";
    struct rebuild self = {.limit_bytes = header->target_size_bytes};
    struct ox_buf skeleton = OX_BUF_INIT;
    bool have_skeleton = false;
    enum ox_code code = OX_OK;

    if (header->format != OX_OXDL1_ONNX) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "a tensor patch of version 1 can only be applied to ONNX");
    }
    for (uint32_t i = 0; code == OX_OK && i < header->chunk_count; i++) {
        struct ox_oxdl1_chunk chunk;

        if ((code = ox_oxdl1_read_chunk(reader, &chunk, err)) != OX_OK) {
            break;
        }
        if (chunk.uncompressed_bytes > self.limit_bytes) {
            code = ox_err_set(err, OX_ECORRUPT, "a chunk of %u bytes in a target of %llu",
                              chunk.uncompressed_bytes, (unsigned long long)self.limit_bytes);
        } else if (chunk.name_len != sizeof(skeleton_name) - 1 ||
                   memcmp(chunk.name, skeleton_name, chunk.name_len) != 0) {
            code = names_add(
                &self.chunks,
                &(struct named){.name = chunk.name, .name_len = chunk.name_len, .chunk = chunk},
                err);
        } else if (have_skeleton) {
            code = ox_err_set(err, OX_ECORRUPT, "a tensor patch with two skeletons");
        } else {
            code = v1_unpack(&chunk, NULL, &skeleton, err);
            have_skeleton = true;
        }
    }
    if (code == OX_OK && !have_skeleton) {
        code = ox_err_set(err, OX_ECORRUPT, "a tensor patch without its skeleton");
    }
    if (code == OX_OK && (code = names_finish(&self.chunks, err)) == OX_OK &&
        (code = list_tensors(base, &self.tensors, err)) == OX_OK) {
        code = put_model(&self, target, &skeleton, err);
    }
    ox_buf_clear(&self.chunks.bytes);
    ox_buf_clear(&self.tensors.bytes);
    ox_buf_clear(&self.raw);
    ox_buf_clear(&self.tensor);
    ox_buf_clear(&skeleton);
    return code;
}

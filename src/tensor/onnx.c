/*
 * ONNX: where the graphs of a model, their nodes and nested graphs hold tensors.
 * Field numbers: proto/onnx.proto, our subset of the public onnx.proto.
 *
 * Names. A tensor's own name serves where it is unique in the file: it is what two exports of one
 * model share. Constants without one are called like the value that their node puts out. Where
 * names repeat, as those of Constant nodes and of the branches of If often do, the path of the
 * graph goes in front: the first output of the node and the attribute at each level.
 */
#include "onnx.h"

#include "formats.h"
#include "oxide/tensor/limits.h"

#include <inttypes.h>
#include <string.h>

enum model_field {
    MODEL_IR_VERSION = 1,
    MODEL_GRAPH = 7,
    MODEL_OPSET_IMPORT = 8,
    MODEL_TRAINING_INFO = 20,
    MODEL_FUNCTIONS = 25,
};
enum training_field { TRAINING_INITIALIZATION = 1, TRAINING_ALGORITHM = 2 };
enum function_field { FUNCTION_NAME = 1, FUNCTION_NODE = 7 };
enum graph_field { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_SPARSE_INITIALIZER = 15 };
enum node_field { NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP_TYPE = 4, NODE_ATTRIBUTE = 5 };
enum attribute_field {
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_T = 5,
    ATTRIBUTE_G = 6,
    ATTRIBUTE_TENSORS = 10,
    ATTRIBUTE_GRAPHS = 11,
    ATTRIBUTE_SPARSE_TENSOR = 22,
    ATTRIBUTE_SPARSE_TENSORS = 23,
};
enum sparse_field { SPARSE_VALUES = 1, SPARSE_INDICES = 2, VALUES_NAME = 8 };

/* --- is it one? -------------------------------------------------------------------------------*/

/* How many fields may come before the graph (or, where the graph comes first, the versions). */
#define SNIFF_FIELDS_MAX 64

/* Wire types of the fields of ModelProto by number; NONE where there is no such field. */
#define NONE 9
static const uint8_t model_types[] = {
    NONE,        OX_WIRE_VARINT, OX_WIRE_LEN, OX_WIRE_LEN, OX_WIRE_LEN, OX_WIRE_VARINT, OX_WIRE_LEN,
    OX_WIRE_LEN, OX_WIRE_LEN,    NONE,        NONE,        NONE,        NONE,           NONE,
    OX_WIRE_LEN, NONE,           NONE,        NONE,        NONE,        NONE,           OX_WIRE_LEN,
    NONE,        NONE,           NONE,        NONE,        OX_WIRE_LEN, OX_WIRE_LEN,
};

/*
 * There is no magic number. A model is a run of fields that ModelProto has, with a version of the
 * format or of an operator set among them. A damaged one claims to be a model if it got so far.
 */
enum ox_code ox_onnx_sniff(const struct ox_source *source, bool *out, struct ox_err *err)
{
    struct ox_wire wire = {.fields_left = SNIFF_FIELDS_MAX};
    uint64_t pos = 0;
    bool has_version = false;
    bool has_graph = false;
    enum ox_code code = ox_stream_init(&wire.stream, source, "its model", err);

    *out = false;
    while (code == OX_OK && !(has_version && has_graph)) {
        struct ox_field field = {0};
        bool more = true;

        code = ox_wire_next(&wire, &pos, source->size_bytes, &field, &more, err);
        if (!more) {
            break;
        }
        if (field.number >= sizeof(model_types) ||
            (field.number > 0 && model_types[field.number] != field.type)) {
            has_version = false; /* also where the payload could not be measured */
            break;
        }
        has_version = has_version || field.number == MODEL_OPSET_IMPORT ||
                      (field.number == MODEL_IR_VERSION && field.value > 0 && field.value < 1000);
        has_graph = has_graph || field.number == MODEL_GRAPH;
    }
    if (code == OX_ECORRUPT || code == OX_ETOOBIG) {
        ox_err_clear(err);
        code = OX_OK;
    }
    *out = code == OX_OK && has_version && source->size_bytes >= 4;
    ox_stream_clear(&wire.stream);
    return code;
}

/* --- the path ---------------------------------------------------------------------------------*/

static enum ox_code push(struct ox_onnx *onnx, const struct ox_buf *segment, struct ox_err *err)
{
    if (segment->len_bytes > OX_TENSOR_NAME_MAX ||
        onnx->path.len_bytes > OX_TENSOR_NAME_MAX - segment->len_bytes) {
        return ox_err_set(err, OX_ETOOBIG, "the path of a nested graph exceeds %d bytes",
                          OX_TENSOR_NAME_MAX);
    }
    return ox_buf_append(&onnx->path, segment->data, segment->len_bytes, err);
}

static enum ox_code push_text(struct ox_onnx *onnx, const char *text, struct ox_err *err)
{
    return ox_buf_append(&onnx->path, text, strlen(text), err);
}

static void pop(struct ox_onnx *onnx, size_t len_bytes)
{
    onnx->path.len_bytes = len_bytes;
}

/* Put a message's text field behind the path, if it has one that is not empty. */
static enum ox_code push_field(struct ox_onnx *onnx, struct ox_span message, uint32_t number,
                               bool *pushed, struct ox_err *err)
{
    struct ox_span span = {0, 0};
    bool found = false;
    enum ox_code code = ox_wire_find(&onnx->wire, message, number, &span, &found, err);

    *pushed = false;
    if (code != OX_OK || !found || span.at == span.end) {
        return code;
    }
    code = ox_wire_text(&onnx->wire, span, OX_TENSOR_NAME_MAX, &onnx->text, err);
    if (code == OX_OK) {
        code = push(onnx, &onnx->text, err);
    }
    *pushed = code == OX_OK;
    return code;
}

/* --- nodes ------------------------------------------------------------------------------------*/

/*
 * A node or attribute that is being walked, whose segment of the path is put only when the first
 * tensor asks for it, and then once: names may stand behind what they name, and looking for them
 * each time would take time that grows with the square of the file.
 */
struct place {
    struct ox_span span;
    uint64_t index;   /* of a node in its graph, or of the next value in an attribute */
    size_t outer_len; /* of the path before the segment */
    bool pushed;
};

/* Its first output names a node best: outputs are unique in a graph, names may be absent. */
static enum ox_code push_node(struct ox_onnx *onnx, struct place *node, struct ox_err *err)
{
    static const uint32_t candidates[] = {NODE_OUTPUT, NODE_NAME, NODE_OP_TYPE};
    bool found = node->pushed;
    enum ox_code code = OX_OK;

    for (size_t i = 0; i < 3 && code == OX_OK && !found; i++) {
        code = push_field(onnx, node->span, candidates[i], &found, err);
        if (code == OX_OK && found && candidates[i] == NODE_OP_TYPE) {
            code = ox_buf_printf(&onnx->path, err, "%" PRIu64, node->index);
        }
    }
    node->pushed = true;
    return code;
}

/* "output/attribute" */
static enum ox_code push_attribute(struct ox_onnx *onnx, struct place *node,
                                   struct place *attribute, struct ox_err *err)
{
    bool found = false;
    enum ox_code code = OX_OK;

    if (attribute->pushed) {
        return OX_OK;
    }
    code = push_node(onnx, node, err);
    attribute->outer_len = onnx->path.len_bytes;
    attribute->pushed = true;
    if (code == OX_OK) {
        code = push_text(onnx, "/", err);
    }
    return code == OX_OK ? push_field(onnx, attribute->span, ATTRIBUTE_NAME, &found, err) : code;
}

static enum ox_code walk_graph(struct ox_onnx *onnx, struct ox_span span, struct ox_err *err);

/*
 * What the path holds from outer_len on is the name of values without one of their own. The indices
 * are called like their values: "weight/indices".
 */
static enum ox_code walk_sparse(struct ox_onnx *onnx, struct ox_span span, size_t outer_len,
                                struct ox_err *err)
{
    struct ox_span values = {0, 0};
    struct ox_span indices = {0, 0};
    bool found = false;
    bool named = false;
    enum ox_code code = ox_wire_find(&onnx->wire, span, SPARSE_VALUES, &values, &found, err);

    if (code == OX_OK && found) {
        code = ox_onnx_tensor(onnx, values, outer_len, err);
    }
    if (code == OX_OK) {
        code = ox_wire_find(&onnx->wire, span, SPARSE_INDICES, &indices, &found, err);
    }
    if (code == OX_OK && found) {
        code = push_text(onnx, "/", err);
    }
    if (code != OX_OK || !found) {
        return code;
    }
    if (values.at < values.end) {
        size_t segment_len = onnx->path.len_bytes;

        code = push_field(onnx, values, VALUES_NAME, &named, err);
        outer_len = named ? segment_len : outer_len;
    }
    if (code == OX_OK) {
        code = push_text(onnx, named ? "/indices" : "indices", err);
    }
    return code == OX_OK ? ox_onnx_tensor(onnx, indices, outer_len, err) : code;
}

/* The value of a Constant node is called like the node's output alone. */
static enum ox_code walk_tensor(struct ox_onnx *onnx, const struct place *node,
                                const struct place *attribute, struct ox_span span,
                                struct ox_err *err)
{
    static const char constant[] = "/value";
    size_t segment_len = onnx->path.len_bytes - attribute->outer_len;
    bool is_constant = segment_len == sizeof(constant) - 1 &&
                       memcmp(onnx->path.data + attribute->outer_len, constant, segment_len) == 0 &&
                       attribute->outer_len > node->outer_len;
    enum ox_code code;

    if (!is_constant) {
        return ox_onnx_tensor(onnx, span, node->outer_len, err);
    }
    pop(onnx, attribute->outer_len);
    code = ox_onnx_tensor(onnx, span, node->outer_len, err);
    return code == OX_OK ? push_text(onnx, constant, err) : code;
}

static enum ox_code walk_value(struct ox_onnx *onnx, struct place *node, struct place *attribute,
                               const struct ox_field *field, struct ox_err *err)
{
    bool list = field->number == ATTRIBUTE_TENSORS || field->number == ATTRIBUTE_GRAPHS ||
                field->number == ATTRIBUTE_SPARSE_TENSORS;
    bool graph = field->number == ATTRIBUTE_G || field->number == ATTRIBUTE_GRAPHS;
    size_t attribute_len;
    enum ox_code code = push_attribute(onnx, node, attribute, err);

    attribute_len = onnx->path.len_bytes;
    if (code == OX_OK && list) {
        code = ox_buf_printf(&onnx->path, err, "/%" PRIu64, attribute->index++);
    }
    if (code == OX_OK && graph) {
        code = push_text(onnx, "/", err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (graph) {
        code = walk_graph(onnx, field->span, err);
    } else if (field->number == ATTRIBUTE_T || field->number == ATTRIBUTE_TENSORS) {
        code = walk_tensor(onnx, node, attribute, field->span, err);
    } else {
        code = walk_sparse(onnx, field->span, node->outer_len, err);
    }
    pop(onnx, attribute_len);
    return code;
}

static bool holds_tensors(const struct ox_field *field)
{
    switch (field->number) {
    case ATTRIBUTE_T:
    case ATTRIBUTE_G:
    case ATTRIBUTE_TENSORS:
    case ATTRIBUTE_GRAPHS:
    case ATTRIBUTE_SPARSE_TENSOR:
    case ATTRIBUTE_SPARSE_TENSORS:
        return field->type == OX_WIRE_LEN;
    default:
        return false;
    }
}

static enum ox_code walk_attribute(struct ox_onnx *onnx, struct place *node, struct ox_span span,
                                   struct ox_err *err)
{
    struct place attribute = {.span = span};
    uint64_t pos = span.at;
    enum ox_code code = OX_OK;

    while (code == OX_OK) {
        struct ox_field field;
        bool more = true;

        code = ox_wire_next(&onnx->wire, &pos, span.end, &field, &more, err);
        if (code != OX_OK || !more) {
            break;
        }
        if (holds_tensors(&field)) {
            code = walk_value(onnx, node, &attribute, &field, err);
        }
    }
    if (attribute.pushed) {
        pop(onnx, attribute.outer_len);
    }
    return code;
}

static enum ox_code walk_node(struct ox_onnx *onnx, struct ox_span span, uint64_t index,
                              struct ox_err *err)
{
    struct place node = {.span = span, .index = index, .outer_len = onnx->path.len_bytes};
    uint64_t pos = span.at;
    enum ox_code code = OX_OK;

    while (code == OX_OK) {
        struct ox_field field;
        bool more = true;

        code = ox_wire_next(&onnx->wire, &pos, span.end, &field, &more, err);
        if (code != OX_OK || !more) {
            break;
        }
        if (field.number == NODE_ATTRIBUTE && field.type == OX_WIRE_LEN) {
            code = walk_attribute(onnx, &node, field.span, err);
        }
    }
    pop(onnx, node.outer_len);
    return code;
}

/* --- graphs and what holds them ---------------------------------------------------------------*/

static enum ox_code walk_graph_field(struct ox_onnx *onnx, const struct ox_field *field,
                                     uint64_t index, struct ox_err *err)
{
    size_t outer_len = onnx->path.len_bytes;
    enum ox_code code = OX_OK;

    if (field->type != OX_WIRE_LEN) {
        return OX_OK;
    }
    switch (field->number) {
    case GRAPH_NODE:
        return walk_node(onnx, field->span, index, err);
    case GRAPH_INITIALIZER:
        return ox_onnx_tensor(onnx, field->span, outer_len, err);
    case GRAPH_SPARSE_INITIALIZER:
        code = push_text(onnx, "sparse_initializer", err);
        if (code == OX_OK) {
            code = walk_sparse(onnx, field->span, outer_len, err);
        }
        pop(onnx, outer_len);
        return code;
    default:
        return OX_OK;
    }
}

static enum ox_code walk_graph(struct ox_onnx *onnx, struct ox_span span, struct ox_err *err)
{
    uint64_t pos = span.at;
    uint64_t nodes = 0;
    enum ox_code code = OX_OK;

    if (onnx->depth >= OX_ONNX_DEPTH_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "graphs nest deeper than %d at offset %" PRIu64,
                          OX_ONNX_DEPTH_MAX, span.at);
    }
    onnx->depth++;
    while (code == OX_OK) {
        struct ox_field field;
        bool more = true;

        code = ox_wire_next(&onnx->wire, &pos, span.end, &field, &more, err);
        if (code != OX_OK || !more) {
            break;
        }
        code = walk_graph_field(onnx, &field, nodes, err);
        nodes += field.number == GRAPH_NODE;
    }
    onnx->depth--;
    return code;
}

/* "function_name/" is the path of its nodes. */
static enum ox_code walk_function(struct ox_onnx *onnx, struct ox_span span, struct ox_err *err)
{
    uint64_t pos = span.at;
    uint64_t nodes = 0;
    bool pushed = false;
    enum ox_code code = push_field(onnx, span, FUNCTION_NAME, &pushed, err);

    if (code == OX_OK) {
        code = push_text(onnx, "/", err);
    }
    while (code == OX_OK) {
        struct ox_field field;
        bool more = true;

        code = ox_wire_next(&onnx->wire, &pos, span.end, &field, &more, err);
        if (code != OX_OK || !more) {
            break;
        }
        if (field.number == FUNCTION_NODE && field.type == OX_WIRE_LEN) {
            code = walk_node(onnx, field.span, nodes++, err);
        }
    }
    return code;
}

static enum ox_code walk_training(struct ox_onnx *onnx, struct ox_span span, struct ox_err *err)
{
    uint64_t pos = span.at;
    enum ox_code code = push_text(onnx, "training_info/", err);

    while (code == OX_OK) {
        struct ox_field field;
        bool more = true;

        code = ox_wire_next(&onnx->wire, &pos, span.end, &field, &more, err);
        if (code != OX_OK || !more) {
            break;
        }
        if ((field.number == TRAINING_INITIALIZATION || field.number == TRAINING_ALGORITHM) &&
            field.type == OX_WIRE_LEN) {
            code = walk_graph(onnx, field.span, err);
        }
    }
    return code;
}

static enum ox_code walk_model_field(struct ox_onnx *onnx, const struct ox_field *field,
                                     struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (field->type != OX_WIRE_LEN) {
        return OX_OK;
    }
    switch (field->number) {
    case MODEL_GRAPH:
        code = walk_graph(onnx, field->span, err);
        break;
    case MODEL_TRAINING_INFO:
        code = walk_training(onnx, field->span, err);
        break;
    case MODEL_FUNCTIONS:
        code = walk_function(onnx, field->span, err);
        break;
    default:
        break;
    }
    pop(onnx, 0);
    return code;
}

enum ox_code ox_onnx_read(struct ox_layout *out, const struct ox_source *source, struct ox_err *err)
{
    struct ox_onnx onnx = {.wire = {.fields_left = OX_ONNX_FIELDS_MAX}};
    uint64_t pos = 0;
    bool has_graph = false;
    enum ox_code code = ox_stream_init(&onnx.wire.stream, source, "its model", err);

    if (code == OX_OK) {
        code = ox_buf_reserve(&onnx.path, 1, err); /* so that it is never NULL */
    }
    while (code == OX_OK) {
        struct ox_field field;
        bool more = true;

        code = ox_wire_next(&onnx.wire, &pos, source->size_bytes, &field, &more, err);
        if (code != OX_OK || !more) {
            break;
        }
        has_graph = has_graph || (field.number == MODEL_GRAPH && field.type == OX_WIRE_LEN);
        code = walk_model_field(&onnx, &field, err);
    }
    if (code == OX_OK && !has_graph) {
        code = ox_err_set(err, OX_ECORRUPT, "it has no graph: cut short or damaged");
    }
    if (code == OX_OK) {
        code = ox_build_finish(&onnx.build, OX_FORMAT_ONNX, OX_NAMES_RENAME, source->size_bytes,
                               out, err);
    }
    ox_buf_clear(&onnx.path);
    ox_buf_clear(&onnx.name);
    ox_buf_clear(&onnx.text);
    ox_buf_clear(&onnx.location);
    ox_build_clear(&onnx.build);
    ox_stream_clear(&onnx.wire.stream);
    return code;
}

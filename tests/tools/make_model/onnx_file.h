/** Parts of make_model.c: a network as ONNX, written and read back. Field numbers are those of the
 *  public onnx.proto, most of them also in proto/onnx.proto. */
#ifndef MAKE_MODEL_ONNX_FILE_H
#define MAKE_MODEL_ONNX_FILE_H

#include "items.h"

#define EXTERNAL_ALIGNMENT 64

static void put_varint(struct ox_buf *out, uint64_t value)
{
    struct ox_err err = OX_ERR_INIT;

    check(ox_buf_put_varint(out, value, &err), &err);
}

static void put_number_field(struct ox_buf *out, unsigned number, uint64_t value)
{
    put_varint(out, number << 3);
    put_varint(out, value);
}

static void put_bytes_field(struct ox_buf *out, unsigned number, const void *bytes, size_t len)
{
    put_varint(out, number << 3 | 2);
    put_varint(out, len);
    put(out, bytes, len);
}

static void put_text_field(struct ox_buf *out, unsigned number, const char *text)
{
    put_bytes_field(out, number, text, strlen(text));
}

/* Put a message as a field, and empty it. */
static void put_message(struct ox_buf *out, unsigned number, struct ox_buf *message)
{
    put_bytes_field(out, number, message->data, message->len_bytes);
    message->len_bytes = 0;
}

static void put_entry(struct ox_buf *out, unsigned number, const char *key, const char *value)
{
    struct ox_buf entry = OX_BUF_INIT;

    put_text_field(&entry, 1, key);
    put_text_field(&entry, 2, value);
    put_message(out, number, &entry);
    ox_buf_clear(&entry);
}

/* external is NULL, or takes the tensor's bytes; location is then its name. */
static void put_initializer(struct ox_buf *graph, const struct item *item, struct ox_buf *external,
                            const char *location)
{
    struct ox_buf tensor = OX_BUF_INIT;
    struct ox_buf raw = OX_BUF_INIT;
    struct ox_buf *data = external == NULL ? &raw : external;
    char number[24];

    for (size_t i = 0; i < item->rank; i++) {
        put_number_field(&tensor, 1, item->shape[i]);
    }
    put_number_field(&tensor, 2, 1); /* FLOAT */
    put_text_field(&tensor, 8, item->name);
    while (data->len_bytes % EXTERNAL_ALIGNMENT != 0) {
        put(data, "", 1);
    }
    if (external != NULL) {
        put_entry(&tensor, 13, "location", location);
        (void)snprintf(number, sizeof(number), "%zu", data->len_bytes);
        put_entry(&tensor, 13, "offset", number);
        (void)snprintf(number, sizeof(number), "%zu", item_bytes(item));
        put_entry(&tensor, 13, "length", number);
        put_number_field(&tensor, 14, 1); /* EXTERNAL */
    }
    put_numbers(data, item->type, item->values, item_count(item));
    if (external == NULL) {
        put_message(&tensor, 9, &raw);
    }
    put_message(graph, 5, &tensor);
    ox_buf_clear(&tensor);
    ox_buf_clear(&raw);
}

static void put_node(struct ox_buf *graph, const char *op, size_t layer, const char *in,
                     const char *out)
{
    struct ox_buf node = OX_BUF_INIT;
    struct ox_buf attribute = OX_BUF_INIT;
    char text[NAME_MAX_BYTES];
    bool gemm = strcmp(op, "Gemm") == 0;

    put_text_field(&node, 1, in);
    for (size_t i = 0; gemm && i < 2; i++) {
        (void)snprintf(text, sizeof(text), "fc%zu.%s", layer, i == 0 ? "weight" : "bias");
        put_text_field(&node, 1, text);
    }
    put_text_field(&node, 2, out);
    (void)snprintf(text, sizeof(text), "/%s%zu", gemm ? "fc" : "relu", layer);
    put_text_field(&node, 3, text);
    put_text_field(&node, 4, op);
    if (gemm) {
        put_text_field(&attribute, 1, "transB");
        put_number_field(&attribute, 3, 1);
        put_number_field(&attribute, 20, 2); /* INT */
        put_message(&node, 5, &attribute);
    }
    put_message(graph, 1, &node);
    ox_buf_clear(&node);
    ox_buf_clear(&attribute);
}

/* A value of shape [batch, width]. */
static void put_value_info(struct ox_buf *graph, unsigned number, const char *name, size_t width)
{
    struct ox_buf dim = OX_BUF_INIT;
    struct ox_buf shape = OX_BUF_INIT;
    struct ox_buf tensor = OX_BUF_INIT;
    struct ox_buf type = OX_BUF_INIT;
    struct ox_buf info = OX_BUF_INIT;

    put_text_field(&dim, 2, "batch");
    put_message(&shape, 1, &dim);
    put_number_field(&dim, 1, width);
    put_message(&shape, 1, &dim);
    put_number_field(&tensor, 1, 1); /* FLOAT */
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text_field(&info, 1, name);
    put_message(&info, 2, &type);
    put_message(graph, number, &info);
    ox_buf_clear(&dim);
    ox_buf_clear(&shape);
    ox_buf_clear(&tensor);
    ox_buf_clear(&type);
    ox_buf_clear(&info);
}

static void write_onnx(const struct network *net, const struct items *items, struct ox_buf *out,
                       struct ox_buf *external, const char *location)
{
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf opset = OX_BUF_INIT;

    for (size_t i = 1; i <= net->count; i++) {
        char in[NAME_MAX_BYTES] = "input";
        char middle[NAME_MAX_BYTES];
        char result[NAME_MAX_BYTES] = "logits";

        if (i > 1) {
            (void)snprintf(in, sizeof(in), "/relu%zu_output", i - 1);
        }
        (void)snprintf(middle, sizeof(middle), "/fc%zu_output", i);
        put_node(&graph, "Gemm", i, in, i == net->count ? result : middle);
        if (i < net->count) {
            (void)snprintf(result, sizeof(result), "/relu%zu_output", i);
            put_node(&graph, "Relu", i, middle, result);
        }
    }
    put_text_field(&graph, 2, "digits");
    for (size_t i = 0; i < items->count; i++) {
        put_initializer(&graph, &items->items[i], external, location);
    }
    put_value_info(&graph, 11, "input", PIXELS);
    put_value_info(&graph, 12, "logits", DIGITS);

    put_number_field(out, 1, 7); /* ir_version of opset 13 */
    put_text_field(out, 2, "oxide make_model");
    put_message(out, 7, &graph);
    put_text_field(&opset, 1, "");
    put_number_field(&opset, 2, 13);
    put_message(out, 8, &opset);
    ox_buf_clear(&graph);
    ox_buf_clear(&opset);
}

struct field {
    uint64_t number;
    uint64_t value;
    struct ox_reader payload;
};

static bool next_field(struct ox_reader *message, struct field *field)
{
    uint64_t key = 0;
    const uint8_t *bytes = NULL;

    *field = (struct field){0};
    if (ox_reader_left(message) == 0 || ox_reader_varint(message, &key, NULL) != OX_OK ||
        ox_reader_varint(message, &field->value, NULL) != OX_OK) {
        return false;
    }
    field->number = key >> 3;
    if ((key & 7) != 2) {
        return (key & 7) == 0;
    }
    if (field->value > SIZE_MAX ||
        ox_reader_bytes(message, (size_t)field->value, &bytes, NULL) != OX_OK) {
        return false;
    }
    ox_reader_init(&field->payload, bytes, (size_t)field->value, "model");
    return true;
}

static void read_external_entry(struct ox_reader entry, size_t *offset)
{
    struct field key;
    struct field value;
    char digits[24] = {0};

    if (next_field(&entry, &key) && next_field(&entry, &value) && key.payload.len_bytes == 6 &&
        memcmp(key.payload.data, "offset", 6) == 0 && value.payload.len_bytes < sizeof(digits)) {
        memcpy(digits, value.payload.data, value.payload.len_bytes);
        *offset = (size_t)strtoull(digits, NULL, 10);
    }
}

static bool read_initializer(struct ox_reader tensor, const struct ox_buf *external,
                             struct item *item)
{
    struct field field;
    size_t offset = 0;
    size_t have = 0;

    *item = (struct item){.type = AS_F32};
    while (next_field(&tensor, &field)) {
        if (field.number == 1 && item->rank < 2) {
            item->shape[item->rank++] = (size_t)field.value;
        } else if (field.number == 8 && field.payload.len_bytes < NAME_MAX_BYTES) {
            memcpy(item->name, field.payload.data, field.payload.len_bytes);
        } else if (field.number == 9) {
            item->bytes = field.payload.data;
            have = field.payload.len_bytes;
        } else if (field.number == 13) {
            read_external_entry(field.payload, &offset);
        } else if (field.number == 14 && external != NULL && offset <= external->len_bytes) {
            item->bytes = external->data + offset;
            have = external->len_bytes - offset;
        }
    }
    return item->bytes != NULL && item->shape[0] <= WIDTH_MAX && item->shape[1] <= WIDTH_MAX &&
           item_bytes(item) <= have;
}

static bool read_onnx(const struct ox_buf *file, const struct ox_buf *external, struct items *out)
{
    struct ox_reader model;
    struct field field;

    *out = (struct items){0};
    ox_reader_init(&model, file->data, file->len_bytes, "model");
    while (next_field(&model, &field)) {
        struct ox_reader graph = field.payload;
        struct field inner;

        while (field.number == 7 && next_field(&graph, &inner)) {
            if (inner.number == 5) {
                if (out->count == 2 * LAYERS_MAX ||
                    !read_initializer(inner.payload, external, &out->items[out->count])) {
                    return false;
                }
                out->count++;
            }
        }
    }
    return ox_reader_left(&model) == 0;
}

#endif

#include "helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(enum ox_code code)
{
    assert_int_equal(code, OX_OK);
}

void put_bytes(struct ox_buf *out, const void *bytes, size_t len)
{
    must(ox_buf_append(out, bytes, len, NULL));
}

void put_text(struct ox_buf *out, const char *text)
{
    put_bytes(out, text, strlen(text));
}

void put_zeros(struct ox_buf *out, size_t len)
{
    must(ox_buf_reserve(out, len + 1, NULL));
    memset(out->data + out->len_bytes, 0, len);
    out->len_bytes += len;
}

void put_u32(struct ox_buf *out, uint32_t value)
{
    must(ox_buf_put_u32le(out, value, NULL));
}

void put_u64(struct ox_buf *out, uint64_t value)
{
    must(ox_buf_put_u64le(out, value, NULL));
}

void put_varint(struct ox_buf *out, uint64_t value)
{
    must(ox_buf_put_varint(out, value, NULL));
}

void put_number(struct ox_buf *out, uint32_t field, uint64_t value)
{
    put_varint(out, (uint64_t)field << 3);
    put_varint(out, value);
}

void put_payload(struct ox_buf *out, uint32_t field, const void *bytes, size_t len)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, len);
    put_bytes(out, bytes, len);
}

void put_string(struct ox_buf *out, uint32_t field, const char *text)
{
    put_payload(out, field, text, strlen(text));
}

void put_message(struct ox_buf *out, uint32_t field, struct ox_buf *message)
{
    put_payload(out, field, message->data, message->len_bytes);
    ox_buf_clear(message);
}

void put_tensor(struct ox_buf *out, uint32_t field, const char *name, uint64_t type,
                const uint64_t *shape, size_t rank, size_t raw_bytes)
{
    struct ox_buf tensor = OX_BUF_INIT;
    struct ox_buf raw = OX_BUF_INIT;

    for (size_t i = 0; i < rank; i++) {
        put_number(&tensor, 1, shape[i]);
    }
    put_number(&tensor, 2, type);
    if (name != NULL) {
        put_string(&tensor, 8, name);
    }
    put_zeros(&raw, raw_bytes);
    put_message(&tensor, 9, &raw);
    put_message(out, field, &tensor);
}

void put_floats(struct ox_buf *out, uint32_t field, const char *name, size_t count)
{
    const uint64_t shape[] = {count};

    put_tensor(out, field, name, 1, shape, 1, count * 4);
}

void put_external(struct ox_buf *out, uint32_t field, const char *name, size_t count,
                  const char *location, const char *offset, const char *length)
{
    const char *const entries[3][2] = {
        {"location", location}, {"offset", offset}, {"length", length}};
    struct ox_buf tensor = OX_BUF_INIT;

    put_number(&tensor, 1, count);
    put_number(&tensor, 2, 1);
    put_string(&tensor, 8, name);
    for (size_t i = 0; i < 3; i++) {
        struct ox_buf entry = OX_BUF_INIT;

        if (entries[i][1] != NULL) {
            put_string(&entry, 1, entries[i][0]);
            put_string(&entry, 2, entries[i][1]);
            put_message(&tensor, 13, &entry);
        }
    }
    put_number(&tensor, 14, 1);
    put_message(out, field, &tensor);
}

void put_constant(struct ox_buf *graph, const char *output, const char *tensor_name, size_t count)
{
    struct ox_buf node = OX_BUF_INIT;
    struct ox_buf attribute = OX_BUF_INIT;

    put_string(&node, 2, output);
    put_string(&node, 4, "Constant");
    put_string(&attribute, 1, "value");
    put_floats(&attribute, 5, tensor_name, count);
    put_message(&node, 5, &attribute);
    put_message(graph, 1, &node);
}

void put_graph_node(struct ox_buf *graph, const char *op, const char *output, const char *attribute,
                    struct ox_buf *inner)
{
    struct ox_buf node = OX_BUF_INIT;
    struct ox_buf held = OX_BUF_INIT;

    put_string(&node, 2, output);
    put_string(&node, 4, op);
    put_string(&held, 1, attribute);
    put_message(&held, 6, inner);
    put_message(&node, 5, &held);
    put_message(graph, 1, &node);
}

void put_model(struct ox_buf *out, struct ox_buf *graph)
{
    struct ox_buf opset = OX_BUF_INIT;

    put_number(out, 1, 7);
    put_string(out, 2, "test");
    put_message(out, 7, graph);
    put_number(&opset, 2, 13);
    put_message(out, 8, &opset);
}

void put_safetensors(struct ox_buf *out, const char *header, size_t data_bytes)
{
    put_u64(out, strlen(header));
    put_text(out, header);
    put_zeros(out, data_bytes);
}

void put_gguf_text(struct ox_buf *out, const char *text)
{
    put_u64(out, strlen(text));
    put_text(out, text);
}

void put_gguf_header(struct ox_buf *out, uint32_t version, uint64_t tensors, uint64_t pairs)
{
    put_text(out, "GGUF");
    put_u32(out, version);
    put_u64(out, tensors);
    put_u64(out, pairs);
}

void put_gguf_info(struct ox_buf *out, const char *name, const uint64_t *dims, uint32_t rank,
                   uint32_t type, uint64_t offset)
{
    put_gguf_text(out, name);
    put_u32(out, rank);
    for (uint32_t i = 0; i < rank; i++) {
        put_u64(out, dims[i]);
    }
    put_u32(out, type);
    put_u64(out, offset);
}

void put_gguf_data(struct ox_buf *out, size_t alignment, size_t data_bytes)
{
    put_zeros(out, (alignment - out->len_bytes % alignment) % alignment);
    put_zeros(out, data_bytes);
}

static enum ox_code read_cut(const struct ox_buf *bytes, size_t len, struct ox_layout *out,
                             struct ox_err *err)
{
    uint8_t *exact = malloc(len == 0 ? 1 : len);
    struct ox_memory memory = {exact, len};
    struct ox_source source = ox_memory_source(&memory);
    enum ox_code code;

    assert_non_null(exact);
    if (len > 0) {
        memcpy(exact, bytes->data, len);
    }
    code = ox_layout_read(out, &source, err);
    free(exact);
    return code;
}

enum ox_code read_layout(const struct ox_buf *bytes, struct ox_layout *out, struct ox_err *err)
{
    return read_cut(bytes, bytes->len_bytes, out, err);
}

void assert_sound(const struct ox_layout *layout, uint64_t size_bytes)
{
    uint64_t covered = 0;

    assert_true(layout->external_count <= layout->count);
    for (size_t i = 0; i < layout->count; i++) {
        const struct ox_tensor *tensor = &layout->tensors[i];
        bool external = i >= layout->count - layout->external_count;

        assert_non_null(tensor->name);
        assert_true((tensor->external != NULL) == external);
        assert_true(tensor->offset_bytes <= UINT64_MAX - tensor->length_bytes);
        assert_true(tensor->rank == 0 || tensor->shape != NULL);
        if (!external) {
            assert_true(tensor->offset_bytes >= covered);
            covered = tensor->offset_bytes + tensor->length_bytes;
            assert_true(covered <= size_bytes);
        }
    }
}

void assert_reads(struct ox_buf *bytes, size_t count, struct ox_layout *out)
{
    struct ox_err err = OX_ERR_INIT;

    if (read_layout(bytes, out, &err) != OX_OK) {
        fail_msg("refused: %s", err.msg);
    }
    assert_sound(out, bytes->len_bytes);
    assert_int_equal(out->count, count);
    ox_buf_clear(bytes);
}

void assert_refused(struct ox_buf *bytes, enum ox_code code, const char *words)
{
    struct ox_layout layout = {OX_FORMAT_GGUF, NULL, 77, 0, NULL};
    struct ox_err err = OX_ERR_INIT;
    enum ox_code got = read_layout(bytes, &layout, &err);

    if (got != code || strstr(err.msg, words) == NULL) {
        fail_msg("%s (%s) instead of %s (%s)", ox_code_word(got), err.msg, ox_code_word(code),
                 words);
    }
    assert_int_equal(layout.count, 77); /* untouched on failure */
    ox_buf_clear(bytes);
}

void assert_survives_cuts(struct ox_buf *bytes, size_t whole)
{
    for (size_t len = 0; len < bytes->len_bytes; len++) {
        struct ox_layout layout = OX_LAYOUT_INIT;
        struct ox_err err = OX_ERR_INIT;
        enum ox_code code = read_cut(bytes, len, &layout, &err);

        if (code == OX_OK) {
            assert_true(len >= whole);
            assert_sound(&layout, len);
        } else {
            assert_true(code == OX_ECORRUPT || code == OX_EUNSUPPORTED);
            assert_true(err.msg[0] != '\0');
        }
        ox_layout_clear(&layout);
    }
    ox_buf_clear(bytes);
}

const struct ox_tensor *find_tensor(const struct ox_layout *layout, const char *name)
{
    for (size_t i = 0; i < layout->count; i++) {
        if (strcmp(layout->tensors[i].name, name) == 0) {
            return &layout->tensors[i];
        }
    }
    for (size_t i = 0; i < layout->count; i++) {
        print_message("there is \"%s\"\n", layout->tensors[i].name);
    }
    fail_msg("no tensor \"%s\"", name);
    return NULL;
}

static enum ox_code count_read(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                               struct ox_err *err)
{
    struct counting *counting = ctx;
    size_t head = counting->head->len_bytes;
    size_t known = offset < head ? head - (size_t)offset : 0;

    (void)err;
    known = known < len_bytes ? known : len_bytes;
    memset(out, 0, len_bytes);
    if (known > 0) {
        memcpy(out, counting->head->data + offset, known);
    }
    counting->reads++;
    counting->bytes += len_bytes;
    return OX_OK;
}

struct ox_source counting_source(struct counting *counting, uint64_t size_bytes)
{
    return (struct ox_source){counting, size_bytes, count_read};
}

#include "helpers.h"

#include "oxide/tensor/limits.h"

#include <string.h>

static void read__finds_initializers(void **state)
{
    static const uint64_t shape[] = {3, 5};
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;
    const struct ox_tensor *tensor;
    size_t size;

    (void)state;
    put_tensor(&graph, 5, "w", 10, shape, 2, 30);
    put_floats(&graph, 5, "b", 7);
    put_model(&file, &graph);
    size = file.len_bytes;
    assert_reads(&file, 2, &layout);
    assert_int_equal(layout.format, OX_FORMAT_ONNX);
    tensor = find_tensor(&layout, "w");
    assert_int_equal(tensor->dtype, OX_DTYPE_F16);
    assert_int_equal(tensor->rank, 2);
    assert_int_equal(tensor->shape[0], 3);
    assert_int_equal(tensor->shape[1], 5);
    assert_int_equal(tensor->length_bytes, 30);
    assert_null(tensor->external);
    tensor = find_tensor(&layout, "b");
    assert_int_equal(tensor->length_bytes, 28);
    /* behind it come the tag, length and payload of opset_import */
    assert_int_equal(tensor->offset_bytes + 28, size - 4);
    ox_layout_clear(&layout);
}

static void read__takes_fields_in_any_order(void **state)
{
    struct ox_buf tensor = OX_BUF_INIT;
    struct ox_buf node = OX_BUF_INIT;
    struct ox_buf attribute = OX_BUF_INIT;
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_payload(&tensor, 9, "12345678", 8);
    put_number(&tensor, 2, 1);
    put_string(&tensor, 8, "late");
    put_payload(&tensor, 1, "\x01\x02", 2); /* dims, packed */
    put_message(&graph, 5, &tensor);

    put_payload(&tensor, 9, "1234", 4);
    put_number(&tensor, 2, 6);
    put_message(&attribute, 5, &tensor);
    put_string(&attribute, 1, "value");
    put_message(&node, 5, &attribute);
    put_string(&node, 2, "output");
    put_message(&graph, 1, &node);

    put_message(&file, 7, &graph);
    put_number(&file, 1, 7);
    assert_reads(&file, 2, &layout);
    assert_int_equal(find_tensor(&layout, "late")->rank, 2);
    assert_int_equal(find_tensor(&layout, "late")->shape[1], 2);
    assert_int_equal(find_tensor(&layout, "output")->dtype, OX_DTYPE_I32);
    assert_int_equal(find_tensor(&layout, "output")->rank, 0);
    ox_layout_clear(&layout);
}

static void read__maps_every_known_type(void **state)
{
    static const struct {
        uint64_t type;
        enum ox_dtype dtype;
        size_t bytes; /* of 3 elements */
    } rows[] = {
        {1, OX_DTYPE_F32, 12},    {2, OX_DTYPE_U8, 3},       {3, OX_DTYPE_I8, 3},
        {4, OX_DTYPE_U16, 6},     {5, OX_DTYPE_I16, 6},      {6, OX_DTYPE_I32, 12},
        {7, OX_DTYPE_I64, 24},    {9, OX_DTYPE_BOOL, 3},     {10, OX_DTYPE_F16, 6},
        {11, OX_DTYPE_F64, 24},   {12, OX_DTYPE_U32, 12},    {13, OX_DTYPE_U64, 24},
        {14, OX_DTYPE_OTHER, 24}, {16, OX_DTYPE_BF16, 6},    {17, OX_DTYPE_F8_E4M3, 3},
        {18, OX_DTYPE_OTHER, 3},  {19, OX_DTYPE_F8_E5M2, 3}, {21, OX_DTYPE_U4, 2},
        {22, OX_DTYPE_I4, 2},     {23, OX_DTYPE_OTHER, 2},   {999, OX_DTYPE_OTHER, 5},
    };
    static const uint64_t shape[] = {3};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf graph = OX_BUF_INIT;
        struct ox_buf file = OX_BUF_INIT;
        struct ox_layout layout = OX_LAYOUT_INIT;

        put_tensor(&graph, 5, "t", rows[i].type, shape, 1, rows[i].bytes);
        put_model(&file, &graph);
        assert_reads(&file, 1, &layout);
        assert_int_equal(layout.tensors[0].dtype, rows[i].dtype);
        assert_int_equal(layout.tensors[0].length_bytes, rows[i].bytes);
        ox_layout_clear(&layout);
    }
}

static void read__takes_packed_float_and_double_data(void **state)
{
    struct ox_buf tensor = OX_BUF_INIT;
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_number(&tensor, 1, 2);
    put_number(&tensor, 2, 1);
    put_payload(&tensor, 4, "abcdefgh", 8);
    put_string(&tensor, 8, "f");
    put_message(&graph, 5, &tensor);
    put_number(&tensor, 1, 1);
    put_number(&tensor, 2, 11);
    put_string(&tensor, 8, "d");
    put_payload(&tensor, 10, "ABCDEFGH", 8);
    put_message(&graph, 5, &tensor);
    put_model(&file, &graph);
    {
        const size_t f_at = (size_t)((uint8_t *)memchr(file.data, 'a', file.len_bytes) - file.data);
        const size_t d_at = (size_t)((uint8_t *)memchr(file.data, 'A', file.len_bytes) - file.data);

        assert_reads(&file, 2, &layout);
        assert_int_equal(find_tensor(&layout, "f")->offset_bytes, f_at);
        assert_int_equal(find_tensor(&layout, "f")->length_bytes, 8);
        assert_int_equal(find_tensor(&layout, "d")->offset_bytes, d_at);
    }
    ox_layout_clear(&layout);
}

static void read__leaves_data_of_varying_width_as_gap(void **state)
{
    struct ox_buf tensor = OX_BUF_INIT;
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_number(&tensor, 1, 3);
    put_number(&tensor, 2, 7);
    put_payload(&tensor, 7, "\x01\x02\x03", 3); /* int64_data */
    put_message(&graph, 5, &tensor);
    put_number(&tensor, 1, 2);
    put_number(&tensor, 2, 1);
    put_payload(&tensor, 4, "abcd", 4); /* float_data in two pieces */
    put_payload(&tensor, 4, "efgh", 4);
    put_message(&graph, 5, &tensor);
    put_number(&tensor, 2, 8);
    put_string(&tensor, 6, "text");
    put_message(&graph, 5, &tensor);
    put_floats(&graph, 5, "only", 1);
    put_model(&file, &graph);
    assert_reads(&file, 1, &layout);
    (void)find_tensor(&layout, "only");
    ox_layout_clear(&layout);
}

static void read__keeps_empty_tensors(void **state)
{
    static const uint64_t shape[] = {4, 0, 2};
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf tensor = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_tensor(&graph, 5, "empty_raw", 1, shape, 3, 0);
    put_number(&tensor, 1, 0);
    put_number(&tensor, 2, 1);
    put_string(&tensor, 8, "no_data");
    put_message(&graph, 5, &tensor);
    put_floats(&graph, 5, "full", 1);
    put_model(&file, &graph);
    assert_reads(&file, 3, &layout);
    assert_int_equal(find_tensor(&layout, "empty_raw")->length_bytes, 0);
    assert_int_equal(find_tensor(&layout, "no_data")->length_bytes, 0);
    ox_layout_clear(&layout);
}

static void read__finds_constants_subgraphs_functions_and_training(void **state)
{
    struct ox_buf inner = OX_BUF_INIT;
    struct ox_buf middle = OX_BUF_INIT;
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf node = OX_BUF_INIT;
    struct ox_buf attribute = OX_BUF_INIT;
    struct ox_buf function = OX_BUF_INIT;
    struct ox_buf training = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_constant(&inner, "deep_out", NULL, 2);
    put_graph_node(&middle, "Loop", "loop_out", "body", &inner);
    put_floats(&middle, 5, "branch_weight", 3);
    put_graph_node(&graph, "If", "if_out", "then_branch", &middle);
    put_constant(&graph, "const_out", "own_name", 1);

    put_string(&node, 2, "list_out");
    put_string(&attribute, 1, "values");
    put_floats(&attribute, 10, NULL, 1);
    put_floats(&attribute, 10, NULL, 1);
    put_message(&node, 5, &attribute);
    put_string(&attribute, 1, "cases");
    put_floats(&inner, 5, "case_weight", 1);
    put_message(&attribute, 11, &inner);
    put_message(&node, 5, &attribute);
    put_message(&graph, 1, &node);
    put_model(&file, &graph);

    put_string(&function, 1, "f");
    put_constant(&function, "f_out", NULL, 1);
    function.data[3] = 7 << 3 | 2; /* the node's field is 7 in a function, not 1 */
    put_message(&file, 25, &function);
    put_floats(&graph, 5, "trained", 1);
    put_message(&training, 2, &graph);
    put_message(&file, 20, &training);

    assert_reads(&file, 8, &layout);
    assert_int_equal(find_tensor(&layout, "deep_out")->length_bytes, 8);
    assert_int_equal(find_tensor(&layout, "branch_weight")->length_bytes, 12);
    (void)find_tensor(&layout, "own_name");
    (void)find_tensor(&layout, "list_out/values/0");
    (void)find_tensor(&layout, "list_out/values/1");
    (void)find_tensor(&layout, "case_weight");
    (void)find_tensor(&layout, "f_out");
    (void)find_tensor(&layout, "trained");
    ox_layout_clear(&layout);
}

static void read__finds_sparse_tensors(void **state)
{
    static const uint64_t shape[] = {2};
    struct ox_buf sparse = OX_BUF_INIT;
    struct ox_buf attribute = OX_BUF_INIT;
    struct ox_buf node = OX_BUF_INIT;
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_floats(&sparse, 1, "sw", 2);
    put_tensor(&sparse, 2, NULL, 7, shape, 1, 16);
    put_message(&graph, 15, &sparse);
    put_string(&node, 2, "out");
    put_string(&attribute, 1, "sparse_value");
    put_floats(&sparse, 1, NULL, 2);
    put_tensor(&sparse, 2, NULL, 7, shape, 1, 16);
    put_message(&attribute, 22, &sparse);
    put_message(&node, 5, &attribute);
    put_message(&graph, 1, &node);
    put_model(&file, &graph);
    assert_reads(&file, 4, &layout);
    assert_int_equal(find_tensor(&layout, "sw")->dtype, OX_DTYPE_F32);
    assert_int_equal(find_tensor(&layout, "sw/indices")->dtype, OX_DTYPE_I64);
    (void)find_tensor(&layout, "out/sparse_value");
    (void)find_tensor(&layout, "out/sparse_value/indices");
    ox_layout_clear(&layout);
}

static void read__makes_repeated_names_unique_by_path(void **state)
{
    struct ox_buf branch = OX_BUF_INIT;
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_floats(&branch, 5, "w", 1);
    put_graph_node(&graph, "If", "a", "then_branch", &branch);
    put_floats(&branch, 5, "w", 2);
    put_graph_node(&graph, "If", "a", "else_branch", &branch);
    put_floats(&graph, 5, "w", 3);
    put_floats(&graph, 5, "unique", 1);
    put_constant(&graph, "c1", "value", 4);
    put_constant(&graph, "c2", "value", 5);
    put_floats(&graph, 5, "same", 6);
    put_floats(&graph, 5, "same", 7);
    put_model(&file, &graph);
    assert_reads(&file, 8, &layout);
    assert_int_equal(find_tensor(&layout, "a/then_branch/w")->shape[0], 1);
    assert_int_equal(find_tensor(&layout, "a/else_branch/w")->shape[0], 2);
    assert_int_equal(find_tensor(&layout, "w")->shape[0], 3);
    (void)find_tensor(&layout, "unique");
    assert_int_equal(find_tensor(&layout, "c1/value")->shape[0], 4);
    assert_int_equal(find_tensor(&layout, "c2/value")->shape[0], 5);
    assert_int_equal(find_tensor(&layout, "same")->shape[0], 6);
    assert_int_equal(find_tensor(&layout, "same#2")->shape[0], 7);
    ox_layout_clear(&layout);
}

static void read__keeps_a_name_when_others_come(void **state)
{
    /* An unrelated tensor more must not rename those that another version shares. */
    struct ox_buf branch = OX_BUF_INIT;
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_floats(&graph, 5, "w", 3);
    put_constant(&graph, "c", NULL, 1);
    put_floats(&branch, 5, "w", 1);
    put_graph_node(&graph, "If", "a", "then_branch", &branch);
    put_model(&file, &graph);
    assert_reads(&file, 3, &layout);
    assert_int_equal(find_tensor(&layout, "w")->shape[0], 3);
    (void)find_tensor(&layout, "c");
    ox_layout_clear(&layout);
}

static void read__lists_external_data_last(void **state)
{
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_external(&graph, 5, "z", 4, "b.data", "64", "16");
    put_external(&graph, 5, "y", 4, "./sub//a.data", NULL, NULL);
    put_external(&graph, 5, "x", 2, "b.data", "0", "8");
    put_floats(&graph, 5, "inside", 1);
    put_model(&file, &graph);
    assert_reads(&file, 4, &layout);
    assert_int_equal(layout.external_count, 3);
    assert_string_equal(layout.tensors[0].name, "inside");
    assert_string_equal(layout.tensors[1].name, "x");
    assert_string_equal(layout.tensors[1].external, "b.data");
    assert_string_equal(layout.tensors[2].name, "z");
    assert_int_equal(layout.tensors[2].offset_bytes, 64);
    assert_string_equal(layout.tensors[3].external, "sub/a.data");
    assert_int_equal(layout.tensors[3].length_bytes, 16);
    ox_layout_clear(&layout);
}

static void read__refuses_bad_external_data(void **state)
{
    static const struct {
        const char *location;
        const char *offset;
        const char *length;
        const char *words;
    } rows[] = {
        {"/etc/passwd", "0", "16", "not a relative path"},
        {"../secret", "0", "16", "outside the model's folder"},
        {"a/../../b", "0", "16", "outside the model's folder"},
        {"a\\b", "0", "16", "not a relative path"},
        {"", "0", "16", "not a relative path"},
        {"./", "0", "16", "empty path"},
        {NULL, "0", "16", "without a location"},
        {"d", "-1", "16", "malformed offset or length"},
        {"d", "0x10", "16", "malformed offset or length"},
        {"d", "18446744073709551616", "16", "malformed offset or length"},
        {"d", "", "16", "malformed offset or length"},
        {"d", "18446744073709551615", "16", "beyond 2^64"},
        {"d", "0", "15", "shape and type make 16 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf graph = OX_BUF_INIT;
        struct ox_buf file = OX_BUF_INIT;

        put_external(&graph, 5, "t", 4, rows[i].location, rows[i].offset, rows[i].length);
        put_model(&file, &graph);
        assert_refused(&file, OX_ECORRUPT, rows[i].words);
    }
}

static void read__refuses_overflowing_shapes(void **state)
{
    static const uint64_t elements[] = {1ull << 33, 1ull << 33};
    static const uint64_t bytes[] = {1ull << 62, 2};
    static const uint64_t negative[] = {UINT64_MAX};
    static const struct {
        const uint64_t *shape;
        size_t rank;
        const char *words;
    } rows[] = {{elements, 2, "2^64"}, {bytes, 2, "2^64"}, {negative, 1, "negative dimension"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf graph = OX_BUF_INIT;
        struct ox_buf file = OX_BUF_INIT;

        put_tensor(&graph, 5, "t", 1, rows[i].shape, rows[i].rank, 16);
        put_model(&file, &graph);
        assert_refused(&file, OX_ECORRUPT, rows[i].words);
    }
}

static void read__refuses_data_of_the_wrong_size(void **state)
{
    static const uint64_t shape[] = {4};
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;

    (void)state;
    put_tensor(&graph, 5, "odd\nname", 1, shape, 1, 15);
    put_model(&file, &graph);
    assert_refused(&file, OX_ECORRUPT,
                   "onnx file: tensor \"odd?name\": its shape and type make 16");
}

static void read__refuses_what_exceeds_a_limit(void **state)
{
    uint64_t shape[OX_TENSOR_RANK_MAX + 1];
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_buf name = OX_BUF_INIT;

    (void)state;
    for (size_t i = 0; i <= OX_TENSOR_RANK_MAX; i++) {
        shape[i] = 1;
    }
    put_tensor(&graph, 5, "t", 1, shape, OX_TENSOR_RANK_MAX + 1, 4);
    put_model(&file, &graph);
    assert_refused(&file, OX_ETOOBIG, "dimensions");

    put_zeros(&name, OX_TENSOR_NAME_MAX + 1);
    memset(name.data, 'n', name.len_bytes);
    put_bytes(&name, "", 1);
    put_floats(&graph, 5, (const char *)name.data, 1);
    put_model(&file, &graph);
    assert_refused(&file, OX_ETOOBIG, "name");
    ox_buf_clear(&name);
}

static void nest(struct ox_buf *graph, size_t depth)
{
    put_floats(graph, 5, "w", 1);
    for (size_t i = 0; i < depth; i++) {
        struct ox_buf outer = OX_BUF_INIT;

        put_graph_node(&outer, "If", "o", "g", graph);
        *graph = outer;
    }
}

static void read__bounds_the_nesting_of_graphs(void **state)
{
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    nest(&graph, OX_ONNX_DEPTH_MAX - 1);
    put_model(&file, &graph);
    assert_reads(&file, 1, &layout);
    ox_layout_clear(&layout);
    for (size_t i = 0; i < 2 * OX_ONNX_DEPTH_MAX; i++) { /* beside each other they may be many */
        struct ox_buf inner = OX_BUF_INIT;

        nest(&inner, 0);
        put_graph_node(&graph, "If", "o", "g", &inner);
    }
    put_model(&file, &graph);
    assert_reads(&file, 2 * OX_ONNX_DEPTH_MAX, &layout);
    ox_layout_clear(&layout);
    nest(&graph, OX_ONNX_DEPTH_MAX);
    put_model(&file, &graph);
    assert_refused(&file, OX_ETOOBIG, "nest deeper");
}

static void read__refuses_names_with_nul(void **state)
{
    struct ox_buf tensor = OX_BUF_INIT;
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;

    (void)state;
    put_number(&tensor, 2, 1);
    put_payload(&tensor, 8, "a\0b", 3);
    put_payload(&tensor, 9, "1234", 4);
    put_message(&graph, 5, &tensor);
    put_model(&file, &graph);
    assert_refused(&file, OX_ECORRUPT, "NUL");
}

static void read__refuses_malformed_fields(void **state)
{
    static const struct {
        const char *graph;
        size_t len;
        const char *words;
    } rows[] = {
        {"\x2b", 1, "wire type 3"},                                        /* a group */
        {"\x2f", 1, "wire type 7"},                                        /* */
        {"\x02\x00", 2, "malformed field"},                                /* field 0 */
        {"\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10, "cut short"},     /* 2^63 bytes */
        {"\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "cut short"}, /* 2^64 - 1 bytes */
        {"\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, "malformed number"},
        {"\x2a\x80", 2, "cut short"},
        {"\x29\x01\x02", 3, "cut short"},
        {"\x2a\x03\x08", 3, "pass the end of their message"}, /* within the file, though */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf graph = OX_BUF_INIT;
        struct ox_buf file = OX_BUF_INIT;

        put_bytes(&graph, rows[i].graph, rows[i].len);
        put_model(&file, &graph);
        assert_refused(&file, OX_ECORRUPT, rows[i].words);
    }
}

static void read__survives_cuts_at_every_byte(void **state)
{
    struct ox_buf branch = OX_BUF_INIT;
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    size_t whole;

    (void)state;
    put_floats(&branch, 5, "inner", 4);
    put_graph_node(&graph, "If", "if_out", "then_branch", &branch);
    put_constant(&graph, "c", NULL, 3);
    put_external(&graph, 5, "ext", 4, "m.data", "0", "16");
    put_floats(&graph, 5, "w", 9);
    put_model(&file, &graph);
    whole = file.len_bytes - 4; /* the graph is there, opset_import (4 bytes) is not */
    assert_survives_cuts(&file, whole);
}

static void read__takes_no_text_for_a_model(void **state)
{
    static const char *const texts[] = {
        "", "\x08", "\x08\x07", "hello, world", "{\"a\": 1}", "\x08\x07garbage that is no field",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ox_buf file = OX_BUF_INIT;

        put_text(&file, texts[i]);
        assert_refused(&file, OX_EUNSUPPORTED, "treated as bytes");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__finds_initializers),
        cmocka_unit_test(read__takes_fields_in_any_order),
        cmocka_unit_test(read__maps_every_known_type),
        cmocka_unit_test(read__takes_packed_float_and_double_data),
        cmocka_unit_test(read__leaves_data_of_varying_width_as_gap),
        cmocka_unit_test(read__keeps_empty_tensors),
        cmocka_unit_test(read__finds_constants_subgraphs_functions_and_training),
        cmocka_unit_test(read__finds_sparse_tensors),
        cmocka_unit_test(read__makes_repeated_names_unique_by_path),
        cmocka_unit_test(read__keeps_a_name_when_others_come),
        cmocka_unit_test(read__lists_external_data_last),
        cmocka_unit_test(read__refuses_bad_external_data),
        cmocka_unit_test(read__refuses_overflowing_shapes),
        cmocka_unit_test(read__refuses_data_of_the_wrong_size),
        cmocka_unit_test(read__refuses_what_exceeds_a_limit),
        cmocka_unit_test(read__bounds_the_nesting_of_graphs),
        cmocka_unit_test(read__refuses_names_with_nul),
        cmocka_unit_test(read__refuses_malformed_fields),
        cmocka_unit_test(read__survives_cuts_at_every_byte),
        cmocka_unit_test(read__takes_no_text_for_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

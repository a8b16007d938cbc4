#include "helpers.h"

#include "oxide/tensor/limits.h"

#include <string.h>

#define T(begin, end) "{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[" #begin "," #end "]}"

static void refuse(const char *header, size_t data_bytes, enum ox_code code, const char *words)
{
    struct ox_buf file = OX_BUF_INIT;

    put_safetensors(&file, header, data_bytes);
    assert_refused(&file, code, words);
}

static void read__finds_tensors_in_any_order(void **state)
{
    static const char header[] =
        "{ \"__metadata__\" : {\"format\":\"pt\",\"nested\":[1,-2.5e3,{\"x\":[true,null]}]},\n"
        "\"b\":{\"data_offsets\":[24,30],\"shape\":[3],\"dtype\":\"BF16\"},"
        "\"a\":{\"dtype\":\"F32\",\"extra\":{\"y\":[]},\"shape\":[2,3],\"data_offsets\":[0,24]},"
        "\"s\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[30,38]}}   ";
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;
    uint64_t start = 8 + strlen(header);

    (void)state;
    put_safetensors(&file, header, 38);
    assert_reads(&file, 3, &layout);
    assert_int_equal(layout.format, OX_FORMAT_SAFETENSORS);
    assert_string_equal(layout.tensors[0].name, "a");
    assert_int_equal(layout.tensors[0].offset_bytes, start);
    assert_int_equal(layout.tensors[0].dtype, OX_DTYPE_F32);
    assert_int_equal(layout.tensors[0].shape[1], 3);
    assert_string_equal(layout.tensors[1].name, "b");
    assert_int_equal(layout.tensors[1].length_bytes, 6);
    assert_int_equal(layout.tensors[2].rank, 0);
    assert_null(layout.tensors[2].shape);
    ox_layout_clear(&layout);
}

static void read__maps_every_known_type(void **state)
{
    static const struct {
        const char *word;
        enum ox_dtype dtype;
        unsigned bytes;
    } rows[] = {
        {"F64", OX_DTYPE_F64, 8},         {"F32", OX_DTYPE_F32, 4},
        {"F16", OX_DTYPE_F16, 2},         {"BF16", OX_DTYPE_BF16, 2},
        {"F8_E4M3", OX_DTYPE_F8_E4M3, 1}, {"F8_E5M2", OX_DTYPE_F8_E5M2, 1},
        {"I64", OX_DTYPE_I64, 8},         {"I32", OX_DTYPE_I32, 4},
        {"I16", OX_DTYPE_I16, 2},         {"I8", OX_DTYPE_I8, 1},
        {"U64", OX_DTYPE_U64, 8},         {"U32", OX_DTYPE_U32, 4},
        {"U16", OX_DTYPE_U16, 2},         {"U8", OX_DTYPE_U8, 1},
        {"BOOL", OX_DTYPE_BOOL, 1},       {"F4", OX_DTYPE_OTHER, 3},
        {"C64", OX_DTYPE_OTHER, 8},       {"from the future", OX_DTYPE_OTHER, 13},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf header = OX_BUF_INIT;
        struct ox_buf file = OX_BUF_INIT;
        struct ox_layout layout = OX_LAYOUT_INIT;

        assert_int_equal(
            ox_buf_printf(&header, NULL,
                          "{\"t\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,%u]}}",
                          rows[i].word, rows[i].bytes),
            OX_OK);
        put_safetensors(&file, (const char *)header.data, rows[i].bytes);
        assert_reads(&file, 1, &layout);
        assert_int_equal(layout.tensors[0].dtype, rows[i].dtype);
        ox_layout_clear(&layout);
        ox_buf_clear(&header);
    }
}

static void read__resolves_escapes_in_names(void **state)
{
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_safetensors(&file, "{\"q\\\"\\\\\\/\\n\\u0041\\u00e9\\u20AC\\ud83d\\ude00\":" T(0, 4) "}",
                    4);
    assert_reads(&file, 1, &layout);
    assert_string_equal(layout.tensors[0].name, "q\"\\/\nA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    ox_layout_clear(&layout);
}

static void read__takes_an_empty_header(void **state)
{
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_safetensors(&file, "{}", 0);
    assert_reads(&file, 0, &layout);
    ox_layout_clear(&layout);
}

static void read__keeps_empty_tensors_and_gaps(void **state)
{
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_safetensors(&file,
                    "{\"e\":{\"dtype\":\"F32\",\"shape\":[0,9],\"data_offsets\":[4,4]},"
                    "\"t\":" T(4, 8) "}",
                    12);
    assert_reads(&file, 2, &layout);
    assert_string_equal(layout.tensors[0].name, "e");
    assert_int_equal(layout.tensors[0].length_bytes, 0);
    ox_layout_clear(&layout);
}

static void read__refuses_bad_offsets(void **state)
{
    (void)state;
    refuse("{\"t\":" T(4, 0) "}", 8, OX_ECORRUPT, "do not lie in");
    refuse("{\"t\":" T(5, 9) "}", 8, OX_ECORRUPT, "do not lie in");
    refuse("{\"t\":" T(18446744073709551612, 18446744073709551615) "}", 8, OX_ECORRUPT,
           "do not lie in");
    refuse("{\"t\":" T(0, 5) "}", 8, OX_ECORRUPT, "do not make the 5");
    refuse("{\"t\":" T(-1, 3) "}", 8, OX_ECORRUPT, "whole number");
    refuse("{\"t\":" T(0, 4.0) "}", 8, OX_ECORRUPT, "']' expected");
    refuse("{\"t\":" T(0, 99999999999999999999) "}", 8, OX_ECORRUPT, "under 2^64");
    refuse("{\"t\":" T(00, 4) "}", 8, OX_ECORRUPT, "whole number");
}

static void read__refuses_overlaps_and_duplicates(void **state)
{
    (void)state;
    refuse("{\"a\":" T(0, 4) ",\"b\":" T(2, 6) "}", 8, OX_ECORRUPT, "\"a\" and \"b\" overlap");
    refuse("{\"a\":" T(0, 4) ",\"a\":" T(4, 8) "}", 8, OX_ECORRUPT, "two tensors are named");
    refuse("{\"a\":" T(0, 4) ",\"\\u0061\":" T(4, 8) "}", 8, OX_ECORRUPT, "two tensors are named");
    refuse("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 8,
           OX_ECORRUPT, "two dtype");
}

static void read__refuses_overflowing_shapes(void **state)
{
    (void)state;
    refuse("{\"t\":{\"dtype\":\"F4\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,4]}}",
           8, OX_ECORRUPT, "2^64 elements");
    refuse("{\"t\":{\"dtype\":\"F64\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 8,
           OX_ECORRUPT, "do not make");
}

static void read__refuses_malformed_headers(void **state)
{
    static const struct {
        const char *header;
        const char *words;
    } rows[] = {
        {"{\"a\":{}}", "lacks dtype"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}", "lacks dtype"},
        {"{\"a\":5}", "'{' expected"},
        {"{\"a\" " T(0, 4) "}", "':' expected"},
        {"{\"a\":" T(0, 4) "} x", "goes on behind"},
        {"{\"a\":" T(0, 4) ",}", "'\"' expected"},
        {"{\"a\":" T(0, 4), "',' expected"},
        {"{\"\\u0000\":" T(0, 4) "}", "escaped NUL"},
        {"{\"\\ud800x\":" T(0, 4) "}", "surrogate"},
        {"{\"\\ud800\\u0041\":" T(0, 4) "}", "surrogate"},
        {"{\"\\udc00\":" T(0, 4) "}", "surrogate"},
        {"{\"\\u12g4\":" T(0, 4) "}", "hex digits"},
        {"{\"\\x\":" T(0, 4) "}", "unknown escape"},
        {"{\"a\nb\":" T(0, 4) "}", "control character"},
        {"{\"a", "cut short"},
        {"{\"__metadata__\":}", "a value expected"},
        {"{\"__metadata__\":{\"a\":[1,2}}", "',' expected"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        refuse(rows[i].header, 8, OX_ECORRUPT, rows[i].words);
    }
}

static void read__refuses_what_exceeds_a_limit(void **state)
{
    struct ox_buf header = OX_BUF_INIT;

    (void)state;
    put_text(&header, "{\"__metadata__\":");
    for (size_t i = 0; i <= OX_SAFETENSORS_DEPTH_MAX; i++) {
        put_text(&header, "[");
    }
    put_bytes(&header, "", 1);
    refuse((const char *)header.data, 8, OX_ETOOBIG, "nests deeper");
    ox_buf_clear(&header);

    put_text(&header, "{\"t\":{\"dtype\":\"U8\",\"shape\":[1");
    for (size_t i = 0; i < OX_TENSOR_RANK_MAX; i++) {
        put_text(&header, ",1");
    }
    put_text(&header, "],\"data_offsets\":[0,1]}}");
    put_bytes(&header, "", 1);
    refuse((const char *)header.data, 8, OX_ETOOBIG, "dimensions");
    ox_buf_clear(&header);

    put_text(&header, "{\"");
    put_zeros(&header, OX_TENSOR_NAME_MAX + 1);
    memset(header.data + 2, 'n', OX_TENSOR_NAME_MAX + 1);
    put_text(&header, "\":" T(0, 4) "}");
    put_bytes(&header, "", 1);
    refuse((const char *)header.data, 8, OX_ETOOBIG, "exceeds 16384 bytes");
    ox_buf_clear(&header);

    /* A file that is long enough for a header over the limit: nothing of it is read. */
    put_u64(&header, OX_SAFETENSORS_HEADER_MAX + 1u);
    put_text(&header, "{\"");
    {
        struct counting counting = {.head = &header};
        struct ox_source source = counting_source(&counting, 1ull << 30);
        struct ox_layout layout = OX_LAYOUT_INIT;

        assert_int_equal(ox_layout_read(&layout, &source, NULL), OX_ETOOBIG);
        assert_true(counting.bytes < 100000);
    }
    ox_buf_clear(&header);
}

static void read__refuses_headers_longer_than_the_file(void **state)
{
    static const uint64_t promised[] = {30, 1ull << 32, 1ull << 63, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(promised) / sizeof(promised[0]); i++) {
        struct ox_buf file = OX_BUF_INIT;

        put_u64(&file, promised[i]);
        put_text(&file, "{\"a\":" T(0, 4));
        file.len_bytes = 8 + 29;
        assert_refused(&file, OX_ECORRUPT, "is promised");
    }
}

static void read__takes_no_text_for_a_model(void **state)
{
    struct ox_buf file = OX_BUF_INIT;

    (void)state;
    put_text(&file, "[1,2,3, {\"a\": 1}]");
    assert_refused(&file, OX_EUNSUPPORTED, "treated as bytes");
}

static void read__survives_cuts_at_every_byte(void **state)
{
    struct ox_buf file = OX_BUF_INIT;
    size_t whole;

    (void)state;
    put_safetensors(
        &file, "{\"__metadata__\":{\"a\":\"b\\n\"},\"\\u00e9\":" T(0, 4) ",\"b\":" T(4, 8) "}", 8);
    whole = file.len_bytes;
    assert_survives_cuts(&file, whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__finds_tensors_in_any_order),
        cmocka_unit_test(read__maps_every_known_type),
        cmocka_unit_test(read__resolves_escapes_in_names),
        cmocka_unit_test(read__takes_an_empty_header),
        cmocka_unit_test(read__keeps_empty_tensors_and_gaps),
        cmocka_unit_test(read__refuses_bad_offsets),
        cmocka_unit_test(read__refuses_overlaps_and_duplicates),
        cmocka_unit_test(read__refuses_overflowing_shapes),
        cmocka_unit_test(read__refuses_malformed_headers),
        cmocka_unit_test(read__refuses_what_exceeds_a_limit),
        cmocka_unit_test(read__refuses_headers_longer_than_the_file),
        cmocka_unit_test(read__takes_no_text_for_a_model),
        cmocka_unit_test(read__survives_cuts_at_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

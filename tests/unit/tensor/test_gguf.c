#include "helpers.h"

#include "oxide/tensor/limits.h"

#include <string.h>

/* A file of one tensor [32 x 2] of this type, with so many bytes of data. */
static void put_one(struct ox_buf *out, uint32_t type, uint64_t offset, size_t data_bytes)
{
    static const uint64_t dims[] = {256, 2};

    put_gguf_header(out, 3, 1, 0);
    put_gguf_info(out, "t", dims, 2, type, offset);
    put_gguf_data(out, 32, data_bytes);
}

static void read__finds_tensors_with_dimensions_reversed(void **state)
{
    static const uint64_t weight[] = {64, 3};
    static const uint64_t bias[] = {3};

    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        struct ox_buf file = OX_BUF_INIT;
        struct ox_layout layout = OX_LAYOUT_INIT;
        uint64_t start;

        put_gguf_header(&file, version, 3, 0);
        put_gguf_info(&file, "bias", bias, 1, 0, 224); /* not in the order of offsets */
        put_gguf_info(&file, "weight", weight, 2, 8, 0);
        put_gguf_info(&file, "scalar", NULL, 0, 0, 256);
        put_gguf_data(&file, 32, 0);
        start = file.len_bytes;
        put_zeros(&file, 260);
        assert_reads(&file, 3, &layout);
        assert_int_equal(layout.format, OX_FORMAT_GGUF);
        assert_string_equal(layout.tensors[0].name, "weight");
        assert_int_equal(layout.tensors[0].dtype, OX_DTYPE_Q8_0);
        assert_int_equal(layout.tensors[0].offset_bytes, start);
        assert_int_equal(layout.tensors[0].length_bytes, 2 * 3 * 34);
        assert_int_equal(layout.tensors[0].shape[0], 3);
        assert_int_equal(layout.tensors[0].shape[1], 64);
        assert_int_equal(layout.tensors[1].offset_bytes, start + 224);
        assert_int_equal(layout.tensors[1].length_bytes, 12);
        assert_int_equal(layout.tensors[2].length_bytes, 4);
        ox_layout_clear(&layout);
    }
}

static void read__sizes_every_known_type(void **state)
{
    static const struct {
        uint32_t type;
        enum ox_dtype dtype;
        size_t bytes; /* of 512 elements */
    } rows[] = {
        {0, OX_DTYPE_F32, 2048},    {1, OX_DTYPE_F16, 1024},    {2, OX_DTYPE_Q4_0, 288},
        {3, OX_DTYPE_Q4_1, 320},    {6, OX_DTYPE_Q5_0, 352},    {7, OX_DTYPE_Q5_1, 384},
        {8, OX_DTYPE_Q8_0, 544},    {9, OX_DTYPE_Q8_1, 576},    {10, OX_DTYPE_Q2_K, 168},
        {11, OX_DTYPE_Q3_K, 220},   {12, OX_DTYPE_Q4_K, 288},   {13, OX_DTYPE_Q5_K, 352},
        {14, OX_DTYPE_Q6_K, 420},   {15, OX_DTYPE_Q8_K, 584},   {16, OX_DTYPE_OTHER, 132},
        {20, OX_DTYPE_IQ4_NL, 288}, {23, OX_DTYPE_IQ4_XS, 272}, {24, OX_DTYPE_I8, 512},
        {25, OX_DTYPE_I16, 1024},   {26, OX_DTYPE_I32, 2048},   {27, OX_DTYPE_I64, 4096},
        {28, OX_DTYPE_F64, 4096},   {30, OX_DTYPE_BF16, 1024},  {34, OX_DTYPE_OTHER, 108},
        {39, OX_DTYPE_OTHER, 272},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf file = OX_BUF_INIT;
        struct ox_layout layout = OX_LAYOUT_INIT;

        put_one(&file, rows[i].type, 0, 5000);
        assert_reads(&file, 1, &layout);
        assert_int_equal(layout.tensors[0].dtype, rows[i].dtype);
        assert_int_equal(layout.tensors[0].length_bytes, rows[i].bytes);
        ox_layout_clear(&layout);
    }
}

static void read__lets_unknown_types_reach_to_the_next_tensor(void **state)
{
    static const uint64_t dims[] = {5};
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_gguf_header(&file, 3, 3, 0);
    put_gguf_info(&file, "last", dims, 1, 4, 128);
    put_gguf_info(&file, "first", dims, 1, 77, 0);
    put_gguf_info(&file, "known", dims, 1, 0, 96);
    put_gguf_data(&file, 32, 200);
    assert_reads(&file, 3, &layout);
    assert_int_equal(find_tensor(&layout, "first")->dtype, OX_DTYPE_OTHER);
    assert_int_equal(find_tensor(&layout, "first")->length_bytes, 96);
    assert_int_equal(find_tensor(&layout, "known")->length_bytes, 20);
    assert_int_equal(find_tensor(&layout, "last")->length_bytes, 72);
    ox_layout_clear(&layout);
}

static void put_metadata(struct ox_buf *file)
{
    put_gguf_text(file, "a.string");
    put_u32(file, 8);
    put_gguf_text(file, "value");
    put_gguf_text(file, "an.array.of.strings");
    put_u32(file, 9);
    put_u32(file, 8);
    put_u64(file, 2);
    put_gguf_text(file, "x");
    put_gguf_text(file, "");
    put_gguf_text(file, "an.array.of.arrays");
    put_u32(file, 9);
    put_u32(file, 9);
    put_u64(file, 1);
    put_u32(file, 5);
    put_u64(file, 3);
    put_zeros(file, 12);
    put_gguf_text(file, "a.double");
    put_u32(file, 12);
    put_u64(file, 0);
    put_gguf_text(file, "general.alignment");
    put_u32(file, 4);
    put_u32(file, 128);
}

static void read__skips_metadata_and_heeds_the_alignment(void **state)
{
    static const uint64_t dims[] = {32};
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_gguf_header(&file, 3, 1, 5);
    put_metadata(&file);
    put_gguf_info(&file, "t", dims, 1, 0, 128);
    put_gguf_data(&file, 128, 256);
    assert_reads(&file, 1, &layout);
    assert_int_equal(layout.tensors[0].offset_bytes % 128, 0);
    assert_int_equal(layout.tensors[0].offset_bytes, 128 * 3 + 128);
    ox_layout_clear(&layout);
}

static void read__refuses_bad_metadata(void **state)
{
    static const struct {
        uint32_t type;
        uint32_t inner;
        uint64_t count;
        enum ox_code code;
        const char *words;
    } rows[] = {
        {13, 0, 0, OX_ECORRUPT, "unknown metadata type 13"},
        {UINT32_MAX, 0, 0, OX_ECORRUPT, "unknown metadata type"},
        {9, 99, 1, OX_ECORRUPT, "unknown metadata type 99"},
        {9, 10, 1ull << 61, OX_ECORRUPT, "does not fit"},
        {9, 10, UINT64_MAX, OX_ECORRUPT, "does not fit"},
        {9, 8, UINT64_MAX, OX_ECORRUPT, "cut short"},
        {8, UINT32_MAX, UINT32_MAX, OX_ECORRUPT, "cut short"}, /* read as a length of 2^64 - 1 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf file = OX_BUF_INIT;

        put_gguf_header(&file, 3, 0, 1);
        put_gguf_text(&file, "key");
        put_u32(&file, rows[i].type);
        put_u32(&file, rows[i].inner);
        put_u64(&file, rows[i].count);
        assert_refused(&file, rows[i].code, rows[i].words);
    }
}

static void read__bounds_the_nesting_of_arrays(void **state)
{
    struct ox_buf file = OX_BUF_INIT;

    (void)state;
    put_gguf_header(&file, 3, 0, 1);
    put_gguf_text(&file, "key");
    put_u32(&file, 9);
    for (size_t i = 0; i <= OX_GGUF_DEPTH_MAX; i++) {
        put_u32(&file, 9);
        put_u64(&file, 1);
    }
    put_zeros(&file, 100);
    assert_refused(&file, OX_ETOOBIG, "nest deeper");
}

static void read__refuses_bad_alignments(void **state)
{
    static const uint32_t values[] = {0, 3, 24, 1u << 21, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct ox_buf file = OX_BUF_INIT;

        put_gguf_header(&file, 3, 0, 1);
        put_gguf_text(&file, "general.alignment");
        put_u32(&file, 4);
        put_u32(&file, values[i]);
        assert_refused(&file, OX_ECORRUPT, "power of two");
    }
}

static void read__refuses_versions_that_it_does_not_know(void **state)
{
    static const struct {
        uint32_t version;
        const char *words;
    } rows[] = {
        {0, "version 0"},
        {1, "version 1"},
        {4, "version 4"},
        {3u << 24, "big-endian"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf file = OX_BUF_INIT;

        put_gguf_header(&file, rows[i].version, 0, 0);
        assert_refused(&file, OX_EUNSUPPORTED, rows[i].words);
    }
}

static void read__refuses_counts_over_the_limits(void **state)
{
    struct ox_buf file = OX_BUF_INIT;

    (void)state;
    put_gguf_header(&file, 3, 1ull << 63, 0);
    assert_refused(&file, OX_ETOOBIG, "tensors promised");
    put_gguf_header(&file, 3, 0, 1ull << 63);
    assert_refused(&file, OX_ETOOBIG, "metadata pairs");
    put_gguf_header(&file, 3, OX_TENSOR_COUNT_MAX, 0);
    assert_refused(&file, OX_ECORRUPT, "cut short");
    put_gguf_header(&file, 3, 1, 0);
    put_u64(&file, OX_TENSOR_NAME_MAX + 1);
    assert_refused(&file, OX_ETOOBIG, "a name of");
}

static void read__refuses_bad_tensors(void **state)
{
    static const uint64_t overflow[] = {1ull << 40, 1ull << 40};
    static const uint64_t too_long[] = {1ull << 62, 1};
    static const uint64_t odd[] = {33, 2};
    static const uint64_t fine[] = {32, 2};
    static const struct {
        const uint64_t *dims;
        uint32_t type;
        uint64_t offset;
        const char *words;
    } rows[] = {
        {overflow, 0, 0, "2^64 elements"},  {too_long, 0, 0, "2^64 bytes"},
        {odd, 2, 0, "whole blocks"},        {fine, 0, 16, "not aligned"},
        {fine, 0, 32, "outside a file"},    {fine, 0, UINT64_MAX - 31, "beyond 2^64"},
        {fine, 77, 4096, "outside a file"},
    };
    struct ox_buf file = OX_BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put_gguf_header(&file, 3, 1, 0);
        put_gguf_info(&file, "t", rows[i].dims, 2, rows[i].type, rows[i].offset);
        put_gguf_data(&file, 32, 256);
        assert_refused(&file, OX_ECORRUPT, rows[i].words);
    }
    put_gguf_header(&file, 3, 1, 0);
    put_gguf_info(&file, "t", NULL, 0, 0, 0);
    file.data[24 + 8 + 1] = OX_TENSOR_RANK_MAX + 1;
    assert_refused(&file, OX_ETOOBIG, "dimensions");
}

static void read__refuses_overlaps_and_duplicates(void **state)
{
    static const uint64_t dims[] = {16};
    struct ox_buf file = OX_BUF_INIT;

    (void)state;
    put_gguf_header(&file, 3, 2, 0);
    put_gguf_info(&file, "a", dims, 1, 0, 0);
    put_gguf_info(&file, "b", dims, 1, 0, 32);
    put_gguf_data(&file, 32, 128);
    assert_refused(&file, OX_ECORRUPT, "\"a\" and \"b\" overlap");
    put_gguf_header(&file, 3, 2, 0);
    put_gguf_info(&file, "a", dims, 1, 0, 0);
    put_gguf_info(&file, "a", dims, 1, 0, 64);
    put_gguf_data(&file, 32, 128);
    assert_refused(&file, OX_ECORRUPT, "two tensors are named \"a\"");
}

static void read__keeps_empty_tensors(void **state)
{
    static const uint64_t dims[] = {32, 0};
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_gguf_header(&file, 3, 2, 0);
    put_gguf_info(&file, "known", dims, 2, 8, 0);
    put_gguf_info(&file, "unknown", dims, 2, 77, 0);
    put_gguf_data(&file, 32, 32);
    assert_reads(&file, 2, &layout);
    assert_int_equal(layout.tensors[0].length_bytes, 0);
    assert_int_equal(layout.tensors[1].length_bytes, 0);
    ox_layout_clear(&layout);
}

static void read__survives_cuts_at_every_byte(void **state)
{
    static const uint64_t dims[] = {32};
    struct ox_buf file = OX_BUF_INIT;
    size_t whole;

    (void)state;
    put_gguf_header(&file, 3, 2, 5);
    put_metadata(&file);
    put_gguf_info(&file, "t", dims, 1, 0, 0);
    put_gguf_info(&file, "q", dims, 1, 8, 128);
    put_gguf_data(&file, 128, 128 + 34);
    whole = file.len_bytes;
    assert_survives_cuts(&file, whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__finds_tensors_with_dimensions_reversed),
        cmocka_unit_test(read__sizes_every_known_type),
        cmocka_unit_test(read__lets_unknown_types_reach_to_the_next_tensor),
        cmocka_unit_test(read__skips_metadata_and_heeds_the_alignment),
        cmocka_unit_test(read__refuses_bad_metadata),
        cmocka_unit_test(read__bounds_the_nesting_of_arrays),
        cmocka_unit_test(read__refuses_bad_alignments),
        cmocka_unit_test(read__refuses_versions_that_it_does_not_know),
        cmocka_unit_test(read__refuses_counts_over_the_limits),
        cmocka_unit_test(read__refuses_bad_tensors),
        cmocka_unit_test(read__refuses_overlaps_and_duplicates),
        cmocka_unit_test(read__keeps_empty_tensors),
        cmocka_unit_test(read__survives_cuts_at_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

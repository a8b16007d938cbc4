#include "helpers.h"

#include "oxide/patch/oxdl1.h"

#include <stdlib.h>

static const struct ox_oxdl1_header header = {.strategy = OX_OXDL1_TENSOR,
                                              .base_sha256 = {{0xb0}},
                                              .target_sha256 = {{0xc0}},
                                              .target_size_bytes = 0x0102030405060708u,
                                              .chunk_count = 2,
                                              .format = OX_OXDL1_SAFETENSORS};

static struct ox_buf two_chunks(void)
{
    struct ox_oxdl1_chunk first = {(const uint8_t *)"w",    1, 258, OX_OXDL1_XOR,
                                   (const uint8_t *)"data", 4};
    struct ox_oxdl1_chunk second = {NULL, 0, 0, OX_OXDL1_COPY, NULL, 0};
    struct ox_buf bytes = OX_BUF_INIT;

    assert_int_equal(ox_oxdl1_put_header(&bytes, &header, NULL), OX_OK);
    assert_int_equal(ox_oxdl1_put_chunk(&bytes, &first, NULL), OX_OK);
    assert_int_equal(ox_oxdl1_put_chunk(&bytes, &second, NULL), OX_OK);
    return bytes;
}

static enum ox_code read_all(const uint8_t *bytes, size_t len)
{
    struct ox_oxdl1_header found;
    struct ox_reader reader;
    enum ox_code code = ox_oxdl1_read_header(bytes, len, &found, NULL);

    if (code != OX_OK) {
        return code;
    }
    ox_reader_init(&reader, bytes + OX_OXDL1_HEADER_BYTES, len - OX_OXDL1_HEADER_BYTES, "patch");
    for (uint32_t i = 0; code == OX_OK && i < found.chunk_count; i++) {
        struct ox_oxdl1_chunk chunk;

        code = ox_oxdl1_read_chunk(&reader, &chunk, NULL);
    }
    return code == OX_OK ? ox_reader_end(&reader, NULL) : code;
}

static void bytes__are_pinned(void **state)
{
    static const uint8_t front[6] = {'O', 'X', 'D', 'L', 1, 1};
    static const uint8_t sizes[13] = {8, 7, 6, 5, 4, 3, 2, 1, 2, 0, 0, 0, 2};
    static const uint8_t chunks[] = {1,   0,   'w', 2, 1, 0, 0, 2, 4, 0, 0, 0, 'd', 'a',
                                     't', 'a', 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct ox_buf bytes = two_chunks();

    (void)state;
    assert_int_equal(bytes.len_bytes, OX_OXDL1_HEADER_BYTES + sizeof(chunks));
    assert_memory_equal(bytes.data, front, sizeof(front));
    assert_int_equal(bytes.data[6], 0xb0);
    assert_int_equal(bytes.data[38], 0xc0);
    assert_memory_equal(bytes.data + 70, sizes, sizeof(sizes));
    assert_memory_equal(bytes.data + OX_OXDL1_HEADER_BYTES, chunks, sizeof(chunks));
    ox_buf_clear(&bytes);
}

static void patch__goes_there_and_back(void **state)
{
    struct ox_buf bytes = two_chunks();
    struct ox_oxdl1_header found;
    struct ox_oxdl1_chunk chunk;
    struct ox_reader reader;

    (void)state;
    assert_int_equal(ox_oxdl1_read_header(bytes.data, bytes.len_bytes, &found, NULL), OX_OK);
    assert_int_equal(found.strategy, header.strategy);
    assert_int_equal(found.format, header.format);
    assert_int_equal(found.chunk_count, 2);
    assert_true(found.target_size_bytes == header.target_size_bytes);
    assert_true(ox_digest_equal(&found.base_sha256, &header.base_sha256));
    assert_true(ox_digest_equal(&found.target_sha256, &header.target_sha256));
    ox_reader_init(&reader, bytes.data + OX_OXDL1_HEADER_BYTES,
                   bytes.len_bytes - OX_OXDL1_HEADER_BYTES, "patch");
    assert_int_equal(ox_oxdl1_read_chunk(&reader, &chunk, NULL), OX_OK);
    assert_int_equal(chunk.name_len, 1);
    assert_memory_equal(chunk.name, "w", 1);
    assert_int_equal(chunk.uncompressed_bytes, 258);
    assert_int_equal(chunk.op, OX_OXDL1_XOR);
    assert_int_equal(chunk.data_bytes, 4);
    assert_memory_equal(chunk.data, "data", 4);
    ox_buf_clear(&bytes);
}

static void cut__at_every_byte_is_refused(void **state)
{
    struct ox_buf bytes = two_chunks();

    (void)state;
    assert_int_equal(read_all(bytes.data, bytes.len_bytes), OX_OK);
    for (size_t len = 0; len < bytes.len_bytes; len++) {
        uint8_t *exact = malloc(len == 0 ? 1 : len);

        assert_non_null(exact);
        memcpy(exact, bytes.data, len);
        assert_int_equal(read_all(exact, len), OX_ECORRUPT);
        free(exact);
    }
    ox_buf_clear(&bytes);
}

static void unknown_meanings__are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        enum ox_code code;
    } rows[] = {
        {0, 'o', OX_ECORRUPT},    {4, 2, OX_ECORRUPT},          {5, 2, OX_EUNSUPPORTED},
        {82, 3, OX_EUNSUPPORTED}, {83 + 7, 3, OX_EUNSUPPORTED}, {83 + 7, 255, OX_EUNSUPPORTED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_buf bytes = two_chunks();

        bytes.data[rows[i].at] = rows[i].value;
        assert_int_equal(read_all(bytes.data, bytes.len_bytes), rows[i].code);
        ox_buf_clear(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes__are_pinned),
        cmocka_unit_test(patch__goes_there_and_back),
        cmocka_unit_test(cut__at_every_byte_is_refused),
        cmocka_unit_test(unknown_meanings__are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The golden patches: what a stranger wrote reads, and what he broke is refused as it should be. */
#include "helpers.h"

#include "oxide/patch/oxdl1.h"

static void reads(const char *path, const char *name)
{
    struct ox_buf bytes = golden_bytes(path);
    struct ox_memory memory = {bytes.data, bytes.len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_oxdl_header header = {0};
    struct ox_err err = OX_ERR_INIT;

    for (size_t piece = 0; piece < 3; piece++) {
        struct record record = {.frames = 0};

        if (read_patch(bytes.data, bytes.len_bytes, piece, &record, &err) != OX_OK) {
            fail_msg("%s: %s", name, err.msg);
        }
        assert_int_equal(record.again.len_bytes, bytes.len_bytes);
        assert_memory_equal(record.again.data, bytes.data, bytes.len_bytes);
        record_clear(&record);
    }
    assert_int_equal(ox_oxdl_read_header(&source, &header, &err), OX_OK);
    assert_int_equal(header.version, 2);
    ox_oxdl_header_clear(&header);
    ox_buf_clear(&bytes);
}

static void good__reads_and_writes_the_same_again(void **state)
{
    (void)state;
    assert_true(each_golden("oxdl/good", ".oxdl", reads) >= 34);
}

static void is_refused(const char *path, const char *name)
{
    struct ox_buf bytes = golden_bytes(path);

    for (size_t piece = 0; piece < 8; piece++) {
        struct record record = {.frames = 0};
        struct ox_err err = OX_ERR_INIT;
        enum ox_code code = read_patch(bytes.data, bytes.len_bytes, piece, &record, &err);

        if (code != code_of_name(name) || err.code != code || err.msg[0] == '\0') {
            fail_msg("%s in pieces of %zu: %s: %s", name, piece, ox_code_word(code), err.msg);
        }
        record_clear(&record);
    }
    ox_buf_clear(&bytes);
}

static void bad__is_refused_with_its_code(void **state)
{
    (void)state;
    assert_true(each_golden("oxdl/bad/read", ".oxdl", is_refused) >= 70);
}

/* These break in who rebuilds: a reader that only counts must not choke on them. */
static void is_readable(const char *path, const char *name)
{
    struct ox_buf bytes = golden_bytes(path);
    struct record record = {.frames = 0};
    struct ox_err err = OX_ERR_INIT;

    if (read_patch(bytes.data, bytes.len_bytes, 0, &record, &err) != OX_OK) {
        fail_msg("%s: %s", name, err.msg);
    }
    record_clear(&record);
    ox_buf_clear(&bytes);
}

static void bad_bodies__are_read(void **state)
{
    (void)state;
    assert_true(each_golden("oxdl/bad/rebuild", ".oxdl", is_readable) >= 40);
}

static void reads_v1(const char *path, const char *name)
{
    struct ox_buf bytes = golden_bytes(path);
    struct ox_memory memory = {bytes.data, bytes.len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_oxdl_header header = {0};
    struct ox_oxdl1_header v1;
    struct ox_buf again = OX_BUF_INIT;
    struct ox_reader reader;

    (void)name;
    assert_int_equal(ox_oxdl1_read_header(bytes.data, bytes.len_bytes, &v1, NULL), OX_OK);
    assert_int_equal(ox_oxdl1_put_header(&again, &v1, NULL), OX_OK);
    assert_int_equal(again.len_bytes, OX_OXDL1_HEADER_BYTES);
    ox_reader_init(&reader, bytes.data + OX_OXDL1_HEADER_BYTES,
                   bytes.len_bytes - OX_OXDL1_HEADER_BYTES, "patch");
    for (uint32_t i = 0; i < v1.chunk_count; i++) {
        struct ox_oxdl1_chunk chunk;

        assert_int_equal(ox_oxdl1_read_chunk(&reader, &chunk, NULL), OX_OK);
        assert_int_equal(ox_oxdl1_put_chunk(&again, &chunk, NULL), OX_OK);
    }
    assert_int_equal(ox_reader_end(&reader, NULL), OX_OK);
    assert_int_equal(again.len_bytes, bytes.len_bytes);
    assert_memory_equal(again.data, bytes.data, bytes.len_bytes);
    assert_int_equal(ox_oxdl_read_header(&source, &header, NULL), OX_OK);
    assert_int_equal(header.version, 1);
    assert_true(ox_digest_equal(&header.target.digest, &v1.target_sha256));
    ox_oxdl_header_clear(&header);
    ox_buf_clear(&again);
    ox_buf_clear(&bytes);
}

static void version_1__reads_and_writes_the_same_again(void **state)
{
    (void)state;
    assert_true(each_golden("oxdl1/good", ".oxdl", reads_v1) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good__reads_and_writes_the_same_again),
        cmocka_unit_test(bad__is_refused_with_its_code),
        cmocka_unit_test(bad_bodies__are_read),
        cmocka_unit_test(version_1__reads_and_writes_the_same_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "helpers.h"

#include "oxide/base/file.h"
#include "oxide/base/io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void source_read__refuses_what_lies_outside(void **state)
{
    struct ox_memory memory = {(const uint8_t *)"abcdef", 6};
    struct ox_source source = ox_memory_source(&memory);
    char out[8] = "";

    (void)state;
    assert_int_equal(ox_source_read(&source, 2, out, 4, NULL), OX_OK);
    assert_memory_equal(out, "cdef", 4);
    assert_int_equal(ox_source_read(&source, 6, out, 0, NULL), OX_OK);
    assert_int_equal(ox_source_read(&source, 3, out, 4, NULL), OX_ECORRUPT);
    assert_int_equal(ox_source_read(&source, 7, out, 0, NULL), OX_ECORRUPT);
    assert_int_equal(ox_source_read(&source, UINT64_MAX, out, 2, NULL), OX_ECORRUPT);
    assert_int_equal(ox_source_read(&source, 1, out, SIZE_MAX, NULL), OX_ECORRUPT);
    assert_memory_equal(out, "cdef", 4);
}

static void concat__reads_across_borders_and_empty_parts(void **state)
{
    struct ox_memory parts[] = {
        {NULL, 0}, {(const uint8_t *)"ab", 2}, {NULL, 0},
        {NULL, 0}, {(const uint8_t *)"c", 1},  {(const uint8_t *)"def", 3},
        {NULL, 0},
    };
    struct ox_source sources[7];
    struct ox_concat concat = {0};
    struct ox_source whole;

    (void)state;
    for (size_t i = 0; i < 7; i++) {
        sources[i] = ox_memory_source(&parts[i]);
    }
    assert_int_equal(ox_concat_init(&concat, sources, 7, NULL), OX_OK);
    whole = ox_concat_source(&concat);
    assert_int_equal(whole.size_bytes, 6);
    for (size_t from = 0; from <= 6; from++) {
        for (size_t len = 0; from + len <= 6; len++) {
            char *out = malloc(len + 1); /* exact bounds for a sanitizer, but for a canary */

            assert_non_null(out);
            out[len] = '!';
            assert_int_equal(ox_source_read(&whole, from, out, len, NULL), OX_OK);
            assert_memory_equal(out, &"abcdef"[from], len);
            assert_int_equal(out[len], '!');
            free(out);
        }
    }
    ox_concat_clear(&concat);
}

static void concat__of_nothing_is_empty(void **state)
{
    struct ox_concat concat = {0};

    (void)state;
    assert_int_equal(ox_concat_init(&concat, NULL, 0, NULL), OX_OK);
    assert_int_equal(ox_concat_source(&concat).size_bytes, 0);
    ox_concat_clear(&concat);
}

static void concat__refuses_more_than_2_to_63_bytes(void **state)
{
    struct ox_source parts[2] = {{NULL, INT64_MAX, NULL}, {NULL, 1, NULL}};
    struct ox_concat concat = {0};

    (void)state;
    assert_int_equal(ox_concat_init(&concat, parts, 2, NULL), OX_ETOOBIG);
    assert_null(concat.ends);
    assert_int_equal(ox_concat_init(&concat, parts, 1, NULL), OX_OK);
    ox_concat_clear(&concat);
}

static enum ox_code broken_read(void *ctx, uint64_t offset, void *out, size_t len,
                                struct ox_err *err)
{
    (void)ctx;
    (void)offset;
    (void)out;
    (void)len;
    return ox_err_set(err, OX_EIO, "broken");
}

static void concat__passes_errors_on(void **state)
{
    struct ox_memory memory = {(const uint8_t *)"ab", 2};
    struct ox_source parts[2] = {ox_memory_source(&memory), {NULL, 5, broken_read}};
    struct ox_concat concat = {0};
    struct ox_source whole;
    char out[7];

    (void)state;
    assert_int_equal(ox_concat_init(&concat, parts, 2, NULL), OX_OK);
    whole = ox_concat_source(&concat);
    assert_int_equal(ox_source_read(&whole, 0, out, 2, NULL), OX_OK);
    assert_int_equal(ox_source_read(&whole, 0, out, 3, NULL), OX_EIO);
    ox_concat_clear(&concat);
}

static void fd__writes_and_reads_at_places(void **state)
{
    int fd = open(in_folder(state, "file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct ox_fd_io io = {fd, "file"};
    struct ox_sink sink = ox_fd_sink(&io);
    struct ox_output output = ox_fd_output(&io);
    struct ox_source source = ox_fd_source(&io, 6);
    struct ox_err err = OX_ERR_INIT;
    char out[8] = "";

    assert_true(fd >= 0);
    assert_int_equal(output.write(output.ctx, "ab", 2, NULL), OX_OK);
    assert_int_equal(sink.write_at(sink.ctx, 4, "ef", 2, NULL), OX_OK);
    assert_int_equal(output.write(output.ctx, "cd", 2, NULL), OX_OK);
    assert_int_equal(sink.read_at(sink.ctx, 1, out, 3, NULL), OX_OK);
    assert_memory_equal(out, "bcd", 3);
    assert_int_equal(ox_source_read(&source, 0, out, 6, NULL), OX_OK);
    assert_memory_equal(out, "abcdef", 6);
    assert_int_equal(ftruncate(fd, 3), 0);
    assert_int_equal(ox_source_read(&source, 0, out, 6, &err), OX_EIO);
    assert_non_null(strstr(err.msg, "file ended at offset 3"));
    (void)close(fd);
}

static void count_update(void *ctx, uint64_t done, uint64_t total)
{
    *(uint64_t *)ctx += done * 100 + total;
}

static void progress__may_be_absent(void **state)
{
    uint64_t sum = 0;
    struct ox_progress watched = {&sum, count_update};
    struct ox_progress unwatched = {NULL, NULL};

    (void)state;
    ox_progress_update(NULL, 1, 2);
    ox_progress_update(&unwatched, 1, 2);
    ox_progress_update(&watched, 1, 2);
    assert_int_equal(sum, 102);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_read__refuses_what_lies_outside),
        cmocka_unit_test(concat__reads_across_borders_and_empty_parts),
        cmocka_unit_test(concat__of_nothing_is_empty),
        cmocka_unit_test(concat__refuses_more_than_2_to_63_bytes),
        cmocka_unit_test(concat__passes_errors_on),
        cmocka_unit_test_setup_teardown(fd__writes_and_reads_at_places, setup_folder,
                                        teardown_folder),
        cmocka_unit_test(progress__may_be_absent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

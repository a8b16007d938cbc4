/* The bytes of POOL patches: written, read in any pieces, refused where they are not what they
 * should be. */
#include "helpers.h"

#include "oxide/patch/pool.h"

#include <stdio.h>
#include <stdlib.h>

/* --- reading, and writing again what was read --- */

struct seen {
    struct ox_buf again;
    struct ox_pool1_header header;
    unsigned headers;
    uint64_t target_bytes;
    uint64_t literal_left;
    enum ox_code answer; /* what on_copy says */
};

static enum ox_code on_header(void *ctx, const struct ox_pool1_header *header, struct ox_err *err)
{
    struct seen *self = ctx;

    self->header = *header;
    self->headers++;
    return ox_pool1_put_header(&self->again, header, err);
}

static enum ox_code on_copy(void *ctx, uint64_t base_offset, uint64_t len_bytes, struct ox_err *err)
{
    struct seen *self = ctx;

    assert_int_equal(self->literal_left, 0);
    assert_true(len_bytes > 0 && base_offset <= self->header.base_bytes);
    assert_true(len_bytes <= self->header.base_bytes - base_offset);
    self->target_bytes += len_bytes;
    if (self->answer != OX_OK) {
        return ox_err_set(err, self->answer, "as told");
    }
    return ox_pool1_put_copy(&self->again, base_offset, len_bytes, err);
}

static enum ox_code on_literal(void *ctx, uint64_t len_bytes, struct ox_err *err)
{
    struct seen *self = ctx;

    assert_int_equal(self->literal_left, 0);
    assert_true(len_bytes > 0);
    self->literal_left = len_bytes;
    self->target_bytes += len_bytes;
    return ox_pool1_put_literal(&self->again, len_bytes, err);
}

static enum ox_code on_bytes(void *ctx, const uint8_t *bytes, size_t len_bytes, struct ox_err *err)
{
    struct seen *self = ctx;

    assert_true(len_bytes > 0 && len_bytes <= self->literal_left);
    self->literal_left -= len_bytes;
    return ox_buf_append(&self->again, bytes, len_bytes, err);
}

/* Read in pieces, each a copy with exact bounds (0: at once). */
static enum ox_code read_pool(const struct ox_buf *patch, size_t piece, struct seen *seen,
                              struct ox_err *err)
{
    struct ox_pool1_handler handler = {seen, on_header, on_copy, on_literal, on_bytes};
    struct ox_pool1_reader reader;
    enum ox_code code = OX_OK;

    ox_pool1_reader_init(&reader, &handler);
    for (size_t at = 0; code == OX_OK && at < patch->len_bytes;) {
        size_t left = patch->len_bytes - at;
        size_t take = piece == 0 || piece > left ? left : piece;
        uint8_t *copy = malloc(take);

        assert_non_null(copy);
        memcpy(copy, patch->data + at, take);
        code = ox_pool1_reader_feed(&reader, copy, take, err);
        free(copy);
        at += take;
    }
    if (code != OX_OK) { /* from now on it only refuses */
        assert_int_equal(ox_pool1_reader_feed(&reader, "x", 1, NULL), OX_ECORRUPT);
        assert_int_equal(ox_pool1_reader_finish(&reader, NULL), OX_ECORRUPT);
        return code;
    }
    return ox_pool1_reader_finish(&reader, err);
}

static void reads(const char *path, const char *name)
{
    struct ox_buf patch = golden_bytes(path);
    struct ox_memory memory = {patch.data, patch.len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_pool1_header header;

    for (size_t piece = 0; piece < 60; piece++) {
        struct seen seen = {.headers = 0};
        struct ox_err err = OX_ERR_INIT;

        if (read_pool(&patch, piece, &seen, &err) != OX_OK) {
            fail_msg("%s: %s", name, err.msg);
        }
        assert_int_equal(seen.headers, 1);
        assert_int_equal(seen.literal_left, 0);
        assert_int_equal(seen.target_bytes, seen.header.target_bytes);
        assert_int_equal(seen.again.len_bytes, patch.len_bytes);
        assert_memory_equal(seen.again.data, patch.data, patch.len_bytes);
        ox_buf_clear(&seen.again);
    }
    assert_true(ox_pool1_recognise(&source));
    assert_int_equal(ox_pool1_read_header(&source, &header, NULL), OX_OK);
    ox_buf_clear(&patch);
}

static void good__reads_and_writes_the_same_again(void **state)
{
    (void)state;
    assert_int_equal(each_golden("pool/good", ".pool", reads), 8);
    assert_int_equal(each_golden("pool/bad/rebuild", ".pool", reads), 6);
}

static void is_refused(const char *path, const char *name)
{
    struct ox_buf patch = golden_bytes(path);

    for (size_t piece = 0; piece < 60; piece++) {
        struct seen seen = {.headers = 0};
        struct ox_err err = OX_ERR_INIT;
        enum ox_code code = read_pool(&patch, piece, &seen, &err);

        if (code != code_of_name(name) || err.code != code || err.msg[0] == '\0') {
            fail_msg("%s in pieces of %zu: %s: %s", name, piece, ox_code_word(code), err.msg);
        }
        ox_buf_clear(&seen.again);
    }
    ox_buf_clear(&patch);
}

static void bad__is_refused_with_its_code(void **state)
{
    (void)state;
    assert_int_equal(each_golden("pool/bad/read", ".pool", is_refused), 28);
}

/* --- by hand --- */

static struct ox_buf example(void)
{
    struct ox_pool1_header header = {100, 30, {{1, 2, 3}}};
    struct ox_buf patch = OX_BUF_INIT;

    assert_int_equal(ox_pool1_put_header(&patch, &header, NULL), OX_OK);
    assert_int_equal(ox_pool1_put_copy(&patch, 80, 20, NULL), OX_OK);
    assert_int_equal(ox_pool1_put_literal(&patch, 10, NULL), OX_OK);
    assert_int_equal(ox_buf_append(&patch, "0123456789", 10, NULL), OX_OK);
    return patch;
}

static void writer__puts_the_bytes_of_the_specification(void **state)
{
    static const uint8_t want[] = {
        'P', 'O', 'O', 'L', 1,   0,                                /* magic, version */
        100, 0,   0,   0,   0,   0,   0,   0,                      /* base */
        30,  0,   0,   0,   0,   0,   0,   0,                      /* target */
        1,   2,   3,   0,   0,   0,   0,   0,   0,   0,   0, 0, 0, /* digest */
        0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 0, /* its rest */
        1,   80,  0,   0,   0,   0,   0,   0,   0,                                   /* COPY from */
        20,  0,   0,   0,   0,   0,   0,   0,                                        /* so many */
        2,   10,  0,   0,   0,   0,   0,   0,   0, /* LITERAL of so many */
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
    };
    struct ox_buf patch = example();

    (void)state;
    assert_int_equal(patch.len_bytes, sizeof(want));
    assert_int_equal(sizeof(want),
                     OX_POOL1_HEADER_BYTES + OX_POOL1_COPY_BYTES + OX_POOL1_LITERAL_BYTES + 10);
    assert_memory_equal(patch.data, want, sizeof(want));
    ox_buf_clear(&patch);
}

static void reader__refuses_a_cut_at_every_byte(void **state)
{
    struct ox_buf patch = example();

    (void)state;
    for (size_t len = 0; len < patch.len_bytes; len++) {
        struct ox_buf cut = {patch.data, len, len};
        struct seen seen = {.headers = 0};
        struct ox_err err = OX_ERR_INIT;
        char offset[32];

        (void)snprintf(offset, sizeof(offset), "offset %zu", len);
        assert_int_equal(read_pool(&cut, 3, &seen, &err), OX_ECORRUPT);
        assert_non_null(strstr(err.msg, offset));
        ox_buf_clear(&seen.again);
    }
    ox_buf_clear(&patch);
}

static void reader__tells_where_the_damage_is(void **state)
{
    struct ox_buf patch = example();
    struct seen seen = {.headers = 0};
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    patch.data[OX_POOL1_HEADER_BYTES + OX_POOL1_COPY_BYTES] = 9;
    assert_int_equal(read_pool(&patch, 1, &seen, &err), OX_ECORRUPT);
    assert_non_null(strstr(err.msg, "offset 71"));
    ox_buf_clear(&seen.again);
    ox_buf_clear(&patch);
}

static void reader__passes_on_what_the_handler_says(void **state)
{
    struct ox_buf patch = example();
    struct seen seen = {.answer = OX_ENOSPC};
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    assert_int_equal(read_pool(&patch, 0, &seen, &err), OX_ENOSPC);
    assert_string_equal(err.msg, "as told");
    ox_buf_clear(&seen.again);
    ox_buf_clear(&patch);
}

static void recognise__knows_pool_from_the_rest(void **state)
{
    static const struct {
        const char *bytes;
        bool is;
    } cases[] = {{"POOL", true}, {"POOL\1", true}, {"POO", false}, {"", false}, {"OXDL", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ox_memory memory = {(const uint8_t *)cases[i].bytes, strlen(cases[i].bytes)};
        struct ox_source source = ox_memory_source(&memory);
        struct ox_pool1_header header;

        assert_int_equal(ox_pool1_recognise(&source), cases[i].is);
        assert_int_equal(ox_pool1_read_header(&source, &header, NULL), OX_ECORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good__reads_and_writes_the_same_again),
        cmocka_unit_test(bad__is_refused_with_its_code),
        cmocka_unit_test(writer__puts_the_bytes_of_the_specification),
        cmocka_unit_test(reader__refuses_a_cut_at_every_byte),
        cmocka_unit_test(reader__tells_where_the_damage_is),
        cmocka_unit_test(reader__passes_on_what_the_handler_says),
        cmocka_unit_test(recognise__knows_pool_from_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

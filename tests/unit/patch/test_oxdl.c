#include "helpers.h"

#include "oxide/base/random.h"
#include "oxide/crypto/artifact.h"
#include "oxide/crypto/xxh64.h"

#include <stdio.h>
#include <stdlib.h>

/* --- headers ---*/

static void add(struct ox_manifest *files, const char *path, uint64_t size, bool executable)
{
    struct ox_digest digest = {{(uint8_t)size}};

    assert_int_equal(ox_manifest_add(files, path, size, &digest, executable, NULL), OX_OK);
}

static void finish_side(struct ox_oxdl_side *side)
{
    assert_int_equal(ox_manifest_finish(&side->files, NULL), OX_OK);
    assert_int_equal(ox_artifact_digest(&side->files, &side->digest, NULL), OX_OK);
    side->size_bytes = ox_manifest_size(&side->files);
}

static struct ox_oxdl_header read_back(const struct ox_buf *bytes)
{
    struct ox_memory memory = {bytes->data, bytes->len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_oxdl_header header = {0};
    struct ox_err err = OX_ERR_INIT;

    if (ox_oxdl_read_header(&source, &header, &err) != OX_OK) {
        fail_msg("%s", err.msg);
    }
    return header;
}

static void assert_same_side(const struct ox_oxdl_side *a, const struct ox_oxdl_side *b)
{
    assert_true(ox_digest_equal(&a->digest, &b->digest));
    assert_true(a->size_bytes == b->size_bytes);
    assert_int_equal(a->files.count, b->files.count);
    for (size_t i = 0; i < a->files.count; i++) {
        assert_string_equal(a->files.files[i].path, b->files.files[i].path);
        assert_true(a->files.files[i].size_bytes == b->files.files[i].size_bytes);
        assert_int_equal(a->files.files[i].executable, b->files.files[i].executable);
        assert_true(ox_digest_equal(&a->files.files[i].sha256, &b->files.files[i].sha256));
    }
}

static void header__without_tables_goes_there_and_back(void **state)
{
    struct ox_oxdl_header header = plain_header(INT64_MAX, 0);
    struct ox_oxdl_header back;
    struct ox_buf bytes = OX_BUF_INIT;

    (void)state;
    header.ops = 1;
    assert_int_equal(ox_buf_append(&bytes, "", 0, NULL), OX_OK);
    assert_int_equal(ox_oxdl_put_header(&bytes, &header, NULL), OX_OK);
    back = read_back(&bytes);
    assert_int_equal(back.version, 2);
    assert_true(back.ops == 1);
    assert_same_side(&back.base, &header.base);
    assert_same_side(&back.target, &header.target);
    ox_oxdl_header_clear(&back);
    ox_buf_clear(&bytes);
}

static void header__with_tables_goes_there_and_back(void **state)
{
    struct ox_oxdl_header header = plain_header(0, 0);
    struct ox_oxdl_header back;
    struct ox_buf bytes = OX_BUF_INIT;

    (void)state;
    add(&header.base.files, "one", 300, false);
    finish_side(&header.base);
    for (int i = 0; i < OX_MANIFEST_FILES_MAX; i++) { /* many, with long paths */
        char path[256];

        (void)snprintf(path, sizeof(path), "%0240d/\xc3\xa9", i);
        add(&header.target.files, path, (uint64_t)i, i % 2 == 1);
    }
    finish_side(&header.target);
    assert_int_equal(ox_oxdl_put_header(&bytes, &header, NULL), OX_OK);
    back = read_back(&bytes);
    assert_same_side(&back.base, &header.base);
    assert_same_side(&back.target, &header.target);
    ox_oxdl_header_clear(&back);
    assert_int_equal(back.target.files.count, 0);
    ox_oxdl_header_clear(&header);
    ox_buf_clear(&bytes);
}

static void header__is_read_in_pieces_of_any_size(void **state)
{
    struct ox_oxdl_header header = plain_header(0, 0);
    struct ox_buf bytes = OX_BUF_INIT;

    (void)state;
    add(&header.base.files, "a", 1, false);
    add(&header.base.files, "b", 2, true);
    finish_side(&header.base);
    add(&header.target.files, "a", 0, false);
    finish_side(&header.target);
    assert_int_equal(ox_oxdl_put_header(&bytes, &header, NULL), OX_OK);
    assert_int_equal(ox_oxdl_put_end(&bytes, 0, NULL), OX_OK);
    for (size_t piece = 0; piece <= bytes.len_bytes; piece++) {
        struct record record = {.frames = 0};

        assert_int_equal(read_patch(bytes.data, bytes.len_bytes, piece, &record, NULL), OX_OK);
        assert_int_equal(record.again.len_bytes, bytes.len_bytes);
        assert_memory_equal(record.again.data, bytes.data, bytes.len_bytes);
        record_clear(&record);
    }
    ox_oxdl_header_clear(&header);
    ox_buf_clear(&bytes);
}

static void header__cut_anywhere_is_refused(void **state)
{
    struct ox_oxdl_header header = plain_header(1000, 2000);
    struct ox_oxdl_header back = {0};
    struct ox_buf bytes = OX_BUF_INIT;

    (void)state;
    assert_int_equal(ox_oxdl_put_header(&bytes, &header, NULL), OX_OK);
    for (size_t len = 0; len < bytes.len_bytes; len++) {
        uint8_t *exact = malloc(len == 0 ? 1 : len);
        struct ox_memory memory = {exact, len};
        struct ox_source source = ox_memory_source(&memory);
        struct ox_err err = OX_ERR_INIT;

        assert_non_null(exact);
        memcpy(exact, bytes.data, len);
        assert_int_equal(ox_oxdl_read_header(&source, &back, &err), OX_ECORRUPT);
        assert_true(err.msg[0] != '\0');
        free(exact);
    }
    ox_buf_clear(&bytes);
}

static void op_words__are_pinned(void **state)
{
    static const char *const words[] = {"end", "copy", "raw",     "zstd",
                                        "xor", "sub",  "numbers", "edit"};

    (void)state;
    for (unsigned op = 0; op < OX_OXDL_OP_COUNT; op++) {
        assert_string_equal(ox_oxdl_op_word((enum ox_oxdl_op)op), words[op]);
    }
    assert_string_equal(ox_oxdl_op_word((enum ox_oxdl_op)77), "unknown");
    assert_true(OX_OXDL_OPS_KNOWN == 0xff);
}

/* --- frames ---*/

/* A patch with frames of every operation and ranges of every kind; random but well-formed. */
static struct ox_buf random_patch(struct ox_rng *rng, uint64_t base_bytes, size_t frames)
{
    struct ox_buf bytes = OX_BUF_INIT;
    struct ox_buf out = OX_BUF_INIT;
    uint8_t body[600] = {0};
    uint64_t at = 0;
    struct ox_oxdl_header header;

    for (size_t i = 0; i < frames; i++) {
        struct ox_oxdl_range ranges[OX_OXDL_RANGES_MAX];
        size_t count = ox_rng_below(rng, 4) == 0 ? ox_rng_below(rng, OX_OXDL_RANGES_MAX + 1)
                                                 : ox_rng_below(rng, 4);
        enum ox_oxdl_op op = (enum ox_oxdl_op)(1 + ox_rng_below(rng, OX_OXDL_OP_COUNT - 1));
        uint32_t most = ox_oxdl_frame_fits(op, OX_OXDL_FRAME_TARGET_MAX, 0, 0)
                            ? OX_OXDL_FRAME_TARGET_MAX
                            : OX_OXDL_NUMBERS_MAX;
        uint32_t n = (uint32_t)ox_rng_below(rng, ox_rng_below(rng, 5) == 0 ? most : 100) + 1;

        for (size_t j = 0; j < count; j++) {
            uint64_t limit = base_bytes;

            ranges[j].from_target = at > 0 && ox_rng_below(rng, 3) == 0;
            limit = ranges[j].from_target ? at : base_bytes;
            ranges[j].offset = ox_rng_below(rng, limit);
            limit -= ranges[j].offset;
            ranges[j].len_bytes = 1 + ox_rng_below(rng, limit < 1000 ? limit : 1000);
        }
        {
            struct ox_oxdl_frame frame = {
                .op = op,
                .target_offset = at,
                .target_bytes = n,
                .sum = ox_rng_u64(rng),
                .range_count = count,
                .ranges = ranges,
                .body = body,
                .body_bytes = (uint32_t)ox_rng_below(rng, sizeof(body)),
            };

            assert_int_equal(ox_oxdl_put_frame(&out, &frame, NULL), OX_OK);
        }
        at += n;
    }
    header = plain_header(base_bytes, at);
    bytes.len_bytes = 0;
    assert_int_equal(ox_oxdl_put_header(&bytes, &header, NULL), OX_OK);
    assert_int_equal(ox_buf_append(&bytes, out.data, out.len_bytes, NULL), OX_OK);
    assert_int_equal(ox_oxdl_put_end(&bytes, frames, NULL), OX_OK);
    ox_buf_clear(&out);
    return bytes;
}

static void frames__of_every_kind_go_there_and_back(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 7);
    for (int turn = 0; turn < 40; turn++) {
        uint64_t base_bytes = turn % 3 == 0 ? INT64_MAX : 1 + ox_rng_below(&rng, 5000);
        struct ox_buf bytes = random_patch(&rng, base_bytes, ox_rng_below(&rng, 12));
        size_t pieces[] = {0, 1, 1 + ox_rng_below(&rng, 100), 5000};

        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            struct record record = {.frames = 0};
            struct ox_err err = OX_ERR_INIT;

            if (read_patch(bytes.data, bytes.len_bytes, pieces[i], &record, &err) != OX_OK) {
                fail_msg("%s", err.msg);
            }
            assert_int_equal(record.again.len_bytes, bytes.len_bytes);
            assert_memory_equal(record.again.data, bytes.data, bytes.len_bytes);
            record_clear(&record);
        }
        ox_buf_clear(&bytes);
    }
}

static void frame__is_pinned(void **state)
{
    static const struct ox_oxdl_range ranges[] = {
        {false, 100, 10}, /* base, expected 300: zigzag(-200) = 399 */
        {true, 290, 5},   /* target, 10 back */
        {false, 110, 300} /* base, as expected: 0 */
    };
    static const uint8_t want[] = {3, 0xac, 0x02, 3, 3, 20, 0x8f, 0x03, 11, 10,  0xd8, 0x04,
                                   0, 8,    7,    6, 5, 4,  3,    2,    1,  'a', 'b',  'c'};
    struct ox_oxdl_frame frame = {.op = OX_OXDL_ZSTD,
                                  .target_offset = 300,
                                  .target_bytes = 300,
                                  .sum = 0x0102030405060708u,
                                  .range_count = 3,
                                  .ranges = ranges,
                                  .body = (const uint8_t *)"abc",
                                  .body_bytes = 3};
    struct ox_buf bytes = OX_BUF_INIT;

    (void)state;
    assert_int_equal(ox_oxdl_put_frame(&bytes, &frame, NULL), OX_OK);
    assert_int_equal(bytes.len_bytes, sizeof(want));
    assert_memory_equal(bytes.data, want, sizeof(want));
    ox_buf_clear(&bytes);
}

static void overhead__keeps_what_the_format_promises(void **state)
{
    struct ox_oxdl_header header = plain_header(INT64_MAX, INT64_MAX);
    struct ox_oxdl_range range = {false, 0, OX_OXDL_FRAME_TARGET_MAX};
    struct ox_buf bytes = OX_BUF_INIT;

    (void)state;
    header.ops = OX_OXDL_OPS_KNOWN;
    assert_int_equal(ox_oxdl_put_header(&bytes, &header, NULL), OX_OK);
    assert_int_equal(ox_oxdl_put_end(&bytes, UINT32_MAX, NULL), OX_OK);
    assert_true(bytes.len_bytes <= 128);
    bytes.len_bytes = 0;
    range.offset = INT64_MAX - range.len_bytes; /* as far away as can be */
    put_frame(&bytes, OX_OXDL_COPY, 0, "", 0, &range, 1, NULL, 0);
    assert_true(bytes.len_bytes + 4 <= 40);
    ox_buf_clear(&bytes);
}

/* Bytes of target, ranges and body that are just allowed; one more of any is refused. */
static void sizes__over_their_limits_are_refused(void **state)
{
    static const struct {
        enum ox_oxdl_op op;
        uint32_t target, ranges, body;
        bool bounds[3]; /* is it this one that may not grow? */
    } rows[] = {
        {OX_OXDL_COPY, 4 << 20, 4 << 20, 0, {true, true, false}},
        {OX_OXDL_RAW, 1 << 20, 0, 1 << 20, {false, false, true}},
        {OX_OXDL_ZSTD, 4 << 20, 1 << 20, 0, {true, true, true}},
        {OX_OXDL_EDIT, 2 << 20, 2 << 20, 1 << 20, {true, true, true}},
        {OX_OXDL_XOR, 1 << 20, 1 << 20, 1 << 20, {true, true, true}},
        {OX_OXDL_SUB, 1 << 20, 1 << 20, 1 << 20, {true, true, true}},
        {OX_OXDL_NUMBERS, 1 << 20, 1 << 20, 1 << 20, {true, true, true}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t target = rows[i].target;
        uint32_t ranges = rows[i].ranges;
        uint32_t body = rows[i].body;

        assert_true(ox_oxdl_frame_fits(rows[i].op, target, ranges, body));
        assert_true(ox_oxdl_frame_fits(rows[i].op, target + 1, ranges, body) != rows[i].bounds[0]);
        assert_true(ox_oxdl_frame_fits(rows[i].op, target, ranges + 1, body) != rows[i].bounds[1]);
        assert_true(ox_oxdl_frame_fits(rows[i].op, target, ranges, body + 1) != rows[i].bounds[2]);
    }
}

static void gather__over_its_limit_is_refused(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct ox_oxdl_header header = plain_header(8 << 20, 1);
        struct ox_oxdl_range ranges[2] = {{false, 0, 3 << 20},
                                          {false, 1, (1 << 20) + (uint64_t)over}};
        struct ox_buf bytes = OX_BUF_INIT;
        struct record record = {.frames = 0};

        assert_int_equal(ox_oxdl_put_header(&bytes, &header, NULL), OX_OK);
        put_frame(&bytes, OX_OXDL_ZSTD, 0, "x", 1, ranges, 2, "y", 1);
        assert_int_equal(ox_oxdl_put_end(&bytes, 1, NULL), OX_OK);
        assert_int_equal(read_patch(bytes.data, bytes.len_bytes, 0, &record, NULL),
                         over ? OX_ECORRUPT : OX_OK);
        record_clear(&record);
        ox_buf_clear(&bytes);
    }
}

/* --- damage ---*/

static void cut__at_every_byte_is_refused(void **state)
{
    struct ox_rng rng;
    struct ox_buf bytes;

    (void)state;
    ox_rng_init(&rng, 3);
    bytes = random_patch(&rng, 4000, 4);
    for (size_t len = 0; len < bytes.len_bytes; len++) {
        for (size_t piece = 0; piece < 2; piece++) {
            struct record record = {.frames = 0};
            struct ox_err err = OX_ERR_INIT;

            assert_int_equal(read_patch(bytes.data, len, piece * 7, &record, &err), OX_ECORRUPT);
            assert_true(record.again.len_bytes <= len);
            if (record.again.len_bytes > 0) {
                assert_memory_equal(record.again.data, bytes.data, record.again.len_bytes);
            }
            record_clear(&record);
        }
    }
    ox_buf_clear(&bytes);
}

/* A reader cannot see a changed body; but it must not crash, nor break its promises, on anything.
 */
static void flips__at_every_bit_are_survived(void **state)
{
    struct ox_rng rng;
    struct ox_buf bytes;
    size_t refused = 0;

    (void)state;
    ox_rng_init(&rng, 4);
    bytes = random_patch(&rng, 4000, 3);
    for (size_t bit = 0; bit < 8 * bytes.len_bytes; bit++) {
        struct record record = {.frames = 0};

        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refused += read_patch(bytes.data, bytes.len_bytes, bit % 50, &record, NULL) != OX_OK;
        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        record_clear(&record);
    }
    assert_true(refused >= 80 * 8); /* the header at least */
    ox_buf_clear(&bytes);
}

static void error__ends_the_reader(void **state)
{
    struct ox_rng rng;
    struct ox_buf bytes;

    (void)state;
    ox_rng_init(&rng, 5);
    bytes = random_patch(&rng, 4000, 3);
    for (int i = 0; i < 2; i++) {
        struct record record = {.answer_header = i == 0 ? OX_EBASE : OX_OK,
                                .answer_frame = i == 1 ? OX_ENOSPC : OX_OK};
        struct ox_err err = OX_ERR_INIT;

        assert_int_equal(read_patch(bytes.data, bytes.len_bytes, 3, &record, &err),
                         i == 0 ? OX_EBASE : OX_ENOSPC);
        assert_string_equal(err.msg, "the handler says no");
        assert_int_equal(record.frames, i);
        record_clear(&record);
    }
    ox_buf_clear(&bytes);
}

static void offset__stands_behind_the_last_whole_frame(void **state)
{
    struct ox_oxdl_header header = plain_header(10, 2);
    struct record record = {.frames = 0};
    struct ox_oxdl_handler handler = record_handler(&record);
    struct ox_oxdl_reader *reader = NULL;
    struct ox_oxdl_mark mark;
    struct ox_buf bytes = OX_BUF_INIT;
    size_t ends[4] = {0};
    size_t next = 0;

    (void)state;
    assert_int_equal(ox_oxdl_put_header(&bytes, &header, NULL), OX_OK);
    ends[0] = bytes.len_bytes;
    put_frame(&bytes, OX_OXDL_RAW, 0, "a", 1, NULL, 0, "a", 1);
    ends[1] = bytes.len_bytes;
    put_frame(&bytes, OX_OXDL_RAW, 1, "b", 1, NULL, 0, "b", 1);
    ends[2] = bytes.len_bytes;
    assert_int_equal(ox_oxdl_put_end(&bytes, 2, NULL), OX_OK);
    ends[3] = bytes.len_bytes;
    assert_int_equal(ox_oxdl_reader_new(&reader, &handler, NULL), OX_OK);
    for (size_t at = 0; at < bytes.len_bytes; at++) {
        assert_int_equal(ox_oxdl_reader_feed(reader, bytes.data + at, 1, NULL), OX_OK);
        next += at + 1 == ends[next];
        ox_oxdl_reader_mark(reader, &mark);
        assert_int_equal(mark.patch_bytes, next == 0 ? 0 : ends[next - 1]);
    }
    assert_int_equal(next, 4);
    assert_int_equal(ox_oxdl_reader_finish(reader, NULL), OX_OK);
    ox_oxdl_reader_free(reader);
    ox_oxdl_reader_free(NULL);
    record_clear(&record);
    ox_buf_clear(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header__without_tables_goes_there_and_back),
        cmocka_unit_test(header__with_tables_goes_there_and_back),
        cmocka_unit_test(header__is_read_in_pieces_of_any_size),
        cmocka_unit_test(header__cut_anywhere_is_refused),
        cmocka_unit_test(op_words__are_pinned),
        cmocka_unit_test(frames__of_every_kind_go_there_and_back),
        cmocka_unit_test(frame__is_pinned),
        cmocka_unit_test(overhead__keeps_what_the_format_promises),
        cmocka_unit_test(sizes__over_their_limits_are_refused),
        cmocka_unit_test(gather__over_its_limit_is_refused),
        cmocka_unit_test(cut__at_every_byte_is_refused),
        cmocka_unit_test(flips__at_every_bit_are_survived),
        cmocka_unit_test(error__ends_the_reader),
        cmocka_unit_test(offset__stands_behind_the_last_whole_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

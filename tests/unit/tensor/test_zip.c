/* Archives of PyTorch and NumPy, and lone arrays: what tests/golden/zip cannot show. */
#include "helpers.h"

#include "oxide/base/file.h"
#include "oxide/tensor/limits.h"

#include <stdlib.h>
#include <string.h>

#define GOLDEN OX_TESTS_DIR "/golden/zip/good/"
#define GOLDEN_MAX_BYTES (1 << 20)

static struct ox_buf golden(const char *name)
{
    struct ox_buf file = OX_BUF_INIT;
    char *path = NULL;

    assert_int_equal(ox_strf(&path, NULL, GOLDEN "%s", name), OX_OK);
    assert_int_equal(ox_file_read_all(path, GOLDEN_MAX_BYTES, &file, NULL), OX_OK);
    free(path);
    return file;
}

/* --- truncation and damage --------------------------------------------------------------------*/

/* The directory stands at the end: an archive that is cut has none. */
static void read__refuses_archives_cut_at_every_byte(void **state)
{
    static const char *const names[] = {"checkpoint.pt", "script.pt", "arrays.npz"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct ox_buf file = golden(names[i]);

        assert_survives_cuts(&file, file.len_bytes);
    }
}

static void read__refuses_arrays_cut_at_every_byte(void **state)
{
    struct ox_buf file = golden("array.npy");

    (void)state;
    assert_survives_cuts(&file, file.len_bytes);
}

/* Whatever byte is damaged, and how: refused, or sound. */
static void read__survives_damage_at_every_byte(void **state)
{
    static const char *const names[] = {"plain.npz", "module.pt"};
    static const uint8_t damage[] = {0x01, 0x80, 0xff};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct ox_buf file = golden(names[i]);

        for (size_t at = 0; at < file.len_bytes; at++) {
            for (size_t d = 0; d < sizeof(damage); d++) {
                struct ox_layout layout = OX_LAYOUT_INIT;
                struct ox_err err = OX_ERR_INIT;

                file.data[at] ^= damage[d];
                if (read_layout(&file, &layout, &err) == OX_OK) {
                    assert_sound(&layout, file.len_bytes);
                } else {
                    assert_true(err.msg[0] != '\0');
                }
                file.data[at] ^= damage[d];
                ox_layout_clear(&layout);
            }
        }
        ox_buf_clear(&file);
    }
}

/* --- archives ---------------------------------------------------------------------------------*/

/* A local header and its bytes; the lengths may lie. */
static void put_local(struct ox_buf *out, const char *name, const void *bytes, size_t len)
{
    put_u32(out, 0x04034b50);
    put_zeros(out, 14);
    put_u32(out, (uint32_t)len);
    put_u32(out, (uint32_t)len);
    put_u32(out, (uint32_t)strlen(name));
    put_text(out, name);
    put_bytes(out, bytes, len);
}

static void put_central(struct ox_buf *out, const char *name, size_t len, uint32_t at)
{
    put_u32(out, 0x02014b50);
    put_zeros(out, 16);
    put_u32(out, (uint32_t)len);
    put_u32(out, (uint32_t)len);
    put_u32(out, (uint32_t)strlen(name));
    put_zeros(out, 10);
    put_u32(out, at);
    put_text(out, name);
}

static void put_end(struct ox_buf *out, uint32_t count, size_t at)
{
    uint32_t size = (uint32_t)(out->len_bytes - at);

    put_u32(out, 0x06054b50);
    put_u32(out, 0);
    put_u32(out, count << 16 | count);
    put_u32(out, size);
    put_u32(out, (uint32_t)at);
    put_bytes(out, "\0", 2);
}

/* An archive of one array: an npy header of these words, then zeros. */
static void put_array_file(struct ox_buf *out, const char *literal, size_t data_bytes)
{
    put_bytes(out, "\x93NUMPY\1", 8);
    put_bytes(out, (const uint8_t[]){(uint8_t)strlen(literal), 0}, 2);
    put_text(out, literal);
    put_zeros(out, data_bytes);
}

static void read__finds_an_array_at_its_byte(void **state)
{
    struct ox_buf array = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;
    const struct ox_tensor *tensor;
    size_t at;

    (void)state;
    put_array_file(&array, "{'descr':'<i2','fortran_order':True,'shape':(2,3)}", 12);
    put_local(&file, "a/b.npy", array.data, array.len_bytes);
    at = file.len_bytes;
    put_central(&file, "a/b.npy", array.len_bytes, 0);
    put_end(&file, 1, at);
    assert_reads(&file, 1, &layout);
    assert_int_equal(layout.format, OX_FORMAT_NPZ);
    tensor = find_tensor(&layout, "a/b");
    assert_int_equal(tensor->dtype, OX_DTYPE_I16);
    assert_int_equal(tensor->offset_bytes, at - 12);
    assert_int_equal(tensor->length_bytes, 12);
    assert_int_equal(tensor->shape[0], 3); /* outermost in the file, innermost to Fortran */
    assert_int_equal(tensor->shape[1], 2);
    ox_layout_clear(&layout);
    ox_buf_clear(&array);
}

static void read__takes_an_archive_of_nothing_as_bytes(void **state)
{
    struct ox_buf file = OX_BUF_INIT;
    size_t at;

    (void)state;
    put_local(&file, "readme", "no array", 8);
    at = file.len_bytes;
    put_central(&file, "readme", 8, 0);
    put_end(&file, 1, at);
    assert_refused(&file, OX_EUNSUPPORTED, "stored uncompressed: treated as bytes");
}

/* A file of any size whose end is given; before that lie local headers without names. */
struct tail {
    const struct ox_buf *bytes;
    uint64_t at;
};

static enum ox_code read_tail(void *ctx, uint64_t offset, void *out, size_t len, struct ox_err *err)
{
    const struct tail *tail = ctx;
    uint8_t *to = out;

    (void)err;
    for (size_t i = 0; i < len; i++) {
        static const uint8_t magic[] = {'P', 'K', 3, 4};
        uint64_t from = offset + i;

        to[i] = from >= tail->at ? tail->bytes->data[from - tail->at] : from < 4 ? magic[from] : 0;
    }
    return OX_OK;
}

static void read__limits_the_entries(void **state)
{
    struct ox_buf file = OX_BUF_INIT;
    struct tail tail = {&file, UINT64_C(1) << 33};
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_err err = OX_ERR_INIT;
    uint64_t directory = (uint64_t)(OX_ZIP_ENTRIES_MAX + 1) * 46;
    struct ox_source source = {&tail, tail.at + 98, read_tail};

    (void)state;
    put_u32(&file, 0x06064b50); /* the zip64 record, behind a directory that is never read */
    put_zeros(&file, 20);
    put_u64(&file, OX_ZIP_ENTRIES_MAX + 1);
    put_u64(&file, OX_ZIP_ENTRIES_MAX + 1);
    put_u64(&file, directory);
    put_u64(&file, tail.at - directory);
    put_u32(&file, 0x07064b50);
    put_u32(&file, 0);
    put_u64(&file, tail.at);
    put_u32(&file, 1);
    put_u32(&file, 0x06054b50);
    put_u32(&file, 0);
    for (int i = 0; i < 3; i++) {
        put_u32(&file, UINT32_MAX);
    }
    put_bytes(&file, "\0", 2);
    assert_int_equal(file.len_bytes, 98);
    assert_int_equal(ox_layout_read(&layout, &source, &err), OX_ETOOBIG);
    assert_non_null(strstr(err.msg, "entries"));
    ox_buf_clear(&file);
}

/* Payloads are skipped: what is read does not grow with them. */
static void read__reads_no_payload(void **state)
{
    struct ox_buf front = OX_BUF_INIT;
    struct counting counting = {&front, 0, 0};
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_source source = counting_source(&counting, UINT64_C(20) << 30);
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    put_array_file(&front, "{'descr':'<f4','fortran_order':False,'shape':(5000000000,)}", 0);
    assert_int_equal(ox_layout_read(&layout, &source, &err), OX_OK);
    assert_int_equal(layout.format, OX_FORMAT_NPY);
    assert_int_equal(layout.tensors[0].length_bytes, UINT64_C(20000000000));
    assert_true(counting.bytes <= 2 * OX_STREAM_WINDOW_BYTES);
    ox_layout_clear(&layout);
    ox_buf_clear(&front);
}

/* --- pickles ----------------------------------------------------------------------------------*/

/* PREFIX/data.pkl of these bytes, and PREFIX/data/0 of data_bytes zeros. */
static void put_torch_file(struct ox_buf *out, const struct ox_buf *pickle, size_t data_bytes)
{
    struct ox_buf zeros = OX_BUF_INIT;
    uint32_t second;
    size_t at;

    put_zeros(&zeros, data_bytes);
    put_local(out, "m/data.pkl", pickle->data, pickle->len_bytes);
    second = (uint32_t)out->len_bytes;
    put_local(out, "m/data/0", zeros.data, data_bytes);
    at = out->len_bytes;
    put_central(out, "m/data.pkl", pickle->len_bytes, 0);
    put_central(out, "m/data/0", data_bytes, second);
    put_end(out, 2, at);
    ox_buf_clear(&zeros);
}

/* A dict of one tensor of 3 floats, called w. */
static void put_pickle(struct ox_buf *out)
{
    put_bytes(out, "\x80\x02}X\1\0\0\0w", 9);
    put_text(out, "ctorch._utils\n_rebuild_tensor_v2\n((X");
    put_bytes(out, "\7\0\0\0storage", 11);
    put_text(out, "ctorch\nFloatStorage\nX");
    put_bytes(out,
              "\1\0\0\0"
              "0X\3\0\0\0cpuK\3tQK\0K\3\x85K\1\x85\x89}tRs.",
              31);
}

static void pickle__names_a_tensor(void **state)
{
    struct ox_buf pickle = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    put_pickle(&pickle);
    put_torch_file(&file, &pickle, 12);
    assert_reads(&file, 1, &layout);
    assert_int_equal(layout.format, OX_FORMAT_PT);
    assert_int_equal(find_tensor(&layout, "w")->dtype, OX_DTYPE_F32);
    assert_int_equal(find_tensor(&layout, "w")->shape[0], 3);
    ox_layout_clear(&layout);
    ox_buf_clear(&pickle);
}

/* However a pickle is damaged, its storage is found, whole. */
static void pickle__damaged_at_every_byte_leaves_the_storage(void **state)
{
    struct ox_buf pickle = OX_BUF_INIT;

    (void)state;
    put_pickle(&pickle);
    for (size_t at = 0; at < pickle.len_bytes; at++) {
        for (unsigned damage = 1; damage < 256; damage += 18) {
            struct ox_buf file = OX_BUF_INIT;
            struct ox_layout layout = OX_LAYOUT_INIT;

            pickle.data[at] ^= (uint8_t)damage;
            put_torch_file(&file, &pickle, 12);
            pickle.data[at] ^= (uint8_t)damage;
            assert_reads(&file, 1, &layout);
            assert_in_range(layout.tensors[0].length_bytes, 1, 12);
            ox_layout_clear(&layout);
        }
    }
    ox_buf_clear(&pickle);
}

/* Each opcode lengthens the stack; the pickle is followed until the memory for it is used up. */
static void pickle__that_needs_too_much_leaves_bytes(void **state)
{
    struct ox_buf pickle = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;
    size_t count = OX_PICKLE_MEMORY_MAX / 8 + 1;

    (void)state;
    assert_int_equal(ox_buf_reserve(&pickle, count + 1, NULL), OX_OK);
    memset(pickle.data, 'N', count);
    pickle.data[count] = '.';
    pickle.len_bytes = count + 1;
    put_torch_file(&file, &pickle, 12);
    assert_reads(&file, 1, &layout);
    assert_int_equal(find_tensor(&layout, "data/0")->dtype, OX_DTYPE_OTHER);
    ox_layout_clear(&layout);
    ox_buf_clear(&pickle);
}

static void pickle__of_too_many_opcodes_leaves_bytes(void **state)
{
    struct ox_buf pickle = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;
    size_t count = OX_PICKLE_OPCODES_MAX;

    (void)state;
    assert_int_equal(ox_buf_reserve(&pickle, count + 256, NULL), OX_OK);
    for (size_t i = 0; i < count; i++) {
        pickle.data[i] = i % 2 == 0 ? 'N' : '0'; /* pushed and dropped */
    }
    pickle.len_bytes = count;
    put_pickle(&pickle);
    put_torch_file(&file, &pickle, 12);
    assert_reads(&file, 1, &layout);
    assert_int_equal(find_tensor(&layout, "data/0")->dtype, OX_DTYPE_OTHER);
    ox_layout_clear(&layout);
    ox_buf_clear(&pickle);
}

/* Every key is the same long string: what it would take to name all is not spent. */
static void pickle__limits_the_names(void **state)
{
    struct ox_buf pickle = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;

    (void)state;
    put_text(&pickle, "\x80\x02}(X");
    put_u32(&pickle, OX_TENSOR_NAME_MAX);
    for (size_t i = 0; i < OX_TENSOR_NAME_MAX; i++) {
        put_text(&pickle, "k");
    }
    put_bytes(&pickle, "q\0}", 3);
    for (size_t i = 0; i < OX_LAYOUT_TEXT_MAX / OX_TENSOR_NAME_MAX; i++) {
        put_bytes(&pickle, "h\0}", 3);
    }
    put_text(&pickle, "u.");
    put_torch_file(&file, &pickle, 12);
    assert_refused(&file, OX_ETOOBIG, "names in a pickle");
    ox_buf_clear(&pickle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__refuses_archives_cut_at_every_byte),
        cmocka_unit_test(read__refuses_arrays_cut_at_every_byte),
        cmocka_unit_test(read__survives_damage_at_every_byte),
        cmocka_unit_test(read__finds_an_array_at_its_byte),
        cmocka_unit_test(read__takes_an_archive_of_nothing_as_bytes),
        cmocka_unit_test(read__limits_the_entries),
        cmocka_unit_test(read__reads_no_payload),
        cmocka_unit_test(pickle__names_a_tensor),
        cmocka_unit_test(pickle__damaged_at_every_byte_leaves_the_storage),
        cmocka_unit_test(pickle__that_needs_too_much_leaves_bytes),
        cmocka_unit_test(pickle__of_too_many_opcodes_leaves_bytes),
        cmocka_unit_test(pickle__limits_the_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

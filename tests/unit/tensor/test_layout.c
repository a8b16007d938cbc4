#include "helpers.h"

#include "oxide/base/file.h"
#include "oxide/tensor/limits.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void dtype_info__never_fails(void **state)
{
    (void)state;
    for (int i = -1; i <= OX_DTYPE_COUNT; i++) {
        const struct ox_dtype_info *info = ox_dtype_info((enum ox_dtype)i);

        assert_non_null(info);
        assert_non_null(info->word);
        assert_true(info->block_elements > 0);
        assert_true((info->block_bytes == 0) == (strcmp(info->word, "other") == 0));
    }
    assert_string_equal(ox_dtype_info(OX_DTYPE_Q8_0)->word, "q8_0");
    assert_int_equal(ox_dtype_info(OX_DTYPE_Q8_0)->block_elements, 32);
    assert_int_equal(ox_dtype_info(OX_DTYPE_Q8_0)->block_bytes, 34);
}

static void format_word__names_every_format(void **state)
{
    (void)state;
    assert_string_equal(ox_format_word(OX_FORMAT_UNKNOWN), "bin");
    assert_string_equal(ox_format_word(OX_FORMAT_ONNX), "onnx");
    assert_string_equal(ox_format_word(OX_FORMAT_SAFETENSORS), "safetensors");
    assert_string_equal(ox_format_word(OX_FORMAT_GGUF), "gguf");
    assert_string_equal(ox_format_word(OX_FORMAT_PT), "pt");
    assert_string_equal(ox_format_word(OX_FORMAT_NPZ), "npz");
    assert_string_equal(ox_format_word(OX_FORMAT_NPY), "npy");
    assert_string_equal(ox_format_word((enum ox_format)99), "bin");
}

static void clear__empties_and_takes_an_empty_one(void **state)
{
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;

    (void)state;
    ox_layout_clear(&layout);
    put_safetensors(&file, "{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
    assert_reads(&file, 1, &layout);
    ox_layout_clear(&layout);
    assert_int_equal(layout.count, 0);
    assert_null(layout.tensors);
    ox_layout_clear(&layout);
}

static void of_external__takes_what_fits(void **state)
{
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout onnx = OX_LAYOUT_INIT;
    struct ox_layout data = OX_LAYOUT_INIT;

    (void)state;
    put_external(&graph, 5, "second", 4, "m.data", "16", "16");
    put_external(&graph, 5, "first", 4, "m.data", "0", "16");
    put_external(&graph, 5, "overlaps", 4, "m.data", "20", "16");
    put_external(&graph, 5, "leaves", 4, "m.data", "52", "16");
    put_external(&graph, 5, "elsewhere", 4, "n.data", "0", "16");
    put_floats(&graph, 5, "inside", 4);
    put_model(&file, &graph);
    assert_reads(&file, 6, &onnx);
    assert_int_equal(ox_layout_of_external(&data, &onnx, "m.data", 60, NULL), OX_OK);
    ox_layout_clear(&onnx); /* nothing of it is lent */
    assert_sound(&data, 60);
    assert_int_equal(data.format, OX_FORMAT_ONNX);
    assert_int_equal(data.count, 2);
    assert_int_equal(data.external_count, 0);
    assert_string_equal(data.tensors[0].name, "first");
    assert_string_equal(data.tensors[1].name, "second");
    assert_int_equal(data.tensors[1].offset_bytes, 16);
    assert_int_equal(data.tensors[1].shape[0], 4);
    ox_layout_clear(&data);
}

static void of_external__of_an_unknown_path_is_empty(void **state)
{
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout onnx = OX_LAYOUT_INIT;
    struct ox_layout data = OX_LAYOUT_INIT;

    (void)state;
    put_external(&graph, 5, "t", 4, "m.data", "0", "16");
    put_model(&file, &graph);
    assert_reads(&file, 1, &onnx);
    assert_int_equal(ox_layout_of_external(&data, &onnx, "x.data", 60, NULL), OX_OK);
    assert_int_equal(data.count, 0);
    ox_layout_clear(&data);
    ox_layout_clear(&onnx);
}

/* --- payloads are never read ---*/

#define HUGE_BYTES (200ull << 30)

static void assert_reads_little(const struct ox_buf *head, uint64_t size, uint64_t most_bytes)
{
    struct counting counting = {.head = head};
    struct ox_source source = counting_source(&counting, size);
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_err err = OX_ERR_INIT;
    uint64_t covered = 0;

    if (ox_layout_read(&layout, &source, &err) != OX_OK) {
        fail_msg("refused: %s", err.msg);
    }
    assert_sound(&layout, size);
    for (size_t i = 0; i < layout.count; i++) {
        covered += layout.tensors[i].length_bytes;
    }
    assert_true(covered > size - size / 100);
    if (counting.bytes > most_bytes) {
        fail_msg("%llu bytes read in %llu calls", (unsigned long long)counting.bytes,
                 (unsigned long long)counting.reads);
    }
    ox_layout_clear(&layout);
}

static void read__of_200_gb_safetensors_reads_the_header(void **state)
{
    struct ox_buf header = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;

    (void)state;
    put_text(&header, "{\"t\":{\"dtype\":\"U8\",\"shape\":[200,1073741824],"
                      "\"data_offsets\":[0,214748364800]}}");
    put_bytes(&header, "", 1);
    put_safetensors(&file, (const char *)header.data, 0);
    assert_reads_little(&file, file.len_bytes + HUGE_BYTES, 128 << 10);
    ox_buf_clear(&header);
    ox_buf_clear(&file);
}

static void read__of_200_gb_gguf_reads_the_header(void **state)
{
    static const uint64_t dims[] = {1 << 30, 50};
    struct ox_buf file = OX_BUF_INIT;

    (void)state;
    put_gguf_header(&file, 3, 1, 0);
    put_gguf_info(&file, "t", dims, 2, 0, 0);
    put_gguf_data(&file, 32, 0);
    assert_reads_little(&file, file.len_bytes + HUGE_BYTES, 128 << 10);
    ox_buf_clear(&file);
}

/* ONNX has its payloads between the names: a file of 2 GB tensors whose heads repeat. */
struct repeating {
    struct ox_buf front;
    struct ox_buf head; /* of each tensor, followed by its payload */
    uint64_t payload;
    uint64_t count;
    uint64_t bytes;
};

static enum ox_code read_repeating(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                                   struct ox_err *err)
{
    struct repeating *file = ctx;
    uint8_t *to = out;

    (void)err;
    file->bytes += len_bytes;
    for (size_t i = 0; i < len_bytes; i++) {
        uint64_t at = offset + i;
        uint64_t within;

        if (at < file->front.len_bytes) {
            to[i] = file->front.data[at];
            continue;
        }
        within = (at - file->front.len_bytes) % (file->head.len_bytes + file->payload);
        to[i] = within < file->head.len_bytes ? file->head.data[within] : 0;
    }
    return OX_OK;
}

static void read__of_200_gb_onnx_skips_payloads(void **state)
{
    struct repeating file = {.payload = 1ull << 31, .count = 100};
    struct ox_source source = {&file, 0, read_repeating};
    struct ox_buf tensor = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    put_number(&tensor, 1, file.payload);
    put_number(&tensor, 2, 2);
    put_string(&tensor, 8, "t");
    put_varint(&tensor, 9 << 3 | 2);
    put_varint(&tensor, file.payload);
    put_varint(&file.head, 5 << 3 | 2);
    put_varint(&file.head, tensor.len_bytes + file.payload);
    put_bytes(&file.head, tensor.data, tensor.len_bytes);
    put_number(&file.front, 1, 7);
    put_varint(&file.front, 7 << 3 | 2);
    put_varint(&file.front, file.count * (file.head.len_bytes + file.payload));
    source.size_bytes = file.front.len_bytes + file.count * (file.head.len_bytes + file.payload);
    if (ox_layout_read(&layout, &source, &err) != OX_OK) {
        fail_msg("refused: %s", err.msg);
    }
    assert_sound(&layout, source.size_bytes);
    assert_int_equal(layout.count, file.count);
    (void)find_tensor(&layout, "t#100");
    assert_true(file.bytes < 1 << 20); /* of 200 GB: a page or so per tensor */
    ox_layout_clear(&layout);
    ox_buf_clear(&tensor);
    ox_buf_clear(&file.head);
    ox_buf_clear(&file.front);
}

/* --- errors of the source ---*/

struct failing {
    const struct ox_buf *bytes;
    uint64_t fail_at; /* the number of the read that fails */
    uint64_t reads;
};

static enum ox_code read_failing(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                                 struct ox_err *err)
{
    struct failing *failing = ctx;

    if (failing->reads++ == failing->fail_at) {
        return ox_err_set(err, OX_EIO, "the disk is gone");
    }
    memcpy(out, failing->bytes->data + offset, len_bytes);
    return OX_OK;
}

/* Clears `file`. */
static void assert_passes_errors_on(struct ox_buf *file, uint64_t reads_at_least)
{
    uint64_t reads = 0;

    for (uint64_t i = 0; i <= reads; i++) {
        struct failing failing = {file, i, 0};
        struct ox_source source = {&failing, file->len_bytes, read_failing};
        struct ox_layout layout = OX_LAYOUT_INIT;
        struct ox_err err = OX_ERR_INIT;
        enum ox_code code = ox_layout_read(&layout, &source, &err);

        if (failing.reads <= i) {
            assert_int_equal(code, OX_OK);
            ox_layout_clear(&layout);
            assert_true(i >= reads_at_least); /* there were reads to fail */
            break;
        }
        assert_int_equal(code, OX_EIO);
        assert_non_null(strstr(err.msg, "the disk is gone"));
        reads = failing.reads;
    }
    ox_buf_clear(file);
}

static void read__passes_errors_of_the_source_on(void **state)
{
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;

    (void)state;
    put_floats(&graph, 5, "a", 50000); /* larger than the window */
    put_floats(&graph, 5, "b", 50000);
    put_model(&file, &graph);
    assert_passes_errors_on(&file, 4);
    for (size_t i = 0; i < 2; i++) {
        static const char *const names[] = {"checkpoint.pt", "arrays.npz"};
        char path[4096];

        (void)snprintf(path, sizeof(path), OX_TESTS_DIR "/golden/zip/good/%s", names[i]);
        assert_int_equal(ox_file_read_all(path, 1 << 20, &file, NULL), OX_OK);
        assert_passes_errors_on(&file, 4);
    }
}

/* --- real models ---*/

static const char *const suffixes[] = {".onnx", ".safetensors", ".gguf"};

static bool is_model(const char *path)
{
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t len = strlen(path);

        if (len > strlen(suffixes[i]) &&
            strcmp(path + len - strlen(suffixes[i]), suffixes[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Bytes of the tensors, those of external files added to the size. */
static void check_model(const char *path)
{
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_err err = OX_ERR_INIT;
    uint64_t size = 0;
    uint64_t covered = 0;
    int fd = -1;

    assert_int_equal(ox_file_open_read(path, &fd, &size, &err), OX_OK);
    {
        struct ox_fd_io io = {fd, path};
        struct ox_source source = ox_fd_source(&io, size);

        if (ox_layout_read(&layout, &source, &err) != OX_OK) {
            fail_msg("%s: %s", path, err.msg);
        }
    }
    assert_sound(&layout, size);
    for (size_t i = 0; i < layout.count; i++) {
        covered += layout.tensors[i].length_bytes;
        size += layout.tensors[i].external == NULL ? 0 : layout.tensors[i].length_bytes;
    }
    if (covered * 100 < size * 93) { /* silero's graphs take 6 % of its files */
        fail_msg("%s: tensors cover only %llu of %llu bytes", path, (unsigned long long)covered,
                 (unsigned long long)size);
    }
    ox_layout_clear(&layout);
    (void)close(fd);
}

static size_t check_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char *inner = NULL;
        struct stat st;

        if (entry->d_name[0] == '.') {
            continue;
        }
        assert_int_equal(ox_path_join(&inner, path, entry->d_name, NULL), OX_OK);
        if (stat(inner, &st) == 0 && S_ISDIR(st.st_mode)) {
            count += check_folder(inner);
        } else if (is_model(inner)) {
            check_model(inner);
            count++;
        }
        free(inner);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count;
}

static void read__finds_the_tensors_of_real_models(void **state)
{
    const char *shared = getenv("OXIDE_SHARED");
    char *path = NULL;
    size_t count;

    (void)state;
    shared = shared == NULL ? OX_TESTS_DIR "/../../shared" : shared;
    assert_int_equal(ox_path_join(&path, shared, "models", NULL), OX_OK);
    count = check_folder(path);
    if (count == 0) {
        print_message("skipped: no models in %s (set OXIDE_SHARED)\n", path);
        free(path);
        skip();
    }
    print_message("%zu models read in %s\n", count, path);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtype_info__never_fails),
        cmocka_unit_test(format_word__names_every_format),
        cmocka_unit_test(clear__empties_and_takes_an_empty_one),
        cmocka_unit_test(of_external__takes_what_fits),
        cmocka_unit_test(of_external__of_an_unknown_path_is_empty),
        cmocka_unit_test(read__of_200_gb_safetensors_reads_the_header),
        cmocka_unit_test(read__of_200_gb_gguf_reads_the_header),
        cmocka_unit_test(read__of_200_gb_onnx_skips_payloads),
        cmocka_unit_test(read__passes_errors_of_the_source_on),
        cmocka_unit_test(read__finds_the_tensors_of_real_models),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

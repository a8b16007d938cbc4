/*
 * The golden files: tests/golden/<format>/good/NAME reads as NAME.layout says, and
 * bad/<code word>-WHAT is refused with that code. mlp and external are made by make_model with
 * --width 32 --layers 2, those of zip/ by its make.py, the others by hand. The suffix of a good
 * file is the word of its format.
 */
#include "helpers.h"

#include "oxide/base/file.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN_MAX_BYTES (1 << 20)

static const char *const folders[] = {"onnx", "safetensors", "gguf", "zip"};

/* "offset length dtype [shape] name", and "@ path" for external data: a line per tensor. */
static void describe(const struct ox_layout *layout, struct ox_buf *out)
{
    for (size_t i = 0; i < layout->count; i++) {
        const struct ox_tensor *tensor = &layout->tensors[i];

        assert_int_equal(ox_buf_printf(out, NULL, "%" PRIu64 " %" PRIu64 " %s [",
                                       tensor->offset_bytes, tensor->length_bytes,
                                       ox_dtype_info(tensor->dtype)->word),
                         OX_OK);
        for (uint32_t d = 0; d < tensor->rank; d++) {
            assert_int_equal(
                ox_buf_printf(out, NULL, d == 0 ? "%" PRIu64 : ",%" PRIu64, tensor->shape[d]),
                OX_OK);
        }
        assert_int_equal(ox_buf_printf(out, NULL, "] %s%s%s\n", tensor->name,
                                       tensor->external == NULL ? "" : " @ ",
                                       tensor->external == NULL ? "" : tensor->external),
                         OX_OK);
    }
    put_bytes(out, "", 1);
}

static void check_good(const char *path)
{
    struct ox_buf file = OX_BUF_INIT;
    struct ox_buf wanted = OX_BUF_INIT;
    struct ox_buf got = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_err err = OX_ERR_INIT;
    char *wanted_path = NULL;

    assert_int_equal(ox_strf(&wanted_path, NULL, "%s.layout", path), OX_OK);
    assert_int_equal(ox_file_read_all(path, GOLDEN_MAX_BYTES, &file, NULL), OX_OK);
    if (read_layout(&file, &layout, &err) != OX_OK) {
        fail_msg("%s: %s", path, err.msg);
    }
    assert_sound(&layout, file.len_bytes);
    assert_string_equal(ox_format_word(layout.format), strrchr(path, '.') + 1);
    describe(&layout, &got);
    if (ox_file_read_all(wanted_path, GOLDEN_MAX_BYTES, &wanted, NULL) != OX_OK ||
        strcmp((const char *)wanted.data, (const char *)got.data) != 0) {
        fail_msg("%s differs from\n%s", wanted_path, (const char *)got.data);
    }
    ox_layout_clear(&layout);
    ox_buf_clear(&got);
    ox_buf_clear(&wanted);
    ox_buf_clear(&file);
    free(wanted_path);
}

static void check_bad(const char *path)
{
    struct ox_buf file = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_err err = OX_ERR_INIT;
    const char *name = strrchr(path, '/') + 1;
    const char *word;

    assert_int_equal(ox_file_read_all(path, GOLDEN_MAX_BYTES, &file, NULL), OX_OK);
    word = ox_code_word(read_layout(&file, &layout, &err));
    if (strncmp(name, word, strlen(word)) != 0 || name[strlen(word)] != '-') {
        fail_msg("%s: %s: %s", path, word, err.msg);
    }
    ox_buf_clear(&file);
}

static size_t check_folder(const char *name, const char *kind)
{
    char *folder = NULL;
    DIR *dir;
    struct dirent *entry;
    size_t count = 0;

    assert_int_equal(ox_strf(&folder, NULL, OX_TESTS_DIR "/golden/%s/%s", name, kind), OX_OK);
    dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        char *path = NULL;

        if (entry->d_name[0] == '.' || (dot != NULL && strcmp(dot, ".layout") == 0)) {
            continue;
        }
        assert_int_equal(ox_path_join(&path, folder, entry->d_name, NULL), OX_OK);
        if (strcmp(kind, "good") == 0) {
            check_good(path);
        } else {
            check_bad(path);
        }
        free(path);
        count++;
    }
    (void)closedir(dir);
    free(folder);
    return count;
}

static void read__agrees_with_golden_good_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        assert_true(check_folder(folders[i], "good") >= 2);
    }
}

static void read__refuses_golden_bad_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        assert_true(check_folder(folders[i], "bad") >= 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__agrees_with_golden_good_files),
        cmocka_unit_test(read__refuses_golden_bad_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

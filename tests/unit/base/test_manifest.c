#include "helpers.h"

#include "oxide/base/manifest.h"

#include <stdio.h>
#include <stdlib.h>

static const struct ox_digest sevens = {{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
                                         7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}};
#define SEVENS "0707070707070707070707070707070707070707070707070707070707070707"

static void add(struct ox_manifest *manifest, const char *path, uint64_t size)
{
    assert_int_equal(ox_manifest_add(manifest, path, size, &sevens, false, NULL), OX_OK);
}

/* What finish says to files of these paths, one byte each; NULL ends them. */
static enum ox_code finish_of(const char *const *paths)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code;

    for (size_t i = 0; paths[i] != NULL; i++) {
        add(&manifest, paths[i], 1);
    }
    code = ox_manifest_finish(&manifest, &err);
    assert_int_equal(code, err.code);
    ox_manifest_clear(&manifest);
    return code;
}
#define FINISH(...) finish_of((const char *const[]){__VA_ARGS__, NULL})

static void finish__takes_plain_relative_paths(void **state)
{
    char part[OX_MANIFEST_COMPONENT_MAX + 1] = "";

    (void)state;
    memset(part, 'x', OX_MANIFEST_COMPONENT_MAX);
    assert_int_equal(FINISH("a"), OX_OK);
    assert_int_equal(FINISH("a b", "\xc3\xa9/ü.bin", "..a", "a..", ".hidden", "..."), OX_OK);
    assert_int_equal(FINISH(part), OX_OK);
}

static void finish__refuses_paths_that_are_not(void **state)
{
    static const char *const bad[] = {
        "",     "/",    "/a",        "a/",           "a//b",       ".",    "..",    "./a",
        "a/.",  "a/..", "../a",      "a/../b",       "a\\b",       "a\nb", "a\x7f", "\x01",
        "a\tb", "\xff", "a\xc0\xaf", "\xed\xa0\x80", "a/\xe2\x82",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (FINISH(bad[i]) != OX_EINVAL) {
            fail_msg("path %zu was taken: \"%s\"", i, bad[i]);
        }
    }
}

static void finish__names_the_path_that_it_refuses(void **state)
{
    static const struct {
        const char *path, *shown;
    } rows[] = {
        {"sub/a\nb", "\"sub/a\\x0ab\""},
        {"a\\b", "\"a\\\\b\""},
        {"a\xff", "\"a\\xff\" in an artifact is not valid UTF-8"},
        {"a/../b", "\"a/../b\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_manifest manifest = OX_MANIFEST_INIT;
        struct ox_err err = OX_ERR_INIT;
        const struct ox_digest none = {{0}};

        assert_int_equal(ox_manifest_add(&manifest, rows[i].path, 0, &none, false, NULL), OX_OK);
        assert_int_equal(ox_manifest_finish(&manifest, &err), OX_EINVAL);
        assert_non_null(strstr(err.msg, rows[i].shown));
        ox_manifest_clear(&manifest);
    }
}

static void finish__holds_the_lengths_of_paths(void **state)
{
    char part[OX_MANIFEST_COMPONENT_MAX + 2];
    char path[OX_MANIFEST_PATH_MAX + 2];

    (void)state;
    memset(part, 'x', sizeof(part));
    part[sizeof(part) - 1] = '\0';
    assert_int_equal(FINISH(part), OX_EINVAL);
    memset(path, 'x', sizeof(path));
    for (size_t i = 200; i < sizeof(path); i += 200) {
        path[i] = '/';
    }
    path[OX_MANIFEST_PATH_MAX] = '\0';
    assert_int_equal(FINISH(path), OX_OK);
    path[OX_MANIFEST_PATH_MAX] = 'x';
    path[OX_MANIFEST_PATH_MAX + 1] = '\0';
    assert_int_equal(FINISH(path), OX_EINVAL);
}

/* What is made from a manifest must be removable again: ox_remove_tree has a depth, too. */
static void finish__holds_the_depth_of_paths(void **state)
{
    char path[2 * OX_MANIFEST_DEPTH_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(path); i += 2) {
        path[i] = 'd';
        path[i + 1] = '/';
    }
    path[2 * OX_MANIFEST_DEPTH_MAX - 1] = '\0';
    assert_int_equal(FINISH(path), OX_OK);
    path[2 * OX_MANIFEST_DEPTH_MAX - 1] = '/';
    path[2 * OX_MANIFEST_DEPTH_MAX + 1] = '\0';
    assert_int_equal(FINISH(path), OX_EINVAL);
}

static void finish__refuses_none_doubles_and_files_that_are_folders(void **state)
{
    struct ox_manifest none = OX_MANIFEST_INIT;

    (void)state;
    assert_int_equal(ox_manifest_finish(&none, NULL), OX_EINVAL);
    assert_int_equal(FINISH("a", "b", "a"), OX_EINVAL);
    assert_int_equal(FINISH("a", "a/b"), OX_EINVAL);
    assert_int_equal(FINISH("a/b/c", "a!", "a b", "a/b", "a-", "a.x"), OX_EINVAL);
    assert_int_equal(FINISH("a", "a!x", "a.x", "a/x"), OX_EINVAL); /* others stand between */
    assert_int_equal(FINISH("a.x", "a", "ab/c", "ab.d"), OX_OK);
}

static void finish__sorts_by_bytes(void **state)
{
    static const char *const sorted[] = {"A", "a", "a-b", "a/b", "a0", "\xc3\xa9"};
    struct ox_manifest manifest = OX_MANIFEST_INIT;

    (void)state;
    for (size_t i = 6; i > 0; i--) {
        add(&manifest, strcmp(sorted[i - 1], "a") == 0 ? "aa" : sorted[i - 1], i);
    }
    assert_int_equal(ox_manifest_finish(&manifest, NULL), OX_OK);
    assert_string_equal(manifest.files[0].path, "A");
    assert_string_equal(manifest.files[1].path, "a-b");
    assert_string_equal(manifest.files[2].path, "a/b");
    assert_string_equal(manifest.files[3].path, "a0");
    assert_string_equal(manifest.files[4].path, "aa");
    assert_string_equal(manifest.files[5].path, "\xc3\xa9");
    assert_int_equal(ox_manifest_find(&manifest, "a0"), 3);
    assert_int_equal(ox_manifest_find(&manifest, "A"), 0);
    assert_int_equal(ox_manifest_find(&manifest, "\xc3\xa9"), 5);
    assert_true(ox_manifest_find(&manifest, "a") == SIZE_MAX);
    assert_true(ox_manifest_find(&manifest, "zz") == SIZE_MAX);
    assert_int_equal(ox_manifest_size(&manifest), 21);
    ox_manifest_clear(&manifest);
    assert_int_equal(manifest.count, 0);
}

static void finish__holds_the_sum_of_sizes(void **state)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;

    (void)state;
    add(&manifest, "a", INT64_MAX - 1);
    add(&manifest, "b", 1);
    assert_int_equal(ox_manifest_finish(&manifest, NULL), OX_OK);
    add(&manifest, "c", 1);
    assert_int_equal(ox_manifest_finish(&manifest, NULL), OX_ETOOBIG);
    ox_manifest_clear(&manifest);
    add(&manifest, "a", UINT64_MAX);
    assert_int_equal(ox_manifest_finish(&manifest, NULL), OX_ETOOBIG);
    ox_manifest_clear(&manifest);
}

static void add__holds_the_number_of_files(void **state)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;

    (void)state;
    for (int i = 0; i < OX_MANIFEST_FILES_MAX; i++) {
        char path[16];

        (void)snprintf(path, sizeof(path), "%04d", i);
        add(&manifest, path, 1);
    }
    assert_int_equal(ox_manifest_add(&manifest, "x", 1, &sevens, false, NULL), OX_ETOOBIG);
    assert_int_equal(ox_manifest_finish(&manifest, NULL), OX_OK);
    assert_int_equal(ox_manifest_find(&manifest, "3210"), 3210);
    ox_manifest_clear(&manifest);
}

static void canonical__is_pinned(void **state)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    char *text = NULL;

    (void)state;
    assert_int_equal(ox_manifest_add(&manifest, "run \"it\".sh", 12, &sevens, true, NULL), OX_OK);
    add(&manifest, "a/b", 0);
    add(&manifest, "\xc3\xa9", INT64_MAX - 12);
    assert_int_equal(ox_manifest_finish(&manifest, NULL), OX_OK);
    assert_int_equal(ox_manifest_canonical(&manifest, &text, NULL), OX_OK);
    assert_string_equal(text,
                        "{\"files\":["
                        "{\"mode\":\"0644\",\"path\":\"a/b\",\"sha256\":\"" SEVENS "\",\"size\":0},"
                        "{\"mode\":\"0755\",\"path\":\"run \\\"it\\\".sh\",\"sha256\":\"" SEVENS
                        "\",\"size\":12},"
                        "{\"mode\":\"0644\",\"path\":\"\xc3\xa9\",\"sha256\":\"" SEVENS
                        "\",\"size\":9223372036854775795}]}");
    free(text);
    ox_manifest_clear(&manifest);
}

static enum ox_code from_json(const char *text, struct ox_manifest *out)
{
    json_t *json = NULL;
    enum ox_code code;

    assert_int_equal(ox_json_parse(text, strlen(text), &json, NULL), OX_OK);
    code = ox_manifest_from_json(json, out, NULL);
    json_decref(json);
    return code;
}

static void json__goes_there_and_back(void **state)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    struct ox_manifest back = OX_MANIFEST_INIT;
    struct ox_manifest copy = OX_MANIFEST_INIT;
    json_t *json = NULL;
    char *first = NULL;
    char *second = NULL;

    (void)state;
    assert_int_equal(ox_manifest_add(&manifest, "b", 3, &sevens, true, NULL), OX_OK);
    add(&manifest, "a", 4);
    assert_int_equal(ox_manifest_finish(&manifest, NULL), OX_OK);
    assert_int_equal(ox_manifest_to_json(&manifest, &json, NULL), OX_OK);
    assert_int_equal(ox_manifest_from_json(json, &back, NULL), OX_OK);
    assert_int_equal(ox_manifest_copy(&copy, &back, NULL), OX_OK);
    ox_manifest_clear(&back);
    assert_int_equal(ox_manifest_canonical(&manifest, &first, NULL), OX_OK);
    assert_int_equal(ox_manifest_canonical(&copy, &second, NULL), OX_OK);
    assert_string_equal(first, second);
    assert_true(copy.files[1].executable && !copy.files[0].executable);
    free(first);
    free(second);
    json_decref(json);
    ox_manifest_clear(&copy);
    ox_manifest_clear(&manifest);
}

static void from_json__refuses_what_breaks_a_rule(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[]",
        "[1]",
        "[{}]",
        "[{\"path\":\"a\",\"size\":1}]",
        "[{\"path\":\"a\",\"sha256\":\"" SEVENS "\"}]",
        "[{\"size\":1,\"sha256\":\"" SEVENS "\"}]",
        "[{\"path\":\"a\",\"size\":-1,\"sha256\":\"" SEVENS "\"}]",
        "[{\"path\":\"a\",\"size\":1.5,\"sha256\":\"" SEVENS "\"}]",
        "[{\"path\":\"a\",\"size\":1,\"sha256\":\"07\"}]",
        "[{\"path\":\"a\",\"size\":1,\"sha256\":\"" SEVENS "00\"}]",
        "[{\"path\":\"a\",\"size\":1,\"sha256\":\"" SEVENS "\",\"mode\":\"0777\"}]",
        "[{\"path\":\"a\",\"size\":1,\"sha256\":\"" SEVENS "\",\"mode\":755}]",
        "[{\"path\":\"../a\",\"size\":1,\"sha256\":\"" SEVENS "\"}]",
        "[{\"path\":\"a\",\"size\":1,\"sha256\":\"" SEVENS "\"},"
        "{\"path\":\"a\",\"size\":1,\"sha256\":\"" SEVENS "\"}]",
    };
    struct ox_manifest manifest = OX_MANIFEST_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (from_json(bad[i], &manifest) != OX_EINVAL) {
            fail_msg("taken: %s", bad[i]);
        }
        assert_null(manifest.files);
    }
    assert_int_equal(
        from_json("[{\"path\":\"a\",\"size\":1,\"sha256\":\"" SEVENS "\",\"new\":{}}]", &manifest),
        OX_OK);
    assert_false(manifest.files[0].executable);
    ox_manifest_clear(&manifest);
}

static void single__is_finished(void **state)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;

    (void)state;
    assert_int_equal(ox_manifest_single(&manifest, "../x", 1, &sevens, NULL), OX_EINVAL);
    assert_null(manifest.files);
    assert_int_equal(ox_manifest_single(&manifest, "model.onnx", 5, &sevens, NULL), OX_OK);
    assert_int_equal(manifest.count, 1);
    ox_manifest_clear(&manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finish__takes_plain_relative_paths),
        cmocka_unit_test(finish__refuses_paths_that_are_not),
        cmocka_unit_test(finish__names_the_path_that_it_refuses),
        cmocka_unit_test(finish__holds_the_lengths_of_paths),
        cmocka_unit_test(finish__holds_the_depth_of_paths),
        cmocka_unit_test(finish__refuses_none_doubles_and_files_that_are_folders),
        cmocka_unit_test(finish__sorts_by_bytes),
        cmocka_unit_test(finish__holds_the_sum_of_sizes),
        cmocka_unit_test(add__holds_the_number_of_files),
        cmocka_unit_test(canonical__is_pinned),
        cmocka_unit_test(json__goes_there_and_back),
        cmocka_unit_test(from_json__refuses_what_breaks_a_rule),
        cmocka_unit_test(single__is_finished),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

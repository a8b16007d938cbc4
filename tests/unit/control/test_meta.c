#include "fixture.h"

/* Change v1, or the version named, as a document says. */
static enum ox_code patch(struct fixture *fixture, const char *version, const char *document,
                          json_t **out)
{
    json_t *in = body("%s", document);
    json_t *answer = NULL;
    enum ox_code code = ox_control_version_patch(fixture->control, "m", version, in, &answer, NULL);

    json_decref(in);
    if (out == NULL) {
        json_decref(answer);
    } else {
        *out = answer;
    }
    return code;
}

static void patch_ok(struct fixture *fixture, const char *version, const char *document)
{
    assert_int_equal(patch(fixture, version, document, NULL), OX_OK);
}

/* Publish MODEL_BYTES of `seed` with what is said of them. */
static enum ox_code publish_with(struct fixture *fixture, const char *version, unsigned seed,
                                 const char *document)
{
    struct ox_publish *upload = NULL;
    json_t *out = NULL;
    uint8_t *bytes = malloc(MODEL_BYTES);
    bool created = false;
    enum ox_code code;

    memset(bytes, (int)seed, MODEL_BYTES);
    assert_int_equal(
        ox_control_publish_begin(fixture->control, "m", version, MODEL_BYTES, &upload, NULL),
        OX_OK);
    code = ox_control_publish_meta(upload, body("%s", document), NULL);
    if (code == OX_OK) {
        assert_int_equal(ox_control_publish_write(upload, bytes, MODEL_BYTES, NULL), OX_OK);
        code = ox_control_publish_finish(upload, &created, &out, NULL);
    } else {
        ox_control_publish_abort(upload);
    }
    json_decref(out);
    free(bytes);
    return code;
}

static json_t *version(struct fixture *fixture, const char *name)
{
    json_t *out = NULL;

    assert_int_equal(ox_control_version(fixture->control, "m", name, &out, NULL), OX_OK);
    return out;
}

static void meta__is_set_when_published_and_there_after_a_restart(void **state)
{
    struct fixture *fixture = *state;
    json_t *out;

    assert_int_equal(
        publish_with(fixture, "v1", 1,
                     "{\"labels\":{\"site\":\"graz\",\"prod\":\"\"},\"parent\":\"other@base\","
                     "\"commit\":\"4f1c\",\"data_digest\":\"sha256:00\",\"notes\":\"two\\nlines\","
                     "\"metrics\":{\"loss\":1.5,\"steps\":3}}"),
        OX_OK);
    restart(fixture);
    out = version(fixture, "v1");
    assert_string_equal(text_at(out, "labels.site"), "graz");
    assert_string_equal(text_at(out, "labels.prod"), "");
    assert_string_equal(text_at(out, "parent"), "other@base");
    assert_string_equal(text_at(out, "commit"), "4f1c");
    assert_string_equal(text_at(out, "data_digest"), "sha256:00");
    assert_string_equal(text_at(out, "notes"), "two\nlines");
    assert_true(json_real_value(at(out, "metrics.loss")) > 1.4);
    assert_int_equal(number_at(out, "metrics.steps"), 3);
    json_decref(out);
}

static void meta__absent_leaves_and_null_takes_back(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;

    publish_two(fixture);
    patch_ok(fixture, "v2",
             "{\"labels\":{\"a\":\"1\",\"b\":\"2\"},\"commit\":\"x\","
             "\"metrics\":{\"m\":1},\"parent\":\"v1\"}");
    assert_int_equal(
        patch(fixture, "v2", "{\"labels\":{\"a\":null,\"c\":\"3\"},\"commit\":null}", &out), OX_OK);
    assert_null(at(out, "labels.a"));
    assert_string_equal(text_at(out, "labels.b"), "2");
    assert_string_equal(text_at(out, "labels.c"), "3");
    assert_true(json_is_null(at(out, "commit")));
    assert_string_equal(text_at(out, "parent"), "m@v1");
    assert_int_equal(number_at(out, "metrics.m"), 1);
    json_decref(out);
    assert_int_equal(patch(fixture, "v2", "{\"labels\":null,\"parent\":null}", &out), OX_OK);
    assert_int_equal(json_object_size(at(out, "labels")), 0);
    assert_true(json_is_null(at(out, "parent")));
    json_decref(out);
}

static void meta__refuses_what_is_wrong_and_changes_nothing(void **state)
{
    static const char *const documents[] = {
        "{\"labels\":{\"a\":1}}",
        "{\"labels\":[\"a\"]}",
        "{\"labels\":{\"\":\"x\"}}",
        "{\"labels\":{\"a b\":\"x\"}}",
        "{\"labels\":{\"a\":\"two\\nlines\"}}",
        "{\"metrics\":{\"a\":\"1\"}}",
        "{\"metrics\":{\"a\":true}}",
        "{\"parent\":\"\"}",
        "{\"parent\":\"a@b@c\"}",
        "{\"parent\":\"@v1\"}",
        "{\"parent\":5}",
        "{\"commit\":\"a\\u0001b\"}",
        "{\"rank\":1001}",
        "{\"rank\":-1}",
        "{\"rank\":\"1\"}",
        "{\"requires\":\"\"}",
        "{\"variant\":\"..\"}",
    };
    struct fixture *fixture = *state;
    json_t *before;
    json_t *after;

    publish_two(fixture);
    before = version(fixture, "v2");
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        if (patch(fixture, "v2", documents[i], NULL) != OX_EINVAL ||
            publish_with(fixture, "v3", 3, documents[i]) != OX_EINVAL) {
            fail_msg("not refused: %s", documents[i]);
        }
    }
    after = version(fixture, "v2");
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    assert_int_equal(patch(fixture, "v9", "{}", NULL), OX_ENOTFOUND);
    assert_int_equal(patch(fixture, "v2", "{\"variant\":\"int8\"}", NULL), OX_ENOTFOUND);
}

static void meta__holds_so_many_labels_and_no_more(void **state)
{
    struct fixture *fixture = *state;
    char document[4096] = "{\"labels\":{";
    size_t used = strlen(document);

    publish_two(fixture);
    for (unsigned i = 0; i < 64; i++) {
        used += (size_t)snprintf(document + used, sizeof(document) - used, "%s\"k%u\":\"\"",
                                 i == 0 ? "" : ",", i);
    }
    (void)snprintf(document + used, sizeof(document) - used, "}}");
    patch_ok(fixture, "v1", document);
    assert_int_equal(patch(fixture, "v1", "{\"labels\":{\"more\":\"\"}}", NULL), OX_ETOOBIG);
    patch_ok(fixture, "v1", "{\"labels\":{\"more\":\"\",\"k0\":null}}");
}

static void parent__may_be_unknown_but_never_a_descendant(void **state)
{
    struct fixture *fixture = *state;

    publish_two(fixture);
    patch_ok(fixture, "v1", "{\"parent\":\"not-held\"}");
    patch_ok(fixture, "v2", "{\"parent\":\"v1\"}");
    assert_int_equal(patch(fixture, "v1", "{\"parent\":\"v2\"}", NULL), OX_ECONFLICT);
    assert_int_equal(patch(fixture, "v1", "{\"parent\":\"m@v1\"}", NULL), OX_ECONFLICT);
}

static void publish__the_same_bytes_again_still_take_what_is_said(void **state)
{
    struct fixture *fixture = *state;
    json_t *out;

    assert_int_equal(publish_with(fixture, "v1", 1, "{\"labels\":{\"a\":\"1\"}}"), OX_OK);
    assert_int_equal(publish_with(fixture, "v1", 1, "{\"labels\":{\"b\":\"2\"}}"), OX_OK);
    out = version(fixture, "v1");
    assert_int_equal(json_object_size(at(out, "labels")), 2);
    json_decref(out);
}

static void variant__is_an_artifact_of_its_own_under_the_version(void **state)
{
    const struct ox_list_query all = {.limit = 9, .filters = {{"model", "m"}}, .filter_count = 1};
    char *next = NULL;
    struct fixture *fixture = *state;
    json_t *out = NULL;

    assert_int_equal(publish_with(fixture, "v1", 1, "{\"labels\":{\"a\":\"1\"}}"), OX_OK);
    assert_int_equal(publish_with(fixture, "v1", 2,
                                  "{\"variant\":\"int8\",\"requires\":\"tag.small = \\\"yes\\\"\","
                                  "\"rank\":7,\"metrics\":{\"acc\":0.5}}"),
                     OX_OK);
    assert_int_equal(publish_with(fixture, "v1", 3, "{\"variant\":\"int8\"}"), OX_ECONFLICT);
    out = version(fixture, "v1");
    assert_true(json_is_null(at(out, "variant")));
    assert_int_equal(json_array_size(at(out, "variants")), 2);
    assert_string_equal(text_at(out, "variants.0.variant"), "int8"); /* it requires something */
    json_decref(out);
    assert_int_equal(ox_control_variant(fixture->control, "m", "v1", "int8", &out, NULL), OX_OK);
    assert_string_equal(text_at(out, "requires"), "tag.small = \"yes\"");
    assert_int_equal(number_at(out, "rank"), 7);
    assert_string_equal(text_at(out, "labels.a"), "1"); /* of the version */
    json_decref(out);
    assert_int_equal(ox_control_variant(fixture->control, "m", "v1", "f16", &out, NULL),
                     OX_ENOTFOUND);
    patch_ok(fixture, "v1", "{\"variant\":\"int8\",\"requires\":null,\"rank\":null}");
    assert_int_equal(ox_control_variant(fixture->control, "m", "v1", "int8", &out, NULL), OX_OK);
    assert_true(json_is_null(at(out, "requires")));
    assert_int_equal(number_at(out, "rank"), 100);
    json_decref(out);
    assert_int_equal(ox_control_versions(fixture->control, &all, &out, &next, NULL), OX_OK);
    assert_int_equal(json_array_size(out), 1);
    assert_int_equal(json_array_size(at(out, "0.variants")), 2);
    json_decref(out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(meta__is_set_when_published_and_there_after_a_restart),
        TEST(meta__absent_leaves_and_null_takes_back),
        TEST(meta__refuses_what_is_wrong_and_changes_nothing),
        TEST(meta__holds_so_many_labels_and_no_more),
        TEST(parent__may_be_unknown_but_never_a_descendant),
        TEST(publish__the_same_bytes_again_still_take_what_is_said),
        TEST(variant__is_an_artifact_of_its_own_under_the_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

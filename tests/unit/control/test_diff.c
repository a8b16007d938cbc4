#include "fixture.h"

#include "../../../src/control/diffs.h"

#include "oxide/control/diff.h"
#include "oxide/control/job.h"

/* Publish a safetensors file: rows "name count" of numbers that begin at `from`. */
struct tensor {
    const char *name;
    size_t count;
    float from;
};

static void publish_tensors(struct fixture *fixture, const char *version,
                            const struct tensor *tensors, size_t count, const char *meta)
{
    struct ox_publish *upload = NULL;
    struct ox_buf header = OX_BUF_INIT;
    struct ox_buf bytes = OX_BUF_INIT;
    struct ox_buf file = OX_BUF_INIT;
    uint8_t size[8] = {0};
    json_t *out = NULL;
    bool created = false;

    for (size_t i = 0; i < count; i++) {
        size_t begin = bytes.len_bytes;

        for (size_t k = 0; k < tensors[i].count; k++) {
            float value = tensors[i].from + (float)k;

            assert_int_equal(ox_buf_append(&bytes, &value, sizeof(value), NULL), OX_OK);
        }
        assert_int_equal(
            ox_buf_printf(&header, NULL,
                          "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%zu],\"data_offsets\":[%zu,%zu]}",
                          i == 0 ? "{" : ",", tensors[i].name, tensors[i].count, begin,
                          bytes.len_bytes),
            OX_OK);
    }
    assert_int_equal(ox_buf_append(&header, "}", 1, NULL), OX_OK);
    size[0] = (uint8_t)header.len_bytes;
    size[1] = (uint8_t)(header.len_bytes >> 8);
    assert_int_equal(ox_buf_append(&file, size, 8, NULL), OX_OK);
    assert_int_equal(ox_buf_append(&file, header.data, header.len_bytes, NULL), OX_OK);
    assert_int_equal(ox_buf_append(&file, bytes.data, bytes.len_bytes, NULL), OX_OK);
    assert_int_equal(
        ox_control_publish_begin(fixture->control, "m", version, file.len_bytes, &upload, NULL),
        OX_OK);
    assert_int_equal(ox_control_publish_meta(upload, body("%s", meta), NULL), OX_OK);
    assert_int_equal(ox_control_publish_write(upload, file.data, file.len_bytes, NULL), OX_OK);
    assert_int_equal(ox_control_publish_finish(upload, &created, &out, NULL), OX_OK);
    json_decref(out);
    ox_buf_clear(&file);
    ox_buf_clear(&bytes);
    ox_buf_clear(&header);
}

static void publish_both(struct fixture *fixture)
{
    static const struct tensor before[] = {
        {"kept", 4000, 1}, {"tuned", 100, 1}, {"gone", 30, 5}, {"old.name", 50, 7}};
    static const struct tensor after[] = {
        {"kept", 4000, 1}, {"tuned", 100, 2}, {"fresh", 20, 9}, {"new.name", 50, 7}};

    publish_tensors(fixture, "v1", before, 4,
                    "{\"labels\":{\"prod\":\"\",\"site\":\"graz\"},\"notes\":\"first\"}");
    publish_tensors(fixture, "v2", after, 4,
                    "{\"labels\":{\"site\":\"wien\"},\"metrics\":{\"accuracy\":0.5}}");
}

static enum ox_code ask(struct fixture *fixture, const char *from, const char *to, bool all,
                        json_t **out, int *percent, struct ox_err *err)
{
    const struct ox_diff_ask asked = {
        .model_id = "m", .from = from, .to = to, .all = all, .limit = OX_DIFF_ROWS_MAX};

    return ox_control_diff(fixture->control, &asked, out, percent, err);
}

static void make(struct fixture *fixture, bool wanted)
{
    bool made = !wanted;

    assert_int_equal(ox_control_make_diff(fixture->control, &made, NULL), OX_OK);
    assert_int_equal(made, wanted);
}

/* Ask, make, ask again: the caller releases the answer. */
static json_t *diff(struct fixture *fixture, const char *from, const char *to, bool all)
{
    json_t *out = NULL;
    int percent = -1;

    assert_int_equal(ask(fixture, from, to, all, &out, &percent, NULL), OX_OK);
    if (out == NULL) {
        make(fixture, true);
        assert_int_equal(ask(fixture, from, to, all, &out, &percent, NULL), OX_OK);
    }
    assert_non_null(out);
    return out;
}

static const json_t *row(const json_t *json, const char *side, const char *name)
{
    const json_t *rows = at(json, "rows");

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *found = json_array_get(rows, i);
        const char *text = json_string_value(at(at(found, side), "name"));

        if (text != NULL && strcmp(text, name) == 0) {
            return found;
        }
    }
    fail_msg("there is no row of %s", name);
    return NULL;
}

static void diff__tells_what_became_of_each_tensor(void **state)
{
    struct fixture *fixture = *state;
    json_t *out;
    const json_t *tuned;

    publish_both(fixture);
    out = diff(fixture, "v1", "v2", false);
    assert_int_equal(number_at(out, "tensors.same.count"), 1);
    assert_int_equal(number_at(out, "tensors.changed.count"), 1);
    assert_int_equal(number_at(out, "tensors.added.bytes"), 80);
    assert_int_equal(number_at(out, "tensors.removed.bytes"), 120);
    assert_int_equal(number_at(out, "tensors.renamed.count"), 1);

    tuned = row(out, "to", "tuned");
    assert_string_equal(text_at(tuned, "status"), "changed");
    assert_int_equal(number_at(tuned, "numbers"), 100);
    assert_int_equal(number_at(tuned, "changed_numbers"), 100);
    assert_int_equal(number_at(tuned, "changed_bytes"), 400);
    assert_true(json_number_value(at(tuned, "max_change")) == 1);
    assert_true(json_is_null(at(tuned, "patch_bytes")));
    assert_string_equal(text_at(row(out, "to", "new.name"), "from.name"), "old.name");
    assert_string_equal(text_at(row(out, "to", "fresh"), "status"), "added");
    assert_true(json_is_null(at(row(out, "to", "fresh"), "from")));
    assert_true(json_is_null(at(row(out, "from", "gone"), "to")));
    assert_string_equal(text_at(out, "rows.0.from.name"), "gone"); /* wholly new or gone: first */
    assert_int_equal(json_array_size(at(out, "rows")), 5);         /* and the header */
    assert_int_equal(number_at(out, "rows_left_out"), 0);
    assert_string_equal(text_at(out, "files.0.status"), "changed");
    json_decref(out);

    out = diff(fixture, "v1", "v2", true);
    assert_string_equal(text_at(row(out, "to", "kept"), "status"), "same");
    json_decref(out);
}

static void diff__tells_what_is_said_otherwise(void **state)
{
    static const char *const fields[] = {"labels.site", "labels.prod", "notes", "metrics.accuracy"};
    struct fixture *fixture = *state;
    json_t *out;

    publish_both(fixture);
    out = diff(fixture, "v1", "v2", false);
    assert_int_equal(json_array_size(at(out, "meta")), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(text_at(json_array_get(at(out, "meta"), i), "field"), fields[i]);
    }
    assert_string_equal(text_at(out, "meta.0.from"), "graz");
    assert_string_equal(text_at(out, "meta.0.to"), "wien");
    assert_true(json_is_null(at(out, "meta.1.to")));
    json_decref(out);
}

static void diff__tells_costs_once_the_patch_is_made(void **state)
{
    struct fixture *fixture = *state;
    const struct ox_diff_ask asked = {.model_id = "m", .from = "v2", .to = "v1"};
    json_t *out;
    json_t *job = NULL;
    int64_t sum = 0;

    publish_both(fixture);
    make_deltas(fixture);
    out = diff(fixture, "v2", "v1", false);
    assert_string_equal(text_at(out, "delta.best"), "full");
    assert_true(json_is_null(at(out, "delta.job")));
    assert_true(json_is_null(at(out, "delta.patch_bytes")));
    assert_true(number_at(out, "delta.changed_bytes") >= 520);
    json_decref(out);

    assert_int_equal(ox_control_delta_order(fixture->control, &asked, &job, NULL), OX_OK);
    assert_string_equal(text_at(job, "state"), "queued");
    json_decref(job);
    out = diff(fixture, "v2", "v1", false); /* kept: it needs no making */
    assert_string_equal(text_at(out, "delta.job.state"), "queued");
    json_decref(out);
    make_deltas(fixture);
    assert_int_equal(ox_control_delta_order(fixture->control, &asked, &job, NULL), OX_OK);
    assert_string_equal(text_at(job, "state"), "ready"); /* not once more */
    json_decref(job);

    out = diff(fixture, "v2", "v1", true);
    assert_string_equal(text_at(out, "delta.best"), "patch");
    assert_int_equal(number_at(out, "delta.best_bytes"), number_at(out, "delta.patch_bytes"));
    for (size_t i = 0; i < json_array_size(at(out, "rows")); i++) {
        const json_t *cost = at(json_array_get(at(out, "rows"), i), "patch_bytes");

        sum += json_is_integer(cost) ? json_integer_value(cost) : 0;
    }
    assert_true(sum > 0 && sum <= number_at(out, "delta.patch_bytes"));
    json_decref(out);
}

static void diff__the_cheapest_way_may_be_a_chain(void **state)
{
    static const struct tensor other[] = {{"kept", 4000, 50}, {"tuned", 100, 1}};
    struct fixture *fixture = *state;
    const struct ox_diff_ask steps[] = {{.model_id = "m", .from = "v1", .to = "v2"},
                                        {.model_id = "m", .from = "v2", .to = "v3"}};
    json_t *out = NULL;

    publish_both(fixture);
    publish_tensors(fixture, "v3", other, 2, "{}");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ox_control_delta_order(fixture->control, &steps[i], &out, NULL), OX_OK);
        json_decref(out);
    }
    make_deltas(fixture);
    out = diff(fixture, "v1", "v3", false);
    assert_string_equal(text_at(out, "delta.best"), "chain");
    assert_int_equal(number_at(out, "delta.chain.patches"), 2);
    assert_string_equal(text_at(out, "delta.chain.versions.0"), "v2");
    assert_int_equal(number_at(out, "delta.chain.bytes"), number_at(out, "delta.best_bytes"));
    json_decref(out);
}

static void diff__refuses_what_cannot_be_compared(void **state)
{
    struct fixture *fixture = *state;
    const struct ox_diff_ask variant = {
        .model_id = "m", .from = "v1", .to = "v2", .to_variant = "q4", .limit = 1};
    struct ox_err err = OX_ERR_INIT;
    json_t *out = NULL;
    int percent = 0;

    publish_both(fixture);
    assert_int_equal(ask(fixture, "v1", "v1", false, &out, &percent, &err), OX_EINVAL);
    assert_non_null(strstr(err.msg, "the same version twice"));
    assert_int_equal(ask(fixture, "v1", "v9", false, &out, &percent, &err), OX_ENOTFOUND);
    assert_non_null(strstr(err.msg, "v9"));
    assert_int_equal(ox_control_diff(fixture->control, &variant, &out, &percent, &err),
                     OX_ENOTFOUND);
    assert_non_null(strstr(err.msg, "q4"));
    make(fixture, false); /* nothing came into the queue */
}

static void diff__so_many_wait_and_no_more(void **state)
{
    static const struct tensor tensors[] = {{"w", 10, 1}};
    struct fixture *fixture = *state;
    struct ox_err err = OX_ERR_INIT;
    json_t *out = NULL;
    int percent = 0;
    char version[16];

    for (unsigned i = 0; i < 10; i++) {
        const struct tensor one = {"w", 10, (float)i};

        (void)snprintf(version, sizeof(version), "n%u", i);
        publish_tensors(fixture, version, i == 0 ? tensors : &one, 1, "{}");
    }
    for (unsigned i = 1; i < 10; i++) {
        (void)snprintf(version, sizeof(version), "n%u", i);
        assert_int_equal(ask(fixture, "n0", version, false, &out, &percent, &err),
                         i <= 8 ? OX_OK : OX_EBUSY);
        assert_null(out);
    }
    assert_int_equal(ask(fixture, "n0", "n1", false, &out, &percent, &err), OX_OK); /* it is in */
    make(fixture, true);
    assert_int_equal(ask(fixture, "n0", "n9", false, &out, &percent, &err), OX_OK);
    for (unsigned i = 0; i < 8; i++) {
        make(fixture, true);
    }
    make(fixture, false);
}

static void diff__what_nobody_asks_for_any_more_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    json_t *out = NULL;
    int percent = 0;

    publish_both(fixture);
    assert_int_equal(ask(fixture, "v1", "v2", false, &out, &percent, NULL), OX_OK);
    tick(fixture, 20);
    assert_int_equal(ask(fixture, "v1", "v2", false, &out, &percent, NULL), OX_OK);
    tick(fixture, 20);
    make(fixture, true); /* asked for again: still there */
    assert_int_equal(ask(fixture, "v2", "v1", false, &out, &percent, NULL), OX_OK);
    tick(fixture, 40);
    make(fixture, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(diff__tells_what_became_of_each_tensor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(diff__tells_what_is_said_otherwise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(diff__tells_costs_once_the_patch_is_made, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(diff__the_cheapest_way_may_be_a_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(diff__refuses_what_cannot_be_compared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(diff__so_many_wait_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(diff__what_nobody_asks_for_any_more_is_given_up, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

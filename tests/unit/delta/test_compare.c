#include "helpers.h"

#include "oxide/delta/compare.h"

#include <math.h>

static struct ox_buf floats(const float *values, size_t count)
{
    return bytes_of(values, count * sizeof(*values));
}

static struct ox_buf halves(const uint16_t *values, size_t count)
{
    return bytes_of(values, count * sizeof(*values));
}

static struct ox_comparison compared(const struct artifact *base, const struct artifact *target)
{
    struct ox_comparison out = {.rows = NULL};
    struct ox_err err = OX_ERR_INIT;

    if (ox_compare(&base->side, &target->side, NULL, NULL, &out, &err) != OX_OK) {
        fail_msg("%s", err.msg);
    }
    return out;
}

static const struct ox_compared_row *row_of(const struct ox_comparison *comparison,
                                            const char *name)
{
    for (size_t i = 0; i < comparison->count; i++) {
        if (comparison->rows[i].is_tensor && strcmp(comparison->rows[i].name, name) == 0) {
            return &comparison->rows[i];
        }
    }
    fail_msg("no row is named %s", name);
    return NULL;
}

static const struct ox_compared_row *rest_of(const struct ox_comparison *comparison,
                                             const char *file)
{
    for (size_t i = 0; i < comparison->count; i++) {
        if (!comparison->rows[i].is_tensor && strcmp(comparison->rows[i].file, file) == 0) {
            return &comparison->rows[i];
        }
    }
    fail_msg("no row is of the file %s", file);
    return NULL;
}

static void each_status(void **state)
{
    static const float before[] = {1, 2, 3, 4};
    static const float after[] = {1, 2.5F, 3, 3};
    struct tensors old = {OX_BUF_INIT, OX_BUF_INIT};
    struct tensors new = {OX_BUF_INIT, OX_BUF_INIT};
    struct artifact *base;
    struct artifact *target;
    struct ox_comparison made;
    const struct ox_compared_row *row;

    (void)state;
    tensors_add(&old, "kept", "F32", 4, 0, floats(before, 4));
    tensors_add(&old, "tuned", "F32", 2, 2, floats(before, 4));
    tensors_add(&old, "gone", "F32", 3, 0, floats(before, 3));
    tensors_add(&old, "turned", "F32", 4, 1, floats(before, 4));
    tensors_add(&new, "fresh", "F32", 2, 0, floats(after, 2)); /* all others move */
    tensors_add(&new, "kept", "F32", 4, 0, floats(before, 4));
    tensors_add(&new, "tuned", "F32", 2, 2, floats(after, 4));
    tensors_add(&new, "turned", "F32", 2, 2, floats(before, 4));
    base = artifact_single(tensors_file(&old));
    target = artifact_single(tensors_file(&new));
    made = compared(base, target);

    assert_int_equal(made.count, 6); /* and the header */
    assert_int_equal(made.counts[OX_COMPARED_SAME], 1);
    assert_int_equal(made.counts[OX_COMPARED_CHANGED], 2);
    assert_int_equal(made.counts[OX_COMPARED_ADDED], 1);
    assert_int_equal(made.counts[OX_COMPARED_REMOVED], 1);
    assert_int_equal(made.bytes[OX_COMPARED_CHANGED], 32);
    assert_int_equal(made.bytes[OX_COMPARED_REMOVED], 12);

    assert_int_equal(row_of(&made, "kept")->status, OX_COMPARED_SAME);
    assert_int_equal(row_of(&made, "fresh")->status, OX_COMPARED_ADDED);
    assert_int_equal(row_of(&made, "fresh")->from.bytes, 0);
    assert_int_equal(row_of(&made, "gone")->status, OX_COMPARED_REMOVED);
    assert_int_equal(row_of(&made, "gone")->from.shape[0], 3);
    assert_string_equal(made.rows[0].name, "fresh"); /* in the order of the target */
    assert_string_equal(made.rows[made.count - 1].name, "gone");

    row = row_of(&made, "tuned");
    assert_int_equal(row->status, OX_COMPARED_CHANGED);
    assert_int_equal(row->numbers, 4);
    assert_int_equal(row->changed_numbers, 2);
    assert_true(fabs(row->max_change - 1) < 1e-12);
    assert_true(fabs(row->relative_change - sqrt(1.25 / 30)) < 1e-12);

    row = row_of(&made, "turned"); /* the same bytes in another shape */
    assert_int_equal(row->status, OX_COMPARED_CHANGED);
    assert_int_equal(row->numbers, 0);
    assert_int_equal(row->from.shape[1], 1);
    assert_int_equal(row->to.shape[1], 2);

    assert_int_equal(rest_of(&made, "model.bin")->status, OX_COMPARED_CHANGED);
    ox_comparison_clear(&made);
    artifact_free(base);
    artifact_free(target);
}

struct kind {
    const char *dtype;
    size_t width;
    uint16_t before;
    uint16_t after;
    double change;
};

/* To add a kind: a row here. */
static const struct kind kinds[] = {
    {"F16", 2, 0x3c00, 0x4000, 1},       /* 1 to 2 */
    {"F16", 2, 0x0001, 0x0000, 0x1p-24}, /* the least subnormal */
    {"F16", 2, 0xbc00, 0x3c00, 2},       /* -1 to 1 */
    {"BF16", 2, 0x3f80, 0x4040, 2},      /* 1 to 3 */
    {"F8_E4M3", 1, 0x38, 0x7e, 447},     /* 1 to 448, the largest */
    {"F8_E4M3", 1, 0x78, 0x00, 256},     /* its top exponent is one like the others */
    {"F8_E5M2", 1, 0x3c, 0x40, 1},       /* 1 to 2 */
    {"I8", 1, 0xff, 0x01, 2},            /* -1 to 1 */
    {"U8", 1, 0xff, 0x01, 254},          /* 255 to 1 */
    {"I16", 2, 0xffff, 0x0002, 3},       /* -1 to 2 */
    {"F16", 2, 0x3c00, 0x7c00, 0},       /* infinity changes, and is no measure */
    {"F8_E4M3", 1, 0x38, 0x7f, 0},       /* nor is the one NaN */
    {"BF16", 2, 0x3f80, 0x7fc0, 0},      /* nor another */
};

static void numbers_of_each_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct kind *kind = &kinds[i];
        const uint8_t old_bytes[] = {(uint8_t)kind->before, (uint8_t)(kind->before >> 8)};
        const uint8_t new_bytes[] = {(uint8_t)kind->after, (uint8_t)(kind->after >> 8)};
        struct tensors old = {OX_BUF_INIT, OX_BUF_INIT};
        struct tensors new = {OX_BUF_INIT, OX_BUF_INIT};
        struct artifact *base;
        struct artifact *target;
        struct ox_comparison made;

        tensors_add(&old, "x", kind->dtype, 1, 0, bytes_of(old_bytes, kind->width));
        tensors_add(&new, "x", kind->dtype, 1, 0, bytes_of(new_bytes, kind->width));
        base = artifact_single(tensors_file(&old));
        target = artifact_single(tensors_file(&new));
        made = compared(base, target);
        assert_int_equal(row_of(&made, "x")->changed_numbers, 1);
        if (fabs(row_of(&made, "x")->max_change - kind->change) > 1e-12) {
            fail_msg("%s 0x%x to 0x%x: %g, not %g", kind->dtype, kind->before, kind->after,
                     row_of(&made, "x")->max_change, kind->change);
        }
        ox_comparison_clear(&made);
        artifact_free(base);
        artifact_free(target);
    }
}

static void zeros_have_no_relative_change(void **state)
{
    static const uint16_t before[] = {0, 0};
    static const uint16_t after[] = {0, 0x3c00};
    struct tensors old = {OX_BUF_INIT, OX_BUF_INIT};
    struct tensors new = {OX_BUF_INIT, OX_BUF_INIT};
    struct artifact *base;
    struct artifact *target;
    struct ox_comparison made;

    (void)state;
    tensors_add(&old, "x", "F16", 2, 0, halves(before, 2));
    tensors_add(&new, "x", "F16", 2, 0, halves(after, 2));
    base = artifact_single(tensors_file(&old));
    target = artifact_single(tensors_file(&new));
    made = compared(base, target);
    assert_true(row_of(&made, "x")->relative_change < 0);
    assert_true(row_of(&made, "x")->max_change > 0.99);
    assert_int_equal(rest_of(&made, "model.bin")->status, OX_COMPARED_SAME);
    ox_comparison_clear(&made);
    artifact_free(base);
    artifact_free(target);
}

/* Blocks are 256 KiB: what changes in the third is seen, and only that. */
static void long_tensors_are_read_to_their_end(void **state)
{
    size_t count = 1100000;
    struct ox_buf before = weights(3, count, "F32");
    struct ox_buf after = bytes_of(before.data, before.len_bytes);
    struct tensors old = {OX_BUF_INIT, OX_BUF_INIT};
    struct tensors new = {OX_BUF_INIT, OX_BUF_INIT};
    struct artifact *base;
    struct artifact *target;
    struct ox_comparison made;

    (void)state;
    after.data[after.len_bytes - 1] ^= 0x80; /* the last number's sign */
    tensors_add(&old, "x", "F32", count, 0, before);
    tensors_add(&new, "x", "F32", count, 0, after);
    base = artifact_single(tensors_file(&old));
    target = artifact_single(tensors_file(&new));
    made = compared(base, target);
    assert_int_equal(row_of(&made, "x")->numbers, count);
    assert_int_equal(row_of(&made, "x")->changed_numbers, 1);
    assert_true(row_of(&made, "x")->relative_change > 0);
    ox_comparison_clear(&made);
    artifact_free(base);
    artifact_free(target);
}

/* One shard becomes two: tensors are found where they went, and a name that stands in two files
 * goes with the one of the same path. */
static void tensors_are_found_in_other_files(void **state)
{
    static const float one[] = {1, 2};
    static const float two[] = {3, 4};
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct artifact *base = calloc(1, sizeof(*base));
    struct artifact *target = calloc(1, sizeof(*target));
    struct ox_comparison made;

    (void)state;
    assert_true(base != NULL && target != NULL);
    tensors_add(&model, "a", "F32", 2, 0, floats(one, 2));
    tensors_add(&model, "b", "F32", 2, 0, floats(two, 2));
    artifact_add(base, "model.safetensors", tensors_file(&model), false);
    tensors_add(&model, "scale", "F32", 2, 0, floats(one, 2));
    artifact_add(base, "x/adapter.safetensors", tensors_file(&model), false);
    tensors_add(&model, "scale", "F32", 2, 0, floats(two, 2));
    artifact_add(base, "y/adapter.safetensors", tensors_file(&model), false);
    artifact_add(base, "config.json", bytes_of("{}", 2), false);
    artifact_add(base, "old.txt", bytes_of("old", 3), false);
    artifact_finish(base);

    tensors_add(&model, "a", "F32", 2, 0, floats(one, 2));
    artifact_add(target, "model-1.safetensors", tensors_file(&model), false);
    tensors_add(&model, "b", "F32", 2, 0, floats(one, 2));
    artifact_add(target, "model-2.safetensors", tensors_file(&model), false);
    tensors_add(&model, "scale", "F32", 2, 0, floats(one, 2));
    artifact_add(target, "x/adapter.safetensors", tensors_file(&model), false);
    tensors_add(&model, "scale", "F32", 2, 0, floats(two, 2));
    artifact_add(target, "y/adapter.safetensors", tensors_file(&model), false);
    artifact_add(target, "config.json", bytes_of("{ }", 3), false);
    artifact_add(target, "new.txt", bytes_of("new", 3), false);
    artifact_finish(target);

    made = compared(base, target);
    assert_int_equal(made.counts[OX_COMPARED_SAME], 3);
    assert_int_equal(made.counts[OX_COMPARED_CHANGED], 1);
    assert_int_equal(made.counts[OX_COMPARED_ADDED] + made.counts[OX_COMPARED_REMOVED], 0);
    assert_int_equal(row_of(&made, "a")->status, OX_COMPARED_SAME);
    assert_string_equal(row_of(&made, "b")->file, "model-2.safetensors");
    assert_int_equal(row_of(&made, "b")->status, OX_COMPARED_CHANGED);
    assert_int_equal(rest_of(&made, "config.json")->status, OX_COMPARED_CHANGED);
    assert_int_equal(rest_of(&made, "config.json")->from.bytes, 2);
    assert_int_equal(rest_of(&made, "new.txt")->status, OX_COMPARED_ADDED);
    assert_int_equal(rest_of(&made, "old.txt")->status, OX_COMPARED_REMOVED);
    assert_int_equal(rest_of(&made, "model.safetensors")->status, OX_COMPARED_REMOVED);
    assert_int_equal(rest_of(&made, "x/adapter.safetensors")->status, OX_COMPARED_SAME);
    ox_comparison_clear(&made);
    artifact_clear(base);
    artifact_clear(target);
    free(base);
    free(target);
}

static void external_data_has_tensors(void **state)
{
    struct artifact *base = calloc(1, sizeof(*base));
    struct artifact *target = calloc(1, sizeof(*target));
    struct ox_comparison made;

    (void)state;
    assert_true(base != NULL && target != NULL);
    artifact_add(base, "model.onnx", onnx_with_external("w", 1000, 64), false);
    artifact_add(base, "weights.bin", noise(1, 4064), false);
    artifact_finish(base);
    artifact_add(target, "model.onnx", onnx_with_external("w", 1000, 64), false);
    artifact_add(target, "weights.bin", noise(2, 4064), false);
    artifact_finish(target);
    made = compared(base, target);
    assert_string_equal(row_of(&made, "w")->file, "weights.bin");
    assert_int_equal(row_of(&made, "w")->status, OX_COMPARED_CHANGED);
    assert_int_equal(rest_of(&made, "model.onnx")->status, OX_COMPARED_SAME);
    assert_int_equal(rest_of(&made, "weights.bin")->from.bytes, 64);
    ox_comparison_clear(&made);
    artifact_clear(base);
    artifact_clear(target);
    free(base);
    free(target);
}

/* A side whose bytes cannot be read. */
static enum ox_code refuse(void *ctx, uint64_t offset, void *buf, size_t len, struct ox_err *err)
{
    const struct ox_source *real = ctx;

    return offset < 4096 ? ox_source_read(real, offset, buf, len, err)
                         : ox_err_set(err, OX_EIO, "refused at %llu", (unsigned long long)offset);
}

static void same_files_are_not_read_for_their_tensors(void **state)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct artifact *base;
    struct ox_source real;
    struct ox_comparison made;

    (void)state;
    tensors_add(&model, "w", "F32", 100000, 0, weights(5, 100000, "F32"));
    base = artifact_single(tensors_file(&model));
    real = base->sources[0];
    base->sources[0] = (struct ox_source){&real, real.size_bytes, refuse};
    made = compared(base, base);
    assert_int_equal(made.counts[OX_COMPARED_SAME], 1);
    ox_comparison_clear(&made);
    base->sources[0] = real;
    artifact_free(base);
}

static void says_what_stopped_it(void **state)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct artifact *base;
    struct artifact *target;
    struct ox_comparison made = {.rows = NULL};
    struct ox_err err = OX_ERR_INIT;
    struct ox_stop stop;
    struct ox_source real;

    (void)state;
    tensors_add(&model, "w", "F32", 100000, 0, weights(5, 100000, "F32"));
    base = artifact_single(tensors_file(&model));
    tensors_add(&model, "w", "F32", 100000, 0, weights(6, 100000, "F32"));
    target = artifact_single(tensors_file(&model));

    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    ox_stop_request(&stop);
    assert_int_equal(ox_compare(&base->side, &target->side, &stop, NULL, &made, &err),
                     OX_ECANCELED);
    assert_null(made.rows);
    ox_stop_clear(&stop);

    real = base->sources[0];
    base->sources[0] = (struct ox_source){&real, real.size_bytes, refuse};
    ox_err_clear(&err);
    assert_int_equal(ox_compare(&base->side, &target->side, NULL, NULL, &made, &err), OX_EIO);
    assert_null(made.rows);
    base->sources[0] = real;
    artifact_free(base);
    artifact_free(target);
}

static void count_progress(void *ctx, uint64_t done, uint64_t total)
{
    uint64_t *last = ctx;

    assert_true(done >= last[0] && done <= total);
    last[0] = done;
    last[1] = total;
}

static void tells_how_far_it_is(void **state)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct artifact *base;
    struct artifact *target;
    struct ox_comparison made = {.rows = NULL};
    uint64_t last[2] = {0, 0};
    const struct ox_progress progress = {last, count_progress};

    (void)state;
    tensors_add(&model, "w", "F32", 100, 0, weights(5, 100, "F32"));
    base = artifact_single(tensors_file(&model));
    tensors_add(&model, "w", "F32", 100, 0, weights(6, 100, "F32"));
    target = artifact_single(tensors_file(&model));
    assert_int_equal(ox_compare(&base->side, &target->side, NULL, &progress, &made, NULL), OX_OK);
    assert_true(last[0] >= 400);
    ox_comparison_clear(&made);
    artifact_free(base);
    artifact_free(target);
}

static void each_row_has_its_cost(void **state)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct artifact *base = calloc(1, sizeof(*base));
    struct artifact *target = calloc(1, sizeof(*target));
    struct ox_comparison made;
    struct ox_explain *explain = NULL;
    const struct ox_explanation *explanation = NULL;
    struct ox_delta_stats stats;
    struct ox_buf patch;
    uint64_t *costs = NULL;
    uint64_t sum = 0;

    (void)state;
    assert_true(base != NULL && target != NULL);
    tensors_add(&model, "kept", "F32", 3000, 0, weights(5, 3000, "F32"));
    tensors_add(&model, "gone", "F32", 300, 0, weights(7, 300, "F32"));
    artifact_add(base, "model.safetensors", tensors_file(&model), false);
    artifact_add(base, "notes.txt", prose(1, 5000), false);
    artifact_finish(base);
    tensors_add(&model, "new", "F32", 3000, 0, weights(6, 3000, "F32"));
    tensors_add(&model, "kept", "F32", 3000, 0, weights(5, 3000, "F32"));
    artifact_add(target, "model.safetensors", tensors_file(&model), false);
    artifact_add(target, "notes.txt", prose(2, 5000), false);
    artifact_finish(target);

    patch = make_patch(base, target, OX_ENGINE_TENSOR, 1, &stats);
    {
        const struct ox_explain_spec spec = {&base->side, &target->side, NULL};
        struct ox_memory memory = {patch.data, patch.len_bytes};
        const struct ox_source source = ox_memory_source(&memory);

        assert_int_equal(ox_explain_new(&explain, &spec, NULL), OX_OK);
        assert_int_equal(ox_explain_source(explain, &source, &explanation, NULL), OX_OK);
    }
    made = compared(base, target);
    assert_true(made.memory_bytes >= made.count * sizeof(*made.rows));
    assert_int_equal(ox_comparison_costs(&made, explanation, &costs, NULL), OX_OK);
    for (size_t i = 0; i < made.count; i++) {
        const struct ox_compared_row *row = &made.rows[i];

        assert_int_equal(costs[i] == OX_COST_NOT_KNOWN, row->status == OX_COMPARED_REMOVED);
        sum += costs[i] == OX_COST_NOT_KNOWN ? 0 : costs[i];
        if (strcmp(row->name, "new") == 0) {
            assert_true(costs[i] > 6000);
        } else if (strcmp(row->name, "kept") == 0) {
            assert_true(costs[i] < 200);
        }
    }
    assert_int_equal(sum + explanation->framing_bytes, patch.len_bytes);
    free(costs);
    ox_comparison_clear(&made);
    ox_explain_free(explain);
    ox_buf_clear(&patch);
    artifact_clear(base);
    artifact_clear(target);
    free(base);
    free(target);
}

static void renamed_tensors_are_found_by_their_bytes(void **state)
{
    static const float one[] = {1, 2, 3, 4};
    static const float two[] = {5, 6, 7, 8};
    struct tensors old = {OX_BUF_INIT, OX_BUF_INIT};
    struct tensors new = {OX_BUF_INIT, OX_BUF_INIT};
    struct artifact *base;
    struct artifact *target;
    struct ox_comparison made;

    (void)state;
    tensors_add(&old, "a.0", "F32", 4, 0, floats(one, 4));
    tensors_add(&old, "a.1", "F32", 4, 0, floats(one, 4)); /* the same twice: in their order */
    tensors_add(&old, "a.2", "F32", 4, 0, floats(two, 4));
    tensors_add(&old, "a.3", "F32", 2, 2, floats(two, 4)); /* of another shape: no like */
    tensors_add(&new, "b.2", "F32", 4, 0, floats(two, 4));
    tensors_add(&new, "b.0", "F32", 4, 0, floats(one, 4));
    tensors_add(&new, "b.1", "F32", 4, 0, floats(one, 4));
    tensors_add(&new, "b.3", "F32", 4, 0, floats(two, 4)); /* a.2 is taken */
    base = artifact_single(tensors_file(&old));
    target = artifact_single(tensors_file(&new));
    made = compared(base, target);

    assert_int_equal(made.counts[OX_COMPARED_RENAMED], 3);
    assert_int_equal(made.counts[OX_COMPARED_ADDED], 1);
    assert_int_equal(made.counts[OX_COMPARED_REMOVED], 1);
    assert_int_equal(made.bytes[OX_COMPARED_RENAMED], 48);
    assert_int_equal(made.bytes[OX_COMPARED_ADDED], 16);
    assert_int_equal(made.bytes[OX_COMPARED_REMOVED], 16);
    assert_int_equal(made.count, 6); /* and the header */
    assert_string_equal(row_of(&made, "b.0")->from_name, "a.0");
    assert_string_equal(row_of(&made, "b.1")->from_name, "a.1");
    assert_string_equal(row_of(&made, "b.2")->from_name, "a.2");
    assert_string_equal(row_of(&made, "b.2")->from_file, "model.bin");
    assert_string_equal(ox_compared_word(row_of(&made, "b.0")->status), "renamed");
    assert_int_equal(row_of(&made, "b.3")->status, OX_COMPARED_ADDED);
    assert_null(row_of(&made, "b.3")->from_name);
    assert_int_equal(row_of(&made, "a.3")->status, OX_COMPARED_REMOVED);
    ox_comparison_clear(&made);
    artifact_free(base);
    artifact_free(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status),
        cmocka_unit_test(renamed_tensors_are_found_by_their_bytes),
        cmocka_unit_test(numbers_of_each_kind),
        cmocka_unit_test(zeros_have_no_relative_change),
        cmocka_unit_test(long_tensors_are_read_to_their_end),
        cmocka_unit_test(tensors_are_found_in_other_files),
        cmocka_unit_test(external_data_has_tensors),
        cmocka_unit_test(same_files_are_not_read_for_their_tensors),
        cmocka_unit_test(says_what_stopped_it),
        cmocka_unit_test(tells_how_far_it_is),
        cmocka_unit_test(each_row_has_its_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

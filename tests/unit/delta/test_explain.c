#include "helpers.h"

#include "oxide/base/reader.h"
#include "oxide/crypto/xxh64.h"
#include "oxide/delta/explain.h"

#include <stdlib.h>

/* --- explaining ---*/

struct told {
    struct ox_explain *explain;
    const struct ox_explanation *explanation;
};

static enum ox_code tell(struct told *told, const struct artifact *base,
                         const struct artifact *target, const void *patch, size_t len, size_t piece,
                         struct ox_err *err)
{
    struct ox_explain_spec spec = {base == NULL ? NULL : &base->side,
                                   target == NULL ? NULL : &target->side, NULL};
    const uint8_t *from = patch;
    enum ox_code code = ox_explain_new(&told->explain, &spec, err);

    for (size_t at = 0; code == OX_OK && at < len;) {
        size_t take = piece == 0 || piece > len - at ? len - at : piece;

        code = ox_explain_feed(told->explain, from + at, take, err);
        at += take;
    }
    return code == OX_OK ? ox_explain_finish(told->explain, &told->explanation, err) : code;
}

static struct told told_of(const struct artifact *base, const struct artifact *target,
                           const struct ox_buf *patch)
{
    struct told told = {NULL, NULL};
    struct ox_err err = OX_ERR_INIT;

    if (tell(&told, base, target, patch->data, patch->len_bytes, 0, &err) != OX_OK) {
        fail_msg("%s", err.msg);
    }
    return told;
}

/* What holds of every explanation: rows are sorted and add up. */
static void assert_adds_up(const struct ox_explanation *told, uint64_t patch_bytes,
                           uint64_t target_bytes)
{
    uint64_t patch = told->framing_bytes;
    uint64_t target = 0;

    for (size_t i = 0; i < told->count; i++) {
        assert_true(i == 0 || told->rows[i].patch_bytes <= told->rows[i - 1].patch_bytes);
        assert_true(told->rows[i].target_bytes > 0);
        assert_true(strlen(told->rows[i].predictors) > 0);
        patch += told->rows[i].patch_bytes;
        target += told->rows[i].target_bytes;
    }
    assert_int_equal(told->patch_bytes, patch_bytes);
    assert_int_equal(patch, patch_bytes);
    assert_int_equal(target, target_bytes);
}

static const struct ox_explained_row *row_of(const struct told *told, const char *name)
{
    for (size_t i = 0; i < told->explanation->count; i++) {
        if (told->explanation->rows[i].kind == OX_EXPLAINED_TENSOR &&
            strcmp(told->explanation->rows[i].name, name) == 0) {
            return &told->explanation->rows[i];
        }
    }
    fail_msg("no row is named %s", name);
    return NULL;
}

static const struct ox_explained_row *rest_of(const struct told *told, const char *file)
{
    for (size_t i = 0; i < told->explanation->count; i++) {
        if (told->explanation->rows[i].kind != OX_EXPLAINED_TENSOR &&
            strcmp(told->explanation->rows[i].file, file) == 0) {
            return &told->explanation->rows[i];
        }
    }
    fail_msg("no row is for the rest of %s", file);
    return NULL;
}

/* --- a pair: one tensor stays, one moves a little, one is pruned, one is new --- */

static struct ox_buf pruned(const struct ox_buf *from)
{
    struct ox_buf out = bytes_of(from->data, from->len_bytes);

    for (size_t i = 0; i + 4 <= out.len_bytes; i += 4) {
        if ((ox_load_u32le(out.data + i) & 0x7fffffff) < 0x3df00000) {
            memset(out.data + i, 0, 4);
        }
    }
    return out;
}

static struct artifact *model(bool is_target)
{
    struct tensors tensors = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_buf moved = weights(2, 6000, "F32");
    struct ox_buf cut = weights(3, 8000, "F32");

    tensors_add(&tensors, "stays", "F32", 100, 30, weights(1, 3000, "F32"));
    tensors_add(&tensors, "moves", "F32", 100, 60,
                is_target ? fine_tuned(&moved, 9, "F32") : bytes_of(moved.data, moved.len_bytes));
    tensors_add(&tensors, "pruned", "F32", 8000, 0,
                is_target ? pruned(&cut) : bytes_of(cut.data, cut.len_bytes));
    tensors_add(&tensors, "large", "BF16", 300, 300, weights(5, 90000, "BF16"));
    if (is_target) {
        tensors_add(&tensors, "new", "F16", 2000, 0, weights(4, 2000, "F16"));
    }
    ox_buf_clear(&moved);
    ox_buf_clear(&cut);
    return artifact_single(tensors_file(&tensors));
}

static void rows__and_framing_are_the_patch(void **state)
{
    struct artifact *base = model(false);
    struct artifact *target = model(true);
    uint64_t size = target->bytes[0].len_bytes;

    (void)state;
    for (unsigned engine = OX_ENGINE_AUTO; engine <= OX_ENGINE_BINARY; engine++) {
        struct ox_buf patch = make_patch(base, target, (enum ox_delta_engine)engine, 1, NULL);
        struct told told[] = {told_of(base, target, &patch), told_of(NULL, target, &patch),
                              told_of(base, NULL, &patch), told_of(NULL, NULL, &patch)};

        for (size_t i = 0; i < 4; i++) {
            assert_adds_up(told[i].explanation, patch.len_bytes, size);
            assert_int_equal(told[i].explanation->framing_bytes,
                             told[0].explanation->framing_bytes);
        }
        for (size_t i = 0; i < 4; i++) {
            ox_explain_free(told[i].explain);
        }
        ox_buf_clear(&patch);
    }
    artifact_free(base);
    artifact_free(target);
}

static void rows__are_the_targets_tensors(void **state)
{
    struct artifact *base = model(false);
    struct artifact *target = model(true);
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_TENSOR, 1, NULL);
    struct told told = told_of(base, target, &patch);
    const struct ox_explained_row *moves = row_of(&told, "moves");
    const struct ox_explained_row *rest = rest_of(&told, "model.bin");

    (void)state;
    assert_int_equal(told.explanation->count, 6);
    assert_int_equal(moves->dtype, OX_DTYPE_F32);
    assert_int_equal(moves->rank, 2);
    assert_int_equal(moves->shape[0], 100);
    assert_int_equal(moves->shape[1], 60);
    assert_int_equal(moves->target_bytes, 24000);
    assert_int_equal(moves->target_offset, rest->target_bytes + 12000);
    assert_int_equal(rest->kind, OX_EXPLAINED_GAP);
    assert_string_equal(moves->predictors, "same");
    assert_string_equal(row_of(&told, "pruned")->predictors, "pruned");
    assert_string_equal(row_of(&told, "new")->predictors, "none");
    assert_string_equal(row_of(&told, "large")->predictors, "copy");
    ox_explain_free(told.explain);
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

/* "stays" and "moves" share a frame. */
static void shares__go_to_what_changed(void **state)
{
    struct artifact *base = model(false);
    struct artifact *target = model(true);
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_TENSOR, 1, NULL);
    struct told both = told_of(base, target, &patch);
    struct told alone = told_of(NULL, target, &patch);

    (void)state;
    assert_int_equal(row_of(&both, "stays")->patch_bytes, 0);
    assert_true(row_of(&both, "pruned")->patch_bytes < 200);
    assert_true(row_of(&both, "moves")->patch_bytes > 6000);
    assert_true(row_of(&both, "new")->patch_bytes > 3000);
    /* by size alone */
    assert_true(row_of(&alone, "stays")->patch_bytes > 1000);
    assert_true(row_of(&alone, "pruned")->patch_bytes > row_of(&alone, "moves")->patch_bytes);
    assert_true(row_of(&alone, "pruned")->patch_bytes >
                row_of(&alone, "stays")->patch_bytes * 5 / 2);
    ox_explain_free(both.explain);
    ox_explain_free(alone.explain);
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

/* Integers by another scale for each row, 4/3 or 2/3, and nothing else; and weights that moved. */
static struct artifact *scaled(bool is_target)
{
    enum { ROWS = 40, COLUMNS = 250 };
    struct tensors tensors = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_buf moved = weights(2, 4000, "F32");
    struct ox_buf integers = noise(6, (size_t)ROWS * COLUMNS);

    for (size_t i = 0; i < integers.len_bytes; i++) {
        int x = integers.data[i] % 121 - 60;
        int by = i / COLUMNS % 2 == 0 ? 4 : 2;

        integers.data[i] = (uint8_t)(is_target ? (2 * x * by + 3 + 6 * 1000) / 6 - 1000 : x);
    }
    tensors_add(&tensors, "moves", "F32", 100, 40,
                is_target ? fine_tuned(&moved, 9, "F32") : bytes_of(moved.data, moved.len_bytes));
    tensors_add(&tensors, "scaled", "I8", ROWS, COLUMNS, integers);
    ox_buf_clear(&moved);
    return artifact_single(tensors_file(&tensors));
}

/* What is sent, the scales, predicts the integers: they did not change beyond it. */
static void shares__count_what_is_sent(void **state)
{
    struct artifact *base = scaled(false);
    struct artifact *target = scaled(true);
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_TENSOR, 1, NULL);
    struct told told = told_of(base, target, &patch);

    (void)state;
    assert_string_equal(row_of(&told, "scaled")->predictors, "scaled");
    assert_true(row_of(&told, "scaled")->patch_bytes < 500);
    assert_true(row_of(&told, "scaled")->patch_bytes > 20);
    assert_true(row_of(&told, "moves")->patch_bytes > 4000);
    ox_explain_free(told.explain);
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

static void shares__of_bytes_go_to_new_ones(void **state)
{
    struct artifact *base = model(false);
    struct artifact *target = model(true);
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_BINARY, 1, NULL);
    struct told told = told_of(base, target, &patch);

    (void)state;
    assert_null(strstr(row_of(&told, "moves")->predictors, "same"));
    assert_true(row_of(&told, "moves")->patch_bytes > patch.len_bytes / 2);
    assert_true(row_of(&told, "stays")->patch_bytes * 10 < row_of(&told, "moves")->patch_bytes);
    ox_explain_free(told.explain);
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

static void shares__of_differences_go_to_what_differs(void **state)
{
    struct artifact *base = model(false);
    struct artifact *target = model(true);
    struct ox_delta_options options = {.engine = OX_ENGINE_TENSOR,
                                       .threads = 1,
                                       .ops = (uint64_t)1 << OX_OXDL_END |
                                              (uint64_t)1 << OX_OXDL_RAW |
                                              (uint64_t)1 << OX_OXDL_SUB};
    struct memory_output patch = {OX_BUF_INIT, 0};
    struct ox_output output = memory_output(&patch);
    struct told told;

    (void)state;
    assert_int_equal(ox_delta_create(&base->side, &target->side, &options, &output, NULL, NULL),
                     OX_OK);
    told = told_of(base, target, &patch.bytes);
    assert_adds_up(told.explanation, patch.bytes.len_bytes, target->bytes[0].len_bytes);
    assert_string_equal(row_of(&told, "moves")->predictors, "sub");
    assert_true(row_of(&told, "moves")->patch_bytes > 6000);
    ox_explain_free(told.explain);
    ox_buf_clear(&patch.bytes);
    artifact_free(base);
    artifact_free(target);
}

static void without_target__rows_are_predictors(void **state)
{
    struct artifact *base = model(false);
    struct artifact *target = model(true);
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_TENSOR, 1, NULL);
    struct told told = told_of(NULL, NULL, &patch);
    unsigned found = 0;

    (void)state;
    for (size_t i = 0; i < told.explanation->count; i++) {
        const struct ox_explained_row *row = &told.explanation->rows[i];

        assert_int_equal(row->kind, OX_EXPLAINED_PREDICTOR);
        found += strcmp(row->predictors, "same") == 0 || strcmp(row->predictors, "pruned") == 0 ||
                 strcmp(row->predictors, "copy") == 0 || strcmp(row->predictors, "none") == 0;
    }
    assert_int_equal(found, 4);
    ox_explain_free(told.explain);
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

static void folder__rows_know_their_files(void **state)
{
    struct artifact base = {.manifest = OX_MANIFEST_INIT};
    struct artifact target = {.manifest = OX_MANIFEST_INIT};
    struct tensors tensors = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_buf patch;
    struct told told;

    (void)state;
    artifact_add(&base, "a.txt", prose(1, 3000), false);
    artifact_finish(&base);
    tensors_add(&tensors, "w", "F32", 500, 0, weights(1, 500, "F32"));
    artifact_add(&target, "a.txt", prose(1, 3000), false);
    artifact_add(&target, "empty", (struct ox_buf)OX_BUF_INIT, false);
    artifact_add(&target, "m.onnx", onnx_with_external("outside", 700, 64), false);
    artifact_add(&target, "w.safetensors", tensors_file(&tensors), false);
    artifact_add(&target, "weights.bin", weights(2, 1000, "F32"), false);
    artifact_finish(&target);
    patch = make_patch(&base, &target, OX_ENGINE_AUTO, 1, NULL);
    told = told_of(&base, &target, &patch);
    assert_adds_up(told.explanation, patch.len_bytes, ox_manifest_size(&target.manifest));
    assert_int_equal(told.explanation->count, 6); /* nothing of "empty" */
    assert_string_equal(row_of(&told, "w")->file, "w.safetensors");
    assert_string_equal(row_of(&told, "outside")->file, "weights.bin");
    assert_int_equal(row_of(&told, "outside")->target_bytes, 2800);
    assert_int_equal(rest_of(&told, "a.txt")->kind, OX_EXPLAINED_BYTES);
    assert_int_equal(rest_of(&told, "m.onnx")->kind, OX_EXPLAINED_BYTES);
    assert_int_equal(rest_of(&told, "weights.bin")->kind, OX_EXPLAINED_GAP);
    assert_int_equal(rest_of(&told, "weights.bin")->target_bytes, 1200);
    ox_explain_free(told.explain);
    ox_buf_clear(&patch);
    artifact_clear(&base);
    artifact_clear(&target);
}

static void empty_target__has_no_rows(void **state)
{
    struct artifact *base = artifact_copy("abc", 3);
    struct artifact *target = artifact_copy("", 0);
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_AUTO, 1, NULL);
    struct told told = told_of(base, target, &patch);

    (void)state;
    assert_int_equal(told.explanation->count, 0);
    assert_int_equal(told.explanation->framing_bytes, patch.len_bytes);
    ox_explain_free(told.explain);
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

static void feed__takes_pieces_of_any_size(void **state)
{
    struct artifact *base = model(false);
    struct artifact *target = model(true);
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_AUTO, 1, NULL);
    struct told whole = told_of(base, target, &patch);
    static const size_t pieces[] = {1, 7, 4096};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct told told = {NULL, NULL};

        assert_int_equal(tell(&told, base, target, patch.data, patch.len_bytes, pieces[i], NULL),
                         OX_OK);
        assert_int_equal(told.explanation->count, whole.explanation->count);
        for (size_t j = 0; j < told.explanation->count; j++) {
            assert_string_equal(told.explanation->rows[j].name, whole.explanation->rows[j].name);
            assert_int_equal(told.explanation->rows[j].patch_bytes,
                             whole.explanation->rows[j].patch_bytes);
        }
        ox_explain_free(told.explain);
    }
    ox_explain_free(whole.explain);
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

static void sides__of_another_patch_are_refused(void **state)
{
    struct artifact *base = model(false);
    struct artifact *target = model(true);
    struct artifact *other = artifact_copy("other", 5);
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_AUTO, 1, NULL);
    struct told told = {NULL, NULL};
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    assert_int_equal(tell(&told, other, target, patch.data, patch.len_bytes, 0, &err), OX_EBASE);
    assert_non_null(strstr(err.msg, "base"));
    ox_explain_free(told.explain);
    assert_int_equal(tell(&told, base, base, patch.data, patch.len_bytes, 0, &err), OX_EDIGEST);
    assert_non_null(strstr(err.msg, "target"));
    ox_explain_free(told.explain);
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
    artifact_free(other);
}

/* --- damage ---*/

static void patch__cut_short_anywhere_is_refused(void **state)
{
    struct artifact *base = artifact_single(weights(1, 800, "F32"));
    struct ox_buf moved = fine_tuned(&base->bytes[0], 2, "F32");
    struct artifact *target = artifact_single(moved);
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_AUTO, 1, NULL);

    (void)state;
    for (size_t len = 0; len < patch.len_bytes; len++) {
        struct told told = {NULL, NULL};

        assert_int_equal(tell(&told, base, target, patch.data, len, 0, NULL), OX_ECORRUPT);
        ox_explain_free(told.explain);
    }
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

/* Sums of frames are not looked at: what a frame says may be anything. */
static void patch__damaged_anywhere_adds_up_or_is_refused(void **state)
{
    struct artifact *base = model(false);
    struct artifact *target = model(true);
    size_t refused = 0;
    size_t told_of_all = 0;

    (void)state;
    for (unsigned engine = OX_ENGINE_AUTO; engine <= OX_ENGINE_BINARY; engine++) {
        struct ox_buf patch = make_patch(base, target, (enum ox_delta_engine)engine, 1, NULL);
        struct told first = told_of(base, target, &patch);
        size_t header = first.explanation->framing_bytes; /* about: its sum guards it */

        ox_explain_free(first.explain);
        for (size_t i = 0; i < 600; i++) {
            size_t at = header + (i < 400 ? i : (patch.len_bytes - header - 1) * i / 600);
            struct told told = {NULL, NULL};
            struct ox_err err = OX_ERR_INIT;
            uint8_t kept = patch.data[at];

            patch.data[at] ^= (uint8_t)(1u << i % 8);
            if (tell(&told, base, target, patch.data, patch.len_bytes, 0, &err) == OX_OK) {
                assert_adds_up(told.explanation, patch.len_bytes, target->bytes[0].len_bytes);
                told_of_all++;
            } else {
                assert_true(err.code == OX_ECORRUPT || err.code == OX_EUNSUPPORTED);
                refused++;
            }
            ox_explain_free(told.explain);
            patch.data[at] = kept;
        }
        ox_buf_clear(&patch);
    }
    assert_true(refused > 20);
    assert_true(told_of_all > 20);
    artifact_free(base);
    artifact_free(target);
}

/* A frame of numbers whose parts are predicted from more than its range holds. */
static void parts__that_want_more_than_the_ranges_are_refused(void **state)
{
    static const uint8_t body[] = {1, 1 /* same */, 8 /* f32 */, 8 /* bytes */, 0, 0, 0};
    static const uint8_t zeros[8] = {0};
    struct artifact *base = artifact_copy("abcdefghij", 10);
    struct artifact *target = artifact_copy(zeros, 8);
    struct ox_oxdl_range range = {false, 0, 4};
    struct ox_oxdl_frame frame = {.op = OX_OXDL_NUMBERS,
                                  .target_bytes = 8,
                                  .sum = ox_xxh64(zeros, 8, 0),
                                  .range_count = 1,
                                  .ranges = &range,
                                  .body = body,
                                  .body_bytes = sizeof(body)};
    struct ox_oxdl_header header = {.version = 2, .ops = OX_OXDL_OPS_KNOWN};
    struct ox_buf patch = OX_BUF_INIT;
    struct told told = {NULL, NULL};
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    header.base.digest = base->side.digest;
    header.base.size_bytes = 10;
    header.target.digest = target->side.digest;
    header.target.size_bytes = 8;
    assert_int_equal(ox_oxdl_put_header(&patch, &header, NULL), OX_OK);
    assert_int_equal(ox_oxdl_put_frame(&patch, &frame, NULL), OX_OK);
    assert_int_equal(ox_oxdl_put_end(&patch, 1, NULL), OX_OK);
    assert_int_equal(tell(&told, base, target, patch.data, patch.len_bytes, 0, &err), OX_ECORRUPT);
    assert_non_null(strstr(err.msg, "ranges"));
    ox_explain_free(told.explain);
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows__and_framing_are_the_patch),
        cmocka_unit_test(rows__are_the_targets_tensors),
        cmocka_unit_test(shares__go_to_what_changed),
        cmocka_unit_test(shares__count_what_is_sent),
        cmocka_unit_test(shares__of_bytes_go_to_new_ones),
        cmocka_unit_test(shares__of_differences_go_to_what_differs),
        cmocka_unit_test(without_target__rows_are_predictors),
        cmocka_unit_test(folder__rows_know_their_files),
        cmocka_unit_test(empty_target__has_no_rows),
        cmocka_unit_test(feed__takes_pieces_of_any_size),
        cmocka_unit_test(sides__of_another_patch_are_refused),
        cmocka_unit_test(patch__cut_short_anywhere_is_refused),
        cmocka_unit_test(patch__damaged_anywhere_adds_up_or_is_refused),
        cmocka_unit_test(parts__that_want_more_than_the_ranges_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

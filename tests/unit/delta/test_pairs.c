/* Which tensor comes from which: the passes one by one. */
#include "../../../src/delta/pairs.h"
#include "helpers.h"

#include <stdio.h>
#include <stdlib.h>

/* Models of U8 tensors, written as "name:seed:len name:seed:len ...". */
static struct ox_buf model(const char *text, const char *dtype)
{
    struct tensors tensors = {OX_BUF_INIT, OX_BUF_INIT};
    char name[32];
    unsigned seed;
    unsigned len;
    int used = 0;

    for (; sscanf(text, " %31[^:]:%u:%u%n", name, &seed, &len, &used) == 3; text += used) {
        unsigned width = strcmp(dtype, "F32") == 0 ? 4 : strcmp(dtype, "BF16") == 0 ? 2 : 1;

        tensors_add(&tensors, name, dtype, len / width, 0, noise(seed, len));
    }
    return tensors_file(&tensors);
}

struct found {
    struct artifact *base;
    struct artifact *target;
    struct tensor_pairs pairs;
};

static struct found find(struct ox_buf base, struct ox_buf target)
{
    struct found found = {artifact_single(base), artifact_single(target), {NULL, 0}};

    assert_int_equal(
        tensor_pairs_find(&found.pairs, &found.base->side, &found.target->side, NULL, NULL), OX_OK);
    for (size_t i = 0; i < found.pairs.count; i++) {
        const struct tensor_pair *pair = &found.pairs.pairs[i];
        uint64_t end = pair->target_offset + pair->target_bytes;

        assert_true(pair->target_bytes > 0 && tensor_pair_common(pair) <= pair->target_bytes);
        assert_true(end <= found.target->bytes[0].len_bytes);
        assert_true(i == 0 || found.pairs.pairs[i - 1].target_offset +
                                      found.pairs.pairs[i - 1].target_bytes <=
                                  pair->target_offset);
        assert_true(!pair->has_base ||
                    pair->base_offset + tensor_pair_common(pair) <= found.base->bytes[0].len_bytes);
    }
    return found;
}

static void found_clear(struct found *found)
{
    tensor_pairs_clear(&found->pairs);
    artifact_free(found->base);
    artifact_free(found->target);
}

/* Offset of a tensor's data in the base: behind header and those before it. */
static uint64_t place(const struct artifact *artifact, uint64_t in_data)
{
    uint64_t header = 0;

    for (size_t i = 8; i > 0; i--) {
        header = header << 8 | artifact->bytes[0].data[i - 1];
    }
    return 8 + header + in_data;
}

static void assert_pair(const struct found *found, size_t index, uint64_t base_in_data,
                        uint64_t common)
{
    const struct tensor_pair *pair = &found->pairs.pairs[index];

    assert_true(pair->has_base);
    assert_int_equal(pair->base_offset, place(found->base, base_in_data));
    assert_int_equal(tensor_pair_common(pair), common);
}

static void reorder__is_followed_by_name(void **state)
{
    struct found found =
        find(model("a:1:100 b:2:100 c:3:100", "U8"), model("c:7:100 a:8:100 b:9:100", "U8"));

    (void)state;
    assert_int_equal(found.pairs.count, 3);
    assert_pair(&found, 0, 200, 100);
    assert_pair(&found, 1, 0, 100);
    assert_pair(&found, 2, 100, 100);
    found_clear(&found);
}

static void rename__is_followed_by_content(void **state)
{
    struct found found = find(model("a:1:100 b:2:100 c:3:100", "U8"),
                              model("x:3:100 b:2:100 y:1:100 z:1:100", "U8"));

    (void)state;
    assert_pair(&found, 0, 200, 100);
    assert_pair(&found, 1, 100, 100);
    assert_pair(&found, 2, 0, 100);
    assert_pair(&found, 3, 0, 100); /* tied weights: one tensor of the base serves two */
    found_clear(&found);
}

static void rename_and_tune__is_followed_by_shape_in_order(void **state)
{
    struct found found =
        find(model("a:1:100 b:2:50 c:3:100", "U8"), model("x:7:100 y:8:50 z:9:100", "U8"));

    (void)state;
    assert_pair(&found, 0, 0, 100);
    assert_pair(&found, 1, 100, 50);
    assert_pair(&found, 2, 150, 100);
    found_clear(&found);
}

static void grown_rows__go_side_by_side_as_far_as_both_go(void **state)
{
    struct found found = find(model("emb:1:1000 w:2:500", "U8"), model("emb:1:1200 w:2:300", "U8"));

    (void)state;
    assert_pair(&found, 0, 0, 1000);
    assert_int_equal(found.pairs.pairs[0].target_bytes, 1200);
    assert_pair(&found, 1, 1000, 300);
    found_clear(&found);
}

static void other_dtype__is_a_like_but_not_side_by_side(void **state)
{
    struct found found = find(model("a:1:100", "F32"), model("a:2:50", "BF16"));

    (void)state;
    assert_int_equal(found.pairs.count, 1);
    assert_true(found.pairs.pairs[0].has_base);
    assert_int_equal(found.pairs.pairs[0].dtype, OX_DTYPE_BF16);
    assert_int_equal(found.pairs.pairs[0].base_dtype, OX_DTYPE_F32);
    assert_int_equal(tensor_pair_common(&found.pairs.pairs[0]), 0);
    found_clear(&found);
}

static void prediction__is_by_default_that_of_the_dtype(void **state)
{
    static const struct {
        const char *dtype;
        unsigned width;
        enum number_kind kind;
    } rows[] = {{"F32", 4, NUMBER_F32}, {"I32", 4, NUMBER_I32},   {"F16", 2, NUMBER_F16},
                {"BF16", 2, NUMBER_BF16}, {"I8", 1, NUMBER_I8}, {"BOOL", 1, NUMBER_U8}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tensors sides[2] = {{OX_BUF_INIT, OX_BUF_INIT}, {OX_BUF_INIT, OX_BUF_INIT}};
        struct found found;

        for (unsigned side = 0; side < 2; side++) {
            tensors_add(&sides[side], "w", rows[i].dtype, 16, 0, noise(side, 16 * rows[i].width));
        }
        found = find(tensors_file(&sides[0]), tensors_file(&sides[1]));
        assert_int_equal(found.pairs.pairs[0].prediction.predictor, PREDICT_SAME);
        assert_int_equal(found.pairs.pairs[0].prediction.kind, rows[i].kind);
        assert_int_equal(found.pairs.pairs[0].columns, 16);
        found_clear(&found);
    }
}

static void no_model__has_no_tensors(void **state)
{
    struct found found = find(noise(1, 5000), model("a:1:100", "U8"));

    (void)state;
    assert_int_equal(found.pairs.count, 1);
    assert_false(found.pairs.pairs[0].has_base);
    found_clear(&found);
    found = find(model("a:1:100", "U8"), noise(1, 5000));
    assert_int_equal(found.pairs.count, 0);
    found_clear(&found);
    found = find(model("", "U8"), model("", "U8"));
    assert_int_equal(found.pairs.count, 0);
    found_clear(&found);
}

/* Encoder and decoder of one network share a data file; a third model lies about it. */
static void external_data__may_belong_to_several_models(void **state)
{
    struct artifact sides[2] = {{.manifest = OX_MANIFEST_INIT}, {.manifest = OX_MANIFEST_INIT}};
    struct tensor_pairs pairs = {NULL, 0};
    uint64_t start = 0;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        artifact_add(&sides[i], "m/decoder.onnx", onnx_with_external("d", 100, 400), false);
        artifact_add(&sides[i], "m/encoder.onnx", onnx_with_external("e", 100, 0), false);
        artifact_add(&sides[i], "m/liar-1.onnx", onnx_with_external("l", 100, 404), false);
        artifact_add(&sides[i], "m/liar-2.onnx", onnx_with_external("l", 51, 600), false);
        artifact_add(&sides[i], "m/liar-3.onnx", onnx_with_external("l", 1, 100000), false);
        artifact_add(&sides[i], "m/weights.bin", noise(i, 800), false);
        artifact_add(&sides[i], "weights.bin", noise(i, 800), false); /* of nobody */
        artifact_finish(&sides[i]);
    }
    for (size_t i = 0; i < 5; i++) {
        start += sides[1].bytes[i].len_bytes;
    }
    assert_int_equal(tensor_pairs_find(&pairs, &sides[0].side, &sides[1].side, NULL, NULL), OX_OK);
    assert_int_equal(pairs.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(pairs.pairs[i].has_base);
        assert_int_equal(pairs.pairs[i].target_offset, start + i * 400);
        assert_int_equal(pairs.pairs[i].base_offset, start + i * 400);
        assert_int_equal(tensor_pair_common(&pairs.pairs[i]), 400);
        assert_int_equal(pairs.pairs[i].dtype, OX_DTYPE_F32);
    }
    tensor_pairs_clear(&pairs);
    (void)assert_round_trip(&sides[0], &sides[1]);
    artifact_clear(&sides[0]);
    artifact_clear(&sides[1]);
}

static void stop__is_canceled(void **state)
{
    struct artifact *base = artifact_single(model("a:1:100", "U8"));
    struct artifact *target = artifact_single(model("b:2:100", "U8"));
    struct tensor_pairs pairs = {NULL, 0};
    struct ox_stop stop;

    (void)state;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    ox_stop_request(&stop);
    assert_int_equal(tensor_pairs_find(&pairs, &base->side, &target->side, &stop, NULL),
                     OX_ECANCELED);
    assert_null(pairs.pairs);
    ox_stop_clear(&stop);
    artifact_free(base);
    artifact_free(target);
}

/* --- alike numbers --- */

#define ALIKE_NUMBERS 512

/* A tensor of F32 that `seed` tells, each number moved by up to a share of its range. */
static struct ox_buf tuned(unsigned seed, unsigned tuning, double share)
{
    struct ox_buf bytes = noise(seed, (size_t)4 * ALIKE_NUMBERS);
    struct ox_buf by = noise(1000 + tuning, (size_t)4 * ALIKE_NUMBERS);

    for (size_t i = 0; i < ALIKE_NUMBERS; i++) {
        double value = (double)(int32_t)ox_load_u32le(bytes.data + 4 * i) / 2147483648.0;
        double move = (double)(int32_t)ox_load_u32le(by.data + 4 * i) / 2147483648.0;
        float moved = (float)(value + share * move);
        uint32_t bits;

        memcpy(&bits, &moved, sizeof(bits));
        ox_store_u32le(bytes.data + 4 * i, bits);
    }
    ox_buf_clear(&by);
    return bytes;
}

/* Tensors named w0, w1, ... (or after `names`), those of the seeds, all tuned alike. */
static struct ox_buf layers(const char *seeds, const char *name, double share)
{
    struct tensors tensors = {OX_BUF_INIT, OX_BUF_INIT};

    for (size_t i = 0; seeds[i] != '\0'; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "%s%zu", name, i);
        tensors_add(&tensors, text, "F32", ALIKE_NUMBERS, 0,
                    tuned((unsigned)seeds[i], (unsigned)i, share));
    }
    return tensors_file(&tensors);
}

/* Where in the base each tensor of the target comes from: "acd" are the first, the third, the
 * fourth; '-': has none that is alike. */
static void assert_origins(const char *base, const char *target, const char *name, double share,
                           const char *origins)
{
    struct found found = find(layers(base, "w", 0), layers(target, name, share));

    assert_int_equal(found.pairs.count, strlen(origins));
    for (size_t i = 0; origins[i] != '\0'; i++) {
        if (origins[i] != '-') {
            assert_pair(&found, i, (uint64_t)(origins[i] - 'a') * 4 * ALIKE_NUMBERS,
                        4 * ALIKE_NUMBERS);
        }
    }
    found_clear(&found);
}

static void a_layer_that_went__takes_no_names_with_it(void **state)
{
    (void)state;
    assert_origins("abcdef", "abdef", "w", 0, "abdef");
    assert_origins("abcdef", "abdef", "w", 0.05, "abdef");
}

static void a_layer_that_came__moves_no_origins(void **state)
{
    (void)state;
    assert_origins("abcdef", "abxcdef", "w", 0, "ab-cdef");
    assert_origins("abcdef", "abxcdef", "w", 0.05, "ab-cdef");
}

static void several_from_one__have_it_all(void **state)
{
    (void)state;
    assert_origins("ab", "aaab", "expert", 0.05, "aaab");
    assert_origins("abc", "bbcca", "w", 0, "bbcca");
}

static void tuned_under_another_name__is_followed_by_its_numbers(void **state)
{
    (void)state;
    assert_origins("abcd", "dcba", "x", 0.05, "dcba");
}

static void trained_anew__keeps_its_name(void **state)
{
    (void)state;
    assert_origins("abcd", "wxyz", "w", 0, "abcd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reorder__is_followed_by_name),
        cmocka_unit_test(rename__is_followed_by_content),
        cmocka_unit_test(rename_and_tune__is_followed_by_shape_in_order),
        cmocka_unit_test(a_layer_that_went__takes_no_names_with_it),
        cmocka_unit_test(a_layer_that_came__moves_no_origins),
        cmocka_unit_test(several_from_one__have_it_all),
        cmocka_unit_test(tuned_under_another_name__is_followed_by_its_numbers),
        cmocka_unit_test(trained_anew__keeps_its_name),
        cmocka_unit_test(grown_rows__go_side_by_side_as_far_as_both_go),
        cmocka_unit_test(other_dtype__is_a_like_but_not_side_by_side),
        cmocka_unit_test(prediction__is_by_default_that_of_the_dtype),
        cmocka_unit_test(no_model__has_no_tensors),
        cmocka_unit_test(external_data__may_belong_to_several_models),
        cmocka_unit_test(stop__is_canceled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "helpers.h"

#include <stdio.h>
#include <stdlib.h>

/* Takes both over. */
static size_t round_trip(struct ox_buf base, struct ox_buf target)
{
    struct artifact *from = artifact_single(base);
    struct artifact *to = artifact_single(target);
    size_t least = assert_round_trip(from, to);

    artifact_free(from);
    artifact_free(to);
    return least;
}

static struct ox_buf nothing(void)
{
    return (struct ox_buf)OX_BUF_INIT;
}

/* --- bytes ---*/

static void identical__is_one_frame_per_4_mib(void **state)
{
    (void)state;
    assert_true(round_trip(noise(1, 100), noise(1, 100)) <= 130);
    assert_true(round_trip(noise(1, 300000), noise(1, 300000)) <= 130);
    assert_true(round_trip(noise(1, 5 << 20), noise(1, 5 << 20)) <= 128 + 2 * 40);
}

static void empty__on_either_side(void **state)
{
    (void)state;
    assert_true(round_trip(nothing(), nothing()) <= 90);
    assert_true(round_trip(noise(1, 1000), nothing()) <= 90);
    (void)round_trip(nothing(), noise(2, 1000));
    (void)round_trip(nothing(), prose(2, 200000));
    (void)round_trip(nothing(), noise(3, 1300000));
}

static void sizes__from_one_byte_on(void **state)
{
    static const size_t sizes[] = {1, 2, 23, 24, 47, 63, 64, 65, 255, 256, 257, 32767, 32768};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct ox_buf changed = noise(1, sizes[i]);

        changed.data[sizes[i] / 2] ^= 1;
        (void)round_trip(noise(1, sizes[i]), changed);
        (void)round_trip(noise(1, 1), noise(2, sizes[i]));
        (void)round_trip(noise(2, sizes[i]), noise(1, 1));
    }
}

static void insertion__at_the_front_costs_little(void **state)
{
    struct ox_buf target = noise(9, 100);
    struct ox_buf base = noise(1, 600000);

    (void)state;
    put_buf(&target, &base);
    assert_true(round_trip(base, target) < 1000);
}

static void moved_blocks__cost_little(void **state)
{
    struct ox_buf base = noise(1, 1 << 19);
    struct ox_buf target = OX_BUF_INIT;

    (void)state;
    put(&target, base.data + (1 << 18), 1 << 18);
    put(&target, base.data + 1000, 100000);
    put(&target, "here", 4);
    put(&target, base.data, 200000);
    assert_true(round_trip(base, target) < 1000);
}

static void random_edits__of_every_kind(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 11);
    for (int turn = 0; turn < 6; turn++) {
        struct ox_buf base =
            turn % 2 == 0 ? noise(ox_rng_u64(&rng), 60000) : prose(ox_rng_u64(&rng), 60000);
        struct ox_buf target = OX_BUF_INIT;

        while (target.len_bytes < 60000) {
            uint64_t from = ox_rng_below(&rng, base.len_bytes - 1);
            uint64_t left = base.len_bytes - from;
            size_t len = 1 + ox_rng_below(&rng, left < 15000 ? left : 15000);
            struct ox_buf fresh = noise(ox_rng_u64(&rng), ox_rng_below(&rng, 300));

            put(&target, base.data + from, len);
            put_buf(&target, &fresh);
            ox_buf_clear(&fresh);
        }
        (void)round_trip(base, target);
    }
}

static void repetition__of_one_byte_is_survived(void **state)
{
    struct ox_buf base = noise(1, 500000);
    struct ox_buf target = noise(1, 700000);

    (void)state;
    memset(base.data, 0, base.len_bytes);
    memset(target.data, 0, target.len_bytes);
    target.data[300000] = 1;
    assert_true(round_trip(base, target) < 1000);
}

/* --- models ---*/

static struct ox_buf model_of(uint64_t seed, const char *dtype, bool tuned)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};

    for (uint64_t layer = 0; layer < 3; layer++) {
        struct ox_buf matrix = weights(seed + layer, 128 * 50, dtype);
        struct ox_buf bias = weights(seed + layer + 100, 50, dtype);
        char name[64];

        if (tuned && layer != 1) {
            struct ox_buf moved = fine_tuned(&matrix, seed + layer, dtype);

            ox_buf_clear(&matrix);
            matrix = moved;
        }
        (void)snprintf(name, sizeof(name), "layer.%d.weight", (int)layer);
        tensors_add(&model, name, dtype, 128, 50, matrix);
        (void)snprintf(name, sizeof(name), "layer.%d.bias", (int)layer);
        tensors_add(&model, name, dtype, 50, 0, bias);
    }
    return tensors_file(&model);
}

static void fine_tunes__gain_from_their_numbers(void **state)
{
    static const char *const dtypes[] = {"F32", "BF16", "F16", "I8"};

    (void)state;
    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
        struct artifact *base = artifact_single(model_of(i * 1000 + 1, dtypes[i], false));
        struct artifact *target = artifact_single(model_of(i * 1000 + 1, dtypes[i], true));
        struct ox_delta_stats stats;
        struct ox_buf tensor = make_patch(base, target, OX_ENGINE_TENSOR, 1, &stats);
        struct ox_buf binary = make_patch(base, target, OX_ENGINE_BINARY, 1, NULL);

        (void)assert_round_trip(base, target);
        assert_int_equal(stats.engine, OX_ENGINE_TENSOR);
        assert_true(tensor.len_bytes < binary.len_bytes);
        assert_true(tensor.len_bytes < target->bytes[0].len_bytes * 6 / 10);
        ox_buf_clear(&tensor);
        ox_buf_clear(&binary);
        artifact_free(base);
        artifact_free(target);
    }
}

/* A weight of 4-bit numbers, eight to an I32, as GPTQ and AWQ pack them, and its scales. `every`: of
 * so many numbers one is moved by one. */
static struct artifact *packed(unsigned every)
{
    enum { WORDS = 32 * 256 };
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_buf words = noise(5, 4 * WORDS);
    struct ox_rng rng;

    ox_rng_init(&rng, every);
    for (size_t i = 0; i < words.len_bytes; i++) {
        for (unsigned half = 0; half < 8; half += 4) {
            unsigned level = words.data[i] >> half & 15;

            if (every > 0 && ox_rng_below(&rng, every) == 0) {
                level = level < 15 ? level + 1 : level - 1;
            }
            words.data[i] = (uint8_t)((words.data[i] & ~(15U << half)) | level << half);
        }
    }
    tensors_add(&model, "layers.0.qweight", "I32", WORDS / 256, 256, words);
    tensors_add(&model, "layers.0.scales", "F16", 2, 256, weights(7, 512, "F16"));
    return artifact_single(tensors_file(&model));
}

static void packed_nibbles__cost_what_changed_of_them(void **state)
{
    struct artifact *base = packed(0);
    struct artifact *target = packed(10);

    (void)state;
    /* 65,536 numbers, a tenth of them changed, by one, mostly up: 0.48 bits each are 3,930 bytes */
    assert_in_range(assert_round_trip(base, target), 3500, 4500);
    artifact_free(base);
    artifact_free(target);
}

static void damaged_models__are_bytes(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct ox_buf base = model_of(1, "F32", false);
        struct ox_buf target = model_of(1, "F32", true);

        if (i == 0) {
            target.len_bytes -= 1000; /* cut */
        } else if (i == 1) {
            base.data[12] ^= 0xff; /* a header that is no JSON */
        } else if (i == 2) {
            memset(target.data, 0xff, 8); /* a length past everything */
        } else {
            put(&base, "leftover", 8);
        }
        (void)round_trip(base, target);
    }
}

static void other_formats__claimed_by_magic_alone_are_bytes(void **state)
{
    struct ox_buf base = bytes_of("GGUF\3\0\0\0", 8);
    struct ox_buf target = bytes_of("\x08\x07\x3a\xff\xff\xff\xff\x0f", 8);
    struct ox_buf body = noise(1, 5000);

    (void)state;
    put_buf(&base, &body);
    put_buf(&target, &body);
    ox_buf_clear(&body);
    assert_true(round_trip(base, target) < 400);
}

/* --- folders ---*/

static void folders__of_several_files(void **state)
{
    struct artifact from = {.manifest = OX_MANIFEST_INIT};
    struct artifact to = {.manifest = OX_MANIFEST_INIT};

    (void)state;
    artifact_add(&from, "model-1.safetensors", model_of(1, "F16", false), false);
    artifact_add(&from, "model-2.safetensors", model_of(9, "F16", false), false);
    artifact_add(&from, "labels.txt", prose(1, 5000), false);
    artifact_add(&from, "empty", nothing(), false);
    artifact_add(&from, "bin/run.sh", bytes_of("#!/bin/sh\n", 10), true);
    artifact_finish(&from);
    artifact_add(&to, "a-new-name.safetensors", model_of(9, "F16", true), false); /* renamed */
    artifact_add(&to, "model-1.safetensors", model_of(1, "F16", true), false);
    artifact_add(&to, "labels.txt", prose(1, 5001), true);
    artifact_add(&to, "also/empty", nothing(), true);
    artifact_add(&to, "z", nothing(), false);
    artifact_finish(&to);
    assert_true(assert_round_trip(&from, &to) < 65000);
    assert_true(assert_round_trip(&to, &from) < 65000);
    (void)assert_round_trip(&to, &to);
    artifact_clear(&from);
    artifact_clear(&to);
}

static void folders__against_single_files(void **state)
{
    struct artifact *single = artifact_single(model_of(1, "F32", false));
    struct artifact several = {.manifest = OX_MANIFEST_INIT};
    struct artifact empties = {.manifest = OX_MANIFEST_INIT};

    (void)state;
    artifact_add(&several, "model.safetensors", model_of(1, "F32", true), false);
    artifact_add(&several, "notes", bytes_of("x", 1), false);
    artifact_finish(&several);
    artifact_add(&empties, "a", nothing(), false);
    artifact_add(&empties, "b", nothing(), false);
    artifact_finish(&empties);
    (void)assert_round_trip(single, &several);
    (void)assert_round_trip(&several, single);
    (void)assert_round_trip(&empties, &several);
    (void)assert_round_trip(&several, &empties);
    (void)assert_round_trip(&empties, &empties);
    artifact_free(single);
    artifact_clear(&several);
    artifact_clear(&empties);
}

/* More of them than one frame of numbers may hold. */
static void numbers_without_layout__come_back(void **state)
{
    struct ox_buf numbers = weights(7, 600000, "F32");
    struct ox_buf tuned = fine_tuned(&numbers, 8, "F32");
    struct artifact *from = artifact_copy(numbers.data, numbers.len_bytes);
    struct artifact *to = artifact_copy(tuned.data, tuned.len_bytes);
    struct ox_delta_stats stats;
    struct ox_buf patch = make_patch(from, to, OX_ENGINE_AUTO, 1, &stats);

    (void)state;
    assert_true(stats.target_bytes[OX_OXDL_NUMBERS] > (uint64_t)2 << 20);
    (void)assert_round_trip(from, to);
    ox_buf_clear(&patch);
    ox_buf_clear(&numbers);
    ox_buf_clear(&tuned);
    artifact_free(from);
    artifact_free(to);
}

static void external_data__gains_from_its_numbers(void **state)
{
    size_t count = 30000;
    struct artifact from = {.manifest = OX_MANIFEST_INIT};
    struct artifact to = {.manifest = OX_MANIFEST_INIT};
    struct ox_buf numbers = weights(1, count, "F32");
    struct ox_buf tuned = fine_tuned(&numbers, 2, "F32");
    struct ox_buf old_data = noise(5, 64);
    struct ox_buf new_data = noise(5, 64);
    struct ox_delta_stats stats;
    struct ox_buf patch;

    (void)state;
    put_buf(&old_data, &numbers);
    put_buf(&new_data, &tuned);
    artifact_add(&from, "sub/model.onnx", onnx_with_external("w", count, 64), false);
    artifact_add(&from, "sub/weights.bin", old_data, false);
    artifact_finish(&from);
    artifact_add(&to, "sub/model.onnx", onnx_with_external("w", count, 64), false);
    artifact_add(&to, "sub/weights.bin", new_data, false);
    artifact_add(&to, "a.txt", bytes_of("shifts all", 10), false);
    artifact_finish(&to);
    patch = make_patch(&from, &to, OX_ENGINE_TENSOR, 1, &stats);
    assert_int_equal(stats.engine, OX_ENGINE_TENSOR);
    assert_true(stats.target_bytes[OX_OXDL_NUMBERS] >= count * 4);
    (void)assert_round_trip(&from, &to);
    ox_buf_clear(&patch);
    ox_buf_clear(&numbers);
    ox_buf_clear(&tuned);
    artifact_clear(&from);
    artifact_clear(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identical__is_one_frame_per_4_mib),
        cmocka_unit_test(empty__on_either_side),
        cmocka_unit_test(sizes__from_one_byte_on),
        cmocka_unit_test(insertion__at_the_front_costs_little),
        cmocka_unit_test(moved_blocks__cost_little),
        cmocka_unit_test(random_edits__of_every_kind),
        cmocka_unit_test(repetition__of_one_byte_is_survived),
        cmocka_unit_test(fine_tunes__gain_from_their_numbers),
        cmocka_unit_test(packed_nibbles__cost_what_changed_of_them),
        cmocka_unit_test(damaged_models__are_bytes),
        cmocka_unit_test(other_formats__claimed_by_magic_alone_are_bytes),
        cmocka_unit_test(folders__of_several_files),
        cmocka_unit_test(folders__against_single_files),
        cmocka_unit_test(numbers_without_layout__come_back),
        cmocka_unit_test(external_data__gains_from_its_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Models that are not what they should be, and files that change under our hands: what comes out is
 * right to the bit, or refused. */
#include "helpers.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static const unsigned efforts[] = {1, 3, 9};
#define EFFORT_COUNT (sizeof(efforts) / sizeof(efforts[0]))

/* Create at an effort and apply: the target comes back to the bit. */
static struct ox_delta_stats round_trip(const struct artifact *base, const struct artifact *target,
                                        unsigned effort)
{
    struct ox_delta_options options = {.effort = effort, .threads = 2};
    struct memory_output patch = {OX_BUF_INIT, 0};
    struct ox_output output = memory_output(&patch);
    struct memory_sink sink = {.writes = 0};
    struct ox_buf want = artifact_flat(target);
    struct ox_delta_stats stats;
    struct ox_err err = OX_ERR_INIT;

    if (ox_delta_create(&base->side, &target->side, &options, &output, &stats, &err) != OX_OK ||
        apply_patch(base, patch.bytes.data, patch.bytes.len_bytes, 0, &sink, &err) != OX_OK) {
        fail_msg("effort %u: %s", effort, err.msg);
    }
    assert_int_equal(sink.bytes.len_bytes, want.len_bytes);
    if (want.len_bytes > 0) {
        assert_memory_equal(sink.bytes.data, want.data, want.len_bytes);
    }
    ox_buf_clear(&sink.bytes);
    ox_buf_clear(&patch.bytes);
    ox_buf_clear(&want);
    return stats;
}

/* --- floats that are no numbers --- */

static const struct float_kind {
    const char *dtype;
    size_t width;
    unsigned mantissa;
} floats[] = {{"F32", 4, 23}, {"F16", 2, 10},    {"BF16", 2, 7},
              {"F64", 8, 52}, {"F8_E4M3", 1, 3}, {"F8_E5M2", 1, 2}};
#define FLOAT_COUNT (sizeof(floats) / sizeof(floats[0]))
#define NUMBERS 3000

static void store(uint8_t *at, size_t width, uint64_t bits)
{
    for (size_t i = 0; i < width; i++) {
        at[i] = (uint8_t)(bits >> (8 * i));
    }
}

/* NaNs, quiet and signalling, with any payload and sign, infinities, both zeros, denormals. */
static uint64_t special(const struct float_kind *kind, struct ox_rng *rng)
{
    uint64_t mantissa = ox_rng_u64(rng) & (((uint64_t)1 << kind->mantissa) - 1);
    uint64_t exponents = ((uint64_t)1 << (8 * kind->width - 1 - kind->mantissa)) - 1;
    uint64_t sign = ox_rng_below(rng, 2) << (8 * kind->width - 1);
    uint64_t exponent = ox_rng_below(rng, 3) != 0 ? exponents : 0;

    return sign | exponent << kind->mantissa | (ox_rng_below(rng, 4) != 0 ? mantissa : 0);
}

/* Weights of about one size, `rate` of 100 of them special. */
static struct ox_buf odd_numbers(const struct float_kind *kind, uint64_t seed, unsigned rate)
{
    struct ox_buf out = noise(seed, NUMBERS * kind->width);
    uint64_t middle = (((uint64_t)1 << (8 * kind->width - 1 - kind->mantissa)) - 1) / 2;
    struct ox_rng rng;

    ox_rng_init(&rng, seed);
    for (size_t i = 0; i < NUMBERS; i++) {
        uint64_t mantissa = ox_rng_u64(&rng) & (((uint64_t)1 << kind->mantissa) - 1);
        uint64_t weight = middle << kind->mantissa | mantissa;

        store(out.data + i * kind->width, kind->width,
              ox_rng_below(&rng, 100) < rate ? special(kind, &rng) : weight);
    }
    return out;
}

/* Some numbers move by little, some become special, some specials get another payload. */
static struct ox_buf moved(const struct float_kind *kind, const struct ox_buf *from, uint64_t seed)
{
    struct ox_buf out = bytes_of(from->data, from->len_bytes);
    struct ox_rng rng;

    ox_rng_init(&rng, seed);
    for (size_t i = 0; i < NUMBERS; i++) {
        uint8_t *at = out.data + i * kind->width;

        if (ox_rng_below(&rng, 50) == 0) {
            store(at, kind->width, special(kind, &rng));
        } else if (ox_rng_below(&rng, 2) == 0) {
            at[0] = (uint8_t)(at[0] + ox_rng_below(&rng, 3));
        }
    }
    return out;
}

static struct artifact *model_of(const char *dtype, size_t rows, size_t columns, struct ox_buf take)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};

    tensors_add(&model, "w", dtype, rows, columns, take);
    return artifact_single(tensors_file(&model));
}

static void nan_payloads__come_back_to_the_bit(void **state)
{
    (void)state;
    for (size_t k = 0; k < FLOAT_COUNT; k++) {
        for (unsigned rate = 1; rate <= 100; rate += 49) {
            struct ox_buf numbers = odd_numbers(&floats[k], k + rate, rate);
            struct ox_buf tuned = moved(&floats[k], &numbers, 99);
            struct artifact *base = model_of(floats[k].dtype, 60, 50, numbers);
            struct artifact *target = model_of(floats[k].dtype, 60, 50, tuned);

            for (size_t e = 0; e < EFFORT_COUNT; e++) {
                struct ox_delta_stats stats = round_trip(base, target, efforts[e]);

                /* few NaNs among floats that have a kind: coded as numbers, so NaNs are, too */
                assert_true(stats.target_bytes[OX_OXDL_NUMBERS] > 0 || rate > 1 ||
                            (floats[k].width != 2 && floats[k].width != 4));
            }
            artifact_free(base);
            artifact_free(target);
        }
    }
}

/* What a cast makes of NaNs is not what stands there. */
static void nan_payloads__come_back_through_casts(void **state)
{
    (void)state;
    for (size_t from = 0; from < 3; from++) {
        for (size_t to = 0; to < 3; to++) {
            struct artifact *base =
                model_of(floats[from].dtype, 60, 50, odd_numbers(&floats[from], 7, 20));
            struct artifact *target =
                model_of(floats[to].dtype, 60, 50, odd_numbers(&floats[to], 7, 20));

            for (size_t e = 0; e < EFFORT_COUNT; e++) {
                (void)round_trip(base, target, efforts[e]);
            }
            artifact_free(base);
            artifact_free(target);
        }
    }
}

/* Negative zeros and NaNs among what became zero, and rows that grew. */
static void nan_payloads__come_back_pruned_and_grown(void **state)
{
    (void)state;
    for (size_t k = 0; k < FLOAT_COUNT; k++) {
        size_t width = floats[k].width;
        struct ox_buf numbers = odd_numbers(&floats[k], 3, 30);
        struct ox_buf pruned = bytes_of(numbers.data, numbers.len_bytes);
        struct ox_buf grown = OX_BUF_INIT;
        struct artifact *base;
        struct artifact *targets[2];

        for (size_t i = 0; i < NUMBERS; i += 2) {
            memset(pruned.data + i * width, 0, width);
            pruned.data[i * width + width - 1] = i % 8 == 0 ? 0x80 : 0;
        }
        for (size_t row = 0; row < 60; row++) {
            struct ox_buf more = odd_numbers(&floats[k], row, 50);

            put(&grown, numbers.data + row * 50 * width, 50 * width);
            put(&grown, more.data, 7 * width);
            ox_buf_clear(&more);
        }
        base = model_of(floats[k].dtype, 60, 50, numbers);
        targets[0] = model_of(floats[k].dtype, 60, 50, pruned);
        targets[1] = model_of(floats[k].dtype, 60, 57, grown);
        for (size_t e = 0; e < EFFORT_COUNT; e++) {
            (void)round_trip(base, targets[0], efforts[e]);
            (void)round_trip(base, targets[1], efforts[e]);
            (void)round_trip(targets[1], base, efforts[e]);
        }
        artifact_free(base);
        artifact_free(targets[0]);
        artifact_free(targets[1]);
    }
}

/* --- files --- */

static struct ox_buf edited(const struct ox_buf *from, uint64_t seed)
{
    struct ox_buf out = bytes_of(from->data, from->len_bytes);
    struct ox_rng rng;

    ox_rng_init(&rng, seed);
    for (size_t i = 0; i < out.len_bytes / 50 + 1 && out.len_bytes > 0; i++) {
        out.data[ox_rng_below(&rng, out.len_bytes)] ^= 1;
    }
    return out;
}

/* All ways between a file, the same with some bytes changed, and a sound model. */
static void assert_goes_as_bytes(struct ox_buf take)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct artifact *sides[3];

    tensors_add(&model, "w", "F32", 40, 25, weights(1, 1000, "F32"));
    sides[0] = artifact_single(bytes_of(take.data, take.len_bytes));
    sides[1] = artifact_single(edited(&take, 5));
    sides[2] = artifact_single(tensors_file(&model));
    for (unsigned way = 0; way < 6; way++) {
        (void)round_trip(sides[way / 2], sides[(way / 2 + 1 + way % 2) % 3], efforts[way % 3]);
    }
    for (unsigned i = 0; i < 3; i++) {
        artifact_free(sides[i]);
    }
    ox_buf_clear(&take);
}

/* Shapes that overflow, tensors that overlap or leave the file, lengths of 2^63, duplicates. */
static void bad_models__are_bytes(void **state)
{
    static const char *const formats[] = {"onnx", "safetensors", "gguf", "zip"};
    size_t count = 0;

    (void)state;
    for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++) {
        char path[4096];
        struct dirent *entry;
        DIR *dir;

        (void)snprintf(path, sizeof(path), "%s/golden/%s/bad", OX_TESTS_DIR, formats[f]);
        dir = opendir(path);
        assert_non_null(dir);
        while ((entry = readdir(dir)) != NULL) {
            if (entry->d_name[0] != '.') {
                (void)snprintf(path, sizeof(path), "%s/golden/%s/bad/%s", OX_TESTS_DIR, formats[f],
                               entry->d_name);
                assert_goes_as_bytes(file_bytes(path));
                count++;
            }
        }
        (void)closedir(dir);
    }
    assert_true(count >= 30);
}

static void unknown_dtypes__are_bytes(void **state)
{
    static const char *const dtypes[] = {"F4", "C64", "Q4_K", "", "f32", "F32 ", "<f4", ">f4"};

    (void)state;
    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
        struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
        struct ox_buf numbers = weights(i, 1000, "F32");

        tensors_add(&model, "before", "F16", 500, 0, weights(1, 500, "F16"));
        tensors_add(&model, "odd", dtypes[i], 1000, 0, numbers);
        tensors_add(&model, "behind", "BF16", 500, 0, weights(2, 500, "BF16"));
        assert_goes_as_bytes(tensors_file(&model));
    }
}

/* A GGUF file of one tensor; every number turned round if `big`. */
static struct ox_buf gguf_of(uint32_t type, bool big, struct ox_buf take, uint64_t columns)
{
    struct ox_buf out = bytes_of("GGUF", 4);
    const uint64_t fields[][2] = {/* value, bytes */
                                  {3, 4}, {1, 8},       {0, 8},    {1, 8}, {'w', 1},
                                  {1, 4}, {columns, 8}, {type, 4}, {0, 8}};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        size_t len = (size_t)fields[i][1];

        for (size_t k = 0; k < len; k++) {
            uint8_t byte = (uint8_t)(fields[i][0] >> 8 * (big ? len - 1 - k : k));

            put(&out, &byte, 1);
        }
    }
    while (out.len_bytes % 32 != 0) {
        put(&out, "", 1);
    }
    put_buf(&out, &take);
    while (out.len_bytes % 32 != 0) {
        put(&out, "", 1);
    }
    ox_buf_clear(&take);
    return out;
}

static void big_endian_and_unknown_types_of_gguf__are_bytes(void **state)
{
    (void)state;
    assert_goes_as_bytes(gguf_of(0, true, weights(1, 1000, "F32"), 1000));
    assert_goes_as_bytes(gguf_of(99, false, noise(2, 4000), 1000));
    assert_goes_as_bytes(gguf_of(0, false, weights(3, 1000, "F32"), 1000));
}

static void zero_length__tensors_are_kept(void **state)
{
    struct tensors some = {OX_BUF_INIT, OX_BUF_INIT};
    struct tensors none = {OX_BUF_INIT, OX_BUF_INIT};
    struct tensors full = {OX_BUF_INIT, OX_BUF_INIT};
    struct artifact *sides[4];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"a", "b", "c"};

        tensors_add(&some, names[i], "F32", i == 1 ? 0 : 50, 10,
                    i == 1 ? bytes_of("", 0) : weights(i, 500, "F32"));
        tensors_add(&none, names[i], "F32", 0, 10, bytes_of("", 0));
        tensors_add(&full, names[i], "F32", 50, 10, weights(i + 1, 500, "F32"));
    }
    sides[0] = artifact_single(tensors_file(&some));
    sides[1] = artifact_single(tensors_file(&none));
    sides[2] = artifact_single(tensors_file(&full));
    sides[3] = artifact_single(bytes_of("", 0));
    for (unsigned from = 0; from < 4; from++) {
        for (unsigned to = 0; to < 4; to++) {
            (void)round_trip(sides[from], sides[to], efforts[(from + to) % 3]);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        artifact_free(sides[i]);
    }
}

static void duplicate_names__are_bytes(void **state)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};

    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        tensors_add(&model, "w", "F32", 500, 0, weights(i, 500, "F32"));
    }
    assert_goes_as_bytes(tensors_file(&model));
}

/* --- files that change under our hands --- */

/* From its n-th read on, a source that has other bytes. */
struct changing {
    const struct ox_source *inner;
    atomic_uint reads_left;
};

static enum ox_code changing_read(void *ctx, uint64_t offset, void *out, size_t len,
                                  struct ox_err *err)
{
    struct changing *self = ctx;
    enum ox_code code = ox_source_read(self->inner, offset, out, len, err);

    if (atomic_load(&self->reads_left) > 0) {
        atomic_fetch_sub(&self->reads_left, 1);
        return code;
    }
    for (size_t i = 0; code == OX_OK && i < len; i++) {
        ((uint8_t *)out)[i] ^= (offset + i) % 97 == 0;
    }
    return code;
}

static struct artifact *tuned_model(bool target)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_buf old = weights(2, 20000, "BF16");

    tensors_add(&model, "same", "U8", 100000, 0, noise(1, 100000));
    tensors_add(&model, "w", "BF16", 200, 100,
                target ? fine_tuned(&old, 4, "BF16") : bytes_of(old.data, old.len_bytes));
    tensors_add(&model, "text", "U8", 20000, 0, prose(target ? 5 : 3, 20000));
    ox_buf_clear(&old);
    return artifact_single(tensors_file(&model));
}

/* The patch promises the digests of what the files had at first. So whatever create read, applying
 * to the base as it was gives the target as it was, or an error, and what is written until then is
 * a beginning of it, or refused by the digest. */
static void side_that_changes_during_create__gives_no_wrong_target(void **state)
{
    unsigned refused = 0;

    (void)state;
    for (unsigned reads = 0; reads < 40; reads++) {
        struct artifact *sides[2] = {tuned_model(false), tuned_model(true)};
        struct ox_source *source = &sides[reads % 2]->sources[0];
        struct ox_source inner = *source;
        struct changing changing = {&inner, reads / 2};
        struct ox_delta_options options = {.effort = efforts[reads % 3], .threads = 2};
        struct memory_output patch = {OX_BUF_INIT, 0};
        struct ox_output output = memory_output(&patch);
        struct memory_sink sink = {.writes = 0};
        struct ox_err err = OX_ERR_INIT;
        enum ox_code code;

        source->ctx = &changing;
        source->read_at = changing_read;
        code = ox_delta_create(&sides[0]->side, &sides[1]->side, &options, &output, NULL, &err);
        *source = inner;
        if (code == OX_OK) {
            code = apply_patch(sides[0], patch.bytes.data, patch.bytes.len_bytes, 0, &sink, &err);
        }
        if (code == OX_OK) {
            assert_int_equal(sink.bytes.len_bytes, sides[1]->bytes[0].len_bytes);
            assert_memory_equal(sink.bytes.data, sides[1]->bytes[0].data, sink.bytes.len_bytes);
        } else {
            assert_true(code == OX_EDIGEST || code == OX_ECORRUPT);
            assert_true(err.msg[0] != '\0');
            refused++;
        }
        ox_buf_clear(&sink.bytes);
        ox_buf_clear(&patch.bytes);
        artifact_free(sides[0]);
        artifact_free(sides[1]);
    }
    assert_true(refused > 0);
}

static void base_that_changes_during_apply__is_noticed_before_the_write(void **state)
{
    struct artifact *base = tuned_model(false);
    struct artifact *target = tuned_model(true);
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_AUTO, 2, NULL);
    struct ox_source inner = base->sources[0];
    unsigned refused = 0;

    (void)state;
    for (unsigned reads = 0; reads < 12; reads++) {
        struct changing changing = {&inner, reads};
        struct memory_sink sink = {.writes = 0};
        struct ox_err err = OX_ERR_INIT;
        enum ox_code code;

        base->sources[0].ctx = &changing;
        base->sources[0].read_at = changing_read;
        code = apply_patch(base, patch.data, patch.len_bytes, 0, &sink, &err);
        assert_true(code == OX_OK || (code == OX_ECORRUPT && strstr(err.msg, "damaged") != NULL));
        refused += code != OX_OK;
        assert_true(sink.bytes.len_bytes <= target->bytes[0].len_bytes);
        if (sink.bytes.len_bytes > 0) {
            assert_memory_equal(sink.bytes.data, target->bytes[0].data, sink.bytes.len_bytes);
        }
        ox_buf_clear(&sink.bytes);
    }
    assert_true(refused > 0);
    base->sources[0] = inner;
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nan_payloads__come_back_to_the_bit),
        cmocka_unit_test(nan_payloads__come_back_through_casts),
        cmocka_unit_test(nan_payloads__come_back_pruned_and_grown),
        cmocka_unit_test(bad_models__are_bytes),
        cmocka_unit_test(unknown_dtypes__are_bytes),
        cmocka_unit_test(big_endian_and_unknown_types_of_gguf__are_bytes),
        cmocka_unit_test(zero_length__tensors_are_kept),
        cmocka_unit_test(duplicate_names__are_bytes),
        cmocka_unit_test(side_that_changes_during_create__gives_no_wrong_target),
        cmocka_unit_test(base_that_changes_during_apply__is_noticed_before_the_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

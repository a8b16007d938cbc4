#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/crypto/blake3_kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTORS OX_TESTS_DIR "/golden/blake3/vectors.txt"
#define KEY "whats the Elvish word for friend"
#define CONTEXT "BLAKE3 2019-12-27 16:29:52 test vectors context"
#define OUTPUT_BYTES 131
#define HEX_MAX (2 * OUTPUT_BYTES + 1)

static uint8_t *input(size_t len)
{
    uint8_t *bytes = malloc(len + 1); /* off its alignment below, exact bounds at the end */

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        bytes[i + 1] = (uint8_t)(i % 251);
    }
    return bytes;
}

static bool can_run(const struct b3_kernel *kernel)
{
    return kernel->can_run == NULL || kernel->can_run();
}

static void assert_output(const struct ox_blake3 *hash, const char *hex)
{
    uint8_t out[OUTPUT_BYTES];
    char text[HEX_MAX];
    struct ox_digest digest;

    ox_blake3_final(hash, out, sizeof(out));
    for (size_t i = 0; i < sizeof(out); i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", out[i]);
    }
    assert_string_equal(text, hex);
    for (size_t len = 0; len < OUTPUT_BYTES; len += 13) { /* a shorter output is its beginning */
        uint8_t less[OUTPUT_BYTES] = {0};

        ox_blake3_final(hash, less, len);
        assert_memory_equal(less, out, len);
        assert_int_equal(less[len], 0);
    }
    ox_blake3_digest(hash, &digest);
    assert_memory_equal(digest.bytes, out, sizeof(digest.bytes));
}

/* One published case with one kernel, in three modes, at once and in pieces. */
static void check_case(const struct b3_kernel *kernel, size_t len, char hex[3][HEX_MAX])
{
    static const size_t pieces[] = {SIZE_MAX, 63, 1024, 3073, 65536};
    uint8_t *bytes = input(len);

    for (int mode = 0; mode < 3; mode++) {
        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            struct ox_blake3 hash;

            if (mode == 0) {
                ox_blake3_init(&hash);
            } else if (mode == 1) {
                ox_blake3_init_keyed(&hash, (const uint8_t *)KEY);
            } else {
                ox_blake3_init_derive_key(&hash, CONTEXT);
            }
            hash.kernel = kernel;
            for (size_t at = 0; at < len;) {
                size_t take = pieces[i] < len - at ? pieces[i] : len - at;

                ox_blake3_update(&hash, bytes + 1 + at, take);
                at += take;
            }
            assert_output(&hash, hex[mode]);
        }
    }
    free(bytes);
}

static void outputs__are_the_published_ones_with_every_kernel(void **state)
{
    FILE *file = fopen(VECTORS, "r");
    char line[1024];
    int cases = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        char hex[3][HEX_MAX];
        size_t len = 0;

        if (line[0] == '#') {
            continue;
        }
        assert_int_equal(sscanf(line, "%zu %262s %262s %262s", &len, hex[0], hex[1], hex[2]), 4);
        for (size_t i = 0; i < b3_kernel_count; i++) {
            if (can_run(&b3_kernels[i])) {
                check_case(&b3_kernels[i], len, hex);
            }
        }
        cases++;
    }
    assert_int_equal(cases, 35);
    (void)fclose(file);
    for (size_t i = 0; i < b3_kernel_count; i++) {
        print_message("%s: %s\n", b3_kernels[i].name,
                      can_run(&b3_kernels[i]) ? "tested" : "this processor cannot");
    }
}

/* Deeper trees than the published ones have: 400,000 bytes are 391 chunks. */
static void kernels__agree_on_long_inputs(void **state)
{
    static const size_t lens[] = {65536, 65537, 131072, 262144 + 1024, 400000};
    const struct b3_kernel *portable = &b3_kernels[b3_kernel_count - 1];

    (void)state;
    assert_int_equal(portable->lanes, 1);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        uint8_t *bytes = input(lens[i]);
        struct ox_blake3 hash;
        struct ox_digest want;

        b3_init_with(&hash, portable);
        for (size_t at = 0; at < lens[i]; at++) { /* byte by byte: no subtree is ever taken */
            ox_blake3_update(&hash, bytes + 1 + at, 1);
        }
        ox_blake3_digest(&hash, &want);
        for (size_t k = 0; k < b3_kernel_count; k++) {
            for (size_t first = 0; first < lens[i]; first += lens[i] / 3 + 41) {
                struct ox_digest got;

                if (!can_run(&b3_kernels[k])) {
                    continue;
                }
                b3_init_with(&hash, &b3_kernels[k]);
                ox_blake3_update(&hash, bytes + 1, first);
                ox_blake3_update(&hash, bytes + 1 + first, lens[i] - first);
                ox_blake3_digest(&hash, &got);
                assert_true(ox_digest_equal(&got, &want));
            }
        }
        free(bytes);
    }
}

static void final__may_be_asked_on_the_way(void **state)
{
    uint8_t *bytes = input(5000);
    struct ox_blake3 hash;
    struct ox_digest part;
    struct ox_digest whole;
    struct ox_digest want;

    (void)state;
    ox_blake3_init(&hash);
    ox_blake3_update(&hash, NULL, 0);
    ox_blake3_update(&hash, bytes + 1, 4096);
    ox_blake3_digest(&hash, &part);
    ox_blake3_update(&hash, bytes + 1 + 4096, 904);
    ox_blake3_digest(&hash, &whole);
    ox_blake3_bytes(bytes + 1, 4096, &want);
    assert_true(ox_digest_equal(&part, &want));
    ox_blake3_bytes(bytes + 1, 5000, &want);
    assert_true(ox_digest_equal(&whole, &want));
    free(bytes);
}

static void source__gives_the_same_digest(void **state)
{
    enum { LEN = 600000 };
    uint8_t *bytes = input(LEN);
    struct ox_memory memory = {bytes + 1, LEN};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_digest want;
    struct ox_digest got;

    (void)state;
    ox_blake3_bytes(bytes + 1, LEN, &want);
    assert_int_equal(ox_blake3_source(&source, NULL, NULL, &got, NULL), OX_OK);
    assert_true(ox_digest_equal(&got, &want));
    free(bytes);
}

static void source__stops_when_asked(void **state)
{
    uint8_t byte = 0;
    struct ox_memory memory = {&byte, 1};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_digest digest;
    struct ox_stop stop;

    (void)state;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    ox_stop_request(&stop);
    assert_int_equal(ox_blake3_source(&source, &stop, NULL, &digest, NULL), OX_ECANCELED);
    ox_stop_clear(&stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs__are_the_published_ones_with_every_kernel),
        cmocka_unit_test(kernels__agree_on_long_inputs),
        cmocka_unit_test(final__may_be_asked_on_the_way),
        cmocka_unit_test(source__gives_the_same_digest),
        cmocka_unit_test(source__stops_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

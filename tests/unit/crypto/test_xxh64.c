#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/crypto/xxh64.h"

#include <stdlib.h>
#include <string.h>

#define PRIME32 2654435761u
#define PRIME64 11400714785074694797u

/* The pattern of the reference implementation's self-test: the top byte of a product's powers. */
static void fill(uint8_t *out, size_t len)
{
    uint64_t generator = PRIME32;

    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(generator >> 56);
        generator *= PRIME64;
    }
}

static void sums__are_the_published_ones(void **state)
{
    static const struct {
        const char *text;
        uint64_t sum;
    } texts[] = {
        {"", 0xef46db3751d8e999u},
        {"a", 0xd24ec4f1a98c6e5bu},
        {"abc", 0x44bc2cf5ad770999u},
        {"Nobody inspects the spammish repetition", 0xfbcea83c8a378bf1u},
    };
    static const struct {
        size_t len;
        uint64_t seed, sum;
    } vectors[] = {
        {0, PRIME32, 0xac75fda2929b17efu}, {1, 0, 0xe934a84adb052768u},
        {1, PRIME32, 0x5014607643a9b4c3u}, {4, 0, 0x9136a0dca57457eeu},
        {14, 0, 0x8282dcc4994e35c8u},      {14, PRIME32, 0xc3bd6bf63deb6df0u},
        {222, 0, 0xb641ae8cb691c174u},     {222, PRIME32, 0x20cb8ab7ae10c14au},
    };
    uint8_t bytes[222];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_true(ox_xxh64(texts[i].text, strlen(texts[i].text), 0) == texts[i].sum);
    }
    fill(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        assert_true(ox_xxh64(bytes, vectors[i].len, vectors[i].seed) == vectors[i].sum);
    }
}

static void stream__in_every_split_equals_one_shot(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 100; len++) {
        uint8_t *bytes = malloc(len + 1); /* off its alignment, exact bounds at the end */

        assert_non_null(bytes);
        fill(bytes + 1, len);
        for (uint64_t seed = 0; seed < 2; seed++) {
            uint64_t whole = ox_xxh64(bytes + 1, len, seed * PRIME64);

            for (size_t first = 0; first <= len; first++) {
                for (size_t second = first; second <= len; second += 1 + len / 8) {
                    struct ox_xxh64 sum;

                    ox_xxh64_init(&sum, seed * PRIME64);
                    ox_xxh64_update(&sum, bytes + 1, first);
                    ox_xxh64_update(&sum, bytes + 1 + first, second - first);
                    ox_xxh64_update(&sum, bytes + 1 + second, len - second);
                    assert_true(ox_xxh64_final(&sum) == whole);
                }
            }
        }
        free(bytes);
    }
}

static void final__may_be_asked_on_the_way(void **state)
{
    struct ox_xxh64 sum;

    (void)state;
    ox_xxh64_init(&sum, 0);
    assert_true(ox_xxh64_final(&sum) == 0xef46db3751d8e999u);
    ox_xxh64_update(&sum, "ab", 2);
    (void)ox_xxh64_final(&sum);
    ox_xxh64_update(&sum, NULL, 0);
    ox_xxh64_update(&sum, "c", 1);
    assert_true(ox_xxh64_final(&sum) == 0x44bc2cf5ad770999u);
}

static void seeds__change_the_sum(void **state)
{
    (void)state;
    assert_true(ox_xxh64("abc", 3, 0) != ox_xxh64("abc", 3, 1));
    assert_true(ox_xxh64("", 0, 0) != ox_xxh64("", 0, (uint64_t)1 << 63));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums__are_the_published_ones),
        cmocka_unit_test(stream__in_every_split_equals_one_shot),
        cmocka_unit_test(final__may_be_asked_on_the_way),
        cmocka_unit_test(seeds__change_the_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

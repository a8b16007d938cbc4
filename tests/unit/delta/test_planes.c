#include "../../../src/delta/planes.h"
#include "helpers.h"

#include <stdlib.h>

static void shape__is_a_multiple_of_a_power_of_two(void **state)
{
    (void)state;
    for (unsigned width = 0; width < 20; width++) {
        bool known = width == 1 || width == 2 || width == 4 || width == 8;

        for (unsigned stride = 0; stride < 600; stride++) {
            bool want = known && stride >= 1 && stride <= 256 && stride % width == 0;

            assert_int_equal(planes_shape_ok(width, stride), want);
        }
    }
}

static void sub__is_pinned(void **state)
{
    /* target, base, folded difference: 5-3=+2 -> 4; 3-5=-2 -> 3; 0-0xff=+1 -> 2; 0x80-0=-128 */
    static const uint8_t target8[] = {5, 3, 0, 0x80, 7};
    static const uint8_t base8[] = {3, 5, 0xff, 0, 7};
    static const uint8_t want8[] = {4, 3, 2, 0xff, 0};
    /* 0x0100 - 0x00ff = +1 -> 2; 0 - 1 = -1 -> 1; 0x8000 -> -32768 -> 0xffff; a byte over: XOR */
    static const uint8_t target16[] = {0x00, 0x01, 0, 0, 0x00, 0x80, 0x33};
    static const uint8_t base16[] = {0xff, 0x00, 1, 0, 0x00, 0x00, 0x55};
    static const uint8_t want16[] = {2, 0, 1, 0, 0xff, 0xff, 0x66};
    /* 1.0f - its predecessor = +1 step -> 2; back: -1 -> 1 */
    static const uint8_t target32[] = {0, 0, 0x80, 0x3f, 0xff, 0xff, 0x7f, 0x3f, 1, 2, 3};
    static const uint8_t base32[] = {0xff, 0xff, 0x7f, 0x3f, 0, 0, 0x80, 0x3f, 1, 3, 7};
    static const uint8_t want32[] = {2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 4};
    static const uint8_t target64[] = {0, 0, 0, 0, 1, 0, 0, 0};
    static const uint8_t base64[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    static const uint8_t want64[] = {2, 0, 0, 0, 0, 0, 0, 0};
    uint8_t out[16];

    (void)state;
    planes_sub(out, target8, base8, sizeof(want8), 1);
    assert_memory_equal(out, want8, sizeof(want8));
    planes_sub(out, target16, base16, sizeof(want16), 2);
    assert_memory_equal(out, want16, sizeof(want16));
    planes_sub(out, target32, base32, sizeof(want32), 4);
    assert_memory_equal(out, want32, sizeof(want32));
    planes_sub(out, target64, base64, sizeof(want64), 8);
    assert_memory_equal(out, want64, sizeof(want64));
}

static void xor__is_pinned(void **state)
{
    static const uint8_t target[] = {0x0f, 0xff, 0x00};
    static const uint8_t base[] = {0xf0, 0xff, 0x01};
    static const uint8_t want[] = {0xff, 0x00, 0x01};
    uint8_t out[3];

    (void)state;
    planes_xor(out, target, base, 3);
    assert_memory_equal(out, want, 3);
}

static void split__is_pinned(void **state)
{
    static const uint8_t block[] = {'a', 'b', 'c', 'd', 'a', 'b', 'c', 'd', 'a', 'b'};
    uint8_t out[10];

    (void)state;
    planes_split(out, block, sizeof(block), 4);
    assert_memory_equal(out, "aaabbbccdd", 10);
    assert_int_equal(planes_len(10, 4, 0), 3);
    assert_int_equal(planes_len(10, 4, 1), 3);
    assert_int_equal(planes_len(10, 4, 2), 2);
    assert_int_equal(planes_len(10, 4, 3), 2);
    assert_int_equal(planes_len(2, 256, 2), 0);
}

/* Exact bounds, odd alignment: a copy on the heap that a sanitizer watches. */
static uint8_t *exact(const struct ox_buf *bytes, size_t n)
{
    uint8_t *copy = malloc(n == 0 ? 1 : n);

    assert_non_null(copy);
    memcpy(copy, bytes->data, n);
    return copy;
}

static void every_width_and_length__goes_there_and_back(void **state)
{
    struct ox_buf target = noise(1, 300);
    struct ox_buf base = noise(2, 300);

    (void)state;
    for (unsigned width = 1; width <= 8; width *= 2) {
        for (size_t n = 0; n <= 300; n += n < 40 ? 1 : 37) {
            uint8_t *to = exact(&target, n);
            uint8_t *from = exact(&base, n);
            uint8_t *diff = exact(&base, n);

            planes_sub(diff, to, from, n, width);
            planes_add(diff, from, n, width);
            assert_memory_equal(diff, to, n);
            planes_xor(diff, to, from, n);
            planes_xor(diff, diff, from, n);
            assert_memory_equal(diff, to, n);
            free(to);
            free(from);
            free(diff);
        }
    }
    ox_buf_clear(&target);
    ox_buf_clear(&base);
}

static void every_stride_and_length__goes_there_and_back(void **state)
{
    struct ox_buf block = noise(3, 600);

    (void)state;
    for (unsigned stride = 1; stride <= PLANES_STRIDE_MAX; stride++) {
        for (size_t n = 0; n <= 600; n += n < 10 ? 1 : 59) {
            uint8_t *in = exact(&block, n);
            uint8_t *split = exact(&block, n);
            uint8_t *out = exact(&block, n);
            size_t total = 0;

            planes_split(split, in, n, stride);
            memset(out, 0xee, n);
            planes_merge(out, split, n, stride);
            assert_memory_equal(out, in, n);
            for (unsigned k = 0; k < stride; k++) {
                total += planes_len(n, stride, k);
            }
            assert_int_equal(total, n);
            free(in);
            free(split);
            free(out);
        }
    }
    ox_buf_clear(&block);
}

static void small_steps__have_zero_upper_bytes(void **state)
{
    struct ox_buf base = weights(1, 1000, "F32");
    struct ox_buf target = fine_tuned(&base, 2, "F32");
    uint8_t *diff = malloc(base.len_bytes);

    (void)state;
    assert_non_null(diff);
    planes_sub(diff, target.data, base.data, base.len_bytes, 4);
    for (size_t i = 0; i < base.len_bytes; i += 4) {
        assert_int_equal(diff[i + 3], 0);
        assert_int_equal(diff[i + 2], 0);
    }
    free(diff);
    ox_buf_clear(&base);
    ox_buf_clear(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape__is_a_multiple_of_a_power_of_two),
        cmocka_unit_test(sub__is_pinned),
        cmocka_unit_test(xor__is_pinned),
        cmocka_unit_test(split__is_pinned),
        cmocka_unit_test(every_width_and_length__goes_there_and_back),
        cmocka_unit_test(every_stride_and_length__goes_there_and_back),
        cmocka_unit_test(small_steps__have_zero_upper_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

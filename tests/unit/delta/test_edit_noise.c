/* What is told to be noise: bytes that neither models nor copies shrink, and no others. */
#include "../../../src/delta/edit_noise.h"
#include "helpers.h"

#include <stdlib.h>

#define PLACES_LOG2 20

static uint32_t noise_with(const struct ox_buf *gathered, const struct ox_buf *target,
                           const struct edit_hint *hints, size_t hint_count, unsigned places_log2)
{
    struct ox_buf history = bytes_of(gathered->data, gathered->len_bytes);
    struct edit_frame frame = {NULL, (uint32_t)gathered->len_bytes, (uint32_t)target->len_bytes,
                               hints, hint_count};
    uint32_t *places = malloc(sizeof(*places) << places_log2);
    uint32_t found;

    assert_non_null(places);
    put_buf(&history, target);
    frame.history = history.data;
    found = edit_noise_find(&frame, places, places_log2);
    assert_true(found <= target->len_bytes);
    free(places);
    ox_buf_clear(&history);
    return found;
}

/* ... beside a base of which the target is hinted to be the next version. */
static uint32_t noise_beside(const struct ox_buf *gathered, const struct ox_buf *target)
{
    struct edit_hint hint = {0, (uint32_t)gathered->len_bytes};

    return noise_with(gathered, target, &hint, 1, PLACES_LOG2);
}

static void fresh_bytes__are_noise(void **state)
{
    struct ox_buf base = noise(1, 100000);

    (void)state;
    for (uint64_t seed = 2; seed < 12; seed++) {
        struct ox_buf target = noise(seed, 200000 + seed * 777);
        struct ox_buf nothing = OX_BUF_INIT;

        assert_in_range(noise_beside(&base, &target), target.len_bytes * 99 / 100,
                        target.len_bytes);
        assert_in_range(noise_with(&nothing, &target, NULL, 0, PLACES_LOG2),
                        target.len_bytes * 99 / 100, target.len_bytes);
        ox_buf_clear(&target);
    }
    ox_buf_clear(&base);
}

/* Words; numbers; a walk, whose bytes are even but not its steps, one channel and two; what all
 * differs from the base by the same; and few bits too few of each byte. */
static void what_a_model_shrinks__is_none(void **state)
{
    enum { BYTES = 120000 };
    struct ox_buf base = noise(1, BYTES);
    struct ox_buf targets[] = {prose(2, BYTES),
                               weights(3, BYTES / 4, "F32"),
                               weights(4, BYTES / 2, "BF16"),
                               noise(5, BYTES),
                               noise(6, BYTES),
                               bytes_of(base.data, BYTES),
                               noise(7, BYTES)};
    const size_t count = sizeof(targets) / sizeof(targets[0]);

    (void)state;
    for (size_t i = 0; i < BYTES; i++) {
        targets[3].data[i] =
            (uint8_t)((i > 0 ? targets[3].data[i - 1] : 0) + targets[3].data[i] % 64);
        targets[4].data[i] =
            (uint8_t)((i > 1 ? targets[4].data[i - 2] : 0) + targets[4].data[i] % 64);
        targets[5].data[i] = (uint8_t)(targets[5].data[i] + 5);
        targets[6].data[i] = (uint8_t)(targets[6].data[i] % 216);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t found = noise_beside(&base, &targets[i]);

        if (found != 0) {
            fail_msg("row %zu: %u bytes of noise", i, found);
        }
        ox_buf_clear(&targets[i]);
    }
    ox_buf_clear(&base);
}

/* One byte of twenty has a bit less: no window alone shows that, all together do. */
static void a_slight_bias__is_taken_off(void **state)
{
    enum { BYTES = 400000 };
    struct ox_buf nothing = OX_BUF_INIT;
    struct ox_buf target = noise(1, BYTES);
    uint32_t found;

    (void)state;
    for (size_t i = 0; i < BYTES; i++) {
        if (i % 20 == 0) {
            target.data[i] &= 0x7f;
        }
    }
    found = noise_with(&nothing, &target, NULL, 0, PLACES_LOG2);
    assert_in_range(found, BYTES * 9 / 10, BYTES - 50);
    ox_buf_clear(&target);
}

/* Pieces of the base, with fresh bytes between them: where hints tell of the pieces, and where
 * nothing does. Repeats within the target are copies, too. */
static void copies__are_taken_off(void **state)
{
    static const size_t sizes[] = {200, 1000, 5000, 60000};
    struct ox_buf base = noise(1, 600000);
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 7);
    for (size_t row = 0; row < sizeof(sizes) / sizeof(sizes[0]); row++) {
        struct ox_buf target = OX_BUF_INIT;
        struct edit_hint hints[2000];
        size_t count = 0;
        size_t fresh = 0;

        while (target.len_bytes < 500000) {
            size_t from = count * 7 % (base.len_bytes / sizes[row]) * sizes[row];
            struct ox_buf new = noise(ox_rng_u64(&rng), sizes[row] * 2);

            hints[count++] = (struct edit_hint){
                (uint32_t)target.len_bytes, (uint32_t)(base.len_bytes + target.len_bytes - from)};
            put(&target, base.data + from, sizes[row]);
            fresh += new.len_bytes;
            put_buf(&target, &new);
            ox_buf_clear(&new);
        }
        assert_in_range(noise_with(&base, &target, hints, count, PLACES_LOG2), fresh * 97 / 100,
                        fresh);
        if (sizes[row] >= 1000) {
            struct ox_buf nothing = OX_BUF_INIT;
            struct ox_buf twice = bytes_of(target.data, target.len_bytes);

            /* a window that is half a copy is all taken for noise but that copy */
            assert_in_range(noise_with(&base, &target, NULL, 0, PLACES_LOG2), fresh * 97 / 100,
                            fresh * 103 / 100);
            put_buf(&twice, &target);
            assert_in_range(noise_with(&nothing, &twice, NULL, 0, PLACES_LOG2),
                            target.len_bytes * 97 / 100, target.len_bytes * 103 / 100);
            ox_buf_clear(&twice);
        }
        ox_buf_clear(&target);
    }
    ox_buf_clear(&base);
}

/* With few places, short repeats are missed, but no long ones; and there is no noise too much. */
static void few_places__find_long_repeats(void **state)
{
    struct ox_buf base = noise(1, 1000000);
    struct ox_buf target = bytes_of(base.data + 300000, 600000);
    struct ox_buf fresh = noise(2, 400000);

    (void)state;
    put_buf(&target, &fresh);
    assert_in_range(noise_with(&base, &target, NULL, 0, 10), 390000, 440000);
    ox_buf_clear(&base);
    ox_buf_clear(&target);
    ox_buf_clear(&fresh);
}

static void frames__of_all_lengths_are_read_within(void **state)
{
    static const uint32_t lengths[] = {0, 1, 7, 8, 255, 256, 257, 1023, 2047, 2048, 4096};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
            struct edit_frame frame = {NULL, lengths[i], lengths[k], NULL, 0};
            struct edit_hint hints[2] = {{0, lengths[i]}, {lengths[k] / 2, 4096 + lengths[k]}};
            struct ox_buf bytes = noise(i, lengths[i] + lengths[k]);
            uint8_t *exact = malloc(bytes.len_bytes + 1);
            uint32_t places[1 << 10];

            assert_non_null(exact);
            memcpy(exact + 1, bytes.data, bytes.len_bytes); /* not aligned, and not a byte more */
            frame.history = exact + 1;
            frame.hints = hints;
            frame.hint_count = lengths[i] == 0 ? 0 : 2;
            assert_true(edit_noise_find(&frame, places, 10) <= lengths[k]);
            free(exact);
            ox_buf_clear(&bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_bytes__are_noise),
        cmocka_unit_test(what_a_model_shrinks__is_none),
        cmocka_unit_test(a_slight_bias__is_taken_off),
        cmocka_unit_test(copies__are_taken_off),
        cmocka_unit_test(few_places__find_long_repeats),
        cmocka_unit_test(frames__of_all_lengths_are_read_within),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

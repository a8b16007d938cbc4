/* The plan: its segments cover the target, and what they call equal is. */
#include "../../../src/delta/plan.h"
#include "helpers.h"

#include <stdlib.h>

#define INDEX_BYTES ((uint64_t)16 << 20)

struct checked {
    const struct ox_buf *base;
    const struct ox_buf *target;
    uint64_t at;
    uint64_t equal_bytes;
    uint64_t in_tensors;
    size_t segments;
    struct ox_stop *stop_at_once;
};

static enum ox_code check_segment(void *ctx, const struct segment *segment, struct ox_err *err)
{
    struct checked *self = ctx;

    (void)err;
    assert_true(segment->target == self->at && segment->len > 0);
    assert_true(segment->len <= self->target->len_bytes - self->at);
    assert_true(segment->equal || segment->len <= SEGMENT_MAX);
    if (segment->has_base) {
        assert_true(segment->base <= self->base->len_bytes &&
                    segment->len <= self->base->len_bytes - segment->base);
    }
    if (segment->equal) {
        assert_true(segment->has_base);
        assert_memory_equal(self->target->data + segment->target, self->base->data + segment->base,
                            segment->len);
        self->equal_bytes += segment->len;
    }
    if (segment->pair != NULL) {
        assert_true(segment->target >= segment->pair->target_offset);
        assert_true(segment->target + segment->len <=
                    segment->pair->target_offset + segment->pair->target_bytes);
        self->in_tensors += segment->len;
    }
    self->at += segment->len;
    self->segments++;
    if (self->stop_at_once != NULL) {
        ox_stop_request(self->stop_at_once);
    }
    return OX_OK;
}

static enum ox_code choose_same(void *ctx, struct tensor_pair *pair, struct ox_err *err)
{
    (void)ctx;
    (void)err;
    pair->prediction = (struct prediction){.predictor = PREDICT_SAME, .kind = NUMBER_F32};
    return OX_OK;
}

static const struct tensor_chooser chooser = {NULL, choose_same};

/* Plans, checks, and tells what it found. */
static struct checked plan(const struct ox_buf *base, const struct ox_buf *target,
                           const struct tensor_pairs *pairs)
{
    struct checked checked = {.base = base, .target = target};
    struct segment_sink sink = {&checked, check_segment};
    struct ox_memory memories[2] = {{base->data, base->len_bytes},
                                    {target->data, target->len_bytes}};
    struct ox_source from = ox_memory_source(&memories[0]);
    struct ox_source to = ox_memory_source(&memories[1]);
    struct tensor_pairs none = {NULL, 0};

    assert_int_equal(plan_run(&from, &to, pairs == NULL ? &none : pairs, &chooser, INDEX_BYTES, NULL, &sink, NULL), OX_OK);
    assert_int_equal(checked.at, target->len_bytes);
    return checked;
}

static void random_edits__are_covered_and_found(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 21);
    for (int turn = 0; turn < 60; turn++) {
        struct ox_buf base = noise(ox_rng_u64(&rng), 1 + ox_rng_below(&rng, 300000));
        struct ox_buf target = OX_BUF_INIT;
        uint64_t kept = 0;
        unsigned edits = (unsigned)ox_rng_below(&rng, 20);

        for (unsigned i = 0; i <= edits; i++) {
            uint64_t from = ox_rng_below(&rng, base.len_bytes);
            size_t len = 1 + (size_t)ox_rng_below(&rng, base.len_bytes - from);
            struct ox_buf fresh = noise(ox_rng_u64(&rng), ox_rng_below(&rng, 2000));

            put(&target, base.data + from, len);
            put_buf(&target, &fresh);
            kept += len > 500 ? len - 500 : 0; /* an anchor may come late, 16 bytes apart */
            ox_buf_clear(&fresh);
        }
        assert_true(plan(&base, &target, NULL).equal_bytes >= kept);
        ox_buf_clear(&base);
        ox_buf_clear(&target);
    }
}

static void scattered_flips__keep_the_diagonal(void **state)
{
    struct ox_buf base = noise(1, 200000);
    struct ox_buf target = bytes_of(base.data, base.len_bytes);
    struct checked checked;

    (void)state;
    for (size_t i = 500; i < target.len_bytes; i += 1000) {
        target.data[i] ^= 1;
    }
    checked = plan(&base, &target, NULL);
    assert_true(checked.equal_bytes > 190000);
    assert_true(checked.segments <= 402);
    ox_buf_clear(&base);
    ox_buf_clear(&target);
}

static void low_entropy__is_covered(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 22);
    for (int turn = 0; turn < 30; turn++) {
        struct ox_buf base = noise(ox_rng_u64(&rng), ox_rng_below(&rng, 50000));
        struct ox_buf target = noise(ox_rng_u64(&rng), ox_rng_below(&rng, 50000));
        uint8_t mask = (uint8_t)(turn % 3); /* zeros alone, or a random string of two letters */

        for (size_t i = 0; i < base.len_bytes; i++) {
            base.data[i] &= mask;
        }
        for (size_t i = 0; i < target.len_bytes; i++) {
            target.data[i] &= mask;
        }
        (void)plan(&base, &target, NULL);
        (void)plan(&base, &base, NULL);
        ox_buf_clear(&base);
        ox_buf_clear(&target);
    }
}

static void pairs__of_any_shape_are_covered(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 23);
    for (int turn = 0; turn < 60; turn++) {
        struct ox_buf base = noise(1, 1 + ox_rng_below(&rng, 400000));
        struct ox_buf target = noise(turn % 2 == 0 ? 1 : 2, 1 + ox_rng_below(&rng, 400000));
        struct tensor_pair pairs[8];
        struct tensor_pairs list = {pairs, 0};
        uint64_t at = 0;
        uint64_t tensors = 0;

        while (list.count < 8 && at < target.len_bytes) {
            struct tensor_pair *pair = &pairs[list.count++];
            uint64_t limit;

            at += ox_rng_below(&rng, target.len_bytes - at);
            *pair = (struct tensor_pair){.target_offset = at,
                                         .dtype = OX_DTYPE_F32,
                                         .base_dtype = OX_DTYPE_F32};
            pair->target_bytes = 1 + ox_rng_below(&rng, target.len_bytes - at);
            pair->has_base = ox_rng_below(&rng, 4) != 0;
            pair->base_offset = ox_rng_below(&rng, base.len_bytes);
            limit = base.len_bytes - pair->base_offset;
            pair->base_bytes = pair->target_bytes < limit ? pair->target_bytes : limit;
            if (turn % 3 == 0) {
                pair->dtype = pair->base_dtype = OX_DTYPE_Q8_0;
            }
            tensors += pair->target_bytes;
            at += pair->target_bytes;
        }
        assert_true(plan(&base, &target, &list).in_tensors == tensors);
        ox_buf_clear(&base);
        ox_buf_clear(&target);
    }
}

static void stop__between_segments_is_canceled(void **state)
{
    struct ox_buf base = noise(1, 100000);
    struct ox_buf target = noise(2, 600000);
    struct ox_stop stop;
    struct checked checked = {.base = &base, .target = &target, .stop_at_once = &stop};
    struct segment_sink sink = {&checked, check_segment};
    struct ox_memory memories[2] = {{base.data, base.len_bytes}, {target.data, target.len_bytes}};
    struct ox_source from = ox_memory_source(&memories[0]);
    struct ox_source to = ox_memory_source(&memories[1]);
    struct tensor_pairs none = {NULL, 0};

    (void)state;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    assert_int_equal(plan_run(&from, &to, &none, &chooser, INDEX_BYTES, &stop, &sink, NULL), OX_ECANCELED);
    assert_int_equal(checked.segments, 1);
    ox_stop_clear(&stop);
    ox_buf_clear(&base);
    ox_buf_clear(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_edits__are_covered_and_found),
        cmocka_unit_test(scattered_flips__keep_the_diagonal),
        cmocka_unit_test(low_entropy__is_covered),
        cmocka_unit_test(pairs__of_any_shape_are_covered),
        cmocka_unit_test(stop__between_segments_is_canceled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

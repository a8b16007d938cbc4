/* Patches made to hurt: every frame is as large as the format lets it be, in a way that costs the
 * reader most. Memory stays bounded, and so does time. */
#include "../../../src/delta/decode.h"
#include "../machine.h"
#include "helpers.h"

#include "oxide/base/random.h"
#include "oxide/crypto/sha256.h"
#include "oxide/crypto/xxh64.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

#define MIB ((size_t)1 << 20)
/* Applying takes about 16 MiB at most; 8 are the process and its libraries before it begins. All
 * kinds of frames, each at its largest, one after the other, take 9,000 to 9,290 KiB. */
#define APPLY_MAX_KIB (9 * 1024 + 256)

/* --- a patch, frame by frame, with right sums --- */

struct crafted {
    struct artifact *base; /* 4 MiB */
    struct ox_buf frames;
    struct ox_buf target;
    uint64_t count;
};

static void add_frame(struct crafted *self, enum ox_oxdl_op op, size_t n, size_t ranges,
                      const struct ox_buf *body)
{
    struct ox_oxdl_range range = {false, 0, ranges};
    struct ox_oxdl_frame frame = {.op = op,
                                  .target_offset = self->target.len_bytes,
                                  .target_bytes = (uint32_t)n,
                                  .range_count = ranges > 0,
                                  .ranges = &range,
                                  .ranges_bytes = (uint32_t)ranges,
                                  .body = body->data,
                                  .body_bytes = (uint32_t)body->len_bytes};
    struct decode_input input = {&self->base->sources[0], NULL, NULL};
    struct decoder decoder = {.zstd = NULL};
    struct ox_err err = OX_ERR_INIT;

    assert_true(body->len_bytes <= OX_OXDL_FRAME_BODY_MAX);
    (void)!decode_frame(&decoder, &input, &frame, &err);
    assert_int_equal(decoder.out.len_bytes, n);
    frame.sum = ox_xxh64(decoder.out.data, n, frame.target_offset);
    if (decode_frame(&decoder, &input, &frame, &err) != OX_OK) {
        fail_msg("%s: %s", ox_oxdl_op_word(op), err.msg);
    }
    assert_int_equal(ox_oxdl_put_frame(&self->frames, &frame, NULL), OX_OK);
    put(&self->target, decoder.out.data, n);
    self->count++;
    decoder_clear(&decoder);
}

static struct ox_buf finish(struct crafted *self)
{
    struct ox_oxdl_header header = {.version = 2, .ops = OX_OXDL_OPS_KNOWN};
    struct ox_buf patch = OX_BUF_INIT;

    header.base.digest = self->base->side.digest;
    header.base.size_bytes = self->base->bytes[0].len_bytes;
    header.target.size_bytes = self->target.len_bytes;
    assert_int_equal(
        ox_sha256_bytes(self->target.data, self->target.len_bytes, &header.target.digest, NULL),
        OX_OK);
    assert_int_equal(ox_oxdl_put_header(&patch, &header, NULL), OX_OK);
    put_buf(&patch, &self->frames);
    assert_int_equal(ox_oxdl_put_end(&patch, self->count, NULL), OX_OK);
    return patch;
}

static void crafted_clear(struct crafted *self)
{
    artifact_free(self->base);
    ox_buf_clear(&self->frames);
    ox_buf_clear(&self->target);
}

/* --- frames --- */

static void add_zstd(struct crafted *self, size_t n)
{
    struct ox_buf zeros = OX_BUF_INIT;
    struct ox_buf body = OX_BUF_INIT;
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    size_t got;

    assert_int_equal(ox_buf_reserve(&zeros, n, NULL), OX_OK);
    memset(zeros.data, 0, n);
    assert_int_equal(ox_buf_reserve(&body, MIB, NULL), OX_OK);
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, 27)));
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0)));
    got = ZSTD_compress2(zstd, body.data, MIB, zeros.data, n);
    assert_false(ZSTD_isError(got));
    body.len_bytes = got;
    add_frame(self, OX_OXDL_ZSTD, n, OX_OXDL_FRAME_ALL_MAX - n - got, &body);
    (void)ZSTD_freeCCtx(zstd);
    ox_buf_clear(&zeros);
    ox_buf_clear(&body);
}

static void add_planes(struct crafted *self)
{
    static const uint8_t body[] = {4, 4, 0, 7, 0, 1, 0, 0, 0, 0}; /* constant planes */
    struct ox_buf buf = bytes_of(body, sizeof(body));

    add_frame(self, OX_OXDL_SUB, MIB, MIB, &buf);
    ox_buf_clear(&buf);
}

/* New bytes, in the whole of the model, and a copy of all there is. */
static void add_edit(struct crafted *self)
{
    static const struct edit_effort effort = {16, 1, 48, false};
    const uint32_t n = 5 * MIB / 2 - 400000;
    struct ox_rng rng;
    struct edit_encoder *encoder = NULL;
    struct ox_buf history = bytes_of(self->base->bytes[0].data, n);
    struct ox_buf body = OX_BUF_INIT;
    bool done = false;

    ox_rng_init(&rng, 5);
    for (size_t i = 0; i < 400000; i++) {
        uint8_t byte = (uint8_t)(ox_rng_below(&rng, 64) + ox_rng_below(&rng, 64));

        put(&history, &byte, 1);
    }
    put(&history, self->base->bytes[0].data, n - 400000);
    assert_int_equal(edit_encoder_new(&encoder, NULL), OX_OK);
    assert_int_equal(
        edit_encode(encoder, history.data, n, n, NULL, 0, &effort, 800000, &body, &done, NULL),
        OX_OK);
    assert_true(done);
    add_frame(self, OX_OXDL_EDIT, n, n, &body);
    edit_encoder_free(encoder);
    ox_buf_clear(&history);
    ox_buf_clear(&body);
}

/* Streams that the mixing coder decodes, into whatever: no damage can be seen in them. */
static void put_mixed_streams(struct ox_buf *body, const struct part *parts, size_t count)
{
    static const uint8_t stream[] = {1, 127, 8, 'p', 'a', 't', 't', 'e', 'r', 'n', '!'};

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        size_t n = 0;

        for (size_t i = 0; i < count; i++) {
            n += part_count(&parts[i], (enum slot)slot);
        }
        if (n > 0) {
            put(body, stream, sizeof(stream));
        }
    }
}

/* `count` parts of one kind, of so many numbers, or blocks, each. */
static void add_numbers(struct crafted *self, const struct prediction *how, size_t count,
                        size_t units, bool mixes)
{
    struct numbers numbers = {.coder = NULL};
    struct part *parts = calloc(count, sizeof(*parts));
    const uint8_t *base = self->base->bytes[0].data;
    struct ox_buf body = OX_BUF_INIT;
    struct ox_buf target;
    size_t base_bytes = 0;
    size_t n = 0;

    assert_non_null(parts);
    for (size_t i = 0; i < count; i++) {
        parts[i].how = *how;
        parts[i].target_bytes = (uint32_t)units * prediction_unit(how);
        n += parts[i].target_bytes;
        base_bytes += (size_t)part_base_bytes(&parts[i]);
    }
    assert_true(base_bytes <= NUMBERS_BASE_MAX && n <= NUMBERS_TARGET_MAX);
    target = bytes_of(base, n);
    for (size_t i = 0; i < n; i += 37) {
        target.data[i] = (uint8_t)(target.data[i] + 1);
    }
    assert_int_equal(numbers_encode(&numbers, parts, count, target.data, base, false, &body, NULL),
                     OX_OK);
    if (mixes) {
        struct ox_reader reader;
        size_t read = 0;

        ox_reader_init(&reader, body.data, body.len_bytes, "body");
        assert_int_equal(numbers_read_parts(&numbers, &reader, n, &read, NULL), OX_OK);
        body.len_bytes = reader.pos;
        put_mixed_streams(&body, parts, count);
    }
    add_frame(self, OX_OXDL_NUMBERS, n, base_bytes, &body);
    numbers_clear(&numbers);
    ox_buf_clear(&body);
    ox_buf_clear(&target);
    free(parts);
}

/* Numbers of base and target that are alike, so that bodies stay small. */
static struct artifact *large_base(void)
{
    struct ox_buf bytes = weights(1, MIB, "F32");

    return artifact_single(bytes);
}

/* So many numbers, or blocks, that neither they nor what predicts them is over the limits. */
static size_t most_units(const struct prediction *how)
{
    struct part part = {.how = *how,
                        .target_bytes =
                            NUMBERS_TARGET_MAX / prediction_unit(how) * prediction_unit(how)};

    while (part_base_bytes(&part) > NUMBERS_BASE_MAX ||
           part_count(&part, SLOT_QUANTS) + part_count(&part, SLOT_QUANTS8) > STREAM_GIVEN_MAX) {
        part.target_bytes -= prediction_unit(how);
    }
    return part.target_bytes / prediction_unit(how);
}

/* Every kind of frame at its largest. */
static const struct prediction largest[] = {
    {.predictor = PREDICT_SAME, .kind = NUMBER_F32, .columns = 64},
    {.predictor = PREDICT_PRUNED, .kind = NUMBER_BF16, .columns = 8192, .threshold = 9},
    {.predictor = PREDICT_PRUNED, .kind = NUMBER_I8},
    {.predictor = PREDICT_CAST, .kind = NUMBER_BF16, .from = NUMBER_F32},
    {.predictor = PREDICT_GROWN, .kind = NUMBER_I8, .columns = 3, .base_columns = 11},
    {.predictor = PREDICT_GROWN_CAST,
     .kind = NUMBER_BF16,
     .from = NUMBER_F32,
     .columns = 3,
     .base_columns = 11},
    {.predictor = PREDICT_NIBBLES, .kind = NUMBER_U8},
    {.predictor = PREDICT_BLOCKS, .kind = 5}, /* Q4_K */
    {.predictor = PREDICT_BLOCKS, .kind = 0}, /* Q8_0 */
    {.predictor = PREDICT_FACTORS, .kind = NUMBER_BF16, .columns = 8192, .rank = 16},
    {.predictor = PREDICT_SCALED, .kind = NUMBER_I8, .columns = 65536 / 4, .axis = SCALES_COLUMNS},
    {.predictor = PREDICT_SCALED,
     .kind = NUMBER_F8E5M2,
     .columns = 65536 / 4,
     .axis = SCALES_COLUMNS},
    {.predictor = PREDICT_SCALED_NIBBLES,
     .kind = NUMBER_I8,
     .columns = 65536 / 2,
     .axis = SCALES_COLUMNS},
};
#define HOWS (sizeof(largest) / sizeof(largest[0]))
enum { FRAME_SUB, FRAME_ZSTD, FRAME_EDIT, FRAME_NUMBERS, FRAMES = FRAME_NUMBERS + 2 * HOWS };

static void add_largest(struct crafted *self, size_t which)
{
    size_t how = which - FRAME_NUMBERS;

    switch (which) {
    case FRAME_SUB:
        add_planes(self);
        break;
    case FRAME_ZSTD:
        add_zstd(self, MIB + 100);
        add_zstd(self, 4 * MIB);
        break;
    case FRAME_EDIT:
        add_edit(self);
        break;
    default:
        add_numbers(self, &largest[how % HOWS], 1, most_units(&largest[how % HOWS]), how >= HOWS);
        break;
    }
}

/* --- memory --- */

/* Run in a process of its own, whose memory is that of the job alone. */
static long in_child(long (*run)(struct artifact *base, FILE *file, size_t which),
                     struct artifact *base, FILE *file, size_t which)
{
    long result = -1;
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        result = run(base, file, which);
        _exit(write(ends[1], &result, sizeof(result)) == sizeof(result) ? 0 : 1);
    }
    (void)close(ends[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    if (read(ends[0], &result, sizeof(result)) != sizeof(result)) {
        result = -1;
    }
    (void)close(ends[0]);
    return result;
}

/* A patch of one kind of frame, or, of FRAMES, of all. */
static long write_largest(struct artifact *base, FILE *file, size_t which)
{
    struct crafted crafted = {.base = base};
    struct ox_buf patch;

    for (size_t i = 0; i < FRAMES; i++) {
        if (which == FRAMES || which == i) {
            add_largest(&crafted, i);
        }
    }
    patch = finish(&crafted);
    return fwrite(patch.data, 1, patch.len_bytes, file) == patch.len_bytes && fflush(file) == 0
               ? (long)patch.len_bytes
               : -1;
}

static enum ox_code drop(void *ctx, uint64_t offset, const void *bytes, size_t len,
                         struct ox_err *err)
{
    (void)ctx;
    (void)offset;
    (void)bytes;
    (void)len;
    (void)err;
    return OX_OK;
}

/* KiB by which the peak grows while the patch in `file` is applied; -1 if that fails. */
static long apply_growth_kib(struct artifact *base, FILE *file, size_t which)
{
    struct ox_fd_io io = {fileno(file), "patch"};
    struct ox_source source = ox_fd_source(&io, (uint64_t)lseek(io.fd, 0, SEEK_END));
    struct ox_sink sink = {NULL, drop, NULL};
    struct ox_apply_spec spec = {.base = &base->side, .sink = &sink};
    struct ox_err err = OX_ERR_INIT;
    long before = max_rss_kib();

    (void)which;

    if (ox_apply_source(&spec, &source, &err) != OX_OK) {
        fprintf(stderr, "apply: %s\n", err.msg);
        return -1;
    }
    return max_rss_kib() - before;
}

/* The least of some runs: now and then some pages more of the libraries are mapped. */
static long least_growth_kib(struct artifact *base, FILE *file, size_t which)
{
    long least = LONG_MAX;

    for (int run = 0; run < 3 && (run == 0 || least > APPLY_MAX_KIB); run++) {
        long grown = in_child(apply_growth_kib, base, file, which);

        least = grown < least ? grown : least;
    }
    return least;
}

static void memory__of_the_largest_frames_stays_bounded(void **state)
{
    struct artifact *base;
    FILE *file;
    long patch_bytes;
    long grown;

    (void)state;
    if (SANITIZED || is_emulated()) {
        print_message("skipped: a sanitizer's or an emulator's own memory would be measured\n");
        skip();
    }
    base = large_base();
    for (size_t which = 0; which <= FRAMES; which++) {
        file = tmpfile();
        assert_non_null(file);
        patch_bytes = in_child(write_largest, base, file, which);
        assert_true(patch_bytes > 0);
        grown = least_growth_kib(base, file, which);
        print_message("frame %zu: %ld KiB for %ld bytes of patch\n", which, grown, patch_bytes);
        assert_in_range(grown, 0, APPLY_MAX_KIB);
        (void)fclose(file);
    }
    artifact_free(base);
}

/* --- time --- */

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double apply_seconds(const struct crafted *crafted, const struct ox_buf *patch)
{
    double before = seconds();
    struct memory_sink sink = {.writes = 0};

    assert_int_equal(apply_patch(crafted->base, patch->data, patch->len_bytes, 0, &sink, NULL),
                     OX_OK);
    ox_buf_clear(&sink.bytes);
    return seconds() - before;
}

/* Each part begins a tensor anew: that must not cost much more than its numbers. */
static void time__of_many_small_parts_is_bounded(void **state)
{
    static const struct prediction wide = {
        .predictor = PREDICT_PRUNED, .kind = NUMBER_F16, .columns = 16384};
    static const struct prediction narrow = {.predictor = PREDICT_PRUNED, .kind = NUMBER_F16};
    const struct prediction *hows[] = {&wide, &narrow};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct crafted crafted = {.base = large_base()};
        struct ox_buf patch;
        double took;

        add_numbers(&crafted, hows[i], NUMBERS_PARTS_MAX, 1, true);
        patch = finish(&crafted);
        took = apply_seconds(&crafted, &patch);
        print_message("%d parts, %u columns: %.3f s\n", NUMBERS_PARTS_MAX, hows[i]->columns, took);
        assert_true(took < (SANITIZED ? 20 : 2));
        ox_buf_clear(&patch);
        crafted_clear(&crafted);
    }
}

int main(void)
{
#if defined(__GLIBC__)
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024); /* as oxide does */
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory__of_the_largest_frames_stays_bounded),
        cmocka_unit_test(time__of_many_small_parts_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

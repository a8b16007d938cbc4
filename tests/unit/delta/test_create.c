#include "../../../src/delta/cast.h"
#include "helpers.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A pair that uses every operation: copies, edits, and fine-tuned numbers. */
static struct artifact *base_side(void)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};

    tensors_add(&model, "same", "U8", 200000, 0, noise(1, 200000));
    tensors_add(&model, "w", "F32", 10000, 0, weights(2, 10000, "F32"));
    tensors_add(&model, "text", "U8", 20000, 0, prose(3, 20000));
    return artifact_single(tensors_file(&model));
}

static struct artifact *target_side(void)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_buf old = weights(2, 10000, "F32");

    tensors_add(&model, "same", "U8", 200000, 0, noise(1, 200000));
    tensors_add(&model, "w", "F32", 10000, 0, fine_tuned(&old, 4, "F32"));
    tensors_add(&model, "other text", "U8", 30000, 0, prose(5, 30000));
    tensors_add(&model, "fresh", "U8", 3000, 0, noise(6, 3000));
    ox_buf_clear(&old);
    return artifact_single(tensors_file(&model));
}

#define BIT(op) ((uint64_t)1 << (op))

static void ops__restrict_header_and_frames(void **state)
{
    static const uint64_t allowed[] = {
        BIT(OX_OXDL_END) | BIT(OX_OXDL_RAW),
        BIT(OX_OXDL_END) | BIT(OX_OXDL_RAW) | BIT(OX_OXDL_COPY),
        BIT(OX_OXDL_END) | BIT(OX_OXDL_RAW) | BIT(OX_OXDL_ZSTD),
        BIT(OX_OXDL_END) | BIT(OX_OXDL_RAW) | BIT(OX_OXDL_XOR),
        BIT(OX_OXDL_END) | BIT(OX_OXDL_RAW) | BIT(OX_OXDL_SUB) | BIT(OX_OXDL_COPY),
        OX_OXDL_OPS_KNOWN & ~BIT(OX_OXDL_SUB),
        OX_OXDL_OPS_KNOWN & ~BIT(OX_OXDL_COPY),
        UINT64_MAX, /* a reader of the future */
    };
    struct artifact *base = base_side();
    struct artifact *target = target_side();

    (void)state;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        for (unsigned engine = OX_ENGINE_AUTO; engine <= OX_ENGINE_BINARY; engine++) {
            struct ox_delta_options options = {
                .engine = (enum ox_delta_engine)engine, .threads = 2, .ops = allowed[i]};
            struct memory_output patch = {OX_BUF_INIT, 0};
            struct ox_output output = memory_output(&patch);
            struct memory_sink sink = {.writes = 0};
            struct ox_oxdl_header header = {0};
            struct ox_delta_stats stats;
            struct ox_memory memory;
            struct ox_source source;
            struct ox_err err = OX_ERR_INIT;

            assert_int_equal(
                ox_delta_create(&base->side, &target->side, &options, &output, NULL, &err), OX_OK);
            memory = (struct ox_memory){patch.bytes.data, patch.bytes.len_bytes};
            source = ox_memory_source(&memory);
            if (ox_delta_inspect(&source, &header, &stats, &err) != OX_OK) {
                fail_msg("ops %llx: %s", (unsigned long long)allowed[i], err.msg);
            }
            assert_true((header.ops & ~(allowed[i] & OX_OXDL_OPS_KNOWN)) == 0);
            for (unsigned op = 1; op < OX_OXDL_OP_COUNT; op++) {
                assert_true((allowed[i] >> op & 1) || stats.target_bytes[op] == 0);
            }
            assert_int_equal(
                apply_patch(base, patch.bytes.data, patch.bytes.len_bytes, 0, &sink, NULL), OX_OK);
            assert_memory_equal(sink.bytes.data, target->bytes[0].data, target->bytes[0].len_bytes);
            ox_oxdl_header_clear(&header);
            ox_buf_clear(&sink.bytes);
            ox_buf_clear(&patch.bytes);
        }
    }
    artifact_free(base);
    artifact_free(target);
}

static void ops__without_end_or_raw_are_refused(void **state)
{
    static const uint64_t allowed[] = {BIT(OX_OXDL_END), BIT(OX_OXDL_RAW),
                                       BIT(OX_OXDL_END) | BIT(OX_OXDL_COPY), BIT(40)};
    struct artifact *side = base_side();

    (void)state;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        struct ox_delta_options options = {.threads = 1, .ops = allowed[i]};
        struct memory_output patch = {OX_BUF_INIT, 0};
        struct ox_output output = memory_output(&patch);

        assert_int_equal(ox_delta_create(&side->side, &side->side, &options, &output, NULL, NULL),
                         OX_EUNSUPPORTED);
        assert_int_equal(patch.bytes.len_bytes, 0);
    }
    artifact_free(side);
}

/* --- what goes wrong on the way ---*/

static size_t count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(dir);
    return count;
}

static void full_disk__is_reported_and_leaves_no_thread(void **state)
{
    struct artifact *base = base_side();
    struct artifact *target = artifact_single(noise(9, 6 << 20));
    size_t threads_before = count_threads();

    (void)state;
    for (uint64_t room = 1; room < (uint64_t)8 << 20; room = room * 4 + 50) {
        struct ox_delta_options options = {.threads = 3};
        struct memory_output patch = {OX_BUF_INIT, room};
        struct ox_output output = memory_output(&patch);
        struct ox_delta_stats stats = {.frames = 12345};
        struct ox_err err = OX_ERR_INIT;
        enum ox_code code =
            ox_delta_create(&base->side, &target->side, &options, &output, &stats, &err);

        if (room < (uint64_t)6 << 20) {
            assert_int_equal(code, OX_ENOSPC);
            assert_string_equal(err.msg, "no room for the patch");
            assert_int_equal(stats.frames, 12345);
        }
        ox_buf_clear(&patch.bytes);
        /* one that was joined may be seen for a moment */
        for (int i = 0; i < 1000 && count_threads() != threads_before; i++) {
            (void)usleep(1000);
        }
        assert_int_equal(count_threads(), threads_before);
    }
    artifact_free(base);
    artifact_free(target);
}

struct failing {
    const struct ox_source *inner;
    atomic_uint reads_left;
};

static enum ox_code failing_read(void *ctx, uint64_t offset, void *out, size_t len,
                                 struct ox_err *err)
{
    struct failing *self = ctx;

    if (atomic_load(&self->reads_left) == 0 || atomic_fetch_sub(&self->reads_left, 1) == 0) {
        atomic_store(&self->reads_left, 0);
        return ox_err_set(err, OX_EIO, "the file changed");
    }
    return ox_source_read(self->inner, offset, out, len, err);
}

static void failing_reads__are_reported_wherever_they_come(void **state)
{
    struct artifact *base = base_side();
    struct artifact *target = target_side();
    bool succeeded = false;

    (void)state;
    for (unsigned side = 0; side < 2; side++) {
        struct artifact *broken = side == 0 ? base : target;
        struct ox_source inner = broken->sources[0];

        for (unsigned reads = 0; reads < 40; reads++) {
            struct failing failing = {&inner, reads};
            struct ox_delta_options options = {.threads = 2};
            struct memory_output patch = {OX_BUF_INIT, 0};
            struct ox_output output = memory_output(&patch);
            struct ox_err err = OX_ERR_INIT;
            enum ox_code code;

            broken->sources[0].ctx = &failing;
            broken->sources[0].read_at = failing_read;
            code = ox_delta_create(&base->side, &target->side, &options, &output, NULL, &err);
            assert_true(code == OX_OK || (code == OX_EIO && err.code == code));
            succeeded = succeeded || code == OX_OK;
            assert_true(reads > 1 || code == OX_EIO);
            ox_buf_clear(&patch.bytes);
        }
        broken->sources[0] = inner;
    }
    artifact_free(base);
    artifact_free(target);
}

struct watch {
    struct ox_stop *stop_at_once;
    uint64_t last;
    uint64_t total;
};

static void watch_update(void *ctx, uint64_t done, uint64_t total)
{
    struct watch *watch = ctx;

    assert_true(done > watch->last && done <= total);
    watch->last = done;
    watch->total = total;
    if (watch->stop_at_once != NULL) {
        ox_stop_request(watch->stop_at_once);
    }
}

static void stop__in_the_middle_is_canceled(void **state)
{
    struct artifact *base = artifact_single(noise(1, 6 << 20));
    struct artifact *target = artifact_single(noise(2, 6 << 20));
    struct ox_stop stop;
    struct watch watch = {NULL, 0, 0};
    struct ox_progress progress = {&watch, watch_update};
    struct ox_delta_options options = {
        .engine = OX_ENGINE_BINARY, .threads = 2, .stop = &stop, .progress = &progress};
    struct memory_output patch = {OX_BUF_INIT, 0};
    struct ox_output output = memory_output(&patch);

    (void)state;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    assert_int_equal(ox_delta_create(&base->side, &target->side, &options, &output, NULL, NULL),
                     OX_OK);
    assert_int_equal(watch.last, (uint64_t)6 << 20);
    assert_int_equal(watch.total, (uint64_t)6 << 20);
    ox_buf_clear(&patch.bytes);
    watch = (struct watch){&stop, 0, 0};
    assert_int_equal(ox_delta_create(&base->side, &target->side, &options, &output, NULL, NULL),
                     OX_ECANCELED);
    assert_true(patch.bytes.len_bytes < (uint64_t)6 << 20);
    ox_buf_clear(&patch.bytes);
    assert_int_equal(ox_delta_create(&base->side, &target->side, &options, &output, NULL, NULL),
                     OX_ECANCELED);
    ox_stop_clear(&stop);
    ox_buf_clear(&patch.bytes);
    artifact_free(base);
    artifact_free(target);
}

/* The header of a patch from `base` to `target`. The caller clears it. */
static struct ox_oxdl_header header_of(const struct artifact *base, const struct artifact *target,
                                       enum ox_delta_target kind)
{
    const struct ox_delta_options options = {.threads = 1, .target_is = kind};
    struct memory_output patch = {OX_BUF_INIT, 0};
    struct ox_output output = memory_output(&patch);
    struct ox_oxdl_header header = {0};
    struct ox_memory memory;
    struct ox_source source;

    assert_int_equal(ox_delta_create(&base->side, &target->side, &options, &output, NULL, NULL),
                     OX_OK);
    memory = (struct ox_memory){patch.bytes.data, patch.bytes.len_bytes};
    source = ox_memory_source(&memory);
    assert_int_equal(ox_oxdl_read_header(&source, &header, NULL), OX_OK);
    ox_buf_clear(&patch.bytes);
    return header;
}

static void tables__tell_a_folder_of_one_file_from_a_file(void **state)
{
    struct artifact *lone = artifact_single(noise(1, 1000));
    struct artifact *other = artifact_single(noise(2, 1000));
    struct artifact several = {0};
    static const struct {
        enum ox_delta_target kind;
        bool from_several;
        const char *path; /* NULL: no table */
        bool is_folder;
    } rows[] = {
        {OX_TARGET_ANY, false, NULL, false},
        {OX_TARGET_FILE, false, NULL, false},
        {OX_TARGET_FOLDER, false, "LONE", true},
        {OX_TARGET_ANY, true, "LONE", true},
        {OX_TARGET_FILE, true, OX_OXDL_LONE_PATH, false},
        {OX_TARGET_FOLDER, true, "LONE", true},
    };

    (void)state;
    artifact_add(&several, "a", noise(3, 10), false);
    artifact_add(&several, "b", noise(4, 10), false);
    artifact_finish(&several);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *path = rows[i].path == NULL                ? NULL
                           : strcmp(rows[i].path, "LONE") == 0 ? lone->manifest.files[0].path
                                                               : rows[i].path;
        struct ox_oxdl_header header =
            header_of(rows[i].from_several ? &several : other, lone, rows[i].kind);

        assert_int_equal(header.target.files.count, path == NULL ? 0 : 1);
        if (path != NULL) {
            assert_string_equal(header.target.files.files[0].path, path);
        }
        assert_int_equal(ox_oxdl_target_is_folder(&header), rows[i].is_folder);
        ox_oxdl_header_clear(&header);
    }
    artifact_clear(&several);
    artifact_free(lone);
    artifact_free(other);
}

static void engine_words__go_there_and_back(void **state)
{
    enum ox_delta_engine engine = OX_ENGINE_TENSOR;

    (void)state;
    for (unsigned i = OX_ENGINE_AUTO; i <= OX_ENGINE_BINARY; i++) {
        assert_int_equal(
            ox_delta_engine_parse(ox_delta_engine_word((enum ox_delta_engine)i), &engine, NULL),
            OX_OK);
        assert_int_equal(engine, i);
    }
    assert_int_equal(ox_delta_engine_parse("Auto", &engine, NULL), OX_EINVAL);
    assert_int_equal(ox_delta_engine_parse("", &engine, NULL), OX_EINVAL);
}

static struct ox_delta_stats stats_of(struct artifact *base, struct artifact *target)
{
    struct ox_delta_options options = {.threads = 1};
    struct memory_output patch = {OX_BUF_INIT, 0};
    struct ox_output output = memory_output(&patch);
    struct memory_sink sink = {.writes = 0};
    struct ox_delta_stats stats = {.frames = 0};

    assert_int_equal(ox_delta_create(&base->side, &target->side, &options, &output, &stats, NULL),
                     OX_OK);
    assert_int_equal(apply_patch(base, patch.bytes.data, patch.bytes.len_bytes, 0, &sink, NULL),
                     OX_OK);
    assert_memory_equal(sink.bytes.data, target->bytes[0].data, target->bytes[0].len_bytes);
    ox_buf_clear(&sink.bytes);
    ox_buf_clear(&patch.bytes);
    artifact_free(base);
    artifact_free(target);
    return stats;
}

/* All tensors are renamed and all their numbers change: the header is edits all the same. */
static void header__before_numbers_is_edits(void **state)
{
    enum { TENSORS = 30, NUMBERS = 1000 };
    struct tensors old = {OX_BUF_INIT, OX_BUF_INIT};
    struct tensors new = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_delta_stats stats;

    (void)state;
    for (unsigned i = 0; i < TENSORS; i++) {
        struct ox_buf w = weights(i, NUMBERS, "F32");
        char name[32];

        (void)snprintf(name, sizeof(name), "net.layers.%u.weight", i);
        tensors_add(&new, name, "F32", NUMBERS, 0, fine_tuned(&w, 99, "F32"));
        tensors_add(&old, name + 4, "F32", NUMBERS, 0, w);
    }
    stats = stats_of(artifact_single(tensors_file(&old)), artifact_single(tensors_file(&new)));
    assert_in_range(stats.target_bytes[OX_OXDL_EDIT], TENSORS * 40, TENSORS * 160);
    assert_in_range(stats.patch_bytes[OX_OXDL_EDIT], 1, TENSORS * 10);
    assert_in_range(stats.target_bytes[OX_OXDL_NUMBERS], TENSORS * NUMBERS * 4,
                    TENSORS * NUMBERS * 4 + 64);
}

/* A base too large for one frame: what was pasted over is found all over it, and told in bytes. */
static void pastes__are_found_in_all_of_a_large_base(void **state)
{
    enum { BYTES = 6 << 20, PASTES = 100, EVERY = BYTES / PASTES };
    struct ox_buf base = noise(1, BYTES);
    struct ox_buf target = bytes_of(base.data, base.len_bytes);
    struct ox_delta_stats stats;
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 2);
    for (size_t i = 0; i < PASTES; i++) {
        memcpy(target.data + i * EVERY + ox_rng_below(&rng, EVERY - 500),
               base.data + ox_rng_below(&rng, BYTES - 500), 100 + ox_rng_below(&rng, 400));
    }
    stats = stats_of(artifact_single(base), artifact_single(target));
    assert_in_range(stats.patch_total_bytes, 500, 20 * PASTES);
}

/* Both are taken over. The size of the patch, which rebuilds the target. */
static size_t assert_rebuilds(struct artifact *base, struct artifact *target,
                              const struct ox_delta_options *options)
{
    struct memory_output made = {.room_bytes = 0};
    struct ox_output out = memory_output(&made);
    struct memory_sink sink = {.writes = 0};
    struct ox_delta_stats stats;
    struct ox_err err = OX_ERR_INIT;
    size_t size;

    if (ox_delta_create(&base->side, &target->side, options, &out, &stats, &err) != OX_OK ||
        apply_patch(base, made.bytes.data, made.bytes.len_bytes, 0, &sink, &err) != OX_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(sink.bytes.len_bytes, target->bytes[0].len_bytes);
    assert_memory_equal(sink.bytes.data, target->bytes[0].data, sink.bytes.len_bytes);
    size = made.bytes.len_bytes;
    ox_buf_clear(&made.bytes);
    ox_buf_clear(&sink.bytes);
    artifact_free(base);
    artifact_free(target);
    return size;
}

/* What was moved is found, and the noise between is not sent through the coder of edits, which
 * could only pass it on: neither at the default effort nor at the highest. Both by the hundred
 * bytes and by tens of thousands; more of the one, and more of the other. */
static void noise__between_moved_pieces_is_left_to_zstd(void **state)
{
    static const size_t pieces[] = {700, 20000};

    (void)state;
    for (size_t row = 0; row < 8; row++) {
        struct ox_delta_options options = {.threads = 1, .effort = row < 4 ? 0 : 9};
        size_t piece = pieces[row % 2];
        size_t between = row % 4 < 2 ? piece * 3 / 2 : piece / 2;
        struct ox_buf base = noise(1, 1500000);
        struct ox_buf target = OX_BUF_INIT;
        size_t count = base.len_bytes / piece;
        size_t fresh = 0;
        struct artifact *sides[2];
        struct memory_output made = {.room_bytes = 0};
        struct ox_output out = memory_output(&made);
        struct memory_sink sink = {.writes = 0};
        struct ox_delta_stats stats;

        for (size_t i = 0; i < count; i++) {
            struct ox_buf new = noise(i + 2, between);

            put(&target, base.data + i * 7 % count * piece,
                piece); /* 7 and the counts are coprime */
            put_buf(&target, &new);
            fresh += new.len_bytes;
            ox_buf_clear(&new);
        }
        sides[0] = artifact_single(base);
        sides[1] = artifact_single(target);
        assert_int_equal(
            ox_delta_create(&sides[0]->side, &sides[1]->side, &options, &out, &stats, NULL), OX_OK);
        assert_int_equal(
            apply_patch(sides[0], made.bytes.data, made.bytes.len_bytes, 0, &sink, NULL), OX_OK);
        assert_memory_equal(sink.bytes.data, sides[1]->bytes[0].data, sink.bytes.len_bytes);
        assert_int_equal(stats.target_bytes[OX_OXDL_EDIT], 0);
        assert_int_equal(stats.target_bytes[OX_OXDL_NUMBERS], 0);
        assert_in_range(stats.patch_total_bytes, fresh, fresh + 1000 + count * 12);
        ox_buf_clear(&made.bytes);
        ox_buf_clear(&sink.bytes);
        artifact_free(sides[0]);
        artifact_free(sides[1]);
    }
}

/* Planes of random bytes would be longer than these: no frame may hold them. */
static void random_wide_integers__are_sent_as_they_are(void **state)
{
    const struct ox_delta_options options = {.threads = 1};
    struct tensors old = {OX_BUF_INIT, OX_BUF_INIT};
    struct tensors new = {OX_BUF_INIT, OX_BUF_INIT};
    const size_t count = (size_t)5 << 17; /* 5 MiB */
    size_t size;

    (void)state;
    tensors_add(&old, "w", "I64", count, 0, noise(1, 8 * count));
    tensors_add(&new, "w", "I64", count, 0, noise(2, 8 * count));
    size = assert_rebuilds(artifact_single(tensors_file(&old)), artifact_single(tensors_file(&new)),
                           &options);
    assert_in_range(size, 8 * count, 8 * count + 1000);
}

/* Rows are half as long, and twice as many: beyond the base's there is nothing to predict from. */
static void rows__of_a_smaller_base_are_not_read_behind_it(void **state)
{
    const struct ox_delta_options options = {.threads = 1};
    struct tensors old = {OX_BUF_INIT, OX_BUF_INIT};
    struct tensors new = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_buf base = weights(1, 32 * 2048, "F32");
    struct ox_buf target = weights(2, 64 * 1024, "F32");

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        memcpy(target.data + i * 4096, base.data + i * 8192, 4096);
    }
    tensors_add(&old, "w", "F32", 32, 2048, base);
    tensors_add(&new, "w", "F32", 64, 1024, target);
    (void)assert_rebuilds(artifact_single(tensors_file(&old)), artifact_single(tensors_file(&new)),
                          &options);
}

/* f32 of 100 rows x 64 columns, as bf16 of `rows` x `columns`: what is new is fresh. */
static size_t cast_and_grow(size_t rows, size_t columns)
{
    enum { OLD_ROWS = 100, OLD_COLUMNS = 64 };
    const struct ox_delta_options options = {.threads = 1};
    struct tensors old = {OX_BUF_INIT, OX_BUF_INIT};
    struct tensors new = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_buf base = weights(1, OLD_ROWS * OLD_COLUMNS, "F32");
    struct ox_buf target = weights(2, rows * columns, "BF16");

    for (size_t i = 0; i < rows * columns; i++) {
        if (i / columns < OLD_ROWS && i % columns < OLD_COLUMNS) {
            cast_numbers(NUMBER_F32, NUMBER_BF16, false,
                         base.data + 4 * (i / columns * OLD_COLUMNS + i % columns), 1,
                         target.data + 2 * i);
        }
    }
    tensors_add(&old, "w", "F32", OLD_ROWS, OLD_COLUMNS, base);
    tensors_add(&new, "w", "BF16", rows, columns, target);
    return assert_rebuilds(artifact_single(tensors_file(&old)), artifact_single(tensors_file(&new)),
                           &options);
}

/* The base is one tensor: behind it there is nothing. */
static void cast_and_grown__costs_what_is_new(void **state)
{
    static const struct {
        size_t rows, columns, fresh;
    } cases[] = {{100, 64, 0}, {100, 70, 600}, {104, 64, 256}, {104, 70, 880},
                 {90, 50, 0},  {90, 70, 540},  {104, 60, 240}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t size = cast_and_grow(cases[i].rows, cases[i].columns);

        assert_in_range(size, 2 * cases[i].fresh / 2, 2 * cases[i].fresh + 500);
    }
}

/* New bytes where the base ends, in a row that goes on behind it. */
static void new_bytes__at_the_end_of_a_large_base_are_looked_up_within_it(void **state)
{
    const struct ox_delta_options options = {
        .threads = 1, .effort = 1, .memory_bytes = (uint64_t)64 << 20};
    const size_t base_bytes = (size_t)64 << 20;
    const size_t kept = base_bytes + 100 * 1024 - 4096 - (size_t)18 * 256 * 1024;
    struct ox_buf base = noise(3, base_bytes);
    struct ox_buf target = bytes_of(base.data, kept);
    struct ox_buf more = noise(4, (size_t)6 << 20);
    size_t size;

    (void)state;
    put_buf(&target, &more);
    size = assert_rebuilds(artifact_single(base), artifact_single(target), &options);
    assert_in_range(size, more.len_bytes, more.len_bytes + 2000);
    ox_buf_clear(&more);
}

/* A model whose head is its embedding once more, with something between them. */
static struct artifact *tied(const struct ox_buf *numbers, size_t rows)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};

    tensors_add(&model, "embedding", "F32", rows, 1024,
                bytes_of(numbers->data, numbers->len_bytes));
    tensors_add(&model, "bias", "F32", 1000, 0, weights(9, 1000, "F32"));
    tensors_add(&model, "head", "F32", rows, 1024, bytes_of(numbers->data, numbers->len_bytes));
    return artifact_single(tensors_file(&model));
}

static void tensors__that_stand_twice_are_sent_once(void **state)
{
    const size_t rows = 1300; /* 5.2 MB: longer than a frame */
    struct ox_buf old = weights(1, rows * 1024, "F32");
    struct ox_buf new = fine_tuned(&old, 2, "F32");

    (void)state;
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        struct ox_delta_options options = {.threads = threads};
        struct ox_delta_options no_copies = {.threads = threads,
                                             .ops = OX_OXDL_OPS_KNOWN & ~BIT(OX_OXDL_COPY)};
        size_t once = assert_rebuilds(tied(&old, rows), tied(&new, rows), &options);
        size_t twice = assert_rebuilds(tied(&old, rows), tied(&new, rows), &no_copies);
        size_t fresh = assert_rebuilds(artifact_copy("", 0), tied(&new, rows), &options);

        assert_in_range(once, twice / 2 - 2000, twice / 2 + 2000);
        assert_true(fresh < new.len_bytes + 10000);
    }
    ox_buf_clear(&old);
    ox_buf_clear(&new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops__restrict_header_and_frames),
        cmocka_unit_test(ops__without_end_or_raw_are_refused),
        cmocka_unit_test(full_disk__is_reported_and_leaves_no_thread),
        cmocka_unit_test(failing_reads__are_reported_wherever_they_come),
        cmocka_unit_test(stop__in_the_middle_is_canceled),
        cmocka_unit_test(tables__tell_a_folder_of_one_file_from_a_file),
        cmocka_unit_test(engine_words__go_there_and_back),
        cmocka_unit_test(header__before_numbers_is_edits),
        cmocka_unit_test(pastes__are_found_in_all_of_a_large_base),
        cmocka_unit_test(noise__between_moved_pieces_is_left_to_zstd),
        cmocka_unit_test(random_wide_integers__are_sent_as_they_are),
        cmocka_unit_test(rows__of_a_smaller_base_are_not_read_behind_it),
        cmocka_unit_test(cast_and_grown__costs_what_is_new),
        cmocka_unit_test(new_bytes__at_the_end_of_a_large_base_are_looked_up_within_it),
        cmocka_unit_test(tensors__that_stand_twice_are_sent_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

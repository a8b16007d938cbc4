#include "helpers.h"

#include "oxide/crypto/sha256.h"
#include "oxide/crypto/xxh64.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* --- golden ---*/

static size_t each_golden(const char *folder, void (*test)(const char *path, const char *name))
{
    char path[4096];
    struct dirent *entry;
    size_t count = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "%s/golden/%s", OX_TESTS_DIR, folder);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (strstr(entry->d_name, ".oxdl") != NULL) {
            (void)snprintf(path, sizeof(path), "%s/golden/%s/%s", OX_TESTS_DIR, folder,
                           entry->d_name);
            test(path, entry->d_name);
            count++;
        }
    }
    (void)closedir(dir);
    return count;
}

static struct ox_buf neighbour(const char *path, const char *suffix)
{
    char other[4096];

    (void)snprintf(other, sizeof(other), "%.*s%s", (int)(strrchr(path, '.') - path), path, suffix);
    return file_bytes(other);
}

/* The base of a golden patch: cut into files as the patch's own table says, where it has one. */
static struct artifact *golden_base(const struct ox_buf *patch, struct ox_buf flat)
{
    struct ox_memory memory = {patch->data, patch->len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_oxdl_header header = {0};
    struct artifact *artifact = calloc(1, sizeof(*artifact));
    size_t at = 0;

    assert_non_null(artifact);
    assert_int_equal(ox_oxdl_read_header(&source, &header, NULL), OX_OK);
    for (size_t i = 0; i < header.base.files.count; i++) {
        const struct ox_manifest_file *file = &header.base.files.files[i];

        artifact_add(artifact, file->path, bytes_of(flat.data + at, (size_t)file->size_bytes),
                     file->executable);
        at += (size_t)file->size_bytes;
    }
    if (header.base.files.count == 0) {
        artifact_add(artifact, "model.bin", bytes_of(flat.data, flat.len_bytes), false);
    }
    ox_oxdl_header_clear(&header);
    ox_buf_clear(&flat);
    artifact_finish(artifact);
    return artifact;
}

static void rebuilds(const char *path, const char *name)
{
    struct ox_buf patch = file_bytes(path);
    struct artifact *base = golden_base(&patch, neighbour(path, ".base"));
    struct ox_buf want = neighbour(path, ".target");

    for (size_t piece = 0; piece < 8; piece++) {
        struct memory_sink sink = {.writes = 0};
        struct ox_err err = OX_ERR_INIT;

        if (apply_patch(base, patch.data, patch.len_bytes, piece, &sink, &err) != OX_OK) {
            fail_msg("%s: %s", name, err.msg);
        }
        assert_int_equal(sink.bytes.len_bytes, want.len_bytes);
        if (want.len_bytes > 0) {
            assert_memory_equal(sink.bytes.data, want.data, want.len_bytes);
        }
        ox_buf_clear(&sink.bytes);
    }
    ox_buf_clear(&want);
    ox_buf_clear(&patch);
    artifact_free(base);
}

/* Bytes until the mark moves past `mark`, or the end. */
static size_t feed_past(struct ox_apply *apply, const struct ox_buf *patch, size_t at,
                        struct ox_oxdl_mark *mark)
{
    uint64_t before = mark->patch_bytes;

    while (at < patch->len_bytes && mark->patch_bytes <= before) {
        assert_int_equal(ox_apply_feed(apply, patch->data + at++, 1, NULL), OX_OK);
        ox_apply_mark(apply, mark);
    }
    return at;
}

/* Broken off behind each frame and taken up in another process, so to say. */
static void goes_on(const char *path, const char *name)
{
    struct ox_buf patch = file_bytes(path);
    struct artifact *base = golden_base(&patch, neighbour(path, ".base"));
    struct ox_buf want = neighbour(path, ".target");
    struct memory_sink sink = {.writes = 0};
    struct ox_sink to = memory_sink(&sink);
    const struct ox_apply_spec spec = {.base = &base->side, .sink = &to};
    struct ox_oxdl_mark mark = {0, 0, 0};
    struct ox_err err = OX_ERR_INIT;
    struct ox_apply *apply = NULL;
    size_t header_bytes;
    size_t at;

    assert_int_equal(ox_apply_new(&apply, &spec, NULL), OX_OK);
    assert_int_equal(ox_apply_header_bytes(apply), 0);
    at = header_bytes = feed_past(apply, &patch, 0, &mark);
    assert_int_equal(ox_apply_header_bytes(apply), header_bytes);
    while (mark.patch_bytes < patch.len_bytes) {
        ox_apply_free(apply);
        apply = NULL;
        assert_int_equal(ox_apply_new(&apply, &spec, NULL), OX_OK);
        assert_int_equal(ox_apply_feed(apply, patch.data, header_bytes, NULL), OX_OK);
        if (ox_apply_resume(apply, &mark, &err) != OX_OK) {
            fail_msg("%s at %zu: %s", name, at, err.msg);
        }
        at = feed_past(apply, &patch, (size_t)mark.patch_bytes, &mark);
        assert_int_equal(at, mark.patch_bytes);
    }
    assert_int_equal(ox_apply_finish(apply, NULL), OX_OK);
    assert_int_equal(sink.bytes.len_bytes, want.len_bytes);
    if (want.len_bytes > 0) {
        assert_memory_equal(sink.bytes.data, want.data, want.len_bytes);
    }
    ox_apply_free(apply);
    ox_buf_clear(&sink.bytes);
    ox_buf_clear(&want);
    ox_buf_clear(&patch);
    artifact_free(base);
}

static void good__goes_on_behind_any_frame(void **state)
{
    (void)state;
    assert_true(each_golden("oxdl/good", goes_on) >= 34);
}

static void resume__refuses_what_is_no_mark(void **state)
{
    static const struct ox_oxdl_mark marks[] = {
        {3, 0, 0}, {1000, UINT64_MAX, 1}, {1000, 1, 2}, {UINT64_MAX, 0, UINT64_MAX}};
    struct artifact *base = artifact_single(bytes_of("hello\n", 6));
    struct artifact *target = artifact_single(bytes_of("hello world\n", 12));
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_AUTO, 1, NULL);
    struct memory_sink sink = {.writes = 0};
    struct ox_sink to = memory_sink(&sink);
    const struct ox_apply_spec spec = {.base = &base->side, .sink = &to};

    (void)state;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        struct ox_oxdl_mark mark = {0, 0, 0};
        struct ox_apply *apply = NULL;

        assert_int_equal(ox_apply_new(&apply, &spec, NULL), OX_OK);
        assert_int_equal(ox_apply_resume(apply, &mark, NULL), OX_ECORRUPT);
        (void)feed_past(apply, &patch, 0, &mark);
        assert_int_equal(ox_apply_resume(apply, &marks[i], NULL), OX_ECORRUPT);
        ox_apply_free(apply);
    }
    ox_buf_clear(&sink.bytes);
    ox_buf_clear(&patch);
    artifact_free(target);
    artifact_free(base);
}

static void resume__finds_what_another_hand_changed(void **state)
{
    struct artifact *base = artifact_single(bytes_of("hello\n", 6));
    struct artifact *target = artifact_single(bytes_of("hello world\n", 12));
    struct ox_buf patch = make_patch(base, target, OX_ENGINE_AUTO, 1, NULL);
    struct memory_sink sink = {.writes = 0};
    struct ox_sink to = memory_sink(&sink);
    const struct ox_apply_spec spec = {.base = &base->side, .sink = &to};
    struct ox_oxdl_mark mark = {0, 0, 0};
    struct ox_apply *apply = NULL;
    size_t header_bytes;

    (void)state;
    assert_int_equal(ox_apply_new(&apply, &spec, NULL), OX_OK);
    header_bytes = feed_past(apply, &patch, 0, &mark);
    (void)feed_past(apply, &patch, header_bytes, &mark);
    ox_apply_free(apply);
    assert_int_equal(mark.target_bytes, 12);
    sink.bytes.data[3] ^= 1;
    assert_int_equal(ox_apply_new(&apply, &spec, NULL), OX_OK);
    assert_int_equal(ox_apply_feed(apply, patch.data, header_bytes, NULL), OX_OK);
    assert_int_equal(ox_apply_resume(apply, &mark, NULL), OX_EDIGEST);
    ox_apply_free(apply);
    ox_buf_clear(&sink.bytes);
    ox_buf_clear(&patch);
    artifact_free(target);
    artifact_free(base);
}

static void good__rebuilds_what_the_stranger_meant(void **state)
{
    (void)state;
    assert_true(each_golden("oxdl/good", rebuilds) >= 34);
    assert_true(each_golden("oxdl1/good", rebuilds) >= 3);
}

static void refused_against(const char *base_path, const char *path, const char *name)
{
    struct ox_buf patch = file_bytes(path);
    struct artifact *base = artifact_single(file_bytes(base_path));

    for (size_t piece = 0; piece < 4; piece++) {
        struct memory_sink sink = {.writes = 0};
        struct ox_err err = OX_ERR_INIT;
        enum ox_code code = apply_patch(base, patch.data, patch.len_bytes, piece, &sink, &err);
        const char *word = ox_code_word(code);
        size_t len = strlen(word);

        if (code == OX_OK || strncmp(name, word, len) != 0 || name[len] != '-' ||
            err.msg[0] == '\0') {
            fail_msg("%s in pieces of %zu: %s: %s", name, piece, word, err.msg);
        }
        if (code == OX_EBASE) {
            assert_int_equal(sink.writes, 0);
        }
        ox_buf_clear(&sink.bytes);
    }
    ox_buf_clear(&patch);
    artifact_free(base);
}

static void is_refused(const char *path, const char *name)
{
    refused_against(OX_TESTS_DIR "/golden/oxdl/bad/base", path, name);
}

static void is_refused_v1(const char *path, const char *name)
{
    refused_against(OX_TESTS_DIR "/golden/oxdl1/bad/base", path, name);
}

static void bad__is_refused_with_its_code(void **state)
{
    (void)state;
    assert_true(each_golden("oxdl/bad/rebuild", is_refused) >= 40);
    assert_true(each_golden("oxdl1/bad", is_refused_v1) >= 25);
}

/* What a reader refuses, an apply does too; with EBASE where the header already says so. */
static void is_not_ok(const char *path, const char *name)
{
    struct ox_buf patch = file_bytes(path);
    struct artifact *base = artifact_single(file_bytes(OX_TESTS_DIR "/golden/oxdl/bad/base"));
    struct memory_sink sink = {.writes = 0};

    if (apply_patch(base, patch.data, patch.len_bytes, 0, &sink, NULL) == OX_OK) {
        fail_msg("%s was taken", name);
    }
    ox_buf_clear(&sink.bytes);
    ox_buf_clear(&patch);
    artifact_free(base);
}

static void bad_to_read__is_bad_to_apply(void **state)
{
    (void)state;
    assert_true(each_golden("oxdl/bad/read", is_not_ok) >= 70);
}

/* --- damage ---*/

struct pair {
    struct artifact *base;
    struct artifact *target;
    struct ox_buf patch;
};

/* A small patch with frames that copy, of numbers, and of edits. */
static struct pair small_pair(void)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_buf numbers = weights(1, 500, "F32");
    struct ox_buf tuned = fine_tuned(&numbers, 2, "F32");
    struct pair pair;
    struct ox_delta_stats stats;
    struct ox_buf file;

    tensors_add(&model, "w", "F32", 500, 0, numbers);
    tensors_add(&model, "same", "U8", 40000, 0, noise(3, 40000));
    tensors_add(&model, "text", "U8", 300, 0, prose(4, 300));
    file = tensors_file(&model);
    pair.base = artifact_single(file);
    tensors_add(&model, "w", "F32", 500, 0, tuned);
    tensors_add(&model, "same", "U8", 40000, 0, noise(3, 40000));
    tensors_add(&model, "other", "U8", 310, 0, prose(5, 310));
    pair.target = artifact_single(tensors_file(&model));
    pair.patch = make_patch(pair.base, pair.target, OX_ENGINE_TENSOR, 1, &stats);
    assert_true(stats.frames >= 3 && stats.engine == OX_ENGINE_TENSOR);
    assert_true(stats.target_bytes[OX_OXDL_COPY] >= 32768 && stats.target_bytes[OX_OXDL_EDIT] > 0);
    return pair;
}

static void pair_clear(struct pair *pair)
{
    artifact_free(pair->base);
    artifact_free(pair->target);
    ox_buf_clear(&pair->patch);
}

static void cut__at_every_byte_is_refused(void **state)
{
    struct pair pair = small_pair();

    (void)state;
    for (size_t len = 0; len < pair.patch.len_bytes; len++) {
        struct memory_sink sink = {.writes = 0};
        uint8_t *exact = malloc(len == 0 ? 1 : len);

        assert_non_null(exact);
        memcpy(exact, pair.patch.data, len);
        assert_int_equal(apply_patch(pair.base, exact, len, len % 3 * 5, &sink, NULL), OX_ECORRUPT);
        ox_buf_clear(&sink.bytes);
        free(exact);
    }
    pair_clear(&pair);
}

static void flips__at_every_byte_never_give_other_bytes(void **state)
{
    struct pair pair = small_pair();
    const struct ox_buf *want = &pair.target->bytes[0];

    (void)state;
    for (size_t i = 0; i < pair.patch.len_bytes; i++) {
        for (unsigned flip = 0; flip < 3; flip++) {
            struct memory_sink sink = {.writes = 0};
            uint8_t mask = (uint8_t)(flip == 2 ? 0xffu : 1u << (i + flip * 4) % 8);

            pair.patch.data[i] ^= mask;
            if (apply_patch(pair.base, pair.patch.data, pair.patch.len_bytes, 0, &sink, NULL) ==
                OX_OK) {
                assert_int_equal(sink.bytes.len_bytes, want->len_bytes);
                assert_memory_equal(sink.bytes.data, want->data, want->len_bytes);
            } else if (sink.bytes.len_bytes > 0) { /* what was written is right all the same */
                assert_true(sink.bytes.len_bytes <= want->len_bytes);
                assert_memory_equal(sink.bytes.data, want->data, sink.bytes.len_bytes);
            }
            pair.patch.data[i] ^= mask;
            ox_buf_clear(&sink.bytes);
        }
    }
    pair_clear(&pair);
}

static void damaged_base__is_noticed_before_the_write(void **state)
{
    struct pair pair = small_pair();
    struct memory_sink sink = {.writes = 0};
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    pair.base->bytes[0].data[20000] ^= 1; /* behind the back of who hashed it */
    assert_int_equal(apply_patch(pair.base, pair.patch.data, pair.patch.len_bytes, 0, &sink, &err),
                     OX_ECORRUPT);
    assert_memory_equal(sink.bytes.data, pair.target->bytes[0].data, sink.bytes.len_bytes);
    ox_buf_clear(&sink.bytes);
    pair_clear(&pair);
}

static void wrong_base__is_refused_before_the_sink_is_touched(void **state)
{
    struct pair pair = small_pair();
    struct memory_sink sink = {.writes = 0};
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    assert_int_equal(
        apply_patch(pair.target, pair.patch.data, pair.patch.len_bytes, 0, &sink, &err), OX_EBASE);
    assert_int_equal(sink.writes, 0);
    assert_non_null(strstr(err.msg, "another base"));
    pair_clear(&pair);
}

static void error__ends_the_apply(void **state)
{
    struct pair pair = small_pair();
    struct memory_sink sink = {.room_bytes = 10000};
    struct ox_sink to = memory_sink(&sink);
    struct ox_apply_spec spec = {.base = &pair.base->side, .sink = &to};
    struct ox_apply *apply = NULL;
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    assert_int_equal(ox_apply_new(&apply, &spec, NULL), OX_OK);
    assert_null(ox_apply_header(apply));
    assert_int_equal(ox_apply_feed(apply, pair.patch.data, pair.patch.len_bytes, &err), OX_ENOSPC);
    assert_string_equal(err.msg, "no room for the target");
    assert_non_null(ox_apply_header(apply));
    sink.room_bytes = 0; /* room again, but the reader only refuses */
    assert_int_not_equal(ox_apply_feed(apply, pair.patch.data, 1, NULL), OX_OK);
    assert_int_not_equal(ox_apply_finish(apply, NULL), OX_OK);
    ox_apply_free(apply);
    ox_apply_free(NULL);
    ox_buf_clear(&sink.bytes);
    pair_clear(&pair);
}

/* --- checking ---*/

static enum ox_code check_against(const struct pair *pair, const struct ox_buf *known)
{
    struct ox_memory known_memory = {known->data, known->len_bytes};
    struct ox_source check = ox_memory_source(&known_memory);
    struct ox_memory memory = {pair->patch.data, pair->patch.len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_apply_spec spec = {.base = &pair->base->side, .check = &check};

    return ox_apply_source(&spec, &source, NULL);
}

static void check__catches_any_other_target(void **state)
{
    struct pair pair = small_pair();
    struct ox_buf known = bytes_of(pair.target->bytes[0].data, pair.target->bytes[0].len_bytes);

    (void)state;
    assert_int_equal(check_against(&pair, &known), OX_OK);
    for (size_t i = 0; i < known.len_bytes; i += known.len_bytes / 7) {
        known.data[i] ^= 0x10;
        assert_int_equal(check_against(&pair, &known), OX_EDIGEST);
        known.data[i] ^= 0x10;
    }
    known.len_bytes--;
    assert_int_equal(check_against(&pair, &known), OX_EDIGEST);
    ox_buf_clear(&known);
    pair_clear(&pair);
}

static void check__takes_ranges_of_the_target(void **state)
{
    struct pair pair = {.base = artifact_copy("abc", 3), .target = artifact_copy("xyxyxyxyz", 9)};
    struct ox_oxdl_header header = {
        .version = 2,
        .ops = OX_OXDL_OPS_KNOWN,
        .base = {.digest = pair.base->side.digest, .size_bytes = 3},
        .target = {.digest = pair.target->side.digest, .size_bytes = 9}};
    struct ox_oxdl_range twice[3] = {{true, 0, 2}, {true, 0, 2}, {true, 0, 2}};
    struct ox_oxdl_frame frames[3] = {
        {.op = OX_OXDL_RAW, .target_bytes = 2, .body = (const uint8_t *)"xy", .body_bytes = 2},
        {.op = OX_OXDL_COPY, .target_bytes = 6, .range_count = 3, .ranges = twice},
        {.op = OX_OXDL_RAW, .target_bytes = 1, .body = (const uint8_t *)"z", .body_bytes = 1},
    };
    struct memory_sink sink = {.writes = 0};
    uint64_t at = 0;

    (void)state;
    assert_int_equal(ox_buf_append(&pair.patch, "", 0, NULL), OX_OK);
    assert_int_equal(ox_oxdl_put_header(&pair.patch, &header, NULL), OX_OK);
    for (size_t i = 0; i < 3; i++) {
        frames[i].target_offset = at;
        frames[i].sum = ox_xxh64(&"xyxyxyxyz"[at], frames[i].target_bytes, at);
        at += frames[i].target_bytes;
        assert_int_equal(ox_oxdl_put_frame(&pair.patch, &frames[i], NULL), OX_OK);
    }
    assert_int_equal(ox_oxdl_put_end(&pair.patch, 3, NULL), OX_OK);
    assert_int_equal(apply_patch(pair.base, pair.patch.data, pair.patch.len_bytes, 1, &sink, NULL),
                     OX_OK);
    assert_memory_equal(sink.bytes.data, "xyxyxyxyz", 9);
    assert_int_equal(check_against(&pair, &pair.target->bytes[0]), OX_OK);
    ox_buf_clear(&sink.bytes);
    pair_clear(&pair);
}

/* A sink that cannot be read back: such ranges are refused, all else works. */
static void sink_without_read__refuses_ranges_of_the_target(void **state)
{
    struct pair pair = small_pair();
    struct memory_sink sink = {.writes = 0};
    struct ox_sink to = memory_sink(&sink);
    struct ox_apply_spec spec = {.base = &pair.base->side, .sink = &to};
    struct ox_memory memory = {pair.patch.data, pair.patch.len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    char path[4096];
    struct ox_buf copies;
    struct artifact *empty = artifact_copy("", 0);

    (void)state;
    to.read_at = NULL;
    assert_int_equal(ox_apply_source(&spec, &source, NULL), OX_OK);
    ox_buf_clear(&sink.bytes);
    (void)snprintf(path, sizeof(path), "%s/golden/oxdl/good/empty_base.oxdl", OX_TESTS_DIR);
    copies = file_bytes(path);
    memory = (struct ox_memory){copies.data, copies.len_bytes};
    source = ox_memory_source(&memory);
    spec.base = &empty->side;
    assert_int_equal(ox_apply_source(&spec, &source, NULL), OX_EUNSUPPORTED);
    ox_buf_clear(&copies);
    ox_buf_clear(&sink.bytes);
    artifact_free(empty);
    pair_clear(&pair);
}

/* --- stopping and watching ---*/

struct watch {
    struct ox_stop *stop_at_once;
    uint64_t last;
};

static void watch_update(void *ctx, uint64_t done, uint64_t total)
{
    struct watch *watch = ctx;

    assert_true(done > watch->last && done <= total);
    watch->last = done;
    if (watch->stop_at_once != NULL) {
        ox_stop_request(watch->stop_at_once);
    }
}

static void stop__in_the_middle_is_canceled(void **state)
{
    struct pair pair = small_pair();
    struct memory_sink sink = {.writes = 0};
    struct ox_sink to = memory_sink(&sink);
    struct ox_stop stop;
    struct watch watch = {NULL, 0};
    struct ox_progress progress = {&watch, watch_update};
    struct ox_apply_spec spec = {
        .base = &pair.base->side, .sink = &to, .stop = &stop, .progress = &progress};
    struct ox_memory memory = {pair.patch.data, pair.patch.len_bytes};
    struct ox_source source = ox_memory_source(&memory);

    (void)state;
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    assert_int_equal(ox_apply_source(&spec, &source, NULL), OX_OK);
    assert_int_equal(watch.last, pair.target->bytes[0].len_bytes);
    ox_buf_clear(&sink.bytes);
    sink.writes = 0;
    watch = (struct watch){&stop, 0};
    assert_int_equal(ox_apply_source(&spec, &source, NULL), OX_ECANCELED);
    assert_int_equal(sink.writes, 1);
    ox_stop_clear(&stop);
    ox_buf_clear(&sink.bytes);
    pair_clear(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good__rebuilds_what_the_stranger_meant),
        cmocka_unit_test(good__goes_on_behind_any_frame),
        cmocka_unit_test(resume__refuses_what_is_no_mark),
        cmocka_unit_test(resume__finds_what_another_hand_changed),
        cmocka_unit_test(bad__is_refused_with_its_code),
        cmocka_unit_test(bad_to_read__is_bad_to_apply),
        cmocka_unit_test(cut__at_every_byte_is_refused),
        cmocka_unit_test(flips__at_every_byte_never_give_other_bytes),
        cmocka_unit_test(damaged_base__is_noticed_before_the_write),
        cmocka_unit_test(wrong_base__is_refused_before_the_sink_is_touched),
        cmocka_unit_test(error__ends_the_apply),
        cmocka_unit_test(check__catches_any_other_target),
        cmocka_unit_test(check__takes_ranges_of_the_target),
        cmocka_unit_test(sink_without_read__refuses_ranges_of_the_target),
        cmocka_unit_test(stop__in_the_middle_is_canceled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Peak memory: a patch for a pair far larger than memory should be, made and applied through
 * sources that compute their bytes. Optimised builds take 2 GiB, others 256 MiB. Sanitizers keep
 * shadows of their own, so there is nothing to measure under them.
 */
#include "helpers.h"

#include "oxide/delta/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#ifdef __OPTIMIZE__
#define PAIR_BYTES ((uint64_t)2 << 30)
#else
#define PAIR_BYTES ((uint64_t)256 << 20)
#endif

#define APPLY_MAX_KIB (16 * 1024) /* 14.2 to 14.5 MiB were measured */
#define CREATE_MAX_KIB (256 * 1024)

/* --- the pair: noise that repeats nowhere at the same turn; the target has gained 1,000 bytes in
 * the middle, and three places of 100 KiB are other noise --- */

#define NOISE_BYTES ((size_t)1 << 20)
#define INSERTED_AT (PAIR_BYTES / 3)
#define INSERTED_BYTES 1000
#define CHANGED_BYTES ((uint64_t)100 << 10)

struct pair {
    struct ox_buf noise;
    struct ox_buf other;
};

static void copy_turned(const struct ox_buf *noise, uint64_t offset, uint8_t *out, size_t len)
{
    while (len > 0) {
        uint64_t block = offset / NOISE_BYTES;
        size_t in_block = (size_t)(offset % NOISE_BYTES);
        size_t from = (size_t)((in_block + block * 4099) % NOISE_BYTES);
        size_t take = NOISE_BYTES - (from > in_block ? from : in_block);

        take = take < len ? take : len;
        memcpy(out, noise->data + from, take);
        out += take;
        offset += take;
        len -= take;
    }
}

static enum ox_code base_read(void *ctx, uint64_t offset, void *out, size_t len, struct ox_err *err)
{
    const struct pair *pair = ctx;

    (void)err;
    copy_turned(&pair->noise, offset, out, len);
    return OX_OK;
}

/* One piece of the target: up to where its kind changes. */
static size_t target_piece(const struct pair *pair, uint64_t offset, uint8_t *out, size_t len)
{
    static const uint64_t changed_at[] = {PAIR_BYTES / 8, PAIR_BYTES / 2, PAIR_BYTES / 8 * 7};
    const struct ox_buf *from = &pair->noise;
    uint64_t base_offset = offset > INSERTED_AT ? offset - INSERTED_BYTES : offset;
    uint64_t end = UINT64_MAX;

    if (offset < INSERTED_AT) {
        end = INSERTED_AT;
    } else if (offset < INSERTED_AT + INSERTED_BYTES) {
        from = &pair->other;
        end = INSERTED_AT + INSERTED_BYTES;
    }
    for (size_t i = 0; i < sizeof(changed_at) / sizeof(changed_at[0]); i++) {
        if (offset < changed_at[i]) {
            end = end < changed_at[i] ? end : changed_at[i];
        } else if (offset < changed_at[i] + CHANGED_BYTES) {
            from = &pair->other;
            end = changed_at[i] + CHANGED_BYTES;
        }
    }
    len = end - offset < len ? (size_t)(end - offset) : len;
    copy_turned(from, base_offset, out, len);
    return len;
}

static enum ox_code target_read(void *ctx, uint64_t offset, void *out, size_t len,
                                struct ox_err *err)
{
    uint8_t *to = out;

    (void)err;
    while (len > 0) {
        size_t took = target_piece(ctx, offset, to, len);

        to += took;
        offset += took;
        len -= took;
    }
    return OX_OK;
}

/* --- measuring ---*/

struct job {
    struct pair *pair;
    struct ox_delta_side base;
    struct ox_delta_side target;
    int patch_fd;
    const struct capped *capped;
};

static void create(const void *arg)
{
    const struct job *job = arg;
    struct ox_delta_options options = {.threads = 2};
    struct ox_fd_io io = {job->patch_fd, "patch"};
    struct ox_output output = ox_fd_output(&io);
    struct ox_err err = OX_ERR_INIT;

    if (ox_delta_create(&job->base, &job->target, &options, &output, NULL, &err) != OX_OK) {
        fprintf(stderr, "create: %s\n", err.msg);
        _exit(1);
    }
}

/* The promised digest is made up: to hash the target once more would tell nothing about memory. */
static void apply(const void *arg)
{
    const struct job *job = arg;
    off_t size = lseek(job->patch_fd, 0, SEEK_END);
    struct ox_fd_io io = {job->patch_fd, "patch"};
    struct ox_source patch = ox_fd_source(&io, (uint64_t)size);
    struct ox_apply_spec spec = {.base = &job->base, .check = &job->target.files[0]};
    struct ox_err err = OX_ERR_INIT;

    if (ox_apply_source(&spec, &patch, &err) != OX_EDIGEST ||
        strstr(err.msg, "was rebuilt with SHA-256") == NULL) {
        fprintf(stderr, "apply: %s\n", err.msg);
        _exit(1);
    }
}

static void memory__stays_bounded_for_any_size(void **state)
{
    struct pair pair = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_source base_file = {&pair, PAIR_BYTES, base_read};
    struct ox_source target_file = {&pair, PAIR_BYTES + INSERTED_BYTES, target_read};
    struct ox_manifest_file base_entry = {(char *)"model.bin", PAIR_BYTES, {{1}}, false};
    struct ox_manifest_file target_entry = base_entry;
    struct ox_manifest base_manifest = {&base_entry, 1};
    struct ox_manifest target_manifest = {&target_entry, 1};
    FILE *patch;
    struct job job = {&pair,
                      {&base_manifest, &base_file, {{1}}},
                      {&target_manifest, &target_file, {{2}}},
                      -1,
                      NULL};
    long grown;

    (void)state;
    if (SANITIZED) {
        print_message("skipped: a sanitizer's own memory would be measured\n");
        skip();
    }
    pair.noise = noise(1, NOISE_BYTES);
    pair.other = noise(2, NOISE_BYTES);
    patch = tmpfile();
    target_entry.size_bytes += INSERTED_BYTES;
    assert_non_null(patch);
    job.patch_fd = fileno(patch);
    grown = growth_kib(create, &job);
    print_message("create: %ld KiB for a pair of %llu MiB\n", grown,
                  (unsigned long long)(PAIR_BYTES >> 20));
    assert_in_range(grown, 0, CREATE_MAX_KIB);
    assert_in_range(lseek(job.patch_fd, 0, SEEK_END), 3 * CHANGED_BYTES, 4 * CHANGED_BYTES);
    grown = growth_kib(apply, &job);
    print_message("apply: %ld KiB\n", grown);
    assert_in_range(grown, 0, APPLY_MAX_KIB);
    (void)fclose(patch);
    ox_buf_clear(&pair.noise);
    ox_buf_clear(&pair.other);
}

/* --- a cap, for pairs that take what they can get: bytes for zstd at its best, numbers for every
 * coder; --json explains the patch meanwhile --- */

#define PROCESS_KIB (8 * 1024) /* of the cap: what a process takes before it works */

struct capped {
    const struct artifact *base;
    const struct artifact *target;
    struct ox_delta_options options;
};

static enum ox_code feed_explain(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    return ox_explain_feed(ctx, bytes, len_bytes, err);
}

static void create_capped(const void *arg)
{
    const struct job *job = arg;
    const struct capped *capped = job->capped;
    struct ox_explain_spec spec = {&capped->base->side, &capped->target->side, NULL};
    const struct ox_explanation *told = NULL;
    struct ox_explain *explain = NULL;
    struct ox_output output = {NULL, feed_explain};
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code = ox_explain_new(&explain, &spec, &err);

    output.ctx = explain;
    if (code == OX_OK) {
        code = ox_delta_create(&capped->base->side, &capped->target->side, &capped->options,
                               &output, NULL, &err);
    }
    if (code == OX_OK) {
        code = ox_explain_finish(explain, &told, &err);
    }
    if (code != OX_OK) {
        fprintf(stderr, "create: %s\n", err.msg);
        _exit(1);
    }
    ox_explain_free(explain);
}

/* Every other run of 32 bytes is one of a thousand. */
static struct ox_buf phrases(uint64_t seed, size_t len)
{
    struct ox_buf out = noise(seed, len);
    struct ox_buf known = noise(99, 1000 * 32);
    struct ox_rng rng;

    ox_rng_init(&rng, seed);
    for (size_t at = 0; at + 64 <= len; at += 64) {
        memcpy(out.data + at, known.data + 32 * ox_rng_below(&rng, 1000), 32);
    }
    ox_buf_clear(&known);
    return out;
}

static struct artifact *numbers_side(bool is_target, bool cast)
{
    struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_buf w = weights(1, (size_t)1 << 20, "F32");

    if (is_target && cast) { /* the upper halves: what a cast that truncates gives */
        for (size_t i = 0; i < w.len_bytes / 4; i++) {
            memcpy(w.data + 2 * i, w.data + 4 * i + 2, 2);
        }
        w.len_bytes /= 2;
    }
    tensors_add(&model, "w", is_target && cast ? "BF16" : "F32", 512, 2048,
                is_target && !cast ? fine_tuned(&w, 2, "F32") : bytes_of(w.data, w.len_bytes));
    tensors_add(&model, "text", "U8", (size_t)1 << 20, 0, phrases(is_target ? 3 : 4, 1 << 20));
    ox_buf_clear(&w);
    return artifact_single(tensors_file(&model));
}

/* Of the slow efforts, only the least and the most memory. */
static void assert_below_cap(const char *what, unsigned effort, struct artifact *base,
                             struct artifact *target)
{
    static const unsigned caps_mib[] = {64, 128, 256};
    struct capped capped = {base, target, {.effort = effort, .threads = 8}};
    struct job job = {.capped = &capped, .patch_fd = -1};

    for (size_t i = 0; i < sizeof(caps_mib) / sizeof(caps_mib[0]); i++) {
        long cap_kib = (long)caps_mib[i] * 1024;
        long grown;

        if (effort > 3 && i == 1) {
            continue;
        }
        capped.options.memory_bytes = (uint64_t)caps_mib[i] << 20;
        grown = growth_kib(create_capped, &job);
        print_message("%s, effort %u, %u MiB: %ld KiB\n", what, effort, caps_mib[i], grown);
        assert_in_range(grown, 0, cap_kib - PROCESS_KIB);
    }
    artifact_free(base);
    artifact_free(target);
}

static void memory__of_create_stays_below_its_cap(void **state)
{
    (void)state;
    if (SANITIZED) {
        print_message("skipped: a sanitizer's own memory would be measured\n");
        skip();
    }
    assert_below_cap("bytes", 3, artifact_single(phrases(1, 9 << 19)),
                     artifact_single(phrases(2, 9 << 19)));
    assert_below_cap("few bytes", 3, artifact_single(phrases(3, 2 << 20)),
                     artifact_single(phrases(4, 2 << 20)));
    assert_below_cap("numbers", 9, numbers_side(false, false), numbers_side(true, false));
    assert_below_cap("cast numbers", 3, numbers_side(false, true), numbers_side(true, true));
}

/* --- version 1: it takes what its estimate says, for files of any size --- */

static enum ox_code forget(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    (void)ctx;
    (void)bytes;
    (void)len_bytes;
    (void)err;
    return OX_OK;
}

static void create_v1(const void *arg)
{
    const struct job *job = arg;
    struct ox_output output = {NULL, forget};
    struct ox_err err = OX_ERR_INIT;

    if (ox_delta_create_v1(&job->base, &job->target, &output, &err) != OX_OK) {
        fprintf(stderr, "create: %s\n", err.msg);
        _exit(1);
    }
}

/* Noise of two kinds: the patch is as large as the target. */
static void assert_v1_as_estimated(uint64_t base_bytes, uint64_t target_bytes)
{
    struct pair pairs[2] = {{noise(1, NOISE_BYTES), OX_BUF_INIT},
                            {noise(2, NOISE_BYTES), OX_BUF_INIT}};
    struct ox_source sources[2] = {{&pairs[0], base_bytes, base_read},
                                   {&pairs[1], target_bytes, base_read}};
    struct ox_manifest_file entries[2] = {{(char *)"model.bin", base_bytes, {{1}}, false},
                                          {(char *)"model.bin", target_bytes, {{2}}, false}};
    struct ox_manifest manifests[2] = {{&entries[0], 1}, {&entries[1], 1}};
    struct job job = {.base = {&manifests[0], &sources[0], {{1}}},
                      .target = {&manifests[1], &sources[1], {{2}}},
                      .patch_fd = -1};
    long most_kib = (long)(ox_delta_v1_memory(base_bytes, target_bytes) >> 10);
    long grown = growth_kib(create_v1, &job);

    print_message("version 1, %llu and %llu KiB: %ld KiB, of %ld\n",
                  (unsigned long long)base_bytes >> 10, (unsigned long long)target_bytes >> 10,
                  grown, most_kib);
    assert_in_range(grown, 0, most_kib - PROCESS_KIB);
    ox_buf_clear(&pairs[0].noise);
    ox_buf_clear(&pairs[1].noise);
}

static void memory__of_version_1_is_as_estimated(void **state)
{
    (void)state;
    if (SANITIZED) {
        print_message("skipped: a sanitizer's own memory would be measured\n");
        skip();
    }
    assert_v1_as_estimated(64 << 10, 64 << 10);
    assert_v1_as_estimated(1 << 20, 1 << 20);
    assert_v1_as_estimated(24 << 20, 24 << 20);
    assert_v1_as_estimated(0, 24 << 20);
    assert_v1_as_estimated(48 << 20, 1 << 20);
    assert_in_range(ox_delta_v1_memory(OX_OXDL1_SIZE_MAX, OX_OXDL1_SIZE_MAX), 3 * OX_OXDL1_SIZE_MAX,
                    4 * OX_OXDL1_SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory__stays_bounded_for_any_size),
        cmocka_unit_test(memory__of_create_stays_below_its_cap),
        cmocka_unit_test(memory__of_version_1_is_as_estimated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

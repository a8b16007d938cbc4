/* POOL patches made and applied. */
#include "helpers.h"

#include "oxide/delta/pool.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB ((size_t)1 << 20)

#ifdef __OPTIMIZE__
#define GAPS_BYTES (70 * MIB) /* more than one gap is held open for */
#else
#define GAPS_BYTES (10 * MIB) /* slow enough */
#endif

/* --- making and applying in memory --- */

static struct ox_source source_of(struct ox_memory *memory, const struct ox_buf *bytes)
{
    *memory = (struct ox_memory){bytes->data, bytes->len_bytes};
    return ox_memory_source(memory);
}

static struct ox_buf make(const struct ox_buf *base, const struct ox_buf *target,
                          struct ox_pool1_stats *stats)
{
    struct ox_memory memories[2];
    struct ox_source base_source = source_of(&memories[0], base);
    struct ox_source target_source = source_of(&memories[1], target);
    struct ox_pool1_options options = {NULL, NULL};
    struct memory_output patch = {OX_BUF_INIT, 0};
    struct ox_output output = memory_output(&patch);
    struct ox_err err = OX_ERR_INIT;

    if (ox_pool1_create(&base_source, &target_source, &options, &output, stats, &err) != OX_OK) {
        fail_msg("create: %s", err.msg);
    }
    return patch.bytes;
}

/* Apply a patch fed in pieces; `out` takes what was written, also before a failure. */
static enum ox_code apply(const struct ox_buf *base, const struct ox_buf *patch, size_t piece,
                          struct memory_output *out, struct ox_err *err)
{
    struct ox_memory memory;
    struct ox_source base_source = source_of(&memory, base);
    struct ox_output output = memory_output(out);
    struct ox_pool1_apply_spec spec = {.base = &base_source, .out = &output};
    struct ox_pool1_apply *run = NULL;
    enum ox_code code = ox_pool1_apply_new(&run, &spec, err);

    for (size_t at = 0; code == OX_OK && at < patch->len_bytes;) {
        size_t left = patch->len_bytes - at;
        size_t take = piece < left ? piece : left;

        code = ox_pool1_apply_feed(run, patch->data + at, take, err);
        at += take;
    }
    if (code == OX_OK) {
        code = ox_pool1_apply_finish(run, err);
    }
    ox_pool1_apply_free(run);
    return code;
}

static void assert_applies(const struct ox_buf *base, const struct ox_buf *target,
                           const struct ox_buf *patch)
{
    const size_t pieces[] = {65536, patch->len_bytes < 10000 ? 1 : 4099, SIZE_MAX};
    size_t count = target->len_bytes > MIB ? 1 : 3;

    for (size_t i = 0; i < count; i++) {
        struct memory_output out = {OX_BUF_INIT, 0};
        struct ox_err err = OX_ERR_INIT;

        if (apply(base, patch, pieces[i], &out, &err) != OX_OK) {
            fail_msg("in pieces of %zu: %s", pieces[i], err.msg);
        }
        assert_int_equal(out.bytes.len_bytes, target->len_bytes);
        if (target->len_bytes > 0) {
            assert_memory_equal(out.bytes.data, target->data, target->len_bytes);
        }
        ox_buf_clear(&out.bytes);
    }
}

/* The patch rebuilds the target, counts as its maker said, and is the same again. Returns it. */
static struct ox_pool1_stats round_trip(const struct ox_buf *base, const struct ox_buf *target)
{
    struct ox_pool1_stats stats;
    struct ox_pool1_stats found;
    struct ox_buf patch = make(base, target, &stats);
    struct ox_buf again = make(base, target, NULL);
    struct ox_memory memory;
    struct ox_source source = source_of(&memory, &patch);

    assert_applies(base, target, &patch);
    assert_int_equal(again.len_bytes, patch.len_bytes);
    assert_memory_equal(again.data, patch.data, patch.len_bytes);
    assert_int_equal(stats.patch_bytes, patch.len_bytes);
    assert_int_equal(stats.copy_bytes + stats.literal_bytes, target->len_bytes);
    assert_int_equal(OX_POOL1_HEADER_BYTES + stats.copies * OX_POOL1_COPY_BYTES +
                         stats.literals * OX_POOL1_LITERAL_BYTES + stats.literal_bytes,
                     patch.len_bytes);
    assert_int_equal(ox_pool1_inspect(&source, &found, NULL), OX_OK);
    assert_int_equal(found.copies, stats.copies);
    assert_int_equal(found.copy_bytes, stats.copy_bytes);
    assert_int_equal(found.literals, stats.literals);
    assert_int_equal(found.literal_bytes, stats.literal_bytes);
    assert_int_equal(found.patch_bytes, stats.patch_bytes);
    assert_int_equal(found.header.base_bytes, base->len_bytes);
    assert_int_equal(found.header.target_bytes, target->len_bytes);
    assert_true(ox_digest_equal(&found.header.target_blake3, &stats.header.target_blake3));
    ox_buf_clear(&again);
    ox_buf_clear(&patch);
    return stats;
}

/* Bytes [0, at) of a buffer, what is put in, and the bytes from `from` on. */
static struct ox_buf spliced(const struct ox_buf *bytes, size_t at, const void *in, size_t len,
                             size_t from)
{
    struct ox_buf out = bytes_of(bytes->data, at);

    put(&out, in, len);
    put(&out, bytes->data + from, bytes->len_bytes - from);
    return out;
}

/* --- golden --- */

static size_t each_golden(const char *folder, void (*test)(const char *path, const char *name))
{
    char path[4096];
    struct dirent *entry;
    size_t count = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "%s/golden/pool/%s", OX_TESTS_DIR, folder);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (strstr(entry->d_name, ".pool") != NULL) {
            (void)snprintf(path, sizeof(path), "%s/golden/pool/%s/%s", OX_TESTS_DIR, folder,
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

static void rebuilds(const char *path, const char *name)
{
    struct ox_buf patch = file_bytes(path);
    struct ox_buf base = neighbour(path, ".base");
    struct ox_buf target = neighbour(path, ".target");

    (void)name;
    assert_applies(&base, &target, &patch);
    ox_buf_clear(&target);
    ox_buf_clear(&base);
    ox_buf_clear(&patch);
}

static void good__rebuilds_what_the_stranger_meant(void **state)
{
    (void)state;
    assert_int_equal(each_golden("good", rebuilds), 8);
}

static void is_refused(const char *path, const char *name)
{
    struct ox_buf patch = file_bytes(path);
    struct ox_buf base = file_bytes(OX_TESTS_DIR "/golden/pool/bad/base");
    struct memory_output out = {OX_BUF_INIT, 0};
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code = apply(&base, &patch, 11, &out, &err);
    const char *word = ox_code_word(code);
    size_t len = strlen(word);

    if (code == OX_OK || strncmp(name, word, len) != 0 || name[len] != '-') {
        fail_msg("%s: %s: %s", name, word, err.msg);
    }
    ox_buf_clear(&out.bytes);
    ox_buf_clear(&base);
    ox_buf_clear(&patch);
}

static void bad__is_refused_with_its_code(void **state)
{
    (void)state;
    assert_int_equal(each_golden("bad/rebuild", is_refused), 6);
}

/* --- what patches cost --- */

static void same__is_one_copy(void **state)
{
    struct ox_buf base = noise(1, MIB);
    struct ox_pool1_stats stats = round_trip(&base, &base);

    (void)state;
    assert_int_equal(stats.copies, 1);
    assert_int_equal(stats.literals, 0);
    ox_buf_clear(&base);
}

static void empty__files_have_patches(void **state)
{
    struct ox_buf none = OX_BUF_INIT;
    struct ox_buf some = noise(1, 1000);
    struct ox_pool1_stats stats;

    (void)state;
    stats = round_trip(&none, &none);
    assert_int_equal(stats.patch_bytes, OX_POOL1_HEADER_BYTES);
    stats = round_trip(&some, &none);
    assert_int_equal(stats.patch_bytes, OX_POOL1_HEADER_BYTES);
    stats = round_trip(&none, &some);
    assert_int_equal(stats.patch_bytes, OX_POOL1_HEADER_BYTES + OX_POOL1_LITERAL_BYTES + 1000);
    ox_buf_clear(&some);
}

static void one_byte__costs_some_bytes(void **state)
{
    static const size_t places[] = {0,           1,       31,          33,           1000,
                                    MIB / 8 - 1, MIB / 8, MIB / 8 + 5, MIB / 4 - 34, MIB / 4 - 1};
    struct ox_buf base = noise(1, MIB / 4);

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct ox_buf target = bytes_of(base.data, base.len_bytes);
        struct ox_pool1_stats stats;

        target.data[places[i]] ^= 1;
        stats = round_trip(&base, &target);
        assert_in_range(stats.patch_bytes, OX_POOL1_HEADER_BYTES,
                        OX_POOL1_HEADER_BYTES + 2 * 26 + 32);
        ox_buf_clear(&target);
    }
    ox_buf_clear(&base);
}

static void insertions__cost_what_is_new(void **state)
{
    static const struct {
        size_t at, len;
    } cases[] = {{0, 1}, {0, 100000}, {12345, 1}, {200000, 777}, {400000, 1}};
    struct ox_buf base = noise(1, 400000);
    struct ox_buf other = noise(2, 100000);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ox_buf longer = spliced(&base, cases[i].at, other.data, cases[i].len, cases[i].at);
        struct ox_pool1_stats stats = round_trip(&base, &longer);

        assert_in_range(stats.literal_bytes, 1, cases[i].len);
        assert_in_range(stats.copies, 1, 2);
        stats = round_trip(&longer, &base); /* and back: nothing is new */
        assert_in_range(stats.literal_bytes, 0, 40);
        ox_buf_clear(&longer);
    }
    ox_buf_clear(&other);
    ox_buf_clear(&base);
}

/* Two long insertions: between them neither the old diagonal nor the tail's is right, and it is too
 * far to look nearby. Chunks find it. */
static void chunks__synchronise_again_between_insertions(void **state)
{
    enum { LONG = 100000 };
    struct ox_buf base = noise(1, 12 * MIB);
    struct ox_buf fresh = noise(2, 2 * LONG);
    struct ox_buf once = spliced(&base, 100, fresh.data, LONG, 100);
    struct ox_buf twice = spliced(&once, 10 * MIB, fresh.data + LONG, LONG, 10 * MIB);
    struct ox_pool1_stats stats = round_trip(&base, &twice);

    (void)state;
    assert_in_range(stats.literal_bytes, 2 * LONG - 4, 2 * LONG);
    assert_int_equal(stats.copies, 3);
    ox_buf_clear(&twice);
    ox_buf_clear(&once);
    ox_buf_clear(&fresh);
    ox_buf_clear(&base);
}

static void scattered_insertions_and_deletions__cost_what_is_new(void **state)
{
    struct ox_buf base = noise(1, MIB);
    struct ox_buf fresh = noise(2, 1000);
    struct ox_buf target = OX_BUF_INIT;
    struct ox_pool1_stats stats;
    size_t edits = 0;
    size_t new_bytes = 0;
    size_t at = 0;

    (void)state;
    for (size_t step = 300; at + 10000 < base.len_bytes; step = step * 3 % 4001 + 200, edits++) {
        size_t len = step % 777 + 1;

        put(&target, base.data + at, step);
        at += step;
        if (edits % 2 == 0) {
            put(&target, fresh.data, len);
            new_bytes += len;
        } else {
            at += len;
        }
    }
    put(&target, base.data + at, base.len_bytes - at);
    stats = round_trip(&base, &target);
    assert_true(edits > 200);
    /* Where two edits undo each other's shift, what is between them may be passed over. */
    assert_true(stats.literal_bytes <= new_bytes + new_bytes / 50);
    assert_in_range(stats.copies, edits - 10, edits + 1);
    ox_buf_clear(&target);
    ox_buf_clear(&fresh);
    ox_buf_clear(&base);
}

static void moved_blocks__are_found(void **state)
{
    struct ox_buf base = noise(1, 12 * MIB);
    struct ox_buf target = OX_BUF_INIT;
    struct ox_pool1_stats stats;

    (void)state;
    put(&target, base.data + 8 * MIB, 4 * MIB);
    put(&target, base.data, 4 * MIB);
    put(&target, base.data + 4 * MIB, 4 * MIB);
    stats = round_trip(&base, &target);
    assert_int_equal(stats.literal_bytes, 0);
    assert_int_equal(stats.copies, 2); /* the two behind are neighbours in the base, too */
    ox_buf_clear(&target);
    ox_buf_clear(&base);
}

static void scattered_changes__stay_on_the_diagonal(void **state)
{
    struct ox_buf base = noise(1, 2 * MIB);
    struct ox_buf target = bytes_of(base.data, base.len_bytes);
    struct ox_pool1_stats stats;
    size_t changes = 0;

    (void)state;
    for (size_t at = 500; at < target.len_bytes; at += 1000, changes++) {
        target.data[at] ^= 0x55;
    }
    stats = round_trip(&base, &target);
    assert_int_equal(stats.literal_bytes, changes);
    assert_int_equal(stats.copies, changes + 1);
    ox_buf_clear(&target);
    ox_buf_clear(&base);
}

/* Equal runs too short to pay, all over: sent whole. */
static void dense_changes__are_literals(void **state)
{
    struct ox_buf base = noise(1, MIB);
    struct ox_buf target = bytes_of(base.data, base.len_bytes);
    struct ox_pool1_stats stats;

    (void)state;
    for (size_t at = 0; at < target.len_bytes; at += 20) {
        target.data[at] ^= 0x55;
    }
    stats = round_trip(&base, &target);
    assert_int_equal(stats.copies, 0);
    assert_int_equal(stats.literals, 1);
    ox_buf_clear(&target);
    ox_buf_clear(&base);
}

static void unrelated__costs_hardly_more_than_the_target(void **state)
{
    struct ox_buf base = noise(1, 5 * MIB);
    struct ox_buf target = noise(2, GAPS_BYTES);
    struct ox_pool1_stats stats = round_trip(&base, &target);

    (void)state;
    assert_in_range(stats.patch_bytes, target.len_bytes, target.len_bytes + 200);
    ox_buf_clear(&target);
    ox_buf_clear(&base);
}

static void zeros__are_no_trap(void **state)
{
    struct ox_buf base = OX_BUF_INIT;
    struct ox_buf target = OX_BUF_INIT;
    uint8_t *zeros = calloc(1, 2 * MIB);
    struct ox_pool1_stats stats;

    (void)state;
    assert_non_null(zeros);
    put(&base, zeros, 2 * MIB);
    put(&target, zeros, MIB);
    put(&target, "x", 1);
    put(&target, zeros, 2 * MIB);
    stats = round_trip(&base, &target);
    assert_in_range(stats.patch_bytes, 0, 300);
    free(zeros);
    ox_buf_clear(&target);
    ox_buf_clear(&base);
}

/* Random edits of every kind on random and repetitive bytes. */
static void random_edits__round_trip(void **state)
{
    struct ox_rng rng;

    (void)state;
    ox_rng_init(&rng, 7);
    for (int round = 0; round < 40; round++) {
        struct ox_buf base = round % 2 == 0 ? noise((uint64_t)round, ox_rng_below(&rng, 100000))
                                            : prose((uint64_t)round, ox_rng_below(&rng, 100000));
        struct ox_buf target = bytes_of(base.data, base.len_bytes);

        for (uint64_t edits = ox_rng_below(&rng, 12); edits > 0; edits--) {
            struct ox_buf fresh = noise(ox_rng_u64(&rng), ox_rng_below(&rng, 200));
            size_t at = (size_t)ox_rng_below(&rng, target.len_bytes + 1);
            size_t cut = (size_t)ox_rng_below(&rng, target.len_bytes - at + 1);
            struct ox_buf next =
                spliced(&target, at, fresh.data, fresh.len_bytes, at + (cut > 3000 ? 0 : cut));

            ox_buf_clear(&target);
            ox_buf_clear(&fresh);
            target = next;
        }
        (void)round_trip(&base, &target);
        ox_buf_clear(&target);
        ox_buf_clear(&base);
    }
}

/* --- what goes wrong --- */

struct changing {
    struct ox_buf *bytes;
    unsigned reads;
    unsigned change_at; /* the read before which a byte changes */
};

static enum ox_code changing_read(void *ctx, uint64_t offset, void *out, size_t len,
                                  struct ox_err *err)
{
    struct changing *self = ctx;

    (void)err;
    if (self->reads++ == self->change_at) {
        self->bytes->data[self->bytes->len_bytes - 1] ^= 1;
    }
    memcpy(out, self->bytes->data + offset, len);
    return OX_OK;
}

static void create__finds_a_target_that_changes(void **state)
{
    struct ox_buf base = noise(1, 600000);
    struct ox_buf target = noise(2, 600000);
    struct changing changing = {&target, 0, UINT32_MAX};
    struct ox_memory memory;
    struct ox_source base_source = source_of(&memory, &base);
    struct ox_source target_source = {&changing, target.len_bytes, changing_read};
    struct ox_pool1_options options = {NULL, NULL};
    unsigned found = 0;
    unsigned reads = 0;

    (void)state;
    for (unsigned round = 0; round <= 10; round++) {
        struct memory_output patch = {OX_BUF_INIT, 0};
        struct ox_output output = memory_output(&patch);
        struct ox_err err = OX_ERR_INIT;
        enum ox_code code;

        changing.reads = 0;
        code = ox_pool1_create(&base_source, &target_source, &options, &output, NULL, &err);
        if (round == 0) {
            assert_int_equal(code, OX_OK);
            reads = changing.reads;
        } else if (code != OX_OK) {
            assert_int_equal(code, OX_EIO);
            assert_non_null(strstr(err.msg, "changed while"));
            found++;
        } else { /* before the digest was taken: the patch is for what is there now */
            assert_applies(&base, &target, &patch.bytes);
        }
        changing.change_at = reads * round / 10;
        ox_buf_clear(&patch.bytes);
    }
    assert_in_range(found, 4, 10);
    ox_buf_clear(&target);
    ox_buf_clear(&base);
}

/* No digest of the base is promised, so create cannot tell. But no wrong target comes of it. */
static void base_that_changes_during_create__gives_no_wrong_target(void **state)
{
    unsigned refused = 0;

    (void)state;
    for (unsigned round = 0; round < 8; round++) {
        struct ox_buf base = noise(1, 600000);
        struct ox_buf was = noise(1, 600000);
        struct ox_buf target = noise(1, 600000);
        struct changing changing = {&base, 0, round};
        struct ox_memory memory;
        struct ox_source base_source = {&changing, base.len_bytes, changing_read};
        struct ox_source target_source = source_of(&memory, &target);
        struct ox_pool1_options options = {NULL, NULL};
        struct memory_output patch = {OX_BUF_INIT, 0};
        struct memory_output out = {OX_BUF_INIT, 0};
        struct ox_output output = memory_output(&patch);
        enum ox_code code;

        target.data[target.len_bytes - 1] ^= 1; /* what the base changes to */
        assert_int_equal(
            ox_pool1_create(&base_source, &target_source, &options, &output, NULL, NULL), OX_OK);
        code = apply(&was, &patch.bytes, SIZE_MAX, &out, NULL);
        if (code == OX_OK) {
            assert_memory_equal(out.bytes.data, target.data, target.len_bytes);
        } else {
            assert_int_equal(code, OX_EDIGEST);
            refused++;
        }
        ox_buf_clear(&out.bytes);
        ox_buf_clear(&patch.bytes);
        ox_buf_clear(&target);
        ox_buf_clear(&was);
        ox_buf_clear(&base);
    }
    assert_in_range(refused, 1, 8);
}

static enum ox_code failing_read(void *ctx, uint64_t offset, void *out, size_t len,
                                 struct ox_err *err)
{
    (void)ctx;
    (void)offset;
    memset(out, 0, len);
    return ox_err_set(err, OX_EIO, "a read failed");
}

static void create__reports_what_fails(void **state)
{
    struct ox_buf bytes = noise(1, 100000);
    struct ox_memory memory;
    struct ox_source good = source_of(&memory, &bytes);
    struct ox_source bad = {NULL, 100000, failing_read};
    struct ox_pool1_options options = {NULL, NULL};
    struct memory_output patch = {OX_BUF_INIT, 60};
    struct ox_output output = memory_output(&patch);
    struct ox_stop stop;

    (void)state;
    assert_int_equal(ox_pool1_create(&bad, &good, &options, &output, NULL, NULL), OX_EIO);
    assert_int_equal(ox_pool1_create(&good, &bad, &options, &output, NULL, NULL), OX_EIO);
    assert_int_equal(ox_pool1_create(&good, &good, &options, &output, NULL, NULL), OX_ENOSPC);
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    ox_stop_request(&stop);
    options.stop = &stop;
    assert_int_equal(ox_pool1_create(&good, &good, &options, &output, NULL, NULL), OX_ECANCELED);
    ox_stop_clear(&stop);
    ox_buf_clear(&patch.bytes);
    ox_buf_clear(&bytes);
}

static void apply__refuses_another_base(void **state)
{
    struct ox_buf base = noise(1, 100000);
    struct ox_buf target = noise(1, 99000);
    struct ox_buf patch = make(&base, &target, NULL);
    struct memory_output out = {OX_BUF_INIT, 0};
    struct ox_err err = OX_ERR_INIT;

    (void)state;
    base.data[5] ^= 1;
    assert_int_equal(apply(&base, &patch, SIZE_MAX, &out, &err), OX_EDIGEST);
    base.len_bytes--;
    out.bytes.len_bytes = 0;
    assert_int_equal(apply(&base, &patch, SIZE_MAX, &out, &err), OX_EBASE);
    assert_int_equal(out.bytes.len_bytes, 0);
    ox_buf_clear(&out.bytes);
    ox_buf_clear(&patch);
    ox_buf_clear(&target);
    ox_buf_clear(&base);
}

/* Cut anywhere, or a bit turned anywhere: never accepted. */
static void apply__refuses_damage(void **state)
{
    struct ox_buf base = noise(1, 5000);
    struct ox_buf target = spliced(&base, 2000, "something new", 13, 2500);
    struct ox_buf patch = make(&base, &target, NULL);

    (void)state;
    for (size_t i = 0; i < patch.len_bytes; i++) {
        struct memory_output out = {OX_BUF_INIT, 0};
        struct ox_err err = OX_ERR_INIT;
        struct ox_buf cut = {patch.data, i, i};

        assert_int_equal(apply(&base, &cut, 7, &out, &err), OX_ECORRUPT);
        out.bytes.len_bytes = 0;
        for (unsigned bit = 0; bit < 8; bit++) {
            patch.data[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(apply(&base, &patch, SIZE_MAX, &out, &err), OX_OK);
            assert_true(err.msg[0] != '\0');
            patch.data[i] ^= (uint8_t)(1u << bit);
            out.bytes.len_bytes = 0;
        }
        ox_buf_clear(&out.bytes);
    }
    ox_buf_clear(&patch);
    ox_buf_clear(&target);
    ox_buf_clear(&base);
}

static void apply__reports_what_fails(void **state)
{
    struct ox_buf base = noise(1, MIB);
    struct ox_buf patch = make(&base, &base, NULL);
    struct memory_output out = {OX_BUF_INIT, 1000};
    struct ox_output output = memory_output(&out);
    struct ox_source bad = {NULL, MIB, failing_read};
    struct ox_memory memories[2];
    struct ox_source source = source_of(&memories[0], &base);
    struct ox_source patch_source = source_of(&memories[1], &patch);
    struct ox_pool1_apply_spec spec = {.base = &source, .out = &output};
    struct ox_stop stop;

    (void)state;
    assert_int_equal(ox_pool1_apply_source(&spec, &patch_source, NULL), OX_ENOSPC);
    spec.base = &bad;
    assert_int_equal(ox_pool1_apply_source(&spec, &patch_source, NULL), OX_EIO);
    assert_int_equal(ox_stop_init(&stop, NULL), OX_OK);
    ox_stop_request(&stop);
    spec.base = &source;
    spec.stop = &stop;
    assert_int_equal(ox_pool1_apply_source(&spec, &patch_source, NULL), OX_ECANCELED);
    ox_stop_clear(&stop);
    ox_buf_clear(&out.bytes);
    ox_buf_clear(&patch);
    ox_buf_clear(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good__rebuilds_what_the_stranger_meant),
        cmocka_unit_test(bad__is_refused_with_its_code),
        cmocka_unit_test(same__is_one_copy),
        cmocka_unit_test(empty__files_have_patches),
        cmocka_unit_test(one_byte__costs_some_bytes),
        cmocka_unit_test(insertions__cost_what_is_new),
        cmocka_unit_test(chunks__synchronise_again_between_insertions),
        cmocka_unit_test(scattered_insertions_and_deletions__cost_what_is_new),
        cmocka_unit_test(moved_blocks__are_found),
        cmocka_unit_test(scattered_changes__stay_on_the_diagonal),
        cmocka_unit_test(dense_changes__are_literals),
        cmocka_unit_test(unrelated__costs_hardly_more_than_the_target),
        cmocka_unit_test(zeros__are_no_trap),
        cmocka_unit_test(random_edits__round_trip),
        cmocka_unit_test(create__finds_a_target_that_changes),
        cmocka_unit_test(base_that_changes_during_create__gives_no_wrong_target),
        cmocka_unit_test(create__reports_what_fails),
        cmocka_unit_test(apply__refuses_another_base),
        cmocka_unit_test(apply__refuses_damage),
        cmocka_unit_test(apply__reports_what_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

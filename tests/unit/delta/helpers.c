#define _XOPEN_SOURCE 700 /* nftw */
#include "helpers.h"

#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"
#include "oxide/crypto/sha256.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- bytes ---*/

void put(struct ox_buf *out, const void *bytes, size_t len)
{
    assert_int_equal(ox_buf_append(out, bytes, len, NULL), OX_OK);
}

void put_buf(struct ox_buf *out, const struct ox_buf *bytes)
{
    put(out, bytes->data, bytes->len_bytes);
}

struct ox_buf bytes_of(const void *bytes, size_t len)
{
    struct ox_buf out = OX_BUF_INIT;

    put(&out, bytes, len);
    return out;
}

static struct ox_buf room(size_t len)
{
    struct ox_buf out = OX_BUF_INIT;

    assert_int_equal(ox_buf_reserve(&out, len + 1, NULL), OX_OK);
    out.len_bytes = len;
    return out;
}

struct ox_buf noise(uint64_t seed, size_t len)
{
    struct ox_buf out = room(len);
    struct ox_rng rng;

    ox_rng_init(&rng, seed);
    for (size_t i = 0; i < len; i++) {
        out.data[i] = (uint8_t)ox_rng_u64(&rng);
    }
    return out;
}

struct ox_buf prose(uint64_t seed, size_t len)
{
    static const char *const words[] = {"weight ", "bias ", "layer ", "norm.",
                                        "0.1 ",    "42, ",  "\n"};
    struct ox_buf out = OX_BUF_INIT;
    struct ox_rng rng;

    ox_rng_init(&rng, seed);
    while (out.len_bytes < len) {
        const char *word = words[ox_rng_below(&rng, 7)];

        put(&out, word, strlen(word));
    }
    out.len_bytes = len;
    return out;
}

/* --- artifacts ---*/

void artifact_add(struct artifact *artifact, const char *path, struct ox_buf take, bool executable)
{
    struct ox_digest digest;

    assert_true(artifact->manifest.count < FILES_MAX);
    artifact->bytes[artifact->manifest.count] = take;
    assert_int_equal(ox_sha256_bytes(take.data, take.len_bytes, &digest, NULL), OX_OK);
    assert_int_equal(
        ox_manifest_add(&artifact->manifest, path, take.len_bytes, &digest, executable, NULL),
        OX_OK);
}

void artifact_finish(struct artifact *artifact)
{
    struct ox_manifest *manifest = &artifact->manifest;
    struct ox_buf bytes[FILES_MAX];
    char *paths[FILES_MAX];

    memcpy(bytes, artifact->bytes, sizeof(bytes));
    for (size_t i = 0; i < manifest->count; i++) {
        paths[i] = manifest->files[i].path;
    }
    assert_int_equal(ox_manifest_finish(manifest, NULL), OX_OK);
    for (size_t i = 0; i < manifest->count; i++) {
        for (size_t j = 0; j < manifest->count; j++) { /* files keep their path's memory */
            if (manifest->files[i].path == paths[j]) {
                artifact->bytes[i] = bytes[j];
            }
        }
        artifact->memories[i] =
            (struct ox_memory){artifact->bytes[i].data, artifact->bytes[i].len_bytes};
        artifact->sources[i] = ox_memory_source(&artifact->memories[i]);
    }
    artifact->side.manifest = manifest;
    artifact->side.files = artifact->sources;
    assert_int_equal(ox_artifact_digest(manifest, &artifact->side.digest, NULL), OX_OK);
}

void artifact_clear(struct artifact *artifact)
{
    for (size_t i = 0; i < artifact->manifest.count; i++) {
        ox_buf_clear(&artifact->bytes[i]);
    }
    ox_manifest_clear(&artifact->manifest);
}

struct artifact *artifact_single(struct ox_buf take)
{
    struct artifact *artifact = calloc(1, sizeof(*artifact));

    assert_non_null(artifact);
    artifact_add(artifact, "model.bin", take, false);
    artifact_finish(artifact);
    return artifact;
}

struct artifact *artifact_copy(const void *bytes, size_t len)
{
    return artifact_single(bytes_of(bytes, len));
}

void artifact_free(struct artifact *artifact)
{
    artifact_clear(artifact);
    free(artifact);
}

struct ox_buf artifact_flat(const struct artifact *artifact)
{
    struct ox_buf out = OX_BUF_INIT;

    for (size_t i = 0; i < artifact->manifest.count; i++) {
        put_buf(&out, &artifact->bytes[i]);
    }
    return out;
}

/* --- models ---*/

void tensors_add(struct tensors *model, const char *name, const char *dtype, size_t rows,
                 size_t columns, struct ox_buf take)
{
    size_t start = model->data.len_bytes;
    char shape[64];

    (void)snprintf(shape, sizeof(shape), columns == 0 ? "[%zu]" : "[%zu,%zu]", rows, columns);
    put_buf(&model->data, &take);
    assert_int_equal(ox_buf_printf(&model->header, NULL,
                                   "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,"
                                   "\"data_offsets\":[%zu,%zu]}",
                                   model->header.len_bytes == 0 ? "{" : ",", name, dtype, shape,
                                   start, model->data.len_bytes),
                     OX_OK);
    ox_buf_clear(&take);
}

struct ox_buf tensors_file(struct tensors *model)
{
    struct ox_buf out = OX_BUF_INIT;

    put(&model->header, model->header.len_bytes == 0 ? "{}" : "}",
        model->header.len_bytes == 0 ? 2 : 1);
    while (model->header.len_bytes % 8 != 0) {
        put(&model->header, " ", 1);
    }
    assert_int_equal(ox_buf_put_u64le(&out, model->header.len_bytes, NULL), OX_OK);
    put_buf(&out, &model->header);
    put_buf(&out, &model->data);
    ox_buf_clear(&model->header);
    ox_buf_clear(&model->data);
    return out;
}

/* Width in bytes and bits of mantissa of the types that weights() knows. */
static size_t dtype_width(const char *dtype, unsigned *mantissa)
{
    bool f32 = strcmp(dtype, "F32") == 0;
    bool i8 = strcmp(dtype, "I8") == 0;

    *mantissa = f32 ? 23 : strcmp(dtype, "BF16") == 0 ? 7 : 10;
    return f32 ? 4 : i8 ? 1 : 2;
}

static uint64_t load(const uint8_t *at, size_t width)
{
    uint64_t value = 0;

    for (size_t i = 0; i < width; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

static void store(uint8_t *at, size_t width, uint64_t value)
{
    for (size_t i = 0; i < width; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

struct ox_buf weights(uint64_t seed, size_t count, const char *dtype)
{
    unsigned mantissa;
    size_t width = dtype_width(dtype, &mantissa);
    struct ox_buf out = room(count * width);
    struct ox_rng rng;

    ox_rng_init(&rng, seed);
    for (size_t i = 0; i < count; i++) {
        uint64_t draw = ox_rng_u64(&rng);
        uint64_t sign = (draw >> 63) << (8 * width - 1);
        uint64_t exponent;

        if (width == 1) {
            store(out.data + i, 1, draw % 64 + 96);
            continue;
        }
        exponent = (((uint64_t)1 << (8 * width - 1 - mantissa)) - 1) / 2 - 3 - draw % 3;
        store(out.data + i * width, width,
              sign | exponent << mantissa | ((draw >> 8) & (((uint64_t)1 << mantissa) - 1)));
    }
    return out;
}

struct ox_buf fine_tuned(const struct ox_buf *from, uint64_t seed, const char *dtype)
{
    unsigned mantissa;
    size_t width = dtype_width(dtype, &mantissa);
    struct ox_buf out = bytes_of(from->data, from->len_bytes);
    struct ox_rng rng;

    ox_rng_init(&rng, seed);
    for (size_t i = 0; i < out.len_bytes / width; i++) {
        uint64_t draw = ox_rng_u64(&rng);
        uint64_t step = draw % (width == 4 ? 2000 : width == 2 ? 4 : 2);
        uint64_t value = load(out.data + i * width, width);

        if (draw >> 62 != 0) { /* a quarter stays as it is */
            store(out.data + i * width, width, draw >> 61 & 1 ? value + step : value - step);
        }
    }
    return out;
}

/* Protobuf by hand: field headers of two kinds are all that an ONNX file needs. */
static void put_field(struct ox_buf *out, unsigned number, const void *bytes, size_t len)
{
    assert_int_equal(ox_buf_put_varint(out, number << 3 | 2, NULL), OX_OK);
    assert_int_equal(ox_buf_put_varint(out, len, NULL), OX_OK);
    put(out, bytes, len);
}

static void put_message(struct ox_buf *out, unsigned number, struct ox_buf *take)
{
    put_field(out, number, take->data, take->len_bytes);
    ox_buf_clear(take);
}

static void put_number(struct ox_buf *out, unsigned number, uint64_t value)
{
    assert_int_equal(ox_buf_put_varint(out, number << 3, NULL), OX_OK);
    assert_int_equal(ox_buf_put_varint(out, value, NULL), OX_OK);
}

static void put_entry(struct ox_buf *tensor, const char *key, const char *value)
{
    struct ox_buf entry = OX_BUF_INIT;

    put_field(&entry, 1, key, strlen(key));
    put_field(&entry, 2, value, strlen(value));
    put_message(tensor, 13, &entry);
}

struct ox_buf onnx_with_external(const char *name, size_t count, size_t offset)
{
    struct ox_buf model = OX_BUF_INIT;
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf tensor = OX_BUF_INIT;
    char text[32];

    put_number(&tensor, 1, count);
    put_number(&tensor, 2, 1);
    put_field(&tensor, 8, name, strlen(name));
    put_entry(&tensor, "location", "weights.bin");
    (void)snprintf(text, sizeof(text), "%zu", offset);
    put_entry(&tensor, "offset", text);
    (void)snprintf(text, sizeof(text), "%zu", count * 4);
    put_entry(&tensor, "length", text);
    put_number(&tensor, 14, 1);
    put_message(&graph, 5, &tensor);
    put_field(&graph, 2, "g", 1);
    put_number(&model, 1, 8);
    put_message(&model, 7, &graph);
    return model;
}

/* --- whole deltas ---*/

static enum ox_code output_write(void *ctx, const void *bytes, size_t len, struct ox_err *err)
{
    struct memory_output *self = ctx;

    if (self->room_bytes > 0 && self->bytes.len_bytes + len > self->room_bytes) {
        return ox_err_set(err, OX_ENOSPC, "no room for the patch");
    }
    return ox_buf_append(&self->bytes, bytes, len, err);
}

struct ox_output memory_output(struct memory_output *self)
{
    return (struct ox_output){self, output_write};
}

static enum ox_code sink_write_at(void *ctx, uint64_t offset, const void *bytes, size_t len,
                                  struct ox_err *err)
{
    struct memory_sink *self = ctx;

    assert_true(offset == self->bytes.len_bytes); /* an apply writes in order */
    self->writes++;
    if (self->room_bytes > 0 && offset + len > self->room_bytes) {
        return ox_err_set(err, OX_ENOSPC, "no room for the target");
    }
    return ox_buf_append(&self->bytes, bytes, len, err);
}

static enum ox_code sink_read_at(void *ctx, uint64_t offset, void *out, size_t len,
                                 struct ox_err *err)
{
    const struct memory_sink *self = ctx;

    (void)err;
    assert_true(offset <= self->bytes.len_bytes && len <= self->bytes.len_bytes - offset);
    memcpy(out, self->bytes.data + offset, len);
    return OX_OK;
}

struct ox_sink memory_sink(struct memory_sink *self)
{
    return (struct ox_sink){self, sink_write_at, sink_read_at};
}

struct ox_buf make_patch(const struct artifact *base, const struct artifact *target,
                         enum ox_delta_engine engine, unsigned threads,
                         struct ox_delta_stats *stats)
{
    struct ox_delta_options options = {.engine = engine, .threads = threads};
    struct memory_output patch = {OX_BUF_INIT, 0};
    struct ox_output output = memory_output(&patch);
    struct ox_err err = OX_ERR_INIT;

    if (ox_delta_create(&base->side, &target->side, &options, &output, stats, &err) != OX_OK) {
        fail_msg("%s: %s", ox_delta_engine_word(engine), err.msg);
    }
    return patch.bytes;
}

enum ox_code apply_patch(const struct artifact *base, const void *patch, size_t len, size_t piece,
                         struct memory_sink *sink, struct ox_err *err)
{
    struct ox_sink to = memory_sink(sink);
    struct ox_apply_spec spec = {.base = &base->side, .sink = &to};
    struct ox_apply *apply = NULL;
    const uint8_t *from = patch;
    enum ox_code code = ox_apply_new(&apply, &spec, err);

    for (size_t at = 0; code == OX_OK && at < len;) {
        size_t take = piece == 0 || piece > len - at ? len - at : piece;

        code = ox_apply_feed(apply, from + at, take, err);
        at += take;
    }
    if (code == OX_OK) {
        code = ox_apply_finish(apply, err);
    }
    ox_apply_free(apply);
    return code;
}

static void assert_rebuilds(const struct artifact *base, const struct artifact *target,
                            const struct ox_buf *patch)
{
    struct ox_buf want = artifact_flat(target);
    struct ox_memory known = {want.data, want.len_bytes};
    struct ox_source check = ox_memory_source(&known);
    struct ox_memory memory = {patch->data, patch->len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_apply_spec spec = {.base = &base->side, .check = &check};
    struct ox_err err = OX_ERR_INIT;
    size_t pieces[] = {0, patch->len_bytes < 100000 ? 1 : 4099, 65536};

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct memory_sink sink = {.writes = 0};

        if (apply_patch(base, patch->data, patch->len_bytes, pieces[i], &sink, &err) != OX_OK) {
            fail_msg("in pieces of %zu: %s", pieces[i], err.msg);
        }
        assert_int_equal(sink.bytes.len_bytes, want.len_bytes);
        if (want.len_bytes > 0) {
            assert_memory_equal(sink.bytes.data, want.data, want.len_bytes);
        }
        ox_buf_clear(&sink.bytes);
    }
    assert_int_equal(ox_apply_source(&spec, &source, NULL), OX_OK);
    ox_buf_clear(&want);
}

static void assert_counts(const struct ox_buf *patch, const struct ox_delta_stats *stats,
                          const struct artifact *target)
{
    struct ox_memory memory = {patch->data, patch->len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_oxdl_header header = {0};
    struct ox_delta_stats found;
    uint64_t target_bytes = 0;
    uint64_t patch_bytes = 0;

    assert_int_equal(ox_delta_inspect(&source, &header, &found, NULL), OX_OK);
    assert_true(ox_digest_equal(&header.target.digest, &target->side.digest));
    assert_int_equal(found.frames, stats->frames);
    assert_int_equal(found.engine, stats->engine);
    assert_int_equal(stats->patch_total_bytes, patch->len_bytes);
    for (size_t op = 0; op < OX_OXDL_OP_COUNT; op++) {
        assert_int_equal(found.target_bytes[op], stats->target_bytes[op]);
        assert_int_equal(found.patch_bytes[op], stats->patch_bytes[op]);
        target_bytes += stats->target_bytes[op];
        patch_bytes += stats->patch_bytes[op];
    }
    assert_int_equal(target_bytes, ox_manifest_size(&target->manifest));
    assert_int_equal(patch_bytes, patch->len_bytes);
    ox_oxdl_header_clear(&header);
}

size_t assert_round_trip(const struct artifact *base, const struct artifact *target)
{
    static const enum ox_delta_engine engines[] = {OX_ENGINE_AUTO, OX_ENGINE_TENSOR,
                                                   OX_ENGINE_BINARY};
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
        struct ox_delta_stats stats;
        struct ox_buf patch = make_patch(base, target, engines[i], 1, &stats);

        assert_rebuilds(base, target, &patch);
        assert_counts(&patch, &stats, target);
        for (unsigned threads = 2; threads <= 5; threads += 3) {
            struct ox_buf again = make_patch(base, target, engines[i], threads, NULL);

            assert_int_equal(again.len_bytes, patch.len_bytes);
            assert_memory_equal(again.data, patch.data, patch.len_bytes);
            ox_buf_clear(&again);
        }
        least = patch.len_bytes < least ? patch.len_bytes : least;
        ox_buf_clear(&patch);
    }
    return least;
}

/* --- folders ---*/

int setup_folder(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char *path = malloc(4096);

    if (path == NULL) {
        return -1;
    }
    (void)snprintf(path, 4096, "%s/oxide-test-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    *state = path;
    return mkdtemp(path) == NULL ? -1 : 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int teardown_folder(void **state)
{
    int problem = nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

    free(*state);
    return problem;
}

const char *in_folder(void **state, const char *name)
{
    static char paths[8][4096];
    static unsigned at;
    char *path = paths[at++ % 8];

    assert_true(snprintf(path, sizeof(paths[0]), "%s/%s", (const char *)*state, name) <
                (int)sizeof(paths[0]));
    return path;
}

void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

struct ox_buf file_bytes(const char *path)
{
    struct ox_buf bytes = OX_BUF_INIT;

    assert_int_equal(ox_file_read_all(path, 16 << 20, &bytes, NULL), OX_OK);
    return bytes;
}

/* --- memory ---*/

long max_rss_kib(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

long growth_kib(void (*run)(const void *job), const void *job)
{
    long growth = -1;
    int ends[2];
    int status = 0;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        long before = max_rss_kib();

        run(job);
        growth = max_rss_kib() - before;
        _exit(write(ends[1], &growth, sizeof(growth)) == sizeof(growth) ? 0 : 1);
    }
    (void)close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 ||
        read(ends[0], &growth, sizeof(growth)) != sizeof(growth)) {
        growth = -1;
    }
    (void)close(ends[0]);
    return growth;
}

/** What the tests of delta share: artifacts in memory, models made of bytes, and whole deltas. */
#ifndef TESTS_DELTA_HELPERS_H
#define TESTS_DELTA_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/random.h"
#include "oxide/delta/delta.h"

#include <string.h>

/* --- bytes ---*/
struct ox_buf bytes_of(const void *bytes, size_t len);
/** Bytes that zstd cannot shrink. */
struct ox_buf noise(uint64_t seed, size_t len);
/** Bytes that it can: words of a small vocabulary. */
struct ox_buf prose(uint64_t seed, size_t len);
void put(struct ox_buf *out, const void *bytes, size_t len);
void put_buf(struct ox_buf *out, const struct ox_buf *bytes);

/* --- artifacts ---*/
#define FILES_MAX 32
struct artifact {
    struct ox_manifest manifest;
    struct ox_buf bytes[FILES_MAX]; /* in the order of the manifest once finished */
    struct ox_memory memories[FILES_MAX];
    struct ox_source sources[FILES_MAX];
    struct ox_delta_side side;
};
/** Add a file; `take` is taken over. */
void artifact_add(struct artifact *artifact, const char *path, struct ox_buf take, bool executable);
/** Sort, hash, and make it usable as a side. */
void artifact_finish(struct artifact *artifact);
void artifact_clear(struct artifact *artifact);
/** An artifact of one file; `take` is taken over. */
struct artifact *artifact_single(struct ox_buf take);
struct artifact *artifact_copy(const void *bytes, size_t len);
void artifact_free(struct artifact *artifact);
/** All files laid end to end. */
struct ox_buf artifact_flat(const struct artifact *artifact);

/* --- models ---*/
/** A safetensors file under construction; all numbers are little-endian. */
struct tensors {
    struct ox_buf header;
    struct ox_buf data;
};
/** Add a tensor of shape [rows, columns] (columns 0: [rows]); `take` is taken over. */
void tensors_add(struct tensors *model, const char *name, const char *dtype, size_t rows,
                 size_t columns, struct ox_buf take);
/** The file; the builder is empty again. */
struct ox_buf tensors_file(struct tensors *model);

/** Weights as networks have them, of width 4 (f32), 2 (f16: 5 exponent bits; bf16) or 1 (i8). */
struct ox_buf weights(uint64_t seed, size_t count, const char *dtype);
/** The same weights, most of them moved a little. */
struct ox_buf fine_tuned(const struct ox_buf *from, uint64_t seed, const char *dtype);

/** An ONNX model whose one tensor, of `count` floats, lies in the neighbour weights.bin. */
struct ox_buf onnx_with_external(const char *name, size_t count, size_t offset);

/* --- whole deltas ---*/
struct memory_output {
    struct ox_buf bytes;
    uint64_t room_bytes; /* 0: no limit; else OX_ENOSPC past it */
};
struct ox_output memory_output(struct memory_output *self);

struct memory_sink {
    struct ox_buf bytes;
    uint64_t room_bytes; /* as above */
    unsigned writes;
};
struct ox_sink memory_sink(struct memory_sink *self);

/** Make a patch, which must work; the caller clears. */
struct ox_buf make_patch(const struct artifact *base, const struct artifact *target,
                         enum ox_delta_engine engine, unsigned threads,
                         struct ox_delta_stats *stats);

/** Apply a patch fed in pieces of `piece` bytes (0: at once). */
enum ox_code apply_patch(const struct artifact *base, const void *patch, size_t len, size_t piece,
                         struct memory_sink *sink, struct ox_err *err);

/**
 * Every engine with 1, 2 and 5 threads gives a patch of the same bytes, which rebuilds the target
 * in pieces of several sizes, passes as a check against it, and counts as its maker said. Returns
 * the bytes of the smallest patch.
 */
size_t assert_round_trip(const struct artifact *base, const struct artifact *target);

/* --- folders ---*/
int setup_folder(void **state);
int teardown_folder(void **state);
/** "FOLDER/NAME", valid until the next eight calls. */
const char *in_folder(void **state, const char *name);
void write_file(const char *path, const char *text);
struct ox_buf file_bytes(const char *path);

/* --- memory ---*/
/** Peak resident memory of this process. */
long max_rss_kib(void);
/** KiB by which the peak grows while a child process does the job; -1 if it fails. */
long growth_kib(void (*run)(const void *job), const void *job);

#endif

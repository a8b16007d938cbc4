/** Mending a hostile patch of version 2, so that what is left of an error is its own: sums and
 *  digests would let nothing else past. */
#ifndef TESTS_FUZZ_MEND_H
#define TESTS_FUZZ_MEND_H

#include "../../src/delta/decode.h"
#include "fuzz.h"
#include "oxide/crypto/artifact.h"
#include "oxide/crypto/sha256.h"
#include "oxide/crypto/xxh64.h"

#define BASE_BYTES_MAX ((size_t)1 << 20)
#define TARGET_BYTES_MAX ((uint64_t)8 << 20) /* and time is bounded with it */

/* The header's sum, where the header is whole. */
static inline void mend_header_sum(uint8_t *patch, size_t size)
{
    struct ox_reader reader;
    uint64_t len = 0;

    ox_reader_init(&reader, patch, size, "patch");
    reader.pos = 6;
    if (size > 6 && ox_reader_varint(&reader, &len, NULL) == OX_OK &&
        len <= ox_reader_left(&reader) && ox_reader_left(&reader) - len >= 8) {
        size_t end = reader.pos + (size_t)len;

        ox_store_u64le(patch + end, ox_xxh64(patch, end, 0));
    }
}

/* --- frames, one by one --- */

struct mending {
    struct ox_source base;
    struct ox_oxdl_header header;
    struct ox_buf frames; /* whole ones, with their right sums; a last one may be as it was */
    struct ox_buf target;
    uint64_t count;
    enum ox_code failed; /* of the frame that does not decode */
};

static inline enum ox_code keep_header(void *ctx, const struct ox_oxdl_header *header,
                                       struct ox_err *err)
{
    (void)err;
    must(header->base.size_bytes == ((struct mending *)ctx)->base.size_bytes);
    return OX_OK;
}

static inline enum ox_code mend_frame(void *ctx, const struct ox_oxdl_frame *frame,
                                      struct ox_err *err)
{
    struct mending *self = ctx;
    struct decode_input input = {&self->base, &self->target, fuzz_read};
    struct decoder decoder = {.zstd = NULL};
    struct ox_oxdl_frame mended = *frame;

    if (frame->target_bytes > TARGET_BYTES_MAX - self->target.len_bytes) {
        return ox_err_set(err, OX_ENOSPC, "full");
    }
    self->failed = decode_frame(&decoder, &input, &mended, err);
    if (self->failed != OX_OK && decoder.out.len_bytes == frame->target_bytes) {
        mended.sum = ox_xxh64(decoder.out.data, frame->target_bytes, frame->target_offset);
        self->failed = decode_frame(&decoder, &input, &mended, err);
    }
    must(self->failed != OX_OK || decoder.out.len_bytes == frame->target_bytes);
    must(ox_oxdl_put_frame(&self->frames, &mended, NULL) == OX_OK);
    self->count++;
    if (self->failed == OX_OK) {
        must(ox_buf_append(&self->target, decoder.out.data, decoder.out.len_bytes, NULL) == OX_OK);
    }
    decoder_clear(&decoder);
    return self->failed;
}

/* Digests of what the frames rebuild. */
static inline void mend_target(struct mending *self)
{
    struct ox_oxdl_side *side = &self->header.target;
    size_t at = 0;

    must(self->target.len_bytes == side->size_bytes);
    if (side->files.count == 0) {
        must(ox_sha256_bytes(self->target.data, self->target.len_bytes, &side->digest, NULL) ==
             OX_OK);
        return;
    }
    for (size_t i = 0; i < side->files.count; i++) {
        struct ox_manifest_file *file = &side->files.files[i];

        must(file->size_bytes <= self->target.len_bytes - at);
        must(ox_sha256_bytes(self->target.data == NULL ? NULL : self->target.data + at,
                             (size_t)file->size_bytes, &file->sha256, NULL) == OX_OK);
        at += (size_t)file->size_bytes;
    }
    must(ox_artifact_digest(&side->files, &side->digest, NULL) == OX_OK);
}

/* Into *out a patch that is as right as can be; true if all of it should rebuild the target. */
static inline bool mend(struct mending *self, const uint8_t *patch, size_t size, struct ox_buf *out)
{
    struct ox_oxdl_handler handler = {self, keep_header, mend_frame};
    struct ox_oxdl_reader *reader = NULL;
    bool whole;

    must(ox_oxdl_reader_new(&reader, &handler, NULL) == OX_OK);
    whole = ox_oxdl_reader_feed(reader, patch, size, NULL) == OX_OK &&
            ox_oxdl_reader_finish(reader, NULL) == OX_OK;
    ox_oxdl_reader_free(reader);
    if (whole) {
        mend_target(self);
        must(ox_oxdl_put_end(&self->frames, self->count, NULL) == OX_OK);
    }
    must(ox_oxdl_put_header(out, &self->header, NULL) == OX_OK);
    must(self->frames.len_bytes == 0 ||
         ox_buf_append(out, self->frames.data, self->frames.len_bytes, NULL) == OX_OK);
    return whole;
}

/** The base that was given, cut or made longer. The caller frees. */
static inline uint8_t *base_of_size(const struct fuzz_input *given, size_t size)
{
    uint8_t *base = exact_memory(size);

    for (size_t i = 0; i < size; i++) {
        base[i] = i < given->size ? given->data[i] : (uint8_t)(i * i >> 3);
    }
    return base;
}

#endif

/* uses: delta */
/*
 * A hostile patch, of version 2 or 1, with a base: 2 bytes of the base's length, base, patch.
 *
 * What would let nothing past is mended first: the header's sum, the base's digest and size, every
 * frame's sum, the target's digests. So what is left of an error is the patch's own: a patch whose
 * frames all decode, each by a decoder of its own, is applied and gives those very bytes; another
 * fails where its frame did.
 */
#include "../../src/delta/decode.h"
#include "fuzz.h"
#include "oxide/crypto/artifact.h"
#include "oxide/crypto/sha256.h"
#include "oxide/crypto/xxh64.h"
#include "oxide/delta/delta.h"
#include "oxide/delta/explain.h"

#define BASE_BYTES_MAX ((size_t)1 << 20)
#define TARGET_BYTES_MAX ((uint64_t)8 << 20) /* and time is bounded with it */

/* The header's sum, where the header is whole. */
static void mend_header_sum(uint8_t *patch, size_t size)
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

static enum ox_code keep_header(void *ctx, const struct ox_oxdl_header *header, struct ox_err *err)
{
    (void)err;
    must(header->base.size_bytes == ((struct mending *)ctx)->base.size_bytes);
    return OX_OK;
}

static enum ox_code mend_frame(void *ctx, const struct ox_oxdl_frame *frame, struct ox_err *err)
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
static void mend_target(struct mending *self)
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
static bool mend(struct mending *self, const uint8_t *patch, size_t size, struct ox_buf *out)
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

/* --- the whole patch --- */

static enum ox_code apply(const struct ox_source *base, const struct ox_digest *digest,
                          const struct ox_buf *patch, struct ox_buf *target)
{
    struct ox_manifest_file entry = {(char *)"model.bin", base->size_bytes, *digest, false};
    struct ox_manifest manifest = {&entry, 1};
    struct ox_delta_side side = {&manifest, base, *digest};
    struct ox_sink sink = {target, fuzz_write, fuzz_read};
    struct ox_apply_spec spec = {.base = &side, .sink = &sink};
    struct ox_apply *self = NULL;
    struct ox_err err = OX_ERR_INIT;
    size_t half = patch->len_bytes / 2;
    enum ox_code code;

    must(ox_apply_new(&self, &spec, &err) == OX_OK);
    code = ox_apply_feed(self, patch->data, half, &err);
    if (code == OX_OK && patch->len_bytes > 0) {
        code = ox_apply_feed(self, patch->data + half, patch->len_bytes - half, &err);
    }
    if (code == OX_OK) {
        code = ox_apply_finish(self, &err);
    }
    must(code == OX_OK || (err.code == code && err.msg[0] != '\0'));
    must(code != OX_OK || target->len_bytes == ox_apply_header(self)->target.size_bytes);
    ox_apply_free(self);
    return code;
}

static void inspect(const struct ox_buf *patch, bool whole)
{
    struct ox_memory memory = {patch->data, patch->len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_oxdl_header header = {0};
    struct ox_delta_stats stats = {.frames = 0};
    enum ox_code code = ox_delta_inspect(&source, &header, &stats, NULL);

    must(!whole || (code == OX_OK && stats.patch_total_bytes == patch->len_bytes));
    ox_oxdl_header_clear(&header);
}

static void explain_by(const struct ox_explain_spec *spec, const struct ox_buf *patch, bool whole)
{
    struct ox_memory memory = {patch->data, patch->len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    const struct ox_explanation *told = NULL;
    struct ox_explain *explain = NULL;
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code;

    must(ox_explain_new(&explain, spec, &err) == OX_OK);
    code = ox_explain_source(explain, &source, &told, &err);
    must(code == OX_OK || (err.code == code && err.msg[0] != '\0'));
    must(!whole || code == OX_OK);
    if (code == OX_OK) {
        uint64_t bytes = told->framing_bytes;

        for (size_t i = 0; i < told->count; i++) {
            bytes += told->rows[i].patch_bytes;
        }
        must(bytes == patch->len_bytes && told->patch_bytes == bytes);
    }
    ox_explain_free(explain);
}

/* Where its bytes go: they add up, whatever its frames say of the sides. */
static void explain(const struct ox_source *base, const struct ox_oxdl_header *header,
                    const struct ox_buf *target, const struct ox_buf *patch, bool whole)
{
    struct ox_manifest_file files[2] = {
        {(char *)"model.bin", base->size_bytes, header->base.digest, false},
        {(char *)"model.bin", target->len_bytes, header->target.digest, false}};
    struct ox_manifest manifests[2] = {{&files[0], 1}, {&files[1], 1}};
    struct ox_memory memory = {target->data, target->len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_delta_side from = {&manifests[0], base, header->base.digest};
    struct ox_delta_side to = {&manifests[1], &source, header->target.digest};
    struct ox_explain_spec spec = {NULL, NULL, NULL};

    explain_by(&spec, patch, whole);
    if (whole && header->target.files.count == 0) {
        spec.target = &to;
        explain_by(&spec, patch, true);
        spec.base = &from;
        explain_by(&spec, patch, true);
    }
}

static void run_v2(const struct ox_oxdl_header *header, const struct ox_source *base,
                   const uint8_t *patch, size_t size)
{
    struct mending mending = {.base = *base, .header = *header};
    struct ox_buf mended = OX_BUF_INIT;
    struct ox_buf target = OX_BUF_INIT;
    bool whole = mend(&mending, patch, size, &mended);
    enum ox_code code = apply(base, &header->base.digest, &mended, &target);

    must((code == OX_OK) == whole);
    must(mending.failed == OX_OK || mending.failed == code);
    must(target.len_bytes <= mending.target.len_bytes);
    must(!whole || target.len_bytes == mending.target.len_bytes);
    must(target.len_bytes == 0 || memcmp(target.data, mending.target.data, target.len_bytes) == 0);
    inspect(&mended, whole);
    explain(base, &mending.header, &mending.target, &mended, whole);
    ox_buf_clear(&mending.frames);
    ox_buf_clear(&mending.target);
    ox_buf_clear(&mended);
    ox_buf_clear(&target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct fuzz_input given = take_bytes(&input, take_u16(&input));
    struct ox_buf patch = OX_BUF_INIT;
    struct ox_buf target = OX_BUF_INIT;
    struct ox_memory patch_memory;
    struct ox_memory base_memory = {given.data, given.size};
    struct ox_source source;
    struct ox_source base = ox_memory_source(&base_memory);
    struct ox_oxdl_header header = {0};
    uint8_t *longer = NULL;

    must(ox_buf_append(&patch, input.data, input.size, NULL) == OX_OK);
    mend_header_sum(patch.data, patch.len_bytes);
    patch_memory = (struct ox_memory){patch.data, patch.len_bytes};
    source = ox_memory_source(&patch_memory);
    inspect(&patch, false);
    if (ox_oxdl_read_header(&source, &header, NULL) != OX_OK) {
        (void)!apply(&base, &header.base.digest, &patch, &target);
    } else if (header.version == 1) {
        /* the base that it wants has no size there; its target is held in memory */
        if (header.target.size_bytes <= TARGET_BYTES_MAX) {
            (void)!apply(&base, &header.base.digest, &patch, &target);
        }
    } else if (header.base.size_bytes <= BASE_BYTES_MAX) {
        longer = exact_memory((size_t)header.base.size_bytes);
        for (size_t i = 0; i < header.base.size_bytes; i++) {
            longer[i] = i < given.size ? given.data[i] : (uint8_t)(i * i >> 3);
        }
        base_memory = (struct ox_memory){longer, (size_t)header.base.size_bytes};
        base = ox_memory_source(&base_memory);
        run_v2(&header, &base, patch.data, patch.len_bytes);
    }
    free(longer);
    ox_oxdl_header_clear(&header);
    ox_buf_clear(&patch);
    ox_buf_clear(&target);
    return 0;
}

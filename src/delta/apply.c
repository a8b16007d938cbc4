/* Applying a patch: its reader's frames, rebuilt, verified and written, file by file. */
#include "apply.h"

#include "decode.h"
#include "oxide/crypto/sha256.h"
#include "oxide/delta/delta.h"

#include <stdlib.h>
#include <string.h>

struct ox_apply {
    struct ox_apply_spec spec;
    struct ox_concat base_concat;
    struct ox_source base;
    struct ox_oxdl_reader *reader;
    struct decoder decoder;
    struct ox_oxdl_header header; /* a copy without file tables until on_header */
    bool have_header;
    uint8_t front[5]; /* magic and version decide who reads */
    size_t front_len;
    bool is_v1;
    struct ox_buf v1; /* the whole patch of version 1 */
    /* Verifying the target, in order. */
    uint64_t done_bytes;
    size_t file_index;
    uint64_t file_end;
    struct ox_sha256 hash;
};

/* --- the target's digests --- */

static size_t file_count(const struct ox_apply *self)
{
    return self->header.target.files.count == 0 ? 1 : self->header.target.files.count;
}

static uint64_t file_size(const struct ox_apply *self, size_t index)
{
    return self->header.target.files.count == 0 ? self->header.target.size_bytes
                                                : self->header.target.files.files[index].size_bytes;
}

static enum ox_code end_file(struct ox_apply *self, struct ox_err *err)
{
    bool single = self->header.target.files.count == 0;
    const struct ox_digest *want = single
                                       ? &self->header.target.digest
                                       : &self->header.target.files.files[self->file_index].sha256;
    struct ox_digest got;

    ox_sha256_final(&self->hash, &got);
    if (!ox_digest_equal(&got, want)) {
        char want_hex[OX_DIGEST_HEX_MAX];
        char got_hex[OX_DIGEST_HEX_MAX];

        return ox_err_set(err, OX_EDIGEST, "%s was rebuilt with SHA-256 %s, the patch promised %s",
                          single ? "the target"
                                 : self->header.target.files.files[self->file_index].path,
                          ox_digest_hex(&got, got_hex), ox_digest_hex(want, want_hex));
    }
    self->file_index++;
    return OX_OK;
}

/* Close every file that ends where we are, empty ones too, and begin the next. */
static enum ox_code end_files(struct ox_apply *self, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    while (code == OX_OK && self->file_index < file_count(self) &&
           self->done_bytes == self->file_end) {
        code = end_file(self, err);
        if (code == OX_OK && self->file_index < file_count(self)) {
            self->file_end += file_size(self, self->file_index);
            code = ox_sha256_init(&self->hash, err);
        }
    }
    return code;
}

static enum ox_code hash_target(struct ox_apply *self, const uint8_t *bytes, size_t len_bytes,
                                struct ox_err *err)
{
    enum ox_code code = OX_OK;

    while (code == OX_OK && len_bytes > 0) {
        uint64_t left = self->file_end - self->done_bytes;
        size_t take = left < len_bytes ? (size_t)left : len_bytes;

        ox_sha256_update(&self->hash, bytes, take);
        self->done_bytes += take;
        bytes += take;
        len_bytes -= take;
        code = end_files(self, err);
    }
    return code;
}

/* --- what the reader hands over --- */

static enum ox_code check_base(const struct ox_apply *self, const struct ox_oxdl_header *header,
                               struct ox_err *err)
{
    const struct ox_digest *have = &self->spec.base->digest;
    char want_hex[OX_DIGEST_HEX_MAX];
    char have_hex[OX_DIGEST_HEX_MAX];

    if (ox_digest_equal(&header->base.digest, have) &&
        (header->version == 1 || header->base.size_bytes == self->base.size_bytes)) {
        return OX_OK;
    }
    return ox_err_set(err, OX_EBASE,
                      "the patch is for another base: it wants SHA-256 %s, this one has %s",
                      ox_digest_hex(&header->base.digest, want_hex), ox_digest_hex(have, have_hex));
}

enum ox_code apply_begin(struct ox_apply *self, const struct ox_oxdl_header *header,
                         struct ox_err *err)
{
    enum ox_code code = check_base(self, header, err);

    if (code != OX_OK) {
        return code;
    }
    self->header = *header;
    self->header.base.files = (struct ox_manifest)OX_MANIFEST_INIT;
    self->header.target.files = (struct ox_manifest)OX_MANIFEST_INIT;
    if ((code = ox_manifest_copy(&self->header.base.files, &header->base.files, err)) != OX_OK ||
        (code = ox_manifest_copy(&self->header.target.files, &header->target.files, err)) !=
            OX_OK) {
        return code;
    }
    if (self->spec.check != NULL && self->spec.check->size_bytes != header->target.size_bytes) {
        return ox_err_set(err, OX_EDIGEST, "the patch rebuilds %llu bytes, the target has %llu",
                          (unsigned long long)header->target.size_bytes,
                          (unsigned long long)self->spec.check->size_bytes);
    }
    self->have_header = true;
    self->file_end = file_size(self, 0);
    code = ox_sha256_init(&self->hash, err);
    return code == OX_OK ? end_files(self, err) : code;
}

static enum ox_code check_known(struct ox_apply *self, uint64_t offset, const uint8_t *bytes,
                                size_t len_bytes, struct ox_err *err)
{
    enum ox_code code = buf_resize(&self->decoder.gather, len_bytes, err);

    if (code == OX_OK) {
        code = ox_source_read(self->spec.check, offset, self->decoder.gather.data, len_bytes, err);
    }
    if (code == OX_OK && memcmp(self->decoder.gather.data, bytes, len_bytes) != 0) {
        code = ox_err_set(err, OX_EDIGEST,
                          "the patch rebuilds other bytes than the target at offset %llu",
                          (unsigned long long)offset);
    }
    return code;
}

enum ox_code apply_write(struct ox_apply *self, const uint8_t *bytes, size_t len_bytes,
                         struct ox_err *err)
{
    uint64_t offset = self->done_bytes;
    enum ox_code code = OX_OK;

    if (len_bytes == 0) {
        return OX_OK; /* an empty target of version 1: bytes are NULL */
    }
    if (ox_stop_requested(self->spec.stop)) {
        return ox_err_set(err, OX_ECANCELED, "stopped while applying a patch");
    }
    if (self->spec.sink != NULL) {
        code = self->spec.sink->write_at(self->spec.sink->ctx, offset, bytes, len_bytes, err);
    }
    if (code == OX_OK) {
        code = hash_target(self, bytes, len_bytes, err);
    }
    if (code == OX_OK && self->spec.check != NULL) {
        code = check_known(self, offset, bytes, len_bytes, err);
    }
    if (code == OX_OK) {
        ox_progress_update(self->spec.progress, self->done_bytes, self->header.target.size_bytes);
    }
    return code;
}

static enum ox_code on_header(void *ctx, const struct ox_oxdl_header *header, struct ox_err *err)
{
    return apply_begin(ctx, header, err);
}

static enum ox_code on_frame(void *ctx, const struct ox_oxdl_frame *frame, struct ox_err *err)
{
    struct ox_apply *self = ctx;
    struct decode_input input = {&self->base, NULL, NULL};
    enum ox_code code;

    if (self->spec.sink != NULL) {
        input.target_ctx = self->spec.sink->ctx;
        input.target_read_at = self->spec.sink->read_at;
    } else if (self->spec.check != NULL) {
        input.target_ctx = self->spec.check->ctx;
        input.target_read_at = self->spec.check->read_at;
    }
    code = decode_frame(&self->decoder, &input, frame, err);
    if (code == OX_OK) {
        code = apply_write(self, self->decoder.out.data, self->decoder.out.len_bytes, err);
    }
    return code;
}

/* --- going on --- */

void ox_apply_mark(const struct ox_apply *apply, struct ox_oxdl_mark *out)
{
    ox_oxdl_reader_mark(apply->reader, out);
}

uint64_t ox_apply_header_bytes(const struct ox_apply *apply)
{
    return ox_oxdl_reader_header_bytes(apply->reader);
}

/* The file in which byte `at` of the target lies, its hash fresh. Where one ends there, the next
 * begins: that is found like any other end. */
static enum ox_code find_file(struct ox_apply *self, uint64_t at, struct ox_err *err)
{
    uint64_t begin = 0;
    size_t index = 0;

    while (index + 1 < file_count(self) && begin + file_size(self, index) <= at) {
        begin += file_size(self, index);
        index++;
    }
    ox_sha256_clear(&self->hash);
    self->file_index = index;
    self->file_end = begin + file_size(self, index);
    self->done_bytes = begin;
    return ox_sha256_init(&self->hash, err);
}

static enum ox_code hash_again(struct ox_apply *self, uint64_t end, struct ox_err *err)
{
    static const size_t block_bytes = 256 * 1024;
    uint8_t *block = malloc(block_bytes);
    enum ox_code code = block == NULL ? ox_err_nomem(err, "a block") : OX_OK;

    while (code == OX_OK && self->done_bytes < end) {
        uint64_t left = end - self->done_bytes;
        size_t take = left < block_bytes ? (size_t)left : block_bytes;

        code = ox_stop_requested(self->spec.stop)
                   ? ox_err_set(err, OX_ECANCELED, "stopped while applying a patch")
                   : self->spec.sink->read_at(self->spec.sink->ctx, self->done_bytes, block, take,
                                              err);
        if (code == OX_OK) {
            code = hash_target(self, block, take, err);
        }
    }
    free(block);
    return code;
}

enum ox_code ox_apply_resume(struct ox_apply *apply, const struct ox_oxdl_mark *mark,
                             struct ox_err *err)
{
    enum ox_code code;

    if (apply->is_v1 || !apply->have_header || apply->spec.sink == NULL) {
        return ox_err_set(err, OX_ECORRUPT, "this patch cannot go on in its middle");
    }
    if ((code = ox_oxdl_reader_resume(apply->reader, mark, err)) != OX_OK ||
        (code = find_file(apply, mark->target_bytes, err)) != OX_OK) {
        return code;
    }
    code = hash_again(apply, mark->target_bytes, err);
    return code == OX_OK ? end_files(apply, err) : code;
}

/* --- the public face --- */

enum ox_code ox_apply_new(struct ox_apply **out, const struct ox_apply_spec *spec,
                          struct ox_err *err)
{
    struct ox_apply *self = calloc(1, sizeof(*self));
    struct ox_oxdl_handler handler = {self, on_header, on_frame};
    enum ox_code code;

    if (self == NULL) {
        return ox_err_nomem(err, "applying a patch");
    }
    self->spec = *spec;
    code = ox_concat_init(&self->base_concat, spec->base->files, spec->base->manifest->count, err);
    if (code == OX_OK) {
        self->base = ox_concat_source(&self->base_concat);
        code = ox_oxdl_reader_new(&self->reader, &handler, err);
    }
    if (code != OX_OK) {
        ox_apply_free(self);
        return code;
    }
    *out = self;
    return OX_OK;
}

void ox_apply_free(struct ox_apply *apply)
{
    if (apply != NULL) {
        ox_concat_clear(&apply->base_concat);
        ox_oxdl_reader_free(apply->reader);
        decoder_clear(&apply->decoder);
        ox_oxdl_header_clear(&apply->header);
        ox_buf_clear(&apply->v1);
        ox_sha256_clear(&apply->hash);
        free(apply);
    }
}

static enum ox_code feed_on(struct ox_apply *self, const void *bytes, size_t len_bytes,
                            struct ox_err *err)
{
    if (!self->is_v1) {
        return ox_oxdl_reader_feed(self->reader, bytes, len_bytes, err);
    }
    if (len_bytes > OX_OXDL1_PATCH_MAX - self->v1.len_bytes) {
        return ox_err_set(err, OX_ETOOBIG, "a patch of version 1 has at most %llu bytes",
                          (unsigned long long)OX_OXDL1_PATCH_MAX);
    }
    return ox_buf_append(&self->v1, bytes, len_bytes, err);
}

enum ox_code ox_apply_feed(struct ox_apply *apply, const void *bytes, size_t len_bytes,
                           struct ox_err *err)
{
    const uint8_t *from = bytes;
    enum ox_code code = OX_OK;

    if (len_bytes == 0) {
        return OX_OK; /* bytes may be NULL */
    }
    if (apply->front_len < sizeof(apply->front)) {
        size_t room = sizeof(apply->front) - apply->front_len;
        size_t take = len_bytes < room ? len_bytes : room;

        memcpy(apply->front + apply->front_len, from, take);
        apply->front_len += take;
        from += take;
        len_bytes -= take;
        if (apply->front_len < sizeof(apply->front)) {
            return OX_OK;
        }
        apply->is_v1 = memcmp(apply->front, OX_OXDL_MAGIC, 4) == 0 && apply->front[4] == 1;
        code = feed_on(apply, apply->front, sizeof(apply->front), err);
    }
    return code == OX_OK ? feed_on(apply, from, len_bytes, err) : code;
}

enum ox_code ox_apply_finish(struct ox_apply *apply, struct ox_err *err)
{
    enum ox_code code;

    if (apply->front_len < sizeof(apply->front)) {
        return ox_err_set(err, OX_ECORRUPT,
                          apply->front_len == 0 ? "the patch is empty"
                                                : "the patch was cut short in its header");
    }
    code = apply->is_v1 ? apply_v1(apply, &apply->base, &apply->v1, err)
                        : ox_oxdl_reader_finish(apply->reader, err);
    if (code == OX_OK && apply->file_index != file_count(apply)) {
        code = ox_err_set(err, OX_EINTERNAL, "a patch ended before its files did");
    }
    return code;
}

const struct ox_oxdl_header *ox_apply_header(const struct ox_apply *apply)
{
    return apply->have_header ? &apply->header : NULL;
}

static enum ox_code feed_apply(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    return ox_apply_feed(ctx, bytes, len_bytes, err);
}

enum ox_code ox_apply_source(const struct ox_apply_spec *spec, const struct ox_source *patch,
                             struct ox_err *err)
{
    struct ox_apply *apply = NULL;
    enum ox_code code = ox_apply_new(&apply, spec, err);

    if (code == OX_OK) {
        const struct ox_output feed = {apply, feed_apply};

        code = ox_source_copy(patch, &feed, err);
    }
    if (code == OX_OK) {
        code = ox_apply_finish(apply, err);
    }
    ox_apply_free(apply);
    return code;
}

/* Applying and inspecting POOL patches, streaming. */
#include "oxide/delta/pool.h"

#include "oxide/crypto/blake3.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)256 * 1024)

/* --- applying --- */

struct ox_pool1_apply {
    struct ox_pool1_apply_spec spec;
    struct ox_pool1_reader reader;
    struct ox_blake3 hash;
    uint64_t done_bytes;  /* written */
    size_t waiting_bytes; /* in block: a patch may name its target byte by byte */
    uint8_t block[BLOCK_BYTES];
};

static enum ox_code on_header(void *ctx, const struct ox_pool1_header *header, struct ox_err *err)
{
    const struct ox_pool1_apply *self = ctx;

    if (header->base_bytes != self->spec.base->size_bytes) {
        return ox_err_set(err, OX_EBASE,
                          "the patch is for another base: it wants %llu bytes, this one has %llu",
                          (unsigned long long)header->base_bytes,
                          (unsigned long long)self->spec.base->size_bytes);
    }
    return OX_OK;
}

static enum ox_code flush(struct ox_pool1_apply *self, struct ox_err *err)
{
    size_t len_bytes = self->waiting_bytes;
    enum ox_code code;

    if (len_bytes == 0) {
        return OX_OK;
    }
    if (ox_stop_requested(self->spec.stop)) {
        return ox_err_set(err, OX_ECANCELED, "stopped while applying a patch");
    }
    code = self->spec.out->write(self->spec.out->ctx, self->block, len_bytes, err);
    if (code == OX_OK) {
        ox_blake3_update(&self->hash, self->block, len_bytes);
        self->waiting_bytes = 0;
        self->done_bytes += len_bytes;
        ox_progress_update(self->spec.progress, self->done_bytes, self->reader.header.target_bytes);
    }
    return code;
}

/* Put len_bytes into blocks: from memory, or, if that is NULL, from the base at base_offset. */
static enum ox_code append(struct ox_pool1_apply *self, const uint8_t *bytes, uint64_t base_offset,
                           uint64_t len_bytes, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (uint64_t at = 0; code == OX_OK && at < len_bytes;) {
        size_t room = BLOCK_BYTES - self->waiting_bytes;
        size_t take = len_bytes - at < room ? (size_t)(len_bytes - at) : room;
        uint8_t *to = self->block + self->waiting_bytes;

        if (bytes != NULL) {
            memcpy(to, bytes + at, take);
        } else {
            code = ox_source_read(self->spec.base, base_offset + at, to, take, err);
        }
        self->waiting_bytes += take;
        at += take;
        if (code == OX_OK && self->waiting_bytes == BLOCK_BYTES) {
            code = flush(self, err);
        }
    }
    return code;
}

static enum ox_code on_copy(void *ctx, uint64_t base_offset, uint64_t len_bytes, struct ox_err *err)
{
    return append(ctx, NULL, base_offset, len_bytes, err);
}

static enum ox_code on_bytes(void *ctx, const uint8_t *bytes, size_t len_bytes, struct ox_err *err)
{
    return append(ctx, bytes, 0, len_bytes, err);
}

static enum ox_code on_literal(void *ctx, uint64_t len_bytes, struct ox_err *err)
{
    (void)ctx;
    (void)len_bytes;
    (void)err;
    return OX_OK;
}

enum ox_code ox_pool1_apply_new(struct ox_pool1_apply **out, const struct ox_pool1_apply_spec *spec,
                                struct ox_err *err)
{
    struct ox_pool1_apply *self = malloc(sizeof(*self));
    struct ox_pool1_handler handler = {self, on_header, on_copy, on_literal, on_bytes};

    if (self == NULL) {
        return ox_err_nomem(err, "applying a patch");
    }
    self->spec = *spec;
    self->done_bytes = 0;
    self->waiting_bytes = 0;
    ox_pool1_reader_init(&self->reader, &handler);
    ox_blake3_init(&self->hash);
    *out = self;
    return OX_OK;
}

void ox_pool1_apply_free(struct ox_pool1_apply *apply)
{
    free(apply);
}

enum ox_code ox_pool1_apply_feed(struct ox_pool1_apply *apply, const void *bytes, size_t len_bytes,
                                 struct ox_err *err)
{
    return ox_pool1_reader_feed(&apply->reader, bytes, len_bytes, err);
}

enum ox_code ox_pool1_apply_finish(struct ox_pool1_apply *apply, struct ox_err *err)
{
    const struct ox_digest *want = &apply->reader.header.target_blake3;
    char want_hex[OX_DIGEST_HEX_MAX];
    char got_hex[OX_DIGEST_HEX_MAX];
    struct ox_digest got;
    enum ox_code code = ox_pool1_reader_finish(&apply->reader, err);

    if (code == OX_OK) {
        code = flush(apply, err);
    }
    if (code != OX_OK) {
        return code;
    }
    ox_blake3_digest(&apply->hash, &got);
    if (!ox_digest_equal(&got, want)) {
        return ox_err_set(
            err, OX_EDIGEST,
            "the target was rebuilt with BLAKE3 %s, the patch promised %s: the base is "
            "another one of the same size, or the patch is damaged",
            ox_digest_hex(&got, got_hex), ox_digest_hex(want, want_hex));
    }
    return OX_OK;
}

static enum ox_code feed_apply(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    return ox_pool1_apply_feed(ctx, bytes, len_bytes, err);
}

enum ox_code ox_pool1_apply_source(const struct ox_pool1_apply_spec *spec,
                                   const struct ox_source *patch, struct ox_err *err)
{
    struct ox_pool1_apply *apply = NULL;
    enum ox_code code = ox_pool1_apply_new(&apply, spec, err);

    if (code == OX_OK) {
        const struct ox_output feed = {apply, feed_apply};

        code = ox_source_copy(patch, &feed, err);
    }
    if (code == OX_OK) {
        code = ox_pool1_apply_finish(apply, err);
    }
    ox_pool1_apply_free(apply);
    return code;
}

/* --- inspecting --- */

static enum ox_code note_header(void *ctx, const struct ox_pool1_header *header, struct ox_err *err)
{
    struct ox_pool1_stats *stats = ctx;

    (void)err;
    stats->header = *header;
    return OX_OK;
}

static enum ox_code note_copy(void *ctx, uint64_t base_offset, uint64_t len_bytes,
                              struct ox_err *err)
{
    struct ox_pool1_stats *stats = ctx;

    (void)base_offset;
    (void)err;
    stats->copies++;
    stats->copy_bytes += len_bytes;
    return OX_OK;
}

static enum ox_code note_literal(void *ctx, uint64_t len_bytes, struct ox_err *err)
{
    struct ox_pool1_stats *stats = ctx;

    (void)err;
    stats->literals++;
    stats->literal_bytes += len_bytes;
    return OX_OK;
}

static enum ox_code note_bytes(void *ctx, const uint8_t *bytes, size_t len_bytes,
                               struct ox_err *err)
{
    (void)ctx;
    (void)bytes;
    (void)len_bytes;
    (void)err;
    return OX_OK;
}

static enum ox_code feed_reader(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    return ox_pool1_reader_feed(ctx, bytes, len_bytes, err);
}

enum ox_code ox_pool1_inspect(const struct ox_source *patch, struct ox_pool1_stats *stats,
                              struct ox_err *err)
{
    struct ox_pool1_stats found = {.patch_bytes = patch->size_bytes};
    struct ox_pool1_handler handler = {&found, note_header, note_copy, note_literal, note_bytes};
    struct ox_pool1_reader reader;
    const struct ox_output feed = {&reader, feed_reader};
    enum ox_code code;

    ox_pool1_reader_init(&reader, &handler);
    code = ox_source_copy(patch, &feed, err);
    if (code == OX_OK) {
        code = ox_pool1_reader_finish(&reader, err);
    }
    if (code == OX_OK) {
        *stats = found;
    }
    return code;
}

/* OXDL version 1: the binary strategy both ways, the tensor strategy for reading. All in memory. */
#include "apply.h"
#include "decode.h"
#include "v1_onnx.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* As the first generation compresses; its readers take any level and window. */
#define LEVEL_V1 12

static enum ox_code read_whole(const struct ox_source *source, struct ox_buf *out,
                               struct ox_err *err)
{
    enum ox_code code;

    if (source->size_bytes > OX_OXDL1_SIZE_MAX) {
        return ox_err_set(
            err, OX_ETOOBIG,
            "a patch of version 1 joins files of at most %llu bytes, this one has %llu",
            (unsigned long long)OX_OXDL1_SIZE_MAX, (unsigned long long)source->size_bytes);
    }
    code = buf_resize(out, (size_t)source->size_bytes, err);
    return code == OX_OK ? ox_source_read(source, 0, out->data, out->len_bytes, err) : code;
}

static int window_log(size_t span)
{
    int log = 10;

    while (log < 30 && (size_t)1 << log < span) {
        log++;
    }
    return log;
}

/* Peak resident memory, measured on noise from 1 kB to 500 MB, and rounded up: zstd's tables, for
 * the base and for the target, at LEVEL_V1; the process itself. */
#define TABLES_MAX ((uint64_t)100 << 20)
#define TABLES_LEAST ((uint64_t)2 << 20)
#define TABLES_PER_BYTE 64
#define PROCESS_BYTES ((uint64_t)10 << 20)

uint64_t ox_delta_v1_memory(uint64_t base_bytes, uint64_t target_bytes)
{
    uint64_t larger = base_bytes > target_bytes ? base_bytes : target_bytes;
    uint64_t tables = larger < TABLES_MAX / TABLES_PER_BYTE
                          ? TABLES_LEAST + larger * TABLES_PER_BYTE
                          : TABLES_MAX;
    /* The base is there twice until zstd has its own copy. The packed target may be as large as
     * the target, and there is a patch of it when all else is gone. */
    uint64_t packing = base_bytes + target_bytes + ZSTD_COMPRESSBOUND(target_bytes) + tables;

    return PROCESS_BYTES + (packing > 2 * base_bytes ? packing : 2 * base_bytes);
}

/* The base as dictionary, as it is loaded by the first generation's readers. It is cleared as soon
 * as zstd has its own copy, the target at the end: both can be large. */
static enum ox_code pack_v1(struct ox_buf *base, struct ox_buf *target, struct ox_buf *out,
                            struct ox_err *err)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    size_t got;
    enum ox_code code = zstd == NULL ? ox_err_nomem(err, "zstd")
                                     : buf_resize(out, ZSTD_compressBound(target->len_bytes), err);

    if (code == OX_OK) {
        (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, LEVEL_V1);
        (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog,
                                     window_log(base->len_bytes + target->len_bytes));
        got = ZSTD_CCtx_loadDictionary(zstd, base->data, base->len_bytes);
        ox_buf_clear(base);
        if (!ZSTD_isError(got)) {
            got = ZSTD_compress2(zstd, out->data, out->len_bytes, target->data, target->len_bytes);
        }
        if (ZSTD_isError(got)) {
            code = ox_err_set(err, OX_EINTERNAL, "zstd: %s", ZSTD_getErrorName(got));
        } else {
            out->len_bytes = got;
        }
    }
    (void)ZSTD_freeCCtx(zstd);
    ox_buf_clear(target);
    return code;
}

enum ox_code ox_delta_create_v1(const struct ox_delta_side *base,
                                const struct ox_delta_side *target, const struct ox_output *out,
                                struct ox_err *err)
{
    struct ox_oxdl1_header header = {.strategy = OX_OXDL1_BINARY, .chunk_count = 1};
    struct ox_oxdl1_chunk chunk = {.op = OX_OXDL1_REPLACE};
    struct ox_buf from = OX_BUF_INIT;
    struct ox_buf to = OX_BUF_INIT;
    struct ox_buf packed = OX_BUF_INIT;
    struct ox_buf patch = OX_BUF_INIT;
    enum ox_code code;

    if (base->manifest->count != 1 || target->manifest->count != 1) {
        return ox_err_set(err, OX_EUNSUPPORTED, "a patch of version 1 joins single files");
    }
    if ((code = read_whole(&base->files[0], &from, err)) != OX_OK ||
        (code = read_whole(&target->files[0], &to, err)) != OX_OK) {
        goto out;
    }
    header.base_sha256 = base->digest;
    header.target_sha256 = target->digest;
    header.target_size_bytes = to.len_bytes;
    chunk.uncompressed_bytes = (uint32_t)to.len_bytes;
    if ((code = pack_v1(&from, &to, &packed, err)) != OX_OK) {
        goto out;
    }
    chunk.data = packed.data;
    chunk.data_bytes = (uint32_t)packed.len_bytes;
    if ((code = ox_oxdl1_put_header(&patch, &header, err)) == OX_OK &&
        (code = ox_oxdl1_put_chunk(&patch, &chunk, err)) == OX_OK) {
        code = out->write(out->ctx, patch.data, patch.len_bytes, err);
    }
out:
    ox_buf_clear(&from);
    ox_buf_clear(&to);
    ox_buf_clear(&packed);
    ox_buf_clear(&patch);
    return code;
}

enum ox_code v1_unpack(const struct ox_oxdl1_chunk *chunk, const struct ox_buf *dictionary,
                       struct ox_buf *out, struct ox_err *err)
{
    ZSTD_DCtx *zstd = NULL;
    size_t got;
    enum ox_code code;

    if (chunk->uncompressed_bytes > OX_OXDL1_SIZE_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "a chunk of the patch claims %u bytes",
                          chunk->uncompressed_bytes);
    }
    zstd = ZSTD_createDCtx();
    code =
        zstd == NULL ? ox_err_nomem(err, "zstd") : buf_resize(out, chunk->uncompressed_bytes, err);
    if (code == OX_OK) {
        got = dictionary == NULL
                  ? ZSTD_decompressDCtx(zstd, out->data, out->len_bytes, chunk->data,
                                        chunk->data_bytes)
                  : ZSTD_decompress_usingDict(zstd, out->data, out->len_bytes, chunk->data,
                                              chunk->data_bytes, dictionary->data,
                                              dictionary->len_bytes);
        if (ZSTD_isError(got)) {
            code = ox_err_set(err, OX_ECORRUPT, "zstd data in the patch is damaged: %s",
                              ZSTD_getErrorName(got));
        } else if (got != out->len_bytes) {
            code = ox_err_set(err, OX_ECORRUPT, "a chunk of the patch gives %zu bytes, not %zu",
                              got, out->len_bytes);
        }
    }
    (void)ZSTD_freeDCtx(zstd);
    return code;
}

static enum ox_code rebuild_binary(struct ox_reader *reader, const struct ox_oxdl1_header *header,
                                   const struct ox_buf *base, struct ox_buf *target,
                                   struct ox_err *err)
{
    struct ox_oxdl1_chunk chunk;
    enum ox_code code;

    if (header->chunk_count != 1) {
        return ox_err_set(err, OX_ECORRUPT, "a binary patch of version 1 has one chunk, not %u",
                          header->chunk_count);
    }
    if ((code = ox_oxdl1_read_chunk(reader, &chunk, err)) != OX_OK) {
        return code;
    }
    if (chunk.op != OX_OXDL1_REPLACE || chunk.uncompressed_bytes != header->target_size_bytes) {
        return ox_err_set(err, OX_ECORRUPT,
                          "the chunk of a binary patch of version 1 is malformed");
    }
    return v1_unpack(&chunk, base, target, err);
}

enum ox_code apply_v1(struct ox_apply *self, const struct ox_source *base,
                      const struct ox_buf *patch, struct ox_err *err)
{
    struct ox_oxdl1_header v1;
    struct ox_oxdl_header header = {.version = 1};
    struct ox_reader reader;
    struct ox_buf from = OX_BUF_INIT;
    struct ox_buf to = OX_BUF_INIT;
    enum ox_code code = ox_oxdl1_read_header(patch->data, patch->len_bytes, &v1, err);

    if (code != OX_OK) {
        return code;
    }
    if (v1.target_size_bytes > OX_OXDL1_SIZE_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "the patch rebuilds %llu bytes, version 1 at most %llu",
                          (unsigned long long)v1.target_size_bytes,
                          (unsigned long long)OX_OXDL1_SIZE_MAX);
    }
    header.base.digest = v1.base_sha256;
    header.target.digest = v1.target_sha256;
    header.target.size_bytes = v1.target_size_bytes;
    ox_reader_init(&reader, patch->data + OX_OXDL1_HEADER_BYTES,
                   patch->len_bytes - OX_OXDL1_HEADER_BYTES, "patch (version 1)");
    if ((code = apply_begin(self, &header, err)) != OX_OK ||
        (code = read_whole(base, &from, err)) != OX_OK) {
        goto out;
    }
    code = v1.strategy == OX_OXDL1_BINARY ? rebuild_binary(&reader, &v1, &from, &to, err)
                                          : v1_rebuild_onnx(&reader, &v1, &from, &to, err);
    if (code == OX_OK) {
        code = ox_reader_end(&reader, err);
    }
    if (code == OX_OK && to.len_bytes != v1.target_size_bytes) {
        code = ox_err_set(err, OX_EDIGEST, "the patch rebuilds %zu bytes, it promised %llu",
                          to.len_bytes, (unsigned long long)v1.target_size_bytes);
    }
    if (code == OX_OK) {
        code = apply_write(self, to.data, to.len_bytes, err);
    }
out:
    ox_buf_clear(&from);
    ox_buf_clear(&to);
    return code;
}

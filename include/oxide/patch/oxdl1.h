/**
 * OXDL version 1, the format of the first generation: a header of 83 bytes, then chunks. Read from
 * memory; lengths are 32 bits wide, so a patch that we read is under OX_OXDL1_PATCH_MAX bytes.
 */
#ifndef OXIDE_PATCH_OXDL1_H
#define OXIDE_PATCH_OXDL1_H

#include "oxide/base/buf.h"
#include "oxide/base/digest.h"
#include "oxide/base/reader.h"

#define OX_OXDL1_HEADER_BYTES 83
#define OX_OXDL1_PATCH_MAX ((uint64_t)600 << 20) /* a 512 MiB model that zstd could not shrink */

enum ox_oxdl1_strategy { OX_OXDL1_BINARY = 0, OX_OXDL1_TENSOR = 1 };
enum ox_oxdl1_format { OX_OXDL1_UNKNOWN = 0, OX_OXDL1_ONNX = 1, OX_OXDL1_SAFETENSORS = 2 };
enum ox_oxdl1_op { OX_OXDL1_COPY = 0, OX_OXDL1_REPLACE = 1, OX_OXDL1_XOR = 2 };

struct ox_oxdl1_header {
    enum ox_oxdl1_strategy strategy;
    struct ox_digest base_sha256;
    struct ox_digest target_sha256;
    uint64_t target_size_bytes;
    uint32_t chunk_count;
    enum ox_oxdl1_format format;
};

struct ox_oxdl1_chunk {
    const uint8_t *name; /* lent; not NUL-terminated */
    uint16_t name_len;
    uint32_t uncompressed_bytes;
    enum ox_oxdl1_op op;
    const uint8_t *data; /* lent: a zstd frame, or empty */
    uint32_t data_bytes;
};

/** Errors: OX_ECORRUPT, OX_EUNSUPPORTED (strategy, format). */
OX_MUST_USE enum ox_code ox_oxdl1_read_header(const uint8_t *bytes, size_t len_bytes,
                                              struct ox_oxdl1_header *out, struct ox_err *err);

/** Read the next chunk; `reader` stands behind the header or the chunk before. */
OX_MUST_USE enum ox_code ox_oxdl1_read_chunk(struct ox_reader *reader, struct ox_oxdl1_chunk *out,
                                             struct ox_err *err);

/** Append a header or a chunk. */
OX_MUST_USE enum ox_code
ox_oxdl1_put_header(struct ox_buf *out, const struct ox_oxdl1_header *header, struct ox_err *err);
OX_MUST_USE enum ox_code ox_oxdl1_put_chunk(struct ox_buf *out, const struct ox_oxdl1_chunk *chunk,
                                            struct ox_err *err);

#endif

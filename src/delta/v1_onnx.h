/** The tensor strategy of OXDL 1: an ONNX model from its skeleton and its initializers. */
#ifndef OXIDE_DELTA_V1_ONNX_H
#define OXIDE_DELTA_V1_ONNX_H

#include "oxide/base/buf.h"
#include "oxide/patch/oxdl1.h"

/** Unpack a chunk's zstd data, with a dictionary or (NULL) without. */
enum ox_code v1_unpack(const struct ox_oxdl1_chunk *chunk, const struct ox_buf *dictionary,
                       struct ox_buf *out, struct ox_err *err);

/** Rebuild the target from the chunks that follow in `reader`. */
enum ox_code v1_rebuild_onnx(struct ox_reader *reader, const struct ox_oxdl1_header *header,
                             const struct ox_buf *base, struct ox_buf *target, struct ox_err *err);

#endif

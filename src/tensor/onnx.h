/** The walk over an ONNX model that onnx.c leads, and the tensors in it that onnx_tensor.c reads.
 */
#ifndef TENSOR_ONNX_H
#define TENSOR_ONNX_H

#include "layout_build.h"
#include "protobuf.h"

struct ox_onnx {
    struct ox_wire wire;
    struct ox_build build;
    struct ox_buf path; /* of the graph we are in, e.g. "If_12/then_branch/"; empty at the top */
    struct ox_buf name; /* scratch: of the tensor being read */
    struct ox_buf text; /* scratch: what nodes and attributes are called */
    struct ox_buf location;
    unsigned depth; /* graphs inside graphs */
};

/**
 * Read the TensorProto at `span` and add it to onnx->build, if it has bytes of fixed width.
 * The first path_len bytes of onnx->path are its path; what follows there is its name where it has
 * none of its own.
 */
OX_MUST_USE enum ox_code ox_onnx_tensor(struct ox_onnx *onnx, struct ox_span span, size_t path_len,
                                        struct ox_err *err);

#endif

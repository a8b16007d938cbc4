/** The tensors of one side, in its flat space, file by file. */
#ifndef OXIDE_DELTA_SIDE_TENSORS_H
#define OXIDE_DELTA_SIDE_TENSORS_H

#include "oxide/delta/side.h"
#include "oxide/tensor/layout.h"
#include "oxide/tensor/limits.h"

/** Tensors of all files of a side together; what is over is simply bytes. As many as one file may
 *  have: published models have some 100,000 over all shards. */
#define SIDE_TENSORS_MAX OX_TENSOR_COUNT_MAX

/** Who is told of each tensor that has bytes: in file number `file`, `offset` in the flat space.
 *  The tensor is lent until the call returns. */
struct side_tensors_sink {
    void *ctx;
    enum ox_code (*take)(void *ctx, const struct ox_tensor *tensor, size_t file, uint64_t offset,
                         struct ox_err *err);
};

/**
 * Read the layouts of all files: first the tensors inside them, then those in external data files
 * that are no models themselves. They come unsorted and may overlap where files tell so. Files that
 * are no models, or damaged ones, have none. No layout outlives its file's turn: those of thousands
 * of files would fill memory. Errors: OX_ENOMEM, the side's own, the sink's own.
 */
enum ox_code side_tensors_walk(const struct ox_delta_side *side,
                               const struct side_tensors_sink *sink, struct ox_err *err);

#endif

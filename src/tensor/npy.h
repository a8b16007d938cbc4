/** Arrays as NumPy saves them. */
#ifndef TENSOR_NPY_H
#define TENSOR_NPY_H

#include "layout_build.h"
#include "stream.h"

/**
 * Add the array that lies from stream->pos to stream->end, under this name.
 * Errors: OX_ECORRUPT if it is damaged; OX_EUNSUPPORTED if it is of a version that we do not know;
 * OX_ETOOBIG over OX_NPY_HEADER_MAX or OX_TENSOR_RANK_MAX; those of ox_build_add.
 */
OX_MUST_USE enum ox_code ox_npy_add(struct ox_build *build, struct ox_stream *stream,
                                    const char *name, size_t name_len, struct ox_err *err);

#endif

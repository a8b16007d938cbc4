/** Archives as PyTorch saves them: a pickle, and the storages it speaks of, each an entry. */
#ifndef TENSOR_TORCH_H
#define TENSOR_TORCH_H

#include "layout_build.h"
#include "zip_directory.h"

/** Is this one? It has PREFIX/data.pkl: *out is that entry; otherwise NULL. */
const struct ox_zip_entry *ox_torch_pickle_of(const struct ox_zip *zip);

/**
 * Add the tensors of an archive whose pickle this is.
 * Errors: OX_ECORRUPT for entries that are not what the directory says; those of ox_build_add; the
 * source's own. A pickle that we cannot follow is none: then storages are named by their entries.
 */
OX_MUST_USE enum ox_code ox_torch_add(struct ox_build *build, const struct ox_zip *zip,
                                      const struct ox_zip_entry *pickle, struct ox_stream *stream,
                                      struct ox_err *err);

#endif

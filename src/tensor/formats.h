/** The formats that formats.c lists. Each reader's file opens with the sources of what it knows. */
#ifndef TENSOR_FORMATS_H
#define TENSOR_FORMATS_H

#include "oxide/base/io.h"
#include "oxide/tensor/layout.h"

/**
 * Does the file claim to be of this format? It looks at the first bytes, and says yes also to a
 * damaged file, so that the reader can tell what is wrong with it.
 * Errors: the source's own, OX_ENOMEM; what cannot be understood is *out = false.
 */
typedef enum ox_code ox_format_sniff_fn(const struct ox_source *source, bool *out,
                                        struct ox_err *err);

/** Find the layout of a file that claims to be of this format; as ox_layout_read. */
typedef enum ox_code ox_format_read_fn(struct ox_layout *out, const struct ox_source *source,
                                       struct ox_err *err);

ox_format_sniff_fn ox_gguf_sniff, ox_safetensors_sniff, ox_onnx_sniff, ox_zip_sniff, ox_npy_sniff;
ox_format_read_fn ox_gguf_read, ox_safetensors_read, ox_onnx_read, ox_zip_read, ox_npy_read;

#endif
